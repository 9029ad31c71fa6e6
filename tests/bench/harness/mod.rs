//! What the benches share: measuring in turns, a bare HTTP client to compare with, and the table.
//!
//! The benches never fail for a time: machines differ, and other work disturbs. They compare with
//! something else measured in the same run, and the table says whether the budget is met.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a bench: each uses a part of this, and a failure is a panic"
)]

pub mod bare;
pub mod process;
pub mod settings;
pub mod table;
pub mod turns;
