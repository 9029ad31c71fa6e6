//! Files whose names say something else: line feeds, escape codes, words of our own scripts.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::fixture::Live;
use crate::support::scratch::Scratch;

/// Names of files, as bytes.
fn names() -> Vec<Vec<u8>> {
    #[rustfmt::skip] // one case per line
    let few: [&[u8]; 20] = [
        b"line\nfeed", b"\n", b"\n\n", b"trailing\n", b"return\r", b"tab\t",
        b"\x1b]0;owned\x07\x1b[2J", b"bell\x07", b"\x9b31m", b"\x7f",
        b"\npd fail missing passwd\n", b"\npd done 0", b"\npd ready 0 0 new gnu\n",
        b"-rf", b"--checkpoint-action=exec=sh", b"$(touch owned)", b"`touch owned`", b"'\"\\",
        b"*", b"no utf-8 \xff\xfe",
    ];
    let mut all: Vec<Vec<u8>> = few.iter().map(|name| name.to_vec()).collect();
    all.push(vec![b'n'; 255]);
    all
}

fn as_set(names: impl IntoIterator<Item = OsString>) -> BTreeSet<OsString> {
    names.into_iter().collect()
}

fn wanted() -> BTreeSet<OsString> {
    as_set(
        names()
            .iter()
            .map(|name| OsStr::from_bytes(name).to_owned()),
    )
}

fn on_host(dir: &std::path::Path) -> BTreeSet<OsString> {
    as_set(
        fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name()),
    )
}

#[test]
fn names_are_bytes_on_every_way() {
    let Some(live) = Live::begin() else { return };
    let scratch = Scratch::new();
    fs::create_dir(scratch.join("in")).unwrap();
    for name in names() {
        let file = scratch.join("in").join(OsStr::from_bytes(&name));
        fs::write(file, &name).unwrap();
    }
    for image in [live.image(), live.debian_image()] {
        let sandbox = live.create(&live.options().image(image));
        sandbox.push(&scratch.join("in"), "/tmp/names").unwrap();
        let listed = sandbox.list_files("/tmp/names").unwrap();
        assert_eq!(as_set(listed), wanted());
        let out = scratch.join("out");
        sandbox.pull("/tmp/names", &out).unwrap();
        assert_eq!(on_host(&out), wanted());
        for name in names() {
            let content = fs::read(out.join(OsStr::from_bytes(&name))).unwrap();
            assert_eq!(content, name);
        }
        fs::remove_dir_all(&out).unwrap();
        // Nothing of a name was run.
        assert_eq!(sandbox.run("find / -name owned").unwrap().stdout, b"");
        sandbox.stop().unwrap();
        sandbox.pull("/tmp/names", &out).unwrap();
        assert_eq!(on_host(&out), wanted(), "stopped");
        fs::remove_dir_all(&out).unwrap();
    }
}

/// One file for itself, where its name is an argument.
#[test]
fn a_name_is_an_argument_and_nothing_else() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let scratch = Scratch::new();
    for name in names() {
        let Ok(text) = String::from_utf8(name.clone()) else {
            continue;
        };
        let path = format!("/srv/{text}");
        sandbox.write_file(&path, &name).unwrap();
        assert_eq!(sandbox.read_file(&path).unwrap(), name, "{text:?}");
        sandbox.pull(&path, scratch.path()).unwrap();
        let pulled = scratch.join(&text);
        assert_eq!(fs::read(&pulled).unwrap(), name, "{text:?}");
        sandbox.push(&pulled, "/opt/").unwrap_err();
        sandbox.push(&pulled, "/tmp/").unwrap();
        let moved = format!("/tmp/{text}");
        assert_eq!(sandbox.read_file(&moved).unwrap(), name, "{text:?}");
    }
    assert_eq!(sandbox.run("find / -name owned").unwrap().stdout, b"");
}
