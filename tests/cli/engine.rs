//! Commands against a scripted engine: what a hostile or broken one can do to a terminal, to the
//! exit code and to the time a command takes.

use std::time::{Duration, Instant};

use crate::program::{code, run_at, text};
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::request::Request;

/// A list with one sandbox whose words are anything but words.
const HOSTILE_LIST: &str = r#"[{"Id":"4cb0a1a4e8a4f0a1b5a3c0f6c8a1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c9",
"Names":["/web"],"Image":"a\u001b[2Jb","ImageID":"sha256:0","Created":1700000000,
"State":"running","Status":"Up 2 hours","Labels":{"pocketdock.managed":"true",
"pocketdock.instance":"web","pocketdock.project":"p\nq\u202e"}}]"#;

fn ping_or(request: &Request, reply: impl FnOnce() -> Reply) -> Reply {
    if request.path == "/_ping" {
        Reply::ping("1.41", None)
    } else {
        reply()
    }
}

#[test]
fn words_of_an_engine_can_not_command_the_terminal() {
    let engine = FakeEngine::route(|request| ping_or(request, || Reply::json(200, HOSTILE_LIST)));
    let output = run_at(engine.socket(), &["list"]);
    let shown = text(&output.stdout);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(
        shown.contains(r"a\x1b[2Jb") && shown.contains(r"p\nq\u{202e}"),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 2, "{shown}");
}

#[test]
fn messages_of_an_engine_can_not_either() {
    let refusal = r#"{"message":"no \u001b]0;title\u0007 today"}"#;
    let engine = FakeEngine::route(move |request| ping_or(request, || Reply::json(500, refusal)));
    let output = run_at(engine.socket(), &["list"]);
    assert_eq!(code(&output), 1);
    assert!(
        text(&output.stderr).contains(r"no \x1b]0;title\x07 today"),
        "{output:?}"
    );
    let output = run_at(engine.socket(), &["--json", "list"]);
    assert!(
        text(&output.stdout).contains(r"\u001b]0;title\u0007"),
        "{output:?}"
    );
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_engine_that_fails_under_run_is_125() {
    let engine = FakeEngine::route(|request| ping_or(request, || Reply::json(500, "{}")));
    assert_eq!(code(&run_at(engine.socket(), &["run", "box", "ls"])), 125);
}

#[test]
fn a_first_process_that_cannot_start_is_a_failure_of_create() {
    let engine = FakeEngine::route(|request| {
        ping_or(request, || match request.path.rsplit('/').next() {
            Some("create") => Reply::json(201, r#"{"Id":"4cb0","Warnings":[]}"#),
            Some("start") => {
                let message =
                    r#"{"message":"exec: \"sleep\": executable file not found in $PATH"}"#;
                Reply::json(400, message)
            }
            _ => Reply::sized(204, "application/json", b""),
        })
    });
    let output = run_at(engine.socket(), &["create", "--image", "x", "--no-init"]);
    assert_eq!(code(&output), 1, "{output:?}");
    assert!(text(&output.stderr).contains("'sleep'"), "{output:?}");
}

#[test]
fn what_is_no_engine_is_named() {
    let garbage = FakeEngine::route(|_| Reply::raw("SSH-2.0-OpenSSH_9.2\r\n"));
    let output = run_at(garbage.socket(), &["list"]);
    assert_eq!(code(&output), 1);
    let socket = garbage.socket().display().to_string();
    assert!(text(&output.stderr).contains(&socket), "{output:?}");
}

#[test]
fn json_errors_of_every_command_have_a_code() {
    let engine = FakeEngine::route(|request| {
        ping_or(request, || {
            Reply::json(404, r#"{"message":"No such container: box"}"#)
        })
    });
    for words in [
        &["info", "box"][..],
        &["stop", "box"],
        &["resume", "box"],
        &["shutdown", "-y", "box"],
        &["run", "box", "ls"],
    ] {
        let output = run_at(engine.socket(), &[&["--json"], words].concat());
        let shown = text(&output.stdout);
        assert!(
            shown.contains(r#""code":"container_not_found""#),
            "{words:?} {output:?}"
        );
        assert_eq!(shown.lines().count(), 1, "{words:?} {shown}");
        let wanted = if words[0] == "run" { 125 } else { 1 };
        assert_eq!(code(&output), wanted, "{words:?}");
    }
}

/// What was gathered for the result is not lost with it.
#[test]
fn output_so_far_stands_beside_an_error_in_json() {
    let engine = FakeEngine::route(|request| {
        ping_or(request, || match request.path.rsplit('/').nth(1) {
            Some("box" | "4cb0") if request.method == "GET" => Reply::json(
                200,
                r#"{"Id":"4cb0","Name":"/box","State":{"Status":"running","Running":true},
                "Config":{"Labels":{"pocketdock.managed":"true"}}}"#,
            ),
            Some("4cb0") => Reply::json(201, r#"{"Id":"e1"}"#),
            // A frame, and the beginning of another.
            Some("e1") if request.method == "POST" => Reply::hijacked(101)
                .frame(1, b"so far\n")
                .then(b"\x01\0".as_slice()),
            Some("e1") => Reply::json(200, r#"{"Running":false,"ExitCode":0,"Pid":1}"#),
            _ => Reply::json(404, r#"{"message":"no"}"#),
        })
    });
    let output = run_at(engine.socket(), &["run", "--json", "box", "true"]);
    assert_eq!(code(&output), 125, "{output:?}");
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with(r#"{"error":{"code":"socket_communication","message":"#)
            && shown
                .ends_with(",\"stdout\":\"so far\\n\",\"stderr\":\"\",\"encoding\":\"utf-8\"}\n"),
        "{shown}"
    );
    assert_eq!(shown.lines().count(), 1, "{shown}");
}

#[test]
fn verbose_names_each_request_on_stderr() {
    let engine = FakeEngine::route(|request| ping_or(request, || Reply::json(200, "[]")));
    let output = run_at(engine.socket(), &["-v", "list", "--json"]);
    assert_eq!(text(&output.stdout), "[]\n");
    let lines: Vec<&str> = text(&output.stderr).lines().collect();
    assert!(
        lines.iter().any(|line| line.starts_with("GET /_ping 200 ")),
        "{lines:?}"
    );
    let socket = format!("socket {} (the caller)", engine.socket().display());
    let (sockets, exchanges): (Vec<&str>, _) = lines.iter().partition(|line| **line == socket);
    assert_eq!(sockets.len(), 1, "{lines:?}");
    assert!(
        exchanges.iter().all(|line| line.ends_with(" ms")),
        "{lines:?}"
    );
}

#[test]
fn an_engine_that_hangs_up_ends_the_command_at_once() {
    let engine = FakeEngine::route(|request| ping_or(request, || Reply::raw("HTTP/1.1 200 ")));
    let began = Instant::now();
    assert_eq!(code(&run_at(engine.socket(), &["list"])), 1);
    assert!(began.elapsed() < Duration::from_secs(10));
}
