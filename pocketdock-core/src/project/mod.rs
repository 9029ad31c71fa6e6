//! Projects, their settings, and what is kept on the host about a sandbox that outlives its maker.
//!
//! ```text
//! name, root     what can be a project's name; finding a project, making one
//! keys, config   what each setting takes; the settings from files, variables and defaults
//! log            one command's output, with times
//! instance       the directory of a sandbox: description, history, logs
//! ```

pub mod name;
pub mod root;

mod keys;

pub mod config;

pub mod log;

pub mod instance;
