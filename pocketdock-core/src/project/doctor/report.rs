//! What the doctor has to say.

use std::path::PathBuf;

use crate::engine::EngineKind;

/// How things are.
///
/// ```no_run
/// # let engine = pocketdock_core::Engine::detect()?;
/// use pocketdock_core::project::doctor::{DoctorReport, EngineReport, Problem};
///
/// let report: DoctorReport = engine.doctor(None);
/// if let Some(EngineReport { kind, version, socket, .. }) = &report.engine {
///     println!("{kind} {version} at {}", socket.display());
/// }
/// for Problem { code, message, hint, .. } in &report.problems {
///     println!("{code}: {message}; {}", hint.as_deref().unwrap_or("no advice"));
/// }
/// if !report.healthy() {
///     assert!(engine.repair(None).healthy());
/// }
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DoctorReport {
    /// The engine; `None` if none answers.
    pub engine: Option<EngineReport>,
    /// The names of sandboxes that nobody looks after, or that have lost their instance.
    pub orphaned_containers: Vec<String>,
    /// Directories of sandboxes that are gone.
    pub stale_instance_dirs: Vec<PathBuf>,
    /// The names of sandboxes that are not what their instance says.
    pub mismatches: Vec<String>,
    /// Everything that is wrong, those above included.
    pub problems: Vec<Problem>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

impl DoctorReport {
    /// Whether nothing is wrong, or not any more.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.problems.iter().all(|problem| problem.fixed)
    }
}

/// An engine that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineReport {
    /// Docker or Podman.
    pub kind: EngineKind,
    /// Its version.
    pub version: String,
    /// The version of the API that is spoken with it.
    pub api_version: (u64, u64),
    /// Its socket.
    pub socket: PathBuf,
    /// Whether it runs without root's rights; `None` if it does not say.
    pub rootless: Option<bool>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// A stable name for its kind.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether it has been put right.
    pub fixed: bool,
}
