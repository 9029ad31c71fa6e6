//! Instances of sandboxes that are kept: made before the container, and gone if there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pocketdock_core::container::record::RecordKind;
use pocketdock_core::{CreateOptions, Error, Instance, PruneOptions};

use crate::model::{ID, Kind, engine_of, inspected, model, model_with, options};
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::request::Request;

/// Where the instance of the one sandbox is.
fn dir_of(fake: &FakeEngine) -> PathBuf {
    let state = fake.socket().parent().unwrap();
    state.join("pocketdock/instances/box")
}

/// Puts the instance of a sandbox there that has its name and is of the engine at a socket.
fn write_instance(fake: &FakeEngine, id: &str, socket: &Path) -> String {
    let socket = socket.display();
    let text = format!(r#"{{"name":"box","id":"{id}","socket":"{socket}","kept":true}}"#);
    fs::create_dir_all(dir_of(fake)).unwrap();
    fs::write(dir_of(fake).join("instance.json"), &text).unwrap();
    text
}

/// What is there of an instance.
fn read_instance(fake: &FakeEngine) -> String {
    fs::read_to_string(dir_of(fake).join("instance.json")).unwrap()
}

fn kept() -> CreateOptions {
    options()
        .keep()
        .env("TOKEN", "hunter2")
        .command(["serve", "hunter2"])
}

#[test]
fn a_kept_sandbox_has_a_private_directory_that_holds_no_secret() {
    let fake = model(|_, _| None);
    let sandbox = engine_of(&fake).create(&kept()).unwrap();
    let dir = dir_of(&fake);
    assert_eq!(sandbox.data_path(), Some(dir.as_path()));
    for (path, mode) in [
        ("", 0o700),
        ("logs", 0o700),
        ("data", 0o700),
        ("instance.json", 0o600),
    ] {
        let found = fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
    let text = fs::read_to_string(dir.join("instance.json")).unwrap();
    assert!(text.contains(ID) && text.contains("TOKEN") && text.contains("\"maker\":null"));
    assert!(!text.contains("hunter2"), "{text}");
    let instance = Instance::of(&sandbox).unwrap();
    let description = instance.description().unwrap().unwrap();
    assert_eq!((description.name.as_str(), description.kept), ("box", true));
    assert_eq!(description.socket, fake.socket());
    sandbox.shutdown(true).unwrap();
    assert!(!dir.exists());
}

#[test]
fn a_guarded_one_has_none() {
    let fake = model(|_, _| None);
    let sandbox = engine_of(&fake).create(&options()).unwrap();
    assert_eq!((sandbox.data_path(), dir_of(&fake).exists()), (None, false));
}

#[test]
fn what_cannot_be_made_leaves_no_directory() {
    let refused = |message: &str| Reply::json(500, &format!(r#"{{"message":"{message}"}}"#));
    let cases = [
        (Kind::Create, Reply::raw("")),
        (Kind::Create, refused("no")),
        (Kind::Start, refused("no")),
        (Kind::Start, Reply::raw("")),
    ];
    for (kind, reply) in cases {
        let fake = model_with(kind, reply);
        engine_of(&fake).create(&kept()).unwrap_err();
        assert!(!dir_of(&fake).exists(), "{kind:?}");
    }
}

/// Whoever loses a race for a name leaves the winner's directory alone.
#[test]
fn a_name_in_use_leaves_the_directory_of_its_owner() {
    let fake = model(|kind, _| {
        let taken = r#"{"message":"The container name \"/box\" is already in use by container"}"#;
        (kind == Kind::Create).then(|| Reply::json(409, taken))
    });
    let theirs = write_instance(&fake, ID, fake.socket());
    let error = engine_of(&fake).create(&kept()).unwrap_err();
    assert!(matches!(error, Error::NameInUse { .. }), "{error}");
    assert_eq!(read_instance(&fake), theirs);
}

/// Two engines do not know of each other's names, and a directory belongs to one container.
#[test]
fn the_directory_of_another_engines_sandbox_is_not_taken_over() {
    let other = model(|_, _| None);
    let fake = model(|_, _| None);
    let socket = other.socket().display();
    let theirs = write_instance(&fake, ID, other.socket());
    let error = engine_of(&fake).create(&kept()).unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(&error, Error::AnotherEngine { name, .. } if name == "box")
            && said.contains(&format!("'{socket}'")),
        "{said}"
    );
    assert_eq!(read_instance(&fake), theirs);
    assert!(fake.requests().iter().all(|it| Kind::of(it) == Kind::Ping));
}

/// One that is stopped will come back.
#[test]
fn the_directory_of_an_engine_that_does_not_answer_is_not_taken_over() {
    let fake = model(|_, _| None);
    let theirs = write_instance(&fake, ID, Path::new("/gone.sock"));
    let error = engine_of(&fake).create(&kept()).unwrap_err();
    assert!(matches!(error, Error::AnotherEngine { .. }), "{error}");
    assert_eq!(read_instance(&fake), theirs);
    assert!(fake.requests().iter().all(|it| Kind::of(it) == Kind::Ping));
}

/// A sandbox may have the name of another engine's, but not its directory for a record.
#[test]
fn what_is_recorded_does_not_take_the_place_of_another_engines_instance() {
    let fake = model(|_, _| None);
    let theirs = write_instance(&fake, "0badcafe", Path::new("/gone.sock"));
    let sandbox = engine_of(&fake).open("box").unwrap();
    let instance = Instance::of(&sandbox).unwrap();
    let words = ["true".to_owned()];
    let error = instance.record(&sandbox, RecordKind::Detach, &words, 1000);
    let error = error.map(drop).unwrap_err();
    assert!(matches!(error, Error::AnotherEngine { .. }), "{error}");
    assert_eq!(read_instance(&fake), theirs);
    assert!(instance.logs().unwrap().is_empty());
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_before_anything_is_made() {
    let fake = model(|_, _| None);
    let state = fake.socket().parent().unwrap();
    fs::write(state.join("pocketdock"), "in the way").unwrap();
    let error = engine_of(&fake).create(&kept()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(
        error.to_string().contains("pocketdock/instances/box"),
        "{error}"
    );
    assert!(fake.requests().iter().all(|it| Kind::of(it) == Kind::Ping));
    let report = engine_of(&fake).doctor(None);
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert!(
        codes.contains(&"unreadable_instances"),
        "{:?}",
        report.problems
    );
    assert!(!report.healthy());
}

/// A sandbox that has lost its directory works on, and says that it is not recorded.
#[test]
fn a_lost_directory_is_told_by_whoever_runs_a_command() {
    let fake = model(|kind, _| {
        let body = inspected("running").replace(
            r#""pocketdock.managed":"true""#,
            r#""pocketdock.managed":"true","pocketdock.data-path":"/not/there/instances/box""#,
        );
        (kind == Kind::Inspect).then(|| Reply::json(200, &body))
    });
    let sandbox = engine_of(&fake).open("box").unwrap();
    assert!(sandbox.take_record_failure().is_none());
    sandbox.run("x").unwrap();
    let failure = sandbox.take_record_failure();
    assert!(
        matches!(failure, Some(Error::PathNotFound { .. })),
        "{failure:?}"
    );
}

/// A list of containers in these states, all of them ours.
fn listing(states: &[(&str, &str)]) -> String {
    let rows = states.iter().map(|(name, state)| {
        format!(
            r#"{{"Id":"{name}-id","Names":["/{name}"],"State":"{state}","Created":1,
                "Labels":{{"pocketdock.managed":"true","pocketdock.instance":"{name}"}}}}"#
        )
    });
    format!("[{}]", rows.collect::<Vec<_>>().join(","))
}

fn is_list(request: &Request) -> bool {
    request.path.ends_with("/containers/json")
}

#[test]
fn prune_goes_on_past_what_it_cannot_remove() {
    let states = [("a1", "exited"), ("b1", "exited"), ("c1", "running")];
    let fake = model(move |kind, request| match kind {
        _ if is_list(request) => Some(Reply::json(200, &listing(&states))),
        Kind::Inspect => {
            let id = request.path.split('/').nth(3).unwrap().to_owned();
            Some(Reply::json(200, &inspected("exited").replace(ID, &id)))
        }
        Kind::Remove if request.path.contains("a1-id") => {
            Some(Reply::json(500, r#"{"message":"device busy"}"#))
        }
        _ => None,
    });
    let report = engine_of(&fake)
        .prune(&PruneOptions::new().orphans())
        .unwrap();
    let removed: Vec<_> = report.removed.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(removed, ["b1"]);
    assert_eq!(report.failed.len(), 1);
    assert_eq!(report.failed[0].0, "a1");
    let forced = |it: &Request| {
        Kind::of(it) == Kind::Remove && matches!(it.param("force"), Some("1" | "true"))
    };
    assert!(
        !fake.requests().iter().any(forced),
        "what runs by now stays"
    );
}

#[test]
fn prune_believes_labels_and_not_the_engines_filter() {
    let foreign = r#"[{"Id":"f","Names":["/f"],"State":"exited","Created":1,"Labels":{}}]"#;
    let fake = model(move |_, request| is_list(request).then(|| Reply::json(200, foreign)));
    let report = engine_of(&fake).prune(&PruneOptions::new()).unwrap();
    assert!(report.removed.is_empty() && report.failed.is_empty());
    let asked = fake.requests().into_iter().find(is_list).unwrap();
    assert!(
        asked
            .param("filters")
            .unwrap()
            .contains("pocketdock.managed=true")
    );
    let of_project = PruneOptions::new().project("web");
    engine_of(&fake).prune(&of_project).unwrap();
    let asked = fake.requests().into_iter().rfind(is_list).unwrap();
    let filters = asked.param("filters").unwrap().to_owned();
    assert!(filters.contains("pocketdock.managed=true") && filters.contains("project=web"));
}

/// The doctor of an engine that breaks down says so, and what it can all the same.
#[test]
fn doctor_reports_an_engine_that_does_not_answer() {
    let fake = model(|kind, _| (kind == Kind::Other).then(|| Reply::raw("")));
    let engine = engine_of(&fake);
    let dir = dir_of(&fake);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("instance.json"), "{").unwrap();
    let report = engine.repair(None);
    assert!(!report.healthy());
    let codes: Vec<_> = report.problems.iter().map(|problem| problem.code).collect();
    assert!(codes.contains(&"socket_communication"), "{codes:?}");
    assert!(dir.join("instance.json").is_file());
}

/// The tag of this process in the names of containers, or of one that was here and is dead.
fn tag(is_dead: bool) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = after_name
        .split_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let namespace = namespace
        .to_str()
        .unwrap()
        .trim_matches(|c: char| !c.is_ascii_digit());
    let (boot, pid) = (&boot[..8], std::process::id());
    format!("{boot}-{pid}-{}-{namespace}-ab", ticks + u64::from(is_dead))
}

/// The doctor of a sandbox that is being rebooted, or whose rebooting client is dead: the problems
/// and what the engine was asked to change.
fn examine_half_rebooted(
    is_dead: bool,
    is_over: bool,
    fix: bool,
) -> (Vec<&'static str>, Vec<String>, bool) {
    let old = format!("box.old-{}", tag(is_dead));
    let fresh = format!("box.fresh-{}", tag(is_dead));
    let dir = Mutex::new(String::new());
    let dir = Arc::new(dir);
    let renamed = Arc::new(Mutex::new(false));
    let fake = model({
        let (dir, renamed) = (Arc::clone(&dir), Arc::clone(&renamed));
        move |_, request| {
            if request.path.ends_with("/rename") {
                *renamed.lock().unwrap() = true;
                return Some(Reply::empty(204));
            }
            for (id, name) in [(ID, &old), ("f1", &fresh)] {
                let now = if is_over { "box" } else { name.as_str() };
                if request.path.ends_with(&format!("/{id}/json")) {
                    let found = inspected("running").replace("/box", &format!("/{now}"));
                    return Some(Reply::json(200, &found.replace(ID, id)));
                }
            }
            let row = |id: &str, name: &str, state: &str, created: u8| {
                let dir = dir.lock().unwrap();
                format!(
                    r#"{{"Id":"{id}","Names":["/{name}"],"State":"{state}","Created":{created},
                        "Labels":{{"pocketdock.managed":"true","pocketdock.instance":"box",
                        "pocketdock.data-path":"{dir}"}}}}"#
                )
            };
            let rows = match *renamed.lock().unwrap() {
                false => [row(ID, &old, "exited", 1), row("f1", &fresh, "running", 2)].join(","),
                true => row(ID, "box", "exited", 1),
            };
            is_list(request).then(|| Reply::json(200, &format!("[{rows}]")))
        }
    });
    let own = dir_of(&fake);
    *dir.lock().unwrap() = own.to_str().unwrap().to_owned();
    fs::create_dir_all(&own).unwrap();
    let socket = fake.socket().display();
    let text = format!(r#"{{"name":"box","id":"{ID}","socket":"{socket}","kept":true}}"#);
    fs::write(own.join("instance.json"), text).unwrap();
    let engine = engine_of(&fake);
    let report = match fix {
        true => engine.repair(None),
        false => engine.doctor(None),
    };
    let codes = report.problems.iter().map(|it| it.code);
    let codes = codes.filter(|code| *code != "engine").collect();
    let changes = fake.requests().into_iter().filter(|it| it.method != "GET");
    let changes = changes.map(|it| format!("{} {}", it.method, it.path));
    (
        codes,
        changes.collect(),
        own.join("instance.json").is_file(),
    )
}

#[test]
fn doctor_leaves_a_reboot_alone_whose_client_lives() {
    for fix in [false, true] {
        let (codes, changes, is_there) = examine_half_rebooted(false, false, fix);
        assert_eq!(
            (codes.len(), changes.len(), is_there),
            (0, 0, true),
            "{codes:?} {changes:?}"
        );
    }
}

#[test]
fn doctor_puts_a_reboot_back_whose_client_is_dead_and_keeps_the_instance() {
    let (codes, changes, is_there) = examine_half_rebooted(true, false, false);
    assert_eq!(
        (codes, changes.len(), is_there),
        (vec!["half_rebooted"; 2], 0, true)
    );
    let (codes, changes, is_there) = examine_half_rebooted(true, false, true);
    assert_eq!((codes, is_there), (vec!["half_rebooted"; 2], true));
    let base = "/containers";
    let want = [
        format!("POST {base}/{ID}/rename"),
        format!("POST {base}/f1/kill"),
        format!("DELETE {base}/f1"),
    ];
    assert_eq!(changes, want);
}

/// The list is older than what is known of the client: it has ended because it was done.
#[test]
fn doctor_does_not_take_a_client_that_is_done_for_a_dead_one() {
    for fix in [false, true] {
        let (codes, changes, is_there) = examine_half_rebooted(true, true, fix);
        assert_eq!(
            (codes.len(), changes.len(), is_there),
            (0, 0, true),
            "{codes:?} {changes:?}"
        );
    }
}

/// What the doctor says of the instance of a sandbox that this engine does not have, and whether
/// it leaves it there.
fn examine_lost(
    libpod: Option<&'static str>,
    own: &'static str,
    known: &str,
    is_same_path: bool,
) -> (Option<&'static str>, bool) {
    let fake = model(move |kind, request| match kind {
        Kind::Ping => Some(Reply::ping("1.41", libpod)),
        _ if request.path.ends_with("/info") => Some(match own {
            "" => Reply::json(403, r#"{"message":"no"}"#),
            own => Reply::json(200, &format!("{{{own}}}")),
        }),
        _ if is_list(request) => Some(Reply::json(200, "[]")),
        _ => None,
    });
    let dir = dir_of(&fake);
    fs::create_dir_all(&dir).unwrap();
    let socket = match is_same_path {
        true => fake.socket().to_owned(),
        false => "/not/there.sock".into(),
    };
    let text = format!(
        r#"{{"name":"box","id":"gone","socket":"{}","engine":{known},"kept":true}}"#,
        socket.display()
    );
    fs::write(dir.join("instance.json"), text).unwrap();
    let report = engine_of(&fake).repair(None);
    let path = dir.display().to_string();
    let mut problems = report.problems.iter();
    let found = problems.find(|problem| problem.message.contains(&path));
    (found.map(|problem| problem.code), dir.exists())
}

#[test]
fn an_engine_is_told_from_another_behind_its_socket() {
    const A: &str = r#""ID":"A","Name":"h","DockerRootDir":"/d""#;
    const DOCKER: Option<&str> = None;
    const PODMAN: Option<&str> = Some("4.3.1");
    let stale = (Some("stale_instance"), false);
    let another = (Some("another_engine"), true);
    let nothing = (None, true);
    #[rustfmt::skip] // one case per line
    let cases = [
        (DOCKER, A,  r#""A h /d""#, true,  stale),
        (DOCKER, A,  r#""A h /d""#, false, stale), // Another of its sockets.
        (DOCKER, A,  r#""B h /d""#, true,  another),
        (DOCKER, A,  r#""A i /d""#, true,  another), // A copy of the machine.
        (DOCKER, A,  r#""A h /e""#, true,  another),
        (DOCKER, A,  r#""B h /d""#, false, nothing),
        (DOCKER, A,  "null",        true,  stale),
        (DOCKER, A,  "null",        false, nothing),
        (DOCKER, "", r#""A h /d""#, true,  nothing),
        (PODMAN, A,  r#""/d""#,     true,  stale),
        (PODMAN, A,  r#""/d""#,     false, nothing), // It may be on another host.
        (PODMAN, A,  r#""/e""#,     true,  another),
        (PODMAN, A,  r#""A h /d""#, true,  another),
    ];
    for (n, (libpod, own, known, is_same_path, expected)) in cases.into_iter().enumerate() {
        let found = examine_lost(libpod, own, known, is_same_path);
        assert_eq!(found, expected, "case {n}: {known} {is_same_path}");
    }
}

/// What removes itself once it runs has to be removed if nobody is left to start it.
#[test]
fn what_a_dead_client_was_making_is_found_even_if_it_was_not_to_stay() {
    let dir = Arc::new(Mutex::new(PathBuf::new()));
    let removed = Mutex::new(false);
    let fake = model({
        let dir = Arc::clone(&dir);
        move |kind, request| {
            let mut removed = removed.lock().unwrap();
            *removed |= kind == Kind::Remove;
            if *removed && kind == Kind::Inspect {
                return Some(Reply::json(404, r#"{"message":"No such container: box"}"#));
            }
            let dir = dir.lock().unwrap();
            let item = format!(
                r#"[{{"Id":"{ID}","Names":["/box"],"State":"created","Created":1,"Labels":{{
                    "pocketdock.managed":"true","pocketdock.data-path":"{}"}}}}]"#,
                dir.display()
            );
            is_list(request).then(|| Reply::json(200, &item))
        }
    });
    let own = dir_of(&fake);
    dir.lock().unwrap().clone_from(&own);
    fs::create_dir_all(&own).unwrap();
    let tag = tag(true);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let fields: Vec<_> = tag.split('-').collect();
    let maker = format!("{} {}", boot.trim(), fields[1..4].join(" "));
    let socket = fake.socket().display();
    let text =
        format!(r#"{{"name":"box","id":"","socket":"{socket}","kept":false,"maker":"{maker}"}}"#);
    fs::write(own.join("instance.json"), text).unwrap();
    let report = engine_of(&fake).repair(None);
    let all = report.problems.iter().map(|it| (it.code, it.fixed));
    let all: Vec<_> = all.filter(|(code, _)| *code != "engine").collect();
    assert_eq!(all, [("unfinished_instance", true)], "{report:?}");
    assert!(!own.exists());
    let mut requests = fake.requests().into_iter();
    assert!(requests.any(|it| it.method == "DELETE" && it.path.ends_with(ID)));
}
