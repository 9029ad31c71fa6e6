//! What engines later than Docker 20.10 and Podman 4.3, and those without root, do otherwise, in
//! their own words.

use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::client::Call;
use pocketdock_core::engine::exchange::RequestBody;
use pocketdock_core::wire::http::Method;
use pocketdock_core::{CreateOptions, Error, Port};

use crate::client_of;
use crate::model::{Kind, engine_of, exec_state, model, model_with, opened, options};
use crate::support::fake_engine::{Exchange, FakeEngine, Gate, Reply};

/// Docker 28 looks for the user when the exec is made; older ones when it starts.
#[test]
fn a_user_that_is_not_there_is_refused_early() {
    let message = "unable to find user nouser: no matching entries in passwd file";
    let refusal = || Reply::json(400, &format!(r#"{{"message":"{message}"}}"#));
    let fake = model_with(Kind::ExecCreate, refusal());
    let run = opened(&fake).exec(["ls"]).user("nouser").run().unwrap_err();
    let fake = model_with(Kind::ExecCreate, refusal());
    let session = opened(&fake).session().unwrap_err();
    for error in [run, session] {
        match error {
            Error::CommandNotExecutable { command, reason } => {
                assert_eq!(command, "");
                assert_eq!(reason, "no user 'nouser' in the sandbox");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Docker 28 begins with a small letter.
#[test]
fn more_processors_than_there_are_are_refused_by_their_value() {
    for range in ["Range of CPUs", "range of CPUs"] {
        let message = format!("{range} is from 0.01 to 2.00, as there are only 2 CPUs available");
        let refusal = Reply::json(400, &format!(r#"{{"message":"{message}"}}"#));
        let fake = model_with(Kind::Create, refusal);
        let error = engine_of(&fake)
            .create(&options().cpu_percent(300))
            .unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("invalid CPU percentage '300': "), "{said}");
    }
}

/// Docker 26 and later say nothing of an exec that has ended before what its children go on
/// writing is read: whoever asks for the end has to read on.
#[test]
fn an_answer_that_waits_for_the_output_to_be_read() {
    let (asked, read) = (Gate::default(), Gate::default());
    let fake = model(move |kind, _| match kind {
        Kind::ExecStart => {
            let read = read.clone();
            let flood = Reply::hijacked(101).frame(1, b"started\n").wait(&asked);
            Some(flood.talk(move |mut stream| {
                let frame = [b"\x01\0\0\0\0\0\x80\0".as_slice(), &[b'y'; 32_768]].concat();
                // More than the sockets hold.
                (0..128).try_for_each(|_| stream.write_all(&frame))?;
                read.open();
                Ok(())
            }))
        }
        Kind::ExecInspect => {
            asked.open();
            Some(exec_state(false, "4").behind(&read))
        }
        _ => None,
    });
    let began = Instant::now();
    let result = opened(&fake).run("yes & echo started; exit 4").unwrap();
    let took = began.elapsed();
    assert_eq!(result.exit_code, 4);
    assert!(took < Duration::from_secs(8), "took {took:?}");
}

/// Docker 26 and later answer a load that is no archive at once, and hang up on whoever has
/// stopped sending meanwhile.
#[test]
fn a_load_that_is_cut_off_by_its_answer() {
    /// Endless; says which thread reads it.
    struct Noise(mpsc::Sender<PathBuf>);
    impl Read for Noise {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let own = fs::read_link("/proc/thread-self")?;
            let _heard_already = self.0.send(PathBuf::from("/proc").join(own).join("stat"));
            let piece = &mut buffer[..1000];
            piece.fill(b'x');
            Ok(piece.len())
        }
    }
    let answer = "HTTP/1.1 500 Error\r\nContent-Type: application/json\r\n\
        Content-Length: 41\r\n\r\n\
        {\"message\":\"archive/tar: invalid header\"}";
    let (send, reader) = mpsc::channel();
    let answer_late = Reply::raw("").talk(move |mut stream| {
        let stat = reader.recv().map_err(io::Error::other)?;
        // It sleeps once nothing more goes into the connection.
        while !fs::read_to_string(&stat)?.contains(") S ") {
            thread::yield_now();
        }
        stream.write_all(answer.as_bytes())
    });
    let fake = FakeEngine::script([Exchange::any(answer_late).after_head()]);
    // With its length, or the pieces would be put together, and sent in part.
    let (mut noise, len) = (Noise(send), 1 << 30);
    let body = RequestBody::Reader(&mut noise, Some(len));
    let call = Call::new(Method::Post, "/images/load").body(body);
    let reply = client_of(&fake).call(call).unwrap();
    assert_eq!(reply.status, 500);
    assert_eq!(reply.message(), "archive/tar: invalid header");
}

/// Podman without root says of two ports of one container only that they conflict.
#[test]
fn one_port_for_two_is_refused_before_anything_is_made() {
    let both = |a: Port, b: Port| CreateOptions::new().port(a).port(b).check();
    match both(Port::new(8080, 80), Port::new(8080, 81)) {
        Err(Error::PortInUse { message }) => assert!(message.contains("8080"), "{message}"),
        other => panic!("{other:?}"),
    }
    let udp: Port = "8080:81/udp".parse().unwrap();
    let elsewhere: Port = "127.0.0.2:8080:81".parse().unwrap();
    let tcp = || Port::new(8080, 80);
    let picked = (Port::new(0, 80), Port::new(0, 81));
    for (a, b) in [(tcp(), udp), (tcp(), elsewhere), picked] {
        both(a, b).unwrap();
    }
}

/// Podman 4.3 without root does not say so among its security options.
#[test]
fn an_engine_without_root_is_told_from_one_with() {
    let cases = [
        (
            r#"{"SecurityOptions":["name=seccomp,profile=default"],"Rootless":true}"#,
            Some(true),
        ),
        (
            r#"{"SecurityOptions":["name=seccomp,profile=default"],"Rootless":false}"#,
            Some(false),
        ),
        (
            r#"{"SecurityOptions":["name=seccomp","name=rootless"]}"#,
            Some(true),
        ),
        (r#"{"SecurityOptions":["name=seccomp"]}"#, Some(false)),
        ("{}", None),
    ];
    for (info, want) in cases {
        let fake = model(move |_, request| match request.path.as_str() {
            "/info" => Some(Reply::json(200, info)),
            "/containers/json" => Some(Reply::json(200, "[]")),
            _ => None,
        });
        let report = engine_of(&fake).doctor(None);
        let found = report.engine.expect("an engine answers").rootless;
        assert_eq!(found, want, "{info}");
    }
}

/// What Podman without root says of a running sandbox on control groups of version 1: the memory
/// is that of the machine.
#[test]
fn use_that_the_engine_cannot_see_is_not_made_up() {
    let stats = r#"{"read":"2026-11-25T22:49:33.353774328Z","pids_stats":{},"num_procs":0,
        "cpu_stats":{"cpu_usage":{"total_usage":0},"system_cpu_usage":26213327135110},
        "memory_stats":{"usage":5929000960,"limit":25276502016}}"#;
    let fake = model(move |_, request| match request.path.rsplit('/').next() {
        Some("stats") => Some(Reply::json(200, stats)),
        Some("top") => Some(Reply::json(200, r#"{"Titles":["PID"],"Processes":[]}"#)),
        _ => None,
    });
    let info = opened(&fake).info().unwrap();
    assert_eq!((info.memory_usage_bytes, info.pids), (None, None));
    assert_eq!(info.cpu_percent, None);
}
