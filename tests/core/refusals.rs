//! What the engines say when they refuse, as recorded, and the error that it becomes.
//!
//! Recorded from Docker 20.10 and Podman 4.3; words of other versions stand in the tests.

use std::time::Duration;

use pocketdock_core::engine::client::Client;
use pocketdock_core::engine::exchange::RequestBody;
use pocketdock_core::engine::exec::ExecConfig;
use pocketdock_core::engine::{archive, containers, exec, images};
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Engine, Error};

use crate::client_of;
use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::recorded::recorded;

type Operation = fn(&Client) -> Result<(), Error>;

fn create(client: &Client) -> Result<(), Error> {
    let config = Value::object([("Image", "localhost/pd-missing:1".into())]);
    containers::create(client, "pd-recorded", &config).map(drop)
}

fn exec_create(client: &Client) -> Result<(), Error> {
    exec::create(client, "box", &ExecConfig::default()).map(drop)
}

/// A reply to inspecting a container in this state.
fn in_state(status: &str) -> Reply {
    Reply::json(
        200,
        &format!(r#"{{"Id":"1","State":{{"Status":"{status}"}}}}"#),
    )
}

/// The code of the error that `operation` gives for `reply`; a refusal that is about the state
/// of the container makes the client ask for the state, which is then `status`.
fn code_of(operation: Operation, reply: Reply, status: &str) -> (&'static str, String) {
    let fake = FakeEngine::script([Exchange::any(reply), Exchange::any(in_state(status))]);
    let error = operation(&client_of(&fake)).unwrap_err();
    (error.code(), error.to_string())
}

/// The example of docs/testing.md.
#[test]
fn a_container_that_is_not_there() {
    let missing = Reply::json(404, r#"{"message":"No such container: box"}"#);
    let fake = FakeEngine::script([
        Exchange::on("GET", "/_ping", Reply::ping("1.41", None)),
        Exchange::on("GET", "/containers/box/json", missing),
    ]);
    let engine = Engine::at(fake.socket()).unwrap();
    let error = engine.open("box").unwrap_err();
    assert_eq!(error.code(), "container_not_found");
}

#[test]
fn recorded_refusals_become_named_errors() {
    #[rustfmt::skip] // one case per line
    let cases: [(&str, Operation, &str, &str); 10] = [
        ("create-name-in-use",      create,                                              "created", "name_in_use"),
        ("create-image-missing",    create,                                              "created", "image_not_found"),
        ("exec-create-not-running", exec_create,                                         "exited",  "container_not_running"),
        ("exec-create-paused",      exec_create,                                         "paused",  "container_not_running"),
        ("kill-not-running",        |c| containers::kill(c, "box", "KILL"),              "exited",  "container_not_running"),
        ("inspect-missing",         |c| containers::inspect(c, "box").map(drop),         "",        "container_not_found"),
        ("remove-missing",          |c| containers::remove(c, "box", true),              "",        "container_not_found"),
        ("remove-running",          |c| containers::remove(c, "box", false),             "running", "engine"),
        ("archive-missing",         |c| archive::get(c, "box", "/pd-missing").map(drop), "running", "path_not_found"),
        ("image-missing",           |c| images::remove(c, "localhost/pd-missing:1"),     "",        "image_not_found"),
    ];
    for prefix in ["docker", "podman"] {
        for (name, operation, status, code) in cases {
            let reply = Reply::raw(recorded(&format!("{prefix}-{name}")).reply);
            let (got, text) = code_of(operation, reply, status);
            assert_eq!(got, code, "{prefix}-{name}: {text}");
            assert!(
                !text.contains(['{', '\n']),
                "{prefix}-{name} is shown raw: {text}"
            );
        }
    }
}

#[test]
fn recorded_answers_that_are_no_failure() {
    for prefix in ["docker", "podman"] {
        let reply =
            |name: &str| Exchange::any(Reply::raw(recorded(&format!("{prefix}-{name}")).reply));
        let fake = FakeEngine::script([
            reply("create"),
            reply("start"),
            reply("start-again"),
            reply("stop"),
            reply("stop-again"),
            reply("remove"),
            reply("exec-inspect-missing"),
            reply("image-missing"),
            reply("inspect"),
            reply("list"),
            reply("wait"),
            reply("stats"),
            reply("top"),
            reply("changes"),
            reply("unpause"),
        ]);
        let client = client_of(&fake);
        let config = Value::object([("Image", "localhost/busybox:latest".into())]);
        let created = containers::create(&client, "pd-recorded", &config).unwrap();
        assert_eq!((created.id.len(), created.warnings.len()), (64, 0));
        containers::start(&client, &created.id).unwrap();
        containers::start(&client, &created.id).unwrap();
        containers::stop(&client, &created.id, Duration::from_secs(5)).unwrap();
        containers::stop(&client, &created.id, Duration::from_secs(5)).unwrap();
        containers::remove(&client, &created.id, true).unwrap();
        assert_eq!(exec::inspect(&client, "feedbeef").unwrap(), None);
        assert_eq!(
            images::inspect(&client, "localhost/pd-missing:1").unwrap(),
            None
        );
        let inspected = containers::inspect(&client, &created.id).unwrap();
        assert_eq!(inspected.str_at(&["Id"]), Some(created.id.as_str()));
        let listed = containers::list(&client, &[]).unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].name.as_str(), listed[0].id == created.id),
            ("pd-recorded", true)
        );
        containers::wait(&client, &created.id, Duration::from_secs(5)).unwrap();
        let stats = containers::stats(&client, &created.id, true).unwrap();
        assert!(
            0 < stats.cpu_total_ns && stats.memory_limit_bytes == 64 << 20,
            "{stats:?}"
        );
        assert!(2 <= containers::top(&client, &created.id, "pid").unwrap().len());
        containers::changes(&client, &created.id).unwrap();
        containers::unpause(&client, &created.id).unwrap();
        fake.finish();
    }
}

#[test]
fn other_versions_other_words() {
    let podman = |cause: &str, message: &str| {
        format!(r#"{{"cause":"{cause}","message":"{message}","response":500}}"#)
    };
    let docker = |message: &str| format!(r#"{{"message":"{message}"}}"#);
    let start: Operation = |client| containers::start(client, "box");
    let top: Operation = |client| containers::top(client, "box", "pid").map(drop);
    let rename: Operation = |client| containers::rename(client, "box", "other");
    #[rustfmt::skip] // one case per line
    let cases: [(Operation, u16, String, &str, &str); 15] = [
        (exec_create, 409, docker("container 4f is not running"),                                     "exited",  "container_not_running"),
        (exec_create, 404, docker("No such container: box"),                                          "",        "container_not_found"),
        (exec_create, 404, podman("no such container", "no container with name or ID \\\"box\\\" found: no such container"), "", "container_not_found"),
        (start,       500, docker("driver failed programming external connectivity on endpoint b: Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use"), "created", "port_in_use"),
        (start,       500, docker("failed to set up container networking: driver failed: failed to bind host port for 127.0.0.1:80: address already in use"), "created", "port_in_use"),
        (start,       500, podman("address already in use", "cannot listen on the TCP port: listen tcp4 127.0.0.1:80: bind: address already in use"), "created", "port_in_use"),
        (start,       500, podman("rootlessport conflict with ID 1", "rootlessport conflict with ID 1"), "created", "port_in_use"),
        (top,         500, podman("top can only be used on running containers", "top can only be used on running containers"), "exited", "container_not_running"),
        (start,       400, docker("failed to create task: exec: \\\"nosuch\\\": executable file not found in $PATH: unknown"), "created", "command_not_found"),
        (start,       500, podman("OCI runtime attempted to invoke a command that was not found", "runc: exec: \\\"nosuch\\\": executable file not found in $PATH"), "created", "command_not_found"),
        (start,       400, docker("runc create failed: exec: \\\"/nosuch\\\": stat /nosuch: no such file or directory: unknown"), "created", "command_not_found"),
        (rename,      500, podman("UNIQUE constraint failed: ContainerConfig.Name", "renaming"),      "running", "name_in_use"),
        (create,      400, docker("invalid CapAdd: unknown capability: \\\"CAP_NOPE\\\""),            "",        "invalid_argument"),
        (create,      500, podman("unknown capability", "container create: \\\"CAP_NOPE\\\": unknown capability"), "", "invalid_argument"),
        (rename,      409, docker("Conflict. The container name \\\"/other\\\" is already in use by container \\\"4f\\\"."), "running", "name_in_use"),
    ];
    for (operation, status, body, state, code) in cases {
        let (got, text) = code_of(operation, Reply::json(status, &body), state);
        assert_eq!(got, code, "{status} {body}: {text}");
    }
}

#[test]
fn what_is_missing_is_told_apart() {
    let no_container = || Reply::json(404, r#"{"message":"No such container: box"}"#);
    let no_network = || Reply::json(404, r#"{"message":"network pd-net not found"}"#);
    let empty = || Reply::sized(404, "application/json", b"");
    let stat: Operation = |client| archive::stat(client, "box", "/x").map(drop);
    let get: Operation = |client| archive::get(client, "box", "/x").map(drop);
    let put: Operation = |client| archive::put(client, "box", "/x", RequestBody::None);
    let top: Operation = |client| containers::top(client, "box", "pid").map(drop);
    let start: Operation = |client| containers::start(client, "box");
    let cases = [
        (
            "stat, no path",
            stat,
            empty(),
            in_state("running"),
            "path_not_found",
        ),
        (
            "stat, no container",
            stat,
            empty(),
            no_container(),
            "container_not_found",
        ),
        (
            "get, no container",
            get,
            no_container(),
            no_container(),
            "container_not_found",
        ),
        (
            "put, no container",
            put,
            no_container(),
            no_container(),
            "container_not_found",
        ),
        (
            "top, no container",
            top,
            empty(),
            no_container(),
            "container_not_found",
        ),
        (
            "start, no network",
            start,
            no_network(),
            in_state("created"),
            "engine",
        ),
    ];
    for (name, operation, reply, next, code) in cases {
        let fake = FakeEngine::script([Exchange::any(reply), Exchange::any(next)]);
        let error = operation(&client_of(&fake)).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
    }
}

#[test]
fn an_engines_words_reach_the_caller_whatever_their_form() {
    let long = "x".repeat(1 << 20);
    let cases: [(&str, &str, &str); 7] = [
        (
            "application/json",
            r#"{"message":"  out of\nluck "}"#,
            "out of\nluck",
        ),
        (
            "application/json",
            r#"{"cause":"why","message":"what"}"#,
            "what: why",
        ),
        (
            "application/json",
            r#"{"cause":"why","message":"what: why"}"#,
            "what: why",
        ),
        ("text/plain", "Not Found\n", "Not Found"),
        ("application/json", r#"{"message":17}"#, r#"{"message":17}"#),
        ("application/json", "", "it gave no reason"),
        ("text/html", &long, "xxx"),
    ];
    for (content_type, body, want) in cases {
        let reply = Reply::sized(500, content_type, body.as_bytes());
        let fake = FakeEngine::script([Exchange::any(reply)]);
        let error = containers::list(&client_of(&fake), &[]).unwrap_err();
        let Error::Engine {
            endpoint,
            status,
            message,
        } = error
        else {
            panic!("{error:?}")
        };
        assert_eq!((endpoint.as_str(), status), ("GET /containers/json", 500));
        assert!(
            message.starts_with(want) && message.len() < 5000,
            "{message}"
        );
    }
}

#[test]
fn names_are_encoded_into_the_request() {
    let fake = FakeEngine::route(|_| Reply::json(404, r#"{"message":"No such container: x"}"#));
    let client = client_of(&fake);
    for name in ["../../etc", "a b", "a?b=c", "a#b", "ü\r\nX: y", "a%2Fb"] {
        let error = containers::inspect(&client, name).unwrap_err();
        assert!(
            matches!(error, Error::ContainerNotFound { .. }),
            "{error:?}"
        );
        let request = fake.requests().pop().unwrap();
        assert_eq!(request.path, format!("/containers/{name}/json"));
        assert_eq!(request.target.matches('/').count(), 4, "{}", request.target);
        assert_eq!((request.query.len(), request.header("X")), (0, None));
    }
    let nothing = RequestBody::None;
    archive::put(&client, "box", "/a&b=c d+é\n", nothing).unwrap_err();
    let request = fake.requests().pop().unwrap();
    assert_eq!(request.param("path"), Some("/a&b=c d+é\n"));
}

#[test]
fn an_image_that_can_be_none_is_named() {
    for message in [
        "invalid reference format: repository name must be lowercase",
        "normalizing image: normalizing name for compat API: invalid reference format",
    ] {
        let reply = Reply::json(400, &format!(r#"{{"message":"{message}"}}"#));
        let (code, text) = code_of(create, reply, "");
        assert_eq!(code, "invalid_argument", "{text}");
        assert!(text.contains("'localhost/pd-missing:1'"), "{text}");
    }
}
