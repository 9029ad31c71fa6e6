//! Renders the command table as `docs/cli.md`; compiled into the tests only.
//!
//! The file is kept in the repository to be read there. A test compares it with
//! the table, and rewrites it when `POCKETDOCK_BLESS` is set.

use std::fmt::Write as _;

use crate::command::{COMMANDS, Command, EXIT_CODES, Example, GLOBAL_OPTIONS, VARIABLES};
use crate::help::{description, spelling, usage_line};
use crate::option::Opt;

/// `docs/cli.md`
pub(crate) fn markdown() -> String {
    let mut text = String::from(
        "# Command line\n\n\
         Made from the command table in `pocketdock-cli/src/command.rs`; a test compares them. \
         stdout is data, byte for byte; messages, progress and questions go to stderr.\n\n",
    );
    text.push_str("```text\npocketdock [OPTIONS] COMMAND [ARG...]\n```\n\n");
    markdown_options(
        &mut text,
        "Options, before or after the command",
        GLOBAL_OPTIONS,
    );
    markdown_pairs(&mut text, "Environment", VARIABLES);
    markdown_pairs(&mut text, "Exit codes", EXIT_CODES);
    text.push_str(JSON_NOTES);
    for command in COMMANDS {
        markdown_command(&mut text, command);
    }
    text.pop();
    text
}

const JSON_NOTES: &str = r#"## JSON

`--json` prints one object or array on stdout, on failure
`{"error":{"code":"container_not_found","message":"no container named 'web'","hint":"…"}}`
with a `hint` when there is something to do. `run --stream --json` and `logs --follow --json` print
one object a line. Every key, error code and exit code, and what stays as it is:
[agents.md](agents.md).

## Values

Sizes are `512`, `256m`, `1.5g`, `1GiB`, `10MB` (powers of 1024); durations `30s`, `5m`, `1h`, a
bare number being seconds. 0 means no limit for `--timeout`, `--mem-limit`, `--cpu-percent` and
`--pids-limit`.

"#;

fn markdown_command(text: &mut String, command: &Command) {
    let _infallible = writeln!(text, "## {}\n\n```text", command.name);
    for form in command.forms {
        let _infallible = writeln!(text, "{}", usage_line(command, form));
    }
    text.push_str("```\n\n");
    for paragraph in command.about {
        let _infallible = writeln!(text, "{paragraph}\n");
    }
    for group in command.groups {
        markdown_options(text, group.title, group.options);
    }
    text.push_str("```sh\n");
    for Example { line, what } in command.examples {
        let _infallible = writeln!(text, "pocketdock {line}  # {what}");
    }
    text.push_str("```\n\n");
}

fn markdown_options(text: &mut String, title: &str, options: &[Opt]) {
    let _infallible = writeln!(text, "| {title} | |\n|---|---|");
    for opt in options {
        let example = if opt.takes_value() {
            format!("; such as `{}`", opt.example)
        } else {
            String::new()
        };
        let spelling = spelling(opt);
        let _infallible = writeln!(
            text,
            "| `{}` | {}{example} |",
            escape_cell(spelling.trim_start()),
            escape_cell(&description(opt))
        );
    }
    text.push('\n');
}

fn markdown_pairs(text: &mut String, title: &str, pairs: &[(&str, &str)]) {
    let _infallible = writeln!(text, "| {title} | |\n|---|---|");
    for (left, right) in pairs {
        let _infallible = writeln!(text, "| `{}` | {} |", escape_cell(left), escape_cell(right));
    }
    text.push('\n');
}

/// A bar would end the cell, in code too.
fn escape_cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_documentation_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
    if std::env::var_os("POCKETDOCK_BLESS").is_some() {
        std::fs::write(path, markdown()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == markdown(),
        "docs/cli.md is out of date; POCKETDOCK_BLESS=1 cargo test -p pocketdock-cli rewrites it"
    );
}
