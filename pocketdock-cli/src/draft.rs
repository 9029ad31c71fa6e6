//! A file that is there when it is whole: written under another name, then renamed.
//!
//! ```text
//! .pocketdock-RANDOM.part          -> NAME
//! .pocketdock-RANDOM.sha256.part   -> NAME.sha256, as `sha256sum -c` reads it
//! ```
//!
//! Both stand in the directory of `NAME`, so that renaming moves no data; where `NAME` is a link,
//! the file that it leads to is replaced. A draft that is dropped is removed, and so it is when a
//! signal ends the process: see [`Litter`].

use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pocketdock_core::Error;
use pocketdock_core::wire::sha256::{Digest, Sha256};

use crate::failure::Failure;
use crate::tty::SignalWatch;

/// The longest checksum file that is read.
const CHECKSUMS_LEN_MAX: u64 = 1024 * 1024;

const BUFFER_LEN: usize = 128 * 1024;

/// The files to remove when a signal ends the process.
///
/// To be made before any other thread is, which would take the signals away from its own.
#[derive(Debug)]
pub(crate) struct Litter {
    paths: Arc<Mutex<Vec<PathBuf>>>,
    _watch: SignalWatch,
}

impl Litter {
    /// Begins to watch for signals.
    pub(crate) fn watch() -> io::Result<Self> {
        let paths = Arc::new(Mutex::new(Vec::new()));
        let litter = Arc::clone(&paths);
        let watch = SignalWatch::start(Box::new(move |signal| {
            // Held until the end, so that nothing is put there or renamed after this.
            let litter = lock(&litter);
            for path in litter.iter() {
                let _gone = fs::remove_file(path);
            }
            signal.die();
        }))?;
        Ok(Self {
            paths,
            _watch: watch,
        })
    }

    /// Makes a file that must not be there yet.
    fn create(&self, path: &Path) -> io::Result<File> {
        let mut paths = lock(&self.paths);
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        paths.push(path.to_owned());
        Ok(file)
    }

    /// Gives a file its name.
    fn rename(&self, path: &Path, name: &Path) -> io::Result<()> {
        let mut paths = lock(&self.paths);
        fs::rename(path, name)?;
        paths.retain(|other| other != path);
        Ok(())
    }

    fn remove(&self, path: &Path) {
        let mut paths = lock(&self.paths);
        if let Some(at) = paths.iter().position(|other| other == path) {
            paths.remove(at);
            let _gone = fs::remove_file(path);
        }
    }
}

fn lock(paths: &Mutex<Vec<PathBuf>>) -> MutexGuard<'_, Vec<PathBuf>> {
    paths.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file in the making.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    litter: &'a Litter,
    /// The file to be, and what it is written to until then.
    file: PathBuf,
    part: PathBuf,
    /// The same of its checksum.
    sums: PathBuf,
    sums_part: PathBuf,
    /// The name that the checksum is of.
    name: OsString,
}

/// What is written to a draft, hashed on its way.
#[derive(Debug)]
pub(crate) struct Hashed<W> {
    out: W,
    hash: Sha256,
    len: u64,
}

impl<'a> Draft<'a> {
    /// Begins a file that is to be called `name`, and gives where to write it.
    pub(crate) fn begin(litter: &'a Litter, name: &Path) -> Result<(Self, Hashed<File>), Failure> {
        let file = resolved(name)?;
        let random = RandomState::new().build_hasher().finish();
        let part = format!(".pocketdock-{random:016x}");
        let draft = Self {
            litter,
            part: file.with_file_name(format!("{part}.part")),
            file,
            sums: with_suffix(name, ".sha256"),
            sums_part: name.with_file_name(format!("{part}.sha256.part")),
            name: name.file_name().unwrap_or_default().to_owned(),
        };
        let created = litter.create(&draft.part);
        let out = created.map_err(|source| cannot("create", name, source))?;
        Ok((draft, Hashed::new(out)))
    }

    /// Gives the file its name, and puts its checksum beside it.
    pub(crate) fn publish(self, digest: &Digest) -> Result<(), Failure> {
        let line = checksum_line(digest, &self.name);
        let created = self.litter.create(&self.sums_part);
        created
            .and_then(|mut out| out.write_all(&line))
            .map_err(|source| cannot("write", &self.sums, source))?;
        let names = [(&self.part, &self.file), (&self.sums_part, &self.sums)];
        for (part, name) in names {
            let renamed = self.litter.rename(part, name);
            renamed.map_err(|source| cannot("create", name, source))?;
        }
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        self.litter.remove(&self.part);
        self.litter.remove(&self.sums_part);
    }
}

impl<W> Hashed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            hash: Sha256::new(),
            len: 0,
        }
    }

    /// The digest and the number of the bytes that were written.
    pub(crate) fn finish(self) -> (Digest, u64) {
        (self.hash.finish(), self.len)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.hash.update(bytes.get(..n).unwrap_or_default());
        self.len += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The file that a name leads to; renaming would put a file in place of a link or a device.
fn resolved(name: &Path) -> Result<PathBuf, Failure> {
    let refused = || {
        Failure::Core(Error::InvalidArgument {
            what: "--output",
            value: name.display().to_string(),
            expected: "expected the name of a file, or '-' for stdout".to_owned(),
        })
    };
    if name.file_name().is_none() || name.as_os_str().as_bytes().ends_with(b"/") {
        return Err(refused());
    }
    let file = match fs::canonicalize(name) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name.to_owned()),
        Err(source) => return Err(cannot("create", name, source)),
    };
    match fs::metadata(&file) {
        Ok(found) if found.is_file() => Ok(file),
        Ok(_) => Err(refused()),
        Err(source) => Err(cannot("create", name, source)),
    }
}

fn with_suffix(name: &Path, suffix: &str) -> PathBuf {
    let mut full = name.as_os_str().to_owned();
    full.push(suffix);
    PathBuf::from(full)
}

fn cannot(what: &str, path: &Path, source: io::Error) -> Failure {
    let doing = format!("{what} '{}'", path.display());
    Error::Io { doing, source }.into()
}

/// As `sha256sum` prints it: a name with a line break or a backslash is escaped, and a backslash
/// before the digest says so.
fn checksum_line(digest: &Digest, name: &OsStr) -> Vec<u8> {
    let (name, is_escaped) = escaped(name.as_bytes());
    let mark = if is_escaped { "\\" } else { "" };
    [format!("{mark}{digest}  ").as_bytes(), &name, b"\n"].concat()
}

fn escaped(name: &[u8]) -> (Vec<u8>, bool) {
    let mut text = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\\' => text.extend_from_slice(b"\\\\"),
            byte => text.push(*byte),
        }
    }
    let is_escaped = text.len() != name.len();
    (text, is_escaped)
}

/// The digest that the file beside an archive promises, if there is such a file.
pub(crate) fn promised(archive: &Path) -> Result<Option<(PathBuf, Digest)>, Failure> {
    let sums = with_suffix(archive, ".sha256");
    let mut text = Vec::new();
    let read = match File::open(&sums) {
        Ok(file) => file.take(CHECKSUMS_LEN_MAX).read_to_end(&mut text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => Err(error),
    };
    read.map_err(|source| cannot("read", &sums, source))?;
    match checksum_of(&text, archive.file_name().unwrap_or_default()) {
        Some(digest) => Ok(Some((sums, digest))),
        None => Err(Error::ImportFailed {
            message: format!(
                "'{}' has no SHA-256 checksum of '{}'",
                sums.display(),
                archive.display()
            ),
        }
        .into()),
    }
}

/// The digest in the line for a name, or in the only line: both files may have been renamed.
fn checksum_of(text: &[u8], name: &OsStr) -> Option<Digest> {
    let (wanted, _) = escaped(name.as_bytes());
    let lines = text.split(|byte| *byte == b'\n');
    let lines = lines
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let parsed = lines.map(|line| {
        let line = line.strip_prefix(b"\\").unwrap_or(line);
        let (digest, rest) = line.split_at_checked(64)?;
        let digest = Digest::parse(std::str::from_utf8(digest).ok()?)?;
        // A space, then another or the '*' of the binary mode.
        Some((digest, rest.get(2..).unwrap_or_default()))
    });
    let parsed: Vec<_> = parsed.collect::<Option<_>>()?;
    let named = parsed.iter().find(|(_, name)| *name == wanted);
    match (named, parsed.as_slice()) {
        (Some((digest, _)), _) | (None, [(digest, _)]) => Some(*digest),
        _ => None,
    }
}

/// The digest of all that a reader gives.
pub(crate) fn digest_of(
    mut reader: impl Read,
    mut on_progress: impl FnMut(u64),
) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut len = 0;
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(hash.finish()),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hash.update(buffer.get(..n).unwrap_or_default());
        len += n as u64;
        on_progress(len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> Digest {
        digest_of(bytes, |_| {}).unwrap()
    }

    #[test]
    fn a_line_is_found_again() {
        let digest = digest(b"x");
        for name in ["a.tar", "a b.tar.gz", "a\\b\n\r", " a ", "\u{e9}"] {
            let line = checksum_line(&digest, OsStr::new(name));
            assert_eq!(
                line.iter().filter(|byte| **byte == b'\n').count(),
                1,
                "{name:?}"
            );
            assert_eq!(
                checksum_of(&line, OsStr::new(name)),
                Some(digest),
                "{name:?}"
            );
        }
    }

    #[test]
    fn which_checksum_counts() {
        let (one, two) = (digest(b"1"), digest(b"2"));
        #[rustfmt::skip] // one case per line
        let cases = [
            ("the only one",       format!("{one}  b\n"),             Some(one)),
            ("no name at all",     format!("{one}\n"),                Some(one)),
            ("in binary mode",     format!("{one} *a\r\n\r\n"),       Some(one)),
            ("that of the name",   format!("{one}  b\n{two}  a\n"),   Some(two)),
            ("neither",            format!("{one}  b\n{two}  c\n"),   None),
            ("nothing",            String::new(),                     None),
            ("no digest",          "hello\n".to_owned(),              None),
            ("half a digest",      format!("{:.40}  a\n", one.to_string()), None),
            ("and something else", format!("{one}  a\nhello\n"),      None),
        ];
        for (name, text, want) in cases {
            assert_eq!(
                checksum_of(text.as_bytes(), OsStr::new("a")),
                want,
                "{name}"
            );
        }
    }

    #[test]
    fn a_draft_leaves_all_or_nothing() {
        let dir = std::env::temp_dir().join(format!("pocketdock-draft-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let names = || {
            let entries = fs::read_dir(&dir).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let litter = Litter::watch().unwrap();
        let file = dir.join("a.tar");
        let begin = |text: &[u8]| {
            let (draft, mut out) = Draft::begin(&litter, &file).unwrap();
            out.write_all(text).unwrap();
            (draft, out.finish())
        };
        let (draft, _) = begin(b"half");
        assert_eq!(names().len(), 1);
        drop(draft);
        assert!(names().is_empty());
        for text in [b"first", b"again"] {
            let (draft, (digest, len)) = begin(text);
            assert_eq!(len, 5);
            draft.publish(&digest).unwrap();
            assert_eq!(fs::read(&file).unwrap(), text);
            assert_eq!(names(), ["a.tar", "a.tar.sha256"]);
            assert_eq!(promised(&file).unwrap().unwrap().1, digest);
        }
        drop(begin(b"half"));
        assert_eq!(fs::read(&file).unwrap(), b"again");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn what_can_be_no_file() {
        for name in ["", "/", "..", "new/", "/dev/null", "/tmp"] {
            let refused = resolved(Path::new(name));
            assert!(
                matches!(refused, Err(Failure::Core(Error::InvalidArgument { .. }))),
                "{name:?}: {refused:?}"
            );
        }
    }
}
