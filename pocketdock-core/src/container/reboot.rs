//! Starting a sandbox again: [`Container::reboot`], as it is or afresh.
//!
//! Afresh means another container in its place, made from what the engine says of the old one.
//! The old one goes last, so that up to then everything can be undone:
//!
//! ```text
//! create NAME.fresh-X                    nothing has happened to the old one
//! stop the old one                       only if both cannot run at once: ports, its own command
//! start NAME.fresh-X
//! stop the old one                       if it still runs
//! rename old to NAME.old-X, new to NAME
//! remove the old one                     no way back from here
//! ```
//!
//! Undoing asks how the old one is and does not rely on what was answered: a connection may break
//! when the engine has done what it was asked for. A client that is killed in between leaves
//! containers with these names, which `doctor` knows.

use std::path::PathBuf;

use crate::container::handle::{Container, Heir, remove};
use crate::container::{replica, tmpfs};
use crate::engine::client::Client;
use crate::engine::{containers, images};
use crate::error::{Error, Result};
use crate::host::{self, ProcessIdentity};
use crate::wire::value::Value;

/// What stands between the name of a sandbox and a tag of the process that reboots it, while
/// another takes its place.
pub(crate) const FRESH: &str = ".fresh-";

/// The same for the one whose place is taken.
pub(crate) const OLD: &str = ".old-";

impl Container {
    /// Starts the sandbox again: all its processes end, and one that is stopped or paused runs.
    ///
    /// With `fresh` its files begin anew, too: another container takes its place, with the same
    /// name, volumes, devices, ports, limits, labels, environment, user, network and directories
    /// in memory. It is made of the same image even if the image's name has gone over to another
    /// one. The old container is removed once the new one runs; until then a failure leaves it as
    /// it was, started again if it had to be stopped. This handle and its clones lead to the new
    /// one; commands, streams and sessions of the old one end with an error.
    ///
    /// A port that the engine has picked may be another one afterwards.
    ///
    /// Engine endpoints: `POST /containers/{id}/restart`; with `fresh` those of creating,
    /// stopping, starting, renaming and removing.
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`]; [`Error::InvalidArgument`] for a sandbox with a `ttl`, which
    /// is removed when it stops and can take no place while its ports are taken;
    /// [`Error::PathNotFound`], [`Error::ImageNotFound`], [`Error::PortInUse`] and what else
    /// [`Engine::create`](crate::Engine::create) may meet; [`Error::NotRestored`] if the old
    /// container could not be put back as it was.
    pub fn reboot(&self, fresh: bool) -> Result<()> {
        let found = containers::inspect(self.client(), self.container_id())?;
        match fresh {
            true => self.replace(&found),
            false => self.restart(&found),
        }
    }

    fn restart(&self, found: &Value) -> Result<()> {
        let client = self.client();
        if replica::removes_itself(found) {
            let reason = "it has a ttl and removes itself when it stops; reboot it afresh";
            return Err(Error::invalid("reboot of", self.name(), reason));
        }
        if status(found) == "paused" {
            // Podman refuses to stop a paused container.
            containers::unpause(client, self.container_id())?;
        }
        containers::restart(client, self.container_id(), Self::grace(found))?;
        tmpfs::set_modes(client, self.container_id(), &replica::tmpfs(found)).map(drop)
    }

    fn replace(&self, found: &Value) -> Result<()> {
        let alone = replica::has_ports(found) || has_command(found);
        if alone && replica::removes_itself(found) && is_up(found) {
            let reason = "it has a ttl and removes itself when it stops, and what it has bound \
                          can be taken over only then";
            return Err(Error::invalid("reboot of", self.name(), reason));
        }
        check_sources(found)?;
        let client = self.client();
        let (image, warning) = image(client, found)?;
        let document = replica::document(found, &image);
        let maker = ProcessIdentity::own().map_or("unknown".to_owned(), |own| own.tag());
        let tag = format!("{maker}-{}", host::random_hex::<2>()?);
        let name = self.name();
        let fresh = format!("{name}{FRESH}{tag}");
        let mut swap = Swap {
            container: self,
            found,
            fresh,
            old: format!("{name}{OLD}{tag}"),
            id: None,
            warnings: warning.into_iter().collect(),
        };
        match swap.run(&document, alone) {
            Ok(heir) => {
                self.succeed(heir);
                Ok(())
            }
            Err(failure) => Err(swap.undo(failure)),
        }
    }
}

/// One container on its way into the place of another.
struct Swap<'a> {
    container: &'a Container,
    /// How the old one was before.
    found: &'a Value,
    fresh: String,
    old: String,
    /// The new one, once it is known.
    id: Option<String>,
    /// What is not as somebody may expect it.
    warnings: Vec<String>,
}

impl Swap<'_> {
    fn run(&mut self, document: &Value, alone: bool) -> Result<Heir> {
        let client = self.container.client();
        let old = self.container.container_id();
        let created = containers::create(client, &self.fresh, document)?;
        let id = self.id.insert(created.id).as_str();
        if alone {
            self.container.stop()?;
        }
        containers::start(client, id)?;
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(created.warnings);
        warnings.extend(tmpfs::set_modes(client, id, &replica::tmpfs(self.found))?);
        if !alone && !replica::removes_itself(self.found) {
            self.container.stop()?;
        }
        containers::rename(client, old, &self.old)?;
        containers::rename(client, id, self.container.name())?;
        let heir = self
            .container
            .heir(&containers::inspect(client, id)?, warnings)?;
        match remove(client, old) {
            // Whatever was answered: if it is gone, there is no way back.
            Err(_) if is_gone(client, old) => Ok(heir),
            outcome => outcome.map(|()| heir),
        }
    }

    /// Puts the old one back as it was; gives the error to report.
    fn undo(&self, failure: Error) -> Error {
        match self.restore() {
            Ok(()) => failure,
            Err(reason) => Error::NotRestored {
                container: self.container.name().to_owned(),
                failure: Box::new(failure),
                reason: Box::new(reason),
            },
        }
    }

    fn restore(&self) -> Result<()> {
        let client = self.container.client();
        let old = self.container.container_id();
        // By its name if its ID was never heard.
        remove(client, self.id.as_deref().unwrap_or(&self.fresh))?;
        let now = match containers::inspect(client, old) {
            // Somebody else has removed it, or the engine did when it stopped.
            Err(Error::ContainerNotFound { .. }) => return Ok(()),
            other => other?,
        };
        let name = now.str_at(&["Name"]).unwrap_or_default();
        if name.trim_start_matches('/') != self.container.name() {
            containers::rename(client, old, self.container.name())?;
        }
        if is_up(self.found) && !is_up(&now) {
            containers::start(client, old)?;
            tmpfs::set_modes(client, old, &replica::tmpfs(self.found))?;
        }
        match (status(self.found), status(&now)) {
            ("paused", "paused") => Ok(()),
            ("paused", _) => containers::pause(client, old),
            _ => Ok(()),
        }
    }
}

fn status(found: &Value) -> &str {
    found.str_at(&["State", "Status"]).unwrap_or_default()
}

fn is_up(found: &Value) -> bool {
    found.bool_at(&["State", "Running"]) == Some(true)
}

fn is_gone(client: &Client, id: &str) -> bool {
    let found = containers::inspect(client, id);
    matches!(found, Err(Error::ContainerNotFound { .. }))
}

/// Whether its first process is more than a placeholder: two of it might not bear each other.
fn has_command(found: &Value) -> bool {
    let command = found.array_at(&["Config", "Cmd"]).unwrap_or_default();
    !command.is_empty()
}

/// The image to make it from: by its name, as lists show it, as long as that is still the one.
/// Otherwise its ID, and a warning.
fn image(client: &Client, found: &Value) -> Result<(String, Option<String>)> {
    let name = found.str_at(&["Config", "Image"]).unwrap_or_default();
    let Some(id) = found.str_at(&["Image"]).filter(|id| !id.is_empty()) else {
        return Ok((name.to_owned(), None));
    };
    let by_name = images::inspect(client, name)?;
    let bare = |id: &str| id.trim_start_matches("sha256:").to_owned();
    let named = by_name.as_ref().and_then(|image| image.str_at(&["Id"]));
    if named.map(bare) == Some(bare(id)) {
        return Ok((name.to_owned(), None));
    }
    let warning = format!("'{name}' is another image now; the one it was made from is used");
    Ok((id.to_owned(), Some(warning)))
}

/// Podman would make a directory of what is not there.
fn check_sources(found: &Value) -> Result<()> {
    let binds = found.array_at(&["Mounts"]).unwrap_or_default();
    let binds = binds
        .iter()
        .filter(|mount| mount.str_at(&["Type"]) == Some("bind"));
    for path in binds.filter_map(|mount| mount.str_at(&["Source"])) {
        let path = PathBuf::from(path);
        if !path.exists() {
            return Err(Error::PathNotFound { path });
        }
    }
    Ok(())
}
