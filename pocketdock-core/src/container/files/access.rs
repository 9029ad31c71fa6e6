//! Which way files go into and out of a sandbox.
//!
//! Through `tar` in the sandbox ([`script`](super::script)) if it runs: memory mounts and read-only
//! roots are then what code in it sees, and Docker's archive endpoint would hold a lock on the
//! container for as long as a copy takes. Through that endpoint if the sandbox does not run, or has
//! no `tar`.
//!
//! The scripts run as root, so that a copy may go everywhere, as with `docker cp`; but where root
//! lacks the capabilities for that, as the sandbox's user. So it is in a hardened sandbox, and on
//! Docker in every sandbox of another user: without new privileges, a process of such a sandbox
//! that becomes root gets none. What that user may not touch then goes through the endpoint, if
//! there is no memory mount that the endpoint would pass by.
//!
//! What Podman has mounted in a sandbox that does not run, its endpoint sees when asked for it, but
//! not in an archive of the directories above: those have an empty directory there.

use crate::container::handle::Container;
use crate::container::plan::way_to;
use crate::engine::EngineKind;
use crate::engine::containers;
use crate::error::Result;
use crate::wire::value::{Object, Value};

/// What root needs to write and to give away everybody's files.
const CAPABILITIES: [&str; 3] = ["CHOWN", "DAC_OVERRIDE", "FOWNER"];

/// What Podman makes anew and mounts whenever a sandbox starts.
const MADE_AT_START: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// A sandbox as far as files in it are concerned.
#[derive(Debug)]
pub(crate) struct Access {
    /// Whether commands can be run in it.
    pub(crate) runs: bool,
    pub(crate) kind: EngineKind,
    /// The user and the group of its configuration, either may be empty.
    pub(crate) user: String,
    pub(crate) group: String,
    /// Whether its root may do what root does.
    root_is_able: bool,
    /// The directories in memory.
    memory_mounts: Vec<String>,
    /// The other mount points.
    volumes: Vec<String>,
    /// Of those at whose paths links are, on Podman, where they are without links, and those paths.
    linked: Vec<(String, String)>,
}

impl Access {
    /// Asks the engine.
    ///
    /// # Errors
    ///
    /// As [`containers::inspect`].
    pub(crate) fn of(container: &Container) -> Result<Self> {
        let found = containers::inspect(container.client(), container.container_id())?;
        let owner = found.str_at(&["Config", "User"]).unwrap_or_default();
        let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
        let (memory_mounts, volumes) = mounts(&found);
        Ok(Access {
            runs: found.str_at(&["State", "Status"]) == Some("running"),
            kind: container.engine().kind(),
            user: user.to_owned(),
            group: group.to_owned(),
            root_is_able: root_is_able(container.engine().kind(), user, &found),
            memory_mounts,
            volumes,
            linked: Vec::new(),
        })
    }

    /// Whether the archive endpoint sees at a path what code in the running sandbox sees there.
    pub(crate) fn endpoint_sees(&self, path: &str) -> bool {
        match self.kind {
            EngineKind::Podman => true,
            _ => self.memory_mounts.is_empty() && !is_kernels(path),
        }
    }

    /// Whether the archive endpoint finds another thing at a path without links: Docker's reads and
    /// writes what lies under the places where memory is mounted in a sandbox that runs. Devices
    /// are there then, too, and on Podman while it does not run.
    pub(crate) fn endpoint_passes_under(&self, path: &str) -> bool {
        let mut mounts = self.memory_mounts.iter();
        match self.kind {
            EngineKind::Podman => !self.runs && is_kernels(path),
            _ => is_kernels(path) || mounts.any(|mount| is_at_or_below(path, mount)),
        }
    }

    /// The mount points that the archive endpoint passes by: on Docker those of memory, on Podman,
    /// if the sandbox does not run, those below what it is asked for.
    pub(crate) fn passed_by(&self) -> &[String] {
        match self.kind {
            EngineKind::Podman if self.runs => &[],
            EngineKind::Podman => &self.volumes,
            _ => &self.memory_mounts,
        }
    }

    /// Whether paths in an archive of the endpoint may begin with a slash: Podman's of a volume do.
    pub(crate) fn has_rooted_volumes(&self) -> bool {
        self.kind == EngineKind::Podman && !self.passed_by().is_empty()
    }

    /// Notes where one of those mount points is, for whom all paths are without links.
    pub(crate) fn locate(&mut self, path: &str, location: String) {
        let is_podmans = self.kind == EngineKind::Podman;
        let mounts = match is_podmans {
            true => &mut self.volumes,
            false => &mut self.memory_mounts,
        };
        let mut mounts = mounts.iter_mut();
        if let Some(mount) = mounts.find(|mount| *mount == path && *mount != &location) {
            *mount = location.clone();
            if is_podmans {
                self.linked.push((location, path.to_owned()));
            }
        }
    }

    /// What the engine calls a path without links: Podman knows what is mounted by the path that it
    /// was mounted at.
    pub(crate) fn as_mounted(&self, path: &str) -> String {
        let mut linked = self.linked.iter().rev(); // The innermost came last.
        let found = linked.find(|(location, _)| is_at_or_below(path, location));
        let below = found.and_then(|(location, at)| Some((at, path.strip_prefix(location)?)));
        below.map_or_else(|| path.to_owned(), |(at, below)| format!("{at}{below}"))
    }

    /// The paths, links resolved, at which Podman's endpoint reads and writes what no code in the
    /// sandbox sees there.
    pub(crate) fn made_at_start(&self) -> &[&'static str] {
        match self.kind == EngineKind::Podman && !self.runs {
            true => &MADE_AT_START,
            false => &[],
        }
    }

    /// As whom scripts run: `None` is the sandbox's own user.
    pub(crate) fn script_user(&self) -> Option<&'static str> {
        self.root_is_able.then_some("0")
    }
}

/// The kernel's own file systems.
pub(crate) const KERNELS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Whether a path is in one of them.
pub(crate) fn is_kernels(path: &str) -> bool {
    let mut mounts = KERNELS.into_iter();
    mounts.any(|mount| is_at_or_below(path, mount))
}

/// Whether what is at a path has no content but what the kernel makes of it as it is read.
pub(crate) fn is_made(path: &str) -> bool {
    is_at_or_below(path, "/proc") || is_at_or_below(path, "/sys")
}

/// Whether a path is a directory's own, or one of something in it.
pub(crate) fn is_at_or_below(path: &str, dir: &str) -> bool {
    let rest = path.strip_prefix(dir);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where memory is mounted, and where anything else.
fn mounts(found: &Value) -> (Vec<String>, Vec<String>) {
    let (mut memory, mut volumes) = (Vec::new(), Vec::new());
    let asked = found.at(&["HostConfig", "Tmpfs"]);
    let asked = asked.and_then(Value::as_object).into_iter();
    for (dir, _) in asked.flat_map(Object::iter) {
        memory.push(way_to(dir));
    }
    for mount in found.array_at(&["Mounts"]).unwrap_or_default() {
        let place = way_to(mount.str_at(&["Destination"]).unwrap_or_default());
        match mount.str_at(&["Type"]) {
            Some("tmpfs") => memory.push(place),
            _ => volumes.push(place),
        }
    }
    (memory, volumes)
}

fn root_is_able(kind: EngineKind, user: &str, found: &Value) -> bool {
    if kind == EngineKind::Docker && !matches!(user, "" | "0" | "root") {
        return false;
    }
    let list = |key| {
        let names = found.array_at(&["HostConfig", key]).unwrap_or_default();
        names
            .iter()
            .filter_map(Value::as_str)
            .map(|name| {
                name.to_ascii_uppercase()
                    .trim_start_matches("CAP_")
                    .to_owned()
            })
            .collect::<Vec<_>>()
    };
    let (dropped, added) = (list("CapDrop"), list("CapAdd"));
    let has = |list: &[String], name: &str| list.iter().any(|it| it == name || it == "ALL");
    CAPABILITIES
        .iter()
        .all(|name| !has(&dropped, name) || has(&added, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::json;

    #[test]
    fn what_root_may_do() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (r#"{}"#,                                                          true),
            (r#"{"CapDrop":null,"CapAdd":null}"#,                              true),
            (r#"{"CapDrop":["NET_RAW","cap_mknod"]}"#,                         true),
            (r#"{"CapDrop":["ALL"]}"#,                                         false),
            (r#"{"CapDrop":["CAP_CHOWN"]}"#,                                   false),
            (r#"{"CapDrop":["all"],"CapAdd":["CHOWN","DAC_OVERRIDE"]}"#,       false),
            (r#"{"CapDrop":["ALL"],"CapAdd":["CHOWN","DAC_OVERRIDE","FOWNER"]}"#, true),
        ];
        for (host, want) in cases {
            let found = json::parse(format!(r#"{{"HostConfig":{host}}}"#).as_bytes()).unwrap();
            for kind in [EngineKind::Docker, EngineKind::Podman] {
                assert_eq!(root_is_able(kind, "root", &found), want, "{host}");
            }
            assert!(!root_is_able(EngineKind::Docker, "1000", &found), "{host}");
            assert_eq!(
                root_is_able(EngineKind::Podman, "1000", &found),
                want,
                "{host}"
            );
        }
    }

    #[test]
    fn where_the_endpoint_is_blind() {
        let access = |kind, memory_mounts: &[&str]| Access {
            runs: true,
            kind,
            user: String::new(),
            group: String::new(),
            root_is_able: false,
            memory_mounts: memory_mounts.iter().map(|&it| it.to_owned()).collect(),
            volumes: Vec::new(),
            linked: Vec::new(),
        };
        let docker = access(EngineKind::Docker, &[]);
        assert!(docker.endpoint_sees("/opt") && docker.endpoint_sees("/devices"));
        assert!(!docker.endpoint_sees("/dev") && !docker.endpoint_sees("/dev/shm/x"));
        let docker = access(EngineKind::Docker, &["/tmp", "/a/b"]);
        assert!(!docker.endpoint_sees("/opt"));
        assert!(docker.endpoint_passes_under("/tmp") && docker.endpoint_passes_under("/a/b/c"));
        assert!(!docker.endpoint_passes_under("/tmpx") && !docker.endpoint_passes_under("/a"));
        assert!(docker.endpoint_passes_under("/dev/shm"));
        let podman = access(EngineKind::Podman, &["/tmp"]);
        assert!(podman.endpoint_sees("/dev/shm") && !podman.endpoint_passes_under("/tmp"));
        assert!(!podman.endpoint_passes_under("/dev/shm"));
        let podman = Access {
            runs: false,
            ..podman
        };
        assert!(podman.endpoint_passes_under("/dev/shm"));
    }
}
