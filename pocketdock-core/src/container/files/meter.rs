//! Counts what a copy moves and tells whoever asked for it, who may stop it.

use std::io::{self, Read};
use std::ops::ControlFlow;

use crate::container::progress::Progress;

/// Bytes between two reports; a report may cost more than moving as much.
const STEP_BYTES: u64 = 256 * 1024;

/// How many entries count as much, for those that are empty.
const STEP_ENTRIES: u32 = 100;

/// Gets to know how far a copy is, and says whether it goes on.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// Counts bytes.
pub(crate) struct Meter<'a> {
    progress: Progress,
    reported_bytes: u64,
    /// Since the last report, those put by for later among them.
    handled_bytes: u64,
    entries: u32,
    is_stopped: bool,
    on_progress: OnProgress<'a>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(total_bytes: Option<u64>, on_progress: OnProgress<'a>) -> Self {
        Meter {
            progress: Progress {
                done_bytes: 0,
                total_bytes,
            },
            reported_bytes: 0,
            handled_bytes: 0,
            entries: 0,
            is_stopped: false,
            on_progress,
        }
    }

    /// From now on it is known how much there is.
    pub(crate) fn expect(&mut self, total_bytes: u64) {
        self.progress.total_bytes = Some(total_bytes);
    }

    /// # Errors
    ///
    /// When it is to stop.
    pub(crate) fn add(&mut self, n: usize) -> io::Result<()> {
        self.progress.done_bytes += n as u64;
        self.handle(n)
    }

    /// Counts no bytes that have moved, but some that were put by for later.
    ///
    /// # Errors
    ///
    /// When it is to stop.
    pub(crate) fn put_by(&mut self, n: usize) -> io::Result<()> {
        self.handle(n)
    }

    fn handle(&mut self, n: usize) -> io::Result<()> {
        self.handled_bytes += n as u64;
        self.report_if(STEP_BYTES <= self.handled_bytes)
    }

    /// Counts an entry.
    ///
    /// # Errors
    ///
    /// When it is to stop.
    pub(crate) fn add_entry(&mut self) -> io::Result<()> {
        self.entries += 1;
        self.report_if(STEP_ENTRIES <= self.entries)
    }

    fn report_if(&mut self, is_due: bool) -> io::Result<()> {
        if is_due {
            self.report();
        }
        match self.is_stopped {
            true => Err(io::Error::other("it was stopped")),
            false => Ok(()),
        }
    }

    /// The last report, of everything.
    pub(crate) fn finish(&mut self) {
        if self.reported_bytes < self.progress.done_bytes {
            self.report();
        }
    }

    fn report(&mut self) {
        self.reported_bytes = self.progress.done_bytes;
        (self.handled_bytes, self.entries) = (0, 0);
        self.is_stopped |= (self.on_progress)(&self.progress).is_break();
    }
}

/// A source whose bytes are counted.
pub(crate) struct Metered<'m, 'a, R> {
    pub(crate) source: R,
    pub(crate) meter: &'m mut Meter<'a>,
}

impl<R: Read> Read for Metered<'_, '_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.meter.add(n)?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_now_and_then_and_at_the_end() {
        let mut seen = Vec::new();
        let mut see = |progress: &Progress| {
            seen.push((progress.done_bytes, progress.total_bytes));
            ControlFlow::Continue(())
        };
        let mut meter = Meter::new(None, &mut see);
        meter.add(10).unwrap();
        meter.expect(STEP_BYTES + 20);
        meter.add(usize::try_from(STEP_BYTES).unwrap()).unwrap();
        meter.add(10).unwrap();
        meter.finish();
        meter.finish();
        let total = Some(STEP_BYTES + 20);
        assert_eq!(seen, [(STEP_BYTES + 10, total), (STEP_BYTES + 20, total)]);
    }

    #[test]
    fn whoever_is_told_can_stop_it() {
        let mut stop = |_: &Progress| ControlFlow::Break(());
        let mut meter = Meter::new(None, &mut stop);
        for _ in 1..STEP_ENTRIES {
            meter.add_entry().unwrap();
        }
        assert!(meter.add_entry().is_err());
        assert!(meter.add(1).is_err(), "it stays stopped");
    }
}
