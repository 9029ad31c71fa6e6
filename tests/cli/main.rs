//! The `pocketdock` program as a person or a script meets it: words in; stdout, stderr and the
//! exit code out.
//!
//! `golden` compares byte for byte with files and needs no engine; `values` tries a malformed
//! value for every option; `engine` runs commands against a scripted engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod care;
mod commands;
mod engine;
mod golden;
mod program;
mod projects;
mod rules;
mod shells;
mod signals;
mod streams;
mod terminals;
mod transfer;
mod values;
mod world;
