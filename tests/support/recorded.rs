//! Exchanges recorded from real engines, as stored in `tests/fixtures/exchanges`.
//!
//! A file holds one request and its reply, byte for byte, with the line `=== reply ===` between
//! them; the replies of exec start are binary. `record.py` beside the files made them and says
//! what it replaced so that no machine can be told from them.

use std::fs;
use std::path::PathBuf;

/// Stands between request and reply; the line breaks around it belong to it.
const SEPARATOR: &[u8] = b"\n=== reply ===\n";

/// One request and what an engine answered.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub request: Vec<u8>,
    pub reply: Vec<u8>,
}

/// Loads `tests/fixtures/exchanges/NAME.http`.
pub fn recorded(name: &str) -> Recorded {
    let path = directory().join(format!("{name}.http"));
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    let at = bytes
        .windows(SEPARATOR.len())
        .position(|window| window == SEPARATOR)
        .unwrap_or_else(|| panic!("{} has no separator", path.display()));
    Recorded {
        request: bytes[..at].to_vec(),
        reply: bytes[at + SEPARATOR.len()..].to_vec(),
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/exchanges")
}
