//! One request and its reply over any byte stream.
//!
//! [`send`] writes a request, [`receive`] reads the head of its reply, and the [`Body`] that comes
//! with it decodes what follows as the head says: a length, chunks, or everything until the
//! connection ends. A hijacked connection (exec start) is such a reply, too: its body is the raw
//! stream.
//!
//! Failures are [`io::Error`]s, told apart by kind: `WouldBlock` and `TimedOut` for the clock,
//! `UnexpectedEof` for a reply that was cut short, `InvalidData` for bytes that are not HTTP, and
//! anything else for the transport.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::ops::Range;

use crate::wire::chunked::{Chunker, Dechunker};
use crate::wire::http::{self, Framing, HeadReader, Method, ResponseHead};

/// How much is read from a connection, or copied to it, at a time.
const BUFFER_LEN: usize = 64 * 1024;

/// The part of a request after its head.
pub enum RequestBody<'a> {
    /// Nothing.
    None,
    /// These bytes.
    Bytes(&'a [u8]),
    /// What the reader gives, of this length if it is known, in chunks if not.
    Reader(&'a mut dyn Read, Option<u64>),
    /// What the function writes, in chunks.
    Writer(&'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>),
}

impl std::fmt::Debug for RequestBody<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RequestBody::None => "None",
            RequestBody::Bytes(_) => "Bytes",
            RequestBody::Reader(..) => "Reader",
            RequestBody::Writer(_) => "Writer",
        })
    }
}

impl RequestBody<'_> {
    /// How the head announces this body.
    #[must_use]
    pub fn len(&self) -> http::BodyLen {
        match self {
            RequestBody::None => http::BodyLen::None,
            RequestBody::Bytes(bytes) => http::BodyLen::Length(bytes.len() as u64),
            RequestBody::Reader(_, Some(len)) => http::BodyLen::Length(*len),
            RequestBody::Reader(_, None) | RequestBody::Writer(_) => http::BodyLen::Chunked,
        }
    }
}

/// Why a request could not be written in full.
///
/// ```
/// use pocketdock_core::engine::exchange::{RequestBody, SendError, send};
/// use pocketdock_core::wire::http::{Method, Request};
///
/// let mut short = &b"abc"[..]; // Five bytes are announced.
/// let body = RequestBody::Reader(&mut short, Some(5));
/// let head = Request::new(Method::Put, "/x").body(body.len());
/// let sent = send(&mut Vec::new(), &head, body);
/// assert!(matches!(sent, Err(SendError::Source(_))));
/// ```
#[derive(Debug)]
pub enum SendError {
    /// The connection failed; the engine may have answered before it hung up.
    Connection(io::Error),
    /// The body's own source failed.
    Source(io::Error),
}

/// Writes a request head and its body.
///
/// ```
/// use pocketdock_core::engine::exchange::{RequestBody, send};
/// use pocketdock_core::wire::http::{Method, Request};
///
/// let mut connection = Vec::new();
/// let body = RequestBody::Bytes(b"abc");
/// let head = Request::new(Method::Put, "/x").body(body.len());
/// send(&mut connection, &head, body).expect("a vector takes everything");
/// assert!(connection.ends_with(b"\r\n\r\nabc"));
/// ```
///
/// # Errors
///
/// [`SendError`] tells whether the connection or the body's source failed.
pub fn send(
    connection: &mut impl Write,
    head: &http::Request,
    body: RequestBody<'_>,
) -> Result<(), SendError> {
    let mut bytes = Vec::with_capacity(512);
    head.write_to(&mut bytes);
    if let RequestBody::Bytes(body) = body {
        // A small body shares the head's segment, so the engine wakes once.
        bytes.extend_from_slice(body);
    }
    connection
        .write_all(&bytes)
        .map_err(SendError::Connection)?;
    match body {
        RequestBody::None | RequestBody::Bytes(_) => {}
        RequestBody::Reader(source, Some(len)) => copy_exactly(source, connection, len)?,
        RequestBody::Reader(source, None) => {
            write_chunks(connection, &mut |sink| io::copy(source, sink).map(drop))?;
        }
        RequestBody::Writer(produce) => write_chunks(connection, produce)?,
    }
    connection.flush().map_err(SendError::Connection)
}

fn copy_exactly(
    source: &mut dyn Read,
    connection: &mut impl Write,
    len: u64,
) -> Result<(), SendError> {
    let mut buffer = vec![0; BUFFER_LEN];
    let mut left = len;
    while 0 < left {
        let most = usize::try_from(left).unwrap_or(BUFFER_LEN).min(BUFFER_LEN);
        let room = buffer.get_mut(..most).unwrap_or_default();
        let n = match source.read(room) {
            Ok(0) => return Err(SendError::Source(io::ErrorKind::UnexpectedEof.into())),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(SendError::Source(error)),
        };
        let piece = room.get(..n).unwrap_or_default();
        connection.write_all(piece).map_err(SendError::Connection)?;
        left -= n as u64;
    }
    Ok(())
}

fn write_chunks(
    connection: &mut impl Write,
    produce: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), SendError> {
    let connection_failed = Cell::new(false);
    let mut chunks = Chunker::new(Watched {
        connection,
        failed: &connection_failed,
    });
    let produced = produce(&mut chunks).and_then(|()| chunks.finish().map(drop));
    produced.map_err(|error| {
        if connection_failed.get() {
            SendError::Connection(error)
        } else {
            SendError::Source(error)
        }
    })
}

/// Notes whether the last write failed, which tells the connection's failures from the source's.
struct Watched<'a, W> {
    connection: &'a mut W,
    failed: &'a Cell<bool>,
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.connection.write(bytes);
        self.failed.set(written.is_err());
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.connection.flush();
        self.failed.set(flushed.is_err());
        flushed
    }
}

/// Reads the head of the reply to a request of this method.
///
/// ```
/// use pocketdock_core::engine::exchange::receive;
/// use pocketdock_core::wire::http::Method;
///
/// let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
/// let (head, mut body) = receive(&bytes[..], Method::Get)?;
/// assert_eq!(head.status, 200);
/// assert_eq!(body.read_all(1024)?, b"OK");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// As the module says; a connection that ends before the head does is `UnexpectedEof`.
pub fn receive<S: Read>(mut connection: S, method: Method) -> io::Result<(ResponseHead, Body<S>)> {
    let mut reader = HeadReader::default();
    let mut room = [0; 4096];
    loop {
        let mut input = match connection.read(&mut room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => room.get(..n).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some(head) = reader.next(&mut input).map_err(invalid)? {
            let state = State::from(head.framing(method));
            return Ok((
                head,
                Body {
                    connection,
                    buffered: input.to_vec(),
                    waiting: 0..input.len(),
                    state,
                },
            ));
        }
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The body of a reply, decoded as it is read.
///
/// `Ok(0)` is the body's true end; a body that stops short of it is `UnexpectedEof`. A read that
/// fails because of the clock loses nothing and can be tried again.
///
/// ```
/// use std::io::Read;
/// use pocketdock_core::engine::exchange::{Body, receive};
/// use pocketdock_core::wire::http::Method;
///
/// let reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n";
/// let (_, mut body): (_, Body<&[u8]>) = receive(&reply[..], Method::Get)?;
/// let mut text = String::new();
/// body.read_to_string(&mut text)?;
/// assert_eq!(text, "OK");
/// assert!(body.connection().is_empty()); // Everything has been taken off it.
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Body<S> {
    connection: S,
    /// Room for bytes that came along with the head or a chunk. It keeps its length once it has
    /// grown, so that nothing is cleared for each read.
    buffered: Vec<u8>,
    /// Those in `buffered` that are not decoded yet.
    waiting: Range<usize>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So many bytes to come.
    Length(u64),
    Chunked(Box<Dechunker>),
    UntilClose,
}

impl From<Framing> for State {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::None => State::Length(0),
            Framing::Length(len) => State::Length(len),
            Framing::Chunked => State::Chunked(Box::default()),
            Framing::UntilClose => State::UntilClose,
        }
    }
}

impl<S> Body<S> {
    /// The connection underneath.
    pub fn connection(&self) -> &S {
        &self.connection
    }

    /// The connection underneath, to set its clock.
    pub fn connection_mut(&mut self) -> &mut S {
        &mut self.connection
    }

    /// Takes off the front of what is buffered.
    fn take_buffered(&mut self, out: &mut [u8]) -> usize {
        let waiting = self.buffered.get(self.waiting.clone());
        let n = copy_front(waiting.unwrap_or_default(), out);
        self.waiting.start += n;
        if self.waiting.is_empty() {
            self.buffered = Vec::new();
            self.waiting = 0..0;
        }
        n
    }
}

fn copy_front(from: &[u8], to: &mut [u8]) -> usize {
    let n = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..n), to.get_mut(..n)) {
        to.copy_from_slice(from);
    }
    n
}

impl<S: Read> Body<S> {
    /// Undecoded bytes: those at hand, else straight from the connection.
    fn read_raw(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.take_buffered(out) {
            0 => self.connection.read(out),
            n => Ok(n),
        }
    }

    fn read_chunked(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let State::Chunked(dechunker) = &mut self.state else {
                return Ok(0);
            };
            let waiting = self.buffered.get(self.waiting.clone()).unwrap_or_default();
            // A piece is never longer than what it was decoded from.
            let mut input = waiting.get(..out.len()).unwrap_or(waiting);
            let before = input.len();
            let piece = dechunker.next(&mut input).map_err(invalid)?;
            self.waiting.start += before - input.len();
            if let Some(piece) = piece {
                return Ok(copy_front(piece, out));
            }
            if dechunker.is_done() {
                return Ok(0);
            }
            if self.waiting.is_empty() {
                self.refill()?;
            }
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.buffered.resize(BUFFER_LEN, 0);
        match self.connection.read(&mut self.buffered)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                self.waiting = 0..n;
                Ok(())
            }
        }
    }

    /// How much room the body will probably need; a peer may announce what it never sends.
    fn len_hint(&self, limit: usize) -> usize {
        match self.state {
            State::Length(len) => usize::try_from(len).unwrap_or(limit),
            State::Chunked(_) | State::UntilClose => self.waiting.len(),
        }
        .min(limit)
        .min(BUFFER_LEN)
    }

    /// The whole body, if it has no more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// As the module says; a longer body is `InvalidData`.
    pub fn read_all(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut whole = Vec::with_capacity(self.len_hint(limit));
        self.take(limit as u64 + 1).read_to_end(&mut whole)?;
        if limit < whole.len() {
            return Err(invalid(format!("the body is longer than {limit} bytes")));
        }
        Ok(whole)
    }
}

impl<S: Read> Read for Body<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        match &self.state {
            State::Length(0) => Ok(0),
            State::Length(left) => {
                let left = *left;
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
                let n = self.read_raw(out.get_mut(..most).unwrap_or_default())?;
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.state = State::Length(left - n as u64);
                Ok(n)
            }
            State::Chunked(_) => self.read_chunked(out),
            State::UntilClose => self.read_raw(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: [(&str, &[u8], &str); 4] = [
        (
            "length",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "hello",
        ),
        (
            "chunked",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            "hello",
        ),
        ("until close", b"HTTP/1.1 200 OK\r\n\r\nhello", "hello"),
        (
            "hijacked",
            b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nhello",
            "hello",
        ),
    ];

    /// Gives `step` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(out.len());
            self.0.read(&mut out[..most])
        }
    }

    fn whole(bytes: &[u8], step: usize) -> io::Result<Vec<u8>> {
        receive(Slow(bytes, step), Method::Get)?.1.read_all(1000)
    }

    #[test]
    fn every_framing_at_every_step_gives_the_body() {
        for (name, bytes, body) in REPLIES {
            for step in 1..=bytes.len() {
                assert_eq!(
                    whole(bytes, step).unwrap(),
                    body.as_bytes(),
                    "{name}, step {step}"
                );
            }
        }
    }

    #[test]
    fn every_strict_prefix_is_cut_short() {
        for (name, bytes, _) in REPLIES.iter().take(2) {
            for len in 0..bytes.len() {
                let error = whole(&bytes[..len], 7).unwrap_err();
                assert_eq!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof,
                    "{name} cut at {len}"
                );
            }
        }
    }

    #[test]
    fn a_body_may_be_as_long_as_its_limit_and_no_longer() {
        let bytes = REPLIES[0].1;
        let read = |limit| receive(bytes, Method::Get).unwrap().1.read_all(limit);
        assert_eq!(read(5).unwrap(), b"hello");
        assert_eq!(read(4).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_reply_to_head_has_no_body() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        let (_, mut body) = receive(&bytes[..], Method::Head).unwrap();
        assert_eq!(body.read_all(10).unwrap(), b"");
    }

    fn sent(body: RequestBody<'_>) -> Result<String, SendError> {
        let mut out = Vec::new();
        let head = http::Request::new(Method::Post, "/x").body(body.len());
        send(&mut out, &head, body)?;
        let text = String::from_utf8(out).unwrap();
        Ok(text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    #[test]
    fn bodies_of_known_and_unknown_length() {
        assert_eq!(sent(RequestBody::None).unwrap(), "");
        assert_eq!(sent(RequestBody::Bytes(b"abc")).unwrap(), "abc");
        assert_eq!(
            sent(RequestBody::Reader(&mut &b"abcd"[..], Some(3))).unwrap(),
            "abc"
        );
        assert_eq!(
            sent(RequestBody::Reader(&mut &b"abc"[..], None)).unwrap(),
            "00000003\r\nabc\r\n0\r\n\r\n"
        );
        let mut twice = |sink: &mut dyn Write| {
            sink.write_all(b"ab")?;
            sink.write_all(b"cd")
        };
        assert_eq!(
            sent(RequestBody::Writer(&mut twice)).unwrap(),
            "00000004\r\nabcd\r\n0\r\n\r\n"
        );
    }

    #[test]
    fn a_source_that_ends_early_is_the_sources_fault() {
        let error = sent(RequestBody::Reader(&mut &b"ab"[..], Some(3))).unwrap_err();
        assert!(matches!(error, SendError::Source(_)), "{error:?}");
        let mut failing = |_: &mut dyn Write| Err(io::ErrorKind::PermissionDenied.into());
        let error = sent(RequestBody::Writer(&mut failing)).unwrap_err();
        assert!(matches!(error, SendError::Source(_)), "{error:?}");
    }
}
