//! What is kept of the commands of a sandbox: `Recorder`, to which they are reported.
//!
//! `project` keeps records and stands below this layer; it implements these traits and hands itself
//! to the [`Container`](super::handle::Container) that is to be recorded.
//!
//! ```
//! use pocketdock_core::RecordKind;
//!
//! assert_eq!(RecordKind::Detach.as_str(), "detach");
//! assert_eq!(RecordKind::parse("session"), Some(RecordKind::Session));
//! assert_eq!(RecordKind::parse("shell"), None);
//! ```

use std::fmt;
use std::time::Duration;

use crate::container::output::StreamKind;
use crate::container::result::{End, ExecResult};
use crate::error::{Error, Result};

/// What kind of command a log or a history line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A command that was waited for.
    Run,
    /// A session.
    Session,
    /// A command in the background.
    Detach,
}

impl RecordKind {
    /// Its name in files and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Run => "run",
            RecordKind::Session => "session",
            RecordKind::Detach => "detach",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [RecordKind::Run, RecordKind::Session, RecordKind::Detach]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// Keeps what happens to one sandbox. A failure to do so is no failure of a command: it is kept
/// until it is asked for.
pub(crate) trait Recorder: Send + Sync {
    /// A command is about to be started; `None` if it is not to be recorded or cannot be.
    fn begin(&self, kind: RecordKind, command: &[String]) -> Option<Box<dyn Record>>;

    /// Another container has taken the place of the sandbox's.
    fn replaced(&self, id: &str, image: &str);

    /// The sandbox is gone whose container had this ID.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if what was kept cannot be removed.
    fn removed(&self, id: &str) -> Result<()>;

    /// The first failure since this was asked.
    fn take_failure(&self) -> Option<Error>;
}

impl fmt::Debug for dyn Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

impl fmt::Debug for dyn Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record")
    }
}

/// Keeps one command. Dropped without an end, its end is not known.
pub(crate) trait Record: Send {
    /// It runs, by the engine's ID of its exec.
    fn started(&mut self, id: &str);

    /// It has written this.
    fn add(&mut self, stream: StreamKind, output: &[u8]);

    /// Something about it that is no output.
    fn note(&mut self, text: &str);

    /// How it has ended, if that is not plain from its result.
    fn note_end(&mut self, text: &str);

    /// It has ended.
    fn finish(self: Box<Self>, result: &ExecResult);

    /// It could not be started.
    fn discard(self: Box<Self>);
}

/// Ends the record of a command that has gone wrong once it was started.
pub(crate) fn fail(mut record: Box<dyn Record>, error: &Error) {
    record.note_end(&error.to_string());
    if let Some(exit_code) = code_of(error) {
        record.finish(&ExecResult {
            exit_code,
            stdout: Vec::new(),
            stderr: Vec::new(),
            duration: Duration::ZERO,
            end: End::Exited,
            dropped_len: 0,
        });
    }
}

/// The same of one that could not be started: it is kept only if that was its own fault.
pub(crate) fn fail_start(record: Box<dyn Record>, error: &Error) {
    match code_of(error) {
        Some(_) => fail(record, error),
        None => record.discard(),
    }
}

/// What a shell says of a program that it cannot start.
fn code_of(error: &Error) -> Option<i32> {
    match error {
        Error::CommandNotFound { .. } => Some(127),
        Error::CommandNotExecutable { .. } => Some(126),
        _ => None,
    }
}
