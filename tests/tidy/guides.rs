//! What the guides, the Markdown files of the repository, say about the rest of it.
//!
//! Four things are checked: a link inside the repository leads to a file and, where it names one,
//! to a heading; a path to a source file, in backticks, is one from the root or below one of the
//! two `src` directories; what a sample types after `pocketdock` is a command; and the README has
//! a row for each command and each guide.

use std::collections::BTreeSet;

use crate::tree::{self, File, root, text_files};

/// What may follow `pocketdock` in a sample beside a command and an option.
const NO_COMMAND: [&str; 3] = ["COMMAND", "[OPTIONS]", "help"];

/// Made from the table of commands, which the tests of the command line see to.
const REFERENCE: &str = "docs/cli.md";

/// Where a path may begin.
const BASES: [&str; 3] = ["", "pocketdock-core/src/", "pocketdock-cli/src/"];

fn guides() -> Vec<File> {
    let guide = |file: &File| file.has_extension(&["md"]);
    text_files().into_iter().filter(guide).collect()
}

/// Links that lead nowhere.
pub(crate) fn broken_links() -> Vec<String> {
    let broken = |file: File| {
        let targets = targets(&file.text).into_iter();
        let outside = |target: &String| target.contains("://");
        let broken = targets.filter(|target| !outside(target) && !leads_somewhere(&file, target));
        let lines: Vec<_> = broken.map(|t| format!("{}: {t}", file.path)).collect();
        lines
    };
    guides().into_iter().flat_map(broken).collect()
}

/// What stands between `](` and `)`.
fn targets(text: &str) -> Vec<String> {
    let links = text.split("](").skip(1);
    let targets = links.filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

fn leads_somewhere(from: &File, target: &str) -> bool {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = from.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let at = root().join(folder).join(path);
    let text = if path.is_empty() {
        Ok(from.text.clone())
    } else {
        std::fs::read_to_string(&at)
    };
    match text {
        Ok(text) => heading.is_empty() || anchors(&text).contains(heading),
        Err(_) => heading.is_empty() && at.is_dir(),
    }
}

/// The headings as links name them: lower case, blanks as dashes, no punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
        title
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Paths to source files that are not there.
pub(crate) fn missing_files() -> Vec<String> {
    let source = |word: &&str| [".rs", ".sh", ".py"].iter().any(|end| word.ends_with(end));
    let plain = |word: &&str| word.contains('/') && !word.contains(['*', '{', ' ']);
    let there = |word: &str| {
        BASES
            .iter()
            .any(|base| root().join(base).join(word).is_file())
    };
    let missing = |file: File| {
        let words = file.text.split('`').filter(source).filter(plain);
        let missing = words.filter(|word| !there(word));
        let lines: Vec<_> = missing.map(|w| format!("{}: {w}", file.path)).collect();
        lines
    };
    guides().into_iter().flat_map(missing).collect()
}

/// Commands and guides that the README has no row for.
pub(crate) fn unlisted() -> Vec<String> {
    let readme = tree::read("README.md");
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    let listed = |what: &str| {
        let in_first = |row: &&str| {
            row.split('|')
                .nth(1)
                .is_some_and(|cell| cell.contains(what))
        };
        rows.iter().any(in_first)
    };
    let reference = tree::read(REFERENCE);
    let headings = reference
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    let commands = headings.filter(|name| name.starts_with(|c: char| c.is_lowercase()));
    let commands = commands.map(|name| format!("`{name}`"));
    let guides = guides().into_iter().map(|file| file.path);
    let guides = guides.filter(|path| path.starts_with("docs/"));
    let links = guides.map(|path| format!("({path})"));
    commands.chain(links).filter(|what| !listed(what)).collect()
}

/// Commands in samples that do not exist.
pub(crate) fn unknown_commands() -> Vec<String> {
    let reference = tree::read(REFERENCE);
    let headings = reference
        .lines()
        .filter_map(|line| line.strip_prefix("## "));
    let known: BTreeSet<_> = headings.chain(NO_COMMAND).collect();
    let unknown = |file: File| {
        let samples = file.text.split(['`', '\n', '|', '$']).map(str::trim);
        let words = samples.filter_map(|text| text.strip_prefix("pocketdock "));
        let commands = words.filter_map(|rest| rest.split([' ', '#', ';']).next());
        let unknown = commands.filter(|word| !word.starts_with('-') && !known.contains(word));
        let lines: Vec<_> = unknown.map(|w| format!("{}: {w}", file.path)).collect();
        lines
    };
    let written = |file: &File| file.path != REFERENCE;
    let guides = guides().into_iter().filter(written);
    guides.flat_map(unknown).collect()
}
