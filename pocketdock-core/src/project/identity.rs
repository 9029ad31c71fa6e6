//! What tells an engine from another one behind the same socket, before and after a restart.
//!
//! ```text
//! Docker   its ID, host and data directory, of `GET /info`: 6 ms. The ID alone is shared by
//!          engines of one host, before 23.0, and by copies of a machine.
//! Podman   the directory of its storage, of a container that it has just made: 2 ms. `GET /info`
//!          knows the host, too, but takes 300 ms, twice what a sandbox does, and its ID is
//!          another one each time.
//! ```

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::engine::{Engine, EngineKind, containers, system};
use crate::error::{Error, Result};
use crate::project::description::Description;
use crate::wire::value::Value;

/// The identity of an engine that says this of itself.
pub(crate) fn in_info(kind: EngineKind, info: &Value) -> Option<String> {
    let root = info.str_at(&["DockerRootDir"])?;
    let said = |key| info.str_at(&[key]).unwrap_or_default();
    Some(match kind {
        EngineKind::Docker => format!("{} {} {root}", said("ID"), said("Name")),
        EngineKind::Podman => root.to_owned(),
    })
}

/// The identity of an engine, whatever it takes to learn it.
pub(crate) fn of(engine: &Engine) -> Result<Option<String>> {
    Ok(in_info(engine.kind(), &system::info(engine.client())?))
}

/// The identity of the engine that has made a container; `None` if it does not say, as when a
/// proxy before it refuses to ask.
pub(crate) fn of_maker(engine: &Engine, id: &str) -> Option<String> {
    if engine.kind() == EngineKind::Docker {
        return of(engine).ok()?;
    }
    let found = containers::inspect(engine.client(), id).ok()?;
    // ROOT/overlay/LAYER/diff
    let upper = Path::new(found.str_at(&["GraphDriver", "Data", "UpperDir"])?);
    Some(upper.ancestors().nth(3)?.to_str()?.to_owned())
}

/// Whether an instance is of this engine, whose identity is `own`. One that was known and is not
/// any more may be anybody's.
pub(crate) fn is_of(description: &Description, engine: &Engine, own: Option<&str>) -> bool {
    match (description.engine.as_deref(), own) {
        (Some(known), own) if own != Some(known) => false,
        // Another of its sockets will do. Podman's storage may have the same path on another host.
        (Some(_), _) if engine.kind() == EngineKind::Docker => true,
        _ => is_same_socket(&description.socket, engine.socket_path()),
    }
}

/// Refuses to take the instance of another engine's sandbox, unless that says that it is gone. A
/// directory can be the instance of one container only, and engines do not know of each other.
pub(crate) fn refuse_another(engine: &Engine, known: Description) -> Result<()> {
    if !known.kept || known.id.is_empty() || is_known_of(&known, engine)? {
        return Ok(());
    }
    let socket = known.socket.as_path();
    let ask = || {
        let other = Engine::at(socket)?;
        containers::inspect(other.client(), &known.id).map(drop)
    };
    // One whose socket has gone over to this engine cannot be asked.
    let is_same = is_same_socket(socket, engine.socket_path());
    match !is_same && matches!(ask(), Err(Error::ContainerNotFound { .. })) {
        true => Ok(()),
        false => Err(another_engine(known)),
    }
}

/// Whether an instance is of this engine, which is asked only if the instance can tell.
pub(crate) fn is_known_of(known: &Description, engine: &Engine) -> Result<bool> {
    let own = match known.engine {
        Some(_) => of(engine)?,
        None => None,
    };
    Ok(is_of(known, engine, own.as_deref()))
}

/// The error for a sandbox of an engine that was not asked.
pub(crate) fn another_engine(known: Description) -> Error {
    Error::AnotherEngine {
        name: known.name,
        socket: known.socket,
    }
}

/// Whether two paths lead to one socket, as over a link or a bind mount.
pub(crate) fn is_same_socket(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    a == b || matches!((place(a), place(b)), (Ok(a), Ok(b)) if a == b)
}
