//! Whether a command that died of SIGKILL was killed for want of memory.
//!
//! The engine knows this of a container's first process only, and Podman 4.3 not even that. The
//! kernel counts such kills for each control group, and the sandbox can read its own: `oom_kill`
//! in `memory.events` (version 2) or `memory.oom_control` (version 1). The count that was last
//! accounted for is kept in the sandbox, in `/dev/shm`, so that an earlier kill is not taken for
//! this one. A kill that no command has ended by (its shell went on) is accounted for by the next
//! command that dies of SIGKILL, whatever has sent it that.
//!
//! Source: the kernel's cgroup documentation, "Memory".

use std::time::Duration;

use crate::container::helper;
use crate::engine::client::Client;
use crate::engine::exec::ExecConfig;
use crate::wire::digits;

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

/// Whether the kernel has killed for memory since this was last asked; `None` where it cannot be
/// known, in a sandbox without a shell or one that is gone.
pub(crate) fn happened(client: &Client, container: &str) -> Option<bool> {
    let config = ExecConfig {
        command: ["sh", "-c", SCRIPT].map(str::to_owned).to_vec(),
        ..ExecConfig::default()
    };
    let answer = helper::answer(client, container, &config, "oom ", TIMEOUT);
    let line = answer.ok()?;
    let count = line.trim_start_matches("oom ").as_bytes();
    Some(digits::decimal(count).is_some_and(|count| 0 < count))
}
