//! Tar archives: ustar headers, with PAX records for what does not fit them.
//!
//! An archive is a row of 512-byte blocks: for each entry a header and its data, padded with zeros
//! to a whole block, and at the end two blocks of zeros. An entry that needs more than the header
//! can hold is preceded by another one, of type `x`, whose data are records `length key=value`.
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format" and "pax Header Block".

pub mod header;
pub mod read;
pub mod write;

pub use self::header::{Header, Kind};
pub use self::read::{Entry, Reader};
pub use self::write::Writer;
