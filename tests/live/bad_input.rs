//! What cannot be meant or cannot be done: a clear error that names it, and nothing left behind.

use std::path::Path;
use std::time::Duration;

use pocketdock_core::engine::containers;
use pocketdock_core::{CreateOptions, Device, Error, Port, Tmpfs, Volume};

use crate::fixture::{Foreign, Live, Scrap};

/// Asserts that no sandbox comes of these options, and gives the error's code and words.
fn refused(live: &Live, options: CreateOptions) -> (&'static str, String) {
    let name = live.name();
    let _scrap = Scrap::new(live, &name);
    let error = live.engine().create(&options.name(&name)).expect_err(&name);
    let left = containers::inspect(live.engine().client(), &name);
    assert!(
        matches!(left, Err(Error::ContainerNotFound { .. })),
        "left after {error}: {left:?}"
    );
    (error.code(), error.to_string())
}

#[test]
fn controls_that_no_engine_should_hear_of() {
    let Some(live) = Live::begin() else { return };
    let options = || live.unnamed_options();
    let tmp = Path::new("/tmp");
    #[rustfmt::skip] // one case per line
    let cases = [
        (options().mem_limit("4m"),                                "'4m'"),
        (options().pids_limit(1 << 32),                            "'4294967296'"),
        (options().volume(Volume::new(tmp, "/")),                  "'/'"),
        (options().volume(Volume::new(tmp, "/x/../..")),           "'/x/../..'"),
        (options().tmpfs(Tmpfs::new("/x")).tmpfs(Tmpfs::new("/x")), "'/x'"),
        (options().tmpfs(Tmpfs::new("/")),                         "'/'"),
        (options().device(Device::new(Path::new("/etc/passwd"))),  "'/etc/passwd'"),
        (options().user("a:b:c"),                                  "'a:b:c'"),
        (options().user(""),                                       "''"),
        (options().workdir("srv"),                                 "'srv'"),
        (options().ttl(Duration::ZERO),                            "ttl"),
    ];
    for (options, value) in cases {
        let (code, text) = refused(&live, options);
        assert_eq!(code, "invalid_argument", "{text}");
        assert!(text.contains(value), "{text} lacks {value}");
    }
}

#[test]
fn controls_that_the_engine_refuses() {
    let Some(live) = Live::begin() else { return };
    let options = || live.unnamed_options();
    let elsewhere = Port::new(0, 80).address([203, 0, 113, 7].into());
    #[rustfmt::skip] // one case per line
    let cases = [
        (options().cap_add("NOPE"),          "invalid_argument",  "NOPE"),
        (options().cap_drop("NOPE"),         "invalid_argument",  "NOPE"),
        (options().user("nosuchuser"),       "invalid_argument",  "'nosuchuser'"),
        (options().user("root:nosuchgroup"), "invalid_argument",  "'root:nosuchgroup'"),
        (options().port(elsewhere),          "engine",            "203.0.113.7"),
        (options().command(["/no/such"]).no_init(), "command_not_found", "/no/such"),
    ];
    for (options, code, value) in cases {
        let (got, text) = refused(&live, options);
        assert_eq!(got, code, "{text}");
        assert!(text.contains(value), "{text} lacks {value}");
    }
}

#[test]
fn images_that_are_none() {
    let Some(live) = Live::begin() else { return };
    let cases = [
        ("localhost/no-such-image:1", "image_not_found"),
        ("Upper/Case", "invalid_argument"),
        ("a:", "invalid_argument"),
        ("x@sha256:zz", "invalid_argument"),
        ("http://x/y", "invalid_argument"),
        ("../x", "invalid_argument"),
        ("", "invalid_argument"),
    ];
    for (image, want) in cases {
        let (code, text) = refused(&live, CreateOptions::new().image(image));
        assert_eq!(code, want, "{text}");
        assert!(text.contains(&format!("'{image}'")), "{text}");
    }
}

#[test]
fn two_sandboxes_cannot_have_one_port() {
    let Some(live) = Live::begin() else { return };
    let twice = |a: Port, b: Port| refused(&live, live.unnamed_options().port(a).port(b));
    let (code, text) = twice(Port::new(39_701, 80), Port::new(39_701, 81));
    assert_eq!(code, "port_in_use", "{text}");
    assert!(text.contains("39701"), "{text}");
}

#[test]
fn names_that_are_none_reach_no_endpoint() {
    let Some(live) = Live::begin() else { return };
    let engine = live.engine();
    let long = "n".repeat(64);
    for name in ["", "..", ".", "a/b", "../x", "a\nb", "a?b", "-x", &long] {
        let value = format!("'{}'", name.escape_debug());
        let errors = [
            engine.open(name).map(drop),
            engine.resume(name).map(drop),
            engine.stop(name),
            engine.destroy(name),
            engine.create(&live.unnamed_options().name(name)).map(drop),
        ];
        for outcome in errors {
            let error = outcome.unwrap_err();
            assert_eq!(error.code(), "invalid_argument", "{error}");
            assert!(error.to_string().contains(&value), "{error}");
        }
    }
}

#[test]
fn containers_of_others_are_refused_by_every_operation() {
    let Some(live) = Live::begin() else { return };
    let foreign = Foreign::running(&live);
    let engine = live.engine();
    for name in [foreign.name(), foreign.id(), &foreign.id()[..12]] {
        let errors = [
            engine.open(name).map(drop),
            engine.resume(name).map(drop),
            engine.stop(name),
            engine.destroy(name),
        ];
        for outcome in errors {
            assert_eq!(outcome.unwrap_err().code(), "not_managed", "{name}");
        }
    }
    let (found, listed) = (
        containers::inspect(engine.client(), foreign.id()).unwrap(),
        engine.list(&pocketdock_core::ListFilter::new()).unwrap(),
    );
    assert_eq!(found.str_at(&["State", "Status"]), Some("running"));
    assert!(listed.iter().all(|item| item.id != foreign.id()));
}

#[test]
fn a_user_or_directory_that_is_not_there_keeps_a_command_from_starting() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let command = || sandbox.exec(["true"]);
    #[rustfmt::skip] // one case per line
    let attempts = [
        (command().user("nosuchuser"),         "no user 'nosuchuser' in the sandbox"),
        (command().user("nobody:nosuchgroup"), "no group 'nosuchgroup' in the sandbox"),
        (command().workdir("/no/such"),        "no directory '/no/such' in the sandbox"),
        (command().workdir("/etc/passwd"),     "'/etc/passwd' is not a directory in the sandbox"),
    ];
    for (command, want) in attempts {
        let error = command.run().unwrap_err();
        assert_eq!(error.code(), "command_not_executable", "{error}");
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn more_processors_than_there_are_are_refused_by_docker() {
    let Some(live) = Live::begin() else { return };
    let created = live
        .engine()
        .create(&live.unnamed_options().cpu_percent(102_400));
    match created {
        Ok(_) => assert!(live.is_podman(), "which takes any number"),
        Err(error) => assert_eq!(
            error.to_string(),
            "invalid CPU percentage '102400': the engine's host has fewer processors, each of \
             which is 100"
        ),
    }
}

#[test]
fn a_name_is_free_once_its_sandbox_is_shut_down() {
    let Some(live) = Live::begin() else { return };
    let name = live.name();
    for _ in 0..5 {
        // Docker removes this one itself, too, and takes its time for it.
        let options = live
            .unnamed_options()
            .name(&name)
            .ttl(Duration::from_secs(600));
        live.create(&options).shutdown(true).unwrap();
    }
}
