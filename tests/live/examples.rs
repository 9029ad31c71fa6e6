//! Every example runs to its end on the engine under test and shows what it says it shows.
//!
//! Cargo puts examples beside the tests; `cargo test` without a choice of targets and
//! `cargo build --examples` make them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pocketdock_core::engine::containers;
use pocketdock_core::engine::types::ContainerSummary;

use crate::fixture::{Live, eventually_none};

fn examples_dir() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().join("examples")
}

/// The sandboxes whose maker was this process.
fn owned_by(live: &Live, process: u32) -> Vec<String> {
    let managed = ["pocketdock.managed=true".to_owned()];
    let found = containers::list(live.client(), &managed).expect("list containers");
    let is_owned = |container: &ContainerSummary| {
        let owner = container.label("pocketdock.owner");
        owner.and_then(|owner| owner.split(' ').nth(1)) == Some(&process.to_string())
    };
    let left = found.into_iter().filter(is_owned);
    left.map(|container| container.name).collect()
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
        let example = Command::new(program)
            .arg(live.python_image())
            .env("POCKETDOCK_SOCKET", live.engine().socket_path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let owner = example.id();
        let output = example.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} failed: {text}{complaint}");
        assert!(!text.is_empty(), "{name} shows nothing");
        eventually_none("sandboxes of an example", || owned_by(&live, owner));
    }
}
