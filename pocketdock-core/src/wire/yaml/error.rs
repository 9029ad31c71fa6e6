//! Why a text is not read as YAML, in words that say what to write instead.

use std::fmt;

use crate::wire::yaml::{DEPTH_MAX, DOCUMENT_LEN_MAX, KEY_LEN_MAX, Position};

/// Why a document is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where it was noticed.
    pub position: Position,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// It is longer than [`DOCUMENT_LEN_MAX`].
    TooLong,
    /// It is not UTF-8.
    InvalidUtf8,
    /// A character that YAML does not allow, or allows and reads in two ways.
    Character(char),
    /// A tab where YAML wants spaces.
    Tab,
    /// A line that begins with `%`.
    Directive,
    /// A second `---`, one with content behind it, or `...`.
    DocumentMarker,
    /// A mapping was expected and the document is a list.
    NoMapping,
    /// A line stands deeper or less deep than any block it could belong to.
    Indentation,
    /// A line goes on with the value above it.
    Continuation,
    /// A key without `: ` behind it.
    MissingColon,
    /// A colon without a space behind it.
    MissingSpace,
    /// A key begins with `?`, or there is none.
    ComplexKey,
    /// The key `<<`.
    MergeKey,
    /// A key that is not text but, say, a number.
    KeyNotText,
    /// A key longer than [`KEY_LEN_MAX`].
    KeyTooLong,
    /// A key that its mapping has already.
    DuplicateKey {
        /// The key.
        key: String,
        /// The line of the first.
        first_line: usize,
    },
    /// A list item where a key was expected.
    UnexpectedItem,
    /// A list in a list.
    NestedList,
    /// A mapping in a list.
    MappingInList,
    /// Mappings are nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// `{`.
    FlowMapping,
    /// `&`.
    Anchor,
    /// `*`.
    Alias,
    /// `!`.
    Tag,
    /// `|` or `>`.
    BlockScalar,
    /// A character that a plain scalar cannot begin with or hold here.
    Reserved(char),
    /// A `: ` in a plain value.
    ColonInValue,
    /// Text behind a complete value.
    TrailingText,
    /// A quoted scalar does not end on its line.
    UnclosedQuote,
    /// A backslash is followed by something that is not an escape.
    InvalidEscape,
    /// A `\u` escape is half a character.
    Surrogate,
    /// A flow list does not end on its line.
    UnclosedList,
    /// Nothing between two commas of a flow list.
    MissingElement,
    /// A plain scalar that is text to some readers and not to others.
    Ambiguous(String),
    /// A number that fits no 64 bits.
    NumberOutOfRange,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phrase = match self {
            ErrorKind::TooLong => return write!(f, "longer than {DOCUMENT_LEN_MAX} bytes"),
            ErrorKind::Character(char) => {
                let escaped = char.escape_unicode();
                return write!(f, "the character {escaped} cannot stand in YAML as it is");
            }
            ErrorKind::KeyTooLong => {
                return write!(f, "a key longer than {KEY_LEN_MAX} characters");
            }
            ErrorKind::TooDeep => return write!(f, "mappings nested more than {DEPTH_MAX} deep"),
            ErrorKind::DuplicateKey { key, first_line } => {
                let key = key.escape_debug();
                return write!(f, "the key '{key}' is on line {first_line} already");
            }
            ErrorKind::Reserved(char) => {
                return write!(f, "'{char}' cannot stand here: quote the text");
            }
            ErrorKind::Ambiguous(word) => {
                let word = word.escape_debug();
                return write!(
                    f,
                    "'{word}' is not text to every YAML reader: quote it if text is meant, or \
                     write true, false or a decimal number"
                );
            }
            other => other.phrase(),
        };
        f.write_str(phrase)
    }
}

impl ErrorKind {
    /// The words of a kind that needs no data.
    fn phrase(&self) -> &'static str {
        match self {
            ErrorKind::InvalidUtf8 => "invalid UTF-8",
            ErrorKind::Tab => "a tab: use spaces",
            ErrorKind::Directive => "directives (%) are not supported",
            ErrorKind::DocumentMarker => "only one document, with nothing behind its '---'",
            ErrorKind::NoMapping => "expected 'KEY: VALUE', not a list",
            ErrorKind::Indentation => "this indentation fits no block above",
            ErrorKind::Continuation => "a value cannot go on in another line",
            ErrorKind::MissingColon => "expected 'KEY: VALUE'",
            ErrorKind::MissingSpace => "a space is missing after the colon",
            ErrorKind::ComplexKey => "expected a key; keys without text and '? ' are not supported",
            ErrorKind::MergeKey => "merge keys (<<) are not supported",
            ErrorKind::KeyNotText => "a key has to be text: quote it",
            ErrorKind::UnexpectedItem => "a list item where 'KEY: VALUE' is expected",
            ErrorKind::NestedList => "lists in lists are not supported",
            ErrorKind::MappingInList => "mappings in lists are not supported",
            ErrorKind::FlowMapping => "mappings in braces are not supported",
            ErrorKind::Anchor => "anchors (&) are not supported",
            ErrorKind::Alias => "aliases (*) are not supported",
            ErrorKind::Tag => "tags (!) are not supported",
            ErrorKind::BlockScalar => "block scalars (| and >) are not supported",
            ErrorKind::ColonInValue => "': ' in a value: quote it",
            ErrorKind::TrailingText => "text after the end of the value",
            ErrorKind::UnclosedQuote => "the closing quote is missing on this line",
            ErrorKind::InvalidEscape => "not an escape; write '\\\\' for a backslash",
            ErrorKind::Surrogate => "half a character; use \\U with eight digits",
            ErrorKind::UnclosedList => "the closing ']' is missing on this line",
            ErrorKind::MissingElement => "an element is missing before this",
            ErrorKind::NumberOutOfRange => "a number too large: quote it if text is meant",
            _ => "not supported",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(f, "{} at line {line}, column {column}", self.kind)
    }
}

impl std::error::Error for Error {}
