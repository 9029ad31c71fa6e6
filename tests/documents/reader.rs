//! Somebody who follows a guide: a home, a directory to work in, a shell, and the engine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::live::Live;
use crate::support::scratch::Scratch;

/// How long what a guide shows in one block may take, in seconds.
const PATIENCE_S: &str = "300";

/// The system's own programs.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What guides take for granted in the directory: the name, the mode and what is in it.
const FILES: [(&str, u32, &str); 9] = [
    ("script.py", 0o644, "print(6 * 7)\n"),
    ("data.csv", 0o644, "a,b\n1,2\n"),
    ("settings.env", 0o644, "COLOUR=blue\n"),
    ("input.log", 0o644, "b\na\n"),
    ("api/README", 0o644, "A project.\n"),
    ("site/index.html", 0o644, "hello\n"),
    (
        "site/Dockerfile",
        0o644,
        "FROM pocketdock/minimal-python:latest\nARG PORT\nCOPY index.html /home/sandbox/\n",
    ),
    (
        "src/build",
        0o755,
        "#!/bin/sh\nmkdir -p target; echo built; : >target/program\n",
    ),
    // Leads to the same machine, so that what is piped through it can be seen to arrive.
    ("../bin/ssh", 0o755, "#!/bin/sh\nshift\nexec \"$@\"\n"),
];

/// Images that guides make.
const IMAGES: [&str; 4] = ["tools:1", "web:ready", "site:1", "mine:1"];

/// Removes, on drop, what was made.
pub(crate) struct Reader<'l> {
    live: &'l Live,
    dir: Scratch,
}

impl<'l> Reader<'l> {
    /// With the files of [`FILES`].
    pub(crate) fn new(live: &'l Live) -> Self {
        let dir = Scratch::new();
        for name in ["home", "work", "bin"] {
            fs::create_dir(dir.join(name)).unwrap();
        }
        for (name, mode, text) in FILES {
            let path = dir.write(&format!("work/{name}"), text.as_bytes());
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        Self { live, dir }
    }

    /// Where the reader works.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// A program with the reader's environment and nothing of the developer's.
    pub(crate) fn command(&self, program: &str) -> Command {
        let own = Path::new(env!("CARGO_BIN_EXE_pocketdock"));
        let own = own.parent().unwrap().display();
        let bin = self.dir.join("bin");
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", format!("{}:{own}:{SYSTEM_PATH}", bin.display()))
            .env("HOME", self.dir.join("home"))
            .env("LANG", "C.UTF-8")
            .env("POCKETDOCK_SOCKET", &self.live.socket)
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    /// Runs a script to its end; both streams are in `stdout`, in the order of writing.
    pub(crate) fn types(&self, options: &str, script: &str) -> Output {
        let script = format!("exec 2>&1\n{script}");
        let mut command = self.command("timeout");
        command.args([PATIENCE_S, "bash", options, "-o", "pipefail", "-c", &script]);
        command.output().expect("start a shell")
    }

    /// Types what has to go well.
    pub(crate) fn prepares(&self, script: &str) {
        let output = self.types("-e", script);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{script}\n{said}");
    }

    /// Removes the sandboxes that were kept.
    pub(crate) fn removes_all(&self) {
        for name in self.kept() {
            let words = ["shutdown", "--yes", "--force", &name];
            let _gone = self.command("pocketdock").args(words).output();
        }
    }

    /// The sandboxes that were kept and are there still.
    fn kept(&self) -> Vec<String> {
        let places = [
            "home/.local/state/pocketdock/instances",
            "work/.pocketdock/instances",
        ];
        let entries = places
            .iter()
            .filter_map(|place| fs::read_dir(self.dir.join(place)).ok());
        let names = entries.flatten().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.removes_all();
        for image in IMAGES {
            self.live.delete(&format!("/images/{image}"));
            self.live.delete(&format!("/images/localhost/{image}"));
        }
    }
}
