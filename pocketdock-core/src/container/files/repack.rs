//! An archive that somebody has made as one for a sandbox: everything in it is its user's, and
//! nothing in it leads out of the directory it is for.
//!
//! What of it goes where something else is mounted can be kept apart ([`Apart`]) and be sent there
//! behind the rest. An archive is read once, so that this waits in a file without a name.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::container::files::entries::{dropped, is_copied, stopped};
use crate::container::files::meter::Meter;
use crate::container::files::pack::{Closed, Failure, Owner, Packer, failure};
use crate::container::files::report::CopyReport;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::read::{self, Reader};
use crate::wire::tar::write::{self, Writer};

/// How many directories of an archive are given their own modes and times in the end.
const DIRECTORIES_MAX: usize = 100_000;

/// How much of an archive is read at a time.
const BUFFER_LEN: usize = 64 * 1024;

/// How many bytes tell what an archive is compressed with.
const MAGIC_LEN_MAX: u64 = 10;

/// Writes an archive anew, everything in it the owner's and without what is kept apart, and tells
/// which directories are closed, from the bottom up. What leads out of it is refused.
pub(crate) fn repack(
    archive: &mut dyn Read,
    apart: &mut Apart,
    owner: Owner,
    out: &mut dyn Write,
    meter: &mut Meter<'_>,
) -> std::result::Result<(CopyReport, Vec<Closed>), Failure> {
    let mut begin = Vec::new();
    let looked = archive.take(MAGIC_LEN_MAX).read_to_end(&mut begin);
    if let Some(error) = looked.err().or_else(|| compressed(&begin)) {
        return Err(unreadable_archive(read::Error::Read(error)));
    }
    let mut archive = io::BufReader::with_capacity(BUFFER_LEN, begin.chain(archive));
    let mut reader = Reader::new(&mut archive as &mut dyn Read);
    let mut packer = Packer::new(owner, out, meter);
    let mut directories = Vec::new();
    while let Some(mut entry) = reader.next_entry().map_err(unreadable_archive)? {
        let mut header = entry.header().clone();
        header.path = inside(&header.path)?;
        if let Kind::HardLink(target) = &mut header.kind {
            *target = inside(target)?;
        }
        if is_copied(dropped(&header)) && apart.keep(&header, &mut entry, packer.meter())? {
            continue;
        }
        if header.kind == Kind::Directory && directories.len() < DIRECTORIES_MAX {
            directories.push(header.clone());
            header.mode |= 0o700;
        }
        packer.add_entry(header, &mut entry)?;
    }
    // From the bottom up, as with a directory of the host.
    for header in directories.into_iter().rev() {
        packer.add_again(header)?;
    }
    packer.finish()
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

/// What of an archive goes where something is mounted.
#[derive(Default)]
pub(crate) struct Apart {
    parts: Vec<Part>,
}

/// What goes to one mount point.
struct Part {
    /// Its path from the directory on that the archive is for.
    below: String,
    /// Why nothing can be sent there.
    refusal: Option<Error>,
    /// An archive of what is for it, if anything is.
    spool: Option<Writer<File>>,
}

impl Apart {
    /// For a place in which nothing is mounted that matters.
    pub(crate) fn none() -> Self {
        Apart::default()
    }

    /// Keeps what goes to a mount point, or refuses it for a reason.
    pub(crate) fn add(&mut self, below: &str, refusal: Option<Error>) {
        self.parts.push(Part {
            below: below.to_owned(),
            refusal,
            spool: None,
        });
    }

    /// Keeps an entry if it goes to one of the mount points.
    fn keep(
        &mut self,
        header: &Header,
        data: &mut dyn Read,
        meter: &mut Meter<'_>,
    ) -> std::result::Result<bool, Failure> {
        let path = plain(&header.path);
        let target = match &header.kind {
            Kind::HardLink(target) => plain(target),
            _ => path,
        };
        for part in &mut self.parts {
            let rest = path.strip_prefix(&part.below).ok();
            if let Some(error) = rest.and_then(|_| part.refusal.take()) {
                return Err(error.into());
            }
            if Path::new(&part.below).starts_with(path) && header.kind != Kind::Directory {
                let reason = "something is mounted there, so it cannot be replaced";
                let error = io::Error::new(io::ErrorKind::ResourceBusy, reason);
                return Err(unwritten(path, error));
            }
            if target.starts_with(&part.below) != rest.is_some() {
                let reason = "it is a hard link to what is in another file system there";
                let error = io::Error::new(io::ErrorKind::CrossesDevices, reason);
                return Err(unwritten(path, error));
            }
            if let Some(rest) = rest {
                part.keep(rest, header, data, meter)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The archives, each with where it goes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if one cannot be written to its end, or read again.
    pub(crate) fn into_archives(self) -> Result<Vec<(String, File)>> {
        let mut archives = Vec::new();
        for part in self.parts {
            if let Some(spool) = part.spool {
                let finished = spool.finish().map_err(io::Error::other);
                let rewound = finished.and_then(|mut file| file.rewind().map(|()| file));
                archives.push((part.below, rewound.map_err(unkept)?));
            }
        }
        Ok(archives)
    }
}

impl Part {
    fn keep(
        &mut self,
        rest: &Path,
        header: &Header,
        data: &mut dyn Read,
        meter: &mut Meter<'_>,
    ) -> std::result::Result<(), Failure> {
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(Writer::new(unnamed_file().map_err(unkept)?)),
        };
        let mut kept = Header {
            path: dotted(rest),
            ..header.clone()
        };
        if let Kind::HardLink(target) = &mut kept.kind {
            let rest = plain(target).strip_prefix(&self.below);
            *target = dotted(rest.unwrap_or(Path::new("")));
        }
        meter.add_entry().map_err(stopped)?;
        let mut data = PutBy {
            source: data,
            meter,
        };
        match spool.append(&kept, &mut data) {
            Err(write::Error::Write(error)) => Err(unkept(error).into()),
            written => written.map_err(|error| failure(error, plain(&header.path))),
        }
    }
}

/// A source whose bytes are put by for later.
struct PutBy<'m, 'a, R> {
    source: R,
    meter: &'m mut Meter<'a>,
}

impl<R: Read> Read for PutBy<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.meter.put_by(n)?;
        Ok(n)
    }
}

/// A path that begins in the directory the archive is for, without the dot for that.
fn plain(path: &[u8]) -> &Path {
    let path = Path::new(OsStr::from_bytes(path));
    path.strip_prefix(".").unwrap_or(path)
}

/// The other way round.
fn dotted(path: &Path) -> Vec<u8> {
    [b"./", path.as_os_str().as_bytes()].concat()
}

fn unwritten(path: &Path, error: io::Error) -> Failure {
    Error::io(format!("write '{}' in the sandbox", path.display()), error).into()
}

/// The error for a part that cannot wait.
fn unkept(error: io::Error) -> Error {
    let dir = env::temp_dir();
    let doing = format!("keep a part of the archive in '{}'", dir.display());
    Error::io(doing, error)
}

/// A file for what may be large, gone when it is closed.
fn unnamed_file() -> io::Result<File> {
    let name = host::random_hex::<8>().map_err(io::Error::other)?;
    let path = env::temp_dir().join(format!("pocketdock-{name}"));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::files::pack::pack_bytes;
    use crate::container::progress::Progress;
    use std::ops::ControlFlow;

    const OWNER: Owner = Owner {
        uid: 0,
        gid: 0,
        keeps_rights: false,
    };

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
        pack_bytes(b"f", b"content", (0, 0), OWNER, &mut archive).unwrap();
        let repacked = repacked(&archive, &mut Apart::none());
        assert_eq!(repacked.unwrap(), ["./f 7"]);
    }

    /// The entries of an archive once it is repacked, or what is wrong with it.
    fn repacked(archive: &[u8], apart: &mut Apart) -> std::result::Result<Vec<String>, String> {
        let mut nobody = |_: &Progress| ControlFlow::Continue(());
        let mut meter = Meter::new(None, &mut nobody);
        let mut out = Vec::new();
        match repack(&mut Trickle(archive), apart, OWNER, &mut out, &mut meter) {
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

    fn apart() -> Apart {
        let mut apart = Apart::none();
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
            file("./srv/data/f", 100_000),
            link("srv/data/g", "srv/./data/f"),
            file(".hidden", 1),
        ]);
        let mut apart = apart();
        let rest = repacked(&all, &mut apart).unwrap();
        let want = ["./", "./srv/", "./srv/data2 5", ".hidden 1", "./srv/", "./"];
        assert_eq!(rest, want);
        let mut parts = apart.into_archives().unwrap().into_iter();
        let (below, mut part) = parts.next().unwrap();
        assert_eq!(below, "srv/data");
        assert_eq!(entries(&mut part), ["./", "./f 100000", "./g = ./f"]);
        assert!(parts.next().is_none(), "nothing was for the other");
    }

    #[test]
    fn what_cannot_go_there_is_refused_by_its_name() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (file("srv/data", 1),              "cannot write 'srv/data' in the sandbox: something is mounted"),
            (file("srv", 1),                   "cannot write 'srv' in the sandbox: something is mounted"),
            (link("srv/data/f", "top"),        "cannot write 'srv/data/f' in the sandbox: it is a hard link"),
            (link("f", "srv/data/f"),          "cannot write 'f' in the sandbox: it is a hard link"),
            (link("srv/other/f", "srv/data/f"), "cannot write 'srv/other/f' in the sandbox: it is a hard link"),
            (file("etc/hosts", 1),             "invalid path '/etc/hosts': resume it first"),
        ];
        for (header, want) in cases {
            let said = repacked(&archive(&[file("srv2", 1), header]), &mut apart()).unwrap_err();
            assert!(said.starts_with(want), "{said}");
        }
    }
}
