//! What engines later than Docker 20.10 and Podman 4.3 do otherwise, in their own words.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use pocketdock_core::engine::images;
use pocketdock_core::{CreateOptions, Error, Port};

use crate::client_of;
use crate::model::{Kind, exec_state, model, model_with, opened};
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
    for (error, program) in [(run, "ls"), (session, "sh")] {
        match error {
            Error::CommandNotExecutable { command, reason } => {
                assert_eq!((command.as_str(), reason.as_str()), (program, message));
            }
            other => panic!("{other:?}"),
        }
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

/// Docker 28 answers a load that is no archive at once, and hangs up on what is still being sent.
#[test]
fn a_load_that_is_cut_off_by_its_answer() {
    /// Endless, and opens the gate once the connection has some of it.
    struct Noise<'a>(&'a Gate, u32);
    impl Read for Noise<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1 == 2 {
                self.0.open();
            }
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    for _ in 0..20 {
        let gate = Gate::default();
        let answer = Reply::json(500, r#"{"message":"invalid tar header"}"#).behind(&gate);
        let fake = FakeEngine::script([Exchange::any(answer).after_head()]);
        let mut noise = Noise(&gate, 0);
        let error = images::load(&client_of(&fake), &mut noise).unwrap_err();
        assert!(error.to_string().contains("invalid tar header"), "{error}");
    }
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
