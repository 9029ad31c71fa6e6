//! `doctor` where nothing is well: no engine, settings that cannot be read.

use std::fs;

use pocketdock_core::wire::json;

use crate::program::{code, pocketdock, text};
use crate::support::scratch::Scratch;

#[test]
fn doctor_works_without_an_engine_and_with_broken_settings() {
    let dir = Scratch::new();
    dir.write(".pocketdock/pocketdock.yaml", b"a: [");
    fs::create_dir_all(dir.join(".pocketdock/instances/box")).unwrap();
    fs::write(dir.join(".pocketdock/instances/box/instance.json"), "{").unwrap();
    for fix in [false, true] {
        let mut command = pocketdock();
        command.args(["--json", "--socket", "/not/there.sock", "doctor"]);
        if fix {
            command.arg("--fix");
        }
        let output = command.current_dir(dir.path()).output().unwrap();
        assert_eq!(code(&output), 1);
        let report = json::parse(output.stdout.trim_ascii_end()).unwrap();
        assert!(report.get("engine").unwrap().is_null());
        assert_eq!(report.bool_at(&["healthy"]), Some(false));
        let problems = report.array_at(&["problems"]).unwrap().iter();
        let codes: Vec<_> = problems.map(|it| it.str_at(&["code"]).unwrap()).collect();
        assert_eq!(
            codes,
            ["config", "socket_connection", "damaged_instance"],
            "{}",
            text(&output.stdout)
        );
    }
    assert!(
        dir.join(".pocketdock/instances/box/instance.json")
            .is_file()
    );
}
