//! Removing sandboxes that are not needed any more.
//!
//! ```text
//!                        stopped                       running
//! ephemeral              yes, unless its owner lives   if its owner is dead, with `orphans`
//! persistent             with `persistent`             never
//! paused, created, restarting, of somebody else: never
//! ```

use crate::container::handle::remove;
use crate::container::labels;
use crate::engine::types::ContainerSummary;
use crate::engine::{Engine, containers};
use crate::error::{Error, Result};
use crate::host::{Life, ProcessIdentity};
use crate::project::instance::Instance;

/// Which sandboxes to remove.
///
/// ```
/// use pocketdock_core::PruneOptions;
///
/// let options = PruneOptions::new().project("web").orphans();
/// ```
#[derive(Debug, Clone, Default)]
pub struct PruneOptions {
    project: Option<String>,
    persistent: bool,
    orphans: bool,
    dry_run: bool,
}

impl PruneOptions {
    /// Stopped ephemeral ones, of every project.
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

    /// Stopped persistent ones, too, with all their files.
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.persistent = true;
        self
    }

    /// Running ones, too, whose owner is dead.
    #[must_use]
    pub fn orphans(mut self) -> Self {
        self.orphans = true;
        self
    }

    /// Removes nothing and says what would be.
    #[must_use]
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Why a sandbox is to be removed; `None` if it is not.
    fn verdict(&self, summary: &ContainerSummary) -> Option<PruneReason> {
        let owner = owner_life(summary);
        let persistent = summary.label(labels::PERSIST) == Some("true");
        match summary.state.as_str() {
            "exited" | "dead" | "stopped" if persistent => {
                self.persistent.then_some(PruneReason::StoppedPersistent)
            }
            "exited" | "dead" | "stopped" => {
                (owner != Some(Life::Alive)).then_some(PruneReason::Stopped)
            }
            "running" if self.orphans && !persistent && owner == Some(Life::Dead) => {
                Some(PruneReason::Orphaned)
            }
            _ => None,
        }
    }
}

/// Why a sandbox is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PruneReason {
    /// It is ephemeral and does not run.
    Stopped,
    /// It is persistent and does not run.
    StoppedPersistent,
    /// It runs, and the process that guarded it has ended without removing it.
    Orphaned,
}

impl PruneReason {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PruneReason::Stopped => "stopped",
            PruneReason::StoppedPersistent => "stopped, persistent",
            PruneReason::Orphaned => "orphaned",
        }
    }
}

/// A sandbox that was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Its name.
    pub name: String,
    /// The engine's ID.
    pub id: String,
    /// The project it belongs to.
    pub project: Option<String>,
    /// Why.
    pub reason: PruneReason,
}

/// What was removed.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::{PruneOptions, PruneReport, PruneReason, Pruned};
///
/// let options = PruneOptions::new().project("web").persistent().orphans().dry_run();
/// let PruneReport { removed, failed, .. } = engine.prune(&options)?;
/// for Pruned { name, reason, .. } in &removed {
///     let flag = if *reason == PruneReason::Orphaned { "!" } else { "" };
///     println!("{name} would go: {}{flag}", reason.as_str());
/// }
/// for (name, error) in &failed {
///     eprintln!("{name}: {error}");
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PruneReport {
    /// What was removed, or would be; oldest first.
    pub removed: Vec<Pruned>,
    /// What could not be removed, and why.
    pub failed: Vec<(String, Error)>,
}

impl Engine {
    /// Removes sandboxes that are not needed any more, each with its instance.
    ///
    /// One that cannot be removed does not keep the others from it. One that somebody starts
    /// meanwhile stays.
    ///
    /// Engine endpoints: `GET /containers/json`, `DELETE /containers/{id}`.
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] and the errors of the connection, if the list cannot be had.
    pub fn prune(&self, options: &PruneOptions) -> Result<PruneReport> {
        let mut report = PruneReport::default();
        for summary in managed(self, options.project.as_deref())? {
            let Some(reason) = options.verdict(&summary) else {
                continue;
            };
            let removed = match options.dry_run {
                true => Ok(()),
                false => remove_pruned(self, &summary, reason),
            };
            match removed {
                Ok(()) => report.removed.push(Pruned {
                    project: summary.label(labels::PROJECT).map(str::to_owned),
                    name: summary.name,
                    id: summary.id,
                    reason,
                }),
                Err(error) => report.failed.push((summary.name, error)),
            }
        }
        Ok(report)
    }
}

/// The sandboxes of one project, or all, oldest first. An engine that does not heed a filter
/// changes nothing.
pub(crate) fn managed(engine: &Engine, project: Option<&str>) -> Result<Vec<ContainerSummary>> {
    let mut wanted = vec![format!("{}=true", labels::MANAGED)];
    wanted.extend(project.map(|project| format!("{}={project}", labels::PROJECT)));
    let mut found = containers::list(engine.client(), &wanted)?;
    found.retain(|summary| {
        summary.label(labels::MANAGED) == Some("true")
            && project.is_none_or(|project| summary.label(labels::PROJECT) == Some(project))
    });
    ContainerSummary::sort_by_age(&mut found);
    Ok(found)
}

/// What can be said about the process that guards a sandbox; `None` if none does.
pub(crate) fn owner_life(summary: &ContainerSummary) -> Option<Life> {
    let owner = summary.label(labels::OWNER)?;
    // What cannot be read cannot be called dead.
    Some(ProcessIdentity::parse(owner).map_or(Life::Unknown, |owner| owner.life()))
}

fn remove_pruned(engine: &Engine, summary: &ContainerSummary, reason: PruneReason) -> Result<()> {
    let client = engine.client();
    let container = match engine.find(&summary.id) {
        Err(Error::ContainerNotFound { .. }) => return Ok(()),
        other => other?,
    };
    let instance = Instance::owned_by(&container);
    match reason {
        PruneReason::Orphaned => remove(client, &summary.id)?,
        // Without force the engine keeps what runs by now.
        _ => match containers::remove(client, &summary.id, summary.state == "dead") {
            Ok(()) | Err(Error::ContainerNotFound { .. }) => {}
            Err(error) => return Err(error),
        },
    }
    instance.map_or(Ok(()), |instance| instance.remove())
}

/// As [`Engine::prune`], on the engine that is detected.
///
/// ```no_run
/// use pocketdock_core::{PruneOptions, prune};
///
/// for sandbox in prune(&PruneOptions::new().orphans())?.removed {
///     println!("{} was {}", sandbox.name, sandbox.reason.as_str());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Engine::detect`] and [`Engine::prune`].
pub fn prune(options: &PruneOptions) -> Result<PruneReport> {
    Engine::detect()?.prune(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(state: &str, labels: &[(&str, &str)]) -> ContainerSummary {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ContainerSummary {
            id: "1".to_owned(),
            name: "box".to_owned(),
            image: String::new(),
            state: state.to_owned(),
            created_s: 0,
            labels: labels.iter().map(pair).collect(),
        }
    }

    #[test]
    fn verdicts() {
        let own = ProcessIdentity::own().unwrap();
        let alive = own.to_string();
        let dead = ProcessIdentity {
            start_ticks: own.start_ticks + 1,
            ..own.clone()
        };
        let dead = dead.to_string();
        let elsewhere = ProcessIdentity {
            boot_id: "other".to_owned(),
            ..own
        };
        let elsewhere = elsewhere.to_string();
        let plain = PruneOptions::new();
        let orphans = PruneOptions::new().orphans();
        let persistent = PruneOptions::new().persistent();
        let all = PruneOptions::new().persistent().orphans();
        let owned = |owner: &str| vec![(labels::OWNER.to_owned(), owner.to_owned())];
        let kept = vec![(labels::PERSIST.to_owned(), "true".to_owned())];
        let none = Vec::new();
        use PruneReason::{Orphaned, Stopped, StoppedPersistent};
        #[rustfmt::skip] // one case per line
        let cases = [
            ("stopped, kept",       "exited",     &none,              &plain,      Some(Stopped)),
            ("dead",                "dead",       &none,              &plain,      Some(Stopped)),
            ("running, kept",       "running",    &none,              &all,        None),
            ("paused",              "paused",     &owned(&dead),      &all,        None),
            ("created",             "created",    &owned(&dead),      &all,        None),
            ("restarting",          "restarting", &owned(&dead),      &all,        None),
            ("stopped, persistent", "exited",     &kept,              &orphans,    None),
            ("the same, asked for", "exited",     &kept,              &persistent, Some(StoppedPersistent)),
            ("running, persistent", "running",    &kept,              &all,        None),
            ("owner lives",         "running",    &owned(&alive),     &all,        None),
            ("stopped, owner lives","exited",     &owned(&alive),     &all,        None),
            ("owner dead",          "running",    &owned(&dead),      &orphans,    Some(Orphaned)),
            ("the same, unasked",   "running",    &owned(&dead),      &plain,      None),
            ("stopped, owner dead", "exited",     &owned(&dead),      &plain,      Some(Stopped)),
            ("owner elsewhere",     "running",    &owned(&elsewhere), &all,        None),
            ("owner unreadable",    "running",    &owned("x"),        &all,        None),
        ];
        for (name, state, given, options, want) in cases {
            let given: Vec<_> = given
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            assert_eq!(options.verdict(&summary(state, &given)), want, "{name}");
        }
    }
}
