//! The last output of a process: a buffer that drops its oldest bytes when it is full.
//!
//! Both streams share the room. Bytes lie in one queue in the order they came, with the lengths
//! of the runs that belong to one stream beside it; the queue grows as it fills. What is dropped is
//! counted, and never leaves half of a UTF-8 character at the beginning of a stream.

use std::collections::VecDeque;

use crate::container::output::StreamKind;

/// The output that a process has given and nobody has read.
///
/// ```no_run
/// # let sandbox = pocketdock_core::Engine::detect()?.open("box")?;
/// let job = sandbox.exec("make").buffer_len(64 * 1024).detach()?;
/// let so_far = job.read();
/// println!("{}", String::from_utf8_lossy(&so_far.stdout));
/// println!("{} bytes came too fast", job.buffer_overflow());
/// # Ok::<(), pocketdock_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferSnapshot {
    /// Bytes of standard output.
    pub stdout: Vec<u8>,
    /// Bytes of standard error.
    pub stderr: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct RingBuffer {
    bytes: VecDeque<u8>,
    runs: VecDeque<Run>,
    len_max: usize,
    dropped_len: u64,
}

/// Neighbouring bytes of one stream.
#[derive(Debug, Clone, Copy)]
struct Run {
    stream: StreamKind,
    len: usize,
}

impl RingBuffer {
    pub(crate) fn new(len_max: usize) -> Self {
        RingBuffer {
            bytes: VecDeque::new(),
            runs: VecDeque::new(),
            len_max,
            dropped_len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn dropped_len(&self) -> u64 {
        self.dropped_len
    }

    pub(crate) fn push(&mut self, stream: StreamKind, piece: &[u8]) {
        // Of a piece larger than everything only the end will stay.
        let skipped = piece.len().saturating_sub(self.len_max);
        let kept = piece.get(skipped..).unwrap_or_default();
        self.dropped_len += skipped as u64;
        self.make_room(kept.len());
        self.bytes.extend(kept);
        match self.runs.back_mut() {
            Some(last) if last.stream == stream => last.len += kept.len(),
            _ if kept.is_empty() => {}
            _ => self.runs.push_back(Run {
                stream,
                len: kept.len(),
            }),
        }
        if 0 < skipped {
            self.drop_continuation(stream);
        }
    }

    /// Drops from the front until `len` more bytes fit.
    fn make_room(&mut self, len: usize) {
        let mut excess = (self.bytes.len() + len).saturating_sub(self.len_max);
        let mut cut = None;
        while 0 < excess {
            let Some(run) = self.runs.front_mut() else {
                break;
            };
            let n = run.len.min(excess);
            run.len -= n;
            cut = (0 < run.len).then_some(run.stream);
            if run.len == 0 {
                self.runs.pop_front();
            }
            self.drop_front(n);
            excess -= n;
        }
        if let Some(stream) = cut {
            self.drop_continuation(stream);
        }
    }

    /// Drops the rest of a character whose beginning was dropped from the front run.
    fn drop_continuation(&mut self, stream: StreamKind) {
        for _ in 0..3 {
            let Some(run) = self.runs.front_mut() else {
                return;
            };
            let first = self.bytes.front().copied().unwrap_or_default();
            if run.stream != stream || first & 0b1100_0000 != 0b1000_0000 {
                return;
            }
            run.len -= 1;
            if run.len == 0 {
                self.runs.pop_front();
            }
            self.drop_front(1);
        }
    }

    fn drop_front(&mut self, n: usize) {
        self.bytes.drain(..n);
        self.dropped_len += n as u64;
    }

    /// What is in the buffer.
    pub(crate) fn peek(&self) -> BufferSnapshot {
        let mut snapshot = BufferSnapshot::default();
        let mut bytes = self.bytes.iter().copied();
        for run in &self.runs {
            let run_bytes = bytes.by_ref().take(run.len);
            match run.stream {
                StreamKind::Stdout => snapshot.stdout.extend(run_bytes),
                StreamKind::Stderr => snapshot.stderr.extend(run_bytes),
            }
        }
        snapshot
    }

    /// What is in the buffer, which is empty then.
    pub(crate) fn take(&mut self) -> BufferSnapshot {
        let snapshot = self.peek();
        self.bytes = VecDeque::new();
        self.runs = VecDeque::new();
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StreamKind::{Stderr, Stdout};

    type Piece<'a> = (StreamKind, &'a str);

    fn filled(len_max: usize, pieces: &[Piece<'_>]) -> RingBuffer {
        let mut ring = RingBuffer::new(len_max);
        for (stream, piece) in pieces {
            ring.push(*stream, piece.as_bytes());
        }
        ring
    }

    #[test]
    fn the_oldest_goes_first_whichever_stream_it_is_of() {
        #[rustfmt::skip] // one case per line
        let cases: [(usize, &[Piece<'_>], &str, &str, u64); 7] = [
            (4, &[(Stdout, "ab"), (Stderr, "cd")],                "ab", "cd",   0),
            (4, &[(Stdout, "ab"), (Stderr, "cd"), (Stdout, "e")], "be", "cd",   1),
            (4, &[(Stdout, "ab"), (Stderr, "cdef")],              "",   "cdef", 2),
            (4, &[(Stdout, "abcdefgh")],                          "efgh", "",   4),
            (4, &[(Stdout, "ab"), (Stdout, "")],                  "ab", "",     0),
            (0, &[(Stdout, "ab")],                                "",   "",     2),
            (4, &[(Stderr, "x"), (Stdout, "abcdefgh")],           "efgh", "",   5),
        ];
        for (len_max, pieces, stdout, stderr, dropped) in cases {
            let ring = filled(len_max, pieces);
            let BufferSnapshot {
                stdout: out,
                stderr: err,
            } = ring.peek();
            assert_eq!(
                (&out[..], &err[..]),
                (stdout.as_bytes(), stderr.as_bytes()),
                "{pieces:?}"
            );
            assert_eq!(ring.dropped_len(), dropped, "{pieces:?}");
            assert_eq!(ring.len(), out.len() + err.len());
        }
    }

    #[test]
    fn no_character_is_left_in_halves() {
        for len_max in 0..12 {
            for piece in ["äöü€", "€€€€", "a𝄞b𝄞c"] {
                let mut ring = RingBuffer::new(len_max);
                for character in piece.chars() {
                    ring.push(Stdout, character.to_string().as_bytes());
                }
                let whole = filled(len_max, &[(Stdout, piece)]);
                for ring in [ring, whole] {
                    let kept = ring.peek().stdout;
                    let text = std::str::from_utf8(&kept).unwrap();
                    assert!(piece.ends_with(text), "{piece} in {len_max}: {text}");
                    assert_eq!(ring.dropped_len() + kept.len() as u64, piece.len() as u64);
                }
            }
        }
    }

    #[test]
    fn taking_empties_it_and_keeps_the_count() {
        let mut ring = filled(2, &[(Stdout, "abc")]);
        assert_eq!(ring.take().stdout, b"bc");
        assert_eq!((ring.len(), ring.dropped_len()), (0, 1));
        assert_eq!(ring.take(), BufferSnapshot::default());
    }
}
