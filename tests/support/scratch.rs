//! Directories that a test has to itself and that are gone when it ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// An empty directory, removed with all it holds on drop.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes a directory under the system's temporary one.
    ///
    /// The name is kept short: the path of a Unix socket may not be longer than 107 bytes.
    pub fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pd-{}-{count}", std::process::id()));
        // What a killed run with the same process id may have left is not ours to test against.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("make a scratch directory");
        Self { path }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` inside the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file and the directories above it; returns its path.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).expect("make a directory for a file");
        fs::write(&path, content).expect("write a scratch file");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove_tree(&self.path);
    }
}

/// Removes a directory with all it holds, closed directories included.
pub fn remove_tree(dir: &Path) {
    if fs::remove_dir_all(dir).is_err() {
        open_up(dir);
        let _ = fs::remove_dir_all(dir);
    }
}

/// Gives the directories of a tree back to whoever owns them: only root removes what lies in closed
/// ones.
fn open_up(dir: &Path) {
    let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

#[test]
fn scratch_is_removed_on_drop() {
    let scratch = Scratch::new();
    let file = scratch.write("a/b", b"c");
    assert!(file.is_file());
    fs::set_permissions(file.parent().unwrap(), Permissions::from_mode(0o500)).unwrap();
    drop(scratch);
    assert!(!file.exists());
}
