//! Readers and writers that misbehave in the ways real ones are allowed to.
//!
//! After Go's `testing/iotest`: one byte at a time, half of what was asked for, an error after n
//! bytes, an error in place of the end, `Interrupted` and `WouldBlock` in between.

use std::io::{self, Read, Write};

/// The way in which a reader or writer misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None: as much as asked for.
    None,
    /// One byte per call.
    OneByte,
    /// Half of what was asked for, at least one byte.
    Half,
    /// Every second call is [`io::ErrorKind::Interrupted`], the others move one byte.
    Interrupted,
    /// Every second call is [`io::ErrorKind::WouldBlock`], the others move one byte.
    WouldBlock,
    /// [`io::ErrorKind::ConnectionReset`] once this many bytes have passed. With the length of the
    /// data it is an error in place of the end.
    ErrorAfter(usize),
    /// Ends (reads or writes 0 bytes) once this many bytes have passed.
    EndAfter(usize),
}

/// The faults through which everything must still arrive.
pub const HARMLESS: [Fault; 4] = [Fault::None, Fault::OneByte, Fault::Half, Fault::Interrupted];

/// What a call may do: fail, or move up to some number of bytes.
#[derive(Debug, Default)]
struct Course {
    calls: usize,
    passed: usize,
}

impl Course {
    /// How many of `wanted` bytes the next call moves.
    fn next(&mut self, fault: Fault, wanted: usize) -> io::Result<usize> {
        self.calls += 1;
        let every_second = self.calls % 2 == 1;
        match fault {
            Fault::None => Ok(wanted),
            Fault::OneByte => Ok(wanted.min(1)),
            Fault::Half => Ok(wanted.div_ceil(2)),
            Fault::Interrupted if every_second => Err(io::ErrorKind::Interrupted.into()),
            Fault::WouldBlock if every_second => Err(io::ErrorKind::WouldBlock.into()),
            Fault::Interrupted | Fault::WouldBlock => Ok(wanted.min(1)),
            Fault::ErrorAfter(n) if n <= self.passed => Err(io::ErrorKind::ConnectionReset.into()),
            Fault::ErrorAfter(n) | Fault::EndAfter(n) => Ok(wanted.min(n - n.min(self.passed))),
        }
    }
}

/// Reads from a slice with a [`Fault`].
#[derive(Debug)]
pub struct FaultReader<'a> {
    data: &'a [u8],
    fault: Fault,
    course: Course,
}

impl<'a> FaultReader<'a> {
    /// Reads `data`, misbehaving as `fault` says.
    pub fn new(data: &'a [u8], fault: Fault) -> Self {
        Self {
            data,
            fault,
            course: Course::default(),
        }
    }
}

impl Read for FaultReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self
            .course
            .next(self.fault, buf.len())?
            .min(self.data.len());
        let (now, later) = self.data.split_at(len);
        buf[..len].copy_from_slice(now);
        self.data = later;
        self.course.passed += len;
        Ok(len)
    }
}

/// Gathers what is written, with a [`Fault`].
#[derive(Debug)]
pub struct FaultWriter {
    /// What got through.
    pub written: Vec<u8>,
    fault: Fault,
    course: Course,
}

impl FaultWriter {
    /// Accepts bytes, misbehaving as `fault` says.
    pub fn new(fault: Fault) -> Self {
        Self {
            written: Vec::new(),
            fault,
            course: Course::default(),
        }
    }
}

impl Write for FaultWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.course.next(self.fault, buf.len())?;
        self.written.extend_from_slice(&buf[..len]);
        self.course.passed += len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn harmless_readers_and_writers_pass_everything() {
    for fault in HARMLESS {
        let mut read = Vec::new();
        FaultReader::new(b"sandbox", fault)
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, b"sandbox", "reading with {fault:?}");

        let mut writer = FaultWriter::new(fault);
        writer.write_all(b"sandbox").unwrap();
        assert_eq!(writer.written, b"sandbox", "writing with {fault:?}");
    }
}

#[test]
fn harmful_ones_stop_where_they_should() {
    for n in 0..=7 {
        let mut read = Vec::new();
        let end = FaultReader::new(b"sandbox", Fault::ErrorAfter(n)).read_to_end(&mut read);
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(read, &b"sandbox"[..n]);

        let mut read = Vec::new();
        FaultReader::new(b"sandbox", Fault::EndAfter(n))
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, &b"sandbox"[..n]);
    }
    let blocked = FaultWriter::new(Fault::WouldBlock)
        .write_all(b"x")
        .unwrap_err();
    assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
    let full = FaultWriter::new(Fault::EndAfter(3))
        .write_all(b"sandbox")
        .unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::WriteZero);
}
