//! The least that gets the work done: requests as literal text, answers into one buffer, no checks.
//!
//! It stands for what no client can undercut, not for how to write one: an answer that is not as
//! expected ends in a panic.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

const BUFFER_LEN: usize = 64 * 1024;

/// Members of the document that creates an exec.
const OUTPUT: &str = r#""AttachStdout":true,"AttachStderr":true"#;
const INPUT_AND_OUTPUT: &str = r#""AttachStdin":true,"AttachStdout":true,"AttachStderr":true"#;

/// An engine's socket, and room for what it sends.
#[derive(Debug)]
pub struct Bare {
    socket: PathBuf,
    buffer: Vec<u8>,
}

impl Bare {
    pub fn new(socket: &Path) -> Self {
        Bare {
            socket: socket.to_owned(),
            buffer: vec![0; BUFFER_LEN],
        }
    }

    /// Creates, starts and inspects an exec: the same three requests as the library's.
    ///
    /// `command` is the inside of a JSON array. The output is read and dropped; its length,
    /// frame headers and the reply's head included, is returned.
    pub fn exec(&mut self, container: &str, command: &str) -> usize {
        let id = self.create(container, OUTPUT, command);
        let output_len = self.drain(&start_of(&id));
        self.await_end(&id);
        output_len
    }

    fn create(&mut self, container: &str, streams: &str, command: &str) -> String {
        let document = format!(r#"{{{streams},"Tty":false,"Cmd":[{command}]}}"#);
        let path = format!("/containers/{container}/exec");
        let answer = self.whole(&post(&path, &document, "Connection: close"));
        let (_, rest) = answer.split_once(r#""Id":""#).expect("an ID");
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// An engine may say that a command runs a moment after its output has ended.
    fn await_end(&mut self, id: &str) {
        let request = format!(
            "GET /v1.40/exec/{id}/json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        while !self.whole(&request).contains(r#""Running":false"#) {}
    }

    fn connect(&self, request: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// A short answer as text.
    fn whole(&mut self, request: &str) -> String {
        let mut stream = self.connect(request);
        let mut len = 0;
        loop {
            match stream.read(&mut self.buffer[len..]).unwrap() {
                0 => return String::from_utf8_lossy(&self.buffer[..len]).into_owned(),
                n => len += n,
            }
        }
    }

    fn drain(&mut self, request: &str) -> usize {
        let mut stream = self.connect(request);
        let mut len = 0;
        loop {
            match stream.read(&mut self.buffer).unwrap() {
                0 => return len,
                n => len += n,
            }
        }
    }
}

/// Something in a sandbox that answers a line with a line, over the raw connection of its exec.
#[derive(Debug)]
pub struct Echo {
    stream: UnixStream,
    question: &'static [u8],
    buffer: Vec<u8>,
}

impl Echo {
    /// A `cat`, which gives back what it is sent.
    pub fn cat(socket: &Path, container: &str) -> Self {
        Self::start(socket, container, r#""cat""#, b"x\n")
    }

    /// A shell that is told to say something.
    pub fn shell(socket: &Path, container: &str) -> Self {
        Self::start(socket, container, r#""sh""#, b"echo x\n")
    }

    fn start(socket: &Path, container: &str, command: &str, question: &'static [u8]) -> Self {
        let mut bare = Bare::new(socket);
        let id = bare.create(container, INPUT_AND_OUTPUT, command);
        let start = start_of(&id);
        let mut stream = bare.connect(&start);
        // Docker drops input that comes before it has answered.
        let mut len = 0;
        while !bare.buffer[..len].ends_with(b"\r\n\r\n") {
            len += stream.read(&mut bare.buffer[len..]).unwrap();
        }
        Echo {
            stream,
            question,
            buffer: bare.buffer,
        }
    }

    /// One line there and back.
    pub fn round_trip(&mut self) {
        const ANSWER_LEN: usize = 8 + b"x\n".len(); // after the header of its frame
        self.stream.write_all(self.question).unwrap();
        let mut len = 0;
        while len < ANSWER_LEN {
            len += self.stream.read(&mut self.buffer[len..]).unwrap();
        }
    }
}

/// The request that takes over the connection for the streams of an exec.
fn start_of(id: &str) -> String {
    post(
        &format!("/exec/{id}/start"),
        r#"{"Detach":false,"Tty":false}"#,
        "Connection: Upgrade\r\nUpgrade: tcp",
    )
}

fn post(path: &str, document: &str, connection: &str) -> String {
    format!(
        "POST /v1.40{path} HTTP/1.1\r\nHost: localhost\r\n{connection}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{document}",
        document.len()
    )
}
