//! Where the output of a command goes: to our own streams, or into JSON.
//!
//! ```text
//! Raw        stdout to stdout, stderr to stderr, byte for byte, as it arrives
//! Collected  one object at the end: {exit_code, stdout, stderr, encoding, …}, or, if it does not
//!            come to that, {error, stdout, stderr, encoding}
//! Lines      one object a piece: {stream, data, encoding}; the last line is the
//!            result without the output
//! ```
//!
//! A limit on output is the library's: what is over it never comes here, and the
//! result counts it.

use pocketdock_core::wire::value::Value;
use pocketdock_core::wire::{base64, utf8};
use pocketdock_core::{End, ExecResult, StreamChunk, StreamKind};

use crate::failure::Failure;
use crate::output::Console;

/// What becomes of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bytes.
    Raw,
    /// One JSON object.
    Collected,
    /// NDJSON.
    Lines,
}

/// Takes the pieces of a command's output and, at last, its result.
#[derive(Debug)]
pub(crate) struct Sink {
    form: Form,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Sink {
    pub(crate) fn new(form: Form) -> Self {
        Self {
            form,
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }

    /// Passes on a piece.
    pub(crate) fn take(
        &mut self,
        chunk: &StreamChunk,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        let data = chunk.data.as_slice();
        match (self.form, chunk.stream) {
            (Form::Raw, StreamKind::Stdout) => console.out.write_all(data)?,
            (Form::Raw, StreamKind::Stderr) => console.err.write_all(data)?,
            (Form::Collected, StreamKind::Stdout) => self.stdout.extend_from_slice(data),
            (Form::Collected, StreamKind::Stderr) => self.stderr.extend_from_slice(data),
            (Form::Lines, stream) => console.print_json(&line(stream, data))?,
        }
        Ok(())
    }

    /// What could not be brought to its end, with the output that had come by then.
    pub(crate) fn cut_short(self, cause: Failure) -> Failure {
        if self.stdout.is_empty() && self.stderr.is_empty() {
            return cause;
        }
        Failure::CutShort {
            cause: Box::new(cause),
            output: stream_fields(&self.stdout, &self.stderr).to_vec(),
        }
    }

    /// Prints the result where the form has one.
    pub(crate) fn finish(
        self,
        result: &ExecResult,
        console: &mut Console<'_>,
    ) -> Result<(), Failure> {
        match self.form {
            Form::Raw => Ok(()),
            Form::Lines => console.print_json(&result_value(result, None)),
            Form::Collected => {
                let (mut stdout, mut stderr) = (self.stdout, self.stderr);
                if result.truncated() {
                    drop_half_character(&mut stdout);
                    drop_half_character(&mut stderr);
                }
                console.print_json(&result_value(result, Some((&stdout, &stderr))))
            }
        }
    }
}

/// A limit that fell inside a character would make base64 of all the output.
fn drop_half_character(output: &mut Vec<u8>) {
    output.truncate(utf8::complete_len(output));
}

/// `{"stream":"stdout","data":…,"encoding":…}`
fn line(stream: StreamKind, data: &[u8]) -> Value {
    Value::object(piece_fields(stream, data))
}

/// The fields of a piece of output, which are base64 where it is no text.
pub(crate) fn piece_fields(stream: StreamKind, data: &[u8]) -> [(&'static str, Value); 3] {
    let name = match stream {
        StreamKind::Stdout => "stdout",
        StreamKind::Stderr => "stderr",
    };
    let (data, encoding) = match std::str::from_utf8(data) {
        Ok(text) => (text.to_owned(), "utf-8"),
        Err(_) => (base64::encode(data), "base64"),
    };
    [
        ("stream", name.into()),
        ("data", data.into()),
        ("encoding", encoding.into()),
    ]
}

fn result_value(result: &ExecResult, streams: Option<(&[u8], &[u8])>) -> Value {
    let mut fields = vec![("exit_code", Value::from(result.exit_code))];
    if let Some((stdout, stderr)) = streams {
        fields.extend(stream_fields(stdout, stderr));
    }
    fields.push(("duration_ms", result.duration_ms().into()));
    fields.push(("timed_out", result.timed_out().into()));
    fields.push(("truncated", result.truncated().into()));
    let (end, signal) = match result.end {
        End::Exited => ("exited", None),
        End::Signaled(signal) => ("signaled", Some(signal)),
        End::TimedOut => ("timed_out", None),
        End::OomKilled => ("oom_killed", None),
        _ => ("other", None),
    };
    fields.push(("end", end.into()));
    fields.extend(signal.map(|signal| ("signal", signal.into())));
    Value::object(fields)
}

/// Both streams have one encoding, so that a reader looks in one place.
fn stream_fields(stdout: &[u8], stderr: &[u8]) -> [(&'static str, Value); 3] {
    let (out, err, encoding) = match (std::str::from_utf8(stdout), std::str::from_utf8(stderr)) {
        (Ok(out), Ok(err)) => (out.to_owned(), err.to_owned(), "utf-8"),
        _ => (base64::encode(stdout), base64::encode(stderr), "base64"),
    };
    [
        ("stdout", out.into()),
        ("stderr", err.into()),
        ("encoding", encoding.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use pocketdock_core::wire::json;

    #[test]
    fn a_character_cut_by_the_limit_does_not_make_base64() {
        let mut output = "a\u{e9}".as_bytes()[..2].to_vec();
        drop_half_character(&mut output);
        assert_eq!(output, b"a");
    }

    #[test]
    fn bytes_that_are_no_text_are_base64_in_both_streams() {
        let fields = Value::object(stream_fields(b"a", b"\xff"));
        let want = r#"{"stdout":"YQ==","stderr":"/w==","encoding":"base64"}"#;
        assert_eq!(json::to_string(&fields), want);
        let value = line(StreamKind::Stderr, "\u{e9}\n".as_bytes());
        assert_eq!(
            json::to_string(&value),
            r#"{"stream":"stderr","data":"é\n","encoding":"utf-8"}"#
        );
    }
}
