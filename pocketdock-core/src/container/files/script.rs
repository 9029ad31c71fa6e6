//! A script of ours in a sandbox: data on its stdout, what it says of itself on its stderr.
//!
//! What it says are lines that begin with `pd `; any other line of stderr is the word of a program
//! it has called. The two streams are not ordered against each other, and Docker may hold back the
//! end of a connection; so the data have to tell by themselves where they end.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::Shutdown;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::container::handle::Container;
use crate::container::kill::{Marks, Scope, Signal};
use crate::container::launch;
use crate::container::output::{StreamKind, next_piece};
use crate::container::target::Target;
use crate::engine::EngineKind;
use crate::engine::client::Streaming;
use crate::engine::containers;
use crate::engine::deadline::Deadline;
use crate::engine::exec::{self, ExecConfig};
use crate::error::{Error, Result};
use crate::wire::frame::Demuxer;

/// How much is read from the connection at a time.
const BUFFER_LEN: usize = 64 * 1024;

/// The longest line of stderr that is kept whole.
const LINE_LEN_MAX: usize = 4096;

/// How many lines of programs are kept: the last, which tell why it ended.
const NOTES_MAX: usize = 10;

/// What GNU tar says that takes nothing away from an archive: that a file was written to while it
/// was read, which cp(1) would not even notice, and that a socket is not in it, as none ever is.
/// That a file was gone or became shorter, and has zeros in its place, is another matter.
const HARMLESS: [&str; 2] = [": file changed as we read it", ": socket ignored"];

/// Why a file of the kernel's is not copied.
pub(crate) const MADE: &str = "the kernel makes its content as it is read; have a command print it";

/// How long the engine may take to know that a sandbox has gone whose script has ended.
const FATE_WITHIN: Duration = Duration::from_secs(2);
const FATE_POLL: Duration = Duration::from_millis(50);

/// How long ending a script that has not come to its end may take.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of the first output is kept, for the engine's reason why there is no script.
const FIRST_LEN_MAX: usize = 4096;

/// A running script.
#[derive(Debug)]
pub(crate) struct Script {
    target: Target,
    command: Vec<String>,
    streaming: Streaming,
    demuxer: Demuxer,
    buffer: Box<[u8]>,
    /// What of the buffer has not been taken apart yet.
    unparsed: Range<usize>,
    /// What of the buffer is data that nobody has taken yet.
    data: Range<usize>,
    /// The line of stderr that is not complete.
    line: Vec<u8>,
    said: VecDeque<String>,
    notes: VecDeque<String>,
    first: Vec<u8>,
    is_over: bool,
    /// Whether it has said its last words, or was killed.
    is_done: bool,
    /// Why it could not be read any more, if nobody has been told.
    failure: Option<Error>,
    /// How long what is waited for may take. Anything else that comes meanwhile does not stretch
    /// it: what runs in a sandbox may write for ever.
    patience: Duration,
    until: Deadline,
}

impl Script {
    /// Starts a script with its arguments, as this user or the sandbox's own.
    ///
    /// # Errors
    ///
    /// As [`exec::create`] and [`exec::start`].
    pub(crate) fn start(
        container: &Container,
        user: Option<&str>,
        text: &str,
        arguments: &[&str],
        stdin: bool,
    ) -> Result<Self> {
        let marks = Marks::random()?;
        let mut command = vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()];
        command.push("sh".to_owned());
        command.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let config = ExecConfig {
            command,
            env: vec![marks.variable(), "LC_ALL=C".to_owned()],
            workdir: Some("/".to_owned()),
            user: user.map(str::to_owned),
            stdin,
            ..ExecConfig::default()
        };
        let mut target = container.target(config.user.clone(), marks);
        target.create_exec(&config)?;
        let streaming =
            exec::start(&target.client, &target.exec_id, false).map_err(launch::start_error)?;
        Ok(Script {
            target,
            command: config.command,
            streaming,
            demuxer: Demuxer::default(),
            buffer: vec![0; BUFFER_LEN].into_boxed_slice(),
            unparsed: 0..0,
            data: 0..0,
            line: Vec::new(),
            said: VecDeque::new(),
            notes: VecDeque::new(),
            first: Vec::new(),
            is_over: false,
            is_done: false,
            failure: None,
            patience: container.client().timeout(),
            until: Deadline::NEVER,
        })
    }

    /// The connection, for its input.
    pub(crate) fn input(&self) -> Arc<UnixStream> {
        self.streaming.body.connection().share()
    }

    /// Waits for what it says next and gives the words behind `pd `; data on the way are dropped.
    ///
    /// # Errors
    ///
    /// The error it says; [`Error::CommandNotFound`] if there is no `sh`; if it ends without a word
    /// what has become of its sandbox, or [`Error::SocketCommunication`].
    pub(crate) fn hear(&mut self) -> Result<String> {
        self.until = Deadline::after(self.patience);
        loop {
            if let Some(words) = self.said.pop_front() {
                self.is_done = words.starts_with("done ") || words.starts_with("fail ");
                return match words.strip_prefix("fail ") {
                    Some(failure) => Err(said_error(failure)),
                    None => Ok(words),
                };
            }
            self.data = 0..0;
            if !self.pump()? {
                return Err(self.end_without_a_word());
            }
        }
    }

    /// Waits for its first data, which stay, or until it says that there will be none.
    ///
    /// # Errors
    ///
    /// As [`hear`](Self::hear).
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.until = Deadline::after(self.patience);
        while self.data.is_empty() && self.said.is_empty() {
            if !self.pump()? {
                return Err(self.end_without_a_word());
            }
        }
        let data = self.buffer.get(self.data.clone()).unwrap_or_default();
        let is_report =
            self.target.kind == EngineKind::Docker && launch::may_be_dockers(data, false);
        // Its last word may come before its first data.
        let has_failed = self.said.front().is_some_and(|it| it.starts_with("fail "));
        match is_report || has_failed {
            true => self.finish("start a script in the sandbox"),
            false => Ok(()),
        }
    }

    /// What it says in the end, after a reader has given up; data up to `len_max` are dropped.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish), and why it could not be read any more.
    pub(crate) fn last_words(&mut self, len_max: u64, doing: &str) -> Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.until = Deadline::after(self.patience);
        let mut dropped_len = 0;
        while self.said.is_empty() {
            dropped_len += self.data.len() as u64;
            self.data = 0..0;
            if len_max < dropped_len {
                return Ok(());
            }
            if !self.pump()? {
                return Err(self.end_without_a_word());
            }
        }
        self.finish(doing)
    }

    /// Waits for its last words; an error unless they are that all went well.
    ///
    /// # Errors
    ///
    /// As [`hear`](Self::hear), and [`Error::Io`] with what its programs said.
    pub(crate) fn finish(&mut self, doing: &str) -> Result<()> {
        match self.hear()?.strip_prefix("done ") {
            Some("0") => Ok(()),
            Some("changed") if self.notes.is_empty() => Ok(()),
            _ => Err(self.failed(doing)),
        }
    }

    fn failed(&self, doing: &str) -> Error {
        let notes: Vec<_> = self.notes.iter().map(String::as_str).collect();
        let reason = match notes.is_empty() {
            true => "it gave no reason".to_owned(),
            false => notes.join("; "),
        };
        let kind = match reason.contains("ermission denied") {
            true => io::ErrorKind::PermissionDenied,
            false => io::ErrorKind::Other,
        };
        Error::io(doing, io::Error::new(kind, reason))
    }

    /// The first file of the last that GNU tar could not read or not read whole.
    pub(crate) fn unread_file(&self) -> Option<&str> {
        let named = self.notes.front()?.strip_prefix("tar: ")?;
        Some(named.split_once(": ")?.0)
    }

    /// Ends it before its time, with all that it has started.
    pub(crate) fn kill(&mut self) {
        self.is_done = true;
        self.streaming.body.connection().shut_down();
        self.target.client = self.target.client.at_most(CLEANUP_TIMEOUT);
        // Best effort: it has lost its reader and goes with its sandbox at the latest.
        let _gone = self.target.kill(Signal::KILL, Scope::Tree);
    }

    /// Says that no more input comes.
    pub(crate) fn end_input(&self) {
        let _closed_already = self.input().shutdown(Shutdown::Write);
    }

    /// Takes in one piece of output; false at the end.
    fn pump(&mut self) -> Result<bool> {
        if self.unparsed.is_empty() && !self.refill()? {
            return Ok(false);
        }
        let buffer = std::mem::take(&mut self.buffer);
        let outcome = self.take_apart(&buffer);
        self.buffer = buffer;
        outcome.map(|()| true)
    }

    fn take_apart(&mut self, buffer: &[u8]) -> Result<()> {
        let mut input = buffer.get(self.unparsed.clone()).unwrap_or_default();
        let piece = next_piece(&mut self.demuxer, &mut input, &self.streaming)?;
        let start = self.unparsed.end - input.len();
        self.unparsed.start = start;
        let Some((stream, piece)) = piece else {
            return Ok(());
        };
        if self.first.len() < FIRST_LEN_MAX {
            let room = FIRST_LEN_MAX - self.first.len();
            let piece = piece.get(..room.min(piece.len())).unwrap_or_default();
            self.first.extend_from_slice(piece);
        }
        match stream {
            StreamKind::Stdout => self.data = start - piece.len()..start,
            StreamKind::Stderr => self.listen(piece),
        }
        Ok(())
    }

    fn refill(&mut self) -> Result<bool> {
        loop {
            if self.is_over {
                return Ok(false);
            }
            let connection = self.streaming.body.connection_mut();
            connection.set_deadline(self.until);
            match self.streaming.body.read(&mut self.buffer) {
                Ok(0) => self.is_over = true,
                Ok(n) => {
                    self.unparsed = 0..n;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Podman's way to end a stream whose input was not read.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.is_over = true,
                Err(error) => return Err(self.streaming.failure(&error)),
            }
        }
    }

    fn listen(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_LEN_MAX.saturating_sub(self.line.len());
            let kept = part.strip_suffix(b"\n").unwrap_or(part);
            let kept = kept.get(..room.min(kept.len())).unwrap_or_default();
            self.line.extend_from_slice(kept);
            if part.ends_with(b"\n") {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                self.line.clear();
                self.note(line);
            }
        }
    }

    fn note(&mut self, line: String) {
        match line.strip_prefix("pd ") {
            // A script has little to say; the sandbox may go on for ever.
            Some(words) if self.said.len() < NOTES_MAX => self.said.push_back(words.to_owned()),
            Some(_) => {}
            None if line.is_empty() || HARMLESS.iter().any(|it| line.ends_with(it)) => {}
            None => {
                self.notes.push_back(line);
                if NOTES_MAX < self.notes.len() {
                    self.notes.pop_front();
                }
            }
        }
    }

    fn end_without_a_word(&self) -> Error {
        let Target {
            client, container, ..
        } = &self.target;
        let state = match exec::inspect(client, &self.target.exec_id) {
            Ok(state) => state,
            Err(error) => return error,
        };
        let failure = state.and_then(|state| {
            launch::failure(&state, &self.first, &self.command, &self.target.name)
        });
        if let Some(failure) = failure {
            return failure;
        }
        let began = Instant::now();
        loop {
            let found = match containers::inspect(client, container) {
                Err(Error::ContainerNotFound { .. }) => return self.target.gone(),
                Err(error) => return error,
                Ok(found) => found,
            };
            if found.bool_at(&["State", "Running"]) == Some(false) {
                let status = found.str_at(&["State", "Status"]);
                return Error::ContainerNotRunning {
                    container: self.target.name.as_ref().to_owned(),
                    status: status.unwrap_or_default().to_owned(),
                    output: Box::default(),
                };
            }
            if FATE_WITHIN < began.elapsed() {
                return Error::SocketCommunication {
                    endpoint: self.streaming.endpoint.clone(),
                    reason: "the script in the sandbox was cut off".to_owned(),
                    output: Box::default(),
                };
            }
            thread::sleep(FATE_POLL);
        }
    }
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.until = Deadline::after(self.patience);
        while self.data.is_empty() {
            match self.pump() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    let kind = match error {
                        Error::Timeout { .. } => io::ErrorKind::TimedOut,
                        _ => io::ErrorKind::Other,
                    };
                    self.failure = Some(error);
                    return Err(kind.into());
                }
            }
        }
        let mut data = self.buffer.get(self.data.clone()).unwrap_or_default();
        let n = data.read(buffer)?;
        self.data.start += n;
        Ok(n)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if !self.is_done && !self.is_over {
            self.kill();
        }
    }
}

/// The error for what a script says in `WHY PATH`.
pub(crate) fn said_error(words: &str) -> Error {
    let (why, path) = words.split_once(' ').unwrap_or((words, ""));
    let path = PathBuf::from(path);
    match why {
        "missing" => Error::PathNotFound { path },
        "is_dir" => Error::IsADirectory { path },
        "not_dir" => Error::NotADirectory { path },
        "not_file" => Error::io(
            format!("read '{}' in the sandbox", path.display()),
            io::Error::other("it is no regular file"),
        ),
        "made" => Error::io(format!("copy '{}'", path.display()), io::Error::other(MADE)),
        "no_tar" => Error::CommandNotFound {
            command: "tar".to_owned(),
        },
        _ => Error::io(
            format!("use '{}' in the sandbox", path.display()),
            io::ErrorKind::PermissionDenied.into(),
        ),
    }
}
