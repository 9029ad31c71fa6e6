//! The API version: asked for once per engine, and never newer than either side knows.

use std::sync::{Arc, Mutex};

use pocketdock_core::engine::{EngineOptions, containers};
use pocketdock_core::{Engine, EngineKind, Error};

use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::recorded::recorded;

/// An engine that speaks `version` and has no containers.
fn speaking(version: &'static str) -> FakeEngine {
    FakeEngine::route(move |request| match request.path.as_str() {
        "/_ping" => Reply::ping(version, None),
        _ => Reply::json(200, "[]"),
    })
}

#[test]
fn the_older_of_both_versions_is_spoken() {
    let cases = [
        ("1.24", "1.24"),
        ("1.41", "1.41"),
        ("1.51", "1.51"),
        ("1.99", "1.51"),
        ("2.0", "1.51"),
    ];
    for (theirs, spoken) in cases {
        let fake = speaking(theirs);
        let engine = Engine::at(fake.socket()).unwrap();
        containers::list(engine.client(), &[]).unwrap();
        let requests = fake.finish();
        let versions: Vec<_> = requests.iter().map(|r| r.version.as_deref()).collect();
        assert_eq!(versions, [None, Some(spoken)], "the engine speaks {theirs}");
    }
}

#[test]
fn an_engine_is_pinged_once_however_it_is_used() {
    let fake = speaking("1.41");
    let engine = Engine::at(fake.socket()).unwrap();
    for engine in [&engine, &engine.clone()] {
        containers::list(engine.client(), &[]).unwrap();
    }
    let lines = fake.request_lines();
    assert_eq!(
        lines,
        ["GET /_ping", "GET /containers/json", "GET /containers/json"]
    );
    assert_eq!(fake.connection_count(), 3, "one connection for each call");
}

#[test]
fn versions_that_are_none_mean_no_engine() {
    for version in [
        "", "1", "1.", ".41", "+1.41", "1.+41", "-1.41", "1.4x", "v1.41", "1.41.0",
    ] {
        let fake = speaking(version);
        let error = Engine::at(fake.socket()).unwrap_err();
        assert!(
            matches!(error, Error::SocketConnection { .. }),
            "{version:?}: {error:?}"
        );
    }
}

#[test]
fn recorded_engines_are_told_apart() {
    let cases = [
        ("docker", EngineKind::Docker, "20.10.24"),
        ("podman", EngineKind::Podman, "4.3.1"),
    ];
    for (prefix, kind, version) in cases {
        let ping = recorded(&format!("{prefix}-ping")).reply;
        let fake = FakeEngine::route(move |_| Reply::raw(ping.clone()));
        let engine = Engine::at(fake.socket()).unwrap();
        assert_eq!(engine.kind(), kind);
        assert!(
            engine.version().starts_with(version),
            "{}",
            engine.version()
        );
        assert_eq!(engine.api_version(), (1, 41));
    }
}

#[test]
fn an_observer_sees_every_exchange() {
    let fake = speaking("1.41");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let options = EngineOptions::new()
        .socket(fake.socket())
        .observer(Arc::new(move |report| {
            sink.lock()
                .unwrap()
                .push((report.method, report.target.to_owned(), report.status));
        }));
    let engine = options.connect().unwrap();
    containers::list(engine.client(), &[]).unwrap();
    drop(fake);
    containers::list(engine.client(), &[]).unwrap_err();
    let seen = seen.lock().unwrap();
    let statuses: Vec<_> = seen.iter().map(|(_, _, status)| *status).collect();
    assert_eq!(statuses, [Some(200), Some(200), None]);
    assert_eq!((seen[0].0, seen[0].1.as_str()), ("GET", "/_ping"));
    assert!(
        seen[1].1.starts_with("/v1.41/containers/json?"),
        "{}",
        seen[1].1
    );
}
