//! What is at a path of a sandbox, as the engine's archive endpoint tells, and by which path the
//! engine is asked for it.
//!
//! Endpoint: `HEAD /containers/{id}/archive`, whose answer is a stat with the bits of Go's
//! `os.FileMode`. Links are followed here, [`LINKS_MAX`] of them.

use std::io;

use crate::container::files::access::Access;
use crate::container::handle::Container;
use crate::container::plan::way_to;
use crate::engine::EngineKind;
use crate::engine::archive;
use crate::error::{Error, Result};

/// How many links are followed, as the kernel does.
const LINKS_MAX: usize = 40;

/// Go's `os.FileMode` bits in a path's stat.
const MODE_DIR: u64 = 1 << 31;
const MODE_SYMLINK: u64 = 1 << 27;
/// These and those of pipes, sockets, devices and what is none of them.
const MODE_TYPE: u64 = MODE_DIR | MODE_SYMLINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;

/// How many names are followed; a longer path no system takes.
const NAMES_MAX: usize = 4096;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path without links.
    pub(super) path: String,
    pub(super) is_dir: bool,
}

/// What is at a path, links followed; `None` if nothing is.
pub(super) fn look(container: &Container, access: &Access, path: &str) -> Result<Option<Found>> {
    match walk(container, access, path, true) {
        Err(Error::PathNotFound { .. }) => Ok(None),
        walked => walked.map(|stat| {
            Some(Found {
                path: stat.path,
                is_dir: stat.is_dir,
            })
        }),
    }
}

/// What is at a path, a link of its last name not followed.
pub(super) fn stat(container: &Container, access: &Access, path: &str) -> Result<Stat> {
    walk(container, access, path, false)
}

/// Goes a path name by name, so that it is known without links: what the endpoint passes by is, and
/// Podman looks at a path alone to find out whether it leads into a volume.
fn walk(container: &Container, access: &Access, path: &str, follows_last: bool) -> Result<Stat> {
    let ask_at = |way: &str| match ask(container, access, way) {
        Err(Error::PathNotFound { .. }) => Err(Error::PathNotFound { path: path.into() }),
        asked => asked,
    };
    let mut ahead = names(path);
    let (mut n_links, mut n_names) = (0, 0);
    let mut way = String::new();
    let mut last = None;
    while let Some(name) = ahead.pop() {
        n_names += 1;
        match name.as_str() {
            "." => continue,
            ".." => {
                way.truncate(way.rfind('/').unwrap_or(0));
                last = None;
                continue;
            }
            name => way = format!("{way}/{name}"),
        }
        let stat = ask_at(&way)?;
        if stat.is_link && (follows_last || !ahead.is_empty()) {
            n_links += 1;
            if LINKS_MAX < n_links || NAMES_MAX < n_names {
                return Err(too_many_links(path));
            }
            if stat.target.is_empty() {
                let reason = "Podman does not tell where a link of such a name leads";
                return Err(unable(&way, reason));
            }
            ahead.extend(names(&stat.target));
            way.clear();
            last = None;
            continue;
        }
        if !stat.is_dir && !ahead.is_empty() {
            return Err(Error::NotADirectory { path: path.into() });
        }
        last = Some(stat);
    }
    match last {
        Some(stat) => Ok(stat),
        None => ask_at(if way.is_empty() { "/" } else { &way }),
    }
}

/// The names of a path, the first one last.
fn names(path: &str) -> Vec<String> {
    let names = path.rsplit('/').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn too_many_links(path: &str) -> Error {
    let doing = format!("follow '{path}' in the sandbox");
    Error::io(doing, io::Error::other("too many links"))
}

/// Whether a regular file, and no link to one, is at a path.
///
/// # Errors
///
/// As [`archive::stat`].
pub(crate) fn is_file(container: &Container, access: &Access, path: &str) -> Result<bool> {
    ask(container, access, path).map(|found| found.is_file)
}

pub(super) struct Stat {
    /// The path without links above its last name.
    pub(super) path: String,
    pub(super) is_file: bool,
    pub(super) is_dir: bool,
    pub(super) is_link: bool,
    /// An absolute path; the engine makes it one. Empty if it does not tell.
    pub(super) target: String,
}

/// What is at a path, by the engine's word alone.
pub(super) fn ask(container: &Container, access: &Access, path: &str) -> Result<Stat> {
    if access.made_at_start().contains(&path) {
        return Err(unable(path, "Podman makes it anew when the sandbox starts"));
    }
    let asked = asked(access, path)?;
    let stat = archive::stat(container.client(), container.container_id(), &asked);
    let stat = stat.map_err(|error| match error {
        Error::Engine { .. } if access.passed_by().iter().any(|mount| mount == path) => unable(
            path,
            "a file is mounted there, which Podman takes for a directory",
        ),
        Error::Engine { .. } => reason(container, &asked, error),
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
        path: path.to_owned(),
    })
}

/// Why an engine does not look at a path, for which an answer to HEAD has no room.
fn reason(container: &Container, asked: &str, error: Error) -> Error {
    match archive::get(container.client(), container.container_id(), asked) {
        // "too many links" says Docker, "too many levels of symbolic links" Podman.
        Err(Error::Engine { message, .. }) if message.contains("too many l") => {
            too_many_links(asked)
        }
        Err(reason) => reason,
        Ok(_) => error,
    }
}

/// Finds out where that is which the endpoint passes by, if a link leads there.
///
/// # Errors
///
/// As [`archive::stat`].
pub(crate) fn locate_mounts(container: &Container, access: &mut Access) -> Result<()> {
    let mut mounts = access.passed_by().to_vec();
    mounts.sort_unstable(); // What is in another one comes behind it.
    for path in mounts {
        // A volume at a link is what Podman takes that for.
        let found = match access.kind {
            EngineKind::Podman => stat(container, access, &path).map(|found| found.path),
            _ => walk(container, access, &path, true).map(|found| found.path),
        };
        match found {
            Ok(location) => access.locate(&path, location),
            // No way leads there any more: code in the sandbox has made a loop of links, say.
            Err(
                Error::PathNotFound { .. }
                | Error::NotADirectory { .. }
                | Error::InvalidArgument { .. }
                | Error::Engine { .. }
                | Error::Io { .. },
            ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A path as the engine is asked for it: of Podman, by a pattern that nothing else matches. A `*`
/// it refuses, even behind a backslash; a letter that is none of all others is one as well.
pub(super) fn asked(access: &Access, path: &str) -> Result<String> {
    let path = &access.as_mounted(path);
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
pub(super) fn unable(path: &str, reason: &str) -> Error {
    Error::invalid("path", path, format!("{reason}; resume it first"))
}

/// What is wrong with a path of memory in a sandbox that runs and lacks these programs.
pub(super) const MEMORY_NEEDS_TAR: &str =
    "that is memory, which Docker gets at only by 'sh' and 'tar' in the sandbox";

/// Refuses to read what the endpoint does not see, but code in the running sandbox does.
pub(super) fn refuse_memory(access: &Access, path: &str) -> Result<()> {
    match access.runs && access.endpoint_passes_under(path) {
        true => Err(Error::invalid("path", path, MEMORY_NEEDS_TAR)),
        false => Ok(()),
    }
}

/// A mount point that the endpoint passes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mount<'a> {
    /// Its path in the sandbox.
    pub(super) path: &'a str,
    /// Its path from the directory on that it is below.
    pub(super) below: &'a str,
}

/// The mount points below a path without links that the endpoint passes by.
pub(super) fn mounts_below<'a>(access: &'a Access, path: &str) -> Vec<Mount<'a>> {
    let path = way_to(path);
    let passed_by = access.passed_by().iter().map(String::as_str);
    let all = passed_by.chain(access.made_at_start().iter().copied());
    let mounts = all.filter_map(|mount| {
        let below = mount.strip_prefix(path.as_str())?.strip_prefix('/')?;
        Some(Mount { path: mount, below })
    });
    mounts.collect()
}

/// Those that are in none of the others.
pub(super) fn outermost(mut mounts: Vec<Mount<'_>>) -> Vec<Mount<'_>> {
    let all = mounts.clone();
    mounts.retain(|mount| {
        let mut others = all.iter();
        !others.any(|other| mount.path.starts_with(&format!("{}/", other.path)))
    });
    mounts
}

/// Refuses to copy a directory without what code in the running sandbox sees below it.
pub(super) fn refuse_memory_below(access: &Access, path: &str) -> Result<()> {
    match mounts_below(access, path).first() {
        Some(mount) => Err(Error::invalid("path", mount.path, MEMORY_NEEDS_TAR)),
        None => Ok(()),
    }
}
