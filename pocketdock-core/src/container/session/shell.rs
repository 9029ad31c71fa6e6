//! A shell that stays: one exec instance that runs command after command.
//!
//! A reader thread takes the output apart and drives what has to be done on time: it begins queued
//! commands, makes a shell that has lost its place report, and asks the engine whether the shell is
//! still there, since the end of an exec's output may come seconds late. Whoever waits for a result
//! only waits, and aborts the command when the time is up (`abort.rs`).
//!
//! Only one command is written at a time. What a signal may cut off is then never more than that.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use crate::container::callbacks::Callbacks;
use crate::container::handle::Container;
use crate::container::helper;
use crate::container::kill::{Marks, Scope, Signal};
use crate::container::launch;
use crate::container::oom;
use crate::container::output::{Splitters, StreamKind, next_piece};
use crate::container::patience::{Endless, Patience, Wake};
use crate::container::record::{self, Record};
use crate::container::result::{End, ExecResult};
use crate::container::ring::BufferSnapshot;
use crate::container::session::marker::Nonce;
use crate::container::session::state::{Cause, Job, POLL_FIRST, Poll, Seen, State, Ticket};
use crate::container::session::text::{Dialect, Hello};
use crate::container::target::{AskPatience, Target};
use crate::engine::client::Streaming;
use crate::engine::deadline::Deadline;
use crate::engine::exec::{self, ExecConfig};
use crate::engine::{client::Client, containers};
use crate::error::{Error, Result};
use crate::host;
use crate::wire::frame::Demuxer;

const BUFFER_LEN: usize = 64 * 1024;

/// The longest command that the reader writes by itself: less than an engine's socket holds.
const TEXT_LEN_AT_ONCE: usize = 16 * 1024;

/// How many nonces are drawn at a time.
const NONCES_DRAWN: usize = 32;

/// How long a shell may take to answer its first line.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to stay awake for a result: a small command takes less time than falling asleep and
/// being woken does.
const AWAKE_TIME: Duration = Duration::from_micros(300);

/// How long a write may wait for a shell that does not read: a frozen one does not, and one whose
/// jobs flood a busy engine may take seconds.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to read on, in sum, after the shell has ended and something holds its output open.
const DRAIN_WAIT: Duration = Duration::from_millis(200);

/// How long the engine may take to say how a shell has ended whose output is closed.
const FATE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a shell comes to that is killed. That may be the first sign of a container that stops, of
/// which an engine still says then that it runs.
const KILLED_EXIT_CODE: i32 = 137;

const FATE_POLL_FIRST: Duration = Duration::from_millis(2);
const FATE_POLL_MAX: Duration = Duration::from_millis(250);

/// How long one question to the engine may take when there is no output to be read any more.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

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
    reader: Mutex<Option<JoinHandle<()>>>,
    reader_id: ThreadId,
    /// Keeps a guarded sandbox from being removed under the shell.
    _sandbox: Container,
}

/// What the reader and the callers share.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) target: Target,
    socket: Arc<UnixStream>,
    state: Mutex<State>,
    pub(crate) changed: Condvar,
    /// Held from the decision to write something until it is written. What is written late would
    /// land in the middle of something else.
    pen: Mutex<()>,
    /// Whether the shell is being ended by us.
    closing: AtomicBool,
    nonces: Mutex<Vec<Nonce>>,
    callbacks: Callbacks,
    command: Vec<String>,
    program: String,
    begun: Instant,
    record: Mutex<Option<Box<dyn Record>>>,
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
        let streaming = exec::start(&target.client, &target.exec_id, false)
            .map_err(|error| launch::start_error(error, &config.command))?;
        let socket = streaming.body.connection().share();
        socket
            .set_write_timeout(Some(WRITE_TIMEOUT))
            .map_err(|error| Error::io("set a socket's timeout", error))?;
        let link = Arc::new(Link {
            target,
            socket,
            state: Mutex::new(state),
            changed: Condvar::new(),
            pen: Mutex::new(()),
            closing: AtomicBool::new(false),
            nonces: Mutex::default(),
            callbacks: Callbacks::default(),
            command: config.command,
            program,
            begun: Instant::now(),
            record: Mutex::default(),
        });
        let reader = host::spawn("pocketdock-shell", {
            let link = Arc::clone(&link);
            move || Reader::new(&link, streaming).run()
        })?;
        let shell = Shell {
            link,
            reader_id: reader.thread().id(),
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
        let ticket = self.link.state().submit(job)?;
        self.link.go_on()?;
        Ok(ticket)
    }

    /// Runs a command to its end, until `timeout` has passed, or until nobody waits any more.
    pub(crate) fn run(
        &self,
        job: Job,
        timeout: Option<Duration>,
        patience: &dyn Patience,
    ) -> Result<ExecResult> {
        if thread::current().id() == self.reader_id {
            return Err(Error::invalid(
                "call",
                "send_and_wait",
                "a callback cannot wait for the thread that it runs on",
            ));
        }
        let deadline = Deadline::after_some(timeout);
        let ticket = self.submit(job)?;
        patience.wake_by(self.nudger());
        let mut result = match self.link.wait_for(ticket, deadline, patience) {
            Some(outcome) => outcome?,
            None => self.give_up(ticket, timeout.unwrap_or_default())?,
        };
        if result.end == End::Signaled(i32::from(Signal::KILL.number())) {
            let Target {
                client, container, ..
            } = &self.link.target;
            if oom::happened(client, container) {
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
        let killed = self.link.kill(DROP_TIMEOUT);
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader.filter(|_| thread::current().id() != self.reader_id) {
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

impl Link {
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
    fn wait_for(
        &self,
        ticket: Ticket,
        deadline: Deadline,
        patience: &dyn Patience,
    ) -> Option<Result<ExecResult>> {
        let is_over = |s: &State| s.has_result(ticket) || s.is_closed();
        let began = Instant::now();
        while began.elapsed() < AWAKE_TIME && !is_over(&self.state()) {
            thread::yield_now();
        }
        let is_enough = |s: &State| is_over(s) || patience.is_over();
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
    fn look(&self) -> Result<()> {
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
    fn write(&self, text: &[u8]) {
        let mut socket = &*self.socket;
        if socket.write_all(text).is_err() {
            self.hang_up();
        }
    }

    fn hang_up(&self) {
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

    fn client(&self) -> Client {
        self.target.client.at_most(ASK_TIMEOUT)
    }

    /// The error for a container that does not run, the shell with it.
    fn container_error(&self) -> Option<Error> {
        let container = self.target.container.to_string();
        match containers::inspect(&self.client(), &container) {
            Ok(found) => match found.str_at(&["State", "Status"]) {
                Some("running") | None => None,
                Some(status) => Some(Error::ContainerNotRunning {
                    container,
                    status: status.to_owned(),
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

/// The work of the reader thread.
struct Reader<'a> {
    link: &'a Arc<Link>,
    streaming: Streaming,
    /// Writes a long command.
    writer: Helper,
    /// Has a look at a silent one.
    looker: Helper,
    ask_patience: AskPatience,
    demuxer: Demuxer,
    text: Splitters,
}

/// A thread beside the reader, for what would keep it from reading. An error of it ends the shell.
#[derive(Debug, Default)]
struct Helper(Option<JoinHandle<()>>);

impl Helper {
    fn is_free(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Starts it, when what it did before is done.
    fn start(&mut self, link: &Arc<Link>, work: fn(&Link) -> Result<()>) -> Result<()> {
        self.join();
        let link = Arc::clone(link);
        self.0 = Some(host::spawn("pocketdock-shell", move || {
            if let Err(error) = work(&link) {
                link.fail(error);
            }
        })?);
        Ok(())
    }

    fn join(&mut self) {
        if let Some(thread) = self.0.take() {
            // It does nothing that panics.
            let _panic = thread.join();
        }
    }
}

/// What one look at the output has brought.
enum Step {
    Output,
    Nothing,
    End,
}

impl<'a> Reader<'a> {
    fn new(link: &'a Arc<Link>, streaming: Streaming) -> Self {
        Reader {
            link,
            streaming,
            writer: Helper::default(),
            looker: Helper::default(),
            ask_patience: AskPatience::first(),
            demuxer: Demuxer::default(),
            text: Splitters::default(),
        }
    }

    fn run(mut self) {
        let fate = self.follow();
        let fate = match fate {
            Ok(exit_code) => self.check_launch(exit_code),
            Err(error) => Err(error),
        };
        self.link.end_record(fate.as_ref());
        self.link.state().close(fate);
        self.link.hang_up();
        self.link.changed.notify_all();
        self.writer.join();
        self.looker.join();
        self.let_go_of_callbacks();
    }

    /// Gives them what is left, and drops them: one that holds its own session, and with it the
    /// sandbox, would keep both alive for ever.
    fn let_go_of_callbacks(&mut self) {
        let Link {
            callbacks, target, ..
        } = &**self.link;
        for (stream, rest) in self.text.finish() {
            if !rest.is_empty() {
                callbacks.output(&target.exec_id, stream, &rest);
            }
        }
        callbacks.clear();
    }

    /// Reads to the end of the shell and gives its exit code.
    fn follow(&mut self) -> Result<i32> {
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            let wait = self.link.state().wait();
            match self.read(&mut buffer, wait)? {
                Step::End => return self.whole_fate(),
                // Output is no reason not to look: a job in the background may write for ever.
                Step::Output | Step::Nothing => {
                    if self.poll()? {
                        self.drain(&mut buffer)?;
                        return self.fate();
                    }
                }
            }
            self.go_on()?;
        }
    }

    /// Begins the next command. A long one is written by another thread: an engine may stop
    /// taking input until the output of a job in the background has been read.
    fn go_on(&mut self) -> Result<()> {
        let is_long = {
            let state = self.link.state();
            state.wants_to_begin() && TEXT_LEN_AT_ONCE < state.next_len()
        };
        if !is_long {
            return self.link.go_on();
        }
        self.writer.start(self.link, Link::go_on)
    }

    fn read(&mut self, buffer: &mut [u8], wait: Duration) -> Result<Step> {
        let deadline = Deadline::after(wait.max(Duration::from_millis(1)));
        self.streaming.body.connection_mut().set_deadline(deadline);
        match self.streaming.body.read(buffer) {
            Ok(0) => Ok(Step::End),
            Ok(n) => {
                self.deliver(buffer.get(..n).unwrap_or_default())?;
                Ok(Step::Output)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(Step::Nothing),
                // The engine, or we, have hung up; what the shell came to is asked for.
                _ => Ok(Step::End),
            },
        }
    }

    /// Takes what was read apart.
    fn deliver(&mut self, mut input: &[u8]) -> Result<()> {
        let mut news = false;
        while let Some((stream, piece)) =
            next_piece(&mut self.demuxer, &mut input, &self.streaming)?
        {
            news |= self.pass(stream, piece);
        }
        if news {
            self.link.changed.notify_all();
        }
        Ok(())
    }

    fn pass(&mut self, stream: StreamKind, piece: &[u8]) -> bool {
        let is_heard = self.link.callbacks.has_output();
        if !is_heard && !self.link.is_recorded() {
            return self.link.state().take_in(stream, piece, None);
        }
        let mut heard = Vec::new();
        let news = self.link.state().take_in(stream, piece, Some(&mut heard));
        self.link.with_record(|record| record.add(stream, &heard));
        if !is_heard {
            return news;
        }
        let whole = self.text.push(stream, &heard);
        if !whole.is_empty() {
            let id = &self.link.target.exec_id;
            self.link.callbacks.output(id, stream, &whole);
        }
        news
    }

    /// Does what is due; whether the shell turns out to have ended.
    fn poll(&mut self) -> Result<bool> {
        // The reader cannot wait for whoever writes, who may wait for it.
        let pen = match self.link.pen.try_lock() {
            Ok(pen) => pen,
            Err(TryLockError::Poisoned(pen)) => pen.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        let poll = self.link.state().poll();
        if let Poll::Resync(text) = &poll {
            self.link.write(text);
        }
        drop(pen);
        match poll {
            Poll::Nothing | Poll::Resync(_) => Ok(false),
            Poll::Ask => self.ask(),
            Poll::Look => {
                // Beside the reading: a busy engine may take seconds.
                if self.looker.is_free() {
                    self.looker.start(self.link, Link::look)?;
                }
                self.ask()
            }
        }
    }

    fn ask(&mut self) -> Result<bool> {
        let client = self.ask_patience.client(&self.link.target.client);
        let answer = exec::inspect(&client, &self.link.target.exec_id);
        self.ask_patience.learn(&answer);
        self.link.state().asked();
        match answer {
            Ok(Some(state)) if state.running => match self.link.container_error() {
                // The engine is busy with something else on this container.
                Some(Error::Timeout { .. }) | None => Ok(false),
                Some(error) => Err(error),
            },
            Ok(_) => Ok(true),
            Err(Error::Timeout { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what the shell has left behind; something else may hold the output open for ever.
    fn drain(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut left = DRAIN_WAIT;
        while !left.is_zero() {
            let began = Instant::now();
            match self.read(buffer, left)? {
                Step::Output => left = left.saturating_sub(began.elapsed()),
                Step::Nothing | Step::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// The same where the output must not have ended inside a frame: that is a connection that
    /// broke, which ends a shell, and what it was running has no result.
    fn whole_fate(&self) -> Result<i32> {
        let exit_code = self.fate()?;
        if self.demuxer.at_boundary() || self.link.closing.load(Ordering::Acquire) {
            return Ok(exit_code);
        }
        Err(self.streaming.failure(&io::ErrorKind::UnexpectedEof.into()))
    }

    /// How a shell has ended whose output has.
    fn fate(&self) -> Result<i32> {
        let deadline = Deadline::after(FATE_TIMEOUT);
        let mut interval = FATE_POLL_FIRST;
        loop {
            let found = exec::inspect(&self.link.client(), &self.link.target.exec_id)?;
            let code = found.and_then(|state| state.exit_code.filter(|_| !state.running));
            if code.is_some() || FATE_POLL_MAX <= interval {
                if let Some(error) = self.link.container_error() {
                    return Err(error);
                }
            }
            match code {
                Some(KILLED_EXIT_CODE) if !deadline.has_passed() && self.may_be_stopping() => {}
                Some(code) => return Ok(code),
                None if deadline.has_passed() => return Err(self.cut_short()),
                None => {}
            }
            // The engine has no way to call back. Whoever closes the shell unparks.
            thread::park_timeout(interval);
            interval = (interval * 2).min(FATE_POLL_MAX);
        }
    }

    /// Whether the container of a shell that was killed may be about to stop: nothing can be
    /// started in it any more.
    fn may_be_stopping(&self) -> bool {
        let Target {
            container, user, ..
        } = &self.link.target;
        let config = ExecConfig {
            command: ["sh", "-c", "echo alive"].map(str::to_owned).to_vec(),
            user: user.clone(),
            ..ExecConfig::default()
        };
        let answer = || {
            helper::answer(
                &self.link.client(),
                container,
                &config,
                "alive",
                ASK_TIMEOUT,
            )
        };
        !self.link.closing.load(Ordering::Acquire) && answer().is_err()
    }

    fn cut_short(&self) -> Error {
        Error::SocketCommunication {
            endpoint: self.streaming.endpoint.clone(),
            reason: "the output has ended, but the shell has not".to_owned(),
            output: Box::default(),
        }
    }

    /// Tells a shell that could not be started from one that has ended.
    fn check_launch(&self, exit_code: i32) -> Result<i32> {
        let state = self.link.state();
        if state.hello().is_some() {
            return Ok(exit_code);
        }
        let text = state.launch_text().to_vec();
        drop(state);
        let found = exec::inspect(&self.link.client(), &self.link.target.exec_id)?;
        let Link {
            command, target, ..
        } = &**self.link;
        let failure =
            found.and_then(|found| launch::failure(&found, &text, command, &target.container));
        let command = self.link.program.clone();
        Err(failure.unwrap_or_else(|| match exit_code {
            127 => Error::CommandNotFound { command },
            _ => Error::CommandNotExecutable {
                command,
                reason: format!(
                    "it ended with exit code {exit_code}: {}",
                    String::from_utf8_lossy(&text).trim().escape_debug()
                ),
            },
        }))
    }
}

impl Link {
    fn record(&self) -> MutexGuard<'_, Option<Box<dyn Record>>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_recorded(&self) -> bool {
        self.record().is_some()
    }

    fn with_record(&self, write: impl FnOnce(&mut dyn Record)) {
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

    fn end_record(&self, fate: std::result::Result<&i32, &Error>) {
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
