//! The endpoints for images: build, look, list, name, save, load, commit, remove.
//!
//! Build and load answer 200 and report failures inside the stream, as JSON documents with an
//! `error` in them; the functions here turn those into errors.
//!
//! Source: Docker Engine API, "Image". No function here pulls.
//!
//! ```no_run
//! use pocketdock_core::Engine;
//! use pocketdock_core::engine::images;
//!
//! let engine = Engine::detect()?;
//! for image in images::list(engine.client())? {
//!     println!("{:?} {:?}", image.str_at(&["Id"]), image.u64_at(&["Size"]));
//! }
//! # Ok::<(), pocketdock_core::Error>(())
//! ```

use std::io::{self, Read, Write};

use crate::engine::client::{Call, Client, Reply, Streaming};
use crate::engine::exchange::RequestBody;
use crate::error::{Error, Result};
use crate::wire::http::{Method, encode_path};
use crate::wire::json;
use crate::wire::value::Value;

/// How much of a progress stream is read at a time.
const BUFFER_LEN: usize = 16 * 1024;

/// What is wrong with an archive of something else.
pub(crate) const NO_IMAGE: &str = "there is no image in it";

/// What to build from the context, and how.
///
/// ```
/// use pocketdock_core::engine::images::BuildConfig;
///
/// let tags = vec!["localhost/tool:1".to_owned()];
/// let config = BuildConfig { tags, no_cache: true, ..BuildConfig::default() };
/// ```
#[derive(Debug, Clone, Default)]
pub struct BuildConfig {
    /// The names to give the image.
    pub tags: Vec<String>,
    /// The Dockerfile's path in the context; `Dockerfile` if empty.
    pub dockerfile: String,
    /// Values for the Dockerfile's `ARG`s.
    pub build_args: Vec<(String, String)>,
    /// Labels for the image.
    pub labels: Vec<(String, String)>,
    /// Whether to run every step even if its result is at hand.
    pub no_cache: bool,
    /// The network of the `RUN` steps, such as `host` or `none`; the engine's default if empty.
    pub network: String,
}

/// Builds an image from a tar archive with a `Dockerfile` in it and gives the image's ID.
///
/// `context` writes the archive; `on_document` sees each progress document as it arrives.
///
/// Engine endpoint: `POST /build`.
///
/// # Errors
///
/// [`Error::BuildFailed`] with an empty step and log if the engine reports a failure, in its
/// status or in the stream; [`Error::Protocol`] if it reports no image.
pub fn build(
    client: &Client,
    config: &BuildConfig,
    context: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    on_document: &mut dyn FnMut(&Value),
) -> Result<String> {
    let pairs = |pairs: &[(String, String)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str().into()));
        json::to_string(&Value::object(pairs))
    };
    let mut call = Call::new(Method::Post, "/build")
        .query("version", "1") // The classic builder: BuildKit's log is no text.
        .flag("rm", true)
        .flag("forcerm", true)
        .flag("nocache", config.no_cache)
        .query("buildargs", pairs(&config.build_args))
        .query("labels", pairs(&config.labels));
    for tag in &config.tags {
        call = call.query("t", tag);
    }
    let optional = [
        ("dockerfile", &config.dockerfile),
        ("networkmode", &config.network),
    ];
    for (name, value) in optional {
        if !value.is_empty() {
            call = call.query(name, value);
        }
    }
    let call = call.timeout(client.image_timeout());
    let streaming = client.open(call.body(RequestBody::Writer(context)))?;
    let failed = |message| Error::BuildFailed {
        step: String::new(),
        message,
        log_tail: String::new(),
    };
    if streaming.head.status != 200 {
        return Err(failed(streaming.into_reply()?.message()));
    }
    let mut image_id = None;
    let endpoint = streaming.endpoint.clone();
    let streaming = streaming.with_patience(client.image_timeout());
    read_documents(streaming, &failed, &mut |document| {
        if let Some(id) = document.str_at(&["aux", "ID"]) {
            image_id = Some(id.to_owned());
        }
        on_document(document);
    })?;
    image_id.ok_or_else(|| Error::Protocol {
        endpoint,
        message: "the build ended without an image".to_owned(),
    })
}

/// Reads JSON documents to the end of a reply; one with an `error` ends it.
fn read_documents(
    mut streaming: Streaming,
    failed: &dyn Fn(String) -> Error,
    on_document: &mut dyn FnMut(&Value),
) -> Result<()> {
    let protocol = |endpoint: &str, error: json::Error| Error::Protocol {
        endpoint: endpoint.to_owned(),
        message: error.to_string(),
    };
    let mut see = |document: &Value| match document.str_at(&["error"]) {
        Some(error) => {
            let detail = document
                .str_at(&["errorDetail", "message"])
                .unwrap_or(error);
            Err(failed(detail.trim().to_owned()))
        }
        None => {
            on_document(document);
            Ok(())
        }
    };
    let mut lines = json::Lines::default();
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let n = match streaming.body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(streaming.failure(&error)),
        };
        let mut input = buffer.get(..n).unwrap_or_default();
        while let Some(document) = lines
            .next(&mut input)
            .map_err(|error| protocol(&streaming.endpoint, error))?
        {
            see(&document)?;
        }
    }
    match lines
        .finish()
        .map_err(|error| protocol(&streaming.endpoint, error))?
    {
        Some(document) => see(&document),
        None => Ok(()),
    }
}

/// Everything the engine knows of an image, by name or ID; `None` if it has none such.
///
/// Engine endpoint: `GET /images/{name}/json`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// let found = images::inspect(engine.client(), "debian:trixie-slim")?;
/// println!("{:?} bytes", found.and_then(|image| image.u64_at(&["Size"])));
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Engine`] for a name that is none.
pub fn inspect(client: &Client, image: &str) -> Result<Option<Value>> {
    let path = format!("/images/{}/json", encode_path(image.as_bytes()));
    let reply = client.call(Call::new(Method::Get, path))?;
    match reply.status {
        200 => reply.json().map(Some),
        404 => Ok(None),
        _ => Err(reply.refused()),
    }
}

/// How an image came to be, the newest step first.
///
/// Engine endpoint: `GET /images/{name}/history`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// for step in images::history(engine.client(), "site:1")? {
///     println!("{}", step.str_at(&["CreatedBy"]).unwrap_or_default());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ImageNotFound`], or [`Error::Engine`].
pub fn history(client: &Client, image: &str) -> Result<Vec<Value>> {
    let path = format!("/images/{}/history", encode_path(image.as_bytes()));
    let reply = client.call(Call::new(Method::Get, path))?;
    match (reply.status, reply.json()) {
        (200, Ok(Value::Array(steps))) => Ok(steps),
        (200, _) => Err(reply.unexpected("it is no list")),
        _ => Err(refused(image, &reply)),
    }
}

/// All images, as the engine describes them.
///
/// Engine endpoint: `GET /images/json`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// println!("{} images", images::list(engine.client())?.len());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Engine`] if the engine refuses.
pub fn list(client: &Client) -> Result<Vec<Value>> {
    let reply = client.call(Call::new(Method::Get, "/images/json"))?;
    match (reply.status, reply.json()) {
        (200, Ok(Value::Array(images))) => Ok(images),
        (200, _) => Err(reply.unexpected("it is no list")),
        _ => Err(reply.refused()),
    }
}

/// Gives an image another name.
///
/// Engine endpoint: `POST /images/{image}/tag?repo={repository}&tag={tag}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// images::tag(engine.client(), "debian:trixie-slim", "localhost:5000/base", "1")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ImageNotFound`], or [`Error::Engine`].
pub fn tag(client: &Client, image: &str, repository: &str, tag: &str) -> Result<()> {
    let path = format!("/images/{}/tag", encode_path(image.as_bytes()));
    let call = Call::new(Method::Post, path)
        .query("repo", repository)
        .query("tag", tag);
    let reply = client.call(call)?;
    match reply.status {
        200 | 201 => Ok(()),
        _ => Err(refused(image, &reply)),
    }
}

/// Images as one archive; its bytes are the body of the answer. Each read of it has the client's
/// timeout for images.
///
/// Engine endpoint: `GET /images/get?names={image}&names=…`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// let names = ["pocketdock/minimal-python:latest"];
/// let mut archive = images::get(engine.client(), &names)?;
/// let mut file = std::fs::File::create("images.tar").expect("a file");
/// std::io::copy(&mut archive.body, &mut file).expect("all of it");
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ImageNotFound`], or [`Error::Engine`].
pub fn get(client: &Client, images: &[&str]) -> Result<Streaming> {
    let mut call = Call::new(Method::Get, "/images/get").timeout(client.image_timeout());
    for image in images {
        call = call.query("names", *image);
    }
    let streaming = client.open(call)?;
    if streaming.head.status == 200 {
        return Ok(streaming.with_patience(client.image_timeout()));
    }
    Err(refused(&images.join(", "), &streaming.into_reply()?))
}

/// Takes in the images of an archive and gives the engine's words for what it loaded.
///
/// Engine endpoint: `POST /images/load`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// let mut file = std::fs::File::open("images.tar").expect("a file");
/// println!("{:?}", images::load(engine.client(), &mut file)?);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ImportFailed`] if the engine refuses the archive, in its status or in the stream;
/// [`Error::Io`] if `archive` cannot be read.
pub fn load(client: &Client, archive: &mut dyn Read) -> Result<Vec<String>> {
    let call = Call::new(Method::Post, "/images/load")
        .timeout(client.image_timeout())
        .body(RequestBody::Reader(archive, None));
    let streaming = client.open(call)?;
    if streaming.head.status != 200 {
        return Err(import_failed(&streaming.into_reply()?.message()));
    }
    let mut loaded = Vec::new();
    let streaming = streaming.with_patience(client.image_timeout());
    read_documents(
        streaming,
        &|message| import_failed(&message),
        &mut |document| {
            let text = document.str_at(&["stream"]).unwrap_or_default().trim();
            if !text.is_empty() {
                loaded.push(text.to_owned());
            }
        },
    )?;
    Ok(loaded)
}

/// What the engines say of an archive, and what that means. Docker names what it misses by the
/// place where it unpacked the archive; Podman has a line for each of the formats that it tried.
const IMPORT_WORDS: [(&str, &str); 6] = [
    ("invalid tar header", "it is no tar archive"),
    ("unexpected EOF", "it is cut short, or no archive"),
    ("manifest.json: file does not exist", NO_IMAGE),
    ("manifest.json\": file does not exist", NO_IMAGE),
    ("/repositories: no such file", NO_IMAGE),
    ("/json: no such file", NO_IMAGE),
];

fn import_failed(message: &str) -> Error {
    for (said, meant) in IMPORT_WORDS {
        if message.contains(said) {
            let message = meant.to_owned();
            return Error::ImportFailed { message };
        }
    }
    // The line that is about archives such as both engines make.
    let line = message.split_once("* docker-archive: ");
    let line = line.and_then(|(_, rest)| rest.split('\n').next());
    let message = line.unwrap_or(message).to_owned();
    Error::ImportFailed { message }
}

/// Makes an image of a container as it stands and gives the image's ID.
///
/// `changes` are Dockerfile instructions such as `LABEL a=`, applied to the image. With an empty
/// repository it gets no name.
///
/// Engine endpoint: `POST /commit`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// let id = images::commit(engine.client(), "box", "localhost/after-setup", "1", &[])?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ContainerNotFound`], or [`Error::Engine`].
pub fn commit(
    client: &Client,
    container: &str,
    repository: &str,
    tag: &str,
    changes: &[String],
) -> Result<String> {
    let mut call = Call::new(Method::Post, "/commit")
        .timeout(client.image_timeout())
        .query("container", container);
    if !repository.is_empty() {
        call = call.query("repo", repository).query("tag", tag);
    }
    for change in changes {
        call = call.query("changes", change);
    }
    // Podman 4.3 wants a document even though everything is in the query.
    let reply = client.call(call.json(&Value::object::<&str>([])))?;
    match reply.status {
        201 => {
            let id = reply.json()?.str_at(&["Id"]).map(str::to_owned);
            id.ok_or_else(|| reply.unexpected("it has no image ID"))
        }
        404 => Err(Error::ContainerNotFound {
            container: container.to_owned(),
        }),
        _ => Err(reply.refused()),
    }
}

/// Takes a name off an image, and removes the image with its last name.
///
/// Never forced: with force, Podman 4.3 kills the containers that run from the image.
///
/// Engine endpoint: `DELETE /images/{image}`.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::engine::images;
/// images::remove(engine.client(), "localhost/after-setup:1")?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::ImageNotFound`], or [`Error::Engine`] if a container uses it.
pub fn remove(client: &Client, image: &str) -> Result<()> {
    let path = format!("/images/{}", encode_path(image.as_bytes()));
    let reply = client.call(Call::new(Method::Delete, path))?;
    match reply.status {
        200 => Ok(()),
        _ => Err(refused(image, &reply)),
    }
}

fn refused(image: &str, reply: &Reply) -> Error {
    // Podman answers 500 to saving an image it does not have.
    let unknown = reply.message().contains("image not known");
    if reply.status == 404 || unknown {
        return Error::ImageNotFound {
            image: image.to_owned(),
        };
    }
    reply.refused()
}
