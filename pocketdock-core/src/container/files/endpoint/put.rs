//! Into a sandbox through the engine's archive endpoint.

use std::io::{self, Read, Write};
use std::path::Path;

use crate::container::files::access::{Access, KERNELS, is_made};
use crate::container::files::apart::Apart;
use crate::container::files::cargo::Cargo;
use crate::container::files::endpoint::find::{self, MEMORY_NEEDS_TAR, Mount, look};
use crate::container::files::endpoint::links::Lookout;
use crate::container::files::endpoint::owner::find_owner;
use crate::container::files::meter::Meter;
use crate::container::files::pack::{Failure, Owner, Source};
use crate::container::files::path::SandboxPath;
use crate::container::files::repack::repack;
use crate::container::files::report::CopyReport;
use crate::container::handle::Container;
use crate::engine::archive;
use crate::engine::exchange::RequestBody;
use crate::error::{Error, Result};
use crate::wire::tar::header::Header;

/// How both engines end their words about a full disk.
const NO_SPACE: &str = "no space left on device";

/// How Docker ends its words about what is mounted.
const BUSY: &str = "device or resource busy";

/// Where something goes.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// A directory that is there.
    dir: String,
    /// The directories that are missing below it, from there on.
    missing: Vec<String>,
    /// The name it gets in the innermost.
    name: Vec<u8>,
    /// Whether that is a directory that is there.
    is_merged: bool,
}

/// Sends it.
///
/// # Errors
///
/// As [`archive::put`], and what is wrong with the destination.
pub(crate) fn put(
    container: &Container,
    access: &Access,
    cargo: &mut Cargo<'_>,
    dest: &SandboxPath,
    meter: &mut Meter<'_>,
) -> Result<CopyReport> {
    let owner = find_owner(container, access)?;
    let sender = Sender {
        container,
        access,
        owner,
    };
    sender.put(cargo, dest, meter)
}

/// Who sends a copy, or the parts of one.
struct Sender<'a> {
    container: &'a Container,
    access: &'a Access,
    /// Whose all of it is to be.
    owner: Owner,
}

impl Sender<'_> {
    fn put(
        &self,
        cargo: &mut Cargo<'_>,
        dest: &SandboxPath,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport> {
        let place = find_place(self.container, self.access, cargo, dest)?;
        self.refuse(&place.dir, dest.as_str())?;
        match cargo {
            Cargo::Copy(source) if place.is_merged => self.merge(source, &place, dest, meter),
            Cargo::Unpack(archive) => self.unpack(*archive, &place, dest, meter),
            _ => self.send(cargo, &place, dest, meter),
        }
    }

    fn send(
        &self,
        cargo: &mut Cargo<'_>,
        place: &Place,
        dest: &SandboxPath,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport> {
        self.send_to(&place.dir, dest.as_str(), &mut |out| {
            add_missing(place, self.owner, out)?;
            cargo.pack(&place.entry(), !place.is_merged, self.owner, out, meter)
        })
    }

    fn send_to(&self, dir: &str, dest: &str, pack: &mut Pack<'_>) -> Result<CopyReport> {
        let doing = format!("write '{dest}' in the sandbox");
        send(self.container, &self.access.as_mounted(dir), &doing, pack)
    }

    /// Refuses what would be lost: the kernel makes it, or there is memory when the sandbox runs.
    fn refuse(&self, path: &str, dest: &str) -> Result<()> {
        if is_made(path) {
            let doing = format!("write '{dest}' in the sandbox");
            return Err(Error::io(doing, io::ErrorKind::PermissionDenied.into()));
        }
        let reason = match self.access.runs {
            true => MEMORY_NEEDS_TAR,
            false => "that is memory, which is there while the sandbox runs; resume it first",
        };
        match self.access.endpoint_passes_under(path) {
            true => Err(Error::invalid("destination", dest, reason)),
            false => Ok(()),
        }
    }

    /// Whether something can be written to a mount point below the destination.
    fn look_at(&self, mount: &Mount<'_>) -> Result<()> {
        self.refuse(mount.path, mount.path)?;
        find::stat(self.container, self.access, mount.path).map(drop)
    }

    /// What the endpoint passes by below a directory.
    fn mounts_below(&self, dir: &str) -> Vec<Mount<'_>> {
        let mut mounts = find::mounts_below(self.access, dir);
        if dir == "/" {
            let kernels = KERNELS.map(|path| Mount {
                path,
                below: path.trim_start_matches('/'),
            });
            let lost = |mount: &Mount<'_>| self.refuse(mount.path, mount.path).is_err();
            mounts.extend(kernels.into_iter().filter(lost));
        }
        mounts
    }

    /// Sends what is in a directory into one that is there, and by itself what goes where something
    /// is mounted that the endpoint passes by.
    fn merge(
        &self,
        source: &Source,
        place: &Place,
        dest: &SandboxPath,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport> {
        let mut mounts = self.mounts_below(&place.dir);
        mounts.retain(|mount| source.has(mount.below));
        let (mut report, mut apart) = (CopyReport::default(), Vec::new());
        for mount in &mounts {
            match self.look_at(mount) {
                // The directory that is there needs nothing.
                Err(_) if source.is_bare(mount.below) => apart.push(mount.below.into()),
                looked => looked?, // Before anything is sent.
            }
        }
        let all_apart = mounts.iter().map(|mount| mount.below.into()).collect();
        self.look_out_for_links(&source.without(all_apart)?, &place.dir)?;
        mounts.retain(|mount| !apart.iter().any(|it| it == Path::new(mount.below)));
        for mount in find::outermost(mounts) {
            let part = source.part(Path::new(mount.below))?;
            let to = SandboxPath::parse(&format!("{}/", mount.path))?;
            let sent = self.put(&mut Cargo::Copy(&part), &to, meter)?;
            report.entries += 1; // The directory that is there.
            report.add(Path::new(mount.below), sent);
            apart.push(mount.below.into());
        }
        let rest = source.without(apart)?;
        let sent = self.send(&mut Cargo::Copy(&rest), place, dest, meter)?;
        report.add(Path::new(""), sent);
        Ok(report)
    }

    fn look_out_for_links(&self, source: &Source, dir: &str) -> Result<()> {
        if self.access.passed_by().is_empty() {
            return Ok(());
        }
        let mut lookout = Lookout::new(self.container, self.access, dir);
        source.for_each_directory(&mut |below| lookout.look_at(below))
    }

    /// The same with what is in an archive, which waits until all of it has been looked at.
    fn unpack(
        &self,
        archive: &mut dyn Read,
        place: &Place,
        dest: &SandboxPath,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport> {
        let mounts = self.mounts_below(&place.dir);
        let outermost = find::outermost(mounts.clone());
        let mut apart = Apart::new(&place.dir);
        for mount in &mounts {
            let refusal = self.look_at(mount).err();
            if refusal.is_some() || outermost.iter().any(|it| it.path == mount.path) {
                apart.add(mount.below, refusal);
            }
        }
        if self.access.passed_by().is_empty() {
            return self.send_archive(archive, &mut apart, &place.dir, dest, meter);
        }
        let mut lookout = Lookout::new(self.container, self.access, &place.dir);
        let mut look = |below: &Path| lookout.look_at(below);
        apart.keep_rest(&mut look);
        let kept = repack(archive, &mut apart, self.owner, &mut io::sink(), meter);
        let (mut report, _) = kept.map_err(|failure| match failure {
            Failure::Source(error) => error,
            Failure::Sink(error) => Error::io("keep the archive", error),
        })?;
        for (below, mut part) in apart.into_archives() {
            let sent = if below.is_empty() {
                let nothing = &mut Apart::none();
                self.send_archive(&mut part, nothing, &place.dir, dest, meter)?
            } else {
                let to = SandboxPath::parse(&format!("{}/{below}/", place.dir))?;
                self.put(&mut Cargo::Unpack(&mut part), &to, meter)?
            };
            report.add(Path::new(&below), sent);
        }
        Ok(report)
    }

    fn send_archive(
        &self,
        archive: &mut dyn Read,
        apart: &mut Apart<'_>,
        dir: &str,
        dest: &SandboxPath,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport> {
        self.send_to(dir, dest.as_str(), &mut |out| {
            repack(archive, apart, self.owner, out, meter).map(|(report, _)| report)
        })
    }
}

/// What writes an archive.
pub(crate) type Pack<'a> =
    dyn FnMut(&mut dyn Write) -> std::result::Result<CopyReport, Failure> + 'a;

/// Has the engine unpack what `pack` writes in a directory.
///
/// # Errors
///
/// As [`archive::put`], what `pack` says of its source, and [`Error::Io`] for a full disk and one
/// that is read-only.
pub(crate) fn send(
    container: &Container,
    dir: &str,
    doing: &str,
    pack: &mut Pack<'_>,
) -> Result<CopyReport> {
    let mut outcome = None;
    let mut write = |out: &mut dyn Write| match pack(out) {
        Err(Failure::Sink(error)) => Err(error),
        Err(Failure::Source(error)) => {
            outcome = Some(Err(error));
            Err(io::Error::other("the source failed"))
        }
        Ok(report) => {
            outcome = Some(Ok(report));
            Ok(())
        }
    };
    let body = RequestBody::Writer(&mut write);
    let sent = archive::put(container.client(), container.container_id(), dir, body);
    match (outcome, sent) {
        (Some(Err(error)), _) => Err(error),
        (_, Err(Error::Engine { message, .. })) if message.ends_with(NO_SPACE) => {
            let full = io::Error::new(io::ErrorKind::StorageFull, NO_SPACE);
            Err(Error::io(doing, full))
        }
        (_, Err(Error::Engine { message, .. })) if is_read_only(&message) => {
            let reason = "it is read-only there; a tmpfs or a volume is not";
            let error = io::Error::new(io::ErrorKind::ReadOnlyFilesystem, reason);
            Err(Error::io(doing, error))
        }
        (_, Err(Error::Engine { message, .. })) if message.ends_with(BUSY) => {
            let reason = "a file that is mounted by itself cannot be replaced";
            Err(Error::io(
                doing,
                io::Error::new(io::ErrorKind::ResourceBusy, reason),
            ))
        }
        (_, Err(error)) => Err(error),
        (Some(Ok(report)), Ok(())) => Ok(report),
        (None, Ok(())) => Err(Error::io(doing, io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Whether the engine may not write to a place: Podman's words are the system's, Docker's its own.
fn is_read_only(message: &str) -> bool {
    message.contains("read-only file system") || message.contains("marked read-only")
}

impl Place {
    /// Its path from the directory on.
    fn entry(&self) -> Vec<u8> {
        let mut path = b".".to_vec();
        for name in &self.missing {
            path.push(b'/');
            path.extend_from_slice(name.as_bytes());
        }
        path.push(b'/');
        path.extend_from_slice(&self.name);
        path
    }
}

/// The directories above a file that is written, each the user's.
fn add_missing(
    place: &Place,
    owner: Owner,
    out: &mut dyn Write,
) -> std::result::Result<(), Failure> {
    let mut path = b".".to_vec();
    for name in &place.missing {
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
        let header = Header {
            uid: owner.uid,
            gid: owner.gid,
            ..Header::directory(&path)
        };
        let blocks = header.encode().map_err(|error| {
            Error::io("make a directory in the sandbox", io::Error::other(error))
        })?;
        out.write_all(&blocks).map_err(Failure::Sink)?;
    }
    Ok(())
}

fn find_place(
    container: &Container,
    access: &Access,
    cargo: &Cargo<'_>,
    dest: &SandboxPath,
) -> Result<Place> {
    let is_write = matches!(cargo, Cargo::Write(_));
    let place = match look(container, access, dest.as_str())? {
        Some(found) if found.is_dir && is_write => {
            return Err(Error::IsADirectory {
                path: dest.as_str().into(),
            });
        }
        Some(found) if found.is_dir => into_directory(container, access, cargo, found.path)?,
        Some(_) if cargo.needs_directory(dest) || cargo.is_dir() => {
            return Err(Error::NotADirectory {
                path: dest.as_str().into(),
            });
        }
        // In the place of a file.
        Some(found) => {
            let (dir, name) = found.path.rsplit_once('/').unwrap_or(("", &found.path));
            Place {
                dir: format!("{dir}/"),
                missing: Vec::new(),
                name: name.as_bytes().to_vec(),
                is_merged: false,
            }
        }
        None if cargo.needs_directory(dest) => {
            return Err(Error::PathNotFound {
                path: dest.as_str().into(),
            });
        }
        None => new_name(container, access, dest, is_write)?,
    };
    Ok(place)
}

fn into_directory(
    container: &Container,
    access: &Access,
    cargo: &Cargo<'_>,
    dir: String,
) -> Result<Place> {
    let mut place = Place {
        dir,
        missing: Vec::new(),
        name: cargo.name().to_vec(),
        is_merged: false,
    };
    if place.name.is_empty() {
        place.name = b".".to_vec();
        place.is_merged = true;
        return Ok(place);
    }
    // A name that is no text cannot be asked for; the engine refuses to replace a directory.
    let Ok(name) = std::str::from_utf8(&place.name) else {
        return Ok(place);
    };
    let path = format!("{}/{name}", place.dir.trim_end_matches('/'));
    match look(container, access, &path)? {
        Some(found) if found.is_dir && !cargo.is_dir() => {
            Err(Error::IsADirectory { path: path.into() })
        }
        Some(found) if !found.is_dir && cargo.is_dir() => {
            Err(Error::NotADirectory { path: path.into() })
        }
        // By its own path, for a volume may be mounted there.
        Some(found) if found.is_dir => Ok(Place {
            dir: found.path,
            name: b".".to_vec(),
            is_merged: true,
            ..place
        }),
        _ => Ok(place),
    }
}

/// A place where nothing is; with `makes_parents`, nothing need be above it either.
fn new_name(
    container: &Container,
    access: &Access,
    dest: &SandboxPath,
    makes_parents: bool,
) -> Result<Place> {
    let (parent, name) = dest.split();
    let mut missing = Vec::new();
    for dir in dest.ancestors().into_iter().rev().chain(["/"]) {
        match look(container, access, dir)? {
            Some(found) if found.is_dir => {
                missing.reverse();
                return Ok(Place {
                    dir: found.path,
                    missing,
                    name: name.as_bytes().to_vec(),
                    is_merged: false,
                });
            }
            Some(_) => return Err(Error::NotADirectory { path: dir.into() }),
            None if makes_parents => {
                let name = dir.rsplit('/').next().unwrap_or_default();
                missing.push(name.to_owned());
            }
            None => break,
        }
    }
    Err(Error::PathNotFound {
        path: parent.into(),
    })
}
