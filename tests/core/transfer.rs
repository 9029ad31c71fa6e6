//! Images out of an engine and into it, made of sandboxes and of directories: what an engine can
//! get wrong.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use pocketdock_core::async_::AsyncEngine;
use pocketdock_core::{BuildContext, BuildOptions, Engine, Error, Progress};

use crate::support::executor::block_on;
use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::process::{PATIENCE, within};
use crate::support::request::Request;

const FOUND: &str = r#"{"Id":"sha256:1"}"#;

/// An engine that answers to a ping and then from this script.
fn engine<const N: usize>(script: [Exchange; N]) -> (FakeEngine, Engine) {
    engine_of(None, script)
}

fn engine_of<const N: usize>(libpod: Option<&str>, script: [Exchange; N]) -> (FakeEngine, Engine) {
    let ping = Exchange::on("GET", "/_ping", Reply::ping("1.41", libpod));
    let fake = FakeEngine::script([ping].into_iter().chain(script));
    let engine = Engine::at(fake.socket()).unwrap();
    (fake, engine)
}

fn has(image: &str) -> Exchange {
    Exchange::on(
        "GET",
        &format!("/images/{image}/json"),
        Reply::json(200, FOUND),
    )
}

/// A block of something and the end of an archive.
fn archive() -> Vec<u8> {
    [[b'x'; 512].as_slice(), &[0; 1024]].concat()
}

/// What is written and what comes of it when the engine answers so.
fn exported(reply: Reply) -> (Vec<u8>, Result<u64, Error>) {
    let (fake, engine) = engine([has("a:1"), Exchange::on("GET", "/images/get", reply)]);
    let mut out = Vec::new();
    let result = engine.export(&["a:1"], &mut out);
    drop(fake);
    (out, result)
}

#[test]
fn an_archive_is_the_same_at_every_split() {
    let archive = archive();
    let pieces: Vec<&[u8]> = archive.chunks(100).collect();
    for piece_len in [1, 7, 100, 513, usize::MAX] {
        for reply in [
            Reply::chunked(200, &pieces),
            Reply::sized(200, "application/x-tar", &archive),
        ] {
            let (out, result) = exported(reply.split(piece_len));
            assert_eq!(result.unwrap(), archive.len() as u64, "{piece_len}");
            assert_eq!(out, archive, "{piece_len}");
        }
    }
}

#[test]
fn several_images_are_asked_for_in_one_request() {
    let get = Exchange::on("GET", "/images/get", Reply::chunked(200, &[&archive()]));
    let get = get.checked("names=a:1&names=b/c", |request: &Request| {
        let names = request.query.iter().filter(|(key, _)| key == "names");
        names.map(|(_, value)| value.as_str()).eq(["a:1", "b/c"])
    });
    let (_fake, engine) = engine([has("a:1"), has("b/c"), get]);
    let mut seen = Vec::new();
    let on_progress = |progress: &Progress| seen.push(*progress);
    engine
        .export_with(&["a:1", "b/c", "a:1"], io::sink(), on_progress)
        .unwrap();
    assert_eq!(seen.last().unwrap().done_bytes, 1536);
    assert_eq!(seen.last().unwrap().total_bytes, None);
}

#[test]
fn nothing_is_asked_for_if_one_is_not_there() {
    let missing = Exchange::on("GET", "/images/b:1/json", Reply::json(404, "{}"));
    let (_fake, engine) = engine([has("a:1"), missing]);
    let mut out = Vec::new();
    let error = engine.export(&["a:1", "b:1"], &mut out).unwrap_err();
    assert!(
        matches!(&error, Error::ImageNotFound { image } if image == "b:1"),
        "{error:?}"
    );
    assert!(out.is_empty());
}

#[test]
fn an_archive_that_is_cut_short_is_an_error_wherever_it_is() {
    let archive = archive();
    let chunked = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n600\r\n".as_slice(),
        &archive,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    for len in (0..chunked.len()).step_by(13).chain([chunked.len() - 1]) {
        let (_, result) = exported(Reply::raw(&chunked[..len]));
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::SocketCommunication { .. }),
            "{len}: {error:?}"
        );
    }
    assert!(exported(Reply::raw(chunked)).1.is_ok());
}

/// Docker can say that it failed half-way only in the archive, and then ends it as if all was well.
#[test]
fn an_error_in_the_archive_is_an_error() {
    let error = br#"{"errorDetail":{"message":"layer gone"},"error":"layer gone"}"#;
    let (_, result) = exported(Reply::chunked(200, &[&[b'x'; 700], error, b"\r\n"]));
    let error = result.unwrap_err();
    assert!(
        matches!(&error, Error::Engine { message, .. } if message == "layer gone"),
        "{error:?}"
    );
    for body in [&b""[..], &[b'x'; 512], &[0; 1000], &archive()[1..]] {
        let (_, result) = exported(Reply::sized(200, "application/x-tar", body));
        let error = result.unwrap_err();
        assert!(
            matches!(error, Error::Protocol { .. }),
            "{} bytes: {error:?}",
            body.len()
        );
    }
}

fn imported(reply: Reply) -> Result<Vec<String>, Error> {
    let (_fake, engine) = engine([Exchange::on("POST", "/images/load", reply)]);
    engine.import(archive().as_slice())
}

#[test]
fn what_engines_say_they_loaded() {
    let docker: [&[u8]; 3] = [
        b"{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1}}\r\n",
        b"{\"stream\":\"Loaded image: a:1\\n\"}\r\n",
        b"{\"stream\":\"Loaded image ID: sha256:12\\n\"}\r\n",
    ];
    let podman = r#"{"stream":"Loaded image: localhost/a:1,localhost/b:2"}"#;
    for piece_len in [1, 10, usize::MAX] {
        let loaded = imported(Reply::chunked(200, &docker).split(piece_len)).unwrap();
        assert_eq!(loaded, ["a:1", "sha256:12"]);
        let loaded = imported(Reply::json(200, podman).split(piece_len)).unwrap();
        assert_eq!(loaded, ["localhost/a:1", "localhost/b:2"]);
    }
}

#[test]
fn an_import_that_failed_is_no_success() {
    let half: [&[u8]; 2] = [
        b"{\"stream\":\"Loaded image: a:1\\n\"}\r\n",
        b"{\"errorDetail\":{\"message\":\"no space\"},\"error\":\"no space\"}\r\n",
    ];
    #[rustfmt::skip] // one case per line
    let cases = [
        ("in the stream",   Reply::chunked(200, &half),                              "no space"),
        ("in the status",   Reply::json(500, r#"{"message":"no such format"}"#),     "no such format"),
        ("nothing loaded",  Reply::json(200, ""),                                    "no image in it"),
        ("something else",  Reply::json(200, r#"{"stream":"That was all"}"#),        "That was all"),
    ];
    for (name, reply, words) in cases {
        let error = imported(reply).unwrap_err();
        assert!(
            matches!(error, Error::ImportFailed { .. }),
            "{name}: {error:?}"
        );
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
    let cut = Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"str");
    let error = imported(cut).unwrap_err();
    assert!(
        matches!(error, Error::SocketCommunication { .. }),
        "{error:?}"
    );
}

/// What the engines say is about files and formats that are nothing to whoever imports.
#[test]
fn what_is_wrong_with_an_archive_is_told_without_the_engines_files() {
    let podman = |said: &str| {
        format!(
            "failed to load image: payload does not match any of the supported image formats:\\n \
             * oci: initializing source oci:/var/tmp/api_load.tar1:: not a directory\\n \
             * oci-archive: loading index: open /var/tmp/oci1/index.json: no such file\\n \
             * docker-archive: loading tar component {said}\\n \
             * dir: open /var/tmp/api_load.tar1/manifest.json: not a directory\\n"
        )
    };
    let header = "archive/tar: invalid tar header";
    #[rustfmt::skip] // one case per line
    let cases = [
        (format!("Error processing tar file(exit status 1): {header}"),               "it is no tar archive"),
        ("open /a/docker-import-1/repositories: no such file or directory".to_owned(), "there is no image in it"),
        ("open /a/docker-import-1/a/json: no such file or directory".to_owned(),       "there is no image in it"),
        ("Error processing tar file(exit status 1): unexpected EOF".to_owned(),        "it is cut short, or no archive"),
        (podman(&format!("manifest.json: {header}")),                                  "it is no tar archive"),
        (podman("manifest.json: file does not exist"),                                 "there is no image in it"),
        (podman(r#"\"manifest.json\": file does not exist"#),                          "there is no image in it"),
        (podman("manifest.json: unexpected EOF"),                                      "it is cut short, or no archive"),
        (podman("x: of another kind"),                                                 "loading tar component x: of another kind"),
    ];
    for (said, meant) in cases {
        let body = format!(r#"{{"message":"{said}"}}"#);
        let error = imported(Reply::json(500, &body)).unwrap_err();
        assert!(
            matches!(&error, Error::ImportFailed { message } if message == meant),
            "{said}: {error}"
        );
    }
}

/// An engine that has seen enough answers and hangs up while the archive is still on its way.
#[test]
fn a_refusal_in_the_middle_of_an_upload_is_heard() {
    for exchange in [
        Exchange::any(Reply::json(500, r#"{"message":"no archive"}"#)).after_head(),
        Exchange::any(Reply::json(500, r#"{"message":"no archive"}"#)).at_once(),
    ] {
        let (_fake, engine) = engine([exchange]);
        let endless = io::repeat(b'x').take(1 << 30);
        let error = within(PATIENCE, move || engine.import(endless)).unwrap_err();
        assert!(
            matches!(&error, Error::ImportFailed { message } if message == "no archive"),
            "{error:?}"
        );
    }
}

#[test]
fn a_source_that_fails_is_told_as_such() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let (_fake, engine) = engine([Exchange::any(Reply::raw("")).after_head()]);
    let error = engine.import(Failing).unwrap_err().to_string();
    assert_eq!(
        error,
        "cannot read the archive of images: the disk is on fire"
    );
}

const SANDBOX: &str = r#"{"Id":"4cb0","Name":"/box","Image":"sha256:base","State":{"Running":true},
"Config":{"Labels":{"pocketdock.managed":"true","pocketdock.instance":"box","own":"1"}}}"#;

const COMMITTED: &str = r#"{"Id":"sha256:c0","Created":"2025-01-01T00:00:00Z","Architecture":"amd64",
"Os":"linux","Config":{"Env":["A=b"],"Labels":{"pocketdock.managed":"","own":"1"}},
"RootFS":{"Type":"layers","Layers":["sha256:aa"]}}"#;

/// The exchanges of a snapshot up to its load.
fn committed() -> [Exchange; 7] {
    let commit = Exchange::on("POST", "/commit", Reply::json(201, r#"{"Id":"sha256:c0"}"#));
    let commit = commit.checked("it is given no name", |request: &Request| {
        request
            .query
            .iter()
            .all(|(key, _)| key != "repo" && key != "tag")
    });
    [
        Exchange::on("GET", "/containers/box/json", Reply::json(200, SANDBOX)),
        Exchange::on("GET", "/containers/4cb0/json", Reply::json(200, SANDBOX)),
        commit,
        Exchange::on("GET", "/images/sha256:c0/json", Reply::json(200, COMMITTED)),
        Exchange::on("GET", "/images/sha256:base/json", Reply::json(404, "{}")),
        Exchange::on("GET", "/images/sha256:c0/history", Reply::json(200, "[]")),
        Exchange::on(
            "POST",
            "/images/load",
            Reply::json(200, r#"{"stream":"Loaded image ID: sha256:x"}"#),
        )
        .checked(
            "it has the labels of others and not ours",
            |request: &Request| {
                let archive = String::from_utf8_lossy(&request.body);
                archive.contains(r#""Labels":{"own":"1"}"#) && !archive.contains("pocketdock")
            },
        ),
    ]
}

fn snapshot(libpod: Option<&str>, rest: Vec<Exchange>) -> (Result<String, Error>, Vec<String>) {
    let ping = Exchange::on("GET", "/_ping", Reply::ping("1.41", libpod));
    let script = [ping].into_iter().chain(committed()).chain(rest);
    let fake = FakeEngine::script(script);
    let engine = Engine::at(fake.socket()).unwrap();
    let result = engine.open("box").unwrap().snapshot("web:1");
    let lines = fake.requests().iter().skip(8).map(Request::line).collect();
    (result, lines)
}

/// The ID comes of the configuration, so a route answers to whatever it is.
fn then(reply: Reply) -> Exchange {
    Exchange::any(reply)
}

#[test]
fn a_snapshot_is_named_when_it_is_whole() {
    for libpod in [None, Some("4.3.1")] {
        let rest = vec![
            then(Reply::json(200, FOUND)),
            then(Reply::empty(201)),
            then(Reply::json(200, "[]")),
        ];
        let (result, lines) = snapshot(libpod, rest);
        let id = result.unwrap();
        assert_eq!(id.len(), "sha256:".len() + 64);
        assert_eq!(lines[1], format!("POST /images/{id}/tag"));
        assert_eq!(lines[2], "DELETE /images/sha256:c0");
    }
}

#[test]
fn a_snapshot_that_cannot_be_named_leaves_nothing() {
    let rest = vec![
        then(Reply::json(200, FOUND)),
        then(Reply::json(500, r#"{"message":"no such name"}"#)),
        then(Reply::json(200, "[]")),
        then(Reply::json(200, "[]")),
    ];
    let (result, lines) = snapshot(None, rest);
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Engine { .. }), "{error:?}");
    assert!(lines[2].starts_with("DELETE /images/sha256:"), "{lines:?}");
    assert_eq!(lines[3], "DELETE /images/sha256:c0");
}

/// The engine says that it has loaded something and has no such image.
#[test]
fn an_engine_that_takes_no_archive_without_layers_names_what_was_committed() {
    let rest = vec![then(Reply::json(404, "{}")), then(Reply::empty(201))];
    let (result, lines) = snapshot(None, rest);
    assert_eq!(result.unwrap(), "sha256:c0");
    assert_eq!(lines[1], "POST /images/sha256:c0/tag");
}

#[test]
fn a_build_is_refused_before_anything_is_sent() {
    let (fake, engine) = engine_of(Some("5.8.0"), []);
    let build = |options: &BuildOptions| {
        let context = BuildContext::archive(&b"x"[..]);
        engine
            .build_from(context, options, &mut |_| {})
            .unwrap_err()
    };
    for options in [
        BuildOptions::new().network("none"),
        BuildOptions::new().tag("Upper"),
        BuildOptions::new().dockerfile("../Dockerfile"),
    ] {
        let error = build(&options);
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
    }
    assert_eq!(fake.requests().len(), 1, "the ping");
}

/// The bytes that a future has written, while the test has a look at them, too.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_futures_do_the_same() {
    let (_fake, engine) = engine([
        has("a:1"),
        Exchange::on("GET", "/images/get", Reply::chunked(200, &[&archive()])),
        Exchange::on(
            "POST",
            "/images/load",
            Reply::json(200, r#"{"stream":"Loaded image: a:1"}"#),
        ),
        Exchange::on(
            "POST",
            "/build",
            Reply::json(200, r#"{"aux":{"ID":"sha256:2"}}"#),
        ),
    ]);
    let engine = AsyncEngine::from(engine);
    let out = Shared::default();
    let len = block_on(engine.export(&["a:1"], out.clone())).unwrap();
    let written = out.0.lock().unwrap().clone();
    assert_eq!((len, &written), (1536, &archive()));
    let names = block_on(engine.import(io::Cursor::new(written))).unwrap();
    assert_eq!(names, ["a:1"]);
    let context = BuildContext::archive(&b"x"[..]);
    let id = block_on(engine.build_from(context, &BuildOptions::new(), |_| {})).unwrap();
    assert_eq!(id, "sha256:2");
}
