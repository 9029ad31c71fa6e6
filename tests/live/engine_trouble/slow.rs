//! An engine far away: a proxy that passes everything on late and a little at a time.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pocketdock_core::{EngineOptions, Error};

use super::{BOUND, CALLS, PATIENCE};
use crate::fixture::Live;
use crate::support::scratch::Scratch;

/// How long each piece takes, and how long it is at most.
const DELAY: Duration = Duration::from_millis(10);
const PIECE_LEN: usize = 4096;

/// The proxy; ended when dropped.
struct Proxy {
    scratch: Scratch,
    is_stalled: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Proxy {
    fn start(engine: &Path) -> Self {
        let scratch = Scratch::new();
        let listener = UnixListener::bind(scratch.join("slow.sock")).unwrap();
        let (is_stalled, is_over) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let (stalled, over) = (Arc::clone(&is_stalled), Arc::clone(&is_over));
        let engine = engine.to_owned();
        let listener = thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let engine = UnixStream::connect(&engine).unwrap();
                for (from, to) in [(&client, &engine), (&engine, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let stalled = Arc::clone(&stalled);
                    thread::spawn(move || pass_on(from, to, &stalled));
                }
            }
        });
        Proxy {
            scratch,
            is_stalled,
            is_over,
            listener: Some(listener),
        }
    }

    fn socket(&self) -> PathBuf {
        self.scratch.join("slow.sock")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _woken = UnixStream::connect(self.socket());
        if let Some(listener) = self.listener.take() {
            listener.join().expect("no panic");
        }
    }
}

fn pass_on(mut from: UnixStream, mut to: UnixStream, is_stalled: &AtomicBool) {
    let mut piece = vec![0; PIECE_LEN];
    loop {
        let n = from.read(&mut piece).unwrap_or(0);
        thread::sleep(DELAY);
        while is_stalled.load(Ordering::SeqCst) {
            thread::sleep(DELAY);
        }
        if n == 0 || to.write_all(&piece[..n]).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(Shutdown::Write);
    let _gone = from.shutdown(Shutdown::Read);
}

#[test]
fn everything_works_through_a_slow_engine() {
    let Some(live) = Live::begin() else { return };
    let proxy = Proxy::start(live.engine().socket_path());
    let options = EngineOptions::new().socket(&proxy.socket());
    let engine = options.connect().unwrap();
    let sandbox = engine.create(&live.options()).unwrap();
    for (what, call) in CALLS {
        call(&sandbox).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let scratch = Scratch::new();
    let content: Vec<u8> = (0..=255).cycle().take(1_000_000).collect();
    let file = scratch.write("file", &content);
    sandbox.push(&file, "/tmp/pushed").unwrap();
    sandbox
        .pull("/tmp/pushed", &scratch.join("pulled"))
        .unwrap();
    assert!(std::fs::read(scratch.join("pulled")).unwrap() == content);
    assert!(sandbox.read_file("/tmp/pushed").unwrap() == content);
    let timed = sandbox.exec("echo out; sleep 1000");
    let timed = timed.timeout(Duration::from_secs(1)).run().unwrap();
    assert!(timed.timed_out() && timed.stdout == b"out\n", "{timed:?}");
    let cut = sandbox.exec("yes | head -c 2000000").max_output(5).run();
    assert_eq!(cut.unwrap().dropped_len, 1_999_995);
}

/// It stops in the middle of everything, and goes on later.
#[test]
fn an_engine_that_stalls() {
    let Some(live) = Live::begin() else { return };
    let proxy = Proxy::start(live.engine().socket_path());
    let options = EngineOptions::new().socket(&proxy.socket());
    let engine = options.timeout(PATIENCE).connect().unwrap();
    let sandbox = live.sandbox();
    let far = engine.open(sandbox.name()).unwrap();
    let process = far.exec("echo out; sleep 1; echo more").detach().unwrap();
    proxy.is_stalled.store(true, Ordering::SeqCst);
    // Not for longer than Podman remembers how a command has ended.
    for (what, call) in &CALLS[..3] {
        let began = Instant::now();
        let error = call(&far).expect_err(what);
        assert!(matches!(error, Error::Timeout { .. }), "{what}: {error:?}");
        assert!(began.elapsed() < BOUND, "{what}: {:?}", began.elapsed());
    }
    proxy.is_stalled.store(false, Ordering::SeqCst);
    let result = process.wait(Some(BOUND)).unwrap();
    assert_eq!(result.stdout, b"out\nmore\n");
    for (what, call) in CALLS {
        call(&far).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}
