//! The guides, README.md and docs/*.md, taken apart into their fenced blocks.
//!
//! What becomes of a block is told by the first word after its fence:
//!
//! ```text
//! sh          run on a real engine, line after line, by tests/documents
//! console     the same, and what it prints compared with what stands there
//! rust        compiled by rustdoc, and run by tests/documents
//! toml        the manifest of the package that does it
//! yaml        read as a project's settings
//! json        read, a line at a time
//! dockerfile  looked over: they install packages
//! text        nothing to run
//! ```
//!
//! Lines that a test can not run as they stand are in [`BY_HAND`], with the reason.

use std::fs;
use std::path::{Path, PathBuf};

/// What is between two fences.
#[derive(Debug)]
pub(crate) struct Block {
    /// The document's path from the root.
    pub(crate) document: String,
    /// The line of the opening fence.
    pub(crate) line: usize,
    /// The first word after it.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// Lines of `sh` and `console` blocks that are not run: the document, how they begin, and why.
#[rustfmt::skip] // one row per line
pub(crate) const BY_HAND: &[(&str, &str, &str)] = &[
    ("README.md",           "bash docs/quickstart.sh",        "installs an engine"),
    ("README.md",           "bash tests/run.sh",              "runs this test"),
    ("docs/quickstart.md",  "bash docs/quickstart.sh",        "installs an engine"),
    ("docs/quickstart.md",  "systemctl --user start",         "starts a service of the machine"),
    ("docs/quickstart.md",  "cargo install",                  "installs into the user's home"),
    ("docs/quickstart.md",  "pocketdock build",               "tests/run.sh does, before this"),
    ("docs/images.md",      "pocketdock build",               "takes minutes: tests/images.sh does it"),
    ("docs/images.md",      "pocketdock run --profile agent", "its image takes minutes: tests/images.sh"),
    ("docs/images.md",      "pocketdock run box --timeout",   "uses the network: tests/images.sh does it"),
    ("docs/images.md",      "pocketdock create --profile dev", "its image takes minutes: tests/images.sh"),
    ("docs/images.md",      "pocketdock run rooted",          "uses the network: tests/images.sh does it"),
    ("docs/air-gap.md",     "cargo build --release",          "was done to get here"),
    ("docs/air-gap.md",     "git archive",                    "tests/vendor.sh does it"),
    ("docs/air-gap.md",     "cargo package",                  "tests/vendor.sh does it"),
    ("docs/air-gap.md",     "tar -xzf target/package",        "tests/vendor.sh does it"),
    ("docs/cli.md",         "pocketdock create --profile dev", "its image takes minutes: tests/images.sh"),
    ("docs/cli.md",         "pocketdock build",               "takes minutes: tests/images.sh does it"),
    ("docs/cli.md",         "pocketdock export --all",        "the images of all profiles take an hour"),
    ("docs/cli.md",         "pocketdock stop --all",          "stops what others run on this engine"),
    ("docs/cli.md",         "pocketdock shell",               "needs keys: tests/live_cli/shell.rs"),
    ("docs/engines.md",     "bash tests/matrix.sh",           "takes an hour, on engines of its own"),
    ("docs/performance.md", "bash tests/bench/run.sh",        "takes an hour, on a machine of its own"),
    ("docs/performance.md", "POCKETDOCK_BENCH_SCALE",         "takes minutes, on a machine of its own"),
    ("docs/performance.md", "bash tests/bench/instructions",  "needs valgrind and its toolchain"),
    ("docs/testing.md",     "bash",                           "runs this test, or what it runs in"),
    ("docs/testing.md",     "cargo",                          "runs this test, or others beside it"),
    ("docs/testing.md",     "export POCKETDOCK_TEST",         "says where this test runs"),
    ("docs/testing.md",     "POCKETDOCK_FUZZ_RUNS",           "takes an hour"),
    ("docs/testing.md",     "ENGINES_DATA_SIZE",              "tests/run.sh --long does it"),
    ("docs/testing.md",     "POCKETDOCK_TEST_ENGINE_DIR",     "tests/run.sh --long does it"),
    ("docs/testing.md",     "POCKETDOCK_TEST_FAULTS",         "tests/run.sh --long does it"),
    ("docs/testing.md",     "POCKETDOCK_TEST_ALONE",          "runs another suite beside this one"),
    ("docs/testing.md",     "python3 tests/fixtures",         "writes fixtures anew"),
    ("docs/testing.md",     "/usr/bin/python3 tests/yaml",    "tests/run.sh does it"),
];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap().to_path_buf()
}

/// The guides' paths from the root.
pub(crate) fn documents() -> Vec<String> {
    let names = fs::read_dir(root().join("docs")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let guides = names.filter(|name| name.ends_with(".md"));
    let mut found: Vec<_> = guides.map(|name| format!("docs/{name}")).collect();
    found.push("README.md".to_owned());
    found.sort();
    found
}

/// The blocks of a guide.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (i, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), found.last_mut()) {
            (Some(_), Some(_)) if open => open = false,
            (Some(info), _) => {
                let language = info.split([',', ' ']).next().unwrap().to_owned();
                open = true;
                found.push(Block {
                    document: document.to_owned(),
                    line: i + 1,
                    language,
                    text: String::new(),
                });
            }
            (None, Some(block)) if open => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, _) => {}
        }
    }
    assert!(!open, "{document}: a block is not closed");
    found
}

/// The blocks of all guides.
pub(crate) fn all_blocks() -> Vec<Block> {
    documents().iter().flat_map(|it| blocks(it)).collect()
}

impl Block {
    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.document, self.line)
    }

    /// The lines that are typed: all of `sh`, those behind a `$` of `console`.
    pub(crate) fn typed(&self) -> Vec<&str> {
        let lines = self.text.lines();
        match self.language.as_str() {
            "sh" => lines.collect(),
            "console" => lines.filter_map(|line| line.strip_prefix("$ ")).collect(),
            _ => Vec::new(),
        }
    }

    /// The row of [`BY_HAND`] that keeps a line from being run.
    pub(crate) fn by_hand(&self, line: &str) -> Option<usize> {
        BY_HAND
            .iter()
            .position(|(document, start, _)| *document == self.document && line.starts_with(start))
    }
}
