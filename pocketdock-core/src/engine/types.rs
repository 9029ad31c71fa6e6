//! Replies of the engine as structs, read from its JSON; no behaviour.
//!
//! Only what pocketdock uses is read. A field that is missing where the API promises it makes
//! the whole reply wrong; one that engines leave out is `None`.

use crate::wire::time::Timestamp;
use crate::wire::value::Value;

/// The answer to creating a container.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::{containers, types::Created};
/// use pocketdock_core::wire::value::Value;
///
/// let config = Value::object([("Image", "debian:trixie-slim".into())]);
/// let Created { id, warnings, .. } = containers::create(engine.client(), "box", &config)?;
/// println!("{id}, {} warnings", warnings.len());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Created {
    /// The container's full ID.
    pub id: String,
    /// What the engine did not do as asked.
    pub warnings: Vec<String>,
}

/// One row of the list of containers.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
///
/// for summary in containers::list(engine.client(), &[])? {
///     println!("{} {} {:?}", summary.name, summary.state, summary.label("team"));
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ContainerSummary {
    /// The full ID.
    pub id: String,
    /// The name without the engine's leading slash.
    pub name: String,
    /// The image as it was given when the container was made.
    pub image: String,
    /// The engine's word: created, running, paused, restarting, exited or dead.
    pub state: String,
    /// When it was made, in seconds since the epoch.
    pub created_s: i64,
    /// All of its labels.
    pub labels: Vec<(String, String)>,
}

/// How an exec instance stands.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::{exec::{self, ExecConfig}, types::ExecState};
///
/// let command = vec!["make".to_owned()];
/// let config = ExecConfig { command, ..ExecConfig::default() };
/// let id = exec::create(engine.client(), "box", &config)?;
/// if let Some(ExecState { running, pid, .. }) = exec::inspect(engine.client(), &id)? {
///     assert!(!running && pid == 0); // It has not been started.
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecState {
    /// Whether its process is alive. Only when it is not, the code counts.
    pub running: bool,
    /// The exit code, `None` while the engine knows none, which Docker says with a null and Podman
    /// with a negative number, as of a command whose container has stopped under it.
    pub exit_code: Option<i32>,
    /// The process as the host numbers it; 0 if it was never started.
    pub pid: u64,
}

/// One sample of a container's resource use.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
///
/// let stats = containers::stats(engine.client(), "box", true)?;
/// println!("{} of {} bytes", stats.memory_usage_bytes, stats.memory_limit_bytes);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// When the engine took it.
    pub read: Option<Timestamp>,
    /// Processor time used since the start, in nanoseconds.
    pub cpu_total_ns: u64,
    /// The sample before this one, if the engine waited for two.
    pub previous: Option<(Timestamp, u64)>,
    /// Memory in use without the page cache that can be given back, in bytes.
    pub memory_usage_bytes: u64,
    /// The limit on it; the host's memory if there is none.
    pub memory_limit_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl Created {
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let warnings = value
            .get("Warnings")
            .and_then(Value::as_array)
            .unwrap_or_default();
        Some(Created {
            id: value
                .str_at(&["Id"])
                .filter(|id| !id.is_empty())?
                .to_owned(),
            warnings: warnings
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl ContainerSummary {
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let first_name = value
            .get("Names")
            .and_then(Value::as_array)
            .and_then(<[_]>::first);
        let name = first_name.and_then(Value::as_str).unwrap_or_default();
        Some(ContainerSummary {
            id: value.str_at(&["Id"])?.to_owned(),
            name: name.trim_start_matches('/').to_owned(),
            image: value.str_at(&["Image"]).unwrap_or_default().to_owned(),
            state: value.str_at(&["State"]).unwrap_or_default().to_owned(),
            created_s: value.i64_at(&["Created"]).unwrap_or_default(),
            labels: labels(value.get("Labels")),
        })
    }

    /// Puts the oldest first; those of one second by name.
    pub(crate) fn sort_by_age(found: &mut [Self]) {
        found.sort_unstable_by(|a, b| (a.created_s, &a.name).cmp(&(b.created_s, &b.name)));
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}

/// Labels as pairs.
pub(crate) fn labels(value: Option<&Value>) -> Vec<(String, String)> {
    let pairs = value
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|labels| labels.iter());
    pairs
        .map(|(name, value)| {
            (
                name.to_owned(),
                value.as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

impl ExecState {
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let exit_code = value
            .i64_at(&["ExitCode"])
            .and_then(|code| i32::try_from(code).ok())
            .filter(|code| !code.is_negative());
        Some(ExecState {
            running: value.bool_at(&["Running"])?,
            exit_code,
            pid: value.u64_at(&["Pid"]).unwrap_or_default(),
        })
    }
}

impl Stats {
    pub(crate) fn from_value(value: &Value) -> Self {
        let time = |name| {
            let at = value.str_at(&[name]).and_then(Timestamp::parse)?;
            (0 < at.secs()).then_some(at) // Year 1 means that there is none.
        };
        let number = |path: &[&str]| value.u64_at(path).unwrap_or_default();
        let previous_total = number(&["precpu_stats", "cpu_usage", "total_usage"]);
        Stats {
            read: time("read"),
            cpu_total_ns: number(&["cpu_stats", "cpu_usage", "total_usage"]),
            previous: time("preread").map(|at| (at, previous_total)),
            memory_usage_bytes: number(&["memory_stats", "usage"])
                .saturating_sub(reclaimable(value.get("memory_stats"))),
            memory_limit_bytes: number(&["memory_stats", "limit"]),
            pids: number(&["pids_stats", "current"]),
        }
    }
}

/// Page cache that counts as used and can be given back: `inactive_file` in cgroup v2,
/// `total_inactive_file` in v1, as `docker stats` takes it off.
fn reclaimable(memory: Option<&Value>) -> u64 {
    let stat = |name| memory.and_then(|memory| memory.u64_at(&["stats", name]));
    stat("total_inactive_file")
        .or_else(|| stat("inactive_file"))
        .unwrap_or_default()
}
