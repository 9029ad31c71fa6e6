//! What is run and how it is started: forms of commands, options of an exec, launch failures.

use std::io;
use std::time::{Duration, Instant};

use pocketdock_core::{Error, Stdin};

use crate::fixture::Live;

#[test]
fn arguments_reach_a_program_as_they_are() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let arguments = [
        "", " ", "a b", "$HOME", "*", "`id`", "\"", "'", "\\", "\n", "é", "-n", "--",
    ];
    let mut command = vec!["printf".to_owned(), "<%s>".to_owned()];
    command.extend(arguments.map(str::to_owned));
    let want: String = arguments.iter().map(|text| format!("<{text}>")).collect();
    assert_eq!(sandbox.run(command).unwrap().stdout_text(), want);
}

#[test]
fn a_line_goes_through_the_shell() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox.run("a=1; for i in $a 2; do echo $i; done | wc -l");
    assert_eq!(result.unwrap().stdout, b"2\n");
    let unknown = sandbox.run("no-such-program-here").unwrap();
    assert_eq!(unknown.exit_code, 127);
    assert!(unknown.stderr_text().contains("not found"));
    assert_eq!(sandbox.run("exit 3 # no end of line").unwrap().exit_code, 3);
}

#[test]
fn environment_directory_and_user() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().env("FROM", "sandbox").env("KEPT", "a=b c");
    let sandbox = live.create(&options.workdir("/tmp").user("1000:1000"));
    let show = "echo $FROM/$KEPT/$(pwd)/$(id -u):$(id -g)";
    let plain = sandbox.run(show).unwrap();
    assert_eq!(plain.stdout_text(), "sandbox/a=b c//tmp/1000:1000\n");
    let changed = sandbox
        .exec(show)
        .env("FROM", "exec \n\"x\"")
        .workdir("/etc")
        .user("root")
        .run()
        .unwrap();
    assert_eq!(changed.stdout_text(), "exec \"x\"/a=b c//etc/0:0\n");
}

#[test]
fn languages() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().image(live.debian_image()));
    let bash = sandbox.exec(["echo ${BASH_VERSION:+bash} $1 $#", "a b", "c"]);
    assert_eq!(bash.lang("bash").run().unwrap().stdout, b"bash a b 2\n");
    let sh = sandbox.exec(["echo $1 $#", "a b"]).lang("sh").run();
    assert_eq!(sh.unwrap().stdout, b"a b 1\n");
    let perl = sandbox.exec(["print join '|', @ARGV", "-a", "b"]);
    assert_eq!(perl.lang("perl").run().unwrap().stdout, b"-a|b");
    let unknown = sandbox.exec("1").lang("cobol").run();
    assert!(matches!(unknown, Err(Error::InvalidArgument { .. })));
    let absent = sandbox.exec("1").lang("ruby").run();
    assert!(matches!(absent, Err(Error::CommandNotFound { command }) if command == "ruby"));
}

#[test]
fn python() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().image(live.python_image()));
    let code = "import sys; print(sys.argv[1:], input()); sys.exit(3)";
    let result = sandbox
        .exec([code, "-a", "b c"])
        .lang("python")
        .stdin("hello");
    let result = result.run().unwrap();
    assert_eq!(result.stdout_text(), "['-a', 'b c'] hello\n");
    assert_eq!(result.exit_code, 3);
}

#[test]
fn scripts_beyond_the_kernels_limit_for_an_argument() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    for len in [120 * 1024, 200_000, 3_000_000] {
        let script = format!("cat; exit 5 #{}", "x".repeat(len));
        let result = sandbox.exec(script).stdin("input").run().unwrap();
        assert_eq!(result.stdout, b"input", "{len}");
        assert_eq!(result.exit_code, 5);
    }
    let lines: String = (0..30_000).map(|n| format!("x{n}={n}\n")).collect();
    let result = sandbox.run(format!("{lines}echo $x0 $x29999")).unwrap();
    assert_eq!(result.stdout, b"0 29999\n");
    let left = sandbox.run("ls -A /dev/shm").unwrap();
    assert_eq!(left.stdout_text(), "", "the scripts are gone");
}

#[test]
fn python_beyond_the_kernels_limit_for_an_argument() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().image(live.python_image()).hardened();
    let sandbox = live.create(&options);
    for len in [200_000, 3_000_000] {
        let code = format!(
            "import sys\nx = '{}'\nprint(len(x), sys.argv[1:])",
            "é".repeat(len / 2)
        );
        let result = sandbox.exec([code.as_str(), "a"]).lang("python").run();
        let result = result.unwrap();
        let want = format!("{} ['a']\n", len / 2);
        assert_eq!(result.stdout_text(), want, "{result:?}");
    }
}

#[test]
fn a_program_that_cannot_be_started() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox
        .run("echo no program > /tmp/plain; mkdir /tmp/dir")
        .unwrap();
    for program in ["no-such-program", "/no/such/program", "/tmp/nothing"] {
        match sandbox.run([program]) {
            Err(Error::CommandNotFound { command }) => assert_eq!(command, program),
            other => panic!("{program}: {other:?}"),
        }
    }
    for program in ["/tmp/plain", "/tmp/dir", "/"] {
        match sandbox.run([program]) {
            Err(Error::CommandNotExecutable { command, reason }) => {
                assert_eq!(command, program);
                // Newer runtimes say of a directory what it is.
                let why = ["permission denied", "is a directory"];
                assert!(why.iter().any(|why| reason.contains(why)), "{reason}");
            }
            other => panic!("{program}: {other:?}"),
        }
    }
}

#[test]
fn a_directory_or_user_that_is_not_there() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    match sandbox.exec(["true"]).workdir("/no/such/dir").run() {
        Err(Error::CommandNotExecutable { reason, .. }) => {
            assert!(reason.contains("/no/such/dir"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    match sandbox.exec(["true"]).user("stranger").run() {
        Err(Error::CommandNotExecutable { reason, .. }) => {
            assert!(reason.contains("stranger"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let refused = [
        sandbox.run(<[&str; 0]>::default()),
        sandbox.run([""]),
        sandbox.run("echo \0"),
        sandbox.run(["echo", "\0"]),
        sandbox.exec("true").env("", "x").run(),
        sandbox.exec("true").env("A=B", "x").run(),
        sandbox.exec("true").env("A", "\0").run(),
        sandbox.run(["echo".to_owned(), "x".repeat(200_000)].to_vec()),
    ];
    for (n, outcome) in refused.into_iter().enumerate() {
        assert!(
            matches!(outcome, Err(Error::InvalidArgument { .. })),
            "{n}: {outcome:?}"
        );
    }
}

#[test]
fn input_from_bytes_and_readers() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let empty = sandbox.exec("cat; echo end").stdin("").run().unwrap();
    assert_eq!(empty.stdout, b"end\n");
    let without = sandbox.run("cat; echo end").unwrap();
    assert_eq!(without.stdout, b"end\n");
    let bytes: Vec<u8> = (0..=255u8).cycle().take(5_000_000).collect();
    let all = sandbox.exec("cat").stdin(bytes.clone()).run().unwrap();
    assert!(all.stdout == bytes);
    let reader = Stdin::reader(io::Cursor::new(bytes.clone()));
    let all = sandbox.exec(["cat"]).stdin(reader).run().unwrap();
    assert!(all.stdout == bytes);
}

#[test]
fn input_that_the_command_does_not_read() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let bytes = vec![b'x'; 20_000_000];
    for (command, want) in [
        ("echo done", "done\n"),
        ("head -c 3", "xxx"),
        ("exec <&-; echo closed; exit 0", "closed\n"),
    ] {
        let begun = Instant::now();
        let result = sandbox.exec(command).stdin(bytes.clone()).run().unwrap();
        // Podman may drop the last output of a command that leaves input unread.
        let kept = result.stdout_text() == want;
        let lost = live.is_podman() && want.starts_with(&*result.stdout_text());
        assert!(kept || lost, "{command}: {result:?}");
        assert_eq!(result.stderr_text(), "", "nothing of the engine's own");
        assert_eq!(result.exit_code, 0);
        assert!(begun.elapsed() < Duration::from_secs(10), "{command}");
    }
}

#[test]
fn a_pipe_of_two_sandboxes_by_hand() {
    let Some(live) = Live::begin() else { return };
    let (one, two) = (live.sandbox(), live.sandbox());
    let made = one.run("seq 1000").unwrap();
    let used = two.exec("wc -l").stdin(made.stdout).run().unwrap();
    assert_eq!(used.stdout_text().trim(), "1000");
}
