//! Aborting the command in flight, which leaves the shell as it is.
//!
//! A second exec sends the signals (`abort.sh`). In the first round the command is asked; in the
//! later ones its processes are killed, which leaves loops and builtins of the shell itself to be
//! aborted: SIGINT does that in bash, a trap of SIGURG in other shells. When the command has
//! reported, the shell is asked whether it listens, for a signal that comes late would cut off what
//! it reads next. A shell that cannot be brought back is killed.

use std::time::{Duration, Instant};

use crate::container::embed::embed;
use crate::container::helper;
use crate::container::session::link::Link;
use crate::container::session::state::{Cause, Seen, State, Ticket};
use crate::container::session::text::Dialect;
use crate::container::target::Target;
use crate::engine::deadline::Deadline;
use crate::engine::exec::ExecConfig;
use crate::error::{Error, Result};

const SCRIPT: &str = embed!("abort.sh");
const IDLE_SCRIPT: &str = embed!("idle.sh");

/// How often a command is signalled before its shell is killed.
const ROUNDS: u32 = 6;

/// The round in which what a command has left behind is killed.
const SWEEP_ROUND: u32 = ROUNDS + 1;

/// How long a command may take to heed a signal.
const ASKED_WAIT: Duration = Duration::from_millis(400);
const KILLED_WAIT: Duration = Duration::from_millis(250);

/// On a busy machine the shell takes longer, and so does a signal: as many times that are waited in
/// addition, for the next round's signals would cut off what the shell is about to report.
const WAIT_SIGNALS: u32 = 3;
const SLOWNESS_MAX: Duration = Duration::from_secs(10);

/// How often in a row the engine may not answer before nothing more is hoped of it.
const UNANSWERED_MAX: u32 = 3;

/// How often a shell is left alone because it seems to be reading the command still.
const UNHEARD_MAX: u32 = 6;

/// How long a shell may take to answer, and how often it is asked.
const ANSWER_WAIT: Duration = Duration::from_millis(700);
const ANSWER_TRIES: u32 = 4;

/// How long a helper may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the output of a killed shell may take to end.
const END_WAIT: Duration = Duration::from_secs(8);

/// Whether a signal was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    /// The command has not begun.
    No,
}

impl Link {
    /// Aborts the command with this ticket unless it has ended.
    pub(crate) fn abort(&self, ticket: Ticket, cause: Cause) -> Result<()> {
        if !self.take_hold(ticket, cause) {
            return Ok(());
        }
        let outcome = self.abort_held(ticket, cause);
        self.state().release();
        self.changed.notify_all();
        outcome?;
        self.go_on()
    }

    /// Waits for its turn; whether the command is still in flight by then.
    fn take_hold(&self, ticket: Ticket, cause: Cause) -> bool {
        let mut state = self.wait_until(Deadline::NEVER, |s| !s.is_held());
        let is_due = is_in_flight(&state, ticket);
        if is_due {
            state.hold(cause);
        }
        is_due
    }

    fn abort_held(&self, ticket: Ticket, cause: Cause) -> Result<()> {
        if self.signal_until_over(ticket)? {
            if cause == Cause::TimedOut {
                // Jobs in the background do not heed SIGINT. A failure leaves them to the end
                // of the session.
                let _swept = self.signal(SWEEP_ROUND, "-");
            }
            if self.is_in_step()? {
                return Ok(());
            }
        }
        if let Err(error) = self.kill(HELPER_TIMEOUT) {
            self.fail(error);
            return Ok(());
        }
        if !self
            .wait_until(Deadline::after(END_WAIT), |s| s.is_closed())
            .is_closed()
        {
            self.fail(Error::SessionClosed { exit_code: None });
        }
        Ok(())
    }

    /// Sends signals until the command is over; whether it is.
    fn signal_until_over(&self, ticket: Ticket) -> Result<bool> {
        let (first, signal) = match self.state().dialect() {
            Dialect::Bash => (1, "INT"),
            Dialect::Sh => (1, "URG"),
            // A subshell of its own cannot be asked to come back.
            Dialect::Fresh => (2, "-"),
        };
        let (mut round, mut unheard, mut unanswered) = (first, 0, 0);
        while round <= ROUNDS && unanswered < UNANSWERED_MAX {
            self.state().note_round(round);
            let began = Instant::now();
            match self.signal(round, signal) {
                Ok(Heard::No) if unheard < UNHEARD_MAX => (unheard, unanswered) = (unheard + 1, 0),
                Ok(_) => (round, unanswered) = (round + 1, 0),
                Err(
                    error @ (Error::ContainerNotRunning { .. } | Error::ContainerNotFound { .. }),
                ) => {
                    self.fail(error);
                    return Ok(true);
                }
                Err(Error::Timeout { .. }) => unanswered += 1,
                // No process for it, say: another round may do better.
                Err(_) => round += 1,
            }
            let slowness = (began.elapsed() * WAIT_SIGNALS).min(SLOWNESS_MAX);
            self.say(State::resync);
            let wait = if round <= 2 { ASKED_WAIT } else { KILLED_WAIT } + slowness;
            let state = self.wait_until(Deadline::after(wait), |s| !is_in_flight(s, ticket));
            if !is_in_flight(&state, ticket) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has the processes of the command signalled.
    fn signal(&self, round: u32, signal: &str) -> Result<Heard> {
        let mark = self.state().mark_bytes();
        let pid = self.hello().map(|hello| hello.pid).unwrap_or_default();
        let words = [
            &pid.to_string(),
            &mark.to_string(),
            &round.to_string(),
            signal,
        ];
        match self.ask_beside(SCRIPT, &words)?.starts_with("done no") {
            true => Ok(Heard::No),
            false => Ok(Heard::Yes),
        }
    }

    /// What the shell is seen to do while a command is in flight.
    pub(crate) fn seen(&self) -> Result<Seen> {
        let Some((pid, ino)) = self.hello().and_then(|it| Some((it.pid, it.input_ino?))) else {
            return Ok(Seen::Nothing); // The kernel does not tell.
        };
        let answer = self.ask_beside(IDLE_SCRIPT, &[&pid.to_string(), &ino.to_string()])?;
        Ok(match answer.as_str() {
            "done waits" => Seen::Waiting,
            "done between" => Seen::Between,
            _ => Seen::Running,
        })
    }

    /// Runs a script with these words in an exec beside the shell's, and gives its answer.
    fn ask_beside(&self, script: &str, words: &[&str]) -> Result<String> {
        let Target {
            client,
            container,
            user,
            ..
        } = &self.target;
        let command = [&["sh", "-c", script, "sh"], words].concat();
        let config = ExecConfig {
            command: command.into_iter().map(str::to_owned).collect(),
            user: user.clone(),
            ..ExecConfig::default()
        };
        let client = client.at_most(HELPER_TIMEOUT);
        helper::answer(&client, container, &config, "done ", HELPER_TIMEOUT)
    }

    /// Whether the shell listens, once no signal can be on its way any more.
    fn is_in_step(&self) -> Result<bool> {
        for _ in 0..ANSWER_TRIES {
            let nonce = self.nonce()?;
            if !self.say(|state| state.ask(nonce)) {
                return Ok(true);
            }
            let deadline = Deadline::after(ANSWER_WAIT);
            let state = self.wait_until(deadline, |s| s.is_answered() || s.is_closed());
            if state.is_answered() || state.is_closed() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_in_flight(state: &State, ticket: Ticket) -> bool {
    state.in_flight() == Some(ticket)
}
