//! A shell that keeps its state from command to command: [`Session`].
//!
//! ```text
//! session/marker   finds where the output of a command begins and ends
//! session/text     what is written to the shell, from the templates beside it
//! session/state    the commands: queued, in flight, over
//! session/shell    the exec, its reader thread, waiting
//! session/abort    timeouts and interrupts, which leave the shell alive
//! ```
//!
//! The shell is bash if there is one, else the image's `sh`, which has to be a dash or an ash.
//! Commands read nothing unless they are given input, and have no terminal. Descriptors 7 and 8
//! and names that begin with `__pd_` are the session's own. There is no prompt, so bash's
//! `PROMPT_COMMAND` and `TMOUT` are unset after each command; its `DEBUG` and `RETURN` traps see
//! the session's own commands, too.
//!
//! What a background job writes while another command runs is taken for that command's output: one
//! pipe cannot be split. A command that wants to can read the session's secrets; a session is no
//! boundary between its own commands.

pub(crate) mod abort;
pub(crate) mod link;
pub(crate) mod marker;
mod reader;
mod seat;
pub(crate) mod shell;
pub(crate) mod state;
pub(crate) mod text;

use std::sync::Arc;
use std::time::Duration;

use crate::container::exec::{DEFAULT_MAX_OUTPUT, variable};
use crate::container::handle::Container;
use crate::container::holder::Holder;
use crate::container::input::Stdin;
use crate::container::kill::Marks;
use crate::container::output::StreamKind;
use crate::container::patience::{Endless, Patience};
use crate::container::record::RecordKind;
use crate::container::result::ExecResult;
use crate::container::ring::BufferSnapshot;
use crate::container::session::shell::{Launch, Shell};
use crate::container::session::state::Job;
use crate::container::session::text::{Dialect, NO_INPUT, Surroundings};
use crate::engine::exec::ExecConfig;
use crate::error::{Error, Result};

/// What starts bash so that it stays, says nothing by itself, and can be interrupted.
///
/// Interactive, because SIGINT then aborts a command and keeps the state; without job control,
/// history and line editing, which would echo all input.
const BASH: &str = "bash --norc --noprofile --noediting +m +H +o history -i";

/// How a session's shell is started.
///
/// ```
/// use pocketdock_core::SessionOptions;
///
/// let options = SessionOptions::new().shell("sh").env("LANG", "C.UTF-8").workdir("/tmp");
/// ```
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    shell: Option<String>,
    env: Vec<(String, String)>,
    workdir: Option<String>,
    user: Option<String>,
}

impl SessionOptions {
    /// The defaults: bash if there is one, else sh; the container's user and directory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The shell: a bash, a dash or a busybox ash, by name or path.
    #[must_use]
    pub fn shell(mut self, program: &str) -> Self {
        self.shell = Some(program.to_owned());
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it in this directory.
    #[must_use]
    pub fn workdir(mut self, dir: &str) -> Self {
        self.workdir = Some(dir.to_owned());
        self
    }

    /// Runs it as this `name`, `uid` or `uid:gid`.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// The exec that starts the shell for `dialect`.
    pub(crate) fn launch(&self, dialect: Dialect) -> Result<Launch> {
        let marks = Marks::random()?;
        let fallback = match dialect {
            Dialect::Fresh => "exec sh".to_owned(),
            Dialect::Bash | Dialect::Sh => {
                format!("command -v bash >/dev/null 2>&1 && exec {BASH}; exec sh")
            }
        };
        let mark = marks.shell_prefix();
        let mut command = vec!["sh".to_owned(), "-c".to_owned()];
        match &self.shell {
            None => command.push(format!("{mark}{fallback}")),
            Some(shell) => {
                let arguments = match is_bash(shell) && dialect != Dialect::Fresh {
                    true => BASH.trim_start_matches("bash"),
                    false => "",
                };
                command.push(format!("{mark}exec \"$0\"{arguments}"));
                command.push(checked_shell(shell)?.to_owned());
            }
        }
        Ok(Launch {
            dialect,
            program: self.shell.clone().unwrap_or_else(|| "sh".to_owned()),
            config: ExecConfig {
                command,
                env: self.env.iter().map(variable).collect::<Result<_>>()?,
                workdir: self.workdir.clone(),
                user: self.user.clone(),
                ..ExecConfig::default()
            },
            marks,
        })
    }
}

fn is_bash(shell: &str) -> bool {
    shell.rsplit('/').next() == Some("bash")
}

fn checked_shell(shell: &str) -> Result<&str> {
    if shell.is_empty() || shell.starts_with('-') || shell.contains('\0') {
        return Err(Error::invalid("shell", shell, "expected a program"));
    }
    Ok(shell)
}

/// A shell in a sandbox that keeps its state from command to command.
///
/// Cheap to clone and usable from any thread; commands run one after the other. Dropping the last
/// clone kills the shell and everything that it has started.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::{CreateOptions, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new())?;
/// let session = sandbox.session()?;
/// session.send_and_wait("cd /usr; answer=42", None)?;
/// let result = session.send_and_wait("echo $answer; pwd", Duration::from_secs(5))?;
/// assert_eq!(result.stdout, b"42\n/usr\n");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    shell: Arc<Shell>,
}

/// A command for a session, with its options.
///
/// ```no_run
/// # use pocketdock_core::{CreateOptions, create_new_container};
/// # let session = create_new_container(&CreateOptions::new())?.session()?;
/// let result = session.command("read line; echo \"[$line]\"").stdin("hello\n").run()?;
/// assert_eq!(result.stdout, b"[hello]\n");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a command runs when run() is called"]
pub struct SessionCommand {
    session: Session,
    command: Vec<u8>,
    timeout: Option<Duration>,
    max_output: u64,
    stdin: Option<Stdin>,
}

impl Container {
    /// Starts a shell that keeps its state from command to command: bash, or else sh.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let session = sandbox.session()?;
    /// session.send_and_wait("cd /tmp; x=1", None)?;
    /// assert_eq!(session.send_and_wait("echo $PWD $x", None)?.stdout, b"/tmp 1\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`session_with`](Self::session_with).
    pub fn session(&self) -> Result<Session> {
        self.session_with(&SessionOptions::new())
    }

    /// Starts such a shell as the options say.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::SessionOptions;
    ///
    /// let options = SessionOptions::new().shell("sh").workdir("/tmp").env("A", "1");
    /// let session = sandbox.session_with(&options)?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`]; [`Error::CommandNotFound`] if
    /// the image lacks the shell, or `sh`; [`Error::CommandNotExecutable`] if the user or the
    /// directory is not there; [`Error::InvalidArgument`]; [`Error::Timeout`] if what was started
    /// does not answer as a shell.
    pub fn session_with(&self, options: &SessionOptions) -> Result<Session> {
        let shell = Shell::start(self, options.launch(Dialect::Sh)?)?;
        let recorder = self.recorder();
        let words = [shell.program().to_owned()];
        if let Some(record) = recorder.and_then(|it| it.begin(RecordKind::Session, &words)) {
            shell.link.record_with(record);
        }
        Ok(Session {
            shell: Arc::new(shell),
        })
    }
}

impl Session {
    /// The engine's ID of the exec instance that the shell is.
    #[must_use]
    pub fn id(&self) -> &str {
        self.shell.id()
    }

    /// Sends a command without waiting for it; it begins when those before it have ended.
    ///
    /// Its output is for [`read`](Self::read) and [`on_output`](Self::on_output).
    ///
    /// # Errors
    ///
    /// [`Error::SessionClosed`]; [`Error::InvalidArgument`] for a command with a NUL in it.
    pub fn send(&self, command: impl Into<Vec<u8>>) -> Result<()> {
        let job = job(command.into(), NO_INPUT.to_owned(), None)?;
        self.shell.link.note_command(&job.command);
        self.shell.submit(job).map(drop)
    }

    /// Runs a command to its end and gives its output and exit code.
    ///
    /// It may be any text that the shell takes, of any length, lines included, and any bytes but
    /// NUL. When `timeout` has passed, the command is aborted and all that it has started is
    /// killed; the shell and its state live on. Without one it may take as long as it will.
    ///
    /// A command that ends the shell, with `exit` say, has a result as well; the session is closed
    /// then.
    ///
    /// # Errors
    ///
    /// [`Error::SessionClosed`] with the shell's exit code if it has ended before;
    /// [`Error::InvalidArgument`] for a command with a NUL in it; [`Error::Timeout`] if the time
    /// is up before the commands sent earlier have ended; [`Error::ContainerNotRunning`],
    /// [`Error::ContainerGone`] with the output so far if the container stops, pauses or vanishes
    /// meanwhile, which closes the session. A timeout is a result, not an error.
    pub fn send_and_wait(
        &self,
        command: impl Into<Vec<u8>>,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<ExecResult> {
        let mut command = self.command(command);
        command.timeout = timeout.into();
        command.run()
    }

    /// A command to run, to be given options.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let session = sandbox.session()?;
    /// use std::time::Duration;
    ///
    /// let command = session.command("sort").stdin("b\na\n").timeout(Duration::from_secs(1));
    /// assert_eq!(command.run()?.stdout, b"a\nb\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn command(&self, command: impl Into<Vec<u8>>) -> SessionCommand {
        SessionCommand {
            session: self.clone(),
            command: command.into(),
            timeout: None,
            max_output: DEFAULT_MAX_OUTPUT,
            stdin: None,
        }
    }

    /// Takes the output that belongs to no result: of commands that were only sent, and of
    /// background jobs between commands. The last MiB of it is kept.
    #[must_use]
    pub fn read(&self) -> BufferSnapshot {
        self.shell.read()
    }

    /// Calls `callback` with each further piece of output, whatever it belongs to, cut between
    /// UTF-8 characters.
    ///
    /// It runs on the session's reader thread and may call any method of the container, and
    /// [`send`](Self::send); waiting for a result there is refused, and so is
    /// [`interrupt`](Self::interrupt), which waits, too. A panic in it is contained.
    /// It is let go when the session ends; one that holds a clone of the session, or of a sandbox
    /// that is to go with its last handle, keeps that until then.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::StreamKind;
    ///
    /// let session = sandbox.session()?;
    /// session.on_output(|stream, piece| match stream {
    ///     StreamKind::Stdout => print!("{}", String::from_utf8_lossy(piece)),
    ///     StreamKind::Stderr => eprint!("{}", String::from_utf8_lossy(piece)),
    /// });
    /// session.send("make &")?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn on_output(&self, callback: impl Fn(StreamKind, &[u8]) + Send + Sync + 'static) {
        if self.shell.is_closed() {
            return; // There is nothing more to come.
        }
        let callback = Arc::new(callback);
        for stream in [StreamKind::Stdout, StreamKind::Stderr] {
            let callback = Arc::clone(&callback);
            let callback = Arc::new(move |_id: &str, piece: &[u8]| callback(stream, piece));
            self.shell.callbacks().add_output(stream, callback);
        }
    }

    /// Interrupts the command that runs, as Ctrl-C would; one that does not heed it is killed. If
    /// none runs, nothing happens.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let session = sandbox.session()?;
    /// session.send("sleep 600")?;
    /// session.interrupt()?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the connection, such as [`Error::SocketCommunication`] and [`Error::Timeout`].
    pub fn interrupt(&self) -> Result<()> {
        self.shell.interrupt()
    }

    /// Whether the shell has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shell.is_closed()
    }

    /// Kills the shell and everything that it has started. A second time does nothing.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let session = sandbox.session()?;
    /// session.close()?;
    /// assert!(session.is_closed());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::CommandNotExecutable`] if a process belongs to another user, and the errors of the
    /// connection. A container that is gone is none.
    pub fn close(&self) -> Result<()> {
        self.shell.close()
    }
}

impl SessionCommand {
    /// Aborts the command after this long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Keeps this many bytes of output, both streams together; the rest is counted and dropped.
    pub fn max_output(mut self, len: u64) -> Self {
        self.max_output = len;
        self
    }

    /// Gives it input, which costs an exec of its own; without, it reads nothing.
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// As [`Session::send_and_wait`].
    pub fn run(self) -> Result<ExecResult> {
        self.run_for(&Endless)
    }

    /// As [`run`](Self::run); aborts the command once nobody waits any more.
    pub(crate) fn run_for(self, patience: &dyn Patience) -> Result<ExecResult> {
        let shell = &self.session.shell;
        let holder = match self.stdin {
            Some(stdin) => Some(Holder::start(&shell.link.target, stdin)?),
            None => None,
        };
        let input = holder.as_ref().map(Holder::redirection);
        let input = input.unwrap_or_else(|| NO_INPUT.to_owned());
        let job = job(self.command, input, Some(self.max_output))?;
        shell.link.note_command(&job.command);
        let result = shell.run(job, self.timeout, patience)?;
        match holder.as_ref().and_then(Holder::input_failure) {
            Some(failure) => Err(failure),
            None => Ok(result),
        }
    }
}

fn job(command: Vec<u8>, input: String, max_output: Option<u64>) -> Result<Job> {
    refuse_nul(&command)?;
    Ok(Job {
        command,
        input,
        surroundings: Surroundings::default(),
        max_output,
    })
}

/// No shell can be given a NUL.
pub(crate) fn refuse_nul(command: &[u8]) -> Result<()> {
    if !command.contains(&0) {
        return Ok(());
    }
    let start: String = String::from_utf8_lossy(command).chars().take(40).collect();
    Err(Error::invalid(
        "command",
        start,
        "no command can contain NUL",
    ))
}
