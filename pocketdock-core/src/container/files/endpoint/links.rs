//! Links of a sandbox on the way of what is copied into one of its directories.
//!
//! An engine follows such a link where it unpacks. If that leads to what it passes by, or above,
//! the copy would end up behind what is mounted there.

use std::path::{Path, PathBuf};

use crate::container::files::access::{Access, is_at_or_below};
use crate::container::files::endpoint::find::{look, mounts_below, stat, unable};
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
    /// Whether the last name on that way is no directory.
    ends: bool,
}

impl<'a> Lookout<'a> {
    pub(super) fn new(container: &'a Container, access: &'a Access, dir: &'a str) -> Self {
        Lookout {
            container,
            access,
            dir,
            way: PathBuf::new(),
            ends: false,
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
            self.ends = false;
        }
        let rest = below.strip_prefix(&self.way).unwrap_or(below);
        for name in rest {
            if self.ends {
                break;
            }
            self.way.push(name);
            self.ends = !self.is_directory()?;
        }
        Ok(())
    }

    /// Whether a directory is at the end of the way.
    fn is_directory(&self) -> Result<bool> {
        // A name that is no text cannot be asked for.
        let Some(way) = self.way.to_str() else {
            return Ok(false);
        };
        let path = format!("{}/{way}", self.dir.trim_end_matches('/'));
        let found = match stat(self.container, self.access, &path) {
            Err(Error::PathNotFound { .. }) => return Ok(false),
            found => found?,
        };
        if found.is_link {
            self.refuse_way_to_mount(&path)?;
        }
        Ok(found.is_dir)
    }

    fn refuse_way_to_mount(&self, link: &str) -> Result<()> {
        let Some(found) = look(self.container, self.access, link)? else {
            return Ok(());
        };
        let passed_by = self.access.passed_by().iter();
        let above = passed_by.filter(|mount| is_at_or_below(&found.path, mount));
        let below = mounts_below(self.access, &found.path);
        let mount = above.map(String::as_str).next();
        match mount.or_else(|| below.first().map(|mount| mount.path)) {
            Some(mount) => {
                let reason = format!("a link leads from there to what is mounted at '{mount}'");
                Err(unable(link, &reason))
            }
            None => Ok(()),
        }
    }
}
