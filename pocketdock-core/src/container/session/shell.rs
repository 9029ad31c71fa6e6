//! A shell that stays: one exec instance that runs command after command.
//!
//! A thread reads from it and drives what has to be done on time (`reader.rs`). Whoever waits for a
//! result only waits (`link.rs`), and aborts the command when the time is up (`abort.rs`).
//!
//! Only one command is written at a time. What a signal may cut off is then never more than that.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::container::callbacks::{self, Callbacks};
use crate::container::handle::Container;
use crate::container::kill::{Marks, Signal};
use crate::container::launch;
use crate::container::oom;
use crate::container::patience::{Endless, Patience, Wake};
use crate::container::result::{End, ExecResult};
use crate::container::ring::BufferSnapshot;
use crate::container::session::link::Link;
use crate::container::session::reader::{FATE_TIMEOUT, Reader};
use crate::container::session::seat::Seat;
use crate::container::session::state::{Cause, Job, State, Ticket};
use crate::container::session::text::Dialect;
use crate::engine::deadline::Deadline;
use crate::engine::exec::{self, ExecConfig};
use crate::error::{Error, Result};
use crate::host;

/// How long a shell may take to answer its first line.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a write may wait for a shell that does not read: a frozen one does not, and one whose
/// jobs flood a busy engine may take seconds.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the killing of what is left may take when a shell is dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(crate) dialect: Dialect,
    /// What is to be run, to name it in errors.
    pub(crate) program: String,
    pub(crate) config: ExecConfig,
    pub(crate) marks: Marks,
}

/// A resident shell and the thread that reads from it.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) link: Arc<Link>,
    seat: Arc<Seat>,
    reader: Mutex<Option<JoinHandle<()>>>,
    /// Keeps a guarded sandbox from being removed under the shell.
    _sandbox: Container,
}

impl Shell {
    pub(crate) fn start(sandbox: &Container, launch: Launch) -> Result<Self> {
        let Launch {
            dialect,
            program,
            mut config,
            marks,
        } = launch;
        let state = State::new(dialect, marks.limit_kib());
        let mut target = sandbox.target(config.user.clone(), marks);
        config.env.push(target.marks.variable());
        config.stdin = true;
        target.create_exec(&config)?;
        let streaming =
            exec::start(&target.client, &target.exec_id, false).map_err(launch::start_error)?;
        let socket = streaming.body.connection().share();
        socket
            .set_write_timeout(Some(WRITE_TIMEOUT))
            .map_err(|error| Error::io("set a socket's timeout", error))?;
        let link = Arc::new(Link::new(target, socket, state, config.command, program));
        let seat = Arc::new(Seat::new(Reader::new(Arc::clone(&link), streaming)));
        let reader = host::spawn("pocketdock-shell", {
            let (link, seat) = (Arc::clone(&link), Arc::clone(&seat));
            move || seat.follow_to_end(&link)
        })?;
        let shell = Shell {
            link,
            seat,
            reader: Mutex::new(Some(reader)),
            _sandbox: sandbox.clone(),
        };
        shell.greet()?;
        Ok(shell)
    }

    /// Waits until the shell is resident.
    fn greet(&self) -> Result<()> {
        let nonce = self.link.nonce()?;
        self.link.say(|state| Some(state.greet(nonce)));
        let deadline = Deadline::after(START_TIMEOUT);
        let mut state = self
            .link
            .wait_until(deadline, |s| s.is_open() || s.is_closed());
        if state.is_open() {
            return Ok(());
        }
        if state.is_closed() {
            return Err(state.closed_error());
        }
        Err(Error::Timeout {
            waiting_for: format!("the first answer of '{}'", self.link.program),
            timeout: START_TIMEOUT,
        })
    }

    /// Takes a command; it begins when those before it have ended.
    pub(crate) fn submit(&self, job: Job) -> Result<Ticket> {
        let ticket = self.begin(job)?;
        self.seat.call_thread();
        Ok(ticket)
    }

    fn begin(&self, job: Job) -> Result<Ticket> {
        let ticket = self.link.state().submit(job)?;
        // The reader goes on by itself after each callback, and a long write could wait for it.
        if !self.is_reader() {
            self.link.go_on()?;
        }
        Ok(ticket)
    }

    fn is_reader(&self) -> bool {
        self.seat.is_taken_by_this_thread()
    }

    /// Refuses what waits for the reader to a callback, which is called by it.
    fn refuse_callback(&self, call: &str) -> Result<()> {
        match self.is_reader() {
            true => Err(callbacks::waits_for_itself(call)),
            false => Ok(()),
        }
    }

    /// Runs a command to its end, until `timeout` has passed, or until nobody waits any more.
    pub(crate) fn run(
        &self,
        job: Job,
        timeout: Option<Duration>,
        patience: &dyn Patience,
    ) -> Result<ExecResult> {
        self.refuse_callback("send_and_wait")?;
        let deadline = Deadline::after_some(timeout);
        let kills_before = self.link.target.kill_count();
        let ticket = self.begin(job)?;
        self.seat.lead(&self.link, ticket, deadline);
        patience.wake_by(self.nudger());
        let mut result = match self.link.wait_for(ticket, deadline, patience) {
            Some(outcome) => outcome?,
            None => self.give_up(ticket, timeout.unwrap_or_default())?,
        };
        if result.end == End::Signaled(i32::from(Signal::KILL.number())) {
            let target = &self.link.target;
            let unaccounted = || oom::unaccounted(&target.client, &target.container);
            if target.has_killed_since(kills_before).or_else(unaccounted) == Some(true) {
                result.end = End::OomKilled;
            }
        }
        Ok(result)
    }

    /// What lets those who wait ask whether they still should.
    fn nudger(&self) -> Wake {
        let link = Arc::clone(&self.link);
        Box::new(move || {
            let _seen_by_all = link.state();
            link.changed.notify_all();
        })
    }

    /// The time of a command is up.
    fn give_up(&self, ticket: Ticket, timeout: Duration) -> Result<ExecResult> {
        let late = Error::Timeout {
            waiting_for: "the commands before this one".to_owned(),
            timeout,
        };
        let deadline = Deadline::after(FATE_TIMEOUT);
        loop {
            if self.link.state().withdraw(ticket) {
                return Err(late);
            }
            self.link.abort(ticket, Cause::TimedOut)?;
            // Aborted, it has reported, or its shell has been closed. One that the shell did not
            // take just now is in the queue again, or begun again.
            let now = Deadline::after(Duration::ZERO);
            match self.link.wait_for(ticket, now, &Endless) {
                Some(outcome) => return outcome,
                None if deadline.has_passed() => return Err(late),
                None => {}
            }
        }
    }

    /// Aborts the command in flight, if there is one; never one that begins later.
    pub(crate) fn interrupt(&self) -> Result<()> {
        self.refuse_callback("interrupt")?;
        let in_flight = self.link.state().in_flight();
        in_flight.map_or(Ok(()), |ticket| self.link.abort(ticket, Cause::Interrupted))
    }

    pub(crate) fn program(&self) -> &str {
        &self.link.program
    }

    pub(crate) fn id(&self) -> &str {
        &self.link.target.exec_id
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.link.state().is_closed()
    }

    /// Takes the output that belongs to no result.
    pub(crate) fn read(&self) -> BufferSnapshot {
        self.link.state().unread().take()
    }

    pub(crate) fn callbacks(&self) -> &Callbacks {
        &self.link.callbacks
    }

    /// Ends the shell with everything that came from it.
    pub(crate) fn close(&self) -> Result<()> {
        self.link.closing.store(true, Ordering::Release);
        self.link.hang_up();
        self.seat.call_thread();
        let killed = self.link.kill(DROP_TIMEOUT);
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader.filter(|_| !self.is_reader()) {
            reader.thread().unpark();
            // A callback's panic has been contained; there is no other.
            let _panic = reader.join();
        }
        match killed {
            // With its container the shell is gone, too.
            Err(
                Error::ContainerNotFound { .. }
                | Error::ContainerNotRunning { .. }
                | Error::ContainerGone { .. },
            ) => Ok(()),
            other => other,
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Nobody is left to be told; what cannot be reached is gone with its sandbox.
        let _killed = self.close();
    }
}
