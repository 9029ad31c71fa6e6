//! The archive endpoints, with archives of our own making.

use std::collections::BTreeMap;
use std::io::Read;

use pocketdock_core::Error;
use pocketdock_core::engine::archive;
use pocketdock_core::engine::exchange::RequestBody;
use pocketdock_core::wire::tar::{Header, Kind, Reader, Writer};

use crate::fixture::{Foreign, Live};

/// An archive of a directory with a file, links to it, and a name that needs an extended header.
fn archive_of(content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let mut append = |header: Header, mut content: &[u8]| {
        writer.append(&header, &mut content).unwrap();
    };
    append(Header::directory(b"dir"), b"");
    let len = content.len() as u64;
    append(Header::file(b"dir/file", len), content);
    append(Header::symlink(b"dir/link", b"file"), b"");
    append(Header::hard_link(b"dir/hard", b"dir/file"), b"");
    append(Header::file(long_name().as_bytes(), 4), b"long");
    writer.finish().unwrap()
}

fn long_name() -> String {
    format!("dir/{}/{}-é", "d".repeat(150), "f".repeat(150))
}

/// The entries of an archive, in the order of their paths, without the slash of a directory.
fn entries(archive: impl Read) -> BTreeMap<String, (Kind, Vec<u8>)> {
    let (mut reader, mut found) = (Reader::new(archive), BTreeMap::new());
    while let Some(mut entry) = reader.next_entry().unwrap() {
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let path = String::from_utf8(entry.header().path.clone()).unwrap();
        let kind = entry.header().kind.clone();
        found.insert(path.trim_end_matches('/').to_owned(), (kind, content));
    }
    let mut rest = Vec::new();
    reader.into_inner().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "{} bytes behind the end", rest.len());
    found
}

#[test]
fn there_and_back() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    // Archives work on a container that does not run, too.
    for container in [Foreign::running(&live), Foreign::created(&live)] {
        let content: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
        let archive = archive_of(&content);
        let id = container.id();
        archive::put(client, id, "/tmp", RequestBody::Bytes(&archive)).unwrap();
        let stat = archive::stat(client, id, "/tmp/dir/file").unwrap();
        assert_eq!(stat.str_at(&["name"]), Some("file"));
        assert_eq!(stat.u64_at(&["size"]), Some(3_000_000));
        let found = entries(archive::get(client, id, "/tmp/dir").unwrap().body);
        let none = Vec::new;
        assert_eq!(found["dir"], (Kind::Directory, none()));
        assert!(found["dir/file"] == (Kind::File, content));
        let target = b"dir/file".to_vec();
        assert_eq!(found["dir/hard"], (Kind::HardLink(target), none()));
        assert_eq!(found["dir/link"], (Kind::Symlink(b"file".to_vec()), none()));
        assert_eq!(found[&long_name()], (Kind::File, b"long".to_vec()));
        assert_eq!(found.len(), 6, "with the directory of the long name");
    }
}

#[test]
fn an_upload_of_unknown_length() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    let archive = archive_of(b"streamed");
    let mut source = archive.as_slice();
    let body = RequestBody::Reader(&mut source, None);
    archive::put(live.client(), container.id(), "/", body).unwrap();
    let stat = archive::stat(live.client(), container.id(), &format!("/{}", long_name()));
    assert_eq!(stat.unwrap().u64_at(&["size"]), Some(4));
}

#[test]
fn paths_of_any_bytes() {
    let Some(live) = Live::begin() else { return };
    let container = Foreign::running(&live);
    for name in ["a b", "a+b", "a%41", "a&path=b", "a#b", "-a", "é", "q'\"r"] {
        let mut writer = Writer::new(Vec::new());
        let header = Header::file(name.as_bytes(), 1);
        writer.append(&header, &mut b"x".as_slice()).unwrap();
        let archive = writer.finish().unwrap();
        let body = RequestBody::Bytes(&archive);
        archive::put(live.client(), container.id(), "/tmp", body).unwrap();
        let stat = archive::stat(live.client(), container.id(), &format!("/tmp/{name}"));
        assert_eq!(stat.unwrap().str_at(&["name"]), Some(name));
    }
}

#[test]
fn what_is_not_there() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::running(&live);
    let id = container.id();
    let path = archive::stat(client, id, "/no/such").err();
    assert!(matches!(path, Some(Error::PathNotFound { .. })), "{path:?}");
    let path = archive::get(client, id, "/no/such").err();
    assert!(matches!(path, Some(Error::PathNotFound { .. })), "{path:?}");
    let absent = "pd-live-none";
    let body = RequestBody::Bytes(b"");
    let outcomes = [
        archive::stat(client, absent, "/").err(),
        archive::get(client, absent, "/").err(),
        archive::put(client, absent, "/", body).err(),
    ];
    for (n, error) in outcomes.into_iter().enumerate() {
        let named = matches!(error, Some(Error::ContainerNotFound { .. }));
        assert!(named, "number {n}: {error:?}");
    }
    // Docker says so; Podman makes the directory.
    let put = archive::put(
        client,
        id,
        "/no/such",
        RequestBody::Bytes(&archive_of(b"x")),
    );
    match put {
        Err(Error::PathNotFound { path }) => assert_eq!(path.to_str(), Some("/no/such")),
        Ok(()) => assert!(live.is_podman()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_source_that_is_no_archive_or_fails() {
    let Some(live) = Live::begin() else { return };
    let client = live.client();
    let container = Foreign::running(&live);
    let garbage = archive::put(
        client,
        container.id(),
        "/tmp",
        RequestBody::Bytes(&[7; 2000]),
    );
    assert!(matches!(garbage, Err(Error::Engine { .. })), "{garbage:?}");
    let mut failing = |out: &mut dyn std::io::Write| {
        out.write_all(&[0; 100])?;
        Err(std::io::Error::other("the source fails"))
    };
    let body = RequestBody::Writer(&mut failing);
    let failed = archive::put(client, container.id(), "/tmp", body);
    let message = failed.unwrap_err().to_string();
    assert!(message.contains("the source fails"), "{message}");
}
