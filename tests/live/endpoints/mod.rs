//! Every endpoint function of the engine layer, on containers that pocketdock has not made.

mod archive;
mod containers;
mod exec;
mod images;
mod system;
