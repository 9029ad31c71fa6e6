//! Where a signal that reaches us goes while a command runs in a sandbox.

use std::io::{self, Write};

use pocketdock_core::{Container, ExecStream, Scope, Signal};

use crate::output::visible;

use super::own_stderr;
use super::plan::{Plan, Target};

/// Passes a signal on to the command and all that came from it.
///
/// A sandbox of its own in which that fails (it has no shell to do it with, or is paused) is
/// removed; another one is not ours to remove.
pub(super) fn killer(
    plan: &Plan,
    stream: &ExecStream,
    container: &Container,
) -> io::Result<Box<dyn FnMut(Signal) + Send>> {
    let handle = stream.handle();
    let own = matches!(plan.target, Target::OneShot(_)).then(|| container.clone());
    let mut stderr = own_stderr()?;
    Ok(Box::new(move |signal| {
        let Err(error) = handle.kill(signal, Scope::Tree) else {
            return;
        };
        if let Some(container) = &own {
            let _gone = container.shutdown(true);
            return;
        }
        let why = visible(&error.to_string());
        let _ = writeln!(
            stderr,
            "pocketdock: cannot signal the command, a third signal ends pocketdock: {why}"
        );
    }))
}
