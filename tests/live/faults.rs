//! Every operation of the library, with every answer of the engine going wrong at several places.
//!
//! A [`Relay`] stands before the engine under test. An operation is done once as it should be,
//! which tells what answers it gets. Then it is done again and again, and each time one answer is
//! cut, hangs, is garbage or an error, or is the last that the engine ever gives. Whatever happens,
//! the operation ends in [`BOUND`], with the right result or with an error that has a name, and
//! closes its connections; and with all as it should be again, so is the operation.
//!
//! The byte-exact ladder of single exchanges is in `tests/core/ladder.rs`.

mod operations;

use std::collections::BTreeMap;
use std::env;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pocketdock_core::container::labels::PERSIST;
use pocketdock_core::engine::containers;
use pocketdock_core::{Container, Engine, EngineOptions, Error};

use crate::fixture::Live;
use crate::support::relay::{Answer, Fault, Relay, Wrong};
use crate::support::scratch::Scratch;
use operations::{OPERATIONS, Operation};

/// The patience of the library with an engine that does not answer.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// How long an operation may take with one answer missing: for that one, and for what it then waits
/// for while it clears up, of which a shell's first answer and a kill may take 20 seconds each.
const BOUND: Duration = Duration::from_secs(45);

/// How long the library may hold a connection after an operation has ended.
const CLOSED_IN: Duration = Duration::from_secs(10);

/// How many worlds there are side by side.
const LANES: usize = 8;

/// How many answers of an operation go wrong: the first ones, and the last.
const FIRST: usize = 10;
const LAST: usize = 2;

/// Of how many faults one is injected, another one on each day; with `POCKETDOCK_TEST_FAULTS=all`
/// all are, which takes a quarter of an hour.
const STEP: usize = 5;

/// All that an operation needs: the relay, what is behind it, and a sandbox.
pub(crate) struct World<'a> {
    live: &'a Live,
    relay: Relay,
    engine: Engine,
    sandbox: Container,
    scratch: Scratch,
    fault: Mutex<Option<Fault>>,
    begun: Mutex<Instant>,
}

impl<'a> World<'a> {
    fn new(live: &'a Live) -> Self {
        let relay = Relay::to(live.engine().socket_path());
        let engine = connect(relay.socket()).expect("connect through the relay");
        let sandbox = live.sandbox();
        let world = World {
            live,
            sandbox: engine.open(sandbox.name()).expect("open through the relay"),
            relay,
            engine,
            scratch: Scratch::new(),
            fault: Mutex::new(None),
            begun: Mutex::new(Instant::now()),
        };
        sandbox.leave();
        world
    }

    /// Another engine at the end of the relay.
    fn connect(&self) -> Result<Engine, Error> {
        connect(self.relay.socket())
    }

    /// From here on it counts.
    pub(crate) fn go(&self) {
        self.relay.arm(*self.fault.lock().unwrap());
        *self.begun.lock().unwrap() = Instant::now();
    }

    /// Does an operation with this going wrong.
    fn attempt(&self, operation: &Operation, fault: Option<Fault>) -> Attempt {
        *self.fault.lock().unwrap() = fault;
        self.relay.arm(None);
        *self.begun.lock().unwrap() = Instant::now();
        let outcome = (operation.act)(self);
        let took = self.begun.lock().unwrap().elapsed();
        let (answers, met) = (self.relay.answers(), self.relay.has_gone_wrong());
        self.relay.arm(None);
        let closed = self.relay.is_idle_within(CLOSED_IN);
        Attempt {
            outcome,
            took,
            answers,
            met,
            closed,
        }
    }

    /// Does an operation with nothing going wrong. A busy engine may take longer than [`TIMEOUT`].
    fn attempt_rightly(&self, operation: &Operation) -> Attempt {
        let mut attempts = (0..3).map(|_| self.attempt(operation, None));
        let is_late = |it: &Attempt| matches!(it.outcome, Err(Error::Timeout { .. }));
        attempts
            .find(|attempt| !is_late(attempt))
            .unwrap_or_else(|| self.attempt(operation, None))
    }

    /// Has the sandbox run again, and nothing else there.
    fn restore(&self) {
        let client = self.live.client();
        let id = self.sandbox.container_id();
        let found = containers::inspect(client, id).expect("the sandbox is there");
        match found.str_at(&["State", "Status"]) {
            Some("running") => {}
            Some("paused") => containers::unpause(client, id).expect("unpause"),
            _ => containers::start(client, id).expect("start"),
        }
    }
}

fn connect(socket: &Path) -> Result<Engine, Error> {
    let options = EngineOptions::new().socket(socket);
    options.timeout(TIMEOUT).image_timeout(TIMEOUT).connect()
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        let _gone = containers::remove(self.live.client(), self.sandbox.container_id(), true);
    }
}

struct Attempt {
    outcome: Result<bool, Error>,
    took: Duration,
    answers: Vec<Answer>,
    /// Whether the fault was met.
    met: bool,
    /// Whether the library has closed its connections.
    closed: bool,
}

/// The faults for an operation that gets these answers.
fn faults(answers: &[Answer]) -> Vec<Fault> {
    let count = answers.len();
    let numbers = (0..count).filter(|&number| number < FIRST || count - LAST <= number);
    let mut faults = Vec::new();
    for connection in numbers {
        let Answer { len, head_len, .. } = answers[connection];
        let body = head_len + len.saturating_sub(head_len) / 2;
        let mut add = |wrong, afters: &[usize]| {
            let mut afters = afters.to_vec();
            afters.dedup();
            faults.extend(afters.into_iter().map(|after| Fault {
                wrong,
                connection,
                after,
            }));
        };
        let last = len.saturating_sub(1);
        add(Wrong::Cut, &[0, 1, head_len / 2, head_len, body, last]);
        add(Wrong::Hang, &[0, head_len, body, len]);
        add(Wrong::Garbage, &[0, head_len / 2, head_len, body, last]);
        add(Wrong::Refused, &[0]);
        add(Wrong::Dead, &[0, head_len]);
        add(Wrong::Frozen, &[body]);
    }
    faults
}

/// What went how often.
#[derive(Default)]
struct Tally {
    faults: usize,
    met: usize,
    /// How often the engine was gone for good.
    gone: usize,
    by_code: BTreeMap<&'static str, usize>,
    slowest: Vec<(Duration, String)>,
    wrong: Vec<String>,
}

impl Tally {
    fn complain(&mut self, what: String) {
        say(&what);
        self.wrong.push(what);
    }

    fn note(&mut self, operation: &Operation, fault: Fault, is_stream: bool, attempt: &Attempt) {
        let Attempt {
            outcome,
            took,
            met,
            closed,
            ..
        } = attempt;
        self.faults += 1;
        self.met += usize::from(*met);
        self.gone += usize::from(matches!(fault.wrong, Wrong::Dead | Wrong::Frozen));
        let code = match outcome {
            Ok(true) => "success",
            Ok(false) => "wrong result",
            Err(error) => error.code(),
        };
        *self.by_code.entry(code).or_default() += 1;
        let what = format!("{}: {fault:?}: {outcome:?} after {took:?}", operation.name);
        if BOUND < *took {
            self.complain(format!("too late: {what}"));
        }
        if !closed {
            self.complain(format!("a connection is left: {what}"));
        }
        // Bytes in a stream are what they are.
        let is_unseen = is_stream && (operation.is_raw || fault.wrong == Wrong::Garbage);
        if matches!(outcome, Ok(false)) && !is_unseen {
            self.complain(format!("a wrong result: {what}"));
        }
        let is_misnamed = match outcome {
            // That an archive in a stream is none, or not whole.
            Err(Error::Io { source, .. }) if is_stream => !matches!(
                source.kind(),
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData
            ),
            Err(Error::Io { .. } | Error::InvalidArgument { .. }) => true,
            _ => false,
        };
        if is_misnamed {
            self.complain(format!("not the engine's fault: {what}"));
        }
        self.slowest.push((*took, what));
        self.slowest
            .sort_by_key(|(took, _)| std::cmp::Reverse(*took));
        self.slowest.truncate(12);
    }
}

/// The first fault that is injected, and how many steps from there to the next.
fn share() -> (usize, usize) {
    if env::var("POCKETDOCK_TEST_FAULTS").as_deref() == Ok("all") {
        return (0, 1);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let day = usize::try_from(now.as_secs() / 86_400).unwrap();
    (day % STEP, STEP)
}

/// Says it at once: a ladder takes minutes.
fn say(line: &str) {
    let _unseen = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn climb(world: &World<'_>, operation: &Operation, tally: &Mutex<Tally>) {
    let right = world.attempt_rightly(operation);
    let name = operation.name;
    if !matches!(right.outcome, Ok(true)) {
        let what = format!("{name}: without a fault: {:?}", right.outcome);
        return tally.lock().unwrap().complain(what);
    }
    world.restore();
    let (first, step) = share();
    for fault in faults(&right.answers).into_iter().skip(first).step_by(step) {
        let attempt = world.attempt(operation, Some(fault));
        let is_stream = right.answers[fault.connection].is_stream;
        let mut tally = tally.lock().unwrap();
        tally.note(operation, fault, is_stream, &attempt);
        drop(tally);
        world.restore();
    }
    let after = world.attempt_rightly(operation).outcome;
    if !matches!(after, Ok(true)) {
        let what = format!("{name}: when all was over: {after:?}");
        tally.lock().unwrap().complain(what);
    }
    world.restore();
}

#[test]
fn every_operation_survives_every_answer() {
    let Some(live) = Live::begin() else { return };
    let only = env::var("POCKETDOCK_TEST_OPERATION").ok();
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let world = World::new(&live);
                while let Some(operation) = OPERATIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if only.as_deref().is_some_and(|only| operation.name != only) {
                        continue;
                    }
                    let begun = Instant::now();
                    climb(&world, operation, &tally);
                    say(&format!("{}: {:.1?}", operation.name, begun.elapsed()));
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap();
    // What an engine that is gone was to remove is left, and what is to stay.
    let left = containers::list(live.client(), &[live.label()]).expect("list containers");
    let leaked = left.iter().filter(|it| it.label(PERSIST) != Some("true"));
    let leaked = leaked.count();
    if tally.gone < leaked {
        tally.complain(format!(
            "{leaked} sandboxes are left, {} may be",
            tally.gone
        ));
    }
    for sandbox in left {
        containers::remove(live.client(), &sandbox.id, true).expect("remove");
    }
    say(&format!(
        "faults: {} injected, {} met, {:?}",
        tally.faults, tally.met, tally.by_code
    ));
    for (_, what) in &tally.slowest {
        say(&format!("slow: {what}"));
    }
    assert!(tally.wrong.is_empty(), "{:#?}", tally.wrong);
}
