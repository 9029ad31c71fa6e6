//! A malformed value is refused before anything is created, indeed before an engine is looked
//! for: exit code 2, the value and the form that was expected in the message.

use crate::program::{self, code, text};

/// Option, malformed value, and what the message must show of the form.
const MALFORMED: [(&str, &str, &str); 62] = [
    ("--port", "80:", "[ADDR:][HOST]:CONTAINER[/udp]"),
    ("--port", "80", "[ADDR:][HOST]:CONTAINER[/udp]"),
    ("--port", "8080:80/sctp", "[ADDR:][HOST]:CONTAINER[/udp]"),
    ("--port", "65536:80", "[ADDR:][HOST]:CONTAINER[/udp]"),
    ("--port", "-1:80", "[ADDR:][HOST]:CONTAINER[/udp]"),
    ("--port", "localhost:80:80", "[ADDR:][HOST]:CONTAINER[/udp]"),
    ("--volume", "/x", "HOST:CONTAINER[:ro"),
    ("--volume", ":/x", "HOST:CONTAINER[:ro"),
    ("--volume", "/x:relative", "HOST:CONTAINER[:ro"),
    ("--volume", "/x:/y:rx", "HOST:CONTAINER[:ro"),
    ("--device", "/dev/null:/dev/x:rr", "HOST[:CONTAINER[:rwm]]"),
    ("--device", "/etc/passwd", "not a device"),
    ("--device", "", "HOST[:CONTAINER[:rwm]]"),
    ("--device", "/dev/null:/dev/x:q", "HOST[:CONTAINER[:rwm]]"),
    ("--tmpfs", "relative", "DIR[:size="),
    ("--tmpfs", "/t:size=lots", "DIR[:size="),
    ("--tmpfs", "/t:exec", "DIR[:size="),
    ("--tmpfs", "/", "absolute"),
    ("--mem-limit", "lots", "such as"),
    ("--mem-limit", "-1", "such as"),
    ("--mem-limit", "", "such as"),
    ("--mem-limit", "4m", "6m or more"),
    ("--mem-limit", "0.5", "such as"),
    ("--mem-limit", "9223372036854775808", "less than 8192p"),
    ("--cpu-percent", "half", "such as"),
    ("--cpu-percent", "-50", "such as"),
    ("--pids-limit", "-1", "such as"),
    ("--pids-limit", "1e3", "such as"),
    ("--pids-limit", "+5", "such as"),
    ("--pids-limit", "4294967296", "at most"),
    ("--timeout", "soon", "such as"),
    ("--timeout", "-5", "such as"),
    ("--timeout", "5 parsecs", "such as"),
    ("--ttl", "-1h", "such as"),
    (
        "--ttl",
        "0",
        "'0' for '--ttl': expected a duration of more than nothing",
    ),
    ("--ttl", "0s", "'0s' for '--ttl'"),
    ("--ttl", "0.1ns", "such as"),
    ("--env", "=x", "KEY"),
    ("--env", "", "KEY"),
    ("--label", "novalue", "KEY=VALUE"),
    ("--label", "=x", "KEY=VALUE"),
    ("--name", "a/b", "letters"),
    ("--name", "..", "letters"),
    ("--name", "", "letters"),
    ("--name", "a\nb", "letters"),
    ("--name", "-dash", "letters"),
    ("--name", "x", "letters"),
    ("--profile", "nope", "minimal-python"),
    ("--profile", "", "minimal-python"),
    ("--workdir", "relative", "absolute"),
    ("--image", "", "image"),
    ("--image", "has space", "image"),
    ("--image", "../x", "image"),
    ("--color", "blue", "auto, always or never"),
    ("--completions", "tcsh", "bash, zsh or fish"),
    ("--cap-add", "", "capability"),
    ("--cap-drop", "not a cap", "capability"),
    ("--user", "", "user"),
    ("--env-file", "/nonexistent/file", "--env-file"),
    ("--env-file", "/dev/zero", "longer than 1 MiB"),
    ("--project", "", "project"),
    ("--project", "a\nb", "project"),
];

/// Options of `run` alone.
const MALFORMED_IN_RUN: [(&str, &str, &str); 9] = [
    ("--workdir", "relative", "absolute"),
    ("--user", "a:b:c", "user"),
    ("--max-output", "much", "such as"),
    ("--max-output", "-1", "such as"),
    ("--max-output", "0.1", "such as"),
    ("--timeout", "0.1ns", "such as"),
    ("--timeout", "-1", "such as"),
    ("--lang", "cobol", "python"),
    ("--lang", "", "python"),
];

/// What is wrong with how a malformed value was refused, if anything is.
fn complaint(
    before: &[&str],
    after: &[&str],
    (option, value, form): (&str, &str, &str),
) -> Option<String> {
    let words: Vec<&str> = before
        .iter()
        .chain(&[option, value])
        .chain(after)
        .copied()
        .collect();
    let output = program::run(&words);
    let message = text(&output.stderr);
    let shown = value.replace('\n', "\\n");
    let wrong = match code(&output) {
        2 if !output.stdout.is_empty() => "stdout is not empty",
        2 if !message.contains(&shown) => "the value is missing",
        2 if !message.contains(form) => "the form is missing",
        2 => return None,
        _ => "the exit code is not 2",
    };
    Some(format!("{words:?}: {wrong}: {message}"))
}

fn refuses(before: &[&str], after: &[&str], cases: &[(&str, &str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| complaint(before, after, *case))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn create_refuses_malformed_values() {
    refuses(&["create"], &[], &MALFORMED);
}

#[test]
fn a_one_shot_run_refuses_malformed_values() {
    // The option that is tried may be the one that makes it a one-shot.
    let (makes, describes): (Vec<_>, Vec<_>) = MALFORMED
        .iter()
        .partition(|case| matches!(case.0, "--image" | "--profile"));
    refuses(&["run"], &["--", "true"], &makes);
    refuses(&["run", "--image", "x"], &["--", "true"], &describes);
}

#[test]
fn run_refuses_malformed_values() {
    refuses(&["run", "box"], &["--", "true"], &MALFORMED_IN_RUN);
}

#[test]
fn build_refuses_malformed_values() {
    let cases = [
        ("--build-arg", "novalue", "KEY=VALUE"),
        ("--build-arg", "=x", "KEY=VALUE"),
    ];
    refuses(&["build"], &[], &cases);
    let output = program::run(&["build", "nope"]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("'nope'"));
}

#[test]
fn names_that_can_be_none_are_refused_before_any_other_is_acted_on() {
    for words in [&["stop"][..], &["resume"], &["shutdown", "--yes"]] {
        let output = program::run(&[words, &["good", "a/b"]].concat());
        assert_eq!(code(&output), 2, "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
        assert!(
            text(&output.stderr).contains("invalid name 'a/b'"),
            "{words:?}"
        );
    }
}
