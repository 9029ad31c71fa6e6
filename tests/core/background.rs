//! Nothing is left behind: no thread, no open file, whatever became of a call.

use std::time::Duration;

use pocketdock_core::Stdin;

use crate::SHORT;
use crate::model::{Kind, endless, engine_of, model, model_with, opened, options};
use crate::support::alone::alone;
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::process::{PATIENCE, assert_holds, holdings, within};

fn output() -> Reply {
    Reply::hijacked(101).frame(1, b"out")
}

/// Runs `body` alone in a process, once to warm up and once under watch.
fn leaves_nothing(test: &str, body: fn()) {
    alone(test, &[], || {
        within(PATIENCE, body);
        let before = holdings();
        within(PATIENCE, body);
        assert_holds(before);
    });
}

#[test]
fn a_sandbox_and_its_runs() {
    leaves_nothing("background::a_sandbox_and_its_runs", || {
        let fake = model(|_, _| None);
        let sandbox = engine_of(&fake).create(&options()).unwrap();
        for _ in 0..20 {
            sandbox.run("x").unwrap();
            sandbox.exec("x").stdin("input").run().unwrap();
        }
    });
}

#[test]
fn runs_that_fail() {
    leaves_nothing("background::runs_that_fail", || {
        let kinds = [Kind::ExecCreate, Kind::ExecStart, Kind::ExecInspect];
        for kind in kinds {
            for reply in ["", "HTTP/1.1 200", "nonsense\r\n\r\n"] {
                let fake = model_with(kind, Reply::raw(reply));
                opened(&fake).exec("x").stdin("input").run().unwrap_err();
            }
        }
    });
}

#[test]
fn a_run_that_times_out() {
    leaves_nothing("background::a_run_that_times_out", || {
        let fake = endless(output());
        let run = opened(&fake)
            .exec("x")
            .stdin(vec![0; 1_000_000])
            .timeout(SHORT)
            .run();
        assert!(run.unwrap().timed_out());
    });
}

#[test]
fn input_that_nobody_reads() {
    leaves_nothing("background::input_that_nobody_reads", || {
        let fake = model_with(Kind::ExecStart, output().hang());
        let result = opened(&fake)
            .exec("x")
            .stdin(vec![0; 5_000_000])
            .run()
            .unwrap();
        assert_eq!(result.exit_code, 3);
    });
}

#[test]
fn a_reader_as_input_that_ends() {
    leaves_nothing("background::a_reader_as_input_that_ends", || {
        let fake = model(|_, _| None);
        let input = Stdin::reader(std::io::Cursor::new(vec![0; 1000]));
        opened(&fake).exec("x").stdin(input).run().unwrap();
    });
}

#[test]
fn streams_read_half_and_whole() {
    leaves_nothing("background::streams_read_half_and_whole", || {
        for reads in [0, 1, usize::MAX] {
            let fake = model_with(Kind::ExecStart, output());
            let mut stream = opened(&fake).exec("x").stdin("input").stream().unwrap();
            (&mut stream)
                .take(reads)
                .for_each(|chunk| drop(chunk.unwrap()));
        }
    });
}

#[test]
fn an_engine_that_dies_under_a_stream() {
    leaves_nothing("background::an_engine_that_dies_under_a_stream", || {
        let fake: FakeEngine = model_with(Kind::ExecStart, output().hang());
        let mut stream = opened(&fake).exec("x").no_timeout().stream().unwrap();
        assert!(stream.next().unwrap().is_ok());
        drop(fake);
        assert!(stream.next().unwrap().is_err());
        assert!(stream.result().is_err());
    });
}

#[test]
fn a_stream_moved_between_threads() {
    leaves_nothing("background::a_stream_moved_between_threads", || {
        let fake = model_with(Kind::ExecStart, output().hang());
        let sandbox = opened(&fake);
        let mut stream = sandbox
            .exec("x")
            .timeout(Duration::from_millis(300))
            .stream()
            .unwrap();
        let reader = std::thread::spawn(move || {
            (&mut stream).for_each(|chunk| drop(chunk.unwrap()));
            stream.result().unwrap().exit_code
        });
        assert_eq!(reader.join().unwrap(), 3);
    });
}
