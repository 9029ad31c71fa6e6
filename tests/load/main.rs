//! A real engine under load: many sandboxes, many commands at once, one after the other, and for
//! long. What the process holds stays flat, and nothing is left.
//!
//! A small load unless `POCKETDOCK_LOAD` is `full`; `POCKETDOCK_LOAD_SECONDS` says how long the
//! soak takes. `tests/load.sh` runs it in full on both engines. The variables are those of
//! the `live` suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../live/fixture.rs"]
#[allow(dead_code, reason = "each suite uses a part")]
mod fixture;

use std::env;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::{Container, Error, Result, Scope, Signal};

use fixture::Live;
use support::process::{Holdings, assert_holds, holdings};
use support::scratch::Scratch;

/// What the resident memory may grow by under a load once it has been under the same load before,
/// in KiB. What threads at once have needed is not always given back at once.
const GROWTH_KIB_MAX: u64 = 12 * 1024;

/// How much of everything.
struct Amounts {
    sandboxes: usize,
    /// Commands at once, and in how many sandboxes.
    commands: usize,
    rounds: usize,
    soak: Duration,
}

fn amounts() -> Amounts {
    let is_full = env::var("POCKETDOCK_LOAD").is_ok_and(|amount| amount == "full");
    let seconds = env::var("POCKETDOCK_LOAD_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("a number of seconds"));
    let of = |sandboxes, commands, rounds, usual| Amounts {
        sandboxes,
        commands,
        rounds,
        soak: Duration::from_secs(seconds.unwrap_or(usual)),
    };
    match is_full {
        true => of(100, 500, 1000, 150),
        false => of(10, 50, 10, 10),
    }
}

/// One test at a time: each counts what the whole process holds.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory in use, in KiB.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("read the own status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.expect("resident memory").split_ascii_whitespace();
    words.rev().nth(1).expect("a number").parse().expect("KiB")
}

/// What is held before something, to be compared with what is held after it.
struct Before {
    what: &'static str,
    began: Instant,
    holdings: Holdings,
    resident_kib: u64,
}

impl Before {
    fn now(what: &'static str) -> Self {
        Before {
            what,
            began: Instant::now(),
            holdings: holdings(),
            resident_kib: resident_kib(),
        }
    }

    /// Fails if more is held now.
    fn assert_same(&self, amount: &str) {
        assert_holds(self.holdings);
        let (before, after) = (self.resident_kib, resident_kib());
        let took = self.began.elapsed();
        let line = format!(
            "load, {}: {amount} in {:.1} s, {before} -> {after} KiB, {:?}\n",
            self.what,
            took.as_secs_f64(),
            holdings()
        );
        let _unseen = std::io::stderr().write_all(line.as_bytes());
        assert!(
            after < before + GROWTH_KIB_MAX,
            "{}: {before} -> {after} KiB",
            self.what
        );
    }
}

/// Does something this many times, so many at once.
fn many(count: usize, at_once: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if count <= n {
                        break;
                    }
                    work(n);
                }
            });
        }
    });
}

#[test]
fn many_sandboxes() {
    let _alone = alone();
    let Some(live) = Live::begin() else { return };
    let count = amounts().sandboxes;
    drop(live.sandbox());
    let before = Before::now("sandboxes");
    let all = Mutex::new(Vec::new());
    many(count, 4, |_| {
        let sandbox = live.sandbox();
        all.lock().unwrap().push(sandbox);
    });
    let all: Vec<Container> = all.into_inner().unwrap();
    assert_eq!(all.len(), count);
    many(count, 8, |n| {
        let result = all[n].run(format!("echo {n}; exit 3")).unwrap();
        assert_eq!(
            (result.exit_code, result.stdout),
            (3, format!("{n}\n").into_bytes())
        );
    });
    let running = live
        .engine()
        .list(&pocketdock_core::ListFilter::new().running());
    assert!(count <= running.unwrap().len());
    let all = Mutex::new(all);
    many(count, 4, |_| {
        let sandbox = all.lock().unwrap().pop();
        sandbox.expect("one for each").shutdown(true).unwrap();
    });
    drop(all);
    before.assert_same(&format!("{count} made, used and removed"));
}

/// All at once: a thread and a connection each.
#[test]
fn many_commands_at_once() {
    let _alone = alone();
    let Some(live) = Live::begin() else { return };
    let count = amounts().commands;
    let sandboxes: Vec<Container> = (0..5).map(|_| live.sandbox()).collect();
    let burst = || {
        let peak = AtomicUsize::new(0);
        many(count, count, |n| {
            let sandbox = &sandboxes[n % sandboxes.len()];
            let line = format!("seq {n} {}; echo {n} >&2; exit {}", n + 1000, n % 100);
            let result = sandbox.exec(line).no_timeout().run().unwrap();
            let want: String = (n..=n + 1000).map(|n| format!("{n}\n")).collect();
            assert_eq!(result.exit_code, i32::try_from(n % 100).unwrap());
            assert_eq!(result.stdout_text(), want);
            assert_eq!(result.stderr_text(), format!("{n}\n"));
            peak.fetch_max(holdings().threads, Ordering::Relaxed);
        });
        peak.into_inner()
    };
    burst();
    let before = Before::now("commands at once");
    let peak = burst();
    before.assert_same(&format!("{count}, {peak} threads at most"));
}

#[test]
fn one_after_the_other() {
    let _alone = alone();
    let Some(live) = Live::begin() else { return };
    let count = amounts().rounds;
    let round = |n: usize| {
        let sandbox = live.engine().create(&live.options()).unwrap();
        let result = sandbox.run(format!("echo {n}")).unwrap();
        assert_eq!(result.stdout, format!("{n}\n").into_bytes());
        sandbox.shutdown(true).unwrap();
    };
    (0..count / 10 + 1).for_each(round);
    let before = Before::now("one after the other");
    (0..count).for_each(round);
    before.assert_same(&format!("{count} made, used and removed"));
}

/// A bit of everything, over and over.
#[test]
fn for_long() {
    let _alone = alone();
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let scratch = Scratch::new();
    scratch.write("in/file", &[b'x'; 100_000]);
    let all = |round: usize| {
        for (what, work) in WORK {
            work(&sandbox, &scratch).unwrap_or_else(|error| panic!("{what}, {round}: {error}"));
        }
    };
    (0..3).for_each(all);
    let before = Before::now("for long");
    let (soak, mut rounds) = (amounts().soak, 0);
    while before.began.elapsed() < soak {
        all(rounds);
        rounds += 1;
    }
    before.assert_same(&format!("{rounds} rounds of {} calls", WORK.len()));
}

const SECOND: Duration = Duration::from_secs(1);

/// Something that is done with a sandbox.
type Work = (&'static str, fn(&Container, &Scratch) -> Result<()>);

#[rustfmt::skip] // one case per line
const WORK: [Work; 11] = [
    ("run",      |sandbox, _| sandbox.run("seq 1000").map(drop)),
    ("cut",      |sandbox, _| sandbox.exec("yes | head -c 3000000").max_output(10).run().map(drop)),
    ("time out", |sandbox, _| sandbox.exec("sleep 1000 & sleep 1000").timeout(SECOND / 10).run().map(drop)),
    ("stream",   |sandbox, _| sandbox.exec("seq 1000").stream()?.result().map(drop)),
    ("leave",    |sandbox, _| { drop(sandbox.exec("yes").stream()?); Ok(()) }),
    ("kill",     |sandbox, _| {
        let process = sandbox.exec("yes").detach()?;
        process.kill(Signal::KILL, Scope::Tree)?;
        process.wait(Some(60 * SECOND)).map(drop)
    }),
    ("session",  |sandbox, _| sandbox.session()?.send_and_wait("seq 1000", 60 * SECOND).map(drop)),
    ("runner",   |sandbox, _| sandbox.runner()?.run("seq 1000").map(drop)),
    ("push",     |sandbox, scratch| sandbox.push(&scratch.join("in"), "/tmp/").map(drop)),
    ("pull",     |sandbox, scratch| sandbox.pull("/tmp/in", &scratch.join("out")).map(drop)),
    ("no such",  |sandbox, _| match sandbox.run(["no-such-program"]) {
        Err(Error::CommandNotFound { .. }) => Ok(()),
        other => other.map(|_| panic!("it ran")),
    }),
];
