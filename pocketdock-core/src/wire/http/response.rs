//! Reads response heads and tells how the body ends, RFC 9112 sections 4 to 6.
//!
//! ```text
//! status line -> header* -> empty line -> 1xx: from the start, otherwise: done
//! ```
//!
//! Limit: [`HEAD_LEN_MAX`]. Bodies are left to the caller.

use std::fmt;

use super::{Method, is_token_byte, is_value_byte};
use crate::wire::digits;

/// The most bytes a response head may take, together with the interim heads skipped before it.
///
/// ```
/// use pocketdock_core::wire::http::{HEAD_LEN_MAX, parse_response};
///
/// let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(HEAD_LEN_MAX));
/// assert!(parse_response(head.as_bytes()).is_err());
/// ```
pub const HEAD_LEN_MAX: usize = 64 * 1024;

/// The head of a response: status and headers, checked.
///
/// ```
/// use pocketdock_core::wire::http::parse_response;
///
/// let (head, _) = parse_response(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\n\r\n")?.unwrap();
/// assert_eq!(head.header("api-version"), Some("1.41"));
/// # Ok::<(), pocketdock_core::wire::http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, 101 or 200 to 999.
    pub status: u16,
    headers: Vec<(String, String)>,
    length: Length,
}

/// What the headers say about the length of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Unsaid,
    Exactly(u64),
    Chunked,
}

/// How the end of a response body is found.
///
/// ```
/// use pocketdock_core::wire::http::{Framing, Method, parse_response};
///
/// let reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// let (head, _) = parse_response(reply)?.unwrap();
/// assert_eq!(head.framing(Method::Get), Framing::Chunked);
/// assert_eq!(head.framing(Method::Head), Framing::None);
/// # Ok::<(), pocketdock_core::wire::http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body is exactly this many bytes.
    Length(u64),
    /// The body comes in chunks; see [`chunked`](crate::wire::chunked).
    Chunked,
    /// Everything up to the end of the connection, as on a hijacked one.
    UntilClose,
}

impl ResponseHead {
    /// The value of the first header of this name, in any mix of upper and lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All headers as names and values, in the order they came.
    ///
    /// ```
    /// use pocketdock_core::wire::http::parse_response;
    ///
    /// let (head, _) = parse_response(b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\n\r\n")?.unwrap();
    /// assert_eq!(head.headers().collect::<Vec<_>>(), [("A", "1"), ("B", "2")]);
    /// # Ok::<(), pocketdock_core::wire::http::Error>(())
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How the body of this answer to a request by `method` ends, RFC 9112 section 6.3.
    ///
    /// After a 101 the connection speaks another protocol until it closes, which is
    /// [`Framing::UntilClose`].
    #[must_use]
    pub fn framing(&self, method: Method) -> Framing {
        match (method, self.status, self.length) {
            (_, 101, _) => Framing::UntilClose,
            (Method::Head, ..) | (_, 204 | 304, _) => Framing::None,
            (_, _, Length::Chunked) => Framing::Chunked,
            (_, _, Length::Exactly(len)) => Framing::Length(len),
            (_, _, Length::Unsaid) => Framing::UntilClose,
        }
    }
}

/// What is wrong with a response head, and where.
///
/// ```
/// use pocketdock_core::wire::http::parse_response;
///
/// let error = parse_response(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap_err();
/// assert_eq!(error.to_string(), "not an HTTP/1.x status line at byte 0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Bytes from the start of the response to the line that is wrong.
    pub offset: usize,
}

/// The ways in which a response head can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first line is not an HTTP/1.x status line.
    StatusLine,
    /// A header line has no colon, or no token before it.
    HeaderName,
    /// A header value holds a control character.
    HeaderValue,
    /// A header goes on in a second line, which RFC 9112 section 5.2 deprecates.
    FoldedHeader,
    /// A `Content-Length` is not a number, or two of them differ.
    ContentLength,
    /// The transfer coding is not `chunked`, alone and once, under HTTP/1.1.
    TransferEncoding,
    /// Both `Content-Length` and `Transfer-Encoding` are given.
    TwoLengths,
    /// The head is longer than [`HEAD_LEN_MAX`].
    TooLong,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StatusLine => "not an HTTP/1.x status line",
            Self::HeaderName => "a header line without a proper name",
            Self::HeaderValue => "a control character in a header value",
            Self::FoldedHeader => "a header folded over two lines",
            Self::ContentLength => "an unusable content-length",
            Self::TransferEncoding => "a transfer-encoding other than chunked",
            Self::TwoLengths => "both content-length and transfer-encoding",
            Self::TooLong => "a head of more than 64 KiB",
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl std::error::Error for Error {}

/// Reads a response head from the start of `input`.
///
/// Answers the head and how many bytes it took, interim (1xx) heads before it included; `None`
/// means that more bytes are needed. Each call starts over, so a caller with many small reads is
/// better served by [`HeadReader`].
///
/// # Errors
///
/// [`Error`] as soon as a complete line is wrong, the first bytes cannot begin a status line, or
/// the head exceeds [`HEAD_LEN_MAX`].
///
/// ```
/// use pocketdock_core::wire::http::{Framing, Method, parse_response};
///
/// let (head, used) = parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")?.unwrap();
/// assert_eq!((head.status, used), (200, 38));
/// assert_eq!(head.framing(Method::Get), Framing::Length(2));
/// # Ok::<(), pocketdock_core::wire::http::Error>(())
/// ```
pub fn parse_response(input: &[u8]) -> Result<Option<(ResponseHead, usize)>, Error> {
    let mut rest = input;
    let head = HeadReader::default().next(&mut rest)?;
    Ok(head.map(|head| (head, input.len().saturating_sub(rest.len()))))
}

/// Gathers a response head from pieces of any size; each byte is looked at once.
///
/// ```
/// use pocketdock_core::wire::http::HeadReader;
///
/// let mut reader = HeadReader::default();
/// assert_eq!(reader.next(&mut &b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20"[..])?, None);
/// let mut input = &b"4 No Content\r\n\r\nrest"[..];
/// assert_eq!(reader.next(&mut input)?.unwrap().status, 204);
/// assert_eq!(input, b"rest");
/// # Ok::<(), pocketdock_core::wire::http::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct HeadReader {
    /// The line that is still incomplete.
    line: Vec<u8>,
    /// The head under construction, from its status line on.
    head: Option<Draft>,
    /// Bytes taken so far, skipped interim heads included.
    taken: usize,
}

/// A head whose last line has not been seen.
#[derive(Debug)]
struct Draft {
    head: ResponseHead,
    minor_version: u8,
}

impl HeadReader {
    /// Takes the head, or as much of it as there is, off the front of `input`.
    ///
    /// `None` means that `input` is used up and more is needed. Once a head was returned the
    /// reader is ready for another response; [`HEAD_LEN_MAX`] then counts anew.
    ///
    /// # Errors
    ///
    /// As [`parse_response`]. There is no way back into step: drop the connection.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<ResponseHead>, Error> {
        while self.take_line(input)? {
            let line = std::mem::take(&mut self.line);
            let finished = self.accept(without_line_end(&line)).map_err(|kind| Error {
                kind,
                offset: self.taken.saturating_sub(line.len()),
            })?;
            if let Some(head) = finished {
                self.taken = 0;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// Whether nothing of a response has been taken yet: the only place where a peer may close
    /// without having been cut short.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Moves bytes from `input` to the current line; true once the line is complete.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let room = HEAD_LEN_MAX.saturating_sub(self.taken);
        let line_end = input.iter().take(room).position(|&byte| byte == b'\n');
        let len = line_end.map_or(input.len().min(room), |idx| idx.saturating_add(1));
        let (taken, rest) = input.split_at(len);
        *input = rest;
        self.taken = self.taken.saturating_add(len);
        self.line.extend_from_slice(taken);

        let line_start = self.taken.saturating_sub(self.line.len());
        if self.head.is_none() && !may_begin_status_line(&self.line) {
            return Err(Error {
                kind: ErrorKind::StatusLine,
                offset: line_start,
            });
        }
        if line_end.is_none() && !rest.is_empty() {
            return Err(Error {
                kind: ErrorKind::TooLong,
                offset: line_start,
            });
        }
        Ok(line_end.is_some())
    }

    /// Adds one line to the head; answers the head if the line was the last of a final one.
    fn accept(&mut self, line: &[u8]) -> Result<Option<ResponseHead>, ErrorKind> {
        let Some(draft) = &mut self.head else {
            self.head = Some(parse_status_line(line)?);
            return Ok(None);
        };
        if !line.is_empty() {
            draft.add_header(line)?;
            return Ok(None);
        }
        let finished = self.head.take().map(|draft| draft.head);
        Ok(finished.filter(|head| !is_interim(head.status)))
    }
}

impl Draft {
    fn add_header(&mut self, line: &[u8]) -> Result<(), ErrorKind> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(ErrorKind::FoldedHeader);
        }
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return Err(ErrorKind::HeaderName);
        };
        if name.is_empty() || !name.iter().copied().all(is_token_byte) {
            return Err(ErrorKind::HeaderName);
        }
        if !value.iter().copied().all(is_value_byte) {
            return Err(ErrorKind::HeaderValue);
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let value = trim_blanks(value);
        self.note_length(&name, value)?;
        self.head
            .headers
            .push((name, String::from_utf8_lossy(value).into_owned()));
        Ok(())
    }

    /// Settles the length of the body if the header speaks of it, refusing contradictions: two
    /// readers of one message must never see its end in different places.
    fn note_length(&mut self, name: &str, value: &[u8]) -> Result<(), ErrorKind> {
        let said = if name.eq_ignore_ascii_case("content-length") {
            Length::Exactly(parse_content_length(value)?)
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // An HTTP/1.0 peer does not know transfer codings, RFC 9112 section 6.1.
            if !value.eq_ignore_ascii_case(b"chunked") || self.minor_version == 0 {
                return Err(ErrorKind::TransferEncoding);
            }
            Length::Chunked
        } else {
            return Ok(());
        };
        match (self.head.length, said) {
            (Length::Unsaid, _) => self.head.length = said,
            (Length::Exactly(a), Length::Exactly(b)) if a == b => {}
            (Length::Exactly(_), Length::Exactly(_)) => return Err(ErrorKind::ContentLength),
            (Length::Chunked, Length::Chunked) => return Err(ErrorKind::TransferEncoding),
            (Length::Exactly(_) | Length::Chunked, _) => return Err(ErrorKind::TwoLengths),
        }
        Ok(())
    }
}

/// `HTTP/1.x SP 3DIGIT [SP reason]`; the reason may be missing, with or without its space.
fn parse_status_line(line: &[u8]) -> Result<Draft, ErrorKind> {
    let (minor, rest) = match line.strip_prefix(b"HTTP/1.") {
        Some([minor @ b'0'..=b'9', b' ', rest @ ..]) => (minor, rest),
        _ => return Err(ErrorKind::StatusLine),
    };
    let (code, reason) = rest.split_at_checked(3).ok_or(ErrorKind::StatusLine)?;
    let status = digits::decimal(code).and_then(|code| u16::try_from(code).ok());
    let is_reason = matches!(reason, [] | [b' ', ..]) && reason.iter().copied().all(is_value_byte);
    match status {
        Some(status @ 100..=999) if is_reason => Ok(Draft {
            head: ResponseHead {
                status,
                headers: Vec::new(),
                length: Length::Unsaid,
            },
            minor_version: minor.saturating_sub(b'0'),
        }),
        _ => Err(ErrorKind::StatusLine),
    }
}

/// One number, or the same number several times (`42, 42`), which RFC 9110 section 8.6 allows.
fn parse_content_length(value: &[u8]) -> Result<u64, ErrorKind> {
    let mut numbers = value
        .split(|&byte| byte == b',')
        .map(|part| digits::decimal(trim_blanks(part)).ok_or(ErrorKind::ContentLength));
    let first = numbers.next().unwrap_or(Err(ErrorKind::ContentLength))?;
    for number in numbers {
        if number? != first {
            return Err(ErrorKind::ContentLength);
        }
    }
    Ok(first)
}

/// Whether more heads follow: any 1xx but 101, after which the protocol changes.
fn is_interim(status: u16) -> bool {
    status < 200 && status != 101
}

/// Whether `line`, complete or not, has what every status line starts with: a peer that speaks
/// something else is found out at its first byte, not at its first line end.
fn may_begin_status_line(line: &[u8]) -> bool {
    line.iter().zip(b"HTTP/1.").all(|(a, b)| a == b)
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER_EXEC: &[u8] = b"HTTP/1.1 100 Continue\r\nX-Note: a\r\n\r\n\
        HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
        Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

    fn parse(input: &[u8]) -> Result<Option<(ResponseHead, usize)>, ErrorKind> {
        parse_response(input).map_err(|error| error.kind)
    }

    fn framing(headers: &str) -> Result<Framing, ErrorKind> {
        let input = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        let (head, used) = parse(input.as_bytes())?.expect("a whole head");
        assert_eq!(used, input.len());
        Ok(head.framing(Method::Get))
    }

    #[test]
    fn a_head_of_an_engine() {
        let (head, used) = parse(DOCKER_EXEC).unwrap().unwrap();
        assert_eq!(used, DOCKER_EXEC.len());
        assert_eq!(head.status, 101);
        assert_eq!(head.header("UPGRADE"), Some("tcp"));
        assert_eq!(
            head.header("x-note"),
            None,
            "headers of a skipped head are gone"
        );
        assert_eq!(head.headers().count(), 3);
        assert_eq!(head.framing(Method::Post), Framing::UntilClose);
    }

    #[test]
    fn any_two_cuts_give_the_same_head() {
        let mut input = DOCKER_EXEC.to_vec();
        input.extend_from_slice(b"\x01\0\0\0\0\0\0\x01\n");
        let want = parse(&input).unwrap().unwrap();
        for i in 0..=input.len() {
            for j in i..=input.len() {
                let mut reader = HeadReader::default();
                let mut body = Vec::new();
                let mut found = None;
                for mut piece in [&input[..i], &input[i..j], &input[j..]] {
                    if found.is_none() {
                        found = reader.next(&mut piece).unwrap();
                    }
                    body.extend_from_slice(piece);
                }
                assert_eq!(found.as_ref(), Some(&want.0), "cut at {i} and {j}");
                assert_eq!(body, &input[want.1..], "cut at {i} and {j}");
            }
        }
    }

    #[test]
    fn every_strict_prefix_needs_more() {
        for len in 0..DOCKER_EXEC.len() {
            assert_eq!(parse(&DOCKER_EXEC[..len]), Ok(None), "prefix of {len}");
        }
    }

    #[test]
    fn a_reader_tells_a_clean_close_from_a_cut() {
        let mut reader = HeadReader::default();
        assert!(reader.is_empty());
        reader.next(&mut &b"H"[..]).unwrap();
        assert!(!reader.is_empty());
        reader
            .next(&mut &b"TTP/1.1 200 OK\r\n\r\n"[..])
            .unwrap()
            .unwrap();
        assert!(reader.is_empty());
    }

    #[test]
    fn status_lines() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Result<u16, ErrorKind>); 20] = [
            ("usual",               b"HTTP/1.1 200 OK\r\n\r\n",          Ok(200)),
            ("old",                 b"HTTP/1.0 404 Not Found\r\n\r\n",   Ok(404)),
            ("newer minor",         b"HTTP/1.9 200 OK\r\n\r\n",          Ok(200)),
            ("no reason",           b"HTTP/1.1 204 \r\n\r\n",            Ok(204)),
            ("no reason, no space", b"HTTP/1.1 204\r\n\r\n",             Ok(204)),
            ("bare line feeds",     b"HTTP/1.1 200 OK\n\n",              Ok(200)),
            ("mixed line ends",     b"HTTP/1.1 200 OK\n\r\n",            Ok(200)),
            ("reason not UTF-8",    b"HTTP/1.1 200 \xff\r\n\r\n",        Ok(200)),
            ("switching",           b"HTTP/1.1 101 UPGRADED\r\n\r\n",    Ok(101)),
            ("unknown class",       b"HTTP/1.1 999 Odd\r\n\r\n",         Ok(999)),
            ("below 100",           b"HTTP/1.1 099 Odd\r\n\r\n",         Err(ErrorKind::StatusLine)),
            ("two digits",          b"HTTP/1.1 20 OK\r\n\r\n",           Err(ErrorKind::StatusLine)),
            ("four digits",         b"HTTP/1.1 2000 OK\r\n\r\n",         Err(ErrorKind::StatusLine)),
            ("signed",              b"HTTP/1.1 +20 OK\r\n\r\n",          Err(ErrorKind::StatusLine)),
            ("HTTP/2",              b"HTTP/2 200 OK\r\n\r\n",            Err(ErrorKind::StatusLine)),
            ("lower case",          b"http/1.1 200 OK\r\n\r\n",          Err(ErrorKind::StatusLine)),
            ("empty line first",    b"\r\nHTTP/1.1 200 OK\r\n\r\n",      Err(ErrorKind::StatusLine)),
            ("bare CR",             b"HTTP/1.1 200 O\rK\r\n\r\n",        Err(ErrorKind::StatusLine)),
            ("cut by line end",     b"HTTP/1\r\n\r\n",                   Err(ErrorKind::StatusLine)),
            ("another protocol",    b"S",                                Err(ErrorKind::StatusLine)),
        ];
        for (name, input, want) in cases {
            let got = parse(input).map(|head| head.expect(name).0.status);
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn header_lines() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Result<&str, ErrorKind>); 14] = [
            ("usual",             b"X: a b",       Ok("a b")),
            ("no blank",          b"X:a",          Ok("a")),
            ("blanks around",     b"X: \t a \t ",  Ok("a")),
            ("empty",             b"X:",           Ok("")),
            ("only blanks",       b"X:  ",         Ok("")),
            ("colon in value",    b"X: a:b",       Ok("a:b")),
            ("not UTF-8",         b"X: \xff!",     Ok("\u{fffd}!")),
            ("no colon",          b"X",            Err(ErrorKind::HeaderName)),
            ("no name",           b": a",          Err(ErrorKind::HeaderName)),
            ("blank before colon",b"X : a",        Err(ErrorKind::HeaderName)),
            ("name not ASCII",    b"\xc3\xa9: a",  Err(ErrorKind::HeaderName)),
            ("folded",            b" a",           Err(ErrorKind::FoldedHeader)),
            ("NUL",               b"X: a\0",       Err(ErrorKind::HeaderValue)),
            ("bare CR",           b"X: a\rb",      Err(ErrorKind::HeaderValue)),
        ];
        for (name, line, want) in cases {
            let input = [b"HTTP/1.1 200 OK\r\n", line, b"\r\n\r\n"].concat();
            let got = parse(&input).map(|head| head.expect(name).0);
            let got = got
                .as_ref()
                .map(|head| head.header("x").expect(name))
                .map_err(|kind| *kind);
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn framing_by_headers() {
        use ErrorKind::{ContentLength, TransferEncoding, TwoLengths};
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &str, Result<Framing, ErrorKind>); 18] = [
            ("nothing said",    "",                                                    Ok(Framing::UntilClose)),
            ("length",          "Content-Length: 42\r\n",                              Ok(Framing::Length(42))),
            ("largest",         "content-length: 18446744073709551615\r\n",            Ok(Framing::Length(u64::MAX))),
            ("said twice",      "Content-Length: 7\r\nContent-Length: 7\r\n",          Ok(Framing::Length(7))),
            ("listed twice",    "Content-Length: 7, 7\r\n",                            Ok(Framing::Length(7))),
            ("chunked",         "Transfer-Encoding: chunked\r\n",                      Ok(Framing::Chunked)),
            ("any case",        "TRANSFER-ENCODING: Chunked\r\n",                      Ok(Framing::Chunked)),
            ("too large",       "Content-Length: 18446744073709551616\r\n",            Err(ContentLength)),
            ("plus",            "Content-Length: +5\r\n",                              Err(ContentLength)),
            ("minus",           "Content-Length: -5\r\n",                              Err(ContentLength)),
            ("empty",           "Content-Length:\r\n",                                 Err(ContentLength)),
            ("two values",      "Content-Length: 7\r\nContent-Length: 8\r\n",          Err(ContentLength)),
            ("list of two",     "Content-Length: 7, 8\r\n",                            Err(ContentLength)),
            ("both",            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", Err(TwoLengths)),
            ("both, reversed",  "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", Err(TwoLengths)),
            ("gzip",            "Transfer-Encoding: gzip, chunked\r\n",                Err(TransferEncoding)),
            ("identity",        "Transfer-Encoding: identity\r\n",                     Err(TransferEncoding)),
            ("chunked twice",   "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(TransferEncoding)),
        ];
        for (name, headers, want) in cases {
            assert_eq!(framing(headers), want, "{name}");
        }
        let old = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            parse(old),
            Err(TransferEncoding),
            "HTTP/1.0 has no transfer codings"
        );
    }

    #[test]
    fn framing_by_method_and_status() {
        let answer = |status: &str| {
            let input = format!("HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\n");
            parse(input.as_bytes()).unwrap().unwrap().0
        };
        assert_eq!(answer("200").framing(Method::Get), Framing::Length(9));
        assert_eq!(answer("200").framing(Method::Head), Framing::None);
        assert_eq!(answer("204").framing(Method::Delete), Framing::None);
        assert_eq!(answer("304").framing(Method::Post), Framing::None);
        assert_eq!(answer("101").framing(Method::Post), Framing::UntilClose);
    }

    #[test]
    fn interim_heads_are_skipped() {
        let input = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
            HTTP/1.1 200 OK\r\n\r\nbody";
        let (head, used) = parse(input).unwrap().unwrap();
        assert_eq!((head.status, &input[used..]), (200, &b"body"[..]));
        assert_eq!(head.headers().count(), 0);
    }

    #[test]
    fn the_head_may_be_as_long_as_the_limit_and_no_longer() {
        let head_of = |len: usize| {
            let start = b"HTTP/1.1 200 OK\r\nX: ";
            let mut head = start.to_vec();
            head.resize(len - 4, b'a');
            head.extend_from_slice(b"\r\n\r\n");
            head
        };
        let (_, used) = parse(&head_of(HEAD_LEN_MAX)).unwrap().unwrap();
        assert_eq!(used, HEAD_LEN_MAX);
        assert_eq!(parse(&head_of(HEAD_LEN_MAX + 1)), Err(ErrorKind::TooLong));
        let body_after = [head_of(HEAD_LEN_MAX), vec![b'b'; 100]].concat();
        assert_eq!(parse(&body_after).unwrap().unwrap().1, HEAD_LEN_MAX);

        let endless = [&b"HTTP/1.1 200 OK\r\nX: "[..], &vec![b'a'; HEAD_LEN_MAX]].concat();
        assert_eq!(parse(&endless), Err(ErrorKind::TooLong));
        assert_eq!(
            parse(&endless[..HEAD_LEN_MAX]),
            Ok(None),
            "not over the limit yet"
        );
    }

    #[test]
    fn interim_heads_count_towards_the_limit() {
        let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(HEAD_LEN_MAX / 25 + 1);
        assert_eq!(parse(&endless), Err(ErrorKind::TooLong));
    }

    #[test]
    fn a_head_fed_byte_by_byte_is_read_in_linear_time() {
        let mut input = b"HTTP/1.1 200 OK\r\n".to_vec();
        while input.len() < HEAD_LEN_MAX - 12 {
            input.extend_from_slice(b"X-Y: abc\r\n");
        }
        input.extend_from_slice(b"\r\n");
        let mut reader = HeadReader::default();
        let mut found = None;
        for byte in &input {
            assert!(found.is_none());
            assert!(reader.line.len() <= 17, "only the current line is kept");
            found = reader.next(&mut std::slice::from_ref(byte)).unwrap();
        }
        assert_eq!(found.unwrap().headers().count(), (HEAD_LEN_MAX - 20) / 10);
    }

    #[test]
    fn errors_say_where() {
        let error = parse_response(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n").unwrap_err();
        assert_eq!(
            error,
            Error {
                kind: ErrorKind::FoldedHeader,
                offset: 23
            }
        );
        assert_eq!(
            error.to_string(),
            "a header folded over two lines at byte 23"
        );
    }
}
