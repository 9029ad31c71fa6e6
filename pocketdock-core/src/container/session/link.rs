//! What the thread that reads from a resident shell and those who wait for it share.
//!
//! Whoever has something to write to the shell does it here, one at a time; whoever waits is woken
//! here. What has become of a command is in the state (`state.rs`).

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::container::callbacks::Callbacks;
use crate::container::kill::{Scope, Signal};
use crate::container::patience::Patience;
use crate::container::record::{self, Record};
use crate::container::result::{End, ExecResult};
use crate::container::session::marker::Nonce;
use crate::container::session::state::{POLL_FIRST, Seen, State, Ticket};
use crate::container::session::text::Hello;
use crate::container::target::Target;
use crate::engine::deadline::Deadline;
use crate::engine::{client::Client, containers};
use crate::error::{Error, Result};
use crate::host;

/// How many nonces are drawn at a time.
const NONCES_DRAWN: usize = 32;

/// How long one question to the engine may take when there is no output to be read any more.
pub(super) const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// What the reader and the callers share.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) target: Target,
    pub(super) socket: Arc<UnixStream>,
    state: Mutex<State>,
    pub(crate) changed: Condvar,
    /// Held from the decision to write something until it is written. What is written late would
    /// land in the middle of something else.
    pub(super) pen: Mutex<()>,
    /// Whether the shell is being ended by us.
    pub(super) closing: AtomicBool,
    nonces: Mutex<Vec<Nonce>>,
    pub(super) callbacks: Callbacks,
    pub(super) command: Vec<String>,
    pub(super) program: String,
    begun: Instant,
    record: Mutex<Option<Box<dyn Record>>>,
}

impl Link {
    pub(super) fn new(
        target: Target,
        socket: Arc<UnixStream>,
        state: State,
        command: Vec<String>,
        program: String,
    ) -> Self {
        Link {
            target,
            socket,
            state: Mutex::new(state),
            changed: Condvar::new(),
            pen: Mutex::new(()),
            closing: AtomicBool::new(false),
            nonces: Mutex::default(),
            callbacks: Callbacks::default(),
            command,
            program,
            begun: Instant::now(),
            record: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held: callbacks run without it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that was never used. Many are drawn at a time: small commands follow each other fast.
    pub(crate) fn nonce(&self) -> Result<Nonce> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(nonce) = nonces.pop() {
                return Ok(nonce);
            }
            let digits = host::random_hex::<{ NONCES_DRAWN * size_of::<Nonce>() / 2 }>()?;
            let drawn = digits.as_bytes().chunks_exact(size_of::<Nonce>());
            nonces.extend(drawn.filter_map(|digits| Nonce::try_from(digits).ok()));
        }
    }

    /// Waits for a change that makes `is_so` true, or for the deadline.
    pub(crate) fn wait_until(
        &self,
        deadline: Deadline,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while !is_so(&state) && !deadline.has_passed() {
            let most = deadline.at_most(Duration::from_secs(3600));
            let waited = self.changed.wait_timeout(state, most);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// The outcome of a command; `None` if the deadline passes before, or nobody waits.
    pub(super) fn wait_for(
        &self,
        ticket: Ticket,
        deadline: Deadline,
        patience: &dyn Patience,
    ) -> Option<Result<ExecResult>> {
        let is_enough = |s: &State| s.is_over(ticket) || patience.is_over();
        let soon = Deadline::after(deadline.at_most(POLL_FIRST));
        let is_quick = is_enough(&self.wait_until(soon, is_enough));
        // The reader may have fallen asleep before the command began, and look after it late.
        if !is_quick && !deadline.has_passed() {
            self.say(State::due_resync);
        }
        let mut state = self.wait_until(deadline, is_enough);
        match state.take_result(ticket) {
            None if state.is_closed() => Some(Err(state.closed_error())),
            outcome => outcome,
        }
    }

    /// Whether nothing but the next command is to be read for, and nobody listens beside.
    pub(super) fn may_be_led(&self) -> bool {
        self.state().is_idle() && !self.callbacks.has_output()
    }

    /// Begins the next command if none is in flight.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.state().wants_to_begin() {
            let nonce = self.nonce()?;
            if self.say(|state| state.begin(nonce)) {
                self.state().written(&nonce);
            }
        }
        Ok(())
    }

    /// Ends the session if its shell has given up the command in flight.
    pub(super) fn look(&self) -> Result<()> {
        let Some(ticket) = self.state().in_flight() else {
            return Ok(());
        };
        // There may be no process left for a look.
        let seen = self.seen().unwrap_or(Seen::Nothing);
        match self.state().note_look(ticket, seen) {
            true => Err(Error::SessionClosed { exit_code: None }),
            false => Ok(()),
        }
    }

    /// Writes what the state has to say now, if anything; whether it had.
    pub(crate) fn say(&self, what: impl FnOnce(&mut State) -> Option<Vec<u8>>) -> bool {
        let _pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = what(&mut self.state());
        if let Some(text) = &text {
            self.write(text);
        }
        text.is_some()
    }

    /// Writes to the shell. One that cannot be written to is hung up on, which its reader sees.
    pub(super) fn write(&self, text: &[u8]) {
        let mut socket = &*self.socket;
        if socket.write_all(text).is_err() {
            self.hang_up();
        }
    }

    pub(super) fn hang_up(&self) {
        let _closed_already = self.socket.shutdown(Shutdown::Both);
    }

    /// Kills the shell and everything that came from it.
    pub(crate) fn kill(&self, timeout: Duration) -> Result<()> {
        let mut target = self.target.clone();
        target.client = target.client.at_most(timeout);
        target.kill(Signal::KILL, Scope::Tree)
    }

    /// Closes the shell because of `error`.
    pub(crate) fn fail(&self, error: Error) {
        self.state().close(Err(error));
        self.hang_up();
        self.changed.notify_all();
    }

    pub(super) fn client(&self) -> Client {
        self.target.client.at_most(ASK_TIMEOUT)
    }

    /// The error for a container that does not run, the shell with it.
    pub(super) fn container_error(&self) -> Option<Error> {
        let container = self.target.container.to_string();
        match containers::inspect(&self.client(), &container) {
            Ok(found) => match found.str_at(&["State", "Status"]) {
                Some("running") | None => None,
                Some(status) => Some(Error::ContainerNotRunning {
                    container,
                    status: status.to_owned(),
                    output: Box::default(),
                }),
            },
            Err(Error::ContainerNotFound { container }) => Some(Error::ContainerGone {
                container,
                output: Box::default(),
            }),
            Err(error) => Some(error),
        }
    }
}

impl Link {
    fn record(&self) -> MutexGuard<'_, Option<Box<dyn Record>>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.record().is_some()
    }

    pub(super) fn with_record(&self, write: impl FnOnce(&mut dyn Record)) {
        if let Some(record) = self.record().as_mut() {
            write(record.as_mut());
        }
    }

    /// Lets everything that is still to come be recorded.
    pub(crate) fn record_with(&self, mut record: Box<dyn Record>) {
        record.started(&self.target.exec_id);
        *self.record() = Some(record);
    }

    /// Puts a command of the session into its record.
    pub(crate) fn note_command(&self, command: &[u8]) {
        self.with_record(|record| {
            record.note(&format!(
                "$ {}",
                String::from_utf8_lossy(command).trim_end()
            ));
        });
    }

    pub(super) fn end_record(&self, fate: std::result::Result<&i32, &Error>) {
        let Some(record) = self.record().take() else {
            return;
        };
        match fate {
            Ok(&exit_code) => record.finish(&ExecResult {
                exit_code,
                stdout: Vec::new(),
                stderr: Vec::new(),
                duration: self.begun.elapsed(),
                end: End::Exited,
                dropped_len: 0,
            }),
            Err(error) => record::fail(record, error),
        }
    }

    /// The shell's process ID in its container.
    pub(crate) fn hello(&self) -> Option<Hello> {
        self.state().hello()
    }
}
