//! Completion scripts for bash, zsh and fish.
//!
//! They know nothing of commands and options: each hands the words up to the cursor to
//! `pocketdock --complete`, whose answer is described in `complete.rs`, and offers what comes back
//! in the way of its shell. So they can not disagree with the program, and need no update with it.
//!
//! The program that is asked is the one that is being typed, wherever it lies.

/// A shell that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The names of the shells, as `--completions` takes them.
pub(crate) const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

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
pub(crate) fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    }
}

const BASH: &str = r#"# bash completion for pocketdock; load it with: source <(pocketdock --completions bash)
_pocketdock() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word cut i
    # Bash splits words at = and : too; what no space parts is one word.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ $line != [[:space:]]* ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#"$word"}
    done
    word=${words[${#words[@]}-1]}
    # Readline replaces what stands behind the last of them.
    cut=${word%"${word##*[=:]}"}
    COMPREPLY=()
    while IFS=$'\t' read -r i _; do
        if [[ $i == / ]]; then
            compopt -o default 2>/dev/null
        elif [[ $i == "$word"* ]]; then
            COMPREPLY+=("${i#"$cut"}")
        fi
    done < <("${words[0]/#\~/$HOME}" --complete "${words[@]:1}" 2>/dev/null)
}
complete -F _pocketdock pocketdock
"#;

const ZSH: &str = r#"#compdef pocketdock
# zsh completion for pocketdock; load it with: source <(pocketdock --completions zsh)
# or save it as _pocketdock in a directory of $fpath
_pocketdock() {
    local line paths
    local -a found
    for line in "${(@f)$("${(Q)words[1]/#\~/$HOME}" --complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
        case $line in
            '') ;;
            /) paths=1 ;;
            *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe -V word found
    if [[ -n $paths ]]; then
        compset -P '-*='
        _files
    fi
}
if [[ $funcstack[1] == _pocketdock ]]; then
    _pocketdock "$@"
else
    compdef _pocketdock pocketdock
fi
"#;

const FISH: &str = r#"# fish completion for pocketdock; save it as ~/.config/fish/completions/pocketdock.fish
function __pocketdock_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    for line in ($program --complete $words "$word" 2>/dev/null)
        if test "$line" = /
            set -l option (string match -r -- '^-[^=]*=' "$word"; or echo)
            for path in (__fish_complete_path (string replace -- "$option" '' "$word"))
                echo -- $option$path
            end
        else
            echo -- $line
        end
    end
end
complete -c pocketdock -f -k -a '(__pocketdock_complete)'
"#;
