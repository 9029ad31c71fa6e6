//! The chunked transfer coding, both ways.
//!
//! ```text
//! chunk    size in hex [;extension] CR LF  data  CR LF     any number of times
//! end      0 [;extension] CR LF  trailer*  CR LF
//! ```
//!
//! Source: RFC 9112 section 7.1. Extensions and trailers are skipped; neither engine sends any.
//!
//! Limits: a chunk line takes at most [`LINE_LEN_MAX`] bytes, all trailers together at most
//! [`TRAILERS_LEN_MAX`], and a peer that sends far more framing than data is cut off, by the rule
//! of Go's `net/http`: a chunk may cost 16 bytes and twice its data, and over the whole body the
//! excess above that may reach [`EXCESS_LEN_MAX`].
//!
//! Lines end in CR LF here and nowhere in LF alone: RFC 9112 section 2.2 allows that for heads
//! only, and a chunk whose end is read in two ways is how bodies get smuggled.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use super::digits;

/// The most bytes a line with a chunk size may take, extension and line end included.
///
/// ```
/// use pocketdock_core::wire::chunked::{Dechunker, Error, LINE_LEN_MAX};
///
/// let line = format!("5;{}", "x".repeat(LINE_LEN_MAX));
/// assert_eq!(Dechunker::new().next(&mut line.as_bytes()), Err(Error::LineTooLong));
/// ```
pub const LINE_LEN_MAX: usize = 4 * 1024;

/// The most bytes the trailers may take together, line ends included.
///
/// ```
/// use pocketdock_core::wire::chunked::{Dechunker, Error, TRAILERS_LEN_MAX};
///
/// let body = format!("0\r\n{}", "X: y\r\n".repeat(TRAILERS_LEN_MAX / 6 + 1));
/// assert_eq!(Dechunker::new().next(&mut body.as_bytes()), Err(Error::TrailersTooLong));
/// ```
pub const TRAILERS_LEN_MAX: usize = 16 * 1024;

/// How much framing a peer may send beyond what its data justifies.
///
/// ```
/// use pocketdock_core::wire::chunked::{Dechunker, EXCESS_LEN_MAX, Error};
///
/// let chunk = format!("1;{}\r\nx\r\n", "y".repeat(1024)); // A kilobyte to say one byte.
/// let body = chunk.repeat(EXCESS_LEN_MAX as usize / 1000 + 1);
/// let (mut dechunker, mut input) = (Dechunker::new(), body.as_bytes());
/// let refused = loop {
///     match dechunker.next(&mut input) {
///         Ok(piece) => assert!(piece.is_some()),
///         Err(error) => break error,
///     }
/// };
/// assert_eq!(refused, Error::TooMuchFraming);
/// ```
pub const EXCESS_LEN_MAX: u64 = 16 * 1024;

/// What ends a chunked body: a chunk of size zero and no trailers.
///
/// ```
/// use pocketdock_core::wire::chunked::{Dechunker, LAST_CHUNK};
///
/// let (mut dechunker, mut input) = (Dechunker::new(), LAST_CHUNK);
/// assert_eq!(dechunker.next(&mut input), Ok(None));
/// assert!(dechunker.is_done());
/// ```
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What is wrong with a chunked body.
///
/// ```
/// use pocketdock_core::wire::chunked::{Dechunker, Error};
///
/// assert_eq!(Dechunker::new().next(&mut &b"+5\r\n"[..]), Err(Error::Size));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A chunk does not start with a size of 1 to 16 hexadecimal digits.
    Size,
    /// A line or a chunk does not end in CR LF.
    LineEnd,
    /// A chunk line is longer than [`LINE_LEN_MAX`].
    LineTooLong,
    /// The trailers are longer than [`TRAILERS_LEN_MAX`].
    TrailersTooLong,
    /// The framing outweighs the data by more than [`EXCESS_LEN_MAX`].
    TooMuchFraming,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "a chunk without a proper size",
            Self::LineEnd => "a chunk that does not end in CR LF",
            Self::LineTooLong => "a chunk line of more than 4 KiB",
            Self::TrailersTooLong => "trailers of more than 16 KiB",
            Self::TooMuchFraming => "chunks with far more framing than data",
        })
    }
}

impl std::error::Error for Error {}

/// Takes a chunked body apart, whatever pieces it arrives in.
///
/// ```
/// use pocketdock_core::wire::chunked::Dechunker;
///
/// let mut dechunker = Dechunker::new();
/// let mut input = &b"5;x=y\r\nhello\r\n0\r\n\r\nrest"[..];
/// assert_eq!(dechunker.next(&mut input)?, Some(&b"hello"[..]));
/// assert_eq!(dechunker.next(&mut input)?, None);
/// assert!(dechunker.is_done());
/// assert_eq!(input, b"rest");
/// # Ok::<(), pocketdock_core::wire::chunked::Error>(())
/// ```
#[derive(Debug)]
pub struct Dechunker {
    state: State,
    /// The start of a line that was cut between two reads.
    line: Vec<u8>,
    /// Framing so far beyond what the data justifies.
    excess_len: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the line with the size of a chunk.
    Size,
    /// In the data of a chunk, with this many bytes to come.
    Data(u64),
    /// At the CR that ends a chunk.
    DataCr,
    /// At the LF that ends a chunk.
    DataLf,
    /// After the last chunk, with this much room for trailers.
    Trailers(usize),
    /// After the empty line that ends the body.
    Done,
}

impl Default for Dechunker {
    fn default() -> Self {
        Self::new()
    }
}

impl Dechunker {
    /// Starts before the first chunk.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: State::Size,
            line: Vec::new(),
            excess_len: 0,
        }
    }

    /// Takes the next piece of data off the front of `input`.
    ///
    /// A piece is never empty and may be part of a chunk. `None` means that the body is at its end
    /// ([`is_done`](Self::is_done)) or that `input` is used up and more is needed. Bytes after the
    /// body stay in `input`.
    ///
    /// # Errors
    ///
    /// [`Error`] if the body breaks the coding or a limit. There is no way back into step: drop
    /// the decoder and the connection.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Error> {
        while !input.is_empty() {
            match self.state {
                State::Size => self.read_size(input)?,
                State::Data(left) => return Ok(Some(self.take_data(input, left))),
                State::DataCr => self.expect(b'\r', State::DataLf, input)?,
                State::DataLf => self.expect(b'\n', State::Size, input)?,
                State::Trailers(room) => self.skip_trailer(input, room)?,
                State::Done => break,
            }
        }
        Ok(None)
    }

    /// Whether the whole body has been taken. A connection that ends before is cut short.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn read_size(&mut self, input: &mut &[u8]) -> Result<(), Error> {
        let Some(line) = self.take_line(input, LINE_LEN_MAX, Error::LineTooLong)? else {
            return Ok(());
        };
        let size = parse_size(line.strip_suffix(b"\r\n").ok_or(Error::LineEnd)?)?;
        let justified_len = size.saturating_mul(2).saturating_add(16);
        let framing_len = self.excess_len.saturating_add(line.len() as u64);
        self.excess_len = framing_len.saturating_sub(justified_len);
        if EXCESS_LEN_MAX < self.excess_len {
            return Err(Error::TooMuchFraming);
        }
        self.state = match size {
            0 => State::Trailers(TRAILERS_LEN_MAX),
            size => State::Data(size),
        };
        Ok(())
    }

    fn take_data<'a>(&mut self, input: &mut &'a [u8], left: u64) -> &'a [u8] {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (piece, rest) = input.split_at(len);
        *input = rest;
        self.state = match left.saturating_sub(len as u64) {
            0 => State::DataCr,
            left => State::Data(left),
        };
        piece
    }

    fn expect(&mut self, byte: u8, then: State, input: &mut &[u8]) -> Result<(), Error> {
        *input = input.strip_prefix(&[byte]).ok_or(Error::LineEnd)?;
        self.state = then;
        Ok(())
    }

    fn skip_trailer(&mut self, input: &mut &[u8], room: usize) -> Result<(), Error> {
        let Some(line) = self.take_line(input, room, Error::TrailersTooLong)? else {
            return Ok(());
        };
        let trailer = line.strip_suffix(b"\r\n").ok_or(Error::LineEnd)?;
        self.state = match trailer {
            [] => State::Done,
            _ => State::Trailers(room.saturating_sub(line.len())),
        };
        Ok(())
    }

    /// Takes a line with its end off the front of `input`, or keeps what there is of it.
    ///
    /// `None` means that more is needed; `too_long` is the error if it would exceed `len_max`.
    fn take_line<'a>(
        &mut self,
        input: &mut &'a [u8],
        len_max: usize,
        too_long: Error,
    ) -> Result<Option<Cow<'a, [u8]>>, Error> {
        let room = len_max.saturating_sub(self.line.len());
        let line_end = input.iter().take(room).position(|&byte| byte == b'\n');
        let len = line_end.map_or(input.len(), |idx| idx.saturating_add(1));
        if room < len {
            return Err(too_long);
        }
        let (taken, rest) = input.split_at(len);
        *input = rest;
        if self.line.is_empty() && line_end.is_some() {
            return Ok(Some(Cow::Borrowed(taken)));
        }
        self.line.extend_from_slice(taken);
        Ok(line_end.map(|_| Cow::Owned(std::mem::take(&mut self.line))))
    }
}

/// Sends what is written to it as chunks, one write per chunk.
///
/// ```
/// use pocketdock_core::wire::chunked::Chunker;
/// use std::io::Write;
///
/// let mut chunker = Chunker::new(Vec::new());
/// chunker.write_all(b"hel")?;
/// chunker.write_all(b"lo")?;
/// assert_eq!(chunker.finish()?, b"00000005\r\nhello\r\n0\r\n\r\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Only [`finish`](Chunker::finish) ends the body. A chunker that is dropped leaves it cut short,
/// so that the engine does not take half of an upload for all of it.
#[derive(Debug)]
pub struct Chunker<W: Write> {
    out: W,
    /// Room for the size line, then the data of the chunk under construction.
    chunk: Vec<u8>,
}

/// Bytes in the size line of a written chunk: eight digits and the line end.
const SIZE_LINE_LEN: usize = 10;

/// The most data a written chunk carries.
const CHUNK_LEN_MAX: usize = 64 * 1024;

impl<W: Write> Chunker<W> {
    /// Starts a body on `out`.
    #[must_use]
    pub fn new(out: W) -> Self {
        Self {
            out,
            chunk: Vec::new(),
        }
    }

    /// Sends what is still held back and the last chunk, and gives `out` back.
    ///
    /// # Errors
    ///
    /// Those of writing to `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.send_chunk()?;
        self.out.write_all(LAST_CHUNK)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn data_len(&self) -> usize {
        self.chunk.len().saturating_sub(SIZE_LINE_LEN)
    }

    fn send_chunk(&mut self) -> io::Result<()> {
        let len = self.data_len();
        if len == 0 {
            return Ok(());
        }
        if let Some(mut size_line) = self.chunk.get_mut(..SIZE_LINE_LEN) {
            write!(size_line, "{len:08x}\r\n")?;
        }
        self.chunk.extend_from_slice(b"\r\n");
        let sent = self.out.write_all(&self.chunk);
        self.chunk.clear();
        sent
    }
}

impl<W: Write> Write for Chunker<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.data_len() == CHUNK_LEN_MAX {
            self.send_chunk()?;
        }
        if self.chunk.is_empty() {
            self.chunk.reserve(SIZE_LINE_LEN + CHUNK_LEN_MAX + 2);
            self.chunk.resize(SIZE_LINE_LEN, b'0');
        }
        let room = CHUNK_LEN_MAX.saturating_sub(self.data_len());
        let (taken, _) = data.split_at(data.len().min(room));
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_chunk()?;
        self.out.flush()
    }
}

/// The size at the start of a chunk line; what follows it is an extension or nothing.
fn parse_size(line: &[u8]) -> Result<u64, Error> {
    let size = line.split(|&byte| byte == b';').next().unwrap_or_default();
    // RFC 9112 section 7.1.1 tolerates blanks before the semicolon.
    let blanks = size
        .iter()
        .rev()
        .take_while(|&&byte| byte == b' ' || byte == b'\t')
        .count();
    let digits = size
        .get(..size.len().saturating_sub(blanks))
        .unwrap_or_default();
    digits::hex(digits).ok_or(Error::Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] =
        b"5\r\nhello\r\n00A ; a=\"b\";c\r\n, chunked \r\n1\r\n!\r\n0;z\r\nX-Sum: 1\r\nY:\r\n\r\n";
    const TEXT: &[u8] = b"hello, chunked !";

    /// What came out, whether the body was done, and what was left over.
    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, Vec<u8>), Error> {
        let mut dechunker = Dechunker::new();
        let (mut data, mut left) = (Vec::new(), Vec::new());
        for mut input in pieces.iter().copied() {
            while let Some(piece) = dechunker.next(&mut input)? {
                assert!(!piece.is_empty());
                data.extend_from_slice(piece);
            }
            assert!(
                dechunker.is_done() || input.is_empty(),
                "all input is used up"
            );
            left.extend_from_slice(input);
        }
        Ok((data, dechunker.is_done(), left))
    }

    #[test]
    fn any_two_cuts_give_the_same_data() {
        let input = [BODY, b"rest"].concat();
        let want = Ok((TEXT.to_vec(), true, b"rest".to_vec()));
        for i in 0..=input.len() {
            for j in i..=input.len() {
                let pieces = [&input[..i], &input[i..j], &input[j..]];
                assert_eq!(decode(&pieces), want, "cut at {i} and {j}");
            }
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(decode(&bytes), want, "byte by byte");
    }

    #[test]
    fn every_strict_prefix_is_cut_short() {
        for len in 0..BODY.len() {
            let (data, done, _) = decode(&[&BODY[..len]]).unwrap();
            assert!(!done, "prefix of {len}");
            assert!(TEXT.starts_with(&data), "prefix of {len}");
        }
    }

    #[test]
    fn bodies() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Result<&str, Error>); 22] = [
            ("empty",              b"0\r\n\r\n",                        Ok("")),
            ("many zeros",         b"0000000000000000\r\n\r\n",         Ok("")),
            ("sixteen digits",     b"0000000000000001\r\na\r\n0\r\n\r\n", Ok("a")),
            ("either case",        b"a\r\n0123456789\r\n0\r\n\r\n",   Ok("0123456789")),
            ("extension",          b"1;a=b;c\r\nx\r\n0\r\n\r\n",      Ok("x")),
            ("blanks, extension",  b"1 \t;a\r\nx\r\n0\r\n\r\n",      Ok("x")),
            ("trailing blank",     b"1 \r\nx\r\n0\r\n\r\n",           Ok("x")),
            ("data like framing",  b"5\r\n0\r\n\r\n\r\n0\r\n\r\n",  Ok("0\r\n\r\n")),
            ("trailers",           b"0\r\nA: b\r\nC: d\r\n\r\n",      Ok("")),
            ("seventeen digits",   b"00000000000000001\r\na\r\n",       Err(Error::Size)),
            ("plus",               b"+5\r\nhello\r\n",                  Err(Error::Size)),
            ("minus",              b"-5\r\nhello\r\n",                  Err(Error::Size)),
            ("prefix",             b"0x5\r\nhello\r\n",                 Err(Error::Size)),
            ("blank first",        b" 5\r\nhello\r\n",                  Err(Error::Size)),
            ("no size",            b"\r\nhello\r\n",                    Err(Error::Size)),
            ("only extension",     b";a\r\nhello\r\n",                  Err(Error::Size)),
            ("two sizes",          b"1 1\r\nhello\r\n",                 Err(Error::Size)),
            ("bare LF after size", b"1\nx\r\n",                         Err(Error::LineEnd)),
            ("bare LF after data", b"1\r\nx\n",                         Err(Error::LineEnd)),
            ("data too long",      b"1\r\nxy\r\n",                      Err(Error::LineEnd)),
            ("CR without LF",      b"1\r\nx\rx",                        Err(Error::LineEnd)),
            ("bare LF at end",     b"0\r\n\n",                          Err(Error::LineEnd)),
        ];
        for (name, input, want) in cases {
            let want = want.map(|data| (data.as_bytes().to_vec(), true, Vec::new()));
            assert_eq!(decode(&[input]), want, "{name}");
        }
    }

    #[test]
    fn the_largest_size_is_kept_exactly() {
        let mut dechunker = Dechunker::new();
        let mut input = &b"ffffffffffffffff\r\nab"[..];
        assert_eq!(dechunker.next(&mut input), Ok(Some(&b"ab"[..])));
        assert_eq!(dechunker.state, State::Data(u64::MAX - 2));
    }

    #[test]
    fn a_chunk_line_may_be_as_long_as_the_limit_and_no_longer() {
        let body = |len: usize| {
            let line = format!("1;{}\r\n", "x".repeat(len - 4));
            [line.as_bytes(), b"a\r\n0\r\n\r\n"].concat()
        };
        assert!(decode(&[&body(LINE_LEN_MAX)]).is_ok());
        assert_eq!(decode(&[&body(LINE_LEN_MAX + 1)]), Err(Error::LineTooLong));
        let endless = vec![b'0'; LINE_LEN_MAX + 1];
        let bytes: Vec<&[u8]> = endless.chunks(1).collect();
        assert_eq!(decode(&bytes), Err(Error::LineTooLong), "byte by byte");
        assert!(decode(&bytes[..LINE_LEN_MAX]).is_ok());
    }

    #[test]
    fn trailers_may_be_as_long_as_the_limit_and_no_longer() {
        let body = |len: usize| {
            let last = format!("Z: {}\r\n\r\n", "x".repeat(len - 13));
            [b"0\r\nA: b\r\n", last.as_bytes()].concat()
        };
        assert!(decode(&[&body(TRAILERS_LEN_MAX)]).unwrap().1);
        assert_eq!(
            decode(&[&body(TRAILERS_LEN_MAX + 1)]),
            Err(Error::TrailersTooLong)
        );
        let many = [&b"0\r\n"[..], &b"a:\r\n".repeat(TRAILERS_LEN_MAX / 4 + 1)].concat();
        assert_eq!(decode(&[&many]), Err(Error::TrailersTooLong));
    }

    #[test]
    fn framing_that_outweighs_its_data_is_cut_off() {
        let padded = format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(17);
        assert_eq!(decode(&[padded.as_bytes()]), Err(Error::TooMuchFraming));
        let single_bytes = b"1\r\na\r\n".repeat(100_000);
        assert_eq!(decode(&[&single_bytes]).unwrap().0.len(), 100_000);
    }

    #[test]
    fn the_excess_may_reach_the_limit_and_no_further() {
        // A chunk of one byte justifies 18 bytes of framing, so a line of 18 + n is n in excess.
        let line = |excess: usize| format!("1;{}\r\na\r\n", "x".repeat(14 + excess));
        let at_limit = line(1024).repeat(16);
        assert!(decode(&[at_limit.as_bytes()]).is_ok());
        let over = at_limit + &line(1);
        assert_eq!(decode(&[over.as_bytes()]), Err(Error::TooMuchFraming));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for (step, len) in [(1, 300), (7, 1000), (40_000, 200_000), (300_000, 300_000)] {
            let data: Vec<u8> = (0..=250).cycle().take(len).collect();
            let mut chunker = Chunker::new(Vec::new());
            for piece in data.chunks(step) {
                chunker.write_all(piece).unwrap();
                chunker.write_all(b"").unwrap();
                if step == 7 {
                    chunker.flush().unwrap();
                }
            }
            let body = chunker.finish().unwrap();
            assert_eq!(
                decode(&[&body]),
                Ok((data, true, Vec::new())),
                "step {step}"
            );
        }
    }

    #[test]
    fn a_flush_sends_no_empty_chunk() {
        let mut chunker = Chunker::new(Vec::new());
        chunker.flush().unwrap();
        chunker.write_all(b"").unwrap();
        chunker.flush().unwrap();
        assert_eq!(chunker.finish().unwrap(), LAST_CHUNK);
    }
}
