//! What of an archive for a sandbox goes where something is mounted, and is sent there by itself.
//!
//! An archive is read once, so that such a part waits in a file without a name: an archive as well,
//! whose paths begin at the mount point.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::container::files::entries::stopped;
use crate::container::files::meter::Meter;
use crate::container::files::pack::{Failure, failure};
use crate::error::{Error, Result};
use crate::host;
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::write::{self, Writer};

/// What of an archive goes where something is mounted.
#[derive(Default)]
pub(crate) struct Apart<'a> {
    /// The directory that the archive is for.
    dir: &'a str,
    parts: Vec<Part>,
    /// All the rest, if that waits, too, and what looks at each directory on its way.
    rest: Option<(Part, &'a mut Look<'a>)>,
}

/// What is wrong with a directory, by its path from the one that the archive is for.
pub(crate) type Look<'a> = dyn FnMut(&Path) -> Result<()> + 'a;

/// What goes to one mount point.
struct Part {
    /// Its path from the directory on that the archive is for.
    below: String,
    /// Why nothing can be sent there.
    refusal: Option<Error>,
    /// An archive of what is for it, if anything is.
    spool: Option<Writer<File>>,
    /// The same when it is complete.
    archive: Option<File>,
}

impl<'a> Apart<'a> {
    /// For a place in which nothing is mounted that matters.
    pub(crate) fn none() -> Self {
        Apart::default()
    }

    /// For a directory in the sandbox.
    pub(crate) fn new(dir: &'a str) -> Self {
        Apart {
            dir,
            ..Apart::none()
        }
    }

    /// Keeps what goes to a mount point, or refuses it for a reason.
    pub(crate) fn add(&mut self, below: &str, refusal: Option<Error>) {
        // What is mounted in another comes before that.
        let is_outer = |part: &Part| Path::new(below).starts_with(&part.below);
        let outer = self.parts.iter().position(is_outer);
        let at = outer.unwrap_or(self.parts.len());
        self.parts.insert(at, Part::new(below, refusal));
    }

    /// Keeps all the rest as well, once it has been looked at where it goes.
    pub(crate) fn keep_rest(&mut self, look: &'a mut Look<'a>) {
        self.rest = Some((Part::new("", None), look));
    }

    /// Keeps an entry if it goes to one of the mount points.
    pub(super) fn keep(
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
        let is_directory = header.kind == Kind::Directory;
        let unwritten = |error: io::Error| {
            let path = Path::new(self.dir).join(path);
            Error::io(format!("write '{}' in the sandbox", path.display()), error)
        };
        for part in &mut self.parts {
            let rest = path.strip_prefix(&part.below).ok();
            // The directory that is there needs nothing.
            let is_bare = is_directory && rest.is_some_and(|rest| rest.as_os_str().is_empty());
            if is_bare && part.refusal.is_some() {
                return Ok(true);
            }
            if let Some(error) = rest.and_then(|_| part.refusal.take()) {
                return Err(error.into());
            }
            if Path::new(&part.below).starts_with(path) && !is_directory {
                let reason = "something is mounted there, so it cannot be replaced";
                let error = io::Error::new(io::ErrorKind::ResourceBusy, reason);
                return Err(unwritten(error).into());
            }
            if target.starts_with(&part.below) != rest.is_some() {
                let reason = "it is a hard link to what is in another file system there";
                let error = io::Error::new(io::ErrorKind::CrossesDevices, reason);
                return Err(unwritten(error).into());
            }
            if let Some(rest) = rest {
                part.keep(rest, header, data, meter)?;
                return Ok(true);
            }
        }
        let Some((rest, look)) = &mut self.rest else {
            return Ok(false);
        };
        let above = path.parent().unwrap_or(path);
        look(if is_directory { path } else { above })?;
        rest.keep(path, header, data, meter)?;
        Ok(true)
    }

    /// Completes the archives.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if one cannot be written to its end.
    pub(super) fn finish(&mut self) -> Result<()> {
        let rest = self.rest.iter_mut().map(|(rest, _)| rest);
        for part in self.parts.iter_mut().chain(rest) {
            if let Some(spool) = part.spool.take() {
                let finished = spool.finish().map_err(io::Error::other);
                let rewound = finished.and_then(|mut file| file.rewind().map(|()| file));
                part.archive = Some(rewound.map_err(unkept)?);
            }
        }
        Ok(())
    }

    /// The archives, each with where it goes: first the rest.
    pub(crate) fn into_archives(self) -> impl Iterator<Item = (String, File)> {
        let rest = self.rest.into_iter().map(|(rest, _)| rest);
        let parts = rest.chain(self.parts);
        parts.filter_map(|part| Some((part.below, part.archive?)))
    }
}

impl Part {
    fn new(below: &str, refusal: Option<Error>) -> Self {
        Part {
            below: below.to_owned(),
            refusal,
            spool: None,
            archive: None,
        }
    }

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
pub(super) fn plain(path: &[u8]) -> &Path {
    let path = Path::new(OsStr::from_bytes(path));
    path.strip_prefix(".").unwrap_or(path)
}

/// The other way round.
fn dotted(path: &Path) -> Vec<u8> {
    [b"./", path.as_os_str().as_bytes()].concat()
}

/// The error for a part that cannot wait.
fn unkept(error: io::Error) -> Error {
    let dir = env::temp_dir();
    let doing = format!(
        "keep a part of the archive in '{}' (TMPDIR chooses another directory)",
        dir.display()
    );
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
