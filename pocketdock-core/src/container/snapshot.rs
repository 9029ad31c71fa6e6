//! [`Container::snapshot`]: a sandbox's files as an image.
//!
//! ```text
//! commit            container           -> image without a name, our labels emptied
//! load              its configuration   -> image of the same layers, without our labels
//!                   in an archive
//! tag, remove       the second gets the name, the first goes
//! ```
//!
//! An engine copies a container's labels into whatever is committed from it, and a commit can set
//! labels and not take them away. But a configuration alone can be loaded: for layers that it has
//! already an engine does not look into the archive. Docker is given its own format and Podman the
//! OCI layout, because Podman wants to see the layers in an archive of Docker's.
//!
//! An engine that takes no archive without layers (no tested one, but Docker can keep images in
//! containerd) leaves the first image, in which our labels are there and empty. What is empty is no
//! label of ours to anyone here.

use crate::container::handle::Container;
use crate::container::labels;
use crate::container::reference::ImageName;
use crate::engine::client::Client;
use crate::engine::{EngineKind, containers, images, types};
use crate::error::{Error, Result};
use crate::wire::json;
use crate::wire::sha256::Sha256;
use crate::wire::tar::header::Header;
use crate::wire::tar::write::Writer;
use crate::wire::time::Timestamp;
use crate::wire::value::{Object, Value};

/// What of a container's configuration an image has, too.
const CONFIG_KEYS: [&str; 12] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Healthcheck",
    "Volumes",
    "WorkingDir",
    "OnBuild",
    "Shell",
    "StopSignal",
    "ArgsEscaped",
];

/// What a sandbox's placeholder has instead of what its image had.
const FIRST_PROCESS_KEYS: [&str; 3] = ["Entrypoint", "Cmd", "StopSignal"];

impl Container {
    /// Makes an image of its files and gives the image's ID.
    ///
    /// Running or stopped, or paused, it stays so; a running one is paused for the while. Mounts
    /// and directories in memory are not part of it. The image keeps the sandbox's environment,
    /// user and working directory, starts what the sandbox's own image starts unless the sandbox
    /// was given a command, and has none of pocketdock's labels. An image that had the name loses
    /// it.
    ///
    /// Engine endpoints: `POST /commit`, `POST /images/load`, `POST /images/{id}/tag`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a name that is none, before anything is done;
    /// [`Error::ContainerNotFound`], [`Error::Engine`]. A snapshot that fails leaves no image.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.run("touch /home/sandbox/ready")?;
    /// let id = sandbox.snapshot("localhost:5000/box:ready")?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn snapshot(&self, image: &str) -> Result<String> {
        let name = ImageName::parse(image)?;
        let client = self.client();
        let found = containers::inspect(client, self.container_id())?;
        let own = types::labels(found.at(&["Config", "Labels"]));
        let emptied = own
            .iter()
            .filter(|(key, _)| key.starts_with(labels::PREFIX))
            .map(|(key, _)| format!("LABEL {key}="));
        let changes: Vec<String> = emptied.collect();
        let committed = images::commit(client, self.container_id(), "", "", &changes)?;
        let origin = found.str_at(&["Image"]).unwrap_or_default();
        let named = relabeled(client, self.engine().kind(), &committed, origin)
            .and_then(|image| name_one_of(client, &committed, image, &name));
        named.inspect_err(|_| discard(client, &committed))
    }
}

/// Names the second image and removes the first, or, without a second, names the first.
fn name_one_of(
    client: &Client,
    committed: &str,
    relabeled: Option<String>,
    name: &ImageName,
) -> Result<String> {
    let Some(image) = relabeled else {
        images::tag(client, committed, name.repository(), name.tag())?;
        let digits = committed.trim_start_matches("sha256:");
        return Ok(format!("sha256:{digits}"));
    };
    images::tag(client, &image, name.repository(), name.tag())
        .inspect_err(|_| discard(client, &image))?;
    discard(client, committed);
    Ok(image)
}

/// Removes an image that has no name. One that cannot be removed is in nobody's way.
fn discard(client: &Client, image: &str) {
    let _removed = images::remove(client, image);
}

/// The same image without our labels; `None` where the engine does not take it.
fn relabeled(
    client: &Client,
    kind: EngineKind,
    committed: &str,
    origin: &str,
) -> Result<Option<String>> {
    let found = images::inspect(client, committed)?.ok_or_else(|| Error::ImageNotFound {
        image: committed.to_owned(),
    })?;
    // An image that has lost its name may be gone while its containers live on.
    let origin = images::inspect(client, origin)?;
    let history = images::history(client, committed)?;
    let config = json::to_string(&document(&found, origin.as_ref(), &history));
    let layers = found.array_at(&["RootFS", "Layers"]).unwrap_or_default();
    let layers: Vec<&str> = layers.iter().filter_map(Value::as_str).collect();
    let archive = match kind {
        EngineKind::Docker => docker_archive(&config, &layers),
        EngineKind::Podman => oci_archive(&config, &layers),
    };
    let id = format!("sha256:{}", digest(config.as_bytes()));
    match images::load(client, &mut archive?.as_slice()) {
        Ok(_) if images::inspect(client, &id)?.is_some() => Ok(Some(id)),
        Ok(_) | Err(Error::ImportFailed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The configuration of an image: OCI image specification, `config.md`.
fn document(found: &Value, origin: Option<&Value>, history: &[Value]) -> Value {
    let layers = found.array_at(&["RootFS", "Layers"]).unwrap_or_default();
    let mut document = Object::new();
    let same = [
        ("created", "Created"),
        ("author", "Author"),
        ("architecture", "Architecture"),
        ("variant", "Variant"),
        ("os", "Os"),
    ];
    for (key, engines_key) in same {
        if let Some(text) = found.str_at(&[engines_key]).filter(|text| !text.is_empty()) {
            document.insert(key, text);
        }
    }
    document.insert("config", config(found, origin));
    let rootfs = [
        ("type", Value::from("layers")),
        ("diff_ids", Value::Array(layers.to_vec())),
    ];
    document.insert("rootfs", Value::object(rootfs));
    document.insert("history", steps(history, layers.len()));
    Value::Object(document)
}

/// How a container of the image is to be: what the sandbox was, but for what pocketdock made it.
fn config(found: &Value, origin: Option<&Value>) -> Value {
    let mut config = Object::new();
    let has_placeholder = is_placeholder(found);
    for key in CONFIG_KEYS {
        let from = match origin {
            Some(origin) if has_placeholder && FIRST_PROCESS_KEYS.contains(&key) => origin,
            _ => found,
        };
        match from.at(&["Config", key]) {
            Some(value) if !is_empty(value) => config.insert(key, value.clone()),
            _ => {}
        }
    }
    let others: Vec<_> = types::labels(found.at(&["Config", "Labels"]))
        .into_iter()
        .filter(|(key, _)| !key.starts_with(labels::PREFIX))
        .map(|(key, value)| (key, Value::from(value)))
        .collect();
    if !others.is_empty() {
        config.insert("Labels", Value::object(others));
    }
    Value::Object(config)
}

/// Whether the first process is the one of a sandbox that was given none.
fn is_placeholder(found: &Value) -> bool {
    let words = |key| {
        let words = found.array_at(&["Config", key]).unwrap_or_default();
        words.iter().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let line = [words("Entrypoint"), words("Cmd")].concat();
    matches!(line.as_slice(), ["sleep", time]
        if *time == "infinity" || time.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// The steps oldest first. Engines want as many with a layer as there are layers, and only say
/// how large each is: where the empty ones cannot be told from the others, none is kept.
fn steps(history: &[Value], n_layers: usize) -> Value {
    let has_layer = |(n, step): &(usize, &Value)| {
        *n == 0 || step.u64_at(&["Size"]).is_some_and(|size| 0 < size)
    };
    let counted = history.iter().enumerate();
    if counted.clone().filter(has_layer).count() != n_layers {
        let unknown = Value::object([("created_by", "unknown".into())]);
        return Value::Array(vec![unknown; n_layers]);
    }
    let steps = counted.rev().map(|(n, step)| {
        let mut entry = Object::new();
        let created = step.i64_at(&["Created"]).unwrap_or_default();
        if let Some(created) = Timestamp::from_unix(created, 0) {
            entry.insert("created", created.to_string());
        }
        for (key, engines_key) in [("created_by", "CreatedBy"), ("comment", "Comment")] {
            if let Some(text) = step.str_at(&[engines_key]).filter(|text| !text.is_empty()) {
                entry.insert(key, text);
            }
        }
        if !has_layer(&(n, step)) {
            entry.insert("empty_layer", true);
        }
        Value::Object(entry)
    });
    Value::Array(steps.collect())
}

/// Docker's own format: the layers are named and not there.
fn docker_archive(config: &str, layers: &[&str]) -> Result<Vec<u8>> {
    let name = format!("{}.json", digest(config.as_bytes()));
    let layers = layers
        .iter()
        .map(|layer| format!("{}/layer.tar", layer.trim_start_matches("sha256:")));
    let manifest = Value::object([
        ("Config", Value::from(name.as_str())),
        ("RepoTags", Value::Null),
        ("Layers", Value::from(layers.collect::<Vec<_>>())),
    ]);
    let manifest = json::to_string(&Value::Array(vec![manifest]));
    archive(&[(&name, config), ("manifest.json", &manifest)])
}

/// The OCI image layout: the layers are named by what they unpack to and not there.
fn oci_archive(config: &str, layers: &[&str]) -> Result<Vec<u8>> {
    let descriptor = |kind: &str, digest: &str, len: usize| {
        let media_type = format!("application/vnd.oci.image.{kind}");
        Value::object([
            ("mediaType", Value::from(media_type)),
            ("digest", Value::from(digest)),
            ("size", Value::from(len as u64)),
        ])
    };
    let config_digest = digest(config.as_bytes());
    let layers = layers
        .iter()
        .map(|layer| descriptor("layer.v1.tar", layer, 0));
    let config_id = format!("sha256:{config_digest}");
    let manifest = json::to_string(&Value::object([
        ("schemaVersion", Value::from(2_u64)),
        (
            "config",
            descriptor("config.v1+json", &config_id, config.len()),
        ),
        ("layers", Value::Array(layers.collect())),
    ]));
    let manifest_digest = digest(manifest.as_bytes());
    let manifest_id = format!("sha256:{manifest_digest}");
    let manifests = vec![descriptor("manifest.v1+json", &manifest_id, manifest.len())];
    let index = json::to_string(&Value::object([
        ("schemaVersion", Value::from(2_u64)),
        ("manifests", Value::Array(manifests)),
    ]));
    archive(&[
        ("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#),
        ("index.json", &index),
        (&format!("blobs/sha256/{manifest_digest}"), &manifest),
        (&format!("blobs/sha256/{config_digest}"), config),
    ])
}

fn digest(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish().to_string()
}

fn archive(files: &[(&str, &str)]) -> Result<Vec<u8>> {
    let broken = |error| Error::io("make an archive in memory", std::io::Error::other(error));
    let mut writer = Writer::new(Vec::new());
    for (name, text) in files {
        let header = Header::file(name.as_bytes(), text.len() as u64);
        writer
            .append(&header, &mut text.as_bytes())
            .map_err(broken)?;
    }
    writer.finish().map_err(broken)
}
