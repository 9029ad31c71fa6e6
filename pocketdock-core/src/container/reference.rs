//! The names of images: `[HOST[:PORT]/]PATH[:TAG]`.
//!
//! Source: the grammar of Docker's and Podman's references, which both engines hold to. A name is
//! checked before it is sent: Docker 20.10 makes the image first and then finds that it cannot be
//! named so, and leaves it behind.

use std::fmt;

use crate::error::{Error, Result};

/// The longest name without its tag.
const REPOSITORY_LEN_MAX: usize = 255;

/// The longest tag.
const TAG_LEN_MAX: usize = 128;

/// The hexadecimal digits of an ID, which no name may be.
const ID_LEN: usize = 64;

/// A name to give to an image.
///
/// ```
/// use pocketdock_core::container::reference::ImageName;
///
/// let name = ImageName::parse("localhost:5000/tools")?;
/// assert_eq!((name.repository(), name.tag()), ("localhost:5000/tools", "latest"));
/// assert!(ImageName::parse("Tools:1").is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    repository: String,
    tag: String,
}

impl ImageName {
    /// Reads a name; the tag is `latest` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for anything else, a name with a digest in it included: a digest
    /// comes of what is in an image and cannot be given to it.
    pub fn parse(text: &str) -> Result<Self> {
        let refused = |expected: &str| Err(Error::invalid("image name", text, expected));
        if text.contains('@') {
            return refused("a digest cannot be given to an image, leave '@' and all after it out");
        }
        // A colon before the last slash is that of a port.
        let (repository, tag) = match text.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (text, "latest"),
        };
        if repository.len() == ID_LEN && repository.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return refused("64 hexadecimal digits are an ID and no name");
        }
        if !is_repository(repository) {
            return refused(
                "expected [HOST[:PORT]/]NAME[:TAG] with a NAME of lower-case letters, digits and \
                 single '.', '-', '_' or '/' between them",
            );
        }
        if !is_tag(tag) {
            return refused("expected a tag of up to 128 letters, digits, '_', '.' and '-'");
        }
        Ok(Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
        })
    }

    /// The name without its tag.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

fn is_repository(repository: &str) -> bool {
    let path = match repository.split_once('/') {
        Some((first, rest)) if is_host_like(first) => {
            if !is_host(first) {
                return false;
            }
            rest
        }
        _ => repository,
    };
    repository.len() <= REPOSITORY_LEN_MAX && path.split('/').all(is_path_component)
}

/// Whether what stands before the first slash is where a registry is and no part of the path.
fn is_host_like(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Words of lower-case letters and digits, with a dot, one or two underscores or any number of
/// hyphens between two.
fn is_path_component(component: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = component
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .filter(|between| !between.is_empty());
    let ends = [component.bytes().next(), component.bytes().next_back()];
    ends.into_iter().all(|byte| byte.is_some_and(is_word))
        && separators.into_iter().all(|between| {
            matches!(between, "." | "_" | "__") || between.bytes().all(|byte| byte == b'-')
        })
}

fn is_tag(tag: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !tag.is_empty()
        && tag.len() <= TAG_LEN_MAX
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = format!("{}:{}", "a".repeat(255), "T".repeat(128));
        #[rustfmt::skip] // one case per line
        let cases = [
            ("web",                        "web:latest"),
            ("web:1.0-rc_2",               "web:1.0-rc_2"),
            ("web:_x",                     "web:_x"),
            ("team/web",                   "team/web:latest"),
            ("a.b/c",                      "a.b/c:latest"),
            ("localhost/web:1",            "localhost/web:1"),
            ("localhost:5000/web",         "localhost:5000/web:latest"),
            ("localhost:5000/team/web:1",  "localhost:5000/team/web:1"),
            ("Registry.Example-1.com/web", "Registry.Example-1.com/web:latest"),
            ("a__b.c-d---e",               "a__b.c-d---e:latest"),
            (&long,                        &long),
        ];
        for (text, want) in cases {
            assert_eq!(ImageName::parse(text).unwrap().to_string(), want, "{text}");
        }
    }

    #[test]
    fn what_is_no_name() {
        let (id, long, long_tag) = (
            "a1".repeat(32),
            "a".repeat(256),
            "a:".to_owned() + &"a".repeat(129),
        );
        #[rustfmt::skip] // one case per line
        let cases = [
            ("", "NAME"), (":1", "NAME"), ("/web", "NAME"), ("web/", "NAME"), ("a//b", "NAME"),
            ("Web", "NAME"), ("team/Web", "NAME"), ("a b", "NAME"), ("web\n", "NAME"), ("-web", "NAME"),
            ("web-", "NAME"), ("a..b", "NAME"), ("a___b", "NAME"), ("a._b", "NAME"), ("w\u{e9}b", "NAME"),
            ("../web", "NAME"), ("host:port/web", "NAME"), ("host:/web", "NAME"), ("-h.com/web", "NAME"),
            ("localhost:5000/", "NAME"), ("a:b:c", "NAME"), (long.as_str(), "NAME"),
            ("web:", "tag"), ("web:.1", "tag"), ("web:-1", "tag"), ("web:a+b", "tag"), (long_tag.as_str(), "tag"),
            ("web@sha256:00", "digest"), ("web:1@sha256:00", "digest"), (id.as_str(), "ID"),
        ];
        for (text, word) in cases {
            let error = ImageName::parse(text).unwrap_err();
            assert!(
                matches!(error, Error::InvalidArgument { .. }),
                "{text:?}: {error:?}"
            );
            assert!(error.to_string().contains(word), "{text:?}: {error}");
        }
    }
}
