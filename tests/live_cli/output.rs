//! Output: exact bytes, as it arrives, limits, JSON, a reader that goes away.

use std::io::Read;
use std::time::{Duration, Instant};

use pocketdock_core::wire::{base64, json};

use crate::live::{code, live, read_until, text};

#[test]
fn bytes_are_exact_on_both_streams() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let output = sandbox.run(&[r"printf 'a\0\377b'; printf '\200' >&2"]);
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"a\0\xffb"[..], &b"\x80"[..])
    );
    let output = sandbox.run(&["--stream", "head -c 30000000 /dev/zero"]);
    assert_eq!(output.stdout.len(), 30_000_000);
    assert!(output.stdout.iter().all(|&byte| byte == 0));
}

#[test]
fn output_appears_as_it_arrives() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let words = ["run", &sandbox.name, "echo first; sleep 20"];
    let began = Instant::now();
    let mut child = live.pocketdock(&words).spawn().unwrap();
    read_until(&mut child, "first\n");
    assert!(began.elapsed() < Duration::from_secs(10));
    crate::live::signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn output_over_the_limit_is_dropped_and_said_to_be() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = "echo 0123456789; sleep 0.5; echo more >&2; exit 5";
    let output = sandbox.run(&["--max-output", "4", line]);
    assert_eq!((text(&output.stdout), code(&output)), ("0123", 5));
    assert!(text(&output.stderr).contains("--max-output"), "{output:?}");
    assert!(!text(&output.stderr).contains("more"), "{output:?}");
    let output = sandbox.run(&["head -c 10485761 /dev/zero"]);
    assert_eq!(output.stdout.len(), 10_485_760);
    let (result, _) = live.json(&["run", &sandbox.name, "--max-output", "4", line]);
    assert_eq!(result.bool_at(&["truncated"]), Some(true));
}

#[test]
fn json_holds_the_result() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let run = |line: &str| live.json(&["run", &sandbox.name, line]);
    let (result, code) = run("echo out; echo err >&2; exit 3");
    let keys: Vec<&str> = result
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key)
        .collect();
    let wanted = [
        "exit_code",
        "stdout",
        "stderr",
        "encoding",
        "duration_ms",
        "timed_out",
        "truncated",
        "end",
    ];
    assert_eq!(keys, wanted);
    assert_eq!((result.i64_at(&["exit_code"]), code), (Some(3), 3));
    assert_eq!(result.str_at(&["stdout"]), Some("out\n"));
    assert_eq!(result.str_at(&["stderr"]), Some("err\n"));
    assert_eq!(result.str_at(&["end"]), Some("exited"));

    let (result, _) = run(r"printf '\377'; echo text >&2");
    assert_eq!(result.str_at(&["encoding"]), Some("base64"));
    let decode = |key| base64::decode(result.str_at(&[key]).unwrap()).unwrap();
    assert_eq!(
        (decode("stdout"), decode("stderr")),
        (b"\xff".to_vec(), b"text\n".to_vec())
    );

    let (result, code) = run("kill -KILL $$; sleep 9");
    assert_eq!((result.str_at(&["end"]), code), (Some("signaled"), 137));
    assert_eq!(result.i64_at(&["signal"]), Some(9));
    let (result, code) = live.json(&["run", &sandbox.name, "--timeout", "500ms", "sleep 9"]);
    assert_eq!((result.str_at(&["end"]), code), (Some("timed_out"), 124));
}

#[test]
fn streamed_json_is_one_object_a_line() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let words = [
        "--json",
        "--stream",
        r"printf 'é\n'; sleep 0.3; printf '\377' >&2; exit 4",
    ];
    let output = sandbox.run(&words);
    let lines: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| json::parse(line.as_bytes()).unwrap())
        .collect();
    let (result, pieces) = lines.split_last().unwrap();
    assert_eq!(pieces[0].str_at(&["data"]), Some("é\n"));
    assert_eq!(pieces[1].str_at(&["stream"]), Some("stderr"));
    assert_eq!(pieces[1].str_at(&["encoding"]), Some("base64"));
    assert_eq!(result.i64_at(&["exit_code"]), Some(4));
    assert!(result.get("stdout").is_none());
    assert_eq!(code(&output), 4);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let words = ["run", &sandbox.name, "--stream", "yes reader-gone"];
    let mut child = live.pocketdock(&words).spawn().unwrap();
    read_until(&mut child, "reader-gone\n");
    drop(child.stdout.take());
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), stderr.as_str()),
        (Some(0), "")
    );
    let left = sandbox.run(&["ps | grep -c '[y]es reader-gone'"]);
    assert_eq!(text(&left.stdout), "0\n", "the command must be gone");
}
