//! Why an archive cannot be read.

use std::{fmt, io};

use super::{HEADERS_MAX, block, records};

/// Why an archive cannot be read. Positions are in bytes from its start.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The source could not be read.
    Read(io::Error),
    /// The source ended before the archive did.
    Truncated {
        /// How many bytes there were.
        len: u64,
    },
    /// What stands here is no tar header: its checksum is wrong, or zeros are not the end.
    NotAHeader {
        /// Where the header should be.
        at: u64,
    },
    /// A field of a header or a PAX record has a value that it cannot have.
    Field {
        /// Where the header is.
        at: u64,
        /// The field by its name in POSIX.
        field: &'static str,
    },
    /// The content of a PAX header does not have the form of records.
    Records {
        /// Where the header is.
        at: u64,
    },
    /// A name or a set of records is longer than its limit.
    TooLong {
        /// Where the header is.
        at: u64,
        /// What is too long.
        what: &'static str,
        /// How long it may be.
        limit: usize,
    },
    /// More than [`HEADERS_MAX`] headers in a row without an entry.
    TooManyHeaders {
        /// Where the first one too many is.
        at: u64,
    },
    /// The archive ends after a header that says something about the next entry.
    NoEntry {
        /// Where the entry should be.
        at: u64,
    },
    /// A file is stored with its holes left out.
    Sparse {
        /// Its path.
        path: Vec<u8>,
    },
    /// An earlier failure has lost the place in the archive.
    Broken,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot read the archive: {error}"),
            Self::Truncated { len } => write!(f, "the archive is cut short after {len} bytes"),
            Self::NotAHeader { at } => write!(f, "no tar header at byte {at} of the archive"),
            Self::Field { at, field } => {
                write!(f, "an invalid {field} in the tar header at byte {at}")
            }
            Self::Records { at } => write!(f, "invalid records in the PAX header at byte {at}"),
            Self::TooLong { at, what, limit } => write!(
                f,
                "{what} of more than {limit} bytes in the tar header at byte {at}"
            ),
            Self::TooManyHeaders { at } => write!(
                f,
                "more than {HEADERS_MAX} tar headers in a row without an entry at byte {at}"
            ),
            Self::NoEntry { at } => {
                write!(
                    f,
                    "the archive ends at byte {at} where an entry is announced"
                )
            }
            Self::Sparse { path } => {
                let path = String::from_utf8_lossy(path);
                let path = path.escape_debug();
                write!(
                    f,
                    "'{path}' is archived as a sparse file, which cannot be unpacked"
                )
            }
            Self::Broken => f.write_str("an earlier entry of the archive could not be read"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for io::Error {
    /// The source's own failure as it is; otherwise `UnexpectedEof` or `InvalidData`.
    fn from(error: Error) -> Self {
        match error {
            Error::Read(error) => error,
            Error::Truncated { .. } => Self::new(io::ErrorKind::UnexpectedEof, error),
            _ => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

impl Error {
    /// The header at `at` cannot be taken apart.
    pub(super) fn in_block(at: u64, flaw: block::Flaw) -> Self {
        match flaw {
            block::Flaw::Checksum => Self::NotAHeader { at },
            block::Flaw::Field(field) => Self::Field { at, field },
        }
    }

    /// The records of the PAX header at `at` cannot be taken apart.
    pub(super) fn in_records(at: u64, flaw: records::Flaw) -> Self {
        match flaw {
            records::Flaw::Form => Self::Records { at },
            records::Flaw::Value(field) => Self::Field { at, field },
        }
    }
}
