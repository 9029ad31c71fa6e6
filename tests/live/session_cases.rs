//! Sessions against tables of cases: `tests/fixtures/session-*.json`, on bash, dash and ash.
//!
//! A case is a command, what is run before it in the same session, and what it has to give. The
//! `notes` of the files say how strings stand for bytes. After each case the session has to be
//! usable or closed, as the case says, which a further command tells.

use std::fmt::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Container, Error, ExecResult, Session, SessionOptions};

use crate::fixture::Live;

const TABLES: [&str; 2] = [
    include_str!("../fixtures/session-cases.json"),
    include_str!("../fixtures/session-more-cases.json"),
];

/// How many sessions are open at once for one shell.
const WORKERS: usize = 2;

/// How long a command may take beyond its timeout.
const SLACK: Duration = Duration::from_millis(1500);

/// How many execs ending a command may take, which on a busy machine are all that counts.
const EXECS: u32 = 6;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(8);

/// Cases after which the shell cannot print, or prints more, by their own doing.
const UNPROBED: [&str; 6] = [
    "exec-stdout-file-readback",
    "exec-close-stdout",
    "set-x",
    "path-empty",
    "ulimit-fsize0",
    "function-command",
];

#[test]
fn every_case_on_bash() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().image(live.debian_image()));
    run_all(&sandbox, "bash");
}

#[test]
fn every_case_on_dash() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().image(live.debian_image()));
    run_all(&sandbox, "dash");
}

#[test]
fn every_case_on_ash() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    run_all(&sandbox, "ash");
}

fn run_all(sandbox: &Container, shell: &str) {
    let tables = TABLES.map(|text| json::parse(text.as_bytes()).expect("a table in JSON"));
    let cases = tables.iter().flat_map(|t| t.array_at(&["cases"]).unwrap());
    let wanted = std::env::var("POCKETDOCK_TEST_CASE").unwrap_or_default();
    let cases = Mutex::new(cases.filter(|case| name(case).contains(&wanted)));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().next() else {
                        return;
                    };
                    if let Err(failure) = run(sandbox, shell, case) {
                        failed.lock().unwrap().push((case, failure));
                    }
                }
            });
        }
    });
    let mut failures = String::new();
    for (case, mut failure) in failed.into_inner().unwrap() {
        // On a busy machine a command with little time may be late by no fault of its own, and a
        // shell may not be brought back in time.
        if is_timed(case) {
            match run(sandbox, shell, case) {
                Ok(()) => continue,
                Err(again) => write!(failure, "; {again}").unwrap(),
            }
        }
        writeln!(failures, "{}: {failure}", name(case)).unwrap();
    }
    assert!(failures.is_empty(), "on {shell}:\n{failures}");
}

/// Whether a command of it is to run out of time.
fn is_timed(case: &Value) -> bool {
    let setup = case.array_at(&["setup"]).unwrap_or_default();
    timeout(case).is_some() || setup.iter().any(|step| timeout(step).is_some())
}

fn name(case: &Value) -> &str {
    case.str_at(&["name"]).expect("a case with a name")
}

/// Runs a case; the error says what is not as it should be.
fn run(sandbox: &Container, shell: &str, case: &Value) -> Result<(), String> {
    let options = SessionOptions::new().shell(shell);
    let session = sandbox
        .session_with(&options)
        .map_err(|e| format!("start: {e}"))?;
    for step in case.array_at(&["setup"]).unwrap_or_default() {
        set_up(&session, step)?;
    }
    let (result, took) = run_command(&session, case).map_err(|e| format!("run: {e}"))?;
    let bound = timeout(case).unwrap_or(DEFAULT_TIMEOUT) + SLACK;
    if bound < took && bound + EXECS * time_of_exec(sandbox) < took {
        return Err(format!("took {took:?}"));
    }
    let expected = |key| match case.at(&["expect_per_shell", shell, key]) {
        Some(value) => Some(value),
        None => case.at(&["expect", key]),
    };
    if expected("any").is_none() {
        compare(&result, expected)?;
    }
    if UNPROBED.contains(&name(case)) {
        return Ok(());
    }
    let alive = expected("session_alive").and_then(Value::as_bool);
    probe(&session, alive.expect("whether the session lives"), &result)
}

fn time_of_exec(sandbox: &Container) -> Duration {
    let began = Instant::now();
    assert!(sandbox.run("true").expect("run `true`").ok());
    began.elapsed()
}

/// A string is a command, an object one that is expected to time out.
fn set_up(session: &Session, step: &Value) -> Result<(), String> {
    let command = step.as_str().or_else(|| step.str_at(&["command"]));
    let timeout = timeout(step);
    let result = session
        .send_and_wait(
            bytes_of_command(command.expect("a command")),
            timeout.unwrap_or(DEFAULT_TIMEOUT),
        )
        .map_err(|error| format!("set up: {error}"))?;
    if result.timed_out() != timeout.is_some() {
        return Err(format!("set up: {result:?}"));
    }
    Ok(())
}

fn timeout(value: &Value) -> Option<Duration> {
    let seconds = value.get("timeout").and_then(Value::as_f64)?;
    Some(Duration::from_secs_f64(seconds))
}

fn run_command(session: &Session, case: &Value) -> Result<(ExecResult, Duration), Error> {
    let command = case.str_at(&["command"]).expect("a command");
    let limit = timeout(case).unwrap_or(DEFAULT_TIMEOUT);
    let mut command = session.command(bytes_of_command(command)).timeout(limit);
    if let Some(stdin) = case.str_at(&["stdin"]) {
        command = command.stdin(latin_1(stdin));
    }
    let began = Instant::now();
    let result = command.run()?;
    Ok((result, began.elapsed()))
}

fn compare<'a>(
    result: &ExecResult,
    expected: impl Fn(&'static str) -> Option<&'a Value>,
) -> Result<(), String> {
    let complain = || {
        let short = |bytes: &[u8]| bytes.iter().take(300).copied().collect::<Vec<u8>>();
        Err(format!(
            "{} {:?} {:?} {:?}",
            result.exit_code,
            result.end,
            short(&result.stdout).escape_ascii().to_string(),
            short(&result.stderr).escape_ascii().to_string()
        ))
    };
    let code = expected("exit_code").and_then(Value::as_i64);
    if code.is_some_and(|code| code != i64::from(result.exit_code)) {
        return complain();
    }
    let timed_out = expected("timed_out").and_then(Value::as_bool);
    if timed_out.is_some_and(|want| want != result.timed_out()) {
        return complain();
    }
    let stdout = expected("stdout").and_then(Value::as_str);
    if stdout.is_some_and(|want| !is_output(&result.stdout, want)) {
        return complain();
    }
    let stderr = expected("stderr").and_then(Value::as_str);
    if stderr.is_some_and(|want| !is_output(&result.stderr, want)) {
        return complain();
    }
    let part = expected("stderr_contains").and_then(Value::as_str);
    if part.is_some_and(|part| !result.stderr_text().contains(part)) {
        return complain();
    }
    Ok(())
}

/// Whether output is what an expectation says.
fn is_output(output: &[u8], want: &str) -> bool {
    match want.strip_prefix("{LEN}") {
        Some(len) => output.len().to_string() == len,
        None => output == latin_1(&want.replace("{ALLBYTES}", &all_bytes())),
    }
}

/// Whether a session that should live does, and one that should not says so.
fn probe(session: &Session, alive: bool, result: &ExecResult) -> Result<(), String> {
    let outcome = session.send_and_wait("\\command printf 'us%s' able", Duration::from_secs(5));
    match outcome {
        Ok(probe) if alive && probe.stdout.ends_with(b"usable") => Ok(()),
        Err(Error::SessionClosed { exit_code }) if !alive => match exit_code {
            Some(code) if code == result.exit_code => Ok(()),
            _ => Err(format!(
                "closed with {exit_code:?}, not {}",
                result.exit_code
            )),
        },
        outcome => Err(format!("alive should be {alive}: {outcome:?}")),
    }
}

/// A command as bytes: UTF-8, but for the names of long or strange content.
fn bytes_of_command(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        bytes.extend(before.bytes());
        let Some((word, after_word)) = after.split_once('}') else {
            rest = after;
            bytes.push(b'{');
            continue;
        };
        let count = word.strip_prefix("X*").and_then(|n| n.parse().ok());
        rest = after_word;
        match (word, count) {
            ("ALLBYTES", _) => {
                for byte in latin_1(&all_bytes()) {
                    match byte {
                        b'\'' => bytes.extend(b"'\\''"),
                        _ => bytes.push(byte),
                    }
                }
            }
            (_, Some(count)) => bytes.extend(std::iter::repeat_n(b'x', count)),
            _ => {
                bytes.push(b'{');
                rest = after;
            }
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

/// Every byte but NUL, one character each.
fn all_bytes() -> String {
    (1..=255u8).map(char::from).collect()
}

/// One byte for each character.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).expect("a character of one byte"))
        .collect()
}
