//! `shell` on a real terminal.

use crate::live::{Live, Sandbox, live};
use crate::support::terminal::Screen;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_Z: &str = "\x1a";
const ESCAPE: &str = "\x1b";

/// `pocketdock shell WORDS...` on a terminal of 31 lines of 97 characters.
fn open(live: &Live, words: &[&str]) -> Screen {
    Screen::open(&live.pocketdock(&[&["shell"], words].concat()), 31, 97)
}

/// A shell whose prompt was seen.
fn opened(live: &Live, sandbox: &Sandbox<'_>) -> Screen {
    let mut screen = open(live, &[&sandbox.name]);
    screen.expect("# ");
    screen
}

#[test]
fn the_terminal_has_our_size_and_follows_it() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut screen = opened(&live, &sandbox);
    screen.enter("stty size");
    screen.expect("31 97\r\n");
    screen.tell("size 40 120");
    screen.enter("until stty size | grep -q '^40 120'; do sleep 0.1; done; echo now $((40 + 2))");
    screen.expect("now 42\r\n");
    screen.enter("echo $TERM");
    screen.expect("xterm\r\n");
    screen.enter("exit");
    screen.ends_with(0);
}

#[test]
fn jobs_are_controlled_by_the_keys() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut screen = opened(&live, &sandbox);
    // What is typed comes back, too, so the words to wait for are typed in another form.
    screen.enter(r#"sh -c 'trap "echo aga\\in" CONT; echo r""eady; while :; do sleep 0.1; done'"#);
    screen.expect("ready\r\n");
    screen.press(CTRL_Z);
    screen.expect("Stopped");
    screen.enter("jobs");
    screen.expect("Stopped");
    screen.enter("fg");
    screen.expect("again\r\n");
    screen.press(CTRL_C);
    screen.expect("# ");
    screen.enter("echo code $?");
    screen.expect("code 130\r\n");
    screen.enter("exit 7");
    screen.ends_with(7);
}

#[test]
fn ctrl_d_ends_the_shell_with_its_code() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut screen = opened(&live, &sandbox);
    screen.enter("false; echo $((20 + 3))");
    screen.expect("23\r\n");
    screen.enter("(exit 5)");
    screen.expect("# ");
    screen.press(CTRL_D);
    screen.ends_with(5);
}

#[test]
fn an_editor_is_drawn_and_left() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let mut screen = opened(&live, &sandbox);
    screen.enter("vi /tmp/text");
    screen.expect("\x1b[31;1H"); // To the last of our lines.
    screen.press("ihello");
    screen.expect("hello");
    screen.press(ESCAPE);
    screen.expect("\x1b[1;5H"); // Back on the last letter: what follows is no escape sequence.
    screen.enter(":wq");
    screen.expect("# ");
    screen.enter("cat /tmp/text; exit 3");
    screen.expect("hello\r\n");
    screen.ends_with(3);
    assert_eq!(sandbox.run(&["cat", "/tmp/text"]).stdout, b"hello\n");
}

#[test]
fn signals_end_it_and_the_terminal_is_restored() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    for (name, code) in [("TERM", 143), ("HUP", 129)] {
        let mut screen = opened(&live, &sandbox);
        screen.tell(&format!("signal {name}"));
        screen.ends_with(code);
    }
}

#[test]
fn a_sandbox_that_goes_away_restores_the_terminal() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let screen = opened(&live, &sandbox);
    live.run(&["stop", &sandbox.name]);
    screen.ends_with(137);
    open(&live, &[&sandbox.name]).ends_with(125);
    open(&live, &["no-such-sandbox"]).ends_with(125);
}

#[test]
fn another_program_gets_the_terminal() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let name = sandbox.name.as_str();
    let mut screen = open(
        &live,
        &[name, "-w", "/etc", "--", "sh", "-c", "pwd; tty; exit 9"],
    );
    screen.expect("/etc\r\n/dev/pts/");
    screen.ends_with(9);
    open(&live, &[name, "--", "no-such-program"]).ends_with(127);
    open(&live, &[name, "-u", "no-such-user"]).ends_with(126);
}
