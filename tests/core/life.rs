//! The ladder over a whole life: create a sandbox, run a command in it, let it go.
//!
//! One reply of the life stops after each of its bytes. Whatever happens, the call ends in time
//! with a named error, the sandbox is removed if the engine said that it made one, and a result
//! is given only if the engine said that the command has ended.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use pocketdock_core::{EngineOptions, Error, ExecResult};

use crate::SHORT;
use crate::model::{Kind, kinds, model_with, options};
use crate::support::alone::alone;
use crate::support::fake_engine::Reply;
use crate::support::process::{PATIENCE, assert_holds, holdings, within};
use crate::support::recorded::recorded;

/// The exchanges of a life for which there is a recording.
const LIFE: [(Kind, &str); 6] = [
    (Kind::Ping, "docker-ping"),
    (Kind::Create, "docker-create"),
    (Kind::Start, "docker-start"),
    (Kind::ExecCreate, "docker-exec-create"),
    (Kind::ExecStart, "docker-exec-start-upgraded"),
    (Kind::ExecInspect, "docker-exec-inspect"),
];

/// What came of a life in which one reply stopped after `len` bytes.
struct Outcome {
    kind: Kind,
    len: usize,
    reply: Vec<u8>,
    result: Result<ExecResult, Error>,
    removals: usize,
    /// Whether it was another exchange that took too long.
    is_late: bool,
}

impl Outcome {
    fn is_whole(&self) -> bool {
        self.len == self.reply.len()
    }

    /// How often the sandbox should have been removed.
    fn due_removals(&self) -> usize {
        usize::from(self.is_whole() || !matches!(self.kind, Kind::Ping | Kind::Create))
    }

    /// What holds however the reply stopped.
    fn check(&self, named: &str) {
        let at = format!(
            "{:?}, {} of {} bytes",
            self.kind,
            self.len,
            self.reply.len()
        );
        assert_eq!(self.removals, self.due_removals(), "{at}: removals");
        match &self.result {
            Ok(result) => self.check_result(&at, result),
            // An engine that does not answer a ping is none.
            Err(error) if self.kind == Kind::Ping => assert_eq!(error.code(), "socket_connection"),
            // Silence inside a frame, when the command has ended, is output that was cut off.
            Err(Error::SocketCommunication { .. }) if self.kind == Kind::ExecStart => {}
            Err(error) => assert_eq!(error.code(), named, "{at}: {error}"),
        }
    }

    fn check_result(&self, at: &str, result: &ExecResult) {
        // A stream that ends between two frames cannot be told from one that has ended, and how a
        // command ended may be asked again.
        let is_stream = self.kind == Kind::ExecStart;
        let is_asked_again = self.kind == Kind::ExecInspect;
        assert!(
            self.is_whole() || is_stream || is_asked_again,
            "{at}: {result:?}"
        );
        assert_eq!(result.exit_code, 3, "{at}");
        if is_stream {
            let frames = [
                (&result.stderr, &b"err\n"[..]),
                (&result.stdout, b"out\n\0\xff"),
            ];
            let is_frame = |(got, all): (&Vec<u8>, &[u8])| got.is_empty() || got == all;
            assert!(
                frames.into_iter().all(is_frame),
                "{at}: half a frame in {result:?}"
            );
        }
    }
}

/// How a ladder is climbed.
#[derive(Clone, Copy)]
struct Climb {
    /// Says what becomes of the connection after the bytes of the reply.
    stop: fn(Reply) -> Reply,
    timeout: Duration,
    /// Lives at the same time.
    side_by_side: usize,
    /// Bytes from one rung to the next.
    step: usize,
}

impl Climb {
    /// Lives once; on a busy machine again with more patience if another exchange was late.
    fn live(self, kind: Kind, reply: &[u8], len: usize) -> Outcome {
        let mut timeout = self.timeout;
        loop {
            let outcome = self.live_with(timeout, kind, reply, len);
            let is_late = outcome.is_late || outcome.removals < outcome.due_removals();
            if !is_late || PATIENCE < timeout {
                return outcome;
            }
            timeout *= 5;
        }
    }

    fn live_with(self, timeout: Duration, kind: Kind, reply: &[u8], len: usize) -> Outcome {
        let fake = model_with(kind, (self.stop)(Reply::raw(&reply[..len])));
        let engine = EngineOptions::new()
            .socket(fake.socket())
            .timeout(timeout)
            .connect();
        let result = engine
            .and_then(|engine| engine.create(&options()))
            .and_then(|sandbox| sandbox.exec("x").timeout(PATIENCE).run());
        let kinds = kinds(&fake);
        let removals = kinds.iter().filter(|kind| **kind == Kind::Remove).count();
        // What is asked and removed behind a failure comes after the exchange that failed.
        let last = kinds
            .into_iter()
            .rfind(|kind| !matches!(kind, Kind::Inspect | Kind::Kill | Kind::Remove));
        let is_late = match &result {
            Err(Error::Timeout { .. }) => last != Some(kind),
            Err(Error::SocketConnection { .. }) => kind != Kind::Ping,
            _ => false,
        };
        Outcome {
            kind,
            len,
            reply: reply.to_vec(),
            result,
            removals,
            is_late,
        }
    }

    /// Lives once for each byte of each reply, on several threads.
    fn every_life(self) -> Vec<Outcome> {
        let mut rungs = Vec::new();
        for (kind, name) in LIFE {
            let reply = recorded(name).reply;
            rungs.extend(
                (0..=reply.len())
                    .step_by(self.step)
                    .map(|len| (kind, reply.clone(), len)),
            );
        }
        let rungs = Mutex::new(rungs);
        let next = || rungs.lock().unwrap().pop();
        let climb = || {
            let mut outcomes = Vec::new();
            while let Some((kind, reply, len)) = next() {
                outcomes.push(self.live(kind, &reply, len));
            }
            outcomes
        };
        thread::scope(|scope| {
            let climbers: Vec<_> = (0..self.side_by_side).map(|_| scope.spawn(climb)).collect();
            climbers
                .into_iter()
                .flat_map(|climber| climber.join().unwrap())
                .collect()
        })
    }

    /// Every life ends as it should, and nothing is left of them.
    fn check(self, named: &str) {
        let before = holdings();
        for outcome in within(9 * PATIENCE, move || self.every_life()) {
            outcome.check(named);
        }
        assert_holds(before);
    }
}

#[test]
fn an_engine_that_hangs_up() {
    alone("life::an_engine_that_hangs_up", &[], || {
        let climb = Climb {
            stop: |reply| reply,
            timeout: PATIENCE,
            side_by_side: 4,
            step: 1,
        };
        climb.check("socket_communication");
    });
}

#[test]
fn an_engine_that_says_no_more() {
    alone("life::an_engine_that_says_no_more", &[], || {
        let climb = Climb {
            stop: Reply::hang,
            timeout: 2 * SHORT,
            side_by_side: 40,
            step: 3, // Each takes as long as the client's patience.
        };
        climb.check("timeout");
    });
}
