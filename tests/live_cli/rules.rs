//! The rules of the command line that take a real engine: what each command says when it succeeds,
//! to people and to programs, and what it does when nobody reads that.
//!
//! The commands come from the table, so one that is added and not known here fails. What needs no
//! engine, or none that works, is in `tests/cli/rules.rs`.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::{Output, Stdio};

use pocketdock_core::wire::json;

use crate::commands::commands;
use crate::live::{Live, code, live, text, unique_name};
use crate::support::scratch::Scratch;

/// The words of a command in a directory of its own, for a sandbox that runs before and after it;
/// `None` for one that this can not be asked of.
fn words(command: &str, name: &str, live: &Live) -> Option<Vec<String>> {
    let line = match command {
        "create" => format!("create --image {} --name {name}", live.image),
        "run" => format!("run {name} echo hello"),
        "logs" | "info" | "stop" | "resume" | "reboot" => format!("{command} {name}"),
        "shutdown" => format!("shutdown --yes --force {name}"),
        // What others have made is not touched.
        "prune" => format!("prune --yes --project {name}"),
        "push" => format!("push {name} note.txt /tmp/"),
        "pull" => format!("pull {name} /tmp/note.txt back.txt"),
        "snapshot" => format!("snapshot {name} {name}:1"),
        "export" => format!("export --image {name}:1 -o images.tar.gz"),
        "import" => "import images.tar.gz".to_owned(),
        "list" | "profiles" | "init" | "status" | "doctor" => command.to_owned(),
        "shell" => return None, // Needs a terminal: `shell.rs`.
        "build" => return None, // Takes minutes: `tests/run.sh` does it.
        other => panic!("what is to be asked of '{other}'?"),
    };
    Some(line.split(' ').map(str::to_owned).collect())
}

/// The commands in an order in which each finds what it needs.
fn in_order() -> Vec<String> {
    let mut names: Vec<String> = commands().into_iter().map(|it| it.name).collect();
    // A project is wanted from the beginning, and the sandbox until the end.
    names.sort_by_key(|name| match name.as_str() {
        "init" => 0,
        "shutdown" => 2,
        _ => 1,
    });
    names
}

/// Runs every command with `options` before its name, and looks at what comes of each.
fn each(live: &Live, options: &[&str], stdout: fn() -> Stdio, look: fn(&str, &Output)) {
    let (dir, name) = (Scratch::new(), unique_name());
    dir.write("note.txt", b"a note\n");
    for command in in_order() {
        let Some(words) = words(&command, &name, live) else {
            continue;
        };
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        if command == "create" {
            words.extend(live.without_warnings());
        }
        let mut program = live.pocketdock(&[options, words.as_slice()].concat());
        let output = program
            .current_dir(dir.path())
            .stdout(stdout())
            .output()
            .unwrap();
        // Others may have left something for it to find.
        let is_well = code(&output) == 0 || command == "doctor";
        assert!(is_well, "{options:?} {words:?} {output:?}");
        look(&command, &output);
    }
    live.delete(&format!("/images/{name}:1"));
    live.delete(&format!("/images/localhost/{name}:1"));
    assert!(!live.has(&name));
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let Some(live) = live() else { return };
    each(&live, &["--json"], Stdio::piped, |command, output| {
        let shown = text(&output.stdout);
        assert_eq!(shown.lines().count(), 1, "{command} {output:?}");
        json::parse(shown.trim_end().as_bytes()).unwrap();
        assert_eq!(text(&output.stderr), "", "{command}");
    });
}

#[test]
fn a_quiet_command_has_no_messages() {
    let Some(live) = live() else { return };
    each(&live, &["-q"], Stdio::piped, |command, output| {
        assert_eq!(text(&output.stderr), "", "{command}");
    });
}

#[test]
fn verbose_is_one_line_an_exchange() {
    let Some(live) = live() else { return };
    each(&live, &["-v", "--json"], Stdio::piped, |command, output| {
        let said = text(&output.stderr);
        for line in said.lines() {
            let is_exchange = line.ends_with(" ms")
                && ["GET /", "POST /", "PUT /", "HEAD /", "DELETE /"]
                    .iter()
                    .any(|method| line.starts_with(method));
            let is_known = line.starts_with("socket ") || line.starts_with("config ");
            assert!(is_exchange || is_known, "{command} {line}");
        }
        let asks = command != "init" && command != "logs";
        assert_eq!(said.contains("GET /_ping 200"), asks, "{command} {said}");
    });
}

#[test]
fn a_reader_that_is_gone_ends_every_command_quietly() {
    let Some(live) = live() else { return };
    let unread = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        Stdio::from(OwnedFd::from(ours))
    };
    each(&live, &[], unread, |command, output| {
        // Messages go elsewhere, and those are well; complaints would be none.
        let said = text(&output.stderr);
        assert!(!said.contains("pocketdock: "), "{command} {said}");
    });
}

#[test]
fn paths_that_are_no_text_go_in_and_come_out() {
    let Some(live) = live() else { return };
    let (sandbox, dir) = (live.sandbox(), Scratch::new());
    let bytes = OsStr::from_bytes(b"a\xffb");
    let run = |words: &[&OsStr]| {
        let mut program = live.pocketdock(&[]);
        let output = program
            .args(words)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(code(&output), 0, "{words:?} {output:?}");
    };
    let [push, pull, tmp, tree] = ["push", "pull", "/tmp/", "/tmp/tree"].map(OsStr::new);
    let name = OsStr::new(&sandbox.name);
    // As an argument, and as a name in what is copied.
    fs::write(dir.path().join(bytes), "by name").unwrap();
    fs::create_dir(dir.join("tree")).unwrap();
    fs::write(dir.join("tree").join(bytes), "in a tree").unwrap();
    run(&[push, name, bytes, tmp]);
    run(&[push, name, OsStr::new("tree"), tmp]);
    let listed = sandbox.run(&["find /tmp -type f | od -An -tx1 | tr -d ' \\n'"]);
    let hex = "61ff62";
    assert_eq!(text(&listed.stdout).matches(hex).count(), 2, "{listed:?}");
    fs::remove_file(dir.path().join(bytes)).unwrap();
    run(&[pull, name, tree, bytes]);
    let back = fs::read(dir.path().join(bytes).join(bytes)).unwrap();
    assert_eq!(back, b"in a tree");
}
