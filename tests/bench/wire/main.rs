//! The codecs on memory, with no engine: bytes per second of the demuxer, the dechunker, JSON, tar
//! and SHA-256.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench: a failure is a panic"
)]

#[path = "../harness/mod.rs"]
mod harness;

use std::fs;
use std::hint::black_box;
use std::io::{Cursor, Read};
use std::path::Path;

use harness::table::{self, Bound};
use harness::turns::best_seconds;
use pocketdock_core::engine::client::REPLY_LEN_MAX;
use pocketdock_core::engine::exchange;
use pocketdock_core::wire::chunked::{self, Dechunker};
use pocketdock_core::wire::frame::Demuxer;
use pocketdock_core::wire::http::Method;
use pocketdock_core::wire::json;
use pocketdock_core::wire::sha256::Sha256;
use pocketdock_core::wire::tar::{Header, Reader, Writer};
use pocketdock_core::wire::value::Value;

/// How much is decoded in one round; more than any cache holds.
const LEN: usize = 64 * 1024 * 1024;

/// What one read brings at most.
const READ_LEN: usize = 64 * 1024;

/// How much JSON is parsed in one round, the same document again if it is shorter.
const MIN_PARSED_LEN: usize = 4 * 1024 * 1024;

const ROUNDS: usize = 25;

fn main() {
    for payload_len in [64, 1024, 32 * 1024] {
        demuxer(payload_len);
    }
    for chunk_len in [512, 32 * 1024] {
        dechunker(chunk_len);
    }
    let budget = Bound::AtLeast(0.2);
    parser("a list of containers", &list_of_containers(), budget);
    parser(
        "an inspected container",
        &recorded("docker-inspect"),
        budget,
    );
    // Next to no text: a lower limit, far from anything an engine sends.
    parser("numbers and four-letter words", &numbers(), Bound::Unbound);
    tar_writer(1024 * 1024);
    tar_writer(64 * 1024 * 1024);
    tar_reader(1024 * 1024);
    tar_reader(64 * 1024 * 1024);
    // Nearly all headers: what a tree of small files costs, far above what any disk gives.
    tar_headers();
    sha256();
}

/// Tells how fast `len` bytes went through `decode`.
fn tell(work: &str, len: usize, bound: Bound, decode: impl FnMut()) {
    let rate = len as f64 / best_seconds(ROUNDS, decode) / 1e9;
    table::value(work, "memory", rate, "GB/s", bound);
}

/// Where decoded bytes go: a decoder that lends out slices costs nothing until they are used.
#[derive(Debug)]
struct Sink(Vec<u8>);

impl Sink {
    fn new() -> Self {
        Sink(vec![0; READ_LEN])
    }

    fn take(&mut self, piece: &[u8]) {
        let room = self.0.get_mut(..piece.len()).unwrap();
        room.copy_from_slice(piece);
        black_box(room);
    }
}

fn demuxer(payload_len: usize) {
    let mut stream = Vec::with_capacity(LEN + LEN / 64);
    for n in 0..LEN / payload_len {
        let kind = u8::try_from(1 + n % 2).unwrap();
        stream.extend_from_slice(&[kind, 0, 0, 0]);
        stream.extend_from_slice(&u32::try_from(payload_len).unwrap().to_be_bytes());
        stream.resize(stream.len() + payload_len, b'x');
    }
    let work = format!("demuxer, frames of {payload_len} bytes");
    let mut sink = Sink::new();
    tell(&work, stream.len(), Bound::AtLeast(2.0), || {
        let mut demuxer = Demuxer::default();
        for mut read in stream.chunks(READ_LEN) {
            while let Some((_, piece)) = demuxer.next(&mut read).unwrap() {
                sink.take(piece);
            }
        }
        assert!(demuxer.at_boundary());
    });
}

fn dechunker(chunk_len: usize) {
    let mut stream = Vec::with_capacity(LEN + LEN / 64);
    for _ in 0..LEN / chunk_len {
        stream.extend_from_slice(format!("{chunk_len:x}\r\n").as_bytes());
        stream.resize(stream.len() + chunk_len, b'x');
        stream.extend_from_slice(b"\r\n");
    }
    stream.extend_from_slice(chunked::LAST_CHUNK);
    let work = format!("dechunker, chunks of {chunk_len} bytes");
    let mut sink = Sink::new();
    tell(&work, stream.len(), Bound::AtLeast(2.0), || {
        let mut dechunker = Dechunker::new();
        for mut read in stream.chunks(READ_LEN) {
            while let Some(piece) = dechunker.next(&mut read).unwrap() {
                sink.take(piece);
            }
        }
        assert!(dechunker.is_done());
    });
}

fn parser(what: &str, text: &str, bound: Bound) {
    let work = format!("JSON parse, {what}");
    let repeats = (MIN_PARSED_LEN / text.len()).max(1);
    tell(&work, text.len() * repeats, bound, || {
        for _ in 0..repeats {
            black_box(json::parse(black_box(text.as_bytes())).unwrap());
        }
    });
}

/// The body of a reply that an engine has once given.
fn recorded(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/exchanges");
    let exchange = fs::read_to_string(directory.join(format!("{name}.http"))).unwrap();
    let (_, reply) = exchange.split_once("\n=== reply ===\n").unwrap();
    let (_, mut body) = exchange::receive(reply.as_bytes(), Method::Get).unwrap();
    String::from_utf8(body.read_all(REPLY_LEN_MAX).unwrap()).unwrap()
}

/// The shape of what engines answer to a list, as long as for a thousand containers.
fn list_of_containers() -> String {
    let row = |n: usize| {
        let labels = Value::object([
            ("pocketdock.managed", "true".into()),
            ("pocketdock.instance", format!("pd-{n:08x}").into()),
            (
                "pocketdock.created-at",
                "2025-01-01T00:00:00.123456789Z".into(),
            ),
        ]);
        let command = "/bin/sh -c 'trap \"exit 0\" TERM; sleep infinity & wait'";
        Value::object([
            ("Id", format!("{n:064x}").into()),
            ("Names", vec![format!("/pd-{n:08x}")].into()),
            ("Image", "pocketdock/minimal-python:latest".into()),
            ("Command", command.into()),
            ("Created", 1_735_689_600_i64.into()),
            ("Ports", Value::Array(Vec::new())),
            ("Labels", labels),
            ("State", "running".into()),
            ("Status", "Up 3 minutes".into()),
        ])
    };
    json::to_string(&Value::Array((0..1000).map(row).collect()))
}

fn numbers() -> String {
    let row = |n: u32| {
        Value::object([
            ("n", i64::from(n).into()),
            ("half", (f64::from(n) / 2.0).into()),
            ("ok", (n % 3 == 0).into()),
            ("s", "short".into()),
        ])
    };
    json::to_string(&Value::Array((0..100_000).map(row).collect()))
}

fn tar_writer(file_len: usize) {
    let content = vec![b'x'; file_len];
    let mut out = Cursor::new(vec![0_u8; LEN + LEN / 64]);
    let work = format!("tar write, files of {} MiB", file_len >> 20);
    tell(&work, LEN, Bound::AtLeast(2.0), || {
        out.set_position(0);
        let mut writer = Writer::new(&mut out);
        for n in 0..LEN / file_len {
            let header = Header::file(format!("file-{n}").as_bytes(), file_len as u64);
            writer.append(&header, &mut content.as_slice()).unwrap();
        }
        writer.finish().unwrap();
    });
}

fn tar_reader(file_len: usize) {
    let archive = tar_of(file_len, LEN / file_len);
    let work = format!("tar read, files of {} MiB", file_len >> 20);
    let mut room = vec![0; READ_LEN];
    tell(&work, archive.len(), Bound::AtLeast(2.0), || {
        let mut reader = Reader::new(archive.as_slice());
        while let Some(mut entry) = reader.next_entry().unwrap() {
            while entry.read(&mut room).unwrap() != 0 {
                black_box(&room);
            }
        }
    });
}

fn tar_headers() {
    let archive = tar_of(1, MIN_PARSED_LEN / 1024);
    tell(
        "tar read, files of one byte",
        archive.len(),
        Bound::Unbound,
        || {
            let mut reader = Reader::new(archive.as_slice());
            while let Some(entry) = reader.next_entry().unwrap() {
                black_box(entry.header());
            }
        },
    );
}

fn tar_of(file_len: usize, count: usize) -> Vec<u8> {
    let content = vec![b'x'; file_len];
    let mut writer = Writer::new(Vec::new());
    for n in 0..count {
        let header = Header::file(format!("file-{n}").as_bytes(), file_len as u64);
        writer.append(&header, &mut content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}
/// An archive is hashed on its way to the disk, beside a compressor that does 0.1 GB/s.
fn sha256() {
    let bytes = vec![b'x'; LEN];
    tell("SHA-256", LEN, Bound::AtLeast(0.2), || {
        let mut hash = Sha256::new();
        for read in bytes.chunks(READ_LEN) {
            hash.update(read);
        }
        black_box(hash.finish());
    });
}
