//! What may stand at the cursor: the answer to the completion scripts.
//!
//! ```text
//! pocketdock --complete WORDS... WORD
//! ```
//!
//! The last word is the one that is being typed, empty where one is to begin. The answer is one
//! candidate a line, a tab and a description behind it; a line `/` means file names of the host.
//! Whoever asks picks those that fit what is typed. The words before are read by the lexer that
//! reads a command line, so what it takes for an option's value is completed as one.
//!
//! Somebody waits at a keyboard: an engine is given two seconds, which is what one takes that its
//! socket starts. One that does not answer is no candidates and no message, like anything else that
//! goes wrong.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use pocketdock_core::engine::images;
use pocketdock_core::{Engine, EngineOptions, ListFilter, languages, list_profiles};

use crate::args::{Args, Grammar, Place, Tail, lex};
use crate::command::{COMMANDS, Command, GLOBAL_OPTIONS, LEADING_OPTIONS, Operand};
use crate::completions::SHELLS;
use crate::option::Opt;
use crate::output::visible;

/// The first word of a completion script's question. It is no option: help does not show it.
pub(crate) const QUESTION: &str = "--complete";

/// How long an engine may take for each of the two answers that are needed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Stands for file names.
const FILES: &str = "/";

/// The candidates, a line each.
#[derive(Debug, Default)]
struct Answer {
    lines: String,
    /// What is named already, of operands that are named once.
    given: Vec<OsString>,
    /// What the line says of the engine.
    socket: Option<PathBuf>,
}

/// Answers what may stand at the last of `words`.
pub(crate) fn answer(words: &[OsString]) -> String {
    let mut answer = Answer::default();
    // Of a line that can not be meant nothing is known.
    let _unknown = complete(words, &mut answer);
    answer.lines
}

fn complete(words: &[OsString], answer: &mut Answer) -> Option<()> {
    let (typed, before) = words.split_last()?;
    let begins_option = typed.as_bytes().starts_with(b"-");
    // A word in the place of the typed one shows what that is: where an option is possible and
    // wanted, an option.
    let probe = if begins_option { "--help" } else { "x" };
    let leading = [LEADING_OPTIONS, GLOBAL_OPTIONS];
    let (mut args, place) = look(before, probe, &leading, Tail::Now)?;
    answer.socket = args.value("--socket").map(PathBuf::from);
    if place != Place::Tail {
        return at(place, args, typed, &leading, &[], answer);
    }
    let rest = args.tail();
    let (name, rest) = rest.split_first()?;
    let Some((_, before)) = rest.split_last() else {
        answer.commands();
        return answer.add("help", "show the help of a command");
    };
    if name == "help" {
        return before.is_empty().then(|| answer.commands());
    }
    let command = Command::find(name.to_str()?)?;
    let mut options: Vec<_> = command.groups.iter().map(|group| group.options).collect();
    options.push(GLOBAL_OPTIONS);
    let (mut args, place) = look(before, probe, &options, command.tail)?;
    if let Some(socket) = args.value("--socket") {
        answer.socket = Some(socket.into());
    }
    at(place, args, typed, &options, command.operands, answer)
}

/// Reads the words and tells what the probe behind them is.
fn look(
    before: &[OsString],
    probe: &str,
    options: &[&'static [Opt]],
    tail: Tail,
) -> Option<(Args, Place)> {
    let mut args = Args::default();
    let mut words = before.to_vec();
    words.push(probe.into());
    let mut words = words.into_iter();
    let grammar = Grammar {
        options,
        tail,
        elsewhere: |_| None, // Nobody is told.
    };
    let place = lex(&mut args, &mut words, &grammar).ok()??;
    Some((args, place))
}

/// Adds what may stand at a place.
fn at(
    place: Place,
    mut args: Args,
    typed: &OsString,
    options: &[&'static [Opt]],
    operands: &[Operand],
    answer: &mut Answer,
) -> Option<()> {
    let mut all = options.iter().copied().flatten();
    match place {
        Place::Value(opt) => answer.values(opt.value, ""),
        Place::Option => match typed.to_str()?.split_once('=') {
            Some((long, _)) => {
                let opt = all.find(|opt| opt.long == long)?;
                answer.values(opt.value, &format!("{long}="))
            }
            None => {
                // The one that was put there is not given.
                let is_given = |long: &str| long != "--help" && args.has(long);
                for opt in all.filter(|opt| opt.repeats || !is_given(opt.long)) {
                    answer.add(opt.long, opt.help);
                }
                Some(())
            }
        },
        Place::Positional(idx) => {
            let operand = operands
                .get(idx)
                .or(operands.last().filter(|it| it.repeats()))?;
            if operand.repeats() {
                answer.given = args.words();
            }
            answer.values(operand.word(), "")
        }
        Place::Tail => None, // A command of the sandbox, and what is in there is not known here.
    }
}

impl Answer {
    /// A word with a control character in it could not be told from two.
    fn add(&mut self, word: &str, what: &str) -> Option<()> {
        let is_given = self.given.iter().any(|given| given == word);
        if !is_given && !word.contains(char::is_control) {
            let _infallible = writeln!(self.lines, "{word}\t{}", visible(what));
        }
        Some(())
    }

    fn all(&mut self, before: &str, words: &[&str]) -> Option<()> {
        for word in words {
            self.add(&format!("{before}{word}"), "");
        }
        Some(())
    }

    fn commands(&mut self) {
        for command in COMMANDS {
            self.add(command.name, command.summary);
        }
    }

    /// Adds the words for a value or an operand by the name that help gives it; `before` stands
    /// before each.
    fn values(&mut self, name: &str, before: &str) -> Option<()> {
        match name {
            "WHEN" => self.all(before, &["auto", "always", "never"]),
            "SHELL" => self.all(before, &SHELLS),
            "TYPE" => self.all(before, &["run", "session", "detach"]),
            "LANGUAGE" => self.all(before, &languages()),
            "PROJECT" => self.all(before, &["."]),
            "PROFILE" => {
                for profile in list_profiles() {
                    self.add(&format!("{before}{}", profile.name), profile.description);
                }
                Some(())
            }
            "CONTAINER" => {
                for item in self.engine()?.list(&ListFilter::new()).ok()? {
                    let what = format!("{}, {}", item.status, item.image);
                    self.add(&format!("{before}{}", item.name), &what);
                }
                Some(())
            }
            "IMAGE" => self.images(before),
            // On the host: a file, a directory, a socket, the first half of a volume or device.
            name if name.starts_with("HOST") || matches!(name, "FILE" | "PATH") => {
                self.lines.push_str(FILES);
                self.lines.push('\n');
                Some(())
            }
            _ => None,
        }
    }

    fn images(&mut self, before: &str) -> Option<()> {
        for image in images::list(self.engine()?.client()).ok()? {
            let tags = image.array_at(&["RepoTags"]).unwrap_or_default();
            for tag in tags.iter().filter_map(|tag| tag.as_str()) {
                // An image that has lost its name.
                if tag != "<none>:<none>" {
                    self.add(&format!("{before}{tag}"), "");
                }
            }
        }
        Some(())
    }

    /// The engine that the command would use.
    fn engine(&self) -> Option<Engine> {
        let mut options = EngineOptions::new().timeout(PATIENCE);
        if let Some(socket) = &self.socket {
            options = options.socket(socket);
        }
        options.connect().ok()
    }
}

impl Operand {
    /// Whether more of the same may follow.
    fn repeats(self) -> bool {
        matches!(self, Self::Containers | Self::Profiles)
    }

    /// The name that a value of this kind has in help.
    fn word(self) -> &'static str {
        match self {
            Self::Container | Self::Containers => "CONTAINER",
            Self::Profiles => "PROFILE",
            Self::Image => "IMAGE",
            Self::Path => "PATH",
            Self::Inside => "DIR",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the candidates for the last word of a line.
    fn candidates(line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let answer = answer(&words);
        let words = answer.lines().map(|line| line.split('\t').next().unwrap());
        words.map(str::to_owned).collect()
    }

    #[test]
    fn what_may_stand_at_each_place() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[&str]); 19] = [
            ("--color ",                    &["auto", "always", "never"]),
            ("--color=a",                   &["--color=auto", "--color=always", "--color=never"]),
            ("list --color ",               &["auto", "always", "never"]),
            ("-q logs --type ",             &["run", "session", "detach"]),
            ("run box --lang=",             &["--lang=python", "--lang=node", "--lang=bun", "--lang=bash", "--lang=sh", "--lang=ruby", "--lang=perl"]),
            ("create --name x --project ",  &["."]),
            ("--completions ",              &["bash", "zsh", "fish"]),
            ("import ",                     &["/"]),
            ("init ",                       &["/"]),
            ("create -v ",                  &["/"]),
            ("export --output=",            &["/"]),
            ("push box ",                   &["/"]),
            ("push box src ",               &[]),
            ("pull box /a ",                &["/"]),
            ("create --name ",              &[]),
            ("create ",                     &[]),
            ("run box ls -",                &[]),
            ("bogus ",                      &[]),
            ("list --bogus ",               &[]),
        ];
        for (line, want) in cases {
            assert_eq!(candidates(line), want, "{line:?}");
        }
    }

    #[test]
    fn commands_and_profiles() {
        let commands: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        for line in ["", "-q ", "--socket /x ", "--color=never cr"] {
            assert_eq!(
                candidates(line),
                [commands.as_slice(), &["help"]].concat(),
                "{line:?}"
            );
        }
        assert_eq!(candidates("help "), commands);
        assert!(candidates("help run ").is_empty());
        let profiles: Vec<_> = list_profiles().iter().map(|profile| profile.name).collect();
        for line in [
            "build ",
            "create --profile ",
            "export --profile dev --profile ",
        ] {
            assert_eq!(candidates(line), profiles, "{line:?}");
        }
    }

    #[test]
    fn what_is_named_already_is_not_offered_again() {
        let left = candidates("build dev agent ");
        assert_eq!(
            left,
            ["minimal-python", "minimal-node", "minimal-bun", "embedded"]
        );
    }

    #[test]
    fn options_of_every_command_and_none_twice() {
        for command in COMMANDS {
            let found = candidates(&format!("{} -", command.name));
            for opt in command.options().chain(GLOBAL_OPTIONS) {
                assert!(
                    found.iter().any(|it| it == opt.long),
                    "{} {}",
                    command.name,
                    opt.long
                );
            }
        }
        let found = candidates("create --name x -e A --");
        assert!(!found.iter().any(|it| it == "--name"), "{found:?}");
        assert!(found.iter().any(|it| it == "--env"), "{found:?}");
        let found = candidates("--socket /nonexistent stop -- --");
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn an_engine_that_is_not_there_is_no_candidates() {
        for line in ["run ", "stop a ", "create --image ", "snapshot box "] {
            assert!(
                candidates(&format!("--socket /nonexistent {line}")).is_empty(),
                "{line}"
            );
        }
    }
}
