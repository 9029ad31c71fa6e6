//! How sandboxes come, stay, stop and go: names, guards, handles, lists, time to live.

use std::time::{Duration, Instant};

use pocketdock_core::engine::containers;
use pocketdock_core::{Container, CreateOptions, Error, ListFilter};

use crate::fixture::{Foreign, Live, Scrap, eventually_none};
use crate::host;

/// Whether the engine still has a container of this name.
fn exists(live: &Live, name: &str) -> bool {
    match containers::inspect(live.engine().client(), name) {
        Ok(_) => true,
        Err(Error::ContainerNotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

fn status(live: &Live, name: &str) -> String {
    let found = containers::inspect(live.engine().client(), name).unwrap();
    found.str_at(&["State", "Status"]).unwrap().to_owned()
}

#[test]
fn the_last_handle_removes_a_guarded_sandbox() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let name = sandbox.name().to_owned();
    let second = sandbox.clone();
    drop(sandbox);
    assert!(second.run("true").unwrap().ok());
    let begun = Instant::now();
    drop(second);
    assert!(!exists(&live, &name));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(3), "took {took:?}");
}

#[test]
fn a_handle_from_open_removes_nothing() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    for name in [
        sandbox.name(),
        sandbox.container_id(),
        &sandbox.container_id()[..12],
    ] {
        let opened = live.engine().open(name).unwrap();
        assert_eq!(opened.container_id(), sandbox.container_id());
        assert_eq!(opened.name(), sandbox.name());
        assert_eq!(opened.image(), live.image());
    }
    assert!(sandbox.is_running().unwrap());
}

#[test]
fn kept_and_persistent_sandboxes_outlive_their_handles() {
    let Some(live) = Live::begin() else { return };
    let cases: [fn(CreateOptions) -> CreateOptions; 2] =
        [|options| options.keep(), |options| options.persist()];
    for case in cases {
        let name = live.name();
        let _scrap = Scrap::new(&live, &name);
        let sandbox = live.create(&case(live.options().name(&name)));
        let config = live.inspect(&sandbox);
        assert_eq!(
            config.str_at(&["Config", "Labels", "pocketdock.owner"]),
            None
        );
        drop(sandbox);
        let again = live.engine().open(&name).unwrap();
        assert!(again.run("true").unwrap().ok());
        again.shutdown(false).unwrap();
        assert!(!exists(&live, &name));
    }
}

#[test]
fn a_sandbox_that_is_left_stays() {
    let Some(live) = Live::begin() else { return };
    let name = live.name();
    let _scrap = Scrap::new(&live, &name);
    let sandbox = live.create(&live.options().name(&name));
    sandbox.leave();
    drop(sandbox);
    assert!(live.engine().open(&name).unwrap().is_running().unwrap());
    live.engine().destroy(&name).unwrap();
}

#[test]
fn a_persistent_sandbox_is_stopped_and_resumed_with_its_files() {
    let Some(live) = Live::begin() else { return };
    let name = live.name();
    let _scrap = Scrap::new(&live, &name);
    let sandbox = live.create(&live.options().name(&name).persist());
    assert!(sandbox.persist());
    sandbox.run("echo kept > /root/file").unwrap();
    live.engine().stop(&name).unwrap();
    assert_eq!(status(&live, &name), "exited");
    assert!(!sandbox.is_running().unwrap());
    live.engine().stop(&name).unwrap();
    let resumed = live.engine().resume(&name).unwrap();
    assert_eq!(resumed.run("cat /root/file").unwrap().stdout, b"kept\n");
    live.engine().resume(&name).unwrap();
    live.engine().destroy(&name).unwrap();
    let gone = live.engine().destroy(&name);
    assert!(matches!(gone, Err(Error::ContainerNotFound { container }) if container == name));
}

#[test]
fn commands_in_a_sandbox_that_does_not_run() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox.stop().unwrap();
    match sandbox.run("true") {
        Err(Error::ContainerNotRunning {
            container, status, ..
        }) => {
            assert_eq!(status, "exited");
            assert_eq!(container, sandbox.name());
        }
        other => panic!("{other:?}"),
    }
    sandbox.resume().unwrap();
    assert!(sandbox.run("true").unwrap().ok());
    sandbox.shutdown(true).unwrap();
    assert!(matches!(
        sandbox.run("true"),
        Err(Error::ContainerNotFound { .. })
    ));
    assert!(!sandbox.is_running().unwrap());
    sandbox.shutdown(true).unwrap();
    sandbox.shutdown(false).unwrap();
}

/// The time an idle sandbox takes for something, at best of three: others use the engine, too.
fn fastest(live: &Live, options: &CreateOptions, end: fn(&Container)) -> Duration {
    let once = |_| {
        let sandbox = live.create(&options.clone().name(&live.name()));
        let begun = Instant::now();
        end(&sandbox);
        begun.elapsed()
    };
    (0..3).map(once).min().expect("three times")
}

#[test]
fn an_idle_sandbox_stops_within_a_second() {
    let Some(live) = Live::begin() else { return };
    let second = Duration::from_secs(1);
    let plain = live.options();
    for options in [
        plain.clone(),
        plain.clone().no_init(),
        plain.clone().hardened(),
    ] {
        let stop = fastest(&live, &options, |sandbox| sandbox.stop().unwrap());
        assert!(stop < second, "stop took {stop:?}");
        let asked = fastest(&live, &options, |sandbox| sandbox.shutdown(false).unwrap());
        assert!(asked < second, "shutdown took {asked:?}");
        let forced = fastest(&live, &options, |sandbox| sandbox.shutdown(true).unwrap());
        assert!(forced < second, "forced shutdown took {forced:?}");
    }
}

#[test]
fn a_sandbox_full_of_processes_that_ignore_signals_goes_too() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let stubborn = "for i in 1 2 3; do (trap '' TERM; sleep 1000; sleep 1000) & done";
    sandbox.run(stubborn).unwrap();
    let begun = Instant::now();
    sandbox.shutdown(false).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10));
    eventually_none("processes", || host::processes(&sandbox));
}

#[test]
fn an_init_reaps_orphans() {
    let Some(live) = Live::begin() else { return };
    let zombies = "(true & true) & sleep 0.3; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l";
    let with = live.sandbox();
    assert_eq!(with.run(zombies).unwrap().stdout_text().trim(), "0");
    let config = live.inspect(&with);
    assert_eq!(config.bool_at(&["HostConfig", "Init"]), Some(true));
    let without = live.create(&live.options().no_init());
    let config = live.inspect(&without);
    assert_ne!(config.bool_at(&["HostConfig", "Init"]), Some(true));
    let first = without.run("cat /proc/1/comm").unwrap();
    assert_eq!(first.stdout, b"sleep\n");
}

#[test]
fn a_time_to_live_needs_no_client() {
    let Some(live) = Live::begin() else { return };
    let name = live.name();
    let _scrap = Scrap::new(&live, &name);
    let options = live
        .options()
        .name(&name)
        .keep()
        .ttl(Duration::from_secs(2));
    let sandbox = live.create(&options);
    assert!(sandbox.run("true").unwrap().ok());
    drop(sandbox);
    eventually_none("containers", || match exists(&live, &name) {
        true => vec![name.clone()],
        false => Vec::new(),
    });
}

#[test]
fn a_time_to_live_under_a_running_command() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().ttl(Duration::from_secs(2)));
    let begun = Instant::now();
    // Gone, or just killed: which of them is seen first is the engine's business.
    match sandbox.exec("echo out; sleep 1000").no_timeout().run() {
        Err(Error::ContainerGone { output, .. }) => assert_eq!(output.stdout, b"out\n"),
        Ok(result) => assert_eq!((result.exit_code, result.stdout), (137, b"out\n".to_vec())),
        other => panic!("{other:?}"),
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_first_process_of_its_own() {
    let Some(live) = Live::begin() else { return };
    let command = ["sh", "-c", "echo ready > /tmp/ready; exec sleep 1000"];
    let sandbox = live.create(&live.options().command(command));
    let wait = "while ! [ -e /tmp/ready ]; do sleep 0.1; done; cat /tmp/ready";
    assert_eq!(sandbox.run(wait).unwrap().stdout, b"ready\n");
    let brief = live.create(&live.options().command(["sh", "-c", "exit 3"]));
    eventually_none("running sandboxes", || match brief.is_running().unwrap() {
        true => vec![brief.name().to_owned()],
        false => Vec::new(),
    });
    let found = live.inspect(&brief);
    assert_eq!(found.i64_at(&["State", "ExitCode"]), Some(3));
    let name = live.name();
    let absent = live.options().name(&name).command(["no-such-program"]);
    match live.engine().create(&absent.clone().no_init()) {
        Err(Error::CommandNotFound { command }) => assert_eq!(command, "no-such-program"),
        other => panic!("{other:?}"),
    }
    assert!(!exists(&live, &name));
    // The init is found, and ends when it cannot go on.
    let stillborn = live.create(&absent);
    eventually_none("running sandboxes", || {
        match stillborn.is_running().unwrap() {
            true => vec![name.clone()],
            false => Vec::new(),
        }
    });
    let found = live.inspect(&stillborn);
    assert_ne!(found.i64_at(&["State", "ExitCode"]), Some(0));
}

#[test]
fn names() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    match live.engine().create(&live.options().name(sandbox.name())) {
        Err(Error::NameInUse { name }) => assert_eq!(name, sandbox.name()),
        other => panic!("{other:?}"),
    }
    assert!(sandbox.is_running().unwrap(), "the first is as it was");
    let long = format!("{}-{}", live.name(), "x".repeat(63));
    let longest = live.create(&live.options().name(&long[..63]));
    assert_eq!(
        live.inspect(&longest)
            .str_at(&["Name"])
            .unwrap()
            .trim_start_matches('/'),
        &long[..63]
    );
    for bad in [
        "",
        "x",
        "-a",
        ".a",
        "a/b",
        "../a",
        "a\nb",
        "a b",
        "é1",
        &long[..64],
    ] {
        let refused = live.engine().create(&live.options().name(bad));
        assert!(
            matches!(refused, Err(Error::InvalidArgument { .. })),
            "{bad}"
        );
    }
    let unnamed = live.create(&CreateOptions::new().image(live.image()));
    assert!(unnamed.name().starts_with("pd-") && unnamed.name().len() == 11);
}

#[test]
fn images_that_are_not_there() {
    let Some(live) = Live::begin() else { return };
    let absent = "localhost/pd-live-no-such-image:1";
    for options in [live.options(), live.options().hardened()] {
        match live.engine().create(&options.image(absent)) {
            Err(Error::ImageNotFound { image }) => assert_eq!(image, absent),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn containers_of_others_are_refused() {
    let Some(live) = Live::begin() else { return };
    let foreign = Foreign::running(&live);
    let name = foreign.name();
    let engine = live.engine();
    let refused = [
        engine.open(name).err(),
        engine.resume(name).err(),
        engine.stop(name).err(),
        engine.destroy(name).err(),
        engine.open(foreign.id()).err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(Error::NotManaged { .. })), "{error:?}");
    }
    assert_eq!(status(&live, name), "running");
    let listed = engine.list(&ListFilter::new()).unwrap();
    assert!(listed.iter().all(|item| item.name != name));
}

#[test]
fn lists() {
    let Some(live) = Live::begin() else { return };
    let project = live.name();
    let first = live.create(&live.options().project(&project));
    let other = live.create(&live.options().project("pd-live-other"));
    let second = live.create(&live.options().project(&project).persist());
    let _scrap = Scrap::new(&live, second.name());
    second.stop().unwrap();
    let names = |filter: ListFilter| -> Vec<String> {
        let items = live.engine().list(&filter).unwrap();
        items.into_iter().map(|item| item.name).collect()
    };
    let of_project = || ListFilter::new().project(&project);
    assert_eq!(names(of_project()), [first.name(), second.name()]);
    assert_eq!(names(of_project().running()), [first.name()]);
    let all = names(ListFilter::new());
    assert!(
        [&first, &second, &other]
            .iter()
            .all(|one| all.contains(&one.name().to_owned()))
    );
    let items = live.engine().list(&of_project()).unwrap();
    let item = &items[1];
    assert_eq!((item.status.as_str(), item.persist), ("exited", true));
    assert_eq!(item.id, second.container_id());
    assert_eq!(item.image, live.image());
    assert_eq!(item.project.as_deref(), Some(project.as_str()));
    live.engine().destroy(second.name()).unwrap();
}
