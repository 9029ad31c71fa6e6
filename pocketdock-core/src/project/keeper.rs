//! [`Keeper`]: records the commands of one sandbox in its instance.
//!
//! The one inversion of the layers: commands are run above, where nothing is known of projects, and
//! reported to whoever implements [`Recorder`]. A command never fails because of its record; the
//! first failure is kept for whoever asks.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::container::output::StreamKind;
use crate::container::record::{Record, RecordKind, Recorder};
use crate::container::result::ExecResult;
use crate::error::{Error, Result};
use crate::host::Environment;
use crate::project::config::Config;
use crate::project::description::Description;
use crate::project::instance::Instance;
use crate::project::place::Place;
use crate::project::recording::Recording;

/// How much is kept.
#[derive(Debug, Clone)]
struct Policy {
    /// Whether commands are recorded at all.
    auto_log: bool,
    /// How large a log may become, in bytes.
    log_len_max: u64,
    /// How many logs an instance may have; `None` is no limit.
    log_count_max: Option<u64>,
    /// How long a log is kept; `None` is for ever.
    retention: Option<Duration>,
}

impl Policy {
    /// What these settings say.
    fn of(config: &Config) -> Self {
        let days = config.retention_days();
        Policy {
            auto_log: config.auto_log(),
            log_len_max: config.max_log_size().unwrap_or(u64::MAX),
            log_count_max: config.max_logs_per_instance(),
            retention: days.map(|days| Duration::from_secs(days.saturating_mul(86_400))),
        }
    }
}

/// Records the commands of one sandbox.
#[derive(Debug)]
pub(crate) struct Keeper {
    instance: Instance,
    policy: Policy,
    failure: Arc<Failure>,
}

/// The first failure that nobody has asked for yet.
#[derive(Debug, Default)]
struct Failure(Mutex<Option<Error>>);

impl Failure {
    fn note<T>(&self, outcome: Result<T>) -> Option<T> {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.map_err(|error| first.get_or_insert(error)).ok()
    }

    fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Keeper {
    /// Records as the settings of the instance's own project say. If they cannot be read, that is
    /// the first failure, and the defaults hold.
    pub(crate) fn new(instance: Instance, environment: &Environment) -> Self {
        let failure = Failure::default();
        let root = instance.dir().parent().and_then(Place::root_of);
        let config = failure.note(Config::of(root.map(Path::to_owned), environment));
        Keeper {
            instance,
            policy: Policy::of(&config.unwrap_or_default()),
            failure: Arc::new(failure),
        }
    }

    fn describe_anew(&self, id: &str, image: &str) -> Result<()> {
        let Some(description) = self.instance.description()? else {
            return Ok(()); // Somebody has removed it meanwhile.
        };
        let description = Description {
            id: id.to_owned(),
            image: image.to_owned(),
            ..description
        };
        description.write(self.instance.dir())
    }
}

impl Keeper {
    /// Removes what is too old of sandboxes that are gone in good order.
    pub(crate) fn sweep(&self) {
        let swept = self.instance.sweep(self.policy.retention);
        self.failure.note(swept);
    }
}

impl Recorder for Keeper {
    fn begin(&self, kind: RecordKind, command: &[String]) -> Option<Box<dyn Record>> {
        let Policy {
            auto_log,
            log_len_max,
            log_count_max,
            retention,
        } = self.policy;
        if !auto_log {
            return None;
        }
        if !self.instance.exists() {
            let gone = std::io::ErrorKind::NotFound.into();
            let dir = self.instance.dir().display();
            self.failure
                .note::<()>(Err(Error::io(format!("record in '{dir}'"), gone)));
            return None;
        }
        // A damaged one records as well as any other, and is the doctor's.
        let description = self.instance.description().ok().flatten();
        let recording = self
            .instance
            .begin(description.as_ref(), kind, command, log_len_max);
        let recording = self.failure.note(recording)?;
        let retained = self.instance.retain(log_count_max, retention);
        self.failure.note(retained);
        Some(Box::new(Kept {
            recording,
            failure: Arc::clone(&self.failure),
        }))
    }

    fn replaced(&self, id: &str, image: &str) {
        self.failure.note(self.describe_anew(id, image));
    }

    fn removed(&self, id: &str) -> Result<()> {
        // Another one may have been made by this name since, with a container of its own.
        match self.instance.description()? {
            Some(description) if description.id != id => Ok(()),
            _ => self.instance.remove(),
        }
    }

    fn take_failure(&self) -> Option<Error> {
        self.failure.take()
    }
}

/// Stands for an instance that is not where it should be: nothing is recorded, which is a failure.
#[derive(Debug)]
pub(crate) struct Lost {
    path: PathBuf,
    failure: Failure,
}

impl Lost {
    pub(crate) fn new(path: &Path) -> Self {
        Lost {
            path: path.to_owned(),
            failure: Failure::default(),
        }
    }
}

impl Recorder for Lost {
    fn begin(&self, _: RecordKind, _: &[String]) -> Option<Box<dyn Record>> {
        let path = self.path.clone();
        self.failure.note(Err(match Description::read(&path) {
            Err(error) => error,
            Ok(None) => Error::PathNotFound { path },
            Ok(Some(_)) => Error::Config {
                path,
                line: 0,
                message: "it is the instance of another container".to_owned(),
            },
        }))
    }

    fn replaced(&self, _: &str, _: &str) {}

    fn removed(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn take_failure(&self) -> Option<Error> {
        self.failure.take()
    }
}

/// The record of one command.
#[derive(Debug)]
struct Kept {
    recording: Recording,
    failure: Arc<Failure>,
}

impl Record for Kept {
    fn started(&mut self, id: &str) {
        self.failure.note(self.recording.started(id));
    }

    fn add(&mut self, stream: StreamKind, output: &[u8]) {
        self.failure.note(self.recording.add(stream, output));
    }

    fn note(&mut self, text: &str) {
        self.failure.note(self.recording.note(text));
    }

    fn note_end(&mut self, text: &str) {
        self.failure.note(self.recording.note_end(text));
    }

    fn finish(self: Box<Self>, result: &ExecResult) {
        self.failure.note(self.recording.finish(result));
    }

    fn discard(self: Box<Self>) {
        self.recording.discard();
    }
}
