//! Sends transactions to every validator as a node would, and follows the chain on one of them.

use crate::{
    polity::Polity,
    progress::Progress,
    txs::{self, Kind},
};
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use futures::AsyncWriteExt;
use identity::{NetworkId, PublicKey, canonical};
use protocol::{
    ChainReply, ChainRequest, Height, limits,
    port::{Protocol, Stream, Streams, read_frame},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

/// The chain's own protocol: see `chain/serve.rs`.
const CHAIN: Protocol = Protocol("/polity/chain/1");
/// Streams to each validator.
const LANES: usize = 4;
/// Transactions that are sent before their answers are read.
const BATCH: usize = 32;
/// Transactions under way when there is no rate: less than one validator's pool takes.
const UNDER_WAY: usize = 8_192;
/// How often the follower asks for new blocks.
const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked for.
pub(crate) struct Load {
    pub(crate) count: usize,
    /// In a second; 0 for as many as are taken.
    pub(crate) rate: u32,
    pub(crate) limit: Duration,
}

/// Everything that the tasks share.
struct Shared {
    streams: network::Network,
    requests: Vec<Bytes>,
    progress: Progress,
    /// Room for transactions under way.
    room: Semaphore,
    limited: bool,
}

impl Shared {
    /// Waits for room for one more transaction, and takes it.
    async fn make_room(&self) {
        if let Ok(room) = self.room.acquire().await {
            room.forget();
        }
    }
}

impl Load {
    pub(crate) async fn run(&self, polity: &Polity, kind: Kind) -> anyhow::Result<String> {
        let genesis = polity.genesis()?;
        let (streams, service) = connect(polity, genesis.network(), &genesis)?;
        let validators = genesis.validators.clone();
        let requests = txs::make(polity, &genesis, kind, self.count)?;
        let size_bytes = requests.first().map_or(0, Bytes::len);
        let shared = Arc::new(Shared {
            streams,
            requests,
            progress: Progress::new(self.count),
            room: Semaphore::new(UNDER_WAY),
            limited: self.rate == 0,
        });
        wait_for_all(&shared.streams, &validators).await?;
        // The one that may be killed is the last; the first one is followed.
        let first = polity.node(1).public();
        let from = head(&shared.streams, first).await?.next();

        println!("started");
        let start = Instant::now();
        shared.progress.start(start);
        let mut lanes = JoinSet::new();
        for validator in &validators {
            for _ in 0..LANES {
                lanes.spawn(lane(shared.clone(), *validator));
            }
        }
        let all = async {
            let following = follow(&shared, first, from, self.count);
            tokio::join!(self.dispatch(&shared, start), following).1
        };
        tokio::select! {
            done = timeout(self.limit, all) => match done {
                Ok(done) => done?,
                // What is not final by now is told by its number.
                Err(_) => eprintln!("not all within {} s", self.limit.as_secs()),
            },
            failed = failure(&mut lanes) => return Err(failed),
        }
        lanes.shutdown().await;
        let report = shared.progress.report(size_bytes, start);
        service.shutdown().await?;
        Ok(report.to_string())
    }

    /// Makes transactions due: at the rate, or when others have become final.
    async fn dispatch(&self, shared: &Shared, start: Instant) {
        for number in 0..self.count {
            let due = if self.rate == 0 {
                shared.make_room().await;
                Instant::now()
            } else {
                let due = start + Duration::from_secs_f64(number as f64 / f64::from(self.rate));
                if due > Instant::now() {
                    sleep(due - Instant::now()).await;
                }
                due
            };
            shared.progress.push(number, due);
        }
    }
}

/// The node of an owner that does not vote.
fn connect(
    polity: &Polity,
    network: NetworkId,
    genesis: &protocol::Genesis,
) -> anyhow::Result<(network::Network, network::Service)> {
    ensure!(polity.owners > polity.validators, "one owner must not vote");
    let config = network::Config { listen: Vec::new(), ..network::Config::default() };
    let (streams, service) = network::start(config, &polity.node(polity.validators + 1), network)?;
    for founder in genesis.founders.iter().filter(|f| !f.payload.addresses.is_empty()) {
        streams.know(founder.payload.node, founder.payload.addresses.clone());
    }
    Ok((streams, service))
}

async fn wait_for_all(streams: &network::Network, wanted: &[PublicKey]) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let peers = streams.peers();
        if wanted.iter().all(|peer| peers.contains(peer)) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "not every validator can be reached");
        sleep(POLL).await;
    }
}

/// Resolves when a lane cannot go on.
async fn failure(lanes: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Error {
    while let Some(ended) = lanes.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(error) => return error.into(),
        }
    }
    anyhow::anyhow!("no validator is left")
}

/// One stream to a validator, opened again when it breaks.
async fn lane(shared: Arc<Shared>, validator: PublicKey) -> anyhow::Result<()> {
    loop {
        let Ok(mut stream) = shared.streams.open(validator, CHAIN).await else {
            sleep(PAUSE).await;
            continue;
        };
        loop {
            let batch = shared.progress.take(BATCH).await;
            let mut answered = 0;
            let sent = send(&shared, (validator, &mut stream), &batch, &mut answered).await?;
            if !sent {
                shared.progress.put_back(&batch[answered..]);
                shared.progress.lost(validator);
                break;
            }
        }
    }
}

/// Sends some transactions and reads what became of them; false if the stream broke.
async fn send(
    shared: &Shared,
    (validator, stream): (PublicKey, &mut Stream),
    batch: &[usize],
    answered: &mut usize,
) -> anyhow::Result<bool> {
    let mut bytes = Vec::new();
    for number in batch {
        let request = &shared.requests[*number];
        bytes.extend(u32::try_from(request.len())?.to_be_bytes());
        bytes.extend(request);
    }
    let wrote = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    if !matches!(timeout(PATIENCE, wrote).await, Ok(Ok(()))) {
        return Ok(false);
    }
    let mut full = false;
    for number in batch {
        let read = timeout(PATIENCE, read_frame(stream, limits::MESSAGE_BYTES)).await;
        let Ok(Ok(Some(reply))) = read else { return Ok(false) };
        match canonical::decode(&reply, limits::MESSAGE_BYTES)? {
            ChainReply::Taken => shared.progress.taken(*number, validator),
            ChainReply::Refused(why) => {
                full = true;
                shared.progress.refused(*number, &why).context("a transaction was refused")?;
            }
            ChainReply::Blocks { .. } => bail!("blocks, which nobody asked for"),
        }
        *answered += 1;
    }
    if full {
        sleep(PAUSE).await;
    }
    Ok(true)
}

/// Takes blocks until all transactions are final.
async fn follow(
    shared: &Shared,
    validator: PublicKey,
    mut from: Height,
    count: usize,
) -> anyhow::Result<()> {
    let mut stream = open(&shared.streams, validator).await?;
    while shared.progress.finals() < count {
        let (_, blocks) = ask(&mut stream, from).await?;
        if blocks.is_empty() {
            sleep(POLL).await;
        }
        for (block, _) in blocks {
            from = block.header.height.next();
            let new = shared.progress.block(block.txs.iter().filter_map(txs::number_of));
            if shared.limited {
                shared.room.add_permits(new);
            }
        }
    }
    Ok(())
}

async fn open(streams: &network::Network, validator: PublicKey) -> anyhow::Result<Stream> {
    let end = Instant::now() + PATIENCE;
    loop {
        match streams.open(validator, CHAIN).await {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > end => return Err(error.into()),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn head(streams: &network::Network, validator: PublicKey) -> anyhow::Result<Height> {
    let mut stream = open(streams, validator).await?;
    Ok(ask(&mut stream, Height(u64::MAX)).await?.0)
}

type Blocks = Vec<(protocol::Block, Option<protocol::Certificate>)>;

async fn ask(stream: &mut Stream, from: Height) -> anyhow::Result<(Height, Blocks)> {
    let request = canonical::encode(&ChainRequest::Blocks { from });
    protocol::port::write_frame(stream, &request).await?;
    let reply = timeout(PATIENCE, read_frame(stream, limits::MESSAGE_BYTES)).await??;
    let reply = reply.context("the stream ended")?;
    match canonical::decode(&reply, limits::MESSAGE_BYTES)? {
        ChainReply::Blocks { head, blocks } => Ok((head, blocks)),
        _ => bail!("an answer to another question"),
    }
}
