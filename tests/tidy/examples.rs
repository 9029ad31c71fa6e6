//! Every public item of core is in an example: a code block of its documentation or of a guide.
//!
//! What counts as shown: anything by an example on itself; a type, trait or constant by its name;
//! a type also by an example on one of its functions; a function by a bare call or behind its
//! module's name; what is called on a type as `Type::name`; a method also as `.name(`; a module by
//! an example in its file or below. Fields and variants are left to their types.
//!
//! Names are compared, not what they stand for: a method is taken as shown when another type's of
//! the same name is, which is how the mirrored operations of `async_` pass. Items are found as
//! rustfmt lays them out, at the margin and one step in; those of macros and the methods of traits
//! are not seen.

use std::collections::BTreeSet;

use crate::layers::core_files;
use crate::tree::{self, File};

/// Guides with examples of the library.
const GUIDES: [&str; 4] = [
    "README.md",
    "docs/library.md",
    "docs/projects.md",
    "docs/sessions.md",
];

/// A public item: where it stands and the ways to write it, one of which has to be in an example.
struct Item {
    place: String,
    spellings: Vec<String>,
    /// An example stands on the item itself.
    has_own: bool,
}

/// `path:line: item` for each public item that no example shows.
pub(crate) fn missing() -> Vec<String> {
    let files: Vec<_> = core_files().into_iter().map(File::without_tests).collect();
    let guides = GUIDES.map(tree::read);
    let docs = files.iter().map(|file| documentation(&file.text));
    let examples: Vec<String> = docs
        .chain(guides)
        .flat_map(|text| examples(&text))
        .collect();
    let exported = exported(&files);
    let found = files
        .iter()
        .flat_map(|file| items(file, is_public(file, &files), &exported));
    let found: Vec<Item> = found.collect();
    let on_a_part = |item: &Item| {
        let part = format!("{}::", item.spellings[0]);
        let parts = found.iter().filter(|other| other.has_own);
        parts
            .flat_map(|other| &other.spellings)
            .any(|s| s.starts_with(&part))
    };
    let in_an_example = |s: &String| examples.iter().any(|example| shows(example, s));
    let shown =
        |item: &&Item| item.has_own || on_a_part(item) || item.spellings.iter().any(in_an_example);
    let missing = found.iter().filter(|item| !shown(item));
    let missing = missing.map(|item| item.place.clone());
    missing.chain(modules_without(&files)).collect()
}

/// The text of the doc comments.
fn documentation(text: &str) -> String {
    let comment = |line: &&str| line.starts_with("//!") || line.starts_with("///");
    let lines = text.lines().map(str::trim_start).filter(comment);
    let text = lines.map(|line| line[3..].strip_prefix(' ').unwrap_or(&line[3..]));
    text.collect::<Vec<_>>().join("\n")
}

/// The blocks of Rust in Markdown.
fn examples(markdown: &str) -> Vec<String> {
    let blocks = markdown.split("```").skip(1).step_by(2);
    let rust = |language: &str| {
        let words = ["", "rust", "no_run", "should_panic"];
        language.split(',').all(|word| words.contains(&word.trim()))
    };
    let blocks = blocks.filter_map(|block| block.split_once('\n'));
    let blocks = blocks.filter(|(language, _)| rust(language));
    blocks.map(|(_, code)| code.to_owned()).collect()
}

/// Whether the spelling is in the example and is no part of longer words.
fn shows(example: &str, spelling: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    // Such a call behind a dot or a path is one of something else.
    let function = spelling.ends_with('(') && !spelling.contains(['.', ':']);
    example.match_indices(spelling).any(|(at, _)| {
        let (before, after) = (&example[..at], &example[at + spelling.len()..]);
        let open = spelling.starts_with('.') || !before.ends_with(part);
        let foreign = function && (before.ends_with('.') || before.ends_with("::"));
        open && !foreign && (spelling.ends_with('(') || !after.starts_with(part))
    })
}

/// The names in the `pub use` of all files.
fn exported(files: &[File]) -> BTreeSet<String> {
    let uses = files
        .iter()
        .flat_map(|file| file.text.split("\npub use ").skip(1));
    let lists = uses.filter_map(|rest| rest.split(';').next());
    let words = lists.flat_map(|list| list.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.map(str::to_owned).collect()
}

/// The module's path from the crate's root: `wire::tar`, and nothing for the root.
fn module(file: &File) -> String {
    let path = file.path.trim_start_matches("pocketdock-core/src/");
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.trim_end_matches("lib").replace('/', "::")
}

/// Whether each module on the way to this one is declared with `pub mod`.
fn is_public(file: &File, files: &[File]) -> bool {
    let own = module(file);
    let (parent, name) = own.rsplit_once("::").unwrap_or(("", &own));
    let declaration = format!("\npub mod {name};");
    let declares = |f: &&File| module(f) == parent;
    own.is_empty()
        || files
            .iter()
            .find(declares)
            .is_some_and(|f| f.text.contains(&declaration) && is_public(f, files))
}

/// The public items of a file; those of a private module only where a `pub use` names them.
fn items(file: &File, public: bool, exported: &BTreeSet<String>) -> Vec<Item> {
    let own = module(file);
    let parent = own.rsplit("::").next().unwrap_or("");
    let reached = |name: &str| public || exported.contains(name);
    let lines: Vec<&str> = file.text.lines().collect();
    let (mut owner, mut found) = (None, Vec::new());
    for (i, line) in lines.iter().enumerate() {
        match *line {
            "}" => owner = None,
            _ if line.starts_with("impl") => owner = implemented(line),
            _ => {}
        }
        let inside = line.starts_with("    pub ");
        let Some((kind, name)) = declared(line.strip_prefix("    ").unwrap_or(line)) else {
            continue;
        };
        let spellings = match owner {
            Some(owner) if inside && reached(owner) => {
                let mut spellings = vec![format!("{owner}::{name}")];
                if takes_self(&lines[i..]) {
                    spellings.extend([format!(".{name}("), format!(".{name}::<")]);
                }
                spellings
            }
            None if line.starts_with("pub ") && reached(name) => match kind {
                "fn" => vec![
                    format!("{parent}::{name}"),
                    format!("pocketdock_core::{name}"),
                    format!("{name}("),
                ],
                _ => vec![name.to_owned()],
            },
            _ => continue,
        };
        let place = format!("{}:{}: {}", file.path, i + 1, spellings[0]);
        let has_own = !examples(&above(&lines[..i])).is_empty();
        found.push(Item {
            place,
            spellings,
            has_own,
        });
    }
    found
}

/// The doc comment of the item below these lines.
fn above(lines: &[&str]) -> String {
    let attached = |line: &&&str| line.trim_start().starts_with(['/', '#']);
    let count = lines.iter().rev().take_while(attached).count();
    documentation(&lines[lines.len() - count..].join("\n"))
}

/// The type whose own `impl` block opens on this line.
fn implemented(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("impl")
        .filter(|_| !line.contains(" for "))?;
    let rest = if rest.starts_with('<') {
        rest.split_once("> ")?.1
    } else {
        rest
    };
    rest.trim_start().split([' ', '<']).next()
}

/// The kind and the name of the public item that this line declares.
fn declared(line: &str) -> Option<(&str, &str)> {
    let kinds = ["fn", "struct", "enum", "trait", "type", "const", "static"];
    let line = line.strip_prefix("pub ")?;
    let line = ["const fn", "async fn"]
        .iter()
        .find(|two| line.starts_with(**two))
        .map_or(line, |_| &line["const ".len()..]);
    let (kind, rest) = line.split_once(' ')?;
    let name = rest
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    kinds.contains(&kind).then_some((kind, name))
}

/// Whether the function that starts here has a receiver.
fn takes_self(lines: &[&str]) -> bool {
    let end = lines
        .iter()
        .position(|line| line.ends_with(['{', ';', '}']));
    let signature = &lines[..=end.unwrap_or(0)];
    let word = |c: char| !c.is_alphanumeric() && c != '_';
    signature
        .iter()
        .any(|line| line.split(word).any(|word| word == "self"))
}

/// Public modules with no example, neither in the file nor in a module below.
fn modules_without(files: &[File]) -> Vec<String> {
    let has = |file: &File| !examples(&documentation(&file.text)).is_empty();
    let below = |outer: &File, inner: &File| {
        let (outer, inner) = (module(outer), module(inner));
        inner == outer || inner.starts_with(&format!("{outer}::"))
    };
    let shown = |file: &File| files.iter().any(|f| below(file, f) && has(f));
    let bare = files
        .iter()
        .filter(|file| is_public(file, files) && !shown(file));
    bare.map(|file| format!("{}: module {}", file.path, module(file)))
        .collect()
}

#[test]
fn items_and_what_shows_them_are_found() {
    let file = |path: &str, text: &str| File {
        path: format!("pocketdock-core/src/{path}"),
        text: text.to_owned(),
    };
    let root = file(
        "lib.rs",
        "//! ```\n//! ```\n\npub mod a;\npub use b::Shown;\n",
    );
    let public = "\npub const fn free() {}\n\npub struct S<'a>;\n\nimpl<'a> S<'a> {\n    \
        pub fn new() -> Self {}\n\n    pub(crate) fn own(&self) {}\n\n    \
        pub fn get(\n        &self,\n    ) {}\n}\n";
    let private = "pub struct Shown;\n\npub struct Hidden;\n";
    let files = [root, file("a.rs", public), file("b.rs", private)];
    let exported = exported(&files);
    let found = files
        .iter()
        .flat_map(|file| items(file, is_public(file, &files), &exported));
    let found: Vec<_> = found.map(|item| item.spellings.join(" ")).collect();
    let want = [
        "a::free pocketdock_core::free free(",
        "S",
        "S::new",
        "S::get .get( .get::<",
        "Shown",
    ];
    assert_eq!(found, want);
    assert_eq!(modules_without(&files).len(), 1);

    let cases = [
        ("free()", "free(", true),
        ("x.free()", "free(", false),
        ("carefree()", "free(", false),
        ("s.get(key)", ".get(", true),
        ("s.getter(key)", ".get(", false),
        ("let s: S = f();", "S", true),
        ("S::new()", "S::new", true),
        ("MyS::newer()", "S::new", false),
    ];
    for (example, spelling, want) in cases {
        assert_eq!(shows(example, spelling), want, "{spelling} in {example}");
    }
    let text = "```text\nno\n```\n```no_run\nyes\n```\n";
    assert_eq!(examples(text), ["yes\n"]);
}
