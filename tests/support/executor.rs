//! The smallest executor: polls futures on the calling thread and parks in between.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that unparks the calling thread.
pub fn waker() -> Waker {
    Arc::new(Unpark(thread::current())).into()
}

/// Runs one future to its end.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, waker) = (pin!(future), waker());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

/// Runs all of them at the same time, to the end of the last.
pub fn join_all<F: Future + Unpin>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Some).collect();
    let mut outputs: Vec<_> = futures.iter().map(|_| None).collect();
    let waker = waker();
    loop {
        let mut context = Context::from_waker(&waker);
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            let Some(running) = future else { continue };
            if let Poll::Ready(value) = std::pin::Pin::new(running).poll(&mut context) {
                (*future, *output) = (None, Some(value));
            }
        }
        if futures.iter().all(Option::is_none) {
            return outputs.into_iter().flatten().collect();
        }
        thread::park();
    }
}

/// Polls once and says whether it is done.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let waker = waker();
    std::pin::Pin::new(future).poll(&mut Context::from_waker(&waker))
}

#[test]
fn futures_are_run_to_their_ends() {
    assert_eq!(block_on(async { 7 }), 7);
    assert_eq!(join_all([1, 2].map(std::future::ready)), [1, 2]);
}
