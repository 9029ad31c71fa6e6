//! Runners: speed, isolation, recovery.

use std::time::{Duration, Instant};

use pocketdock_core::{Container, End, Error, Runner, SessionOptions};

use crate::fixture::Live;
use crate::host::assert_idle;

fn stdout(runner: &Runner, command: &str) -> String {
    runner.run(command).unwrap().stdout_text().into_owned()
}

/// A busybox and a Debian sandbox: ash and dash.
fn sandboxes(live: &Live) -> [Container; 2] {
    [
        live.sandbox(),
        live.create(&live.options().image(live.debian_image())),
    ]
}

#[test]
fn nothing_carries_over() {
    let Some(live) = Live::begin() else { return };
    for sandbox in sandboxes(&live) {
        let runner = sandbox.runner().unwrap();
        let home = stdout(&runner, "pwd");
        let probe = "pwd; echo \"[$v][$-][$#][$?]$(trap)\"; umask; alias; set -- ; echo ok";
        let before = stdout(&runner, probe);
        #[rustfmt::skip] // one command per line
        let commands = [
            ("cd /usr; v=1; export v", 0), ("exit 7", 7), ("set -e; false; echo no", 1),
            ("set -euf; set -- a b; trap 'echo bye' EXIT", 0), ("readonly v=2", 0),
            ("umask 077; alias ls=false; ulimit -n 10", 0), ("f() { :; }; pwd() { :; }", 0),
            ("if", 2), ("echo 'open", 2), ("${x?no}", 2), ("kill -9 0 & wait", 137),
            ("exec true", 0), ("exec 1>&- 2>&-", 0), ("return 3", 3), ("(exit 9)", 9),
            ("unset PATH; nosuch", 127), ("set -m; sleep 0", 0), ("echo() { :; }; printf() { :; }", 0),
        ];
        for (command, code) in commands {
            let result = runner.run(command).unwrap();
            if command.starts_with("kill") {
                // The whole group, the runner's shell included.
                continue;
            }
            assert_eq!(result.exit_code, code, "{command}: {result:?}");
            assert_eq!(stdout(&runner, probe), before, "after {command}");
        }
        assert_eq!(stdout(&runner, "pwd"), home);
    }
}

#[test]
fn background_jobs_neither_hold_a_command_nor_write_into_the_next() {
    let Some(live) = Live::begin() else { return };
    for sandbox in sandboxes(&live) {
        let runner = sandbox.runner().unwrap();
        let chatty =
            "(while :; do echo leak; done) & setsid sh -c 'while :; do echo leak >&2; done' &
                      (sleep 300 &) ; sleep 300 & echo started";
        for _ in 0..3 {
            let began = Instant::now();
            let result = runner.run(chatty).unwrap();
            assert!(result.stdout_text().contains("started"));
            assert!(began.elapsed() < Duration::from_secs(5));
            let next = runner.run("echo next; sleep 0.1").unwrap();
            assert_eq!(
                (next.stdout_text(), next.stderr_text()),
                ("next\n".into(), "".into())
            );
        }
        drop(runner);
        assert_idle(&sandbox);
    }
}

#[test]
fn a_timeout_kills_the_tree_and_keeps_the_output() {
    let Some(live) = Live::begin() else { return };
    for sandbox in sandboxes(&live) {
        let runner = sandbox.runner().unwrap();
        let id = runner.id();
        #[rustfmt::skip] // one command per line
        let commands = [
            "echo part; sleep 60; echo no",
            "echo part; while :; do :; done",
            "echo part; trap '' INT TERM; (sleep 60 & setsid sleep 60) | cat",
            "echo part; env -i setsid sleep 60 & sleep 60",
            "echo part; kill -STOP $$; sleep 60",
        ];
        for command in commands {
            let exec = runner.exec(command).timeout(Duration::from_millis(400));
            let result = exec.run().unwrap();
            assert_eq!(
                (result.exit_code, result.end),
                (124, End::TimedOut),
                "{command}"
            );
            assert_eq!(result.stdout, b"part\n", "{command}");
            assert!(
                result.duration < Duration::from_secs(6),
                "{command}: {result:?}"
            );
            assert_eq!(stdout(&runner, "echo fine"), "fine\n");
        }
        assert_eq!(runner.id(), id, "its shell has lived through it");
        drop(runner);
        assert_idle(&sandbox);
    }
}

#[test]
fn a_runner_that_is_killed_recovers() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let runner = sandbox.runner().unwrap();
    let first = runner.id();
    let result = runner.run("echo out; kill -9 $$; sleep 5").unwrap();
    assert_eq!(result.end, End::Signaled(9));
    assert_eq!(result.stdout, b"out\n");
    assert_eq!(stdout(&runner, "echo again"), "again\n");
    assert_ne!(runner.id(), first);
    // Killed while nobody looks.
    let pid = stdout(&runner, "echo $$");
    assert!(sandbox.run(format!("kill -9 {pid}")).unwrap().ok());
    assert_eq!(stdout(&runner, "echo again"), "again\n");
    runner.close().unwrap();
    assert_eq!(stdout(&runner, "echo again"), "again\n");
}

#[test]
fn options_apply_to_one_command() {
    let Some(live) = Live::begin() else { return };
    for sandbox in sandboxes(&live) {
        let options = SessionOptions::new()
            .env("A", "of the runner")
            .workdir("/usr");
        let runner = sandbox.runner_with(&options).unwrap();
        let exec = runner.exec("echo \"$A|$B|$PWD\"");
        let result = exec
            .env("A", "it's\nmine")
            .env("B", "$x")
            .workdir("/tmp")
            .run();
        assert_eq!(result.unwrap().stdout_text(), "it's\nmine|$x|/tmp\n");
        assert_eq!(
            stdout(&runner, "echo \"$A|$B|$PWD\""),
            "of the runner||/usr\n"
        );
        let result = runner
            .exec(["printf", "<%s>", "a b", "$HOME", "'", ""])
            .run()
            .unwrap();
        assert_eq!(result.stdout_text(), "<a b><$HOME><'><>");
        assert_eq!(runner.run(["nosuch"]).unwrap().exit_code, 127);
        match runner.exec("true").workdir("/no/such").run() {
            Err(Error::CommandNotExecutable { reason, .. }) if reason.contains("/no/such") => {}
            other => panic!("{other:?}"),
        }
        let error = runner.exec("true").env("a-b", "").run().unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
        let result = runner
            .exec("head -c 100000 /dev/zero")
            .max_output(10)
            .run()
            .unwrap();
        assert_eq!((result.stdout.len(), result.dropped_len), (10, 99_990));
    }
}

#[test]
fn input_is_exact_whatever_its_size() {
    let Some(live) = Live::begin() else { return };
    for sandbox in sandboxes(&live) {
        let runner = sandbox.runner().unwrap();
        let all: Vec<u8> = (0..=255).collect();
        for len in [0, 1, 255, 32 * 1024, 32 * 1024 + 1, 2_000_000] {
            let input: Vec<u8> = all.iter().copied().cycle().take(len).collect();
            let result = runner.exec("cat").stdin(input.clone()).run().unwrap();
            assert!(result.stdout == input, "{len} bytes");
        }
        // One that does not read, or ends early, holds nothing up.
        let input = vec![b'x'; 32 * 1024];
        assert!(runner.exec("true").stdin(input.clone()).run().unwrap().ok());
        let result = runner
            .exec("head -c 1; sleep 60 & :")
            .stdin(input)
            .run()
            .unwrap();
        assert_eq!(result.stdout, b"x");
        assert_eq!(stdout(&runner, "cat; echo end"), "end\n");
    }
}

#[test]
fn several_runners_and_threads_do_not_mix() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let shared = sandbox.runner().unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (sandbox, shared) = (&sandbox, &shared);
            scope.spawn(move || {
                let own = sandbox.runner().unwrap();
                for n in 0..50 {
                    for runner in [&own, shared] {
                        let text = format!("{worker} {n}\n");
                        let result = runner.run(format!("sleep 0 & echo {worker} {n}")).unwrap();
                        assert_eq!(result.stdout_text(), text);
                    }
                }
            });
        }
    });
}

#[test]
fn commands_without_need_of_a_program_take_a_fraction_of_an_exec() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let runner = sandbox.runner().unwrap();
    let time = |n: u32, run: &dyn Fn()| {
        let mut times: Vec<_> = (0..n)
            .map(|_| {
                let began = Instant::now();
                run();
                began.elapsed()
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    };
    let exec = time(5, &|| assert!(sandbox.run("/bin/true").unwrap().ok()));
    let run = time(50, &|| assert!(runner.run("/bin/true").unwrap().ok()));
    // The bench measures the budget of 20; here other tests run beside it.
    assert!(run * 5 < exec, "{run:?} and {exec:?}");
}
