//! Log files: the output of one command, line by line, with the time and the stream.
//!
//! ```text
//! 2026-11-20T10:00:00.123456Z stdout F a whole line
//! 2026-11-20T10:00:00.223456Z stderr P a line that is continued,
//! 2026-11-20T10:00:00.323456Z stderr F or was never ended by a newline if nothing follows
//! ```
//!
//! This is the container runtime interface's log format (Kubernetes' CRI), which other tools read
//! as well. `F` ends a line of the output, `P` does not, so that joining what stands behind the
//! tags gives the output byte for byte.
//!
//! A line of any other form is a note, to be shown and not to be read.
//!
//! A log has a limit. What goes beyond it, output or note, is dropped and counted in a last line,
//! `[truncated: N bytes dropped]`. The same happens to what cannot be written, on a full disk say,
//! with all that follows. Only how the command ended is noted in any case.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::container::output::StreamKind;
use crate::error::{Error, Result};
use crate::wire::time::Timestamp;

/// How large a log may become unless told otherwise, in bytes.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// use pocketdock_core::{Instance, RecordKind, project::log::DEFAULT_LOG_LEN_MAX};
///
/// let command = vec!["make".to_owned()];
/// let instance = Instance::of(&sandbox)?;
/// let run = instance.record(&sandbox, RecordKind::Run, &command, DEFAULT_LOG_LEN_MAX)?;
/// println!("recorded in {}", run.log());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const DEFAULT_LOG_LEN_MAX: u64 = 10 * 1024 * 1024;

/// The longest line that is written as one; a longer one is continued.
const LINE_LEN_MAX: usize = 16 * 1024;

/// Writes one log.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("pd-log-doc-{}", std::process::id()));
/// use std::time::SystemTime;
/// use pocketdock_core::{LogReader, LogWriter, StreamKind};
///
/// let mut writer = LogWriter::create(&path, 1024)?;
/// writer.add(SystemTime::now(), StreamKind::Stdout, b"hello\n")?;
/// writer.note("the sandbox was stopped")?;
/// assert_eq!(writer.finish()?, 0); // Nothing was dropped.
/// assert!(LogReader::open(&path)?.next_line()?.is_some());
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct LogWriter {
    file: File,
    path: PathBuf,
    left: u64,
    dropped_len: u64,
    /// Whether the last line may lack its end.
    is_torn: bool,
}

impl LogWriter {
    /// Creates a log that nobody else can read and that may have `len_max` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if there is such a file already.
    pub fn create(path: &Path, len_max: u64) -> Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| Error::io(format!("create '{}'", path.display()), error))?;
        Ok(LogWriter {
            file,
            path: path.to_owned(),
            left: len_max,
            dropped_len: 0,
            is_torn: false,
        })
    }

    /// Adds output as it came at `time`, in one write for each call.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn add(&mut self, time: SystemTime, stream: StreamKind, output: &[u8]) -> Result<()> {
        if 0 < self.dropped_len {
            self.dropped_len += output.len() as u64; // Nothing may follow a gap.
            return Ok(());
        }
        let head = format!("{:.6} {}", Timestamp::from(time), name(stream));
        let mut text = Vec::with_capacity(output.len() + 64);
        for piece in output.split_inclusive(|&byte| byte == b'\n') {
            for part in piece.chunks(LINE_LEN_MAX) {
                let (tag, line) = match part.strip_suffix(b"\n") {
                    Some(line) => ('F', line),
                    None => ('P', part),
                };
                let start = text.len();
                let _infallible = write!(text, "{head} {tag} ");
                text.extend_from_slice(line);
                text.push(b'\n');
                if 0 < self.dropped_len || self.left < text.len() as u64 {
                    text.truncate(start);
                    self.dropped_len += part.len() as u64;
                }
            }
        }
        self.charge(&text, output.len())
    }

    /// Adds a line about the recording itself, unless it goes beyond the limit.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn note(&mut self, text: &str) -> Result<()> {
        let line = note_line(text);
        if 0 < self.dropped_len || self.left < line.len() as u64 {
            self.dropped_len += text.len() as u64;
            return Ok(());
        }
        self.charge(line.as_bytes(), text.len())
    }

    /// Adds a last line, whatever the limit.
    pub(crate) fn note_end(&mut self, text: &str) -> Result<()> {
        let start = if self.is_torn { "\n" } else { "" };
        self.write(format!("{start}{}", note_line(text)).as_bytes())?;
        self.is_torn = false;
        Ok(())
    }

    /// Ends the log, and gives how many bytes of output and notes it lacks.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be written.
    pub fn finish(mut self) -> Result<u64> {
        if 0 < self.dropped_len {
            self.note_end(&format!("truncated: {} bytes dropped", self.dropped_len))?;
        }
        Ok(self.dropped_len)
    }

    /// Writes what stands for so many bytes and counts towards the limit.
    fn charge(&mut self, text: &[u8], len: usize) -> Result<()> {
        self.left = self.left.saturating_sub(text.len() as u64);
        let written = self.write(text);
        if written.is_err() {
            // How much of it stands in the file is not known, and is too little in any case.
            self.dropped_len = len as u64;
            self.is_torn = true;
        }
        written
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        self.file
            .write_all(text)
            .map_err(|error| Error::io(format!("write '{}'", self.path.display()), error))
    }
}

/// A note, which is one line whatever it speaks of.
fn note_line(text: &str) -> String {
    let letter = |letter: char| if letter.is_control() { ' ' } else { letter };
    let line: String = text.chars().map(letter).collect();
    format!("[{line}]\n")
}

fn name(stream: StreamKind) -> &'static str {
    match stream {
        StreamKind::Stdout => "stdout",
        StreamKind::Stderr => "stderr",
    }
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLine {
    /// Output.
    Output {
        /// When it came.
        time: Timestamp,
        /// Where it was written.
        stream: StreamKind,
        /// The bytes, with the newline that ended the line if one did.
        data: Vec<u8>,
    },
    /// A remark of ours, or something that is no log line.
    Note(String),
}

impl LogLine {
    /// A line from its bytes, without the newline at its end.
    fn parse(line: &[u8]) -> Self {
        Self::parse_output(line)
            .unwrap_or_else(|| LogLine::Note(String::from_utf8_lossy(line).into_owned()))
    }

    fn parse_output(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(4, |&byte| byte == b' ');
        let time = Timestamp::parse(std::str::from_utf8(fields.next()?).ok()?)?;
        let stream = match fields.next()? {
            b"stdout" => StreamKind::Stdout,
            b"stderr" => StreamKind::Stderr,
            _ => return None,
        };
        let tag = fields.next()?;
        let mut data = fields.next()?.to_vec();
        match tag {
            b"F" => data.push(b'\n'),
            b"P" => {}
            _ => return None,
        }
        Some(LogLine::Output { time, stream, data })
    }
}

/// Reads a log, also one that is still being written.
///
/// ```no_run
/// use pocketdock_core::{LogLine, LogReader};
///
/// # let path = std::path::Path::new("detach.log");
/// let mut log = LogReader::open(path)?;
/// while let Some(line) = log.next_line()? {
///     match line {
///         LogLine::Output { time, stream, data } => {
///             println!("{time} {stream:?} {} bytes", data.len());
///         }
///         LogLine::Note(text) => println!("{text}"),
///         _ => {}
///     }
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct LogReader {
    file: BufReader<File>,
    /// The beginning of a line whose end is not written yet.
    open: Vec<u8>,
}

impl LogReader {
    /// Opens a log.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)
            .map_err(|error| Error::io(format!("read '{}'", path.display()), error))?;
        Ok(LogReader {
            file: BufReader::new(file),
            open: Vec::new(),
        })
    }

    /// The next line, `None` if there is no further one by now.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn next_line(&mut self) -> Result<Option<LogLine>> {
        let read = loop {
            match self.file.read_until(b'\n', &mut self.open) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        read.map_err(|error| Error::io("read a log", error))?;
        if self.open.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.open.pop();
        Ok(Some(LogLine::parse(&std::mem::take(&mut self.open))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("pd-log-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Scratch(dir.join("x.log"))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_dir_all(self.0.parent().unwrap()).unwrap();
        }
    }

    fn read(path: &Path) -> (Vec<u8>, Vec<u8>, Vec<String>) {
        let mut reader = LogReader::open(path).unwrap();
        let (mut stdout, mut stderr, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(line) = reader.next_line().unwrap() {
            match line {
                LogLine::Output {
                    stream: StreamKind::Stdout,
                    data,
                    ..
                } => stdout.extend(data),
                LogLine::Output {
                    stream: StreamKind::Stderr,
                    data,
                    ..
                } => stderr.extend(data),
                LogLine::Note(note) => notes.push(note),
            }
        }
        (stdout, stderr, notes)
    }

    #[test]
    fn output_comes_back_byte_for_byte() {
        let scratch = Scratch::new("exact");
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1500);
        let mut log = LogWriter::create(&scratch.0, 1 << 20).unwrap();
        let odd: Vec<u8> = (0..=255).chain([b'\n', b'\n', b' ']).collect();
        log.add(time, StreamKind::Stdout, b"a\nb").unwrap();
        log.add(time, StreamKind::Stderr, &odd).unwrap();
        log.add(time, StreamKind::Stdout, &[b'x'; LINE_LEN_MAX + 1])
            .unwrap();
        assert_eq!(log.finish().unwrap(), 0);
        let (stdout, stderr, notes) = read(&scratch.0);
        assert_eq!(
            stdout,
            [b"a\nb".to_vec(), vec![b'x'; LINE_LEN_MAX + 1]].concat()
        );
        assert_eq!((stderr, notes.len()), (odd, 0));
        let text = std::fs::read(&scratch.0).unwrap();
        assert!(text.starts_with(b"1970-01-01T00:00:01.500000Z stdout F a\n"));
    }

    #[test]
    fn a_log_stops_at_its_limit_and_says_so() {
        let scratch = Scratch::new("limit");
        let line = "1970-01-01T00:00:00.000000Z stdout F abc\n".len() as u64;
        let mut log = LogWriter::create(&scratch.0, line).unwrap();
        for _ in 0..3 {
            log.add(SystemTime::UNIX_EPOCH, StreamKind::Stdout, b"abc\n")
                .unwrap();
        }
        assert_eq!(log.finish().unwrap(), 8);
        let (stdout, _, notes) = read(&scratch.0);
        assert_eq!(stdout, b"abc\n");
        assert_eq!(notes, ["[truncated: 8 bytes dropped]"]);
    }

    /// A session may have any number of commands without any output.
    #[test]
    fn notes_count_and_the_end_is_noted_whatever_the_limit() {
        let scratch = Scratch::new("notes");
        let mut log = LogWriter::create(&scratch.0, 60).unwrap();
        log.note("$ true").unwrap();
        log.add(SystemTime::UNIX_EPOCH, StreamKind::Stdout, b"abc\n")
            .unwrap();
        for _ in 0..100 {
            log.note("$ long enough").unwrap();
        }
        log.note("$ ls").unwrap(); // It would fit, but stand where others should.
        log.note_end("the command timed out").unwrap();
        assert_eq!(log.finish().unwrap(), 1300 + 4);
        let (stdout, _, notes) = read(&scratch.0);
        assert_eq!(stdout, b"abc\n");
        let end = "[truncated: 1304 bytes dropped]";
        assert_eq!(notes, ["[$ true]", "[the command timed out]", end]);
    }

    /// A short line would fit again behind a long one that did not; it must not stand there.
    #[test]
    fn nothing_follows_a_gap() {
        let scratch = Scratch::new("gap");
        let mut log = LogWriter::create(&scratch.0, 100).unwrap();
        let time = SystemTime::UNIX_EPOCH;
        let long = [&b"a\n"[..], &[b'x'; 100], b"\nb\n"].concat();
        log.add(time, StreamKind::Stdout, &long).unwrap();
        log.add(time, StreamKind::Stdout, b"c\n").unwrap();
        assert_eq!(log.finish().unwrap(), 101 + 2 + 2);
        assert_eq!(read(&scratch.0).0, b"a\n");
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_noted_on_a_line_of_its_own() {
        let scratch = Scratch::new("torn");
        let mut log = LogWriter::create(&scratch.0, 1 << 20).unwrap();
        let time = SystemTime::UNIX_EPOCH;
        let file = std::mem::replace(&mut log.file, File::open("/dev/null").unwrap());
        assert!(log.add(time, StreamKind::Stdout, b"lost\n").is_err());
        log.file = file;
        log.write(b"1970-01-01T00:00:00Z std").unwrap(); // What may have come through of it.
        log.add(time, StreamKind::Stdout, b"more\n").unwrap();
        log.note("lost").unwrap();
        log.note_end("a\nb").unwrap();
        assert_eq!(log.finish().unwrap(), 14);
        let (stdout, _, notes) = read(&scratch.0);
        assert_eq!(stdout, b"");
        assert_eq!(notes[1..], ["[a b]", "[truncated: 14 bytes dropped]"]);
    }

    #[test]
    fn a_line_that_is_being_written_waits_for_its_end() {
        let scratch = Scratch::new("follow");
        let line = b"1970-01-01T00:00:00Z stdout F abc\n";
        std::fs::write(&scratch.0, &line[..20]).unwrap();
        let mut reader = LogReader::open(&scratch.0).unwrap();
        assert_eq!(reader.next_line().unwrap(), None);
        let mut file = OpenOptions::new().append(true).open(&scratch.0).unwrap();
        file.write_all(&line[20..]).unwrap();
        let Some(LogLine::Output { data, .. }) = reader.next_line().unwrap() else {
            panic!("no line");
        };
        assert_eq!(data, b"abc\n");
        assert_eq!(reader.next_line().unwrap(), None);
    }
}
