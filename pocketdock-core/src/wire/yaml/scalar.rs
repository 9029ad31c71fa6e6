//! Scalars: plain ones and what they mean, quoted ones and their escapes, flow lists of both.

use std::fmt::Write;

use crate::wire::digits;
use crate::wire::value::Value;
use crate::wire::yaml::lines::{Cursor, is_plain_character};
use crate::wire::yaml::{Error, ErrorKind};

/// What YAML 1.1 and 1.2 do not agree about: truth values of 1.1, and `<<` and `=`, which have a
/// meaning of their own there.
const AMBIGUOUS: [&str; 18] = [
    "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off",
    "OFF", "<<", "=",
];

/// Where a plain scalar stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// In a block, alone on its line.
    Block,
    /// In a flow list.
    Flow,
}

/// A scalar; what follows it is left to the caller.
pub(super) fn scalar(cursor: &mut Cursor<'_>, context: Context) -> Result<Value, Error> {
    if let Some('"' | '\'') = cursor.peek() {
        return quoted_text(cursor).map(Value::String);
    }
    let start = *cursor;
    let text = plain_text(cursor, context)?;
    resolve(text).map_err(|kind| start.fail(kind))
}

/// A flow list of scalars.
pub(super) fn flow_list(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    let open = *cursor;
    cursor.bump();
    let mut elements = Vec::new();
    loop {
        if cursor.at_end()? {
            return Err(open.fail(ErrorKind::UnclosedList));
        }
        match cursor.peek() {
            Some(']') => break,
            Some(',') => return Err(cursor.fail(ErrorKind::MissingElement)),
            Some('[') => return Err(cursor.fail(ErrorKind::NestedList)),
            _ => elements.push(scalar(cursor, Context::Flow)?),
        }
        if cursor.at_end()? {
            return Err(open.fail(ErrorKind::UnclosedList));
        }
        match cursor.peek() {
            Some(',') => cursor.bump(),
            Some(']') => break,
            Some(':') => return Err(cursor.fail(ErrorKind::MappingInList)),
            _ => return Err(cursor.fail(ErrorKind::TrailingText)),
        };
    }
    cursor.bump();
    Ok(Value::Array(elements))
}

/// The text of a plain scalar, up to where YAML ends it: a `: `, a ` #`, the end of the line, in a
/// list a comma or bracket.
pub(super) fn plain_text<'a>(cursor: &mut Cursor<'a>, context: Context) -> Result<&'a str, Error> {
    check_first(cursor, context)?;
    let rest = cursor.rest();
    let mut len = 0;
    let mut ahead = *cursor;
    while let Some(next) = ahead.peek() {
        let follows = ahead.rest().chars().nth(1);
        match next {
            '\t' => return Err(ahead.fail(ErrorKind::Tab)),
            '#' if rest.get(..len).is_some_and(|text| text.ends_with(' ')) => break,
            ':' if is_separator(follows, context) => break,
            ',' | ']' if context == Context::Flow => break,
            '[' | '{' | '}' | '?' if context == Context::Flow => {
                return Err(ahead.fail(ErrorKind::Reserved(next)));
            }
            _ => len += next.len_utf8(),
        }
        ahead.bump();
    }
    let text = rest.get(..len).unwrap_or_default().trim_end_matches(' ');
    cursor.advance(text);
    Ok(text)
}

/// Whether a colon with this behind it ends a key.
fn is_separator(follows: Option<char>, context: Context) -> bool {
    match follows {
        None | Some(' ' | '\t') => true,
        Some(char) => context == Context::Flow && ",[]{}".contains(char),
    }
}

/// Refuses what no plain scalar can begin with.
fn check_first(cursor: &Cursor<'_>, context: Context) -> Result<(), Error> {
    let first = cursor.peek().unwrap_or(' ');
    let follows = cursor.rest().chars().nth(1);
    let kind = match first {
        '&' => ErrorKind::Anchor,
        '*' => ErrorKind::Alias,
        '!' => ErrorKind::Tag,
        '|' | '>' => ErrorKind::BlockScalar,
        '{' => ErrorKind::FlowMapping,
        '?' | ':' => ErrorKind::ComplexKey,
        '-' if follows != Some('\t') && is_separator(follows, context) => {
            ErrorKind::Reserved(first)
        }
        ',' | '[' | ']' | '}' | '#' | '%' | '@' | '`' => ErrorKind::Reserved(first),
        _ => return Ok(()),
    };
    Err(cursor.fail(kind))
}

/// What a plain scalar means.
pub(super) fn resolve(text: &str) -> Result<Value, ErrorKind> {
    match text {
        "null" | "Null" | "NULL" | "~" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(number) = number(text)? {
        return Ok(number);
    }
    if AMBIGUOUS.contains(&text) || looks_like_number(text) {
        return Err(ErrorKind::Ambiguous(text.to_owned()));
    }
    Ok(Value::String(text.to_owned()))
}

/// A number in the only forms that mean the same everywhere: `12`, `-0.5`, `1.5e+3`.
fn number(text: &str) -> Result<Option<Value>, ErrorKind> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || (whole.starts_with('0') && whole != "0") {
        return Ok(None);
    }
    match (fraction, exponent) {
        (None, None) => integer(text, whole).map(Some),
        (Some(fraction), None) if is_digits(fraction) => float(text).map(Some),
        (Some(fraction), Some(exponent)) if is_digits(fraction) => {
            let digits = exponent.strip_prefix(['-', '+']);
            match digits.is_some_and(is_digits) {
                true => float(text).map(Some),
                false => Ok(None),
            }
        }
        _ => Ok(None),
    }
}

fn integer(text: &str, digits: &str) -> Result<Value, ErrorKind> {
    let magnitude = digits::decimal(digits.as_bytes()).ok_or(ErrorKind::NumberOutOfRange)?;
    if !text.starts_with('-') {
        return Ok(Value::from(magnitude));
    }
    let negative = 0_i64.checked_sub_unsigned(magnitude);
    negative.map(Value::Int).ok_or(ErrorKind::NumberOutOfRange)
}

fn float(text: &str) -> Result<Value, ErrorKind> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Value::Float).ok_or(ErrorKind::NumberOutOfRange)
}

/// Whether some reader might take the text for a number, a date or a time of day: it begins as a
/// number does and is made of nothing but digits and their punctuation, says its radix or begins
/// as a date does. `10m` and `1h30m` do not.
fn looks_like_number(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let after_point = body.strip_prefix('.');
    if after_point.is_some_and(|word| ["inf", "nan"].contains(&word.to_ascii_lowercase().as_str()))
    {
        return true;
    }
    let body = after_point.unwrap_or(body);
    // Some take `-_1` for a number, none `_1`.
    let begins = |first: char| first.is_ascii_digit() || (first == '_' && body != text);
    if !body.starts_with(begins) {
        return false;
    }
    let is_made_of = |allowed: &str| body.chars().all(|char| allowed.contains(char));
    let has_radix = ["0x", "0o", "0b", "0X", "0O", "0B"]
        .iter()
        .any(|radix| body.starts_with(radix));
    is_made_of("0123456789_:.,+-eE ") || has_radix || is_date(body)
}

/// `dddd-d...`
fn is_date(text: &str) -> bool {
    let Some((year, rest)) = text.split_once('-') else {
        return false;
    };
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    is_year && rest.starts_with(|first: char| first.is_ascii_digit())
}

/// A scalar in quotes of either kind.
pub(super) fn quoted_text(cursor: &mut Cursor<'_>) -> Result<String, Error> {
    let open = *cursor;
    let quote = cursor.bump();
    let mut text = String::new();
    loop {
        let here = *cursor;
        match cursor.bump() {
            None => return Err(open.fail(ErrorKind::UnclosedQuote)),
            Some('\'') if quote == Some('\'') => match cursor.eat('\'') {
                true => text.push('\''),
                false => return Ok(text),
            },
            Some('"') if quote == Some('"') => return Ok(text),
            Some('\\') if quote == Some('"') => {
                text.push(escape(cursor).map_err(|kind| here.fail(kind))?);
            }
            Some(other) => text.push(other),
        }
    }
}

/// The character that an escape stands for; the cursor is behind the backslash.
fn escape(cursor: &mut Cursor<'_>) -> Result<char, ErrorKind> {
    let char = match cursor.bump().ok_or(ErrorKind::UnclosedQuote)? {
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'v' => '\u{b}',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        same @ (' ' | '"' | '/' | '\\') => same,
        'x' => return code_point(cursor, 2),
        'u' => return code_point(cursor, 4),
        'U' => return code_point(cursor, 8),
        _ => return Err(ErrorKind::InvalidEscape),
    };
    Ok(char)
}

fn code_point(cursor: &mut Cursor<'_>, len: usize) -> Result<char, ErrorKind> {
    let text = cursor.rest().get(..len).ok_or(ErrorKind::InvalidEscape)?;
    let number = digits::hex(text.as_bytes()).ok_or(ErrorKind::InvalidEscape)?;
    cursor.advance(text);
    let number = u32::try_from(number).map_err(|_| ErrorKind::InvalidEscape)?;
    match number {
        0xd800..=0xdfff => Err(ErrorKind::Surrogate),
        number => char::from_u32(number).ok_or(ErrorKind::InvalidEscape),
    }
}

/// `text` as a double-quoted scalar on one line, which every reader takes for that text.
///
/// ```
/// use pocketdock_core::wire::yaml;
///
/// let line = format!("name: {}", yaml::quoted("a: \"b\"\n"));
/// assert_eq!(line, r#"name: "a: \"b\"\n""#);
/// assert_eq!(yaml::parse(line.as_bytes())?.str_at(&["name"]), Some("a: \"b\"\n"));
/// # Ok::<(), yaml::Error>(())
/// ```
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            plain if is_plain_character(plain) => out.push(plain),
            other => {
                let _infallible = write!(out, "\\U{:08x}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}
