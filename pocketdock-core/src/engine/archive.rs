//! The archive endpoints: files of a container as tar archives.
//!
//! On Docker these do not see tmpfs mounts, refuse a read-only root, and hold a lock on the
//! container for as long as they run.
//!
//! Source: Docker Engine API, "Container", `/containers/{id}/archive`.
//!
//! ```no_run
//! use std::io::Read;
//! use pocketdock_core::Engine;
//! use pocketdock_core::engine::archive;
//!
//! let engine = Engine::detect()?;
//! let mut tar = Vec::new();
//! archive::get(engine.client(), "box", "/etc")?.body.read_to_end(&mut tar).expect("an archive");
//! # Ok::<(), pocketdock_core::Error>(())
//! ```

use crate::engine::client::{Call, Client, Reply, Streaming};
use crate::engine::containers;
use crate::engine::exchange::RequestBody;
use crate::error::{Error, Result};
use crate::wire::base64;
use crate::wire::http::{Method, encode_segment};
use crate::wire::json;
use crate::wire::value::Value;

/// What the engine says of a path: `name`, `size`, `mode` (Go's `os.FileMode`), `mtime`,
/// `linkTarget`; of a link itself, with the absolute path that it leads to.
///
/// Engine endpoint: `HEAD /containers/{id}/archive?path={path}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::archive;
/// let found = archive::stat(engine.client(), "box", "/etc/passwd")?;
/// println!("{:?} bytes", found.u64_at(&["size"]));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::PathNotFound`], or [`Error::Engine`].
pub fn stat(client: &Client, container: &str, path: &str) -> Result<Value> {
    let streaming = client.open(call(Method::Head, container, path))?;
    let header = streaming
        .head
        .header("X-Docker-Container-Path-Stat")
        .map(str::to_owned);
    let reply = streaming.into_reply()?;
    match (reply.status, header) {
        // Podman answers 404 for a link that leads nowhere, and says what it is nevertheless.
        (200 | 404, Some(stat)) => base64::decode(&stat)
            .and_then(|text| json::parse(&text).ok())
            .ok_or_else(|| reply.unexpected("its path stat cannot be read")),
        // A reply to HEAD has no words to tell what is missing.
        (404, _) => match containers::inspect(client, container) {
            Err(missing @ Error::ContainerNotFound { .. }) => Err(missing),
            _ => Err(Error::PathNotFound { path: path.into() }),
        },
        _ => Err(reply.refused()),
    }
}

/// A file or a directory with everything in it as an archive; its bytes are the body of the
/// answer. Each read of it has the client's timeout.
///
/// Engine endpoint: `GET /containers/{id}/archive?path={path}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::archive;
/// use std::fs::File;
///
/// let mut archive = archive::get(engine.client(), "box", "/home")?;
/// let mut file = File::create("home.tar").expect("a file");
/// std::io::copy(&mut archive.body, &mut file).expect("all of it");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::PathNotFound`], or [`Error::Engine`].
pub fn get(client: &Client, container: &str, path: &str) -> Result<Streaming> {
    let streaming = client.open(call(Method::Get, container, path))?;
    match streaming.head.status {
        200 => Ok(streaming.with_patience(client.timeout())),
        _ => Err(refused(client, container, path, &streaming.into_reply()?)),
    }
}

/// Unpacks an archive into a directory of the container; a directory is never replaced by
/// something else.
///
/// Engine endpoint: `PUT /containers/{id}/archive?path={path}&noOverwriteDirNonDir=1`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::archive;
/// use pocketdock_core::engine::exchange::RequestBody;
///
/// let mut file = std::fs::File::open("home.tar").expect("a file");
/// archive::put(engine.client(), "box", "/", RequestBody::Reader(&mut file, None))?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::PathNotFound`], or [`Error::Engine`];
/// [`Error::Io`] if the archive's source fails.
pub fn put(client: &Client, container: &str, path: &str, archive: RequestBody<'_>) -> Result<()> {
    let call = call(Method::Put, container, path)
        .flag("noOverwriteDirNonDir", true)
        .body(archive);
    let reply = client.call(call)?;
    match reply.status {
        200 => Ok(()),
        _ => Err(refused(client, container, path, &reply)),
    }
}

/// The error for a refusal that may be about the container or about the path in it.
fn refused(client: &Client, container: &str, path: &str, reply: &Reply) -> Error {
    match containers::refused(client, container, reply) {
        Error::Engine { status: 404, .. } => Error::PathNotFound { path: path.into() },
        error => error,
    }
}

fn call<'a>(method: Method, container: &str, path: &str) -> Call<'a> {
    let container = encode_segment(container.as_bytes());
    Call::new(method, format!("/containers/{container}/archive")).query("path", path)
}
