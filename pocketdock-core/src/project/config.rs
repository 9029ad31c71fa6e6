//! The settings: their files, their environment variables, their defaults, and which of these won.
//!
//! ```text
//! defaults < ~/.pocketdock/pocketdock.yaml < $XDG_CONFIG_HOME/pocketdock/pocketdock.yaml
//!          < the project's .pocketdock/pocketdock.yaml < POCKETDOCK_... < the caller's argument
//! ```
//!
//! A file that cannot be read, is no YAML, or has a value of a wrong type is an error: a setting is
//! never passed over in silence. A key that nobody knows may be of a later version, so it is a
//! warning. The group `logging:` may hold the keys about logs, and no other.
//!
//! Where the files are is `engine/settings.rs`; what each key takes is `keys.rs`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::container::profile::{DEFAULT_PROFILE, ProfileInfo};
use crate::engine::settings::{self, Place};
use crate::error::{Error, Result};
use crate::host::Environment;
use crate::project::keys::{self, Key, Values};
use crate::project::root::Project;
use crate::wire::nearest::nearest;
use crate::wire::value::{Object, Value};
use crate::wire::yaml::Document;

pub use crate::project::keys::LogLevel;

/// The group that keys about logs may stand in.
const GROUP: &str = "logging";

/// Where a setting comes from.
///
/// ```no_run
/// use pocketdock_core::{Config, Origin};
///
/// match Config::read()?.origin("socket") {
///     Origin::Default => println!("the engine is looked for"),
///     Origin::File(place) => println!("set in line {} of '{}'", place.line, place.path.display()),
///     other => println!("set by {other}"),
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(Place),
    /// An environment variable, by name.
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("the default"),
            Origin::File(place) => write!(f, "'{}', line {}", place.path.display(), place.line),
            Origin::Variable(name) => f.write_str(name),
        }
    }
}

/// Something in a configuration file that has no effect.
///
/// ```no_run
/// use pocketdock_core::{Config, ConfigWarning};
///
/// for ConfigWarning { place, message, .. } in Config::read()?.warnings() {
///     eprintln!("line {}: {message}", place.line);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigWarning {
    /// Where.
    pub place: Place,
    /// What is wrong, and what may have been meant.
    pub message: String,
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { path, line } = &self.place;
        write!(f, "{}:{line}: {}", path.display(), self.message)
    }
}

/// Every setting, with where it comes from.
///
/// ```
/// use pocketdock_core::{Config, host::Environment};
///
/// let mut environment = Environment::default();
/// environment.settings.push(("POCKETDOCK_MAX_LOG_SIZE".into(), "1m".into()));
/// let config = Config::load(&environment)?;
/// assert_eq!(config.max_log_size(), Some(1 << 20));
/// assert_eq!(config.origin("max_log_size").to_string(), "POCKETDOCK_MAX_LOG_SIZE");
/// assert_eq!(config.retention_days(), Some(30)); // The default.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    values: Values,
    origins: Vec<(&'static str, Origin)>,
    files: Vec<PathBuf>,
    warnings: Vec<ConfigWarning>,
    project: Option<Project>,
}

impl Config {
    /// Reads the settings that hold in the working directory.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn read() -> Result<Self> {
        Self::load(&Environment::read())
    }

    /// Reads the settings that hold in `environment`, its working directory included. Without one
    /// there is no project.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for what is wrong in a file, with its line; [`Error::Io`] if a file cannot
    /// be read; [`Error::InvalidArgument`] for what is wrong in a variable.
    pub fn load(environment: &Environment) -> Result<Self> {
        let start = environment.working_dir.as_deref();
        let home = environment.home.as_deref();
        let root = start.map(|start| settings::project_root(start, home));
        Self::of(root.transpose()?.flatten(), environment)
    }

    /// Reads the settings that hold in the project with this root.
    ///
    /// ```no_run
    /// use pocketdock_core::{Config, host::Environment};
    ///
    /// let config = Config::of(Some("/src/app".into()), &Environment::read())?;
    /// for file in config.files() {
    ///     println!("read '{}'", file.display());
    /// }
    /// println!("log: {}, up to {:?} of each", config.auto_log(), config.max_logs_per_instance());
    /// println!("sandboxes are persistent: {}", config.default_persist());
    /// println!("they stop when idle for {:?}", config.idle_timeout());
    /// println!("{:?}, level {}", config.socket(), config.log_level().as_str());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn of(root: Option<PathBuf>, environment: &Environment) -> Result<Self> {
        let mut config = Config::default();
        let project_file = root.as_deref().map(settings::project_file);
        // The more important later, because what is read later wins.
        let users = settings::user_files(environment).into_iter().rev();
        for path in users.chain(project_file.clone()) {
            if let Some(document) = settings::read(&path)? {
                let is_project = Some(&path) == project_file.as_ref();
                Layer::new(&path, &document, is_project).apply(&mut config)?;
                config.files.push(path);
            }
        }
        config.apply_variables(environment)?;
        let name = config.values.project_name.as_deref();
        config.project = root.map(|root| Project::new(root, name));
        Ok(config)
    }

    fn apply_variables(&mut self, environment: &Environment) -> Result<()> {
        for key in keys::ALL {
            let Some(variable) = key.variable else {
                continue;
            };
            let mut settings = environment.settings.iter();
            let Some((_, text)) = settings.find(|(name, _)| *name == *variable) else {
                continue;
            };
            let wrong = |expected| Error::invalid(variable, text.to_string_lossy(), expected);
            let value = text.to_str().map(|text| key.value_of(text));
            let value = value.ok_or_else(|| wrong("expected UTF-8".to_owned()))?;
            (key.set)(&mut self.values, &value).map_err(wrong)?;
            self.set_origin(key.name, Origin::Variable(variable));
        }
        Ok(())
    }

    fn set_origin(&mut self, key: &'static str, origin: Origin) {
        self.origins.retain(|(known, _)| *known != key);
        self.origins.push((key, origin));
    }

    /// The project, if the working directory is in one.
    #[must_use]
    pub fn project(&self) -> Option<&Project> {
        self.project.as_ref()
    }

    /// The files that were read, the one that wins over the others last.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What in these files has no effect.
    #[must_use]
    pub fn warnings(&self) -> &[ConfigWarning] {
        &self.warnings
    }

    /// Where the setting `key` comes from, such as `retention_days`.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        let found = self.origins.iter().find(|(known, _)| *known == key);
        found.map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// The profile of a sandbox for which none is asked.
    #[must_use]
    pub fn default_profile(&self) -> &'static ProfileInfo {
        self.values.default_profile.unwrap_or(DEFAULT_PROFILE)
    }

    /// Whether a sandbox is made to be stopped and resumed.
    #[must_use]
    pub fn default_persist(&self) -> bool {
        self.values.default_persist
    }

    /// Whether the output of commands is kept in logs.
    #[must_use]
    pub fn auto_log(&self) -> bool {
        self.values.auto_log
    }

    /// The longest log, in bytes; `None` is no limit.
    #[must_use]
    pub fn max_log_size(&self) -> Option<u64> {
        self.values.max_log_size
    }

    /// How many logs of one sandbox are kept; `None` is no limit.
    #[must_use]
    pub fn max_logs_per_instance(&self) -> Option<u64> {
        self.values.max_logs_per_instance
    }

    /// How many days logs are kept; `None` is for ever.
    #[must_use]
    pub fn retention_days(&self) -> Option<u64> {
        self.values.retention_days
    }

    /// The engine's socket, if a file names one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.values.socket.as_deref()
    }

    /// How much is said on stderr.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.values.log_level
    }

    /// After how long without use a sandbox is stopped; `None` is never.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.values.idle_timeout
    }
}

impl Default for Config {
    /// The settings of someone who has set none.
    fn default() -> Self {
        Config {
            values: Values::default(),
            origins: Vec::new(),
            files: Vec::new(),
            warnings: Vec::new(),
            project: None,
        }
    }
}

/// One file on its way into the settings.
struct Layer<'a> {
    path: &'a Path,
    document: &'a Document,
    is_project: bool,
    /// The keys so far, with their lines: none may be in the group and outside of it.
    seen: Vec<(&'static str, usize)>,
}

impl<'a> Layer<'a> {
    fn new(path: &'a Path, document: &'a Document, is_project: bool) -> Self {
        Layer {
            path,
            document,
            is_project,
            seen: Vec::new(),
        }
    }

    fn apply(mut self, config: &mut Config) -> Result<()> {
        let nothing = Object::new();
        let root = self.document.root.as_object().unwrap_or(&nothing);
        for (name, value) in root.iter() {
            if name != GROUP {
                self.set(config, &[name], value)?;
                continue;
            }
            let Some(group) = value.as_object() else {
                // `logging:` with every line below it a comment, as in a new project.
                if value.is_null() {
                    continue;
                }
                return Err(self.wrong(&[GROUP], "expected keys below it"));
            };
            for (name, value) in group.iter() {
                self.set(config, &[GROUP, name], value)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, config: &mut Config, path: &[&str], value: &Value) -> Result<()> {
        let name = path.last().copied().unwrap_or_default();
        let is_grouped = path.len() == 2;
        let known = keys::ALL.iter().find(|key| key.name == name);
        let place = self.place(path);
        match known {
            Some(key) if is_grouped && !key.is_about_logs => {
                let message = format!("'{name}' has no effect under '{GROUP}': it belongs above");
                config.warnings.push(ConfigWarning { place, message });
            }
            Some(key) if key.is_about_projects && !self.is_project => {
                let message = format!("'{name}' has an effect in a project's own file only");
                config.warnings.push(ConfigWarning { place, message });
            }
            Some(key) => self.set_known(config, key, path, value)?,
            None => {
                let message = unknown(name, is_grouped);
                config.warnings.push(ConfigWarning { place, message });
            }
        }
        Ok(())
    }

    fn set_known(
        &mut self,
        config: &mut Config,
        key: &'static Key,
        path: &[&str],
        value: &Value,
    ) -> Result<()> {
        let place = self.place(path);
        if let Some((_, first)) = self.seen.iter().find(|(name, _)| *name == key.name) {
            return Err(self.wrong(path, &format!("it is on line {first} already")));
        }
        self.seen.push((key.name, place.line));
        (key.set)(&mut config.values, value)
            .map_err(|expected| self.wrong(path, &format!("{expected}, not {}", shown(value))))?;
        config.set_origin(key.name, Origin::File(place));
        Ok(())
    }

    fn place(&self, path: &[&str]) -> Place {
        let line = self.document.position(path).map_or(0, |found| found.line);
        Place {
            path: self.path.to_owned(),
            line,
        }
    }

    fn wrong(&self, path: &[&str], message: &str) -> Error {
        let Place { path: file, line } = self.place(path);
        Error::Config {
            path: file,
            line,
            message: format!("{}: {message}", path.join(".")),
        }
    }
}

/// The warning for a key that nobody knows.
fn unknown(name: &str, is_grouped: bool) -> String {
    let candidates = keys::ALL
        .iter()
        .filter(|key| !is_grouped || key.is_about_logs);
    let names = candidates.map(|key| key.name);
    let group = (!is_grouped).then_some(GROUP);
    let hint = match nearest(name, names.chain(group)) {
        Some(known) => format!("; did you mean '{known}'?"),
        None => String::new(),
    };
    format!("unknown key '{}'{hint}", name.escape_debug())
}

/// A value as a person wrote it, more or less.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.escape_debug()),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
