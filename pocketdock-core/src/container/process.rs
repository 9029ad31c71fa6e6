//! A command that runs while its maker goes on: [`Process`].
//!
//! A reader thread of its own takes the output as it comes and gives a copy each to the callbacks
//! and to the ring buffer. It ends with the command; dropping the last handle ends it, too, and
//! waits for it, while the command goes on unobserved.
//!
//! ```text
//! Running ──command ends──> Ended(result without output)
//!    └─────engine or container gone──> Failed(error, taken by whoever waits first)
//! ```

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use crate::container::attached::{Abandoner, Ended, Pace};
use crate::container::callbacks::{self, Callbacks, OnOutput};
use crate::container::exec::{Exec, Started};
use crate::container::handle::Container;
use crate::container::kill::{Scope, Signal};
use crate::container::output::{Splitters, StreamKind};
use crate::container::patience::{Endless, Patience, Wake};
use crate::container::record::RecordKind;
use crate::container::result::ExecResult;
use crate::container::ring::{BufferSnapshot, RingBuffer};
use crate::container::target::Target;
use crate::engine::exec;
use crate::error::{Error, Result};
use crate::host;

/// How much output is kept for reading unless told otherwise.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// use pocketdock_core::container::process::DEFAULT_BUFFER_LEN;
///
/// let chatty = sandbox.exec("make -j8").buffer_len(8 * DEFAULT_BUFFER_LEN).detach()?;
/// println!("{} bytes to read", chatty.buffer_size());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub const DEFAULT_BUFFER_LEN: usize = 1024 * 1024;

/// A command that runs in the background.
///
/// Cheap to clone and usable from any thread.
///
/// ```no_run
/// use pocketdock_core::{CreateOptions, Scope, Signal, create_new_container};
///
/// let sandbox = create_new_container(&CreateOptions::new())?;
/// let server = sandbox.exec(["python3", "-m", "http.server"]).detach()?;
/// server.on_stderr(|_id, piece| eprint!("{}", String::from_utf8_lossy(piece)));
/// server.kill(Signal::TERM, Scope::Tree)?;
/// assert_eq!(server.wait(None)?.exit_code, 143);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Process {
    owner: Arc<Owner>,
}

/// Joins the reader when the last handle goes.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    abandoner: Abandoner,
    reader_id: ThreadId,
    reader: Mutex<Option<JoinHandle<()>>>,
}

/// What the handles and the reader share.
#[derive(Debug)]
struct Shared {
    id: String,
    target: Target,
    callbacks: Callbacks,
    of_container: Arc<Callbacks>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    ring: RingBuffer,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Running,
    Ended(Ended),
    Failed(Option<Error>),
}

impl Exec {
    /// Starts the command and lets it run.
    ///
    /// A timeout applies only if it was set here: a command in the background may take as long
    /// as it will. `max_output` does not apply; see [`buffer_len`](Exec::buffer_len).
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let server = sandbox.exec(["python3", "-m", "http.server"]).detach()?;
    /// println!("{} runs: {}", server.id(), server.is_running()?);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Exec::run), as far as starting goes.
    pub fn detach(self) -> Result<Process> {
        let ring = RingBuffer::new(self.ring_len().unwrap_or(DEFAULT_BUFFER_LEN));
        let exec = self.without_default_timeout();
        let started = exec.start(Pace::DETACHED, RecordKind::Detach)?;
        let abandoner = started.attached.abandoner();
        let shared = Arc::new(Shared {
            id: started.attached.exec_id().to_owned(),
            target: started.attached.target().clone(),
            callbacks: Callbacks::default(),
            of_container: started.sandbox.callbacks(),
            state: Mutex::new(State {
                ring,
                outcome: Outcome::Running,
            }),
            changed: Condvar::new(),
        });
        let reader = host::spawn("pocketdock-process", {
            let shared = Arc::clone(&shared);
            move || shared.follow(started)
        })
        .inspect_err(|_| shared.target.call_off())?;
        Ok(Process {
            owner: Arc::new(Owner {
                shared,
                abandoner,
                reader_id: reader.thread().id(),
                reader: Mutex::new(Some(reader)),
            }),
        })
    }
}

impl Process {
    fn shared(&self) -> &Shared {
        &self.owner.shared
    }

    /// The engine's ID of the exec instance.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared().id
    }

    /// Whether the command runs, asked of the engine.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let process = sandbox.exec("make").detach()?;
    /// println!("it runs: {}", process.is_running()?);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Engine`] and the errors of the connection. A command whose container is gone does
    /// not run.
    pub fn is_running(&self) -> Result<bool> {
        let Shared { target, id, .. } = self.shared();
        Ok(exec::inspect(&target.client, id)?.is_some_and(|state| state.running))
    }

    /// The result if the command has ended, with the output that was not read yet.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let process = sandbox.exec("make").detach()?;
    /// match process.try_wait()? {
    ///     Some(result) => println!("it ended with {}", result.exit_code),
    ///     None => println!("it runs"),
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn try_wait(&self) -> Result<Option<ExecResult>> {
        self.shared().state().take_result(self.id())
    }

    /// Waits for the end of the command and gives the result with the output that was not read
    /// yet, as far as the buffer has kept it; `dropped_len` counts what it has not.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let process = sandbox.exec("make").detach()?;
    /// use std::time::Duration;
    ///
    /// let result = process.wait(Some(Duration::from_secs(60)))?;
    /// print!("{}", result.stdout_text());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] once `timeout` has passed, which leaves the command alone;
    /// [`Error::ContainerGone`], [`Error::SocketCommunication`] if it can no longer be observed;
    /// [`Error::InvalidArgument`] in a callback of it that runs before its end.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<ExecResult> {
        self.wait_for(timeout, &Endless)
    }

    /// As [`wait`](Self::wait), until nobody waits any more, which looks like the timeout.
    pub(crate) fn wait_for(
        &self,
        timeout: Option<Duration>,
        patience: &dyn Patience,
    ) -> Result<ExecResult> {
        patience.wake_by(self.nudger());
        let shared = self.shared();
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = shared.state();
        loop {
            if let Some(result) = state.take_result(&shared.id)? {
                return Ok(result);
            }
            if thread::current().id() == self.owner.reader_id {
                return Err(callbacks::waits_for_itself("wait"));
            }
            let left = match patience.is_over() {
                true => Some(Duration::ZERO),
                false => deadline.map(|at| at.saturating_duration_since(Instant::now())),
            };
            state = match left {
                None => shared
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    return Err(Error::Timeout {
                        waiting_for: format!("the end of process {}", shared.id),
                        timeout: timeout.unwrap_or_default(),
                    });
                }
                Some(left) => {
                    let waited = shared.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// What lets those who wait ask whether they still should.
    fn nudger(&self) -> Wake {
        let shared = Arc::clone(&self.owner.shared);
        Box::new(move || {
            let _seen_by_all = shared.state();
            shared.changed.notify_all();
        })
    }

    /// Sends a signal to the command's own process or to it and everything that came from it.
    ///
    /// Processes that are gone already are no error.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// # let process = sandbox.exec("make").detach()?;
    /// use pocketdock_core::{Scope, Signal};
    ///
    /// process.kill(Signal::TERM, Scope::Tree)?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::ContainerNotFound`], [`Error::ContainerNotRunning`],
    /// [`Error::CommandNotExecutable`] if a process belongs to another user.
    pub fn kill(&self, signal: Signal, scope: Scope) -> Result<()> {
        self.shared().target.kill(signal, scope)
    }

    /// Takes the output that was not read yet out of the buffer.
    #[must_use]
    pub fn read(&self) -> BufferSnapshot {
        self.shared().state().ring.take()
    }

    /// The output that was not read yet; it stays in the buffer.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let job = sandbox.exec("make").detach()?;
    /// let so_far = job.peek();
    /// assert!(so_far.stdout.len() <= job.read().stdout.len()); // It was still there.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn peek(&self) -> BufferSnapshot {
        self.shared().state().ring.peek()
    }

    /// How many bytes are in the buffer, both streams together.
    #[must_use]
    pub fn buffer_size(&self) -> usize {
        self.shared().state().ring.len()
    }

    /// How many bytes were dropped because the buffer was full.
    #[must_use]
    pub fn buffer_overflow(&self) -> u64 {
        self.shared().state().ring.dropped_len()
    }

    /// Calls `callback` with each further piece of standard output, on the reader's thread.
    pub fn on_stdout(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.shared()
            .on_output(StreamKind::Stdout, Arc::new(callback));
    }

    /// Calls `callback` with each further piece of standard error, on the reader's thread.
    pub fn on_stderr(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.shared()
            .on_output(StreamKind::Stderr, Arc::new(callback));
    }

    /// Calls `callback` when the command ends: on the reader's thread, or at once on this one if
    /// it has ended.
    ///
    /// The result it gets has no output; [`read`](Self::read) has. A process that can no longer
    /// be observed never ends.
    pub fn on_exit(&self, callback: impl Fn(&str, &ExecResult) + Send + Sync + 'static) {
        let shared = self.shared();
        let state = shared.state();
        match state.outcome {
            Outcome::Running => shared.callbacks.add_exit(Arc::new(callback)),
            Outcome::Ended(ended) => {
                drop(state);
                shared
                    .callbacks
                    .contain(|| callback(&shared.id, &ended.into_result()));
            }
            Outcome::Failed(_) => {}
        }
    }

    /// How many of its callbacks have panicked.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// let job = sandbox.exec("make").detach()?;
    /// job.on_stdout(|_id, piece| assert!(piece.is_ascii()));
    /// job.wait(None)?;
    /// println!("{} pieces were not ASCII", job.callback_panics());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn callback_panics(&self) -> u64 {
        self.shared().callbacks.panics() + self.shared().of_container.panics()
    }
}

impl Container {
    /// Calls `callback` with each further piece of standard output of every process that is
    /// detached through this handle or a clone of it.
    ///
    /// A callback is kept until the sandbox is [shut down](Self::shutdown). One that holds a handle
    /// of this sandbox keeps a guarded one until then, too: dropping the others removes nothing.
    ///
    /// ```no_run
    /// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
    /// sandbox.on_stdout(|id, piece| println!("{id}: {}", String::from_utf8_lossy(piece)));
    /// sandbox.on_stderr(|id, piece| eprintln!("{id}: {}", String::from_utf8_lossy(piece)));
    /// sandbox.on_exit(|id, result| println!("{id} has ended with {}", result.exit_code));
    /// for job in ["make docs", "make test"] {
    ///     sandbox.exec(job).detach()?;
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    pub fn on_stdout(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.callbacks()
            .add_output(StreamKind::Stdout, Arc::new(callback));
    }

    /// The same for standard error.
    pub fn on_stderr(&self, callback: impl Fn(&str, &[u8]) + Send + Sync + 'static) {
        self.callbacks()
            .add_output(StreamKind::Stderr, Arc::new(callback));
    }

    /// Calls `callback` at the end of every process that is detached through this handle or a
    /// clone of it.
    pub fn on_exit(&self, callback: impl Fn(&str, &ExecResult) + Send + Sync + 'static) {
        self.callbacks().add_exit(Arc::new(callback));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held: callbacks run without it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a callback unless there is nothing more to come.
    fn on_output(&self, stream: StreamKind, callback: OnOutput) {
        let state = self.state();
        if let Outcome::Running = state.outcome {
            self.callbacks.add_output(stream, callback);
        }
    }

    /// The reader's work, to the end of the command.
    fn follow(&self, mut started: Started) {
        let mut text = Splitters::default();
        let outcome = started.finish(&mut |stream, piece| {
            self.take_in(stream, &text.push(stream, piece));
        });
        for (stream, rest) in text.finish() {
            self.take_in(stream, &rest);
        }
        // Its connection and its hold on the sandbox go before anybody hears of the end.
        drop(started);
        let ended = match outcome {
            Ok(ended) => {
                self.state().outcome = Outcome::Ended(ended);
                Some(ended)
            }
            Err(error) => {
                self.state().outcome = Outcome::Failed(Some(error));
                None
            }
        };
        self.changed.notify_all();
        if let Some(ended) = ended {
            let result = ended.into_result();
            self.callbacks.exit(&self.id, &result);
            self.of_container.exit(&self.id, &result);
        }
        self.callbacks.clear();
    }

    fn take_in(&self, stream: StreamKind, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.state().ring.push(stream, piece);
        self.callbacks.output(&self.id, stream, piece);
        self.of_container.output(&self.id, stream, piece);
    }
}

impl State {
    fn take_result(&mut self, id: &str) -> Result<Option<ExecResult>> {
        match &mut self.outcome {
            Outcome::Running => Ok(None),
            Outcome::Ended(ended) => {
                let dropped_len = self.ring.dropped_len();
                let BufferSnapshot { stdout, stderr } = self.ring.take();
                Ok(Some(ExecResult {
                    stdout,
                    stderr,
                    dropped_len,
                    ..ended.into_result()
                }))
            }
            Outcome::Failed(error) => {
                let error = error.take().unwrap_or_else(|| Error::SocketCommunication {
                    endpoint: format!("POST /exec/{id}/start"),
                    reason: "its failure has been reported before".to_owned(),
                    output: Box::default(),
                });
                // What an error cannot carry can still be read.
                if error.partial_output().is_none() {
                    return Err(error);
                }
                let BufferSnapshot { stdout, stderr } = self.ring.take();
                Err(error.with_output(stdout, stderr))
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.abandoner.abandon();
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader.filter(|_| thread::current().id() != self.reader_id) {
            reader.thread().unpark();
            // A callback's panic has been contained; there is no other.
            let _panic = reader.join();
        }
    }
}
