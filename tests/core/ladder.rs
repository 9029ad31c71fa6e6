//! The abort ladder: an engine that stops after each byte of each recorded exchange.
//!
//! Whatever has arrived by then, the call ends with one of a few named errors and in time. It is
//! climbed three times: with an engine that hangs up, one that resets, and one that says nothing
//! more and keeps the connection.

use std::io::Read;
use std::thread;
use std::time::Duration;

use pocketdock_core::Error;
use pocketdock_core::engine::client::Client;
use pocketdock_core::engine::exec::ExecConfig;
use pocketdock_core::engine::{containers, exec};
use pocketdock_core::wire::frame::Demuxer;
use pocketdock_core::wire::value::Value;

use crate::support::alone::alone;
use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::process::{PATIENCE, assert_holds, holdings, within};
use crate::support::recorded::recorded;
use crate::{SHORT, client_of};

/// How long the ladder of one exchange may take: thousands of rungs on a machine that is busy.
const LADDER_PATIENCE: Duration = Duration::from_secs(6 * PATIENCE.as_secs());

type Operation = fn(&Client) -> Result<(), Error>;

/// The exchanges of a run, in order.
const RUN: [(&str, Operation); 7] = [
    ("create", |client| {
        let config = Value::object([("Image", "localhost/busybox:latest".into())]);
        containers::create(client, "pd-recorded", &config).map(drop)
    }),
    ("start", |client| containers::start(client, "box")),
    ("exec-create", |client| {
        exec::create(client, "box", &ExecConfig::default()).map(drop)
    }),
    ("exec-start", output_of),
    ("exec-start-upgraded", output_of),
    ("exec-inspect", |client| {
        exec::inspect(client, "e").map(drop)
    }),
    ("inspect", |client| {
        containers::inspect(client, "box").map(drop)
    }),
];

/// Starts an exec instance and reads its frames to the end, which must be a boundary.
fn output_of(client: &Client) -> Result<(), Error> {
    let mut streaming = exec::start(client, "e", false)?;
    let mut bytes = Vec::new();
    if let Err(error) = streaming.body.read_to_end(&mut bytes) {
        return Err(streaming.failure(&error));
    }
    let mut demuxer = Demuxer::default();
    let mut input = bytes.as_slice();
    while demuxer.next(&mut input).unwrap().is_some() {}
    if demuxer.at_boundary() {
        return Ok(());
    }
    Err(streaming.failure(&std::io::ErrorKind::UnexpectedEof.into()))
}

/// What becomes of a call whose reply stops after `len` bytes.
struct Rung {
    name: &'static str,
    len: usize,
    reply_len: usize,
    /// Where the head ends; a hijacked stream may end at any frame after it.
    head_len: usize,
    outcome: Result<(), Error>,
}

impl Rung {
    /// A reply that is not whole gives no result, and the error is the one that is `named`.
    fn check(&self, engine: &str, named: &str) {
        let is_stream = self.name.starts_with("exec-start") && self.head_len <= self.len;
        let is_whole = self.len == self.reply_len;
        let at = format!(
            "{engine} {}, {} of {} bytes",
            self.name, self.len, self.reply_len
        );
        match &self.outcome {
            Ok(()) => assert!(is_whole || is_stream, "{at}: success"),
            Err(error) => {
                assert_eq!(error.code(), named, "{at}: {error}");
                // A whole reply can only be late, on a machine that is busy.
                assert!(
                    !is_whole || is_stream || named == "timeout",
                    "{at}: {error}"
                );
            }
        }
    }
}

/// How a ladder is climbed.
#[derive(Clone, Copy)]
struct Climb {
    /// Turns the bytes that are sent into what the engine does.
    stop: fn(Vec<u8>) -> Exchange,
    timeout: Duration,
    /// Rungs climbed at the same time.
    side_by_side: usize,
}

impl Climb {
    /// Climbs one exchange, the whole of it in time.
    fn all(self, name: &'static str, operation: Operation, reply: Vec<u8>) -> Vec<Rung> {
        let climb = move || {
            thread::scope(|scope| {
                let share = |first| self.share(first, name, operation, &reply);
                let climbers: Vec<_> = (0..self.side_by_side)
                    .map(|first| scope.spawn(move || share(first)))
                    .collect();
                climbers
                    .into_iter()
                    .flat_map(|climber| climber.join().unwrap())
                    .collect()
            })
        };
        within(LADDER_PATIENCE, climb)
    }

    /// Climbs every n-th rung, beginning with `first`, on one engine.
    fn share(
        self,
        first: usize,
        name: &'static str,
        operation: Operation,
        reply: &[u8],
    ) -> Vec<Rung> {
        let lens = || (first..=reply.len()).step_by(self.side_by_side);
        let fake = FakeEngine::script(lens().map(|len| (self.stop)(reply[..len].to_vec())));
        let client = client_of(&fake).with_timeout(self.timeout);
        let (reply_len, head_len) = (reply.len(), head_len(reply));
        let rung = |len| Rung {
            name,
            len,
            reply_len,
            head_len,
            outcome: operation(&client),
        };
        lens().map(rung).collect()
    }
}

/// The length of the head of a reply, its empty line included.
fn head_len(reply: &[u8]) -> usize {
    reply
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4
}

/// Climbs each exchange of both engines that is `wanted`; nothing is left afterwards.
///
/// Every error is the one that is `named`, and the last rung, a whole reply, succeeds.
fn climb_both(climb: Climb, wanted: fn(&str) -> bool, named: &str) {
    let before = holdings();
    for engine in ["docker", "podman"] {
        for (name, operation) in RUN.into_iter().filter(|(name, _)| wanted(name)) {
            let reply = recorded(&format!("{engine}-{name}")).reply;
            for rung in climb.all(name, operation, reply) {
                rung.check(engine, named);
            }
        }
    }
    assert_holds(before);
}

#[test]
fn an_engine_that_hangs_up() {
    alone("ladder::an_engine_that_hangs_up", &[], || {
        let stop = |bytes| Exchange::any(Reply::raw(bytes));
        let climb = Climb {
            stop,
            timeout: PATIENCE,
            side_by_side: 1,
        };
        climb_both(climb, |_| true, "socket_communication");
    });
}

#[test]
fn an_engine_that_resets_the_connection() {
    alone("ladder::an_engine_that_resets_the_connection", &[], || {
        let stop = |bytes| Exchange::any(Reply::raw(bytes)).at_once();
        // The long reply to inspecting a container has no kind of byte that the others lack.
        let climb = Climb {
            stop,
            timeout: PATIENCE,
            side_by_side: 1,
        };
        climb_both(climb, |name| name != "inspect", "socket_communication");
    });
}

#[test]
fn an_engine_that_says_no_more() {
    alone("ladder::an_engine_that_says_no_more", &[], || {
        let stop = |bytes| Exchange::any(Reply::raw(bytes).hang());
        let climb = Climb {
            stop,
            timeout: SHORT,
            side_by_side: 100,
        };
        // An output stream has no deadline of its own: silence there is the command's right.
        let wanted = |name: &str| !name.starts_with("exec-start") && name != "inspect";
        climb_both(climb, wanted, "timeout");
    });
}

#[test]
fn an_engine_that_does_not_finish_the_head_of_a_stream() {
    let climb = |reply: Vec<u8>| {
        for len in [0, 1, reply.len() / 2, reply.len() - 1] {
            let hang = Reply::raw(&reply[..len]).hang();
            let fake = FakeEngine::script([Exchange::any(hang)]);
            let client = client_of(&fake).with_timeout(SHORT);
            let error = exec::start(&client, "e", false).unwrap_err();
            assert!(
                matches!(error, Error::Timeout { .. }),
                "{len} bytes: {error:?}"
            );
        }
    };
    for name in [
        "docker-exec-start",
        "docker-exec-start-upgraded",
        "podman-exec-start",
    ] {
        let mut reply = recorded(name).reply;
        reply.truncate(head_len(&reply));
        within(PATIENCE, move || climb(reply));
    }
}
