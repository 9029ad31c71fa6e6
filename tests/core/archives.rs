//! Tar archives of other programs, read by ours, and ours, read by them.
//!
//! GNU tar, bsdtar and Python pack a tree in every format they know; what our reader finds is
//! compared with the tree on disk. Ours is unpacked by each of them, and the trees are compared.
//! What engines send is in `tests/fixtures/tar`, recorded by the script beside it.

mod tree;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use pocketdock_core::wire::tar::read::Error;
use pocketdock_core::wire::tar::{Header, Kind, Reader, Writer};

use crate::support::fault::{Fault, FaultReader, HARMLESS};
use crate::support::scratch::Scratch;
use tree::{Names, Times, assert_same};

/// Packs `tree` in the current directory; arguments: format, archive.
const PYTHON_PACK: &str = "\
import sys, tarfile
options = dict(encoding='utf-8', errors='surrogateescape')
options['format'] = getattr(tarfile, sys.argv[1] + '_FORMAT')
with tarfile.open(sys.argv[2], 'w', **options) as archive:
    archive.add('tree')
";

/// Unpacks an archive in the current directory.
const PYTHON_UNPACK: &str = "\
import sys, tarfile
with tarfile.open(sys.argv[1], encoding='utf-8', errors='surrogateescape') as archive:
    archive.extraction_filter = lambda member, path: member
    archive.extractall()
";

/// Runs a program in `dir`; `false`, with a word on the terminal, if it is not installed.
fn run(dir: &Path, program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    // Names that are not ASCII are bytes in this locale, except to bsdtar, which needs UTF-8.
    let locale = if program == "bsdtar" { "C.UTF-8" } else { "C" };
    command.args(args).current_dir(dir).env("LC_ALL", locale);
    match command.output() {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            // A complaint of bsdtar about the one name that is too long for the block and not
            // UTF-8, which it unpacks nevertheless; `wire/tar/header.rs` says more.
            let is_known = |line: &str| {
                line.contains("converted from UTF-8") || line.contains("Error exit delayed")
            };
            let is_fine = output.status.success() || errors.lines().all(is_known);
            assert!(is_fine, "{command:?}: {errors}");
            true
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skip(&format!("{program} is not installed"));
            false
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// Says why a test did not do its work, past the harness, which hides what a test prints.
fn skip(reason: &str) {
    let mut terminal = io::stderr();
    writeln!(terminal, "SKIPPED: {reason}").unwrap();
}

/// Whether `tar` is GNU's, with a word on the terminal if not.
fn has_gnu_tar() -> bool {
    let version = Command::new("tar").arg("--version").output();
    let is_gnu = version.is_ok_and(|output| output.stdout.starts_with(b"tar (GNU tar)"));
    if !is_gnu {
        skip("tar is not GNU tar");
    }
    is_gnu
}

/// Packs a tree with another program and compares what our reader makes of it.
fn read_what_is_packed(names: Names, times: Times, program: &str, args: &[&str]) -> bool {
    let scratch = Scratch::new();
    tree::make(scratch.path(), names);
    if !run(scratch.path(), program, args) {
        return false;
    }
    let archive = fs::read(scratch.join("packed.tar")).unwrap();
    let (found, n_hard_links) = tree::in_archive(archive.as_slice());
    let what = format!("{program} {args:?}");
    assert_same(&found, &tree::on_disk(scratch.path()), times, &what);
    let want_links = if names == Names::Long { 2 } else { 1 };
    assert_eq!(n_hard_links, want_links, "{what}");
    true
}

#[test]
fn archives_of_gnu_tar() {
    if !has_gnu_tar() {
        return;
    }
    for (format, names, times) in [
        ("v7", Names::Short, Times::Seconds),
        ("oldgnu", Names::Long, Times::Seconds),
        ("gnu", Names::Long, Times::Seconds),
        ("ustar", Names::Split, Times::Seconds),
        ("pax", Names::Long, Times::Nanoseconds),
    ] {
        let format = format!("--format={format}");
        read_what_is_packed(names, times, "tar", &[&format, "-cf", "packed.tar", "tree"]);
    }
}

#[test]
fn archives_of_bsdtar() {
    for (format, names, times) in [
        ("v7", Names::Short, Times::Seconds),
        ("gnutar", Names::Long, Times::Seconds),
        ("ustar", Names::Split, Times::Seconds),
        ("pax", Names::Long, Times::Nanoseconds),
    ] {
        let args = ["--format", format, "-cf", "packed.tar", "tree"];
        if !read_what_is_packed(names, times, "bsdtar", &args) {
            return;
        }
    }
}

#[test]
fn archives_of_python() {
    for (format, names, times) in [
        ("USTAR", Names::Split, Times::Seconds),
        ("GNU", Names::Long, Times::Seconds),
        ("PAX", Names::Long, Times::Microseconds),
    ] {
        let args = ["-c", PYTHON_PACK, format, "packed.tar"];
        if !read_what_is_packed(names, times, "python3", &args) {
            return;
        }
    }
}

/// Unpacks our archive with another program and compares the trees.
fn unpack_what_is_written(times: Times, program: &str, args: &[&str]) {
    let (source, dest) = (Scratch::new(), Scratch::new());
    tree::make(source.path(), Names::Long);
    dest.write("ours.tar", &tree::pack(source.path()));
    if !run(dest.path(), program, args) {
        return;
    }
    let (mut found, want) = (tree::on_disk(dest.path()), tree::on_disk(source.path()));
    if program == "python3" {
        // Python does not set the times of symbolic links.
        for (path, node) in found.iter_mut() {
            if matches!(node.content, tree::Content::Symlink(_)) {
                node.mtime = want[path].mtime;
            }
        }
    }
    assert_same(&found, &want, times, program);
    for (a, b) in [
        ("plain", "dir/hard"),
        (&format!("{0}/{0}", "x".repeat(150)), "hard to long"),
    ] {
        let inode = |name: &str| {
            let path = dest.join("tree").join(name);
            path.metadata().unwrap().ino()
        };
        assert_eq!(inode(a), inode(b), "{program}: a hard link");
    }
}

#[test]
fn gnu_tar_unpacks_our_archive() {
    if has_gnu_tar() {
        unpack_what_is_written(Times::Nanoseconds, "tar", &["-xpf", "ours.tar"]);
    }
}

#[test]
fn bsdtar_unpacks_our_archive() {
    unpack_what_is_written(Times::Nanoseconds, "bsdtar", &["-xpf", "ours.tar"]);
}

#[test]
fn python_unpacks_our_archive() {
    let args = ["-c", PYTHON_UNPACK, "ours.tar"];
    unpack_what_is_written(Times::Microseconds, "python3", &args);
}

#[test]
fn our_reader_unpacks_our_archive() {
    let scratch = Scratch::new();
    tree::make(scratch.path(), Names::Long);
    let (found, n_hard_links) = tree::in_archive(tree::pack(scratch.path()).as_slice());
    let want = tree::on_disk(scratch.path());
    assert_same(&found, &want, Times::Nanoseconds, "ours");
    assert_eq!(n_hard_links, 2);
}

/// Packs a file that is a hole with another program, whose archive must be refused; `false`, with a
/// word on the terminal, if that cannot be tried.
fn refuse_a_hole(program: &str, args: &[&str]) -> bool {
    let scratch = Scratch::new();
    let file = File::create(scratch.join("holes")).unwrap();
    file.set_len(1 << 20).unwrap();
    if file.metadata().unwrap().blocks() != 0 {
        skip("this file system stores holes as zeros");
        return false;
    }
    if !run(scratch.path(), program, args) {
        return false;
    }
    let archive = File::open(scratch.join("p.tar")).unwrap();
    let refused = Reader::new(archive).next_entry().map(|_| ());
    let is_named = matches!(&refused, Err(Error::Sparse { path }) if path == b"holes");
    assert!(is_named, "{program} {args:?}: {refused:?}");
    true
}

#[test]
fn sparse_files_of_gnu_tar_are_refused() {
    if !has_gnu_tar() {
        return;
    }
    for format in [
        "--format=gnu",
        "--sparse-version=0.0",
        "--sparse-version=0.1",
        "--sparse-version=1.0",
    ] {
        // The last option for the format counts, and a version of sparse files is for PAX.
        let args = ["-Scf", "p.tar", "--format=pax", format, "holes"];
        if !refuse_a_hole("tar", &args) {
            return;
        }
    }
}

#[test]
fn sparse_files_of_bsdtar_are_refused() {
    let args = ["--format=pax", "-cf", "p.tar", "holes"];
    // Says itself when there is no bsdtar.
    let _ = refuse_a_hole("bsdtar", &args);
}

/// What is read of an archive, as text, and how it ends.
fn outcome(source: impl Read) -> (Vec<String>, Result<(), Error>) {
    let (mut reader, mut found) = (Reader::new(source), Vec::new());
    loop {
        match reader.next_entry() {
            Ok(None) => return (found, Ok(())),
            Err(error) => return (found, Err(error)),
            Ok(Some(mut entry)) => {
                let mut data = Vec::new();
                match entry.read_to_end(&mut data) {
                    Ok(_) => found.push(line(entry.header(), &data)),
                    Err(error) => return (found, Err(Error::Read(error))),
                }
            }
        }
    }
}

/// An entry as text, long names cut.
fn line(header: &Header, data: &[u8]) -> String {
    let short = |name: &[u8]| {
        let text = name.escape_ascii().to_string();
        match text.len() {
            0..80 => text,
            len => format!("{}...{len}", &text[..10]),
        }
    };
    let kind = match &header.kind {
        Kind::File => format!("= {}", short(data)),
        Kind::Directory => "/".to_owned(),
        Kind::Symlink(target) => format!("-> {}", short(target)),
        Kind::HardLink(target) => format!("== {}", short(target)),
        other => format!("{other:?}"),
    };
    let Header {
        mode,
        uid,
        gid,
        mtime_s,
        mtime_ns,
        ..
    } = header;
    format!(
        "{mode:04o} {uid}:{gid} {mtime_s}.{mtime_ns} {} {kind}",
        short(&header.path)
    )
}

fn small_archive() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let mut put = |header: Header, mut data: &[u8]| writer.append(&header, &mut data).unwrap();
    put(Header::directory(b"d"), b"");
    put(Header::file(&[b'n'; 101], 3), b"abc");
    put(Header::symlink(b"l", &[b't'; 101]), b"");
    put(
        Header {
            mtime_ns: 1,
            ..Header::file(b"f", 513)
        },
        &[b'x'; 513],
    );
    writer.finish().unwrap()
}

#[test]
fn how_the_source_reads_makes_no_difference() {
    for archive in [
        small_archive(),
        fixture("docker-tree.tar"),
        fixture("podman-tree.tar"),
    ] {
        let (want, end) = outcome(archive.as_slice());
        end.unwrap();
        for fault in HARMLESS {
            let (found, end) = outcome(FaultReader::new(&archive, fault));
            assert_eq!(found, want, "{fault:?}");
            end.unwrap();
        }
    }
}

#[test]
fn a_failure_of_the_source_comes_through_at_every_byte() {
    let archive = small_archive();
    let (want, _) = outcome(archive.as_slice());
    for len in 0..archive.len() {
        let (found, end) = outcome(FaultReader::new(&archive, Fault::ErrorAfter(len)));
        let Err(Error::Read(error)) = end else {
            panic!("after {len} bytes: {end:?}");
        };
        assert_eq!(
            error.kind(),
            io::ErrorKind::ConnectionReset,
            "after {len} bytes"
        );
        assert!(want.starts_with(&found), "after {len} bytes");
    }
    let (found, end) = outcome(FaultReader::new(&archive, Fault::ErrorAfter(archive.len())));
    assert_eq!(found, want, "a failure behind the end is not met");
    end.unwrap();
}

fn fixture(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tar");
    fs::read(directory.join(name)).unwrap()
}

#[test]
fn archives_of_the_engines() {
    // Docker ends the path of a directory in a slash and keeps owners, Podman does neither.
    for (engine, slash, plain_owner, other_owner) in [
        ("docker", "/", "1000:100", "3000000:4000000"),
        ("podman", "", "0:0", "0:0"),
    ] {
        let time = "1700000000.0";
        let long_directory = 105 + slash.len();
        #[rustfmt::skip] // one entry per line
        let want = [
            format!("0755 0:0 {time} tree{slash} /"),
            format!("0755 0:0 {time} tree/00000...{long_directory} /"),
            format!("0644 0:0 {time} tree/00000...206 = long"),
            format!("0777 0:0 {time} tree/absolute -> /etc/hostname"),
            format!(r"0644 0:0 {time} tree/bytes\xff\xfe = 5"),
            format!("0777 0:0 {time} tree/dangling -> nowhere"),
            format!("0644 0:0 {time} tree/fifo Fifo"),
            format!("0644 0:0 {time} tree/hard-to-long == tree/00000...206"),
            format!(r"0644 0:0 {time} tree/na\xc3\xafve = 4"),
            format!("0644 {other_owner} {time} tree/nothing = "),
            format!(r"0644 {plain_owner} {time} tree/plain = hello\n"),
            format!(r#"0644 0:0 {time} tree/quotes \'\" = 3"#),
            r"4755 0:0 -86400.0 tree/script = #!/bin/sh\n".to_owned(),
            format!("1777 0:0 {time} tree/sub{slash} /"),
            format!("0755 0:0 {time} tree/sub/empty{slash} /"),
            format!("0644 {plain_owner} {time} tree/sub/hard == tree/plain"),
            format!("0777 0:0 {time} tree/sub/relative -> ../plain"),
            format!("0644 0:0 {time} tree/thousand = xxxxxxxxxx...1000"),
            format!("0777 0:0 {time} tree/to-long -> 0000000000...201"),
            format!(r"0644 0:0 {time} tree/with\nnewline = 2"),
            format!("0644 0:0 {time} tree/with space = 1"),
        ];
        let (found, end) = outcome(fixture(&format!("{engine}-tree.tar")).as_slice());
        end.unwrap();
        assert_eq!(found, want, "{engine}");
        let (found, end) = outcome(fixture(&format!("{engine}-file.tar")).as_slice());
        end.unwrap();
        let want = format!(r"0644 {plain_owner} {time} plain = hello\n");
        assert_eq!(found, [want], "{engine}");
    }
}

#[test]
fn a_cut_archive_of_an_engine_is_never_whole() {
    for name in [
        "docker-tree.tar",
        "podman-tree.tar",
        "docker-file.tar",
        "podman-file.tar",
    ] {
        let archive = fixture(name);
        let near_blocks = (0..archive.len()).filter(|len| matches!(len % 512, 0 | 1 | 7 | 511));
        for len in near_blocks {
            let (_, end) = outcome(&archive[..len]);
            let kind = end.map_err(|error| io::Error::from(error).kind());
            assert_eq!(
                kind,
                Err(io::ErrorKind::UnexpectedEof),
                "{name} cut after {len} bytes"
            );
        }
        outcome(archive.as_slice()).1.unwrap();
    }
}
