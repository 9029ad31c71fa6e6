//! `run`: exit codes, forms of a command, languages, input, time.

use std::time::{Duration, Instant};

use crate::live::{code, live, text};

#[test]
fn the_exit_code_is_the_commands() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    for wanted in [0, 1, 42, 124, 126, 255] {
        let output = sandbox.run(&[&format!("exit {wanted}")]);
        assert_eq!(code(&output), wanted);
        assert!(
            output.stdout.is_empty() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
}

#[test]
fn what_can_not_be_started_is_126_or_127() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    #[rustfmt::skip]
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--", "no-such-program", "x"],          127, "no program named 'no-such-program'"),
        (&["no-such-program"],                     127, "no-such-program"),
        (&["--", "/etc", "x"],                     126, "cannot execute '/etc'"),
        (&["-u", "no-such-user", "--", "ls", "/"], 126, ": no user 'no-such-user' in the sandbox\n"),
        (&["-u", "0:no-such-group", "true"],       126, ": no group 'no-such-group' in the sandbox\n"),
        (&["-w", "/no/such/dir", "ls"],            126, ": no directory '/no/such/dir' in the sandbox\n"),
        (&["-w", "/etc/passwd", "ls"],             126, ": '/etc/passwd' is not a directory in the sandbox\n"),
    ];
    for (words, wanted, said) in cases {
        let output = sandbox.run(words);
        assert_eq!(code(&output), wanted, "{words:?} {output:?}");
        assert!(output.stdout.is_empty(), "{words:?} {output:?}");
        assert!(text(&output.stderr).contains(said), "{words:?} {output:?}");
    }
}

#[test]
fn a_signal_is_128_and_its_number() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    for (name, wanted) in [("TERM", 143), ("KILL", 137), ("INT", 130)] {
        let output = sandbox.run(&[&format!("kill -{name} $$; sleep 9")]);
        assert_eq!(code(&output), wanted, "{name} {output:?}");
    }
}

#[test]
fn words_after_the_command_are_its_own() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    #[rustfmt::skip]
    let cases: [(&[&str], &str); 6] = [
        (&["echo", "-n", "--json", "-q", "--", "x  y"], "--json -q -- x  y"),
        (&["--", "echo", "$HOME", ";", "id"],           "$HOME ; id\n"),
        (&["echo one; echo two"],                       "one\ntwo\n"),
        (&["-c", "echo", "a   b", "|", "cat"],          "a b\n"),
        (&["--", "sh", "-c", "echo $0 $1", "a", "b c"], "a b c\n"),
        (&["printf", "%s|", "", "é\n"],                 "|é\n|"),
    ];
    for (words, wanted) in cases {
        let output = sandbox.run(words);
        assert_eq!(text(&output.stdout), wanted, "{words:?} {output:?}");
        assert_eq!(code(&output), 0);
    }
}

#[test]
fn environment_directory_and_user_are_the_given_ones() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["-e", "A=created", "-w", "/tmp"]);
    let output = sandbox.run(&["echo $A $B; pwd; id -u"]);
    assert_eq!(text(&output.stdout), "created\n/tmp\n0\n");
    let words = [
        "-e",
        "A=run",
        "-eB=b c",
        "-w/",
        "-u",
        "1000:1000",
        "echo $A $B; pwd; id -u",
    ];
    assert_eq!(text(&sandbox.run(&words).stdout), "run b c\n/\n1000\n");
}

#[test]
fn code_in_a_language() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let output = sandbox.run(&["--lang", "sh", "echo \"$1-$2\"", "a b", "-x"]);
    assert_eq!(text(&output.stdout), "a b--x\n");
    let words = ["run", &sandbox.name, "-i", "--lang", "sh"];
    let output = live.run_with_input(&words, b"echo from stdin\nexit 3\n");
    assert_eq!((text(&output.stdout), code(&output)), ("from stdin\n", 3));
}

#[test]
fn stdin_is_empty_unless_asked_for_and_exact_then() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let input: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let output = live.run_with_input(&["run", &sandbox.name, "cat"], &input);
    assert!(output.stdout.is_empty(), "stdin must not be passed on");
    let output = live.run_with_input(&["run", &sandbox.name, "-i", "cat"], &input);
    assert!(
        output.stdout == input,
        "{} bytes came back",
        output.stdout.len()
    );
    // A command that does not read its input ends all the same.
    let output = live.run_with_input(&["run", &sandbox.name, "-i", "echo done"], &input);
    assert_eq!((text(&output.stdout), code(&output)), ("done\n", 0));
}

#[test]
fn a_timeout_is_124_and_keeps_the_output_so_far() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let began = Instant::now();
    let line = "echo so far; trap '' TERM; (trap '' TERM; exec sleep 77) & sleep 77";
    let output = sandbox.run(&["--timeout", "1s", line]);
    assert_eq!((text(&output.stdout), code(&output)), ("so far\n", 124));
    assert!(text(&output.stderr).contains("timed out"), "{output:?}");
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    let left = sandbox.run(&["ps | grep -c '[s]leep 77'"]);
    assert_eq!(text(&left.stdout), "0\n", "the tree must be gone");
}

#[test]
fn the_timeout_of_create_applies_and_run_overrides_it() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["--timeout", "1"]);
    assert_eq!(code(&sandbox.run(&["sleep 9"])), 124);
    assert_eq!(code(&sandbox.run(&["--stream", "sleep 9"])), 124);
    assert_eq!(code(&sandbox.run(&["--timeout", "0", "sleep 2"])), 0);
}

#[test]
fn one_shot_leaves_nothing_behind() {
    let Some(live) = live() else { return };
    let name = crate::live::unique_name();
    let words = [
        "run",
        "--image",
        &live.image,
        "--name",
        &name,
        "--",
        "sh",
        "-c",
        "echo hi; exit 7",
    ];
    let output = live.run(&words);
    assert_eq!(
        (text(&output.stdout), code(&output)),
        ("hi\n", 7),
        "{output:?}"
    );
    assert!(!live.has(&name));
    let words = [
        "run",
        "--image",
        &live.image,
        "--name",
        &name,
        "--",
        "no-such-program",
        "x",
    ];
    assert_eq!(code(&live.run(&words)), 127);
    assert!(!live.has(&name));
}

#[test]
fn a_sandbox_that_does_not_run_is_125_and_stays_stopped() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    assert_eq!(code(&live.run(&["stop", &sandbox.name])), 0);
    let output = sandbox.run(&["true"]);
    assert_eq!(code(&output), 125);
    let hint = format!("'pocketdock resume {}' starts it", sandbox.name);
    assert!(text(&output.stderr).contains(&hint), "{output:?}");
    let (info, _) = live.json(&["info", &sandbox.name]);
    assert_eq!(info.str_at(&["status"]), Some("exited"));
    assert_eq!(code(&live.run(&["run", "no-such-sandbox", "true"])), 125);
}
