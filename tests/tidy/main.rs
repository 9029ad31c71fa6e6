//! The rules of this repository that a compiler cannot see.
//!
//! Each test is one rule; its message says which file breaks it and what to do. The rules read
//! text, line by line, and know Rust only as far as rustfmt lays it out; they are meant to catch
//! slips, not to withstand tricks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

mod blocks;
mod contract;
mod examples;
mod functions;
mod guides;
mod layers;
mod reach;
mod tree;

#[path = "../support/documents.rs"]
mod documents;

use std::collections::BTreeSet;
use std::process::Command;

use tree::{File, root, rust_files, text_files};

/// Longest line, in characters.
const COLUMNS_MAX: usize = 100;

/// What stands at the top level, and nothing else; `target` is never listed.
const TOP_LEVEL: [&str; 15] = [
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "docs",
    "images",
    "pocketdock-cli",
    "pocketdock-core",
    "tests",
];

/// Hosts that images or crates are fetched from. `docker.io` is absent: the engines put it into
/// names and messages by themselves.
const REGISTRY_HOSTS: [&str; 8] = [
    concat!("quay", ".io"),
    concat!("ghcr", ".io"),
    concat!("gcr", ".io/"),
    concat!("mcr.", "microsoft.com"),
    concat!("registry-1.", "docker.io"),
    concat!("registry.", "k8s.io"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
];

/// Fails with all offenders at once, so that one run shows all there is to do.
fn require(offenders: &[String], what_to_do: &str) {
    assert!(
        offenders.is_empty(),
        "{what_to_do}:\n  {}",
        offenders.join("\n  ")
    );
}

/// `path:line` of each line of `files` for which `offends` says so.
fn lines_that<'a>(
    files: impl IntoIterator<Item = &'a File>,
    offends: impl Fn(&str) -> bool,
) -> Vec<String> {
    let in_file = |file: &'a File| file.text.lines().enumerate().map(move |line| (file, line));
    files
        .into_iter()
        .flat_map(in_file)
        .filter(|(_, (_, line))| offends(line))
        .map(|(file, (i, line))| format!("{}:{}: {}", file.path, i + 1, line.trim()))
        .collect()
}

#[test]
fn every_rust_file_opens_with_a_header() {
    let bare = |file: &&File| !file.text.starts_with("//! ");
    let offenders: Vec<_> = rust_files()
        .iter()
        .filter(bare)
        .map(|f| f.path.clone())
        .collect();
    require(
        &offenders,
        "open the file with a `//!` header that says what it does",
    );
}

#[test]
fn nothing_is_left_to_do() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("db", "g!("),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
    ];
    let files = text_files();
    let authored = files.iter().filter(|f| f.is_source());
    let offenders = lines_that(authored, |line| {
        words.iter().any(|word| line.contains(word))
    });
    require(
        &offenders,
        "finish it now, or write down the limit as a fact",
    );
}

#[test]
fn no_test_is_ignored_or_panics_on_purpose() {
    let attributes = [concat!("#[ign", "ore"), concat!("#[should_", "panic")];
    let offenders = lines_that(&rust_files(), |line| {
        attributes.iter().any(|a| line.contains(a))
    });
    require(
        &offenders,
        "make the test run everywhere, and assert on the error itself",
    );
}

#[test]
fn lines_fit_into_the_columns() {
    let files: Vec<_> = rust_files()
        .into_iter()
        .map(File::without_samples)
        .collect();
    let offenders = lines_that(&files, |line| COLUMNS_MAX < line.chars().count());
    require(
        &offenders,
        &format!("break the line before column {COLUMNS_MAX}"),
    );
}

#[test]
fn functions_are_short() {
    // Unit tests may hold a table in a function.
    let files = rust_files().into_iter().map(File::without_tests);
    let offenders: Vec<_> = files.flat_map(|file| functions::too_long(&file)).collect();
    require(
        &offenders,
        "take the function apart: one holds the branches, its helpers compute",
    );
}

#[test]
fn modules_use_only_what_stands_above_them() {
    let offenders = layers::violations(&layers::core_files());
    require(
        &offenders,
        "turn the dependency round, or move the code to the layer that needs it",
    );
}

#[test]
fn public_items_are_shown_by_an_example() {
    require(
        &examples::missing(),
        "show it in an example, best one on its type that walks through several methods",
    );
}

#[test]
fn siblings_do_not_depend_on_each_other_in_a_circle() {
    let offenders = layers::circles(&layers::core_files());
    require(&offenders, "move what both need into a module above both");
}

#[test]
fn files_do_not_depend_on_each_other_in_a_circle() {
    let packages = [layers::core_files(), layers::cli_files()];
    let offenders: Vec<_> = packages
        .iter()
        .filter_map(|files| layers::file_circle(files))
        .collect();
    require(&offenders, "move what both need into a file above both");
}

#[test]
fn digits_of_a_peer_are_not_parsed_by_the_standard_library() {
    // `parse` takes a leading plus sign; as a Content-Length that is a way to smuggle requests.
    let files: Vec<_> = rust_files().into_iter().map(File::without_tests).collect();
    let wire = files
        .iter()
        .filter(|f| f.path.starts_with("pocketdock-core/src/wire/"));
    let offenders = lines_that(wire, |line| {
        let code = line.split("//").next().unwrap_or("");
        let parses = code.contains(".parse::<") || code.contains(".parse()");
        (parses && !code.contains(".parse::<f64>")) || code.contains("from_str_radix")
    });
    require(&offenders, "use wire::digits, which is strict");
}

#[test]
fn core_builds_without_cargo() {
    let files = rust_files();
    let core = files
        .iter()
        .filter(|f| f.path.starts_with("pocketdock-core/src/"));
    let offenders = lines_that(core, |line| {
        line.contains(concat!("env!(\"CARGO", "_")) || line.contains("cfg(feature")
    });
    require(
        &offenders,
        "core is vendored as plain files: no Cargo variables, no features",
    );
    assert!(
        !root().join("pocketdock-core/build.rs").exists(),
        "core has no build script"
    );
}

#[test]
fn only_our_own_packages_are_linked() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = "tree --workspace --edges normal,build --prefix none --offline --locked";
    let output = Command::new(cargo)
        .args(arguments.split(' '))
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    let packages: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let ours = BTreeSet::from(["pocketdock-cli", "pocketdock-core"]);
    let linked: BTreeSet<_> = packages
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(
        linked, ours,
        "write it by hand over std: the promise is zero dependencies"
    );
}

/// The version in the workspace's manifest, which is where it is set.
fn version() -> String {
    let manifest = tree::read("Cargo.toml");
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \""))
        .unwrap();
    line.trim_end_matches('"').to_owned()
}

#[test]
fn the_version_stands_in_the_changelog() {
    let heading = format!("## {}", version());
    let changelog = tree::read("CHANGELOG.md");
    let found = changelog.lines().any(|line| line.starts_with(&heading));
    assert!(
        found,
        "describe the version in CHANGELOG.md under a heading '{heading}'"
    );
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = version();
    let constant = format!("const VERSION: &str = \"{version}\";");
    let core = tree::read("pocketdock-core/src/lib.rs");
    assert!(
        core.lines().any(|line| line == constant),
        "set `{constant}` in lib.rs"
    );
    let required = format!("path = \"../pocketdock-core\", version = \"{version}\"");
    let cli = tree::read("pocketdock-cli/Cargo.toml");
    assert!(
        cli.contains(&required),
        "require version {version} of core in pocketdock-cli"
    );
}

#[test]
fn the_top_level_is_as_designed() {
    let found: BTreeSet<String> = text_files()
        .iter()
        .filter_map(|file| file.path.split('/').next().map(str::to_owned))
        .collect();
    let known = |name: &&String| TOP_LEVEL.contains(&name.as_str());
    let unknown: Vec<_> = found.iter().filter(|name| !known(name)).cloned().collect();
    require(
        &unknown,
        "the top level is fixed: put it below docs, tests or images",
    );
    for name in TOP_LEVEL {
        assert!(found.contains(name), "{name} is missing from the top level");
    }
}

#[test]
fn shell_scripts_stop_at_the_first_failure() {
    let files = text_files();
    let strict = |file: &File, setting: &str| file.text.lines().any(|line| line == setting);
    // What is compiled in runs inside a sandbox, where a process that is gone is no failure.
    let offenders: Vec<_> = files
        .iter()
        .filter(|file| !file.path.starts_with("pocketdock-core/src/"))
        .filter(|file| match file.interpreter() {
            // POSIX sh has no pipefail everywhere.
            Some("sh") => !strict(file, "set -eu"),
            Some("bash") => !strict(file, "set -euo pipefail"),
            _ => false,
        })
        .map(|file| file.path.clone())
        .collect();
    require(
        &offenders,
        "add `set -euo pipefail` (`set -eu` for #!/bin/sh) on a line of its own",
    );
}

#[test]
fn no_file_names_a_registry() {
    let offenders = lines_that(&text_files(), |line| {
        REGISTRY_HOSTS.iter().any(|host| line.contains(host))
    });
    require(
        &offenders,
        "pocketdock is offline first: name images without a registry",
    );
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let here = root().to_string_lossy().into_owned();
    // A checkout at `/src` or `/pocketdock` would find itself in every other path.
    if here.matches('/').count() < 2 {
        return;
    }
    let offenders = lines_that(&text_files(), |line| line.contains(&here));
    require(&offenders, "write the path relative to the repository");
}

#[test]
fn every_file_under_tests_is_reached() {
    let (files, reached) = (text_files(), reach::reached_rust_files());
    let forgotten = |file: &&File| file.has_extension(&["rs"]) && !reached.contains(&file.path);
    let tests = || files.iter().filter(|file| file.path.starts_with("tests/"));
    let offenders: Vec<_> = tests()
        .filter(forgotten)
        .map(|file| file.path.clone())
        .collect();
    require(
        &offenders,
        "declare the file with `mod` in its suite, and the suite in a Cargo.toml",
    );

    let offenders: Vec<_> = tests()
        .filter(|file| !reach::is_mentioned(file, &files))
        .collect();
    let offenders: Vec<_> = offenders.iter().map(|file| file.path.clone()).collect();
    require(&offenders, "no test reads this file: use it or remove it");
}

#[test]
fn links_in_the_guides_lead_somewhere() {
    require(&guides::broken_links(), "correct the link or the heading");
}

#[test]
fn files_that_the_guides_name_are_there() {
    require(
        &guides::missing_files(),
        "write the path from the root or from a `src` directory",
    );
}

#[test]
fn commands_in_the_guides_exist() {
    require(
        &guides::unknown_commands(),
        "describe what there is: the table of commands has no such entry",
    );
}

#[test]
fn the_readme_lists_every_command_and_guide() {
    require(&guides::unlisted(), "give it a row in a table of README.md");
}

#[test]
fn every_block_of_the_guides_is_accounted_for() {
    require(
        &blocks::unaccounted(),
        "make it a block that a test does something with",
    );
    require(
        &blocks::stale_exceptions(),
        "no line begins like this: take the row out of tests/support/documents.rs",
    );
    require(
        &blocks::missing_tools(),
        "describe what there is: no such file or target",
    );
}

#[test]
fn the_contract_is_that_of_the_program() {
    require(
        &contract::differences(),
        "write into the guide what the source says, or raise the contract's version",
    );
}

#[test]
fn profiles_are_the_directories_of_images() {
    let files = text_files();
    let directories: BTreeSet<_> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("images/")?.split_once('/'))
        .map(|(directory, _)| directory)
        .collect();
    let profiles = pocketdock_core::list_profiles();
    let names: BTreeSet<_> = profiles.iter().map(|profile| profile.name).collect();
    assert_eq!(directories, names, "a directory of images/ is a profile");
    let guide = tree::read("docs/images.md");
    let offenders: Vec<_> = names
        .iter()
        .filter(|name| !guide.contains(&format!("| `{name}` |")))
        .map(|name| (*name).to_owned())
        .collect();
    require(&offenders, "give the profile a row in docs/images.md");
}
