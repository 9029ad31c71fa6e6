//! Endpoints about the engine itself: ping, version, info.
//!
//! ```no_run
//! use std::path::Path;
//! use pocketdock_core::engine::client::Client;
//! use pocketdock_core::engine::system;
//!
//! let client = Client::new(Path::new("/run/podman/podman.sock"));
//! let ping = system::ping(&client)?.expect("an engine");
//! println!("{} {}, API {:?}", ping.kind, ping.version, ping.api_version);
//! # Ok::<(), pocketdock_core::Error>(())
//! ```

use crate::engine::client::{Call, Client};
use crate::error::Result;
use crate::wire::digits;
use crate::wire::http::{Method, ResponseHead};
use crate::wire::value::Value;

use super::EngineKind;

/// What an engine says about itself when pinged.
///
/// ```no_run
/// use std::path::Path;
/// use pocketdock_core::engine::{client::Client, system::{self, Ping}};
///
/// let client = Client::new(Path::new("/run/podman/podman.sock"));
/// if let Some(Ping { kind, api_version: (major, minor), .. }) = system::ping(&client)? {
///     println!("{kind} speaks {major}.{minor}");
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ping {
    /// Docker or Podman.
    pub kind: EngineKind,
    /// The engine's own version, such as `20.10.24`; empty if it does not say.
    pub version: String,
    /// The newest version of the API it speaks.
    pub api_version: (u64, u64),
}

/// Asks whether an engine is there, and which.
///
/// `None` means that something answered which is no container engine.
///
/// Engine endpoint: `GET /_ping`, without a version.
///
/// ```no_run
/// use std::path::Path;
/// use pocketdock_core::engine::{client::Client, system};
///
/// let client = Client::new(Path::new("/var/run/docker.sock"));
/// match system::ping(&client)? {
///     Some(ping) => println!("{} {}", ping.kind, ping.version),
///     None => println!("no engine"),
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Client::call`], and [`Error::Engine`](crate::Error::Engine) for words of refusal, such as
/// those of an authorization plugin.
pub fn ping(client: &Client) -> Result<Option<Ping>> {
    let streaming = client.open(Call::new(Method::Get, "/_ping"))?;
    let ping = read_ping(&streaming.head);
    let reply = streaming.into_reply()?;
    match reply.status {
        200 => Ok(ping),
        // What speaks JSON may be an engine; a page in HTML says nothing.
        _ if reply.json().is_ok() => Err(reply.refused()),
        _ => Ok(None),
    }
}

fn read_ping(head: &ResponseHead) -> Option<Ping> {
    let libpod = head.header("Libpod-Api-Version");
    let server = head.header("Server").unwrap_or_default();
    let server_version = server.split(['/', ' ']).nth(1).unwrap_or_default();
    let (major, minor) = head.header("Api-Version")?.split_once('.')?;
    Some(Ping {
        kind: if libpod.is_some() {
            EngineKind::Podman
        } else {
            EngineKind::Docker
        },
        version: libpod.unwrap_or(server_version).to_owned(),
        api_version: (
            digits::decimal(major.as_bytes())?,
            digits::decimal(minor.as_bytes())?,
        ),
    })
}

/// The engine's account of its version and parts. Takes up to half a second on Podman.
///
/// Engine endpoint: `GET /version`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::system;
/// println!("{:?}", system::version(engine.client())?.str_at(&["KernelVersion"]));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`Client::call`], and [`Error::Engine`](crate::Error::Engine) if the engine refuses.
pub fn version(client: &Client) -> Result<Value> {
    document(client, "/version")
}

/// The engine's account of itself and its host. Takes up to a third of a second on Podman.
///
/// Engine endpoint: `GET /info`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::system;
/// println!("{:?} processors", system::info(engine.client())?.u64_at(&["NCPU"]));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`version`].
pub fn info(client: &Client) -> Result<Value> {
    document(client, "/info")
}

fn document(client: &Client, path: &str) -> Result<Value> {
    let reply = client.call(Call::new(Method::Get, path))?;
    match reply.status {
        200 => reply.json(),
        _ => Err(reply.refused()),
    }
}
