//! Goes through a directory of the host, parents before and after what is in them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::vec;

use crate::container::host_dir::{self, HostDir};
use crate::error::{Error, Result};

/// Something in the directory.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path from the directory on; empty for that itself.
    pub(crate) relative: PathBuf,
    /// Its path as the caller knows it.
    pub(crate) path: PathBuf,
    /// Where it is reached until the walk goes on.
    pub(crate) at: PathBuf,
    /// What it is; a link is a link.
    pub(crate) metadata: Metadata,
    /// Whether it is a directory whose content has been gone through.
    pub(crate) is_left: bool,
}

impl Found {
    /// What to call it in a report: a source that is no directory has but its own name.
    pub(crate) fn shown(&self) -> PathBuf {
        match self.path.file_name() {
            Some(name) if self.relative.as_os_str().is_empty() => name.into(),
            _ => self.relative.clone(),
        }
    }

    /// Something by itself, which may be a link.
    pub(crate) fn alone(path: &Path) -> Result<Self> {
        Self::of(PathBuf::new(), path.to_owned(), path.to_owned())
    }

    fn of(relative: PathBuf, path: PathBuf, at: PathBuf) -> Result<Self> {
        let metadata = fs::symlink_metadata(at.as_path()).map_err(|e| unreadable(&path, e))?;
        Ok(Found {
            relative,
            path,
            at,
            metadata,
            is_left: false,
        })
    }

    /// Opens a file; what was put in its place meanwhile is refused.
    pub(crate) fn open(&self) -> Result<File> {
        let opened = host_dir::open_seen(&self.at, &self.metadata);
        opened.map_err(|error| unreadable(&self.path, error))
    }
}

/// The walk: everything below a directory and itself, by name.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    root: &'a HostDir,
    levels: Vec<Level>,
    is_started: bool,
}

#[derive(Debug)]
struct Level {
    /// `None` for the root.
    dir: Option<HostDir>,
    relative: PathBuf,
    names: vec::IntoIter<OsString>,
}

impl<'a> Walk<'a> {
    /// Begins at `root`.
    pub(crate) fn new(root: &'a HostDir) -> Self {
        Walk {
            root,
            levels: Vec::new(),
            is_started: false,
        }
    }

    fn step(&mut self) -> Result<Option<Found>> {
        let Some(level) = self.levels.last_mut() else {
            if self.is_started {
                return Ok(None);
            }
            self.is_started = true;
            self.enter(None, PathBuf::new())?;
            return itself(self.root, PathBuf::new()).map(Some);
        };
        let dir = level.dir.as_ref().unwrap_or(self.root);
        let Some(name) = level.names.next() else {
            let mut found = itself(dir, std::mem::take(&mut level.relative))?;
            found.is_left = true;
            self.levels.pop();
            return Ok(Some(found));
        };
        let relative = level.relative.join(&name);
        let found = Found::of(relative, dir.path_of(&name), dir.at(&name))?;
        if found.metadata.is_dir() {
            let child = dir.child(&name).map_err(|e| unreadable(&found.path, e))?;
            self.enter(Some(child), found.relative.clone())?;
        }
        Ok(Some(found))
    }

    fn enter(&mut self, dir: Option<HostDir>, relative: PathBuf) -> Result<()> {
        let here = dir.as_ref().unwrap_or(self.root);
        let names = here.names().map_err(|e| unreadable(here.path(), e))?;
        self.levels.push(Level {
            dir,
            relative,
            names: names.into_iter(),
        });
        Ok(())
    }
}

/// The directory itself.
fn itself(dir: &HostDir, relative: PathBuf) -> Result<Found> {
    Found::of(relative, dir.path().to_owned(), dir.at(OsStr::new(".")))
}

impl Iterator for Walk<'_> {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// The error for something that is there and cannot be read, or is gone.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::PathNotFound { path: path.into() },
        io::ErrorKind::NotADirectory => Error::NotADirectory { path: path.into() },
        _ => Error::io(format!("read '{}'", path.display()), error),
    }
}
