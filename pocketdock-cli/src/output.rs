//! What goes to stdout and stderr: text, JSON, failures. Tables are in `table.rs`.
//!
//! stdout carries data and nothing else; messages, warnings and questions go to
//! stderr. Words that come from an engine or a container are never trusted on a
//! terminal: [`visible`] spells out control characters, so a container's name
//! can neither move the cursor nor break a table. Output of a command that runs
//! in a sandbox does not pass through here; it is data, byte for byte.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Config, LogLevel};

use crate::failure::Failure;
use crate::globals::Globals;
use crate::paint::Paint;

/// The streams of one invocation and how to write to them.
pub(crate) struct Console<'a> {
    /// Answers to questions.
    pub(crate) input: &'a mut dyn BufRead,
    /// Data.
    pub(crate) out: &'a mut dyn Write,
    /// Everything else.
    pub(crate) err: &'a mut dyn Write,
    /// How wide the terminal is that stdout goes to; `None` where it goes elsewhere.
    pub(crate) columns: Option<usize>,
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
        let label = self.err_paint.wrap(Paint::YELLOW, "warning");
        self.tell(&format!("pocketdock: {label}: {}", visible_lines(text)));
    }

    /// Tells how it comes about, if `--verbose` or a setting asked for it.
    pub(crate) fn debug(&mut self, text: &str) {
        if LogLevel::Debug <= self.level {
            self.tell(&visible_lines(text));
        }
    }

    /// Reports a failure on the stream that it belongs to.
    pub(crate) fn report(&mut self, failure: &Failure) {
        if self.globals.json {
            // A stdout that can not be written to leaves the exit code to tell.
            let _ = failure.to_value().map(|value| self.print_json(&value));
        } else if let Some((message, hint)) = failure.words() {
            self.complain(&message, hint.as_deref());
        }
    }

    /// Tells what is wrong and, in a second line, what to do about it.
    pub(crate) fn complain(&mut self, message: &str, hint: Option<&str>) {
        let label = self.err_paint.wrap(Paint::RED, "pocketdock");
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
                message: match self.globals.no_input {
                    true => format!("cannot ask whether to {question} with '--no-input'"),
                    false => format!("cannot ask whether to {question}: there is no terminal"),
                },
                hint: Some("'--yes' does it without asking".to_owned()),
            });
        }
        write!(self.err, "{}? [y/N] ", visible(question))?;
        self.err.flush()?;
        let mut answer = String::new();
        if self.input.read_line(&mut answer)? == 0 {
            self.tell(""); // What comes next begins a line.
        }
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }

    /// A stderr that can not be written to leaves no one to tell about it.
    fn tell(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }
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
}
