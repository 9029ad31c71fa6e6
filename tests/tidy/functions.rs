//! The length of functions, as rustfmt lays them out.
//!
//! A function goes from its `fn` line to the first line that is its own indentation and a closing
//! brace. Attributes and doc comments do not count.

use super::tree::File;

/// Most lines of a function.
const LINES_MAX: usize = 70;

/// `path:line: name has n lines` for each function over the limit.
pub(crate) fn too_long(file: &File) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let starts = lines
        .iter()
        .enumerate()
        .filter_map(|(i, line)| name(line).map(|name| (i, name)));
    let measured = starts.map(|(start, name)| (start, name, length(&lines[start..])));
    measured
        .filter(|&(_, _, len)| LINES_MAX < len)
        .map(|(i, name, len)| format!("{}:{}: `{name}` has {len} lines", file.path, i + 1))
        .collect()
}

/// The name if a function starts on this line.
fn name(line: &str) -> Option<&str> {
    let mut words = line.trim_start().split(' ');
    let keyword = |word: &str| {
        matches!(word, "const" | "async" | "unsafe" | "safe" | "extern" | "\"C\"")
            || word.starts_with("pub")
            // What a visibility holds: `pub(in crate::wire)`.
            || word.ends_with(')')
    };
    let first = words.find(|word| !keyword(word))?;
    let name = (first == "fn").then(|| words.next())??;
    name.split(['(', '<']).next()
}

/// Lines up to the closing brace; 1 for a declaration without a body.
fn length(lines: &[&str]) -> usize {
    let first = lines[0];
    let indent = &first[..first.len() - first.trim_start().len()];
    let close = format!("{indent}}}");
    let declared = lines
        .iter()
        .position(|line| line.ends_with(['{', ';', '}']))
        .unwrap_or(0);
    if lines[declared].ends_with([';', '}']) {
        return declared + 1;
    }
    lines.iter().position(|line| *line == close).unwrap_or(0) + 1
}

#[test]
fn lengths_are_counted() {
    let lines = [
        "    fn a(",
        "        b: u8,",
        "    ) {",
        "        if c {",
        "        }",
        "    }",
    ];
    assert_eq!(length(&lines), 6);
    assert_eq!(length(&["fn a();", "}"]), 1);
    assert_eq!(length(&["fn a() {}", "}"]), 1);
    assert_eq!(name("    pub(crate) const fn a<T>(b: T) {"), Some("a"));
    assert_eq!(name("    let f = fn_of(x);"), None);
    let text = format!("fn long() {{\n{}}}\n", "    a();\n".repeat(69));
    let file = File {
        path: "x.rs".to_owned(),
        text,
    };
    assert_eq!(too_long(&file), ["x.rs:1: `long` has 71 lines"]);
}
