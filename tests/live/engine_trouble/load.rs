//! Twenty streams, twenty processes in the background and ten sessions, all in the middle of
//! something.

use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};

use pocketdock_core::{Container, Error, ExecResult, ExecStream, Process, Result};

use super::BOUND;
use crate::fixture::eventually_none;

const STREAMS: usize = 20;
const PROCESSES: usize = 20;
const SESSIONS: usize = 10;

/// What each of them runs: it says that it has begun, waits for the gate, and ends with a code.
const LINE: &str = "echo begun; until [ -e /tmp/gate ]; do sleep 0.2; done; echo ended; (exit 7)";

/// What all of them write.
const OUTPUT: &[u8] = b"begun\nended\n";

/// All of them, and what becomes of those that somebody waits for.
pub(super) struct Load {
    processes: Vec<Process>,
    waiting: Vec<JoinHandle<()>>,
    ends: Receiver<Result<ExecResult>>,
}

impl Load {
    /// Returns once every one of them has begun.
    pub(super) fn begin(sandbox: &Container) -> Self {
        sandbox.run("rm -f /tmp/gate").unwrap();
        let (send, ends) = mpsc::channel();
        let (say, begun) = mpsc::channel();
        // One after the other: fifty starts at once are too much for a small machine.
        let mut waiting = Vec::new();
        for _ in 0..STREAMS {
            let mut stream = sandbox.exec(LINE).no_timeout().stream().unwrap();
            let first = stream.next().expect("output").unwrap();
            let send = send.clone();
            waiting.push(thread::spawn(move || {
                send.send(finish(stream, first.data))
                    .expect("the test waits");
            }));
        }
        for _ in 0..SESSIONS {
            let session = sandbox.session().unwrap();
            let (send, say) = (send.clone(), say.clone());
            session.on_output(move |_, piece| {
                if piece.starts_with(b"begun") {
                    say.send(()).expect("the test waits");
                }
            });
            waiting.push(thread::spawn(move || {
                let outcome = session.send_and_wait(LINE, None);
                send.send(outcome).expect("the test waits");
            }));
            begun.recv_timeout(BOUND).expect("a command that begins");
        }
        let start = |_| sandbox.exec(LINE).detach().unwrap();
        let processes: Vec<Process> = (0..PROCESSES).map(start).collect();
        eventually_none("processes that have not begun", || {
            let silent = processes.iter().filter(|it| it.buffer_size() == 0);
            silent.map(|it| it.id().to_owned()).collect()
        });
        Load {
            processes,
            waiting,
            ends,
        }
    }

    /// Opens the gate; each of them has written what it should and ends as it should.
    pub(super) fn assert_ends_well(self, sandbox: &Container) {
        sandbox.run("touch /tmp/gate").unwrap();
        for _ in 0..STREAMS + SESSIONS {
            let result = self.ends.recv_timeout(BOUND).expect("an end").unwrap();
            assert_eq!(result.exit_code, 7, "{result:?}");
            assert_eq!(result.stdout, OUTPUT);
        }
        for process in &self.processes {
            let result = process.wait(Some(BOUND)).unwrap();
            assert_eq!((result.exit_code, &result.stdout[..]), (7, OUTPUT));
        }
        self.finish();
    }

    /// Each of them has failed in this way.
    pub(super) fn assert_all_fail(self, is_right: impl Fn(&Error) -> bool) {
        for _ in 0..STREAMS + SESSIONS {
            let error = self.ends.recv_timeout(BOUND).expect("an end").unwrap_err();
            assert!(is_right(&error), "{error:?}");
        }
        for process in &self.processes {
            let error = process.wait(Some(BOUND)).unwrap_err();
            assert!(is_right(&error), "{error:?}");
        }
        self.finish();
    }

    fn finish(self) {
        for waiting in self.waiting {
            waiting.join().expect("no panic");
        }
    }
}

fn finish(mut stream: ExecStream, mut output: Vec<u8>) -> Result<ExecResult> {
    for chunk in &mut stream {
        output.extend(chunk?.data);
    }
    let mut result = stream.result()?;
    result.stdout = output;
    Ok(result)
}
