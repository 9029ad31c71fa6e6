//! The reading from a resident shell, and the thread that does it most of the time.
//!
//! It takes the output apart and drives what has to be done on time: it begins queued commands,
//! makes a shell that has lost its place report, and asks the engine whether the shell is still
//! there, since the end of an exec's output may come seconds late. A caller who reads for a moment
//! (`seat.rs`) does no more than take the output apart.

use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::container::helper;
use crate::container::launch;
use crate::container::output::{Splitters, StreamKind, next_piece};
use crate::container::session::link::{ASK_TIMEOUT, Link};
use crate::container::session::state::Poll;
use crate::container::target::{AskPatience, Target};
use crate::engine::client::Streaming;
use crate::engine::deadline::Deadline;
use crate::engine::exec::{self, ExecConfig};
use crate::error::{Error, Result};
use crate::host;
use crate::wire::frame::Demuxer;

const BUFFER_LEN: usize = 64 * 1024;

/// The longest command that the reader writes by itself: less than an engine's socket holds.
const TEXT_LEN_AT_ONCE: usize = 16 * 1024;

/// How long to read on, in sum, after the shell has ended and something holds its output open.
const DRAIN_WAIT: Duration = Duration::from_millis(200);

/// How long the engine may take to say how a shell has ended whose output is closed.
pub(super) const FATE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a shell comes to that is killed. That may be the first sign of a container that stops, of
/// which an engine still says then that it runs.
const KILLED_EXIT_CODE: i32 = 137;

const FATE_POLL_FIRST: Duration = Duration::from_millis(2);
const FATE_POLL_MAX: Duration = Duration::from_millis(250);

/// What reading takes.
#[derive(Debug)]
pub(super) struct Reader {
    link: Arc<Link>,
    streaming: Streaming,
    buffer: Vec<u8>,
    /// What a caller's reading came to that is the thread's to deal with.
    failure: Option<Error>,
    /// Whether something has come that somebody may wait for.
    has_news: bool,
    /// Writes a long command.
    writer: Helper,
    /// Has a look at a silent one.
    looker: Helper,
    ask_patience: AskPatience,
    demuxer: Demuxer,
    text: Splitters,
}

/// A thread beside the reader, for what would keep it from reading. An error of it ends the shell.
#[derive(Debug, Default)]
struct Helper(Option<JoinHandle<()>>);

impl Helper {
    fn is_free(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Starts it, when what it did before is done.
    fn start(&mut self, link: &Arc<Link>, work: fn(&Link) -> Result<()>) -> Result<()> {
        self.join();
        let link = Arc::clone(link);
        self.0 = Some(host::spawn("pocketdock-shell", move || {
            if let Err(error) = work(&link) {
                link.fail(error);
            }
        })?);
        Ok(())
    }

    fn join(&mut self) {
        if let Some(thread) = self.0.take() {
            // It does nothing that panics.
            let _panic = thread.join();
        }
    }
}

/// What one look at the output has brought.
enum Step {
    Output,
    Nothing,
    End,
}

impl Reader {
    pub(super) fn new(link: Arc<Link>, streaming: Streaming) -> Self {
        Reader {
            link,
            streaming,
            buffer: vec![0; BUFFER_LEN],
            failure: None,
            has_news: false,
            writer: Helper::default(),
            looker: Helper::default(),
            ask_patience: AskPatience::first(),
            demuxer: Demuxer::default(),
            text: Splitters::default(),
        }
    }

    /// Ends a shell whose output has been read to its end, or until that failed.
    pub(super) fn end(&mut self, fate: Result<i32>) {
        let fate = match fate {
            Ok(exit_code) => self.check_launch(exit_code),
            Err(error) => Err(error),
        };
        self.link.end_record(fate.as_ref());
        self.link.state().close(fate);
        self.link.hang_up();
        self.link.changed.notify_all();
        self.writer.join();
        self.looker.join();
        self.let_go_of_callbacks();
    }

    /// Gives them what is left, and drops them: one that holds its own session, and with it the
    /// sandbox, would keep both alive for ever.
    fn let_go_of_callbacks(&mut self) {
        let Link {
            callbacks, target, ..
        } = &*self.link;
        for (stream, rest) in self.text.finish() {
            if !rest.is_empty() {
                callbacks.output(&target.exec_id, stream, &rest);
            }
        }
        callbacks.clear();
    }

    /// Waits for what comes next and does what is due; gives the shell's exit code at its end.
    pub(super) fn step(&mut self) -> Result<Option<i32>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let wait = self.link.state().wait().max(Duration::from_millis(1));
        match self.read(Deadline::after(wait))? {
            Step::End => return self.whole_fate().map(Some),
            // Output is no reason not to look: a job in the background may write for ever.
            Step::Output | Step::Nothing => {
                if self.poll()? {
                    self.drain()?;
                    return self.fate().map(Some);
                }
            }
        }
        self.go_on()?;
        Ok(None)
    }

    /// Whether something has come since this was asked that somebody may wait for.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// Reads once for a caller; whether there may be more to read. What else it comes to is left to
    /// the thread.
    pub(super) fn read_beside(&mut self, deadline: Deadline) -> bool {
        match self.read(deadline) {
            Ok(step) => !matches!(step, Step::End),
            Err(failure) => {
                self.failure = Some(failure);
                false
            }
        }
    }

    /// Begins the next command. A long one is written by another thread: an engine may stop
    /// taking input until the output of a job in the background has been read.
    fn go_on(&mut self) -> Result<()> {
        let is_long = {
            let state = self.link.state();
            state.wants_to_begin() && TEXT_LEN_AT_ONCE < state.next_len()
        };
        if !is_long {
            return self.link.go_on();
        }
        self.writer.start(&self.link, Link::go_on)
    }

    fn read(&mut self, deadline: Deadline) -> Result<Step> {
        self.streaming.body.connection_mut().set_deadline(deadline);
        match self.streaming.body.read(&mut self.buffer) {
            Ok(0) => Ok(Step::End),
            Ok(n) => {
                let buffer = std::mem::take(&mut self.buffer);
                let outcome = self.deliver(buffer.get(..n).unwrap_or_default());
                self.buffer = buffer;
                outcome.map(|()| Step::Output)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(Step::Nothing),
                // The engine, or we, have hung up; what the shell came to is asked for.
                _ => Ok(Step::End),
            },
        }
    }

    /// Takes what was read apart.
    fn deliver(&mut self, mut input: &[u8]) -> Result<()> {
        let mut news = false;
        while let Some((stream, piece)) =
            next_piece(&mut self.demuxer, &mut input, &self.streaming)?
        {
            news |= self.pass(stream, piece);
        }
        if news {
            self.has_news = true;
            self.link.changed.notify_all();
        }
        Ok(())
    }

    fn pass(&mut self, stream: StreamKind, piece: &[u8]) -> bool {
        let is_heard = self.link.callbacks.has_output();
        if !is_heard && !self.link.is_recorded() {
            return self.link.state().take_in(stream, piece, None);
        }
        let mut heard = Vec::new();
        let news = self.link.state().take_in(stream, piece, Some(&mut heard));
        self.link.with_record(|record| record.add(stream, &heard));
        if !is_heard {
            return news;
        }
        let whole = self.text.push(stream, &heard);
        if !whole.is_empty() {
            let id = &self.link.target.exec_id;
            self.link.callbacks.output(id, stream, &whole);
        }
        news
    }

    /// Does what is due; whether the shell turns out to have ended.
    fn poll(&mut self) -> Result<bool> {
        // The reader cannot wait for whoever writes, who may wait for it.
        let pen = match self.link.pen.try_lock() {
            Ok(pen) => pen,
            Err(TryLockError::Poisoned(pen)) => pen.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(false),
        };
        let poll = self.link.state().poll();
        if let Poll::Resync(text) = &poll {
            self.link.write(text);
        }
        drop(pen);
        match poll {
            Poll::Nothing | Poll::Resync(_) => Ok(false),
            Poll::Ask => self.ask(),
            Poll::Look => {
                // Beside the reading: a busy engine may take seconds.
                if self.looker.is_free() {
                    self.looker.start(&self.link, Link::look)?;
                }
                self.ask()
            }
        }
    }

    fn ask(&mut self) -> Result<bool> {
        let client = self.ask_patience.client(&self.link.target.client);
        let answer = exec::inspect(&client, &self.link.target.exec_id);
        self.ask_patience.learn(&answer);
        self.link.state().asked();
        match answer {
            Ok(Some(state)) if state.running => match self.link.container_error() {
                // The engine is busy with something else on this container.
                Some(Error::Timeout { .. }) | None => Ok(false),
                Some(error) => Err(error),
            },
            Ok(_) => Ok(true),
            Err(Error::Timeout { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads what the shell has left behind; something else may hold the output open for ever.
    fn drain(&mut self) -> Result<()> {
        let mut left = DRAIN_WAIT;
        while !left.is_zero() {
            let began = Instant::now();
            match self.read(Deadline::after(left))? {
                Step::Output => left = left.saturating_sub(began.elapsed()),
                Step::Nothing | Step::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// The same where the output must not have ended inside a frame: that is a connection that
    /// broke, which ends a shell, and what it was running has no result.
    fn whole_fate(&self) -> Result<i32> {
        let exit_code = self.fate()?;
        if self.demuxer.at_boundary() || self.link.closing.load(Ordering::Acquire) {
            return Ok(exit_code);
        }
        Err(self.streaming.failure(&io::ErrorKind::UnexpectedEof.into()))
    }

    /// How a shell has ended whose output has.
    fn fate(&self) -> Result<i32> {
        let deadline = Deadline::after(FATE_TIMEOUT);
        let mut interval = FATE_POLL_FIRST;
        loop {
            let found = exec::inspect(&self.link.client(), &self.link.target.exec_id)?;
            let code = found.and_then(|state| state.exit_code.filter(|_| !state.running));
            if code.is_some() || FATE_POLL_MAX <= interval {
                if let Some(error) = self.link.container_error() {
                    return Err(error);
                }
            }
            match code {
                Some(KILLED_EXIT_CODE) if !deadline.has_passed() && self.may_be_stopping() => {}
                Some(code) => return Ok(code),
                None if deadline.has_passed() => return Err(self.cut_short()),
                None => {}
            }
            // The engine has no way to call back. Whoever closes the shell unparks.
            thread::park_timeout(interval);
            interval = (interval * 2).min(FATE_POLL_MAX);
        }
    }

    /// Whether the container of a shell that was killed may be about to stop: nothing can be
    /// started in it any more.
    fn may_be_stopping(&self) -> bool {
        let Target {
            container, user, ..
        } = &self.link.target;
        let config = ExecConfig {
            command: ["sh", "-c", "echo alive"].map(str::to_owned).to_vec(),
            user: user.clone(),
            ..ExecConfig::default()
        };
        let answer = || {
            helper::answer(
                &self.link.client(),
                container,
                &config,
                "alive",
                ASK_TIMEOUT,
            )
        };
        !self.link.closing.load(Ordering::Acquire) && answer().is_err()
    }

    fn cut_short(&self) -> Error {
        Error::SocketCommunication {
            endpoint: self.streaming.endpoint.clone(),
            reason: "the output has ended, but the shell has not".to_owned(),
            output: Box::default(),
        }
    }

    /// Tells a shell that could not be started from one that has ended.
    fn check_launch(&self, exit_code: i32) -> Result<i32> {
        let state = self.link.state();
        if state.hello().is_some() {
            return Ok(exit_code);
        }
        let text = state.launch_text().to_vec();
        drop(state);
        let found = exec::inspect(&self.link.client(), &self.link.target.exec_id)?;
        let Link {
            command, target, ..
        } = &*self.link;
        let failure =
            found.and_then(|found| launch::failure(&found, &text, command, &target.container));
        let command = self.link.program.clone();
        Err(failure.unwrap_or_else(|| match exit_code {
            127 => Error::CommandNotFound { command },
            _ => Error::CommandNotExecutable {
                command,
                reason: format!(
                    "it ended with exit code {exit_code}: {}",
                    String::from_utf8_lossy(&text).trim().escape_debug()
                ),
            },
        }))
    }
}
