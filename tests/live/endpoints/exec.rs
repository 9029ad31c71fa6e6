//! The endpoints under `/exec`.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use pocketdock_core::Error;
use pocketdock_core::engine::exec::{self, ExecConfig};
use pocketdock_core::engine::{containers, types::ExecState};
use pocketdock_core::wire::frame::{Demuxer, Stream};

use crate::fixture::{Foreign, Live, eventually_none};

fn config(command: &[&str]) -> ExecConfig {
    ExecConfig {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        ..ExecConfig::default()
    }
}

/// The state of an exec that has ended.
fn ended(live: &Live, exec_id: &str) -> ExecState {
    let state = || exec::inspect(live.client(), exec_id).unwrap().unwrap();
    eventually_none("running execs", || match state().running {
        true => vec![exec_id.to_owned()],
        false => Vec::new(),
    });
    state()
}

/// Splits what came from an exec without a terminal.
fn demux(mut output: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut demuxer = Demuxer::default();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some((stream, piece)) = demuxer.next(&mut output).unwrap() {
        match stream {
            Stream::Stdout => stdout.extend_from_slice(piece),
            Stream::Stderr => stderr.extend_from_slice(piece),
            Stream::System => panic!("the engine itself: {piece:?}"),
        }
    }
    assert!(demuxer.at_boundary());
    (stdout, stderr)
}

#[test]
fn all_options() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    let config = ExecConfig {
        env: vec!["A=b c".to_owned()],
        workdir: Some("/tmp".to_owned()),
        user: Some("1000:1000".to_owned()),
        ..config(&["sh", "-c", "echo $A $(pwd) $(id -u); echo err >&2; exit 9"])
    };
    let exec_id = exec::create(live.client(), container.id(), &config).unwrap();
    let mut streaming = exec::start(live.client(), &exec_id, false).unwrap();
    let output = streaming.body.read_all(10_000).unwrap();
    let (stdout, stderr) = demux(&output);
    assert_eq!(String::from_utf8(stdout).unwrap(), "b c /tmp 1000\n");
    assert_eq!(stderr, b"err\n");
    assert_eq!(ended(&live, &exec_id).exit_code, Some(9));
}

#[test]
fn input_goes_backwards_until_it_is_shut() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    let config = ExecConfig {
        stdin: true,
        ..config(&["cat"])
    };
    let exec_id = exec::create(live.client(), container.id(), &config).unwrap();
    let mut streaming = exec::start(live.client(), &exec_id, false).unwrap();
    let socket = streaming.body.connection().share();
    (&*socket).write_all(b"there and back").unwrap();
    let mut first = [0; 8];
    streaming.body.read_exact(&mut first).unwrap();
    // On a busy machine Docker may not know the process yet that has answered.
    let pid = || {
        let state = exec::inspect(live.client(), &exec_id).unwrap().unwrap();
        assert!(state.running, "{state:?}");
        state.pid
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while pid() == 0 {
        assert!(Instant::now() < deadline);
    }
    socket.shutdown(Shutdown::Write).unwrap();
    let rest = streaming.body.read_all(10_000).unwrap();
    let (stdout, _) = demux(&[first.as_slice(), &rest].concat());
    assert_eq!(stdout, b"there and back");
    assert_eq!(ended(&live, &exec_id).exit_code, Some(0));
}

#[test]
fn a_terminal_and_its_size() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    // Podman's monitor sets the size after Podman has answered: on a busy machine the line that is
    // written next may be there first, so the size is looked for until there is one.
    let sized = "read a; for i in $(seq 100); do \
        case $(stty size) in (\"0 0\") sleep 0.1;; (*) break;; esac; done; stty size";
    let config = ExecConfig {
        tty: true,
        stdin: true,
        ..config(&["sh", "-c", sized])
    };
    let exec_id = exec::create(live.client(), container.id(), &config).unwrap();
    let mut streaming = exec::start(live.client(), &exec_id, true).unwrap();
    let mut socket = &*streaming.body.connection().share();
    exec::resize(live.client(), &exec_id, 33, 101).unwrap();
    socket.write_all(b"\n").unwrap();
    let output = streaming.body.read_all(10_000).unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(output.ends_with("33 101\r\n"), "{output:?}");
    ended(&live, &exec_id);
    let over = exec::resize(live.client(), &exec_id, 1, 1);
    assert!(matches!(over, Err(Error::Engine { .. })), "{over:?}");
}

#[test]
fn refusals() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::created(&live);
    match exec::create(client, container.id(), &config(&["true"])) {
        Err(Error::ContainerNotRunning { status, .. }) => assert_eq!(status, "created"),
        other => panic!("{other:?}"),
    }
    let absent = exec::create(client, "pd-live-none", &config(&["true"]));
    assert!(matches!(absent, Err(Error::ContainerNotFound { .. })));
    containers::start(client, container.id()).unwrap();
    let empty = exec::create(client, container.id(), &config(&[]));
    assert!(matches!(empty, Err(Error::Engine { .. })), "{empty:?}");
    let unknown = "0".repeat(64);
    assert_eq!(exec::inspect(client, &unknown).unwrap(), None);
    let started = exec::start(client, &unknown, false);
    assert!(matches!(started, Err(Error::Engine { status: 404, .. })));
    let resized = exec::resize(client, &unknown, 1, 1);
    assert!(matches!(resized, Err(Error::Engine { .. })), "{resized:?}");
}
