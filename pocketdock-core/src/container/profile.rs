//! The profiles: ready-made images for common kinds of sandboxes.
//!
//! Each is a Dockerfile under `images/`, compiled in, so that a binary alone can build it.

use crate::error::{Error, Result};

/// A ready-made image.
///
/// ```
/// for profile in pocketdock_core::list_profiles() {
///     println!("{}: {}", profile.name, profile.description);
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileInfo {
    /// The name to ask for it by.
    pub name: &'static str,
    /// The name of its image.
    pub image_tag: &'static str,
    /// Whether its sandboxes have a network unless told otherwise.
    pub network_default: bool,
    /// What is in it, in a line.
    pub description: &'static str,
    /// About how large its image is, in bytes.
    pub size_estimate: u64,
    /// What it is built from.
    pub dockerfile: &'static str,
}

/// The profile that is used when none is asked for.
pub(crate) const DEFAULT_PROFILE: &ProfileInfo = &MINIMAL_PYTHON;

const MINIMAL_PYTHON: ProfileInfo = ProfileInfo {
    name: "minimal-python",
    image_tag: "pocketdock/minimal-python:latest",
    network_default: false,
    description: "Python 3 with its standard library and pip, and busybox tools",
    size_estimate: 45_200_000,
    dockerfile: include_str!("../../images/minimal-python/Dockerfile"),
};

const PROFILES: &[ProfileInfo] = &[MINIMAL_PYTHON];

/// All profiles.
///
/// ```
/// let names: Vec<_> = pocketdock_core::list_profiles().iter().map(|p| p.name).collect();
/// assert!(names.contains(&"minimal-python"));
/// ```
#[must_use]
pub fn list_profiles() -> &'static [ProfileInfo] {
    PROFILES
}

/// The profile of this name.
///
/// # Errors
///
/// [`Error::UnknownProfile`] with the names there are.
///
/// ```
/// let profile = pocketdock_core::resolve_profile("minimal-python")?;
/// assert!(!profile.network_default);
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
pub fn resolve_profile(name: &str) -> Result<&'static ProfileInfo> {
    PROFILES
        .iter()
        .find(|profile| profile.name == name)
        .ok_or_else(|| Error::UnknownProfile {
            name: name.to_owned(),
            known: PROFILES.iter().map(|profile| profile.name).collect(),
        })
}
