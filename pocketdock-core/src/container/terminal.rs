//! A command on a terminal in the sandbox: [`Terminal`].
//!
//! Its output is one raw stream, without frames, as the terminal's line discipline leaves it; its
//! input is keystrokes. The connection is never closed for writing only, because engines take
//! that for the end of everything; the end of input is Ctrl-D, as on any terminal.
//!
//! Docker watches the input for keys that detach, by default Ctrl-P Ctrl-Q, which a shell's user
//! types by accident. It is given a sequence that nobody types.
//!
//! Source: Docker Engine API, "Exec", `Tty`.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::container::exec::{Exec, Ready, ScriptFile};
use crate::container::handle::Container;
use crate::container::kill::{Scope, Signal};
use crate::container::launch;
use crate::container::result::{End, ExecResult};
use crate::container::target::Target;
use crate::engine::client::Streaming;
use crate::engine::deadline::Deadline;
use crate::engine::types::ExecState;
use crate::engine::{EngineKind, containers, exec};
use crate::error::{Error, Result};

/// What makes Docker leave a terminal: control characters that no keyboard sends in this order.
const DETACH_KEYS: &str = "ctrl-@,ctrl-^,ctrl-@,ctrl-_,ctrl-@";

/// How long an engine may take to have a new terminal ready for its size, and how often it is
/// asked meanwhile.
const RESIZE_PATIENCE: Duration = Duration::from_secs(10);
const RESIZE_PAUSE: Duration = Duration::from_millis(20);

/// How long an engine may go on saying that a command runs whose terminal is closed.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// How long a terminal may be silent before the engine is asked whether its command has ended, how
/// long its last output may then take, and how often the engine may leave that question open.
const SILENCE: Duration = Duration::from_secs(5);
const LAST_OUTPUT_WAIT: Duration = Duration::from_secs(1);
const UNANSWERED_MAX: u32 = 3;

/// How much of the output is kept to tell a failed launch by.
const LAUNCH_TEXT_MAX: usize = 4096;

/// The size of a terminal, in characters.
///
/// ```
/// use pocketdock_core::TerminalSize;
///
/// let size = TerminalSize { rows: 24, columns: 80 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// A command that runs on a terminal in the sandbox.
///
/// Dropping it before the command has ended hangs up: the command and everything that came from
/// it get SIGHUP and are killed if that is not enough.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, TerminalSize, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new())?;
/// let size = TerminalSize { rows: 24, columns: 80 };
/// let mut terminal = sandbox.exec(["sh"]).terminal(size)?;
/// terminal.handle().write(b"exit 3\r")?;
/// let mut buffer = [0; 4096];
/// while terminal.read(&mut buffer)? != 0 {}
/// assert_eq!(terminal.result()?.exit_code, 3);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Terminal {
    handle: TerminalHandle,
    streaming: Streaming,
    command: Vec<String>,
    started: Instant,
    /// Output that came before anybody read.
    early: Vec<u8>,
    /// The first output, which may be the engine's report of a failed launch.
    first: Vec<u8>,
    ended: bool,
    _script: Option<ScriptFile>,
    _sandbox: Container,
}

/// The way to a terminal from other threads: keystrokes, size, signals.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::TerminalSize;
///
/// let size = TerminalSize { rows: 24, columns: 80 };
/// let terminal = engine.open("box")?.exec(["sh"]).terminal(size)?;
/// let keyboard = terminal.handle();
/// std::thread::spawn(move || keyboard.write(b"exit\n"));
/// assert!(terminal.result()?.ok());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TerminalHandle {
    target: Target,
    connection: Arc<UnixStream>,
}

impl Exec {
    /// Starts the command on a terminal of this size.
    ///
    /// A timeout, `max_output` and `stdin` do not apply: whoever sits at a terminal ends its
    /// command.
    ///
    /// Engine endpoints: `POST /containers/{id}/exec`, `POST /exec/{id}/start`,
    /// `POST /exec/{id}/resize`.
    ///
    /// # Errors
    ///
    /// As [`run`](Exec::run), as far as starting goes.
    pub fn terminal(self, size: TerminalSize) -> Result<Terminal> {
        let Ready {
            mut target,
            mut config,
            script,
            sandbox,
            ..
        } = self.prepare()?;
        config.env.push(target.marks.variable());
        config.stdin = true;
        config.tty = true;
        if target.kind == EngineKind::Docker {
            DETACH_KEYS.clone_into(&mut config.detach_keys);
        }
        target.create_exec(&config)?;
        let started = Instant::now();
        let streaming =
            exec::start(&target.client, &target.exec_id, true).map_err(launch::start_error)?;
        let connection = streaming.body.connection().share();
        let mut terminal = Terminal {
            handle: TerminalHandle { target, connection },
            streaming,
            command: config.command,
            started,
            early: Vec::new(),
            first: Vec::new(),
            ended: false,
            _script: script,
            _sandbox: sandbox,
        };
        terminal.set_first_size(size)?;
        Ok(terminal)
    }
}

impl Terminal {
    /// The way to this terminal from other threads.
    #[must_use]
    pub fn handle(&self) -> TerminalHandle {
        self.handle.clone()
    }

    /// Waits for output and gives how much there was; 0 is the end.
    ///
    /// # Errors
    ///
    /// [`Error::SocketCommunication`] if the engine goes away, [`Error::Timeout`] if it is there
    /// and says nothing any more; [`Error::CommandNotFound`] and [`Error::CommandNotExecutable`] if
    /// the command could not be started.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = match self.early.is_empty() {
            true => self.read_now(buffer)?,
            false => take_front(&mut self.early, buffer),
        };
        let piece = buffer.get(..n).unwrap_or_default();
        let room = LAUNCH_TEXT_MAX
            .saturating_sub(self.first.len())
            .min(piece.len());
        self.first
            .extend_from_slice(piece.get(..room).unwrap_or_default());
        if n == 0 {
            self.check_launch(&self.first.clone())?;
        }
        Ok(n)
    }

    fn read_now(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut wait = SILENCE;
        let mut unanswered = 0;
        loop {
            let deadline = Deadline::after(wait);
            self.streaming.body.connection_mut().set_deadline(deadline);
            match self.streaming.body.read(buffer) {
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::ConnectionReset => return Ok(0),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        // Nothing has come since the engine said that this is the end.
                        if wait == LAST_OUTPUT_WAIT {
                            return Ok(0);
                        }
                        match self.has_ended() {
                            Ok(true) => wait = LAST_OUTPUT_WAIT,
                            Ok(false) => unanswered = 0,
                            Err(Error::Timeout { .. }) if unanswered < UNANSWERED_MAX => {
                                unanswered += 1;
                            }
                            Err(error) => return Err(error),
                        }
                    }
                    _ => return Err(self.streaming.failure(&error)),
                },
                Ok(n) => return Ok(n),
            }
        }
    }

    /// Gives the terminal its first size, once it is there. Docker would let the request wait for
    /// ten seconds if the command could not be started.
    fn set_first_size(&mut self, size: TerminalSize) -> Result<()> {
        let Target {
            client, exec_id, ..
        } = self.handle.target.clone();
        let patience = Deadline::after(RESIZE_PATIENCE);
        while !patience.has_passed() {
            match exec::inspect(&client, &exec_id)? {
                Some(state) if state.running && state.pid != 0 => match self.handle.resize(size) {
                    Err(Error::Engine { .. }) => {}
                    other => return other,
                },
                Some(state) if state.exit_code.is_none() => {}
                _ => return self.refuse_failed_launch(), // It has ended, or was never started.
            }
            if self.read_early()? {
                return self.refuse_failed_launch();
            }
        }
        Ok(()) // A terminal of the wrong size is better than none.
    }

    /// Fails if what has come is the engine's report that there is no command.
    fn refuse_failed_launch(&mut self) -> Result<()> {
        let patience = Deadline::after(LAST_OUTPUT_WAIT);
        while self.early.len() < LAUNCH_TEXT_MAX && !patience.has_passed() && !self.read_early()? {}
        self.check_launch(&self.early.clone())
    }

    /// Keeps for later what comes in the next moment; whether it has come to its end.
    fn read_early(&mut self) -> Result<bool> {
        let deadline = Deadline::after(RESIZE_PAUSE);
        self.streaming.body.connection_mut().set_deadline(deadline);
        let mut buffer = [0; LAUNCH_TEXT_MAX];
        match self.streaming.body.read(&mut buffer) {
            Ok(0) => Ok(true),
            Ok(n) => {
                self.early
                    .extend_from_slice(buffer.get(..n).unwrap_or_default());
                Ok(false)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionReset => Ok(true),
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(false),
                _ => Err(self.streaming.failure(&error)),
            },
        }
    }

    fn has_ended(&self) -> Result<bool> {
        let Target {
            client, exec_id, ..
        } = &self.handle.target;
        let state = exec::inspect(client, exec_id)?;
        Ok(state.is_none_or(|state| !state.running))
    }

    /// Fails if this, which has come first, is the engine's report that there is no command.
    fn check_launch(&mut self, output: &[u8]) -> Result<()> {
        let Target {
            client,
            container,
            exec_id,
            ..
        } = &self.handle.target;
        let Some(state) = exec::inspect(client, exec_id)? else {
            return Ok(());
        };
        self.ended = !state.running;
        let failure = launch::failure(&state, output, &self.command, container);
        failure.map_or(Ok(()), Err)
    }

    /// How the command ended, once [`read`](Self::read) has given 0.
    ///
    /// # Errors
    ///
    /// [`Error::ContainerGone`] if the sandbox was removed; [`Error::Timeout`] if the command
    /// outlives its terminal, which leaves it alone.
    pub fn result(mut self) -> Result<ExecResult> {
        self.ended = true; // What outlives its terminal is left alone.
        let exit_code = self.await_end()?;
        Ok(ExecResult {
            exit_code,
            stdout: Vec::new(),
            stderr: Vec::new(),
            duration: self.started.elapsed(),
            end: End::from_code(exit_code),
            dropped_len: 0,
        })
    }

    fn await_end(&self) -> Result<i32> {
        let target = &self.handle.target;
        let began = Instant::now();
        while began.elapsed() < END_PATIENCE {
            match exec::inspect(&target.client, &target.exec_id)? {
                Some(ExecState {
                    running: false,
                    exit_code: Some(code),
                    ..
                }) => return Ok(code),
                Some(_) if is_up(target)? => thread::sleep(RESIZE_PAUSE),
                // Its sandbox has stopped under it, which kills.
                _ => return Ok(128 + i32::from(Signal::KILL.number())),
            }
        }
        let waiting_for = "the end of a command whose terminal is closed".to_owned();
        Err(Error::Timeout {
            waiting_for,
            timeout: END_PATIENCE,
        })
    }
}

/// Whether the container runs.
fn is_up(target: &Target) -> Result<bool> {
    match containers::inspect(&target.client, &target.container) {
        Ok(found) => Ok(found.bool_at(&["State", "Running"]).unwrap_or_default()),
        Err(Error::ContainerNotFound { .. }) => Err(target.gone()),
        Err(error) => Err(error),
    }
}

impl TerminalHandle {
    /// Sends keystrokes.
    ///
    /// # Errors
    ///
    /// [`Error::SocketCommunication`] if the command has ended or the engine has gone.
    pub fn write(&self, keys: &[u8]) -> Result<()> {
        (&*self.connection)
            .write_all(keys)
            .map_err(|error| Error::SocketCommunication {
                endpoint: format!("POST /exec/{}/start", self.target.exec_id),
                reason: error.to_string(),
                output: Box::default(),
            })
    }

    /// Tells the terminal its size, which its programs learn by SIGWINCH.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::TerminalSize;
    ///
    /// let mut terminal = sandbox.exec(["top"]).terminal(TerminalSize { rows: 24, columns: 80 })?;
    /// let handle = terminal.handle();
    /// handle.resize(TerminalSize { rows: 50, columns: 132 })?;
    /// let clock = std::thread::spawn(move || {
    ///     std::thread::sleep(std::time::Duration::from_secs(60));
    ///     handle.hang_up();
    /// });
    /// while terminal.read(&mut [0; 4096])? != 0 {}
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] if the command has ended.
    pub fn resize(&self, size: TerminalSize) -> Result<()> {
        exec::resize(
            &self.target.client,
            &self.target.exec_id,
            size.rows,
            size.columns,
        )
    }

    /// Sends a signal to the command or to it and everything that came from it.
    ///
    /// # Errors
    ///
    /// As [`ExecHandle::kill`](crate::ExecHandle::kill).
    pub fn kill(&self, signal: Signal, scope: Scope) -> Result<()> {
        self.target.kill(signal, scope)
    }

    /// Closes the connection, which ends [`Terminal::read`] on another thread.
    pub fn hang_up(&self) {
        let _ended_already = self.connection.shutdown(Shutdown::Both);
    }
}

/// Moves as much as there is room for; how much.
fn take_front(from: &mut Vec<u8>, to: &mut [u8]) -> usize {
    let mut len = 0;
    for (slot, byte) in to.iter_mut().zip(from.iter()) {
        *slot = *byte;
        len += 1;
    }
    from.drain(..len);
    len
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is left to be told. A process that survives the first ends with the second.
            let _hung_up = self.handle.kill(Signal::HUP, Scope::Tree);
            let _killed = self.handle.kill(Signal::KILL, Scope::Tree);
        }
        self.handle.hang_up();
    }
}
