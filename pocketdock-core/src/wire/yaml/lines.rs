//! The lines of a document that have content, and the place of every character in them.

use std::str;

use crate::wire::yaml::{DOCUMENT_LEN_MAX, Error, ErrorKind, Position};

/// A line that is neither blank nor a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: usize,
    /// How many spaces it begins with.
    pub(super) indent: usize,
    /// What follows them.
    pub(super) text: &'a str,
}

impl<'a> Line<'a> {
    /// Whether it is an item of a block list.
    pub(super) fn is_item(&self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }

    /// A cursor at the beginning of the text.
    pub(super) fn cursor(&self) -> Cursor<'a> {
        Cursor {
            line: *self,
            pos: 0,
        }
    }

    /// An error at the beginning of the text.
    pub(super) fn fail(&self, kind: ErrorKind) -> Error {
        self.cursor().fail(kind)
    }
}

/// A place in a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    line: Line<'a>,
    /// Bytes of the text before it, always at a character's boundary.
    pos: usize,
}

impl<'a> Cursor<'a> {
    /// What is left of the line.
    pub(super) fn rest(&self) -> &'a str {
        self.line.text.get(self.pos..).unwrap_or_default()
    }

    /// The next character.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes the next character.
    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.pos += next.len_utf8();
        Some(next)
    }

    /// Takes the next character if it is `wanted`.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.bump();
        }
        is_next
    }

    /// Takes `text`, which is what [`rest`](Self::rest) begins with.
    pub(super) fn advance(&mut self, text: &str) {
        self.pos += text.len();
    }

    /// Takes spaces; whether there was one, or nothing at all was taken so far.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Tab`] if a tab follows.
    pub(super) fn skip_spaces(&mut self) -> Result<bool, Error> {
        let start = self.pos;
        while self.eat(' ') {}
        if self.peek() == Some('\t') {
            return Err(self.fail(ErrorKind::Tab));
        }
        Ok(start < self.pos || start == 0)
    }

    /// Whether the line has no more content: only spaces and, after one, a comment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Tab`] if the spaces end in a tab.
    pub(super) fn at_end(&mut self) -> Result<bool, Error> {
        let separated = self.skip_spaces()?;
        Ok(match self.peek() {
            None => true,
            Some('#') => separated,
            Some(_) => false,
        })
    }

    /// How many characters of the line have been taken.
    pub(super) fn taken(&self) -> usize {
        let taken = self.line.text.get(..self.pos).unwrap_or_default();
        taken.chars().count()
    }

    /// The place in the document.
    pub(super) fn position(&self) -> Position {
        Position {
            line: self.line.number,
            column: self.line.indent + self.taken() + 1,
        }
    }

    /// An error at this place.
    pub(super) fn fail(&self, kind: ErrorKind) -> Error {
        Error {
            kind,
            position: self.position(),
        }
    }
}

/// The lines with content. A leading `---` is taken off, any other marker refused.
pub(super) fn split(bytes: &[u8]) -> Result<Vec<Line<'_>>, Error> {
    if DOCUMENT_LEN_MAX < bytes.len() {
        let position = Position { line: 1, column: 1 };
        let kind = ErrorKind::TooLong;
        return Err(Error { kind, position });
    }
    let text = utf8(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut lines, mut is_first) = (Vec::new(), true);
    for (number, whole) in (1..).zip(text.split('\n')) {
        let whole = whole.strip_suffix('\r').unwrap_or(whole);
        let content = whole.trim_start_matches(' ');
        let line = Line {
            number,
            indent: whole.len() - content.len(),
            text: content.trim_end_matches(' '),
        };
        check_characters(&line)?;
        if line.text.is_empty() || line.text.starts_with('#') {
            continue;
        }
        if !is_marker(&line, is_first)? {
            lines.push(line);
        }
        is_first = false;
    }
    Ok(lines)
}

/// The text, or the place of the first byte that is none.
fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        let last = good.rsplit('\n').next().unwrap_or_default();
        let position = Position {
            line: good.matches('\n').count() + 1,
            column: last.trim_start_matches('\u{feff}').chars().count() + 1,
        };
        let kind = ErrorKind::InvalidUtf8;
        Error { kind, position }
    })
}

/// Refuses what is not printable, and what only some readers take for a line break.
fn check_characters(line: &Line<'_>) -> Result<(), Error> {
    let mut cursor = line.cursor();
    if cursor.peek() == Some('\t') {
        return Err(cursor.fail(ErrorKind::Tab));
    }
    while let Some(next) = cursor.peek() {
        if !is_plain_character(next) {
            return Err(cursor.fail(ErrorKind::Character(next)));
        }
        cursor.bump();
    }
    Ok(())
}

/// Printable by section 5.1 and no line break by any version.
pub(super) fn is_plain_character(char: char) -> bool {
    match char {
        '\t' | ' '..='~' => true,
        '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
        '\u{a0}'..='\u{fffd}' => true,
        other => '\u{10000}' <= other,
    }
}

/// Whether the line is the `---` before everything else.
fn is_marker(line: &Line<'_>, is_first: bool) -> Result<bool, Error> {
    if line.indent != 0 {
        return Ok(false);
    }
    if line.text.starts_with('%') {
        return Err(line.fail(ErrorKind::Directive));
    }
    let marker = ["---", "..."]
        .into_iter()
        .find(|marker| line.text.starts_with(marker));
    let Some(marker) = marker else {
        return Ok(false);
    };
    let mut cursor = line.cursor();
    cursor.advance(marker);
    if !matches!(cursor.peek(), None | Some(' ' | '\t')) {
        return Ok(false);
    }
    if is_first && marker == "---" && cursor.at_end()? {
        return Ok(true);
    }
    Err(line.fail(ErrorKind::DocumentMarker))
}
