//! Reads one header block, of any of the formats that have been in use.
//!
//! | format | magic at 257 | what it adds |
//! |---|---|---|
//! | v7 | none | a directory is a file whose name ends in a slash |
//! | ustar, PAX | `ustar\0` | names of the owners; a prefix to the path |
//! | old GNU | `ustar ` | names of the owners; times in place of the prefix |
//!
//! A number is octal, filled with blanks or NULs on either side, or GNU's base-256; an empty field
//! is zero. Device numbers are not looked at.
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format"; the GNU tar manual, "Basic Tar Format".

use crate::wire::digits;
use crate::wire::tar::header::{BLOCK_LEN, CHECKSUM};

/// The magic of ustar and PAX.
const USTAR: &[u8] = b"ustar\0";
/// The magic of GNU tar before it learned PAX, and of all archives with `L` and `K` entries.
const GNU: &[u8] = b"ustar ";
/// The last bytes of a block in which star keeps times behind a shorter prefix.
const STAR: &[u8] = b"tar\0";

/// What stands in a block.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) path: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) type_flag: u8,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) len: u64,
    pub(super) mtime_s: i64,
    pub(super) user_name: Vec<u8>,
    pub(super) group_name: Vec<u8>,
}

/// Why a block is not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The checksum is another: these bytes are no tar header, or have been damaged.
    Checksum,
    /// This field does not hold what it should.
    Field(&'static str),
}

impl Block {
    /// Takes a block apart.
    pub(super) fn parse(block: &[u8; BLOCK_LEN]) -> Result<Self, Flaw> {
        check_sum(block)?;
        let magic = field(block, 257, 6);
        let has_owner_names = magic == USTAR || magic == GNU;
        let owner_name = |at| match has_owner_names {
            true => text(block, at, 32).to_vec(),
            false => Vec::new(),
        };
        Ok(Self {
            path: path(block, magic),
            target: text(block, 157, 100).to_vec(),
            type_flag: block.get(156).copied().unwrap_or_default(),
            mode: unsigned(block, 100, 8)
                .and_then(|mode| u32::try_from(mode & 0o7777).ok())
                .ok_or(Flaw::Field("mode"))?,
            uid: unsigned(block, 108, 8).ok_or(Flaw::Field("uid"))?,
            gid: unsigned(block, 116, 8).ok_or(Flaw::Field("gid"))?,
            len: unsigned(block, 124, 12).ok_or(Flaw::Field("size"))?,
            mtime_s: number(field(block, 136, 12))
                .and_then(|seconds| i64::try_from(seconds).ok())
                .ok_or(Flaw::Field("mtime"))?,
            user_name: owner_name(265),
            group_name: owner_name(297),
        })
    }
}

/// Compares the sum of all bytes, the checksum itself counted as blanks, with what is written.
///
/// Some old programs added the bytes up as signed numbers, so either sum is right.
fn check_sum(block: &[u8; BLOCK_LEN]) -> Result<(), Flaw> {
    let written = number(field(block, CHECKSUM.start, CHECKSUM.len()));
    let (mut sum, mut signed_sum) = (0_i32, 0_i32);
    for (at, &byte) in block.iter().enumerate() {
        let byte = if CHECKSUM.contains(&at) { b' ' } else { byte };
        sum += i32::from(byte);
        signed_sum += i32::from(i8::from_ne_bytes([byte]));
    }
    match written {
        Some(written) if written == sum.into() || written == signed_sum.into() => Ok(()),
        _ => Err(Flaw::Checksum),
    }
}

/// The path, put together from prefix and name.
fn path(block: &[u8; BLOCK_LEN], magic: &[u8]) -> Vec<u8> {
    let name = text(block, 0, 100);
    let prefix_len = if block.ends_with(STAR) { 131 } else { 155 };
    match text(block, 345, prefix_len) {
        prefix if magic == USTAR && !prefix.is_empty() => [prefix, b"/", name].concat(),
        _ => name.to_vec(),
    }
}

fn field(block: &[u8; BLOCK_LEN], at: usize, len: usize) -> &[u8] {
    block.get(at..at.saturating_add(len)).unwrap_or_default()
}

/// A field up to its first NUL, or all of it.
fn text(block: &[u8; BLOCK_LEN], at: usize, len: usize) -> &[u8] {
    until_nul(field(block, at, len))
}

/// What stands before the first NUL.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn unsigned(block: &[u8; BLOCK_LEN], at: usize, len: usize) -> Option<u64> {
    u64::try_from(number(field(block, at, len))?).ok()
}

/// Reads a number of at most 16 bytes; none but blanks and NULs is zero.
fn number(field: &[u8]) -> Option<i128> {
    if field.first().is_some_and(|&first| first & 0x80 != 0) {
        return Some(base_256(field));
    }
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_filler(byte)) else {
        return Some(0);
    };
    let digits = field.get(start..)?.split(is_filler).next()?;
    digits::octal(digits).map(i128::from)
}

/// Two's complement, big-endian, in all bits but the first.
fn base_256(field: &[u8]) -> i128 {
    let Some((&first, rest)) = field.split_first() else {
        return 0;
    };
    let top = i128::from(first & 0x3f) - i128::from(first & 0x40);
    rest.iter()
        .fold(top, |number, &byte| (number << 8) | i128::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a field begins, and what is in it.
    type Field<'a> = (usize, &'a [u8]);

    /// A block with these fields and, unless it is one of them, the right checksum.
    fn block(fields: &[Field<'_>]) -> [u8; BLOCK_LEN] {
        let mut block = [0; BLOCK_LEN];
        block[CHECKSUM].fill(b' ');
        for (at, bytes) in fields {
            block[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        if block[CHECKSUM] == [b' '; 8] {
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        block
    }

    #[test]
    fn numbers() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Option<i128>); 22] = [
            ("empty",            b"",                        Some(0)),
            ("NULs",             b"\0\0\0\0",                Some(0)),
            ("blanks",           b"    ",                    Some(0)),
            ("NUL at the end",   b"0000644\0",               Some(0o644)),
            ("blank at the end", b"0000644 ",                Some(0o644)),
            ("both at the end",  b"000644 \0",               Some(0o644)),
            ("and reversed",     b"000644\0 ",               Some(0o644)),
            ("blanks before",    b"   644 \0",               Some(0o644)),
            ("NULs before",      b"\0\x00644\0",            Some(0o644)),
            ("no filler",        b"777777777777",            Some(0o777_777_777_777)),
            ("junk behind",      b"644\0junk",               Some(0o644)),
            ("eight",            b"0000648\0",               None),
            ("plus",             b"+644\0",                  None),
            ("minus",            b"-644\0",                  None),
            ("hex",              b"0x1\0",                   None),
            ("blank within",     b"6 44\0",                  Some(6)),
            ("256",              b"\x80\0\0\0\0\0\x01\0",    Some(256)),
            ("widest",           b"\xbf\xff\xff\xff",        Some((1 << 30) - 1)),
            ("minus one",        b"\xff\xff\xff\xff",        Some(-1)),
            ("lowest",           b"\xc0\0\0\0",              Some(-(1 << 30))),
            ("one byte",         b"\x85",                    Some(5)),
            ("12 bytes",         b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", Some(u64::MAX.into())),
        ];
        for (name, field, want) in cases {
            assert_eq!(number(field), want, "{name}");
        }
    }

    #[test]
    fn checksums() {
        let name: Field<'_> = (0, b"\xff");
        // 255 or -1 for the name, and 8 blanks.
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], bool); 8] = [
            ("unsigned",        b"000777\0 ", true),
            ("signed",          b"000377\0 ", true),
            ("blank then NUL",  b"000777 \0", true),
            ("blanks before",   b"   777\0 ", true),
            ("one less",        b"000776\0 ", false),
            ("one more",        b"001000\0 ", false),
            ("none",            b"\0\0\0\0\0\0\0\0", false),
            ("not a number",    b"checksum", false),
        ];
        for (case, checksum, is_right) in cases {
            let block = block(&[name, (CHECKSUM.start, checksum)]);
            assert_eq!(check_sum(&block).is_ok(), is_right, "{case}");
        }
    }

    #[test]
    fn formats() {
        let names: [Field<'_>; 3] = [(0, b"name"), (265, b"user"), (297, b"group")];
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[Field<'_>], &str, &str); 8] = [
            ("v7",                &[(345, b"prefix")],                       "name",            ""),
            ("ustar",             &[(257, b"ustar\x0000")],                  "name",            "user group"),
            ("ustar, prefix",     &[(257, b"ustar\x0000"), (345, b"a/b")],   "a/b/name",        "user group"),
            ("other version",     &[(257, b"ustar\0\0\0"), (345, b"a/b")],   "a/b/name",        "user group"),
            ("old GNU, times",    &[(257, b"ustar  \0"), (345, b"14524770400\0")], "name",      "user group"),
            ("star, times",       &[(257, b"ustar\x0000"), (345, &[b'p'; 131]), (476, b"14524770400\0"), (508, b"tar\0")],
                                                                             &format!("{}/name", "p".repeat(131)), "user group"),
            ("full prefix",       &[(257, b"ustar\x0000"), (345, &[b'p'; 155])], &format!("{}/name", "p".repeat(155)), "user group"),
            ("unknown magic",     &[(257, b"USTAR\x0000"), (345, b"a/b")],   "name",            ""),
        ];
        for (name, fields, path, owners) in cases {
            let block = Block::parse(&block(&[&names[..], fields].concat())).unwrap();
            assert_eq!(String::from_utf8_lossy(&block.path), path, "{name}");
            let found = [block.user_name, block.group_name].join(&b' ');
            assert_eq!(String::from_utf8_lossy(&found).trim(), owners, "{name}");
        }
    }

    #[test]
    fn the_type_of_a_stat_is_no_part_of_the_mode() {
        let parsed = Block::parse(&block(&[(100, b"0104755\0")])).unwrap();
        assert_eq!(parsed.mode, 0o4755);
    }

    #[test]
    fn a_name_without_a_nul_fills_its_field() {
        let fields: [Field<'_>; 3] = [(0, &[b'n'; 100]), (100, b"0000644\0"), (157, &[b't'; 100])];
        let parsed = Block::parse(&block(&fields)).unwrap();
        assert_eq!(
            (parsed.path, parsed.target),
            (vec![b'n'; 100], vec![b't'; 100])
        );
    }
}
