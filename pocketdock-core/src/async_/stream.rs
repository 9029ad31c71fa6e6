//! [`AsyncExecStream`]: output as it arrives, without blocking whoever polls.
//!
//! A thread of the stream's own reads ahead by a few chunks, no further: a command whose output is
//! not taken waits, as it does on a pipe.

use std::collections::VecDeque;
use std::future;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use crate::async_::brake::Brake;
use crate::async_::operation::{self, Operation};
use crate::async_::orphans;
use crate::container::kill::{Scope, Signal};
use crate::container::patience::Patience;
use crate::container::result::ExecResult;
use crate::container::stream::{ExecHandle, ExecStream, StreamChunk};
use crate::error::{Error, Result};

/// How many chunks may wait to be taken.
const CHUNKS_MAX: usize = 8;

/// The output of a running command, in chunks as they arrive.
///
/// Dropping it before its end kills the command and everything that came from it, in the
/// background.
///
/// ```no_run
/// # async fn build(sandbox: pocketdock_core::async_::AsyncContainer)
/// #     -> pocketdock_core::Result<()> {
/// let mut log = sandbox.exec("make").stream().await?;
/// while let Some(chunk) = log.next().await {
///     print!("{}", chunk?.text());
/// }
/// assert!(log.result().await?.ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncExecStream {
    shared: Arc<Shared>,
    /// There until the end has been taken.
    thread: Option<JoinHandle<()>>,
    handle: ExecHandle,
    id: String,
    /// How the command ended, once the last chunk has been taken.
    result: Option<Result<ExecResult>>,
}

/// What the stream and its thread share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Tells the thread that a chunk was taken, or that nobody will take any more.
    taken: Condvar,
    brake: Brake,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Result<StreamChunk>>,
    end: Option<thread::Result<Result<ExecResult>>>,
    waker: Option<Waker>,
}

impl AsyncExecStream {
    /// Begins to read ahead.
    pub(super) fn start(stream: ExecStream) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let (handle, id) = (stream.handle(), stream.id().to_owned());
        let abandoner = stream.abandoner();
        shared.brake.wake_by(Box::new(move || abandoner.abandon()));
        let reader = Arc::clone(&shared);
        let thread = operation::spawn(move || reader.read(stream))?;
        Ok(AsyncExecStream {
            shared,
            thread: Some(thread),
            handle,
            id,
            result: None,
        })
    }

    /// A way to send signals to the command; its calls block.
    #[must_use]
    pub fn handle(&self) -> ExecHandle {
        self.handle.clone()
    }

    /// As [`ExecHandle::kill`].
    pub fn kill(&self, signal: Signal, scope: Scope) -> Operation<()> {
        let handle = self.handle.clone();
        Operation::new(move || handle.kill(signal, scope))
    }

    /// The engine's ID of the exec instance.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next chunk; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// As [`ExecStream`]'s, which is the last item then.
    pub async fn next(&mut self) -> Option<Result<StreamChunk>> {
        future::poll_fn(|context| self.poll_next(context)).await
    }

    /// As [`next`](Self::next), for adapters to the stream traits of other crates.
    ///
    /// ```
    /// use std::pin::Pin;
    /// use std::task::{Context, Poll};
    /// use pocketdock_core::{Result, StreamChunk, async_::AsyncExecStream};
    ///
    /// struct Chunks(AsyncExecStream); // As `Stream` of the crate futures has it:
    ///
    /// impl Chunks {
    ///     fn poll_next(
    ///         mut self: Pin<&mut Self>,
    ///         context: &mut Context<'_>,
    ///     ) -> Poll<Option<Result<StreamChunk>>> {
    ///         self.0.poll_next(context)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<StreamChunk>>> {
        if self.thread.is_none() {
            return Poll::Ready(None);
        }
        // Made and dropped while the lock is not held: both may be anybody's code.
        let waker = context.waker().clone();
        let mut state = self.shared.state();
        if let Some(chunk) = state.chunks.pop_front() {
            self.shared.taken.notify_one();
            return Poll::Ready(Some(chunk));
        }
        let Some(end) = state.end.take() else {
            let before = state.waker.replace(waker);
            drop(state);
            drop(before);
            return Poll::Pending;
        };
        drop(state);
        self.thread
            .take()
            .into_iter()
            .for_each(orphans::leave_ended);
        self.result = Some(end.unwrap_or_else(|panic| panic::resume_unwind(panic)));
        Poll::Ready(None)
    }

    /// How the command ended, without output. Chunks that were not taken are dropped.
    ///
    /// # Errors
    ///
    /// As [`ExecStream::result`].
    pub async fn result(mut self) -> Result<ExecResult> {
        while let Some(chunk) = self.next().await {
            chunk?;
        }
        self.result.take().unwrap_or_else(|| Err(failed_before()))
    }
}

fn failed_before() -> Error {
    Error::SocketCommunication {
        endpoint: "POST /exec/…/start".to_owned(),
        reason: "the stream has failed before".to_owned(),
        output: Box::default(),
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic is done while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does, to the end of the command or until nobody takes its output.
    fn read(&self, stream: ExecStream) {
        let handle = stream.handle();
        let end = panic::catch_unwind(AssertUnwindSafe(|| self.pass_on(stream)));
        if self.brake.is_over() {
            // Nobody is left to be told; what cannot be reached is gone with its sandbox.
            let _killed = handle.kill(Signal::KILL, Scope::Tree);
            return;
        }
        let mut state = self.state();
        state.end = Some(end);
        wake(state);
    }

    /// Passes the chunks on. The stream is gone afterwards, and with it its hold on the sandbox.
    fn pass_on(&self, mut stream: ExecStream) -> Result<ExecResult> {
        for chunk in &mut stream {
            let state = self.state();
            let mut state = self
                .taken
                .wait_while(state, |state| {
                    CHUNKS_MAX <= state.chunks.len() && !self.brake.is_over()
                })
                .unwrap_or_else(PoisonError::into_inner);
            state.chunks.push_back(chunk);
            wake(state);
            if self.brake.is_over() {
                break;
            }
        }
        stream.result()
    }
}

/// Lets go of the lock and wakes whoever polled last.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Drop for AsyncExecStream {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        let mut state = self.shared.state();
        state.waker = None;
        if state.end.is_some() {
            drop(state);
            orphans::leave_ended(thread);
            return;
        }
        self.shared.brake.pull();
        drop(state);
        self.shared.taken.notify_all();
        thread.thread().unpark();
        orphans::leave_busy(thread);
    }
}
