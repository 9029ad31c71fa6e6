//! An exec instance whose streams are attached to us, from its start to its true end.
//!
//! ```text
//! Running ──output ends──────────────> Closed ──engine: it has ended──> done
//!    │ ├────engine: it has ended─────> Draining ──quiet, or enough────> done
//!    │ └────time is up: tree killed──> Draining
//!    └──────container gone───────────> error with what arrived
//! ```
//!
//! The end of the output and the end of the command are two things. A child in the background
//! may hold the output open long after the command has ended (Docker even adds seconds of its
//! own), and a command may close its output and go on. So while output is open the engine is
//! asked now and then whether the command has ended, and after it is closed, until it has.
//!
//! Once the command has ended, what it wrote is still on its way: up to a pipe's and a few
//! buffers' worth. It is read until waiting for more has cost `DRAIN_WAIT` in sum, or until
//! there was more than the command can have left behind, which then comes from another process.
//! What comes in quick succession pays for the wait for it: an engine far away has much of it on
//! its way, and passes it on slowly.

use std::io::{self, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::container::holder::Holder;
use crate::container::input::{InputPump, Stdin};
use crate::container::kill::{Scope, Signal};
use crate::container::output::{StreamKind, next_piece};
use crate::container::result::{End, ExecResult, TIMEOUT_EXIT_CODE};
use crate::container::target::{AskPatience, Target};
use crate::container::{launch, oom};
use crate::engine::client::{Client, Streaming};
use crate::engine::deadline::Deadline;
use crate::engine::exec::{self, ExecConfig};
use crate::engine::types::ExecState;
use crate::engine::{EngineKind, containers};
use crate::error::{Error, Result};
use crate::host;
use crate::wire::frame::Demuxer;
use crate::wire::time::Timestamp;
use crate::wire::value::Value;

/// How long to wait, in sum, for output that is still on its way after the command has ended.
const DRAIN_WAIT: Duration = Duration::from_millis(400);

/// On a busy machine the output takes longer, and so does an answer of the engine: as many times
/// that are waited in addition, up to a limit.
const DRAIN_WAIT_ANSWERS: u32 = 20;
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(2);

/// The same after a kill: its victims' output ends by itself, though Docker takes its time.
const KILL_DRAIN_WAIT: Duration = Duration::from_secs(2);

/// How fast output has to come, in bytes per second, to be worth the wait for it.
const DRAIN_RATE_MIN: u64 = 128 * 1024;

/// More than a command can have left in pipes and sockets on its way to us.
const DRAIN_LEN_MAX: usize = 4 * 1024 * 1024;

/// How long it may be on its way in all, however fast it comes: a child in the background may write
/// for ever.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Room for the output of most commands. It grows to its full size once a read has filled it.
const FIRST_BUFFER_LEN: usize = 4 * 1024;

/// When the engine is first asked whether the command has ended; then after twice the time. An
/// exec of nothing takes up to 100 ms, and should not be asked after.
const POLL_FIRST: Duration = Duration::from_millis(200);

/// The same after the output has ended, when the answer is nearly always at hand.
const CLOSED_POLL_FIRST: Duration = Duration::from_millis(2);
const CLOSED_POLL_MAX: Duration = Duration::from_millis(250);

/// For how many times its own timeout an engine may leave every question unanswered before it is
/// lost. Docker says nothing about a container for a minute while hundreds of commands in it end.
const SILENCE_MAX: u32 = 5;

/// How long a container may take to stop after the engine has forgotten its commands.
const FORGOTTEN_MAX: Duration = Duration::from_secs(10);

/// How often the engine is asked whether the container is paused, and how often in a row the answer
/// has to be yes before a command that waits in it is given up. A short pause does no harm.
const PAUSE_POLL: Duration = Duration::from_secs(5);
const PAUSES_MAX: u32 = 3;

/// How long a removal may take that has begun, and how long after a stop one may begin that belongs
/// to it: an engine stops a container before it removes it.
const REMOVAL_WAIT: Duration = Duration::from_secs(5);
const STOPPED_WAIT: Duration = Duration::from_secs(1);

/// Input that no pipe is too small for, so that it can be written whoever reads it.
const PIPE_LEN: usize = 32 * 1024;

/// The exit code of a command that SIGKILL has ended.
const KILLED: i32 = 128 + 9;

/// The longest text in which an engine reports that it could not start a program.
const LAUNCH_TEXT_MAX: usize = 8 * 1024;

/// The shell that gives a command its input from a holder says of a missing one what Podman would.
const REPORT_MISSING: &str = "command -v \"$1\" >/dev/null 2>&1 || \
    { echo \"Error: crun: executable file not found: $1\" >&2; exit 127; }; ";

/// Podman adds one of these to stderr when a command ends before it has read all of its input.
const PODMAN_INPUT_NOISE: [&[u8]; 2] = [
    b"Error: write unixpacket @->/proc/self/fd/",
    b"Error: read unixpacket @->/proc/self/fd/",
];

/// How an exec is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The most that is read at a time.
    buffer_len: usize,
    /// The longest time between two questions whether the command has ended.
    poll_max: Duration,
}

impl Pace {
    /// For a caller who waits.
    pub(crate) const WAITING: Pace = Pace {
        buffer_len: 64 * 1024,
        poll_max: Duration::from_secs(1),
    };

    /// For a command in the background, one of many.
    pub(crate) const DETACHED: Pace = Pace {
        buffer_len: 16 * 1024,
        poll_max: Duration::from_secs(5),
    };
}

/// A command that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    pub(crate) end: End,
    pub(crate) duration: Duration,
}

impl Ended {
    /// The result without output.
    pub(crate) fn into_result(self) -> ExecResult {
        ExecResult {
            exit_code: self.exit_code,
            stdout: Vec::new(),
            stderr: Vec::new(),
            duration: self.duration,
            end: self.end,
            dropped_len: 0,
        }
    }
}

/// Gives up watching an exec, which goes on unobserved.
#[derive(Debug)]
pub(crate) struct Abandoner {
    connection: Arc<UnixStream>,
    abandoned: Arc<AtomicBool>,
}

impl Abandoner {
    /// Makes the watcher's next step an error, and the one it is in return; its thread has to be
    /// unparked as well.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        let _ended_already = self.connection.shutdown(Shutdown::Both);
    }
}

#[derive(Debug)]
pub(crate) struct Attached {
    target: Target,
    command: Vec<String>,
    streaming: Streaming,
    demuxer: Demuxer,
    buffer: Vec<u8>,
    input: Option<InputPump>,
    holder: Option<Holder>,
    /// The kernel's count of the container's kills before it was started.
    kills_before: Option<u64>,
    started: Instant,
    started_at: Timestamp,
    forgotten_since: Option<Instant>,
    /// When the engine began to leave questions unanswered.
    silent_since: Option<Instant>,
    next_pause_poll: Instant,
    pauses: u32,
    deadline: Deadline,
    phase: Phase,
    pace: Pace,
    next_poll: Instant,
    poll_interval: Duration,
    ask_patience: AskPatience,
    /// Output that may be the engine's own report of a failed launch.
    held: Vec<u8>,
    held_stream: Option<StreamKind>,
    first_output_seen: bool,
    /// What the engine said when the command had ended.
    ended_as: Option<ExecState>,
    abandoned: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// The output has ended, the command perhaps not.
    Closed,
    /// The command has ended with this code (`None`: killed by us), its output perhaps not.
    Draining {
        exit_code: Option<i32>,
        until: Instant,
        wait_left: Duration,
        len_left: usize,
    },
}

impl Attached {
    /// Creates and starts an exec instance; `timeout` counts from its start.
    pub(crate) fn start(
        mut target: Target,
        mut config: ExecConfig,
        stdin: Option<Stdin>,
        timeout: Option<Duration>,
        pace: Pace,
    ) -> Result<Self> {
        config.env.push(target.marks.variable());
        let command = config.command.clone();
        let (stdin, holder) = route_input(&target, &mut config, stdin)?;
        target.create_exec(&config)?;
        let kills_before = target.kill_count();
        let started = Instant::now();
        let started_at = Timestamp::from(host::now());
        let streaming =
            exec::start(&target.client, &target.exec_id, false).map_err(launch::start_error)?;
        let input = match stdin {
            Some(stdin) => {
                let pump = InputPump::start(stdin, streaming.body.connection());
                Some(pump.inspect_err(|_| target.call_off())?)
            }
            None => None,
        };
        Ok(Attached {
            target,
            command,
            streaming,
            demuxer: Demuxer::default(),
            buffer: vec![0; FIRST_BUFFER_LEN.min(pace.buffer_len)],
            input,
            holder,
            kills_before,
            started,
            started_at,
            forgotten_since: None,
            silent_since: None,
            next_pause_poll: started + PAUSE_POLL,
            pauses: 0,
            deadline: Deadline::after_some(timeout),
            phase: Phase::Running,
            pace,
            next_poll: started + POLL_FIRST,
            poll_interval: POLL_FIRST,
            ask_patience: AskPatience::first(),
            held: Vec::new(),
            held_stream: None,
            first_output_seen: false,
            ended_as: None,
            abandoned: Arc::default(),
        })
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn exec_id(&self) -> &str {
        &self.target.exec_id
    }

    /// Whether the engine has made a process of it that still runs.
    pub(crate) fn is_launched(&self) -> Result<bool> {
        let state = exec::inspect(&self.target.client, &self.target.exec_id)?;
        Ok(state.is_some_and(|state| state.running && state.pid != 0))
    }

    /// A way to give up watching, from another thread.
    pub(crate) fn abandoner(&self) -> Abandoner {
        Abandoner {
            connection: self.streaming.body.connection().share(),
            abandoned: Arc::clone(&self.abandoned),
        }
    }

    /// Waits for the next thing to happen: hands output to `sink`, or gives the end.
    ///
    /// `None` means that there is more to come; it is returned now and then, so that a caller can
    /// look after other things.
    pub(crate) fn step(
        &mut self,
        sink: &mut dyn FnMut(StreamKind, &[u8]),
    ) -> Result<Option<Ended>> {
        if self.abandoned.load(Ordering::Acquire) {
            return Err(self.cut_short("nobody watches it any more"));
        }
        match self.phase {
            Phase::Running => self.read_running(sink),
            Phase::Draining { .. } => self.read_draining(sink),
            Phase::Closed => self.await_end(sink),
        }
    }

    /// Runs to the end.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(StreamKind, &[u8])) -> Result<Ended> {
        loop {
            if let Some(ended) = self.step(sink)? {
                return Ok(ended);
            }
        }
    }

    fn read_running(&mut self, sink: &mut dyn FnMut(StreamKind, &[u8])) -> Result<Option<Ended>> {
        let now = Instant::now();
        if self.deadline.has_passed() {
            // It may have ended in time, and nobody has looked since.
            if !self.poll()? {
                self.target.kill(Signal::KILL, Scope::Tree)?;
                self.drain(None, KILL_DRAIN_WAIT);
            }
            return Ok(None);
        }
        let until_poll = self.next_poll.saturating_duration_since(now);
        if until_poll.is_zero() {
            self.poll()?;
            return Ok(None);
        }
        match self.read(self.deadline.at_most(until_poll))? {
            Some(0) => self.close(),
            Some(n) => self.deliver(n, sink)?,
            None => {}
        }
        Ok(None)
    }

    fn read_draining(&mut self, sink: &mut dyn FnMut(StreamKind, &[u8])) -> Result<Option<Ended>> {
        let Phase::Draining {
            exit_code,
            until,
            wait_left,
            len_left,
        } = self.phase
        else {
            return Ok(None);
        };
        let began = Instant::now();
        let wait_left = wait_left.min(until.saturating_duration_since(began));
        let n = match self.read(wait_left)? {
            Some(n) if 0 < n && 0 < len_left => n,
            _ => return self.end(exit_code, sink).map(Some),
        };
        let paid = Duration::from_micros(n as u64 * 1_000_000 / DRAIN_RATE_MIN);
        let wait_left = wait_left.saturating_sub(began.elapsed()) + paid;
        let wait_left = wait_left.min(DRAIN_WAIT_MAX);
        let len_left = len_left.saturating_sub(n);
        self.phase = Phase::Draining {
            exit_code,
            until,
            wait_left,
            len_left,
        };
        self.deliver(n, sink)?;
        Ok(None)
    }

    /// After the output has ended: asks until the command has, too.
    fn await_end(&mut self, sink: &mut dyn FnMut(StreamKind, &[u8])) -> Result<Option<Ended>> {
        match self.ask()? {
            Some(exit_code) => self.end(Some(exit_code), sink).map(Some),
            None if self.deadline.has_passed() => {
                self.target.kill(Signal::KILL, Scope::Tree)?;
                self.end(None, sink).map(Some)
            }
            None => {
                // The engine has no way to call back. Whoever gives up watching unparks.
                thread::park_timeout(self.deadline.at_most(self.poll_interval));
                self.poll_interval = (self.poll_interval * 2).min(CLOSED_POLL_MAX);
                Ok(None)
            }
        }
    }

    /// One read: the number of bytes, 0 at the end, `None` if nothing came in time.
    fn read(&mut self, wait: Duration) -> Result<Option<usize>> {
        let connection = self.streaming.body.connection_mut();
        connection.set_deadline(Deadline::after(wait.max(Duration::from_millis(1))));
        match self.streaming.body.read(&mut self.buffer) {
            Ok(n) => Ok(Some(n)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(None),
                io::ErrorKind::Interrupted => Ok(None),
                // Podman's way to end a stream whose input was not read.
                io::ErrorKind::ConnectionReset if self.input.is_some() => Ok(Some(0)),
                _ => Err(self.streaming.failure(&error)),
            },
        }
    }

    /// Takes the first `n` bytes of the buffer apart.
    fn deliver(&mut self, n: usize, sink: &mut dyn FnMut(StreamKind, &[u8])) -> Result<()> {
        self.silent_since = None;
        let buffer = std::mem::take(&mut self.buffer);
        let mut input = buffer.get(..n).unwrap_or_default();
        let outcome = loop {
            match next_piece(&mut self.demuxer, &mut input, &self.streaming) {
                Ok(Some((stream, piece))) => self.pass(stream, piece, sink),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.buffer = buffer;
        if n == self.buffer.len() {
            self.buffer.resize(self.pace.buffer_len, 0);
        }
        outcome
    }

    /// Passes output on, unless it may be the engine's report of a failed launch.
    fn pass(&mut self, kind: StreamKind, piece: &[u8], sink: &mut dyn FnMut(StreamKind, &[u8])) {
        let holding = !self.held.is_empty();
        let first = !self.first_output_seen;
        self.first_output_seen = true;
        if (first && self.may_be_report(kind, piece)) || (holding && self.holds(kind, piece)) {
            self.held_stream.get_or_insert(kind);
            self.held.extend_from_slice(piece);
            if !self.may_be_report(kind, &self.held) {
                self.release(sink);
            }
            return;
        }
        self.release(sink);
        if !self.is_input_noise(kind, piece) {
            sink(kind, piece);
        }
    }

    /// Whether this is Podman speaking about input that the command has not read.
    fn is_input_noise(&self, kind: StreamKind, piece: &[u8]) -> bool {
        self.input.is_some()
            && self.target.kind == EngineKind::Podman
            && kind == StreamKind::Stderr
            && PODMAN_INPUT_NOISE
                .iter()
                .any(|noise| piece.starts_with(noise))
    }

    /// Whether output that begins so may be the engine's report of a failed launch.
    fn may_be_report(&self, kind: StreamKind, piece: &[u8]) -> bool {
        let is_partial = !self.demuxer.at_boundary();
        match (self.target.kind, kind) {
            (EngineKind::Docker, StreamKind::Stdout) => launch::may_be_dockers(piece, is_partial),
            (EngineKind::Podman, StreamKind::Stderr) => launch::may_be_podmans(piece, is_partial),
            _ => false,
        }
    }

    /// Whether more output may belong to the report that is held.
    fn holds(&self, kind: StreamKind, piece: &[u8]) -> bool {
        self.held_stream == Some(kind) && self.held.len() + piece.len() <= LAUNCH_TEXT_MAX
    }

    /// Gives held output to the sink after all.
    fn release(&mut self, sink: &mut dyn FnMut(StreamKind, &[u8])) {
        if let Some(kind) = self.held_stream.take() {
            sink(kind, &std::mem::take(&mut self.held));
        }
    }

    fn drain(&mut self, exit_code: Option<i32>, wait_left: Duration) {
        self.phase = Phase::Draining {
            exit_code,
            until: Instant::now() + DRAIN_TIME_MAX,
            wait_left,
            len_left: DRAIN_LEN_MAX,
        };
    }

    fn close(&mut self) {
        self.phase = Phase::Closed;
        self.poll_interval = CLOSED_POLL_FIRST;
    }

    /// Asks whether the command has ended, which begins the draining.
    fn poll(&mut self) -> Result<bool> {
        let began = Instant::now();
        let exit_code = self.ask()?;
        if let Some(exit_code) = exit_code {
            let slowness = began.elapsed() * DRAIN_WAIT_ANSWERS;
            self.drain(Some(exit_code), (DRAIN_WAIT + slowness).min(DRAIN_WAIT_MAX));
        }
        self.poll_interval = (self.poll_interval * 2).min(self.pace.poll_max);
        self.next_poll = Instant::now() + self.poll_interval;
        Ok(exit_code.is_some())
    }

    /// The exit code if the command has ended.
    fn ask(&mut self) -> Result<Option<i32>> {
        let began = Instant::now();
        let answer = self.ask_once();
        self.ask_patience.learn(&answer);
        match answer {
            // It is busy with something else on this container; the output still flows.
            Err(Error::Timeout { .. }) if !self.is_silent_for_long(began) => Ok(None),
            // It went away while the command was watched.
            Err(Error::SocketConnection { reason, .. }) => Err(self.cut_short(&reason)),
            answer => {
                self.silent_since = None;
                answer
            }
        }
    }

    /// Whether the engine has said nothing since a question that was put so long ago.
    fn is_silent_for_long(&mut self, now: Instant) -> bool {
        let since = *self.silent_since.get_or_insert(now);
        self.target.client.timeout().saturating_mul(SILENCE_MAX) < since.elapsed()
    }

    /// The client for a question that is put again.
    fn client(&self) -> Client {
        let client = self.ask_patience.client(&self.target.client);
        let patience = client.timeout();
        client.with_timeout(self.deadline.at_most(patience).max(POLL_FIRST))
    }

    fn ask_once(&mut self) -> Result<Option<i32>> {
        match exec::inspect(&self.client(), &self.target.exec_id) {
            // An instance may say that it runs long after its container has stopped, which has
            // ended its output.
            Ok(Some(state)) if state.running => match self.phase {
                Phase::Closed if CLOSED_POLL_MAX <= self.poll_interval => self.fate_of_container(),
                _ => self.refuse_long_pause(),
            },
            Ok(Some(state)) => self.check_launch(state),
            Ok(None) => self.fate_of_forgotten(),
            Err(error) => Err(error),
        }
    }

    fn check_launch(&mut self, state: ExecState) -> Result<Option<i32>> {
        self.ended_as = Some(state);
        self.refuse_failed_launch()?;
        match state.exit_code {
            Some(exit_code) => Ok(Some(exit_code)),
            // Nobody was there to hear of its end, as in a container that is stopping.
            None => self.fate_of_forgotten(),
        }
    }

    /// Fails if what is held is the engine's report of a failed launch.
    fn refuse_failed_launch(&self) -> Result<()> {
        let state = self.ended_as.as_ref();
        let failure = state.and_then(|state| {
            launch::failure(state, &self.held, &self.command, &self.target.container)
        });
        failure.map_or(Ok(()), Err)
    }

    /// Fails if the container has been paused for long: its commands do not end then, and cannot
    /// be killed.
    fn refuse_long_pause(&mut self) -> Result<Option<i32>> {
        let now = Instant::now();
        if now < self.next_pause_poll {
            return Ok(None);
        }
        self.next_pause_poll = now + PAUSE_POLL;
        let found = self.container()?;
        match found.str_at(&["State", "Status"]) {
            Some("paused") => self.pauses += 1,
            _ => self.pauses = 0,
        }
        if self.pauses < PAUSES_MAX {
            return Ok(None);
        }
        Err(Error::ContainerNotRunning {
            container: self.target.container.to_string(),
            status: "paused".to_owned(),
            output: Box::default(),
        })
    }

    /// The end of a command whose container has stopped under it: SIGKILL by the kernel.
    fn fate_of_container(&self) -> Result<Option<i32>> {
        self.container().map(|found| fate(&found))
    }

    /// The end of a command whose end the engine does not know: its container has stopped, is just
    /// stopping, or has been started again since.
    fn fate_of_forgotten(&mut self) -> Result<Option<i32>> {
        let found = self.container()?;
        let container_started = found.str_at(&["State", "StartedAt"]);
        let again = container_started.and_then(Timestamp::parse);
        if again.is_some_and(|again| self.started_at < again) {
            return Ok(Some(KILLED));
        }
        let since = *self.forgotten_since.get_or_insert_with(Instant::now);
        match fate(&found) {
            None if FORGOTTEN_MAX < since.elapsed() => {
                Err(self.cut_short("the engine does not know how the command ended"))
            }
            fate => Ok(fate),
        }
    }

    fn container(&self) -> Result<Value> {
        match containers::inspect(&self.client(), &self.target.container) {
            Err(Error::ContainerNotFound { .. }) => Err(self.target.gone()),
            other => other,
        }
    }

    fn end(
        &mut self,
        exit_code: Option<i32>,
        sink: &mut dyn FnMut(StreamKind, &[u8]),
    ) -> Result<Ended> {
        let duration = self.started.elapsed();
        // The engine may tell of the end before it tells why.
        self.refuse_failed_launch()?;
        self.release(sink);
        if !self.demuxer.at_boundary() && !self.may_stop_anywhere() {
            return Err(self.cut_short("the output was cut off inside a frame"));
        }
        self.refuse_cut_input()?;
        let (exit_code, end) = match exit_code {
            None => (TIMEOUT_EXIT_CODE, End::TimedOut),
            Some(code) => (code, self.kind_of_end(code)?),
        };
        Ok(Ended {
            exit_code,
            end,
            duration,
        })
    }

    /// Fails if the command did not get all of its input because that could not be read: what it
    /// made of the part is not what was asked for.
    fn refuse_cut_input(&self) -> Result<()> {
        let pump = self.input.as_ref();
        let held = self.holder.as_ref();
        let failure = pump
            .and_then(InputPump::failure)
            .or_else(|| held.and_then(Holder::input_failure));
        failure.map_or(Ok(()), Err)
    }

    fn cut_short(&self, reason: &str) -> Error {
        Error::SocketCommunication {
            endpoint: self.streaming.endpoint.clone(),
            reason: reason.to_owned(),
            output: Box::default(),
        }
    }

    /// Whether the output may end inside a frame: after a kill, or where more has come than the
    /// command can have left behind.
    fn may_stop_anywhere(&self) -> bool {
        match self.phase {
            Phase::Running | Phase::Closed => false,
            Phase::Draining {
                exit_code,
                len_left,
                ..
            } => exit_code.is_none() || len_left == 0,
        }
    }

    fn kind_of_end(&self, exit_code: i32) -> Result<End> {
        let end = End::from_code(exit_code);
        if exit_code != KILLED {
            return Ok(end);
        }
        let unaccounted = oom::unaccounted(&self.target.client, &self.target.container);
        self.refuse_removal(unaccounted.is_some())?;
        let counted = self.target.has_killed_since(self.kills_before);
        Ok(match counted.or(unaccounted) {
            Some(true) => End::OomKilled,
            // Which is true as well, where the cause cannot be known.
            _ => end,
        })
    }

    /// Fails if its container is being removed, of which the kill of a command is the first sign.
    ///
    /// An engine may say for a moment that a container runs in which nothing can be started
    /// any more.
    fn refuse_removal(&self, is_alive: bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let wait = match self.container()?.str_at(&["State", "Status"]) {
                Some("removing" | "dead") => REMOVAL_WAIT,
                Some("exited" | "stopped" | "stopping") => STOPPED_WAIT,
                Some("running") if !is_alive => STOPPED_WAIT,
                _ => return Ok(()),
            };
            if wait <= began.elapsed() {
                return Ok(());
            }
            thread::park_timeout(CLOSED_POLL_MAX / 10);
        }
    }
}

/// Decides which way input takes: with the output, or through a holder.
fn route_input(
    target: &Target,
    config: &mut ExecConfig,
    stdin: Option<Stdin>,
) -> Result<(Option<Stdin>, Option<Holder>)> {
    let Some(stdin) = stdin else {
        return Ok((None, None));
    };
    config.stdin = true;
    if target.kind != EngineKind::Podman {
        return Ok((Some(stdin), None));
    }
    let stdin = match stdin.at_hand(PIPE_LEN) {
        Ok(short) => return Ok((Some(Stdin::from(short)), None)),
        Err(long) => long,
    };
    match Holder::open(target) {
        Ok(mut holder) => {
            holder.feed(stdin)?;
            let line = format!("{REPORT_MISSING}exec \"$@\" {}", holder.redirection());
            let shell = ["sh", "-c", &line, "sh"].map(str::to_owned);
            config.command.splice(..0, shell);
            config.stdin = false;
            Ok((None, Some(holder)))
        }
        // Without a shell there is only the one way.
        Err(Error::CommandNotFound { .. }) => Ok((Some(stdin), None)),
        Err(error) => Err(error),
    }
}

/// The exit code of a command whose container is as `found`, if that has ended it.
fn fate(found: &Value) -> Option<i32> {
    match found.str_at(&["State", "Status"]) {
        Some("running" | "paused" | "stopping") => None,
        _ => Some(KILLED),
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // Wakes the thread that feeds the input; it is joined when its handle is dropped.
        self.streaming.body.connection().shut_down();
    }
}
