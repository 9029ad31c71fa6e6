//! Reads a tar archive, entry after entry, in constant memory.
//!
//! [`Reader`] takes archives of every format that programs still write: v7, ustar, PAX, and GNU's
//! with its long names. It reads from its source what it needs and not a byte more, so give it one
//! with a buffer; of the data of an entry it keeps nothing.
//!
//! **The end** is two blocks of zeros. A source that ends before them has been cut short, which is
//! an error even between two entries: engines, GNU tar, bsdtar and Python all write them, and
//! without them a cut stream could not be told from a whole one. What follows is not read.
//!
//! **Paths** are bytes, and are given as they stand in the archive: absolute, with `..` in them,
//! with a slash at the end or as nothing at all. Where they may lead is the caller's to decide.
//!
//! **Kinds.** A file (`0`, `7`, or NUL) whose path ends in a slash is a directory, as in v7.
//! A flag that POSIX does not define is given as [`Other`](super::header::Kind::Other). Only files
//! and these have data; a size in any other header does not count.
//!
//! **Not read**: sparse files, whose data would come out with the holes missing; they are refused.
//! Device numbers, times other than the last modification, extended attributes and access control
//! lists are left out.
//!
//! **Limits**: [`RECORDS_LEN_MAX`], [`NAME_LEN_MAX`], [`HEADERS_MAX`]. Nothing is allocated because
//! a length was announced.
//!
//! Source: POSIX.1-2017, `pax`; the GNU tar manual, "Tar Internals".

mod block;
mod error;
mod member;
mod records;

use std::io::{self, Read};

use super::header::{BLOCK_LEN, Header};

use block::{Block, until_nul};
use member::Member;
use records::Records;

pub use error::Error;

/// The most bytes of records in one PAX header.
pub const RECORDS_LEN_MAX: usize = 1024 * 1024;

/// The longest path, link target, user or group name, in bytes.
pub const NAME_LEN_MAX: usize = 64 * 1024;

/// The most headers in a row that only say something about the entry to come.
pub const HEADERS_MAX: usize = 16;

/// How much of what is skipped is read at once.
const SKIP_LEN: usize = 8 * 1024;

/// Reads entries from `source`.
///
/// ```
/// use std::io::Read;
/// use pocketdock_core::wire::tar::{Reader, Writer, header::Header};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.append(&Header::file(b"hello.txt", 5), &mut &b"hello"[..])?;
/// let archive = writer.finish()?;
///
/// let mut reader = Reader::new(archive.as_slice());
/// while let Some(mut entry) = reader.next_entry()? {
///     let mut text = String::new();
///     assert_eq!(entry.header().path, b"hello.txt");
///     entry.read_to_string(&mut text)?;
///     assert_eq!(text, "hello");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    /// How many bytes have been read from the source.
    at: u64,
    /// Data of the entry that are still to be read.
    data_left: u64,
    /// What fills the last block of these data.
    padding: u64,
    /// What `g` headers have said so far.
    global: Records,
    is_at_end: bool,
    is_broken: bool,
}

/// One entry: what its header says, and its data through [`Read`].
///
/// Data that end before the entry does are an error of kind `UnexpectedEof`, never a short read.
#[derive(Debug)]
pub struct Entry<'a, R> {
    reader: &'a mut Reader<R>,
    member: Member,
}

impl<R: Read> Reader<R> {
    /// Starts at the first header of an archive.
    #[must_use]
    pub fn new(source: R) -> Self {
        Self {
            source,
            at: 0,
            data_left: 0,
            padding: 0,
            global: Records::default(),
            is_at_end: false,
            is_broken: false,
        }
    }

    /// Goes on to the next entry, past what was not read of the last one; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`Error`]; then there is no way on, and each further call fails with [`Error::Broken`].
    pub fn next_entry(&mut self) -> Result<Option<Entry<'_, R>>, Error> {
        if self.is_broken {
            return Err(Error::Broken);
        }
        if self.is_at_end {
            return Ok(None);
        }
        self.is_broken = true;
        self.skip()?;
        let found = self.read_headers()?;
        self.is_broken = false;
        let Some(member) = found else {
            self.is_at_end = true;
            return Ok(None);
        };
        self.set_data_len(member.header.len);
        Ok(Some(Entry {
            reader: self,
            member,
        }))
    }

    /// How many bytes have been read from the source, for telling how far it has come.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Gives the source back; after the last entry it stands right behind the end of the archive.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.source
    }

    /// Reads up to the header of an entry and puts together all that was said about it.
    fn read_headers(&mut self) -> Result<Option<Member>, Error> {
        let mut local = Records::default();
        let mut is_announced = false;
        for _ in 0..=HEADERS_MAX {
            let at = self.at;
            let Some(block) = self.read_block()? else {
                return if is_announced {
                    Err(Error::NoEntry { at })
                } else {
                    Ok(None)
                };
            };
            is_announced |= block.type_flag != b'g';
            match block.type_flag {
                // The second is what Solaris wrote before there was a standard.
                b'x' | b'X' => {
                    let content = self.read_records(at, block.len)?;
                    let read = local.read(&content);
                    read.map_err(|flaw| Error::in_records(at, flaw))?;
                }
                b'g' => {
                    let content = self.read_records(at, block.len)?;
                    let read = self.global.read(&content);
                    read.map_err(|flaw| Error::in_records(at, flaw))?;
                }
                b'L' => local.path = Some(self.read_name(at, block.len)?),
                b'K' => local.target = Some(self.read_name(at, block.len)?),
                _ => return Member::new(at, block, local.or(&self.global)).map(Some),
            }
        }
        Err(Error::TooManyHeaders { at: self.at })
    }

    /// Reads a header block; `None` for the two blocks of zeros at the end.
    fn read_block(&mut self) -> Result<Option<Block>, Error> {
        let at = self.at;
        let mut block = [0; BLOCK_LEN];
        self.fill(&mut block)?;
        if block == [0; BLOCK_LEN] {
            self.fill(&mut block)?;
            return match block == [0; BLOCK_LEN] {
                true => Ok(None),
                false => Err(Error::NotAHeader { at }),
            };
        }
        let block = Block::parse(&block).map_err(|flaw| Error::in_block(at, flaw))?;
        Ok(Some(block))
    }

    fn read_records(&mut self, at: u64, len: u64) -> Result<Vec<u8>, Error> {
        self.read_content(at, len, "records", RECORDS_LEN_MAX)
    }

    /// The content of GNU's `L` and `K`: a name and a NUL; `None` if it is empty.
    fn read_name(&mut self, at: u64, len: u64) -> Result<Option<Vec<u8>>, Error> {
        let content = self.read_content(at, len, "a name", NAME_LEN_MAX.saturating_add(1))?;
        let name = until_nul(&content).to_vec();
        Ok((!name.is_empty()).then_some(name))
    }

    /// Reads the data of a header that only says something about another one.
    fn read_content(
        &mut self,
        at: u64,
        len: u64,
        what: &'static str,
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
        let Some(short_len) = usize::try_from(len).ok().filter(|&len| len <= limit) else {
            return Err(Error::TooLong { at, what, limit });
        };
        self.set_data_len(len);
        let mut content = Vec::new();
        // Grows as bytes arrive, whatever length was announced.
        let read = self.source.by_ref().take(len).read_to_end(&mut content);
        self.pass(content.len());
        read.map_err(Error::Read)?;
        if content.len() < short_len {
            return Err(Error::Truncated { len: self.at });
        }
        self.skip()?;
        Ok(content)
    }

    fn set_data_len(&mut self, len: u64) {
        let block_len = BLOCK_LEN as u64;
        self.data_left = len;
        self.padding = (block_len - len % block_len) % block_len;
    }

    /// Counts data that were read.
    fn pass(&mut self, len: usize) {
        self.at = self.at.saturating_add(len as u64);
        self.data_left = self.data_left.saturating_sub(len as u64);
    }

    /// Reads up to the next header.
    fn skip(&mut self) -> Result<(), Error> {
        let mut unread = [0; SKIP_LEN];
        while self.data_left != 0 {
            let (now, _) = unread.split_at_mut(at_most(self.data_left, SKIP_LEN));
            match self.read_data(now) {
                Ok(_) => {}
                Err(Error::Read(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let (padding, _) = unread.split_at_mut(at_most(self.padding, SKIP_LEN));
        self.padding = 0;
        self.fill(padding)
    }

    /// One read of data, into a buffer no longer than what is left of them.
    fn read_data(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        match self.source.read(out).map_err(Error::Read)?.min(out.len()) {
            0 => Err(Error::Truncated { len: self.at }),
            n_read => {
                self.pass(n_read);
                Ok(n_read)
            }
        }
    }

    /// Fills the buffer with bytes that are no data.
    fn fill(&mut self, mut free: &mut [u8]) -> Result<(), Error> {
        while !free.is_empty() {
            let n_read = match self.source.read(free) {
                Ok(0) => return Err(Error::Truncated { len: self.at }),
                Ok(n_read) => n_read.min(free.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Read(error)),
            };
            self.at = self.at.saturating_add(n_read as u64);
            free = free.split_at_mut(n_read).1;
        }
        Ok(())
    }
}

impl<R: Read> Entry<'_, R> {
    /// What the entry is; the mode holds permission bits only.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.member.header
    }

    /// The name of the owning user on the machine where the archive was made; empty if unknown.
    #[must_use]
    pub fn user_name(&self) -> &[u8] {
        &self.member.user_name
    }

    /// The name of the owning group on the machine where the archive was made; empty if unknown.
    #[must_use]
    pub fn group_name(&self) -> &[u8] {
        &self.member.group_name
    }

    /// How many bytes of data have not been read yet.
    #[must_use]
    pub fn data_left(&self) -> u64 {
        self.reader.data_left
    }
}

impl<R: Read> Read for Entry<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match at_most(self.reader.data_left, out.len()) {
            0 => Ok(0),
            len => Ok(self.reader.read_data(out.split_at_mut(len).0)?),
        }
    }
}

/// `len`, but no more than `limit`.
fn at_most(len: u64, limit: usize) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX).min(limit)
}

#[cfg(test)]
mod tests {
    use super::super::write::Writer;
    use super::*;

    /// What an entry came out as: its header and its data.
    type Found = (Header, Vec<u8>);

    /// Every entry up to the end, or the entries before an error.
    fn read_all(source: impl Read) -> (Vec<Found>, Option<Error>) {
        let (mut reader, mut found) = (Reader::new(source), Vec::new());
        loop {
            match reader.next_entry() {
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
                Ok(Some(mut entry)) => {
                    let mut data = Vec::new();
                    let header = entry.header().clone();
                    match entry.read_to_end(&mut data) {
                        Ok(_) => found.push((header, data)),
                        // The next call reports it.
                        Err(_) => continue,
                    }
                }
            }
        }
    }

    /// The entries of a valid archive.
    fn entries(archive: &[u8]) -> Vec<Found> {
        match read_all(archive) {
            (found, None) => found,
            (found, Some(error)) => panic!("{error} after {found:?}"),
        }
    }

    /// Entries of all kinds, with everything that needs more than an ustar block.
    fn written() -> (Vec<Found>, Vec<u8>) {
        let long = [&[b'd'; 150][..], b"/", &[b'f'; 150]].concat();
        let headers = [
            (Header::directory(b"dir/"), &b""[..]),
            (Header::file(b"dir/empty", 0), b""),
            (
                Header {
                    mode: 0o4755,
                    uid: 1000,
                    gid: 100,
                    ..Header::file(b"dir/one", 1)
                },
                b"x",
            ),
            (Header::file(&long, 513), &[b'l'; 513]),
            (Header::file("na\u{ef}ve".as_bytes(), 512), &[b'u'; 512]),
            (Header::file(&[0xff; 101], 3), b"raw"),
            (Header::symlink(b"link", b"../dir"), b""),
            (Header::symlink(b"long-link", &long), b""),
            (Header::hard_link(b"hard", b"dir/one"), b""),
            (Header::hard_link(b"long-hard", &long), b""),
            (
                Header {
                    mtime_s: -2,
                    mtime_ns: 500_000_000,
                    ..Header::file(b"before", 0)
                },
                b"",
            ),
            (
                Header {
                    mtime_s: 1 << 34,
                    mtime_ns: 1,
                    ..Header::file(b"after", 0)
                },
                b"",
            ),
            (
                Header {
                    uid: 4_000_000_000,
                    gid: u64::MAX,
                    ..Header::file(b"owner", 0)
                },
                b"",
            ),
        ];
        let mut writer = Writer::new(Vec::new());
        for (header, mut data) in headers.iter().map(|(header, data)| (header, *data)) {
            writer.append(header, &mut data).unwrap();
        }
        let entries = headers
            .map(|(header, data)| (header, data.to_vec()))
            .to_vec();
        (entries, writer.finish().unwrap())
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (want, archive) = written();
        assert_eq!(entries(&archive), want);
    }

    #[test]
    fn a_strict_prefix_is_never_a_whole_archive() {
        let (want, archive) = written();
        for len in 0..archive.len() {
            let (found, error) = read_all(&archive[..len]);
            let cut = matches!(error, Some(Error::Truncated { len: at }) if at == len as u64);
            assert!(cut, "prefix of {len}: {error:?}");
            assert!(want.starts_with(&found), "prefix of {len}");
        }
    }
}
