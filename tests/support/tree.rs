//! Directory trees: one with every kind of entry, and what a tree holds, for comparing.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What is told of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Content of a file, target of a link.
    pub content: Vec<u8>,
    pub kind: char,
    pub mode: u32,
    /// Of a link none: its own time cannot be set.
    pub mtime: Option<(i64, i64)>,
    /// The first path, in order, that is the same file.
    pub first_name: PathBuf,
}

/// Makes, below `root`, an entry of every kind that a copy has to bring over.
pub fn plant(root: &Path) {
    fs::create_dir_all(root).unwrap();
    let names: [&[u8]; 11] = [
        b"plain",
        b"with space",
        b"line\nfeed",
        b"quote'\"`$(x)\\",
        b"-leading-dash",
        b"--help",
        b"*?[x]",
        b".hidden",
        "gr\u{fc}\u{df}e-\u{65e5}\u{672c}".as_bytes(),
        b"not-utf8-\xff\xfe",
        b"...",
    ];
    for name in names {
        write(&root.join(OsStr::from_bytes(name)), name, 0o644);
    }
    write(&root.join("x".repeat(255)), b"a long name", 0o640);
    write(&root.join("empty"), b"", 0o600);
    write(&root.join("binary"), &binary(), 0o604);
    write(&root.join("script"), b"#!/bin/sh\necho hi\n", 0o755);
    write(&root.join("read-only"), b"r", 0o444);
    let mut deep = root.join("deep");
    for name in ["d", &"e".repeat(120), &"f".repeat(120), "-g"] {
        deep.push(name);
    }
    fs::create_dir_all(&deep).unwrap();
    write(&deep.join("leaf"), b"far down", 0o644);
    symlink("../../..", deep.join("up")).unwrap();
    fs::create_dir(root.join("empty-dir")).unwrap();
    fs::create_dir(root.join("closed-dir")).unwrap();
    write(&root.join("closed-dir/inside"), b"i", 0o644);
    fs::hard_link(root.join("binary"), root.join("deep/hard")).unwrap();
    symlink("plain", root.join("link")).unwrap();
    symlink("deep", root.join("link-to-dir")).unwrap();
    symlink("nowhere at all", root.join("dangling")).unwrap();
    symlink("/etc/passwd", root.join("absolute")).unwrap();
    symlink("t".repeat(300), root.join("long-target")).unwrap();
    set_mode(&root.join("closed-dir"), 0o555);
    set_mode(&root.join("empty-dir"), 0o1777);
    while deep.starts_with(root.join("deep/d")) {
        set_mtime(&deep, 1_400_000_000);
        deep.pop();
    }
    // From the bottom up, for what is put into a directory changes its time.
    set_mtime(&root.join("deep/d"), 1_500_000_000);
    set_mtime(&root.join("deep"), 1_000_000_000);
    set_mtime(&root.join("closed-dir"), 86_400);
    set_mtime(&root.join("empty-dir"), 2_000_000_000);
    set_mtime(root, 1_234_567_890);
}

/// Every byte, and more than one buffer of them.
pub fn binary() -> Vec<u8> {
    (0..=255u8).cycle().take(300_001).collect()
}

/// Writes a file that was changed at a full second.
pub fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    set_mode(path, mode);
    let len = u64::try_from(content.len()).unwrap();
    let file = File::open(path).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + len);
    file.set_times(FileTimes::new().set_modified(time)).unwrap();
}

/// Sets a mode.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn set_mtime(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let times = FileTimes::new().set_modified(time);
    File::open(path).unwrap().set_times(times).unwrap();
}

/// Lets a tree be removed whose directories are closed.
pub fn unlock(root: &Path) {
    let closed = root.join("closed-dir");
    if closed.exists() {
        set_mode(&closed, 0o755);
    }
}

/// Everything below `root` and itself (the empty path).
pub fn read(root: &Path) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(relative) = waiting.pop() {
        let path = root.join(&relative);
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mut entry = Entry {
            content: Vec::new(),
            kind: 'f',
            mode: metadata.mode() & 0o7777,
            mtime: Some((metadata.mtime(), metadata.mtime_nsec())),
            first_name: relative.clone(),
        };
        if metadata.is_symlink() {
            entry.kind = 'l';
            entry.content = fs::read_link(&path)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec();
            entry.mtime = None;
        } else if metadata.is_dir() {
            entry.kind = 'd';
            let mut names: Vec<OsString> = fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort_by(|a, b| b.cmp(a));
            waiting.extend(names.iter().map(|name| relative.join(name)));
        } else {
            entry.content = fs::read(&path).unwrap();
            let inode = (metadata.dev(), metadata.ino());
            let first = first_names.entry(inode).or_insert_with(|| relative.clone());
            entry.first_name.clone_from(first);
        }
        entries.insert(relative, entry);
    }
    entries
}

/// Fails with the paths that differ.
pub fn assert_same(got: &Path, want: &Path) {
    let (got, want) = (read(got), read(want));
    let paths: std::collections::BTreeSet<_> = got.keys().chain(want.keys()).collect();
    let differences: Vec<_> = paths
        .into_iter()
        .filter(|path| got.get(*path) != want.get(*path))
        .map(|path| {
            format!(
                "{path:?}:\n  got  {:?}\n  want {:?}",
                brief(got.get(path)),
                brief(want.get(path))
            )
        })
        .collect();
    let (count, first) = (differences.len(), differences.iter().take(5));
    let first: Vec<_> = first.map(String::as_str).collect();
    assert!(first.is_empty(), "{count} differ:\n{}", first.join("\n"));
}

fn brief(entry: Option<&Entry>) -> Option<Entry> {
    entry.cloned().map(|mut entry| {
        entry.content.truncate(8);
        entry
    })
}
