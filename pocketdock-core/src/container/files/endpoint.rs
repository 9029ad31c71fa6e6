//! Files of a sandbox that does not run, or has no `tar`: through the engine's archive endpoint.
//!
//! It cannot unpack beside a place and move there, so what is cut off leaves what had come. On
//! Docker it does not see memory mounts, which are empty in a sandbox that is stopped; it refuses
//! a root that is read-only. Podman takes a path that it reads from for a pattern, gives paths that
//! begin with a slash to what is in a volume, and leaves volumes out of what they are mounted in.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStringExt;

use crate::container::files::access::{Access, is_made};
use crate::container::files::cargo::Cargo;
use crate::container::files::look::NAMES_LEN_MAX;
use crate::container::files::meter::Meter;
use crate::container::files::pack::{Failure, Owner};
use crate::container::files::path::{Ending, SandboxPath};
use crate::container::files::report::CopyReport;
use crate::container::handle::Container;
use crate::container::plan::way_to;
use crate::engine::EngineKind;
use crate::engine::archive;
use crate::engine::client::Streaming;
use crate::engine::exchange::RequestBody;
use crate::error::{Error, Result};
use crate::wire::digits;
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::read::{self, Reader};
use crate::wire::tar::write::Writer;

/// How much of an archive is read at a time.
const BUFFER_LEN: usize = 64 * 1024;

/// How many links are followed, as the kernel does.
const LINKS_MAX: usize = 40;

/// The longest file of users or groups that is read.
const ACCOUNTS_LEN_MAX: u64 = 1024 * 1024;

/// How both engines end their words about a full disk.
const NO_SPACE: &str = "no space left on device";

/// Go's `os.FileMode` bits in a path's stat.
const MODE_DIR: u64 = 1 << 31;
const MODE_SYMLINK: u64 = 1 << 27;
/// These and those of pipes, sockets, devices and what is none of them.
const MODE_TYPE: u64 = MODE_DIR | MODE_SYMLINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// Its path behind all links of its last name.
    path: String,
    is_dir: bool,
}

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
    let place = find_place(container, access, cargo, dest)?;
    if access.endpoint_passes_under(&place.dir) {
        let reason = match access.runs {
            true => MEMORY_NEEDS_TAR,
            false => "that is memory, which is there while the sandbox runs; resume it first",
        };
        return Err(Error::invalid("destination", dest.as_str(), reason));
    }
    if place.is_merged {
        refuse_passing_by(access, &place.dir, &|below| cargo.may_reach(below))?;
    }
    if is_made(&place.dir) {
        let doing = format!("write '{}' in the sandbox", dest.as_str());
        return Err(Error::io(doing, io::ErrorKind::PermissionDenied.into()));
    }
    let owner = find_owner(container, access)?;
    let doing = format!("write '{}' in the sandbox", dest.as_str());
    send(container, &place.dir, &doing, |out| {
        add_missing(&place, owner, out)?;
        cargo.pack(&place.entry(), !place.is_merged, owner, out, meter)
    })
}

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
    mut pack: impl FnMut(&mut dyn Write) -> std::result::Result<CopyReport, Failure>,
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

/// What is at a path, links followed; `None` if nothing is.
fn look(container: &Container, access: &Access, path: &str) -> Result<Option<Found>> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let stat = match stat(container, access, &path) {
            Err(Error::PathNotFound { .. }) => return Ok(None),
            Err(Error::Engine { .. }) if is_below_file(container, access, &path) => {
                return Err(Error::NotADirectory { path: path.into() });
            }
            stat => stat?,
        };
        if !stat.is_link {
            return Ok(Some(Found {
                path: stat.path,
                is_dir: stat.is_dir,
            }));
        }
        if stat.target.is_empty() {
            let reason = "Podman does not tell where a link of such a name leads";
            return Err(unable(&stat.path, reason));
        }
        path = stat.target;
    }
    Err(Error::io(
        format!("follow '{path}' in the sandbox"),
        io::Error::other("too many links"),
    ))
}

/// Whether what should be the directory of a path is something else, at which Docker fails without
/// a word.
fn is_below_file(container: &Container, access: &Access, path: &str) -> bool {
    let parent = path.rsplit_once('/').map(|(parent, _)| parent);
    let above = parent.filter(|parent| !parent.is_empty());
    above.is_some_and(|above| match stat(container, access, above) {
        Ok(found) => !found.is_dir,
        Err(_) => is_below_file(container, access, above),
    })
}

/// Whether a regular file, and no link to one, is at a path.
///
/// # Errors
///
/// As [`archive::stat`].
pub(crate) fn is_file(container: &Container, access: &Access, path: &str) -> Result<bool> {
    stat(container, access, path).map(|found| found.is_file)
}

struct Stat {
    /// The path, its last name at most a link.
    path: String,
    is_file: bool,
    is_dir: bool,
    is_link: bool,
    /// An absolute path; the engine makes it one. Empty if it does not tell.
    target: String,
}

fn stat(container: &Container, access: &Access, path: &str) -> Result<Stat> {
    let path = resolved(container, access, path)?;
    if access.is_made_at_start(&path) {
        return Err(unable(
            &path,
            "Podman makes it anew when the sandbox starts",
        ));
    }
    let asked = pattern(access, &path)?;
    let stat = archive::stat(container.client(), container.container_id(), &asked);
    let stat = stat.map_err(|error| match error {
        Error::Engine { .. } if access.passed_by().contains(&way_to(&path)) => unable(
            &path,
            "a file is mounted there, which Podman takes for a directory",
        ),
        error => error,
    })?;
    let mode = stat.u64_at(&["mode"]).unwrap_or_default();
    let is_link = mode & MODE_SYMLINK != 0;
    let target = stat.str_at(&["linkTarget"]).filter(|_| is_link);
    Ok(Stat {
        is_file: mode & MODE_TYPE == 0,
        is_dir: mode & MODE_DIR != 0,
        is_link,
        // Of a link that it is asked for by a pattern, Podman gives that.
        target: target
            .filter(|&it| it != asked)
            .unwrap_or_default()
            .to_owned(),
        path,
    })
}

/// A path without links above its last name. Podman looks at the path alone to find out whether it
/// leads into a volume of a sandbox that does not run.
fn resolved(container: &Container, access: &Access, path: &str) -> Result<String> {
    if access.kind != EngineKind::Podman || access.passed_by().is_empty() {
        return Ok(path.to_owned());
    }
    match path.rsplit_once('/') {
        None | Some(("", _)) => Ok(path.to_owned()),
        Some((above, name)) => match look(container, access, above)? {
            Some(found) => Ok(format!("{}/{name}", found.path.trim_end_matches('/'))),
            None => Err(Error::PathNotFound { path: path.into() }),
        },
    }
}

/// A path as the engine is asked for it: of Podman, by a pattern that nothing else matches. A `*`
/// it refuses, even behind a backslash; a letter that is none of all others is one as well.
fn pattern(access: &Access, path: &str) -> Result<String> {
    if access.kind != EngineKind::Podman || !is_pattern(path) {
        return Ok(path.to_owned());
    }
    for mount in access.passed_by() {
        if is_pattern(mount) {
            return Err(unable(path, "Podman cannot name it beside what is mounted"));
        }
    }
    let mut pattern = String::new();
    for part in path.chars() {
        if part == '*' {
            pattern.push_str("[^\u{1}-)+-\u{10ffff}]");
            continue;
        }
        if matches!(part, '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(part);
    }
    Ok(pattern)
}

/// Whether Podman would take a path for more than itself.
fn is_pattern(path: &str) -> bool {
    path.bytes().any(|byte| b"*?[\\".contains(&byte))
}

/// The error for what an engine cannot do unless the sandbox runs.
fn unable(path: &str, reason: &str) -> Error {
    Error::invalid("path", path, format!("{reason}; resume it first"))
}

/// What is wrong with a path of memory in a sandbox that runs and lacks these programs.
const MEMORY_NEEDS_TAR: &str =
    "that is memory, which Docker gets at only by 'sh' and 'tar' in the sandbox";

/// Refuses to read what the endpoint does not see, but code in the running sandbox does.
fn refuse_memory(access: &Access, path: &str) -> Result<()> {
    match access.runs && access.endpoint_passes_under(path) {
        true => Err(Error::invalid("path", path, MEMORY_NEEDS_TAR)),
        false => Ok(()),
    }
}

/// Refuses what would miss, or be lost behind, something that is mounted at or below a path
/// without links.
fn refuse_passing_by(access: &Access, path: &str, is_met: &dyn Fn(&str) -> bool) -> Result<()> {
    let path = way_to(path);
    for mount in access.passed_by() {
        let below = mount.strip_prefix(path.as_str()).unwrap_or_default();
        if below.starts_with('/') && is_met(below) {
            let reason = format!("what is mounted at '{mount}' the engine passes by");
            return Err(unable(&path, &reason));
        }
    }
    Ok(())
}

/// An archive of everything at a path; whether the paths in it begin with a name.
///
/// # Errors
///
/// As [`archive::get`].
pub(crate) fn tree(
    container: &Container,
    access: &Access,
    path: &SandboxPath,
) -> Result<(Body, bool)> {
    let (found, is_named) = find_source(container, access, path)?;
    // In a sandbox that does not run, there is nothing in memory.
    if access.runs || access.kind == EngineKind::Podman {
        refuse_passing_by(access, &found.path, &|_| true)?;
    }
    open_tree(container, access, &found, is_named)
}

/// What is copied from a path, and whether it has a name.
fn find_source(container: &Container, access: &Access, path: &SandboxPath) -> Result<(Stat, bool)> {
    let text = path.as_str();
    refuse_memory(access, text)?;
    let found = stat(container, access, text)?;
    if path.ending == Ending::Name {
        return Ok((found, true));
    }
    // The engine would follow a link before the dot without saying where it leads.
    let to = match text.strip_suffix("/.") {
        None => look(container, access, text)?,
        Some("") => look(container, access, "/")?,
        Some(dir) => look(container, access, dir)?,
    };
    if let Some(to) = &to {
        refuse_memory(access, &to.path)?;
    }
    match to {
        Some(to) if to.is_dir => Ok((
            Stat {
                path: to.path,
                is_dir: true,
                ..found
            },
            false,
        )),
        _ => Err(Error::NotADirectory { path: text.into() }),
    }
}

fn open_tree(
    container: &Container,
    access: &Access,
    found: &Stat,
    is_named: bool,
) -> Result<(Body, bool)> {
    let body = match is_named {
        true if found.is_link && access.kind == EngineKind::Podman => {
            Body::Link(link(container, access, &found.path)?)
        }
        true => get(container, access, &found.path)?,
        false => get(container, access, &format!("{}/.", found.path))?,
    };
    Ok((body, is_named))
}

/// The content of a file of at most `len_max` bytes, links followed.
///
/// # Errors
///
/// As [`archive::get`], and [`Error::IsADirectory`].
pub(crate) fn read(
    container: &Container,
    access: &Access,
    path: &SandboxPath,
    len_max: u64,
) -> Result<Vec<u8>> {
    let text = path.as_str();
    refuse_memory(access, text)?;
    let found = look(container, access, text)?;
    let found = found.ok_or_else(|| Error::PathNotFound { path: text.into() })?;
    refuse_memory(access, &found.path)?;
    if found.is_dir {
        return Err(Error::IsADirectory { path: text.into() });
    }
    let broken = |error| Error::io(format!("read '{text}' in the sandbox"), error);
    let mut body = get(container, access, &found.path)?;
    let mut reader = reader(&mut body);
    let entry = reader.next_entry().map_err(|error| broken(error.into()))?;
    let mut entry = entry.ok_or_else(|| broken(io::ErrorKind::UnexpectedEof.into()))?;
    match entry.header().kind {
        Kind::File if entry.header().len <= len_max => {}
        Kind::File => return Err(broken(io::ErrorKind::FileTooLarge.into())),
        _ => return Err(broken(io::Error::other("it is no regular file"))),
    }
    let mut content = Vec::new();
    entry.read_to_end(&mut content).map_err(broken)?;
    Ok(content)
}

/// The names in a directory, sorted. Everything in it has to come over for that.
///
/// # Errors
///
/// As [`tree`].
pub(crate) fn names(
    container: &Container,
    access: &Access,
    path: &SandboxPath,
) -> Result<Vec<OsString>> {
    let (found, is_named) = find_source(container, access, &path.content())?;
    let (mut body, _) = open_tree(container, access, &found, is_named)?;
    names_in(&mut body, NAMES_LEN_MAX).map_err(|error| {
        let doing = format!("list '{}' in the sandbox", path.as_str());
        Error::io(doing, error)
    })
}

/// The first names of the paths in an archive, which take up at most `len_max` bytes.
fn names_in(archive: &mut dyn Read, mut len_max: u64) -> io::Result<Vec<OsString>> {
    let mut reader = reader(archive);
    let mut names = BTreeSet::new();
    while let Some(entry) = reader.next_entry()? {
        let parts = entry.header().path.split(|&byte| byte == b'/');
        let mut parts = parts.filter(|part| !part.is_empty() && *part != b".");
        let name = parts.next().unwrap_or_default();
        if names.insert(OsString::from_vec(name.to_vec())) {
            let left = len_max.checked_sub(name.len() as u64);
            len_max = left.ok_or(io::ErrorKind::FileTooLarge)?;
        }
    }
    Ok(names.into_iter().filter(|name| !name.is_empty()).collect())
}

fn get(container: &Container, access: &Access, path: &str) -> Result<Body> {
    let asked = pattern(access, path)?;
    let streaming = archive::get(container.client(), container.container_id(), &asked)?;
    let buffered = BufReader::with_capacity(BUFFER_LEN, Archive(streaming));
    Ok(Body::Streaming(Box::new(buffered)))
}

/// An archive from the engine, whose failures say what has become of the connection.
#[derive(Debug)]
pub(crate) struct Archive(Streaming);

impl Read for Archive {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.body.read(buffer);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error, // Whoever reads tries again.
            _ => io::Error::other(self.0.failure(&error)),
        })
    }
}

/// The entries of an archive. One reader for all kinds of them keeps the program small.
fn reader(archive: &mut dyn Read) -> Reader<&mut dyn Read> {
    Reader::new(archive)
}

/// What an archive is read from.
#[derive(Debug)]
pub(crate) enum Body {
    Streaming(Box<BufReader<Archive>>),
    Link(io::Cursor<Vec<u8>>),
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Body::Streaming(body) => body.read(buffer),
            Body::Link(archive) => archive.read(buffer),
        }
    }
}

/// An archive of a link itself. Podman gives what it leads to, but lists it with its directory.
fn link(container: &Container, access: &Access, path: &str) -> Result<io::Cursor<Vec<u8>>> {
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut body = get(container, access, &format!("{dir}/."))?;
    let mut reader = reader(&mut body);
    let broken = |error: read::Error| Error::io(format!("read '{path}'"), io::Error::from(error));
    while let Some(entry) = reader.next_entry().map_err(broken)? {
        let header = entry.header();
        let is_it = header.path.strip_prefix(b"./").unwrap_or(&header.path) == name.as_bytes();
        if let (true, Kind::Symlink(_)) = (is_it, &header.kind) {
            let mut writer = Writer::new(Vec::new());
            let archive = writer
                .append(header, &mut io::empty())
                .and_then(|()| writer.finish());
            let archive = archive
                .map_err(|error| Error::io(format!("read '{path}'"), io::Error::other(error)))?;
            return Ok(io::Cursor::new(archive));
        }
    }
    Err(Error::PathNotFound { path: path.into() })
}

/// The numbers of the sandbox's user, as the engine finds them.
fn find_owner(container: &Container, access: &Access) -> Result<Owner> {
    let number = |text: &str| digits::decimal(text.as_bytes());
    let (user, group) = (access.user.as_str(), access.group.as_str());
    let (mut uid, mut gid) = match user {
        "" => (Some(0), Some(0)),
        user => (number(user), None),
    };
    if uid.is_none() || (group.is_empty() && gid.is_none()) {
        let users = accounts(container, access, "/etc/passwd")?;
        if let Some(row) = find_row(&users, user, Some(2)) {
            (uid, gid) = (
                field(row, 2).and_then(number),
                field(row, 3).and_then(number),
            );
        }
    }
    if !group.is_empty() {
        gid = number(group);
        if gid.is_none() {
            let groups = accounts(container, access, "/etc/group")?;
            gid = find_row(&groups, group, None).and_then(|row| field(row, 2).and_then(number));
        }
    }
    match (uid, gid.or(group.is_empty().then_some(0))) {
        (Some(uid), Some(gid)) => Ok(Owner {
            uid,
            gid,
            keeps_rights: false,
        }),
        _ => Err(Error::io(
            "find the owner of files in the sandbox",
            io::Error::other(format!("its user '{user}' has no number")),
        )),
    }
}

/// A file of users or groups; empty if there is none.
fn accounts(container: &Container, access: &Access, path: &str) -> Result<String> {
    match read(
        container,
        access,
        &SandboxPath::parse(path)?,
        ACCOUNTS_LEN_MAX,
    ) {
        Err(Error::PathNotFound { .. }) => Ok(String::new()),
        content => content.map(|content| String::from_utf8_lossy(&content).into_owned()),
    }
}

/// The row of a name, or of what stands in another column.
fn find_row<'a>(table: &'a str, name: &str, or_column: Option<usize>) -> Option<&'a str> {
    table.lines().find(|row| {
        let is = |column| field(row, column) == Some(name);
        is(0) || or_column.is_some_and(is)
    })
}

fn field(row: &str, column: usize) -> Option<&str> {
    row.split(':').nth(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_has_a_limit() {
        let mut writer = Writer::new(Vec::new());
        for path in [".", "./ab", "./ab/in", "./c/x/y", "./c", "./def"] {
            let header = Header::directory(path.as_bytes());
            writer.append(&header, &mut io::empty()).unwrap();
        }
        let archive = writer.finish().unwrap();
        let names = |len_max| names_in(&mut archive.as_slice(), len_max);
        assert_eq!(names(6).unwrap(), ["ab", "c", "def"]);
        assert_eq!(names(5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
