//! Commands in the background: their ends, their buffers, their callbacks, and many of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::{End, Error, Process, Scope, Signal};

use crate::fixture::Live;
use crate::host::{self, assert_idle};

const PATIENCE: Duration = Duration::from_secs(30);

fn wait(process: &Process) -> pocketdock_core::ExecResult {
    process.wait(Some(PATIENCE)).unwrap()
}

/// Waits until there is something to read.
fn wait_for_output(process: &Process) {
    let begun = Instant::now();
    while process.buffer_size() == 0 {
        assert!(begun.elapsed() < PATIENCE, "no output");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_process_has_its_true_exit_code_and_duration() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let process = sandbox
        .exec("sleep 0.5; echo out; echo err >&2; exit 7")
        .detach()
        .unwrap();
    assert!(process.is_running().unwrap());
    assert!(process.try_wait().unwrap().is_none());
    let error = process.wait(Some(Duration::from_millis(1))).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    let result = wait(&process);
    assert_eq!((result.exit_code, result.end), (7, End::Exited));
    assert_eq!(
        (&result.stdout[..], &result.stderr[..]),
        (&b"out\n"[..], &b"err\n"[..])
    );
    assert!(Duration::from_millis(500) <= result.duration && result.duration < PATIENCE);
    assert!(!process.is_running().unwrap());
    assert_eq!(wait(&process).stdout, b"", "output is given once");
}

#[test]
fn output_is_read_peeked_and_waited_for_once() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let (seen, see) = mpsc::channel();
    let process = sandbox
        .exec("echo one; sleep 1; echo two")
        .detach()
        .unwrap();
    process.on_stdout(move |_, piece| seen.send(piece.to_vec()).unwrap());
    // The first piece may have come before the callback.
    wait_for_output(&process);
    assert_eq!(process.peek().stdout, b"one\n");
    assert_eq!(process.buffer_size(), 4);
    assert_eq!(process.read().stdout, b"one\n");
    assert_eq!(process.buffer_size(), 0);
    assert_eq!(wait(&process).stdout, b"two\n");
    assert_eq!(see.try_iter().last().unwrap_or_default(), b"two\n");
}

#[test]
fn a_full_buffer_keeps_the_end_and_counts_the_rest() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let process = sandbox
        .exec("seq 100000")
        .buffer_len(1000)
        .detach()
        .unwrap();
    let result = wait(&process);
    assert!(result.stdout.ends_with(b"99999\n100000\n"));
    assert!(result.stdout.len() <= 1000);
    assert_eq!(result.dropped_len + result.stdout.len() as u64, 588_895);
    assert_eq!(process.buffer_overflow(), result.dropped_len);
}

#[test]
fn several_callbacks_get_a_copy_each() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let seen = Arc::new(Mutex::new(Vec::<u8>::new()));
    for _ in 0..2 {
        let seen = Arc::clone(&seen);
        sandbox.on_stdout(move |_, piece| seen.lock().unwrap().extend(piece));
    }
    let exits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&exits);
    sandbox.on_exit(move |_, result| {
        assert_eq!(result.exit_code, 5);
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let process = sandbox.exec("echo x; exit 5").detach().unwrap();
    assert_eq!(wait(&process).stdout, b"x\n");
    let (late, heard) = mpsc::channel();
    process.on_exit(move |id, result| late.send((id.to_owned(), result.exit_code)).unwrap());
    assert_eq!(
        heard.recv_timeout(PATIENCE).unwrap(),
        (process.id().to_owned(), 5)
    );
    drop(process);
    assert_eq!(*seen.lock().unwrap(), b"x\nx\n");
    assert_eq!(exits.load(Ordering::SeqCst), 1);
}

#[test]
fn a_callback_may_use_the_sandbox_and_another_may_panic() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let (tell, told) = mpsc::channel();
    let process = sandbox.exec("sleep 0.3; echo x").detach().unwrap();
    process.on_stdout(|_, _| panic!("a callback that panics, as this test wants"));
    let (inner, own) = (sandbox.clone(), process.clone());
    process.on_stdout(move |_, _| {
        // Registering, running and looking are all allowed from here.
        own.on_exit(|_, _| {});
        let output = inner.run("echo inner").unwrap().stdout;
        tell.send((output, inner.is_running().unwrap())).unwrap();
    });
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        (b"inner\n".to_vec(), true)
    );
    assert_eq!(wait(&process).stdout, b"x\n");
    assert_eq!(process.callback_panics(), 1);
}

#[test]
fn a_kill_reaches_what_it_is_meant_for_and_nothing_else() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let start = || {
        sandbox
            .exec("trap 'exit 9' TERM; sleep 1000 & wait")
            .detach()
            .unwrap()
    };
    let (victim, bystander) = (start(), start());
    wait_for_processes(&sandbox.clone(), 4);
    victim.kill(Signal::TERM, Scope::Command).unwrap();
    assert_eq!(wait(&victim).exit_code, 9);
    let left = || {
        let all = host::processes(&sandbox);
        all.iter()
            .filter(|line| line.contains("sleep 1000"))
            .count()
    };
    // Its child was not meant, and the other tree was not either.
    assert!(bystander.is_running().unwrap());
    assert!(2 <= left(), "{:?}", host::processes(&sandbox));
    bystander.kill(Signal::KILL, Scope::Tree).unwrap();
    assert_eq!(wait(&bystander).end, End::Signaled(9));
    victim.kill(Signal::KILL, Scope::Tree).unwrap();
    assert_idle(&sandbox);
}

fn wait_for_processes(sandbox: &pocketdock_core::Container, count: usize) {
    let begun = Instant::now();
    let beside_placeholder = || {
        host::processes(sandbox)
            .iter()
            .filter(|line| !line.contains("infinity"))
            .count()
    };
    while beside_placeholder() < count {
        assert!(begun.elapsed() < PATIENCE, "{:?}", host::processes(sandbox));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_timeout_of_its_own_applies_and_the_sandboxs_does_not() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().timeout(Duration::from_millis(200));
    let sandbox = live.create(&options);
    let longer = sandbox.exec("sleep 1; exit 3").detach().unwrap();
    let limited = sandbox
        .exec("sleep 1000")
        .timeout(Duration::from_millis(300))
        .detach()
        .unwrap();
    assert_eq!(wait(&limited).end, End::TimedOut);
    assert_eq!(wait(&longer).exit_code, 3);
    assert_idle(&sandbox);
}

#[test]
fn a_process_that_is_let_go_runs_on() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let waits = "until [ -e /tmp/go ]; do sleep 0.05; done; touch /tmp/done";
    let process = sandbox.exec(waits).detach().unwrap();
    let (tell, told) = mpsc::channel();
    let dropper = thread::spawn(move || {
        drop(process);
        tell.send(()).unwrap();
    });
    let outcome = told.recv_timeout(PATIENCE);
    let result = sandbox
        .run("touch /tmp/go; until [ -e /tmp/done ]; do sleep 0.05; done")
        .unwrap();
    assert!(result.ok());
    dropper.join().unwrap();
    outcome.expect("it was waited for");
}

#[test]
fn a_sandbox_that_stops_under_a_process_kills_it() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let process = sandbox.exec("echo a; sleep 1000").detach().unwrap();
    wait_for_output(&process);
    sandbox.stop().unwrap();
    let result = wait(&process);
    assert_eq!(
        (result.end, &result.stdout[..]),
        (End::Signaled(9), &b"a\n"[..])
    );
}

#[test]
fn two_hundred_at_once() {
    const COUNT: usize = 200;
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox.run("mkfifo /tmp/gate").unwrap();
    let start = &|n: usize| {
        let command = format!("echo {n}; read line </tmp/gate; exit {}", n % 100);
        sandbox.exec(command).detach().unwrap()
    };
    let processes: Vec<(usize, Process)> = thread::scope(|scope| {
        let starters: Vec<_> = (0..8)
            .map(|first| {
                let numbers = (first..COUNT).step_by(8);
                scope.spawn(move || numbers.map(|n| (n, start(n))).collect::<Vec<_>>())
            })
            .collect();
        let started = starters
            .into_iter()
            .flat_map(|starter| starter.join().unwrap());
        started.collect()
    });
    for (_, process) in [&processes[0], &processes[COUNT - 1]] {
        assert!(process.is_running().unwrap());
    }
    // Lines for all, those included that come late: who reads as well is never the last reader.
    let gate = sandbox.exec("exec yes 1<>/tmp/gate").detach().unwrap();
    for (n, process) in &processes {
        // Docker 20.10 takes note of one end after the other, on a busy machine slowly.
        let result = process.wait(Some(6 * PATIENCE));
        let result = result.unwrap_or_else(|error| {
            let running = process.is_running();
            panic!(
                "{n}: {error}; running: {running:?}; {:?}",
                host::processes(&sandbox)
            )
        });
        assert_eq!(result.exit_code, i32::try_from(n % 100).unwrap());
        assert_eq!(result.stdout, format!("{n}\n").into_bytes());
    }
    gate.kill(Signal::KILL, Scope::Tree).unwrap();
    assert_eq!(wait(&gate).end, End::Signaled(9));
}
