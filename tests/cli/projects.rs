//! `init` and the settings, as the command line shows them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::program::{code, pocketdock, text};
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::scratch::Scratch;

/// The program in a directory of its own, which may be a project.
fn program_in(dir: &Path) -> Command {
    let mut command = pocketdock();
    command.current_dir(dir).env("HOME", dir.join("home"));
    command
}

fn run_in(dir: &Path, words: &[&str]) -> Output {
    program_in(dir).args(words).output().unwrap()
}

/// A directory with this configuration.
fn project(text: &str) -> Scratch {
    let scratch = Scratch::new();
    scratch.write(".pocketdock/pocketdock.yaml", text.as_bytes());
    scratch
}

/// What was said, with the directory that differs from run to run left out.
fn said(bytes: &[u8], dir: &Path) -> String {
    let dir = fs::canonicalize(dir).unwrap();
    text(bytes).replace(dir.to_str().unwrap(), "")
}

/// An engine that has no containers.
fn empty() -> FakeEngine {
    FakeEngine::route(|request| match request.target.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        _ => Reply::json(200, "[]"),
    })
}

#[test]
fn init_makes_a_project_and_changes_none() {
    let scratch = Scratch::new();
    let dir = scratch.path();
    let output = run_in(dir, &["init", "--name", "a: \"b\""]);
    assert_eq!(code(&output), 0);
    assert_eq!(said(&output.stdout, dir), "\n");
    assert_eq!(
        said(&output.stderr, dir),
        "this is a project now; its settings are in '/.pocketdock/pocketdock.yaml'\n"
    );
    let file = scratch.join(".pocketdock/pocketdock.yaml");
    let before = fs::read_to_string(&file).unwrap();
    assert!(
        before.contains("\nproject_name: \"a: \\\"b\\\"\"\n"),
        "{before}"
    );

    let output = run_in(dir, &["init", "--name", "other"]);
    assert_eq!(code(&output), 0);
    assert_eq!(
        said(&output.stderr, dir),
        "this is a project already, nothing was changed; edit '/.pocketdock/pocketdock.yaml'\n"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let output = run_in(dir, &["init", "--json"]);
    assert_eq!(
        said(&output.stdout, dir),
        "{\"root\":\"\",\"config_file\":\"/.pocketdock/pocketdock.yaml\",\"created\":false}\n"
    );
}

#[test]
fn init_refuses_the_home_and_a_directory_that_is_gone() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("home")).unwrap();
    let output = run_in(scratch.path(), &["init", "home"]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("another directory than the home"));
    assert_eq!(fs::read_dir(scratch.join("home")).unwrap().count(), 0);

    let line = "mkdir gone && cd gone && rmdir ../gone && exec \"$0\" \"$@\"";
    let in_gone = |words: &[&str]| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", line, env!("CARGO_BIN_EXE_pocketdock")])
            .args(words);
        shell.current_dir(scratch.path()).output().unwrap()
    };
    let output = in_gone(&["init"]);
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("pocketdock: no such path: '.'"));
    let output = in_gone(&["--socket", empty().socket().to_str().unwrap(), "list"]);
    assert_eq!(
        code(&output),
        0,
        "no project is needed: {}",
        text(&output.stderr)
    );
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let scratch = Scratch::new();
    let dir = scratch.path().to_str().unwrap();
    let line = "mount -t tmpfs -o size=4k,nr_inodes=16 none \"$1\" && cd \"$1\" && \
        dd if=/dev/zero of=full bs=4k count=1 2>/dev/null; \
        \"$0\" init; echo $?; ls -A";
    let output = Command::new("unshare")
        .args([
            "-rm",
            "sh",
            "-c",
            line,
            env!("CARGO_BIN_EXE_pocketdock"),
            dir,
        ])
        .output();
    let Some(output) = output.ok().filter(|output| !output.stdout.is_empty()) else {
        println!("SKIPPED: a file system cannot be mounted here");
        return;
    };
    assert_eq!(
        text(&output.stdout),
        "1\nfull\n",
        "{}",
        text(&output.stderr)
    );
    assert!(text(&output.stderr).contains("No space left on device"));
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let output = run_in(scratch.path(), &["init"]);
    // Whoever may do everything, may do this, too.
    let want = i32::from(fs::write(scratch.join("probe"), b"").is_err());
    assert_eq!(code(&output), want);
    let output = run_in(Path::new("/proc"), &["init"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("cannot create '/proc/.pocketdock."));
}

#[test]
fn a_malformed_file_fails_every_command_that_reads_it() {
    let scratch = project("retention_days: 7\nsocket: [a\n");
    let dir = scratch.path();
    let wrong = "cannot use '/.pocketdock/pocketdock.yaml', line 2: the closing ']' is missing \
        on this line, at column 9";
    let hint = "correct that line; docs/projects.md has every key";
    for (words, want) in [
        (&["list"][..], 1),
        (&["create"], 1),
        (&["run", "box", "true"], 125),
        (&["logs"], 1),
        (&["profiles"], 1),
    ] {
        let output = run_in(dir, words);
        assert_eq!(code(&output), want, "{words:?}");
        assert_eq!(
            said(&output.stderr, dir),
            format!("pocketdock: {wrong}\nhint: {hint}\n")
        );
        assert!(output.stdout.is_empty());
    }
    let output = run_in(dir, &["list", "--json"]);
    let error = format!(
        "{{\"error\":{{\"code\":\"config\",\"message\":\"{wrong}\",\"hint\":\"{hint}\"}}}}\n"
    );
    assert_eq!(said(&output.stdout, dir), error);
    for words in [
        &["--help"][..],
        &["--version"],
        &["help", "list"],
        &["list", "--help"],
        &["init"],
    ] {
        assert_eq!(code(&run_in(dir, words)), 0, "{words:?}");
    }
    // A mistyped command line is the nearer mistake.
    assert_eq!(code(&run_in(dir, &["list", "--bogus"])), 2);
    let variable = program_in(Path::new("/"))
        .env("POCKETDOCK_LOG_LEVEL", "x")
        .arg("list")
        .output();
    assert_eq!(code(&variable.unwrap()), 2);
}

#[test]
fn keys_without_effect_are_said_once_and_not_in_the_data() {
    let fake = empty();
    let scratch = project("retentoin_days: 7\n");
    let dir = scratch.path();
    let words = [
        "--socket",
        fake.socket().to_str().unwrap(),
        "list",
        "--json",
    ];
    let output = run_in(dir, &words);
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stdout), "[]\n");
    assert_eq!(
        said(&output.stderr, dir),
        "pocketdock: warning: /.pocketdock/pocketdock.yaml:1: unknown key 'retentoin_days'; did \
         you mean 'retention_days'?\n"
    );
}

#[test]
fn the_level_decides_what_is_said() {
    let fake = empty();
    let socket = fake.socket().to_str().unwrap();
    let said_at = |level: &str, words: &[&str]| {
        let scratch = project(&format!("log_level: {level}\nunknown: 1\n"));
        let output = run_in(scratch.path(), &[&["--socket", socket], words].concat());
        assert_eq!(code(&output), 0);
        said(&output.stderr, scratch.path()).replace(socket, "SOCKET")
    };
    let list = |level| said_at(level, &["list"]);
    let warning = "pocketdock: warning: /.pocketdock/pocketdock.yaml:2: unknown key 'unknown'\n";
    assert_eq!(list("error"), "");
    assert_eq!(list("warn"), warning);
    assert!(list("info").starts_with(warning));
    let all = list("debug");
    assert!(all.starts_with(&format!(
        "{warning}config /.pocketdock/pocketdock.yaml\nGET /_ping 200 "
    )));
    assert!(
        all.contains("\nsocket SOCKET (the caller)\nGET /v1.41/containers/json"),
        "{all}"
    );
    let quiet = said_at("debug", &["list", "-q"]);
    assert_eq!(quiet, warning, "an option outranks the setting");
}

#[test]
fn the_socket_of_a_file_is_used_and_named_when_it_does_not_answer() {
    let fake = empty();
    let scratch = project(&format!("socket: unix://{}\n", fake.socket().display()));
    let program = |dir: &Path| {
        let mut command = program_in(dir);
        command.env_remove("POCKETDOCK_SOCKET").arg("list");
        command
    };
    let output = program(scratch.path()).arg("--json").output().unwrap();
    assert_eq!((code(&output), text(&output.stdout)), (0, "[]\n"));

    let scratch = project("socket: /nonexistent/x.sock\n");
    let output = program(scratch.path()).output().unwrap();
    assert_eq!(code(&output), 1);
    let error = said(&output.stderr, scratch.path());
    assert!(error.contains("'/nonexistent/x.sock'"), "{error}");
    assert!(
        error.contains("line 1 of '/.pocketdock/pocketdock.yaml' names it"),
        "{error}"
    );
}

#[test]
fn the_project_of_the_working_directory_is_a_point() {
    let fake = FakeEngine::route(|request| match request.target.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        other if other.contains("pocketdock.project%3Dmy%20app") => Reply::json(200, "[]"),
        other => panic!("{other}"),
    });
    let scratch = project("project_name: my app\n");
    fs::create_dir_all(scratch.join("deep/er")).unwrap();
    let words = [
        "--socket",
        fake.socket().to_str().unwrap(),
        "list",
        "--project",
        ".",
    ];
    let output = run_in(&scratch.join("deep/er"), &words);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let output = run_in(Path::new("/"), &words);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("'pocketdock init' makes"));
}

#[test]
fn the_default_profile_is_that_of_create_unless_an_image_is_named() {
    let fake = FakeEngine::route(|request| match request.target.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        _ => Reply::json(404, r#"{"message":"No such image"}"#),
    });
    let socket = fake.socket().to_str().unwrap();
    for profile in pocketdock_core::list_profiles() {
        let scratch = project(&format!("default_profile: {}\n", profile.name));
        let create = |more: &[&str]| {
            let output = run_in(
                scratch.path(),
                &[&["--socket", socket, "create"], more].concat(),
            );
            assert_eq!(code(&output), 1);
            text(&output.stderr).to_owned()
        };
        let want = format!("no image named '{}'", profile.image_tag);
        let said = create(&[]);
        assert!(said.contains(&want), "{said}");
        let said = create(&["--image", "other:1"]);
        assert!(said.contains("no image named 'other:1'"), "{said}");
    }
}
