//! docs/agents.md against the program: what each command prints with `--json`, and exit codes.
//!
//! That the lists of codes and variables are those of the source is checked in tests/tidy.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;
use std::time::Duration;

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;

use crate::live::{Live, code, live, text};
use crate::one_at_a_time;
use crate::reader::Reader;
use crate::shapes::shapes;
use crate::support::documents::blocks;

const PATIENCE: Duration = Duration::from_secs(60);

/// What cannot be brought about on a healthy engine; tests/core and tests/cli do it on a fake one.
const UNSEEN: [&str; 7] = [
    "error: 'encoding' was in no value",
    "error: 'stderr' was in no value",
    "error: 'stdout' was in no value",
    "create: 'warnings[]' was in no value",
    "prune: 'error' was in no value",
    "prune: 'failed[].error' was in no value",
    "prune: 'failed[].name' was in no value",
];

/// A program that reads what pocketdock prints, by the headings of the guide.
struct Agent<'l> {
    live: &'l Live,
    reader: Reader<'l>,
    values: BTreeMap<&'static str, Vec<Value>>,
}

impl<'l> Agent<'l> {
    fn new(live: &'l Live) -> Self {
        Agent {
            live,
            reader: Reader::new(live),
            values: BTreeMap::new(),
        }
    }

    fn runs(&self, words: &str) -> Output {
        let mut command = self.reader.command("pocketdock");
        command.arg("--json").args(split(words));
        command.output().unwrap()
    }

    /// Takes the one line for a value of this shape.
    fn takes(&mut self, shape: &'static str, words: &str) -> Value {
        let mut lines = self.lines(words);
        assert_eq!(lines.len(), 1, "{words}: {lines:?}");
        let value = lines.remove(0);
        self.keep(shape, value.clone());
        value
    }

    fn lines(&self, words: &str) -> Vec<Value> {
        let output = self.runs(words);
        let parse = |line| json::parse(line).unwrap_or_else(|e| panic!("{words}: {e}: {output:?}"));
        let lines = output.stdout.split(|byte| *byte == b'\n');
        lines.filter(|line| !line.is_empty()).map(parse).collect()
    }

    fn keep(&mut self, shape: &'static str, value: Value) {
        self.values.entry(shape).or_default().push(value);
    }
}

/// Words at blanks, but not within single quotes.
fn split(words: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for (i, part) in words.split('\'').enumerate() {
        match i % 2 {
            0 => parts.extend(part.split_whitespace().map(str::to_owned)),
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

#[test]
fn every_command_prints_what_the_guide_says() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let mut agent = Agent::new(&live);
    agent.takes("version", "--version");
    agent.takes("error", "info nowhere");
    agent.takes("init", "init");
    commands(&mut agent);
    records(&mut agent);
    looks(&mut agent);
    carries(&mut agent);
    care(&mut agent);
    ends(&mut agent);

    let shapes = shapes();
    let mut faults = Vec::new();
    for (name, shape) in &shapes {
        let values = agent.values.remove(name.as_str()).unwrap_or_default();
        let found = shape.faults(&values).into_iter();
        faults.extend(found.map(|fault| format!("{name}: {fault}")));
    }
    faults.retain(|fault| !UNSEEN.contains(&fault.as_str()));
    assert!(agent.values.is_empty(), "{:?}", agent.values.keys());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Sandboxes, and commands in them.
fn commands(agent: &mut Agent<'_>) {
    agent.takes("create", "create --name box");
    agent.takes("create", "create --name web -p 0:80 --mem-limit 64m");
    agent.takes("create", "reboot box");
    agent.takes("run", "run box 'echo hi; printf \"\\377\" >&2; exit 3'");
    agent.takes("run", "run box 'kill -9 $$'");
    let mut lines = agent.lines("run box --stream 'echo hi; echo oh >&2; kill -9 $$'");
    let end = lines.pop().unwrap();
    agent.keep("run --stream, the end", end);
    for line in lines {
        agent.keep("run --stream, a piece", line);
    }
}

/// What is written down of them.
fn records(agent: &mut Agent<'_>) {
    // Cut at its limit, which is a note.
    agent.takes(
        "run --detach",
        "run -d --max-output 1k box 'yes | head -c 4096; exit 3'",
    );
    let mut pieces = Vec::new();
    for line in agent.lines("logs box --follow --type detach") {
        match line.get("exit_code") {
            Some(_) => agent.keep("logs --follow, the end of a log", line),
            None => pieces.push(line),
        }
    }
    agent.keep("logs", Value::Array(pieces));
    agent.takes("logs", "logs box");
    agent.takes("logs --history", "logs --history");
    agent.takes("logs --history", "logs box --history");
    history_lines(agent);
}

/// The lines of a history are as docs/projects.md shows one.
fn history_lines(agent: &Agent<'_>) {
    let blocks = blocks("docs/projects.md");
    let shown = blocks
        .iter()
        .find(|block| block.language == "json")
        .unwrap();
    let file = ".pocketdock/instances/box/history.jsonl";
    let written = fs::read_to_string(agent.reader.work().join(file)).unwrap();
    let keys = |line: &str| -> Vec<String> {
        let value = json::parse(line.as_bytes()).unwrap();
        let keys = value.as_object().unwrap().iter();
        keys.map(|(key, _)| key.to_owned()).collect()
    };
    let wanted = keys(shown.text.trim_end());
    let lines = written
        .lines()
        .filter(|line| line.contains("\"exit_code\""));
    for line in lines {
        assert_eq!(keys(line), wanted, "{line}");
    }
}

fn looks(agent: &mut Agent<'_>) {
    agent.takes("status", "status");
    agent.takes("list", "list");
    agent.takes("profiles", "profiles");
    agent.takes("info", "info web");
    agent.takes("stop", "stop box nowhere");
    agent.takes("info", "info box");
    let resumed = agent.lines("resume box nowhere").remove(0);
    assert!(resumed.get("resumed").is_some(), "{resumed:?}");
    assert!(resumed.get("failed").is_some() && resumed.get("error").is_some());
}

/// Files and images.
fn carries(agent: &mut Agent<'_>) {
    agent.takes("push", "push web data.csv /tmp/");
    agent.runs("run web 'mkdir /tmp/pipes; mkfifo /tmp/pipes/one'");
    agent.takes("push", "pull web /tmp/pipes .");
    agent.takes("snapshot", "snapshot web tools:1");
    agent.takes("export", "export --image tools:1 -o images.tar");
    agent.takes("import", "import images.tar");
    agent.takes("build", "build minimal-python");
}

/// What is wrong and what is not needed.
fn care(agent: &mut Agent<'_>) {
    let owner = agent
        .reader
        .command("pocketdock")
        .args(split(
            "run --profile minimal-python --name orphan sleep 600",
        ))
        .spawn();
    let mut owner = owner.unwrap();
    assert!(
        agent
            .live
            .eventually(PATIENCE, || agent.live.running("orphan"))
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    for name in ["gone", "mixed", "spare"] {
        agent.runs(&format!("create --name {name}"));
    }
    agent.live.delete("/containers/gone?force=1");
    let instances = agent.reader.work().join(".pocketdock/instances");
    let [mixed, spare] = ["mixed", "spare"].map(|name| instances.join(name).join("instance.json"));
    let id = |path| {
        json::parse(&fs::read(path).unwrap())
            .unwrap()
            .str_at(&["id"])
            .unwrap()
            .to_owned()
    };
    let text = fs::read_to_string(&mixed).unwrap();
    fs::write(&mixed, text.replace(&id(&mixed), &id(&spare))).unwrap();
    let report = agent.takes("doctor", "doctor");
    assert_eq!(report.bool_at(&["healthy"]), Some(false));
    agent.takes("doctor", "doctor --fix");
    agent.takes("doctor", "--socket /nonexistent/engine.sock doctor");
    agent.runs("stop spare");
    agent.takes("prune", "prune --dry-run");
    assert_eq!(code(&agent.runs("prune")), 2);
}

/// Exit codes, and what `shutdown` prints.
fn ends(agent: &mut Agent<'_>) {
    let cases = [
        ("list", 0),
        ("info nowhere", 1),
        ("list --nonsense", 2),
        ("run box --timeout 1 'sleep 60'", 124),
        ("run nowhere true", 125),
        ("run box -u nobody-here true", 126),
        ("run box -- no-such-program -x", 127),
        ("run box 'kill -9 $$'", 137),
        ("run box 'exit 42'", 42),
    ];
    for (words, wanted) in cases {
        let output = agent.runs(words);
        assert_eq!(code(&output), wanted, "{words}: {}", text(&output.stdout));
    }
    let gone = agent.lines("shutdown --yes box web mixed spare").remove(0);
    assert!(gone.get("removed").is_some(), "{gone:?}");
}
