//! What the running test process holds: threads and open files, counted by the kernel.
//!
//! Source: proc(5), `/proc/self/task` and `/proc/self/fd`. Where there is no `/proc` (macOS) the
//! counts are 0 before and after, so a test of leaks passes without having tested.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What [`within`] calls too long for anything that should be over at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Threads and open files of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    pub threads: usize,
    pub files: usize,
}

/// Counts what the process holds now.
///
/// Tests run side by side in one process: count inside [`super::alone::alone`] only.
pub fn holdings() -> Holdings {
    Holdings {
        threads: entries("/proc/self/task"),
        files: entries("/proc/self/fd"),
    }
}

/// Fails the test unless the process holds no more than `before` again.
///
/// A joined thread stays listed for an instant, until the kernel has taken it apart; hence a wait,
/// for what is then still there has leaked. For the same reason `before` may be one too many.
pub fn assert_holds(before: Holdings) {
    let deadline = Instant::now() + PATIENCE;
    while before.threads < holdings().threads || before.files < holdings().files {
        assert!(
            Instant::now() < deadline,
            "held before: {before:?}, now: {:?}",
            holdings()
        );
        thread::yield_now();
    }
}

fn entries(dir: &str) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

/// Runs `work` on a thread of its own and fails the test when it is not done within `limit`.
///
/// The stuck thread is left behind: the test has failed and the process is about to end.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::sync_channel(1);
    let worker = thread::Builder::new()
        .name("within".to_owned())
        .spawn(move || {
            let _ = done.send(work());
        })
        .expect("start a thread");
    match result.recv_timeout(limit) {
        Ok(value) => {
            worker.join().expect("join a thread that is done");
            value
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not done within {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(cause) => std::panic::resume_unwind(cause),
            Ok(()) => panic!("the worker ended without a result"),
        },
    }
}

#[test]
fn within_hands_back_the_result() {
    assert_eq!(within(PATIENCE, || 7), 7);
}
