//! Ctrl-C, SIGTERM and SIGHUP while a command runs; a container that goes away under it.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::live::{Live, live, read_until, signal, text, unique_name};

/// Starts a command and waits until it says that it is there.
fn start(live: &Live, words: &[&str]) -> Child {
    let mut child = live
        .pocketdock(&[&["run"], words].concat())
        .spawn()
        .unwrap();
    read_until(&mut child, "ready\n");
    child
}

/// Signals must not wait for the command's own end, which is minutes away.
fn ends_soon(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    let status = child.wait().unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    status
}

#[test]
fn ctrl_c_interrupts_the_command_in_the_sandbox() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut child = start(&live, &[&sandbox.name, "echo ready; sleep 100"]);
    signal(&child, "INT");
    assert_eq!(ends_soon(&mut child).code(), Some(130));
    let left = sandbox.run(&["ps | grep -c '[s]leep 100'"]);
    assert_eq!(text(&left.stdout), "0\n");
}

#[test]
fn a_command_that_answers_ctrl_c_gives_its_own_code() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.1; done";
    let mut child = start(&live, &[&sandbox.name, line]);
    signal(&child, "INT");
    read_until(&mut child, "caught\n");
    assert_eq!(ends_soon(&mut child).code(), Some(9));
}

#[test]
fn a_second_ctrl_c_kills() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = "trap 'echo ready' INT; echo ready; while :; do sleep 0.1; done";
    let mut child = start(&live, &[&sandbox.name, line]);
    signal(&child, "INT");
    read_until(&mut child, "ready\n");
    signal(&child, "INT");
    assert_eq!(ends_soon(&mut child).code(), Some(137));
}

#[test]
fn signals_end_the_command_and_remove_a_sandbox_of_its_own() {
    let Some(live) = live() else { return };
    for (name, wanted) in [("TERM", 143), ("HUP", 129), ("QUIT", 131)] {
        let sandbox = unique_name();
        let line = "trap '' TERM HUP QUIT; echo ready; sleep 100";
        let words = ["--image", &live.image, "--name", &sandbox, "--", line];
        let mut child = start(&live, &words);
        signal(&child, name);
        assert_eq!(ends_soon(&mut child).code(), Some(wanted), "{name}");
        assert!(!live.has(&sandbox), "{name}");
    }
}

#[test]
fn a_container_removed_under_the_command_is_125() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut child = start(&live, &[&sandbox.name, "echo ready; sleep 100"]);
    live.run(&["shutdown", "--yes", "--force", &sandbox.name]);
    assert_eq!(ends_soon(&mut child).code(), Some(125));
}

#[test]
fn a_container_stopped_under_the_command_is_137() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut child = start(&live, &[&sandbox.name, "echo ready; sleep 100"]);
    live.run(&["stop", &sandbox.name]);
    assert_eq!(ends_soon(&mut child).code(), Some(137));
}
