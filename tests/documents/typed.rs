//! The blocks of shell: `sh` has to go well line by line, `console` has to print what stands there.
//!
//! In what stands there `…` is anything within a line, and a line of it alone any lines.

use crate::live::{Live, live, text};
use crate::one_at_a_time;
use crate::reader::Reader;
use crate::support::documents::{Block, blocks, documents};

/// What a guide takes for granted beside files, typed before its first block.
const GRANTED: [(&str, &str); 2] = [
    ("docs/architecture.md", "pocketdock create --name box"),
    (
        "docs/files.md",
        "pocketdock create --name box -u root
        pocketdock run box 'mkdir -p /srv /home/sandbox/results'",
    ),
];

/// Each command there has a page of its own, which takes for granted what it names: the word, and
/// what is typed before unless the page makes it itself.
const REFERENCE: &str = "docs/cli.md";
const NAMED: [(&str, &str, &str); 5] = [
    (
        " box",
        "--name box",
        "pocketdock create --name box -u root
        pocketdock run box 'mkdir -p /srv /home/sandbox/results'
        pocketdock run box 'printf \"#!/bin/sh\\necho made\\n\" >/bin/make; chmod +x /bin/make'",
    ),
    (" web", "--name web", "pocketdock create --name web"),
    (
        "web:ready",
        "snapshot web",
        "pocketdock snapshot web web:ready",
    ),
    ("site.tar", "-o site.tar", "tar -cf site.tar site"),
    (
        "images.tar",
        "-o images.tar",
        "pocketdock export --profile minimal-python -o images.tar.gz
        gzip -dk images.tar.gz",
    ),
];

#[test]
fn what_the_guides_show_happens() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let mut faults = Vec::new();
    for document in documents().iter().filter(|it| *it != REFERENCE) {
        let blocks = blocks(document);
        if blocks.iter().all(|block| block.typed().is_empty()) {
            continue;
        }
        let reader = Reader::new(&live);
        if let Some((_, script)) = GRANTED.iter().find(|(guide, _)| guide == document) {
            reader.prepares(script);
        }
        faults.extend(blocks.iter().flat_map(|block| type_in(&reader, block)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn examples_of_the_reference_work() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let blocks = blocks(REFERENCE);
    let faults = blocks.iter().filter(|block| !block.typed().is_empty());
    let faults: Vec<_> = faults.flat_map(|block| read_page(&live, block)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The example of one command.
fn read_page(live: &Live, block: &Block) -> Vec<String> {
    let reader = Reader::new(live);
    reader.prepares("pocketdock init");
    for (word, makes_it, script) in NAMED {
        if block.text.contains(word) && !block.text.contains(makes_it) {
            reader.prepares(script);
        }
    }
    type_in(&reader, block)
}

/// Types a block; says what does not come out as it should.
fn type_in(reader: &Reader<'_>, block: &Block) -> Vec<String> {
    match block.language.as_str() {
        "sh" => type_lines(reader, block),
        "console" => compare(reader, block),
        _ => Vec::new(),
    }
}

fn type_lines(reader: &Reader<'_>, block: &Block) -> Vec<String> {
    let lines = block.typed().into_iter();
    let lines: Vec<_> = lines.filter(|line| block.by_hand(line).is_none()).collect();
    let output = reader.types("-ex", &lines.join("\n"));
    if output.status.success() {
        return Vec::new();
    }
    let (place, code) = (block.place(), output.status);
    vec![format!("{place}: {code}\n{}", text(&output.stdout))]
}

fn compare(reader: &Reader<'_>, block: &Block) -> Vec<String> {
    let mut faults = Vec::new();
    for (line, wanted) in steps(&block.text) {
        if block.by_hand(line).is_some() {
            continue;
        }
        let output = reader.types("+e", line);
        let got = String::from_utf8_lossy(&output.stdout);
        if !matches(&wanted, &got.lines().collect::<Vec<_>>()) {
            let (place, wanted) = (block.place(), wanted.join("\n"));
            faults.push(format!(
                "{place}: $ {line}\n-- wanted\n{wanted}\n-- got\n{got}"
            ));
        }
    }
    faults
}

/// What is typed, and the lines that have to come of it.
fn steps(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(typed), _) => steps.push((typed, Vec::new())),
            (None, Some((_, wanted))) => wanted.push(line),
            (None, None) => panic!("a block begins with '{line}'"),
        }
    }
    steps
}

/// Whether lines are what is wanted.
fn matches(wanted: &[&str], got: &[&str]) -> bool {
    match (wanted, got) {
        ([], []) => true,
        (["…", rest @ ..], _) => (0..=got.len()).any(|n| matches(rest, &got[n..])),
        ([line, wanted @ ..], [found, got @ ..]) => is_like(line, found) && matches(wanted, got),
        _ => false,
    }
}

/// Whether a line is like one in which `…` is anything.
fn is_like(wanted: &str, got: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('…') else {
        return wanted == got;
    };
    let Some(left) = got.strip_prefix(start) else {
        return false;
    };
    let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    ends.into_iter().any(|at| is_like(rest, &left[at..]))
}

#[test]
fn dots_stand_for_anything() {
    let cases = [
        ("a…c", "abbc", true),
        ("a…", "a", true),
        ("a…c…", "abc", true),
        ("a…c", "abcd", false),
        ("abc", "abc", true),
    ];
    for (wanted, got, same) in cases {
        assert_eq!(is_like(wanted, got), same, "{wanted} {got}");
    }
    assert!(matches(&["a", "…", "d"], &["a", "b", "c", "d"]));
    assert!(matches(&["a", "…"], &["a"]));
    assert!(!matches(&["a"], &["a", "b"]));
}
