//! The completions in the shells they are for, and the man page in its readers.
//!
//! Each shell runs on a terminal of its own, as a person has it: the test types the beginning of a
//! word and Tab, then has the line print its words instead of running it.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{self, text};
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::scratch::Scratch;
use crate::support::terminal::Screen;
use crate::world::{project, world};

const CTRL_A: &str = "\x01";

/// A shell, how it starts with nobody's settings, and what makes it load a completion script.
const SHELLS: [(&str, &[&str], &str); 4] = [
    ("bash", &["--norc", "--noprofile", "-i"], "source ./script"),
    (
        "zsh",
        &["-f", "-i"],
        "autoload -U compinit; compinit -u -D; source ./script",
    ),
    (
        "zsh",
        &["-f", "-i"],
        "mv script _pocketdock; fpath=($PWD $fpath); autoload -U compinit; compinit -u -D",
    ),
    ("fish", &["--no-config", "-i"], "source ./script"),
];

/// What is typed, Tab being pressed behind it, and the words that the line has then.
#[rustfmt::skip] // one case a line
const CASES: [(&str, &[&str]); 19] = [
    ("shutd",                       &["shutdown"]),
    ("help snap",                   &["help", "snapshot"]),
    ("-q list --col",               &["-q", "list", "--color"]),
    ("run bo",                      &["run", "box"]),
    ("stop web jo",                 &["stop", "web", "job"]),
    ("shutdown -y box w",           &["shutdown", "-y", "box", "web"]),
    ("create --image tools",        &["create", "--image", "tools:latest"]),
    ("create --image=localh",       &["create", "--image=localhost/tools:1"]),
    ("create --image localhost/tools:", &["create", "--image", "localhost/tools:1"]),
    ("snapshot box too",            &["snapshot", "box", "tools:latest"]),
    ("create --profile minimal-p",  &["create", "--profile", "minimal-python"]),
    ("build emb",                   &["build", "embedded"]),
    ("list --color alw",            &["list", "--color", "always"]),
    ("list --color=alw",            &["list", "--color=always"]),
    ("run box --lang py",           &["run", "box", "--lang", "python"]),
    ("--completions fi",            &["--completions", "fish"]),
    ("logs box --type det",         &["logs", "box", "--type", "detach"]),
    ("import ima",                  &["import", "images.tar"]),
    ("export --output=ima",         &["export", "--output=images.tar"]),
];

/// Says that a test could not do its work, past the harness, which keeps what a passing one prints.
pub(crate) fn skipped(why: &str) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("cli: {name} SKIPPED: {why}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Whether a terminal can be opened here; said aloud if not.
pub(crate) fn has_terminal() -> bool {
    let can = is_there("python3");
    if !can {
        skipped("no python3 on this machine");
    }
    can
}

fn generated(words: &[&str]) -> String {
    let output = program::run(words);
    assert_eq!(program::code(&output), 0);
    text(&output.stdout).to_owned()
}

/// An interactive shell in `dir` that has loaded the completions.
fn open(dir: &Scratch, socket: &Path, (shell, words, setup): (&str, &[&str], &str)) -> Screen {
    dir.write("script", generated(&["--completions", shell]).as_bytes());
    let bin = Path::new(env!("CARGO_BIN_EXE_pocketdock"))
        .parent()
        .unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        [bin.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path)),
    );
    let mut command = Command::new(shell);
    command.args(words).current_dir(dir.path());
    command
        .env("PATH", path.unwrap())
        .env("HOME", dir.path())
        .env("PS1", "$ ")
        .env("POCKETDOCK_SOCKET", socket);
    let mut screen = Screen::open(&command, 30, 100);
    screen.enter(&format!("{setup}; echo rea''dy"));
    screen.expect("ready\r\n");
    screen
}

/// Types the beginning of a line and Tab, and waits for the words that come of it.
fn complete(screen: &mut Screen, typed: &str, words: &[&str]) {
    screen.press(&format!("pocketdock {typed}\t"));
    screen.enter(&format!("{CTRL_A}printf '[%s]\\n' "));
    let words = ["pocketdock"].iter().chain(words);
    let shown: String = words.map(|word| format!("[{word}]\r\n")).collect();
    screen.expect(&shown);
}

#[test]
fn the_shells_complete_what_is_typed() {
    for shell in SHELLS {
        if !has_terminal() {
            return;
        }
        if !is_there(shell.0) {
            skipped(&format!("no {} on this machine", shell.0));
            continue;
        }
        let (dir, engine) = (project(), world());
        let mut screen = open(&dir, engine.socket(), shell);
        for (typed, words) in CASES {
            complete(&mut screen, typed, words);
        }
        screen.enter("exit");
        screen.ends_with(0);
    }
}

#[test]
fn without_an_engine_the_shells_complete_what_they_can_and_say_nothing() {
    for shell in SHELLS {
        if !has_terminal() {
            return;
        }
        if !is_there(shell.0) {
            skipped(&format!("no {} on this machine", shell.0));
            continue;
        }
        let dir = project();
        let mut screen = open(&dir, Path::new("/nonexistent/engine.sock"), shell);
        complete(&mut screen, "run bo", &["run", "bo"]);
        complete(
            &mut screen,
            "create --image too",
            &["create", "--image", "too"],
        );
        complete(&mut screen, "build emb", &["build", "embedded"]);
        screen.enter("exit");
        let shown = screen.ends_with(0);
        assert!(
            !shown.contains("cannot use the engine"),
            "{}: {shown}",
            shell.0
        );
    }
}

#[test]
fn an_engine_that_is_silent_is_not_waited_for() {
    let engine = FakeEngine::route(|request| match request.path.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        _ => Reply::raw("").hang(),
    });
    let began = Instant::now();
    let output = program::run_with_socket(engine.socket(), &["--complete", "run", ""]);
    assert_eq!(
        (
            program::code(&output),
            text(&output.stdout),
            text(&output.stderr)
        ),
        (0, "", "")
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn words_of_an_engine_are_no_lines_of_their_own() {
    let list = r#"[{"Id":"1","Names":["/a\nb"],"Image":"x","State":"up","Labels":{"pocketdock.managed":"true"}},
        {"Id":"2","Names":["/box"],"Image":"\u001b[2J\n/","State":"up","Labels":{"pocketdock.managed":"true"}}]"#;
    let engine = FakeEngine::route(move |request| match request.path.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        _ => Reply::json(200, list),
    });
    let output = program::run_with_socket(engine.socket(), &["--complete", "info", ""]);
    assert_eq!(text(&output.stdout), "box\tup, \\x1b[2J\\n/\n");
}

/// Gives `script` to a program on stdin, if this machine has the program; what it says.
fn feed(program: &str, arguments: &[&str], script: &str) -> Option<String> {
    if !is_there(program) {
        skipped(&format!("no {program} on this machine"));
        return None;
    }
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(script.as_bytes()));
        child.wait_with_output().unwrap()
    });
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    Some(said)
}

#[test]
fn the_man_page_is_clean() {
    let page = generated(&["--man"]);
    if let Some(said) = feed("mandoc", &["-Tlint", "-Wall"], &page) {
        assert_eq!(said, "");
    }
    if let Some(shown) = feed("groff", &["-man", "-Tutf8", "-ww"], &page) {
        assert!(!shown.contains("warning: "), "{shown}");
    }
    // What a reader sees, in a window of any width.
    let dir = Scratch::new();
    let file = dir.write("pocketdock.1", page.as_bytes());
    for columns in ["40", "80", "200"] {
        let mut man = Command::new("man");
        man.args(["--warnings", "-l"])
            .arg(&file)
            .env("MANWIDTH", columns)
            .env("LC_ALL", "C.UTF-8");
        if !is_there("man") {
            return skipped("no man on this machine");
        }
        let output = man.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{columns}");
        let shown = String::from_utf8_lossy(&output.stdout);
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "NAME",
            "pocketdock - offline code",
            "--mem-limit SIZE",
            "EXIT STATUS",
        ] {
            assert!(shown.contains(part), "{columns}: {part}");
        }
    }
}
