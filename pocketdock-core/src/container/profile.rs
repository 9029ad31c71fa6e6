//! The profiles: ready-made images for common kinds of sandboxes.
//!
//! Each is a Dockerfile under `images/`, compiled in, so that a binary alone can build it.

use crate::container::embed::embed;
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
    /// What it is built from, without the comments of the file in the repository's `images/`.
    pub dockerfile: &'static str,
}

/// The profile that is used when none is asked for.
pub(crate) const DEFAULT_PROFILE: &ProfileInfo = &MINIMAL_PYTHON;

const MINIMAL_PYTHON: ProfileInfo = ProfileInfo {
    name: "minimal-python",
    image_tag: "pocketdock/minimal-python:latest",
    network_default: false,
    description: "Python 3 with its standard library and pip, and busybox tools",
    size_estimate: 45_300_000,
    dockerfile: embed!("../../images/minimal-python/Dockerfile"),
};

const PROFILES: &[ProfileInfo] = &[
    MINIMAL_PYTHON,
    ProfileInfo {
        name: "minimal-node",
        image_tag: "pocketdock/minimal-node:latest",
        network_default: false,
        description: "Node.js with npm, and busybox tools",
        size_estimate: 121_600_000,
        dockerfile: embed!("../../images/minimal-node/Dockerfile"),
    },
    ProfileInfo {
        name: "minimal-bun",
        image_tag: "pocketdock/minimal-bun:latest",
        network_default: false,
        description: "Bun for JavaScript and TypeScript, and busybox tools",
        size_estimate: 115_200_000,
        dockerfile: embed!("../../images/minimal-bun/Dockerfile"),
    },
    ProfileInfo {
        name: "dev",
        image_tag: "pocketdock/dev:latest",
        network_default: true,
        description: "C, C++, Python with IPython, git and the tools of a terminal",
        size_estimate: 679_000_000,
        dockerfile: embed!("../../images/dev/Dockerfile"),
    },
    ProfileInfo {
        name: "agent",
        image_tag: "pocketdock/agent:latest",
        network_default: false,
        description: "Python with pandas, NumPy, Requests and Beautiful Soup, bash and git",
        size_estimate: 395_000_000,
        dockerfile: embed!("../../images/agent/Dockerfile"),
    },
    ProfileInfo {
        name: "embedded",
        image_tag: "pocketdock/embedded:latest",
        network_default: true,
        description: "compilers for bare ARM and AVR, CMake, and tools to program boards",
        size_estimate: 1_072_000_000,
        dockerfile: embed!("../../images/embedded/Dockerfile"),
    },
];

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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn instructions(profile: &ProfileInfo) -> Vec<&str> {
        let lines = profile.dockerfile.lines();
        lines
            .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
            .collect()
    }

    #[test]
    fn every_image_is_built_the_same_way() {
        for profile in PROFILES {
            let (name, lines) = (profile.name, instructions(profile));
            assert_eq!(lines[0], "ARG BASE=debian:trixie-slim", "{name}");
            assert!(lines[1].starts_with("FROM ${BASE}"), "{name}");
            let end = [
                "USER sandbox",
                "WORKDIR /home/sandbox",
                r#"CMD ["sh", "-c", "trap 'exit 0' INT TERM; sleep infinity & wait"]"#,
            ];
            assert_eq!(lines[lines.len() - 3..], end, "{name}");
            assert_eq!(profile.image_tag, format!("pocketdock/{name}:latest"));
        }
    }

    /// What the classic builder of Docker does not know, or takes for something else.
    #[test]
    fn every_image_is_built_by_the_classic_builder() {
        for profile in PROFILES {
            for line in instructions(profile) {
                let mut words = line.split(' ');
                let (verb, next) = (words.next().unwrap(), words.next().unwrap_or_default());
                let from_stage = verb == "COPY" && next == "--from=build";
                assert!(
                    !next.starts_with("--") || from_stage,
                    "{}: {line}",
                    profile.name
                );
                assert!(!line.contains("<<"), "{}: {line}", profile.name);
            }
            assert!(!profile.dockerfile.contains("# syntax"), "{}", profile.name);
        }
    }

    #[test]
    fn the_minimal_ones_hold_nothing_of_their_base() {
        for profile in PROFILES {
            let minimal = profile.name.starts_with("minimal-");
            let from_scratch = instructions(profile).contains(&"FROM scratch");
            assert_eq!(from_scratch, minimal, "{}", profile.name);
        }
    }

    /// A Dockerfile is all there is to a build, so what they share stands in each.
    #[test]
    fn the_minimal_ones_share_their_steps() {
        let step = |profile: &ProfileInfo, heading: &str| {
            let path = format!("images/{}/Dockerfile", profile.name); // From the package.
            let file = fs::read_to_string(path).unwrap();
            let from = file.find(heading).unwrap();
            let text = file[from..].split_once("\n\n").unwrap().0;
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        };
        let headings = [
            "# The skeleton.",
            "# busybox, under",
            "# The shared libraries",
        ];
        let minimal = |profile: &&ProfileInfo| profile.name.starts_with("minimal-");
        for profile in PROFILES.iter().filter(minimal) {
            for heading in headings {
                let (steps, name) = (step(profile, heading), profile.name);
                assert_eq!(steps, step(DEFAULT_PROFILE, heading), "{name}: {heading}");
            }
        }
    }

    #[test]
    fn networks() {
        let with_network = |profile: &&ProfileInfo| profile.network_default;
        let names = PROFILES
            .iter()
            .filter(with_network)
            .map(|profile| profile.name);
        assert_eq!(names.collect::<Vec<_>>(), ["dev", "embedded"]);
    }
}
