//! `logs`: what was recorded of commands in the background, as text or as a table.
//!
//! ```text
//! CONTAINER             its logs, oldest first: stdout to stdout, stderr to stderr, byte for byte
//! CONTAINER --follow    the same, and on until nothing of it is being recorded any more
//! --history, or nothing the histories as a table
//! ```
//!
//! Everything is read from the instance's directory, so it works for a sandbox that is gone and
//! without an engine. An engine is asked only whether a name that has no instance is a sandbox's.
//!
//! A log that grows is looked at every [`FOLLOW_INTERVAL`]; std has no way to be told.

use std::thread;
use std::time::{Duration, SystemTime};

use pocketdock_core::container::plan::checked_reference;
use pocketdock_core::wire::size::format_duration;
use pocketdock_core::wire::time::Timestamp;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{HistoryEntry, Instance, LogReader, RecordKind};

use crate::args::Args;
use crate::failure::{Failure, Outcome, usage};
use crate::interrupt::Interrupts;
use crate::output::{Console, visible};
use crate::paint::Paint;
use crate::printer::{Form, Printer};
use crate::table::Table;
use crate::values;

use super::connect;

/// How often a log that is being written is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// How many logs, or lines of the table, are shown unless told otherwise.
const DEFAULT_LAST: usize = 10;

/// The widest command that a table shows.
const COMMAND_WIDTH_MAX: usize = 80;

/// What the command line asks for.
#[derive(Debug)]
struct Query {
    last: usize,
    kind: Option<RecordKind>,
    tail: Option<usize>,
    follow: bool,
    history: bool,
}

/// `pocketdock logs [CONTAINER] [--last N] [--type TYPE] [--history] [--follow] [--tail N]`
pub(crate) fn logs(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let query = Query::read(&mut args)?;
    let container = args.positionals("CONTAINER")?;
    let (container, surplus) = match container.as_slice() {
        [] => (None, None),
        [name] => (Some(name.as_str()), None),
        [_, surplus, ..] => (None, Some(surplus)),
    };
    if let Some(word) = surplus {
        return Err(usage(format!("unexpected argument '{}'", visible(word))));
    }
    args.finish()?;
    query.check(container.is_some())?;

    let instances = match container {
        Some(name) => find(name, console)?.into_iter().collect(),
        None => Instance::all()?,
    };
    match (container, instances.as_slice()) {
        (Some(_), [instance]) if !query.history => print_logs(instance, &query, console),
        (Some(_), []) if !query.history => print_nothing(&query, console),
        (_, instances) => print_history(instances, &query, console),
    }
}

impl Query {
    fn read(args: &mut Args) -> Result<Self, Failure> {
        let last = args.parsed("--last", values::number)?;
        Ok(Self {
            last: last.unwrap_or(DEFAULT_LAST),
            kind: args.parsed("--type", values::record_kind)?,
            tail: args.parsed("--tail", values::number)?,
            follow: args.flag("--follow"),
            history: args.flag("--history"),
        })
    }

    /// A table has no lines of output.
    fn check(&self, has_container: bool) -> Result<(), Failure> {
        let option = match (self.follow, self.tail) {
            (true, _) => "--follow",
            (false, Some(_)) => "--tail",
            (false, None) => return Ok(()),
        };
        match (has_container, self.history) {
            (false, _) => Err(usage(format!("'{option}' needs a CONTAINER"))),
            (true, true) => Err(usage(format!(
                "'{option}' and '--history' can not be used together"
            ))),
            (true, false) => Ok(()),
        }
    }

    fn form(&self, console: &Console<'_>) -> Form {
        match (console.globals.json, self.follow) {
            (false, _) => Form::Raw,
            (true, false) => Form::Array,
            (true, true) => Form::Lines,
        }
    }

    /// Whether a log is of the kind that is asked for, as its name says.
    fn wants(&self, log: &str) -> bool {
        let kind = log.split('-').next().and_then(RecordKind::parse);
        self.kind.is_none() || self.kind == kind
    }
}

/// The instance of a sandbox; `None` if the sandbox has none.
fn find(name: &str, console: &Console<'_>) -> Result<Option<Instance>, Failure> {
    checked_reference(name)?;
    // What cannot be a name may be an ID.
    if let Some(instance) = Instance::named(name).ok().filter(Instance::exists) {
        return Ok(Some(instance));
    }
    let container = connect(console)?.open(name)?;
    Ok(Some(Instance::of(&container)?).filter(Instance::exists))
}

fn print_nothing(query: &Query, console: &mut Console<'_>) -> Outcome {
    let mut printer = Printer::new(query.form(console), None);
    printer.finish(console)?;
    Ok(0)
}

fn print_logs(instance: &Instance, query: &Query, console: &mut Console<'_>) -> Outcome {
    // Where nobody waits, a signal ends us as it ends any program.
    let interrupts = match query.follow {
        true => Some(Interrupts::watch()?),
        false => None,
    };
    let mut follower = Follower {
        instance,
        query,
        logs: Vec::new(),
    };
    let mut printer = Printer::new(query.form(console), query.tail);
    follower.adopt(query.last)?;
    let mut goes_on = follower.read(&mut printer, console)?;
    printer.end_tail(console)?;
    if let Some(interrupts) = &interrupts {
        while goes_on {
            if let Some(signal) = interrupts.received().first() {
                return Ok(signal.exit_code());
            }
            thread::sleep(FOLLOW_INTERVAL);
            follower.adopt(usize::MAX)?;
            goes_on = follower.read(&mut printer, console)?;
        }
        follower.print_ends(&mut printer, console)?;
    }
    printer.finish(console)?;
    Ok(0)
}

/// The logs of one instance, read as they grow.
struct Follower<'a> {
    instance: &'a Instance,
    query: &'a Query,
    logs: Vec<Log>,
}

struct Log {
    name: String,
    reader: LogReader,
    ended: bool,
}

impl Follower<'_> {
    /// Opens the newest `count` logs of those that have come since the last time.
    fn adopt(&mut self, count: usize) -> Result<(), Failure> {
        let newest = self.logs.last().map(|log| log.name.clone());
        let mut names = self.instance.logs()?;
        names.retain(|name| self.query.wants(name));
        if let Some(at) = newest.and_then(|newest| names.iter().position(|name| *name == newest)) {
            names.drain(..=at);
        } else if !self.logs.is_empty() {
            names.clear(); // All of them are gone, with their sandbox.
        }
        let surplus = names.len().saturating_sub(count);
        for name in names.into_iter().skip(surplus) {
            self.logs.push(Log {
                reader: LogReader::open(&self.instance.log_path(&name)?)?,
                name,
                ended: false,
            });
        }
        Ok(())
    }

    /// Prints what has been written since the last time; answers whether more may come.
    fn read(&mut self, printer: &mut Printer, console: &mut Console<'_>) -> Result<bool, Failure> {
        let mut goes_on = false;
        for log in self.logs.iter_mut().filter(|log| !log.ended) {
            // Asked first: whatever was written before the end is read below.
            log.ended = !self.instance.is_recording(&log.name);
            goes_on |= !log.ended;
            while let Some(line) = log.reader.next_line()? {
                printer.line(&log.name, line, console)?;
            }
        }
        printer.flush(console)?;
        Ok(goes_on)
    }

    /// Says how each command has ended, as far as a follower has to be told.
    fn print_ends(&self, printer: &mut Printer, console: &mut Console<'_>) -> Result<(), Failure> {
        let history = self.instance.history()?;
        for log in &self.logs {
            let entry = history.iter().find(|entry| entry.log == log.name);
            printer.end(&log.name, entry, console)?;
        }
        Ok(())
    }
}

fn print_history(instances: &[Instance], query: &Query, console: &mut Console<'_>) -> Outcome {
    let mut entries = Vec::new();
    for instance in instances {
        let history = instance.history()?.into_iter();
        let wanted = history.filter(|entry| query.kind.is_none_or(|kind| kind == entry.kind));
        entries.extend(wanted.map(|entry| (instance, entry)));
    }
    entries.sort_by_cached_key(|(_, entry)| entry.time);
    entries.drain(..entries.len().saturating_sub(query.last));
    if console.globals.json {
        let values: Result<Vec<Value>, Failure> = entries
            .iter()
            .map(|(instance, entry)| entry_value(instance, entry))
            .collect();
        console.print_json(&values?.into())?;
    } else if !entries.is_empty() {
        let text = table(&entries).render(console.out_paint, console.columns);
        console.print(&text)?;
    }
    Ok(0)
}

fn table(entries: &[(&Instance, HistoryEntry)]) -> Table {
    let mut table = Table::new(&["TIME", "SANDBOX", "TYPE", "EXIT", "DURATION", "COMMAND"]);
    for (instance, entry) in entries {
        let running = instance.is_recording(&entry.log);
        let exit = match entry.exit_code {
            Some(_) if entry.timed_out => "timed out".to_owned(),
            Some(code) => code.to_string(),
            None if running => "running".to_owned(),
            None => "unknown".to_owned(),
        };
        let duration = match (duration(entry, running), running) {
            (taken, true) => format_duration(Duration::from_secs(taken.as_secs())),
            (Duration::ZERO, false) if entry.exit_code.is_none() => String::new(),
            (taken, false) => format_duration(taken),
        };
        let fields = [
            &format!("{:.0}", entry.time),
            instance.name(),
            entry.kind.as_str(),
            &exit,
            &duration,
            &shortened(&entry.command.join(" ")),
        ];
        table.colored_row(&fields, |heading, text| match (heading, text) {
            ("EXIT", "0" | "running") => Paint::GREEN,
            ("EXIT", "unknown") => Paint::YELLOW,
            ("EXIT", _) => Paint::RED,
            _ => Paint::PLAIN,
        });
    }
    table
}

/// How long a command has taken, or has been running.
fn duration(entry: &HistoryEntry, running: bool) -> Duration {
    match running {
        true => Timestamp::from(SystemTime::now()).since(entry.time),
        false => entry.duration,
    }
}

fn shortened(command: &str) -> String {
    let mut letters = command.chars();
    let mut start: String = letters.by_ref().take(COMMAND_WIDTH_MAX).collect();
    if letters.next().is_some() {
        start.pop();
        start.push('…');
    }
    start
}

fn entry_value(instance: &Instance, entry: &HistoryEntry) -> Result<Value, Failure> {
    let running = instance.is_recording(&entry.log);
    let duration_ms = duration(entry, running).as_millis();
    let log = instance.log_path(&entry.log)?.display().to_string();
    Ok(Value::object([
        ("ts", entry.time.to_string().into()),
        ("container", instance.name().into()),
        ("type", entry.kind.as_str().into()),
        ("id", entry.id.as_str().into()),
        ("command", entry.command.clone().into()),
        ("exit_code", entry.exit_code.into()),
        (
            "duration_ms",
            u64::try_from(duration_ms).unwrap_or(u64::MAX).into(),
        ),
        ("timed_out", entry.timed_out.into()),
        ("truncated", entry.truncated.into()),
        ("running", running.into()),
        ("log", log.into()),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_cut_to_the_width_of_a_table() {
        assert_eq!(shortened("ls -la"), "ls -la");
        let cut = shortened(&"é".repeat(COMMAND_WIDTH_MAX + 1));
        assert_eq!(cut.chars().count(), COMMAND_WIDTH_MAX);
        assert!(cut.ends_with('…'));
    }
}
