//! The contract of the library on a real engine: the same tests on Docker and on Podman.
//!
//! `tests/run.sh` starts the engines, makes the images and runs this suite once for each. By hand:
//!
//! ```text
//! POCKETDOCK_TEST_ENGINE=podman POCKETDOCK_TEST_SOCKET=/run/podman/podman.sock
//! POCKETDOCK_TEST_IMAGE=...         an image with busybox
//! POCKETDOCK_TEST_DEBIAN_IMAGE=...  bash and dash
//! POCKETDOCK_TEST_PYTHON_IMAGE=...  python3
//! ```
//!
//! Without these variables no test does anything, and the suite says so. Tests run beside each
//! other; each makes its own sandboxes. Whenever none is running, nothing may be left of any of
//! them: no container, thread, socket or file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod fixture;
mod host;

mod asynchronous;
mod bad_input;
mod commands;
mod concurrency;
mod controls;
mod disturbed;
mod endpoints;
mod ends;
mod engine_loss;
mod engine_trouble;
mod examples;
mod faults;
mod files;
mod hostile;
mod images;
mod input;
mod lifecycle;
mod mounts;
mod network;
mod output;
mod pool;
mod processes;
mod reboot;
mod records;
mod runner;
mod session_cases;
mod sessions;
mod streams;
mod threads;
mod timeouts;
