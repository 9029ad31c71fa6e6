//! A model of an engine with one container in it, for flows of many exchanges.
//!
//! It answers every request as a healthy engine does, unless the test gives another [`Reply`] for
//! a [`Kind`] of request. What a command writes and how it ends is the test's to say.

use std::path::Path;
use std::sync::Mutex;

use pocketdock_core::host::Environment;
use pocketdock_core::{Container, CreateOptions, Engine, EngineOptions};

use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::process::PATIENCE;
use crate::support::request::Request;

/// The ID of the one container.
pub(crate) const ID: &str = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945";

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Ping,
    Create,
    Start,
    Inspect,
    Kill,
    Remove,
    ExecCreate,
    ExecStart,
    ExecInspect,
    /// The exchanges of an exec of pocketdock's own, which kills another one.
    Killer,
    Other,
}

impl Kind {
    pub(crate) fn of(request: &Request) -> Self {
        let parts: Vec<_> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["_ping"]) => Kind::Ping,
            ("POST", ["containers", "create"]) => Kind::Create,
            ("POST", ["containers", _, "start"]) => Kind::Start,
            ("GET", ["containers", _, "json"]) => Kind::Inspect,
            ("POST", ["containers", _, "kill"]) => Kind::Kill,
            ("DELETE", ["containers", _]) => Kind::Remove,
            ("POST", ["containers", _, "exec"]) if is_killer(request) => Kind::Killer,
            ("POST", ["containers", _, "exec"]) => Kind::ExecCreate,
            ("POST", ["exec", "killer", "start"]) => Kind::Killer,
            ("POST", ["exec", _, "start"]) => Kind::ExecStart,
            ("GET", ["exec", _, "json"]) => Kind::ExecInspect,
            _ => Kind::Other,
        }
    }
}

/// Whether the exec is one that looks for the processes of another.
fn is_killer(request: &Request) -> bool {
    request.text().contains("/proc/")
}

/// The reply of a healthy engine, whose commands write `out`, `err` and end with code 3.
pub(crate) fn healthy(request: &Request) -> Reply {
    match Kind::of(request) {
        Kind::Ping => Reply::ping("1.41", None),
        Kind::Create => Reply::json(201, &format!(r#"{{"Id":"{ID}","Warnings":[]}}"#)),
        Kind::Start | Kind::Kill | Kind::Remove => Reply::empty(204),
        Kind::Inspect => Reply::json(200, &inspected("running")),
        Kind::Killer if request.path.ends_with("/start") => {
            Reply::hijacked(101).frame(1, b"done 1 0\n")
        }
        Kind::Killer => Reply::json(201, r#"{"Id":"killer"}"#),
        Kind::ExecCreate => Reply::json(201, r#"{"Id":"e"}"#),
        Kind::ExecStart => Reply::hijacked(101).frame(1, b"out").frame(2, b"err"),
        Kind::ExecInspect => exec_state(false, "3"),
        Kind::Other => Reply::json(404, r#"{"message":"page not found"}"#),
    }
}

/// What the engine says of the container when it is in this state.
pub(crate) fn inspected(status: &str) -> String {
    let running = matches!(status, "running" | "paused");
    format!(
        r#"{{"Id":"{ID}","Name":"/box","State":{{"Status":"{status}","Running":{running}}},
            "Config":{{"Image":"x","Labels":{{"pocketdock.managed":"true"}}}},
            "HostConfig":{{"PidsLimit":1024}}}}"#
    )
}

/// What the engine says of an exec instance.
pub(crate) fn exec_state(running: bool, exit_code: &str) -> Reply {
    let state = format!(r#"{{"ID":"e","Running":{running},"ExitCode":{exit_code},"Pid":4711}}"#);
    Reply::json(200, &state)
}

/// A healthy engine but for what `special` answers.
pub(crate) fn model(
    special: impl Fn(Kind, &Request) -> Option<Reply> + Send + Sync + 'static,
) -> FakeEngine {
    FakeEngine::route(move |request| {
        special(Kind::of(request), request).unwrap_or_else(|| healthy(request))
    })
}

/// A healthy engine that gives `reply` to the first request of this kind.
pub(crate) fn model_with(kind: Kind, reply: Reply) -> FakeEngine {
    let reply = Mutex::new(Some(reply));
    model(move |other, _| {
        (other == kind)
            .then(|| reply.lock().unwrap().take())
            .flatten()
    })
}

/// The same with a command that says this and does not end.
pub(crate) fn endless(output: Reply) -> FakeEngine {
    let output = Mutex::new(Some(output.hang()));
    model(move |kind, _| match kind {
        Kind::ExecStart => output.lock().unwrap().take(),
        Kind::ExecInspect => Some(exec_state(true, "null")),
        _ => None,
    })
}

/// The kinds of the requests so far, the ping left out.
pub(crate) fn kinds(fake: &FakeEngine) -> Vec<Kind> {
    let requests = fake.requests();
    requests
        .iter()
        .map(Kind::of)
        .filter(|kind| *kind != Kind::Ping)
        .collect()
}

/// The engine behind a fake one.
pub(crate) fn engine_of(fake: &FakeEngine) -> Engine {
    let environment = Environment {
        // Instances lie beside the socket, and go with it.
        state_home: fake.socket().parent().map(Path::to_owned),
        ..Environment::default()
    };
    EngineOptions::new()
        .socket(fake.socket())
        .environment(environment)
        .timeout(PATIENCE)
        .connect()
        .unwrap()
}

/// A handle to the one container, which removes nothing.
pub(crate) fn opened(fake: &FakeEngine) -> Container {
    engine_of(fake).open("box").unwrap()
}

/// Options that ask for nothing but an image.
pub(crate) fn options() -> CreateOptions {
    CreateOptions::new()
        .image("localhost/busybox:latest")
        .name("box")
}
