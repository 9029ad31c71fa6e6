//! A sandbox whose `sh` never comes to the point: no call waits for it longer than for the engine.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::{Container, EngineOptions, Error, Result};

use crate::SHORT;
use crate::model::{self, Kind};
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::process::{PATIENCE, within};
use crate::support::scratch::Scratch;

/// Longer than the patience of the clients here, and shorter than for ever.
const LONG: Duration = Duration::from_secs(3);

/// What such a shell does, on the open connection.
type Lie = fn(&UnixStream) -> io::Result<()>;

fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[stream, 0, 0, 0], len.as_slice(), payload].concat()
}

fn silence(mut stream: &UnixStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Writes for ever, faster than anybody waits.
fn flood(mut stream: &UnixStream, frame: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(frame)?;
        thread::sleep(Duration::from_millis(1));
    }
}

fn flood_of_words(stream: &UnixStream) -> io::Result<()> {
    flood(stream, &frame(2, b"not a word of ours\n"))
}

fn flood_of_drops(stream: &UnixStream) -> io::Result<()> {
    flood(stream, &frame(2, b"."))
}

const LIES: [(&str, Lie); 3] = [
    ("silence", silence),
    ("words", flood_of_words),
    ("drops", flood_of_drops),
];

/// An engine with such a sandbox; it runs until it is killed.
fn lying(lie: Lie) -> FakeEngine {
    model::model(move |kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).talk(lie)),
        Kind::ExecInspect => Some(model::exec_state(true, "null")),
        _ => None,
    })
}

fn impatient(fake: &FakeEngine) -> Container {
    let options = EngineOptions::new().socket(fake.socket());
    let engine = options.timeout(SHORT * 4).connect().unwrap();
    engine.open("box").unwrap()
}

#[test]
fn nobody_waits_for_a_shell_that_never_comes_to_the_point() {
    type Call = fn(&Container, &Scratch) -> Result<()>;
    #[rustfmt::skip] // one case per line
    let calls: [(&str, Call); 6] = [
        ("push",  |sandbox, host| sandbox.push(&host.join("file"), "/tmp/x").map(drop)),
        ("pull",  |sandbox, host| sandbox.pull("/tmp/x", host.path()).map(drop)),
        ("tar",   |sandbox, _| sandbox.pull_archive("/tmp/x", &mut io::sink(), &mut |_| {
            std::ops::ControlFlow::Continue(())
        }).map(drop)),
        ("write", |sandbox, _| sandbox.write_file("/tmp/x", "x")),
        ("read",  |sandbox, _| sandbox.read_file("/tmp/x").map(drop)),
        ("list",  |sandbox, _| sandbox.list_files("/tmp").map(drop)),
    ];
    for (what, lie) in LIES {
        for (name, call) in calls {
            let fake = lying(lie);
            let sandbox = impatient(&fake);
            let began = Instant::now();
            let error = within(PATIENCE, move || {
                let host = Scratch::new();
                host.write("file", b"content");
                call(&sandbox, &host).unwrap_err()
            });
            let timed_out = matches!(&error, Error::Timeout { .. });
            assert!(timed_out, "{name}, {what}: {error:?}");
            assert!(began.elapsed() < LONG, "{name}, {what}");
        }
    }
}

/// A script that was given up is not left to itself.
#[test]
fn a_shell_that_is_given_up_is_killed() {
    let fake = lying(flood_of_words);
    let sandbox = impatient(&fake);
    within(PATIENCE, move || sandbox.read_file("/tmp/x").unwrap_err());
    assert!(model::kinds(&fake).contains(&Kind::Killer), "read");
    let fake = lying(flood_of_words);
    let sandbox = impatient(&fake);
    within(PATIENCE, move || {
        sandbox.write_file("/tmp/x", "x").unwrap_err()
    });
    assert!(model::kinds(&fake).contains(&Kind::Killer), "write");
}

#[test]
fn more_than_a_file_may_hold_is_not_waited_for_to_its_end() {
    let fake = lying(|mut stream| {
        let piece = frame(1, &vec![0; 1024 * 1024]);
        loop {
            stream.write_all(&piece)?;
        }
    });
    let sandbox = model::opened(&fake);
    let error = within(PATIENCE * 3, move || {
        sandbox.list_files("/tmp").unwrap_err()
    });
    assert!(error.to_string().contains("too large"), "{error}");
}
