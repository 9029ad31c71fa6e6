//! Files where something is mounted, in every state a sandbox can be in, and links that lead there.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use pocketdock_core::{Container, DroppedKind, Error, Progress, Tmpfs, Volume};

use crate::files::{push_tar_of, said, tar};
use crate::fixture::Live;
use crate::support::scratch::Scratch;
use crate::support::tree;

/// A stopped sandbox with a directory at `/srv/data`, a link to it at `/l`, and a file at `/etc/f`.
fn stopped_with_mounts(live: &Live, mounted: &Scratch) -> Container {
    let (dir, file) = (mounted.path().join("dir"), mounted.path().join("file"));
    fs::create_dir_all(dir.join("sub")).unwrap();
    fs::write(dir.join("sub/a"), "mounted").unwrap();
    fs::hard_link(dir.join("sub/a"), dir.join("b")).unwrap();
    fs::write(&file, "file").unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
    for path in ["sub/a", "sub", ""] {
        let second = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let opened = fs::File::open(dir.join(path)).unwrap();
        opened.set_modified(second).unwrap();
    }
    let options = live
        .options()
        .volume(Volume::new(&dir, "/srv/data"))
        .volume(Volume::new(&file, "/etc/f"));
    let sandbox = live.create(&options);
    let setup = "ln -s /srv/data /l; ln -s l /k; printf beside >/srv/beside";
    assert!(sandbox.run(setup).unwrap().ok());
    sandbox.stop().unwrap();
    sandbox
}

/// What is said of copies of which each is refused because the sandbox does not run.
fn refused_until_it_runs(copies: impl IntoIterator<Item = Result<(), Error>>) -> Vec<String> {
    let said: Vec<_> = copies
        .into_iter()
        .map(|copy| copy.unwrap_err().to_string())
        .collect();
    for said in &said {
        assert!(said.ends_with("; resume it first"), "{said}");
    }
    said
}

#[test]
fn what_is_mounted_in_a_stopped_sandbox_comes_out() {
    let Some(live) = Live::begin() else { return };
    let (mounted, scratch) = (Scratch::new(), Scratch::new());
    let sandbox = stopped_with_mounts(&live, &mounted);
    let dir = mounted.path().join("dir");
    for (number, path) in ["/srv/data", "/srv/data/", "/l/.", "/k/"]
        .iter()
        .enumerate()
    {
        let out = scratch.path().join(number.to_string());
        sandbox.pull(path, &out).unwrap();
        if *path == "/srv/data" {
            tree::assert_same(&out, &dir);
        }
        let same_file = |name: &str| fs::metadata(out.join(name)).unwrap().ino();
        assert_eq!(same_file("sub/a"), same_file("b"), "{path}");
        assert_eq!(fs::read(out.join("b")).unwrap(), b"mounted", "{path}");
    }
    for path in ["/srv/data/b", "/l/sub/a", "/k/b"] {
        assert_eq!(sandbox.read_file(path).unwrap(), b"mounted", "{path}");
    }
    assert_eq!(sandbox.list_files("/srv").unwrap(), ["beside", "data"]);
    assert_eq!(sandbox.list_files("/k").unwrap(), ["b", "sub"]);
    // Above it, with what is beside it.
    let above = scratch.path().join("above");
    let report = sandbox.pull("/srv", &above).unwrap();
    assert_eq!((report.entries, report.bytes), (6, 7 + 6));
    tree::assert_same(&above.join("data"), &dir);
    assert_eq!(fs::read(above.join("beside")).unwrap(), b"beside");
    let mut archive = Vec::new();
    let mut go_on = |_: &Progress| ControlFlow::Continue(());
    sandbox
        .pull_archive("/srv/.", &mut archive, &mut go_on)
        .unwrap();
    let (file, unpacked) = (scratch.path().join("tar"), scratch.path().join("unpacked"));
    fs::write(&file, archive).unwrap();
    fs::create_dir(&unpacked).unwrap();
    tar(&["-xpf".as_ref(), file.as_os_str()], &unpacked);
    tree::assert_same(&unpacked.join("data"), &dir);
}

#[test]
fn what_a_stopped_sandbox_does_not_give_out_is_listed() {
    let Some(live) = Live::begin() else { return };
    let (mounted, scratch) = (Scratch::new(), Scratch::new());
    let sandbox = stopped_with_mounts(&live, &mounted);
    let file = said(sandbox.pull("/etc/f", &scratch.path().join("f")));
    let etc = scratch.path().join("etc");
    let report = sandbox.pull("/etc", &etc).unwrap();
    let mut left_out: Vec<_> = report
        .dropped
        .iter()
        .map(|it| (&*it.path, it.what))
        .collect();
    left_out.sort_by_key(|(path, _)| path.to_owned());
    match live.is_podman() {
        true => {
            assert!(file.contains("invalid path '/etc/f': a file is mounted there"));
            assert!(said(sandbox.read_file("/etc/hosts")).contains("when the sandbox starts"));
            let all = ["etc/f", "etc/hostname", "etc/hosts", "etc/resolv.conf"];
            let want = all.map(|path| (Path::new(path), DroppedKind::Mounted));
            assert_eq!(left_out, want);
            assert!(!etc.join("hosts").exists() && !etc.join("f").exists());
        }
        false => {
            assert_eq!((file.as_str(), left_out), ("done", vec![]));
            assert_eq!(fs::read(etc.join("f")).unwrap(), b"file");
        }
    }
    assert!(fs::read(etc.join("passwd")).is_ok());
    sandbox.pull("/", &scratch.path().join("root")).unwrap();
    // And nothing is put under it.
    let new = scratch.path().join("new");
    fs::create_dir(&new).unwrap();
    for name in ["f", "hosts"] {
        fs::write(new.join(name), "new").unwrap();
        let pushed = said(sandbox.push(&new.join("."), "/etc"));
        for said in [pushed, said(push_tar_of(&sandbox, &new, "/etc"))] {
            match live.is_podman() {
                true => assert!(said.ends_with("; resume it first"), "{said}"),
                false => assert!(said.ends_with("mounted by itself cannot be replaced")),
            }
        }
        fs::remove_file(new.join(name)).unwrap();
    }
}

#[test]
fn what_is_mounted_in_what_is_mounted_in_a_stopped_sandbox_comes_out() {
    let Some(live) = Live::begin() else { return };
    let (outer, inner, scratch) = (Scratch::new(), Scratch::new(), Scratch::new());
    fs::write(outer.path().join("a"), "outer").unwrap();
    fs::write(inner.path().join("b"), "inner").unwrap();
    let options = live
        .options()
        .volume(Volume::new(outer.path(), "/srv/outer"))
        .volume(Volume::new(inner.path(), "/srv/outer/inner"));
    let sandbox = live.create(&options);
    sandbox.stop().unwrap();
    let out = scratch.path().join("out");
    sandbox.pull("/srv", &out).unwrap();
    assert_eq!(fs::read(out.join("outer/a")).unwrap(), b"outer");
    assert_eq!(fs::read(out.join("outer/inner/b")).unwrap(), b"inner");

    fs::write(out.join("outer/inner/b"), "changed").unwrap();
    fs::write(out.join("new"), "new").unwrap();
    let report = sandbox.push(&out.join("."), "/srv").unwrap();
    assert_eq!((report.entries, report.bytes), (5, 5 + 7 + 3));
    assert_eq!(fs::read(inner.path().join("b")).unwrap(), b"changed");
    assert_eq!(sandbox.read_file("/srv/new").unwrap(), b"new");
    assert_eq!(sandbox.list_files("/srv/outer").unwrap(), ["a", "inner"]);

    fs::write(out.join("outer/inner/b"), "unpacked").unwrap();
    fs::write(out.join("outer/a"), "too").unwrap();
    let report = push_tar_of(&sandbox, &out, "/srv").unwrap();
    assert_eq!((report.entries, report.bytes), (6, 3 + 8 + 3));
    assert_eq!(fs::read(inner.path().join("b")).unwrap(), b"unpacked");
    assert_eq!(fs::read(outer.path().join("a")).unwrap(), b"too");
}

#[test]
fn a_mount_point_behind_a_link_is_the_one_place_by_either_path() {
    let Some(live) = Live::begin() else { return };
    let (outer, inner, scratch) = (Scratch::new(), Scratch::new(), Scratch::new());
    fs::write(inner.path().join("f"), "mounted").unwrap();
    let options = live
        .options()
        .image(live.debian_image())
        // There, `/var/run` is a link to `/run`.
        .volume(Volume::new(outer.path(), "/var/run/a"))
        .volume(Volume::new(inner.path(), "/var/run/a/b"));
    let sandbox = live.create(&options);
    sandbox.stop().unwrap();
    if let Err(error) = sandbox.read_file("/etc/passwd") {
        // Docker 28 gives out nothing at all then (docs/engines.md, "Faults of engines").
        assert!(error.to_string().ends_with("path escapes from parent"));
        return;
    }
    for (number, path) in ["/run", "/var/run/"].iter().enumerate() {
        let out = scratch.path().join(number.to_string());
        sandbox.pull(path, &out).unwrap();
        assert_eq!(fs::read(out.join("a/b/f")).unwrap(), b"mounted", "{path}");
    }
    sandbox.write_file("/run/a/g", "written").unwrap();
    assert_eq!(fs::read(outer.path().join("g")).unwrap(), b"written");
    sandbox.write_file("/var/run/a/g", "again").unwrap();
    assert_eq!(sandbox.read_file("/run/a/g").unwrap(), b"again");
    assert_eq!(sandbox.list_files("/run/a").unwrap(), ["b", "g"]);
}

/// A sandbox may be stopped in a state in which it cannot be started any more.
#[test]
fn what_is_mounted_where_no_way_leads_is_in_nobodys_way() {
    let Some(live) = Live::begin() else { return };
    let (mounted, scratch) = (Scratch::new(), Scratch::new());
    let options = live
        .options()
        .volume(Volume::new(mounted.path(), "/a/b/data"));
    let sandbox = live.create(&options);
    let setup = "mv /a /c; ln -s loop /loop; ln -s loop /a; echo kept >/root/f";
    assert!(sandbox.run(setup).unwrap().ok());
    sandbox.stop().unwrap();
    let said = said(sandbox.pull("/root/f", &scratch.path().join("f")));
    match live.is_podman() {
        true => assert_eq!(said, "done"),
        // It looks at nothing then.
        false => assert!(said.contains("too many links"), "{said}"),
    }
}

#[test]
fn what_goes_where_something_is_mounted_in_a_stopped_sandbox_is_not_lost() {
    let Some(live) = Live::begin() else { return };
    let (mounted, scratch) = (Scratch::new(), Scratch::new());
    let sandbox = stopped_with_mounts(&live, &mounted);
    let dir = mounted.path().join("dir");
    let source = scratch.path().join("srv");
    fs::create_dir_all(source.join("data/new")).unwrap();
    fs::write(source.join("data/new/c"), "c").unwrap();
    fs::write(source.join("beside"), "beside").unwrap();

    sandbox.push(&source.join("data"), "/srv").unwrap();
    assert_eq!(fs::read(dir.join("new/c")).unwrap(), b"c");
    sandbox.push(&source.join("beside"), "/k/").unwrap();
    sandbox.write_file("/l/made/d", "d").unwrap();
    assert_eq!(fs::read(dir.join("made/d")).unwrap(), b"d");
    assert_eq!(fs::read(dir.join("beside")).unwrap(), b"beside");
    fs::write(source.join("data/late"), "late").unwrap();
    let report = sandbox.push(&source, "/").unwrap();
    assert_eq!((report.entries, report.bytes), (5, 6 + 4 + 1));
    assert_eq!(fs::read(dir.join("late")).unwrap(), b"late");
    assert_eq!(sandbox.read_file("/srv/beside").unwrap(), b"beside");
    // And so with an archive, which is read once.
    fs::write(source.join("data/late"), "later").unwrap();
    let report = push_tar_of(&sandbox, &source, "/srv").unwrap();
    assert_eq!((report.entries, report.bytes), (6, 6 + 5 + 1));
    assert_eq!(fs::read(dir.join("late")).unwrap(), b"later");
    // What has nothing for it, goes beside it.
    fs::remove_dir_all(source.join("data")).unwrap();
    sandbox.push(&source, "/").unwrap();
    assert_eq!(sandbox.read_file("/srv/beside").unwrap(), b"beside");
}

#[test]
fn nothing_is_lost_in_the_memory_of_a_stopped_sandbox() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().tmpfs(Tmpfs::new("/scratch")));
    sandbox.stop().unwrap();
    let source = Scratch::new();
    fs::create_dir(source.path().join("root")).unwrap();
    fs::write(source.path().join("root/beside"), "beside").unwrap();
    push_tar_of(&sandbox, source.path(), "/").unwrap();
    assert_eq!(sandbox.read_file("/root/beside").unwrap(), b"beside");
    fs::create_dir(source.path().join("scratch")).unwrap();
    // The directory is there.
    push_tar_of(&sandbox, source.path(), "/").unwrap();
    sandbox.push(&source.path().join("."), "/").unwrap();
    fs::write(source.path().join("scratch/late"), "late").unwrap();
    let written = [
        sandbox.write_file("/scratch/dir/file", "kept"),
        sandbox.push(&source.path().join("."), "/").map(drop),
        push_tar_of(&sandbox, source.path(), "/").map(drop),
    ];
    if !live.is_podman() {
        for said in refused_until_it_runs(written) {
            assert!(said.contains("'/scratch"), "{said}");
        }
        return;
    }
    written.into_iter().collect::<Result<(), _>>().unwrap();
    sandbox.resume().unwrap();
    assert_eq!(sandbox.read_file("/scratch/dir/file").unwrap(), b"kept");
}

/// Docker's endpoint sees what lies under the memory: another directory, or nothing.
#[test]
fn memory_of_a_sandbox_without_tar_is_not_taken_for_something_else() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let options = live.options().image(live.debian_image());
    let sandbox = live.create(&options.tmpfs(Tmpfs::new("/mem")));
    let made = "echo in memory >/mem/note; ln -s /mem /to; rm /usr/bin/tar";
    assert!(sandbox.run(made).unwrap().ok());
    for source in ["/mem", "/mem/.", "/mem/note", "/to/."] {
        let pulled = sandbox.pull(source, &scratch.join("out"));
        if live.is_podman() {
            assert!(pulled.is_ok(), "{source}: {pulled:?}");
            fs::remove_dir_all(scratch.join("out"))
                .or_else(|_| fs::remove_file(scratch.join("out")))
                .unwrap();
            continue;
        }
        assert!(pulled.is_err(), "{source}: {pulled:?}");
        let said = pulled.unwrap_err().to_string();
        assert!(said.contains("'tar' in the sandbox"), "{source}: {said}");
        assert!(!scratch.join("out").exists(), "{source}");
    }
    let file = scratch.write("file", b"x");
    let pushed = sandbox.push(&file, "/mem/file");
    match live.is_podman() {
        true => assert_eq!(sandbox.run("cat /mem/file").unwrap().stdout, b"x"),
        false => {
            let said = pushed.unwrap_err().to_string();
            assert!(said.contains("'tar' in the sandbox"), "{said}");
        }
    }
}

#[test]
fn no_link_leads_behind_what_is_mounted() {
    let Some(live) = Live::begin() else { return };
    let (mounted, scratch) = (Scratch::new(), Scratch::new());
    let options = live
        .options()
        .volume(Volume::new(mounted.path(), "/srv/data"))
        .tmpfs(Tmpfs::new("/srv/mem"));
    let sandbox = live.create(&options);
    let setup = "mkdir -p /home/x; ln -s /srv /up; ln -s ../../srv/mem /home/x/mem; \
        ln -s /srv/data /home/x/data; ln -s /etc /e; ln -s /root /home/x/root; mkdir /opt; \
        ln -s /opt /home/y; ln -s /srv/mem /opt/mem; ln -s /srv/data /opt/data";
    assert!(sandbox.run(setup).unwrap().ok());
    sandbox.stop().unwrap();

    sandbox.write_file("/up/data/f", "by a link").unwrap();
    assert_eq!(fs::read(mounted.path().join("f")).unwrap(), b"by a link");
    sandbox
        .write_file("/home/x/../../up/./data/f", "a way round")
        .unwrap();
    assert_eq!(fs::read(mounted.path().join("f")).unwrap(), b"a way round");

    let mut refused = vec![sandbox.write_file("/dev/shm/f", "lost")];
    match live.is_podman() {
        true => refused.extend([
            sandbox.write_file("/etc/./hosts", "lost"),
            sandbox.write_file("/e/hosts", "lost"),
        ]),
        false => refused.extend([
            sandbox.write_file("/up/mem/f", "lost"),
            sandbox.write_file("/home/x/mem/f", "lost"),
        ]),
    }
    // By a directory in a tree, which comes upon a link.
    let lost = if live.is_podman() { "data" } else { "mem" };
    let tree = scratch.path().join("tree");
    fs::create_dir_all(tree.join("x").join(lost)).unwrap();
    fs::write(tree.join("x").join(lost).join("f"), "lost").unwrap();
    refused.push(sandbox.push(&tree.join("."), "/home").map(drop));
    refused.push(push_tar_of(&sandbox, &tree, "/home").map(drop));
    fs::create_dir_all(tree.join("up").join(lost)).unwrap();
    fs::remove_dir_all(tree.join("x")).unwrap();
    fs::write(tree.join("up").join(lost).join("f"), "lost").unwrap();
    let member = format!("up/{lost}/f");
    let archive = tar(&["-c".as_ref(), member.as_ref()], &tree);
    let mut go_on = |_: &Progress| ControlFlow::Continue(());
    let unpacked = sandbox.push_archive(&mut archive.as_slice(), "/", &mut go_on);
    refused.push(unpacked.map(drop));
    // One link after the other.
    fs::create_dir_all(tree.join("y").join(lost)).unwrap();
    fs::write(tree.join("y").join(lost).join("f"), "lost").unwrap();
    let member = format!("y/{lost}/f");
    let archive = tar(&["-c".as_ref(), member.as_ref()], &tree);
    let unpacked = sandbox.push_archive(&mut archive.as_slice(), "/home", &mut go_on);
    refused.push(unpacked.map(drop));
    refused_until_it_runs(refused);
    assert_eq!(sandbox.list_files("/srv/data").unwrap(), ["f"]);

    // Any other link is the engine's business.
    fs::remove_dir_all(tree.join("up")).unwrap();
    fs::remove_dir_all(tree.join("y")).unwrap();
    fs::create_dir_all(tree.join("x")).unwrap();
    fs::write(tree.join("x/beside"), "beside").unwrap();
    sandbox.push(&tree.join("."), "/home").unwrap();
    assert_eq!(sandbox.read_file("/home/x/beside").unwrap(), b"beside");
}

/// The engine mounts at what a link leads to, and tells the link.
#[test]
fn memory_at_a_link_is_where_that_leads() {
    let Some(live) = Live::begin() else { return };
    let options = live.options().image(live.debian_image());
    let sandbox = live.create(&options.tmpfs(Tmpfs::new("/var/run")));
    sandbox.stop().unwrap();
    let written = [
        sandbox.write_file("/run/f", "lost"),
        sandbox.write_file("/var/run/f", "lost"),
    ];
    if !live.is_podman() {
        refused_until_it_runs(written);
        return;
    }
    // It copies into the memory what lies under it.
    written.into_iter().collect::<Result<(), _>>().unwrap();
    sandbox.resume().unwrap();
    assert_eq!(sandbox.read_file("/run/f").unwrap(), b"lost");
}

#[test]
fn a_directory_comes_in_the_place_of_nothing_else() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let source = scratch.path().join("site");
    fs::create_dir_all(source.join("in/uploads")).unwrap();
    fs::write(source.join("in/uploads/new"), "new").unwrap();
    // Enough for another way, if there is one.
    fs::write(source.join("large"), vec![0; 8 << 20]).unwrap();
    let debian = live.options().image(live.debian_image());
    for (name, options, stops) in [
        ("busybox", live.options(), false),
        ("GNU tar", debian.clone(), false),
        ("stopped", live.options(), true),
    ] {
        let sandbox = live.create(&options);
        let setup = "mkdir -p /a/site/in /b/site/in /vol; echo kept >/a/site/in/uploads; \
            ln -s /vol /b/site/in/uploads";
        assert!(sandbox.run(setup).unwrap().ok());
        if stops {
            sandbox.stop().unwrap();
        }
        for place in ["/a", "/b"] {
            let refused = sandbox.push(&source, place).unwrap_err();
            let said = refused.to_string();
            assert!(said.contains("uploads"), "{name}: {said}");
        }
        sandbox.resume().unwrap();
        let look = "cat /a/site/in/uploads; readlink /b/site/in/uploads; ls /vol";
        let seen = sandbox.run(look).unwrap();
        assert_eq!(seen.stdout_text(), "kept\n/vol\n", "{name}");
        if !stops {
            // Before anything was changed.
            let sites = sandbox.run("ls /a/site /b/site").unwrap();
            assert!(!sites.stdout_text().contains("large"), "{name}");
        }
    }
    // What is in an archive goes behind the link, as GNU tar is asked to.
    let sandbox = live.create(&debian);
    let setup = "mkdir -p /site/in /vol; ln -s /vol /site/in/uploads";
    assert!(sandbox.run(setup).unwrap().ok());
    push_tar_of(&sandbox, &source, "/site").unwrap();
    assert_eq!(sandbox.read_file("/vol/new").unwrap(), b"new");
}

#[test]
fn the_last_of_what_stands_twice_in_an_archive_stays() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    let add = |mode| {
        tree::set_mode(&scratch.path().join("d"), mode);
        let arguments = ["-rf", "all.tar", "d"].map(str::as_ref);
        tar(&arguments, scratch.path());
    };
    fs::create_dir(scratch.path().join("d")).unwrap();
    fs::write(scratch.path().join("d/f"), "f").unwrap();
    add(0o755);
    add(0o700);
    let archive = fs::read(scratch.path().join("all.tar")).unwrap();
    for stops in [false, true] {
        let sandbox = live.sandbox();
        if stops {
            sandbox.stop().unwrap();
        }
        let mut go_on = |_: &Progress| ControlFlow::Continue(());
        let pushed = sandbox.push_archive(&mut archive.as_slice(), "/root", &mut go_on);
        assert_eq!(pushed.unwrap().entries, 4);
        sandbox.resume().unwrap();
        let mode = sandbox.run("stat -c %a /root/d").unwrap();
        assert_eq!(mode.stdout_text(), "700\n");
    }
}
