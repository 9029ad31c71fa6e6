//! The library against a scripted engine: exact bytes, split anywhere, cut anywhere, hung anywhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod asynchronous;
mod background;
mod bodies;
mod discovery;
mod files;
mod fuzz;
mod guard;
mod init;
mod instances;
mod ladder;
mod liars;
mod life;
mod model;
mod negotiation;
mod newer;
mod pool;
mod process;
mod projects;
mod reboot;
mod refusals;
mod replies;
mod run;
mod sandboxes;
mod sockets;
mod transfer;

use std::time::Duration;

use pocketdock_core::engine::client::Client;

use support::fake_engine::FakeEngine;

/// A client of a fake engine that speaks API 1.41, as both recorded engines do.
fn client_of(fake: &FakeEngine) -> Client {
    let client = Client::new(fake.socket()).with_api_version((1, 41));
    client.with_timeout(support::process::PATIENCE)
}

/// The timeout of tests in which the engine never answers: long enough to be told from none.
const SHORT: Duration = Duration::from_millis(50);
