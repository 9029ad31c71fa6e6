//! Docker contexts: which socket the docker command would use.
//!
//! `config.json` in the docker configuration directory names the current context; each context is
//! a `contexts/meta/HASH/meta.json` with its name and its endpoint. The directory of a context
//! is a hash of its name, so all of them are read and compared by name instead.
//!
//! Only the endpoint's host is read. TLS material is not: it is of no use on a Unix socket.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::host;
use crate::wire::json;
use crate::wire::value::Value;

/// The longest configuration file that is read.
const FILE_LEN_MAX: u64 = 4 * 1024 * 1024;

/// The context that stands for no context at all.
const DEFAULT: &str = "default";

/// The name of the current context in `config_dir`, if there is one other than `default`.
///
/// ```no_run
/// use std::path::Path;
/// use pocketdock_core::engine::context;
///
/// let dir = Path::new("/home/me/.docker");
/// if let Some(name) = context::current(dir)? {
///     println!("{name}: {:?}", context::endpoint(dir, &name)?);
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Io`] or [`Error::Config`] if `config.json` is there and cannot be read.
pub fn current(config_dir: &Path) -> Result<Option<String>> {
    let Some(config) = read(&config_dir.join("config.json"))? else {
        return Ok(None);
    };
    let name = config.str_at(&["currentContext"]).unwrap_or_default();
    Ok((!name.is_empty() && name != DEFAULT).then(|| name.to_owned()))
}

/// The endpoint of the context `name`, such as `unix:///run/user/1000/docker.sock`; `None` if it
/// is `default` or there is none of this name.
///
/// ```
/// use std::path::Path;
/// use pocketdock_core::engine::context;
///
/// assert_eq!(context::endpoint(Path::new("/home/me/.docker"), "default")?, None);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Io`] or [`Error::Config`] if a file is there and cannot be read, and no other is the
/// context's.
pub fn endpoint(config_dir: &Path, name: &str) -> Result<Option<String>> {
    if name == DEFAULT {
        return Ok(None);
    }
    let contexts = config_dir.join("contexts").join("meta");
    let unlistable = |error| Error::io(format!("list '{}'", contexts.display()), error);
    let listing = match fs::read_dir(&contexts) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unlistable(error)),
    };
    // A broken context may be the one that is meant, so it is an error unless another one is.
    let mut broken = None;
    for entry in listing {
        match read(&entry.map_err(unlistable)?.path().join("meta.json")) {
            Ok(Some(context)) if context.str_at(&["Name"]) == Some(name) => {
                let host = context.str_at(&["Endpoints", "docker", "Host"]);
                return Ok(host.map(str::to_owned));
            }
            Ok(_) => {}
            Err(error) => broken = Some(error),
        }
    }
    broken.map_or(Ok(None), Err)
}

/// The JSON document in a file, `None` if there is no such file.
fn read(path: &Path) -> Result<Option<Value>> {
    let config = |message: String| Error::Config {
        path: path.to_owned(),
        line: 0,
        message,
    };
    let unreadable = |error| Error::io(format!("read '{}'", path.display()), error);
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        // A pipe would be waited for, and a device may have no end.
        Ok(found) if !found.is_file() => return Err(config("it is not a file".to_owned())),
        Ok(_) => {}
    }
    let text = fs::File::open(path)
        .and_then(|mut file| host::read_at_most(&mut file, FILE_LEN_MAX + 1))
        .map_err(unreadable)?;
    if FILE_LEN_MAX < text.len() as u64 {
        return Err(config(format!("it is longer than {FILE_LEN_MAX} bytes")));
    }
    json::parse(&text)
        .map(Some)
        .map_err(|error| config(error.to_string()))
}
