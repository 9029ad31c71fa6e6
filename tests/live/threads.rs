//! A client that can start no more threads: what it has started already in a sandbox is ended,
//! since nobody could watch it.

use std::io;
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use pocketdock_core::{Container, Error, Exec, Stdin};

use crate::fixture::{Live, eventually_none};
use crate::support::alone::alone;

/// The stack of each thread, and the most that all may take of the address space.
const STACK_LEN: &str = "1073741824";
const ADDRESS_SPACE_LEN: &str = "--as=6442450944";

/// What the rest of the process may need while no thread can be started.
const RESERVE_LEN: usize = 128 * 1024 * 1024;

/// Threads that leave no room for another. They end when it is dropped.
struct Crowd(Vec<(Sender<()>, JoinHandle<()>)>);

impl Crowd {
    fn gather() -> Self {
        let limited = Command::new("prlimit")
            .args(["--pid", &std::process::id().to_string(), ADDRESS_SPACE_LEN])
            .status();
        assert!(limited.unwrap().success());
        let reserve: Vec<u8> = Vec::with_capacity(RESERVE_LEN);
        let mut crowd = Crowd(Vec::new());
        while crowd.grow() {}
        drop(reserve);
        while crowd.grow() {}
        crowd
    }

    fn grow(&mut self) -> bool {
        let (leave, wait) = mpsc::channel::<()>();
        let builder = std::thread::Builder::new();
        let thread = builder.spawn(move || {
            // It fails once the sender is gone.
            let _left = wait.recv();
        });
        let grown = thread.map(|thread| self.0.push((leave, thread)));
        grown.is_ok()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for (leave, thread) in self.0.drain(..) {
            drop(leave);
            thread.join().unwrap();
        }
    }
}

fn is_refused(outcome: Result<(), Error>) {
    match outcome {
        Err(Error::Io { doing, .. }) => assert_eq!(doing, "start a thread"),
        Err(error) => panic!("{error}"),
        Ok(()) => panic!("there was room for one more thread"),
    }
}

fn runs_nowhere(sandbox: &Container, command: &str) {
    eventually_none(command, || {
        let listed = sandbox
            .run("ps -o args")
            .unwrap()
            .stdout_text()
            .into_owned();
        let lines = listed.lines().filter(|line| line.ends_with(command));
        lines.map(str::to_owned).collect()
    });
}

/// Starts a command where no thread can be started any more; none of it may go on.
fn is_ended(test: &str, command: [&str; 2], start: impl FnOnce(Exec) -> Result<(), Error>) {
    let Some(live) = Live::begin() else { return };
    alone(test, &[("RUST_MIN_STACK", STACK_LEN)], || {
        let sandbox = live.sandbox();
        let crowd = Crowd::gather();
        is_refused(start(sandbox.exec(command)));
        drop(crowd);
        runs_nowhere(&sandbox, &command.join(" "));
    });
}

#[test]
fn a_process_that_nobody_can_watch_is_ended() {
    let test = "threads::a_process_that_nobody_can_watch_is_ended";
    is_ended(test, ["sleep", "4711"], |exec| exec.detach().map(drop));
}

#[test]
fn a_command_that_nobody_can_feed_is_ended() {
    let test = "threads::a_command_that_nobody_can_feed_is_ended";
    let input = Stdin::reader(io::repeat(b'x'));
    is_ended(test, ["sleep", "4712"], |exec| {
        exec.stdin(input).run().map(drop)
    });
}
