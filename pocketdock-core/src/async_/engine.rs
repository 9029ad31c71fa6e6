//! Making and finding sandboxes with calls that do not block: [`AsyncEngine`], and the functions
//! that detect the engine.

use std::io::{Read, Write};
use std::path::Path;

use crate::async_::container::AsyncContainer;
use crate::async_::operation::Operation;
use crate::container::build::BuildOptions;
use crate::container::context::BuildContext;
use crate::container::handle::Container;
use crate::container::lifecycle::{ContainerListItem, ListFilter};
use crate::container::options::CreateOptions;
use crate::container::profile::ProfileInfo;
use crate::engine::Engine;
use crate::error::Result;
use crate::project::doctor::{self, DoctorReport};
use crate::project::lifecycle;
use crate::project::prune::{self, PruneOptions, PruneReport};
use crate::project::root::Project;
use crate::project::status::ProjectStatus;

/// A container engine that has answered: [`Engine`] with calls that do not block.
///
/// ```no_run
/// # async fn example() -> pocketdock_core::Result<()> {
/// use pocketdock_core::CreateOptions;
/// use pocketdock_core::async_::AsyncEngine;
///
/// let engine = AsyncEngine::detect().await?;
/// let sandbox = engine.create(&CreateOptions::new()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AsyncEngine {
    engine: Engine,
}

impl From<Engine> for AsyncEngine {
    fn from(engine: Engine) -> Self {
        AsyncEngine { engine }
    }
}

impl AsyncEngine {
    /// As [`Engine::detect`].
    pub fn detect() -> Operation<Self> {
        Operation::new(|| Engine::detect().map(Self::from))
    }

    /// As [`Engine::at`].
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use pocketdock_core::async_::AsyncEngine;
    ///
    /// # async fn example() -> pocketdock_core::Result<()> {
    /// let engine = AsyncEngine::at(Path::new("/run/podman/podman.sock")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn at(socket: &Path) -> Operation<Self> {
        let socket = socket.to_owned();
        Operation::new(move || Engine::at(&socket).map(Self::from))
    }

    /// The same engine, with calls that block.
    #[must_use]
    pub fn blocking(&self) -> &Engine {
        &self.engine
    }

    /// As [`Engine::create`]. Dropping the future removes the sandbox that came to be, a kept one
    /// as well: nobody has a handle to it.
    pub fn create(&self, options: &CreateOptions) -> Operation<AsyncContainer> {
        let options = options.clone();
        creation(self.operation(move |engine| engine.create(&options).map(Into::into)))
    }

    /// As [`Engine::open`].
    pub fn open(&self, name: &str) -> Operation<AsyncContainer> {
        let name = name.to_owned();
        self.operation(move |engine| engine.open(&name).map(Into::into))
    }

    /// As [`Engine::resume`].
    pub fn resume(&self, name: &str) -> Operation<AsyncContainer> {
        let name = name.to_owned();
        self.operation(move |engine| engine.resume(&name).map(Into::into))
    }

    /// As [`Engine::list`].
    pub fn list(&self, filter: &ListFilter) -> Operation<Vec<ContainerListItem>> {
        let filter = filter.clone();
        self.operation(move |engine| engine.list(&filter))
    }

    /// As [`Engine::stop`].
    pub fn stop(&self, name: &str) -> Operation<()> {
        let name = name.to_owned();
        self.operation(move |engine| engine.stop(&name))
    }

    /// As [`Engine::destroy`].
    pub fn destroy(&self, name: &str) -> Operation<()> {
        let name = name.to_owned();
        self.operation(move |engine| engine.destroy(&name))
    }

    /// As [`Engine::prune`].
    pub fn prune(&self, options: &PruneOptions) -> Operation<PruneReport> {
        let options = options.clone();
        self.operation(move |engine| engine.prune(&options))
    }

    /// As [`Engine::status`].
    pub fn status(&self, project: &Project) -> Operation<ProjectStatus> {
        let project = project.clone();
        self.operation(move |engine| engine.status(&project))
    }

    /// As [`Engine::doctor`].
    pub fn doctor(&self, root: Option<&Path>) -> Operation<DoctorReport> {
        let root = root.map(Path::to_owned);
        self.operation(move |engine| Ok(engine.doctor(root.as_deref())))
    }

    /// As [`Engine::repair`].
    pub fn repair(&self, root: Option<&Path>) -> Operation<DoctorReport> {
        let root = root.map(Path::to_owned);
        self.operation(move |engine| Ok(engine.repair(root.as_deref())))
    }

    /// As [`Engine::build`]; `on_output` is called on the thread of the future. Dropping the future
    /// does not stop the build.
    pub fn build(
        &self,
        profile: &ProfileInfo,
        options: &BuildOptions,
        mut on_output: impl FnMut(&str) + Send + 'static,
    ) -> Operation<String> {
        let (profile, options) = (*profile, options.clone());
        self.operation(move |engine| engine.build(&profile, &options, &mut on_output))
    }

    /// As [`Engine::build_from`]; `on_output` is called on the thread of the future. Dropping the
    /// future does not stop the build.
    pub fn build_from(
        &self,
        context: BuildContext<'static>,
        options: &BuildOptions,
        mut on_output: impl FnMut(&str) + Send + 'static,
    ) -> Operation<String> {
        let options = options.clone();
        self.operation(move |engine| engine.build_from(context, &options, &mut on_output))
    }

    /// As [`Engine::export`]. Dropping the future does not stop it; a writer that fails does.
    pub fn export(&self, images: &[&str], out: impl Write + Send + 'static) -> Operation<u64> {
        let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        self.operation(move |engine| {
            let images: Vec<&str> = images.iter().map(String::as_str).collect();
            engine.export(&images, out)
        })
    }

    /// As [`Engine::import`]. Dropping the future does not stop it; a reader that fails does.
    pub fn import(&self, archive: impl Read + Send + 'static) -> Operation<Vec<String>> {
        self.operation(move |engine| engine.import(archive))
    }

    /// As [`Engine::image_exists`].
    pub fn image_exists(&self, image: &str) -> Operation<bool> {
        let image = image.to_owned();
        self.operation(move |engine| engine.image_exists(&image))
    }

    fn operation<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Engine) -> Result<T> + Send + 'static,
    ) -> Operation<T> {
        let engine = self.engine.clone();
        Operation::new(move || call(&engine))
    }
}

/// As [`crate::create_new_container`]. Dropping the future removes the sandbox that came to be, a
/// kept one as well: nobody has a handle to it.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, async_};
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// let sandbox = async_::create_new_container(&CreateOptions::new()).await?;
/// # Ok(())
/// # }
/// ```
pub fn create_new_container(options: &CreateOptions) -> Operation<AsyncContainer> {
    let options = options.clone();
    creation(Operation::new(move || {
        lifecycle::create_new_container(&options).map(Container::into)
    }))
}

/// As [`crate::resume_container`].
///
/// ```no_run
/// use pocketdock_core::async_;
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// let sandbox = async_::resume_container("box").await?;
/// # Ok(())
/// # }
/// ```
pub fn resume_container(name: &str) -> Operation<AsyncContainer> {
    let name = name.to_owned();
    Operation::new(move || lifecycle::resume_container(&name).map(Container::into))
}

/// As [`crate::list_containers`].
///
/// ```no_run
/// use pocketdock_core::{ListFilter, async_};
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// println!("{} sandboxes", async_::list_containers(&ListFilter::new()).await?.len());
/// # Ok(())
/// # }
/// ```
pub fn list_containers(filter: &ListFilter) -> Operation<Vec<ContainerListItem>> {
    let filter = filter.clone();
    Operation::new(move || lifecycle::list_containers(&filter))
}

/// As [`crate::stop_container`].
///
/// ```no_run
/// use pocketdock_core::async_;
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// async_::stop_container("box").await?;
/// # Ok(())
/// # }
/// ```
pub fn stop_container(name: &str) -> Operation<()> {
    let name = name.to_owned();
    Operation::new(move || lifecycle::stop_container(&name))
}

/// As [`crate::destroy_container`].
///
/// ```no_run
/// use pocketdock_core::async_;
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// async_::destroy_container("box").await?;
/// # Ok(())
/// # }
/// ```
pub fn destroy_container(name: &str) -> Operation<()> {
    let name = name.to_owned();
    Operation::new(move || lifecycle::destroy_container(&name))
}

/// As [`crate::prune`].
pub fn prune(options: &PruneOptions) -> Operation<PruneReport> {
    let options = options.clone();
    Operation::new(move || prune::prune(&options))
}

/// As [`crate::doctor`].
pub fn doctor(root: Option<&Path>) -> Operation<DoctorReport> {
    let root = root.map(Path::to_owned);
    Operation::new(move || Ok(doctor::doctor(root.as_deref())))
}

/// A call that makes a sandbox, which is removed if nobody takes it.
fn creation(call: Operation<AsyncContainer>) -> Operation<AsyncContainer> {
    call.or_undo(|sandbox| {
        // A guarded one that cannot be removed now carries its owner's label and is found later.
        let _removed = sandbox.blocking().shutdown(true);
    })
}
