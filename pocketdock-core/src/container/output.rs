//! The output of a command: two streams, told apart and cut between characters.

use std::borrow::Cow;

use crate::engine::client::Streaming;
use crate::error::{Error, Result};
use crate::wire::frame::{Demuxer, Stream};
use crate::wire::utf8::Splitter;

/// Which of the two output streams.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::StreamKind;
///
/// for chunk in engine.open("box")?.exec("make").stream()? {
///     let chunk = chunk?;
///     match chunk.stream {
///         StreamKind::Stdout => print!("{}", String::from_utf8_lossy(&chunk.data)),
///         StreamKind::Stderr => eprint!("{}", String::from_utf8_lossy(&chunk.data)),
///     }
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes the next piece of output off the front of `input`, which `streaming` has brought.
///
/// # Errors
///
/// [`Error::Engine`] for what the engine itself reports in the stream; [`Error::Protocol`].
pub(crate) fn next_piece<'a>(
    demuxer: &mut Demuxer,
    input: &mut &'a [u8],
    streaming: &Streaming,
) -> Result<Option<(StreamKind, &'a [u8])>> {
    match demuxer.next(input) {
        Ok(Some((Stream::Stdout, piece))) => Ok(Some((StreamKind::Stdout, piece))),
        Ok(Some((Stream::Stderr, piece))) => Ok(Some((StreamKind::Stderr, piece))),
        Ok(Some((Stream::System, piece))) => Err(Error::Engine {
            endpoint: streaming.endpoint.clone(),
            status: streaming.head.status,
            message: String::from_utf8_lossy(piece).trim().to_owned(),
        }),
        Ok(None) => Ok(None),
        Err(error) => Err(Error::Protocol {
            endpoint: streaming.endpoint.clone(),
            message: error.to_string(),
        }),
    }
}

/// Cuts each of the two streams between UTF-8 characters.
#[derive(Debug, Default)]
pub(crate) struct Splitters {
    stdout: Splitter,
    stderr: Splitter,
}

impl Splitters {
    /// Takes the next bytes of a stream and gives out all that is complete by now.
    pub(crate) fn push<'a>(&mut self, stream: StreamKind, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match stream {
            StreamKind::Stdout => self.stdout.push(bytes),
            StreamKind::Stderr => self.stderr.push(bytes),
        }
    }

    /// Gives out what is held back, at the end of both.
    pub(crate) fn finish(&mut self) -> [(StreamKind, Vec<u8>); 2] {
        [
            (StreamKind::Stdout, self.stdout.finish()),
            (StreamKind::Stderr, self.stderr.finish()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StreamKind::{Stderr, Stdout};

    #[test]
    fn a_character_waits_for_its_rest_in_its_own_stream() {
        let mut text = Splitters::default();
        assert_eq!(text.push(Stdout, b"a\xc3")[..], *b"a");
        assert_eq!(text.push(Stderr, b"b\xe2\x82")[..], *b"b");
        assert_eq!(text.push(Stdout, b"\xa9")[..], *"é".as_bytes());
        let rest = [(Stdout, Vec::new()), (Stderr, b"\xe2\x82".to_vec())];
        assert_eq!(text.finish(), rest);
    }
}
