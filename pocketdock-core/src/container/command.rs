//! What to run: a shell line, an argument vector, or a program in some language; and how it
//! reaches the engine.
//!
//! A shell line goes through `sh -c`. An argument vector is executed as it is, with no shell. With
//! a language the first argument is the program's text and the rest are its arguments.
//!
//! The kernel takes no argument longer than 128 KiB. A longer text is first written to a file
//! in the sandbox's `/dev/shm`, which is there and in memory even if its root is read-only.

use crate::container::kill::Marks;
use crate::error::{Error, Result};

/// The longest text that is handed over as an argument; Linux's `MAX_ARG_STRLEN` is 131,072.
const ARGUMENT_LEN_MAX: usize = 120 * 1024;

/// What to run in a sandbox.
///
/// ```
/// use pocketdock_core::Command;
///
/// assert_eq!(Command::from("ls | wc -l"), Command::Shell("ls | wc -l".into()));
/// assert_eq!(Command::from(["ls", "-l"]), Command::Argv(vec!["ls".into(), "-l".into()]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

impl From<&str> for Command {
    fn from(line: &str) -> Self {
        Command::Shell(line.to_owned())
    }
}

impl From<String> for Command {
    fn from(line: String) -> Self {
        Command::Shell(line)
    }
}

impl From<&String> for Command {
    fn from(line: &String) -> Self {
        Command::Shell(line.clone())
    }
}

impl<const N: usize> From<[&str; N]> for Command {
    fn from(arguments: [&str; N]) -> Self {
        Command::Argv(arguments.map(str::to_owned).to_vec())
    }
}

impl From<&[&str]> for Command {
    fn from(arguments: &[&str]) -> Self {
        Command::Argv(
            arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
        )
    }
}

impl From<Vec<String>> for Command {
    fn from(arguments: Vec<String>) -> Self {
        Command::Argv(arguments)
    }
}

impl From<&[String]> for Command {
    fn from(arguments: &[String]) -> Self {
        Command::Argv(arguments.to_vec())
    }
}

/// A language whose interpreter takes a program as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lang {
    name: &'static str,
    /// The interpreter, and the option before the program's text.
    interpreter: &'static str,
    text_option: &'static str,
    /// What stands between the text and its arguments.
    separator: Option<&'static str>,
}

/// Every language, by the name it is asked for.
const LANGS: [Lang; 7] = [
    Lang {
        name: "python",
        interpreter: "python3",
        text_option: "-c",
        separator: None,
    },
    Lang {
        name: "node",
        interpreter: "node",
        text_option: "-e",
        separator: Some("--"),
    },
    Lang {
        name: "bun",
        interpreter: "bun",
        text_option: "-e",
        separator: None,
    },
    Lang {
        name: "bash",
        interpreter: "bash",
        text_option: "-c",
        separator: Some("bash"),
    },
    Lang {
        name: "sh",
        interpreter: "sh",
        text_option: "-c",
        separator: Some("sh"),
    },
    Lang {
        name: "ruby",
        interpreter: "ruby",
        text_option: "-e",
        separator: Some("--"),
    },
    Lang {
        name: "perl",
        interpreter: "perl",
        text_option: "-e",
        separator: Some("--"),
    },
];

impl Lang {
    pub(crate) fn parse(name: &str) -> Result<Self> {
        LANGS
            .into_iter()
            .find(|lang| lang.name == name)
            .ok_or_else(|| {
                Error::invalid(
                    "language",
                    name,
                    format!("expected one of {}", names().join(", ")),
                )
            })
    }
}

/// The names of the languages that [`Exec::lang`](super::exec::Exec::lang) knows.
///
/// ```
/// assert!(pocketdock_core::languages().contains(&"python"));
/// ```
#[must_use]
pub fn languages() -> Vec<&'static str> {
    names()
}

fn names() -> Vec<&'static str> {
    LANGS.iter().map(|lang| lang.name).collect()
}

/// A command in the form the engine takes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Prepared {
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// A file that has to be in the sandbox first, and its content.
    pub(crate) script: Option<(String, String)>,
}

/// Brings a command into the engine's form; a shell that starts it carries the second mark.
pub(crate) fn prepare(command: &Command, lang: Option<Lang>, marks: &Marks) -> Result<Prepared> {
    let (interpreter, text, arguments) = match (command, lang) {
        (Command::Argv(argv), None) => return argv_as_it_is(argv),
        (Command::Shell(line), None) => (None, line, &[][..]),
        (Command::Shell(text), Some(lang)) => (Some(lang), text, &[][..]),
        (Command::Argv(argv), Some(lang)) => {
            let (text, arguments) = argv.split_first().ok_or_else(empty)?;
            (Some(lang), text, arguments)
        }
    };
    for part in std::iter::once(text).chain(arguments) {
        refuse_nul(part)?;
    }
    let lang = interpreter.unwrap_or(LANGS[4]);
    let mut argv = vec![lang.interpreter.to_owned()];
    let script = if text.len() <= ARGUMENT_LEN_MAX {
        let prefix = if lang.name == "sh" {
            marks.shell_prefix()
        } else {
            String::new()
        };
        argv.extend([lang.text_option.to_owned(), format!("{prefix}{text}")]);
        argv.extend(lang.separator.map(str::to_owned));
        None
    } else {
        let path = format!("/dev/shm/.pocketdock-{}", marks.id());
        argv.push(path.clone());
        Some((path, text.clone()))
    };
    argv.extend_from_slice(arguments);
    Ok(Prepared { argv, script })
}

fn argv_as_it_is(argv: &[String]) -> Result<Prepared> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(empty());
    }
    for argument in argv {
        refuse_nul(argument)?;
        if ARGUMENT_LEN_MAX < argument.len() {
            let start: String = argument.chars().take(40).collect();
            let reason =
                format!("an argument may have {ARGUMENT_LEN_MAX} bytes; use a file or stdin");
            return Err(Error::invalid("argument", format!("{start}…"), reason));
        }
    }
    Ok(Prepared {
        argv: argv.to_vec(),
        script: None,
    })
}

fn empty() -> Error {
    Error::invalid("command", "", "expected a program")
}

fn refuse_nul(part: &str) -> Result<()> {
    if part.contains('\0') {
        let start: String = part.chars().take(40).collect();
        return Err(Error::invalid(
            "command",
            start,
            "no argument can contain NUL",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(command: impl Into<Command>, lang: Option<&str>) -> Vec<String> {
        let lang = lang.map(|name| Lang::parse(name).unwrap());
        prepare(&command.into(), lang, &Marks::random().unwrap())
            .unwrap()
            .argv
    }

    #[test]
    fn a_shell_line_goes_through_sh_and_carries_the_mark() {
        let argv = argv("echo hi", None);
        assert_eq!(argv[..2], ["sh", "-c"]);
        assert!(
            argv[2].starts_with("ulimit -m ") && argv[2].ends_with("; echo hi"),
            "{argv:?}"
        );
    }

    #[test]
    fn arguments_are_passed_as_they_are() {
        assert_eq!(argv(["ls", "-l", "a b"], None), ["ls", "-l", "a b"]);
        assert_eq!(
            argv("print(1)", Some("python")),
            ["python3", "-c", "print(1)"]
        );
        assert_eq!(
            argv(["x", "1"], Some("node")),
            ["node", "-e", "x", "--", "1"]
        );
        assert_eq!(
            argv(["x", "1"], Some("bash")),
            ["bash", "-c", "x", "bash", "1"]
        );
    }

    #[test]
    fn a_long_text_goes_into_a_file() {
        let marks = Marks::random().unwrap();
        let text = "#".repeat(ARGUMENT_LEN_MAX + 1);
        let prepared = prepare(&Command::Shell(text.clone()), None, &marks).unwrap();
        let (path, content) = prepared.script.unwrap();
        assert_eq!(prepared.argv, ["sh".to_owned(), path]);
        assert_eq!(content, text);
        let short = prepare(&Command::Shell(text[1..].to_owned()), None, &marks).unwrap();
        assert!(short.script.is_none());
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let marks = Marks::random().unwrap();
        let long = "x".repeat(ARGUMENT_LEN_MAX + 1);
        let none: [&str; 0] = [];
        let cases: [(Command, &str); 5] = [
            (Command::from(none), "expected a program"),
            (Command::from([""]), "expected a program"),
            (Command::from("a\0b"), "NUL"),
            (Command::from(["a", "b\0"]), "NUL"),
            (Command::from(["a", &long]), "use a file or stdin"),
        ];
        for (command, part) in cases {
            let message = prepare(&command, None, &marks).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let message = Lang::parse("cobol").unwrap_err().to_string();
        assert!(
            message.contains("'cobol'") && message.contains("python"),
            "{message}"
        );
    }
}
