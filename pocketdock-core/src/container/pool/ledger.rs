//! The books of a pool: what is warm, under way and out, and what is to be done next.
//!
//! ```text
//!            start                acquire
//! (wanted) ────────> warm ──────────────────> out
//!                     ▲ └─found dead─┐         │ given back
//!                     └──── reuse ───│─────────┤
//!                                    ▼         ▼
//!                                   to be removed ────> (gone)
//! ```
//!
//! Nothing is done here: no thread, no clock, no engine. What a sandbox and a failure are is left
//! to the pool, so that the rules can be tested with numbers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long to wait before another attempt that nobody asked for: at first, and at the most.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// What a worker is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job<C> {
    /// Start a sandbox.
    Start,
    /// Remove this one.
    Remove(C),
    /// Wait for a change, or this long at most.
    Wait(Option<Duration>),
    /// Leave: the pool is closed and empty.
    End,
}

/// In which state a sandbox comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returned {
    /// Somebody had it.
    Used,
    /// Nobody had it: the engine could not be asked about it.
    Untouched,
    /// It does not run.
    Dead,
}

/// The books, for sandboxes `C` and failures to start one `E`.
#[derive(Debug)]
pub(super) struct Ledger<C, E> {
    /// How many sandboxes to hold while nobody asks for more.
    pub(super) size: usize,
    /// How many there may be at the most.
    pub(super) limit: Option<usize>,
    /// Whether what is given back is given out again.
    pub(super) reuse: bool,
    warm: VecDeque<C>,
    to_remove: VecDeque<C>,
    /// Failures for those who wait, never more than there are of them.
    failures: VecDeque<E>,
    starting: usize,
    removing: usize,
    out: usize,
    /// How many wait for a sandbox, and how many for the pool to be warm.
    waiting: usize,
    watching: usize,
    /// When to try again to fill up, after a failure.
    retry_at: Option<Instant>,
    retry_delay: Duration,
    closed: bool,
}

impl<C, E> Ledger<C, E> {
    pub(super) fn new(size: usize) -> Self {
        Ledger {
            size,
            limit: None,
            reuse: false,
            warm: VecDeque::new(),
            to_remove: VecDeque::new(),
            failures: VecDeque::new(),
            starting: 0,
            removing: 0,
            out: 0,
            waiting: 0,
            watching: 0,
            retry_at: None,
            retry_delay: RETRY_FIRST,
            closed: false,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn warm_count(&self) -> usize {
        self.warm.len()
    }

    /// Whether the pool holds what it is to hold, those that are out included.
    pub(super) fn is_warm(&self) -> bool {
        self.size <= self.warm.len() + self.out
    }

    /// What is to be done next; the books count it as under way.
    ///
    /// Removals come first: they are quick, and put off they would pile up.
    pub(super) fn next_job(&mut self, now: Instant) -> Job<C> {
        if let Some(container) = self.to_remove.pop_front() {
            self.removing += 1;
            return Job::Remove(container);
        }
        if self.closed {
            return Job::End;
        }
        if self.limit.is_some_and(|limit| limit <= self.existing()) {
            return Job::Wait(None);
        }
        if self.warm.len() + self.starting < self.unanswered() {
            self.starting += 1;
            return Job::Start;
        }
        if self.size <= self.held() {
            return Job::Wait(None);
        }
        match self.retry_at.filter(|&at| now < at) {
            Some(at) => Job::Wait(Some(at - now)),
            None => {
                self.starting += 1;
                Job::Start
            }
        }
    }

    /// Notes how a start ended.
    pub(super) fn started(&mut self, outcome: Result<C, E>, now: Instant) {
        self.starting -= 1;
        match outcome {
            Ok(container) => {
                self.retry_at = None;
                self.retry_delay = RETRY_FIRST;
                if self.closed {
                    self.to_remove.push_back(container);
                } else {
                    self.warm.push_back(container);
                }
            }
            Err(failure) => {
                self.retry_at = now.checked_add(self.retry_delay);
                self.retry_delay = (self.retry_delay * 2).min(RETRY_MAX);
                self.failures.push_back(failure);
                self.drop_unasked_failures();
            }
        }
    }

    /// Notes that a removal has ended.
    pub(super) fn removed(&mut self) {
        self.removing -= 1;
    }

    /// Notes that somebody begins to wait for a sandbox.
    pub(super) fn begin_waiting(&mut self) {
        self.waiting += 1;
    }

    /// Notes that somebody who waited has what they wanted, or gave up.
    pub(super) fn end_waiting(&mut self) {
        self.waiting -= 1;
        self.drop_unasked_failures();
    }

    /// Notes that somebody waits for the pool to be warm; what failed before is tried at once.
    pub(super) fn begin_watching(&mut self) {
        self.watching += 1;
        self.retry_at = None;
    }

    /// Notes that they no longer do.
    pub(super) fn end_watching(&mut self) {
        self.watching -= 1;
        self.drop_unasked_failures();
    }

    /// The warm sandbox that was given back or started the longest ago; it is out from now on.
    pub(super) fn take_warm(&mut self) -> Option<C> {
        let container = self.warm.pop_front()?;
        self.out += 1;
        Some(container)
    }

    /// A failure for somebody who waits.
    pub(super) fn take_failure(&mut self) -> Option<E> {
        self.failures.pop_front()
    }

    /// Takes back a sandbox that was out.
    ///
    /// # Errors
    ///
    /// The sandbox, if the pool is closed: there is nobody left to remove it.
    pub(super) fn take_back(&mut self, container: C, state: Returned) -> Result<(), C> {
        self.out -= 1;
        if self.closed {
            return Err(container);
        }
        let wanted = self.held() < self.size || self.warm.len() < self.waiting;
        match state {
            Returned::Used if self.reuse && wanted => self.warm.push_back(container),
            Returned::Untouched => self.warm.push_front(container),
            Returned::Used | Returned::Dead => self.to_remove.push_back(container),
        }
        Ok(())
    }

    /// Strikes out a sandbox that was out and is the caller's own from now on.
    pub(super) fn let_go(&mut self) {
        self.out -= 1;
    }

    /// Gives nothing out from now on, and has everything removed that is not out.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.failures.clear();
        self.to_remove.append(&mut self.warm);
    }

    /// The sandboxes that can be given out, now or later.
    fn held(&self) -> usize {
        self.warm.len() + self.starting + self.out
    }

    /// All sandboxes that there are.
    fn existing(&self) -> usize {
        self.held() + self.to_remove.len() + self.removing
    }

    /// How many of those who wait for a sandbox have no failure to take.
    fn unanswered(&self) -> usize {
        self.waiting.saturating_sub(self.failures.len())
    }

    /// A failure is for those who waited when it happened, not for whoever comes later.
    fn drop_unasked_failures(&mut self) {
        self.failures.truncate(self.waiting + self.watching);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Books = Ledger<u32, &'static str>;

    /// Books of a pool of `size` in which the sandboxes 0, 1, … are warm.
    fn warm(size: u32) -> (Books, Instant) {
        let (mut books, now) = (Books::new(size as usize), Instant::now());
        for id in 0..size {
            assert_eq!(books.next_job(now), Job::Start);
            books.started(Ok(id), now);
        }
        assert_eq!(books.next_job(now), Job::Wait(None));
        (books, now)
    }

    #[test]
    fn as_many_are_started_as_the_pool_holds() {
        let (mut books, now) = (Books::new(2), Instant::now());
        assert_eq!(books.next_job(now), Job::Start);
        assert_eq!(books.next_job(now), Job::Start);
        assert_eq!(books.next_job(now), Job::Wait(None));
        books.started(Ok(0), now);
        assert!(!books.is_warm());
        books.started(Ok(1), now);
        assert!(books.is_warm());
        assert_eq!(books.next_job(now), Job::Wait(None));
    }

    #[test]
    fn what_is_given_back_is_removed_and_replaced() {
        let (mut books, now) = warm(1);
        assert_eq!(books.take_warm(), Some(0));
        assert_eq!(books.next_job(now), Job::Wait(None), "it is still held");
        assert_eq!(books.take_back(0, Returned::Used), Ok(()));
        assert_eq!(books.next_job(now), Job::Remove(0));
        assert_eq!(books.next_job(now), Job::Start);
    }

    #[test]
    fn what_is_given_back_can_be_reused() {
        let (mut books, now) = warm(1);
        books.reuse = true;
        assert_eq!(books.take_warm(), Some(0));
        assert_eq!(books.take_back(0, Returned::Used), Ok(()));
        assert_eq!(books.next_job(now), Job::Wait(None));
        assert_eq!(books.take_warm(), Some(0));
    }

    #[test]
    fn one_more_is_started_for_who_waits_and_removed_when_it_is_too_many() {
        let (mut books, now) = warm(1);
        books.reuse = true;
        assert_eq!(books.take_warm(), Some(0));
        books.begin_waiting();
        assert_eq!(books.next_job(now), Job::Start);
        assert_eq!(books.next_job(now), Job::Wait(None), "one for each");
        books.started(Ok(1), now);
        assert_eq!(books.take_warm(), Some(1));
        books.end_waiting();
        assert_eq!(books.take_back(1, Returned::Used), Ok(()));
        assert_eq!(books.next_job(now), Job::Remove(1));
        assert_eq!(books.take_back(0, Returned::Used), Ok(()));
        assert_eq!(books.next_job(now), Job::Wait(None));
    }

    #[test]
    fn a_limit_counts_everything_that_exists() {
        let (mut books, now) = warm(1);
        books.limit = Some(1);
        assert_eq!(books.take_warm(), Some(0));
        books.begin_waiting();
        assert_eq!(books.next_job(now), Job::Wait(None));
        assert_eq!(books.take_back(0, Returned::Used), Ok(()));
        assert_eq!(books.next_job(now), Job::Remove(0));
        assert_eq!(
            books.next_job(now),
            Job::Wait(None),
            "it is not removed yet"
        );
        books.removed();
        assert_eq!(books.next_job(now), Job::Start);
    }

    #[test]
    fn a_reused_one_goes_to_who_waits_even_if_it_is_one_too_many() {
        let (mut books, now) = warm(1);
        (books.reuse, books.limit) = (true, Some(2));
        assert_eq!(books.take_warm(), Some(0));
        books.begin_waiting();
        assert_eq!(books.next_job(now), Job::Start);
        books.started(Ok(1), now);
        assert_eq!(books.take_warm(), Some(1));
        assert_eq!(books.take_back(1, Returned::Used), Ok(()));
        assert_eq!(books.take_warm(), Some(1));
    }

    #[test]
    fn a_failure_answers_one_who_waits() {
        let (mut books, now) = (Books::new(1), Instant::now());
        books.begin_waiting();
        books.begin_waiting();
        assert_eq!(books.next_job(now), Job::Start);
        assert_eq!(books.next_job(now), Job::Start);
        books.started(Err("first"), now);
        assert_eq!(
            books.next_job(now),
            Job::Wait(None),
            "the other start is under way"
        );
        assert_eq!(books.take_failure(), Some("first"));
        books.end_waiting();
        books.started(Err("second"), now);
        assert_eq!(books.take_failure(), Some("second"));
        books.end_waiting();
    }

    #[test]
    fn a_failure_that_nobody_waits_for_is_not_kept_for_who_comes_later() {
        let (mut books, now) = (Books::new(1), Instant::now());
        assert_eq!(books.next_job(now), Job::Start);
        books.started(Err("stale"), now);
        books.begin_waiting();
        assert_eq!(books.take_failure(), None);
        assert_eq!(books.next_job(now), Job::Start, "asked for, so at once");
        books.started(Err("fresh"), now);
        books.end_waiting();
        assert_eq!(books.take_failure(), None, "they have left");
    }

    #[test]
    fn attempts_that_nobody_asked_for_come_at_growing_intervals() {
        let (mut books, mut now) = (Books::new(1), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..12 {
            assert_eq!(books.next_job(now), Job::Start);
            books.started(Err("no"), now);
            let Job::Wait(Some(wait)) = books.next_job(now) else {
                panic!("no wait after a failure")
            };
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits[..2], [RETRY_FIRST, RETRY_FIRST * 2]);
        assert_eq!(waits[11], RETRY_MAX);
        assert_eq!(books.next_job(now), Job::Start);
        books.started(Ok(0), now);
        assert_eq!(books.retry_delay, RETRY_FIRST);
    }

    #[test]
    fn who_wants_a_warm_pool_gets_an_attempt_at_once() {
        let (mut books, now) = (Books::new(1), Instant::now());
        assert_eq!(books.next_job(now), Job::Start);
        books.started(Err("no"), now);
        assert!(matches!(books.next_job(now), Job::Wait(Some(_))));
        books.begin_watching();
        assert_eq!(books.next_job(now), Job::Start);
        books.started(Err("still no"), now);
        assert_eq!(books.take_failure(), Some("still no"));
        books.end_watching();
    }

    #[test]
    fn a_closed_pool_is_emptied_and_takes_nothing_back() {
        let (mut books, now) = warm(3);
        assert_eq!(books.take_warm(), Some(0));
        assert_eq!(books.take_back(0, Returned::Used), Ok(()));
        assert_eq!(books.next_job(now), Job::Remove(0));
        assert_eq!(books.next_job(now), Job::Start);
        assert_eq!(books.take_warm(), Some(1));
        books.close();
        assert_eq!(books.next_job(now), Job::Remove(2));
        assert_eq!(books.next_job(now), Job::End);
        books.started(Ok(3), now);
        assert_eq!(books.next_job(now), Job::Remove(3), "it came too late");
        assert_eq!(books.take_back(1, Returned::Used), Err(1));
    }

    #[test]
    fn a_dead_one_is_replaced_and_an_unknown_one_kept() {
        let (mut books, now) = warm(2);
        assert_eq!(books.take_warm(), Some(0));
        assert_eq!(books.take_back(0, Returned::Untouched), Ok(()));
        assert_eq!(books.take_warm(), Some(0), "it keeps its place");
        assert_eq!(books.take_back(0, Returned::Dead), Ok(()));
        assert_eq!(books.next_job(now), Job::Remove(0));
        assert_eq!(books.next_job(now), Job::Start);
    }
}
