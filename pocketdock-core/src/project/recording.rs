//! Recording one command: its log, a mark beside it while it is written, and a line of history.
//!
//! ```text
//! logs/run-TIME.running   by which process, and the line that the history will get
//! logs/run-TIME.log       the output, see `log`
//! history.jsonl           the line, once the command has ended; then the mark goes
//! ```
//!
//! A mark whose process is gone is what a recorder leaves that was killed: how its command ended is
//! not known.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::container::output::StreamKind;
use crate::container::record::RecordKind;
use crate::container::result::{End, ExecResult};
use crate::error::Result;
use crate::host::{self, ProcessIdentity};
use crate::project::history::{self, HistoryEntry};
use crate::project::log::LogWriter;
use crate::project::private;
use crate::wire::json;
use crate::wire::size::format_duration;
use crate::wire::time::Timestamp;

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
    logs: PathBuf,
    history: PathBuf,
    entry: HistoryEntry,
    writer: Option<LogWriter>,
    running: PathBuf,
}

impl Recording {
    /// Begins the log of a command in a directory for logs that is there.
    pub(crate) fn begin(
        logs: &Path,
        history: &Path,
        kind: RecordKind,
        command: &[String],
        log_len_max: u64,
    ) -> Result<Self> {
        let time = host::now();
        // The random part tells apart what begins in the same microsecond.
        let random = host::random_hex::<2>()?;
        let stem = format!("{}-{}-{random}", kind.as_str(), compact(time));
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
            running: logs.join(format!("{stem}.running")),
            history: history.to_owned(),
            logs: logs.to_owned(),
            entry,
            writer: None,
        };
        // First the mark: a log without one counts as ended.
        recording.write_mark()?;
        match LogWriter::create(&recording.logs.join(log), log_len_max) {
            Ok(writer) => recording.writer = Some(writer),
            Err(error) => {
                recording.discard();
                return Err(error);
            }
        }
        Ok(recording)
    }

    /// The name of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.entry.log
    }

    /// Takes note that the command runs, by the engine's ID of its exec.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::{Instance, RecordKind};
    ///
    /// let command = vec!["make".to_owned()];
    /// let mut recording =
    ///     Instance::of(&sandbox)?.record(&sandbox, RecordKind::Detach, &command, 1 << 20)?;
    /// match sandbox.exec(command).detach() {
    ///     Ok(process) => recording.started(process.id())?,
    ///     Err(error) => {
    ///         recording.discard();
    ///         return Err(error);
    ///     }
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if a file cannot be written; the recording goes on all the
    /// same.
    pub fn started(&mut self, id: &str) -> Result<()> {
        id.clone_into(&mut self.entry.id);
        self.write_mark()
    }

    /// Forgets a command that could not be started: no log, no history line.
    pub fn discard(mut self) {
        self.writer = None;
        let log = self.logs.join(&self.entry.log);
        for file in [&log, &self.running] {
            // What is not there, or cannot be removed, is not worth more than the failure before.
            let _gone = fs::remove_file(file);
        }
    }

    fn write_mark(&self) -> Result<()> {
        let owner = ProcessIdentity::own().map(|own| own.to_string());
        let line = json::to_string(&self.entry.to_value());
        let text = format!("{}\n{line}\n", owner.unwrap_or_default());
        private::replace(&self.running, text.as_bytes())
    }

    /// Adds a line about the recording itself to the log, unless that has reached its limit.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the log cannot be written.
    pub fn note(&mut self, text: &str) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.note(text),
            None => Ok(()),
        }
    }

    /// Adds a line on how the command has ended, whatever the limit of the log.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// use pocketdock_core::{Instance, RecordKind};
    ///
    /// let command = vec!["make".to_owned()];
    /// let mut recording =
    ///     Instance::of(&sandbox)?.record(&sandbox, RecordKind::Run, &command, 1 << 20)?;
    /// match sandbox.exec(command).run() {
    ///     Ok(result) => recording.finish(&result)?,
    ///     Err(error) => recording.note_end(&error.to_string())?,
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the log cannot be written.
    pub fn note_end(&mut self, text: &str) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.note_end(text),
            None => Ok(()),
        }
    }

    /// Adds output to the log. What cannot be written is counted as dropped, and so is all that
    /// follows.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if the log cannot be written.
    pub fn add(&mut self, stream: StreamKind, output: &[u8]) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer.add(host::now(), stream, output),
            None => Ok(()),
        }
    }

    /// Ends the log, with what the exit code alone does not say, and writes the history line.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) if a file cannot be written.
    pub fn finish(mut self, result: &ExecResult) -> Result<()> {
        self.entry.exit_code = Some(result.exit_code);
        self.entry.duration = result.duration;
        self.entry.timed_out = result.end == End::TimedOut;
        let noted = unusual_end(result).map_or(Ok(()), |why| self.note_end(&why));
        self.close().and(noted)
    }

    fn close(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        // A log whose last note cannot be written lacks something in any case.
        let finished = writer.finish();
        self.entry.truncated = !matches!(finished, Ok(0));
        history::append(&self.history, &self.entry)?;
        // The line stands before the mark goes, so that a follower finds it.
        private::remove_file(&self.running)?;
        finished.map(drop)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Whoever could be told has dropped it.
        let _written = self.close();
    }
}

/// What an exit code alone does not say.
fn unusual_end(result: &ExecResult) -> Option<String> {
    match result.end {
        End::TimedOut => {
            let limit = format_duration(Duration::from_millis(result.duration_ms()));
            Some(format!("the command timed out after {limit}"))
        }
        End::OomKilled => Some("the command ran out of memory and was killed".to_owned()),
        _ => None,
    }
}

/// The commands that are being recorded, and those whose recorder was killed.
pub(crate) fn unfinished(logs: &Path) -> Result<Vec<HistoryEntry>> {
    let names = private::names_in(logs)?;
    let marks = names.iter().filter(|name| name.ends_with(".running"));
    let texts = marks.filter_map(|name| fs::read_to_string(logs.join(name)).ok());
    Ok(texts
        .filter_map(|text| {
            let line = text.lines().nth(1)?;
            HistoryEntry::from_value(&json::parse(line.as_bytes()).ok()?)
        })
        .collect())
}

/// The names of the logs in a directory, oldest first.
pub(crate) fn logs_in(dir: &Path) -> Result<Vec<String>> {
    let mut logs = private::names_in(dir)?;
    logs.retain(|name| name.ends_with(".log"));
    logs.sort_unstable_by(|a, b| (time_of(a), a).cmp(&(time_of(b), b)));
    Ok(logs)
}

/// What of a log's name stands behind its kind: the time.
fn time_of(log: &str) -> Option<&str> {
    log.split_once('-').map(|(_, time)| time)
}

/// Whether the log with this name is still being written, by a process that lives.
pub(crate) fn is_recording(logs: &Path, log: &str) -> bool {
    let running = format!("{}.running", log.strip_suffix(".log").unwrap_or(log));
    let Ok(mark) = fs::read_to_string(logs.join(running)) else {
        return false;
    };
    let owner = mark.lines().next().and_then(ProcessIdentity::parse);
    owner.is_some_and(|owner| owner.is_alive())
}

/// Whether there are logs in this directory, or a process that lives is about to create one: its
/// mark comes first.
pub(crate) fn is_used(logs: &Path) -> Result<bool> {
    let names = private::names_in(logs)?;
    Ok(names.iter().any(|name| {
        let mark = name.strip_suffix(".running");
        name.ends_with(".log") || mark.is_some_and(|stem| is_recording(logs, stem))
    }))
}

/// Removes the logs of commands that have ended: all that are older than `age_max`, and the oldest
/// of those that are more than `count_max`. Their lines in the history stay.
pub(crate) fn retain(logs: &Path, count_max: usize, age_max: Option<Duration>) -> Result<()> {
    let names = logs_in(logs)?;
    let oldest = age_max.and_then(|age| host::now().checked_sub(age));
    let oldest = oldest.map(compact);
    let surplus = names.len().saturating_sub(count_max);
    for (n, name) in names.iter().enumerate() {
        let is_old = oldest
            .as_deref()
            .is_some_and(|oldest| time_of(name) < Some(oldest));
        if (n < surplus || is_old) && !is_recording(logs, name) {
            let path = logs.join(name);
            private::remove_file(&path)?;
            // What its recorder left if it was killed.
            let _not_there = fs::remove_file(path.with_extension("running"));
        }
    }
    Ok(())
}

/// A time in a form for file names, in which order is age.
fn compact(time: SystemTime) -> String {
    let text = format!("{:.6}", Timestamp::from(time));
    text.chars()
        .filter(|letter| !"-:".contains(*letter))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    use crate::project::instance::Instance;
    use crate::project::private::Scratch;

    /// An instance with room for logs.
    fn instance(scratch: &Scratch) -> Instance {
        let dir = scratch.path().join("box");
        fs::create_dir_all(dir.join("logs")).unwrap();
        Instance::at(dir, "box")
    }

    fn recording(instance: &Instance) -> Recording {
        instance
            .begin(None, RecordKind::Run, &["x".to_owned()], 100)
            .unwrap()
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
        let instance = instance(&scratch);
        let mut recording = recording(&instance);
        recording.started("abc").unwrap();
        let running = instance.history().unwrap();
        assert_eq!(running.len(), 1);
        assert_eq!(
            (running[0].id.as_str(), running[0].exit_code),
            ("abc", None)
        );
        assert!(instance.is_recording(recording.log()));
        recording.add(StreamKind::Stdout, b"a\n").unwrap();
        let log = recording.log().to_owned();
        recording.finish(&result()).unwrap();
        let ended = instance.history().unwrap();
        assert_eq!((ended.len(), ended[0].exit_code), (1, Some(7)));
        assert!(!instance.is_recording(&log) && !ended[0].truncated);
    }

    #[test]
    fn why_a_command_has_ended_is_noted_in_a_full_log_too() {
        let scratch = Scratch::new("full");
        let instance = instance(&scratch);
        let mut recording = recording(&instance);
        recording.add(StreamKind::Stdout, &[b'x'; 200]).unwrap();
        let log = instance.log_path(recording.log()).unwrap();
        let result = ExecResult {
            end: End::TimedOut,
            ..result()
        };
        recording.finish(&result).unwrap();
        let text = fs::read_to_string(log).unwrap();
        let noted = "[the command timed out after 1.5s]\n[truncated: 200 bytes dropped]\n";
        assert_eq!(text, noted);
        assert!(instance.history().unwrap()[0].truncated);
    }

    #[test]
    fn a_recorder_that_was_killed_leaves_its_command_in_the_history() {
        let scratch = Scratch::new("killed");
        let instance = instance(&scratch);
        let mut recording = recording(&instance);
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
        let instance = instance(&scratch);
        let recording = recording(&instance);
        recording.discard();
        assert_eq!(instance.history().unwrap(), []);
        assert_eq!(instance.logs().unwrap(), [""; 0]);
    }

    /// Any number of clients may find the same logs and marks to be done with.
    #[test]
    fn what_another_client_has_removed_is_no_failure() {
        let scratch = Scratch::new("raced");
        let instance = instance(&scratch);
        for n in 0..200 {
            let log = format!("run-20200101T000000.{n:06}Z-0000.log");
            fs::write(instance.logs_dir().join(log), "").unwrap();
        }
        let start = Barrier::new(4);
        let retain = || {
            start.wait();
            retain(&instance.logs_dir(), 0, None)
        };
        thread::scope(|scope| {
            let all = [(); 4].map(|()| scope.spawn(retain));
            for client in all {
                client.join().unwrap().unwrap();
            }
        });
        assert_eq!(instance.logs().unwrap(), [""; 0]);
        let recording = recording(&instance);
        fs::remove_file(&recording.running).unwrap();
        recording.finish(&result()).unwrap();
    }

    #[test]
    fn file_names_sort_by_age() {
        let second = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        assert_eq!(compact(second), "19700101T000001.000000Z");
        assert!(compact(SystemTime::UNIX_EPOCH) < compact(second));
    }

    #[test]
    fn old_logs_and_surplus_ones_go_but_none_that_is_being_written() {
        let scratch = Scratch::new("retain");
        let instance = instance(&scratch);
        let logs = instance.logs_dir();
        let week = Duration::from_secs(7 * 86_400);
        let open = recording(&instance);
        for day in 1..=9 {
            let time = host::now()
                .checked_sub(Duration::from_secs(day * 86_400))
                .unwrap();
            fs::write(logs.join(format!("run-{}-0000.log", compact(time))), "").unwrap();
        }
        retain(&logs, 100, Some(week)).unwrap();
        assert_eq!(instance.logs().unwrap().len(), 7);
        retain(&logs, 3, None).unwrap();
        let left = instance.logs().unwrap();
        assert_eq!(left.len(), 3);
        assert_eq!(left.last().map(String::as_str), Some(open.log()));
        retain(&logs, 0, None).unwrap();
        assert_eq!(instance.logs().unwrap(), [open.log()]);
        open.finish(&result()).unwrap();
        assert_eq!(instance.history().unwrap().len(), 1);
    }
}
