//! A shell that keeps its state, a command in it that takes too long, and a runner that keeps
//! nothing and is as fast.
//!
//! Usage: `cargo run --example session [IMAGE]`.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::time::{Duration, Instant};

use pocketdock_core::{CreateOptions, create_new_container};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = CreateOptions::new();
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    let sandbox = create_new_container(&options)?;

    let session = sandbox.session()?;
    session.send_and_wait("cd /tmp; greeting=hello", None)?;
    let slow = session.send_and_wait("echo begun; sleep 60", Duration::from_millis(300))?;
    assert!(slow.timed_out());
    println!(
        "a command that took too long had said: {}",
        slow.stdout_text().trim()
    );
    let result = session.send_and_wait("echo $greeting from $PWD; (exit 3)", None)?;
    assert_eq!(result.stdout, b"hello from /tmp\n");
    println!(
        "{} (exit code {})",
        result.stdout_text().trim(),
        result.exit_code
    );
    session.close()?;

    let runner = sandbox.runner()?;
    runner.run("cd /tmp; greeting=hello")?;
    let began = Instant::now();
    let fresh = runner.run("echo \"[$greeting]\"")?;
    assert_eq!(fresh.stdout, b"[]\n");
    println!("a runner starts afresh each time, in {:?}", began.elapsed());
    Ok(())
}
