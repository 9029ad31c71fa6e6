//! Words that nobody means: bytes that are no text, ten thousand of them, control characters.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;
use std::time::{Duration, Instant};

use pocketdock_core::wire::json;

use crate::program::{code, text};
use crate::rules::ROWS;
use crate::support::scratch::Scratch;
use crate::world::{inside, project, run_in, world};

/// A name with a byte that is in no text.
const BYTES: &[u8] = b"a\xffb";

fn run_bytes(dir: &Scratch, words: &[&[u8]]) -> Output {
    let words = words.iter().map(|word| OsStr::from_bytes(word));
    inside(dir).args(words).output().unwrap()
}

#[test]
fn a_word_that_is_no_text_is_refused_by_name_or_passed_on() {
    let dir = project();
    for row in &ROWS {
        // In the place of each word, and behind all of them.
        for at in 0..=row.good.len() {
            let mut words: Vec<&[u8]> = row.with(&[]).iter().map(|word| word.as_bytes()).collect();
            match words.get_mut(at + 1) {
                Some(word) => *word = BYTES,
                None => words.push(BYTES),
            }
            let output = run_bytes(&dir, &words);
            let said = [output.stdout.as_slice(), &output.stderr].concat();
            let said = text(&said);
            assert!(!said.contains("panicked"), "{words:?} {said}");
            // A path of the host is no matter of text; it is shown as well as can be.
            let is_refused = code(&output) == 2 && said.contains("'a\u{fffd}b'");
            let is_path = ["push", "pull", "export", "import", "init"].contains(&row.name);
            assert!(is_refused || is_path, "{words:?} {said}");
        }
    }
}

#[test]
fn options_and_commands_that_are_no_text_are_unknown() {
    let dir = project();
    let cases: [(&[&[u8]], &str); 6] = [
        (&[BYTES], "'a\u{fffd}b' for 'COMMAND' is not valid UTF-8"),
        (
            &[b"help", BYTES],
            "'a\u{fffd}b' for 'COMMAND' is not valid UTF-8",
        ),
        (&[b"--\xff"], "unknown option '--\u{fffd}'"),
        (&[b"-\xff"], "unknown option '-\u{fffd}'"),
        (
            &[b"--color=\xff", b"list"],
            "'\u{fffd}' for '--color' is not valid UTF-8",
        ),
        (
            &[b"run", b"box", b"ls", BYTES],
            "'a\u{fffd}b' for 'COMMAND' is not valid UTF-8",
        ),
    ];
    for (words, want) in cases {
        let output = run_bytes(&dir, words);
        assert_eq!(code(&output), 2, "{words:?} {output:?}");
        assert!(text(&output.stderr).contains(want), "{words:?} {output:?}");
        let output = run_bytes(&dir, &[&[&b"--json"[..]], words].concat());
        json::parse(output.stdout.trim_ascii_end()).unwrap();
    }
    // With the way to have the bytes all the same.
    let output = run_bytes(&dir, &[b"run", b"box", b"ls", BYTES]);
    assert!(text(&output.stderr).contains("printf a\\377"), "{output:?}");
    let output = run_bytes(&dir, &[b"pull", b"box", b"/a\xff", b"."]);
    let said = text(&output.stderr);
    assert!(
        said.contains("\nhint: pull the directory that it is in"),
        "{said}"
    );
}

#[test]
fn a_path_of_the_host_may_be_any_bytes() {
    let (dir, engine) = (project(), world());
    let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
    fs::copy(dir.join("images.tar"), at(BYTES)).unwrap();
    fs::write(at(b"env\xff"), "A=1\n").unwrap();
    fs::create_dir(at(b"dir\xff")).unwrap();
    let cases: [&[&[u8]]; 4] = [
        &[b"import", BYTES],
        &[b"export", b"--image", b"tools:1", b"-o", b"new\xff"],
        &[b"init", b"dir\xff", b"--name", b"x"],
        &[b"run", b"--env-file", b"env\xff", b"box", b"true"],
    ];
    for words in cases {
        let mut command = inside(&dir);
        command.env("POCKETDOCK_SOCKET", engine.socket());
        let output = command
            .args(words.iter().map(|word| OsStr::from_bytes(word)))
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{words:?} {output:?}");
    }
    assert!(at(b"new\xff").is_file() && at(b"new\xff.sha256").is_file());
    assert!(at(b"dir\xff").join(".pocketdock/pocketdock.yaml").is_file());
    // The working directory, too.
    let output = inside(&dir)
        .current_dir(at(b"dir\xff"))
        .args(["logs", "--json"])
        .output()
        .unwrap();
    assert_eq!(
        (code(&output), text(&output.stdout)),
        (0, "[]\n"),
        "{output:?}"
    );
}

#[test]
fn variables_may_be_any_bytes() {
    let dir = project();
    for name in [
        "POCKETDOCK_SOCKET",
        "DOCKER_HOST",
        "CONTAINER_HOST",
        "DOCKER_CONTEXT",
        "HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "TERM",
        "NO_COLOR",
    ] {
        let mut command = inside(&dir);
        command.env(name, OsStr::from_bytes(b"/\xff"));
        let output = command.arg("list").output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(code(&output), 1, "{name} {said}");
        assert!(said.starts_with("pocketdock: "), "{name} {said}");
    }
    let mut command = inside(&dir);
    command
        .env("X", OsStr::from_bytes(b"\xff"))
        .args(["run", "-e", "X", "box", "true"]);
    let output = command.output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        text(&output.stderr).contains("'X' is not valid UTF-8"),
        "{output:?}"
    );
}

#[test]
fn ten_thousand_words_are_taken() {
    let (dir, engine) = (project(), world());
    let many: Vec<String> = (0..10_000).map(|n| format!("word-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let began = Instant::now();
    let output = run_in(
        &dir,
        engine.socket(),
        &[&["run", "box", "echo"], many.as_slice()].concat(),
    );
    assert_eq!(
        (code(&output), text(&output.stdout)),
        (0, "hello\n"),
        "{output:?}"
    );
    let created = engine
        .requests()
        .into_iter()
        .find(|it| it.path.ends_with("/exec"))
        .unwrap();
    assert!(created.text().contains("word-9999"));
    // Options as well; and names, none of which there is.
    let envs: Vec<_> = many.iter().flat_map(|word| ["-e", *word]).collect();
    let output = run_in(
        &dir,
        engine.socket(),
        &[&["run", "box"], envs.as_slice(), &["true"]].concat(),
    );
    assert_eq!(code(&output), 0, "{output:?}");
    for row in ROWS
        .iter()
        .filter(|row| !matches!(row.name, "run" | "shell" | "stop" | "resume" | "shutdown"))
    {
        let output = run_in(&dir, engine.socket(), &[&row.with(&[])[..], &many].concat());
        assert_eq!(code(&output), 2, "{}", row.name);
        assert!(output.stderr.len() < 1000, "{}", row.name);
    }
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    let output = run_in(
        &dir,
        engine.socket(),
        &[&["stop", "--json"], &many[..300]].concat(),
    );
    let value = json::parse(output.stdout.trim_ascii_end()).unwrap();
    assert_eq!(value.array_at(&["failed"]).map(<[_]>::len), Some(300));
}

#[test]
fn a_huge_word_is_no_trouble() {
    let dir = project();
    let huge = "x".repeat(100_000);
    for words in [
        vec![huge.as_str()],
        vec!["list", &huge],
        vec!["info", &huge],
        vec!["create", "--name", &huge],
    ] {
        let output = inside(&dir).args(&words).output().unwrap();
        assert_eq!(code(&output), 2, "{}", words[0]);
    }
    let option = format!("--{huge}");
    assert_eq!(
        code(&inside(&dir).args(["list", &option]).output().unwrap()),
        2
    );
}

#[test]
fn control_characters_in_words_do_not_reach_the_terminal() {
    let dir = project();
    let evil = "a\x1b[2J\u{9b}31m\x07\u{202e}b";
    let dashed = format!("--{evil}");
    let cases: [&[&str]; 12] = [
        &[evil],
        &["help", evil],
        &[&dashed],
        &["list", &dashed],
        &["-\x1b"],
        &["profiles", evil],
        &["logs", "box", evil],
        &["init", evil, evil],
        &["import", evil],
        &["create", "--image", evil],
        &["create", "--env-file", evil],
        &["--socket", evil, "list"],
    ];
    for words in cases {
        let output = inside(&dir).args(words).output().unwrap();
        assert_ne!(code(&output), 0, "{words:?}");
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text(&said).contains(bad), "{words:?} {said:?}");
    }
}
