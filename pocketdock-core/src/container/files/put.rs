//! Into a sandbox that runs: an archive for the `tar` in it, on the input of a script.
//!
//! The script finds the place, says whose the files are to be, and unpacks; its words are listened
//! to while the archive is sent, so that one that gives up early does not leave us writing.
//!
//! Much in few files goes another way on Podman, whose archive endpoint sees what code in the
//! sandbox sees and locks nothing: the engine unpacks, and the script does the rest. An exec's
//! input passes through more hands, for which small files make up by being unpacked in one go.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::container::embed::embed;
use crate::container::files::access::Access;
use crate::container::files::cargo::Cargo;
use crate::container::files::endpoint;
use crate::container::files::meter::Meter;
use crate::container::files::pack::{Closed, Failure, Owner, Source};
use crate::container::files::path::SandboxPath;
use crate::container::files::report::CopyReport;
use crate::container::files::script::Script;
use crate::container::handle::Container;
use crate::engine::EngineKind;
use crate::error::{Error, Result};
use crate::host;
use crate::wire::digits;

const SCRIPT: &str = embed!("put.sh");
const CLOSE: &str = embed!("close.sh");

/// How much of a list is written at a time.
const BUFFER_LEN: usize = 16 * 1024;

/// What a file is called in an archive for something new.
const ENTRY: &[u8] = b"entry";

/// Sends it.
///
/// # Errors
///
/// [`Error::CommandNotFound`] if the sandbox lacks `sh` or `tar`; nothing was sent then.
pub(crate) fn put(
    container: &Container,
    access: &Access,
    cargo: &mut Cargo<'_>,
    dest: &SandboxPath,
    meter: &mut Meter<'_>,
) -> Result<CopyReport> {
    let how = match cargo {
        Cargo::Write(_) => "write",
        _ if cargo.needs_directory(dest) => "into",
        _ => "copy",
    };
    let (is_dir, name) = (cargo.is_dir(), cargo.name());
    let arguments = [
        how,
        dest.as_str(),
        &escaped(if name.is_empty() { b"." } else { name }),
        if is_dir { "dir" } else { "file" },
        &access.user,
        &access.group,
        &format!("pocketdock-{}", host::random_hex::<8>()?),
        if is_for_engine(access, cargo) {
            "engine"
        } else {
            "stdin"
        },
    ];
    let courier = Courier {
        container,
        access,
        doing: format!("write '{}' in the sandbox", dest.as_str()),
    };
    let (mut script, place) = courier.start(&arguments)?;
    let name: &[u8] = if is_dir { b"." } else { ENTRY };
    let report = exchange(&mut script, &courier.doing, &mut |out| {
        if !place.is_new && is_dir {
            announce(cargo, out)?;
        }
        let mut pack =
            |out: &mut dyn Write| cargo.pack(name, place.is_new, place.owner, out, meter);
        let Some(path) = &place.engines else {
            return pack(out);
        };
        let report = endpoint::put::send(container, path, &courier.doing, &mut pack)?;
        out.write_all(b"unpacked\n").map_err(Failure::Sink)?;
        Ok(report)
    })?;
    if place.engines.is_some() || place.is_done_by_tar {
        return Ok(report);
    }
    courier.settle(cargo, arguments, &place, dest)?;
    Ok(report)
}

/// Who talks with the scripts of one copy.
struct Courier<'a> {
    container: &'a Container,
    access: &'a Access,
    doing: String,
}

impl Courier<'_> {
    fn start(&self, arguments: &[&str]) -> Result<(Script, Ready)> {
        let user = self.access.script_user();
        let mut script = Script::start(self.container, user, SCRIPT, arguments, true)?;
        let ready = ready(&script.hear()?)?;
        // A write that takes this long is waited for in vain.
        let _unsupported = script
            .input()
            .set_write_timeout(Some(self.container.client().timeout()));
        Ok((script, ready))
    }

    /// Gives directories what that `tar` does not.
    fn settle(
        &self,
        cargo: &mut Cargo<'_>,
        arguments: [&str; 8],
        place: &Ready,
        dest: &SandboxPath,
    ) -> Result<()> {
        let closed = match cargo {
            Cargo::Copy(source) if source.is_dir() => {
                // What was new is there by now, and would be taken for a directory to go into.
                let mut again = arguments;
                if place.is_named {
                    (again[0], again[2]) = ("into", ".");
                }
                self.send_directories(&again, source, place.is_new)?
            }
            Cargo::Spent(closed) => std::mem::take(closed),
            Cargo::Copy(_) | Cargo::Write(_) | Cargo::Unpack(_) => Vec::new(),
        };
        if !closed.is_empty() {
            let mut dir = escaped(dest.as_str().as_bytes());
            if !place.is_named {
                dir = [&dir, "/", arguments[2]].concat();
            }
            self.close(&closed, &dir)?;
        }
        Ok(())
    }

    /// Sends the directories once more, for their modes and times; those that are closed.
    fn send_directories(
        &self,
        arguments: &[&str],
        source: &Source,
        with_top: bool,
    ) -> Result<Vec<Closed>> {
        let (mut script, merged) = self.start(arguments)?;
        let mut closed = Vec::new();
        exchange(&mut script, &self.doing, &mut |out| {
            out.write_all(b"\n").map_err(Failure::Sink)?; // They have been announced.
            closed = source.pack_directories(with_top, merged.owner, out)?;
            Ok(CopyReport::default())
        })?;
        Ok(closed)
    }

    /// Closes directories in `dir`, which is escaped.
    fn close(&self, closed: &[Closed], dir: &str) -> Result<()> {
        let mut lines = String::new();
        for Closed { path, mode } in closed {
            lines += &format!("{mode:o} {}\n", escaped(path));
        }
        let user = self.access.script_user();
        let mut script = Script::start(self.container, user, CLOSE, &[dir], true)?;
        exchange(&mut script, &self.doing, &mut |out| {
            out.write_all(lines.as_bytes()).map_err(Failure::Sink)?;
            Ok(CopyReport::default())
        })?;
        Ok(())
    }
}

/// Tells which directories come, for the script to see whether something else is in the place of
/// one. A name with a newline in it cannot be told; of an archive they are not known.
fn announce(cargo: &Cargo<'_>, out: &mut dyn Write) -> std::result::Result<(), Failure> {
    let mut out = io::BufWriter::with_capacity(BUFFER_LEN, out);
    if let Cargo::Copy(source) = cargo {
        let mut written = Ok(());
        source.for_each_directory(&mut |below| {
            let name = below.as_os_str().as_bytes();
            if !name.is_empty() && !name.contains(&b'\n') && written.is_ok() {
                written = out.write_all(name).and_then(|()| out.write_all(b"\n"));
            }
            Ok(())
        })?;
        written.map_err(Failure::Sink)?;
    }
    out.write_all(b"\n").map_err(Failure::Sink)?;
    out.flush().map_err(Failure::Sink)
}

/// Whether the engine is to unpack it.
fn is_for_engine(access: &Access, cargo: &Cargo<'_>) -> bool {
    match cargo {
        Cargo::Copy(source) => access.kind == EngineKind::Podman && source.has_large_files(),
        Cargo::Write(_) | Cargo::Unpack(_) | Cargo::Spent(_) => false,
    }
}

/// What the script has found.
#[derive(Debug, PartialEq, Eq)]
struct Ready {
    owner: Owner,
    /// Whether nothing is at the place; else there is a directory.
    is_new: bool,
    /// Whether what is new is called as the destination says.
    is_named: bool,
    /// Whether `tar` gives directories their times when all is in them, and their modes whoever
    /// runs it: GNU's. That of busybox makes links after that, and is silent about modes without
    /// root.
    is_done_by_tar: bool,
    /// Where the engine is to unpack, if not the script.
    engines: Option<String>,
}

/// Reads `ready UID GID new|named|merge gnu|other [PLACE]`.
fn ready(words: &str) -> Result<Ready> {
    let mut words_left = words.strip_prefix("ready ").unwrap_or_default().split(' ');
    let mut number = || digits::decimal(words_left.next().unwrap_or_default().as_bytes());
    match (number(), number(), words_left.next(), words_left.next()) {
        (Some(uid), Some(gid), Some(mode), Some(flavour)) => {
            let is_done_by_tar = flavour == "gnu";
            let engines = words_left.next().map(str::to_owned);
            Ok(Ready {
                owner: Owner {
                    uid,
                    gid,
                    keeps_rights: !is_done_by_tar && engines.is_none(),
                },
                is_new: matches!(mode, "new" | "named"),
                is_named: mode == "named",
                is_done_by_tar,
                engines,
            })
        }
        _ => Err(Error::io(
            "find the owner of files in the sandbox",
            io::Error::other(format!("its user has no number: {}", words.escape_debug())),
        )),
    }
}

/// Writes while the script is listened to, and waits for its last words.
fn exchange(
    script: &mut Script,
    doing: &str,
    write: &mut dyn FnMut(&mut dyn Write) -> std::result::Result<CopyReport, Failure>,
) -> Result<CopyReport> {
    let is_sent = AtomicBool::new(false);
    let input = script.input();
    let (sent, said) = thread::scope(|scope| {
        let listener = thread::Builder::new()
            .name("pocketdock-put".to_owned())
            .spawn_scoped(scope, || listen(script, doing, &is_sent))
            .map_err(|error| Error::io("start a thread", error))?;
        let mut out = &*input;
        let sent = write(&mut out);
        is_sent.store(true, Ordering::Release);
        // What is cut off here, tar does not take for an end.
        let how = if is_stuck(&sent) {
            Shutdown::Both
        } else {
            Shutdown::Write
        };
        let _closed_already = input.shutdown(how);
        let said = listener.join().unwrap_or_else(|_panic| {
            Err(Error::io(
                doing,
                io::Error::other("the listener has failed"),
            ))
        });
        Ok::<_, Error>((sent, said))
    })?;
    match (sent, said) {
        (Ok(report), Ok(())) => Ok(report),
        (Err(Failure::Source(error)), _) => Err(error),
        (sent, said) if is_stuck(&sent) => Err(said
            .err()
            .filter(is_fate)
            .unwrap_or_else(|| Error::io(doing, io::ErrorKind::TimedOut.into()))),
        (_, Err(error)) => Err(error),
        (Err(Failure::Sink(error)), Ok(())) => Err(Error::io(doing, error)),
    }
}

/// Whether the sandbox did not take what was written, for long.
fn is_stuck(sent: &std::result::Result<CopyReport, Failure>) -> bool {
    let Err(Failure::Sink(error)) = sent else {
        return false;
    };
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Whether this tells what has become of the sandbox.
fn is_fate(error: &Error) -> bool {
    matches!(
        error,
        Error::ContainerNotRunning { .. } | Error::ContainerGone { .. }
    )
}

fn listen(script: &mut Script, doing: &str, is_sent: &AtomicBool) -> Result<()> {
    loop {
        match script.finish(doing) {
            // It says nothing while it reads.
            Err(Error::Timeout { .. }) if !is_sent.load(Ordering::Acquire) => {}
            outcome => {
                script.end_input();
                return outcome;
            }
        }
    }
}

/// Bytes for `printf '%b'`, for not all of them can be in an argument.
fn escaped(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                char::from(byte).to_string()
            }
            _ => format!("\\0{byte:03o}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_for_printf() {
        assert_eq!(escaped(b"a-b_c.1"), "a-b_c.1");
        assert_eq!(escaped(b"a b\n\\\xff"), "a\\0040b\\0012\\0134\\0377");
    }

    #[test]
    fn the_words_of_a_script_that_is_ready() {
        for (words, is_new, is_named, is_done_by_tar, engines) in [
            ("ready 1000 5 new gnu", true, false, true, None),
            ("ready 1000 5 named other", true, true, false, None),
            (
                "ready 1000 5 merge other /home/.x",
                false,
                false,
                false,
                Some("/home/.x"),
            ),
        ] {
            let want = Ready {
                owner: Owner {
                    uid: 1000,
                    gid: 5,
                    keeps_rights: words.ends_with("other"),
                },
                is_new,
                is_named,
                is_done_by_tar,
                engines: engines.map(str::to_owned),
            };
            assert_eq!(ready(words).unwrap(), want, "{words}");
        }
        for words in [
            "",
            "ready",
            "ready a 5 new gnu",
            "ready 1 +5 new gnu",
            "done 0",
        ] {
            assert!(ready(words).is_err(), "{words}");
        }
    }
}
