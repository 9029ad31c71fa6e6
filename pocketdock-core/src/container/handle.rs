//! [`Container`]: a handle to one sandbox, and the guard that removes it.
//!
//! A sandbox that is neither kept nor persistent is guarded: dropping the last clone of the handle
//! it was created with removes it. The guard stands before the sandbox is started, so a start that
//! fails leaves nothing behind. A process that is killed cannot run its guards; the sandbox then
//! carries its dead owner's label, by which it is found later.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::container::callbacks::Callbacks;
use crate::container::kill::Marks;
use crate::container::labels;
use crate::container::oom::Kills;
use crate::container::options::{CreateOptions, DEFAULT_TIMEOUT};
use crate::container::plan::{Plan, checked_reference};
use crate::container::record::Recorder;
use crate::container::replica;
use crate::container::target::Target;
use crate::container::tmpfs;
use crate::engine::client::Client;
use crate::engine::{Engine, containers, images};
use crate::error::{Error, Result};
use crate::wire::digits;
use crate::wire::value::Value;

/// How long the guard of a dropped sandbox may take.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a first process that is not our placeholder may take to end when stopped.
const COMMAND_GRACE: Duration = Duration::from_secs(10);

/// A sandbox.
///
/// Cheap to clone and usable from any thread. Nothing about the sandbox is remembered but what
/// cannot change: each question is put to the engine.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, Engine};
///
/// let engine = Engine::detect()?;
/// let sandbox = engine.create(&CreateOptions::new().name("box"))?;
/// let other = sandbox.clone();
/// let job = std::thread::spawn(move || other.run("sleep 1; echo done"));
/// assert!(sandbox.is_running()?);
/// assert_eq!(job.join().expect("no panic")?.stdout, b"done\n");
/// drop(sandbox); // The last handle: the sandbox is removed.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Container {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    id: Arc<str>,
    name: String,
    image: String,
    timeout: Option<Duration>,
    labels: Vec<(String, String)>,
    warnings: Vec<String>,
    /// Known once it has been seen to run.
    kills: OnceLock<Kills>,
    /// For the output and the ends of all detached processes.
    callbacks: Arc<Callbacks>,
    /// Whether the sandbox is removed with the last handle.
    guarded: AtomicBool,
    /// What a reboot has put in this one's place; every clone of the handle follows.
    successor: OnceLock<Arc<Inner>>,
    /// Keeps what happens to it.
    recorder: OnceLock<Arc<dyn Recorder>>,
}

/// A container that has not taken its predecessor's place yet. It is not guarded.
#[derive(Debug)]
pub(super) struct Heir(Inner);

impl Inner {
    /// From what the engine says of a container, if it is one of ours.
    fn read(engine: &Engine, asked: &str, found: &Value) -> Result<Self> {
        let all = crate::engine::types::labels(found.at(&["Config", "Labels"]));
        let label = |name: &str| {
            all.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        if label(labels::MANAGED) != Some("true") {
            return Err(Error::NotManaged {
                container: asked.to_owned(),
            });
        }
        let timeout = label(labels::TIMEOUT).and_then(|text| digits::decimal(text.as_bytes()));
        let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        let id = found.str_at(&["Id"]).unwrap_or(asked);
        let name = found
            .str_at(&["Name"])
            .unwrap_or(asked)
            .trim_start_matches('/');
        Ok(Inner {
            engine: engine.clone(),
            id: id.into(),
            name: name.to_owned(),
            image: found
                .str_at(&["Config", "Image"])
                .unwrap_or_default()
                .to_owned(),
            timeout: Some(timeout).filter(|timeout| !timeout.is_zero()),
            labels: all,
            warnings: Vec::new(),
            kills: Kills::of(found).map_or_else(OnceLock::new, OnceLock::from),
            callbacks: Arc::default(),
            guarded: AtomicBool::new(false),
            successor: OnceLock::new(),
            recorder: OnceLock::new(),
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.guarded.load(Ordering::Acquire) {
            let client = self.engine.client().at_most(DROP_TIMEOUT);
            // What cannot be removed now carries its owner's label and is found later.
            let _removed = remove(&client, &self.id);
        }
    }
}

/// Kills and removes a container, whatever its state; one that is gone is no error.
pub(crate) fn remove(client: &Client, id: &str) -> Result<()> {
    // Podman 5 would wait ten seconds for a first process that ignores SIGTERM. That the
    // container does not run, or is gone, is for the removal to find.
    let _killed = containers::kill(client, id, "KILL");
    match containers::remove(client, id, true) {
        Err(Error::ContainerNotFound { .. }) => Ok(()),
        // Docker removes one that has a time to live by itself as soon as it is killed, and its
        // name is taken until that is done.
        Err(Error::Engine { message, .. }) if message.contains("already in progress") => {
            containers::wait_removed(client, id)
        }
        other => other,
    }
}

impl Engine {
    /// Makes a sandbox and starts it, without an instance.
    pub(crate) fn make(&self, options: &CreateOptions) -> Result<Container> {
        let plan = options.plan()?;
        plan.check_for(self.kind())?;
        let home = match options.wants_home() {
            true => Some(self.home_in(&plan.image, options.user_given())?),
            false => None,
        };
        let init = options.wants_init();
        match self.create_once(options, &plan, init, home.as_deref()) {
            Err(error) if init && lacks_init(&error) => {
                self.create_once(options, &plan, false, home.as_deref())
            }
            outcome => outcome,
        }
    }

    fn create_once(
        &self,
        options: &CreateOptions,
        plan: &Plan,
        init: bool,
        home: Option<&str>,
    ) -> Result<Container> {
        let client = self.client();
        let document = options.document(plan, init, home);
        let created = containers::create(client, &plan.name, &document)
            .inspect_err(|error| self.take_back(plan, error))
            .map_err(|error| too_many_processors(error, options))?;
        // From here on the guard removes it if anything fails.
        let mut inner = Inner {
            engine: self.clone(),
            id: created.id.into(),
            name: plan.name.clone(),
            image: plan.image.clone(),
            timeout: options.command_timeout(),
            labels: crate::engine::types::labels(document.get("Labels")),
            warnings: created.warnings,
            kills: OnceLock::new(),
            callbacks: Arc::default(),
            guarded: AtomicBool::new(true),
            successor: OnceLock::new(),
            recorder: OnceLock::new(),
        };
        containers::start(client, &inner.id).map_err(|error| no_such_user(error, options))?;
        let rights = plan.device_rights();
        let found = containers::inspect(client, &inner.id)?;
        inner.kills = Kills::of(&found).map_or_else(OnceLock::new, OnceLock::from);
        let lost = lost_controls(&found, &options.controls(plan), &rights);
        inner.warnings.extend(lost);
        let mounts = options.tmpfs_mounts(home);
        inner
            .warnings
            .extend(tmpfs::set_modes(client, &inner.id, &mounts)?);
        inner.guarded = AtomicBool::new(!options.outlives_maker());
        Ok(Container {
            inner: Arc::new(inner),
        })
    }

    /// Removes what an engine has made whose answer did not arrive, by its name and birth.
    fn take_back(&self, plan: &Plan, error: &Error) {
        let unheard = match error {
            Error::SocketCommunication { .. } | Error::Timeout { .. } | Error::Protocol { .. } => {
                true
            }
            // It may have failed after it had made one, or something between here and it has.
            Error::Engine { status, .. } => !(400..500).contains(status),
            _ => false,
        };
        if !unheard {
            return;
        }
        let client = self.client().at_most(DROP_TIMEOUT);
        let Ok(found) = containers::inspect(&client, &plan.name) else {
            return;
        };
        let born = found.str_at(&["Config", "Labels", labels::CREATED_AT]);
        if let (true, Some(id)) = (born == Some(&plan.created_at), found.str_at(&["Id"])) {
            // What cannot be removed now carries its owner's label and is found later.
            let _removed = remove(&client, id);
        }
    }

    /// The home directory of the user that an image runs as.
    fn home_in(&self, image: &str, user: Option<&str>) -> Result<String> {
        let found = images::inspect(self.client(), image)?.ok_or_else(|| Error::ImageNotFound {
            image: image.to_owned(),
        })?;
        let own = found.str_at(&["Config", "User"]).unwrap_or_default();
        let user = user.unwrap_or(own).split(':').next().unwrap_or_default();
        let env = found.array_at(&["Config", "Env"]).unwrap_or_default();
        let home = env
            .iter()
            .filter_map(Value::as_str)
            .find_map(|pair| pair.strip_prefix("HOME="));
        Ok(match (home, user) {
            (Some(home), _) if home.starts_with('/') => home.to_owned(),
            (_, "" | "root" | "0") => "/root".to_owned(),
            (_, name) if !name.bytes().all(|byte| byte.is_ascii_digit()) => format!("/home/{name}"),
            _ => "/home/sandbox".to_owned(),
        })
    }

    /// A handle to a sandbox that nothing is recorded of.
    pub(crate) fn find(&self, name: &str) -> Result<Container> {
        let found = containers::inspect(self.client(), checked_reference(name)?)?;
        Container::from_inspected(self, name, &found)
    }
}

/// Whether creating or starting failed because the engine's host has no init program.
fn lacks_init(error: &Error) -> bool {
    match error {
        Error::Engine { message, .. } => {
            message.contains("container-init binary not found") || message.contains("docker-init")
        }
        // Docker looks for it along its path, as runc does for the sandbox's own command.
        Error::CommandNotFound { command } => command == "docker-init",
        _ => false,
    }
}

/// A refusal of more processors than the host of Docker has.
fn too_many_processors(error: Error, options: &CreateOptions) -> Error {
    match &error {
        // Docker 28 begins with a small letter.
        Error::Engine { message, .. } if message.contains("ange of CPUs is from") => {
            let reason = "the engine's host has fewer processors, each of which is 100";
            Error::invalid(
                "CPU percentage",
                options.cpu_percent_given().to_string(),
                reason,
            )
        }
        _ => error,
    }
}

/// A start that failed for a user or group that the image does not have.
fn no_such_user(error: Error, options: &CreateOptions) -> Error {
    match (&error, options.user_given()) {
        (Error::Engine { message, .. }, Some(user))
            if ["unable to find user ", "unable to find group "]
                .iter()
                .any(|words| message.contains(words)) =>
        {
            Error::invalid("user", user, "the image has no such user or group")
        }
        _ => error,
    }
}

/// A warning for each control that the engine took without a word and did not apply.
fn lost_controls(
    found: &Value,
    controls: &[(&'static str, &'static str, u64)],
    rights: &[(String, String)],
) -> Vec<String> {
    let lost = controls
        .iter()
        .filter(|(_, key, asked)| found.u64_at(&["HostConfig", key]) != Some(*asked));
    let lost = lost.map(|(what, _, asked)| format!("the engine did not apply the {what} {asked}"));
    // Podman without root mounts a device as it is, and does not list it.
    let listed = found.array_at(&["HostConfig", "Devices"]);
    let is_listed = |host: &str| {
        let mut listed = listed.unwrap_or_default().iter();
        listed.any(|device| device.str_at(&["PathOnHost"]) == Some(host))
    };
    let unlisted = rights.iter().filter(|(host, _)| !is_listed(host));
    let unlisted = unlisted.map(|(host, rights)| {
        format!("the engine did not apply the rights '{rights}' of the device '{host}'")
    });
    lost.chain(unlisted).collect()
}

impl Container {
    /// A handle from what the engine says of a container, if it is one of ours.
    pub(crate) fn from_inspected(engine: &Engine, asked: &str, found: &Value) -> Result<Self> {
        Inner::read(engine, asked, found).map(|inner| Container {
            inner: Arc::new(inner),
        })
    }

    /// What stands behind the handle now.
    fn inner(&self) -> &Arc<Inner> {
        let mut inner = &self.inner;
        while let Some(successor) = inner.successor.get() {
            inner = successor;
        }
        inner
    }

    /// A container that is to take this one's place, from what the engine says of it.
    pub(super) fn heir(&self, found: &Value, warnings: Vec<String>) -> Result<Heir> {
        let own = self.inner();
        let mut inner = Inner::read(&own.engine, &own.name, found)?;
        inner.warnings = warnings;
        inner.callbacks = Arc::clone(&own.callbacks);
        inner.recorder = own.recorder.clone();
        Ok(Heir(inner))
    }

    /// Lets every clone of this handle lead to the container that has taken its place. The guard
    /// passes to it.
    pub(super) fn succeed(&self, heir: Heir) {
        let own = self.inner();
        let guarded = own.guarded.swap(false, Ordering::AcqRel);
        heir.0.guarded.store(guarded, Ordering::Release);
        if let Some(recorder) = heir.0.recorder.get() {
            recorder.replaced(&heir.0.id, &heir.0.image);
        }
        let _first = own.successor.set(Arc::new(heir.0));
    }

    /// Lets what happens to it be kept; the first recorder stays.
    pub(crate) fn record_with(&self, recorder: Arc<dyn Recorder>) {
        let _first = self.inner().recorder.set(recorder);
    }

    pub(crate) fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.inner().recorder.get()
    }

    /// The first failure to record its commands since this was asked: they do not fail for it.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.run("make")?;
    /// if let Some(error) = sandbox.take_record_failure() {
    ///     eprintln!("it has run, and its log is incomplete: {error}");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn take_record_failure(&self) -> Option<Error> {
        self.recorder()?.take_failure()
    }

    /// The engine's ID of the container.
    #[must_use]
    pub fn container_id(&self) -> &str {
        &self.inner().id
    }

    /// Its name, here and on the engine.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner().name
    }

    /// The socket of its engine.
    #[must_use]
    pub fn socket_path(&self) -> &Path {
        self.inner().engine.socket_path()
    }

    /// Its engine.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// println!("{} on {}", sandbox.container_id(), sandbox.engine().kind());
    /// let like_it = pocketdock_core::CreateOptions::new().image(sandbox.image());
    /// sandbox.engine().create(&like_it)?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner().engine
    }

    /// The image it was made from, as it was asked for.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.inner().image
    }

    /// Whether it is meant to be stopped and resumed.
    #[must_use]
    pub fn persist(&self) -> bool {
        self.label(labels::PERSIST) == Some("true")
    }

    /// The project it belongs to.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.label(labels::PROJECT)
    }

    /// The profile it was made from.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.label(labels::PROFILE)
    }

    /// When it was made, as its label says.
    pub(crate) fn created_at(&self) -> Option<&str> {
        self.label(labels::CREATED_AT)
    }

    /// The directory of its instance on the host.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// match sandbox.data_path() {
    ///     Some(dir) => println!("its logs are in '{}'", dir.display()),
    ///     None => println!("nothing of it is kept on the host"),
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn data_path(&self) -> Option<&Path> {
        self.label(labels::DATA_PATH).map(Path::new)
    }

    /// What the engine did not do as asked when it made this sandbox.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// for warning in sandbox.warnings() {
    ///     eprintln!("{warning}");
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.inner().warnings
    }

    /// How long a command may take unless it says otherwise; `None` is no limit.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let limit = sandbox.command_timeout();
    /// let whose = if sandbox.command_timeout_given() { "its own" } else { "the default" };
    /// println!("commands may take {limit:?}, {whose}");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn command_timeout(&self) -> Option<Duration> {
        self.inner().timeout
    }

    /// Whether that limit was asked for when the sandbox was made, and is not just the default.
    #[must_use]
    pub fn command_timeout_given(&self) -> bool {
        self.label(labels::TIMEOUT).is_some()
    }

    fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.inner().labels.iter();
        labels
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn client(&self) -> &Client {
        self.inner().engine.client()
    }

    pub(crate) fn callbacks(&self) -> Arc<Callbacks> {
        Arc::clone(&self.inner().callbacks)
    }

    pub(crate) fn target(&self, user: Option<String>, marks: Marks) -> Target {
        Target {
            client: self.client().clone(),
            kind: self.inner().engine.kind(),
            container: Arc::clone(&self.inner().id),
            name: self.inner().name.as_str().into(),
            exec_id: String::new(),
            user,
            marks,
            kills: self.inner().kills.get().cloned(),
        }
    }

    /// Whether its first process runs; a paused sandbox runs, too.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// if !sandbox.is_running()? {
    ///     sandbox.resume()?;
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] and the errors of the connection. A sandbox that is gone does not run.
    pub fn is_running(&self) -> Result<bool> {
        match containers::inspect(self.client(), &self.inner().id) {
            Ok(found) => Ok(found.bool_at(&["State", "Running"]).unwrap_or_default()),
            Err(Error::ContainerNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Stops it and keeps it; one that is stopped already is left alone.
    ///
    /// Its processes get SIGTERM through the init; what is left a second later (ten if it has a
    /// first process of its own) is killed. A paused one is let run for it.
    ///
    /// Engine endpoint: `POST /containers/{id}/stop`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.stop()?;
    /// assert!(!sandbox.is_running()?);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::Engine`]; [`Error::InvalidArgument`] for a sandbox
    /// with a `ttl`, which would remove itself with its files: that is what
    /// [`shutdown`](Self::shutdown) is for.
    pub fn stop(&self) -> Result<()> {
        let found = containers::inspect(self.client(), &self.inner().id)?;
        if replica::removes_itself(&found) {
            let reason = "it has a ttl and removes itself when it stops; 'shutdown' does that";
            return Err(Error::invalid("stop of", self.name(), reason));
        }
        self.halt(&found)
    }

    fn halt(&self, found: &Value) -> Result<()> {
        if found.str_at(&["State", "Status"]) == Some("paused") {
            // Podman refuses to stop a paused container.
            containers::unpause(self.client(), &self.inner().id)?;
        }
        containers::stop(self.client(), &self.inner().id, Self::grace(found))
    }

    /// How long its processes may take to end when it is stopped.
    pub(super) fn grace(found: &Value) -> Duration {
        let seconds = found
            .u64_at(&["Config", "StopTimeout"])
            .filter(|&seconds| 0 < seconds);
        seconds.map_or(COMMAND_GRACE, Duration::from_secs)
    }

    /// Starts it if it is stopped, lets it run on if it is paused.
    ///
    /// Engine endpoints: `POST /containers/{id}/start`, `POST /containers/{id}/unpause`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.run("echo kept > note")?;
    /// sandbox.stop()?;
    /// sandbox.resume()?;
    /// assert_eq!(sandbox.run("cat note")?.stdout, b"kept\n");
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::PortInUse`], [`Error::Engine`].
    pub fn resume(&self) -> Result<()> {
        let found = containers::inspect(self.client(), &self.inner().id)?;
        if found.str_at(&["State", "Status"]) == Some("paused") {
            return containers::unpause(self.client(), &self.inner().id);
        }
        containers::start(self.client(), &self.inner().id)?;
        if self.inner().kills.get().is_none() {
            let found = containers::inspect(self.client(), &self.inner().id)?;
            let _first = Kills::of(&found).map(|kills| self.inner().kills.set(kills));
        }
        // What lies in memory was mounted anew.
        let mounts = replica::tmpfs(&found);
        tmpfs::set_modes(self.client(), &self.inner().id, &mounts).map(drop)
    }

    /// Stops and removes it, whatever its state; with `force` it is killed without being asked.
    ///
    /// One that is gone already is no error. The instance of one that has its own is removed, too.
    ///
    /// Engine endpoint: `DELETE /containers/{id}`.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.shutdown(true)?; // Unlike a drop it says whether that worked.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] and the errors of the connection; [`Error::Io`] if the container is gone
    /// and its instance could not be removed.
    pub fn shutdown(&self, force: bool) -> Result<()> {
        if !force {
            let found = containers::inspect(self.client(), &self.inner().id);
            match found.and_then(|found| self.halt(&found)) {
                Ok(()) | Err(Error::ContainerNotFound { .. } | Error::Engine { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        remove(self.client(), &self.inner().id)?;
        self.inner().guarded.store(false, Ordering::Release);
        self.inner().callbacks.clear(); // One may hold this very handle.
        self.recorder()
            .map_or(Ok(()), |recorder| recorder.removed(&self.inner().id))
    }

    /// Lets it live on after the last handle: its guard is taken off.
    ///
    /// It keeps the label of its owner, so that it is found as an orphan once this process has
    /// ended; create it with [`CreateOptions::keep`] if it is meant to stay.
    ///
    /// ```no_run
    /// use pocketdock_core::{CreateOptions, create_new_container};
    ///
    /// let sandbox = create_new_container(&CreateOptions::new())?;
    /// if !sandbox.run("make test")?.ok() {
    ///     println!("look into it: pocketdock shell {}", sandbox.name());
    ///     sandbox.leave();
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn leave(&self) {
        self.inner().guarded.store(false, Ordering::Release);
    }
}
