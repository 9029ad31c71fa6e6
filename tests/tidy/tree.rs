//! The files of the repository and what they hold.
//!
//! Git says which files there are, new ones included and ignored ones not; where there is no
//! repository (a vendored copy) every file counts but those under `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether the file's name ends in one of these extensions, given without a dot.
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension().and_then(|e| e.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    }

    /// Whether a person writes this file, as opposed to recordings and expected output.
    pub(crate) fn is_source(&self) -> bool {
        let data = ["tests/fixtures/", "tests/corpus/", "tests/cli/golden/"];
        !data.iter().any(|prefix| self.path.starts_with(prefix)) || self.has_extension(&["py"])
    }

    /// The file up to the unit tests that end it.
    pub(crate) fn without_tests(mut self) -> Self {
        let tests = self
            .text
            .find("#[cfg(test)]\nmod ")
            .unwrap_or(self.text.len());
        self.text.truncate(tests);
        self
    }

    /// The file without what has to stay whole however long its lines are: tables with one case
    /// per line, and samples in raw strings.
    pub(crate) fn without_samples(mut self) -> Self {
        let mut closing: Option<String> = None;
        let mut kept = Vec::new();
        for line in self.text.lines() {
            if closing.is_none() {
                closing = closing_of(line);
            }
            let blank = closing.is_some();
            if closing
                .as_deref()
                .is_some_and(|closing| line.ends_with(closing))
            {
                closing = None;
            }
            kept.push(if blank { "" } else { line });
        }
        self.text = kept.join("\n");
        self
    }

    /// `sh` or `bash` for a shell script, by its first line or its name.
    pub(crate) fn interpreter(&self) -> Option<&str> {
        let by_line = self
            .text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("#!"));
        let by_line = by_line.and_then(|line| line.rsplit(['/', ' ']).next());
        by_line.or_else(|| self.has_extension(&["sh"]).then_some("bash"))
    }
}

/// How the line ends that ends the table or sample which begins on `line`.
fn closing_of(line: &str) -> Option<String> {
    let indent = line.len() - line.trim_start().len();
    if line.contains("#[rustfmt::skip]") {
        return Some(format!("{}];", " ".repeat(indent)));
    }
    let (_, sample) = line.split_once("r#\"")?;
    Some(if sample.contains("\"#") { line } else { "\"#;" }.to_owned())
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Reads a file that has to be there.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("cannot read {path}: {e}"))
}

/// Every file that is text.
pub(crate) fn text_files() -> Vec<File> {
    let read = |path: String| {
        let at = root().join(&path);
        // A symbolic link is another file's second name; a deleted file may still be listed.
        let plain = fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_file());
        let text = plain.then(|| fs::read_to_string(&at).ok()).flatten()?;
        Some(File { path, text })
    };
    tracked()
        .unwrap_or_else(walked)
        .into_iter()
        .filter_map(read)
        .collect()
}

/// Every Rust file.
pub(crate) fn rust_files() -> Vec<File> {
    text_files()
        .into_iter()
        .filter(|file| file.has_extension(&["rs"]))
        .collect()
}

fn tracked() -> Option<Vec<String>> {
    let arguments = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ];
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root())
        .output()
        .ok()?;
    let listed = output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())??;
    let paths: Vec<_> = listed.split_terminator('\0').map(str::to_owned).collect();
    (!paths.is_empty()).then_some(paths)
}

fn walked() -> Vec<String> {
    let (mut found, mut pending) = (Vec::new(), vec![root()]);
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let relative = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let is_dir = fs::symlink_metadata(&path).unwrap().is_dir();
            match relative.as_str() {
                "target" | ".git" => {}
                _ if is_dir => pending.push(path),
                _ => found.push(relative),
            }
        }
    }
    found
}

#[test]
fn git_and_the_directories_agree_on_what_matters() {
    let source = |paths: Vec<String>| -> Vec<String> {
        let mut paths: Vec<_> = paths
            .into_iter()
            .filter(|path| path.ends_with(".rs"))
            .collect();
        paths.sort();
        paths
    };
    if let Some(tracked) = tracked() {
        let existing = tracked
            .into_iter()
            .filter(|path| root().join(path).exists())
            .collect();
        assert_eq!(source(existing), source(walked()));
    }
}
