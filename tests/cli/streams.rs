//! A stdout that no one reads, and one that takes nothing.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::program::{code, pocketdock, text};
use crate::support::fake_engine::{FakeEngine, Reply};

/// What prints without an engine.
const PRINTING: [&[&str]; 5] = [
    &["--help"],
    &["help", "run"],
    &["--man"],
    &["--completions", "bash"],
    &["profiles", "-q"],
];

/// The write end of a stream whose read end is closed.
pub(crate) fn unread() -> Stdio {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    Stdio::from(OwnedFd::from(ours))
}

#[test]
fn a_closed_stdout_ends_quietly() {
    for words in PRINTING {
        let output = pocketdock().args(words).stdout(unread()).output().unwrap();
        assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{words:?}");
    }
}

#[test]
fn a_closed_stdout_ends_a_list_quietly_too() {
    let engine = FakeEngine::route(|request| match request.path.as_str() {
        "/_ping" => Reply::ping("1.41", None),
        _ => Reply::json(200, "[]"),
    });
    for words in [&["list"][..], &["list", "--json"]] {
        let mut command = pocketdock();
        command
            .arg("--socket")
            .arg(engine.socket())
            .args(words)
            .stdout(unread());
        let output = command.output().unwrap();
        assert_eq!((code(&output), text(&output.stderr)), (0, ""), "{words:?}");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        crate::shells::skipped("no /dev/full on this machine");
        return;
    };
    for words in PRINTING {
        let stdout = Stdio::from(full.try_clone().unwrap());
        let output = pocketdock().args(words).stdout(stdout).output().unwrap();
        assert_eq!(code(&output), 1, "{words:?}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with("pocketdock: cannot write stdout: "),
            "{said}"
        );
    }
}

/// A directory can be opened and not be read.
#[test]
fn a_stdin_that_cannot_be_read_is_no_matter_of_stdout() {
    for (words, failed) in [
        (&["import", "-"][..], 1),
        (&["run", "box", "-i", "--lang", "python"], 125),
    ] {
        let stdin = Stdio::from(File::open("/").unwrap());
        let output = pocketdock().args(words).stdin(stdin).output().unwrap();
        assert_eq!(code(&output), failed, "{words:?}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with("pocketdock: cannot read stdin: "),
            "{said}"
        );
    }
}
