//! The instance of a sandbox: its directory on the host, with its history and its logs.
//!
//! ```text
//! $XDG_STATE_HOME/pocketdock/instances/NAME/
//!   instance.json              what it is the instance of
//!   history.jsonl              one line for each command that was recorded
//!   logs/detach-TIME.log       the output of one command, see `log`
//!   logs/detach-TIME.running   while it is being recorded: by which process, and the line that
//!                              the history will get
//! ```
//!
//! A `.running` file whose process is gone is what a recorder leaves that was killed: how its
//! command ended is not known.
//!
//! Directories have mode 0700 and files 0600: commands and output may hold secrets. A history line
//! is appended in one write, so that several processes can record at once. `instance.json` is
//! replaced by rename.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::container::handle::Container;
use crate::container::plan::checked_name;
use crate::container::result::{End, ExecResult};
use crate::error::{Error, Result};
use crate::host::{self, Environment, ProcessIdentity};
use crate::project::log::LogWriter;
use crate::wire::json;
use crate::wire::time::Timestamp;
use crate::wire::value::Value;

/// The longest history that is read, in bytes.
const HISTORY_LEN_MAX: u64 = 256 * 1024 * 1024;

/// How often a directory is removed that others still write to.
const REMOVE_ATTEMPTS_MAX: u32 = 10;

/// The file that makes a directory an instance.
const DESCRIPTION: &str = "instance.json";

/// What kind of command a log or a history line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// A command that was waited for.
    Run,
    /// A session.
    Session,
    /// A command in the background.
    Detach,
}

impl RecordKind {
    /// Its name in files and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Run => "run",
            RecordKind::Session => "session",
            RecordKind::Detach => "detach",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [RecordKind::Run, RecordKind::Session, RecordKind::Detach]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// One line of a history.
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
    fn to_value(&self) -> Value {
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

    fn from_value(value: &Value) -> Option<Self> {
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

/// The directory of one sandbox.
///
/// ```no_run
/// use pocketdock_core::Instance;
///
/// for instance in Instance::all()? {
///     for entry in instance.history()? {
///         println!("{} {:?} {:?}", entry.time, entry.command, entry.exit_code);
///     }
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Instance {
    dir: PathBuf,
    name: String,
}

impl Instance {
    /// The instance of a sandbox outside any project, which may not exist yet.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] if neither `XDG_STATE_HOME` nor `HOME` says where it would be.
    pub fn of(container: &Container) -> Result<Self> {
        Self::under(&state_dir(&Environment::read())?, container.name())
    }

    /// The instance of this name outside any project, which may not exist (any more).
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of), and [`Error::InvalidArgument`] for what cannot be a name.
    pub fn named(name: &str) -> Result<Self> {
        Self::under(&state_dir(&Environment::read())?, name)
    }

    /// Every instance outside any project, by name.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of), and [`Error::Io`] if the directory is there and cannot be read.
    pub fn all() -> Result<Vec<Self>> {
        let dir = state_dir(&Environment::read())?;
        let mut instances: Vec<_> = names_in(&dir)?
            .iter()
            .filter_map(|name| Self::under(&dir, name).ok())
            .filter(Self::exists)
            .collect();
        instances.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(instances)
    }

    /// The instance of this name in a directory of instances.
    fn under(instances: &Path, name: &str) -> Result<Self> {
        let name = checked_name(name)?;
        Ok(Instance {
            dir: instances.join(name),
            name: name.to_owned(),
        })
    }

    /// The name of its sandbox.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is there: a directory, no link to one, with our description in it.
    #[must_use]
    pub fn exists(&self) -> bool {
        let is_dir = fs::symlink_metadata(&self.dir).is_ok_and(|found| found.is_dir());
        is_dir && self.dir.join(DESCRIPTION).is_file()
    }

    /// Removes the directory with all logs. One that is not there, or is not ours, is left alone
    /// and no error.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        if !self.exists() {
            return Ok(());
        }
        let mut attempts_left = REMOVE_ATTEMPTS_MAX;
        loop {
            attempts_left -= 1;
            return match fs::remove_dir_all(&self.dir) {
                // A recorder has just added the end of its command.
                Err(error) if is_busy(&error) && 0 < attempts_left => continue,
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(Error::io(format!("remove '{}'", self.dir.display()), error))
                }
                _ => Ok(()),
            };
        }
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Prepares to record a command that is about to be started, so that a log that cannot be
    /// written is known before.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be written.
    pub fn record(
        &self,
        container: &Container,
        kind: RecordKind,
        command: &[String],
        log_len_max: u64,
    ) -> Result<Recording> {
        self.create(container)?;
        let time = host::now();
        // The random part tells apart what begins in the same microsecond.
        let stem = format!(
            "{}-{}-{}",
            kind.as_str(),
            compact(time),
            host::random_hex::<2>()?
        );
        let logs = self.logs_dir();
        let log = format!("{stem}.log");
        let entry = HistoryEntry {
            time: Timestamp::from(time),
            kind,
            id: String::new(),
            command: command.to_vec(),
            exit_code: None,
            duration: Duration::ZERO,
            timed_out: false,
            truncated: false,
            log: log.clone(),
        };
        let mut recording = Recording {
            instance: self.clone(),
            entry,
            writer: None,
            running: logs.join(format!("{stem}.running")),
        };
        // First the mark: a log without one counts as ended.
        recording.write_mark()?;
        match LogWriter::create(&logs.join(log), log_len_max) {
            Ok(writer) => recording.writer = Some(writer),
            Err(error) => {
                recording.discard();
                return Err(error);
            }
        }
        Ok(recording)
    }

    fn create(&self, container: &Container) -> Result<()> {
        let logs = self.logs_dir();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&logs)
            .map_err(|error| Error::io(format!("create '{}'", logs.display()), error))?;
        let description = Value::object([
            ("name", Value::from(self.name.as_str())),
            ("id", Value::from(container.container_id())),
            ("image", Value::from(container.image())),
            (
                "socket",
                Value::from(container.socket_path().to_string_lossy().into_owned()),
            ),
        ]);
        let path = self.dir.join(DESCRIPTION);
        let text = json::to_string(&description) + "\n";
        if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        replace_private(&path, text.as_bytes())
    }

    fn logs_dir(&self) -> PathBuf {
        self.dir.join("logs")
    }

    fn history_path(&self) -> PathBuf {
        self.dir.join("history.jsonl")
    }

    /// What has been recorded and what is [being recorded](Self::is_recording), oldest first. What
    /// is damaged is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the history is there and cannot be read.
    pub fn history(&self) -> Result<Vec<HistoryEntry>> {
        // In this order: a command that ends meanwhile is found in one of them.
        let unfinished = self.unfinished()?;
        let mut history = self.finished()?;
        for entry in unfinished {
            if !history.iter().any(|it| it.log == entry.log) {
                history.push(entry);
            }
        }
        history.sort_by_key(|entry| entry.time);
        Ok(history)
    }

    /// The commands that are being recorded, and those whose recorder was killed.
    fn unfinished(&self) -> Result<Vec<HistoryEntry>> {
        let logs = self.logs_dir();
        let names = names_in(&logs)?;
        let marks = names.iter().filter(|name| name.ends_with(".running"));
        let texts = marks.filter_map(|name| fs::read_to_string(logs.join(name)).ok());
        Ok(texts
            .filter_map(|text| {
                let line = text.lines().nth(1)?;
                HistoryEntry::from_value(&json::parse(line.as_bytes()).ok()?)
            })
            .collect())
    }

    /// The lines of the history file.
    fn finished(&self) -> Result<Vec<HistoryEntry>> {
        let path = self.history_path();
        let doing = |error| Error::io(format!("read '{}'", path.display()), error);
        let text = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Ok(found) if HISTORY_LEN_MAX < found.len() => {
                return Err(doing(io::ErrorKind::FileTooLarge.into()));
            }
            _ => fs::read(&path).map_err(doing)?,
        };
        let lines = text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty());
        let values = lines.filter_map(|line| json::parse(line).ok());
        Ok(values
            .filter_map(|value| HistoryEntry::from_value(&value))
            .collect())
    }

    /// The path of the log with this name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] for a name that would lead elsewhere.
    pub fn log_path(&self, log: &str) -> Result<PathBuf> {
        if log.is_empty() || log.contains('/') || log.starts_with('.') {
            return Err(Error::invalid(
                "log",
                log,
                "expected the name of a log file",
            ));
        }
        Ok(self.logs_dir().join(log))
    }

    /// The names of all logs, oldest first; those of commands that still run are among them.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the directory is there and cannot be read.
    pub fn logs(&self) -> Result<Vec<String>> {
        let names = names_in(&self.logs_dir())?;
        let mut logs: Vec<_> = names
            .into_iter()
            .filter(|name| name.ends_with(".log"))
            .collect();
        // Behind its kind a name has the time.
        logs.sort_by(|a, b| {
            a.split_once('-')
                .map(|x| x.1)
                .cmp(&b.split_once('-').map(|x| x.1))
        });
        Ok(logs)
    }

    /// Whether the log with this name is still being written, by a process that lives.
    #[must_use]
    pub fn is_recording(&self, log: &str) -> bool {
        let running = format!("{}.running", log.strip_suffix(".log").unwrap_or(log));
        let Ok(mark) = fs::read_to_string(self.logs_dir().join(running)) else {
            return false;
        };
        let owner = mark.lines().next().and_then(ProcessIdentity::parse);
        owner.is_some_and(|owner| owner.is_alive())
    }
}

/// A command that is being recorded.
///
/// Dropped without [`finish`](Self::finish), it leaves a history line without an exit code.
///
/// ```no_run
/// use pocketdock_core::{Instance, RecordKind};
///
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let command = vec!["make".to_owned()];
/// let instance = Instance::of(&sandbox)?;
/// let mut recording = instance.record(&sandbox, RecordKind::Run, &command, 1 << 20)?;
/// let mut stream = sandbox.exec(command).stream()?;
/// for chunk in &mut stream {
///     let chunk = chunk?;
///     recording.add(chunk.stream, &chunk.data)?;
/// }
/// recording.finish(&stream.result()?)?;
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Recording {
    instance: Instance,
    entry: HistoryEntry,
    writer: Option<LogWriter>,
    running: PathBuf,
}

impl Recording {
    /// The name of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.entry.log
    }

    /// Takes note that the command runs, by the engine's ID of its exec.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be written; the recording goes on all the same.
    pub fn started(&mut self, id: &str) -> Result<()> {
        id.clone_into(&mut self.entry.id);
        self.write_mark()
    }

    /// Forgets a command that could not be started: no log, no history line.
    pub fn discard(mut self) {
        self.writer = None;
        let log = self.instance.logs_dir().join(&self.entry.log);
        for file in [&log, &self.running] {
            // What is not there, or cannot be removed, is not worth more than the failure before.
            let _gone = fs::remove_file(file);
        }
    }

    fn write_mark(&self) -> Result<()> {
        let owner = ProcessIdentity::own().map(|own| own.to_string());
        let line = json::to_string(&self.entry.to_value());
        let text = format!("{}\n{line}\n", owner.unwrap_or_default());
        replace_private(&self.running, text.as_bytes())
    }

    /// Adds a line about the recording itself to the log.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the log cannot be written.
    pub fn note(&mut self, text: &str) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.note(text),
            None => Ok(()),
        }
    }

    /// Adds output to the log. What cannot be written is counted as dropped, and so is all that
    /// follows.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the log cannot be written.
    pub fn add(&mut self, stream: crate::StreamKind, output: &[u8]) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.add(host::now(), stream, output),
            None => Ok(()),
        }
    }

    /// Ends the log and writes the history line.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if a file cannot be written.
    pub fn finish(mut self, result: &ExecResult) -> Result<()> {
        self.entry.exit_code = Some(result.exit_code);
        self.entry.duration = result.duration;
        self.entry.timed_out = result.end == End::TimedOut;
        self.close()
    }

    fn close(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        // A log whose last note cannot be written lacks something in any case.
        let finished = writer.finish();
        self.entry.truncated = !matches!(finished, Ok(0));
        let line = json::to_string(&self.entry.to_value()) + "\n";
        let path = self.instance.history_path();
        let doing = |error| Error::io(format!("write '{}'", path.display()), error);
        let mut history = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(doing)?;
        history.write_all(line.as_bytes()).map_err(doing)?;
        // The line stands before the mark goes, so that a follower finds it.
        fs::remove_file(&self.running)
            .map_err(|error| Error::io(format!("remove '{}'", self.running.display()), error))?;
        finished.map(drop)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Whoever could be told has dropped it.
        let _written = self.close();
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::DirectoryNotEmpty
}

/// The names in a directory that may not be there.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    let listing = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| Error::io(format!("list '{}'", dir.display()), error))?,
    };
    Ok(listing
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect())
}

/// Where the instances of sandboxes outside any project are.
fn state_dir(environment: &Environment) -> Result<PathBuf> {
    let own = environment.state_home.clone();
    let home = || {
        environment
            .home
            .as_ref()
            .map(|home| home.join(".local/state"))
    };
    // A relative path is no path, says the XDG Base Directory Specification.
    own.filter(|dir| dir.is_absolute())
        .or_else(home)
        .map(|state| state.join("pocketdock/instances"))
        .ok_or_else(|| {
            Error::invalid(
                "HOME",
                "",
                "expected it or XDG_STATE_HOME to say where to keep logs",
            )
        })
}

/// A time in a form for file names, in which order is age.
fn compact(time: SystemTime) -> String {
    let text = format!("{:.6}", Timestamp::from(time));
    text.chars()
        .filter(|letter| !"-:".contains(*letter))
        .collect()
}

/// Writes a file beside `path` and renames it, so that nobody ever reads half of it.
fn replace_private(path: &Path, text: &[u8]) -> Result<()> {
    let new = path.with_extension(format!("new-{}", host::random_hex::<4>()?));
    let replaced = write_private(&new, text).and_then(|()| {
        fs::rename(&new, path)
            .map_err(|error| Error::io(format!("replace '{}'", path.display()), error))
    });
    if replaced.is_err() {
        let _not_there = fs::remove_file(&new);
    }
    replaced
}

fn write_private(path: &Path, text: &[u8]) -> Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text));
    written.map_err(|error| Error::io(format!("write '{}'", path.display()), error))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_history_line_comes_back_as_it_was() {
        let entry = entry();
        let line = json::to_string(&entry.to_value());
        assert!(!line.contains('\n'));
        let read = HistoryEntry::from_value(&json::parse(line.as_bytes()).unwrap());
        assert_eq!(read, Some(entry));
    }

    #[test]
    fn instances_lie_in_the_state_directory() {
        let mut environment = Environment {
            home: Some("/h".into()),
            ..Environment::default()
        };
        let at_home = state_dir(&environment).unwrap();
        assert_eq!(at_home, Path::new("/h/.local/state/pocketdock/instances"));
        environment.state_home = Some("/s".into());
        assert_eq!(
            state_dir(&environment).unwrap(),
            Path::new("/s/pocketdock/instances")
        );
        assert!(state_dir(&Environment::default()).is_err());
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        assert!(Instance::under(Path::new("/i"), "../x").is_err());
        let instance = Instance::under(Path::new("/i"), "box").unwrap();
        for log in ["", "../x.log", ".x", "a/b.log"] {
            assert!(instance.log_path(log).is_err(), "{log}");
        }
        assert_eq!(
            instance.log_path("a.log").unwrap(),
            Path::new("/i/box/logs/a.log")
        );
    }

    #[test]
    fn only_what_is_ours_is_removed() {
        let dir = std::env::temp_dir().join(format!("pd-instance-{}", std::process::id()));
        let (foreign, own) = (dir.join("foreign"), dir.join("own"));
        fs::create_dir_all(&foreign).unwrap();
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join(DESCRIPTION), "{}").unwrap();
        std::os::unix::fs::symlink(&own, dir.join("link")).unwrap();
        for name in ["foreign", "link", "gone"] {
            Instance::under(&dir, name).unwrap().remove().unwrap();
        }
        assert!(foreign.is_dir() && own.join(DESCRIPTION).is_file());
        Instance::under(&dir, "own").unwrap().remove().unwrap();
        assert!(!own.exists());
        fs::remove_dir_all(&dir).unwrap();
    }

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let id = std::process::id();
            let dir = std::env::temp_dir().join(format!("pd-recording-{id}-{name}"));
            fs::create_dir_all(dir.join("box/logs")).unwrap();
            Scratch(dir)
        }

        /// A recording as `Instance::record` makes it, without a sandbox.
        fn recording(&self) -> (Instance, Recording) {
            let instance = Instance::under(&self.0, "box").unwrap();
            let logs = instance.logs_dir();
            let entry = HistoryEntry {
                exit_code: None,
                truncated: false,
                ..entry()
            };
            let recording = Recording {
                writer: Some(LogWriter::create(&logs.join(&entry.log), 100).unwrap()),
                instance: instance.clone(),
                entry,
                running: logs.join("detach-x.running"),
            };
            (instance, recording)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn result() -> ExecResult {
        ExecResult {
            exit_code: 7,
            stdout: Vec::new(),
            stderr: Vec::new(),
            duration: Duration::from_millis(1500),
            end: End::Exited,
            dropped_len: 0,
        }
    }

    #[test]
    fn a_command_is_in_the_history_while_it_runs_and_after() {
        let scratch = Scratch::new("history");
        let (instance, mut recording) = scratch.recording();
        recording.started("abc").unwrap();
        let running = instance.history().unwrap();
        assert_eq!(running.len(), 1);
        assert_eq!(
            (running[0].id.as_str(), running[0].exit_code),
            ("abc", None)
        );
        assert!(instance.is_recording(recording.log()));
        recording.add(crate::StreamKind::Stdout, b"a\n").unwrap();
        let log = recording.log().to_owned();
        recording.finish(&result()).unwrap();
        let ended = instance.history().unwrap();
        assert_eq!((ended.len(), ended[0].exit_code), (1, Some(7)));
        assert!(!instance.is_recording(&log) && !ended[0].truncated);
    }

    #[test]
    fn a_recorder_that_was_killed_leaves_its_command_in_the_history() {
        let scratch = Scratch::new("killed");
        let (instance, mut recording) = scratch.recording();
        recording.started("abc").unwrap();
        let mark = fs::read_to_string(&recording.running).unwrap();
        let own = std::process::id();
        let killed = mark.replacen(&format!(" {own} "), &format!(" {} ", u32::MAX), 1);
        assert_ne!(mark, killed);
        fs::write(&recording.running, killed).unwrap();
        assert!(!instance.is_recording(recording.log()));
        assert_eq!(instance.history().unwrap()[0].exit_code, None);
    }

    #[test]
    fn what_was_not_started_leaves_nothing() {
        let scratch = Scratch::new("discard");
        let (instance, recording) = scratch.recording();
        recording.write_mark().unwrap();
        recording.discard();
        assert_eq!(instance.history().unwrap(), []);
        assert_eq!(instance.logs().unwrap(), [""; 0]);
    }

    #[test]
    fn file_names_sort_by_age() {
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        assert_eq!(compact(second), "19700101T000001.000000Z");
        assert!(compact(SystemTime::UNIX_EPOCH) < compact(second));
    }
}
