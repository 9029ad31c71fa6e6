//! Sizes such as 512m and durations such as 30s.
//!
//! ```text
//! size      NUMBER [' '] [UNIT]     UNIT: b k m g t p, also kb, kib and so on, in either case
//! duration  NUMBER | (NUMBER UNIT)+ UNIT: d h m s ms us ns, each smaller than the one before
//! NUMBER    digits ['.' digits]
//! ```
//!
//! Units of size are powers of 1024, as for `docker run --memory`; a bare number is bytes. A bare
//! duration is in seconds. Fractions are exact, rounded down to the byte or nanosecond; one that
//! would round to nothing is refused, because zero often means something else. There are no
//! signs, no exponents and no spaces but the one in a size, which [`format_size`] writes too.

use std::fmt;
use std::time::Duration;

use crate::wire::digits;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The powers of 1024 as [`format_size`] writes them, largest first.
const SIZE_UNITS: [(&str, u64); 6] = [
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Nanoseconds in each unit of time, largest first.
const TIME_UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Why a text is not a size or a duration; the message repeats the text and shows the form.
///
/// ```
/// use pocketdock_core::wire::size::{ErrorKind, parse_size};
///
/// assert_eq!(parse_size("lots").unwrap_err().kind, ErrorKind::Malformed);
/// assert_eq!(parse_size("0.1").unwrap_err().kind, ErrorKind::TooSmall);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The text that was given.
    pub value: String,
    /// What it should have been.
    pub quantity: Quantity,
    /// What is wrong with it.
    pub kind: ErrorKind,
}

/// What a text was read as.
///
/// ```
/// use pocketdock_core::wire::size::{Quantity, parse_duration, parse_size};
///
/// assert_eq!(parse_size("5 apples").unwrap_err().quantity, Quantity::Size);
/// assert_eq!(parse_duration("soon").unwrap_err().quantity, Quantity::Duration);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// A number of bytes.
    Size,
    /// A length of time.
    Duration,
}

/// What is wrong with a size or a duration.
///
/// ```
/// use pocketdock_core::wire::size::{ErrorKind, parse_size};
///
/// assert_eq!(parse_size("lots").unwrap_err().kind, ErrorKind::Malformed);
/// assert_eq!(parse_size("99999999999g").unwrap_err().kind, ErrorKind::TooLarge);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// It is not of the form that is expected.
    Malformed,
    /// It is above `u64::MAX` bytes or seconds.
    TooLarge,
    /// It is not zero and less than a byte or a nanosecond.
    TooSmall,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.escape_debug();
        match (self.kind, self.quantity) {
            (ErrorKind::Malformed, Quantity::Size) => {
                write!(f, "'{value}' is not a size such as 512, 256m or 1.5GiB")
            }
            (ErrorKind::Malformed, Quantity::Duration) => {
                write!(
                    f,
                    "'{value}' is not a duration such as 30, 1.5s, 250ms or 1h30m"
                )
            }
            (ErrorKind::TooSmall, Quantity::Size) => {
                write!(
                    f,
                    "size '{value}' is less than a byte, the form is 512, 256m or 1.5GiB"
                )
            }
            (ErrorKind::TooSmall, Quantity::Duration) => {
                write!(
                    f,
                    "duration '{value}' is less than a nanosecond, the form is 30, 1.5s, 250ms \
                     or 1h30m"
                )
            }
            (ErrorKind::TooLarge, Quantity::Size) => {
                write!(
                    f,
                    "size '{value}' is too large, the form is 512, 256m or 1.5GiB"
                )
            }
            (ErrorKind::TooLarge, Quantity::Duration) => {
                write!(
                    f,
                    "duration '{value}' is too large, the form is 30, 1.5s, 250ms or 1h30m"
                )
            }
        }
    }
}

impl std::error::Error for Error {}

/// Reads a size in bytes.
///
/// ```
/// use pocketdock_core::wire::size::parse_size;
///
/// assert_eq!(parse_size("512")?, 512);
/// assert_eq!(parse_size("1.5g")?, 1_610_612_736);
/// assert_eq!(parse_size("10MB")?, parse_size("10 MiB")?);
/// assert_eq!(
///     parse_size("-1m").unwrap_err().to_string(),
///     "'-1m' is not a size such as 512, 256m or 1.5GiB",
/// );
/// # Ok::<(), pocketdock_core::wire::size::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Malformed`] if `text` is not of the form in the module's description;
/// [`ErrorKind::TooLarge`] if the size is above `u64::MAX`, [`ErrorKind::TooSmall`] if it is part
/// of a byte.
pub fn parse_size(text: &str) -> Result<u64, Error> {
    bytes_in(text).map_err(|kind| {
        let (value, quantity) = (text.to_owned(), Quantity::Size);
        Error {
            value,
            quantity,
            kind,
        }
    })
}

fn bytes_in(text: &str) -> Result<u64, ErrorKind> {
    let (number, unit) = Number::take(text)?;
    // The space may only stand before a unit.
    let unit = unit
        .strip_prefix(' ')
        .filter(|unit| !unit.is_empty())
        .unwrap_or(unit);
    let unit = size_unit(unit).ok_or(ErrorKind::Malformed)?;
    let bytes = number.times(unit)?;
    u64::try_from(bytes).map_err(|_| ErrorKind::TooLarge)
}

fn size_unit(name: &str) -> Option<u64> {
    let power = match name.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return None,
    };
    Some(1024_u64.pow(power))
}

/// Writes a size in the largest unit that it fills, to one decimal.
///
/// The decimal is rounded down, and left out if it is zero.
///
/// ```
/// use pocketdock_core::wire::size::format_size;
///
/// assert_eq!(format_size(1023), "1023 B");
/// assert_eq!(format_size(256 << 20), "256 MiB");
/// assert_eq!(format_size(1_610_612_736), "1.5 GiB");
/// ```
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let filled = SIZE_UNITS.iter().find(|(_, unit)| *unit <= bytes);
    let (name, unit) = filled.copied().unwrap_or(("B", 1));
    let whole = bytes / unit;
    match u128::from(bytes % unit) * 10 / u128::from(unit) {
        0 => format!("{whole} {name}"),
        tenths => format!("{whole}.{tenths} {name}"),
    }
}

/// Reads a duration.
///
/// ```
/// use std::time::Duration;
/// use pocketdock_core::wire::size::parse_duration;
///
/// assert_eq!(parse_duration("30")?, Duration::from_secs(30));
/// assert_eq!(parse_duration("250ms")?, Duration::from_millis(250));
/// assert_eq!(parse_duration("1h30m")?, parse_duration("1.5h")?);
/// assert!(parse_duration("30m1h").is_err());
/// # Ok::<(), pocketdock_core::wire::size::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::Malformed`] if `text` is not of the form in the module's description;
/// [`ErrorKind::TooLarge`] if the duration is above `u64::MAX` seconds, [`ErrorKind::TooSmall`] if
/// it is part of a nanosecond.
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    duration_in(text).map_err(|kind| {
        let (value, quantity) = (text.to_owned(), Quantity::Duration);
        Error {
            value,
            quantity,
            kind,
        }
    })
}

fn duration_in(text: &str) -> Result<Duration, ErrorKind> {
    let nanos = match Number::take(text)? {
        (number, "") => number.times(NANOS_PER_SEC)?,
        _ => nanos_in(text)?,
    };
    let too_large = |_| ErrorKind::TooLarge;
    let per_sec = u128::from(NANOS_PER_SEC);
    let secs = u64::try_from(nanos / per_sec).map_err(too_large)?;
    let subsec_nanos = u32::try_from(nanos % per_sec).map_err(too_large)?;
    Ok(Duration::new(secs, subsec_nanos))
}

/// Adds up numbers that each have a unit, the units getting smaller.
fn nanos_in(text: &str) -> Result<u128, ErrorKind> {
    let mut nanos = 0;
    let mut rest = text;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let (number, tail) = Number::take(rest)?;
        let name_len = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (name, tail) = tail.split_at(name_len);
        let (_, unit) = *TIME_UNITS
            .iter()
            .find(|(known, unit)| *known == name && *unit < last_unit)
            .ok_or(ErrorKind::Malformed)?;
        nanos += number.times(unit)?;
        last_unit = unit;
        rest = tail;
    }
    Ok(nanos)
}

/// Writes a duration exactly, in a form that [`parse_duration`] reads.
///
/// Days, hours and minutes come first; the rest has one unit, with a fraction where needed. Round
/// the duration first if its last digits do not matter.
///
/// ```
/// use std::time::Duration;
/// use pocketdock_core::wire::size::format_duration;
///
/// assert_eq!(format_duration(Duration::from_secs(5400)), "1h30m");
/// assert_eq!(format_duration(Duration::from_millis(1500)), "1.5s");
/// assert_eq!(format_duration(Duration::from_micros(250)), "250us");
/// assert_eq!(format_duration(Duration::ZERO), "0s");
/// ```
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut text = String::new();
    let mut nanos = duration.as_nanos();
    for (name, unit) in TIME_UNITS {
        if nanos < u128::from(unit) {
            continue;
        }
        let (whole, left) = (nanos / u128::from(unit), nanos % u128::from(unit));
        text += &whole.to_string();
        nanos = left;
        if unit <= NANOS_PER_SEC {
            text += &fraction(left, unit);
            nanos = 0;
        }
        text += name;
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// `part` of a `unit` that is a power of ten, as a point and digits; nothing if it is zero.
fn fraction(part: u128, unit: u64) -> String {
    if part == 0 {
        return String::new();
    }
    let width = unit.ilog10() as usize;
    format!(".{part:0width$}").trim_end_matches('0').to_owned()
}

/// A decimal number as it was written, so that it can be multiplied without rounding.
struct Number<'a> {
    whole: &'a str,
    /// The digits after the point, empty if there is none.
    fraction: &'a str,
}

impl<'a> Number<'a> {
    /// Takes a number off the front of `text` and answers with it and what follows.
    fn take(text: &'a str) -> Result<(Number<'a>, &'a str), ErrorKind> {
        let (whole, rest) = take_digits(text)?;
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => take_digits(rest)?,
            None => ("", rest),
        };
        Ok((Number { whole, fraction }, rest))
    }

    /// This number of `unit`s, rounded down, unless the whole part is above `u64::MAX` or nothing
    /// is left of the fraction alone.
    fn times(&self, unit: u64) -> Result<u128, ErrorKind> {
        let unit = u128::from(unit);
        let whole = digits::decimal(self.whole.as_bytes()).ok_or(ErrorKind::TooLarge)?;
        // Long multiplication from the last digit on: only what is carried over the point counts.
        let carried = self.fraction.bytes().rev().fold(0, |carry, digit| {
            (u128::from(digit.saturating_sub(b'0')) * unit + carry) / 10
        });
        let is_zero = whole == 0 && self.fraction.bytes().all(|digit| digit == b'0');
        match u128::from(whole) * unit + carried {
            0 if !is_zero => Err(ErrorKind::TooSmall),
            units => Ok(units),
        }
    }
}

/// Takes one or more digits off the front of `text`.
fn take_digits(text: &str) -> Result<(&str, &str), ErrorKind> {
    let len = text.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return Err(ErrorKind::Malformed);
    }
    text.split_at_checked(len).ok_or(ErrorKind::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("zero",            "0",          0),
            ("bare",            "512",        512),
            ("leading zeros",   "0064k",      65_536),
            ("bytes",           "512b",       512),
            ("letter",          "256m",       256 << 20),
            ("upper case",      "256M",       256 << 20),
            ("decimal name",    "10MB",       10 << 20),
            ("binary name",     "1GiB",       1 << 30),
            ("mixed case",      "1gIb",       1 << 30),
            ("kibibytes",       "3k",         3 << 10),
            ("tebibytes",       "2tb",        2 << 40),
            ("pebibytes",       "2PiB",       2 << 50),
            ("space",           "1.5 GiB",    1_610_612_736),
            ("fraction",        "1.5g",       1_610_612_736),
            ("rounded down",    "0.3k",       307),
            ("zero in digits",  "0.000k",     0),
            ("part of a byte",  "1.9",        1),
            ("last byte",       "0.9999999999999999999999999999999999999999p", (1 << 50) - 1),
            ("exact in binary", "0.0000000000000008881784197001252323389053344726562500p", 1),
            ("maximum",         "18446744073709551615", u64::MAX),
            ("maximum in k",    "18014398509481983.9999k", u64::MAX),
        ];
        for (name, text, want) in cases {
            assert_eq!(parse_size(text), Ok(want), "{name}");
        }
    }

    #[test]
    fn what_is_not_a_size() {
        use ErrorKind::*;
        #[rustfmt::skip] // one case per line
        let cases = [
            ("empty",               "",         Malformed),
            ("space",               " ",        Malformed),
            ("only a unit",         "m",        Malformed),
            ("plus",                "+5",       Malformed),
            ("minus",               "-5m",      Malformed),
            ("minus zero",          "-0",       Malformed),
            ("space before",        " 5m",      Malformed),
            ("space after",         "5m ",      Malformed),
            ("space, no unit",      "5 ",       Malformed),
            ("two spaces",          "5  m",     Malformed),
            ("newline",             "5m\n",     Malformed),
            ("unknown unit",        "5x",       Malformed),
            ("unit twice",          "5mm",      Malformed),
            ("bits",                "5mbit",    Malformed),
            ("two sizes",           "1g512m",   Malformed),
            ("no digits at point",  "5.m",      Malformed),
            ("no whole part",       ".5m",      Malformed),
            ("two points",          "1.2.3m",   Malformed),
            ("comma",               "1,5g",     Malformed),
            ("exponent",            "1e3",      Malformed),
            ("hex",                 "0x10",     Malformed),
            ("infinity",            "inf",      Malformed),
            ("other digits",        "５m",      Malformed),
            ("long and misspelt",   "99999999999999999999x", Malformed),
            ("maximum plus one",    "18446744073709551616", TooLarge),
            ("overflow by unit",    "18014398509481984k", TooLarge),
            ("overflow in between", "16384p",   TooLarge),
            ("below a byte",        "0.0001k",  TooSmall),
            ("part of a byte",      "0.9",      TooSmall),
            ("just below a byte",   "0.0000000000000008881784197001252323389053344726562499p", TooSmall),
        ];
        for (name, text, kind) in cases {
            let error = parse_size(text).expect_err(name);
            assert_eq!(error.kind, kind, "{name}");
            assert!(error.to_string().contains("256m"), "{name}: {error}");
        }
    }

    #[test]
    fn formatted_sizes() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (0,                 "0 B"),
            (1,                 "1 B"),
            (1023,              "1023 B"),
            (1024,              "1 KiB"),
            (1024 + 102,        "1 KiB"),
            (1024 + 103,        "1.1 KiB"),
            ((1 << 20) - 1,     "1023.9 KiB"),
            (1 << 20,           "1 MiB"),
            (1_610_612_736,     "1.5 GiB"),
            (5 << 40,           "5 TiB"),
            (u64::MAX,          "16383.9 PiB"),
        ];
        for (bytes, want) in cases {
            assert_eq!(format_size(bytes), want);
            let reread = parse_size(want).unwrap();
            assert!(reread <= bytes && bytes - reread <= reread / 10, "{want}");
        }
    }

    #[test]
    fn durations() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("zero",            "0",          Duration::ZERO),
            ("bare",            "30",         Duration::from_secs(30)),
            ("bare fraction",   "1.5",        Duration::from_millis(1500)),
            ("seconds",         "30s",        Duration::from_secs(30)),
            ("minutes",         "5m",         Duration::from_secs(300)),
            ("hours",           "1h",         Duration::from_secs(3600)),
            ("days",            "2d",         Duration::from_secs(172_800)),
            ("milliseconds",    "250ms",      Duration::from_millis(250)),
            ("microseconds",    "7us",        Duration::from_micros(7)),
            ("nanoseconds",     "7ns",        Duration::from_nanos(7)),
            ("fraction",        "1.5s",       Duration::from_millis(1500)),
            ("two units",       "1h30m",      Duration::from_secs(5400)),
            ("skipping one",    "1h5s",       Duration::from_secs(3605)),
            ("all units",       "1d1h1m1s1ms1us1ns", Duration::new(90_061, 1_001_001)),
            ("fraction, twice", "1.5m0.5s",   Duration::from_millis(90_500)),
            ("carrying over",   "90m90s",     Duration::from_secs(5490)),
            ("rounded down",    "0.0000000019s", Duration::from_nanos(1)),
            ("maximum",         "18446744073709551615.999999999s", Duration::MAX),
        ];
        for (name, text, want) in cases {
            assert_eq!(parse_duration(text), Ok(want), "{name}");
        }
    }

    #[test]
    fn what_is_not_a_duration() {
        use ErrorKind::*;
        #[rustfmt::skip] // one case per line
        let cases = [
            ("empty",            "",         Malformed),
            ("only a unit",      "s",        Malformed),
            ("plus",             "+5",       Malformed),
            ("minus",            "-5s",      Malformed),
            ("space before",     " 5s",      Malformed),
            ("space between",    "5 s",      Malformed),
            ("space after",      "5s ",      Malformed),
            ("unknown unit",     "5y",       Malformed),
            ("upper case",       "5S",       Malformed),
            ("a word",           "5sec",     Malformed),
            ("unit missing",     "1h30",     Malformed),
            ("number missing",   "1hm",      Malformed),
            ("wrong order",      "30m1h",    Malformed),
            ("unit twice",       "1s1s",     Malformed),
            ("no whole part",    ".5s",      Malformed),
            ("no fraction",      "1.s",      Malformed),
            ("exponent",         "1e3s",     Malformed),
            ("infinity",         "inf",      Malformed),
            ("maximum plus one", "18446744073709551616s", TooLarge),
            ("too many bare",    "18446744073709551616", TooLarge),
            ("too many days",    "213503982334602d", TooLarge),
            ("too much in all",  "18446744073709551615s1000ms", TooLarge),
            ("part of a nanosecond", "0.9ns",   TooSmall),
            ("the same, bare",   "0.0000000009", TooSmall),
            ("the same, at the end", "1s0.1ns", TooSmall),
        ];
        for (name, text, kind) in cases {
            let error = parse_duration(text).expect_err(name);
            assert_eq!(error.kind, kind, "{name}");
            assert!(error.to_string().contains("1h30m"), "{name}: {error}");
        }
    }

    #[test]
    fn formatted_durations() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (Duration::ZERO,                      "0s"),
            (Duration::from_nanos(1),             "1ns"),
            (Duration::from_nanos(1_500),         "1.5us"),
            (Duration::from_millis(250),          "250ms"),
            (Duration::from_nanos(1_000_001),     "1.000001ms"),
            (Duration::from_millis(1_010),        "1.01s"),
            (Duration::from_secs(30),             "30s"),
            (Duration::from_secs(60),             "1m"),
            (Duration::from_secs(3_600),          "1h"),
            (Duration::from_millis(3_600_250),    "1h250ms"),
            (Duration::from_secs(90_061),         "1d1h1m1s"),
            (Duration::MAX,                       "213503982334601d7h15.999999999s"),
        ];
        for (duration, want) in cases {
            assert_eq!(format_duration(duration), want);
            assert_eq!(parse_duration(want), Ok(duration), "{want}");
        }
    }

    #[test]
    fn messages_name_the_value_and_the_form() {
        #[rustfmt::skip] // one case per line
        let cases = [
            (parse_size("5x").unwrap_err(),      "'5x' is not a size such as 512, 256m or 1.5GiB"),
            (parse_size("0.1").unwrap_err(),     "size '0.1' is less than a byte, the form is 512, 256m or 1.5GiB"),
            (parse_duration("0.1ns").unwrap_err(), "duration '0.1ns' is less than a nanosecond, the form is 30, 1.5s, 250ms or 1h30m"),
            (parse_size("16384p").unwrap_err(),  "size '16384p' is too large, the form is 512, 256m or 1.5GiB"),
            (parse_duration("\u{1b}[1m").unwrap_err(), "'\\u{1b}[1m' is not a duration such as 30, 1.5s, 250ms or 1h30m"),
            (parse_duration("213503982334602d").unwrap_err(), "duration '213503982334602d' is too large, the form is 30, 1.5s, 250ms or 1h30m"),
        ];
        for (error, want) in cases {
            assert_eq!(error.to_string(), want);
        }
    }
}
