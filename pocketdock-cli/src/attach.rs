//! Joins our terminal to one in a sandbox: keys there, output here, the size as it changes.
//!
//! ```text
//! stdin --keys thread--> handle --engine--> command
//! stdout <--this thread-- terminal <--engine-- command
//! window size --size thread, every SIZE_INTERVAL--> handle
//! ```
//!
//! Our terminal is raw meanwhile, so Ctrl-C, Ctrl-D and Ctrl-Z are bytes for the command's own
//! terminal to make something of. It is restored on every way out, a panic included.
//!
//! The keys thread waits in a read that nothing can interrupt. It is left behind at the end and
//! goes with the process.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pocketdock_core::{Terminal, TerminalHandle, TerminalSize};

use crate::failure::{Failure, unread_stdin};
use crate::spawn::spawn;
use crate::stdin::stdin;
use crate::tty::{RawMode, window_size};

/// How often our terminal is asked for its size; asking takes about a microsecond.
const SIZE_INTERVAL: Duration = Duration::from_millis(250);

/// What is assumed of a terminal that does not tell its size.
const USUAL_SIZE: TerminalSize = TerminalSize {
    rows: 24,
    columns: 80,
};

const BUFFER_LEN: usize = 16 * 1024;

/// The size of our terminal.
pub(crate) fn own_size() -> TerminalSize {
    match window_size(io::stdout().as_fd()) {
        Some((rows, columns)) => TerminalSize { rows, columns },
        None => USUAL_SIZE,
    }
}

/// Passes keys and output on until the command's output ends.
pub(crate) fn attach(
    terminal: &mut Terminal,
    size: TerminalSize,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let raw = RawMode::enter(io::stdin().as_fd())?;
    let keys = terminal.handle();
    let source = stdin().map_err(unread_stdin)?;
    spawn("keys", Box::new(move || pass_keys(source, &keys)))?;
    let handle = terminal.handle();
    let over = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&over);
    let pass_sizes = move || {
        let mut last = size;
        loop {
            thread::park_timeout(SIZE_INTERVAL);
            if over.load(Ordering::Relaxed) {
                return;
            }
            last = pass_size(&handle, last);
        }
    };
    let sizes = spawn("window-size", Box::new(pass_sizes))?;
    let outcome = pass_output(terminal, out);
    stop.store(true, Ordering::Relaxed);
    sizes.thread().unpark();
    let _panicked = sizes.join();
    drop(raw);
    outcome
}

fn pass_keys(mut source: File, handle: &TerminalHandle) {
    let mut buffer = [0; BUFFER_LEN];
    loop {
        match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Our terminal is gone, and with it whoever sat there.
            Ok(0) | Err(_) => return handle.hang_up(),
            Ok(n) => {
                if handle.write(buffer.get(..n).unwrap_or_default()).is_err() {
                    return; // The command has ended, as the other thread finds out.
                }
            }
        }
    }
}

fn pass_size(handle: &TerminalHandle, last: TerminalSize) -> TerminalSize {
    let size = own_size();
    if size != last {
        // Refused by a command that is ending, which needs no size.
        let _refused = handle.resize(size);
    }
    size
}

fn pass_output(terminal: &mut Terminal, out: &mut dyn Write) -> Result<(), Failure> {
    let mut buffer = [0; BUFFER_LEN];
    loop {
        match terminal.read(&mut buffer)? {
            0 => return Ok(()),
            n => out.write_all(buffer.get(..n).unwrap_or_default())?,
        }
    }
}
