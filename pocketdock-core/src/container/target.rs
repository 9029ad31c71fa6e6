//! An exec to send signals to: who it is, and how its processes are known.

use std::sync::Arc;

use crate::container::kill::{self, Marks, Scope, Signal, Victim};
use crate::engine::EngineKind;
use crate::engine::client::Client;
use crate::error::{Error, Result};

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
}

impl Target {
    /// The error for a sandbox that was removed under a command.
    pub(crate) fn gone(&self) -> Error {
        Error::ContainerGone {
            container: self.name.as_ref().to_owned(),
            output: Box::default(),
        }
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
