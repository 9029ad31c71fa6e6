//! The endpoints under `/containers`, one function each.
//!
//! Source: Docker Engine API, "Container". Podman answers 500 in places where Docker answers 404
//! or 409, so refusals are told apart by their words as well as by their status.
//!
//! ```no_run
//! use pocketdock_core::Engine;
//! use pocketdock_core::engine::containers;
//!
//! let engine = Engine::detect()?;
//! for container in containers::list(engine.client(), &["pocketdock.managed".to_owned()])? {
//!     let found = containers::inspect(engine.client(), &container.id)?;
//!     println!("{} {:?}", container.name, found.str_at(&["State", "Status"]));
//! }
//! # Ok::<(), pocketdock_core::Error>(())
//! ```

use std::time::Duration;

use crate::engine::client::{Call, Client, Reply};
use crate::engine::types::{ContainerSummary, Created, Stats};
use crate::error::{Error, Result};
use crate::wire::http::{Method, encode_segment};
use crate::wire::json;
use crate::wire::value::Value;

/// What the endpoint of one container is called.
fn path(container: &str, verb: &str) -> String {
    let container = encode_segment(container.as_bytes());
    if verb.is_empty() {
        format!("/containers/{container}")
    } else {
        format!("/containers/{container}/{verb}")
    }
}

/// Creates a container from the engine's `Config` document and does not start it.
///
/// Engine endpoint: `POST /containers/create?name={name}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// use pocketdock_core::wire::value::Value;
///
/// let config = Value::object([("Image", "debian:trixie-slim".into())]);
/// let created = containers::create(engine.client(), "box", &config)?;
/// println!("{} {:?}", created.id, created.warnings);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NameInUse`], [`Error::ImageNotFound`], [`Error::InvalidArgument`] for an image that
/// can be none or a capability that it does not know, or [`Error::Engine`] for a document it will
/// not have.
pub fn create(client: &Client, name: &str, config: &Value) -> Result<Created> {
    let call = Call::new(Method::Post, "/containers/create")
        .query("name", name)
        .json(config);
    let reply = client.call(call)?;
    if reply.status == 201 {
        return Created::from_value(&reply.json()?)
            .ok_or_else(|| reply.unexpected("it has no container ID"));
    }
    let message = reply.message();
    if message.contains("already in use by") || message.contains("name is already in use") {
        return Err(Error::NameInUse {
            name: name.to_owned(),
        });
    }
    let image = config.str_at(&["Image"]).unwrap_or_default();
    if reply.status == 404 && message.to_ascii_lowercase().contains("no such image") {
        return Err(Error::ImageNotFound {
            image: image.to_owned(),
        });
    }
    if message.contains("invalid reference format") || message.contains("must be lowercase") {
        return Err(Error::invalid("image", image, message));
    }
    match unknown_capability(&message) {
        Some(name) => Err(Error::invalid(
            "capability",
            name,
            "the engine knows none of this name, expected one such as NET_BIND_SERVICE, or ALL",
        )),
        None => Err(reply.refused()),
    }
}

/// The name in `invalid CapAdd: unknown capability: "CAP_X"`, or `"CAP_X": unknown capability`.
fn unknown_capability(message: &str) -> Option<&str> {
    let (before, rest) = message.split_once('"')?;
    let (name, after) = rest.split_once('"')?;
    let said = |text: &str| text.contains("unknown capability");
    (said(before) || said(after)).then_some(name)
}

/// Starts a container; one that runs already is left alone.
///
/// Engine endpoint: `POST /containers/{id}/start`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::start(engine.client(), "box")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::PortInUse`], [`Error::CommandNotFound`] if its command
/// is not in the image, or [`Error::Engine`].
pub fn start(client: &Client, container: &str) -> Result<()> {
    let reply = client.call(Call::new(Method::Post, path(container, "start")))?;
    if matches!(reply.status, 204 | 304) {
        return Ok(());
    }
    let message = reply.message();
    let taken = [
        "address already in use",
        "port is already allocated",
        // Podman without root, of two ports of one container.
        "rootlessport conflict",
    ];
    if taken.iter().any(|words| message.contains(words)) {
        return Err(Error::PortInUse { message });
    }
    match missing_program(&message) {
        Some(command) => Err(Error::CommandNotFound {
            command: command.to_owned(),
        }),
        None => Err(refused(client, container, &reply)),
    }
}

/// The program that a start failed for, as in `exec: "x": executable file not found in $PATH` or
/// `exec: "/x": stat /x: no such file or directory`.
fn missing_program(message: &str) -> Option<&str> {
    let (program, reason) = message.split_once("exec: \"")?.1.split_once('"')?;
    let missing = ["executable file not found", "no such file or directory"];
    missing
        .iter()
        .any(|words| reason.contains(words))
        .then_some(program)
}

/// Stops a container: its stop signal, then SIGKILL once `grace` has passed.
///
/// `grace` is sent in whole seconds, rounded up. A container that does not run is left alone.
///
/// Engine endpoint: `POST /containers/{id}/stop?t={seconds}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::stop(engine.client(), "box", std::time::Duration::from_secs(1))?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`]; [`Error::Timeout`] if it takes longer than `grace` and the
/// client's timeout together.
pub fn stop(client: &Client, container: &str, grace: Duration) -> Result<()> {
    let seconds = grace
        .as_secs()
        .saturating_add(u64::from(0 < grace.subsec_nanos()));
    let call = Call::new(Method::Post, path(container, "stop"))
        .query("t", seconds.to_string())
        .timeout(client.timeout().saturating_add(grace));
    done(client, container, &client.call(call)?)
}

/// Sends a signal, by name or number, to a container's first process.
///
/// Engine endpoint: `POST /containers/{id}/kill?signal={signal}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::kill(engine.client(), "box", "HUP")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`], or [`Error::Engine`].
pub fn kill(client: &Client, container: &str, signal: &str) -> Result<()> {
    let call = Call::new(Method::Post, path(container, "kill")).query("signal", signal);
    done(client, container, &client.call(call)?)
}

/// Stops a container as [`stop`] does and starts it again.
///
/// Engine endpoint: `POST /containers/{id}/restart?t={seconds}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::restart(engine.client(), "box", std::time::Duration::ZERO)?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`stop`] and [`start`].
pub fn restart(client: &Client, container: &str, grace: Duration) -> Result<()> {
    let call = Call::new(Method::Post, path(container, "restart"))
        .query("t", grace.as_secs().to_string())
        .timeout(client.timeout().saturating_add(grace));
    done(client, container, &client.call(call)?)
}

/// Lets the processes of a paused container run on.
///
/// Engine endpoint: `POST /containers/{id}/unpause`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::unpause(engine.client(), "box")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`] if it is not paused.
pub fn unpause(client: &Client, container: &str) -> Result<()> {
    done(
        client,
        container,
        &client.call(Call::new(Method::Post, path(container, "unpause")))?,
    )
}

/// Freezes the processes of a running container.
///
/// Engine endpoint: `POST /containers/{id}/pause`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::pause(engine.client(), "box")?;
/// containers::unpause(engine.client(), "box")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`] if it does not run or cannot be paused.
pub fn pause(client: &Client, container: &str) -> Result<()> {
    done(
        client,
        container,
        &client.call(Call::new(Method::Post, path(container, "pause")))?,
    )
}

/// Removes a container together with its anonymous volumes; `force` kills it first.
///
/// Engine endpoint: `DELETE /containers/{id}?v=1&force={force}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::remove(engine.client(), "box", true)?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`] if it runs and `force` is false.
pub fn remove(client: &Client, container: &str, force: bool) -> Result<()> {
    let call = Call::new(Method::Delete, path(container, ""))
        .flag("v", true)
        .flag("force", force);
    done(client, container, &client.call(call)?)
}

/// Everything the engine knows of a container.
///
/// Engine endpoint: `GET /containers/{id}/json`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// let found = containers::inspect(engine.client(), "box")?;
/// assert_eq!(found.str_at(&["State", "Status"]), Some("running"));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`].
pub fn inspect(client: &Client, container: &str) -> Result<Value> {
    let reply = client.call(Call::new(Method::Get, path(container, "json")))?;
    match reply.status {
        200 => reply.json(),
        404 => Err(not_found(container)),
        _ if says_gone(&reply.message()) => Err(not_found(container)),
        _ => Err(reply.refused()),
    }
}

/// The containers with all of these labels (`name` or `name=value`), whatever their state.
///
/// Engine endpoint: `GET /containers/json?all=1&filters={"label":[…]}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// let wanted = ["pocketdock.managed=true".to_owned(), "team".to_owned()];
/// println!("{} of the team", containers::list(engine.client(), &wanted)?.len());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Engine`] if the engine refuses.
pub fn list(client: &Client, labels: &[String]) -> Result<Vec<ContainerSummary>> {
    let filters = Value::object([("label", Value::from(labels.to_vec()))]);
    let call = Call::new(Method::Get, "/containers/json")
        .flag("all", true)
        .query("filters", json::to_string(&filters));
    let reply = client.call(call)?;
    if reply.status != 200 {
        return Err(reply.refused());
    }
    let document = reply.json()?;
    let rows = document
        .as_array()
        .ok_or_else(|| reply.unexpected("it is no list"))?;
    rows.iter()
        .map(ContainerSummary::from_value)
        .collect::<Option<_>>()
        .ok_or_else(|| reply.unexpected("a container has no ID"))
}

/// Waits until a container does not run and gives the exit code of its first process; Podman
/// gives -1 for one that was never started.
///
/// Engine endpoint: `POST /containers/{id}/wait`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// let code = containers::wait(engine.client(), "job", std::time::Duration::from_secs(60))?;
/// println!("it has ended with {code}");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`]; [`Error::Timeout`] once `timeout` has passed.
pub fn wait(client: &Client, container: &str, timeout: Duration) -> Result<i64> {
    let call = Call::new(Method::Post, path(container, "wait")).timeout(timeout);
    let reply = client.call(call)?;
    if reply.status != 200 {
        return Err(refused(client, container, &reply));
    }
    reply
        .json()?
        .i64_at(&["StatusCode"])
        .ok_or_else(|| reply.unexpected("it has no status code"))
}

/// Waits until a container is gone that something else is removing.
///
/// Engine endpoint: `POST /containers/{id}/wait?condition=removed`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::wait_removed(engine.client(), "box")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Timeout`] if it is still there after the client's timeout, or [`Error::Engine`].
pub fn wait_removed(client: &Client, container: &str) -> Result<()> {
    let call = Call::new(Method::Post, path(container, "wait")).query("condition", "removed");
    let reply = client.call(call)?;
    match reply.status {
        200 => Ok(()),
        _ => match refused(client, container, &reply) {
            Error::ContainerNotFound { .. } => Ok(()),
            error => Err(error),
        },
    }
}

/// One sample of a container's resource use.
///
/// With `one_shot` the engine answers with what it has; without, Docker waits one to two seconds
/// for two samples. Docker 20.10 takes a second even for one.
///
/// Engine endpoint: `GET /containers/{id}/stats?stream=false&one-shot={one_shot}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// let stats = containers::stats(engine.client(), "box", true)?;
/// println!("{} bytes in {} processes", stats.memory_usage_bytes, stats.pids);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`].
pub fn stats(client: &Client, container: &str, one_shot: bool) -> Result<Stats> {
    let call = Call::new(Method::Get, path(container, "stats"))
        .query("stream", "false")
        .query("one-shot", if one_shot { "true" } else { "false" });
    let reply = client.call(call)?;
    match reply.status {
        200 => Ok(Stats::from_value(&reply.json()?)),
        _ => Err(refused(client, container, &reply)),
    }
}

/// The processes of a running container, one row of fields each, under the titles in the first
/// row. `columns` is the engine's own: `ps` options on Docker, descriptors on Podman, which lists
/// nothing for a container that does not run.
///
/// Engine endpoint: `GET /containers/{id}/top?ps_args={columns}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// for row in containers::top(engine.client(), "box", "pid,args")? {
///     println!("{}", row.join(" "));
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`], or [`Error::Engine`], which
/// Docker gives where its host has no `ps`.
pub fn top(client: &Client, container: &str, columns: &str) -> Result<Vec<Vec<String>>> {
    let call = Call::new(Method::Get, path(container, "top")).query("ps_args", columns);
    let reply = client.call(call)?;
    if reply.status != 200 {
        return Err(refused(client, container, &reply));
    }
    if reply.body.is_empty() {
        // Podman 4.3's answer for a paused container.
        return Ok(Vec::new());
    }
    let document = reply.json()?;
    let titles = document.get("Titles").into_iter();
    let rows = document
        .get("Processes")
        .and_then(Value::as_array)
        .unwrap_or_default();
    Ok(titles.chain(rows).map(texts).collect())
}

fn texts(row: &Value) -> Vec<String> {
    let fields = row.as_array().unwrap_or_default();
    fields
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// How a path in a container differs from its image.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers::{self, ChangeKind};
///
/// let changes = containers::changes(engine.client(), "box")?;
/// let added = changes.iter().filter(|(kind, _)| *kind == ChangeKind::Added);
/// println!("{} new files", added.count());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The content or the metadata is another.
    Modified,
    /// The image has no such path.
    Added,
    /// The path is gone.
    Deleted,
}

/// The paths that differ from the image.
///
/// Engine endpoint: `GET /containers/{id}/changes`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// for (kind, path) in containers::changes(engine.client(), "box")? {
///     println!("{kind:?} {path}");
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`].
pub fn changes(client: &Client, container: &str) -> Result<Vec<(ChangeKind, String)>> {
    let reply = client.call(Call::new(Method::Get, path(container, "changes")))?;
    // Podman looks among its layers first.
    if reply.status != 200 && reply.message().ends_with("layer not known") {
        return Err(not_found(container));
    }
    if reply.status != 200 {
        return Err(refused(client, container, &reply));
    }
    let document = reply.json()?;
    let change = |row: &Value| {
        let kind = match row.u64_at(&["Kind"])? {
            0 => ChangeKind::Modified,
            1 => ChangeKind::Added,
            2 => ChangeKind::Deleted,
            _ => return None,
        };
        Some((kind, row.str_at(&["Path"])?.to_owned()))
    };
    // Docker answers `null` when nothing has changed.
    let rows = document.as_array().unwrap_or_default();
    rows.iter()
        .map(change)
        .collect::<Option<_>>()
        .ok_or_else(|| reply.unexpected("a change has no kind or no path"))
}

/// Gives a container another name.
///
/// Engine endpoint: `POST /containers/{id}/rename?name={name}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::containers;
/// containers::rename(engine.client(), "box", "crate")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], [`Error::NameInUse`], or [`Error::Engine`].
pub fn rename(client: &Client, container: &str, name: &str) -> Result<()> {
    let call = Call::new(Method::Post, path(container, "rename")).query("name", name);
    let reply = client.call(call)?;
    let message = reply.message();
    if message.contains("already in use") || message.contains("UNIQUE constraint failed") {
        return Err(Error::NameInUse {
            name: name.to_owned(),
        });
    }
    done(client, container, &reply)
}

/// Success for what has no answer; a state that is as asked already is a success.
fn done(client: &Client, container: &str, reply: &Reply) -> Result<()> {
    match reply.status {
        200 | 201 | 204 | 304 => Ok(()),
        _ => Err(refused(client, container, reply)),
    }
}

/// The error for a refusal that is about a container: not there, not running, or the engine's own.
pub(crate) fn refused(client: &Client, container: &str, reply: &Reply) -> Error {
    let message = reply.message();
    let lower = message.to_ascii_lowercase();
    // Podman 4.3 leaves the body of some of its 404 replies empty. Others are about something
    // else: a path, a network.
    let wordless = reply.status == 404 && reply.body.trim_ascii().is_empty();
    if wordless || says_gone(&message) {
        return not_found(container);
    }
    let state = lower.contains("is not running")
        || lower.contains("is paused")
        || lower.contains("container state improper")
        || lower.contains("can only kill running")
        || lower.contains("can only be used on running")
        || lower.contains("in a container that is not running");
    if state && matches!(reply.status, 409 | 500) {
        return not_running(client, container, reply);
    }
    reply.refused()
}

fn not_found(container: &str) -> Error {
    Error::ContainerNotFound {
        container: container.to_owned(),
    }
}

/// Whether the engine says that there is no such container. Podman 4.3 says it with status 500
/// when the container goes while it is being asked about.
fn says_gone(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    lower.contains("no such container") || lower.contains("no container with")
}

/// The state that a refusal complained of, asked for anew.
fn not_running(client: &Client, container: &str, reply: &Reply) -> Error {
    match inspect(client, container) {
        Ok(found) => match found.str_at(&["State", "Status"]) {
            Some("running") | None => reply.refused(),
            Some(status) => {
                // People know it by its name; the request may have had its ID.
                let name = found.str_at(&["Name"]).unwrap_or(container);
                Error::ContainerNotRunning {
                    container: name.trim_start_matches('/').to_owned(),
                    status: status.to_owned(),
                    output: Box::default(),
                }
            }
        },
        Err(error) => error,
    }
}
