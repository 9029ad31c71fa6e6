//! The endpoints under `/exec`: running a command in a container.
//!
//! ```text
//! POST /containers/{id}/exec   an exec instance: what to run, as whom, with which streams
//! POST /exec/{id}/start        the connection is hijacked: output to its end, input backwards
//! GET  /exec/{id}/json         the exit code, once `Running` is false
//! ```
//!
//! The reply to a start is 101 or 200 with raw bytes until the end, whatever its content type
//! says. Docker drops input that arrives before it has answered, so nothing is sent until then.
//!
//! Source: Docker Engine API, "Exec".
//!
//! ```no_run
//! use std::io::Read;
//! use pocketdock_core::Engine;
//! use pocketdock_core::engine::exec::{self, ExecConfig};
//!
//! let engine = Engine::detect()?;
//! let command = vec!["date".to_owned()];
//! let config = ExecConfig { command, tty: true, ..ExecConfig::default() };
//! let id = exec::create(engine.client(), "box", &config)?;
//! let mut output = String::new();
//! exec::start(engine.client(), &id, true)?.body.read_to_string(&mut output).expect("output");
//! println!("{output} {:?}", exec::inspect(engine.client(), &id)?);
//! # Ok::<(), pocketdock_core::Error>(())
//! ```

use crate::engine::client::{Call, Client, Streaming};
use crate::engine::containers;
use crate::engine::types::ExecState;
use crate::error::Result;
use crate::wire::http::{Method, encode_segment};
use crate::wire::value::Value;

/// What to run.
///
/// ```
/// use pocketdock_core::engine::exec::{self, ExecConfig};
///
/// let command = vec!["make".to_owned(), "test".to_owned()];
/// let config = ExecConfig { command, workdir: Some("/src".to_owned()), ..ExecConfig::default() };
/// ```
#[derive(Debug, Clone, Default)]
pub struct ExecConfig {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables, as `NAME=value`, on top of the container's own.
    pub env: Vec<String>,
    /// The working directory, if not the container's own.
    pub workdir: Option<String>,
    /// The user, as `name`, `uid` or `uid:gid`, if not the container's own.
    pub user: Option<String>,
    /// Whether input will be sent.
    pub stdin: bool,
    /// Whether it gets a terminal: one raw stream instead of frames.
    pub tty: bool,
    /// The keys by which Docker leaves a terminal without ending its process; its default if
    /// empty.
    pub detach_keys: String,
}

impl ExecConfig {
    fn to_value(&self) -> Value {
        let mut document = vec![
            ("AttachStdin", Value::from(self.stdin)),
            ("AttachStdout", Value::from(true)),
            ("AttachStderr", Value::from(true)),
            ("Tty", Value::from(self.tty)),
            ("Cmd", Value::from(self.command.clone())),
        ];
        if !self.env.is_empty() {
            document.push(("Env", Value::from(self.env.clone())));
        }
        if !self.detach_keys.is_empty() {
            document.push(("DetachKeys", Value::from(self.detach_keys.as_str())));
        }
        if let Some(dir) = &self.workdir {
            document.push(("WorkingDir", Value::from(dir.as_str())));
        }
        if let Some(user) = &self.user {
            document.push(("User", Value::from(user.as_str())));
        }
        Value::object(document)
    }
}

/// Makes an exec instance in a running container and gives its ID.
///
/// Engine endpoint: `POST /containers/{id}/exec`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::exec::{self, ExecConfig};
///
/// let command = ["id", "-u"].map(str::to_owned).to_vec();
/// let config = ExecConfig { command, user: Some("nobody".to_owned()), ..ExecConfig::default() };
/// let id = exec::create(engine.client(), "box", &config)?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`](crate::Error::ContainerNotFound),
/// [`Error::ContainerNotRunning`](crate::Error::ContainerNotRunning), or
/// [`Error::Engine`](crate::Error::Engine).
pub fn create(client: &Client, container: &str, config: &ExecConfig) -> Result<String> {
    let path = format!("/containers/{}/exec", encode_segment(container.as_bytes()));
    let reply = client.call(Call::new(Method::Post, path).json(&config.to_value()))?;
    if reply.status != 201 {
        return Err(containers::refused(client, container, &reply));
    }
    let document = reply.json()?;
    let id = document.str_at(&["Id"]).filter(|id| !id.is_empty());
    id.map(str::to_owned)
        .ok_or_else(|| reply.unexpected("it has no exec ID"))
}

/// Starts an exec instance; the body of the answer is its output, without a deadline.
///
/// `tty` is what the instance was created with.
///
/// Engine endpoint: `POST /exec/{id}/start`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::exec::{self, ExecConfig};
/// use std::io::Read;
///
/// # let id = exec::create(engine.client(), "box", &ExecConfig::default())?;
/// let mut frames = Vec::new(); // For `wire::frame`: there is no terminal.
/// exec::start(engine.client(), &id, false)?.body.read_to_end(&mut frames).expect("output");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Engine`](crate::Error::Engine) if the engine refuses.
pub fn start(client: &Client, exec_id: &str, tty: bool) -> Result<Streaming> {
    let document = Value::object([("Detach", Value::from(false)), ("Tty", Value::from(tty))]);
    let call = Call::new(Method::Post, path(exec_id, "start"))
        .json(&document)
        .upgrade();
    let streaming = client.open(call)?;
    match streaming.head.status {
        101 | 200 => Ok(streaming.without_deadline()),
        _ => Err(streaming.into_reply()?.refused()),
    }
}

/// How an exec instance stands; `None` if the engine has forgotten it, as it does when its
/// container stops.
///
/// Engine endpoint: `GET /exec/{id}/json`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::exec::{self, ExecConfig};
///
/// # let id = exec::create(engine.client(), "box", &ExecConfig::default())?;
/// match exec::inspect(engine.client(), &id)? {
///     Some(state) if state.running => println!("it runs as {}", state.pid),
///     Some(state) => println!("it has ended with {:?}", state.exit_code),
///     None => println!("its container has stopped"),
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Engine`](crate::Error::Engine) if the engine refuses.
pub fn inspect(client: &Client, exec_id: &str) -> Result<Option<ExecState>> {
    let reply = client.call(Call::new(Method::Get, path(exec_id, "json")))?;
    match reply.status {
        200 => ExecState::from_value(&reply.json()?)
            .map(Some)
            .ok_or_else(|| reply.unexpected("it does not say whether it runs")),
        404 => Ok(None),
        500 if says_gone(&reply.message()) => Ok(None),
        _ => Err(reply.refused()),
    }
}

/// Whether these are the words of Podman 4.3 for an instance whose container is being removed or
/// started again.
fn says_gone(message: &str) -> bool {
    message.contains("no such exec session") || message.contains("no such container")
}

/// Tells the terminal of a running exec instance its size, in characters.
///
/// Engine endpoint: `POST /exec/{id}/resize?h={rows}&w={columns}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::exec::{self, ExecConfig};
///
/// # let id = exec::create(engine.client(), "box", &ExecConfig::default())?;
/// exec::resize(engine.client(), &id, 24, 80)?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Engine`](crate::Error::Engine) if it does not run.
pub fn resize(client: &Client, exec_id: &str, rows: u16, columns: u16) -> Result<()> {
    let call = Call::new(Method::Post, path(exec_id, "resize"))
        .query("h", rows.to_string())
        .query("w", columns.to_string());
    let reply = client.call(call)?;
    match reply.status {
        200 | 201 => Ok(()),
        _ => Err(reply.refused()),
    }
}

fn path(exec_id: &str, verb: &str) -> String {
    format!("/exec/{}/{verb}", encode_segment(exec_id.as_bytes()))
}
