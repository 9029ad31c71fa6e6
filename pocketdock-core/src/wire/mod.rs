//! Bytes without I/O: the formats an engine speaks, as pure functions and state machines.
//!
//! Every decoder here takes slices, says what it used, and has a limit on everything a peer can
//! make grow. None of them panics on any input.

pub mod base64;
pub mod chunked;
pub mod digits;
pub mod frame;
pub mod http;
pub mod json;
pub mod nearest;
pub mod sha256;
pub mod size;
pub mod tar;
pub mod time;
pub mod utf8;
pub mod value;
pub mod yaml;
