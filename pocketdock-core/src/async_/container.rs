//! [`AsyncContainer`] and [`AsyncExec`]: a sandbox and a command in it, whose calls do not block.

use std::path::Path;
use std::time::Duration;

use crate::async_::brake::Brake;
use crate::async_::operation::Operation;
use crate::async_::process::AsyncProcess;
use crate::async_::runner::AsyncRunner;
use crate::async_::session::AsyncSession;
use crate::async_::stream::AsyncExecStream;
use crate::container::command::Command;
use crate::container::exec::Exec;
use crate::container::handle::Container;
use crate::container::info::{ContainerInfo, PublishedPort};
use crate::container::input::Stdin;
use crate::container::kill::{Scope, Signal};
use crate::container::patience::Patience;
use crate::container::result::ExecResult;
use crate::container::session::SessionOptions;
use crate::engine::Engine;
use crate::error::Result;

/// A sandbox.
///
/// Cheap to clone and usable from any thread. Dropping the last handle of a guarded one removes
/// it and blocks for that; see the [module](crate::async_).
#[derive(Debug, Clone)]
pub struct AsyncContainer {
    container: Container,
}

impl From<Container> for AsyncContainer {
    fn from(container: Container) -> Self {
        AsyncContainer { container }
    }
}

impl AsyncContainer {
    /// The same sandbox, with calls that block.
    ///
    /// ```no_run
    /// # async fn example(sandbox: pocketdock_core::async_::AsyncContainer)
    /// #     -> pocketdock_core::Result<()> {
    /// sandbox.blocking().on_stdout(|id, piece| println!("{id}: {} bytes", piece.len()));
    /// sandbox.exec("make").detach().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn blocking(&self) -> &Container {
        &self.container
    }

    /// As [`Container::container_id`].
    #[must_use]
    pub fn container_id(&self) -> &str {
        self.container.container_id()
    }

    /// As [`Container::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        self.container.name()
    }

    /// As [`Container::socket_path`].
    #[must_use]
    pub fn socket_path(&self) -> &Path {
        self.container.socket_path()
    }

    /// As [`Container::engine`].
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.container.engine()
    }

    /// As [`Container::image`].
    #[must_use]
    pub fn image(&self) -> &str {
        self.container.image()
    }

    /// As [`Container::persist`].
    #[must_use]
    pub fn persist(&self) -> bool {
        self.container.persist()
    }

    /// As [`Container::project`].
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.container.project()
    }

    /// As [`Container::profile`].
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.container.profile()
    }

    /// As [`Container::data_path`].
    #[must_use]
    pub fn data_path(&self) -> Option<&Path> {
        self.container.data_path()
    }

    /// As [`Container::warnings`].
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.container.warnings()
    }

    /// As [`Container::command_timeout`].
    #[must_use]
    pub fn command_timeout(&self) -> Option<Duration> {
        self.container.command_timeout()
    }

    /// As [`Container::leave`].
    pub fn leave(&self) {
        self.container.leave();
    }

    /// As [`Container::run`]. Dropping the future kills the command.
    pub fn run(&self, command: impl Into<Command>) -> Operation<ExecResult> {
        self.exec(command).run()
    }

    /// As [`Container::exec`].
    pub fn exec(&self, command: impl Into<Command>) -> AsyncExec {
        AsyncExec {
            exec: self.container.exec(command),
        }
    }

    /// As [`Container::session`].
    pub fn session(&self) -> Operation<AsyncSession> {
        self.session_with(&SessionOptions::new())
    }

    /// As [`Container::session_with`].
    pub fn session_with(&self, options: &SessionOptions) -> Operation<AsyncSession> {
        let options = options.clone();
        self.operation(move |container| container.session_with(&options).map(AsyncSession::from))
    }

    /// As [`Container::runner`].
    pub fn runner(&self) -> Operation<AsyncRunner> {
        self.runner_with(&SessionOptions::new())
    }

    /// As [`Container::runner_with`].
    pub fn runner_with(&self, options: &SessionOptions) -> Operation<AsyncRunner> {
        let options = options.clone();
        self.operation(move |container| container.runner_with(&options).map(AsyncRunner::from))
    }

    /// As [`Container::is_running`].
    pub fn is_running(&self) -> Operation<bool> {
        self.operation(|container| container.is_running())
    }

    /// As [`Container::info`].
    pub fn info(&self) -> Operation<ContainerInfo> {
        self.operation(|container| container.info())
    }

    /// As [`Container::ports`].
    pub fn ports(&self) -> Operation<Vec<PublishedPort>> {
        self.operation(|container| container.ports())
    }

    /// As [`Container::stop`].
    pub fn stop(&self) -> Operation<()> {
        self.operation(|container| container.stop())
    }

    /// As [`Container::resume`].
    pub fn resume(&self) -> Operation<()> {
        self.operation(|container| container.resume())
    }

    /// As [`Container::snapshot`]. Dropping the future does not stop it.
    pub fn snapshot(&self, image: &str) -> Operation<String> {
        let image = image.to_owned();
        self.operation(move |container| container.snapshot(&image))
    }

    /// As [`Container::reboot`].
    pub fn reboot(&self, fresh: bool) -> Operation<()> {
        self.operation(move |container| container.reboot(fresh))
    }

    /// As [`Container::shutdown`].
    pub fn shutdown(&self, force: bool) -> Operation<()> {
        self.operation(move |container| container.shutdown(force))
    }

    /// As [`Container::on_stdout`].
    pub fn on_stdout(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.container.on_stdout(callback);
    }

    /// As [`Container::on_stderr`].
    pub fn on_stderr(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.container.on_stderr(callback);
    }

    /// As [`Container::on_exit`].
    pub fn on_exit(&self, callback: impl Fn(&str, &ExecResult) + Send + Sync + 'static) {
        self.container.on_exit(callback);
    }

    pub(crate) fn operation<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Container) -> Result<T> + Send + 'static,
    ) -> Operation<T> {
        let container = self.container.clone();
        Operation::new(move || call(&container))
    }
}

/// A command to run in a sandbox, with its options: [`Exec`] with ends that do not block.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::async_::create_new_container;
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// let sandbox = create_new_container(&pocketdock_core::CreateOptions::new()).await?;
/// let exec = sandbox.exec("print(6 * 7)").lang("python").timeout(Duration::from_secs(2));
/// assert_eq!(exec.run().await?.stdout, b"42\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a command runs when the future of run(), stream() or detach() is polled"]
pub struct AsyncExec {
    exec: Exec,
}

impl AsyncExec {
    /// As [`Exec::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|exec| exec.timeout(timeout))
    }

    /// As [`Exec::no_timeout`].
    pub fn no_timeout(self) -> Self {
        self.with(Exec::no_timeout)
    }

    /// As [`Exec::max_output`].
    pub fn max_output(self, len: u64) -> Self {
        self.with(|exec| exec.max_output(len))
    }

    /// As [`Exec::buffer_len`].
    pub fn buffer_len(self, len: usize) -> Self {
        self.with(|exec| exec.buffer_len(len))
    }

    /// As [`Exec::lang`].
    pub fn lang(self, lang: &str) -> Self {
        self.with(|exec| exec.lang(lang))
    }

    /// As [`Exec::env`].
    pub fn env(self, name: &str, value: &str) -> Self {
        self.with(|exec| exec.env(name, value))
    }

    /// As [`Exec::workdir`].
    pub fn workdir(self, dir: &str) -> Self {
        self.with(|exec| exec.workdir(dir))
    }

    /// As [`Exec::user`].
    pub fn user(self, user: &str) -> Self {
        self.with(|exec| exec.user(user))
    }

    /// As [`Exec::stdin`].
    pub fn stdin(self, stdin: impl Into<Stdin>) -> Self {
        self.with(|exec| exec.stdin(stdin))
    }

    /// As [`Exec::run`]. Dropping the future kills the command and everything that came from it.
    pub fn run(self) -> Operation<ExecResult> {
        Operation::with_brake(move |brake| run(self.exec, brake))
    }

    /// As [`Exec::stream`]. Dropping the future kills the command, as dropping the stream does.
    pub fn stream(self) -> Operation<AsyncExecStream> {
        Operation::new(move || AsyncExecStream::start(self.exec.stream()?))
    }

    /// As [`Exec::detach`]. Dropping the future kills the command: nobody has a handle to it.
    pub fn detach(self) -> Operation<AsyncProcess> {
        Operation::new(move || self.exec.detach().map(AsyncProcess::from)).or_undo(|process| {
            // What cannot be reached is gone with its sandbox.
            let _killed = process.blocking().kill(Signal::KILL, Scope::Tree);
        })
    }

    fn with(self, change: impl FnOnce(Exec) -> Exec) -> Self {
        AsyncExec {
            exec: change(self.exec),
        }
    }
}

/// Runs a command to its end, or kills it when nobody waits any more.
fn run(exec: Exec, brake: &Brake) -> Result<ExecResult> {
    let mut command = None;
    let outcome = exec.run_watched(|attached| {
        let abandoner = attached.abandoner();
        brake.wake_by(Box::new(move || abandoner.abandon()));
        command = Some(attached.target().clone());
    });
    match command {
        Some(command) if outcome.is_err() && brake.is_over() => {
            command.kill(Signal::KILL, Scope::Tree).and(outcome)
        }
        _ => outcome,
    }
}
