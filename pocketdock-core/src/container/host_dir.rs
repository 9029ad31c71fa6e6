//! A directory of the host that nothing can be swapped for while it is read or written to.
//!
//! An open directory is worked in through `/proc/self/fd/N/NAME`, which the kernel resolves from
//! the directory itself and not from its path, as openat(2) would; std has no openat. So a
//! directory that is replaced by a link in between leads nobody anywhere. Where there is no such
//! `/proc`, the path is used, and only what was there before is checked.
//!
//! What is opened is what was looked at, or nothing: a link, a pipe or a device that somebody has
//! put in its place meanwhile is an error, and is not even opened on Linux.
//!
//! Source: proc(5), `/proc/pid/fd`; open(2), `O_PATH`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Opens a place and not what is there, so that no pipe waits and no device notices. Everywhere but
/// on Linux there is no such thing, and on the SPARC the number is another; there, it is opened.
const O_PATH: i32 = match cfg!(all(target_os = "linux", not(target_arch = "sparc64"))) {
    true => 0o10_000_000,
    false => 0,
};

/// How deep a directory may lie below the first; each on the way is held open.
pub(crate) const DEPTH_MAX: usize = 512;

/// Opens for reading what was seen at a path, and nothing else that is there by now.
pub(crate) fn open_seen(path: &Path, seen: &Metadata) -> io::Result<File> {
    let place = OpenOptions::new()
        .read(true)
        .custom_flags(O_PATH)
        .open(path)?;
    let found = place.metadata()?;
    let identity = |it: &Metadata| (it.dev(), it.ino(), it.file_type());
    if identity(&found) != identity(seen) {
        let reason = "something else was put in its place while it was copied";
        return Err(io::Error::other(reason));
    }
    if O_PATH == 0 {
        return Ok(place);
    }
    match File::open(proc_path(&place)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(path),
        opened => opened,
    }
}

fn open_dir(at: &Path) -> io::Result<File> {
    let seen = fs::symlink_metadata(at)?;
    match seen.is_dir() {
        true => open_seen(&at.join("."), &seen),
        false => Err(io::ErrorKind::NotADirectory.into()),
    }
}

/// Where an open file is reached, whatever has become of its path.
fn proc_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct HostDir {
    file: File,
    /// What names in it are put behind.
    base: PathBuf,
    /// Its path as the caller knows it, for messages.
    path: PathBuf,
    depth: usize,
}

impl HostDir {
    /// Opens a directory; links in its path are followed, for they are the caller's.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // With the dot, anything but a directory is refused before it is opened.
        let file = File::open(path.join("."))?;
        Ok(Self::new(file, path.to_owned(), 0))
    }

    /// Opens a directory; a link to one is refused as `NotADirectory`.
    pub(crate) fn open_no_link(path: &Path) -> io::Result<Self> {
        Self::enter(path, path.to_owned(), 0)
    }

    fn enter(at: &Path, path: PathBuf, depth: usize) -> io::Result<Self> {
        // One that is mounted when it is entered is another from then on.
        let file = open_dir(at).or_else(|_| open_dir(at))?;
        Ok(Self::new(file, path, depth))
    }

    fn new(file: File, path: PathBuf, depth: usize) -> Self {
        let base = proc_path(&file);
        let is_usable = fs::metadata(&base).is_ok_and(|found| found.is_dir());
        HostDir {
            file,
            base: if is_usable { base } else { path.clone() },
            path,
            depth,
        }
    }

    /// Its own path, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a name in it, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Where a name in it is reached, as long as it is open.
    pub(crate) fn at(&self, name: &OsStr) -> PathBuf {
        self.base.join(name)
    }

    /// The names in it, sorted by their bytes.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(&self.base)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// What has this name, a link as a link; `None` if nothing has.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<Metadata>> {
        match fs::symlink_metadata(self.at(name).as_path()) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory in it; a link to one is refused as `NotADirectory`.
    pub(crate) fn child(&self, name: &OsStr) -> io::Result<HostDir> {
        if self.depth == DEPTH_MAX {
            return Err(io::Error::other("it lies in too many directories"));
        }
        Self::enter(&self.at(name), self.path_of(name), self.depth + 1)
    }

    /// The same directory once more.
    pub(crate) fn again(&self) -> io::Result<HostDir> {
        let file = self.file.try_clone()?;
        Ok(Self::new(file, self.path.clone(), self.depth))
    }

    /// Makes a directory in it that only its owner can use as yet.
    pub(crate) fn make_dir(&self, name: &OsStr) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(self.at(name))
    }

    /// Makes a file in it that only its owner can use as yet.
    pub(crate) fn make_file(&self, name: &OsStr) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.at(name))
    }

    /// Makes a symbolic link in it.
    pub(crate) fn make_symlink(&self, name: &OsStr, target: &OsStr) -> io::Result<()> {
        std::os::unix::fs::symlink(target, self.at(name))
    }

    /// Gives a file of another directory a name in this one as well; a link is not followed.
    pub(crate) fn make_hard_link(
        &self,
        name: &OsStr,
        dir: &HostDir,
        original: &OsStr,
    ) -> io::Result<()> {
        fs::hard_link(dir.at(original), self.at(name))
    }

    /// Puts what is called `from` in the place of whatever is called `to`.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    /// Removes what has this name and is no directory.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.at(name))
    }

    /// What it is itself.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// Sets its own mode and time of modification.
    pub(crate) fn set(&self, mode: u32, times: fs::FileTimes) -> io::Result<()> {
        self.file.set_times(times)?;
        self.file.set_permissions(Permissions::from_mode(mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("pd-dir-{name}-{}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Scratch(dir)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn name(text: &str) -> &OsStr {
        OsStr::new(text)
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let scratch = Scratch::new("refused");
        let dir = HostDir::open(&scratch.0).unwrap();
        dir.make_file(name("file")).unwrap();
        dir.make_symlink(name("link"), name("/")).unwrap();
        for child in ["file", "link"] {
            let error = dir.child(name(child)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{child}");
            assert!(HostDir::open(&scratch.0.join("file")).is_err());
        }
        let missing = dir.child(name("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_open_directory_stays_itself_when_its_path_leads_elsewhere() {
        let scratch = Scratch::new("swapped");
        let (inside, outside) = (scratch.0.join("inside"), scratch.0.join("outside"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        let dir = HostDir::open(&scratch.0).unwrap();
        let child = dir.child(name("inside")).unwrap();
        fs::rename(&inside, scratch.0.join("moved")).unwrap();
        std::os::unix::fs::symlink(&outside, &inside).unwrap();
        child.make_file(name("f")).unwrap().write_all(b"x").unwrap();
        assert!(!outside.join("f").exists());
        assert_eq!(fs::read(scratch.0.join("moved/f")).unwrap(), b"x");
    }

    #[test]
    fn what_is_opened_is_what_was_seen() {
        let scratch = Scratch::new("seen");
        let (path, pipe) = (scratch.0.join("file"), scratch.0.join("pipe"));
        fs::write(&path, "content").unwrap();
        fs::write(scratch.0.join("other"), "other").unwrap();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let seen = fs::symlink_metadata(&path).unwrap();
        let opened = io::read_to_string(open_seen(&path, &seen).unwrap());
        assert_eq!(opened.unwrap(), "content");
        fs::rename(&path, scratch.0.join("moved")).unwrap();
        std::os::unix::fs::symlink("other", scratch.0.join("link")).unwrap();
        for swapped_in in ["link", "pipe", "other"] {
            fs::rename(scratch.0.join(swapped_in), &path).unwrap();
            let error = open_seen(&path, &seen).unwrap_err();
            assert!(
                error.to_string().contains("in its place"),
                "{swapped_in}: {error}"
            );
        }
    }

    #[test]
    fn how_deep_directories_may_be() {
        let scratch = Scratch::new("deep");
        let mut dir = HostDir::open(&scratch.0).unwrap();
        let mut above = Vec::new();
        for _ in 0..DEPTH_MAX {
            dir.make_dir(name("d")).unwrap();
            let child = dir.child(name("d")).unwrap();
            above.push(std::mem::replace(&mut dir, child));
        }
        dir.make_dir(name("d")).unwrap();
        let error = dir.child(name("d")).unwrap_err().to_string();
        assert_eq!(error, "it lies in too many directories");
    }

    #[test]
    fn a_file_is_made_only_where_nothing_is() {
        let scratch = Scratch::new("new");
        let dir = HostDir::open(&scratch.0).unwrap();
        dir.make_symlink(name("link"), name("elsewhere")).unwrap();
        assert!(dir.make_file(name("link")).is_err());
        assert!(dir.look(name("link")).unwrap().unwrap().is_symlink());
        assert!(dir.look(name("elsewhere")).unwrap().is_none());
    }
}
