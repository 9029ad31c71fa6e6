//! Files of the host as an archive for a sandbox.
//!
//! Everything in it belongs to one user, the sandbox's. Modes and times are the files' own, but
//! setuid and setgid bits are left out, which would be another user's rights. Files with several
//! names become hard links. A directory stands in the archive twice, before its content so that
//! this can be put into it, and behind with its own mode and time, which what is put into it
//! changes: not every tar keeps that in mind (busybox does not).

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, FileType, Metadata};
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::container::files::entries::{dropped, is_copied, stopped};
use crate::container::files::meter::{Meter, Metered};
use crate::container::files::path::Ending;
use crate::container::files::report::{CopyReport, DroppedKind};
use crate::container::files::walk::{Found, Walk, unreadable};
use crate::container::host_dir::HostDir;
use crate::container::progress::Progress;
use crate::error::{Error, Result};
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::write::{self, Writer};

/// Who everything in an archive belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// Whether it keeps all rights to its directories, which are closed when all is in them:
    /// busybox makes hard links after everything else, for which its root may lack capabilities.
    pub(crate) keeps_rights: bool,
}

#[cfg(test)]
impl Owner {
    pub(super) const ROOT: Owner = Owner {
        uid: 0,
        gid: 0,
        keeps_rights: false,
    };
}

/// A directory that its owner has not all rights to, which not every tar can leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u32,
}

/// Why an archive could not be written.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was to be packed cannot be.
    Source(Error),
    /// The archive's reader does not take it.
    Sink(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Source(error)
    }
}

/// What the paths of closed directories may take up, in bytes.
const CLOSED_LEN_MAX: usize = 16 * 1024 * 1024;

/// From how many bytes on, and how many to an entry, it matters by which way they go.
const MUCH: u64 = 4 * 1024 * 1024;
const LARGE_FILE: u64 = 256 * 1024;

/// What is to be copied into a sandbox.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    pub(crate) ending: Ending,
    /// If it is a directory, that one, whatever its path leads to by now.
    dir: Option<HostDir>,
    /// What of it goes by itself: directories by their paths from there.
    apart: Vec<PathBuf>,
    total_bytes: u64,
    entries: u64,
    /// Whether it could not be packed.
    has_failed: Cell<bool>,
}

impl Source {
    /// Looks at all that is to be copied: whether it can be read, and how much it is.
    ///
    /// # Errors
    ///
    /// [`Error::PathNotFound`], [`Error::NotADirectory`], [`Error::InvalidArgument`] for what is
    /// neither file, directory nor link, and [`Error::Io`] for what cannot be read.
    pub(crate) fn survey(path: &Path) -> Result<Self> {
        let ending = Ending::of(path.as_os_str().as_bytes());
        let mut source = Source {
            path: path.to_owned(),
            ending,
            dir: None,
            apart: Vec::new(),
            total_bytes: 0,
            entries: 0,
            has_failed: Cell::new(false),
        };
        let opened = match ending {
            _ if path.as_os_str().is_empty() => Err(io::ErrorKind::NotFound.into()),
            Ending::Name => HostDir::open_no_link(path),
            // The system follows a link with a slash behind it.
            Ending::Slash | Ending::Nameless => HostDir::open(path),
        };
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                source.add_alone()?;
            }
            opened => {
                let dir = opened.map_err(|error| unreadable(path, error))?;
                for found in Walk::new(&dir) {
                    source.count(&found?)?;
                }
                source.dir = Some(dir);
            }
        }
        Ok(source)
    }

    /// Counts what is no directory.
    fn add_alone(&mut self) -> Result<()> {
        let found = Found::alone(&self.path)?;
        if let Some(kind) = special(found.metadata.file_type()) {
            let what = format!(
                "expected a file, a directory or a link, this is a {}",
                kind.as_str()
            );
            return Err(Error::invalid("source", self.path.to_string_lossy(), what));
        }
        self.count(&found)
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.dir.is_some()
    }

    fn count(&mut self, found: &Found) -> Result<()> {
        self.entries += 1;
        if found.metadata.is_file() {
            found.open()?;
            self.total_bytes += found.metadata.len();
        }
        Ok(())
    }

    /// Whether it is a directory with something at a path in it.
    pub(crate) fn has(&self, relative: &str) -> bool {
        let dir = self.dir.as_ref();
        dir.is_some_and(|dir| fs::symlink_metadata(dir.at(OsStr::new(relative))).is_ok())
    }

    /// Whether that is a directory with nothing in it.
    pub(crate) fn is_bare(&self, relative: &str) -> bool {
        let dir = self.dir.as_ref().map(|dir| dir.at(OsStr::new(relative)));
        let listed = dir.and_then(|dir| fs::read_dir(dir).ok());
        listed.is_some_and(|mut names| names.next().is_none())
    }

    /// Goes through the directories in it, from top to bottom, by their paths from there.
    pub(crate) fn for_each_directory(
        &self,
        visit: &mut dyn FnMut(&Path) -> Result<()>,
    ) -> Result<()> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        for found in Walk::new(dir) {
            let found = found?;
            if found.metadata.is_dir() && !found.is_left && !self.is_apart(&found) {
                visit(&found.relative)?;
            }
        }
        Ok(())
    }

    fn is_apart(&self, found: &Found) -> bool {
        self.apart.iter().any(|dir| found.relative.starts_with(dir))
    }

    /// What is in a directory of it, as a source of its own.
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`] for anything else, and [`Error::Io`].
    pub(crate) fn part(&self, relative: &Path) -> Result<Source> {
        let path = self.path.join(relative);
        let failed = |error| unreadable(&path, error);
        let mut part = self.without(Vec::new())?;
        for name in relative {
            let child = part.dir.as_ref().map(|dir| dir.child(name));
            part.dir = child.transpose().map_err(failed)?;
        }
        Ok(Source { path, ..part })
    }

    /// What is in it, except for some directories, as a source of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be opened again.
    pub(crate) fn without(&self, apart: Vec<PathBuf>) -> Result<Source> {
        let dir = self.dir.as_ref().map(HostDir::again).transpose();
        Ok(Source {
            path: self.path.clone(),
            ending: Ending::Nameless,
            dir: dir.map_err(|error| unreadable(&self.path, error))?,
            apart,
            has_failed: Cell::new(false),
            ..*self
        })
    }

    /// Its own name; empty for a directory without one.
    pub(crate) fn name(&self) -> &[u8] {
        match self.ending {
            Ending::Nameless => b"",
            Ending::Name | Ending::Slash => self.path.file_name().unwrap_or_default().as_bytes(),
        }
    }

    /// Whether it could not be packed, so that there is no use in trying another way.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.get()
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Whether its bytes count for more than its entries.
    pub(crate) fn has_large_files(&self) -> bool {
        MUCH <= self.total_bytes && LARGE_FILE * self.entries <= self.total_bytes
    }

    /// Writes it as an archive, itself under `name` and what is in it below. Without `with_top`,
    /// a directory itself is left out.
    pub(crate) fn pack(
        &self,
        name: &[u8],
        with_top: bool,
        owner: Owner,
        out: &mut dyn Write,
        meter: &mut Meter<'_>,
    ) -> std::result::Result<CopyReport, Failure> {
        let mut packer = Packer::new(owner, out, meter);
        self.add_to(&mut packer, name, with_top, false)?;
        packer.finish().map(|(report, _)| report)
    }

    /// Adds all of it, or the directories alone once all in them has been added.
    fn add_to(
        &self,
        packer: &mut Packer<'_, '_, '_>,
        name: &[u8],
        with_top: bool,
        is_again: bool,
    ) -> std::result::Result<(), Failure> {
        let mut add = |found: Found| {
            let is_top = found.relative.as_os_str().is_empty();
            let is_sent = (with_top || !is_top) && (found.is_left || !is_again);
            match is_sent && !self.is_apart(&found) {
                true => packer.add(&below(name, &found.relative), &found),
                false => Ok(()),
            }
        };
        let added = match &self.dir {
            Some(dir) => Walk::new(dir).try_for_each(|found| add(found?)),
            None => Found::alone(&self.path)
                .map_err(Failure::Source)
                .and_then(add),
        };
        if matches!(added, Err(Failure::Source(_))) {
            self.has_failed.set(true);
        }
        added
    }

    /// Writes the directories alone, which gives those that are there their modes and times, and
    /// tells which of them are closed, from the bottom up.
    pub(crate) fn pack_directories(
        &self,
        with_top: bool,
        owner: Owner,
        out: &mut dyn Write,
    ) -> std::result::Result<Vec<Closed>, Failure> {
        let mut nobody = |_: &Progress| ControlFlow::Continue(());
        let mut meter = Meter::new(None, &mut nobody);
        let mut packer = Packer::new(owner, out, &mut meter);
        self.add_to(&mut packer, b".", with_top, true)?;
        packer.finish().map(|(_, closed)| closed)
    }
}

/// Writes bytes as an archive of one file with mode 0644, changed at `mtime`.
pub(crate) fn pack_bytes(
    name: &[u8],
    content: &[u8],
    (mtime_s, mtime_ns): (i64, u32),
    owner: Owner,
    out: &mut dyn Write,
) -> std::result::Result<(), Failure> {
    let header = Header {
        uid: owner.uid,
        gid: owner.gid,
        mtime_s,
        mtime_ns,
        ..Header::file(name, content.len() as u64)
    };
    let mut writer = Writer::new(out);
    writer
        .append(&header, &mut &content[..])
        .and_then(|()| writer.finish())
        .map(drop)
        .map_err(|error| failure(error, Path::new(OsStr::from_bytes(name))))
}

/// `name` and what is below it.
fn below(name: &[u8], relative: &Path) -> Vec<u8> {
    let relative = relative.as_os_str().as_bytes();
    match relative.is_empty() {
        true => name.to_vec(),
        false => [name, b"/", relative].concat(),
    }
}

/// What an archive is not for; `None` for files, directories and links.
fn special(kind: FileType) -> Option<DroppedKind> {
    match kind {
        _ if kind.is_file() || kind.is_dir() || kind.is_symlink() => None,
        _ if kind.is_fifo() => Some(DroppedKind::Fifo),
        _ if kind.is_socket() => Some(DroppedKind::Socket),
        _ if kind.is_char_device() || kind.is_block_device() => Some(DroppedKind::Device),
        _ => Some(DroppedKind::Other),
    }
}

/// Writes entries that all belong to one user.
pub(super) struct Packer<'m, 'a, 'w> {
    writer: Writer<&'w mut dyn Write>,
    owner: Owner,
    meter: &'m mut Meter<'a>,
    /// The first name of each file that has several.
    names: HashMap<(u64, u64), Vec<u8>>,
    /// The closed directories, and how long their paths are together.
    closed: Vec<Closed>,
    closed_len: usize,
    report: CopyReport,
}

impl<'m, 'a, 'w> Packer<'m, 'a, 'w> {
    pub(super) fn new(owner: Owner, out: &'w mut dyn Write, meter: &'m mut Meter<'a>) -> Self {
        Packer {
            writer: Writer::new(out),
            owner,
            meter,
            names: HashMap::new(),
            closed: Vec::new(),
            closed_len: 0,
            report: CopyReport::default(),
        }
    }

    fn add(&mut self, name: &[u8], found: &Found) -> std::result::Result<(), Failure> {
        let metadata = &found.metadata;
        let kind = metadata.file_type();
        if let Some(kind) = special(kind) {
            self.report.drop_entry(found.shown(), kind);
            return Ok(());
        }
        let mut header = self.header(name, metadata);
        if kind.is_symlink() {
            let target = fs::read_link(&found.at).map_err(|e| unreadable(&found.path, e))?;
            header.kind = Kind::Symlink(target.as_os_str().as_bytes().to_vec());
            return self.append(&header, &mut io::empty(), &found.path);
        }
        if kind.is_dir() {
            header.kind = Kind::Directory;
            header.mode = metadata.mode() & 0o1777;
            if !found.is_left {
                header.mode |= 0o700;
                self.report.entries += 1;
            }
            return self.put(&header, &mut io::empty(), &found.path);
        }
        if metadata.mode() & 0o6000 != 0 {
            self.report.drop_entry(found.shown(), DroppedKind::SetId);
        }
        if 1 < metadata.nlink() {
            let inode = (metadata.dev(), metadata.ino());
            if let Some(first) = self.names.get(&inode) {
                header.kind = Kind::HardLink(first.clone());
                return self.append(&header, &mut io::empty(), &found.path);
            }
            self.names.insert(inode, name.to_vec());
        }
        self.add_file(header, found)
    }

    fn add_file(&mut self, mut header: Header, found: &Found) -> std::result::Result<(), Failure> {
        let path = &found.path;
        let mut file = found.open()?;
        // Its length now, which is how much of it will be read.
        let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
        header.len = metadata.len();
        self.append(&header, &mut file, path)
    }

    fn header(&self, name: &[u8], metadata: &Metadata) -> Header {
        Header {
            mode: metadata.mode() & 0o777,
            uid: self.owner.uid,
            gid: self.owner.gid,
            mtime_s: metadata.mtime(),
            mtime_ns: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
            ..Header::file(name, 0)
        }
    }

    pub(super) fn meter(&mut self) -> &mut Meter<'a> {
        self.meter
    }

    /// Adds an entry of another archive.
    pub(super) fn add_entry(
        &mut self,
        mut header: Header,
        data: &mut dyn Read,
    ) -> std::result::Result<(), Failure> {
        let path = PathBuf::from(OsStr::from_bytes(&header.path));
        let dropped = dropped(&header);
        if let Some(kind) = dropped {
            self.report.drop_entry(path.clone(), kind);
        }
        if !is_copied(dropped) {
            return Ok(());
        }
        header.mode &= 0o1777;
        (header.uid, header.gid) = (self.owner.uid, self.owner.gid);
        self.append(&header, data, &path)
    }

    /// Adds a directory that has been added, for its mode and time now that all is in it.
    pub(super) fn add_again(&mut self, header: Header) -> std::result::Result<(), Failure> {
        self.add_entry(header, &mut io::empty())?;
        self.report.entries -= 1;
        Ok(())
    }

    fn append(
        &mut self,
        header: &Header,
        data: &mut dyn Read,
        path: &Path,
    ) -> std::result::Result<(), Failure> {
        self.report.count(header.len);
        let counted = self.meter.add_entry();
        counted.map_err(stopped)?;
        self.put(header, data, path)
    }

    fn put(
        &mut self,
        header: &Header,
        data: &mut dyn Read,
        path: &Path,
    ) -> std::result::Result<(), Failure> {
        let mut data = Metered {
            source: data,
            meter: self.meter,
        };
        let mut opened = None;
        if header.kind == Kind::Directory && header.mode & 0o700 != 0o700 {
            self.closed_len += header.path.len();
            if CLOSED_LEN_MAX < self.closed_len {
                let error = io::Error::other("too many directories in it are closed");
                return Err(Error::io(format!("pack '{}'", path.display()), error).into());
            }
            self.closed.push(Closed {
                path: header.path.clone(),
                mode: header.mode,
            });
            opened = self.owner.keeps_rights.then(|| header.clone());
        }
        if let Some(header) = &mut opened {
            header.mode |= 0o700;
        }
        let written = self
            .writer
            .append(opened.as_ref().unwrap_or(header), &mut data);
        written.map_err(|error| failure(error, path))
    }

    pub(super) fn finish(self) -> std::result::Result<(CopyReport, Vec<Closed>), Failure> {
        self.meter.finish();
        let finished = self.writer.finish();
        finished.map_err(|error| failure(error, Path::new("")))?;
        Ok((self.report, self.closed))
    }
}

pub(super) fn failure(error: write::Error, path: &Path) -> Failure {
    match error {
        write::Error::Write(error) => Failure::Sink(error),
        write::Error::Read(error) => Failure::Source(unreadable(path, error)),
        write::Error::ShortSource { .. } => {
            let doing = format!("read '{}'", path.display());
            let error = io::Error::other("it became shorter while it was read");
            Failure::Source(Error::io(doing, error))
        }
        error @ (write::Error::Header(_) | write::Error::Broken) => Failure::Source(Error::io(
            format!("pack '{}'", path.display()),
            io::Error::other(error.to_string()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    /// A directory `dir` with files in it, and a secret beside it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let top = std::env::temp_dir().join(format!("pd-pack-{name}-{}", std::process::id()));
            let _left_over = fs::remove_dir_all(&top);
            for (dir, content) in [("dir/sub", "own"), ("outside/sub", "secret")] {
                fs::create_dir_all(top.join(dir)).unwrap();
                fs::write(top.join(dir).join("f"), content).unwrap();
            }
            // More than a meter counts before it tells.
            fs::write(top.join("dir/first"), [b'x'; 300_000]).unwrap();
            Scratch(top)
        }

        fn swap_for_link_outside(&self) {
            let dir = self.0.join("dir");
            fs::rename(&dir, self.0.join("moved")).unwrap();
            symlink("outside", dir).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    /// What an archive of it holds, with something done at the first news of how far it is.
    fn packed(source: &Source, mut once: Option<&dyn Fn()>) -> String {
        let mut archive = Vec::new();
        let mut on_progress = |_: &Progress| {
            once.take().into_iter().for_each(|it| it());
            ControlFlow::Continue(())
        };
        let mut meter = Meter::new(None, &mut on_progress);
        let packed = source.pack(b"d", true, Owner::ROOT, &mut archive, &mut meter);
        packed.unwrap();
        String::from_utf8(archive).unwrap()
    }

    #[test]
    fn a_source_that_is_swapped_for_a_link_is_still_itself() {
        let scratch = Scratch::new("source");
        let source = Source::survey(&scratch.0.join("dir")).unwrap();
        scratch.swap_for_link_outside();
        let archive = packed(&source, None);
        assert!(archive.contains("own") && !archive.contains("secret"));
    }

    #[test]
    fn a_directory_that_is_swapped_for_a_link_leads_nowhere() {
        let scratch = Scratch::new("dir");
        let source = Source::survey(&scratch.0.join("dir")).unwrap();
        let archive = packed(&source, Some(&|| scratch.swap_for_link_outside()));
        assert!(scratch.0.join("moved").exists());
        assert!(archive.contains("own") && !archive.contains("secret"));
    }

    #[test]
    fn a_file_that_is_swapped_is_an_error_that_names_it() {
        let scratch = Scratch::new("file");
        let path = scratch.0.join("dir/first");
        let found = Found::alone(&path).unwrap();
        for swapped_in in ["link", "pipe"] {
            fs::remove_file(&path).unwrap();
            match swapped_in {
                "link" => symlink("../outside/sub/f", &path).unwrap(),
                _ => assert!(
                    Command::new("mkfifo")
                        .arg(&path)
                        .status()
                        .unwrap()
                        .success()
                ),
            }
            let mut archive = Vec::new();
            let mut nobody = |_: &Progress| ControlFlow::Continue(());
            let mut meter = Meter::new(None, &mut nobody);
            let mut packer = Packer::new(Owner::ROOT, &mut archive, &mut meter);
            let Err(Failure::Source(error)) = packer.add(b"f", &found) else {
                panic!("a {swapped_in} was packed");
            };
            let want = format!(
                "cannot read '{}': something else was put in its place while it was copied",
                path.display()
            );
            assert_eq!(error.to_string(), want, "{swapped_in}");
        }
    }
}
