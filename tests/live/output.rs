//! Output arrives byte for byte, and only as much of it is kept as was asked for.

use std::time::{Duration, Instant};

use pocketdock_core::End;

use crate::fixture::Live;
use crate::host;

/// Every byte there is, 40 times, in an order that repeats after 257 bytes.
fn every_byte() -> Vec<u8> {
    (0..=255u8).chain([b'\n']).cycle().take(257 * 40).collect()
}

#[test]
fn both_streams_and_the_exit_code() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox.run("echo out; echo err >&2; exit 7").unwrap();
    assert_eq!(result.stdout, b"out\n");
    assert_eq!(result.stderr, b"err\n");
    assert_eq!((result.exit_code, result.end), (7, End::Exited));
    assert!(!result.ok() && !result.truncated() && !result.timed_out());
    assert!(result.duration < Duration::from_secs(20));
}

#[test]
fn no_output_and_no_newline() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let nothing = sandbox.run("true").unwrap();
    assert!(nothing.ok());
    assert_eq!((nothing.stdout, nothing.stderr), (vec![], vec![]));
    let open_ended = sandbox.run("printf a; printf b >&2").unwrap();
    assert_eq!(open_ended.stdout, b"a");
    assert_eq!(open_ended.stderr, b"b");
}

#[test]
fn every_byte_value_there_and_back() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let bytes = every_byte();
    let result = sandbox.exec("tee /dev/stderr").stdin(bytes.clone()).run();
    let result = result.unwrap();
    assert!(result.stdout == bytes, "stdout differs");
    assert!(result.stderr == bytes, "stderr differs");
}

#[test]
fn text_that_is_not_utf8() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox.run(r"printf 'a\377\303(\n\342\202'").unwrap();
    assert_eq!(result.stdout, b"a\xff\xc3(\n\xe2\x82");
    assert_eq!(result.stdout_text(), "a\u{fffd}\u{fffd}(\n\u{fffd}");
}

#[test]
fn ten_megabytes_on_each_stream() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let line = "yes 0123456789abcde | head -c 10000000";
    let result = sandbox
        .exec(format!("{line} & {line} >&2; wait"))
        .max_output(20_000_000)
        .run()
        .unwrap();
    let want: Vec<u8> = b"0123456789abcde\n".repeat(625_000);
    assert!(result.stdout == want, "{} bytes", result.stdout.len());
    assert!(result.stderr == want, "{} bytes", result.stderr.len());
    assert!(!result.truncated());
}

#[test]
fn over_the_cap_the_first_bytes_are_kept_and_the_command_runs_on() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox
        .exec("printf 123456; head -c 3000000 /dev/zero; echo to the end > /tmp/done; exit 3")
        .max_output(4)
        .run()
        .unwrap();
    assert_eq!(result.stdout, b"1234");
    assert_eq!(result.dropped_len, 3_000_002);
    assert!(result.truncated());
    assert_eq!((result.exit_code, result.end), (3, End::Exited));
    assert_eq!(
        sandbox.run("cat /tmp/done").unwrap().stdout,
        b"to the end\n"
    );
}

#[test]
fn the_cap_is_for_both_streams_together() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let command = "head -c 700 /dev/zero; head -c 700 /dev/zero >&2";
    let result = sandbox.exec(command).max_output(1000).run().unwrap();
    assert_eq!(result.stdout.len() + result.stderr.len(), 1000);
    assert_eq!(result.dropped_len, 400);
    let exact = sandbox.exec(command).max_output(1400).run().unwrap();
    assert!(!exact.truncated());
    let none = sandbox.exec(command).max_output(0).run().unwrap();
    assert_eq!((none.stdout.len(), none.dropped_len), (0, 1400));
}

#[test]
fn ten_mebibytes_are_kept_unless_told_otherwise() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox.run("head -c 10485761 /dev/zero").unwrap();
    assert_eq!(result.stdout.len(), 10 * 1024 * 1024);
    assert_eq!(result.dropped_len, 1);
}

#[test]
fn a_child_in_the_background_does_not_hold_the_result() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let begun = Instant::now();
    let result = sandbox.run("sleep 60 & echo started").unwrap();
    assert_eq!(result.stdout, b"started\n");
    assert_eq!((result.exit_code, result.end), (0, End::Exited));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "took {took:?}");
    // It belongs to the sandbox now and lives on.
    let alive = host::processes(&sandbox);
    assert!(alive.contains(&"sleep sleep 60".to_owned()), "{alive:?}");
}

#[test]
fn all_output_is_there_though_a_child_holds_the_stream() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox.run("sleep 60 & seq 200000; exit 9").unwrap();
    let want: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    assert!(result.stdout == want.as_bytes(), "{}", result.stdout.len());
    assert_eq!(result.exit_code, 9);
}

#[test]
fn a_child_that_goes_on_writing_does_not_hold_the_result() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let begun = Instant::now();
    let result = sandbox.run("yes & echo started; exit 4").unwrap();
    assert_eq!(result.exit_code, 4);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "took {took:?}");
}

#[test]
fn a_command_that_closes_its_output_is_waited_for() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox
        .run("echo out; exec >&- 2>&-; sleep 1; exit 6")
        .unwrap();
    assert_eq!(result.stdout, b"out\n");
    assert_eq!(result.exit_code, 6);
    assert!(Duration::from_secs(1) <= result.duration);
}
