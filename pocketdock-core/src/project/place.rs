//! Where instances lie: in the project of a directory, or in the user's state directory.

use std::path::{Path, PathBuf};

use crate::engine::settings::{PROJECT_DIR, project_root};
use crate::error::{Error, Result};
use crate::host::Environment;

/// What a directory of instances is called, wherever it lies.
pub(crate) const INSTANCES: &str = "instances";

/// A directory of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) instances: PathBuf,
    /// The root of the project that it belongs to.
    pub(crate) root: Option<PathBuf>,
}

impl Place {
    /// That of the project with this root.
    pub(crate) fn in_project(root: &Path) -> Self {
        Place {
            instances: root.join(PROJECT_DIR).join(INSTANCES),
            root: Some(root.to_owned()),
        }
    }

    /// That outside any project.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if neither `XDG_STATE_HOME` nor `HOME` says where it would be.
    pub(crate) fn outside(environment: &Environment) -> Result<Self> {
        Ok(Place {
            instances: state_dir(environment)?,
            root: None,
        })
    }

    /// That of the working directory's project, or the one outside any.
    ///
    /// # Errors
    ///
    /// As [`outside`](Self::outside), and [`Error::Io`] if a directory on the way to the project
    /// cannot be looked into.
    pub(crate) fn here(environment: &Environment) -> Result<Self> {
        let start = environment.working_dir.as_deref();
        let root = start.map(|start| project_root(start, environment.home.as_deref()));
        match root.transpose()?.flatten() {
            Some(root) => Ok(Place::in_project(&root)),
            None => Place::outside(environment),
        }
    }

    /// The root of the project that a directory of instances belongs to.
    pub(crate) fn root_of(instances: &Path) -> Option<&Path> {
        let dir = instances.parent()?;
        let is_project = dir.file_name().is_some_and(|name| name == PROJECT_DIR);
        dir.parent().filter(|_| is_project)
    }
}

/// Where the instances of sandboxes outside any project are.
fn state_dir(environment: &Environment) -> Result<PathBuf> {
    let own = environment.state_home.clone();
    let home = || {
        environment
            .home
            .as_ref()
            .map(|home| home.join(".local/state"))
    };
    // A relative path is no path, says the XDG Base Directory Specification.
    own.filter(|dir| dir.is_absolute())
        .or_else(home)
        .map(|state| state.join("pocketdock/instances"))
        .ok_or_else(|| {
            Error::invalid(
                "HOME",
                "",
                "expected it or XDG_STATE_HOME to say where to keep logs",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_a_project_they_lie_in_the_state_directory() {
        let mut environment = Environment {
            home: Some("/h".into()),
            ..Environment::default()
        };
        let at_home = state_dir(&environment).unwrap();
        assert_eq!(at_home, Path::new("/h/.local/state/pocketdock/instances"));
        environment.state_home = Some("/s".into());
        assert_eq!(
            state_dir(&environment).unwrap(),
            Path::new("/s/pocketdock/instances")
        );
        assert!(state_dir(&Environment::default()).is_err());
    }
}
