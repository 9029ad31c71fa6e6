//! The only reader of the environment, the clock and randomness, and the starter of threads; and
//! how a source is read that may have no end.
//!
//! Everything above takes what is read as values, so that tests can decide them. Identity of the
//! host comes from Linux's `/proc`; where there is none, owners cannot be told dead from alive and
//! the functions say so with `None`.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::wire::digits;

/// The variables that engine discovery looks at, read once.
///
/// ```no_run
/// use pocketdock_core::engine::EngineOptions;
/// use pocketdock_core::host::Environment;
///
/// let mut environment = Environment::read();
/// environment.docker_host = None; // Not meant for us.
/// let engine = EngineOptions::new().environment(environment).connect()?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `POCKETDOCK_SOCKET`: the engine socket to use.
    pub pocketdock_socket: Option<OsString>,
    /// `DOCKER_HOST`, as the docker command reads it.
    pub docker_host: Option<OsString>,
    /// `CONTAINER_HOST`, as the podman command reads it.
    pub container_host: Option<OsString>,
    /// `DOCKER_CONTEXT`, as the docker command reads it.
    pub docker_context: Option<OsString>,
    /// `DOCKER_CONFIG`, the directory of the docker command's configuration.
    pub docker_config: Option<OsString>,
    /// `XDG_RUNTIME_DIR`, where rootless engines put their sockets.
    pub runtime_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`, where programs keep what is to outlive them.
    pub state_home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`, where programs look for the user's settings.
    pub config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The working directory, unless it is gone; a project is looked for there and above.
    pub working_dir: Option<PathBuf>,
    /// `POCKETDOCK_` and the name of a setting in capitals, such as `POCKETDOCK_LOG_LEVEL`.
    pub settings: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Reads the process's own environment; an empty variable counts as unset.
    #[must_use]
    pub fn read() -> Self {
        let var = |name| env::var_os(name).filter(|value| !value.is_empty());
        Environment {
            pocketdock_socket: var("POCKETDOCK_SOCKET"),
            docker_host: var("DOCKER_HOST"),
            container_host: var("CONTAINER_HOST"),
            docker_context: var("DOCKER_CONTEXT"),
            docker_config: var("DOCKER_CONFIG"),
            runtime_dir: var("XDG_RUNTIME_DIR").map(PathBuf::from),
            state_home: var("XDG_STATE_HOME").map(PathBuf::from),
            config_home: var("XDG_CONFIG_HOME").map(PathBuf::from),
            home: var("HOME").map(PathBuf::from),
            working_dir: env::current_dir().ok(),
            settings: env::vars_os()
                .filter(|(name, value)| {
                    name.as_encoded_bytes().starts_with(b"POCKETDOCK_") && !value.is_empty()
                })
                .collect(),
        }
    }
}

/// As much of a boot's name as tells it from others of the same host.
const BOOT_TAG_LEN: usize = 8;

/// A process that can be told from every other one, before and after it, on every boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessIdentity {
    /// The kernel's random name for this boot.
    pub(crate) boot_id: String,
    /// The process ID.
    pub(crate) pid: u32,
    /// When it began, in clock ticks since boot: tells a reused ID.
    pub(crate) start_ticks: u64,
    /// Where the process ID counts: a container has IDs of its own on the same boot.
    pub(crate) namespace: Option<u64>,
}

/// What can be said about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It lives.
    Alive,
    /// It has ended. One that nobody has waited for has, too.
    Dead,
    /// It cannot be seen from here: another host, an earlier boot, another container, or a system
    /// that hides the processes of others.
    Unknown,
}

impl ProcessIdentity {
    /// This process, or `None` where the system has no `/proc`.
    pub(crate) fn own() -> Option<Self> {
        let pid = std::process::id();
        Some(ProcessIdentity {
            boot_id: boot_id()?,
            pid,
            start_ticks: start_ticks(pid)?,
            namespace: namespace(),
        })
    }

    /// The identity that was written with `Display`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split(' ');
        let number = |field: &str| digits::decimal(field.as_bytes());
        let identity = ProcessIdentity {
            boot_id: fields.next()?.to_owned(),
            pid: u32::try_from(number(fields.next()?)?).ok()?,
            start_ticks: number(fields.next()?)?,
            namespace: match fields.next() {
                Some(field) => Some(number(field)?),
                None => None,
            },
        };
        fields.next().is_none().then_some(identity)
    }

    /// It in a form that can be part of a name.
    pub(crate) fn tag(&self) -> String {
        let boot: String = self.boot_id.chars().take(BOOT_TAG_LEN).collect();
        let namespace = self.namespace.unwrap_or_default();
        format!("{boot}-{}-{}-{namespace}", self.pid, self.start_ticks)
    }

    /// The identity of a [`tag`](Self::tag), if it is of this boot.
    pub(crate) fn parse_tag(tag: &str) -> Option<Self> {
        let boot_id = boot_id()?;
        let mut fields = tag.split('-');
        let is_ours = boot_id.get(..BOOT_TAG_LEN) == fields.next();
        let mut number = || digits::decimal(fields.next()?.as_bytes());
        let identity = ProcessIdentity {
            pid: u32::try_from(number()?).ok()?,
            start_ticks: number()?,
            namespace: number().filter(|namespace| *namespace != 0),
            boot_id,
        };
        (is_ours && fields.next().is_none()).then_some(identity)
    }

    /// Whether this very process still lives.
    pub(crate) fn life(&self) -> Life {
        let elsewhere = self.namespace.is_some() && self.namespace != namespace();
        if boot_id().as_ref() != Some(&self.boot_id) || elsewhere {
            return Life::Unknown;
        }
        self.life_by(read_start_ticks(self.pid))
    }

    fn life_by(&self, found: io::Result<Option<u64>>) -> Life {
        match found {
            Ok(Some(ticks)) if ticks == self.start_ticks => Life::Alive,
            Ok(Some(_)) => Life::Dead,
            // A process that has just so many files open as it may cannot see that another lives.
            Err(error) if !is_gone(&error) => Life::Unknown,
            // Whoever cannot see the first process cannot see others, either.
            _ if start_ticks(1).is_none() => Life::Unknown,
            _ => Life::Dead,
        }
    }

    /// Whether this very process is known to live.
    pub(crate) fn is_alive(&self) -> bool {
        self.life() == Life::Alive
    }
}

impl std::fmt::Display for ProcessIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.boot_id, self.pid, self.start_ticks)?;
        match self.namespace {
            Some(namespace) => write!(f, " {namespace}"),
            None => Ok(()),
        }
    }
}

/// The inode of the namespace of our process IDs, out of `pid:[4026531836]`.
fn namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let number = link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    digits::decimal(number.as_bytes())
}

fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// Field 22 of `/proc/PID/stat`, proc(5); `None` for a zombie, as field 3 tells. The name in
/// field 2 may contain anything.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    read_start_ticks(pid).ok()?
}

fn read_start_ticks(pid: u32) -> io::Result<Option<u64>> {
    fs::read(format!("/proc/{pid}/stat")).map(|stat| parse_start_ticks(&stat))
}

/// Whether there is no such process, or it ended just when it was looked at.
fn is_gone(error: &io::Error) -> bool {
    const ESRCH: i32 = 3;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

fn parse_start_ticks(stat: &[u8]) -> Option<u64> {
    let after_name = stat.rsplit(|&byte| byte == b')').next()?;
    let mut fields = after_name.split(|byte| byte.is_ascii_whitespace()).skip(1);
    let state = fields.next()?;
    let ticks = fields.nth(18)?;
    digits::decimal(ticks).filter(|_| !matches!(state, b"Z" | b"X"))
}

/// The time of day.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Starts a thread, whose name is `pocketdock-` and what it is for. Its owner joins it.
///
/// # Errors
///
/// [`Error::Io`] if there are too many.
pub(crate) fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    // Boxed, for starting a thread takes a kilobyte of code.
    let work: Box<dyn FnOnce() -> T + Send> = Box::new(work);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| Error::io("start a thread", error))
}

/// Random bytes from the system's generator.
///
/// # Errors
///
/// [`Error::Io`] if `/dev/urandom` cannot be read.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| Error::io("read '/dev/urandom'", source))?;
    Ok(bytes)
}

/// `2 * N` random hexadecimal digits.
///
/// # Errors
///
/// [`Error::Io`] if `/dev/urandom` cannot be read.
pub(crate) fn random_hex<const N: usize>() -> Result<String> {
    Ok(hex(&random_bytes::<N>()?))
}

/// What a source gives until it ends or has given `len_max` bytes.
pub(crate) fn read_at_most(source: &mut dyn Read, len_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(len_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_cannot_be_looked_at_is_not_taken_for_dead() {
        const EMFILE: i32 = 24;
        let own = ProcessIdentity::own().unwrap();
        let failed = |code| own.life_by(Err(io::Error::from_raw_os_error(code)));
        assert_eq!(failed(EMFILE), Life::Unknown);
        assert_eq!(failed(2), Life::Dead); // ENOENT
        assert_eq!(failed(3), Life::Dead); // ESRCH
        assert_eq!(own.life_by(Ok(None)), Life::Dead, "a zombie");
        assert_eq!(own.life(), Life::Alive);
    }

    #[test]
    fn a_process_knows_itself_and_stays_the_same() {
        let own = ProcessIdentity::own().unwrap();
        assert_eq!(own.pid, std::process::id());
        assert_eq!(Some(own), ProcessIdentity::own());
    }

    #[test]
    fn an_identity_is_read_back_and_a_dead_one_is_told() {
        let own = ProcessIdentity::own().unwrap();
        assert_eq!(ProcessIdentity::parse(&own.to_string()), Some(own.clone()));
        assert!(own.is_alive());
        assert_eq!(ProcessIdentity::parse_tag(&own.tag()), Some(own.clone()));
        assert_eq!(ProcessIdentity::parse_tag("00000000-1-1-0"), None);
        let reused = ProcessIdentity {
            start_ticks: own.start_ticks + 1,
            ..own.clone()
        };
        assert_eq!(reused.life(), Life::Dead);
        for text in ["", "a 1", "a x 1", "a 1 1 x", "a 1 1 1 1"] {
            assert_eq!(ProcessIdentity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_not_called_dead() {
        let own = ProcessIdentity::own().unwrap();
        let rebooted = ProcessIdentity {
            boot_id: "another".to_owned(),
            ..own.clone()
        };
        let contained = ProcessIdentity {
            namespace: own.namespace.map(|namespace| namespace + 1),
            start_ticks: own.start_ticks + 1,
            ..own
        };
        assert_eq!(
            (rebooted.life(), contained.life()),
            (Life::Unknown, Life::Unknown)
        );
        assert!(!rebooted.is_alive());
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
            thread::yield_now();
        }
        assert_eq!(start_ticks(child.id()), None);
        child.wait().unwrap();
    }

    #[test]
    fn random_hex_has_two_digits_for_each_byte_and_differs() {
        let (a, b) = (random_hex::<8>().unwrap(), random_hex::<8>().unwrap());
        assert_eq!(a.len(), 16);
        assert!(a.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(a, b);
    }
}
