//! The futures of `async_`, on an executor of a few lines: what they start, whom they wake, and
//! what becomes of them when they are dropped.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;

use pocketdock_core::async_::{self, AsyncContainer, AsyncEngine, Operation, settle};
use pocketdock_core::{Error, ExecResult, ListFilter};

use crate::model::{Kind, engine_of, exec_state, kinds, model, opened, options};
use crate::support::alone::alone;
use crate::support::executor::{block_on, join_all, poll_once};
use crate::support::fake_engine::{FakeEngine, Gate, Reply};
use crate::support::process::{PATIENCE, assert_holds, holdings, within};

/// A healthy engine that can also list and stop.
fn whole() -> FakeEngine {
    model(|_, request| match request.line().as_str() {
        "GET /containers/json" => Some(Reply::json(200, "[]")),
        line if line.ends_with("/stop") => Some(Reply::empty(204)),
        line if line.starts_with("GET /images/") => Some(Reply::json(200, r#"{"Id":"1"}"#)),
        _ => None,
    })
}

/// An engine whose commands write `out`, and run until they are killed.
fn endless() -> FakeEngine {
    model(|kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).frame(1, b"out").hang()),
        Kind::ExecInspect => Some(exec_state(true, "null")),
        _ => None,
    })
}

/// An engine that comes to `gate` before it answers this kind of request.
fn gated(gated_kind: Kind, gate: &Gate) -> FakeEngine {
    let gate = gate.clone();
    model(move |kind, request| {
        let healthy = crate::model::healthy(request);
        (kind == gated_kind).then(|| healthy.behind(&gate))
    })
}

fn sandbox(fake: &FakeEngine) -> AsyncContainer {
    opened(fake).into()
}

fn count(fake: &FakeEngine, kind: Kind) -> usize {
    kinds(fake).iter().filter(|other| **other == kind).count()
}

/// Waits until the engine has had a request of this kind.
fn until_asked(fake: &FakeEngine, kind: Kind) {
    while count(fake, kind) == 0 {
        thread::yield_now();
    }
}

fn is_pending<T: Send>(operation: &mut Operation<T>) -> bool {
    poll_once(operation).is_pending()
}

#[test]
fn calls_do_what_the_blocking_ones_do() {
    let fake = whole();
    let engine = AsyncEngine::from(engine_of(&fake));
    let result = block_on(async {
        let sandbox = engine.create(&options()).await?;
        assert!(sandbox.is_running().await?);
        let result = sandbox.exec("x").env("A", "b").max_output(4).run().await?;
        sandbox.stop().await?;
        sandbox.resume().await?;
        sandbox.shutdown(true).await?;
        assert!(engine.image_exists("localhost/busybox:latest").await?);
        Ok::<_, Error>(result)
    });
    let result: ExecResult = result.unwrap();
    assert_eq!(
        (result.stdout.as_slice(), result.exit_code),
        (&b"out"[..], 3)
    );
    assert!(result.truncated());
    assert_eq!(count(&fake, Kind::Remove), 1);
}

#[test]
fn errors_are_those_of_the_blocking_calls() {
    let fake = model(|kind, _| {
        (kind == Kind::Create).then(|| Reply::json(404, r#"{"message":"No such image: x"}"#))
    });
    let engine = AsyncEngine::from(engine_of(&fake));
    let error = block_on(engine.create(&options())).unwrap_err();
    assert!(matches!(error, Error::ImageNotFound { .. }), "{error}");
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let fake = model(|_, _| None);
    let engine = AsyncEngine::from(engine_of(&fake));
    drop(engine.create(&options()));
    settle();
    assert_eq!(kinds(&fake), []);
}

#[test]
fn operations_run_at_the_same_time() {
    let (gate, arrived) = (Gate::default(), mpsc::sync_channel(8));
    let fake = {
        let gate = gate.clone();
        model(move |kind, _| {
            (kind == Kind::ExecStart).then(|| {
                let arrived = arrived.0.clone();
                Reply::hijacked(101)
                    .talk(move |_| {
                        arrived.send(()).unwrap();
                        Ok(())
                    })
                    .wait(&gate)
                    .frame(1, b"out")
            })
        })
    };
    let opener = thread::spawn(move || {
        // No run ends before all have begun.
        (0..8).for_each(|_| arrived.1.recv().unwrap());
        gate.open();
    });
    let sandbox = sandbox(&fake);
    let results = within(PATIENCE, move || join_all((0..8).map(|_| sandbox.run("x"))));
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap().stdout == b"out")
    );
    opener.join().unwrap();
}

#[test]
fn a_dropped_run_kills_its_command() {
    let fake = endless();
    let mut run = sandbox(&fake).run("x");
    assert!(is_pending(&mut run));
    until_asked(&fake, Kind::ExecStart);
    drop(run);
    within(PATIENCE, settle);
    assert_ne!(count(&fake, Kind::Killer), 0);
}

#[test]
fn a_run_that_is_dropped_before_its_command_has_started_kills_it_as_well() {
    let gate = Gate::default();
    let started = gate.clone();
    let fake = model(move |kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).hang().behind(&started)),
        Kind::ExecInspect => Some(exec_state(true, "null")),
        _ => None,
    });
    let mut run = sandbox(&fake).run("x");
    assert!(is_pending(&mut run));
    gate.wait_reached();
    drop(run);
    gate.open();
    within(PATIENCE, settle);
    assert_ne!(count(&fake, Kind::Killer), 0);
}

#[test]
fn the_sandbox_of_a_dropped_create_is_removed() {
    for options in [options(), options().keep(), options().persist()] {
        let gate = Gate::default();
        let fake = gated(Kind::Create, &gate);
        let mut create = AsyncEngine::from(engine_of(&fake)).create(&options);
        assert!(is_pending(&mut create));
        gate.wait_reached();
        // The engine has not answered, so this returns only if it does not wait for that.
        drop(create);
        gate.open();
        within(PATIENCE, settle);
        assert_eq!(count(&fake, Kind::Remove), 1, "{options:?}");
    }
}

#[test]
fn the_sandbox_of_a_create_that_ended_unseen_is_removed() {
    let fake = model(|_, _| None);
    let mut create = AsyncEngine::from(engine_of(&fake)).create(&options());
    let woken = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&woken));
    let pending = Pin::new(&mut create).poll(&mut Context::from_waker(&waker));
    assert!(pending.is_pending());
    woken.wait();
    drop(create);
    within(PATIENCE, settle);
    assert_eq!(count(&fake, Kind::Remove), 1);
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn wait(&self) {
        while !self.0.load(Ordering::Acquire) {
            thread::yield_now();
        }
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn a_thread_that_dropped_a_future_waits_for_it_at_its_end() {
    let fake = endless();
    let mut run = sandbox(&fake).run("x");
    assert!(is_pending(&mut run));
    until_asked(&fake, Kind::ExecStart);
    within(PATIENCE, || {
        thread::spawn(move || drop(run)).join().unwrap()
    });
    assert_ne!(count(&fake, Kind::Killer), 0);
}

#[test]
fn who_polled_last_is_woken() {
    let gate = Gate::default();
    let fake = gated(Kind::Inspect, &gate);
    let mut open = AsyncEngine::from(engine_of(&fake)).open("box");
    let wakers = [(); 2].map(|()| Arc::new(Flag::default()));
    for flag in &wakers {
        let waker = Waker::from(Arc::clone(flag));
        let polled = Pin::new(&mut open).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    gate.open();
    wakers[1].wait();
    assert!(!wakers[0].0.load(Ordering::Acquire));
    assert!(poll_once(&mut open).is_ready());
    assert!(is_pending(&mut open), "polled after its end");
}

#[test]
fn polling_and_dropping_do_not_wait_for_a_waker_that_blocks() {
    // An executor may hold a lock while it polls or drops that its waker takes, too.
    struct Blocking {
        called: Flag,
        gate: Mutex<()>,
    }
    impl Wake for Blocking {
        fn wake(self: Arc<Self>) {
            self.called.0.store(true, Ordering::Release);
            drop(self.gate.lock());
        }
    }
    let fake = model(|_, _| None);
    let engine = AsyncEngine::from(engine_of(&fake));
    let blocking = Arc::new(Blocking {
        called: Flag::default(),
        gate: Mutex::new(()),
    });
    let held = blocking.gate.lock().unwrap();
    for take in [true, false] {
        blocking.called.0.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&blocking));
        let mut open = engine.open("box");
        let polled = Pin::new(&mut open).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        blocking.called.wait();
        if take {
            assert!(poll_once(&mut open).is_ready());
        }
        drop(open);
    }
    drop(held);
    within(PATIENCE, settle);
}

#[test]
fn an_executor_may_poll_where_it_is_woken() {
    struct Inline(Mutex<(Option<Operation<AsyncContainer>>, bool)>);
    impl Wake for Inline {
        fn wake(self: Arc<Self>) {
            let waker = Waker::from(Arc::clone(&self));
            let mut task = self.0.lock().unwrap();
            let Some(future) = &mut task.0 else { return };
            if Pin::new(future)
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                *task = (None, true);
            }
        }
    }
    let fake = model(|_, _| None);
    let open = AsyncEngine::from(engine_of(&fake)).open("box");
    let task = Arc::new(Inline(Mutex::new((Some(open), false))));
    Waker::from(Arc::clone(&task)).wake();
    within(PATIENCE, move || {
        while !task.0.lock().unwrap().1 {
            thread::yield_now();
        }
        settle();
    });
}

#[test]
fn a_stream_gives_its_chunks_and_its_result() {
    let fake = model(|_, _| None);
    let sandbox = sandbox(&fake);
    block_on(async {
        let mut stream = sandbox.exec("x").stream().await.unwrap();
        let mut output = Vec::new();
        while let Some(chunk) = stream.next().await {
            output.extend(chunk.unwrap().data);
        }
        assert_eq!(output, b"outerr");
        assert!(stream.next().await.is_none());
        assert_eq!(stream.result().await.unwrap().exit_code, 3);
        let unread = sandbox.exec("x").stream().await.unwrap();
        assert_eq!(unread.result().await.unwrap().exit_code, 3);
    });
}

#[test]
fn a_stream_that_breaks_is_an_error() {
    let fake = model(|kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).frame(1, b"out").then(*b"\x01\0\0\0\0")),
        _ => None,
    });
    let sandbox = sandbox(&fake);
    block_on(async {
        let mut stream = sandbox.exec("x").stream().await.unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().data, b"out");
        stream.next().await.unwrap().unwrap_err();
        assert!(stream.next().await.is_none());
        stream.result().await.unwrap_err();
        let unread = sandbox.exec("x").stream().await.unwrap();
        unread.result().await.unwrap_err();
    });
}

#[test]
fn a_stream_reads_ahead_a_little_and_loses_nothing() {
    const LEN: usize = 32 << 20;
    let all_sent = Arc::new(AtomicBool::new(false));
    let sent = Arc::clone(&all_sent);
    let fake = model(move |kind, _| {
        let sent = Arc::clone(&sent);
        match kind {
            Kind::ExecStart => {
                let reply = Reply::hijacked(101).frame(1, &vec![b'x'; LEN]);
                Some(reply.talk(move |_| {
                    sent.store(true, Ordering::Release);
                    Ok(())
                }))
            }
            Kind::ExecInspect => Some(exec_state(!sent.load(Ordering::Acquire), "0")),
            _ => None,
        }
    });
    let sandbox = sandbox(&fake);
    block_on(async {
        let mut stream = sandbox.exec("x").stream().await.unwrap();
        let mut len = stream.next().await.unwrap().unwrap().data.len();
        for _ in 0..50 {
            sandbox.is_running().await.unwrap();
        }
        assert!(!all_sent.load(Ordering::Acquire), "it has read everything");
        while let Some(chunk) = stream.next().await {
            len += chunk.unwrap().data.len();
        }
        assert_eq!(len, LEN);
    });
}

#[test]
fn a_dropped_stream_kills_its_command() {
    let flood = || {
        model(|kind, _| match kind {
            // More than the reader takes: it waits for room when the stream is dropped.
            Kind::ExecStart => Some(Reply::hijacked(101).frame(1, &vec![0; 4 << 20]).hang()),
            Kind::ExecInspect => Some(exec_state(true, "null")),
            _ => None,
        })
    };
    for fake in [endless(), flood()] {
        let mut stream = block_on(sandbox(&fake).exec("x").stream()).unwrap();
        block_on(stream.next()).unwrap().unwrap();
        drop(stream);
        within(PATIENCE, settle);
        assert_ne!(count(&fake, Kind::Killer), 0);
    }
}

#[test]
fn the_command_of_a_dropped_stream_call_is_killed() {
    let gate = Gate::default();
    let started = gate.clone();
    let fake = model(move |kind, _| match kind {
        Kind::ExecStart => Some(Reply::hijacked(101).hang().behind(&started)),
        Kind::ExecInspect => Some(exec_state(true, "null")),
        _ => None,
    });
    let mut stream = sandbox(&fake).exec("x").stream();
    assert!(poll_once(&mut stream).is_pending());
    gate.wait_reached();
    drop(stream);
    gate.open();
    within(PATIENCE, settle);
    assert_ne!(count(&fake, Kind::Killer), 0);
}

#[test]
fn a_process_is_waited_for() {
    let fake = model(|_, _| None);
    let sandbox = sandbox(&fake);
    let result = block_on(async {
        let process = sandbox.exec("x").detach().await?;
        assert!(!process.is_running().await?);
        process.wait(None).await
    });
    assert_eq!(result.unwrap().stdout, b"out");
}

#[test]
fn a_dropped_wait_leaves_the_process_alone() {
    let fake = endless();
    let process = block_on(sandbox(&fake).exec("x").detach()).unwrap();
    let mut wait = process.wait(None);
    assert!(is_pending(&mut wait));
    drop(wait);
    within(PATIENCE, settle);
    assert!(process.try_wait().unwrap().is_none());
    assert_eq!(count(&fake, Kind::Killer), 0);
    let error = block_on(process.wait(Some(crate::SHORT))).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[test]
fn the_process_of_a_dropped_detach_is_killed() {
    let gate = Gate::default();
    let fake = gated(Kind::ExecStart, &gate);
    let mut detach = sandbox(&fake).exec("x").detach();
    assert!(poll_once(&mut detach).is_pending());
    gate.wait_reached();
    drop(detach);
    gate.open();
    within(PATIENCE, settle);
    assert_ne!(count(&fake, Kind::Killer), 0);
}

#[test]
fn nothing_is_left_behind() {
    alone("asynchronous::nothing_is_left_behind", &[], || {
        let before = holdings();
        for _ in 0..2 {
            let fake = model(|_, _| None);
            let idle = sandbox(&fake);
            for result in join_all((0..50).map(|_| idle.run("x"))) {
                result.unwrap();
            }
            let fake = endless();
            let busy = sandbox(&fake);
            let mut runs: Vec<_> = (0..20).map(|_| busy.run("x")).collect();
            assert!(runs.iter_mut().all(is_pending));
            let streams = join_all((0..5).map(|_| busy.exec("x").stream()));
            let processes = join_all((0..5).map(|_| busy.exec("x").detach()));
            drop((runs, streams, processes));
            settle();
        }
        assert_holds(before);
    });
}

#[test]
fn the_functions_find_the_engine() {
    let fake = whole();
    let socket = fake.socket().to_str().unwrap().to_owned();
    let socket = std::env::var("POCKETDOCK_SOCKET").unwrap_or(socket);
    let variables = [("POCKETDOCK_SOCKET", socket.as_str())];
    alone(
        "asynchronous::the_functions_find_the_engine",
        &variables,
        || {
            block_on(async {
                assert_eq!(async_::list_containers(&ListFilter::new()).await?, []);
                let sandbox = async_::create_new_container(&options()).await?;
                assert_eq!(sandbox.name(), "box");
                async_::stop_container("box").await?;
                async_::resume_container("box").await?;
                async_::destroy_container("box").await?;
                AsyncEngine::detect().await?;
                Ok::<_, Error>(())
            })
            .unwrap();
        },
    );
}

/// What executors of several threads ask of futures.
#[test]
fn futures_can_be_sent() {
    fn sent<T: Send>(_: &T) {}
    let fake = model(|_, _| None);
    let sandbox = sandbox(&fake);
    sent(&sandbox.run("x"));
    sent(&async {
        let mut stream = sandbox.exec("x").stream().await?;
        stream.next().await;
        stream.result().await
    });
}
