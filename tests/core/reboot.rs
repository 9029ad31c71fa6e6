//! Rebooting afresh, with every exchange of it going wrong in turn: the old container is as it was,
//! or the new one has its place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pocketdock_core::Error;

use crate::model::engine_of;
use crate::support::fake_engine::{FakeEngine, Reply};
use crate::support::request::Request;

/// The ID of the container that there is at first.
const OLD: &str = "0000000000000000000000000000000000000000000000000000000000000001";

/// How one exchange goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The engine refuses and does nothing.
    Refused,
    /// It goes away before it has done anything.
    Unheard,
    /// It does what it was asked for, and goes away before it has said so.
    Unsaid,
}

const FAULTS: [Fault; 3] = [Fault::Refused, Fault::Unheard, Fault::Unsaid];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    name: String,
    state: &'static str,
}

/// An engine with containers that have names.
struct Shelf {
    kept: BTreeMap<String, Kept>,
    made: usize,
    /// Whether the old one holds a port that only one can have.
    has_port: bool,
    removes_itself: bool,
    /// Exchanges since the reboot began; `None` before.
    count: Option<usize>,
    fault: Option<(usize, Fault)>,
}

impl Shelf {
    fn new(state: &'static str) -> Self {
        let old = Kept {
            name: "box".to_owned(),
            state,
        };
        Shelf {
            kept: [(OLD.to_owned(), old)].into(),
            made: 1,
            has_port: false,
            removes_itself: false,
            count: None,
            fault: None,
        }
    }

    fn answer(&mut self, request: &Request) -> Reply {
        if request.path == "/_ping" {
            return Reply::ping("1.41", None);
        }
        let fault = match (&mut self.count, self.fault) {
            (Some(count), fault) => {
                *count += 1;
                fault.filter(|(at, _)| *at + 1 == *count).map(|(_, f)| f)
            }
            _ => None,
        };
        match fault {
            None => self.act(request),
            Some(Fault::Refused) => refusal(500, "no"),
            Some(Fault::Unheard) => Reply::raw(""),
            Some(Fault::Unsaid) => {
                self.act(request);
                Reply::raw("")
            }
        }
    }

    fn act(&mut self, request: &Request) -> Reply {
        let parts: Vec<_> = request.path.split('/').skip(1).collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["containers", "create"]) => self.create(request.param("name").unwrap()),
            ("GET", ["images", ..]) => Reply::json(200, r#"{"Id":"sha256:abc"}"#),
            ("GET", ["containers", who, "json"]) => match self.find(who) {
                Some(id) => Reply::json(200, &self.inspected(&id)),
                None => no_such(),
            },
            (_, ["containers", who, rest @ ..]) => match self.find(who) {
                Some(id) => self.change(&id, rest.first().unwrap_or(&"remove"), request),
                None => no_such(),
            },
            _ => refusal(501, "not in this fake"),
        }
    }

    fn find(&self, who: &str) -> Option<String> {
        let mut all = self.kept.iter();
        all.find(|(id, kept)| *id == who || kept.name == who)
            .map(|(id, _)| id.clone())
    }

    fn create(&mut self, name: &str) -> Reply {
        if self.find(name).is_some() {
            return refusal(409, "The container name is already in use by container");
        }
        self.made += 1;
        let id = format!("{:064x}", self.made);
        let kept = Kept {
            name: name.to_owned(),
            state: "created",
        };
        self.kept.insert(id.clone(), kept);
        Reply::json(201, &format!(r#"{{"Id":"{id}","Warnings":["odd"]}}"#))
    }

    fn change(&mut self, id: &str, verb: &str, request: &Request) -> Reply {
        let busy = self.has_port
            && self
                .kept
                .iter()
                .any(|(o, k)| o != id && k.state == "running");
        let name = request.param("name").unwrap_or_default();
        if verb == "rename" && self.find(name).is_some() {
            return refusal(409, "name is already in use");
        }
        if verb == "start" && busy {
            return refusal(500, "driver failed: port is already allocated");
        }
        let kept = self.kept.get_mut(id).unwrap();
        match verb {
            "start" | "unpause" | "restart" => kept.state = "running",
            "pause" => kept.state = "paused",
            "stop" | "kill" if self.removes_itself => drop(self.kept.remove(id)),
            "stop" | "kill" => kept.state = "exited",
            "rename" => kept.name = name.to_owned(),
            "remove" => drop(self.kept.remove(id)),
            _ => return refusal(501, "not in this fake"),
        }
        Reply::empty(204)
    }

    fn inspected(&self, id: &str) -> String {
        let Kept { name, state } = &self.kept[id];
        let running = matches!(*state, "running" | "paused");
        let ports = if self.has_port {
            r#"{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]}"#
        } else {
            "{}"
        };
        format!(
            r#"{{"Id":"{id}","Name":"/{name}","Image":"sha256:abc",
                "State":{{"Status":"{state}","Running":{running}}},
                "Config":{{"Image":"x","Labels":{{"pocketdock.managed":"true"}},"Cmd":[]}},
                "HostConfig":{{"AutoRemove":{},"PortBindings":{ports},"PidsLimit":1024}}}}"#,
            self.removes_itself
        )
    }
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::json(status, &format!(r#"{{"message":"{message}"}}"#))
}

fn no_such() -> Reply {
    refusal(404, "No such container: it")
}

/// What came of rebooting the container afresh.
struct Outcome {
    result: Result<(), Error>,
    kept: BTreeMap<String, Kept>,
    /// Where the handle leads.
    id: String,
    exchanges: usize,
    warnings: Vec<String>,
}

fn reboot(shelf: Shelf) -> Outcome {
    let shelf = Arc::new(Mutex::new(shelf));
    let fake = FakeEngine::route({
        let shelf = Arc::clone(&shelf);
        move |request| shelf.lock().unwrap().answer(request)
    });
    let sandbox = engine_of(&fake).open("box").unwrap();
    let clone = sandbox.clone();
    shelf.lock().unwrap().count = Some(0);
    let result = sandbox.reboot(true);
    let shelf = shelf.lock().unwrap();
    Outcome {
        result,
        kept: shelf.kept.clone(),
        id: clone.container_id().to_owned(),
        exchanges: shelf.count.unwrap(),
        warnings: clone.warnings().to_vec(),
    }
}

impl Outcome {
    /// One container of this name and state, the one that the handle leads to.
    fn check(&self, at: &str, state: &str, is_old: bool) {
        let all: Vec<_> = self.kept.iter().collect();
        let [(id, kept)] = all.as_slice() else {
            panic!("{at}: {all:?} after {:?}", self.result);
        };
        assert_eq!((kept.name.as_str(), kept.state), ("box", state), "{at}");
        assert_eq!(*id == OLD, is_old, "{at}: {:?}", self.result);
        assert_eq!(**id, self.id, "{at}: the handle");
    }
}

fn shelf(state: &'static str, has_port: bool) -> Shelf {
    Shelf {
        has_port,
        ..Shelf::new(state)
    }
}

#[test]
fn a_fresh_container_takes_the_name_and_the_handles() {
    for (state, has_port) in [
        ("running", false),
        ("running", true),
        ("exited", true),
        ("paused", true),
    ] {
        let outcome = reboot(shelf(state, has_port));
        outcome.result.as_ref().unwrap();
        outcome.check(state, "running", false);
        assert_eq!(outcome.warnings, ["odd"]);
    }
}

#[test]
fn whatever_goes_wrong_there_is_one_container_and_it_is_as_it_was() {
    for (state, has_port) in [
        ("running", false),
        ("running", true),
        ("exited", true),
        ("paused", true),
    ] {
        let exchanges = reboot(shelf(state, has_port)).exchanges;
        assert!(6 < exchanges, "{exchanges}");
        for (at, fault) in (0..exchanges).flat_map(|at| FAULTS.map(|fault| (at, fault))) {
            let outcome = reboot(Shelf {
                fault: Some((at, fault)),
                ..shelf(state, has_port)
            });
            let at = format!("{state}, port {has_port}: {fault:?} at {at} of {exchanges}");
            match &outcome.result {
                Ok(()) => outcome.check(&at, "running", false),
                Err(Error::NotRestored { .. }) => panic!("{at}: {:?}", outcome.result),
                Err(_) => outcome.check(&at, state, true),
            }
        }
    }
}

#[test]
fn what_cannot_be_put_back_is_said() {
    // The engine is gone for good from the start of the new one on.
    let dead = Arc::new(Mutex::new(Shelf::new("running")));
    let fake = FakeEngine::route({
        let shelf = Arc::clone(&dead);
        move |request| {
            let mut shelf = shelf.lock().unwrap();
            if request.path.ends_with("/start") {
                shelf.removes_itself = true; // Stands for: it has been seen.
            }
            match shelf.removes_itself {
                true => Reply::raw(""),
                false => shelf.answer(request),
            }
        }
    });
    let error = engine_of(&fake)
        .open("box")
        .unwrap()
        .reboot(true)
        .unwrap_err();
    assert!(matches!(&error, Error::NotRestored { container, .. } if container == "box"));
    let text = error.to_string();
    assert!(text.starts_with("'box' was not rebooted ("), "{text}");
}

#[test]
fn one_that_removes_itself_is_replaced_while_it_runs_or_not_at_all() {
    let own = |has_port| Shelf {
        removes_itself: true,
        ..shelf("running", has_port)
    };
    let outcome = reboot(own(false));
    outcome.result.as_ref().unwrap();
    outcome.check("no port", "running", false);
    let outcome = reboot(own(true));
    assert!(matches!(outcome.result, Err(Error::InvalidArgument { .. })));
    outcome.check("port", "running", true);
    assert_eq!(outcome.exchanges, 1);
}
