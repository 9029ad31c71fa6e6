//! A directory of the host that nothing can be swapped for while it is written to.
//!
//! An open directory is worked in through `/proc/self/fd/N/NAME`, which the kernel resolves from
//! the directory itself and not from its path, as openat(2) would; std has no openat. So a
//! directory that is replaced by a link in between leads nobody anywhere. Where there is no such
//! `/proc`, the path is used, and only what was there before is checked.
//!
//! Source: proc(5), `/proc/pid/fd`.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An open directory.
#[derive(Debug)]
pub(crate) struct HostDir {
    file: File,
    /// What names in it are put behind.
    base: PathBuf,
    /// Its path as the caller knows it, for messages.
    path: PathBuf,
}

impl HostDir {
    /// Opens a directory; links in its path are followed, for they are the caller's.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // With the dot, anything but a directory is refused before it is opened.
        let file = File::open(path.join("."))?;
        Ok(Self::new(file, path.to_owned()))
    }

    fn new(file: File, path: PathBuf) -> Self {
        let base = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let is_usable = fs::metadata(&base).is_ok_and(|found| found.is_dir());
        HostDir {
            file,
            base: if is_usable { base } else { path.clone() },
            path,
        }
    }

    /// The path of a name in it, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    fn at(&self, name: &OsStr) -> PathBuf {
        self.base.join(name)
    }

    /// What has this name, a link as a link; `None` if nothing has.
    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Option<Metadata>> {
        match fs::symlink_metadata(self.at(name)) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory in it; a link to one is refused as `NotADirectory`.
    pub(crate) fn child(&self, name: &OsStr) -> io::Result<HostDir> {
        let path = self.at(name);
        let seen = fs::symlink_metadata(&path)?;
        if !seen.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let file = File::open(path.join("."))?;
        let opened = file.metadata()?;
        if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
            return Err(io::ErrorKind::NotADirectory.into()); // It was swapped for a link.
        }
        Ok(Self::new(file, self.path_of(name)))
    }

    /// The same directory once more.
    pub(crate) fn again(&self) -> io::Result<HostDir> {
        Ok(Self::new(self.file.try_clone()?, self.path.clone()))
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
    fn a_file_is_made_only_where_nothing_is() {
        let scratch = Scratch::new("new");
        let dir = HostDir::open(&scratch.0).unwrap();
        dir.make_symlink(name("link"), name("elsewhere")).unwrap();
        assert!(dir.make_file(name("link")).is_err());
        assert!(dir.look(name("link")).unwrap().unwrap().is_symlink());
        assert!(dir.look(name("elsewhere")).unwrap().is_none());
    }
}
