//! What code in a sandbox, or whoever made a container, gives to be shown: escape codes in names,
//! labels and titles reach no terminal, and a label that points at the host moves nothing there.

use std::fs;
use std::process::Output;

use crate::live::{Live, Sandbox, code, live, text, unique_name};
use crate::support::scratch::Scratch;

/// What owns a terminal: its title, its screen, its clipboard; and what a table takes for a row.
const CODES: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{7f}\r\nrow";

/// The same in JSON.
const CODES_IN_JSON: &str = r"\u001b]0;owned\u0007\u001b[2J\u009b31m\u007f\r\nrow";

/// Fails if what is for people has a control character that is no line feed or tab.
fn assert_visible(what: &str, output: &Output) {
    for stream in [&output.stdout, &output.stderr] {
        let shown = String::from_utf8_lossy(stream);
        let harmful = |c: &char| c.is_control() && !matches!(c, '\n' | '\t');
        let found = shown.chars().find(harmful);
        assert_eq!(found, None, "{what}: {shown:?}");
    }
}

#[test]
fn labels_and_titles_are_shown_and_not_obeyed() {
    let Some(live) = live() else { return };
    let name = unique_name();
    let labels = format!(
        r#"{{"pocketdock.managed":"true","pocketdock.instance":"{CODES_IN_JSON}",
            "pocketdock.project":"{CODES_IN_JSON}","pocketdock.profile":"{CODES_IN_JSON}",
            "pocketdock.created-at":"{CODES_IN_JSON}","pocketdock.owner":"{CODES_IN_JSON}",
            "pocketdock.timeout":"{CODES_IN_JSON}","pocketdock.ttl":"{CODES_IN_JSON}",
            "pocketdock.persist":"{CODES_IN_JSON}","pocketdock.asked":"{CODES_IN_JSON}",
            "pocketdock.data-path":"/{CODES_IN_JSON}"}}"#
    );
    live.create(&name, &labels);
    live.post(&format!("/containers/{name}/start"));
    let titled = live.run(&["run", "--detach", &name, "--", "sleep", CODES]);
    assert_visible("detach", &titled);
    let script = format!("exec -a \"{CODES}\" sleep 60");
    live.run(&["run", "--detach", &name, "--", "sh", "-c", &script]);
    for words in [
        &["list"][..],
        &["info", &name],
        &["logs"],
        &["logs", "--history"],
        &["status"],
        &["doctor"],
        &["prune", "--dry-run"],
        &["prune", "--orphans", "--dry-run"],
        &["run", &name, "--", "true"],
        &["resume", &name],
        &["reboot", "--fresh", &name],
        &["stop", &name],
        &["--json", "list"],
        &["--json", "info", &name],
        &["shutdown", "--yes", "--force", &name],
    ] {
        assert_visible(&words.join(" "), &live.run(words));
    }
    assert!(!live.has(&name));
}

/// Files whose names and kinds end up in warnings and errors.
#[test]
fn names_of_files_are_shown_and_not_obeyed() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let scratch = Scratch::new();
    let script = format!(
        "mkdir -p \"/srv/{CODES}\" && cd \"/srv/{CODES}\" && mkfifo \"{CODES}\" && \
         echo x >\"s{CODES}\" && chmod 4755 \"s{CODES}\""
    );
    let made = sandbox.run(&["-c", "--", &script]);
    assert_eq!(code(&made), 0, "{made:?}");
    let out = scratch.path().to_str().unwrap();
    let pulled = live.run(&["pull", &sandbox.name, "/srv", out]);
    assert_eq!(code(&pulled), 0, "{pulled:?}");
    assert!(text(&pulled.stderr).contains("left out"), "{pulled:?}");
    assert_visible("pull", &pulled);
    let missing = format!("/srv/{CODES}/missing");
    let below = format!("{missing}/x");
    for words in [
        &["pull", &sandbox.name, &missing, out][..],
        &["push", &sandbox.name, "/etc/passwd", &below],
        &["push", &sandbox.name, &missing, "/srv/"],
        &["run", "-w", &missing, &sandbox.name, "--", "true"],
        &["run", "-u", CODES, &sandbox.name, "--", "true"],
        &["info", CODES],
        &["--json", "info", CODES],
    ] {
        let output = live.run(words);
        assert_ne!(code(&output), 0, "{words:?}");
        assert_visible(&words.join(" "), &output);
    }
}

/// What is at a path and below it, with contents.
fn snapshot_of(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(snapshot_of(&path)),
            false => all.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

/// Every command on a sandbox whose label says that a directory of the host's is its own.
fn use_it(live: &Live, sandbox: &Sandbox<'_>) {
    let name = sandbox.name.as_str();
    for words in [
        &["run", name, "--", "echo", "x"][..],
        &["run", "--detach", name, "--", "echo", "x"],
        &["logs", name],
        &["logs", name, "--history"],
        &["info", name],
        &["doctor"],
        &["reboot", "--fresh", name],
        &["doctor", "--fix"],
        &["prune", "--yes", "--project", name],
        &["shutdown", "--yes", "--force", name],
    ] {
        let shown = live.run(words);
        let secret =
            [&shown.stdout, &shown.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
        assert!(!secret.concat().contains("top secret"), "{words:?}");
    }
}

#[test]
fn a_label_that_points_at_the_host_moves_nothing_there() {
    let Some(live) = live() else { return };
    let victim = Scratch::new();
    let line = r#"{"ts":"2025-01-01T00:00:00Z","type":"run","command":"top secret","exit_code":0}"#;
    for dir in ["", "instances/box", "logs"] {
        let dir = victim.join(dir);
        fs::create_dir_all(dir.join("logs")).unwrap();
        fs::write(
            dir.join("logs/run-20250101T000000.000Z.log"),
            "top secret\n",
        )
        .unwrap();
        fs::write(dir.join("history.jsonl"), format!("{line}\n")).unwrap();
        fs::write(dir.join("precious"), "top secret\n").unwrap();
    }
    let before = snapshot_of(victim.path());
    let root = victim.path().display().to_string();
    for path in [
        root.clone(),
        format!("{root}/instances/box"),
        "../../../../etc".to_owned(),
    ] {
        let name = unique_name();
        let description = format!(r#"{{"name":"{name}","id":"0","kept":true}}"#);
        for dir in ["", "instances/box"] {
            fs::write(victim.join(dir).join("instance.json"), &description).unwrap();
        }
        let labels = format!(
            r#"{{"pocketdock.managed":"true","pocketdock.instance":"{name}",
                "pocketdock.project":"{name}","pocketdock.data-path":"{path}"}}"#
        );
        live.create(&name, &labels);
        live.post(&format!("/containers/{name}/start"));
        let sandbox = Sandbox::named(&live, &name);
        use_it(&live, &sandbox);
        for dir in ["", "instances/box"] {
            let file = victim.join(dir).join("instance.json");
            assert_eq!(fs::read_to_string(&file).unwrap(), description, "{path}");
            fs::remove_file(file).unwrap();
        }
        assert_eq!(snapshot_of(victim.path()), before, "{path}");
        assert!(!live.has(&name), "{path}");
    }
}

/// A flood of escape codes goes through the program as it is, and its memory does not grow.
#[test]
fn a_flood_goes_through_as_it_is() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let line = r"yes $(printf '\033]0;owned\007') | head -c 50000000";
    let output = sandbox.run(&["--stream", "-c", "--", line]);
    assert_eq!(output.stdout.len(), 50_000_000);
    let piece = b"\x1b]0;owned\x07\n";
    assert!(
        output
            .stdout
            .chunks_exact(piece.len())
            .all(|it| it == piece)
    );
}
