//! Shells that stay, a session and a runner, against an exec for each command and a raw echo.

use crate::Bench;
use crate::harness::bare::Echo;
use crate::harness::table::{self, Bound, figures, milliseconds};
use crate::harness::turns::{in_turns, median, ratio, seconds};

/// Output for the comparison of throughput.
const LEN: usize = 64 * 1024 * 1024;
const COMMAND: &str = "head -c 67108864 /dev/zero";

pub(crate) fn measure(bench: &Bench) {
    latency(bench);
    throughput(bench);
}

fn latency(bench: &Bench) {
    let sandbox = &bench.sandbox;
    let session = sandbox.session().unwrap();
    let runner = sandbox.runner().unwrap();
    let (socket, id) = (&bench.settings.socket, sandbox.container_id());
    let mut shell = Echo::shell(socket, id);
    let mut cat = Echo::cat(socket, id);
    let costs = in_turns(
        bench.settings.rounds(1000),
        &mut [
            &mut || seconds(|| assert!(session.send_and_wait("true", None).unwrap().ok())),
            &mut || seconds(|| assert!(runner.run("/bin/true").unwrap().ok())),
            &mut || seconds(|| shell.round_trip()),
            &mut || seconds(|| cat.round_trip()),
        ],
    );
    let [session, runner, shell, cat] = &costs[..] else {
        panic!("four ways were measured");
    };
    let exec = in_turns(
        bench.settings.rounds(50),
        &mut [&mut || seconds(|| assert!(sandbox.run(["true"]).unwrap().ok()))],
    );
    tell_speedup(bench, "session `true`", session, &exec[0], 100.0);
    tell_speedup(bench, "runner `/bin/true`", runner, &exec[0], 20.0);
    tell_echo(bench, session, "shell", shell, Bound::AtMost(2.0));
    tell_echo(bench, session, "`cat`", cat, Bound::Unbound);
}

fn tell_echo(bench: &Bench, session: &[f64], by: &str, echo: &[f64], bound: Bound) {
    table::ratio(
        "session `true`",
        bench.on(),
        &milliseconds(median(session)),
        &format!("raw echo by a {by}: {}", milliseconds(median(echo))),
        ratio(session, echo),
        bound,
    );
}

/// Tells how many of ours are done while one exec is.
fn tell_speedup(bench: &Bench, work: &str, ours: &[f64], exec: &[f64], bound: f64) {
    table::ratio(
        &format!("{work}, times as fast as an exec"),
        bench.on(),
        &milliseconds(median(ours)),
        &format!("exec: {}", milliseconds(median(exec))),
        median(exec) / median(ours),
        Bound::AtLeast(bound),
    );
}

fn throughput(bench: &Bench) {
    let session = bench.sandbox.session().unwrap();
    let costs = in_turns(
        bench.settings.rounds(8),
        &mut [
            &mut || {
                seconds(|| {
                    let result = session.command(COMMAND).max_output(0).run().unwrap();
                    assert_eq!(result.dropped_len, LEN as u64);
                })
            },
            &mut || {
                seconds(|| {
                    let result = bench.sandbox.exec(COMMAND).max_output(0).run().unwrap();
                    assert_eq!(result.dropped_len, LEN as u64);
                })
            },
        ],
    );
    let rate = |costs: &[f64]| format!("{} MB/s", figures(LEN as f64 / median(costs) / 1e6));
    table::ratio(
        "throughput of stdout of a session",
        bench.on(),
        &rate(&costs[0]),
        &format!("exec: {}", rate(&costs[1])),
        ratio(&costs[1], &costs[0]),
        Bound::Unbound,
    );
}
