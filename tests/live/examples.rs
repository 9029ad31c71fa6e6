//! Every example runs to its end on the engine under test and shows what it says it shows.
//!
//! Cargo puts examples beside the tests; `cargo test` without a choice of targets and
//! `cargo build --examples` make them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::fixture::Live;

fn examples_dir() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("examples")
}

#[test]
fn every_example_runs() {
    let Some(live) = Live::begin() else { return };
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let mut names: Vec<_> = fs::read_dir(sources)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    for name in names {
        let program = examples_dir().join(&name);
        assert!(
            program.is_file(),
            "run `cargo build --examples` first: no {program:?}"
        );
        let output = Command::new(program)
            .arg(live.python_image())
            .env("POCKETDOCK_SOCKET", live.engine().socket_path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} failed: {text}{complaint}");
        assert!(!text.is_empty(), "{name} shows nothing");
    }
}
