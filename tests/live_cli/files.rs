//! `push` and `pull`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::live::{code, live, meek, text};
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

/// Through the engine's archive endpoint, whose own words name a request and an ID.
#[test]
fn what_is_read_only_is_told_as_such() {
    let Some(live) = live() else { return };
    let running = live.sandbox_with(&["--hardened"]);
    let stopped = live.sandbox_with(&["--hardened"]);
    assert_eq!(code(&live.run(&["stop", &stopped.name])), 0);
    for sandbox in [&running, &stopped] {
        let pushed = live.run(&["push", &sandbox.name, "/etc/passwd", "/etc/x"]);
        let said = text(&pushed.stderr);
        // Podman writes below the root that is read-only once the sandbox runs.
        assert_eq!(
            code(&pushed),
            i32::from(!said.starts_with("pushed")),
            "{said}"
        );
        assert!(!said.contains("PUT"), "{said}");
        let wanted = [
            "pocketdock: cannot write '/etc/x' in the sandbox: it is read-only there; a tmpfs or",
            "pocketdock: cannot use '/etc' in the sandbox: permission denied",
        ];
        let is_told = wanted.iter().any(|wanted| said.starts_with(wanted));
        assert!(is_told || code(&pushed) == 0, "{said}");
        let pushed = live.run(&["push", &sandbox.name, "/etc/passwd", "/proc/x"]);
        let said = text(&pushed.stderr);
        assert!(!said.contains("PUT") && code(&pushed) == 1, "{said}");
    }
}

#[test]
fn what_is_no_archive_on_stdin_is_told_with_the_way_out() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let said = |bytes: &[u8]| {
        let pushed = live.run_with_input(&["push", &sandbox.name, "-", "/tmp"], bytes);
        assert_eq!(code(&pushed), 1, "{pushed:?}");
        text(&pushed.stderr).to_owned()
    };
    let hint = "hint: stdin has to be a tar archive, whole, as 'tar -c' makes it\n";
    let magics: [(&[u8], &str); 4] = [
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"BZh91AY&SY", "bzip2"),
    ];
    for (magic, program) in magics {
        let wanted = format!(
            "pocketdock: cannot read the archive: it is compressed; '{program} -dc' gives the \
             archive in it\n{hint}"
        );
        assert_eq!(said(magic), wanted);
        // However much comes with it.
        assert_eq!(said(&[magic, &[0; 100_000]].concat()), wanted);
    }
    for other in [&b""[..], b"text", &[b'x'; 2000]] {
        assert!(said(other).ends_with(hint), "{}", said(other));
    }
    let ran = live.run(&["run", &sandbox.name, "ls -A /tmp"]);
    assert_eq!(text(&ran.stdout), "", "nothing is left of them");
}

#[test]
fn what_cannot_be_copied_is_exit_1_and_names_it() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let name = sandbox.name.as_str();
    #[rustfmt::skip] // one case per line
    let cases: [(&[&str], &str, u8); 6] = [
        (&["push", name, "/none", "/tmp"],      "no such path: '/none'", 1),
        (&["push", name, "src", "/none/x"],     "no such path: '/none'", 1),
        (&["push", name, "src", "relative"],    "'relative'", 2),
        (&["pull", name, "/none", "."],         "no such path: '/none'", 1),
        (&["pull", name, "/etc", "/none/"],     "no such path: '/none/'", 1),
        (&["pull", "none", "/etc", "."],        "no container named 'none'", 1),
    ];
    let whole = live.run(&["pull", name, "/", "-"]);
    let hint = "hint: pull a directory without /proc and /sys in it, such as /home\n";
    assert!(text(&whole.stderr).ends_with(hint), "{whole:?}");
    for (words, want, exit_code) in cases {
        let output = live.run(words);
        let said = text(&output.stderr);
        assert!(said.contains(want), "{words:?}: {said}");
        assert_eq!(code(&output), i32::from(exit_code), "{words:?}: {said}");
    }
}

/// Root may read anything, unless it gives that up.
#[test]
fn a_source_that_cannot_be_read_any_more_is_not_sent_by_another_way() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["--user", "sandbox", "--cap-drop", "ALL"]);
    let scratch = Scratch::new();
    let tree = scratch.path().join("tree");
    fs::create_dir(&tree).unwrap();
    let (large, last) = (tree.join("large"), tree.join("late"));
    let file = fs::File::create(&large).unwrap();
    file.set_len(1 << 28).unwrap();
    fs::write(&last, "late").unwrap();

    let program = live.pocketdock(&["push", &sandbox.name, tree.to_str().unwrap(), "/tmp/"]);
    let mut command = meek(&program);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id();
    assert!(
        live.eventually(Duration::from_secs(20), || is_half_read(pid, &large)),
        "nothing was sent"
    );
    fs::set_permissions(&last, fs::Permissions::from_mode(0o000)).unwrap();
    let output = child.wait_with_output().unwrap();

    let want = format!(
        "pocketdock: cannot read '{}': Permission denied (os error 13)\n",
        last.display()
    );
    assert_eq!((code(&output), text(&output.stderr)), (1, want.as_str()));
    let left = sandbox.run(&["ls -A /tmp"]);
    assert_eq!(text(&left.stdout), "");
}

/// Whether a process has begun to read a file.
fn is_half_read(pid: u32, file: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    open.flatten().any(|it| {
        let info = format!("/proc/{pid}/fdinfo/{}", it.file_name().to_string_lossy());
        let position = fs::read_to_string(info).unwrap_or_default();
        fs::read_link(it.path()).is_ok_and(|target| target == file)
            && !position.starts_with("pos:\t0\n")
    })
}
