//! Programs on a terminal of their own, which `terminal.py` opens: std can not, and python3 is
//! there wherever these tests run.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program on a terminal, and what that has shown so far.
pub struct Screen {
    terminal: Child,
    seen: Arc<(Mutex<String>, Condvar)>,
    reader: Option<JoinHandle<()>>,
    /// How much of what was seen has been waited for.
    used: usize,
}

impl Screen {
    /// The program with its words, its directory and the variables that were set for it, and no
    /// others but `PATH` and `TERM`.
    pub fn open(program: &Command, rows: u16, columns: u16) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/support/terminal.py");
        let mut terminal = Command::new("python3");
        terminal.args(["-I", "-S", script, &rows.to_string(), &columns.to_string()]);
        terminal.arg(program.get_program()).args(program.get_args());
        terminal.env_clear().env("TERM", "xterm");
        terminal.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let variables = program.get_envs();
        terminal.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        if let Some(dir) = program.get_current_dir() {
            terminal.current_dir(dir);
        }
        let mut terminal = terminal
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3, which opens the terminal");
        let mut stdout = terminal.stdout.take().unwrap();
        let seen = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let shared = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..n]);
                shared.0.lock().unwrap().push_str(&text);
                shared.1.notify_all();
            }
        });
        Self {
            terminal,
            seen,
            reader: Some(reader),
            used: 0,
        }
    }

    /// Gives `terminal.py` a command.
    pub fn tell(&mut self, command: &str) {
        let stdin = self.terminal.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").unwrap();
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let hex: String = keys.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.tell(&format!("keys {hex}"));
    }

    /// Types a line.
    pub fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// Waits until this appears behind what was waited for before.
    pub fn expect(&mut self, wanted: &str) {
        let began = Instant::now();
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(at) = seen[self.used..].find(wanted) {
                self.used += at + wanted.len();
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "no {wanted:?} in {:?}",
                &seen[self.used..]
            );
            let tick = Duration::from_millis(200);
            seen = self.seen.1.wait_timeout(seen, tick).unwrap().0;
        }
    }

    /// Waits for the end of the program, which has this code and restores the terminal; all that
    /// was shown, the ends of lines as a program writes them.
    pub fn ends_with(mut self, code: i32) -> String {
        let last = format!("\n[code {code}, modes same]\n");
        self.expect(&last);
        assert!(self.terminal.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        let seen = self.seen.0.lock().unwrap();
        seen.strip_suffix(&last).unwrap().replace("\r\n", "\n")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // After a failure only: else it has ended.
        let _ = self.terminal.kill();
        let _ = self.terminal.wait();
    }
}
