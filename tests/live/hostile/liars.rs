//! A sandbox in which programs are not what they seem: `tar`, `sh`, `cat` and `ps` of its own that
//! give out garbage, never end, or say what is not so.
//!
//! Whatever they do, a call ends within its time, and nothing of the host is touched that it was
//! not to touch. What such a sandbox gives out as its files is its own affair.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pocketdock_core::{Container, End, Error, Result, Signal};

use super::{BOUND, assert_ends, impatient};
use crate::fixture::Live;
use crate::support::scratch::Scratch;

const SECOND: Duration = Duration::from_secs(1);

/// What a program that lies begins with: the true ones are in `/real`. The shell of busybox would
/// take its own programs first, hence Debian's.
const TRUE: &str = "#!/usr/bin/bash\nPATH=/real:/usr/bin\n";

/// The programs that some script here lies about.
const PROGRAMS: &str = "tar cat ps readlink mv mkdir rm sleep yes head dd uname";

/// A host with a victim, and a directory to pull to.
fn host() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("victim", b"unharmed");
    scratch.write("in/file", &[b'x'; 300_000]);
    scratch.write("in/dir/one", b"1");
    fs::create_dir(scratch.join("out")).unwrap();
    scratch
}

fn assert_unharmed(host: &Scratch, what: &str) {
    let victim = fs::read(host.join("victim")).unwrap();
    assert_eq!(victim, b"unharmed", "{what}");
    let mut names: Vec<_> = fs::read_dir(host.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["in", "out", "victim"], "{what}");
    assert_no_half_file(&host.join("out"), what);
}

/// Nothing under a name of ours: whoever gave up has cleared up.
fn assert_no_half_file(dir: &Path, what: &str) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let is_ours = name.to_string_lossy().starts_with(".pocketdock");
        assert!(!is_ours, "{what}: {name:?}");
        if entry.file_type().unwrap().is_dir() {
            assert_no_half_file(&entry.path(), what);
        }
    }
}

/// A sandbox in which `program` is a script of this text.
fn with_fake(live: &Live, program: &str, text: &str) -> Container {
    let sandbox = live.create(&live.options().image(live.debian_image()));
    let line = format!(
        "set -e; mkdir -p /real /srv/dir; for it in {PROGRAMS}; do
             ! command -v $it >/dev/null || cp $(command -v $it) /real/
         done
         echo one >/srv/dir/one; echo two >/srv/two
         at=$(command -v {program} || echo /usr/bin/{program})
         cat >/fake; chmod 755 /fake; mv -f /fake $at"
    );
    let text = format!("{TRUE}{text}\n");
    let result = sandbox
        .exec(["/usr/bin/bash", "-c", line.as_str()])
        .stdin(text);
    let result = result.run().expect("prepare a sandbox that lies");
    assert!(result.ok(), "{program}: {result:?}");
    sandbox
}

/// What is done with a sandbox.
type Call = fn(&Container, &Scratch) -> Result<()>;

#[rustfmt::skip] // one case per line
const COPIES: [(&str, Call); 4] = [
    ("push",  |sandbox, host| sandbox.push(&host.join("in"), "/srv/new").map(drop)),
    ("pull",  |sandbox, host| sandbox.pull("/srv/dir", &host.join("out")).map(drop)),
    ("read",  |sandbox, _| sandbox.read_file("/srv/two").map(drop)),
    ("list",  |sandbox, _| sandbox.list_files("/srv").map(drop)),
];

/// Does one thing after the other; each ends in time, and says why if it fails.
fn try_all(what: &str, calls: &[(&str, Call)], sandbox: &Container, host: &Scratch) {
    for (name, call) in calls {
        let began = Instant::now();
        let outcome = call(sandbox, host);
        let took = began.elapsed();
        assert!(took < BOUND, "{what}, {name} took {took:?}: {outcome:?}");
        if let Err(error) = outcome {
            assert!(10 < error.to_string().len(), "{what}, {name}: {error}");
        }
    }
    assert_unharmed(host, what);
}

/// Goes through cases, a few at a time: more are more than a small machine can bear.
fn for_each<T: Sync>(cases: &[T], case: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(it) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    case(it);
                }
            });
        }
    });
}

#[rustfmt::skip] // one case per line
const TARS: [(&str, &str); 15] = [
    ("garbage",          "cat /dev/urandom"),
    ("garbage, slowly",  "while :; do echo garbage; sleep 0.1; done"),
    ("words",            "while :; do echo garbage >&2; done"),
    ("zeros",            "cat /dev/zero"),
    ("nothing",          "exit 0"),
    ("failure",          "exit 1"),
    ("silence",          "sleep 1000"),
    ("no reader",        "exec <&-; sleep 1000"),
    ("spoofed success",  "echo 'pd done 0' >&2; sleep 1000"),
    ("spoofed failure",  "echo 'pd fail missing /etc/shadow' >&2; yes"),
    ("words of a start", "echo 'pd ready 0 0 new gnu' >&2; cat >/dev/null"),
    ("kills its parent", "kill -9 $PPID; yes"),
    ("stops its parent", "kill -STOP $PPID; sleep 1000"),
    ("huge file",        "mkdir -p /tmp/x; cd /tmp/x; dd if=/dev/null of=big bs=1 seek=8G 2>/dev/null; tar -c big | head -c 100000"),
    ("leaves children",  "(while :; do echo child >&2; sleep 0.1; done) & tar \"$@\""),
];

#[test]
fn a_tar_that_lies() {
    let Some(live) = Live::begin() else { return };
    for_each(&TARS, |(what, text)| {
        let guard = with_fake(&live, "tar", text);
        let sandbox = impatient(&live, &guard);
        try_all(what, &COPIES, &sandbox, &host());
        // What needs no tar is not touched by it.
        assert_eq!(guard.read_file("/srv/two").unwrap(), b"two\n", "{what}");
        assert!(guard.run("true").unwrap().ok(), "{what}");
        assert_ends(&guard);
    });
}

/// An archive made elsewhere that a `tar` gives out as it is: paths that lead out.
#[test]
fn a_tar_that_gives_out_another_archive() {
    use pocketdock_core::wire::tar::{Header, Writer};
    let Some(live) = Live::begin() else { return };
    let file = |path: &str| Header::file(path.as_bytes(), 4);
    let link = |path: &str, target: &str| Header::symlink(path.as_bytes(), target.as_bytes());
    let hard = |path: &str, target: &str| Header::hard_link(path.as_bytes(), target.as_bytes());
    let up = format!("./dir/{}etc/passwd", "../".repeat(20));
    #[rustfmt::skip] // one case per line
    let cases: [(&str, Vec<Header>); 6] = [
        ("upwards",         vec![file("./dir/../../victim")]),
        ("far upwards",     vec![file(&up)]),
        ("absolute",        vec![file("/etc/pd-owned")]),
        ("through a link",  vec![link("./dir/l", "../../.."), file("./dir/l/victim")]),
        ("over a link",     vec![link("./dir/l", "../../victim"), file("./dir/l")]),
        ("a hard link",     vec![hard("./dir/h", "../victim"), file("./dir/h")]),
    ];
    let sandbox = with_fake(&live, "tar", "cat /evil");
    for (what, entries) in cases {
        let mut writer = Writer::new(Vec::new());
        for header in &entries {
            let content: &[u8] = if header.len == 4 { b"evil" } else { b"" };
            writer.append(header, &mut &content[..]).unwrap();
        }
        let archive = writer.finish().unwrap();
        let feed = sandbox.exec("cat >/evil").stdin(archive);
        assert!(feed.run().unwrap().ok());
        let host = host();
        let pulled = sandbox.pull("/srv/dir", &host.join("out"));
        assert_unharmed(&host, what);
        assert!(!Path::new("/etc/pd-owned").exists(), "{what}");
        let is_safe = matches!(what, "over a link");
        assert_eq!(pulled.is_ok(), is_safe, "{what}: {pulled:?}");
    }
}

/// A pull goes on for as long as there is something to pull; whoever pulls decides.
#[test]
fn a_tar_without_end_is_stopped_by_whoever_pulls() {
    let Some(live) = Live::begin() else { return };
    let text = "echo x >/tmp/x; cd /; tar -c tmp/x | head -c 1024 >/tmp/entry
        while :; do cat /tmp/entry; done";
    let sandbox = with_fake(&live, "tar", text);
    let host = host();
    let mut calls = 0;
    let pulled = sandbox.pull_with("/srv/dir", &host.join("out"), &mut |_| {
        calls += 1;
        match calls {
            0..=3 => std::ops::ControlFlow::Continue(()),
            _ => std::ops::ControlFlow::Break(()),
        }
    });
    assert!(pulled.is_err(), "{pulled:?}");
    assert_unharmed(&host, "endless");
    assert_ends(&sandbox);
}

#[rustfmt::skip] // one case per line
const SHELLS: [(&str, &str); 8] = [
    ("garbage",      "cat /dev/urandom"),
    ("words",        "yes 'no word of ours' >&2"),
    ("both",         "yes & yes >&2"),
    ("silence",      "sleep 1000"),
    ("nothing",      "exit 0"),
    ("failure",      "exit 1"),
    ("all is well",  "echo 'done 1 0'; echo 'pd ready 0 0 new gnu' >&2; echo 'pd done 0' >&2; cat"),
    ("crash",        "kill -SEGV $$"),
];

#[rustfmt::skip] // one case per line
const RUNS: [(&str, Call); 4] = [
    ("run",    |sandbox, _| sandbox.exec("true").timeout(SECOND).run().map(drop)),
    ("input",  |sandbox, _| {
        let command = sandbox.exec(["/real/cat"]).timeout(SECOND);
        command.stdin(vec![b'x'; 100_000]).run().map(drop)
    }),
    ("write",  |sandbox, _| sandbox.write_file("/srv/written", "x")),
    ("info",   |sandbox, _| sandbox.info().map(drop)),
];

/// These wait longer for a shell: one case is enough.
#[rustfmt::skip] // one case per line
const SHELLS_THAT_STAY: [(&str, Call); 2] = [
    ("session", |sandbox, _| sandbox.session()?.send_and_wait("true", SECOND).map(drop)),
    ("runner",  |sandbox, _| sandbox.runner()?.run("true").map(drop)),
];

#[test]
fn a_shell_that_lies() {
    let Some(live) = Live::begin() else { return };
    for_each(&SHELLS, |(what, text)| {
        let guard = with_fake(&live, "sh", text);
        let sandbox = impatient(&live, &guard);
        try_all(what, &COPIES, &sandbox, &host());
        try_all(what, &RUNS, &sandbox, &host());
        if !matches!(*what, "silence" | "words") {
            try_all(what, &SHELLS_THAT_STAY, &sandbox, &host());
        }
        assert_ends(&guard);
    });
}

/// The slowest of all: nothing comes, not even the end.
#[test]
fn a_shell_that_says_nothing_to_a_session() {
    let Some(live) = Live::begin() else { return };
    let guard = with_fake(&live, "sh", "sleep 1000");
    let sandbox = impatient(&live, &guard);
    try_all("silence", &SHELLS_THAT_STAY[..1], &sandbox, &host());
    assert_ends(&guard);
}

/// A shell that only says that it has killed: what was to be killed is gone nevertheless, or the
/// call says that it is not.
#[test]
fn a_shell_that_does_not_kill() {
    let Some(live) = Live::begin() else { return };
    let sandbox = with_fake(&live, "sh", "echo 'done 1 0'");
    let began = Instant::now();
    let result = sandbox.exec(["/real/sleep", "1000"]).timeout(SECOND);
    let outcome = result.run();
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    let alive = || {
        let mut all = crate::host::processes(&sandbox);
        all.retain(|line| line.contains("sleep 1000"));
        !all.is_empty()
    };
    match outcome {
        Ok(result) => {
            assert_eq!(result.end, End::TimedOut);
            assert!(!alive(), "it is said to be killed");
        }
        Err(error) => assert!(matches!(error, Error::Protocol { .. }), "{error:?}"),
    }
    let process = sandbox.exec(["/real/sleep", "1000"]).detach().unwrap();
    let killed = process.kill(Signal::KILL, pocketdock_core::Scope::Tree);
    assert!(killed.is_err() || !alive(), "it is said to be killed");
    assert_ends(&sandbox);
}

/// What the engine says of the processes is taken from the host, not from a `ps` in there.
#[test]
fn listings_that_lie() {
    let Some(live) = Live::begin() else { return };
    // What a file holds is read for as long as it comes in good time; a `cat` may only be late.
    let flood = "while :; do echo 'PID 1 root evil'; done";
    let programs = [
        ("ps", flood),
        ("readlink", flood),
        ("mv", flood),
        ("cat", "sleep 1000"),
    ];
    for_each(&programs, |(program, text)| {
        let guard = with_fake(&live, program, text);
        let sandbox = impatient(&live, &guard);
        let began = Instant::now();
        let info = sandbox.info().unwrap();
        let lies = format!("{info:?}").contains("evil");
        assert!(!lies, "{program}: {info:?}");
        try_all(program, &COPIES, &sandbox, &host());
        assert!(
            began.elapsed() < 3 * BOUND,
            "{program}: {:?}",
            began.elapsed()
        );
        assert_ends(&guard);
    });
}
