//! Output as it arrives: [`ExecStream`], an iterator over chunks.
//!
//! A chunk is what one read brought of one stream, cut so that no UTF-8 character is split; the
//! bytes of a character that is not finished wait for the rest. Memory does not grow with the
//! output: nothing is read before it is asked for.

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::container::attached::{Abandoner, Ended, Pace};
use crate::container::exec::{Exec, Started, take_under_cap};
use crate::container::kill::{Scope, Signal};
use crate::container::output::{Splitters, StreamKind};
use crate::container::record::RecordKind;
use crate::container::result::ExecResult;
use crate::container::target::Target;
use crate::error::{Error, Result};

/// A piece of a command's output.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// let mut len = 0;
/// for chunk in engine.open("box")?.exec("yes | head -n 1000000").stream()? {
///     len += chunk?.data.len();
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamChunk {
    /// Where it was written.
    pub stream: StreamKind,
    /// The bytes.
    pub data: Vec<u8>,
}

impl StreamChunk {
    /// The bytes as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }
}

/// The output of a running command, in chunks as they arrive.
///
/// Dropping it before its end kills the command and everything that came from it.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new())?;
/// let mut stream = sandbox.exec("for i in 1 2 3; do echo $i; sleep 1; done").stream()?;
/// for chunk in &mut stream {
///     print!("{}", chunk?.text());
/// }
/// assert!(stream.result()?.ok());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct ExecStream {
    started: Started,
    waiting: VecDeque<StreamChunk>,
    text: Splitters,
    /// How many more bytes to pass on; `None` for all.
    left: Option<u64>,
    dropped_len: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Running,
    Ended(Ended),
    Failed,
}

/// A way to send signals to a running command from another thread.
///
/// ```no_run
/// use std::{thread, time::Duration};
/// use pocketdock_core::{Scope, Signal};
///
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let mut stream = sandbox.exec("yes").no_timeout().stream()?;
/// let handle = stream.handle();
/// let killer = thread::spawn(move || {
///     thread::sleep(Duration::from_secs(1));
///     handle.kill(Signal::TERM, Scope::Tree)
/// });
/// let len: usize = (&mut stream).flatten().map(|chunk| chunk.data.len()).sum();
/// println!("{len} bytes in a second");
/// killer.join().expect("no panic")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ExecHandle {
    target: Target,
}

impl ExecHandle {
    /// Sends a signal to the command's own process or to it and everything that came from it.
    ///
    /// Processes that are gone already are no error.
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`],
    /// [`Error::CommandNotExecutable`] if a process belongs to another user.
    pub fn kill(&self, signal: Signal, scope: Scope) -> Result<()> {
        self.target.kill(signal, scope)
    }
}

impl Exec {
    /// Starts the command and gives its output as it arrives.
    ///
    /// `timeout` applies as for [`run`](Exec::run); `max_output` only if it was set.
    ///
    /// # Errors
    ///
    /// As [`run`](Exec::run), as far as starting goes.
    pub fn stream(self) -> Result<ExecStream> {
        let left = self.output_cap();
        Ok(ExecStream {
            started: self.start(Pace::WAITING, RecordKind::Run)?,
            waiting: VecDeque::new(),
            text: Splitters::default(),
            left,
            dropped_len: 0,
            state: State::Running,
        })
    }
}

impl ExecStream {
    /// A way to send signals to the command from another thread.
    #[must_use]
    pub fn handle(&self) -> ExecHandle {
        ExecHandle {
            target: self.started.attached.target().clone(),
        }
    }

    /// A way to give up watching the command, from another thread.
    pub(crate) fn abandoner(&self) -> Abandoner {
        self.started.attached.abandoner()
    }

    /// The engine's ID of the exec instance.
    #[must_use]
    pub fn id(&self) -> &str {
        self.started.attached.exec_id()
    }

    /// Waits until the command runs. Output that came meanwhile is left for the iterator.
    ///
    /// Engines begin to answer before they know whether they can start a program; this is for
    /// callers who want to know before they go on. A command that has ended did run.
    ///
    /// Engine endpoint: `GET /exec/{id}/json`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::Error;
    ///
    /// let mut log = sandbox.exec(["tail", "-f", "/var/log/app"]).stream()?;
    /// if let Err(Error::CommandNotFound { command, .. }) = log.wait_started() {
    ///     println!("this image has no {command}");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::CommandNotFound`], [`Error::CommandNotExecutable`] if it could not be started, and
    /// what else [`Exec::run`] may meet.
    pub fn wait_started(&mut self) -> Result<()> {
        while let State::Running = self.state {
            if !self.waiting.is_empty() || self.started.attached.is_launched()? {
                break;
            }
            self.advance()?;
        }
        Ok(())
    }

    /// How the command ended, without output. Chunks that were not taken are dropped.
    ///
    /// # Errors
    ///
    /// As [`Exec::run`]; [`Error::SocketCommunication`] if the iterator has given an error before.
    pub fn result(mut self) -> Result<ExecResult> {
        while let State::Running = self.state {
            self.waiting.clear();
            self.advance()?;
        }
        match self.state {
            State::Ended(ended) => Ok(ExecResult {
                dropped_len: self.dropped_len,
                ..ended.into_result()
            }),
            State::Running | State::Failed => Err(Error::SocketCommunication {
                endpoint: "POST /exec/…/start".to_owned(),
                reason: "the stream has failed before".to_owned(),
                output: Box::default(),
            }),
        }
    }

    /// Reads once; chunks and the end are put where they belong.
    fn advance(&mut self) -> Result<()> {
        let ExecStream {
            started,
            waiting,
            text,
            left,
            dropped_len,
            ..
        } = self;
        let step = started.step(&mut |kind, piece| {
            let kept = match left {
                Some(left) => take_under_cap(left, piece),
                None => piece,
            };
            *dropped_len += (piece.len() - kept.len()) as u64;
            add(waiting, kind, &text.push(kind, kept));
        });
        match step {
            Ok(None) => Ok(()),
            Ok(Some(ended)) => {
                for (kind, rest) in text.finish() {
                    add(waiting, kind, &rest);
                }
                self.state = State::Ended(ended);
                Ok(())
            }
            Err(error) => {
                self.state = State::Failed;
                Err(error)
            }
        }
    }
}

/// Adds output behind the last chunk, or to it if it is of the same stream.
fn add(waiting: &mut VecDeque<StreamChunk>, stream: StreamKind, data: &[u8]) {
    if data.is_empty() {
        return;
    }
    match waiting.back_mut() {
        Some(last) if last.stream == stream => last.data.extend_from_slice(data),
        _ => waiting.push_back(StreamChunk {
            stream,
            data: data.to_vec(),
        }),
    }
}

impl Iterator for ExecStream {
    type Item = Result<StreamChunk>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(chunk) = self.waiting.pop_front() {
                return Some(Ok(chunk));
            }
            let State::Running = self.state else {
                return None;
            };
            if let Err(error) = self.advance() {
                return Some(Err(error));
            }
        }
    }
}

impl Drop for ExecStream {
    fn drop(&mut self) {
        if let State::Running = self.state {
            // Nobody is left to be told; what cannot be reached is gone with its sandbox.
            let _killed = self
                .started
                .attached
                .target()
                .kill(Signal::KILL, Scope::Tree);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_stream_become_one_chunk() {
        let mut waiting = VecDeque::new();
        add(&mut waiting, StreamKind::Stdout, b"a");
        add(&mut waiting, StreamKind::Stdout, b"b");
        add(&mut waiting, StreamKind::Stderr, b"");
        add(&mut waiting, StreamKind::Stderr, b"c");
        let chunks: Vec<_> = waiting.into_iter().map(|c| (c.stream, c.data)).collect();
        assert_eq!(
            chunks,
            [
                (StreamKind::Stdout, b"ab".to_vec()),
                (StreamKind::Stderr, b"c".to_vec())
            ]
        );
    }
}
