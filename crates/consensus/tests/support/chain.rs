//! A ledger for tests: it keeps every final block in memory, and takes each transaction once.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use consensus::{Application, Call, Draft, Parent, Settings, Verdict};
use futures::FutureExt;
use identity::{Digest, NetworkId, PublicKey, SecretKey, Signed};
use protocol::{
    Block, Certificate, Header, Height, NamedBlock, NamedTx, Seconding, Time, Tx, port::Answer,
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

pub const NETWORK: NetworkId = NetworkId(Digest([42; 32]));

/// How far a block may be ahead of a validator's clock.
const DRIFT_MS: u64 = 10_000;

pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number + 1; 32])
}

/// Keys of so many validators, in the order of a genesis.
pub fn keys(count: usize) -> Vec<SecretKey> {
    let mut keys: Vec<_> = (0..count as u8).map(key).collect();
    keys.sort_by_key(SecretKey::public);
    keys
}

pub fn settings(count: usize) -> Settings {
    Settings {
        network: NETWORK,
        validators: keys(count).iter().map(SecretKey::public).collect(),
        leader_timeout_ms: 400,
        heartbeat_ms: 60_000,
    }
}

/// A transaction that differs from that of any other number.
pub fn tx(number: u64) -> Tx {
    let owner = PublicKey(Digest::of("tx", &[&number.to_be_bytes()]).0);
    Tx::Second(Signed::new(Seconding { owner }, NETWORK, &key(200)))
}

pub fn genesis_block() -> Block {
    Block {
        header: Header {
            network: NETWORK,
            height: Height(0),
            parent: Digest::default(),
            time: Time(0),
            proposer: None,
            beacon: Digest::default(),
            beacon_proof: Vec::new(),
            tx_root: Block::tx_root(&[]),
            state_root: Digest::default(),
            validators: Digest::default(),
        },
        txs: Vec::new(),
    }
}

/// The block after `parent` with these transactions, a millisecond later.
pub fn child(parent: &Block, txs: Vec<Tx>) -> Block {
    extend(&parent.header, txs, parent.header.time.after_ms(1), key(0).public())
}

fn extend(parent: &Header, txs: Vec<Tx>, time: Time, proposer: PublicKey) -> Block {
    let tx_root = Block::tx_root(&txs);
    let header = Header {
        height: parent.height.next(),
        parent: parent.digest(),
        time,
        proposer: Some(proposer),
        tx_root,
        state_root: state_root(parent, &tx_root),
        ..parent.clone()
    };
    Block { header, txs }
}

fn state_root(parent: &Header, tx_root: &Digest) -> Digest {
    Digest::of("state", &[parent.state_root.as_bytes(), tx_root.as_bytes()])
}

/// One final block.
#[derive(Clone)]
pub struct Final {
    pub block: Arc<NamedBlock>,
    pub certificate: Option<Certificate>,
}

/// A validator's ledger; it outlives restarts of consensus, as a ledger on disk would.
pub struct Chain {
    me: PublicKey,
    /// The header that block 1 follows.
    genesis: Header,
    state: Mutex<State>,
    height: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    blocks: Vec<Final>,
    txs: HashSet<Digest>,
    /// Transactions that are never put into a block.
    refused: HashSet<Digest>,
    /// How many blocks are wanted after the one with such a transaction.
    orders: HashMap<Digest, u64>,
    /// The height up to which blocks are wanted.
    wanted: u64,
    fails_at: Option<u64>,
    /// Heights that consensus handed over, in order.
    delivered: Vec<u64>,
}

impl Chain {
    pub fn new(me: PublicKey) -> Arc<Self> {
        Self::after(me, genesis_block().header)
    }

    /// A chain of another genesis.
    pub fn after(me: PublicKey, genesis: Header) -> Arc<Self> {
        Arc::new(Self { me, genesis, state: Mutex::default(), height: watch::Sender::new(0) })
    }

    /// The final blocks, from height 1 on.
    pub fn blocks(&self) -> Vec<Final> {
        self.state.lock().unwrap().blocks.clone()
    }

    pub fn height(&self) -> u64 {
        *self.height.borrow()
    }

    /// Waits until this height is final here.
    pub async fn reaches(&self, height: u64) {
        let mut heights = self.height.subscribe();
        heights.wait_for(|at| *at >= height).await.expect("the chain is at hand");
    }

    /// Waits until this transaction is final here; gives the height.
    pub async fn has(&self, digest: Digest) -> u64 {
        let mut heights = self.height.subscribe();
        loop {
            let blocks = self.blocks();
            let place = blocks.iter().find(|f| f.block.txs.iter().any(|tx| tx.digest() == digest));
            if let Some(place) = place {
                return place.block.header.height.0;
            }
            heights.changed().await.expect("the chain is at hand");
        }
    }

    /// Heights that consensus handed over, in order, repeated ones included.
    pub fn delivered(&self) -> Vec<u64> {
        self.state.lock().unwrap().delivered.clone()
    }

    /// Takes final blocks from another ledger.
    pub fn copy(&self, blocks: &[Final]) {
        for entry in blocks {
            self.take(entry.block.clone(), entry.certificate.clone()).expect("they follow");
        }
    }

    /// Never builds a block with this transaction, and says that it is stale.
    pub fn refuse(&self, digest: Digest) {
        self.state.lock().unwrap().refused.insert(digest);
    }

    /// Wants so many blocks after the one with this transaction.
    pub fn want_after(&self, digest: Digest, blocks: u64) {
        self.state.lock().unwrap().orders.insert(digest, blocks);
    }

    /// Wants blocks up to this height.
    pub fn want_up_to(&self, height: u64) {
        self.state.lock().unwrap().wanted = height;
    }

    /// Fails when it is given this height.
    pub fn fail_at(&self, height: u64) {
        self.state.lock().unwrap().fails_at = Some(height);
    }

    fn propose_now(&self, call: Call) -> Draft {
        let refused = self.state.lock().unwrap().refused.clone();
        let (stale, fine): (Vec<_>, Vec<_>) =
            call.candidates.iter().partition(|c| refused.contains(&c.digest()));
        let stale = stale.iter().map(|c| c.digest()).collect();
        let txs: Vec<Tx> = fine.iter().map(|c| c.tx().clone()).collect();
        if txs.is_empty() && !call.due {
            return Draft { block: None, stale };
        }
        let parent = &call.parent.header;
        let time = call.now.max(parent.time.after_ms(1));
        Draft { block: Some(extend(parent, txs, time, self.me)), stale }
    }

    fn verify_now(&self, parent: &Parent, block: &Block, now: Time) -> Verdict {
        let wrong = |reason: &str| Verdict::Invalid(reason.into());
        let header = &block.header;
        if header.height.0 <= self.height() {
            return Verdict::Moot;
        }
        if header.time <= parent.header.time {
            return wrong("time does not go backwards");
        }
        if header.time > now.after_ms(DRIFT_MS) {
            return Verdict::NotBefore(Time(header.time.0 - DRIFT_MS));
        }
        if header.state_root != state_root(&parent.header, &header.tx_root) {
            return wrong("another state");
        }
        let mut seen = self.state.lock().unwrap().txs.clone();
        seen.extend(parent.pending.iter().flat_map(|b| &b.txs).map(Tx::digest));
        if block.txs.iter().any(|tx| !seen.insert(tx.digest())) {
            return wrong("a transaction twice");
        }
        Verdict::Valid
    }

    /// Keeps a final block, which must follow the last one or be known.
    pub fn take(
        &self,
        block: Arc<NamedBlock>,
        certificate: Option<Certificate>,
    ) -> Result<(), String> {
        let mut state = self.state.lock().unwrap();
        let height = block.header.height.0;
        if state.fails_at == Some(height) {
            return Err("told to fail".into());
        }
        if let Some(known) = state.blocks.get(height as usize - 1) {
            let same = known.block.header == block.header;
            return if same { Ok(()) } else { Err(format!("two blocks of height {height}")) };
        }
        let parent = state.blocks.last().map_or(&self.genesis, |f| &f.block.header);
        if parent.digest() != block.header.parent || parent.height.next() != block.header.height {
            return Err(format!("block {height} does not follow"));
        }
        let ordered = block.txs.iter().filter_map(|tx| state.orders.get(&tx.digest())).max();
        state.wanted = state.wanted.max(ordered.map_or(0, |blocks| height + blocks));
        state.txs.extend(block.txs.iter().map(Tx::digest));
        state.blocks.push(Final { block, certificate });
        drop(state);
        self.height.send_replace(height);
        Ok(())
    }
}

/// What consensus gets: a handle to the ledger.
pub struct Ledger(pub Arc<Chain>);

impl Application for Ledger {
    fn genesis(&self) -> Block {
        genesis_block()
    }

    fn check(&self, txs: &[Arc<NamedTx>]) -> Vec<Result<(), String>> {
        let state = self.0.state.lock().unwrap();
        let check = |tx: &Arc<NamedTx>| match state.txs.contains(&tx.digest()) {
            true => Err("it is on the chain already".into()),
            false => Ok(()),
        };
        txs.iter().map(check).collect()
    }

    fn propose(&self, call: Call) -> Answer<'static, Draft> {
        let chain = self.0.clone();
        async move { chain.propose_now(call) }.boxed()
    }

    fn verify(
        &self,
        parent: Parent,
        block: Arc<NamedBlock>,
        now: Time,
    ) -> Answer<'static, Verdict> {
        let chain = self.0.clone();
        async move { chain.verify_now(&parent, &block, now) }.boxed()
    }

    fn finalized(
        &self,
        block: Arc<NamedBlock>,
        certificate: Option<Certificate>,
    ) -> Answer<'static, Result<(), String>> {
        let chain = self.0.clone();
        async move {
            chain.state.lock().unwrap().delivered.push(block.header.height.0);
            chain.take(block, certificate)
        }
        .boxed()
    }

    fn wants_block(&self) -> bool {
        self.0.height() < self.0.state.lock().unwrap().wanted
    }
}
