//! Output as it arrives: chunks, their ends, and what becomes of a stream that is let go.

use std::io::{self, Read};
use std::sync::mpsc;
use std::time::Duration;

use pocketdock_core::{End, Error, ExecStream, Scope, Signal, Stdin, StreamKind};

use crate::fixture::Live;
use crate::host::assert_idle;

/// Both streams of a command, put together from their chunks.
fn collect(stream: &mut ExecStream) -> (Vec<u8>, Vec<u8>) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for chunk in stream {
        let chunk = chunk.unwrap();
        assert!(!chunk.data.is_empty());
        match chunk.stream {
            StreamKind::Stdout => stdout.extend(chunk.data),
            StreamKind::Stderr => stderr.extend(chunk.data),
        }
    }
    (stdout, stderr)
}

#[test]
fn chunks_come_while_the_command_runs() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let (open, gate) = mpsc::channel();
    let exec = sandbox.exec("echo first; read line; echo last; exit 7");
    let mut stream = exec.stdin(Stdin::reader(Gate(gate))).stream().unwrap();
    assert_eq!(stream.next().unwrap().unwrap().data, b"first\n");
    open.send(()).unwrap();
    drop(open);
    assert_eq!(collect(&mut stream).0, b"last\n");
    let result = stream.result().unwrap();
    assert_eq!((result.exit_code, result.end), (7, End::Exited));
}

/// Input that gives a line each time it is told to.
struct Gate(mpsc::Receiver<()>);

impl Read for Gate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.recv() {
            Ok(()) => (&b"go\n"[..]).read(buffer),
            Err(mpsc::RecvError) => Ok(0),
        }
    }
}

#[test]
fn characters_are_never_split_and_bytes_are_exact() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    // One byte a write, so that every split there can be happens.
    let script = "for byte in 342 202 254 360 235 204 236 377 101; do printf \"\\\\$byte\"; done";
    let mut stream = sandbox.exec(script).stream().unwrap();
    let mut all = Vec::new();
    for chunk in &mut stream {
        let data = chunk.unwrap().data;
        let invalid = data.contains(&0xff);
        assert!(invalid || std::str::from_utf8(&data).is_ok(), "{data:?}");
        all.extend(data);
    }
    assert_eq!(all, "€𝄞".bytes().chain([0xff, b'A']).collect::<Vec<_>>());
}

#[test]
fn memory_does_not_grow_with_the_output() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let command = "dd if=/dev/zero bs=1M count=256 2>/dev/null; echo end >&2; exit 3";
    let mut stream = sandbox.exec(command).stream().unwrap();
    let (mut len, mut largest) = (0, 0);
    for chunk in &mut stream {
        let chunk = chunk.unwrap();
        largest = largest.max(chunk.data.len());
        if chunk.stream == StreamKind::Stdout {
            len += chunk.data.len();
        }
    }
    assert_eq!(len, 256 << 20);
    assert!(largest <= 128 * 1024, "a chunk of {largest} bytes");
    assert_eq!(stream.result().unwrap().exit_code, 3);
}

#[test]
fn a_timeout_applies_and_the_output_so_far_is_there() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let exec = sandbox.exec("echo a; sleep 1000 & sleep 1000");
    let mut stream = exec.timeout(Duration::from_millis(500)).stream().unwrap();
    assert_eq!(collect(&mut stream).0, b"a\n");
    let result = stream.result().unwrap();
    assert_eq!((result.exit_code, result.end), (124, End::TimedOut));
    assert_idle(&sandbox);
}

#[test]
fn dropping_a_stream_early_kills_its_command() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let mut stream = sandbox
        .exec("trap '' TERM INT; yes & setsid sleep 1000 & yes >&2")
        .stream()
        .unwrap();
    stream.next().unwrap().unwrap();
    drop(stream);
    assert_idle(&sandbox);
}

#[test]
fn a_signal_reaches_the_command_or_its_tree() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let script = "trap 'echo got; exit 9' USR1; echo ready; while :; do sleep 0.05; done";
    let mut stream = sandbox.exec(script).stream().unwrap();
    assert_eq!(stream.next().unwrap().unwrap().data, b"ready\n");
    stream.handle().kill(Signal::USR1, Scope::Command).unwrap();
    assert_eq!(collect(&mut stream).0, b"got\n");
    assert_eq!(stream.result().unwrap().exit_code, 9);

    let mut stream = sandbox
        .exec("sleep 1000 & echo ready; wait")
        .stream()
        .unwrap();
    stream.next().unwrap().unwrap();
    stream.handle().kill(Signal::TERM, Scope::Tree).unwrap();
    assert_eq!(stream.result().unwrap().end, End::Signaled(15));
    assert_idle(&sandbox);
}

#[test]
fn a_result_can_be_had_without_reading() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let stream = sandbox.exec("seq 100000; exit 4").stream().unwrap();
    assert_eq!(stream.result().unwrap().exit_code, 4);
}

#[test]
fn output_over_the_cap_is_counted_and_the_command_goes_on() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let exec = sandbox
        .exec("seq 100000; echo end >&2; exit 4")
        .max_output(10);
    let mut stream = exec.stream().unwrap();
    let (stdout, stderr) = collect(&mut stream);
    assert_eq!(stdout.len() + stderr.len(), 10);
    let result = stream.result().unwrap();
    assert_eq!(
        (result.exit_code, result.dropped_len),
        (4, 588_895 + 4 - 10)
    );
}

#[test]
fn a_sandbox_that_vanishes_under_a_stream_is_named() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let mut stream = sandbox.exec("echo a; sleep 1000").stream().unwrap();
    assert_eq!(stream.next().unwrap().unwrap().data, b"a\n");
    sandbox.shutdown(true).unwrap();
    let rest: Vec<_> = stream.by_ref().collect();
    match rest.as_slice() {
        // Removed before the engine was asked, or stopped before it was removed.
        [Err(Error::ContainerGone { .. })] => {}
        [] => assert_eq!(stream.result().unwrap().end, End::Signaled(9)),
        other => panic!("{other:?}"),
    }
}
