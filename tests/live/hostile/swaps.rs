//! A sandbox that puts links in the place of directories and files while these are copied.
//!
//! A pull gets what `tar` in the sandbox finds there, which is in the sandbox; the names it brings
//! are put into the destination only. A push lands somewhere in the sandbox.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pocketdock_core::Container;

use crate::fixture::Live;
use crate::support::scratch::{Scratch, remove_tree};

/// How long each of them is copied from.
const LONG: Duration = Duration::from_secs(4);

/// Swaps for ever: a directory and a link to `$1`, a file and a link to it, depth and none.
const SWAP: &str = "cd /srv; while :; do
    mkdir d; echo in >d/passwd; echo in >d/shadow; mkdir -p d/deep/er; echo in >d/deep/er/f
    rm -rf d; ln -s /etc d; rm -f d; ln -s ../../../../../.. d; rm -f d; mkfifo d; rm -f d
    ln -s /proc/1/root d; rm -f d; ln -s d d; rm -f d
done 2>/dev/null";

fn swapping(live: &Live) -> Container {
    let sandbox = live.sandbox();
    assert!(sandbox.run("mkdir /srv").unwrap().ok());
    sandbox.exec(SWAP).no_timeout().detach().unwrap();
    sandbox
}

/// No regular file below a directory has the host's own content.
fn assert_not_the_hosts(dir: &Path) {
    let secret = fs::read("/etc/shadow").unwrap_or_default();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            assert_not_the_hosts(&entry.path());
        } else if kind.is_file() {
            let content = fs::read(entry.path()).unwrap();
            let is_hosts = !secret.is_empty() && content == secret;
            assert!(!is_hosts, "{}", entry.path().display());
        }
    }
}

#[test]
fn directories_that_become_links_while_they_are_pulled() {
    let Some(live) = Live::begin() else { return };
    let sandbox = swapping(&live);
    let scratch = Scratch::new();
    scratch.write("victim/passwd", b"unharmed");
    let (began, mut whole) = (Instant::now(), 0);
    while began.elapsed() < LONG {
        let out = scratch.join("out");
        fs::create_dir(&out).unwrap();
        for source in ["/srv/d", "/srv/d/.", "/srv/d/passwd", "/srv"] {
            whole += u32::from(sandbox.pull(source, &out).is_ok());
            // Whatever the last one has left is what the next one finds.
        }
        assert_not_the_hosts(&out);
        remove_tree(&out);
    }
    assert_eq!(
        fs::read(scratch.join("victim/passwd")).unwrap(),
        b"unharmed"
    );
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    assert!(0 < whole, "none came through");
}

#[test]
fn directories_that_become_links_while_they_are_pushed_to() {
    let Some(live) = Live::begin() else { return };
    let sandbox = swapping(&live);
    let scratch = Scratch::new();
    let file = scratch.write("pd-pushed-file", b"pushed");
    scratch.write("dir/pd-pushed-too", b"pushed");
    let began = Instant::now();
    while began.elapsed() < LONG {
        for dest in ["/srv/d", "/srv/d/", "/srv/d/passwd", "/srv/d/deep/er"] {
            let _may_fail = sandbox.push(&file, dest);
            let _may_fail = sandbox.push(&scratch.join("dir"), dest);
            let _may_fail = sandbox.write_file("/srv/d/pd-pushed-three", "pushed");
        }
    }
    for name in ["pd-pushed-file", "pd-pushed-too", "pd-pushed-three"] {
        for dir in ["/", "/etc", "/tmp"] {
            let path = Path::new(dir).join(name);
            assert!(!path.exists(), "{} is on the host", path.display());
        }
    }
}

/// A destination on the host that is swapped for a link by somebody else is not followed: that is
/// tested with a fake engine, which can stop in the middle. Here the sandbox shares it.
#[test]
fn a_destination_that_the_sandbox_swaps_as_well() {
    use pocketdock_core::Volume;
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    scratch.write("victim/one", b"unharmed");
    fs::create_dir(scratch.join("shared")).unwrap();
    let options = live.options();
    let shared = Volume::new(&scratch.join("shared"), "/shared");
    let sandbox = live.create(&options.volume(shared));
    let line = "mkdir -p /srv/d/deep && for n in one two three; do echo in >/srv/d/deep/$n; done";
    assert!(sandbox.run(line).unwrap().ok());
    let victim = scratch.join("victim");
    let swap = format!(
        "cd /shared; while :; do
            rm -rf d; ln -s {0} d; rm -f d; mkdir d; ln -s {0} d/deep; rm -f d/deep; mkdir d/deep
            ln -s {0}/one d/deep/one
        done 2>/dev/null",
        victim.display()
    );
    sandbox.exec(swap).no_timeout().detach().unwrap();
    let began = Instant::now();
    while began.elapsed() < LONG {
        let _may_fail = sandbox.pull("/srv/d", &scratch.join("shared"));
    }
    assert_eq!(fs::read(victim.join("one")).unwrap(), b"unharmed");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 1);
    sandbox.shutdown(true).unwrap();
}
