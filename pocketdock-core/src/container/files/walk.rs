//! Goes through a directory of the host, parents before and after what is in them.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::vec;

use crate::error::{Error, Result};

/// How deep a directory may be; each level is held open as a list of names.
const DEPTH_MAX: usize = 4096;

/// Something in the directory.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path from the directory on; empty for that itself.
    pub(crate) relative: PathBuf,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is; a link is a link.
    pub(crate) metadata: Metadata,
    /// Whether it is a directory whose content has been gone through.
    pub(crate) is_left: bool,
}

/// The walk: everything below a directory and itself, by name.
#[derive(Debug)]
pub(crate) struct Walk {
    root: PathBuf,
    levels: Vec<Level>,
    is_started: bool,
}

#[derive(Debug)]
struct Level {
    relative: PathBuf,
    metadata: Metadata,
    names: vec::IntoIter<OsString>,
}

impl Walk {
    /// Begins at `root`; a link to a directory is taken for the directory.
    pub(crate) fn new(root: &Path) -> Self {
        Walk {
            root: root.to_owned(),
            levels: Vec::new(),
            is_started: false,
        }
    }

    fn step(&mut self) -> Result<Option<Found>> {
        if !self.is_started {
            self.is_started = true;
            let metadata = fs::metadata(&self.root).map_err(|e| unreadable(&self.root, e))?;
            return self.enter(PathBuf::new(), metadata).map(Some);
        }
        let Some(level) = self.levels.last_mut() else {
            return Ok(None);
        };
        if let Some(name) = level.names.next() {
            let relative = level.relative.join(name);
            let path = self.root.join(&relative);
            let metadata = fs::symlink_metadata(&path).map_err(|e| unreadable(&path, e))?;
            return self.enter(relative, metadata).map(Some);
        }
        let left = self.levels.pop().map(|level| Found {
            path: self.root.join(&level.relative),
            relative: level.relative,
            metadata: level.metadata,
            is_left: true,
        });
        Ok(left)
    }

    fn enter(&mut self, relative: PathBuf, metadata: Metadata) -> Result<Found> {
        let path = self.root.join(&relative);
        if metadata.is_dir() {
            if DEPTH_MAX <= self.levels.len() {
                let reason = format!("expected at most {DEPTH_MAX} directories in each other");
                return Err(Error::invalid("path", path.to_string_lossy(), reason));
            }
            self.levels.push(Level {
                names: names_in(&path)?.into_iter(),
                relative: relative.clone(),
                metadata: metadata.clone(),
            });
        }
        Ok(Found {
            relative,
            path,
            metadata,
            is_left: false,
        })
    }
}

impl Iterator for Walk {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

fn names_in(dir: &Path) -> Result<Vec<OsString>> {
    let names = fs::read_dir(dir).and_then(|entries| {
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        names.collect::<std::io::Result<Vec<_>>>()
    });
    let mut names = names.map_err(|error| unreadable(dir, error))?;
    names.sort_unstable();
    Ok(names)
}

/// The error for something that is there and cannot be read, or is gone.
pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::PathNotFound { path: path.into() },
        _ => Error::io(format!("read '{}'", path.display()), error),
    }
}
