//! The `pocketdock` command: arguments and streams in, an exit code out.
//!
//! ```text
//! words -> invocation::parse -> command::COMMANDS -> commands::* -> exit code
//! ```
//!
//! Everything a command prints goes through the [`Console`] made here, and every
//! failure becomes an exit code in one place, [`exit_code`]. SIGPIPE is ignored
//! by std; a reader that goes away shows as a failed write and ends us quietly.

mod args;
mod attach;
mod command;
mod commands;
mod complete;
mod completions;
#[cfg(test)]
mod docs;
mod draft;
mod failure;
mod globals;
mod gzip;
mod help;
mod interrupt;
mod invocation;
mod man;
mod option;
mod output;
mod paint;
mod printer;
mod progress;
mod settings;
mod sink;
mod spawn;
mod stdin;
mod table;
mod tty;
mod values;

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::os::fd::AsFd;
use std::process::ExitCode;

use pocketdock_core::wire::value::Value;
use pocketdock_core::{Config, Error};

use crate::args::Args;
use crate::command::{Command, RUN_FAILED};
use crate::failure::Failure;
use crate::globals::Globals;
use crate::invocation::Request;
use crate::output::Console;
use crate::paint::{ColorChoice, ColorHints};

fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    match Streams::open() {
        Ok(mut streams) => ExitCode::from(run(words, &mut streams)),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Our three streams, unbuffered: what is written is out, and a piece of a
/// command's output costs one system call.
struct Streams {
    input: BufReader<File>,
    out: File,
    err: File,
}

impl Streams {
    fn open() -> io::Result<Self> {
        Ok(Self {
            input: BufReader::new(stdin::stdin()?),
            out: File::from(io::stdout().as_fd().try_clone_to_owned()?),
            err: File::from(io::stderr().as_fd().try_clone_to_owned()?),
        })
    }

    fn console(&mut self, globals: Globals) -> Console<'_> {
        let (color, hints) = (globals.color.unwrap_or(ColorChoice::Auto), color_hints());
        let ask = io::stdin().is_terminal() && self.err.is_terminal() && !globals.no_input;
        Console {
            input: &mut self.input,
            out_paint: color.paint(hints, self.out.is_terminal()),
            err_paint: color.paint(hints, self.err.is_terminal()),
            columns: columns(&self.out),
            out: &mut self.out,
            err: &mut self.err,
            interactive: ask,
            level: settings::level(&globals, pocketdock_core::LogLevel::Info),
            config: Config::default(),
            globals,
        }
    }
}

/// A terminal that does not tell its width has one, and nothing is fitted to it.
fn columns(out: &File) -> Option<usize> {
    let (_, columns) = tty::window_size(out.as_fd())?;
    Some(columns.into())
}

fn run(words: Vec<OsString>, streams: &mut Streams) -> u8 {
    if let Some((complete::QUESTION, words)) = question(&words) {
        let mut console = streams.console(Globals::default());
        let printed = console.print(&complete::answer(words));
        return conclude(printed.map(|()| 0), 1, &mut console);
    }
    if words.is_empty() {
        return introduce(&mut streams.console(Globals::default()));
    }
    let mut globals = Globals::default();
    match invocation::parse(words, &mut globals) {
        Ok(request) => answer(request, &mut streams.console(globals)),
        Err(failure) => {
            streams.console(globals).report(&failure);
            exit_code(&failure, 1)
        }
    }
}

/// For somebody who has typed the name and waits for what comes. It is wrong usage, and none of it
/// data.
fn introduce(console: &mut Console<'_>) -> u8 {
    let text = help::overview(console.err_paint, console.columns);
    // Without a stderr there is nobody.
    let _ = console.err.write_all(text.as_bytes());
    2
}

/// The first word as text, and the others.
fn question(words: &[OsString]) -> Option<(&str, &[OsString])> {
    let (first, rest) = words.split_first()?;
    Some((first.to_str()?, rest))
}

fn answer(request: Request, console: &mut Console<'_>) -> u8 {
    let text = match request {
        Request::Command(command, args) => return run_command(command, args, console),
        Request::Help(None) => help::overview(console.out_paint, console.columns),
        Request::Help(Some(command)) => {
            help::of_command(command, console.out_paint, console.columns)
        }
        Request::Version => version(console.globals.json),
        Request::Completions(shell) => completions::script(shell).to_owned(),
        Request::Man => man::page(),
    };
    conclude(console.print(&text).map(|()| 0), 1, console)
}

fn run_command(command: &Command, args: Args, console: &mut Console<'_>) -> u8 {
    let outcome = settings::read(command, console)
        .and_then(|()| (command.run)(args, console))
        .map_err(|failure| invocation::with_help_hint(failure, Some(command)));
    conclude(outcome, command.failure_code, console)
}

fn conclude(outcome: Result<u8, Failure>, failure_code: u8, console: &mut Console<'_>) -> u8 {
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            console.report(&failure);
            exit_code(&failure, failure_code)
        }
    }
}

/// The one place where failures become exit codes; `failed` is the command's own
/// code for "pocketdock or the engine failed". Only what runs a command in the
/// sandbox says by a code why that did not start.
fn exit_code(failure: &Failure, failed: u8) -> u8 {
    match failure {
        Failure::Usage { .. }
        | Failure::Core(Error::InvalidArgument { .. } | Error::UnknownProfile { .. }) => 2,
        Failure::Core(Error::CommandNotExecutable { .. }) if failed == RUN_FAILED => 126,
        Failure::Core(Error::CommandNotFound { .. }) if failed == RUN_FAILED => 127,
        Failure::Core(_) | Failure::Hinted(..) => failed,
        Failure::Stdio(error) if output::is_closed_pipe(error) => 0,
        Failure::Stdio(_) => failed,
        Failure::Interrupted(signal) => signal.exit_code(),
        Failure::CutShort { cause, .. } => exit_code(cause, failed),
    }
}

/// The version of what programs may rely on: docs/agents.md.
const CONTRACT: u32 = 1;

fn version(json: bool) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if json {
        let value = Value::object([("version", version.into()), ("contract", CONTRACT.into())]);
        return format!("{}\n", pocketdock_core::wire::json::to_string(&value));
    }
    format!("pocketdock {version}\n")
}

fn color_hints() -> ColorHints {
    let set = |name| env::var_os(name).is_some_and(|value: OsString| !value.is_empty());
    ColorHints {
        no_color: set("NO_COLOR"),
        force: set("CLICOLOR_FORCE") && env::var_os("CLICOLOR_FORCE") != Some("0".into()),
        dumb: env::var_os("TERM") == Some("dumb".into()),
    }
}
