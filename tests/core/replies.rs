//! Replies in every framing and at every split, and those that are made to do harm.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pocketdock_core::Error;
use pocketdock_core::engine::client::{Call, REPLY_LEN_MAX};
use pocketdock_core::engine::{containers, exec};
use pocketdock_core::wire::http::Method;

use crate::client_of;
use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::process::{PATIENCE, within};
use crate::support::recorded::recorded;

/// What a plain call makes of a reply.
fn asked(reply: Reply) -> Result<(u16, Vec<u8>), Error> {
    let fake = FakeEngine::script([Exchange::any(reply)]);
    let client = client_of(&fake);
    let call = move || client.call(Call::new(Method::Get, "/containers/json"));
    let reply = within(PATIENCE, call)?;
    Ok((reply.status, reply.body))
}

fn protocol_error(name: &str, reply: Reply) -> String {
    match asked(reply) {
        Err(Error::Protocol { endpoint, message }) => {
            assert_eq!(endpoint, "GET /containers/json", "{name}");
            assert!(
                message.len() < 1000,
                "{name}: a message of {} bytes",
                message.len()
            );
            message
        }
        other => panic!(
            "{name}: {:?}",
            other.map(|(status, body)| (status, body.len()))
        ),
    }
}

#[test]
fn every_recorded_reply_reads_the_same_at_every_split() {
    for name in [
        "docker-inspect",
        "podman-inspect",
        "docker-list",
        "podman-stats",
        "podman-top",
    ] {
        let bytes = recorded(name).reply;
        let whole = asked(Reply::raw(bytes.clone())).unwrap();
        assert_eq!(whole.0, 200, "{name}");
        for piece_len in [1, 2, 3, 7, 64, 1000] {
            let split = asked(Reply::raw(bytes.clone()).split(piece_len)).unwrap();
            assert_eq!(split, whole, "{name} in pieces of {piece_len}");
        }
    }
}

#[test]
fn every_framing_is_understood() {
    let cases = [
        (
            "length",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]more",
        ),
        ("until close", "HTTP/1.1 200 OK\r\n\r\n[]"),
        (
            "chunked",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n",
        ),
        (
            "no reason phrase",
            "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n[]",
        ),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]"),
        (
            "100 first",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        ),
        (
            "the same length twice",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n[]",
        ),
    ];
    for (name, bytes) in cases {
        assert_eq!(
            asked(Reply::raw(bytes)).unwrap(),
            (200, b"[]".to_vec()),
            "{name}"
        );
    }
}

#[test]
fn replies_that_are_not_http_are_refused() {
    let cases = [
        (
            "two lengths",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
        ),
        (
            "length and chunks",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n[]",
        ),
        (
            "a signed length",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n[]",
        ),
        (
            "a huge length",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n[]",
        ),
        (
            "another coding",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n[]",
        ),
        (
            "a folded header",
            "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n[]",
        ),
        (
            "a header with no colon",
            "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n[]",
        ),
        ("a status of two digits", "HTTP/1.1 20 OK\r\n\r\n[]"),
        (
            "a signed chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\n[]\r\n0\r\n\r\n",
        ),
        (
            "a chunk of 17 digits",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000002\r\n",
        ),
        (
            "a chunk that runs on",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[]\r\n0\r\n\r\n",
        ),
    ];
    for (name, bytes) in cases {
        protocol_error(name, Reply::raw(bytes));
    }
}

/// Sends `head`, then `more` for as long as the client listens.
fn endless(head: &str, more: &[u8]) -> Reply {
    let block = more.repeat(1 + 65_536 / more.len());
    Reply::raw(head).talk(move |mut stream: &UnixStream| {
        loop {
            stream.write_all(&block)?;
        }
    })
}

#[test]
fn what_has_no_end_is_cut_off() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [b"8000\r\n", [b'['; 0x8000].as_slice(), b"\r\n"].concat();
    let padded = format!("1;{}\r\n[\r\n", "x".repeat(100));
    let cases = [
        ("a head", endless("HTTP/1.1 200 OK\r\n", b"X: y\r\n")),
        ("a header", endless("HTTP/1.1 200 OK\r\nX: ", b"y")),
        ("a status line", endless("HTTP/1.1 200 ", b"OK")),
        (
            "interim heads",
            endless("", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ),
        ("a body", endless("HTTP/1.1 200 OK\r\n\r\n", b"[")),
        ("chunks", endless(CHUNKED, &chunk)),
        (
            "chunks that are mostly framing",
            endless(CHUNKED, padded.as_bytes()),
        ),
        ("a chunk line", endless(CHUNKED, b"0")),
        ("a chunk extension", endless(&format!("{CHUNKED}1;"), b"x")),
        ("trailers", endless(&format!("{CHUNKED}0\r\n"), b"X: y\r\n")),
    ];
    for (name, reply) in cases {
        protocol_error(name, reply);
    }
}

#[test]
fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
    let of = |len: usize| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
        Reply::raw(head).then(vec![b' '; len])
    };
    assert_eq!(asked(of(REPLY_LEN_MAX)).unwrap().1.len(), REPLY_LEN_MAX);
    protocol_error("one byte more", of(REPLY_LEN_MAX + 1));
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", u64::MAX);
    // Nothing may be set aside for a length that is only announced.
    let error = asked(Reply::raw(announced)).unwrap_err();
    assert!(
        matches!(error, Error::SocketCommunication { .. }),
        "{error:?}"
    );
}

#[test]
fn json_bombs_are_refused() {
    let nested = |open: &str| open.repeat(500_000);
    let cases = [
        ("arrays", nested("[")),
        ("objects", nested(r#"{"a":"#)),
        ("both", nested(r#"[{"a":"#)),
        ("a number without end", "1".repeat(1_000_000)),
        ("an exponent", "[1e999999999]".to_owned()),
        (
            "a string without end",
            format!("[\"{}", "a".repeat(1_000_000)),
        ),
        ("half a surrogate", r#"["\ud800"]"#.to_owned()),
        ("two documents", "[][]".to_owned()),
        ("not UTF-8 by name", "[\u{1}]".to_owned()),
        ("nothing", String::new()),
    ];
    for (name, body) in cases {
        let fake = FakeEngine::script([Exchange::any(Reply::json(200, &body))]);
        let client = client_of(&fake);
        let error = within(PATIENCE, move || containers::list(&client, &[])).unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{name}: {error:?}");
    }
}

#[test]
fn documents_of_another_shape_are_refused() {
    for body in [
        "null",
        "{}",
        "17",
        r#""x""#,
        "[17]",
        "[{}]",
        r#"[{"Id":17}]"#,
    ] {
        let fake = FakeEngine::script([Exchange::any(Reply::json(200, body))]);
        let error = containers::list(&client_of(&fake), &[]).unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{body}: {error:?}");
    }
    for body in ["null", "[]", "{}", r#"{"Id":""}"#, r#"{"Id":7}"#] {
        let fake = FakeEngine::script([Exchange::any(Reply::json(201, body))]);
        let config = exec::ExecConfig::default();
        let error = exec::create(&client_of(&fake), "box", &config).unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{body}: {error:?}");
    }
}

#[test]
fn a_hijacked_connection_gives_its_bytes_however_it_is_answered() {
    let frames = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err";
    let chunked = Reply::chunked(200, &[&frames[..5], &frames[5..]]);
    let cases = [
        ("101", Reply::hijacked(101).then(frames)),
        ("200", Reply::hijacked(200).then(frames)),
        (
            "200 in small pieces",
            Reply::hijacked(200).then(frames).split(1),
        ),
        ("200 in chunks", chunked),
    ];
    for (name, reply) in cases {
        let fake = FakeEngine::script([Exchange::on("POST", "/exec/e/start", reply)
            .checked("it asks for the connection", |r| {
                r.header("upgrade") == Some("tcp")
            })]);
        let mut streaming = exec::start(&client_of(&fake), "e", false).unwrap();
        let mut got = Vec::new();
        streaming.body.read_to_end(&mut got).unwrap();
        assert_eq!(got, frames, "{name}");
        drop(streaming);
        fake.finish();
    }
}

#[test]
fn input_goes_the_other_way_on_a_hijacked_connection() {
    let reply = Reply::hijacked(101).talk(|mut stream| {
        let mut input = Vec::new();
        stream.read_to_end(&mut input)?;
        stream.write_all(&input.repeat(2))
    });
    let fake = FakeEngine::script([Exchange::on("POST", "/exec/e/start", reply)]);
    let mut streaming = exec::start(&client_of(&fake), "e", true).unwrap();
    let writer = streaming.body.connection().share();
    let mut writer = &*writer;
    writer.write_all(b"hi").unwrap();
    writer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut got = Vec::new();
    streaming.body.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"hihi");
}
