//! Small execs of our own beside the caller's: one line of answer, then done with.
//!
//! Docker may hold back the end of an exec's stream for seconds while another exec's child
//! holds its own, so the answer is taken as soon as its line is there.

use std::io::{self, Read};
use std::time::Duration;

use crate::container::launch;
use crate::engine::client::{Client, Streaming};
use crate::engine::deadline::Deadline;
use crate::engine::exec::{self, ExecConfig};
use crate::error::{Error, Result};
use crate::wire::frame::{Demuxer, Stream};

/// The most output that is looked through for the answer.
const OUTPUT_LEN_MAX: usize = 64 * 1024;

/// Runs a command and gives the first line of its stdout that begins with `marker`.
///
/// # Errors
///
/// As [`exec::create`]; [`Error::CommandNotFound`] and [`Error::CommandNotExecutable`] if it
/// cannot be started; [`Error::Protocol`] if it ends without the line; [`Error::Timeout`].
pub(crate) fn answer(
    client: &Client,
    container: &str,
    config: &ExecConfig,
    marker: &str,
    timeout: Duration,
) -> Result<String> {
    open(client, container, config, marker, timeout).map(|(line, _)| line)
}

/// The same, giving the connection as well, for a command that goes on after its answer.
///
/// # Errors
///
/// As [`answer`].
pub(crate) fn open(
    client: &Client,
    container: &str,
    config: &ExecConfig,
    marker: &str,
    timeout: Duration,
) -> Result<(String, Streaming)> {
    let id = exec::create(client, container, config)?;
    let mut streaming = exec::start(client, &id, false)?;
    streaming
        .body
        .connection_mut()
        .set_deadline(Deadline::after(timeout));
    let mut demuxer = Demuxer::default();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut buffer = vec![0; 4096];
    loop {
        let n = read(&mut streaming, &mut buffer)?;
        if let Some(line) = line_of(&stdout, marker) {
            return Ok((line, streaming));
        }
        if n == 0 || OUTPUT_LEN_MAX < stdout.len() + stderr.len() {
            break;
        }
        let mut input = buffer.get(..n).unwrap_or_default();
        while let Ok(Some((stream, piece))) = demuxer.next(&mut input) {
            match stream {
                Stream::Stdout => stdout.extend_from_slice(piece),
                Stream::Stderr | Stream::System => stderr.extend_from_slice(piece),
            }
        }
        if let Some(line) = line_of(&stdout, marker) {
            return Ok((line, streaming));
        }
    }
    if !demuxer.at_boundary() && stdout.len() + stderr.len() <= OUTPUT_LEN_MAX {
        return Err(streaming.failure(&io::ErrorKind::UnexpectedEof.into()));
    }
    let state = exec::inspect(client, &id)?;
    let text = if stdout.is_empty() { &stderr } else { &stdout };
    let failure = state.and_then(|state| launch::failure(&state, text, &config.command, container));
    Err(failure.unwrap_or_else(|| Error::Protocol {
        endpoint: streaming.endpoint.clone(),
        message: format!(
            "a helper ended without an answer: {}",
            String::from_utf8_lossy(text).trim().escape_debug()
        ),
    }))
}

fn read(streaming: &mut Streaming, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match streaming.body.read(buffer) {
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            Err(error) => return Err(streaming.failure(&error)),
        }
    }
}

/// The first complete line that begins with `marker`, without its end.
fn line_of(output: &[u8], marker: &str) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let mut lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let line = lines.find(|line| line.starts_with(marker))?;
    Some(line.trim_end().to_owned())
}
