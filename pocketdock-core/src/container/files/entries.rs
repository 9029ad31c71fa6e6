//! The entries of an archive from a sandbox, with those of archives of what is mounted in it, and
//! where each goes.
//!
//! The archive may be anything: code in the sandbox can have made it. No path in it leads out of
//! the destination ([`Mapping`]).

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::container::files::report::DroppedKind;
use crate::container::host_dir::DEPTH_MAX;
use crate::error::{Error, Result};
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::read::{self, Reader};

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The archive cannot be read on, or is none; in the middle of the entry with this path, if it
    /// is not empty.
    Archive(read::Error, Vec<u8>),
    /// What it holds cannot be put here.
    Destination(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Destination(error)
    }
}

impl Failure {
    /// Names the entry that it happened in.
    fn within(self, path: &[u8]) -> Self {
        match self {
            Failure::Archive(error, _) => Failure::Archive(error, path.to_vec()),
            other => other,
        }
    }

    /// Names the entry by a path of the archive that what its own is of is mounted in.
    fn below(self, mount: &[u8]) -> Self {
        match self {
            Failure::Archive(error, path) => {
                let mount = mount.strip_suffix(b"/").unwrap_or(mount);
                let first = path.iter().position(|&byte| byte == b'/');
                let rest = path.get(first.unwrap_or(path.len())..).unwrap_or_default();
                Failure::Archive(error, [mount, rest].concat())
            }
            other => other,
        }
    }
}

pub(super) fn broken(error: read::Error) -> Failure {
    Failure::Archive(error, Vec::new())
}

pub(super) type Outcome<T> = std::result::Result<T, Failure>;

/// Where the entries of an archive go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'a> {
    /// Whether the first name of each path stands for what is copied; else that has no name.
    pub(crate) is_named: bool,
    /// What that is called at the destination; if nothing, what is in it goes there.
    pub(crate) top: &'a [OsString],
    /// Whether a slash may stand for what is copied, as Podman has it of a volume.
    pub(crate) is_rooted: bool,
}

impl Mapping<'_> {
    /// The names from the destination to where a path of the archive goes.
    ///
    /// # Errors
    ///
    /// [`Error::UnsafePath`] if that could be somewhere else.
    pub(super) fn place(self, path: &[u8]) -> Result<Vec<OsString>> {
        let unsafe_path = |reason| Error::UnsafePath {
            path: OsStr::from_bytes(path).into(),
            reason,
        };
        let is_rooted = path.starts_with(b"/");
        if is_rooted && !self.is_rooted {
            return Err(unsafe_path("it is absolute"));
        }
        let parts = path.split(|&byte| byte == b'/');
        let mut parts = parts.filter(|part| !part.is_empty() && *part != b".");
        if self.is_named && !is_rooted && parts.next() == Some(b"..") {
            return Err(unsafe_path("it leads upwards"));
        }
        let mut names = self.top.to_vec();
        for part in parts {
            if part == b".." {
                return Err(unsafe_path("it leads upwards"));
            }
            names.push(OsString::from_vec(part.to_vec()));
        }
        match names.len() {
            len if DEPTH_MAX < len => Err(unsafe_path("it is too deep")),
            _ => Ok(names),
        }
    }
}

/// What is mounted in what an archive is of, and is not in that archive.
pub(crate) struct Mounted {
    /// Where, by the names from what is copied on.
    pub(crate) below: Vec<OsString>,
    /// The archive of it, each path in which begins with a name for it or with a slash, and what is
    /// mounted in it in its turn; `None` for a file that the engine does not give out.
    pub(crate) content: Option<(Box<dyn Read>, Vec<Mounted>)>,
}

/// What goes to a path of the destination.
pub(super) enum Item<'a> {
    Entry {
        header: &'a Header,
        mapping: Mapping<'a>,
        data: &'a mut dyn Read,
    },
    /// Nothing: a mounted file that the engine does not give out.
    Missing,
}

/// What is done with each.
pub(super) type Visit<'v> = dyn FnMut(&[OsString], Item<'_>) -> Outcome<()> + 'v;

/// Goes through an archive. What is mounted comes in the place of what it is mounted at, and what
/// lies under it is left out.
pub(super) fn for_each(
    archive: &mut dyn Read,
    mut mounts: Vec<Mounted>,
    mapping: Mapping<'_>,
    visit: &mut Visit<'_>,
) -> Outcome<()> {
    let mut met: Vec<Vec<OsString>> = Vec::new();
    let mut reader = Reader::new(archive);
    while let Some(mut entry) = reader.next_entry().map_err(broken)? {
        let header = entry.header().clone();
        let path = mapping.place(&header.path)?;
        let below = path.get(mapping.top.len()..).unwrap_or_default();
        if let Some(at) = mounts.iter().position(|mount| below == mount.below) {
            let mount = mounts.swap_remove(at);
            met.push(mount.below.clone());
            let added = for_each_mounted(mount, mapping, visit);
            added.map_err(|failure| failure.below(&header.path))?;
        } else if !met.iter().any(|mount| below.starts_with(mount)) {
            let item = Item::Entry {
                header: &header,
                mapping,
                data: &mut entry,
            };
            let visited = visit(&path, item);
            visited.map_err(|failure| failure.within(&header.path))?;
        }
    }
    let mut unmet = mounts.into_iter();
    unmet.try_for_each(|mount| for_each_mounted(mount, mapping, visit))
}

fn for_each_mounted(mount: Mounted, mapping: Mapping<'_>, visit: &mut Visit<'_>) -> Outcome<()> {
    let top = [mapping.top, mount.below.as_slice()].concat();
    let Some((mut archive, mounts)) = mount.content else {
        return visit(&top, Item::Missing);
    };
    let mapping = Mapping {
        is_named: true,
        top: &top,
        is_rooted: true,
    };
    for_each(&mut archive, mounts, mapping, visit)
}

/// What of an entry is left out.
pub(super) fn dropped(header: &Header) -> Option<DroppedKind> {
    match header.kind {
        Kind::File if header.mode & 0o6000 != 0 => Some(DroppedKind::SetId),
        Kind::File | Kind::Directory | Kind::Symlink(_) | Kind::HardLink(_) => None,
        Kind::Fifo => Some(DroppedKind::Fifo),
        Kind::CharDevice | Kind::BlockDevice => Some(DroppedKind::Device),
        Kind::Other(_) => Some(DroppedKind::Other),
    }
}

/// Whether an entry is copied of which this is left out.
pub(super) fn is_copied(dropped: Option<DroppedKind>) -> bool {
    matches!(dropped, None | Some(DroppedKind::SetId))
}

/// The error for a copy that whoever watches it has stopped.
pub(super) fn stopped(error: io::Error) -> Error {
    Error::io("finish the copy", error)
}
