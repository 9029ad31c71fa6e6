//! The guard of a sandbox: what is created is removed again, and nothing else is.

use pocketdock_core::{CreateOptions, Engine, Error};

use crate::model::{ID, Kind, engine_of, kinds, model, model_with, options};
use crate::support::fake_engine::{FakeEngine, Reply};

type Operation = fn(&Engine) -> Result<(), Error>;

/// Whether the container was removed, which must not happen twice.
fn removed(fake: &FakeEngine) -> bool {
    let requests = fake.requests();
    let removals: Vec<_> = requests
        .iter()
        .filter(|r| Kind::of(r) == Kind::Remove)
        .collect();
    assert!(removals.len() <= 1, "{removals:#?}");
    assert!(
        removals.iter().all(|r| r.path.ends_with(ID)),
        "another container: {removals:#?}"
    );
    !removals.is_empty()
}

fn create(fake: &FakeEngine, options: &CreateOptions) -> Result<(), Error> {
    engine_of(fake).create(options).map(drop)
}

#[test]
fn a_dropped_sandbox_is_removed_once_its_last_handle_is_gone() {
    let fake = model(|_, _| None);
    let sandbox = engine_of(&fake).create(&options()).unwrap();
    let clone = sandbox.clone();
    drop(sandbox);
    assert!(!removed(&fake), "a handle is left");
    drop(clone);
    assert!(removed(&fake));
}

#[test]
fn a_running_command_keeps_its_sandbox() {
    let fake = model(|_, _| None);
    let sandbox = engine_of(&fake).create(&options()).unwrap();
    let stream = sandbox.exec("x").stream().unwrap();
    drop(sandbox);
    assert!(!removed(&fake), "a command runs in it");
    stream.result().unwrap();
    assert!(removed(&fake));
}

#[test]
fn what_is_kept_opened_or_shut_down_is_not_removed_by_a_drop() {
    for kept in [options().keep(), options().persist()] {
        let fake = model(|_, _| None);
        create(&fake, &kept).unwrap();
        assert!(!removed(&fake), "{kept:?}");
    }
    let fake = model(|_, _| None);
    drop(engine_of(&fake).open("box").unwrap());
    drop(engine_of(&fake).resume("box").unwrap());
    assert!(!removed(&fake), "opened");

    let fake = model(|_, _| None);
    let sandbox = engine_of(&fake).create(&options()).unwrap();
    sandbox.shutdown(true).unwrap();
    drop(sandbox);
    assert!(removed(&fake), "shut down, and not once more when dropped");
}

#[test]
fn a_removal_by_the_engine_itself_is_waited_for() {
    let busy = r#"{"message":"removal of container box is already in progress"}"#;
    let fake = model(move |kind, request| match kind {
        Kind::Remove => Some(Reply::json(409, busy)),
        _ if request.path.ends_with("/wait") => Some(Reply::json(200, r#"{"StatusCode":137}"#)),
        _ => None,
    });
    let sandbox = engine_of(&fake).create(&options()).unwrap();
    sandbox.shutdown(true).unwrap();
    let requests = fake.requests();
    let mut waits = requests.iter().filter(|r| r.path.ends_with("/wait"));
    let wait = waits.next().expect("its name is still taken");
    assert_eq!(wait.param("condition"), Some("removed"));
}

#[test]
fn a_start_that_fails_leaves_nothing() {
    let refused = |message: &str| Reply::json(500, &format!(r#"{{"message":"{message}"}}"#));
    let cases = [
        (
            "port_in_use",
            refused("listen tcp4 127.0.0.1:80: bind: address already in use"),
        ),
        (
            "command_not_found",
            refused("exec: \\\"sleep\\\": executable file not found in $PATH"),
        ),
        ("engine", refused("device or resource busy")),
        ("protocol", Reply::raw("nonsense\r\n\r\n")),
        ("socket_communication", Reply::raw("")),
    ];
    for (code, reply) in cases {
        let fake = model_with(Kind::Start, reply);
        let error = create(&fake, &options()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(removed(&fake), "{code}");
    }
}

#[test]
fn a_sandbox_that_is_to_be_kept_is_still_removed_if_it_cannot_start() {
    let fake = model_with(Kind::Start, Reply::json(500, r#"{"message":"no"}"#));
    create(&fake, &options().keep()).unwrap_err();
    assert!(removed(&fake));
}

/// An engine whose answer to `create` is cut off, and which then has a container of the same name
/// that was born when `born` says.
fn deaf_creation(born: impl Fn(&str) -> String + Send + Sync + 'static) -> FakeEngine {
    let label = std::sync::Mutex::new(String::new());
    model(move |kind, request| match kind {
        Kind::Create => {
            let text = request.text();
            let start = text.split("\"pocketdock.created-at\":\"").nth(1).unwrap();
            *label.lock().unwrap() = start.split('"').next().unwrap().to_owned();
            Some(Reply::raw("HTTP/1.1 201 Created\r\nContent-Le"))
        }
        Kind::Inspect => {
            let born = born(&label.lock().unwrap());
            let labels = format!(r#"{{"pocketdock.created-at":"{born}"}}"#);
            let found = format!(r#"{{"Id":"{ID}","Config":{{"Labels":{labels}}}}}"#);
            Some(Reply::json(200, &found))
        }
        _ => None,
    })
}

#[test]
fn what_was_created_without_an_answer_is_removed_by_its_birth() {
    let ours = deaf_creation(str::to_owned);
    let error = create(&ours, &options()).unwrap_err();
    assert_eq!(error.code(), "socket_communication", "{error}");
    assert!(removed(&ours));

    let anothers = deaf_creation(|_| "2001-01-01T00:00:00Z".to_owned());
    create(&anothers, &options()).unwrap_err();
    assert!(!removed(&anothers), "it has our name and is not ours");
}

#[test]
fn what_was_never_created_is_not_removed() {
    let cases = [
        (
            "name_in_use",
            409,
            r#"{"message":"The container name \"/box\" is already in use by x"}"#,
        ),
        ("image_not_found", 404, r#"{"message":"No such image: x"}"#),
        ("engine", 400, r#"{"message":"invalid mode"}"#),
    ];
    for (code, status, body) in cases {
        let fake = model_with(Kind::Create, Reply::json(status, body));
        let error = create(&fake, &options()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(kinds(&fake), [Kind::Create], "{code}");
    }
}

#[test]
fn where_the_engine_has_no_init_the_sandbox_is_made_without_one() {
    let body = r#"{"message":"container-init binary not found on the host: stat /usr/x"}"#;
    for (kind, removals) in [(Kind::Create, 0), (Kind::Start, 1)] {
        let fake = model_with(kind, Reply::json(500, body));
        let sandbox = engine_of(&fake).create(&options()).unwrap();
        let requests = fake.requests();
        let creates: Vec<_> = requests
            .iter()
            .filter(|r| Kind::of(r) == Kind::Create)
            .collect();
        assert_eq!(creates.len(), 2);
        assert!(
            creates[0].text().contains(r#""Init":true"#),
            "{}",
            creates[0].text()
        );
        assert!(
            !creates[1].text().contains(r#""Init":true"#),
            "{}",
            creates[1].text()
        );
        let removed = kinds(&fake)
            .iter()
            .filter(|kind| **kind == Kind::Remove)
            .count();
        assert_eq!(removed, removals, "the first one, if there was one");
        drop(sandbox);
    }
}

#[test]
fn a_container_of_somebody_elses_is_refused_and_left_alone() {
    let foreign = r#"{"Id":"1","Name":"/box","State":{"Status":"running","Running":true},
        "Config":{"Image":"x","Labels":{"pocketdock.managed":"false"}}}"#;
    let operations: [Operation; 4] = [
        |engine| engine.open("box").map(drop),
        |engine| engine.resume("box").map(drop),
        |engine| engine.stop("box"),
        |engine| engine.destroy("box"),
    ];
    for operation in operations {
        let fake = model(move |kind, _| (kind == Kind::Inspect).then(|| Reply::json(200, foreign)));
        let error = operation(&engine_of(&fake)).unwrap_err();
        assert!(matches!(error, Error::NotManaged { .. }), "{error:?}");
        assert_eq!(kinds(&fake), [Kind::Inspect]);
    }
}

#[test]
fn bad_options_reach_no_engine() {
    let fake = model(|_, _| None);
    let long = "n".repeat(64);
    let names = [
        "",
        "a",
        "../../x",
        "a/b",
        "a b",
        "a\nb",
        ".a",
        "-a",
        "_a",
        "é",
        long.as_str(),
    ];
    for name in names {
        let error = create(&fake, &options().name(name)).unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { .. }),
            "{name:?}: {error:?}"
        );
    }
    for size in ["", "0x10", "-1", "1.5q", "99999999999g", "512 m m"] {
        let error = create(&fake, &options().mem_limit(size)).unwrap_err();
        assert!(
            matches!(error, Error::InvalidArgument { .. }),
            "{size:?}: {error:?}"
        );
    }
    assert_eq!(kinds(&fake), []);
}
