//! The files that a build may use: [`BuildContext`].
//!
//! A directory is packed as it is sent: each file is opened when its turn comes and read in pieces,
//! so neither the archive nor any file is ever whole in memory. Entries come in the order of their
//! names, belong to root, and keep their modes, times and symbolic links, as `docker build` has
//! it. `.dockerignore` says what is left out. What somebody swaps for a link meanwhile is an error:
//! nothing from elsewhere gets into an image.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::container::host_dir::{self, HostDir};
use crate::container::ignore::Ignore;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::tar::header::{Header, Kind};
use crate::wire::tar::write::{self, Writer};

const IGNORE_FILE: &str = ".dockerignore";

/// The Dockerfile that is used unless another is named.
const DOCKERFILE: &str = "Dockerfile";

/// The longest `.dockerignore` that is read.
const IGNORE_LEN_MAX: u64 = 1024 * 1024;

/// What a build's Dockerfile can copy from, the Dockerfile itself included.
///
/// ```
/// use pocketdock_core::BuildContext;
///
/// let site = BuildContext::directory("site");
/// let archive = BuildContext::archive(std::io::stdin());
/// ```
pub struct BuildContext<'a> {
    source: Source<'a>,
}

enum Source<'a> {
    Directory(PathBuf),
    Archive(Box<dyn Read + Send + 'a>),
}

impl fmt::Debug for BuildContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Directory(path) => f.debug_tuple("Directory").field(path).finish(),
            Source::Archive(_) => f.write_str("Archive"),
        }
    }
}

impl<'a> BuildContext<'a> {
    /// A directory with all that is in it, but for what its `.dockerignore` names.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::Directory(path.into()),
        }
    }

    /// A tar archive, which is passed on as it is; the engine understands compressed ones.
    #[must_use]
    pub fn archive(archive: impl Read + Send + 'a) -> Self {
        Self {
            source: Source::Archive(Box::new(archive)),
        }
    }

    /// Looks at what can be wrong before an engine is asked for anything.
    pub(crate) fn prepare(self, dockerfile: &str) -> Result<Prepared<'a>> {
        check_dockerfile(dockerfile)?;
        let root = match self.source {
            Source::Archive(archive) => return Ok(Prepared::Archive(archive)),
            Source::Directory(root) => root,
        };
        let found = fs::metadata(&root).map_err(|error| unreadable(&root, error))?;
        if !found.is_dir() {
            return Err(Error::NotADirectory { path: root });
        }
        let dir = HostDir::open(&root).map_err(|error| unreadable(&root, error))?;
        let dockerfile = match dockerfile {
            "" => DOCKERFILE,
            path => path,
        };
        let path = root.join(dockerfile);
        let found = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if found.is_dir() {
            return Err(Error::IsADirectory { path });
        }
        Ok(Prepared::Directory(Directory {
            ignore: read_ignore(&dir)?,
            dockerfile: cleaned(Path::new(dockerfile)),
            dir,
        }))
    }
}

/// A Dockerfile outside of the context would be one that the engine does not get.
fn check_dockerfile(path: &str) -> Result<()> {
    let is_inside = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    match is_inside {
        true => Ok(()),
        false => Err(Error::invalid(
            "Dockerfile",
            path,
            "expected a path in the context, relative to it and without '..'",
        )),
    }
}

/// The path as an entry of the archive has it.
fn cleaned(path: &Path) -> Vec<u8> {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.as_bytes()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(&b'/')
}

/// The rules; a link to them is followed.
fn read_ignore(dir: &HostDir) -> Result<Ignore> {
    let name = OsStr::new(IGNORE_FILE);
    let (path, at) = (dir.path_of(name), dir.at(name));
    let text = match fs::metadata(&at) {
        Ok(found) if found.is_file() => host_dir::open_seen(&at, &found)
            .and_then(|mut file| host::read_at_most(&mut file, IGNORE_LEN_MAX + 1)),
        Ok(_) => Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ignore::default()),
        Err(error) => Err(error),
    }
    .map_err(|error| unreadable(&path, error))?;
    let refused = |line, message: &str| Error::Config {
        path: path.clone(),
        line,
        message: message.to_owned(),
    };
    if IGNORE_LEN_MAX < text.len() as u64 {
        return Err(refused(0, "it is longer than 1 MiB"));
    }
    Ignore::parse(&text).map_err(|malformed| refused(malformed.line, malformed.message))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::PathNotFound {
            path: path.to_owned(),
        },
        _ => Error::io(format!("read '{}'", path.display()), source),
    }
}

/// A context that can be sent.
pub(crate) enum Prepared<'a> {
    Archive(Box<dyn Read + Send + 'a>),
    Directory(Directory),
}

/// A directory and what of it is sent.
pub(crate) struct Directory {
    dir: HostDir,
    ignore: Ignore,
    /// The Dockerfile's path as an entry of the archive.
    dockerfile: Vec<u8>,
}

impl Prepared<'_> {
    /// Writes the archive, once.
    pub(crate) fn write_to(&mut self, sink: &mut dyn Write) -> io::Result<()> {
        match self {
            Prepared::Archive(archive) => io::copy(archive, sink).map(drop),
            Prepared::Directory(directory) => {
                let mut writer = Writer::new(sink);
                directory.append(&mut writer, &directory.dir, b"")?;
                writer.finish().map(drop).map_err(plain)
            }
        }
    }
}

impl Directory {
    /// Adds what is in one directory, those below it included.
    fn append(
        &self,
        writer: &mut Writer<&mut dyn Write>,
        dir: &HostDir,
        path: &[u8],
    ) -> io::Result<()> {
        for name in dir.names().map_err(|error| naming(dir.path(), &error))? {
            let (full, at) = (dir.path_of(&name), dir.at(&name));
            let about = |error| naming(&full, &error);
            let path = match path {
                b"" => name.as_bytes().to_vec(),
                parent => [parent, b"/", name.as_bytes()].concat(),
            };
            let found = fs::symlink_metadata(&at).map_err(about)?;
            let wanted = self.is_wanted(&path);
            if wanted {
                append_entry(writer, &at, &path, &found).map_err(about)?;
            }
            if found.is_dir() && (wanted || self.leads_to_wanted(&path)) {
                let child = dir.child(&name).map_err(about)?;
                self.append(writer, &child, &path)?;
            }
        }
        Ok(())
    }

    /// The engine needs the Dockerfile, and takes it and the rules away from what is copied.
    fn is_wanted(&self, path: &[u8]) -> bool {
        path == IGNORE_FILE.as_bytes() || path == self.dockerfile || !self.ignore.ignores(path)
    }

    /// Whether an ignored directory may have something in it that is not.
    fn leads_to_wanted(&self, path: &[u8]) -> bool {
        let below = self.dockerfile.strip_prefix(path);
        self.ignore.may_except_below(path) || below.is_some_and(|rest| rest.starts_with(b"/"))
    }
}

fn append_entry(
    writer: &mut Writer<&mut dyn Write>,
    at: &Path,
    path: &[u8],
    found: &Metadata,
) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_file() {
        let mut file = host_dir::open_seen(at, found)?;
        // Its length now, which is how much of it will be read.
        let header = header(path, Kind::File, &file.metadata()?);
        return writer.append(&header, &mut file).map_err(plain);
    }
    let kind = if kind.is_dir() {
        Kind::Directory
    } else if kind.is_symlink() {
        let target = fs::read_link(at)?;
        Kind::Symlink(target.as_os_str().as_bytes().to_vec())
    } else {
        let message = "it is neither a file, a directory nor a link; '.dockerignore' leaves it out";
        return Err(io::Error::other(message));
    };
    let header = header(path, kind, found);
    writer.append(&header, &mut io::empty()).map_err(plain)
}

fn header(path: &[u8], kind: Kind, found: &Metadata) -> Header {
    let is_file = kind == Kind::File;
    Header {
        path: path.to_vec(),
        kind,
        mode: found.mode(),
        uid: 0,
        gid: 0,
        mtime_s: found.mtime(),
        mtime_ns: 0,
        len: if is_file { found.len() } else { 0 },
    }
}

/// The failure with the path it is about.
fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("'{}': {error}", path.display()))
}

/// The system's own error where there is one, so that a broken connection is told as such.
fn plain(error: write::Error) -> io::Error {
    match error {
        write::Error::Write(source) | write::Error::Read(source) => source,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    /// A directory that goes with its test.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, files: &[&str]) -> Self {
            let dir = std::env::temp_dir()
                .join(format!("pocketdock-context-{}-{name}", std::process::id()));
            let _left_over = fs::remove_dir_all(&dir);
            for file in files {
                let path = dir.join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, format!("{file}\n")).unwrap();
            }
            Self(dir)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn prepared(&self, dockerfile: &str) -> Result<Prepared<'static>> {
            BuildContext::directory(&self.0).prepare(dockerfile)
        }

        fn archive(&self, dockerfile: &str) -> io::Result<Vec<u8>> {
            let mut archive = Vec::new();
            self.prepared(dockerfile).unwrap().write_to(&mut archive)?;
            Ok(archive)
        }

        /// The names in the archive, as tar reads them.
        fn names(&self, dockerfile: &str) -> Vec<String> {
            let file = self.0.with_extension("tar");
            fs::write(&file, self.archive(dockerfile).unwrap()).unwrap();
            let listed = Command::new("tar").arg("-tf").arg(&file).output().unwrap();
            fs::remove_file(&file).unwrap();
            assert!(listed.status.success(), "{listed:?}");
            let text = String::from_utf8(listed.stdout).unwrap();
            text.lines().map(str::to_owned).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn everything_in_order_without_an_ignore_file() {
        let scratch = Scratch::new("all", &["Dockerfile", "b/c", "a", "b.c"]);
        symlink("nowhere", scratch.0.join("link")).unwrap();
        assert_eq!(
            scratch.names(""),
            ["Dockerfile", "a", "b/", "b/c", "b.c", "link"]
        );
    }

    #[test]
    fn what_is_ignored_is_not_sent() {
        let files = [
            "Dockerfile",
            "src/a.rs",
            "src/a.log",
            "target/x/y",
            "keep.log",
            "z.log",
        ];
        let scratch = Scratch::new("ignored", &files);
        scratch.write(".dockerignore", "target\n**/*.log\n!keep.log\n");
        assert_eq!(
            scratch.names(""),
            [
                ".dockerignore",
                "Dockerfile",
                "keep.log",
                "src/",
                "src/a.rs"
            ]
        );
    }

    /// As `.git` or `node_modules` may be large, or not be ours to read.
    #[test]
    fn what_is_ignored_is_not_looked_into() {
        let scratch = Scratch::new("passed-over", &["Dockerfile", "keep/x"]);
        // A path that is too long cannot be read by root, either.
        let names = [["n".repeat(250).as_str(); 9].join("/"), "n".repeat(250)];
        for dir in ["top", "deep"] {
            fs::create_dir_all(scratch.0.join(dir).join(&names[0])).unwrap();
        }
        let below = scratch.0.join("top").join(&names[0]).join(&names[1]);
        fs::rename(scratch.0.join("deep"), below).unwrap();
        scratch.write(".dockerignore", "*\n!keep\n");
        assert_eq!(
            scratch.names(""),
            [".dockerignore", "Dockerfile", "keep/", "keep/x"]
        );
    }

    #[test]
    fn the_dockerfile_and_the_rules_are_always_sent() {
        let scratch = Scratch::new(
            "always",
            &["Dockerfile", "docker/web/Dockerfile", "docker/x"],
        );
        scratch.write(".dockerignore", "*\n");
        assert_eq!(scratch.names(""), [".dockerignore", "Dockerfile"]);
        assert_eq!(
            scratch.names("./docker/web/Dockerfile"),
            [".dockerignore", "docker/web/Dockerfile"]
        );
    }

    #[test]
    fn modes_times_and_owners() {
        let scratch = Scratch::new("modes", &["Dockerfile"]);
        let path = scratch.0.join("Dockerfile");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_000_000_500);
        let file = fs::File::open(&path).unwrap();
        file.set_modified(time).unwrap();
        let archive = scratch.archive("").unwrap();
        assert_eq!(
            &archive[100..147],
            b"0000750\x000000000\x000000000\x0000000000013\x0000003641100"
        );
    }

    #[test]
    fn what_cannot_be_built_is_said_before_anything_is_sent() {
        let scratch = Scratch::new("refused", &["Dockerfile", "dir/x"]);
        let message = |dockerfile| scratch.prepared(dockerfile).err().unwrap().to_string();
        for (dockerfile, words) in [
            ("nowhere", "no such path"),
            ("dir", "is a directory"),
            ("../x", "'../x'"),
            ("/Dockerfile", "'/Dockerfile'"),
        ] {
            let said = message(dockerfile);
            assert!(said.contains(words), "{said}");
        }
        scratch.write(".dockerignore", "a\n[b\n");
        assert!(
            message("").ends_with(".dockerignore', line 2: a '[' without its ']'"),
            "{}",
            message("")
        );
        let no_dir = BuildContext::directory("/nowhere/at/all").prepare("").err();
        assert!(
            matches!(no_dir, Some(Error::PathNotFound { .. })),
            "{no_dir:?}"
        );
        let file = BuildContext::directory(scratch.0.join("Dockerfile"))
            .prepare("")
            .err();
        assert!(
            matches!(file, Some(Error::NotADirectory { .. })),
            "{file:?}"
        );
    }

    #[test]
    fn what_no_archive_holds_is_named() {
        let scratch = Scratch::new("socket", &["Dockerfile"]);
        let _listener = UnixListener::bind(scratch.0.join("sock")).unwrap();
        let error = scratch.archive("").unwrap_err().to_string();
        assert!(
            error.contains("sock'") && error.contains(".dockerignore"),
            "{error}"
        );
        scratch.write(".dockerignore", "sock");
        assert_eq!(scratch.names(""), [".dockerignore", "Dockerfile"]);
    }

    #[test]
    fn what_was_swapped_in_meanwhile_is_not_sent() {
        let scratch = Scratch::new(
            "swapped",
            &["context/Dockerfile", "context/d/f", "outside/f"],
        );
        let (context, outside) = (scratch.0.join("context"), scratch.0.join("outside"));
        let mut prepared = BuildContext::directory(&context).prepare("").unwrap();
        let file = context.join("d/f");
        let found = fs::symlink_metadata(&file).unwrap();
        fs::remove_file(&file).unwrap();
        for swapped_in in ["link", "pipe"] {
            match swapped_in {
                "link" => symlink(outside.join("f"), &file).unwrap(),
                _ => assert!(
                    Command::new("mkfifo")
                        .arg(&file)
                        .status()
                        .unwrap()
                        .success()
                ),
            }
            let mut archive = Vec::new();
            let mut writer = Writer::new(&mut archive as &mut dyn Write);
            let error = append_entry(&mut writer, &file, b"f", &found).unwrap_err();
            assert!(error.to_string().contains("in its place"), "{error}");
            fs::remove_file(&file).unwrap();
        }
        fs::rename(&context, scratch.0.join("moved")).unwrap();
        symlink(&outside, &context).unwrap();
        let mut archive = Vec::new();
        prepared.write_to(&mut archive).unwrap();
        let text = String::from_utf8_lossy(&archive);
        assert!(
            text.contains("context/Dockerfile") && !text.contains("outside"),
            "{text}"
        );
    }

    #[test]
    fn rules_that_never_end_are_refused() {
        let scratch = Scratch::new("pipe", &["Dockerfile"]);
        let pipe = scratch.0.join(IGNORE_FILE);
        assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let error = scratch.prepared("").err().unwrap().to_string();
        assert!(
            error.ends_with(".dockerignore': it is no regular file"),
            "{error}"
        );
    }

    #[test]
    fn an_archive_is_passed_on_as_it_is() {
        let mut out = Vec::new();
        let context = BuildContext::archive(&b"anything"[..]);
        context
            .prepare("any/file")
            .unwrap()
            .write_to(&mut out)
            .unwrap();
        assert_eq!(out, b"anything");
    }
}
