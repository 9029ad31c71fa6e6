//! `run --detach`: a command that goes on after us, with a process of its own that records it.
//!
//! ```text
//! pocketdock run -d ──starts──> the recorder: the same program and words, RECORDER set
//!    │                             │ makes or finds the sandbox, begins the log, starts
//!    │ <──one line on its stdout───┤ {"id":…,"container":…,"log":…}
//!    └ prints the ID and ends      └ writes the log until the command has ended, then the history
//! ```
//!
//! Until that line the recorder is an ordinary `run`: it fails with a message on stderr or an
//! object on stdout and with an exit code, and we pass all of them on. Its stdout and stderr are
//! pipes to us, so that it holds nothing of ours once we are gone; its stdin is ours with `-i`,
//! else empty. It ends what it says on stderr with [`LAST_WORD`], since the pipe stays open.
//!
//! The recorder is out of the reach of our terminal's Ctrl-C and ignores SIGHUP. SIGTERM and SIGINT
//! end the command, which is recorded like any other end. If we are gone before the line, so is
//! the command: no one would know of it.

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{Container, Error, Exec, ExecStream, Instance, RecordKind, Recording};

use crate::failure::{Failure, Outcome, usage};
use crate::interrupt::Interrupts;
use crate::output::Console;
use crate::spawn::spawn;

use super::plan::Plan;
use super::{own_stderr, signals};

/// Set for a process that is to record.
const RECORDER: &str = "POCKETDOCK_RECORDER";

/// What a recorder writes to stderr when it has no more to say. Messages never contain it.
const LAST_WORD: u8 = 0;

/// The longest line a recorder may report with.
const REPORT_LEN_MAX: u64 = 1024 * 1024;

/// Whether this process is a recorder.
pub(crate) fn is_recorder() -> bool {
    env::var_os(RECORDER).is_some()
}

/// Starts a recorder and waits until its command runs.
pub(super) fn detach(plan: &Plan, console: &mut Console<'_>) -> Outcome {
    if plan.stdin && io::stdin().is_terminal() {
        return Err(usage(
            "a command in the background can not read from this terminal: '-i' with '--detach' \
             needs a file or a pipe",
        ));
    }
    let mut recorder = start_recorder(plan.stdin).map_err(no_recorder)?;
    let (Some(stdout), Some(stderr)) = (recorder.stdout.take(), recorder.stderr.take()) else {
        return Err(no_recorder(io::ErrorKind::BrokenPipe.into()));
    };
    let own = own_stderr()?;
    let relay = spawn("recorder-stderr", Box::new(|| pass_messages(stderr, own)))?;
    let mut line = Vec::new();
    BufReader::new(stdout)
        .take(REPORT_LEN_MAX)
        .read_until(b'\n', &mut line)?;
    let _panicked = relay.join();
    match Report::parse(&line) {
        Some(report) => report.print(&line, console),
        None => fail_as(recorder, &line, console),
    }
}

fn start_recorder(with_input: bool) -> io::Result<Child> {
    let stdin = if with_input {
        Stdio::inherit()
    } else {
        Stdio::null()
    };
    Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .env(RECORDER, "1")
        .process_group(0)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn no_recorder(source: io::Error) -> Failure {
    Failure::Core(Error::Io {
        doing: "start a recorder".to_owned(),
        source,
    })
}

/// Passes on what a recorder says until its last word, or its end.
fn pass_messages(mut stderr: ChildStderr, mut own: File) {
    let mut buffer = [0; 4096];
    loop {
        let said = match stderr.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
        };
        let mut parts = said.splitn(2, |&byte| byte == LAST_WORD);
        let _ = own.write_all(parts.next().unwrap_or_default());
        if parts.next().is_some() {
            return;
        }
    }
}

/// A recorder that could not start its command speaks and ends for us.
fn fail_as(mut recorder: Child, said: &[u8], console: &mut Console<'_>) -> Outcome {
    let status = recorder.wait()?;
    console.out.write_all(said)?;
    let died = || no_recorder(io::Error::other(format!("it has ended with {status}")));
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.filter(|code| *code != 0).ok_or_else(died)
}

/// What a recorder says of a command that runs.
#[derive(Debug, PartialEq, Eq)]
struct Report {
    id: String,
    container: String,
}

impl Report {
    fn of(id: &str, container: &str, log: String) -> Value {
        Value::object([
            ("id", id.into()),
            ("container", container.into()),
            ("log", log.into()),
        ])
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let value = json::parse(line.strip_suffix(b"\n")?).ok()?;
        Some(Self {
            id: value.str_at(&["id"])?.to_owned(),
            container: value.str_at(&["container"])?.to_owned(),
        })
    }

    fn print(&self, line: &[u8], console: &mut Console<'_>) -> Outcome {
        if console.globals.json {
            console.out.write_all(line)?;
            return Ok(0);
        }
        console.print(&format!("{}\n", self.id))?;
        let name = &self.container;
        console.note(&format!(
            "'pocketdock logs {name} --follow' shows its output"
        ));
        Ok(0)
    }
}

/// The recorder: starts the command, reports it, and writes down what comes of it.
pub(super) fn record(
    exec: Exec,
    plan: &Plan,
    container: &Container,
    interrupts: &mut Interrupts,
    console: &mut Console<'_>,
) -> Outcome {
    let instance = Instance::of(container)?;
    let config = &console.config;
    let log_len_max = plan.max_output_bytes.or(config.max_log_size());
    let log_len_max = log_len_max.unwrap_or(u64::MAX);
    let (count, days) = (config.max_logs_per_instance(), config.retention_days());
    let words = plan.command.words();
    let mut recording = instance.record(container, RecordKind::Detach, &words, log_len_max)?;
    let age = days.map(|days| Duration::from_secs(days.saturating_mul(86_400)));
    if let Err(error) = instance
        .retain(count, age)
        .and_then(|()| instance.sweep(age))
    {
        console.warn(&error.to_string());
    }
    let stream = match start(exec.unrecorded()) {
        Ok(stream) => stream,
        Err(error) => {
            recording.discard();
            return Err(error.into());
        }
    };
    if let Err(error) = recording.started(stream.id()) {
        console.warn(&error.to_string());
    }
    let delivery = interrupts.deliver_to(signals::killer(plan, &stream, container)?)?;
    let log = instance.log_path(recording.log())?.display().to_string();
    if let Err(nobody) = report(&Report::of(stream.id(), container.name(), log), console) {
        drop(stream); // Which kills the command.
        recording.discard();
        return Err(nobody);
    }
    follow(stream, recording);
    drop(delivery);
    Ok(0)
}

fn start(exec: Exec) -> Result<ExecStream, Error> {
    let mut stream = exec.stream()?;
    stream.wait_started()?;
    Ok(stream)
}

fn report(report: &Value, console: &mut Console<'_>) -> Result<(), Failure> {
    console.print_json(report)?;
    console.err.write_all(&[LAST_WORD])?;
    Ok(())
}

/// Writes the log and, at the end, the history. From here on there is no one to complain to: what
/// cannot be written is counted, in the log if that works again, and the command goes on.
fn follow(mut stream: ExecStream, mut recording: Recording) {
    let outcome = loop {
        match stream.next() {
            Some(Ok(chunk)) => {
                let _counted = recording.add(chunk.stream, &chunk.data);
            }
            Some(Err(error)) => break Err(error),
            None => break stream.result(),
        }
    };
    match outcome {
        Ok(result) => {
            let _ = recording.finish(&result);
        }
        // Dropped, the recording leaves a line without an exit code.
        Err(error) => {
            let _ = recording.note_end(&error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_from_a_failure() {
        let value = Report::of("e1", "box", "/logs/x.log".to_owned());
        let line = json::to_string(&value) + "\n";
        let report = Report::parse(line.as_bytes()).unwrap();
        assert_eq!(
            (report.id.as_str(), report.container.as_str()),
            ("e1", "box")
        );
        let failures = ["", "\n", "{\"error\":{\"code\":\"x\"}}\n", "{\"id\":\"e1\""];
        for line in failures {
            assert_eq!(Report::parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
