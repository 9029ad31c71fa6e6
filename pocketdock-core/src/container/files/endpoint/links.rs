//! Links of a sandbox on the way of what is copied into one of its directories.
//!
//! An engine follows such a link where it unpacks. If that leads to what it passes by, or above,
//! the copy would end up behind what is mounted there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::container::files::access::{Access, is_at_or_below};
use crate::container::files::endpoint::find::{self, ask, look, unable};
use crate::container::handle::Container;
use crate::error::{Error, Result};

/// Looks at the directories of a copy, one after the other.
pub(super) struct Lookout<'a> {
    container: &'a Container,
    access: &'a Access,
    /// Where the copy goes, without links.
    dir: &'a str,
    /// The way to the last one from there, as far as there are directories; behind them, nothing
    /// that matters.
    way: PathBuf,
    /// Where each directory on that way is, without links. The last is `None` if it is none.
    places: Vec<Option<String>>,
}

impl<'a> Lookout<'a> {
    pub(super) fn new(container: &'a Container, access: &'a Access, dir: &'a str) -> Self {
        Lookout {
            container,
            access,
            dir,
            way: PathBuf::new(),
            places: Vec::new(),
        }
    }

    /// Looks at a directory by its path from where the copy goes. What has been looked at on the
    /// way to the one before, is not asked for again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a link to where something is mounted, and what the engine
    /// says.
    pub(super) fn look_at(&mut self, below: &Path) -> Result<()> {
        while !below.starts_with(&self.way) {
            self.way.pop();
            self.places.pop();
        }
        let rest = below.strip_prefix(&self.way).unwrap_or(below);
        for name in rest {
            let above = match self.places.last() {
                Some(None) => break,
                Some(Some(place)) => place,
                None => self.dir,
            };
            let place = self.directory(above, name)?;
            self.way.push(name);
            self.places.push(place);
        }
        Ok(())
    }

    /// Where the directory is that a name in another one leads to, if it is one.
    fn directory(&self, above: &str, name: &OsStr) -> Result<Option<String>> {
        // A name that is no text cannot be asked for.
        let Some(name) = name.to_str() else {
            return Ok(None);
        };
        let path = format!("{}/{name}", above.trim_end_matches('/'));
        let found = match ask(self.container, self.access, &path) {
            Err(Error::PathNotFound { .. }) => return Ok(None),
            found => found?,
        };
        if !found.is_link {
            return Ok(found.is_dir.then_some(found.path));
        }
        let Some(found) = look(self.container, self.access, &path)? else {
            return Ok(None);
        };
        self.refuse_way_to_mount(&path, &found.path)?;
        Ok(found.is_dir.then_some(found.path))
    }

    fn refuse_way_to_mount(&self, link: &str, place: &str) -> Result<()> {
        let passed_by = self.access.passed_by().iter();
        let mut above = passed_by.filter(|mount| is_at_or_below(place, mount));
        let below = find::mounts_below(self.access, place);
        let mount = above.next().map(String::as_str);
        match mount.or_else(|| below.first().map(|mount| mount.path)) {
            Some(mount) => {
                let reason = format!("a link leads from there to what is mounted at '{mount}'");
                Err(unable(link, &reason))
            }
            None => Ok(()),
        }
    }
}
