//! The one public [`Error`]: what can go wrong between a call and the engine's answer.
//!
//! The variants are the decisions a caller can take and carry what is needed to take them. Their
//! `Display` is a lower-case phrase with every name and path in it and the cause at its end, so
//! a printer need not walk [`source`](std::error::Error::source). Advice on what to do next is
//! the command line's business and not in here.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::wire::size::format_duration;

/// The result of everything in this crate that can fail.
///
/// ```
/// fn first_line(sandbox: &pocketdock_core::Container) -> pocketdock_core::Result<String> {
///     let result = sandbox.run("head -n 1 /etc/os-release")?;
///     Ok(result.stdout_text().into_owned())
/// }
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// Anything that can go wrong between a call and the engine's answer.
///
/// Match on the variants to act on a failure; print the error to report it.
///
/// ```
/// use pocketdock_core::Error;
///
/// let error = Error::ContainerNotFound { container: "web".into() };
/// assert_eq!(error.to_string(), "no container named 'web'");
/// assert_eq!(error.code(), "container_not_found");
/// // What a failed `unwrap` shows, and a `main` that returns it.
/// assert_eq!(format!("{error:?}"), "container_not_found: no container named 'web'");
/// ```
#[non_exhaustive]
pub enum Error {
    /// No engine answered on any known socket.
    NoEngine {
        /// What was tried, in order: the socket and why it was not used.
        tried: Vec<(PathBuf, String)>,
    },
    /// The engine's socket cannot be reached.
    SocketConnection {
        /// The socket.
        socket: PathBuf,
        /// Why: the system's error, or what answered instead of an engine.
        reason: String,
    },
    /// The connection broke in the middle of an exchange.
    SocketCommunication {
        /// The request, as `POST /exec/…/start`.
        endpoint: String,
        /// What broke it.
        reason: String,
        /// The output that a command had given by then.
        output: Box<PartialOutput>,
    },
    /// What was waited for did not happen in time: an answer of the engine, the end of a command.
    Timeout {
        /// What was waited for, as a phrase: `the answer to 'GET /info'`.
        waiting_for: String,
        /// How long.
        timeout: Duration,
    },
    /// The engine has no container by this name or ID.
    ContainerNotFound {
        /// The name or ID asked for.
        container: String,
    },
    /// The container is there and does not run.
    ContainerNotRunning {
        /// The container's name or ID.
        container: String,
        /// The engine's word for its state: created, paused, restarting, exited or dead.
        status: String,
        /// What had arrived of a command that ran in it.
        output: Box<PartialOutput>,
    },
    /// The container was removed while it was in use.
    ContainerGone {
        /// The container's name or ID.
        container: String,
        /// The output that a command had given by then.
        output: Box<PartialOutput>,
    },
    /// The container was not made by pocketdock and is left alone.
    NotManaged {
        /// The container's name or ID.
        container: String,
    },
    /// Another container has this name.
    NameInUse {
        /// The name.
        name: String,
    },
    /// A sandbox belongs to another engine than the one that was asked.
    AnotherEngine {
        /// Its name.
        name: String,
        /// The socket of its engine when it was made.
        socket: PathBuf,
    },
    /// A host port to publish is taken.
    PortInUse {
        /// What is known about it: the engine's words, which name the address as a rule.
        message: String,
    },
    /// The engine has no image by this name; pocketdock never pulls.
    ImageNotFound {
        /// The image asked for.
        image: String,
    },
    /// A path is not there.
    PathNotFound {
        /// The path, on the host or in the container.
        path: PathBuf,
    },
    /// A path that should be a directory is something else.
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A path that should be a file is a directory.
    IsADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A path in an archive would lead out of where it is unpacked.
    UnsafePath {
        /// The path, as it stands in the archive.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The container has no such program.
    CommandNotFound {
        /// The program.
        command: String,
    },
    /// The program is there and cannot be started.
    CommandNotExecutable {
        /// The program; empty where it is not at fault but the user or the directory that it was to
        /// have.
        command: String,
        /// Why: not permitted, no such user, no such working directory.
        reason: String,
    },
    /// The session's shell has ended.
    SessionClosed {
        /// The exit code of the shell, when the engine knows it.
        exit_code: Option<i32>,
    },
    /// The pool has been shut down.
    PoolClosed,
    /// A step of an image build failed.
    BuildFailed {
        /// The step as the engine prints it, empty if it failed before the first.
        step: String,
        /// The engine's error.
        message: String,
        /// The last lines of the build's output.
        log_tail: String,
    },
    /// An archive of images cannot be taken in.
    ImportFailed {
        /// The engine's error, or what is wrong with the archive.
        message: String,
    },
    /// There is no project in this directory or above it.
    ProjectNotInitialized {
        /// Where the search began.
        from: PathBuf,
    },
    /// No profile has this name.
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A value that cannot be meant; nothing was changed.
    InvalidArgument {
        /// What the value is for, as `--publish` or `name`.
        what: &'static str,
        /// The value.
        value: String,
        /// The form that is accepted, or why this one is not.
        expected: String,
    },
    /// A configuration file cannot be used.
    Config {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1; 0 when the whole file is meant.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The engine refused a request for a reason of its own.
    Engine {
        /// The request, as `POST /containers/create`.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The engine sent bytes that are not the protocol.
    Protocol {
        /// The request they answered.
        endpoint: String,
        /// What is wrong with them.
        message: String,
    },
    /// A sandbox could not be rebooted and is not as it was before.
    NotRestored {
        /// The sandbox.
        container: String,
        /// Why it could not be rebooted.
        failure: Box<Error>,
        /// Why it could not be put back.
        reason: Box<Error>,
    },
    /// The operating system failed a call.
    Io {
        /// What was being done, as a phrase that follows "cannot".
        doing: String,
        /// The failure itself.
        source: io::Error,
    },
}

/// What a command had written when its output was cut short.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// if let Err(error) = sandbox.run("long-job") {
///     let so_far = error.partial_output().map_or(0, |output| output.stdout.len());
///     eprintln!("{error}, after {so_far} bytes");
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartialOutput {
    /// The bytes of standard output.
    pub stdout: Vec<u8>,
    /// The bytes of standard error.
    pub stderr: Vec<u8>,
}

impl Error {
    /// The variant's name in snake case, the stable code of the command line's JSON errors.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::NoEngine { .. } => "no_engine",
            Error::SocketConnection { .. } => "socket_connection",
            Error::SocketCommunication { .. } => "socket_communication",
            Error::Timeout { .. } => "timeout",
            Error::ContainerNotFound { .. } => "container_not_found",
            Error::ContainerNotRunning { .. } => "container_not_running",
            Error::ContainerGone { .. } => "container_gone",
            Error::NotManaged { .. } => "not_managed",
            Error::NameInUse { .. } => "name_in_use",
            Error::AnotherEngine { .. } => "another_engine",
            Error::PortInUse { .. } => "port_in_use",
            Error::ImageNotFound { .. } => "image_not_found",
            Error::PathNotFound { .. } => "path_not_found",
            Error::NotADirectory { .. } => "not_a_directory",
            Error::IsADirectory { .. } => "is_a_directory",
            Error::UnsafePath { .. } => "unsafe_path",
            Error::CommandNotFound { .. } => "command_not_found",
            Error::CommandNotExecutable { .. } => "command_not_executable",
            Error::SessionClosed { .. } => "session_closed",
            Error::PoolClosed => "pool_closed",
            Error::BuildFailed { .. } => "build_failed",
            Error::ImportFailed { .. } => "import_failed",
            Error::ProjectNotInitialized { .. } => "project_not_initialized",
            Error::UnknownProfile { .. } => "unknown_profile",
            Error::InvalidArgument { .. } => "invalid_argument",
            Error::Config { .. } => "config",
            Error::Engine { .. } => "engine",
            Error::Protocol { .. } => "protocol",
            Error::NotRestored { .. } => "not_restored",
            Error::Io { .. } => "io",
        }
    }

    /// The output that a command had given before this error cut it short, if there is any.
    #[must_use]
    pub fn partial_output(&self) -> Option<&PartialOutput> {
        match self {
            Error::SocketCommunication { output, .. }
            | Error::ContainerGone { output, .. }
            | Error::ContainerNotRunning { output, .. } => Some(output),
            _ => None,
        }
    }

    /// Puts what had arrived into an error that ends a stream.
    pub(crate) fn with_output(mut self, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        if let Error::SocketCommunication { output, .. }
        | Error::ContainerGone { output, .. }
        | Error::ContainerNotRunning { output, .. } = &mut self
        {
            **output = PartialOutput { stdout, stderr };
        }
        self
    }

    /// A failed system call; `doing` follows "cannot". An error of ours that has come through a
    /// reader is itself again.
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        match source.downcast() {
            Ok(own) => own,
            Err(source) => Error::Io {
                doing: doing.into(),
                source,
            },
        }
    }

    /// A value that cannot be meant.
    pub(crate) fn invalid(
        what: &'static str,
        value: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Error::InvalidArgument {
            what,
            value: value.into(),
            expected: expected.into(),
        }
    }
}

impl Error {
    /// The phrase for what is wrong between us and the engine.
    fn about_engine(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoEngine { tried } => {
                f.write_str("no container engine answers")?;
                for (n, (socket, reason)) in tried.iter().enumerate() {
                    let lead = if n == 0 { "; tried" } else { "," };
                    write!(f, "{lead} '{}' ({reason})", socket.display())?;
                }
                Ok(())
            }
            Error::SocketConnection { socket, reason } => {
                write!(
                    f,
                    "cannot use the engine socket '{}': {reason}",
                    socket.display()
                )
            }
            Error::SocketCommunication {
                endpoint, reason, ..
            } => {
                write!(f, "the connection broke during '{endpoint}': {reason}")
            }
            Error::Timeout {
                waiting_for,
                timeout,
            } => {
                let timeout = format_duration(*timeout);
                write!(f, "gave up waiting for {waiting_for} after {timeout}")
            }
            Error::BuildFailed { step, message, .. } if step.is_empty() => {
                write!(f, "the build failed: {message}")
            }
            Error::BuildFailed { step, message, .. } => {
                write!(f, "the build failed at '{step}': {message}")
            }
            Error::ImportFailed { message } => {
                write!(f, "cannot import the archive: {message}")
            }
            Error::Engine {
                endpoint,
                status,
                message,
            } => {
                write!(
                    f,
                    "the engine refused '{endpoint}' with status {status}: {message}"
                )
            }
            Error::Protocol { endpoint, message } => {
                write!(
                    f,
                    "the answer to '{endpoint}' is not the protocol: {message}"
                )
            }
            other => other.about_host(f),
        }
    }

    /// The phrase for what is wrong with a value, a file or the system here.
    fn about_host(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::ProjectNotInitialized { from } => {
                write!(f, "no project in '{}' or above it", from.display())
            }
            Error::UnknownProfile { name, known } => {
                write!(f, "no profile named '{name}', only {}", known.join(", "))
            }
            Error::InvalidArgument {
                what,
                value,
                expected,
            } => {
                write!(f, "invalid {what} '{}': {expected}", value.escape_debug())
            }
            Error::Config {
                path,
                line: 0,
                message,
            } => {
                write!(f, "cannot use '{}': {message}", path.display())
            }
            Error::Config {
                path,
                line,
                message,
            } => {
                write!(f, "cannot use '{}', line {line}: {message}", path.display())
            }
            Error::Io { doing, source } => write!(f, "cannot {doing}: {source}"),
            other => other.about_sandbox(f),
        }
    }

    /// The phrase for what is wrong with a container, an image or something in them.
    fn about_sandbox(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::ContainerNotFound { container } => {
                write!(f, "no container named '{container}'")
            }
            Error::ContainerNotRunning {
                container, status, ..
            } => {
                write!(f, "container '{container}' is not running but {status}")
            }
            Error::ContainerGone { container, .. } => {
                write!(f, "container '{container}' was removed while it was in use")
            }
            Error::NotManaged { container } => {
                write!(f, "container '{container}' was not made by pocketdock")
            }
            Error::NameInUse { name } => write!(f, "a container named '{name}' exists already"),
            Error::AnotherEngine { name, socket } => {
                let socket = socket.display();
                write!(
                    f,
                    "'{name}' is a sandbox of another engine, known at '{socket}'"
                )
            }
            Error::PortInUse { message } => write!(f, "a port to publish is in use: {message}"),
            Error::ImageNotFound { image } => write!(f, "no image named '{image}'"),
            Error::PathNotFound { path } => write!(f, "no such path: '{}'", path.display()),
            Error::NotADirectory { path } => write!(f, "'{}' is not a directory", path.display()),
            Error::IsADirectory { path } => write!(f, "'{}' is a directory", path.display()),
            Error::UnsafePath { path, reason } => {
                write!(f, "refused '{}' in an archive: {reason}", path.display())
            }
            Error::CommandNotFound { command } => {
                write!(f, "no program named '{command}' in the container")
            }
            Error::CommandNotExecutable { command, reason } if command.is_empty() => {
                f.write_str(reason)
            }
            Error::CommandNotExecutable { command, reason } => {
                write!(f, "cannot execute '{command}': {reason}")
            }
            Error::SessionClosed {
                exit_code: Some(code),
            } => {
                write!(f, "the session has ended with exit code {code}")
            }
            Error::SessionClosed { exit_code: None } => f.write_str("the session has ended"),
            Error::NotRestored {
                container,
                failure,
                reason,
            } => {
                write!(
                    f,
                    "'{container}' was not rebooted ({failure}) and could not be put back as it \
                     was: {reason}"
                )
            }
            Error::PoolClosed => f.write_str("the pool has been shut down"),
            other => f.write_str(other.code()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about_engine(f)
    }
}

/// The variant's code and the phrase, which says what a list of the fields would. It is what a
/// panic or `main` shows; and that list would take up 14 KB of every program.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.code())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::NotRestored { failure, .. } => Some(failure.as_ref()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_cross_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Error>();
    }

    #[test]
    fn values_are_shown_with_control_characters_escaped() {
        let error = Error::invalid("name", "a\nb", "letters and digits");
        assert_eq!(
            error.to_string(),
            "invalid name 'a\\nb': letters and digits"
        );
    }

    #[test]
    fn an_engine_that_is_not_there_names_what_was_tried() {
        let tried = vec![
            ("/a".into(), "no such file".into()),
            ("/b".into(), "refused".into()),
        ];
        assert_eq!(
            Error::NoEngine { tried }.to_string(),
            "no container engine answers; tried '/a' (no such file), '/b' (refused)"
        );
    }

    #[test]
    fn a_timeout_names_what_was_waited_for_and_how_long() {
        let error = Error::Timeout {
            waiting_for: "the answer to 'GET /info'".into(),
            timeout: Duration::from_secs(90),
        };
        let text = "gave up waiting for the answer to 'GET /info' after 1m30s";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn partial_output_is_kept() {
        let gone = Error::ContainerGone {
            container: "c".into(),
            output: Box::default(),
        };
        let gone = gone.with_output(b"out".to_vec(), Vec::new());
        assert_eq!(
            gone.partial_output().map(|o| o.stdout.as_slice()),
            Some(&b"out"[..])
        );
        assert!(
            Error::NameInUse { name: "x".into() }
                .partial_output()
                .is_none()
        );
    }
}
