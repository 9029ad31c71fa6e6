//! Strict unsigned numbers from bytes.
//!
//! Lengths, chunk sizes and tar fields arrive as digits from a peer. The parsers in std accept a
//! leading plus sign, which has been an HTTP request-smuggling hole elsewhere (a chunk size of
//! `+5`), so every number off the wire goes through here.
//!
//! A number is one or more digits and nothing else: no sign, no space, no separator. Leading zeros
//! are allowed. A number above `u64::MAX` is refused, never wrapped or clamped.

/// The most digits [`hex`] takes, which is what a `u64` can hold.
///
/// Longer runs are refused even if they start with zeros: no honest peer sends them.
///
/// ```
/// use pocketdock_core::wire::digits::{self, HEX_DIGITS_MAX};
///
/// assert_eq!(digits::hex("f".repeat(HEX_DIGITS_MAX).as_bytes()), Some(u64::MAX));
/// assert_eq!(digits::hex("0".repeat(HEX_DIGITS_MAX + 1).as_bytes()), None);
/// ```
pub const HEX_DIGITS_MAX: usize = 16;

/// Reads an unsigned decimal number.
///
/// ```
/// use pocketdock_core::wire::digits;
///
/// assert_eq!(digits::decimal(b"1024"), Some(1024));
/// assert_eq!(digits::decimal(b"+5"), None);
/// assert_eq!(digits::decimal(b"18446744073709551616"), None);
/// ```
#[must_use]
pub fn decimal(bytes: &[u8]) -> Option<u64> {
    number(bytes, 10)
}

/// Reads an unsigned hexadecimal number of at most [`HEX_DIGITS_MAX`] digits, in either case.
///
/// ```
/// use pocketdock_core::wire::digits;
///
/// assert_eq!(digits::hex(b"1fF"), Some(511));
/// assert_eq!(digits::hex(b"0x1"), None);
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> Option<u64> {
    if HEX_DIGITS_MAX < bytes.len() {
        return None;
    }
    number(bytes, 16)
}

/// Reads an unsigned octal number.
///
/// ```
/// use pocketdock_core::wire::digits;
///
/// assert_eq!(digits::octal(b"0000644"), Some(0o644));
/// assert_eq!(digits::octal(b"8"), None);
/// ```
#[must_use]
pub fn octal(bytes: &[u8]) -> Option<u64> {
    number(bytes, 8)
}

fn number(bytes: &[u8], radix: u32) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u64, |number, &byte| {
        let digit = char::from(byte).to_digit(radix)?;
        number.checked_mul(radix.into())?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Option<u64>); 14] = [
            ("empty",            b"",                     None),
            ("zero",             b"0",                    Some(0)),
            ("leading zeros",    b"000000000000000000000007", Some(7)),
            ("plain",            b"1234567890",           Some(1_234_567_890)),
            ("maximum",          b"18446744073709551615", Some(u64::MAX)),
            ("maximum plus one", b"18446744073709551616", None),
            ("far too long",     b"99999999999999999999999999999", None),
            ("plus",             b"+5",                   None),
            ("minus",            b"-5",                   None),
            ("space before",     b" 5",                   None),
            ("space after",      b"5 ",                   None),
            ("separator",        b"1_000",                None),
            ("hex digit",        b"a",                    None),
            ("not ASCII",        "٣".as_bytes(),          None),
        ];
        for (name, input, want) in cases {
            assert_eq!(decimal(input), want, "{name}");
        }
    }

    #[test]
    fn hex_numbers() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Option<u64>); 9] = [
            ("empty",         b"",                  None),
            ("lower case",    b"dead",              Some(0xdead)),
            ("upper case",    b"BEEF",              Some(0xbeef)),
            ("sixteen",       b"ffffffffffffffff",  Some(u64::MAX)),
            ("seventeen",     b"fffffffffffffffff", None),
            ("padded to 17",  b"00000000000000001", None),
            ("prefix",        b"0x1",               None),
            ("plus",          b"+5",                None),
            ("past the last", b"g",                 None),
        ];
        for (name, input, want) in cases {
            assert_eq!(hex(input), want, "{name}");
        }
    }

    #[test]
    fn octal_numbers() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[u8], Option<u64>); 7] = [
            ("empty",            b"",                       None),
            ("mode",             b"0000755",                Some(0o755)),
            ("maximum",          b"1777777777777777777777", Some(u64::MAX)),
            ("maximum plus one", b"2000000000000000000000", None),
            ("eight",            b"8",                      None),
            ("plus",             b"+5",                     None),
            ("NUL",              b"7\0",                    None),
        ];
        for (name, input, want) in cases {
            assert_eq!(octal(input), want, "{name}");
        }
    }

    /// Every sequence of up to three words of a small vocabulary, against a model made of `char`s.
    #[test]
    fn small_vocabulary() {
        const WORDS: [&str; 9] = ["", "0", "7", "9", "f", "+", "-", " ", "_"];
        for a in WORDS {
            for b in WORDS {
                for c in WORDS {
                    let text = format!("{a}{b}{c}");
                    let is_digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
                    let want = is_digits.then(|| text.parse::<u64>().unwrap());
                    assert_eq!(decimal(text.as_bytes()), want, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn every_number_survives_a_round_trip() {
        let powers = (0..64).map(|shift| 1_u64 << shift);
        for number in powers.flat_map(|n| [n - 1, n, n + 1]).chain([u64::MAX]) {
            assert_eq!(decimal(format!("{number}").as_bytes()), Some(number));
            assert_eq!(hex(format!("{number:x}").as_bytes()), Some(number));
            assert_eq!(octal(format!("{number:o}").as_bytes()), Some(number));
        }
    }
}
