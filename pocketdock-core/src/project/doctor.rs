//! What is wrong with the engine, the sandboxes and their instances, and putting it right.
//!
//! ```text
//! orphaned container   its owner is dead               removed
//! left by a reboot     the client died half-way        removed, or given its name back
//! unfinished instance  its maker died                  removed, with the container if there is one
//! missing instance     a kept container has none       made again, without its history
//! stale instance       its container is gone           removed
//! another engine       its engine has lost its socket  left alone
//! mismatch             it names another container      the description is written anew
//! ```
//!
//! Descriptions are read before the containers are listed: whatever is made meanwhile has a
//! container by then, or a maker that lives. What cannot be told for sure is left alone.

mod report;
mod ward;

use std::path::Path;

use crate::container::handle::remove;
use crate::container::profile::list_profiles;
use crate::container::{labels, plan};
use crate::engine::types::ContainerSummary;
use crate::engine::{Engine, containers, system};
use crate::error::{Error, Result};
use crate::host::{Environment, Life, ProcessIdentity};
use crate::project::config::Config;
use crate::project::description::Description;
use crate::project::identity;
use crate::project::instance::Instance;
use crate::project::place::Place;
use crate::project::private;
use crate::project::prune::{managed, owner_life};
use crate::wire::value::Value;
use ward::{Leftover, Ward, describe, destroy};

pub use report::{DoctorReport, EngineReport, Problem};

/// The oldest version of the API that is known to do.
const API_VERSION_MIN: (u64, u64) = (1, 41);

impl Engine {
    /// Looks at this engine, at its sandboxes, and at the instances of the project with this root
    /// or, without one, of those outside any project. Changes nothing.
    #[must_use]
    pub fn doctor(&self, root: Option<&Path>) -> DoctorReport {
        examine(Ok(self), root, false)
    }

    /// As [`doctor`](Self::doctor), and puts right what can be.
    #[must_use]
    pub fn repair(&self, root: Option<&Path>) -> DoctorReport {
        examine(Ok(self), root, true)
    }
}

/// As [`Engine::doctor`], on the engine that is detected; that none is found is a problem in the
/// report.
///
/// ```no_run
/// for problem in pocketdock_core::doctor(None).problems {
///     println!("{}: {}", problem.code, problem.message);
/// }
/// ```
#[must_use]
pub fn doctor(root: Option<&Path>) -> DoctorReport {
    examine(Engine::detect().as_ref(), root, false)
}

/// As [`doctor()`], and puts right what can be.
///
/// ```no_run
/// let report = pocketdock_core::repair(None);
/// let (fixed, left): (Vec<_>, Vec<_>) = report.problems.iter().partition(|it| it.fixed);
/// println!("{} put right, {} left", fixed.len(), left.len());
/// ```
#[must_use]
pub fn repair(root: Option<&Path>) -> DoctorReport {
    examine(Engine::detect().as_ref(), root, true)
}

/// As [`Engine::doctor`] of an engine that may not have been found.
///
/// ```no_run
/// use pocketdock_core::Engine;
/// use pocketdock_core::project::doctor::examine;
///
/// let engine = Engine::detect();
/// let report = examine(engine.as_ref(), None, false); // Without an engine, too.
/// assert!(engine.is_ok() || !report.healthy());
/// ```
#[must_use]
pub fn examine(
    engine: std::result::Result<&Engine, &Error>,
    root: Option<&Path>,
    fix: bool,
) -> DoctorReport {
    let environment = match engine {
        Ok(engine) => engine.environment().clone(),
        Err(_) => Environment::read(),
    };
    let mut doctor = Doctor {
        fix,
        report: DoctorReport::default(),
    };
    let config = match root {
        Some(root) => Config::of(Some(root.to_owned()), &environment),
        None => Config::load(&environment),
    };
    match &config {
        Ok(config) => {
            let warnings = config.warnings().iter().map(ToString::to_string);
            doctor.report.notes.extend(warnings);
        }
        Err(error) => doctor.report_error(error.code(), error, Some("correct the file")),
    }
    let place = match root {
        Some(root) => Ok(Place::in_project(root)),
        None => Place::outside(&environment),
    };
    match &place {
        Ok(place) => doctor.look_at(place, engine),
        Err(error) => doctor.report_error("no_state_directory", error, None),
    }
    doctor.report
}

struct Doctor {
    fix: bool,
    report: DoctorReport,
}

impl Doctor {
    fn look_at(&mut self, place: &Place, engine: std::result::Result<&Engine, &Error>) {
        let instances = self.described(place);
        self.left_aside(place);
        let engine = match engine {
            Ok(engine) => engine,
            Err(error) => {
                self.report_error(error.code(), error, Some(engine_hint(error)));
                let damaged = instances.iter().filter(|(_, it)| it.is_none());
                for (instance, _) in damaged {
                    self.damaged(None, instance);
                }
                return;
            }
        };
        let identity = self.engine(engine);
        if let Err(error) = self.look_at_containers(engine, identity, place, &instances) {
            self.report_error(error.code(), &error, None);
        }
        self.images(engine);
    }

    fn look_at_containers(
        &mut self,
        engine: &Engine,
        identity: Option<String>,
        place: &Place,
        instances: &[(Instance, Option<Description>)],
    ) -> Result<()> {
        let all = managed(engine, None)?;
        let mut ward = Ward {
            engine,
            identity,
            all,
        };
        self.orphans(&mut ward);
        let mut unsettled = self.leftovers(&mut ward);
        // Names have changed, and what they stand for; and other clients go on.
        ward.all = managed(engine, None)?;
        for summary in ward.take(|summary| Leftover::of(summary).is_some()) {
            unsettled.extend(Leftover::of(&summary).map(|it| it.name.to_owned()));
        }
        let settled = instances.iter();
        let settled =
            settled.filter(|(instance, _)| !unsettled.iter().any(|it| it == instance.name()));
        self.instances(&ward, settled);
        self.missing(&ward, place);
        Ok(())
    }

    fn problem(&mut self, code: &'static str, message: String, hint: Option<&str>, fixed: bool) {
        self.report.problems.push(Problem {
            code,
            message,
            hint: hint.filter(|_| !fixed).map(str::to_owned),
            fixed,
        });
    }

    fn report_error(&mut self, code: &'static str, error: &Error, hint: Option<&str>) {
        self.problem(code, error.to_string(), hint, false);
    }

    /// Puts something right if that is wanted; a failure becomes part of the message.
    fn treat(
        &mut self,
        code: &'static str,
        message: String,
        cure: impl FnOnce() -> Result<()>,
    ) -> bool {
        let outcome = self.fix.then(cure);
        let (message, fixed) = match &outcome {
            Some(Err(error)) => (format!("{message}; {error}"), false),
            other => (message, other.is_some()),
        };
        let hint = "'pocketdock doctor --fix' puts it right";
        self.problem(
            code,
            message,
            Some(hint).filter(|_| outcome.is_none()),
            fixed,
        );
        fixed
    }

    /// Reports the engine; what tells it from others.
    fn engine(&mut self, engine: &Engine) -> Option<String> {
        let api_version = engine.api_version();
        if api_version < API_VERSION_MIN {
            let (major, minor) = api_version;
            let message = format!("the engine speaks API {major}.{minor} only");
            let hint = "Docker 20.10 and Podman 4.3 speak 1.41, which is needed";
            self.problem("old_engine", message, Some(hint), false);
        }
        let info = system::info(engine.client()).unwrap_or_else(|error| {
            self.report_error(error.code(), &error, None);
            Value::Null
        });
        self.report.engine = Some(EngineReport {
            kind: engine.kind(),
            version: engine.version().to_owned(),
            api_version,
            socket: engine.socket_path().to_owned(),
            rootless: rootless(&info),
        });
        identity::in_info(engine.kind(), &info)
    }

    fn images(&mut self, engine: &Engine) {
        let mut names = Vec::new();
        for profile in list_profiles() {
            match engine.image_exists(profile.image_tag) {
                Ok(true) => {}
                Ok(false) => names.push(profile.name),
                // The others would only say it again.
                Err(error) => return self.report_error(error.code(), &error, None),
            }
        }
        if !names.is_empty() {
            let names = names.join(", ");
            let note = format!("not built: {names}; 'pocketdock build NAME' builds one");
            self.report.notes.push(note);
        }
    }

    /// What clients that died have left half-made or half-removed in a place.
    fn left_aside(&mut self, place: &Place) {
        // That the place cannot be read has been said.
        for dir in private::left_aside(&place.instances).unwrap_or_default() {
            let message = format!("'{}' was never finished", dir.display());
            self.report.stale_instance_dirs.push(dir.clone());
            self.treat("unfinished_instance", message, || {
                Instance::remove_aside(&dir)
            });
        }
    }

    /// The instances in a place with what they say of themselves.
    fn described(&mut self, place: &Place) -> Vec<(Instance, Option<Description>)> {
        let instances = match Instance::all_within(place) {
            Ok(instances) => instances,
            Err(error) => {
                let hint = "give yourself the right to read, write and search it";
                self.report_error("unreadable_instances", &error, Some(hint));
                return Vec::new();
            }
        };
        let mut described = Vec::new();
        for instance in instances {
            match instance.description() {
                Ok(Some(description)) => described.push((instance, Some(description))),
                Ok(None) => {} // It has just gone.
                Err(Error::Io { doing, source }) => {
                    let error = Error::Io { doing, source };
                    self.report_error("unreadable_instance", &error, None);
                }
                Err(_) => described.push((instance, None)),
            }
        }
        described
    }

    /// Containers whose owner is dead, in whatever state.
    fn orphans(&mut self, ward: &mut Ward<'_>) {
        let is_orphan = |summary: &ContainerSummary| owner_life(summary) == Some(Life::Dead);
        for summary in ward.take(is_orphan) {
            // Whoever has come to an end in good order has removed it before.
            if is_gone(ward.engine, &summary) {
                continue;
            }
            let message = format!(
                "'{}' is {} and the process that looked after it is dead",
                summary.name, summary.state
            );
            self.report.orphaned_containers.push(summary.name.clone());
            let engine = ward.engine;
            self.treat("orphaned_container", message, || destroy(engine, &summary));
        }
    }

    /// What a client that died has left of a reboot; the names of the sandboxes that are still
    /// being rebooted, or half so.
    fn leftovers(&mut self, ward: &mut Ward<'_>) -> Vec<String> {
        let mut unsettled = Vec::new();
        for summary in ward.take(|summary| Leftover::of(summary).is_some()) {
            let Some(leftover) = Leftover::of(&summary) else {
                continue;
            };
            let name = leftover.name;
            // A client that has come to its end since the list was made is no dead one.
            if leftover.is_in_use || !leftover.is_still(ward.engine, &summary) {
                unsettled.push(name.to_owned());
                continue;
            }
            let message = format!("'{}' is left of a reboot of '{name}'", summary.name);
            self.report.orphaned_containers.push(summary.name.clone());
            let engine = ward.engine;
            if !self.treat("half_rebooted", message, || {
                leftover.clear(engine, &summary)
            }) {
                unsettled.push(name.to_owned());
            }
        }
        unsettled
    }

    fn instances<'a>(
        &mut self,
        ward: &Ward<'_>,
        instances: impl Iterator<Item = &'a (Instance, Option<Description>)>,
    ) {
        for (instance, description) in instances {
            match description {
                Some(description) => self.instance(ward, instance, description),
                None => self.damaged(Some(ward), instance),
            }
        }
    }

    fn instance(&mut self, ward: &Ward<'_>, instance: &Instance, description: &Description) {
        let dir = instance.dir();
        let found = ward.all.iter().find(|it| it.id == description.id);
        let own = ward.identity.as_deref();
        if found.is_none() && !identity::is_of(description, ward.engine, own) {
            return self.elsewhere(ward, instance, description);
        }
        match description.maker.as_ref().map(ProcessIdentity::life) {
            Some(Life::Alive | Life::Unknown) => return,
            // Whoever has finished since has written that down before coming to an end.
            Some(Life::Dead) if is_still(instance, description) => {
                return self.unfinished(ward, instance);
            }
            Some(Life::Dead) => return,
            None if description.kept => {}
            None => return, // Logs of a one-shot command outlive it.
        }
        match (found, ward.of_dir(dir)) {
            (Some(found), _) if found.name == instance.name() => {}
            (Some(found), _) => {
                let message = format!(
                    "the sandbox of '{}' is called '{}'",
                    dir.display(),
                    found.name
                );
                self.report.mismatches.push(found.name.clone());
                let (engine, name) = (ward.engine, instance.name());
                self.treat("renamed", message, || {
                    containers::rename(engine.client(), &found.id, name)
                });
            }
            (None, Some(successor)) => {
                let message = format!("'{}' names another container", dir.display());
                self.report.mismatches.push(successor.name.clone());
                self.treat("mismatch", message, || describe(ward, successor, dir));
            }
            (None, None) => {
                let message = format!("the sandbox of '{}' is gone", dir.display());
                self.report.stale_instance_dirs.push(dir.to_owned());
                self.treat("stale_instance", message, || {
                    match is_still(instance, description) {
                        true => instance.remove(),
                        false => Ok(()), // Somebody makes a sandbox of this name again.
                    }
                });
            }
        }
    }

    /// An instance of another engine, which cannot be asked. That its socket has gone over to this
    /// one is a trouble; that there are several engines is none.
    fn elsewhere(&mut self, ward: &Ward<'_>, instance: &Instance, description: &Description) {
        let (dir, socket) = (instance.dir().display(), ward.engine.socket_path());
        let is_lost = identity::is_same_socket(&description.socket, socket);
        if description.kept && is_lost && ward.identity.is_some() {
            let message = format!(
                "the sandbox of '{dir}' is on another engine, which '{}' does not lead to any more",
                socket.display()
            );
            let hint = "let that path lead to its engine again; if that is gone for good, remove \
                        the directory by hand";
            self.problem("another_engine", message, Some(hint), false);
        }
    }

    /// An instance whose maker died before its container was ready.
    fn unfinished(&mut self, ward: &Ward<'_>, instance: &Instance) {
        let dir = instance.dir();
        let message = format!("'{}' was never finished", dir.display());
        self.report.stale_instance_dirs.push(dir.to_owned());
        let container = ward.of_dir(dir);
        self.report
            .orphaned_containers
            .extend(container.map(|it| it.name.clone()));
        self.treat("unfinished_instance", message, || {
            if let Some(container) = container {
                remove(ward.engine.client(), &container.id)?;
            }
            instance.remove()
        });
    }

    /// An instance with a description that cannot be read: its container may say what it is.
    fn damaged(&mut self, ward: Option<&Ward<'_>>, instance: &Instance) {
        let dir = instance.dir();
        let name = instance.name();
        let message = format!("the description in '{}' is damaged", dir.display());
        self.report.mismatches.push(name.to_owned());
        let own = ward.and_then(|ward| Some((ward, ward.of_dir(dir)?)));
        match own {
            Some((ward, summary)) => {
                self.treat("damaged_instance", message, || describe(ward, summary, dir));
            }
            None if ward.is_none() => self.problem("damaged_instance", message, None, false),
            None => {
                let hint = "no sandbox says that it is its own; remove the directory by hand";
                self.problem("damaged_instance", message, Some(hint), false);
            }
        }
    }

    /// Kept containers whose instance should be in this place and is not.
    fn missing(&mut self, ward: &Ward<'_>, place: &Place) {
        for summary in &ward.all {
            let Some(dir) = summary.label(labels::DATA_PATH).map(Path::new) else {
                continue;
            };
            let is_here = dir.parent() == Some(&place.instances)
                && dir
                    .file_name()
                    .is_some_and(|name| name == summary.name.as_str())
                && plan::checked_name(&summary.name).is_ok();
            let is_there = Instance::at(dir.to_owned(), &summary.name).exists();
            // It may have been unfinished, and removed just now.
            if !is_here || is_there || is_gone(ward.engine, summary) {
                continue;
            }
            let message = format!(
                "'{}' has lost its directory '{}'",
                summary.name,
                dir.display()
            );
            self.report.orphaned_containers.push(summary.name.clone());
            self.treat("missing_instance", message, || describe(ward, summary, dir));
        }
    }
}

/// Whether an instance still says what it said when it was read.
fn is_still(instance: &Instance, description: &Description) -> bool {
    instance
        .description()
        .is_ok_and(|now| now.as_ref() == Some(description))
}

fn is_gone(engine: &Engine, summary: &ContainerSummary) -> bool {
    let found = containers::inspect(engine.client(), &summary.id);
    matches!(found, Err(Error::ContainerNotFound { .. }))
}

/// What to do about an engine that cannot be reached.
fn engine_hint(error: &Error) -> &'static str {
    match error {
        Error::SocketConnection { reason, .. } if reason.contains("denied") => {
            "use an engine of your own (rootless Podman), or join the group that owns the socket"
        }
        _ => "start Docker or Podman, or name its socket with POCKETDOCK_SOCKET",
    }
}

/// Whether an engine says that it runs without root's rights: Docker among its security options,
/// Podman, which 4.3 leaves it out of there, by a field.
fn rootless(info: &Value) -> Option<bool> {
    if let Some(rootless) = info.bool_at(&["Rootless"]) {
        return Some(rootless);
    }
    let options = info.array_at(&["SecurityOptions"])?;
    let said = options.iter().filter_map(Value::as_str);
    Some(said.into_iter().any(|option| option.contains("rootless")))
}
