//! What goes into a sandbox, whichever way it goes: an archive of it, made as it is sent.

use std::io::{self, Read};

use crate::container::files::apart::Apart;
use crate::container::files::meter::Meter;
use crate::container::files::pack::{self, Closed, Failure, Owner, Source};
use crate::container::files::path::{Ending, SandboxPath};
use crate::container::files::repack::repack;
use crate::container::files::report::CopyReport;
use crate::host;
use crate::wire::time::Timestamp;

/// What is to go into a sandbox.
pub(crate) enum Cargo<'a> {
    /// Something of the host's, as `cp -r` would copy it.
    Copy(&'a Source),
    /// The content of one file, with the directories above it.
    Write(&'a [u8]),
    /// What an archive holds, into a directory.
    Unpack(&'a mut dyn Read),
    /// Nothing any more: the archive has been read, in which these directories were closed.
    Spent(Vec<Closed>),
}

impl Cargo<'_> {
    pub(crate) fn is_dir(&self) -> bool {
        match self {
            Cargo::Copy(source) => source.is_dir(),
            Cargo::Write(_) => false,
            Cargo::Unpack(_) | Cargo::Spent(_) => true,
        }
    }

    /// Whether it cannot be sent once more: it is not there any more, or could not be read.
    pub(crate) fn is_spent(&self) -> bool {
        match self {
            Cargo::Copy(source) => source.has_failed(),
            Cargo::Write(_) | Cargo::Unpack(_) => false,
            Cargo::Spent(_) => true,
        }
    }

    /// What it is called where it comes from; empty for what has no name.
    pub(crate) fn name(&self) -> &[u8] {
        match self {
            Cargo::Copy(source) => source.name(),
            Cargo::Write(_) | Cargo::Unpack(_) | Cargo::Spent(_) => b"",
        }
    }

    /// Whether the destination has to be a directory that is there.
    pub(crate) fn needs_directory(&self, dest: &SandboxPath) -> bool {
        matches!(self, Cargo::Unpack(_)) || dest.ending != Ending::Name
    }

    /// Writes it as an archive.
    pub(crate) fn pack(
        &mut self,
        name: &[u8],
        with_top: bool,
        owner: Owner,
        out: &mut dyn io::Write,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport, Failure> {
        match self {
            Cargo::Copy(source) => source.pack(name, with_top, owner, out, meter),
            Cargo::Write(content) => {
                let now = Timestamp::from(host::now());
                let mtime = (now.secs(), now.nanos());
                pack::pack_bytes(name, content, mtime, owner, out)?;
                Ok(CopyReport::default())
            }
            Cargo::Unpack(archive) => {
                let sent = repack(*archive, &mut Apart::none(), owner, out, meter);
                let (report, closed) = sent.inspect_err(|_| *self = Cargo::Spent(Vec::new()))?;
                *self = Cargo::Spent(closed);
                Ok(report)
            }
            Cargo::Spent(_) => Ok(CopyReport::default()),
        }
    }
}
