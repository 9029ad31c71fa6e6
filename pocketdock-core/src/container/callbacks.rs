//! Callbacks for the output and the end of detached processes.
//!
//! Several may be registered for one event; they run one after the other, in the order they were
//! registered, on the reader thread of the process. No lock is held meanwhile, so a callback may
//! call any method of the container and of the process, registering included, but those that would
//! wait for this very thread, which refuse. A panic in one is caught and counted, after the panic
//! hook has reported it, and stops nothing else.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::container::output::StreamKind;
use crate::container::result::ExecResult;
use crate::error::Error;

/// Gets the ID of the process and a piece of its output, cut between UTF-8 characters.
pub(crate) type OnOutput = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// Gets the ID of the process and how it ended; the output in it is what nobody has read.
pub(crate) type OnExit = Arc<dyn Fn(&str, &ExecResult) + Send + Sync>;

/// The callbacks of a process, or those of a container for all of its processes.
#[derive(Default)]
pub(crate) struct Callbacks {
    registered: Mutex<Registered>,
    panics: AtomicU64,
}

#[derive(Default, Clone)]
struct Registered {
    stdout: Vec<OnOutput>,
    stderr: Vec<OnOutput>,
    exit: Vec<OnExit>,
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registered {
            stdout,
            stderr,
            exit,
        } = &*self.registered();
        write!(
            f,
            "Callbacks({} {} {})",
            stdout.len(),
            stderr.len(),
            exit.len()
        )
    }
}

/// The error for a callback that would wait for the thread that it runs on.
pub(crate) fn waits_for_itself(call: &str) -> Error {
    Error::invalid(
        "call",
        call,
        "a callback cannot wait for the thread that it runs on; do it on another one",
    )
}

impl Callbacks {
    fn registered(&self) -> MutexGuard<'_, Registered> {
        // Nothing panics while the lock is held.
        self.registered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_output(&self, stream: StreamKind, callback: OnOutput) {
        let mut registered = self.registered();
        match stream {
            StreamKind::Stdout => registered.stdout.push(callback),
            StreamKind::Stderr => registered.stderr.push(callback),
        }
    }

    /// Whether anybody wants to have output.
    pub(crate) fn has_output(&self) -> bool {
        let registered = self.registered();
        !registered.stdout.is_empty() || !registered.stderr.is_empty()
    }

    pub(crate) fn add_exit(&self, callback: OnExit) {
        self.registered().exit.push(callback);
    }

    pub(crate) fn output(&self, id: &str, stream: StreamKind, piece: &[u8]) {
        let callbacks = match stream {
            StreamKind::Stdout => self.registered().stdout.clone(),
            StreamKind::Stderr => self.registered().stderr.clone(),
        };
        for callback in callbacks {
            self.contain(|| callback(id, piece));
        }
    }

    pub(crate) fn exit(&self, id: &str, result: &ExecResult) {
        let callbacks = self.registered().exit.clone();
        for callback in callbacks {
            self.contain(|| callback(id, result));
        }
    }

    /// Lets go of all of them. One that holds its own process would keep both alive for ever.
    pub(crate) fn clear(&self) {
        let registered = std::mem::take(&mut *self.registered());
        drop(registered); // Without the lock: it may run anybody's destructors.
    }

    /// Calls one callback, whatever it does.
    pub(crate) fn contain(&self, call: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many callbacks have panicked.
    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }
}
