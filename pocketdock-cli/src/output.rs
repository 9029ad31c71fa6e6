//! What goes to stdout and stderr: text, tables, JSON, colour.
//!
//! stdout carries data and nothing else; messages, warnings and questions go to
//! stderr. Words that come from an engine or a container are never trusted on a
//! terminal: [`visible`] spells out control characters, so a container's name
//! can neither move the cursor nor break a table. Output of a command that runs
//! in a sandbox does not pass through here; it is data, byte for byte.
//!
//! Column widths count characters. Wide and combining characters are not
//! measured, so a table with East Asian names may be ragged.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Config, LogLevel};

use crate::failure::Failure;
use crate::invocation::Globals;

/// The streams of one invocation and how to write to them.
pub(crate) struct Console<'a> {
    /// Answers to questions.
    pub(crate) input: &'a mut dyn BufRead,
    /// Data.
    pub(crate) out: &'a mut dyn Write,
    /// Everything else.
    pub(crate) err: &'a mut dyn Write,
    /// Colour for stdout.
    pub(crate) out_paint: Paint,
    /// Colour for stderr.
    pub(crate) err_paint: Paint,
    /// Whether someone is there to answer a question.
    pub(crate) interactive: bool,
    /// What the global options say.
    pub(crate) globals: Globals,
    /// What the configuration says.
    pub(crate) config: Config,
    /// How much goes to stderr.
    pub(crate) level: LogLevel,
}

impl Console<'_> {
    /// Writes text to stdout, whole lines.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }

    /// Writes one line of JSON to stdout.
    pub(crate) fn print_json(&mut self, value: &Value) -> Result<(), Failure> {
        let mut line = json::to_string(value);
        line.push('\n');
        self.print(&line)
    }

    /// Tells a person something, unless `--quiet`, `--json` or a setting asked for silence.
    pub(crate) fn note(&mut self, text: &str) {
        if LogLevel::Info <= self.level && !self.globals.json {
            self.tell(text);
        }
    }

    /// Tells a person something that matters: a control that the engine dropped,
    /// output that was cut.
    pub(crate) fn warn(&mut self, text: &str) {
        if self.level < LogLevel::Warn {
            return;
        }
        let label = self.err_paint.yellow("warning");
        self.tell(&format!("pocketdock: {label}: {}", visible_lines(text)));
    }

    /// Tells how it comes about, if `--verbose` or a setting asked for it.
    pub(crate) fn debug(&mut self, text: &str) {
        if LogLevel::Debug <= self.level {
            self.tell(&visible_lines(text));
        }
    }

    /// Reports a failure and, in a second line, what to do about it.
    pub(crate) fn complain(&mut self, message: &str, hint: Option<&str>) {
        let label = self.err_paint.red("pocketdock");
        self.tell(&format!("{label}: {}", visible_lines(message)));
        if let Some(hint) = hint {
            let label = self.err_paint.bold("hint");
            self.tell(&format!("{label}: {}", visible_lines(hint)));
        }
    }

    /// Asks before something is destroyed.
    ///
    /// Where no one can answer, the answer is a usage failure naming `--yes`.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<bool, Failure> {
        if !self.interactive {
            return Err(Failure::Usage {
                message: format!("cannot ask whether to {question}: there is no terminal"),
                hint: Some("'--yes' does it without asking".to_owned()),
            });
        }
        write!(self.err, "{}? [y/N] ", visible(question))?;
        self.err.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }

    /// A stderr that can not be written to leaves no one to tell about it.
    fn tell(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }
}

/// Colours text, or leaves it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// The status words of an engine: green runs, yellow waits, dim is over.
    pub(crate) fn status(self, word: &str) -> String {
        match word {
            "running" => self.green(word),
            "paused" | "restarting" => self.yellow(word),
            "dead" => self.red(word),
            _ => self.dim(word),
        }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColorChoice {
    /// On a terminal that can, unless the environment says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the environment says about colour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColorHints {
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub(crate) no_color: bool,
    /// `CLICOLOR_FORCE` is set, not empty and not `0` (bixense.com/clicolors).
    pub(crate) force: bool,
    /// `TERM` is `dumb`.
    pub(crate) dumb: bool,
}

impl ColorChoice {
    /// Decides for one stream; the option outranks the environment.
    pub(crate) fn paint(self, hints: ColorHints, terminal: bool) -> Paint {
        Paint(match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => !hints.no_color && (hints.force || (terminal && !hints.dumb)),
        })
    }
}

/// Rows under headings, columns aligned by padding.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One field of a table: its text, and the text as it is to be shown.
#[derive(Debug)]
struct Cell {
    width: usize,
    shown: String,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; `fields` are shown with control characters spelled out.
    pub(crate) fn row(&mut self, fields: &[&str]) {
        self.painted_row(fields, |_, text| text.to_owned());
    }

    /// Adds a row whose fields `paint` may colour, by heading.
    pub(crate) fn painted_row(&mut self, fields: &[&str], paint: impl Fn(&str, &str) -> String) {
        let cells = self.headings.iter().zip(fields).map(|(heading, field)| {
            let text = visible(field);
            Cell {
                width: text.chars().count(),
                shown: paint(heading, &text),
            }
        });
        self.rows.push(cells.collect());
    }

    /// The whole table; the last column is not padded.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let widths = self.widths();
        let mut text = String::new();
        let headings = self.headings.iter().map(|heading| Cell {
            width: heading.chars().count(),
            shown: paint.bold(heading),
        });
        push_row(&mut text, &headings.collect::<Vec<_>>(), &widths);
        for row in &self.rows {
            push_row(&mut text, row, &widths);
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let column = |idx: usize, heading: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(idx));
            cells.map(|cell| cell.width).fold(heading.len(), usize::max)
        };
        let headings = self.headings.iter().enumerate();
        headings
            .map(|(idx, heading)| column(idx, heading))
            .collect()
    }
}

/// Columns stand two spaces apart.
fn push_row(text: &mut String, row: &[Cell], widths: &[usize]) {
    let last = row.iter().rposition(|cell| 0 < cell.width).unwrap_or(0);
    for (idx, (cell, width)) in row.iter().zip(widths).enumerate().take(last + 1) {
        text.push_str(&cell.shown);
        if idx < last {
            text.push_str(&" ".repeat(width - cell.width + 2));
        }
    }
    text.push('\n');
}

/// `text` with control characters spelled out, newlines and tabs included.
pub(crate) fn visible(text: &str) -> String {
    spell_out(text, |_| false)
}

/// As [`visible`], but lines stay lines.
pub(crate) fn visible_lines(text: &str) -> String {
    spell_out(text, |c| matches!(c, '\n' | '\t'))
}

fn spell_out(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if !is_unseen(c) || keep(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if c.is_ascii() => {
                let _infallible = write!(shown, "\\x{:02x}", u32::from(c));
            }
            c => {
                let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    shown
}

/// Control characters (C0, DEL, C1), and the format characters that reorder or
/// hide text: zero-width, bidirectional overrides and isolates, line separators.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Reads `--color`'s value.
pub(crate) fn color_choice(word: &str) -> Result<ColorChoice, &'static str> {
    match word {
        "auto" => Ok(ColorChoice::Auto),
        "always" => Ok(ColorChoice::Always),
        "never" => Ok(ColorChoice::Never),
        _ => Err("auto, always or never"),
    }
}

/// Whether a write failed because no one reads any more, which is no failure.
pub(crate) fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_spelled_out() {
        #[rustfmt::skip]
        let cases = [
            ("plain, ünïcödé 漢", "plain, ünïcödé 漢"),
            ("a\nb\tc\r",         r"a\nb\tc\r"),
            ("\x1b[31mred",       r"\x1b[31mred"),
            ("\u{9b}31m\x7f",     r"\u{9b}31m\x7f"),
            ("a\u{202e}b",        r"a\u{202e}b"),
        ];
        for (text, want) in cases {
            assert_eq!(visible(text), want);
        }
        assert_eq!(visible_lines("a\n\tb\x1b"), "a\n\tb\\x1b");
    }

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_spaces() {
        let mut table = Table::new(&["NAME", "STATUS", "PROJECT"]);
        table.row(&["web", "running", ""]);
        table.row(&["a-long-name", "exited", "home"]);
        table.row(&["x\n", "", ""]);
        let want = "NAME         STATUS   PROJECT\n\
                    web          running\n\
                    a-long-name  exited   home\n\
                    x\\n\n";
        assert_eq!(table.render(Paint(false)), want);
    }

    #[test]
    fn colour_does_not_change_the_widths() {
        let mut table = Table::new(&["STATUS", "NAME"]);
        table.painted_row(&["running", "a"], |_, text| Paint(true).status(text));
        let shown = table.render(Paint(true));
        assert!(shown.contains("\x1b[32mrunning\x1b[0m  "), "{shown:?}");
        assert!(
            shown.contains("\x1b[1mSTATUS\x1b[0m   \x1b[1mNAME"),
            "{shown:?}"
        );
    }

    #[test]
    fn colour_follows_the_option_then_the_environment_then_the_terminal() {
        let none = ColorHints::default();
        let no_color = ColorHints {
            no_color: true,
            ..none
        };
        let force = ColorHints {
            force: true,
            ..none
        };
        let dumb = ColorHints { dumb: true, ..none };
        #[rustfmt::skip]
        let cases = [
            (ColorChoice::Auto,   none,     true,  true),
            (ColorChoice::Auto,   none,     false, false),
            (ColorChoice::Auto,   no_color, true,  false),
            (ColorChoice::Auto,   force,    false, true),
            (ColorChoice::Auto,   dumb,     true,  false),
            (ColorChoice::Always, no_color, false, true),
            (ColorChoice::Never,  force,    true,  false),
        ];
        for (choice, hints, terminal, want) in cases {
            assert_eq!(
                choice.paint(hints, terminal),
                Paint(want),
                "{choice:?} {hints:?}"
            );
        }
    }
}
