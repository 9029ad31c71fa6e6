//! `.dockerignore`: what of a directory is not part of a build's context.
//!
//! ```text
//! # a comment            lines that begin with '#' and empty ones say nothing
//! target/                a name at the top, whatever it is, with all that is in it
//! *.log  src/?.o  [a-c]  a pattern; '*', '?' and '[…]' stay within a name
//! **/*.tmp               '**' is any number of directories, none included
//! !keep.log              not ignored after all; the last line that matches decides
//! ```
//!
//! Source: the Docker reference, "Dockerfile reference", ".dockerignore file", and the tests of
//! the rules in moby's `patternmatcher`. Paths are bytes, relative, with '/' between names. What
//! is in an ignored directory is ignored; an exception may take it back, however deep.

/// The lines of one file, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    parts: Vec<Part>,
    is_exception: bool,
}

/// One piece of a pattern.
#[derive(Debug, Clone)]
enum Part {
    Byte(u8),
    /// `?`
    One,
    /// `[…]`: the ranges of letters, and whether it is any outside of them. A letter is the number
    /// that its bytes make in UTF-8, which has the order of the letters.
    Set(Vec<(u32, u32)>, bool),
    /// `*`
    Some,
    /// `**` and `**/`: nothing, or anything that ends in a slash.
    Directories,
    /// `**` at the end, or at the beginning if the rest is plain.
    Anything,
}

/// A line that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) message: &'static str,
}

impl Ignore {
    /// Reads the file.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut patterns = Vec::new();
        for (n, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let pattern = Pattern::parse(line).map_err(|message| Malformed {
                line: n + 1,
                message,
            })?;
            patterns.extend(pattern);
        }
        Ok(Self { patterns })
    }

    /// Whether a path is not part of the context.
    pub(crate) fn ignores(&self, path: &[u8]) -> bool {
        let mut ignored = false;
        for pattern in &self.patterns {
            if pattern.is_exception == ignored && pattern.matches_or_parent(path) {
                ignored = !pattern.is_exception;
            }
        }
        ignored
    }

    /// Whether something below an ignored directory may be part of the context all the same. What
    /// takes back the directory itself came too early, or it would not be ignored.
    pub(crate) fn may_except_below(&self, dir: &[u8]) -> bool {
        let begin = [dir, b"/"].concat();
        let mut exceptions = self.patterns.iter().filter(|it| it.is_exception);
        exceptions.any(|it| may_begin_with(&it.parts, &begin))
    }
}

impl Pattern {
    fn parse(line: &[u8]) -> Result<Option<Self>, &'static str> {
        if line.starts_with(b"#") {
            return Ok(None);
        }
        let line = trimmed(line);
        let (is_exception, text) = match line.strip_prefix(b"!") {
            Some(rest) => (true, trimmed(rest)),
            None => (false, line),
        };
        if text.is_empty() {
            return match is_exception {
                true => Err("'!' with nothing after it"),
                false => Ok(None),
            };
        }
        // A space at an end may have been between slashes.
        let parts = parts(trimmed(&cleaned(text)))?;
        Ok(Some(Self {
            parts,
            is_exception,
        }))
    }

    fn matches_or_parent(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut parents = slashes.map(|(at, _)| path.get(..at).unwrap_or_default());
        matches(&self.parts, path) || parents.any(|parent| matches(&self.parts, parent))
    }
}

/// Without space at either end, in any alphabet.
fn trimmed(text: &[u8]) -> &[u8] {
    std::str::from_utf8(text).map_or_else(|_| text.trim_ascii(), |text| text.trim().as_bytes())
}

/// The path without needless parts: `./a//b/../c/` is `a/c`. A leading slash is the context's own
/// directory, above which there is nothing: `/../a` is `a`, but `../a` is nothing in the context.
fn cleaned(text: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in text.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if names.last().is_some_and(|last| *last != b"..") => {
                names.pop();
            }
            b".." if text.starts_with(b"/") => {}
            _ => names.push(name),
        }
    }
    names.join(&b'/')
}

fn parts(mut text: &[u8]) -> Result<Vec<Part>, &'static str> {
    let mut parts = Vec::new();
    while let Some((byte, rest)) = text.split_first() {
        text = rest;
        parts.push(match byte {
            b'*' if rest.starts_with(b"*") => {
                text = rest.get(1..).unwrap_or_default();
                match text.strip_prefix(b"/") {
                    Some(after) => {
                        text = after;
                        Part::Directories
                    }
                    None if text.is_empty() || (parts.is_empty() && is_plain(text)) => {
                        Part::Anything
                    }
                    None => Part::Directories,
                }
            }
            b'*' => Part::Some,
            b'?' => Part::One,
            b'[' => set(&mut text)?,
            b'\\' => Part::Byte(escaped(&mut text)?),
            byte => Part::Byte(*byte),
        });
    }
    Ok(parts)
}

/// Whether nothing in a pattern stands for anything but itself.
fn is_plain(text: &[u8]) -> bool {
    !text.iter().any(|byte| b"*?[]\\".contains(byte))
}

const UNCLOSED: &str = "a '[' without its ']'";

fn escaped(text: &mut &[u8]) -> Result<u8, &'static str> {
    let (byte, rest) = text.split_first().ok_or("a '\\' with nothing after it")?;
    *text = rest;
    Ok(*byte)
}

/// What stands between the brackets.
fn set(text: &mut &[u8]) -> Result<Part, &'static str> {
    let negated = text.strip_prefix(b"^");
    let is_negated = negated.is_some();
    *text = negated.unwrap_or(text);
    let mut ranges = Vec::new();
    loop {
        if let Some(rest) = text.strip_prefix(b"]") {
            *text = rest;
            return match ranges.is_empty() {
                true => Err("a '[]' with nothing in it"),
                false => Ok(Part::Set(ranges, is_negated)),
            };
        }
        let from = set_letter(text)?;
        let to = match text.strip_prefix(b"-") {
            Some(rest) => {
                *text = rest;
                set_letter(text)?
            }
            None => from,
        };
        ranges.push((from, to));
    }
}

fn set_letter(text: &mut &[u8]) -> Result<u32, &'static str> {
    let (byte, rest) = text.split_first().ok_or(UNCLOSED)?;
    *text = rest;
    let first = match byte {
        b'\\' => escaped(text)?,
        b'-' => return Err("a '-' in '[…]' with nothing before it"),
        byte => *byte,
    };
    let mut letter = u32::from(first);
    while let Some((byte, rest)) = text.split_first().filter(|(byte, _)| goes_on(byte)) {
        letter = letter << 8 | u32::from(*byte);
        *text = rest;
    }
    Ok(letter)
}

/// Whether a letter of UTF-8 does not begin here.
fn goes_on(byte: &u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Whether the parts are the whole path.
///
/// Each set of places in the path where a part may begin leads to that of the next, so the work is
/// bounded by the length of the pattern times that of the path.
fn matches(parts: &[Part], path: &[u8]) -> bool {
    if !plain_ends_fit(parts, path) {
        return false;
    }
    let mut places = at_start(path);
    for part in parts {
        places = after(part, path, &places);
    }
    places.last().copied().unwrap_or_default()
}

/// Whether this can be the beginning of a path that the parts are.
fn may_begin_with(parts: &[Part], begin: &[u8]) -> bool {
    let mut places = at_start(begin);
    parts.iter().any(|part| {
        places = after(part, begin, &places);
        places.last().copied().unwrap_or_default()
    })
}

/// The place where the first part begins.
fn at_start(path: &[u8]) -> Vec<bool> {
    let mut places = vec![true];
    places.resize(path.len() + 1, false);
    places
}

/// Whether the plain bytes at both ends of a pattern are those of the path. They seldom are, and
/// there may be a hundred thousand files.
fn plain_ends_fit(parts: &[Part], path: &[u8]) -> bool {
    fn agree<'a>(
        parts: impl Iterator<Item = &'a Part>,
        mut path: impl Iterator<Item = &'a u8>,
    ) -> bool {
        let mut plain = parts.map_while(|part| match part {
            Part::Byte(byte) => Some(byte),
            _ => None,
        });
        plain.all(|byte| path.next() == Some(byte))
    }
    agree(parts.iter(), path.iter()) && agree(parts.iter().rev(), path.iter().rev())
}

/// The places where a part may end that begins at one of these.
fn after(part: &Part, path: &[u8], places: &[bool]) -> Vec<bool> {
    // Before the first byte, only what can be nothing ends.
    let can_be_nothing = matches!(part, Part::Some | Part::Anything | Part::Directories);
    let mut begun = places.first().copied().unwrap_or_default();
    let mut ends = vec![can_be_nothing && begun];
    let (mut letter, mut before_letter) = (0_u32, false);
    let mut following = path.iter().skip(1);
    for (byte, place) in path.iter().zip(places.iter().skip(1).zip(places)) {
        let (here, before) = (*place.0, *place.1);
        if !goes_on(byte) {
            (letter, before_letter) = (0, before);
        }
        letter = letter << 8 | u32::from(*byte);
        let is_last = !following.next().is_some_and(goes_on);
        let is_whole = before_letter && is_last;
        ends.push(match part {
            Part::Byte(wanted) => before && byte == wanted,
            Part::One => is_whole && *byte != b'/',
            Part::Set(ranges, is_negated) => {
                let is_in = ranges
                    .iter()
                    .any(|(from, to)| (from..=to).contains(&&letter));
                is_whole && *byte != b'/' && is_in != *is_negated
            }
            Part::Some => {
                begun = here || (begun && *byte != b'/');
                begun
            }
            Part::Anything => {
                begun |= here;
                begun
            }
            Part::Directories => {
                let ends_here = here || (begun && *byte == b'/');
                begun |= here;
                ends_here
            }
        });
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(file: &str, path: &str) -> bool {
        Ignore::parse(file.as_bytes())
            .unwrap()
            .ignores(path.as_bytes())
    }

    /// Every sequence of at most so many of these.
    fn words(letters: &[&str], most: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..most {
            last = last
                .iter()
                .flat_map(|word| letters.iter().map(move |l| format!("{word}{l}")))
                .collect();
            all.extend(last.clone());
        }
        all
    }

    #[test]
    fn one_line() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[&str], &[&str]); 34] = [
            ("a",           &["a", "a/b", "a/b/c"],       &["b", "b/a", "ab", "A"]),
            ("a/",          &["a", "a/b"],                &["b/a"]),
            ("/a",          &["a", "a/b"],                &["b/a"]),
            ("/../a",       &["a", "a/b"],                &["b/a"]),
            ("/b/../../a",  &["a"],                       &["b", "b/a"]),
            ("../a",        &[],                          &["a", "b/a"]),
            ("b/../../a",   &[],                          &["a", "b/a"]),
            ("./a//b/",     &["a/b", "a/b/c"],            &["a", "b"]),
            ("x/../a",      &["a"],                       &["x", "x/a"]),
            ("a/b",         &["a/b", "a/b/c"],            &["a", "a/c", "c/a/b"]),
            ("*",           &["a", ".a", "a/b"],          &[]),
            ("*.o",         &["a.o", ".o", "a.o/b"],      &["d/a.o", "a.oo", "a"]),
            ("*/*.o",       &["d/a.o"],                   &["a.o", "d/e/a.o"]),
            ("a*b",         &["ab", "axxb", "aabb"],      &["a/b", "abc"]),
            ("a?b",         &["axb", "aéb", "a€b"],       &["ab", "a/b", "axxb", "aéxb"]),
            ("?[é-ö]",      &["aé", "éñ"],                &["é", "éa", "aü", "a\u{100}"]),
            ("[^é]",        &["a", "è"],                  &["é", "aa"]),
            ("\u{b}a\u{a0}", &["a"],                      &["b"]),
            ("a /",         &["a", "a/b"],                &["a "]),
            ("**",          &["a", "a/b"],                &[]),
            ("**/a",        &["a", "b/a", "b/c/a", "b/a/c"], &["ba", "b/ba", "ab"]),
            ("**/*.o",      &["a.o", "b/c/a.o"],          &["a.c", "b/a.c"]),
            ("a/**",        &["a/b", "a/b/c"],            &["a", "b"]),
            ("a/**/b",      &["a/b", "a/x/b", "a/x/y/b"], &["a", "ab", "a/xb", "x/a/b"]),
            ("a**b",        &["ab", "a/x/b", "ax/b"],     &["a", "b", "axb", "a/xb"]),
            ("a/**.o",      &["a/.o", "a/b/.o"],          &["a/b.o", "a/b/c.o"]),
            ("a**",         &["a", "ab", "a/b", "ab/c"],  &["b", "b/a"]),
            ("**a",         &["a", "b/a", "ba"],          &["ab"]),
            ("**a*",        &["a", "ab", "b/ac"],         &["ba", "b/ba"]),
            ("[a-cx]",      &["a", "b", "c", "x"],        &["d", "", "aa", "-"]),
            ("[^a-c]",      &["d"],                       &["a", "dd"]),
            ("a[^x]b",      &["ayb"],                     &["a/b", "axb"]),
            ("\\*[\\]\\-]", &["*]", "*-"],                &["a]", "*a"]),
            ("..",          &[],                          &["a", "."]),
        ];
        for (file, ignored, kept) in cases {
            for path in ignored {
                assert!(ignores(file, path), "{file:?} ignores {path:?}");
            }
            for path in kept {
                assert!(!ignores(file, path), "{file:?} keeps {path:?}");
            }
        }
    }

    #[test]
    fn several_lines() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &str, &[&str], &[&str]); 9] = [
            ("nothing",            "",                            &[],                        &["a", "a/b"]),
            ("comments",           "# a\n\n  \n#b\n",             &[],                        &["a", "b", "#b"]),
            ("a mark and CR LF",   "\u{feff}a\r\n b \r\n",        &["a", "b"],                &["c"]),
            ("an indented '#'",    " #a",                         &["#a"],                    &["a"]),
            ("an exception",       "*.md\n!README.md",            &["a.md"],                  &["README.md"]),
            ("the last one wins",  "*.md\n!README*.md\nREADME-secret.md", &["a.md", "README-secret.md"], &["README.md"]),
            ("it comes too early", "!README.md\n*.md",            &["README.md"],             &[]),
            ("within a directory", "d\n!d/e/keep",                &["d", "d/a", "d/e", "d/e/a"], &["d/e/keep", "d/e/keep/x"]),
            ("all but",            "**\n! /src/**",               &["a", "src", "b/src/a"],   &["src/a", "src/b/c"]),
        ];
        for (name, file, ignored, kept) in cases {
            for path in ignored {
                assert!(ignores(file, path), "{name}: {path:?} is ignored");
            }
            for path in kept {
                assert!(!ignores(file, path), "{name}: {path:?} is kept");
            }
        }
    }

    #[test]
    fn only_a_directory_that_an_exception_may_lead_into_is_of_interest() {
        #[rustfmt::skip] // one case per line
        let cases: [(&str, &[&str], &[&str]); 6] = [
            ("d",               &[],             &["d"]),
            ("!d\nd",           &[],             &["d"]),
            ("*\n!a/b/keep.md", &["a", "a/b"],   &["d", "a/d", "ab", "a/b/keep"]),
            ("*\n!a/*.rs",      &["a"],          &["d", "a/d"]),
            ("*\n!?/b*/x",      &["a", "d/bc"],  &["ad", "d/c", "d/b/b"]),
            ("*\n!a/**/x",      &["a", "a/b/c"], &["d"]),
        ];
        for (file, entered, left) in cases {
            let ignore = Ignore::parse(file.as_bytes()).unwrap();
            let may = |dir: &str| ignore.may_except_below(dir.as_bytes());
            for dir in entered {
                assert!(may(dir), "{file:?}: {dir:?}");
            }
            for dir in left {
                assert!(!may(dir), "{file:?}: {dir:?}");
            }
        }
    }

    /// Nothing that is part of the context lies in a directory that is passed over.
    #[test]
    fn no_exception_is_passed_over() {
        let patterns = words(&["a", "*", "**", "/"], 3);
        let mut paths = words(&["a", "b", "/"], 5);
        paths.retain(|path| path.split('/').all(|name| !name.is_empty()));
        for (first, last) in patterns.iter().zip(patterns.iter().rev()) {
            for exception in &patterns {
                let file = format!("{first}\n!{exception}b\n{last}");
                let ignore = Ignore::parse(file.as_bytes()).unwrap();
                let ignores = |path: &&str| ignore.ignores(path.as_bytes());
                for path in paths.iter().filter(|path| !ignores(&path.as_str())) {
                    let dirs = path.match_indices('/').map(|(at, _)| &path[..at]);
                    for dir in dirs.filter(ignores) {
                        assert!(ignore.may_except_below(dir.as_bytes()), "{file:?}: {path}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("a\n[a",     2, "']'"),
            ("[]",        1, "nothing in it"),
            ("[a-",       1, "']'"),
            ("[-a]",      1, "'-'"),
            ("[a\\",      1, "'\\'"),
            ("\n\na\\",   3, "'\\'"),
            ("!",         1, "'!'"),
            ("! ",        1, "'!'"),
        ];
        for (file, line, words) in cases {
            let malformed = Ignore::parse(file.as_bytes()).unwrap_err();
            assert_eq!(malformed.line, line, "{file:?}");
            assert!(malformed.message.contains(words), "{file:?}: {malformed:?}");
        }
    }

    /// Patterns that take exponential time where each star is tried at each place.
    #[test]
    fn stars_upon_stars_take_no_time() {
        let file = "a*".repeat(100) + "b\n" + &"**/a".repeat(100) + "/b";
        assert!(!ignores(&file, &"a".repeat(4000)));
        assert!(!ignores(&file, &"a/".repeat(2000)));
    }

    /// A pattern of a few letters against what it says in words, for every short path.
    #[test]
    fn every_short_path_agrees_with_a_plain_matcher() {
        fn plain(parts: &[Part], path: &[u8]) -> bool {
            let Some((part, rest)) = parts.split_first() else {
                return path.is_empty();
            };
            let tails = || (0..=path.len()).map(|at| path.split_at(at));
            match part {
                Part::Some => {
                    tails().any(|(used, left)| !used.contains(&b'/') && plain(rest, left))
                }
                Part::Anything => tails().any(|(_, left)| plain(rest, left)),
                Part::Directories => tails().any(|(used, left)| {
                    (used.is_empty() || used.ends_with(b"/")) && plain(rest, left)
                }),
                one => path.split_first().is_some_and(|(byte, left)| {
                    let fits = match one {
                        Part::Byte(wanted) => byte == wanted,
                        Part::Set(..) => unreachable!("not in the vocabulary"),
                        _ => *byte != b'/',
                    };
                    fits && plain(rest, left)
                }),
            }
        }
        let paths = words(&["a", "b", "/"], 4);
        for text in words(&["a", "?", "*", "**", "**/", "/"], 4) {
            let parts = parts(text.as_bytes()).unwrap();
            for path in &paths {
                let path = path.as_bytes();
                assert_eq!(
                    matches(&parts, path),
                    plain(&parts, path),
                    "{text:?} {path:?}"
                );
            }
        }
    }
}
