//! [`Operation`]: a blocking call as a future.
//!
//! ```text
//! Idle ──first poll──> Running ──call returns──> Done ──polled──> Over
//!                         └────────dropped─────────┴──> undone by the thread, or by a new one
//! ```

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use crate::async_::brake::Brake;
use crate::async_::orphans;
use crate::error::Result;
use crate::host;

/// A call to the engine as a future; it begins when it is first polled.
///
/// Polled again after its end it stays pending. See the [module](crate::async_) for what becomes
/// of one that is dropped.
///
/// ```no_run
/// use pocketdock_core::async_::{AsyncEngine, Operation};
///
/// # async fn example() -> pocketdock_core::Result<()> {
/// let detection: Operation<AsyncEngine> = AsyncEngine::detect(); // Nothing has happened yet.
/// let engine = detection.await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "futures do nothing unless polled"]
pub struct Operation<T: Send + 'static> {
    stage: Stage<T>,
    /// What is to be done with a result that nobody takes; it may block.
    undo: Option<fn(T)>,
}

type Call<T> = Box<dyn FnOnce(&Brake) -> Result<T> + Send>;

enum Stage<T> {
    Idle(Call<T>),
    Running {
        shared: Arc<Shared<T>>,
        thread: JoinHandle<()>,
    },
    Over,
}

/// What the future and its thread share.
struct Shared<T> {
    state: Mutex<State<T>>,
    brake: Brake,
}

enum State<T> {
    /// The waker of whoever polled last.
    Running(Option<Waker>),
    /// The call has returned, or panicked.
    Done(thread::Result<Result<T>>),
    /// Nobody waits any more.
    Dropped,
}

impl<T: Send + 'static> Operation<T> {
    /// A call that is let run to its end when the future is dropped.
    pub(super) fn new(call: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self::with_brake(move |_| call())
    }

    /// A call that returns soon once the brake is pulled.
    pub(super) fn with_brake(call: impl FnOnce(&Brake) -> Result<T> + Send + 'static) -> Self {
        Operation {
            stage: Stage::Idle(Box::new(call)),
            undo: None,
        }
    }

    /// Does this with a result that nobody takes instead of just dropping it.
    pub(super) fn or_undo(mut self, undo: fn(T)) -> Self {
        self.undo = Some(undo);
        self
    }
}

impl<T: Send + 'static> Future for Operation<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let undo = self.undo;
        let waker = context.waker();
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Idle(call) => match start(call, undo, waker.clone()) {
                Ok(running) => self.stage = running,
                Err(error) => return Poll::Ready(Err(error)),
            },
            Stage::Running { shared, thread } => match shared.take_or_wake(waker) {
                Some(outcome) => {
                    orphans::leave_ended(thread);
                    let outcome = outcome.unwrap_or_else(|panic| panic::resume_unwind(panic));
                    return Poll::Ready(outcome);
                }
                None => self.stage = Stage::Running { shared, thread },
            },
            Stage::Over => {}
        }
        Poll::Pending
    }
}

impl<T: Send + 'static> Drop for Operation<T> {
    fn drop(&mut self) {
        let Stage::Running { shared, thread } = mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        let state = mem::replace(&mut *shared.state(), State::Dropped);
        match (state, self.undo) {
            (State::Running(_), _) => {
                shared.brake.pull();
                thread.thread().unpark();
                orphans::leave_busy(thread);
            }
            (State::Done(Ok(Ok(value))), Some(undo)) => {
                orphans::leave_ended(thread);
                undo_elsewhere(value, undo);
            }
            (State::Done(_) | State::Dropped, _) => orphans::leave_ended(thread),
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Idle(_) => "idle",
            Stage::Running { .. } => "running",
            Stage::Over => "over",
        };
        f.debug_tuple("Operation").field(&stage).finish()
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic is done while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome, if there is one; else `waker` is the one to wake.
    fn take_or_wake(&self, waker: &Waker) -> Option<thread::Result<Result<T>>> {
        // Made before and dropped after the lock is held: both may be anybody's code.
        let waker = Some(waker.clone());
        let mut state = self.state();
        match mem::replace(&mut *state, State::Dropped) {
            State::Done(outcome) => Some(outcome),
            State::Running(before) => {
                *state = State::Running(waker);
                drop(state);
                drop(before);
                None
            }
            State::Dropped => None,
        }
    }

    /// Hands the outcome to the future and wakes it, or back if there is none any more.
    fn finish(&self, outcome: thread::Result<Result<T>>) -> Option<thread::Result<Result<T>>> {
        let mut state = self.state();
        let State::Running(waker) = &mut *state else {
            return Some(outcome);
        };
        let waker = waker.take();
        *state = State::Done(outcome);
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        None
    }
}

fn start<T: Send + 'static>(call: Call<T>, undo: Option<fn(T)>, waker: Waker) -> Result<Stage<T>> {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::Running(Some(waker))),
        brake: Brake::default(),
    });
    let driver = Arc::clone(&shared);
    let thread = spawn(move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| call(&driver.brake)));
        if let Some(Ok(Ok(value))) = driver.finish(outcome) {
            undo.unwrap_or(drop)(value);
        }
    })?;
    Ok(Stage::Running { shared, thread })
}

/// Holds a value whose last handle blocks when it is dropped, for handles that must not.
///
/// Whoever has a handle has an `Arc` of this as well and drops it after the handle; the last of
/// them drops the value on a thread of its own.
pub(super) struct DroppedElsewhere<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> DroppedElsewhere<T> {
    pub(super) fn new(value: T) -> Arc<Self> {
        Arc::new(DroppedElsewhere(Some(value)))
    }
}

impl<T: Send + 'static> Drop for DroppedElsewhere<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            undo_elsewhere(value, drop);
        }
    }
}

impl<T: Send + 'static> fmt::Debug for DroppedElsewhere<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DroppedElsewhere")
    }
}

/// Does something that blocks with a value that nobody waits for, on a thread of its own.
fn undo_elsewhere<T: Send + 'static>(value: T, undo: fn(T)) {
    let value = Arc::new(Mutex::new(Some(value)));
    let undo = {
        let value = Arc::clone(&value);
        move || {
            let value = value.lock().unwrap_or_else(PoisonError::into_inner).take();
            value.into_iter().for_each(undo);
        }
    };
    match spawn(undo.clone()) {
        Ok(thread) => orphans::leave_busy(thread),
        // Late is better than never.
        Err(_) => undo(),
    }
}

pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    host::spawn("pocketdock-async", move || {
        orphans::mark_driver();
        work();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_goes_on_in_who_polls() {
        let mut operation = Box::pin(Operation::<()>::new(|| panic!("on purpose")));
        let mut context = Context::from_waker(Waker::noop());
        let panic = panic::catch_unwind(AssertUnwindSafe(|| {
            while operation.as_mut().poll(&mut context).is_pending() {
                thread::yield_now();
            }
        }));
        let panic = panic.unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    }
}
