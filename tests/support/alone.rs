//! Runs one test in a process of its own.
//!
//! Tests of leaked threads and files need a process without other tests in it, and tests of the
//! environment need a process whose variables they decide (changing the variables of a process
//! that has threads is not safe). The test starts its own executable again, asking for just
//! itself; inside that child the body runs.

use std::env;
use std::process::{Command, Stdio};

/// Set in a child process that was started by [`alone`].
const MARKER: &str = "POCKETDOCK_TEST_ALONE";

/// Variables that choose an engine; a child starts with none of them.
const ENGINE_VARIABLES: [&str; 9] = [
    "POCKETDOCK_SOCKET",
    "DOCKER_HOST",
    "CONTAINER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "HOME",
];

/// Runs `body` in a child process, which has the given variables and no other that matters.
///
/// `test` is the full name of the calling test as `cargo test` prints it, without the name of the
/// suite: `background::no_thread_is_left`. In the parent this returns once the child has passed;
/// a child that fails fails the parent with the child's output.
pub fn alone(test: &str, variables: &[(&str, &str)], body: impl FnOnce()) {
    if env::var_os(MARKER).is_some() {
        body();
        return;
    }
    let mut command = Command::new(env::current_exe().expect("path of the test executable"));
    command.args(["--exact", test, "--test-threads=1", "--nocapture"]);
    for variable in ENGINE_VARIABLES {
        command.env_remove(variable);
    }
    command
        .envs(variables.iter().copied())
        .env(MARKER, "1")
        .stdin(Stdio::null());
    let output = command.output().expect("start the test executable");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{test} failed in its own process:\n{stdout}{stderr}"
    );
    // A name that matches nothing passes as well: that would test nothing for ever.
    assert!(
        stdout.contains("1 passed"),
        "no test is called '{test}':\n{stdout}"
    );
}

#[test]
fn the_child_has_the_variables_it_was_given() {
    let test = "support::alone::the_child_has_the_variables_it_was_given";
    alone(test, &[("DOCKER_HOST", "unix:///there")], || {
        assert_eq!(env::var("DOCKER_HOST").as_deref(), Ok("unix:///there"));
        assert_eq!(env::var_os("HOME"), None);
    });
}
