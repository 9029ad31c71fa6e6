//! The list of sandboxes. Containers of others are not in it.

use crate::container::labels;
use crate::engine::types::ContainerSummary;
use crate::engine::{Engine, containers};
use crate::error::Result;
use crate::wire::time::Timestamp;

/// Which sandboxes to list.
///
/// ```
/// use pocketdock_core::ListFilter;
///
/// let filter = ListFilter::new().project("web").running();
/// ```
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    project: Option<String>,
    running: bool,
}

impl ListFilter {
    /// All sandboxes of the engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those of this project.
    #[must_use]
    pub fn project(mut self, project: &str) -> Self {
        self.project = Some(project.to_owned());
        self
    }

    /// Only those that run.
    #[must_use]
    pub fn running(mut self) -> Self {
        self.running = true;
        self
    }
}

/// One sandbox in a list.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::ListFilter;
///
/// for item in engine.list(&ListFilter::new())? {
///     println!("{} is {} since {}", item.name, item.status, item.created_at);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerListItem {
    /// Its name.
    pub name: String,
    /// The engine's ID.
    pub id: String,
    /// The engine's word: created, running, paused, restarting, exited or dead.
    pub status: String,
    /// The image it was made from.
    pub image: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is meant to be stopped and resumed.
    pub persist: bool,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The profile it was made from.
    pub profile: Option<String>,
}

impl ContainerListItem {
    fn new(summary: ContainerSummary) -> Self {
        let label = |name| summary.label(name).map(str::to_owned);
        ContainerListItem {
            created_at: Timestamp::from_unix(summary.created_s, 0).unwrap_or(Timestamp::NEVER),
            persist: summary.label(labels::PERSIST) == Some("true"),
            project: label(labels::PROJECT),
            profile: label(labels::PROFILE),
            name: summary.name,
            id: summary.id,
            status: summary.state,
            image: summary.image,
        }
    }
}

impl Engine {
    /// The sandboxes of this engine, oldest first.
    ///
    /// Engine endpoint: `GET /containers/json`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use pocketdock_core::ListFilter;
    ///
    /// for item in engine.list(&ListFilter::new().running())? {
    ///     println!("{} {}", item.name, item.image);
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Engine`](crate::Error::Engine) and the errors of the connection.
    pub fn list(&self, filter: &ListFilter) -> Result<Vec<ContainerListItem>> {
        let mut wanted = vec![format!("{}=true", labels::MANAGED)];
        if let Some(project) = &filter.project {
            wanted.push(format!("{}={project}", labels::PROJECT));
        }
        let mut found = containers::list(self.client(), &wanted)?;
        ContainerSummary::sort_by_age(&mut found);
        Ok(found
            .into_iter()
            .filter(|summary| !filter.running || summary.state == "running")
            .map(ContainerListItem::new)
            .collect())
    }
}
