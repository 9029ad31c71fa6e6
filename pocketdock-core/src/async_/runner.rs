//! [`AsyncRunner`]: many small commands, fast, with calls that do not block.

use std::sync::Arc;
use std::time::Duration;

use crate::async_::brake::Brake;
use crate::async_::operation::{DroppedElsewhere, Operation};
use crate::container::command::Command;
use crate::container::input::Stdin;
use crate::container::result::ExecResult;
use crate::container::runner::{Runner, RunnerExec};
use crate::error::Result;

/// Runs each command in a fresh subshell of a shell that stays.
///
/// Cheap to clone; commands run one after the other. Dropping the last clone kills the shell and
/// everything that it has started, in the background.
///
/// ```no_run
/// # async fn example(sandbox: pocketdock_core::async_::AsyncContainer)
/// #     -> pocketdock_core::Result<()> {
/// let runner = sandbox.runner().await?;
/// for n in 0..1000 {
///     let result = runner.run(format!("expr {n} + 1")).await?;
///     assert_eq!(result.stdout_text().trim(), (n + 1).to_string());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AsyncRunner {
    runner: Runner,
    _last: Arc<DroppedElsewhere<Runner>>,
}

impl From<Runner> for AsyncRunner {
    fn from(runner: Runner) -> Self {
        AsyncRunner {
            runner: runner.clone(),
            _last: DroppedElsewhere::new(runner),
        }
    }
}

impl AsyncRunner {
    /// The same runner, with calls that block.
    #[must_use]
    pub fn blocking(&self) -> &Runner {
        &self.runner
    }

    /// As [`Runner::run`]. Dropping the future kills the command.
    pub fn run(&self, command: impl Into<Command>) -> Operation<ExecResult> {
        self.exec(command).run()
    }

    /// As [`Runner::exec`].
    pub fn exec(&self, command: impl Into<Command>) -> AsyncRunnerExec {
        AsyncRunnerExec {
            exec: self.runner.exec(command),
            _runner: self.clone(),
        }
    }

    /// As [`Runner::id`], which waits while a shell is being started.
    pub fn id(&self) -> Operation<String> {
        let runner = self.clone();
        Operation::new(move || Ok(runner.blocking().id()))
    }

    /// As [`Runner::close`].
    pub fn close(&self) -> Operation<()> {
        let runner = self.clone();
        Operation::new(move || runner.blocking().close())
    }
}

/// A command for a runner, with its options: [`RunnerExec`] with an end that does not block.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::async_::{AsyncRunner, AsyncRunnerExec};
///
/// # async fn example(runner: AsyncRunner) -> pocketdock_core::Result<()> {
/// let count: AsyncRunnerExec = runner.exec("wc -l").stdin("a\nb\n");
/// let count = count.timeout(Duration::from_secs(2));
/// assert_eq!(count.run().await?.stdout_text().trim(), "2");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a command runs when the future of run() is polled"]
pub struct AsyncRunnerExec {
    exec: RunnerExec,
    /// Dropped after the command, which has a handle, too.
    _runner: AsyncRunner,
}

impl AsyncRunnerExec {
    /// As [`RunnerExec::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.exec = self.exec.timeout(timeout);
        self
    }

    /// As [`RunnerExec::no_timeout`].
    pub fn no_timeout(mut self) -> Self {
        self.exec = self.exec.no_timeout();
        self
    }

    /// As [`RunnerExec::max_output`].
    pub fn max_output(mut self, len: u64) -> Self {
        self.exec = self.exec.max_output(len);
        self
    }

    /// As [`RunnerExec::env`].
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.exec = self.exec.env(name, value);
        self
    }

    /// As [`RunnerExec::workdir`].
    pub fn workdir(mut self, dir: &str) -> Self {
        self.exec = self.exec.workdir(dir);
        self
    }

    /// As [`RunnerExec::stdin`].
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.exec = self.exec.stdin(stdin);
        self
    }

    /// As [`RunnerExec::run`]. Dropping the future kills the command, as its timeout does.
    pub fn run(self) -> Operation<ExecResult> {
        Operation::with_brake(move |brake| self.run_for(brake))
    }

    /// Takes the whole command, so that its parts are dropped in their order wherever that is.
    fn run_for(self, brake: &Brake) -> Result<ExecResult> {
        self.exec.run_for(brake)
    }
}
