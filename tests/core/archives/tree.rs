//! Trees of files with awkward names: made on disk, read from disk, packed and read from archives.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use pocketdock_core::wire::tar::{Header, Kind, Reader, Writer};

/// What is compared of a file, a directory or a symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: (i64, u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    File(Vec<u8>),
    Directory,
    Symlink(Vec<u8>),
}

/// Nodes by their path, without a slash at the end.
pub(crate) type Tree = BTreeMap<Vec<u8>, Node>;

/// How long the names in a tree are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Names {
    /// No path is longer than the field for it.
    Short,
    /// Paths can be cut at a slash so that the parts fit a ustar header.
    Split,
    /// Any length that a file system takes.
    Long,
}

/// Makes a tree called `tree` in `dir`.
pub(crate) fn make(dir: &Path, names: Names) {
    let root = dir.join("tree");
    let path = |name: &[u8]| root.join(OsStr::from_bytes(name));
    let x = |n: usize| vec![b'x'; n];
    for name in [&b"empty dir"[..], b"dir/nested/deeper"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    for (name, data) in files(names) {
        fs::create_dir_all(path(&name).parent().unwrap()).unwrap();
        fs::write(path(&name), data).unwrap();
    }
    let hard_link = |from: &[u8], to: &[u8]| fs::hard_link(path(from), path(to)).unwrap();
    let symlink = |from: &[u8], to: &[u8]| symlink(OsStr::from_bytes(to), path(from)).unwrap();
    hard_link(b"plain", b"dir/hard");
    symlink(b"relative", b"dir/../plain");
    symlink(b"absolute", b"/etc/hostname");
    symlink(b"dangling", b"bytes \xff");
    if names == Names::Long {
        hard_link(&[x(150), x(150)].join(&b'/'), b"hard to long");
        symlink(b"to long", &x(300));
    }
    let mode = |name: &[u8], mode| {
        fs::set_permissions(path(name), Permissions::from_mode(mode)).unwrap();
    };
    mode(b"script", 0o4755);
    mode(b"secret", 0o600);
    mode(b"dir", 0o1777);
    let mut mtime = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    for name in [&b"plain"[..], b"script", b"dir/nested", b"empty dir"] {
        set_mtime(&path(name), mtime);
        mtime += Duration::new(86_400, 123_456_789);
    }
}

fn files(names: Names) -> Vec<(Vec<u8>, Vec<u8>)> {
    let x = |n: usize| vec![b'x'; n];
    #[rustfmt::skip] // one file per line
    let mut files = vec![
        (b"plain".to_vec(),                b"hello\n".to_vec()),
        (b"empty".to_vec(),                Vec::new()),
        (b"script".to_vec(),               b"#!/bin/sh\n".to_vec()),
        (b"secret".to_vec(),               b"\0\xff\r\n".to_vec()),
        (b"blocks".to_vec(),               vec![b'b'; 1024]),
        (b"longer".to_vec(),               (0..=250).cycle().take(100_000).collect()),
        (b"dir/nested/deeper/f".to_vec(),  b"f".to_vec()),
        (b" blank, line\nfeed\t ".to_vec(), b"1".to_vec()),
        (b"quotes '\"\\$(id) `".to_vec(),  b"2".to_vec()),
        (b"-dash".to_vec(),                b"3".to_vec()),
        (b"7 path=x".to_vec(),             b"4".to_vec()),
        ("na\u{ef}ve \u{1f980}".into(),    b"5".to_vec()),
        (b"bytes \xff\xfe".to_vec(),       b"6".to_vec()),
        (x(90),                            b"7".to_vec()),
    ];
    if Names::Split <= names {
        files.push((x(100), b"8".to_vec()));
        files.push(([b"split".to_vec(), x(90), x(90)].join(&b'/'), b"9".to_vec()));
    }
    if Names::Long <= names {
        files.push(([x(150), x(150)].join(&b'/'), b"10".to_vec()));
        files.push(("\u{e9}".repeat(100).into(), b"11".to_vec()));
        files.push((vec![0xff; 200], b"12".to_vec()));
    }
    files
}

fn set_mtime(path: &Path, mtime: SystemTime) {
    let times = FileTimes::new().set_modified(mtime);
    File::open(path).unwrap().set_times(times).unwrap();
}

/// The tree called `tree` in `dir`, as it is on disk.
pub(crate) fn on_disk(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut pending = vec![b"tree".to_vec()];
    while let Some(name) = pending.pop() {
        let path = dir.join(OsStr::from_bytes(&name));
        let status = path.symlink_metadata().unwrap();
        let content = if status.is_symlink() {
            Content::Symlink(path.read_link().unwrap().into_os_string().into_vec())
        } else if status.is_dir() {
            let children = fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name());
            pending.extend(children.map(|child| [&name, child.as_bytes()].join(&b'/')));
            Content::Directory
        } else {
            Content::File(fs::read(&path).unwrap())
        };
        let node = Node {
            content,
            mode: status.mode() & 0o7777,
            owner: (status.uid().into(), status.gid().into()),
            mtime: (status.mtime(), u32::try_from(status.mtime_nsec()).unwrap()),
        };
        tree.insert(name, node);
    }
    tree
}

/// The tree in an archive, and how many of its entries are hard links.
pub(crate) fn in_archive(archive: impl Read) -> (Tree, usize) {
    let (mut tree, mut n_hard_links) = (Tree::new(), 0);
    let mut reader = Reader::new(archive);
    while let Some(mut entry) = reader.next_entry().unwrap() {
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        let header = entry.header();
        let path = header
            .path
            .strip_suffix(b"/")
            .unwrap_or(&header.path)
            .to_vec();
        let content = match &header.kind {
            Kind::File => Content::File(data),
            Kind::Directory => Content::Directory,
            Kind::Symlink(target) => Content::Symlink(target.clone()),
            Kind::HardLink(target) => {
                n_hard_links += 1;
                tree[target].content.clone()
            }
            other => panic!("{other:?} in the archive"),
        };
        let node = Node {
            content,
            mode: header.mode,
            owner: (header.uid, header.gid),
            mtime: (header.mtime_s, header.mtime_ns),
        };
        assert!(
            tree.insert(path, node).is_none(),
            "{header:?} is there twice"
        );
    }
    (tree, n_hard_links)
}

/// Packs the tree called `tree` in `dir` with our writer.
pub(crate) fn pack(dir: &Path) -> Vec<u8> {
    let (mut writer, mut seen) = (Writer::new(Vec::new()), HashMap::new());
    for (path, node) in on_disk(dir) {
        let inode = dir
            .join(OsStr::from_bytes(&path))
            .symlink_metadata()
            .unwrap()
            .ino();
        let (kind, data) = match node.content {
            Content::Directory => (Kind::Directory, Vec::new()),
            Content::Symlink(target) => (Kind::Symlink(target), Vec::new()),
            Content::File(data) => match seen.insert(inode, path.clone()) {
                None => (Kind::File, data),
                Some(first) => (Kind::HardLink(first), Vec::new()),
            },
        };
        let header = Header {
            kind,
            mode: node.mode,
            uid: node.owner.0,
            gid: node.owner.1,
            mtime_s: node.mtime.0,
            mtime_ns: node.mtime.1,
            ..Header::file(&path, data.len() as u64)
        };
        writer.append(&header, &mut data.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

/// How exactly a program keeps times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Nanoseconds,
    /// In a floating-point number.
    Microseconds,
    Seconds,
}

/// Fails with the path at which the trees differ.
pub(crate) fn assert_same(found: &Tree, want: &Tree, times: Times, what: &str) {
    let paths = |tree: &Tree| {
        tree.keys()
            .map(|path| path.escape_ascii().to_string())
            .collect()
    };
    let (found_paths, want_paths): (Vec<String>, Vec<String>) = (paths(found), paths(want));
    assert_eq!(found_paths, want_paths, "{what}");
    for (path, want) in want {
        let (mut found, mut want) = (found[path].clone(), want.clone());
        let off_ns =
            |node: &Node| i128::from(node.mtime.0) * 1_000_000_000 + i128::from(node.mtime.1);
        let off_ns = off_ns(&found) - off_ns(&want);
        let is_same = match times {
            Times::Nanoseconds => off_ns == 0,
            Times::Microseconds => off_ns.abs() < 1_000,
            Times::Seconds => found.mtime == (want.mtime.0, 0),
        };
        assert!(
            is_same,
            "{what}: {off_ns} ns off at {}",
            path.escape_ascii()
        );
        (found.mtime, want.mtime) = ((0, 0), (0, 0));
        assert_eq!(found, want, "{what}: {}", path.escape_ascii());
    }
}
