//! A fake engine that keeps sandboxes: it makes, starts, inspects, kills and removes them, and
//! can be told to refuse, to wait, or to let one die.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use pocketdock_core::Engine;

use crate::support::fake_engine::{FakeEngine, Gate, Reply};
use crate::support::request::Request;

/// The engine and what it keeps.
pub(crate) struct Sandboxes {
    fake: FakeEngine,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
pub(crate) struct Kept {
    /// The state of each, by ID.
    pub(crate) states: BTreeMap<String, &'static str>,
    /// How many were ever made.
    pub(crate) made: usize,
    /// The most there were at a time.
    pub(crate) most: usize,
    /// Status and message with which to refuse to make one.
    pub(crate) refusal: Option<(u16, &'static str)>,
    /// Where making one waits.
    pub(crate) gate: Option<Gate>,
}

impl Sandboxes {
    pub(crate) fn new() -> Self {
        let kept = Arc::new(Mutex::new(Kept::default()));
        let fake = FakeEngine::route({
            let kept = Arc::clone(&kept);
            move |request| reply(&mut kept.lock().unwrap(), request)
        });
        Sandboxes { fake, kept }
    }

    /// A connection of its own to it.
    pub(crate) fn engine(&self) -> Engine {
        Engine::at(self.fake.socket()).unwrap()
    }

    pub(crate) fn fake(&self) -> &FakeEngine {
        &self.fake
    }

    /// What it keeps, to look at or to change.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.kept().states.len()
    }

    /// Lets a sandbox stop by itself, or be paused, or vanish.
    pub(crate) fn set_state(&self, id: &str, state: Option<&'static str>) {
        match state {
            Some(state) => self.kept().states.insert(id.to_owned(), state),
            None => self.kept().states.remove(id),
        };
    }
}

fn reply(kept: &mut Kept, request: &Request) -> Reply {
    let parts: Vec<_> = request.path.split('/').skip(1).collect();
    match (request.method.as_str(), parts.as_slice()) {
        (_, ["_ping"]) => Reply::ping("1.41", None),
        ("POST", ["containers", "create"]) => create(kept),
        ("POST", ["containers", id, verb]) => change(kept, id, verb),
        ("DELETE", ["containers", id]) => change(kept, id, "remove"),
        ("GET", ["containers", id, "json"]) => inspect(kept, id),
        _ => Reply::json(501, r#"{"message":"not in this fake"}"#),
    }
}

fn create(kept: &mut Kept) -> Reply {
    if let Some((status, message)) = kept.refusal {
        return Reply::json(status, &format!(r#"{{"message":"{message}"}}"#));
    }
    let id = format!("{:064x}", kept.made);
    kept.made += 1;
    kept.states.insert(id.clone(), "created");
    kept.most = kept.most.max(kept.states.len());
    let made = Reply::json(201, &format!(r#"{{"Id":"{id}","Warnings":[]}}"#));
    match &kept.gate {
        Some(gate) => made.behind(gate),
        None => made,
    }
}

fn change(kept: &mut Kept, id: &str, verb: &str) -> Reply {
    if !kept.states.contains_key(id) {
        return no_such_container();
    }
    match verb {
        "remove" => kept.states.remove(id),
        "start" => kept.states.insert(id.to_owned(), "running"),
        _ => kept.states.insert(id.to_owned(), "exited"),
    };
    Reply::empty(204)
}

fn inspect(kept: &Kept, id: &str) -> Reply {
    let Some(state) = kept.states.get(id) else {
        return no_such_container();
    };
    let running = matches!(*state, "running" | "paused");
    let body = format!(
        r#"{{"Id":"{id}","Name":"/{id}","State":{{"Status":"{state}","Running":{running}}},
            "Config":{{"Labels":{{"pocketdock.managed":"true"}}}},
            "HostConfig":{{"PidsLimit":1024}}}}"#
    );
    Reply::json(200, &body)
}

fn no_such_container() -> Reply {
    Reply::json(404, r#"{"message":"No such container: it"}"#)
}
