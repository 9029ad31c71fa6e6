//! An archive from a sandbox as another archive.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStringExt;

use crate::container::files::entries::{
    Failure, Item, Mapping, Mounted, Outcome, broken, dropped, for_each, is_copied, stopped,
};
use crate::container::files::meter::{Meter, Metered};
use crate::container::files::report::{CopyReport, DroppedKind};
use crate::error::Error;
use crate::wire::tar::header::Kind;
use crate::wire::tar::read;
use crate::wire::tar::write::{self, Writer};

/// Writes an archive anew with the paths that its entries would have at a destination.
pub(crate) fn rewrite(
    archive: &mut dyn Read,
    mounts: Vec<Mounted>,
    out: &mut dyn Write,
    mapping: Mapping<'_>,
    meter: &mut Meter<'_>,
) -> Outcome<CopyReport> {
    let mut report = CopyReport::default();
    let mut writer = Writer::new(out);
    for_each(archive, mounts, mapping, &mut |path, item| {
        let Item::Entry {
            header,
            mapping,
            data,
        } = item
        else {
            report.drop_entry(path.iter().collect(), DroppedKind::Mounted);
            return Ok(());
        };
        let dropped = dropped(header);
        if let Some(kind) = dropped {
            report.drop_entry(path.iter().collect(), kind);
        }
        if !is_copied(dropped) {
            return Ok(());
        }
        let mut header = header.clone();
        header.path = joined(path);
        if let Kind::HardLink(target) = &mut header.kind {
            *target = joined(&mapping.place(target)?);
        }
        header.mode &= 0o1777;
        (header.uid, header.gid) = (0, 0);
        report.count(header.len);
        meter.add_entry().map_err(stopped)?;
        let mut data = Metered {
            source: data,
            meter,
        };
        writer.append(&header, &mut data).map_err(unwritten)
    })?;
    writer.finish().map_err(unwritten)?;
    meter.finish();
    Ok(report)
}

fn joined(names: &[OsString]) -> Vec<u8> {
    match names.is_empty() {
        true => b".".to_vec(),
        false => names.join(OsStr::new("/")).into_vec(),
    }
}

fn unwritten(error: write::Error) -> Failure {
    match error {
        write::Error::Read(error) => broken(read::Error::Read(error)),
        write::Error::Write(error) => Failure::Destination(Error::io("write the archive", error)),
        error => Failure::Destination(Error::io("write the archive", io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::progress::Progress;
    use crate::wire::tar::header::Header;
    use crate::wire::tar::read::Reader;
    use std::ops::ControlFlow;

    fn archive(headers: &[Header]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for header in headers {
            writer.append(header, &mut io::empty()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn dir(path: &str) -> Header {
        Header::directory(path.as_bytes())
    }

    fn link(path: &str, target: &str) -> Header {
        Header {
            kind: Kind::HardLink(target.into()),
            ..Header::file(path.as_bytes(), 0)
        }
    }

    fn mounted(below: &str, archive: Vec<u8>, mounts: Vec<Mounted>) -> Mounted {
        Mounted {
            below: below.split('/').map(OsString::from).collect(),
            content: Some((Box::new(io::Cursor::new(archive)), mounts)),
        }
    }

    /// What becomes of the archive of a directory `srv` that is to be called `new`.
    fn merged(outer: &[u8], mounts: Vec<Mounted>) -> Outcome<Vec<String>> {
        let top = [OsString::from("new")];
        let mapping = Mapping {
            is_named: true,
            top: &top,
            is_rooted: false,
        };
        let mut nobody = |_: &Progress| ControlFlow::Continue(());
        let mut meter = Meter::new(None, &mut nobody);
        let mut out = Vec::new();
        rewrite(&mut { outer }, mounts, &mut out, mapping, &mut meter)?;
        let mut reader = Reader::new(out.as_slice());
        let mut paths = Vec::new();
        while let Some(entry) = reader.next_entry().map_err(broken)? {
            let header = entry.header();
            let path = String::from_utf8_lossy(&header.path);
            let path = path.trim_end_matches('/').to_owned();
            paths.push(match &header.kind {
                Kind::HardLink(to) => format!("{path} = {}", String::from_utf8_lossy(to)),
                _ => path,
            });
        }
        Ok(paths)
    }

    #[test]
    fn what_is_mounted_takes_the_place_of_what_lies_under_it() {
        let outer = [
            dir("srv"),
            dir("srv/a"),
            dir("srv/data"),
            dir("srv/data/hidden"),
            dir("srv/data2"),
        ];
        let data = [
            dir("/"),
            dir("/f"),
            link("/g", "/f"),
            dir("/in"),
            dir("/in/x"),
        ];
        let inner = mounted("in", archive(&[dir("in"), dir("in/y")]), Vec::new());
        let mounts = vec![
            // Where nothing lies, it comes in the end.
            mounted("no/where", archive(&[dir("where")]), Vec::new()),
            mounted("data", archive(&data), vec![inner]),
            Mounted {
                below: vec!["a".into()],
                content: None,
            },
        ];
        let want = [
            "new",
            "new/data",
            "new/data/f",
            "new/data/g = new/data/f",
            "new/data/in",
            "new/data/in/y",
            "new/data2",
            "new/no/where",
        ];
        assert_eq!(merged(&archive(&outer), mounts).unwrap(), want);
    }

    #[test]
    fn a_length_beyond_all_bounds_is_an_archive_that_ends_too_early() {
        let mut endless = archive(&[Header::directory(b"srv"), dir("srv/a")]);
        endless.truncate(endless.len() - 1024);
        let mut one = Writer::new(Vec::new());
        one.append(&Header::file(b"srv/f", 1), &mut io::repeat(b'x'))
            .unwrap();
        endless.extend_from_slice(&one.finish().unwrap()[..1024]);
        endless.extend(Header::file(b"srv/g", u64::MAX).encode().unwrap());
        match merged(&endless, Vec::new()) {
            Err(Failure::Archive(_, path)) => assert_eq!(path, b"srv/g"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_mounted_leads_nowhere_else_and_is_named_where_it_breaks() {
        let outer = archive(&[dir("srv"), dir("srv/data")]);
        let evil = archive(&[dir("data/../../x")]);
        match merged(&outer, vec![mounted("data", evil, Vec::new())]) {
            Err(Failure::Destination(Error::UnsafePath { .. })) => {}
            other => panic!("{other:?}"),
        }
        let mut writer = Writer::new(Vec::new());
        let file = Header::file(b"data/f", 2000);
        writer.append(&file, &mut io::repeat(b'x')).unwrap();
        let mut cut = writer.finish().unwrap();
        cut.truncate(1000);
        match merged(&outer, vec![mounted("data", cut, Vec::new())]) {
            Err(Failure::Archive(_, path)) => assert_eq!(path, b"srv/data/f"),
            other => panic!("{other:?}"),
        }
    }
}
