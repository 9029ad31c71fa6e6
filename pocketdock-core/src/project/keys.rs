//! The keys of the configuration: one table of names, variables and what each takes.

use std::path::PathBuf;
use std::time::Duration;

use crate::container::profile::{ProfileInfo, list_profiles, resolve_profile};
use crate::engine::socket::configured_address;
use crate::project::name;
use crate::wire::size::{parse_duration, parse_size};
use crate::wire::value::Value;

/// The bounds of `max_log_size`, in bytes, besides 0.
const LOG_SIZE: (u64, u64) = (1 << 10, 1 << 40);

/// The most `max_logs_per_instance`.
const LOGS_MAX: u64 = 1_000_000;

/// The most `retention_days`: a hundred years.
const DAYS_MAX: u64 = 36_500;

/// The bounds of `idle_timeout`, besides 0.
const IDLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(365 * 86_400));

/// How much is said on stderr.
///
/// ```
/// use pocketdock_core::LogLevel;
///
/// assert_eq!(LogLevel::parse("warn"), Some(LogLevel::Warn));
/// assert_eq!(LogLevel::parse("warning"), None);
/// assert!(LogLevel::Warn < LogLevel::Debug); // Debug says more.
/// assert_eq!(LogLevel::Debug.as_str(), "debug");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Errors only.
    Error,
    /// Warnings, too.
    Warn,
    /// What was done, too.
    Info,
    /// Every exchange with the engine, too.
    Debug,
}

impl LogLevel {
    /// The level of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let levels = [Self::Error, Self::Warn, Self::Info, Self::Debug];
        levels.into_iter().find(|level| level.as_str() == name)
    }

    /// Its name in a configuration file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
        }
    }
}

/// What all keys say.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub(super) project_name: Option<String>,
    pub(super) default_profile: Option<&'static ProfileInfo>,
    pub(super) default_persist: bool,
    pub(super) auto_log: bool,
    pub(super) max_log_size: Option<u64>,
    pub(super) max_logs_per_instance: Option<u64>,
    pub(super) retention_days: Option<u64>,
    pub(super) socket: Option<PathBuf>,
    pub(super) log_level: LogLevel,
    pub(super) idle_timeout: Option<Duration>,
}

impl Default for Values {
    fn default() -> Self {
        Values {
            project_name: None,
            default_profile: None,
            default_persist: false,
            auto_log: true,
            max_log_size: Some(10 << 20),
            max_logs_per_instance: Some(100),
            retention_days: Some(30),
            socket: None,
            log_level: LogLevel::Info,
            idle_timeout: None,
        }
    }
}

/// Puts a value in its place, or says what was expected.
type Setter = fn(&mut Values, &Value) -> Result<(), String>;

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// The environment variable that wins over the files. `POCKETDOCK_SOCKET` is none of them: it
    /// comes before other choices of an engine that come before the files.
    pub(super) variable: Option<&'static str>,
    /// Whether it may stand under `logging`.
    pub(super) is_about_logs: bool,
    /// Whether it says something about one project only.
    pub(super) is_about_projects: bool,
    /// Whether its values are text, however much they look like something else.
    is_text: bool,
    pub(super) set: Setter,
}

impl Key {
    const fn new(name: &'static str, variable: Option<&'static str>, set: Setter) -> Self {
        Key {
            name,
            variable,
            is_about_logs: false,
            is_about_projects: false,
            is_text: false,
            set,
        }
    }

    const fn text(name: &'static str, variable: Option<&'static str>, set: Setter) -> Self {
        let mut key = Self::new(name, variable, set);
        key.is_text = true;
        key
    }

    const fn about_logs(mut self) -> Self {
        self.is_about_logs = true;
        self
    }

    const fn about_projects(mut self) -> Self {
        self.is_about_projects = true;
        self
    }

    /// The text of a variable as the value that it would be in a file.
    pub(super) fn value_of(&self, text: &str) -> Value {
        let typed = match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            number => number.parse::<i64>().ok().map(Value::Int),
        };
        typed
            .filter(|_| !self.is_text)
            .unwrap_or_else(|| Value::from(text))
    }
}

/// Every key.
#[rustfmt::skip] // one key per line
pub(super) static ALL: &[Key] = &[
    Key::text("project_name",         Some("POCKETDOCK_PROJECT_NAME"),          project_name).about_projects(),
    Key::text("default_profile",      Some("POCKETDOCK_DEFAULT_PROFILE"),       default_profile),
    Key::new("default_persist",       Some("POCKETDOCK_DEFAULT_PERSIST"),       default_persist),
    Key::new("auto_log",              Some("POCKETDOCK_AUTO_LOG"),              auto_log).about_logs(),
    Key::new("max_log_size",          Some("POCKETDOCK_MAX_LOG_SIZE"),          max_log_size).about_logs(),
    Key::new("max_logs_per_instance", Some("POCKETDOCK_MAX_LOGS_PER_INSTANCE"), max_logs).about_logs(),
    Key::new("retention_days",        Some("POCKETDOCK_RETENTION_DAYS"),        retention_days).about_logs(),
    Key::text("socket",               None, socket),
    Key::text("log_level",            Some("POCKETDOCK_LOG_LEVEL"),             log_level).about_logs(),
    Key::new("idle_timeout",          Some("POCKETDOCK_IDLE_TIMEOUT"),          idle_timeout),
];

fn project_name(values: &mut Values, value: &Value) -> Result<(), String> {
    let text = value.as_str().filter(|text| name::is_name(text));
    values.project_name = Some(text.ok_or(name::FORM)?.to_owned());
    Ok(())
}

fn default_profile(values: &mut Values, value: &Value) -> Result<(), String> {
    let name = value.as_str().unwrap_or_default();
    let profile = resolve_profile(name);
    values.default_profile = Some(profile.map_err(|_| {
        let known: Vec<_> = list_profiles().iter().map(|p| p.name).collect();
        format!("expected the name of a profile ({})", known.join(", "))
    })?);
    Ok(())
}

fn default_persist(values: &mut Values, value: &Value) -> Result<(), String> {
    values.default_persist = flag(value)?;
    Ok(())
}

fn auto_log(values: &mut Values, value: &Value) -> Result<(), String> {
    values.auto_log = flag(value)?;
    Ok(())
}

fn max_log_size(values: &mut Values, value: &Value) -> Result<(), String> {
    let size = match value {
        Value::String(text) => parse_size(text).ok(),
        number => number.as_u64(),
    };
    let in_bounds = |size: &u64| *size == 0 || (LOG_SIZE.0..=LOG_SIZE.1).contains(size);
    let size = size.filter(in_bounds);
    values.max_log_size = limit(size.ok_or("expected a size from 1k to 1t, such as 10m, or 0")?);
    Ok(())
}

fn max_logs(values: &mut Values, value: &Value) -> Result<(), String> {
    values.max_logs_per_instance = count(value, LOGS_MAX)?;
    Ok(())
}

fn retention_days(values: &mut Values, value: &Value) -> Result<(), String> {
    values.retention_days = count(value, DAYS_MAX)?;
    Ok(())
}

fn socket(values: &mut Values, value: &Value) -> Result<(), String> {
    let address = value.as_str().unwrap_or_default();
    values.socket = Some(configured_address(address)?);
    Ok(())
}

fn log_level(values: &mut Values, value: &Value) -> Result<(), String> {
    let level = value.as_str().and_then(LogLevel::parse);
    values.log_level = level.ok_or("expected error, warn, info or debug")?;
    Ok(())
}

fn idle_timeout(values: &mut Values, value: &Value) -> Result<(), String> {
    let duration = match value {
        Value::String(text) => parse_duration(text).ok(),
        number => number.as_u64().map(Duration::from_secs),
    };
    let in_bounds = |time: &Duration| time.is_zero() || (IDLE.0..=IDLE.1).contains(time);
    let duration = duration.filter(in_bounds);
    let duration = duration.ok_or("expected a duration from 1s to 365d, such as 30m, or 0")?;
    values.idle_timeout = Some(duration).filter(|duration| !duration.is_zero());
    Ok(())
}

fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "expected true or false".to_owned())
}

fn count(value: &Value, max: u64) -> Result<Option<u64>, String> {
    let number = value.as_u64().filter(|number| *number <= max);
    let number = number.ok_or_else(|| format!("expected a number from 0 to {max}"))?;
    Ok(limit(number))
}

/// 0 is no limit.
fn limit(number: u64) -> Option<u64> {
    Some(number).filter(|number| *number != 0)
}
