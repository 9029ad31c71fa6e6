//! Settings and projects: what they make of a sandbox.

use std::fs;
use std::process::{Command, Output};

use crate::live::{Live, code, live, text, unique_name};
use crate::support::scratch::Scratch;

/// The program in a directory, with nothing on the command line that names the engine.
fn run_in(live: &Live, dir: &Scratch, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pocketdock"));
    command
        .env_clear()
        .env("XDG_STATE_HOME", live.state.path())
        .current_dir(dir.path())
        .args(words);
    command.output().unwrap()
}

/// Removes a sandbox when the test is over.
struct Removed<'a>(&'a Live, &'a str);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        self.0.run(&["shutdown", "--yes", "--force", self.1]);
    }
}

#[test]
fn settings_make_the_sandbox_and_find_the_engine() {
    let Some(live) = live() else { return };
    let scratch = Scratch::new();
    let name = &unique_name();
    let project = format!("it's: {name}");
    let made = run_in(
        &live,
        &scratch,
        &["init", "--name", &project, "--profile", "minimal-python"],
    );
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    let file = scratch.join(".pocketdock/pocketdock.yaml");
    let settings = fs::read_to_string(&file).unwrap();
    let more = format!(
        "socket: {}\ndefault_persist: true\nlog_level: debug\n",
        &live.socket
    );
    fs::write(&file, settings + &more).unwrap();

    let _removed = Removed(&live, name);
    let created = run_in(
        &live,
        &scratch,
        &["create", "--image", &live.image, "--name", name],
    );
    let said = text(&created.stderr);
    assert_eq!(code(&created), 0, "{said}");
    assert!(
        said.starts_with("config /") && said.contains("/pocketdock.yaml"),
        "{said}"
    );
    let line = settings_line(&file, "socket:");
    let socket = format!("socket {} (line {line} of '", &live.socket);
    assert!(said.contains(&socket), "{said}");

    let (info, _) = live.json(&["info", name]);
    assert_eq!(info.bool_at(&["persist"]), Some(true));
    assert_eq!(info.str_at(&["project"]), Some(project.as_str()));
    let listed = run_in(&live, &scratch, &["list", "-q", "--project", "."]);
    assert_eq!(text(&listed.stdout), format!("{name}\n"));

    a_moved_project_is_the_same(&live, &scratch, name);
}

fn a_moved_project_is_the_same(live: &Live, scratch: &Scratch, name: &str) {
    let moved = Scratch::new();
    fs::rename(scratch.join(".pocketdock"), moved.join(".pocketdock")).unwrap();
    let listed = run_in(live, &moved, &["list", "-q", "--project", "."]);
    assert_eq!(text(&listed.stdout), format!("{name}\n"));
    // What is left is no project, and an option outranks one.
    let listed = run_in(
        live,
        scratch,
        &[
            "--socket",
            live.socket.as_str(),
            "list",
            "-q",
            "--project",
            ".",
        ],
    );
    assert_eq!(code(&listed), 1);
    let once = [
        "run",
        "--image",
        &live.image,
        "--project",
        "another",
        "-q",
        "echo out",
    ];
    let once = run_in(live, &moved, &once);
    assert_eq!(
        (code(&once), text(&once.stdout)),
        (0, "out\n"),
        "{}",
        text(&once.stderr)
    );
}

fn settings_line(file: &std::path::Path, start: &str) -> usize {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .position(|line| line.starts_with(start))
        .unwrap()
        + 1
}

#[test]
fn a_command_in_the_background_warns_once() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&[]);
    let scratch = Scratch::new();
    let settings = format!("socket: {}\nunknown_key: 1\n", &live.socket);
    scratch.write(".pocketdock/pocketdock.yaml", settings.as_bytes());
    let output = run_in(&live, &scratch, &["run", "-d", &sandbox.name, "true"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr).matches("unknown key").count(), 1);
}
