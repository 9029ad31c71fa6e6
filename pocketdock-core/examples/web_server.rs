//! A web server in a sandbox: detached, published on a port of the engine's choice, waited for
//! until it answers, asked, and ended.
//!
//! Usage: `cargo run --example web_server [IMAGE]`, with an image that has `python3`.

#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pocketdock_core::{CreateOptions, Port, Process, Scope, Signal, create_new_container};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// How long the server may take to answer its first request.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    let mut options = CreateOptions::new().port(Port::new(0, 8000));
    if let Some(image) = std::env::args().nth(1) {
        options = options.image(&image);
    }
    let sandbox = create_new_container(&options)?;
    sandbox.run("mkdir -p /tmp/site && echo hello >/tmp/site/index.html")?;
    let server = sandbox
        .exec(["python3", "-m", "http.server", "8000"])
        .workdir("/tmp/site")
        .detach()?;
    server.on_stderr(|_id, line| print!("server: {}", String::from_utf8_lossy(line)));

    let port = sandbox
        .ports()?
        .first()
        .ok_or("no port was published")?
        .host_port;
    let page = wait_for_page(port, &server)?;
    println!("port {port} answers: {page}");
    assert!(page.ends_with("hello\n"));

    server.kill(Signal::TERM, Scope::Tree)?;
    println!(
        "the server ended with exit code {}",
        server.wait(Some(PATIENCE))?.exit_code
    );
    Ok(())
}

/// Asks until there is an answer, as long as the server lives.
fn wait_for_page(port: u16, server: &Process) -> Outcome<String> {
    let began = Instant::now();
    loop {
        match fetch(port) {
            Ok(page) if !page.is_empty() => return Ok(page),
            _ if PATIENCE < began.elapsed() => return Err("the server does not answer".into()),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
        if let Some(result) = server.try_wait()? {
            return Err(format!("the server has ended: {}", result.stderr_text()).into());
        }
    }
}

fn fetch(port: u16) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(Duration::from_secs(2)))?;
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    connection.read_to_string(&mut page)?;
    Ok(page)
}
