//! What the options of every command say about an invocation.

use std::path::PathBuf;

use crate::paint::ColorChoice;

/// The global options.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    /// `--socket`
    pub(crate) socket: Option<PathBuf>,
    /// `--json`
    pub(crate) json: bool,
    /// `--quiet`
    pub(crate) quiet: bool,
    /// `--verbose`
    pub(crate) verbose: bool,
    /// `--no-input`
    pub(crate) no_input: bool,
    /// `--color`
    pub(crate) color: Option<ColorChoice>,
}
