//! Cuts a byte stream at character boundaries.
//!
//! A read from a socket may end in the middle of a character. [`Splitter`] holds back the bytes of
//! such a character until the rest has come, so that no piece it gives out ends inside one, and
//! decoding the pieces one by one gives the same text as decoding the whole.
//!
//! Bytes are neither changed nor dropped: what is not UTF-8 passes through at once, because nothing
//! that follows could complete it. At most [`HELD_LEN_MAX`] bytes are held back.

use std::borrow::Cow;
use std::mem;
use std::str;

/// The most bytes that can be held back: all but the last byte of the longest character.
///
/// ```
/// use pocketdock_core::wire::utf8::{HELD_LEN_MAX, complete_len};
///
/// let crab = "🦀".as_bytes(); // Four bytes, the longest a character can be.
/// assert_eq!(complete_len(&crab[..HELD_LEN_MAX]), 0);
/// assert_eq!(complete_len(crab), 4);
/// ```
pub const HELD_LEN_MAX: usize = 3;

/// How many bytes of `bytes` may be given out without cutting a character.
///
/// The rest, at most [`HELD_LEN_MAX`] bytes, is the valid start of a character.
///
/// ```
/// use pocketdock_core::wire::utf8;
///
/// assert_eq!(utf8::complete_len("né".as_bytes()), 3);
/// assert_eq!(utf8::complete_len(b"n\xc3"), 1);
/// assert_eq!(utf8::complete_len(b"n\xff"), 2); // no byte can make this a character
/// ```
#[must_use]
pub fn complete_len(bytes: &[u8]) -> usize {
    let near_end = bytes.len().saturating_sub(HELD_LEN_MAX);
    let tail = bytes.get(near_end..).unwrap_or_default();
    let Some(lead) = tail.iter().rposition(|&byte| 0xc0 <= byte) else {
        return bytes.len();
    };
    match tail.get(lead..).map(str::from_utf8) {
        Some(Err(error)) if error.error_len().is_none() => near_end + lead,
        _ => bytes.len(),
    }
}

/// Passes a stream on in pieces that do not end inside a character.
///
/// ```
/// use pocketdock_core::wire::utf8::Splitter;
///
/// let mut splitter = Splitter::default();
/// assert_eq!(*splitter.push(b"caf\xc3"), *b"caf");
/// assert_eq!(*splitter.push(b"\xa9 \xe2"), *"é ".as_bytes());
/// assert_eq!(splitter.finish(), b"\xe2"); // the stream ended inside a character
/// ```
#[derive(Debug, Clone, Default)]
pub struct Splitter {
    /// The start of a character, at most [`HELD_LEN_MAX`] bytes.
    held: Vec<u8>,
}

impl Splitter {
    /// Takes the next bytes of the stream and gives out all that is complete by now.
    ///
    /// The piece may be empty. It borrows from `bytes` unless bytes were held back before.
    #[must_use = "the piece is the only copy of these bytes"]
    pub fn push<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.held.is_empty() {
            let (piece, rest) = bytes.split_at(complete_len(bytes));
            self.held.extend_from_slice(rest);
            return Cow::Borrowed(piece);
        }
        let mut joined = mem::take(&mut self.held);
        joined.extend_from_slice(bytes);
        self.held = joined.split_off(complete_len(&joined));
        Cow::Owned(joined)
    }

    /// Gives out what is held back, at the end of the stream.
    ///
    /// Anything but an empty answer means that the stream ended inside a character.
    #[must_use = "the bytes are not kept"]
    pub fn finish(&mut self) -> Vec<u8> {
        mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_lengths() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], usize); 18] = [
            ("empty",                       b"",                 0),
            ("ASCII",                       b"abc",              3),
            ("one of two bytes",            b"a\xc3",            1),
            ("two of two",                  b"a\xc3\xa9",        3),
            ("one of three",                b"\xe2",             0),
            ("two of three",                b"a\xe2\x82",        1),
            ("three of three",              b"\xe2\x82\xac",     3),
            ("one of four",                 b"\xf0",             0),
            ("two of four",                 b"\xf0\x9f",         0),
            ("three of four",               b"ab\xf0\x9f\x98",   2),
            ("four of four",                b"\xf0\x9f\x98\x80", 4),
            ("stray continuations",         b"\x80\x80\x80\x80", 4),
            ("overlong two",                b"\xc0",             1),
            ("overlong three",              b"\xe0\x80",         2),
            ("surrogate",                   b"\xed\xa0",         2),
            ("above U+10FFFF",              b"\xf4\x90",         2),
            ("never a lead byte",           b"\xff",             1),
            ("two starts",                  b"\xe2\xe2",         1),
        ];
        for (name, bytes, want) in cases {
            assert_eq!(complete_len(bytes), want, "{name}");
        }
    }

    /// Text of every character length, then bytes that are not UTF-8 in the ways they can be.
    const STREAM: &[u8] = b"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\
        \xff\xe2\x82a\xf0\x9f\x98\xc3\xed\xa0\x80\x80\xf0\x9f";

    #[test]
    fn any_two_cuts_give_the_same_bytes_and_text() {
        let whole = String::from_utf8_lossy(STREAM);
        for i in 0..=STREAM.len() {
            for j in i..=STREAM.len() {
                let mut splitter = Splitter::default();
                let (mut bytes, mut text) = (Vec::new(), String::new());
                for piece in [&STREAM[..i], &STREAM[i..j], &STREAM[j..]] {
                    let piece = splitter.push(piece);
                    bytes.extend_from_slice(&piece);
                    text += &String::from_utf8_lossy(&piece);
                    assert!(splitter.held.len() <= HELD_LEN_MAX);
                }
                let rest = splitter.finish();
                bytes.extend_from_slice(&rest);
                text += &String::from_utf8_lossy(&rest);
                assert_eq!(bytes, STREAM, "cut at {i} and {j}");
                assert_eq!(text, whole, "cut at {i} and {j}");
            }
        }
    }

    #[test]
    fn every_strict_prefix_of_a_character_is_held_back() {
        for character in ["é", "€", "😀", "\u{10ffff}"] {
            for len in 1..character.len() {
                let prefix = &character.as_bytes()[..len];
                let mut splitter = Splitter::default();
                assert!(splitter.push(prefix).is_empty());
                assert_eq!(splitter.finish(), prefix, "{character} cut at {len}");
                assert!(splitter.finish().is_empty());
            }
        }
    }

    #[test]
    fn one_byte_at_a_time_gives_whole_characters() {
        let text = "aé€😀z";
        let mut splitter = Splitter::default();
        let pieces: Vec<_> = text
            .bytes()
            .map(|byte| splitter.push(&[byte]).into_owned())
            .filter(|piece| !piece.is_empty())
            .map(|piece| String::from_utf8(piece).unwrap())
            .collect();
        assert_eq!(pieces, ["a", "é", "€", "😀", "z"]);
    }

    /// Every sequence of four bytes of a vocabulary that has each class of byte.
    #[test]
    fn what_is_held_back_can_always_be_completed() {
        const BYTES: [u8; 14] = [
            b'a', 0x80, 0x90, 0xa0, 0xbf, 0xc1, 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff,
        ];
        for n in 0..BYTES.len().pow(4) {
            let bytes: Vec<u8> = (0..4).map(|i| BYTES[n / BYTES.len().pow(i) % 14]).collect();
            let (complete, held) = bytes.split_at(complete_len(&bytes));
            let lossy = String::from_utf8_lossy(complete) + String::from_utf8_lossy(held);
            assert_eq!(lossy, String::from_utf8_lossy(&bytes));
            if !held.is_empty() {
                let error = str::from_utf8(held).unwrap_err();
                assert_eq!((error.valid_up_to(), error.error_len()), (0, None));
            }
        }
    }
}
