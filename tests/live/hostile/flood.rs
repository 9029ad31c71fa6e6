//! Output without end, made of escape codes: our memory stays flat, whichever way it is taken.
//!
//! `POCKETDOCK_TEST_FLOOD_BYTES` says how much for each way; the tests of every run are content
//! with 128 MiB.

use std::env;
use std::fs;

use pocketdock_core::{Container, StreamKind};

use crate::fixture::Live;
use crate::support::alone::alone;

/// How much is written unless told otherwise.
const FLOOD_LEN: u64 = 128 * 1024 * 1024;

/// What each way may add to what it keeps, in KiB.
const GROWTH_KIB_MAX: u64 = 8 * 1024;

/// What a command writes that wants to own the terminal: title, colours, screen, clipboard.
const CODES: &str = r"\033]0;owned\007\033[2J\033[31m\033]52;c;b3duZWQ=\007\233\n";

fn flood_len() -> u64 {
    let asked = env::var("POCKETDOCK_TEST_FLOOD_BYTES");
    asked.map_or(FLOOD_LEN, |len| len.parse().expect("a number of bytes"))
}

/// A line that writes this much of it.
fn flood(len: u64) -> String {
    format!("yes \"$(printf '{CODES}')\" | head -c {len}")
}

/// The most memory that the process has had so far, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("read the own status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.expect("a peak").split_ascii_whitespace();
    words.rev().nth(1).expect("a number").parse().expect("KiB")
}

/// Fails if a way of taking the flood needs more than it keeps and a little.
fn assert_flat(what: &str, kept_kib: u64, take: impl FnOnce()) {
    // From here on the peak is that of this way.
    fs::write("/proc/self/clear_refs", "5").expect("reset the peak");
    let before = peak_kib();
    take();
    let grown = peak_kib().saturating_sub(before);
    assert!(
        grown < kept_kib + GROWTH_KIB_MAX,
        "{what}: grown by {grown} KiB, of which {kept_kib} are kept"
    );
    use std::io::Write;
    let line = format!("flood, {what}: {} bytes, {grown} KiB more\n", flood_len());
    let _unseen = std::io::stderr().write_all(line.as_bytes());
}

fn by_stream(sandbox: &Container) {
    let mut len = 0;
    let mut stream = sandbox.exec(flood(flood_len())).no_timeout().stream();
    for chunk in stream.as_mut().expect("a stream") {
        let chunk = chunk.expect("output");
        assert_eq!(chunk.stream, StreamKind::Stdout);
        len += chunk.data.len() as u64;
    }
    assert_eq!(len, flood_len());
    assert!(stream.unwrap().result().unwrap().ok());
}

fn by_run(sandbox: &Container) {
    let result = sandbox.exec(flood(flood_len())).no_timeout().run().unwrap();
    assert!(result.ok() && result.truncated());
    assert_eq!(result.stdout.len() as u64 + result.dropped_len, flood_len());
}

fn by_process(sandbox: &Container) {
    let process = sandbox.exec(flood(flood_len())).detach().unwrap();
    let result = process.wait(None).unwrap();
    assert!(result.ok() && result.truncated());
    assert_eq!(result.stdout.len() as u64 + result.dropped_len, flood_len());
}

fn by_session(sandbox: &Container) {
    let session = sandbox.session().unwrap();
    let result = session.send_and_wait(flood(flood_len()), None).unwrap();
    assert_eq!(result.exit_code, 0);
    assert_eq!(result.stdout.len() as u64 + result.dropped_len, flood_len());
    let after = session.send_and_wait("echo after", None).unwrap();
    assert_eq!(after.stdout, b"after\n");
}

fn by_runner(sandbox: &Container) {
    let runner = sandbox.runner().unwrap();
    let result = runner.exec(flood(flood_len())).no_timeout().run().unwrap();
    assert_eq!(result.exit_code, 0);
    assert_eq!(result.stdout.len() as u64 + result.dropped_len, flood_len());
}

#[test]
fn memory_stays_flat_under_a_flood() {
    if Live::begin().is_none() {
        return;
    }
    alone(
        "hostile::flood::memory_stays_flat_under_a_flood",
        &[],
        || {
            let live = Live::begin().expect("the same engine");
            let sandbox = live.sandbox();
            // Whatever is allocated once is allocated now.
            assert!(sandbox.run("true").unwrap().ok());
            assert_flat("stream", 0, || by_stream(&sandbox));
            // A vector that grows is there twice for an instant.
            assert_flat("run", 2 * 10 * 1024, || by_run(&sandbox));
            assert_flat("process", 2 * 1024, || by_process(&sandbox));
            assert_flat("session", 2 * 10 * 1024, || by_session(&sandbox));
            assert_flat("runner", 2 * 10 * 1024, || by_runner(&sandbox));
        },
    );
}

/// A file without end is not read into memory, and a pull of it can be stopped.
#[test]
fn a_file_without_end() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let error = sandbox.read_file("/dev/zero").unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
    // It takes no room there.
    let sparse = "truncate -s 100G /tmp/sparse";
    assert!(sandbox.run(sparse).unwrap().ok());
    let error = sandbox.read_file("/tmp/sparse").unwrap_err();
    assert!(error.to_string().contains("too large"), "{error}");
    let scratch = crate::support::scratch::Scratch::new();
    let mut seen = 0;
    let pulled = sandbox.pull_with("/tmp/sparse", scratch.path(), &mut |progress| {
        seen = progress.done_bytes;
        match progress.done_bytes {
            0..=16_000_000 => std::ops::ControlFlow::Continue(()),
            _ => std::ops::ControlFlow::Break(()),
        }
    });
    assert!(pulled.is_err() && seen < 32_000_000, "{pulled:?}, {seen}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}
