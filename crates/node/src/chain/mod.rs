//! The chain on this node: the journal of final blocks, the state after them, and proofs.

mod application;
mod checked;
mod contradicting;
mod follow;
mod rulings;
mod serve;

pub(crate) use application::{Fair, Proposer, Proposing};
pub(crate) use contradicting::accuse_contradicting;
pub(crate) use follow::{announce, catch_up, follow};
pub(crate) use serve::{Submit, ask, serve, submit_to_validators};

use crate::places::IsAdmitted;
use bytes::Bytes;
use checked::Cache;
use identity::{Digest, NetworkId, PublicKey, canonical};
use ledger::{CheckedTx, Ledger};
use protocol::{
    Block, Certificate, Finality, Genesis, Header, Height, JobId, Machine, NamedBlock, NamedTx, Tx,
    limits,
    merkle::Inclusion,
    port::{Log, LogError},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::watch;

/// Blocks between two snapshots of the state.
const SNAPSHOT_BLOCKS: u64 = 512;
/// Name of the snapshot beside the log.
const SNAPSHOT: &str = "state";
/// Transactions whose place is remembered; older ones are found by reading the journal.
const PLACES: usize = 100_000;

/// Why the chain could not be read or extended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainError {
    /// The journal failed: this node must stop.
    #[error("the journal of the chain: {0}")]
    Log(#[from] LogError),
    /// What the journal holds is not this chain.
    #[error(
        "the journal of the chain does not continue at block {height}: {reason}; set the directory 'chain' aside and start again, the node will fetch the chain from its peers"
    )]
    Damaged {
        /// Where.
        height: Height,
        /// What is wrong.
        reason: String,
    },
    /// A final block that does not apply: validators of another opinion than ours.
    #[error(
        "block {height} is certified and does not apply here: {reason}; this node stops rather than follow a chain it cannot check"
    )]
    Broken {
        /// The block.
        height: Height,
        /// Why.
        reason: String,
    },
    /// A block that leaves a gap.
    #[error("block {got} does not follow block {tip}")]
    Gap {
        /// The last block here.
        tip: Height,
        /// The block offered.
        got: Height,
    },
}

/// The chain. A cheap handle; clones share everything.
#[derive(Clone)]
pub(crate) struct Chain(Arc<Inner>);

struct Inner {
    genesis: Genesis,
    network: NetworkId,
    log: Arc<dyn Log>,
    state: Mutex<State>,
    /// Held while a block is written: one writer, and readers never wait for the disk.
    writing: tokio::sync::Mutex<()>,
    head: watch::Sender<Height>,
}

struct State {
    ledger: Arc<Ledger>,
    /// States after proposals that are not final, by the digest of their header.
    proposals: BTreeMap<Digest, Arc<Ledger>>,
    checked: Cache,
    places: HashMap<Digest, Height>,
}

impl Chain {
    /// Opens the journal and computes the state after its last block.
    ///
    /// # Errors
    /// If the journal cannot be read, or is not of this genesis.
    pub(crate) async fn open(genesis: Genesis, log: Arc<dyn Log>) -> Result<Self, ChainError> {
        let mut ledger = Ledger::genesis(&genesis);
        if let Some(bytes) = log.value(SNAPSHOT).await? {
            let stored: Ledger = canonical::decode(&bytes, usize::MAX).map_err(|error| {
                ChainError::Damaged { height: Height(0), reason: error.to_string() }
            })?;
            if stored.network() != genesis.network() {
                let reason = format!("it is of network {}", stored.network());
                return Err(ChainError::Damaged { height: stored.tip().height, reason });
            }
            ledger = stored;
        }
        let mut places = HashMap::new();
        let range = log.range();
        for height in (ledger.tip().height.0 + 1).max(range.start)..range.end {
            let height = Height(height);
            let (block, ..) = read_entry(log.as_ref(), height).await?;
            remember(&mut places, height, block.txs.iter().map(Tx::digest));
            let mut effects = Vec::new();
            ledger.step(block.header.time, block, &mut effects);
            if ledger.tip().height != height {
                return Err(ChainError::Damaged { height, reason: format!("{effects:?}") });
            }
        }
        let (head, _) = watch::channel(ledger.tip().height);
        let network = genesis.network();
        let state = State {
            ledger: Arc::new(ledger),
            proposals: BTreeMap::new(),
            checked: Cache::default(),
            places,
        };
        let inner = Inner {
            genesis,
            network,
            log,
            state: Mutex::new(state),
            writing: tokio::sync::Mutex::new(()),
            head,
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The genesis document.
    pub(crate) fn genesis(&self) -> &Genesis {
        &self.0.genesis
    }

    /// The network.
    pub(crate) fn network(&self) -> NetworkId {
        self.0.network
    }

    /// The state after the last final block.
    pub(crate) fn ledger(&self) -> Arc<Ledger> {
        self.state().ledger.clone()
    }

    /// Whether a node is in the roster.
    pub(crate) fn admits(&self, node: &PublicKey) -> bool {
        self.ledger().roster().node(node).is_some()
    }

    /// The same for whoever asks again and again.
    pub(crate) fn is_admitted(&self) -> IsAdmitted {
        let chain = self.clone();
        Arc::new(move |node| chain.admits(node))
    }

    /// Tells the height of the last final block, now and whenever it grows.
    pub(crate) fn head(&self) -> watch::Receiver<Height> {
        self.0.head.subscribe()
    }

    /// Takes a final block, durably. One that is here already changes nothing.
    ///
    /// # Errors
    /// If the journal fails or the block does not apply: then this node must stop.
    pub(crate) async fn extend(
        &self,
        block: &NamedBlock,
        certificate: Option<Certificate>,
    ) -> Result<(), ChainError> {
        let _writing = self.0.writing.lock().await;
        let height = block.header.height;
        let tip = self.ledger();
        if height <= tip.tip().height {
            return Ok(());
        }
        if height != tip.tip().height.next() {
            return Err(ChainError::Gap { tip: tip.tip().height, got: height });
        }
        let next = self.after(&tip, block)?;
        let entry = Bytes::from(canonical::encode(&(&**block, &certificate)));
        self.0.log.append(height.0, vec![entry]).await?;
        {
            let mut state = self.state();
            state.ledger = next.clone();
            state.proposals.retain(|_, ledger| ledger.tip().height > height);
            block.names().iter().for_each(|name| state.checked.forget(name));
            remember(&mut state.places, height, block.names().iter().copied());
        }
        if height.0.is_multiple_of(SNAPSHOT_BLOCKS) {
            let snapshot = canonical::encode(next.as_ref());
            self.0.log.set(SNAPSHOT, snapshot.into()).await?;
        }
        self.0.head.send_replace(height);
        Ok(())
    }

    /// The state after a block: known from verifying the proposal, or computed now.
    fn after(&self, tip: &Ledger, block: &NamedBlock) -> Result<Arc<Ledger>, ChainError> {
        if let Some(known) = self.state().proposals.get(&block.header.digest()) {
            return Ok(known.clone());
        }
        let height = block.header.height;
        let broken = |reason: String| ChainError::Broken { height, reason };
        let checked = self.check_block(block).map_err(|e| broken(e.to_string()))?;
        let (next, _) = tip.apply(block, &checked).map_err(|e| broken(e.to_string()))?;
        Ok(Arc::new(next))
    }

    /// A final block with its own certificate, if it has one; `None` above the head.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn block(
        &self,
        height: Height,
    ) -> Result<Option<(Block, Option<Certificate>)>, ChainError> {
        Ok(self.entry(height).await?.map(|(block, certificate, _)| (block, certificate)))
    }

    /// As [`Self::block`], with the bytes that both take.
    async fn entry(
        &self,
        height: Height,
    ) -> Result<Option<(Block, Option<Certificate>, usize)>, ChainError> {
        if !self.0.log.range().contains(&height.0) {
            return Ok(None);
        }
        read_entry(self.0.log.as_ref(), height).await.map(Some)
    }

    /// Where a transaction is, if it is final.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn find(&self, tx: &Digest) -> Result<Option<(Block, usize)>, ChainError> {
        let known = self.state().places.get(tx).copied();
        let heights = match known {
            Some(height) => height.0..height.0 + 1,
            None => self.0.log.range(),
        };
        for height in heights.rev() {
            let (block, ..) = read_entry(self.0.log.as_ref(), Height(height)).await?;
            if let Some(index) = block.txs.iter().position(|other| other.digest() == *tx) {
                return Ok(Some((block, index)));
            }
        }
        Ok(None)
    }

    /// The proof that the transaction at `index` of `block` is final; `None` while no block from
    /// there on has its own certificate.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn prove(
        &self,
        block: &Block,
        index: usize,
    ) -> Result<Option<(Inclusion, Finality)>, ChainError> {
        let leaves: Vec<_> = block.txs.iter().map(Tx::encode).collect();
        let Some(inclusion) = Inclusion::of(&leaves, index) else { return Ok(None) };
        Ok(self.finality(block).await?.map(|finality| (inclusion, finality)))
    }

    /// Why a final block is final; `None` while no block from there on has its own certificate.
    ///
    /// # Errors
    /// If the journal fails.
    pub(crate) async fn finality(&self, block: &Block) -> Result<Option<Finality>, ChainError> {
        let mut above: Vec<Header> = Vec::new();
        let mut height = block.header.height;
        loop {
            let Some((found, certificate)) = self.block(height).await? else { return Ok(None) };
            if height > block.header.height {
                above.push(found.header);
            }
            if let Some(certificate) = certificate {
                return Ok(Some(Finality { above, certificate }));
            }
            height = height.next();
        }
    }

    /// Checks a transaction by itself, once, and remembers that it holds.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(&self, tx: &Tx) -> Result<Arc<CheckedTx>, protocol::Error> {
        let tx = Arc::new(NamedTx::new(tx.clone()));
        self.check_all(&[tx]).pop().expect("one answer for each")
    }

    /// Checks transactions by themselves, those that are not known all at once.
    fn check_all(&self, txs: &[Arc<NamedTx>]) -> Vec<Result<Arc<CheckedTx>, protocol::Error>> {
        let known: Vec<_> = {
            let state = self.state();
            txs.iter().map(|tx| state.checked.get(&tx.digest())).collect()
        };
        let is_new = |(tx, known): (&Arc<NamedTx>, &Option<_>)| known.is_none().then(|| tx.clone());
        let new: Vec<_> = txs.iter().zip(&known).filter_map(is_new).collect();
        let found = CheckedTx::many(&new, self.0.network);
        let mut found = found.into_iter().map(|checked| checked.map(Arc::new));
        let mut state = self.state();
        let checked = known.into_iter().map(|known| match known {
            Some(known) => Ok(known),
            None => found.next().expect("one answer for each").inspect(|checked| {
                state.checked.insert(checked.clone());
            }),
        });
        checked.collect()
    }

    fn check_block(&self, block: &NamedBlock) -> Result<Vec<Arc<CheckedTx>>, protocol::Error> {
        let known: Option<Vec<_>> = {
            let state = self.state();
            block.names().iter().map(|name| state.checked.get(name)).collect()
        };
        if let Some(known) = known {
            return Ok(known);
        }
        let txs: Vec<_> = block.txs.iter().cloned().map(NamedTx::new).map(Arc::new).collect();
        self.check_all(&txs).into_iter().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("nobody panics while holding the state")
    }
}

fn remember(
    places: &mut HashMap<Digest, Height>,
    height: Height,
    names: impl Iterator<Item = Digest>,
) {
    if places.len() > PLACES {
        places.clear();
    }
    places.extend(names.map(|name| (name, height)));
}

async fn read_entry(
    log: &dyn Log,
    height: Height,
) -> Result<(Block, Option<Certificate>, usize), ChainError> {
    let damaged = |reason: String| ChainError::Damaged { height, reason };
    let entries = log.read(height.0..height.0 + 1).await?;
    let bytes = entries.first().ok_or_else(|| damaged("the entry is missing".into()))?;
    let limit = limits::BLOCK_BYTES + (64 << 10);
    let entry = canonical::decode(bytes, limit).map_err(|error| damaged(error.to_string()));
    entry.map(|(block, certificate)| (block, certificate, bytes.len()))
}

/// What a final block means for one job, for whoever waits for it.
pub(crate) fn settled_in(block: &Block) -> impl Iterator<Item = (JobId, Digest, &Tx)> {
    block.txs.iter().filter_map(|tx| match tx {
        Tx::Agree(agreements) => Some((agreements.order.payload.id(), tx.digest(), tx)),
        _ => None,
    })
}
