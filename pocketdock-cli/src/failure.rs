//! What can go wrong in a command, and how it is told to people and programs.
//!
//! A person reads `pocketdock: MESSAGE` and, when there is something to do, a
//! second line `hint: HINT`; both go to stderr. With `--json` a program reads
//! `{"error":{"code":…,"message":…,"hint":…}}` from stdout instead. The code is
//! the name of the [`Error`] variant in snake case, or `usage`. Output that had come
//! by then stands beside the error.
//!
//! This module decides words, not exit codes: those are mapped in `main.rs`.

use std::io;

use pocketdock_core::Error;
use pocketdock_core::wire::value::Value;

use crate::tty::Signal;

/// What a command answers: the exit code, or why it could not do its work.
pub(crate) type Outcome = Result<u8, Failure>;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong; nothing was done.
    Usage {
        /// What is wrong, naming the word that is.
        message: String,
        /// What to type instead, if that is known.
        hint: Option<String>,
    },
    /// The library refused or failed.
    Core(Error),
    /// The same, and what to do about it depends on what was asked.
    Hinted(Error, &'static str),
    /// Our own stdout failed, or the terminal that it is.
    Stdio(io::Error),
    /// A signal ended us before the work was done.
    Interrupted(Signal),
    /// The output of a command, which was to be printed at its end, was cut short.
    CutShort {
        /// By what.
        cause: Box<Failure>,
        /// What had come of it, as the fields of a result.
        output: Vec<(&'static str, Value)>,
    },
}

/// A usage failure without a hint of its own.
pub(crate) fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage {
        message: message.into(),
        hint: None,
    }
}

/// Our own stdin failed.
pub(crate) fn unread_stdin(source: io::Error) -> Failure {
    let doing = "read stdin".to_owned();
    Error::Io { doing, source }.into()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Stdio(error)
    }
}

impl Failure {
    /// Adds what to do about a usage failure, unless it knows already.
    pub(crate) fn or_hint(self, hint: impl FnOnce() -> String) -> Self {
        match self {
            Self::Usage {
                message,
                hint: None,
            } => Self::Usage {
                message,
                hint: Some(hint()),
            },
            other => other,
        }
    }
}

/// `{"code":…,"message":…,"hint":…}` for an error of the library.
pub(crate) fn error_value(error: &Error) -> Value {
    to_value(error.code(), &error.to_string(), hint_for(error).as_deref())
}

fn to_value(code: &str, message: &str, hint: Option<&str>) -> Value {
    let mut fields = vec![("code", code.into()), ("message", message.into())];
    fields.extend(hint.map(|hint| ("hint", hint.into())));
    Value::object(fields)
}

impl Failure {
    /// The phrase for a person, and what to do; `None` if nothing needs to be said.
    pub(crate) fn words(&self) -> Option<(String, Option<String>)> {
        Some((message(self)?, hint(self)))
    }

    /// The same for a program: `{"error":…}`, and beside it what had come of a command's output.
    pub(crate) fn to_value(&self) -> Option<Value> {
        let (message, hint) = self.words()?;
        let error = to_value(self.code(), &message, hint.as_deref());
        let mut fields = vec![("error", error)];
        if let Self::CutShort { output, .. } = self {
            fields.extend(output.iter().cloned());
        }
        Some(Value::object(fields))
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Usage { .. } => "usage",
            Self::Core(error) | Self::Hinted(error, _) => error.code(),
            Self::Stdio(_) => "io",
            Self::Interrupted(_) => "interrupted",
            Self::CutShort { cause, .. } => cause.code(),
        }
    }
}

/// The phrase for a failure; `None` if nothing needs to be said.
fn message(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Usage { message, .. } => Some(message.clone()),
        Failure::Core(error) | Failure::Hinted(error, _) => Some(error.to_string()),
        Failure::Stdio(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
        Failure::Stdio(error) => Some(format!("cannot write stdout: {error}")),
        Failure::Interrupted(signal) => Some(format!("ended by {}", signal.name())),
        Failure::CutShort { cause, .. } => message(cause),
    }
}

fn hint(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Usage { hint, .. } => hint.clone(),
        Failure::Core(error) => hint_for(error),
        Failure::Hinted(_, hint) => Some((*hint).to_owned()),
        Failure::Stdio(_) | Failure::Interrupted(_) => None,
        Failure::CutShort { cause, .. } => hint(cause),
    }
}

/// What a person can do about an error of the library.
pub(crate) fn hint_for(error: &Error) -> Option<String> {
    let hint = match error {
        Error::NoEngine { .. } => start_an_engine(cfg!(target_os = "macos")).to_owned(),
        Error::SocketConnection { reason, .. } if reason.contains("denied") => {
            "use an engine of your own (rootless Podman), or join the group that owns the socket"
                .to_owned()
        }
        Error::SocketConnection { .. } => {
            "start the engine, or name another socket with --socket or POCKETDOCK_SOCKET".to_owned()
        }
        Error::Timeout { .. } => "'--verbose' shows what the engine is asked".to_owned(),
        Error::ContainerNotFound { .. } => "'pocketdock list' shows the sandboxes".to_owned(),
        Error::ContainerNotRunning { container, .. } => {
            format!("'pocketdock resume {container}' starts it")
        }
        Error::NotManaged { .. } => {
            "pocketdock acts on those that it has made; 'pocketdock list' shows them".to_owned()
        }
        Error::NameInUse { name } => {
            format!(
                "choose another name; 'pocketdock shutdown {name}' removes it if it is a sandbox"
            )
        }
        Error::AnotherEngine { name, socket } => format!(
            "'--socket {}' uses that engine; for a new sandbox choose another name, or remove \
             the directory 'instances/{name}' if that engine is gone for good",
            socket.display()
        ),
        Error::PortInUse { .. } => {
            "leave the host port out and the engine picks a free one".to_owned()
        }
        Error::ImageNotFound { image } => image_hint(image),
        // Not of the archive's making.
        Error::ImportFailed { message } if message.ends_with("no space left on device") => {
            return None;
        }
        Error::ImportFailed { .. } => OTHER_ARCHIVE.to_owned(),
        Error::ProjectNotInitialized { .. } => {
            "'pocketdock init' makes the working directory a project".to_owned()
        }
        Error::Config { line: 0, .. } => "repair the file, or move it out of the way".to_owned(),
        Error::Config { .. } => "correct that line; docs/projects.md has every key".to_owned(),
        Error::UnknownProfile { .. } => "'pocketdock profiles' lists them".to_owned(),
        _ => return None,
    };
    Some(hint)
}

/// What to do about an archive that is damaged or something else.
pub(crate) const OTHER_ARCHIVE: &str = "copy the archive again, or make it anew with 'pocketdock \
    export', 'docker save' or 'podman save'";

/// How to start an engine on this platform.
fn start_an_engine(is_macos: bool) -> &'static str {
    if is_macos {
        "start one ('podman machine start' for Podman, 'open -a Docker' for Docker Desktop), or \
        name its socket with --socket"
    } else {
        "start one ('systemctl --user start podman.socket' for rootless Podman, 'systemctl start \
        docker' for Docker), or name its socket with --socket"
    }
}

fn image_hint(image: &str) -> String {
    match image.strip_prefix("pocketdock/") {
        Some(profile) => {
            let profile = profile.split(':').next().unwrap_or(profile);
            format!("'pocketdock build {profile}' makes it")
        }
        None => "pocketdock never pulls: fetch it with 'podman pull' or 'docker pull'".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_ours_is_built_and_another_one_pulled() {
        assert!(image_hint("pocketdock/dev:latest").contains("'pocketdock build dev'"));
        assert!(image_hint("localhost/pocketdock/dev").contains("pull"));
    }

    #[test]
    fn json_errors_have_a_stable_shape() {
        let value = to_value("usage", "a \"b\"", Some("try"));
        let text = pocketdock_core::wire::json::to_string(&value);
        assert_eq!(text, r#"{"code":"usage","message":"a \"b\"","hint":"try"}"#);
    }
}
