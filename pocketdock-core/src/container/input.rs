//! Standard input of a command: a thread that writes it, so that a command which does not read
//! cannot block the reading of its output.
//!
//! The connection is closed for writing after the last byte, which the command sees as the end of
//! its input. A command that ends early ends the writing; what is left is dropped.

use std::fmt;
use std::io::{self, Cursor, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::engine::client::Connection;
use crate::error::{Error, Result};
use crate::host;

const BUFFER_LEN: usize = 64 * 1024;

/// What a command reads as its standard input.
///
/// ```
/// use pocketdock_core::Stdin;
///
/// let bytes = Stdin::from("some text");
/// let file = Stdin::reader(std::io::Cursor::new(vec![0; 10]));
/// ```
pub struct Stdin {
    source: Box<dyn Read + Send>,
    /// Whether reading it returns in a moment, so that its thread can be waited for.
    prompt: bool,
}

impl Stdin {
    /// What the reader gives, to its end.
    ///
    /// If a read fails, the command's input ends there, and its result is that [`Error::Io`].
    /// The reader's thread ends when a read returns after the command has ended; a reader that
    /// blocks, as a terminal's, keeps it until then.
    #[must_use]
    pub fn reader(source: impl Read + Send + 'static) -> Self {
        Stdin {
            source: Box::new(source),
            prompt: false,
        }
    }

    /// All of it, if it is at hand and no longer than `len_max`.
    pub(crate) fn at_hand(mut self, len_max: usize) -> std::result::Result<Vec<u8>, Self> {
        if !self.prompt {
            return Err(self);
        }
        let most = u64::try_from(len_max).unwrap_or(u64::MAX).saturating_add(1);
        // What is at hand lies in memory, and reading it cannot fail.
        let bytes = host::read_at_most(&mut self.source, most).unwrap_or_default();
        if bytes.len() <= len_max {
            return Ok(bytes);
        }
        Err(Stdin {
            source: Box::new(Cursor::new(bytes).chain(self.source)),
            prompt: true,
        })
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}

impl From<Vec<u8>> for Stdin {
    fn from(bytes: Vec<u8>) -> Self {
        Stdin {
            source: Box::new(Cursor::new(bytes)),
            prompt: true,
        }
    }
}

impl From<&[u8]> for Stdin {
    fn from(bytes: &[u8]) -> Self {
        Stdin::from(bytes.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for Stdin {
    fn from(bytes: &[u8; N]) -> Self {
        Stdin::from(bytes.to_vec())
    }
}

impl From<&str> for Stdin {
    fn from(text: &str) -> Self {
        Stdin::from(text.as_bytes())
    }
}

impl From<String> for Stdin {
    fn from(text: String) -> Self {
        Stdin::from(text.into_bytes())
    }
}

/// The thread that writes the input.
#[derive(Debug)]
pub(crate) struct InputPump {
    thread: Option<JoinHandle<()>>,
    prompt: bool,
    /// Why the command did not get all of it.
    failure: Arc<Mutex<Option<Error>>>,
}

impl InputPump {
    pub(crate) fn start(stdin: Stdin, connection: &Connection) -> Result<Self> {
        let socket = connection.share();
        let Stdin { source, prompt } = stdin;
        let failure = Arc::new(Mutex::new(None));
        let thread = host::spawn("pocketdock-stdin", {
            let failure = Arc::clone(&failure);
            move || Writer { socket, failure }.pump(source)
        })?;
        Ok(InputPump {
            thread: Some(thread),
            prompt,
            failure,
        })
    }

    /// Takes the error by which the source has ended, if one has.
    pub(crate) fn failure(&self) -> Option<Error> {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }
}

impl Drop for InputPump {
    fn drop(&mut self) {
        let thread = self.thread.take();
        if let Some(thread) = thread.filter(|thread| self.prompt || thread.is_finished()) {
            // A panic in the caller's reader has been reported by its hook.
            let _panic = thread.join();
        }
    }
}

/// What the thread writes to. It is closed for writing whatever happens, for a command may wait for
/// the end of its input.
struct Writer {
    socket: Arc<UnixStream>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl Writer {
    /// Copies until the source or the command ends.
    fn pump(&self, mut source: Box<dyn Read + Send>) {
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            let piece = match source.read(&mut buffer) {
                Ok(n) => buffer.get(..n).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return self.fail(Error::io("read the command's input", error)),
            };
            if piece.is_empty() {
                return;
            }
            if let Err(error) = (&*self.socket).write_all(piece) {
                return match error.kind() {
                    // The command has ended, or is watched no more.
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {}
                    _ => self.fail(Error::io("write the command's input", error)),
                };
            }
        }
    }

    fn fail(&self, error: Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Before the command can see the end of its input.
        if thread::panicking() {
            let panicked = io::Error::other("its reader panicked");
            self.fail(Error::io("read the command's input", panicked));
        }
        let _closed_already = self.socket.shutdown(Shutdown::Write);
    }
}
