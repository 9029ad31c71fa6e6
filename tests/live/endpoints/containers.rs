//! The endpoints under `/containers`.

use std::time::Duration;

use pocketdock_core::Error;
use pocketdock_core::engine::containers::{self, ChangeKind};
use pocketdock_core::engine::exec::{self, ExecConfig};
use pocketdock_core::wire::value::Value;

use crate::fixture::{Foreign, Live, eventually_none};

const GRACE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(20);

fn status(live: &Live, id: &str) -> String {
    let found = containers::inspect(live.client(), id).unwrap();
    found.str_at(&["State", "Status"]).unwrap().to_owned()
}

/// Runs a command to the end of its output.
fn run(live: &Live, id: &str, command: &[&str]) {
    let config = ExecConfig {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        ..ExecConfig::default()
    };
    let exec_id = exec::create(live.client(), id, &config).unwrap();
    let mut streaming = exec::start(live.client(), &exec_id, false).unwrap();
    streaming.body.read_all(1000).unwrap();
}

#[test]
fn from_creation_to_removal() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::created(&live);
    let id = container.id();
    assert_eq!(id.len(), 64);
    assert_eq!(status(&live, id), "created");
    containers::start(client, id).unwrap();
    containers::start(client, id).expect("what runs is left alone");
    assert_eq!(status(&live, container.name()), "running");
    containers::restart(client, id, GRACE).unwrap();
    assert_eq!(status(&live, id), "running");
    run(&live, id, &["sh", "-c", "rm -f /tmp/trapped"]);
    containers::restart(client, id, GRACE).unwrap();
    let trapped = "until [ -e /tmp/trapped ]; do sleep 0.05; done";
    run(&live, id, &["sh", "-c", trapped]);
    containers::stop(client, id, GRACE).unwrap();
    containers::stop(client, id, GRACE).expect("what is stopped is left alone");
    assert_eq!(status(&live, id), "exited");
    // Its own answer to SIGTERM.
    assert_eq!(containers::wait(client, id, PATIENCE).unwrap(), 7);
    containers::remove(client, id, false).unwrap();
    let gone = containers::inspect(client, id);
    assert!(matches!(gone, Err(Error::ContainerNotFound { container }) if container == id));
}

#[test]
fn kill_and_wait() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::running(&live);
    let code = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| containers::wait(client, container.id(), PATIENCE));
        containers::kill(client, container.id(), "SIGKILL").unwrap();
        waiting.join().unwrap().unwrap()
    });
    assert_eq!(code, 137);
    let again = containers::kill(client, container.id(), "KILL");
    match again {
        Err(Error::ContainerNotRunning { status, .. }) => {
            assert!(["exited", "stopped"].contains(&&*status), "{status}");
        }
        other => panic!("{other:?}"),
    }
    containers::start(client, container.id()).unwrap();
    containers::kill(client, container.id(), "NOPE").unwrap_err();
    let long = containers::wait(client, container.id(), Duration::from_millis(300));
    assert!(matches!(long, Err(Error::Timeout { .. })), "{long:?}");
}

#[test]
fn a_running_container_is_removed_only_by_force() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::running(&live);
    containers::remove(client, container.id(), false).unwrap_err();
    assert_eq!(status(&live, container.id()), "running");
    containers::remove(client, container.id(), true).unwrap();
}

#[test]
fn rename() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let (one, two) = (Foreign::created(&live), Foreign::created(&live));
    let name = live.name();
    containers::rename(client, one.name(), &name).unwrap();
    let found = containers::inspect(client, &name).unwrap();
    assert_eq!(found.str_at(&["Id"]), Some(one.id()));
    match containers::rename(client, two.id(), &name) {
        Err(Error::NameInUse { name: taken }) => assert_eq!(taken, name),
        other => panic!("{other:?}"),
    }
    containers::rename(client, one.id(), one.name()).unwrap();
}

#[test]
fn unpause_of_what_is_not_paused() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    containers::unpause(live.client(), container.id()).unwrap_err();
    assert_eq!(status(&live, container.id()), "running");
}

#[test]
fn list_by_label() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::running(&live);
    let stopped = Foreign::created(&live);
    let found = containers::list(client, &[live.label()]).unwrap();
    let row = |id: &str| found.iter().find(|row| row.id == id).unwrap();
    let running = row(container.id());
    assert_eq!(running.name, container.name());
    assert_eq!(running.state, "running");
    assert_eq!(running.image, live.image());
    assert!(1_700_000_000 < running.created_s, "{}", running.created_s);
    let (key, value) = live
        .label()
        .split_once('=')
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .unwrap();
    assert_eq!(running.label(&key), Some(value.as_str()));
    assert_eq!(row(stopped.id()).state, "created");
    let both = [live.label(), "pd-live-nobody-has-this".to_owned()];
    assert!(containers::list(client, &both).unwrap().is_empty());
}

#[test]
fn stats() {
    let Some(live) = Live::begin() else { return };
    if !live.needs_control_groups() {
        return;
    }
    let client = live.client();
    let container = Foreign::running(&live);
    for one_shot in [true, false] {
        let stats = containers::stats(client, container.id(), one_shot).unwrap();
        assert!(stats.read.is_some());
        assert!(0 < stats.cpu_total_ns);
        assert!(0 < stats.pids, "{stats:?}");
        assert!(0 < stats.memory_limit_bytes);
        assert!(stats.memory_usage_bytes < stats.memory_limit_bytes);
    }
}

#[test]
fn top() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    let columns = if live.is_podman() {
        "pid,args"
    } else {
        "-o pid,args"
    };
    let top = || containers::top(live.client(), container.id(), columns).unwrap();
    assert!(top()[0].concat().contains("PID"));
    // A container that is called running may still be on its way to its own program.
    eventually_none("processes that are not the shell", || {
        let mut rows = top().split_off(1);
        rows.retain(|row| row.concat().contains("runc init"));
        rows.concat()
    });
    let rows = top();
    assert!(
        rows[1..].iter().any(|row| row.concat().contains("sh")),
        "{rows:?}"
    );
    containers::kill(live.client(), container.id(), "KILL").unwrap();
    let stopped = containers::top(live.client(), container.id(), columns);
    match stopped {
        Ok(rows) => assert!(live.is_podman() && rows.is_empty(), "{rows:?}"),
        // Podman has a word for what has ended and is not cleaned up yet.
        Err(Error::ContainerNotRunning { status, .. }) => {
            assert!(["exited", "stopped"].contains(&&*status), "{status}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn changes() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    run(&live, container.id(), &["touch", "/root/new"]);
    run(&live, container.id(), &["rm", "/etc/group"]);
    let found = containers::changes(live.client(), container.id()).unwrap();
    let kind = |path: &str| {
        let mut found = found.iter();
        found
            .find(|(_, changed)| changed == path)
            .map(|(kind, _)| *kind)
    };
    assert_eq!(kind("/root/new"), Some(ChangeKind::Added));
    assert_eq!(kind("/root"), Some(ChangeKind::Modified));
    assert_eq!(kind("/etc/group"), Some(ChangeKind::Deleted));
    assert_eq!(kind("/etc/passwd"), None);
}

#[test]
fn what_is_not_there() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let name = "pd-live-no-such-container";
    let outcomes = [
        containers::start(client, name).err(),
        containers::stop(client, name, GRACE).err(),
        containers::kill(client, name, "KILL").err(),
        containers::restart(client, name, GRACE).err(),
        containers::unpause(client, name).err(),
        containers::remove(client, name, true).err(),
        containers::inspect(client, name).err(),
        containers::wait(client, name, PATIENCE).err(),
        containers::stats(client, name, true).err(),
        containers::top(client, name, "").err(),
        containers::changes(client, name).err(),
        containers::rename(client, name, "pd-live-other").err(),
    ];
    for (n, error) in outcomes.into_iter().enumerate() {
        match error {
            Some(Error::ContainerNotFound { container }) => assert_eq!(container, name),
            other => panic!("number {n}: {other:?}"),
        }
    }
}

#[test]
fn names_that_are_no_names_reach_nothing() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    let path = format!("x/../{}", container.id());
    for name in [
        path.as_str(),
        "",
        "..",
        "a b",
        "a%2fb",
        "x?force=1",
        "\r\n",
        "é",
    ] {
        let outcome = containers::inspect(live.client(), name);
        assert!(outcome.is_err(), "{name}: {outcome:?}");
    }
}

#[test]
fn a_document_that_the_engine_refuses() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let absent = Value::object([("Image", Value::from("localhost/pd-live-none:1"))]);
    match containers::create(client, &live.name(), &absent) {
        Err(Error::ImageNotFound { image }) => assert_eq!(image, "localhost/pd-live-none:1"),
        other => panic!("{other:?}"),
    }
    let wrong = Value::object([
        ("Image", Value::from(live.image())),
        ("Cmd", Value::from("a string")),
        ("HostConfig", Value::from(7)),
    ]);
    let refused = containers::create(client, &live.name(), &wrong);
    assert!(matches!(refused, Err(Error::Engine { .. })), "{refused:?}");
    let container = Foreign::created(&live);
    let config = Value::object([
        ("Image", Value::from(live.image())),
        ("Cmd", Value::from(&["true"][..])),
    ]);
    match containers::create(client, container.name(), &config) {
        Err(Error::NameInUse { name }) => assert_eq!(name, container.name()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn anonymous_volumes_go_with_their_container() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::with(
        &live,
        [(
            "Volumes",
            Value::object([("/data", Value::object::<&str>([]))]),
        )],
    );
    containers::start(live.client(), container.id()).unwrap();
    let found = containers::inspect(live.client(), container.id()).unwrap();
    let source = found.array_at(&["Mounts"]).unwrap()[0]
        .str_at(&["Source"])
        .unwrap()
        .to_owned();
    assert!(std::path::Path::new(&source).exists());
    containers::remove(live.client(), container.id(), true).unwrap();
    eventually_none("volumes", || match std::path::Path::new(&source).exists() {
        true => vec![source.clone()],
        false => Vec::new(),
    });
}
