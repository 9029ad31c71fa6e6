//! Renders the command table as `--help` texts.
//!
//! Texts are wrapped at 80 columns, so that help looks the same in a narrow
//! terminal, in a pipe and in the golden tests.

use std::fmt::Write as _;

use crate::command::{COMMANDS, Command, EXIT_CODES, Example, GLOBAL_OPTIONS, Opt, VARIABLES};
use crate::output::Paint;

/// Columns of a line.
const LINE_LEN_MAX: usize = 80;

/// Where the right-hand side of a two-column list begins.
const RIGHT: usize = 30;

/// `pocketdock --help`
pub(crate) fn overview(paint: Paint) -> String {
    let mut text =
        String::from("Offline code sandboxes on the Podman or Docker you already have.\n\n");
    push_heading(&mut text, "Usage", paint);
    text.push_str("  pocketdock [OPTIONS] COMMAND [ARG...]\n  pocketdock help COMMAND\n\n");
    push_heading(&mut text, "Commands", paint);
    for command in COMMANDS {
        push_pair(&mut text, command.name, command.summary);
    }
    text.push('\n');
    push_options(
        &mut text,
        "Options, before or after the command",
        GLOBAL_OPTIONS,
        paint,
    );
    push_pairs(&mut text, "Environment", VARIABLES, paint);
    push_pairs(&mut text, "Exit codes", EXIT_CODES, paint);
    text.pop();
    text
}

/// `pocketdock COMMAND --help`
pub(crate) fn of_command(command: &Command, paint: Paint) -> String {
    let mut text = String::new();
    push_heading(&mut text, "Usage", paint);
    for form in command.forms {
        push_wrapped(&mut text, &usage_line(command, form), 2, 6);
    }
    text.push('\n');
    for paragraph in command.about {
        push_wrapped(&mut text, paragraph, 0, 0);
        text.push('\n');
    }
    for group in command.groups {
        push_options(&mut text, group.title, group.options, paint);
    }
    push_heading(&mut text, "Examples", paint);
    for Example { line, what } in command.examples {
        let _infallible = writeln!(text, "  pocketdock {line}\n      {what}");
    }
    text.push('\n');
    push_wrapped(&mut text, exit_codes(command), 0, 0);
    text.push_str("Options of every command: 'pocketdock --help'.\n");
    text
}

/// The name of an option as it is typed, with the name of its value.
pub(crate) fn spelling(opt: &Opt) -> String {
    let short = match opt.short {
        Some(letter) => format!("-{letter}, "),
        None => "    ".to_owned(),
    };
    let space = if opt.takes_value() { " " } else { "" };
    format!("{short}{}{space}{}", opt.long, opt.value)
}

/// What an option does, its default and whether it may be repeated.
pub(crate) fn description(opt: &Opt) -> String {
    let mut text = opt.help.to_owned();
    if opt.repeats {
        text.push_str("; may be repeated");
    }
    if !opt.default.is_empty() {
        let _infallible = write!(text, " [default: {}]", opt.default);
    }
    text
}

/// One form of a command, with the program's name.
pub(crate) fn usage_line(command: &Command, form: &str) -> String {
    format!("pocketdock {} {form}", command.name)
        .trim_end()
        .to_owned()
}

fn exit_codes(command: &Command) -> &'static str {
    match command.failure_code {
        1 => "Exit codes: 0 done, 1 failed, 2 wrong usage.",
        _ => {
            "Exit codes: the command's own; 2 wrong usage, 124 timed out, 125 pocketdock or the \
             engine failed, 126 not executable, 127 not found, 128+n killed by signal n."
        }
    }
}

fn push_options(text: &mut String, title: &str, options: &[Opt], paint: Paint) {
    push_heading(text, title, paint);
    for opt in options {
        push_pair(text, &spelling(opt), &description(opt));
    }
    text.push('\n');
}

fn push_pairs(text: &mut String, title: &str, pairs: &[(&str, &str)], paint: Paint) {
    push_heading(text, title, paint);
    for (left, right) in pairs {
        push_pair(text, left, right);
    }
    text.push('\n');
}

fn push_heading(text: &mut String, title: &str, paint: Paint) {
    text.push_str(&paint.bold(&format!("{title}:")));
    text.push('\n');
}

/// A left side too long for its column gets a line of its own.
fn push_pair(text: &mut String, left: &str, right: &str) {
    if left.len() + 4 <= RIGHT {
        let _infallible = write!(text, "  {left:<width$}", width = RIGHT - 2);
        push_wrapped_after(text, right, RIGHT, RIGHT);
    } else {
        let _infallible = writeln!(text, "  {left}");
        push_wrapped(text, right, RIGHT, RIGHT);
    }
}

fn push_wrapped(text: &mut String, words: &str, first: usize, indent: usize) {
    text.push_str(&" ".repeat(first));
    push_wrapped_after(text, words, first, indent);
}

/// Wraps at spaces, the cursor being at column `at`.
fn push_wrapped_after(text: &mut String, words: &str, at: usize, indent: usize) {
    let mut column = at;
    for (idx, word) in words.split_whitespace().enumerate() {
        let len = word.chars().count();
        if 0 < idx && LINE_LEN_MAX < column + 1 + len {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if 0 < idx {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += len;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_stays_within_its_columns() {
        let pages = COMMANDS
            .iter()
            .map(|command| of_command(command, Paint(false)));
        for page in pages.chain([overview(Paint(false))]) {
            for line in page
                .lines()
                .filter(|line| !line.trim_start().starts_with("pocketdock "))
            {
                assert!(line.chars().count() <= LINE_LEN_MAX, "{line:?}");
                assert!(!line.ends_with(' '), "{line:?}");
            }
        }
    }
}
