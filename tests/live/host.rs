//! What the host sees of a sandbox: its processes, whatever namespace they are in.

use std::fs;

use pocketdock_core::Container;

use crate::fixture::eventually_none;

/// The command lines of the living processes of a sandbox, as this host sees them.
pub(crate) fn processes(sandbox: &Container) -> Vec<String> {
    let all = process_ids(sandbox).into_iter().filter_map(command_line);
    all.filter(|line| !line.starts_with("conmon ")).collect()
}

/// The processes in a sandbox's control groups. Podman keeps its monitor of the container in a
/// group of the container's name, too.
pub(crate) fn process_ids(sandbox: &Container) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("list processes");
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let groups = fs::read_to_string(entry.path().join("cgroup")).ok()?;
            let inside = groups.contains(sandbox.container_id());
            inside.then(|| entry.file_name().to_str()?.parse().ok())?
        })
        .collect()
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
