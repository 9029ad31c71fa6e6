//! [`CreateOptions`] checked, with every default resolved: the `Plan` of a sandbox.
//!
//! All that can be refused without an engine is refused here, before anything is made.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::container::labels;
use crate::container::options::{CreateOptions, DEFAULT_TIMEOUT};
use crate::container::profile::{self, ProfileInfo};
use crate::container::specs::{Device, Volume};
use crate::engine::EngineKind;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::size::{format_duration, parse_size};
use crate::wire::time::Timestamp;

/// How many processes a sandbox may have unless told otherwise.
const DEFAULT_PIDS: u64 = 1024;

/// The same, and its memory, for a hardened one.
const HARDENED_PIDS: u64 = 256;
const HARDENED_MEMORY_BYTES: u64 = 512 * 1024 * 1024;

/// The least memory that engines let a container have: what its start alone takes.
const MEMORY_BYTES_MIN: u64 = 6 * 1024 * 1024;

/// The most memory that the engines can be told of.
const MEMORY_BYTES_MAX: u64 = i64::MAX.unsigned_abs();

/// The most processes that Linux can count.
const PIDS_MAX: u64 = 4_194_304;

/// The longest name.
const NAME_LEN_MAX: usize = 63;

/// The length of an ID in full.
const ID_LEN: usize = 64;

/// The options with every default resolved and every path seen.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) profile: Option<&'static str>,
    pub(super) network: bool,
    pub(super) memory_bytes: u64,
    pub(super) volumes: Vec<(PathBuf, String, bool)>,
    pub(super) devices: Vec<Device>,
    pub(crate) created_at: String,
}

impl Plan {
    /// The devices that are not to be used in every way, with what is allowed. A directory stands
    /// for those in it, by other names.
    pub(crate) fn device_rights(&self) -> Vec<(String, String)> {
        let limited = self.devices.iter().filter(|device| {
            !["r", "w", "m"]
                .iter()
                .all(|right| device.permissions.contains(right))
                && !device.host.is_dir()
        });
        limited
            .map(|device| {
                let host = device.host.to_string_lossy().into_owned();
                (host, device.permissions.clone())
            })
            .collect()
    }
}

impl CreateOptions {
    /// Checks everything that can be checked without an engine and resolves the defaults.
    ///
    /// ```
    /// use pocketdock_core::{CreateOptions, Error};
    ///
    /// let options = CreateOptions::new().profile("minimal-pithon");
    /// assert!(matches!(options.check(), Err(Error::UnknownProfile { .. })));
    /// assert!(CreateOptions::new().mem_limit("256m").check().is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] and [`Error::UnknownProfile`] for a value that cannot be meant;
    /// [`Error::PathNotFound`] for a volume or device that is not there.
    pub fn check(&self) -> Result<()> {
        self.plan().map(drop)
    }

    pub(crate) fn plan(&self) -> Result<Plan> {
        let profile = self.resolved_profile()?;
        let name = match &self.name {
            Some(name) => checked_name(name)?.to_owned(),
            None => format!("pd-{}", host::random_hex::<4>()?),
        };
        self.check_conflicts()?;
        for (name, value) in self.env.iter().chain(&self.labels) {
            check_pair(name, value)?;
        }
        if let Some((name, _)) = self
            .labels
            .iter()
            .find(|(name, _)| name.starts_with(labels::PREFIX))
        {
            return Err(Error::invalid(
                "label",
                name,
                "labels of this prefix are reserved",
            ));
        }
        if let Some(dir) = self.workdir.as_ref().filter(|dir| !is_absolute(dir)) {
            return Err(Error::invalid("workdir", dir, "expected an absolute path"));
        }
        if let Some(user) = self.user.as_ref().filter(|user| !is_user(user)) {
            let form = "expected a user such as nobody, 1000 or 1000:1000";
            return Err(Error::invalid("user", user, form));
        }
        self.check_pids()?;
        self.check_ports()?;
        self.check_mount_points()?;
        let image = match (&self.image, profile) {
            (Some(image), _) => checked_image(image)?.to_owned(),
            (None, Some(profile)) => profile.image_tag.to_owned(),
            (None, None) => profile::DEFAULT_PROFILE.image_tag.to_owned(),
        };
        Ok(Plan {
            name,
            image,
            profile: profile.map(|profile| profile.name),
            network: self.wants_network(profile),
            memory_bytes: self.memory_bytes()?,
            volumes: self
                .volumes
                .iter()
                .map(existing_volume)
                .collect::<Result<_>>()?,
            devices: self
                .devices
                .iter()
                .map(existing_device)
                .collect::<Result<_>>()?,
            created_at: Timestamp::from(host::now()).to_string(),
        })
    }

    fn resolved_profile(&self) -> Result<Option<&'static ProfileInfo>> {
        match (&self.image, &self.profile) {
            (Some(_), Some(profile)) => Err(Error::invalid(
                "profile",
                profile,
                "an image was given as well, choose one",
            )),
            (Some(_), None) => Ok(None),
            (None, Some(profile)) => profile::resolve_profile(profile).map(Some),
            (None, None) => Ok(Some(profile::DEFAULT_PROFILE)),
        }
    }

    /// The engines find out at the start, and not all say which port it is.
    fn check_ports(&self) -> Result<()> {
        let mut taken = Vec::new();
        for port in self.ports.iter().filter(|port| port.host != 0) {
            let place = (&port.address, port.host, port.udp);
            if taken.contains(&place) {
                let message = format!("the sandbox itself asks for port {} twice", port.host);
                return Err(Error::PortInUse { message });
            }
            taken.push(place);
        }
        Ok(())
    }

    fn check_conflicts(&self) -> Result<()> {
        if let (Some(port), Some(false)) = (self.ports.first(), self.network) {
            let port = port.container_key();
            return Err(Error::invalid(
                "port",
                port,
                "a sandbox without a network has no ports",
            ));
        }
        self.check_idle_timeout()?;
        let Some(ttl) = self.ttl else {
            return Ok(());
        };
        let text = format_duration(ttl);
        if ttl.is_zero() {
            return Err(Error::invalid("ttl", text, "expected more than nothing"));
        }
        if let Some(program) = self.command.first() {
            let reason = format!("it cannot end the sandbox's own command '{program}'");
            return Err(Error::invalid("ttl", text, reason));
        }
        Ok(())
    }

    fn check_idle_timeout(&self) -> Result<()> {
        let Some(timeout) = self.idle_timeout else {
            return Ok(());
        };
        let text = format_duration(timeout);
        if timeout.is_zero() {
            let form = "expected more than nothing";
            return Err(Error::invalid("idle timeout", text, form));
        }
        if let Some(program) = self.command.first() {
            let reason = format!("it cannot end the sandbox's own command '{program}'");
            return Err(Error::invalid("idle timeout", text, reason));
        }
        Ok(())
    }

    fn wants_network(&self, profile: Option<&ProfileInfo>) -> bool {
        let default = profile.is_some_and(|profile| profile.network_default) && !self.hardened;
        self.network.unwrap_or(default || !self.ports.is_empty())
    }

    fn memory_bytes(&self) -> Result<u64> {
        let Some(size) = &self.mem_limit else {
            return Ok(if self.hardened {
                HARDENED_MEMORY_BYTES
            } else {
                0
            });
        };
        let invalid = |reason: String| Error::invalid("memory limit", size, reason);
        match parse_size(size).map_err(|error| invalid(error.to_string()))? {
            1..MEMORY_BYTES_MIN => Err(invalid("expected 6m or more, or 0 for no limit".into())),
            bytes if MEMORY_BYTES_MAX < bytes => Err(invalid(
                "expected less than 8192p, or 0 for no limit".into(),
            )),
            bytes => Ok(bytes),
        }
    }

    /// Docker takes one of two mounts at the same place and does not say which.
    fn check_mount_points(&self) -> Result<()> {
        let mut taken = Vec::new();
        for (what, target) in self.mount_targets() {
            let place = mount_point(what, target)?;
            if taken.contains(&place) {
                let reason = "something else is mounted there already";
                return Err(Error::invalid(what, target, reason));
            }
            taken.push(place);
        }
        Ok(())
    }

    /// What is asked to be mounted, and where.
    pub(super) fn mount_targets(&self) -> Vec<(&'static str, &str)> {
        let mut targets = Vec::new();
        for volume in &self.volumes {
            targets.push(("volume", volume.container.as_str()));
        }
        for tmpfs in &self.tmpfs {
            targets.push(("tmpfs", tmpfs.dir.as_str()));
        }
        targets
    }

    fn check_pids(&self) -> Result<()> {
        let pids = self.pids();
        if PIDS_MAX < pids {
            let form = format!("expected at most {PIDS_MAX}, or 0 for no limit");
            return Err(Error::invalid("process limit", pids.to_string(), form));
        }
        Ok(())
    }

    pub(super) fn pids(&self) -> u64 {
        let default = if self.hardened {
            HARDENED_PIDS
        } else {
            DEFAULT_PIDS
        };
        self.pids_limit.unwrap_or(default)
    }

    /// The same with a name, a random one if none is given.
    pub(crate) fn named(self) -> Result<Self> {
        match self.name {
            Some(_) => Ok(self),
            None => {
                let name = self.plan()?.name;
                Ok(self.name(&name))
            }
        }
    }

    /// The project given, if any.
    pub(crate) fn project_given(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The name given, if any.
    pub(crate) fn name_given(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the sandbox outlives its handle.
    pub(crate) fn outlives_maker(&self) -> bool {
        self.persist || self.keep
    }

    /// Whether the sandbox is gone by itself some day.
    pub(crate) fn removes_itself(&self) -> bool {
        self.ttl.is_some()
    }

    /// Whether an init should be the first process.
    pub(crate) fn wants_init(&self) -> bool {
        !self.no_init
    }

    /// Whether the home directory has to be found out, to put it in memory.
    pub(crate) fn wants_home(&self) -> bool {
        self.hardened
    }

    /// The share of processors given, in percent of one.
    pub(crate) fn cpu_percent_given(&self) -> u32 {
        self.cpu_percent
    }

    /// The user given, if any.
    pub(crate) fn user_given(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The limit for commands; `None` is no limit.
    pub(crate) fn command_timeout(&self) -> Option<Duration> {
        Some(self.timeout.unwrap_or(DEFAULT_TIMEOUT)).filter(|timeout| !timeout.is_zero())
    }
}

/// Whether `name` can name a sandbox.
///
/// ```
/// use pocketdock_core::container::plan::checked_name;
///
/// assert_eq!(checked_name("web-1")?, "web-1");
/// for name in ["", "x", "-web", "a/b", "two words"] {
///     assert!(checked_name(name).is_err());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless it is a letter or digit and 1 to 62 letters, digits, `_`,
/// `.` or `-`.
pub fn checked_name(name: &str) -> Result<&str> {
    let mut bytes = name.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if first && rest && (2..=NAME_LEN_MAX).contains(&name.len()) {
        return Ok(name);
    }
    let form =
        "expected 2 to 63 letters, digits, '_', '.' or '-', beginning with a letter or digit";
    Err(Error::invalid("name", name, form))
}

/// Whether `reference` can lead to a sandbox: its name, or its ID in part or in full.
///
/// Anything else could reach another endpoint of the engine than the one that is meant.
///
/// ```
/// use pocketdock_core::container::plan::checked_reference;
///
/// assert_eq!(checked_reference("web-1")?, "web-1");
/// assert!(checked_reference(&"0a".repeat(32)).is_ok());
/// assert!(checked_reference("../web").is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// As [`checked_name`], but for an ID in full.
pub fn checked_reference(reference: &str) -> Result<&str> {
    let is_id = reference.len() == ID_LEN && reference.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id {
        Ok(reference)
    } else {
        checked_name(reference)
    }
}

/// Whether `image` can be the name or the ID of an image; the engine says whether there is one.
///
/// ```
/// use pocketdock_core::container::plan::checked_image;
///
/// assert_eq!(checked_image("debian:trixie-slim")?, "debian:trixie-slim");
/// assert!(checked_image("../info").is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::InvalidArgument`] if it has a character that no name has, or an empty part.
pub fn checked_image(image: &str) -> Result<&str> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/:@".contains(&byte);
    // Whatever else is wrong with it: the engine has to be asked about the right thing.
    let mut parts = image.split('/');
    let is_path = parts.all(|part| !matches!(part, "" | "." | ".."));
    if is_path && image.bytes().all(known) && !image.starts_with(['-', ':']) {
        return Ok(image);
    }
    Err(Error::invalid(
        "image",
        image,
        "expected a name such as debian:trixie-slim or an ID",
    ))
}

fn check_pair(name: &str, value: &str) -> Result<()> {
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        let pair = format!("{name}={value}");
        return Err(Error::invalid(
            "variable or label",
            pair,
            "expected NAME=VALUE without NUL",
        ));
    }
    Ok(())
}

fn existing_volume(volume: &Volume) -> Result<(PathBuf, String, bool)> {
    let host = existing(&volume.host)?;
    let target = &volume.container;
    Ok((host, target.clone(), volume.read_only))
}

/// A path as the engine walks it, without detours: the names on the way, each behind a slash.
pub(crate) fn way_to(target: &str) -> String {
    let mut way = Vec::new();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(way.pop()),
            name => way.push(name),
        }
    }
    way.iter().map(|name| format!("/{name}")).collect()
}

/// The same for a mount point.
fn mount_point(what: &'static str, target: &str) -> Result<String> {
    let way = way_to(target);
    // The root is refused by Docker, too; Podman would hide the image and go on.
    if is_absolute(target) && !way.is_empty() {
        return Ok(way);
    }
    let form = "expected an absolute path in the sandbox, other than its root";
    Err(Error::invalid(what, target, form))
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') && !path.contains('\0')
}

/// `USER[:GROUP]`, names or numbers.
fn is_user(text: &str) -> bool {
    let is_word = |part: &str| {
        let other = |c: char| c.is_whitespace() || c.is_control() || c == ':';
        !part.is_empty() && !part.contains(other)
    };
    match text.split_once(':') {
        Some((user, group)) => is_word(user) && is_word(group),
        None => is_word(text),
    }
}

fn existing_device(device: &Device) -> Result<Device> {
    let host = existing(&device.host)?;
    let kind = host
        .metadata()
        .map_err(|error| Error::io(format!("look at '{}'", host.display()), error))?
        .file_type();
    // A directory stands for the devices in it.
    if kind.is_char_device() || kind.is_block_device() || kind.is_dir() {
        return Ok(device.clone());
    }
    let path = device.host.to_string_lossy();
    Err(Error::invalid("device", path, "it is not a device"))
}

/// The absolute path of something that is there, which has to be text for the engine's document.
fn existing(path: &Path) -> Result<PathBuf> {
    let found = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::PathNotFound {
            path: path.to_owned(),
        },
        _ => Error::io(format!("find '{}'", path.display()), error),
    })?;
    match found.to_str() {
        Some(_) => Ok(found),
        None => Err(Error::invalid(
            "path",
            found.to_string_lossy(),
            "expected a path in UTF-8",
        )),
    }
}

impl Plan {
    /// Refuses what this engine would take for something else.
    ///
    /// Podman 4.3 puts a volume into a line of comma-separated values and takes it apart again:
    /// what stands behind a comma in a path becomes an option, and another directory is mounted.
    /// A line break is a second line to it.
    pub(crate) fn check_for(&self, kind: EngineKind) -> Result<()> {
        let comma = self.volumes.iter().find(|(host, container, _)| {
            let special = [',', '"', '\n', '\r'];
            container.contains(special) || host.to_string_lossy().contains(special)
        });
        match comma {
            Some((host, container, _)) if kind == EngineKind::Podman => Err(Error::invalid(
                "volume",
                format!("{}:{container}", host.display()),
                "Podman cannot mount a path with a comma, a quote or a line break in it",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::specs::{Port, Tmpfs};

    #[test]
    fn names() {
        for name in ["ab", "A1", "pd-0123abcd", "a_b.c-d", &"x".repeat(63)] {
            assert_eq!(checked_name(name).unwrap(), name);
        }
        let long = "x".repeat(64);
        for name in [
            "", "a", "-a", ".a", "a/b", "..", "../x", "a b", "a\nb", "ä1", &long,
        ] {
            assert!(checked_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn references() {
        let id = "0123456789abcdef".repeat(4);
        for reference in ["web", "0123456789ab", &id] {
            assert_eq!(checked_reference(reference).unwrap(), reference);
        }
        for reference in ["", "..", "a/b", "a\nb", "-a", &"x".repeat(64)] {
            let message = checked_reference(reference).unwrap_err().to_string();
            let value = format!("'{}'", reference.escape_debug());
            assert!(message.contains(&value), "{message}");
        }
    }

    #[test]
    fn mount_points() {
        for target in ["/a", "/a/../b", "//a/"] {
            assert!(mount_point("volume", target).is_ok(), "{target}");
        }
        for target in ["", "a", "/", "//", "/.", "/a/..", "/a/../..", "/a\0"] {
            assert!(mount_point("volume", target).is_err(), "{target}");
        }
        let twice = |volume, tmpfs| {
            let options = CreateOptions::new().volume(Volume::new(Path::new("/tmp"), volume));
            options.tmpfs(Tmpfs::new(tmpfs)).check()
        };
        assert!(twice("/x", "/x/y").is_ok());
        let message = twice("/x", "//y/../x/").unwrap_err().to_string();
        assert!(
            message.contains("tmpfs '//y/../x/': something else"),
            "{message}"
        );
    }

    #[test]
    fn users() {
        for user in ["root", "1000", "1000:1000", "me:staff"] {
            assert!(is_user(user), "{user}");
        }
        for user in ["", ":", "a:", ":b", "a:b:c", "a b", "a\nb", "a\0"] {
            assert!(!is_user(user), "{user}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let options = CreateOptions::new;
        let gone = Volume::new(Path::new("/no/such/dir"), "/x");
        let over_root = Volume::new(Path::new("/tmp"), "/");
        let no_device = Device::new(Path::new("/proc/version"));
        let cases = [
            (options().image("x").profile("minimal-python"), "choose one"),
            (options().profile("nope"), "'nope'"),
            (options().name("../x"), "'../x'"),
            (options().image("a b"), "'a b'"),
            (options().image("../x"), "'../x'"),
            (options().mem_limit("lots"), "'lots'"),
            (options().mem_limit("4m"), "'4m': expected 6m"),
            (options().mem_limit("0.5"), "less than a byte"),
            (options().mem_limit("8192p"), "'8192p': expected less"),
            (options().pids_limit(PIDS_MAX + 1), "4194305"),
            (options().user(""), "user ''"),
            (options().volume(over_root), "volume '/'"),
            (options().tmpfs(Tmpfs::new("/")), "tmpfs '/'"),
            (options().device(no_device), "/proc/version"),
            (options().label("pocketdock.managed", "x"), "reserved"),
            (options().env("a=b", "c"), "a=b=c"),
            (options().workdir("x"), "absolute"),
            (options().volume(gone), "/no/such/dir"),
            (options().no_network().port(Port::new(1, 80)), "80/tcp"),
            (options().ttl(Duration::ZERO), "ttl '0s'"),
            (options().idle_timeout(Duration::ZERO), "idle timeout '0s'"),
            (options().ttl(Duration::from_secs(1)).command(["x"]), "'x'"),
        ];
        for (options, part) in cases {
            let message = options.check().unwrap_err().to_string();
            assert!(message.contains(part), "{message} lacks {part}");
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"pd-plan-test-\xff");
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let options = CreateOptions::new().volume(Volume::new(&dir, "/x"));
        let outcome = options.check();
        std::fs::remove_dir(&dir).unwrap();
        assert!(outcome.unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn what_podman_takes_apart_is_refused_there_only() {
        let plan = |target| {
            let volume = Volume::new(Path::new("/"), target);
            CreateOptions::new().volume(volume).plan().unwrap()
        };
        for target in ["/a,ro", "/a\"b", "/a\nb"] {
            assert!(plan(target).check_for(EngineKind::Podman).is_err());
        }
        assert!(plan("/a,ro").check_for(EngineKind::Docker).is_ok());
        assert!(plan("/a").check_for(EngineKind::Podman).is_ok());
    }
}
