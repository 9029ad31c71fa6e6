//! Every control of [`CreateOptions`] reaches the engine and holds inside: processes and memory,
//! files, identity, what is hardened. Networks are in `network`, lives in `lifecycle`.

use std::fs;
use std::path::Path;

use pocketdock_core::wire::digits;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Container, CreateOptions, Device, Error, Tmpfs, Volume};

use crate::fixture::Live;
use crate::support::scratch::Scratch;

/// What a line prints in the sandbox, without the end of the last line.
fn says(sandbox: &Container, line: &str) -> String {
    let result = sandbox.run(line).unwrap();
    let output = [result.stdout_text(), result.stderr_text()].concat();
    output.trim_end().to_owned()
}

/// Whether a line succeeds in the sandbox.
fn can(sandbox: &Container, line: &str) -> bool {
    sandbox.run(line).unwrap().ok()
}

/// The first of the control group files that is there, version 2 or version 1.
fn limit(sandbox: &Container, v2: &str, v1: &str) -> String {
    says(
        sandbox,
        &format!("cat /sys/fs/cgroup/{v2} 2>/dev/null || cat /sys/fs/cgroup/{v1}"),
    )
}

#[test]
fn memory() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().mem_limit("96m"));
    let bytes = 96 * 1024 * 1024;
    let config = live.inspect(&sandbox);
    assert_eq!(config.u64_at(&["HostConfig", "Memory"]), Some(bytes));
    let inside = limit(&sandbox, "memory.max", "memory/memory.limit_in_bytes");
    assert_eq!(inside, bytes.to_string());
}

#[test]
fn processor_time() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().cpu_percent(50));
    let config = live.inspect(&sandbox);
    assert_eq!(
        config.u64_at(&["HostConfig", "NanoCpus"]),
        Some(500_000_000)
    );
    let inside = says(
        &sandbox,
        "cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || \
         (cd cpu; echo $(cat cpu.cfs_quota_us) $(cat cpu.cfs_period_us))",
    );
    let (quota, period) = inside.split_once(' ').unwrap();
    let (quota, period): (f64, f64) = (quota.parse().unwrap(), period.parse().unwrap());
    assert!((quota / period - 0.5).abs() < 0.001, "{inside}");
}

#[test]
fn processes() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let sandbox = live.create(&live.options().pids_limit(20));
    let config = live.inspect(&sandbox);
    assert_eq!(config.u64_at(&["HostConfig", "PidsLimit"]), Some(20));
    assert_eq!(limit(&sandbox, "pids.max", "pids/pids.max"), "20");
    let swarm = "for i in $(seq 40); do sleep 5 & done; echo all";
    assert!(!says(&sandbox, swarm).contains("all"));

    let unasked = live.sandbox();
    assert_eq!(limit(&unasked, "pids.max", "pids/pids.max"), "1024");
    let unlimited = live.create(&live.options().pids_limit(0).mem_limit("0"));
    assert_eq!(
        live.inspect(&unlimited).u64_at(&["HostConfig", "Memory"]),
        Some(0)
    );
}

#[test]
fn volumes() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let file = scratch.write("dir/file", b"from the host");
    let options = live
        .options()
        .volume(Volume::new(&scratch.join("dir"), "/rw"))
        .volume(Volume::new(&scratch.join("dir"), "/ro").read_only())
        .volume(Volume::new(&file, "/deep/inside/file"));
    let sandbox = live.create(&options);
    assert_eq!(
        says(&sandbox, "cat /rw/file /ro/file /deep/inside/file"),
        "from the host".repeat(3)
    );
    assert!(can(&sandbox, "echo from inside > /rw/new"));
    assert_eq!(fs::read(scratch.join("dir/new")).unwrap(), b"from inside\n");
    assert!(!can(&sandbox, "echo x > /ro/new2"));
    assert!(!can(&sandbox, "echo x > /ro/file"));
    let mounts = live.inspect(&sandbox);
    let mounts = mounts.array_at(&["Mounts"]).unwrap();
    let writable = |target: &str| {
        let mut mounts = mounts.iter();
        let mount = mounts.find(|mount| mount.str_at(&["Destination"]) == Some(target));
        mount.and_then(|mount| mount.bool_at(&["RW"]))
    };
    assert_eq!(
        (writable("/rw"), writable("/ro")),
        (Some(true), Some(false))
    );
}

#[test]
fn volumes_with_odd_names() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    for name in ["a b", "c:d", "g=h", "é", "-i", "q\"r", "s\\t", "u,ro"] {
        let host = scratch.join(name);
        fs::create_dir(&host).unwrap();
        fs::write(host.join("file"), name).unwrap();
        let options = live.options().volume(Volume::new(&host, "/data"));
        if live.is_podman() && name.contains([',', '"']) {
            let refused = live.engine().create(&options);
            assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
            continue;
        }
        let sandbox = live.create(&options);
        assert_eq!(says(&sandbox, "cat /data/file"), name);
    }
}

#[test]
fn devices() {
    let Some(live) = Live::begin() else { return };
    let log: Device = "/dev/kmsg:/dev/pd-log:r".parse().unwrap();
    let options = live
        .options()
        .device(log)
        .device(Device::new(Path::new("/dev/full")));
    let sandbox = live.create(&options);
    assert!(says(&sandbox, "echo x > /dev/full").contains("No space left"));
    if !live.needs_control_groups() {
        return;
    }
    let config = live.inspect(&sandbox);
    let devices = config.array_at(&["HostConfig", "Devices"]).unwrap();
    let of = |host: &str| {
        let mut devices = devices.iter();
        let device = devices.find(|device| device.str_at(&["PathOnHost"]) == Some(host));
        device
            .cloned()
            .unwrap_or_else(|| panic!("no {host} in {devices:?}"))
    };
    assert_eq!(
        of("/dev/kmsg").str_at(&["PathInContainer"]),
        Some("/dev/pd-log")
    );
    if !live.is_podman() {
        assert_eq!(of("/dev/full").str_at(&["CgroupPermissions"]), Some("rwm"));
    }
    assert!(says(&sandbox, "echo x > /dev/pd-log").contains("not permitted"));
}

#[test]
fn directories_in_memory() {
    let Some(live) = Live::begin() else { return };
    let small: Tmpfs = "/small:size=1m,mode=700".parse().unwrap();
    let options = live.options().tmpfs(small).tmpfs(Tmpfs::new("/shared"));
    let sandbox = live.create(&options);
    let mounts = says(&sandbox, "grep ' /s' /proc/mounts");
    for part in [
        "tmpfs /small tmpfs",
        "size=1024k",
        "mode=700",
        "tmpfs /shared tmpfs",
    ] {
        assert!(mounts.contains(part), "{part} in {mounts}");
    }
    let most = "head -c 2000000 /dev/zero 2>/dev/null > /small/x; stat -c %s /small/x";
    assert!(says(&sandbox, most).ends_with("1048576"));
    let run = "cp /bin/busybox /shared/echo && /shared/echo it runs";
    assert_eq!(says(&sandbox, run), "it runs");
    assert_eq!(says(&sandbox, "stat -c %a /shared"), "1777");
    let config = live.inspect(&sandbox);
    assert!(config.at(&["HostConfig", "Tmpfs", "/small"]).is_some());
}

#[test]
fn directories_in_memory_where_the_image_has_some() {
    let Some(live) = Live::begin() else { return };
    // The image's own modes are 755 and 755.
    let closed: Tmpfs = "/etc:mode=700".parse().unwrap();
    let options = live
        .options()
        .tmpfs(closed)
        .tmpfs(Tmpfs::new("/home/sandbox"));
    let sandbox = live.create(&options.user("1000:1000").cap_drop("ALL"));
    assert_eq!(
        says(&sandbox, "stat -c %a /etc /home/sandbox | xargs"),
        "700 1777"
    );
    assert!(can(&sandbox, "echo x > /home/sandbox/x"));
}

#[test]
fn a_read_only_root() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().read_only().tmpfs(Tmpfs::new("/work")));
    assert!(says(&sandbox, "echo x > /etc/x").contains("Read-only"));
    assert!(can(&sandbox, "echo x > /work/x"));
    assert_eq!(
        live.inspect(&sandbox)
            .bool_at(&["HostConfig", "ReadonlyRootfs"]),
        Some(true)
    );
}

/// The capability sets and the no-new-privileges bit of a process in the sandbox.
fn privileges(sandbox: &Container) -> String {
    says(
        sandbox,
        "grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status | cut -f2 | xargs",
    )
}

fn mask(sandbox: &Container) -> u64 {
    let text = privileges(sandbox);
    let effective = text.split(' ').nth(1).expect("the effective set");
    digits::hex(effective.as_bytes()).expect("a mask")
}

const NET_RAW: u64 = 1 << 13;
const CHOWN: u64 = 1;
const SYS_PTRACE: u64 = 1 << 19;

#[test]
fn capabilities() {
    let Some(live) = Live::begin() else { return };
    let plain = mask(&live.sandbox());
    assert_ne!(plain & CHOWN, 0);
    let less = live.options().cap_drop("CHOWN").cap_add("SYS_PTRACE");
    let less = mask(&live.create(&less));
    assert_eq!(less & (CHOWN | SYS_PTRACE), SYS_PTRACE);
    let one = live.options().cap_drop("ALL").cap_add("NET_RAW");
    assert_eq!(mask(&live.create(&one)), NET_RAW);
}

#[test]
fn no_sandbox_gains_privileges() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().user("sandbox"));
    assert!(
        privileges(&sandbox).ends_with(" 1"),
        "{}",
        privileges(&sandbox)
    );
    // A set-uid copy of id gives nobody root.
    let set_uid = "cp /bin/busybox /tmp/id && chmod 4755 /tmp/id";
    assert!(sandbox.exec(set_uid).user("root").run().unwrap().ok());
    assert_eq!(says(&sandbox, "/tmp/id -u"), "1000");
}

#[test]
fn hardened() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().hardened());
    assert_eq!(privileges(&sandbox), format!("{0} {0} 1", "0".repeat(16)));
    assert!(!can(&sandbox, "echo x > /etc/x"));
    assert!(can(
        &sandbox,
        "echo x > /tmp/x && echo x > /root/x && echo x > ~/y"
    ));
    assert_eq!(says(&sandbox, "ls /sys/class/net"), "lo");
    if live.has_control_groups() {
        assert_eq!(limit(&sandbox, "pids.max", "pids/pids.max"), "256");
        let memory = limit(&sandbox, "memory.max", "memory/memory.limit_in_bytes");
        assert_eq!(memory, (512 * 1024 * 1024).to_string());
    }

    let config = live.inspect(&sandbox);
    let host = |key: &str| config.at(&["HostConfig", key]).cloned();
    assert_eq!(host("ReadonlyRootfs"), Some(Value::from(true)));
    assert_eq!(host("NetworkMode"), Some(Value::from("none")));
    let home = live.create(&live.options().hardened().user("sandbox"));
    assert!(can(&home, "echo x > /home/sandbox/x && echo x > /tmp/x"));
    let python = live.create(&live.options().hardened().image(live.python_image()));
    assert!(can(
        &python,
        "cd && touch x && pwd | grep -qx /home/sandbox"
    ));
}

#[test]
fn hardened_with_mounts_of_its_own() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    fs::write(scratch.path().join("theirs"), "theirs").unwrap();
    let hardened = || live.options().hardened().user("sandbox");
    let at_home = hardened().volume(Volume::new(scratch.path(), "/home/sandbox/"));
    let sandbox = live.create(&at_home);
    assert_eq!(says(&sandbox, "cat ~/theirs"), "theirs");
    assert!(can(&sandbox, "echo x > /tmp/x"));
    let small = live.create(&hardened().tmpfs("/tmp/:size=64k".parse().unwrap()));
    assert!(!can(&small, "head -c 1m /dev/zero > /tmp/x"));
    assert!(can(&small, "echo x > ~/x"));
}

#[test]
fn hardened_with_limits_of_its_own() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let options = live.options().hardened().mem_limit("64m").pids_limit(64);
    let sandbox = live.create(&options.cap_add("NET_RAW").network());
    assert_eq!(mask(&sandbox), NET_RAW);
    assert_eq!(limit(&sandbox, "pids.max", "pids/pids.max"), "64");
    assert_ne!(says(&sandbox, "ls /sys/class/net"), "lo");
}

#[test]
fn labels() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().label("team", "a b=c").label("empty", "");
    let sandbox = live.create(
        &options
            .project("demo")
            .timeout(std::time::Duration::from_secs(9)),
    );
    let config = live.inspect(&sandbox);
    let label = |name: &str| config.str_at(&["Config", "Labels", name]);
    assert_eq!(label("team"), Some("a b=c"));
    assert_eq!(label("empty"), Some(""));
    assert_eq!(label("pocketdock.managed"), Some("true"));
    assert_eq!(label("pocketdock.instance"), Some(sandbox.name()));
    assert_eq!(label("pocketdock.persist"), Some("false"));
    assert_eq!(label("pocketdock.project"), Some("demo"));
    assert_eq!(label("pocketdock.timeout"), Some("9000"));
    let owner = label("pocketdock.owner").expect("an owner");
    assert!(owner.contains(&std::process::id().to_string()), "{owner}");
    assert!(label("pocketdock.created-at").is_some_and(|at| at.ends_with('Z')));
    assert_eq!(sandbox.project(), Some("demo"));
    assert!(!sandbox.persist());
}

#[test]
fn all_at_once() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let options = live
        .options()
        .hardened()
        .mem_limit("128m")
        .cpu_percent(150)
        .pids_limit(99)
        .volume(Volume::new(scratch.path(), "/data"))
        .device(Device::new(Path::new("/dev/full")))
        .port("127.0.0.1::80".parse().unwrap())
        .tmpfs(Tmpfs::new("/scratch"))
        .env("A", "1")
        .workdir("/scratch")
        .user("1000:1000")
        .label("x", "y")
        .project("p")
        .ttl(std::time::Duration::from_secs(600))
        .command(Vec::<String>::new());
    let sandbox = live.create(&options);
    assert_eq!(says(&sandbox, "echo $A $(pwd) $(id -u)"), "1 /scratch 1000");
    let config = live.inspect(&sandbox);
    if live.has_control_groups() {
        assert_eq!(
            config.u64_at(&["HostConfig", "NanoCpus"]),
            Some(1_500_000_000)
        );
    }
}

#[test]
fn a_limit_holds_or_its_loss_is_told() {
    let Some(live) = Live::begin() else { return };
    let log: Device = "/dev/full:/dev/full:r".parse().unwrap();
    let options = live.options().mem_limit("96m").cpu_percent(50).device(log);
    let sandbox = live.create(&options);
    let want: &[&str] = match live.has_control_groups() {
        true => &[],
        false => &[
            "the engine did not apply the memory limit 100663296",
            "the engine did not apply the cpu limit 500000000",
            "the engine did not apply the process limit 1024",
            "the engine did not apply the rights 'r' of the device '/dev/full'",
        ],
    };
    assert_eq!(sandbox.warnings(), want);
}

#[test]
fn what_the_host_lacks_is_an_error_before_anything_is_made() {
    let Some(live) = Live::begin() else { return };
    let missing = Path::new("/no/such/thing");
    let cases: [fn(CreateOptions, &Path) -> CreateOptions; 2] = [
        |options, path| options.volume(Volume::new(path, "/data")),
        |options, path| options.device(Device::new(path)),
    ];
    for case in cases {
        let name = live.name();
        let outcome = live
            .engine()
            .create(&case(live.options().name(&name), missing));
        match outcome {
            Err(Error::PathNotFound { path }) => assert_eq!(path, missing),
            other => panic!("{other:?}"),
        }
        let opened = live.engine().open(&name);
        assert!(matches!(opened, Err(Error::ContainerNotFound { .. })));
        assert!(!missing.exists(), "the engine has made the source");
    }
}

#[test]
fn a_device_that_is_none() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let file = scratch.write("plain", b"");
    let name = live.name();
    let options = live.options().name(&name).device(Device::new(&file));
    live.engine().create(&options).unwrap_err();
    let opened = live.engine().open(&name);
    assert!(matches!(opened, Err(Error::ContainerNotFound { .. })));
}
