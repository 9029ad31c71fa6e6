//! The configuration files: which there are, and the one key that finding an engine needs.
//!
//! ```text
//! ROOT/.pocketdock/pocketdock.yaml                   the project's; ROOT is the working directory
//!                                                    or the nearest directory above that has one
//! $XDG_CONFIG_HOME/pocketdock/pocketdock.yaml        the user's; ~/.config if that is not set
//! ~/.pocketdock/pocketdock.yaml                      the user's, too
//! ```
//!
//! What stands above in this list wins. The home directory is never a project: its
//! `.pocketdock/pocketdock.yaml` is the user's file.
//!
//! What the other keys mean is not known here: see [`project::config`](crate::project::config).
//!
//! ```
//! use std::path::Path;
//! use pocketdock_core::engine::settings::{FILE_NAME, PROJECT_DIR, project_file, user_files};
//! use pocketdock_core::host::Environment;
//!
//! let file = project_file(Path::new("/src/app"));
//! assert_eq!(file, Path::new("/src/app").join(PROJECT_DIR).join(FILE_NAME));
//!
//! let mut environment = Environment::default();
//! environment.home = Some("/home/me".into());
//! let files = user_files(&environment);
//! assert_eq!(files[0], Path::new("/home/me/.config/pocketdock/pocketdock.yaml"));
//! assert_eq!(files[1], Path::new("/home/me/.pocketdock/pocketdock.yaml"));
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::host::{self, Environment};
use crate::wire::value::Value;
use crate::wire::yaml::{self, DOCUMENT_LEN_MAX, Document};

/// The directory that makes another one a project.
pub const PROJECT_DIR: &str = ".pocketdock";

/// The name of every configuration file.
pub const FILE_NAME: &str = "pocketdock.yaml";

/// A line of a configuration file.
///
/// ```no_run
/// use pocketdock_core::engine::settings::{self, Place};
/// use pocketdock_core::host::Environment;
///
/// if let Some((socket, Place { path, line })) = settings::socket(&Environment::read())? {
///     println!("{socket}, says line {line} of '{}'", path.display());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// The nearest directory with a project's configuration file, from `start` upwards.
///
/// `start` should be absolute and without links. `home` is passed over.
///
/// ```no_run
/// use std::path::Path;
/// use pocketdock_core::engine::settings::{project_file, project_root, read};
///
/// if let Some(root) = project_root(Path::new("/src/app/tests"), None)? {
///     let document = read(&project_file(&root))?.unwrap_or_default();
///     println!("{:?}", document.root.str_at(&["project_name"]));
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Io`] if it cannot be told whether a directory has one.
pub fn project_root(start: &Path, home: Option<&Path>) -> Result<Option<PathBuf>> {
    let real_home = home.and_then(|home| fs::canonicalize(home).ok());
    for dir in start.ancestors() {
        if Some(dir) == home || Some(dir) == real_home.as_deref() {
            continue;
        }
        let file = project_file(dir);
        // A link that leads nowhere is found, too, and said to be broken when it is read.
        match fs::symlink_metadata(&file) {
            Ok(_) => return Ok(Some(dir.to_owned())),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(Error::io(format!("look at '{}'", file.display()), error)),
        }
    }
    Ok(None)
}

/// The configuration file of the project in `root`.
#[must_use]
pub fn project_file(root: &Path) -> PathBuf {
    root.join(PROJECT_DIR).join(FILE_NAME)
}

/// The user's configuration files, whether they exist or not, the more important first.
#[must_use]
pub fn user_files(environment: &Environment) -> Vec<PathBuf> {
    let home = environment.home.as_deref();
    // A relative path is no path, says the XDG Base Directory Specification.
    let own = environment.config_home.clone();
    let own = own.filter(|dir| dir.is_absolute());
    let config = own.or_else(|| home.map(|home| home.join(".config")));
    let config = config.map(|config| config.join("pocketdock").join(FILE_NAME));
    config.into_iter().chain(home.map(project_file)).collect()
}

/// The document in a configuration file; `None` if there is no such file.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be read; [`Error::Config`] if it is no file or is not written in the
/// part of YAML that is understood.
pub fn read(path: &Path) -> Result<Option<Document>> {
    let unusable = |line, message: String| Error::Config {
        path: path.to_owned(),
        line,
        message,
    };
    let unreadable = |error| Error::io(format!("read '{}'", path.display()), error);
    match fs::metadata(path) {
        // Asked first: opening a named pipe would wait for a writer.
        Ok(found) if !found.is_file() => return Err(unusable(0, "it is not a file".to_owned())),
        Ok(_) => {}
        Err(error) if is_absent(&error) && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let len_max = u64::try_from(DOCUMENT_LEN_MAX).unwrap_or(u64::MAX);
    let bytes = File::open(path)
        .and_then(|mut file| host::read_at_most(&mut file, len_max.saturating_add(1)))
        .map_err(unreadable)?;
    yaml::parse_document(&bytes).map(Some).map_err(|error| {
        let message = format!("{}, at column {}", error.kind, error.position.column);
        unusable(error.position.line, message)
    })
}

/// The `socket` of the first configuration file that has one, and where it stands.
///
/// # Errors
///
/// As [`project_root`] and [`read`]; [`Error::Config`] if it is not text.
pub fn socket(environment: &Environment) -> Result<Option<(String, Place)>> {
    let start = environment.working_dir.as_deref();
    let root = start.map(|start| project_root(start, environment.home.as_deref()));
    let project = root.transpose()?.flatten().map(|root| project_file(&root));
    for path in project.into_iter().chain(user_files(environment)) {
        let Some(document) = read(&path)? else {
            continue;
        };
        let line = document.position(&["socket"]).map_or(0, |place| place.line);
        match document.root.get("socket") {
            None => {}
            Some(Value::String(socket)) => return Ok(Some((socket.clone(), Place { path, line }))),
            Some(_) => {
                let message = "socket: expected an absolute path or unix:///PATH".to_owned();
                return Err(Error::Config {
                    path,
                    line,
                    message,
                });
            }
        }
    }
    Ok(None)
}

/// Whether there is nothing by a name, rather than something that cannot be looked at.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
