//! The history of a sandbox: one line of JSON for each command that was recorded.
//!
//! A line is appended in one write to a file opened for appending, so that any number of processes
//! may record at once. A line that is damaged is left out when the history is read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::container::record::RecordKind;
use crate::error::{Error, Result};
use crate::wire::json;
use crate::wire::time::Timestamp;
use crate::wire::value::Value;

/// The longest history that is read, in bytes.
const LEN_MAX: u64 = 256 * 1024 * 1024;

/// One line of a history.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// use pocketdock_core::{HistoryEntry, Instance};
///
/// for HistoryEntry { time, command, exit_code, .. } in Instance::of(&sandbox)?.history()? {
///     println!("{time} {} {exit_code:?}", command.join(" "));
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When the command was started.
    pub time: Timestamp,
    /// What kind it is of.
    pub kind: RecordKind,
    /// The engine's ID of the exec.
    pub id: String,
    /// The command.
    pub command: Vec<String>,
    /// Its exit code; `None` if its end could not be observed.
    pub exit_code: Option<i32>,
    /// How long it took.
    pub duration: Duration,
    /// Whether it was killed because its time was up.
    pub timed_out: bool,
    /// Whether its log lacks output.
    pub truncated: bool,
    /// The name of its log.
    pub log: String,
}

impl HistoryEntry {
    pub(crate) fn to_value(&self) -> Value {
        let duration_ms = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        Value::object([
            ("ts", Value::from(self.time.to_string())),
            ("type", Value::from(self.kind.as_str())),
            ("id", Value::from(self.id.as_str())),
            ("command", Value::from(self.command.clone())),
            ("exit_code", self.exit_code.map_or(Value::Null, Value::from)),
            ("duration_ms", Value::from(duration_ms)),
            ("timed_out", Value::from(self.timed_out)),
            ("truncated", Value::from(self.truncated)),
            ("log", Value::from(self.log.as_str())),
        ])
    }

    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let text = |name| value.str_at(&[name]);
        let command = value.array_at(&["command"])?.iter();
        Some(HistoryEntry {
            time: Timestamp::parse(text("ts")?)?,
            kind: RecordKind::parse(text("type")?)?,
            id: text("id").unwrap_or_default().to_owned(),
            command: command
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            exit_code: value
                .i64_at(&["exit_code"])
                .and_then(|code| i32::try_from(code).ok()),
            duration: Duration::from_millis(value.u64_at(&["duration_ms"]).unwrap_or_default()),
            timed_out: value.bool_at(&["timed_out"]).unwrap_or_default(),
            truncated: value.bool_at(&["truncated"]).unwrap_or_default(),
            log: text("log").unwrap_or_default().to_owned(),
        })
    }
}

/// Adds a line to the history file at `path`.
pub(crate) fn append(path: &Path, entry: &HistoryEntry) -> Result<()> {
    let mut line = json::to_string(&entry.to_value()) + "\n";
    let doing = |error| Error::io(format!("write '{}'", path.display()), error);
    let mut file = OpenOptions::new()
        .append(true)
        .read(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(doing)?;
    if ends_torn(&mut file).map_err(doing)? {
        line.insert(0, '\n');
    }
    match file.write(line.as_bytes()) {
        Ok(n) if n == line.len() => Ok(()),
        // The rest would come behind what others write meanwhile.
        Ok(_) => Err(doing(io::ErrorKind::StorageFull.into())),
        Err(error) => Err(doing(error)),
    }
}

/// Whether the last line lacks its end: the disk was full, or the machine died.
///
/// It seems so as well while another process is just writing it. All that comes of that is an empty
/// line, which readers pass by.
fn ends_torn(file: &mut fs::File) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// The lines of the history file at `path`; none if it is not there.
pub(crate) fn read(path: &Path) -> Result<Vec<HistoryEntry>> {
    let doing = |error| Error::io(format!("read '{}'", path.display()), error);
    let text = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(found) if LEN_MAX < found.len() => {
            return Err(doing(io::ErrorKind::FileTooLarge.into()));
        }
        _ => fs::read(path).map_err(doing)?,
    };
    let lines = text
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    let values = lines.filter_map(|line| json::parse(line).ok());
    Ok(values
        .filter_map(|value| HistoryEntry::from_value(&value))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::private::Scratch;

    fn entry() -> HistoryEntry {
        HistoryEntry {
            time: Timestamp::parse("2026-11-20T10:00:00.5Z").unwrap(),
            kind: RecordKind::Detach,
            id: "abc".to_owned(),
            command: vec!["sh".to_owned(), "-c".to_owned(), "a \"b\"\n".to_owned()],
            exit_code: Some(7),
            duration: Duration::from_millis(1500),
            timed_out: false,
            truncated: true,
            log: "detach-x.log".to_owned(),
        }
    }

    #[test]
    fn a_line_comes_back_as_it_was() {
        let entry = entry();
        let line = json::to_string(&entry.to_value());
        assert!(!line.contains('\n'));
        let read = HistoryEntry::from_value(&json::parse(line.as_bytes()).unwrap());
        assert_eq!(read, Some(entry));
    }

    #[test]
    fn what_is_damaged_is_left_out_and_nothing_else() {
        let scratch = Scratch::new("damaged");
        let path = scratch.path().join("history.jsonl");
        assert_eq!(read(&path).unwrap(), []);
        append(&path, &entry()).unwrap();
        let whole = fs::read(&path).unwrap();
        let damage: [&[u8]; 4] = [b"\0\0\xff\n", b"{}\n", b"\n\n", &whole[..20]];
        for damage in damage {
            fs::write(&path, [&whole, damage].concat()).unwrap();
            append(&path, &entry()).unwrap(); // Also behind a line without its end.
            assert_eq!(read(&path).unwrap(), [entry(), entry()], "{damage:?}");
        }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let error = append(Path::new("/dev/full"), &entry()).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot write '/dev/full'"),
            "{error}"
        );
    }
}
