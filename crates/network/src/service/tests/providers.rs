//! Nodes find each other by what they have.

use crate::{Config, GuestConfig, Network, ProviderConfig, Service, Table, start};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use identity::{Digest, NetworkId, SecretKey};
use objects::{Cid, Codec};
use protocol::port::{Incoming, Protocol, ProvideError, Providers, Streams};
use std::time::Duration;

const FOREIGN: Protocol = Protocol("/ipfs/test/1");

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long: {what}"),
    }
}

fn cid(text: &str) -> Cid {
    Cid::of(Codec::Raw, text.as_bytes())
}

/// A node of a polity of its own: to the others it is a guest.
async fn node(n: u8, table: Table, max_provided: usize) -> (Network, Service) {
    let config = Config {
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        guests: GuestConfig { allowed: true, ..GuestConfig::default() },
        providers: ProviderConfig { table, max_provided, ..ProviderConfig::default() },
        dial_interval_ms: 50,
        ..Config::default()
    };
    let key = SecretKey::from_seed([n; 32]);
    let (network, service) = start(config, &key, NetworkId(Digest([1; 32]))).unwrap();
    within("listening", network.listening()).await;
    (network, service)
}

/// Connects a node to another one.
async fn meet(one: &Network, other: &Network) {
    let there = other.addresses();
    one.know(other.me(), there.iter().map(|address| address.at.clone()).collect());
    let mut events = one.events();
    within("a peer", async { while events.next().await.is_none() {} }).await;
    let (mut theirs, peers) = (other.events(), one.me());
    within("the other", async {
        while !other.peers().contains(&peers) {
            theirs.next().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_has_an_object_is_found_through_somebody_else() {
    let (a, a_service) = node(1, Table::Lan, 10).await;
    let (b, b_service) = node(2, Table::Lan, 10).await;
    let (c, c_service) = node(3, Table::Lan, 10).await;
    meet(&a, &b).await;
    meet(&c, &b).await;
    // Whether the table of each knows the other yet is for the table to say: ask until it does.
    let found = within("a provider", async {
        loop {
            a.provide(cid("here")).await.unwrap();
            let found = c.find(cid("here")).await;
            if !found.is_empty() {
                return found;
            }
        }
    })
    .await;
    assert_eq!(found, [a.me()]);
    assert!(c.find(cid("nowhere")).await.is_empty());
    let mut accepted = a.accept(FOREIGN).unwrap();
    let opened = within("a stream", async {
        let (opened, incoming) = tokio::join!(c.open(a.me(), FOREIGN), accepted.next());
        (opened.unwrap(), incoming.unwrap())
    });
    let (mut stream, Incoming { stream: mut theirs, .. }) = opened.await;
    stream.write_all(b"hello").await.unwrap();
    stream.close().await.unwrap();
    let mut heard = Vec::new();
    within("words", theirs.read_to_end(&mut heard)).await.unwrap();
    assert_eq!(heard, b"hello");
    for service in [a_service, b_service, c_service] {
        service.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_announced_is_bounded_and_nothing_is_without_a_table() {
    let (one, service) = node(1, Table::Own, 2).await;
    for text in ["a", "b", "a"] {
        assert_eq!(one.provide(cid(text)).await, Ok(()));
    }
    assert_eq!(one.provide(cid("c")).await, Err(ProvideError::Full { limit: 2 }));
    one.withdraw(cid("a"));
    assert_eq!(one.provide(cid("c")).await, Ok(()));
    service.shutdown().await.unwrap();
    assert_eq!(one.provide(cid("d")).await, Err(ProvideError::Closed));
    let (one, service) = node(2, Table::Off, 2).await;
    assert_eq!(one.provide(cid("a")).await, Err(ProvideError::Off));
    assert!(one.find(cid("a")).await.is_empty());
    service.shutdown().await.unwrap();
}
