//! The `pocketdock` program against a real engine.
//!
//! `POCKETDOCK_TEST_ENGINE` (docker or podman) and `POCKETDOCK_TEST_SOCKET` say which one; without
//! them every test passes and says that it was skipped. `POCKETDOCK_TEST_IMAGE` is an image with a
//! busybox in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod care;
#[path = "../cli/commands.rs"]
mod commands;
mod detach;
mod engines;
mod files;
mod hostile;
mod life;
mod live;
mod output;
mod projects;
mod rules;
mod run;
mod shell;
mod signals;
mod transfer;
