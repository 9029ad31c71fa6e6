//! Out of a sandbox through the engine's archive endpoint.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::container::files::access::Access;
use crate::container::files::endpoint::find::{self, Stat, look, refuse_memory, stat};
use crate::container::files::entries::Mounted;
use crate::container::files::look::NAMES_LEN_MAX;
use crate::container::files::path::{Ending, SandboxPath};
use crate::container::handle::Container;
use crate::container::plan::way_to;
use crate::engine::EngineKind;
use crate::engine::archive;
use crate::engine::client::Streaming;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::tar::header::Kind;
use crate::wire::tar::read::{self, Reader};
use crate::wire::tar::write::Writer;

/// How much of an archive is read at a time.
const BUFFER_LEN: usize = 64 * 1024;

/// All that is at a path.
pub(crate) struct Tree {
    pub(crate) body: Body,
    /// Whether the paths in it begin with the name of what was asked for.
    pub(crate) is_named: bool,
    /// What is mounted in it.
    pub(crate) mounts: Vec<Mounted>,
}

/// Archives of everything at a path.
///
/// # Errors
///
/// As [`archive::get`], and [`Error::InvalidArgument`] for what the endpoint cannot bring.
pub(crate) fn tree(container: &Container, access: &Access, path: &SandboxPath) -> Result<Tree> {
    let (found, is_named) = match find_source(container, access, path) {
        // No engine looks at a link that leads to itself.
        Err(error @ Error::Io { .. }) if path.ending == Ending::Name => {
            let link = link(container, access, path.as_str()).map_err(|_none| error)?;
            return Ok(Tree {
                body: Body::Link(link),
                is_named: true,
                mounts: Vec::new(),
            });
        }
        found => found?,
    };
    let mut mounts = Vec::new();
    if access.kind == EngineKind::Podman {
        mounts = mounted_in(container, access, &found.path)?;
    } else if access.runs {
        // In a sandbox that does not run, there is nothing in memory.
        find::refuse_memory_below(access, &found.path)?;
    }
    let body = open_tree(container, access, &found, is_named)?;
    Ok(Tree {
        body,
        is_named,
        mounts,
    })
}

/// What is mounted in a directory, each thing with what is mounted in it.
fn mounted_in(container: &Container, access: &Access, dir: &str) -> Result<Vec<Mounted>> {
    let outermost = find::outermost(find::mounts_below(access, dir));
    let open = |mount: find::Mount<'_>| {
        let below = mount.below.split('/').map(OsString::from).collect();
        find::asked(access, mount.path)?;
        // A file that is mounted by itself is refused.
        let content = match stat(container, access, mount.path) {
            Err(Error::InvalidArgument { .. }) => None,
            found => {
                found?;
                let archive = get(container, access, mount.path)?;
                let mounts = mounted_in(container, access, mount.path)?;
                Some((Box::new(archive) as Box<dyn Read>, mounts))
            }
        };
        Ok(Mounted { below, content })
    };
    outermost.into_iter().map(open).collect()
}

/// What is copied from a path, and whether it has a name.
fn find_source(container: &Container, access: &Access, path: &SandboxPath) -> Result<(Stat, bool)> {
    let text = path.as_str();
    refuse_memory(access, &way_to(text))?;
    let found = stat(container, access, text)?;
    refuse_memory(access, &found.path)?;
    if path.ending == Ending::Name {
        return Ok((found, true));
    }
    if found.is_dir {
        return Ok((found, false));
    }
    // The engine would follow a link before the dot without saying where it leads.
    match look(container, access, text)? {
        Some(to) if to.is_dir => {
            refuse_memory(access, &to.path)?;
            let (path, is_dir) = (to.path, true);
            Ok((
                Stat {
                    path,
                    is_dir,
                    ..found
                },
                false,
            ))
        }
        _ => Err(Error::NotADirectory { path: text.into() }),
    }
}

fn open_tree(container: &Container, access: &Access, found: &Stat, is_named: bool) -> Result<Body> {
    match is_named {
        true if found.is_link && access.kind == EngineKind::Podman => {
            Ok(Body::Link(link(container, access, &found.path)?))
        }
        true => get(container, access, &found.path),
        false => get(container, access, &format!("{}/.", found.path)),
    }
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
    refuse_memory(access, &way_to(text))?;
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
    host::read_at_most(&mut entry, len_max).map_err(broken)
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
    let mut body = open_tree(container, access, &found, is_named)?;
    names_in(&mut body, NAMES_LEN_MAX).map_err(|error| {
        let doing = format!("list '{}' in the sandbox", path.as_str());
        Error::io(doing, error)
    })
}

/// The first names of the paths in an archive, which take up at most `len_max` bytes.
fn names_in(archive: &mut dyn Read, mut len_max: u64) -> io::Result<Vec<OsString>> {
    let mut reader = reader(archive);
    let mut names: Vec<OsString> = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let parts = entry.header().path.split(|&byte| byte == b'/');
        let mut parts = parts.filter(|part| !part.is_empty() && *part != b".");
        let name = parts.next().unwrap_or_default();
        // What is in a directory comes behind it.
        let is_known = names.last().is_some_and(|last| last.as_bytes() == name);
        if !name.is_empty() && !is_known {
            let left = len_max.checked_sub(name.len() as u64);
            len_max = left.ok_or(io::ErrorKind::FileTooLarge)?;
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn get(container: &Container, access: &Access, path: &str) -> Result<Body> {
    let asked = find::asked(access, path)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tar::header::Header;

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
