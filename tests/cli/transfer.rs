//! `export` and `import` against a scripted engine: what is left when something fails or a signal
//! comes, and what is sent.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::program::{code, pocketdock, text};
use crate::support::fake_engine::{FakeEngine, Gate, Reply};
use crate::support::scratch::Scratch;

/// A block of something and the end of an archive.
fn archive() -> Vec<u8> {
    [[b'x'; 512].as_slice(), &[0; 1024]].concat()
}

fn engine(get: impl Fn() -> Reply + Send + Sync + 'static) -> FakeEngine {
    FakeEngine::route(move |request| match request.path.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        "/images/get" => get(),
        "/images/load" => Reply::json(200, r#"{"stream":"Loaded image: a:1\n"}"#),
        _ => Reply::json(200, r#"{"Id":"sha256:1"}"#),
    })
}

fn run_in(dir: &Path, engine: &FakeEngine, words: &[&str]) -> Output {
    let mut command = pocketdock();
    command.arg("--socket").arg(engine.socket());
    command.args(words).current_dir(dir).output().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_archive_and_its_checksum() {
    let engine = engine(|| Reply::chunked(200, &[&archive()]));
    let dir = Scratch::new();
    let exported = run_in(
        dir.path(),
        &engine,
        &["export", "--image", "a:1", "-o", "a.tar"],
    );
    assert_eq!(code(&exported), 0, "{exported:?}");
    assert_eq!(text(&exported.stdout), "a.tar\n");
    assert_eq!(names(dir.path()), ["a.tar", "a.tar.sha256"]);
    assert_eq!(fs::read(dir.path().join("a.tar")).unwrap(), archive());
    let checked = Command::new("sha256sum")
        .args(["-c", "a.tar.sha256"])
        .current_dir(dir.path())
        .output();
    if let Ok(checked) = checked {
        assert_eq!(text(&checked.stdout), "a.tar: OK\n");
    }
    let json = run_in(
        dir.path(),
        &engine,
        &["--json", "export", "--image", "a:1", "-o", "a.tar.gz"],
    );
    assert!(
        text(&json.stdout).starts_with(r#"{"file":"a.tar.gz","images":["a:1"],"bytes":"#),
        "{json:?}"
    );
    assert!(json.stderr.is_empty(), "{json:?}");
    let stdout = run_in(
        dir.path(),
        &engine,
        &["export", "--image", "a:1", "-o", "-"],
    );
    assert_eq!(stdout.stdout, archive());
    assert_eq!(names(dir.path()).len(), 4);
}

#[test]
fn an_export_that_fails_leaves_what_was_there() {
    let cut = || Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n600\r\nxxxx");
    let told = || {
        Reply::chunked(
            200,
            &[b"xxxx", br#"{"errorDetail":{},"error":"layer gone"}"#],
        )
    };
    let refused = || Reply::json(500, r#"{"message":"no"}"#);
    for (get, words) in [
        (cut as fn() -> Reply, "hung up"),
        (told, "layer gone"),
        (refused, "no"),
    ] {
        let engine = engine(get);
        let dir = Scratch::new();
        for name in ["a.tar", "a.tar.gz"] {
            let file = dir.path().join(name);
            fs::write(&file, "old").unwrap();
            let failed = run_in(
                dir.path(),
                &engine,
                &["export", "--image", "a:1", "-o", name],
            );
            assert_eq!(code(&failed), 1, "{failed:?}");
            assert!(text(&failed.stderr).contains(words), "{failed:?}");
            assert_eq!(fs::read(file).unwrap(), b"old");
        }
        assert_eq!(names(dir.path()), ["a.tar", "a.tar.gz"]);
    }
}

#[test]
fn a_signal_leaves_nothing_of_an_export() {
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        for file in ["a.tar", "a.tar.gz"] {
            let gate = Gate::default();
            let begun = gate.clone();
            let engine = engine(move || {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nxxxx\r\n";
                Reply::raw(head).wait(&begun)
            });
            let dir = Scratch::new();
            let mut command = pocketdock();
            command
                .arg("--socket")
                .arg(engine.socket())
                .current_dir(dir.path());
            command.args(["export", "--image", "a:1", "-o", file]);
            let mut child = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            gate.wait_reached();
            assert_eq!(names(dir.path()).len(), 1);
            let killed = Command::new("kill")
                .args(["-s", name, &child.id().to_string()])
                .status();
            assert!(killed.unwrap().success());
            assert_eq!(child.wait().unwrap().signal(), Some(number), "{name}");
            assert_eq!(names(dir.path()), <[String; 0]>::default(), "{name} {file}");
        }
    }
}

#[test]
fn an_import_sends_the_archive_as_it_was() {
    let dir = Scratch::new();
    let writing = engine(|| Reply::chunked(200, &[&archive()]));
    for name in ["a.tar", "a.tar.gz"] {
        run_in(
            dir.path(),
            &writing,
            &["export", "--image", "a:1", "-o", name],
        );
    }
    for (words, stdin) in [
        (["import", "a.tar"], None),
        (["import", "a.tar.gz"], None),
        (["import", "-"], Some("a.tar")),
        (["import", "-"], Some("a.tar.gz")),
    ] {
        let engine = engine(|| Reply::empty(204));
        let mut command = pocketdock();
        command
            .arg("--socket")
            .arg(engine.socket())
            .args(words)
            .current_dir(dir.path());
        if let Some(name) = stdin {
            command.stdin(fs::File::open(dir.path().join(name)).unwrap());
        }
        let imported = command.output().unwrap();
        assert_eq!(code(&imported), 0, "{imported:?}");
        assert_eq!(text(&imported.stdout), "a:1\n");
        let sent = engine.requests();
        let load = sent.iter().find(|request| request.path == "/images/load");
        assert_eq!(load.unwrap().body, archive(), "{words:?} {stdin:?}");
    }
}

/// As `nohup` leaves it behind in a terminal.
#[test]
fn an_input_that_cannot_be_read_is_empty() {
    let only_written = fs::OpenOptions::new().write(true).open("/dev/null");
    let mut command = pocketdock();
    command.args(["import", "-"]).stdin(only_written.unwrap());
    let done = command.output().unwrap();
    assert_eq!(code(&done), 1);
    let said = text(&done.stderr);
    assert!(said.contains("'stdin' is empty"), "{said}");
}

#[test]
fn an_archive_that_is_another_is_not_sent() {
    let dir = Scratch::new();
    let engine = engine(|| Reply::chunked(200, &[&archive()]));
    run_in(
        dir.path(),
        &engine,
        &["export", "--image", "a:1", "-o", "a.tar"],
    );
    let file = dir.path().join("a.tar");
    let mut bytes = archive();
    bytes[100] ^= 1;
    fs::write(&file, bytes).unwrap();
    let before = engine.connection_count();
    let refused = run_in(dir.path(), &engine, &["import", "a.tar"]);
    assert_eq!(code(&refused), 1, "{refused:?}");
    let said = text(&refused.stderr);
    assert!(
        said.contains("'a.tar' is not what 'a.tar.sha256' was made of"),
        "{said}"
    );
    fs::write(dir.path().join("a.tar.sha256"), "nonsense\n").unwrap();
    let refused = run_in(dir.path(), &engine, &["import", "a.tar"]);
    assert!(
        text(&refused.stderr).contains("'a.tar.sha256' has no SHA-256"),
        "{refused:?}"
    );
    assert_eq!(
        engine.connection_count(),
        before,
        "nothing is asked of the engine"
    );
}

/// What decompresses says so, and the engine gets no end of the archive that it could take for one.
#[test]
fn a_compressed_archive_that_is_cut_is_told() {
    let dir = Scratch::new();
    let writing = engine(|| Reply::chunked(200, &[&archive()]));
    run_in(
        dir.path(),
        &writing,
        &["export", "--image", "a:1", "-o", "a.tar.gz"],
    );
    let whole = fs::read(dir.path().join("a.tar.gz")).unwrap();
    let cut = dir.path().join("cut");
    fs::write(&cut, &whole[..whole.len() - 4]).unwrap();
    let engine = engine(|| Reply::empty(204));
    let refused = run_in(dir.path(), &engine, &["import", "cut"]);
    assert_eq!(code(&refused), 1, "{refused:?}");
    assert!(
        text(&refused.stderr).starts_with("pocketdock: cannot read 'cut': '"),
        "{refused:?}"
    );
}

#[test]
fn without_gzip_it_is_said() {
    let engine = engine(|| Reply::chunked(200, &[&archive()]));
    let dir = Scratch::new();
    let mut command = pocketdock();
    command
        .env("PATH", "/nonexistent")
        .arg("--socket")
        .arg(engine.socket());
    command.args(["export", "--image", "a:1", "-o", "a.tar.gz"]);
    let failed = command.current_dir(dir.path()).output().unwrap();
    assert_eq!(code(&failed), 1, "{failed:?}");
    assert!(
        text(&failed.stderr).contains("cannot start 'pigz' or 'gzip'"),
        "{failed:?}"
    );
    assert_eq!(names(dir.path()), <[String; 0]>::default());
}
