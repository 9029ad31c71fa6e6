//! How far a long transfer has come.

/// What a transfer reports to whoever asked for it, as it goes on.
///
/// ```
/// use pocketdock_core::Progress;
///
/// let show = |progress: &Progress| match progress.total_bytes {
///     Some(total) => println!("{} of {total} bytes", progress.done_bytes),
///     None => println!("{} bytes", progress.done_bytes),
/// };
/// # let _ = show;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// The bytes that have been moved.
    pub done_bytes: u64,
    /// The bytes there are to move, where that is known beforehand.
    pub total_bytes: Option<u64>,
}
