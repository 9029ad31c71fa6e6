//! The engine under test, sandboxes on it, and the check that nothing is left of them.

use std::env;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::client::Client;
use pocketdock_core::engine::{containers, system};
use pocketdock_core::host::Environment;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Container, CreateOptions, Engine, EngineKind, EngineOptions};

/// The label of every container that this process makes; its value is the process ID.
const LABEL: &str = "pocketdock-live";

/// How long what the engines do in their own time may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `tests/run.sh` says about the engine under test.
struct Setting {
    engine: Engine,
    image: String,
    debian_image: String,
    python_image: String,
    /// Whether the engine can limit and pause a sandbox: not without root on control groups of
    /// version 1.
    has_control_groups: bool,
}

/// How many tests are running.
static RUNNING: Mutex<u32> = Mutex::new(0);

/// Numbers the names that were given.
static NAMES: AtomicU32 = AtomicU32::new(0);

/// A running test's access to the engine. Begun first in a test, so that it ends last.
pub(crate) struct Live {
    setting: &'static Setting,
}

impl Live {
    /// The engine under test; `None` where there is none, which is said once.
    pub(crate) fn begin() -> Option<Self> {
        static SETTING: OnceLock<Option<Setting>> = OnceLock::new();
        let setting = SETTING.get_or_init(Setting::read).as_ref()?;
        *running() += 1;
        Some(Live { setting })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.setting.engine
    }

    pub(crate) fn client(&self) -> &Client {
        self.setting.engine.client()
    }

    /// The label, with its value, of what this process makes.
    pub(crate) fn label(&self) -> String {
        format!("{LABEL}={}", run_id())
    }

    pub(crate) fn is_podman(&self) -> bool {
        self.setting.engine.kind() == EngineKind::Podman
    }

    /// The image with busybox.
    pub(crate) fn image(&self) -> &str {
        &self.setting.image
    }

    /// The image with bash and dash.
    pub(crate) fn debian_image(&self) -> &str {
        &self.setting.debian_image
    }

    /// The image with python3.
    pub(crate) fn python_image(&self) -> &str {
        &self.setting.python_image
    }

    /// A name that nothing else has.
    pub(crate) fn name(&self) -> String {
        let number = NAMES.fetch_add(1, Ordering::Relaxed);
        format!("pd-live-{}-{number}", std::process::id())
    }

    /// Options for a busybox sandbox of this suite.
    pub(crate) fn options(&self) -> CreateOptions {
        self.unnamed_options().name(&self.name())
    }

    /// The same for any number of sandboxes.
    pub(crate) fn unnamed_options(&self) -> CreateOptions {
        CreateOptions::new()
            .image(self.image())
            .label(LABEL, &run_id())
    }

    /// A running busybox sandbox.
    pub(crate) fn sandbox(&self) -> Container {
        self.create(&self.options())
    }

    /// A running sandbox.
    pub(crate) fn create(&self, options: &CreateOptions) -> Container {
        let sandbox = self.engine().create(options).expect("create a sandbox");
        let is_expected = |warning: &&String| {
            !self.setting.has_control_groups && warning.contains("the engine did not apply the ")
        };
        let mut warnings = sandbox.warnings().iter();
        assert_eq!(warnings.find(|warning| !is_expected(warning)), None);
        sandbox
    }

    /// Whether sandboxes can be limited and paused.
    pub(crate) fn has_control_groups(&self) -> bool {
        self.setting.has_control_groups
    }

    /// The same; if not, says that the test is skipped.
    pub(crate) fn needs_control_groups(&self) -> bool {
        if !self.setting.has_control_groups {
            self.skip("without root this engine has no control groups of version 1");
        }
        self.setting.has_control_groups
    }

    /// Says that the test is skipped, past whatever catches its output.
    pub(crate) fn skip(&self, reason: &str) {
        let name = thread::current().name().unwrap_or("a test").to_owned();
        let _unseen = writeln!(std::io::stderr(), "live: {name} SKIPPED: {reason}");
    }

    /// Ends a test after which there is no engine to ask what is left.
    pub(crate) fn end_without_engine(self) {
        *running() -= 1;
        std::mem::forget(self);
    }

    /// What the engine says of a sandbox.
    pub(crate) fn inspect(&self, sandbox: &Container) -> Value {
        containers::inspect(self.engine().client(), sandbox.container_id()).expect("inspect")
    }
}

/// Removes the container of a name when a test ends, however it ends.
pub(crate) struct Scrap<'a> {
    live: &'a Live,
    name: String,
}

impl<'a> Scrap<'a> {
    pub(crate) fn new(live: &'a Live, name: &str) -> Self {
        let name = name.to_owned();
        Scrap { live, name }
    }
}

impl Drop for Scrap<'_> {
    fn drop(&mut self) {
        let _gone_already = containers::remove(self.live.engine().client(), &self.name, true);
    }
}

/// A container that pocketdock has not made.
pub(crate) struct Foreign<'a> {
    scrap: Scrap<'a>,
    id: String,
}

impl<'a> Foreign<'a> {
    /// One that is not started yet.
    pub(crate) fn created(live: &'a Live) -> Self {
        Foreign::with(live, [])
    }

    /// One that is not started yet, with more in its document.
    pub(crate) fn with<const N: usize>(live: &'a Live, more: [(&str, Value); N]) -> Self {
        let scrap = Scrap::new(live, &live.name());
        let command = [
            "sh",
            "-c",
            "trap 'exit 7' TERM; >/tmp/trapped; while :; do sleep 0.1; done",
        ];
        let config = [
            ("Image", Value::from(live.image())),
            ("Cmd", Value::from(&command[..])),
            ("Labels", Value::object([(LABEL, Value::from(run_id()))])),
        ];
        let config = Value::object(config.into_iter().chain(more));
        let created = containers::create(live.engine().client(), &scrap.name, &config);
        let id = created.expect("create a container").id;
        Foreign { scrap, id }
    }

    pub(crate) fn running(live: &'a Live) -> Self {
        let foreign = Foreign::created(live);
        containers::start(live.engine().client(), &foreign.id).expect("start a container");
        foreign
    }

    pub(crate) fn name(&self) -> &str {
        &self.scrap.name
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut running = running();
        *running -= 1;
        // No other test can begin while the lock is held.
        if *running == 0 && !thread::panicking() {
            assert_nothing_left(self.setting);
        }
    }
}

impl Setting {
    fn read() -> Option<Self> {
        let Ok(kind) = env::var("POCKETDOCK_TEST_ENGINE") else {
            // Past the capturing of output, which hides what a test that passes prints.
            let _unseen = writeln!(
                std::io::stderr(),
                "SKIPPED SUITE: live (POCKETDOCK_TEST_ENGINE names no engine; \
                 `bash tests/run.sh` starts Docker and Podman and runs it on both)"
            );
            return None;
        };
        let variable = |name| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let socket = PathBuf::from(variable("POCKETDOCK_TEST_SOCKET"));
        let mut environment = Environment::read();
        environment.state_home = Some(state_home());
        environment.working_dir = Some(env::temp_dir());
        let options = EngineOptions::new()
            .socket(&socket)
            .environment(environment);
        let engine = options.connect().expect("reach the engine under test");
        assert_eq!(engine.kind().to_string(), kind, "another engine answers");
        let info = system::info(engine.client()).expect("the engine's information");
        let rootless = info.bool_at(&["Rootless"]) == Some(true);
        Some(Setting {
            engine,
            has_control_groups: !rootless || info.str_at(&["CgroupVersion"]) == Some("2"),
            image: variable("POCKETDOCK_TEST_IMAGE"),
            debian_image: variable("POCKETDOCK_TEST_DEBIAN_IMAGE"),
            python_image: variable("POCKETDOCK_TEST_PYTHON_IMAGE"),
        })
    }
}

fn running() -> MutexGuard<'static, u32> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where this process keeps instances.
pub(crate) fn state_home() -> PathBuf {
    env::temp_dir().join(format!("pd-live-state-{}", run_id()))
}

fn run_id() -> String {
    std::process::id().to_string()
}

fn assert_nothing_left(setting: &Setting) {
    let label = format!("{LABEL}={}", run_id());
    eventually_none("containers", || {
        let client = setting.engine.client();
        let found = containers::list(client, std::slice::from_ref(&label));
        let found = found.expect("list containers").into_iter();
        found.map(|container| container.name).collect()
    });
    let _never_made = fs::remove_dir_all(state_home());
    eventually_none("threads", library_threads);
    eventually_none("sockets", open_sockets);
    eventually_none("files", scratch_files);
}

/// The names of this process's threads that the library has started.
fn library_threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("list threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("pocketdock-"))
        .collect()
}

/// The sockets this process has open.
fn open_sockets() -> Vec<String> {
    let files = fs::read_dir("/proc/self/fd").expect("list open files");
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .map(|target| target.display().to_string())
        .filter(|target| target.starts_with("socket:"))
        .collect()
}

/// What this process has left in the directory for temporary files.
fn scratch_files() -> Vec<String> {
    let own = format!("-{}-", std::process::id());
    let files = fs::read_dir(env::temp_dir()).expect("list temporary files");
    let names =
        files.filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned()));
    names.filter(|name| name.contains(&own)).collect()
}

/// Waits until what goes away in its own time has gone.
pub(crate) fn eventually_none(what: &str, mut left: impl FnMut() -> Vec<String>) {
    let begun = Instant::now();
    loop {
        let left = left();
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "left: {what} {left:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
