//! Projects, and what is done about clients that die: a day in a project, prune, doctor, and a
//! hundred clients that are killed at any moment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::wire::value::Value;

use crate::live::{Live, code, live, meek, text, unique_name};
use crate::support::rng::Rng;
use crate::support::scratch::Scratch;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whoever puts right what is wrong with the engine does so for every test.
pub(crate) fn only_doctor() -> MutexGuard<'static, ()> {
    static DOCTOR: Mutex<()> = Mutex::new(());
    DOCTOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A project of a test's own.
struct Project<'l> {
    live: &'l Live,
    dir: Scratch,
}

impl<'l> Project<'l> {
    fn new(live: &'l Live) -> Self {
        let project = Project {
            live,
            dir: Scratch::new(),
        };
        let name = unique_name();
        assert_eq!(code(&project.run(&["init", "--name", &name])), 0);
        project
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.live.pocketdock(words);
        command.current_dir(self.dir.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints when all goes well.
    fn says(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(code(&output), 0, "{words:?}: {output:?}");
        text(&output.stdout).to_owned()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(&[&["--json"], words].concat());
        pocketdock_core::wire::json::parse(output.stdout.trim_ascii_end())
            .unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    fn create(&self, name: &str) {
        let image = &self.live.image;
        self.says(&["create", "--persist", "--name", name, "--image", image]);
    }

    fn instance(&self, name: &str) -> std::path::PathBuf {
        self.dir.join(".pocketdock/instances").join(name)
    }

    /// The codes of the problems that `doctor` finds, and its exit code.
    fn doctor(&self, words: &[&str]) -> (Vec<String>, i32) {
        let _alone = only_doctor();
        let output = self.run(&[&["--json", "doctor"], words].concat());
        let report = pocketdock_core::wire::json::parse(output.stdout.trim_ascii_end()).unwrap();
        let problems = report.array_at(&["problems"]).unwrap().iter();
        let codes = problems.filter_map(|problem| problem.str_at(&["code"]));
        // Other tests may leave orphans and half a reboot while they run.
        let own = codes.filter(|code| !["orphaned_container", "half_rebooted"].contains(code));
        (own.map(str::to_owned).collect(), code(&output))
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        let found = self.live.run(&["list", "--quiet"]);
        for name in text(&found.stdout).lines() {
            if self.instance(name).exists() {
                self.live.run(&["shutdown", "--yes", "--force", name]);
            }
        }
    }
}

#[test]
fn a_day_in_a_project() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    assert!(project.instance(&name).join("data").is_dir());
    let ran = project.run(&["run", &name, "echo out; echo err >&2; exit 3"]);
    assert_eq!(
        (code(&ran), text(&ran.stdout), text(&ran.stderr)),
        (3, "out\n", "err\n")
    );
    project.says(&["run", "-d", &name, "sleep 1; echo done"]);
    let followed = project.run(&["logs", &name, "--follow"]);
    assert_eq!(text(&followed.stdout), "out\ndone\n");
    assert_eq!(text(&followed.stderr), "err\n");

    project.says(&["stop", &name]);
    let status = project.json(&["status"]);
    let counts = ["instances", "containers", "running", "stopped"];
    let counts = counts.map(|key| status.u64_at(&[key]).unwrap());
    assert_eq!(counts, [1, 1, 0, 1]);
    assert!(0 < status.u64_at(&["disk_bytes"]).unwrap());
    project.says(&["resume", &name]);
    project.says(&["run", &name, ">/tmp/lost"]);
    project.says(&["reboot", &name]);
    assert_eq!(project.says(&["run", &name, "ls /tmp"]), "lost\n");
    project.says(&["reboot", &name, "--fresh"]);
    assert_eq!(project.says(&["run", &name, "ls /tmp"]), "");
    let image = format!("localhost/{name}:day");
    project.says(&["snapshot", &name, &image]);
    live.delete(&format!("/images/{image}"));
    let list = project.json(&["list", "--project", "."]);
    let listed = list.as_array().unwrap().iter();
    let listed: Vec<_> = listed.map(|it| it.str_at(&["name"]).unwrap()).collect();
    assert_eq!(listed, [name.as_str()]);

    let history = project.json(&["logs", "--history"]);
    let history = history.as_array().unwrap();
    let kinds: Vec<_> = history
        .iter()
        .map(|entry| entry.str_at(&["type"]).unwrap())
        .collect();
    assert_eq!(kinds, ["run", "detach", "run", "run", "run"]);
    assert_eq!(history[0].i64_at(&["exit_code"]), Some(3));
    assert_eq!(project.doctor(&[]).0, [""; 0]);
    project.says(&["shutdown", "--yes", &name]);
    assert!(!project.instance(&name).exists());
    assert_eq!(project.doctor(&[]).0, [""; 0]);
    assert_eq!(project.json(&["status"]).u64_at(&["containers"]), Some(0));
}

/// One history line for each command, whole, however many are written at once.
#[test]
fn twenty_processes_record_at_once() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    let long = "x".repeat(20_000);
    thread::scope(|scope| {
        for n in 0..20 {
            let (project, name, long) = (&project, &name, &long);
            scope.spawn(move || {
                for _ in 0..3 {
                    let line = format!("exit {n} # {long}");
                    assert_eq!(code(&project.run(&["run", name, &line])), n);
                }
            });
        }
    });
    let history = fs::read_to_string(project.instance(&name).join("history.jsonl")).unwrap();
    // Whoever looked while another was writing has begun with a line feed, to be sure.
    let lines = history.lines().filter(|line| !line.is_empty());
    let codes = lines.map(|line| {
        let entry = pocketdock_core::wire::json::parse(line.as_bytes()).unwrap();
        entry.i64_at(&["exit_code"]).unwrap()
    });
    let mut codes: Vec<_> = codes.collect();
    codes.sort_unstable();
    let want: Vec<i64> = (0..20).flat_map(|n| [n; 3]).collect();
    assert_eq!(codes, want);
    assert_eq!(
        project
            .json(&["logs", "--last", "1000"])
            .as_array()
            .unwrap()
            .len(),
        60
    );
}

#[test]
fn two_clients_that_want_one_name() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    for _ in 0..3 {
        let name = unique_name();
        let image = &live.image;
        let words = ["create", "--persist", "--name", &name, "--image", image];
        let racers: Vec<_> = (0..4)
            .map(|_| project.command(&words).spawn().unwrap())
            .collect();
        let ends: Vec<_> = racers
            .into_iter()
            .map(|it| it.wait_with_output().unwrap())
            .collect();
        let won = ends.iter().filter(|end| code(end) == 0).count();
        assert_eq!(won, 1, "{ends:?}");
        for end in ends.iter().filter(|end| code(end) != 0) {
            let said = text(&end.stderr);
            assert!(
                said.contains(&format!("a container named '{name}' exists already")),
                "{said}"
            );
        }
        let found = fs::read_to_string(project.instance(&name).join("instance.json")).unwrap();
        assert!(found.contains("\"maker\":null"), "{found}");
        assert_eq!(project.doctor(&[]).0, [""; 0]);
        assert_eq!(code(&project.run(&["run", &name, "true"])), 0);
        project.says(&["shutdown", "--yes", "--force", &name]);
    }
}

#[test]
fn a_project_that_was_moved_goes_on() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    fs::create_dir(project.dir.join("before")).unwrap();
    let before = project.dir.join("before");
    let at = |dir: &Path, words: &[&str]| {
        let output = live.pocketdock(words).current_dir(dir).output().unwrap();
        assert_eq!(code(&output), 0, "{words:?}: {output:?}");
        text(&output.stdout).to_owned()
    };
    at(&before, &["init", "--name", "moved"]);
    at(
        &before,
        &["create", "--name", &name, "--image", &live.image],
    );
    let after = project.dir.join("after");
    fs::rename(&before, &after).unwrap();
    at(&after, &["run", &name, "echo after"]);
    let history = at(&after, &["logs", "--history"]);
    assert!(history.contains("echo after"), "{history}");
    at(&after, &["reboot", &name, "--fresh"]);
    at(&after, &["run", &name, "true"]);
    at(&after, &["shutdown", "--yes", "--force", &name]);
    assert!(!after.join(".pocketdock/instances").join(&name).exists());
}

#[test]
fn what_is_lost_or_damaged_is_told_and_put_right() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    project.says(&["run", &name, "echo kept"]);
    let instance = project.instance(&name);

    // A history with a line of something else in it.
    let history = instance.join("history.jsonl");
    let line = fs::read(&history).unwrap();
    fs::write(
        &history,
        [b"\0\xff garbage\n", line.as_slice(), b"{\"ts\":"].concat(),
    )
    .unwrap();
    project.says(&["run", &name, "true"]);
    assert_eq!(
        project
            .json(&["logs", &name, "--history"])
            .as_array()
            .unwrap()
            .len(),
        2
    );

    // A description that is none.
    fs::write(instance.join("instance.json"), "{\"name\":").unwrap();
    assert_eq!(
        project.doctor(&[]),
        (vec!["damaged_instance".to_owned()], 1)
    );
    assert_eq!(code(&project.run(&["run", &name, "true"])), 0);
    assert_eq!(project.doctor(&["--fix"]).0, ["damaged_instance"]);
    assert_eq!(project.doctor(&[]).0, [""; 0]);
    assert_eq!(project.says(&["logs", &name, "--last", "2"]), "kept\n");

    // The directory is gone.
    fs::remove_dir_all(&instance).unwrap();
    assert_eq!(
        project.doctor(&[]),
        (vec!["missing_instance".to_owned()], 1)
    );
    assert_eq!(code(&project.run(&["run", &name, "true"])), 0);
    assert_eq!(project.doctor(&["--fix"]).0, ["missing_instance"]);
    assert!(instance.join("instance.json").is_file());
    assert_eq!(project.doctor(&[]).0, [""; 0]);

    // The container is gone; and a directory that is not ours stays.
    fs::create_dir(project.instance("foreign")).unwrap();
    let id = project.json(&["info", &name]);
    live.delete(&format!(
        "/containers/{}?force=1",
        id.str_at(&["id"]).unwrap()
    ));
    assert_eq!(project.doctor(&[]), (vec!["stale_instance".to_owned()], 1));
    assert_eq!(project.doctor(&["--fix"]).0, ["stale_instance"]);
    assert!(!instance.exists() && project.instance("foreign").is_dir());
    assert_eq!(project.doctor(&[]).0, [""; 0]);

    // The settings are broken: doctor says so and looks on.
    fs::write(project.dir.join(".pocketdock/pocketdock.yaml"), "a: [").unwrap();
    let (problems, exit) = project.doctor(&[]);
    assert_eq!((problems, exit), (vec!["config".to_owned()], 1));
}

/// A command does its work whether it can be recorded or not, and the failure is said once.
#[test]
fn a_record_that_cannot_be_written_fails_no_command() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    let words = ["run", &name, "echo one; echo two >&2; exit 4"];
    let program = project.command(&words);
    // No file may grow: what a full disk does, without one.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script])
        .arg(program.get_program())
        .args(program.get_args());
    shell.current_dir(project.dir.path()).env_clear();
    shell.envs(
        program
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    let full = shell.output().unwrap();
    // The directory of logs is in the way.
    let logs = project.instance(&name).join("logs");
    fs::write(&logs, "")
        .or_else(|_| fs::remove_dir(&logs).and_then(|()| fs::write(&logs, "")))
        .unwrap();
    let blocked = project.run(&words);
    for (what, output) in [("full", full), ("blocked", blocked)] {
        let said = text(&output.stderr);
        assert_eq!(
            (code(&output), text(&output.stdout)),
            (4, "one\n"),
            "{what}: {said}"
        );
        assert!(said.contains("two\n"), "{what}: {said}");
        assert_eq!(
            said.matches("not everything was recorded").count(),
            1,
            "{what}: {said}"
        );
    }
}

#[test]
fn prune_takes_what_is_stopped_and_not_meant_to_stay() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let image = live.image.as_str();
    let make = |suffix: &str, more: &[&str]| {
        let name = format!("{}-{suffix}", unique_name());
        project.says(&[&["create", "--name", &name, "--image", image], more].concat());
        name
    };
    let (stopped, runs) = (make("stopped", &[]), make("runs", &[]));
    let (persists, paused) = (make("persists", &["--persist"]), make("paused", &[]));
    let elsewhere = make("elsewhere", &["--project", "another-one"]);
    project.says(&["stop", &stopped, &persists, &elsewhere]);
    if live.has_control_groups() {
        live.post(&format!("/containers/{paused}/pause"));
    }

    let refused = project.run(&["prune", "--project", "."]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    let names = |words: &[&str]| {
        let report = project.json(&[&["prune", "--project", "."], words].concat());
        let removed = report.array_at(&["removed"]).unwrap().iter();
        let names = removed.map(|it| it.str_at(&["name"]).unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&["--dry-run"]), [stopped.as_str()]);
    assert!(live.has(&stopped));
    assert_eq!(names(&["--yes"]), [stopped.as_str()]);
    assert!(!live.has(&stopped) && !project.instance(&stopped).exists());
    assert_eq!(
        names(&["--yes", "--persistent", "--orphans"]),
        [persists.as_str()]
    );
    for name in [&runs, &paused, &elsewhere] {
        assert!(live.has(name) && project.instance(name).exists(), "{name}");
    }
}

/// A container may claim any directory as its own.
#[test]
fn a_label_alone_removes_nothing() {
    let Some(live) = live() else { return };
    let victim = Scratch::new();
    let inside = victim.path().join("instances/box");
    fs::create_dir_all(&inside).unwrap();
    for dir in [victim.path(), inside.as_path()] {
        fs::write(dir.join("precious"), "").unwrap();
        fs::write(dir.join("instance.json"), r#"{"name":"box","id":"abc"}"#).unwrap();
        for verb in ["shutdown", "prune"] {
            let name = unique_name();
            let labels = format!(
                r#"{{"pocketdock.managed":"true","pocketdock.instance":"{name}",
                    "pocketdock.project":"{name}","pocketdock.data-path":"{}"}}"#,
                dir.display()
            );
            live.create(&name, &labels);
            let output = match verb {
                "shutdown" => live.run(&["shutdown", "--yes", "--force", &name]),
                _ => {
                    live.post(&format!("/containers/{name}/start"));
                    live.post(&format!("/containers/{name}/stop?t=0"));
                    live.run(&["prune", "--yes", "--project", &name])
                }
            };
            assert_eq!(code(&output), 0, "{output:?}");
            assert!(!live.has(&name), "{verb}");
            assert!(dir.join("precious").is_file(), "{verb} {}", dir.display());
        }
    }
}

/// What a killed client was about to do.
fn victim(live: &Live, n: usize, name: &str, label: &str) -> Command {
    let image = live.image.as_str();
    let own = ["--label", label, "--name", name, "--image", image];
    let words: Vec<&str> = match n % 4 {
        0 => [&["create"], &own[..]].concat(),
        3 => [&["create", "--ttl", "1h"], &own[..]].concat(),
        1 => [&["run"], &own[..], &["--", "sleep", "1"]].concat(),
        _ => [&["run"], &own[..], &["-c", "--", "yes | head -c 100000"]].concat(),
    };
    live.pocketdock(&words)
}

/// A hundred clients, killed at any moment of what they do: nothing of theirs is left, and nothing
/// else is touched.
#[test]
fn clients_that_are_killed_leave_nothing_that_doctor_does_not_find() {
    let Some(live) = live() else { return };
    let label = format!("drill={}", std::process::id());
    let foreign = unique_name();
    live.create(&foreign, r#"{"somebody":"else"}"#);
    let elsewhere = unique_name();
    live.create(
        &elsewhere,
        r#"{"pocketdock.managed":"true","pocketdock.owner":"another-boot 1 1"}"#,
    );
    let owned = unique_name();
    let image = live.image.as_str();
    let words = [
        "run",
        "--timeout",
        "0",
        "--name",
        &owned,
        "--image",
        image,
        "--",
        "sleep",
        "600",
    ];
    let mut owner = live.pocketdock(&words).spawn().unwrap();
    let known = live.eventually(PATIENCE, || live.running(&owned));
    assert!(known, "{owned} does not run");

    let (before, alone) = kill_a_hundred(&live, &label);
    let orphans = |words: &[&str]| {
        let (report, _) = live.json(words);
        let named = names_at(&report, "orphaned_containers");
        named
            .intersection(&before)
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let ended_already = owner.try_wait();
    let named = orphans(&["doctor"]);
    assert_eq!(orphans(&["doctor", "--fix"]), named);
    drop(alone);
    let finished: BTreeSet<String> = live.labelled(&label);
    assert!(
        3 < before.len() && !named.is_empty(),
        "{before:?} {named:?}"
    );
    let left: BTreeSet<_> = before.difference(&finished).cloned().collect();
    assert_eq!(left, named);
    shut_down_finished(&live, &label, &finished);
    eprintln!(
        "{} left of 100 killed clients, {} of them orphans, which are gone",
        before.len(),
        named.len()
    );
    for name in [&foreign, &elsewhere] {
        live.post(&format!("/containers/{name}/start")); // It is there.
        live.delete(&format!("/containers/{name}?force=1"));
    }
    let (info, _) = live.json(&["info", &owned]);
    assert_eq!(
        info.str_at(&["status"]),
        Some("running"),
        "{info:?}, {ended_already:?}, then {:?}",
        owner.try_wait()
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    live.json(&["doctor", "--fix"]);
    assert!(!live.has(&owned));
}

/// Kills clients that are to make containers with this label; what is there once the engine has
/// done what it was asked for last.
fn kill_a_hundred(live: &Live, label: &str) -> (BTreeSet<String>, MutexGuard<'static, ()>) {
    // As long as a client of each kind takes, and longer on a machine that does four at a time.
    let began = Instant::now();
    let whole = victim(live, 2, &unique_name(), label).output().unwrap();
    assert_eq!(code(&whole), 0, "{whole:?}");
    let usual = began.elapsed() * 4;

    let mut rng = Rng::new(20_261_125);
    let rounds: Vec<(usize, String, Duration)> = (0..100)
        .map(|n| {
            let share = u32::try_from(rng.below(1000)).unwrap();
            (n, unique_name(), usual * share / 1000)
        })
        .collect();
    let rounds = Mutex::new(rounds);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((n, name, moment)) = { rounds.lock().unwrap().pop() } {
                    let mut child = victim(live, n, &name, label).spawn().unwrap();
                    thread::sleep(moment);
                    let _ended_already = child.kill();
                    child.wait().unwrap();
                }
            });
        }
    });
    let alone = only_doctor();
    // What the engine was asked for last may still come to be.
    let mut before = BTreeSet::new();
    live.eventually(PATIENCE, || {
        let now = live.labelled(label);
        let quiet = now == before;
        before = now;
        thread::sleep(Duration::from_secs(2));
        quiet
    });
    (before, alone)
}

/// What a client had finished before it was killed is a sandbox that was asked for.
fn shut_down_finished(live: &Live, label: &str, finished: &BTreeSet<String>) {
    for name in finished {
        let file = live
            .state
            .join("pocketdock/instances")
            .join(name)
            .join("instance.json");
        let description = fs::read_to_string(&file).unwrap();
        assert!(description.contains("\"maker\":null"), "{description}");
        assert!(live.running(name), "{name}");
        live.run(&["shutdown", "--yes", "--force", name]);
    }
    assert_eq!(live.labelled(label), BTreeSet::new());
    let instances =
        fs::read_dir(live.state.join("pocketdock/instances")).map_or(0, Iterator::count);
    assert_eq!(instances, 0);
    assert!(live.eventually(PATIENCE, || live.json(&["doctor"]).1 == 0));
}

fn names_at(report: &Value, key: &str) -> BTreeSet<String> {
    let names = report.array_at(&[key]).unwrap().iter();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn sandboxes_that_nobody_uses_end_by_themselves() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let file = project.dir.join(".pocketdock/pocketdock.yaml");
    fs::write(file, "idle_timeout: 8s\n").unwrap();
    let (idle, busy) = (unique_name(), unique_name());
    project.create(&idle);
    project.create(&busy);
    project.says(&["run", "-d", &busy, "sleep 600"]);
    // A command now and then keeps it up, for longer than it would last without.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(14) {
        project.says(&["run", &idle, "true"]);
        thread::sleep(Duration::from_secs(1));
    }
    assert!(live.running(&idle));
    assert!(live.eventually(PATIENCE, || !live.running(&idle)));
    assert!(live.has(&idle) && live.running(&busy));
    project.says(&["resume", &idle]);
    assert!(live.running(&idle));
    assert!(live.eventually(PATIENCE, || !live.running(&idle)));
    let ttl = unique_name();
    let image = &live.image;
    project.says(&["create", "--name", &ttl, "--image", image, "--ttl", "6s"]);
    assert!(live.eventually(PATIENCE, || !live.has(&ttl)));
    // It is gone in good order, and leaves its logs.
    assert_eq!(project.doctor(&[]).0, [""; 0]);
    let left = project.dir.join(".pocketdock/instances").join(&ttl);
    assert!(left.exists());
}

/// A client that dies in the middle of a reboot leaves one sandbox, the old one or the new.
#[test]
fn a_reboot_that_is_killed_is_cleared_up() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    let began = Instant::now();
    project.says(&["reboot", "--fresh", &name]);
    let usual = began.elapsed();
    let mut rng = Rng::new(99);
    for round in 0..15 {
        let mut child = project
            .command(&["reboot", "--fresh", &name])
            .spawn()
            .unwrap();
        thread::sleep(usual * u32::try_from(rng.below(1000)).unwrap() / 1000);
        let _ended_already = child.kill();
        child.wait().unwrap();
        // The engine may still be at what it was asked for last.
        let prefix = format!("{name}.");
        let named = || {
            let all = live.labelled(&format!("pocketdock.instance={name}"));
            (
                all.contains(&name),
                all.iter().any(|it| it.starts_with(&prefix)),
            )
        };
        let is_clear = || {
            project.doctor(&["--fix"]);
            named() == (true, false) && project.doctor(&[]).0.is_empty()
        };
        assert!(
            live.eventually(PATIENCE, is_clear),
            "{round}: {:?}",
            project.doctor(&[])
        );
        project.says(&["resume", &name]);
        project.says(&["run", &name, "true"]);
        let history = project.json(&["logs", "--history", "--last", "1000"]);
        assert_eq!(
            history.as_array().unwrap().len(),
            round + 1,
            "nothing is lost"
        );
    }
}

/// A long history is read in no time. The bound is generous: what it guards against is work that
/// grows with the square of it.
#[test]
fn ten_thousand_lines_of_history_are_read_at_once() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    project.says(&["run", &name, "true"]);
    let history = project.instance(&name).join("history.jsonl");
    let line = fs::read_to_string(&history).unwrap();
    fs::write(&history, line.repeat(10_000)).unwrap();
    let began = Instant::now();
    let table = project.says(&["logs", "--history", "--last", "20"]);
    let took = began.elapsed();
    assert_eq!(table.lines().count(), 21);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Root may write anything, unless it gives that up.
#[test]
fn a_place_that_may_not_be_written_or_read() {
    use std::os::unix::fs::PermissionsExt;
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let (name, other) = (unique_name(), unique_name());
    project.create(&name);
    let meek = |words: &[&str]| meek(&project.command(words)).output().unwrap();
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let instance = project.instance(&name);
    let instances = instance.parent().unwrap();

    chmod(instances, 0o500);
    let image = live.image.as_str();
    let refused = meek(&["create", "--name", &other, "--image", image]);
    let said = text(&refused.stderr);
    assert_eq!(code(&refused), 1, "{said}");
    assert!(
        said.contains(&format!("cannot create '{}", instances.display())),
        "{said}"
    );
    assert!(!live.has(&other));

    for (path, mode) in [(instance.join("logs"), 0o500), (instance.clone(), 0)] {
        let before = fs::metadata(&path).unwrap().permissions().mode();
        chmod(&path, mode);
        let ran = meek(&["run", &name, "echo out; exit 3"]);
        let said = text(&ran.stderr);
        assert_eq!((code(&ran), text(&ran.stdout)), (3, "out\n"), "{said}");
        assert_eq!(
            said.matches("not everything was recorded").count(),
            1,
            "{said}"
        );
        assert!(said.contains("Permission denied"), "{said}");
        chmod(&path, before);
    }
    chmod(instances, 0);
    let sick = meek(&["--json", "doctor"]);
    assert_eq!(code(&sick), 1);
    assert!(
        text(&sick.stdout).contains("unreadable_instances"),
        "{sick:?}"
    );
    chmod(instances, 0o700);
    assert_eq!(code(&project.run(&["run", &name, "true"])), 0);
}

#[test]
fn the_limits_of_logs_hold() {
    let Some(live) = live() else { return };
    let project = Project::new(&live);
    let name = unique_name();
    project.create(&name);
    let settings = |text: &str| {
        fs::write(project.dir.join(".pocketdock/pocketdock.yaml"), text).unwrap();
    };
    settings("logging:\n  max_log_size: 1k\n  max_logs_per_instance: 3\n");
    for n in 0..5 {
        let line = format!("echo {n}; yes | head -c 100000");
        let output = project.run(&["run", &name, &line]);
        assert_eq!(output.stdout.len(), 100_002, "the output is whole");
    }
    let logs = project.instance(&name).join("logs");
    let count = || fs::read_dir(&logs).unwrap().count();
    assert_eq!(count(), 3);
    let shown = project.run(&["logs", &name, "--last", "1"]);
    assert!(text(&shown.stdout).starts_with("4\ny\n"));
    assert!(text(&shown.stderr).contains("truncated: "), "{shown:?}");
    let history = project.json(&["logs", "--history"]);
    let history = history.as_array().unwrap();
    assert_eq!(history.len(), 5, "lines stay");
    assert_eq!(history[4].bool_at(&["truncated"]), Some(true));

    settings("auto_log: false\n");
    project.says(&["run", &name, "true"]);
    assert_eq!(
        project
            .json(&["logs", "--history"])
            .as_array()
            .unwrap()
            .len(),
        5
    );
}
