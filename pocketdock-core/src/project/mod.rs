//! Projects, their settings, and what is kept on the host about a sandbox that outlives its maker.
//!
//! ```text
//! name, root     what can be a project's name; finding a project, making one
//! keys, config   what each setting takes; the settings from files, variables and defaults
//! private        files that nobody else can read
//! log            one command's output, with times
//! history        a line for each command
//! description    what an instance is the instance of
//! identity       what tells its engine from others
//! recording      one command while it runs
//! place          where instances lie
//! instance       the directory of a sandbox: description, history, logs
//! keeper         records the commands of one sandbox
//! lifecycle      sandboxes by name, with their instances
//! prune          removing what is not needed
//! status         a project at a glance
//! doctor         what is wrong, and putting it right
//! ```

pub mod name;
pub mod root;

mod keys;

pub mod config;

mod private;

pub mod log;

pub mod history;

pub mod description;

mod identity;

pub mod recording;

mod place;

pub mod instance;

mod keeper;

pub mod lifecycle;

pub mod prune;

pub mod doctor;
pub mod status;
