//! Engines whose host has no init program for the first process of a sandbox.

use pocketdock_core::Error;

use crate::model::{Kind, engine_of, kinds, model, options};
use crate::support::fake_engine::Reply;

/// What is said, by whom: when creating or when starting.
const LACKS: [(&str, Kind, &str); 3] = [
    (
        "docker without docker-init on its path",
        Kind::Start,
        r#"{"message":"exec: \"docker-init\": executable file not found in $PATH"}"#,
    ),
    (
        "docker with an init that is not there",
        Kind::Start,
        r#"{"message":"error mounting \"/x/docker-init\" to rootfs at \"/sbin/docker-init\""}"#,
    ),
    (
        "podman without catatonit",
        Kind::Create,
        r#"{"message":"container-init binary not found on the host: stat /usr/x/catatonit"}"#,
    ),
];

#[test]
fn a_sandbox_is_made_without_one() {
    for (name, refused, text) in LACKS {
        let fake = model(move |kind, request| {
            let first = request.text().contains(r#""Init":true"#) || kind == Kind::Start;
            let again = request.path.contains("second");
            match kind {
                Kind::Create if !first => Some(Reply::json(201, r#"{"Id":"second"}"#)),
                _ if kind == refused && first && !again => Some(Reply::json(500, text)),
                _ => None,
            }
        });
        let sandbox = engine_of(&fake).create(&options()).unwrap();
        assert_eq!(sandbox.container_id(), "second", "{name}");
        let made = kinds(&fake);
        let made = made.iter().filter(|kind| **kind == Kind::Create).count();
        assert_eq!(made, 2, "{name}");
        // The first, had it been made, was removed before the second took its name.
        let removed = kinds(&fake).contains(&Kind::Remove);
        assert_eq!(removed, refused == Kind::Start, "{name}");
    }
}

#[test]
fn one_that_was_not_wanted_is_no_reason_to_try_again() {
    let (_, refused, text) = LACKS[0];
    let fake = model(move |kind, _| (kind == refused).then(|| Reply::json(500, text)));
    let outcome = engine_of(&fake).create(&options().no_init());
    assert!(matches!(outcome, Err(Error::CommandNotFound { .. })));
}
