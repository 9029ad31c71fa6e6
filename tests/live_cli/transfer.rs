//! `snapshot`, `export` and `import`: what is installed in a sandbox is carried in a file and runs
//! from there under the same name.

use std::fs;
use std::process::Command;

use crate::live::{Live, code, live, text, unique_name};
use crate::support::scratch::Scratch;

/// An image that goes when a test ends.
struct Image<'l> {
    live: &'l Live,
    name: String,
}

impl<'l> Image<'l> {
    /// What a sandbox has become that ran this.
    fn snapshot(live: &'l Live, command: &str) -> Self {
        let sandbox = live.sandbox();
        assert_eq!(code(&sandbox.run(&[command])), 0);
        let name = format!("{}:1", unique_name());
        let taken = live.run(&["snapshot", &sandbox.name, &name]);
        assert_eq!(code(&taken), 0, "{taken:?}");
        assert!(text(&taken.stdout).starts_with("sha256:"), "{taken:?}");
        Image { live, name }
    }

    fn remove(&self) {
        // Without a command of ours for it.
        self.live.delete(&format!("/images/{}", self.name));
    }

    /// What a sandbox made of it prints.
    fn run(&self, command: &str) -> String {
        let (image, quietly) = (["run", "--image", &self.name], self.live.without_warnings());
        let output = self.live.run(&[&image, quietly, &["--", command]].concat());
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    }
}

impl Drop for Image<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

#[test]
fn a_snapshot_is_carried_in_a_file() {
    let Some(live) = live() else { return };
    let dir = Scratch::new();
    let one = Image::snapshot(&live, "echo one >/home/sandbox/said");
    let two = Image::snapshot(&live, "echo two >/home/sandbox/said");
    for name in ["images.tar", "images.tar.gz"] {
        let file = dir.path().join(name);
        let file = file.to_str().unwrap();
        let exported = live.run(&[
            "export", "--image", &one.name, "--image", &two.name, "-o", file,
        ]);
        assert_eq!(code(&exported), 0, "{exported:?}");
        assert_eq!(text(&exported.stdout), format!("{file}\n"));
        let checked = Command::new("sha256sum")
            .args(["-c", &format!("{name}.sha256")])
            .current_dir(dir.path())
            .output();
        assert!(checked.unwrap().status.success());
        for image in [&one, &two] {
            image.remove();
            assert!(image.run("true").contains("no image named"));
        }
        let imported = live.run(&["import", file]);
        assert_eq!(code(&imported), 0, "{imported:?}");
        assert_eq!(text(&imported.stdout).lines().count(), 2, "{imported:?}");
        assert_eq!(one.run("cat /home/sandbox/said"), "one\n");
        assert_eq!(two.run("cat /home/sandbox/said"), "two\n");
        let piped = live.run_with_input(&["--json", "import", "-"], &fs::read(file).unwrap());
        assert_eq!(code(&piped), 0, "{piped:?}");
        assert!(
            text(&piped.stdout).starts_with("{\"images\":[\""),
            "{piped:?}"
        );
    }
}

/// An image of each, used on the other by the name it was given.
#[test]
fn images_go_from_engine_to_engine() {
    let Some(here) = live() else { return };
    let Some(there) = here.other() else { return };
    let dir = Scratch::new();
    let file = dir.path().join("images.tar.gz");
    let file = file.to_str().unwrap();
    for (from, to) in [(&here, &there), (&there, &here)] {
        let image = Image::snapshot(from, "echo said >/home/sandbox/said");
        let exported = from.run(&["export", "--image", &image.name, "-o", file]);
        assert_eq!(code(&exported), 0, "{exported:?}");
        let carried = Image {
            live: to,
            name: image.name.clone(),
        };
        assert!(carried.run("true").contains("no image named"));
        let imported = to.run(&["import", file]);
        assert_eq!(code(&imported), 0, "{imported:?}");
        assert_eq!(carried.run("cat /home/sandbox/said"), "said\n");
    }
}

#[test]
fn an_archive_that_is_not_what_it_was_is_refused() {
    let Some(live) = live() else { return };
    let dir = Scratch::new();
    let image = Image::snapshot(&live, "echo one >/home/sandbox/said");
    for name in ["images.tar", "images.tar.gz"] {
        let file = dir.path().join(name);
        let path = file.to_str().unwrap();
        let exported = live.run(&["export", "--image", &image.name, "-o", path]);
        assert_eq!(code(&exported), 0, "{exported:?}");
        let whole = fs::read(&file).unwrap();
        let mut broken = whole.clone();
        for byte in broken.iter_mut().skip(whole.len() / 3).take(1000) {
            *byte ^= 0x55;
        }
        image.remove();
        for (case, bytes) in [("cut", &whole[..whole.len() / 2]), ("broken", &broken)] {
            fs::write(&file, bytes).unwrap();
            let refused = live.run(&["import", path]);
            assert_eq!(code(&refused), 1, "{name} {case}: {refused:?}");
            let said = text(&refused.stderr);
            assert!(
                said.contains("images.tar") && said.contains(".sha256'"),
                "{said}"
            );
        }
        // Without a checksum, the end that is missing tells.
        fs::remove_file(dir.path().join(format!("{name}.sha256"))).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        for (words, input) in [
            (["import", path], &b""[..]),
            (["import", "-"], &whole[..whole.len() / 2]),
        ] {
            let refused = live.run_with_input(&words, input);
            assert_eq!(code(&refused), 1, "{name}: {refused:?}");
            assert!(image.run("true").contains("no image named"), "{name}");
        }
        fs::write(&file, &whole).unwrap();
        assert_eq!(code(&live.run(&["import", path])), 0);
    }
}

/// Whatever is wrong with a file, its name is told and what to do.
#[test]
fn what_is_no_archive_of_images_is_named() {
    let Some(live) = live() else { return };
    let dir = Scratch::new();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let whole = at("whole.tar.gz");
    let exported = live.run(&["export", "--image", &live.image, "-o", &whole]);
    assert_eq!(code(&exported), 0, "{exported:?}");
    let mut whole = fs::read(whole).unwrap();
    let cut = whole[..whole.len() / 2].to_vec();
    // Of the checksum that a gzip member ends with.
    let byte = whole.len() - 6;
    whole[byte] ^= 0xff;
    let mut other = vec![0; 1024];
    let mut header = pocketdock_core::wire::tar::header::Header::directory(b"a");
    header.mode = 0o755;
    other.splice(0..0, header.encode().unwrap());
    let cases: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "is empty"),
        ("text", b"no archive", "it is cut short, or no archive"),
        ("noise", &[b'x'; 2000], "it is no tar archive"),
        ("other", &other, "there is no image in it"),
        ("cut", &cut, "failed: "),
        ("sum", &whole, "failed: "),
    ];
    for (name, bytes, words) in cases {
        let file = at(name);
        fs::write(&file, bytes).unwrap();
        for (named, refused) in [
            (file.as_str(), live.run(&["import", &file])),
            ("stdin", live.run_with_input(&["import", "-"], bytes)),
        ] {
            assert_eq!(code(&refused), 1, "{name}: {refused:?}");
            let said = text(&refused.stderr);
            assert!(
                said.contains(&format!("'{named}'")) && said.contains(words),
                "{name}: {said}"
            );
            assert!(said.contains("\nhint: copy the archive"), "{name}: {said}");
            assert!(
                !said.contains("/tmp/") || named != "stdin",
                "{name}: {said}"
            );
        }
    }
}

#[test]
fn what_cannot_be_exported() {
    let Some(live) = live() else { return };
    let dir = Scratch::new();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let export = |image: &str, file: &str| live.run(&["export", "--image", image, "-o", file]);
    let missing = export("localhost/nosuch:1", &at("a.tar"));
    assert_eq!(code(&missing), 1);
    assert!(
        text(&missing.stderr).contains("no image named 'localhost/nosuch:1'"),
        "{missing:?}"
    );
    let nowhere = export(&live.image, &at("none/a.tar"));
    assert_eq!(code(&nowhere), 1);
    assert!(text(&nowhere.stderr).contains("none/a.tar'"), "{nowhere:?}");
    let device = export(&live.image, "/dev/null");
    assert_eq!(code(&device), 2, "{device:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A file system of a megabyte, where the system lets us have one.
#[test]
fn a_disk_that_is_full_keeps_nothing() {
    let Some(live) = live() else { return };
    let dir = Scratch::new();
    let path = dir.path().to_str().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=512k", "none", path])
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: no file system can be mounted here");
        return;
    }
    let failed: Vec<_> = ["a.tar", "a.tar.gz"]
        .iter()
        .map(|name| {
            live.run(&[
                "export",
                "--image",
                &live.image,
                "-o",
                &format!("{path}/{name}"),
            ])
        })
        .collect();
    let left = fs::read_dir(path).unwrap().count();
    let unmounted = Command::new("umount").arg(path).status();
    assert!(unmounted.unwrap().success());
    for output in failed {
        assert_eq!(code(&output), 1, "{output:?}");
        assert!(text(&output.stderr).contains("No space left"), "{output:?}");
    }
    assert_eq!(left, 0);
}

#[test]
fn a_snapshot_needs_a_sandbox_and_a_name() {
    let Some(live) = live() else { return };
    let missing = live.run(&["snapshot", "pdcli-nosuch", "x:1"]);
    assert_eq!(code(&missing), 1, "{missing:?}");
    let sandbox = live.sandbox();
    assert_eq!(code(&live.run(&["stop", &sandbox.name])), 0);
    let refused = live.run(&["snapshot", &sandbox.name, "Upper"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    let image = format!("{}:1", unique_name());
    let (value, status) = live.json(&["snapshot", &sandbox.name, &image]);
    assert_eq!(status, 0);
    assert_eq!(value.str_at(&["image"]), Some(image.as_str()));
    live.delete(&format!("/images/{image}"));
}
