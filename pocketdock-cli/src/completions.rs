//! Completion scripts for bash, zsh and fish, made from the command table.
//!
//! They complete commands, options, the words of `--color` and `--completions`,
//! names of sandboxes (asked of `pocketdock list --quiet`) and of profiles. A
//! value that is a path falls back to the shell's own file names.

use std::fmt::Write as _;

use crate::command::{COMMANDS, Command, GLOBAL_OPTIONS, Operand, Opt};

/// A shell that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Reads `--completions`'s value.
pub(crate) fn shell(word: &str) -> Result<Shell, &'static str> {
    match word {
        "bash" => Ok(Shell::Bash),
        "zsh" => Ok(Shell::Zsh),
        "fish" => Ok(Shell::Fish),
        _ => Err("bash, zsh or fish"),
    }
}

/// The script to load into `shell`.
pub(crate) fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

const CONTAINERS: &str = "pocketdock list --quiet 2>/dev/null";
const PROFILES: &str = "pocketdock profiles --quiet 2>/dev/null";

const BASH: &str = r#"# bash completion for pocketdock; load it with: source <(pocketdock --completions bash)
_pocketdock() {
    local word=${COMP_WORDS[COMP_CWORD]} command= options= operands= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            @VALUED@) ((i++)) ;;
            -*) ;;
            *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $command in
@COMMANDS@
        *) operands='@NAMES@ help' ;;
    esac
    options+=' @GLOBALS@'
    case ${COMP_WORDS[COMP_CWORD-1]} in
        --color) operands='auto always never' ;;
        --completions) operands='bash zsh fish' ;;
        --profile) operands=$(@PROFILES@) ;;
    esac
    if [[ $word == -* ]]; then operands=$options; fi
    mapfile -t COMPREPLY < <(compgen -W "$operands" -- "$word")
}
complete -o default -F _pocketdock pocketdock
"#;

const ZSH: &str = r#"#compdef pocketdock
# zsh completion for pocketdock; save it as _pocketdock in a directory of $fpath
_pocketdock() {
    local curcontext=$curcontext state line
    _arguments -C \
@GLOBALS@ \
        '1:command:->command' '*::argument:->argument'
    case $state in
    command)
        local -a commands=(
@SUMMARIES@
            'help:show the help of a command'
        )
        _describe command commands ;;
    argument)
        case $words[1] in
@COMMANDS@
        esac ;;
    esac
}
_pocketdock "$@"
"#;

fn bash() -> String {
    let valued = GLOBAL_OPTIONS.iter().filter(|opt| opt.takes_value());
    let valued: Vec<&str> = valued.map(|opt| opt.long).collect();
    let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    BASH.replace("@VALUED@", &valued.join("|"))
        .replace("@COMMANDS@", &lines(bash_command))
        .replace("@NAMES@", &names.join(" "))
        .replace("@GLOBALS@", &longs(GLOBAL_OPTIONS.iter()))
        .replace("@PROFILES@", PROFILES)
}

/// One line for each command.
fn lines(line: impl Fn(&Command) -> String) -> String {
    COMMANDS.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn bash_command(command: &Command) -> String {
    let (name, options) = (command.name, longs(command.options()));
    let operands = bash_operands(command);
    format!("        {name}) options='{options}' operands={operands} ;;")
}

fn bash_operands(command: &Command) -> String {
    match command.operand {
        Operand::None => "''".to_owned(),
        Operand::Containers => format!("$({CONTAINERS})"),
        Operand::Profiles => format!("$({PROFILES})"),
    }
}

fn longs<'o>(options: impl Iterator<Item = &'o Opt>) -> String {
    options.map(|opt| opt.long).collect::<Vec<_>>().join(" ")
}

fn zsh() -> String {
    let globals: Vec<String> = GLOBAL_OPTIONS
        .iter()
        .map(|opt| format!("        {}", zsh_option(opt)))
        .collect();
    let summary = |command: &Command| {
        format!(
            "            '{}:{}'",
            command.name,
            zsh_quote(command.summary)
        )
    };
    ZSH.replace("@GLOBALS@", &globals.join(" \\\n"))
        .replace("@SUMMARIES@", &lines(summary))
        .replace("@COMMANDS@", &lines(zsh_command))
}

fn zsh_command(command: &Command) -> String {
    let mut text = format!("        {}) _arguments", command.name);
    for opt in command.options().chain(GLOBAL_OPTIONS) {
        let _infallible = write!(text, " \\\n            {}", zsh_option(opt));
    }
    format!("{text}{} ;;", zsh_operands(command))
}

fn zsh_operands(command: &Command) -> String {
    let names = match command.operand {
        Operand::None => return String::new(),
        Operand::Containers => CONTAINERS,
        Operand::Profiles => PROFILES,
    };
    format!(" \\\n            '*:name:{{compadd -- $({names})}}'")
}

/// `'*--volume[help]:VALUE:_files'`; the star lets it be given again.
fn zsh_option(opt: &Opt) -> String {
    let star = if opt.repeats { "*" } else { "" };
    let help = zsh_quote(opt.help).replace('[', "\\[").replace(']', "\\]");
    let value = match (opt.takes_value(), opt.long) {
        (false, _) => String::new(),
        (true, "--color") => ":when:(auto always never)".to_owned(),
        (true, "--completions") => ":shell:(bash zsh fish)".to_owned(),
        (true, "--profile") => format!(":profile:{{compadd -- $({PROFILES})}}"),
        (true, _) => ":value:_files".to_owned(),
    };
    format!("'{star}{}[{help}]{value}'", opt.long)
}

/// For the inside of single quotes, where a colon separates fields.
fn zsh_quote(text: &str) -> String {
    text.replace('\'', "'\\''").replace(':', "\\:")
}

fn fish() -> String {
    let mut text = String::from(
        "# fish completion for pocketdock; save it as ~/.config/fish/completions/pocketdock.fish\n\
         complete -c pocketdock -n __fish_use_subcommand -f\n",
    );
    for opt in GLOBAL_OPTIONS {
        push_fish_option(&mut text, "", opt);
    }
    for command in COMMANDS {
        let _infallible = writeln!(
            text,
            "complete -c pocketdock -n __fish_use_subcommand -a {} -d '{}'",
            command.name,
            fish_quote(command.summary)
        );
        let condition = format!(" -n '__fish_seen_subcommand_from {}'", command.name);
        for opt in command.options() {
            push_fish_option(&mut text, &condition, opt);
        }
        let names = match command.operand {
            Operand::None => continue,
            Operand::Containers => CONTAINERS,
            Operand::Profiles => PROFILES,
        };
        let _infallible = writeln!(text, "complete -c pocketdock{condition} -f -a '({names})'");
    }
    text.push_str(
        "complete -c pocketdock -n __fish_use_subcommand -a help -d 'show the help of a command'\n",
    );
    text
}

fn push_fish_option(text: &mut String, condition: &str, opt: &Opt) {
    let long = opt.long.trim_start_matches('-');
    let short = opt
        .short
        .map(|letter| format!(" -s {letter}"))
        .unwrap_or_default();
    let value = match (opt.takes_value(), opt.long) {
        (false, _) => String::new(),
        (true, "--color") => " -x -a 'auto always never'".to_owned(),
        (true, "--completions") => " -x -a 'bash zsh fish'".to_owned(),
        (true, "--profile") => format!(" -x -a '({PROFILES})'"),
        (true, _) => " -r".to_owned(),
    };
    let help = fish_quote(opt.help);
    let _infallible = writeln!(
        text,
        "complete -c pocketdock{condition} -l {long}{short}{value} -d '{help}'"
    );
}

fn fish_quote(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_knows_every_command_and_option() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for command in COMMANDS {
                assert!(script.contains(command.name), "{shell:?} {}", command.name);
                for opt in command.options().chain(GLOBAL_OPTIONS) {
                    let name = opt.long.trim_start_matches('-');
                    assert!(script.contains(name), "{shell:?} {name}");
                }
            }
        }
    }
}
