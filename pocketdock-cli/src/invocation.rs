//! From the words of the command line to what they ask for.
//!
//! Two stages: the words before the command are read with the global options
//! alone, the rest with those of the command and the global ones. What asks for
//! information (`--help`, `--version`, `--completions`, `--man`) wins over
//! everything else that was understood.

use std::ffi::OsString;
use std::vec::IntoIter;

use pocketdock_core::wire::nearest::nearest;

use crate::args::{Args, Grammar, Tail, lex, text};
use crate::command::{
    COMMANDS, Command, GLOBAL_OPTIONS, LEADING_OPTIONS, NAMES_ELSEWHERE, elsewhere,
};
use crate::completions::{self, Shell};
use crate::failure::{Failure, usage};
use crate::globals::Globals;
use crate::help::usage_line;
use crate::option::Opt;
use crate::output::visible;
use crate::paint::color_choice;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// The help of a command, or the overview.
    Help(Option<&'static Command>),
    /// The version.
    Version,
    /// A completion script.
    Completions(Shell),
    /// The manual page.
    Man,
    /// A command with its words.
    Command(&'static Command, Args),
}

/// Reads the words that follow the program's name. What was understood of the global options
/// before something wrong is in `globals` and holds for the report of it, too.
pub(crate) fn parse(words: Vec<OsString>, globals: &mut Globals) -> Result<Request, Failure> {
    let wants_json = asks_for_json(&words);
    let parsed = read_words(words, globals);
    globals.json |= wants_json && parsed.is_err();
    parsed
}

fn read_words(words: Vec<OsString>, globals: &mut Globals) -> Result<Request, Failure> {
    let mut words = words.into_iter();
    let grammar = Grammar {
        options: &[LEADING_OPTIONS, GLOBAL_OPTIONS],
        tail: Tail::Now,
        elsewhere,
    };
    let mut leading = Args::default();
    let asked = globals
        .read(&mut leading, &mut words, &grammar)
        .map_err(|failure| with_help_hint(failure, None))?;
    let mut words = leading.tail().into_iter();
    match (asked, words.next()) {
        (Some(request), _) => Ok(request),
        (None, None) => Err(with_help_hint(usage("missing COMMAND"), None)),
        (None, Some(name)) if name == "help" => {
            help(&mut words, globals).map_err(|failure| with_help_hint(failure, None))
        }
        (None, Some(name)) => {
            let command = find(&text(name, "COMMAND")?)?;
            read_command(command, &mut words, globals)
                .map_err(|failure| with_help_hint(failure, Some(command)))
        }
    }
}

/// Whether a failure to read `words` is to be reported as JSON, which has to be
/// guessed. What follows `--` is never ours.
fn asks_for_json(words: &[OsString]) -> bool {
    let mut ours = words.iter().take_while(|word| *word != "--");
    ours.any(|word| word == "--json")
}

/// Names the help that would have told; what lacks a word is shown where that belongs.
pub(crate) fn with_help_hint(failure: Failure, command: Option<&Command>) -> Failure {
    let lacks =
        matches!(&failure, Failure::Usage { message, .. } if message.starts_with("missing "));
    failure.or_hint(|| match command {
        Some(command) => {
            let help = format!("'pocketdock {} --help'", command.name);
            match command.forms {
                [form] if lacks => format!("'{}'; {help} tells more", usage_line(command, form)),
                _ => format!("{help} shows its usage"),
            }
        }
        None => "'pocketdock --help' lists the commands".to_owned(),
    })
}

fn read_command(
    command: &'static Command,
    words: &mut IntoIter<OsString>,
    globals: &mut Globals,
) -> Result<Request, Failure> {
    let mut options: Vec<&'static [Opt]> = command.groups.iter().map(|g| g.options).collect();
    options.push(GLOBAL_OPTIONS);
    let grammar = Grammar {
        options: &options,
        tail: command.tail,
        elsewhere,
    };
    let mut args = Args::default();
    match globals.read(&mut args, words, &grammar)? {
        Some(Request::Help(_)) => Ok(Request::Help(Some(command))),
        Some(request) => Ok(request),
        None => Ok(Request::Command(command, args)),
    }
}

/// `pocketdock help [COMMAND]`
fn help(words: &mut IntoIter<OsString>, globals: &mut Globals) -> Result<Request, Failure> {
    let grammar = Grammar {
        options: &[GLOBAL_OPTIONS],
        tail: Tail::None,
        elsewhere,
    };
    let mut args = Args::default();
    if let Some(request) = globals.read(&mut args, words, &grammar)? {
        return Ok(request);
    }
    let names = args.positionals("COMMAND")?;
    match names.as_slice() {
        [] => Ok(Request::Help(None)),
        [name] if name == "help" => Ok(Request::Help(None)),
        [name] => Ok(Request::Help(Some(find(name)?))),
        [_, more, ..] => Err(usage(format!("unexpected argument '{}'", visible(more)))),
    }
}

fn find(name: &str) -> Result<&'static Command, Failure> {
    Command::find(name).ok_or_else(|| {
        let elsewhere = NAMES_ELSEWHERE.iter().find(|(other, _)| *other == name);
        let known = match elsewhere {
            Some((_, here)) => Some(*here),
            None => nearest(name, COMMANDS.iter().map(|command| command.name)),
        };
        let hint = match known {
            Some(known) => format!("did you mean '{known}'?"),
            None => "'pocketdock --help' lists the commands".to_owned(),
        };
        Failure::Usage {
            message: format!("unknown command '{}'", visible(name)),
            hint: Some(hint),
        }
    })
}

impl Globals {
    /// Lexes `words` and takes the global options, those before a wrong word too.
    fn read(
        &mut self,
        args: &mut Args,
        words: &mut IntoIter<OsString>,
        grammar: &Grammar<'_>,
    ) -> Result<Option<Request>, Failure> {
        let lexed = lex(args, words, grammar);
        let taken = self.take(args);
        lexed.and(taken)
    }

    /// Takes the global options out of `args`; answers what they ask to print
    /// instead of running a command.
    fn take(&mut self, args: &mut Args) -> Result<Option<Request>, Failure> {
        self.json |= args.flag("--json");
        self.quiet |= args.flag("--quiet");
        self.verbose |= args.flag("--verbose");
        self.no_input |= args.flag("--no-input");
        if let Some(path) = args.value("--socket") {
            self.socket = Some(path.into());
        }
        let color = args.parsed("--color", color_choice);
        if let Ok(Some(choice)) = color {
            self.color = Some(choice);
        }
        let (help, version, man) = (
            args.flag("--help"),
            args.flag("--version"),
            args.flag("--man"),
        );
        if help {
            return Ok(Some(Request::Help(None)));
        }
        if version {
            return Ok(Some(Request::Version));
        }
        if man {
            return Ok(Some(Request::Man));
        }
        color?;
        Ok(args
            .parsed("--completions", completions::shell)?
            .map(Request::Completions))
    }
}
