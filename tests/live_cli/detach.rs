//! `run --detach` and `logs`: what goes on after the program that started it has ended.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;

use crate::live::{Live, code, live, read_until, signal, text, unique_name};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `run --json --detach WORDS...`: what it reports.
fn detach(live: &Live, words: &[&str]) -> Value {
    let (report, code) = live.json(&[&["run", "-d"], words].concat());
    assert_eq!(code, 0, "{report:?}");
    report
}

/// `logs NAME --follow`: returns when the command has ended.
fn follow(live: &Live, name: &str) -> Output {
    live.run(&["logs", name, "--follow"])
}

fn history(live: &Live, name: &str) -> Vec<Value> {
    let (history, code) = live.json(&["logs", name, "--history"]);
    assert_eq!(code, 0);
    history.as_array().unwrap().to_vec()
}

/// The process that records what this report is of, as the mark beside its log tells.
fn recorder_of(report: &Value) -> u32 {
    let log = report.str_at(&["log"]).unwrap();
    let mark = fs::read_to_string(log.replace(".log", ".running")).unwrap();
    mark.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn kill(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Waits until a process that is no child of ours has ended.
fn wait_for_end_of(pid: u32) {
    let began = Instant::now();
    let ended = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    while !ended() {
        assert!(began.elapsed() < PATIENCE, "process {pid} does not end");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_returns_at_once_and_output_and_end_can_be_read_later() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = "echo out; echo err >&2; sleep 3; printf last; exit 7";
    // A shell that collects both streams waits until nobody holds them any more.
    let script = "out=$(\"$0\" \"$@\" 2>&1); echo \"$out\"";
    let program = live.pocketdock(&["run", "-d", &sandbox.name, line]);
    let began = Instant::now();
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(program.get_program());
    shell.args(program.get_args()).env_clear();
    shell.envs(
        program
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    let output = shell.stdin(Stdio::null()).output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{output:?}");
    let said = text(&output.stdout);
    let id = said.lines().next().unwrap();
    assert!(
        id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{said}"
    );
    assert!(
        said.contains(&format!("'pocketdock logs {} --follow'", sandbox.name)),
        "{said}"
    );

    let shown = follow(&live, &sandbox.name);
    assert_eq!(
        (text(&shown.stdout), text(&shown.stderr)),
        ("out\nlast", "err\n")
    );
    assert_eq!(
        code(&shown),
        0,
        "the end of the command is no failure of ours"
    );
    let history = history(&live, &sandbox.name);
    assert_eq!(history.len(), 1);
    let keys: Vec<&str> = history[0]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key)
        .collect();
    #[rustfmt::skip]
    let wanted = [
        "ts", "container", "type", "id", "command", "exit_code", "duration_ms", "timed_out",
        "truncated", "running", "log",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(history[0].str_at(&["id"]), Some(id));
    assert_eq!(history[0].i64_at(&["exit_code"]), Some(7));
    assert!(3000 <= history[0].u64_at(&["duration_ms"]).unwrap());
    assert_eq!(history[0].bool_at(&["running"]), Some(false));
    let table = live.run(&["logs"]);
    assert!(text(&table.stdout).starts_with("TIME "), "{table:?}");
    assert!(text(&table.stdout).contains(&sandbox.name), "{table:?}");
}

#[test]
fn what_can_not_be_started_fails_as_in_the_foreground() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    #[rustfmt::skip]
    let cases: [(&[&str], i32); 5] = [
        (&[&sandbox.name, "--", "no-such-program", "x"],         127),
        (&[&sandbox.name, "--", "/etc", "x"],                    126),
        (&[&sandbox.name, "-u", "no-such-user", "--", "ls", "/"], 126),
        (&["no-such-sandbox", "true"],                           125),
        (&["--image", "no/such/image", "--", "true"],            125),
    ];
    for (words, wanted) in cases {
        let words = [&["run", "-d"], words].concat();
        let output = live.run(&words);
        assert_eq!(code(&output), wanted, "{words:?} {output:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{words:?} {output:?}"
        );
        let (error, json_code) = live.json(&words);
        assert_eq!(json_code, wanted);
        assert!(error.str_at(&["error", "code"]).is_some(), "{error:?}");
    }
    assert_eq!(history(&live, &sandbox.name), [], "nothing was started");
    let shown = live.run(&["logs", &sandbox.name]);
    assert_eq!((code(&shown), shown.stdout.len()), (0, 0));
    let unknown = live.run(&["logs", "no-such-sandbox"]);
    assert_eq!(code(&unknown), 1);
    assert!(text(&unknown.stderr).contains("no container named 'no-such-sandbox'"));
}

#[test]
fn a_log_that_can_not_be_written_is_an_error_before_anything_runs() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let words = ["run", "-d", &sandbox.name, "touch /tmp/ran"];
    // A file where the directory would be: it stops root, too, whom no mode stops.
    let logs = format!("pocketdock/instances/{}/logs", sandbox.name);
    fs::remove_dir(live.state.join(&logs)).unwrap();
    live.state.write(&logs, b"");
    let output = live.run(&words);
    assert_eq!(code(&output), 125, "{output:?}");
    assert!(text(&output.stderr).contains("cannot create"), "{output:?}");
    // One that was made where there is no place for an instance.
    let homeless = |words: &[&str]| {
        let mut program = live.pocketdock(words);
        program.env_remove("XDG_STATE_HOME").output().unwrap()
    };
    let name = unique_name();
    let made = homeless(&["create", "--name", &name, "--image", &live.image]);
    assert_eq!(code(&made), 0, "{made:?}");
    let output = homeless(&["run", "-d", &name, "touch /tmp/ran"]);
    assert!(text(&output.stderr).contains("HOME"), "{output:?}");
    for name in [&sandbox.name, &name] {
        let ran = live.run(&["run", name, "test -e /tmp/ran"]);
        assert_eq!(code(&ran), 1, "nothing may have run");
    }
    live.run(&["shutdown", "--yes", "--force", &name]);
}

#[test]
fn follow_goes_from_the_start_to_the_end_as_it_happens() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    detach(
        &live,
        &[
            &sandbox.name,
            "echo first; until test -e /tmp/go; do sleep 0.1; done; echo last",
        ],
    );
    let mut child = live
        .pocketdock(&["logs", &sandbox.name, "-f"])
        .spawn()
        .unwrap();
    read_until(&mut child, "first\n");
    assert_eq!(code(&sandbox.run(&["touch /tmp/go"])), 0);
    read_until(&mut child, "last\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let lines = live.run(&["logs", &sandbox.name, "--follow", "--json"]);
    let lines: Vec<Value> = text(&lines.stdout)
        .lines()
        .map(|line| json::parse(line.as_bytes()).unwrap())
        .collect();
    assert_eq!(lines[0].str_at(&["data"]), Some("first\n"));
    assert_eq!(lines[0].str_at(&["stream"]), Some("stdout"));
    assert_eq!(lines.last().unwrap().i64_at(&["exit_code"]), Some(0));
}

#[test]
fn ctrl_c_ends_the_follower_and_not_the_command() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    detach(&live, &[&sandbox.name, "echo ready; sleep 100"]);
    let mut child = live
        .pocketdock(&["logs", &sandbox.name, "-f"])
        .spawn()
        .unwrap();
    read_until(&mut child, "ready\n");
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(
        history(&live, &sandbox.name)[0].bool_at(&["running"]),
        Some(true)
    );
}

#[test]
fn two_at_once_have_a_log_each() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let reports = ["one", "two"].map(|word| {
        let line = format!("for i in 1 2 3; do echo {word}; sleep 0.3; done");
        detach(&live, &[&sandbox.name, &line])
    });
    let shown = follow(&live, &sandbox.name);
    for (report, word) in reports.iter().zip(["one", "two"]) {
        let log = fs::read_to_string(report.str_at(&["log"]).unwrap()).unwrap();
        assert_eq!(
            log.matches(&format!(" stdout F {word}\n")).count(),
            3,
            "{log}"
        );
        assert_eq!(log.lines().count(), 3, "{log}");
        assert_eq!(text(&shown.stdout).matches(word).count(), 3);
    }
    let newest = live.run(&["logs", &sandbox.name, "--last", "1", "--tail", "2"]);
    assert_eq!(text(&newest.stdout), "two\ntwo\n");
    let none = live.run(&["logs", &sandbox.name, "--type", "session"]);
    assert_eq!((code(&none), none.stdout.len()), (0, 0));
}

#[test]
fn a_killed_recorder_is_told_of() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let report = detach(&live, &[&sandbox.name, "echo ready; sleep 100"]);
    let mut child = live
        .pocketdock(&["logs", &sandbox.name, "-f"])
        .spawn()
        .unwrap();
    read_until(&mut child, "ready\n");
    kill(recorder_of(&report), "KILL");
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert!(
        text(&output.stderr).contains("nobody has seen the end"),
        "{output:?}"
    );
    let table = live.run(&["logs", &sandbox.name, "--history"]);
    assert!(text(&table.stdout).contains("unknown"), "{table:?}");
    let entry = &history(&live, &sandbox.name)[0];
    assert_eq!(entry.get("exit_code"), Some(&Value::Null));
}

#[test]
fn sigterm_to_the_recorder_ends_the_command_and_sighup_does_not() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = "trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.1; done";
    let report = detach(&live, &[&sandbox.name, line]);
    let mut child = live
        .pocketdock(&["logs", &sandbox.name, "-f"])
        .spawn()
        .unwrap();
    read_until(&mut child, "ready\n");
    let recorder = recorder_of(&report);
    kill(recorder, "HUP");
    kill(recorder, "TERM");
    read_until(&mut child, "asked\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(
        history(&live, &sandbox.name)[0].i64_at(&["exit_code"]),
        Some(5)
    );
}

#[test]
fn output_is_kept_byte_for_byte() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = r"printf 'a\0\377\r\n\n'; printf '\200' >&2; head -c 100000 /dev/zero";
    detach(&live, &[&sandbox.name, line]);
    let shown = follow(&live, &sandbox.name);
    let wanted = [&b"a\0\xff\r\n\n"[..], &[0; 100_000]].concat();
    assert!(shown.stdout == wanted, "{} bytes", shown.stdout.len());
    assert_eq!(shown.stderr, b"\x80");
}

#[test]
fn a_flood_is_cut_at_the_limit_and_the_command_goes_on() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = "yes 0123456789 | head -c 50000000; exit 3";
    let report = detach(&live, &[&sandbox.name, "--max-output", "1m", line]);
    let shown = follow(&live, &sandbox.name);
    let log_len = fs::metadata(report.str_at(&["log"]).unwrap())
        .unwrap()
        .len();
    assert!((900_000..1_100_000).contains(&log_len), "{log_len}");
    let dropped = 50_000_000 - shown.stdout.len();
    let note = format!("truncated: {dropped} bytes dropped");
    assert!(
        text(&shown.stderr).contains(&note),
        "{:?}",
        text(&shown.stderr)
    );
    let entry = &history(&live, &sandbox.name)[0];
    assert_eq!(entry.bool_at(&["truncated"]), Some(true));
    assert_eq!(entry.i64_at(&["exit_code"]), Some(3));
}

#[test]
fn time_is_limited_only_where_it_is_asked_for() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["--timeout", "1"]);
    detach(&live, &[&sandbox.name, "sleep 2"]);
    follow(&live, &sandbox.name);
    detach(&live, &[&sandbox.name, "--timeout", "500ms", "sleep 50"]);
    let shown = follow(&live, &sandbox.name);
    assert!(text(&shown.stderr).contains("timed out"), "{shown:?}");
    let history = history(&live, &sandbox.name);
    assert_eq!(history[0].i64_at(&["exit_code"]), Some(0));
    assert_eq!(history[1].i64_at(&["exit_code"]), Some(124));
    assert_eq!(history[1].bool_at(&["timed_out"]), Some(true));
}

#[test]
fn input_and_code_come_from_a_pipe() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let run = |words: &[&str], input: &[u8]| {
        let words = [&["run", "-d", &sandbox.name, "-i"], words].concat();
        assert_eq!(code(&live.run_with_input(&words, input)), 0);
        follow(&live, &sandbox.name);
        live.run(&["logs", &sandbox.name, "--last", "1"]).stdout
    };
    assert_eq!(run(&["cat"], b"from a pipe"), b"from a pipe");
    assert_eq!(run(&["--lang", "sh"], b"echo code"), b"code\n");
}

#[test]
fn a_sandbox_of_its_own_is_removed_at_the_end_and_its_logs_stay() {
    let Some(live) = live() else { return };
    let name = unique_name();
    let words = [
        "--image",
        &live.image,
        "--name",
        &name,
        "--",
        "echo hi; until test -e /tmp/go; do sleep 0.1; done; exit 4",
    ];
    let report = detach(&live, &words);
    assert!(live.has(&name));
    let recorder = recorder_of(&report);
    assert_eq!(code(&live.run(&["run", &name, "touch /tmp/go"])), 0);
    assert_eq!(follow(&live, &name).stdout, b"hi\n");
    wait_for_end_of(recorder);
    assert!(!live.has(&name));
    assert_eq!(live.run(&["logs", &name]).stdout, b"hi\n");
    assert_eq!(history(&live, &name)[0].i64_at(&["exit_code"]), Some(4));
}

#[test]
fn a_sandbox_removed_under_it_takes_its_logs_with_it() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let report = detach(&live, &[&sandbox.name, "echo ready; sleep 100"]);
    let recorder = recorder_of(&report);
    let mut child: Child = live
        .pocketdock(&["logs", &sandbox.name, "-f"])
        .spawn()
        .unwrap();
    read_until(&mut child, "ready\n");
    assert_eq!(code(&live.run(&["shutdown", "-y", &sandbox.name])), 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    wait_for_end_of(recorder);
    assert!(
        !live
            .state
            .join("pocketdock/instances")
            .join(&sandbox.name)
            .exists()
    );
    assert_eq!(code(&live.run(&["logs", &sandbox.name])), 1);
}
