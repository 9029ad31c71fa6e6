//! Input that comes from somewhere else than the connection a command's output is on.
//!
//! A second exec in the container stops itself and keeps its input open; the command reads it
//! through `/proc`. It needs `sh` and no file, and any bytes can be sent.
//!
//! A session needs it because its shell reads commands from its own input. Any command needs it
//! on Podman (4.3 to 5.8), which gives up the rest of an exec's output as soon as it cannot write
//! the exec's input, as when a command ends before it has read everything.

use std::time::Duration;

use crate::container::helper;
use crate::container::input::{InputPump, Stdin};
use crate::container::target::Target;
use crate::engine::client::Streaming;
use crate::engine::exec::ExecConfig;
use crate::error::{Error, Result};

/// Prints its process ID and keeps its input until it is killed.
const HOLDER: &str = "echo \"holder $$\"; kill -STOP $$";

/// How long starting and ending a holder may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A process that holds the input of a command; killed when dropped.
#[derive(Debug)]
pub(crate) struct Holder {
    target: Target,
    pid: String,
    streaming: Streaming,
    pump: Option<InputPump>,
}

impl Holder {
    /// Starts one, with nothing to read yet.
    pub(crate) fn open(target: &Target) -> Result<Self> {
        let config = ExecConfig {
            command: ["sh", "-c", HOLDER].map(str::to_owned).to_vec(),
            user: target.user.clone(),
            stdin: true,
            ..ExecConfig::default()
        };
        let Target {
            client, container, ..
        } = target;
        let (line, streaming) = helper::open(client, container, &config, "holder ", TIMEOUT)?;
        let pid = line.trim_start_matches("holder ").to_owned();
        if pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::Protocol {
                endpoint: streaming.endpoint,
                message: "the holder of an input gave no process ID".to_owned(),
            });
        }
        Ok(Holder {
            target: target.clone(),
            pid,
            streaming,
            pump: None,
        })
    }

    /// Starts one for this input.
    pub(crate) fn start(target: &Target, stdin: Stdin) -> Result<Self> {
        let mut holder = Self::open(target)?;
        holder.feed(stdin)?;
        Ok(holder)
    }

    /// Gives it the input to hold.
    pub(crate) fn feed(&mut self, stdin: Stdin) -> Result<()> {
        self.pump = Some(InputPump::start(stdin, self.streaming.body.connection())?);
        Ok(())
    }

    /// Takes the error by which the input has ended, if one has.
    pub(crate) fn input_failure(&self) -> Option<Error> {
        self.pump.as_ref().and_then(InputPump::failure)
    }

    /// The redirection by which a command reads it.
    pub(crate) fn redirection(&self) -> String {
        format!("</proc/{}/fd/0", self.pid)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.streaming.body.connection().shut_down();
        let argv = ["sh", "-c", "kill -KILL \"$1\"; echo done", "sh", &self.pid];
        let config = ExecConfig {
            command: argv.map(str::to_owned).to_vec(),
            user: self.target.user.clone(),
            ..ExecConfig::default()
        };
        let Target {
            client, container, ..
        } = &self.target;
        // Best effort: it goes with its container at the latest.
        let _gone = helper::answer(client, container, &config, "done", TIMEOUT);
    }
}
