//! `shell`: an interactive terminal in a sandbox.

use std::env;
use std::io::{self, IsTerminal};

use pocketdock_core::container::plan::checked_reference;

use crate::args::Args;
use crate::attach::{attach, own_size};
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupts;
use crate::output::Console;
use crate::values;

use super::connect;
use super::plan::command_text;

/// Bash where there is one, else the plain shell.
const ANY_SHELL: [&str; 3] = [
    "sh",
    "-c",
    "command -v bash >/dev/null 2>&1 && exec bash; exec sh",
];

/// `pocketdock shell CONTAINER [-u USER] [-w DIR] [-- COMMAND...]`
pub(crate) fn shell(mut args: Args, console: &mut Console<'_>) -> Outcome {
    let name = args.positional("CONTAINER")?;
    let user = args.parsed("--user", values::user)?;
    let workdir = args.parsed("--workdir", values::directory)?;
    let mut words = Vec::new();
    for word in args.tail() {
        words.push(command_text(word)?);
    }
    args.finish()?;
    checked_reference(&name)?;
    refuse_pipes()?;

    let mut interrupts = Interrupts::watch()?;
    let container = connect(console)?.open(&name)?;
    let mut exec = match words.as_slice() {
        [] => container.exec(ANY_SHELL),
        words => container.exec(words),
    };
    if let Some(user) = &user {
        exec = exec.user(user);
    }
    if let Some(dir) = &workdir {
        exec = exec.workdir(dir);
    }
    if let Ok(kind) = env::var("TERM") {
        exec = exec.env("TERM", &kind);
    }
    let size = own_size();
    let mut terminal = exec.terminal(size)?;
    let handle = terminal.handle();
    let delivery = interrupts.deliver_to(Box::new(move |_signal| handle.hang_up()))?;
    let outcome = attach(&mut terminal, size, console.out);
    drop(delivery);
    if let Some(&signal) = interrupts.received().first() {
        return Err(Failure::Interrupted(signal));
    }
    outcome?;
    let result = terminal.result()?;
    Ok(u8::try_from(result.exit_code).unwrap_or(u8::MAX))
}

fn refuse_pipes() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage {
        message: "a shell needs a terminal for its input and output".to_owned(),
        hint: Some("'pocketdock run CONTAINER -i COMMAND' takes a pipe".to_owned()),
    })
}
