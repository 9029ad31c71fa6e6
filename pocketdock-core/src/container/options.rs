//! What a sandbox should be: [`CreateOptions`].
//!
//! Everything is checked before the engine hears of it, see `plan`. What is left out gets these
//! defaults:
//! the image of the profile minimal-python, no network, 1024 processes, commands limited to 30 s,
//! a placeholder as the first process under an init that reaps orphans, and no new privileges
//! ever.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::container::specs::{Device, Port, Tmpfs, Volume};

/// How long a command may take if neither it nor its sandbox says otherwise.
///
/// ```
/// use pocketdock_core::CreateOptions;
/// use pocketdock_core::container::options::DEFAULT_TIMEOUT;
///
/// let patient = CreateOptions::new().timeout(4 * DEFAULT_TIMEOUT);
/// ```
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How a sandbox is made.
///
/// ```
/// use std::time::Duration;
/// use pocketdock_core::{CreateOptions, Port};
///
/// let options = CreateOptions::new()
///     .profile("minimal-python")
///     .name("web")
///     .mem_limit("256m")
///     .port(Port::new(8080, 80))
///     .timeout(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Default)]
pub struct CreateOptions {
    pub(super) image: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) name: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) mem_limit: Option<String>,
    pub(super) cpu_percent: u32,
    pub(super) pids_limit: Option<u64>,
    pub(super) persist: bool,
    pub(super) keep: bool,
    pub(super) project: Option<String>,
    pub(super) volumes: Vec<Volume>,
    pub(super) devices: Vec<Device>,
    pub(super) ports: Vec<Port>,
    pub(super) tmpfs: Vec<Tmpfs>,
    pub(super) env: Vec<(String, String)>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) workdir: Option<String>,
    pub(super) user: Option<String>,
    pub(super) network: Option<bool>,
    pub(super) read_only: bool,
    pub(super) cap_drop: Vec<String>,
    pub(super) cap_add: Vec<String>,
    pub(super) hardened: bool,
    pub(super) ttl: Option<Duration>,
    pub(super) no_init: bool,
    pub(super) command: Vec<String>,
    pub(super) idle_timeout: Option<Duration>,
    /// The directory of its instance.
    pub(super) data_path: Option<PathBuf>,
}

impl CreateOptions {
    /// The defaults, as the module says.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this image instead of a profile's. It must be there already: nothing is pulled.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().image("debian:trixie-slim");
    /// ```
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.image = Some(image.to_owned());
        self
    }

    /// Uses the image and the network default of this profile.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().profile("minimal-python");
    /// ```
    #[must_use]
    pub fn profile(mut self, profile: &str) -> Self {
        self.profile = Some(profile.to_owned());
        self
    }

    /// Names the sandbox; `pd-` and eight random digits if not given.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().name("box");
    /// ```
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Limits its commands to this long unless they say otherwise; zero is no limit.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().timeout(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits its memory to a size such as `256m` or `1.5g`; `0` is no limit.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().mem_limit("1.5g");
    /// ```
    #[must_use]
    pub fn mem_limit(mut self, size: &str) -> Self {
        self.mem_limit = Some(size.to_owned());
        self
    }

    /// Limits its processor time; 100 is one core, 0 no limit.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().cpu_percent(150);
    /// ```
    #[must_use]
    pub fn cpu_percent(mut self, percent: u32) -> Self {
        self.cpu_percent = percent;
        self
    }

    /// Limits how many processes and threads it has at once; 0 is no limit.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().pids_limit(64);
    /// ```
    #[must_use]
    pub fn pids_limit(mut self, count: u64) -> Self {
        self.pids_limit = Some(count);
        self
    }

    /// Makes it to be stopped and resumed, and to outlive its maker.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().name("box").persist();
    /// ```
    #[must_use]
    pub fn persist(mut self) -> Self {
        self.persist = true;
        self
    }

    /// Lets it outlive its maker: dropping the handle does not remove it.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().name("box").keep();
    /// ```
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.keep = true;
        self
    }

    /// Files it under this project.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().project("web");
    /// ```
    #[must_use]
    pub fn project(mut self, project: &str) -> Self {
        self.project = Some(project.to_owned());
        self
    }

    /// Mounts a file or directory of the host, which must exist.
    ///
    /// ```
    /// use std::path::Path;
    /// use pocketdock_core::{CreateOptions, Volume};
    ///
    /// let options = CreateOptions::new().volume(Volume::new(Path::new("."), "/work").read_only());
    /// ```
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.volumes.push(volume);
        self
    }

    /// Hands in a device of the host, which must exist.
    ///
    /// ```
    /// use std::path::Path;
    /// use pocketdock_core::{CreateOptions, Device};
    ///
    /// let options = CreateOptions::new().device(Device::new(Path::new("/dev/ttyUSB0")));
    /// ```
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.devices.push(device);
        self
    }

    /// Publishes a port, which turns the network on.
    ///
    /// ```
    /// use pocketdock_core::{CreateOptions, Port};
    ///
    /// let options = CreateOptions::new().port(Port::new(8080, 80));
    /// ```
    #[must_use]
    pub fn port(mut self, port: Port) -> Self {
        self.ports.push(port);
        self
    }

    /// Puts a directory in memory.
    ///
    /// ```
    /// use pocketdock_core::{CreateOptions, Tmpfs};
    ///
    /// let options = CreateOptions::new().tmpfs(Tmpfs::new("/scratch"));
    /// ```
    #[must_use]
    pub fn tmpfs(mut self, tmpfs: Tmpfs) -> Self {
        self.tmpfs.push(tmpfs);
        self
    }

    /// Sets an environment variable.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().env("LANG", "C.UTF-8");
    /// ```
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a label; those beginning with `pocketdock.` are refused.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().label("team", "web");
    /// ```
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts commands in this absolute directory instead of the image's.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().workdir("/work");
    /// ```
    #[must_use]
    pub fn workdir(mut self, dir: &str) -> Self {
        self.workdir = Some(dir.to_owned());
        self
    }

    /// Runs as this `name`, `uid` or `uid:gid` instead of the image's user.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().user("1000:1000");
    /// ```
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Connects it to the engine's default network.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().network();
    /// ```
    #[must_use]
    pub fn network(mut self) -> Self {
        self.network = Some(true);
        self
    }

    /// Cuts it off every network, whatever its profile says.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().profile("minimal-python").no_network();
    /// ```
    #[must_use]
    pub fn no_network(mut self) -> Self {
        self.network = Some(false);
        self
    }

    /// Makes its root file system read-only.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().read_only();
    /// ```
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Takes a capability away, such as `NET_RAW` or `ALL`.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().cap_drop("NET_RAW");
    /// ```
    #[must_use]
    pub fn cap_drop(mut self, capability: &str) -> Self {
        self.cap_drop.push(capability.to_owned());
        self
    }

    /// Gives a capability, such as `SYS_PTRACE`.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().cap_add("SYS_PTRACE");
    /// ```
    #[must_use]
    pub fn cap_add(mut self, capability: &str) -> Self {
        self.cap_add.push(capability.to_owned());
        self
    }

    /// No capabilities, a read-only root with `/tmp` and the home in memory, no network, 256
    /// processes and 512 MiB unless set otherwise.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().hardened().mem_limit("1g");
    /// ```
    #[must_use]
    pub fn hardened(mut self) -> Self {
        self.hardened = true;
        self
    }

    /// Makes it remove itself after this long, rounded up to a second, with no client alive.
    ///
    /// The engine removes it whenever it stops, so stopping it by hand removes it, too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().ttl(Duration::from_secs(3600));
    /// ```
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Makes it stop itself once no command has run in it for this long, with no client alive.
    ///
    /// Its files stay: it can be resumed, and its time begins anew. Needs a shell in the image.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().persist().idle_timeout(Duration::from_secs(1800));
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Runs its first process without an init, so that orphans are not reaped.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().no_init();
    /// ```
    #[must_use]
    pub fn no_init(mut self) -> Self {
        self.no_init = true;
        self
    }

    /// Runs this as the first process, in place of one that idles. The sandbox stops when it ends.
    ///
    /// ```
    /// use pocketdock_core::CreateOptions;
    ///
    /// let options = CreateOptions::new().command(["redis-server", "--port", "7000"]);
    /// ```
    #[must_use]
    pub fn command<S: Into<String>>(mut self, command: impl IntoIterator<Item = S>) -> Self {
        self.command = command.into_iter().map(Into::into).collect();
        self
    }

    /// The same with this idle timeout, unless it has one or no placeholder to heed it.
    pub(crate) fn idle_timeout_by_default(mut self, timeout: Option<Duration>) -> Self {
        if self.command.is_empty() {
            self.idle_timeout = self.idle_timeout.or(timeout);
        }
        self
    }

    /// Tells it the directory of its instance.
    pub(crate) fn data_path(mut self, dir: &Path) -> Self {
        self.data_path = Some(dir.to_owned());
        self
    }
}
