//! What Ctrl-C, Ctrl-\, SIGTERM and SIGHUP do while a command runs in a sandbox.
//!
//! ```text
//!            first               any later one        third of all
//! SIGINT     SIGINT to the tree  SIGKILL to the tree  end pocketdock itself
//! SIGTERM    SIGTERM to the tree, SIGKILL once GRACE has passed
//! SIGHUP     SIGHUP to the tree, SIGKILL once GRACE has passed
//! SIGQUIT    SIGQUIT to the tree, SIGKILL once GRACE has passed
//! ```
//!
//! The tree is the command and everything it started, in the container. SIGINT
//! has no grace: a command may answer Ctrl-C by going on, as a shell does. A
//! signal that comes before there is a command is kept and found by
//! [`Interrupts::check`]. The third is for an engine that does not answer.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pocketdock_core::{Error, Signal as Sent};

use crate::failure::Failure;
use crate::spawn::spawn;
use crate::tty::{self, Signal, SignalWatch};

/// How long a command may take to end after SIGTERM, SIGHUP or SIGQUIT.
const GRACE: Duration = Duration::from_secs(2);

/// After this many signals no one waits for the engine any more.
const PATIENCE: usize = 3;

/// Signals sent to this process since the watch began.
///
/// To be dropped last: as long as it lives, a signal does not end the process, and what was
/// started can be taken down.
#[derive(Debug)]
pub(crate) struct Interrupts {
    _watch: SignalWatch,
    received: Arc<Mutex<Vec<Signal>>>,
    events: Arc<Events>,
    /// Whether someone has wanted them.
    are_taken: bool,
}

/// What the thread that passes signals on waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Signal(Signal),
    /// There is no command any more.
    Ended,
}

/// What has happened and not been looked at. A channel would add 15 KB to the program.
#[derive(Debug, Default)]
struct Events {
    queue: Mutex<VecDeque<Event>>,
    came: Condvar,
}

impl Events {
    fn send(&self, event: Event) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(event);
        self.came.notify_one();
    }

    /// The next event; `None` if there is none until then.
    fn receive(&self, until: Option<Instant>) -> Option<Event> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.is_empty() {
            let Some(until) = until else {
                let waited = self.came.wait(queue);
                queue = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.came.wait_timeout(queue, left);
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        queue.pop_front()
    }
}

impl Interrupts {
    /// Begins to watch. To be called before anything else starts a thread.
    pub(crate) fn watch() -> Result<Self, Failure> {
        let events = Arc::new(Events::default());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (record, forward) = (Arc::clone(&received), Arc::clone(&events));
        let watch = SignalWatch::start(Box::new(move |signal| {
            let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
            record.push(signal);
            if PATIENCE <= record.len() {
                signal.die();
            }
            forward.send(Event::Signal(signal));
        }));
        let watch = watch.map_err(|source| Error::Io {
            doing: "watch for signals".to_owned(),
            source,
        })?;
        Ok(Self {
            _watch: watch,
            received,
            events,
            are_taken: false,
        })
    }

    /// Every signal that came, the first one first.
    pub(crate) fn received(&self) -> Vec<Signal> {
        let received = self.received.lock();
        received.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails if a signal has come, be it that the thread that takes them has not run since.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        while tty::is_signal_waiting() {
            thread::yield_now();
        }
        match self.received().first() {
            Some(&signal) => Err(Failure::Interrupted(signal)),
            None => Ok(()),
        }
    }

    /// Passes signals on by `kill`, those included that came before, until the answer is dropped.
    /// `kill` signals the whole tree of the command.
    pub(crate) fn deliver_to(
        &mut self,
        mut kill: Box<dyn FnMut(Sent) + Send>,
    ) -> io::Result<Delivery> {
        let (events, taken) = (Arc::clone(&self.events), Arc::clone(&self.events));
        let thread = match std::mem::replace(&mut self.are_taken, true) {
            true => None,
            false => Some(spawn(
                "interrupter",
                Box::new(move || deliver(&taken, GRACE, &mut *kill)),
            )?),
        };
        Ok(Delivery { events, thread })
    }
}

/// Passes signals on to a command until it is dropped.
#[derive(Debug)]
pub(crate) struct Delivery {
    events: Arc<Events>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.events.send(Event::Ended);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

fn deliver(events: &Events, grace: Duration, kill: &mut dyn FnMut(Sent)) {
    let mut plan = Plan::default();
    loop {
        match events.receive(plan.kill_at) {
            Some(Event::Signal(signal)) => kill(plan.next(signal, Instant::now() + grace)),
            None => {
                plan.kill_at = None;
                kill(Sent::KILL);
            }
            Some(Event::Ended) => return,
        }
    }
}

/// How far the attempts to stop a command have gone.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    asked: bool,
    kill_at: Option<Instant>,
}

impl Plan {
    /// What to send to the command for a signal sent to us.
    fn next(&mut self, signal: Signal, patience_ends: Instant) -> Sent {
        if self.asked {
            self.kill_at = None;
            return Sent::KILL;
        }
        self.asked = true;
        if signal != Signal::Interrupt {
            self.kill_at = Some(patience_ends);
        }
        passed_on(signal)
    }
}

/// The same signal for the command in the sandbox.
fn passed_on(signal: Signal) -> Sent {
    match signal {
        Signal::Hangup => Sent::HUP,
        Signal::Interrupt => Sent::INT,
        Signal::Quit => Sent::QUIT,
        Signal::Terminate => Sent::TERM,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_first_signal_asks_and_the_second_kills() {
        let later = Instant::now();
        for first in [
            Signal::Hangup,
            Signal::Interrupt,
            Signal::Quit,
            Signal::Terminate,
        ] {
            let mut plan = Plan::default();
            assert_eq!(plan.next(first, later), passed_on(first));
            let patient = first == Signal::Interrupt;
            assert_eq!(plan.kill_at, (!patient).then_some(later), "{first:?}");
            assert_eq!(plan.next(Signal::Interrupt, later), Sent::KILL);
            assert_eq!(plan.kill_at, None);
        }
    }

    #[test]
    fn a_command_that_does_not_end_in_time_is_killed() {
        let events = Arc::new(Events::default());
        let taken = Arc::clone(&events);
        let (sent, seen) = mpsc::channel();
        let mut kill = move |signal| sent.send(signal).unwrap();
        let thread = thread::spawn(move || deliver(&taken, Duration::from_millis(1), &mut kill));
        events.send(Event::Signal(Signal::Terminate));
        assert_eq!(seen.recv(), Ok(Sent::TERM));
        assert_eq!(seen.recv(), Ok(Sent::KILL));
        let delivery = Delivery {
            events,
            thread: Some(thread),
        };
        drop(delivery);
        assert!(seen.recv().is_err(), "the thread has ended");
    }
}
