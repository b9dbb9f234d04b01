//! Slow nodes, slow clients, and too many of them.

use crate::fake::{Fake, House, Trouble, config};
use gateway::{
    Error,
    ipfs::{Config, serve},
};
use objects::{CHUNK_BYTES, Cid, Codec};
use std::sync::Arc;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::{Notify, oneshot},
};

#[tokio::test]
async fn it_is_off_unless_it_is_given_an_address() {
    let (_stop, stopped) = oneshot::channel();
    let off = serve(&Config::default(), Arc::new(Fake::default()), stopped).await.unwrap();
    assert!(off.is_none());
    let house = House::open().await;
    let taken = Config { addr: Some(house.running.addr()), ..Config::default() };
    let (_stop, stopped) = oneshot::channel();
    let error = serve(&taken, house.node.clone(), stopped).await.unwrap_err();
    assert!(matches!(error, Error::Listen { .. }));
    assert!(serde_json::from_str::<Config>("{\"adress\": null}").is_err());
    assert_eq!(serde_json::from_str::<Config>("{}").unwrap(), Config::default());
}

#[tokio::test]
async fn a_block_that_does_not_come_in_time_is_a_timeout() {
    let house = House::with(Config { block_ms: 20, ..config() }).await;
    let leaf = house.node.file(b"leaf");
    let root = house.node.directory(&[("a", leaf)]);
    house.node.trouble(leaf, Trouble::Never);
    for path in [format!("{leaf}?format=raw"), format!("{root}/a"), format!("{leaf}?format=car")] {
        let answer = house.get(format!("/ipfs/{path}")).await;
        assert_eq!((answer.status, answer.header("retry-after")), (504, "5"), "{path}");
    }
    // In the middle of a stream there is no status any more.
    let answer = house.get(format!("/ipfs/{root}?format=car")).await;
    assert_eq!((answer.status, answer.whole), (200, false));
}

#[tokio::test]
async fn a_way_that_takes_too_long_as_a_whole_is_a_timeout() {
    let house = House::with(Config { begin_ms: 20, ..config() }).await;
    let leaf = house.node.file(b"leaf");
    house.node.trouble(leaf, Trouble::Never);
    assert_eq!(house.get(format!("/ipfs/{leaf}")).await.status, 504);
}

#[tokio::test]
async fn more_answers_than_allowed_are_asked_to_come_back_and_places_come_back() {
    let house = House::with(Config { answers: 1, ..config() }).await;
    let (slow, other) = (house.node.file(b"slow"), house.node.file(b"other"));
    let told = Arc::new(Notify::new());
    house.node.trouble(slow, Trouble::After(told.clone()));
    let mut held = house.send("GET", &format!("/ipfs/{slow}"), &[]).await;
    while house.node.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let answer = house.get(format!("/ipfs/{other}")).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "5"));
    told.notify_one();
    let mut bytes = Vec::new();
    held.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes.ends_with(b"slow"));
    assert_eq!(house.get(format!("/ipfs/{other}")).await.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_gives_its_place_back() {
    let house = House::with(Config { answers: 1, ..config() }).await;
    let (slow, other) = (house.node.file(b"slow"), house.node.file(b"other"));
    house.node.trouble(slow, Trouble::Never);
    let held = house.send("GET", &format!("/ipfs/{slow}"), &[]).await;
    while house.node.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(held);
    while house.get(format!("/ipfs/{other}")).await.status != 200 {
        tokio::task::yield_now().await;
    }
}

/// A file that does not fit the buffers of a connection: 96 chunks, each of its own.
fn large(node: &Fake) -> Cid {
    let bytes: Vec<u8> =
        (0..96u8).flat_map(|chunk| std::iter::repeat_n(chunk, CHUNK_BYTES)).collect();
    node.file(&bytes)
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_given_up() {
    let house = House::with(Config { silence_ms: 50, ..config() }).await;
    let file = large(&house.node);
    for query in ["", "?format=car"] {
        let held = house.send("GET", &format!("/ipfs/{file}{query}"), &[]).await;
        let mut open = house.running.connections();
        open.wait_for(|connections| *connections == 1).await.unwrap();
        open.wait_for(|connections| *connections == 0).await.unwrap();
        let asked = house.node.asked();
        assert!(!asked.contains(&Cid::of(Codec::Raw, &vec![95; CHUNK_BYTES])), "it was not read");
        drop(held);
    }
}

#[tokio::test]
async fn no_more_than_a_few_blocks_are_fetched_ahead() {
    let house = House::open().await;
    let file = large(&house.node);
    // The second chunk waits: what comes after it is fetched up to the window, and no further.
    let told = Arc::new(Notify::new());
    let second = Cid::of(Codec::Raw, &vec![1; CHUNK_BYTES]);
    house.node.trouble(second, Trouble::After(told.clone()));
    let mut stream: TcpStream = house.send("GET", &format!("/ipfs/{file}"), &[]).await;
    let mut first = vec![0; CHUNK_BYTES];
    stream.read_exact(&mut first).await.unwrap();
    // The root, the first, the second, and seven behind it.
    let all = 10;
    while house.node.asked.lock().unwrap().len() < all {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.node.asked.lock().unwrap().len(), all);
    told.notify_one();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > 95 * CHUNK_BYTES);
}

#[tokio::test]
async fn a_service_worker_cannot_take_more_than_a_directory() {
    let house = House::open().await;
    let script = house.node.file(b"self");
    let root = house.node.directory(&[("sw.js", script)]);
    let header = [("service-worker", "script")];
    assert_eq!(house.ask("GET", format!("/ipfs/{script}"), &header).await.status, 400);
    let below = house.ask("GET", format!("/ipfs/{root}/sw.js"), &header).await;
    assert_eq!(below.status, 200);
}
