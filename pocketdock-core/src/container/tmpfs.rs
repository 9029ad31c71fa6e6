//! Directories in memory, made as they were asked for.
//!
//! The engines mount a tmpfs with the mode that was asked for, but runc before 1.2 then gives it
//! the mode of the directory that the image has in its place. The home of an ordinary user would
//! be root's and closed to its owner. So once the sandbox runs, root sets the modes again, which
//! takes no capability: the directories are its own.

use std::time::Duration;

use crate::container::helper;
use crate::container::specs::Tmpfs;
use crate::engine::client::Client;
use crate::engine::exec::ExecConfig;
use crate::error::{Error, Result};

/// How long setting the modes may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Takes pairs of a mode and a directory.
const SCRIPT: &str = r#"
while [ $# -gt 0 ]; do chmod "$1" "$2" || exit; shift 2; done
echo done
"#;

/// Gives the mounts of a running sandbox their modes; a warning if that could not be done.
///
/// # Errors
///
/// Those of the connection. A sandbox whose own first process has ended needs no modes.
pub(crate) fn set_modes(
    client: &Client,
    container: &str,
    mounts: &[Tmpfs],
) -> Result<Option<String>> {
    if mounts.is_empty() {
        return Ok(None);
    }
    let pairs = mounts.iter().flat_map(|mount| [mount.mode(), &mount.dir]);
    let command = ["sh", "-c", SCRIPT, "sh"].into_iter().chain(pairs);
    let config = ExecConfig {
        command: command.map(str::to_owned).collect(),
        workdir: Some("/".to_owned()),
        user: Some("0".to_owned()),
        ..ExecConfig::default()
    };
    match helper::answer(client, container, &config, "done", TIMEOUT) {
        Ok(_) | Err(Error::ContainerNotRunning { .. } | Error::ContainerNotFound { .. }) => {
            Ok(None)
        }
        Err(
            error @ (Error::CommandNotFound { .. }
            | Error::CommandNotExecutable { .. }
            | Error::Protocol { .. }),
        ) => Ok(Some(format!(
            "the modes of directories in memory may not be as asked: {error}"
        ))),
        Err(error) => Err(error),
    }
}
