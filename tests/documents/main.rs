//! The guides on a real engine: what stands in README.md and docs/*.md is typed, compiled and
//! compared.
//!
//! ```text
//! typed      the blocks of shell, in a home and a directory of their own
//! programs   the blocks of Rust, in a package that depends on ours
//! contract   docs/agents.md: what each command prints with --json
//! ```
//!
//! `POCKETDOCK_TEST_ENGINE` and `POCKETDOCK_TEST_SOCKET` say which engine; without them every test
//! passes and says that it was skipped. The engine has to have the image of minimal-python. What
//! needs no engine, such as that every block is of a kind that is known here, is in tests/tidy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../live_cli/live.rs"]
#[allow(dead_code, reason = "what another suite needs, too")]
mod live;

mod contract;
mod programs;
mod reader;
mod shapes;
mod typed;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Guides name their sandboxes as people do, so only one of them can be read at a time.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ENGINE: Mutex<()> = Mutex::new(());
    ENGINE.lock().unwrap_or_else(PoisonError::into_inner)
}
