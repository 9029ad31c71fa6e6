//! An archive from a sandbox as files of the host.
//!
//! The archive may be anything: code in the sandbox can have made it. So nothing in it leads out
//! of the destination: `..` and what would pass through a link are refused, a hard link is made
//! only to a file that this copy has brought, and a directory stays the one it was when it was
//! entered ([`HostDir`]). Devices, pipes and setuid bits are left out and listed.
//!
//! A file is written under a name of its own and renamed when it is complete, so that its name
//! never stands for half of it. A directory gets its mode and time when it is left.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::container::files::entries::{
    Item, Mapping, Mounted, Outcome, broken, dropped, for_each, is_copied, stopped,
};
use crate::container::files::meter::Meter;
use crate::container::files::report::{CopyReport, DroppedKind};
use crate::container::host_dir::HostDir;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::read;

/// How much of a file is moved at a time.
const BUFFER_LEN: usize = 128 * 1024;

/// Of how many files and directories it is remembered that a copy has brought them.
const OWN_MAX: usize = 1_000_000;

/// Files or directories by device and inode.
pub(crate) type Inodes = HashSet<(u64, u64)>;

/// Unpacks an archive into the directory `destination`.
///
/// The directories that it makes are noted in `made`; those that are noted there, by a first try
/// which has not brought everything, count as new.
pub(crate) fn unpack(
    archive: &mut dyn Read,
    mounts: Vec<Mounted>,
    destination: &Path,
    mapping: Mapping<'_>,
    meter: &mut Meter<'_>,
    made: &mut Inodes,
) -> Outcome<CopyReport> {
    let mut unpacker = Unpacker::new(destination, meter, made)?;
    for_each(archive, mounts, mapping, &mut |path, item| match item {
        Item::Entry {
            header,
            mapping,
            data,
        } => unpacker.add(header, path, mapping, data),
        Item::Missing => {
            let path = path.iter().collect();
            unpacker.report.drop_entry(path, DroppedKind::Mounted);
            Ok(())
        }
    })?;
    unpacker.finish()
}

struct Unpacker<'m, 'a> {
    /// The directories that an earlier try has made and this one has not come to.
    earlier: Inodes,
    made: &'m mut Inodes,
    destination: HostDir,
    /// The directories from the destination to where the last entry went.
    entered: Vec<Level>,
    /// The files that this copy has brought, to which there may be links.
    linkable: Inodes,
    scratch: OsString,
    buffer: Box<[u8]>,
    meter: &'m mut Meter<'a>,
    report: CopyReport,
}

struct Level {
    name: OsString,
    dir: HostDir,
    /// What it gets when it is left, if this copy has made it.
    finally: Option<(u32, FileTimes)>,
}

impl<'m, 'a> Unpacker<'m, 'a> {
    fn new(destination: &Path, meter: &'m mut Meter<'a>, made: &'m mut Inodes) -> Result<Self> {
        let opened = HostDir::open(destination)
            .map_err(|error| Error::io(format!("open '{}'", destination.display()), error))?;
        Ok(Unpacker {
            earlier: std::mem::take(made),
            made,
            destination: opened,
            entered: Vec::new(),
            linkable: Inodes::new(),
            scratch: format!(".pocketdock-{}", host::random_hex::<8>()?).into(),
            buffer: vec![0; BUFFER_LEN].into_boxed_slice(),
            meter,
            report: CopyReport::default(),
        })
    }

    fn add(
        &mut self,
        header: &Header,
        path: &[OsString],
        mapping: Mapping<'_>,
        data: &mut dyn Read,
    ) -> Outcome<()> {
        let Some((name, parents)) = path.split_last() else {
            return Ok(()); // The destination itself, which is there and stays as it is.
        };
        let dropped = dropped(header);
        if let Some(kind) = dropped {
            self.report.drop_entry(path.iter().collect(), kind);
        }
        if !is_copied(dropped) {
            return Ok(());
        }
        self.report.entries += 1;
        self.meter.add_entry().map_err(stopped)?;
        match &header.kind {
            Kind::Directory => self.add_directory(path, header)?,
            Kind::Symlink(target) => {
                self.enter(parents)?;
                let target = OsStr::from_bytes(target);
                self.put(name, |dir, scratch| dir.make_symlink(scratch, target))?;
            }
            Kind::HardLink(target) => self.add_hard_link(path, &mapping.place(target)?, target)?,
            _ => {
                self.enter(parents)?;
                if self.report.entries == 1 {
                    self.meter.expect(header.len); // A file that comes first is alone.
                }
                self.add_file(name, header, data)?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Outcome<CopyReport> {
        self.leave_to(0)?;
        self.meter.finish();
        Ok(self.report)
    }

    /// The directory that the last entry went to.
    fn dir(&self) -> &HostDir {
        self.entered
            .last()
            .map_or(&self.destination, |level| &level.dir)
    }

    /// Goes to a directory, making what is missing on the way.
    fn enter(&mut self, names: &[OsString]) -> Result<()> {
        let mut shared = self.entered.iter().zip(names);
        let len = shared.position(|(level, name)| level.name != *name);
        self.leave_to(len.unwrap_or(self.entered.len().min(names.len())))?;
        for name in names.get(self.entered.len()..).unwrap_or_default() {
            self.enter_child(name)?;
        }
        Ok(())
    }

    /// Goes into a directory of this one; whether it was made for that.
    fn enter_child(&mut self, name: &OsStr) -> Result<bool> {
        let parent = self.dir();
        let path = parent.path_of(name);
        let failed = |error| cannot_write(&path, error);
        let is_made = parent.look(name).map_err(failed)?.is_none();
        if is_made {
            parent.make_dir(name).map_err(failed)?;
        }
        let dir = parent.child(name).map_err(failed)?;
        let is_new = self.is_own(&dir, is_made).map_err(failed)?;
        self.entered.push(Level {
            name: name.to_owned(),
            dir,
            // Unless the archive says more about it.
            finally: is_new.then(|| (0o755, FileTimes::new())),
        });
        Ok(is_new)
    }

    /// Whether a directory was made by this copy, if not by this try, then by an earlier one.
    fn is_own(&mut self, dir: &HostDir, is_made: bool) -> io::Result<bool> {
        let found = dir.metadata()?;
        if !is_made {
            if !self.earlier.remove(&inode(&found)) {
                return Ok(false);
            }
            dir.set(0o700, FileTimes::new())?; // It may have been closed.
        }
        note(self.made, &found);
        Ok(true)
    }

    /// Leaves the directories below the first `depth`; each gets its mode and time now.
    fn leave_to(&mut self, depth: usize) -> Result<()> {
        while depth < self.entered.len() {
            let Some(level) = self.entered.pop() else {
                break;
            };
            if let Some((mode, times)) = level.finally {
                level.dir.set(mode, times).map_err(|error| {
                    let path = self.dir().path_of(&level.name);
                    Error::io(format!("set the mode of '{}'", path.display()), error)
                })?;
            }
        }
        Ok(())
    }

    /// A directory that was there before keeps its mode, as with `cp -r`.
    fn add_directory(&mut self, path: &[OsString], header: &Header) -> Result<()> {
        let Some((name, parents)) = path.split_last() else {
            return Ok(());
        };
        if self.entered.iter().map(|level| &level.name).eq(path) {
            self.describe(header);
            return Ok(());
        }
        self.enter(parents)?;
        if self.enter_child(name)? {
            self.describe(header);
        }
        Ok(())
    }

    /// Notes what the directory that was entered last will get, if this copy has made it.
    fn describe(&mut self, header: &Header) {
        let last = self.entered.last_mut();
        if let Some(finally) = last.and_then(|level| level.finally.as_mut()) {
            *finally = (header.mode & 0o1777, times(header));
        }
    }

    fn add_file(&mut self, name: &OsStr, header: &Header, data: &mut dyn Read) -> Outcome<()> {
        let path = self.dir().path_of(name);
        let doing = |error| cannot_write(&path, error);
        let scratch = self.scratch.clone();
        let mut file = self.dir().make_file(&scratch).map_err(doing)?;
        let filled = self.fill(&mut file, data, &path).and_then(|()| {
            let mode = Permissions::from_mode(header.mode & 0o777);
            file.set_permissions(mode).map_err(doing)?;
            file.set_times(times(header)).map_err(doing)?;
            note(&mut self.linkable, &file.metadata().map_err(doing)?);
            drop(file);
            self.move_into_place(name)?;
            Ok(())
        });
        if filled.is_err() {
            let _moved_already = self.dir().remove(&scratch);
        }
        filled
    }

    fn fill(&mut self, file: &mut File, data: &mut dyn Read, path: &Path) -> Outcome<()> {
        loop {
            let n = match data.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(read::Error::Read(error))),
            };
            let piece = self.buffer.get(..n).unwrap_or_default();
            file.write_all(piece)
                .map_err(|error| cannot_write(path, error))?;
            self.report.bytes += n as u64;
            self.meter.add(n).map_err(stopped)?;
        }
    }

    /// `target` is what the archive calls the file at `original`.
    fn add_hard_link(
        &mut self,
        path: &[OsString],
        original: &[OsString],
        target: &[u8],
    ) -> Result<()> {
        let refused = || Error::UnsafePath {
            path: OsStr::from_bytes(target).into(),
            reason: "it is a hard link to what is not in the archive",
        };
        let (Some((from, from_parents)), Some((name, parents))) =
            (original.split_last(), path.split_last())
        else {
            return Err(refused());
        };
        self.enter(parents)?;
        let from_dir = self.find(from_parents).map_err(|_| refused())?;
        // A file the host had before could be anybody's.
        match from_dir.look(from) {
            Ok(Some(found)) if found.is_file() && self.linkable.contains(&inode(&found)) => {}
            _ => return Err(refused()),
        }
        self.put(name, |dir, scratch| {
            dir.make_hard_link(scratch, &from_dir, from)
        })
    }

    /// A directory that is there, without leaving the one that was entered.
    fn find(&self, names: &[OsString]) -> io::Result<HostDir> {
        let mut dir = self.destination.again()?;
        for name in names {
            dir = dir.child(name)?;
        }
        Ok(dir)
    }

    /// Makes something under a name of its own and then gives it its place.
    fn put(
        &mut self,
        name: &OsStr,
        make: impl FnOnce(&HostDir, &OsStr) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.dir().path_of(name);
        make(self.dir(), &self.scratch).map_err(|error| cannot_write(&path, error))?;
        let moved = self.move_into_place(name);
        // Two names of one file are not moved onto each other, says rename(2).
        let _moved_already = self.dir().remove(&self.scratch);
        moved
    }

    /// Gives what has the scratch name its own; a directory is not replaced.
    fn move_into_place(&self, name: &OsStr) -> Result<()> {
        let moved = self.dir().rename(&self.scratch, name);
        moved.map_err(|error| cannot_write(&self.dir().path_of(name), error))
    }
}

/// The error for something that cannot be put at a path of the host.
fn cannot_write(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotADirectory => Error::NotADirectory { path: path.into() },
        io::ErrorKind::IsADirectory => Error::IsADirectory { path: path.into() },
        _ => Error::io(format!("write '{}'", path.display()), error),
    }
}

/// Remembers one that a copy has brought; of very many, the first.
fn note(own: &mut Inodes, found: &Metadata) {
    if own.len() < OWN_MAX {
        own.insert(inode(found));
    }
}

/// Which file it is, whatever it is called.
fn inode(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// When it was modified, for its access as well; a time that the system cannot hold is left out.
fn times(header: &Header) -> FileTimes {
    let seconds = Duration::from_secs(header.mtime_s.unsigned_abs());
    let whole = match header.mtime_s < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(seconds),
        false => SystemTime::UNIX_EPOCH.checked_add(seconds),
    };
    let fraction = Duration::from_nanos(header.mtime_ns.into());
    match whole.and_then(|time| time.checked_add(fraction)) {
        Some(time) => FileTimes::new().set_modified(time).set_accessed(time),
        None => FileTimes::new(),
    }
}
