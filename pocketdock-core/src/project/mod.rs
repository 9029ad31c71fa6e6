//! What is kept on the host about a sandbox that outlives its maker: its instance.
//!
//! ```text
//! log        one command's output, with times
//! instance   the directory of a sandbox: description, history, logs
//! ```

pub mod log;

pub mod instance;
