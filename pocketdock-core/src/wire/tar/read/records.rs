//! The records of a PAX header: `length key=value` and a line feed, one after the other.
//!
//! What they say goes before what the block of the entry says; a key without a value takes back
//! what was said before and lets the block count again. Keys that say nothing about a path, a
//! size, an owner or a time are skipped.
//!
//! Source: POSIX.1-2017, `pax`, "pax Header Block" and "pax Extended Header"; the GNU tar manual,
//! "Storing Sparse Files".

use crate::wire::digits;

/// What was said about a field: nothing, "take the block's", or a value.
type Said<T> = Option<Option<T>>;

/// What headers before an entry say about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) path: Said<Vec<u8>>,
    pub(super) target: Said<Vec<u8>>,
    pub(super) user_name: Said<Vec<u8>>,
    pub(super) group_name: Said<Vec<u8>>,
    pub(super) len: Said<u64>,
    pub(super) uid: Said<u64>,
    pub(super) gid: Said<u64>,
    /// Seconds and nanoseconds.
    pub(super) mtime: Said<(i64, u32)>,
    /// The data are pieces of the file, with the holes between them left out.
    pub(super) is_sparse: bool,
    /// The path of a sparse file whose own path is one made up for other readers.
    pub(super) sparse_path: Said<Vec<u8>>,
}

/// Why records cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They do not have the form of records.
    Form,
    /// The value of this key is not one that it can have.
    Value(&'static str),
}

impl Records {
    /// Takes in all records of a header; what an earlier one said of the same key is replaced.
    pub(super) fn read(&mut self, mut records: &[u8]) -> Result<(), Flaw> {
        while !records.is_empty() {
            let (key, value) = next(&mut records).ok_or(Flaw::Form)?;
            self.set(key, value)?;
        }
        Ok(())
    }

    /// What is said here, and where nothing is, what `global` says.
    pub(super) fn or(self, global: &Self) -> Self {
        Self {
            path: self.path.or_else(|| global.path.clone()),
            target: self.target.or_else(|| global.target.clone()),
            user_name: self.user_name.or_else(|| global.user_name.clone()),
            group_name: self.group_name.or_else(|| global.group_name.clone()),
            len: self.len.or(global.len),
            uid: self.uid.or(global.uid),
            gid: self.gid.or(global.gid),
            mtime: self.mtime.or(global.mtime),
            is_sparse: self.is_sparse || global.is_sparse,
            sparse_path: self.sparse_path.or_else(|| global.sparse_path.clone()),
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Flaw> {
        match key {
            b"path" => self.path = text("path", value)?,
            b"linkpath" => self.target = text("linkpath", value)?,
            b"uname" => self.user_name = text("uname", value)?,
            b"gname" => self.group_name = text("gname", value)?,
            b"size" => self.len = parsed("size", value, digits::decimal)?,
            b"uid" => self.uid = parsed("uid", value, digits::decimal)?,
            b"gid" => self.gid = parsed("gid", value, digits::decimal)?,
            b"mtime" => self.mtime = parsed("mtime", value, time)?,
            b"GNU.sparse.name" => self.sparse_path = text("GNU.sparse.name", value)?,
            _ => {}
        }
        // The second is star's.
        self.is_sparse |= key.starts_with(b"GNU.sparse.") || key == b"SCHILY.realsize";
        Ok(())
    }
}

/// Takes a record off the front and gives its key and value.
fn next<'a>(records: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let blank = records.iter().position(|&byte| byte == b' ')?;
    let (length, _) = records.split_at_checked(blank)?;
    let len = usize::try_from(digits::decimal(length)?).ok()?;
    let (record, rest) = records.split_at_checked(len)?;
    let record = record.get(blank.checked_add(1)?..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    let (key, value) = record.split_at_checked(equals)?;
    *records = rest;
    let is_key = !key.is_empty() && !key.contains(&0);
    is_key.then_some((key, value.get(1..)?))
}

/// A name, which cannot hold a NUL: programs in C would cut it there, and see another one.
fn text(key: &'static str, value: &[u8]) -> Result<Said<Vec<u8>>, Flaw> {
    parsed(key, value, |value| {
        (!value.contains(&0)).then(|| value.to_vec())
    })
}

fn parsed<T>(
    key: &'static str,
    value: &[u8],
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<Said<T>, Flaw> {
    match value {
        b"" => Ok(Some(None)),
        _ => parse(value)
            .ok_or(Flaw::Value(key))
            .map(|it| Some(Some(it))),
    }
}

/// A decimal number of seconds such as `-1.5`, rounded down; digits past the ninth are dropped.
fn time(value: &[u8]) -> Option<(i64, u32)> {
    const NS_PER_S: i128 = 1_000_000_000;
    let magnitude = value.strip_prefix(b"-").unwrap_or(value);
    let mut parts = magnitude.splitn(2, |&byte| byte == b'.');
    let seconds = digits::decimal(parts.next()?)?;
    let fraction = parts.next().unwrap_or_default();
    let is_number = fraction.iter().all(u8::is_ascii_digit);
    let nine_digits = fraction.iter().chain([b'0'; 9].iter()).take(9);
    let ns = digits::decimal(&nine_digits.copied().collect::<Vec<_>>()).filter(|_| is_number)?;
    let total_ns = i128::from(seconds) * NS_PER_S + i128::from(ns);
    let total_ns = if magnitude.len() < value.len() {
        -total_ns
    } else {
        total_ns
    };
    let seconds = i64::try_from(total_ns.div_euclid(NS_PER_S)).ok()?;
    let ns = u32::try_from(total_ns.rem_euclid(NS_PER_S)).ok()?;
    Some((seconds, ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path that records give, or why they give none.
    type Path<'a> = Result<&'a [u8], Flaw>;

    /// Seconds and nanoseconds.
    type Time = Option<(i64, u32)>;

    fn read(input: &[u8]) -> Result<Records, Flaw> {
        let mut records = Records::default();
        records.read(input).map(|()| records)
    }

    #[test]
    fn forms() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Path<'_>); 21] = [
            ("none",                 b"",                            Ok(b"")),
            ("one",                  b"10 path=a\n",                 Ok(b"a")),
            ("the last counts",      b"10 path=a\n10 path=b\n",      Ok(b"b")),
            ("leading zeros",        b"0012 path=a\n",               Ok(b"a")),
            ("equals in the value",  b"12 path=a=b\n",               Ok(b"a=b")),
            ("line feed in it",      b"12 path=a\nb\n",              Ok(b"a\nb")),
            ("not UTF-8",            b"10 path=\xff\n",              Ok(b"\xff")),
            ("key with a blank",     b"12 a path=b\n",               Ok(b"")),
            ("unknown key",          b"13 LIB.x=\0\n\0\n",           Ok(b"")),
            ("length too short",     b"8 path=a\n",                  Err(Flaw::Form)),
            ("length too long",      b"11 path=a\n",                 Err(Flaw::Form)),
            ("length zero",          b"0 path=a\n",                  Err(Flaw::Form)),
            ("length of itself",     b"2 path=a\n",                  Err(Flaw::Form)),
            ("length over 2^64",     b"99999999999999999999 path=a\n", Err(Flaw::Form)),
            ("plus",                 b"+10 path=a\n",                Err(Flaw::Form)),
            ("no length",            b" path=a\n",                   Err(Flaw::Form)),
            ("no blank",             b"9path=a\n",                   Err(Flaw::Form)),
            ("no equals",            b"10 path a\n",                 Err(Flaw::Form)),
            ("no key",               b"7 =abc\n",                    Err(Flaw::Form)),
            ("NUL in the key",       b"10 pat\0=a\n",                Err(Flaw::Form)),
            ("no line feed",         b"10 path=ab",                  Err(Flaw::Form)),
        ];
        for (name, input, want) in cases {
            let path = read(input).map(|records| records.path.flatten().unwrap_or_default());
            assert_eq!(path, want.map(<[u8]>::to_vec), "{name}");
        }
    }

    #[test]
    fn values() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Result<(), Flaw>); 12] = [
            ("size",             b"10 size=1\n",                       Ok(())),
            ("largest size",     b"29 size=18446744073709551615\n",    Ok(())),
            ("size over 2^64",   b"29 size=18446744073709551616\n",    Err(Flaw::Value("size"))),
            ("negative size",    b"11 size=-1\n",                      Err(Flaw::Value("size"))),
            ("size with plus",   b"11 size=+1\n",                      Err(Flaw::Value("size"))),
            ("uid",              b"9 uid=ff\n",                        Err(Flaw::Value("uid"))),
            ("gid",              b"9 gid= 1\n",                        Err(Flaw::Value("gid"))),
            ("mtime",            b"13 mtime=now\n",                    Err(Flaw::Value("mtime"))),
            ("NUL in a path",    b"12 path=a\0b\n",                    Err(Flaw::Value("path"))),
            ("NUL in a target",  b"14 linkpath=\0\n",                  Err(Flaw::Value("linkpath"))),
            ("NUL in a user",    b"11 uname=\0\n",                     Err(Flaw::Value("uname"))),
            ("NUL in a group",   b"11 gname=\0\n",                     Err(Flaw::Value("gname"))),
        ];
        for (name, input, want) in cases {
            assert_eq!(read(input).map(|_| ()), want, "{name}");
        }
    }

    #[test]
    fn a_key_without_a_value_takes_back_what_was_said() {
        let global = read(b"10 path=a\n10 size=1\n9 uid=10\n").unwrap();
        let said = read(b"8 path=\n9 size=2\n").unwrap().or(&global);
        let found = (said.path, said.len, said.uid, said.gid);
        assert_eq!(found, (Some(None), Some(Some(2)), Some(Some(10)), None));
    }

    #[test]
    fn times() {
        let max = i64::MAX;
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &str, Time); 22] = [
            ("whole",            "1700000000",            Some((1_700_000_000, 0))),
            ("fraction",         "1.5",                   Some((1, 500_000_000))),
            ("nanosecond",       "1.000000001",           Some((1, 1))),
            ("tenth digit",      "1.0000000019",          Some((1, 1))),
            ("leading zeros",    "001.050",               Some((1, 50_000_000))),
            ("no fraction",      "1.",                    Some((1, 0))),
            ("negative",         "-1",                    Some((-1, 0))),
            ("rounded down",     "-1.25",                 Some((-2, 750_000_000))),
            ("a bit before",     "-0.5",                  Some((-1, 500_000_000))),
            ("minus zero",       "-0",                    Some((0, 0))),
            ("latest",           "9223372036854775807.999999999", Some((max, 999_999_999))),
            ("later",            "9223372036854775808",   None),
            ("earliest",         "-9223372036854775808",  Some((i64::MIN, 0))),
            ("earlier",          "-9223372036854775808.1", None),
            ("over 2^64",        "18446744073709551616",  None),
            ("no seconds",       ".5",                    None),
            ("two points",       "1.2.3",                 None),
            ("sign within",      "1.-5",                  None),
            ("two signs",        "--1",                   None),
            ("plus",             "+1",                    None),
            ("exponent",         "1e9",                   None),
            ("late letter",      "1.0000000000x",         None),
        ];
        for (name, input, want) in cases {
            assert_eq!(time(input.as_bytes()), want, "{name}");
        }
    }
}
