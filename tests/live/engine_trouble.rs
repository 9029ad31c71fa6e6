//! An engine in trouble: frozen, killed and started again, slow, with its disk full.
//!
//! Only for a pair of engines of this suite's own, whose data lie on a small file system:
//! `tests/run.sh` names its directory in `POCKETDOCK_TEST_ENGINE_DIR`. One test at a time.

mod load;
mod slow;

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use pocketdock_core::{Container, Engine, EngineOptions, Error, Result};

use crate::fixture::{Live, eventually_none};
use crate::support::alone::alone;
use crate::support::process::{assert_holds, holdings};
use crate::support::scratch::Scratch;
use load::Load;

/// The patience of a client with an engine that does not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a call may take that waits for such an engine: for an answer, and for another one while
/// it clears up.
const BOUND: Duration = Duration::from_secs(40);

/// The engine in trouble.
struct Patient {
    live: Live,
    dir: PathBuf,
    name: String,
    engine: Engine,
}

impl Patient {
    fn find() -> Option<Self> {
        let live = Live::begin()?;
        let Ok(dir) = env::var("POCKETDOCK_TEST_ENGINE_DIR") else {
            let line = "SKIPPED: engine_trouble (POCKETDOCK_TEST_ENGINE_DIR names no engines)\n";
            let _unseen = std::io::stderr().write_all(line.as_bytes());
            return None;
        };
        let options = EngineOptions::new().socket(live.engine().socket_path());
        Some(Patient {
            dir: dir.into(),
            name: env::var("POCKETDOCK_TEST_ENGINE").expect("an engine"),
            engine: options.timeout(PATIENCE).connect().expect("an engine"),
            live,
        })
    }

    /// A sandbox, and a handle to it that waits no longer than [`PATIENCE`].
    fn sandbox(&self) -> (Container, Container) {
        let sandbox = self.live.sandbox();
        let impatient = self.engine.open(sandbox.name()).unwrap();
        (sandbox, impatient)
    }

    /// Sends its process a signal.
    fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.dir.join(format!("{}.pid", self.name))).unwrap();
        let sent = Command::new("kill").args([name, pid.trim()]).status();
        assert!(sent.unwrap().success(), "{name}");
    }

    fn start_again(&self) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/engines.sh");
        let mut command = Command::new("bash");
        command.args([script, "restart"]).arg(&self.dir);
        let started = command.arg(&self.name).status();
        assert!(started.unwrap().success(), "the engine did not come back");
    }

    /// Takes all the room it has; given back when dropped.
    fn fill_disk(&self) -> Filler {
        let path = self.dir.join(&self.name).join("filler");
        let mut file = File::create(&path).unwrap();
        // Smaller and smaller pieces, until not a byte fits in.
        for piece_len in [1 << 20, 4096, 1] {
            let piece = vec![b'x'; piece_len];
            while file.write_all(&piece).is_ok() {}
        }
        Filler(path)
    }
}

struct Filler(PathBuf);

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).expect("make room again");
    }
}

/// What a call comes to that is made now, within its time.
fn within_bound<T>(what: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
    let began = Instant::now();
    let outcome = call();
    let took = began.elapsed();
    assert!(took < BOUND, "{what} took {took:?}");
    outcome
}

/// Whether an error tells of an engine that does not answer, or is not there.
fn is_loss(error: &Error) -> bool {
    matches!(
        error,
        Error::Timeout { .. }
            | Error::SocketConnection { .. }
            | Error::SocketCommunication { .. }
            | Error::NoEngine { .. }
    )
}

#[test]
fn frozen_and_let_go_again() {
    let Some(patient) = Patient::find() else {
        return;
    };
    drop(patient);
    alone("engine_trouble::frozen_and_let_go_again", &[], || {
        let patient = Patient::find().expect("the same engine");
        let (guard, sandbox) = patient.sandbox();
        let before = holdings();
        let load = Load::begin(&guard);
        patient.signal("-STOP");
        for (what, call) in CALLS {
            let error = within_bound(what, || call(&sandbox)).expect_err(what);
            assert!(matches!(error, Error::Timeout { .. }), "{what}: {error:?}");
        }
        patient.signal("-CONT");
        // Nothing that went on meanwhile has been lost.
        load.assert_ends_well(&sandbox);
        for (what, call) in CALLS {
            within_bound(what, || call(&sandbox)).expect(what);
        }
        assert_holds(before);
    });
}

/// Something that is done with a sandbox.
type Call = (&'static str, fn(&Container) -> Result<()>);

/// One of each kind of call.
#[rustfmt::skip] // one case per line
const CALLS: [Call; 9] = [
    ("run",     |sandbox| sandbox.run("true").map(drop)),
    ("stream",  |sandbox| sandbox.exec("true").stream().and_then(|it| it.result()).map(drop)),
    ("session", |sandbox| sandbox.session()?.send_and_wait("true", PATIENCE).map(drop)),
    ("detach",  |sandbox| sandbox.exec("true").detach()?.wait(Some(BOUND)).map(drop)),
    ("write",   |sandbox| sandbox.write_file("/tmp/x", "x")),
    ("read",    |sandbox| sandbox.read_file("/etc/passwd").map(drop)),
    ("push",    |sandbox| sandbox.push(std::path::Path::new("/etc/passwd"), "/tmp/y").map(drop)),
    ("info",    |sandbox| sandbox.info().map(drop)),
    ("is it",   |sandbox| sandbox.is_running().map(drop)),
];

#[test]
fn killed_and_started_again() {
    let Some(patient) = Patient::find() else {
        return;
    };
    drop(patient);
    alone("engine_trouble::killed_and_started_again", &[], || {
        let patient = Patient::find().expect("the same engine");
        let (guard, sandbox) = patient.sandbox();
        let before = holdings();
        let load = Load::begin(&guard);
        let began = Instant::now();
        patient.signal("-KILL");
        load.assert_all_fail(is_loss);
        let took = began.elapsed();
        assert!(took < 2 * BOUND, "it took {took:?} to notice");
        for (what, call) in CALLS {
            let error = within_bound(what, || call(&sandbox)).expect_err(what);
            assert!(is_loss(&error), "{what}: {error:?}");
        }
        patient.start_again();
        // Docker ends its containers with itself, Podman does not.
        eventually_none("until it runs again", || {
            let resumed = sandbox.resume().and_then(|()| sandbox.run("true"));
            let failure = resumed.err().map(|error| error.to_string());
            failure.into_iter().collect()
        });
        for (what, call) in CALLS {
            within_bound(what, || call(&sandbox)).expect(what);
        }
        assert_holds(before);
        guard.shutdown(true).unwrap();
    });
}

#[test]
fn with_its_disk_full() {
    let Some(patient) = Patient::find() else {
        return;
    };
    let (_guard, sandbox) = patient.sandbox();
    let scratch = Scratch::new();
    let file = scratch.write("file", &[b'x'; 200_000]);
    let image = format!("localhost/{}:full", sandbox.name());
    let filler = patient.fill_disk();
    let fails = |what: &str, outcome: Result<()>| {
        // The engine's own words, which need not be about the disk: Docker cannot even run `sh`.
        let text = outcome.expect_err(what).to_string();
        assert!(10 < text.len(), "{what}: {text}");
    };
    let written = within_bound("write", || {
        sandbox.write_file("/srv/x", vec![b'x'; 200_000])
    });
    fails("write", written);
    let pushed = within_bound("push", || sandbox.push(&file, "/srv/y").map(drop));
    fails("push", pushed);
    let snapshot = within_bound("snapshot", || sandbox.snapshot(&image).map(drop));
    fails("snapshot", snapshot);
    let created = within_bound("create", || patient.engine.create(&patient.live.options()));
    fails("create", created.map(drop));
    // A command needs room with some engines, and none with others.
    for (what, call) in [CALLS[0], CALLS[2], CALLS[5], CALLS[7]] {
        if let Err(error) = within_bound(what, || call(&sandbox)) {
            assert!(10 < error.to_string().len(), "{what}: {error}");
        }
    }
    drop(filler);
    let half = |path| sandbox.read_file(path).is_ok();
    assert!(!half("/srv/x") && !half("/srv/y"), "half a file");
    for (what, call) in CALLS {
        within_bound(what, || call(&sandbox)).expect(what);
    }
    sandbox.push(&file, "/tmp/y").unwrap();
    drop(patient.sandbox());
    assert!(
        !patient.engine.image_exists(&image).unwrap(),
        "half an image"
    );
}
