//! Images out of an engine as one archive and into another: [`Engine::export`], [`Engine::import`].
//!
//! Both move data in a buffer of fixed size. The archive is that of `docker save` and
//! `podman save`, and each engine takes the other's.

use std::io::{self, Read, Write};

use crate::container::progress::Progress;
use crate::engine::client::Streaming;
use crate::engine::{Engine, images};
use crate::error::{Error, Result};
use crate::wire::json;

/// How much is moved at a time.
const BUFFER_LEN: usize = 128 * 1024;

/// How much of an archive's end is kept to see whether it is one: the two blocks of zeros that end
/// it, or what the engine says instead.
const TAIL_LEN: usize = 1024;

/// The bytes of a block of an archive.
const BLOCK_LEN: u64 = 512;

/// What engines say of an image that they have taken in, before its name or names.
const LOADED: [&str; 3] = ["Loaded image: ", "Loaded image(s): ", "Loaded image ID: "];

impl Engine {
    /// Writes images, with all their layers and names, as one archive; gives its length.
    ///
    /// Layers that images share are in it once. An image given by its ID has no name in it.
    ///
    /// Engine endpoint: `GET /images/get?names={image}&names=…`.
    ///
    /// # Errors
    ///
    /// [`Error::ImageNotFound`] before anything is written; [`Error::Io`] if `out` fails;
    /// [`Error::Engine`] if the engine fails half-way; [`Error::SocketCommunication`] or
    /// [`Error::Protocol`] if the archive is cut short. What was written by then is of no use.
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use pocketdock_core::Engine;
    ///
    /// let engine = Engine::detect()?;
    /// let file = File::create("box.tar").expect("a file");
    /// engine.export(&["pocketdock/minimal-python:latest"], file)?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn export(&self, images: &[&str], out: impl Write) -> Result<u64> {
        self.export_with(images, out, |_| {})
    }

    /// As [`export`](Self::export); `on_progress` hears of every piece. The length of the whole is
    /// not known beforehand.
    ///
    /// # Errors
    ///
    /// As [`export`](Self::export).
    pub fn export_with(
        &self,
        images: &[&str],
        mut out: impl Write,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<u64> {
        let mut wanted: Vec<&str> = Vec::new();
        for image in images {
            if !wanted.contains(image) {
                wanted.push(image);
            }
        }
        if wanted.is_empty() {
            return Err(Error::invalid("images", "", "expected at least one"));
        }
        for image in &wanted {
            // Asked for several, engines do not say which one is missing.
            if !self.image_exists(image)? {
                let image = (*image).to_owned();
                return Err(Error::ImageNotFound { image });
            }
        }
        receive(
            images::get(self.client(), &wanted)?,
            &mut out,
            &mut on_progress,
        )
    }

    /// Takes in the images of an archive and gives their names; of one without a name, its ID.
    ///
    /// An image that had one of the names loses it. Whether a compressed archive is understood
    /// depends on the engine: Podman 4.3 takes none.
    ///
    /// Engine endpoint: `POST /images/load`.
    ///
    /// # Errors
    ///
    /// [`Error::ImportFailed`] if the engine can make nothing of it, [`Error::Io`] if `archive`
    /// cannot be read.
    ///
    /// ```no_run
    /// use std::fs::File;
    /// use pocketdock_core::Engine;
    ///
    /// let archive = File::open("box.tar").expect("a file");
    /// for image in Engine::detect()?.import(archive)? {
    ///     println!("{image}");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn import(&self, archive: impl Read) -> Result<Vec<String>> {
        self.import_with(archive, |_| {})
    }

    /// As [`import`](Self::import); `on_progress` hears of every piece that is sent.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// let archive = std::fs::File::open("images.tar").expect("an archive");
    /// let names = engine.import_with(archive, |p| eprint!("\r{} bytes", p.done_bytes))?;
    /// println!("{}", names.join(", "));
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`import`](Self::import).
    pub fn import_with(
        &self,
        mut archive: impl Read,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<Vec<String>> {
        self.load(&mut Counted {
            archive: &mut archive,
            on_progress: &mut on_progress,
            progress: Progress::default(),
        })
    }

    fn load(&self, archive: &mut Counted<'_>) -> Result<Vec<String>> {
        let said = images::load(self.client(), archive).map_err(|error| match error {
            Error::Io { source, .. } => Error::io("read the archive of images", source),
            other => other,
        })?;
        let names: Vec<String> = said.iter().flat_map(|text| loaded(text)).collect();
        if names.is_empty() {
            let message = match said.is_empty() {
                true => images::NO_IMAGE.to_owned(),
                false => said.join(", "),
            };
            return Err(Error::ImportFailed { message });
        }
        Ok(names)
    }
}

/// The names in the engine's words for what it has loaded.
fn loaded(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| {
        let line = line.trim();
        LOADED.iter().find_map(|said| line.strip_prefix(said))
    });
    // Podman says several in one line.
    let names = names.flat_map(|names| names.split(','));
    let names = names.map(str::trim).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn receive(
    mut streaming: Streaming,
    out: &mut dyn Write,
    on_progress: &mut dyn FnMut(&Progress),
) -> Result<u64> {
    let unwritten = |source| Error::io("write the archive of images", source);
    let mut progress = Progress::default();
    let mut tail = Vec::with_capacity(2 * TAIL_LEN);
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let n = match streaming.body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(streaming.failure(&error)),
        };
        let piece = buffer.get(..n).unwrap_or_default();
        out.write_all(piece).map_err(unwritten)?;
        keep_tail(&mut tail, piece);
        progress.done_bytes += n as u64;
        on_progress(&progress);
    }
    check_end(&tail, progress.done_bytes, &streaming)?;
    out.flush().map_err(unwritten)?;
    Ok(progress.done_bytes)
}

fn keep_tail(tail: &mut Vec<u8>, piece: &[u8]) {
    tail.extend_from_slice(
        piece
            .get(piece.len().saturating_sub(TAIL_LEN)..)
            .unwrap_or_default(),
    );
    tail.drain(..tail.len().saturating_sub(TAIL_LEN));
}

/// An engine that fails half-way can only say so in the archive itself: Docker writes the JSON of
/// its error after what there is of it.
fn check_end(tail: &[u8], len: u64, streaming: &Streaming) -> Result<()> {
    let is_whole = tail.len() == TAIL_LEN && tail.iter().all(|byte| *byte == 0);
    if is_whole && len % BLOCK_LEN == 0 {
        return Ok(());
    }
    let endpoint = streaming.endpoint.clone();
    Err(match error_at_end(tail) {
        Some(message) => Error::Engine {
            endpoint,
            status: streaming.head.status,
            message,
        },
        None => Error::Protocol {
            endpoint,
            message: format!("the archive has no end after {len} bytes"),
        },
    })
}

/// The message of `{"errorDetail":…,"error":…}` at the end of other bytes.
fn error_at_end(tail: &[u8]) -> Option<String> {
    let begin = br#"{"error"#;
    let mut starts = (0..tail.len()).filter_map(|at| {
        let rest = tail.get(at..)?;
        rest.starts_with(begin).then_some(rest)
    });
    let found = starts.find_map(|rest| json::parse(rest.trim_ascii_end()).ok())?;
    found.str_at(&["error"]).map(|text| text.trim().to_owned())
}

/// Counts what is read.
struct Counted<'a> {
    archive: &'a mut dyn Read,
    on_progress: &'a mut dyn FnMut(&Progress),
    progress: Progress,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.archive.read(buffer)?;
        self.progress.done_bytes += n as u64;
        (self.on_progress)(&self.progress);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_what_was_loaded() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &str, &[&str]); 7] = [
            ("Docker",          "Loaded image: a/b:1",               &["a/b:1"]),
            ("Docker, no name", "Loaded image ID: sha256:12ab",      &["sha256:12ab"]),
            ("Podman",          "Loaded image: localhost/a:1,b:2",   &["localhost/a:1", "b:2"]),
            ("an old Podman",   "Loaded image(s): a:1, b:2",         &["a:1", "b:2"]),
            ("two lines",       "Loaded image: a:1\nLoaded image: b:2\n", &["a:1", "b:2"]),
            ("something else",  "The image a:1 already exists, renaming the old one", &[]),
            ("no name",         "Loaded image: ",                    &[]),
        ];
        for (name, text, want) in cases {
            assert_eq!(loaded(text), want, "{name}");
        }
    }

    #[test]
    fn the_tail_is_the_end_however_it_came() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * TAIL_LEN + 7).collect();
        for step in [1, 7, TAIL_LEN - 1, TAIL_LEN, TAIL_LEN + 1, 5 * TAIL_LEN] {
            let mut tail = Vec::new();
            for piece in bytes.chunks(step) {
                keep_tail(&mut tail, piece);
            }
            assert_eq!(tail, bytes[bytes.len() - TAIL_LEN..], "{step}");
        }
    }

    #[test]
    fn an_error_after_half_an_archive_is_found() {
        let error = br#"{"errorDetail":{"message":"no \"x\""},"error":"no \"x\""}"#;
        let tail = [&b"\xff{\"error\0\0"[..], error, b"\r\n"].concat();
        assert_eq!(error_at_end(&tail).as_deref(), Some("no \"x\""));
        assert_eq!(error_at_end(b"\0\0"), None);
        assert_eq!(error_at_end(br#"{"errors":"#), None);
    }
}
