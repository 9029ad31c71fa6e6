//! Who reads from a resident shell: its own thread, or a caller for a moment.
//!
//! ```text
//! thread reads ──a result──> room ──nobody comes──> thread reads
//!                             │ ^
//!                             v └──its result── a caller reads ──not yet──> thread reads
//! ```
//!
//! To be woken by another thread costs about as much as a small command does. So whoever waits for
//! one reads by himself, if he finds the seat free: after a result the thread stands aside for
//! `ROOM_TIME`, in which the next command of many comes. A caller keeps the seat no longer than
//! `LEAD_TIME`; what has to be done on time is left to the thread, and so are callbacks.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread, ThreadId};
use std::time::{Duration, Instant};

use crate::container::session::link::Link;
use crate::container::session::reader::Reader;
use crate::container::session::state::Ticket;
use crate::engine::deadline::Deadline;
use crate::error::Result;

/// For how long the thread stands aside. Output of jobs in the background comes late by as much.
const ROOM_TIME: Duration = Duration::from_millis(10);

/// For how long a caller reads by himself: less than until a command is first looked after.
const LEAD_TIME: Duration = Duration::from_millis(20);

/// The one place from which a shell's output is read.
#[derive(Debug)]
pub(super) struct Seat {
    reader: Mutex<Reader>,
    thread: OnceLock<Thread>,
    /// Until when the thread stands aside.
    room: Mutex<Option<Instant>>,
    /// The caller who reads.
    leader: Mutex<Option<ThreadId>>,
}

impl Seat {
    pub(super) fn new(reader: Reader) -> Self {
        Seat {
            reader: Mutex::new(reader),
            thread: OnceLock::new(),
            room: Mutex::default(),
            leader: Mutex::default(),
        }
    }

    /// Whether this thread is the one that reads.
    pub(super) fn is_taken_by_this_thread(&self) -> bool {
        let own = thread::current().id();
        self.thread.get().is_some_and(|thread| thread.id() == own)
            || *locked(&self.leader) == Some(own)
    }

    /// What the shell's own thread does.
    pub(super) fn follow_to_end(&self, link: &Link) {
        let _set_once = self.thread.set(thread::current());
        let fate = self.follow(link);
        locked(&self.reader).end(fate);
    }

    fn follow(&self, link: &Link) -> Result<i32> {
        loop {
            self.stand_aside();
            let mut reader = locked(&self.reader);
            if let Some(exit_code) = reader.step()? {
                return Ok(exit_code);
            }
            if reader.take_news() && link.may_be_led() {
                *locked(&self.room) = Instant::now().checked_add(ROOM_TIME);
            }
        }
    }

    fn stand_aside(&self) {
        loop {
            let room = *locked(&self.room);
            let left = room.map_or(Duration::ZERO, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    /// Lets the thread read now.
    pub(super) fn call_thread(&self) {
        if locked(&self.room).take().is_some() {
            if let Some(thread) = self.thread.get() {
                thread.unpark();
            }
        }
    }

    /// Reads until this command is over, if the seat is free and that does not take long.
    pub(super) fn lead(&self, link: &Link, ticket: Ticket, deadline: Deadline) {
        let mut reader = match self.reader.try_lock() {
            Ok(reader) => reader,
            Err(TryLockError::Poisoned(reader)) => reader.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if link.callbacks.has_output() {
            drop(reader);
            return self.call_thread();
        }
        *locked(&self.leader) = Some(thread::current().id());
        let lead_time = deadline.at_most(LEAD_TIME);
        *locked(&self.room) = Instant::now().checked_add(lead_time + ROOM_TIME);
        let until = Deadline::after(lead_time);
        let is_over = loop {
            if link.state().is_over(ticket) {
                break true;
            }
            if until.has_passed() || !reader.read_beside(until) {
                break false;
            }
        };
        *locked(&self.leader) = None;
        drop(reader);
        match is_over && link.may_be_led() {
            true => *locked(&self.room) = Instant::now().checked_add(ROOM_TIME),
            false => self.call_thread(),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A callback's panic is contained; nothing else panics under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
