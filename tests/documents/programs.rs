//! The blocks of Rust that are whole programs, and the settings, in a package of their own: it
//! takes the library by path, as docs/library.md says, with an empty Cargo home and no network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::live::{live, text};
use crate::one_at_a_time;
use crate::reader::Reader;
use crate::support::documents::{Block, all_blocks, root};

/// The manifest, but for its `[dependencies]`.
const MANIFEST: &str = "\
[package]
name = \"guides\"
version = \"0.0.0\"
edition = \"2024\"
publish = false

[workspace]

";

#[test]
fn whole_programs_run() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let programs = programs();
    assert!(5 < programs.len(), "{}", programs.len());
    let built = build(&programs);
    let mut faults = Vec::new();
    for block in &programs {
        let reader = Reader::new(&live);
        let program = built.join(name(block));
        let output = reader.command(program.to_str().unwrap()).output().unwrap();
        if !output.status.success() {
            let (place, code) = (block.place(), output.status);
            faults.push(format!("{place}: {code}\n{}", text(&output.stderr)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Every block with a `main`.
fn programs() -> Vec<Block> {
    let blocks = all_blocks().into_iter();
    let rust = blocks.filter(|block| block.language == "rust");
    rust.filter(|block| block.text.contains("fn main()"))
        .collect()
}

/// The block's name as a program.
fn name(block: &Block) -> String {
    let document = block.document.replace(['/', '.'], "_");
    format!("{document}_{}", block.line)
}

/// The code; a line that documentation hides begins with `# `.
fn source(block: &Block) -> String {
    let shown = |line: &str| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n";
    block.text.lines().map(shown).collect()
}

/// Compiles them; gives the directory they are in.
fn build(programs: &[Block]) -> PathBuf {
    // Where the manifest of the guide finds the library beside it.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guides");
    let package = dir.join("package");
    let _none = fs::remove_dir_all(package.join("src"));
    fs::create_dir_all(package.join("src/bin")).unwrap();
    let _there = std::os::unix::fs::symlink(root(), dir.join("pocketdock"));
    for block in programs {
        let file = package.join(format!("src/bin/{}.rs", name(block)));
        fs::write(file, source(block)).unwrap();
    }
    let blocks = all_blocks();
    let mut manifests = blocks.iter().filter(|block| block.language == "toml");
    let dependencies = &manifests.next().unwrap().text;
    fs::write(
        package.join("Cargo.toml"),
        format!("{MANIFEST}{dependencies}"),
    )
    .unwrap();
    let target = dir.join("target");
    let home = dir.join("no-home");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--bins"])
        .current_dir(&package)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_HOME", home)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    target.join("debug")
}

/// The blocks of YAML, as the settings of a project.
#[test]
fn settings_are_read() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let blocks = all_blocks();
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let reader = Reader::new(&live);
        reader.prepares("pocketdock init");
        let file = reader.work().join(".pocketdock/pocketdock.yaml");
        fs::write(file, &block.text).unwrap();
        let output = reader.types("-e", "pocketdock list --quiet --json");
        let said = text(&output.stdout);
        let place = block.place();
        assert!(output.status.success(), "{place}: {said}");
        assert!(!said.contains("warning"), "{place}: {said}");
    }
}
