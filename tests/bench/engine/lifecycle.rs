//! Making sandboxes and ending idle ones.

use pocketdock_core::ContainerPool;

use crate::Bench;
use crate::harness::table::{self, Bound, milliseconds};
use crate::harness::turns::{median, seconds};

#[derive(Default)]
struct Costs {
    create: Vec<f64>,
    stop: Vec<f64>,
    shutdown: Vec<f64>,
    force: Vec<f64>,
}

pub(crate) fn measure(bench: &Bench) {
    let mut costs = Costs::default();
    for _ in 0..bench.settings.rounds(10) {
        let sandbox = timed(&mut costs.create, || bench.create());
        timed(&mut costs.stop, || sandbox.stop().unwrap());
        let sandbox = timed(&mut costs.create, || bench.create());
        timed(&mut costs.shutdown, || sandbox.shutdown(false).unwrap());
        let sandbox = timed(&mut costs.create, || bench.create());
        timed(&mut costs.force, || sandbox.shutdown(true).unwrap());
    }
    tell(bench, "create and start", &costs.create, Bound::Unbound);
    acquire(bench, &costs.create);
    let bound = Bound::AtMost(1.0);
    tell(bench, "stop of an idle sandbox", &costs.stop, bound);
    tell(bench, "shutdown of an idle sandbox", &costs.shutdown, bound);
    tell(bench, "the same by force", &costs.force, bound);
}

/// Sandboxes that were started before they are asked for.
fn acquire(bench: &Bench, created: &[f64]) {
    let size = bench.settings.rounds(10);
    let pool = ContainerPool::on(&bench.engine, size, Bench::options(&bench.settings)).unwrap();
    pool.warm_up().unwrap();
    let mut costs = Vec::new();
    // Held until all are taken, lest replacements are started meanwhile.
    let taken: Vec<_> = (0..size)
        .map(|_| timed(&mut costs, || pool.acquire().unwrap()))
        .collect();
    pool.shutdown().unwrap();
    drop(taken);
    table::ratio(
        "acquire from a warm pool",
        bench.on(),
        &milliseconds(median(&costs)),
        &format!("create: {}", milliseconds(median(created))),
        median(&costs) / median(created),
        Bound::AtMost(0.05),
    );
}

/// What `work` gives; its time is noted.
fn timed<T>(costs: &mut Vec<f64>, work: impl FnOnce() -> T) -> T {
    let mut outcome = None;
    costs.push(seconds(|| outcome = Some(work())));
    outcome.unwrap()
}

fn tell(bench: &Bench, work: &str, costs: &[f64], bound: Bound) {
    table::value(work, bench.on(), median(costs), "s", bound);
}
