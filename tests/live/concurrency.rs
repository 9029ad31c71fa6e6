//! Many commands at once, in one sandbox and in many.

use std::thread;

use crate::fixture::Live;

#[test]
fn fifty_runs_from_fifty_threads_in_one_sandbox() {
    let Some(live) = Live::begin() else { return };
    let sandbox = live.sandbox();
    thread::scope(|scope| {
        for n in 0..50 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let command = format!("seq {n} 2000; echo error {n} >&2; exit {n}");
                let result = sandbox.run(command).unwrap();
                let want: String = (n..=2000).map(|n| format!("{n}\n")).collect();
                assert_eq!(result.exit_code, n);
                assert_eq!(result.stdout_text(), want);
                assert_eq!(result.stderr_text(), format!("error {n}\n"));
            });
        }
    });
}

#[test]
fn twenty_sandboxes_at_once() {
    let Some(live) = Live::begin() else { return };
    thread::scope(|scope| {
        for n in 0..20 {
            let live = &live;
            scope.spawn(move || {
                let sandbox = live.sandbox();
                let echo = sandbox.exec("cat; exit 1").stdin(n.to_string());
                assert_eq!(echo.run().unwrap().stdout, n.to_string().into_bytes());
            });
        }
    });
}

#[test]
fn a_name_is_given_once() {
    let Some(live) = Live::begin() else { return };
    let options = live.options();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let create = || live.engine().create(&options);
        let racing: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        racing.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let made = outcomes.iter().flatten().count();
    assert_eq!(made, 1, "{outcomes:?}");
    for error in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(error.code(), "name_in_use", "{error}");
    }
}
