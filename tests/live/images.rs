//! Images made from sandboxes and directories, and carried in archives.
//!
//! Builds use no cache: Podman 4.3 fails to look into it while another image is being removed.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::{env, fs};

use pocketdock_core::engine::images;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{BuildContext, BuildOptions, Container, Error, Progress};

use crate::disturbed::pause;
use crate::fixture::Live;

/// Images that go when a test ends.
struct Images<'a> {
    live: &'a Live,
    names: Vec<String>,
}

impl<'a> Images<'a> {
    fn new(live: &'a Live) -> Self {
        Images {
            live,
            names: Vec::new(),
        }
    }

    /// A name for an image, of this form around a word of its own.
    fn name(&mut self, before: &str, after: &str) -> String {
        let name = format!("{before}{}{after}", self.live.name());
        self.names.push(name.clone());
        name
    }
}

impl Drop for Images<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            let _gone_already = images::remove(self.live.client(), name);
        }
    }
}

/// A directory that goes when a test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(live: &Live, files: &[(&str, &str)]) -> Self {
        let dir = env::temp_dir().join(live.name());
        for (name, text) in files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Scratch(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn inspect(live: &Live, image: &str) -> Value {
    images::inspect(live.client(), image)
        .unwrap()
        .unwrap_or_else(|| panic!("no image {image}"))
}

/// Our own labels on an image.
fn leaked(image: &Value) -> Vec<String> {
    let labels = image.at(&["Config", "Labels"]).and_then(Value::as_object);
    let keys = labels.into_iter().flat_map(|labels| labels.iter());
    keys.map(|(key, _)| key.to_owned())
        .filter(|key| key.starts_with("pocketdock."))
        .collect()
}

/// The IDs of images without a name that come from a sandbox with this label.
fn nameless(live: &Live, label: &str) -> Vec<String> {
    // Podman fails while another test removes one of them.
    let mut lists = (0..100).map(|_| images::list(live.client()));
    let all = lists.find_map(Result::ok).unwrap().into_iter();
    let ours = all.filter(|image| image.at(&["Labels", label]).is_some());
    let bare = ours.filter(|image| {
        let tags = image.array_at(&["RepoTags"]).unwrap_or_default();
        tags.iter().all(|tag| tag.as_str() == Some("<none>:<none>"))
    });
    bare.map(|image| image.str_at(&["Id"]).unwrap().to_owned())
        .collect()
}

fn stdout(sandbox: &Container, command: &str) -> String {
    let result = sandbox.run(command).unwrap();
    assert!(result.ok(), "{command}: {result:?}");
    result.stdout_text().into_owned()
}

#[test]
fn a_snapshot_has_the_files_and_none_of_our_labels() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    for (before, after) in [
        ("", ""),
        ("", ":1"),
        ("pdlive/", ":1"),
        ("localhost/", ":1"),
        ("localhost:5000/pdlive/", ":v1.0"),
    ] {
        let name = names.name(before, after);
        let label = live.name();
        let options = live.options().label(&label, "kept").env("GREETING", "hi");
        let sandbox = live.create(&options.project("web").workdir("/tmp"));
        stdout(&sandbox, "echo written >/home/sandbox/file; rm /etc/group");
        let id = sandbox.snapshot(&name).unwrap();
        let image = inspect(&live, &name);
        let found = image.str_at(&["Id"]).unwrap();
        assert_eq!(found.trim_start_matches("sha256:"), &id["sha256:".len()..]);
        assert_eq!(leaked(&image), <[String; 0]>::default(), "{name}");
        assert_eq!(image.str_at(&["Config", "Labels", &label]), Some("kept"));
        assert_eq!(nameless(&live, &label), <[String; 0]>::default(), "{name}");

        let again = live.create(&live.options().image(&name));
        let files = "cat file /home/sandbox/file; echo $GREETING; ls -d /etc/group; pwd";
        let seen = again.run(files).unwrap();
        assert_eq!(seen.stdout_text(), "written\nhi\n/tmp\n", "{name}");
        assert_eq!(again.project(), None);
    }
}

/// The placeholder of a sandbox is not what its image is meant to run.
#[test]
fn a_snapshot_starts_what_the_sandboxs_image_starts() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let dir = Scratch::new(
        &live,
        &[(
            "Dockerfile",
            &format!(
                "FROM {}\nENTRYPOINT [\"echo\"]\nCMD [\"hello\"]\n",
                live.image()
            ),
        )],
    );
    let base = names.name("localhost/", ":1");
    let options = BuildOptions::new().no_cache().tag(&base);
    let context = BuildContext::directory(&dir.0);
    live.engine()
        .build_from(context, &options, &mut |_| {})
        .unwrap();
    let words = |image: &str, key: &str| -> Vec<String> {
        let image = inspect(&live, image);
        let words = image.array_at(&["Config", key]).unwrap_or_default().iter();
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let plain = names.name("localhost/", ":1");
    live.create(&live.options().image(&base))
        .snapshot(&plain)
        .unwrap();
    assert_eq!(
        (words(&plain, "Entrypoint"), words(&plain, "Cmd")),
        (vec!["echo".into()], vec!["hello".into()])
    );
    let own = names.name("localhost/", ":1");
    let options = live.options().command(["sleep", "1h"]);
    live.create(&options).snapshot(&own).unwrap();
    assert_eq!(words(&own, "Cmd"), ["sleep", "1h"]);
}

#[test]
fn a_snapshot_of_a_sandbox_that_does_not_run() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let sandbox = live.create(&live.options());
    stdout(&sandbox, "echo written >/home/sandbox/file");
    let status = || {
        live.inspect(&sandbox)
            .str_at(&["State", "Status"])
            .unwrap()
            .to_owned()
    };
    for wanted in ["running", "paused", "exited"] {
        if wanted == "paused" && !live.has_control_groups() {
            continue;
        }
        match wanted {
            "paused" => pause(live.client(), sandbox.container_id()),
            "exited" => sandbox.stop().unwrap(),
            _ => {}
        }
        assert_eq!(status(), wanted);
        let name = names.name("localhost/", ":1");
        sandbox.snapshot(&name).unwrap();
        assert_eq!(status(), wanted, "it stays as it was");
        let again = live.create(&live.options().image(&name));
        assert_eq!(
            stdout(&again, "cat /home/sandbox/file"),
            "written\n",
            "{wanted}"
        );
    }
}

#[test]
fn a_snapshot_of_a_snapshot() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let (label, name) = (live.name(), names.name("", ":1"));
    let mut image = live.image().to_owned();
    for round in 1..=3 {
        let sandbox = live.create(&live.options().image(&image).label(&label, "x"));
        stdout(&sandbox, &format!("echo {round} >>/home/sandbox/rounds"));
        sandbox.snapshot(&name).unwrap();
        drop(sandbox);
        image.clone_from(&name);
    }
    let sandbox = live.create(&live.options().image(&image));
    assert_eq!(stdout(&sandbox, "cat /home/sandbox/rounds"), "1\n2\n3\n");
    let history = images::history(live.client(), &name).unwrap();
    assert!(3 < history.len(), "{history:?}");
    drop(sandbox);
    // What lost the name to the next round stays, as it does with the engines' own programs.
    for id in nameless(&live, &label) {
        let _in_use_by_the_next = images::remove(live.client(), &id);
    }
}

#[test]
fn a_snapshot_by_a_bad_name_leaves_nothing() {
    let Some(live) = Live::begin() else { return };
    let label = live.name();
    let sandbox = live.create(&live.options().label(&label, "x"));
    for name in ["", "Upper", "a:b:c", "localhost/a:", "a@sha256:00", "a b"] {
        let error = sandbox.snapshot(name).unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { .. }),
            "{name}: {error:?}"
        );
    }
    assert_eq!(nameless(&live, &label), <[String; 0]>::default());
    sandbox.shutdown(true).unwrap();
    let error = sandbox.snapshot("localhost/a:1").unwrap_err();
    assert!(
        matches!(error, Error::ContainerNotFound { .. }),
        "{error:?}"
    );
}

#[test]
fn a_build_from_a_directory() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let dockerfile = format!(
        "FROM {}\nARG WHO=nobody\nCOPY . /app\nRUN echo \"hello $WHO\" >/said\n",
        live.image()
    );
    let files = [
        ("docker/Dockerfile", dockerfile.as_str()),
        (".dockerignore", "**/*.log\n!keep.log\ntarget\n# the end\n"),
        ("keep.log", "k"),
        ("a.log", "a"),
        ("src/b.log", "b"),
        ("src/main.rs", "m"),
        ("target/x/y", "y"),
        ("docker/Dockerfile.log", "d"),
    ];
    let dir = Scratch::new(&live, &files);
    std::os::unix::fs::symlink("src/main.rs", dir.0.join("link")).unwrap();
    let (one, two) = (names.name("localhost/", ":1"), names.name("", ""));
    let options = BuildOptions::new()
        .no_cache()
        .tag(&one)
        .tag(&two)
        .dockerfile("docker/Dockerfile")
        .build_arg("WHO", "w\u{f6}rld & co")
        .label("built", "yes")
        .no_cache();
    let mut log = String::new();
    let context = BuildContext::directory(&dir.0);
    let id = live
        .engine()
        .build_from(context, &options, &mut |text| log += text)
        .unwrap();
    assert!(log.contains("RUN echo"), "{log}");
    for name in [&one, &two] {
        let image = inspect(&live, name);
        let found = image.str_at(&["Id"]).unwrap();
        assert!(
            found.contains(id.trim_start_matches("sha256:")),
            "{id} is {found}"
        );
        assert_eq!(image.str_at(&["Config", "Labels", "built"]), Some("yes"));
    }
    let sandbox = live.create(&live.options().image(&two));
    let list = stdout(
        &sandbox,
        "cd /app; find . -type f -o -type l | grep -v -i docker | sort; cat link /said",
    );
    assert_eq!(
        list,
        "./keep.log\n./link\n./src/main.rs\nmhello w\u{f6}rld & co\n"
    );
}

#[test]
fn a_build_from_an_archive() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let name = names.name("localhost/", ":1");
    let dir = Scratch::new(
        &live,
        &[
            ("Dockerfile", &format!("FROM {}\nCOPY x /x\n", live.image())),
            ("x", "x"),
        ],
    );
    let tar = std::process::Command::new("tar")
        .arg("-cz")
        .arg("-C")
        .arg(&dir.0)
        .arg(".")
        .output()
        .unwrap();
    let context = BuildContext::archive(tar.stdout.as_slice());
    live.engine()
        .build_from(
            context,
            &BuildOptions::new().no_cache().tag(&name),
            &mut |_| {},
        )
        .unwrap();
    assert!(live.engine().image_exists(&name).unwrap());
}

#[test]
fn a_build_that_fails_names_its_step_and_leaves_no_image() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let name = names.name("localhost/", ":1");
    let dockerfile = format!(
        "FROM {}\nRUN echo fine\nRUN for i in 1 2 3; do echo line $i; done; exit 42\n",
        live.image()
    );
    let dir = Scratch::new(&live, &[("Dockerfile", &dockerfile)]);
    let build = |options: &BuildOptions| {
        live.engine()
            .build_from(BuildContext::directory(&dir.0), options, &mut |_| {})
            .unwrap_err()
    };
    let Error::BuildFailed {
        step,
        message,
        log_tail,
    } = build(&BuildOptions::new().no_cache().tag(&name))
    else {
        panic!("another error");
    };
    assert!(step.to_lowercase().starts_with("step 3/3"), "{step}");
    assert!(message.contains("42"), "{message}");
    assert!(log_tail.contains("line 1\nline 2\nline 3"), "{log_tail}");
    assert!(!live.engine().image_exists(&name).unwrap());
    // A name that the engine would refuse when all is built is refused before.
    assert!(matches!(
        build(&BuildOptions::new().no_cache().tag("Upper")),
        Error::InvalidArgument { .. }
    ));
    fs::write(dir.0.join("Dockerfile"), "FROM\nNONSENSE\n").unwrap();
    let error = build(&BuildOptions::new().no_cache());
    assert!(matches!(error, Error::BuildFailed { .. }), "{error:?}");
}

#[test]
fn a_network_for_the_steps_is_had_or_refused() {
    let Some(live) = Live::begin() else { return };
    let dockerfile = format!("FROM {}\nRUN ls /sys/class/net | wc -l\n", live.image());
    let dir = Scratch::new(&live, &[("Dockerfile", &dockerfile)]);
    let mut log = String::new();
    let options = BuildOptions::new().no_cache().network("none");
    let built = live
        .engine()
        .build_from(BuildContext::directory(&dir.0), &options, &mut |text| {
            log += text
        });
    match built {
        Ok(id) => {
            assert!(!live.is_podman());
            assert!(log.contains("\n1\n"), "{log}");
            images::remove(live.client(), &id).unwrap();
        }
        Err(error) => {
            assert!(live.is_podman());
            assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
            assert_eq!(log, "");
        }
    }
}

/// An image with a file of its own, from a directory that a test has made.
fn build_small(live: &Live, names: &mut Images<'_>, text: &str) -> String {
    let name = names.name("localhost/", ":1");
    let dockerfile = format!("FROM {}\nCOPY own /own\n", live.image());
    let dir = Scratch::new(live, &[("Dockerfile", &dockerfile), ("own", text)]);
    let options = BuildOptions::new().no_cache().tag(&name);
    live.engine()
        .build_from(BuildContext::directory(&dir.0), &options, &mut |_| {})
        .unwrap();
    name
}

#[test]
fn two_images_leave_and_come_back_in_one_archive() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let (one, two) = (
        build_small(&live, &mut names, "1"),
        build_small(&live, &mut names, "2"),
    );
    let mut archive = Vec::new();
    let mut seen = Vec::new();
    let on_progress = |progress: &Progress| seen.push(progress.done_bytes);
    let len = live
        .engine()
        .export_with(&[&one, &two, &one], &mut archive, on_progress)
        .unwrap();
    assert_eq!(archive.len() as u64, len);
    assert_eq!(seen.last(), Some(&len));
    assert!(seen.is_sorted());

    for name in [&one, &two] {
        images::remove(live.client(), name).unwrap();
    }
    let mut back = live.engine().import(archive.as_slice()).unwrap();
    back.sort();
    let mut wanted = vec![one.clone(), two.clone()];
    wanted.sort();
    assert_eq!(back, wanted);
    for (name, text) in [(&one, "1"), (&two, "2")] {
        let sandbox = live.create(&live.options().image(name));
        assert_eq!(stdout(&sandbox, "cat /own"), text);
    }
}

#[test]
fn a_snapshot_is_carried() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let name = names.name("", ":1");
    let sandbox = live.create(&live.options());
    stdout(&sandbox, "echo written >/home/sandbox/file");
    sandbox.snapshot(&name).unwrap();
    let mut archive = Vec::new();
    live.engine().export(&[&name], &mut archive).unwrap();
    images::remove(live.client(), &name).unwrap();
    live.engine().import(archive.as_slice()).unwrap();
    let again = live.create(&live.options().image(&name));
    assert_eq!(stdout(&again, "cat /home/sandbox/file"), "written\n");
}

#[test]
fn what_is_not_there_is_named_before_anything_is_written() {
    let Some(live) = Live::begin() else { return };
    let missing = format!("localhost/{}:1", live.name());
    for images in [&[missing.as_str()][..], &[live.image(), &missing]] {
        let mut archive = Vec::new();
        let error = live.engine().export(images, &mut archive).unwrap_err();
        assert!(
            matches!(&error, Error::ImageNotFound { image } if *image == missing),
            "{error:?}"
        );
        assert_eq!(archive, b"");
    }
    let none = live.engine().export(&[], &mut Vec::new()).unwrap_err();
    assert!(matches!(none, Error::InvalidArgument { .. }), "{none:?}");
}

#[test]
fn archives_that_are_none_or_not_whole() {
    let Some(live) = Live::begin() else { return };
    let mut names = Images::new(&live);
    let name = build_small(&live, &mut names, "1");
    let mut archive = Vec::new();
    live.engine().export(&[&name], &mut archive).unwrap();
    images::remove(live.client(), &name).unwrap();
    let noise: Vec<u8> = (0..1_u32 << 20)
        .flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes())
        .collect();
    let half = &archive[..archive.len() / 2];
    let cases: [(&str, &[u8]); 5] = [
        ("nothing", b""),
        ("text", b"no archive"),
        ("noise", &noise),
        ("half", half),
        ("half of a block", &archive[..half.len() / 512 * 512 - 100]),
    ];
    for (case, bytes) in cases {
        let error = live.engine().import(bytes).unwrap_err();
        assert!(
            matches!(error, Error::ImportFailed { .. }),
            "{case}: {error:?}"
        );
        assert!(!live.engine().image_exists(&name).unwrap(), "{case}");
    }
}

#[test]
fn a_source_or_a_sink_that_fails_is_told_as_such() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 < 10 {
                buffer.fill(b'x');
                return Ok(buffer.len());
            }
            Err(io::Error::other("the disk is on fire"))
        }
    }
    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                0..10 => Ok(bytes.len()),
                _ => Err(io::ErrorKind::StorageFull.into()),
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let Some(live) = Live::begin() else { return };
    let error = live.engine().import(Failing(0)).unwrap_err();
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
    let error = live
        .engine()
        .export(&[live.image()], Failing(0))
        .unwrap_err();
    assert!(
        matches!(&error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull),
        "{error:?}"
    );
}
