//! A healthy engine with three sandboxes in it, for what a command says when all is well.
//!
//! `box` runs, `web` has ended and `job` is paused. All were made at [`CREATED`].

use std::path::Path;
use std::process::{Command, Output};

use crate::program;
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::request::Request;
use crate::support::scratch::Scratch;

/// The IDs of the sandboxes, and of what is made.
const IDS: [(&str, &str, &str); 3] = [
    (
        "box",
        "running",
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    ),
    (
        "web",
        "exited",
        "ef2d127de37b942baad06145e54b0c619a1f22327b2ebbcfbec78f5564afe39d",
    ),
    (
        "job",
        "paused",
        "7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451",
    ),
];

/// When they were made, in seconds since 1970: 2023-11-14T22:13:20Z.
pub(crate) const CREATED: u64 = 1_700_000_000;

const IMAGE_ID: &str = "sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce";

/// An archive of images: one without a member, which is enough for an engine that does not look.
const ARCHIVE: &[u8] = &[0; 1024];

/// The engine.
pub(crate) fn world() -> FakeEngine {
    FakeEngine::route(answer)
}

/// A directory that is a project, with an archive and a file in it.
pub(crate) fn project() -> Scratch {
    let dir = Scratch::new();
    dir.write(".pocketdock/pocketdock.yaml", b"project_name: demo\n");
    dir.write("images.tar", ARCHIVE);
    dir.write("note.txt", b"hello\n");
    dir
}

/// The same where three commands were run in `box`.
pub(crate) fn project_with_history() -> Scratch {
    let dir = project();
    let write = |name: &str, text: &str| {
        dir.write(
            &format!(".pocketdock/instances/box/{name}"),
            text.as_bytes(),
        );
    };
    write("instance.json", INSTANCE);
    write("history.jsonl", HISTORY);
    let first = "2026-11-25T22:15:55.752625Z stdout F hello\n\
                 2026-11-25T22:15:55.752754Z stderr F oops\n";
    write("logs/run-20261125T221555.606297Z-3c88.log", first);
    let second = "2026-11-25T22:15:56.978592Z stdout F in the background\n";
    write("logs/detach-20261125T221555.834139Z-bb9c.log", second);
    let third = "[the command timed out after 500ms]\n";
    write("logs/run-20261125T221556.043986Z-2546.log", third);
    dir
}

const INSTANCE: &str = r#"{"name":"box","id":"4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945","image":"localhost/tools:1","profile":null,"project":"demo","created_at":"2023-11-14T22:13:20Z","socket":"/run/docker.sock","engine":"ID host /var/lib/docker","command_line":["pocketdock","create","--name","box","--image","localhost/tools:1"],"kept":true,"maker":null}"#;

const HISTORY: &str = r#"{"ts":"2026-11-25T22:15:55.606297837Z","type":"run","id":"e1","command":["echo hello; echo oops >&2; exit 3"],"exit_code":3,"duration_ms":199,"timed_out":false,"truncated":false,"log":"run-20261125T221555.606297Z-3c88.log"}
{"ts":"2026-11-25T22:15:55.834139758Z","type":"detach","id":"e2","command":["python3","-c","print('in the background')\u001b[2J"],"exit_code":0,"duration_ms":61187,"timed_out":false,"truncated":false,"log":"detach-20261125T221555.834139Z-bb9c.log"}
{"ts":"2026-11-25T22:15:56.043986648Z","type":"run","id":"e3","command":["sleep","5"],"exit_code":124,"duration_ms":500,"timed_out":true,"truncated":false,"log":"run-20261125T221556.043986Z-2546.log"}
"#;

/// The program in a project, with its state in there too.
pub(crate) fn inside(dir: &Scratch) -> Command {
    let mut command = program::pocketdock();
    command
        .current_dir(dir.path())
        .env("XDG_STATE_HOME", dir.join("state"));
    command
}

/// Runs it in a project against an engine.
pub(crate) fn run_in(dir: &Scratch, socket: &Path, words: &[&str]) -> Output {
    let mut command = inside(dir);
    command.env("POCKETDOCK_SOCKET", socket).args(words);
    command.output().expect("start pocketdock")
}

fn answer(request: &Request) -> Reply {
    let parts: Vec<_> = request.path.split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["_ping"]) => Reply::raw(
            "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nServer: Docker/20.10.24 (linux)\r\n\
             Content-Length: 2\r\n\r\nOK",
        ),
        ("GET", ["info"]) => Reply::json(
            200,
            r#"{"ID":"ID","Name":"host","DockerRootDir":"/var/lib/docker",
                "SecurityOptions":["name=rootless"]}"#,
        ),
        ("GET", ["version"]) => Reply::json(200, r#"{"Version":"20.10.24"}"#),
        ("GET", ["containers", "json"]) => Reply::json(200, &list()),
        ("POST", ["containers", "create"]) if request.text().contains("missing:1") => {
            Reply::json(404, r#"{"message":"No such image: missing:1"}"#)
        }
        ("POST", ["containers", "create"]) if request.param("name") == Some("taken") => {
            let message = r#"{"message":"Conflict. The container name \"/taken\" is already in use by container 4e07."}"#;
            Reply::json(409, message)
        }
        ("GET", ["containers", "foreign", "json"]) => Reply::json(200, FOREIGN),
        ("POST", ["containers", id, "exec"]) if *id == IDS[1].2 => Reply::json(
            409,
            &format!(r#"{{"message":"Container {id} is not running"}}"#),
        ),
        ("POST", ["containers", "create"]) => {
            let id = IDS[0].2;
            Reply::json(201, &format!(r#"{{"Id":"{id}","Warnings":[]}}"#))
        }
        ("GET", ["containers", name, "json"]) => match find(name) {
            Some(sandbox) => Reply::json(200, &inspected(sandbox)),
            None => missing(name),
        },
        ("GET", ["containers", _, "stats"]) => Reply::json(200, STATS),
        ("GET", ["containers", _, "top"]) => Reply::json(200, TOP),
        ("POST", ["containers", _, "exec"]) => Reply::json(201, r#"{"Id":"e"}"#),
        ("POST", ["containers", _, "wait"]) => Reply::json(200, r#"{"StatusCode":0}"#),
        ("POST", ["containers", _, _]) | ("DELETE", ["containers", _]) => Reply::empty(204),
        ("POST", ["exec", _, "start"]) => Reply::hijacked(101).frame(1, b"hello\n"),
        ("GET", ["exec", _, "json"]) => {
            Reply::json(200, r#"{"ID":"e","Running":false,"ExitCode":0,"Pid":4711}"#)
        }
        _ => of_images(request, &parts),
    }
}

fn of_images(request: &Request, parts: &[&str]) -> Reply {
    match (request.method.as_str(), parts) {
        ("GET", ["images", "json"]) => Reply::json(200, IMAGES),
        ("GET", ["images", "get"]) => Reply::sized(200, "application/x-tar", ARCHIVE),
        ("POST", ["images", "load"]) => Reply::json(200, r#"{"stream":"Loaded image: tools:1\n"}"#),
        // minimal-python is built, dev is not.
        ("GET", ["images", name @ .., "json"]) if name.concat().contains("minimal-python") => {
            Reply::json(200, &format!(r#"{{"Id":"{IMAGE_ID}","Config":{{}}}}"#))
        }
        ("GET", ["images", "tools:1" | IMAGE_ID, "json"]) => {
            Reply::json(200, &format!(r#"{{"Id":"{IMAGE_ID}","Config":{{}}}}"#))
        }
        ("GET", ["images", IMAGE_ID, "history"]) => Reply::json(200, "[]"),
        ("GET", ["images", ..]) => Reply::json(404, r#"{"message":"No such image"}"#),
        ("POST", ["build"]) => {
            let id = format!(
                r#"{{"stream":"Step 1/1 : FROM scratch\n"}}
                {{"aux":{{"ID":"{IMAGE_ID}"}}}}"#
            );
            Reply::json(200, &id)
        }
        ("POST", ["commit"]) => Reply::json(201, &format!(r#"{{"Id":"{IMAGE_ID}"}}"#)),
        ("POST", ["images", ..]) => Reply::empty(201),
        ("DELETE", ["images", ..]) => Reply::json(200, "[]"),
        _ => Reply::json(404, r#"{"message":"page not found"}"#),
    }
}

fn missing(name: &str) -> Reply {
    Reply::json(
        404,
        &format!(r#"{{"message":"No such container: {name}"}}"#),
    )
}

type Sandbox = &'static (&'static str, &'static str, &'static str);

fn find(name: &str) -> Option<Sandbox> {
    IDS.iter().find(|(own, _, id)| *own == name || *id == name)
}

fn list() -> String {
    let items = IDS.iter().map(|(name, status, id)| {
        format!(
            r#"{{"Id":"{id}","Names":["/{name}"],"Image":"localhost/tools:1","Created":{CREATED},
                "State":"{status}","Labels":{}}}"#,
            labels(name)
        )
    });
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn labels(name: &str) -> String {
    let persist = name == "web";
    format!(
        r#"{{"pocketdock.managed":"true","pocketdock.instance":"{name}",
            "pocketdock.persist":"{persist}","pocketdock.project":"demo"}}"#
    )
}

fn inspected((name, status, id): Sandbox) -> String {
    let running = *status != "exited";
    format!(
        r#"{{"Id":"{id}","Name":"/{name}","Created":"2023-11-14T22:13:20Z","Image":"{IMAGE_ID}",
            "State":{{"Status":"{status}","Running":{running},"Paused":{},"ExitCode":0,
              "StartedAt":"2023-11-14T22:13:21Z","FinishedAt":"2023-11-14T22:14:00Z"}},
            "Config":{{"Image":"localhost/tools:1","Labels":{}}},
            "HostConfig":{{"PidsLimit":1024,"Memory":67108864,"NetworkMode":"none"}},
            "NetworkSettings":{{"Ports":{{"80/tcp":[{{"HostIp":"127.0.0.1","HostPort":"8080"}}]}}}}}}"#,
        *status == "paused",
        labels(name),
    )
}

/// Somebody else's.
const FOREIGN: &str = r#"{"Id":"4e07","Name":"/foreign","State":{"Status":"running","Running":true},
    "Config":{"Image":"x","Labels":{}},"HostConfig":{}}"#;

const STATS: &str = r#"{"pids_stats":{"current":2},"cpu_stats":{"cpu_usage":{"total_usage":57434561},
    "system_cpu_usage":2649910000000,"online_cpus":2},"memory_stats":{"usage":2740224,
    "stats":{"inactive_file":323584},"limit":67108864}}"#;

const TOP: &str = r#"{"Titles":["PID","USER","COMMAND"],"Processes":[
    ["6646","root","/sbin/docker-init -- sleep infinity"],["6675","root","sleep infinity"]]}"#;

const IMAGES: &str = r#"[{"Id":"sha256:1","RepoTags":["localhost/tools:1","tools:latest"]},
    {"Id":"sha256:2","RepoTags":["<none>:<none>"]},{"Id":"sha256:3","RepoTags":null}]"#;
