//! Request bodies of known and unknown length, and engines that do not want them.

use std::io::{self, Cursor, Read, Write};

use pocketdock_core::Error;
use pocketdock_core::engine::client::Client;
use pocketdock_core::engine::exchange::RequestBody;
use pocketdock_core::engine::{archive, images};

use crate::support::fake_engine::{Exchange, FakeEngine, Reply};
use crate::support::fault::{Fault, FaultReader, HARMLESS};
use crate::support::process::{PATIENCE, within};
use crate::support::request::Request;
use crate::support::rng::Rng;
use crate::{SHORT, client_of};

/// Larger than what a Unix socket buffers, so that writing waits for the engine to read.
const LARGE_LEN: usize = 3_000_000;

fn upload(client: &Client, body: RequestBody<'_>) -> pocketdock_core::Result<()> {
    archive::put(client, "box", "/home", body)
}

/// Uploads to an engine that takes everything; gives the request it got.
fn received(body: RequestBody<'_>) -> Request {
    let ok = Reply::sized(200, "text/plain", b"");
    let fake = FakeEngine::script([Exchange::on("PUT", "/containers/box/archive", ok)]);
    upload(&client_of(&fake), body).unwrap();
    fake.finish().remove(0)
}

#[test]
fn every_kind_of_body_arrives_whole() {
    for len in [0, 1, 65_535, 65_536, 65_537, LARGE_LEN] {
        let sent = Rng::new(1).bytes(len);
        let request = received(RequestBody::Bytes(&sent));
        assert_eq!(request.body, sent, "bytes, {len}");
        let request = received(RequestBody::Reader(&mut sent.as_slice(), Some(len as u64)));
        assert_eq!(request.body, sent, "a reader of known length, {len}");
        assert_eq!(
            request.header("content-length"),
            Some(len.to_string().as_str())
        );
        let request = received(RequestBody::Reader(&mut sent.as_slice(), None));
        assert_eq!(request.body, sent, "a reader of unknown length, {len}");
        assert_eq!(request.header("transfer-encoding"), Some("chunked"));
        let mut write = |sink: &mut dyn Write| {
            sent.chunks(777)
                .try_for_each(|piece| sink.write_all(piece))?;
            sink.flush()
        };
        assert_eq!(
            received(RequestBody::Writer(&mut write)).body,
            sent,
            "a writer, {len}"
        );
    }
}

#[test]
fn sources_may_be_slow_and_interrupted() {
    let sent = Rng::new(2).bytes(5000);
    for fault in HARMLESS {
        for len in [Some(5000), None] {
            let mut source = FaultReader::new(&sent, fault);
            let request = received(RequestBody::Reader(&mut source, len));
            assert_eq!(request.body, sent, "{fault:?}, {len:?}");
        }
    }
}

#[test]
fn a_source_longer_than_announced_is_cut_at_its_length() {
    let request = received(RequestBody::Reader(&mut io::repeat(7).take(100), Some(10)));
    assert_eq!(request.body, [7; 10]);
}

/// A source that fails must not look like a body that ended: the engine would unpack it.
#[test]
fn a_failing_source_leaves_the_body_unfinished() {
    let failing = Fault::ErrorAfter(1000);
    for len in [Some(5000), None] {
        let fake = FakeEngine::route(|_| Reply::sized(200, "text/plain", b""));
        let data = [7; 5000];
        let mut source = FaultReader::new(&data, failing);
        let error = upload(&client_of(&fake), RequestBody::Reader(&mut source, len)).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        assert_eq!(fake.finish(), [], "the request never became whole");
    }
    let fake = FakeEngine::route(|_| Reply::sized(200, "text/plain", b""));
    let mut short = Cursor::new([7; 10]);
    let error = upload(&client_of(&fake), RequestBody::Reader(&mut short, Some(11))).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    assert_eq!(fake.finish(), []);
}

/// An engine that refuses a long body answers and hangs up; the answer is what counts.
#[test]
fn a_refusal_in_mid_body_is_reported_as_such() {
    let body = r#"{"message":"Could not find the file /home in container box"}"#;
    let large = vec![0; LARGE_LEN];
    for _ in 0..50 {
        let refusal = || Exchange::any(Reply::json(404, body)).after_head();
        let fake = FakeEngine::script([refusal(), refusal(), refusal()]);
        let client = client_of(&fake);
        let (mut sized, mut chunked) = (large.as_slice(), large.as_slice());
        let bodies = [
            RequestBody::Bytes(&large),
            RequestBody::Reader(&mut sized, Some(LARGE_LEN as u64)),
            RequestBody::Reader(&mut chunked, None),
        ];
        for body in bodies {
            let kind = format!("{body:?}");
            let error = upload(&client, body).unwrap_err();
            assert!(
                matches!(error, Error::PathNotFound { .. }),
                "{kind}: {error:?}"
            );
        }
    }
}

#[test]
fn an_engine_that_hangs_up_in_mid_body_is_an_error() {
    let large = vec![0; LARGE_LEN];
    let fake = FakeEngine::script([
        Exchange::any(Reply::raw("")).at_once(),
        Exchange::any(Reply::raw("")).after_head(),
        Exchange::any(Reply::raw("")),
    ]);
    for _ in 0..3 {
        let mut source = large.as_slice();
        let body = RequestBody::Reader(&mut source, Some(LARGE_LEN as u64));
        let error = upload(&client_of(&fake), body).unwrap_err();
        assert!(
            matches!(error, Error::SocketCommunication { .. }),
            "{error:?}"
        );
    }
}

/// A body may take as long as its source does; an engine that takes none of it may not.
#[test]
fn an_engine_that_takes_no_more_of_a_body_is_not_waited_for() {
    let deaf = || Exchange::any(Reply::raw("").hang()).after_head();
    let fake = FakeEngine::script([deaf(), deaf(), deaf()]);
    let client = client_of(&fake)
        .with_timeout(SHORT)
        .with_image_timeout(SHORT);
    let outcomes = within(PATIENCE, move || {
        let large = vec![0; LARGE_LEN];
        let (mut sized, mut image) = (large.as_slice(), large.as_slice());
        let sized = RequestBody::Reader(&mut sized, Some(LARGE_LEN as u64));
        let mut write = |sink: &mut dyn Write| sink.write_all(&large);
        [
            upload(&client, sized),
            upload(&client, RequestBody::Writer(&mut write)),
            images::load(&client, &mut image).map(drop),
        ]
    });
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    }
}
