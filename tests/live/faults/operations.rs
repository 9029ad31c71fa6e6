//! The operations: each prepares what it needs, lets it begin to count, and does one thing.
//!
//! `Ok(false)` is success with a wrong result.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use pocketdock_core::engine::{containers, images, system};
use pocketdock_core::{
    BuildContext, BuildOptions, Container, ContainerPool, CreateOptions, Error, ExecResult,
    ListFilter, Progress, PruneOptions, Result, Scope, SessionOptions, Signal, TerminalSize,
};

use super::World;

/// One operation.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) act: fn(&World<'_>) -> Result<bool>,
    /// Whether its result is a command's output, whose end nothing tells: an engine that hangs up
    /// between two frames, and then says that the command has ended, is taken at its word.
    pub(super) is_raw: bool,
}

const fn operation(name: &'static str, act: fn(&World<'_>) -> Result<bool>) -> Operation {
    let is_raw = false;
    Operation { name, act, is_raw }
}

const fn raw(name: &'static str, act: fn(&World<'_>) -> Result<bool>) -> Operation {
    let is_raw = true;
    Operation { name, act, is_raw }
}

/// How long a command may take that is to be ended by its time.
const SOON: Duration = Duration::from_millis(300);

const SIZE: TerminalSize = TerminalSize {
    rows: 24,
    columns: 80,
};

pub(super) const OPERATIONS: [Operation; 52] = [
    operation("connect", |world| {
        world.go();
        world.connect().map(|_| true)
    }),
    operation("ping, version, info", |world| {
        world.go();
        let client = world.engine.client();
        system::ping(client)?;
        system::version(client)?;
        system::info(client).map(|_| true)
    }),
    operation("create", |world| {
        world.go();
        let sandbox = world.engine.create(&world.options())?;
        drop(sandbox);
        Ok(true)
    }),
    operation("create and shut down", |world| {
        world.go();
        let sandbox = world.engine.create(&world.options())?;
        sandbox.shutdown(true).map(|()| true)
    }),
    operation("create hardened with a ttl", |world| {
        world.go();
        let options = world.options().hardened().ttl(Duration::from_secs(60));
        world.engine.create(&options).map(|_| true)
    }),
    operation("open", |world| {
        world.go();
        let sandbox = world.engine.open(world.sandbox.name())?;
        Ok(sandbox.container_id() == world.sandbox.container_id())
    }),
    operation("list", |world| {
        world.go();
        let found = world.engine.list(&ListFilter::new())?;
        Ok(found.iter().any(|it| it.name == world.sandbox.name()))
    }),
    operation("info", |world| {
        world.go();
        world
            .sandbox
            .info()
            .map(|info| info.name == world.sandbox.name())
    }),
    operation("ports", |world| {
        world.go();
        world.sandbox.ports().map(|ports| ports.is_empty())
    }),
    operation("is running", |world| {
        world.go();
        world.sandbox.is_running()
    }),
    raw("run", |world| {
        world.go();
        let result = world.sandbox.run("echo out; echo err >&2; exit 3")?;
        Ok(result.exit_code == 3 && result.stdout == b"out\n" && result.stderr == b"err\n")
    }),
    raw("run a program", |world| {
        world.go();
        let result = world.sandbox.exec("echo $((6 * 7))").lang("sh").run()?;
        Ok(result.ok() && result.stdout == b"42\n")
    }),
    raw("run with input", |world| {
        world.go();
        let input = vec![b'x'; 100_000];
        let result = world.sandbox.exec("cat").stdin(input).run()?;
        Ok(result.ok() && result.stdout.len() == 100_000)
    }),
    raw("run for too long", |world| {
        world.go();
        let result = world
            .sandbox
            .exec("echo begun; sleep 60")
            .timeout(SOON)
            .run()?;
        Ok(result.timed_out() && result.stdout == b"begun\n")
    }),
    raw("stream", |world| {
        world.go();
        let mut stream = world.sandbox.exec("seq 1 2000").stream()?;
        let mut len = 0;
        for chunk in &mut stream {
            len += chunk?.data.len();
        }
        Ok(stream.result()?.ok() && len == 8893)
    }),
    raw("stream, dropped", |world| {
        world.go();
        let mut stream = world.sandbox.exec("seq 1 9999; sleep 9").stream()?;
        let first = stream.next();
        drop(stream);
        first.transpose().map(|first| first.is_some())
    }),
    raw("detach and wait", |world| {
        world.go();
        let process = world.sandbox.exec("echo out; exit 4").detach()?;
        let result = process.wait(Some(FOR_LONG))?;
        Ok(result.exit_code == 4 && result.stdout == b"out\n")
    }),
    operation("detach and kill", |world| {
        let process = world.sandbox.exec("sleep 60 & sleep 60").detach()?;
        world.go();
        process.kill(Signal::TERM, Scope::Tree)?;
        let result = process.wait(Some(Duration::from_secs(5)))?;
        Ok(result.exit_code == 143)
    }),
    operation("ask a process", |world| {
        let process = world.sandbox.exec("sleep 60").detach()?;
        world.go();
        let runs = process.is_running()?;
        Ok(runs && process.try_wait()?.is_none())
    }),
    raw("terminal", |world| {
        world.go();
        let mut terminal = world.sandbox.exec("stty size; exit 5").terminal(SIZE)?;
        let mut buffer = [0; 256];
        while terminal.read(&mut buffer)? != 0 {}
        Ok(terminal.result()?.exit_code == 5)
    }),
    operation("terminal, dropped", |world| {
        let terminal = world.sandbox.exec("sleep 60").terminal(SIZE)?;
        world.go();
        drop(terminal);
        Ok(true)
    }),
    operation("session", |world| {
        world.go();
        let session = world.sandbox.session()?;
        let result = in_time(session.send_and_wait("echo $((6 * 7))", WAIT))?;
        Ok(result.ok() && result.stdout == b"42\n")
    }),
    operation("session, a command", |world| {
        let session = world.sandbox.session()?;
        world.go();
        let result = in_time(session.send_and_wait("cd /tmp; pwd", WAIT))?;
        Ok(result.ok() && result.stdout == b"/tmp\n")
    }),
    operation("session, a command for too long", |world| {
        let session = world.sandbox.session()?;
        world.go();
        let result = session.send_and_wait("echo begun; sleep 60", Some(SOON))?;
        Ok(result.timed_out() && result.stdout == b"begun\n")
    }),
    operation("session, interrupt", |world| {
        let session = world.sandbox.session()?;
        session.send("sleep 60")?;
        world.go();
        session.interrupt()?;
        let result = in_time(session.send_and_wait("echo on", WAIT))?;
        Ok(result.stdout == b"on\n")
    }),
    operation("session, exit", |world| {
        let session = world.sandbox.session()?;
        world.go();
        let result = in_time(session.send_and_wait("exit 6", WAIT))?;
        Ok(result.exit_code == 6)
    }),
    operation("session, close", |world| {
        let session = world
            .sandbox
            .session_with(&SessionOptions::new().shell("sh"))?;
        world.go();
        session.close().map(|()| session.is_closed())
    }),
    operation("runner", |world| {
        world.go();
        let runner = world.sandbox.runner()?;
        let result = in_time(runner.exec("echo $((6 * 7))").timeout(FOR_LONG).run())?;
        Ok(result.ok() && result.stdout == b"42\n")
    }),
    operation("runner, a command", |world| {
        let runner = world.sandbox.runner()?;
        world.go();
        let result = in_time(runner.exec("cat").stdin("in").timeout(FOR_LONG).run())?;
        Ok(result.ok() && result.stdout == b"in")
    }),
    operation("write a file", |world| {
        world.go();
        world.sandbox.write_file("/tmp/w/file", "content")?;
        Ok(true)
    }),
    operation("read a file", |world| {
        world.sandbox.write_file("/tmp/file", "content")?;
        world.go();
        Ok(world.sandbox.read_file("/tmp/file")? == b"content")
    }),
    operation("list files", |world| {
        world.sandbox.write_file("/tmp/list/file", "content")?;
        world.go();
        Ok(world.sandbox.list_files("/tmp/list")? == ["file"])
    }),
    operation("push", |world| {
        let source = tree(world);
        world.go();
        world.sandbox.push(&source, "/tmp")?;
        Ok(true)
    }),
    operation("push a large file", |world| {
        let source = large(world);
        world.go();
        world.sandbox.push(&source, "/tmp/large")?;
        Ok(true)
    }),
    operation("pull", |world| {
        world
            .sandbox
            .run("mkdir -p /tmp/pull/a; echo x >/tmp/pull/a/b")?;
        let dest = fresh(world, "pulled");
        world.go();
        world.sandbox.pull("/tmp/pull", &dest)?;
        Ok(fs::read(dest.join("a/b")).is_ok_and(|text| text == b"x\n"))
    }),
    operation("pull a file", |world| {
        world.sandbox.write_file("/tmp/file", "content")?;
        let dest = fresh(world, "file");
        world.go();
        let pulled = world.sandbox.pull("/tmp/file", &dest);
        // What was cut off has no name.
        let is_whole = fs::read(&dest).map_or(pulled.is_err(), |text| text == b"content");
        pulled.map(|_| is_whole).or_else(|error| match is_whole {
            true => Err(error),
            false => Ok(false),
        })
    }),
    operation("archive in and out", |world| {
        world.sandbox.write_file("/tmp/archive/file", "content")?;
        let mut archive = Vec::new();
        world.go();
        let on = &mut |_: &Progress| ControlFlow::Continue(());
        world
            .sandbox
            .pull_archive("/tmp/archive", &mut archive, on)?;
        world
            .sandbox
            .push_archive(&mut archive.as_slice(), "/tmp", on)?;
        Ok(true)
    }),
    operation("changes", |world| {
        world.go();
        world.sandbox.changes().map(|_| true)
    }),
    operation("files of a stopped sandbox", |world| {
        world.sandbox.stop()?;
        world.go();
        world.sandbox.write_file("/var/file", "content")?;
        Ok(world.sandbox.read_file("/var/file")? == b"content")
    }),
    operation("copies of a stopped sandbox", |world| {
        world.sandbox.stop()?;
        let (source, dest) = (tree(world), fresh(world, "back"));
        world.go();
        world.sandbox.push(&source, "/var/tree")?;
        world.sandbox.pull("/var/tree", &dest)?;
        Ok(fs::read(dest.join("a/file")).is_ok_and(|text| text == b"content"))
    }),
    operation("stop and resume", |world| {
        world.go();
        world.sandbox.stop()?;
        world.sandbox.resume()?;
        world.sandbox.is_running()
    }),
    operation("by name", |world| {
        let sandbox = world.create_persistent()?;
        world.go();
        world.engine.stop(sandbox.name())?;
        world.engine.resume(sandbox.name())?;
        world.engine.destroy(sandbox.name()).map(|()| true)
    }),
    operation("reboot", |world| {
        world.go();
        world.sandbox.reboot(false)?;
        world.sandbox.is_running()
    }),
    operation("reboot afresh", |world| {
        let sandbox = world.create_persistent()?;
        let name = sandbox.name().to_owned();
        world.go();
        let rebooted = sandbox.reboot(true);
        // One of that name is there, or it is said what has become of it.
        let found = containers::inspect(world.live.client(), &name);
        match (found, rebooted) {
            (_, Err(error @ Error::NotRestored { .. })) => Err(error),
            (Err(Error::ContainerNotFound { .. }), _) => Ok(false),
            (_, rebooted) => rebooted.map(|()| true),
        }
    }),
    operation("snapshot", |world| {
        let image = format!("{}-snapshot", world.live.name());
        world.go();
        let taken = world.sandbox.snapshot(&image);
        let _none = images::remove(world.live.client(), &image);
        taken.map(|_| true)
    }),
    operation("export", |world| {
        let mut archive = Vec::new();
        world.go();
        world.engine.export(&[world.live.image()], &mut archive)?;
        Ok(archive.ends_with(&[0; 1024]))
    }),
    operation("import", |world| {
        let mut archive = Vec::new();
        let image = world.live.image();
        world.live.engine().export(&[image], &mut archive)?;
        world.go();
        let names = world.engine.import(archive.as_slice())?;
        Ok(names.iter().any(|name| name == image))
    }),
    operation("build", |world| {
        let dir = world.scratch.join("context");
        fs::create_dir_all(&dir).unwrap();
        let file = format!("FROM {}\nCMD [\"true\"]\n", world.live.image());
        fs::write(dir.join("Dockerfile"), file).unwrap();
        let image = format!("{}-built", world.live.name());
        let options = BuildOptions::new().tag(&image);
        world.go();
        let context = BuildContext::directory(&dir);
        let built = world.engine.build_from(context, &options, &mut |_| {});
        let _none = images::remove(world.live.client(), &image);
        built.map(|_| true)
    }),
    operation("does an image exist", |world| {
        world.go();
        world.engine.image_exists(world.live.image())
    }),
    raw("pool", |world| {
        world.go();
        let pool = ContainerPool::on(&world.engine, 2, world.unnamed_options())?;
        let first = pool.acquire_timeout(Duration::from_secs(5))?;
        let ran = first.run("echo on")?;
        drop(first);
        pool.shutdown()?;
        Ok(ran.stdout == b"on\n")
    }),
    operation("prune", |world| {
        world.go();
        let options = PruneOptions::new().project("no-such-project").dry_run();
        world
            .engine
            .prune(&options)
            .map(|report| report.removed.is_empty())
    }),
    operation("doctor", |world| {
        world.go();
        let _report = world.engine.doctor(None);
        Ok(true)
    }),
];

/// A command that is said to have taken too long has no wrong result.
fn in_time(outcome: Result<ExecResult>) -> Result<ExecResult> {
    match outcome {
        Ok(result) if result.timed_out() => Err(Error::Timeout {
            waiting_for: "the command".to_owned(),
            timeout: FOR_LONG,
        }),
        outcome => outcome,
    }
}

/// The patience with a command that takes no time.
const FOR_LONG: Duration = Duration::from_secs(5);
const WAIT: Option<Duration> = Some(FOR_LONG);

impl World<'_> {
    fn unnamed_options(&self) -> CreateOptions {
        self.live.unnamed_options()
    }

    fn options(&self) -> CreateOptions {
        self.live.options()
    }

    /// A sandbox that the relay does not remove at its end.
    fn create_persistent(&self) -> Result<Container> {
        self.engine.create(&self.options().persist())
    }
}

fn tree(world: &World<'_>) -> PathBuf {
    let tree = world.scratch.join("tree");
    fs::create_dir_all(tree.join("a")).unwrap();
    fs::write(tree.join("a/file"), "content").unwrap();
    tree
}

/// A file that is large enough for the engine to unpack it where it does that.
fn large(world: &World<'_>) -> PathBuf {
    let path = world.scratch.join("large");
    fs::write(&path, vec![7; 5 * 1024 * 1024]).unwrap();
    path
}

/// A path where nothing is.
fn fresh(world: &World<'_>, name: &str) -> PathBuf {
    let path = world.scratch.join(name);
    let _none = fs::remove_dir_all(&path);
    let _none = fs::remove_file(&path);
    path
}
