//! A request as the fake engine read it from its socket.
//!
//! Strict where a real engine is strict, so that a malformed request fails a test here and not
//! only on a real engine. Source: RFC 9112; Go's `net/http` refuses the same.

use std::io::{self, Read};

/// A request, body included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query as sent, the API version included.
    pub target: String,
    /// Percent-decoded path without the API version: `/containers/json`.
    pub path: String,
    /// API version in front of the path, `1.41` for `/v1.41/containers/json`.
    pub version: Option<String>,
    /// Percent-decoded parameters in the order sent.
    pub query: Vec<(String, String)>,
    /// Names as sent, values without the space around them.
    pub headers: Vec<(String, String)>,
    /// The body after decoding of its framing.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `GET /containers/json`: what a script expects.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Reads the head of a request; `None` if the peer closed before its first byte.
///
/// Takes one byte at a time, so nothing behind the head is taken from the socket.
pub fn read_head(stream: &mut impl Read) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match read_byte(stream)? {
            Some(byte) => head.push(byte),
            None if head.is_empty() => return Ok(None),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
    parse_head(&head).map(Some)
}

/// Reads the body that `request` announces.
pub fn read_body(stream: &mut impl Read, request: &Request) -> io::Result<Vec<u8>> {
    if request.header("transfer-encoding") == Some("chunked") {
        return read_chunks(stream);
    }
    let len = request
        .header("content-length")
        .map_or(Ok(0), |text| number(text, 10))?;
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let len = number(&line, 16)?;
        let mut chunk = vec![0; len];
        stream.read_exact(&mut chunk)?;
        body.extend_from_slice(&chunk);
        if !read_line(stream)?.is_empty() {
            return Err(invalid(
                "a chunk is longer than its size, or there are trailers",
            ));
        }
        if len == 0 {
            return Ok(body);
        }
    }
}

/// A number without a sign, which the standard library would let through.
fn number(text: &str, radix: u32) -> io::Result<usize> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    let value = u32::from_str_radix(text, radix).ok().filter(|_| digits);
    value
        .and_then(|value| usize::try_from(value).ok())
        .ok_or_else(|| invalid("a length is not a number"))
}

fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let byte = read_byte(stream)?;
        line.push(byte.ok_or(io::ErrorKind::UnexpectedEof)?);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).map_err(|_| invalid("a chunk line is not text"))
}

fn read_byte(stream: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn parse_head(head: &[u8]) -> io::Result<Request> {
    let head = std::str::from_utf8(head).map_err(|_| invalid("the head is not text"))?;
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let request_line: Vec<&str> = lines.next().unwrap_or("").split(' ').collect();
    let &[method, target, "HTTP/1.1"] = request_line.as_slice() else {
        return Err(invalid("the request line is not `METHOD TARGET HTTP/1.1`"));
    };
    let headers: Vec<_> = lines.map(parse_header).collect::<io::Result<_>>()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (version, path) = split_version(&decode(path));
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        path,
        version,
        query: query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(parse_pair)
            .collect(),
        headers,
        body: Vec::new(),
    };
    check(&request)?;
    Ok(request)
}

/// What Go's server insists on.
fn check(request: &Request) -> io::Result<()> {
    if !request.target.starts_with('/') || request.target.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(invalid("the target is not a path of printable ASCII"));
    }
    if request.header("host").is_none_or(|host| host.contains('/')) {
        return Err(invalid("Host is missing or not a host"));
    }
    let chunked = request.header("transfer-encoding").is_some();
    if chunked && request.header("content-length").is_some() {
        return Err(invalid(
            "both Transfer-Encoding and Content-Length are given",
        ));
    }
    Ok(())
}

fn parse_header(line: &str) -> io::Result<(String, String)> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| invalid("a header has no colon"))?;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) || value.contains(['\r', '\n', '\0']) {
        return Err(invalid("a header is malformed"));
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn parse_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (
        decode(&name.replace('+', " ")),
        decode(&value.replace('+', " ")),
    )
}

/// `/v1.41/_ping` is version `1.41` and path `/_ping`.
fn split_version(path: &str) -> (Option<String>, String) {
    let versioned = path
        .strip_prefix("/v")
        .and_then(|rest| rest.split_once('/'));
    match versioned {
        Some((version, rest)) if version.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            (Some(version.to_owned()), format!("/{rest}"))
        }
        _ => (None, path.to_owned()),
    }
}

/// Percent-decodes; what is not a valid escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |i: usize| after.get(i).and_then(|&b| char::from(b).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (byte, digit(0), digit(1)) {
            bytes.push(u8::try_from(high * 16 + low).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[test]
fn head_and_body_are_taken_apart() {
    let mut wire = &b"POST /v1.41/a%20b/c?x=1%262&y HTTP/1.1\r\nHost: localhost\r\n\
        Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\nrest"[..];
    let request = read_head(&mut wire).unwrap().unwrap();
    assert_eq!(request.line(), "POST /a b/c");
    assert_eq!(request.version.as_deref(), Some("1.41"));
    assert_eq!(
        (request.param("x"), request.param("y")),
        (Some("1&2"), Some(""))
    );
    assert_eq!(read_body(&mut wire, &request).unwrap(), b"abcd");
    assert_eq!(wire, b"rest");
}

#[test]
fn malformed_requests_are_refused() {
    let cases = [
        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: /run/x.sock\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nbad name: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
    ];
    for case in cases {
        assert!(
            read_head(&mut case.as_bytes()).is_err(),
            "accepted {case:?}"
        );
    }
    assert!(read_head(&mut &b""[..]).unwrap().is_none());
}
