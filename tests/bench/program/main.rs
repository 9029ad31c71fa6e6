//! The whole program, from its start to its end: processor time and peak memory of `pocketdock`
//! and of the engine's own client doing the same.
//!
//! Does nothing unless an engine is named; see `harness/settings.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a bench: a failure is a panic"
)]

#[path = "../harness/mod.rs"]
mod harness;

use std::process::Command;

use harness::process::{cpu_seconds, peak_kib, silenced};
use harness::settings::Settings;
use harness::table::{self, Bound, figures, milliseconds};
use harness::turns::{in_turns, median, ratio, seconds};
use pocketdock_core::{CreateOptions, Engine};

/// How many sandboxes there are to list.
const SANDBOXES: usize = 5;

fn main() {
    let Some(settings) = Settings::read() else {
        eprintln!("SKIPPED: no engine is named by POCKETDOCK_TEST_ENGINE");
        return;
    };
    let engine = Engine::at(&settings.socket).unwrap();
    let options = CreateOptions::new().image(&settings.image);
    let sandboxes: Vec<_> = (0..SANDBOXES)
        .map(|_| engine.create(&options).unwrap())
        .collect();

    let list = Pair::new(&settings, &["list"], &["ps", "--all"]);
    list.tell_cpu(200, Bound::AtMost(0.2));
    list.tell_peak(30, Bound::AtMost(0.125));
    let version = Pair::new(&settings, &["--version"], &["--version"]);
    version.tell_cpu(300, Bound::Unbound);
    let name = sandboxes[0].name();
    let words = (["run", name, "true"], ["exec", name, "true"]);
    let run = Pair::new(&settings, &words.0, &words.1);
    run.tell_time(30);
    run.tell_cpu(100, Bound::Unbound);
    run.tell_peak(10, Bound::Unbound);
}

/// The same work as a command line of each program.
struct Pair<'a> {
    settings: &'a Settings,
    ours: &'a [&'a str],
    theirs: &'a [&'a str],
}

impl<'a> Pair<'a> {
    fn new(settings: &'a Settings, ours: &'a [&'a str], theirs: &'a [&'a str]) -> Self {
        Pair {
            settings,
            ours,
            theirs,
        }
    }

    fn commands(&self) -> (Command, Command) {
        let mut ours = Command::new(env!("CARGO_BIN_EXE_pocketdock"));
        ours.arg("--socket").arg(&self.settings.socket);
        ours.args(self.ours);
        let mut theirs = self.settings.own_client();
        theirs.args(self.theirs);
        (ours, theirs)
    }

    /// Both in turns, many runs at a time, because a single one is too short for its clock.
    fn tell_cpu(&self, runs: usize, bound: Bound) {
        const ROUNDS: usize = 5;
        let (mut ours, mut theirs) = self.commands();
        let runs = self.settings.rounds(runs).div_ceil(ROUNDS);
        let costs = in_turns(
            ROUNDS,
            &mut [&mut || cpu_seconds(&mut ours, runs), &mut || {
                cpu_seconds(&mut theirs, runs)
            }],
        );
        self.tell("processor time", milliseconds, &costs, bound);
    }

    /// The highest peak that was seen of each, because a reading can only be too low.
    fn tell_peak(&self, rounds: usize, bound: Bound) {
        let (mut ours, mut theirs) = self.commands();
        let costs = in_turns(
            self.settings.rounds(rounds),
            &mut [&mut || peak_kib(&mut ours), &mut || peak_kib(&mut theirs)],
        );
        let highest = |costs: &Vec<f64>| vec![costs.iter().fold(0.0, |a: f64, b| a.max(*b))];
        let costs: Vec<_> = costs.iter().map(highest).collect();
        let mebibytes = |kib| format!("{} MiB", figures(kib / 1024.0));
        self.tell("peak memory", mebibytes, &costs, bound);
    }

    fn tell_time(&self, rounds: usize) {
        let (mut ours, mut theirs) = self.commands();
        let time = |command: &mut Command| {
            seconds(|| assert!(silenced(command).status().unwrap().success()))
        };
        let costs = in_turns(
            self.settings.rounds(rounds),
            &mut [&mut || time(&mut ours), &mut || time(&mut theirs)],
        );
        self.tell("elapsed time", milliseconds, &costs, Bound::Unbound);
    }

    fn tell(&self, what: &str, show: impl Fn(f64) -> String, costs: &[Vec<f64>], bound: Bound) {
        let [ours, theirs] = costs else {
            panic!("two ways were measured");
        };
        let client = format!("`{} {}`", self.settings.engine, self.theirs[0]);
        table::ratio(
            &format!("`pocketdock {}`, {what}", self.ours[0]),
            &self.settings.engine,
            &show(median(ours)),
            &format!("{client}: {}", show(median(theirs))),
            ratio(ours, theirs),
            bound,
        );
    }
}
