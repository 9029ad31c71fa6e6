//! A sandbox once more: the engine's document for a new container, from what it says of an old one.
//!
//! Podman describes a container otherwise than it was asked for it, and each difference is
//! absorbed here: `Binds` in place of `Mounts` (both engines list the mounts themselves), mount
//! options of its own on each tmpfs, memory file systems that come with a read-only root, a
//! `HOSTNAME` in the environment, the port it has picked where Docker shows none. What it folds
//! into something else or leaves out, capabilities and devices, comes from a label of ours.

use crate::container::labels;
use crate::container::specs::Tmpfs;
use crate::wire::json;
use crate::wire::value::Value;

/// What of `Config` goes over as it is.
const CONFIG_KEYS: [&str; 8] = [
    "Labels",
    "User",
    "WorkingDir",
    "Entrypoint",
    "Cmd",
    "StopTimeout",
    "StopSignal",
    "ExposedPorts",
];

/// What of `HostConfig` goes over as it is.
const HOST_KEYS: [&str; 11] = [
    "Init",
    "AutoRemove",
    "SecurityOpt",
    "ReadonlyRootfs",
    "PortBindings",
    "GroupAdd",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "RestartPolicy",
];

/// What our label says of it.
const ASKED_KEYS: [&str; 3] = ["CapDrop", "CapAdd", "Devices"];

/// Limits, of which zero and less is none.
const LIMIT_KEYS: [&str; 3] = ["PidsLimit", "Memory", "NanoCpus"];

/// The document for a new container of `image` that is like the inspected one.
pub(super) fn document(found: &Value, image: &str) -> Value {
    let mut document = vec![
        ("Image", Value::from(image)),
        ("Env", Value::from(environment(found))),
        ("HostConfig", host_config(found)),
    ];
    document.extend(given(found.get("Config"), &CONFIG_KEYS));
    Value::object(document)
}

/// The members of an object that say something.
fn given(object: Option<&Value>, keys: &[&'static str]) -> Vec<(&'static str, Value)> {
    let member = |key: &&'static str| {
        let value = object?.get(key)?;
        let says_nothing = value.is_null() || value.as_str() == Some("");
        (!says_nothing).then(|| (*key, value.clone()))
    };
    keys.iter().filter_map(member).collect()
}

/// The variables, without the name that the old container had on the network.
fn environment(found: &Value) -> Vec<String> {
    let host = found.str_at(&["Config", "Hostname"]).unwrap_or_default();
    let host = format!("HOSTNAME={host}");
    let env = found.array_at(&["Config", "Env"]).unwrap_or_default();
    env.iter()
        .filter_map(Value::as_str)
        .filter(|pair| *pair != host)
        .map(str::to_owned)
        .collect()
}

fn host_config(found: &Value) -> Value {
    let host = found.get("HostConfig");
    let label = found.str_at(&["Config", "Labels", labels::ASKED]);
    let asked = label.and_then(|label| json::parse(label.as_bytes()).ok());
    let mut config = given(host, &HOST_KEYS);
    config.extend(given(asked.as_ref(), &ASKED_KEYS));
    let network = host.and_then(|host| host.str_at(&["NetworkMode"]));
    // Either name is the default network of one of the engines.
    let network = match network {
        None | Some("" | "bridge") => "default",
        Some(other) => other,
    };
    config.push(("NetworkMode", Value::from(network)));
    config.push(("Mounts", Value::Array(mounts(found))));
    let tmpfs = tmpfs(found);
    let tmpfs = tmpfs
        .iter()
        .map(|mount| (mount.dir.as_str(), format!("{},exec", mount.options).into()));
    config.push(("Tmpfs", Value::object(tmpfs)));
    let limit = |key: &&'static str| {
        let limit = host?.i64_at(&[key]).filter(|limit| 0 < *limit)?;
        Some((*key, Value::from(limit)))
    };
    config.extend(LIMIT_KEYS.iter().filter_map(limit));
    Value::object(config)
}

/// Host paths and volumes with a name. One without a name begins anew, as what is in the
/// container does.
fn mounts(found: &Value) -> Vec<Value> {
    let all = found.array_at(&["Mounts"]).unwrap_or_default();
    let mount = |mount: &Value| {
        let source = match mount.str_at(&["Type"])? {
            "bind" => mount.str_at(&["Source"])?,
            "volume" => mount.str_at(&["Name"]).filter(|name| !is_anonymous(name))?,
            _ => return None,
        };
        Some(Value::object([
            ("Type", Value::from(mount.str_at(&["Type"])?)),
            ("Source", Value::from(source)),
            ("Target", Value::from(mount.str_at(&["Destination"])?)),
            ("ReadOnly", Value::from(!mount.bool_at(&["RW"])?)),
        ]))
    };
    all.iter().filter_map(mount).collect()
}

fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The directories in memory that were asked for. Ours may all execute files, which tells them
/// from those that Podman adds to a read-only root.
pub(super) fn tmpfs(found: &Value) -> Vec<Tmpfs> {
    let all = found.at(&["HostConfig", "Tmpfs"]);
    let all = all.and_then(Value::as_object).into_iter();
    let mount = |(dir, options): (&str, &Value)| {
        let options: Vec<_> = options.as_str()?.split(',').collect();
        options.contains(&"exec").then(|| Tmpfs {
            dir: dir.to_owned(),
            options: asked_for(&options),
        })
    };
    all.flat_map(|all| all.iter()).filter_map(mount).collect()
}

fn asked_for(options: &[&str]) -> String {
    let ours = |option: &&&str| option.starts_with("size=") || option.starts_with("mode=");
    let ours: Vec<_> = options.iter().filter(ours).copied().collect();
    ours.join(",")
}

/// Whether one of its host ports can be bound by one container at a time.
pub(super) fn has_ports(found: &Value) -> bool {
    let bindings = found.at(&["HostConfig", "PortBindings"]);
    let bindings = bindings.and_then(Value::as_object);
    bindings.is_some_and(|bindings| !bindings.is_empty())
}

/// Whether the engine removes it as soon as it stops.
pub(super) fn removes_itself(found: &Value) -> bool {
    found.bool_at(&["HostConfig", "AutoRemove"]) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Podman 4.3 says of a sandbox with something of everything.
    const PODMAN: &str = r#"{
        "Mounts": [
            {"Type":"bind","Source":"/h","Destination":"/w:x","Mode":"","RW":true},
            {"Type":"volume","Name":"kept","Source":"/s","Destination":"/k","RW":false},
            {"Type":"volume","Destination":"/a","RW":true,"Name":
             "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"}],
        "HostConfig": {"NetworkMode":"bridge","Init":true,"Memory":0,"PidsLimit":100,
            "Binds":["/h:/w:x:rw,rprivate,rbind"],"CapAdd":[],"CapDrop":["CHOWN"],"Dns":null,
            "PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"39113"}]},
            "Tmpfs":{"/run":"rw,rprivate,nosuid,nodev,tmpcopyup",
                     "/s":"size=9,mode=1777,exec,rw,rprivate,nosuid,nodev,tmpcopyup"}},
        "Config": {"Hostname":"30c8d1383fbf","Env":["A=b","HOSTNAME=30c8d1383fbf"],"User":"",
            "Entrypoint":["sleep","infinity"],"Cmd":[],"StopSignal":"15","Labels":{"a":"b",
            "pocketdock.asked":"{\"CapDrop\":[\"ALL\"]}"}}}"#;

    fn replica() -> Value {
        document(&json::parse(PODMAN.as_bytes()).unwrap(), "x")
    }

    #[test]
    fn what_was_asked_for_goes_over() {
        let document = replica();
        assert_eq!(document.str_at(&["Image"]), Some("x"));
        assert_eq!(document.get("User"), None);
        assert_eq!(document.str_at(&["Labels", "a"]), Some("b"));
        assert_eq!(document.get("Cmd"), Some(&Value::Array(Vec::new())));
        let host = document.get("HostConfig").unwrap();
        assert_eq!(host.u64_at(&["PidsLimit"]), Some(100));
        assert_eq!(host.get("Memory"), None);
        assert_eq!(host.str_at(&["NetworkMode"]), Some("default"));
        assert_eq!(host.str_at(&["Tmpfs", "/s"]), Some("size=9,mode=1777,exec"));
        assert_eq!(host.get("Dns"), None);
        let all = Value::from(vec!["ALL".to_owned()]);
        assert_eq!(
            (host.get("CapDrop"), host.get("CapAdd")),
            (Some(&all), None)
        );
    }

    #[test]
    fn what_belongs_to_the_old_container_does_not() {
        let document = replica();
        let env = document.array_at(&["Env"]).unwrap();
        assert_eq!(env, [Value::from("A=b")]);
        let host = document.get("HostConfig").unwrap();
        assert_eq!(host.str_at(&["Tmpfs", "/run"]), None);
        let mounts = json::to_string(host.get("Mounts").unwrap());
        let bind = r#"{"Type":"bind","Source":"/h","Target":"/w:x","ReadOnly":false}"#;
        let volume = r#"{"Type":"volume","Source":"kept","Target":"/k","ReadOnly":true}"#;
        assert_eq!(mounts, format!("[{bind},{volume}]"));
    }

    #[test]
    fn network_modes() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("none",        "none"),
            ("bridge",      "default"),
            ("default",     "default"),
            ("slirp4netns", "slirp4netns"),
        ];
        for (mode, want) in cases {
            let found = format!(r#"{{"HostConfig":{{"NetworkMode":"{mode}"}}}}"#);
            let replica = document(&json::parse(found.as_bytes()).unwrap(), "x");
            assert_eq!(
                replica.str_at(&["HostConfig", "NetworkMode"]),
                Some(want),
                "{mode}"
            );
        }
    }
}
