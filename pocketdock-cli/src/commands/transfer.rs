//! `snapshot`, `export`, `import`: images made of sandboxes, and carried from engine to engine.
//!
//! ```text
//! export   engine -> [gzip] -> digest -> temporary file, renamed when all is there
//! import   file -> digest, compared      then      file -> [gunzip] -> engine
//! ```
//!
//! The archive passes through in pieces and is never whole in memory. An `import` that a signal
//! ends has nothing to clean up: the engine drops what it has of a broken upload.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Seek};
use std::path::Path;

use pocketdock_core::container::plan::{checked_image, checked_reference};
use pocketdock_core::container::reference::ImageName;
use pocketdock_core::wire::sha256::Digest;
use pocketdock_core::wire::size::format_size;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Engine, Error, Progress, list_profiles, resolve_profile};

use crate::args::Args;
use crate::draft::{Draft, Hashed, Litter, digest_of, promised};
use crate::failure::{Failure, OTHER_ARCHIVE, Outcome, unread_stdin, usage};
use crate::gzip::{Compressor, Decompressor, MAGIC};
use crate::interrupt::Interrupts;
use crate::output::{Console, visible};
use crate::progress::ProgressLine;
use crate::stdin::stdin;

use super::connect;

/// `pocketdock snapshot CONTAINER IMAGE`
pub(crate) fn snapshot(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let container = args.positional("CONTAINER")?;
    let image = args.positional("IMAGE")?;
    args.finish()?;
    checked_reference(&container)?;
    let name = ImageName::parse(&image)?.to_string();

    // An engine finishes what it has begun; ending before it would leave an image without a name.
    let interrupts = Interrupts::watch()?;
    let id = connect(console)?.open(&container)?.snapshot(&name)?;
    if console.globals.json {
        let fields = [("id", id.into()), ("image", name.into())];
        console.print_json(&Value::object(fields))?;
    } else {
        console.print(&format!("{id}\n"))?;
    }
    interrupts.check().map(|()| 0)
}

/// `pocketdock export [--all | --profile PROFILE... | --image IMAGE...] -o FILE`
pub(crate) fn export(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let images = wanted_images(&mut args)?;
    let output = args.value("--output");
    let output = output.ok_or_else(|| usage("missing '--output'"))?;
    args.finish()?;
    if output == "-" {
        return export_to_stdout(&images, console);
    }
    let path = Path::new(&output);

    let litter = Litter::watch()?;
    let (draft, out) = Draft::begin(&litter, path)?;
    let engine = connect(console)?;
    let compress = path.extension().is_some_and(|suffix| suffix == "gz");
    let (digest, len) = if compress {
        export_compressed(&engine, &images, out, path, console)?
    } else {
        export_plain(&engine, &images, out, path, console)?
    };
    draft.publish(&digest)?;
    print_exported(path, &images, &digest, len, console)
}

fn wanted_images(args: &mut Args) -> Result<Vec<String>, Failure> {
    let all = args.flag("--all");
    let profiles = args.texts("--profile")?;
    let images = args.all_parsed("--image", |name| checked_image(name).map(str::to_owned))?;
    match (all, profiles.is_empty(), images.is_empty()) {
        (false, true, true) => {
            let missing = usage("missing '--all', '--profile' or '--image'");
            Err(match args.words().first() {
                Some(word) => missing.or_hint(|| {
                    let name = visible(&word.to_string_lossy());
                    format!("'--image {name}' for an image, '--profile {name}' for a profile")
                }),
                None => missing,
            })
        }
        (true, true, true) => {
            let tags = list_profiles().iter().map(|profile| profile.image_tag);
            Ok(tags.map(str::to_owned).collect())
        }
        (false, false, true) => {
            let tags = profiles.iter().map(|name| resolve_profile(name));
            let tags = tags.map(|profile| profile.map(|profile| profile.image_tag.to_owned()));
            Ok(tags.collect::<Result<_, _>>()?)
        }
        (false, true, false) => Ok(images),
        _ => Err(usage(
            "'--all', '--profile' and '--image' exclude each other",
        )),
    }
}

/// An archive on stdout has no room for words of ours, and nobody reads one on a terminal.
fn export_to_stdout(images: &[String], console: &mut Console<'_>) -> Outcome {
    if io::stdout().is_terminal() {
        return Err(usage(
            "an archive is no text for a terminal: name a file, or redirect stdout",
        ));
    }
    if console.globals.json {
        return Err(usage("'--json' leaves no stdout to write an archive to"));
    }
    let engine = connect(console)?;
    let mut line = ProgressLine::new(console, "exporting");
    let exported = engine.export_with(&names(images), &mut *console.out, |p| line.update(p));
    drop(line);
    exported.map(|_| 0).map_err(|error| match error {
        Error::Io { source, .. } => Failure::Stdio(source),
        other => other.into(),
    })
}

fn names(images: &[String]) -> Vec<&str> {
    images.iter().map(String::as_str).collect()
}

fn export_plain(
    engine: &Engine,
    images: &[String],
    mut out: Hashed<File>,
    path: &Path,
    console: &Console<'_>,
) -> Result<(Digest, u64), Failure> {
    let mut line = ProgressLine::new(console, "exporting");
    let exported = engine.export_with(&names(images), &mut out, |p| line.update(p));
    match exported {
        Ok(_) => Ok(out.finish()),
        Err(Error::Io { source, .. }) => Err(cannot_write(path, source)),
        Err(other) => Err(other.into()),
    }
}

fn export_compressed(
    engine: &Engine,
    images: &[String],
    out: Hashed<File>,
    path: &Path,
    console: &Console<'_>,
) -> Result<(Digest, u64), Failure> {
    let mut gzip = Compressor::start(out)?;
    let mut line = ProgressLine::new(console, "exporting");
    let exported = engine.export_with(&names(images), &mut gzip, |p| line.update(p));
    let out = match exported {
        Ok(_) => gzip.finish(),
        Err(Error::Io { source, .. }) => Err(gzip.explain(source)),
        Err(other) => return Err(other.into()),
    };
    let out = out.map_err(|source| cannot_write(path, source))?;
    Ok(out.finish())
}

fn cannot_write(path: &Path, source: io::Error) -> Failure {
    let doing = format!("write '{}'", path.display());
    Error::Io { doing, source }.into()
}

fn print_exported(
    path: &Path,
    images: &[String],
    digest: &Digest,
    len: u64,
    console: &mut Console<'_>,
) -> Outcome {
    let shown = path.display().to_string();
    if console.globals.json {
        console.print_json(&Value::object([
            ("file", shown.as_str().into()),
            ("images", images.to_vec().into()),
            ("bytes", len.into()),
            ("sha256", digest.to_string().into()),
        ]))?;
        return Ok(0);
    }
    console.print(&format!("{}\n", visible(&shown)))?;
    let size = format_size(len);
    let count = match images.len() {
        1 => "1 image".to_owned(),
        n => format!("{n} images"),
    };
    console.note(&visible(&format!(
        "{count}, {size}; checksum in '{shown}.sha256'"
    )));
    Ok(0)
}

/// `pocketdock import FILE`
pub(crate) fn import(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let file = args.word("FILE")?;
    args.finish()?;
    let images = match file == "-" {
        true => import_stdin(console)?,
        false => import_file(Path::new(&file), console)?,
    };
    if console.globals.json {
        console.print_json(&Value::object([("images", images.into())]))?;
        return Ok(0);
    }
    for image in images {
        console.print(&format!("{}\n", visible(&image)))?;
    }
    Ok(0)
}

fn import_stdin(console: &Console<'_>) -> Result<Vec<String>, Failure> {
    if io::stdin().is_terminal() {
        return Err(usage("no archive on stdin: it is a terminal"));
    }
    let stdin = stdin().map_err(unread_stdin)?;
    let (begin, is_compressed) = sniff(&stdin).map_err(unread_stdin)?;
    not_empty("stdin", &begin)?;
    let engine = connect(console)?;
    let mut line = ProgressLine::new(console, "importing");
    let archive = plain(io::Cursor::new(begin).chain(stdin), is_compressed)?;
    let loaded = engine.import_with(archive, |progress: &Progress| line.update(progress));
    loaded.map_err(|error| unread("stdin", error))
}

/// The archive in a stream that may be compressed.
fn plain(
    stream: io::Chain<io::Cursor<Vec<u8>>, File>,
    is_compressed: bool,
) -> Result<Box<dyn Read + Send>, Failure> {
    let stream = Box::new(stream);
    Ok(match is_compressed {
        true => Box::new(Decompressor::of_stream(stream)?),
        false => stream,
    })
}

fn import_file(path: &Path, console: &Console<'_>) -> Result<Vec<String>, Failure> {
    let shown = path.display().to_string();
    let mut file = open(path)?;
    let len = file.metadata()?.len();
    // A pipe can be read once.
    let is_regular = file.metadata()?.is_file();
    let failed = |source| cannot_read(&shown, source);
    if is_regular {
        check(path, &file, len, console)?;
        file.rewind().map_err(failed)?;
    }
    let (begin, is_compressed) = sniff(&file).map_err(failed)?;
    not_empty(&shown, &begin)?;
    let engine = connect(console)?;
    let mut line = ProgressLine::new(console, "importing");
    if !is_regular {
        let archive = plain(io::Cursor::new(begin).chain(file), is_compressed)?;
        let loaded = engine.import_with(archive, |progress: &Progress| line.update(progress));
        return loaded.map_err(|error| unread(&shown, error));
    }
    file.rewind().map_err(failed)?;
    // Another handle to the same place in the file: how far it has been read, by whomever.
    let mut place = file.try_clone().map_err(failed)?;
    let show = |progress: &Progress| {
        let mut progress = *progress;
        if let Ok(at) = place.stream_position() {
            (progress.done_bytes, progress.total_bytes) = (at, Some(len));
        }
        line.update(&progress);
    };
    let loaded = match is_compressed {
        true => engine.import_with(Decompressor::of_file(&file)?, show),
        false => engine.import_with(file, show),
    };
    loaded.map_err(|error| unread(&shown, error))
}

fn open(path: &Path) -> Result<File, Failure> {
    let missing = || Error::PathNotFound {
        path: path.to_owned(),
    };
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let path = path.to_owned();
            return Err(Error::IsADirectory { path }.into());
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing().into()),
        _ => {}
    }
    File::open(path).map_err(|source| cannot_read(&path.display().to_string(), source))
}

/// Compares a file with the checksum beside it, if there is one.
fn check(path: &Path, file: &File, len: u64, console: &Console<'_>) -> Result<(), Failure> {
    let Some((sums, wanted)) = promised(path)? else {
        return Ok(());
    };
    let mut line = ProgressLine::new(console, "verifying");
    let mut progress = Progress::default();
    progress.total_bytes = Some(len);
    let found = digest_of(file, |done_bytes| {
        progress.done_bytes = done_bytes;
        line.update(&progress);
    });
    drop(line);
    let shown = path.display();
    let found = found.map_err(|source| cannot_read(&shown.to_string(), source))?;
    if found == wanted {
        return Ok(());
    }
    let message = format!(
        "'{shown}' is not what '{}' was made of: its SHA-256 is {found} and not {wanted}",
        sums.display()
    );
    Err(Error::ImportFailed { message }.into())
}

/// The first bytes of an archive, and whether they are those of a compressed one.
fn sniff(archive: &File) -> io::Result<(Vec<u8>, bool)> {
    let mut begin = Vec::new();
    let mut front = archive.take(MAGIC.len() as u64);
    front.read_to_end(&mut begin)?;
    let is_compressed = begin == MAGIC;
    Ok((begin, is_compressed))
}

/// An engine's words for nothing at all are about files of its own.
fn not_empty(name: &str, begin: &[u8]) -> Result<(), Failure> {
    match begin.is_empty() {
        false => Ok(()),
        true => Err(Error::ImportFailed {
            message: format!("'{name}' is empty"),
        }
        .into()),
    }
}

fn cannot_read(name: &str, source: io::Error) -> Failure {
    let doing = format!("read '{name}'");
    Error::Io { doing, source }.into()
}

/// What could not be read was named by us, and the engine knows no name for it.
fn unread(name: &str, error: Error) -> Failure {
    match error {
        Error::Io { source, .. } => {
            let doing = format!("read '{name}'");
            Failure::Hinted(Error::Io { doing, source }, OTHER_ARCHIVE)
        }
        Error::ImportFailed { message } => Error::ImportFailed {
            message: format!("'{name}': {message}"),
        }
        .into(),
        other => other.into(),
    }
}
