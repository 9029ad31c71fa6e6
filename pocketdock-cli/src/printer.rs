//! Prints lines of logs: as the bytes that they hold, or as JSON.
//!
//! ```text
//! Raw     stdout to stdout, stderr to stderr, byte for byte; notes to stderr
//! Array   one array of {log, ts, stream, data, encoding} and {log, note}
//! Lines   the same objects, one a line, and {log, exit_code, …} at the end of each log
//! ```
//!
//! Lines are gathered as long as they go to the same stream, so that a large log costs few system
//! calls. With a tail nothing is printed before the end of it is reached; what is held then is no
//! more than these lines.

use std::collections::VecDeque;

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{HistoryEntry, LogLine, StreamKind};

use crate::failure::Failure;
use crate::output::{Console, visible};
use crate::sink::piece_fields;

/// How much is gathered before it is written.
const GATHERED_LEN_MAX: usize = 64 * 1024;

/// What becomes of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bytes.
    Raw,
    /// One JSON array.
    Array,
    /// NDJSON.
    Lines,
}

/// Prints lines of logs.
#[derive(Debug)]
pub(crate) struct Printer {
    form: Form,
    gathered: Vec<u8>,
    gathered_for: StreamKind,
    /// Whether the array has begun.
    begun: bool,
    tail: Option<Tail>,
}

impl Printer {
    /// `tail` is how many of the lines that come before [`end_tail`](Self::end_tail) are printed.
    pub(crate) fn new(form: Form, tail: Option<usize>) -> Self {
        Self {
            form,
            gathered: Vec::new(),
            gathered_for: StreamKind::Stdout,
            begun: false,
            tail: tail.map(Tail::new),
        }
    }

    /// Takes a line of a log.
    pub(crate) fn line(
        &mut self,
        log: &str,
        line: LogLine,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        match &mut self.tail {
            Some(tail) => {
                tail.push(log, line);
                Ok(())
            }
            None => self.print(log, &line, console),
        }
    }

    /// Prints the tail and, from here on, every line.
    pub(crate) fn end_tail(&mut self, console: &mut Console<'_>) -> Result<(), Failure> {
        for (log, line) in self.tail.take().map(Tail::into_lines).unwrap_or_default() {
            self.print(&log, &line, console)?;
        }
        self.flush(console)
    }

    /// Says how the command of a log has ended, if `entry` tells.
    pub(crate) fn end(
        &mut self,
        log: &str,
        entry: Option<&HistoryEntry>,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        let exit_code = entry.and_then(|entry| entry.exit_code);
        if self.form == Form::Lines {
            self.add_json(&end_value(log, entry));
        } else if exit_code.is_none() {
            let log = visible(log);
            console.warn(&format!(
                "nobody has seen the end of the command of '{log}'"
            ));
        }
        self.flush(console)
    }

    /// Writes what was gathered.
    pub(crate) fn flush(&mut self, console: &mut Console<'_>) -> Result<(), Failure> {
        let out = match self.gathered_for {
            StreamKind::Stdout => &mut *console.out,
            StreamKind::Stderr => &mut *console.err,
        };
        out.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// Ends what has to be ended.
    pub(crate) fn finish(&mut self, console: &mut Console<'_>) -> Result<(), Failure> {
        if self.form == Form::Array {
            let end: &[u8] = if self.begun { b"]\n" } else { b"[]\n" };
            self.gathered.extend_from_slice(end);
        }
        self.flush(console)
    }

    fn print(
        &mut self,
        log: &str,
        line: &LogLine,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        match (self.form, line) {
            (Form::Raw, LogLine::Output { stream, data, .. }) => {
                if *stream != self.gathered_for {
                    self.flush(console)?;
                    self.gathered_for = *stream;
                }
                self.gathered.extend_from_slice(data);
            }
            (Form::Raw, LogLine::Note(note)) => {
                self.flush(console)?;
                let words = note
                    .strip_prefix('[')
                    .and_then(|note| note.strip_suffix(']'));
                console.warn(&visible(words.unwrap_or(note)));
            }
            (Form::Array | Form::Lines, line) => self.add_json(&line_value(log, line)),
            (Form::Raw, _) => {}
        }
        match GATHERED_LEN_MAX <= self.gathered.len() {
            true => self.flush(console),
            false => Ok(()),
        }
    }

    fn add_json(&mut self, value: &Value) {
        let (before, after) = match (self.form, self.begun) {
            (Form::Array, false) => ("[", ""),
            (Form::Array, true) => (",", ""),
            (Form::Raw | Form::Lines, _) => ("", "\n"),
        };
        self.begun = true;
        for part in [before, &json::to_string(value), after] {
            self.gathered.extend_from_slice(part.as_bytes());
        }
    }
}

fn line_value(log: &str, line: &LogLine) -> Value {
    let mut fields = vec![("log", Value::from(log))];
    match line {
        LogLine::Output {
            time, stream, data, ..
        } => {
            fields.push(("ts", time.to_string().into()));
            fields.extend(piece_fields(*stream, data));
        }
        LogLine::Note(note) => fields.push(("note", note.as_str().into())),
        _ => {}
    }
    Value::object(fields)
}

fn end_value(log: &str, entry: Option<&HistoryEntry>) -> Value {
    let duration = entry.map(|entry| entry.duration.as_millis());
    let duration_ms = duration.and_then(|duration| u64::try_from(duration).ok());
    Value::object([
        ("log", Value::from(log)),
        ("exit_code", entry.and_then(|entry| entry.exit_code).into()),
        ("duration_ms", duration_ms.into()),
        ("timed_out", entry.map(|entry| entry.timed_out).into()),
        ("truncated", entry.map(|entry| entry.truncated).into()),
    ])
}

/// The last lines of what was pushed, by log. A line that a log holds in several parts is one.
#[derive(Debug)]
struct Tail {
    lines_max: usize,
    parts: VecDeque<(String, LogLine)>,
    /// How many of the parts end a line.
    ends: usize,
}

impl Tail {
    fn new(lines_max: usize) -> Self {
        Self {
            lines_max,
            parts: VecDeque::new(),
            ends: 0,
        }
    }

    fn push(&mut self, log: &str, line: LogLine) {
        self.ends += usize::from(ends_line(&line));
        self.parts.push_back((log.to_owned(), line));
        while self.lines_max < self.ends {
            self.drop_line();
        }
    }

    fn drop_line(&mut self) {
        while let Some((_, part)) = self.parts.pop_front() {
            if ends_line(&part) {
                self.ends -= 1;
                return;
            }
        }
    }

    fn into_lines(mut self) -> VecDeque<(String, LogLine)> {
        let open = self.parts.back().is_some_and(|(_, part)| !ends_line(part));
        if open && self.lines_max <= self.ends {
            self.drop_line();
        }
        self.parts
    }
}

/// Whether the next part begins a new line.
fn ends_line(line: &LogLine) -> bool {
    match line {
        LogLine::Output { data, .. } => data.ends_with(b"\n"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads lines back from a log with this text.
    fn lines(text: &str) -> Vec<LogLine> {
        let id = format!("{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(format!("pd-printer-{id}.log"));
        std::fs::write(&path, text).unwrap();
        let mut reader = pocketdock_core::LogReader::open(&path).unwrap();
        let lines = std::iter::from_fn(|| reader.next_line().unwrap()).collect();
        std::fs::remove_file(path).unwrap();
        lines
    }

    fn tail(lines_max: usize, text: &str) -> String {
        let mut tail = Tail::new(lines_max);
        for line in lines(text) {
            tail.push("x.log", line);
        }
        let lines = tail.into_lines().into_iter();
        let shown = lines.map(|(_, line)| match line {
            LogLine::Output { data, .. } => String::from_utf8(data).unwrap(),
            LogLine::Note(note) => note,
            _ => unreachable!(),
        });
        shown.collect()
    }

    #[test]
    fn a_tail_counts_lines_and_not_their_parts() {
        let head = "1970-01-01T00:00:00Z stdout";
        let text = format!("{head} F a\n{head} P b\n{head} F c\n{head} F d\n");
        let cases = [
            (0, ""),
            (1, "d\n"),
            (2, "bc\nd\n"),
            (3, "a\nbc\nd\n"),
            (9, "a\nbc\nd\n"),
        ];
        for (lines_max, want) in cases {
            assert_eq!(tail(lines_max, &text), want, "{lines_max}");
        }
        let open = format!("{text}{head} P e\n");
        let cases = [(0, ""), (1, "e"), (2, "d\ne"), (9, "a\nbc\nd\ne")];
        for (lines_max, want) in cases {
            assert_eq!(tail(lines_max, &open), want, "open, {lines_max}");
        }
    }
}
