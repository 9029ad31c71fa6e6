//! Standard input: large, slow, unread, endless.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use pocketdock_core::{EngineOptions, Error, Stdin, StreamKind};

use crate::fixture::Live;
use crate::host::assert_idle;

const GIB: u64 = 1 << 30;

/// Bytes that depend on where they are, so that a lost or doubled piece shows.
struct Pattern(u64);

impl Pattern {
    fn byte(at: u64) -> u8 {
        at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
    }
}

impl Read for Pattern {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = Self::byte(self.0);
            self.0 += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn a_gibibyte_goes_through_cat_both_ways_at_once() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let input = Stdin::reader(Pattern(0).take(GIB));
    let mut stream = sandbox
        .exec(["cat"])
        .stdin(input)
        .no_timeout()
        .stream()
        .unwrap();
    let mut at = 0;
    for chunk in &mut stream {
        let chunk = chunk.unwrap();
        assert_eq!(chunk.stream, StreamKind::Stdout, "{}", chunk.text());
        // Comparing each byte of a debug build would take longer than the transfer.
        for (n, byte) in chunk.data.iter().enumerate().step_by(997) {
            assert_eq!(*byte, Pattern::byte(at + n as u64), "at {at} + {n}");
        }
        at += chunk.data.len() as u64;
    }
    assert_eq!(at, GIB);
    assert!(stream.result().unwrap().ok());
}

#[test]
fn a_command_may_end_before_its_input_does() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let begun = Instant::now();
    let endless = Stdin::reader(Pattern(0));
    let result = sandbox
        .exec("head -c 1 | wc -c; exit 5")
        .stdin(endless)
        .run()
        .unwrap();
    assert_eq!((result.exit_code, result.stdout_text().trim()), (5, "1"));
    assert_eq!(result.stderr_text(), "");
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_command_that_does_not_read_is_no_deadlock() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let unread = vec![b'x'; 8 << 20];
    let result = sandbox
        .exec("sleep 0.2; seq 200000; exit 6")
        .stdin(unread)
        .run()
        .unwrap();
    assert_eq!(result.exit_code, 6);
    let whole: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    assert!(
        result.stdout == whole.as_bytes(),
        "{} bytes",
        result.stdout.len()
    );
}

#[test]
fn input_that_is_not_read_costs_no_output() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    for _ in 0..10 {
        let exec = sandbox
            .exec(["echo", "out"])
            .stdin(Stdin::reader(Pattern(0)));
        let result = exec.run().unwrap();
        assert_eq!(
            (result.exit_code, result.stdout_text().as_ref()),
            (0, "out\n")
        );
        assert_eq!(result.stderr_text(), "");
    }
    assert_idle(&sandbox);
}

#[test]
fn a_command_that_reads_slowly_gets_everything() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let bytes: Vec<u8> = (0..2_000_000).map(Pattern::byte).collect();
    let script = "head -c 1000 >/tmp/in; sleep 0.5; cat >>/tmp/in; cat /tmp/in";
    let result = sandbox.exec(script).stdin(bytes.clone()).run().unwrap();
    // A shell's tools read ahead on a pipe, so only the rest is certain.
    assert!(bytes.ends_with(&result.stdout[1000..]));
    assert_eq!(result.stdout[..1000], bytes[..1000]);
}

#[test]
fn without_input_there_is_an_end_at_once() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    assert_eq!(sandbox.run("wc -c").unwrap().stdout_text().trim(), "0");
    assert_eq!(
        sandbox
            .exec("wc -c")
            .stdin("")
            .run()
            .unwrap()
            .stdout_text()
            .trim(),
        "0"
    );
}

#[test]
fn a_timeout_fires_while_input_is_being_written() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let exec = sandbox.exec("sleep 1000").stdin(Stdin::reader(Pattern(0)));
    let result = exec.timeout(Duration::from_millis(500)).run().unwrap();
    assert!(result.timed_out());
}

#[test]
fn input_that_cannot_be_read_to_its_end_is_no_success() {
    /// Gives a part, then fails.
    struct Broken(bool);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match std::mem::replace(&mut self.0, true) {
                false => (&b"part"[..]).read(buffer),
                true => Err(io::Error::other("the disk is gone")),
            }
        }
    }
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let (session, runner) = (sandbox.session().unwrap(), sandbox.runner().unwrap());
    let broken = || Stdin::reader(Broken(false));
    let process = sandbox.exec(["cat"]).stdin(broken()).detach().unwrap();
    let outcomes = [
        sandbox.exec(["cat"]).stdin(broken()).run(),
        sandbox
            .exec(["cat"])
            .stdin(broken())
            .stream()
            .unwrap()
            .result(),
        process.wait(Some(Duration::from_secs(20))),
        session.command("cat").stdin(broken()).run(),
        runner.exec(["cat"]).stdin(broken()).run(),
    ];
    for outcome in outcomes {
        match outcome {
            Err(Error::Io { doing, source }) => {
                assert_eq!(doing, "read the command's input");
                assert_eq!(source.to_string(), "the disk is gone");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(session.send_and_wait("true", None).unwrap().ok());
    assert!(runner.run("true").unwrap().ok());
}

#[test]
fn input_does_not_hide_that_there_is_no_such_program() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    for stdin in [Stdin::from("short"), Stdin::reader(io::empty())] {
        let outcome = sandbox.exec(["no-such-program"]).stdin(stdin).run();
        match outcome {
            Err(Error::CommandNotFound { command }) => assert_eq!(command, "no-such-program"),
            other => panic!("{other:?}"),
        }
    }
}

/// The time that a question to the engine may take is none for a command to read its input in.
#[test]
fn a_command_may_begin_to_read_late() {
    let Some(live) = Live::begin() else { return };
    let options = EngineOptions::new().socket(live.engine().socket_path());
    let patient = options.timeout(Duration::from_secs(2)).connect().unwrap();
    let sandbox = patient.create(&live.options()).unwrap();
    let result = sandbox
        .exec("sleep 4; wc -c")
        .stdin(vec![b'x'; 8 << 20])
        .run();
    assert_eq!(result.unwrap().stdout_text().trim(), (8 << 20).to_string());
}

#[test]
fn a_detached_process_reads_its_input() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let process = sandbox.exec(["cat"]).stdin("hello").detach().unwrap();
    assert_eq!(
        process.wait(Some(Duration::from_secs(20))).unwrap().stdout,
        b"hello"
    );
}
