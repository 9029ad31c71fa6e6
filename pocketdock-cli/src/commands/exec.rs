//! `run`: a command in a sandbox, its output passed on as it arrives.
//!
//! ```text
//! words -> Plan -> sandbox (there, or made for this command) -> stream of output
//!       -> Sink (raw bytes, one JSON object, or NDJSON) -> exit code
//! ```
//!
//! A sandbox that was made for the command is a guard: it is removed on every way
//! out of here, a failed write and SIGTERM included.

use std::time::Duration;

use pocketdock_core::wire::size::{format_duration, format_size};
use pocketdock_core::{Container, End, Exec, ExecResult, ExecStream};

use crate::args::Args;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupts;
use crate::output::Console;
use crate::sink::Sink;
use crate::tty::Signal as Interruption;

use super::plan::{Plan, Target};
use super::{connect, detach, lifecycle, signals};

/// `pocketdock run CONTAINER [OPTIONS] [--] COMMAND [ARG...]`
pub(crate) fn run(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let mut plan = Plan::read(&mut args, &console.config)?;
    args.finish()?;
    let recording = plan.detached && detach::is_recorder();
    if plan.detached && !recording {
        return detach::detach(&plan, console);
    }
    plan.read_code()?;
    if recording {
        Interruption::Hangup.ignore();
    }

    let mut interrupts = Interrupts::watch()?;
    let engine = connect(console)?;
    let container = match &plan.target {
        Target::Container(name) => engine.open(name)?,
        Target::OneShot(options) => engine.create(options)?,
    };
    for warning in container.warnings() {
        console.warn(warning);
    }
    interrupts.check()?;
    let exec = plan.exec(&container)?;
    let outcome = match recording {
        true => detach::record(exec, &plan, &container, &mut interrupts, console),
        false => execute(exec, &plan, &container, &mut interrupts, console),
    };
    lifecycle::warn_of_record(&container, console);
    let removed = match plan.target {
        // Its guard would do the same and could not say that it failed.
        Target::OneShot(_) => container.shutdown(true),
        Target::Container(_) => Ok(()),
    };
    let code = outcome?;
    removed?;
    Ok(code)
}

/// Runs the command and passes its output on until its end.
fn execute(
    exec: Exec,
    plan: &Plan,
    container: &Container,
    interrupts: &mut Interrupts,
    console: &mut Console<'_>,
) -> Outcome {
    let stream = exec.stream()?;
    let delivery = interrupts.deliver_to(signals::killer(plan, &stream, container)?)?;
    let mut sink = Sink::new(plan.form(console.globals.json));
    let outcome = pass_on(stream, &mut sink, console);
    drop(delivery);
    let signals = interrupts.received();
    let result = match (outcome, signals.first()) {
        (Ok(result), _) => result,
        // What a signal led to is no failure to report.
        (Err(_), Some(&signal)) => return Err(sink.cut_short(Failure::Interrupted(signal))),
        (Err(failure), None) => return Err(sink.cut_short(failure)),
    };
    explain(&result, plan.time_limit(container), console);
    sink.finish(&result, console)?;
    // After SIGINT it is the command that decides what becomes of it.
    Ok(
        match signals
            .iter()
            .find(|signal| **signal != Interruption::Interrupt)
        {
            Some(signal) => signal.exit_code(),
            None => u8::try_from(result.exit_code).unwrap_or(u8::MAX),
        },
    )
}

fn pass_on(
    mut stream: ExecStream,
    sink: &mut Sink,
    console: &mut Console<'_>,
) -> Result<ExecResult, Failure> {
    for chunk in &mut stream {
        sink.take(&chunk?, console)?;
    }
    Ok(stream.result()?)
}

/// Says on stderr what an exit code alone does not.
fn explain(result: &ExecResult, limit: Option<Duration>, console: &mut Console<'_>) {
    if console.globals.json {
        return;
    }
    if result.timed_out() {
        let limit = format_duration(limit.unwrap_or(result.duration));
        let hint = "'--timeout DURATION' gives it more time, '--timeout 0' all it wants";
        console.complain(&format!("the command timed out after {limit}"), Some(hint));
    }
    if result.end == End::OomKilled {
        console.complain("the command ran out of memory and was killed", None);
    }
    if result.truncated() {
        let dropped = format_size(result.dropped_len);
        console.warn(&format!(
            "{dropped} of output are not shown; '--max-output' or '--stream' raises the limit"
        ));
    }
}
