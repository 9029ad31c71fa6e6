//! Running commands, against every way in which an engine can let one down.
//!
//! The rule under test: an exit code is reported only when the engine says that the command has
//! ended, and output that was cut short is an error that carries what arrived.

use std::fs;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::client::ExchangeReport;
use pocketdock_core::{
    Container, End, EngineOptions, Error, ExecResult, Stdin, StreamKind, Terminal, TerminalSize,
};

use crate::SHORT;
use crate::model::{Kind, endless, exec_state, inspected, kinds, model, model_with, opened};
use crate::support::fake_engine::{FakeEngine, Gate, Reply};
use crate::support::process::{PATIENCE, within};
use crate::support::recorded::recorded;

/// Runs a command on the fake engine, to its end or an error, in time.
fn run(fake: &FakeEngine) -> Result<ExecResult, Error> {
    let sandbox = opened(fake);
    within(PATIENCE, move || sandbox.run("x"))
}

fn gone() -> Reply {
    Reply::json(404, r#"{"message":"No such container: box"}"#)
}

fn output() -> Reply {
    Reply::hijacked(101).frame(1, b"out").frame(2, b"err")
}

#[test]
fn recorded_runs_give_their_bytes_and_code() {
    for engine in ["docker", "podman"] {
        for start in ["exec-start", "exec-start-upgraded"] {
            for piece_len in [1, 3, 8, 1000] {
                let reply = |name: &str| recorded(&format!("{engine}-{name}")).reply;
                let (output, state) = (reply(start), reply("exec-inspect"));
                let fake = model(move |kind, _| match kind {
                    Kind::ExecStart => Some(Reply::raw(output.clone()).split(piece_len)),
                    Kind::ExecInspect => Some(Reply::raw(state.clone())),
                    _ => None,
                });
                let result = run(&fake).unwrap();
                assert_eq!(result.stdout, b"out\n\0\xff", "{engine}, {start}");
                assert_eq!(result.stderr, b"err\n", "{engine}, {start}");
                assert_eq!((result.exit_code, result.end), (3, End::Exited));
            }
        }
    }
}

#[test]
fn a_run_is_three_exchanges() {
    let fake = model(|_, _| None);
    let sandbox = opened(&fake);
    sandbox.run("x").unwrap();
    let run = [Kind::ExecCreate, Kind::ExecStart, Kind::ExecInspect];
    assert_eq!(kinds(&fake)[1..], run);
}

#[test]
fn exit_codes_and_signals_are_told_apart() {
    for code in 0..=255 {
        let fake = model(move |kind, _| {
            (kind == Kind::ExecInspect).then(|| exec_state(false, &code.to_string()))
        });
        let result = run(&fake).unwrap();
        let signal = (129..=192).contains(&code).then(|| code - 128);
        assert_eq!(result.exit_code, code);
        assert_eq!(result.end, signal.map_or(End::Exited, End::Signaled));
    }
}

#[test]
fn the_code_counts_only_when_the_command_has_ended() {
    // Podman gives code 0 for a command that still runs.
    let answers = Mutex::new(vec![exec_state(false, "7"), exec_state(true, "0")]);
    let fake = model(move |kind, _| match kind {
        Kind::ExecInspect => answers.lock().unwrap().pop(),
        _ => None,
    });
    assert_eq!(run(&fake).unwrap().exit_code, 7);
}

#[test]
fn a_code_that_the_engine_never_learned_is_that_of_the_sandbox_which_stopped() {
    for code in ["-1", "null"] {
        let fake = || {
            model(move |kind, _| match kind {
                Kind::ExecInspect => Some(exec_state(false, code)),
                Kind::Inspect => Some(Reply::json(200, &inspected("exited"))),
                Kind::Other => Some(Reply::empty(200)), // The terminal's size.
                _ => None,
            })
        };
        let ended = run(&fake()).unwrap();
        assert_eq!((ended.exit_code, ended.end), (137, End::Signaled(9)));

        let fake = fake();
        let mut terminal = terminal(&fake);
        while terminal.read(&mut [0; 64]).unwrap() != 0 {}
        assert_eq!(terminal.result().unwrap().exit_code, 137);
    }
}

fn terminal(fake: &FakeEngine) -> Terminal {
    let size = TerminalSize {
        rows: 24,
        columns: 80,
    };
    opened(fake).exec("x").terminal(size).unwrap()
}

#[test]
fn a_terminal_that_is_silent_after_its_commands_end_has_ended() {
    let fake = model(|kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).then("$ exit\r\n").hang()),
        Kind::Other => Some(Reply::empty(200)), // The terminal's size.
        _ => None,
    });
    let mut terminal = terminal(&fake);
    let read = move || {
        assert_eq!(terminal.read(&mut [0; 64]).unwrap(), 8);
        assert_eq!(terminal.read(&mut [0; 64]).unwrap(), 0);
        terminal.result().unwrap().exit_code
    };
    assert_eq!(within(PATIENCE, read), 3);
}

#[test]
fn what_outlives_its_terminal_is_left_alone() {
    let fake = model(|kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).then("$ ").hang()),
        Kind::ExecInspect => Some(exec_state(true, "null")),
        Kind::Other => Some(Reply::empty(200)), // The terminal's size.
        _ => None,
    });
    let terminal = terminal(&fake);
    terminal.handle().hang_up();
    let error = within(PATIENCE, move || terminal.result()).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    assert!(!kinds(&fake).contains(&Kind::Killer));
}

#[test]
fn a_terminal_read_to_its_end_leaves_what_it_has_started() {
    let fake = model(|kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).then("$ exit\r\n")),
        Kind::Other => Some(Reply::empty(200)), // The terminal's size.
        _ => None,
    });
    let mut terminal = terminal(&fake);
    while terminal.read(&mut [0; 64]).unwrap() != 0 {}
    drop(terminal);
    assert!(!kinds(&fake).contains(&Kind::Killer));
}

#[test]
fn output_cut_inside_a_frame_is_an_error_that_carries_it() {
    let cut = Reply::hijacked(101)
        .frame(1, b"first")
        .then(b"\x01\0\0\0\0\0\0\x06sec");
    let error = run(&model_with(Kind::ExecStart, cut)).unwrap_err();
    assert!(
        matches!(error, Error::SocketCommunication { .. }),
        "{error:?}"
    );
    assert_eq!(error.partial_output().unwrap().stdout, b"firstsec");
}

#[test]
fn frames_that_are_none_are_an_error_that_carries_the_output() {
    let cases = [
        (
            "an unknown stream",
            Reply::hijacked(101).frame(1, b"a").frame(4, b"b"),
            "protocol",
        ),
        (
            "the engine's own error",
            Reply::hijacked(101).frame(1, b"a").frame(3, b"b"),
            "engine",
        ),
        (
            "text",
            Reply::hijacked(101).frame(1, b"a").then("HTTP/1.1 500"),
            "protocol",
        ),
    ];
    for (name, reply, code) in cases {
        let error = run(&model_with(Kind::ExecStart, reply)).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
    }
}

#[test]
fn a_frame_may_announce_more_than_there_is_memory() {
    let huge = Reply::hijacked(101).then(b"\x01\0\0\0\xff\xff\xff\xffx");
    let error = run(&model_with(Kind::ExecStart, huge)).unwrap_err();
    assert_eq!(error.partial_output().unwrap().stdout, b"x");
}

#[test]
fn what_becomes_of_a_container_under_a_command() {
    let forgotten = || Reply::json(404, r#"{"message":"No such exec instance: e"}"#);
    // The instance is forgotten and the container runs, but not since before the command.
    let again = inspected("running").replace(
        "\"State\":{",
        r#""State":{"StartedAt":"2100-01-01T00:00:00Z","#,
    );
    let fake = model(move |kind, _| match kind {
        Kind::ExecInspect => Some(forgotten()),
        Kind::Inspect => Some(Reply::json(200, &again)),
        _ => None,
    });
    let result = run(&fake).unwrap();
    assert_eq!((result.exit_code, result.end), (137, End::Signaled(9)));

    let first = AtomicBool::new(true);
    let stopped = model(move |kind, _| match kind {
        Kind::ExecInspect => Some(forgotten()),
        Kind::Inspect if !first.swap(false, Ordering::SeqCst) => {
            Some(Reply::json(200, &inspected("exited")))
        }
        _ => None,
    });
    let result = run(&stopped).unwrap();
    assert_eq!((result.exit_code, result.end), (137, End::Signaled(9)));
    assert_eq!(result.stdout, b"out");

    let first = AtomicBool::new(true);
    let removed = model(move |kind, _| match kind {
        Kind::ExecInspect => Some(forgotten()),
        Kind::Inspect if !first.swap(false, Ordering::SeqCst) => Some(gone()),
        _ => None,
    });
    let error = run(&removed).unwrap_err();
    let Error::ContainerGone { container, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(container, "box", "its name, not its ID");
    assert_eq!(error.partial_output().unwrap().stdout, b"out");
}

#[test]
fn a_command_that_is_forgotten_for_no_reason_does_not_run_for_ever() {
    let fake = model(|kind, _| match kind {
        Kind::ExecInspect => Some(Reply::json(
            404,
            r#"{"message":"No such exec instance: e"}"#,
        )),
        _ => None,
    });
    let sandbox = opened(&fake);
    let error = within(PATIENCE, move || sandbox.exec("x").no_timeout().run()).unwrap_err();
    assert_eq!(error.code(), "socket_communication", "{error}");
    assert_eq!(error.partial_output().unwrap().stdout, b"out");
}

/// The one container, of an engine that is waited for so long.
fn opened_within(fake: &FakeEngine, timeout: Duration) -> Container {
    let options = EngineOptions::new().socket(fake.socket()).timeout(timeout);
    options.connect().unwrap().open("box").unwrap()
}

/// Docker answers nothing about a container for a minute while it works off the ends of hundreds of
/// commands in it.
#[test]
fn an_engine_that_is_busy_with_the_container_is_asked_again() {
    let (opened, busy) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
    let fake = model({
        let busy = Arc::clone(&busy);
        move |kind, _| match kind {
            Kind::ExecInspect => Some(exec_state(!busy.load(Ordering::Acquire), "3")),
            // The first question is that of whoever opens it.
            Kind::Inspect if opened.swap(true, Ordering::AcqRel) => {
                busy.store(true, Ordering::Release);
                Some(Reply::raw("").hang())
            }
            _ => None,
        }
    });
    let sandbox = opened_within(&fake, Duration::from_secs(1));
    let result = within(PATIENCE, move || sandbox.run("x")).unwrap();
    assert!(
        busy.load(Ordering::Acquire),
        "it was asked after its container"
    );
    assert_eq!(
        (result.exit_code, result.stdout.as_slice()),
        (3, &b"out"[..])
    );
}

/// A command without a limit of time is no reason to ask a dead engine for ever.
#[test]
fn an_engine_that_answers_nothing_any_more_is_lost() {
    for reply in [output(), output().hang()] {
        let fake = {
            let reply = Mutex::new(Some(reply));
            model(move |kind, _| match kind {
                Kind::ExecStart => reply.lock().unwrap().take(),
                Kind::ExecInspect => Some(Reply::raw("").hang()),
                _ => None,
            })
        };
        let sandbox = opened_within(&fake, Duration::from_millis(300));
        let run = move || sandbox.exec("x").no_timeout().run();
        let error = within(PATIENCE, run).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }
}

#[test]
fn a_timeout_kills_the_tree_and_keeps_the_output() {
    let fake = endless(output());
    let sandbox = opened(&fake);
    let result = within(PATIENCE, move || sandbox.exec("x").timeout(SHORT).run()).unwrap();
    assert_eq!((result.exit_code, result.end), (124, End::TimedOut));
    assert_eq!(
        (result.stdout, result.stderr),
        (b"out".to_vec(), b"err".to_vec())
    );
    assert!(kinds(&fake).contains(&Kind::Killer));
    assert!(SHORT <= result.duration);
}

/// Its output may be held open by a child, or its reader be busy, while the time passes.
#[test]
fn one_that_has_ended_in_time_has_not_timed_out() {
    let slow = Duration::from_millis(100);
    for reply in [output().hang(), output()] {
        let fake = model_with(Kind::ExecStart, reply);
        let mut stream = opened(&fake).exec("x").timeout(slow).stream().unwrap();
        stream.next().unwrap().unwrap();
        thread::sleep(2 * slow);
        let result = within(PATIENCE, move || stream.result()).unwrap();
        assert_eq!((result.exit_code, result.end), (3, End::Exited));
        assert!(!kinds(&fake).contains(&Kind::Killer));
    }
}

#[test]
fn a_command_that_cannot_be_killed_has_not_ended() {
    let no = || Some(Reply::json(500, r#"{"message":"no"}"#));
    for refused in ["exec", "start"] {
        let fake = model(move |kind, request| match kind {
            Kind::ExecStart => Some(output().hang()),
            Kind::ExecInspect => Some(exec_state(true, "null")),
            Kind::Killer if request.path.ends_with(refused) => no(),
            _ => None,
        });
        let sandbox = opened(&fake);
        let outcome = within(PATIENCE, move || sandbox.exec("x").timeout(SHORT).run());
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), "engine", "{refused}: {error}");
    }
}

/// A background child may hold the stream open for ever.
#[test]
fn a_stream_that_stays_open_does_not_hold_the_run() {
    let fake = model_with(Kind::ExecStart, output().hang());
    let begin = Instant::now();
    let result = run(&fake).unwrap();
    assert_eq!((result.exit_code, result.end), (3, End::Exited));
    assert_eq!(result.stdout, b"out");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// On a busy machine the engine may know of the end long before the output has come through.
#[test]
fn output_of_a_slow_engine_is_waited_for() {
    const SLOWNESS: Duration = Duration::from_millis(50);
    let gate = Gate::default();
    let answered = gate.clone();
    let fake = model(move |kind, _| match kind {
        Kind::ExecStart => Some(
            Reply::hijacked(101)
                .wait(&gate)
                .talk(|_| {
                    thread::sleep(SLOWNESS * 14);
                    Ok(())
                })
                .frame(1, b"late"),
        ),
        Kind::ExecInspect => {
            thread::sleep(SLOWNESS);
            answered.open();
            Some(exec_state(false, "0"))
        }
        _ => None,
    });
    assert_eq!(run(&fake).unwrap().stdout, b"late");
}

#[test]
fn output_over_the_cap_is_counted_and_the_end_awaited() {
    let many = (0..1000).fold(Reply::hijacked(101), |reply, _| {
        reply.frame(1, &[b'x'; 10_000])
    });
    let sandbox = opened(&model_with(Kind::ExecStart, many));
    drop(sandbox);
    let many = (0..1000).fold(Reply::hijacked(101), |reply, _| {
        reply.frame(1, &[b'x'; 10_000])
    });
    let fake = model_with(Kind::ExecStart, many);
    let result = opened(&fake).exec("x").max_output(12_345).run().unwrap();
    assert_eq!((result.stdout.len(), result.truncated()), (12_345, true));
    assert_eq!(result.dropped_len, 10_000_000 - 12_345);
    assert_eq!(result.exit_code, 3);
}

#[test]
fn a_report_of_a_failed_launch_may_come_after_the_end() {
    let text = "OCI runtime exec failed: exec: \"x\": executable file not found in $PATH\r\n";
    let gate = Gate::default();
    let asked = gate.clone();
    let fake = model(move |kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).wait(&gate).frame(1, text.as_bytes())),
        Kind::ExecInspect => {
            asked.open();
            let state = r#"{"Running":false,"ExitCode":127,"Pid":0}"#;
            Some(Reply::json(200, state))
        }
        _ => None,
    });
    let error = run(&fake).unwrap_err();
    assert!(matches!(error, Error::CommandNotFound { .. }), "{error:?}");
}

#[test]
fn whether_a_command_runs_can_be_waited_for() {
    // It runs, and says nothing yet.
    let silent = model(|kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).hang()),
        Kind::ExecInspect => Some(exec_state(true, "null")),
        _ => None,
    });
    let sandbox = opened(&silent);
    within(PATIENCE, move || {
        let mut stream = sandbox.exec("x").stream().unwrap();
        stream.wait_started().unwrap();
    });
    // It is over already; what it has said is not lost.
    let ended = model_with(Kind::ExecStart, output());
    let sandbox = opened(&ended);
    within(PATIENCE, move || {
        let mut stream = sandbox.exec("x").stream().unwrap();
        stream.wait_started().unwrap();
        assert_eq!(stream.next().unwrap().unwrap().data, b"out");
    });
    // It never was.
    let text = "OCI runtime exec failed: exec: \"x\": executable file not found in $PATH\r\n";
    let missing = model(move |kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).frame(1, text.as_bytes())),
        Kind::ExecInspect => {
            let state = r#"{"Running":false,"ExitCode":127,"Pid":0}"#;
            Some(Reply::json(200, state))
        }
        _ => None,
    });
    let sandbox = opened(&missing);
    let error = within(PATIENCE, move || {
        let mut stream = sandbox.exec("x").stream().unwrap();
        stream.wait_started().unwrap_err()
    });
    assert!(matches!(error, Error::CommandNotFound { .. }), "{error:?}");
}

#[test]
fn a_program_that_cannot_start_is_an_error() {
    let docker = "OCI runtime exec failed: exec failed: unable to start container process: \
        exec: \"nope\": executable file not found in $PATH: unknown\r\n";
    let podman = "Error: runc: exec failed: unable to start container process: exec: \"nope\": \
        executable file not found in $PATH: OCI runtime attempted to invoke a command that was \
        not found\n";
    let on_docker = (None, 1, docker);
    let on_podman = (Some("4.3.1"), 2, podman);
    for ((libpod, stream, text), code) in [(on_docker, 126), (on_docker, 127), (on_podman, 127)] {
        let state = format!(r#"{{"Running":false,"ExitCode":{code},"Pid":0}}"#);
        for piece_len in [1, 20, 1000] {
            let state = state.clone();
            let fake = model(move |kind, _| match kind {
                Kind::Ping => Some(Reply::ping("1.41", libpod)),
                Kind::ExecStart => {
                    let said = Reply::hijacked(101).frame(stream, text.as_bytes());
                    Some(said.split(piece_len))
                }
                Kind::ExecInspect => Some(Reply::json(200, &state)),
                _ => None,
            });
            let error = run(&fake).unwrap_err();
            let at = format!("stream {stream}, code {code}, pieces of {piece_len}");
            assert!(
                matches!(error, Error::CommandNotFound { .. }),
                "{at}: {error:?}"
            );
        }
    }
}

#[test]
fn a_program_may_print_the_report_of_another_engine() {
    let text = "OCI runtime exec failed: exec failed: \"sh\": executable file not found";
    // Podman gives no process for a program that has ended.
    let fake = model(move |kind, _| match kind {
        Kind::Ping => Some(Reply::ping("1.41", Some("4.3.1"))),
        Kind::ExecStart => Some(Reply::hijacked(101).frame(1, text.as_bytes())),
        Kind::ExecInspect => Some(Reply::json(
            200,
            r#"{"Running":false,"ExitCode":126,"Pid":0}"#,
        )),
        _ => None,
    });
    let result = run(&fake).unwrap();
    assert_eq!(result.exit_code, 126);
    assert_eq!(result.stdout_text(), text);
}

#[test]
fn no_input_is_sent_before_the_engine_has_answered() {
    // Docker drops input that arrives together with the request.
    let reply = Reply::raw("").talk(|mut stream| {
        stream.set_nonblocking(true)?;
        let early = stream.read(&mut [0; 1]);
        stream.set_nonblocking(false)?;
        assert!(early.is_err(), "input or an end came before the head");
        stream.write_all(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")?;
        let mut input = Vec::new();
        stream.read_to_end(&mut input)?;
        let len = u8::try_from(input.len()).unwrap();
        stream.write_all(&[&[1, 0, 0, 0, 0, 0, 0, len], input.as_slice()].concat())
    });
    let fake = model_with(Kind::ExecStart, reply);
    let result = opened(&fake).exec("cat").stdin("some input").run().unwrap();
    assert_eq!(result.stdout, b"some input");
}

/// An engine whose command reads its input after so long, hears `count` how much it was, and ends.
fn reads_after(pause: Duration, count: fn(usize)) -> FakeEngine {
    let has_read = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&has_read);
    let reply = Reply::hijacked(101).talk(move |mut stream| {
        thread::sleep(pause);
        let mut input = Vec::new();
        stream.read_to_end(&mut input)?;
        count(input.len());
        told.store(true, Ordering::Release);
        Ok(())
    });
    let reply = Mutex::new(Some(reply));
    model(move |kind, _| match kind {
        Kind::ExecStart => reply.lock().unwrap().take(),
        Kind::ExecInspect => Some(exec_state(!has_read.load(Ordering::Acquire), "3")),
        _ => None,
    })
}

/// The time that a question to the engine may take is none for a command to read its input in.
#[test]
fn input_waits_for_a_command_longer_than_for_the_engine() {
    let fake = reads_after(Duration::from_secs(1), |len| assert_eq!(len, 5_000_000));
    let sandbox = opened_within(&fake, Duration::from_millis(300));
    let exec = sandbox.exec("cat").stdin(vec![b'x'; 5_000_000]);
    assert_eq!(within(PATIENCE, move || exec.run()).unwrap().exit_code, 3);
    fake.finish();
}

#[test]
fn a_reader_that_panics_is_no_end_of_input() {
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("on purpose")
        }
    }
    let fake = reads_after(Duration::ZERO, |len| assert_eq!(len, 0));
    let exec = opened(&fake).exec("cat").stdin(Stdin::reader(Panics));
    let error = within(PATIENCE, move || exec.run()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot read the command's input: its reader panicked"
    );
}

#[test]
fn an_engine_that_is_gone_leaves_what_had_come() {
    for detached in [false, true] {
        let fake = model(|kind, _| match kind {
            Kind::ExecStart => Some(output().talk(|stream| {
                let socket = stream.local_addr()?;
                let socket = socket.as_pathname().expect("a bound socket");
                fs::rename(socket, socket.with_extension("gone"))
            })),
            _ => None,
        });
        let sandbox = opened(&fake);
        let error = within(PATIENCE, move || match detached {
            true => sandbox.exec("x").detach().unwrap().wait(None),
            false => sandbox.run("x"),
        });
        let error = error.unwrap_err();
        fs::rename(fake.socket().with_extension("gone"), fake.socket()).unwrap();
        assert_eq!(error.code(), "socket_communication", "{error}");
        let output = error.partial_output().unwrap();
        assert_eq!(
            (&*output.stdout, &*output.stderr),
            (&b"out"[..], &b"err"[..])
        );
    }
}

#[test]
fn an_observer_that_panics_stops_nothing() {
    let fake = model(|_, _| None);
    let options = EngineOptions::new().socket(fake.socket());
    let observer = Arc::new(|_: &ExchangeReport<'_>| panic!("on purpose"));
    let sandbox = options.observer(observer).connect().unwrap().open("box");
    let process = sandbox.unwrap().exec("x").detach().unwrap();
    let result = within(PATIENCE, move || process.wait(None)).unwrap();
    assert_eq!(result.exit_code, 3);
}

#[test]
fn input_that_is_not_read_does_not_hold_the_run() {
    let endings = [
        ("it closes", output()),
        ("it keeps the connection", output().hang()),
    ];
    for (name, reply) in endings {
        let fake = model_with(Kind::ExecStart, reply);
        let sandbox = opened(&fake);
        let large = vec![b'x'; 5_000_000];
        let result = within(PATIENCE, move || sandbox.exec("true").stdin(large).run());
        let result = result.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (result.exit_code, result.stdout),
            (3, b"out".to_vec()),
            "{name}"
        );
    }
}

#[test]
fn a_stream_gives_whole_characters_and_then_its_result() {
    let text = "na\u{ef}ve \u{1f980} \u{20ac}";
    let bytes = text.as_bytes();
    let reply = bytes
        .iter()
        .fold(Reply::hijacked(101), |reply, byte| reply.frame(1, &[*byte]));
    let fake = model_with(Kind::ExecStart, reply.frame(2, b"\xff\xc3"));
    let mut stream = opened(&fake).exec("x").stream().unwrap();
    let mut streams = [Vec::new(), Vec::new()];
    for chunk in &mut stream {
        let chunk = chunk.unwrap();
        if chunk.stream == StreamKind::Stdout {
            assert!(std::str::from_utf8(&chunk.data).is_ok(), "{chunk:?}");
        }
        streams[usize::from(chunk.stream == StreamKind::Stderr)].extend_from_slice(&chunk.data);
    }
    assert_eq!(streams, [bytes.to_vec(), b"\xff\xc3".to_vec()]);
    assert_eq!(stream.result().unwrap().exit_code, 3);
}

#[test]
fn a_stream_that_breaks_ends_with_the_error_and_no_result() {
    let cut = Reply::hijacked(101).frame(1, b"first").then(b"\x01\0\0");
    let fake = model_with(Kind::ExecStart, cut);
    let mut stream = opened(&fake).exec("x").stream().unwrap();
    let items: Vec<_> = (&mut stream).collect();
    assert!(
        items[0].is_ok() && items[1].is_err() && items.len() == 2,
        "{items:?}"
    );
    assert!(stream.result().is_err());
}

#[test]
fn a_stream_dropped_early_kills_its_command() {
    let fake = model_with(Kind::ExecStart, output().hang());
    let mut stream = opened(&fake).exec("x").stream().unwrap();
    assert!(stream.next().unwrap().is_ok());
    drop(stream);
    assert!(kinds(&fake).contains(&Kind::Killer));
}

#[test]
fn commands_side_by_side_do_not_wait_for_each_other() {
    let fake = model(|kind, request| {
        let hangs = kind == Kind::ExecCreate && request.text().contains("forever");
        hangs.then(|| Reply::raw("").hang())
    });
    let sandbox = opened(&fake);
    thread::scope(|scope| {
        let stuck = sandbox.clone();
        let stuck = scope.spawn(move || stuck.run("forever"));
        let others: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| sandbox.run("x").unwrap()))
            .collect();
        for other in others {
            assert_eq!(other.join().unwrap().exit_code, 3);
        }
        assert!(!stuck.is_finished());
        drop(fake);
        assert!(stuck.join().unwrap().is_err());
    });
}
