//! A small look into a sandbox that runs: one file, the names in one directory.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use crate::container::attached::Pace;
use crate::container::embed::embed;
use crate::container::exec::take_under_cap;
use crate::container::files::access::Access;
use crate::container::files::path::SandboxPath;
use crate::container::files::script;
use crate::container::handle::Container;
use crate::container::kill::{Scope, Signal};
use crate::container::output::StreamKind;
use crate::container::record::RecordKind;
use crate::error::{Error, Result};

const READ: &str = embed!("read.sh");
const LIST: &str = embed!("list.sh");

/// What both scripts write behind everything. Output that ends between two frames looks whole.
const END: &[u8] = b"pd done";

/// What a list of names may take up.
pub(crate) const NAMES_LEN_MAX: u64 = 64 * 1024 * 1024;

/// What a script may say of itself, in bytes.
const WORDS_LEN_MAX: u64 = 64 * 1024;

/// How fast what is read has to come at least, in bytes per second; once the engine's patience is
/// used up, anything slower is taken for something that never ends.
const RATE_MIN: u64 = 64 * 1024;

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
        .unrecorded(); // It is no command of anybody's.
    if let Some(user) = access.script_user() {
        exec = exec.user(user);
    }
    let mut started = exec.start(Pace::WAITING, RecordKind::Run)?;
    let mut heard = Heard::new(
        len_max.saturating_add(END.len() as u64),
        container.client().timeout(),
    );
    loop {
        match started.step(&mut |kind, piece| heard.take(kind, piece))? {
            Some(ended) if ended.exit_code == 0 && !heard.is_too_long => {
                return whole(heard.stdout);
            }
            Some(_) => return Err(heard.failure(doing)),
            None if heard.is_enough() => {
                // Best effort: what does not end is not what was started.
                let _gone = started.attached.target().kill(Signal::KILL, Scope::Tree);
                return Err(heard.refusal(doing));
            }
            None => {}
        }
    }
}

/// What a script has written so far, and for how long it may go on.
struct Heard {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    len_max: u64,
    is_too_long: bool,
    began: Instant,
    patience: Duration,
}

impl Heard {
    fn new(len_max: u64, patience: Duration) -> Self {
        Heard {
            stdout: Vec::new(),
            stderr: Vec::new(),
            len_max,
            is_too_long: false,
            began: Instant::now(),
            patience,
        }
    }

    fn take(&mut self, kind: StreamKind, piece: &[u8]) {
        let (kept, len_max) = match kind {
            StreamKind::Stdout => (&mut self.stdout, self.len_max),
            StreamKind::Stderr => (&mut self.stderr, WORDS_LEN_MAX),
        };
        let mut room = len_max.saturating_sub(kept.len() as u64);
        let taken = take_under_cap(&mut room, piece);
        kept.extend_from_slice(taken);
        self.is_too_long |= taken.len() < piece.len();
    }

    /// Whether there is no point in listening on.
    fn is_enough(&self) -> bool {
        let seconds = self.stdout.len() as u64 / RATE_MIN;
        let allowed = self.patience.saturating_add(Duration::from_secs(seconds));
        self.is_too_long || allowed < self.began.elapsed()
    }

    fn refusal(&self, doing: &str) -> Error {
        match self.is_too_long {
            true => Error::io(doing, io::ErrorKind::FileTooLarge.into()),
            false => Error::Timeout {
                waiting_for: format!("the script to {doing}"),
                timeout: self.patience,
            },
        }
    }

    /// Why there is no content.
    fn failure(&self, doing: &str) -> Error {
        let stderr = String::from_utf8_lossy(&self.stderr);
        let mut lines = stderr.lines().rev();
        match lines.find_map(|line| line.strip_prefix("pd fail ")) {
            Some(words) => script::said_error(words),
            None if self.is_too_long => self.refusal(doing),
            None => Error::io(doing, io::Error::other(stderr.trim().to_owned())),
        }
    }
}

/// What a script has given out, if it came to its end.
fn whole(mut output: Vec<u8>) -> Result<Vec<u8>> {
    let len = output.strip_suffix(END).map(<[u8]>::len);
    let len = len.ok_or_else(|| Error::SocketCommunication {
        endpoint: "POST /exec/…/start".to_owned(),
        reason: "the output of a script was cut off".to_owned(),
        output: Box::default(),
    })?;
    output.truncate(len);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_say_its_end_is_cut_off() {
        assert_eq!(whole(b"apd done".to_vec()).unwrap(), b"a");
        assert_eq!(whole(b"pd donepd done".to_vec()).unwrap(), b"pd done");
        for cut in ["", "a", "apd don", "pd done\n"] {
            let error = whole(cut.into()).unwrap_err();
            assert!(matches!(error, Error::SocketCommunication { .. }), "{cut}");
        }
    }
}
