//! What a person sees: the program on a terminal, wide, narrow and absurd.

use std::path::Path;

use crate::rules::{ColorCase, ROWS, Without};
use crate::shells::has_terminal;
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::scratch::Scratch;
use crate::support::terminal::Screen;
use crate::world::{inside, project, project_with_history, world};

/// The program on a terminal with this many columns.
fn open(dir: &Scratch, socket: &Path, columns: u16, words: &[&str]) -> Screen {
    let mut command = inside(dir);
    command.env("POCKETDOCK_SOCKET", socket).args(words);
    Screen::open(&command, 30, columns)
}

/// What it shows until it ends with `code`.
fn shown(dir: &Scratch, socket: &Path, columns: u16, words: &[&str], code: i32) -> String {
    open(dir, socket, columns, words).ends_with(code)
}

/// `text` without the codes of colours, which are all that may stand in it of that kind.
fn plain(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('m').expect("the end of a code");
        let is_color = code
            .strip_prefix('[')
            .is_some_and(|code| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()));
        assert!(is_color, "{part:?}");
        plain.push_str(rest);
    }
    plain
}

#[test]
fn every_command_can_be_used_on_a_terminal_of_any_width() {
    if !has_terminal() {
        return;
    }
    // Those two need more of an engine than there is here.
    let can_run = |name: &str| !["shell", "push", "pull"].contains(&name);
    for row in ROWS.iter().filter(|row| can_run(row.name)) {
        for columns in [1, 20] {
            let (dir, engine) = (project(), world());
            let text = plain(&shown(&dir, engine.socket(), columns, &row.with(&[]), 0));
            assert!(!text.contains('\t'), "{} {text:?}", row.name);
        }
    }
}

#[test]
fn a_table_is_cut_to_the_terminal_and_then_stacked() {
    if !has_terminal() {
        return;
    }
    let (dir, engine) = (project_with_history(), world());
    let wide = plain(&shown(&dir, engine.socket(), 120, &["logs"], 0));
    assert!(
        wide.contains("python3 -c print('in the background')\\x1b[2J\n"),
        "{wide}"
    );
    let middle = plain(&shown(&dir, engine.socket(), 76, &["logs"], 0));
    assert!(middle.contains("python3 -c prin…\n"), "{middle}");
    for line in middle.lines() {
        assert!(line.chars().count() <= 76, "{line}");
    }
    let narrow = plain(&shown(
        &dir,
        engine.socket(),
        20,
        &["logs", "--last", "1"],
        0,
    ));
    let want = "TIME      2026-11-25T22:15:56Z\nSANDBOX   box\nTYPE      run\n\
                EXIT      timed out\nDURATION  500ms\nCOMMAND   sleep 5\n";
    assert_eq!(narrow, want);
    let names = plain(&shown(&dir, engine.socket(), 20, &["list"], 0));
    for name in ["box", "web", "job"] {
        assert!(names.contains(&format!("NAME     {name}\n")), "{names}");
    }
}

#[test]
fn help_ends_its_lines_where_the_terminal_does() {
    if !has_terminal() {
        return;
    }
    let (dir, engine) = (project(), world());
    for words in [&["--help"][..], &["run", "--help"], &[]] {
        let code = if words.is_empty() { 2 } else { 0 };
        let text = plain(&shown(&dir, engine.socket(), 44, words, code));
        // Lines to copy stay whole.
        let broken =
            |line: &&str| !line.contains("pocketdock ") && !line.trim_start().starts_with('-');
        for line in text.lines().filter(broken) {
            assert!(line.chars().count() <= 44, "{words:?} {line:?}");
        }
    }
}

#[test]
fn colour_is_for_terminals_that_have_it() {
    if !has_terminal() {
        return;
    }
    let (dir, engine) = (project(), world());
    #[rustfmt::skip] // one case per line
    let cases: [ColorCase; 5] = [
        ("a terminal",  &[],                    &[],                    true),
        ("NO_COLOR",    &[],                    &[("NO_COLOR", "1")],   false),
        ("dumb",        &[],                    &[("TERM", "dumb")],    false),
        ("not wanted",  &["--color", "never"],  &[],                    false),
        ("dumb, asked", &["--color", "always"], &[("TERM", "dumb")],    true),
    ];
    for row in ROWS
        .iter()
        .filter(|row| row.without_engine != Without::NeedsTerminal)
    {
        // What decides is the same for all of them: one is tried in every way.
        let tried = if row.name == "list" { cases.len() } else { 1 };
        for (name, words, variables, colored) in &cases[..tried] {
            let mut command = inside(&dir);
            command.env("POCKETDOCK_SOCKET", engine.socket());
            command.envs(variables.iter().copied());
            command.arg(row.name).arg("--help").args(*words);
            let text = Screen::open(&command, 30, 100).ends_with(0);
            assert_eq!(text.contains('\x1b'), *colored, "{} {name}", row.name);
        }
    }
}

#[test]
fn what_destroys_asks_and_does_as_it_is_told() {
    if !has_terminal() {
        return;
    }
    #[rustfmt::skip] // one case per line
    let cases = [
        ("yes",             "y\r",      0,  true),
        ("in full",         "yes\r",    0,  true),
        ("no",              "n\r",      1,  false),
        ("nothing",         "\r",       1,  false),
        ("another word",    "yup\r",    1,  false),
        ("the end",         "\x04",     1,  false),
    ];
    for words in [&["shutdown", "box"][..], &["prune", "--persistent"]] {
        for (name, keys, code, removes) in cases {
            let (dir, engine) = (project(), world());
            let mut screen = open(&dir, engine.socket(), 80, words);
            screen.expect("with all files? [y/N] ");
            screen.press(keys);
            let text = screen.ends_with(code);
            let removed = engine
                .requests()
                .iter()
                .any(|request| request.method == "DELETE");
            assert_eq!(removed, removes, "{words:?} {name} {text}");
            let refused = text.contains("\nnothing was removed\n");
            assert_eq!(refused, !removes, "{words:?} {name} {text}");
        }
    }
}

#[test]
fn a_refused_question_is_told_to_programs_too() {
    if !has_terminal() {
        return;
    }
    for (words, want) in [
        (&["shutdown", "box"][..], "{\"removed\":[]}\n"),
        (
            &["prune", "--persistent"],
            "{\"removed\":[],\"dry_run\":false}\n",
        ),
    ] {
        let (dir, engine) = (project(), world());
        let mut screen = open(&dir, engine.socket(), 80, &[words, &["--json"]].concat());
        screen.expect("[y/N] ");
        screen.press("n\r");
        let text = screen.ends_with(1);
        assert!(text.ends_with(want), "{text}");
    }
}

#[test]
fn nobody_is_asked_who_does_not_want_to_be() {
    if !has_terminal() {
        return;
    }
    let (dir, engine) = (project(), world());
    for words in [&["shutdown", "box"][..], &["prune"]] {
        let text = shown(
            &dir,
            engine.socket(),
            80,
            &[words, &["--no-input"]].concat(),
            2,
        );
        assert!(text.contains("'--yes' does it without asking"), "{text}");
    }
    assert!(engine.requests().is_empty(), "{:?}", engine.requests());
}

#[test]
fn an_archive_is_not_for_a_terminal() {
    if !has_terminal() {
        return;
    }
    let (dir, engine) = (project(), world());
    for words in [
        &["export", "--image", "tools:1", "-o", "-"][..],
        &["import", "-"],
        &["push", "box", "-", "/tmp"],
        &["pull", "box", "/tmp", "-"],
        &["run", "-d", "-i", "box", "cat"],
    ] {
        let text = shown(&dir, engine.socket(), 80, words, 2);
        assert!(text.contains("terminal"), "{words:?} {text}");
    }
}

#[test]
fn an_empty_list_says_how_to_fill_it() {
    if !has_terminal() {
        return;
    }
    let engine = FakeEngine::route(|request| match request.path.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        _ => Reply::json(200, "[]"),
    });
    let dir = project();
    let text = shown(&dir, engine.socket(), 80, &["list"], 0);
    assert!(
        text.contains("\nno sandboxes; 'pocketdock create' makes one\n"),
        "{text}"
    );
}
