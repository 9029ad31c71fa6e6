//! Sessions: what the tables of cases cannot say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::{Container, CreateOptions, End, Error, Session, SessionOptions, StreamKind};

use crate::disturbed;
use crate::fixture::{Live, eventually_none};
use crate::host::{assert_idle, processes};

/// More than anything here may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn stdout(session: &Session, command: &str) -> String {
    let result = session.send_and_wait(command, PATIENCE).unwrap();
    assert!(!result.timed_out(), "{command}: {result:?}");
    result.stdout_text().into_owned()
}

/// A session of each shell, each in a sandbox of its own.
fn sessions(live: &Live) -> Vec<(Container, Session)> {
    let debian = || live.create(&live.options().image(live.debian_image()));
    let with = |sandbox: Container, shell: &str| {
        let session = sandbox.session_with(&SessionOptions::new().shell(shell));
        (sandbox, session.unwrap())
    };
    vec![
        with(debian(), "bash"),
        with(debian(), "dash"),
        with(live.sandbox(), "ash"),
    ]
}

/// Waits until a session's sandbox runs a command line with this in it.
fn await_process(sandbox: &Container, part: &str) {
    eventually_none("missing processes", || {
        match processes(sandbox).iter().any(|line| line.contains(part)) {
            true => Vec::new(),
            false => vec![part.to_owned()],
        }
    });
}

/// What leaves a shell that reads on and reports nothing.
#[test]
fn a_shell_that_obeys_nothing_any_more_closes_its_session() {
    let Some(live) = Live::begin() else { return };
    #[rustfmt::skip] // one case per line
    let cases = [
        (live.debian_image(), "bash", "ulimit -n 3"),
        (live.debian_image(), "bash", "ulimit -n 6"),
        (live.debian_image(), "dash", "set -n"),
        (live.debian_image(), "dash", "ulimit -n 3"),
        (live.debian_image(), "dash", "ulimit -n 8"),
        (live.image(),        "ash",  "set -n"),
        (live.image(),        "ash",  "ulimit -n 3"),
        (live.image(),        "ash",  "ulimit -S -n 8"),
        (live.image(),        "ash",  "(while :; do echo x; sleep 0.2; done) & set -n"),
    ];
    thread::scope(|scope| {
        for (image, shell, command) in cases {
            let sandbox = live.create(&live.options().image(image));
            scope.spawn(move || {
                let session = sandbox.session_with(&SessionOptions::new().shell(shell));
                let session = session.unwrap();
                let began = Instant::now();
                // The command itself may still be reported.
                let first = session.send_and_wait(command, None);
                let second = session.send_and_wait("true", None);
                assert!(
                    matches!(second, Err(Error::SessionClosed { .. })),
                    "{shell}, {command}: {first:?}, {second:?}"
                );
                assert!(session.is_closed());
                assert!(began.elapsed() < 2 * PATIENCE, "{shell}, {command}");
            });
        }
    });
}

#[test]
fn a_command_that_only_waits_is_left_alone() {
    let Some(live) = Live::begin() else { return };
    let waits = [
        "sleep 9; echo over",
        "mkfifo /tmp/f; (sleep 9; echo over >/tmp/f) & read line </tmp/f; echo $line",
        "mkfifo /tmp/g; (sleep 9; echo over >/tmp/g) & exec 3<&0 </tmp/g; read line; echo $line",
        "(exec >/dev/null 2>&1; sleep 9) & wait; echo over",
        "exec sh -c 'sleep 9; echo over'",
    ];
    thread::scope(|scope| {
        for ((sandbox, _), shell) in sessions(&live).into_iter().zip(["bash", "dash", "ash"]) {
            let options = SessionOptions::new().shell(shell);
            for wait in waits {
                let session = sandbox.session_with(&options).unwrap();
                scope.spawn(move || assert_eq!(stdout(&session, wait), "over\n", "{wait}"));
            }
        }
    });
}

#[test]
fn a_closed_session_says_so() {
    let Some(live) = Live::begin() else { return };
    let session = live.sandbox().session().unwrap();
    assert_eq!(session.send_and_wait("exit 3", None).unwrap().exit_code, 3);
    assert!(session.is_closed());
    for _ in 0..2 {
        match session.send_and_wait("true", None) {
            Err(Error::SessionClosed { exit_code: Some(3) }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        session.send("true"),
        Err(Error::SessionClosed { .. })
    ));
    session.interrupt().unwrap();
    session.close().unwrap();
    session.close().unwrap();
}

#[test]
fn the_shell_is_bash_if_there_is_one() {
    let Some(live) = Live::begin() else { return };
    let debian = live.create(&live.options().image(live.debian_image()));
    let version = "echo ${BASH_VERSION:+bash}";
    assert_eq!(stdout(&debian.session().unwrap(), version), "bash\n");
    assert_eq!(stdout(&live.sandbox().session().unwrap(), version), "\n");
}

#[test]
fn options_apply() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let options = SessionOptions::new()
        .env("A", "b c")
        .workdir("/tmp")
        .user("1000");
    let session = sandbox.session_with(&options).unwrap();
    assert_eq!(stdout(&session, "echo $A; pwd; id -u"), "b c\n/tmp\n1000\n");
    // Another user's processes are found all the same.
    let result = session
        .send_and_wait("sleep 60", Duration::from_millis(300))
        .unwrap();
    assert_eq!((result.exit_code, result.end), (124, End::TimedOut));
    assert_eq!(stdout(&session, "echo $A"), "b c\n");
}

#[test]
fn what_cannot_be_started_has_a_name() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let start = |options: SessionOptions| sandbox.session_with(&options).unwrap_err();
    let error = start(SessionOptions::new().shell("nosuch"));
    assert!(
        matches!(&error, Error::CommandNotFound { command } if command == "nosuch"),
        "{error}"
    );
    let error = start(SessionOptions::new().user("nosuch"));
    assert!(
        matches!(error, Error::CommandNotExecutable { .. }),
        "{error}"
    );
    let error = start(SessionOptions::new().workdir("/no/such"));
    assert!(
        matches!(error, Error::CommandNotExecutable { .. }),
        "{error}"
    );
    for shell in ["", "-c", "a\0b"] {
        let error = start(SessionOptions::new().shell(shell));
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    }
    // A program that is no shell ends, or says nothing.
    let error = start(SessionOptions::new().shell("true"));
    assert!(
        matches!(error, Error::CommandNotExecutable { .. }),
        "{error}"
    );
    // The shell that everything starts with is taken away.
    assert!(sandbox.run("rm /bin/sh").unwrap().ok());
    let error = start(SessionOptions::new());
    assert!(
        matches!(&error, Error::CommandNotFound { command } if command == "sh"),
        "{error}"
    );
    assert!(matches!(
        sandbox.runner().unwrap_err(),
        Error::CommandNotFound { .. }
    ));
}

#[test]
fn nul_is_refused_and_harms_nothing() {
    let Some(live) = Live::begin() else { return };
    let session = live.sandbox().session().unwrap();
    for command in ["\0", "echo a\0b"] {
        let error = session.send_and_wait(command, None).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        assert!(session.send(command).is_err());
    }
    assert_eq!(stdout(&session, "echo ok"), "ok\n");
}

#[test]
fn sent_commands_run_in_order_and_can_be_read() {
    let Some(live) = Live::begin() else { return };
    for (_sandbox, session) in sessions(&live) {
        for n in 0..20 {
            session.send(format!("echo {n}; echo e{n} >&2")).unwrap();
        }
        assert_eq!(stdout(&session, "echo last"), "last\n");
        let read = session.read();
        let want: String = (0..20).map(|n| format!("{n}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&read.stdout), want);
        assert_eq!(read.stderr.len(), want.len() + 20);
        session.send("(exit 9)").unwrap();
        assert_eq!(stdout(&session, "echo $?"), "9\n");
    }
}

#[test]
fn commands_of_many_threads_do_not_mix() {
    let Some(live) = Live::begin() else { return };
    let session = live.sandbox().session().unwrap();
    thread::scope(|scope| {
        for worker in 0..8 {
            let session = &session;
            scope.spawn(move || {
                for n in 0..50 {
                    let text = format!("{worker} {n}");
                    assert_eq!(
                        stdout(session, &format!("echo {text}")),
                        format!("{text}\n")
                    );
                }
            });
        }
    });
}

#[test]
fn one_whose_time_is_up_before_its_turn_does_not_run() {
    let Some(live) = Live::begin() else { return };
    let session = live.sandbox().session().unwrap();
    session.send("sleep 2").unwrap();
    let error = session.send_and_wait("touch /tmp/ran", Duration::from_millis(200));
    assert!(matches!(error, Err(Error::Timeout { .. })), "{error:?}");
    assert_eq!(stdout(&session, "ls /tmp/ran 2>/dev/null; echo ok"), "ok\n");
}

#[test]
fn interrupts_end_a_command_and_nothing_else() {
    let Some(live) = Live::begin() else { return };
    for (sandbox, session) in sessions(&live) {
        // With nothing to interrupt, nothing happens.
        session.interrupt().unwrap();
        stdout(&session, "k=kept; cd /usr; sleep 333 &");
        for command in ["sleep 444; echo no", "while :; do sleep 444; done"] {
            let result = thread::scope(|scope| {
                let waiter = scope.spawn(|| session.send_and_wait(command, PATIENCE));
                await_process(&sandbox, "sleep 444");
                session.interrupt().unwrap();
                waiter.join().unwrap().unwrap()
            });
            assert_eq!(
                (result.exit_code, result.end),
                (130, End::Signaled(2)),
                "{command}"
            );
            assert_eq!(result.stdout, b"", "{command}");
        }
        assert_eq!(stdout(&session, "echo $k; pwd"), "kept\n/usr\n");
        await_process(&sandbox, "sleep 333");
    }
}

#[test]
fn interrupts_at_any_time_lose_nothing() {
    let Some(live) = Live::begin() else { return };
    for (_sandbox, session) in sessions(&live) {
        let session = &session;
        thread::scope(|scope| {
            let worker = scope.spawn(move || {
                for n in 0..40 {
                    let result = session
                        .send_and_wait(format!("echo {n}"), PATIENCE)
                        .unwrap();
                    if result.exit_code != 130 {
                        assert_eq!(result.stdout_text(), format!("{n}\n"), "{result:?}");
                    }
                }
            });
            while !worker.is_finished() {
                session.interrupt().unwrap();
            }
            worker.join().unwrap();
        });
        assert_eq!(stdout(session, "echo ok"), "ok\n");
    }
}

#[test]
fn a_shell_that_cannot_be_interrupted_is_lost_in_time() {
    let Some(live) = Live::begin() else { return };
    for (sandbox, session) in sessions(&live) {
        let began = Instant::now();
        let stubborn = "trap '' INT URG; while :; do :; done";
        let result = session
            .send_and_wait(stubborn, Duration::from_millis(300))
            .unwrap();
        assert!(result.timed_out());
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        let error = session.send_and_wait("true", None).unwrap_err();
        assert!(matches!(error, Error::SessionClosed { .. }), "{error}");
        drop(session);
        drop(sandbox);
    }
}

#[test]
fn a_flood_from_the_background_hides_no_end() {
    let Some(live) = Live::begin() else { return };
    let flood = "yes & yes >&2 &";
    for (sandbox, session) in sessions(&live) {
        // Each is an end that only shows when the shell is asked, or the engine.
        let stuck = session
            .send_and_wait(format!("set -u; {flood} echo $unset"), PATIENCE)
            .unwrap();
        assert!(!stuck.timed_out() && !stuck.ok(), "{:?}", stuck.end);
        let ended = session
            .send_and_wait(format!("{flood} exit 6"), PATIENCE)
            .unwrap();
        assert_eq!((ended.exit_code, ended.end), (6, End::Exited));
        drop(session);
        assert_idle(&sandbox);
    }
}

#[test]
fn long_commands_come_through_a_flood_from_the_background() {
    let Some(live) = Live::begin() else { return };
    if live.is_podman() {
        // The session ends, named.
        return live.skip("Podman 4.3 takes no input for seconds under such a flood");
    }
    for (_sandbox, session) in sessions(&live) {
        session.send("yes & yes >&2 &").unwrap();
        session.send("sleep 0.3").unwrap();
        session
            .send(format!(": '{}'", "x".repeat(500_000)))
            .unwrap();
        let last = session.command("kill $!; echo ok").max_output(10);
        assert!(last.timeout(PATIENCE).run().unwrap().ok());
    }
}

#[test]
fn an_error_that_ends_a_command_early_is_told_soon() {
    let Some(live) = Live::begin() else { return };
    for (_sandbox, session) in sessions(&live) {
        let times = (0..20).map(|_| {
            // The thread that reads falls asleep in the meantime.
            thread::sleep(Duration::from_millis(120));
            let began = Instant::now();
            let result = session.send_and_wait("set -u; echo $unset; echo no", PATIENCE);
            let result = result.unwrap();
            assert!(!result.ok() && result.stdout.is_empty(), "{result:?}");
            began.elapsed()
        });
        // Not each time on a busy machine, but then a busy machine is no excuse for never.
        let soon = Duration::from_millis(250);
        let late: Vec<_> = times.take_while(|time| soon <= *time).collect();
        assert!(late.len() < 20, "{late:?}");
    }
}

#[test]
fn output_beyond_the_cap_is_counted() {
    let Some(live) = Live::begin() else { return };
    let session = live.sandbox().session().unwrap();
    let command = session.command("head -c 1000000 /dev/zero; echo x >&2");
    let result = command.max_output(1000).run().unwrap();
    assert_eq!((result.stdout.len(), result.dropped_len), (1000, 999_002));
    assert!(result.truncated() && result.ok());
    // What nobody reads does not grow for ever either.
    session.send("head -c 5000000 /dev/zero").unwrap();
    assert_eq!(stdout(&session, "echo ok"), "ok\n");
    assert_eq!(session.read().stdout.len(), 1024 * 1024);
}

#[test]
fn callbacks_hear_everything_and_may_do_things() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let session = sandbox.session().unwrap();
    let heard = Arc::new(Mutex::new(String::new()));
    let refused = Arc::new(AtomicUsize::new(0));
    let weak = session.clone();
    session.on_output({
        let (heard, refused, sandbox) = (Arc::clone(&heard), Arc::clone(&refused), sandbox.clone());
        let session = Mutex::new(Some(weak));
        move |stream, piece| {
            let text = String::from_utf8(piece.to_vec()).expect("whole characters");
            let prefix = if stream == StreamKind::Stderr {
                "!"
            } else {
                ""
            };
            heard.lock().unwrap().push_str(&format!("{prefix}{text}"));
            if let Some(session) = session.lock().unwrap().take() {
                assert!(sandbox.is_running().unwrap());
                session.send("echo sent").unwrap();
                for waits in [
                    session.send_and_wait("true", None).map(drop),
                    session.interrupt(),
                ] {
                    assert!(matches!(waits, Err(Error::InvalidArgument { .. })));
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    });
    session.on_output(|_, piece| assert!(!piece.starts_with(b"panic"), "on purpose"));
    assert_eq!(
        stdout(&session, "printf '\\303'; sleep 0.1; printf '\\251\\n'"),
        "é\n"
    );
    assert_eq!(stdout(&session, "echo panic"), "panic\n");
    assert_eq!(stdout(&session, "echo err >&2"), "");
    assert_eq!(*heard.lock().unwrap(), "é\nsent\npanic\n!err\n");
    assert_eq!(refused.load(Ordering::Relaxed), 2);
}

#[test]
fn closing_kills_everything() {
    let Some(live) = Live::begin() else { return };
    for (sandbox, session) in sessions(&live) {
        stdout(&session, "sleep 60 & setsid sleep 60 & (sleep 60 &)");
        session
            .send("env -i setsid sleep 60 & trap '' INT TERM HUP; sleep 60")
            .unwrap();
        session.close().unwrap();
        assert_idle(&sandbox);
        drop(session);
        let dropped = sandbox.session().unwrap();
        dropped.send("sleep 60 & sleep 60").unwrap();
        drop(dropped);
        assert_idle(&sandbox);
    }
}

/// What happens to a session with a command in flight when something is done to its sandbox.
fn under(live: &Live, options: &CreateOptions, disturb: impl FnOnce(&Container)) -> Error {
    let sandbox = live.create(options);
    let session = sandbox.session().unwrap();
    let began = Instant::now();
    let error = thread::scope(|scope| {
        let waiter = scope.spawn(|| session.send_and_wait("echo part; sleep 555", None));
        await_process(&sandbox, "sleep 555");
        disturb(&sandbox);
        waiter.join().unwrap().unwrap_err()
    });
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let after = session.send_and_wait("true", None).unwrap_err();
    assert!(matches!(after, Error::SessionClosed { .. }), "{after}");
    error
}

#[test]
fn a_stopped_sandbox_closes_its_sessions() {
    let Some(live) = Live::begin() else { return };
    let error = under(&live, &live.options(), |sandbox| sandbox.stop().unwrap());
    assert!(
        matches!(&error, Error::ContainerNotRunning { output, .. } if output.stdout == b"part\n"),
        "{error:?}"
    );
}

#[test]
fn a_removed_sandbox_closes_its_sessions() {
    let Some(live) = Live::begin() else { return };
    let error = under(&live, &live.options(), |s| s.shutdown(true).unwrap());
    // Its removal takes two steps.
    match error {
        Error::ContainerGone { output, .. } => assert_eq!(output.stdout, b"part\n"),
        Error::ContainerNotRunning { .. } => {}
        other => panic!("{other}"),
    }
}

#[test]
fn a_paused_sandbox_closes_its_sessions() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let error = under(&live, &live.options(), |sandbox| {
        disturbed::pause(sandbox.engine().client(), sandbox.container_id());
    });
    assert!(
        matches!(&error, Error::ContainerNotRunning { status, .. } if status == "paused"),
        "{error}"
    );
}
