//! docs/agents.md against the source: its lists of codes and variables are complete, and its
//! version is the program's.

use std::collections::BTreeSet;

use crate::tree;

const GUIDE: &str = "docs/agents.md";

/// What stands in only one of the two.
pub(crate) fn differences() -> Vec<String> {
    let guide = tree::read(GUIDE);
    let mut found = Vec::new();
    let mut compare = |what: &str, source: &BTreeSet<String>, guide: &BTreeSet<String>| {
        let missing = source.difference(guide);
        found.extend(missing.map(|it| format!("{what} '{it}' is not in {GUIDE}")));
        let surplus = guide.difference(source);
        found.extend(surplus.map(|it| format!("{what} '{it}' is in {GUIDE} alone")));
    };
    compare("error code", &error_codes(), &table(&guide, "## Errors"));
    compare("problem", &problem_codes(), &listed_problems(&guide));
    compare("variable", &variables(), &table(&guide, "## Environment"));
    compare("exit code", &exit_codes(), &table(&guide, "## Exit codes"));
    compare(
        "contract",
        &contract(),
        &between(&guide, "version **", "**"),
    );
    found
}

/// What stands between each `start` and the next `end`.
fn between(text: &str, start: &str, end: &str) -> BTreeSet<String> {
    let rests = text.split(start).skip(1);
    let found = rests.filter_map(|rest| rest.split_once(end));
    found.map(|(word, _)| word.to_owned()).collect()
}

/// The words in code in the first column of the last table of a section.
fn table(guide: &str, heading: &str) -> BTreeSet<String> {
    let section = guide.split(&format!("\n{heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let table = section.rsplit("|---|").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let words = cells.flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned));
    words.filter(|word| !word.is_empty()).collect()
}

/// The codes of the library's errors, and the program's own.
fn error_codes() -> BTreeSet<String> {
    let error = tree::read("pocketdock-core/src/error.rs");
    let code = error.split("pub fn code(").nth(1).unwrap();
    let code = code.split("\n    }\n").next().unwrap();
    let mut codes = between(code, "=> \"", "\"");
    let failure = tree::read("pocketdock-cli/src/failure.rs");
    let code = failure.split("fn code(").nth(1).unwrap();
    codes.extend(between(
        code.split("\n    }\n").next().unwrap(),
        "=> \"",
        "\"",
    ));
    codes
}

/// What `doctor` calls what it finds.
fn problem_codes() -> BTreeSet<String> {
    let doctor = tree::read("pocketdock-core/src/project/doctor.rs");
    // However rustfmt has laid the calls out.
    let flat: String = doctor.split_whitespace().collect();
    let calls = ["self.problem(\"", "self.treat(\"", "report_error(\""];
    calls
        .iter()
        .flat_map(|call| between(&flat, call, "\""))
        .collect()
}

fn listed_problems(guide: &str) -> BTreeSet<String> {
    let list = guide.split("\nProblems: ").nth(1).unwrap();
    let list = list.split(';').next().unwrap();
    let words = list.split('`').skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// The variables that are read, settings included.
fn variables() -> BTreeSet<String> {
    let host = tree::read("pocketdock-core/src/host.rs");
    let mut found = between(&host, "var(\"", "\"");
    found.extend(
        between(
            &tree::read("pocketdock-core/src/project/keys.rs"),
            "Some(\"POCKETDOCK_",
            "\"",
        )
        .into_iter()
        .map(|it| format!("POCKETDOCK_{it}")),
    );
    let main = tree::read("pocketdock-cli/src/main.rs");
    found.extend(between(&main, "set(\"", "\""));
    found.extend(between(&main, "var_os(\"", "\""));
    found.extend(between(
        &tree::read("pocketdock-cli/src/commands/shell.rs"),
        "env::var(\"",
        "\"",
    ));
    found
}

/// Those that help shows, and that of Ctrl-C.
fn exit_codes() -> BTreeSet<String> {
    let table = tree::read("pocketdock-cli/src/command.rs");
    let rows = table.split("EXIT_CODES").nth(1).unwrap();
    let rows = rows.split("];").next().unwrap();
    let codes = between(rows, "(\"", "\"");
    let codes = codes.iter().flat_map(|code| code.split(", "));
    let codes = codes.filter(|code| code.starts_with(|c: char| c.is_ascii_digit()));
    codes.chain(["130"]).map(str::to_owned).collect()
}

fn contract() -> BTreeSet<String> {
    between(
        &tree::read("pocketdock-cli/src/main.rs"),
        "const CONTRACT: u32 = ",
        ";",
    )
}
