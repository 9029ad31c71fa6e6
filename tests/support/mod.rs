//! What the suites share: a scripted engine, faulty readers and writers, and small helpers.
//!
//! Each suite includes this directory as a module of its own (`#[path = "../support/mod.rs"]`) and
//! uses the part it needs. Nothing here leans on the code under test, so that a mistake in
//! pocketdock cannot hide behind the same mistake in its test.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a helper of tests: each suite uses a part, and a failure is a panic"
)]

pub mod alone;
pub mod documents;
pub mod executor;
pub mod fake_engine;
pub mod fault;
pub mod process;
pub mod recorded;
pub mod relay;
pub mod request;
pub mod rng;
pub mod scratch;
pub mod signals;
pub mod terminal;
pub mod tree;
