//! Splits the words of a command line into options, positionals and a tail.
//!
//! The lexer knows an option only by what the command table says of it
//! ([`Opt`]), so an unknown one is refused here and a command never sees it.
//! It accepts what `getopt_long` does: `--opt value`, `--opt=value`, `-o value`,
//! `-ovalue`, `-o=value`, clusters of flags such as `-qi`, and `--`, after which
//! nothing is an option. Abbreviated long options are not accepted: a later
//! version with more options would change what they mean.
//!
//! Words stay [`OsString`] until a command asks for text. A command takes what
//! it understands out of [`Args`]; [`Args::finish`] refuses what is left, so an
//! option that is in the table can not be ignored in silence.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::vec::IntoIter;

use pocketdock_core::wire::nearest::nearest;

use crate::failure::{Failure, usage};
use crate::option::Opt;
use crate::output::visible;
use crate::values::Malformed;

/// When the words of a command stop being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Never: options may stand between and behind the positionals.
    None,
    /// At the first positional, which belongs to the tail.
    Now,
    /// At the second positional, or at the first if one of these options was
    /// given before it.
    AfterOneUnless(&'static [&'static str]),
}

/// What the lexer is to accept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grammar<'t> {
    /// Options by group; where two share a name the first is meant.
    pub(crate) options: &'t [&'static [Opt]],
    /// When to stop.
    pub(crate) tail: Tail,
    /// What to say of an option that is not one here, if it is one elsewhere.
    pub(crate) elsewhere: fn(&str) -> Option<String>,
}

/// The words of a command line, sorted.
#[derive(Debug, Default)]
pub(crate) struct Args {
    options: Vec<(&'static Opt, OsString)>,
    positionals: Vec<OsString>,
    tail: Vec<OsString>,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// An option, or several in a cluster.
    Option,
    /// The value of this option, as a word of its own.
    Value(&'static Opt),
    /// The positional with this index.
    Positional(usize),
    /// A part of the tail.
    Tail,
}

/// Sorts `words` into `args`, which has those before the wrong one if there is a wrong one.
pub(crate) fn lex(
    args: &mut Args,
    words: &mut IntoIter<OsString>,
    grammar: &Grammar<'_>,
) -> Result<Option<Place>, Failure> {
    let mut options_ended = false;
    let mut last = None;
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if options_ended || bytes == b"-" || !bytes.starts_with(b"-") {
            if args.starts_tail(grammar.tail) {
                args.tail.push(word);
                last = Some(Place::Tail);
                break;
            }
            last = Some(Place::Positional(args.positionals.len()));
            args.positionals.push(word);
        } else if bytes == b"--" {
            options_ended = true;
            if args.starts_tail(grammar.tail) {
                break;
            }
        } else if let Some(long) = bytes.strip_prefix(b"--") {
            last = Some(args.take_long(long, words, grammar)?);
        } else {
            let cluster = bytes.get(1..).unwrap_or_default();
            last = Some(args.take_cluster(cluster, words, grammar)?);
        }
    }
    if grammar.tail != Tail::None {
        args.tail.extend(words);
        last = last.filter(|_| args.tail.is_empty()).or(Some(Place::Tail));
    }
    Ok(last)
}

impl Args {
    /// Whether a flag was given.
    pub(crate) fn flag(&mut self, long: &str) -> bool {
        !self.values(long).is_empty()
    }

    /// The value of an option, the last one if it was given again.
    pub(crate) fn value(&mut self, long: &str) -> Option<OsString> {
        self.values(long).pop()
    }

    /// All values of an option, in the order given.
    pub(crate) fn values(&mut self, long: &str) -> Vec<OsString> {
        let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.options)
            .into_iter()
            .partition(|(opt, _)| opt.long == long);
        self.options = left;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// The value of an option that must be text.
    pub(crate) fn text(&mut self, long: &str) -> Result<Option<String>, Failure> {
        Ok(self.texts(long)?.pop())
    }

    /// All values of an option that must be text.
    pub(crate) fn texts(&mut self, long: &str) -> Result<Vec<String>, Failure> {
        self.values(long)
            .into_iter()
            .map(|value| text(value, long))
            .collect()
    }

    /// The value of an option, read by `parse`.
    pub(crate) fn parsed<T, E: Into<Malformed>>(
        &mut self,
        long: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        Ok(self.all_parsed(long, parse)?.pop())
    }

    /// All values of an option, read by `parse`.
    pub(crate) fn all_parsed<T, E: Into<Malformed>>(
        &mut self,
        long: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, Failure> {
        let mut parsed = Vec::new();
        for value in &self.texts(long)? {
            match parse(value) {
                Ok(value) => parsed.push(value),
                Err(why) => return Err(malformed(value, long, why.into())),
            }
        }
        Ok(parsed)
    }

    /// Whether an option was given, without taking it.
    pub(crate) fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(opt, _)| opt.long == long)
    }

    /// The next positional, called `name` in the usage line.
    pub(crate) fn positional(&mut self, name: &str) -> Result<String, Failure> {
        text(self.word(name)?, name)
    }

    /// The same as it was typed, which need not be text: a path.
    pub(crate) fn word(&mut self, name: &str) -> Result<OsString, Failure> {
        match self.positionals.is_empty() {
            false => Ok(self.positionals.remove(0)),
            true => Err(usage(format!("missing {name}"))),
        }
    }

    /// All positionals that are left, none at all being fine.
    pub(crate) fn positionals(&mut self, name: &str) -> Result<Vec<String>, Failure> {
        let words = self.words().into_iter();
        words.map(|word| text(word, name)).collect()
    }

    /// The same as they were typed.
    pub(crate) fn words(&mut self) -> Vec<OsString> {
        std::mem::take(&mut self.positionals)
    }

    /// What follows the positionals, word for word.
    pub(crate) fn tail(&mut self) -> Vec<OsString> {
        std::mem::take(&mut self.tail)
    }

    /// Refuses what no one took.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if let Some((opt, _)) = self.options.first() {
            return Err(usage(format!("option '{}' can not be used here", opt.long)));
        }
        match self.positionals.into_iter().chain(self.tail).next() {
            Some(word) => {
                let shown = visible(&word.to_string_lossy());
                Err(usage(format!("unexpected argument '{shown}'")))
            }
            None => Ok(()),
        }
    }

    fn starts_tail(&self, tail: Tail) -> bool {
        match tail {
            Tail::None => false,
            Tail::Now => true,
            Tail::AfterOneUnless(options) => {
                !self.positionals.is_empty() || options.iter().any(|long| self.has(long))
            }
        }
    }

    /// Takes `--name`, `--name=value` or `--name` and the next word.
    fn take_long(
        &mut self,
        word: &[u8],
        words: &mut IntoIter<OsString>,
        grammar: &Grammar<'_>,
    ) -> Result<Place, Failure> {
        let mut halves = word.splitn(2, |&byte| byte == b'=');
        let name = halves.next().unwrap_or_default();
        let inline = halves.next();
        let long = format!("--{}", String::from_utf8_lossy(name));
        let opt = grammar.long(&long)?;
        let (value, place) = match (opt.takes_value(), inline) {
            (true, Some(value)) => (OsString::from_vec(value.to_vec()), Place::Option),
            (true, None) => (next_value(words, &long)?, Place::Value(opt)),
            (false, None) => (OsString::new(), Place::Option),
            (false, Some(_)) => return Err(usage(format!("option '{long}' takes no value"))),
        };
        self.options.push((opt, value));
        Ok(place)
    }

    /// Takes `-abc`: flags up to the first option with a value, which owns the
    /// rest of the word or the next one.
    fn take_cluster(
        &mut self,
        cluster: &[u8],
        words: &mut IntoIter<OsString>,
        grammar: &Grammar<'_>,
    ) -> Result<Place, Failure> {
        let mut left = cluster;
        while let Some((&byte, rest)) = left.split_first() {
            let opt = grammar.short(byte, cluster)?;
            left = rest;
            if !opt.takes_value() {
                if rest.starts_with(b"=") {
                    let name = char::from(byte);
                    return Err(usage(format!("option '-{name}' takes no value")));
                }
                self.options.push((opt, OsString::new()));
                continue;
            }
            let inline = rest.strip_prefix(b"=").unwrap_or(rest);
            let (value, place) = if rest.is_empty() {
                let value = next_value(words, &format!("-{}", char::from(byte)))?;
                (value, Place::Value(opt))
            } else {
                (OsString::from_vec(inline.to_vec()), Place::Option)
            };
            self.options.push((opt, value));
            return Ok(place);
        }
        Ok(Place::Option)
    }
}

impl Grammar<'_> {
    fn long(&self, long: &str) -> Result<&'static Opt, Failure> {
        let all = || self.options.iter().copied().flatten();
        all().find(|opt| opt.long == long).ok_or_else(|| {
            let hint = (self.elsewhere)(long).or_else(|| {
                nearest(long, all().map(|opt| opt.long))
                    .map(|known| format!("did you mean '{known}'?"))
            });
            Failure::Usage {
                message: format!("unknown option '{}'", visible(long)),
                hint,
            }
        })
    }

    fn short(&self, byte: u8, cluster: &[u8]) -> Result<&'static Opt, Failure> {
        let mut all = self.options.iter().copied().flatten();
        all.find(|opt| opt.short == Some(char::from(byte)))
            .ok_or_else(|| self.unknown_short(byte, cluster))
    }

    /// Names the whole word too: in `-rf` the `f` may not be what was mistyped.
    fn unknown_short(&self, byte: u8, cluster: &[u8]) -> Failure {
        let name = match byte {
            b' '..=b'~' => char::from(byte).to_string(),
            _ => visible(&String::from_utf8_lossy(cluster)),
        };
        let word = visible(&String::from_utf8_lossy(cluster));
        let message = match word == name {
            true => format!("unknown option '-{name}'"),
            false => format!("unknown option '-{name}' in '-{word}'"),
        };
        // One dash too few, or a letter that means something at another place.
        let longs = self.options.iter().copied().flatten().map(|opt| opt.long);
        let hint = match nearest(&format!("--{word}"), longs) {
            Some(known) if 1 < cluster.len() => Some(format!("did you mean '{known}'?")),
            _ if name == "v" => Some("'-v' for '--verbose' stands before the command".to_owned()),
            _ => None,
        };
        Failure::Usage { message, hint }
    }
}

/// A value that does not have the form it must have.
pub(crate) fn malformed(value: &str, what: &str, why: Malformed) -> Failure {
    match why {
        Malformed::Form(form) => usage(format!(
            "malformed value '{}' for '{what}': expected {form}",
            visible(value)
        )),
        Malformed::Core(error) => Failure::Core(error),
    }
}

/// A word as text; the engine's API is JSON, which has no other strings.
pub(crate) fn text(word: OsString, name: &str) -> Result<String, Failure> {
    word.into_string().map_err(|word| {
        let shown = visible(&word.to_string_lossy());
        usage(format!("'{shown}' for '{name}' is not valid UTF-8"))
    })
}

fn next_value(words: &mut IntoIter<OsString>, name: &str) -> Result<OsString, Failure> {
    words
        .next()
        .ok_or_else(|| usage(format!("option '{name}' needs a value")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, GLOBAL_OPTIONS, elsewhere};

    const UNLESS: Tail = Tail::AfterOneUnless(&["--image"]);

    /// `create` has flags, options with a value and repeated ones.
    fn lex_words(words: &[&str], tail: Tail) -> (Result<Args, Failure>, usize) {
        let options: Vec<&'static [Opt]> = Command::find("create")
            .unwrap()
            .groups
            .iter()
            .map(|group| group.options)
            .chain([GLOBAL_OPTIONS])
            .collect();
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        let mut iter = words.into_iter();
        let mut args = Args::default();
        let grammar = Grammar {
            options: &options,
            tail,
            elsewhere,
        };
        let lexed = lex(&mut args, &mut iter, &grammar);
        (lexed.map(|_| args), iter.len())
    }

    fn lexed(line: &str, tail: Tail) -> Args {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        lex_words(&words, tail).0.unwrap()
    }

    fn message(line: &str) -> String {
        let words: Vec<&str> = line.split(' ').collect();
        match lex_words(&words, Tail::None).0.unwrap_err() {
            Failure::Usage { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_spelling_of_an_option_with_a_value() {
        for line in [
            "--env A=1",
            "--env=A=1",
            "-e A=1",
            "-eA=1",
            "-e=A=1",
            "-qe A=1",
            "-qeA=1",
        ] {
            let mut args = lexed(line, Tail::None);
            assert_eq!(args.texts("--env").unwrap(), ["A=1"], "{line}");
            assert_eq!(args.flag("--quiet"), line.starts_with("-q"), "{line}");
            args.finish().unwrap();
        }
    }

    #[test]
    fn the_next_word_is_the_value_whatever_it_looks_like() {
        let mut args = lexed("--name --json --workdir -- -u -q", Tail::None);
        assert_eq!(args.text("--name").unwrap().unwrap(), "--json");
        assert_eq!(args.text("--workdir").unwrap().unwrap(), "--");
        assert_eq!(args.text("--user").unwrap().unwrap(), "-q");
        args.finish().unwrap();
    }

    #[test]
    fn the_last_value_counts_and_repeated_ones_keep_their_order() {
        let mut args = lexed("-e A --name x -e B --name y", Tail::None);
        assert_eq!(args.text("--name").unwrap().unwrap(), "y");
        assert_eq!(args.texts("--env").unwrap(), ["A", "B"]);
    }

    #[test]
    fn options_stand_anywhere_until_the_tail_begins() {
        #[rustfmt::skip]
        let cases: [(&str, Tail, &[&str], &[&str]); 9] = [
            ("a -q b",           Tail::None, &["a", "b"], &[]),
            ("a -- -q",          Tail::None, &["a", "-q"], &[]),
            ("-q a -q b",        Tail::Now,  &[],         &["a", "-q", "b"]),
            ("box -q ls -q",     UNLESS,     &["box"],    &["ls", "-q"]),
            ("box -q -- -x -- y", UNLESS,    &["box"],    &["-x", "--", "y"]),
            ("-- box ls -q",     UNLESS,     &["box"],    &["ls", "-q"]),
            ("--image i ls -q",  UNLESS,     &[],         &["ls", "-q"]),
            ("--image=i -- -q",  UNLESS,     &[],         &["-q"]),
            ("- -",              UNLESS,     &["-"],      &["-"]),
        ];
        for (line, tail, positionals, rest) in cases {
            let mut args = lexed(line, tail);
            assert_eq!(args.positionals("X").unwrap(), positionals, "{line}");
            assert_eq!(args.tail(), rest, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        #[rustfmt::skip]
        let cases = [
            ("--bogus",     "unknown option '--bogus'"),
            ("--bogus=x",   "unknown option '--bogus'"),
            ("-z",          "unknown option '-z'"),
            ("-qz",         "unknown option '-z' in '-qz'"),
            ("--json=yes",  "option '--json' takes no value"),
            ("-q=yes",      "option '-q' takes no value"),
            ("--name",      "option '--name' needs a value"),
            ("-qe",         "option '-e' needs a value"),
            ("-é",          "unknown option '-é'"),
            ("-\x1b[2J",     r"unknown option '-\x1b[2J'"),
        ];
        for (line, want) in cases {
            assert_eq!(message(line), want);
        }
    }

    #[test]
    fn what_no_one_takes_is_refused() {
        for (line, tail) in [("-q", Tail::None), ("a", Tail::None), ("a b", UNLESS)] {
            let mut args = lexed(line, tail);
            assert!(
                matches!(lexed(line, tail).finish(), Err(Failure::Usage { .. })),
                "{line}"
            );
            args.flag("--quiet");
            args.positionals("X").unwrap();
            args.tail();
            args.finish().unwrap();
        }
    }

    #[test]
    fn words_that_are_no_text_reach_only_who_takes_bytes() {
        let bytes = || OsString::from_vec(b"--name=\xff".to_vec());
        let options = [Command::find("create").unwrap().groups[1].options];
        let grammar = Grammar {
            options: &options,
            tail: Tail::None,
            elsewhere,
        };
        let mut args = Args::default();
        lex(&mut args, &mut vec![bytes()].into_iter(), &grammar).unwrap();
        assert_eq!(args.value("--name").unwrap().as_bytes(), b"\xff");
        lex(&mut args, &mut vec![bytes()].into_iter(), &grammar).unwrap();
        assert!(args.text("--name").is_err());
    }

    /// Every sequence of up to three words of a small vocabulary: the lexer
    /// neither panics nor loses, invents or reorders a word.
    #[test]
    fn every_short_sequence_keeps_its_words() {
        const VOCABULARY: [&str; 16] = [
            "-q",
            "-qq",
            "-e",
            "-eX",
            "-qe",
            "-e=",
            "--env",
            "--env=K",
            "--quiet",
            "--quiet=x",
            "--image=i",
            "--",
            "-",
            "x",
            "",
            "--bogus",
        ];
        for tail in [Tail::None, Tail::Now, UNLESS] {
            for a in VOCABULARY {
                check_sequence(&[a], tail);
                for b in VOCABULARY {
                    check_sequence(&[a, b], tail);
                    for c in VOCABULARY {
                        check_sequence(&[a, b, c], tail);
                    }
                }
            }
        }
    }

    fn check_sequence(words: &[&str], tail: Tail) {
        let (result, left) = lex_words(words, tail);
        let Ok(args) = result else {
            return;
        };
        assert_eq!(left, 0, "{words:?}");
        assert!(words.ends_with(&strs(&args.tail)), "{words:?} {tail:?}");
        assert!(
            is_subsequence(&args.positionals, words),
            "{words:?} {tail:?}"
        );
        match tail {
            Tail::None => assert!(args.tail.is_empty(), "{words:?}"),
            Tail::Now => assert!(args.positionals.is_empty(), "{words:?}"),
            Tail::AfterOneUnless(_) => assert!(args.positionals.len() <= 1, "{words:?}"),
        }
    }

    fn strs(words: &[OsString]) -> Vec<&str> {
        words.iter().map(|word| word.to_str().unwrap()).collect()
    }

    fn is_subsequence(part: &[OsString], whole: &[&str]) -> bool {
        let mut whole = whole.iter();
        part.iter().all(|word| whole.any(|other| word == other))
    }
}
