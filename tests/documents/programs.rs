//! The blocks of Rust, and the settings: everything in one program, in a package of its own that
//! takes the library by path, as docs/library.md says, with an empty Cargo home and no network.
//!
//! A block is a module. Its `main` is called if it has one, else what [`CALLS`] says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::live::{live, text};
use crate::one_at_a_time;
use crate::reader::Reader;
use crate::support::documents::{Block, all_blocks, root};

/// The manifest, but for its `[dependencies]`.
const MANIFEST: &str = "\
[package]
name = \"guides\"
version = \"0.0.0\"
edition = \"2024\"
publish = false

[workspace]

";

/// How the first function of a block is called: with `engine`, and `sandbox`, a new one on it.
#[rustfmt::skip] // one row per line
const CALLS: &[(&str, &str)] = &[
    ("web_sandbox",      "web_sandbox(&engine, std::path::Path::new(\"site\"))?.run(\"ls /site/index.html\")"),
    ("commands",         "commands(&sandbox)"),
    ("build",            "build(&sandbox)"),
    ("server",           "server(&sandbox)"),
    ("explore",          "explore(&sandbox)"),
    ("squares_of",       "squares_of(&sandbox, &[3]).map(|it| assert_eq!(it, [9]))"),
    ("box_of_mine",      "box_of_mine()"),
    ("look_after",       "look_after(&engine)"),
    ("mine_or_new",      "{ report(&sandbox); mine_or_new(&engine, \"box\")?.shutdown(true) }"),
    ("squares",          "squares(&engine).map(|it| assert_eq!(it[7], \"49\"))"),
    ("grade",            "grade(&[\"print(1)\", \"nonsense\"]).map(|it| assert_eq!(it, [true, false]))"),
    ("hello",            "crate::block_on(hello())"),
    ("colours",          "colours(&sandbox).map(|code| assert_eq!(code, 0))"),
    ("default_image",    "default_image(&engine)"),
    ("images_of_my_own", "images_of_my_own(&engine)"),
    ("carry",            "carry(&engine, &engine)"),
    ("disk_use",         "disk_use()"),
];

/// The blocks that look after a sandbox that is there.
const WITH_BOX: &str = "look_after";

/// The program's own part; `MODULES` and `ARMS` are filled in.
const MAIN: &str = "\
#![allow(unused_variables)]
MODULES
fn main() -> Result<(), pocketdock_core::Error> {
    match std::env::args().nth(1).as_deref() {
ARMS        other => panic!(\"{other:?}\"),
    }
}

struct Unparker(std::thread::Thread);

impl std::task::Wake for Unparker {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = std::sync::Arc::new(Unparker(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
";

#[test]
fn the_code_of_the_guides_runs() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let blocks = rust_blocks();
    let called = |name: &str| blocks.iter().any(|block| first_function(block) == name);
    let stale = CALLS.iter().find(|(name, _)| !called(name));
    assert_eq!(stale, None, "no block begins with this function");
    let program = build(&blocks);
    let reader = Reader::new(&live);
    let mut faults = Vec::new();
    for block in &blocks {
        if first_function(block) == WITH_BOX {
            reader.prepares("pocketdock create --name box; pocketdock run box true");
        }
        let mut command = reader.command(program.to_str().unwrap());
        let output = command.arg(name(block)).output().unwrap();
        if !output.status.success() {
            let (place, code) = (block.place(), output.status);
            faults.push(format!("{place}: {code}\n{}", text(&output.stderr)));
        }
        reader.removes_all();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Every block but those that stand in a test.
fn rust_blocks() -> Vec<Block> {
    let blocks = all_blocks().into_iter();
    let rust = blocks.filter(|block| block.language == "rust");
    rust.filter(|block| block.document != "docs/testing.md")
        .collect()
}

fn first_function(block: &Block) -> &str {
    let rest = block.text.split_once("fn ").map_or("", |(_, rest)| rest);
    rest.split(['(', '<']).next().unwrap()
}

/// The block's name as a module.
fn name(block: &Block) -> String {
    let document = block.document.to_lowercase().replace(['/', '.'], "_");
    format!("{document}_{}", block.line)
}

/// The code as a module; a line that documentation hides begins with `# `.
fn module(block: &Block) -> String {
    let shown = |line: &str| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n";
    let code: String = block.text.lines().map(shown).collect();
    let function = first_function(block);
    let call = match CALLS.iter().find(|(name, _)| *name == function) {
        Some((_, call)) => format!(
            "let engine = pocketdock_core::Engine::detect()?;
             let sandbox = engine.create(&pocketdock_core::CreateOptions::new())?;
             {call}.map(drop)"
        ),
        None if function == "main" => "main()".to_owned(),
        None => panic!("{}: how is '{function}' called?", block.place()),
    };
    format!("{code}\npub fn call() -> pocketdock_core::Result<()> {{ {call} }}\n")
}

/// Compiles them; gives the program.
fn build(blocks: &[Block]) -> PathBuf {
    // Where the manifest of the guide finds the library beside it.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guides");
    let package = dir.join("package");
    let _none = fs::remove_dir_all(package.join("src"));
    fs::create_dir_all(package.join("src")).unwrap();
    let _there = std::os::unix::fs::symlink(root(), dir.join("pocketdock"));
    let (mut modules, mut arms) = (String::new(), String::new());
    for block in blocks {
        let name = name(block);
        fs::write(package.join(format!("src/{name}.rs")), module(block)).unwrap();
        modules.push_str(&format!("mod {name};\n"));
        arms.push_str(&format!("        Some(\"{name}\") => {name}::call(),\n"));
    }
    let main = MAIN.replace("MODULES\n", &modules).replace("ARMS", &arms);
    fs::write(package.join("src/main.rs"), main).unwrap();
    let all = all_blocks();
    let mut manifests = all.iter().filter(|block| block.language == "toml");
    let dependencies = &manifests.next().unwrap().text;
    let manifest = format!("{MANIFEST}{dependencies}");
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    compile(&dir, &package)
}

fn compile(dir: &Path, package: &Path) -> PathBuf {
    let target = dir.join("target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet"])
        .current_dir(package)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_HOME", dir.join("no-home"))
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    target.join("debug/guides")
}

/// The blocks of YAML, as the settings of a project.
#[test]
fn settings_are_read() {
    let Some(live) = live() else { return };
    let _alone = one_at_a_time();
    let blocks = all_blocks();
    for block in blocks.iter().filter(|block| block.language == "yaml") {
        let reader = Reader::new(&live);
        reader.prepares("pocketdock init");
        let file = reader.work().join(".pocketdock/pocketdock.yaml");
        fs::write(file, &block.text).unwrap();
        let output = reader.types("-e", "pocketdock list --quiet --json");
        let said = text(&output.stdout);
        let place = block.place();
        assert!(output.status.success(), "{place}: {said}");
        assert!(!said.contains("warning"), "{place}: {said}");
    }
}
