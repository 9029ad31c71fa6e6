//! `true`, run by an exec: the library, the same three requests by a bare loop, the own client.
//!
//! An exec costs the engine tens of milliseconds that vary by more than a client could ever add.
//! So the processor time of the calling thread is told as well: it is all that the library adds.

use std::cell::RefCell;

use crate::Bench;
use crate::harness::bare::Bare;
use crate::harness::process::{on_both_clocks, silenced};
use crate::harness::table::{self, Bound, milliseconds};
use crate::harness::turns::{in_turns, median, ratio, seconds};

pub(crate) fn measure(bench: &Bench) {
    let id = bench.sandbox.container_id();
    let mut bare = Bare::new(&bench.settings.socket);
    let (library_cpu, bare_cpu) = (RefCell::default(), RefCell::default());
    let costs = in_turns(
        bench.settings.rounds(200),
        &mut [
            &mut || on_both_clocks(&library_cpu, || run_true(bench)),
            &mut || {
                on_both_clocks(&bare_cpu, || {
                    bare.exec(id, "\"true\"");
                })
            },
        ],
    );
    tell(
        bench,
        "bare loop",
        &costs[0],
        &costs[1],
        Bound::AtMost(1.03),
    );
    bench.tell_caller(&library_cpu.into_inner(), &bare_cpu.into_inner());

    let costs = in_turns(
        bench.settings.rounds(30),
        &mut [&mut || seconds(|| run_true(bench)), &mut || {
            seconds(|| own_client_true(bench))
        }],
    );
    let client = format!("`{} exec`", bench.on());
    tell(bench, &client, &costs[0], &costs[1], Bound::AtMost(1.0));
}

fn run_true(bench: &Bench) {
    assert!(bench.sandbox.run(["true"]).unwrap().ok());
}

fn own_client_true(bench: &Bench) {
    let mut command = bench.settings.own_client();
    command.args(["exec", bench.sandbox.container_id(), "true"]);
    assert!(silenced(&mut command).status().unwrap().success());
}

fn tell(bench: &Bench, other: &str, ours: &[f64], theirs: &[f64], bound: Bound) {
    table::ratio(
        "exec round trip of `true`",
        bench.on(),
        &milliseconds(median(ours)),
        &format!("{other}: {}", milliseconds(median(theirs))),
        ratio(ours, theirs),
        bound,
    );
}
