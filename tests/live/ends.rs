//! How a command ended: exit codes, signals, and the kernel's want of memory.

use pocketdock_core::End;

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
