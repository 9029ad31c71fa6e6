//! The instance of a sandbox: its directory on the host, with its history and its logs.
//!
//! ```text
//! .pocketdock/instances/NAME/   in a project; outside any
//!                               $XDG_STATE_HOME/pocketdock/instances/NAME/
//!   instance.json               what it is the instance of
//!   history.jsonl               one line for each command that was recorded
//!   logs/run-TIME.log           the output of one command, see `log`
//!   logs/run-TIME.running       while it is being recorded, see `recording`
//!   data/                       for whatever is to be kept with the sandbox
//! ```
//!
//! Directories have mode 0700 and files 0600: commands and output may hold secrets. A sandbox that
//! is kept or persistent gets its instance before it is made, one that is guarded only if its
//! output has to be somewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::container::handle::Container;
use crate::container::plan::checked_name;
use crate::container::record::RecordKind;
use crate::error::{Error, Result};
use crate::host::{self, Environment};
use crate::project::description::{self, Description};
use crate::project::history::{self, HistoryEntry};
use crate::project::identity;
use crate::project::place::{INSTANCES, Place};
use crate::project::private;
use crate::project::recording::{self, Recording};

/// How often a directory is removed that others still write to.
const REMOVE_ATTEMPTS_MAX: u32 = 10;

/// How often a recorder tries to begin in a directory that others remove.
const BEGIN_ATTEMPTS_MAX: u32 = 3;

/// The directory of one sandbox.
///
/// ```no_run
/// use pocketdock_core::Instance;
///
/// for instance in Instance::all()? {
///     for entry in instance.history()? {
///         println!("{} {:?} {:?}", entry.time, entry.command, entry.exit_code);
///     }
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    dir: PathBuf,
    name: String,
}

impl Instance {
    /// The instance of a sandbox, which may not exist yet: its own, or where its logs would be.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if neither a project nor `XDG_STATE_HOME` nor `HOME` says where
    /// it would be.
    pub fn of(container: &Container) -> Result<Self> {
        if let Some(own) = Self::owned_by(container) {
            return Ok(own);
        }
        Self::within(
            &Place::here(container.engine().environment())?,
            container.name(),
        )
    }

    /// The instance of this name in this directory's project or outside any, which may not exist
    /// (any more).
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use pocketdock_core::Instance;
    ///
    /// let instance = Instance::named("box")?;
    /// if instance.exists() {
    ///     println!("{} bytes in '{}'", instance.disk_len()?, instance.dir().display());
    ///     instance.retain(Some(100), Some(Duration::from_secs(30 * 86_400)))?;
    ///     for log in instance.logs()?.iter().filter(|log| !instance.is_recording(log)) {
    ///         println!("{}", instance.log_path(log)?.display());
    ///     }
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of), and [`Error::InvalidArgument`] for what cannot be a name.
    pub fn named(name: &str) -> Result<Self> {
        Self::found(&Environment::read(), name)
    }

    /// The same in this environment.
    pub(crate) fn found(environment: &Environment, name: &str) -> Result<Self> {
        let here = Self::within(&Place::here(environment)?, name)?;
        match here.exists() {
            true => Ok(here),
            false => Self::within(&Place::outside(environment)?, name),
        }
    }

    /// Every instance in this directory's project, or of those outside any, by name.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of), and [`Error::Io`] if the directory is there and cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        Self::all_within(&Place::here(&Environment::read())?)
    }

    /// Every instance in the project with this root.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use pocketdock_core::Instance;
    ///
    /// for instance in Instance::all_in(Path::new("/src/app"))? {
    ///     if instance.description()?.is_some_and(|it| !it.kept) {
    ///         instance.remove()?; // Only logs, of a sandbox that is not meant to stay.
    ///     }
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the directory is there and cannot be read.
    pub fn all_in(root: &Path) -> Result<Vec<Self>> {
        Self::all_within(&Place::in_project(root))
    }

    /// The instance of this name in a place.
    pub(crate) fn within(place: &Place, name: &str) -> Result<Self> {
        let name = checked_name(name)?;
        Ok(Self::at(place.instances.join(name), name))
    }

    /// Every instance in a place, by name.
    pub(crate) fn all_within(place: &Place) -> Result<Vec<Self>> {
        let names = private::names_in(&place.instances)?;
        let all = names
            .iter()
            .filter_map(|name| Self::within(place, name).ok());
        Ok(all.filter(Self::exists).collect())
    }

    pub(crate) fn at(dir: PathBuf, name: &str) -> Self {
        Instance {
            dir,
            name: name.to_owned(),
        }
    }

    /// The instance that says that it is this container's, where the container's label says, or
    /// in this directory's project, which may have been moved.
    ///
    /// A label may say anything. Only a directory among others of its kind that has our
    /// description of this very container is believed.
    pub(crate) fn owned_by(container: &Container) -> Option<Self> {
        let named = container.data_path().map(Path::to_owned);
        let here = Place::here(container.engine().environment()).ok();
        let here = here.map(|place| place.instances.join(container.name()));
        let is_own = |dir: &PathBuf| {
            is_instance_dir(dir)
                && Description::read(dir)
                    .is_ok_and(|found| found.is_some_and(|it| it.id == container.container_id()))
        };
        let dir = named.filter(is_own).or_else(|| here.filter(is_own))?;
        let name = dir.file_name()?.to_str()?.to_owned();
        Some(Instance { dir, name })
    }

    /// The name of its sandbox.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it is there: a directory, no link to one, with our description in it.
    #[must_use]
    pub fn exists(&self) -> bool {
        is_instance_dir(&self.dir) && self.dir.join(description::FILE).is_file()
    }

    /// What it is the instance of; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the description cannot be read, [`Error::Config`] if it is damaged.
    pub fn description(&self) -> Result<Option<Description>> {
        Description::read(&self.dir)
    }

    /// How many bytes its files take.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a directory of it cannot be read.
    pub fn disk_len(&self) -> Result<u64> {
        len_of(&self.dir)
    }

    /// Removes the directory with all logs. One that is not there, or is not ours, is left alone
    /// and no error.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        // The description goes last: what is left of a removal that fails is still ours.
        for name in private::names_in(&self.dir)? {
            if name != description::FILE {
                remove_tree(&self.dir.join(name))?;
            }
        }
        match private::move_aside(&self.dir) {
            Err(_) if !self.exists() => Ok(()), // Another client was faster.
            moved => remove_tree(&moved?),
        }
    }

    /// Removes what a client that died has left half-made or half-removed beside instances.
    pub(crate) fn remove_aside(dir: &Path) -> Result<()> {
        remove_tree(dir)
    }

    /// Prepares to record a command that is about to be started, so that a log that cannot be
    /// written is known before.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be written; [`Error::AnotherEngine`] if this is the instance
    /// of a sandbox there.
    pub fn record(
        &self,
        container: &Container,
        kind: RecordKind,
        command: &[String],
        log_len_max: u64,
    ) -> Result<Recording> {
        let own = match self.description()? {
            Some(known) if known.id == container.container_id() => known,
            known => {
                if let Some(known) = known {
                    identity::refuse_another(container.engine(), known)?;
                }
                let own = Description::of(container, false);
                private::create_dir(&self.dir)?;
                own.write(&self.dir)?;
                own
            }
        };
        self.begin(Some(&own), kind, command, log_len_max)
    }

    /// Begins to record in an instance with this description, which a sweep may just be removing:
    /// that sees the mark, or we see that the description is gone. What was to stay and is gone was
    /// removed by somebody who meant it.
    pub(crate) fn begin(
        &self,
        description: Option<&Description>,
        kind: RecordKind,
        command: &[String],
        log_len_max: u64,
    ) -> Result<Recording> {
        let (logs, history) = (self.logs_dir(), self.history_path());
        let mut attempts_left = BEGIN_ATTEMPTS_MAX;
        loop {
            attempts_left -= 1;
            let recording = private::create_dir(&logs)
                .and_then(|()| Recording::begin(&logs, &history, kind, command, log_len_max));
            let lost = description.filter(|it| attempts_left != 0 && !it.kept && !self.exists());
            let Some(description) = lost else {
                return recording;
            };
            if let Ok(recording) = recording {
                recording.discard();
            }
            description.create(&self.dir)?;
        }
    }

    /// Removes logs of commands that have ended: those older than `age_max`, and the oldest of
    /// those beyond `count_max`. Their lines in the history stay.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a log cannot be removed.
    pub fn retain(&self, count_max: Option<u64>, age_max: Option<Duration>) -> Result<()> {
        let count_max = count_max.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        recording::retain(&self.logs_dir(), count_max, age_max)
    }

    /// Removes the instances beside this one that only hold logs, if they and all their logs are
    /// older than `age_max`: what commands in the background have left whose sandbox was for them
    /// alone.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use std::time::Duration;
    /// use pocketdock_core::Instance;
    ///
    /// Instance::of(&sandbox)?.sweep(Some(Duration::from_secs(7 * 86_400)))?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if one cannot be read or removed.
    pub fn sweep(&self, age_max: Option<Duration>) -> Result<()> {
        let (Some(instances), Some(age_max)) = (self.dir.parent(), age_max) else {
            return Ok(());
        };
        for name in private::names_in(instances)? {
            let other = Self::at(instances.join(&name), &name);
            if other == *self || !other.exists() || !other.only_holds_logs() {
                continue;
            }
            other.retain(None, Some(age_max))?;
            if other.is_expired(age_max) {
                other.remove_expired(age_max)?;
            }
        }
        Ok(())
    }

    /// Whether its sandbox was not to stay.
    fn only_holds_logs(&self) -> bool {
        let description = self.description();
        description.is_ok_and(|it| it.is_some_and(|it| !it.kept))
    }

    /// Whether there are no logs, and no recorder that may be about to create its first one: it
    /// writes the description and then its mark before.
    fn is_expired(&self, age_max: Duration) -> bool {
        let described = fs::metadata(self.dir.join(description::FILE)).and_then(|it| it.modified());
        let is_old = described.is_ok_and(|time| {
            let age = host::now().duration_since(time);
            age.is_ok_and(|age| age_max <= age)
        });
        is_old && matches!(recording::is_used(&self.logs_dir()), Ok(false))
    }

    /// Removes what has expired, unless somebody has begun to use it meanwhile: nobody can any
    /// more once it is out of its place, and what was done before is seen there.
    fn remove_expired(&self, age_max: Duration) -> Result<()> {
        let moved = match private::move_aside(&self.dir) {
            Err(_) if !self.exists() => return Ok(()), // Another client was faster.
            moved => Self::at(moved?, &self.name),
        };
        if moved.only_holds_logs() && moved.is_expired(age_max) {
            return remove_tree(&moved.dir);
        }
        match fs::rename(&moved.dir, &self.dir) {
            Ok(()) => Ok(()),
            Err(_) => remove_tree(&moved.dir), // They have made it anew.
        }
    }

    pub(crate) fn logs_dir(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub(crate) fn history_path(&self) -> PathBuf {
        self.dir.join("history.jsonl")
    }

    /// What has been recorded and what is [being recorded](Self::is_recording), oldest first. What
    /// is damaged is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the history is there and cannot be read.
    pub fn history(&self) -> Result<Vec<HistoryEntry>> {
        // In this order: a command that ends meanwhile is found in one of them.
        let unfinished = recording::unfinished(&self.logs_dir())?;
        let mut history = history::read(&self.history_path())?;
        for entry in unfinished {
            if !history.iter().any(|it| it.log == entry.log) {
                history.push(entry);
            }
        }
        history.sort_by_cached_key(|entry| entry.time);
        Ok(history)
    }

    /// The path of the log with this name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a name that would lead elsewhere.
    pub fn log_path(&self, log: &str) -> Result<PathBuf> {
        if log.is_empty() || log.contains('/') || log.starts_with('.') {
            return Err(Error::invalid(
                "log",
                log,
                "expected the name of a log file",
            ));
        }
        Ok(self.logs_dir().join(log))
    }

    /// The names of all logs, oldest first; those of commands that still run are among them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the directory is there and cannot be read.
    pub fn logs(&self) -> Result<Vec<String>> {
        recording::logs_in(&self.logs_dir())
    }

    /// Whether the log with this name is still being written, by a process that lives.
    #[must_use]
    pub fn is_recording(&self, log: &str) -> bool {
        recording::is_recording(&self.logs_dir(), log)
    }
}

/// Whether a path is, without any link on the way, a directory in one for instances of ours.
fn is_instance_dir(dir: &Path) -> bool {
    let Ok(canonical) = dir.canonicalize() else {
        return false;
    };
    let is_dir = fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir());
    let above = |n: usize| canonical.ancestors().nth(n).and_then(Path::file_name);
    is_dir && above(0) == dir.file_name() && above(1).is_some_and(|name| name == INSTANCES)
}

fn remove_tree(path: &Path) -> Result<()> {
    let mut attempts_left = REMOVE_ATTEMPTS_MAX;
    loop {
        attempts_left -= 1;
        let is_dir = fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
        let removed = match is_dir {
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        };
        return match removed {
            // A recorder has just added the end of its command.
            Err(error) if is_busy(&error) && 0 < attempts_left => continue,
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove '{}'", path.display()), error))
            }
            _ => Ok(()),
        };
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::DirectoryNotEmpty
}

/// The length of all files in a directory, links not followed.
fn len_of(dir: &Path) -> Result<u64> {
    let mut len: u64 = 0;
    for name in private::names_in(dir)? {
        let path = dir.join(name);
        len += match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => len_of(&path)?,
            Ok(found) => found.len(),
            Err(_) => 0, // It has just gone.
        };
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ProcessIdentity;
    use crate::project::private::Scratch;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn no_name_leads_out_of_the_place() {
        let place = Place::in_project(Path::new("/p"));
        assert!(Instance::within(&place, "../x").is_err());
        let instance = Instance::within(&place, "box").unwrap();
        assert_eq!(instance.dir(), Path::new("/p/.pocketdock/instances/box"));
    }

    #[test]
    fn no_log_leads_out_of_the_directory() {
        let instance = Instance::at("/i/box".into(), "box");
        for log in ["", "../x.log", ".x", "a/b.log"] {
            assert!(instance.log_path(log).is_err(), "{log}");
        }
        assert_eq!(
            instance.log_path("a.log").unwrap(),
            Path::new("/i/box/logs/a.log")
        );
    }

    #[test]
    fn only_what_is_ours_is_removed() {
        let scratch = Scratch::new("remove");
        let place = Place::in_project(scratch.path());
        let dir = place.instances.clone();
        let own = dir.join("own");
        fs::create_dir_all(dir.join("foreign")).unwrap();
        fs::create_dir_all(own.join("logs")).unwrap();
        fs::write(own.join(description::FILE), "{}").unwrap();
        std::os::unix::fs::symlink(&own, dir.join("link")).unwrap();
        for name in ["foreign", "link", "gone"] {
            Instance::within(&place, name).unwrap().remove().unwrap();
        }
        assert!(dir.join("foreign").is_dir() && own.join(description::FILE).is_file());
        assert_eq!(
            Instance::all_within(&place).unwrap(),
            [Instance::within(&place, "own").unwrap()]
        );
        Instance::within(&place, "own").unwrap().remove().unwrap();
        assert!(!own.exists());
    }

    #[test]
    fn several_clients_may_remove_the_same() {
        let scratch = Scratch::new("raced-removal");
        let instance = Instance::within(&Place::in_project(scratch.path()), "box").unwrap();
        for _ in 0..100 {
            private::create_dir(instance.dir()).unwrap();
            fs::write(instance.dir().join(description::FILE), "{}").unwrap();
            let start = Barrier::new(4);
            let remove = || {
                start.wait();
                instance.remove()
            };
            thread::scope(|scope| {
                let all = [(); 4].map(|()| scope.spawn(remove));
                for client in all {
                    client.join().unwrap().unwrap();
                }
            });
            assert!(!instance.dir().exists());
        }
    }

    const DAY: Duration = Duration::from_secs(86_400);

    /// An instance that was described two days ago, with an empty file in `logs/`.
    fn described(place: &Place, name: &str, kept: bool, file: &str) -> Instance {
        let instance = Instance::within(place, name).unwrap();
        private::create_dir(&instance.logs_dir()).unwrap();
        let description = Description {
            name: name.to_owned(),
            id: "x".to_owned(),
            kept,
            ..Description::default()
        };
        description.write(instance.dir()).unwrap();
        set_age(&instance, 2 * DAY);
        fs::write(instance.logs_dir().join(file), "").unwrap();
        instance
    }

    fn set_age(instance: &Instance, age: Duration) {
        let path = instance.dir().join(description::FILE);
        let time = host::now().checked_sub(age).unwrap();
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn what_only_holds_old_logs_is_swept_away() {
        let scratch = Scratch::new("sweep");
        let place = Place::in_project(scratch.path());
        let old = "detach-20200101T000000.000000Z-0000.log";
        let new = "detach-20990101T000000.000000Z-0000.log";
        let own = described(&place, "own", false, new);
        let all = [
            described(&place, "old", false, old),
            described(&place, "new", false, new),
            described(&place, "kept", true, old),
        ];
        own.sweep(None).unwrap();
        assert!(all.iter().all(Instance::exists));
        own.sweep(Some(DAY)).unwrap();
        assert_eq!(all.map(|it| it.exists()), [false, true, true]);
        assert!(own.exists());
    }

    /// Whoever begins to record has written a description first, then a mark, and has no log yet.
    #[test]
    fn no_instance_is_swept_away_under_one_who_begins_to_record() {
        let scratch = Scratch::new("sweep-beginning");
        let place = Place::in_project(scratch.path());
        let stem = "detach-20200101T000000.000000Z-0000";
        let own = described(&place, "own", false, &format!("{stem}.log"));
        let mark = format!("{stem}.running");
        let [young, marked, killed] =
            ["young", "marked", "killed"].map(|name| described(&place, name, false, &mark));
        set_age(&young, Duration::ZERO);
        let recorder = ProcessIdentity::own().unwrap();
        fs::write(marked.logs_dir().join(&mark), format!("{recorder}\n")).unwrap();
        own.sweep(Some(DAY)).unwrap();
        let left = [young, marked, killed].map(|it| it.exists());
        assert_eq!(left, [true, true, false]);
    }

    #[test]
    fn whoever_begins_to_record_while_it_is_swept_away_has_it() {
        let scratch = Scratch::new("sweep-raced");
        let place = Place::in_project(scratch.path());
        let mark = "detach-20200101T000000.000000Z-0000.running";
        let own = described(&place, "own", false, mark);
        for round in 0..100 {
            let old = described(&place, "old", false, mark);
            let description = old.description().unwrap();
            let start = Barrier::new(2);
            let recording = thread::scope(|scope| {
                let sweep = scope.spawn(|| {
                    start.wait();
                    own.sweep(Some(DAY))
                });
                start.wait();
                let kind = RecordKind::Detach;
                let recording = old.begin(description.as_ref(), kind, &["x".to_owned()], 100);
                sweep.join().unwrap().unwrap();
                recording.unwrap()
            });
            let log = recording.log();
            let is_there = old.exists() && old.is_recording(log);
            assert!(
                is_there && old.log_path(log).unwrap().is_file(),
                "round {round}"
            );
            drop(recording);
            old.remove().unwrap();
        }
        assert_eq!(private::names_in(&place.instances).unwrap(), ["own"]);
    }

    /// The same description elsewhere makes nothing ours.
    #[test]
    fn a_directory_that_is_not_among_instances_is_not_one() {
        let scratch = Scratch::new("victim");
        let victim = scratch.path().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join(description::FILE), "{}").unwrap();
        let instance = Instance::at(victim.clone(), "victim");
        assert!(!instance.exists());
        instance.remove().unwrap();
        assert!(victim.join(description::FILE).is_file());
    }

    #[test]
    fn its_length_is_that_of_its_files() {
        let scratch = Scratch::new("length");
        fs::create_dir(scratch.path().join("a")).unwrap();
        fs::write(scratch.path().join("a/b"), [0; 1000]).unwrap();
        fs::write(scratch.path().join("c"), [0; 10]).unwrap();
        std::os::unix::fs::symlink("/", scratch.path().join("a/link")).unwrap();
        assert_eq!(len_of(scratch.path()).unwrap(), 1011);
    }
}
