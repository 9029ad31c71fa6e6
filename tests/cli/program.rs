//! Runs the program with nothing of the developer's environment around it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::signals::with_default_signals;

/// The program, with no home, no terminal, and an engine that can not be there: a mistake in a
/// test must not reach one that is.
pub(crate) fn pocketdock() -> Command {
    let mut command = with_default_signals(env!("CARGO_BIN_EXE_pocketdock"));
    command
        .env_clear()
        .env("POCKETDOCK_SOCKET", "/nonexistent/engine.sock");
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Runs it with these words.
pub(crate) fn run(words: &[&str]) -> Output {
    pocketdock().args(words).output().expect("start pocketdock")
}

/// Runs it against the engine behind a socket.
pub(crate) fn run_at(socket: &Path, words: &[&str]) -> Output {
    let mut command = pocketdock();
    command.arg("--socket").arg(socket).args(words);
    command.output().expect("start pocketdock")
}

/// The exit code; dying of a signal is never right here.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("pocketdock ends by itself")
}

/// What a stream carried, as text.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("pocketdock prints text")
}

/// Runs it with the engine named by a variable, so that the words are all a test gives.
pub(crate) fn run_with_socket(socket: &Path, words: &[&str]) -> Output {
    let mut command = pocketdock();
    command.env("POCKETDOCK_SOCKET", socket).args(words);
    command.output().expect("start pocketdock")
}
