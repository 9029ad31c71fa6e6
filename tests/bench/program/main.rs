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

mod copies;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use harness::process::{cpu_seconds, peak_kib, silenced};
use harness::settings::Settings;
use harness::table::{self, Bound, figures, milliseconds};
use harness::turns::{in_turns, median, ratio, seconds};
use pocketdock_core::engine::images;
use pocketdock_core::{CreateOptions, Engine};

/// What is exported.
const IMAGE: &str = "localhost/pocketdock-bench:1";

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
    run.tell_time(30, Bound::Unbound);
    run.tell_cpu(100, Bound::Unbound);
    run.tell_peak(10, Bound::Unbound);

    let noise = sandboxes[0].run("head -c 67108864 /dev/urandom >/home/sandbox/noise");
    assert!(noise.unwrap().ok());
    copies::measure(&settings, name);

    sandboxes[0].snapshot(IMAGE).unwrap();
    export(&settings);
    images::remove(engine.client(), IMAGE).unwrap();
}

/// The same image into files: compressed by both, and as it is.
fn export(settings: &Settings) {
    let dir = std::env::temp_dir().join(format!("pocketdock-bench-{}", std::process::id()));
    fs::create_dir(&dir).unwrap();
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (packed, plain, other) = (file("a.tar.gz"), file("a.tar"), file("b.tar"));

    let words = ["export", "--image", IMAGE, "-o", &packed, "-q"];
    let (mut ours, _) = Pair::new(settings, &words, &["save"]).commands();
    let costs = in_turns(
        settings.rounds(5),
        &mut [
            &mut || seconds(|| assert!(silenced(&mut ours).status().unwrap().success())),
            &mut || seconds(|| save_through_gzip(settings, Path::new(&other))),
        ],
    );
    let theirs = ["save | gzip"];
    Pair::new(settings, &words, &theirs).tell(
        "elapsed time",
        milliseconds,
        &costs,
        Bound::AtMost(1.1),
    );

    let words = (
        ["export", "--image", IMAGE, "-o", &plain, "-q"],
        ["save", "-o", &other, IMAGE],
    );
    let pair = Pair::new(settings, &words.0, &words.1);
    fs::remove_file(&other).unwrap(); // Podman appends to no file that is there.
    pair.tell_peak(1, Bound::AtMost(0.5));
    fs::remove_dir_all(&dir).unwrap();
}

fn save_through_gzip(settings: &Settings, to: &Path) {
    let mut save = settings.own_client();
    let mut save = save
        .args(["save", IMAGE])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut gzip = Command::new("gzip");
    gzip.stdin(save.stdout.take().unwrap())
        .stdout(File::create(to).unwrap());
    assert!(gzip.status().unwrap().success());
    assert!(save.wait().unwrap().success());
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

    fn tell_time(&self, rounds: usize, bound: Bound) {
        let (mut ours, mut theirs) = self.commands();
        let time = |command: &mut Command| {
            seconds(|| assert!(silenced(command).status().unwrap().success()))
        };
        let costs = in_turns(
            self.settings.rounds(rounds),
            &mut [&mut || time(&mut ours), &mut || time(&mut theirs)],
        );
        self.tell("elapsed time", milliseconds, &costs, bound);
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
