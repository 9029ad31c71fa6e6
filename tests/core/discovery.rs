//! Which engine is found: the order of `docs/protocol.md`, tried by connecting.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pocketdock_core::engine::EngineOptions;
use pocketdock_core::host::Environment;
use pocketdock_core::{Engine, Error};

use crate::support::alone::alone;
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::scratch::Scratch;

/// An engine that gives its name as its version.
fn named(name: &'static str) -> FakeEngine {
    FakeEngine::route(move |_| Reply::ping("1.41", Some(name)))
}

fn address(socket: &Path) -> std::ffi::OsString {
    format!("unix://{}", socket.display()).into()
}

/// A docker configuration directory whose contexts have these names and hosts.
fn docker_config(scratch: &Scratch, current: &str, contexts: &[(&str, &Path)]) -> PathBuf {
    let config = format!(r#"{{"auths": {{}}, "currentContext": "{current}"}}"#);
    scratch.write("docker/config.json", config.as_bytes());
    for (n, (name, socket)) in contexts.iter().enumerate() {
        let host = socket.display();
        let meta = format!(
            r#"{{"Name": "{name}", "Metadata": {{}},
                "Endpoints": {{"docker": {{"Host": "unix://{host}", "SkipTLSVerify": false}}}}}}"#
        );
        scratch.write(
            &format!("docker/contexts/meta/{n:064}/meta.json"),
            meta.as_bytes(),
        );
    }
    scratch.join("docker")
}

/// One engine for each place that is looked at, and the settings that name them all.
struct Everywhere {
    engines: Vec<FakeEngine>,
    environment: Environment,
    scratch: Scratch,
}

/// The places in the order in which they win.
const ORDER: [&str; 8] = [
    "argument",
    "POCKETDOCK_SOCKET",
    "DOCKER_HOST",
    "CONTAINER_HOST",
    "DOCKER_CONTEXT",
    "current context",
    "configuration",
    "runtime directory",
];

impl Everywhere {
    fn new() -> Self {
        let scratch = Scratch::new();
        let engines: Vec<_> = ORDER.iter().map(|name| named(name)).collect();
        let socket = |n: usize| engines[n].socket();
        let contexts = [("chosen", socket(4)), ("current", socket(5))];
        let config = docker_config(&scratch, "current", &contexts);
        fs::create_dir_all(scratch.join("run/podman")).unwrap();
        symlink(socket(7), scratch.join("run/podman/podman.sock")).unwrap();
        let environment = Environment {
            pocketdock_socket: Some(socket(1).into()),
            docker_host: Some(address(socket(2))),
            container_host: Some(address(socket(3))),
            docker_context: Some("chosen".into()),
            docker_config: Some(config.into()),
            runtime_dir: Some(scratch.join("run")),
            home: Some(scratch.path().to_owned()),
            ..Environment::default()
        };
        Self {
            engines,
            environment,
            scratch,
        }
    }

    /// The settings that are left when the first `n` places are not given.
    fn options_without(&self, n: usize) -> EngineOptions {
        let mut environment = self.environment.clone();
        let unset = |from: usize, value: &mut Option<std::ffi::OsString>| {
            if from < n {
                *value = None;
            }
        };
        unset(1, &mut environment.pocketdock_socket);
        unset(2, &mut environment.docker_host);
        unset(3, &mut environment.container_host);
        unset(4, &mut environment.docker_context);
        unset(5, &mut environment.docker_config);
        let mut options = EngineOptions::new().environment(environment);
        if n < 1 {
            options = options.socket(self.engines[0].socket());
        }
        if n < 7 {
            options = options.configured(self.engines[6].socket());
        }
        options
    }
}

#[test]
fn places_win_in_the_order_of_the_design() {
    let everywhere = Everywhere::new();
    for (n, name) in ORDER.iter().enumerate() {
        let engine = everywhere.options_without(n).connect().unwrap();
        assert_eq!(engine.version(), *name);
    }
    // Nobody but the winner was asked, and each once.
    for (engine, name) in everywhere.engines.iter().zip(ORDER) {
        assert_eq!(engine.connection_count(), 1, "{name}");
    }
}

#[test]
fn an_explicit_choice_that_does_not_answer_is_an_error_that_names_it() {
    let everywhere = Everywhere::new();
    let dead = everywhere.scratch.join("dead.sock");
    let config = docker_config(&everywhere.scratch, "", &[("chosen", &dead)]);
    let choices: [(&str, EngineOptions); 6] = {
        let with = |set: &dyn Fn(&mut Environment)| {
            let mut environment = Environment {
                runtime_dir: everywhere.environment.runtime_dir.clone(),
                ..Environment::default()
            };
            set(&mut environment);
            EngineOptions::new().environment(environment)
        };
        [
            ("", with(&|_| {}).socket(&dead)), // The caller knows what it asked for.
            (
                "POCKETDOCK_SOCKET",
                with(&|e| e.pocketdock_socket = Some(dead.clone().into())),
            ),
            (
                "DOCKER_HOST",
                with(&|e| e.docker_host = Some(address(&dead))),
            ),
            (
                "CONTAINER_HOST",
                with(&|e| e.container_host = Some(address(&dead))),
            ),
            (
                "chosen",
                with(&|e| {
                    e.docker_config = Some(config.clone().into());
                    e.docker_context = Some("chosen".into());
                }),
            ),
            ("configuration", with(&|_| {}).configured(&dead)),
        ]
    };
    for (source, options) in choices {
        let error = options.connect().unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, Error::SocketConnection { .. }),
            "{source}: {error:?}"
        );
        assert!(
            text.contains("dead.sock") && text.contains(source),
            "{source}: {text}"
        );
        assert_eq!(text.contains("names it"), !source.is_empty(), "{text}");
    }
    assert_eq!(
        everywhere.engines[7].connection_count(),
        0,
        "no other engine was used instead"
    );
}

#[test]
fn a_current_context_that_does_not_answer_is_passed_over() {
    let (scratch, next) = (Scratch::new(), named("next"));
    let config = docker_config(&scratch, "gone", &[("gone", &scratch.join("dead.sock"))]);
    let environment = Environment {
        docker_config: Some(config.into()),
        ..Environment::default()
    };
    let options = EngineOptions::new()
        .environment(environment)
        .configured(next.socket());
    assert_eq!(options.connect().unwrap().version(), "next");
}

#[test]
fn contexts_are_looked_for_in_the_home_directory() {
    let (scratch, current) = (Scratch::new(), named("current"));
    let config = docker_config(&scratch, "colima", &[("colima", current.socket())]);
    fs::rename(config, scratch.join(".docker")).unwrap();
    let home = Some(scratch.path().to_owned());
    let options = EngineOptions::new().environment(Environment {
        home,
        ..Environment::default()
    });
    assert_eq!(options.connect().unwrap().version(), "current");
}

#[test]
fn the_default_context_overrides_the_current_one() {
    let (scratch, current, next) = (Scratch::new(), named("current"), named("next"));
    let config = docker_config(&scratch, "other", &[("other", current.socket())]);
    let environment = Environment {
        docker_config: Some(config.into()),
        docker_context: Some("default".into()),
        ..Environment::default()
    };
    let options = EngineOptions::new()
        .environment(environment)
        .configured(next.socket());
    assert_eq!(options.connect().unwrap().version(), "next");
    assert_eq!(current.connection_count(), 0);
}

#[test]
fn a_chosen_context_is_found_among_broken_ones() {
    let (scratch, chosen) = (Scratch::new(), named("chosen"));
    let config = docker_config(&scratch, "", &[("chosen", chosen.socket())]);
    // The directories on both sides in the listing, whatever its order.
    for broken in ["0", "f"] {
        let name = format!("docker/contexts/meta/{}/meta.json", broken.repeat(63));
        scratch.write(&name, b"{not json");
    }
    let environment = Environment {
        docker_config: Some(config.into()),
        docker_context: Some("chosen".into()),
        ..Environment::default()
    };
    let options = EngineOptions::new().environment(environment);
    assert_eq!(options.connect().unwrap().version(), "chosen");
}

#[test]
fn a_chosen_context_that_cannot_be_used_is_an_error() {
    let scratch = Scratch::new();
    let config = docker_config(&scratch, "", &[("plain", Path::new("/x"))]);
    let meta = br#"{"Name": "far", "Endpoints": {"docker": {"Host": "ssh://me@far"}}}"#;
    scratch.write("docker/contexts/meta/f/meta.json", meta);
    let message_for = |name: &str| {
        let environment = Environment {
            docker_config: Some(config.clone().into()),
            docker_context: Some(name.into()),
            ..Environment::default()
        };
        EngineOptions::new()
            .environment(environment)
            .connect()
            .unwrap_err()
            .to_string()
    };
    assert!(
        message_for("missing").contains("missing"),
        "{}",
        message_for("missing")
    );
    assert!(
        message_for("far").contains("ssh -nNT -L"),
        "{}",
        message_for("far")
    );
    scratch.write("docker/contexts/meta/f/meta.json", b"[");
    assert!(
        message_for("far").contains("meta.json"),
        "{}",
        message_for("far")
    );
}

#[test]
fn a_context_that_has_no_end_is_not_read() {
    let scratch = Scratch::new();
    let config = docker_config(&scratch, "", &[]);
    scratch.write("docker/contexts/meta/f/dir", b"");
    symlink(
        "/dev/zero",
        scratch.join("docker/contexts/meta/f/meta.json"),
    )
    .unwrap();
    let environment = Environment {
        docker_config: Some(config.into()),
        docker_context: Some("endless".into()),
        ..Environment::default()
    };
    let options = EngineOptions::new().environment(environment);
    let message = options.connect().unwrap_err().to_string();
    assert!(
        message.contains("meta.json': it is not a file"),
        "{message}"
    );
}

#[test]
fn where_nothing_answers_everything_tried_is_listed() {
    let scratch = Scratch::new();
    let environment = Environment {
        runtime_dir: Some(scratch.join("run")),
        home: Some(scratch.path().to_owned()),
        ..Environment::default()
    };
    match EngineOptions::new().environment(environment).connect() {
        Err(Error::NoEngine { tried }) => {
            let places: Vec<_> = tried.iter().map(|(socket, _)| socket.as_path()).collect();
            assert!(places.contains(&scratch.join("run/podman/podman.sock").as_path()));
            assert!(places.contains(&scratch.join("run/docker.sock").as_path()));
            assert!(
                tried.iter().all(|(_, reason)| !reason.is_empty()),
                "{tried:?}"
            );
        }
        Ok(engine) => {
            let own = ["/run/podman/podman.sock", "/var/run/docker.sock"];
            let found = engine.socket_path();
            assert!(
                own.iter().any(|path| Path::new(path) == found),
                "{}",
                found.display()
            );
            println!(
                "not tested: this machine has an engine at {}",
                found.display()
            );
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_variables_of_the_process_are_read() {
    let test = "discovery::the_variables_of_the_process_are_read";
    let fake = named("from the environment");
    let address = address(fake.socket());
    alone(
        test,
        &[
            ("CONTAINER_HOST", address.to_str().unwrap()),
            ("DOCKER_HOST", ""),
        ],
        || {
            // The engine is the parent's; an empty variable counts as none.
            assert_eq!(Engine::detect().unwrap().version(), "from the environment");
        },
    );
}
