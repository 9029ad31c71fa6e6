//! Splits the engine's multiplexed output stream into stdout and stderr.
//!
//! Without a TTY the engine sends both streams over one connection as frames, an 8-byte header and
//! then the payload:
//!
//! ```text
//! byte   0         1..4    4..8
//!        stream    zero    payload length, u32 big-endian
//! ```
//!
//! Source: Docker Engine API, `POST /containers/{id}/attach`, "Stream format"; stream 3 is the
//! `Systemerr` of moby's `stdcopy`.
//!
//! No I/O happens here. [`Demuxer`] is fed whatever a read returned and lends out payload slices,
//! so how the bytes were split cannot change the result and memory use does not depend on the
//! length a peer announces. The three bytes after the stream are not looked at, as in `stdcopy`.

use std::fmt;

/// Bytes in a frame header.
const HEADER_LEN: usize = 8;

/// Where a piece of output comes from.
///
/// ```
/// use pocketdock_core::wire::frame::{Demuxer, Stream};
///
/// let mut input = &b"\x02\0\0\0\0\0\0\x04oops"[..];
/// assert_eq!(Demuxer::default().next(&mut input)?, Some((Stream::Stderr, &b"oops"[..])));
/// # Ok::<(), pocketdock_core::wire::frame::UnknownStream>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; also frames marked 0, which the engine reserves for standard input.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// The engine's own error text, sent inside the stream because the status line is long gone.
    /// It is not output of the command.
    System,
}

/// A frame header names a stream that does not exist: the bytes are not this protocol, or a read
/// went out of step.
///
/// ```
/// use pocketdock_core::wire::frame::{Demuxer, UnknownStream};
///
/// let mut input = &b"\x07\0\0\0\0\0\0\x01x"[..];
/// assert_eq!(Demuxer::default().next(&mut input), Err(UnknownStream(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStream(
    /// The first byte of the header.
    pub u8,
);

impl fmt::Display for UnknownStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame of unknown stream {}", self.0)
    }
}

impl std::error::Error for UnknownStream {}

/// Takes frames apart, whatever pieces they arrive in.
///
/// ```
/// use pocketdock_core::wire::frame::{Demuxer, Stream};
///
/// let mut demuxer = Demuxer::default();
/// let mut input = &b"\x02\0\0\0\0\0\0\x03ab"[..];
/// assert_eq!(demuxer.next(&mut input)?, Some((Stream::Stderr, &b"ab"[..])));
/// assert_eq!(demuxer.next(&mut input)?, None);
/// assert!(!demuxer.at_boundary(), "one byte of the frame is missing");
/// # Ok::<(), pocketdock_core::wire::frame::UnknownStream>(())
/// ```
#[derive(Debug, Default)]
pub struct Demuxer {
    /// The start of a header that was cut between two reads.
    header: [u8; HEADER_LEN],
    /// How many bytes of `header` are there, always fewer than all.
    header_len: usize,
    /// Stream of the frame the payload belongs to.
    stream: Stream,
    /// Payload bytes still to come, 0 between frames.
    payload_left: usize,
}

impl Demuxer {
    /// Takes the next piece of payload off the front of `input`.
    ///
    /// A piece is never empty and may be part of a frame. `None` means that `input` is used up.
    ///
    /// # Errors
    ///
    /// [`UnknownStream`] if a header starts with a byte above 3. There is no way back into step:
    /// drop the decoder and the connection.
    #[inline]
    pub fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<(Stream, &'a [u8])>, UnknownStream> {
        while self.payload_left == 0 {
            let Some(header) = self.take_header(input) else {
                return Ok(None);
            };
            let [stream, _, _, _, a, b, c, d] = header;
            self.stream = stream_of(stream)?;
            self.payload_left = u32::from_be_bytes([a, b, c, d]) as usize;
        }
        let (piece, rest) = input.split_at(input.len().min(self.payload_left));
        *input = rest;
        self.payload_left = self.payload_left.saturating_sub(piece.len());
        Ok((!piece.is_empty()).then_some((self.stream, piece)))
    }

    /// Whether the stream may end here: nothing of a frame is outstanding.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        self.payload_left == 0 && self.header_len == 0
    }

    /// Takes a header off the front of `input`, or keeps what there is of it for the next call.
    #[inline]
    fn take_header(&mut self, input: &mut &[u8]) -> Option<[u8; HEADER_LEN]> {
        match input.split_first_chunk() {
            Some((header, rest)) if self.header_len == 0 => {
                *input = rest;
                Some(*header)
            }
            _ => self.gather_header(input),
        }
    }

    /// The slow way, for a header that was cut between two reads.
    #[cold]
    fn gather_header(&mut self, input: &mut &[u8]) -> Option<[u8; HEADER_LEN]> {
        while let Some(free) = self.header.get_mut(self.header_len) {
            let (byte, rest) = input.split_first()?;
            *free = *byte;
            *input = rest;
            self.header_len = self.header_len.saturating_add(1);
        }
        self.header_len = 0;
        Some(self.header)
    }
}

fn stream_of(byte: u8) -> Result<Stream, UnknownStream> {
    match byte {
        0 | 1 => Ok(Stream::Stdout),
        2 => Ok(Stream::Stderr),
        3 => Ok(Stream::System),
        _ => Err(UnknownStream(byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: &[u8] = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x04err\n\
        \x03\0\0\0\0\0\0\x02!?\0\0\0\0\0\0\0\x01x";

    /// What came out: the three streams, and whether the end was clean.
    type Demuxed = (Vec<u8>, Vec<u8>, Vec<u8>, bool);

    /// [`Demuxed`] as a table can spell it.
    type Texts<'a> = (&'a str, &'a str, &'a str, bool);

    fn demux(pieces: &[&[u8]]) -> Result<Demuxed, UnknownStream> {
        let mut demuxer = Demuxer::default();
        let (mut out, mut err, mut system) = (Vec::new(), Vec::new(), Vec::new());
        for mut input in pieces.iter().copied() {
            while let Some((stream, piece)) = demuxer.next(&mut input)? {
                assert!(!piece.is_empty());
                match stream {
                    Stream::Stdout => out.extend_from_slice(piece),
                    Stream::Stderr => err.extend_from_slice(piece),
                    Stream::System => system.extend_from_slice(piece),
                }
            }
            assert!(input.is_empty(), "all input is used up");
        }
        Ok((out, err, system, demuxer.at_boundary()))
    }

    #[test]
    fn any_two_cuts_give_the_same_streams() {
        let want = Ok((b"outx".to_vec(), b"err\n".to_vec(), b"!?".to_vec(), true));
        for i in 0..=FRAMES.len() {
            for j in i..=FRAMES.len() {
                let pieces = [&FRAMES[..i], &FRAMES[i..j], &FRAMES[j..]];
                assert_eq!(demux(&pieces), want, "cut at {i} and {j}");
            }
        }
        let bytes: Vec<&[u8]> = FRAMES.chunks(1).collect();
        assert_eq!(demux(&bytes), want, "byte by byte");
    }

    #[test]
    fn a_strict_prefix_is_clean_only_between_frames() {
        for len in 0..FRAMES.len() {
            let (_, _, _, clean) = demux(&[&FRAMES[..len]]).unwrap();
            assert_eq!(clean, [0, 11, 19, 31, 41].contains(&len), "prefix of {len}");
        }
    }

    #[test]
    fn frames() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Result<Texts<'_>, UnknownStream>); 10] = [
            ("nothing",          b"",                              Ok(("", "", "", true))),
            ("empty payload",    b"\x02\0\0\0\0\0\0\0",            Ok(("", "", "", true))),
            ("stdin is stdout",  b"\0\0\0\0\0\0\0\x01a",           Ok(("a", "", "", true))),
            ("system",           b"\x03\0\0\0\0\0\0\x01a",         Ok(("", "", "a", true))),
            ("filler ignored",   b"\x01\x07\x08\x09\0\0\0\x01a",   Ok(("a", "", "", true))),
            ("cut header",       b"\x01\0\0\0\0\0\0",              Ok(("", "", "", false))),
            ("cut payload",      b"\x01\0\0\0\xff\xff\xff\xffa",   Ok(("a", "", "", false))),
            ("unknown",          b"\x04\0\0\0\0\0\0\0",            Err(UnknownStream(4))),
            ("unknown later",    b"\x01\0\0\0\0\0\0\x01aHTTP/1.1", Err(UnknownStream(b'H'))),
            ("text, no frames",  b"OCI runtime exec failed",       Err(UnknownStream(b'O'))),
        ];
        for (name, input, want) in cases {
            let want = want
                .map(|(out, err, system, clean)| (out.into(), err.into(), system.into(), clean));
            assert_eq!(demux(&[input]), want, "{name}");
        }
    }

    #[test]
    fn an_announced_length_allocates_nothing() {
        let mut demuxer = Demuxer::default();
        assert_eq!(
            demuxer.next(&mut &b"\x01\0\0\0\xff\xff\xff\xff"[..]),
            Ok(None)
        );
        assert_eq!(demuxer.payload_left, 0xffff_ffff);
    }
}
