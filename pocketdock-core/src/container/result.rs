//! What came of a command: [`ExecResult`] and how it ended.

use std::borrow::Cow;
use std::time::Duration;

/// The exit code that stands for a command that was killed for taking too long.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// use std::time::Duration;
/// use pocketdock_core::container::result::TIMEOUT_EXIT_CODE;
///
/// let result = sandbox.exec("sleep 60").timeout(Duration::from_secs(1)).run()?;
/// assert_eq!(result.exit_code, TIMEOUT_EXIT_CODE);
/// assert!(result.timed_out()); // A program may exit with 124 by itself.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const TIMEOUT_EXIT_CODE: i32 = 124;

/// How a command came to its end.
///
/// Engines report one number. One above 128 is taken for a signal, as shells write it, so a
/// program that exits with such a code by itself looks the same.
///
/// ```no_run
/// use std::time::Duration;
/// use pocketdock_core::End;
///
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let result = sandbox.exec("sleep 60").timeout(Duration::from_secs(1)).run()?;
/// match result.end {
///     End::Exited => println!("exit code {}", result.exit_code),
///     End::Signaled(number) => println!("signal {number}"),
///     End::TimedOut => println!("it took too long"),
///     End::OomKilled => println!("it needed too much memory"),
///     _ => {}
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// By itself.
    Exited,
    /// By this signal.
    Signaled(i32),
    /// Killed by us, with all of its children, because its time was up.
    TimedOut,
    /// Killed by the kernel because the sandbox was out of memory.
    OomKilled,
}

impl End {
    /// How a command with this exit code ended, as far as the code tells.
    pub(crate) fn from_code(exit_code: i32) -> Self {
        match exit_code - 128 {
            signal @ 1..=64 => End::Signaled(signal),
            _ => End::Exited,
        }
    }
}

/// A command that has ended, with its output.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let result = sandbox.run("echo out; echo err >&2; exit 3")?;
/// assert_eq!(result.exit_code, 3);
/// assert_eq!(result.stdout, b"out\n");
/// assert_eq!(result.stderr_text(), "err\n");
/// assert!(!result.ok() && !result.timed_out() && !result.truncated());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecResult {
    /// The command's exit code: 128 plus the signal if it died of one, 124 if it timed out.
    pub exit_code: i32,
    /// What it wrote to standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, byte for byte.
    pub stderr: Vec<u8>,
    /// From its start to its end.
    pub duration: Duration,
    /// How it ended.
    pub end: End,
    /// How many bytes of output were dropped because of `max_output`.
    pub dropped_len: u64,
}

impl ExecResult {
    /// Whether it exited with code 0.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.exit_code == 0 && self.end == End::Exited
    }

    /// Standard output as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn stdout_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn stderr_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// The duration in whole milliseconds.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let result = sandbox.run("make")?;
    /// println!("{} in {} ms", result.exit_code, result.duration_ms());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it was killed because its time was up.
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.end == End::TimedOut
    }

    /// Whether output was dropped because of `max_output`.
    #[must_use]
    pub fn truncated(&self) -> bool {
        0 < self.dropped_len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_above_128_are_signals() {
        let cases = [
            (0, End::Exited),
            (128, End::Exited),
            (129, End::Signaled(1)),
            (137, End::Signaled(9)),
            (192, End::Signaled(64)),
            (193, End::Exited),
            (255, End::Exited),
        ];
        for (code, want) in cases {
            assert_eq!(End::from_code(code), want, "{code}");
        }
    }
}
