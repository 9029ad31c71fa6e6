//! The rules of the command line, each for every command.
//!
//! [`ROWS`] has one row a command and is compared with the table of commands, so one that is added
//! without a row fails here. Options are not listed: they come from that table, and one whose
//! malformed values nobody has thought of fails, too.
//!
//! What needs a terminal is in `rules_terminal`, what needs a real engine in the live suite.

use std::collections::BTreeSet;
use std::process::Output;

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;

use crate::commands::{Command, Opt, commands, globals};
use crate::program::{self, code, text};
use crate::support::scratch::Scratch;
use crate::world::{inside, project, run_in, world};

/// What the rules need to know of a command.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Words that it takes; what they name is in [`project`] and [`world`].
    pub(crate) good: &'static [&'static str],
    /// What it says is missing when there is no more than these words.
    pub(crate) lacks: &'static [(&'static [&'static str], &'static str)],
    pub(crate) without_engine: Without,
    /// What it says in JSON with one: an object's first key, or that it is an array.
    json: Says,
}

/// What a command does if no engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Without {
    /// Fails with this code and says that the socket is not there.
    Fails(i32),
    /// Works.
    Works,
    /// Is refused before, with 2, for want of a terminal.
    NeedsTerminal,
    /// Ends with 1 after a report of its own.
    Reports,
}

/// What stands in the JSON of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Object(&'static str),
    Array,
    /// Nothing that the engine of these tests could make it say.
    Elsewhere,
}

const CONTAINER: &[(&[&str], &str)] = &[(&[], "CONTAINER")];

#[rustfmt::skip] // one command a line
pub(crate) const ROWS: [Row; 21] = [
    row("create",   &["--image", "tools:1", "--name", "box"], &[], Without::Fails(1), Says::Object("id")),
    row("run",      &["box", "echo", "hello"], &[(&[], "CONTAINER"), (&["box"], "COMMAND"), (&["--image", "x"], "COMMAND"), (&["box", "--lang", "sh"], "CODE")], Without::Fails(125), Says::Object("exit_code")),
    row("shell",    &["box"], CONTAINER, Without::NeedsTerminal, Says::Elsewhere),
    row("logs",     &["box"], &[], Without::Fails(1), Says::Array),
    row("list",     &[], &[], Without::Fails(1), Says::Array),
    row("info",     &["box"], CONTAINER, Without::Fails(1), Says::Object("id")),
    row("stop",     &["box"], CONTAINER, Without::Fails(1), Says::Object("stopped")),
    row("resume",   &["job"], CONTAINER, Without::Fails(1), Says::Object("resumed")),
    row("reboot",   &["box"], CONTAINER, Without::Fails(1), Says::Object("id")),
    row("shutdown", &["--yes", "box"], CONTAINER, Without::Fails(1), Says::Object("removed")),
    row("prune",    &["--yes"], &[], Without::Fails(1), Says::Object("removed")),
    row("push",     &["box", "note.txt", "/tmp/"], &[(&[], "CONTAINER"), (&["box"], "SRC"), (&["box", "a"], "DEST")], Without::Fails(1), Says::Elsewhere),
    row("pull",     &["box", "/etc/motd", "motd"], &[(&[], "CONTAINER"), (&["box"], "SRC"), (&["box", "/a"], "DEST")], Without::Fails(1), Says::Elsewhere),
    row("profiles", &[], &[], Without::Fails(1), Says::Array),
    row("build",    &["minimal-python"], &[], Without::Fails(1), Says::Array),
    row("snapshot", &["box", "tools:2"], &[(&[], "CONTAINER"), (&["box"], "IMAGE")], Without::Fails(1), Says::Object("id")),
    row("export",   &["--image", "tools:1", "-o", "new.tar"], &[(&[], "'--all', '--profile' or '--image'"), (&["--all"], "'--output'")], Without::Fails(1), Says::Object("file")),
    row("import",   &["images.tar"], &[(&[], "FILE")], Without::Fails(1), Says::Object("images")),
    row("init",     &[], &[], Without::Works, Says::Object("root")),
    row("status",   &[], &[], Without::Fails(1), Says::Object("project")),
    row("doctor",   &[], &[], Without::Reports, Says::Object("engine")),
];

const fn row(
    name: &'static str,
    good: &'static [&'static str],
    lacks: &'static [(&'static [&'static str], &'static str)],
    without_engine: Without,
    json: Says,
) -> Row {
    Row {
        name,
        good,
        lacks,
        without_engine,
        json,
    }
}

impl Row {
    /// The command with these words behind its name, and what it takes behind them.
    pub(crate) fn with<'w>(&self, words: &[&'w str]) -> Vec<&'w str> {
        [&[self.name], words, self.good].concat()
    }

    fn command(&self) -> Command {
        let mut all = commands().into_iter();
        all.find(|it| it.name == self.name).unwrap()
    }
}

/// Runs it where no engine is.
fn alone(dir: &Scratch, words: &[&str]) -> Output {
    inside(dir).args(words).output().unwrap()
}

/// The one JSON document on stdout.
fn document(output: &Output) -> Value {
    let shown = text(&output.stdout);
    assert_eq!(shown.lines().count(), 1, "{output:?}");
    json::parse(shown.trim_end().as_bytes()).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What can be compared of two runs.
fn seen(output: &Output) -> (i32, &str, &str) {
    (code(output), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_command_has_a_row() {
    let rows: Vec<_> = ROWS.iter().map(|row| row.name.to_owned()).collect();
    let table: Vec<_> = commands().into_iter().map(|it| it.name).collect();
    assert_eq!(rows, table);
    let overview = program::run(&["--help"]);
    for row in &ROWS {
        let line = format!("\n  {:11}", row.name);
        assert!(text(&overview.stdout).contains(&line), "{line}");
    }
}

#[test]
fn help_is_the_same_by_option_and_by_command() {
    let global = globals();
    for row in &ROWS {
        let by_option = program::run(&[row.name, "--help"]);
        let shown = text(&by_option.stdout);
        for words in [
            vec!["help", row.name],
            vec![row.name, "-h"],
            vec![row.name, "-qh"],
            vec!["--json", row.name, "--help"],
            vec!["help", row.name, "--json"],
            vec![row.name, "--color", "never", "--help"],
        ] {
            assert_eq!(seen(&program::run(&words)), (0, shown, ""), "{words:?}");
        }
        for part in [
            "Usage:\n  pocketdock ",
            "\nExamples:\n  pocketdock ",
            "\nExit codes: ",
        ] {
            assert!(shown.contains(part), "{}: {part}", row.name);
        }
        for opt in row.command().options {
            assert!(shown.contains(&opt.long), "{} {}", row.name, opt.long);
        }
        for opt in &global {
            let is_listed = shown.contains(&format!("\n      {}", opt.long));
            assert!(!is_listed, "{} {}", row.name, opt.long);
        }
    }
    for words in [
        &["help", "run", "list"][..],
        &["help", "--bogus"],
        &["help", "-x", "run"],
    ] {
        assert_eq!(code(&program::run(words)), 2, "{words:?}");
    }
}

#[test]
fn a_mistyped_option_is_refused_with_the_nearest() {
    let dir = project();
    for row in &ROWS {
        for opt in row.command().options.iter().chain(&globals()) {
            let typo = format!("{}x", opt.long);
            let output = alone(&dir, &row.with(&[&typo]));
            let want = format!(
                "pocketdock: unknown option '{typo}'\nhint: did you mean '{}'?\n",
                opt.long
            );
            assert_eq!(seen(&output), (2, "", want.as_str()), "{} {typo}", row.name);
        }
        for words in [
            ["--json", row.name, "--bogus"],
            [row.name, "--bogus", "--json"],
        ] {
            let output = alone(&dir, &words);
            assert_eq!((code(&output), text(&output.stderr)), (2, ""), "{words:?}");
            let error = document(&output);
            assert_eq!(error.str_at(&["error", "code"]), Some("usage"), "{words:?}");
            assert!(error.str_at(&["error", "hint"]).is_some(), "{words:?}");
        }
        let output = alone(&dir, &[row.name, "-7"]);
        let said = text(&output.stderr);
        assert_eq!(code(&output), 2, "{output:?}");
        assert!(
            said.starts_with("pocketdock: unknown option '-7'\nhint: "),
            "{said}"
        );
    }
}

/// Nothing near by chance is offered for it.
#[test]
fn an_option_of_another_command_is_told_as_such() {
    let dir = project();
    for row in &ROWS {
        let own: Vec<_> = row
            .command()
            .options
            .iter()
            .map(|opt| opt.long.clone())
            .collect();
        for other in &ROWS {
            for opt in other.command().options.iter() {
                if own.contains(&opt.long) {
                    continue;
                }
                let output = alone(&dir, &row.with(&[&opt.long]));
                let said = text(&output.stderr);
                let hint = format!("hint: '{}' is an option of '", opt.long);
                assert!(said.contains(&hint), "{} {}: {said}", row.name, opt.long);
                assert!(said.contains(&format!("'{}'", other.name)), "{said}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_named() {
    let dir = project();
    for row in &ROWS {
        for (words, missing) in row.lacks {
            let output = alone(&dir, &[&[row.name], *words].concat());
            let want = format!("pocketdock: missing {missing}");
            let (code, stdout, stderr) = seen(&output);
            assert_eq!((code, stdout), (2, ""), "{} {words:?}", row.name);
            assert!(stderr.starts_with(&want), "{} {words:?} {stderr}", row.name);
        }
        // One more than there is a place for.
        if !matches!(
            row.name,
            "run" | "shell" | "stop" | "resume" | "shutdown" | "build"
        ) {
            let output = alone(&dir, &[row.with(&[]), vec!["surplus", "more"]].concat());
            let said = text(&output.stderr);
            assert_eq!(code(&output), 2, "{} {said}", row.name);
            assert!(
                said.contains("'surplus'") || said.contains("'more'"),
                "{said}"
            );
        }
    }
}

/// A value that the option of this name can not mean, in any command that has it.
fn malformed(command: &str, opt: &Opt) -> Option<&'static str> {
    // Any path and any words are fine; whether they lead anywhere is found out later.
    let anything = match command {
        "build" => &["--network", "--socket"][..],
        _ => &["--socket"],
    };
    if anything.contains(&opt.long.as_str()) {
        return None;
    }
    Some(match opt.value.as_str() {
        "WHEN" => "blue",
        "SHELL" => "tcsh",
        "SIZE" => "lots",
        "DURATION" => "soon",
        "N" => "-1",
        "KEY=VALUE" | "KEY[=VALUE]" => "=x",
        "IMAGE" | "DIR" | "USER[:GROUP]" | "CAPABILITY" | "PROJECT" | "NAME" => "",
        "PROFILE" | "LANGUAGE" | "TYPE" => "cobol",
        "FILE" if opt.long == "--env-file" => "/nonexistent/file",
        "FILE" => "/nonexistent/dir/file",
        "HOST:CONTAINER[:ro|rw]" | "HOST[:CONTAINER[:rwm]]" | "DIR[:OPTIONS]" => ":",
        "[ADDR:][HOST]:CONTAINER[/udp]" => "80:",
        other => panic!(
            "no malformed value is known for {command} {} {other}",
            opt.long
        ),
    })
}

/// Where to put an option so that it is the one thing that may be wrong.
fn with_option<'w>(row: &Row, opt: &Opt, words: &[&'w str]) -> Vec<&'w str> {
    let of_command = [
        "--shell",
        "--lang",
        "--stdin",
        "--timeout",
        "--max-output",
        "--stream",
    ];
    let either = ["--detach", "--env", "--env-file", "--workdir", "--user"];
    let one_shot = row.name == "run"
        && row.command().options.contains(opt)
        && !of_command
            .iter()
            .chain(&either)
            .any(|long| *long == opt.long);
    match (row.name, opt.long.as_str()) {
        // They choose what the others go with.
        ("run", "--image" | "--profile") => [&["run"], words, &["true"]].concat(),
        ("create", _) => [&["create"], words].concat(),
        ("export", "--profile") => [&["export"], words, &["-o", "new.tar"]].concat(),
        ("export", "--output") => [&["export", "--all"], words].concat(),
        _ if one_shot => [&["run", "--image", "x"], words, &["true"]].concat(),
        _ => row.with(words),
    }
}

#[test]
fn a_malformed_value_is_refused_by_name_before_anything_is_done() {
    let engine = world();
    let dir = project();
    let before = tree(&dir);
    for row in &ROWS {
        for opt in row.command().options.iter().chain(&globals()) {
            if opt.value.is_empty() {
                continue;
            }
            let Some(value) = malformed(row.name, opt) else {
                continue;
            };
            let output = run_in(
                &dir,
                engine.socket(),
                &with_option(row, opt, &[&opt.long, value]),
            );
            let (code, stdout, stderr) = seen(&output);
            let what = format!("{} {} {value:?}: {output:?}", row.name, opt.long);
            // A directory that is not there is no matter of how it is written.
            let want = if opt.long == "--output" { 1 } else { 2 };
            assert_eq!((code, stdout), (want, ""), "{what}");
            assert!(stderr.contains(&format!("'{value}'")), "{what}");
        }
    }
    assert!(engine.requests().is_empty(), "{:?}", engine.requests());
    assert_eq!(tree(&dir), before);
}

#[test]
fn a_name_that_can_be_none_is_refused_before_anything_is_done() {
    let (dir, engine) = (project(), world());
    for row in &ROWS {
        let Some(at) = row
            .good
            .iter()
            .position(|word| ["box", "job"].contains(word))
        else {
            continue;
        };
        if row.name == "create" {
            continue; // Its option has a row of its own.
        }
        for name in [
            "a/b",
            "..",
            "-",
            "",
            "é",
            "a b",
            "a\u{1b}[2J",
            &"x".repeat(64),
        ] {
            let mut words = row.with(&[]);
            words[at + 1] = name;
            let output = run_in(&dir, engine.socket(), &words);
            let shown = name.replace('\u{1b}', "\\u{1b}");
            let want = format!("pocketdock: invalid name '{shown}': expected 2 to 63 letters");
            let (code, stdout, stderr) = seen(&output);
            assert_eq!((code, stdout), (2, ""), "{words:?} {output:?}");
            assert!(stderr.starts_with(&want), "{words:?} {stderr}");
        }
    }
    assert!(engine.requests().is_empty(), "{:?}", engine.requests());
}

/// The names of what is in a directory, at any depth.
fn tree(dir: &Scratch) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![dir.path().to_owned()];
    while let Some(path) = left.pop() {
        for entry in std::fs::read_dir(path).into_iter().flatten() {
            let path = entry.unwrap().path();
            found.insert(path.display().to_string());
            left.push(path);
        }
    }
    found
}

#[test]
fn every_spelling_of_an_option_means_the_same() {
    let dir = project();
    for row in &ROWS {
        for opt in row.command().options.iter().chain(&globals()) {
            let Opt { long, example, .. } = opt;
            let run = |words: &[&str]| alone(&dir, &with_option(row, opt, words));
            if opt.value.is_empty() {
                let output = run(&[&format!("{long}=yes")]);
                let want = format!("pocketdock: option '{long}' takes no value\n");
                assert!(
                    text(&output.stderr).starts_with(&want),
                    "{} {output:?}",
                    row.name
                );
                assert_eq!(code(&output), 2);
            }
            let apart = match opt.value.is_empty() {
                true => run(&[long]),
                false => run(&[long, example]),
            };
            let mut spellings = Vec::new();
            match (opt.short, opt.value.is_empty()) {
                (None, true) => {}
                (None, false) => spellings.push(vec![format!("{long}={example}")]),
                (Some(short), true) => {
                    spellings.push(vec![format!("-{short}")]);
                    spellings.push(vec![format!("-{short}{short}")]);
                }
                (Some(short), false) => {
                    spellings.push(vec![format!("{long}={example}")]);
                    spellings.push(vec![format!("-{short}"), example.clone()]);
                    spellings.push(vec![format!("-{short}{example}")]);
                    spellings.push(vec![format!("-{short}={example}")]);
                }
            }
            for words in spellings {
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                let output = run(&words);
                assert_eq!(seen(&output), seen(&apart), "{} {words:?}", row.name);
            }
        }
    }
}

#[test]
fn letters_stand_in_clusters() {
    let dir = project();
    for row in &ROWS {
        for opt in row
            .command()
            .options
            .iter()
            .filter(|opt| opt.short.is_some())
        {
            let short = opt.short.unwrap();
            let value = (!opt.value.is_empty()).then_some(opt.example.as_str());
            let cluster = format!("-q{short}");
            let together: Vec<_> = [cluster.as_str()].into_iter().chain(value).collect();
            let apart: Vec<_> = ["-q", &opt.long].into_iter().chain(value).collect();
            let [together, apart] =
                [together, apart].map(|words| alone(&dir, &with_option(row, opt, &words)));
            assert_eq!(seen(&together), seen(&apart), "{} {cluster}", row.name);
        }
    }
}

#[test]
fn nothing_is_an_option_behind_two_dashes() {
    let dir = project();
    for row in &ROWS {
        for words in [
            vec![row.name, "--", "--bogus"],
            vec!["--", row.name, "--bogus"],
        ] {
            let output = alone(&dir, &words);
            let said = text(&output.stderr);
            let is_unknown = said.contains("unknown option '--bogus'");
            // The two dashes before a command end the options before it.
            assert_eq!(is_unknown, words[0] == "--", "{words:?} {said}");
        }
    }
}

#[test]
fn a_global_option_stands_before_or_after_the_command() {
    let dir = project();
    let engine = world();
    let socket = engine.socket().to_str().unwrap();
    for row in &ROWS {
        for words in [
            &["--json"][..],
            &["--quiet"],
            &["-q"],
            &["--no-input"],
            &["--color", "always"],
            &["--color=never"],
            &["--socket", "/not/there.sock"],
            &["--version"],
            &["-V"],
            &["--man"],
            &["--completions", "fish"],
        ] {
            let before = alone(&dir, &[words, &row.with(&[])].concat());
            let after = alone(&dir, &row.with(words));
            assert_eq!(seen(&before), seen(&after), "{} {words:?}", row.name);
        }
        if row.json != Says::Elsewhere && row.name != "create" && row.name != "run" {
            let before = run_in(
                &dir,
                engine.socket(),
                &[&["--verbose"], &row.with(&[])[..]].concat(),
            );
            let after = run_in(&dir, engine.socket(), &row.with(&["--verbose"]));
            let lines = |output: &Output| text(&output.stderr).lines().count();
            assert_eq!(
                lines(&before),
                lines(&after),
                "{} {before:?} {after:?}",
                row.name
            );
        }
        let output = alone(&dir, &row.with(&["--socket", socket]));
        assert!(
            !text(&output.stderr).contains("/nonexistent/"),
            "{} {output:?}",
            row.name
        );
    }
}

#[test]
fn without_an_engine_a_command_says_so() {
    let dir = project();
    for row in &ROWS {
        let (plain, json) = (
            alone(&dir, &row.with(&[])),
            alone(&dir, &row.with(&["--json"])),
        );
        let socket = "cannot use the engine socket '/nonexistent/engine.sock': it is not there";
        match row.without_engine {
            Without::Fails(failed) => {
                let (code, stdout, stderr) = seen(&plain);
                assert_eq!((code, stdout), (failed, ""), "{} {plain:?}", row.name);
                let [message, hint] = stderr.lines().collect::<Vec<_>>()[..] else {
                    panic!("{} {stderr}", row.name)
                };
                assert!(
                    message.starts_with(&format!("pocketdock: {socket}")),
                    "{message}"
                );
                assert!(hint.starts_with("hint: "), "{hint}");
                let error = document(&json);
                assert_eq!(text(&json.stderr), "", "{}", row.name);
                assert_eq!(program::code(&json), failed, "{}", row.name);
                let error_code = error.str_at(&["error", "code"]);
                assert_eq!(error_code, Some("socket_connection"), "{}", row.name);
                assert_eq!(
                    error.str_at(&["error", "hint"]),
                    hint.strip_prefix("hint: ")
                );
            }
            Without::NeedsTerminal => {
                assert_eq!((code(&plain), code(&json)), (2, 2), "{}", row.name);
                assert_eq!(document(&json).str_at(&["error", "code"]), Some("usage"));
            }
            Without::Works => {
                assert_eq!((code(&plain), code(&json)), (0, 0), "{}", row.name);
                document(&json);
            }
            Without::Reports => {
                assert_eq!((code(&plain), code(&json)), (1, 1), "{}", row.name);
                assert!(text(&plain.stdout).contains(socket), "{plain:?}");
                document(&json);
            }
        }
    }
}

#[test]
fn with_an_engine_a_command_says_the_same_to_people_and_programs() {
    for row in &ROWS {
        let first = match row.json {
            Says::Elsewhere => continue,
            Says::Object(key) => Some(key),
            Says::Array => None,
        };
        let (dir, engine) = (project(), world());
        let output = run_in(&dir, engine.socket(), &row.with(&["--json"]));
        assert_eq!(
            (code(&output), text(&output.stderr)),
            (0, ""),
            "{} {output:?}",
            row.name
        );
        let value = document(&output);
        let found = value.as_object().and_then(|object| object.iter().next());
        assert_eq!(found.map(|(key, _)| key), first, "{} {output:?}", row.name);
        assert_eq!(value.as_array().is_some(), first.is_none(), "{}", row.name);
        let (dir, engine) = (project(), world());
        let plain = run_in(&dir, engine.socket(), &row.with(&[]));
        assert_eq!(code(&plain), 0, "{} {plain:?}", row.name);
        assert!(!text(&plain.stdout).contains('\x1b'), "{plain:?}");
    }
}

#[test]
fn a_quiet_command_has_no_messages() {
    for row in ROWS.iter().filter(|row| row.json != Says::Elsewhere) {
        let (dir, engine) = (project(), world());
        let output = run_in(&dir, engine.socket(), &row.with(&["-q"]));
        assert_eq!(
            (code(&output), text(&output.stderr)),
            (0, ""),
            "{} {output:?}",
            row.name
        );
    }
}

#[test]
fn a_reader_that_is_gone_ends_every_command_quietly() {
    for row in ROWS.iter().filter(|row| row.json != Says::Elsewhere) {
        for words in [&["-q"][..], &["--json"]] {
            let (dir, engine) = (project(), world());
            let mut command = inside(&dir);
            command.env("POCKETDOCK_SOCKET", engine.socket());
            let output = command
                .args(row.with(words))
                .stdout(crate::streams::unread())
                .output()
                .unwrap();
            let seen = (code(&output), text(&output.stderr));
            assert_eq!(seen, (0, ""), "{} {words:?} {output:?}", row.name);
        }
    }
}

#[test]
fn what_is_to_be_done_is_done_though_nobody_reads_of_it() {
    for words in [&["stop"][..], &["resume"], &["shutdown", "--yes"]] {
        let (dir, engine) = (project(), world());
        let mut command = inside(&dir);
        command.env("POCKETDOCK_SOCKET", engine.socket());
        command.args(words).args(["box", "web", "job"]);
        let output = command.stdout(crate::streams::unread()).output().unwrap();
        let seen = (code(&output), text(&output.stderr));
        assert_eq!(seen, (0, ""), "{words:?} {output:?}");
        let requests = engine.requests();
        for name in ["box", "web", "job"] {
            let path = format!("/containers/{name}");
            let is_asked = requests
                .iter()
                .any(|request| request.path.starts_with(&path));
            assert!(is_asked, "{words:?} {name}");
        }
    }
}

#[test]
fn verbose_is_one_line_an_exchange() {
    for row in ROWS.iter().filter(|row| row.json != Says::Elsewhere) {
        let (dir, engine) = (project(), world());
        let words = [&["-v", "--json"], &row.with(&[])[..]].concat();
        let output = run_in(&dir, engine.socket(), &words);
        assert_eq!(code(&output), 0, "{} {output:?}", row.name);
        let said = text(&output.stderr);
        let exchanges: Vec<_> = said.lines().filter(|line| line.ends_with(" ms")).collect();
        for line in &exchanges {
            let [method, target, status, ms, "ms"] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            assert!(
                ["GET", "POST", "PUT", "HEAD", "DELETE"].contains(&method),
                "{line}"
            );
            assert!(target.starts_with('/'), "{line}");
            assert!(
                status.parse::<u16>().is_ok() && ms.parse::<u64>().is_ok(),
                "{line}"
            );
        }
        assert_eq!(
            exchanges.len(),
            engine.requests().len(),
            "{} {said}",
            row.name
        );
        // Beside them it names the socket and the settings, once.
        let others: Vec<_> = said.lines().filter(|line| !line.ends_with(" ms")).collect();
        let known = |line: &&str| line.starts_with("socket ") || line.starts_with("config ");
        assert!(
            others.iter().all(known) && others.len() <= 2,
            "{} {said}",
            row.name
        );
    }
}

/// A name, options, variables, and whether there is colour.
pub(crate) type ColorCase = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    bool,
);

#[test]
fn colour_is_where_it_is_wanted() {
    let dir = project();
    #[rustfmt::skip] // one case per line
    let cases: [ColorCase; 9] = [
        ("no terminal",             &[],                    &[],                                            false),
        ("asked for",               &["--color", "always"], &[],                                            true),
        ("asked for, NO_COLOR",     &["--color", "always"], &[("NO_COLOR", "1")],                           true),
        ("not wanted",              &["--color=never"],     &[("CLICOLOR_FORCE", "1")],                     false),
        ("forced",                  &[],                    &[("CLICOLOR_FORCE", "1")],                     true),
        ("forced, but dumb",        &[],                    &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")],   true),
        ("forced off",              &[],                    &[("CLICOLOR_FORCE", "0")],                     false),
        ("NO_COLOR wins",           &[],                    &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],  false),
        ("an empty NO_COLOR",       &[],                    &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")],   true),
    ];
    for row in &ROWS {
        for (name, words, variables, colored) in &cases {
            for tried in [&["--help"][..], &["--bogus"]] {
                let mut command = inside(&dir);
                command.envs(variables.iter().copied());
                let output = command
                    .args(row.with(&[*words, tried].concat()))
                    .output()
                    .unwrap();
                let shown = [output.stdout.as_slice(), &output.stderr].concat();
                let found = text(&shown).contains("\x1b[");
                assert_eq!(found, *colored, "{} {tried:?} {name}: {output:?}", row.name);
            }
        }
    }
}

#[test]
fn what_destroys_is_refused_where_nobody_can_be_asked() {
    let (dir, engine) = (project(), world());
    for words in [
        &["shutdown", "box"][..],
        &["shutdown", "--force", "box", "web"],
        &["prune"],
        &["prune", "--persistent", "--orphans"],
    ] {
        for option in ["--no-input", "--quiet", "--json"] {
            let output = run_in(&dir, engine.socket(), &[words, &[option]].concat());
            assert_eq!(code(&output), 2, "{words:?} {output:?}");
            let said = [output.stdout.as_slice(), &output.stderr].concat();
            assert!(
                text(&said).contains("'--yes' does it without asking"),
                "{output:?}"
            );
        }
    }
    assert!(engine.requests().is_empty(), "{:?}", engine.requests());
}
