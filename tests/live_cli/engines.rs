//! Sandboxes of an engine whose socket leads to another one by now, and one engine by two sockets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use pocketdock_core::wire::value::Value;

use crate::care::only_doctor;
use crate::live::{Live, code, live, unique_name};
use crate::support::scratch::Scratch;

/// The engine under test by a path that can be made to lead elsewhere.
struct Link<'l> {
    live: &'l Live,
    here: Live,
    dir: Scratch,
}

impl<'l> Link<'l> {
    fn new(live: &'l Live) -> Self {
        let dir = Scratch::new();
        let here = Live {
            engine: live.engine.clone(),
            socket: dir.join("engine.sock").to_str().unwrap().to_owned(),
            image: live.image.clone(),
            state: Scratch::new(),
        };
        let link = Link { live, here, dir };
        link.lead_to(&live.socket);
        link
    }

    fn lead_to(&self, socket: &str) {
        let new = self.dir.join("new");
        symlink(socket, &new).unwrap();
        fs::rename(new, &self.here.socket).unwrap();
    }

    /// The codes of what is wrong with this instance, and how `doctor` left it.
    fn doctor(&self, dir: &Path, words: &[&str]) -> Vec<(String, bool)> {
        let _alone = only_doctor();
        let (report, _) = self.here.json(&[&["doctor"], words].concat());
        let text = |it: &Value, key| it.str_at(&[key]).unwrap_or_default().to_owned();
        let all = report.array_at(&["problems"]).unwrap().iter();
        let own = all.filter(|it| text(it, "message").contains(dir.to_str().unwrap()));
        own.map(|it| (text(it, "code"), it.bool_at(&["fixed"]).unwrap()))
            .collect()
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        for name in self.live.labelled(&format!("link={}", self.here.socket)) {
            self.live.delete(&format!("/containers/{name}?force=1"));
        }
    }
}

#[test]
fn a_sandbox_whose_engine_lost_its_socket_to_another_is_left_alone() {
    let Some(live) = live() else { return };
    let Some(other) = live.other() else { return };
    let link = Link::new(&live);
    let here = &link.here;
    let (name, label) = (unique_name(), format!("link={}", here.socket));
    let make = ["create", "--name", &name, "--image", &live.image];
    assert_eq!(
        code(&here.run(&[&make[..], &["--label", &label]].concat())),
        0
    );
    let dir = here.state.join("pocketdock/instances").join(&name);
    let described = || fs::read_to_string(dir.join("instance.json")).unwrap();
    let before = described();
    assert_eq!(link.doctor(&dir, &[]), []);

    link.lead_to(&other.socket);
    for words in [&[][..], &["--fix"]] {
        let found = link.doctor(&dir, words);
        assert_eq!(found, [("another_engine".to_owned(), false)], "{words:?}");
    }
    let elsewhere: [&[&str]; 4] = [
        &["resume", &name],
        &["stop", &name],
        &["info", &name],
        &make,
    ];
    for words in elsewhere {
        let (said, status) = here.json(words);
        assert_eq!(status, 1, "{words:?} {said:?}");
        assert_eq!(said.str_at(&["error", "code"]), Some("another_engine"));
        let hint = said.str_at(&["error", "hint"]).unwrap_or_default();
        assert!(hint.contains(&here.socket), "{hint}");
    }
    assert_eq!(described(), before);
    assert!(live.running(&name) && !other.has(&name));

    // Of an earlier version, which knew engines by their paths alone.
    let value = pocketdock_core::wire::json::parse(before.as_bytes()).unwrap();
    let engine = format!("\"engine\":\"{}\",", value.str_at(&["engine"]).unwrap());
    let old = before.replace(&engine, "");
    assert_ne!(old, before);
    fs::write(dir.join("instance.json"), &old).unwrap();
    assert_eq!(
        link.doctor(&dir, &[]),
        [("stale_instance".to_owned(), false)]
    );

    link.lead_to(&live.socket);
    assert_eq!(link.doctor(&dir, &["--fix"]), []);
    assert_eq!(described(), old);
    assert_eq!(code(&here.run(&["shutdown", "--yes", &name])), 0);
    assert!(!dir.exists());
}

/// A sandbox that was made by one path to a socket and has gone is missed by another one.
#[test]
fn one_engine_is_the_same_by_every_path_to_its_socket() {
    let Some(live) = live() else { return };
    let link = Link::new(&live);
    let (name, label) = (unique_name(), format!("link={}", link.here.socket));
    let words = [
        "create",
        "--name",
        &name,
        "--image",
        &live.image,
        "--label",
        &label,
    ];
    assert_eq!(code(&link.here.run(&words)), 0);
    let dir = link.here.state.join("pocketdock/instances").join(&name);
    let other = link.dir.join("other.sock");
    symlink(&live.socket, &other).unwrap();
    let text = fs::read_to_string(dir.join("instance.json")).unwrap();
    let text = text.replace(&link.here.socket, other.to_str().unwrap());
    fs::write(dir.join("instance.json"), text).unwrap();
    assert_eq!(link.doctor(&dir, &[]), []);
    live.delete(&format!("/containers/{name}?force=1"));
    assert_eq!(
        link.doctor(&dir, &["--fix"]),
        [("stale_instance".to_owned(), true)]
    );
    assert!(!dir.exists());
}
