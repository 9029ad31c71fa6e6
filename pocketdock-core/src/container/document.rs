//! The engine's document for a sandbox: [`CreateOptions`] and their [`Plan`] as JSON.
//!
//! Source: Docker Engine API, `POST /containers/create`.

use std::path::PathBuf;
use std::time::Duration;

use crate::container::embed::embed;
use crate::container::labels;
use crate::container::options::CreateOptions;
use crate::container::plan::{Plan, way_to};
use crate::container::specs::{Device, Tmpfs};
use crate::wire::json;
use crate::wire::value::Value;

/// Ends once no command has run for a while; see there.
const IDLE_SCRIPT: &str = embed!("idle.sh");

/// The longest time between two looks at what runs, in seconds.
const IDLE_INTERVAL_MAX: u64 = 30;

impl CreateOptions {
    /// The labels that make the container ours, and the caller's own.
    fn all_labels(&self, plan: &Plan) -> Value {
        let mut pairs = vec![
            (labels::MANAGED, "true".to_owned()),
            (labels::INSTANCE, plan.name.clone()),
            (labels::PERSIST, self.persist.to_string()),
            (labels::CREATED_AT, plan.created_at.clone()),
        ];
        let owner = if self.outlives_maker() {
            None
        } else {
            labels::owner()
        };
        let data_path = self.data_path.as_ref();
        let optional = [
            (
                labels::DATA_PATH,
                data_path.map(|dir| dir.to_string_lossy().into_owned()),
            ),
            (labels::PROJECT, self.project.clone()),
            (labels::PROFILE, plan.profile.map(str::to_owned)),
            (labels::OWNER, owner),
            (labels::ASKED, self.asked(plan)),
            (
                labels::TIMEOUT,
                self.timeout.map(|timeout| timeout.as_millis().to_string()),
            ),
            (
                labels::TTL,
                self.ttl.map(|ttl| whole_seconds(ttl).to_string()),
            ),
        ];
        for (name, value) in optional {
            pairs.extend(value.map(|value| (name, value)));
        }
        let own = self
            .labels
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        Value::object(
            own.chain(pairs)
                .map(|(name, value)| (name, Value::from(value))),
        )
    }

    /// The engine's document for this sandbox; `home` is the directory a hardened one keeps in
    /// memory.
    pub(crate) fn document(&self, plan: &Plan, init: bool, home: Option<&str>) -> Value {
        let env = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let mut document = vec![
            ("Image", Value::from(plan.image.as_str())),
            ("Labels", self.all_labels(plan)),
            ("Env", Value::from(env.collect::<Vec<_>>())),
            ("HostConfig", self.host_config(plan, init, home)),
        ];
        let exposed = self
            .ports
            .iter()
            .map(|port| (port.container_key(), empty_object()));
        document.push(("ExposedPorts", Value::object(exposed)));
        if self.command.is_empty() {
            // The image's entry point would get the placeholder as its arguments.
            document.push(("Entrypoint", Value::from(self.placeholder())));
            document.push(("Cmd", Value::Array(Vec::new())));
            document.push(("StopTimeout", Value::from(1)));
        } else {
            document.push(("Cmd", Value::from(self.command.clone())));
        }
        if !init && self.command.is_empty() {
            // Without an init the placeholder is process 1, which ignores every other signal.
            document.push(("StopSignal", Value::from("SIGKILL")));
        }
        let given = [("WorkingDir", &self.workdir), ("User", &self.user)];
        for (key, value) in given {
            document.extend(
                value
                    .as_ref()
                    .map(|value| (key, Value::from(value.as_str()))),
            );
        }
        Value::object(document)
    }

    /// A first process that does nothing, for as long as the sandbox may live.
    fn placeholder(&self) -> Vec<String> {
        let ttl = self.ttl.map(whole_seconds);
        let Some(idle) = self.idle_timeout.map(whole_seconds) else {
            let time = ttl.map_or("infinity".to_owned(), |ttl| ttl.to_string());
            return vec!["sleep".to_owned(), time];
        };
        let interval = (idle / 4).clamp(1, IDLE_INTERVAL_MAX);
        let numbers = [idle, interval, ttl.unwrap_or_default()].map(|n| n.to_string());
        let script = ["sh", "-c", IDLE_SCRIPT, "pocketdock-idle"].map(str::to_owned);
        script.into_iter().chain(numbers).collect()
    }

    fn host_config(&self, plan: &Plan, init: bool, home: Option<&str>) -> Value {
        let network = if plan.network { "default" } else { "none" };
        let mut config = vec![
            ("Init", Value::from(init)),
            ("AutoRemove", Value::from(self.ttl.is_some())),
            ("NetworkMode", Value::from(network)),
            (
                "SecurityOpt",
                Value::from(vec!["no-new-privileges".to_owned()]),
            ),
            (
                "ReadonlyRootfs",
                Value::from(self.read_only || self.hardened),
            ),
            (
                "Mounts",
                Value::Array(plan.volumes.iter().map(mount).collect()),
            ),
            ("PortBindings", self.port_bindings()),
            ("Tmpfs", tmpfs(&self.tmpfs_mounts(home))),
        ];
        config.extend(self.rights(plan));
        // Zero means no limit here and something else to some engines.
        let pids = self.pids();
        let limits = [
            ("PidsLimit", pids),
            ("Memory", plan.memory_bytes),
            ("NanoCpus", u64::from(self.cpu_percent) * 10_000_000),
        ];
        config.extend(
            limits
                .into_iter()
                .filter(|(_, n)| 0 < *n)
                .map(|(k, n)| (k, n.into())),
        );
        Value::object(config)
    }

    /// Capabilities and devices, which engines tell otherwise than they were asked for them.
    fn rights(&self, plan: &Plan) -> [(&'static str, Value); 3] {
        let mut cap_drop = self.cap_drop.clone();
        if self.hardened && !cap_drop.iter().any(|name| name == "ALL") {
            cap_drop.push("ALL".to_owned());
        }
        let devices = plan.devices.iter().map(device).collect();
        [
            ("CapDrop", Value::from(cap_drop)),
            ("CapAdd", Value::from(self.cap_add.clone())),
            ("Devices", Value::Array(devices)),
        ]
    }

    /// The same for a label; none if nothing was asked for.
    fn asked(&self, plan: &Plan) -> Option<String> {
        let given = |(_, value): &(&str, Value)| value.as_array() != Some(&[]);
        let given: Vec<_> = self.rights(plan).into_iter().filter(given).collect();
        (!given.is_empty()).then(|| json::to_string(&Value::object(given)))
    }

    fn port_bindings(&self) -> Value {
        let mut by_port: Vec<(String, Vec<Value>)> = Vec::new();
        for port in &self.ports {
            let host = if port.host == 0 {
                String::new()
            } else {
                port.host.to_string()
            };
            let binding = Value::object([
                ("HostIp", Value::from(port.address.to_string())),
                ("HostPort", Value::from(host)),
            ]);
            let key = port.container_key();
            match by_port.iter_mut().find(|(known, _)| *known == key) {
                Some((_, bindings)) => bindings.push(binding),
                None => by_port.push((key, vec![binding])),
            }
        }
        Value::object(
            by_port
                .into_iter()
                .map(|(key, bindings)| (key, Value::Array(bindings))),
        )
    }

    /// The directories in memory, those of a hardened sandbox included.
    pub(crate) fn tmpfs_mounts(&self, home: Option<&str>) -> Vec<Tmpfs> {
        let asked: Vec<_> = self.mount_targets().iter().map(|it| way_to(it.1)).collect();
        let mut mounts = Vec::new();
        for dir in ["/tmp"].into_iter().chain(home).filter(|_| self.hardened) {
            // What was asked for goes first: Docker takes one of two at a place in silence.
            if !asked.contains(&way_to(dir)) {
                mounts.push(Tmpfs::new(dir));
            }
        }
        for tmpfs in &self.tmpfs {
            // Podman, which mounts some places by itself, knows them by their plain paths only.
            let dir = way_to(&tmpfs.dir);
            mounts.push(Tmpfs {
                dir,
                ..tmpfs.clone()
            });
        }
        mounts
    }

    /// The controls whose loss the caller must hear of: what was asked, and where the engine
    /// says what it made of it.
    pub(crate) fn controls(&self, plan: &Plan) -> Vec<(&'static str, &'static str, u64)> {
        let asked = [
            ("memory limit", "Memory", plan.memory_bytes),
            (
                "cpu limit",
                "NanoCpus",
                u64::from(self.cpu_percent) * 10_000_000,
            ),
            ("process limit", "PidsLimit", self.pids()),
        ];
        asked
            .into_iter()
            .filter(|(_, _, number)| 0 < *number)
            .collect()
    }
}

fn mount((host, container, read_only): &(PathBuf, String, bool)) -> Value {
    Value::object([
        ("Type", Value::from("bind")),
        ("Source", Value::from(host.to_string_lossy().into_owned())),
        ("Target", Value::from(container.as_str())),
        ("ReadOnly", Value::from(*read_only)),
    ])
}

/// Docker forbids executing files on a tmpfs unless told otherwise, Podman does not.
fn tmpfs(mounts: &[Tmpfs]) -> Value {
    let mounts = mounts
        .iter()
        .map(|mount| (mount.dir.as_str(), format!("{},exec", mount.options).into()));
    Value::object(mounts)
}

fn device(device: &Device) -> Value {
    Value::object([
        (
            "PathOnHost",
            Value::from(device.host.to_string_lossy().into_owned()),
        ),
        ("PathInContainer", Value::from(device.container.as_str())),
        (
            "CgroupPermissions",
            Value::from(device.permissions.as_str()),
        ),
    ])
}

fn empty_object() -> Value {
    Value::object::<&str>([])
}

/// Whole seconds, rounded up.
fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_secs()
        .saturating_add(u64::from(0 < duration.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::specs::Port;

    fn document(options: &CreateOptions) -> Value {
        options.document(&options.plan().unwrap(), true, Some("/root"))
    }

    #[test]
    fn defaults() {
        let document = document(&CreateOptions::new());
        assert_eq!(
            document.str_at(&["Image"]),
            Some("pocketdock/minimal-python:latest")
        );
        let host = document.get("HostConfig").unwrap();
        assert_eq!(host.str_at(&["NetworkMode"]), Some("none"));
        assert_eq!(host.u64_at(&["PidsLimit"]), Some(1024));
        assert_eq!(host.get("Memory"), None);
        assert_eq!(host.bool_at(&["Init"]), Some(true));
        assert_eq!(document.str_at(&["Labels", labels::MANAGED]), Some("true"));
        assert_eq!(document.str_at(&["Labels", labels::TIMEOUT]), None);
        assert!(document.str_at(&["Labels", labels::OWNER]).is_some());
        let name = document.str_at(&["Labels", labels::INSTANCE]).unwrap();
        assert!(name.len() == 11 && name.starts_with("pd-"), "{name}");
    }

    #[test]
    fn a_timeout_is_a_label_only_if_it_was_given() {
        let given = CreateOptions::new().timeout(Duration::from_secs(30));
        let label = |options| {
            document(options)
                .str_at(&["Labels", labels::TIMEOUT])
                .map(str::to_owned)
        };
        assert_eq!(label(&given).as_deref(), Some("30000"));
        assert_eq!(label(&CreateOptions::new()), None);
    }

    #[test]
    fn a_kept_sandbox_has_no_owner() {
        for options in [CreateOptions::new().keep(), CreateOptions::new().persist()] {
            assert_eq!(document(&options).str_at(&["Labels", labels::OWNER]), None);
        }
    }

    #[test]
    fn hardened() {
        let document = document(&CreateOptions::new().hardened());
        let host = document.get("HostConfig").unwrap();
        assert_eq!(
            host.get("CapDrop"),
            Some(&Value::from(vec!["ALL".to_owned()]))
        );
        assert_eq!(host.bool_at(&["ReadonlyRootfs"]), Some(true));
        assert_eq!(host.u64_at(&["PidsLimit"]), Some(256));
        assert_eq!(host.u64_at(&["Memory"]), Some(512 << 20));
        assert_eq!(host.str_at(&["Tmpfs", "/tmp"]), Some("mode=1777,exec"));
        assert_eq!(host.str_at(&["Tmpfs", "/root"]), Some("mode=1777,exec"));
    }

    #[test]
    fn placeholders() {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        let new = CreateOptions::new;
        #[rustfmt::skip] // one case per line
        let cases = [
            ("neither",   new(),                                ["sleep", "infinity"].as_slice()),
            ("ttl",       new().ttl(minute),                    &["sleep", "60"]),
            ("idle",      new().idle_timeout(minute),           &["60", "15", "0"]),
            ("soon idle", new().idle_timeout(minute / 60),      &["1", "1", "0"]),
            ("both",      new().idle_timeout(hour).ttl(minute), &["3600", "30", "60"]),
        ];
        for (name, options, want) in cases {
            let document = document(&options);
            let words = document.array_at(&["Entrypoint"]).unwrap();
            let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap()).collect();
            assert!(words.ends_with(want), "{name}: {words:?}");
            assert_eq!(
                words[0],
                if words.len() == 2 { "sleep" } else { "sh" },
                "{name}"
            );
        }
    }

    #[test]
    fn what_engines_tell_otherwise_is_in_a_label() {
        let asked = |options: &CreateOptions| {
            let document = document(options);
            document
                .str_at(&["Labels", labels::ASKED])
                .map(str::to_owned)
        };
        assert_eq!(asked(&CreateOptions::new()), None);
        let hardened = CreateOptions::new().hardened().cap_add("CHOWN");
        let want = r#"{"CapDrop":["ALL"],"CapAdd":["CHOWN"]}"#;
        assert_eq!(asked(&hardened).as_deref(), Some(want));
    }

    #[test]
    fn two_host_ports_may_lead_to_one_port() {
        let options = CreateOptions::new()
            .port(Port::new(1, 80))
            .port(Port::new(2, 80));
        let document = document(&options);
        let bindings = document
            .at(&["HostConfig", "PortBindings", "80/tcp"])
            .unwrap();
        assert_eq!(bindings.as_array().unwrap().len(), 2);
        assert_eq!(
            document.str_at(&["HostConfig", "NetworkMode"]),
            Some("default")
        );
    }
}
