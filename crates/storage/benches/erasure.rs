//! Figures of the code and of repair, one `name value unit` per line.
//!
//! `cargo bench -p storage --bench erasure -- [MIB]`: the size of the object, 1024 if it is left
//! out; with 4096 each of the six nodes holds 1 GiB. All nodes run in this process, each with a
//! store of its own on disk; their streams go by memory.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use futures::{FutureExt, future};
use identity::{Digest, NetworkId, PublicKey, SecretKey};
use objects::{Cid, FileBuilder};
use protocol::{
    Time,
    durability::Candidate,
    port::{Answer, BlobError, Blobs, Clock},
};
use sim::streams::Mesh;
use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use storage::{
    erasure::{Code, Config, Keep, Keeper, Parts, Server, Wanted},
    exchange::{self, DagLimits, Fetcher},
};

const UNIT: usize = 64 << 10;

fn main() {
    let numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let mib = numbers.last().unwrap_or(1024);
    for (data, total) in [(4, 6), (10, 14), (20, 30)] {
        coding(data, total);
    }
    tokio::runtime::Runtime::new().unwrap().block_on(repairing(mib));
}

fn noise(seed: u64, bytes: &mut [u8]) {
    let mut state = seed * 2 + 1;
    for word in bytes.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
    }
}

/// The best of many rounds over stripes that are larger than the first caches.
fn coding(data: usize, total: usize) {
    let code = Code::new(data, total).unwrap();
    let shards: Vec<Vec<u8>> = (0..total)
        .map(|shard| {
            let mut bytes = vec![0; UNIT * 16];
            noise(shard as u64, &mut bytes);
            bytes
        })
        .collect();
    let mut made = vec![vec![0; UNIT]; total - data];
    let (mut encode, mut decode) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..101 {
        let start = Instant::now();
        for at in (0..UNIT * 16).step_by(UNIT) {
            let stripe: Vec<&[u8]> = shards[..data].iter().map(|s| &s[at..at + UNIT]).collect();
            let mut results: Vec<&mut [u8]> = made.iter_mut().map(Vec::as_mut_slice).collect();
            code.encode_into(black_box(&stripe), &mut results);
        }
        encode = encode.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        for at in (0..UNIT * 16).step_by(UNIT) {
            let mut left: Vec<Option<&[u8]>> =
                shards.iter().map(|s| Some(&s[at..at + UNIT])).collect();
            left[0] = None;
            let mut results = [made[0].as_mut_slice()];
            code.reconstruct_into(black_box(&left), &[0], &mut results).unwrap();
        }
        decode = decode.min(start.elapsed().as_secs_f64());
    }
    let gigabytes = (data * UNIT * 16) as f64 / 1e9;
    let parity = total - data;
    println!("erasure-encode-{data}+{parity} {:.2} GB/s", gigabytes / encode);
    println!("erasure-decode-one-{data}+{parity} {:.2} GB/s", gigabytes / decode);
}

/// The clock of this machine.
struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        let wait = Duration::from_millis(at.since_ms(self.now()));
        tokio::time::sleep(wait).boxed()
    }
}

/// What is kept, in memory.
#[derive(Default)]
struct MemoryKeep(Mutex<BTreeMap<String, Vec<Cid>>>);

impl Keep for MemoryKeep {
    fn keep(&self, label: String, blocks: Vec<Cid>) -> Answer<'static, Result<(), BlobError>> {
        self.0.lock().unwrap().insert(label, blocks);
        future::ready(Ok(())).boxed()
    }

    fn release(&self, label: String) -> Answer<'static, Result<(), BlobError>> {
        self.0.lock().unwrap().remove(&label);
        future::ready(Ok(())).boxed()
    }

    fn kept(&self, _: String) -> Answer<'static, Result<Vec<(String, Vec<Cid>)>, BlobError>> {
        future::ready(Ok(Vec::new())).boxed()
    }
}

struct Node {
    blobs: Arc<dyn Blobs>,
    keeper: Keeper,
    _serving: (exchange::Server, Server),
    _dir: tempfile::TempDir,
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

async fn node(mesh: &Mesh, clock: &Arc<Wall>, seed: u8) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let store = storage::open(dir.path(), storage::Config::default()).unwrap();
    let blobs: Arc<dyn Blobs> = Arc::new(store);
    let streams = mesh.node(key(seed).public());
    let own = exchange::Config::default();
    let fetcher = Fetcher::new(blobs.clone(), streams.clone(), clock.clone(), own.clone());
    let anyone = Arc::new(|_: PublicKey, _: &Cid| true);
    let config = Config {
        lend_bytes: 1 << 40,
        grace_ms: 0,
        pace_bytes: 0,
        audit_ms: 0,
        ..Config::default()
    };
    let served =
        exchange::serve(blobs.clone(), streams.clone(), clock.clone(), anyone.clone(), own.clone());
    let parts = Parts {
        blobs: blobs.clone(),
        streams,
        clock: clock.clone(),
        keep: Arc::new(MemoryKeep::default()),
        fetcher,
        exchange: exchange::Config { fetch_streams_per_peer: 2, ..own },
        network: NetworkId(Digest([1; 32])),
        key: key(seed),
        config,
    };
    let keeper = Keeper::open(parts).await.unwrap();
    let all = Arc::new(|_: PublicKey, _: PublicKey| true);
    let server = keeper.serve(all, anyone).unwrap();
    Node { blobs, keeper, _serving: (served.unwrap(), server), _dir: dir }
}

async fn put(node: &Node, mib: usize) -> Cid {
    let (mut builder, mut blocks) = (FileBuilder::new(), Vec::new());
    let mut chunk = vec![0; 1 << 20];
    for at in 0..mib {
        noise(at as u64, &mut chunk);
        builder.push(&Bytes::copy_from_slice(&chunk), &mut blocks);
        if blocks.len() >= 32 {
            let some = blocks.drain(..).map(|block| (block.cid, block.bytes)).collect();
            node.blobs.put(some).await.unwrap();
        }
    }
    let root = builder.finish(&mut blocks);
    let rest = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
    node.blobs.put(rest).await.unwrap();
    root.cid
}

/// An object at 4+2 on six nodes: protect, distribute, read with two away, and replace one.
async fn repairing(mib: usize) {
    let (mesh, clock) = (Mesh::new(), Arc::new(Wall(Instant::now())));
    let mut nodes = Vec::new();
    for seed in 1..=7 {
        nodes.push(node(&mesh, &clock, seed).await);
    }
    // Node 1 makes and holds; node 7 is spare.
    let candidate = |seed: u8| Candidate {
        node: key(seed).public(),
        owner: key(seed).public(),
        free_bytes: 1 << 40,
        is_connected: true,
    };
    let root = put(&nodes[0], mib).await;
    let bytes = (mib << 20) as f64;
    let say = |name: &str, bytes: f64, start: Instant| {
        println!("{name} {:.0} MB/s", bytes / 1e6 / start.elapsed().as_secs_f64());
    };
    let start = Instant::now();
    let limits = DagLimits { blocks: 1 << 20, bytes: 1 << 40 };
    let made = nodes[0].keeper.protect(root, "4+2".parse().unwrap(), limits).await.unwrap();
    say("erasure-protect-4+2", bytes, start);
    let start = Instant::now();
    let holders: Vec<Candidate> = (1..=6).map(candidate).collect();
    let given = nodes[0].keeper.distribute(made.manifest, &holders).await.unwrap();
    say("erasure-distribute-4+2", made.kept_bytes as f64, start);
    let lead = given.placement.payload.slots[0];
    let dead = *given.placement.payload.slots.last().unwrap();
    let of = |node: &PublicKey| (1..=7).find(|seed| key(*seed).public() == *node).unwrap();
    // The maker is no source of what was lost: everything has to be made.
    for other in 1..=7 {
        mesh.cut(dead, key(other).public());
        if lead != key(1).public() && dead != key(1).public() {
            mesh.cut(key(1).public(), key(other).public());
        }
    }
    let lead = &nodes[usize::from(of(&lead)) - 1];
    let lost = nodes[usize::from(of(&dead)) - 1].keeper.lent_bytes() as f64;
    let mut changes = lead.keeper.changes();
    let start = Instant::now();
    let _repair = lead.keeper.repair(Arc::new(move || (2..=7).map(candidate).collect()));
    let is_replaced = || {
        let known = lead.keeper.known(&made.manifest);
        known.iter().all(|own| !own.placement.payload.slots.contains(&dead))
    };
    while !is_replaced() {
        changes.changed().await.unwrap();
    }
    say("erasure-repair-4+2", lost, start);
    println!("erasure-repair-4+2-size {:.0} MB", lost / 1e6);
    let reader = node(&mesh, &clock, 8).await;
    for away in [dead, given.placement.payload.slots[1]] {
        mesh.cut(away, key(8).public());
    }
    reader.keeper.find(root, &[given.placement.payload.slots[2]]).await.unwrap();
    let start = Instant::now();
    reader.keeper.recover(made.manifest, Wanted::All, &[]).await.unwrap();
    say("erasure-read-one-lost-4+2", bytes, start);
}
