//! What is written to a resident shell: templates filled in, and what its answers say.
//!
//! The templates stand beside this file and explain themselves. What comes before the line
//! `HERE-DOCUMENT` is sent as one line, for a bash that thinks itself interactive does things
//! between two lines.
//!
//! No I/O happens here.

use crate::container::embed::embed;
use crate::container::session::marker::Nonce;
use crate::wire::digits;

const INIT: &str = embed!("init.sh");
const BASH: &str = embed!("bash.sh");
const BASH_BEGIN: &str = embed!("bash-begin.sh");
const BASH_END: &str = embed!("bash-end.sh");
const BASH_RESYNC: &str = embed!("bash-resync.sh");
const SH: &str = embed!("sh.sh");
const SH_FRAME: &str = embed!("sh-frame.sh");
const SH_RESYNC: &str = embed!("sh-resync.sh");
const FRESH_INIT: &str = embed!("fresh-init.sh");
const FRESH: &str = embed!("fresh.sh");

/// The line in a template after which lines are sent as they are.
const HERE_DOCUMENT: &str = "HERE-DOCUMENT\n";

/// The redirection for a command without input.
pub(crate) const NO_INPUT: &str = "</dev/null";

/// The options that are off while a shell runs our own text.
const CARRIED_OPTIONS: &str = "aeuvx";

/// How to talk to a resident shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A bash that keeps its state from command to command.
    Bash,
    /// A dash or ash that does.
    Sh,
    /// Any shell that runs each command in a subshell.
    Fresh,
}

/// What the wrapper of the next command has to restore.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    /// `$?`
    pub(crate) status: u8,
    /// Those of `aeuvx` that are on.
    pub(crate) options: String,
    /// Whether a command was aborted, which may leave an ash counting loops that are over.
    pub(crate) leaky: bool,
}

/// How far a command came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The shell did not take it.
    NotBegun,
    /// It was left by an error, or by `return`.
    Left,
    /// It was aborted.
    Aborted,
    /// To its end.
    Ended,
    /// Its working directory is not there.
    NoDirectory,
}

/// What a shell says at the end of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) status: u8,
    pub(crate) options: String,
    pub(crate) reach: Reach,
}

impl Report {
    /// Reads `status:options:reach`.
    pub(crate) fn parse(fields: &str) -> Option<Self> {
        let mut fields = fields.split(':');
        let status = digits::decimal(fields.next()?.as_bytes())?;
        let options = fields.next()?;
        let reach = match fields.next()? {
            "0" => Reach::NotBegun,
            "1" => Reach::Left,
            "2" => Reach::Aborted,
            "3" | "" => Reach::Ended,
            "w" => Reach::NoDirectory,
            _ => return None,
        };
        let is_carried = |option: &char| CARRIED_OPTIONS.contains(*option);
        Some(Report {
            status: u8::try_from(status).ok()?,
            options: options.chars().filter(is_carried).collect(),
            reach,
        })
    }
}

/// A shell's answer to its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Its process ID in the container.
    pub(crate) pid: u64,
    /// The inode number of what it reads its commands from, where the kernel tells.
    pub(crate) input_ino: Option<u64>,
    pub(crate) is_bash: bool,
}

impl Hello {
    /// Reads `pid:ino:version`.
    pub(crate) fn parse(fields: &str) -> Option<Self> {
        let (pid, rest) = fields.split_once(':')?;
        let (ino, version) = rest.split_once(':')?;
        Some(Hello {
            pid: digits::decimal(pid.as_bytes())?,
            input_ino: digits::decimal(ino.as_bytes()),
            is_bash: !version.is_empty(),
        })
    }
}

/// What a command in a subshell is given beside its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) workdir: Option<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Its input, written by a builtin of the shell.
    pub(crate) feed: Option<Vec<u8>>,
}

/// One command for a resident shell.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) command: &'a [u8],
    pub(crate) nonce: &'a Nonce,
    /// The soft resident-set limit that its processes carry.
    pub(crate) mark_kib: u64,
    /// The redirection of its input.
    pub(crate) input: &'a str,
    pub(crate) carried: &'a Carried,
    pub(crate) surroundings: &'a Surroundings,
}

/// The first thing a shell reads.
pub(crate) fn init(dialect: Dialect, nonce: &Nonce) -> Vec<u8> {
    let template = match dialect {
        Dialect::Bash | Dialect::Sh => INIT,
        Dialect::Fresh => FRESH_INIT,
    };
    let word = |text| quoted(joined(text).as_bytes());
    let (begin, end, frame) = (word(BASH_BEGIN), word(BASH_END), joined(SH_FRAME));
    let values: [(&str, &[u8]); 4] = [
        ("NONCE", nonce),
        ("BEGIN", &begin),
        ("END", &end),
        ("FRAME", frame.as_bytes()),
    ];
    fill(template, &values)
}

/// A command with everything around it.
pub(crate) fn command(dialect: Dialect, line: &Line<'_>) -> Vec<u8> {
    let restore = match dialect {
        Dialect::Bash => Restore::new("\\builtin ", "evx", line.carried),
        Dialect::Sh => Restore::new("\\", "vx", line.carried),
        Dialect::Fresh => Restore::default(),
    };
    let mut text = b"__pd_c=".to_vec();
    let command = [restore.first_line.as_bytes(), line.command].concat();
    text.extend(quoted(&command));
    text.push(b'\n');
    let mark = line.mark_kib.to_string();
    let common: [(&str, &[u8]); 3] = [
        ("NONCE", line.nonce),
        ("MARK", mark.as_bytes()),
        ("INPUT", line.input.as_bytes()),
    ];
    let (template, own) = match dialect {
        Dialect::Bash => (BASH, vec![("RESTORE", restore.before.into_bytes())]),
        Dialect::Sh => (SH, sh_values(restore, line.carried)),
        Dialect::Fresh => (FRESH, fresh_values(line)),
    };
    let own = own.iter().map(|(name, value)| (*name, value.as_slice()));
    let values: Vec<_> = common.into_iter().chain(own).collect();
    text.extend(fill(template, &values));
    text
}

/// The line that makes a shell report if the command's own report got lost.
pub(crate) fn resync(dialect: Dialect, nonce: &Nonce) -> Option<Vec<u8>> {
    let template = match dialect {
        Dialect::Bash => BASH_RESYNC,
        Dialect::Sh => SH_RESYNC,
        Dialect::Fresh => return None,
    };
    Some(fill(template, &[("NONCE", nonce)]))
}

fn sh_values(restore: Restore, carried: &Carried) -> Vec<(&'static str, Vec<u8>)> {
    let leaky = if carried.leaky { "1" } else { "" };
    vec![
        ("RESTORE", restore.before.into_bytes()),
        ("LEAKY", leaky.into()),
    ]
}

fn fresh_values(line: &Line<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let Surroundings { workdir, env, feed } = line.surroundings;
    let mut guard = Vec::new();
    let mut setup = Vec::new();
    if let Some(dir) = workdir {
        let inside = quoted(format!("{dir}/.").as_bytes());
        guard = [b"[ -x ", inside.as_slice(), b" ] || __pd_r=w;"].concat();
        setup = [
            b"\\cd -- ",
            quoted(dir.as_bytes()).as_slice(),
            b" || \\exit 126; ",
        ]
        .concat();
    }
    for (name, value) in env {
        setup.extend(format!("\\export {name}=").bytes());
        setup.extend(quoted(value.as_bytes()));
        setup.extend(b"; ");
    }
    let feed = feed.as_deref().map(printf_pipe).unwrap_or_default();
    vec![
        ("LIMIT", (line.mark_kib * 1024).to_string().into_bytes()),
        ("GUARD", guard),
        ("FEED", feed),
        ("SETUP", setup),
    ]
}

/// What restores options and `$?` before a command.
#[derive(Debug, Default)]
struct Restore {
    /// In our own text, where it cannot be traced.
    before: String,
    /// Before the command's first line, for options that our own text could not bear.
    first_line: String,
}

impl Restore {
    /// `of_first_line` are the options that have to wait for the command's own text.
    fn new(prefix: &str, of_first_line: &str, carried: &Carried) -> Self {
        let (late, early): (String, String) = carried
            .options
            .chars()
            .partition(|option| of_first_line.contains(*option));
        let status = match carried.status {
            0 => String::new(),
            status => format!(
                "__pd_q() {{ {prefix}unset -f __pd_q; {prefix}return {status}; }}; __pd_q && \\:;"
            ),
        };
        let set = |options: &str| match options {
            "" => String::new(),
            options => format!("{prefix}set -{options};"),
        };
        if late.is_empty() {
            return Restore {
                before: format!("{}{status}", set(&early)),
                first_line: String::new(),
            };
        }
        Restore {
            before: set(&early),
            first_line: format!("{{ {}{status} }} 2>/dev/null\n", set(&late)),
        }
    }
}

/// `text` as one word of a shell.
pub(crate) fn quoted(text: &[u8]) -> Vec<u8> {
    let mut word = vec![b'\''];
    for &byte in text {
        match byte {
            b'\'' => word.extend(b"'\\''"),
            _ => word.push(byte),
        }
    }
    word.push(b'\'');
    word
}

/// A builtin that writes `bytes`, and the pipe behind it.
fn printf_pipe(bytes: &[u8]) -> Vec<u8> {
    let mut text = b"\\printf '".to_vec();
    for &byte in bytes {
        match byte {
            b'%' => text.extend(b"%%"),
            b'\\' => text.extend(b"\\\\"),
            b'\'' => text.extend(b"'\\''"),
            0 => text.extend(b"\\000"),
            _ => text.push(byte),
        }
    }
    text.extend(b"' |");
    text
}

/// A template with its names replaced by values, and an end of line.
fn fill(template: &str, values: &[(&str, &[u8])]) -> Vec<u8> {
    let (line, body) = template.split_once(HERE_DOCUMENT).unwrap_or((template, ""));
    let mut text = Vec::with_capacity(template.len());
    replace(&joined(line), values, &mut text);
    text.push(b'\n');
    replace(body, values, &mut text);
    text
}

/// Lines as one.
fn joined(lines: &str) -> String {
    lines.trim_end().replace('\n', " ")
}

/// Appends `template` with its names replaced; values are not looked into.
fn replace(mut template: &str, values: &[(&str, &[u8])], text: &mut Vec<u8>) {
    let first = |template: &str| {
        let found = values
            .iter()
            .filter_map(|(name, value)| Some((template.find(name)?, *name, *value)));
        found.min_by_key(|(at, ..)| *at)
    };
    while let Some((at, name, value)) = first(template) {
        let (before, rest) = template.split_at(at);
        text.extend(before.bytes());
        text.extend(value);
        template = rest.get(name.len()..).unwrap_or_default();
    }
    text.extend(template.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &Nonce = b"0123456789abcdef";

    fn text(dialect: Dialect, shell_command: &[u8], carried: &Carried) -> String {
        let line = Line {
            command: shell_command,
            nonce: NONCE,
            mark_kib: 7777,
            input: NO_INPUT,
            carried,
            surroundings: &Surroundings::default(),
        };
        String::from_utf8(command(dialect, &line)).unwrap()
    }

    #[test]
    fn commands_are_one_word_whatever_is_in_them() {
        let carried = Carried::default();
        for dialect in [Dialect::Bash, Dialect::Sh, Dialect::Fresh] {
            let text = text(dialect, b"echo 'NONCE' \\\nMARK", &carried);
            let word = "__pd_c='echo '\\''NONCE'\\'' \\\nMARK'\n";
            assert!(text.starts_with(word), "{text}");
            let rest = &text[word.len()..];
            for name in [
                "NONCE", "MARK", "INPUT", "RESTORE", "FEED", "SETUP", "GUARD", "# ",
            ] {
                assert!(!rest.contains(name), "{name} in {rest}");
            }
            let markers = match dialect {
                Dialect::Bash | Dialect::Sh => 1,
                Dialect::Fresh => 3,
            };
            assert_eq!(rest.matches("0123456789abcdef").count(), markers, "{rest}");
        }
    }

    #[test]
    fn the_first_line_is_one_line_with_what_bash_keeps() {
        let text = String::from_utf8(init(Dialect::Bash, NONCE)).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let kept = "\\readonly __pd_y='\\builtin printf -v PS1 %s \"$__pd_1\"";
        assert!(text.contains(kept), "{text}");
        let kept = "__pd_z='__pd_f=$- __pd_c= __pd_e=1; \\builtin set +aeuvx;";
        assert!(text.contains(kept), "{text}");
        for name in ["NONCE", "BEGIN", "END", "FRAME"] {
            assert!(!text.contains(name), "{name} in {text}");
        }
    }

    #[test]
    fn options_are_restored_where_they_cannot_harm() {
        let carried = Carried {
            status: 3,
            options: "eu".to_owned(),
            leaky: true,
        };
        let bash = text(Dialect::Bash, b"x", &carried);
        assert!(
            bash.starts_with("__pd_c='{ \\builtin set -e;__pd_q()"),
            "{bash}"
        );
        assert!(
            bash.contains("\\builtin set -u; ! \\builtin eval"),
            "{bash}"
        );
        let sh = text(Dialect::Sh, b"x", &carried);
        assert!(sh.starts_with("__pd_c='x'\n"), "{sh}");
        assert!(sh.contains(" 7777 '1' '\\set -eu;__pd_q()"), "{sh}");
        let sh = text(Dialect::Sh, b"x", &Carried::default());
        assert!(sh.contains(" 7777 '' '' '</dev/null'; "), "{sh}");
    }

    #[test]
    fn reports() {
        #[rustfmt::skip] // one case per line
        let cases = [
            ("0:himBHs:3", Some((0, "", Reach::Ended))),
            ("127:aehux:1", Some((127, "aeux", Reach::Left))),
            ("2::2",       Some((2, "", Reach::Aborted))),
            ("0:s:0",      Some((0, "", Reach::NotBegun))),
            ("5::",        Some((5, "", Reach::Ended))),
            ("126::w",     Some((126, "", Reach::NoDirectory))),
            ("",           None),
            ("256::3",     None),
            ("+1::3",      None),
            ("1:s",        None),
            ("1:s:9",      None),
        ];
        for (fields, want) in cases {
            let report = Report::parse(fields);
            let got = report
                .as_ref()
                .map(|r| (r.status, r.options.as_str(), r.reach));
            assert_eq!(got, want, "{fields}");
        }
    }

    #[test]
    fn hellos() {
        let hello = |pid, input_ino, is_bash| {
            Some(Hello {
                pid,
                input_ino,
                is_bash,
            })
        };
        assert_eq!(
            Hello::parse("7:99:5.2.37(1)-release"),
            hello(7, Some(99), true)
        );
        assert_eq!(Hello::parse("12::"), hello(12, None, false));
        for fields in ["", "7", "7:", "x::", "-1::"] {
            assert_eq!(Hello::parse(fields), None, "{fields}");
        }
    }

    #[test]
    fn input_survives_printf() {
        assert_eq!(
            printf_pipe(b"a%\\'\0\xff\n"),
            b"\\printf 'a%%\\\\'\\''\\000\xff\n' |"
        );
    }
}
