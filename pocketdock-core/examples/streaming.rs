//! A build log as it is written: output arrives while the command runs, its two streams apart.
//!
//! Usage: `cargo run --example streaming [IMAGE]`, with the image of the profile minimal-python
//! unless another one is named.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::time::{Duration, Instant};

use pocketdock_core::{CreateOptions, Result, StreamKind, create_new_container};

/// A build with four steps, the last of which fails.
const BUILD: &str = "
for step in 1 2 3; do
    echo \"[$step/4] compiling\"
    sleep 0.2
done
echo 'error: step 4 does not compile' >&2
exit 2
";

fn main() -> Result<()> {
    let mut options = CreateOptions::new();
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    let sandbox = create_new_container(&options)?;

    let began = Instant::now();
    let mut stream = sandbox
        .exec(BUILD)
        .timeout(Duration::from_secs(10))
        .stream()?;
    let mut arrivals = Vec::new();
    let mut complaints = String::new();
    for chunk in &mut stream {
        let chunk = chunk?;
        arrivals.push(began.elapsed());
        for line in chunk.text().lines() {
            println!("{:5} ms  {line}", began.elapsed().as_millis());
        }
        if chunk.stream == StreamKind::Stderr {
            complaints.push_str(&chunk.text());
        }
    }
    let result = stream.result()?;
    println!("exit code {} after {:?}", result.exit_code, result.duration);

    let (first, last) = (arrivals.first(), arrivals.last());
    assert!(
        first
            .zip(last)
            .is_some_and(|(first, last)| *last - *first >= Duration::from_millis(500))
    );
    assert_eq!(complaints, "error: step 4 does not compile\n");
    assert_eq!(result.exit_code, 2);
    Ok(())
}
