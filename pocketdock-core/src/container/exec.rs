//! Running a command: the [`Exec`] builder and its blocking end, [`Exec::run`].

use std::time::Duration;

use crate::container::attached::{Attached, Ended, Pace};
use crate::container::command::{self, Command, Lang};
use crate::container::handle::Container;
use crate::container::helper;
use crate::container::input::Stdin;
use crate::container::kill::Marks;
use crate::container::output::StreamKind;
use crate::container::record::{self, Record, RecordKind};
use crate::container::result::{End, ExecResult};
use crate::container::target::Target;
use crate::engine::exec::ExecConfig;
use crate::error::{Error, Result};

/// How much output [`Exec::run`] keeps unless told otherwise, both streams together.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// use pocketdock_core::container::exec::DEFAULT_MAX_OUTPUT;
///
/// let dump = sandbox.exec("pg_dump app").max_output(4 * DEFAULT_MAX_OUTPUT).run()?;
/// assert!(!dump.truncated());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const DEFAULT_MAX_OUTPUT: u64 = 10 * 1024 * 1024;

/// How long clearing away a script file may take.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(10);

/// A command to run in a sandbox, with its options.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::{CreateOptions, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new())?;
/// let result = sandbox
///     .exec("print(input())")
///     .lang("python")
///     .stdin("hello")
///     .timeout(Duration::from_secs(5))
///     .run()?;
/// assert_eq!(result.stdout, b"hello\n");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a command runs when run(), stream() or detach() is called"]
pub struct Exec {
    sandbox: Container,
    command: Command,
    lang: Option<String>,
    timeout: Timeout,
    max_output: Option<u64>,
    buffer_len: Option<usize>,
    env: Vec<(String, String)>,
    workdir: Option<String>,
    user: Option<String>,
    stdin: Option<Stdin>,
    unrecorded: bool,
}

#[derive(Debug, Clone, Copy)]
enum Timeout {
    OfSandbox,
    Never,
    After(Duration),
}

impl Container {
    /// Runs a command to its end with the defaults: the sandbox's timeout, no input, 10 MiB of
    /// output kept.
    ///
    /// A `&str` is a line for `sh -c`; an array is a program and its arguments, executed with
    /// no shell.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// assert_eq!(sandbox.run("echo hello")?.stdout, b"hello\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Exec::run`].
    pub fn run(&self, command: impl Into<Command>) -> Result<ExecResult> {
        self.exec(command).run()
    }

    /// A command to run, to be given options and then started.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let exec = sandbox.exec(["grep", "-c", "x"]).stdin("x\ny\nx\n");
    /// assert_eq!(exec.run()?.stdout, b"2\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn exec(&self, command: impl Into<Command>) -> Exec {
        Exec {
            sandbox: self.clone(),
            command: command.into(),
            lang: None,
            timeout: Timeout::OfSandbox,
            max_output: None,
            buffer_len: None,
            env: Vec::new(),
            workdir: None,
            user: None,
            stdin: None,
            unrecorded: false,
        }
    }
}

impl Exec {
    /// Kills the command and everything that came from it after this long.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use std::time::Duration;
    ///
    /// let result = sandbox.exec("echo so far; sleep 60").timeout(Duration::from_secs(1)).run()?;
    /// assert!(result.timed_out() && result.stdout == b"so far\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Timeout::After(timeout);
        self
    }

    /// Lets the command take as long as it will.
    pub fn no_timeout(mut self) -> Self {
        self.timeout = Timeout::Never;
        self
    }

    /// Keeps this many bytes of output, both streams together; the rest is counted and dropped.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let result = sandbox.exec("echo hello").max_output(2).run()?;
    /// assert!(result.truncated() && result.stdout == b"he");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn max_output(mut self, len: u64) -> Self {
        self.max_output = Some(len);
        self
    }

    /// Keeps this many bytes of unread output of a detached command instead of 1 MiB.
    pub fn buffer_len(mut self, len: usize) -> Self {
        self.buffer_len = Some(len);
        self
    }

    /// Takes the command for a program in this language: python, node, bun, bash, sh, ruby, perl.
    ///
    /// The first argument is the program's text, the others are its arguments.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let result = sandbox.exec("print(2 ** 64)").lang("python").run()?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn lang(mut self, lang: &str) -> Self {
        self.lang = Some(lang.to_owned());
        self
    }

    /// Sets an environment variable.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let result = sandbox.exec("echo $COLOUR").env("COLOUR", "blue").run()?;
    /// assert_eq!(result.stdout, b"blue\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it in this directory.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// assert_eq!(sandbox.exec("pwd").workdir("/tmp").run()?.stdout, b"/tmp\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn workdir(mut self, dir: &str) -> Self {
        self.workdir = Some(dir.to_owned());
        self
    }

    /// Runs it as this `name`, `uid` or `uid:gid`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// assert_eq!(sandbox.exec("id -u").user("1000:1000").run()?.stdout, b"1000\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Gives it input, bytes or a [`Stdin::reader`]; without, it reads nothing.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use std::fs::File;
    /// use pocketdock_core::Stdin;
    ///
    /// let table = File::open("table.csv").expect("a file");
    /// let sorted = sandbox.exec("sort").stdin(Stdin::reader(table)).run()?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn stdin(mut self, stdin: impl Into<Stdin>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    /// Keeps it out of the logs and the history of its sandbox.
    pub fn unrecorded(mut self) -> Self {
        self.unrecorded = true;
        self
    }

    /// Runs the command to its end.
    ///
    /// A child that it leaves in the background does not hold this up: once the command itself
    /// has ended, output is read a moment longer and the result returned.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an option that cannot be meant;
    /// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`], [`Error::ContainerGone`] with
    /// the output so far; [`Error::CommandNotFound`] and [`Error::CommandNotExecutable`];
    /// [`Error::SocketCommunication`] with the output so far if the engine goes away;
    /// [`Error::Io`] if its input cannot be read to the end. A sandbox that stays paused for a
    /// quarter of a minute is not running. That the command fails or times out is a result, not an
    /// error.
    pub fn run(self) -> Result<ExecResult> {
        self.run_watched(|_| {})
    }

    /// As [`run`](Self::run), and shows the command to `watch` once it has been started.
    pub(crate) fn run_watched(self, watch: impl FnOnce(&Attached)) -> Result<ExecResult> {
        let mut kept = Collector::new(self.max_output.unwrap_or(DEFAULT_MAX_OUTPUT));
        let mut started = self.start(Pace::WAITING, RecordKind::Run)?;
        watch(&started.attached);
        let ended = started.finish(&mut |kind, piece| kept.push(kind, piece));
        match ended {
            Ok(ended) => Ok(kept.into_result(ended)),
            Err(error) => Err(kept.into_error(error)),
        }
    }

    /// Starts the command, its script file in place if it needs one.
    pub(crate) fn start(self, pace: Pace, kind: RecordKind) -> Result<Started> {
        let recorder = self.sandbox.recorder().filter(|_| !self.unrecorded);
        let record = recorder.and_then(|recorder| recorder.begin(kind, &self.words()));
        match self.launch(pace) {
            Ok(mut started) => {
                started.record = record;
                if let Some(record) = &mut started.record {
                    record.started(started.attached.exec_id());
                }
                Ok(started)
            }
            Err(error) => {
                if let Some(record) = record {
                    record::fail_start(record, &error);
                }
                Err(error)
            }
        }
    }

    /// The command as its history shows it: the line, or the program and its arguments.
    fn words(&self) -> Vec<String> {
        let language = self.lang.clone().into_iter();
        match &self.command {
            Command::Shell(line) => language.chain([line.clone()]).collect(),
            Command::Argv(words) => language.chain(words.iter().cloned()).collect(),
        }
    }

    fn launch(self, pace: Pace) -> Result<Started> {
        let Ready {
            target,
            config,
            stdin,
            timeout,
            script,
            sandbox,
        } = self.prepare()?;
        let attached = Attached::start(target, config, stdin, timeout, pace)?;
        Ok(Started {
            attached,
            record: None,
            _script: script,
            sandbox,
        })
    }

    /// Checks everything and brings it into the engine's form.
    pub(crate) fn prepare(self) -> Result<Ready> {
        let marks = Marks::random()?;
        let lang = self.lang.as_deref().map(Lang::parse).transpose()?;
        let prepared = command::prepare(&self.command, lang, &marks)?;
        let target = self.sandbox.target(self.user.clone(), marks);
        let timeout = match self.timeout {
            Timeout::OfSandbox => self.sandbox.command_timeout(),
            Timeout::Never => None,
            Timeout::After(timeout) => Some(timeout),
        };
        let config = ExecConfig {
            command: prepared.argv,
            env: self.env.iter().map(variable).collect::<Result<_>>()?,
            workdir: self.workdir,
            user: self.user,
            ..ExecConfig::default()
        };
        let script = match prepared.script {
            Some((path, text)) => Some(ScriptFile::write(target.clone(), path, text)?),
            None => None,
        };
        Ok(Ready {
            target,
            config,
            stdin: self.stdin,
            timeout,
            script,
            sandbox: self.sandbox,
        })
    }

    /// The command with no limit on its time but one that was set for it.
    pub(crate) fn without_default_timeout(mut self) -> Self {
        if let Timeout::OfSandbox = self.timeout {
            self.timeout = Timeout::Never;
        }
        self
    }

    /// The size of the ring buffer that was asked for, if any.
    pub(crate) fn ring_len(&self) -> Option<usize> {
        self.buffer_len
    }

    /// The cap that was asked for, if any.
    pub(crate) fn output_cap(&self) -> Option<u64> {
        self.max_output
    }
}

/// A command that only has to be started.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) target: Target,
    pub(crate) config: ExecConfig,
    stdin: Option<Stdin>,
    timeout: Option<Duration>,
    pub(crate) script: Option<ScriptFile>,
    pub(crate) sandbox: Container,
}

/// A running command and what has to live as long as it.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) attached: Attached,
    record: Option<Box<dyn Record>>,
    _script: Option<ScriptFile>,
    /// Keeps a guarded sandbox from being removed under the command.
    pub(crate) sandbox: Container,
}

impl Started {
    /// As [`Attached::step`], and keeps a record of it.
    pub(crate) fn step(
        &mut self,
        sink: &mut dyn FnMut(StreamKind, &[u8]),
    ) -> Result<Option<Ended>> {
        let Some(mut record) = self.record.take() else {
            return self.attached.step(sink);
        };
        let outcome = self.attached.step(&mut |kind, piece| {
            record.add(kind, piece);
            sink(kind, piece);
        });
        match &outcome {
            Ok(None) => self.record = Some(record),
            Ok(Some(ended)) => record.finish(&ended.into_result()),
            Err(error) => record::fail(record, error),
        }
        outcome
    }

    /// As [`Attached::finish`], and keeps a record of it.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(StreamKind, &[u8])) -> Result<Ended> {
        loop {
            if let Some(ended) = self.step(sink)? {
                return Ok(ended);
            }
        }
    }
}

pub(crate) fn variable((name, value): &(String, String)) -> Result<String> {
    let pair = format!("{name}={value}");
    if name.is_empty() || name.contains('=') || pair.contains('\0') {
        return Err(Error::invalid(
            "variable",
            pair,
            "expected NAME=VALUE without NUL",
        ));
    }
    Ok(pair)
}

/// Output up to a cap, both streams together, and the count of the rest.
#[derive(Debug)]
pub(crate) struct Collector {
    left: u64,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    dropped_len: u64,
}

impl Collector {
    pub(crate) fn new(cap: u64) -> Self {
        Collector {
            left: cap,
            stdout: Vec::new(),
            stderr: Vec::new(),
            dropped_len: 0,
        }
    }

    pub(crate) fn push(&mut self, kind: StreamKind, piece: &[u8]) {
        let kept = take_under_cap(&mut self.left, piece);
        self.dropped_len += (piece.len() - kept.len()) as u64;
        match kind {
            StreamKind::Stdout => self.stdout.extend_from_slice(kept),
            StreamKind::Stderr => self.stderr.extend_from_slice(kept),
        }
    }

    /// Puts what there is into an error that cuts it short.
    pub(crate) fn into_error(self, error: Error) -> Error {
        error.with_output(self.stdout, self.stderr)
    }

    pub(crate) fn into_result(self, ended: Ended) -> ExecResult {
        let Collector {
            stdout,
            stderr,
            dropped_len,
            ..
        } = self;
        ExecResult {
            stdout,
            stderr,
            dropped_len,
            ..ended.into_result()
        }
    }
}

/// The part of `piece` that still fits, taken off what is `left`.
pub(crate) fn take_under_cap<'a>(left: &mut u64, piece: &'a [u8]) -> &'a [u8] {
    let most = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(piece.len());
    *left -= most as u64;
    piece.get(..most).unwrap_or_default()
}

/// A program too long for an argument, as a file in the sandbox; removed when dropped.
#[derive(Debug)]
pub(crate) struct ScriptFile {
    target: Target,
    path: String,
}

impl ScriptFile {
    fn write(target: Target, path: String, text: String) -> Result<Self> {
        let argv = ["sh", "-c", "umask 077; cat >\"$1\"", "sh", &path].map(str::to_owned);
        let config = ExecConfig {
            command: argv.to_vec(),
            user: target.user.clone(),
            ..ExecConfig::default()
        };
        let file = ScriptFile { target, path };
        let timeout = file.target.client.timeout();
        let stdin = Some(Stdin::from(text));
        let mut writing = Attached::start(
            file.target.clone(),
            config,
            stdin,
            Some(timeout),
            Pace::WAITING,
        )?;
        let mut complaint = Collector::new(4096);
        let ended = writing.finish(&mut |kind, piece| complaint.push(kind, piece))?;
        if ended.exit_code == 0 {
            return Ok(file);
        }
        if ended.end == End::TimedOut {
            let waiting_for = "a script that is written into the sandbox".to_owned();
            return Err(Error::Timeout {
                waiting_for,
                timeout,
            });
        }
        let reason = String::from_utf8_lossy(&complaint.stderr).trim().to_owned();
        Err(Error::CommandNotExecutable {
            command: "sh".to_owned(),
            reason,
        })
    }
}

impl Drop for ScriptFile {
    fn drop(&mut self) {
        let argv = ["sh", "-c", "rm -f \"$1\"; echo done", "sh", &self.path].map(str::to_owned);
        let config = ExecConfig {
            command: argv.to_vec(),
            user: self.target.user.clone(),
            ..ExecConfig::default()
        };
        let Target {
            client, container, ..
        } = &self.target;
        // Best effort: the file lies in the sandbox's memory and goes with it.
        let _gone = helper::answer(client, container, &config, "done", CLEANUP_TIMEOUT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_up_to_the_cap_and_counted_beyond() {
        let mut kept = Collector::new(5);
        kept.push(StreamKind::Stdout, b"abc");
        kept.push(StreamKind::Stderr, b"def");
        kept.push(StreamKind::Stdout, b"gh");
        assert_eq!(
            (&kept.stdout[..], &kept.stderr[..]),
            (&b"abc"[..], &b"de"[..])
        );
        assert_eq!(kept.dropped_len, 3);
    }

    #[test]
    fn output_that_just_fits_is_not_truncated() {
        let mut kept = Collector::new(3);
        kept.push(StreamKind::Stdout, b"abc");
        assert_eq!(kept.dropped_len, 0);
    }
}
