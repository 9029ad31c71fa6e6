//! Sandboxes that run before they are asked for: what `create` takes, and what `acquire` takes.
//!
//! Usage: `cargo run --release --example pool [IMAGE]`, with the image of the profile
//! minimal-python unless another one is named.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::time::{Duration, Instant};

use pocketdock_core::{ContainerPool, CreateOptions, Engine, Result};

/// The pool's size, and how often is measured.
const SIZE: usize = 4;

fn main() -> Result<()> {
    let mut options = CreateOptions::new();
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    let engine = Engine::detect()?;

    let mut created = Vec::new();
    let create = shortest_of(|| {
        created.push(engine.create(&options)?);
        Ok(())
    })?;

    let pool = ContainerPool::on(&engine, SIZE, options)?;
    pool.warm_up()?;
    let mut acquired = Vec::new();
    let acquire = shortest_of(|| {
        acquired.push(pool.acquire()?);
        Ok(())
    })?;
    for sandbox in &acquired {
        assert_eq!(sandbox.run("echo ready")?.stdout, b"ready\n");
    }
    println!(
        "create {create:?}, acquire {acquire:?}: {:.0} times faster",
        create.as_secs_f64() / acquire.as_secs_f64()
    );
    assert!(acquire * 20 < create);

    // Given back, they are removed, and others are started in their place.
    let first = acquired.first().map(|sandbox| sandbox.name().to_owned());
    drop(acquired);
    pool.warm_up()?;
    assert_ne!(Some(pool.acquire()?.name().to_owned()), first);
    pool.shutdown()
}

/// The shortest of as many calls as the pool is large, which other work disturbs the least.
fn shortest_of(mut call: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..SIZE {
        let began = Instant::now();
        call()?;
        shortest = shortest.min(began.elapsed());
    }
    Ok(shortest)
}
