//! The labels by which a sandbox is known, on the engine, to every later process.
//!
//! A container without [`MANAGED`]` = true` was made by somebody else and is never touched.
//!
//! ```
//! use pocketdock_core::container::labels;
//!
//! let who = [labels::MANAGED, labels::INSTANCE, labels::PROJECT, labels::PROFILE, labels::OWNER];
//! let how = [labels::PERSIST, labels::TIMEOUT, labels::TTL, labels::ASKED];
//! let whence = [labels::CREATED_AT, labels::DATA_PATH];
//! for label in who.iter().chain(&how).chain(&whence) {
//!     assert!(label.starts_with(labels::PREFIX));
//! }
//! ```

use crate::host::ProcessIdentity;

/// `true` on everything made by pocketdock.
pub const MANAGED: &str = "pocketdock.managed";
/// The sandbox's name.
pub const INSTANCE: &str = "pocketdock.instance";
/// `true` if it is meant to outlive its maker and to be stopped and resumed.
pub const PERSIST: &str = "pocketdock.persist";
/// The name of the project it belongs to.
pub const PROJECT: &str = "pocketdock.project";
/// The profile it was made from.
pub const PROFILE: &str = "pocketdock.profile";
/// The directory of its instance on the host.
pub const DATA_PATH: &str = "pocketdock.data-path";
/// When it was made, RFC 3339.
pub const CREATED_AT: &str = "pocketdock.created-at";
/// The time a command in it may take unless told otherwise, in milliseconds; 0 is no limit. Only
/// if one was given.
pub const TIMEOUT: &str = "pocketdock.timeout";
/// The process that guards it, as boot ID, process ID and start time; none if it is kept.
pub const OWNER: &str = "pocketdock.owner";
/// What of the engine's `HostConfig` has to be asked for again as it was, where engines tell it
/// otherwise: a JSON object with `CapAdd`, `CapDrop` and `Devices`, as far as they were given.
pub const ASKED: &str = "pocketdock.asked";
/// After how many seconds it removes itself.
pub const TTL: &str = "pocketdock.ttl";

/// What all of our labels begin with, and nobody else's may.
pub const PREFIX: &str = "pocketdock.";

/// The label value for the process that made a guarded container.
pub(crate) fn owner() -> Option<String> {
    ProcessIdentity::own().map(|own| own.to_string())
}
