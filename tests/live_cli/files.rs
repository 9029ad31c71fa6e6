//! `push` and `pull`.

use std::fs;

use crate::live::{code, live, text};
use crate::support::scratch::Scratch;

#[test]
fn files_go_in_and_out() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let scratch = Scratch::new();
    let file = scratch.write("dir/sub/file", b"content");
    let dir = scratch.join("dir");
    let (dir, back) = (dir.to_str().unwrap(), scratch.join("back"));
    let pushed = live.run(&["push", &sandbox.name, dir, "/tmp"]);
    assert_eq!(
        (code(&pushed), pushed.stdout.as_slice()),
        (0, &b""[..]),
        "{pushed:?}"
    );
    assert_eq!(text(&pushed.stderr), "pushed 3 entries, 7 B\n");
    let back = back.to_str().unwrap();
    let (pulled, _) = live.json(&["pull", &sandbox.name, "/tmp/dir/.", back]);
    assert_eq!(pulled.u64_at(&["entries"]), Some(3));
    assert_eq!(pulled.u64_at(&["bytes"]), Some(7));
    assert!(pulled.array_at(&["dropped"]).unwrap().is_empty());
    assert_eq!(fs::read(format!("{back}/sub/file")).unwrap(), b"content");
    let quiet = live.run(&["push", "-q", &sandbox.name, file.to_str().unwrap(), "/tmp/"]);
    assert_eq!((code(&quiet), quiet.stderr.as_slice()), (0, &b""[..]));
    let read = live.run(&["run", &sandbox.name, "cat", "/tmp/file"]);
    assert_eq!(read.stdout, b"content");
}

#[test]
fn archives_go_through_pipes() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let setup = "mkdir -p /d/e; echo one >/d/e/f; mkfifo /d/pipe";
    assert_eq!(code(&live.run(&["run", &sandbox.name, setup])), 0);
    let out = live.run(&["pull", &sandbox.name, "/d", "-"]);
    assert_eq!(code(&out), 0, "{out:?}");
    let warned = text(&out.stderr);
    assert!(
        warned.contains("warning: left out of 'd/pipe': fifo"),
        "{warned}"
    );
    let pushed = live.run_with_input(&["push", &sandbox.name, "-", "/tmp"], &out.stdout);
    assert_eq!(code(&pushed), 0, "{pushed:?}");
    let read = live.run(&["run", &sandbox.name, "cat", "/tmp/d/e/f"]);
    assert_eq!(read.stdout, b"one\n");
    let half = &out.stdout[..out.stdout.len() / 2];
    let cut = live.run_with_input(&["push", &sandbox.name, "-", "/tmp"], half);
    assert_eq!(code(&cut), 1);
    assert!(text(&cut.stderr).contains("cut short"), "{cut:?}");
}

#[test]
fn what_cannot_be_copied_is_exit_1_and_names_it() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let name = sandbox.name.as_str();
    #[rustfmt::skip] // one case per line
    let cases: [(&[&str], &str, u8); 6] = [
        (&["push", name, "/none", "/tmp"],      "no such path: '/none'", 1),
        (&["push", name, "/etc", "/none/x"],    "no such path: '/none'", 1),
        (&["push", name, "/etc", "relative"],   "'relative'", 2),
        (&["pull", name, "/none", "."],         "no such path: '/none'", 1),
        (&["pull", name, "/etc", "/none/"],     "no such path: '/none/'", 1),
        (&["pull", "none", "/etc", "."],        "no container named 'none'", 1),
    ];
    for (words, want, exit_code) in cases {
        let output = live.run(words);
        let said = text(&output.stderr);
        assert!(said.contains(want), "{words:?}: {said}");
        assert_eq!(code(&output), i32::from(exit_code), "{words:?}: {said}");
    }
}
