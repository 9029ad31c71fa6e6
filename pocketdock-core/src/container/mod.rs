//! Sandboxes: making them, running commands in them, looking at them, ending them.
//!
//! ```text
//! embed                             scripts and Dockerfiles as they are sent
//! labels, profile, specs, options   what a sandbox is to be
//! plan, document, provenance        the options checked; the same for the engine; told to people
//! result, output, command, launch   what to run, and what came of it
//! record                            what is kept of the commands, reported upwards
//! kill, helper, oom, input          what running needs beside it
//! target, holder                    an exec to signal; input on a connection of its own
//! progress                          how far a long transfer has come
//! host_dir                          a directory of the host, while others change it
//! reference, ignore, context        names of images; what a build may copy from
//! patience                          whether somebody still waits for a result
//! attached                          an exec instance from its start to its true end
//! handle, lifecycle                 the sandbox itself
//! replica, reboot                   the sandbox once more, in its own place
//! ring, callbacks                   where output of a detached process goes
//! exec, stream, process, terminal   a command in it: blocking, as it goes, detached, on a tty
//! session, runner                   a shell that stays: with its state, or afresh each time
//! files                             files into it and out of it
//! info, build                       looking at it; making images from Dockerfiles
//! snapshot, transfer                an image from it; images from engine to engine
//! pool                              sandboxes that run before they are asked for
//! ```

mod embed;

pub mod labels;
pub mod profile;
pub mod specs;

pub mod options;
pub mod plan;
pub mod progress;
pub mod reference;

mod host_dir;
mod ignore;

pub mod context;

mod document;
mod provenance;

pub mod output;
pub mod result;

pub mod record;

pub mod command;
pub mod input;
pub mod kill;

mod callbacks;
mod helper;
mod launch;
mod oom;
pub(crate) mod patience;
mod tmpfs;

mod target;

mod holder;

mod attached;
pub mod ring;

pub mod handle;

pub mod build;
pub mod exec;
pub mod files;
pub mod info;
pub mod lifecycle;
pub mod pool;
pub mod process;
pub(crate) mod reboot;
mod replica;
pub mod session;
pub mod snapshot;
pub mod transfer;

pub mod runner;
pub mod stream;
pub mod terminal;
