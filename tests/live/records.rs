//! What is kept of the commands of a sandbox, seen from the library: runs, streams, processes and
//! sessions, and what a pool or a client leaves that is killed.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pocketdock_core::{
    Container, ContainerPool, HistoryEntry, Instance, LogLine, LogReader, PruneOptions, RecordKind,
    StreamKind,
};

use crate::fixture::{Live, eventually_none};
use crate::support::rng::Rng;

const PATIENCE: Duration = Duration::from_secs(30);

/// A sandbox that is kept, with its instance; removed with it.
struct Kept {
    sandbox: Container,
    instance: Instance,
}

impl Kept {
    fn new(live: &Live) -> Self {
        let sandbox = live.create(&live.options().keep());
        let instance = Instance::of(&sandbox).unwrap();
        assert!(instance.exists());
        assert_eq!(sandbox.data_path(), Some(instance.dir()));
        Kept { sandbox, instance }
    }

    fn last(&self) -> HistoryEntry {
        self.instance.history().unwrap().pop().unwrap()
    }

    /// The output in a log, and its notes.
    fn read(&self, log: &str) -> (String, String, Vec<String>) {
        let mut reader = LogReader::open(&self.instance.log_path(log).unwrap()).unwrap();
        let (mut out, mut err, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(line) = reader.next_line().unwrap() {
            match line {
                LogLine::Output {
                    stream: StreamKind::Stdout,
                    data,
                    ..
                } => out.extend(data),
                LogLine::Output { data, .. } => err.extend(data),
                LogLine::Note(note) => notes.push(note),
                _ => {}
            }
        }
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out), text(err), notes)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.sandbox.shutdown(true).expect("shut down");
        assert!(!self.instance.exists());
    }
}

#[test]
fn every_way_to_run_a_command_leaves_its_line_and_its_log() {
    let Some(live) = Live::begin() else { return };
    let kept = Kept::new(&live);
    let sandbox = &kept.sandbox;

    sandbox.run("echo out; echo err >&2; exit 3").unwrap();
    let run = kept.last();
    assert_eq!((run.kind, run.exit_code), (RecordKind::Run, Some(3)));
    assert_eq!(run.command, ["echo out; echo err >&2; exit 3"]);
    let (out, err, notes) = kept.read(&run.log);
    assert_eq!(
        (out.as_str(), err.as_str(), notes.len()),
        ("out\n", "err\n", 0)
    );

    let slow = sandbox
        .exec(["sleep", "60"])
        .timeout(Duration::from_secs(1));
    assert!(slow.run().unwrap().timed_out());
    let slow = kept.last();
    assert!(slow.timed_out && Duration::from_millis(900) < slow.duration);
    assert!(kept.read(&slow.log).2[0].contains("timed out"));

    let process = sandbox.exec("echo later").detach().unwrap();
    process.wait(Some(PATIENCE)).unwrap();
    let process = kept.last();
    assert_eq!(
        (process.kind, process.exit_code),
        (RecordKind::Detach, Some(0))
    );
    assert_eq!(kept.read(&process.log).0, "later\n");

    sandbox.run(["no-such-program"]).unwrap_err();
    assert_eq!(kept.last().exit_code, Some(127));

    drop(sandbox.exec("sleep 60").stream().unwrap());
    let dropped = kept.last();
    assert_eq!((dropped.kind, dropped.exit_code), (RecordKind::Run, None));
    assert!(!kept.instance.is_recording(&dropped.log));

    let known = kept.instance.history().unwrap().len();
    sandbox.exec("true").unrecorded().run().unwrap();
    assert_eq!(kept.instance.history().unwrap().len(), known);
    assert!(sandbox.take_record_failure().is_none());
}

#[test]
fn a_session_has_one_line_and_its_commands_in_the_log() {
    let Some(live) = Live::begin() else { return };
    let kept = Kept::new(&live);
    let session = kept.sandbox.session().unwrap();
    session
        .send_and_wait("echo one; echo two >&2", PATIENCE)
        .unwrap();
    session.send_and_wait("cd /tmp; pwd", PATIENCE).unwrap();
    let running = kept.last();
    assert_eq!(
        (running.kind, running.exit_code),
        (RecordKind::Session, None)
    );
    assert!(kept.instance.is_recording(&running.log));
    session.send_and_wait("exit 5", PATIENCE).unwrap();
    eventually_none("recordings", || {
        let running = kept.instance.is_recording(&running.log);
        running.then(|| running.to_string()).into_iter().collect()
    });
    let ended = kept.last();
    assert_eq!(
        (ended.id.as_str(), ended.exit_code),
        (session.id(), Some(5))
    );
    let (out, err, notes) = kept.read(&ended.log);
    assert_eq!((out.as_str(), err.as_str()), ("one\n/tmp\n", "two\n"));
    let commands = [
        "[$ echo one; echo two >&2]",
        "[$ cd /tmp; pwd]",
        "[$ exit 5]",
    ];
    assert_eq!(notes, commands);
    assert_eq!(kept.instance.history().unwrap().len(), 1);
}

#[test]
fn what_pocketdock_runs_for_itself_is_no_command() {
    let Some(live) = Live::begin() else { return };
    let kept = Kept::new(&live);
    kept.sandbox.write_file("/tmp/file", "content").unwrap();
    assert_eq!(kept.sandbox.read_file("/tmp/file").unwrap(), b"content");
    assert_eq!(kept.sandbox.list_files("/tmp").unwrap(), ["file"]);
    assert_eq!(kept.instance.history().unwrap(), []);
}

#[test]
fn a_guarded_sandbox_has_no_instance() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox.run("true").unwrap();
    assert_eq!(sandbox.data_path(), None);
    assert!(!Instance::of(&sandbox).unwrap().exists());
}

/// Set for a process that makes sandboxes until it is killed.
const VICTIM: &str = "POCKETDOCK_TEST_VICTIM";

#[test]
fn a_victim_makes_sandboxes_until_it_is_killed() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let live = Live::begin().unwrap();
    let pool = ContainerPool::on(live.engine(), 3, live.unnamed_options()).unwrap();
    loop {
        let pooled = pool.acquire().unwrap();
        let own = live.engine().create(&live.unnamed_options()).unwrap();
        own.run("true").unwrap();
        pooled.run("true").unwrap();
    }
}

/// What a pool and its user leave when they are killed is found, and that of the living is not.
#[test]
fn a_pool_that_is_killed_leaves_nothing_for_good() {
    let Some(live) = Live::begin() else { return };
    let own = live.sandbox();
    let mut rng = Rng::new(4711);
    for _ in 0..6 {
        let test = "records::a_victim_makes_sandboxes_until_it_is_killed";
        let mut victim = Command::new(std::env::current_exe().unwrap());
        victim
            .args(["--exact", test, "--test-threads=1"])
            .env(VICTIM, "1");
        let mut victim = victim
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(
            200 + u64::try_from(rng.below(2500)).unwrap(),
        ));
        victim.kill().unwrap();
        let label = format!("pocketdock-live={}", victim.id());
        victim.wait().unwrap();
        // The engine may still be at what it was asked for last.
        eventually_none("orphans", || {
            live.engine().prune(&PruneOptions::new().orphans()).unwrap();
            let report = live.engine().repair(None);
            assert!(report.engine.is_some());
            let found = pocketdock_core::engine::containers::list(
                live.client(),
                std::slice::from_ref(&label),
            );
            found.unwrap().into_iter().map(|it| it.name).collect()
        });
    }
    assert!(own.is_running().unwrap());
}
