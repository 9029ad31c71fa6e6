//! Programs that start with the signals as a terminal would leave them.
//!
//! A suite that runs in the background, under nohup or a job of a plain shell, hands down SIGHUP,
//! SIGINT and SIGQUIT ignored, which a program rightly leaves at that. env(1) of GNU coreutils
//! undoes it and then becomes the program, so that the process ID is the program's.

use std::process::Command;

/// The program, to be started with the default action for every signal that ends it.
pub fn with_default_signals(program: &str) -> Command {
    let mut command = Command::new("/usr/bin/env");
    command.args(["--default-signal=HUP,INT,QUIT,TERM", program]);
    command
}
