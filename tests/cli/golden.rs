//! Golden cases: `golden/NAME/args` holds one word a line; `stdout`, `stderr` and `code` hold what
//! must come of it, byte for byte. Where there is a file `engine`, a healthy engine answers and the
//! working directory is a project with a history; times, paths and ages are replaced.
//! `POCKETDOCK_BLESS=1` rewrites them: read the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::commands::commands;
use crate::program;
use crate::world::{CREATED, project_with_history, run_in, world};

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
    let (output, changing) = if case.join("engine").exists() {
        run_with_engine(&words)
    } else {
        (program::run(&words), Vec::new())
    };
    let steady = |bytes: &[u8]| {
        let text = program::text(bytes).to_owned();
        let steady = |text: String, (from, to): &(String, &str)| text.replace(from, to);
        changing.iter().fold(text, steady)
    };
    [
        ("stdout", steady(&output.stdout)),
        ("stderr", steady(&output.stderr)),
        ("code", format!("{}\n", program::code(&output))),
    ]
}

/// Runs it in a project with a history, on a healthy engine; and what is different each time, with
/// what stands for it in the files.
fn run_with_engine(words: &[&str]) -> (Output, Vec<(String, &'static str)>) {
    let (dir, engine) = (project_with_history(), world());
    let output = run_in(&dir, engine.socket(), words);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let days = (now.as_secs() - CREATED) / 86_400;
    let mut changing = vec![
        (engine.socket().display().to_string(), "SOCKET"),
        (dir.path().display().to_string(), "DIRECTORY"),
        // As wide, so that columns stay where they are.
        (format!("{days}d"), "9999d"),
    ];
    let shown = [output.stdout.as_slice(), &output.stderr].concat();
    let mut durations = program::text(&shown).split("\"duration_ms\":").skip(1);
    if let Some(duration) = durations.next().filter(|_| words.contains(&"run")) {
        let digits = duration
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap();
        changing.push((format!("\"duration_ms\":{digits}"), "\"duration_ms\":9"));
    }
    (output, changing)
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
