//! Building images: of a profile, [`Engine::build`], and from files, [`Engine::build_from`].
//!
//! The Dockerfile of a profile is compiled in and is all there is to its context. A build may use
//! the network; nothing else here ever does.

use std::collections::VecDeque;
use std::io;

use crate::container::context::BuildContext;
use crate::container::profile::ProfileInfo;
use crate::container::reference::ImageName;
use crate::engine::images::{self, BuildConfig};
use crate::engine::{Engine, EngineKind};
use crate::error::{Error, Result};
use crate::wire::tar::header::Header;
use crate::wire::tar::write::Writer;
use crate::wire::value::Value;

/// How many lines of a failed build's output its error carries.
const LOG_TAIL_LINES: usize = 20;

/// How long a line may get before it is shown without its end.
const OPEN_LINE_LEN_MAX: usize = 16 * 1024;

/// The longest line of them that is kept whole.
const LOG_LINE_LEN_MAX: usize = 2000;

/// How to build.
///
/// ```
/// use pocketdock_core::BuildOptions;
///
/// let options = BuildOptions::new().build_arg("BASE", "debian:bookworm-slim").no_cache();
/// ```
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    tags: Vec<String>,
    dockerfile: String,
    build_args: Vec<(String, String)>,
    labels: Vec<(String, String)>,
    no_cache: bool,
    network: String,
}

impl BuildOptions {
    /// The engine's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the image this name, too, such as `localhost:5000/tools:1`.
    #[must_use]
    pub fn tag(mut self, name: &str) -> Self {
        self.tags.push(name.to_owned());
        self
    }

    /// Builds from this Dockerfile of the context instead of `Dockerfile` at its top.
    ///
    /// ```
    /// use pocketdock_core::BuildOptions;
    ///
    /// let options = BuildOptions::new().dockerfile("docker/Dockerfile.test").tag("site:test");
    /// ```
    #[must_use]
    pub fn dockerfile(mut self, path: &str) -> Self {
        path.clone_into(&mut self.dockerfile);
        self
    }

    /// Sets a label of the image.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a build argument of the Dockerfile, such as `BASE`.
    #[must_use]
    pub fn build_arg(mut self, name: &str, value: &str) -> Self {
        self.build_args.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs every step even if its result is at hand.
    #[must_use]
    pub fn no_cache(mut self) -> Self {
        self.no_cache = true;
        self
    }

    /// Gives the steps this network, such as `host` or `none`, instead of the engine's default.
    ///
    /// Podman gives them the host's network whatever is asked, so there anything else is refused.
    #[must_use]
    pub fn network(mut self, mode: &str) -> Self {
        mode.clone_into(&mut self.network);
        self
    }
}

impl Engine {
    /// Builds the image of a profile and gives its ID; `on_output` gets the engine's output, line
    /// by line as it arrives.
    ///
    /// A line is what a terminal would show of it in the end: of a progress display that goes back
    /// to the start of its line, the last state is left.
    ///
    /// Engine endpoint: `POST /build`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// use pocketdock_core::{BuildOptions, resolve_profile};
    ///
    /// let profile = resolve_profile("minimal-python")?;
    /// let id = engine.build(profile, &BuildOptions::new(), &mut |line| print!("{line}"))?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an option that cannot be meant or that the engine would
    /// ignore, before anything is sent; [`Error::BuildFailed`] with the step that failed and the
    /// end of its output.
    pub fn build(
        &self,
        profile: &ProfileInfo,
        options: &BuildOptions,
        on_output: &mut dyn FnMut(&str),
    ) -> Result<String> {
        if !options.dockerfile.is_empty() {
            let path = options.dockerfile.as_str();
            return Err(Error::invalid("Dockerfile", path, "a profile has its own"));
        }
        let mut config = self.build_config(options)?;
        config.tags.insert(0, profile.image_tag.to_owned());
        let mut context = |sink: &mut dyn io::Write| write_context(profile.dockerfile, sink);
        self.build_image(&config, &mut context, on_output)
    }

    /// Builds an image from a Dockerfile and the files beside it and gives the image's ID;
    /// `on_output` gets the engine's output, text as it arrives.
    ///
    /// The context is read as it is sent, so it may be of any size. A build that fails leaves no
    /// image.
    ///
    /// Engine endpoint: `POST /build`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for an option that cannot be meant or that the engine would
    /// ignore, [`Error::PathNotFound`] for a directory or Dockerfile that is not there and
    /// [`Error::Config`] for a `.dockerignore` that cannot be understood, all before anything is
    /// sent; [`Error::Io`] for a file that cannot be read, and [`Error::BuildFailed`] with the step
    /// that failed and the end of its output.
    ///
    /// ```no_run
    /// use pocketdock_core::{BuildContext, BuildOptions, Engine};
    ///
    /// let options = BuildOptions::new().tag("localhost/site:1").build_arg("PORT", "8080");
    /// let site = BuildContext::directory("site");
    /// Engine::detect()?.build_from(site, &options, &mut |text| eprint!("{text}"))?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn build_from(
        &self,
        context: BuildContext<'_>,
        options: &BuildOptions,
        on_output: &mut dyn FnMut(&str),
    ) -> Result<String> {
        let config = self.build_config(options)?;
        let mut context = context.prepare(&config.dockerfile)?;
        let built = self.build_image(&config, &mut |sink| context.write_to(sink), on_output);
        built.map_err(|error| match error {
            Error::Io { source, .. } => Error::io("read the build context", source),
            other => other,
        })
    }

    /// The options as the engine takes them, checked.
    fn build_config(&self, options: &BuildOptions) -> Result<BuildConfig> {
        let tags = options.tags.iter().map(|tag| ImageName::parse(tag));
        let tags = tags.map(|name| name.map(|name| name.to_string()));
        check_network(self.kind(), &options.network)?;
        Ok(BuildConfig {
            tags: tags.collect::<Result<_>>()?,
            dockerfile: options.dockerfile.clone(),
            build_args: options.build_args.clone(),
            labels: options.labels.clone(),
            no_cache: options.no_cache,
            network: options.network.clone(),
        })
    }

    fn build_image(
        &self,
        config: &BuildConfig,
        context: &mut dyn FnMut(&mut dyn io::Write) -> io::Result<()>,
        on_output: &mut dyn FnMut(&str),
    ) -> Result<String> {
        let (mut log, mut lines) = (BuildLog::default(), Lines::default());
        let mut show = |text: &str| {
            log.add(text);
            on_output(text);
        };
        let mut on_document = |document: &Value| {
            if let Some(text) = document.str_at(&["stream"]) {
                lines.add(&without_docker_red(text), &mut show);
            }
        };
        let built = images::build(self.client(), config, context, &mut on_document);
        lines.finish(&mut show);
        built.map_err(|error| log.explain(error))
    }

    /// Whether the engine has an image by this name.
    ///
    /// Engine endpoint: `GET /images/{name}/json`.
    ///
    /// ```no_run
    /// # let engine = pocketdock_core::Engine::detect()?;
    /// if !engine.image_exists("pocketdock/minimal-python:latest")? {
    ///     println!("'pocketdock build' makes it");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] for a name that is none, and the errors of the connection.
    pub fn image_exists(&self, image: &str) -> Result<bool> {
        Ok(images::inspect(self.client(), image)?.is_some())
    }
}

/// Podman 4.3 to 5.8 take any network and give the steps of a build the host's.
fn check_network(kind: EngineKind, mode: &str) -> Result<()> {
    match (kind, mode) {
        (EngineKind::Docker, _) | (EngineKind::Podman, "" | "host") => Ok(()),
        (EngineKind::Podman, _) => Err(Error::invalid(
            "build network",
            mode,
            "Podman builds on the host's network whatever is asked: expected 'host' or none given",
        )),
    }
}

/// The archive that is the build context.
fn write_context(dockerfile: &str, sink: &mut dyn io::Write) -> io::Result<()> {
    let mut archive = Writer::new(sink);
    let header = Header::file(b"Dockerfile", dockerfile.len() as u64);
    archive
        .append(&header, &mut dockerfile.as_bytes())
        .and_then(|()| archive.finish())
        .map(drop)
        .map_err(io::Error::other)
}

/// Docker colours what a step writes to stderr; the text is the step's own without that.
fn without_docker_red(text: &str) -> String {
    text.replace("\u{1b}[91m", "").replace("\u{1b}[0m", "")
}

/// Makes lines of pieces of text.
#[derive(Debug, Default)]
struct Lines {
    /// The line that has not ended yet.
    open: String,
}

impl Lines {
    fn add(&mut self, text: &str, show: &mut dyn FnMut(&str)) {
        for piece in text.split_inclusive('\n') {
            self.open.push_str(piece);
            if piece.ends_with('\n') || OPEN_LINE_LEN_MAX < self.open.len() {
                self.finish(show);
            }
        }
    }

    fn finish(&mut self, show: &mut dyn FnMut(&str)) {
        let line = self.open.trim_end_matches(['\r', '\n']);
        let last = line.rsplit('\r').next().unwrap_or(line);
        let end = if self.open.ends_with('\n') { "\n" } else { "" };
        if !self.open.is_empty() {
            show(&format!("{last}{end}"));
        }
        self.open.clear();
    }
}

/// What of a build's output its error needs.
#[derive(Debug, Default)]
struct BuildLog {
    step: String,
    tail: VecDeque<String>,
    /// Whether the last line is not finished.
    open: bool,
}

impl BuildLog {
    fn add(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            let line = piece.trim_end_matches(['\r', '\n']);
            match self.tail.back_mut() {
                Some(last) if self.open => {
                    let room = LOG_LINE_LEN_MAX.saturating_sub(last.len());
                    last.extend(line.chars().take(room));
                }
                _ => self
                    .tail
                    .push_back(line.chars().take(LOG_LINE_LEN_MAX).collect()),
            }
            self.open = !piece.ends_with('\n');
            if is_step(line) {
                self.step = line.to_owned();
                self.tail.clear();
            }
            while LOG_TAIL_LINES < self.tail.len() {
                self.tail.pop_front();
            }
        }
    }

    fn explain(self, error: Error) -> Error {
        match error {
            Error::BuildFailed { message, .. } => Error::BuildFailed {
                step: self.step,
                message,
                log_tail: Vec::from(self.tail).join("\n"),
            },
            other => other,
        }
    }
}

/// Whether a line announces a step: `Step 1/2 : …` on Docker, `STEP 1/2: …` on Podman, there with
/// `[1/2] ` before it if there are several stages.
fn is_step(line: &str) -> bool {
    let line = match line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((_stage, rest)) => rest,
        None => line,
    };
    line.starts_with("Step ") || line.starts_with("STEP ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_step_and_the_end_of_its_output() {
        let mut log = BuildLog::default();
        log.add("Step 1/2 : FROM x\n ---> abc\n");
        log.add("Step 2/2 : RUN y\n");
        for n in 0..30 {
            log.add("li");
            log.add(&format!("ne {n}\n"));
        }
        let bare = Error::BuildFailed {
            step: String::new(),
            message: "code 1".to_owned(),
            log_tail: String::new(),
        };
        let Error::BuildFailed {
            step,
            message,
            log_tail,
        } = log.explain(bare)
        else {
            panic!("another error");
        };
        assert_eq!(
            (step.as_str(), message.as_str()),
            ("Step 2/2 : RUN y", "code 1")
        );
        let lines: Vec<_> = log_tail.lines().collect();
        assert_eq!(
            (lines.len(), lines[0], lines[19]),
            (20, "line 10", "line 29")
        );
    }

    #[test]
    fn lines_are_what_a_terminal_shows_in_the_end() {
        let text = "one\r\n5%\r10%\r100% done\r\n\nlast";
        for cut in 0..=text.len() {
            let (mut lines, mut shown) = (Lines::default(), Vec::new());
            let mut show = |line: &str| shown.push(line.to_owned());
            let (head, tail) = text.split_at(cut);
            lines.add(head, &mut show);
            lines.add(tail, &mut show);
            lines.finish(&mut show);
            assert_eq!(
                shown,
                ["one\n", "100% done\n", "\n", "last"],
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_line_without_end_is_not_gathered_for_ever() {
        let (mut lines, mut shown) = (Lines::default(), 0);
        for _ in 0..10 {
            lines.add(&"x".repeat(OPEN_LINE_LEN_MAX), &mut |line| {
                shown += line.len()
            });
        }
        assert!(8 * OPEN_LINE_LEN_MAX <= shown, "{shown}");
    }

    #[test]
    fn a_network_that_would_be_ignored_is_refused() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (EngineKind::Docker, "none",   true),
            (EngineKind::Docker, "",       true),
            (EngineKind::Podman, "",       true),
            (EngineKind::Podman, "host",   true),
            (EngineKind::Podman, "none",   false),
            (EngineKind::Podman, "bridge", false),
        ];
        for (kind, mode, is_taken) in cases {
            let checked = check_network(kind, mode);
            assert_eq!(checked.is_ok(), is_taken, "{kind} {mode}: {checked:?}");
        }
    }

    #[test]
    fn steps() {
        for line in [
            "Step 1/2 : FROM x",
            "STEP 1/2: FROM x",
            "[1/2] STEP 1/7: FROM x AS y",
        ] {
            assert!(is_step(line), "{line}");
        }
        for line in ["", "[1/2] COMMIT x", "a STEP", "[STEP 1"] {
            assert!(!is_step(line), "{line}");
        }
    }

    #[test]
    fn the_context_is_an_archive_with_the_dockerfile() {
        let mut archive = Vec::new();
        write_context("FROM x\n", &mut archive).unwrap();
        assert!(archive.starts_with(b"Dockerfile\0"));
        assert_eq!(&archive[512..519], b"FROM x\n");
        assert_eq!(archive.len() % 512, 0);
    }
}
