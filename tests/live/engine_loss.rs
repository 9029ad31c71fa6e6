//! An engine that hangs, and one that dies, under running commands.
//!
//! Only for an engine that nobody else uses, and as the last test on it: `tests/run.sh` names the
//! engine's process in `POCKETDOCK_TEST_ENGINE_PID`.

use std::io::Write;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::{Container, EngineOptions, Error, ExecResult, Result};

use crate::fixture::Live;
use crate::host;

/// The patience of a client with an engine that does not answer.
const TIMEOUT: Duration = Duration::from_secs(3);

const SECOND: Duration = Duration::from_secs(1);

/// Whether the process was there to get the signal.
fn signal(name: &str, pid: &str) -> bool {
    let output = Command::new("kill").args([name, pid]).output();
    output.expect("start kill").status.success()
}

/// Does something to the engine once a command has given output, and gives what became of the
/// command and how long that took.
fn during_a_command(
    sandbox: &Container,
    timeout: Option<Duration>,
    what: impl FnOnce(),
) -> (Result<ExecResult>, Duration) {
    let command = sandbox.exec("echo out; read line; sleep 1000");
    let command = match timeout {
        Some(timeout) => command.timeout(timeout),
        None => command.no_timeout(),
    };
    let mut stream = command.stream().unwrap();
    assert_eq!(stream.next().unwrap().unwrap().data, b"out\n");
    what();
    let begun = Instant::now();
    let rest = stream.find_map(|chunk| chunk.err());
    let outcome = match rest {
        Some(error) => Err(error),
        None => stream.result(),
    };
    (outcome, begun.elapsed())
}

#[test]
fn the_engine_hangs_and_then_dies() {
    let Some(live) = Live::begin() else { return };
    let Ok(pid) = std::env::var("POCKETDOCK_TEST_ENGINE_PID") else {
        let _unseen = writeln!(
            std::io::stderr(),
            "SKIPPED: engine_loss (POCKETDOCK_TEST_ENGINE_PID names no engine to kill)"
        );
        return;
    };
    let options = EngineOptions::new().socket(live.engine().socket_path());
    let engine = options.timeout(TIMEOUT).connect().unwrap();
    let sandbox = engine.create(&live.options()).unwrap();

    let (outcome, took) =
        during_a_command(&sandbox, Some(SECOND), || assert!(signal("-STOP", &pid)));
    let error = outcome.expect_err("nobody can have killed the command");
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(took < 4 * TIMEOUT, "took {took:?}");
    assert!(matches!(sandbox.is_running(), Err(Error::Timeout { .. })));
    assert!(signal("-CONT", &pid));
    assert!(sandbox.run("true").unwrap().ok(), "it goes on");

    let blocking = sandbox.clone();
    let (send, received) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let outcome = blocking.exec("echo out; sleep 1000").no_timeout().run();
        send.send(outcome).expect("the test waits");
    });
    let (outcome, took) = during_a_command(&sandbox, None, || assert!(signal("-KILL", &pid)));
    let error = outcome.expect_err("nobody knows how the command ended");
    assert!(matches!(
        error,
        Error::SocketCommunication { .. } | Error::SocketConnection { .. }
    ));
    assert!(took < 4 * TIMEOUT, "took {took:?}");
    let error = received
        .recv_timeout(4 * TIMEOUT)
        .expect("an end")
        .unwrap_err();
    assert!(matches!(
        error,
        Error::SocketCommunication { .. } | Error::SocketConnection { .. }
    ));
    waiting.join().expect("no panic");
    let next = sandbox.run("true").unwrap_err();
    assert!(matches!(next, Error::SocketConnection { .. }), "{next:?}");

    // The engine cannot end them any more, and the first takes the others with it.
    for process in host::process_ids(&sandbox) {
        let _was_there = signal("-KILL", &process.to_string());
    }
    drop(sandbox);
    live.end_without_engine();
}
