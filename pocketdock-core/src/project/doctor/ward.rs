//! The containers that the doctor looks after, and what can be done to one.

use std::path::Path;

use crate::container::handle::{Container, remove};
use crate::container::labels;
use crate::container::reboot::{FRESH, OLD};
use crate::engine::types::ContainerSummary;
use crate::engine::{Engine, containers};
use crate::error::{Error, Result};
use crate::host::{Life, ProcessIdentity};
use crate::project::description::Description;
use crate::project::instance::Instance;
use crate::project::private;

/// The containers that have not been looked after yet.
pub(super) struct Ward<'a> {
    pub(super) engine: &'a Engine,
    /// What tells it from other engines.
    pub(super) identity: Option<String>,
    pub(super) all: Vec<ContainerSummary>,
}

impl Ward<'_> {
    pub(super) fn take(
        &mut self,
        is_one: impl Fn(&ContainerSummary) -> bool,
    ) -> Vec<ContainerSummary> {
        let all = std::mem::take(&mut self.all);
        let (taken, left) = all.into_iter().partition(is_one);
        self.all = left;
        taken
    }

    /// The container that says that a directory is its own.
    pub(super) fn of_dir(&self, dir: &Path) -> Option<&ContainerSummary> {
        self.all
            .iter()
            .find(|it| it.label(labels::DATA_PATH).map(Path::new) == Some(dir))
    }
}

/// A container with the name of one that takes another's place, or whose place is taken.
pub(super) struct Leftover<'a> {
    pub(super) name: &'a str,
    is_old: bool,
    /// Whether whoever reboots it may still be at it.
    pub(super) is_in_use: bool,
}

impl<'a> Leftover<'a> {
    pub(super) fn of(summary: &'a ContainerSummary) -> Option<Self> {
        let name = summary.label(labels::INSTANCE)?;
        let rest = summary.name.strip_prefix(name)?;
        let old = rest.strip_prefix(OLD);
        let tag = old.or_else(|| rest.strip_prefix(FRESH))?;
        let maker = tag
            .rsplit_once('-')
            .and_then(|(tag, _random)| ProcessIdentity::parse_tag(tag));
        Some(Leftover {
            name,
            is_old: old.is_some(),
            is_in_use: maker.is_none_or(|maker| maker.life() != Life::Dead),
        })
    }

    /// Whether the container still has the name that it was listed by.
    pub(super) fn is_still(&self, engine: &Engine, summary: &ContainerSummary) -> bool {
        let found = containers::inspect(engine.client(), &summary.id);
        found.is_ok_and(|found| {
            let name = found.str_at(&["Name"]).unwrap_or_default();
            name.trim_start_matches('/') == summary.name
        })
    }

    /// An old one gets its name back if that is free; otherwise the other one has its place.
    pub(super) fn clear(&self, engine: &Engine, summary: &ContainerSummary) -> Result<()> {
        let client = engine.client();
        if self.is_old {
            match containers::rename(client, &summary.id, self.name) {
                Err(Error::NameInUse { .. }) => {}
                other => return other,
            }
        }
        remove(client, &summary.id)
    }
}

/// Removes an orphan and what it has on the host, if it is still the same.
pub(super) fn destroy(engine: &Engine, summary: &ContainerSummary) -> Result<()> {
    let container = match engine.find(&summary.id) {
        Err(Error::ContainerNotFound { .. }) => return Ok(()),
        other => other?,
    };
    let instance = Instance::owned_by(&container);
    remove(engine.client(), &summary.id)?;
    instance.map_or(Ok(()), |instance| instance.remove())
}

/// Writes the description of a kept container into its directory.
pub(super) fn describe(ward: &Ward<'_>, summary: &ContainerSummary, dir: &Path) -> Result<()> {
    let container: Container = ward.engine.find(&summary.id)?;
    private::create_dir(&dir.join("logs"))?;
    private::create_dir(&dir.join("data"))?;
    let mut description = Description::of(&container, true);
    description.engine.clone_from(&ward.identity);
    description.write(dir)
}
