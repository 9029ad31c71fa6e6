//! Files of a sandbox that does not run, or has no `tar`: through the engine's archive endpoint.
//!
//! ```text
//! endpoint/find     what is at a path, and by which path the engine is asked for it
//! endpoint/links    links on the way of what goes in
//! endpoint/put      an archive into the sandbox
//! endpoint/get      an archive out of it, with those of what is mounted in it
//! endpoint/owner    the numbers of the sandbox's user
//! ```
//!
//! It cannot unpack beside a place and move there, so what is cut off leaves what had come. On
//! Docker it does not see memory mounts, which are empty in a sandbox that is stopped; it refuses
//! a root that is read-only. Podman takes a path that it reads from for a pattern, gives paths that
//! begin with a slash to what is in a volume, and leaves volumes out of what they are mounted in:
//! those are asked for by themselves.

pub(crate) mod find;
pub(crate) mod get;
mod links;
mod owner;
pub(crate) mod put;
