//! The engine under test, sandboxes that do not outlive their test, and the program.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pocketdock_core::engine::containers;
use pocketdock_core::wire::json;
use pocketdock_core::wire::value::Value;

use crate::support::scratch::Scratch;
use crate::support::signals::with_default_signals;

/// An engine that tests may use.
pub(crate) struct Live {
    pub(crate) engine: String,
    pub(crate) socket: String,
    pub(crate) image: String,
    /// Where the program keeps logs.
    pub(crate) state: Scratch,
}

/// The same program with no more rights to files than their owner has: root gives up its own.
pub(crate) fn meek(program: &Command) -> Command {
    let own = fs::metadata("/proc/self").expect("know who this is");
    let mut command = match own.uid() {
        0 => {
            let mut setpriv = Command::new("setpriv");
            let capabilities = "-dac_override,-dac_read_search,-fowner";
            setpriv.args(["--bounding-set", capabilities, "--"]);
            setpriv.arg(program.get_program());
            setpriv
        }
        _ => Command::new(program.get_program()),
    };
    let set = program.get_envs();
    command.args(program.get_args()).env_clear();
    command.envs(set.filter_map(|(key, value)| Some((key, value?))));
    if let Some(dir) = program.get_current_dir() {
        command.current_dir(dir);
    }
    command
}

/// The engine under test, or `None`, said aloud.
pub(crate) fn live() -> Option<Live> {
    let (engine, socket) = (
        env::var("POCKETDOCK_TEST_ENGINE"),
        env::var("POCKETDOCK_TEST_SOCKET"),
    );
    if let (Ok(engine), Ok(socket)) = (engine, socket) {
        let image = env::var("POCKETDOCK_TEST_IMAGE");
        let image = image.unwrap_or_else(|_| "localhost/busybox:latest".to_owned());
        return Some(Live {
            engine,
            socket,
            image,
            state: Scratch::new(),
        });
    }
    // Past the test harness, which keeps what a passing test prints to itself.
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let suite = env!("CARGO_CRATE_NAME");
    let line = format!("{suite}: {name} SKIPPED: POCKETDOCK_TEST_ENGINE is not set\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    None
}

impl Live {
    /// A second engine, to carry images to; `None`, said aloud, where there is none.
    pub(crate) fn other(&self) -> Option<Live> {
        let Ok(socket) = env::var("POCKETDOCK_TEST_OTHER_SOCKET") else {
            let line =
                b"cli_live: a second engine SKIPPED: POCKETDOCK_TEST_OTHER_SOCKET is not set\n";
            let _ = std::io::stderr().write_all(line);
            return None;
        };
        Some(Live {
            engine: "other".to_owned(),
            socket,
            image: self.image.clone(),
            state: Scratch::new(),
        })
    }

    /// The program, with this engine and nothing of the developer's environment.
    pub(crate) fn pocketdock(&self, words: &[&str]) -> Command {
        let mut command = with_default_signals(env!("CARGO_BIN_EXE_pocketdock"));
        command
            .env_clear()
            .env("XDG_STATE_HOME", self.state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.args(["--socket", &self.socket]).args(words);
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.pocketdock(words).output().expect("start pocketdock")
    }

    /// Runs it with these bytes as its input.
    pub(crate) fn run_with_input(&self, words: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .pocketdock(words)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                // A command that does not read its input to the end closes the pipe.
                let _ = stdin.write_all(input);
            });
            child.wait_with_output().unwrap()
        })
    }

    /// Runs it with `--json` and reads what it prints.
    pub(crate) fn json(&self, words: &[&str]) -> (Value, i32) {
        let output = self.run(&[&["--json"], words].concat());
        let value = json::parse(output.stdout.trim_ascii_end());
        (
            value.unwrap_or_else(|error| panic!("{error}: {output:?}")),
            code(&output),
        )
    }

    /// A sandbox that runs until the end of the test.
    pub(crate) fn sandbox(&self) -> Sandbox<'_> {
        self.sandbox_with(&[])
    }

    /// The same with more options.
    pub(crate) fn sandbox_with(&self, options: &[&str]) -> Sandbox<'_> {
        let name = unique_name();
        let words = ["create", "--image", &self.image, "--name", &name];
        let output = self.run(&[&words, options].concat());
        assert_eq!(code(&output), 0, "{output:?}");
        assert_eq!(output.stdout, format!("{name}\n").into_bytes());
        Sandbox { live: self, name }
    }

    /// Asks the engine itself for what pocketdock has no command for.
    pub(crate) fn post(&self, path: &str) {
        let answer = self.ask("POST", path, "");
        assert!(answer.starts_with('2'), "{answer}");
    }

    /// Whether sandboxes can be limited and paused: not without root on control groups of version
    /// 1. If not, says that this is skipped.
    pub(crate) fn has_control_groups(&self) -> bool {
        let has = self.can_limit();
        if !has {
            let name = thread::current().name().unwrap_or("a test").to_owned();
            let line = format!("cli_live: {name} SKIPPED: this engine has no control groups\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
        has
    }

    fn can_limit(&self) -> bool {
        let info = self.ask("GET", "/info", "");
        !info.contains(r#""Rootless":true"#) || info.contains(r#""CgroupVersion":"2""#)
    }

    /// The options for a sandbox of which nothing is to be warned: one without limits, where the
    /// engine applies none.
    pub(crate) fn without_warnings(&self) -> &'static [&'static str] {
        match self.can_limit() {
            true => &[],
            false => &["--pids-limit", "0"],
        }
    }

    /// Removes what may be gone already.
    pub(crate) fn delete(&self, path: &str) {
        self.ask("DELETE", path, "");
    }

    /// A container with these labels that is not started, made past pocketdock.
    pub(crate) fn create(&self, name: &str, labels: &str) {
        let image = &self.image;
        let body = format!(r#"{{"Image":"{image}","Cmd":["sleep","600"],"Labels":{labels}}}"#);
        let answer = self.ask("POST", &format!("/containers/create?name={name}"), &body);
        assert!(answer.starts_with('2'), "{answer}");
    }

    /// The status and what follows it.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut connection = UnixStream::connect(&self.socket).unwrap();
        let len = body.len();
        write!(
            connection,
            "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\n\
             Content-Length: {len}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer.split_once(' ').expect("a status").1.to_owned()
    }

    /// Whether a sandbox runs.
    pub(crate) fn running(&self, name: &str) -> bool {
        let (info, _) = self.json(&["info", name]);
        info.str_at(&["status"]) == Some("running")
    }

    /// The names of the containers with this label.
    pub(crate) fn labelled(&self, label: &str) -> BTreeSet<String> {
        let engine = pocketdock_core::Engine::at(self.socket.as_ref()).unwrap();
        let found = containers::list(engine.client(), &[label.to_owned()]);
        found.unwrap().into_iter().map(|it| it.name).collect()
    }

    /// Waits until something is so; whether it came to be.
    pub(crate) fn eventually(&self, patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            if is_so() {
                return true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        false
    }

    /// Whether the engine has a sandbox of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let (list, _) = self.json(&["list"]);
        let mut items = list.as_array().unwrap().iter();
        items.any(|item| item.str_at(&["name"]) == Some(name))
    }
}

/// Removed when the test is over, however it ends.
pub(crate) struct Sandbox<'l> {
    live: &'l Live,
    pub(crate) name: String,
}

impl<'l> Sandbox<'l> {
    /// One that was made past pocketdock.
    pub(crate) fn named(live: &'l Live, name: &str) -> Self {
        let name = name.to_owned();
        Sandbox { live, name }
    }

    /// `pocketdock run NAME WORDS...`
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.live
            .run(&[&["run", self.name.as_str()], words].concat())
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        self.live.run(&["shutdown", "--yes", "--force", &self.name]);
    }
}

/// A name that no other test and no other process has.
pub(crate) fn unique_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("pdcli-{}-{count}", std::process::id())
}

/// The exit code; dying of a signal is never right here.
pub(crate) fn code(output: &Output) -> i32 {
    output
        .status
        .code()
        .unwrap_or_else(|| panic!("died of a signal: {output:?}"))
}

/// What a stream carried, as text.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// Reads until the child has printed this much.
pub(crate) fn read_until(child: &mut Child, wanted: &str) {
    let stdout = child.stdout.as_mut().unwrap();
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(wanted.as_bytes()) {
        let n = stdout.read(&mut byte).unwrap();
        assert_ne!(n, 0, "ended after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&byte);
    }
}

/// Sends a signal by name, as a person would.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}
