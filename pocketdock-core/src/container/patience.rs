//! Whether somebody still waits for a result: a caller who blocks does, a future may be dropped.

/// Somebody for whom a thread waits.
pub(crate) trait Patience {
    /// Whether they are gone, so that waiting has no point any more.
    fn is_over(&self) -> bool;

    /// Takes what ends the wait that is about to begin, so that the thread asks again.
    fn wake_by(&self, wake: Wake);
}

/// What ends a wait. It does not block and keeps nothing open.
pub(crate) type Wake = Box<dyn FnOnce() + Send>;

/// A caller who waits to the end.
pub(crate) struct Endless;

impl Patience for Endless {
    fn is_over(&self) -> bool {
        false
    }

    fn wake_by(&self, _wake: Wake) {}
}
