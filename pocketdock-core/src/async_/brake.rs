//! Stops what a thread does for a future that was dropped.
//!
//! The thread blocks in a read or a wait and does not look at a flag meanwhile. So it says before
//! by what it can be woken: giving up the command that it watches ends its read.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::container::patience::{Patience, Wake};

/// Pulled when nobody waits any more.
#[derive(Debug, Default)]
pub(super) struct Brake {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pulled: bool,
    /// What makes the thread look at the brake.
    wake: Option<Wake>,
}

impl Brake {
    /// Stops the thread, now or when it begins to wait; it has to be unparked, too.
    pub(super) fn pull(&self) {
        let wake = {
            let mut state = self.state();
            state.pulled = true;
            state.wake.take()
        };
        if let Some(wake) = wake {
            wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic is done while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Patience for Brake {
    fn is_over(&self) -> bool {
        self.state().pulled
    }

    fn wake_by(&self, wake: Wake) {
        let mut state = self.state();
        if !state.pulled {
            state.wake = Some(wake);
            return;
        }
        drop(state);
        wake();
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("pulled", &self.pulled)
            .finish_non_exhaustive()
    }
}
