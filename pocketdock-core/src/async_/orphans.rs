//! The threads that nobody polls for any more: those of dropped futures, and those of finished
//! ones, which have nothing left to do but to return.
//!
//! A future must not block when it is dropped, nor when it is polled, so it cannot join its
//! thread. The thread is left here and joined when it has ended and another one is left here, when
//! a thread ends that dropped a future, or by [`settle`].

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// All of the process.
static ORPHANS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Held by whoever joins, so that nobody takes an empty list for the end of everything.
static SETTLING: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread drives a future. It must not wait for itself or for its like.
    static IS_DRIVER: Cell<bool> = const { Cell::new(false) };
    /// Settles when this thread ends.
    static AT_END: AtEnd = const { AtEnd };
}

struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        settle();
    }
}

/// Waits until everything is cleared away that dropped futures have left behind.
///
/// It blocks: for a removal or a kill as a rule, at the most as long as the engine's timeout
/// allows. It is done without asking when a thread ends that has dropped a future.
///
/// ```
/// pocketdock_core::async_::settle(); // Nothing was dropped, so this returns at once.
/// ```
pub fn settle() {
    if IS_DRIVER.get() {
        return;
    }
    let _alone = lock(&SETTLING);
    loop {
        let threads = std::mem::take(&mut *lock(&ORPHANS));
        if threads.is_empty() {
            return;
        }
        threads.into_iter().for_each(join);
    }
}

/// Marks this thread as one that drives a future.
pub(super) fn mark_driver() {
    IS_DRIVER.set(true);
}

/// Takes over a thread that is about to end by itself.
pub(super) fn leave_ended(thread: JoinHandle<()>) {
    let mut orphans = lock(&ORPHANS);
    let (ended, running) = std::mem::take(&mut *orphans)
        .into_iter()
        .partition(JoinHandle::is_finished);
    *orphans = running;
    orphans.push(thread);
    drop(orphans);
    let ended: Vec<_> = ended;
    ended.into_iter().for_each(join);
}

/// Takes over a thread that still has something to clear away, for this thread to wait for.
pub(super) fn leave_busy(thread: JoinHandle<()>) {
    leave_ended(thread);
    if !IS_DRIVER.get() && AT_END.try_with(|_| ()).is_err() {
        // This thread is at its end already.
        settle();
    }
}

fn join(thread: JoinHandle<()>) {
    // A panic has been carried to whoever polled; in a dropped future it has been reported by
    // its hook.
    let _panic = thread.join();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
