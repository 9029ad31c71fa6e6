//! Files out of a sandbox that lies, and into one that does not listen.

use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use pocketdock_core::wire::tar::{Header, Kind, Reader, Writer};
use pocketdock_core::{Container, EngineOptions, Error, Progress};

use crate::SHORT;
use crate::model::{self, Kind as Request};
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::process::{PATIENCE, within};
use crate::support::request::Request as HttpRequest;
use crate::support::scratch::Scratch;

/// A header and the content of its file.
type Item = (Header, &'static [u8]);

/// An archive of these entries, whatever they are.
fn archive(entries: &[(Header, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (header, content) in entries {
        writer.append(header, &mut &content[..]).unwrap();
    }
    writer.finish().unwrap()
}

/// The header of a file as that of something else, which the writer would not write.
fn special(path: &[u8], type_flag: u8) -> Vec<u8> {
    let mut block = Header::file(path, 0).encode().unwrap();
    block[156] = type_flag;
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// An engine whose sandbox gives out `archive`, running or not.
fn giving(archive: &[u8], status: &'static str) -> FakeEngine {
    let archive = archive.to_vec();
    model::model(move |kind, request| match kind {
        Request::Inspect => Some(Reply::json(200, &model::inspected(status))),
        Request::ExecStart => {
            let mut reply = Reply::hijacked(101);
            for piece in archive.chunks(30_000) {
                reply = reply.frame(1, piece);
            }
            Some(reply.frame(2, b"\npd done 0\n"))
        }
        Request::Other if request.path.ends_with("/archive") => {
            Some(directory_or(&archive, request))
        }
        _ => None,
    })
}

/// What the archive endpoint says: that all that is asked for is a directory, or this archive.
fn directory_or(archive: &[u8], request: &HttpRequest) -> Reply {
    match &*request.method {
        // {"mode":2147484141}
        "HEAD" => Reply::raw(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\
             X-Docker-Container-Path-Stat: eyJtb2RlIjoyMTQ3NDg0MTQxfQ==\r\n\r\n",
        ),
        _ => Reply::chunked(200, &[archive]),
    }
}

/// A host with a victim beside the destination.
fn host() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("outside/victim", b"unharmed");
    fs::create_dir(scratch.join("dest")).unwrap();
    scratch
}

fn assert_unharmed(scratch: &Scratch, what: &str) {
    let outside = scratch.join("outside");
    let names: Vec<_> = fs::read_dir(&outside).unwrap().collect();
    assert_eq!(names.len(), 1, "{what}: {names:?}");
    let victim = fs::read(outside.join("victim")).unwrap();
    assert_eq!(victim, b"unharmed", "{what}");
    let beside: Vec<_> = fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(beside.len(), 2, "{what}: {beside:?}");
}

#[test]
fn nothing_leads_out_of_the_destination() {
    let outside = b"../../outside";
    let file = |path: &str| Header::file(path.as_bytes(), 4);
    let link = |path: &str, target: &[u8]| Header::symlink(path.as_bytes(), target);
    let hard = |path: &str, target: &str| Header::hard_link(path.as_bytes(), target.as_bytes());
    let dir = |path: &str| Header::directory(path.as_bytes());
    let (evil, none): (&'static [u8], &'static [u8]) = (b"evil", b"");
    #[rustfmt::skip] // one case per line
    let cases: [(_, Vec<Item>, _); 14] = [
        ("upwards",             vec![(file("./d/../../outside/new"), evil)],                          "unsafe_path"),
        ("upwards at once",     vec![(file("../outside/new"), evil)],                                 "unsafe_path"),
        ("upwards in the end",  vec![(dir("./d/.."), none)],                                          "unsafe_path"),
        ("absolute",            vec![(file("/tmp/pd-new"), evil)],                                    "unsafe_path"),
        ("through a link",      vec![(link("./d/l", outside), none), (file("./d/l/new"), evil)],      "not_a_directory"),
        ("dir through a link",  vec![(link("./d/l", outside), none), (dir("./d/l/new"), none)],       "not_a_directory"),
        ("link as a dir",       vec![(link("./d/l", outside), none), (dir("./d/l"), none)],           "not_a_directory"),
        ("hard link outside",   vec![(hard("./d/h", "../outside/victim"), none)],                     "unsafe_path"),
        ("hard link absolute",  vec![(hard("./d/h", "/etc/passwd"), none)],                           "unsafe_path"),
        ("hard link by a link", vec![(link("./d/l", outside), none), (hard("./d/h", "./d/l/victim"), none)], "unsafe_path"),
        ("hard link to a link", vec![(link("./d/l", b"../../outside/victim"), none), (hard("./d/h", "./d/l"), none)], "unsafe_path"),
        ("hard link to none",   vec![(hard("./d/h", "./d/none"), none)],                              "unsafe_path"),
        ("over a link",         vec![(link("./d/f", b"../../outside/victim"), none), (file("./d/f"), evil)], "ok"),
        ("link over a file",    vec![(file("./d/f"), evil), (link("./d/f", outside), none)],          "ok"),
    ];
    for (what, entries, want) in cases {
        for status in ["running", "exited"] {
            let scratch = host();
            let fake = giving(&archive(&entries), status);
            let pulled = model::opened(&fake).pull("/d", &scratch.join("dest"));
            let code = pulled.as_ref().err().map_or("ok", Error::code);
            assert_eq!(code, want, "{what}, {status}: {pulled:?}");
            assert_unharmed(&scratch, what);
            assert_no_scratch_file(&scratch.join("dest"), what);
        }
    }
}

/// Nothing is left under a name of ours.
fn assert_no_scratch_file(dir: &Path, what: &str) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        assert!(
            !name.to_string_lossy().contains("pocketdock"),
            "{what}: {name:?}"
        );
        if entry.file_type().unwrap().is_dir() {
            assert_no_scratch_file(&entry.path(), what);
        }
    }
}

#[test]
fn a_file_that_the_host_had_is_not_linked_to() {
    let scratch = host();
    scratch.write("dest/d/secret", b"the host's");
    let entries = [(Header::hard_link(b"./d/h", b"./d/secret"), &b""[..])];
    let fake = giving(&archive(&entries), "running");
    let error = model::opened(&fake)
        .pull("/d", &scratch.join("dest"))
        .unwrap_err();
    assert!(matches!(error, Error::UnsafePath { .. }), "{error}");
    assert!(!scratch.join("dest/d/h").exists());
}

#[test]
fn a_file_that_the_host_puts_there_meanwhile_is_not_linked_to() {
    let scratch = host();
    let secret = scratch.write("outside/victim", b"unharmed");
    let big = vec![b'x'; 1024 * 1024];
    let entries = [
        (Header::file(b"./d/f", 1), &b"f"[..]),
        (Header::hard_link(b"./d/g", b"./d/f"), b""),
        (Header::file(b"./d/big", big.len() as u64), &big),
        (Header::hard_link(b"./d/h", b"./d/f"), b""),
    ];
    let fake = giving(&archive(&entries), "running");
    let dest = scratch.join("dest");
    let pulled = model::opened(&fake).pull_with("/d", &dest, &mut |_| {
        let _once = fs::rename(&secret, dest.join("d/f"));
        ControlFlow::Continue(())
    });
    let error = pulled.unwrap_err();
    assert!(matches!(error, Error::UnsafePath { .. }), "{error}");
    assert_eq!(fs::read(dest.join("d/g")).unwrap(), b"f");
    assert!(!dest.join("d/h").exists());
}

#[test]
fn a_link_that_the_host_had_is_replaced_and_not_followed() {
    let scratch = host();
    fs::create_dir(scratch.join("dest/d")).unwrap();
    symlink("../../outside/victim", scratch.join("dest/d/f")).unwrap();
    let entries = [(Header::file(b"./d/f", 3), &b"new"[..])];
    let fake = giving(&archive(&entries), "running");
    model::opened(&fake)
        .pull("/d", &scratch.join("dest"))
        .unwrap();
    assert_unharmed(&scratch, "link");
    let written = scratch.join("dest/d/f");
    assert!(!written.is_symlink());
    assert_eq!(fs::read(written).unwrap(), b"new");
}

#[test]
fn a_directory_swapped_for_a_link_in_between_leads_nowhere() {
    let scratch = host();
    let big = vec![b'x'; 1024 * 1024];
    let entries = [
        (Header::directory(b"./d/sub"), &b""[..]),
        (Header::file(b"./d/sub/big", big.len() as u64), &big),
        (Header::file(b"./d/sub/second", 4), b"evil"),
        (Header::directory(b"./d/sub/dir"), b""),
        (Header::file(b"./d/sub/dir/third", 4), b"evil"),
    ];
    let fake = giving(&archive(&entries), "running");
    let (sub, moved) = (scratch.join("dest/d/sub"), scratch.join("dest/d/moved"));
    let mut is_swapped = false;
    let pulled = model::opened(&fake).pull_with("/d", &scratch.join("dest"), &mut |_| {
        if !is_swapped {
            is_swapped = true;
            fs::rename(&sub, &moved).unwrap();
            symlink("../../outside", &sub).unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(is_swapped);
    pulled.unwrap();
    assert_unharmed(&scratch, "swapped");
    assert_eq!(fs::read(moved.join("dir/third")).unwrap(), b"evil");
}

#[test]
fn devices_and_setuid_bits_do_not_come_over() {
    for status in ["running", "exited"] {
        let scratch = host();
        let setuid = Header {
            mode: 0o6755,
            ..Header::file(b"./d/su", 4)
        };
        let mut bytes = Vec::new();
        for (path, flag) in [(b"./d/c", b'3'), (b"./d/b", b'4'), (b"./d/p", b'6')] {
            bytes.extend(special(path, flag));
        }
        bytes.extend(archive(&[(setuid, b"code")]));
        let fake = giving(&bytes, status);
        let report = model::opened(&fake)
            .pull("/d", &scratch.join("dest"))
            .unwrap();
        let dropped: Vec<_> = report
            .dropped
            .iter()
            .map(|it| (it.path.to_str().unwrap(), it.what.as_str()))
            .collect();
        let set_id = "setuid or setgid bit";
        let want = [
            ("d/c", "device"),
            ("d/b", "device"),
            ("d/p", "fifo"),
            ("d/su", set_id),
        ];
        assert_eq!(dropped, want);
        let dir = scratch.join("dest/d");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        let mode = fs::metadata(dir.join("su")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }
}

#[test]
fn a_pull_that_is_cut_leaves_no_file_under_its_name() {
    let content = vec![b'c'; 5000];
    let whole = archive(&[(Header::file(b"./f", 5000), &content)]);
    let content_end = 512 + content.len();
    for status in ["running", "exited"] {
        for cut in (0..whole.len())
            .step_by(97)
            .chain([511, 512, content_end - 1])
        {
            let scratch = host();
            let fake = giving(&whole[..cut], status);
            let error = model::opened(&fake)
                .pull("/f", &scratch.join("dest/f"))
                .unwrap_err();
            assert!(
                matches!(error, Error::Io { .. }),
                "{status}, {cut}: {error}"
            );
            let names: Vec<_> = fs::read_dir(scratch.join("dest")).unwrap().collect();
            if cut < content_end {
                assert!(names.is_empty(), "{status}, {cut}: {names:?}");
            } else {
                assert_eq!(
                    fs::read(scratch.join("dest/f")).unwrap(),
                    content,
                    "{status}, {cut}"
                );
            }
        }
    }
}

#[test]
fn a_copy_can_be_stopped() {
    let content = vec![b'c'; 2_000_000];
    let entries = [(Header::file(b"./f", 2_000_000), &content[..])];
    for status in ["running", "exited"] {
        let scratch = host();
        let fake = giving(&archive(&entries), status);
        let dest = scratch.join("dest");
        let stop = &mut |_: &Progress| ControlFlow::Break(());
        let error = model::opened(&fake)
            .pull_with("/f", &dest, stop)
            .unwrap_err();
        assert_eq!(error.to_string(), "cannot finish the copy: it was stopped");
        assert_eq!(fs::read_dir(dest).unwrap().count(), 0, "{status}");
    }
}

#[test]
fn what_is_no_archive_is_said() {
    for status in ["running", "exited"] {
        for bytes in [&b""[..], b"hello", &[b'x'; 4096]] {
            let scratch = host();
            let fake = giving(bytes, status);
            let sandbox = model::opened(&fake);
            let error = sandbox.pull("/d", &scratch.join("dest")).unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{status}: {error}");
            let mut out = Vec::new();
            let error = sandbox
                .pull_archive("/d", &mut out, &mut |_| ControlFlow::Continue(()))
                .unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{status}: {error}");
        }
    }
}

/// An engine with a sandbox of a user, whose script gives out the first archive and may not read
/// the rest, and which itself gives out the second.
fn giving_in_part(first: Vec<u8>, second: Vec<u8>) -> FakeEngine {
    model::model(move |kind, request| match kind {
        Request::Inspect => {
            let of_user =
                model::inspected("running").replace(r#""Config":{"#, r#""Config":{"User":"1000","#);
            Some(Reply::json(200, &of_user))
        }
        Request::ExecStart => Some(
            Reply::hijacked(101)
                .frame(1, &first)
                .frame(2, b"tar: ./d/ro/secret: Permission denied\n\npd done 2\n"),
        ),
        Request::Other if request.path.ends_with("/archive") => {
            Some(directory_or(&second, request))
        }
        _ => None,
    })
}

#[test]
fn a_second_try_knows_the_directories_of_the_first() {
    let dir = |path: &str, mode, mtime_s| Header {
        mode,
        mtime_s,
        ..Header::directory(path.as_bytes())
    };
    let mut entries: Vec<Item> = vec![
        (dir("./d", 0o755, 1000), b""),
        (dir("./d/ro", 0o555, 2000), b""),
        (Header::file(b"./d/ro/open", 1), b"o"),
        (dir("./d/old", 0o711, 3000), b""),
        (Header::file(b"./d/old/f", 1), b"f"),
    ];
    let first = archive(&entries);
    entries.insert(2, (Header::file(b"./d/ro/secret", 1), b"s"));
    let fake = giving_in_part(first, archive(&entries));
    let scratch = host();
    // One that was there keeps its mode.
    let old = scratch.join("dest/d/old");
    fs::create_dir_all(&old).unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o750)).unwrap();
    let dest = scratch.join("dest");
    let report = model::opened(&fake).pull("/d", &dest).unwrap();
    assert_eq!(report.entries, 6);
    let ro = fs::metadata(dest.join("d/ro")).unwrap();
    assert_eq!((ro.mode() & 0o7777, ro.mtime()), (0o555, 2000));
    assert_eq!(fs::metadata(&old).unwrap().mode() & 0o7777, 0o750);
    let secret = dest.join("d/ro/secret");
    assert_eq!(fs::read(secret).unwrap(), b"s");
    fs::set_permissions(dest.join("d/ro"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_may_not_be_written_here_is_not_tried_twice() {
    let bytes = archive(&[(Header::file(b"./d/f", 1), b"f")]);
    let fake = giving_in_part(bytes.clone(), bytes);
    // Not even root may make anything there.
    let error = model::opened(&fake)
        .pull("/d/f", Path::new("/sys"))
        .unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    let requests = fake.requests();
    assert!(!requests.iter().any(|it| it.path.ends_with("/archive")));
}

#[test]
fn only_files_that_changed_are_no_failure_of_tar() {
    let changed = "tar: ./d/f: file changed as we read it\n";
    let socket = "tar: ./d/s: socket ignored\n";
    let shrank = "tar: ./d/f: File shrank by 9 bytes; padding with zeros\n";
    let removed = "tar: ./d/f: File removed before we read it\n";
    #[rustfmt::skip] // one case per line
    let cases = [
        (changed.repeat(20),                       true),
        (format!("{changed}{socket}"),             true),
        (String::new(),                            true),
        (format!("{changed}{shrank}"),             false),
        (format!("{shrank}{}", changed.repeat(20)), false),
        (removed.to_owned(),                       false),
        ("tar: something new\n".to_owned(),        false),
    ];
    for (words, is_fine) in cases {
        let bytes = archive(&[(Header::file(b"./d/f", 1), b"f")]);
        let said = format!("{words}\npd done changed\n");
        let fake = model::model(move |kind, _| {
            let reply = Reply::hijacked(101).frame(1, &bytes);
            (kind == Request::ExecStart).then(|| reply.frame(2, said.as_bytes()))
        });
        let scratch = host();
        let pulled = model::opened(&fake).pull("/d", &scratch.join("dest"));
        assert_eq!(pulled.is_ok(), is_fine, "{words}: {pulled:?}");
    }
}

/// An engine on which a script says `words` on its stderr and then does as `then` does.
fn saying(
    words: &'static str,
    then: impl Fn(&UnixStream) -> io::Result<()> + Clone + Send + Sync + 'static,
) -> FakeEngine {
    model::model(move |kind, _| {
        (kind == Request::ExecStart).then(|| {
            let reply = Reply::hijacked(101).frame(2, words.as_bytes());
            reply.talk(then.clone())
        })
    })
}

fn frame(stream: u8, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[stream, 0, 0, 0], len.as_slice(), payload].concat()
}

fn impatient(fake: &FakeEngine) -> Container {
    let options = EngineOptions::new()
        .socket(fake.socket())
        .timeout(SHORT * 4);
    options.connect().unwrap().open("box").unwrap()
}

#[test]
fn what_goes_in_is_an_archive_of_the_owner_that_the_script_names() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let sender = std::sync::Arc::new(sender);
    let fake = saying("pd ready 1000 5 new gnu\n", move |mut stream| {
        let mut received = Vec::new();
        stream.read_to_end(&mut received)?;
        sender.lock().unwrap().send(received).unwrap();
        stream.write_all(&frame(2, b"tar: some words\n\npd done 0\n"))
    });
    let scratch = Scratch::new();
    let path = scratch.write("f", b"content");
    let report = model::opened(&fake).push(&path, "/home/f").unwrap();
    assert_eq!((report.entries, report.bytes), (1, 7));
    let received = receiver.recv().unwrap();
    let mut reader = Reader::new(received.as_slice());
    let entry = reader.next_entry().unwrap().unwrap();
    let header = entry.header();
    assert_eq!(header.path, b"entry");
    assert_eq!(
        (header.uid, header.gid, &header.kind),
        (1000, 5, &Kind::File)
    );
}

#[test]
fn a_script_that_gives_up_ends_the_sending() {
    let scratch = Scratch::new();
    let big = scratch.join("big");
    fs::File::create(&big).unwrap().set_len(1 << 30).unwrap();
    let words = "pd ready 0 0 new gnu\ntar: f: No space left on device\n\npd done 2\n";
    // It reads nothing.
    let fake = saying(words, |stream| {
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        io::copy(&mut &*stream, &mut io::sink()).map(drop)
    });
    let sandbox = model::opened(&fake);
    let error = within(PATIENCE, move || sandbox.push(&big, "/f")).unwrap_err();
    assert!(
        error.to_string().contains("No space left on device"),
        "{error}"
    );
}

#[test]
fn a_script_that_takes_nothing_is_given_up() {
    let scratch = Scratch::new();
    let big = scratch.join("big");
    fs::File::create(&big).unwrap().set_len(1 << 30).unwrap();
    for words in ["", "pd ready 0 0 new gnu\n"] {
        let big = big.clone();
        let gate = crate::support::fake_engine::Gate::default();
        let fake = model::model({
            let gate = gate.clone();
            move |kind, _| {
                let reply = Reply::hijacked(101).frame(2, words.as_bytes());
                (kind == Request::ExecStart).then(|| reply.wait(&gate))
            }
        });
        let sandbox = impatient(&fake);
        let error = within(PATIENCE, move || sandbox.push(&big, "/f")).unwrap_err();
        gate.open();
        let is_named = match &error {
            Error::Timeout { .. } => true,
            Error::Io { source, .. } => source.kind() == io::ErrorKind::TimedOut,
            _ => false,
        };
        assert!(is_named, "{words:?}: {error:?}");
    }
}

#[test]
fn words_of_a_script_become_errors() {
    #[rustfmt::skip] // one case per line
    let cases = [
        ("pd fail missing /none\n",  "path_not_found",  "no such path: '/none'"),
        ("pd fail not_dir /f\n",     "not_a_directory", "'/f' is not a directory"),
        ("pd fail is_dir /d\n",      "is_a_directory",  "'/d' is a directory"),
        ("pd fail denied /root\n",   "io",              "cannot use '/root' in the sandbox: permission denied"),
        ("pd ready x y new gnu\n",   "io",              "cannot find the owner of files in the sandbox: its user has no number: ready x y new gnu"),
        ("pd nonsense\n",            "io",              "cannot find the owner of files in the sandbox: its user has no number: nonsense"),
        ("",                         "socket_communication", "the connection broke during 'POST /exec/e/start': the script in the sandbox was cut off"),
    ];
    let scratch = Scratch::new();
    let file = scratch.write("f", b"content");
    for (words, code, text) in cases {
        let fake = saying(words, |_| Ok(()));
        let error = model::opened(&fake).push(&file, "/f").unwrap_err();
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            (code, text),
            "{words:?}"
        );
    }
}

#[test]
fn a_flood_of_words_does_not_grow() {
    let scratch = Scratch::new();
    let fake = saying("pd ready 0 0 new gnu\n", |mut stream| {
        for _ in 0..2000 {
            stream.write_all(&frame(2, &[b'x'; 8000]))?;
            stream.write_all(&frame(2, b"\npd ready 1 1 new gnu\n"))?;
        }
        Ok(())
    });
    let file = scratch.write("f", b"content");
    assert!(model::opened(&fake).push(&file, "/f").is_err());
}

#[test]
fn what_cannot_be_read_here_is_said_before_anything_is_asked() {
    let scratch = Scratch::new();
    let fake = model::model(|_, _| None);
    let sandbox = model::opened(&fake);
    let before = fake.requests().len();
    for (source, dest) in [
        ("none", "/f"),
        (".", "relative"),
        ("none/", "/f"),
        ("", "/f"),
    ] {
        let source = match source {
            "" => std::path::PathBuf::new(),
            name => scratch.join(name),
        };
        sandbox.push(&source, dest).unwrap_err();
    }
    sandbox.pull("relative", scratch.path()).unwrap_err();
    sandbox.pull("/f", &scratch.join("none/name")).unwrap_err();
    sandbox.write_file("/f/", "").unwrap_err();
    sandbox.read_file("").unwrap_err();
    assert_eq!(fake.requests().len(), before);
}
