//! What a sandbox is and what it uses at the moment: [`Container::info`].
//!
//! The share of a processor is measured over two samples of our own, because engines fill in
//! the earlier one in ways that cannot be compared, or not at all. Docker 20.10 takes a second for
//! a sample; there, one request in which it waits for two is quicker.

use std::thread;
use std::time::{Duration, Instant};

use crate::container::handle::Container;
use crate::engine::types::Stats;
use crate::engine::{EngineKind, containers};
use crate::error::{Error, Result};
use crate::host;
use crate::wire::digits;
use crate::wire::time::Timestamp;
use crate::wire::value::Value;

/// The time between two samples of processor use.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// The first version of Docker's API whose engines give a sample at once.
const QUICK_STATS_VERSION: (u64, u64) = (1, 42);

/// A sandbox at one moment. What only a running one has is `None` for any other.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let info = sandbox.info()?;
/// println!("{} is {}", info.name, info.status);
/// if let (Some(cpu), Some(bytes)) = (info.cpu_percent, info.memory_usage_bytes) {
///     println!("{cpu:.1} % of a core, {bytes} bytes");
/// }
/// for process in info.processes.unwrap_or_default() {
///     println!("{} {}", process.pid, process.command);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ContainerInfo {
    /// The engine's ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The engine's word: created, running, paused, restarting, exited or dead.
    pub status: String,
    /// The image it was made from.
    pub image: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it was last started; `None` if never.
    pub started_at: Option<Timestamp>,
    /// How long it has been up.
    pub uptime: Option<Duration>,
    /// The exit code of its first process, if it has stopped.
    pub exit_code: Option<i32>,
    /// Memory in use without the page cache that can be given back, in bytes; as `cpu_percent`
    /// and `pids`, `None` if the sandbox does not run or the engine cannot tell.
    pub memory_usage_bytes: Option<u64>,
    /// The limit on it, in bytes; `None` if there is none.
    pub memory_limit_bytes: Option<u64>,
    /// The limit on processor time; 100 is one core; `None` if there is none.
    pub cpu_limit_percent: Option<f64>,
    /// The limit on processes and threads; `None` if there is none.
    pub pids_limit: Option<u64>,
    /// Processor time in use, measured over a moment; 100 is one core.
    pub cpu_percent: Option<f64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// The names of its networks; `none` if it has none.
    pub network: String,
    /// Its address on the first network that gives it one.
    pub ip_address: Option<String>,
    /// The ports that the host publishes.
    pub ports: Vec<PublishedPort>,
    /// Its processes; `None` if it does not run or the engine cannot list them.
    pub processes: Option<Vec<ProcessInfo>>,
    /// Whether it is meant to be stopped and resumed.
    pub persist: bool,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The profile it was made from.
    pub profile: Option<String>,
}

impl ContainerInfo {
    /// The share of the memory limit in use, in percent; `None` without a limit.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// match sandbox.info()?.memory_percent() {
    ///     Some(percent) => println!("{percent:.0} % of its memory"),
    ///     None => println!("no limit"),
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn memory_percent(&self) -> Option<f64> {
        let (usage, limit) = (self.memory_usage_bytes?, self.memory_limit_bytes?);
        #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
        Some(usage as f64 * 100.0 / limit as f64)
    }
}

/// A port of the sandbox and where the host publishes it.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::{CreateOptions, Port};
///
/// let sandbox = engine.create(&CreateOptions::new().port(Port::new(0, 80)))?;
/// for port in sandbox.ports()? {
///     println!("{} is at {}:{}", port.container, port.host_address, port.host_port);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedPort {
    /// The sandbox's port and protocol, such as `80/tcp`.
    pub container: String,
    /// The host's address, `0.0.0.0` for all.
    pub host_address: String,
    /// The host's port.
    pub host_port: u16,
}

/// A process of a sandbox, as the engine lists it.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// for process in engine.open("box")?.info()?.processes.unwrap_or_default() {
///     println!("{} {} {}", process.pid, process.user, process.command);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessInfo {
    /// Its ID: the host's on Docker, the sandbox's own on Podman.
    pub pid: u64,
    /// Its user.
    pub user: String,
    /// Its command line.
    pub command: String,
}

impl Container {
    /// What it is and what it uses, asked of the engine at this moment.
    ///
    /// Takes about a quarter of a second for a running sandbox, two seconds on Docker 20.10.
    ///
    /// Engine endpoints: `GET /containers/{id}/json`, `/stats`, `/top`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let info = sandbox.info()?;
    /// println!("{} is {}, {:?} processes", info.name, info.status, info.pids);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::Engine`].
    pub fn info(&self) -> Result<ContainerInfo> {
        let found = containers::inspect(self.client(), self.container_id())?;
        let mut info = self.inspected(&found);
        // A paused sandbox has its processes and its memory, too.
        if matches!(info.status.as_str(), "running" | "paused") {
            self.add_usage(&mut info)?;
        }
        Ok(info)
    }

    /// The ports that the host publishes now; the engine's pick where it was left to it.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// for port in sandbox.ports()? {
    ///     println!("{} -> {}:{}", port.container, port.host_address, port.host_port);
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::Engine`].
    pub fn ports(&self) -> Result<Vec<PublishedPort>> {
        let found = containers::inspect(self.client(), self.container_id())?;
        Ok(published_ports(&found))
    }

    fn inspected(&self, found: &Value) -> ContainerInfo {
        let text = |path: &[&str]| found.str_at(path).unwrap_or_default().to_owned();
        let time = |path: &[&str]| {
            let at = found.str_at(path).and_then(Timestamp::parse)?;
            (0 < at.secs()).then_some(at) // Year 1 means never.
        };
        let limit = |key| {
            found
                .u64_at(&["HostConfig", key])
                .filter(|&number| 0 < number)
        };
        let status = text(&["State", "Status"]);
        let started_at = time(&["State", "StartedAt"]);
        let up = matches!(status.as_str(), "running" | "paused");
        let code = found
            .i64_at(&["State", "ExitCode"])
            .and_then(|code| i32::try_from(code).ok());
        let (network, ip_address) = networks(found);
        #[allow(clippy::cast_precision_loss, reason = "a limit for people")]
        let cpu_limit_percent = limit("NanoCpus").map(|nanos| nanos as f64 / 1e7);
        ContainerInfo {
            id: text(&["Id"]),
            name: self.name().to_owned(),
            image: text(&["Config", "Image"]),
            created_at: time(&["Created"]),
            uptime: started_at
                .filter(|_| up)
                .map(|started| Timestamp::from(host::now()).since(started)),
            started_at,
            exit_code: code.filter(|_| matches!(status.as_str(), "exited" | "dead")),
            status,
            memory_usage_bytes: None,
            memory_limit_bytes: limit("Memory"),
            cpu_limit_percent,
            pids_limit: limit("PidsLimit"),
            cpu_percent: None,
            pids: None,
            network,
            ip_address,
            ports: published_ports(found),
            processes: None,
            persist: self.persist(),
            project: self.project().map(str::to_owned),
            profile: self.profile().map(str::to_owned),
        }
    }

    /// What only a running sandbox has. One that stops meanwhile simply has none of it.
    fn add_usage(&self, info: &mut ContainerInfo) -> Result<()> {
        let stopped = |error: &Error| {
            matches!(
                error,
                Error::ContainerNotRunning { .. } | Error::Engine { .. }
            )
        };
        match self.sample() {
            // Without a control group to look at, as without root on those of version 1, Podman
            // counts no process, no time, and the memory of the whole machine.
            Ok((stats, _)) if stats.pids == 0 => {}
            Ok((stats, cpu_percent)) => {
                info.memory_usage_bytes = Some(stats.memory_usage_bytes);
                info.pids = Some(stats.pids);
                info.cpu_percent = cpu_percent;
            }
            Err(error) if stopped(&error) => {}
            Err(error) => return Err(error),
        }
        match self.processes() {
            Ok(processes) => info.processes = processes,
            Err(error) if stopped(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A sample of its resource use, and its share of a processor.
    fn sample(&self) -> Result<(Stats, Option<f64>)> {
        let (client, id) = (self.client(), self.container_id());
        let engine = self.engine();
        if engine.kind() == EngineKind::Docker && engine.api_version() < QUICK_STATS_VERSION {
            let stats = containers::stats(client, id, false)?;
            let share = match (stats.previous, stats.read) {
                (Some((before, total)), Some(now)) => {
                    percent(stats.cpu_total_ns.saturating_sub(total), now.since(before))
                }
                _ => None,
            };
            return Ok((stats, share));
        }
        let first = containers::stats(client, id, true)?;
        let began = Instant::now();
        thread::sleep(SAMPLE_INTERVAL);
        let second = containers::stats(client, id, true)?;
        let elapsed = match (first.read, second.read) {
            (Some(first), Some(second)) if first < second => second.since(first),
            _ => began.elapsed(),
        };
        let used = second.cpu_total_ns.saturating_sub(first.cpu_total_ns);
        Ok((second, percent(used, elapsed)))
    }

    /// Its processes; `None` if the engine has no list of them.
    fn processes(&self) -> Result<Option<Vec<ProcessInfo>>> {
        // Docker hands this to the host's ps, Podman reads it as names of fields.
        let columns = match self.engine().kind() {
            EngineKind::Docker => "-eo pid,user,args",
            EngineKind::Podman => "pid,user,args",
        };
        let rows = containers::top(self.client(), self.container_id(), columns)?;
        let listed = rows.split_first();
        Ok(listed.map(|(_titles, rows)| rows.iter().filter_map(|row| process(row)).collect()))
    }
}

/// A process from a row of three fields, which Podman 4.3 leaves as one.
fn process(row: &[String]) -> Option<ProcessInfo> {
    let (pid, user, command) = match row {
        [pid, user, command @ ..] => (pid.as_str(), user.as_str(), command.join(" ")),
        [whole] => {
            let (pid, rest) = whole.trim_start().split_once(' ')?;
            let (user, command) = rest.trim_start().split_once(' ')?;
            (pid, user, command.trim_start().to_owned())
        }
        [] => return None,
    };
    let pid = digits::decimal(pid.trim().as_bytes())?;
    Some(ProcessInfo {
        pid,
        user: user.to_owned(),
        command,
    })
}

/// Processor time as a share of the time that passed, in percent.
fn percent(used_ns: u64, elapsed: Duration) -> Option<f64> {
    let used = Duration::from_nanos(used_ns).as_secs_f64();
    (!elapsed.is_zero()).then(|| used * 100.0 / elapsed.as_secs_f64())
}

/// The names of the networks, and the first address on one.
fn networks(found: &Value) -> (String, Option<String>) {
    let networks = found
        .at(&["NetworkSettings", "Networks"])
        .and_then(Value::as_object);
    let mut names = Vec::new();
    let mut address = None;
    for (name, network) in networks.into_iter().flat_map(|networks| networks.iter()) {
        names.push(name);
        let own = network.str_at(&["IPAddress"]).filter(|own| !own.is_empty());
        address = address.or(own.map(str::to_owned));
    }
    let names = names.join(", ");
    (
        if names.is_empty() {
            "none".to_owned()
        } else {
            names
        },
        address,
    )
}

fn published_ports(found: &Value) -> Vec<PublishedPort> {
    let ports = found
        .at(&["NetworkSettings", "Ports"])
        .and_then(Value::as_object);
    let mut published = Vec::new();
    for (container, bindings) in ports.into_iter().flat_map(|ports| ports.iter()) {
        for binding in bindings.as_array().unwrap_or_default() {
            let port = binding.str_at(&["HostPort"]).unwrap_or_default();
            let port = digits::decimal(port.as_bytes()).and_then(|port| u16::try_from(port).ok());
            let address = binding
                .str_at(&["HostIp"])
                .filter(|address| !address.is_empty());
            if let Some(host_port) = port.filter(|&port| port != 0) {
                published.push(PublishedPort {
                    container: container.to_owned(),
                    host_address: address.unwrap_or("0.0.0.0").to_owned(),
                    host_port,
                });
            }
        }
    }
    published
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn processes_come_in_one_column_or_three() {
        let row = |fields: &[&str]| {
            process(
                &fields
                    .iter()
                    .map(|&field| field.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let want = Some(ProcessInfo {
            pid: 7,
            user: "root".into(),
            command: "sleep 9".into(),
        });
        assert_eq!(row(&["7", "root", "sleep 9"]), want);
        assert_eq!(row(&["7", "root", "sleep", "9"]), want);
        assert_eq!(row(&["7 root     sleep 9"]), want);
        assert_eq!(row(&["x", "root", "sleep 9"]), None);
        assert_eq!(row(&[]), None);
    }

    #[test]
    fn a_core_that_is_busy_all_the_time_is_a_hundred_percent() {
        assert_eq!(
            percent(250_000_000, Duration::from_millis(250)),
            Some(100.0)
        );
        assert_eq!(percent(1, Duration::ZERO), None);
    }

    #[test]
    fn ports_and_networks() {
        let found = json::parse(
            br#"{"NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"","HostPort":"8080"}],
                "81/tcp":null},"Networks":{"bridge":{"IPAddress":"172.17.0.2"}}}}"#,
        );
        let found = found.unwrap();
        let ports = published_ports(&found);
        assert_eq!(ports.len(), 1);
        assert_eq!(
            (ports[0].host_address.as_str(), ports[0].host_port),
            ("0.0.0.0", 8080)
        );
        assert_eq!(
            networks(&found),
            ("bridge".to_owned(), Some("172.17.0.2".to_owned()))
        );
        assert_eq!(networks(&Value::Null), ("none".to_owned(), None));
    }
}
