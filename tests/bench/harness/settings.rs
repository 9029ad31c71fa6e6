//! What `run.sh` tells the benches through the environment.
//!
//! ```text
//! POCKETDOCK_TEST_ENGINE   docker or podman
//! POCKETDOCK_TEST_SOCKET   its socket
//! POCKETDOCK_TEST_IMAGE    an image with busybox in it
//! POCKETDOCK_BENCH_CLI     the engine's own client, if it is not the first on the path
//! POCKETDOCK_BENCH_SCALE   how many rounds, in percent of the usual number
//! ```

use std::path::PathBuf;
use std::process::Command;

/// The engine to measure, and how thoroughly.
#[derive(Debug, Clone)]
pub struct Settings {
    pub engine: String,
    pub socket: PathBuf,
    pub image: String,
    client: String,
    scale_percent: usize,
}

impl Settings {
    /// `None` if no engine is named: there is nothing to measure then.
    pub fn read() -> Option<Self> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let engine = variable("POCKETDOCK_TEST_ENGINE")?;
        let socket = PathBuf::from(variable("POCKETDOCK_TEST_SOCKET")?);
        let image = variable("POCKETDOCK_TEST_IMAGE");
        let scale = variable("POCKETDOCK_BENCH_SCALE").and_then(|text| text.parse().ok());
        Some(Settings {
            client: variable("POCKETDOCK_BENCH_CLI").unwrap_or_else(|| engine.clone()),
            image: image.unwrap_or_else(|| "localhost/busybox:latest".to_owned()),
            scale_percent: scale.unwrap_or(100),
            engine,
            socket,
        })
    }

    /// As many rounds as usual, or the part of them that was asked for.
    pub fn rounds(&self, usual: usize) -> usize {
        (usual * self.scale_percent / 100).max(1)
    }

    /// The engine's own client, told which engine to talk to.
    pub fn own_client(&self) -> Command {
        let mut command = Command::new(&self.client);
        let address = format!("unix://{}", self.socket.display());
        if self.engine == "podman" {
            command.args(["--remote", "--url", &address]);
        } else {
            command.args(["--host", &address]);
        }
        command
    }
}
