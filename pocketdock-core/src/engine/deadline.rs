//! An instant to be done by, turned into the timeout of the next read or write.
//!
//! An exchange has one deadline for all of its reads and writes together, so an engine that sends
//! a byte now and then cannot stretch it.

use std::io;
use std::time::{Duration, Instant};

/// When an operation must be done, if ever.
///
/// ```
/// use std::time::Duration;
/// use pocketdock_core::engine::deadline::Deadline;
///
/// let deadline = Deadline::after(Duration::from_secs(60));
/// assert!(!deadline.has_passed());
/// assert_eq!(deadline.at_most(Duration::from_secs(1)), Duration::from_secs(1));
/// assert_eq!(Deadline::NEVER.remaining()?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// A deadline that never comes.
    pub const NEVER: Deadline = Deadline(None);

    /// The deadline `timeout` from now; one too far off to be counted never comes.
    #[must_use]
    pub fn after(timeout: Duration) -> Self {
        Deadline(Instant::now().checked_add(timeout))
    }

    /// The deadline `timeout` from now, or none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pocketdock_core::engine::deadline::Deadline;
    ///
    /// assert!(Deadline::after_some(Some(Duration::ZERO)).has_passed());
    /// assert!(!Deadline::after_some(None).has_passed());
    /// ```
    #[must_use]
    pub fn after_some(timeout: Option<Duration>) -> Self {
        timeout.map_or(Deadline::NEVER, Deadline::after)
    }

    /// The time that is left, at least a millisecond; `None` if the deadline never comes.
    ///
    /// # Errors
    ///
    /// An error of kind [`io::ErrorKind::TimedOut`] once it has passed.
    pub fn remaining(&self) -> io::Result<Option<Duration>> {
        let Some(at) = self.0 else {
            return Ok(None);
        };
        match at.checked_duration_since(Instant::now()) {
            // A socket timeout of zero would mean none.
            Some(left) if !left.is_zero() => Ok(Some(left.max(Duration::from_millis(1)))),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn has_passed(&self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }

    /// The time left, no more than `most`; zero once the deadline has passed.
    #[must_use]
    pub fn at_most(&self, most: Duration) -> Duration {
        match self.0 {
            None => most,
            Some(at) => at.saturating_duration_since(Instant::now()).min(most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_out_once_and_for_all() {
        let past = Deadline::after(Duration::ZERO);
        assert!(past.has_passed());
        assert_eq!(
            past.remaining().unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
        assert_eq!(past.at_most(Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn never_is_never() {
        assert!(!Deadline::NEVER.has_passed());
        assert_eq!(Deadline::NEVER.remaining().unwrap(), None);
        assert!(!Deadline::after(Duration::MAX).has_passed());
    }

    #[test]
    fn what_is_left_is_less_than_was_given() {
        let left = Deadline::after(Duration::from_secs(60))
            .remaining()
            .unwrap()
            .unwrap();
        assert!(Duration::from_secs(50) < left && left <= Duration::from_secs(60));
    }
}
