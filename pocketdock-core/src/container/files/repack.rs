//! An archive that somebody has made as one for a sandbox: everything in it is its user's, and
//! nothing in it leads out of the directory it is for. What is to be sent by itself is kept apart.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::container::files::apart::{Apart, plain};
use crate::container::files::entries::{dropped, is_copied};
use crate::container::files::meter::Meter;
use crate::container::files::pack::{Closed, Failure, Owner, Packer};
use crate::container::files::report::CopyReport;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::read::{self, Reader};

/// What is remembered of directories that come again, in bytes; any others have their own modes and
/// times at once, which are lost where a tar changes them as it puts something in.
const DIRECTORIES_LEN_MAX: usize = 32 * 1024 * 1024;

/// How much of an archive is read at a time.
const BUFFER_LEN: usize = 64 * 1024;

/// How many bytes tell what an archive is compressed with.
const MAGIC_LEN_MAX: u64 = 10;

/// Writes an archive anew, everything in it the owner's and without what is kept apart, and tells
/// which directories are closed, from the bottom up. What leads out of it is refused.
pub(crate) fn repack(
    archive: &mut dyn Read,
    apart: &mut Apart<'_>,
    owner: Owner,
    out: &mut dyn Write,
    meter: &mut Meter<'_>,
) -> std::result::Result<(CopyReport, Vec<Closed>), Failure> {
    let unread = |error| unreadable_archive(read::Error::Read(error));
    let begin = host::read_at_most(archive, MAGIC_LEN_MAX).map_err(unread)?;
    if let Some(error) = compressed(&begin) {
        return Err(unread(error));
    }
    let mut archive = io::BufReader::with_capacity(BUFFER_LEN, begin.chain(archive));
    let mut reader = Reader::new(&mut archive as &mut dyn Read);
    let mut packer = Packer::new(owner, out, meter);
    let mut directories = Directories::default();
    while let Some(mut entry) = reader.next_entry().map_err(unreadable_archive)? {
        let mut header = entry.header().clone();
        header.path = inside(&header.path)?;
        if let Kind::HardLink(target) = &mut header.kind {
            *target = inside(target)?;
        }
        if is_copied(dropped(&header)) && apart.keep(&header, &mut entry, packer.meter())? {
            continue;
        }
        if directories.note(&header) {
            header.mode |= 0o700;
        }
        packer.add_entry(header, &mut entry)?;
    }
    for header in directories.into_headers() {
        packer.add_again(header)?;
    }
    apart.finish()?;
    packer.finish()
}

/// The directories of an archive, which get their own modes and times when all is in them.
#[derive(Default)]
struct Directories {
    /// As they came; a path that is a directory no more has none.
    headers: Vec<Option<Header>>,
    /// Which of them has a path.
    places: HashMap<PathBuf, usize>,
    /// About how many bytes they take up.
    len: usize,
}

impl Directories {
    /// Notes an entry; whether it is a directory that comes again. Of several with one path, the
    /// last is what stays.
    fn note(&mut self, header: &Header) -> bool {
        let is_directory = header.kind == Kind::Directory;
        let path = plain(&header.path);
        if let Some(known) = self.places.get(path) {
            if let Some(known) = self.headers.get_mut(*known) {
                *known = is_directory.then(|| header.clone());
            }
            return is_directory;
        }
        if !is_directory || DIRECTORIES_LEN_MAX < self.len {
            return false;
        }
        self.len += size_of::<Header>() + 2 * header.path.len();
        self.places.insert(path.to_owned(), self.headers.len());
        self.headers.push(Some(header.clone()));
        true
    }

    /// From the bottom up, as with a directory of the host.
    fn into_headers(self) -> impl Iterator<Item = Header> {
        self.headers.into_iter().rev().flatten()
    }
}

/// Why what begins so is no archive yet.
fn compressed(begin: &[u8]) -> Option<io::Error> {
    let program = match begin {
        [0x1f, 0x8b, 8, ..] => "gzip",
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [b'B', b'Z', b'h', _, b'1', b'A', b'Y', b'&', b'S', b'Y', ..] => "bzip2",
        _ => return None,
    };
    let reason = format!("it is compressed; '{program} -dc' gives the archive in it");
    Some(io::Error::other(reason))
}

fn unreadable_archive(error: read::Error) -> Failure {
    Failure::Source(Error::io("read the archive", error.into()))
}

/// A path of an archive as one that begins in the directory it is unpacked in.
fn inside(path: &[u8]) -> Result<Vec<u8>> {
    let mut parts = path.split(|&byte| byte == b'/');
    if path.starts_with(b"/") || parts.any(|part| part == b"..") {
        return Err(Error::UnsafePath {
            path: OsStr::from_bytes(path).into(),
            reason: "it leads out of the archive's directory",
        });
    }
    match path.starts_with(b".") {
        true => Ok(path.to_vec()),
        false => Ok([b"./", path].concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::files::pack::pack_bytes;
    use crate::container::progress::Progress;
    use crate::wire::tar::write::Writer;
    use std::ops::ControlFlow;

    /// Gives out a byte at a time, as a slow pipe does.
    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(1);
            self.0.read(buffer.get_mut(..len).unwrap_or_default())
        }
    }

    #[test]
    fn an_archive_may_come_in_any_pieces() {
        let said = repacked(b"BZh91AY&SY and more", &mut Apart::none()).unwrap_err();
        assert!(said.contains("'bzip2 -dc' gives"), "{said}");
        let mut archive = Vec::new();
        pack_bytes(b"f", b"content", (0, 0), Owner::ROOT, &mut archive).unwrap();
        let repacked = repacked(&archive, &mut Apart::none());
        assert_eq!(repacked.unwrap(), ["./f 7"]);
    }

    /// The entries of an archive once it is repacked, or what is wrong with it.
    fn repacked(archive: &[u8], apart: &mut Apart<'_>) -> std::result::Result<Vec<String>, String> {
        let mut nobody = |_: &Progress| ControlFlow::Continue(());
        let mut meter = Meter::new(None, &mut nobody);
        let mut out = Vec::new();
        match repack(
            &mut Trickle(archive),
            apart,
            Owner::ROOT,
            &mut out,
            &mut meter,
        ) {
            Ok(_) => Ok(entries(&mut out.as_slice())),
            Err(Failure::Source(error)) => Err(error.to_string()),
            Err(Failure::Sink(error)) => panic!("{error}"),
        }
    }

    fn entries(archive: &mut dyn Read) -> Vec<String> {
        let (mut reader, mut entries) = (Reader::new(archive), Vec::new());
        while let Some(entry) = reader.next_entry().unwrap() {
            let header = entry.header();
            let path = String::from_utf8_lossy(&header.path);
            entries.push(match &header.kind {
                Kind::HardLink(target) => format!("{path} = {}", String::from_utf8_lossy(target)),
                Kind::Directory => path.into_owned(),
                _ => format!("{path} {}", header.len),
            });
        }
        entries
    }

    fn archive(headers: &[Header]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for header in headers {
            writer.append(header, &mut io::repeat(b'x')).unwrap();
        }
        writer.finish().unwrap()
    }

    fn file(path: &str, len: u64) -> Header {
        Header::file(path.as_bytes(), len)
    }

    fn link(path: &str, target: &str) -> Header {
        Header {
            kind: Kind::HardLink(target.into()),
            ..file(path, 0)
        }
    }

    fn apart() -> Apart<'static> {
        let mut apart = Apart::new("/x");
        apart.add(
            "srv/data/in",
            Some(Error::invalid("path", "/x/srv/data/in", "no")),
        );
        apart.add("srv/data", None);
        apart.add("srv/other", None);
        apart.add(
            "etc/hosts",
            Some(Error::invalid("path", "/etc/hosts", "resume it first")),
        );
        apart
    }

    #[test]
    fn what_goes_where_something_is_mounted_waits_in_an_archive_of_its_own() {
        let all = archive(&[
            Header::directory(b"./"),
            Header::directory(b"./srv/"),
            file("srv/data2", 5),
            Header::directory(b"srv//data/"),
            Header::directory(b"srv/data/in"), // where nothing can go, but nothing has to
            file("./srv/data/f", 100_000),
            link("srv/data/g", "srv/./data/f"),
            file(".hidden", 1),
        ]);
        let mut apart = apart();
        let rest = repacked(&all, &mut apart).unwrap();
        let want = ["./", "./srv/", "./srv/data2 5", ".hidden 1", "./srv/", "./"];
        assert_eq!(rest, want);
        let mut parts = apart.into_archives();
        let (below, mut part) = parts.next().unwrap();
        assert_eq!(below, "srv/data");
        assert_eq!(entries(&mut part), ["./", "./f 100000", "./g = ./f"]);
        assert!(parts.next().is_none(), "nothing was for the other");
    }

    #[test]
    fn what_cannot_go_there_is_refused_by_its_name() {
        let write =
            |path: &str, reason: &str| format!("cannot write '/x/{path}' in the sandbox: {reason}");
        let mounted = "something is mounted there, so it cannot be replaced";
        let linked = "it is a hard link to what is in another file system there";
        let cases = [
            (file("srv/data", 1), write("srv/data", mounted)),
            (file("srv", 1), write("srv", mounted)),
            (link("srv/data/f", "top"), write("srv/data/f", linked)),
            (link("f", "srv/data/f"), write("f", linked)),
            (
                link("srv/other/f", "srv/data/f"),
                write("srv/other/f", linked),
            ),
            (
                file("etc/hosts", 1),
                "invalid path '/etc/hosts': resume it first".to_owned(),
            ),
            (
                file("srv/data/in/f", 1),
                "invalid path '/x/srv/data/in': no".to_owned(),
            ),
        ];
        for (header, want) in cases {
            let said = repacked(&archive(&[file("srv2", 1), header]), &mut apart()).unwrap_err();
            assert_eq!(said, want);
        }
    }

    #[test]
    fn of_what_stands_twice_in_an_archive_the_last_stays() {
        let closed = Header {
            mode: 0o500,
            ..Header::directory(b"d")
        };
        let all = archive(&[
            Header::directory(b"d/"),
            file("d/f", 1),
            closed,
            Header::directory(b"e"),
            file("e", 2),
        ]);
        let mut nobody = |_: &Progress| ControlFlow::Continue(());
        let mut meter = Meter::new(None, &mut nobody);
        let mut out = Vec::new();
        let (report, closed) = repack(
            &mut all.as_slice(),
            &mut Apart::none(),
            Owner::ROOT,
            &mut out,
            &mut meter,
        )
        .unwrap();
        assert_eq!(report.entries, 5);
        let want = ["./d/", "./d/f 1", "./d/", "./e/", "./e 2", "./d/"];
        assert_eq!(entries(&mut out.as_slice()), want);
        assert_eq!(closed.len(), 1);
        assert_eq!(
            (closed[0].path.as_slice(), closed[0].mode),
            (&b"./d/"[..], 0o500)
        );
    }

    #[test]
    fn a_length_beyond_all_bounds_is_an_archive_that_ends_too_early() {
        let mut huge = archive(&[file("f", 1)]);
        huge.truncate(1024);
        let mut header = Header::file(b"g", u64::MAX).encode().unwrap();
        huge.append(&mut header);
        let said = repacked(&huge, &mut Apart::none()).unwrap_err();
        assert!(said.contains("g"), "{said}");
    }
}
