//! HTTP/1.1 request heads out, response heads in, and how the body that follows is framed.
//!
//! ```text
//! POST /v1.41/containers/create?name=web HTTP/1.1      HTTP/1.1 201 Created
//! Host: localhost                                      Content-Length: 88
//! Connection: close
//! ```
//!
//! Source: RFC 9112 (message syntax), RFC 9110 (header names, values, statuses), RFC 3986
//! (percent-encoding).
//!
//! Limit: a response head, interim heads before it included, is at most [`HEAD_LEN_MAX`] bytes.
//!
//! Choices where the RFC leaves one: a bare LF ends a line (RFC 9112 section 2.2); folded lines,
//! control characters, space before a colon, and messages whose length can be read in two ways are
//! refused. Values that are not UTF-8 are kept with U+FFFD in place of the bad bytes.
//!
//! What this does not do: bodies (see [`chunked`](super::chunked)), cookies, redirects, TLS, or
//! connections that are used twice.

mod request;
mod response;

use std::fmt;

pub use request::{BodyLen, InvalidHeader, Request, encode_path, encode_segment};
pub use response::{
    Error, ErrorKind, Framing, HEAD_LEN_MAX, HeadReader, ResponseHead, parse_response,
};

/// A request method that the engines know.
///
/// ```
/// use pocketdock_core::wire::http::Method;
///
/// assert_eq!(Method::Delete.as_str(), "DELETE");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads a resource.
    Get,
    /// Reads the headers of a resource: the answer has no body, whatever its headers say.
    Head,
    /// Creates or acts.
    Post,
    /// Replaces a resource.
    Put,
    /// Removes a resource.
    Delete,
}

impl Method {
    /// The method as it stands in the request line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// RFC 9110 section 5.6.2, `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 9110 section 5.5, `field-content`: tab, space, visible characters and any byte above them.
fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}
