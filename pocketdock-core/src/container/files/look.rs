//! A small look into a sandbox that runs: one file, the names in one directory.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;

use crate::container::files::access::Access;
use crate::container::files::path::SandboxPath;
use crate::container::files::script;
use crate::container::handle::Container;
use crate::error::{Error, Result};

const READ: &str = include_str!("read.sh");
const LIST: &str = include_str!("list.sh");

/// What a list of names may take up.
const NAMES_LEN_MAX: u64 = 64 * 1024 * 1024;

/// The content of a file of at most `len_max` bytes, links followed.
///
/// # Errors
///
/// [`Error::CommandNotFound`] if the sandbox lacks `sh`; what the script says.
pub(crate) fn read(
    container: &Container,
    access: &Access,
    path: &SandboxPath,
    len_max: u64,
) -> Result<Vec<u8>> {
    let doing = format!("read '{}' in the sandbox", path.as_str());
    run(container, access, READ, path, len_max, &doing)
}

/// The names in a directory, sorted.
///
/// # Errors
///
/// As [`read`].
pub(crate) fn names(
    container: &Container,
    access: &Access,
    path: &SandboxPath,
) -> Result<Vec<OsString>> {
    let doing = format!("list '{}' in the sandbox", path.as_str());
    let listed = run(container, access, LIST, path, NAMES_LEN_MAX, &doing)?;
    let mut names: Vec<_> = listed
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| OsString::from_vec(name.to_vec()))
        .collect();
    names.sort_unstable();
    Ok(names)
}

fn run(
    container: &Container,
    access: &Access,
    script: &str,
    path: &SandboxPath,
    len_max: u64,
    doing: &str,
) -> Result<Vec<u8>> {
    let mut exec = container
        .exec(["sh", "-c", script, "sh", path.as_str()])
        .env("LC_ALL", "C")
        .no_timeout()
        .unrecorded() // It is no command of anybody's.
        .max_output(len_max);
    if let Some(user) = access.script_user() {
        exec = exec.user(user);
    }
    let result = exec.run()?;
    if result.truncated() {
        return Err(Error::io(doing, io::ErrorKind::FileTooLarge.into()));
    }
    if result.ok() {
        return Ok(result.stdout);
    }
    let stderr = result.stderr_text();
    let mut lines = stderr.lines().rev();
    Err(match lines.find_map(|line| line.strip_prefix("pd fail ")) {
        Some(words) => script::said_error(words),
        None => Error::io(doing, io::Error::other(stderr.trim().to_owned())),
    })
}
