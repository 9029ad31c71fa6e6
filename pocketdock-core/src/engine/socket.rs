//! Which sockets an engine may answer on, in the order they are tried.
//!
//! ```text
//! the caller's own > POCKETDOCK_SOCKET > DOCKER_HOST > CONTAINER_HOST > DOCKER_CONTEXT
//!   > the current docker context > configured sockets
//!   > $XDG_RUNTIME_DIR/podman/podman.sock > /run/podman/podman.sock
//!   > $XDG_RUNTIME_DIR/docker.sock > /var/run/docker.sock
//!   > where podman machine, Docker Desktop, colima and OrbStack put theirs
//! ```
//!
//! The first explicit choice is the only candidate: one that does not answer is an error, never
//! a reason to go to another engine. The current docker context and everything after it are
//! guesses, and the first that answers is taken.
//!
//! Nothing is connected here; see [`EngineOptions`](super::EngineOptions).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::engine::{context, settings};
use crate::error::{Error, Result};
use crate::host::Environment;

/// The form of an address that can be used.
const ADDRESS_FORM: &str = "expected a path or unix:///PATH";

/// Where the caller's own socket comes from.
pub(super) const ASKED_FOR: &str = "the caller";

/// A socket to try.
///
/// ```
/// use pocketdock_core::engine::socket::candidates;
/// use pocketdock_core::host::Environment;
///
/// for candidate in candidates(None, &[], &Environment::default())? {
///     println!("{} ({})", candidate.socket.display(), candidate.source);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where it is.
    pub socket: PathBuf,
    /// Who says so: the caller, a variable, a context, or "a usual place".
    pub source: String,
    /// Whether the user chose it, so that no other may be used in its place.
    pub explicit: bool,
}

impl Candidate {
    fn chosen(socket: PathBuf, source: impl Into<String>) -> Vec<Self> {
        vec![Candidate {
            socket,
            source: source.into(),
            explicit: true,
        }]
    }
}

/// The sockets to try, in order; exactly one if the user made a choice.
///
/// `own` is the caller's argument, `configured` what the caller's configuration says; without it
/// the configuration files are read, if nothing before them is a choice.
///
/// ```
/// use pocketdock_core::engine::socket::candidates;
/// use pocketdock_core::host::Environment;
///
/// let mut environment = Environment::default();
/// environment.docker_host = Some("unix:///run/mine.sock".into());
/// let found = candidates(None, &[], &environment)?;
/// assert_eq!(found.len(), 1); // A choice, so nothing else is tried.
/// assert_eq!(found[0].source, "DOCKER_HOST");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidArgument`] if a chosen address is not that of a Unix socket or names a context
/// that does not exist; [`Error::Io`] or [`Error::Config`] if a chosen context or a configuration
/// file cannot be read or used.
pub fn candidates(
    own: Option<&Path>,
    configured: &[PathBuf],
    environment: &Environment,
) -> Result<Vec<Candidate>> {
    if let Some(path) = own {
        let socket = socket_of("socket", path.as_os_str())?;
        return Ok(Candidate::chosen(socket, ASKED_FOR));
    }
    let variables = [
        ("POCKETDOCK_SOCKET", &environment.pocketdock_socket),
        ("DOCKER_HOST", &environment.docker_host),
        ("CONTAINER_HOST", &environment.container_host),
    ];
    for (name, value) in variables {
        if let Some(value) = value {
            return Ok(Candidate::chosen(socket_of(name, value)?, name));
        }
    }
    let docker_config = docker_config_dir(environment);
    if let (Some(name), Some(dir)) = (&environment.docker_context, &docker_config) {
        let name = name.to_string_lossy();
        if name != "default" {
            let host = context::endpoint(dir, &name)?.ok_or_else(|| {
                let reason = format!("no docker context has this name in '{}'", dir.display());
                Error::invalid("DOCKER_CONTEXT", name.as_ref(), reason)
            })?;
            let socket = socket_of("DOCKER_CONTEXT", OsStr::new(&host))?;
            return Ok(Candidate::chosen(
                socket,
                format!("the docker context '{name}'"),
            ));
        }
    }
    // A `socket` key in a configuration file is a choice, too, but the docker context of the
    // moment comes before it.
    let mut found = current_context(docker_config.as_deref(), environment);
    found.extend(match configured_socket(configured, environment)? {
        Some(chosen) => chosen,
        None => usual_places(environment),
    });
    Ok(found)
}

/// What the caller's configuration or the first configuration file with a `socket` says.
fn configured_socket(
    configured: &[PathBuf],
    environment: &Environment,
) -> Result<Option<Vec<Candidate>>> {
    if let Some(path) = configured.first() {
        let socket = socket_of("socket", path.as_os_str())?;
        return Ok(Some(Candidate::chosen(socket, "the configuration")));
    }
    let Some((address, file)) = settings::socket(environment)? else {
        return Ok(None);
    };
    let socket = configured_address(&address).map_err(|expected| Error::Config {
        path: file.path.clone(),
        line: file.line,
        message: format!("socket: {expected}, not '{}'", address.escape_debug()),
    })?;
    let source = format!("line {} of '{}'", file.line, file.path.display());
    Ok(Some(Candidate::chosen(socket, source)))
}

/// The socket that a configuration file may name: by an absolute path, since the file and the
/// working directory are in different places.
///
/// ```
/// use pocketdock_core::engine::socket::configured_address;
///
/// assert_eq!(configured_address("unix:///run/podman.sock"), Ok("/run/podman.sock".into()));
/// assert!(configured_address("podman.sock").is_err()); // Relative to what?
/// ```
///
/// # Errors
///
/// What is expected instead, as a phrase.
pub fn configured_address(address: &str) -> std::result::Result<PathBuf, String> {
    match socket_of("socket", OsStr::new(address)) {
        Ok(path) if path.is_absolute() => Ok(path),
        Err(Error::InvalidArgument { expected, .. }) if address.contains("://") => Err(expected),
        Ok(_) | Err(_) => Err("expected an absolute path or unix:///PATH".to_owned()),
    }
}

/// The socket of the current docker context. What cannot be read or is no socket is no guess.
fn current_context(config_dir: Option<&Path>, environment: &Environment) -> Vec<Candidate> {
    if environment.docker_context.is_some() {
        return Vec::new(); // It said `default`, which overrides the current context.
    }
    let endpoint = config_dir.and_then(|dir| {
        let name = context::current(dir).ok()??;
        let host = context::endpoint(dir, &name).ok()??;
        Some((name, socket_of("context", OsStr::new(&host)).ok()?))
    });
    let Some((name, socket)) = endpoint else {
        return Vec::new();
    };
    let source = format!("the current docker context '{name}'");
    vec![Candidate {
        socket,
        source,
        explicit: false,
    }]
}

fn docker_config_dir(environment: &Environment) -> Option<PathBuf> {
    match &environment.docker_config {
        Some(dir) => Some(PathBuf::from(dir)),
        None => environment.home.as_ref().map(|home| home.join(".docker")),
    }
}

fn usual_places(environment: &Environment) -> Vec<Candidate> {
    let runtime = |name: &str| environment.runtime_dir.as_ref().map(|dir| dir.join(name));
    let home = |name: &str| environment.home.as_ref().map(|dir| dir.join(name));
    let places = [
        runtime("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
        runtime("docker.sock"),
        Some(PathBuf::from("/var/run/docker.sock")),
        home(".local/share/containers/podman/machine/podman.sock"),
        home(".docker/run/docker.sock"),
        home(".docker/desktop/docker.sock"),
        home(".colima/default/docker.sock"),
        home(".orbstack/run/docker.sock"),
    ];
    let candidate = |socket| Candidate {
        socket,
        source: "a usual place".into(),
        explicit: false,
    };
    places.into_iter().flatten().map(candidate).collect()
}

/// The path in `unix:///PATH` or a bare path.
fn socket_of(what: &'static str, address: &OsStr) -> Result<PathBuf> {
    let bytes = address.as_bytes();
    let path = bytes.strip_prefix(b"unix://").unwrap_or(bytes);
    let text = address.to_string_lossy();
    if let Some((scheme @ ("tcp" | "ssh" | "http" | "https" | "npipe" | "fd"), rest)) =
        text.split_once("://")
    {
        return Err(Error::invalid(
            what,
            text.as_ref(),
            remote_hint(scheme, rest),
        ));
    }
    if path.is_empty() || path.contains(&0) {
        return Err(Error::invalid(what, text.as_ref(), ADDRESS_FORM));
    }
    Ok(PathBuf::from(OsStr::from_bytes(path)))
}

/// How to get a local socket for a remote engine.
fn remote_hint(scheme: &str, rest: &str) -> String {
    let host = match scheme {
        "ssh" => rest.split('/').next().unwrap_or(rest),
        "tcp" | "http" | "https" => rest.split([':', '/']).next().unwrap_or(rest),
        _ => return format!("only Unix sockets are supported, {ADDRESS_FORM}"),
    };
    format!(
        "only Unix sockets are supported; forward the remote one with \
         'ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock {host}' and use /tmp/engine.sock"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> Environment {
        Environment {
            runtime_dir: Some("/run/user/7".into()),
            home: Some("/nowhere".into()),
            ..Environment::default()
        }
    }

    fn sockets(found: &[Candidate]) -> Vec<&str> {
        found
            .iter()
            .map(|candidate| candidate.socket.to_str().unwrap())
            .collect()
    }

    #[test]
    fn explicit_choices_come_in_order_and_alone() {
        let mut environment = environment();
        let first = |environment: &Environment, own: Option<&Path>| {
            let found = candidates(own, &["/configured".into()], environment).unwrap();
            assert!(
                found.iter().all(|candidate| candidate.explicit),
                "{found:?}"
            );
            sockets(&found).join(" ")
        };
        assert_eq!(first(&environment, None), "/configured");
        environment.container_host = Some("unix:///container".into());
        assert_eq!(first(&environment, None), "/container");
        environment.docker_host = Some("unix:///docker".into());
        assert_eq!(first(&environment, None), "/docker");
        environment.pocketdock_socket = Some("/pocketdock".into());
        assert_eq!(first(&environment, None), "/pocketdock");
        assert_eq!(first(&environment, Some(Path::new("/own"))), "/own");
    }

    #[test]
    fn without_a_choice_the_usual_places_are_tried() {
        let found = candidates(None, &[], &environment()).unwrap();
        assert_eq!(
            sockets(&found)[..4],
            [
                "/run/user/7/podman/podman.sock",
                "/run/podman/podman.sock",
                "/run/user/7/docker.sock",
                "/var/run/docker.sock"
            ]
        );
        assert!(found.iter().all(|candidate| !candidate.explicit));
    }

    #[test]
    fn remote_addresses_are_refused_with_the_way_out() {
        let cases = [
            (
                "ssh://me@far/run/x.sock",
                "engine.sock:/var/run/docker.sock me@far'",
            ),
            (
                "tcp://10.0.0.1:2375",
                "engine.sock:/var/run/docker.sock 10.0.0.1'",
            ),
            ("npipe:////./pipe/x", "only Unix sockets"),
            ("unix://", "expected a path"),
        ];
        for (address, hint) in cases {
            let environment = Environment {
                docker_host: Some(address.into()),
                ..Environment::default()
            };
            let message = candidates(None, &[], &environment).unwrap_err().to_string();
            assert!(
                message.contains("DOCKER_HOST") && message.contains(address),
                "{message}"
            );
            assert!(message.contains(hint), "{message}");
        }
    }
}
