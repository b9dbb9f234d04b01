//! The gateway, asked by the real client over loopback, with a fake node behind it.

#![allow(clippy::unwrap_used)]

mod cluster;
mod fake;
mod storage;

use api::{ApiError, Code, NodeApi, Submission, blobs_of, frame::Frame, path};
use bytes::Bytes;
use fake::{House, TOKEN, blob, job, order};
use futures::{StreamExt, stream};
use gateway::{Config, Error, serve};
use identity::{Digest, PublicKey};
use objects::{Cid, Codec};
use protocol::{Height, InvitationKind, JobId, TaskIndex, TaskKey, limits};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

fn other_job() -> JobId {
    JobId(Cid::of(Codec::DagCbor, b"another job"))
}

fn blobs() -> Vec<(Cid, Bytes)> {
    let large = Bytes::from(vec![7; limits::BLOB_BYTES]);
    let empty = Bytes::new();
    [blob(), large, empty].into_iter().map(|b| (Cid::of(Codec::Raw, &b), b)).collect()
}

/// Sends bytes as they are and gives everything that comes back.
async fn raw(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset after its answer has still answered.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request of which only the interesting part differs.
fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

fn assert_fails(answer: &str, status: u16, code: Code) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
}

#[tokio::test]
async fn every_question_comes_back_as_the_node_answered_it() {
    let house = House::open().await;
    let client = house.client();
    assert_eq!(client.jobs().await, Ok(vec![fake::summary()]));
    assert_eq!(client.job(job(), TaskIndex(5)).await, Ok(fake::detail(TaskIndex(5))));
    assert_eq!(client.receipt(job()).await, Ok(Bytes::from_static(b"receipt")));
    let there = Cid::of(Codec::Raw, &blob());
    assert_eq!(client.blob(there).await, Ok(blob()));
    let gone = Cid::of(Codec::Raw, b"gone");
    assert_eq!(client.has(vec![gone, there]).await, Ok(vec![false, true]));
    assert_eq!(client.has(Vec::new()).await, Ok(Vec::new()));
    assert_eq!(client.blobs(Vec::new()).await, Ok(Vec::new()));
    assert_eq!(client.blobs(vec![there; 3]).await.map(|blobs| blobs.len()), Ok(2), "the first");
    let other = client.blobs(vec![there, gone]).await.unwrap_err();
    assert_eq!(other.code, Code::ContentMismatch, "other bytes are noticed");
    let keys = vec![TaskKey(Digest([1; 32])), fake::known_key()];
    assert_eq!(client.known(keys).await, Ok(vec![None, Some(fake::known_task())]));
    let many = vec![fake::known_key(); path::KEYS];
    assert_eq!(client.known(many).await, Ok(vec![Some(fake::known_task()); path::KEYS]));
    let error = client.known(vec![fake::known_key(); path::KEYS + 1]).await.unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
    assert_eq!(client.status().await, Ok(fake::status()));
    assert_eq!(client.metrics().await, Ok("polity_peers 3\n".into()));
    assert_eq!(client.nodes().await, Ok(vec![fake::info()]));
    assert_eq!(client.head().await, Ok(fake::header()));
    assert_eq!(client.block(Height(0)).await.unwrap().block.header, fake::header());
    assert_eq!(client.tx(fake::tx().digest()).await.unwrap().tx, fake::tx());
    assert_eq!(client.disputes().await, Ok(vec![fake::dispute()]));
    assert_eq!(client.sanctions().await, Ok(vec![fake::sanction()]));
    assert_eq!(client.evidence().await, Ok(vec![fake::proven()]));
    let file = client.evidence_file(fake::proven().id).await;
    assert_eq!(file, Ok(Bytes::from_static(b"evidence")));
    assert_eq!(client.second(PublicKey([3; 32])).await, Ok(fake::tx().digest()));
    client.cancel(job()).await.unwrap();
    assert_eq!(*house.node.cancelled.lock().unwrap(), [job()]);
    client.pause(job(), true).await.unwrap();
    client.pause(job(), false).await.unwrap();
    assert_eq!(*house.node.paused.lock().unwrap(), [(job(), true), (job(), false)]);
    for kind in [InvitationKind::Owner, InvitationKind::Machine] {
        let line = client.invite(kind, 77).await.unwrap();
        assert_eq!(line.to_string(), fake::join_line(kind, 77).to_string());
    }
    let told: Vec<_> = client.events(job()).await.unwrap().collect().await;
    assert_eq!(told, fake::events().into_iter().map(Ok).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_node_refuses_comes_back_with_its_advice() {
    let house = House::open().await;
    let client = house.client();
    let expected = ApiError::new(Code::NotFound, "there is none").next("look elsewhere");
    assert_eq!(client.receipt(other_job()).await, Err(expected.clone()));
    assert_eq!(client.blob(Cid::of(Codec::Raw, b"gone")).await, Err(expected.clone()));
    assert_eq!(client.block(Height(7)).await, Err(expected.clone()));
    assert_eq!(client.tx(Digest([1; 32])).await, Err(expected.clone()));
    assert_eq!(client.evidence_file(Digest([1; 32])).await, Err(expected.clone()));
    assert_eq!(client.second(PublicKey([1; 32])).await, Err(expected));
}

#[tokio::test]
async fn bytes_that_are_not_what_was_asked_for_are_refused_by_the_client() {
    let house = House::open().await;
    let error = house.client().blob(Cid::of(Codec::Raw, b"other")).await.unwrap_err();
    assert_eq!(error.code, Code::ContentMismatch);
}

#[tokio::test]
async fn a_submission_arrives_whole_and_its_events_follow() {
    let mut house = House::open().await;
    let submission = Submission { order: order(), after: vec![job(); 3], blobs: blobs_of(blobs()) };
    let told: Vec<_> = house.client().submit(submission).await.unwrap().collect().await;
    assert_eq!(told, fake::events().into_iter().map(Ok).collect::<Vec<_>>());
    let (ordered, after, arrived) = house.submitted.recv().await.unwrap();
    assert_eq!((ordered, after), (order(), vec![job(); 3]));
    assert_eq!(arrived, blobs().into_iter().map(Ok).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_still_sends() {
    let house = House::with(Config::default(), true).await;
    let (cid, bytes) = blobs().swap_remove(1);
    let endless = stream::repeat_with(move || Ok((cid, bytes.clone()))).boxed();
    let submission = Submission { order: order(), after: Vec::new(), blobs: endless };
    let error = house.client().submit(submission).await.err().unwrap();
    assert_eq!(error, ApiError::new(Code::Expired, "too late").next("send it again"));
}

#[tokio::test]
async fn a_source_that_fails_cuts_the_submission_on_both_sides() {
    let mut house = House::open().await;
    let failure = ApiError::new(Code::Refused, "a.csv: it changed while it was sent");
    let pieces = vec![Ok((Cid::of(Codec::Raw, &blob()), blob())), Err(failure.clone())];
    let blobs = stream::iter(pieces).boxed();
    let submission = Submission { order: order(), after: Vec::new(), blobs };
    assert_eq!(house.client().submit(submission).await.err(), Some(failure));
    let (_, _, arrived) = house.submitted.recv().await.unwrap();
    assert_eq!(arrived.last().unwrap().as_ref().unwrap_err().code, Code::Cut);
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_told_to_the_node() {
    let mut house = House::open().await;
    let whole: Vec<u8> = [
        Frame::Order(Box::new(order())),
        Frame::Blob(Cid::of(Codec::Raw, &blob()), blob()),
        Frame::End,
    ]
    .iter()
    .flat_map(Frame::encode)
    .collect();
    let announced = request("POST", path::JOBS_PATH, &whole);
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();
    stream.write_all(&announced[..announced.len() - 7]).await.unwrap();
    drop(stream);
    let (_, _, arrived) = house.submitted.recv().await.unwrap();
    assert_eq!(arrived.last().unwrap().as_ref().unwrap_err().code, Code::Cut);
}

#[tokio::test]
async fn frames_that_make_no_sense_are_refused_with_their_code() {
    let house = House::open().await;
    let first = Frame::Order(Box::new(order())).encode();
    let malformed: [&[u8]; 3] = [&[0, 0, 0, 1, 9], &[0, 0, 0, 2, 1, 0], &Frame::End.encode()];
    for body in malformed {
        let answer = raw(house.addr(), &request("POST", path::JOBS_PATH, body)).await;
        assert_fails(&answer, 400, Code::Malformed);
    }
    let large = [255, 255, 255, 255, 1];
    let answer = raw(house.addr(), &request("POST", path::JOBS_PATH, &large)).await;
    assert_fails(&answer, 413, Code::TooLarge);
    let answer = raw(house.addr(), &request("POST", path::JOBS_PATH, &first[..20])).await;
    assert_fails(&answer, 400, Code::Cut);
    let after = [&first[..], &[255, 255, 255, 255, 2]].concat();
    let answer = raw(house.addr(), &request("POST", path::JOBS_PATH, &after)).await;
    assert_fails(&answer, 413, Code::TooLarge);
    let more = [&first[..], &Frame::End.encode(), b"more"].concat();
    let answer = raw(house.addr(), &request("POST", path::JOBS_PATH, &more)).await;
    assert_fails(&answer, 400, Code::Malformed);
}

#[tokio::test]
async fn without_the_token_or_for_another_host_nothing_is_answered() {
    let house = House::open().await;
    let addr = house.addr().to_string();
    for token in ["", "another token", &TOKEN[1..], &format!("{TOKEN}x")] {
        let error = house.client_with(&addr, token).status().await.unwrap_err();
        assert_eq!(error.code, Code::Unauthorized, "{token}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.evil.example"] {
        let error = house.client_with(host, TOKEN).status().await.unwrap_err();
        assert_eq!(error.code, Code::WrongHost, "{host}");
    }
    for host in ["localhost:80", "127.0.0.1", "[::1]:80", "[::1]"] {
        house.client_with(host, TOKEN).status().await.unwrap();
    }
    let none = b"GET /v1/status HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
    assert_fails(&raw(house.addr(), none).await, 401, Code::Unauthorized);
}

#[tokio::test]
async fn too_much_is_refused_before_the_node_is_asked() {
    let house = House::open().await;
    let cids = vec![Cid::of(Codec::Raw, b"x"); path::CIDS + 1];
    assert_eq!(house.client().has(cids).await.unwrap_err().code, Code::TooLarge);
    let body = vec![b' '; path::REQUEST_BYTES + 1];
    let answer = raw(house.addr(), &request("POST", path::HAS_PATH, &body)).await;
    assert_fails(&answer, 413, Code::TooLarge);
}

#[tokio::test]
async fn paths_methods_and_questions_that_do_not_exist_are_said_so() {
    let house = House::open().await;
    let ask = |method: &'static str, path: &'static str, body: &'static [u8]| {
        let addr = house.addr();
        async move { raw(addr, &request(method, path, body)).await }
    };
    assert_fails(&ask("GET", "/", b"").await, 404, Code::NotFound);
    assert_fails(&ask("GET", "/v2/status", b"").await, 404, Code::NotFound);
    for path in [
        "/v1/status",
        "/v1/blobs/x",
        "/v1/ledger/blocks/1",
        "/v1/ledger/txs/x",
        "/v1/ledger/evidence",
    ] {
        assert_fails(&ask("DELETE", path, b"").await, 405, Code::Unsupported);
    }
    for path in [
        "/v1/jobs/nonsense",
        "/v1/jobs/%ff",
        "/v1/jobs/nonsense/events",
        "/v1/blobs/nonsense",
        "/v1/ledger/blocks/-1",
        "/v1/ledger/blocks/99999999999999999999",
        "/v1/ledger/txs/nonsense",
        "/v1/ledger/evidence/nonsense",
    ] {
        assert_fails(&ask("GET", path, b"").await, 400, Code::Malformed);
    }
    for body in [&b""[..], b"{}", b"[1]", b"\xff", b"{\"kind\":\"owner\"}"] {
        for path in ["/v1/invitations", "/v1/secondings"] {
            assert_fails(&ask("POST", path, body).await, 400, Code::Malformed);
        }
    }
    let job = job();
    let from = format!("/v1/jobs/{job}?from=x");
    let answer = raw(house.addr(), &request("GET", &from, b"")).await;
    assert_fails(&answer, 400, Code::Malformed);
}

#[tokio::test]
async fn events_that_stop_before_the_end_are_told_as_cut() {
    let house = House::open().await;
    let told: Vec<_> = house.client().events(other_job()).await.unwrap().collect().await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[2].as_ref().unwrap_err().code, Code::Cut);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let config = Config { head_ms: 50, ..Config::default() };
    let house = House::with(config, false).await;
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost:").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("200"));
}

#[tokio::test]
async fn a_submission_that_falls_silent_is_ended() {
    let config = Config { silence_ms: 50, ..Config::default() };
    let mut house = House::with(config, false).await;
    let first = Frame::Order(Box::new(order())).encode();
    let mut announced = request("POST", path::JOBS_PATH, &[&first[..], &[0; 64]].concat());
    announced.truncate(announced.len() - 64);
    let mut stream = TcpStream::connect(house.addr()).await.unwrap();
    stream.write_all(&announced).await.unwrap();
    let (_, _, arrived) = house.submitted.recv().await.unwrap();
    assert_eq!(arrived.last().unwrap().as_ref().unwrap_err().code, Code::Cut);
}

#[tokio::test]
async fn more_connections_than_allowed_are_closed_and_places_come_back() {
    let config = Config { connections: 1, ..Config::default() };
    let house = House::with(config, false).await;
    let mut held = TcpStream::connect(house.addr()).await.unwrap();
    // An answer shows that the connection has its place.
    let keep = format!(
        "GET /v1/status HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    held.write_all(keep.as_bytes()).await.unwrap();
    assert!(held.read(&mut [0; 16]).await.unwrap() > 0);
    assert_eq!(raw(house.addr(), b"").await, "");
    drop(held);
    while house.client().status().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_gateway_that_is_told_to_stop_ends_what_is_open() {
    let mut house = House::open().await;
    let mut held = TcpStream::connect(house.addr()).await.unwrap();
    house.stop.take().unwrap().send(()).unwrap();
    house.running.ended().await;
    assert_eq!(held.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(house.client().status().await.unwrap_err().code, Code::Unreachable);
}

#[tokio::test]
async fn it_listens_on_loopback_only_and_says_when_a_port_is_taken() {
    let house = House::open().await;
    for addr in ["0.0.0.0:0".parse().unwrap(), house.addr()] {
        let (_stop, stopped) = oneshot::channel();
        let config = Config { addr, ..Config::default() };
        let error = serve(config, Arc::clone(&house.node) as _, TOKEN, stopped).await.unwrap_err();
        match error {
            Error::NotLoopback(not) => assert_eq!(not, addr),
            Error::Listen { addr: taken, .. } => assert_eq!(taken, house.addr()),
        }
    }
}
