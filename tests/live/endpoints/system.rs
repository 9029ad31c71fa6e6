//! The endpoints about the engine itself.

use std::path::Path;
use std::sync::{Arc, Mutex};

use pocketdock_core::engine::client::ExchangeReport;
use pocketdock_core::engine::system;
use pocketdock_core::{Engine, EngineKind, EngineOptions, Error};

use crate::fixture::Live;
use crate::support::scratch::Scratch;

#[test]
fn ping_version_and_info() {
    let Some(live) = Live::begin() else { return };
    let engine = live.engine();
    let ping = system::ping(live.client()).unwrap().unwrap();
    assert_eq!(
        (ping.kind, ping.version.as_str()),
        (engine.kind(), engine.version())
    );
    assert!((1, 40) <= ping.api_version);
    assert!(engine.api_version() <= ping.api_version);
    assert_eq!(live.is_podman(), engine.kind() == EngineKind::Podman);
    let version = system::version(live.client()).unwrap();
    let said = version.str_at(&["Version"]).unwrap();
    assert!(
        engine.version().starts_with(said) || said.starts_with(engine.version()),
        "{said}"
    );
    let info = system::info(live.client()).unwrap();
    assert!(info.u64_at(&["NCPU"]).is_some_and(|count| 0 < count));
    assert_eq!(info.str_at(&["OSType"]), Some("linux"));
}

#[test]
fn every_exchange_is_reported() {
    let Some(live) = Live::begin() else { return };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let observer = move |report: &ExchangeReport<'_>| {
        let line = format!("{} {} {:?}", report.method, report.target, report.status);
        sink.lock().unwrap().push(line);
    };
    let options = EngineOptions::new().socket(live.engine().socket_path());
    let engine = options.observer(Arc::new(observer)).connect().unwrap();
    system::info(engine.client()).unwrap();
    let seen = seen.lock().unwrap().join("\n");
    assert!(seen.starts_with("GET /_ping Some(200)\n"), "{seen}");
    assert!(seen.ends_with("/info Some(200)"), "{seen}");
}

#[test]
fn sockets_with_no_engine_behind_them() {
    let Some(_live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let file = scratch.write("file", b"x");
    for socket in [Path::new("/no/such.sock"), scratch.path(), &file] {
        match Engine::at(socket) {
            Err(Error::SocketConnection { socket: named, .. }) => assert_eq!(named, socket),
            other => panic!("{other:?}"),
        }
    }
}
