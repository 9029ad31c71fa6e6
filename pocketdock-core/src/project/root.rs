//! The root of a project: finding it, and making a directory one.
//!
//! ```text
//! ROOT/.pocketdock/         0700
//!   .gitignore              0600, keeps the instances out of version control
//!   pocketdock.yaml         0600, the settings: see `config`
//!   instances/              made with the first instance
//! ```
//!
//! A directory is a project if it has the settings file. It can be moved and renamed: nothing in
//! it says where it is. The home directory is none, because `~/.pocketdock/pocketdock.yaml` is the
//! user's own file.
//!
//! `.pocketdock/` appears by a rename when it is complete, so that a full disk or a kill leaves no
//! half of one and two who make it at once make one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::container::profile::{DEFAULT_PROFILE, resolve_profile};
use crate::engine::settings::{FILE_NAME, PROJECT_DIR, project_file, project_root};
use crate::error::{Error, Result};
use crate::host::{self, Environment};
use crate::project::name::checked_project_name;
use crate::wire::yaml;

const GITIGNORE: &str = "instances/\n";

/// A directory that is a project.
///
/// ```no_run
/// use pocketdock_core::{Config, Project};
///
/// let config = Config::read()?;
/// let project: Option<&Project> = config.project();
/// if let Some(project) = project {
///     println!("{}: {}", project.name, project.config_file().display());
///     println!("sandboxes in {}", project.instances_dir().display());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Project {
    /// The directory that holds `.pocketdock/`, absolute.
    pub root: PathBuf,
    /// What its sandboxes are labelled with: `project_name`, or the directory's own name.
    pub name: String,
}

impl Project {
    /// The project in `root`; `name` is what its settings say.
    pub(crate) fn new(root: PathBuf, name: Option<&str>) -> Self {
        let name = name.map_or_else(|| directory_name(&root), str::to_owned);
        Project { root, name }
    }

    /// Where the instances of its sandboxes are kept.
    #[must_use]
    pub fn instances_dir(&self) -> PathBuf {
        self.root.join(PROJECT_DIR).join("instances")
    }

    /// Its settings file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        project_file(&self.root)
    }
}

/// The name of a directory as the name of a project.
fn directory_name(root: &Path) -> String {
    let name = root.file_name().unwrap_or("root".as_ref());
    name.to_string_lossy().replace(char::is_control, "?")
}

/// The root of the project that `start` is in: `start` itself or the nearest directory above it
/// that holds `.pocketdock/pocketdock.yaml`.
///
/// Links in `start` are followed first: what counts is where a directory really is. The home
/// directory is passed over.
///
/// ```no_run
/// use std::path::Path;
///
/// let root = pocketdock_core::find_project_root(Path::new("."))?;
/// println!("{}", root.display());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ProjectNotInitialized`] if there is none; [`Error::PathNotFound`] or
/// [`Error::NotADirectory`] if `start` is no directory (any more); [`Error::Io`] if a directory on
/// the way cannot be looked into.
pub fn find_project_root(start: &Path) -> Result<PathBuf> {
    let start = real_directory(start)?;
    let home = Environment::read().home;
    let from = start.clone();
    project_root(&start, home.as_deref())?.ok_or(Error::ProjectNotInitialized { from })
}

/// What [`init_project`] has found or made.
///
/// ```no_run
/// use std::path::Path;
/// use pocketdock_core::{InitReport, init_project};
///
/// let InitReport { config_file, created, .. } = init_project(Path::new("."), None, Some("dev"))?;
/// println!("{} {}", if created { "made" } else { "kept" }, config_file.display());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InitReport {
    /// The root of the project, absolute.
    pub root: PathBuf,
    /// Its settings file.
    pub config_file: PathBuf,
    /// Whether it was made; `false` if it was there and nothing was changed.
    pub created: bool,
}

/// Makes the directory `path` a project: its `.pocketdock/` with a settings file that shows every
/// key.
///
/// `name` is what sandboxes are labelled with, the directory's name if there is none; `profile` is
/// the default profile. A directory that is a project already is left as it is.
///
/// ```
/// # let scratch = std::env::temp_dir().join(format!("pd-init-{}", std::process::id()));
/// # std::fs::create_dir(&scratch).unwrap();
/// use pocketdock_core::init_project;
///
/// assert!(init_project(&scratch, Some("my: \"app\""), None)?.created);
/// assert!(!init_project(&scratch, None, None)?.created);
/// # std::fs::remove_dir_all(&scratch).unwrap();
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidArgument`] for a name that is none and for the home directory;
/// [`Error::UnknownProfile`]; [`Error::PathNotFound`] and [`Error::NotADirectory`] if `path` or its
/// `.pocketdock` is no directory; [`Error::Io`] if a file cannot be written. Nothing is left behind
/// then.
pub fn init_project(path: &Path, name: Option<&str>, profile: Option<&str>) -> Result<InitReport> {
    let name = name.map(checked_project_name).transpose()?;
    if let Some(profile) = profile {
        resolve_profile(profile)?;
    }
    let root = real_directory(path)?;
    refuse_home(&root, path)?;
    let settings = template(name.unwrap_or(&directory_name(&root)), profile);
    let created = make(&root, &settings)?;
    Ok(InitReport {
        config_file: project_file(&root),
        root,
        created,
    })
}

fn refuse_home(root: &Path, path: &Path) -> Result<()> {
    let home = Environment::read().home;
    let home = home.and_then(|home| fs::canonicalize(home).ok());
    if home.as_deref() != Some(root) {
        return Ok(());
    }
    let why = "expected another directory than the home, whose .pocketdock holds the user's \
        own settings";
    Err(Error::invalid("project", path.to_string_lossy(), why))
}

/// A directory's absolute path without links.
fn real_directory(path: &Path) -> Result<PathBuf> {
    let real = fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::PathNotFound {
            path: path.to_owned(),
        },
        io::ErrorKind::NotADirectory => Error::NotADirectory {
            path: path.to_owned(),
        },
        _ => Error::io(format!("look at '{}'", path.display()), error),
    })?;
    match real.is_dir() {
        true => Ok(real),
        false => Err(Error::NotADirectory { path: real }),
    }
}

/// Makes `.pocketdock/` with everything in it, or what is missing of it. Whether we were the ones.
fn make(root: &Path, settings: &str) -> Result<bool> {
    let dir = root.join(PROJECT_DIR);
    match fs::metadata(&dir) {
        Ok(found) if !found.is_dir() => Err(Error::NotADirectory { path: dir }),
        Ok(_) => complete(&dir, settings),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("look at '{}'", dir.display()), error))
        }
        Err(_) => {
            let suffix = host::random_hex::<4>()?;
            let new = root.join(format!("{PROJECT_DIR}.{suffix}.new"));
            let made = fill(&new, settings).and_then(|()| match fs::rename(&new, &dir) {
                Ok(()) => Ok(true),
                // Another one was faster; what is missing of theirs, if anything, is made.
                Err(_) if dir.is_dir() => complete(&dir, settings),
                Err(error) => Err(cannot_make(&dir, error)),
            });
            if !matches!(made, Ok(true)) {
                // Ours by its random name. Where even this fails, the error below says enough.
                let _ = fs::remove_dir_all(&new);
            }
            made
        }
    }
}

fn fill(new: &Path, settings: &str) -> Result<()> {
    let create = DirBuilder::new().mode(0o700).create(new);
    create.map_err(|error| cannot_make(new, error))?;
    write_new(&new.join(".gitignore"), GITIGNORE)?;
    write_new(&new.join(FILE_NAME), settings)
}

/// Adds what a `.pocketdock/` lacks, the settings last: they are what makes it a project.
fn complete(dir: &Path, settings: &str) -> Result<bool> {
    let (ignored, file) = (dir.join(".gitignore"), dir.join(FILE_NAME));
    if exists(&file)? {
        return Ok(false);
    }
    if !exists(&ignored)? {
        publish(&ignored, GITIGNORE)?;
    }
    publish(&file, settings)
}

/// Whether there is anything by this name, a link that leads nowhere included.
fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(format!("look at '{}'", path.display()), error)),
    }
}

/// Writes a file that appears whole, unless there is one by this name; whether there was none.
fn publish(path: &Path, text: &str) -> Result<bool> {
    let suffix = host::random_hex::<4>()?;
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{suffix}.new"));
    let new = PathBuf::from(new);
    let written = write_new(&new, text).and_then(|()| match fs::hard_link(&new, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot_make(path, error)),
    });
    let _ = fs::remove_file(&new); // Not there if it could not be written.
    written
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .map_err(|error| cannot_make(path, error))
}

fn cannot_make(path: &Path, error: io::Error) -> Error {
    Error::io(format!("create '{}'", path.display()), error)
}

/// The settings file of a new project: every key, those that are not set as comments.
fn template(name: &str, profile: Option<&str>) -> String {
    let default = DEFAULT_PROFILE.name;
    let profile = match profile {
        Some(profile) => format!("default_profile: {profile}"),
        None => format!("# default_profile: {default}"),
    };
    format!(
        "# The settings of this pocketdock project. Lines with a # show the defaults.

# What its sandboxes are labelled with.
project_name: {name}

# The image of 'create' without --image and --profile.
{profile}

# Whether 'create' makes sandboxes that are meant to be stopped and resumed.
# default_persist: false

# Stops a sandbox that was not used for so long; 0 never does.
# idle_timeout: 0

# The engine's socket; without it the engine is looked for.
# socket: /run/podman/podman.sock

# What is said on stderr: error, warn, info or debug.
# log_level: info

logging:
  # Whether the output of commands is kept in logs.
  # auto_log: true

  # The longest log, the number of logs of each sandbox, and the days they are kept; 0 is no limit.
  # max_log_size: 10m
  # max_logs_per_instance: 100
  # retention_days: 30
",
        name = yaml::quoted(name)
    )
}
