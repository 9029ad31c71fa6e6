//! What a sandbox shares with its host, in the forms a person types: ports, volumes, devices,
//! tmpfs mounts.
//!
//! ```text
//! port     [ADDR:][HOST]:CONTAINER[/tcp|/udp]   HOST empty or 0: the engine picks
//! volume   HOST:CONTAINER[:ro|:rw]
//! device   HOST[:CONTAINER[:rwm]]
//! tmpfs    DIR[:size=SIZE,mode=MODE]
//! ```
//!
//! Whether a host path exists is checked when the sandbox is created, not here.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::wire::digits;
use crate::wire::size::parse_size;

/// A port of the sandbox that the host publishes.
///
/// ```
/// use pocketdock_core::Port;
///
/// let web: Port = "8080:80".parse()?;
/// assert_eq!(web, Port::new(8080, 80));
/// assert!("80:".parse::<Port>().is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    pub(crate) address: IpAddr,
    /// 0: the engine picks one.
    pub(crate) host: u16,
    pub(crate) container: u16,
    pub(crate) udp: bool,
}

impl Port {
    /// TCP port `container` on the host's loopback address; `host` 0 lets the engine pick.
    #[must_use]
    pub fn new(host: u16, container: u16) -> Self {
        Port {
            address: IpAddr::from([127, 0, 0, 1]),
            host,
            container,
            udp: false,
        }
    }

    /// Publishes on this address of the host instead of its loopback.
    ///
    /// ```
    /// use pocketdock_core::Port;
    ///
    /// let dns = Port::new(5353, 53).udp().address([0, 0, 0, 0].into());
    /// assert_eq!("0.0.0.0:5353:53/udp".parse::<Port>()?, dns);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Publishes a UDP port.
    #[must_use]
    pub fn udp(mut self) -> Self {
        self.udp = true;
        self
    }

    /// The container's side as the engine writes it, such as `80/tcp`.
    pub(crate) fn container_key(&self) -> String {
        format!(
            "{}/{}",
            self.container,
            if self.udp { "udp" } else { "tcp" }
        )
    }
}

impl FromStr for Port {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse_port(text).ok_or_else(|| {
            Error::invalid(
                "port",
                text,
                "expected [ADDR:][HOST]:CONTAINER[/udp], as 8080:80",
            )
        })
    }
}

fn parse_port(text: &str) -> Option<Port> {
    let (ports, udp) = match text.split_once('/') {
        None => (text, false),
        Some((ports, "tcp")) => (ports, false),
        Some((ports, "udp")) => (ports, true),
        Some(_) => return None,
    };
    let (rest, container) = ports.rsplit_once(':')?;
    let (address, host) = match rest.rsplit_once(':') {
        None => (None, rest),
        Some((address, host)) => (Some(address), host),
    };
    let address = match address {
        None => IpAddr::from([127, 0, 0, 1]),
        Some(address) => {
            let bare = address
                .strip_prefix('[')
                .and_then(|inner| inner.strip_suffix(']'));
            bare.unwrap_or(address).parse().ok()?
        }
    };
    let host = if host.is_empty() {
        0
    } else {
        port_number(host)?
    };
    let container = port_number(container).filter(|&number| number != 0)?;
    Some(Port {
        address,
        host,
        container,
        udp,
    })
}

fn port_number(text: &str) -> Option<u16> {
    u16::try_from(digits::decimal(text.as_bytes())?).ok()
}

/// A file or directory of the host that the sandbox sees.
///
/// ```
/// use std::path::Path;
/// use pocketdock_core::Volume;
///
/// let volume: Volume = "/srv/data:/data:ro".parse()?;
/// assert_eq!(volume, Volume::new(Path::new("/srv/data"), "/data").read_only());
/// assert!("/srv/data:relative".parse::<Volume>().is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub(crate) host: PathBuf,
    pub(crate) container: String,
    pub(crate) read_only: bool,
}

impl Volume {
    /// Mounts `host` at the absolute path `container`, for reading and writing.
    #[must_use]
    pub fn new(host: &Path, container: &str) -> Self {
        Volume {
            host: host.to_owned(),
            container: container.to_owned(),
            read_only: false,
        }
    }

    /// Lets the sandbox read it only.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }
}

impl FromStr for Volume {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = || Error::invalid("volume", text, "expected HOST:CONTAINER[:ro|:rw]");
        let (rest, read_only) = match text.rsplit_once(':') {
            Some((rest, "ro")) => (rest, true),
            Some((rest, "rw")) => (rest, false),
            _ => (text, false),
        };
        let (host, container) = rest.split_once(':').ok_or_else(form)?;
        if host.is_empty() || !is_absolute(container) || container.contains(':') {
            return Err(form());
        }
        Ok(Volume {
            host: host.into(),
            container: container.to_owned(),
            read_only,
        })
    }
}

/// A device of the host that the sandbox may use.
///
/// ```
/// use std::path::Path;
/// use pocketdock_core::Device;
///
/// let device: Device = "/dev/ttyUSB0".parse()?;
/// assert_eq!(device, Device::new(Path::new("/dev/ttyUSB0")));
/// assert!("/dev/ttyUSB0:/dev/tty0:x".parse::<Device>().is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub(crate) host: PathBuf,
    pub(crate) container: String,
    pub(crate) permissions: String,
}

impl Device {
    /// The device `host` under the same name, to read, write and make nodes of.
    #[must_use]
    pub fn new(host: &Path) -> Self {
        let container = host.to_string_lossy().into_owned();
        Device {
            host: host.to_owned(),
            container,
            permissions: "rwm".to_owned(),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = || Error::invalid("device", text, "expected HOST[:CONTAINER[:rwm]]");
        let mut parts = text.splitn(3, ':');
        let host = parts
            .next()
            .filter(|host| !host.is_empty())
            .ok_or_else(form)?;
        let container = parts.next().unwrap_or(host);
        let permissions = parts.next().unwrap_or("rwm");
        // Podman refuses a letter that is given twice.
        let known = permissions
            .chars()
            .all(|letter| "rwm".contains(letter) && permissions.matches(letter).count() == 1);
        if !is_absolute(container) || permissions.is_empty() || !known {
            return Err(form());
        }
        Ok(Device {
            host: host.into(),
            container: container.to_owned(),
            permissions: permissions.to_owned(),
        })
    }
}

/// A directory of the sandbox that lies in memory.
///
/// ```
/// use pocketdock_core::Tmpfs;
///
/// let scratch: Tmpfs = "/scratch:size=64m,mode=1777".parse()?;
/// assert_eq!("/tmp".parse::<Tmpfs>()?, Tmpfs::new("/tmp"));
/// assert!("/scratch:fast".parse::<Tmpfs>().is_err());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    pub(crate) dir: String,
    /// In the form of mount options.
    pub(crate) options: String,
}

impl Tmpfs {
    /// A directory that everybody may write to, as large as half of the memory.
    #[must_use]
    pub fn new(dir: &str) -> Self {
        Tmpfs {
            dir: dir.to_owned(),
            options: "mode=1777".to_owned(),
        }
    }

    /// Its mode in octal.
    pub(crate) fn mode(&self) -> &str {
        let mut options = self.options.split(',');
        let mode = options.find_map(|option| option.strip_prefix("mode="));
        mode.unwrap_or("1777")
    }
}

impl FromStr for Tmpfs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let form = || Error::invalid("tmpfs", text, "expected DIR[:size=SIZE,mode=MODE]");
        let (dir, given) = text.split_once(':').unwrap_or((text, ""));
        if !is_absolute(dir) {
            return Err(form());
        }
        let mut options = Vec::new();
        for option in given.split(',').filter(|_| text.contains(':')) {
            options.push(match option.split_once('=') {
                Some(("size", size)) => format!("size={}", parse_size(size).map_err(|_| form())?),
                Some(("mode", mode)) if mode.len() <= 4 => {
                    let bits = digits::octal(mode.as_bytes()).ok_or_else(form)?;
                    format!("mode={bits:o}")
                }
                _ => return Err(form()),
            });
        }
        if !given.contains("mode=") {
            options.push("mode=1777".to_owned());
        }
        Ok(Tmpfs {
            dir: dir.to_owned(),
            options: options.join(","),
        })
    }
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') && !path.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let any = IpAddr::from([0, 0, 0, 0]);
        #[rustfmt::skip] // one case per line
        let cases = [
            ("8080:80",            Port::new(8080, 80)),
            (":80",                Port::new(0, 80)),
            ("0:80/tcp",           Port::new(0, 80)),
            ("53:53/udp",          Port::new(53, 53).udp()),
            ("0.0.0.0:1:65535",    Port::new(1, 65535).address(any)),
            ("127.0.0.1::80",      Port::new(0, 80)),
            ("[::1]:8080:80",      Port::new(8080, 80).address("::1".parse().unwrap())),
        ];
        for (text, want) in cases {
            assert_eq!(text.parse::<Port>().unwrap(), want, "{text}");
        }
    }

    #[test]
    fn malformed_ports_are_named() {
        for text in [
            "", "80", "80:", "a:80", "80:0", "65536:80", "80:65536", "1:2:3:4", "80:80/x", "+1:80",
        ] {
            let message = text.parse::<Port>().unwrap_err().to_string();
            assert!(message.contains(&format!("'{text}'")), "{message}");
            assert!(message.contains("[ADDR:][HOST]:CONTAINER"), "{message}");
        }
    }

    #[test]
    fn volumes() {
        let read_only: Volume = "/a b:/c:ro".parse().unwrap();
        assert_eq!(read_only, Volume::new(Path::new("/a b"), "/c").read_only());
        assert_eq!(
            "x:/c:rw".parse::<Volume>().unwrap(),
            Volume::new(Path::new("x"), "/c")
        );
        for text in ["", "/x", ":/x", "/x:", "/x:y", "/x:/y:zz", "/x:/y:ro:ro"] {
            assert!(text.parse::<Volume>().is_err(), "{text}");
        }
    }

    #[test]
    fn devices() {
        let null = Device::new(Path::new("/dev/null"));
        assert_eq!("/dev/null".parse::<Device>().unwrap(), null);
        assert_eq!("/dev/null:/dev/null:rwm".parse::<Device>().unwrap(), null);
        for text in [
            "",
            ":/x",
            "/dev/null:x",
            "/dev/null:/x:",
            "/dev/null:/x:q",
            "/dev/null:/x:rr",
        ] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }

    #[test]
    fn tmpfs_mounts() {
        let options = |text: &str| text.parse::<Tmpfs>().unwrap().options;
        assert_eq!(options("/t"), "mode=1777");
        assert_eq!(options("/t:size=1m"), "size=1048576,mode=1777");
        assert_eq!(options("/t:size=16k,mode=0700"), "size=16384,mode=700");
        for text in [
            "",
            "t",
            "/t:",
            "/t:size=lots",
            "/t:mode=9",
            "/t:mode=77777",
            "/t:exec",
        ] {
            assert!(text.parse::<Tmpfs>().is_err(), "{text}");
        }
    }
}
