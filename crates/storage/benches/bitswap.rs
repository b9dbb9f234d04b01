//! Figures of bitswap over QUIC on loopback, beside a plain stream of the same network, one
//! `name value unit` per line.
//!
//! `cargo bench -p storage --bench bitswap -- [MIB]`: the size of the file, 1024 if it is left out.
//! The server and each client are processes of their own. The plain stream is read and forgotten.
//! So are blocks after they were checked, once; the other time they are checked again and stored
//! durably on disk, as a node does it.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future};
use identity::{Digest, NetworkId, PublicKey, SecretKey};
use network::{Address, Network, Service};
use objects::{Cid, FileBuilder};
use protocol::{
    Time,
    port::{Answer, BlobError, Blobs, Clock, Protocol, Stream, Streams},
};
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use storage::{
    Store,
    bitswap::{self, Bitswap},
    exchange::DagLimits,
};

const PLAIN: Protocol = Protocol("/bench/plain/1");
/// Bytes of the plain stream that are written or read at once.
const STEP: usize = 256 << 10;
/// Each is measured so often, in turn.
const ROUNDS: usize = 3;

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let run = |work: future::BoxFuture<'_, ()>| {
        tokio::runtime::Runtime::new().unwrap().block_on(work);
    };
    match words[..] {
        ["serve", mib] => run(serve(mib.parse().unwrap()).boxed()),
        ["plain", address, mib] => run(plain(address, mib.parse().unwrap()).boxed()),
        ["forget", address, mib, root] => {
            let sink = Arc::new(Forgetful);
            run(fetch(address, mib.parse().unwrap(), root.parse().unwrap(), sink).boxed());
        }
        ["store", address, mib, root] => {
            let dir = tempfile::tempdir().unwrap();
            let store = Arc::new(storage::open(dir.path(), storage::Config::default()).unwrap());
            run(fetch(address, mib.parse().unwrap(), root.parse().unwrap(), store).boxed());
        }
        [] => compare("1024"),
        [mib] => compare(mib),
        _ => panic!("[MIB]"),
    }
}

/// Starts the server, then clients in turn.
fn compare(mib: &str) {
    let mut server = again(&["serve", mib]).stdin(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let mut next = || said.next().unwrap().unwrap();
    let (address, root) = (next(), next());
    let (mut plain, mut forgot, mut stored) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        plain.push(client(&["plain", &address, mib]));
        forgot.push(client(&["forget", &address, mib, &root]));
        stored.push(client(&["store", &address, mib, &root]));
    }
    end(server);
    let median = |all: &[Client], of: fn(&Client) -> f64| {
        let mut all: Vec<f64> = all.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let fast = median(&plain, |c| c.rate);
    for (name, all) in [("plain-stream", &plain), ("bitswap", &forgot), ("bitswap-stored", &stored)]
    {
        let rate = median(all, |c| c.rate);
        println!("{name}-rate {rate:.0} MB/s");
        println!("{name}-ratio {:.3} x", rate / fast);
        println!("{name}-client-cpu {:.2} s/GB", median(all, |c| c.cpu));
        let most = all.iter().map(|c| c.memory).fold(0.0, f64::max);
        println!("{name}-client-memory {most:.1} MiB");
    }
}

/// This program with other words.
fn again(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(words).stdout(Stdio::piped());
    command
}

/// Ends a server, which does so when nobody listens.
fn end(mut server: Child) {
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}

/// What a client said of itself.
struct Client {
    /// MB/s.
    rate: f64,
    /// Processor seconds for each GB.
    cpu: f64,
    /// The most memory that it had, in MiB.
    memory: f64,
}

fn client(words: &[&str]) -> Client {
    let output = again(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let all: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    Client { rate: all[0], cpu: all[1], memory: all[2] }
}

/// What a client says of itself after it got so many bytes.
fn say(mib: usize, start: Instant) {
    let gigabytes = (mib << 20) as f64 / 1e9;
    let rate = gigabytes * 1e3 / start.elapsed().as_secs_f64();
    println!("{rate} {} {}", busy_seconds() / gigabytes, peak_mib());
}

/// Seconds that this process was busy so far, on all processors; in hundredths.
fn busy_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks = |field: usize| after_name.split_whitespace().nth(field).unwrap().parse::<f64>();
    (ticks(11).unwrap() + ticks(12).unwrap()) / 100.0
}

/// The most memory that this process had so far, in MiB.
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// The clock of this machine.
struct Wall(Instant);

impl Clock for Wall {
    fn now(&self) -> Time {
        Time(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }

    fn until(&self, at: Time) -> Answer<'static, ()> {
        tokio::time::sleep(Duration::from_millis(at.since_ms(self.now()))).boxed()
    }
}

fn join(seed: u8, listen: &[&str]) -> (Network, Service) {
    let listen = listen.iter().map(ToString::to_string).collect();
    let config = network::Config { listen, ..network::Config::default() };
    let key = SecretKey::from_seed([seed; 32]);
    network::start(config, &key, NetworkId(Digest([1; 32]))).unwrap()
}

/// Keeps nothing: what bitswap gives it was checked.
struct Forgetful;

impl Blobs for Forgetful {
    fn put(&self, _: Vec<(Cid, Bytes)>) -> Answer<'static, Result<(), BlobError>> {
        future::ready(Ok(())).boxed()
    }

    fn get(&self, _: Cid) -> Answer<'static, Result<Option<Bytes>, BlobError>> {
        future::ready(Ok(None)).boxed()
    }

    fn get_some(
        &self,
        cids: Vec<Cid>,
        _: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>> {
        future::ready(Ok(vec![None; cids.len()])).boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Answer<'static, Result<Vec<bool>, BlobError>> {
        future::ready(Ok(vec![false; cids.len()])).boxed()
    }
}

fn exchange(blobs: Arc<dyn Blobs>, network: &Network) -> (Bitswap, bitswap::Server) {
    let anything = Arc::new(|_: PublicKey, _: &Cid| true);
    bitswap::start(
        blobs,
        Arc::new(network.clone()),
        Arc::new(Wall(Instant::now())),
        anything,
        bitswap::Config::default(),
    )
    .unwrap()
}

/// Connects to the server.
async fn connect(address: &str) -> (Network, Service, PublicKey) {
    let Address { peer, at } = address.parse().unwrap();
    let (network, service) = join(2, &[]);
    network.know(peer, vec![at]);
    let mut events = network.events();
    while !network.peers().contains(&peer) {
        events.next().await.unwrap();
    }
    (network, service, peer)
}

async fn serve(mib: usize) {
    let dir = tempfile::tempdir().unwrap();
    let store = storage::open(dir.path(), storage::Config::default()).unwrap();
    let root = put(&store, mib).await;
    let (network, service) = join(1, &["/ip4/127.0.0.1/udp/0/quic-v1"]);
    let mut plain = network.accept(PLAIN).unwrap();
    let (_bitswap, serving) = exchange(Arc::new(store), &network);
    println!("{}\n{root}", network.listening().await[0]);
    let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let write = async {
        while let Some(incoming) = plain.next().await {
            pour(incoming.stream).await;
        }
    };
    tokio::select! {
        end = end => drop(end.unwrap().unwrap()),
        () = write => panic!("the network ended"),
    }
    serving.stop().await;
    service.shutdown().await.unwrap();
}

async fn put(store: &Store, mib: usize) -> Cid {
    let (mut builder, mut blocks) = (FileBuilder::new(), Vec::new());
    let mut chunk = vec![0; 1 << 20];
    for at in 0..mib {
        noise(at as u64, &mut chunk);
        builder.push(&Bytes::copy_from_slice(&chunk), &mut blocks);
        if blocks.len() >= 32 {
            let some = blocks.drain(..).map(|block| (block.cid, block.bytes)).collect();
            store.put(some).await.unwrap();
        }
    }
    let root = builder.finish(&mut blocks);
    let rest = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
    store.put(rest).await.unwrap();
    root.cid
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

/// Writes as many bytes as the peer wants.
async fn pour(mut stream: Stream) {
    let mut wanted = [0; 8];
    stream.read_exact(&mut wanted).await.unwrap();
    let (mut left, mut step) = (u64::from_be_bytes(wanted) as usize, vec![0; STEP]);
    noise(0, &mut step);
    while left > 0 {
        let some = left.min(STEP);
        stream.write_all(&step[..some]).await.unwrap();
        left -= some;
    }
    stream.close().await.unwrap();
}

async fn plain(address: &str, mib: usize) {
    let (network, service, server) = connect(address).await;
    let start = Instant::now();
    let mut stream = network.open(server, PLAIN).await.unwrap();
    stream.write_all(&((mib << 20) as u64).to_be_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let (mut step, mut got) = (vec![0; STEP], 0);
    loop {
        match stream.read(&mut step).await.unwrap() {
            0 => break,
            some => got += some,
        }
    }
    assert_eq!(got, mib << 20);
    say(mib, start);
    service.shutdown().await.unwrap();
}

async fn fetch(address: &str, mib: usize, root: Cid, blobs: Arc<dyn Blobs>) {
    let (network, service, server) = connect(address).await;
    let (bitswap, serving) = exchange(blobs, &network);
    let start = Instant::now();
    let limits = DagLimits { blocks: 1 << 20, bytes: 1 << 40 };
    let bytes = bitswap.fetch_dag(root, &[server], limits).await.unwrap();
    assert!(bytes >= (mib << 20) as u64);
    say(mib, start);
    serving.stop().await;
    service.shutdown().await.unwrap();
}
