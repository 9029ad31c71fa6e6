//! Writes a tar archive, entry after entry, in a buffer of fixed size.
//!
//! Source: POSIX.1-2017, `pax`, "ustar Interchange Format"; the headers are those of
//! [`header`](mod@super::header). The archive ends in two blocks of zeros and is not padded to a
//! tape record.
//!
//! Nothing here looks at a file system: what to pack, under which name, is the caller's business.

use std::fmt;
use std::io::{self, Read, Write};

use super::header::{self, BLOCK_LEN, Header};

/// Bytes gathered before they are written: many small entries share one write.
const BUFFER_LEN: usize = 128 * 1024;

/// Two blocks of zeros.
const END: [u8; 2 * BLOCK_LEN] = [0; 2 * BLOCK_LEN];

/// Why an entry could not be written.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The header cannot be put into an archive; nothing was written.
    Header(header::Error),
    /// The source ended before it had given as many bytes as its header announces.
    ShortSource {
        /// The bytes that are missing.
        missing: u64,
    },
    /// The source could not be read.
    Read(io::Error),
    /// The archive could not be written.
    Write(io::Error),
    /// An earlier entry failed half-way, so the archive cannot be carried on.
    Broken,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(error) => write!(f, "cannot archive {error}"),
            Self::ShortSource { missing } => {
                write!(
                    f,
                    "the source ended {missing} bytes before its announced length"
                )
            }
            Self::Read(error) => write!(f, "cannot read the source: {error}"),
            Self::Write(error) => write!(f, "cannot write the archive: {error}"),
            Self::Broken => f.write_str("an earlier entry of the archive is incomplete"),
        }
    }
}

impl std::error::Error for Error {}

/// Writes entries into `out`.
///
/// ```
/// use pocketdock_core::wire::tar::{header::Header, write::Writer};
///
/// let mut writer = Writer::new(Vec::new());
/// writer.append(&Header::directory(b"src"), &mut std::io::empty())?;
/// writer.append(&Header::file(b"src/hello.txt", 5), &mut &b"hello"[..])?;
/// assert_eq!(writer.finish()?.len(), 512 + 512 + 512 + 1024);
/// # Ok::<(), pocketdock_core::wire::tar::write::Error>(())
/// ```
///
/// Only [`finish`](Writer::finish) writes what is still in the buffer and the end of the archive.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    buffer: Box<[u8]>,
    /// How much of `buffer` waits to be written.
    filled_len: usize,
    is_broken: bool,
}

impl<W: Write> Writer<W> {
    /// Starts an archive.
    #[must_use]
    pub fn new(out: W) -> Self {
        let buffer = vec![0; BUFFER_LEN].into_boxed_slice();
        Self {
            out,
            buffer,
            filled_len: 0,
            is_broken: false,
        }
    }

    /// Writes one entry with `header.len` bytes of `source`, which is not read any further.
    ///
    /// # Errors
    ///
    /// [`Error::Header`] leaves the archive as it was. After any other error it is incomplete, and
    /// all that is asked of it later ends in [`Error::Broken`].
    pub fn append(&mut self, header: &Header, source: &mut dyn Read) -> Result<(), Error> {
        self.check()?;
        let blocks = header.encode().map_err(Error::Header)?;
        self.is_broken = true;
        self.put(&blocks)?;
        self.copy(source, header.len)?;
        self.pad()?;
        self.is_broken = false;
        Ok(())
    }

    /// Ends the archive, flushes it and gives `out` back.
    ///
    /// # Errors
    ///
    /// [`Error::Write`], and [`Error::Broken`] if an entry is incomplete.
    pub fn finish(mut self) -> Result<W, Error> {
        self.check()?;
        self.put(&END)?;
        self.send()?;
        self.out.flush().map_err(Error::Write)?;
        Ok(self.out)
    }

    fn check(&self) -> Result<(), Error> {
        if self.is_broken {
            Err(Error::Broken)
        } else {
            Ok(())
        }
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let free = self.free()?;
            let (now, later) = bytes.split_at(bytes.len().min(free.len()));
            for (to, from) in free.iter_mut().zip(now) {
                *to = *from;
            }
            self.filled_len = self.filled_len.saturating_add(now.len());
            bytes = later;
        }
        Ok(())
    }

    /// Reads straight into the buffer, so that data are moved once.
    fn copy(&mut self, source: &mut dyn Read, len: u64) -> Result<(), Error> {
        let mut missing = len;
        while missing != 0 {
            let free = self.free()?;
            let wanted_len = usize::try_from(missing)
                .unwrap_or(usize::MAX)
                .min(free.len());
            let (wanted, _) = free.split_at_mut(wanted_len);
            let n_read = match source.read(wanted) {
                Ok(0) => return Err(Error::ShortSource { missing }),
                Ok(n_read) => n_read.min(wanted_len),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Read(error)),
            };
            self.filled_len = self.filled_len.saturating_add(n_read);
            missing = missing.saturating_sub(n_read as u64);
        }
        Ok(())
    }

    /// Fills the last block of an entry. The buffer is whole blocks long, so its own end tells.
    fn pad(&mut self) -> Result<(), Error> {
        let padding_len = self
            .filled_len
            .next_multiple_of(BLOCK_LEN)
            .saturating_sub(self.filled_len);
        let (padding, _) = END.split_at(padding_len);
        self.put(padding)
    }

    /// The free part of the buffer, never empty: a full buffer is written out first.
    fn free(&mut self) -> Result<&mut [u8], Error> {
        if self.filled_len == self.buffer.len() {
            self.send()?;
        }
        Ok(self.buffer.get_mut(self.filled_len..).unwrap_or_default())
    }

    fn send(&mut self) -> Result<(), Error> {
        let filled = self.buffer.get(..self.filled_len).unwrap_or_default();
        self.out.write_all(filled).map_err(Error::Write)?;
        self.filled_len = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(entries: &[(Header, &[u8])]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for (header, data) in entries {
            writer.append(header, &mut &data[..]).unwrap();
        }
        writer.finish().unwrap()
    }

    /// A source that gives one byte at a time and is interrupted before each.
    struct Dribble<'a> {
        data: &'a [u8],
        is_interrupted: bool,
    }

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.is_interrupted = !self.is_interrupted;
            if self.is_interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = buffer.len().min(1);
            self.data.read(&mut buffer[..len])
        }
    }

    #[test]
    fn an_empty_archive_is_two_zero_blocks() {
        assert_eq!(archive(&[]), [0; 1024]);
    }

    #[test]
    fn data_are_padded_to_a_block() {
        for (len, padded_len) in [(0, 0), (1, 512), (511, 512), (512, 512), (513, 1024)] {
            let data = vec![b'd'; len];
            let bytes = archive(&[(Header::file(b"a", len as u64), &data)]);
            assert_eq!(bytes.len(), 512 + padded_len + 1024, "{len} bytes");
            assert_eq!(bytes[512..512 + len], data, "{len} bytes");
            assert!(
                bytes[512 + len..].iter().all(|&byte| byte == 0),
                "{len} bytes"
            );
        }
    }

    #[test]
    fn data_longer_than_the_buffer_arrive_whole() {
        for len in [
            BUFFER_LEN - 513,
            BUFFER_LEN - 512,
            BUFFER_LEN,
            3 * BUFFER_LEN + 7,
        ] {
            let data: Vec<u8> = (0..=250).cycle().take(len).collect();
            let header = Header::file(b"a", len as u64);
            let bytes = archive(&[(header.clone(), &data), (header, &data)]);
            let second = 512 + len.next_multiple_of(512);
            assert_eq!(bytes[512..512 + len], data, "{len} bytes");
            assert_eq!(bytes[second + 512..second + 512 + len], data, "{len} bytes");
        }
    }

    #[test]
    fn how_the_source_reads_makes_no_difference() {
        let data: Vec<u8> = (0..=250).cycle().take(2000).collect();
        let mut writer = Writer::new(Vec::new());
        let mut source = Dribble {
            data: &data,
            is_interrupted: false,
        };
        writer
            .append(&Header::file(b"a", 2000), &mut source)
            .unwrap();
        assert_eq!(
            writer.finish().unwrap(),
            archive(&[(Header::file(b"a", 2000), &data)])
        );
    }

    #[test]
    fn a_source_is_read_to_the_announced_length_and_no_further() {
        let mut source = &b"hello, world"[..];
        let mut writer = Writer::new(Vec::new());
        writer.append(&Header::file(b"a", 5), &mut source).unwrap();
        assert_eq!(source, b", world");
    }

    #[test]
    fn a_short_source_breaks_the_archive() {
        let mut writer = Writer::new(Vec::new());
        let short = writer.append(&Header::file(b"a", 5), &mut &b"abc"[..]);
        assert!(
            matches!(short, Err(Error::ShortSource { missing: 2 })),
            "{short:?}"
        );
        let next = writer.append(&Header::file(b"b", 0), &mut io::empty());
        assert!(matches!(next, Err(Error::Broken)), "{next:?}");
        assert!(matches!(writer.finish(), Err(Error::Broken)));
    }

    #[test]
    fn a_refused_header_leaves_the_archive_as_it_was() {
        let mut writer = Writer::new(Vec::new());
        let refused = writer.append(&Header::file(b"a\0", 0), &mut io::empty());
        assert!(
            matches!(refused, Err(Error::Header(header::Error::Nul))),
            "{refused:?}"
        );
        assert_eq!(writer.finish().unwrap(), [0; 1024]);
    }

    #[test]
    fn failures_of_either_side_come_through() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        let mut writer = Writer::new(Vec::new());
        let failed = writer.append(&Header::file(b"a", 5), &mut Failing);
        assert!(matches!(failed, Err(Error::Read(_))), "{failed:?}");

        let mut room = [0; 1023];
        let failed = Writer::new(&mut room[..]).finish().map(|_| ());
        assert!(matches!(failed, Err(Error::Write(_))), "{failed:?}");
    }
}

/// The archives as other programs read them.
#[cfg(test)]
mod interop {
    use std::fs::File;
    use std::io::Seek;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::super::header::Kind;
    use super::*;

    const HUGE_LEN: u64 = (9 << 30) + 1;

    /// Prints one line per entry, with all that the header says.
    const PYTHON_LIST: &str = r#"
import sys, tarfile
with tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as archive:
    for m in archive:
        name, link = (n.encode("utf-8", "surrogateescape") for n in (m.name, m.linkname))
        mtime = m.pax_headers.get("mtime", str(int(m.mtime)))
        data = archive.extractfile(m).read() if m.isreg() and m.size < 1000 else b""
        print(name.hex(), m.type.decode(), oct(m.mode), m.uid, m.gid, mtime, m.size, link.hex(), data.hex())
"#;

    fn file(path: &[u8], data: &'static [u8]) -> (Header, &'static [u8]) {
        (Header::file(path, data.len() as u64), data)
    }

    /// One entry for each thing that a reader may get wrong, all but the huge one.
    fn entries() -> Vec<(Header, &'static [u8])> {
        let x = |n: usize| "x".repeat(n).into_bytes();
        let split = [b"dir/".to_vec(), x(90), b"/".to_vec(), x(90)].concat();
        let long = [x(150), b"/".to_vec(), x(150)].concat();
        vec![
            file(b"plain", b"hello\n"),
            (
                Header {
                    mode: 0o1777,
                    uid: 1000,
                    gid: 100,
                    ..Header::directory(b"dir")
                },
                b"",
            ),
            (
                Header {
                    mode: 0o4755,
                    ..Header::file(&split, 3)
                },
                b"abc",
            ),
            file(&long, b"long"),
            (Header::directory(&[x(200), b"/sub".to_vec()].concat()), b""),
            (Header::symlink(b"link", b"plain"), b""),
            (Header::symlink(b"long-link", &x(300)), b""),
            (Header::hard_link(b"hard", b"plain"), b""),
            (Header::hard_link(b"long-hard", &long), b""),
            file("na\u{ef}ve \u{1f980}".as_bytes(), b"utf-8"),
            file(b"bytes \xff\xfe", b"not utf-8"),
            file(&[0xff; 101], b"long, not utf-8"),
            file(b"odd =\n\t\\ \x1b'\"", b"controls"),
            (Header::symlink(b"bytes-link", b"to \xff"), b""),
            (
                Header {
                    mtime_s: 1_700_000_000,
                    mtime_ns: 123_456_789,
                    ..Header::file(b"ns", 0)
                },
                b"",
            ),
            (
                Header {
                    mtime_s: -2,
                    mtime_ns: 500_000_000,
                    ..Header::file(b"before", 0)
                },
                b"",
            ),
            (
                Header {
                    mtime_s: -86_400,
                    ..Header::file(b"day-before", 0)
                },
                b"",
            ),
            (
                Header {
                    mtime_s: 1 << 34,
                    ..Header::file(b"far", 0)
                },
                b"",
            ),
            (
                Header {
                    uid: 4_000_000_000,
                    gid: 2_097_152,
                    ..Header::file(b"owner", 0)
                },
                b"",
            ),
        ]
    }

    /// A scratch file that goes away with its owner.
    struct Scratch(PathBuf);

    impl Drop for Scratch {
        fn drop(&mut self) {
            // Nothing can be done about a scratch file that stays.
            let _ = std::fs::remove_file(&self.0);
        }
    }

    /// Writes the entries and, as a hole in the file, one of more than 8 GiB.
    fn write_archive(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("pocketdock-{name}-{}", std::process::id()));
        let scratch = Scratch(path.clone());
        let mut writer = Writer::new(File::create(&path).unwrap());
        for (header, data) in entries() {
            writer.append(&header, &mut &data[..]).unwrap();
        }
        writer
            .put(&Header::file(b"huge", HUGE_LEN).encode().unwrap())
            .unwrap();
        writer.send().unwrap();
        let start = writer.out.stream_position().unwrap();
        writer
            .out
            .set_len(start + HUGE_LEN.next_multiple_of(512) + 1024)
            .unwrap();
        scratch
    }

    /// What a command prints, or `None` with a word on the terminal if it is not installed.
    fn output_of(command: &mut Command) -> Option<Vec<u8>> {
        match command.env("LC_ALL", "C").env("TZ", "UTC0").output() {
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && errors.is_empty(), "{errors}");
                Some(output.stdout)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Straight to the terminal, since the test harness hides what eprintln prints.
                writeln!(io::stderr(), "SKIPPED: {command:?} is not installed").unwrap();
                None
            }
            Err(error) => panic!("{command:?}: {error}"),
        }
    }

    #[test]
    fn python_reads_back_what_was_written() {
        let scratch = write_archive("python");
        let mut python = Command::new("python3");
        let Some(listed) = output_of(python.args(["-c", PYTHON_LIST]).arg(&scratch.0)) else {
            return;
        };
        let mut want: Vec<String> = entries()
            .iter()
            .map(|(h, data)| python_line(h, data))
            .collect();
        want.push(python_line(&Header::file(b"huge", HUGE_LEN), b""));
        let listed = String::from_utf8(listed).unwrap();
        let listed: Vec<&str> = listed.lines().map(str::trim_end).collect();
        assert_eq!(listed, want);
    }

    fn python_line(header: &Header, data: &[u8]) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (kind, target) = match &header.kind {
            Kind::File => ('0', &b""[..]),
            Kind::HardLink(target) => ('1', &target[..]),
            Kind::Symlink(target) => ('2', &target[..]),
            Kind::Directory => ('5', &b""[..]),
            Kind::Fifo | Kind::CharDevice | Kind::BlockDevice | Kind::Other(_) => {
                panic!("{header:?} cannot be written")
            }
        };
        let mtime = match (header.mtime_s, header.mtime_ns) {
            (-2, 500_000_000) => "-1.5".to_owned(),
            (seconds, 0) => seconds.to_string(),
            (seconds, ns) => format!("{seconds}.{ns:09}"),
        };
        let Header {
            mode,
            uid,
            gid,
            len,
            path,
            ..
        } = header;
        let (path, target, data) = (hex(path), hex(target), hex(data));
        let line = format!("{path} {kind} 0o{mode:o} {uid} {gid} {mtime} {len} {target} {data}");
        line.trim_end().to_owned()
    }

    #[test]
    fn gnu_tar_reads_back_what_was_written() {
        let scratch = write_archive("gnu");
        let Some(version) = output_of(Command::new("tar").arg("--version")) else {
            return;
        };
        if !version.starts_with(b"tar (GNU tar)") {
            writeln!(io::stderr(), "SKIPPED: tar is not GNU tar").unwrap();
            return;
        }
        let listed = gnu_list(&scratch.0);
        let x = |n: usize| "x".repeat(n);
        #[rustfmt::skip] // one entry per line
        let want = [
            "-rw-r--r-- 0/0 6 1970-01-01 00:00:00 plain".to_owned(),
            "drwxrwxrwt 1000/100 0 1970-01-01 00:00:00 dir/".to_owned(),
            format!("-rwsr-xr-x 0/0 3 1970-01-01 00:00:00 dir/{}/{}", x(90), x(90)),
            format!("-rw-r--r-- 0/0 4 1970-01-01 00:00:00 {}/{}", x(150), x(150)),
            format!("drwxr-xr-x 0/0 0 1970-01-01 00:00:00 {}/sub/", x(200)),
            "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 link -> plain".to_owned(),
            format!("lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 long-link -> {}", x(300)),
            "hrw-r--r-- 0/0 0 1970-01-01 00:00:00 hard link to plain".to_owned(),
            format!("hrw-r--r-- 0/0 0 1970-01-01 00:00:00 long-hard link to {}/{}", x(150), x(150)),
            r"-rw-r--r-- 0/0 5 1970-01-01 00:00:00 na\303\257ve \360\237\246\200".to_owned(),
            r"-rw-r--r-- 0/0 9 1970-01-01 00:00:00 bytes \377\376".to_owned(),
            format!("-rw-r--r-- 0/0 15 1970-01-01 00:00:00 {}", r"\377".repeat(101)),
            r#"-rw-r--r-- 0/0 8 1970-01-01 00:00:00 odd =\n\t\\ \033'""#.to_owned(),
            r"lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 bytes-link -> to \377".to_owned(),
            "-rw-r--r-- 0/0 0 2023-11-14 22:13:20.123456789 ns".to_owned(),
            // GNU tar 1.34 lists this time a second late, but extracts it as 23:59:58.5.
            "-rw-r--r-- 0/0 0 1969-12-31 23:59:59.5 before".to_owned(),
            "-rw-r--r-- 0/0 0 1969-12-31 00:00:00 day-before".to_owned(),
            "-rw-r--r-- 0/0 0 2514-05-30 01:53:04 far".to_owned(),
            "-rw-r--r-- 4000000000/2097152 0 1970-01-01 00:00:00 owner".to_owned(),
            format!("-rw-r--r-- 0/0 {HUGE_LEN} 1970-01-01 00:00:00 huge"),
        ];
        assert_eq!(listed, want);
    }

    /// The long listing, line by line, with runs of blanks made one.
    fn gnu_list(archive: &Path) -> Vec<String> {
        let mut tar = Command::new("tar");
        tar.args(["--list", "--verbose", "--full-time", "--numeric-owner"]);
        tar.args(["--quoting-style=escape", "--file"]).arg(archive);
        let listed = String::from_utf8(output_of(&mut tar).unwrap()).unwrap();
        listed
            .lines()
            .map(|line| {
                line.split(' ')
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    }
}
