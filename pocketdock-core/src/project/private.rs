//! Files and directories that nobody else can read, written so that nobody ever sees half of one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::host::{self, Life, ProcessIdentity};

/// Makes a directory and those above it.
pub(crate) fn create_dir(dir: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Error::io(format!("create '{}'", dir.display()), error))
}

/// What the directories begin with that are made or removed beside their place.
const ASIDE: &str = ".pocketdock-";

/// A name beside `path` that nothing has, and that tells whose it is.
fn aside(path: &Path) -> Result<PathBuf> {
    let own = ProcessIdentity::own().map_or(String::new(), |own| own.tag());
    let name = format!("{ASIDE}{own}-{}", host::random_hex::<4>()?);
    Ok(path.with_file_name(name))
}

/// Makes a directory that has a file in it from the first; false if something else is there.
pub(crate) fn create_dir_with(dir: &Path, name: &str, text: &[u8]) -> Result<bool> {
    create_dir(dir.parent().unwrap_or(dir))?;
    let new = aside(dir)?;
    create_dir(&new)?;
    let moved = write(&new.join(name), text).and_then(|()| match fs::rename(&new, dir) {
        Ok(()) => Ok(true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => Err(Error::io(format!("create '{}'", dir.display()), error)),
    });
    if !matches!(moved, Ok(true)) {
        let _not_there = fs::remove_dir_all(&new);
    }
    moved
}

fn is_taken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
    )
}

/// Moves a directory aside, so that its place is free before it has gone; where it is then.
pub(crate) fn move_aside(dir: &Path) -> Result<PathBuf> {
    let old = aside(dir)?;
    fs::rename(dir, &old)
        .map_err(|error| Error::io(format!("remove '{}'", dir.display()), error))?;
    Ok(old)
}

/// The directories that somebody who died has left aside in this one.
pub(crate) fn left_aside(dir: &Path) -> Result<Vec<PathBuf>> {
    let is_left = |name: &String| {
        let tag = name.strip_prefix(ASIDE);
        let tag = tag.and_then(|rest| rest.rsplit_once('-'));
        let maker = tag.and_then(|(tag, _random)| ProcessIdentity::parse_tag(tag));
        maker.is_some_and(|maker| maker.life() == Life::Dead)
    };
    let names = names_in(dir)?.into_iter().filter(is_left);
    Ok(names.map(|name| dir.join(name)).collect())
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

/// Removes a file, which another client may have done already.
pub(crate) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove '{}'", path.display()), error))
        }
        _ => Ok(()),
    }
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

/// The names in a directory that may not be there, sorted.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io(format!("list '{}'", dir.display()), error))?,
    };
    let names = listing.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    Ok(names)
}

/// A directory of a test's own.
#[cfg(test)]
pub(crate) struct Scratch(PathBuf);

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

    #[test]
    fn a_directory_is_there_with_its_file_or_not_at_all() {
        let scratch = Scratch::new("create-dir");
        let dir = scratch.path().join("above/dir");
        assert!(create_dir_with(&dir, "file", b"first").unwrap());
        assert!(!create_dir_with(&dir, "file", b"second").unwrap());
        assert_eq!(fs::read(dir.join("file")).unwrap(), b"first");
        assert_eq!(names_in(dir.parent().unwrap()).unwrap(), ["dir"]);
        let aside = move_aside(&dir).unwrap();
        assert!(!dir.exists() && aside.join("file").exists());
    }

    #[test]
    fn only_what_the_dead_have_left_aside_is_found() {
        let scratch = Scratch::new("aside");
        let own = ProcessIdentity::own().unwrap();
        let dead = ProcessIdentity {
            start_ticks: own.start_ticks + 1,
            ..own.clone()
        };
        let dead = format!("{ASIDE}{}-12ab", dead.tag());
        for name in [
            &dead,
            &format!("{ASIDE}{}-12ab", own.tag()),
            ".pocketdock-x",
            "box",
        ] {
            create_dir(&scratch.path().join(name)).unwrap();
        }
        assert_eq!(
            left_aside(scratch.path()).unwrap(),
            [scratch.path().join(dead)]
        );
    }
}
