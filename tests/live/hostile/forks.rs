//! A sandbox that forks as fast as it can, up to its limit: what is done with it still ends.

use std::time::{Duration, Instant};

use pocketdock_core::{Container, End, Error, Result, Scope, Signal};

use super::{BOUND, assert_ends, impatient};
use crate::fixture::{Live, eventually_none};
use crate::host;
use crate::support::scratch::Scratch;

/// Each process becomes two, for ever, and none of them minds that it cannot. A shell would end.
const BOMB: [&str; 3] = [
    "python3",
    "-c",
    "
import os
bomb = True
while bomb:
    try:
        os.fork()
    except OSError:
        pass
",
];

/// A sandbox for one.
fn target(live: &Live) -> Container {
    let options = live.options().image(live.python_image());
    live.create(&options.pids_limit(LIMIT))
}

const LIMIT: u64 = 64;

/// Waits until hardly another process fits in.
fn await_full(sandbox: &Container) {
    eventually_none("room for processes", || {
        let count = host::process_ids(sandbox).len();
        let is_full = usize::try_from(LIMIT).unwrap() * 3 / 4 < count;
        (!is_full).then(|| count.to_string()).into_iter().collect()
    });
}

/// Fails if a call takes too long, or fails with an error that says nothing.
fn assert_named<T>(what: &str, call: impl FnOnce() -> Result<T>) {
    let began = Instant::now();
    let outcome = call().map(drop);
    let took = began.elapsed();
    assert!(took < BOUND, "{what} took {took:?}");
    if let Err(error) = outcome {
        let text = error.to_string();
        assert!(10 < text.len(), "{what}: {text}");
    }
}

/// Fails unless nothing of a bomb is left.
fn assert_cleared(sandbox: &Container) {
    eventually_none("of the bomb", || {
        let mut left = host::processes(sandbox);
        left.retain(|line| line.contains("bomb"));
        left
    });
}

#[test]
fn a_fork_bomb_is_timed_out_with_all_its_processes() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = target(&live);
    let began = Instant::now();
    let result = sandbox.exec(BOMB).timeout(Duration::from_secs(2)).run();
    let took = began.elapsed();
    let result = result.expect("a result");
    assert_eq!((result.end, result.exit_code), (End::TimedOut, 124));
    assert!(took < BOUND, "took {took:?}");
    assert_cleared(&sandbox);
    assert!(sandbox.run("true").unwrap().ok(), "it can be used again");
}

#[test]
fn a_fork_bomb_in_the_background_is_killed() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = target(&live);
    let process = sandbox.exec(BOMB).detach().unwrap();
    await_full(&sandbox);
    let began = Instant::now();
    process.kill(Signal::KILL, Scope::Tree).unwrap();
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let result = process.wait(Some(BOUND)).unwrap();
    assert_eq!(result.end, End::Signaled(9));
    assert_cleared(&sandbox);
    assert!(sandbox.run("true").unwrap().ok(), "it can be used again");
}

#[test]
fn every_call_ends_while_a_fork_bomb_goes_on() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = target(&live);
    let process = sandbox.exec(BOMB).detach().unwrap();
    await_full(&sandbox);
    let scratch = Scratch::new();
    let file = scratch.write("file", b"content");
    let guard = sandbox;
    let sandbox = impatient(&live, &guard);
    let second = Duration::from_secs(1);
    assert_named("run", || sandbox.exec("echo x").timeout(second).run());
    assert_named("session", || {
        let session = sandbox.session()?;
        session.send_and_wait("echo x", Some(second))
    });
    assert_named("runner", || sandbox.runner()?.run("echo x"));
    assert_named("write", || sandbox.write_file("/tmp/x", "x"));
    assert_named("read", || sandbox.read_file("/etc/passwd"));
    assert_named("list", || sandbox.list_files("/"));
    assert_named("push", || sandbox.push(&file, "/tmp/pushed"));
    assert_named("pull", || sandbox.pull("/etc", scratch.path()));
    assert_named("info", || sandbox.info());
    assert_named("changes", || sandbox.changes());
    match process.is_running() {
        Ok(_) | Err(Error::ContainerNotRunning { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    assert_ends(&guard);
}

#[test]
fn a_sandbox_with_a_fork_bomb_is_stopped_and_comes_back() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = target(&live);
    let _process = sandbox.exec(BOMB).detach().unwrap();
    await_full(&sandbox);
    let began = Instant::now();
    sandbox.stop().unwrap();
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    sandbox.resume().unwrap();
    assert!(sandbox.run("true").unwrap().ok());
    assert_cleared(&sandbox);
}
