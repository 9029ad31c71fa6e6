//! Telling a program that could not be started from one that ran.
//!
//! Engines report a failed launch as output of the command, with an exit code of 125 to 128:
//! Docker on stdout as `OCI runtime exec failed: …` or, for a user that is not there, as the bare
//! reason; Podman on stderr as `Error: runc: …`. A program may print such a text itself. Docker
//! then knows the process it had; Podman does not know it reliably, so there a program that
//! prints Podman's own text first, and ends with such a code, is taken for one that did not start.

use crate::engine::types::ExecState;
use crate::error::Error;

/// What Docker's reports begin with.
const DOCKER_PREFIXES: [&[u8]; 3] = [
    b"OCI runtime exec failed: ",
    b"unable to find user ",
    b"unable to find group ",
];

/// What Podman's reports begin with.
const PODMAN_PREFIXES: [&[u8]; 3] = [b"Error: runc: ", b"Error: crun: ", b"Error: OCI runtime"];

/// Whether standard output on Docker that begins so may be its report, and has to wait for the
/// exit code.
///
/// `is_partial` says that the frame it came in goes on: an engine's text is one frame.
pub(crate) fn may_be_dockers(output: &[u8], is_partial: bool) -> bool {
    may_begin(output, is_partial, &DOCKER_PREFIXES)
}

/// As [`may_be_dockers`], for standard error on Podman.
pub(crate) fn may_be_podmans(output: &[u8], is_partial: bool) -> bool {
    may_begin(output, is_partial, &PODMAN_PREFIXES)
}

fn may_begin(output: &[u8], is_partial: bool, prefixes: &[&[u8]]) -> bool {
    let mut prefixes = prefixes.iter();
    prefixes.any(|prefix| output.starts_with(prefix) || (is_partial && prefix.starts_with(output)))
}

/// The error for an exec that never became a process; `None` if it did. `output` is what may be
/// the engine's report.
pub(crate) fn failure(
    state: &ExecState,
    output: &[u8],
    command: &[String],
    container: &str,
) -> Option<Error> {
    let code = state.exit_code?;
    let report = may_be_podmans(output, false) || (may_be_dockers(output, false) && state.pid == 0);
    if state.running || !(125..=128).contains(&code) || !report {
        return None;
    }
    let text = String::from_utf8_lossy(output);
    // It stops just now, of which the engine has not heard when it takes the command.
    if text.contains("cannot exec in a stopped ") {
        return Some(Error::ContainerNotRunning {
            container: container.to_owned(),
            status: "exited".to_owned(),
            output: Box::default(),
        });
    }
    if let Some(reason) = place_or_user(&text) {
        return Some(Error::CommandNotExecutable {
            command: String::new(),
            reason,
        });
    }
    let program = command.first().cloned().unwrap_or_default();
    let missing = text.contains("executable file not found")
        || text.contains("attempted to invoke a command that was not found")
        || text.contains("no such file or directory");
    Some(match missing {
        true => Error::CommandNotFound { command: program },
        false => Error::CommandNotExecutable {
            command: program,
            reason: reason(&text),
        },
    })
}

/// What is wrong with the directory or the user that a program was to start in and as: of the
/// program itself nothing has been seen then.
fn place_or_user(text: &str) -> Option<String> {
    for (said, what) in [
        ("unable to find user ", "user"),
        ("unable to find group ", "group"),
    ] {
        if let Some((_, rest)) = text.split_once(said) {
            let name = rest.split(':').next().unwrap_or(rest).trim();
            return Some(format!("no {what} '{name}' in the sandbox"));
        }
    }
    // runc has `chdir to cwd ("/x") set in …`, crun "chdir to `/x`".
    let (_, rest) = text.split_once("chdir to ")?;
    let mut parts = rest.split(['"', '`']);
    let dir = parts.nth(1)?;
    Some(match parts.next()? {
        why if why.contains("ot a directory") => {
            format!("'{dir}' is not a directory in the sandbox")
        }
        why if why.contains("o such file") => format!("no directory '{dir}' in the sandbox"),
        _ => format!("the user may not enter '{dir}' in the sandbox"),
    })
}

/// What a refused start means for the command.
pub(crate) fn start_error(error: Error) -> Error {
    match error {
        Error::Engine { message, .. }
            if message.contains("unable to find user ")
                || message.contains("unable to find group ") =>
        {
            Error::CommandNotExecutable {
                command: String::new(),
                reason: place_or_user(&message).unwrap_or(message),
            }
        }
        other => other,
    }
}

/// The part of the engine's text that says why, on one line.
fn reason(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let start = [
        "unable to start container process: ",
        "exec failed: ",
        "runc: ",
        "crun: ",
    ]
    .iter()
    .find_map(|lead| line.find(lead).map(|at| at + lead.len()));
    let reason = line.get(start.unwrap_or(0)..).unwrap_or(line);
    // What follows is runc's guess at the cause, on Docker, or its kind, on Podman.
    let reason = reason.split(": unknown").next().unwrap_or(reason);
    let reason = reason.split(": OCI ").next().unwrap_or(reason);
    reason.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &[u8] = b"OCI runtime exec failed: exec failed: unable to start container \
        process: exec: \"nope\": executable file not found in $PATH: unknown\r\n";
    const PODMAN: &[u8] = b"Error: runc: exec failed: unable to start container process: \
        exec: \"nope\": executable file not found in $PATH: OCI runtime attempted to invoke a \
        command that was not found\n";
    const WORKDIR: &[u8] = b"OCI runtime exec failed: exec failed: unable to start container \
        process: chdir to cwd (\"/nope\") set in config.json failed: no such file or \
        directory: unknown\r\n";
    const DENIED: &[u8] = b"Error: runc: exec failed: unable to start container process: exec: \
        \"/etc/passwd\": permission denied: OCI permission denied\n";

    fn state(exit_code: i32, pid: u64) -> ExecState {
        ExecState {
            running: false,
            exit_code: Some(exit_code),
            pid,
        }
    }

    #[test]
    fn failures_are_told_by_engine_and_kind() {
        let command = ["nope".to_owned()];
        for (code, text) in [(126, DOCKER), (127, PODMAN)] {
            let error = failure(&state(code, 0), text, &command, "box").unwrap();
            assert!(matches!(error, Error::CommandNotFound { .. }), "{error}");
        }
        let message = |text| {
            failure(&state(126, 0), text, &command, "box")
                .unwrap()
                .to_string()
        };
        assert_eq!(message(WORKDIR), "no directory '/nope' in the sandbox");
        let crun: &[u8] =
            b"Error: crun: chdir to `/no pe`: No such file or directory: OCI runtime \
            attempted to invoke a command that was not found\n";
        assert_eq!(message(crun), "no directory '/no pe' in the sandbox");
        let denied: &[u8] = b"Error: runc: exec failed: unable to start container process: chdir \
            to cwd (\"/root\") set in config.json failed: permission denied: OCI permission denied";
        assert_eq!(
            message(denied),
            "the user may not enter '/root' in the sandbox"
        );
        assert_eq!(
            message(DENIED),
            "cannot execute 'nope': exec: \"/etc/passwd\": permission denied"
        );
    }

    #[test]
    fn an_unknown_user_is_why_a_program_cannot_be_executed() {
        let text = b"unable to find user nope: no matching entries in passwd file\r\n";
        let error = failure(&state(126, 0), text, &["ls".to_owned()], "box").unwrap();
        assert_eq!(error.to_string(), "no user 'nope' in the sandbox");
    }

    #[test]
    fn a_container_that_stops_meanwhile_is_not_the_programs_fault() {
        let text =
            b"OCI runtime exec failed: exec failed: cannot exec in a stopped state: unknown\r\n";
        let error = failure(&state(126, 0), text, &["ls".to_owned()], "box");
        match error {
            Some(Error::ContainerNotRunning { container, .. }) => assert_eq!(container, "box"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn podman_refuses_to_start_for_an_unknown_user_or_group() {
        for (message, wanted) in [
            ("unable to find user x: no", "no user 'x' in the sandbox"),
            ("unable to find group x: no", "no group 'x' in the sandbox"),
        ] {
            let refused = Error::Engine {
                endpoint: "POST /exec/1/start".into(),
                status: 500,
                message: message.into(),
            };
            let error = start_error(refused);
            assert!(
                matches!(&error, Error::CommandNotExecutable { reason, .. } if reason == wanted),
                "{error}"
            );
        }
    }

    #[test]
    fn guesses_at_the_cause_are_left_out() {
        let text = b"OCI runtime exec failed: exec failed: unable to start container process: \
            chdir to cwd (\"/etc/passwd\") set in config.json failed: not a directory: unknown: \
            Are you trying to mount a directory onto a file (or vice-versa)?\r\n";
        let error = failure(&state(126, 0), text, &["ls".to_owned()], "box").unwrap();
        assert!(
            error.to_string() == "'/etc/passwd' is not a directory in the sandbox",
            "{error}"
        );
    }

    #[test]
    fn a_program_that_ran_may_print_what_it_likes() {
        let command = ["sh".to_owned()];
        assert!(failure(&state(126, 4711), DOCKER, &command, "box").is_none());
        assert!(failure(&state(1, 0), DOCKER, &command, "box").is_none());
        assert!(failure(&state(127, 0), b"sh: nope: not found", &command, "box").is_none());
    }

    #[test]
    fn podman_may_know_a_process_of_a_program_that_did_not_start() {
        let error = failure(&state(127, 4711), PODMAN, &["nope".to_owned()], "box");
        assert!(matches!(error, Some(Error::CommandNotFound { .. })));
    }

    #[test]
    fn each_engine_has_texts_of_its_own() {
        let docker = |text| may_be_dockers(text, false);
        let podman = |text| may_be_podmans(text, false);
        assert!(docker(DOCKER) && docker(WORKDIR) && !docker(PODMAN));
        assert!(podman(PODMAN) && podman(DENIED) && !podman(DOCKER));
        assert!(may_be_podmans(b"Err", true) && !podman(b"Err"));
    }
}
