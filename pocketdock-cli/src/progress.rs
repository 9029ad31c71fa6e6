//! The line that says how far a long transfer has come.
//!
//! ```text
//! pushing 312.4 MiB of 1.2 GiB, 25 %, 410.3 MiB/s, 2s left
//! ```
//!
//! It stands on a terminal's stderr alone, from [`DELAY`] on, and is wiped away when the transfer
//! is over, whichever way. It returns to the start of the line and writes over what stands there
//! and nothing else, so a dumb terminal shows it as well. What does not fit the terminal's width
//! is left out, the time left first.
//!
//! The rate is that of the last seconds: see [`Speed`].

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use pocketdock_core::Progress;
use pocketdock_core::wire::size::{format_duration, format_size};

use crate::output::Console;
use crate::tty::window_size;

/// A transfer that is done sooner shows nothing.
const DELAY: Duration = Duration::from_millis(300);

/// How long a line stays before the next.
const INTERVAL: Duration = Duration::from_millis(100);

/// What is assumed of a terminal that does not tell its width.
const USUAL_WIDTH: usize = 80;

/// Shows how far a transfer has come, if there is somebody to see it, until it is dropped.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    /// `None` where nobody looks.
    screen: Option<Screen>,
}

#[derive(Debug)]
struct Screen {
    terminal: File,
    line: Line,
    started: Instant,
}

impl ProgressLine {
    /// A line for a transfer that begins now; `doing` is its first word, such as `pushing`.
    ///
    /// It has a stderr of its own, so the console can be used meanwhile. What is printed on the
    /// same terminal before the line is dropped stands beside it.
    pub(crate) fn new(console: &Console<'_>, doing: &'static str) -> Self {
        let wanted = !console.globals.quiet && !console.globals.json;
        let terminal = (wanted && io::stderr().is_terminal())
            .then(|| io::stderr().as_fd().try_clone_to_owned().ok())
            .flatten();
        Self {
            screen: terminal.map(|terminal| Screen {
                terminal: File::from(terminal),
                line: Line::new(doing),
                started: Instant::now(),
            }),
        }
    }

    /// Takes note of how far the transfer is; cheap enough for every piece of it.
    pub(crate) fn update(&mut self, progress: &Progress) {
        if let Some(screen) = &mut self.screen {
            screen.update(progress);
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some(screen) = &mut self.screen {
            let text = screen.line.wipe();
            let _ = screen.terminal.write_all(text.as_bytes());
        }
    }
}

impl Screen {
    /// A terminal that cannot be written to has nobody before it.
    fn update(&mut self, progress: &Progress) {
        let elapsed = self.started.elapsed();
        self.line.speed.begin(elapsed, progress.done_bytes);
        if !self.line.is_due(elapsed) {
            return;
        }
        let width = window_size(self.terminal.as_fd());
        let width = width.map_or(USUAL_WIDTH, |(_, columns)| usize::from(columns));
        let text = self.line.draw(progress, elapsed, width);
        let _ = self.terminal.write_all(text.as_bytes());
    }
}

/// What stands on the screen. Times count from the start of the transfer.
#[derive(Debug)]
struct Line {
    doing: &'static str,
    speed: Speed,
    next_at: Duration,
    /// Columns that are written on.
    shown_len: usize,
}

impl Line {
    fn new(doing: &'static str) -> Self {
        Self {
            doing,
            speed: Speed::default(),
            next_at: DELAY,
            shown_len: 0,
        }
    }

    fn is_due(&self, now: Duration) -> bool {
        self.next_at <= now
    }

    /// What to write to have the line say how far the transfer is, on a terminal this wide.
    fn draw(&mut self, progress: &Progress, now: Duration, width: usize) -> String {
        self.next_at = now + INTERVAL;
        self.speed.note(now, progress.done_bytes);
        let parts = parts(self.doing, progress, self.speed.bytes_per_s(now));
        // A terminal goes to the next line when its last column is written on.
        let line = fitted(&parts, width.saturating_sub(1));
        let len = line.chars().count();
        let rest = self.shown_len.saturating_sub(len);
        self.shown_len = len;
        format!("\r{line}{}", " ".repeat(rest))
    }

    /// What to write to have the line empty again.
    fn wipe(&mut self) -> String {
        match std::mem::take(&mut self.shown_len) {
            0 => String::new(),
            len => format!("\r{}\r", " ".repeat(len)),
        }
    }
}

/// The line in parts, each of which makes sense with those before it.
fn parts(doing: &str, progress: &Progress, bytes_per_s: u64) -> Vec<String> {
    let done = progress.done_bytes;
    let mut parts = vec![format!("{doing} {}", format_size(done))];
    // A source may have grown since it was measured.
    let total = progress.total_bytes.filter(|total| done <= *total);
    if let Some(total) = total {
        let percent = u128::from(done) * 100 / u128::from(total.max(1));
        parts.push(format!(" of {}, {percent} %", format_size(total)));
    }
    if bytes_per_s != 0 {
        parts.push(format!(", {}/s", format_size(bytes_per_s)));
        if let Some(total) = total {
            let left = Duration::from_secs((total - done).div_ceil(bytes_per_s));
            parts.push(format!(", {} left", format_duration(left)));
        }
    }
    parts
}

/// As many parts as there is room for; of the first, as much of it as there is room for.
fn fitted(parts: &[String], room: usize) -> String {
    let mut line = String::new();
    for part in parts {
        if room < line.chars().count() + part.chars().count() {
            break;
        }
        line.push_str(part);
    }
    match parts.first() {
        Some(first) if line.is_empty() => first.chars().take(room).collect(),
        _ => line,
    }
}

/// The speed over the last [`Speed::WINDOW`] to twice that, so that it neither trembles nor
/// remembers a stall for ever. An engine may be silent for long before it sends anything: time
/// counts from the first bytes.
#[derive(Debug, Default)]
struct Speed {
    /// When there were so many bytes.
    since: (Duration, u64),
    /// Where the next measurement begins; `None` before the first bytes.
    next: Option<(Duration, u64)>,
    last_bytes: u64,
}

impl Speed {
    const WINDOW: Duration = Duration::from_secs(3);

    /// The shortest time that says anything.
    const LEAST: Duration = Duration::from_millis(100);

    fn begin(&mut self, now: Duration, bytes: u64) {
        if self.next.is_none() {
            self.since = (now, bytes);
            self.next = Some((now, bytes));
        }
    }

    fn note(&mut self, now: Duration, bytes: u64) {
        self.begin(now, bytes);
        self.last_bytes = bytes;
        if let Some(next) = &mut self.next {
            if Self::WINDOW <= now.saturating_sub(next.0) {
                self.since = std::mem::replace(next, (now, bytes));
            }
        }
    }

    fn bytes_per_s(&self, now: Duration) -> u64 {
        let (at, bytes) = self.since;
        let moved = u128::from(self.last_bytes.saturating_sub(bytes));
        let elapsed = now.saturating_sub(at);
        if elapsed < Self::LEAST {
            return 0;
        }
        let micros = elapsed.as_micros();
        u64::try_from(moved * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn progress(done_bytes: u64, total_bytes: Option<u64>) -> Progress {
        let mut progress = Progress::default();
        progress.done_bytes = done_bytes;
        progress.total_bytes = total_bytes;
        progress
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What a terminal shows after this has been written to it.
    fn screen(writes: &[String]) -> String {
        let mut cells: Vec<char> = Vec::new();
        let mut at = 0;
        for c in writes.iter().flat_map(|text| text.chars()) {
            match c {
                '\r' => at = 0,
                c => {
                    assert!(!c.is_control(), "{c:?}");
                    cells.resize(cells.len().max(at + 1), ' ');
                    cells[at] = c;
                    at += 1;
                }
            }
        }
        String::from_iter(cells).trim_end().to_owned()
    }

    #[test]
    fn what_is_said() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("no total",      progress(5 * MIB, None),             MIB,     "pulling 5 MiB, 1 MiB/s"),
            ("with a total",  progress(5 * MIB, Some(20 * MIB)),   MIB,     "pulling 5 MiB of 20 MiB, 25 %, 1 MiB/s, 15s left"),
            ("rounded up",    progress(5 * MIB, Some(5 * MIB + 1)), MIB,    "pulling 5 MiB of 5 MiB, 99 %, 1 MiB/s, 1s left"),
            ("done",          progress(MIB, Some(MIB)),            MIB,     "pulling 1 MiB of 1 MiB, 100 %, 1 MiB/s, 0s left"),
            ("nothing to do", progress(0, Some(0)),                0,       "pulling 0 B of 0 B, 0 %"),
            ("a stall",       progress(MIB, Some(4 * MIB)),        0,       "pulling 1 MiB of 4 MiB, 25 %"),
            ("it has grown",  progress(2 * MIB, Some(MIB)),        MIB,     "pulling 2 MiB, 1 MiB/s"),
            ("no end",        progress(u64::MAX, Some(u64::MAX)),  u64::MAX, "pulling 16383.9 PiB of 16383.9 PiB, 100 %, 16383.9 PiB/s, 0s left"),
        ];
        for (name, progress, rate, want) in cases {
            assert_eq!(parts("pulling", &progress, rate).concat(), want, "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let parts = parts("pushing", &progress(5 * MIB, Some(20 * MIB)), MIB);
        let whole = "pushing 5 MiB of 20 MiB, 25 %, 1 MiB/s, 15s left";
        for room in 0..60 {
            let line = fitted(&parts, room);
            assert!(line.chars().count() <= room, "{room}");
            assert!(whole.starts_with(&line), "{room}");
        }
        assert_eq!(fitted(&parts, 60), whole);
        assert_eq!(fitted(&parts, 47), "pushing 5 MiB of 20 MiB, 25 %, 1 MiB/s");
        assert_eq!(fitted(&parts, 7), "pushing");
    }

    #[test]
    fn a_short_transfer_shows_nothing() {
        let mut line = Line::new("pushing");
        assert!(!line.is_due(ms(299)));
        assert_eq!(line.wipe(), "");
        assert!(line.is_due(ms(300)));
        line.draw(&progress(1, None), ms(300), 80);
        assert!(!line.is_due(ms(399)));
        assert!(line.is_due(ms(400)));
    }

    #[test]
    fn a_line_is_written_over_and_wiped_away() {
        let mut line = Line::new("pushing");
        line.speed.begin(Duration::ZERO, 0);
        let mut writes = vec![line.draw(&progress(1023 * 1024, None), ms(300), 80)];
        assert_eq!(screen(&writes), "pushing 1023 KiB, 3.3 MiB/s");
        writes.push(line.draw(&progress(MIB, None), ms(2000), 80));
        assert_eq!(screen(&writes), "pushing 1 MiB, 512 KiB/s");
        writes.push(line.draw(&progress(MIB, None), ms(2100), 15));
        assert_eq!(screen(&writes), "pushing 1 MiB");
        writes.push(line.wipe());
        assert_eq!(screen(&writes), "");
        assert_eq!(line.wipe(), "");
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut speed = Speed::default();
        assert_eq!(speed.bytes_per_s(Duration::ZERO), 0);
        speed.begin(Duration::ZERO, 0);
        // Ten seconds at 1 MiB/s, then ten at 4.
        for second in 1..=20 {
            let bytes = second * MIB + second.saturating_sub(10) * 3 * MIB;
            speed.note(Duration::from_secs(second), bytes);
            let now = speed.bytes_per_s(Duration::from_secs(second)) / MIB;
            match second {
                ..=10 => assert_eq!(now, 1, "{second}"),
                17.. => assert_eq!(now, 4, "{second}"),
                _ => assert!((1..=4).contains(&now), "{second}"),
            }
        }
        // A silence before the first bytes is none of it.
        let mut late = Speed::default();
        late.begin(Duration::from_secs(60), MIB);
        late.note(Duration::from_secs(61), 3 * MIB);
        assert_eq!(late.bytes_per_s(Duration::from_secs(61)), 2 * MIB);
        assert_eq!(late.bytes_per_s(Duration::from_secs(60)), 0);
        // A stall is over once it is longer than what is remembered.
        for second in 21..=27 {
            speed.note(Duration::from_secs(second), 50 * MIB);
        }
        assert_eq!(speed.bytes_per_s(Duration::from_secs(27)), 0);
    }
}
