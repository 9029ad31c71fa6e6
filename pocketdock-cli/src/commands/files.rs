//! `push`, `pull`: files into a sandbox and out of it.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::Path;

use pocketdock_core::container::plan::checked_reference;
use pocketdock_core::wire::size::format_size;
use pocketdock_core::wire::value::Value;
use pocketdock_core::{CopyReport, Error, Progress};

use crate::args::{Args, text};
use crate::failure::{Failure, Outcome, unread_stdin, usage};
use crate::interrupt::Interrupts;
use crate::output::{Console, visible};
use crate::progress::ProgressLine;
use crate::stdin::stdin;

use super::connect;

/// How many of the things that were left out are named one by one.
const DROPPED_SHOWN: usize = 10;

/// The name for stdin or stdout.
const STREAM: &str = "-";

/// `pocketdock push CONTAINER SRC DEST`
pub(crate) fn push(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let container = args.positional("CONTAINER")?;
    let source = args.word("SRC")?;
    let dest = args.positional("DEST");
    let dest = dest.map_err(|missing| two_words(missing, &source))?;
    args.finish()?;
    checked_reference(&container)?;
    if source == STREAM && io::stdin().is_terminal() {
        return Err(usage("stdin is a terminal: pipe an archive into it"));
    }

    let interrupts = Interrupts::watch()?;
    let sandbox = connect(console)?.open(&container)?;
    let mut stream = stdin().map_err(unread_stdin)?;
    let pushed = watched(console, "pushing", &interrupts, |on_progress| {
        match source == STREAM {
            true => sandbox.push_archive(&mut stream, &dest, on_progress),
            false => sandbox.push_with(Path::new(&source), &dest, on_progress),
        }
    });
    let pushed = pushed.map_err(|failure| place(failure, &source, true))?;
    print_report(&pushed, "pushed", console)
}

/// `pocketdock pull CONTAINER SRC DEST`
pub(crate) fn pull(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let container = args.positional("CONTAINER")?;
    let source = text(args.word("SRC")?, "SRC").map_err(|failure| {
        failure.or_hint(|| "pull the directory that it is in, with all its names".to_owned())
    })?;
    let dest = args.word("DEST");
    let dest = dest.map_err(|missing| two_words(missing, container.as_ref()))?;
    args.finish()?;
    checked_reference(&container)?;
    if dest == STREAM {
        return pull_to_stdout(&container, &source, console);
    }

    let interrupts = Interrupts::watch()?;
    let sandbox = connect(console)?.open(&container)?;
    let pulled = watched(console, "pulling", &interrupts, |on_progress| {
        sandbox.pull_with(&source, Path::new(&dest), on_progress)
    });
    let pulled = pulled.map_err(|failure| place(failure, source.as_ref(), false))?;
    print_report(&pulled, "pulled", console)
}

/// Says of a path that is not there where it is missing, and of stdin what it should be.
fn place(failure: Failure, source: &OsStr, source_is_here: bool) -> Failure {
    match failure {
        Failure::Core(Error::Io { doing, source }) if doing == "read the archive" => {
            let hint = "stdin has to be a tar archive, whole, as 'tar -c' makes it";
            Failure::Hinted(Error::Io { doing, source }, hint)
        }
        Failure::Core(Error::Io {
            doing,
            source: error,
        }) if doing.starts_with("copy '")
            && doing != format!("copy '{}'", source.to_string_lossy()) =>
        {
            let hint = "pull a directory without /proc and /sys in it, such as /home";
            Failure::Hinted(
                Error::Io {
                    doing,
                    source: error,
                },
                hint,
            )
        }
        Failure::Core(error @ Error::PathNotFound { .. }) => {
            let is_source = matches!(&error, Error::PathNotFound { path } if path == source);
            let hint = match is_source == source_is_here {
                true => "it is looked for here, not in the sandbox",
                false => "it is looked for in the sandbox, not here",
            };
            Failure::Hinted(error, hint)
        }
        failure => failure,
    }
}

/// For those who know `docker cp`, which joins the two.
fn two_words(missing: Failure, joined: &OsStr) -> Failure {
    match joined.as_encoded_bytes().windows(2).any(|two| two == b":/") {
        true => missing.or_hint(|| {
            "a sandbox and a path in it are two words: 'pocketdock push box SRC /tmp', \
             'pocketdock pull box /tmp/file DEST'"
                .to_owned()
        }),
        false => missing,
    }
}

/// An archive on stdout has no room for words of ours, and nobody reads one on a terminal.
fn pull_to_stdout(container: &str, source: &str, console: &mut Console<'_>) -> Outcome {
    if io::stdout().is_terminal() {
        return Err(usage(
            "an archive is no text for a terminal: name a directory, or redirect stdout",
        ));
    }
    if console.globals.json {
        return Err(usage("'--json' and an archive can not both go to stdout"));
    }
    let interrupts = Interrupts::watch()?;
    let sandbox = connect(console)?.open(container)?;
    let mut out = io::stdout().lock();
    let pulled = watched(console, "pulling", &interrupts, |on_progress| {
        sandbox.pull_archive(source, &mut out, on_progress)
    });
    drop(out);
    match pulled {
        Err(Failure::Core(Error::Io { source, .. }))
            if source.kind() == io::ErrorKind::BrokenPipe =>
        {
            Err(Failure::Stdio(source))
        }
        pulled => {
            let pulled = pulled.map_err(|failure| place(failure, source.as_ref(), false))?;
            print_report(&pulled, "pulled", console)
        }
    }
}

/// Copies with a progress line, until a signal comes.
fn watched(
    console: &Console<'_>,
    doing: &'static str,
    interrupts: &Interrupts,
    copy: impl FnOnce(
        &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> pocketdock_core::Result<CopyReport>,
) -> Result<CopyReport, Failure> {
    let mut line = ProgressLine::new(console, doing);
    let copied = copy(&mut |progress| {
        line.update(progress);
        match interrupts.check() {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    drop(line);
    interrupts.check()?;
    Ok(copied?)
}

fn print_report(report: &CopyReport, done: &str, console: &mut Console<'_>) -> Outcome {
    for dropped in report.dropped.iter().take(DROPPED_SHOWN) {
        let path = visible(&dropped.path.to_string_lossy());
        console.warn(&format!("left out of '{path}': {}", dropped.what.as_str()));
    }
    if let Some(more) = report.dropped.len().checked_sub(DROPPED_SHOWN + 1) {
        console.warn(&format!("and {} more", more + 1));
    }
    if console.globals.json {
        console.print_json(&report_value(report))?;
        return Ok(0);
    }
    let entries = match report.entries {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    };
    console.note(&format!("{done} {entries}, {}", format_size(report.bytes)));
    Ok(0)
}

fn report_value(report: &CopyReport) -> Value {
    let dropped: Vec<Value> = report
        .dropped
        .iter()
        .map(|dropped| {
            Value::object([
                ("path", dropped.path.to_string_lossy().into_owned().into()),
                ("what", dropped.what.as_str().into()),
            ])
        })
        .collect();
    Value::object([
        ("entries", report.entries.into()),
        ("bytes", report.bytes.into()),
        ("dropped", Value::Array(dropped)),
    ])
}
