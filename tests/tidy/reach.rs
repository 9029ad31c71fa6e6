//! Which files under `tests` a suite reaches.
//!
//! Rust files are followed from the `path = "../tests/..."` entries of the two packages through
//! their `mod` lines. A data file is reached when a test, the library's own tests or a script
//! mentions its name or a directory it lies in.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};

use super::tree::{File, read, root};

/// Directories so general that naming one does not reach what is in it.
const TOO_GENERAL: [&str; 2] = ["tests", "fixtures"];

/// The Rust files of all suites and benches, relative to the root.
pub(crate) fn reached_rust_files() -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut pending = VecDeque::from(suites());
    while let Some(path) = pending.pop_front() {
        if root().join(&path).is_file() && reached.insert(path.clone()) {
            pending.extend(modules_of(&path));
        }
    }
    reached
}

/// Whether anything that runs mentions the file.
pub(crate) fn is_mentioned(file: &File, files: &[File]) -> bool {
    if file.has_extension(&["rs", "sh", "md"]) {
        return true;
    }
    let path = Path::new(&file.path);
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let parts = path
        .components()
        .filter_map(|part| part.as_os_str().to_str());
    let names: Vec<&str> = parts
        .chain(stem)
        .filter(|name| !TOO_GENERAL.contains(name))
        .collect();
    let readers = files
        .iter()
        .filter(|f| f.has_extension(&["rs", "sh"]) && f.path != file.path);
    readers
        .into_iter()
        .any(|reader| names.iter().any(|name| mentions(&reader.text, name)))
}

/// Whether `text` has `name` as a part of a quoted path or as a word of a script.
fn mentions(text: &str, name: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
    text.match_indices(name).any(|(at, _)| {
        edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
    })
}

fn suites() -> Vec<String> {
    let manifests = ["pocketdock-core/Cargo.toml", "pocketdock-cli/Cargo.toml"].map(read);
    let path = |line: &str| {
        let path = line
            .trim()
            .strip_prefix("path = \"../tests/")?
            .strip_suffix('"')?;
        Some(format!("tests/{path}"))
    };
    manifests
        .iter()
        .flat_map(|text| text.lines().filter_map(path))
        .collect()
}

/// Where the `mod` lines of a file lead; both places are given where two are possible.
fn modules_of(path: &str) -> Vec<String> {
    let text = read(path);
    let dir = Path::new(path).parent().unwrap();
    let own = Path::new(path).with_extension("");
    // `main.rs` and `mod.rs` have their modules beside them, `a.rs` has them in `a/`.
    let base = if path.ends_with("/main.rs") || path.ends_with("/mod.rs") {
        dir
    } else {
        &own
    };
    let (mut found, mut explicit) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if let Some(path) = line
            .strip_prefix("#[path = \"")
            .and_then(|l| l.strip_suffix("\"]"))
        {
            explicit = Some(normal(&dir.join(path)));
        } else if let Some(name) = declared(line) {
            let beside = [
                base.join(format!("{name}.rs")),
                base.join(name).join("mod.rs"),
            ];
            let places = explicit.take().map_or(beside.to_vec(), |path| vec![path]);
            found.extend(
                places
                    .iter()
                    .map(|place| place.to_string_lossy().into_owned()),
            );
        }
    }
    found
}

/// The name in `mod name;`.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_suffix(';')?;
    let line = line
        .strip_prefix("pub(crate) ")
        .or(line.strip_prefix("pub "))
        .unwrap_or(line);
    line.strip_prefix("mod ")
}

/// Takes `..` out of a path that has no links in it.
fn normal(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            clean.pop();
        } else {
            clean.push(part);
        }
    }
    clean
}

#[test]
fn this_suite_reaches_itself() {
    let reached = reached_rust_files();
    for path in [
        "tests/tidy/reach.rs",
        "tests/core/main.rs",
        "tests/support/rng.rs",
    ] {
        assert!(reached.contains(path), "{path} is not in {reached:?}");
    }
}
