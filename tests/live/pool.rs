//! Sandboxes that run before they are asked for.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::containers;
use pocketdock_core::{ContainerPool, Error};

use crate::fixture::{Live, eventually_none};

/// More than any engine takes to start a sandbox on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn warm(live: &Live, size: usize) -> ContainerPool {
    let pool = ContainerPool::on(live.engine(), size, live.unnamed_options()).unwrap();
    pool.warm_up().unwrap();
    pool
}

/// The shortest of a few times, which other tests on this machine disturb the least.
fn shortest(times: impl Iterator<Item = Duration>) -> Duration {
    times.min().unwrap()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let began = Instant::now();
    let output = work();
    (began.elapsed(), output)
}

#[test]
fn a_warm_sandbox_is_at_hand_twenty_times_faster() {
    let Some(live) = Live::begin() else { return };
    let create: Vec<_> = (0..4).map(|_| timed(|| live.sandbox())).collect();
    let create = shortest(create.into_iter().map(|(time, _)| time));
    let pool = warm(&live, 2).reuse();
    let acquire = (0..100).map(|_| timed(|| pool.acquire().unwrap()).0);
    let acquire = shortest(acquire);
    assert!(acquire * 20 <= create, "{acquire:?} against {create:?}");
    let sandbox = pool.acquire().unwrap();
    assert_eq!(sandbox.run("echo ready").unwrap().stdout, b"ready\n");
}

#[test]
fn whoever_comes_next_gets_a_fresh_sandbox() {
    let Some(live) = Live::begin() else { return };
    let pool = warm(&live, 1);
    let id = {
        let sandbox = pool.acquire().unwrap();
        assert!(sandbox.run("touch /tmp/mine").unwrap().ok());
        sandbox.container_id().to_owned()
    };
    let next = pool.acquire_timeout(PATIENCE).unwrap();
    assert!(!next.run("test -e /tmp/mine").unwrap().ok());
    eventually_none("sandbox that was given back", || {
        let found = containers::inspect(live.engine().client(), &id);
        found.map(|_| id.clone()).into_iter().collect()
    });
}

#[test]
fn or_the_same_one_if_asked_for() {
    let Some(live) = Live::begin() else { return };
    let pool = warm(&live, 1).reuse();
    assert!(pool.acquire().unwrap().run("touch /tmp/mine").unwrap().ok());
    let next = pool.acquire().unwrap();
    assert!(next.run("test -e /tmp/mine").unwrap().ok());
}

#[test]
fn sandboxes_that_died_in_the_pool_are_not_handed_out() {
    let Some(live) = Live::begin() else { return };
    let pool = warm(&live, 3).reuse();
    let ids = {
        let all: Vec<_> = (0..3).map(|_| pool.acquire().unwrap()).collect();
        let ids = all.iter().map(|sandbox| sandbox.container_id().to_owned());
        ids.collect::<Vec<_>>()
    };
    let client = live.engine().client();
    containers::kill(client, &ids[0], "KILL").unwrap();
    containers::remove(client, &ids[1], true).unwrap();
    for _ in 0..3 {
        let sandbox = pool.acquire_timeout(PATIENCE).unwrap();
        assert!(sandbox.run("true").unwrap().ok());
        assert_ne!(sandbox.container_id(), ids[0]);
        assert_ne!(sandbox.container_id(), ids[1]);
    }
}

#[test]
fn acquirers_at_the_same_time() {
    let Some(live) = Live::begin() else { return };
    let pool = warm(&live, 2).limit(4);
    let seen = Mutex::new(HashSet::new());
    thread::scope(|scope| {
        for n in 0..6 {
            let (pool, seen) = (&pool, &seen);
            scope.spawn(move || {
                let sandbox = pool.acquire_timeout(PATIENCE).unwrap();
                let result = sandbox.run(format!("mkdir /tmp/one && echo {n}")).unwrap();
                assert_eq!(result.stdout, format!("{n}\n").into_bytes());
                let id = sandbox.container_id().to_owned();
                assert!(seen.lock().unwrap().insert(id), "handed out twice");
            });
        }
    });
    pool.shutdown().unwrap();
}

#[test]
fn a_sandbox_that_is_out_outlives_the_pool() {
    let Some(live) = Live::begin() else { return };
    let pool = warm(&live, 2);
    let sandbox = pool.acquire().unwrap();
    pool.shutdown().unwrap();
    assert!(matches!(pool.acquire(), Err(Error::PoolClosed)));
    assert!(sandbox.run("true").unwrap().ok());
    let id = sandbox.container_id().to_owned();
    drop(sandbox);
    let gone = containers::inspect(live.engine().client(), &id);
    assert!(matches!(gone, Err(Error::ContainerNotFound { .. })));
}

#[test]
fn an_image_that_is_not_there() {
    let Some(live) = Live::begin() else { return };
    let options = live.unnamed_options().image("localhost/pd-no-such-image:1");
    let pool = ContainerPool::on(live.engine(), 2, options).unwrap();
    for _ in 0..2 {
        let error = pool.acquire_timeout(PATIENCE).unwrap_err();
        assert!(matches!(error, Error::ImageNotFound { .. }), "{error}");
    }
}
