//! Two commands in two sandboxes at the same time, as futures, on an executor of a dozen lines.
//!
//! Any other executor does as well; none is needed to make the futures go.
//!
//! Usage: `cargo run --example async_two [IMAGE]`, with the image of the profile minimal-python
//! unless another one is named.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use pocketdock_core::async_::{AsyncContainer, create_new_container};
use pocketdock_core::{CreateOptions, ExecResult, Result};

fn main() -> Result<()> {
    let mut options = CreateOptions::new();
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    block_on(async {
        let (one, two) = both(
            create_new_container(&options),
            create_new_container(&options),
        )
        .await;
        let (one, two) = (one?, two?);

        let began = Instant::now();
        let (first, second) = both(sleep(&one), sleep(&two)).await;
        let took = began.elapsed();
        println!("'{}' and '{}' took {took:?}", text(&first?), text(&second?));
        assert!(took < Duration::from_millis(3500));

        let (first, second) = both(one.shutdown(true), two.shutdown(true)).await;
        first.and(second)
    })
}

async fn sleep(sandbox: &AsyncContainer) -> Result<ExecResult> {
    sandbox.run("sleep 2; echo rested in $(hostname)").await
}

fn text(result: &ExecResult) -> String {
    assert!(result.ok());
    result.stdout_text().trim().to_owned()
}

/// Runs two futures at the same time, to the end of both.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(|context| {
        if of_a.is_none() {
            of_a = ready(a.as_mut().poll(context));
        }
        if of_b.is_none() {
            of_b = ready(b.as_mut().poll(context));
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Polls on this thread, which sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
