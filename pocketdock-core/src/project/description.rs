//! `instance.json`: what an instance is the instance of, and where it comes from.
//!
//! It is what makes a directory ours. Nothing in it is secret: of the command line it has the
//! names of variables and labels and not their values, and no first process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::container::handle::Container;
use crate::error::{Error, Result};
use crate::host::ProcessIdentity;
use crate::project::private;
use crate::wire::json;
use crate::wire::value::Value;

/// The file that makes a directory an instance.
pub(crate) const FILE: &str = "instance.json";

/// The longest description that is read, in bytes.
const LEN_MAX: u64 = 1024 * 1024;

/// What an instance is the instance of.
///
/// ```no_run
/// use pocketdock_core::Instance;
/// use pocketdock_core::project::description::Description;
///
/// for instance in Instance::all()? {
///     if let Some(Description { name, image, created_at, .. }) = instance.description()? {
///         println!("{name} was made from {image} at {created_at}");
///     }
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// The name of the sandbox.
    pub name: String,
    /// The engine's ID of its container; empty until that is made.
    pub id: String,
    /// The image it was made from, as it was asked for.
    pub image: String,
    /// The profile it was made from.
    pub profile: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The socket of its engine.
    pub socket: PathBuf,
    /// What tells its engine from another one behind that socket; `None` if the engine does not
    /// say, or not yet.
    pub engine: Option<String>,
    /// How it was asked for, as words of the command line without secrets.
    pub command_line: Vec<String>,
    /// Whether the sandbox is to outlive its maker. If not, this is only where its logs are.
    pub kept: bool,
    /// The process that is making it; none once it is made.
    pub(crate) maker: Option<ProcessIdentity>,
}

impl Description {
    /// Of a container that runs already.
    pub(crate) fn of(container: &Container, kept: bool) -> Self {
        Description {
            name: container.name().to_owned(),
            id: container.container_id().to_owned(),
            image: container.image().to_owned(),
            profile: container.profile().map(str::to_owned),
            project: container.project().map(str::to_owned),
            created_at: container.created_at().unwrap_or_default().to_owned(),
            socket: container.socket_path().to_owned(),
            engine: None,
            command_line: Vec::new(),
            kept,
            maker: None,
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let socket = self.socket.to_string_lossy().into_owned();
        let maker = self.maker.as_ref().map(ToString::to_string);
        let value = Value::object(vec![
            ("name", Value::from(self.name.as_str())),
            ("id", Value::from(self.id.as_str())),
            ("image", Value::from(self.image.as_str())),
            ("profile", Value::from(self.profile.clone())),
            ("project", Value::from(self.project.clone())),
            ("created_at", Value::from(self.created_at.as_str())),
            ("socket", Value::from(socket)),
            ("engine", Value::from(self.engine.clone())),
            ("command_line", Value::from(self.command_line.clone())),
            ("kept", Value::from(self.kept)),
            ("maker", Value::from(maker)),
        ]);
        json::to_string(&value) + "\n"
    }

    fn from_value(value: &Value) -> Option<Self> {
        let text = |key| value.str_at(&[key]).map(str::to_owned);
        let words = value.array_at(&["command_line"]).unwrap_or_default();
        Some(Description {
            name: text("name")?,
            id: text("id")?,
            image: text("image").unwrap_or_default(),
            profile: text("profile"),
            project: text("project"),
            created_at: text("created_at").unwrap_or_default(),
            socket: text("socket").unwrap_or_default().into(),
            engine: text("engine"),
            command_line: words
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            kept: value.bool_at(&["kept"]).unwrap_or_default(),
            maker: value.str_at(&["maker"]).and_then(ProcessIdentity::parse),
        })
    }

    /// The description in a directory; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::Config`] if it is none of ours.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        let doing = |error| Error::io(format!("read '{}'", path.display()), error);
        let text = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(found) if LEN_MAX < found.len() => {
                return Err(doing(io::ErrorKind::FileTooLarge.into()));
            }
            _ => fs::read(&path).map_err(doing)?,
        };
        let broken = |message: String| Error::Config {
            path: path.clone(),
            line: 0,
            message,
        };
        let value = json::parse(&text).map_err(|error| broken(error.to_string()))?;
        let found = Description::from_value(&value);
        found
            .map(Some)
            .ok_or_else(|| broken("it has no name or no ID".to_owned()))
    }

    /// Puts it into a directory that has none; whether it had none.
    pub(crate) fn create(&self, dir: &Path) -> Result<bool> {
        // Whoever dies half-way leaves no directory without a description in this place.
        let text = self.to_text();
        match private::create_dir_with(dir, FILE, text.as_bytes())? {
            true => Ok(true),
            false => private::create(&dir.join(FILE), text.as_bytes()),
        }
    }

    /// Puts it in place of the one in a directory, if that says something else.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        let text = self.to_text();
        if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        private::replace(&path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        Description {
            name: "box".to_owned(),
            id: "abc".to_owned(),
            image: "x".to_owned(),
            profile: None,
            project: Some("demo \"x\"".to_owned()),
            created_at: "2026-11-20T10:00:00Z".to_owned(),
            socket: "/s".into(),
            engine: Some("ID host /var/lib/docker".to_owned()),
            command_line: vec!["--env".to_owned(), "KEY".to_owned()],
            kept: true,
            maker: ProcessIdentity::own(),
        }
    }

    #[test]
    fn a_description_comes_back_as_it_was() {
        let dir = private::Scratch::new("description");
        description().write(dir.path()).unwrap();
        assert_eq!(Description::read(dir.path()).unwrap(), Some(description()));
    }

    #[test]
    fn what_is_none_is_told_from_what_is_not_there() {
        let dir = private::Scratch::new("no-description");
        assert_eq!(Description::read(dir.path()).unwrap(), None);
        for text in ["", "{", "[]", "{\"name\":\"x\"}", "\0"] {
            fs::write(dir.path().join(FILE), text).unwrap();
            let error = Description::read(dir.path()).unwrap_err();
            assert!(matches!(error, Error::Config { .. }), "{text:?}: {error}");
        }
    }
}
