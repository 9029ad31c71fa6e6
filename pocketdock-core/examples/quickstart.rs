//! The shortest useful program: make a sandbox, run code in it, look at what came of it.
//!
//! Usage: `cargo run --example quickstart [IMAGE]`, with the image of the profile minimal-python
//! unless another one is named.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use pocketdock_core::{CreateOptions, create_new_container};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = CreateOptions::new();
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    let sandbox = create_new_container(&options)?;
    let result = sandbox.run("echo hello from $(uname -s); exit 3")?;
    assert_eq!(result.stdout, b"hello from Linux\n");
    assert_eq!(result.exit_code, 3);
    println!(
        "{}exit code {} after {:?}",
        result.stdout_text(),
        result.exit_code,
        result.duration
    );
    Ok(())
}
