//! A smoke test with mutated input: no decoder panics, grows or hangs on any bytes.
//!
//! Seeds lie in `tests/corpus`, one directory for each target, and are changed at random with a
//! fixed start, so every run is the same. `POCKETDOCK_FUZZ_RUNS` sets how many inputs each target
//! gets. A failure names the number of the run; what it found belongs into the corpus.
//!
//! Properties: the way the bytes are split does not matter, what comes out is no longer than what
//! went in, and what is written is read back as it was. Tar headers are given the right checksum
//! after they were changed, since without it nothing behind them would be tried.

use std::fs;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use pocketdock_core::container::reference::ImageName;
use pocketdock_core::engine::exchange;
use pocketdock_core::wire::chunked::Dechunker;
use pocketdock_core::wire::frame::{Demuxer, Stream};
use pocketdock_core::wire::http::{HeadReader, Method};
use pocketdock_core::wire::tar;
use pocketdock_core::wire::utf8::Splitter;
use pocketdock_core::wire::value::Value;
use pocketdock_core::wire::{base64, digits, json, size, time, yaml};
use pocketdock_core::{Instance, LogLine, LogReader};

use crate::support::fault::{FaultReader, HARMLESS};
use crate::support::rng::Rng;
use crate::support::scratch::Scratch;

/// Inputs for each target if nothing else is asked for: a second or two in all.
const RUNS: u64 = 5_000;

/// The longest input; the limits of the decoders have tests of their own.
const INPUT_LEN_MAX: usize = 4096;

pub(crate) type Target = fn(&[u8], &mut Rng);

pub(crate) const TARGETS: [(&str, Target); 13] = [
    ("json", json_document),
    ("lines", json_lines),
    ("head", response_head),
    ("chunked", chunked_body),
    ("frame", frames),
    ("utf8", utf8_pieces),
    ("text", texts),
    ("exchange", whole_exchange),
    ("tar", tar_archive),
    ("yaml", yaml_document),
    ("log", log_file),
    ("instance", instance_file),
    ("history", history_file),
];

#[test]
fn no_input_does_harm() {
    let runs = std::env::var("POCKETDOCK_FUZZ_RUNS").ok();
    let runs = runs.map_or(RUNS, |text| {
        text.parse().expect("POCKETDOCK_FUZZ_RUNS is a number")
    });
    for (name, target) in TARGETS {
        let seeds = seeds_of(name);
        for seed in &seeds {
            attempt(name, target, seed, &mut Rng::new(0), "a seed as it is");
        }
        for run in 0..runs {
            let mut rng = Rng::new(run);
            let input = mutated(&seeds, &mut rng);
            attempt(name, target, &input, &mut rng, &format!("run {run}"));
        }
    }
}

/// Runs a target once; a panic is reported with all it takes to repeat it.
fn attempt(name: &str, target: Target, input: &[u8], rng: &mut Rng, run: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| target(input, rng)));
    assert!(
        outcome.is_ok(),
        "{name}, {run}: panic on b\"{}\"",
        input.escape_ascii()
    );
}

fn seeds_of(name: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/corpus")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{name} has no seeds");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A seed with one to eight changes.
fn mutated(seeds: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut input = rng.pick(seeds).clone();
    for _ in 0..=rng.below(8) {
        let at = rng.below(input.len() + 1);
        let until = at + rng.below(input.len() - at + 1);
        match rng.below(6) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..until)),
            2 => input.extend_from_within(at..until),
            3 => drop(input.splice(at..at, rng.pick(seeds).clone())),
            4 => drop(input.splice(at..until, interesting(rng))),
            _ => input
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= 1 << rng.below(8)),
        }
        input.truncate(INPUT_LEN_MAX);
    }
    input
}

/// What parsers trip over.
fn interesting(rng: &mut Rng) -> Vec<u8> {
    let words: [&[u8]; 16] = [
        b"",
        b"\0",
        b"\xff",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"+",
        b"-",
        b"0",
        b"[",
        b"{",
        b"\"",
        b"\\u",
        b"18446744073709551616",
        b"ffffffffffffffff",
    ];
    let len = rng.below(5);
    if rng.below(4) == 0 {
        rng.bytes(len)
    } else {
        rng.pick(&words).to_vec()
    }
}

/// The input in pieces of random lengths.
fn pieces<'a>(mut input: &'a [u8], rng: &mut Rng) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let (piece, rest) = input.split_at(1 + rng.below(input.len().min(40)));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

fn json_document(input: &[u8], _: &mut Rng) {
    if let Ok(value) = json::parse(input) {
        let text = json::to_string(&value);
        assert_eq!(json::parse(text.as_bytes()).as_ref(), Ok(&value), "{text}");
    }
}

fn json_lines(input: &[u8], rng: &mut Rng) {
    let read = |pieces: &[&[u8]]| {
        let (mut lines, mut values) = (json::Lines::default(), Vec::<Value>::new());
        for mut piece in pieces.iter().copied() {
            while let Some(value) = lines.next(&mut piece)? {
                values.push(value);
            }
        }
        values.extend(lines.finish()?);
        Ok::<_, json::Error>(values)
    };
    assert_eq!(read(&pieces(input, rng)), read(&[input]));
}

fn response_head(input: &[u8], rng: &mut Rng) {
    let read = |pieces: &[&[u8]]| {
        let (mut reader, mut taken) = (HeadReader::default(), 0);
        for mut piece in pieces.iter().copied() {
            let len = piece.len();
            let head = reader.next(&mut piece).map_err(|error| error.to_string())?;
            taken += len - piece.len();
            if let Some(head) = head {
                return Ok(Some((format!("{head:?}"), taken)));
            }
        }
        Ok::<_, String>(None)
    };
    assert_eq!(read(&pieces(input, rng)), read(&[input]));
}

fn chunked_body(input: &[u8], rng: &mut Rng) {
    let read = |pieces: &[&[u8]]| {
        let (mut dechunker, mut body) = (Dechunker::new(), Vec::new());
        for mut piece in pieces.iter().copied() {
            loop {
                match dechunker.next(&mut piece) {
                    Ok(Some(data)) => body.extend_from_slice(data),
                    Ok(None) => break,
                    Err(error) => return (body, Some(error.to_string()), false),
                }
            }
        }
        let is_done = dechunker.is_done();
        (body, None, is_done)
    };
    let whole = read(&[input]);
    assert!(whole.0.len() <= input.len());
    assert_eq!(read(&pieces(input, rng)), whole);
}

fn frames(input: &[u8], rng: &mut Rng) {
    let read = |pieces: &[&[u8]]| {
        let (mut demuxer, mut streams) = (Demuxer::default(), [const { Vec::new() }; 3]);
        for mut piece in pieces.iter().copied() {
            loop {
                match demuxer.next(&mut piece) {
                    Ok(Some((stream, data))) => streams[index(stream)].extend_from_slice(data),
                    Ok(None) => break,
                    Err(error) => return (streams, Some(error.to_string()), false),
                }
            }
        }
        (streams, None, demuxer.at_boundary())
    };
    let index_sum = |streams: &[Vec<u8>; 3]| streams.iter().map(Vec::len).sum::<usize>();
    let whole = read(&[input]);
    assert!(index_sum(&whole.0) <= input.len());
    assert_eq!(read(&pieces(input, rng)), whole);
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
        Stream::System => 2,
    }
}

fn utf8_pieces(input: &[u8], rng: &mut Rng) {
    let (mut splitter, mut joined, mut lossy) = (Splitter::default(), Vec::new(), String::new());
    for piece in pieces(input, rng) {
        let piece = splitter.push(piece);
        joined.extend_from_slice(&piece);
        lossy.push_str(&String::from_utf8_lossy(&piece));
    }
    let rest = splitter.finish();
    joined.extend_from_slice(&rest);
    lossy.push_str(&String::from_utf8_lossy(&rest));
    assert_eq!(joined, input);
    assert_eq!(
        lossy,
        String::from_utf8_lossy(input),
        "a character was torn apart"
    );
}

fn texts(input: &[u8], _: &mut Rng) {
    let text = &String::from_utf8_lossy(input);
    if let Some(bytes) = base64::decode(text) {
        assert_eq!(base64::decode(&base64::encode(&bytes)), Some(bytes));
    }
    if let Some(time) = time::Timestamp::parse(text) {
        assert_eq!(
            time::Timestamp::parse(&time.to_string()),
            Some(time),
            "{time}"
        );
    }
    if let Ok(bytes) = size::parse_size(text) {
        size::parse_size(&size::format_size(bytes)).unwrap();
    }
    if let Ok(duration) = size::parse_duration(text) {
        size::parse_duration(&size::format_duration(duration)).unwrap();
    }
    if let Ok(name) = ImageName::parse(text) {
        let whole = format!("{}:{}", name.repository(), name.tag());
        assert_eq!(ImageName::parse(&whole).unwrap(), name, "{whole}");
    }
    let by_radix = |radix: u32| {
        let mut values = input.iter().map(|&byte| char::from(byte).to_digit(radix));
        let number = values.try_fold(0_u64, |sum, digit| {
            sum.checked_mul(radix.into())?.checked_add(digit?.into())
        });
        number.filter(|_| !input.is_empty())
    };
    let is_short = input.len() <= 16;
    assert_eq!(digits::octal(input), by_radix(8));
    assert_eq!(digits::hex(input), by_radix(16).filter(|_| is_short));
    let is_number = !input.is_empty() && input.iter().all(u8::is_ascii_digit);
    let number = is_number.then(|| text.parse::<u64>().ok()).flatten();
    assert_eq!(digits::decimal(input), number);
}

fn yaml_document(input: &[u8], _: &mut Rng) {
    match yaml::parse(input) {
        Ok(value) => assert!(json::to_string(&value).len() <= 8 * input.len() + 8),
        Err(error) => assert!(0 < error.position.line && 0 < error.position.column),
    }
    let text = String::from_utf8_lossy(input);
    let document = format!("a: {}", yaml::quoted(&text));
    let value = yaml::parse(document.as_bytes()).unwrap();
    assert_eq!(value.str_at(&["a"]), Some(text.as_ref()));
}

fn whole_exchange(input: &[u8], _: &mut Rng) {
    let mut outcomes = HARMLESS.map(|fault| {
        let reader = FaultReader::new(input, fault);
        let reply = exchange::receive(reader, Method::Get)
            .and_then(|(head, mut body)| Ok((head.status, body.read_all(INPUT_LEN_MAX)?)));
        reply.map_err(|error| error.kind())
    });
    let first = outcomes[0].clone();
    assert!(
        outcomes.iter_mut().all(|outcome| *outcome == first),
        "{outcomes:?}"
    );
}

/// A project with one instance, in which a file holds `input`.
fn instance_with(file: &str, input: &[u8]) -> (Scratch, Instance) {
    let scratch = Scratch::new();
    let dir = scratch.join(".pocketdock/instances/box");
    fs::create_dir_all(dir.join("logs")).unwrap();
    fs::write(dir.join("instance.json"), r#"{"name":"box","id":"1"}"#).unwrap();
    fs::write(dir.join(file), input).unwrap();
    let instance = Instance::all_in(scratch.path()).unwrap().remove(0);
    (scratch, instance)
}

fn log_file(input: &[u8], _: &mut Rng) {
    let (_scratch, instance) = instance_with("logs/run-x.log", input);
    let path = instance.log_path("run-x.log").unwrap();
    let mut log = LogReader::open(&path).unwrap();
    let (mut lines, mut len) = (0, 0);
    while let Some(line) = log.next_line().unwrap() {
        lines += 1;
        len += match line {
            LogLine::Output { data, .. } => data.len(),
            LogLine::Note(text) => text.chars().count(),
            _ => 0,
        };
    }
    assert!(lines <= input.len() && len <= input.len() + lines);
}

fn instance_file(input: &[u8], _: &mut Rng) {
    let (_scratch, instance) = instance_with("instance.json", input);
    match instance.description() {
        Ok(description) => assert!(description.is_some()),
        Err(error) => assert_eq!(error.code(), "config"),
    }
}

fn history_file(input: &[u8], _: &mut Rng) {
    let (_scratch, instance) = instance_with("history.jsonl", input);
    let lines = input.split(|&byte| byte == b'\n').count();
    assert!(instance.history().unwrap().len() <= lines);
}

fn tar_archive(input: &[u8], rng: &mut Rng) {
    let mut input = input.to_vec();
    if rng.below(8) != 0 {
        correct_checksums(&mut input);
    }
    let (entries, end) = read_archive(input.as_slice());
    let split = read_archive(FaultReader::new(&input, *rng.pick(&HARMLESS)));
    assert_eq!(split, (entries.clone(), end));
    let n_blocks = input.len() / tar::header::BLOCK_LEN;
    assert!(entries.len() <= n_blocks, "each entry takes a block");
    assert!(entries.iter().map(|(_, data)| data.len()).sum::<usize>() <= input.len());
    for (header, data) in entries {
        assert_eq!(header.len, data.len() as u64);
        written_is_read_back(&header, &data);
    }
}

/// The entries of an archive and how it ends.
fn read_archive(source: impl Read) -> (Vec<(tar::Header, Vec<u8>)>, String) {
    let (mut reader, mut entries) = (tar::Reader::new(source), Vec::new());
    loop {
        let mut entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return (entries, "whole".to_owned()),
            Err(error) => return (entries, error.to_string()),
        };
        let (header, mut data) = (entry.header().clone(), Vec::new());
        if entry.read_to_end(&mut data).is_ok() {
            entries.push((header, data));
        }
    }
}

/// What the writer takes comes back from the reader; a directory gets a slash at its end.
fn written_is_read_back(header: &tar::Header, data: &[u8]) {
    let mut writer = tar::Writer::new(Vec::new());
    if writer.append(header, &mut &data[..]).is_err() {
        return;
    }
    let (mut entries, end) = read_archive(writer.finish().unwrap().as_slice());
    let (mut read, read_data) = entries.pop().unwrap();
    if header.kind == tar::Kind::Directory && !header.path.ends_with(b"/") {
        read.path.pop();
    }
    assert_eq!((&read, &read_data[..], &end[..]), (header, data, "whole"));
}

/// Puts the right checksum wherever there may be a header.
fn correct_checksums(input: &mut [u8]) {
    for block in input.chunks_exact_mut(tar::header::BLOCK_LEN) {
        // Few data have a NUL where a header has the end of its checksum.
        if block[154] == 0 && block.iter().any(|&byte| byte != 0) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}
