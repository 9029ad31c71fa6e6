//! Rebooting a sandbox, as it is and afresh: what is kept, what begins anew, and what becomes of
//! those who use it meanwhile.

use std::thread;
use std::time::Duration;

use pocketdock_core::engine::{containers, images};
use pocketdock_core::{Container, Engine, Error, Port, Tmpfs, Volume};

use crate::fixture::{Live, Scrap};
use crate::support::scratch::Scratch;

fn says(sandbox: &Container, line: &str) -> String {
    let result = sandbox.run(line).unwrap();
    format!("{}{}", result.stdout_text(), result.stderr_text())
}

fn id_of(engine: &Engine, name: &str) -> String {
    let found = engine.open(name).unwrap();
    found.container_id().to_owned()
}

#[test]
fn as_it_is_it_keeps_its_files_and_loses_its_processes() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().tmpfs(Tmpfs::new("/home/sandbox"));
    let sandbox = live.create(&options.user("1000:1000"));
    let id = sandbox.container_id().to_owned();
    let looks = "cat /tmp/file; stat -c %a /home/sandbox; ls /home/sandbox | wc -l; \
        ps | grep -c '[s]leep 9'";
    says(&sandbox, "echo kept >/tmp/file; >/home/sandbox/lost");
    let sleeper = sandbox.exec("sleep 999").detach().unwrap();
    for status in ["running", "paused", "exited"] {
        if status == "paused" && !live.has_control_groups() {
            continue;
        }
        match status {
            "paused" => containers::pause(live.client(), &id).unwrap(),
            "exited" => sandbox.stop().unwrap(),
            _ => {}
        }
        sandbox.reboot(false).unwrap();
        assert_eq!(sandbox.container_id(), id);
        assert_eq!(says(&sandbox, looks), "kept\n1777\n0\n0\n", "{status}");
    }
    let ended = sandbox.engine().open(sandbox.name()).unwrap();
    assert!(ended.is_running().unwrap());
    assert!(
        sleeper
            .wait(Some(Duration::from_secs(20)))
            .is_ok_and(|end| !end.ok())
            || !sleeper.is_running().unwrap_or(false)
    );
}

/// Everything that a sandbox can be, but for its network: ports need one.
fn everything(live: &Live, dir: &Scratch) -> Container {
    let options = live
        .options()
        .mem_limit("96m")
        .cpu_percent(50)
        .pids_limit(77);
    let options = options
        .volume(Volume::new(dir.path(), "/data").read_only())
        .device("/dev/full:/dev/mine:r".parse().unwrap())
        .tmpfs("/scratch:size=1m,mode=700".parse().unwrap())
        .env("GREETING", "two words")
        .user("1000:1000")
        .workdir("/usr")
        .label("team", "blue")
        .cap_drop("ALL")
        .cap_add("NET_BIND_SERVICE")
        .read_only()
        .timeout(Duration::from_secs(7))
        .persist();
    live.create(&options)
}

/// What of a sandbox must be the same afterwards.
fn looks(live: &Live, sandbox: &Container) -> Vec<(String, String)> {
    let found = live.inspect(sandbox);
    let paths: [&[&str]; 16] = [
        &["Name"],
        &["Image"],
        &["Config", "Image"],
        &["Config", "Labels"],
        &["Config", "User"],
        &["Config", "WorkingDir"],
        &["Config", "Entrypoint"],
        &["Config", "StopTimeout"],
        &["HostConfig", "Memory"],
        &["HostConfig", "NanoCpus"],
        &["HostConfig", "PidsLimit"],
        &["HostConfig", "CapDrop"],
        &["HostConfig", "SecurityOpt"],
        &["HostConfig", "ReadonlyRootfs"],
        &["HostConfig", "Init"],
        &["HostConfig", "NetworkMode"],
    ];
    let engine = paths.map(|path| (path.join("."), format!("{:?}", found.at(path))));
    let lines = [
        "grep -E 'Cap(Eff|Bnd|Prm)|NoNewPrivs' /proc/self/status; id; pwd",
        "env | grep -vE 'HOSTNAME|EXEC_ID' | sort; ls /proc/sys/net/ipv4/conf",
        "grep -E ' (/data|/scratch) ' /proc/mounts | cut -d' ' -f2-4 | sort",
        "cat /data/file; echo x >/data/new; echo x >/etc/new; echo x >/dev/mine",
        "head -c1 /dev/mine | wc -c",
    ];
    let inside = lines.map(|line| (line.to_owned(), says(sandbox, line)));
    engine.into_iter().chain(inside).collect()
}

#[test]
fn afresh_everything_is_kept_but_the_files() {
    let Some(live) = Live::begin() else { return };
    let dir = Scratch::new();
    std::fs::write(dir.path().join("file"), "from the host\n").unwrap();
    let sandbox = everything(&live, &dir);
    let _scrap = Scrap::new(&live, sandbox.name());
    let before = looks(&live, &sandbox);
    let id = sandbox.container_id().to_owned();
    let clone = sandbox.clone();
    sandbox.reboot(true).unwrap();
    assert_eq!(sandbox.warnings(), [""; 0]);
    assert_ne!(clone.container_id(), id);
    assert_eq!(clone.container_id(), id_of(live.engine(), sandbox.name()));
    for ((what, was), (_, is)) in before.into_iter().zip(looks(&live, &sandbox)) {
        assert_eq!(was, is, "{what}");
    }
    assert_eq!(clone.command_timeout(), Some(Duration::from_secs(7)));
    sandbox.reboot(true).unwrap(); // And once more from the replica.
    assert!(says(&clone, "cat /data/file").starts_with("from the host\n"));
}

#[test]
fn afresh_the_files_begin_anew_and_ports_are_taken_over() {
    let Some(live) = Live::begin() else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port();
    drop(port);
    let sandbox = live.create(&live.options().port(Port::new(number, 80)));
    says(&sandbox, ">/tmp/old");
    sandbox.reboot(true).unwrap();
    assert_eq!(says(&sandbox, "ls /tmp"), "");
    let ports = sandbox.info().unwrap().ports;
    assert!(
        ports.iter().any(|port| port.host_port == number),
        "{ports:?}"
    );
    // Stopped, it comes back running.
    sandbox.stop().unwrap();
    sandbox.reboot(true).unwrap();
    assert!(sandbox.is_running().unwrap());
}

#[test]
fn the_old_one_runs_on_if_the_new_one_cannot() {
    let Some(live) = Live::begin() else { return };
    let dir = Scratch::new();
    let inside = dir.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let sandbox = live.create(&live.options().volume(Volume::new(&inside, "/data")));
    let id = sandbox.container_id().to_owned();
    says(&sandbox, "echo kept >/tmp/file");
    let session = sandbox.session().unwrap();
    std::fs::remove_dir(&inside).unwrap();
    let error = sandbox.reboot(true).unwrap_err();
    assert!(
        matches!(&error, Error::PathNotFound { path } if *path == inside),
        "{error}"
    );
    assert_eq!(sandbox.container_id(), id);
    assert_eq!(says(&sandbox, "cat /tmp/file"), "kept\n");
    let answer = session
        .send_and_wait("echo alive", Duration::from_secs(20))
        .unwrap();
    assert_eq!(answer.stdout_text(), "alive\n");
    // A port that somebody has taken meanwhile: found only when the new one starts.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = taken.local_addr().unwrap().port();
    drop(taken);
    let ported = live.create(&live.options().port(Port::new(number, 80)));
    let id = ported.container_id().to_owned();
    says(&ported, "echo kept >/tmp/file");
    ported.stop().unwrap();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", number)).unwrap();
    let error = ported.reboot(true).unwrap_err();
    assert!(matches!(error, Error::PortInUse { .. }), "{error}");
    let found = live.inspect(&ported);
    assert_eq!(found.str_at(&["State", "Status"]), Some("exited"));
    assert_eq!(ported.container_id(), id);
}

#[test]
fn those_who_use_it_are_told() {
    let Some(live) = Live::begin() else { return };
    for fresh in [false, true] {
        let sandbox = live.sandbox();
        let session = sandbox.session().unwrap();
        session
            .send_and_wait("true", Duration::from_secs(20))
            .unwrap();
        let mut stream = sandbox
            .exec("echo begun; sleep 999")
            .no_timeout()
            .stream()
            .unwrap();
        assert_eq!(stream.next().unwrap().unwrap().text(), "begun\n");
        let process = sandbox.exec("sleep 999").detach().unwrap();
        let waiting = thread::spawn({
            let session = session.clone();
            move || session.send_and_wait("sleep 999", Duration::from_secs(60))
        });
        thread::sleep(Duration::from_millis(300)); // Lets the session begin; either way it holds.
        sandbox.reboot(fresh).unwrap();
        let told = [
            waiting.join().unwrap(), // Its command may have been killed before its shell.
            session.send_and_wait("true", Duration::from_secs(60)),
        ];
        let told = told.map(|answer| answer.map(|answer| answer.exit_code));
        let told = told.map(|answer| answer.map_err(|error| error.code()));
        let named = [
            "session_closed",
            "container_gone",
            "container_not_running",
            "container_not_found",
            "socket_communication",
        ];
        let killed = matches!(told[0], Ok(137 | 143));
        for told in told.iter().skip(usize::from(killed)) {
            assert!(
                told.as_ref().is_err_and(|code| named.contains(code)),
                "{fresh}: {told:?}"
            );
        }
        let ends = [stream.result(), process.wait(Some(Duration::from_secs(30)))];
        for end in ends {
            match end {
                Ok(end) => assert!(!end.ok(), "{fresh}: {end:?}"),
                Err(error) => assert!(named.contains(&error.code()), "{fresh}: {error}"),
            }
        }
        assert_eq!(says(&sandbox, "echo new"), "new\n");
    }
}

#[test]
fn one_with_a_time_to_live_begins_it_anew() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().ttl(Duration::from_secs(600)));
    let id = sandbox.container_id().to_owned();
    let error = sandbox.reboot(false).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
    assert!(sandbox.is_running().unwrap());
    sandbox.reboot(true).unwrap();
    assert_ne!(sandbox.container_id(), id);
    let found = live.inspect(&sandbox);
    assert_eq!(found.bool_at(&["HostConfig", "AutoRemove"]), Some(true));
    assert_ne!(says(&sandbox, "ps | grep -c '[s]leep 600'"), "0\n");
}

/// The name of its image may have gone over to another one; the sandbox stays what it was.
#[test]
fn the_image_is_the_one_it_was_made_from() {
    let Some(live) = Live::begin() else { return };
    let tag = format!("localhost/pd-live-moved-{}", std::process::id());
    images::tag(live.client(), live.image(), &tag, "latest").unwrap();
    let sandbox = live.create(&live.unnamed_options().image(&format!("{tag}:latest")));
    let image = live
        .inspect(&sandbox)
        .str_at(&["Image"])
        .unwrap()
        .to_owned();
    images::tag(live.client(), live.debian_image(), &tag, "latest").unwrap();
    let moved = images::inspect(live.client(), &tag).unwrap().unwrap();
    let same = moved.str_at(&["Id"]).is_some_and(|id| image.ends_with(id));
    sandbox.reboot(true).unwrap();
    assert_eq!(
        live.inspect(&sandbox).str_at(&["Image"]),
        Some(image.as_str())
    );
    assert_eq!(sandbox.warnings().is_empty(), same);
    drop(sandbox);
    images::remove(live.client(), &tag).unwrap();
}

#[test]
fn a_guard_passes_to_the_new_one() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox.reboot(true).unwrap();
    let name = sandbox.name().to_owned();
    drop(sandbox);
    let gone = live.engine().open(&name).map(drop);
    assert!(matches!(gone, Err(Error::ContainerNotFound { .. })));
}
