//! Writes request heads, RFC 9112 section 3, and percent-encodes what goes into them, RFC 3986.
//!
//! Nothing a caller passes in can end a line or start a second request. Bodies are written by the
//! caller; one of unknown length goes through [`chunked`](crate::wire::chunked).

use std::borrow::Cow;
use std::fmt;

use super::{Method, is_token_byte, is_value_byte};

/// Headers that decide where a message ends or who talks next: only the writer sets them.
const RESERVED_HEADERS: [&str; 5] = [
    "host",
    "connection",
    "upgrade",
    "content-length",
    "transfer-encoding",
];

/// What a request says about the body that follows its head.
///
/// ```
/// use pocketdock_core::wire::http::{BodyLen, Method, Request};
///
/// let head = |len| {
///     let mut bytes = Vec::new();
///     Request::new(Method::Put, "/x").body(len).write_to(&mut bytes);
///     String::from_utf8(bytes).unwrap()
/// };
/// assert!(head(BodyLen::Length(3)).contains("\r\nContent-Length: 3\r\n"));
/// assert!(head(BodyLen::Chunked).contains("\r\nTransfer-Encoding: chunked\r\n"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLen {
    /// No body.
    #[default]
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// Chunks, for a body whose length is not known yet; see [`chunked`](crate::wire::chunked).
    Chunked,
}

/// The head of a request, built by chained setters.
///
/// No argument can end a line or start a second request: what a target may not hold is
/// percent-encoded, what a header may not hold is refused.
///
/// ```
/// use pocketdock_core::wire::http::{Method, Request};
///
/// let mut bytes = Vec::new();
/// Request::new(Method::Post, "/containers/create")
///     .query("name", "my box")
///     .json(2)
///     .write_to(&mut bytes);
/// let head = String::from_utf8(bytes).unwrap();
/// assert!(head.starts_with("POST /containers/create?name=my%20box HTTP/1.1\r\n"));
/// assert!(head.contains("\r\nContent-Length: 2\r\n"));
/// ```
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    target: String,
    has_query: bool,
    /// The caller's headers, each as `name: value` with its line end.
    headers: String,
    body: BodyLen,
    upgrade: bool,
}

impl Request {
    /// Starts a request for `path`, which begins with a slash and has no query.
    ///
    /// Characters that a path may not hold, `?` and `#` among them, are percent-encoded; escapes
    /// such as `%2F` are kept. Use [`encode_segment`] for the parts that come from a user.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        let mut target = String::with_capacity(path.len() + 16);
        if !path.starts_with('/') {
            target.push('/');
        }
        let mut rest = path.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            let kept = is_path_byte(byte) || (byte == b'%' && starts_with_two_hex(after));
            push_byte(&mut target, byte, kept);
            rest = after;
        }
        Self {
            method,
            target,
            has_query: false,
            headers: String::new(),
            body: BodyLen::None,
            upgrade: false,
        }
    }

    /// Adds `name=value` to the query, both percent-encoded.
    #[must_use]
    pub fn query(self, name: &str, value: &str) -> Self {
        self.query_bytes(name, value.as_bytes())
    }

    /// Adds `name=value` to the query where the value need not be UTF-8, such as a file name.
    ///
    /// ```
    /// use pocketdock_core::wire::http::{BodyLen, Method, Request};
    ///
    /// let upload = Request::new(Method::Put, "/containers/box/archive")
    ///     .query_bytes("path", b"/tmp/\xff")
    ///     .tar(BodyLen::Chunked);
    /// assert_eq!(upload.target(), "/containers/box/archive?path=%2Ftmp%2F%FF");
    /// assert_eq!(upload.method(), Method::Put);
    /// ```
    #[must_use]
    pub fn query_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.target.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        push_encoded(&mut self.target, name.as_bytes(), is_unreserved);
        self.target.push('=');
        push_encoded(&mut self.target, value, is_unreserved);
        self
    }

    /// Adds a header.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] if the name is not a token or is one the writer sets itself (`Host`,
    /// `Connection`, `Upgrade`, `Content-Length`, `Transfer-Encoding`), or if the value holds a
    /// control character other than a tab.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, InvalidHeader> {
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(InvalidHeader::Name);
        }
        if RESERVED_HEADERS
            .iter()
            .any(|reserved| name.eq_ignore_ascii_case(reserved))
        {
            return Err(InvalidHeader::Reserved);
        }
        if !value.bytes().all(is_value_byte) {
            return Err(InvalidHeader::Value);
        }
        self.push_header(name, value);
        Ok(self)
    }

    /// Announces a JSON body of `len` bytes.
    #[must_use]
    pub fn json(self, len: usize) -> Self {
        self.content("application/json", BodyLen::Length(len as u64))
    }

    /// Announces a tar archive as the body.
    #[must_use]
    pub fn tar(self, body: BodyLen) -> Self {
        self.content("application/x-tar", body)
    }

    /// Announces a body of no particular type; the default is none.
    #[must_use]
    pub fn body(mut self, body: BodyLen) -> Self {
        self.body = body;
        self
    }

    /// Asks to take over the connection: `Connection: Upgrade` instead of `close`.
    ///
    /// ```
    /// use pocketdock_core::wire::http::{Method, Request};
    ///
    /// let mut bytes = Vec::new();
    /// Request::new(Method::Post, "/exec/4f/start").upgrade().write_to(&mut bytes);
    /// assert!(String::from_utf8(bytes).unwrap().contains("\r\nConnection: Upgrade\r\n"));
    /// ```
    #[must_use]
    pub fn upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// The method it was made with, which
    /// [`ResponseHead::framing`](super::ResponseHead::framing) wants back.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The request target: path and query, encoded.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Appends the head, its empty last line included, to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let Self {
            method,
            target,
            headers,
            ..
        } = self;
        let connection = if self.upgrade {
            "Upgrade\r\nUpgrade: tcp"
        } else {
            "close"
        };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\
             {headers}{}\r\n",
            self.length_header(),
        );
        out.extend_from_slice(head.as_bytes());
    }

    fn length_header(&self) -> Cow<'static, str> {
        match (self.body, self.method) {
            (BodyLen::Length(len), _) => Cow::Owned(format!("Content-Length: {len}\r\n")),
            (BodyLen::Chunked, _) => Cow::Borrowed("Transfer-Encoding: chunked\r\n"),
            // RFC 9110 section 8.6: these two have a body unless they say that it is empty.
            (BodyLen::None, Method::Post | Method::Put) => Cow::Borrowed("Content-Length: 0\r\n"),
            (BodyLen::None, Method::Get | Method::Head | Method::Delete) => Cow::Borrowed(""),
        }
    }

    fn content(mut self, content_type: &str, body: BodyLen) -> Self {
        self.push_header("Content-Type", content_type);
        self.body(body)
    }

    fn push_header(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\r\n"] {
            self.headers.push_str(part);
        }
    }
}

/// Why [`Request::header`] refused a header.
///
/// ```
/// use pocketdock_core::wire::http::{InvalidHeader, Method, Request};
///
/// let with = |name, value| Request::new(Method::Get, "/info").header(name, value).err();
/// assert_eq!(with("X-Trace", "7"), None);
/// assert_eq!(with("X-Trace", "7\r\nX-Evil: 1"), Some(InvalidHeader::Value));
/// assert_eq!(with("Content-Length", "7"), Some(InvalidHeader::Reserved));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidHeader {
    /// The name is empty or not a token.
    Name,
    /// The value holds a line end or another control character.
    Value,
    /// The header is one that the writer sets itself.
    Reserved,
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the header name is not a token",
            Self::Value => "the header value holds a control character",
            Self::Reserved => "the header is set by the request writer",
        })
    }
}

impl std::error::Error for InvalidHeader {}

/// Percent-encodes one path segment or query part: everything but letters, digits and `-._~`.
///
/// The segments `.` and `..` stay as they are, since no encoding keeps a server from resolving
/// them; refuse them where names are checked.
///
/// ```
/// assert_eq!(pocketdock_core::wire::http::encode_segment(b"a/b c"), "a%2Fb%20c");
/// ```
#[must_use]
pub fn encode_segment(segment: &[u8]) -> String {
    let mut out = String::with_capacity(segment.len());
    push_encoded(&mut out, segment, is_unreserved);
    out
}

/// Percent-encodes a path of several segments, such as an image name: slashes stay.
///
/// ```
/// assert_eq!(pocketdock_core::wire::http::encode_path(b"host:5000/img"), "host%3A5000/img");
/// ```
#[must_use]
pub fn encode_path(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    push_encoded(&mut out, path, |byte| byte == b'/' || is_unreserved(byte));
    out
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986 section 3.3, `pchar` and the slash between segments.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@/".contains(&byte)
}

fn starts_with_two_hex(bytes: &[u8]) -> bool {
    matches!(bytes, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

fn push_encoded(out: &mut String, bytes: &[u8], is_kept: impl Fn(u8) -> bool) {
    for &byte in bytes {
        push_byte(out, byte, is_kept(byte));
    }
}

fn push_byte(out: &mut String, byte: u8, kept: bool) {
    if kept {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("%{byte:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: &Request) -> String {
        let mut out = Vec::new();
        request.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_request_head() {
        let request = Request::new(Method::Put, "/containers/x/archive")
            .query("path", "/tmp/a b")
            .query("noOverwriteDirNonDir", "1")
            .header("X-Tag", "é\t1")
            .unwrap()
            .tar(BodyLen::Chunked);
        assert_eq!(
            written(&request),
            "PUT /containers/x/archive?path=%2Ftmp%2Fa%20b&noOverwriteDirNonDir=1 HTTP/1.1\r\n\
             Host: localhost\r\nConnection: close\r\nX-Tag: é\t1\r\n\
             Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("get",     Request::new(Method::Get, "/"),                               None),
            ("delete",  Request::new(Method::Delete, "/"),                            None),
            ("post",    Request::new(Method::Post, "/"),                              Some("Content-Length: 0")),
            ("put",     Request::new(Method::Put, "/"),                               Some("Content-Length: 0")),
            ("json",    Request::new(Method::Post, "/").json(12),                     Some("Content-Length: 12")),
            ("length",  Request::new(Method::Put, "/").body(BodyLen::Length(1 << 40)), Some("Content-Length: 1099511627776")),
            ("chunked", Request::new(Method::Put, "/").body(BodyLen::Chunked),        Some("Transfer-Encoding: chunked")),
        ];
        for (name, request, want) in cases {
            let head = written(&request);
            let lines: Vec<&str> = head.lines().collect();
            let got = lines
                .iter()
                .find(|line| line.contains("Length") || line.contains("Enc"));
            assert_eq!(got.copied(), want, "{name}");
        }
    }

    #[test]
    fn an_upgrade_replaces_the_close() {
        let head = written(
            &Request::new(Method::Post, "/exec/1/start")
                .upgrade()
                .json(2),
        );
        assert!(head.contains("\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"));
        assert!(!head.contains("close"));
    }

    #[test]
    fn nothing_can_be_injected() {
        let hostile = "a\r\nX: y\n\0 ?#%zz\u{85}é";
        let request = Request::new(Method::Get, hostile).query(hostile, hostile);
        assert_eq!(
            request
                .target()
                .matches(|c: char| !c.is_ascii_graphic())
                .count(),
            0
        );
        assert_eq!(
            request.target().matches('?').count(),
            1,
            "only the query's own"
        );
        assert_eq!(
            written(&request).lines().count(),
            4,
            "request line, two headers, empty line"
        );
        for byte in (0..=31).chain([127]).filter(|&byte| byte != b'\t') {
            let value = format!("a{}", char::from(byte));
            let refused = Request::new(Method::Get, "/")
                .header("X", &value)
                .map(|_| ());
            assert_eq!(refused, Err(InvalidHeader::Value), "byte {byte}");
        }
        for name in ["", "a b", "a:", "a\r\n", "é", "a\0"] {
            let refused = Request::new(Method::Get, "/").header(name, "v").map(|_| ());
            assert_eq!(refused, Err(InvalidHeader::Name), "{name:?}");
        }
        for name in [
            "Host",
            "CONTENT-LENGTH",
            "transfer-encoding",
            "Connection",
            "Upgrade",
        ] {
            let refused = Request::new(Method::Get, "/").header(name, "1").map(|_| ());
            assert_eq!(refused, Err(InvalidHeader::Reserved), "{name}");
        }
    }

    #[test]
    fn percent_encoding() {
        assert_eq!(encode_segment(b"AZaz09-._~"), "AZaz09-._~");
        assert_eq!(
            encode_segment(b"/?#%&+ \0\xff"),
            "%2F%3F%23%25%26%2B%20%00%FF"
        );
        assert_eq!(encode_path(b"a b/c%2F"), "a%20b/c%252F");
        let path = format!("/images/{}/json", encode_path("reg:5000/é".as_bytes()));
        assert_eq!(
            Request::new(Method::Get, &path).target(),
            "/images/reg%3A5000/%C3%A9/json"
        );
        assert_eq!(
            Request::new(Method::Get, "/a%2fb%zz%").target(),
            "/a%2fb%25zz%25"
        );
        assert_eq!(
            Request::new(Method::Get, "a")
                .query_bytes("p", b"\xff")
                .target(),
            "/a?p=%FF"
        );
    }
}
