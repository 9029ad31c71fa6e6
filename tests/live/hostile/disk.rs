//! A sandbox that fills what it may write to: an error that says so, nothing half-written, and it
//! goes on once there is room again.

use std::fs;

use pocketdock_core::{Container, Error, Tmpfs};

use crate::fixture::Live;
use crate::support::scratch::Scratch;

const FILL: &str = "head -c 100000000 /dev/zero >/small/filler 2>/dev/null; true";

/// A sandbox with a small directory in memory that is full.
fn full(live: &Live) -> Container {
    let small: Tmpfs = "/small:size=1m".parse().unwrap();
    let sandbox = live.create(&live.options().tmpfs(small));
    sandbox.write_file("/small/old", "old").unwrap();
    assert!(sandbox.run(FILL).unwrap().ok());
    sandbox
}

fn assert_no_room(what: &str, error: &Error) {
    assert_eq!(error.code(), "io", "{what}: {error}");
    let text = error.to_string();
    assert!(text.contains("o space left"), "{what}: {text}");
}

fn names(sandbox: &Container) -> Vec<std::ffi::OsString> {
    sandbox.list_files("/small").unwrap()
}

#[test]
fn what_does_not_fit_is_an_error_and_leaves_nothing() {
    let Some(live) = Live::begin() else { return };
    let sandbox = full(&live);
    let scratch = Scratch::new();
    let file = scratch.write("file", &[b'x'; 200_000]);
    scratch.write("dir/one", &[b'x'; 200_000]);
    let error = sandbox.write_file("/small/new", vec![b'x'; 200_000]);
    assert_no_room("write", &error.unwrap_err());
    let error = sandbox.write_file("/small/old", vec![b'x'; 200_000]);
    assert_no_room("write over a file", &error.unwrap_err());
    let error = sandbox.push(&file, "/small/new").unwrap_err();
    assert_no_room("push", &error);
    let error = sandbox.push(&scratch.join("dir"), "/small/").unwrap_err();
    assert_no_room("push of a directory", &error);
    assert_eq!(names(&sandbox), ["filler", "old"], "nothing half-written");
    assert_eq!(sandbox.read_file("/small/old").unwrap(), b"old");

    let pulled = sandbox.pull("/small/filler", &scratch.join("out"));
    assert_eq!(pulled.unwrap().bytes, 1020 * 1024); // All but the page of the other file.
    assert!(sandbox.run("rm /small/filler").unwrap().ok());
    sandbox.push(&file, "/small/new").unwrap();
    assert_eq!(sandbox.read_file("/small/new").unwrap().len(), 200_000);
}

/// What runs needs no room of the sandbox's own.
#[test]
fn commands_run_where_nothing_can_be_written() {
    let Some(live) = Live::begin() else { return };
    let tmp: Tmpfs = "/tmp:size=64k".parse().unwrap();
    let sandbox = live.create(&live.options().read_only().tmpfs(tmp));
    let fill = "head -c 1000000 /dev/zero >/tmp/filler 2>/dev/null; true";
    assert!(sandbox.run(fill).unwrap().ok());
    assert_eq!(sandbox.run("echo out").unwrap().stdout, b"out\n");
    let session = sandbox.session().unwrap();
    let result = session.send_and_wait("echo on", None).unwrap();
    assert_eq!(result.stdout, b"on\n");
    let runner = sandbox.runner().unwrap();
    assert_eq!(runner.run("echo run").unwrap().stdout, b"run\n");
    let fed = sandbox.exec("wc -c").stdin(vec![b'x'; 300_000]).run();
    assert_eq!(fed.unwrap().stdout_text().trim(), "300000");
    let timed = sandbox.exec("sleep 1000");
    let timed = timed.timeout(std::time::Duration::from_secs(1)).run();
    assert!(timed.unwrap().timed_out());
    // A program too long for an argument has to lie somewhere.
    let long = format!("echo {}", "x".repeat(300_000));
    match sandbox.exec(long).lang("sh").run() {
        Ok(result) => assert_eq!(result.stdout.len(), 300_001),
        Err(error) => assert!(error.to_string().contains("script"), "{error}"),
    }
}

/// A destination on the host that is full: an error, and nothing under the final name.
#[test]
fn a_full_disk_of_the_host() {
    let Some(live) = Live::begin() else { return };
    let Some(small) = SmallDisk::mount() else {
        return;
    };
    let sandbox = live.sandbox();
    let line = "head -c 3000000 /dev/zero >/tmp/big; echo small >/tmp/small";
    assert!(sandbox.run(line).unwrap().ok());
    let error = sandbox.pull("/tmp/big", small.0.path()).unwrap_err();
    assert_no_room("pull", &error);
    assert_eq!(fs::read_dir(small.0.path()).unwrap().count(), 0);
    sandbox.pull("/tmp/small", small.0.path()).unwrap();
    assert_eq!(fs::read(small.0.join("small")).unwrap(), b"small\n");
}

/// A directory of one mebibyte; unmounted when dropped.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let scratch = Scratch::new();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "pd-small"]);
        let mounted = mount.arg(scratch.path()).output().expect("start mount");
        if mounted.status.success() {
            return Some(SmallDisk(scratch));
        }
        use std::io::Write;
        let line = b"SKIPPED: a full disk of the host (this user may not mount)\n";
        let _unseen = std::io::stderr().write_all(line);
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let mut umount = std::process::Command::new("umount");
        let _seen_by_the_next = umount.arg("-l").arg(self.0.path()).output();
    }
}
