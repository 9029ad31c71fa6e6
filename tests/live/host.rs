//! What the host sees of a sandbox: its processes, whatever namespace they are in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;

use pocketdock_core::Container;

use crate::fixture::eventually_none;

/// Whether these tests run as root, who may read and go everywhere.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The command lines of the living processes of a sandbox, as this host sees them.
pub(crate) fn processes(sandbox: &Container) -> Vec<String> {
    let all = process_ids(sandbox).into_iter().filter_map(command_line);
    all.filter(|line| !line.starts_with("conmon ")).collect()
}

/// The processes in a sandbox's control groups. Podman keeps its monitor of the container in a
/// group of the container's name, too; without root it has no groups on some machines, and all that
/// comes from its monitors is in the sandbox.
pub(crate) fn process_ids(sandbox: &Container) -> Vec<u32> {
    let id = sandbox.container_id();
    let read = |process: u32, file: &str| {
        let text = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    };
    let all: Vec<u32> = fs::read_dir("/proc")
        .expect("list processes")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let parents: BTreeMap<u32, u32> = all
        .iter()
        .filter_map(|&process| Some((process, parent(&read(process, "stat"))?)))
        .collect();
    let is_inside = |process: u32| read(process, "cgroup").contains(id);
    let is_monitor = |process: u32| {
        let words = read(process, "cmdline");
        words.contains("conmon\0") && words.contains(id)
    };
    let mut found: BTreeSet<u32> = all
        .iter()
        .copied()
        .filter(|&process| is_inside(process) || is_monitor(process))
        .collect();
    loop {
        let known = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(parent));
        let children: Vec<u32> = children.map(|(&process, _)| process).collect();
        found.extend(children);
        if found.len() == known {
            return found.into_iter().collect();
        }
    }
}

/// The fourth field of `/proc/ID/stat`; the second may hold anything, in brackets.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// A process's name and its words; `None` for one that is dead and not reaped, which has none.
fn command_line(process: u32) -> Option<String> {
    let words = fs::read(format!("/proc/{process}/cmdline")).ok()?;
    if words.is_empty() {
        return None;
    }
    let words = String::from_utf8_lossy(&words).replace('\0', " ");
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(format!("{} {}", name.trim(), words.trim()))
}

/// Waits until nothing but the placeholder and its init is alive in a sandbox.
///
/// Waits, because a killed process is there until its parent has heard of it.
pub(crate) fn assert_idle(sandbox: &Container) {
    eventually_none("processes beside the placeholder", || {
        let all = processes(sandbox);
        assert!(!all.is_empty(), "the sandbox itself is gone");
        let idle = |line: &String| line.contains("sleep infinity");
        all.into_iter().filter(|line| !idle(line)).collect()
    });
}
