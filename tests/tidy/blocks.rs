//! The code in the guides: every block is of a kind that a test does something with, and what can
//! be read without an engine is read.
//!
//! `tests/documents` runs the rest on real engines.

use pocketdock_core::wire::{json, yaml};

use crate::documents::{BY_HAND, Block, all_blocks};
use crate::tree;

/// What a line of a Dockerfile may begin with.
const INSTRUCTIONS: [&str; 9] = [
    "ARG", "CMD", "COPY", "ENV", "FROM", "RUN", "USER", "WORKDIR", "#",
];

/// Blocks that nothing is done with, or that cannot be read.
pub(crate) fn unaccounted() -> Vec<String> {
    let wrong = |block: &Block| Some(format!("{}: {}", block.place(), fault(block)?));
    all_blocks().iter().filter_map(wrong).collect()
}

/// Rows of the table of exceptions that except nothing.
pub(crate) fn stale_exceptions() -> Vec<String> {
    let blocks = all_blocks();
    let used = |row: usize| {
        let mut lines = blocks.iter().flat_map(|block| {
            let lines = block.typed().into_iter();
            lines.map(move |line| block.by_hand(line))
        });
        lines.any(|found| found == Some(row))
    };
    let stale = (0..BY_HAND.len()).filter(|row| !used(*row));
    stale.map(|row| format!("{:?}", BY_HAND[row])).collect()
}

/// Files and suites that the lines which are not run name, and that are not there.
pub(crate) fn missing_tools() -> Vec<String> {
    let blocks = all_blocks();
    let lines = blocks.iter().flat_map(|block| {
        let lines = block.typed().into_iter();
        lines.map(move |line| (block, line))
    });
    let missing = lines.filter_map(|(block, line)| {
        let missing = missing_tool(line)?;
        Some(format!("{}: {missing} in '{line}'", block.place()))
    });
    missing.collect()
}

fn missing_tool(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let script = |word: &&str| word.starts_with("tests/") || word.starts_with("docs/");
    let mut files = words.iter().filter(|word| script(word));
    if let Some(file) = files.find(|file| !tree::root().join(file).exists()) {
        return Some((*file).to_owned());
    }
    let manifests = ["pocketdock-core/Cargo.toml", "pocketdock-cli/Cargo.toml"].map(tree::read);
    let target = |name: &str| {
        let entry = format!("name = \"{name}\"");
        manifests.iter().any(|text| text.contains(&entry))
    };
    let named = words
        .windows(2)
        .find(|pair| ["--test", "--bench", "--example"].contains(&pair[0]) && !target(pair[1]));
    named.map(|pair| pair.join(" "))
}

/// What is wrong with a block.
fn fault(block: &Block) -> Option<String> {
    let each_line = |fault: &dyn Fn(&str) -> Option<String>| block.text.lines().find_map(fault);
    match block.language.as_str() {
        "sh" => each_line(&|line| {
            let prompt = line.starts_with("$ ");
            prompt.then(|| "a prompt belongs into a `console` block".to_owned())
        }),
        "console" => (!block.text.starts_with("$ ")).then(|| "expected `$ ` first".to_owned()),
        "text" => each_line(&|line| {
            let prompt = line.starts_with("$ ");
            prompt.then(|| "what is typed belongs into a `console` block".to_owned())
        }),
        "rust" => unread_rust(block),
        "toml" => (!block.text.starts_with("[dependencies]\n"))
            .then(|| "expected what tests/documents can build with".to_owned()),
        "yaml" => yaml::parse(block.text.as_bytes())
            .err()
            .map(|error| error.to_string()),
        "json" => each_line(&|line| json::parse(line.as_bytes()).err().map(|e| e.to_string())),
        "dockerfile" => each_line(&|line| {
            let known = INSTRUCTIONS.iter().any(|word| line.starts_with(word));
            (!known).then(|| format!("'{line}' is no instruction"))
        }),
        other => Some(format!("no test does anything with '{other}'")),
    }
}

/// A guide whose Rust is not compiled has to have it from a test.
fn unread_rust(block: &Block) -> Option<String> {
    let compiled = format!("include_str!(\"../../{}\")", block.document);
    if tree::read("pocketdock-core/src/lib.rs").contains(&compiled) {
        return None;
    }
    let flat = |text: &str| text.split_whitespace().collect::<String>();
    let wanted = flat(&block.text);
    let files = tree::rust_files();
    let mut tests = files.iter().filter(|file| file.path.starts_with("tests/"));
    let found = tests.any(|file| flat(&file.text).contains(&wanted));
    (!found).then(|| "add the guide to `mod guides` in lib.rs, or the code to a test".to_owned())
}
