//! A sandbox that is killed, removed, stopped or paused under a running command.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::client::{Call, Client};
use pocketdock_core::engine::containers;
use pocketdock_core::wire::http::Method;
use pocketdock_core::{Container, Error, ExecResult, Result, Stdin, StreamKind};

use crate::fixture::{Live, eventually_none};

/// How soon a command must have ended once its sandbox is disturbed.
const SOON: Duration = Duration::from_secs(15);

/// Waits until the command under test has made its sign.
fn await_begun(sandbox: &Container) {
    eventually_none("signs", || match sandbox.run("test -e /tmp/begun") {
        Ok(result) if result.ok() => Vec::new(),
        other => vec![format!("{other:?}")],
    });
}

/// Runs a command that has written `out` and goes on for ever, disturbs its sandbox, and gives
/// what became of the command and how long that took.
fn disturb(
    sandbox: &Container,
    bound: Duration,
    disturb: impl FnOnce(&Client, &str),
) -> Result<ExecResult> {
    let client = sandbox.engine().client();
    let running = sandbox.exec("echo out; touch /tmp/begun; while :; do sleep 1; done");
    thread::scope(|scope| {
        let run = scope.spawn(move || running.no_timeout().run());
        await_begun(sandbox);
        let begun = Instant::now();
        disturb(client, sandbox.container_id());
        let outcome = run.join().expect("no panic");
        let took = begun.elapsed();
        assert!(took < bound, "took {took:?}");
        outcome
    })
}

#[test]
fn killed() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let outcome = disturb(&sandbox, SOON, |client, id| {
        containers::kill(client, id, "KILL").unwrap()
    });
    let result = outcome.unwrap();
    assert_eq!((result.exit_code, result.stdout), (137, b"out\n".to_vec()));
    assert!(matches!(
        sandbox.run("true"),
        Err(Error::ContainerNotRunning { .. })
    ));
}

#[test]
fn stopped() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let outcome = disturb(&sandbox, SOON, |client, id| {
        containers::stop(client, id, Duration::from_secs(1)).unwrap();
    });
    let result = outcome.unwrap();
    assert_eq!(result.stdout, b"out\n");
    assert!(!result.ok(), "{result:?}");
}

#[test]
fn restarted() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let outcome = disturb(&sandbox, SOON, |client, id| {
        containers::restart(client, id, Duration::ZERO).unwrap();
    });
    // Docker forgets the exec with the end of the container; Podman remembers how it ended.
    let result = outcome.unwrap();
    assert_eq!((result.exit_code, result.stdout), (137, b"out\n".to_vec()));
    assert!(sandbox.run("true").unwrap().ok());
}

#[test]
fn removed() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let outcome = disturb(&sandbox, SOON, |client, id| {
        containers::remove(client, id, true).unwrap()
    });
    match outcome {
        Err(error @ Error::ContainerGone { .. }) => {
            assert_eq!(error.partial_output().unwrap().stdout, b"out\n");
        }
        // The end of the exec may be seen before the container is gone.
        Ok(result) => assert_eq!((result.exit_code, result.stdout), (137, b"out\n".to_vec())),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        sandbox.run("true"),
        Err(Error::ContainerNotFound { .. })
    ));
}

#[test]
fn shut_down_by_another_handle() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let other = live.engine().open(sandbox.name()).unwrap();
    let outcome = disturb(&sandbox, SOON, |_, _| other.shutdown(false).unwrap());
    match outcome {
        Err(Error::ContainerGone { output, .. }) => assert_eq!(output.stdout, b"out\n"),
        Ok(result) => assert!(!result.ok() && result.stdout == b"out\n", "{result:?}"),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn pause(client: &Client, id: &str) {
    let path = format!("/containers/{id}/pause");
    let reply = client.call(Call::new(Method::Post, path)).unwrap();
    assert_eq!(reply.status, 204);
}

#[test]
fn a_command_in_a_paused_sandbox() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.sandbox();
    pause(live.engine().client(), sandbox.container_id());
    match sandbox.run("true") {
        Err(Error::ContainerNotRunning { status, .. }) => assert_eq!(status, "paused"),
        other => panic!("{other:?}"),
    }
    assert!(sandbox.is_running().unwrap());
    sandbox.resume().unwrap();
    assert!(sandbox.run("true").unwrap().ok());
}

#[test]
fn a_timeout_in_a_paused_sandbox() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.sandbox();
    let begun = Instant::now();
    let outcome = thread::scope(|scope| {
        let running = sandbox.exec("echo out; touch /tmp/begun; sleep 1000");
        let run = scope.spawn(move || running.timeout(Duration::from_secs(3)).run());
        await_begun(&sandbox);
        pause(live.engine().client(), sandbox.container_id());
        run.join().expect("no panic")
    });
    // Nothing can be killed in there, and it must not be said that it was.
    match outcome {
        Err(Error::ContainerNotRunning { status, .. }) => assert_eq!(status, "paused"),
        other => panic!("{other:?}"),
    }
    let took = begun.elapsed();
    assert!(took < SOON, "took {took:?}");
    sandbox.stop().unwrap();
}

#[test]
fn a_pause_that_ends_before_the_command() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.sandbox();
    let (client, id) = (live.engine().client(), sandbox.container_id());
    let (stdin, feed) = pipe();
    let result = thread::scope(|scope| {
        let running = sandbox.exec("echo out; touch /tmp/begun; cat; exit 5");
        let run = scope.spawn(move || running.stdin(stdin).run());
        await_begun(&sandbox);
        pause(client, id);
        feed.send(b"through the pause\n".to_vec()).unwrap();
        containers::unpause(client, id).unwrap();
        drop(feed);
        run.join().expect("no panic").unwrap()
    });
    assert_eq!(result.exit_code, 5);
    assert_eq!(result.stdout, b"out\nthrough the pause\n");
}

#[test]
fn a_pause_that_does_not_end() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.sandbox();
    let exec = |command: &str| sandbox.exec(command).no_timeout();
    let process = exec("echo out; sleep 1000").detach().unwrap();
    let mut stream = exec("echo out; sleep 1000").stream().unwrap();
    assert_eq!(stream.next().unwrap().unwrap().data, b"out\n");
    let begun = Instant::now();
    let run = disturb(&sandbox, 3 * SOON, pause);
    let errors = [
        run.unwrap_err(),
        stream.next().unwrap().unwrap_err(),
        process.wait(Some(SOON)).unwrap_err(),
    ];
    for error in errors {
        match error {
            Error::ContainerNotRunning { status, .. } => assert_eq!(status, "paused"),
            other => panic!("{other}"),
        }
    }
    assert!(stream.next().is_none());
    assert!(begun.elapsed() < 4 * SOON, "{:?}", begun.elapsed());
}

/// Input that comes when the test gives it, and ends when the test drops its end.
fn pipe() -> (Stdin, mpsc::Sender<Vec<u8>>) {
    struct Fed(mpsc::Receiver<Vec<u8>>);
    impl std::io::Read for Fed {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let piece = self.0.recv().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }
    let (feed, fed) = mpsc::channel();
    (Stdin::reader(Fed(fed)), feed)
}

#[test]
fn a_stream_whose_sandbox_is_killed() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let mut stream = sandbox.exec("echo out; sleep 1000").stream().unwrap();
    let first = stream.next().unwrap().unwrap();
    assert_eq!(
        (first.stream, first.data),
        (StreamKind::Stdout, b"out\n".to_vec())
    );
    containers::kill(live.engine().client(), sandbox.container_id(), "KILL").unwrap();
    let begun = Instant::now();
    assert!(stream.next().is_none());
    assert_eq!(stream.result().unwrap().exit_code, 137);
    assert!(begun.elapsed() < SOON);
}
