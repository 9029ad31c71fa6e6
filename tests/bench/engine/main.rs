//! The library against a real engine: round trips, streams, and what runs in the background.
//!
//! Does nothing unless an engine is named; see `harness/settings.rs`. Every container it makes is
//! removed again.

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

mod background;
mod lifecycle;
mod resident;
mod round_trip;
mod throughput;

use harness::settings::Settings;
use harness::table::{self, Bound, milliseconds};
use harness::turns::{median, ratio};
use pocketdock_core::{Container, CreateOptions, Engine};

/// Makes the measurements of one module and tells them.
type Measure = fn(&Bench);

/// An engine, a sandbox on it, and how to measure.
struct Bench {
    settings: Settings,
    engine: Engine,
    sandbox: Container,
}

impl Bench {
    /// A sandbox like any other, with room for many processes.
    fn options(settings: &Settings) -> CreateOptions {
        CreateOptions::new()
            .image(&settings.image)
            .pids_limit(4096)
            .mem_limit("2g")
    }

    fn start(settings: Settings) -> Self {
        let engine = Engine::at(&settings.socket).unwrap();
        let sandbox = engine.create(&Self::options(&settings)).unwrap();
        Bench {
            settings,
            engine,
            sandbox,
        }
    }

    /// Another sandbox of the same kind.
    fn create(&self) -> Container {
        let options = Self::options(&self.settings);
        self.engine.create(&options).unwrap()
    }

    fn on(&self) -> &str {
        &self.settings.engine
    }

    /// Tells what the calling thread itself did for the work of the row above.
    fn tell_caller(&self, ours: &[f64], theirs: &[f64]) {
        table::ratio(
            "processor time of the caller in it",
            self.on(),
            &milliseconds(median(ours)),
            &format!("bare loop: {}", milliseconds(median(theirs))),
            ratio(ours, theirs),
            Bound::Unbound,
        );
    }
}

fn main() {
    let Some(settings) = Settings::read() else {
        eprintln!("SKIPPED: no engine is named by POCKETDOCK_TEST_ENGINE");
        return;
    };
    let bench = Bench::start(settings);
    let all: [(&str, Measure); 5] = [
        ("round_trip", round_trip::measure),
        ("throughput", throughput::measure),
        ("resident", resident::measure),
        ("background", background::measure),
        ("lifecycle", lifecycle::measure),
    ];
    // Arguments choose; Cargo adds `--bench`.
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    for (name, measure) in all {
        if chosen.is_empty() || chosen.iter().any(|word| name.contains(word.as_str())) {
            measure(&bench);
        }
    }
}
