//! The generated completions and the man page, read by the programs they are for.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::program::{self, text};

fn generated(words: &[&str]) -> String {
    let output = program::run(words);
    assert_eq!(program::code(&output), 0);
    text(&output.stdout).to_owned()
}

/// Gives `script` to a program on stdin, if this machine has the program.
fn feed(program: &str, arguments: &[&str], script: &str) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&said)
    );
    Some(String::from_utf8(said).unwrap())
}

#[test]
fn each_shell_can_read_its_completions() {
    for (shell, arguments) in [
        ("bash", ["-n"]),
        ("zsh", ["-n"]),
        ("fish", ["--no-execute"]),
    ] {
        let script = generated(&["--completions", shell]);
        if feed(shell, &arguments, &script).is_none() {
            println!("skipped: no {shell} on this machine");
        }
    }
}

#[test]
fn bash_completes_commands_options_and_words() {
    let script = generated(&["--completions", "bash"]);
    let complete = |words: &str| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _pocketdock; echo \"${{COMPREPLY[@]}}\""
        );
        feed("bash", &["--norc"], &ask)
    };
    let Some(commands) = complete("pocketdock s") else {
        println!("skipped: no bash on this machine");
        return;
    };
    assert_eq!(commands, "status shell stop shutdown snapshot\n");
    assert_eq!(
        complete("pocketdock --socket /x create --mem").unwrap(),
        "--mem-limit\n"
    );
    assert_eq!(
        complete("pocketdock list --color a").unwrap(),
        "auto always\n"
    );
}

#[test]
fn the_man_page_is_clean_roff() {
    let page = generated(&["--man"]);
    match feed("groff", &["-man", "-Tutf8", "-ww"], &page) {
        Some(shown) => assert!(!shown.contains("warning: "), "{shown}"),
        None => println!("skipped: no groff on this machine"),
    }
}
