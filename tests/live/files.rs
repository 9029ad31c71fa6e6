//! Files: into a sandbox and out of it, in every state it can be in.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::containers;
use pocketdock_core::{Container, CopyReport, CreateOptions, Error, Tmpfs, Volume};

use crate::fixture::Live;
use crate::host;
use crate::support::scratch::Scratch;
use crate::support::tree;

/// A sandbox, and a directory in it where its user may write.
struct Case {
    name: &'static str,
    sandbox: Container,
    home: &'static str,
    /// The directory of the host that is mounted there, if one is.
    _volume: Option<Scratch>,
}

impl Case {
    /// A sandbox with a volume, which its handle does not outlive.
    fn with_volume(live: &Live, name: &'static str) -> Self {
        let volume = Scratch::new();
        let options = live.options().volume(Volume::new(volume.path(), "/vol"));
        Case {
            name,
            sandbox: live.create(&options),
            home: "/vol",
            _volume: Some(volume),
        }
    }
}

/// Sandboxes that run, each with another way to be difficult.
fn running(live: &Live) -> Vec<Case> {
    let case = |name: &'static str, home, options: CreateOptions| Case {
        name,
        home,
        sandbox: live.create(&options),
        _volume: None,
    };
    let debian = || live.options().image(live.debian_image());
    vec![
        case("root with busybox", "/root", live.options()),
        case(
            "a user with busybox",
            "/home/sandbox",
            live.options().user("sandbox"),
        ),
        case("root with GNU tar", "/root", debian()),
        case(
            "a user by number with GNU tar",
            "/tmp",
            debian().user("1234:5678"),
        ),
        case("hardened", "/tmp", live.options().hardened()),
        case(
            "hardened user",
            "/tmp",
            live.options().user("1000:1000").hardened(),
        ),
        case(
            "in memory",
            "/mem",
            live.options().tmpfs(Tmpfs::new("/mem")),
        ),
        case(
            "a read-only root",
            "/mem",
            live.options().read_only().tmpfs(Tmpfs::new("/mem")),
        ),
        Case::with_volume(live, "a volume"),
    ]
}

/// Sandboxes that do not run, or cannot run `tar`.
fn at_rest(live: &Live) -> Vec<Case> {
    let stopped = live.sandbox();
    stopped.stop().unwrap();
    let of_user = live.create(&live.options().user("sandbox"));
    of_user.stop().unwrap();
    let with_volume = Case::with_volume(live, "stopped, a volume");
    with_volume.sandbox.stop().unwrap();
    // Busybox has it whether its link is there or not.
    let without_tar = live.create(&live.options().image(live.debian_image()));
    assert!(without_tar.run("rm /usr/bin/tar").unwrap().ok());
    vec![
        Case {
            name: "stopped",
            sandbox: stopped,
            home: "/root",
            _volume: None,
        },
        Case {
            name: "stopped, of a user",
            sandbox: of_user,
            home: "/home/sandbox",
            _volume: None,
        },
        Case {
            name: "without tar",
            sandbox: without_tar,
            home: "/root",
            _volume: None,
        },
        with_volume,
    ]
}

fn all(live: &Live) -> Vec<Case> {
    let mut cases = running(live);
    cases.extend(at_rest(live));
    cases
}

#[test]
fn a_tree_of_every_kind_comes_back_as_it_was() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let planted = scratch.path().join("planted");
    tree::plant(&planted);
    for (number, case) in all(&live).iter().enumerate() {
        let Case {
            name,
            sandbox,
            home,
            ..
        } = case;
        println!("{name}");
        let pushed = sandbox.push(&planted, home).unwrap();
        assert_eq!(pushed.dropped, [], "{name}");
        let back = scratch.path().join(format!("back-{number}"));
        let pulled = sandbox.pull(&format!("{home}/planted"), &back).unwrap();
        tree::assert_same(&back, &planted);
        assert_eq!(
            (pulled.entries, &pulled.dropped),
            (pushed.entries, &pushed.dropped)
        );
        tree::unlock(&back);
    }
    tree::unlock(&planted);
}

#[test]
fn what_goes_in_belongs_to_the_user() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let dir = scratch.path().join("dir");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("file"), "x").unwrap();
    for case in running(&live) {
        let Case {
            name,
            sandbox,
            home,
            ..
        } = case;
        sandbox.push(&dir, home).unwrap();
        sandbox.write_file(&format!("{home}/a/b/c"), "y").unwrap();
        let own = sandbox.run("echo $(id -u):$(id -g)").unwrap();
        let paths = ["dir", "dir/file", "a", "a/b", "a/b/c"];
        let command = format!("cd {home} && stat -c %u:%g {}", paths.join(" "));
        let owners = sandbox.run(command.as_str()).unwrap();
        let want = own.stdout_text().repeat(paths.len());
        assert_eq!(owners.stdout_text(), want, "{name}: {owners:?}");
        let mode = sandbox
            .run(format!("stat -c %a {home}/a/b/c").as_str())
            .unwrap();
        assert_eq!(mode.stdout_text(), "644\n", "{name}");
    }
}

#[test]
fn a_user_of_a_sandbox_that_is_killed_owns_what_goes_in() {
    let Some(live) = Live::begin() else { return };
    for user in ["sandbox", "1000", "1000:1000", "sandbox:nogroup", "4321"] {
        let sandbox = live.create(&live.options().user(user));
        sandbox.stop().unwrap();
        sandbox.write_file("/home/sandbox/a/f", "x").unwrap();
        sandbox.resume().unwrap();
        let own = sandbox.run("echo $(id -u):$(id -g)").unwrap();
        let owners = sandbox
            .run("stat -c %u:%g /home/sandbox/a /home/sandbox/a/f")
            .unwrap();
        assert_eq!(owners.stdout_text(), own.stdout_text().repeat(2), "{user}");
    }
}

#[test]
fn a_file_is_written_read_and_listed_everywhere() {
    let Some(live) = Live::begin() else { return };
    for case in all(&live) {
        let Case {
            name,
            sandbox,
            home,
            ..
        } = case;
        let path = format!("{home}/new dir/it's \"one\"\n");
        for content in [&b"first"[..], &tree::binary(), b""] {
            sandbox.write_file(&path, content).unwrap();
            assert_eq!(sandbox.read_file(&path).unwrap(), content, "{name}");
        }
        let listed = sandbox.list_files(&format!("{home}/new dir")).unwrap();
        assert_eq!(listed, ["it's \"one\"\n"], "{name}");
        if sandbox.is_running().unwrap() {
            let now = sandbox.run("date +%s").unwrap();
            let now: u64 = now.stdout_text().trim().parse().unwrap();
            sandbox.write_file(&path, "last").unwrap();
            let written = sandbox.run(["stat", "-c", "%Y", &path]).unwrap();
            let written: u64 = written.stdout_text().trim().parse().unwrap();
            assert!((now..now + 60).contains(&written), "{name}: {written}");
        }
    }
}

#[test]
fn links_are_followed_where_a_program_would_follow_them() {
    let Some(live) = Live::begin() else { return };
    let setup = "mkdir -p /d/sub; echo old >/d/file; ln -s file /d/link; ln -s /d/sub /d/dirlink;
        ln -s loop /d/loop; ln -s gone /d/dangling";
    for (name, stop) in [("running", false), ("stopped", true)] {
        let sandbox = live.sandbox();
        assert!(sandbox.run(setup).unwrap().ok());
        if stop {
            sandbox.stop().unwrap();
        }
        assert_eq!(sandbox.read_file("/d/link").unwrap(), b"old\n", "{name}");
        sandbox.write_file("/d/link", "new").unwrap();
        sandbox.write_file("/d/dirlink/inner", "i").unwrap();
        assert_eq!(sandbox.read_file("/d/file").unwrap(), b"new", "{name}");
        assert_eq!(
            sandbox.list_files("/d/dirlink").unwrap(),
            ["inner"],
            "{name}"
        );
        let scratch = Scratch::new();
        sandbox.pull("/d/link", scratch.path()).unwrap();
        let target = fs::read_link(scratch.path().join("link")).unwrap();
        assert_eq!(target, Path::new("file"), "{name}: a link comes as a link");
        sandbox.pull("/d/dirlink/", scratch.path()).unwrap();
        assert_eq!(
            fs::read(scratch.path().join("dirlink/inner")).unwrap(),
            b"i",
            "{name}"
        );
        sandbox.pull("/d/dangling", scratch.path()).unwrap();
        assert!(scratch.path().join("dangling").is_symlink(), "{name}");
        sandbox.pull("/d/loop", scratch.path()).unwrap();
        let target = fs::read_link(scratch.path().join("loop")).unwrap();
        assert_eq!(target, Path::new("loop"), "{name}");
        for path in ["/d/loop", "/d/loop/x"] {
            let said = said(sandbox.read_file(path));
            assert!(said.contains("/d/loop") && !said.contains("HEAD"), "{said}");
        }
    }
}

#[test]
fn where_a_copy_goes() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let (file, dir) = (scratch.path().join("file"), scratch.path().join("dir"));
    fs::write(&file, "f").unwrap();
    fs::create_dir_all(dir.join("sub")).unwrap();
    fs::write(dir.join("sub/in"), "i").unwrap();
    let content = scratch.path().join("dir/.");
    for (name, stop) in [("running", false), ("stopped", true)] {
        let sandbox = live.sandbox();
        assert!(
            sandbox
                .run("mkdir /e; echo old >/e/old; mkdir -p /e/d2/sub; echo k >/e/d2/sub/kept")
                .unwrap()
                .ok()
        );
        if stop {
            sandbox.stop().unwrap();
        }
        #[rustfmt::skip] // one case per line
        let cases = [
            (&file,    "/e",        "/e/file"),
            (&file,    "/e/",       "/e/file"),
            (&file,    "/e/name",   "/e/name"),
            (&file,    "/e/old",    "/e/old"),
            (&dir,     "/e",        "/e/dir/sub/in"),
            (&dir,     "/e/new",    "/e/new/sub/in"),
            (&content, "/e/new2",   "/e/new2/sub/in"),
            (&content, "/e/d2",     "/e/d2/sub/in"),
            (&content, "/e/d2/.",   "/e/d2/sub/in"),
            (&dir,     "/e/d2",     "/e/d2/dir/sub/in"),
        ];
        for (source, dest, lands) in cases {
            sandbox
                .push(source, dest)
                .unwrap_or_else(|e| panic!("{name}: {source:?} {dest}: {e}"));
            let want: &[u8] = if *source == file { b"f" } else { b"i" };
            assert_eq!(
                sandbox.read_file(lands).unwrap(),
                want,
                "{name}: {source:?} {dest}"
            );
        }
        assert_eq!(
            sandbox.read_file("/e/d2/sub/kept").unwrap(),
            b"k\n",
            "{name}: it is merged"
        );
        let mut left = sandbox.list_files("/e").unwrap();
        left.retain(|it| it.to_string_lossy().contains("pocketdock"));
        assert_eq!(left, [""; 0], "{name}");
    }
}

#[test]
fn what_cannot_be_copied_is_said_and_changes_nothing() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let (file, dir) = (scratch.path().join("file"), scratch.path().join("dir"));
    fs::write(&file, "f").unwrap();
    fs::create_dir_all(dir.join("old")).unwrap();
    for (name, stop) in [("running", false), ("stopped", true)] {
        let sandbox = live.sandbox();
        assert!(
            sandbox
                .run("mkdir /e; echo old >/e/old; mkdir /e/file")
                .unwrap()
                .ok()
        );
        if stop {
            sandbox.stop().unwrap();
        }
        let push = |source: &Path, dest: &str| sandbox.push(source, dest).unwrap_err();
        #[rustfmt::skip] // one case per line
        let cases = [
            ("no source",          push(&dir.join("none"), "/e"),  "path_not_found"),
            ("no parent",          push(&file, "/none/name"),      "path_not_found"),
            ("no directory",       push(&file, "/none/"),          "path_not_found"),
            ("under a file",       push(&file, "/e/old/name"),     "not_a_directory"),
            ("into a file",        push(&file, "/e/old/"),         "not_a_directory"),
            ("dir onto file",      push(&dir, "/e/old"),           "not_a_directory"),
            ("file onto dir",      push(&file, "/e"),              "is_a_directory"),
            ("relative",           push(&file, "e"),               "invalid_argument"),
            ("slash behind file",  push(&file.join(""), "/e"),     "not_a_directory"),
            ("special file",       push(Path::new("/dev/null"), "/e"), "invalid_argument"),
            ("write to dir",       sandbox.write_file("/e", "").unwrap_err(),      "is_a_directory"),
            ("write below file",   sandbox.write_file("/e/old/x", "").unwrap_err(), "not_a_directory"),
            ("read none",          sandbox.read_file("/none").unwrap_err(),        "path_not_found"),
            ("read dir",           sandbox.read_file("/e").unwrap_err(),           "is_a_directory"),
            ("list none",          sandbox.list_files("/none").unwrap_err(),       "path_not_found"),
            ("list file",          sandbox.list_files("/e/old").unwrap_err(),      "not_a_directory"),
            ("pull none",          sandbox.pull("/none", scratch.path()).unwrap_err(), "path_not_found"),
            ("pull to none",       sandbox.pull("/e", &dir.join("x/y")).unwrap_err(),  "path_not_found"),
            ("pull into none",     sandbox.pull("/e", &dir.join("x/")).unwrap_err(),   "path_not_found"),
            ("pull into file",     sandbox.pull("/e", &file.join("")).unwrap_err(),    "not_a_directory"),
            ("pull below file",    sandbox.pull("/e", &file.join("x")).unwrap_err(),   "not_a_directory"),
            ("pull dir onto file", sandbox.pull("/e", &file).unwrap_err(),             "not_a_directory"),
            ("pull file onto dir", sandbox.pull("/e/old", &dir).unwrap_err(),          "is_a_directory"),
        ];
        for (what, error, code) in cases {
            assert_eq!(error.code(), code, "{name}: {what}: {error}");
        }
        assert_eq!(sandbox.read_file("/e/old").unwrap(), b"old\n", "{name}");
        assert_eq!(sandbox.list_files("/e").unwrap(), ["file", "old"], "{name}");
        assert_eq!(fs::read(&file).unwrap(), b"f", "{name}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 2, "{name}");
    }
}

#[test]
fn a_full_disk_leaves_nothing_new() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let big = scratch.path().join("big");
    fs::write(&big, vec![7; 4 * 1024 * 1024]).unwrap();
    for image in [live.image(), live.debian_image()] {
        let options = live
            .options()
            .image(image)
            .tmpfs("/small:size=1m,mode=1777".parse().unwrap());
        let sandbox = live.create(&options);
        let error = sandbox.push(&big, "/small/").unwrap_err();
        let said = ["No space left", "no space left", "Wrote only"];
        assert!(
            said.iter().any(|it| error.to_string().contains(it)),
            "{error}"
        );
        assert!(matches!(error, Error::Io { .. }), "{error}");

        assert_eq!(sandbox.list_files("/small").unwrap(), [""; 0]);
        sandbox.write_file("/small/fits", vec![1; 1000]).unwrap();
    }
}

#[test]
fn a_transfer_holds_up_nothing_else() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    assert!(
        sandbox
            .run("head -c 300000000 /dev/zero >/big")
            .unwrap()
            .ok()
    );
    let scratch = Scratch::new();
    let mut slowest = Duration::ZERO;
    let mut asked = 0;
    sandbox
        .pull_with("/big", scratch.path(), &mut |progress| {
            assert_eq!(progress.total_bytes, Some(300_000_000));
            if progress.done_bytes < 50_000_000 * (asked + 1) {
                return ControlFlow::Continue(());
            }
            asked += 1;
            let began = Instant::now();
            containers::inspect(live.client(), sandbox.container_id()).unwrap();
            assert!(sandbox.run("true").unwrap().ok());
            slowest = slowest.max(began.elapsed());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(3 <= asked, "{asked}");
    assert_eq!(
        fs::metadata(scratch.path().join("big")).unwrap().len(),
        300_000_000
    );
    println!("the slowest inspect and exec meanwhile: {slowest:?}");
}

#[test]
fn what_the_kernel_makes_as_it_is_read_is_not_copied_as_empty() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let scratch = Scratch::new();
    let refused = sandbox.pull("/proc/cpuinfo", scratch.path()).unwrap_err();
    assert!(refused.to_string().contains("'/proc/cpuinfo'"), "{refused}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    let read = sandbox.read_file("/proc/sys/kernel/ostype").unwrap();
    assert_eq!(read, b"Linux\n");
}

/// Whichever tar there is, or none, and whether the sandbox runs: the file that is the matter is
/// named, and nothing is taken for copied.
#[test]
fn what_of_the_kernels_is_in_a_directory_is_named() {
    let Some(live) = Live::begin() else { return };
    let debian = live.create(&live.options().image(live.debian_image()));
    let sandbox = live.sandbox();
    // GNU tar goes on behind what it could not read whole, and takes a while for all of it.
    for (sandbox, source, below) in [
        (&sandbox, "/", "cannot copy '/"),
        (&sandbox, "/sys", "cannot copy '/sys/"),
        (&sandbox, "/sys/kernel/.", "cannot copy '/sys/kernel/"),
        (&sandbox, "/proc/", "cannot copy '/proc/"),
        (&debian, "/sys/kernel/mm/.", "cannot copy '/sys/kernel/mm/"),
        (&debian, "/sys/kernel/mm", "cannot copy '/sys/kernel/mm/"),
    ] {
        let scratch = Scratch::new();
        let refused = sandbox
            .pull(source, scratch.path())
            .unwrap_err()
            .to_string();
        let rest = refused.strip_prefix(below).unwrap_or_default();
        assert!(rest.contains("': the kernel makes"), "{source}: {refused}");
        assert!(!refused.contains("/./"), "{source}: {refused}");
        let refused =
            sandbox.pull_archive(source, &mut io::sink(), &mut |_| ControlFlow::Continue(()));
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("': the kernel makes"),
            "{source}: {refused}"
        );
    }
    sandbox.stop().unwrap();
    let scratch = Scratch::new();
    for source in ["/sys", "/proc/cpuinfo", "/proc/."] {
        let refused = sandbox
            .pull(source, scratch.path())
            .unwrap_err()
            .to_string();
        let wanted = format!("cannot copy '{source}': the kernel makes");
        assert!(refused.starts_with(&wanted), "{refused}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn devices_pipes_and_setuid_bits_are_left_out_and_listed() {
    let Some(live) = Live::begin() else { return };
    let setup =
        "mkdir /d; cd /d; mkfifo pipe; echo x >su; chmod 4755 su; echo y >sg; chmod 2750 sg;
        mknod null c 1 3; echo z >plain; mkdir dir; chmod 2755 dir";
    for (name, stop) in [("running", false), ("stopped", true)] {
        // Podman 5 leaves it out unless asked, and without root nobody makes devices.
        let sandbox = live.create(&live.options().cap_add("MKNOD"));
        assert!(sandbox.run(setup).unwrap().ok());
        let has_device = sandbox.run("test -c /d/null").unwrap().ok();
        if stop {
            sandbox.stop().unwrap();
        }
        let scratch = Scratch::new();
        let report = sandbox.pull("/d", scratch.path()).unwrap();
        let mut dropped: Vec<_> = report
            .dropped
            .iter()
            .map(|it| format!("{} {}", it.path.display(), it.what.as_str()))
            .collect();
        dropped.sort();
        let want = [
            "d/null device",
            "d/pipe fifo",
            "d/sg setuid or setgid bit",
            "d/su setuid or setgid bit",
        ];
        assert_eq!(dropped, want[usize::from(!has_device)..], "{name}");
        let entries = tree::read(&scratch.path().join("d"));
        assert_eq!(entries.len(), 5, "{name}: {:?}", entries.keys());
        assert_eq!(entries[Path::new("su")].mode, 0o755, "{name}");
        assert_eq!(entries[Path::new("sg")].mode, 0o750, "{name}");
        assert_eq!(entries[Path::new("dir")].mode, 0o755, "{name}: not listed");
    }
}

#[test]
fn archives_go_in_and_out() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let planted = scratch.path().join("planted");
    tree::plant(&planted);
    for (name, stop) in [("running", false), ("stopped", true)] {
        let sandbox = live.create(&live.options().image(live.debian_image()));
        assert!(sandbox.run("mkdir /d /e").unwrap().ok());
        if stop {
            sandbox.stop().unwrap();
        }
        sandbox.push(&planted, "/d").unwrap();
        let mut archive = Vec::new();
        let out = sandbox
            .pull_archive("/d/planted", &mut archive, &mut |_| {
                ControlFlow::Continue(())
            })
            .unwrap();
        let into = sandbox
            .push_archive(&mut archive.as_slice(), "/e", &mut |_| {
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(into.entries, out.entries, "{name}");
        let back = scratch.path().join(name);
        sandbox.pull("/e/planted", &back).unwrap();
        if !stop {
            tree::assert_same(&back, &planted);
        }
        tree::unlock(&back);
        for cut in [0, 100, 512, archive.len() / 2, archive.len() - 1024] {
            let error = sandbox
                .push_archive(&mut archive.get(..cut).unwrap(), "/e", &mut |_| {
                    ControlFlow::Continue(())
                })
                .unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{name}: {cut}: {error}");
        }
    }
    tree::unlock(&planted);
}

#[test]
fn ten_thousand_files_and_a_gigabyte() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let many = scratch.path().join("many");
    for dir in 0..100 {
        let dir = many.join(format!("d{dir}"));
        fs::create_dir_all(&dir).unwrap();
        for file in 0..100 {
            tree::write(&dir.join(format!("f{file}")), &[b'x'; 1024], 0o644);
        }
    }
    let sandbox = live.sandbox();
    let report = sandbox.push(&many, "/").unwrap();
    assert_eq!((report.entries, report.bytes), (10_101, 10_240_000));
    let back = scratch.path().join("back");
    sandbox.pull("/many", &back).unwrap();
    let (back, many) = (tree::read(&back), tree::read(&many));
    let is_file = |entry: &&tree::Entry| entry.kind == 'f';
    assert!(
        back.values()
            .filter(is_file)
            .eq(many.values().filter(is_file))
    );
    let big = scratch.path().join("big");
    fs::File::create(&big).unwrap().set_len(1 << 30).unwrap();
    let mut last = 0;
    sandbox
        .push_with(&big, "/big", &mut |progress| {
            assert_eq!(progress.total_bytes, Some(1 << 30));
            last = progress.done_bytes;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(last, 1 << 30);
    let mut out = Counter(0);
    sandbox
        .pull_archive("/big", &mut out, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert!((1 << 30) < out.0 && out.0 < (1 << 30) + 10_000, "{}", out.0);
}

/// On Podman the engine itself unpacks it, where the place can be told in a plain path.
#[test]
fn a_large_file_comes_complete_and_belongs_to_the_sandboxs_user() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let big = scratch.path().join("big");
    tree::write(&big, &vec![b'x'; 8 << 20], 0o640);
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    fs::File::options()
        .write(true)
        .open(&big)
        .and_then(|file| file.set_modified(time))
        .unwrap();
    let sandbox = live.create(&live.options().user("1000:1000"));
    let setup = "cd /tmp; mkdir plain 'odd [x]' && ln -s plain link && echo old >plain/big";
    assert!(sandbox.run(setup).unwrap().ok());
    for dir in ["/tmp/plain", "/tmp/odd [x]", "/tmp/link/"] {
        let report = sandbox.push(&big, dir).unwrap();
        assert_eq!((report.entries, report.bytes), (1, 8 << 20), "{dir}");
        let stat = ["stat", "-c", "%u:%g %a %Y %s", &format!("{dir}/big")];
        let stat = sandbox.run(stat).unwrap();
        assert_eq!(
            stat.stdout_text().trim(),
            "1000:1000 640 1234567890 8388608"
        );
        let left = sandbox.list_files(dir).unwrap();
        assert_eq!(left, ["big"], "{dir}");
        let back = scratch.path().join("back");
        sandbox.pull(&format!("{dir}/big"), &back).unwrap();
        assert_eq!(fs::read(&back).unwrap(), fs::read(&big).unwrap(), "{dir}");
        assert_eq!(fs::metadata(&back).unwrap().modified().unwrap(), time);
    }
}

struct Counter(u64);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sandbox_that_goes_away_under_a_copy_is_named() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let big = scratch.path().join("big");
    fs::File::create(&big).unwrap().set_len(4 << 30).unwrap();
    let sandbox = live.sandbox();
    let mut is_killed = false;
    let error = sandbox
        .push_with(&big, "/", &mut |progress| {
            if !is_killed && 10_000_000 < progress.done_bytes {
                is_killed = true;
                sandbox.shutdown(true).unwrap();
            }
            ControlFlow::Continue(())
        })
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::ContainerGone { .. } | Error::ContainerNotRunning { .. }
        ),
        "{error}"
    );

    let sandbox = live.sandbox();
    // A directory: a single file Podman gives out whatever becomes of the sandbox.
    let setup = "mkdir /d && truncate -s 4G /d/big";
    assert!(sandbox.run(setup).unwrap().ok());
    // From another thread, for Podman 4.3 waits for what still has to be read.
    let mut killer = None;
    let (client, id) = (live.client().clone(), sandbox.container_id().to_owned());
    let back = scratch.path().join("back");
    let error = sandbox
        .pull_with("/d", &back, &mut |progress| {
            if killer.is_none() && 10_000_000 < progress.done_bytes {
                let (client, id) = (client.clone(), id.clone());
                killer = Some(thread::spawn(move || {
                    containers::kill(&client, &id, "KILL")
                }));
            }
            ControlFlow::Continue(())
        })
        .unwrap_err();
    killer.unwrap().join().unwrap().unwrap();
    assert!(
        matches!(error, Error::ContainerNotRunning { .. }),
        "{error}"
    );
    let left = fs::read_dir(&back).unwrap().count();
    assert_eq!(left, 0, "nothing half-written");
}

/// GNU tar fills what is missing with zeros and ends as if a file had only changed.
#[test]
fn a_file_that_becomes_shorter_under_a_pull_is_an_error() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().image(live.debian_image()));
    let setup = "mkdir /d && truncate -s 300M /d/big";
    for (command, is_fine) in [("echo >>/d/big", true), ("truncate -s 1M /d/big", false)] {
        assert!(sandbox.run(setup).unwrap().ok());
        let mut is_done = false;
        let scratch = Scratch::new();
        let pulled = sandbox.pull_with("/d", scratch.path(), &mut |_| {
            if !is_done {
                is_done = true;
                assert!(sandbox.run(command).unwrap().ok());
            }
            ControlFlow::Continue(())
        });
        assert!(is_done);
        assert_eq!(pulled.is_ok(), is_fine, "{command}: {pulled:?}");
        let said = pulled
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(is_fine || said.contains("shrank by"), "{command}: {said}");
        assert!(sandbox.run("rm -r /d").unwrap().ok());
    }
}

/// On Docker, which gives out the rest, when tar in the sandbox has given out what it may read.
#[test]
fn what_the_sandboxs_user_may_not_read_comes_with_all_modes_and_times() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().image(live.debian_image()).user("1234:5678");
    let sandbox = live.create(&options);
    let scratch = Scratch::new();
    sandbox.pull("/etc", scratch.path()).unwrap();
    assert!(scratch.path().join("etc/shadow").exists());
    let stat = sandbox.run("cd / && stat -c '%a %Y %n' etc etc/apt etc/apt/*.d etc/init.d");
    let stat = stat.unwrap();
    for line in stat.stdout_text().lines() {
        let path = line.split(' ').next_back().unwrap();
        let found = fs::metadata(scratch.path().join(path)).unwrap();
        let mode = found.mode() & 0o7777;
        assert_eq!(format!("{mode:o} {} {path}", found.mtime()), line);
    }
}

#[test]
fn names_of_any_bytes_are_listed() {
    let Some(live) = Live::begin() else { return };
    for (name, stop) in [("running", false), ("stopped", true)] {
        let sandbox = live.sandbox();
        let setup = "mkdir -p /d/sub/deeper; cd /d; ln -s none l; touch -- .a ..b ... 'x y' -n
            touch \"$(printf 'a\\nb')\" \"$(printf '\\377')\"";
        assert!(sandbox.run(setup).unwrap().ok());
        if stop {
            sandbox.stop().unwrap();
        }
        let names: [&[u8]; 9] = [
            b"-n", b"...", b"..b", b".a", b"a\nb", b"l", b"sub", b"x y", b"\xff",
        ];
        let want = names.map(|name| OsString::from_vec(name.to_vec()));
        assert_eq!(sandbox.list_files("/d").unwrap(), want, "{name}");
        sandbox.resume().unwrap();
        let proc = sandbox.list_files("/proc").unwrap();
        assert!(proc.contains(&"version".into()), "{name}");
        assert!(
            sandbox
                .read_file("/proc/version")
                .unwrap()
                .starts_with(b"Linux")
        );
    }
}

#[test]
fn what_has_changed() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox.write_file("/etc/new", "n").unwrap();
    assert!(sandbox.run("rm /etc/group").unwrap().ok());
    let changes = sandbox.changes().unwrap();
    use pocketdock_core::engine::containers::ChangeKind::{Added, Deleted, Modified};
    for want in [
        (Added, "/etc/new"),
        (Deleted, "/etc/group"),
        (Modified, "/etc"),
    ] {
        let want = (want.0, want.1.to_owned());
        assert!(changes.contains(&want), "{want:?} in {changes:?}");
    }
}

/// What the host's `tar` prints in a directory.
pub(crate) fn tar(arguments: &[&OsStr], dir: &Path) -> Vec<u8> {
    let mut tar = Command::new("tar");
    let done = tar.args(arguments).current_dir(dir).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    done.stdout
}

/// Pushes an archive of what is in a directory.
pub(crate) fn push_tar_of(
    sandbox: &Container,
    dir: &Path,
    dest: &str,
) -> Result<CopyReport, Error> {
    let archive = tar(&["-c".as_ref(), ".".as_ref()], dir);
    sandbox.push_archive(&mut archive.as_slice(), dest, &mut |_| {
        ControlFlow::Continue(())
    })
}

/// What a copy came to, or why Podman could not.
pub(crate) fn said<T>(outcome: Result<T, Error>) -> String {
    outcome.map_or_else(|error| error.to_string(), |_| "done".to_owned())
}

#[test]
fn names_that_look_like_patterns_are_names() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let file = scratch.path().join("file");
    fs::write(&file, "pushed").unwrap();
    let setup = r#"mkdir "/d*r" "/dXr"; cd "/d*r"; for i in * ? a\* 'a[b]' 'b\' '?' '[!c]' '**'; do
        echo -n "$i" >"$i"; echo wrong >"../dXr/$i"; done; echo wrong >ab; echo wrong >aa; 
        ln -s 'a[b]' 'l*'; ln -s '/d*r' /plain"#;
    for (name, stop) in [("running", false), ("stopped", true)] {
        let sandbox = live.sandbox();
        assert!(sandbox.run(setup).unwrap().ok());
        if stop {
            sandbox.stop().unwrap();
        }
        for it in ["a*", "a[b]", "b\\", "?", "[!c]", "**"] {
            let path = format!("/d*r/{it}");
            assert_eq!(sandbox.read_file(&path).unwrap(), it.as_bytes(), "{name}");
            let out = scratch.path().join("out");
            sandbox.pull(&path, &out).unwrap();
            assert_eq!(fs::read(&out).unwrap(), it.as_bytes(), "{name}");
            sandbox.push(&file, &path).unwrap();
            let path = format!("/plain/{it}");
            assert_eq!(sandbox.read_file(&path).unwrap(), b"pushed", "{name}: {it}");
        }
        let out = scratch.path().join(name);
        sandbox.pull("/d*r", &out).unwrap();
        assert_eq!(fs::read(out.join("ab")).unwrap(), b"wrong\n", "{name}");
        assert_eq!(fs::read_link(out.join("l*")).unwrap(), Path::new("a[b]"));
        sandbox.write_file("/d*r/new?/x[", "made").unwrap();
        assert_eq!(sandbox.list_files("/d*r/new?").unwrap(), ["x["], "{name}");
        sandbox
            .pull("/d*r/l*", &scratch.path().join("link"))
            .unwrap();
        let followed = said(sandbox.read_file("/d*r/l*"));
        match stop && live.is_podman() {
            true => assert!(
                followed.contains("where a link of such a name leads"),
                "{followed}"
            ),
            false => assert_eq!(followed, "done"),
        }
        let missing = sandbox.read_file("/d*r/a?").unwrap_err();
        assert_eq!(missing.to_string(), "no such path: '/d*r/a?'", "{name}");
    }
}

/// What is below a name, each with its mode, time and content; directories are opened for that.
const LOOK_BEHIND_DOORS: &str = r#"walk() {
    stat -c '%n %F %a %Y' "$1"
    if [ -d "$1" ]; then chmod 700 "$1"; for i in "$1"/*; do [ ! -e "$i" ] || walk "$i"; done
    else chmod 600 "$1"; cat "$1"; fi
}
walk tree"#;

#[test]
fn closed_directories_stay_closed_with_all_that_is_in_them() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let source = scratch.path().join("tree");
    // What is closed to its owner, only root can copy.
    let modes: &[u32] = match host::is_root() {
        true => &[0o000, 0o111, 0o311, 0o400, 0o555, 0o1500],
        false => &[0o555, 0o1500],
    };
    for &mode in modes {
        let dir = source.join(format!("{mode:o}"));
        fs::create_dir_all(dir.join("in")).unwrap();
        tree::write(&dir.join("in/file"), b"in\n", 0o400);
        tree::write(&dir.join("name"), b"two\n", 0o644);
        fs::hard_link(dir.join("name"), dir.join("other")).unwrap();
        for path in [dir.join("in"), dir.clone()] {
            fs::File::open(&path)
                .unwrap()
                .set_modified(std::time::UNIX_EPOCH)
                .unwrap();
            tree::set_mode(&path, mode);
        }
    }
    let top = fs::File::open(&source).unwrap();
    top.set_modified(std::time::UNIX_EPOCH).unwrap();
    let mut pushed = Vec::new();
    for case in running(&live) {
        let Case {
            name,
            sandbox,
            home,
            ..
        } = &case;
        sandbox.push(&source, home).unwrap();
        // Its own rights are all that it has, and with those cp(1) would not come in again.
        if *name != "hardened user" {
            sandbox.push(&source, home).unwrap();
        }
        let look = sandbox.exec(["sh", "-c", LOOK_BEHIND_DOORS]).workdir(home);
        pushed.push((*name, look.run().unwrap().stdout_text().into_owned()));
    }
    let mut look = Command::new("sh");
    look.args(["-c", LOOK_BEHIND_DOORS])
        .current_dir(scratch.path());
    let want = String::from_utf8(look.output().unwrap().stdout).unwrap();
    assert_eq!(want.matches("two\n").count(), 2 * modes.len(), "{want}");
    for (name, got) in pushed {
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn a_link_goes_in_with_its_own_time_but_for_busybox() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let source = scratch.path().join("links");
    fs::create_dir(&source).unwrap();
    std::os::unix::fs::symlink("nowhere", source.join("link")).unwrap();
    let mut touch = Command::new("touch");
    let touched = touch
        .args(["-h", "-d", "2001-02-03 04:05:06 UTC"])
        .arg(source.join("link"));
    assert!(touched.status().unwrap().success());
    for (image, is_kept) in [(live.debian_image(), true), (live.image(), false)] {
        let sandbox = live.create(&live.options().image(image));
        let time_of = |path: &str| {
            let told = sandbox.run(["stat", "-c", "%Y", path]).unwrap();
            told.stdout_text().trim() == "981173106"
        };
        sandbox.push(&source, "/running").unwrap();
        assert_eq!(time_of("/running/link"), is_kept, "{image}");
        sandbox.stop().unwrap();
        sandbox.push(&source, "/stopped").unwrap();
        sandbox.resume().unwrap();
        assert!(time_of("/stopped/link"), "{image}: the engine sets it");

        // Out again it is one of now. That std can set it would be news.
        let out = scratch.path().join(sandbox.name());
        sandbox.pull("/stopped/link", &out).unwrap();
        assert_ne!(fs::symlink_metadata(&out).unwrap().mtime(), 981_173_106);
    }
}

#[test]
fn a_file_that_is_mounted_by_itself_is_written_to() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let (mounted, source) = (
        scratch.path().join("mounted"),
        scratch.path().join("source"),
    );
    for image in [live.image(), live.debian_image()] {
        fs::write(&mounted, "a long old content").unwrap();
        fs::write(&source, "pushed").unwrap();
        let options = live.options().image(image);
        let sandbox = live.create(&options.volume(Volume::new(&mounted, "/etc/f")));
        sandbox.push(&source, "/etc/f").unwrap();
        assert_eq!(fs::read(&mounted).unwrap(), b"pushed", "{image}");
        sandbox.write_file("/etc/f", "written").unwrap();
        assert_eq!(fs::read(&mounted).unwrap(), b"written", "{image}");
        sandbox
            .write_file("/etc/hosts", "127.0.0.1 localhost\n")
            .unwrap();
        assert_eq!(
            sandbox.read_file("/etc/hosts").unwrap(),
            b"127.0.0.1 localhost\n"
        );

        fs::remove_file(&source).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &source).unwrap();
        let error = sandbox.push(&source, "/etc/f").unwrap_err().to_string();
        assert!(error.contains("busy"), "{error}");
        assert_eq!(fs::read(&mounted).unwrap(), b"written", "{image}");
        let mut names = sandbox.list_files("/etc").unwrap();
        names.retain(|it| it.to_string_lossy().contains("pocketdock"));
        assert_eq!(names, [""; 0], "{image}");
        fs::remove_file(&source).unwrap();
    }
}

/// Where root may not do everything, GNU tar closes it before it is moved into its place.
#[test]
fn a_directory_that_is_closed_itself_comes_into_a_hardened_sandbox() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let source = scratch.path().join("closed");
    fs::create_dir(&source).unwrap();
    tree::write(&source.join("file"), b"in\n", 0o444);
    let opened = fs::File::open(&source).unwrap();
    opened.set_modified(std::time::UNIX_EPOCH).unwrap();
    tree::set_mode(&source, 0o555);
    for image in [live.image(), live.debian_image()] {
        let sandbox = live.create(&live.options().image(image).hardened());
        sandbox.push(&source, "/tmp/new").unwrap();
        let look = sandbox.run("cat /tmp/new/file; stat -c '%a %Y' /tmp/new");
        assert_eq!(look.unwrap().stdout_text(), "in\n555 0\n", "{image}");
    }
}
