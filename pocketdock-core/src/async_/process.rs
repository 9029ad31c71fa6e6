//! [`AsyncProcess`]: a detached command whose calls do not block.

use std::sync::Arc;
use std::time::Duration;

use crate::async_::operation::{DroppedElsewhere, Operation};
use crate::container::kill::{Scope, Signal};
use crate::container::process::Process;
use crate::container::result::ExecResult;
use crate::container::ring::BufferSnapshot;
use crate::error::Result;

/// A command that runs in the background.
///
/// Cheap to clone. Its buffer is at hand, so reading it is no future. Dropping the last handle lets
/// the command go on unobserved, as [`Process`]'s does.
///
/// ```no_run
/// # async fn serve(sandbox: pocketdock_core::async_::AsyncContainer)
/// #     -> pocketdock_core::Result<()> {
/// use pocketdock_core::{Scope, Signal};
///
/// let server = sandbox.exec(["python3", "-m", "http.server"]).detach().await?;
/// server.kill(Signal::TERM, Scope::Tree).await?;
/// assert_eq!(server.wait(None).await?.exit_code, 143);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AsyncProcess {
    process: Process,
    /// The last handle waits for the reader thread.
    _last: Arc<DroppedElsewhere<Process>>,
}

impl From<Process> for AsyncProcess {
    fn from(process: Process) -> Self {
        AsyncProcess {
            process: process.clone(),
            _last: DroppedElsewhere::new(process),
        }
    }
}

impl AsyncProcess {
    /// The same process, with calls that block.
    #[must_use]
    pub fn blocking(&self) -> &Process {
        &self.process
    }

    /// The engine's ID of the exec instance.
    #[must_use]
    pub fn id(&self) -> &str {
        self.process.id()
    }

    /// As [`Process::is_running`].
    pub fn is_running(&self) -> Operation<bool> {
        let process = self.clone();
        Operation::new(move || process.blocking().is_running())
    }

    /// As [`Process::try_wait`], which does not block.
    ///
    /// # Errors
    ///
    /// As [`Process::try_wait`].
    pub fn try_wait(&self) -> Result<Option<ExecResult>> {
        self.process.try_wait()
    }

    /// As [`Process::wait`]. Dropping the future leaves the command alone.
    pub fn wait(&self, timeout: Option<Duration>) -> Operation<ExecResult> {
        let process = self.clone();
        Operation::with_brake(move |brake| process.blocking().wait_for(timeout, brake))
    }

    /// As [`Process::kill`].
    pub fn kill(&self, signal: Signal, scope: Scope) -> Operation<()> {
        let process = self.clone();
        Operation::new(move || process.blocking().kill(signal, scope))
    }

    /// As [`Process::read`].
    #[must_use]
    pub fn read(&self) -> BufferSnapshot {
        self.process.read()
    }

    /// As [`Process::peek`].
    #[must_use]
    pub fn peek(&self) -> BufferSnapshot {
        self.process.peek()
    }

    /// As [`Process::buffer_size`].
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.process.buffer_size()
    }

    /// As [`Process::buffer_overflow`].
    #[must_use]
    pub fn buffer_overflow(&self) -> u64 {
        self.process.buffer_overflow()
    }

    /// As [`Process::on_stdout`].
    pub fn on_stdout(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.process.on_stdout(callback);
    }

    /// As [`Process::on_stderr`].
    pub fn on_stderr(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.process.on_stderr(callback);
    }

    /// As [`Process::on_exit`].
    pub fn on_exit(&self, callback: impl Fn(&str, &ExecResult) + Send + Sync + 'static) {
        self.process.on_exit(callback);
    }
}
