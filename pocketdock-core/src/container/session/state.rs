//! What a resident shell is doing: commands that wait, the one in flight, and what came of them.
//!
//! ```text
//! queued ──begin──> in flight ──end marker on both streams──> result
//!    ^                  │ └──the shell has ended────────────> result with the shell's exit code
//!    └──not executed────┘
//! ```
//!
//! Output between the two markers of a command that somebody waits for belongs to its result;
//! everything else is unread output.
//!
//! No I/O happens here: pieces of output go in, text to write comes out.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::container::attached::Ended;
use crate::container::exec::Collector;
use crate::container::output::StreamKind;
use crate::container::result::{End, ExecResult, TIMEOUT_EXIT_CODE};
use crate::container::ring::RingBuffer;
use crate::container::session::marker::{Item, Kind, Marker, Nonce, Scanner};
use crate::container::session::text::{
    self, Carried, Dialect, Hello, Line, Reach, Report, Surroundings,
};
use crate::error::{Error, Result};

/// How much unread output is kept.
const UNREAD_LEN_MAX: usize = 1024 * 1024;

/// How much of what comes before the shell has answered is kept, for the reason it does not.
const LAUNCH_TEXT_MAX: usize = 8 * 1024;

/// When a command that has not ended is first looked after; then after twice the time.
pub(crate) const POLL_FIRST: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_secs(5);

/// When a silent command is first looked at from outside; then after twice the time.
const LOOK_FIRST: Duration = Duration::from_secs(2);
const LOOK_MAX: Duration = Duration::from_secs(60);

/// When a shell that did not seem to be running its command is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a shell may take to read a command of which all has been written, and to report on it.
const BETWEEN_MAX: Duration = Duration::from_secs(20);

/// How long an idle shell is left alone, and one that is still being written to.
const IDLE_WAIT: Duration = Duration::from_millis(500);

/// How often a command is given to a shell that does not take it.
const TRIES_MAX: u32 = 3;

/// The exit code of a command that SIGINT has ended.
const INTERRUPT_EXIT_CODE: i32 = 130;

/// Names a command from its submission to the taking of its result.
pub(crate) type Ticket = u64;

/// A command to run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) command: Vec<u8>,
    /// The redirection of its input.
    pub(crate) input: String,
    pub(crate) surroundings: Surroundings,
    /// How much output to keep for whoever waits; `None` if nobody does.
    pub(crate) max_output: Option<u64>,
}

/// Why a command is being aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    TimedOut,
    Interrupted,
}

/// The command in flight.
#[derive(Debug)]
struct Running {
    ticket: Ticket,
    job: Job,
    nonce: Nonce,
    kept: Option<Collector>,
    started: Instant,
    /// Whether it is known to have reached the shell, or counts as such.
    begun: bool,
    ended: PerStream<bool>,
    report: Option<Report>,
    cause: Option<Cause>,
    tries: u32,
    /// How often it was signalled.
    rounds: u32,
    /// Whether all of its text has been written.
    written: bool,
    resync_sent: bool,
    next_poll: Instant,
    poll_interval: Duration,
    next_look: Instant,
    look_interval: Duration,
    /// Since when every look has found the shell not to be running it.
    between_since: Option<Instant>,
    /// How many pieces of output there had been when the last look found the shell waiting.
    waiting_at: Option<u64>,
}

#[derive(Debug)]
enum Phase {
    /// It has not answered its first line yet.
    Starting,
    Open,
    Closed {
        exit_code: Option<i32>,
    },
}

/// What a poll is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    Nothing,
    /// Write this, which makes a shell that lost its place report.
    Resync(Vec<u8>),
    /// Ask the engine whether the shell is there.
    Ask,
    /// Ask that, and have a look whether it is running the command.
    Look,
}

/// What a shell is seen to do, from outside, while a command is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It runs the command.
    Running,
    /// It reads the command, reports on it, or does something else that is not the command.
    Between,
    /// It waits for what is written next.
    Waiting,
    /// It cannot be seen.
    Nothing,
}

/// One of something for stdout, one for stderr.
#[derive(Debug, Default, Clone, Copy)]
struct PerStream<T> {
    stdout: T,
    stderr: T,
}

impl<T> PerStream<T> {
    fn of(&mut self, stream: StreamKind) -> &mut T {
        match stream {
            StreamKind::Stdout => &mut self.stdout,
            StreamKind::Stderr => &mut self.stderr,
        }
    }
}

impl PerStream<bool> {
    fn both(self) -> bool {
        self.stdout && self.stderr
    }
}

#[derive(Debug)]
pub(crate) struct State {
    dialect: Dialect,
    phase: Phase,
    scanners: PerStream<Scanner>,
    ready: PerStream<bool>,
    hello: Option<Hello>,
    launch_text: Vec<u8>,
    carried: Carried,
    queue: VecDeque<(Ticket, Job, u32)>,
    running: Option<Running>,
    results: BTreeMap<Ticket, Result<ExecResult>>,
    unread: RingBuffer,
    tickets: Ticket,
    /// The soft limit that the processes of the last command carry.
    mark_kib: u64,
    /// What a question whether the shell listens was put with, until it is answered.
    question: Option<Nonce>,
    /// On which streams it has been.
    answered: PerStream<bool>,
    /// While set, nothing is written: a signal is on its way, which may cut off what is being read.
    held: bool,
    /// How many pieces of output have come.
    pieces: u64,
    /// What ended it, if nobody has been told yet.
    failure: Option<Error>,
}

impl State {
    /// `mark_kib` is the hard limit that the shell carries; commands get smaller ones.
    pub(crate) fn new(dialect: Dialect, mark_kib: u64) -> Self {
        State {
            dialect,
            phase: Phase::Starting,
            scanners: PerStream::default(),
            ready: PerStream::default(),
            hello: None,
            launch_text: Vec::new(),
            carried: Carried::default(),
            queue: VecDeque::new(),
            running: None,
            results: BTreeMap::new(),
            unread: RingBuffer::new(UNREAD_LEN_MAX),
            tickets: 0,
            mark_kib,
            question: None,
            answered: PerStream::default(),
            held: false,
            pieces: 0,
            failure: None,
        }
    }

    /// The first line for the shell.
    pub(crate) fn greet(&mut self, nonce: Nonce) -> Vec<u8> {
        self.expect(nonce);
        text::init(self.dialect, &nonce)
    }

    fn expect(&mut self, nonce: Nonce) {
        self.scanners.stdout.expect(nonce);
        self.scanners.stderr.expect(nonce);
    }

    /// The shell's own words about itself, once it is ready.
    pub(crate) fn hello(&self) -> Option<Hello> {
        self.hello.filter(|_| self.ready.both())
    }

    /// What came before it was ready.
    pub(crate) fn launch_text(&self) -> &[u8] {
        &self.launch_text
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn unread(&mut self) -> &mut RingBuffer {
        &mut self.unread
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    /// Why nothing can be done with it any more.
    pub(crate) fn closed_error(&mut self) -> Error {
        let exit_code = match self.phase {
            Phase::Closed { exit_code } => exit_code,
            Phase::Starting | Phase::Open => None,
        };
        let failure = self.failure.take();
        failure.unwrap_or(Error::SessionClosed { exit_code })
    }

    /// Takes a command into the queue.
    pub(crate) fn submit(&mut self, job: Job) -> Result<Ticket> {
        if self.is_closed() {
            return Err(self.closed_error());
        }
        self.tickets += 1;
        self.queue.push_back((self.tickets, job, 0));
        Ok(self.tickets)
    }

    /// Takes a command out of the queue that has not been begun; whether it was there.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) -> bool {
        let before = self.queue.len();
        self.queue.retain(|(queued, ..)| *queued != ticket);
        self.queue.len() < before
    }

    /// Whether the next command can be begun.
    pub(crate) fn wants_to_begin(&self) -> bool {
        self.is_open() && self.running.is_none() && !self.held && !self.queue.is_empty()
    }

    /// About how much is to be written for the next command.
    pub(crate) fn next_len(&self) -> usize {
        let next = self.queue.front().map(|(_, job, _)| job);
        next.map_or(0, |job| {
            job.command.len() + job.surroundings.feed.as_ref().map_or(0, Vec::len)
        })
    }

    /// Puts the next command in flight and gives what is to be written for it.
    pub(crate) fn begin(&mut self, nonce: Nonce) -> Option<Vec<u8>> {
        if !self.wants_to_begin() {
            return None;
        }
        let (ticket, job, tries) = self.queue.pop_front()?;
        self.expect(nonce);
        self.mark_kib -= 1;
        let text = text::command(
            self.dialect,
            &Line {
                command: &job.command,
                nonce: &nonce,
                mark_kib: self.mark_kib,
                input: &job.input,
                carried: &self.carried,
                surroundings: &job.surroundings,
            },
        );
        let now = Instant::now();
        self.running = Some(Running {
            ticket,
            nonce,
            kept: job.max_output.map(Collector::new),
            job,
            started: now,
            begun: self.dialect != Dialect::Fresh,
            ended: PerStream::default(),
            report: None,
            cause: None,
            tries,
            rounds: 0,
            written: false,
            resync_sent: false,
            next_poll: now,
            poll_interval: POLL_FIRST,
            next_look: now,
            look_interval: LOOK_FIRST,
            between_since: None,
            waiting_at: None,
        });
        Some(text)
    }

    /// All of the text of the command with this nonce has been written, so that other things can
    /// be. It may have ended since, and the next one be on its way.
    pub(crate) fn written(&mut self, nonce: &Nonce) {
        if let Some(running) = self.running.as_mut().filter(|r| r.nonce == *nonce) {
            let now = Instant::now();
            running.written = true;
            running.next_poll = now + POLL_FIRST;
            running.next_look = now + LOOK_FIRST;
        }
    }

    /// Takes in a piece of output. Whether somebody waits for what it has brought.
    ///
    /// What is no marker is added to `heard` as well, if that is given.
    pub(crate) fn take_in(
        &mut self,
        stream: StreamKind,
        mut piece: &[u8],
        mut heard: Option<&mut Vec<u8>>,
    ) -> bool {
        self.pieces += 1;
        let mut scanner = std::mem::take(self.scanners.of(stream));
        let mut news = false;
        while let Some(item) = scanner.next(&mut piece) {
            match item {
                Item::Marker(marker) => news |= self.obey(stream, &marker),
                Item::Output(output) => {
                    if let (Some(heard), true) = (&mut heard, self.is_open()) {
                        heard.extend_from_slice(&output);
                    }
                    self.keep(stream, &output);
                }
            }
        }
        *self.scanners.of(stream) = scanner;
        news
    }

    fn keep(&mut self, stream: StreamKind, output: &[u8]) {
        if let Phase::Starting = self.phase {
            let room = LAUNCH_TEXT_MAX.saturating_sub(self.launch_text.len());
            let kept = output.get(..room.min(output.len())).unwrap_or_default();
            self.launch_text.extend_from_slice(kept);
            return;
        }
        let kept = self.running.as_mut().and_then(|r| r.collector(stream));
        match kept {
            Some(kept) => kept.push(stream, output),
            None => self.unread.push(stream, output),
        }
    }

    /// What a marker changes; whether somebody waits for it.
    fn obey(&mut self, stream: StreamKind, marker: &Marker) -> bool {
        if marker.kind == Kind::Ready {
            *self.ready.of(stream) = true;
            if stream == StreamKind::Stdout {
                self.hello = Hello::parse(&marker.fields);
            }
            return self.become_ready();
        }
        if self.question == Some(marker.nonce) {
            *self.answered.of(stream) = true;
            // What the shell wrote before lies ahead of the answer on each stream, and must not
            // run into the output of the next command.
            if self.answered.both() {
                self.question = None;
            }
            return self.is_answered();
        }
        let Some(running) = self.running.as_mut().filter(|r| r.nonce == marker.nonce) else {
            return false;
        };
        if marker.kind == Kind::Begin {
            running.begun = true;
            return false;
        }
        *running.ended.of(stream) = true;
        // The line that asks a shell to report may come after a report whose other half, on stderr,
        // is still on its way: the first report is the command's own.
        if stream == StreamKind::Stdout && running.report.is_none() {
            running.report = Report::parse(&marker.fields);
        }
        running.ended.both() && self.settle()
    }

    fn become_ready(&mut self) -> bool {
        let Some(hello) = self.hello() else {
            return false;
        };
        if self.dialect != Dialect::Fresh {
            self.dialect = match hello.is_bash {
                true => Dialect::Bash,
                false => Dialect::Sh,
            };
        }
        self.phase = Phase::Open;
        true
    }

    /// The command in flight has reported: its result, or another try.
    fn settle(&mut self) -> bool {
        let Some(running) = self.running.take() else {
            return false;
        };
        let report = running.report.clone().unwrap_or(Report {
            status: 0,
            options: String::new(),
            reach: Reach::NotBegun,
        });
        if report.reach == Reach::NotBegun && running.cause.is_none() {
            self.try_again(running);
            return true;
        }
        self.carried.status = report.status;
        self.carried.options.clone_from(&report.options);
        self.carried.leaky |= matches!(report.reach, Reach::Left | Reach::Aborted);
        let (ticket, is_awaited) = (running.ticket, running.kept.is_some());
        let prints_at_abort = self.dialect == Dialect::Bash && report.reach != Reach::Ended;
        let rounds = if prints_at_abort { running.rounds } else { 0 };
        let outcome = match report.reach {
            Reach::NoDirectory => Err(no_directory(&running.job)),
            _ => Ok(running.result(i32::from(report.status), report.reach)),
        };
        let outcome = outcome.map(|mut result| {
            drop_abort_lines(&mut result.stderr, rounds);
            result
        });
        if is_awaited {
            self.results.insert(ticket, outcome);
        }
        true
    }

    fn try_again(&mut self, running: Running) {
        if running.tries < TRIES_MAX {
            let again = (running.ticket, running.job, running.tries + 1);
            self.queue.push_front(again);
            return;
        }
        let refused = Error::CommandNotExecutable {
            command: "eval".to_owned(),
            reason: "the session's shell does not take commands any more".to_owned(),
        };
        if running.kept.is_some() {
            self.results.insert(running.ticket, Err(refused));
        }
    }

    pub(crate) fn has_result(&self, ticket: Ticket) -> bool {
        self.results.contains_key(&ticket)
    }

    /// Whether there is nothing more to wait for in a command.
    pub(crate) fn is_over(&self, ticket: Ticket) -> bool {
        self.has_result(ticket) || self.is_closed()
    }

    /// Whether it only waits for the next command.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_open() && self.running.is_none() && !self.held && self.queue.is_empty()
    }

    /// The result of a command, if it is there.
    pub(crate) fn take_result(&mut self, ticket: Ticket) -> Option<Result<ExecResult>> {
        self.results.remove(&ticket)
    }

    /// The command in flight.
    pub(crate) fn in_flight(&self) -> Option<Ticket> {
        self.running.as_ref().map(|running| running.ticket)
    }

    /// From now on the command in flight counts as aborted, and no other begins before
    /// [`release`](Self::release).
    pub(crate) fn hold(&mut self, cause: Cause) {
        self.held = true;
        if let Some(running) = &mut self.running {
            running.cause.get_or_insert(cause);
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// The soft limit of the command that was begun last, in bytes.
    pub(crate) fn mark_bytes(&self) -> u64 {
        self.mark_kib * 1024
    }

    /// The line that makes a shell report which has lost its place.
    ///
    /// A signal may cut off one that was sent before, so it can be sent again: only the first
    /// report counts.
    pub(crate) fn resync(&mut self) -> Option<Vec<u8>> {
        let running = self.running.as_mut().filter(|running| running.written)?;
        running.resync_sent = true;
        text::resync(self.dialect, &running.nonce)
    }

    /// The same line for a command that is due to be looked after, unless that has been done.
    pub(crate) fn due_resync(&mut self) -> Option<Vec<u8>> {
        let running = self.running.as_ref()?;
        if running.resync_sent || Instant::now() < running.next_poll {
            return None;
        }
        self.resync()
    }

    /// Asks whether the shell listens; `None` if it need not be asked.
    pub(crate) fn ask(&mut self, nonce: Nonce) -> Option<Vec<u8>> {
        let text = text::resync(self.dialect, &nonce)?;
        self.expect(nonce);
        self.question = Some(nonce);
        self.answered = PerStream::default();
        Some(text)
    }

    /// Whether that question has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.question.is_none()
    }

    /// The command in flight is in this round of being aborted, and may print for it.
    pub(crate) fn note_round(&mut self, round: u32) {
        if let Some(running) = &mut self.running {
            running.rounds = round;
        }
    }

    /// How long the reader may wait for output.
    pub(crate) fn wait(&self) -> Duration {
        match &self.running {
            Some(running) if running.written => running
                .next_poll
                .saturating_duration_since(Instant::now())
                .min(POLL_MAX),
            _ => IDLE_WAIT,
        }
    }

    /// What is to be done when nothing has come for [`wait`](Self::wait).
    pub(crate) fn poll(&mut self) -> Poll {
        let now = Instant::now();
        let Some(running) = &mut self.running else {
            return Poll::Nothing;
        };
        if !running.written || now < running.next_poll {
            return Poll::Nothing;
        }
        running.next_poll = now + running.poll_interval;
        running.poll_interval = (running.poll_interval * 2).min(POLL_MAX);
        if running.resync_sent {
            return match running.next_look <= now && !self.held {
                true => Poll::Look,
                false => Poll::Ask,
            };
        }
        // The line is no use to a command that is still being read, and does no harm.
        self.resync().map_or(Poll::Ask, Poll::Resync)
    }

    /// What a look at the shell has shown while this was in flight; whether it will never report.
    ///
    /// One look may fall between two things that the shell does. When it waits for a command a
    /// second later, and nothing has come from it in between, it has given this one up. So it has
    /// where something else keeps writing, if it is not seen to run the command for
    /// [`BETWEEN_MAX`].
    pub(crate) fn note_look(&mut self, ticket: Ticket, seen: Seen) -> bool {
        let (pieces, held) = (self.pieces, self.held);
        let is_meant = |running: &&mut Running| running.ticket == ticket && !held;
        let Some(running) = self.running.as_mut().filter(is_meant) else {
            return false;
        };
        let now = Instant::now();
        if matches!(seen, Seen::Running | Seen::Nothing) {
            if seen == Seen::Running {
                running.between_since = None;
            }
            running.waiting_at = None;
            running.next_look = now + running.look_interval;
            running.look_interval = (running.look_interval * 2).min(LOOK_MAX);
            return false;
        }
        let waiting_at = (seen == Seen::Waiting).then_some(pieces);
        let since = *running.between_since.get_or_insert(now);
        if BETWEEN_MAX <= now - since || (waiting_at.is_some() && running.waiting_at == waiting_at)
        {
            return true;
        }
        running.waiting_at = waiting_at;
        running.next_look = now + LOOK_AGAIN;
        running.next_poll = running.next_look;
        false
    }

    /// The engine has been asked, which may have taken a while: the output has its turn before it
    /// is asked again.
    pub(crate) fn asked(&mut self) {
        if let Some(running) = &mut self.running {
            running.next_poll = Instant::now() + running.poll_interval;
        }
    }

    /// The shell has ended, by itself with an exit code or by what stopped it.
    pub(crate) fn close(&mut self, fate: Result<i32>) {
        if self.is_closed() {
            return;
        }
        self.phase = Phase::Closed {
            exit_code: fate.as_ref().ok().copied(),
        };
        self.queue.clear();
        self.question = None;
        self.held = false;
        for stream in [StreamKind::Stdout, StreamKind::Stderr] {
            let left = self.scanners.of(stream).finish();
            self.keep(stream, &left);
        }
        match (self.running.take(), fate) {
            (Some(running), fate) if running.kept.is_some() => {
                let ticket = running.ticket;
                let outcome = running.outcome(fate);
                self.results.insert(ticket, outcome);
            }
            (_, Err(failure)) => self.failure = Some(failure),
            (_, Ok(_)) => {}
        }
    }
}

impl Running {
    /// Where its output on a stream goes: nowhere before it has begun and after its end, and if
    /// nobody waits for it.
    ///
    /// A marker costs as much as the rest of a small command, so a session has none for the
    /// beginning: that is when the command is sent. A runner needs to know whether it has begun.
    fn collector(&mut self, stream: StreamKind) -> Option<&mut Collector> {
        let is_on = match stream {
            StreamKind::Stdout => self.begun && !self.ended.stdout,
            StreamKind::Stderr => !self.ended.stderr,
        };
        self.kept.as_mut().filter(|_| is_on)
    }

    /// What came of it in a shell that has ended.
    fn outcome(mut self, fate: Result<i32>) -> Result<ExecResult> {
        match fate {
            // It was sent to a shell that was ending, and has not run.
            Ok(exit_code) if !self.begun && self.cause.is_none() => Err(Error::SessionClosed {
                exit_code: Some(exit_code),
            }),
            Ok(exit_code) => Ok(self.result(exit_code, Reach::Ended)),
            Err(_) if self.cause == Some(Cause::TimedOut) => {
                Ok(self.result(TIMEOUT_EXIT_CODE, Reach::Aborted))
            }
            Err(error) => match self.kept.take() {
                Some(kept) => Err(kept.into_error(error)),
                None => Err(error),
            },
        }
    }

    fn result(mut self, status: i32, reach: Reach) -> ExecResult {
        let (exit_code, end) = match self.cause {
            Some(Cause::TimedOut) => (TIMEOUT_EXIT_CODE, End::TimedOut),
            Some(Cause::Interrupted) if reach != Reach::Ended => {
                (INTERRUPT_EXIT_CODE, End::from_code(INTERRUPT_EXIT_CODE))
            }
            _ => (status, End::from_code(status)),
        };
        let ended = Ended {
            exit_code,
            end,
            duration: self.started.elapsed(),
        };
        let kept = self.kept.take().unwrap_or_else(|| Collector::new(0));
        kept.into_result(ended)
    }
}

/// Takes off the empty lines that an interactive bash prints when it is aborted: one when it is
/// asked once, an unknown number when it is asked again and again.
fn drop_abort_lines(stderr: &mut Vec<u8>, rounds: u32) {
    if 0 < rounds && stderr.last() == Some(&b'\n') {
        stderr.pop();
    }
    while 1 < rounds && (stderr.ends_with(b"\n\n") || stderr == b"\n") {
        stderr.pop();
    }
}

fn no_directory(job: &Job) -> Error {
    let dir = job.surroundings.workdir.clone().unwrap_or_default();
    Error::CommandNotExecutable {
        command: String::new(),
        reason: format!("no directory '{dir}' in the sandbox"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StreamKind::{Stderr, Stdout};

    const NONCE: &str = "0123456789abcdef";
    const OTHER: &str = "fedcba9876543210";

    fn nonce(text: &str) -> Nonce {
        text.as_bytes().try_into().unwrap()
    }

    /// A state whose shell has answered.
    fn open(dialect: Dialect) -> State {
        let mut state = State::new(dialect, 1000);
        state.greet(nonce(OTHER));
        assert!(!state.take_in(Stdout, b"noise before", None));
        take(&mut state, Stdout, &format!("\x1eI{OTHER}:7:99:\x1e"));
        assert!(!state.is_open());
        take(&mut state, Stderr, &format!("\x1eI{OTHER}\x1e"));
        assert!(state.is_open());
        state
    }

    fn take(state: &mut State, stream: StreamKind, text: &str) -> bool {
        state.take_in(stream, text.as_bytes(), None)
    }

    fn job(max_output: Option<u64>) -> Job {
        Job {
            command: b"true".to_vec(),
            input: text::NO_INPUT.to_owned(),
            surroundings: Surroundings::default(),
            max_output,
        }
    }

    /// Puts a command that somebody waits for in flight.
    fn begun(state: &mut State) -> Ticket {
        let ticket = state.submit(job(Some(100))).unwrap();
        assert!(state.begin(nonce(NONCE)).is_some());
        state.written(&nonce(NONCE));
        ticket
    }

    fn end(state: &mut State, report: &str) {
        take(state, Stderr, &format!("\x1eE{NONCE}\x1e"));
        take(state, Stdout, &format!("\x1eE{NONCE}:{report}\x1e"));
    }

    fn result(state: &mut State, ticket: Ticket) -> ExecResult {
        state.take_result(ticket).unwrap().unwrap()
    }

    #[test]
    fn a_result_is_what_lies_between_the_markers() {
        let mut state = open(Dialect::Fresh);
        let ticket = begun(&mut state);
        take(&mut state, Stdout, &format!("old\x1eB{NONCE}\x1eout"));
        take(&mut state, Stderr, &format!("err\x1eE{NONCE}\x1elate"));
        assert!(!state.has_result(ticket), "stdout may have more");
        take(&mut state, Stdout, &format!("put\x1eE{NONCE}:3::\x1enext"));
        let result = result(&mut state, ticket);
        assert_eq!((result.exit_code, result.end), (3, End::Exited));
        assert_eq!(result.stdout, b"output");
        assert_eq!(result.stderr, b"err");
        let unread = state.unread().take();
        assert_eq!(unread.stdout, b"oldnext");
        assert_eq!(unread.stderr, b"late");
    }

    #[test]
    fn one_command_at_a_time_is_in_flight() {
        let mut state = open(Dialect::Sh);
        let first = begun(&mut state);
        let second = state.submit(job(None)).unwrap();
        assert!(state.begin(nonce(OTHER)).is_none());
        end(&mut state, "0:s:3");
        assert!(state.has_result(first) && state.wants_to_begin());
        state.hold(Cause::Interrupted);
        assert!(!state.wants_to_begin());
        state.release();
        assert!(state.withdraw(second) && !state.withdraw(second));
        assert!(!state.wants_to_begin());
    }

    #[test]
    fn a_command_that_was_not_executed_is_sent_again_and_in_the_end_refused() {
        let mut state = open(Dialect::Sh);
        let ticket = begun(&mut state);
        for _ in 0..TRIES_MAX {
            end(&mut state, "0:s:0");
            assert!(!state.has_result(ticket));
            assert!(state.begin(nonce(NONCE)).is_some());
        }
        end(&mut state, "0:s:0");
        let error = state.take_result(ticket).unwrap().unwrap_err();
        assert!(
            matches!(error, Error::CommandNotExecutable { .. }),
            "{error}"
        );
    }

    #[test]
    fn what_is_carried_over_is_what_was_reported() {
        let mut state = open(Dialect::Sh);
        begun(&mut state);
        end(&mut state, "5:eus:1");
        let want = Carried {
            status: 5,
            options: "eu".to_owned(),
            leaky: true,
        };
        assert_eq!(state.carried, want);
    }

    #[test]
    fn a_second_report_of_the_same_command_means_nothing() {
        let mut state = open(Dialect::Sh);
        let first = begun(&mut state);
        end(&mut state, "0:s:3");
        let second = state.submit(job(Some(100))).unwrap();
        state.begin(nonce(OTHER));
        end(&mut state, "9:s:3");
        assert!(state.has_result(first) && !state.has_result(second));
        assert_eq!(state.unread().len(), 0);
    }

    #[test]
    fn a_second_report_that_overtakes_half_of_the_first_means_nothing() {
        let mut state = open(Dialect::Sh);
        let ticket = begun(&mut state);
        take(&mut state, Stdout, &format!("\x1eE{NONCE}:7:s:3\x1e"));
        take(&mut state, Stdout, &format!("\x1eE{NONCE}:0:s:3\x1e"));
        take(&mut state, Stderr, &format!("\x1eE{NONCE}\x1e"));
        assert_eq!(result(&mut state, ticket).exit_code, 7);
        assert_eq!(state.carried.status, 7);
    }

    #[test]
    fn a_question_is_answered_once_both_streams_have_said_so() {
        let mut state = open(Dialect::Bash);
        begun(&mut state);
        state.hold(Cause::TimedOut);
        end(&mut state, "130:s:1");
        state.ask(nonce(OTHER)).unwrap();
        assert!(!take(
            &mut state,
            Stdout,
            &format!("\x1eE{OTHER}:0:s:3\x1e")
        ));
        assert!(!state.is_answered(), "stderr may have more");
        assert!(take(&mut state, Stderr, &format!("\n\x1eE{OTHER}\x1e")));
        assert!(state.is_answered());
        assert_eq!(state.unread().take().stderr, b"\n");
    }

    #[test]
    fn whoever_has_written_a_command_says_nothing_of_the_next() {
        let mut state = open(Dialect::Bash);
        begun(&mut state);
        end(&mut state, "0:s:3");
        state.submit(job(Some(100))).unwrap();
        state.begin(nonce(OTHER)).unwrap();
        state.written(&nonce(NONCE));
        assert_eq!(state.resync(), None, "its text is still being written");
        state.written(&nonce(OTHER));
        assert!(state.resync().is_some());
    }

    #[test]
    fn a_signal_may_cut_off_the_line_that_makes_a_shell_report() {
        let mut state = open(Dialect::Bash);
        let ticket = begun(&mut state);
        state.running.as_mut().unwrap().next_poll = Instant::now();
        assert!(matches!(state.poll(), Poll::Resync(_)));
        state.hold(Cause::TimedOut);
        for _ in 0..2 {
            assert!(state.resync().is_some(), "the one before may be lost");
        }
        end(&mut state, "130:s:1");
        end(&mut state, "0:s:3");
        assert_eq!(result(&mut state, ticket).exit_code, 124);
        assert_eq!(state.carried.status, 130);
        assert_eq!(state.resync(), None, "it has reported");
    }

    #[test]
    fn why_a_command_was_aborted_decides_its_result() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (Cause::TimedOut,    "130:s:1", 124, End::TimedOut),
            (Cause::TimedOut,    "0:s:3",   124, End::TimedOut),
            (Cause::Interrupted, "2:s:2",   130, End::Signaled(2)),
            (Cause::Interrupted, "4:s:3",   4,   End::Exited),
            (Cause::Interrupted, "0:s:0",   130, End::Signaled(2)),
        ];
        for (cause, report, exit_code, how) in cases {
            let mut state = open(Dialect::Sh);
            let ticket = begun(&mut state);
            state.hold(cause);
            end(&mut state, report);
            let result = result(&mut state, ticket);
            assert_eq!((result.exit_code, result.end), (exit_code, how), "{report}");
        }
    }

    #[test]
    fn a_shell_that_ends_ends_its_commands() {
        let closed = |dialect, fate, hold: Option<Cause>| {
            let mut state = open(dialect);
            let ticket = begun(&mut state);
            let queued = state.submit(job(Some(100))).unwrap();
            take(&mut state, Stderr, "part");
            if let Some(cause) = hold {
                state.hold(cause);
            }
            state.close(fate);
            assert!(state.take_result(queued).is_none());
            let after = state.submit(job(None)).unwrap_err();
            assert!(matches!(after, Error::SessionClosed { .. }), "{after}");
            state.take_result(ticket).unwrap()
        };
        let ended = closed(Dialect::Sh, Ok(4), None).unwrap();
        assert_eq!((ended.exit_code, ended.stderr), (4, b"part".to_vec()));
        // Its beginning was not seen, so it has not run.
        let unbegun = closed(Dialect::Fresh, Ok(137), None).unwrap_err();
        assert!(matches!(
            unbegun,
            Error::SessionClosed {
                exit_code: Some(137)
            }
        ));
        let killed = closed(Dialect::Fresh, Ok(137), Some(Cause::TimedOut)).unwrap();
        assert!(killed.timed_out());
        let gone = Error::ContainerGone {
            container: "box".to_owned(),
            output: Box::default(),
        };
        let gone = closed(Dialect::Sh, Err(gone), None).unwrap_err();
        assert_eq!(gone.partial_output().unwrap().stderr, b"part");
    }

    #[test]
    fn a_poll_asks_the_shell_once_and_then_the_engine() {
        let mut state = open(Dialect::Sh);
        assert_eq!(state.poll(), Poll::Nothing);
        begun(&mut state);
        assert_eq!(state.poll(), Poll::Nothing, "it is not due yet");
        let mut polls = (0..3).map(|_| {
            state.running.as_mut().unwrap().next_poll = Instant::now();
            state.poll()
        });
        assert!(matches!(polls.next(), Some(Poll::Resync(_))));
        assert!(polls.all(|poll| poll == Poll::Ask));
    }

    #[test]
    fn a_shell_that_waits_twice_in_silence_has_given_its_command_up() {
        let mut state = open(Dialect::Sh);
        let ticket = begun(&mut state);
        state.running.as_mut().unwrap().next_poll = Instant::now();
        assert!(matches!(state.poll(), Poll::Resync(_)));
        let mut look = || {
            let running = state.running.as_mut().unwrap();
            (running.next_poll, running.next_look) = (Instant::now(), Instant::now());
            assert_eq!(state.poll(), Poll::Look);
        };
        look();
        assert!(!state.note_look(ticket, Seen::Running));
        assert!(!state.note_look(ticket, Seen::Waiting), "the first time");
        take(&mut state, Stderr, "x");
        let late = "something came in between";
        assert!(!state.note_look(ticket, Seen::Waiting), "{late}");
        assert!(!state.note_look(ticket, Seen::Running));
        assert!(!state.note_look(ticket, Seen::Waiting), "the first time");
        assert!(!state.note_look(ticket, Seen::Nothing));
        assert!(!state.note_look(ticket, Seen::Waiting), "the first time");
        state.hold(Cause::TimedOut);
        assert!(!state.note_look(ticket, Seen::Waiting), "being aborted");
        state.release();
        assert!(!state.note_look(ticket + 1, Seen::Waiting), "another");
        assert!(state.note_look(ticket, Seen::Waiting));
    }

    #[test]
    fn a_shell_that_is_not_seen_to_run_its_command_for_long_has_given_it_up() {
        let mut state = open(Dialect::Sh);
        let ticket = begun(&mut state);
        let mut look = |seen, since: Duration| {
            take(&mut state, Stderr, "dup: Too many open files\n");
            let running = state.running.as_mut().unwrap();
            if let Some(at) = &mut running.between_since {
                *at = Instant::now().checked_sub(since).unwrap();
            }
            state.note_look(ticket, seen)
        };
        let nearly = BETWEEN_MAX - Duration::from_secs(1);
        assert!(!look(Seen::Between, BETWEEN_MAX));
        assert!(!look(Seen::Waiting, nearly));
        assert!(!look(Seen::Running, BETWEEN_MAX));
        assert!(!look(Seen::Between, BETWEEN_MAX), "it has run since");
        assert!(!look(Seen::Nothing, BETWEEN_MAX), "it was not seen");
        assert!(look(Seen::Between, BETWEEN_MAX));
    }

    #[test]
    fn lines_that_bash_prints_at_an_abort_are_taken_off() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, u32, &str); 7] = [
            ("err\n",     0, "err\n"),
            ("err\n\n",   1, "err\n"),
            ("err\n",     1, "err"),
            ("\n",        1, ""),
            ("\n\n\n",    2, ""),
            ("e\n\n\n\n", 6, "e\n"),
            ("",          6, ""),
        ];
        for (text, rounds, want) in cases {
            let mut stderr = text.as_bytes().to_vec();
            drop_abort_lines(&mut stderr, rounds);
            assert_eq!(stderr, want.as_bytes(), "{text:?} after {rounds}");
        }
    }
}
