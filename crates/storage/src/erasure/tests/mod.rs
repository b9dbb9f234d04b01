//! Protected objects on several nodes in memory.

mod holding;
mod reading;
mod repairing;

use super::*;
use crate::exchange::{self, DagLimits, Fetcher};
use bytes::Bytes;
use futures::{FutureExt, future};
use identity::{Digest, NetworkId, PublicKey, SecretKey};
use objects::{Block, Cid, Codec, Entry, directory};
use protocol::{
    Durability, Time,
    durability::{Candidate, KeptObject},
    port::{Answer, BlobError, Blobs, Clock},
};
use sim::{blobs::MemoryBlobs, streams::Mesh};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

const NETWORK: NetworkId = NetworkId(Digest([8; 32]));
const LIMITS: DagLimits = DagLimits { blocks: 10_000, bytes: 1 << 30 };

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn key(seed: u8) -> PublicKey {
    secret(seed).public()
}

/// A clock that a test moves.
#[derive(Clone)]
struct Hand(watch::Sender<u64>);

impl Hand {
    fn new() -> Self {
        Self(watch::channel(1_000).0)
    }

    fn advance(&self, ms: u64) {
        self.0.send_modify(|now| *now += ms);
    }
}

impl Clock for Hand {
    fn now(&self) -> Time {
        Time(*self.0.borrow())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let mut now = self.0.subscribe();
        async move {
            // The clock may go away first: then nothing is ever due.
            if now.wait_for(|now| *now >= at.0).await.is_err() {
                future::pending::<()>().await;
            }
        }
        .boxed()
    }
}

/// What is kept, in memory.
#[derive(Clone, Default)]
struct MemoryKeep(Arc<Mutex<BTreeMap<String, Vec<Cid>>>>);

impl MemoryKeep {
    fn all(&self) -> BTreeMap<String, Vec<Cid>> {
        self.0.lock().expect("no test panics with it").clone()
    }

    fn holds(&self, cid: Cid) -> bool {
        let shards = |(label, cids): (&String, &Vec<Cid>)| {
            label.starts_with("durable/shards/") && cids.contains(&cid)
        };
        self.all().iter().any(shards)
    }
}

impl Keep for MemoryKeep {
    fn keep(&self, label: String, blocks: Vec<Cid>) -> Answer<'static, Result<(), BlobError>> {
        let all = self.0.clone();
        future::lazy(move |_| {
            all.lock().expect("no test panics with it").insert(label, blocks);
            Ok(())
        })
        .boxed()
    }

    fn release(&self, label: String) -> Answer<'static, Result<(), BlobError>> {
        let all = self.0.clone();
        future::lazy(move |_| {
            all.lock().expect("no test panics with it").remove(&label);
            Ok(())
        })
        .boxed()
    }

    fn kept(&self, beginning: String) -> Answer<'static, Result<Kept, BlobError>> {
        let all = self.all().into_iter().filter(|(label, _)| label.starts_with(&beginning));
        future::ready(Ok(all.collect())).boxed()
    }
}

/// A node that keeps shards.
struct Node {
    blobs: MemoryBlobs,
    keep: MemoryKeep,
    keeper: Keeper,
    _exchange: exchange::Server,
    _server: Server,
}

struct World {
    mesh: Mesh,
    clock: Hand,
}

impl World {
    fn new() -> Self {
        Self { mesh: Mesh::new(), clock: Hand::new() }
    }

    fn parts(&self, seed: u8, blobs: &MemoryBlobs, keep: &MemoryKeep, config: Config) -> Parts {
        let streams = self.mesh.node(key(seed));
        let blobs = Arc::new(blobs.clone());
        let clock = Arc::new(self.clock.clone());
        let own = exchange::Config::default();
        let fetcher = Fetcher::new(blobs.clone(), streams.clone(), clock.clone(), own);
        let exchange =
            exchange::Config { fetch_streams_per_peer: 2, ..exchange::Config::default() };
        Parts {
            blobs,
            streams,
            clock,
            keep: Arc::new(keep.clone()),
            fetcher,
            exchange,
            network: NETWORK,
            key: secret(seed),
            config,
        }
    }

    async fn node(&self, seed: u8, config: Config) -> Node {
        self.node_for(seed, config, Arc::new(|_: PublicKey, _: PublicKey| true)).await
    }

    /// A node that keeps shards for some only.
    async fn node_for(&self, seed: u8, config: Config, lend: Arc<dyn Lend>) -> Node {
        let (blobs, keep) = (MemoryBlobs::new(), MemoryKeep::default());
        let parts = self.parts(seed, &blobs, &keep, config);
        let anyone = Arc::new(|_: PublicKey, _: &Cid| true);
        let exchange = exchange::serve(
            parts.blobs.clone(),
            parts.streams.clone(),
            parts.clock.clone(),
            anyone.clone(),
            exchange::Config::default(),
        );
        let keeper = Keeper::open(parts).await.expect("nothing was kept yet");
        let server = keeper.serve(lend, anyone).expect("the protocol is free");
        let exchange = exchange.expect("the protocol is free");
        Node { blobs, keep, keeper, _exchange: exchange, _server: server }
    }

    async fn nodes(&self, seeds: std::ops::RangeInclusive<u8>) -> Vec<Node> {
        let mut nodes = Vec::new();
        for seed in seeds {
            nodes.push(self.node(seed, Config::default()).await);
        }
        nodes
    }

    /// A node that nobody hears of any more.
    fn kill(&self, seed: u8) {
        for other in 1..=40 {
            self.mesh.cut(key(seed), key(other));
        }
    }

    fn revive(&self, seed: u8) {
        for other in 1..=40 {
            self.mesh.heal(key(seed), key(other));
        }
    }
}

/// Every node of an owner of its own.
fn candidates(seeds: impl IntoIterator<Item = u8>) -> Vec<Candidate> {
    let candidate = |seed| Candidate {
        node: key(seed),
        owner: key(100 + seed),
        free_bytes: 1 << 30,
        is_connected: true,
    };
    seeds.into_iter().map(candidate).collect()
}

fn own_owner(node: &PublicKey) -> PublicKey {
    *node
}

/// A directory of some files of different sizes, and all its blocks.
fn object(files: usize) -> (Cid, Vec<Block>) {
    let content = |file: usize| -> Vec<u8> {
        (0..500 + file * 37).map(|at| (at * 7 + file * 13 + at / 251) as u8).collect()
    };
    let mut blocks: Vec<Block> =
        (0..files).map(|file| Block::of(Codec::Raw, content(file))).collect();
    let entries: Vec<Entry> = blocks
        .iter()
        .enumerate()
        .map(|(file, block)| Entry {
            name: format!("{file:04}"),
            cid: block.cid,
            size_bytes: block.bytes.len() as u64,
        })
        .collect();
    let root = directory(&entries).expect("plain names");
    blocks.push(Block { cid: root.cid, bytes: root.bytes });
    (root.cid, blocks)
}

async fn store(node: &Node, blocks: &[Block]) {
    let blobs = blocks.iter().map(|block| (block.cid, block.bytes.clone())).collect();
    node.blobs.put(blobs).await.expect("kept");
}

async fn has_all(node: &Node, blocks: &[Block]) -> bool {
    let cids = blocks.iter().map(|block| block.cid).collect();
    node.blobs.has(cids).await.expect("memory answers").into_iter().all(|is_here| is_here)
}

fn level(text: &str) -> Durability {
    text.parse().expect("a level")
}

/// Puts an object at the maker, protects it, and gives its shards to holders.
async fn spread(
    maker: &Node,
    blocks: &[Block],
    text: &str,
    holders: impl IntoIterator<Item = u8>,
) -> (Protected, Spread) {
    store(maker, blocks).await;
    let root = blocks.last().expect("there is a root").cid;
    let made = maker.keeper.protect(root, level(text), LIMITS).await.expect("it is all here");
    let given = maker.keeper.distribute(made.manifest, &candidates(holders)).await;
    (made, given.expect("there are enough"))
}

async fn find(reader: &Node, object: Cid, from: u8) -> KeptObject {
    let found = reader.keeper.find(object, &[key(from)]).await.expect("the store works");
    found.into_iter().next().expect("it is known there")
}

/// A blob that a node lost.
async fn lose(node: &Node, cid: Cid) {
    node.blobs.damage(cid);
    assert_eq!(node.blobs.get(cid).await, Err(BlobError::Corrupt(cid)));
}

fn bytes_of(node: &Node, cid: Cid) -> impl Future<Output = Option<Bytes>> {
    let read = node.blobs.get(cid);
    async move { read.await.expect("memory answers") }
}
