//! Nodes for tests.

use identity::{Digest, NetworkId, SecretKey};
use network::{Address, Config, Network, Service};
use protocol::port::Streams;
use std::{future::Future, time::Duration};

pub(crate) const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
pub(crate) const TCP: &str = "/ip4/127.0.0.1/tcp/0";

/// The network of most tests.
pub(crate) const HERE: NetworkId = NetworkId(Digest([1; 32]));
/// Another one.
pub(crate) const ELSEWHERE: NetworkId = NetworkId(Digest([2; 32]));

/// A running node; it ends when it is dropped.
pub(crate) struct Node {
    pub(crate) network: Network,
    pub(crate) service: Service,
}

/// Settings for one listen address, quick to try again.
pub(crate) fn config(listen: &str) -> Config {
    Config {
        listen: vec![listen.into()],
        dial_interval_ms: 50,
        dial_backoff_max_ms: 200,
        ..Config::default()
    }
}

pub(crate) fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

pub(crate) async fn node_in(network: NetworkId, n: u8, config: Config) -> Node {
    let (network, service) = network::start(config, &key(n), network).expect("a free port");
    let node = Node { network, service };
    assert!(!within("listening", node.network.listening()).await.is_empty());
    node
}

pub(crate) async fn node(n: u8, config: Config) -> Node {
    node_in(HERE, n, config).await
}

impl Node {
    /// Its first address.
    pub(crate) fn address(&self) -> Address {
        self.network.addresses()[0].clone()
    }

    /// Learns where another node is.
    pub(crate) fn meet(&self, other: &Node) {
        let Address { peer, at } = other.address();
        self.network.know(peer, vec![at]);
    }
}

/// Two nodes that are connected; the first dialled.
pub(crate) async fn pair(config: Config) -> (Node, Node) {
    let a = node(1, config.clone()).await;
    let b = node(2, config).await;
    a.meet(&b);
    within("up", network::contract::come_up(&a.network, b.network.me())).await;
    within("up", network::contract::come_up(&b.network, a.network.me())).await;
    (a, b)
}

/// Fails instead of hanging. Generous: it is no measure of speed.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long: {what}"),
    }
}
