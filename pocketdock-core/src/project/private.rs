//! Files and directories that nobody else can read, written so that nobody ever sees half of one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};
use crate::host;

/// Makes a directory and those above it.
pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Error::io(format!("create '{}'", dir.display()), error))
}

/// Writes a file beside `path` and renames it.
pub(crate) fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let new = path.with_extension(format!("new-{}", host::random_hex::<4>()?));
    let replaced = write(&new, text).and_then(|()| {
        fs::rename(&new, path)
            .map_err(|error| Error::io(format!("replace '{}'", path.display()), error))
    });
    if replaced.is_err() {
        let _not_there = fs::remove_file(&new);
    }
    replaced
}

/// Writes a file that is not there yet; whether it was not.
pub(crate) fn create(path: &Path, text: &[u8]) -> Result<bool> {
    let new = path.with_extension(format!("new-{}", host::random_hex::<4>()?));
    let linked = write(&new, text).and_then(|()| match fs::hard_link(&new, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::io(format!("create '{}'", path.display()), error)),
    });
    let _not_there = fs::remove_file(&new);
    linked
}

fn write(path: &Path, text: &[u8]) -> Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text));
    written.map_err(|error| Error::io(format!("write '{}'", path.display()), error))
}

/// The names in a directory that may not be there.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io(format!("list '{}'", dir.display()), error))?,
    };
    Ok(listing
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect())
}

/// A directory of a test's own.
#[cfg(test)]
pub(crate) struct Scratch(std::path::PathBuf);

#[cfg(test)]
impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("pd-project-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        Scratch(dir.canonicalize().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn modes() {
        let scratch = Scratch::new("modes");
        let dir = scratch.path().join("a/b");
        create_dir(&dir).unwrap();
        replace(&dir.join("file"), b"x").unwrap();
        assert!(create(&dir.join("other"), b"x").unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&dir), mode(&scratch.path().join("a"))),
            (0o700, 0o700)
        );
        assert_eq!(
            (mode(&dir.join("file")), mode(&dir.join("other"))),
            (0o600, 0o600)
        );
    }

    #[test]
    fn only_one_creates_a_file_and_nothing_else_is_left() {
        let scratch = Scratch::new("create");
        let path = scratch.path().join("file.json");
        assert!(create(&path, b"first").unwrap());
        assert!(!create(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names_in(scratch.path()).unwrap(), ["file.json"]);
    }
}
