//! What came of a copy into or out of a sandbox.
//!
//! ```no_run
//! # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
//! use std::path::Path;
//! use pocketdock_core::{CopyReport, Dropped, DroppedKind};
//!
//! let report: CopyReport = sandbox.pull("/home/sandbox", Path::new("home"))?;
//! println!("{} entries, {} bytes", report.entries, report.bytes);
//! for Dropped { path, what, .. } in &report.dropped {
//!     match what {
//!         DroppedKind::SetId => println!("{}: without its bits", path.display()),
//!         other => println!("{}: left out, a {}", path.display(), other.as_str()),
//!     }
//! }
//! # Ok::<(), pocketdock_core::Error>(())
//! ```

use std::path::{Path, PathBuf};

/// What a copy has brought over, and what it has left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyReport {
    /// Files, directories and links that were copied.
    pub entries: u64,
    /// The bytes in the files among them.
    pub bytes: u64,
    /// What could not be copied as it is, in order.
    pub dropped: Vec<Dropped>,
}

/// Something that a copy has left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// Its path at the source, below what was copied.
    pub path: PathBuf,
    /// What was left out.
    pub what: DroppedKind,
}

/// What a copy leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DroppedKind {
    /// A device.
    Device,
    /// A named pipe.
    Fifo,
    /// A socket of the host; those of a sandbox are left out without being listed.
    Socket,
    /// Something else that is neither file, directory nor link.
    Other,
    /// A file that Podman mounts by itself in a sandbox which does not run, and does not give out.
    Mounted,
    /// The bits by which a program gets its owner's or group's rights; the file was copied. Those
    /// of directories are left out without being listed.
    SetId,
}

/// How many of them are listed; a container can have as many as it likes.
const DROPPED_MAX: usize = 10_000;

/// The longest path among them, in bytes; no system takes a longer one.
const PATH_LEN_MAX: usize = 4096;

impl DroppedKind {
    /// Its name in messages and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DroppedKind::Device => "device",
            DroppedKind::Fifo => "fifo",
            DroppedKind::Socket => "socket",
            DroppedKind::Other => "special file",
            DroppedKind::Mounted => "mounted file",
            DroppedKind::SetId => "setuid or setgid bit",
        }
    }
}

impl CopyReport {
    /// Counts an entry, and the bytes that its header promises.
    pub(crate) fn count(&mut self, len: u64) {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(len); // Nobody can keep such a promise.
    }

    /// Notes what is left out; of very many, the first.
    pub(crate) fn drop_entry(&mut self, path: PathBuf, what: DroppedKind) {
        if self.dropped.len() < DROPPED_MAX && path.as_os_str().len() <= PATH_LEN_MAX {
            self.dropped.push(Dropped { path, what });
        }
    }

    /// Adds what came of a part that is below a path of the whole.
    pub(crate) fn add(&mut self, below: &Path, part: CopyReport) {
        self.entries += part.entries;
        self.bytes = self.bytes.saturating_add(part.bytes);
        for dropped in part.dropped {
            let path = dropped.path.strip_prefix(".").unwrap_or(&dropped.path);
            self.drop_entry(below.join(path), dropped.what);
        }
    }
}
