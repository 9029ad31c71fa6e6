//! Renders the command table as `--help` texts.
//!
//! Texts are wrapped at 80 columns, so that help looks the same in a pipe, in the golden tests and
//! in any terminal that is not narrower. In a narrower one lines end where it does, and where two
//! columns have no room the right one goes below the left.

use std::fmt::Write as _;

use crate::command::{
    COMMANDS, Command, EXIT_CODES, Example, FIRST_STEPS, GLOBAL_OPTIONS, VARIABLES,
};
use crate::option::Opt;
use crate::paint::Paint;

/// Columns of a line.
const LINE_LEN_MAX: usize = 80;

/// Where the right-hand side of a two-column list begins: of options, of commands, of both in a
/// terminal that is narrower than [`NARROW`].
const RIGHT: usize = 30;
const RIGHT_OF_COMMANDS: usize = 13;
const RIGHT_IF_NARROW: usize = 6;
const NARROW: usize = 60;

/// `pocketdock --help`, for a terminal with this many columns or anywhere.
pub(crate) fn overview(paint: Paint, columns: Option<usize>) -> String {
    let mut page = Page::new(paint, columns);
    page.paragraph("Offline code sandboxes on the Podman or Docker you already have.");
    page.heading("Start here");
    for step in FIRST_STEPS {
        page.pair(&format!("pocketdock {}", step.line), step.what, RIGHT + 5);
    }
    page.blank();
    page.heading("Usage");
    page.wrapped("pocketdock [OPTIONS] COMMAND [ARG...]", 2, 6);
    page.pair(
        "pocketdock COMMAND --help",
        "what it does, with examples",
        RIGHT + 5,
    );
    let mut section = None;
    for command in COMMANDS {
        if section != Some(command.section) {
            page.blank();
            page.heading(command.section.title());
            section = Some(command.section);
        }
        page.pair(command.name, command.summary, RIGHT_OF_COMMANDS);
    }
    page.blank();
    page.options("Options, before or after the command", GLOBAL_OPTIONS);
    page.pairs("Environment", VARIABLES);
    page.pairs("Exit codes", EXIT_CODES);
    page.text.pop();
    page.text
}

/// `pocketdock COMMAND --help`, for a terminal with this many columns or anywhere.
pub(crate) fn of_command(command: &Command, paint: Paint, columns: Option<usize>) -> String {
    let mut page = Page::new(paint, columns);
    page.heading("Usage");
    for form in command.forms {
        page.wrapped(&usage_line(command, form), 2, 6);
    }
    page.blank();
    for paragraph in command.about {
        page.paragraph(paragraph);
    }
    for group in command.groups {
        page.options(group.title, group.options);
    }
    page.heading("Examples");
    for Example { line, what } in command.examples {
        // Not wrapped: a line to copy.
        let _infallible = writeln!(page.text, "  pocketdock {line}");
        page.wrapped(what, 6, 6);
    }
    page.blank();
    page.wrapped(exit_codes(command), 0, 0);
    page.wrapped("Options of every command: 'pocketdock --help'.", 0, 0);
    page.text
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

/// A text that grows, and how wide it may become.
struct Page {
    text: String,
    paint: Paint,
    width: usize,
}

impl Page {
    fn new(paint: Paint, columns: Option<usize>) -> Self {
        Self {
            text: String::new(),
            paint,
            width: columns.map_or(LINE_LEN_MAX, |columns| columns.min(LINE_LEN_MAX)),
        }
    }

    fn options(&mut self, title: &str, options: &[Opt]) {
        self.heading(title);
        for opt in options {
            self.pair(&spelling(opt), &description(opt), RIGHT);
        }
        self.blank();
    }

    fn pairs(&mut self, title: &str, pairs: &[(&str, &str)]) {
        self.heading(title);
        for (left, right) in pairs {
            self.pair(left, right, RIGHT);
        }
        self.blank();
    }

    fn heading(&mut self, title: &str) {
        let title = self.paint.bold(&format!("{title}:"));
        self.text.push_str(&title);
        self.blank();
    }

    fn paragraph(&mut self, words: &str) {
        self.wrapped(words, 0, 0);
        self.blank();
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A left side too long for its column gets a line of its own.
    fn pair(&mut self, left: &str, right: &str, at: usize) {
        let (left, at) = match self.width < NARROW {
            true => (left.trim_start(), RIGHT_IF_NARROW),
            false => (left, at),
        };
        if left.len() + 4 <= at {
            let _infallible = write!(self.text, "  {left:<width$}", width = at - 2);
            self.wrapped_after(right, at, at);
        } else {
            let _infallible = writeln!(self.text, "  {left}");
            self.wrapped(right, at, at);
        }
    }

    fn wrapped(&mut self, words: &str, first: usize, indent: usize) {
        self.text.push_str(&" ".repeat(first));
        self.wrapped_after(words, first, indent);
    }

    /// Wraps at spaces, the cursor being at column `at`.
    fn wrapped_after(&mut self, words: &str, at: usize, indent: usize) {
        let mut column = at;
        for (idx, word) in words.split_whitespace().enumerate() {
            let len = word.chars().count();
            if 0 < idx && self.width < column + 1 + len {
                self.blank();
                self.text.push_str(&" ".repeat(indent));
                column = indent;
            } else if 0 < idx {
                self.text.push(' ');
                column += 1;
            }
            self.text.push_str(word);
            column += len;
        }
        self.blank();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(columns: Option<usize>) -> Vec<String> {
        let commands = COMMANDS.iter();
        let pages = commands.map(|command| of_command(command, Paint(false), columns));
        pages.chain([overview(Paint(false), columns)]).collect()
    }

    #[test]
    fn help_stays_within_its_columns() {
        for columns in [None, Some(80), Some(200)] {
            for page in pages(columns) {
                // Lines to copy are not broken.
                let lines = page.lines();
                for line in lines.filter(|line| !line.trim_start().starts_with("pocketdock ")) {
                    assert!(line.chars().count() <= LINE_LEN_MAX, "{line:?}");
                    assert!(!line.ends_with(' '), "{line:?}");
                }
            }
        }
    }

    #[test]
    fn in_a_narrow_terminal_no_line_has_a_word_too_many() {
        for columns in [0, 1, 20, 40, 59, 60, 79] {
            for page in pages(Some(columns)) {
                // Lines to copy and headings are not broken.
                let is_whole = |line: &&str| line.contains("pocketdock ") || line.ends_with(':');
                for line in page.lines().filter(|line| !is_whole(line)) {
                    let is_long = columns < line.chars().count();
                    let is_option = line.trim_start().starts_with('-');
                    let words = line.split_whitespace().count();
                    assert!(
                        !is_long || is_option || words <= 1 || columns < 40,
                        "{columns} {line:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_commands_of_a_section_stand_together() {
        let mut sections: Vec<_> = COMMANDS.iter().map(|command| command.section).collect();
        sections.dedup();
        let distinct = sections.iter().enumerate();
        for (idx, section) in distinct {
            assert!(
                !sections[..idx].contains(section),
                "{section:?} stands twice"
            );
        }
    }
}
