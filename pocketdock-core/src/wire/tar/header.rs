//! The header of a tar entry: one ustar block, with a PAX header before it when that is too small.
//!
//! ```text
//! 0    100  108 116 124  136   148      156  157      257   265   297   329   337   345    500
//! name mode uid gid size mtime checksum type linkname magic uname gname major minor prefix zeros
//! ```
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format".
//!
//! PAX records are written for names and link targets that are long or not ASCII, for sizes from
//! 8 GiB, for owners from 2^21, and for times before 1970, far ahead or with a fraction. The ustar
//! block then still holds as much as it can (raw bytes in names, numbers in GNU's base-256), for
//! the sake of readers that know few PAX records or none. For busybox, which passes by PAX headers,
//! names that are too long for the block stand in GNU's headers of type `L` and `K` as well.
//!
//! A name that is not UTF-8 stays in the ustar block if it fits, which all readers take as it is,
//! and otherwise goes raw into its record, as GNU tar writes it. The standard's announcement
//! `hdrcharset=BINARY` is left out: GNU tar 1.34 warns about it, and no reader needs it, though
//! bsdtar 3.6 complains and exits with 1 after it has unpacked such a name.
//!
//! User and group names, devices, sparse files and extended attributes are not written.

use std::fmt;

/// Bytes in a block, the unit of which an archive is made.
pub const BLOCK_LEN: usize = 512;

/// Where the checksum stands, counted as blanks while it is being computed.
pub(super) const CHECKSUM: std::ops::Range<usize> = 148..156;

const NAME_LEN: usize = 100;
const PREFIX_LEN: usize = 155;
/// Width of the mode, owner, checksum and device numbers.
const SHORT_NUMBER_LEN: usize = 8;
/// Width of the size and the modification time.
const LONG_NUMBER_LEN: usize = 12;
/// What an entry is, with the target if it is a link.
///
/// ```
/// use pocketdock_core::wire::tar::{Header, Kind};
///
/// assert_eq!(Header::directory(b"src").kind, Kind::Directory);
/// assert_eq!(Header::symlink(b"latest", b"v2").kind, Kind::Symlink(b"v2".to_vec()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file; its data follow the header.
    File,
    /// A directory.
    Directory,
    /// A symbolic link to this target, which need not exist.
    Symlink(Vec<u8>),
    /// Another name for the entry of this path, earlier in the archive.
    HardLink(Vec<u8>),
    /// A named pipe. Like the kinds below it is read but not written.
    Fifo,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// An entry with this type flag, which POSIX does not define. Its data are readable; POSIX
    /// would have it taken for a file, but what known programs mean by their own flags (part of a
    /// file, the label of a tape, an access control list) is none.
    Other(u8),
}

/// What an archive says about one entry.
///
/// ```
/// use pocketdock_core::wire::tar::header::Header;
///
/// let header = Header::file(b"dir/name", 3);
/// assert_eq!(header.encode()?.len(), 512);
/// # Ok::<(), pocketdock_core::wire::tar::header::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The path as bytes; the slash at the end of a directory may be left out.
    pub path: Vec<u8>,
    /// What the entry is.
    pub kind: Kind,
    /// Permission bits; those above `0o7777` are ignored, so that a `st_mode` may be given.
    pub mode: u32,
    /// Number of the owning user.
    pub uid: u64,
    /// Number of the owning group.
    pub gid: u64,
    /// Modification time in whole seconds since 1970, rounded down.
    pub mtime_s: i64,
    /// Nanoseconds to add to `mtime_s`, less than 10^9.
    pub mtime_ns: u32,
    /// Bytes of data; zero for anything but a file.
    pub len: u64,
}

/// Why a header cannot be written.
///
/// ```
/// use pocketdock_core::wire::tar::header::{Error, Header};
///
/// assert_eq!(Header::file(b"", 0).encode(), Err(Error::Empty));
/// assert_eq!(Header::file(b"a\0b", 0).encode(), Err(Error::Nul));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The path or the link target is empty.
    Empty,
    /// The path or the link target holds a NUL, at which readers would cut it.
    Nul,
    /// The path ends in a slash but is not that of a directory.
    TrailingSlash,
    /// Data are announced for something that is not a file.
    Data,
    /// The time has 10^9 nanoseconds or more.
    Nanoseconds,
    /// The entry is neither a file, a directory nor a link.
    Kind,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty path or link target",
            Self::Nul => "a NUL in a path or link target",
            Self::TrailingSlash => "a slash after the path of what is no directory",
            Self::Data => "data for what is no file",
            Self::Nanoseconds => "a time with more than a second of nanoseconds",
            Self::Kind => "what is neither a file, a directory nor a link",
        })
    }
}

impl std::error::Error for Error {}

impl Header {
    /// A file of `len` bytes, with mode 0644, owned by root, last changed in 1970.
    #[must_use]
    pub fn file(path: &[u8], len: u64) -> Self {
        Self {
            len,
            ..Self::new(path, Kind::File, 0o644)
        }
    }

    /// A directory with mode 0755, owned by root, last changed in 1970.
    #[must_use]
    pub fn directory(path: &[u8]) -> Self {
        Self::new(path, Kind::Directory, 0o755)
    }

    /// A symbolic link to `target`, owned by root, last changed in 1970.
    #[must_use]
    pub fn symlink(path: &[u8], target: &[u8]) -> Self {
        Self::new(path, Kind::Symlink(target.to_vec()), 0o777)
    }

    /// Another name for the file `target`, owned by root, last changed in 1970.
    ///
    /// The target is the path of an entry earlier in the archive.
    ///
    /// ```
    /// use pocketdock_core::wire::tar::{Header, Kind};
    ///
    /// let link = Header::hard_link(b"bin/vi", b"bin/busybox");
    /// assert_eq!(link.kind, Kind::HardLink(b"bin/busybox".to_vec()));
    /// ```
    #[must_use]
    pub fn hard_link(path: &[u8], target: &[u8]) -> Self {
        Self::new(path, Kind::HardLink(target.to_vec()), 0o644)
    }

    fn new(path: &[u8], kind: Kind, mode: u32) -> Self {
        let path = path.to_vec();
        Self {
            path,
            kind,
            mode,
            uid: 0,
            gid: 0,
            mtime_s: 0,
            mtime_ns: 0,
            len: 0,
        }
    }

    /// The blocks that stand before the data of the entry.
    ///
    /// ```
    /// use pocketdock_core::wire::tar::header::{BLOCK_LEN, Header};
    ///
    /// let short = Header::file(b"hello.txt", 5);
    /// assert_eq!(short.encode()?.len(), BLOCK_LEN);
    /// let long = Header::file(&[b'x'; 300], 5);
    /// assert_eq!(long.encode()?.len(), 5 * BLOCK_LEN, "PAX header and records, the same for GNU");
    /// # Ok::<(), pocketdock_core::wire::tar::header::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error`] for a path, target, length or time that no archive can hold.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        let path = self.stored_path();
        let mut blocks = Vec::with_capacity(BLOCK_LEN);
        let records = self.pax_records(&path);
        if !records.is_empty() {
            push_extension(&mut blocks, b'x', b"././@PaxHeader", &records);
        }
        if split_path(&path).is_none() {
            push_long_name(&mut blocks, b'L', &path);
        }
        if NAME_LEN < self.target().len() {
            push_long_name(&mut blocks, b'K', self.target());
        }
        Ustar {
            path: &path,
            target: self.target(),
            kind: self.type_flag(),
            mode: self.mode & 0o7777,
            uid: self.uid.into(),
            gid: self.gid.into(),
            len: self.len.into(),
            mtime_s: self.mtime_s.into(),
        }
        .push_to(&mut blocks);
        Ok(blocks)
    }

    fn check(&self) -> Result<(), Error> {
        let is_link = match self.kind {
            Kind::Symlink(_) | Kind::HardLink(_) => true,
            Kind::File | Kind::Directory => false,
            Kind::Fifo | Kind::CharDevice | Kind::BlockDevice | Kind::Other(_) => {
                return Err(Error::Kind);
            }
        };
        if self.path.is_empty() || (is_link && self.target().is_empty()) {
            return Err(Error::Empty);
        }
        if self.path.contains(&0) || self.target().contains(&0) {
            return Err(Error::Nul);
        }
        if self.kind != Kind::Directory && self.path.ends_with(b"/") {
            return Err(Error::TrailingSlash);
        }
        if self.kind != Kind::File && self.len != 0 {
            return Err(Error::Data);
        }
        if 1_000_000_000 <= self.mtime_ns {
            return Err(Error::Nanoseconds);
        }
        Ok(())
    }

    /// The path as it goes into the archive, where that of a directory ends in a slash.
    fn stored_path(&self) -> Vec<u8> {
        let mut path = self.path.clone();
        if self.kind == Kind::Directory && !path.ends_with(b"/") {
            path.push(b'/');
        }
        path
    }

    fn target(&self) -> &[u8] {
        match &self.kind {
            Kind::Symlink(target) | Kind::HardLink(target) => target,
            Kind::File
            | Kind::Directory
            | Kind::Fifo
            | Kind::CharDevice
            | Kind::BlockDevice
            | Kind::Other(_) => b"",
        }
    }

    fn type_flag(&self) -> u8 {
        match self.kind {
            Kind::File => b'0',
            Kind::HardLink(_) => b'1',
            Kind::Symlink(_) => b'2',
            Kind::CharDevice => b'3',
            Kind::BlockDevice => b'4',
            Kind::Directory => b'5',
            Kind::Fifo => b'6',
            Kind::Other(flag) => flag,
        }
    }

    /// Records for all that the ustar block cannot hold; empty if it can hold everything.
    fn pax_records(&self, path: &[u8]) -> Vec<u8> {
        let target = self.target();
        let mut records = Vec::new();
        if split_path(path).is_none() || is_foreign_text(path) {
            push_record(&mut records, "path", path);
        }
        if NAME_LEN < target.len() || is_foreign_text(target) {
            push_record(&mut records, "linkpath", target);
        }
        for (key, value, width) in [
            ("size", self.len, LONG_NUMBER_LEN),
            ("uid", self.uid, SHORT_NUMBER_LEN),
            ("gid", self.gid, SHORT_NUMBER_LEN),
        ] {
            if !fits_octal(value.into(), width) {
                push_record(&mut records, key, value.to_string().as_bytes());
            }
        }
        if self.mtime_ns != 0 || !fits_octal(self.mtime_s.into(), LONG_NUMBER_LEN) {
            push_record(&mut records, "mtime", self.decimal_mtime().as_bytes());
        }
        records
    }

    /// The time as a decimal number of seconds, such as `1.5`, exact to the nanosecond.
    fn decimal_mtime(&self) -> String {
        let total_ns = i128::from(self.mtime_s) * 1_000_000_000 + i128::from(self.mtime_ns);
        let (sign, total_ns) = (if total_ns < 0 { "-" } else { "" }, total_ns.unsigned_abs());
        let (seconds, ns) = (total_ns / 1_000_000_000, total_ns % 1_000_000_000);
        let text = format!("{sign}{seconds}.{ns:09}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// The fields of one ustar block; numbers are wide enough for all that a field may be given.
struct Ustar<'a> {
    path: &'a [u8],
    target: &'a [u8],
    kind: u8,
    mode: u32,
    uid: i128,
    gid: i128,
    len: i128,
    mtime_s: i128,
}

impl Ustar<'_> {
    fn push_to(&self, blocks: &mut Vec<u8>) {
        let (prefix, name) = split_path(self.path).unwrap_or((b"", self.path));
        let mut block = Vec::with_capacity(BLOCK_LEN);
        push_text(&mut block, name, NAME_LEN);
        push_number(&mut block, self.mode.into(), SHORT_NUMBER_LEN);
        push_number(&mut block, self.uid, SHORT_NUMBER_LEN);
        push_number(&mut block, self.gid, SHORT_NUMBER_LEN);
        push_number(&mut block, self.len, LONG_NUMBER_LEN);
        push_number(&mut block, self.mtime_s, LONG_NUMBER_LEN);
        block.extend_from_slice(b"        "); // the checksum, see below
        block.push(self.kind);
        push_text(&mut block, self.target, NAME_LEN);
        block.extend_from_slice(b"ustar\x0000");
        push_text(&mut block, b"", 32); // user name
        push_text(&mut block, b"", 32); // group name
        push_number(&mut block, 0, SHORT_NUMBER_LEN); // device major
        push_number(&mut block, 0, SHORT_NUMBER_LEN); // device minor
        push_text(&mut block, prefix, PREFIX_LEN);
        block.resize(BLOCK_LEN, 0);

        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        if let Some(field) = block.get_mut(CHECKSUM) {
            field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        blocks.extend_from_slice(&block);
    }
}

/// Whether `name` is UTF-8 but not ASCII, and so means the same everywhere only in a PAX record.
fn is_foreign_text(name: &[u8]) -> bool {
    !name.is_ascii() && std::str::from_utf8(name).is_ok()
}

/// Cuts a path at a slash so that both parts fit their fields; `None` if that cannot be done.
fn split_path(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME_LEN {
        return Some((b"", path));
    }
    let first_idx = path.len().checked_sub(NAME_LEN + 1)?;
    let slash = path.iter().skip(first_idx).position(|&byte| byte == b'/')?;
    let (prefix, slash_and_name) = path.split_at_checked(first_idx.checked_add(slash)?)?;
    let name = slash_and_name.strip_prefix(b"/")?;
    let fits = !prefix.is_empty() && prefix.len() <= PREFIX_LEN && !name.is_empty();
    fits.then_some((prefix, name))
}

/// Appends a header about the next one, and the blocks with what it says.
fn push_extension(blocks: &mut Vec<u8>, kind: u8, path: &[u8], content: &[u8]) {
    let header = Ustar {
        path, // a name for readers that take it for a file
        target: b"",
        kind,
        mode: 0o644,
        uid: 0,
        gid: 0,
        len: content.len() as i128,
        mtime_s: 0,
    };
    header.push_to(blocks);
    blocks.extend_from_slice(content);
    blocks.resize(blocks.len().next_multiple_of(BLOCK_LEN), 0);
}

/// Appends GNU's way of giving a name that is too long for the block.
fn push_long_name(blocks: &mut Vec<u8>, kind: u8, name: &[u8]) {
    push_extension(blocks, kind, b"././@LongLink", &[name, b"\0"].concat());
}

/// Appends `length key=value` and a line feed, where the length counts its own digits too.
fn push_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest_len = " =\n".len() + key.len() + value.len();
    let mut len = rest_len;
    loop {
        let with_digits = rest_len + len.to_string().len();
        if with_digits == len {
            break;
        }
        len = with_digits;
    }
    records.extend_from_slice(format!("{len} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Appends `text`, cut or filled with NULs to `width`.
fn push_text(block: &mut Vec<u8>, text: &[u8], width: usize) {
    let end = block.len().saturating_add(width);
    block.extend(text.iter().take(width));
    block.resize(end, 0);
}

/// Appends a number in octal with a NUL after it, or in base-256 if that is too narrow.
///
/// Base-256 is GNU's: two's complement, big-endian, with the top bit set. A number too large even
/// for that is written as zero; its PAX record has it.
fn push_number(block: &mut Vec<u8>, value: i128, width: usize) {
    if fits_octal(value, width) {
        let digits = width.saturating_sub(1);
        block.extend_from_slice(format!("{value:0digits$o}\0").as_bytes());
        return;
    }
    let fits_binary = value.unsigned_abs() >> (8 * width - 2) == 0;
    let bytes = if fits_binary { value } else { 0 }.to_be_bytes();
    let start = block.len();
    block.extend(bytes.iter().skip(bytes.len().saturating_sub(width)));
    if let Some(first) = block.get_mut(start) {
        *first |= 0x80;
    }
}

/// Whether a field of this width holds the number in octal with a NUL after it.
fn fits_octal(value: i128, width: usize) -> bool {
    (0..1 << (3 * (width - 1))).contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(blocks: &[u8], range: std::ops::Range<usize>) -> String {
        let field = &blocks[range];
        let end = field
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(field.len());
        String::from_utf8(field[..end].to_vec()).unwrap()
    }

    /// The PAX records of a header, as `key=value` texts; none if it has no PAX header.
    fn records(header: &Header) -> Vec<String> {
        let blocks = header.encode().unwrap();
        if blocks[156] != b'x' {
            return Vec::new();
        }
        let len = usize::try_from(crate::wire::digits::octal(&blocks[124..135]).unwrap()).unwrap();
        let mut rest = &blocks[BLOCK_LEN..BLOCK_LEN + len];
        let mut found = Vec::new();
        while !rest.is_empty() {
            let blank = rest.iter().position(|&byte| byte == b' ').unwrap();
            let len = crate::wire::digits::decimal(&rest[..blank]).unwrap();
            let (record, after) = rest.split_at(usize::try_from(len).unwrap());
            let record = record[blank + 1..]
                .strip_suffix(b"\n")
                .expect("a line feed at the end");
            found.push(String::from_utf8_lossy(record).into_owned());
            rest = after;
        }
        found
    }

    #[test]
    fn a_plain_file_is_one_ustar_block() {
        let header = Header {
            uid: 1000,
            gid: 0o7_777_777,
            mtime_s: 0o77_777_777_777,
            ..Header::file(b"dir/a.txt", 0o77_777_777_777)
        };
        let block = header.encode().unwrap();
        assert_eq!(block.len(), BLOCK_LEN);
        #[rustfmt::skip] // one case per line
        let fields = [
            ("name",     0..100,   "dir/a.txt"),
            ("mode",     100..108, "0000644"),
            ("uid",      108..116, "0001750"),
            ("gid",      116..124, "7777777"),
            ("size",     124..136, "77777777777"),
            ("mtime",    136..148, "77777777777"),
            ("type",     156..157, "0"),
            ("linkname", 157..257, ""),
            ("magic",    257..263, "ustar"),
            ("version",  263..265, "00"),
            ("major",    329..337, "0000000"),
            ("prefix",   345..500, ""),
        ];
        for (name, range, want) in fields {
            assert_eq!(text(&block, range), want, "{name}");
        }
        let mut summed = block.clone();
        summed[CHECKSUM].fill(b' ');
        let sum: u32 = summed.iter().map(|&byte| u32::from(byte)).sum();
        assert_eq!(block[CHECKSUM], *format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn kinds() {
        let hard_link = Header::hard_link(b"b", b"dir/a");
        #[rustfmt::skip] // one case per line
        let cases = [
            ("file",           Header::file(b"f", 0),              "f",  '0', ""),
            ("directory",      Header::directory(b"d"),            "d/", '5', ""),
            ("slash is there", Header::directory(b"d/"),           "d/", '5', ""),
            ("symlink",        Header::symlink(b"s", b"../t/"),    "s",  '2', "../t/"),
            ("hard link",      hard_link,                          "b",  '1', "dir/a"),
        ];
        for (name, header, path, kind, target) in cases {
            let block = header.encode().unwrap();
            assert_eq!(text(&block, 0..100), path, "{name}");
            assert_eq!(char::from(block[156]), kind, "{name}");
            assert_eq!(text(&block, 157..257), target, "{name}");
        }
    }

    #[test]
    fn headers_that_no_archive_can_hold() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("no path",          Header::file(b"", 0),                                  Error::Empty),
            ("no target",        Header::symlink(b"s", b""),                            Error::Empty),
            ("NUL in path",      Header::file(b"a\0b", 0),                              Error::Nul),
            ("NUL in target",    Header::symlink(b"s", b"a\0"),                         Error::Nul),
            ("slash after file", Header::file(b"a/", 0),                                Error::TrailingSlash),
            ("data of a link",   Header { len: 1, ..Header::symlink(b"s", b"t") },      Error::Data),
            ("data of a dir",    Header { len: 1, ..Header::directory(b"d") },          Error::Data),
            ("fifo",             Header { kind: Kind::Fifo, ..Header::file(b"a", 0) },  Error::Kind),
            ("device",           Header { kind: Kind::CharDevice, ..Header::file(b"a", 0) }, Error::Kind),
            ("disk",             Header { kind: Kind::BlockDevice, ..Header::file(b"a", 0) }, Error::Kind),
            ("other",            Header { kind: Kind::Other(b'0'), ..Header::file(b"a", 0) }, Error::Kind),
            ("nanoseconds",      Header { mtime_ns: 1_000_000_000, ..Header::file(b"a", 0) }, Error::Nanoseconds),
        ];
        for (name, header, want) in cases {
            assert_eq!(header.encode(), Err(want), "{name}");
        }
    }

    #[test]
    fn mode_bits_of_a_stat_are_cut_to_permissions() {
        let block = Header {
            mode: 0o104_755,
            ..Header::file(b"a", 0)
        }
        .encode()
        .unwrap();
        assert_eq!(text(&block, 100..108), "0004755");
    }

    #[test]
    fn long_paths_are_split_at_a_slash_where_possible() {
        let x = |n: usize| "x".repeat(n);
        #[rustfmt::skip] // one case per line
        let cases = [
            ("fits",             x(100),                               Some(0)),
            ("no slash",         x(101),                               None),
            ("one slash",        format!("{}/{}", x(50), x(100)),      Some(50)),
            ("longest",          format!("{}/{}", x(155), x(100)),     Some(155)),
            ("prefix too long",  format!("{}/{}", x(156), x(100)),     None),
            ("name too long",    format!("{}/{}", x(50), x(101)),      None),
            ("shortest prefix",  format!("a/{}/{}", x(60), x(50)),     Some(62)),
            ("only a root",      format!("/{}", x(100)),               None),
            ("slash at the end", format!("{}/", x(100)),               None),
        ];
        for (name, path, want) in cases {
            let split = split_path(path.as_bytes());
            assert_eq!(split.map(|(prefix, _)| prefix.len()), want, "{name}");
            let in_pax = records(&Header::directory(path.trim_end_matches('/').as_bytes()));
            if want.is_none() {
                assert_eq!(
                    in_pax,
                    [format!("path={}/", path.trim_end_matches('/'))],
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn what_does_not_fit_goes_into_records() {
        let file = || Header::file(b"a", 0);
        #[rustfmt::skip] // one case per line
        let cases: [(&str, Header, &[&str]); 16] = [
            ("nothing",         file(),                                              &[]),
            ("accent",          Header::file("é".as_bytes(), 0),                     &["path=é"]),
            ("not UTF-8",       Header::file(b"\xff", 0),                            &[]),
            ("long, not UTF-8", Header::file(&[0xff; 101], 0),                       &[&format!("path={}", "\u{fffd}".repeat(101))]),
            ("target",          Header::symlink(b"s", "é".as_bytes()),               &["linkpath=é"]),
            ("target bytes",    Header::symlink(b"s", b"\xff"),                      &[]),
            ("long target",     Header::symlink(b"s", &[b'x'; 101]),                 &[&format!("linkpath={}", "x".repeat(101))]),
            ("8 GiB",           Header::file(b"a", 8 << 30),                         &["size=8589934592"]),
            ("largest",         Header::file(b"a", u64::MAX),                        &["size=18446744073709551615"]),
            ("user",            Header { uid: 1 << 21, ..file() },                   &["uid=2097152"]),
            ("group",           Header { gid: u64::MAX, ..file() },                  &["gid=18446744073709551615"]),
            ("fraction",        Header { mtime_s: 7, mtime_ns: 120, ..file() },      &["mtime=7.00000012"]),
            ("before 1970",     Header { mtime_s: -5, ..file() },                    &["mtime=-5"]),
            ("a bit before",    Header { mtime_s: -1, mtime_ns: 500_000_000, ..file() }, &["mtime=-0.5"]),
            ("after 2242",      Header { mtime_s: 1 << 33, ..file() },               &["mtime=8589934592"]),
            ("round seconds",   Header { mtime_s: -100, ..file() },                  &["mtime=-100"]),
        ];
        for (name, header, want) in cases {
            assert_eq!(records(&header), want, "{name}");
        }
        let earliest = Header {
            mtime_s: i64::MIN,
            ..file()
        };
        assert_eq!(records(&earliest), ["mtime=-9223372036854775808"]);
    }

    #[test]
    fn a_record_counts_its_own_digits() {
        for value_len in 0..2000 {
            let mut out = Vec::new();
            push_record(&mut out, "k", &vec![b'v'; value_len]);
            let blank = out.iter().position(|&byte| byte == b' ').unwrap();
            let len = crate::wire::digits::decimal(&out[..blank]);
            assert_eq!(len, Some(out.len() as u64), "value of {value_len}");
        }
    }

    #[test]
    fn numbers() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, i128, usize, &[u8]); 8] = [
            ("zero",            0,           8,  b"0000000\0"),
            ("widest octal",    0o7_777_777, 8,  b"7777777\0"),
            ("narrowest 256",   1 << 21,     8,  b"\x80\0\0\0\0\x20\0\0"),
            ("size",            8 << 30,     12, b"\x80\0\0\0\0\0\0\x02\0\0\0\0"),
            ("negative",        -2,          8,  b"\xff\xff\xff\xff\xff\xff\xff\xfe"),
            ("widest 256",      (1 << 62) - 1, 8, b"\xbf\xff\xff\xff\xff\xff\xff\xff"),
            ("too wide",        1 << 62,     8,  b"\x80\0\0\0\0\0\0\0"),
            ("largest size",    i128::from(u64::MAX), 12, b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
        ];
        for (name, value, width, want) in cases {
            let mut field = Vec::new();
            push_number(&mut field, value, width);
            assert_eq!(field, want, "{name}");
        }
    }
}
