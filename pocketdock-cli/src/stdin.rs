//! Standard input as a file: nothing of it is read ahead, so what is left is there for others.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// A handle of its own on standard input.
///
/// # Errors
///
/// When there are no file descriptors left.
pub(crate) fn stdin() -> io::Result<File> {
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}
