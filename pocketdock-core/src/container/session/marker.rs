//! Finds the markers of a resident shell in its output.
//!
//! ```text
//! 1E  kind  nonce  [ : fields ]  1E
//!     I B E  16 hexadecimal digits
//! ```
//!
//! A marker stands for itself only with a nonce that is being waited for; anything else that looks
//! like one is output. Stdout and stderr come as two streams with a [`Scanner`] each.
//!
//! No I/O happens here. At most [`MARKER_LEN_MAX`] bytes are held back, those that may become a
//! marker; how the bytes were split cannot change the result.

use std::borrow::Cow;
use std::collections::VecDeque;

/// The byte at both ends, which the shells make from an escape, so that no trace of what they read
/// contains a marker.
const SEPARATOR: u8 = 0x1e;

/// The longest marker without its last byte.
pub(crate) const MARKER_LEN_MAX: usize = 128;

/// Where the fields begin.
const FIELDS_AT: usize = 2 + size_of::<Nonce>();

/// How many nonces are remembered: markers of commands that are over may come late.
const NONCES_MAX: usize = 16;

/// What tells the markers of one command from everything else.
pub(crate) type Nonce = [u8; 16];

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The shell is resident.
    Ready,
    /// The output of a command begins here.
    Begin,
    /// It ends here.
    End,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) kind: Kind,
    pub(crate) nonce: Nonce,
    /// What follows the nonce, without the colon.
    pub(crate) fields: String,
}

/// A piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Output(Cow<'a, [u8]>),
    Marker(Marker),
}

#[derive(Debug, Default)]
pub(crate) struct Scanner {
    nonces: VecDeque<Nonce>,
    /// The beginning of what may be a marker.
    held: Vec<u8>,
}

impl Scanner {
    /// From now on, takes markers with this nonce for such.
    pub(crate) fn expect(&mut self, nonce: Nonce) {
        if self.nonces.len() == NONCES_MAX {
            self.nonces.pop_front();
        }
        self.nonces.push_back(nonce);
    }

    /// Takes the next piece off the front of `input`; `None` means that it is used up.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Item<'a>> {
        if self.held.is_empty() {
            let end = input.iter().position(|&byte| byte == SEPARATOR);
            let (output, rest) = input.split_at(end.unwrap_or(input.len()));
            *input = rest;
            if !output.is_empty() {
                return Some(Item::Output(Cow::Borrowed(output)));
            }
            let (&first, rest) = input.split_first()?;
            *input = rest;
            self.held.push(first);
        }
        self.continue_marker(input)
    }

    fn continue_marker<'a>(&mut self, input: &mut &'a [u8]) -> Option<Item<'a>> {
        while let Some((&byte, rest)) = input.split_first() {
            let marker = if byte == SEPARATOR {
                self.marker()
            } else {
                None
            };
            if marker.is_none() && !self.may_continue(byte) {
                // Not a marker after all; `byte` may begin one.
                return Some(Item::Output(Cow::Owned(std::mem::take(&mut self.held))));
            }
            *input = rest;
            if let Some(marker) = marker {
                self.held.clear();
                return Some(Item::Marker(marker));
            }
            self.held.push(byte);
        }
        None
    }

    /// What is held back, at the end of the stream.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Whether what is held, and then `byte`, may be the beginning of a marker.
    fn may_continue(&self, byte: u8) -> bool {
        match self.held.len() {
            1 => kind_of(byte).is_some(),
            FIELDS_AT => byte == b':',
            len if len < FIELDS_AT => self.nonces.iter().any(|nonce| {
                let held = self.held.get(2..).unwrap_or_default();
                nonce.starts_with(held) && nonce.get(held.len()) == Some(&byte)
            }),
            len => len < MARKER_LEN_MAX && (byte == b' ' || byte.is_ascii_graphic()),
        }
    }

    /// What is held as a marker, if a separator ends it.
    fn marker(&self) -> Option<Marker> {
        let kind = kind_of(*self.held.get(1)?)?;
        let nonce = self.held.get(2..FIELDS_AT)?.try_into().ok()?;
        let fields = self.held.get(FIELDS_AT + 1..).unwrap_or_default();
        Some(Marker {
            kind,
            nonce,
            fields: String::from_utf8_lossy(fields).into_owned(),
        })
    }
}

fn kind_of(byte: u8) -> Option<Kind> {
    match byte {
        b'I' => Some(Kind::Ready),
        b'B' => Some(Kind::Begin),
        b'E' => Some(Kind::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &Nonce = b"0123456789abcdef";

    /// The output with `<kind fields>` in the place of each marker, and how much of it is held.
    fn scan(pieces: &[&[u8]]) -> (String, usize) {
        let mut scanner = Scanner::default();
        scanner.expect(*b"ffffffffffffffff");
        scanner.expect(*NONCE);
        let mut text = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(item) = scanner.next(&mut input) {
                match item {
                    Item::Output(output) => {
                        assert!(!output.is_empty());
                        text.extend_from_slice(&output);
                    }
                    Item::Marker(marker) => {
                        assert_eq!(marker.nonce, *NONCE);
                        text.extend(format!("<{:?} {}>", marker.kind, marker.fields).bytes());
                    }
                }
            }
            assert!(input.is_empty());
        }
        let held = scanner.finish();
        text.extend_from_slice(&held);
        (String::from_utf8(text).unwrap(), held.len())
    }

    const STREAM: &[u8] =
        b"a\x1e\x1eB0123456789abcdef\x1eout\x1eE012\x1eE0123456789abcdef:0:himBs:3\x1e\x1e";

    #[test]
    fn any_two_cuts_give_the_same_items() {
        let whole = scan(&[STREAM]);
        assert_eq!(whole.0, "a\u{1e}<Begin >out\u{1e}E012<End 0:himBs:3>\u{1e}");
        for i in 0..=STREAM.len() {
            for j in i..=STREAM.len() {
                let pieces = [&STREAM[..i], &STREAM[i..j], &STREAM[j..]];
                assert_eq!(scan(&pieces), whole, "cut at {i} and {j}");
            }
        }
    }

    #[test]
    fn no_split_of_anything_changes_the_items() {
        // A generator of few lines is enough to choose from what markers are made of.
        let mut state = 1_u32;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % bound
        };
        let parts: [&[u8]; 8] = [
            b"\x1e",
            b"E",
            b"B",
            b"I",
            b"0123456789abcdef",
            b":",
            b"0:himBs:3",
            b"x",
        ];
        for _ in 0..2000 {
            let stream = (0..below(12)).flat_map(|_| parts[below(8)]).copied();
            let stream: Vec<u8> = stream.collect();
            let (head, tail) = stream.split_at(below(stream.len() + 1));
            let (middle, tail) = tail.split_at(below(tail.len() + 1));
            let text = stream.escape_ascii().to_string();
            assert_eq!(scan(&[head, middle, tail]), scan(&[&stream]), "{text}");
        }
    }

    #[test]
    fn only_what_may_become_a_marker_is_held_back() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], usize); 9] = [
            ("text",            b"abc", 0),
            ("separator",       b"abc\x1e", 1),
            ("kind",            b"\x1eE", 2),
            ("no kind",         b"\x1eX", 0),
            ("part of a nonce", b"\x1eE0123", 6),
            ("another nonce",   b"\x1eE0124", 0),
            ("whole nonce",     b"\x1eE0123456789abcdef", 18),
            ("fields",          b"\x1eE0123456789abcdef:0:a", 22),
            ("no colon",        b"\x1eE0123456789abcdefx", 0),
        ];
        for (name, input, held) in cases {
            assert_eq!(scan(&[input]).1, held, "{name}");
        }
    }

    #[test]
    fn what_no_shell_prints_is_output() {
        let long = [
            b"\x1eE0123456789abcdef:".as_slice(),
            &[b'x'; MARKER_LEN_MAX],
        ]
        .concat();
        let cases: [&[u8]; 4] = [
            b"\x1eE0123456789abcde\x1e",
            b"\x1eE0123456789abcdef\n\x1e",
            b"\x1ee0123456789abcdef\x1e",
            &long,
        ];
        for input in cases {
            let text = scan(&[input]).0;
            assert_eq!(text.as_bytes(), input);
        }
    }

    #[test]
    fn a_nonce_that_nobody_waits_for_any_more_is_output() {
        let mut scanner = Scanner::default();
        scanner.expect(*NONCE);
        for n in 0..NONCES_MAX {
            let mut input = b"\x1eB0123456789abcdef\x1e".as_slice();
            assert!(
                matches!(scanner.next(&mut input), Some(Item::Marker(_))),
                "{n}"
            );
            scanner.expect(*b"ffffffffffffffff");
        }
        let mut input = b"\x1eB0123456789abcdef\x1e".as_slice();
        assert!(matches!(scanner.next(&mut input), Some(Item::Output(_))));
    }
}
