//! RFC 3339 timestamps.
//!
//! Engines write times as `2024-05-06T07:08:09.123456789Z`, with nought to nine fraction digits and
//! `Z` or an offset, and `0001-01-01T00:00:00Z` for "never". [`Timestamp`] holds such a time to the
//! nanosecond and is always in UTC; the offset it was written with is not kept.
//!
//! Years are 0000 to 9999, as in the RFC, in the proleptic Gregorian calendar. A leap second
//! (`:60`) counts as the second after it, as in Unix time. There are no time zones and no other
//! formats. The clock is not read here.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::wire::digits;

const NANOS_PER_SEC: u32 = 1_000_000_000;
const SECS_PER_DAY: i64 = 86_400;
/// The Gregorian calendar repeats after 400 years, which have this many days.
const DAYS_PER_ERA: i64 = 146_097;
/// From 0000-03-01, where the eras below start, to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
/// 0000-01-01T00:00:00Z.
const SECS_MIN: i64 = -62_167_219_200;
/// 9999-12-31T23:59:59Z.
const SECS_MAX: i64 = 253_402_300_799;

/// A point in time between the years 0000 and 9999, to the nanosecond.
///
/// It prints as RFC 3339 in UTC, with as many of three, six or nine fraction digits as it needs; a
/// precision asks for exactly that many, cutting off the rest.
///
/// ```
/// use pocketdock_core::wire::time::Timestamp;
///
/// let created = Timestamp::parse("2024-05-06T09:08:09.12+02:00").unwrap();
/// assert_eq!(created.to_string(), "2024-05-06T07:08:09.120Z");
/// assert_eq!(format!("{created:.0}"), "2024-05-06T07:08:09Z");
/// assert_eq!(created.secs(), 1_714_979_289);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    secs: i64,
    /// Counted forward from `secs`, also before 1970.
    nanos: u32,
}

impl Timestamp {
    /// What engines send for something that has not happened: 0001-01-01T00:00:00Z.
    pub const NEVER: Timestamp = Timestamp {
        secs: -62_135_596_800,
        nanos: 0,
    };

    /// The time `secs` seconds after 1970-01-01T00:00:00Z, and then `nanos` nanoseconds.
    ///
    /// `None` if that is outside the years 0000 to 9999 or `nanos` is a second or more.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pocketdock_core::wire::time::Timestamp;
    ///
    /// let start = Timestamp::from_unix(1_700_000_000, 250_000_000).unwrap();
    /// let end = Timestamp::from_unix(1_700_000_001, 0).unwrap();
    /// assert_eq!(start.nanos(), 250_000_000);
    /// assert_eq!(end.since(start), Duration::from_millis(750));
    /// assert_eq!(start.since(end), Duration::ZERO);
    /// assert_eq!(Timestamp::from_unix(0, 1_000_000_000), None);
    /// ```
    #[must_use]
    pub fn from_unix(secs: i64, nanos: u32) -> Option<Timestamp> {
        let is_valid = (SECS_MIN..=SECS_MAX).contains(&secs) && nanos < NANOS_PER_SEC;
        is_valid.then_some(Timestamp { secs, nanos })
    }

    /// Reads an RFC 3339 timestamp.
    ///
    /// Fraction digits after the ninth are checked and cut off. `None` if `text` is anything else
    /// or lies, in UTC, outside the years 0000 to 9999.
    ///
    /// ```
    /// use pocketdock_core::wire::time::Timestamp;
    ///
    /// assert_eq!(Timestamp::parse("0001-01-01T00:00:00Z"), Some(Timestamp::NEVER));
    /// assert_eq!(Timestamp::parse("2024-02-30T00:00:00Z"), None);
    /// assert_eq!(Timestamp::parse("2024-02-03"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Timestamp> {
        let mut rest = text.as_bytes();
        let days = take_date(&mut rest)?;
        take_any(&mut rest, b"Tt")?;
        let second_of_day = take_time(&mut rest)?;
        let nanos = take_fraction(&mut rest)?;
        let offset = take_offset(&mut rest)?;
        if !rest.is_empty() {
            return None;
        }
        Timestamp::from_unix(days * SECS_PER_DAY + second_of_day - offset, nanos)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn secs(self) -> i64 {
        self.secs
    }

    /// Nanoseconds after [`secs`](Timestamp::secs), always below a second.
    #[must_use]
    pub fn nanos(self) -> u32 {
        self.nanos
    }

    /// The time from `earlier` to this one, zero if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        SystemTime::from(self)
            .duration_since(earlier.into())
            .unwrap_or_default()
    }
}

/// Clocks set outside the years 0000 to 9999 count as the nearest second inside.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        let (secs, nanos) = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => (signed(after.as_secs()), after.subsec_nanos()),
            Err(error) => before_epoch(error.duration()),
        };
        let secs = secs.clamp(SECS_MIN, SECS_MAX);
        Timestamp { secs, nanos }
    }
}

fn before_epoch(distance: Duration) -> (i64, u32) {
    let secs = -signed(distance.as_secs());
    match distance.subsec_nanos() {
        0 => (secs, 0),
        nanos => (secs.saturating_sub(1), NANOS_PER_SEC - nanos),
    }
}

fn signed(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX)
}

impl From<Timestamp> for SystemTime {
    fn from(timestamp: Timestamp) -> SystemTime {
        let whole = Duration::from_secs(timestamp.secs.unsigned_abs());
        // Cannot overflow: Unix clocks count seconds in an i64, and our years need 39 bits.
        let second = if timestamp.secs < 0 {
            UNIX_EPOCH - whole
        } else {
            UNIX_EPOCH + whole
        };
        second + Duration::from_nanos(timestamp.nanos.into())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.secs.div_euclid(SECS_PER_DAY));
        let second = self.secs.rem_euclid(SECS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        let precision = f.precision().unwrap_or_else(|| fraction_len(self.nanos));
        if 0 < precision {
            let nanos = format!("{:09}", self.nanos);
            write!(f, ".{nanos:0<precision$.precision$}")?;
        }
        f.write_str("Z")
    }
}

fn fraction_len(nanos: u32) -> usize {
    match nanos {
        0 => 0,
        _ if nanos % 1_000_000 == 0 => 3,
        _ if nanos % 1_000 == 0 => 6,
        _ => 9,
    }
}

/// Takes `YYYY-MM-DD` and answers with days since 1970-01-01.
fn take_date(rest: &mut &[u8]) -> Option<i64> {
    let year = take_number(rest, 4, 0..=9999)?;
    take_any(rest, b"-")?;
    let month = take_number(rest, 2, 1..=12)?;
    take_any(rest, b"-")?;
    let day = take_number(rest, 2, 1..=days_in(year, month))?;
    Some(days_since_epoch(year, month, day))
}

/// Takes `HH:MM:SS` and answers with seconds since midnight.
fn take_time(rest: &mut &[u8]) -> Option<i64> {
    let hour = take_number(rest, 2, 0..=23)?;
    take_any(rest, b":")?;
    let minute = take_number(rest, 2, 0..=59)?;
    take_any(rest, b":")?;
    let second = take_number(rest, 2, 0..=60)?;
    Some(hour * 3600 + minute * 60 + second)
}

/// Takes `.digits`, if there is a point, and answers with nanoseconds.
fn take_fraction(rest: &mut &[u8]) -> Option<u32> {
    if take_any(rest, b".").is_none() {
        return Some(0);
    }
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, tail) = rest.split_at(len);
    *rest = tail;
    let kept = fraction.get(..len.min(9))?;
    let scale = 10_u64.pow(9_u32.checked_sub(u32::try_from(kept.len()).ok()?)?);
    u32::try_from(digits::decimal(kept)? * scale).ok()
}

/// Takes `Z` or `+HH:MM` and answers with seconds east of UTC.
fn take_offset(rest: &mut &[u8]) -> Option<i64> {
    let sign = match take_any(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = take_number(rest, 2, 0..=23)?;
    take_any(rest, b":")?;
    let minutes = take_number(rest, 2, 0..=59)?;
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Takes a number of exactly `len` digits.
fn take_number(rest: &mut &[u8], len: usize, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let (number, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    let number = i64::try_from(digits::decimal(number)?).ok()?;
    range.contains(&number).then_some(number)
}

/// Takes one byte if it is among `wanted`.
fn take_any(rest: &mut &[u8], wanted: &[u8]) -> Option<u8> {
    let (&byte, tail) = rest.split_first()?;
    if !wanted.contains(&byte) {
        return None;
    }
    *rest = tail;
    Some(byte)
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

// The two conversions count years from the first of March, so that the leap day is the last of its
// year and the lengths of the months before it follow one rule: (153 * month + 2) / 5 days.

fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let march_year = year - i64::from(month < 3);
    let march_month = (month + 9) % 12;
    let year_of_era = march_year.rem_euclid(400);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    march_year.div_euclid(400) * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

fn civil_date(days_since_epoch: i64) -> (i64, i64, i64) {
    let days = days_since_epoch + DAYS_TO_EPOCH;
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    // Takes out the leap days of 4, 100 and 400 years that have passed, which leaves 365 a year.
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (year_of_era * 365 + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let march_year = days.div_euclid(DAYS_PER_ERA) * 400 + year_of_era;
    (march_year + i64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("the epoch",           "1970-01-01T00:00:00Z",           (0, 0)),
            ("a second before",     "1969-12-31T23:59:59Z",           (-1, 0)),
            ("just before",         "1969-12-31T23:59:59.999999999Z", (-1, 999_999_999)),
            ("Docker, nine digits", "2024-05-06T07:08:09.123456789Z", (1_714_979_289, 123_456_789)),
            ("one digit",           "2024-05-06T07:08:09.1Z",         (1_714_979_289, 100_000_000)),
            ("leading zeros",       "2024-05-06T07:08:09.000000001Z", (1_714_979_289, 1)),
            ("twelve digits",       "2024-05-06T07:08:09.123456789999Z", (1_714_979_289, 123_456_789)),
            ("east of UTC",         "2024-05-06T09:08:09+02:00",      (1_714_979_289, 0)),
            ("west of UTC",         "2024-05-05T21:38:09.5-09:30",    (1_714_979_289, 500_000_000)),
            ("unknown offset",      "2024-05-06T07:08:09-00:00",      (1_714_979_289, 0)),
            ("lower case",          "2024-05-06t07:08:09z",           (1_714_979_289, 0)),
            ("leap day",            "2000-02-29T12:00:00Z",           (951_825_600, 0)),
            ("leap second",         "2016-12-31T23:59:60Z",           (1_483_228_800, 0)),
            ("after 2038",          "2038-01-19T03:14:08Z",           (1 << 31, 0)),
            ("never",               "0001-01-01T00:00:00Z",           (-62_135_596_800, 0)),
            ("earliest",            "0000-01-01T00:00:00Z",           (SECS_MIN, 0)),
            ("latest",              "9999-12-31T23:59:59.999999999Z", (SECS_MAX, 999_999_999)),
        ];
        for (name, text, (secs, nanos)) in cases {
            assert_eq!(
                Timestamp::parse(text),
                Some(Timestamp { secs, nanos }),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_not_a_timestamp() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("empty",               ""),
            ("only a date",         "2024-05-06"),
            ("no offset",           "2024-05-06T07:08:09"),
            ("space before",        " 2024-05-06T07:08:09Z"),
            ("space after",         "2024-05-06T07:08:09Z "),
            ("space for T",         "2024-05-06 07:08:09Z"),
            ("no seconds",          "2024-05-06T07:08Z"),
            ("no separators",       "20240506T070809Z"),
            ("five-digit year",     "12024-05-06T07:08:09Z"),
            ("signed year",         "+024-05-06T07:08:09Z"),
            ("signed day",          "2024-05-+6T07:08:09Z"),
            ("month 0",             "2024-00-06T07:08:09Z"),
            ("month 13",            "2024-13-06T07:08:09Z"),
            ("day 0",               "2024-05-00T07:08:09Z"),
            ("31 April",            "2024-04-31T07:08:09Z"),
            ("29 February 2023",    "2023-02-29T07:08:09Z"),
            ("29 February 1900",    "1900-02-29T07:08:09Z"),
            ("hour 24",             "2024-05-06T24:00:00Z"),
            ("minute 60",           "2024-05-06T07:60:09Z"),
            ("second 61",           "2024-05-06T07:08:61Z"),
            ("point, no digits",    "2024-05-06T07:08:09.Z"),
            ("comma",               "2024-05-06T07:08:09,5Z"),
            ("letter in fraction",  "2024-05-06T07:08:09.12345678xZ"),
            ("letter, tenth digit", "2024-05-06T07:08:09.123456789xZ"),
            ("offset, no colon",    "2024-05-06T07:08:09+0200"),
            ("offset, no minutes",  "2024-05-06T07:08:09+02"),
            ("offset of 24 hours",  "2024-05-06T07:08:09+24:00"),
            ("offset of 60 minutes", "2024-05-06T07:08:09+00:60"),
            ("Z and offset",        "2024-05-06T07:08:09Z+02:00"),
            ("Go's other format",   "2024-05-06 07:08:09 +0000 UTC"),
            ("before year 0",       "0000-01-01T00:00:00+00:01"),
            ("after year 9999",     "9999-12-31T23:59:59-00:01"),
            ("not ASCII",           "２024-05-06T07:08:09Z"),
        ];
        for (name, text) in cases {
            assert_eq!(Timestamp::parse(text), None, "{name}");
        }
    }

    #[test]
    fn every_strict_prefix_is_refused() {
        let text = "2024-05-06T07:08:09.123456789+01:30";
        assert!(Timestamp::parse(text).is_some());
        for len in 0..text.len() {
            assert_eq!(Timestamp::parse(&text[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut days = days_since_epoch(0, 1, 1);
        for year in 0..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_since_epoch(year, month, day), days);
                    assert_eq!(civil_date(days), (year, month, day));
                    days += 1;
                }
            }
        }
        assert_eq!(days * SECS_PER_DAY - 1, SECS_MAX);
    }

    #[test]
    fn printed_timestamps() {
        let at = |nanos| Timestamp::from_unix(1_714_979_289, nanos).unwrap();
        #[rustfmt::skip] // one case per line
        let cases = [
            ("no fraction",   at(0).to_string(),                 "2024-05-06T07:08:09Z"),
            ("milliseconds",  at(120_000_000).to_string(),       "2024-05-06T07:08:09.120Z"),
            ("microseconds",  at(120_001_000).to_string(),       "2024-05-06T07:08:09.120001Z"),
            ("nanoseconds",   at(1).to_string(),                 "2024-05-06T07:08:09.000000001Z"),
            ("cut, not rounded", format!("{:.3}", at(999_999_999)), "2024-05-06T07:08:09.999Z"),
            ("cut to zero",   format!("{:.0}", at(999_999_999)), "2024-05-06T07:08:09Z"),
            ("filled up",     format!("{:.12}", at(5)),          "2024-05-06T07:08:09.000000005000Z"),
            ("never",         Timestamp::NEVER.to_string(),      "0001-01-01T00:00:00Z"),
        ];
        for (name, got, want) in cases {
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn limits_of_the_range() {
        assert!(Timestamp::from_unix(SECS_MIN, 0).is_some());
        assert!(Timestamp::from_unix(SECS_MAX, 999_999_999).is_some());
        assert_eq!(Timestamp::from_unix(SECS_MIN - 1, 0), None);
        assert_eq!(Timestamp::from_unix(SECS_MAX + 1, 0), None);
        assert_eq!(Timestamp::from_unix(0, 1_000_000_000), None);
    }

    #[test]
    fn round_trips() {
        let secs = [
            SECS_MIN,
            -62_135_596_800,
            -86_401,
            -1,
            0,
            1,
            1_714_979_289,
            SECS_MAX,
        ];
        for secs in secs {
            for nanos in [0, 1, 1_000, 1_000_000, 999_999_999] {
                let timestamp = Timestamp::from_unix(secs, nanos).unwrap();
                assert_eq!(Timestamp::parse(&timestamp.to_string()), Some(timestamp));
                assert_eq!(Timestamp::from(SystemTime::from(timestamp)), timestamp);
            }
        }
    }

    #[test]
    fn clocks_outside_the_range_are_brought_inside() {
        let far = Duration::from_secs(1 << 50);
        assert_eq!(Timestamp::from(UNIX_EPOCH + far).secs(), SECS_MAX);
        assert_eq!(Timestamp::from(UNIX_EPOCH - far).secs(), SECS_MIN);
    }

    #[test]
    fn time_between() {
        let one = Timestamp::from_unix(-1, 900_000_000).unwrap();
        let two = Timestamp::from_unix(1, 100_000_000).unwrap();
        assert!(one < two);
        assert_eq!(two.since(one), Duration::from_millis(1200));
        assert_eq!(one.since(two), Duration::ZERO);
    }
}
