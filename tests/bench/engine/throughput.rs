//! Gibibytes of output: the library's stream, a bare read loop, the engine's own client.
//!
//! A quarter of a gibibyte at a time, in turns: the engine's own pipeline takes most of the time
//! and varies with whatever else the machine does.

use std::cell::RefCell;

use crate::Bench;
use crate::harness::bare::Bare;
use crate::harness::process::{on_both_clocks, resident_kib, silenced};
use crate::harness::table::{self, Bound, figures};
use crate::harness::turns::{in_turns, median, ratio, seconds};

const LEN: usize = 256 * 1024 * 1024;
const COMMAND: [&str; 4] = ["head", "-c", "268435456", "/dev/zero"];

pub(crate) fn measure(bench: &Bench) {
    let mut bare = Bare::new(&bench.settings.socket);
    let (library_cpu, bare_cpu) = (RefCell::default(), RefCell::default());
    let mut grown_kib: f64 = 0.0;
    let costs = in_turns(
        bench.settings.rounds(16),
        &mut [
            &mut || {
                let before = resident_kib();
                let elapsed = on_both_clocks(&library_cpu, || library(bench));
                grown_kib = grown_kib.max(resident_kib() - before);
                elapsed
            },
            &mut || on_both_clocks(&bare_cpu, || bare_loop(bench, &mut bare)),
            &mut || seconds(|| own_client(bench)),
        ],
    );
    let client = format!("`{} exec`", bench.on());
    // As a rate: how many bytes pass here while one passes there.
    tell(bench, "bare loop", &costs[0], &costs[1], 0.95);
    bench.tell_caller(&library_cpu.into_inner(), &bare_cpu.into_inner());
    tell(bench, &client, &costs[0], &costs[2], 1.0);
    let work = "memory the stream has grown by";
    table::value(work, bench.on(), grown_kib, "KiB", Bound::Unbound);
}

fn library(bench: &Bench) {
    let mut stream = bench.sandbox.exec(COMMAND).no_timeout().stream().unwrap();
    let mut len = 0;
    for chunk in &mut stream {
        len += chunk.unwrap().data.len();
    }
    assert!(stream.result().unwrap().ok());
    assert_eq!(len, LEN);
}

fn bare_loop(bench: &Bench, bare: &mut Bare) {
    let command = COMMAND.map(|word| format!("\"{word}\"")).join(",");
    assert!(LEN < bare.exec(bench.sandbox.container_id(), &command));
}

fn own_client(bench: &Bench) {
    let mut command = bench.settings.own_client();
    command
        .args(["exec", bench.sandbox.container_id()])
        .args(COMMAND);
    assert!(silenced(&mut command).status().unwrap().success());
}

fn tell(bench: &Bench, other: &str, ours: &[f64], theirs: &[f64], bound: f64) {
    let rate = |costs: &[f64]| format!("{} MB/s", figures(LEN as f64 / median(costs) / 1e6));
    table::ratio(
        "throughput of stdout",
        bench.on(),
        &rate(ours),
        &format!("{other}: {}", rate(theirs)),
        ratio(theirs, ours),
        Bound::AtLeast(bound),
    );
}
