//! Two hundred commands at once on one sandbox, and the memory each of them takes here.

use pocketdock_core::{Container, Process};

use crate::Bench;
use crate::harness::process::resident_kib;
use crate::harness::table::{self, Bound};

const COUNT: usize = 200;

/// Written by each command before it waits, and kept in its buffer.
const OUTPUT: &[u8] = b"started\n";

pub(crate) fn measure(bench: &Bench) {
    let sandbox = bench.create();
    // What the first one allocates once and for all does not count.
    drop(start(&sandbox));
    let before = resident_kib();
    let processes: Vec<Process> = (0..bench.settings.rounds(COUNT))
        .map(|_| start(&sandbox))
        .collect();
    let grown_kib = resident_kib() - before;
    let work = format!("memory of each of {} detached processes", processes.len());
    let each_kib = grown_kib / processes.len() as f64;
    table::value(&work, bench.on(), each_kib, "KiB", Bound::AtMost(64.0));
    sandbox.shutdown(true).unwrap();
}

/// A command that has written its output.
fn start(sandbox: &Container) -> Process {
    let command = "echo started; exec sleep 600";
    let process = sandbox.exec(command).detach().unwrap();
    while process.buffer_size() < OUTPUT.len() {
        std::thread::yield_now();
    }
    process
}
