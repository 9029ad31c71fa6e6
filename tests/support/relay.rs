//! A socket between the library and a real engine, on which one answer goes wrong.
//!
//! A [`Relay`] passes everything on, connection by connection, and knows of each how long its
//! answer was and where the head of that ended. Once [`armed`](Relay::arm) with a [`Fault`], it
//! spoils one answer, from one byte on, or is no engine any more from there.
//!
//! Connections are numbered as they come, from 0 since the relay was armed.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::scratch::Scratch;

const BUFFER_LEN: usize = 64 * 1024;

/// What goes wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The connection is closed.
    Cut,
    /// Nothing more is said.
    Hang,
    /// Every byte is another one.
    Garbage,
    /// All of it is an error of the engine's.
    Refused,
    /// The connection is closed, and so is every one that comes later.
    Dead,
    /// Nothing more is said, on this connection and on any that comes later.
    Frozen,
}

/// One answer that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub wrong: Wrong,
    /// The number of the connection.
    pub connection: usize,
    /// How many bytes of its answer are passed on before.
    pub after: usize,
}

/// An answer that was passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    pub len: usize,
    /// Where its head ends; 0 if it has not.
    pub head_len: usize,
    /// Whether what follows is a command's output or an archive: bytes that may be anything.
    pub is_stream: bool,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    /// Whether the fault has been met.
    met: bool,
    /// Counts how often the relay was armed: a connection from before has no fault.
    era: usize,
    answers: Vec<Answer>,
    open: usize,
    stopped: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The socket, and the threads behind it.
pub struct Relay {
    socket: PathBuf,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    _scratch: Scratch,
}

impl Relay {
    /// A way to the engine at this socket, without a fault.
    pub fn to(engine: &Path) -> Self {
        let scratch = Scratch::new();
        let socket = scratch.join("relay.sock");
        let listener = UnixListener::bind(&socket).expect("listen on a scratch socket");
        let shared = Arc::new(Shared::default());
        let acceptor = thread::spawn({
            let (shared, engine) = (Arc::clone(&shared), engine.to_owned());
            move || accept(&listener, &engine, &shared)
        });
        Relay {
            socket,
            shared,
            acceptor: Some(acceptor),
            _scratch: scratch,
        }
    }

    /// The socket to connect to.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// From now on this goes wrong, once; and connections are counted anew. What hangs is closed.
    pub fn arm(&self, fault: Option<Fault>) {
        let mut state = self.shared.state();
        state.fault = fault;
        state.met = false;
        state.era += 1;
        state.answers.clear();
        self.shared.changed.notify_all();
    }

    /// Whether what was to go wrong has.
    pub fn has_gone_wrong(&self) -> bool {
        self.shared.state().met
    }

    /// The answers since the relay was armed.
    pub fn answers(&self) -> Vec<Answer> {
        self.shared.state().answers.clone()
    }

    /// Waits until all connections are closed; whether that was in time.
    pub fn is_idle_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.state();
        while 0 < state.open {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
        // The acceptor waits in accept(); one more connection makes it look.
        drop(UnixStream::connect(&self.socket));
        if let Some(acceptor) = self.acceptor.take() {
            let _panic = acceptor.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the relay is armed anew or stopped, or the client has closed.
    fn wait_for_next_era(&self, era: usize, client: &UnixStream) {
        let mut state = self.state();
        while state.era == era && !state.stopped && is_open(client) {
            let tick = Duration::from_millis(5);
            let waited = self.changed.wait_timeout(state, tick);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn accept(listener: &UnixListener, engine: &Path, shared: &Arc<Shared>) {
    loop {
        let (client, _) = listener.accept().expect("accept a connection");
        let mut state = shared.state();
        if state.stopped {
            return;
        }
        let at = (state.era, state.answers.len());
        state.answers.push(Answer::default());
        state.open += 1;
        let gone = state.fault.filter(|_| state.met).map(|fault| fault.wrong);
        drop(state);
        let (shared, engine) = (Arc::clone(shared), engine.to_owned());
        thread::spawn(move || {
            match gone {
                Some(Wrong::Dead) => {}
                Some(Wrong::Frozen) => shared.wait_for_next_era(at.0, &client),
                _ => {
                    // An error is a side that has hung up, as is its right.
                    let _ended = Connection {
                        shared: &shared,
                        at,
                    }
                    .pass(&client, &engine);
                }
            }
            let mut state = shared.state();
            state.open -= 1;
            shared.changed.notify_all();
        });
    }
}

/// Passes on what comes until nothing more does.
fn copy(mut from: &UnixStream, mut to: &UnixStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_LEN];
    while let n @ 1.. = from.read(&mut buffer)? {
        to.write_all(&buffer[..n])?;
    }
    Ok(())
}

/// Whether the other side takes anything still. Sending nothing tells (unix(7), EPIPE).
fn is_open(mut socket: &UnixStream) -> bool {
    socket.write(&[]).is_ok()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

struct Connection<'a> {
    shared: &'a Shared,
    /// The era, and the number in it.
    at: (usize, usize),
}

/// What becomes of a piece of an answer.
enum Verdict {
    Pass(usize),
    Spoil(usize, Wrong),
}

impl Connection<'_> {
    fn pass(&self, client: &UnixStream, engine: &Path) -> io::Result<()> {
        let engine = UnixStream::connect(engine)?;
        let is_over = AtomicBool::new(false);
        let (over, engine) = (&is_over, &engine);
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ended = copy(client, engine);
                let _gone = engine.shutdown(Shutdown::Write);
                // That was half of the connection; when it is all of it, nobody waits any more.
                while !over.load(Ordering::Relaxed) && is_open(client) {
                    thread::sleep(Duration::from_millis(5));
                }
                let _gone = engine.shutdown(Shutdown::Both);
            });
            let passed = self.answer(client, engine);
            over.store(true, Ordering::Relaxed);
            let _gone = client.shutdown(Shutdown::Both);
            let _gone = engine.shutdown(Shutdown::Both);
            passed
        })
    }

    fn answer(&self, mut client: &UnixStream, mut engine: &UnixStream) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_LEN];
        let mut head = Vec::new();
        loop {
            let n = engine.read(&mut buffer)?;
            if n == 0 {
                // A frozen end is met by whoever waits for it.
                if let Verdict::Spoil(_, wrong) = self.verdict(1, true) {
                    return self.spoil(client, wrong);
                }
                return Ok(());
            }
            let piece = &mut buffer[..n];
            match self.verdict(n, false) {
                Verdict::Pass(len_before) => {
                    if !head.ends_with(b"\r\n\r\n") {
                        self.note_head(&mut head, piece, len_before);
                    }
                    client.write_all(piece)?;
                }
                Verdict::Spoil(good, wrong) => {
                    let (good, bad) = piece.split_at_mut(good);
                    client.write_all(good)?;
                    if wrong != Wrong::Garbage {
                        return self.spoil(client, wrong);
                    }
                    bad.iter_mut().for_each(|byte| *byte ^= 0x5a);
                    client.write_all(bad)?;
                    while let n @ 1.. = engine.read(&mut buffer)? {
                        buffer[..n].iter_mut().for_each(|byte| *byte ^= 0x5a);
                        client.write_all(&buffer[..n])?;
                    }
                    return Ok(());
                }
            }
        }
    }

    fn note_head(&self, head: &mut Vec<u8>, piece: &[u8], len_before: usize) {
        for (at, byte) in piece.iter().enumerate() {
            head.push(*byte);
            if head.ends_with(b"\r\n\r\n") {
                let mut state = self.shared.state();
                if let Some(answer) = self.answer_in(&mut state) {
                    answer.head_len = len_before + at + 1;
                    answer.is_stream =
                        contains(head, b"-stream\r\n") || contains(head, b"x-tar\r\n");
                }
                return;
            }
        }
    }

    fn answer_in<'s>(&self, state: &'s mut State) -> Option<&'s mut Answer> {
        let (era, number) = self.at;
        (era == state.era).then(|| state.answers.get_mut(number))?
    }

    /// Counts `len` more bytes, or the end; what is to become of them.
    fn verdict(&self, len: usize, is_end: bool) -> Verdict {
        let mut state = self.shared.state();
        let (fault, met) = (state.fault, state.met);
        let Some(answer) = self.answer_in(&mut state) else {
            return Verdict::Pass(0);
        };
        let before = answer.len;
        let is_due =
            |fault: &Fault| fault.connection == self.at.1 && !met && fault.after < before + len;
        let Some(fault) = fault.filter(is_due) else {
            answer.len += if is_end { 0 } else { len };
            return Verdict::Pass(before);
        };
        state.met = true;
        Verdict::Spoil(fault.after.saturating_sub(before), fault.wrong)
    }

    fn spoil(&self, mut client: &UnixStream, wrong: Wrong) -> io::Result<()> {
        match wrong {
            Wrong::Cut | Wrong::Dead | Wrong::Garbage => Ok(()),
            Wrong::Hang | Wrong::Frozen => {
                self.shared.wait_for_next_era(self.at.0, client);
                Ok(())
            }
            Wrong::Refused => {
                let body = r#"{"message":"the engine has had enough"}"#;
                write!(
                    client,
                    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
            }
        }
    }
}
