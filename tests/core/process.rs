//! Commands in the background: their output, their end, their callbacks, and their readers.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pocketdock_core::{Container, Error, Process, Scope, Signal};

use crate::SHORT;
use crate::model::{Kind, endless, exec_state, kinds, model, model_with, opened};
use crate::support::alone::alone;
use crate::support::fake_engine::{FakeEngine, Gate, Reply};
use crate::support::process::{PATIENCE, assert_holds, holdings, within};

fn output() -> Reply {
    Reply::hijacked(101).frame(1, b"out").frame(2, b"err")
}

/// An engine whose command runs until the gate opens, then says `late` and ends with code 3.
fn until(gate: &Gate) -> FakeEngine {
    let reply = output().wait(gate).frame(1, b"late");
    let (reply, gate) = (Mutex::new(Some(reply)), gate.clone());
    model(move |kind, _| match kind {
        Kind::ExecStart => reply.lock().unwrap().take(),
        Kind::ExecInspect => Some(exec_state(!gate.is_open(), "3")),
        _ => None,
    })
}

/// Waits until so many bytes have come.
fn await_output(process: &Process, len: usize) {
    let process = process.clone();
    within(PATIENCE, move || {
        while process.buffer_size() < len {
            std::thread::yield_now();
        }
    });
}

fn detached(sandbox: &Container) -> Process {
    sandbox.exec("x").detach().unwrap()
}

#[test]
fn its_end_brings_what_was_not_read() {
    let gate = Gate::default();
    let fake = until(&gate);
    let process = detached(&opened(&fake));
    gate.wait_reached();
    assert!(process.is_running().unwrap());
    assert!(process.try_wait().unwrap().is_none());
    let early = process.wait(Some(SHORT)).unwrap_err();
    assert!(matches!(early, Error::Timeout { .. }), "{early:?}");
    assert!(
        !kinds(&fake).contains(&Kind::Killer),
        "waiting kills nothing"
    );
    gate.open();
    let result = process.wait(Some(PATIENCE)).unwrap();
    assert_eq!(result.exit_code, 3);
    assert_eq!(
        (result.stdout, result.stderr),
        (b"outlate".to_vec(), b"err".to_vec())
    );
    assert!(!process.is_running().unwrap());
    assert_eq!(process.wait(None).unwrap().stdout, b"", "it has been read");
}

#[test]
fn reading_takes_and_peeking_does_not() {
    let fake = model(|_, _| None);
    let process = detached(&opened(&fake));
    let (ended, end) = mpsc::channel();
    process.on_exit(move |_, result| ended.send(result.exit_code).unwrap());
    assert_eq!(end.recv_timeout(PATIENCE).unwrap(), 3);
    assert_eq!((process.buffer_size(), process.buffer_overflow()), (6, 0));
    assert_eq!(process.peek().stdout, b"out");
    assert_eq!(process.read().stdout, b"out");
    assert_eq!(
        (process.buffer_size(), process.read().stdout),
        (0, Vec::new())
    );
}

#[test]
fn its_buffer_keeps_the_last_whole_characters() {
    let text = "\u{20ac}".repeat(1000);
    let fake = model_with(
        Kind::ExecStart,
        Reply::hijacked(101).frame(1, text.as_bytes()),
    );
    let process = opened(&fake).exec("x").buffer_len(100).detach().unwrap();
    let result = process.wait(Some(PATIENCE)).unwrap();
    assert_eq!(
        String::from_utf8(result.stdout).unwrap(),
        "\u{20ac}".repeat(33)
    );
    assert_eq!(result.dropped_len, 3000 - 99);
}

#[test]
fn a_connection_that_breaks_is_an_error_with_the_output() {
    let cuts = [
        output().then(b"\x01\0\0"),
        Reply::hijacked(101).frame(1, b"out").frame(9, b""),
    ];
    for cut in cuts {
        let fake = model_with(Kind::ExecStart, cut);
        let process = detached(&opened(&fake));
        let error = process.wait(Some(PATIENCE)).unwrap_err();
        let is_named = matches!(
            error,
            Error::SocketCommunication { .. } | Error::Protocol { .. }
        );
        assert!(is_named, "{error:?}");
        assert!(
            process.wait(Some(PATIENCE)).is_err(),
            "it has no result the second time either"
        );
    }
}

#[test]
fn killing_it_asks_for_its_processes() {
    let gate = Gate::default();
    let fake = until(&gate);
    let process = detached(&opened(&fake));
    process.kill(Signal::TERM, Scope::Tree).unwrap();
    assert!(kinds(&fake).contains(&Kind::Killer));
    gate.open();
    process.wait(Some(PATIENCE)).unwrap();
}

#[test]
fn callbacks_get_a_copy_and_may_do_what_they_like() {
    let gate = Gate::default();
    let fake = until(&gate);
    let sandbox = opened(&fake);
    let seen = Arc::new(Mutex::new(String::new()));
    let note = |name: &'static str| {
        let seen = Arc::clone(&seen);
        move |piece: &[u8]| {
            let text = String::from_utf8_lossy(piece).into_owned();
            seen.lock().unwrap().push_str(&format!("{name}:{text} "));
        }
    };
    let container_note = note("sandbox");
    sandbox.on_stdout(move |_, piece| container_note(piece));
    let process = detached(&sandbox);
    await_output(&process, "outerr".len());
    let (own_note, own_sandbox, own_process) = (note("own"), sandbox.clone(), process.clone());
    process.on_stdout(|_, _| panic!("a callback that panics stops nothing else"));
    process.on_stdout(move |id, piece| {
        own_note(piece);
        assert!(own_sandbox.is_running().unwrap());
        assert!(!own_process.peek().stdout.is_empty());
        assert_eq!(id, own_process.id());
        own_process.on_exit(|_, _| ());
    });
    let (ended, end) = mpsc::channel();
    process.on_exit(move |_, result| ended.send(result.exit_code).unwrap());
    gate.open();
    assert_eq!(end.recv_timeout(PATIENCE).unwrap(), 3);
    assert_eq!(process.callback_panics(), 1);
    assert_eq!(process.wait(Some(PATIENCE)).unwrap().stdout, b"outlate");
    let seen = seen.lock().unwrap().clone();
    assert!(
        seen.contains("sandbox:out ") && seen.contains("own:late "),
        "{seen}"
    );
    assert!(
        !seen.contains("own:out "),
        "registered after it came: {seen}"
    );
}

#[test]
fn a_callback_registered_after_the_end_is_called_at_once() {
    let fake = model(|_, _| None);
    let process = detached(&opened(&fake));
    process.wait(Some(PATIENCE)).unwrap();
    let (ended, end) = mpsc::channel();
    process.on_exit(move |_, result| ended.send(result.exit_code).unwrap());
    assert_eq!(end.try_recv(), Ok(3));
}

#[test]
fn a_callback_cannot_wait_for_its_own_process() {
    let gate = Gate::default();
    let fake = until(&gate);
    let process = detached(&opened(&fake));
    await_output(&process, "outerr".len());
    let (own, (heard, answer)) = (process.clone(), mpsc::channel());
    process.on_stdout(move |_, _| heard.send(own.wait(None)).unwrap());
    gate.open();
    let refused = answer.recv_timeout(PATIENCE).unwrap().unwrap_err();
    assert_eq!(refused.code(), "invalid_argument", "{refused}");
    assert_eq!(process.wait(Some(PATIENCE)).unwrap().exit_code, 3);
}

#[test]
fn a_callback_that_holds_its_sandbox_lets_go_of_it_at_its_shutdown() {
    let fake = model(|_, _| None);
    let sandbox = opened(&fake);
    let token = Arc::new(());
    let (held, own) = (Arc::clone(&token), sandbox.clone());
    sandbox.on_exit(move |_, _| drop((held.clone(), own.name().len())));
    sandbox.shutdown(true).unwrap();
    drop(sandbox);
    assert_eq!(Arc::strong_count(&token), 1);
}

/// A callback that holds its own process must not keep both alive for ever.
#[test]
fn callbacks_are_let_go_at_the_end() {
    let gate = Gate::default();
    let fake = until(&gate);
    let process = detached(&opened(&fake));
    let token = Arc::new(());
    let (held, own) = (Arc::clone(&token), process.clone());
    process.on_stdout(move |_, _| drop((held.clone(), own.id().len())));
    drop(process);
    gate.open();
    let let_go = within(PATIENCE, move || {
        while 1 < Arc::strong_count(&token) {
            std::thread::yield_now();
        }
        true
    });
    assert!(let_go);
}

#[test]
fn the_last_handle_may_go_inside_a_callback() {
    let gate = Gate::default();
    let fake = until(&gate);
    let process = detached(&opened(&fake));
    await_output(&process, "outerr".len());
    let own = Mutex::new(Some(process.clone()));
    let (ended, end) = mpsc::channel();
    process.on_stdout(move |_, _| {
        drop(own.lock().unwrap().take());
        let _ = ended.send(());
    });
    drop(process);
    gate.open();
    end.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn dropping_it_ends_its_reader_and_not_its_command() {
    alone(
        "process::dropping_it_ends_its_reader_and_not_its_command",
        &[],
        || {
            let before = holdings();
            let gate = Gate::default();
            let fake = until(&gate);
            let sandbox = opened(&fake);
            let process = detached(&sandbox);
            gate.wait_reached();
            within(PATIENCE, move || drop(process));
            assert!(!kinds(&fake).contains(&Kind::Killer));
            drop((sandbox, fake));
            assert_holds(before);
        },
    );
}

#[test]
fn many_at_once_leave_nothing() {
    alone("process::many_at_once_leave_nothing", &[], || {
        let before = holdings();
        let fake = model(|_, _| None);
        let sandbox = opened(&fake);
        let processes: Vec<_> = (0..100).map(|_| detached(&sandbox)).collect();
        for process in &processes {
            assert_eq!(process.wait(Some(PATIENCE)).unwrap().exit_code, 3);
        }
        drop((processes, sandbox, fake));
        assert_holds(before);
    });
}

#[test]
fn one_with_a_timeout_is_killed() {
    let fake = endless(output());
    let process = opened(&fake)
        .exec("x")
        .timeout(Duration::from_millis(30))
        .detach()
        .unwrap();
    let result = process.wait(Some(PATIENCE)).unwrap();
    assert_eq!((result.exit_code, result.timed_out()), (124, true));
}
