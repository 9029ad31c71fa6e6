//! Sockets with no engine behind them: each a clear error, within the deadline.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::EngineOptions;
use pocketdock_core::{Engine, Error};

use crate::SHORT;
use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::process::{PATIENCE, within};
use crate::support::scratch::Scratch;

/// Connects, which fails; the error names the socket and is there in time.
fn reason_at(socket: &Path) -> String {
    let path = socket.to_owned();
    let connect = move || EngineOptions::new().socket(&path).timeout(SHORT).connect();
    match within(PATIENCE, connect) {
        Err(Error::SocketConnection {
            socket: named,
            reason,
        }) => {
            assert_eq!(named, socket);
            reason
        }
        other => panic!("{}: {other:?}", socket.display()),
    }
}

#[test]
fn paths_that_are_no_socket() {
    let scratch = Scratch::new();
    let refusing = scratch.join("refusing");
    drop(UnixListener::bind(&refusing).unwrap());
    let looping = scratch.join("loop");
    std::os::unix::fs::symlink(&looping, &looping).unwrap();
    let long = scratch.join(&"n".repeat(120));
    let cases = [
        ("missing", scratch.join("missing"), "it is not there"),
        (
            "a directory",
            scratch.path().to_owned(),
            "it is a directory",
        ),
        (
            "a file",
            scratch.write("file", b"not a socket"),
            "it is not a socket",
        ),
        (
            "below a file",
            scratch.write("plain", b"").join("x"),
            "Not a directory",
        ),
        ("a loop of links", looping, "symbolic link"),
        ("nobody listens", refusing, "nothing listens"),
        ("too long for a socket", long, "SUN_LEN"),
    ];
    for (name, path, want) in cases {
        let reason = reason_at(&path);
        assert!(reason.contains(want), "{name}: {reason}");
    }
}

#[test]
fn answers_that_are_no_engine() {
    let other_server = "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 2\r\n\r\nOK";
    let cases: [(&str, Vec<u8>); 9] = [
        ("nothing", Vec::new()),
        ("another server", other_server.into()),
        (
            "a failing server",
            "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".into(),
        ),
        ("text", "220 mail.example ESMTP\r\n".into()),
        ("zeros", vec![0; 4096]),
        ("high bytes", vec![0xff; 4096]),
        (
            "random bytes",
            crate::support::rng::Rng::new(7).bytes(100_000),
        ),
        ("an older HTTP", "HTTP/0.9 200 OK\r\n\r\n".into()),
        ("a line without end", vec![b'H'; 1 << 20]),
    ];
    for (name, bytes) in cases {
        let fake = FakeEngine::script([
            Exchange::any(Reply::raw(bytes.clone())),
            Exchange::any(Reply::raw(bytes)).at_once(),
        ]);
        for when in ["after the request", "at once"] {
            let reason = reason_at(fake.socket());
            assert!(!reason.is_empty(), "{name} {when}");
        }
    }
}

#[test]
fn an_engine_that_refuses_a_ping_is_quoted() {
    let denied = r#"{"message":"authorization denied by plugin"}"#;
    let fake = FakeEngine::script([Exchange::any(Reply::json(403, denied))]);
    let reason = reason_at(fake.socket());
    assert!(
        reason.contains("with status 403: authorization denied by plugin"),
        "{reason}"
    );
}

#[test]
fn a_socket_that_never_answers_is_left_in_time() {
    let hang = || Reply::raw("").hang();
    let fake = FakeEngine::script([
        Exchange::any(hang()),
        Exchange::any(hang()).at_once(),
        Exchange::any(Reply::raw("HTTP/1.1 200 OK\r\nApi-Ver").hang()),
        Exchange::any(Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nO").hang()),
    ]);
    for _ in 0..4 {
        assert!(reason_at(fake.socket()).contains("gave up waiting"));
    }
    let scratch = Scratch::new();
    let unserved = scratch.join("unserved");
    let _listener = UnixListener::bind(&unserved).unwrap();
    assert!(reason_at(&unserved).contains("gave up waiting"));
}

/// An answer that trickles must not stretch the deadline with each byte.
#[test]
fn a_trickle_does_not_move_the_deadline() {
    let fake = FakeEngine::route(|_| {
        Reply::raw("HTTP/1.1 200 OK\r\nX: ").talk(|mut stream| {
            loop {
                stream.write_all(b"x")?;
                thread::sleep(Duration::from_millis(2));
            }
        })
    });
    let begin = Instant::now();
    assert!(reason_at(fake.socket()).contains("gave up waiting"));
    assert!(SHORT <= begin.elapsed());
}

#[test]
fn addresses_that_cannot_be_meant() {
    for path in [
        "",
        "a\0b",
        "ssh://far/run/docker.sock",
        "tcp://127.0.0.1:2375",
        "unix://",
    ] {
        let error = Engine::at(Path::new(path)).unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { .. }),
            "{path:?}: {error:?}"
        );
        assert!(!error.to_string().contains('\0'), "{path:?} is shown raw");
    }
}

#[test]
fn a_link_to_a_socket_is_followed() {
    let (scratch, fake) = (
        Scratch::new(),
        FakeEngine::route(|_| Reply::ping("1.41", None)),
    );
    let link = scratch.join("link");
    std::os::unix::fs::symlink(fake.socket(), &link).unwrap();
    assert_eq!(Engine::at(&link).unwrap().socket_path(), link);
    fs::remove_file(link).unwrap();
}
