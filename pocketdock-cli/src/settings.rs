//! What the configuration says about this invocation, read before a command runs.
//!
//! `doctor` and `init` do without: they are there for those whose configuration is broken or
//! missing.

use pocketdock_core::{Config, LogLevel};

use crate::command::Command;
use crate::commands::is_recorder;
use crate::failure::Failure;
use crate::globals::Globals;
use crate::output::Console;

/// The commands that run whatever state the configuration is in.
const WITHOUT: [&str; 2] = ["doctor", "init"];

/// Reads the settings, and says which of their keys have no effect.
pub(crate) fn read(command: &Command, console: &mut Console<'_>) -> Result<(), Failure> {
    if WITHOUT.contains(&command.name) {
        return Ok(());
    }
    let config = Config::read()?;
    console.level = level(&console.globals, config.log_level());
    // The process that has started a recorder reads the same and has said it.
    if !is_recorder() {
        for warning in config.warnings() {
            console.warn(&warning.to_string());
        }
        for file in config.files() {
            console.debug(&format!("config {}", file.display()));
        }
    }
    console.config = config;
    Ok(())
}

/// How much is said: `-v` and `-q` outrank the setting, and `-v` outranks `-q`.
pub(crate) fn level(globals: &Globals, setting: LogLevel) -> LogLevel {
    match (globals.verbose, globals.quiet) {
        (true, _) => LogLevel::Debug,
        (false, true) => setting.min(LogLevel::Warn),
        (false, false) => setting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_outrank_the_setting() {
        use LogLevel::*;
        #[rustfmt::skip] // one case per line
        let cases = [
            ("nothing",             false, false, Info,  Info),
            ("the setting",         false, false, Error, Error),
            ("debug",               false, false, Debug, Debug),
            ("-v",                  true,  false, Error, Debug),
            ("-q",                  false, true,  Debug, Warn),
            ("-q, less is set",     false, true,  Error, Error),
            ("both",                true,  true,  Info,  Debug),
        ];
        for (name, verbose, quiet, setting, want) in cases {
            let globals = Globals {
                verbose,
                quiet,
                ..Globals::default()
            };
            assert_eq!(level(&globals, setting), want, "{name}");
        }
    }
}
