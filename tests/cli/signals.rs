//! Signals at moments that a real engine does not hold still for: before there is a command, and
//! while an engine does not answer.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::pocketdock;
use crate::support::fake_engine::{FakeEngine, Gate, Reply};

/// Longer than anything here takes, shorter than the time limit of an exchange.
const PATIENCE: Duration = Duration::from_secs(20);

fn start(engine: &FakeEngine, words: &[&str]) -> Child {
    let mut command = pocketdock();
    command.arg("--socket").arg(engine.socket()).args(words);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// An engine that takes its time with `path` and otherwise agrees to everything.
fn slow_engine(path: &'static str, gate: &Gate) -> FakeEngine {
    let gate = gate.clone();
    FakeEngine::route(move |request| {
        let slowly = |body: &str| {
            let len = body.len();
            let head = format!("HTTP/1.1 201 Said\r\nContent-Length: {len}\r\n\r\n");
            Reply::raw("").wait(&gate).then(head + body)
        };
        match request.path.as_str() {
            "/_ping" => Reply::ping("1.41", None),
            at if at == path => slowly(r#"{"Id":"c0ffee","Warnings":[]}"#),
            "/containers/c0ffee/json" => Reply::json(200, r#"{"Id":"c0ffee"}"#),
            _ => Reply::empty(204),
        }
    })
}

#[test]
fn a_sandbox_whose_making_was_interrupted_is_removed() {
    let create = ["create", "--image", "x"];
    let run = ["run", "--image", "x", "--", "true"];
    for (words, name, wanted) in [(&create[..], "INT", 130), (&run[..], "TERM", 143)] {
        let gate = Gate::default();
        let engine = slow_engine("/containers/create", &gate);
        let mut child = start(&engine, words);
        gate.wait_reached();
        signal(&child, name);
        gate.open();
        assert_eq!(child.wait().unwrap().code(), Some(wanted), "{words:?}");
        let removed = "DELETE /containers/c0ffee".to_owned();
        assert!(
            engine.request_lines().contains(&removed),
            "{:?}",
            engine.request_lines()
        );
    }
}

#[test]
fn a_command_that_has_nothing_to_undo_dies_of_ctrl_c() {
    let gate = Gate::default();
    let engine = slow_engine("/containers/json", &gate);
    let mut child = start(&engine, &["list"]);
    gate.wait_reached();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}

/// Two are taken as requests; whoever sends a third does not want to wait for the engine.
#[test]
fn repeated_signals_end_it_whatever_the_engine_does() {
    let gate = Gate::default();
    let engine = slow_engine("/containers/create", &gate);
    let mut child = start(&engine, &["create", "--image", "x"]);
    gate.wait_reached();
    assert_eq!(insist(&mut child, "INT").signal(), Some(2));
}

/// Signals that come faster than they are taken become one, so it is sent until it is heard.
fn insist(child: &mut Child, name: &str) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(began.elapsed() < PATIENCE, "it does not end");
        signal(child, name);
        thread::sleep(Duration::from_millis(20));
    }
}

/// A shell without job control starts background jobs with SIGINT ignored, nohup does the same
/// with SIGHUP: that was somebody's wish.
#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let gate = Gate::default();
    let engine = slow_engine("/containers/create", &gate);
    let script = "trap '' INT HUP; exec \"$0\" \"$@\"";
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_pocketdock"), "--socket"])
        .arg(engine.socket())
        .args(["create", "--image", "x"])
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    gate.wait_reached();
    signal(&child, "INT");
    signal(&child, "HUP");
    gate.open();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let lines = engine.request_lines();
    assert!(
        !lines.iter().any(|line| line.starts_with("DELETE")),
        "{lines:?}"
    );
}
