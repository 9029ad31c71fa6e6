//! [`ContainerPool`]: what it starts, hands out, takes back, and how it ends.

use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use pocketdock_core::{ContainerPool, CreateOptions, Engine, Error, PooledContainer};

use crate::SHORT;
use crate::sandboxes::Sandboxes;
use crate::support::alone::alone;
use crate::support::fake_engine::Gate;
use crate::support::process::{PATIENCE, assert_holds, holdings, within};

fn options() -> CreateOptions {
    CreateOptions::new().image("localhost/busybox:latest")
}

/// A pool that is warm.
fn warm(engine: &Engine, size: usize) -> ContainerPool {
    let pool = ContainerPool::on(engine, size, options()).unwrap();
    pool.warm_up().unwrap();
    pool
}

/// Waits for what the pool does in the background.
fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it did not come to be");
        thread::yield_now();
    }
}

fn acquire(pool: &ContainerPool) -> PooledContainer {
    let pool = pool.clone();
    within(PATIENCE, move || pool.acquire()).unwrap()
}

#[test]
fn a_warm_sandbox_costs_one_question() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 2);
    let asked_before = sandboxes.fake().requests().len();
    let sandbox = pool.acquire().unwrap();
    let lines = sandboxes.fake().request_lines().split_off(asked_before);
    let id = sandbox.container_id();
    assert_eq!(lines, [format!("GET /containers/{id}/json")]);
    assert_eq!((pool.warm_count(), sandboxes.kept().made), (1, 2));
}

#[test]
fn what_is_given_back_is_removed_and_replaced() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1);
    let first = pool.acquire().unwrap();
    let id = first.container_id().to_owned();
    drop(first);
    let second = acquire(&pool);
    assert_ne!(second.container_id(), id);
    until(|| !sandboxes.kept().states.contains_key(&id));
    assert_eq!(sandboxes.kept().made, 2);
}

#[test]
fn what_is_given_back_is_handed_out_again_if_asked_for() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1).reuse();
    let id = pool.acquire().unwrap().container_id().to_owned();
    assert_eq!(pool.acquire().unwrap().container_id(), id);
    assert_eq!(sandboxes.kept().made, 1);
}

#[test]
fn one_more_is_made_for_who_asks_when_none_is_warm() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1).reuse();
    let (first, second) = (acquire(&pool), acquire(&pool));
    assert_ne!(first.container_id(), second.container_id());
    drop((first, second));
    until(|| sandboxes.count() == 1);
    assert_eq!(pool.warm_count(), 1);
}

#[test]
fn dead_sandboxes_are_noticed_and_replaced() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 3);
    let ids: Vec<_> = sandboxes.kept().states.keys().cloned().collect();
    for (id, state) in ids.iter().zip([Some("exited"), Some("paused"), None]) {
        sandboxes.set_state(id, state);
    }
    let sandbox = acquire(&pool);
    assert!(!ids.contains(&sandbox.container_id().to_owned()));
    until(|| {
        ids.iter()
            .all(|id| !sandboxes.kept().states.contains_key(id))
    });
    drop(sandbox);
    pool.warm_up().unwrap();
    until(|| sandboxes.count() == 3);
}

#[test]
fn acquirers_at_the_same_time_never_share_a_sandbox() {
    for (reuse, limit) in [(false, 4), (true, 3)] {
        let sandboxes = Sandboxes::new();
        let mut pool = warm(&sandboxes.engine(), 3).limit(limit);
        if reuse {
            pool = pool.reuse();
        }
        let in_use = Mutex::new(HashSet::new());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let sandbox = pool.acquire_timeout(PATIENCE).unwrap();
                        let id = sandbox.container_id().to_owned();
                        assert!(in_use.lock().unwrap().insert(id.clone()), "{id} is shared");
                        thread::yield_now();
                        in_use.lock().unwrap().remove(&id);
                    }
                });
            }
        });
        pool.shutdown().unwrap();
        assert_eq!(sandboxes.count(), 0);
        let kept = sandboxes.kept();
        assert!(kept.most <= limit, "{} at a time", kept.most);
        assert_eq!(reuse, kept.made == 3, "made {}", kept.made);
    }
}

#[test]
fn a_refusal_is_the_answer_and_a_later_success_too() {
    let sandboxes = Sandboxes::new();
    sandboxes.kept().refusal = Some((500, "out of luck"));
    let pool = ContainerPool::on(&sandboxes.engine(), 2, options()).unwrap();
    let waiting: Vec<_> = (0..6)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || pool.acquire().map(drop))
        })
        .collect();
    for acquirer in waiting {
        let error = within(PATIENCE, move || acquirer.join().unwrap()).unwrap_err();
        assert!(
            matches!(error, Error::Engine { status: 500, .. }),
            "{error}"
        );
    }
    sandboxes.kept().refusal = Some((404, "No such image: localhost/busybox:latest"));
    until(|| matches!(pool.warm_up(), Err(Error::ImageNotFound { .. })));
    sandboxes.kept().refusal = None;
    // A start that was refused may still be on its way to who asks next.
    until(|| pool.acquire().is_ok());
}

#[test]
fn an_engine_that_goes_away_is_an_error_from_acquire() {
    let sandboxes = Sandboxes::new();
    let engine = sandboxes.engine();
    let pool = warm(&engine, 1);
    drop(sandboxes);
    for _ in 0..2 {
        let pool = pool.clone();
        let error = within(PATIENCE, move || pool.acquire()).unwrap_err();
        assert!(matches!(error, Error::SocketConnection { .. }), "{error}");
    }
    assert_eq!(pool.warm_count(), 1, "it may be there again");
    within(PATIENCE, move || drop(pool));
}

#[test]
fn waiting_has_an_end() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1).limit(1);
    let only = pool.acquire().unwrap();
    let error = pool.acquire_timeout(SHORT).unwrap_err();
    assert!(
        matches!(error, Error::Timeout { timeout, .. } if timeout == SHORT),
        "{error}"
    );
    drop(only);
    acquire(&pool);
}

#[test]
fn an_engine_that_hangs_is_waited_for_as_long_as_allowed() {
    let sandboxes = Sandboxes::new();
    let gate = Gate::default();
    sandboxes.kept().gate = Some(gate.clone());
    let pool = ContainerPool::on(&sandboxes.engine(), 1, options()).unwrap();
    gate.wait_reached();
    let error = pool.acquire_timeout(SHORT).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    gate.open();
    acquire(&pool);
}

#[test]
fn a_sandbox_that_is_out_outlives_the_pool() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 2);
    let sandbox = pool.acquire().unwrap();
    let waiting = {
        let pool = pool.clone().limit(2);
        let second = pool.acquire().unwrap();
        let acquirer = thread::spawn(move || pool.acquire().map(drop));
        (acquirer, second)
    };
    pool.shutdown().unwrap();
    let error = within(PATIENCE, move || waiting.0.join().unwrap()).unwrap_err();
    assert!(matches!(error, Error::PoolClosed), "{error}");
    assert!(matches!(pool.acquire(), Err(Error::PoolClosed)));
    assert!(matches!(pool.warm_up(), Err(Error::PoolClosed)));
    pool.shutdown().unwrap();
    assert_eq!(sandboxes.count(), 2);
    assert!(sandbox.is_running().unwrap());
    drop(waiting.1);
    assert_eq!(sandboxes.count(), 1);
    drop((pool, sandbox));
    assert_eq!(sandboxes.count(), 0);
}

#[test]
fn a_sandbox_can_be_taken_out_for_good() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1);
    let sandbox = pool.acquire().unwrap().into_container();
    pool.warm_up().unwrap();
    drop(pool);
    assert!(sandbox.is_running().unwrap());
    drop(sandbox);
    assert_eq!(sandboxes.count(), 0);
}

#[test]
fn a_sandbox_that_was_removed_by_its_user_can_be_given_back() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1).reuse();
    let sandbox = pool.acquire().unwrap();
    sandbox.shutdown(true).unwrap();
    drop(sandbox);
    assert!(acquire(&pool).is_running().unwrap());
    pool.shutdown().unwrap();
}

#[test]
fn a_failed_removal_is_reported_by_shutdown() {
    let sandboxes = Sandboxes::new();
    let pool = warm(&sandboxes.engine(), 1);
    drop(sandboxes);
    let error = within(PATIENCE, move || pool.shutdown()).unwrap_err();
    assert!(matches!(error, Error::SocketConnection { .. }), "{error}");
}

#[test]
fn a_pool_leaves_nothing_behind() {
    alone("pool::a_pool_leaves_nothing_behind", &[], || {
        let before = holdings();
        let sandboxes = Sandboxes::new();
        let engine = sandboxes.engine();
        for _ in 0..3 {
            let pool = warm(&engine, 4);
            assert!(before.threads + 4 < holdings().threads);
            let clone = pool.clone();
            let kept = pool.acquire().unwrap();
            drop(pool.acquire().unwrap());
            drop(pool);
            assert!(0 < sandboxes.count(), "a clone keeps it open");
            drop((clone, kept));
            assert_eq!(sandboxes.count(), 0);
        }
        // A pool that is dropped while it starts its sandboxes removes them as well.
        drop(ContainerPool::on(&engine, 4, options()).unwrap());
        assert_eq!(sandboxes.count(), 0);
        drop(sandboxes);
        assert_holds(before);
    });
}

#[test]
fn what_a_pool_cannot_be_made_of_is_refused() {
    let sandboxes = Sandboxes::new();
    let engine = sandboxes.engine();
    let cases = [
        ("no size", 0, options(), "pool size"),
        ("a name", 2, options().name("box"), "name"),
        ("keep", 2, options().keep(), "pool"),
        ("persist", 2, options().persist(), "pool"),
        (
            "a bad option",
            2,
            options().mem_limit("lots"),
            "memory limit",
        ),
    ];
    for (case, size, options, about) in cases {
        let error = ContainerPool::on(&engine, size, options).unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { what, .. } if what == about),
            "{case}: {error}"
        );
    }
    assert_eq!(sandboxes.kept().made, 0);
}
