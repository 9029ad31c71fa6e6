//! The layers of the library, read from its paths.
//!
//! A module of `pocketdock-core/src` may name only modules of its own layer or of one above, which
//! is what keeps the parsers free of sockets and the endpoints free of options. Within a layer,
//! modules may use each other as long as that goes one way; so may the files of either package.
//!
//! Paths are found as text: `crate::a::b` and `super::b`, in `use` and elsewhere, groups in braces
//! included. Comments and everything from `mod tests` on are left out: links in documentation may
//! point anywhere, and tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{File, rust_files};

/// Top to bottom: a module may use what stands above it.
const LAYERS: [&str; 7] = [
    "wire",
    "error",
    "host",
    "engine",
    "container",
    "project",
    "async_",
];

const CORE: &str = "pocketdock-core/src/";
const CLI: &str = "pocketdock-cli/src/";

/// The library's files.
pub(crate) fn core_files() -> Vec<File> {
    files_below(CORE)
}

/// The command line's files.
pub(crate) fn cli_files() -> Vec<File> {
    files_below(CLI)
}

fn files_below(source: &str) -> Vec<File> {
    let files = rust_files().into_iter();
    let own = files.filter(|file| file.path.starts_with(source));
    own.map(File::without_tests).collect()
}

/// Each use of a lower layer by a higher one, and each module without a layer.
pub(crate) fn violations(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let module = module_of(file);
        let Some(layer) = module.first().map(String::as_str) else {
            continue;
        };
        let Some(rank) = rank(layer) else {
            found.push(format!(
                "{}: module '{layer}' has no place in the layers",
                file.path
            ));
            continue;
        };
        let below = uses(file)
            .into_iter()
            .filter_map(|path| path.into_iter().next());
        let below: BTreeSet<_> = below.filter(|used| self::rank(used) > Some(rank)).collect();
        let complain = |used| format!("{}: '{layer}' uses '{used}', which is below it", file.path);
        found.extend(below.into_iter().map(complain));
    }
    found
}

/// Each circle among the modules of one layer: `wire: json -> value -> json`.
pub(crate) fn circles(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for layer in LAYERS {
        let edges = sibling_uses(files, layer);
        let circle = edges.keys().find_map(|start| path_back_to(start, &edges));
        found.extend(circle.map(|circle| format!("{layer}: {}", circle.join(" -> "))));
    }
    found
}

/// A circle among the files of one package: `args -> command -> args`.
pub(crate) fn file_circle(files: &[File]) -> Option<String> {
    let modules: BTreeSet<_> = files.iter().map(module_of).collect();
    let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
    for file in files {
        let user = module_of(file);
        let used = uses(file)
            .into_iter()
            .filter_map(|path| longest_in(&modules, path));
        let others = used.filter(|module| *module != user);
        let names = others.map(|module| module.join("::")).collect();
        edges.insert(user.join("::"), names);
    }
    let circle = edges.keys().find_map(|start| path_back_to(start, &edges))?;
    Some(circle.join(" -> "))
}

/// The module that has what a path names.
fn longest_in(modules: &BTreeSet<Vec<String>>, mut path: Vec<String>) -> Option<Vec<String>> {
    while !path.is_empty() && !modules.contains(&path) {
        path.pop();
    }
    (!path.is_empty()).then_some(path)
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == layer)
}

/// `["wire", "tar", "header"]` for `wire/tar/header.rs`; nothing for `lib.rs` and `main.rs`.
fn module_of(file: &File) -> Vec<String> {
    let path = file.path.trim_start_matches(CORE).trim_start_matches(CLI);
    let names = path
        .trim_end_matches(".rs")
        .split('/')
        .filter(|name| !["lib", "main", "mod"].contains(name));
    names.map(str::to_owned).collect()
}

/// For each direct child of `layer` the other children it uses.
fn sibling_uses(files: &[File], layer: &str) -> BTreeMap<String, BTreeSet<String>> {
    let child = |file: &File| match module_of(file).as_slice() {
        [first, child, ..] if first == layer => Some(child.clone()),
        _ => None,
    };
    let children: BTreeSet<_> = files.iter().filter_map(child).collect();
    let mut edges = BTreeMap::<String, BTreeSet<String>>::new();
    for file in files {
        let Some(user) = child(file) else { continue };
        let used = uses(file)
            .into_iter()
            .filter(|path| path.first().is_some_and(|l| l == layer));
        let used = used.filter_map(|path| path.into_iter().nth(1));
        let others = used.filter(|name| children.contains(name) && *name != user);
        edges.entry(user.clone()).or_default().extend(others);
    }
    edges
}

/// A way from `start` back to itself, both ends included.
fn path_back_to(start: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut pending = vec![vec![start.to_owned()]];
    while let Some(path) = pending.pop() {
        for next in path
            .last()
            .and_then(|last| edges.get(last))
            .into_iter()
            .flatten()
        {
            let longer = [path.as_slice(), std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                pending.push(longer);
            }
        }
    }
    None
}

/// The absolute module paths that a file names, one to three names long.
fn uses(file: &File) -> Vec<Vec<String>> {
    let code = code_of(&file.text);
    let module = module_of(file);
    let above = if file.path.ends_with("/mod.rs") {
        module.len()
    } else {
        module.len().saturating_sub(1)
    };
    // `super` in `wire/json.rs` is `wire`; in `wire/mod.rs` it is the crate.
    let parent = &module[..above.min(module.len().saturating_sub(1))];
    let mut found = Vec::new();
    for (prefix, base) in [("crate::", &[][..]), ("super::", parent)] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            found.extend(heads(rest).into_iter().map(|tail| [base, &tail].concat()));
        }
    }
    found
}

/// The first names of a path: `a::b::C` gives `[a, b, C]`, `{a::x, b}` gives `[a, x]` and `[b]`.
fn heads(path: &str) -> Vec<Vec<String>> {
    if let Some(group) = path.strip_prefix('{') {
        return members(group)
            .into_iter()
            .flat_map(|member| heads(member.trim()))
            .collect();
    }
    let end = path
        .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
        .unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    if name.is_empty() {
        return Vec::new();
    }
    let tails = rest
        .strip_prefix("::")
        .map(heads)
        .filter(|tails| !tails.is_empty());
    let tails = tails.unwrap_or_else(|| vec![Vec::new()]);
    tails
        .into_iter()
        .map(|tail| [vec![name.to_owned()], tail].concat())
        .collect()
}

/// The members of a group whose opening brace is already taken off.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if 0 < depth => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[start..at]);
                start = at + 1;
            }
            '}' => {
                found.push(&group[start..at]);
                break;
            }
            _ => {}
        }
    }
    found
}

/// The text without comments.
fn code_of(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{File, circles, file_circle, violations};

    fn file(path: &str, text: &str) -> File {
        File {
            path: format!("pocketdock-core/src/{path}"),
            text: text.to_owned(),
        }
    }

    #[test]
    fn uses_upwards_are_fine() {
        let files = [
            file("lib.rs", "mod wire; pub use crate::container::Container;"),
            file(
                "wire/json.rs",
                "//! See [`crate::engine`].\nuse super::value::Value;",
            ),
            file(
                "engine/exec.rs",
                "use crate::{error::Error, wire::{http, json}};",
            ),
            file(
                "wire/http.rs",
                "#[cfg(test)]\nmod tests {\n use crate::engine::Engine; }",
            )
            .without_tests(),
        ];
        assert_eq!(violations(&files), Vec::<String>::new());
    }

    #[test]
    fn uses_downwards_are_found() {
        let cases = [
            ("wire/json.rs", "use crate::engine::Engine;"),
            (
                "wire/json.rs",
                "use crate::{\n    wire::value,\n    error::Error,\n};",
            ),
            ("engine/mod.rs", "fn f() { crate::container::open() }"),
            ("engine/mod.rs", "use super::project;"),
            ("error.rs", "use super::host::now;"),
            ("misc.rs", ""),
        ];
        for (path, text) in cases {
            assert_eq!(violations(&[file(path, text)]).len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn circles_are_found() {
        let a = file("wire/a.rs", "use super::{b, c::X};");
        let b = file("wire/b.rs", "use crate::wire::c;");
        assert_eq!(
            circles(&[a, b, file("wire/c.rs", "")]),
            Vec::<String>::new()
        );
        let a = file("wire/a.rs", "use super::b::Y;");
        let b = file("wire/b/inner.rs", "use crate::wire::a::Z;");
        assert_eq!(circles(&[a, b]), ["wire: a -> b -> a"]);
    }

    #[test]
    fn circles_of_files_are_found() {
        let below = file("wire/a.rs", "mod inner; use crate::wire::b::X;");
        let b = file("wire/b.rs", "use crate::wire::a::inner::Y;");
        assert_eq!(file_circle(&[below, b, file("wire/a/inner.rs", "")]), None);
        let inner = file("wire/a/inner.rs", "use super::Z;");
        let above = file("wire/a.rs", "use crate::wire::{a::inner, c};");
        assert_eq!(
            file_circle(&[above, inner, file("lib.rs", "use crate::wire::a;")]).as_deref(),
            Some("wire::a -> wire::a::inner -> wire::a")
        );
    }
}
