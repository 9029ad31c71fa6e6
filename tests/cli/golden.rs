//! Golden cases: `golden/NAME/args` holds one word a line; `stdout`, `stderr` and `code` hold what
//! must come of it, byte for byte. `POCKETDOCK_BLESS=1` rewrites them: read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::commands;
use crate::program;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cli/golden");
    let entries = fs::read_dir(folder).unwrap();
    let mut cases: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// What the program did, as the files of a case hold it.
fn observe(case: &Path) -> [(&'static str, String); 3] {
    let args = fs::read_to_string(case.join("args")).unwrap();
    let words: Vec<&str> = args.lines().collect();
    let output = program::run(&words);
    [
        ("stdout", program::text(&output.stdout).to_owned()),
        ("stderr", program::text(&output.stderr).to_owned()),
        ("code", format!("{}\n", program::code(&output))),
    ]
}

#[test]
fn the_program_says_what_the_files_say() {
    let bless = std::env::var_os("POCKETDOCK_BLESS").is_some();
    let mut differences = Vec::new();
    for case in cases() {
        for (file, got) in observe(&case) {
            let path = case.join(file);
            if bless {
                fs::write(&path, &got).unwrap();
            }
            let want = fs::read_to_string(&path).unwrap_or_default();
            if want != got {
                let path = path.display();
                differences.push(format!("{path}\n-- wanted\n{want}\n-- got\n{got}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// A command without a golden help page would be a command nobody has read.
#[test]
fn every_command_has_its_help_among_the_cases() {
    for command in commands() {
        let case = format!("help-{}", command.name);
        assert!(
            cases().iter().any(|path| path.ends_with(&case)),
            "no golden case '{case}'"
        );
    }
}
