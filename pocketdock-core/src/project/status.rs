//! A project at a glance: its instances, its sandboxes, what they take on the disk.

use crate::engine::Engine;
use crate::error::Result;
use crate::project::instance::Instance;
use crate::project::prune::managed;
use crate::project::root::Project;

/// How a project stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProjectStatus {
    /// Instances on the host.
    pub instances: usize,
    /// Sandboxes of the engine with the project's label.
    pub containers: usize,
    /// Those that run, paused ones included.
    pub running: usize,
    /// Those that do not.
    pub stopped: usize,
    /// The length of the files in the instances.
    pub disk_bytes: u64,
}

impl Engine {
    /// Looks at a project and its sandboxes on this engine.
    ///
    /// Engine endpoint: `GET /containers/json`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use pocketdock_core::Config;
    /// use pocketdock_core::project::status::ProjectStatus;
    ///
    /// if let Some(project) = Config::read()?.project() {
    ///     let ProjectStatus { running, stopped, disk_bytes, .. } = engine.status(project)?;
    ///     println!("{running} run, {stopped} do not, {disk_bytes} bytes on disk");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the instances cannot be read;
    /// [`Error::Engine`](crate::Error::Engine) and the errors of the connection.
    pub fn status(&self, project: &Project) -> Result<ProjectStatus> {
        let instances = Instance::all_in(&project.root)?;
        let mut disk_bytes = 0;
        for instance in &instances {
            disk_bytes += instance.disk_len()?;
        }
        let containers = managed(self, Some(&project.name))?;
        let runs = |state: &str| matches!(state, "running" | "paused" | "restarting");
        let running = containers.iter().filter(|it| runs(&it.state)).count();
        Ok(ProjectStatus {
            instances: instances.len(),
            containers: containers.len(),
            running,
            stopped: containers.len() - running,
            disk_bytes,
        })
    }
}
