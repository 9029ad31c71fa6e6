//! Sandboxes whose code is hostile: nothing it does may hurt the host, hold up a call past its time
//! or keep a sandbox from being ended.
//!
//! ```text
//! hostile/attacks   out of a hardened sandbox, one case for each way
//! hostile/disk      that fill what they may write to
//! hostile/flood     that write without end, escape codes above all
//! hostile/forks     that fork up to their limit
//! hostile/liars     whose `sh`, `tar`, `ps` and others are not what they seem
//! hostile/names     whose files have names that say something else
//! hostile/swaps     that put links in the place of directories while these are copied
//! ```

mod attacks;
mod disk;
mod flood;
mod forks;
mod liars;
mod names;
mod swaps;

use std::time::Duration;

use pocketdock_core::{Container, EngineOptions};

use crate::fixture::Live;

/// How long the engine may take to answer a client of these tests, and a script in a sandbox.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a call may take that waits for something in vain: twice in a row, which takes 40 seconds,
/// and a kill, which takes an engine that is busy a few more.
const BOUND: Duration = Duration::from_secs(60);

/// Another handle to a sandbox, which waits no longer than [`PATIENCE`] for anything.
fn impatient(live: &Live, sandbox: &Container) -> Container {
    let socket = live.engine().socket_path();
    let engine = EngineOptions::new().socket(socket).timeout(PATIENCE);
    let engine = engine.connect().expect("reach the engine");
    engine.open(sandbox.name()).expect("open a sandbox")
}

/// Fails unless the sandbox can be ended in good time, whatever goes on in it.
fn assert_ends(sandbox: &Container) {
    let began = std::time::Instant::now();
    sandbox.shutdown(true).expect("end a hostile sandbox");
    let took = began.elapsed();
    assert!(took < BOUND, "it took {took:?} to end it");
}
