//! `create`, `list`, `info`, `stop`, `resume`, `shutdown`, `profiles`.

use crate::live::{code, live, text, unique_name};

#[test]
fn a_sandbox_lives_through_its_verbs() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["-l", "team=blue", "--project", "pdcli"]);
    let name = sandbox.name.as_str();
    let status = || {
        live.json(&["info", name])
            .0
            .str_at(&["status"])
            .unwrap()
            .to_owned()
    };
    assert_eq!(status(), "running");
    assert_eq!(text(&live.run(&["stop", name]).stdout), format!("{name}\n"));
    assert_eq!(status(), "exited");
    assert_eq!(
        code(&live.run(&["stop", name])),
        0,
        "a stopped one is left alone"
    );
    assert_eq!(code(&live.run(&["resume", name])), 0);
    assert_eq!(status(), "running");
    let refused = live.run(&["shutdown", name]);
    assert_eq!(code(&refused), 2, "no terminal and no --yes");
    assert!(live.has(name));
    assert_eq!(code(&live.run(&["shutdown", "--yes", name])), 0);
    assert!(!live.has(name));
}

#[test]
fn list_shows_what_there_is() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["--project", "pdcli-list"]);
    let (list, _) = live.json(&["list", "--project", "pdcli-list"]);
    let items = list.as_array().unwrap();
    assert_eq!(items.len(), 1);
    let keys: Vec<&str> = items[0]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key)
        .collect();
    let wanted = [
        "id",
        "name",
        "status",
        "image",
        "created_at",
        "persist",
        "project",
        "profile",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(items[0].str_at(&["name"]), Some(sandbox.name.as_str()));
    let quiet = live.run(&["list", "-q", "--project", "pdcli-list"]);
    assert_eq!(text(&quiet.stdout), format!("{}\n", sandbox.name));
    let table = live.run(&["list", "--project", "pdcli-list"]);
    assert!(text(&table.stdout).starts_with("NAME "), "{table:?}");
    live.run(&["stop", &sandbox.name]);
    let (running, _) = live.json(&["list", "--running", "--project", "pdcli-list"]);
    assert!(running.as_array().unwrap().is_empty());
}

#[test]
fn info_has_every_field() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox_with(&["--mem-limit", "64m"]);
    let (info, _) = live.json(&["info", &sandbox.name]);
    let keys: Vec<&str> = info
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key)
        .collect();
    let wanted = [
        "id",
        "name",
        "status",
        "image",
        "created_at",
        "started_at",
        "uptime_s",
        "memory_usage_bytes",
        "memory_limit_bytes",
        "memory_percent",
        "cpu_percent",
        "pids",
        "network",
        "ip_address",
        "ports",
        "processes",
        "persist",
        "project",
        "profile",
    ];
    assert_eq!(keys, wanted);
    if live.has_control_groups() {
        assert_eq!(info.u64_at(&["memory_limit_bytes"]), Some(64 << 20));
        let shown = live.run(&["info", &sandbox.name]);
        assert!(text(&shown.stdout).contains("64 MiB"), "{shown:?}");
    }
    live.run(&["stop", &sandbox.name]);
    assert_eq!(code(&live.run(&["info", &sandbox.name])), 0);
}

#[test]
fn a_paused_sandbox_is_shown_and_resumed_and_not_run_in() {
    let Some(live) = live() else { return };
    if !live.has_control_groups() {
        return;
    }
    let sandbox = live.sandbox();
    live.post(&format!("/containers/{}/pause", sandbox.name));
    let status = || {
        let (info, _) = live.json(&["info", &sandbox.name]);
        info.str_at(&["status"]).map(str::to_owned)
    };
    assert_eq!(status().as_deref(), Some("paused"));
    assert_eq!(code(&sandbox.run(&["true"])), 125);
    assert_eq!(code(&live.run(&["resume", &sandbox.name])), 0);
    assert_eq!(status().as_deref(), Some("running"));
    assert_eq!(code(&sandbox.run(&["true"])), 0);
}

#[test]
fn of_several_names_the_good_ones_are_done() {
    let Some(live) = live() else { return };
    let (a, b) = (live.sandbox(), live.sandbox());
    let output = live.run(&["stop", &a.name, "no-such-sandbox", &b.name]);
    assert_eq!(code(&output), 1);
    assert_eq!(text(&output.stdout), format!("{}\n{}\n", a.name, b.name));
    assert!(text(&output.stderr).contains("no container named 'no-such-sandbox'"));
    let (result, code) = live.json(&["resume", &a.name, "no-such-sandbox"]);
    assert_eq!(code, 1);
    assert_eq!(
        result.str_at(&["error", "code"]),
        Some("container_not_found")
    );
    assert_eq!(
        result.at(&["resumed"]).unwrap().as_array().unwrap().len(),
        1
    );
}

#[test]
fn failures_have_codes() {
    let Some(live) = live() else { return };
    let sandbox = live.sandbox();
    let create = ["create", "--image", &live.image, "--name", &sandbox.name];
    let fails = |words: &[&str], wanted: &str| {
        let (value, code) = live.json(words);
        assert_eq!(value.str_at(&["error", "code"]), Some(wanted), "{words:?}");
        assert_ne!(code, 0);
    };
    fails(&create, "name_in_use");
    fails(&["info", "no-such-sandbox"], "container_not_found");
    fails(&["create", "--image", "no/such/image"], "image_not_found");
    fails(&["run", "no-such-sandbox", "true"], "container_not_found");
    live.run(&["stop", &sandbox.name]);
    fails(&["run", &sandbox.name, "true"], "container_not_running");
}

#[test]
fn create_tells_what_it_made() {
    let Some(live) = live() else { return };
    let name = unique_name();
    let (made, code) = live.json(&[
        "create",
        "--image",
        &live.image,
        "--name",
        &name,
        "--project",
        "pdcli",
    ]);
    let removed = live.run(&["shutdown", "-y", &name]);
    assert_eq!(code, 0);
    assert_eq!(text(&removed.stdout), format!("{name}\n"));
    let keys: Vec<&str> = made
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key)
        .collect();
    let wanted = [
        "id", "name", "image", "persist", "project", "profile", "warnings",
    ];
    assert_eq!(keys, wanted);
    assert_eq!(made.str_at(&["project"]), Some("pdcli"));
}

#[test]
fn what_create_refuses_leaves_nothing() {
    let Some(live) = live() else { return };
    let name = unique_name();
    let output = live.run(&["create", "--image", "no/such/image", "--name", &name]);
    assert_eq!(code(&output), 1);
    assert!(!live.has(&name));
}

#[test]
fn profiles_are_listed_with_what_is_built() {
    let Some(live) = live() else { return };
    let (profiles, code) = live.json(&["profiles"]);
    assert_eq!(code, 0);
    let first = &profiles.as_array().unwrap()[0];
    let keys: Vec<&str> = first
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, _)| key)
        .collect();
    let wanted = [
        "name",
        "image_tag",
        "network_default",
        "description",
        "size_estimate",
        "built",
    ];
    assert_eq!(keys, wanted);
    assert!(first.bool_at(&["built"]).is_some());
}

#[test]
fn verbose_shows_each_request() {
    let Some(live) = live() else { return };
    let output = live.run(&["list", "--verbose"]);
    assert!(
        text(&output.stderr)
            .lines()
            .any(|line| line.starts_with("GET ") && line.ends_with(" ms"))
    );
    assert!(!live.engine.is_empty());
}
