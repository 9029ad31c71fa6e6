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
///
/// ```
/// use pocketdock_core::wire::tar::read::{Error, RECORDS_LEN_MAX};
/// use pocketdock_core::wire::tar::{Header, Reader, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.append(&Header::file(&vec![b'x'; RECORDS_LEN_MAX], 0), &mut &b""[..])?;
/// let archive = writer.finish()?;
/// let read = Reader::new(archive.as_slice()).next_entry().map(drop);
/// assert!(matches!(read, Err(Error::TooLong { limit: RECORDS_LEN_MAX, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const RECORDS_LEN_MAX: usize = 1024 * 1024;

/// The longest path, link target, user or group name, in bytes.
///
/// ```
/// use pocketdock_core::wire::tar::read::{Error, NAME_LEN_MAX};
/// use pocketdock_core::wire::tar::{Header, Reader, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.append(&Header::file(&[b'x'; NAME_LEN_MAX], 0), &mut &b""[..])?;
/// writer.append(&Header::file(&[b'x'; NAME_LEN_MAX + 1], 0), &mut &b""[..])?;
/// let archive = writer.finish()?;
/// let mut reader = Reader::new(archive.as_slice());
/// assert!(reader.next_entry()?.is_some());
/// assert!(matches!(reader.next_entry(), Err(Error::TooLong { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub const NAME_LEN_MAX: usize = 64 * 1024;

/// The most headers in a row that only say something about the entry to come.
///
/// ```
/// use pocketdock_core::wire::tar::read::{Error, HEADERS_MAX};
/// use pocketdock_core::wire::tar::{Header, Reader, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.append(&Header::file(&[b'x'; 200], 0), &mut &b""[..])?;
/// let archive = writer.finish()?; // It begins with a PAX header and a block of records.
/// let archive = archive[..1024].repeat(HEADERS_MAX + 1);
/// let read = Reader::new(archive.as_slice()).next_entry().map(drop);
/// assert!(matches!(read, Err(Error::TooManyHeaders { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use std::io::Read;
/// use pocketdock_core::wire::tar::{Entry, Header, Reader, Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.append(&Header::file(b"notes", 5), &mut &b"hello"[..])?;
/// let archive = writer.finish()?;
///
/// let mut reader = Reader::new(archive.as_slice());
/// let mut entry: Entry<'_, &[u8]> = reader.next_entry()?.expect("there is one");
/// let mut start = [0; 2];
/// entry.read_exact(&mut start)?;
/// assert_eq!((&start, entry.data_left()), (b"he", 3));
/// assert!(reader.next_entry()?.is_none()); // The rest is passed over.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    ///
    /// ```
    /// use pocketdock_core::wire::tar::{Reader, Writer};
    ///
    /// let mut stream = Writer::new(Vec::new()).finish()?;
    /// stream.extend(b"what follows");
    /// let mut reader = Reader::new(stream.as_slice());
    /// assert!(reader.next_entry()?.is_none());
    /// assert_eq!(reader.into_inner(), b"what follows");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    ///
    /// ```
    /// use pocketdock_core::wire::tar::{Header, Reader, Writer};
    ///
    /// let mut writer = Writer::new(Vec::new());
    /// writer.append(&Header::directory(b"src"), &mut &b""[..])?;
    /// let archive = writer.finish()?;
    /// let mut reader = Reader::new(archive.as_slice());
    /// let entry = reader.next_entry()?.expect("there is one");
    /// assert_eq!((entry.user_name(), entry.group_name()), (&b""[..], &b""[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    use super::super::header::Kind;
    use super::super::write::Writer;
    use super::*;

    /// What an entry came out as: its header and its data.
    type Found = (Header, Vec<u8>);

    /// Where a field begins, and what is in it.
    type Field<'a> = (usize, &'a [u8]);

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

    fn error_of(archive: &[u8]) -> String {
        let (_, error) = read_all(archive);
        error.map_or_else(|| "none".to_owned(), |error| error.to_string())
    }

    /// A block with these fields, and the right checksum.
    fn block(path: &str, flag: u8, fields: &[Field<'_>]) -> Vec<u8> {
        let mut block = vec![0; BLOCK_LEN];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, path.as_bytes());
        put(100, b"0000644\0");
        put(156, &[flag]);
        for (at, bytes) in fields {
            put(*at, bytes);
        }
        put(148, b"        ");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    /// A header with data behind it, filled to whole blocks.
    fn with_data(path: &str, flag: u8, data: &[u8]) -> Vec<u8> {
        let size = format!("{:011o}\0", data.len());
        let mut blocks = block(path, flag, &[(124, size.as_bytes()), (257, b"ustar\x0000")]);
        blocks.extend_from_slice(data);
        blocks.resize(blocks.len().next_multiple_of(BLOCK_LEN), 0);
        blocks
    }

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        let rest_len = key.len() + value.len() + 3;
        let mut len = rest_len;
        while len != rest_len + len.to_string().len() {
            len = rest_len + len.to_string().len();
        }
        [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
    }

    fn pax(flag: u8, records: &[(&str, &str)]) -> Vec<u8> {
        let records = records
            .iter()
            .map(|(key, value)| record(key, value.as_bytes()));
        with_data("pax", flag, &records.collect::<Vec<_>>().concat())
    }

    const END: [u8; 2 * BLOCK_LEN] = [0; 2 * BLOCK_LEN];

    fn ended(blocks: &[Vec<u8>]) -> Vec<u8> {
        [&blocks.concat(), &END[..]].concat()
    }

    /// Entries with everything that needs more than one block, and what they are read back as.
    fn written() -> (Vec<Found>, Vec<u8>) {
        let long = [&[b'd'; 90][..], b"/", &[b'f'; 101]].concat();
        let headers = [
            (Header::directory(b"dir/"), &b""[..]),
            (Header::file(b"dir/empty", 0), b""),
            (
                Header {
                    mode: 0o4755,
                    uid: 1000,
                    gid: 1 << 40,
                    ..Header::file(&long, 1)
                },
                b"x",
            ),
            (
                Header {
                    mtime_s: -2,
                    mtime_ns: 5,
                    ..Header::file(b"before", 513)
                },
                &[b'l'; 513],
            ),
            (Header::symlink(b"link", &long), b""),
            (Header::hard_link(b"hard", &long), b""),
        ];
        let mut writer = Writer::new(Vec::new());
        for (header, mut data) in headers.iter().map(|(header, data)| (header, *data)) {
            writer.append(header, &mut data).unwrap();
        }
        let entries = headers.map(|(header, data)| (header, data.to_vec()));
        (entries.to_vec(), writer.finish().unwrap())
    }

    #[test]
    fn what_was_written_is_read_back() {
        let (want, archive) = written();
        assert_eq!(entries(&archive), want);
        let behind = [&archive[..], b"more"].concat();
        let mut reader = Reader::new(behind.as_slice());
        while reader.next_entry().unwrap().is_some() {}
        assert_eq!(reader.position(), archive.len() as u64);
        assert!(
            reader.next_entry().unwrap().is_none(),
            "the end stays the end"
        );
        assert_eq!(reader.into_inner(), b"more", "not a byte too many is read");
    }

    #[test]
    fn every_header_that_is_written_is_read_back() {
        let file = || Header::file(b"a", 0);
        let bytes = |byte: u8, n: usize| vec![byte; n];
        #[rustfmt::skip] // one case per line
        let cases = [
            ("plain",          file()),
            ("all mode bits",  Header { mode: 0o7777, ..file() }),
            ("no mode bits",   Header { mode: 0, ..file() }),
            ("octal owner",    Header { uid: 0o7_777_777, gid: 0o7_777_777, ..file() }),
            ("wide owner",     Header { uid: 1 << 21, gid: u64::MAX, ..file() }),
            ("octal size",     Header::file(b"a", (8 << 30) - 1)),
            ("8 GiB",          Header::file(b"a", 8 << 30)),
            ("largest",        Header::file(b"a", u64::MAX)),
            ("nanosecond",     Header { mtime_s: 1_700_000_000, mtime_ns: 1, ..file() }),
            ("almost second",  Header { mtime_s: -1, mtime_ns: 999_999_999, ..file() }),
            ("before 1970",    Header { mtime_s: -1, ..file() }),
            ("after 2242",     Header { mtime_s: 1 << 33, ..file() }),
            ("earliest",       Header { mtime_s: i64::MIN, ..file() }),
            ("latest",         Header { mtime_s: i64::MAX, mtime_ns: 999_999_999, ..file() }),
            ("accents",        Header::file("na\u{ef}ve".as_bytes(), 0)),
            ("no UTF-8",       Header::file(b"\xff\xfe", 0)),
            ("long no UTF-8",  Header::file(&bytes(0xff, 300), 0)),
            ("blanks",         Header::file(b" a \n'\"\\ =", 0)),
            ("prefix",         Header::file(&[bytes(b'p', 155), bytes(b'n', 100)].join(&b'/'), 0)),
            ("no prefix",      Header::file(&[bytes(b'p', 156), bytes(b'n', 100)].join(&b'/'), 0)),
            ("longest name",   Header::file(&bytes(b'x', NAME_LEN_MAX), 0)),
            ("long target",    Header::symlink(b"s", &bytes(b'x', 4096))),
            ("hard link",      Header::hard_link(b"h", &bytes(b'x', 101))),
            ("directory",      Header::directory(b"d/")),
        ];
        for (name, header) in cases {
            let archive = header.encode().unwrap();
            let mut reader = Reader::new(archive.as_slice());
            let read = reader.next_entry().unwrap().unwrap();
            assert_eq!(*read.header(), header, "{name}");
            assert_eq!(read.data_left(), header.len, "{name}");
        }
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

    #[test]
    fn where_an_archive_may_end() {
        let file = with_data("a", b'0', b"abc");
        let announced = [pax(b'x', &[("path", "b")]), file.clone()].concat();
        let zeros = |n: usize| vec![0; n];
        #[rustfmt::skip] // one case per line
        let cases: [(&str, Vec<u8>, usize, &str); 17] = [
            ("nothing",                zeros(0),                              0, "the archive is cut short after 0 bytes"),
            ("one zero block",         zeros(512),                            0, "the archive is cut short after 512 bytes"),
            ("empty archive",          zeros(1024),                           0, "none"),
            ("padded to a record",     zeros(10_240),                         0, "none"),
            ("garbage behind the end", [zeros(1024), vec![1; 600]].concat(),  0, "none"),
            ("lone zero block",        [zeros(512), file.clone()].concat(),   0, "no tar header at byte 0 of the archive"),
            ("in the header",          file[..511].to_vec(),                  0, "the archive is cut short after 511 bytes"),
            ("before the data",        file[..512].to_vec(),                  0, "the archive is cut short after 512 bytes"),
            ("in the data",            file[..514].to_vec(),                  0, "the archive is cut short after 514 bytes"),
            ("before the padding",     file[..515].to_vec(),                  1, "the archive is cut short after 515 bytes"),
            ("in the padding",         file[..1023].to_vec(),                 1, "the archive is cut short after 1023 bytes"),
            ("without the end",        file.clone(),                          1, "the archive is cut short after 1024 bytes"),
            ("in the end",             [file.clone(), zeros(1023)].concat(),  1, "the archive is cut short after 2047 bytes"),
            ("whole",                  [file.clone(), zeros(1024)].concat(),  1, "none"),
            ("in the records",         announced[..514].to_vec(),             0, "the archive is cut short after 514 bytes"),
            ("behind the records",     announced[..1024].to_vec(),            0, "the archive is cut short after 1024 bytes"),
            ("not a tar",              vec![b'x'; 2000],                      0, "no tar header at byte 0 of the archive"),
        ];
        for (name, archive, n_entries, want) in cases {
            let (found, _) = read_all(archive.as_slice());
            assert_eq!(found.len(), n_entries, "{name}");
            assert_eq!(error_of(&archive), want, "{name}");
        }
    }

    #[test]
    fn kinds() {
        let target: &[Field<'_>] = &[(157, b"target")];
        let link = || b"target".to_vec();
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &str, u8, &[Field<'_>], Kind); 16] = [
            ("file",              "a",  b'0', &[],    Kind::File),
            ("old file",          "a",  0,    &[],    Kind::File),
            ("contiguous file",   "a",  b'7', &[],    Kind::File),
            ("v7 directory",      "a/", 0,    &[],    Kind::Directory),
            ("file with a slash", "a/", b'0', &[],    Kind::Directory),
            ("directory",         "a",  b'5', &[],    Kind::Directory),
            ("hard link",         "a",  b'1', target, Kind::HardLink(link())),
            ("symlink",           "a",  b'2', target, Kind::Symlink(link())),
            ("symlink, slash",    "a/", b'2', target, Kind::Symlink(link())),
            ("terminal",          "a",  b'3', &[],    Kind::CharDevice),
            ("disk",              "a",  b'4', &[],    Kind::BlockDevice),
            ("fifo",              "a",  b'6', &[],    Kind::Fifo),
            ("GNU's label",       "a",  b'V', &[],    Kind::Other(b'V')),
            ("part of a file",    "a",  b'M', &[],    Kind::Other(b'M')),
            ("reserved",          "a",  b'8', &[],    Kind::Other(b'8')),
            ("no flag at all",    "a",  0xff, &[],    Kind::Other(0xff)),
        ];
        for (name, path, flag, fields, want) in cases {
            let found = entries(&ended(&[block(path, flag, fields)]));
            assert_eq!(found[0].0.kind, want, "{name}");
            assert_eq!(found[0].0.path, path.as_bytes(), "{name}");
        }
    }

    #[test]
    fn only_files_and_unknown_kinds_have_data() {
        let size: Field<'_> = (124, b"00000001000\0");
        let next = with_data("next", b'0', b"");
        for flag in *b"123456" {
            let archive = ended(&[block("a", flag, &[size, (157, b"t")]), next.clone()]);
            let found = entries(&archive);
            assert_eq!((found[0].0.len, found.len()), (0, 2), "flag {flag}");
        }
        for flag in *b"07V\0" {
            let found = entries(&ended(&[with_data("a", flag, b"data"), next.clone()]));
            assert_eq!(
                (&found[0].1[..], found.len()),
                (&b"data"[..], 2),
                "flag {flag}"
            );
        }
        let directory_with_data = error_of(&ended(&[with_data("a/", 0, b"data")]));
        assert_eq!(
            directory_with_data,
            "an invalid size in the tar header at byte 0"
        );
    }

    #[test]
    fn records_go_before_the_block() {
        let all = [
            ("path", "long path"),
            ("linkpath", "long target"),
            ("size", "3"),
            ("uid", "4000000000"),
            ("gid", "5000000000"),
            ("uname", "user"),
            ("gname", "group"),
            ("mtime", "1.25"),
            ("comment", "no matter"),
        ];
        let archive = ended(&[pax(b'x', &all), with_data("short", b'0', b"abcd")]);
        let mut reader = Reader::new(archive.as_slice());
        let entry = reader.next_entry().unwrap().unwrap();
        assert_eq!(
            (entry.user_name(), entry.group_name()),
            (&b"user"[..], &b"group"[..])
        );
        let mut want = Header::file(b"long path", 3);
        (want.uid, want.gid) = (4_000_000_000, 5_000_000_000);
        (want.mtime_s, want.mtime_ns) = (1, 250_000_000);
        assert_eq!(*entry.header(), want);
        let archive = ended(&[pax(b'X', &all), block("s", b'2', &[(157, b"t")])]);
        assert_eq!(
            entries(&archive)[0].0.kind,
            Kind::Symlink(b"long target".to_vec())
        );
    }

    #[test]
    fn global_records_count_until_they_are_changed_and_local_ones_go_before() {
        let file = || with_data("a", b'0', b"");
        let archive = ended(&[
            pax(b'g', &[("uid", "1"), ("gid", "2"), ("mtime", "3.5")]),
            file(),
            pax(b'x', &[("uid", "10"), ("mtime", "")]),
            file(),
            pax(b'x', &[("gid", "20")]),
            pax(b'g', &[("gid", "4"), ("uid", "")]),
            file(),
            file(),
            pax(
                b'g',
                &[("comment", "global headers may stand before the end")],
            ),
        ]);
        let of = |(header, _): &Found| (header.uid, header.gid, header.mtime_s, header.mtime_ns);
        let found: Vec<_> = entries(&archive).iter().map(of).collect();
        let half = 500_000_000;
        assert_eq!(
            found,
            [
                (1, 2, 3, half),
                (10, 2, 0, 0),
                (0, 20, 3, half),
                (0, 4, 3, half)
            ]
        );
    }

    #[test]
    fn gnu_long_names() {
        let name = "n".repeat(300);
        let name_nul = format!("{name}\0");
        let archive = ended(&[
            with_data("././@LongLink", b'K', b"long target\0"),
            with_data("././@LongLink", b'L', name_nul.as_bytes()),
            block(&name[..100], b'2', &[(157, b"short")]),
            with_data("././@LongLink", b'L', b"no NUL at the end"),
            with_data("a", b'0', b""),
            with_data("././@LongLink", b'L', b"cut at\0a NUL\0"),
            with_data("a", b'0', b""),
            with_data("././@LongLink", b'L', b"\0"),
            with_data("empty", b'0', b""),
            with_data("last", b'0', b""),
        ]);
        let found = entries(&archive);
        let paths: Vec<_> = found.iter().map(|(header, _)| &header.path[..]).collect();
        let want: [&[u8]; 5] = [
            name.as_bytes(),
            b"no NUL at the end",
            b"cut at",
            b"empty",
            b"last",
        ];
        assert_eq!(paths, want);
        assert_eq!(found[0].0.kind, Kind::Symlink(b"long target".to_vec()));
    }

    #[test]
    fn sparse_files_are_refused_by_name() {
        let file = || with_data("GNUSparseFile.7/a", b'0', b"");
        #[rustfmt::skip] // one case per line
        let cases = [
            ("old GNU",  vec![with_data("big", b'S', b"")],                                              "big"),
            ("long",     vec![with_data("L", b'L', b"longer"), with_data("big", b'S', b"")],             "longer"),
            ("PAX 0.0",  vec![pax(b'x', &[("GNU.sparse.size", "9")]), with_data("b", b'0', b"")],        "b"),
            ("PAX 0.1",  vec![pax(b'x', &[("GNU.sparse.map", "0,1"), ("GNU.sparse.name", "c")]), file()], "c"),
            ("PAX 1.0",  vec![pax(b'x', &[("GNU.sparse.name", "\u{1b}d"), ("GNU.sparse.major", "1")]), file()], "\\u{1b}d"),
            ("star",     vec![pax(b'x', &[("SCHILY.realsize", "9")]), with_data("e", b'0', b"")],        "e"),
            ("global",   vec![pax(b'g', &[("GNU.sparse.major", "1")]), with_data("f", b'0', b"")],       "f"),
        ];
        for (name, blocks, path) in cases {
            let want = format!("'{path}' is archived as a sparse file, which cannot be unpacked");
            assert_eq!(error_of(&ended(&blocks)), want, "{name}");
        }
    }

    #[test]
    fn limits() {
        let file = || with_data("a", b'0', b"");
        let comment = |len: usize| record("comment", &vec![b'c'; len]);
        // The digits of the length and the key take 17 bytes.
        let records = |len: usize| with_data("x", b'x', &comment(len - 17));
        let name =
            |flag: u8, len: usize| with_data("l", flag, &[vec![b'n'; len], vec![0]].concat());
        let in_pax = |key: &str, len: usize| with_data("x", b'x', &record(key, &vec![b'n'; len]));
        let many = |n: usize| [vec![pax(b'x', &[]); n], vec![file()]].concat();
        let (most, more) = (NAME_LEN_MAX, NAME_LEN_MAX + 1);
        let too_long = |what: &str, limit: usize, at: usize| {
            format!("{what} of more than {limit} bytes in the tar header at byte {at}")
        };
        let too_many = "more than 16 tar headers in a row without an entry at byte 8704";
        #[rustfmt::skip] // one case per line
        let cases = [
            ("records",          vec![records(RECORDS_LEN_MAX), file()],     "none".to_owned()),
            ("longer records",   vec![records(RECORDS_LEN_MAX + 1), file()], too_long("records", RECORDS_LEN_MAX, 0)),
            ("L",                vec![name(b'L', most), file()],             "none".to_owned()),
            ("longer L",         vec![name(b'L', more), file()],             too_long("a name", most + 1, 0)),
            ("K",                vec![name(b'K', most), file()],             "none".to_owned()),
            ("longer K",         vec![name(b'K', more), file()],             too_long("a name", most + 1, 0)),
            ("path",             vec![in_pax("path", most), file()],         "none".to_owned()),
            ("longer path",      vec![in_pax("path", more), file()],         too_long("a name", most, 66_560)),
            ("linkpath",         vec![in_pax("linkpath", most), file()],     "none".to_owned()),
            ("longer linkpath",  vec![in_pax("linkpath", more), file()],     too_long("a name", most, 66_560)),
            ("longer uname",     vec![in_pax("uname", more), file()],        too_long("a name", most, 66_560)),
            ("longer gname",     vec![in_pax("gname", more), file()],        too_long("a name", most, 66_560)),
            ("headers in a row", many(HEADERS_MAX),                          "none".to_owned()),
            ("one more",         many(HEADERS_MAX + 1),                      too_many.to_owned()),
        ];
        for (name, blocks, want) in cases {
            assert_eq!(error_of(&ended(&blocks)), want, "{name}");
        }
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        /// Gives what it has, and remembers how much room it was offered at most.
        struct Measuring<'a>(&'a [u8], usize);
        impl Read for Measuring<'_> {
            fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
                self.1 = self.1.max(room.len());
                self.0.read(room)
            }
        }
        for flag in *b"xgLK0" {
            let len = if b"LK".contains(&flag) {
                NAME_LEN_MAX
            } else {
                RECORDS_LEN_MAX
            };
            let size = format!("{len:011o}\0");
            let header = block("a", flag, &[(124, size.as_bytes())]);
            let mut source = Measuring(&header, 0);
            let (_, error) = read_all(&mut source);
            assert!(
                matches!(error, Some(Error::Truncated { len: 512 })),
                "{error:?}"
            );
            assert!(source.1 <= SKIP_LEN, "room for {} bytes", source.1);
        }
    }

    #[test]
    fn headers_that_cannot_be_read() {
        let file = || with_data("a", b'0', b"");
        let damaged = |at: usize| {
            let mut header = file();
            header[at] ^= 1;
            vec![header]
        };
        let raw = |records: &[u8]| vec![with_data("x", b'x', records), file()];
        let field = |at: usize, bytes: &'static [u8]| vec![block("a", b'0', &[(at, bytes)])];
        let (link, long) = (block("a", b'2', &[]), with_data("l", b'L', b"name\0"));
        #[rustfmt::skip] // one case per line
        let cases = [
            ("damaged name",      damaged(0),                              "no tar header at byte 0 of the archive"),
            ("damaged filler",    damaged(511),                            "no tar header at byte 0 of the archive"),
            ("damaged checksum",  damaged(153),                            "no tar header at byte 0 of the archive"),
            ("garbage after one", vec![file(), vec![7; 512]],              "no tar header at byte 512 of the archive"),
            ("mode",              field(100, b"64x"),                      "an invalid mode in the tar header at byte 0"),
            ("uid",               field(108, b"-1"),                       "an invalid uid in the tar header at byte 0"),
            ("negative gid",      field(116, &[0xff; 8]),                  "an invalid gid in the tar header at byte 0"),
            ("negative size",     field(124, &[0xff; 12]),                 "an invalid size in the tar header at byte 0"),
            ("size over 2^64",    field(124, b"\x80\0\0\x01"),             "an invalid size in the tar header at byte 0"),
            ("mtime over 2^63",   field(136, b"\x80\0\0\0\x80"),           "an invalid mtime in the tar header at byte 0"),
            ("mtime",             field(136, b"now"),                      "an invalid mtime in the tar header at byte 0"),
            ("no target",         vec![file(), link],                      "an invalid linkname in the tar header at byte 512"),
            ("not records",       raw(b"hello"),                           "invalid records in the PAX header at byte 0"),
            ("size in records",   raw(&record("size", b"-1")),             "an invalid size in the tar header at byte 0"),
            ("NUL in a path",     raw(&record("path", b"a\0b")),           "an invalid path in the tar header at byte 0"),
            ("name for nobody",   vec![file(), long],                      "the archive ends at byte 1536 where an entry is announced"),
            ("records, nobody",   vec![pax(b'x', &[("uid", "1")])],        "the archive ends at byte 1024 where an entry is announced"),
        ];
        for (name, blocks, want) in cases {
            assert_eq!(error_of(&ended(&blocks)), want, "{name}");
        }
    }

    #[test]
    fn unread_data_are_skipped() {
        let data: Vec<u8> = (0..=250).cycle().take(3 * SKIP_LEN + 7).collect();
        let archive = ended(&[with_data("a", b'0', &data), with_data("b", b'0', b"next")]);
        for n_read in [0, 1, 511, 512, SKIP_LEN, data.len() - 1, data.len()] {
            let mut reader = Reader::new(archive.as_slice());
            let mut entry = reader.next_entry().unwrap().unwrap();
            let mut start = vec![0; n_read];
            entry.read_exact(&mut start).unwrap();
            assert_eq!(start, data[..n_read]);
            assert_eq!(entry.data_left(), (data.len() - n_read) as u64);
            let mut next = String::new();
            let mut entry = reader.next_entry().unwrap().unwrap();
            entry.read_to_string(&mut next).unwrap();
            assert_eq!(next, "next", "after {n_read} bytes");
        }
    }

    #[test]
    fn after_a_failure_nothing_more_is_read() {
        let archive = ended(&[
            with_data("a", b'0', b"abc"),
            vec![7; 512],
            with_data("b", b'0', b""),
        ]);
        let mut reader = Reader::new(archive.as_slice());
        reader.next_entry().unwrap();
        let failed = reader.next_entry().map(|_| ());
        assert!(
            matches!(failed, Err(Error::NotAHeader { at: 1024 })),
            "{failed:?}"
        );
        let failed = reader.next_entry().map(|_| ());
        assert!(matches!(failed, Err(Error::Broken)), "{failed:?}");
    }

    #[test]
    fn data_that_end_early_are_an_error_of_the_read() {
        let archive = with_data("a", b'0', b"abc");
        let mut reader = Reader::new(&archive[..514]);
        let mut entry = reader.next_entry().unwrap().unwrap();
        let error = entry.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            error.to_string(),
            "the archive is cut short after 514 bytes"
        );
        let next = reader.next_entry().map(|_| ());
        assert!(
            matches!(next, Err(Error::Truncated { len: 514 })),
            "{next:?}"
        );
    }

    #[test]
    fn errors_become_those_of_a_read() {
        let kind = |error: Error| io::Error::from(error).kind();
        let refused = io::ErrorKind::PermissionDenied;
        assert_eq!(kind(Error::Read(refused.into())), refused);
        assert_eq!(
            kind(Error::Truncated { len: 1 }),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            kind(Error::NotAHeader { at: 0 }),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            Error::Broken.to_string(),
            "an earlier entry of the archive could not be read"
        );
        let failed = Error::Read(io::Error::other("gone")).to_string();
        assert_eq!(failed, "cannot read the archive: gone");
    }
}
