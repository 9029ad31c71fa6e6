//! Signals to the processes of an exec instance, for which engines have no endpoint.
//!
//! Every exec gets a random ID in its environment and, where a shell starts it, a resident-set
//! limit of a random size, which the kernel keeps and does not enforce: marks that children
//! inherit. A second exec as the same user runs `kill.sh`, which finds the bearers in `/proc`
//! together with their sessions and children, stops them until no new one turns up, and kills
//! them. It needs `sh` in the image and nothing else.
//!
//! A sandbox may have no shell, no room for one more process, or a shell that does something else.
//! SIGKILL then ends the commands by a restart of the whole container.
//!
//! What escapes: a process that leaves its session, loses its parent and clears its environment,
//! if a program was executed without a shell; and one that became another user whose processes
//! this one may not signal.
//!
//! Source: proc(5), kill(1) of POSIX.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::container::embed::embed;
use crate::container::helper;
use crate::engine::client::Client;
use crate::engine::containers;
use crate::engine::exec::{self, ExecConfig};
use crate::engine::types::ExecState;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::digits;

/// The variable that marks the processes of an exec.
const MARK_VARIABLE: &str = "POCKETDOCK_EXEC_ID";

const SCRIPT: &str = embed!("kill.sh");

/// How long a kill may take; one of 400 processes that fork all the time took half a second.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How long an exec may take to have a process. One that is killed before would come to life then.
const STARTED_WITHIN: Duration = Duration::from_secs(2);

/// How long the first process may still be there after it was killed.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const GONE_POLL_FIRST: Duration = Duration::from_millis(1);
const GONE_POLL_MAX: Duration = Duration::from_millis(100);

/// A signal by its number.
///
/// ```
/// use pocketdock_core::Signal;
///
/// assert_eq!("TERM".parse(), Ok(Signal::TERM));
/// assert_eq!("SIGINT".parse(), Ok(Signal::INT));
/// assert_eq!("9".parse(), Ok(Signal::KILL));
/// assert!("NOPE".parse::<Signal>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(u8);

/// The text names no signal.
///
/// ```
/// use pocketdock_core::{Signal, UnknownSignal};
///
/// let error = "SIGNOPE".parse::<Signal>().unwrap_err();
/// assert_eq!(error, UnknownSignal);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownSignal;

/// The signals that are the same on every Linux architecture but three, by POSIX name.
const NAMES: [(&str, u8); 18] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("WINCH", 28),
];

impl Signal {
    /// Hangup.
    pub const HUP: Signal = Signal(1);
    /// Interrupt, as from Ctrl-C.
    pub const INT: Signal = Signal(2);
    /// Quit, as from Ctrl-\.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::{Scope, Signal};
    ///
    /// let server = sandbox.exec(["java", "-jar", "server.jar"]).detach()?;
    /// server.kill(Signal::QUIT, Scope::Command)?; // Java says what its threads do.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub const QUIT: Signal = Signal(3);
    /// Kill, which cannot be caught.
    pub const KILL: Signal = Signal(9);
    /// The first user-defined signal.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::{Scope, Signal};
    ///
    /// let copy = sandbox.exec(["dd", "if=/dev/zero", "of=disk", "bs=1M", "count=4096"]).detach()?;
    /// copy.kill(Signal::USR1, Scope::Command)?; // dd says how far it is.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub const USR1: Signal = Signal(10);
    /// Termination, the polite request.
    pub const TERM: Signal = Signal(15);

    /// The signal of this number, from 1 to 64.
    ///
    /// ```
    /// use pocketdock_core::Signal;
    ///
    /// assert_eq!(Signal::from_number(15), Some(Signal::TERM));
    /// assert_eq!(Signal::from_number(65), None);
    /// assert_eq!(Signal::KILL.number(), 9);
    /// ```
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        (1..=64).contains(&number).then_some(Signal(number))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

impl std::str::FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownSignal> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let number = digits::decimal(text.as_bytes());
        let number = number.and_then(|number| u8::try_from(number).ok());
        let known = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| *number);
        known
            .or(number)
            .and_then(Signal::from_number)
            .ok_or(UnknownSignal)
    }
}

impl std::fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("expected a signal such as TERM, SIGINT or 9")
    }
}

impl std::error::Error for UnknownSignal {}

/// Which processes of an exec a signal is for.
///
/// ```no_run
/// use pocketdock_core::{Scope, Signal};
///
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let server = sandbox.exec("./serve --workers 4").detach()?;
/// server.kill(Signal::HUP, Scope::Command)?; // Reload: the server alone.
/// server.kill(Signal::KILL, Scope::Tree)?;   // The end: the workers, too.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The command and every process that came from it.
    Tree,
    /// The command's own process.
    Command,
}

/// What the processes of one exec carry.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    id: String,
    limit_kib: u64,
}

impl Marks {
    /// Marks that no other exec has.
    pub(crate) fn random() -> Result<Self> {
        let bytes = host::random_bytes::<5>()?;
        // Far above what a process could reach, were a kernel ever to enforce it.
        let limit_kib = bytes
            .iter()
            .fold(1, |sum: u64, byte| sum << 8 | u64::from(*byte));
        Ok(Marks {
            id: host::random_hex::<8>()?,
            limit_kib,
        })
    }

    /// The variable for the exec's environment.
    pub(crate) fn variable(&self) -> String {
        format!("{MARK_VARIABLE}={}", self.id)
    }

    /// The text a shell runs first to carry the second mark.
    pub(crate) fn shell_prefix(&self) -> String {
        format!("ulimit -m {} 2>/dev/null; ", self.limit_kib)
    }

    /// The second mark, in KiB.
    pub(crate) fn limit_kib(&self) -> u64 {
        self.limit_kib
    }

    /// The random ID, which can name things that belong to the exec.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// The exec whose processes are to be signalled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim<'a> {
    /// The engine's ID of it.
    pub(crate) exec_id: &'a str,
    /// The user it runs as, if not the container's own.
    pub(crate) user: Option<&'a str>,
    pub(crate) marks: &'a Marks,
}

/// The first process of an exec, as the host sees it.
#[derive(Debug)]
struct First {
    host_pid: u32,
    start_ticks: u64,
    /// Its ID inside its container.
    inner_pid: u64,
}

impl First {
    /// The engine knows it by the host's ID, and only the host's `/proc` can translate. Where that
    /// cannot be read, in a virtual machine say, the processes are found without it, more slowly.
    fn of(client: &Client, container: &str, exec_id: &str) -> Option<Self> {
        let host_pid = u32::try_from(started(client, exec_id)?.pid).ok()?;
        let read = |file| fs::read_to_string(format!("/proc/{host_pid}/{file}")).ok();
        let status = read("status")?;
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
        // The engine may count in another system, and the number be somebody else's here. Without
        // control groups, Podman's monitor is its parent and has the container's ID in its words.
        let parent = field("PPid:")?.trim();
        let monitor = || fs::read_to_string(format!("/proc/{parent}/cmdline")).ok();
        let is_in = |text: String| text.contains(container);
        if !is_in(read("cgroup")?) && !monitor().is_some_and(is_in) {
            return None;
        }
        let ids = field("NSpid:")?;
        // Without a namespace of its own it is not the process that is meant.
        let inner = ids.split_ascii_whitespace().skip(1).last()?;
        Some(First {
            host_pid,
            start_ticks: host::start_ticks(host_pid)?,
            inner_pid: digits::decimal(inner.as_bytes())?,
        })
    }

    /// Waits a moment for its end; whether that has come.
    fn is_gone_soon(&self) -> bool {
        let began = Instant::now();
        let mut pause = GONE_POLL_FIRST;
        while host::start_ticks(self.host_pid) == Some(self.start_ticks) {
            if GONE_WITHIN < began.elapsed() {
                return false;
            }
            thread::sleep(pause);
            pause = (2 * pause).min(GONE_POLL_MAX);
        }
        true
    }
}

/// The state of an exec once it has a process: engines say that it runs before it has.
fn started(client: &Client, exec_id: &str) -> Option<ExecState> {
    let began = Instant::now();
    loop {
        let state = exec::inspect(client, exec_id).ok()??;
        let is_coming = state.running && state.pid == 0;
        if !is_coming || STARTED_WITHIN < began.elapsed() {
            return Some(state);
        }
        thread::sleep(GONE_POLL_MAX / 10);
    }
}

/// Sends `signal` to the processes of an exec.
///
/// Processes that are gone already are no error. In a container in which no shell can be started,
/// or one that does not do what it is told, nothing can be looked for; SIGKILL then restarts the
/// whole container, anything else is refused.
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`], which a paused container gives,
/// [`Error::CommandNotFound`] for `sh`; [`Error::CommandNotExecutable`] if the processes belong to
/// somebody else.
pub(crate) fn kill(
    client: &Client,
    container: &str,
    exec: &Victim<'_>,
    signal: Signal,
    scope: Scope,
) -> Result<()> {
    let Victim {
        exec_id,
        user,
        marks,
    } = exec;
    let first = First::of(client, container, exec_id);
    let inner = first
        .as_ref()
        .map_or(0, |first| first.inner_pid)
        .to_string();
    let number = signal.number().to_string();
    let scope_word = match scope {
        Scope::Tree => "tree",
        Scope::Command => "command",
    };
    let limit_bytes = (marks.limit_kib * 1024).to_string();
    let command = [
        "sh",
        "-c",
        SCRIPT,
        "sh",
        &marks.id,
        &number,
        scope_word,
        &limit_bytes,
        &inner,
    ];
    let config = ExecConfig {
        command: command.map(str::to_owned).to_vec(),
        user: user.map(str::to_owned),
        ..ExecConfig::default()
    };
    match helper::answer(client, container, &config, "done ", TIMEOUT) {
        // Code in the sandbox may have made the answer.
        Ok(answer) if answer.ends_with(" 0") => match first {
            Some(first) if signal == Signal::KILL && !first.is_gone_soon() => {
                containers::restart(client, container, Duration::ZERO)
            }
            _ => Ok(()),
        },
        Ok(answer) => Err(Error::CommandNotExecutable {
            command: "kill".to_owned(),
            reason: format!("some processes belong to another user ({answer})"),
        }),
        Err(Error::CommandNotFound { .. }) if signal == Signal::KILL => {
            containers::restart(client, container, Duration::ZERO)
        }
        // There is no room for a shell: its memory is used up, say.
        Err(Error::CommandNotExecutable { .. } | Error::Protocol { .. })
            if signal == Signal::KILL && is_running(client, exec_id) =>
        {
            containers::restart(client, container, Duration::ZERO)
        }
        Err(error) => Err(error),
    }
}

fn is_running(client: &Client, exec_id: &str) -> bool {
    exec::inspect(client, exec_id).is_ok_and(|state| state.is_some_and(|state| state.running))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_differ_and_fit_a_limit() {
        let (a, b) = (Marks::random().unwrap(), Marks::random().unwrap());
        assert_ne!(a.id, b.id);
        assert!(a.limit_kib.checked_mul(1024).is_some());
        assert_ne!(a.limit_kib, b.limit_kib);
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for (name, number) in NAMES {
            assert_eq!(name.parse(), Ok(Signal(number)), "{name}");
        }
        for text in ["", "0", "65", "+9", "-1", "SIG", "term ", "999"] {
            assert_eq!(text.parse::<Signal>(), Err(UnknownSignal), "{text}");
        }
    }
}
