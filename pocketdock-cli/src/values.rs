//! Reads the values of options that the library takes as numbers or pairs.
//!
//! Ports, volumes, devices and tmpfs mounts are read by the library's own
//! `FromStr`. A reader here answers the form that it expects, and
//! [`crate::args`] adds the value and the option to it.

use std::env;
use std::time::Duration;

use pocketdock_core::project::name::checked_project_name;
use pocketdock_core::wire::digits;
use pocketdock_core::wire::size::{parse_duration, parse_size};
use pocketdock_core::{Config, Error, RecordKind};

/// Why a value can not be meant.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// It does not have this form.
    Form(&'static str),
    /// The library says why.
    Core(Error),
}

impl From<&'static str> for Malformed {
    fn from(form: &'static str) -> Self {
        Self::Form(form)
    }
}

impl From<Error> for Malformed {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// A number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, &'static str> {
    parse_size(text).map_err(|_| "a size such as 512, 256m, 1.5g or 10MB")
}

/// A length of time.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    parse_duration(text).map_err(|_| "a duration such as 30, 30s, 5m or 1h")
}

/// A length of time to live.
pub(crate) fn ttl(text: &str) -> Result<Duration, &'static str> {
    let form = "a duration of more than nothing, such as 90, 30m or 1h";
    let duration = parse_duration(text).ok();
    duration.filter(|duration| !duration.is_zero()).ok_or(form)
}

/// A length of time where 0 means that there is no limit.
pub(crate) fn limit(text: &str) -> Result<Option<Duration>, &'static str> {
    duration(text).map(|duration| Some(duration).filter(|duration| !duration.is_zero()))
}

/// A whole number.
pub(crate) fn count(text: &str) -> Result<u64, &'static str> {
    digits::decimal(text.as_bytes())
        .filter(|&number| i64::try_from(number).is_ok())
        .ok_or("a whole number such as 256, or 0 for no limit")
}

/// How many of something.
pub(crate) fn number(text: &str) -> Result<usize, &'static str> {
    digits::decimal(text.as_bytes())
        .and_then(|number| usize::try_from(number).ok())
        .ok_or("a whole number such as 20")
}

/// The kind of a record.
pub(crate) fn record_kind(text: &str) -> Result<RecordKind, &'static str> {
    RecordKind::parse(text).ok_or("run, session or detach")
}

/// A percentage of one core; several cores make more than 100.
pub(crate) fn percent(text: &str) -> Result<u32, &'static str> {
    digits::decimal(text.as_bytes())
        .and_then(|number| u32::try_from(number).ok())
        .ok_or("a whole number such as 150, or 0 for no limit")
}

/// An absolute path in the sandbox.
pub(crate) fn directory(text: &str) -> Result<String, &'static str> {
    match text.starts_with('/') && !text.contains('\0') {
        true => Ok(text.to_owned()),
        false => Err("an absolute path such as /srv"),
    }
}

/// `USER[:GROUP]`, names or numbers.
pub(crate) fn user(text: &str) -> Result<String, &'static str> {
    let named = |part: &str| !part.is_empty() && !part.contains(is_no_word);
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    match named(user) && named(group) && !group.contains(':') {
        true => Ok(text.to_owned()),
        false => Err("a user such as nobody, 1000 or 1000:1000"),
    }
}

/// The name of a capability; the engine knows which there are.
pub(crate) fn capability(text: &str) -> Result<String, &'static str> {
    let known_letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !text.is_empty() && text.chars().all(known_letters) {
        true => Ok(text.to_owned()),
        false => Err("a capability such as NET_BIND_SERVICE, or ALL"),
    }
}

/// The name of a project; `.` is that of the working directory.
pub(crate) fn project(text: &str) -> Result<String, Malformed> {
    if text == "." {
        let config = Config::read()?;
        let from = env::current_dir().unwrap_or_default();
        let project = config
            .project()
            .ok_or(Error::ProjectNotInitialized { from })?;
        return Ok(project.name.clone());
    }
    Ok(checked_project_name(text)?.to_owned())
}

fn is_no_word(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// `KEY=VALUE`
pub(crate) fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE"),
    }
}

/// `KEY` or `KEY=VALUE`
pub(crate) fn variable(text: &str) -> Result<(String, Option<String>), &'static str> {
    if text.contains('\0') {
        return Err("KEY or KEY=VALUE without NUL");
    }
    match text.split_once('=') {
        Some(("", _)) => Err("KEY or KEY=VALUE"),
        Some((key, value)) => Ok((key.to_owned(), Some(value.to_owned()))),
        None if text.is_empty() => Err("KEY or KEY=VALUE"),
        None => Ok((text.to_owned(), None)),
    }
}

/// The variables of an `--env-file`: one a line, `#` begins a comment line.
///
/// As docker and podman read it, so a file serves all three: nothing is quoted,
/// spaces belong to the value, a key alone takes the value it has here.
///
/// # Errors
///
/// The number of the first line that is neither.
pub(crate) fn variables(text: &str) -> Result<Vec<(String, Option<String>)>, usize> {
    let lines = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .enumerate();
    lines
        .map(|(idx, line)| (idx + 1, line.trim_start()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| match variable(line) {
            Ok((key, value)) if !key.contains(char::is_whitespace) => Ok((key, value)),
            _ => Err(number),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_means_no_limit_and_a_sign_is_malformed() {
        assert_eq!(limit("0"), Ok(None));
        assert_eq!(limit("0s"), Ok(None));
        assert_eq!(limit("90"), Ok(Some(Duration::from_secs(90))));
        for text in ["-1", "+1", "", " 1", "lots", "1x", "18446744073709551616"] {
            assert!(limit(text).is_err(), "{text}");
            assert!(size(text).is_err(), "{text}");
            assert!(count(text).is_err(), "{text}");
            assert!(percent(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pairs_and_variables() {
        let owned = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(pair("a=b=c"), Ok(owned("a", "b=c")));
        assert_eq!(pair("a="), Ok(owned("a", "")));
        assert!(pair("a").is_err() && pair("=b").is_err());
        assert_eq!(variable("a"), Ok(("a".to_owned(), None)));
        assert_eq!(variable("a="), Ok(("a".to_owned(), Some(String::new()))));
        assert!(variable("").is_err() && variable("=b").is_err());
    }

    #[test]
    fn env_files() {
        let text = "# comment\n\nA=1\r\n  B=two words # kept\nC\n";
        let read = variables(text).unwrap();
        let shown: Vec<_> = read
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("A", Some("1")),
                ("B", Some("two words # kept")),
                ("C", None)
            ]
        );
        assert_eq!(variables("A=1\n=2\n"), Err(2));
        assert_eq!(variables("export A=1\n"), Err(1));
    }
}
