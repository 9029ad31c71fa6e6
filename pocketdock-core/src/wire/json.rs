//! JSON text to values and back, RFC 8259.
//!
//! [`parse`] takes exactly the grammar of the RFC: UTF-8 without a byte order mark, one value,
//! white space around it and nothing after it. Stricter than the RFC demands: lone surrogates in
//! `\u` escapes and numbers beyond the range of `f64` are refused, since neither has a Rust value.
//! Of equal keys in one object the last wins. Integers that fit an `i64` or `u64` are exact; other
//! numbers become the nearest `f64`.
//!
//! [`write()`] makes compact one-line text in which every control character is escaped.
//! [`Lines`] cuts a stream of newline-separated documents into values.
//!
//! Limits: nesting of [`DEPTH_MAX`], [`VALUES_MAX`] values, lines of [`LINE_LEN_MAX`] bytes. Memory
//! is proportional to the input, which the caller bounds. There are no comments, no trailing
//! commas, no pretty printer and no mapping to structs.

use std::fmt::{self, Write};
use std::str;

use crate::wire::digits;
use crate::wire::value::{Object, Value};

/// How deeply arrays and objects may be nested.
///
/// Engine replies stay below 10; the limit keeps the parser's recursion within any thread's stack.
///
/// ```
/// use pocketdock_core::wire::json::{self, DEPTH_MAX, ErrorKind};
///
/// let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
/// assert!(json::parse(nested(DEPTH_MAX).as_bytes()).is_ok());
/// let error = json::parse(nested(DEPTH_MAX + 1).as_bytes()).unwrap_err();
/// assert_eq!(error.kind, ErrorKind::TooDeep);
/// ```
pub const DEPTH_MAX: usize = 64;

/// How many values a document may hold, those inside of others included.
///
/// A value takes up to forty bytes of memory and as little as two of text. A list of 20,000
/// containers, which is as long as any reply that is read at once, has about 1.6 million.
///
/// ```
/// use pocketdock_core::wire::json::{self, ErrorKind, VALUES_MAX};
///
/// let bomb = format!("[{}0]", "0,".repeat(VALUES_MAX));
/// assert_eq!(json::parse(bomb.as_bytes()).unwrap_err().kind, ErrorKind::TooManyValues);
/// ```
pub const VALUES_MAX: usize = 2_000_000;

/// The longest document that [`Lines`] takes, in bytes without its newline.
///
/// ```
/// use pocketdock_core::wire::json::{ErrorKind, LINE_LEN_MAX, Lines};
///
/// let endless = vec![b'1'; LINE_LEN_MAX + 1];
/// let error = Lines::default().next(&mut endless.as_slice()).unwrap_err();
/// assert_eq!(error.kind, ErrorKind::LineTooLong);
/// ```
pub const LINE_LEN_MAX: usize = 1 << 20;

/// Why a text is not JSON, and where.
///
/// ```
/// use pocketdock_core::wire::json;
///
/// let error = json::parse(b"[1,]").unwrap_err();
/// assert_eq!(error.to_string(), "unexpected ']' in JSON at byte 3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The byte at which it was noticed, counted from 0.
    pub offset: usize,
}

/// What is wrong with a text that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text ends inside a value: it was cut short.
    UnexpectedEnd,
    /// This byte cannot stand here.
    UnexpectedByte(u8),
    /// A complete value is followed by more than white space.
    TrailingData,
    /// The text is not UTF-8.
    InvalidUtf8,
    /// A backslash is followed by something that is not an escape.
    InvalidEscape,
    /// A `\u` escape is one half of a surrogate pair without the other.
    LoneSurrogate,
    /// A control character stands in a string without being escaped.
    ControlCharacter,
    /// A number is beyond the range of `f64`.
    NumberOutOfRange,
    /// Values are nested more than [`DEPTH_MAX`] deep.
    TooDeep,
    /// There are more than [`VALUES_MAX`] values.
    TooManyValues,
    /// A line is longer than [`LINE_LEN_MAX`].
    LineTooLong,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::UnexpectedEnd => f.write_str("unexpected end of JSON"),
            ErrorKind::UnexpectedByte(byte) => {
                write!(f, "unexpected '{}' in JSON", byte.escape_ascii())
            }
            ErrorKind::TrailingData => f.write_str("more text after the JSON value"),
            ErrorKind::InvalidUtf8 => f.write_str("invalid UTF-8 in JSON"),
            ErrorKind::InvalidEscape => f.write_str("invalid escape in a JSON string"),
            ErrorKind::LoneSurrogate => f.write_str("lone surrogate in a JSON string"),
            ErrorKind::ControlCharacter => f.write_str("unescaped control character in JSON"),
            ErrorKind::NumberOutOfRange => f.write_str("number out of range in JSON"),
            ErrorKind::TooDeep => write!(f, "JSON nested more than {DEPTH_MAX} deep"),
            ErrorKind::TooManyValues => write!(f, "more than {VALUES_MAX} values in JSON"),
            ErrorKind::LineTooLong => write!(f, "line of JSON longer than {LINE_LEN_MAX} bytes"),
        }?;
        write!(f, " at byte {}", self.offset)
    }
}

impl std::error::Error for Error {}

/// Reads one JSON value that takes up all of `bytes`.
///
/// ```
/// use pocketdock_core::wire::json;
///
/// let reply = json::parse(br#"{"Id": "4f", "State": {"Pid": 18446744073709551615}}"#)?;
/// assert_eq!(reply.str_at(&["Id"]), Some("4f"));
/// assert_eq!(reply.u64_at(&["State", "Pid"]), Some(u64::MAX));
///
/// let error = json::parse(b"[1, 2").unwrap_err();
/// assert_eq!(error.kind, json::ErrorKind::UnexpectedEnd);
/// # Ok::<(), json::Error>(())
/// ```
///
/// # Errors
///
/// The first thing that is not JSON, with its offset. [`ErrorKind::UnexpectedEnd`] is kept for text
/// that more bytes could complete.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    // Checked once for the whole text, so that strings can be taken out of it as they are.
    let text = str::from_utf8(bytes).map_err(not_utf8)?;
    let mut parser = Parser {
        text,
        pos: 0,
        n_values: 0,
    };
    parser.skip_whitespace();
    let value = parser.value(0)?;
    parser.skip_whitespace();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.fail(ErrorKind::TrailingData)),
    }
}

fn not_utf8(error: str::Utf8Error) -> Error {
    let kind = match error.error_len() {
        Some(_) => ErrorKind::InvalidUtf8,
        None => ErrorKind::UnexpectedEnd, // the text ends inside a character
    };
    let offset = error.valid_up_to();
    Error { kind, offset }
}

/// Writes `value` as compact JSON.
///
/// ```
/// use pocketdock_core::wire::json;
/// use pocketdock_core::wire::value::Value;
///
/// let body = Value::object([("Cmd", ["printf", "a\n"].into()), ("Tty", false.into())]);
/// assert_eq!(json::to_string(&body), r#"{"Cmd":["printf","a\n"],"Tty":false}"#);
/// ```
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Appends `value` to `out` as compact JSON.
///
/// JSON has no infinities and no NaN; they are written as `null`.
///
/// ```
/// use pocketdock_core::wire::json;
///
/// let mut line = "data: ".to_owned();
/// json::write(&vec!["a".to_owned()].into(), &mut line);
/// assert_eq!(line, r#"data: ["a"]"#);
/// ```
pub fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(number) => write_display(number, out),
        Value::Uint(number) => write_display(number, out),
        Value::Float(number) => write_float(*number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(elements) => write_array(elements, out),
        Value::Object(object) => write_object(object, out),
    }
}

fn write_display(number: &dyn fmt::Display, out: &mut String) {
    let _ = write!(out, "{number}"); // writing to a String cannot fail
}

fn write_float(number: f64, out: &mut String) {
    if number.is_finite() {
        // Debug, unlike Display, uses an exponent for 1e300 and shows that 1.0 is no integer.
        let _ = write!(out, "{number:?}");
    } else {
        out.push_str("null");
    }
}

fn write_array(elements: &[Value], out: &mut String) {
    out.push('[');
    for (i, element) in elements.iter().enumerate() {
        if 0 < i {
            out.push(',');
        }
        write(element, out);
    }
    out.push(']');
}

fn write_object(object: &Object, out: &mut String) {
    out.push('{');
    for (i, (key, value)) in object.iter().enumerate() {
        if 0 < i {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_at_checked(plain_len(rest.as_bytes())) {
        write_plain(plain, out);
        let mut chars = tail.chars();
        let Some(special) = chars.next() else {
            break;
        };
        write_escape(special, out);
        rest = chars.as_str();
    }
    out.push('"');
}

/// Writes text that may be as it is. JSON would let DEL and the C1 controls stand; a terminal obeys
/// them.
fn write_plain(mut text: &str, out: &mut String) {
    let harmful = |c: char| ('\u{7f}'..='\u{9f}').contains(&c);
    if text.bytes().any(|byte| matches!(byte, 0x7f | 0xc2)) {
        while let Some((before, after)) = text.split_once(harmful) {
            out.push_str(before);
            let tail = text.get(before.len()..).unwrap_or_default();
            if let Some(control) = tail.chars().next() {
                write_escape(control, out);
            }
            text = after;
        }
    }
    out.push_str(text);
}

fn write_escape(special: char, out: &mut String) {
    match special {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        control => {
            let _ = write!(out, "\\u{:04x}", u32::from(control)); // a String takes everything
        }
    }
}

/// Cuts a stream of newline-separated JSON documents into values.
///
/// Engines report the progress of a build or a load this way, one object per line. Lines end in
/// `\n` or `\r\n`, blank lines are skipped, and how the stream was split into reads does not
/// matter.
///
/// ```
/// use pocketdock_core::wire::json::{self, Lines};
///
/// let mut lines = Lines::default();
/// let mut input: &[u8] = b"{\"stream\":\"Step 1\"}\r\n{\"str";
/// let step = lines.next(&mut input)?.unwrap();
/// assert_eq!(step.str_at(&["stream"]), Some("Step 1"));
/// assert_eq!(lines.next(&mut input)?, None); // more input is needed
///
/// input = b"eam\":\"Step 2\"}";
/// assert_eq!(lines.next(&mut input)?, None);
/// let last = lines.finish()?.unwrap();
/// assert_eq!(last.str_at(&["stream"]), Some("Step 2"));
/// # Ok::<(), json::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Lines {
    /// The start of a line whose newline has not come, at most [`LINE_LEN_MAX`] bytes.
    partial: Vec<u8>,
}

impl Lines {
    /// Takes the next document off the front of `input`.
    ///
    /// `None` means that `input` is used up and that more is needed.
    ///
    /// # Errors
    ///
    /// As [`parse`], with the offset counted from the start of the line; the line is dropped and
    /// the following ones can still be taken. [`ErrorKind::LineTooLong`] as soon as a line exceeds
    /// [`LINE_LEN_MAX`]; there is no way back into step after that.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Value>, Error> {
        while let Some(newline) = input.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = input.split_at(newline);
            *input = rest.get(1..).unwrap_or_default();
            self.gather(line)?;
            if let Some(value) = self.take_document()? {
                return Ok(Some(value));
            }
        }
        self.gather(std::mem::take(input))?;
        Ok(None)
    }

    /// Takes what stands after the last newline, at the end of the stream.
    ///
    /// # Errors
    ///
    /// As [`parse`]; [`ErrorKind::UnexpectedEnd`] if the stream was cut inside a document.
    pub fn finish(mut self) -> Result<Option<Value>, Error> {
        self.take_document()
    }

    fn gather(&mut self, piece: &[u8]) -> Result<(), Error> {
        if LINE_LEN_MAX - self.partial.len() < piece.len() {
            self.partial = Vec::new();
            let kind = ErrorKind::LineTooLong;
            let offset = LINE_LEN_MAX;
            return Err(Error { kind, offset });
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    fn take_document(&mut self) -> Result<Option<Value>, Error> {
        let is_blank = self.partial.iter().all(u8::is_ascii_whitespace);
        let result = (!is_blank).then(|| parse(&self.partial)).transpose();
        self.partial.clear();
        result
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The byte to be read next; never beyond the end of `text`.
    pos: usize,
    /// How many values have been begun.
    n_values: usize,
}

impl<'a> Parser<'a> {
    #[inline(always)] // A build for size would call it for every byte.
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    #[inline(always)] // The same.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn fail(&self, kind: ErrorKind) -> Error {
        let offset = self.pos;
        Error { kind, offset }
    }

    fn unexpected(&self) -> Error {
        self.fail(match self.peek() {
            Some(byte) => ErrorKind::UnexpectedByte(byte),
            None => ErrorKind::UnexpectedEnd,
        })
    }

    #[inline(always)] // The same.
    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// Reads the value that starts here, inside of `depth` others.
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        if self.n_values == VALUES_MAX {
            return Err(self.fail(ErrorKind::TooManyValues));
        }
        self.n_values += 1;
        match self.peek() {
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, name: &str, value: Value) -> Result<Value, Error> {
        for byte in name.bytes() {
            self.expect(byte)?;
        }
        Ok(value)
    }

    /// Steps over the bracket of a new level.
    fn descend(&mut self, depth: usize) -> Result<usize, Error> {
        if depth == DEPTH_MAX {
            return Err(self.fail(ErrorKind::TooDeep));
        }
        self.pos += 1;
        self.skip_whitespace();
        Ok(depth + 1)
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        let depth = self.descend(depth)?;
        let mut elements = Vec::new();
        if self.eat(b']') {
            return Ok(Value::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            if !self.goes_on(b']')? {
                return Ok(Value::Array(elements));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        let depth = self.descend(depth)?;
        let mut object = Object::new();
        if self.eat(b'}') {
            return Ok(Value::Object(object));
        }
        loop {
            let (key, value) = self.member(depth)?;
            object.insert(key, value);
            if !self.goes_on(b'}')? {
                return Ok(Value::Object(object));
            }
        }
    }

    fn member(&mut self, depth: usize) -> Result<(String, Value), Error> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let key = self.string()?;
        self.skip_whitespace();
        self.expect(b':')?;
        self.skip_whitespace();
        Ok((key, self.value(depth)?))
    }

    /// Steps over the comma before another element, or over the bracket that ends them.
    fn goes_on(&mut self, close: u8) -> Result<bool, Error> {
        self.skip_whitespace();
        if self.eat(close) {
            return Ok(false);
        }
        self.expect(b',')?;
        self.skip_whitespace();
        Ok(true)
    }

    /// Reads the string whose opening quote is next.
    fn string(&mut self) -> Result<String, Error> {
        self.pos += 1;
        let mut text = self.plain_run().to_owned();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.fail(ErrorKind::ControlCharacter)),
                None => return Err(self.unexpected()),
            }
            text.push_str(self.plain_run());
        }
        self.pos += 1;
        Ok(text)
    }

    /// Steps over text that means itself, up to a quote, a backslash or a control character.
    fn plain_run(&mut self) -> &'a str {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        let run = rest.get(..plain_len(rest.as_bytes())).unwrap_or_default();
        self.pos += run.len();
        run
    }

    /// Reads the escape whose backslash is next.
    fn escape(&mut self) -> Result<char, Error> {
        self.pos += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            Some(_) => return Err(self.fail(ErrorKind::InvalidEscape)),
            None => return Err(self.unexpected()),
        };
        self.pos += 1;
        Ok(plain)
    }

    /// Reads `uXXXX`, and the second escape too if the first is half of a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, Error> {
        let lone_surrogate = self.fail(ErrorKind::LoneSurrogate);
        let first = self.code_unit()?;
        if !matches!(first, 0xd800..=0xdbff) {
            return char::from_u32(first).ok_or(lone_surrogate);
        }
        for byte in [b'\\', b'u'] {
            match self.peek() {
                Some(found) if found == byte => self.pos += usize::from(byte == b'\\'),
                Some(_) => return Err(lone_surrogate),
                None => return Err(self.unexpected()),
            }
        }
        match self.code_unit()? {
            second @ 0xdc00..=0xdfff => {
                let code_point = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                char::from_u32(code_point).ok_or(lone_surrogate)
            }
            _ => Err(lone_surrogate),
        }
    }

    /// Reads `uXXXX`.
    fn code_unit(&mut self) -> Result<u32, Error> {
        self.pos += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let byte = self.peek().ok_or_else(|| self.unexpected())?;
            let digit = char::from(byte).to_digit(16);
            unit = unit << 4 | digit.ok_or_else(|| self.fail(ErrorKind::InvalidEscape))?;
            self.pos += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.pos;
        let is_negative = self.eat(b'-');
        let integer_start = self.pos;
        if !self.eat(b'0') {
            self.digits()?;
        }
        let integer = self.slice_from(integer_start);
        let is_fraction = self.fraction()?;
        let is_scaled = self.exponent()?;
        if !is_fraction && !is_scaled {
            if let Some(value) = exact_integer(is_negative, integer) {
                return Ok(value);
            }
        }
        match self.slice_from(start).parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(number)),
            _ => Err(Error {
                kind: ErrorKind::NumberOutOfRange,
                offset: start,
            }),
        }
    }

    fn fraction(&mut self) -> Result<bool, Error> {
        let found = self.eat(b'.');
        if found {
            self.digits()?;
        }
        Ok(found)
    }

    fn exponent(&mut self) -> Result<bool, Error> {
        let found = self.eat(b'e') || self.eat(b'E');
        if found {
            let _signed = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(found)
    }

    /// Steps over one or more digits.
    fn digits(&mut self) -> Result<(), Error> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.unexpected());
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
        }
        Ok(())
    }

    fn slice_from(&self, start: usize) -> &'a str {
        self.text.get(start..self.pos).unwrap_or_default()
    }
}

/// The integer, unless it takes a float to hold it: beyond 64 bits, or minus zero.
fn exact_integer(is_negative: bool, integer: &str) -> Option<Value> {
    let magnitude = digits::decimal(integer.as_bytes())?;
    match (is_negative, magnitude) {
        (false, _) => Some(magnitude.into()),
        (true, 0) => None,
        (true, _) => Some(Value::Int(0_i64.checked_sub_unsigned(magnitude)?)),
    }
}

/// How many bytes come before the first quote, backslash or control character.
fn plain_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return bytes.len() - rest.len() + (special.trailing_zeros() / 8) as usize;
        }
        rest = tail;
    }
    let is_special = |&byte: &u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    bytes.len() - rest.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// Sets the top bit of the first of eight bytes that cannot stand for itself in a string.
///
/// Bits above the lowest one set may be wrong, because a subtraction borrows from the next byte.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let quote = below(word ^ (ONES * 0x22), 1);
    let backslash = below(word ^ (ONES * 0x5c), 1);
    let control = below(word, 0x20);
    (quote | backslash | control) & (ONES * 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#" {"Id": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é😀",
        "n": [0, -1, 2.5e-3, 1E+2, 18446744073709551615],
        "t": true, "f": false, "z": null, "o": {"e": {}, "a": [ ]}} "#;

    fn kind_and_offset(text: &[u8]) -> (ErrorKind, usize) {
        let error = parse(text).expect_err(&format!("{:?} is not JSON", text.escape_ascii()));
        (error.kind, error.offset)
    }

    fn parse_str(text: &str) -> Value {
        parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_whole_document() {
        let value = parse_str(DOCUMENT);
        assert_eq!(value.str_at(&["Id"]), Some("a\"\\/\u{8}\u{c}\n\r\té😀é😀"));
        let numbers = [
            0.into(),
            (-1).into(),
            0.0025.into(),
            100.0.into(),
            u64::MAX.into(),
        ];
        assert_eq!(value.array_at(&["n"]), Some(numbers.as_slice()));
        assert_eq!(value.bool_at(&["t"]), Some(true));
        assert_eq!(value.bool_at(&["f"]), Some(false));
        assert_eq!(value.get("z"), Some(&Value::Null));
        assert_eq!(value.at(&["o", "e"]), Some(&Object::new().into()));
        assert_eq!(value.at(&["o", "a"]), Some(&Value::Array(vec![])));
    }

    #[test]
    fn every_strict_prefix_is_cut_short() {
        let document = DOCUMENT.trim_end();
        for len in 0..document.len() {
            let (kind, _) = kind_and_offset(&document.as_bytes()[..len]);
            assert_eq!(kind, ErrorKind::UnexpectedEnd, "{len} bytes");
        }
    }

    #[test]
    fn every_byte_replaced_by_every_other_is_an_answer() {
        for i in 0..DOCUMENT.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = DOCUMENT.as_bytes().to_vec();
                bytes[i] = byte;
                if let Err(error) = parse(&bytes) {
                    assert!(error.offset <= bytes.len());
                }
            }
        }
    }

    #[test]
    fn what_is_not_json() {
        use ErrorKind::*;
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], (ErrorKind, usize)); 46] = [
            ("nothing",                 b"",                 (UnexpectedEnd, 0)),
            ("only white space",        b" \t\r\n",          (UnexpectedEnd, 4)),
            ("byte order mark",         b"\xef\xbb\xbf1",    (UnexpectedByte(0xef), 0)),
            ("UTF-16",                  b"1\0",              (TrailingData, 1)),
            ("form feed as space",      b"\x0c1",            (UnexpectedByte(0x0c), 0)),
            ("vertical tab as space",   b"1\x0b",            (TrailingData, 1)),
            ("no-break space",          b"1\xc2\xa0",        (TrailingData, 1)),
            ("two values",              b"1 2",              (TrailingData, 2)),
            ("two objects",             b"{}{}",             (TrailingData, 2)),
            ("bare word",               b"hello",            (UnexpectedByte(b'h'), 0)),
            ("upper-case literal",      b"True",             (UnexpectedByte(b'T'), 0)),
            ("misspelt literal",        b"trux",             (UnexpectedByte(b'x'), 3)),
            ("literal with a tail",     b"nullx",            (TrailingData, 4)),
            ("single quotes",           b"'a'",              (UnexpectedByte(b'\''), 0)),
            ("comment",                 b"/**/1",            (UnexpectedByte(b'/'), 0)),
            ("trailing comma, array",   b"[1,]",             (UnexpectedByte(b']'), 3)),
            ("trailing comma, object",  b"{\"a\":1,}",       (UnexpectedByte(b'}'), 7)),
            ("leading comma",           b"[,1]",             (UnexpectedByte(b','), 1)),
            ("missing comma",           b"[1 2]",            (UnexpectedByte(b'2'), 3)),
            ("missing colon",           b"{\"a\" 1}",        (UnexpectedByte(b'1'), 5)),
            ("missing value",           b"{\"a\":}",         (UnexpectedByte(b'}'), 5)),
            ("bare key",                b"{a:1}",            (UnexpectedByte(b'a'), 1)),
            ("number as key",           b"{1:1}",            (UnexpectedByte(b'1'), 1)),
            ("wrong bracket",           b"[1}",              (UnexpectedByte(b'}'), 2)),
            ("bracket too many",        b"[]]",              (TrailingData, 2)),
            ("plus sign",               b"+1",               (UnexpectedByte(b'+'), 0)),
            ("minus alone",             b"[-]",              (UnexpectedByte(b']'), 2)),
            ("leading zero",            b"01",               (TrailingData, 1)),
            ("minus leading zero",      b"-01",              (TrailingData, 2)),
            ("no integer part",         b".5",               (UnexpectedByte(b'.'), 0)),
            ("no fraction digits",      b"[1.]",             (UnexpectedByte(b']'), 3)),
            ("no exponent digits",      b"[1e+]",            (UnexpectedByte(b']'), 4)),
            ("hex number",              b"0x1",              (TrailingData, 1)),
            ("not a number",            b"NaN",              (UnexpectedByte(b'N'), 0)),
            ("infinity",                b"-Infinity",        (UnexpectedByte(b'I'), 1)),
            ("number out of range",     b"[-1e309]",         (NumberOutOfRange, 1)),
            ("newline in a string",     b"\"a\nb\"",         (ControlCharacter, 2)),
            ("NUL in a string",         b"\"\0\"",           (ControlCharacter, 1)),
            ("last control character",  b"\"12345678\x1f\"", (ControlCharacter, 9)),
            ("unknown escape",          b"\"\\x41\"",        (InvalidEscape, 2)),
            ("escape with a plus",      b"\"\\u+123\"",      (InvalidEscape, 3)),
            ("escape of three digits",  b"\"\\u123\"",       (InvalidEscape, 6)),
            ("low surrogate alone",     b"\"\\udc00\"",      (LoneSurrogate, 2)),
            ("high surrogate alone",    b"\"\\ud800\"",      (LoneSurrogate, 2)),
            ("high surrogate twice",    b"\"\\ud800\\ud800\"", (LoneSurrogate, 2)),
            ("high surrogate, newline", b"\"\\ud800\\n\"",   (LoneSurrogate, 2)),
        ];
        for (name, input, want) in cases {
            assert_eq!(kind_and_offset(input), want, "{name}");
        }
    }

    #[test]
    fn strings_must_be_utf8() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], usize); 6] = [
            ("stray continuation",  b"\"\x80\"",             1),
            ("overlong slash",      b"\"\xc0\xaf\"",         1),
            ("encoded surrogate",   b"\"a\xed\xa0\x80\"",    2),
            ("above U+10FFFF",      b"\"\xf4\x90\x80\x80\"", 1),
            ("cut by the quote",    b"\"\xe2\x82\"",         1),
            ("outside of a string", b"[\xff]",               1),
        ];
        for (name, input, offset) in cases {
            assert_eq!(
                kind_and_offset(input),
                (ErrorKind::InvalidUtf8, offset),
                "{name}"
            );
        }
    }

    #[test]
    fn numbers() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("zero",              "0",                    Value::Int(0)),
            ("minus zero",        "-0",                   Value::Float(-0.0)),
            ("i64 minimum",       "-9223372036854775808", Value::Int(i64::MIN)),
            ("below i64",         "-9223372036854775809", Value::Float(-9_223_372_036_854_775_809.0)),
            ("i64 maximum",       "9223372036854775807",  Value::Int(i64::MAX)),
            ("above i64",         "9223372036854775808",  Value::Uint(1 << 63)),
            ("u64 maximum",       "18446744073709551615", Value::Uint(u64::MAX)),
            ("above u64",         "18446744073709551616", Value::Float(18_446_744_073_709_551_616.0)),
            ("above 2^53",        "9007199254740993",     Value::Int(9_007_199_254_740_993)),
            ("fraction",          "0.1",                  Value::Float(0.1)),
            ("whole fraction",    "1.0",                  Value::Float(1.0)),
            ("exponent",          "1e3",                  Value::Float(1000.0)),
            ("zero exponent",     "0e0",                  Value::Float(0.0)),
            ("too small",         "1e-999",               Value::Float(0.0)),
            ("largest",           "1.7976931348623157e308", Value::Float(f64::MAX)),
        ];
        for (name, input, want) in cases {
            let got = parse_str(input);
            assert_eq!(got, want, "{name}");
            assert_eq!(
                got.as_f64().map(f64::is_sign_negative),
                Some(input.starts_with('-')),
                "{name}"
            );
        }
    }

    #[test]
    fn surrogate_pairs_at_their_limits() {
        assert_eq!(parse_str(r#""\ud800\udc00""#), "\u{10000}".into());
        assert_eq!(parse_str(r#""\uDBFF\uDFFF""#), "\u{10ffff}".into());
        assert_eq!(
            parse_str(r#""\ud7ff\ue000\u0000""#),
            "\u{d7ff}\u{e000}\0".into()
        );
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        let value = parse_str(r#"{"a": 1, "b": 2, "\u0061": 3}"#);
        assert_eq!(value, Value::object([("a", 3.into()), ("b", 2.into())]));
    }

    #[test]
    fn depth_at_the_limit_and_beyond() {
        for (open, close) in [("[", "]"), ("{\"\":", "}")] {
            let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
            let (kind, offset) = kind_and_offset(nested(DEPTH_MAX + 1).as_bytes());
            assert_eq!((kind, offset), (ErrorKind::TooDeep, DEPTH_MAX * open.len()));
        }
        let bomb = "[".repeat(1 << 20);
        assert_eq!(kind_and_offset(bomb.as_bytes()).0, ErrorKind::TooDeep);
    }

    #[test]
    fn values_are_counted() {
        let of = |n: usize| format!("[{}0]", "0,".repeat(n - 2));
        assert!(parse(of(VALUES_MAX).as_bytes()).is_ok());
        let error = kind_and_offset(of(VALUES_MAX + 1).as_bytes());
        assert_eq!(error, (ErrorKind::TooManyValues, 2 * VALUES_MAX - 1));
    }

    #[test]
    fn many_keys_take_time_in_proportion() {
        let members: Vec<_> = (0..200_000).map(|i| format!("\"k{i}\":{i}")).collect();
        let value = parse_str(&format!("{{{}}}", members.join(",")));
        assert_eq!(value.u64_at(&["k199999"]), Some(199_999));
        assert_eq!(value.as_object().map(Object::len), Some(200_000));
    }

    #[test]
    fn plain_runs_stop_at_each_special_byte_in_each_place() {
        for len in 0..40 {
            assert_eq!(plain_len(&vec![b'a'; len]), len);
            for at in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![0xc3; len];
                    bytes[at] = byte;
                    let is_special = byte < 0x20 || byte == b'"' || byte == b'\\';
                    let want = if is_special { at } else { len };
                    assert_eq!(plain_len(&bytes), want, "byte {byte:#x} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn no_control_character_is_written_as_it_is() {
        let all: String = ('\0'..='\u{a1}').collect();
        let text = to_string(&Value::from(all.as_str()));
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.contains("\\u009b"), "{text:?}");
        assert!(text.contains("\u{a0}\u{a1}"), "{text:?}");
        assert_eq!(parse(text.as_bytes()).unwrap().as_str(), Some(all.as_str()));
    }

    #[test]
    fn written_text() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("null",          Value::Null,                   "null"),
            ("true",          true.into(),                   "true"),
            ("false",         false.into(),                  "false"),
            ("minimum",       i64::MIN.into(),               "-9223372036854775808"),
            ("maximum",       u64::MAX.into(),               "18446744073709551615"),
            ("fraction",      0.1.into(),                    "0.1"),
            ("whole float",   1.0.into(),                    "1.0"),
            ("minus zero",    (-0.0).into(),                 "-0.0"),
            ("huge",          1e300.into(),                  "1e300"),
            ("tiny",          5e-324.into(),                 "5e-324"),
            ("not a number",  f64::NAN.into(),               "null"),
            ("infinity",      f64::INFINITY.into(),          "null"),
            ("empty text",    "".into(),                     r#""""#),
            ("escapes",       "\"\\/\u{8}\u{c}\n\r\t".into(), r#""\"\\/\b\f\n\r\t""#),
            ("controls",      "\0\u{1b}[31m\u{1f}".into(),   r#""\u0000\u001b[31m\u001f""#),
            ("other text",    "é😀\u{2028}".into(),          "\"é😀\u{2028}\""),
            ("empty array",   Value::Array(vec![]),          "[]"),
            ("array",         [1, 2].into(),                 "[1,2]"),
            ("empty object",  Object::new().into(),          "{}"),
            ("object",        Value::object([("b", 1.into()), ("a\n", Value::Null)]), r#"{"b":1,"a\n":null}"#),
        ];
        for (name, value, want) in cases {
            assert_eq!(to_string(&value), want, "{name}");
        }
    }

    #[test]
    fn every_character_survives_a_round_trip() {
        let all: String = ('\0'..='\u{10ffff}').collect();
        let value = Value::object([(all.clone(), all.into())]);
        assert_eq!(parse_str(&to_string(&value)), value);
    }

    #[test]
    fn a_document_survives_a_round_trip() {
        let value = parse_str(DOCUMENT);
        let text = to_string(&value);
        assert_eq!(parse_str(&text), value);
        assert_eq!(to_string(&parse_str(&text)), text);
    }

    const STREAM: &[u8] = b"{\"a\":1}\r\n\n \r\n[2]\n\"\xc3\xa9\"\n{\"last\":true}";

    fn take_lines(pieces: &[&[u8]]) -> Vec<Value> {
        let mut lines = Lines::default();
        let mut values = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(value) = lines.next(&mut input).unwrap() {
                values.push(value);
            }
            assert!(input.is_empty());
        }
        values.extend(lines.finish().unwrap());
        values
    }

    #[test]
    fn any_two_cuts_give_the_same_lines() {
        let last = Value::object([("last", true.into())]);
        let want = [
            Value::object([("a", 1.into())]),
            [2].into(),
            "é".into(),
            last,
        ];
        for i in 0..=STREAM.len() {
            for j in i..=STREAM.len() {
                let pieces = [&STREAM[..i], &STREAM[i..j], &STREAM[j..]];
                assert_eq!(take_lines(&pieces), want, "cut at {i} and {j}");
            }
        }
    }

    #[test]
    fn a_stream_that_ends_inside_a_line_is_cut_short() {
        let line = b"{\"stream\":\"\xc3\xa9\"}";
        for len in 1..line.len() {
            let mut lines = Lines::default();
            assert_eq!(lines.next(&mut &line[..len]), Ok(None));
            let kind = lines.finish().map_err(|error| error.kind);
            assert_eq!(kind, Err(ErrorKind::UnexpectedEnd), "{len} bytes");
        }
        assert_eq!(Lines::default().finish(), Ok(None));
    }

    #[test]
    fn a_bad_line_does_not_spoil_the_next() {
        let mut lines = Lines::default();
        let mut input: &[u8] = b"{]\n[1]\n";
        let error = lines.next(&mut input).unwrap_err();
        assert_eq!(
            (error.kind, error.offset),
            (ErrorKind::UnexpectedByte(b']'), 1)
        );
        assert_eq!(lines.next(&mut input), Ok(Some([1].into())));
    }

    #[test]
    fn line_length_at_the_limit_and_beyond() {
        let longest = format!("\"{}\"", "a".repeat(LINE_LEN_MAX - 2));
        for step in [4096, LINE_LEN_MAX + 1] {
            let mut lines = Lines::default();
            for piece in longest.as_bytes().chunks(step) {
                assert_eq!(lines.next(&mut &piece[..]), Ok(None));
            }
            assert!(matches!(
                lines.next(&mut &b"\n"[..]),
                Ok(Some(Value::String(_)))
            ));

            for piece in longest.as_bytes().chunks(step) {
                assert_eq!(lines.next(&mut &piece[..]), Ok(None));
            }
            let error = lines.next(&mut &b" "[..]).unwrap_err();
            assert_eq!(
                (error.kind, error.offset),
                (ErrorKind::LineTooLong, LINE_LEN_MAX)
            );
        }
    }

    #[test]
    fn messages() {
        let error = |text: &[u8]| parse(text).unwrap_err().to_string();
        assert_eq!(error(b"[1"), "unexpected end of JSON at byte 2");
        assert_eq!(error(b"\x1b"), "unexpected '\\x1b' in JSON at byte 0");
    }
}
