//! The threads of the program that give nothing back.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread with a name. The work is boxed, for starting one takes a kilobyte of code.
pub(crate) fn spawn(
    name: &'static str,
    work: Box<dyn FnOnce() + Send>,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}
