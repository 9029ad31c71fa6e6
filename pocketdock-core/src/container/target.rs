//! An exec to send signals to and to ask after: who it is, and how its processes are known.

use std::sync::Arc;
use std::time::Duration;

use crate::container::kill::{self, Marks, Scope, Signal, Victim};
use crate::container::launch;
use crate::container::oom::Kills;
use crate::engine::EngineKind;
use crate::engine::client::Client;
use crate::engine::exec::{self, ExecConfig};
use crate::error::{Error, Result};

/// How long one question about a command may take before it is put again; twice as long each time.
const ASK_FIRST: Duration = Duration::from_millis(500);
const ASK_MAX: Duration = Duration::from_secs(10);

/// How long an answer about a command is waited for by the thread that reads its output.
///
/// Docker 26 and later say nothing about an exec that has ended before what its children go on
/// writing has been read. Whoever does not read while he asks must not wait for long; an engine
/// that is only busy needs more time at the next try.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskPatience(Duration);

impl AskPatience {
    pub(crate) fn first() -> Self {
        AskPatience(ASK_FIRST)
    }

    /// A client that waits so long, and no longer than it would.
    pub(crate) fn client(self, client: &Client) -> Client {
        client.at_most(self.0)
    }

    /// What an answer means for the next one.
    pub(crate) fn learn<T>(&mut self, answer: &Result<T>) {
        match answer {
            Err(Error::Timeout { .. }) => self.0 = (self.0 * 2).min(ASK_MAX),
            _ => self.0 = ASK_FIRST,
        }
    }
}

/// An exec to send signals to.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) kind: EngineKind,
    pub(crate) container: Arc<str>,
    /// The sandbox's name, for messages; `container` is its ID.
    pub(crate) name: Arc<str>,
    /// The exec instance; empty before it is created.
    pub(crate) exec_id: String,
    pub(crate) user: Option<String>,
    pub(crate) marks: Marks,
    /// The container's, where they can be counted.
    pub(crate) kills: Option<Kills>,
}

impl Target {
    /// Makes the exec instance. Docker 28 refuses a user that is not there now, others at the
    /// start.
    pub(crate) fn create_exec(&mut self, config: &ExecConfig) -> Result<()> {
        let created = exec::create(&self.client, &self.container, config);
        self.exec_id = created.map_err(launch::start_error)?;
        Ok(())
    }

    /// The error for a sandbox that was removed under a command.
    pub(crate) fn gone(&self) -> Error {
        Error::ContainerGone {
            container: self.name.as_ref().to_owned(),
            output: Box::default(),
        }
    }

    /// How many processes of the container the kernel has killed for memory, if it can be known.
    pub(crate) fn kill_count(&self) -> Option<u64> {
        self.kills.as_ref()?.count()
    }

    /// Whether it has killed any since there had been `before`.
    pub(crate) fn has_killed_since(&self, before: Option<u64>) -> Option<bool> {
        Some(before? < self.kill_count()?)
    }

    /// Ends a command that nobody can watch: what keeps it from being watched is the caller's
    /// failure, and tells more than that of this.
    pub(crate) fn call_off(&self) {
        let _killed = self.kill(Signal::KILL, Scope::Tree);
    }

    pub(crate) fn kill(&self, signal: Signal, scope: Scope) -> Result<()> {
        let Target {
            client,
            container,
            exec_id,
            user,
            marks,
            ..
        } = self;
        let victim = Victim {
            exec_id,
            user: user.as_deref(),
            marks,
        };
        kill::kill(client, container, &victim, signal, scope)
    }
}
