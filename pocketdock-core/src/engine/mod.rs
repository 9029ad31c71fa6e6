//! The container engine behind a socket: finding it, talking to it, one function per endpoint.
//!
//! ```text
//! settings          which configuration files there are
//! socket, context   which sockets to try
//! deadline          when an exchange must be done
//! exchange          one request and its reply over any byte stream
//! client            one connection per call
//! types             replies as structs
//! system, containers, exec, archive, images   the endpoints
//! ```
//!
//! Source: Docker Engine API 1.41 and later, and Podman's compatible API.

pub mod deadline;
pub mod exchange;

pub mod client;
pub mod context;
pub mod settings;
pub mod socket;
pub mod types;

pub mod archive;
pub mod containers;
pub mod exec;
pub mod images;
pub mod system;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::host::Environment;

use client::{Client, Observer};
use socket::Candidate;
use system::Ping;

/// The newest version of the API whose meaning is known here.
const API_VERSION: (u64, u64) = (1, 51);

/// How long a socket that nobody chose may take to prove that an engine is behind it. A service
/// that is started by its socket needs a second or two.
const GUESS_TIMEOUT: Duration = Duration::from_secs(10);

/// The family of an engine.
///
/// ```
/// use pocketdock_core::EngineKind;
///
/// assert_eq!(EngineKind::Podman.to_string(), "podman");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineKind {
    /// Docker, or anything that speaks its API without saying that it is Podman.
    Docker,
    /// Podman's compatible API.
    Podman,
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Docker => "docker",
            EngineKind::Podman => "podman",
        })
    }
}

/// A container engine that has answered.
///
/// Cheap to clone and usable from any thread: it holds no connection, only the way to make one
/// and the API version negotiated when it was found.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, Engine};
///
/// let engine = Engine::detect()?;
/// println!("{} {}", engine.kind(), engine.version());
/// let sandbox = engine.create(&CreateOptions::new())?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Engine {
    client: Client,
    ping: Arc<Ping>,
    environment: Arc<Environment>,
    source: Arc<str>,
}

impl Engine {
    /// Finds the engine as [`socket`] says, and asks whether it is there.
    ///
    /// ```no_run
    /// use pocketdock_core::{Engine, Error};
    ///
    /// match Engine::detect() {
    ///     Ok(engine) => println!("{}", engine.socket_path().display()),
    ///     Err(Error::NoEngine { tried }) => println!("tried {} sockets", tried.len()),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoEngine`] if none answers; [`Error::SocketConnection`] if one was chosen by a
    /// variable or in a configuration file and does not answer; [`Error::InvalidArgument`] if such
    /// a variable cannot be meant, [`Error::Config`] if such a file cannot be used.
    pub fn detect() -> Result<Self> {
        EngineOptions::new().connect()
    }

    /// The engine at this socket.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use pocketdock_core::Engine;
    ///
    /// let engine = Engine::at(Path::new("/run/podman/podman.sock"))?;
    /// println!("{} {}", engine.kind(), engine.version());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::SocketConnection`] if no engine answers there.
    pub fn at(socket: &Path) -> Result<Self> {
        EngineOptions::new().socket(socket).connect()
    }

    /// The socket it answers on.
    #[must_use]
    pub fn socket_path(&self) -> &Path {
        self.client.socket()
    }

    /// Who has chosen this socket: a variable, a docker context, a line of a configuration file, or
    /// "a usual place".
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// let (major, minor) = engine.api_version();
    /// println!("API {major}.{minor} at a socket chosen by {}", engine.socket_source());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn socket_source(&self) -> &str {
        &self.source
    }

    /// Docker or Podman.
    #[must_use]
    pub fn kind(&self) -> EngineKind {
        self.ping.kind
    }

    /// The engine's own version, such as `20.10.24`; empty if it does not say.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.ping.version
    }

    /// The version of the API that is spoken with it.
    #[must_use]
    pub fn api_version(&self) -> (u64, u64) {
        self.ping.api_version.min(API_VERSION)
    }

    /// The variables it was found by.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The caller of its endpoints.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// How to find an engine and how to talk to it.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::engine::EngineOptions;
///
/// let engine = EngineOptions::new().timeout(Duration::from_secs(5)).connect()?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct EngineOptions {
    socket: Option<PathBuf>,
    configured: Vec<PathBuf>,
    environment: Option<Environment>,
    timeout: Option<Duration>,
    image_timeout: Option<Duration>,
    observer: Option<Observer>,
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl EngineOptions {
    /// Detection by the process's environment, 60 s for a control exchange, an hour of silence for
    /// what takes long on images, no observer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this socket and no other.
    #[must_use]
    pub fn socket(mut self, socket: &Path) -> Self {
        self.socket = Some(socket.to_owned());
        self
    }

    /// Adds a socket as one that a configuration names, the most important first. Without any,
    /// the configuration files of the project and the user are read.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use pocketdock_core::engine::EngineOptions;
    ///
    /// let preferred = EngineOptions::new().configured(Path::new("/run/podman/podman.sock"));
    /// let engine = preferred.connect()?; // DOCKER_HOST, if it is set, still wins.
    /// let only = EngineOptions::new().socket(Path::new("/run/docker.sock")).connect()?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn configured(mut self, socket: &Path) -> Self {
        self.configured.push(socket.to_owned());
        self
    }

    /// Detects by these variables instead of the process's own.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Allows a control exchange this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Allows an engine that builds, saves, loads or commits an image to be silent this long.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use pocketdock_core::engine::EngineOptions;
    ///
    /// let hasty = EngineOptions::new().image_timeout(Duration::from_secs(300)).connect()?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn image_timeout(mut self, timeout: Duration) -> Self {
        self.image_timeout = Some(timeout);
        self
    }

    /// Reports every exchange, those of the detection included.
    #[must_use]
    pub fn observer(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Finds the engine and negotiates the version of the API.
    ///
    /// # Errors
    ///
    /// As [`Engine::detect`].
    pub fn connect(&self) -> Result<Engine> {
        let environment = self.environment.clone().unwrap_or_else(Environment::read);
        let environment = Arc::new(environment);
        let candidates =
            socket::candidates(self.socket.as_deref(), &self.configured, &environment)?;
        let mut tried = Vec::new();
        for candidate in candidates {
            match self.probe(&candidate, &environment) {
                Ok(engine) => return Ok(engine),
                Err(reason) if candidate.explicit => {
                    let reason = match candidate.source.as_str() {
                        socket::ASKED_FOR => reason,
                        source => format!("{reason}; {source} names it"),
                    };
                    return Err(Error::SocketConnection {
                        socket: candidate.socket,
                        reason,
                    });
                }
                Err(reason) => tried.push((candidate.socket, reason)),
            }
        }
        Err(Error::NoEngine { tried })
    }

    /// Pings one socket; the error is a phrase.
    fn probe(
        &self,
        candidate: &Candidate,
        environment: &Arc<Environment>,
    ) -> std::result::Result<Engine, String> {
        let timeout = self.timeout.unwrap_or(client::DEFAULT_TIMEOUT);
        let patience = if candidate.explicit {
            timeout
        } else {
            timeout.min(GUESS_TIMEOUT)
        };
        let images = self.image_timeout.unwrap_or(client::DEFAULT_IMAGE_TIMEOUT);
        let client = Client::new(&candidate.socket).with_timeout(patience);
        let mut client = client.with_image_timeout(images);
        if let Some(observer) = &self.observer {
            client = client.with_observer(Arc::clone(observer));
        }
        match system::ping(&client) {
            Ok(Some(ping)) => {
                let client = client
                    .with_timeout(timeout)
                    .with_api_version(ping.api_version.min(API_VERSION));
                Ok(Engine {
                    client,
                    ping: Arc::new(ping),
                    environment: Arc::clone(environment),
                    source: candidate.source.as_str().into(),
                })
            }
            Ok(None) => Err("what answers there is no container engine".to_owned()),
            Err(Error::SocketConnection { reason, .. }) => Err(reason),
            Err(error) => Err(error.to_string()),
        }
    }
}
