//! The block structure: mappings and lists by their indentation.

use crate::wire::value::{Object, Value};
use crate::wire::yaml::lines::{Cursor, Line};
use crate::wire::yaml::marks::Marks;
use crate::wire::yaml::scalar::{Context, flow_list, plain_text, quoted_text, resolve, scalar};
use crate::wire::yaml::{DEPTH_MAX, Error, ErrorKind, KEY_LEN_MAX};

/// Reads all lines as one mapping; null if there are none.
pub(super) fn document(lines: &[Line<'_>]) -> Result<(Value, Marks), Error> {
    let mut parser = Parser {
        lines,
        depth: 0,
        marks: Marks::default(),
    };
    let Some(first) = parser.peek() else {
        return Ok((Value::Null, parser.marks));
    };
    if first.is_item() {
        return Err(first.fail(ErrorKind::NoMapping));
    }
    let root = parser.mapping(first.indent, None)?;
    match parser.peek() {
        Some(line) => Err(line.fail(ErrorKind::Indentation)),
        None => Ok((root, parser.marks)),
    }
}

struct Parser<'l, 'a> {
    /// What is left.
    lines: &'l [Line<'a>],
    /// How many mappings are being read.
    depth: usize,
    marks: Marks,
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<Line<'a>> {
        self.lines.first().copied()
    }

    fn take(&mut self) {
        self.lines = self.lines.get(1..).unwrap_or_default();
    }

    /// The mapping whose keys stand at `indent`, up to the first line that is less deep. It belongs
    /// to the key with the mark `parent`.
    fn mapping(&mut self, indent: usize, parent: Option<usize>) -> Result<Value, Error> {
        self.depth += 1;
        let mut object = Object::new();
        let mut deeper = ErrorKind::Indentation;
        while let Some(line) = self.peek().filter(|line| indent <= line.indent) {
            if indent < line.indent {
                return Err(line.fail(deeper));
            }
            if line.is_item() {
                return Err(line.fail(ErrorKind::UnexpectedItem));
            }
            self.take();
            let mut cursor = line.cursor();
            let key = key(&mut cursor)?;
            if object.get(&key).is_some() {
                let first_line = self.marks.line_of(parent, &key);
                return Err(line.fail(ErrorKind::DuplicateKey { key, first_line }));
            }
            let mark = self.marks.add(parent, &key, line.cursor().position());
            if cursor.at_end()? {
                object.insert(key, self.nested(&line, mark)?);
                deeper = ErrorKind::Indentation;
            } else {
                object.insert(key, value(&mut cursor)?);
                deeper = ErrorKind::Continuation;
            }
        }
        self.depth -= 1;
        Ok(Value::Object(object))
    }

    /// What belongs to a key that has nothing behind it: a deeper mapping, a list, or null.
    fn nested(&mut self, key: &Line<'_>, mark: usize) -> Result<Value, Error> {
        let indent = key.indent;
        match self.peek() {
            Some(next) if next.is_item() && indent <= next.indent => self.list(next.indent),
            Some(next) if indent < next.indent => {
                if self.depth == DEPTH_MAX {
                    return Err(next.fail(ErrorKind::TooDeep));
                }
                self.mapping(next.indent, Some(mark))
            }
            _ => Ok(Value::Null),
        }
    }

    /// The list whose dashes stand at `indent`.
    fn list(&mut self, indent: usize) -> Result<Value, Error> {
        let mut elements = Vec::new();
        while let Some(line) = self.peek().filter(|line| indent <= line.indent) {
            if indent < line.indent {
                return Err(line.fail(ErrorKind::Continuation));
            }
            if !line.is_item() {
                break;
            }
            self.take();
            let mut cursor = line.cursor();
            cursor.bump();
            elements.push(match cursor.at_end()? {
                true => Value::Null,
                false => element(&mut cursor)?,
            });
        }
        Ok(Value::Array(elements))
    }
}

/// A key and the colon behind it.
fn key(cursor: &mut Cursor<'_>) -> Result<String, Error> {
    let start = *cursor;
    let key = match cursor.peek() {
        Some('"' | '\'') => quoted_text(cursor)?,
        _ => plain_key(cursor)?,
    };
    cursor.skip_spaces()?;
    if !cursor.eat(':') {
        return Err(start.fail(ErrorKind::MissingColon));
    }
    if !matches!(cursor.peek(), None | Some(' ' | '\t')) {
        return Err(cursor.fail(ErrorKind::MissingSpace));
    }
    if KEY_LEN_MAX < cursor.taken() - 1 {
        return Err(start.fail(ErrorKind::KeyTooLong));
    }
    Ok(key)
}

fn plain_key(cursor: &mut Cursor<'_>) -> Result<String, Error> {
    let start = *cursor;
    if let Some('[') = cursor.peek() {
        return Err(start.fail(ErrorKind::ComplexKey));
    }
    let text = plain_text(cursor, Context::Block)?;
    if text == "<<" {
        return Err(start.fail(ErrorKind::MergeKey));
    }
    match resolve(text) {
        // Not a key at all, which is the better thing to say.
        _ if cursor.rest().trim_start_matches(' ').is_empty() => Ok(text.to_owned()),
        Ok(Value::String(key)) => Ok(key),
        Ok(_) | Err(_) => Err(start.fail(ErrorKind::KeyNotText)),
    }
}

/// The value behind a key, which takes up the rest of the line.
fn value(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    if cursor.rest().starts_with("- ") || cursor.rest() == "-" {
        return Err(cursor.fail(ErrorKind::UnexpectedItem));
    }
    let value = match cursor.peek() {
        Some('[') => flow_list(cursor)?,
        _ => scalar(cursor, Context::Block)?,
    };
    end(cursor, ErrorKind::ColonInValue)?;
    Ok(value)
}

/// One element of a block list.
fn element(cursor: &mut Cursor<'_>) -> Result<Value, Error> {
    let rest = cursor.rest();
    if rest.starts_with('[') || rest.starts_with("- ") || rest == "-" {
        return Err(cursor.fail(ErrorKind::NestedList));
    }
    let element = scalar(cursor, Context::Block)?;
    end(cursor, ErrorKind::MappingInList)?;
    Ok(element)
}

/// Only a comment may follow; `colon` is what a colon means here.
fn end(cursor: &mut Cursor<'_>, colon: ErrorKind) -> Result<(), Error> {
    match cursor.at_end()? {
        true => Ok(()),
        false if cursor.peek() == Some(':') => Err(cursor.fail(colon)),
        false => Err(cursor.fail(ErrorKind::TrailingText)),
    }
}
