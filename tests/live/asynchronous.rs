//! The futures of `async_`, on an executor of a few lines.

use std::time::{Duration, Instant};

use pocketdock_core::async_::{AsyncContainer, AsyncEngine, settle};
use pocketdock_core::{Error, ExecResult, Scope, Signal};

use crate::fixture::Live;
use crate::host::{assert_idle, processes};
use crate::support::executor::{block_on, join_all, poll_once};
use crate::support::scratch::Scratch;

/// More than anything here may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn sandbox(live: &Live) -> AsyncContainer {
    live.sandbox().into()
}

/// Waits until a process of this command line runs in the sandbox.
fn until_runs(sandbox: &AsyncContainer, command: &str) {
    let runs = || {
        processes(sandbox.blocking())
            .into_iter()
            .any(|line| line.contains(command))
    };
    while !runs() {
        std::thread::yield_now();
    }
}

#[test]
fn two_sleeps_of_two_seconds_take_two_seconds() {
    let Some(live) = Live::begin() else { return };
    let engine = AsyncEngine::from(live.engine().clone());
    let sandboxes = join_all([(); 2].map(|()| engine.create(&live.options())));
    let sandboxes: Vec<_> = sandboxes.into_iter().map(Result::unwrap).collect();
    let began = Instant::now();
    let timed = "cat /proc/uptime; sleep 2; cat /proc/uptime";
    let results = join_all(sandboxes.iter().map(|sandbox| sandbox.run(timed)));
    assert!(Duration::from_secs(2) <= began.elapsed());
    // That one has begun before the other has ended is certain on a busy machine, too.
    let times = results
        .into_iter()
        .map(|result| begin_and_end(&result.unwrap()));
    let (begins, ends): (Vec<_>, Vec<_>) = times.unzip();
    let latest = begins.iter().copied().fold(0.0, f64::max);
    let first = ends.iter().copied().fold(f64::MAX, f64::min);
    assert!(latest < first, "{begins:?} {ends:?}");
    for ended in join_all(sandboxes.iter().map(|sandbox| sandbox.shutdown(true))) {
        ended.unwrap();
    }
}

/// When a command began and ended, by the clock that all sandboxes share.
fn begin_and_end(result: &ExecResult) -> (f64, f64) {
    let text = result.stdout_text();
    let mut times = text.lines().map(|line| {
        let seconds = line.split(' ').next().unwrap();
        seconds.parse::<f64>().unwrap()
    });
    (times.next().unwrap(), times.next().unwrap())
}

#[test]
fn the_command_of_a_dropped_run_is_killed() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    let mut run = sandbox.run("sleep 4321 & sleep 1234");
    assert!(poll_once(&mut run).is_pending());
    until_runs(&sandbox, "sleep 1234");
    drop(run);
    settle();
    assert_idle(sandbox.blocking());
    assert!(block_on(sandbox.run("true")).unwrap().ok());
}

#[test]
fn the_sandbox_of_a_dropped_create_is_removed() {
    let Some(live) = Live::begin() else { return };
    let engine = AsyncEngine::from(live.engine().clone());
    let name = live.name();
    for options in [live.options(), live.options().keep()] {
        let mut create = engine.create(&options.name(&name));
        assert!(poll_once(&mut create).is_pending());
        // Only once it is there can it be lost.
        while let Err(Error::ContainerNotFound { .. }) = block_on(engine.open(&name)) {}
        drop(create);
        settle();
        let gone = block_on(engine.open(&name));
        assert!(
            matches!(gone, Err(Error::ContainerNotFound { .. })),
            "{gone:?}"
        );
    }
}

#[test]
fn output_arrives_while_the_command_runs() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    block_on(async {
        let command = "echo first; until [ -e /tmp/go ]; do sleep 0.05; done; echo second; exit 3";
        let mut stream = sandbox.exec(command).stream().await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().data, b"first\n");
        assert!(sandbox.run("touch /tmp/go").await.unwrap().ok());
        assert_eq!(stream.next().await.unwrap().unwrap().data, b"second\n");
        assert!(stream.next().await.is_none());
        assert_eq!(stream.result().await.unwrap().exit_code, 3);
    });
}

#[test]
fn a_dropped_stream_kills_its_command() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    for command in ["echo out; sleep 1234", "echo out; yes | cat"] {
        let mut stream = block_on(sandbox.exec(command).stream()).unwrap();
        block_on(stream.next()).unwrap().unwrap();
        drop(stream);
        settle();
        assert_idle(sandbox.blocking());
    }
}

#[test]
fn a_process_in_the_background() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    block_on(async {
        let process = sandbox.exec("echo out; sleep 1234").detach().await.unwrap();
        assert!(process.is_running().await.unwrap());
        let error = process.wait(Some(Duration::from_millis(50))).await;
        assert!(matches!(error, Err(Error::Timeout { .. })));
        process.kill(Signal::TERM, Scope::Tree).await.unwrap();
        let result = process.wait(None).await.unwrap();
        assert_eq!(
            (result.exit_code, result.stdout.as_slice()),
            (143, &b"out\n"[..])
        );
    });
}

#[test]
fn sessions_keep_their_state_and_run_at_the_same_time() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    let sessions = join_all([(); 2].map(|()| sandbox.session()));
    let sessions: Vec<_> = sessions.into_iter().map(Result::unwrap).collect();
    for (n, session) in sessions.iter().enumerate() {
        let set = session.send_and_wait(format!("mine={n}"), None);
        assert!(block_on(set).unwrap().ok());
    }
    assert!(
        block_on(sandbox.run("mkfifo /tmp/there /tmp/back"))
            .unwrap()
            .ok()
    );
    // Neither ends before the other has begun.
    let commands = [
        "echo a >/tmp/there; read x </tmp/back; echo $mine",
        "read x </tmp/there; echo b >/tmp/back; echo $mine",
    ];
    let pairs = sessions.iter().zip(commands);
    let results =
        join_all(pairs.map(|(session, command)| session.send_and_wait(command, PATIENCE)));
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap().stdout, format!("{n}\n").into_bytes());
    }
    block_on(sessions[0].close()).unwrap();
    let closed = block_on(sessions[0].send_and_wait("true", None));
    assert!(matches!(closed, Err(Error::SessionClosed { .. })));
    drop(sessions);
    settle();
    assert_idle(sandbox.blocking());
}

#[test]
fn the_command_of_a_session_is_aborted_with_its_future() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    let session = block_on(sandbox.session()).unwrap();
    assert!(
        block_on(session.send_and_wait("kept=1", None))
            .unwrap()
            .ok()
    );
    let mut wait = session.command("echo out; sleep 1234").run();
    assert!(poll_once(&mut wait).is_pending());
    until_runs(&sandbox, "sleep 1234");
    drop(wait);
    settle();
    let result = block_on(session.send_and_wait("echo $kept", None)).unwrap();
    assert_eq!(result.stdout, b"1\n");
    assert!(
        !processes(sandbox.blocking())
            .iter()
            .any(|line| line.contains("sleep 1234"))
    );
    let mut session = sandbox.session();
    assert!(poll_once(&mut session).is_pending());
    drop(session);
    settle();
}

#[test]
fn files_go_in_and_out() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    let scratch = Scratch::new();
    let writes = join_all((0..5).map(|n| sandbox.write_file(&format!("/d/f{n}"), format!("{n}"))));
    assert!(writes.iter().all(Result::is_ok), "{writes:?}");
    assert_eq!(block_on(sandbox.list_files("/d")).unwrap().len(), 5);
    assert_eq!(block_on(sandbox.read_file("/d/f3")).unwrap(), b"3");
    let pulled = block_on(sandbox.pull("/d", scratch.path())).unwrap();
    assert_eq!((pulled.entries, pulled.bytes), (6, 5));
    block_on(sandbox.push(&scratch.join("d"), "/e")).unwrap();
    assert_eq!(block_on(sandbox.read_file("/e/f4")).unwrap(), b"4");
    assert!(!block_on(sandbox.changes()).unwrap().is_empty());
}

#[test]
fn a_runner_and_what_is_dropped_of_it() {
    let Some(live) = Live::begin() else { return };
    let sandbox = sandbox(&live);
    let runner = block_on(sandbox.runner()).unwrap();
    let results = join_all((0..20).map(|n| runner.run(format!("echo {n}"))));
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap().stdout, format!("{n}\n").into_bytes());
    }
    let mut run = runner.run("sleep 1234");
    assert!(poll_once(&mut run).is_pending());
    until_runs(&sandbox, "sleep 1234");
    drop(run);
    settle();
    assert!(block_on(runner.run("true")).unwrap().ok());
    // Never polled, and the last to hold the runner.
    let unused = runner.run("true");
    drop(runner);
    drop(unused);
    settle();
    assert_idle(sandbox.blocking());
}
