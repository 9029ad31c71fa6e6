//! Compresses and decompresses by a child process: `pigz` where there is one, else `gzip`.
//!
//! ```text
//! Compressor    writes -> child's stdin    child's stdout -> "gzip" thread -> out
//! Decompressor  reads  <- child's stdout   child's stdin  <- a file, or "gunzip" thread
//! ```
//!
//! A child that fails is our failure, with its own words: what it has made by then is never taken
//! for the whole. It is waited for on every way out, and killed first if there is no use for what
//! it makes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use pocketdock_core::Error;

/// What is tried, in order; both take the same options.
const PROGRAMS: [&str; 2] = ["pigz", "gzip"];

/// What every compressed stream begins with: RFC 1952, section 2.3.1.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How much of what a child complains about is read.
const COMPLAINT_LEN_MAX: u64 = 4096;

const BUFFER_LEN: usize = 64 * 1024;

/// Compresses what is written to it into `out`.
#[derive(Debug)]
pub(crate) struct Compressor<W> {
    gzip: Gzip,
    /// Until all is written.
    stdin: Option<ChildStdin>,
    drain: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Write + Send + 'static> Compressor<W> {
    /// Starts the child.
    pub(crate) fn start(mut out: W) -> Result<Self, Error> {
        let mut gzip = Gzip::start(&["-nc"], || Ok(Stdio::piped()))?;
        let stdin = gzip.child.stdin.take();
        let stdout = gzip.child.stdout.take();
        let drain = thread::Builder::new()
            .name("gzip".to_owned())
            .spawn(move || {
                if let Some(stdout) = stdout {
                    copy(stdout, &mut out)?;
                }
                Ok(out)
            });
        Ok(Self {
            gzip,
            stdin,
            drain: Some(drain.map_err(|source| cannot_start("the thread 'gzip'", source))?),
        })
    }

    /// Ends the compressed stream and gives `out` back.
    ///
    /// A failure of `out` goes before one of the child, which it is the cause of.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        drop(self.stdin.take());
        let drained = match self.drain.take().map(JoinHandle::join) {
            Some(Ok(drained)) => drained,
            Some(Err(_)) | None => Err(io::Error::other("the thread 'gzip' panicked")),
        };
        let out = drained?;
        self.gzip.conclude()?;
        Ok(out)
    }

    /// Why a write failed: the child is gone because `out` or the child itself has failed.
    pub(crate) fn explain(self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe => self.finish().err().unwrap_or(error),
            _ => error,
        }
    }
}

impl<W> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W> Drop for Compressor<W> {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.gzip.end();
        if let Some(drain) = self.drain.take() {
            let _panicked = drain.join();
        }
    }
}

/// Gives what a compressed stream holds.
#[derive(Debug)]
pub(crate) struct Decompressor {
    gzip: Gzip,
    stdout: Option<ChildStdout>,
    /// What reads the compressed stream, unless the child does it itself.
    feeder: Option<JoinHandle<io::Result<()>>>,
}

impl Decompressor {
    /// Decompresses a file from where it stands.
    pub(crate) fn of_file(file: &File) -> Result<Self, Error> {
        let mut gzip = Gzip::start(&["-dc"], || file.try_clone().map(Stdio::from))?;
        Ok(Self {
            stdout: gzip.child.stdout.take(),
            gzip,
            feeder: None,
        })
    }

    /// Decompresses a stream of which something has been read already.
    ///
    /// The thread that reads it waits in a read that nothing can interrupt. If the child fails
    /// meanwhile, it is left behind and goes with the process.
    pub(crate) fn of_stream(mut stream: Box<dyn Read + Send>) -> Result<Self, Error> {
        let mut gzip = Gzip::start(&["-dc"], || Ok(Stdio::piped()))?;
        let stdin = gzip.child.stdin.take();
        let feeder = thread::Builder::new()
            .name("gunzip".to_owned())
            .spawn(move || match stdin {
                Some(mut stdin) => copy(&mut stream, &mut stdin),
                None => Ok(()),
            });
        Ok(Self {
            stdout: gzip.child.stdout.take(),
            gzip,
            feeder: Some(feeder.map_err(|source| cannot_start("the thread 'gunzip'", source))?),
        })
    }

    /// The end of the output is the end of the stream only if the child says so.
    fn conclude(&mut self) -> io::Result<()> {
        let concluded = self.gzip.conclude();
        let feeder = self.feeder.take();
        match feeder.filter(|feeder| concluded.is_ok() || feeder.is_finished()) {
            Some(feeder) => match (feeder.join(), concluded) {
                // A child that has all it wants reads no further.
                (Ok(Err(error)), _) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
                (_, concluded) => concluded,
            },
            None => concluded,
        }
    }
}

impl Read for Decompressor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(0);
        };
        match stdout.read(buffer)? {
            0 if !buffer.is_empty() => {
                self.stdout = None;
                self.conclude().map(|()| 0)
            }
            n => Ok(n),
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        drop(self.stdout.take());
        self.gzip.end();
    }
}

/// The child.
#[derive(Debug)]
struct Gzip {
    name: &'static str,
    child: Child,
}

impl Gzip {
    /// Starts the first of the programs that there is.
    fn start(arguments: &[&str], stdin: impl Fn() -> io::Result<Stdio>) -> Result<Self, Error> {
        for name in PROGRAMS {
            let spawned = stdin().and_then(|stdin| {
                let mut command = Command::new(name);
                command.args(arguments).stdin(stdin);
                command
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
            });
            match spawned {
                Ok(child) => return Ok(Self { name, child }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(cannot_start(&format!("'{name}'"), error)),
            }
        }
        let [first, second] = PROGRAMS;
        let neither = format!("'{first}' or '{second}'");
        Err(cannot_start(&neither, io::ErrorKind::NotFound.into()))
    }

    /// Waits for a child that has closed its output.
    fn conclude(&mut self) -> io::Result<()> {
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            stderr.take(COMPLAINT_LEN_MAX).read_to_end(&mut said)?;
        }
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let said = said.lines().map(str::trim).find(|line| !line.is_empty());
        // What comes before is the child's own name and what it calls our pipe.
        let said = said.map(|line| line.split_once(": stdin: ").map_or(line, |(_, why)| why));
        let why = said.map_or_else(|| status.to_string(), str::to_owned);
        Err(io::Error::other(format!("'{}' failed: {why}", self.name)))
    }

    /// Ends a child whose work is of no use any more; one that has ended is left alone.
    fn end(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

fn cannot_start(what: &str, source: io::Error) -> Error {
    Error::Io {
        doing: format!("start {what}"),
        source,
    }
}

/// As [`io::copy`], with a larger buffer.
fn copy(mut from: impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return to.flush(),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(buffer.get(..n).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::start(Vec::new()).unwrap();
        compressor.write_all(bytes).unwrap();
        compressor.finish().unwrap()
    }

    fn decompressed(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut stream =
            Decompressor::of_stream(Box::new(io::Cursor::new(bytes.to_vec()))).unwrap();
        stream.read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn what_goes_in_comes_out() {
        let long: Vec<u8> = (0..3_000_000_u32)
            .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
            .collect();
        for bytes in [&b""[..], b"a", &long] {
            let small = compressed(bytes);
            assert_eq!(small[..2], MAGIC);
            assert!(
                decompressed(&small).unwrap() == bytes,
                "{} bytes",
                bytes.len()
            );
        }
    }

    #[test]
    fn a_stream_that_is_cut_or_broken_is_an_error() {
        let bytes: Vec<u8> = (0..100_000_u32)
            .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
            .collect();
        let whole = compressed(&bytes);
        for len in [2, 10, whole.len() / 2, whole.len() - 1] {
            let error = decompressed(&whole[..len]).unwrap_err().to_string();
            assert!(
                error.contains("gz' failed: ") || error.contains("gzip' failed: "),
                "{len}: {error}"
            );
        }
        let mut broken = whole;
        let middle = broken.len() / 2;
        broken[middle] ^= 0x55;
        assert!(decompressed(&broken).is_err());
    }

    #[test]
    fn the_failure_of_the_sink_goes_before_that_of_the_child() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut compressor = Compressor::start(Full).unwrap();
        let noise: Vec<u8> = (0..1_000_000_u32)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes())
            .collect();
        let error = match compressor.write_all(&noise) {
            Ok(()) => compressor.finish().err().unwrap(),
            Err(error) => compressor.explain(error),
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
    }

    #[test]
    fn the_failure_of_the_source_goes_before_that_of_the_child() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is on fire"))
            }
        }
        let small = compressed(&[b'x'; 100_000]);
        let source = io::Cursor::new(small[..20].to_vec()).chain(Failing);
        let mut out = Vec::new();
        let error = Decompressor::of_stream(Box::new(source))
            .unwrap()
            .read_to_end(&mut out)
            .unwrap_err();
        assert!(error.to_string().contains("fire"), "{error}");
    }

    #[test]
    fn a_child_that_is_not_wanted_any_more_is_ended() {
        let compressor = Compressor::start(Vec::new()).unwrap();
        let (pid, decompressor) = (
            compressor.gzip.child.id(),
            Decompressor::of_stream(Box::new(io::empty())).unwrap(),
        );
        let pids = [pid, decompressor.gzip.child.id()];
        drop((compressor, decompressor));
        for pid in pids {
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
        }
    }
}
