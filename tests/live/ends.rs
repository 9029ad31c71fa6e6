//! How a command ended: exit codes, signals, and the kernel's want of memory.

use pocketdock_core::{Container, End};

use crate::fixture::Live;

#[test]
fn exit_codes() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    // Each is an exec of its own; several at a time, or this alone would take half a minute.
    let codes: Vec<u8> = (0..=255).collect();
    std::thread::scope(|scope| {
        for some in codes.chunks(32) {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for &code in some {
                    let result = sandbox.run(format!("exit {code}")).unwrap();
                    assert_eq!(result.exit_code, i32::from(code));
                    let signal = i32::from(code) - 128;
                    let want = match signal {
                        1..=64 => End::Signaled(signal),
                        _ => End::Exited,
                    };
                    assert_eq!(result.end, want, "code {code}");
                }
            });
        }
    });
}

#[test]
fn a_program_that_prints_what_engines_print_has_run() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let text = "OCI runtime exec failed: exec failed: unable to start container process: \
                exec: \"sh\": executable file not found in $PATH: unknown";
    for (code, stream) in [(126, 1), (127, 1), (126, 2), (127, 2)] {
        let result = sandbox
            .run(format!("echo '{text}' >&{stream}; exit {code}"))
            .unwrap();
        assert_eq!(result.exit_code, code);
        let output = [result.stdout_text(), result.stderr_text()].concat();
        assert_eq!(output, format!("{text}\n"));
    }
}

#[test]
fn signals() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    // Not 3: busybox's shell ignores it.
    for signal in [1, 2, 6, 9, 10, 11, 13, 14, 15] {
        let result = sandbox.run(format!("echo out; kill -{signal} $$")).unwrap();
        assert_eq!(result.end, End::Signaled(signal));
        assert_eq!(result.exit_code, 128 + signal);
        assert_eq!(result.stdout, b"out\n");
    }
}

#[test]
fn want_of_memory_is_told_from_a_signal() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().mem_limit("32m"));
    // A line without an end, which grep has to hold whole.
    let hungry = "echo begun; exec grep -c x /dev/zero";
    for _ in 0..2 {
        let result = sandbox.run(hungry).unwrap();
        assert_eq!(result.end, End::OomKilled);
        assert_eq!(result.exit_code, 137);
        assert_eq!(result.stdout, b"begun\n");
    }
    // A kill by hand is not taken for the one before it.
    let result = sandbox.run("kill -9 $$").unwrap();
    assert_eq!(result.end, End::Signaled(9));
    assert!(sandbox.run("true").unwrap().ok());
}

#[test]
fn a_kill_that_ended_no_command_is_not_blamed_on_a_later_one() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().mem_limit("32m"));
    let session = sandbox.session().unwrap();
    let survivor = "grep -c x /dev/zero; echo went on";
    let by_hand = "sh -c 'kill -9 $$'";
    // Known of a sandbox that was stopped meanwhile, and of one that was stopped when found.
    let check = |sandbox: &Container| {
        assert_eq!(sandbox.run(survivor).unwrap().stdout, b"went on\n");
        let result = sandbox.run("kill -9 $$").unwrap();
        assert_eq!(result.end, End::Signaled(9));
    };
    assert_eq!(
        session.send_and_wait(survivor, None).unwrap().stdout,
        b"went on\n"
    );
    let result = session.send_and_wait(by_hand, None).unwrap();
    assert_eq!((result.exit_code, result.end), (137, End::Signaled(9)));
    check(&sandbox);
    sandbox.stop().unwrap();
    let found = live.engine().open(sandbox.name()).unwrap();
    found.resume().unwrap();
    check(&found);
    check(&sandbox);
}

#[test]
fn of_two_that_are_killed_at_once_both_lacked_memory() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().mem_limit("32m"));
    // The second has died before the first is asked after.
    let hungry = || sandbox.run("until [ -e /dev/shm/go ]; do :; done; exec grep -c x /dev/zero");
    std::thread::scope(|scope| {
        let both = [scope.spawn(hungry), scope.spawn(hungry)];
        sandbox.run("touch /dev/shm/go").unwrap();
        for one in both {
            assert_eq!(one.join().unwrap().unwrap().end, End::OomKilled);
        }
    });
}

#[test]
fn want_of_memory_in_a_hardened_sandbox() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().hardened().mem_limit("32m"));
    let result = sandbox.run(["grep", "-c", "x", "/dev/zero"]).unwrap();
    assert_eq!((result.exit_code, result.end), (137, End::OomKilled));
    let result = sandbox.run("kill -9 $$").unwrap();
    assert_eq!(result.end, End::Signaled(9));
}
