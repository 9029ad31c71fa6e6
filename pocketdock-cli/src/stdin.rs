//! Standard input as a file: nothing of it is read ahead, so what is left is there for others.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

/// The system's number for a descriptor that is not open for that.
const EBADF: i32 = 9;

/// A handle of its own on standard input. One that cannot be read has nothing in it: `nohup` leaves
/// such a thing behind.
///
/// # Errors
///
/// When there are no file descriptors left.
pub(crate) fn stdin() -> io::Result<File> {
    let mut file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    match file.read(&mut []) {
        Err(error) if error.raw_os_error() == Some(EBADF) => File::open("/dev/null"),
        _ => Ok(file),
    }
}
