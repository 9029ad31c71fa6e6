//! Files of a sandbox: write, read, list, push, pull, what has changed.
//!
//! ```text
//! files/path       what the end of a path says, as for `cp -r`
//! files/report     what came of a copy
//! files/meter      how far it has come
//! files/walk       a directory of the host, from top to bottom
//! files/pack       files of the host as an archive
//! files/entries    what is in an archive, whoever made it, and where it goes
//! files/unpack     that as files of the host
//! files/rewrite    that as another archive, for the host
//! files/repack     an archive that somebody has made as one for a sandbox
//! files/apart      what of that goes where something is mounted
//! files/access     which way files go
//! files/script     a script in a sandbox that runs: its data and its words
//! files/put        an archive into one, with `put.sh`
//! files/look       one file and one directory of one, with `read.sh` and `list.sh`
//! files/endpoint   the engine's archive endpoint, for one that does not run
//! ```
//!
//! Paths in a sandbox are absolute. What goes in belongs to the sandbox's user; what comes out, to
//! whoever calls. Modes and times are kept (of a link the target alone: std cannot set a link's
//! time), setuid and setgid bits are not. Everything is moved in pieces of a fixed size.

pub(crate) mod access;
mod apart;
mod cargo;
pub(crate) mod endpoint;
mod entries;
pub(crate) mod look;
pub(crate) mod meter;
pub(crate) mod pack;
pub(crate) mod path;
pub(crate) mod put;
mod repack;
pub mod report;
mod rewrite;
pub(crate) mod script;
pub(crate) mod unpack;
pub(crate) mod walk;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::container::embed::embed;
use crate::container::files::access::{Access, is_kernels, is_made};
use crate::container::files::cargo::Cargo;
use crate::container::files::endpoint::get::Tree;
use crate::container::files::entries::{Failure, Mapping, Mounted};
use crate::container::files::meter::Meter;
use crate::container::files::pack::Source;
use crate::container::files::path::{Ending, SandboxPath};
use crate::container::files::report::CopyReport;
use crate::container::files::script::Script;
use crate::container::files::unpack::Inodes;
use crate::container::handle::Container;
use crate::container::progress::Progress;
use crate::engine::containers::ChangeKind;
use crate::engine::{EngineKind, containers};
use crate::error::{Error, Result};

/// Gives out an archive of what is in a sandbox.
const GET: &str = embed!("files/get.sh");

/// The longest file that [`Container::read_file`] takes into memory, in bytes.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// use std::path::Path;
/// use pocketdock_core::container::files::READ_FILE_LEN_MAX;
///
/// let len = sandbox.run(["stat", "-c", "%s", "/home/sandbox/out"])?;
/// if len.stdout_text().trim().parse::<u64>().is_ok_and(|len| len <= READ_FILE_LEN_MAX) {
///     println!("{}", String::from_utf8_lossy(&sandbox.read_file("/home/sandbox/out")?));
/// } else {
///     sandbox.pull("/home/sandbox/out", Path::new("."))?; // In constant memory.
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const READ_FILE_LEN_MAX: u64 = 256 * 1024 * 1024;

/// How much a copy that was told to stop goes on for, in bytes, to hear why.
const LAST_WORDS_LEN_MAX: u64 = 16 * 1024 * 1024;

impl Container {
    /// Writes a file, and the directories above it that are missing.
    ///
    /// It belongs to the sandbox's user and has mode 0644. A file that is there is replaced, one
    /// that a link leads to as well.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.write_file("/home/sandbox/src/main.py", "print(6 * 7)\n")?;
    /// assert_eq!(sandbox.run("python3 /home/sandbox/src/main.py")?.stdout, b"42\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a path that is not absolute; [`Error::IsADirectory`],
    /// [`Error::NotADirectory`]; [`Error::Io`] for what the sandbox's user may not write, or has no
    /// room for; [`Error::ContainerNotFound`] and the errors of the connection.
    pub fn write_file(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let dest = SandboxPath::parse(path)?;
        if dest.ending != Ending::Name {
            return Err(Error::IsADirectory { path: path.into() });
        }
        let mut cargo = Cargo::Write(content.as_ref());
        self.deliver(&mut cargo, &dest, &mut Meter::new(None, &mut go_on))
            .map(drop)
    }

    /// Reads a file whole; links are followed.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let name = sandbox.read_file("/etc/hostname")?;
    /// println!("{}", String::from_utf8_lossy(&name).trim());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PathNotFound`], [`Error::IsADirectory`]; [`Error::Io`] for what is no regular
    /// file, may not be read, or is longer than [`READ_FILE_LEN_MAX`], for which there is
    /// [`pull`](Self::pull); as [`write_file`](Self::write_file) otherwise.
    pub fn read_file(&self, path: &str) -> Result<Vec<u8>> {
        let parsed = SandboxPath::parse(path)?;
        if parsed.ending != Ending::Name {
            return Err(Error::IsADirectory { path: path.into() });
        }
        let mut access = Access::of(self)?;
        if access.runs {
            let content = look::read(self, &access, &parsed, READ_FILE_LEN_MAX);
            if !needs_endpoint(&content, &access, &parsed) {
                return content;
            }
        }
        endpoint::find::locate_mounts(self, &mut access)?;
        endpoint::get::read(self, &access, &parsed, READ_FILE_LEN_MAX)
    }

    /// The names in a directory, sorted by their bytes, without `.` and `..`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// for name in sandbox.list_files("/home/sandbox")? {
    ///     println!("{}", name.display());
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PathNotFound`], [`Error::NotADirectory`]; as [`read_file`](Self::read_file)
    /// otherwise.
    pub fn list_files(&self, path: &str) -> Result<Vec<OsString>> {
        let parsed = SandboxPath::parse(path)?;
        let mut access = Access::of(self)?;
        if access.runs {
            let names = look::names(self, &access, &parsed);
            if !needs_endpoint(&names, &access, &parsed) {
                return names;
            }
        }
        endpoint::find::locate_mounts(self, &mut access)?;
        endpoint::get::names(self, &access, &parsed)
    }

    /// Copies a file, a link or a directory of the host into the sandbox, as `cp -r` would.
    ///
    /// A `dest` that is a directory, or ends in a slash, means into it; otherwise it is the new
    /// name. A `source` that ends in `/.` is what is in that directory. What is new appears when it
    /// is complete; into a directory that is there, files go one after the other.
    ///
    /// ```no_run
    /// # use std::path::Path;
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let report = sandbox.push(Path::new("src"), "/home/sandbox/")?;
    /// println!("{} entries, {} bytes", report.entries, report.bytes);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PathNotFound`], [`Error::NotADirectory`] and [`Error::IsADirectory`] for either
    /// side; [`Error::Io`] for what cannot be read here, which is found before anything is sent, or
    /// not be written there; [`Error::InvalidArgument`]; [`Error::ContainerNotFound`] and the
    /// errors of the connection.
    pub fn push(&self, source: &Path, dest: &str) -> Result<CopyReport> {
        self.push_with(source, dest, &mut go_on)
    }

    /// As [`push`](Self::push), and tells how far it has come; [`ControlFlow::Break`] stops it.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use std::ops::ControlFlow;
    /// use std::path::Path;
    ///
    /// sandbox.push_with(Path::new("data"), "/home/sandbox/", &mut |progress| {
    ///     eprint!("\r{} bytes", progress.done_bytes);
    ///     ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_with(
        &self,
        source: &Path,
        dest: &str,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CopyReport> {
        let dest = SandboxPath::parse(dest)?;
        let source = Source::survey(source)?;
        let mut meter = Meter::new(Some(source.total_bytes()), on_progress);
        self.deliver(&mut Cargo::Copy(&source), &dest, &mut meter)
    }

    /// Unpacks a tar archive into a directory of the sandbox.
    ///
    /// Everything in it becomes the sandbox's user's; devices and pipes are left out and listed.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let mut archive = std::fs::File::open("src.tar").expect("an archive");
    /// let report = sandbox.push_archive(&mut archive, "/home/sandbox", &mut |_| {
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// println!("{} entries", report.entries);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnsafePath`] for a path that leads out of the archive; [`Error::Io`] for an archive
    /// that cannot be read; as [`push`](Self::push) otherwise.
    pub fn push_archive(
        &self,
        archive: &mut dyn Read,
        dest: &str,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CopyReport> {
        let dest = SandboxPath::parse(dest)?;
        let mut meter = Meter::new(None, on_progress);
        self.deliver(&mut Cargo::Unpack(archive), &dest, &mut meter)
    }

    /// Copies a file, a link or a directory of the sandbox to the host, as `cp -r` would.
    ///
    /// A `dest` that is a directory, or ends in a slash, means into it; otherwise it is the new
    /// name. A `source` that ends in `/.` is what is in that directory.
    ///
    /// Whatever is in the sandbox, nothing is written outside of the destination. Devices, pipes
    /// and setuid bits are left out and listed. A file has its name only when it is complete.
    ///
    /// ```no_run
    /// # use std::path::Path;
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let report = sandbox.pull("/home/sandbox/results", Path::new("."))?;
    /// for dropped in &report.dropped {
    ///     eprintln!("left out: {} ({})", dropped.path.display(), dropped.what.as_str());
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::PathNotFound`], [`Error::NotADirectory`] and [`Error::IsADirectory`] for either
    /// side; [`Error::UnsafePath`] for what would lead elsewhere; [`Error::Io`] for what cannot be
    /// read there or written here; [`Error::ContainerNotFound`] and the errors of the connection.
    pub fn pull(&self, source: &str, dest: &Path) -> Result<CopyReport> {
        self.pull_with(source, dest, &mut go_on)
    }

    /// As [`pull`](Self::pull), and tells how far it has come; [`ControlFlow::Break`] stops it. How
    /// much there is, is known for a single file only.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use std::ops::ControlFlow;
    /// use std::path::Path;
    ///
    /// // Up to a gibibyte.
    /// sandbox.pull_with("/home/sandbox/out", Path::new("."), &mut |progress| {
    ///     match progress.done_bytes {
    ///         0..=0x4000_0000 => ControlFlow::Continue(()),
    ///         _ => ControlFlow::Break(()),
    ///     }
    /// })?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pull`](Self::pull).
    pub fn pull_with(
        &self,
        source: &str,
        dest: &Path,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CopyReport> {
        let parsed = SandboxPath::parse(source)?;
        let (dir, top) = host_place(dest, source_name(&parsed))?;
        let mut access = Access::of(self)?;
        let has_roots = access.has_rooted_volumes();
        let mut made = Inodes::new();
        let mut pull = |(mut outlet, is_named): (Outlet, bool)| {
            let mapping = Mapping {
                is_named,
                top: top.as_slice(),
                is_rooted: has_roots && outlet.is_endpoint(),
            };
            let mut meter = Meter::new(None, on_progress);
            let mounts = outlet.take_mounts();
            let unpacked =
                unpack::unpack(&mut outlet, mounts, &dir, mapping, &mut meter, &mut made);
            let is_hosts = matches!(unpacked, Err(Failure::Destination(_)));
            let closed = outlet.close(unpacked, &parsed);
            (closed, is_hosts)
        };
        let (pulled, is_hosts) = pull(self.open_outlet(&mut access, &parsed)?);
        if is_hosts || !needs_endpoint(&pulled, &access, &parsed) {
            return pulled;
        }
        // Something inside may not be read; once more, then, past the sandbox's user.
        pull(self.open_endpoint(&mut access, &parsed)?).0
    }

    /// Copies a file, a link or a directory of the sandbox into a tar archive.
    ///
    /// Paths in it begin with the name of `source`, or with `.` if that ends in `/.`; owners are
    /// left out. Devices and pipes are left out and listed.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let mut archive = std::fs::File::create("home.tar").expect("a file to write to");
    /// sandbox.pull_archive("/home/sandbox", &mut archive, &mut |_| {
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pull`](Self::pull), and [`Error::Io`] if `out` does not take it.
    pub fn pull_archive(
        &self,
        source: &str,
        out: &mut dyn Write,
        on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<CopyReport> {
        let parsed = SandboxPath::parse(source)?;
        let mut access = Access::of(self)?;
        let has_roots = access.has_rooted_volumes();
        let (mut outlet, is_named) = self.open_outlet(&mut access, &parsed)?;
        let name = source_name(&parsed).map(OsStr::to_owned);
        let mapping = Mapping {
            is_named,
            top: name.as_slice(),
            is_rooted: has_roots && outlet.is_endpoint(),
        };
        let mut meter = Meter::new(None, on_progress);
        let mounts = outlet.take_mounts();
        let written = rewrite::rewrite(&mut outlet, mounts, out, mapping, &mut meter);
        outlet.close(written, &parsed)
    }

    /// The paths that differ from the sandbox's image, as the engine lists them.
    ///
    /// Engine endpoint: `GET /containers/{id}/changes`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// for (kind, path) in sandbox.changes()? {
    ///     println!("{kind:?} {path}");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::Engine`].
    pub fn changes(&self) -> Result<Vec<(ChangeKind, String)>> {
        containers::changes(self.client(), self.container_id())
    }

    fn deliver(
        &self,
        cargo: &mut Cargo<'_>,
        dest: &SandboxPath,
        meter: &mut Meter<'_>,
    ) -> Result<CopyReport> {
        let mut access = Access::of(self)?;
        if access.runs {
            let sent = put::put(self, &access, cargo, dest, meter);
            if cargo.is_spent() || !needs_endpoint(&sent, &access, dest) {
                return sent;
            }
        }
        endpoint::find::locate_mounts(self, &mut access)?;
        endpoint::put::put(self, &access, cargo, dest, meter)
    }

    /// Begins to read an archive; whether the paths in it begin with the name of what was asked.
    fn open_outlet(&self, access: &mut Access, path: &SandboxPath) -> Result<(Outlet, bool)> {
        // Podman's endpoint gives out a file in less time, and locks nothing.
        let is_quick = access.runs
            && access.kind == EngineKind::Podman
            && path.ending == Ending::Name
            && !is_kernels(path.as_str())
            && matches!(
                endpoint::find::is_file(self, access, path.as_str()),
                Ok(true)
            );
        if access.runs && !is_quick {
            let (dir, name) = tar_arguments(path);
            let user = access.script_user();
            let mut script = Script::start(self, user, GET, &[dir, name], false)?;
            match script.begin() {
                Ok(()) => return Ok((Outlet::Script(Box::new(script)), name != ".")),
                begun if needs_endpoint(&begun, access, path) => {}
                Err(error) => return Err(error),
            }
        }
        self.open_endpoint(access, path)
    }

    /// The same past the sandbox's own `tar`. It finds nothing of what the kernel makes.
    fn open_endpoint(&self, access: &mut Access, path: &SandboxPath) -> Result<(Outlet, bool)> {
        if is_made(path.as_str()) {
            return Err(script::said_error(&format!("made {}", path.as_str())));
        }
        endpoint::find::locate_mounts(self, access)?;
        let tree = endpoint::get::tree(self, access, path)?;
        let is_named = tree.is_named;
        Ok((Outlet::Endpoint(Box::new(tree)), is_named))
    }
}

/// For a copy that nobody watches.
fn go_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Whether a script could not do it and the endpoint can: the sandbox has no `sh` or `tar`, or its
/// user may not.
fn needs_endpoint<T>(outcome: &Result<T>, access: &Access, path: &SandboxPath) -> bool {
    match outcome {
        Err(Error::CommandNotFound { .. }) => true,
        Err(Error::Io { source, .. }) => {
            source.kind() == io::ErrorKind::PermissionDenied
                && access.script_user().is_none()
                && access.endpoint_sees(path.as_str())
        }
        _ => false,
    }
}

/// What an archive of the sandbox's files comes out of.
enum Outlet {
    Script(Box<Script>),
    Endpoint(Box<Tree>),
}

impl Read for Outlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Outlet::Script(script) => script.read(buffer),
            Outlet::Endpoint(tree) => tree.body.read(buffer),
        }
    }
}

impl Outlet {
    fn is_endpoint(&self) -> bool {
        matches!(self, Outlet::Endpoint(_))
    }

    /// What is mounted in it and has archives of its own.
    fn take_mounts(&mut self) -> Vec<Mounted> {
        match self {
            Outlet::Script(_) => Vec::new(), // `tar` in the sandbox sees it.
            Outlet::Endpoint(tree) => std::mem::take(&mut tree.mounts),
        }
    }

    /// Finds out whether what was read is all there is, and if not, whose fault it is, and of which
    /// file.
    fn close<T>(self, outcome: std::result::Result<T, Failure>, source: &SandboxPath) -> Result<T> {
        let doing = format!("read '{}' in the sandbox", source.as_str());
        match (outcome, self) {
            (Ok(value), Outlet::Script(mut script)) => {
                let finished = script.finish(&doing).map(|()| value);
                finished.map_err(|error| match script.unread_file() {
                    // What else tar says of others names them itself.
                    Some(path) if is_made(&inside(source, path)) => {
                        unread(error, &inside(source, path))
                    }
                    _ => error,
                })
            }
            (Ok(value), Outlet::Endpoint(_)) => Ok(value),
            (Err(Failure::Destination(error)), Outlet::Script(mut script)) => {
                script.kill();
                Err(error)
            }
            (Err(Failure::Destination(error)), Outlet::Endpoint(_)) => Err(error),
            (Err(Failure::Archive(error, path)), outlet) => {
                let mut said = Ok(());
                if let Outlet::Script(mut script) = outlet {
                    // It says why it has given out no more, unless it has been made to lie.
                    said = script.last_words(LAST_WORDS_LEN_MAX, &doing);
                    script.kill();
                }
                let why = said.and_then(|()| Err(Error::io(doing, error.into())));
                why.map_err(|error| match path.is_empty() {
                    true => error,
                    false => unread(error, &inside(source, &String::from_utf8_lossy(&path))),
                })
            }
        }
    }
}

/// The path in the sandbox of an entry of the archive that is made of `source`.
fn inside(source: &SandboxPath, entry: &str) -> String {
    let (dir, _) = tar_arguments(source);
    let entry = entry.strip_prefix("./").unwrap_or(entry);
    let dir = dir.strip_suffix("/.").unwrap_or(dir);
    format!("{}/{entry}", dir.trim_end_matches('/'))
}

/// An error in the middle of a file as one of that file.
fn unread(error: Error, path: &str) -> Error {
    match error {
        Error::Io { source, .. } if is_made(path) => {
            let reason = io::Error::new(source.kind(), script::MADE);
            Error::io(format!("copy '{path}'"), reason)
        }
        Error::Io { source, .. } => Error::io(format!("read '{path}' in the sandbox"), source),
        other => other,
    }
}

/// The directory and the name in it that `tar` is to make an archive of.
fn tar_arguments(source: &SandboxPath) -> (&str, &str) {
    match source.ending {
        Ending::Name => source.split(),
        Ending::Slash | Ending::Nameless => (source.as_str(), "."),
    }
}

/// The name of what is copied out; `None` for a directory without one.
fn source_name(source: &SandboxPath) -> Option<&OsStr> {
    match source.ending {
        Ending::Name | Ending::Slash => source.as_str().rsplit('/').next().map(OsStr::new),
        Ending::Nameless => None,
    }
}

/// Where on the host something goes: a directory that is there, and the name in it; without, what
/// is in it goes there.
fn host_place(dest: &Path, name: Option<&OsStr>) -> Result<(PathBuf, Option<OsString>)> {
    let bytes = dest.as_os_str().as_bytes();
    let found = fs::metadata(dest);
    match (Ending::of(bytes), found) {
        _ if bytes.is_empty() => Err(Error::PathNotFound { path: dest.into() }),
        (_, Ok(found)) if found.is_dir() => Ok((dest.to_owned(), name.map(OsStr::to_owned))),
        (Ending::Name, found) => {
            let parent = match dest.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            match (fs::metadata(parent), found) {
                (Ok(above), _) if above.is_dir() => {
                    Ok((parent.to_owned(), dest.file_name().map(OsStr::to_owned)))
                }
                (Ok(_), _) => Err(Error::NotADirectory {
                    path: parent.into(),
                }),
                (Err(error), _) => Err(walk::unreadable(parent, error)),
            }
        }
        (_, Ok(_)) => Err(Error::NotADirectory { path: dest.into() }),
        (_, Err(error)) => Err(walk::unreadable(dest, error)),
    }
}
