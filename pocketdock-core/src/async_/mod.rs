//! The same operations as futures, for any executor and with none inside.
//!
//! ```text
//! brake       stops a command that nobody waits for any more
//! orphans     the threads of futures that were dropped
//! operation   a future that is driven by a thread of its own
//! stream, process, session, runner, container   the handles
//! engine      making and finding them, and the functions that detect an engine
//! ```
//!
//! An [`Operation`] does nothing until it is polled. The first poll starts a named thread that
//! makes the blocking call and wakes whoever polled last, so any executor will do, of one thread
//! or of many; ten operations at the same time are ten threads. A panic of the call continues in
//! whoever polls.
//!
//! # Dropping a future
//!
//! Neither blocks nor loses anything. The command of a dropped `run` or `stream` is killed with
//! everything that came from it, the command of a session or a runner aborted, the container of a
//! dropped `create` removed. Other operations that have begun run to their end and nobody hears
//! of it.
//!
//! The thread that does this is joined by the thread that dropped the future, at the latest when
//! that thread ends; a runtime that joins its threads waits for it, and so does a `main` on Linux
//! and macOS. [`settle`] waits at once, which is the thing to do before `std::process::exit`.
//!
//! # Dropping a container
//!
//! The last handle of a guarded container removes it and blocks for that, as
//! [`Container`](crate::Container)'s does: a program may end right after. To not block an executor
//! await [`shutdown`](AsyncContainer::shutdown) before.
//!
//! # Example
//!
//! ```no_run
//! use pocketdock_core::CreateOptions;
//! use pocketdock_core::async_::create_new_container;
//!
//! async fn hello() -> pocketdock_core::Result<()> {
//!     let sandbox = create_new_container(&CreateOptions::new()).await?;
//!     let mut stream = sandbox.exec("echo hello; sleep 1; echo world").stream().await?;
//!     while let Some(chunk) = stream.next().await {
//!         print!("{}", chunk?.text());
//!     }
//!     assert!(stream.result().await?.ok());
//!     sandbox.shutdown(true).await
//! }
//! ```

mod brake;
mod orphans;

mod operation;

mod process;
mod runner;
mod session;
mod stream;

mod container;

mod engine;
mod files;

pub use container::{AsyncContainer, AsyncExec};
pub use engine::{
    AsyncEngine, create_new_container, destroy_container, doctor, list_containers, prune,
    resume_container, stop_container,
};
pub use operation::Operation;
pub use orphans::settle;
pub use process::AsyncProcess;
pub use runner::{AsyncRunner, AsyncRunnerExec};
pub use session::{AsyncSession, AsyncSessionCommand};
pub use stream::AsyncExecStream;
