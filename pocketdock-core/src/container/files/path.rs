//! Paths as `cp -r` reads them: what the end of a path says, and where a copy goes.
//!
//! | ends in | as a source | as a destination |
//! |---|---|---|
//! | a name | what has it, a link as a link | into the directory, if it is one; else a new name |
//! | `/` | the directory, links followed | into this directory, which has to be there |
//! | `/.` | what is in the directory | as above |
//!
//! No I/O happens here. Source: the `-R` option of cp(1), POSIX.

use crate::error::{Error, Result};

/// What the end of a path says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A name.
    Name,
    /// A slash behind a name.
    Slash,
    /// `.`, `..` or the root: a directory that has no name of its own.
    Nameless,
}

impl Ending {
    /// Looks at the bytes of a path that is not empty.
    pub(crate) fn of(path: &[u8]) -> Self {
        let trimmed = trim_slashes(path);
        match trimmed.rsplit(|&byte| byte == b'/').next() {
            Some(b"" | b"." | b"..") | None => Ending::Nameless,
            Some(_) if trimmed.len() < path.len() => Ending::Slash,
            Some(_) => Ending::Name,
        }
    }
}

fn trim_slashes(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_suffix(b"/") {
        path = rest;
    }
    path
}

/// A path in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SandboxPath {
    /// Absolute; no slash at its end unless it is the root, none twice.
    path: String,
    pub(crate) ending: Ending,
}

impl SandboxPath {
    /// Takes an absolute path.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for any other.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if !text.starts_with('/') || text.contains('\0') {
            return Err(Error::invalid(
                "path",
                text,
                "expected an absolute path in the sandbox, such as /home/sandbox/file",
            ));
        }
        let components = text.split('/').filter(|part| !part.is_empty());
        let mut path: String = components.flat_map(|part| ["/", part]).collect();
        if path.is_empty() {
            path.push('/');
        }
        Ok(SandboxPath {
            ending: Ending::of(text.as_bytes()),
            path,
        })
    }

    /// The same path, for what is in the directory.
    pub(crate) fn content(&self) -> Self {
        SandboxPath {
            path: self.path.clone(),
            ending: Ending::Nameless,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.path
    }

    /// The directory it lies in, and its name there; `.` for one without a name.
    pub(crate) fn split(&self) -> (&str, &str) {
        match (self.ending, self.path.rsplit_once('/')) {
            (Ending::Name | Ending::Slash, Some(("", name))) => ("/", name),
            (Ending::Name | Ending::Slash, Some(split)) => split,
            (Ending::Nameless, _) | (_, None) => (&self.path, "."),
        }
    }

    /// The directories above it and itself if it is nameless, outermost first, without the root.
    pub(crate) fn ancestors(&self) -> Vec<&str> {
        let (dir, _) = self.split();
        let ends = dir.match_indices('/').map(|(at, _)| at).skip(1);
        ends.chain([dir.len()])
            .filter_map(|end| dir.get(..end))
            .filter(|dir| *dir != "/")
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("a",     Ending::Name),
            ("/a/b",  Ending::Name),
            ("a/..b", Ending::Name),
            ("...",   Ending::Name),
            ("a/",    Ending::Slash),
            ("a///",  Ending::Slash),
            ("/",     Ending::Nameless),
            (".",     Ending::Nameless),
            ("..",    Ending::Nameless),
            ("a/.",   Ending::Nameless),
            ("a/./",  Ending::Nameless),
            ("a/..",  Ending::Nameless),
        ];
        for (path, want) in cases {
            assert_eq!(Ending::of(path.as_bytes()), want, "{path}");
        }
    }

    #[test]
    fn parts_of_a_path() {
        #[rustfmt::skip] // one case per line
        let cases: [(_, _, _, &[&str]); 7] = [
            ("/",        "/",      ("/", "."),        &[]),
            ("//a//",    "/a",     ("/", "a"),        &[]),
            ("/a/b",     "/a/b",   ("/a", "b"),       &["/a"]),
            ("/a/b/c/",  "/a/b/c", ("/a/b", "c"),     &["/a", "/a/b"]),
            ("/a/.",     "/a/.",   ("/a/.", "."),     &["/a", "/a/."]),
            ("/a/ b\nc", "/a/ b\nc", ("/a", " b\nc"), &["/a"]),
            ("/-x",      "/-x",    ("/", "-x"),       &[]),
        ];
        for (text, path, split, ancestors) in cases {
            let parsed = SandboxPath::parse(text).unwrap();
            assert_eq!((parsed.as_str(), parsed.split()), (path, split), "{text}");
            assert_eq!(parsed.ancestors(), ancestors, "{text}");
        }
    }

    #[test]
    fn what_is_no_path_in_a_sandbox() {
        for text in ["", "a", "./a", "~/a", "/a\0"] {
            let error = SandboxPath::parse(text).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument { .. }), "{text}");
        }
    }
}
