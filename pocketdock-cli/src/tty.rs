//! The terminal: its signals, raw mode and size. The only unsafe code of the project.
//!
//! std can not receive a signal. Here SIGHUP, SIGINT, SIGQUIT and SIGTERM are blocked
//! and a thread of our own collects them with sigwait(3), so what they start is
//! ordinary code on an ordinary thread: no signal handler, nothing that has to
//! be async-signal-safe.
//!
//! Raw mode comes from cfmakeraw(3), and is left by a guard on every way out. No flag and no field
//! of `struct termios` is known here, only how much room any system's needs. The size of a
//! terminal that changes is for the caller to ask again: a signal for it would be one more handler.
//!
//! Source: POSIX.1-2017, `<signal.h>`, `<termios.h>`, pthread_sigmask(3), sigwait(3); tty_ioctl(2).
//! The C library's `sigset_t` is never looked into either. A signal that was ignored when the
//! process began (nohup, a background job of a plain shell) stays ignored.

#![allow(
    unsafe_code,
    reason = "signals and terminals are reachable through the C library only"
)]

use std::ffi::{c_int, c_ulong};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::thread::{JoinHandleExt, RawPthread};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::spawn::spawn;

/// A request to stop that comes from outside. The numbers are the same on every
/// Unix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// The terminal is gone.
    Hangup = 1,
    /// Ctrl-C.
    Interrupt = 2,
    /// Ctrl-\\.
    Quit = 3,
    /// `kill`.
    Terminate = 15,
}

/// Every signal that is watched for.
const SIGNALS: [Signal; 4] = [
    Signal::Hangup,
    Signal::Interrupt,
    Signal::Quit,
    Signal::Terminate,
];

/// Room for any system's `sigset_t`: glibc and musl use 128 bytes, macOS 4.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy)]
struct SignalSet([u8; 128]);

unsafe extern "C" {
    safe fn sigemptyset(set: &mut SignalSet) -> c_int;
    safe fn sigaddset(set: &mut SignalSet, signal: c_int) -> c_int;
    safe fn sigismember(set: &SignalSet, signal: c_int) -> c_int;
    safe fn sigpending(set: &mut SignalSet) -> c_int;
    safe fn sigwait(set: &SignalSet, signal: &mut c_int) -> c_int;
    safe fn pthread_sigmask(how: c_int, set: &SignalSet, old: Option<&mut SignalSet>) -> c_int;
    safe fn raise(signal: c_int) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn pthread_kill(thread: RawPthread, signal: c_int) -> c_int;

    fn tcgetattr(fd: c_int, termios: *mut Termios) -> c_int;
    fn tcsetattr(fd: c_int, action: c_int, termios: *const Termios) -> c_int;
    safe fn cfmakeraw(termios: &mut Termios);
    // Variadic in C and so here: Apple's arm64 passes variadic arguments on the stack, where a
    // fixed declaration would not put them.
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
}

/// `SIG_DFL` and `SIG_IGN`, the same on every Unix.
const DEFAULT_ACTION: usize = 0;
const IGNORE: usize = 1;

/// `SIG_BLOCK` and `SIG_UNBLOCK`: 0 and 1 on Linux but MIPS, 1 and 2 elsewhere.
const BLOCK: c_int = if LINUX_NUMBERS { 0 } else { 1 };
const UNBLOCK: c_int = BLOCK + 1;
const LINUX_NUMBERS: bool =
    cfg!(target_os = "linux") && !cfg!(any(target_arch = "mips", target_arch = "mips64"));

impl Signal {
    /// The number that kill(1) knows it by.
    pub(crate) fn number(self) -> c_int {
        self as c_int
    }

    /// What a shell reports for a process that died of it.
    pub(crate) fn exit_code(self) -> u8 {
        128 + self as u8
    }

    /// Its name, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
        }
    }

    fn from_number(number: c_int) -> Option<Self> {
        SIGNALS.into_iter().find(|signal| signal.number() == number)
    }

    /// Has no effect on this process from here on.
    pub(crate) fn ignore(self) {
        set_action(self, IGNORE);
    }

    /// Ends the process as the signal would have if no one had watched for it.
    pub(crate) fn die(self) {
        set_action(self, DEFAULT_ACTION);
        pthread_sigmask(UNBLOCK, &SignalSet::of(&[self]), None);
        raise(self.number());
    }
}

impl SignalSet {
    fn of(signals: &[Signal]) -> Self {
        let mut set = Self([0; 128]);
        sigemptyset(&mut set);
        for signal in signals {
            sigaddset(&mut set, signal.number());
        }
        set
    }
}

/// A thread that hands every signal to a callback, for as long as this lives.
///
/// Threads inherit the mask of the one that starts them, so a watch must begin
/// before the threads that are not to be disturbed.
#[derive(Debug)]
pub(crate) struct SignalWatch {
    thread: Option<JoinHandle<()>>,
    closing: Arc<AtomicBool>,
    signals: Vec<Signal>,
}

impl SignalWatch {
    /// Blocks the signals and starts the thread that takes them.
    pub(crate) fn start(mut on_signal: Box<dyn FnMut(Signal) + Send>) -> io::Result<Self> {
        let signals: Vec<Signal> = SIGNALS.into_iter().filter(|s| !is_ignored(*s)).collect();
        let set = SignalSet::of(&signals);
        pthread_sigmask(BLOCK, &set, None);
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let take_signals = move || {
            while let Some(signal) = wait(&set) {
                if closed.load(Ordering::SeqCst) {
                    break;
                }
                on_signal(signal);
            }
        };
        let thread = spawn("signals", Box::new(take_signals))?;
        Ok(Self {
            thread: Some(thread),
            closing,
            signals,
        })
    }
}

impl Drop for SignalWatch {
    /// Wakes the thread with one of its own signals and gives them all back.
    fn drop(&mut self) {
        let (Some(thread), Some(signal)) = (self.thread.take(), self.signals.first()) else {
            return;
        };
        self.closing.store(true, Ordering::SeqCst);
        // SAFETY: the thread has not been joined, so its ID is valid even if it
        // has returned already.
        unsafe { pthread_kill(thread.as_pthread_t(), signal.number()) };
        let _panicked = thread.join();
        pthread_sigmask(UNBLOCK, &SignalSet::of(&self.signals), None);
    }
}

/// Whether a signal has been sent that no thread has taken yet.
pub(crate) fn is_signal_waiting() -> bool {
    let mut pending = SignalSet([0; 128]);
    sigpending(&mut pending);
    let mut signals = SIGNALS.iter();
    signals.any(|signal| sigismember(&pending, signal.number()) == 1)
}

/// The next signal of `set`; `None` if there can be none.
fn wait(set: &SignalSet) -> Option<Signal> {
    let mut number = 0;
    match sigwait(set, &mut number) {
        0 => Signal::from_number(number),
        _ => None,
    }
}

/// There is no call that only asks, so the action is set and put back.
fn is_ignored(signal: Signal) -> bool {
    let before = set_action(signal, DEFAULT_ACTION);
    if before == IGNORE {
        set_action(signal, IGNORE);
    }
    before == IGNORE
}

fn set_action(which: Signal, action: usize) -> usize {
    // SAFETY: both actions passed here are constants of the C library and not
    // addresses of functions, so nothing of ours runs inside a handler.
    unsafe { signal(which.number(), action) }
}

/// Room for any system's `struct termios`: glibc writes 60 bytes, musl 36, macOS declares 72.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy)]
struct Termios([u8; 128]);

/// `struct winsize`, the same everywhere.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct WindowSize {
    rows: u16,
    columns: u16,
    _width_px: u16,
    _height_px: u16,
}

/// `TCSADRAIN`, the same on Linux but MIPS, and elsewhere: what was typed ahead is kept.
const AFTER_OUTPUT: c_int = 1;

/// `TIOCGWINSZ`, where it is known.
const GET_WINDOW_SIZE: Option<c_ulong> = if cfg!(all(
    target_os = "linux",
    any(
        target_arch = "x86",
        target_arch = "x86_64",
        target_arch = "arm",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "s390x",
        target_arch = "loongarch64"
    )
)) {
    Some(0x5413)
} else if cfg!(any(target_os = "macos", target_os = "freebsd")) {
    Some(0x4008_7468)
} else {
    None
};

/// A terminal that passes every key on as it is, until this is dropped.
#[derive(Debug)]
pub(crate) struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Makes a terminal raw.
    pub(crate) fn enter(terminal: BorrowedFd<'_>) -> io::Result<Self> {
        let terminal = terminal.try_clone_to_owned()?;
        let mut before = Termios([0; 128]);
        // SAFETY: the descriptor is open for as long as `terminal` lives, and `before` has more
        // room than any system's structure takes.
        check(unsafe { tcgetattr(terminal.as_raw_fd(), &raw mut before) })?;
        let mut raw = before;
        cfmakeraw(&mut raw);
        set_mode(&terminal, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _gone = set_mode(&self.terminal, &self.before);
    }
}

fn set_mode(terminal: &OwnedFd, mode: &Termios) -> io::Result<()> {
    // SAFETY: the descriptor is open, and `mode` was filled in by tcgetattr.
    check(unsafe { tcsetattr(terminal.as_raw_fd(), AFTER_OUTPUT, mode) })
}

/// The rows and columns of a terminal; `None` if it does not say.
pub(crate) fn window_size(terminal: BorrowedFd<'_>) -> Option<(u16, u16)> {
    let mut size = WindowSize::default();
    // SAFETY: the request is the one that fills in a `struct winsize`, which `size` is.
    check(unsafe { ioctl(terminal.as_raw_fd(), GET_WINDOW_SIZE?, &raw mut size) }).ok()?;
    (size.rows != 0 && size.columns != 0).then_some((size.rows, size.columns))
}

/// The error that a call of the C library left behind, if it failed.
fn check(returned: c_int) -> io::Result<()> {
    match returned {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than musl and glibc write, so that a larger set on a new system shows.
    #[test]
    fn the_c_library_stays_within_a_signal_set() {
        #[repr(C)]
        struct Guarded {
            set: SignalSet,
            guard: [u8; 64],
        }
        let mut guarded = Guarded {
            set: SignalSet([0xaa; 128]),
            guard: [0xaa; 64],
        };
        sigemptyset(&mut guarded.set);
        sigaddset(&mut guarded.set, Signal::Terminate.number());
        assert_eq!(guarded.guard, [0xaa; 64]);
    }

    #[test]
    fn what_is_no_terminal_has_no_mode_and_no_size() {
        use std::os::fd::AsFd;
        let null = std::fs::File::open("/dev/null").unwrap();
        assert!(RawMode::enter(null.as_fd()).is_err());
        assert_eq!(window_size(null.as_fd()), None);
    }

    #[test]
    fn exit_codes_are_the_shells() {
        let codes = SIGNALS.map(Signal::exit_code);
        assert_eq!(codes, [129, 130, 131, 143]);
    }
}
