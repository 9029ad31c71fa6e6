//! The part of YAML that configuration files need, read exactly or refused.
//!
//! ```text
//! ---                      optional, once, first
//! # a comment
//! name: plain text         keys and values: plain, 'single' or "double" quoted, on one line
//! logging:
//!   keep: [7, "8", nine]   a flow list of scalars, on one line
//!   tags:
//!   - a                    a block list of scalars
//! ```
//!
//! Source: YAML 1.2.2 with the core schema of its section 10.3.
//!
//! The rule: what is accepted means the same to every reader of YAML, 1.1 or 1.2. So everything
//! else of the language is an error with its place, and so is a plain scalar that the versions
//! read differently: `yes`, `010`, `0x1f`, `1_000`, `12:30`, `2001-12-14`, `1e3`, `.inf`. Quoting
//! it says that text is meant. Plain `null`, `~`, `true`, `false` (also in capitals, also
//! capitalised), `-12` and `1.5e+3` are what they look like; integers have to fit an `i64` or a
//! `u64`, floats have to be finite.
//!
//! Refused, too: documents that are no mapping, equal keys, tabs outside of quotes and comments, a
//! value on another line than its key, escapes of surrogates, and characters that are not
//! printable. A byte order mark at the start and CRLF line ends are accepted.
//!
//! Limits: [`DOCUMENT_LEN_MAX`], [`DEPTH_MAX`], [`KEY_LEN_MAX`]. There is no writer but
//! [`quoted`].

mod block;
mod error;
mod lines;
mod marks;
mod scalar;

use crate::wire::value::Value;

use marks::Marks;

pub use error::{Error, ErrorKind};
pub use scalar::quoted;

/// The longest document, in bytes.
///
/// ```
/// use pocketdock_core::wire::yaml::{self, DOCUMENT_LEN_MAX, ErrorKind};
///
/// let comment = "#".repeat(DOCUMENT_LEN_MAX + 1);
/// assert_eq!(yaml::parse(comment.as_bytes()).unwrap_err().kind, ErrorKind::TooLong);
/// ```
pub const DOCUMENT_LEN_MAX: usize = 256 * 1024;

/// How deeply mappings may be nested.
///
/// ```
/// use pocketdock_core::wire::yaml::{self, DEPTH_MAX};
///
/// let nested = |depth| (0..depth).map(|n| " ".repeat(n) + "a:\n").collect::<String>();
/// assert!(yaml::parse(nested(DEPTH_MAX).as_bytes()).is_ok());
/// assert!(yaml::parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
/// ```
pub const DEPTH_MAX: usize = 16;

/// The longest key, in characters as it is written. YAML itself ends at 1024.
///
/// ```
/// use pocketdock_core::wire::yaml::{self, ErrorKind, KEY_LEN_MAX};
///
/// let line = "k".repeat(KEY_LEN_MAX + 1) + ": 1";
/// assert_eq!(yaml::parse(line.as_bytes()).unwrap_err().kind, ErrorKind::KeyTooLong);
/// ```
pub const KEY_LEN_MAX: usize = 256;

/// A place in a text; both numbers count from 1, columns in characters.
///
/// ```
/// use pocketdock_core::wire::yaml::{self, Position};
///
/// let error = yaml::parse(b"socket: a\nsocket: b\n").unwrap_err();
/// assert_eq!(error.position, Position { line: 2, column: 1 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// A document and where its keys stand.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// The mapping, or null if the document has no content.
    pub root: Value,
    marks: Marks,
}

impl Document {
    /// Where the key at the end of `path` stands.
    ///
    /// ```
    /// use pocketdock_core::wire::yaml;
    ///
    /// let document = yaml::parse_document(b"a: 1\nlogging:\n  keep: 7\n")?;
    /// let position = document.position(&["logging", "keep"]).unwrap();
    /// assert_eq!((position.line, position.column), (3, 3));
    /// # Ok::<(), yaml::Error>(())
    /// ```
    #[must_use]
    pub fn position(&self, path: &[&str]) -> Option<Position> {
        self.marks.find(path)
    }
}

/// Reads a document.
///
/// ```
/// use pocketdock_core::wire::yaml;
///
/// let config = yaml::parse(b"project_name: my app\nlogging:\n  keep: 7 # days\n")?;
/// assert_eq!(config.str_at(&["project_name"]), Some("my app"));
/// assert_eq!(config.u64_at(&["logging", "keep"]), Some(7));
///
/// let error = yaml::parse(b"persist: yes\n").unwrap_err();
/// assert_eq!((error.position.line, error.position.column), (1, 10));
/// # Ok::<(), yaml::Error>(())
/// ```
///
/// # Errors
///
/// The first thing that is outside of the subset, with its place.
pub fn parse(bytes: &[u8]) -> Result<Value, Error> {
    parse_document(bytes).map(|document| document.root)
}

/// Reads a document and keeps the places of its keys.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_document(bytes: &[u8]) -> Result<Document, Error> {
    let lines = lines::split(bytes)?;
    let (root, marks) = block::document(&lines)?;
    Ok(Document { root, marks })
}

#[cfg(test)]
mod tests;
