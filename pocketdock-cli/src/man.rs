//! The manual page, made from the command table.
//!
//! Source: man(7). Text is escaped so that no word of the table can become a
//! request: backslashes and dashes are spelled out, and a line never begins with
//! a dot or a quote.

use std::fmt::Write as _;

use crate::command::{COMMANDS, Command, EXIT_CODES, GLOBAL_OPTIONS, VARIABLES};
use crate::help::{description, spelling, usage_line};
use crate::option::Opt;

/// The page as roff.
pub(crate) fn page() -> String {
    let mut text = HEAD.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    text = text.replace("@DATE@", DATE);
    text.push_str(".SH OPTIONS\n");
    push_options(&mut text, GLOBAL_OPTIONS.iter());
    text.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        push_command(&mut text, command);
    }
    push_pairs(&mut text, "ENVIRONMENT", VARIABLES);
    push_pairs(&mut text, "EXIT STATUS", EXIT_CODES);
    text
}

/// When what the page says has changed last.
const DATE: &str = "2026-11-25";

/// Bytes of a line, which a checker of manual pages has an opinion on.
const LINE_LEN_MAX: usize = 80;

const HEAD: &str = r#".TH POCKETDOCK 1 @DATE@ "pocketdock @VERSION@"
.SH NAME
pocketdock \- offline code sandboxes on Podman or Docker
.SH SYNOPSIS
.B pocketdock
[OPTIONS] COMMAND [ARG...]
.SH DESCRIPTION
Makes sandboxes with the container engine that is there, and runs code in them.
No command but build reaches a network.
"#;

fn push_command(text: &mut String, command: &Command) {
    let _infallible = writeln!(text, ".SS {}", escape(command.name));
    for form in command.forms {
        let _infallible = writeln!(text, ".nf\n{}\n.fi", escape(&usage_line(command, form)));
    }
    for paragraph in command.about {
        let _infallible = writeln!(text, ".PP\n{}", filled(paragraph));
    }
    push_options(text, command.options());
    for example in command.examples {
        let line = format!("pocketdock {}", example.line);
        let _infallible = writeln!(text, ".PP\n.EX\n{}\n.EE", escape(&line));
    }
}

fn push_options<'o>(text: &mut String, options: impl Iterator<Item = &'o Opt>) {
    for opt in options {
        let spelling = spelling(opt);
        let _infallible = writeln!(
            text,
            ".TP\n.B {}\n{}",
            escape(spelling.trim_start()),
            filled(&description(opt))
        );
    }
}

fn push_pairs(text: &mut String, title: &str, pairs: &[(&str, &str)]) {
    let _infallible = writeln!(text, ".SH {title}");
    for (left, right) in pairs {
        let _infallible = writeln!(text, ".TP\n.B {}\n{}", escape(left), filled(right));
    }
}

/// Words that a formatter fills into lines, in lines of ours.
fn filled(words: &str) -> String {
    let (mut text, mut len) = (String::new(), 0);
    for word in words.split_whitespace() {
        let mut word = escape(word);
        let fits = len + 1 + word.len() <= LINE_LEN_MAX;
        if 0 < len && fits {
            word.insert(0, ' ');
        } else if 0 < len {
            text.push('\n');
            len = 0;
        }
        len += word.len();
        text.push_str(&word);
    }
    text
}

/// `\&` is a zero-width character that keeps a line from being a request.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    match escaped.chars().next() {
        Some('.' | '\'') => format!("\\&{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_can_not_become_requests() {
        assert_eq!(escape(".TH x"), "\\&.TH x");
        assert_eq!(escape("'a\\b"), "\\&'a\\eb");
        assert_eq!(escape("--all"), "\\-\\-all");
    }

    #[test]
    fn no_line_begins_as_a_request() {
        let text = filled(&"word .TH 'x ".repeat(40));
        for line in text.lines() {
            assert!(
                line.len() <= LINE_LEN_MAX && !line.starts_with(['.', '\'']),
                "{line}"
            );
        }
    }

    #[test]
    fn the_page_has_every_command() {
        let page = page();
        for command in COMMANDS {
            assert!(page.contains(&format!("\n.SS {}\n", command.name)));
        }
    }
}
