//! Many small commands, fast: [`Runner`].
//!
//! A fresh exec takes an engine tens of milliseconds. A runner is one exec of the image's `sh` that
//! stays, and gives each command a subshell of its own: the cost is a fork. Nothing carries over
//! from one command to the next, no directory, variable, option, trap or background job; what a
//! command leaves running is killed when it has ended (`session/fresh-init.sh` says how), so that
//! it cannot write into the output of the next.
//!
//! Commands of one runner run one after the other; several runners in one sandbox run side by side.
//! A runner whose shell has ended, or was killed, starts another for the next command.
//!
//! What differs from an exec: `$$` is the runner's shell, and killing that ends the command with
//! the shell's exit code; a program that is not there gives exit code 127, as in a shell; the user
//! is that of the runner.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::container::command::Command;
use crate::container::exec::DEFAULT_MAX_OUTPUT;
use crate::container::handle::Container;
use crate::container::holder::Holder;
use crate::container::input::Stdin;
use crate::container::patience::{Endless, Patience};
use crate::container::result::ExecResult;
use crate::container::session::shell::Shell;
use crate::container::session::state::Job;
use crate::container::session::text::{Dialect, NO_INPUT, Surroundings, quoted};
use crate::container::session::{SessionOptions, refuse_nul};
use crate::error::{Error, Result};

/// The longest input that the runner's shell writes by itself: less than a pipe holds, so that it
/// need not wait for a command that does not read.
const FEED_LEN_MAX: usize = 32 * 1024;

/// How often a command is given to a new shell because the one it was meant for had ended.
const RESTARTS_MAX: u32 = 3;

/// Runs each command in a fresh subshell of a shell that stays.
///
/// Cheap to clone and usable from any thread. Dropping the last clone kills the shell and
/// everything that it has started.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new())?;
/// let runner = sandbox.runner()?;
/// for n in 0..1000 {
///     let result = runner.exec(["expr", &n.to_string(), "+", "1"]).workdir("/tmp").run()?;
///     assert_eq!(result.stdout_text().trim(), (n + 1).to_string());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Runner {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    sandbox: Container,
    options: SessionOptions,
    shell: Mutex<Arc<Shell>>,
}

/// A command for a runner, with its options.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use std::time::Duration;
///
/// let runner = engine.open("box")?.runner()?;
/// let result = runner.exec("echo $WHO").env("WHO", "me").timeout(Duration::from_secs(1)).run()?;
/// assert_eq!(result.stdout, b"me\n");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a command runs when run() is called"]
pub struct RunnerExec {
    runner: Runner,
    command: Command,
    timeout: Option<Duration>,
    max_output: u64,
    surroundings: Surroundings,
    stdin: Option<Stdin>,
}

impl Container {
    /// Starts a runner: `sh`, the container's user and directory.
    ///
    /// # Errors
    ///
    /// As [`session_with`](Self::session_with).
    pub fn runner(&self) -> Result<Runner> {
        self.runner_with(&SessionOptions::new())
    }

    /// Starts a runner as the options say.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::SessionOptions;
    ///
    /// let runner = sandbox.runner_with(&SessionOptions::new().workdir("/tmp"))?;
    /// assert_eq!(runner.run("pwd")?.stdout, b"/tmp\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`session_with`](Self::session_with).
    pub fn runner_with(&self, options: &SessionOptions) -> Result<Runner> {
        let shell = Shell::start(self, options.launch(Dialect::Fresh)?)?;
        Ok(Runner {
            inner: Arc::new(Inner {
                sandbox: self.clone(),
                options: options.clone(),
                shell: Mutex::new(Arc::new(shell)),
            }),
        })
    }
}

impl Runner {
    /// Runs a command to its end with the defaults: the sandbox's timeout, no input, 10 MiB of
    /// output kept.
    ///
    /// # Errors
    ///
    /// As [`RunnerExec::run`].
    pub fn run(&self, command: impl Into<Command>) -> Result<ExecResult> {
        self.exec(command).run()
    }

    /// A command to run, to be given options and then started.
    ///
    /// A `&str` is text for the shell; an array is a program and its arguments, executed with
    /// nothing expanded.
    pub fn exec(&self, command: impl Into<Command>) -> RunnerExec {
        RunnerExec {
            runner: self.clone(),
            command: command.into(),
            timeout: self.inner.sandbox.command_timeout(),
            max_output: DEFAULT_MAX_OUTPUT,
            surroundings: Surroundings::default(),
            stdin: None,
        }
    }

    /// The engine's ID of the exec instance that its shell is at the moment.
    #[must_use]
    pub fn id(&self) -> String {
        self.inner.current().id().to_owned()
    }

    /// Kills its shell. A further command starts another.
    ///
    /// # Errors
    ///
    /// As [`Session::close`](crate::Session::close).
    pub fn close(&self) -> Result<()> {
        self.inner.current().close()
    }
}

impl Inner {
    fn current(&self) -> Arc<Shell> {
        let shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&shell)
    }

    /// A shell that runs, a new one if need be.
    fn running(&self) -> Result<Arc<Shell>> {
        // Held while a shell is started, so that many who find it ended start only one.
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        if shell.is_closed() {
            let launch = self.options.launch(Dialect::Fresh)?;
            *shell = Arc::new(Shell::start(&self.sandbox, launch)?);
        }
        Ok(Arc::clone(&shell))
    }
}

impl RunnerExec {
    /// Kills the command and everything that came from it after this long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets the command take as long as it will.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    /// Keeps this many bytes of output, both streams together; the rest is counted and dropped.
    pub fn max_output(mut self, len: u64) -> Self {
        self.max_output = len;
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        let pair = (name.to_owned(), value.to_owned());
        self.surroundings.env.push(pair);
        self
    }

    /// Starts it in this directory.
    pub fn workdir(mut self, dir: &str) -> Self {
        self.surroundings.workdir = Some(dir.to_owned());
        self
    }

    /// Gives it input, bytes or a [`Stdin::reader`]; without, it reads nothing.
    ///
    /// A few KiB come along with the command; more costs an exec of its own.
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Runs the command to its end, behind those that were given to this runner before.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an option that cannot be meant;
    /// [`Error::CommandNotExecutable`] if the directory is not there; [`Error::Timeout`] if the
    /// time is up before the commands given earlier have ended; [`Error::ContainerNotFound`],
    /// [`Error::ContainerNotRunning`], [`Error::ContainerGone`] with the output so far. That the
    /// command fails or times out is a result, not an error.
    pub fn run(self) -> Result<ExecResult> {
        self.run_for(&Endless)
    }

    /// As [`run`](Self::run); kills the command once nobody waits any more.
    pub(crate) fn run_for(self, patience: &dyn Patience) -> Result<ExecResult> {
        let RunnerExec {
            runner,
            command,
            timeout,
            max_output,
            mut surroundings,
            stdin,
        } = self;
        let text = text(&command)?;
        check(&surroundings)?;
        let mut shell = runner.inner.running()?;
        let mut holder = None;
        match stdin.map(|stdin| stdin.at_hand(FEED_LEN_MAX)) {
            None => {}
            Some(Ok(bytes)) => surroundings.feed = Some(bytes),
            Some(Err(stdin)) => holder = Some(Holder::start(&shell.link.target, stdin)?),
        }
        let input = match (&holder, &surroundings.feed) {
            (Some(holder), _) => holder.redirection(),
            (None, Some(_)) => String::new(),
            (None, None) => NO_INPUT.to_owned(),
        };
        let mut restarts = 0;
        loop {
            let job = Job {
                command: text.clone(),
                input: input.clone(),
                surroundings: surroundings.clone(),
                max_output: Some(max_output),
            };
            match shell.run(job, timeout, patience) {
                // The one before it has ended the shell, and this one has not begun.
                Err(Error::SessionClosed { .. }) if restarts < RESTARTS_MAX => {
                    restarts += 1;
                    shell = runner.inner.running()?;
                }
                outcome => {
                    let result = outcome?;
                    let failure = holder.as_ref().and_then(Holder::input_failure);
                    return failure.map_or(Ok(result), Err);
                }
            }
        }
    }
}

/// What the subshell evaluates.
fn text(command: &Command) -> Result<Vec<u8>> {
    match command {
        Command::Shell(line) => {
            refuse_nul(line.as_bytes())?;
            Ok(line.clone().into_bytes())
        }
        Command::Argv(argv) => {
            if argv.first().is_none_or(String::is_empty) {
                return Err(Error::invalid("command", "", "expected a program"));
            }
            let mut text = b"\\exec".to_vec();
            for argument in argv {
                refuse_nul(argument.as_bytes())?;
                text.push(b' ');
                text.extend(quoted(argument.as_bytes()));
            }
            Ok(text)
        }
    }
}

fn check(surroundings: &Surroundings) -> Result<()> {
    for (name, value) in &surroundings.env {
        if !is_name(name) || value.contains('\0') {
            return Err(Error::invalid(
                "variable",
                format!("{name}={value}"),
                "expected a name that a shell can export, and a value without NUL",
            ));
        }
    }
    match &surroundings.workdir {
        Some(dir) if dir.is_empty() || dir.contains('\0') => Err(Error::invalid(
            "working directory",
            dir.as_str(),
            "expected a path without NUL",
        )),
        _ => Ok(()),
    }
}

/// Whether a shell takes it for the name of a variable.
fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    name.bytes().all(is_inner) && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        let text = |command| String::from_utf8(text(&command).unwrap()).unwrap();
        assert_eq!(text(Command::from("a | b")), "a | b");
        assert_eq!(
            text(Command::from(["ls", "a b", "it's", ""])),
            "\\exec 'ls' 'a b' 'it'\\''s' ''"
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let none: [&str; 0] = [];
        for command in [
            Command::from(none),
            Command::from([""]),
            Command::from("a\0"),
        ] {
            assert!(text(&command).is_err(), "{command:?}");
        }
        for name in ["", "1a", "a-b", "a b", "é", "a=b"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("_A1"));
    }
}
