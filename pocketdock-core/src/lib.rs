//! Offline code sandboxes on the Podman or Docker you already have.
//!
//! A sandbox is a container without a network, with limits and with a guard that removes it. It is
//! made and used over the engine's own Unix socket, by nothing but std.
//!
//! ```no_run
//! use pocketdock_core::{CreateOptions, create_new_container};
//!
//! let sandbox = create_new_container(&CreateOptions::new())?;
//! let result = sandbox.run("echo hello")?;
//! assert_eq!(result.stdout, b"hello\n");
//! assert!(result.ok());
//! # Ok::<(), pocketdock_core::Error>(())
//! ```
//!
//! Nothing is pulled: the image of a profile is built once ([`Engine::build`], or `pocketdock
//! build`), any other has to be there.
//!
//! # Sandboxes
//!
//! [`CreateOptions`] says what a sandbox should be, [`Engine::create`] makes it, [`Container`] is a
//! handle to it. The last clone of that handle removes the sandbox, unless it was made with
//! [`keep`](CreateOptions::keep) or [`persist`](CreateOptions::persist). One that is there already
//! is found by name with [`Engine::open`] and [`Engine::list`]; those handles remove nothing.
//! Containers that others have made are refused.
//!
//! ```no_run
//! use std::time::Duration;
//! use pocketdock_core::{CreateOptions, Engine};
//!
//! let engine = Engine::detect()?;
//! let options = CreateOptions::new().name("box").mem_limit("256m").hardened();
//! let sandbox = engine.create(&options.ttl(Duration::from_secs(600)))?;
//! println!("{} uses {:?} bytes", sandbox.name(), sandbox.info()?.memory_usage_bytes);
//! # Ok::<(), pocketdock_core::Error>(())
//! ```
//!
//! # Commands
//!
//! A `&str` is a line for the sandbox's shell, an array is a program and its arguments, executed
//! with no shell in between. [`Container::exec`] takes options and then runs the command in one of
//! these ways:
//!
//! | | | |
//! |---|---|---|
//! | [`run`](Exec::run) | waits and keeps the output, up to a cap | [`ExecResult`] |
//! | [`stream`](Exec::stream) | gives the output as it comes | [`ExecStream`], an iterator |
//! | [`detach`](Exec::detach) | goes on in the background | [`Process`]: callbacks, a buffer |
//! | [`terminal`](Exec::terminal) | on a terminal, for keystrokes | [`Terminal`] |
//!
//! ```no_run
//! use std::time::Duration;
//! # use pocketdock_core::{CreateOptions, create_new_container};
//! # let sandbox = create_new_container(&CreateOptions::new())?;
//! let result = sandbox
//!     .exec("print(sum(map(int, input().split())))")
//!     .lang("python")
//!     .stdin("1 2 3")
//!     .timeout(Duration::from_secs(2))
//!     .run()?;
//! assert_eq!(result.stdout_text(), "6\n");
//! # Ok::<(), pocketdock_core::Error>(())
//! ```
//!
//! That a command fails, is killed or takes too long is a result, not an error: [`ExecResult::end`]
//! tells which. An exit code is given only when the engine says that the command has ended.
//! [`Error`] is for what pocketdock or the engine could not do; output that was cut short is in
//! [`Error::partial_output`].
//!
//! # Shells that stay
//!
//! Each exec begins afresh and costs the engine 40 to 100 ms. A [`Session`] is a shell that keeps
//! its directory, variables, functions and jobs from command to command; a [`Runner`] gives each of
//! many small commands a fresh subshell. Both give each command's own output, exit code and end.
//!
//! ```no_run
//! use std::time::Duration;
//! # use pocketdock_core::{CreateOptions, create_new_container};
//! # let sandbox = create_new_container(&CreateOptions::new())?;
//! let session = sandbox.session()?;
//! session.send_and_wait("cd /usr; answer=42", None)?;
//! let result = session.send_and_wait("pwd; echo $answer", Duration::from_secs(5))?;
//! assert_eq!(result.stdout, b"/usr\n42\n");
//!
//! let runner = sandbox.runner()?;
//! assert!(runner.run(["expr", "1", "+", "1"])?.ok());
//! # Ok::<(), pocketdock_core::Error>(())
//! ```
//!
//! [`ContainerPool`] starts sandboxes before they are asked for.
//!
//! # Files
//!
//! [`Container::write_file`], [`read_file`](Container::read_file) and
//! [`list_files`](Container::list_files) are for one file or directory,
//! [`push`](Container::push) and [`pull`](Container::pull) copy trees as `cp -r` would, in constant
//! memory. Nothing that a sandbox holds can write outside of where a pull goes.
//!
//! ```no_run
//! use std::path::Path;
//! # use pocketdock_core::{CreateOptions, create_new_container};
//! # let sandbox = create_new_container(&CreateOptions::new())?;
//! sandbox.write_file("/home/sandbox/in/numbers", "1\n2\n3\n")?; // With the directories above it.
//! sandbox.run("wc -l <in/numbers >count")?;
//! assert_eq!(sandbox.read_file("/home/sandbox/count")?.trim_ascii(), b"3");
//! let report = sandbox.pull("/home/sandbox/in", Path::new("."))?;
//! println!("{} bytes came out", report.bytes);
//! # Ok::<(), pocketdock_core::Error>(())
//! ```
//!
//! # Images
//!
//! [`Engine::build`] makes the image of a profile ([`list_profiles`]), [`Engine::build_from`] that
//! of a directory with a Dockerfile, [`Container::snapshot`] that of a sandbox as it is.
//! [`Engine::export`] and [`Engine::import`] carry images to a machine without a network. Building
//! is the one thing that may use a network.
//!
//! # What is kept on the host
//!
//! A sandbox that is kept has an [`Instance`]: a directory with the history and the logs of its
//! commands, in the [`Project`] of the working directory or in the user's state directory.
//! [`Config`] reads the settings. [`Engine::prune`] removes what is not needed, [`Engine::doctor`]
//! finds what clients have left that were killed, [`Engine::repair`] puts it right.
//!
//! # Errors
//!
//! [`Error`] has a variant for every decision that a caller can take, and in it what is needed to
//! take it. Its text is one phrase with every name; [`Error::code`] is stable.
//!
//! ```no_run
//! use pocketdock_core::{Container, CreateOptions, Engine, Error, Result};
//!
//! fn mine_or_new(engine: &Engine, name: &str) -> Result<Container> {
//!     match engine.open(name) {
//!         Err(Error::ContainerNotFound { .. }) => {
//!             engine.create(&CreateOptions::new().name(name).keep())
//!         }
//!         other => other,
//!     }
//! }
//! ```
//!
//! Every call that reaches the engine can fail with [`Error::SocketConnection`],
//! [`Error::SocketCommunication`], [`Error::Timeout`], [`Error::Protocol`] and [`Error::Engine`].
//! These are *the errors of the connection*; where a function lists its own, they come on top.
//!
//! # Futures
//!
//! [`async_`] has the same operations under the same names as futures, for any executor and with
//! none inside.
//!
//! # What holds everywhere
//!
//! - Handles are `Send + Sync` and cheap to clone. Each operation opens a connection of its own, so
//!   nothing waits behind anything else, and nothing about a sandbox is cached.
//! - A timeout kills the command and everything that came from it.
//! - Bytes are exact; text is made of them on request and never splits a character.
//! - Streams take the same memory whatever goes through them.
//! - No bytes of a peer can panic, hang or grow this library without bound.
//! - Threads are named, owned by a handle and joined by it. There is no runtime.
//!
//! # Layers
//!
//! A module uses only what stands above it; all are public, for embedders who need a part.
//!
//! | module | |
//! |---|---|
//! | [`wire`] | bytes and no I/O: JSON, HTTP, chunks, frames, tar, sizes, times |
//! | [`error`], [`host`] | the one public error; the only reader of environment and clock |
//! | [`engine`] | sockets, one exchange per connection, one function per endpoint |
//! | [`container`] | sandboxes |
//! | [`project`] | projects, settings, and what is kept on the host about a sandbox |
//! | [`async_`] | the same operations as futures, for any executor |
//!
//! The guides in the repository: `docs/library.md` shows more by example, `docs/sessions.md` what
//! shells that stay promise, `docs/security.md` what a sandbox keeps in and what not,
//! `docs/architecture.md` the inside, `docs/protocol.md` what goes over the wire.
//!
//! # Limits
//!
//! Unix sockets only. Docker API 1.41 and later, Podman 4.3 and later. Linux is tested.

#![forbid(unsafe_code)]

pub mod wire;

pub mod error;
pub mod host;

pub mod engine;

pub mod container;

pub mod project;

pub mod async_;

pub use container::build::BuildOptions;
pub use container::command::{Command, languages};
pub use container::context::BuildContext;
pub use container::exec::Exec;
pub use container::files::report::{CopyReport, Dropped, DroppedKind};
pub use container::handle::Container;
pub use container::info::{ContainerInfo, ProcessInfo, PublishedPort};
pub use container::input::Stdin;
pub use container::kill::{Scope, Signal, UnknownSignal};
pub use container::lifecycle::{ContainerListItem, ListFilter};
pub use container::options::CreateOptions;
pub use container::output::StreamKind;
pub use container::pool::{ContainerPool, PooledContainer};
pub use container::process::Process;
pub use container::profile::{ProfileInfo, list_profiles, resolve_profile};
pub use container::progress::Progress;
pub use container::record::RecordKind;
pub use container::result::{End, ExecResult};
pub use container::ring::BufferSnapshot;
pub use container::runner::{Runner, RunnerExec};
pub use container::session::{Session, SessionCommand, SessionOptions};
pub use container::specs::{Device, Port, Tmpfs, Volume};
pub use container::stream::{ExecHandle, ExecStream, StreamChunk};
pub use container::terminal::{Terminal, TerminalHandle, TerminalSize};
pub use engine::{Engine, EngineKind, EngineOptions};
pub use error::{Error, PartialOutput, Result};
pub use project::config::{Config, ConfigWarning, LogLevel, Origin};
pub use project::description::Description;
pub use project::doctor::{DoctorReport, EngineReport, Problem, doctor, repair};
pub use project::history::HistoryEntry;
pub use project::instance::Instance;
pub use project::lifecycle::{
    create_new_container, destroy_container, list_containers, resume_container, stop_container,
};
pub use project::log::{LogLine, LogReader, LogWriter};
pub use project::prune::{PruneOptions, PruneReason, PruneReport, Pruned, prune};
pub use project::recording::Recording;
pub use project::root::{InitReport, Project, find_project_root, init_project};
pub use project::status::ProjectStatus;

/// The version of this crate, the same as the manifest's (a test compares them).
const VERSION: &str = "0.1.0";

/// The version of this crate.
///
/// ```
/// assert_eq!(pocketdock_core::get_version().split('.').count(), 3);
/// ```
#[must_use]
pub fn get_version() -> &'static str {
    VERSION
}

/// The code in the guides, so that it keeps compiling.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../README.md")]
    mod readme {}

    #[doc = include_str!("../../docs/library.md")]
    mod library {}

    #[doc = include_str!("../../docs/projects.md")]
    mod projects {}

    #[doc = include_str!("../../docs/sessions.md")]
    mod sessions {}
}
