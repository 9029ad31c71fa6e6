//! [`AsyncSession`]: a shell that keeps its state, whose calls do not block.

use std::sync::Arc;
use std::time::Duration;

use crate::async_::brake::Brake;
use crate::async_::operation::{DroppedElsewhere, Operation};
use crate::container::input::Stdin;
use crate::container::output::StreamKind;
use crate::container::result::ExecResult;
use crate::container::ring::BufferSnapshot;
use crate::container::session::{Session, SessionCommand};
use crate::error::Result;

/// A shell in a sandbox that keeps its state from command to command.
///
/// Cheap to clone; commands run one after the other. Dropping the last clone kills the shell and
/// everything that it has started, in the background.
///
/// ```no_run
/// # async fn example(sandbox: pocketdock_core::async_::AsyncContainer)
/// #     -> pocketdock_core::Result<()> {
/// let session = sandbox.session().await?;
/// session.send_and_wait("cd /usr; answer=42", None).await?;
/// let result = session.send_and_wait("echo $answer; pwd", None).await?;
/// assert_eq!(result.stdout, b"42\n/usr\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AsyncSession {
    session: Session,
    _last: Arc<DroppedElsewhere<Session>>,
}

impl From<Session> for AsyncSession {
    fn from(session: Session) -> Self {
        AsyncSession {
            session: session.clone(),
            _last: DroppedElsewhere::new(session),
        }
    }
}

impl AsyncSession {
    /// The same session, with calls that block.
    #[must_use]
    pub fn blocking(&self) -> &Session {
        &self.session
    }

    /// As [`Session::id`].
    #[must_use]
    pub fn id(&self) -> &str {
        self.session.id()
    }

    /// As [`Session::send`].
    pub fn send(&self, command: impl Into<Vec<u8>>) -> Operation<()> {
        let (session, command) = (self.clone(), command.into());
        Operation::new(move || session.blocking().send(command))
    }

    /// As [`Session::send_and_wait`]. Dropping the future aborts the command, as its timeout
    /// does; the shell and its state live on.
    pub fn send_and_wait(
        &self,
        command: impl Into<Vec<u8>>,
        timeout: impl Into<Option<Duration>>,
    ) -> Operation<ExecResult> {
        let command = self.command(command);
        match timeout.into() {
            Some(timeout) => command.timeout(timeout).run(),
            None => command.run(),
        }
    }

    /// As [`Session::command`].
    pub fn command(&self, command: impl Into<Vec<u8>>) -> AsyncSessionCommand {
        AsyncSessionCommand {
            command: self.session.command(command),
            _session: self.clone(),
        }
    }

    /// As [`Session::read`].
    #[must_use]
    pub fn read(&self) -> BufferSnapshot {
        self.session.read()
    }

    /// As [`Session::on_output`].
    pub fn on_output(&self, callback: impl Fn(StreamKind, &[u8]) + Send + Sync + 'static) {
        self.session.on_output(callback);
    }

    /// As [`Session::interrupt`].
    pub fn interrupt(&self) -> Operation<()> {
        let session = self.clone();
        Operation::new(move || session.blocking().interrupt())
    }

    /// As [`Session::is_closed`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session.is_closed()
    }

    /// As [`Session::close`].
    pub fn close(&self) -> Operation<()> {
        let session = self.clone();
        Operation::new(move || session.blocking().close())
    }
}

/// A command for a session, with its options: [`SessionCommand`] with an end that does not block.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::async_::{AsyncSession, AsyncSessionCommand};
///
/// # async fn example(session: AsyncSession) -> pocketdock_core::Result<()> {
/// let build: AsyncSessionCommand = session.command("make").timeout(Duration::from_secs(60));
/// assert!(build.run().await?.ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a command runs when the future of run() is polled"]
pub struct AsyncSessionCommand {
    command: SessionCommand,
    /// Dropped after the command, which has a handle, too.
    _session: AsyncSession,
}

impl AsyncSessionCommand {
    /// As [`SessionCommand::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.command = self.command.timeout(timeout);
        self
    }

    /// As [`SessionCommand::max_output`].
    pub fn max_output(mut self, len: u64) -> Self {
        self.command = self.command.max_output(len);
        self
    }

    /// As [`SessionCommand::stdin`].
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.command = self.command.stdin(stdin);
        self
    }

    /// As [`SessionCommand::run`]. Dropping the future aborts the command, as its timeout does.
    pub fn run(self) -> Operation<ExecResult> {
        Operation::with_brake(move |brake| self.run_for(brake))
    }

    /// Takes the whole command, so that its parts are dropped in their order wherever that is.
    fn run_for(self, brake: &Brake) -> Result<ExecResult> {
        self.command.run_for(brake)
    }
}
