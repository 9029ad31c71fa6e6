//! Whether a command that died of SIGKILL was killed for want of memory.
//!
//! The engine knows this of a container's first process only, and Podman 4.3 not even that. The
//! kernel counts such kills for each control group: `oom_kill` in `memory.events` (version 2) or
//! `memory.oom_control` (version 1), before it sends the signal. A count that has grown since the
//! command began says that memory was the cause.
//!
//! Where the engine runs on this machine, its container's counter can be read here, for a few
//! microseconds ([`Kills`]). Elsewhere only the sandbox can read it, and an exec for that before
//! each command would cost as much as the command. There the count that was last accounted for is
//! kept in the sandbox, in `/dev/shm`: a kill that no command has ended by (its shell went on) is
//! accounted for by the next command that dies of SIGKILL, whatever has sent it that, and of two
//! that die at once one is taken for killed by somebody.
//!
//! Source: the kernel's cgroup documentation, "Memory".

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::container::helper;
use crate::engine::client::Client;
use crate::engine::exec::ExecConfig;
use crate::wire::digits;
use crate::wire::value::Value;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Prints `oom NEW` with the number of kills that nobody has accounted for yet.
const SCRIPT: &str = r#"
now=0 known=0 state=/dev/shm/.pocketdock-oom
for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  while read -r key value; do
    [ "$key" = oom_kill ] && now=$value
  done <"$file"
done 2>/dev/null
read -r known <"$state"
[ "$now" = "${known:-0}" ] || echo "$now" >"$state"
echo "oom $((now - ${known:-0}))"
"#;

/// The kernel's count of one container's kills, if this machine has it.
#[derive(Debug, Clone)]
pub(crate) struct Kills(Arc<Counter>);

/// A file of a control group. It is kept open, for it is read before each command.
#[derive(Debug)]
struct Counter {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Kills {
    /// Of a container that runs, from what the engine says of it.
    pub(crate) fn of(found: &Value) -> Option<Self> {
        let pid = found.u64_at(&["State", "Pid"]).filter(|&pid| pid != 0)?;
        let id = found.str_at(&["Id"]).filter(|id| !id.is_empty())?;
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        counter(&groups, id).map(Kills::at)
    }

    fn at(path: PathBuf) -> Self {
        let file = Mutex::new(None);
        Kills(Arc::new(Counter { path, file }))
    }

    /// How many there have been; `None` if that cannot be known.
    pub(crate) fn count(&self) -> Option<u64> {
        let mut kept = self.0.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = kept.as_ref().and_then(read) {
            return Some(count);
        }
        // For the first time, or the container was started anew, and its group with it.
        let file = File::open(&self.0.path).ok()?;
        let count = read(&file);
        *kept = Some(file);
        count
    }
}

/// The value in a counter's file.
fn read(file: &File) -> Option<u64> {
    let mut text = [0; 256]; // Both files are short.
    let len = file.read_at(&mut text, 0).ok()?;
    kills(text.get(..len)?)
}

/// The file with the counter of the container `id`, by the control groups of its first process as
/// in `/proc/PID/cgroup`. The process of another machine has the number of any process here, but
/// the ID is in the names of no other's groups.
fn counter(groups: &str, id: &str) -> Option<PathBuf> {
    groups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        if !path.contains(id) {
            return None;
        }
        if controllers.is_empty() {
            return Some(PathBuf::from(format!("/sys/fs/cgroup{path}/memory.events")));
        }
        let mut controllers = controllers.split(',');
        controllers
            .any(|name| name == "memory")
            .then(|| PathBuf::from(format!("/sys/fs/cgroup/memory{path}/memory.oom_control")))
    })
}

/// The counter's value.
fn kills(text: &[u8]) -> Option<u64> {
    let mut lines = text.split(|&byte| byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(b"oom_kill "))?;
    digits::decimal(value)
}

/// Whether the kernel has killed for memory since this was last asked, by the account that the
/// sandbox keeps; `None` where it cannot be known, in a sandbox without a shell or one that is
/// gone.
pub(crate) fn unaccounted(client: &Client, container: &str) -> Option<bool> {
    let config = ExecConfig {
        command: ["sh", "-c", SCRIPT].map(str::to_owned).to_vec(),
        ..ExecConfig::default()
    };
    let answer = helper::answer(client, container, &config, "oom ", TIMEOUT);
    let line = answer.ok()?;
    let count = line.trim_start_matches("oom ").as_bytes();
    Some(digits::decimal(count).is_some_and(|count| 0 < count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f1ed1";

    #[test]
    fn the_counter_is_found_in_either_version() {
        let v1 = "12:pids:/docker/4f1ed1\n7:cpu,memory:/docker/4f1ed1\n0::/\n";
        let v2 = "0::/machine.slice/libpod-4f1ed1.scope/container\n";
        let file = |groups| counter(groups, ID).map(|path| path.display().to_string());
        assert_eq!(
            file(v1).as_deref(),
            Some("/sys/fs/cgroup/memory/docker/4f1ed1/memory.oom_control")
        );
        assert_eq!(
            file(v2).as_deref(),
            Some("/sys/fs/cgroup/machine.slice/libpod-4f1ed1.scope/container/memory.events")
        );
    }

    #[test]
    fn a_process_that_is_not_the_containers_has_no_counter() {
        for groups in [
            "",
            "0::/user.slice\n",
            "7:memory:/docker/another\n",
            "7:pids:/docker/4f1ed1\n",
            "garbage\n:\n",
        ] {
            assert_eq!(counter(groups, ID), None, "{groups:?}");
        }
    }

    #[test]
    fn the_count_is_read_from_either_file() {
        let v1 = b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let v2 = b"low 0\nhigh 0\nmax 40\noom 5\noom_kill 18446744073709551615\n";
        assert_eq!(kills(v1), Some(3));
        assert_eq!(kills(v2), Some(u64::MAX));
        assert_eq!(kills(b"oom 5\noom_kill x\n"), None);
        assert_eq!(kills(b"oom 5\n"), None);
    }

    #[test]
    fn a_group_that_was_made_anew_is_read_anew() {
        let random = crate::host::random_hex::<8>().unwrap();
        let path = std::env::temp_dir().join(format!("pocketdock-oom-{random}"));
        let kills = Kills::at(path.clone());
        assert_eq!(kills.count(), None);
        fs::write(&path, "oom_kill 1\n").unwrap();
        assert_eq!(kills.count(), Some(1));
        fs::write(&path, "oom_kill 2\n").unwrap();
        assert_eq!(kills.count(), Some(2));
        // As a removed group's file, the old one has no count any more.
        fs::write(&path, "").unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(kills.count(), None);
        fs::write(&path, "oom_kill 3\n").unwrap();
        assert_eq!(kills.count(), Some(3));
        fs::remove_file(&path).unwrap();
    }
}
