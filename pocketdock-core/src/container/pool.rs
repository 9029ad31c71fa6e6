//! [`ContainerPool`]: sandboxes that run already when they are asked for.
//!
//! Making a sandbox takes an engine hundreds of milliseconds, handing out one that waits about
//! one: that it still runs is asked each time. A few worker threads start and remove sandboxes in
//! the background; they belong to the pool and are joined by it.
//!
//! The pool holds as many sandboxes as its size says, those that are out included. Whoever asks
//! when none is warm gets one made for them, beyond the size, so nobody has to wait until somebody
//! else is done; with a [`limit`](ContainerPool::limit) they do. What comes back is removed and
//! replaced, or given out again if the pool [reuses](ContainerPool::reuse).
//!
//! A start that fails is reported to one who waits. Filling up, which nobody waits for, is tried
//! again after 100 ms, then at intervals that double up to 30 s.

mod ledger;

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::container::handle::{self, Container};
use crate::container::options::CreateOptions;
use crate::engine::deadline::Deadline;
use crate::engine::{Engine, containers};
use crate::error::{Error, Result};
use crate::host;
use ledger::{Job, Ledger, Returned};

/// The most threads that start and remove at the same time; engines gain little from more.
const WORKERS_MAX: usize = 4;

/// How long a request to remove a sandbox may take.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sandboxes of one kind that run already when they are asked for.
///
/// Cheap to clone and usable from any thread. Dropping the last clone closes the pool as
/// [`shutdown`](Self::shutdown) does.
///
/// ```no_run
/// use pocketdock_core::{ContainerPool, CreateOptions};
///
/// let pool = ContainerPool::new(4, CreateOptions::new().profile("minimal-python"))?;
/// let sandbox = pool.acquire()?;
/// assert!(sandbox.run("echo hello")?.ok());
/// drop(sandbox); // It is removed, and another one started, in the background.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ContainerPool {
    inner: Arc<Inner>,
}

/// A sandbox out of a pool, given back when dropped.
///
/// It is a [`Container`] in every other respect. A clone of the container that is still there
/// after it was given back leads to a sandbox that is removed, or somebody else's.
///
/// ```no_run
/// use pocketdock_core::{ContainerPool, CreateOptions};
///
/// let pool = ContainerPool::new(2, CreateOptions::new())?;
/// let sandbox = pool.acquire()?;
/// assert!(sandbox.run("true")?.ok()); // As a Container does it.
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub struct PooledContainer {
    container: Container,
    shared: Arc<Shared>,
    /// Whether the books know that it is out.
    is_out: bool,
}

impl ContainerPool {
    /// A pool of `size` sandboxes on the engine that is detected.
    ///
    /// # Errors
    ///
    /// As [`Engine::detect`] and [`on`](Self::on).
    pub fn new(size: usize, options: CreateOptions) -> Result<Self> {
        check(size, &options)?;
        Self::on(&Engine::detect()?, size, options)
    }

    /// A pool of `size` sandboxes on this engine.
    ///
    /// Returns at once; the sandboxes are started in the background.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use pocketdock_core::{ContainerPool, CreateOptions, Engine};
    ///
    /// let engine = Engine::at(Path::new("/run/podman/podman.sock"))?;
    /// let pool = ContainerPool::on(&engine, 4, CreateOptions::new().hardened())?;
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`CreateOptions::check`]. [`Error::InvalidArgument`] for a size of zero, for options with
    /// a name, which only one sandbox can have, and for those of a sandbox that outlives its
    /// maker, which a pool cannot give up. [`Error::Io`] if no thread can be started.
    pub fn on(engine: &Engine, size: usize, options: CreateOptions) -> Result<Self> {
        check(size, &options)?;
        let pool = ContainerPool {
            inner: Arc::new(Inner {
                shared: Arc::new(Shared {
                    engine: engine.clone(),
                    options,
                    ledger: Mutex::new(Ledger::new(size)),
                    work: Condvar::new(),
                    ready: Condvar::new(),
                }),
                workers: Mutex::default(),
            }),
        };
        for _ in 0..size.min(WORKERS_MAX) {
            let shared = Arc::clone(&pool.inner.shared);
            let worker = host::spawn("pocketdock-pool", move || shared.work())?;
            lock(&pool.inner.workers).push(worker);
        }
        Ok(pool)
    }

    /// Gives out again what comes back, as it is: files, processes and all.
    #[must_use]
    pub fn reuse(self) -> Self {
        self.inner.shared.ledger().reuse = true;
        self
    }

    /// Allows this many sandboxes at the same time, and never fewer than the pool's size.
    ///
    /// Once there are so many, [`acquire`](Self::acquire) waits until one is given back.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use pocketdock_core::{ContainerPool, CreateOptions, Error};
    ///
    /// let pool = ContainerPool::new(4, CreateOptions::new())?.reuse().limit(16);
    /// match pool.acquire_timeout(Duration::from_secs(5)) {
    ///     Ok(sandbox) => drop(sandbox.run("ls /tmp")?), // It may show files of who had it before.
    ///     Err(Error::Timeout { .. }) => println!("all sixteen are busy"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn limit(self, count: usize) -> Self {
        {
            let mut ledger = self.inner.shared.ledger();
            ledger.limit = Some(count.max(ledger.size));
        }
        self
    }

    /// How many sandboxes could be had at once.
    #[must_use]
    pub fn warm_count(&self) -> usize {
        self.inner.shared.ledger().warm_count()
    }

    /// Waits until the pool holds as many sandboxes as it should.
    ///
    /// ```no_run
    /// # let pool = pocketdock_core::ContainerPool::new(2, pocketdock_core::CreateOptions::new())?;
    /// pool.warm_up()?; // Returns once as many as asked for wait.
    /// assert_eq!(pool.warm_count(), 2);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Engine::create`], if one cannot be started; [`Error::PoolClosed`].
    pub fn warm_up(&self) -> Result<()> {
        let shared = &self.inner.shared;
        let mut ledger = shared.ledger();
        ledger.begin_watching();
        shared.work.notify_all();
        let outcome = loop {
            if ledger.is_closed() {
                break Err(Error::PoolClosed);
            }
            if ledger.is_warm() {
                break Ok(());
            }
            if let Some(failure) = ledger.take_failure() {
                break Err(failure);
            }
            ledger = wait(&shared.ready, ledger);
        };
        ledger.end_watching();
        outcome
    }

    /// A sandbox that runs: at once if one is warm, else as soon as one has been started.
    ///
    /// ```no_run
    /// # let pool = pocketdock_core::ContainerPool::new(2, pocketdock_core::CreateOptions::new())?;
    /// let sandbox = pool.acquire()?;
    /// assert!(sandbox.run("true")?.ok());
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Engine::create`], if one cannot be started; [`Error::PoolClosed`].
    pub fn acquire(&self) -> Result<PooledContainer> {
        self.acquire_until(Deadline::NEVER, Duration::MAX)
    }

    /// As [`acquire`](Self::acquire), and waits for no longer than this.
    ///
    /// # Errors
    ///
    /// The same; [`Error::Timeout`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<PooledContainer> {
        self.acquire_until(Deadline::after(timeout), timeout)
    }

    fn acquire_until(&self, deadline: Deadline, timeout: Duration) -> Result<PooledContainer> {
        let shared = &self.inner.shared;
        loop {
            let mut pooled = PooledContainer {
                container: shared.take(deadline, timeout)?,
                shared: Arc::clone(shared),
                is_out: true,
            };
            match is_alive(&pooled, deadline) {
                Ok(true) => return Ok(pooled),
                Ok(false) => pooled.give_back(Returned::Dead),
                Err(error) => {
                    pooled.give_back(Returned::Untouched);
                    return Err(error);
                }
            }
        }
    }

    /// Closes the pool: removes what is warm and waits until that is done.
    ///
    /// A sandbox that is out stays usable; dropping it removes it on the spot. Whoever waits for
    /// one gets [`Error::PoolClosed`], and so does everybody later. Sandboxes that are just being
    /// started are waited for, as long as the engine's timeout allows. A closed pool is left
    /// alone.
    ///
    /// ```no_run
    /// # let pool = pocketdock_core::ContainerPool::new(2, pocketdock_core::CreateOptions::new())?;
    /// pool.shutdown()?; // Every sandbox that nobody has is removed.
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first failure to remove a sandbox, such as [`Error::Timeout`] or [`Error::Engine`]. That
    /// sandbox carries its owner's label, so it is found as an orphan once this process has ended.
    pub fn shutdown(&self) -> Result<()> {
        self.inner.close()
    }
}

/// Refuses what a pool cannot be made of.
fn check(size: usize, options: &CreateOptions) -> Result<()> {
    if size == 0 {
        return Err(Error::invalid("pool size", "0", "expected at least one"));
    }
    if let Some(name) = options.name_given() {
        return Err(Error::invalid(
            "name",
            name,
            "the sandboxes of a pool cannot all have the same name",
        ));
    }
    if options.outlives_maker() {
        return Err(Error::invalid(
            "pool",
            "keep or persist",
            "the sandboxes of a pool go with it",
        ));
    }
    options.check()
}

/// Whether a sandbox runs and is not paused.
fn is_alive(container: &Container, deadline: Deadline) -> Result<bool> {
    let client = container.client().clone();
    let timeout = deadline.at_most(client.timeout());
    match containers::inspect(&client.with_timeout(timeout), container.container_id()) {
        Ok(found) => Ok(found.str_at(&["State", "Status"]) == Some("running")),
        Err(Error::ContainerNotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a sandbox, whoever else has a handle to it.
fn remove(container: &Container) -> Result<()> {
    let client = container.client().at_most(REMOVE_TIMEOUT);
    handle::remove(&client, container.container_id())?;
    // It is gone; its guard has nothing left to do.
    container.leave();
    Ok(())
}

impl PooledContainer {
    /// Takes the sandbox out of the pool for good; it is removed with its last handle.
    ///
    /// The pool starts another one in its place.
    ///
    /// ```no_run
    /// # use pocketdock_core::{ContainerPool, CreateOptions};
    /// let pool = ContainerPool::new(1, CreateOptions::new())?;
    /// let sandbox = pool.acquire()?.into_container();
    /// pool.shutdown()?;
    /// assert!(sandbox.is_running()?);
    /// # Ok::<(), pocketdock_core::Error>(())
    /// ```
    #[must_use]
    pub fn into_container(mut self) -> Container {
        self.is_out = false;
        self.shared.ledger().let_go();
        self.shared.work.notify_all();
        self.container.clone()
    }

    fn give_back(&mut self, state: Returned) {
        if !std::mem::take(&mut self.is_out) {
            return;
        }
        let returned = self
            .shared
            .ledger()
            .take_back(self.container.clone(), state);
        self.shared.notify();
        if let Err(container) = returned {
            // What cannot be removed now is tried again by its guard.
            let _removed = remove(&container);
        }
    }
}

impl Deref for PooledContainer {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.container
    }
}

impl fmt::Debug for PooledContainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledContainer")
            .field(&self.container)
            .finish()
    }
}

impl Drop for PooledContainer {
    fn drop(&mut self) {
        self.give_back(Returned::Used);
    }
}

/// What the clones of a pool share: closed with the last of them.
#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<Result<()>>>>,
}

impl Inner {
    fn close(&self) -> Result<()> {
        self.shared.ledger().close();
        self.shared.notify();
        let workers = std::mem::take(&mut *lock(&self.workers));
        let mut outcome = Ok(());
        for worker in workers {
            let ended = worker.join().unwrap_or_else(|_| Err(panicked()));
            outcome = outcome.and(ended);
        }
        outcome
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // What could not be removed carries its owner's label and is found later.
        let _removed = self.close();
    }
}

/// What the pool, its workers and the sandboxes that are out share.
#[derive(Debug)]
struct Shared {
    engine: Engine,
    options: CreateOptions,
    ledger: Mutex<Books>,
    /// Tells the workers that there may be something to do.
    work: Condvar,
    /// Tells those who wait that there may be a sandbox, a failure, or no pool any more.
    ready: Condvar,
}

type Books = Ledger<Container, Error>;

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Books> {
        lock(&self.ledger)
    }

    fn notify(&self) {
        self.work.notify_all();
        self.ready.notify_all();
    }

    /// Waits for a warm sandbox and notes that it is out.
    fn take(&self, deadline: Deadline, timeout: Duration) -> Result<Container> {
        let mut ledger = self.ledger();
        ledger.begin_waiting();
        let outcome = loop {
            if ledger.is_closed() {
                break Err(Error::PoolClosed);
            }
            if let Some(container) = ledger.take_warm() {
                break Ok(container);
            }
            if let Some(failure) = ledger.take_failure() {
                break Err(failure);
            }
            if deadline.has_passed() {
                break Err(Error::Timeout {
                    waiting_for: "a sandbox of the pool".to_owned(),
                    timeout,
                });
            }
            self.work.notify_all();
            ledger = wait_until(&self.ready, ledger, deadline);
        };
        ledger.end_waiting();
        outcome
    }

    /// What a worker does, until the pool is closed and empty: the first failure to remove.
    fn work(&self) -> Result<()> {
        let mut outcome = Ok(());
        let mut ledger = self.ledger();
        loop {
            match ledger.next_job(Instant::now()) {
                Job::Start => {
                    drop(ledger);
                    let started = self.start();
                    ledger = self.ledger();
                    ledger.started(started, Instant::now());
                }
                Job::Remove(container) => {
                    drop(ledger);
                    let removed = remove(&container);
                    drop(container);
                    outcome = outcome.and(removed);
                    ledger = self.ledger();
                    ledger.removed();
                }
                Job::Wait(None) => {
                    ledger = wait(&self.work, ledger);
                    continue;
                }
                Job::Wait(Some(time)) => {
                    ledger = wait_until(&self.work, ledger, Deadline::after(time));
                    continue;
                }
                Job::End => return outcome,
            }
            self.notify();
        }
    }

    fn start(&self) -> Result<Container> {
        self.engine.create(&self.options)
    }
}

fn panicked() -> Error {
    let cause = std::io::Error::other("a worker of it panicked");
    Error::io("look after the pool", cause)
}

/// The books and the list of workers are whole between any two statements, so a panic elsewhere
/// in the thread that held the lock has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition
        .wait(guard)
        .unwrap_or_else(PoisonError::into_inner)
}

fn wait_until<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    deadline: Deadline,
) -> MutexGuard<'a, T> {
    match deadline.remaining() {
        Ok(None) => wait(condition, guard),
        Ok(Some(left)) => {
            let woken = condition.wait_timeout(guard, left);
            woken.unwrap_or_else(PoisonError::into_inner).0
        }
        Err(_) => guard,
    }
}
