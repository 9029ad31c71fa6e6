//! The same work in many places at once: a sandbox for each thread, one handle shared by several.
//!
//! Usage: `cargo run --example fan_out [IMAGE]`, with the image of the profile minimal-python
//! unless another one is named.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::{Container, CreateOptions, Engine, Error, Result};

/// How many sandboxes, and how many commands at a time in each.
const SANDBOXES: usize = 4;
const COMMANDS: usize = 3;

fn main() -> Result<()> {
    let mut options = CreateOptions::new();
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    let engine = Engine::detect()?;

    let began = Instant::now();
    let sandboxes = in_parallel(0..SANDBOXES, |_| engine.create(&options))?;
    println!("{SANDBOXES} sandboxes after {:?}", began.elapsed());

    let began = Instant::now();
    let jobs = (0..SANDBOXES * COMMANDS).zip(sandboxes.iter().cycle());
    let sums = in_parallel(jobs, |(n, sandbox)| sum_to(sandbox, n * 10))?;
    let took = began.elapsed();
    println!("{} commands of a second each took {took:?}", sums.len());

    let expected: Vec<_> = (0..sums.len())
        .map(|n| (n * 10) * (n * 10 + 1) / 2)
        .collect();
    assert_eq!(sums, expected);
    assert!(took < Duration::from_secs(8));
    Ok(())
}

/// Adds up the numbers to `n`, which takes a second.
fn sum_to(sandbox: &Container, n: usize) -> Result<usize> {
    let result = sandbox.run(format!("sleep 1; echo $(({n} * ({n} + 1) / 2))"))?;
    let text = result.stdout_text();
    text.trim().parse().map_err(|_| Error::InvalidArgument {
        what: "sum",
        value: text.into_owned(),
        expected: "expected a number".to_owned(),
    })
}

/// Does `work` for each item on a thread of its own; the results come in the items' order.
fn in_parallel<I: Send, T: Send>(
    items: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .into_iter()
            .map(|item| scope.spawn(move || work(item)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    })
}
