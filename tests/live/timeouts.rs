//! A command whose time is up is killed with everything that came from it.

use std::time::{Duration, Instant};

use pocketdock_core::{Container, End, ExecResult};

use crate::fixture::Live;
use crate::host::{self, assert_idle};

const SECOND: Duration = Duration::from_secs(1);

/// Runs a command that would go on for ever, and checks that it and all its children are gone.
fn time_out(sandbox: &Container, command: &str) -> ExecResult {
    let begun = Instant::now();
    let result = sandbox.exec(command).timeout(SECOND).run().unwrap();
    let took = begun.elapsed();
    assert_eq!((result.exit_code, result.end), (124, End::TimedOut));
    assert!(result.timed_out() && !result.ok());
    assert!(SECOND <= result.duration, "killed too early");
    assert!(took < Duration::from_secs(10), "took {took:?}");
    assert_idle(sandbox);
    result
}

#[test]
fn partial_output_is_kept() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = time_out(&sandbox, "echo out; echo err >&2; printf open; sleep 1000");
    assert_eq!(result.stdout, b"out\nopen");
    assert_eq!(result.stderr, b"err\n");
}

#[test]
fn a_program_without_a_shell() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = sandbox.exec(["sleep", "1000"]).timeout(SECOND).run();
    assert_eq!(result.unwrap().end, End::TimedOut);
    assert_idle(&sandbox);
}

#[test]
fn a_tree_that_ignores_every_signal_it_can() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let tree = "trap '' TERM INT HUP QUIT USR1 USR2
        for i in 1 2 3; do
            (trap '' TERM INT HUP; sh -c \"trap '' TERM INT HUP; sleep 1000; sleep 1000\" & \
             sleep 1000; sleep 1000) &
        done
        echo started; while :; do sleep 1000; done";
    assert_eq!(time_out(&sandbox, tree).stdout, b"started\n");
}

#[test]
fn children_in_sessions_of_their_own() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    time_out(
        &sandbox,
        "setsid sh -c 'setsid sleep 1000 & sleep 1000' & (setsid setsid sleep 1000 &); sleep 1000",
    );
}

#[test]
fn children_with_an_empty_environment() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    time_out(
        &sandbox,
        "env -i setsid sleep 1000 & env -i sh -c 'setsid sleep 1000 & sleep 1000' & \
         (env -i setsid sh -c 'sleep 1000 & sleep 1000' &); sleep 1000",
    );
}

#[test]
fn orphans_whose_parents_have_ended() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    time_out(
        &sandbox,
        "(sleep 1000 &); (setsid sleep 1000 &); nohup sleep 1000 >/dev/null 2>&1 & \
         while :; do sleep 1; done",
    );
}

#[test]
fn a_storm_of_forks() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().pids_limit(200));
    // Each link of a chain forks the next and ends: always other processes, always orphans.
    time_out(
        &sandbox,
        "chain() { sleep 0.01; chain & }; chain & chain & chain & chain & chain & chain & \
         (chain &); sleep 1000",
    );
}

#[test]
fn a_command_that_has_closed_its_output() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = time_out(&sandbox, "echo out; exec >&- 2>&-; sleep 1000");
    assert_eq!(result.stdout, b"out\n");
}

#[test]
fn a_command_that_never_stops_writing() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    let result = time_out(&sandbox, "yes & yes >&2");
    assert!(result.truncated());
    assert_eq!(
        result.stdout.len() + result.stderr.len(),
        10 * 1024 * 1024,
        "all that the cap allows"
    );
}

#[test]
fn a_command_of_another_user() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().user("1000:1000"));
    time_out(&sandbox, "setsid sleep 1000 & sleep 1000");
    let result = sandbox
        .exec("setsid sleep 1000 & sleep 1000")
        .user("nobody")
        .timeout(SECOND)
        .run();
    assert_eq!(result.unwrap().end, End::TimedOut);
    assert_idle(&sandbox);
}

#[test]
fn only_the_command_itself_is_killed() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    sandbox.run("sleep 1001 & setsid sleep 1002 &").unwrap();
    let victim = sandbox.exec("sleep 1003 & sleep 1004").timeout(SECOND);
    assert!(victim.run().unwrap().timed_out());
    let mut left = host::processes(&sandbox);
    left.retain(|line| line.contains("sleep 10"));
    left.sort();
    assert_eq!(left, ["sleep sleep 1001", "sleep sleep 1002"]);
}

#[test]
fn the_timeout_of_the_sandbox_is_the_default() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().timeout(SECOND));
    assert!(sandbox.run("sleep 1000").unwrap().timed_out());
    let reopened = live.engine().open(sandbox.name()).unwrap();
    assert!(reopened.run("sleep 1000").unwrap().timed_out());
    let longer = sandbox.exec("sleep 1.5; echo done").no_timeout().run();
    assert_eq!(longer.unwrap().stdout, b"done\n");
    assert_idle(&sandbox);
}

#[test]
fn a_container_without_init() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.create(&live.options().no_init());
    let result = sandbox
        .exec("setsid sleep 1000 & sleep 1000")
        .timeout(SECOND);
    assert!(result.run().unwrap().timed_out());
    let left = host::processes(&sandbox);
    assert!(
        left.iter().all(|line| !line.contains("sleep 1000")),
        "{left:?}"
    );
}
