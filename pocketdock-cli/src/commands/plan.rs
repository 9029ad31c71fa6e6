//! What the words of `run` say: where, what and how, checked before the engine is asked anything.

use std::ffi::OsString;
use std::io::{self, Read};
use std::time::Duration;

use pocketdock_core::container::exec::DEFAULT_MAX_OUTPUT;
use pocketdock_core::container::plan::checked_reference;
use pocketdock_core::{Config, Container, CreateOptions, Error, Exec, Stdin, languages};

use crate::args::{Args, text};
use crate::failure::{Failure, unread_stdin, usage};
use crate::sink::Form;
use crate::stdin::stdin;
use crate::values;

use super::sandbox;

/// Everything the command line says, checked before the engine is asked anything.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) target: Target,
    pub(super) command: Command,
    /// `Some(None)` is `--timeout 0`.
    timeout: Option<Option<Duration>>,
    pub(super) max_output_bytes: Option<u64>,
    streaming: bool,
    /// Whether it is to go on after us.
    pub(super) detached: bool,
    pub(super) stdin: bool,
    environment: Vec<(String, String)>,
    workdir: Option<String>,
    user: Option<String>,
}

/// Where to run.
#[derive(Debug)]
pub(super) enum Target {
    /// In a sandbox that is there.
    Container(String),
    /// In one that is made for this and removed after it.
    OneShot(Box<CreateOptions>),
}

/// What to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A line for the shell.
    Shell(String),
    /// A program and its arguments.
    Arguments(Vec<String>),
    /// Code in a language and the arguments it gets; with no word the code is on
    /// stdin.
    Code { lang: String, words: Vec<String> },
}

/// Most code read from stdin; it has to fit into the sandbox's memory.
const CODE_LEN_MAX: u64 = 16 * 1024 * 1024;

impl Plan {
    pub(super) fn read(args: &mut Args, config: &Config) -> Result<Self, Failure> {
        let target = Target::read(args, config)?;
        let stdin = args.flag("--stdin");
        let command = Command::read(args, stdin)?;
        let (streaming, detached) = (args.flag("--stream"), args.flag("--detach"));
        if streaming && detached {
            let message = "'--stream' and '--detach' can not be used together";
            return Err(usage(message));
        }
        Ok(Self {
            target,
            stdin,
            command,
            timeout: args.parsed("--timeout", values::limit)?,
            max_output_bytes: args.parsed("--max-output", values::size)?,
            streaming,
            detached,
            environment: sandbox::environment(args)?,
            workdir: args.parsed("--workdir", values::directory)?,
            user: args.parsed("--user", values::user)?,
        })
    }

    /// Reads the code from stdin if it was not on the command line; the program
    /// then has no input of its own.
    pub(super) fn read_code(&mut self) -> Result<(), Failure> {
        if let Command::Code { words, .. } = &mut self.command {
            if words.is_empty() {
                words.push(code_from_stdin()?);
                self.stdin = false;
            }
        }
        Ok(())
    }

    pub(super) fn form(&self, json: bool) -> Form {
        match (json, self.streaming) {
            (false, _) => Form::Raw,
            (true, false) => Form::Collected,
            (true, true) => Form::Lines,
        }
    }

    /// The command with its options, ready to start.
    pub(super) fn exec(&self, container: &Container) -> Result<Exec, Failure> {
        let mut exec = match &self.command {
            Command::Shell(line) => container.exec(line),
            Command::Arguments(words) => container.exec(words.as_slice()),
            Command::Code { lang, words } => container.exec(words.as_slice()).lang(lang),
        };
        for (key, value) in &self.environment {
            exec = exec.env(key, value);
        }
        if let Some(dir) = &self.workdir {
            exec = exec.workdir(dir);
        }
        if let Some(user) = &self.user {
            exec = exec.user(user);
        }
        if self.stdin {
            exec = exec.stdin(Stdin::reader(stdin().map_err(unread_stdin)?));
        }
        Ok(self.limited(exec, container))
    }

    /// `--stream` lifts the default limits, not those that were given. In the background it is
    /// the log that has a limit.
    fn limited(&self, exec: Exec, container: &Container) -> Exec {
        let exec = match self.max_output_bytes {
            _ if self.detached => exec,
            Some(len) => exec.max_output(len),
            None if self.streaming => exec,
            None => exec.max_output(DEFAULT_MAX_OUTPUT),
        };
        match self.time_limit(container) {
            Some(timeout) => exec.timeout(timeout),
            None => exec.no_timeout(),
        }
    }

    pub(super) fn time_limit(&self, container: &Container) -> Option<Duration> {
        match self.timeout {
            Some(given) => given,
            None if self.detached => None,
            None if self.streaming && !container.command_timeout_given() => None,
            None => container.command_timeout(),
        }
    }
}

impl Target {
    /// A sandbox of its own if the options say what it should be.
    fn read(args: &mut Args, config: &Config) -> Result<Self, Failure> {
        if args.has("--image") || args.has("--profile") {
            let options = sandbox::create_options(args, config)?;
            options.check()?;
            if let Ok(name) = args.positional("CONTAINER") {
                return Err(usage(format!(
                    "'{name}' names a sandbox, and '--image' or '--profile' asks for a new one"
                )));
            }
            return Ok(Self::OneShot(Box::new(options)));
        }
        if let Some(long) = sandbox::OPTIONS.iter().find(|long| args.has(long)) {
            return Err(usage(format!(
                "'{long}' describes a new sandbox: it needs '--image' or '--profile'"
            )));
        }
        let name = args.positional("CONTAINER")?;
        Ok(Self::Container(checked_reference(&name)?.to_owned()))
    }
}

impl Command {
    /// The words that a history shows.
    pub(super) fn words(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => vec![line.clone()],
            Self::Arguments(words) => words.clone(),
            Self::Code { lang, words } => [std::slice::from_ref(lang), words].concat(),
        }
    }

    fn read(args: &mut Args, stdin: bool) -> Result<Self, Failure> {
        let shell = args.flag("--shell");
        let lang = args.parsed("--lang", language)?;
        let mut words = Vec::new();
        for word in args.tail() {
            words.push(command_text(word)?);
        }
        match (lang, shell) {
            (Some(_), true) => Err(usage("'--lang' and '--shell' can not be used together")),
            (Some(_), false) if words.is_empty() && !stdin => {
                Err(usage("missing CODE; '-i' reads it from stdin"))
            }
            (Some(lang), false) => Ok(Self::Code { lang, words }),
            (None, _) if words.is_empty() => Err(usage("missing COMMAND")),
            (None, true) => Ok(Self::Shell(words.join(" "))),
            (None, false) => Ok(match <[String; 1]>::try_from(words) {
                Ok([line]) => Self::Shell(line),
                Err(words) => Self::Arguments(words),
            }),
        }
    }
}

/// A word of a command, which an engine takes as text alone.
pub(super) fn command_text(word: OsString) -> Result<String, Failure> {
    text(word, "COMMAND").map_err(|failure| {
        failure.or_hint(|| {
            "an engine takes text alone; a shell line can make the bytes: \
             run box 'ls \"$(printf a\\377)\"'"
                .to_owned()
        })
    })
}

/// A language that the library knows.
fn language(name: &str) -> Result<String, Error> {
    let known = languages();
    if known.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(Error::InvalidArgument {
        what: "language",
        value: name.to_owned(),
        expected: format!("expected one of {}", known.join(", ")),
    })
}

/// All of stdin as the text of a program.
fn code_from_stdin() -> Result<String, Failure> {
    let mut code = String::new();
    let taken = stdin()
        .and_then(|file| file.take(CODE_LEN_MAX + 1).read_to_string(&mut code))
        .map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => usage("the code on stdin is not valid UTF-8"),
            _ => unread_stdin(error),
        })?;
    if CODE_LEN_MAX < u64::try_from(taken).unwrap_or(u64::MAX) {
        return Err(usage(format!(
            "the code on stdin is larger than {CODE_LEN_MAX} bytes"
        )));
    }
    Ok(code)
}
