//! The ladder: an engine that goes wrong after each byte of the answer of each endpoint.
//!
//! It hangs up there, resets, says nothing more, or goes on with garbage; or its answer has another
//! status or length. Whatever has arrived by then, the call ends with a named error and in time.
//!
//! What whole operations make of that is in `tests/live/faults.rs`.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use pocketdock_core::Error;
use pocketdock_core::engine::client::{Client, Streaming};
use pocketdock_core::engine::exchange::RequestBody;
use pocketdock_core::engine::exec::ExecConfig;
use pocketdock_core::engine::images::BuildConfig;
use pocketdock_core::engine::{archive, containers, exec, images, system};
use pocketdock_core::wire::frame::Demuxer;
use pocketdock_core::wire::value::Value;

use crate::support::alone::alone;
use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::process::{PATIENCE, assert_holds, holdings, within};
use crate::support::recorded::recorded;
use crate::{SHORT, client_of};
use Healthy::{Chunked, Empty, Json, Recorded};

/// How long the ladder of one exchange may take: thousands of rungs on a machine that is busy.
const LADDER_PATIENCE: Duration = Duration::from_secs(6 * PATIENCE.as_secs());

type Operation = fn(&Client) -> Result<(), Error>;

/// What a healthy engine answers.
enum Healthy {
    /// As this was recorded from both engines.
    Recorded(&'static str),
    /// A document, where nothing was recorded.
    Json(u16, &'static str),
    /// Nothing but a status.
    Empty(u16),
    /// A body in chunks.
    Chunked(&'static [&'static [u8]]),
}

impl Healthy {
    fn reply(&self, engine: &str) -> Vec<u8> {
        match self {
            Recorded(name) => recorded(&format!("{engine}-{name}")).reply,
            Json(status, body) => Reply::json(*status, body).into_bytes(),
            Empty(status) => Reply::empty(*status).into_bytes(),
            Chunked(pieces) => Reply::chunked(200, pieces).into_bytes(),
        }
    }
}

/// Every endpoint: its name, its healthy answer, and a call.
#[rustfmt::skip] // one endpoint per line, where it fits
const ENDPOINTS: [(&str, Healthy, Operation); 36] = [
    ("ping",           Recorded("ping"),     |c| system::ping(c).map(drop)),
    ("version",        Json(200, r#"{"Version":"20.10.24","ApiVersion":"1.41"}"#), |c| system::version(c).map(drop)),
    ("info",           Json(200, r#"{"ServerVersion":"20.10.24","Rootless":false}"#), |c| system::info(c).map(drop)),
    ("create",         Recorded("create"),   |c| {
        let config = Value::object([("Image", "localhost/busybox:latest".into())]);
        containers::create(c, "pd-recorded", &config).map(drop)
    }),
    ("start",          Recorded("start"),    |c| containers::start(c, "box")),
    ("stop",           Recorded("stop"),     |c| containers::stop(c, "box", Duration::ZERO)),
    ("kill",           Empty(204),           |c| containers::kill(c, "box", "KILL")),
    ("restart",        Empty(204),           |c| containers::restart(c, "box", Duration::ZERO)),
    ("pause",          Recorded("pause"),    |c| containers::pause(c, "box")),
    ("unpause",        Recorded("unpause"),  |c| containers::unpause(c, "box")),
    ("remove",         Recorded("remove"),   |c| containers::remove(c, "box", true)),
    ("rename",         Empty(204),           |c| containers::rename(c, "box", "tin")),
    ("inspect",        Recorded("inspect"),  |c| containers::inspect(c, "box").map(drop)),
    ("list",           Recorded("list"),     |c| containers::list(c, &[]).map(drop)),
    ("wait",           Recorded("wait"),     |c| containers::wait(c, "box", c.timeout()).map(drop)),
    ("wait-removed",   Json(200, r#"{"StatusCode":0}"#), |c| containers::wait_removed(c, "box")),
    ("stats",          Recorded("stats"),    |c| containers::stats(c, "box", true).map(drop)),
    ("top",            Recorded("top"),      |c| containers::top(c, "box", "pid,args").map(drop)),
    ("changes",        Recorded("changes"),  |c| containers::changes(c, "box").map(drop)),
    ("exec-create",    Recorded("exec-create"), |c| exec::create(c, "box", &ExecConfig::default()).map(drop)),
    ("exec-start",     Recorded("exec-start"), output_of),
    ("exec-start-upgraded", Recorded("exec-start-upgraded"), output_of),
    ("exec-inspect",   Recorded("exec-inspect"), |c| exec::inspect(c, "e").map(drop)),
    ("exec-resize",    Json(200, ""),           |c| exec::resize(c, "e", 24, 80)),
    ("archive-head",   Recorded("archive-head"), |c| archive::stat(c, "box", "/etc").map(drop)),
    ("archive-get",    Recorded("archive-get"), |c| whole(archive::get(c, "box", "/etc")?)),
    ("archive-put",    Json(200, ""),           |c| archive::put(c, "box", "/etc", RequestBody::Bytes(b"tar"))),
    ("image-inspect",  Recorded("image-inspect"), |c| images::inspect(c, "x").map(drop)),
    ("image-history",  Json(200, r#"[{"Id":"sha256:1","CreatedBy":"RUN"}]"#), |c| images::history(c, "x").map(drop)),
    ("image-list",     Json(200, r#"[{"Id":"sha256:1","RepoTags":["x:1"]}]"#), |c| images::list(c).map(drop)),
    ("image-tag",      Json(201, ""),           |c| images::tag(c, "x", "y", "1")),
    ("image-get",      Chunked(&[b"an archive", b"in two pieces"]), |c| whole(images::get(c, &["x"])?)),
    ("image-load",     Chunked(&[b"{\"stream\":\"Loaded image: x:1\\n\"}\n"]), |c| {
        images::load(c, &mut &b"archive"[..]).map(drop)
    }),
    ("image-commit",   Json(201, r#"{"Id":"sha256:1"}"#), |c| images::commit(c, "box", "x", "1", &[]).map(drop)),
    ("image-remove",   Json(200, r#"[{"Untagged":"x:1"}]"#), |c| images::remove(c, "x")),
    ("image-build",    Chunked(&[b"{\"stream\":\"Step 1\"}\n", b"{\"aux\":{\"ID\":\"sha256:1\"}}\n"]), |c| {
        let config = BuildConfig::default();
        images::build(c, &config, &mut |sink| sink.write_all(b"tar"), &mut |_| {}).map(drop)
    }),
];

/// Reads a body to its end.
fn whole(mut streaming: Streaming) -> Result<(), Error> {
    let mut bytes = Vec::new();
    match streaming.body.read_to_end(&mut bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(streaming.failure(&error)),
    }
}

/// Starts an exec instance and reads its frames to the end, which must be a boundary.
fn output_of(client: &Client) -> Result<(), Error> {
    let mut streaming = exec::start(client, "e", false)?;
    let mut bytes = Vec::new();
    if let Err(error) = streaming.body.read_to_end(&mut bytes) {
        return Err(streaming.failure(&error));
    }
    let mut demuxer = Demuxer::default();
    let mut input = bytes.as_slice();
    // Frames that are none end it as a connection does that broke.
    while let Ok(Some(_)) = demuxer.next(&mut input) {}
    if input.is_empty() && demuxer.at_boundary() {
        return Ok(());
    }
    Err(streaming.failure(&io::ErrorKind::UnexpectedEof.into()))
}

/// How an engine goes wrong after some bytes of a reply, which is turned into what it does.
#[derive(Clone, Copy)]
struct Climb {
    go_wrong: fn(&[u8], usize) -> Exchange,
    timeout: Duration,
    /// Rungs climbed at the same time.
    side_by_side: usize,
}

/// A call that met this.
struct Rung {
    /// How many bytes were as they should be, and of how many.
    len: usize,
    reply_len: usize,
    head_len: usize,
    outcome: Result<(), Error>,
}

impl Climb {
    /// Climbs the ladder of one endpoint, the whole of it in time.
    fn all(self, operation: Operation, reply: Vec<u8>) -> Vec<Rung> {
        let climb = move || {
            thread::scope(|scope| {
                let share = |first| self.share(first, operation, &reply);
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
    fn share(self, first: usize, operation: Operation, reply: &[u8]) -> Vec<Rung> {
        let lens = || (first..=reply.len()).step_by(self.side_by_side);
        let fake = FakeEngine::script(lens().map(|len| (self.go_wrong)(reply, len)));
        let client = client_of(&fake).with_timeout(self.timeout);
        let client = client.with_image_timeout(self.timeout);
        let (reply_len, head_len) = (reply.len(), head_len(reply));
        let rung = |len| Rung {
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
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n");
    end.unwrap() + 4
}

/// Climbs the ladder of each endpoint that is `wanted`, on both engines, and `check`s each rung;
/// nothing is left afterwards. How many rungs there were is said.
fn climb_both(climb: Climb, wanted: fn(&str) -> bool, check: fn(&str, &Rung)) {
    let before = holdings();
    let mut count = 0;
    for engine in ["docker", "podman"] {
        for (name, healthy, operation) in &ENDPOINTS {
            if wanted(name) {
                for rung in climb.all(*operation, healthy.reply(engine)) {
                    check(&format!("{engine} {name}"), &rung);
                    count += 1;
                }
            }
        }
    }
    let _unseen = writeln!(io::stderr(), "{count} rungs");
    assert_holds(before);
}

/// Whether what has come by then may be all that there is: a hijacked stream ends anywhere.
fn may_end(at: &str, rung: &Rung) -> bool {
    rung.len == rung.reply_len || (at.contains("exec-start") && rung.head_len <= rung.len)
}

fn check_cut(at: &str, rung: &Rung) {
    let at = format!("{at}, {} of {} bytes", rung.len, rung.reply_len);
    match &rung.outcome {
        Ok(()) => assert!(may_end(&at, rung), "{at}: success"),
        Err(error) => {
            assert_eq!(error.code(), "socket_communication", "{at}: {error}");
            let is_whole = rung.len == rung.reply_len && !at.contains("exec-start");
            assert!(!is_whole, "{at}: {error}");
        }
    }
}

fn check_hang(at: &str, rung: &Rung) {
    let at = format!("{at}, {} of {} bytes", rung.len, rung.reply_len);
    match &rung.outcome {
        Ok(()) => assert_eq!(rung.len, rung.reply_len, "{at}: success"),
        // A whole reply can be late, on a machine that is busy.
        Err(error) => assert_eq!(error.code(), "timeout", "{at}: {error}"),
    }
}

#[test]
fn an_engine_that_hangs_up() {
    alone("ladder::an_engine_that_hangs_up", &[], || {
        let climb = Climb {
            go_wrong: |reply, len| Exchange::any(Reply::raw(&reply[..len])),
            timeout: PATIENCE,
            side_by_side: 2,
        };
        climb_both(climb, |_| true, check_cut);
    });
}

#[test]
fn an_engine_that_resets_the_connection() {
    alone("ladder::an_engine_that_resets_the_connection", &[], || {
        let climb = Climb {
            go_wrong: |reply, len| Exchange::any(Reply::raw(&reply[..len])).at_once(),
            timeout: PATIENCE,
            side_by_side: 2,
        };
        climb_both(climb, |_| true, check_cut);
    });
}

#[test]
fn an_engine_that_says_no_more() {
    alone("ladder::an_engine_that_says_no_more", &[], || {
        let climb = Climb {
            go_wrong: |reply, len| Exchange::any(Reply::raw(&reply[..len]).hang()),
            timeout: SHORT,
            side_by_side: 100,
        };
        // An output stream has no deadline of its own: silence there is the command's right.
        climb_both(climb, |name| !name.starts_with("exec-start"), check_hang);
    });
}

#[test]
fn an_engine_that_goes_on_with_garbage() {
    alone("ladder::an_engine_that_goes_on_with_garbage", &[], || {
        let climb = Climb {
            go_wrong: |reply, len| {
                let garbled = reply[len..].iter().map(|byte| byte ^ 0x5a);
                let bytes: Vec<u8> = reply[..len].iter().copied().chain(garbled).collect();
                Exchange::any(Reply::raw(bytes))
            },
            timeout: PATIENCE,
            side_by_side: 2,
        };
        // It may be a letter in a text: no error is due then, but none of another name either.
        climb_both(
            climb,
            |_| true,
            |at, rung| {
                let Err(error) = &rung.outcome else { return };
                let known = [
                    "socket_communication",
                    "protocol",
                    "engine",
                    "import_failed",
                ];
                assert!(
                    known.contains(&error.code()),
                    "{at}, {} bytes: {error:?}",
                    rung.len
                );
            },
        );
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
