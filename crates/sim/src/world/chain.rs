//! The chain: the real ledger, with an engine that always agrees once enough validators are there.

use super::Polity;
use identity::{Digest, NetworkId, PublicKey};
use ledger::{CheckedTx, Ledger, Refusal};
use protocol::{
    Agreements, Block, Certificate, Finality, Height, JobId, Part, TaskIndex, Time, Tx,
    merkle::Inclusion,
};
use std::collections::BTreeMap;

/// All final blocks, and the transactions that wait.
pub(super) struct Chain {
    tip: Ledger,
    blocks: Vec<Made>,
    pool: BTreeMap<Digest, CheckedTx>,
}

/// A block, why it is final, and its transactions, which were checked once for everybody.
pub(super) struct Made {
    pub(super) block: Block,
    pub(super) checked: Vec<CheckedTx>,
    certificate: Certificate,
}

/// What became of an attempt to make a block.
pub(super) struct Attempted {
    /// The new block, if there was a quorum and something to say.
    pub(super) height: Option<Height>,
    /// Transactions that will never apply.
    pub(super) refused: Vec<(Tx, Refusal)>,
}

impl Chain {
    pub(super) fn new(polity: &Polity) -> Self {
        let tip = Ledger::genesis(&polity.genesis);
        Self { tip, blocks: Vec::new(), pool: BTreeMap::new() }
    }

    pub(super) fn height(&self) -> Height {
        self.tip.tip().height
    }

    /// The block of a height above 0.
    pub(super) fn made(&self, height: Height) -> Option<&Made> {
        let place = usize::try_from(height.0.checked_sub(1)?).ok()?;
        self.blocks.get(place)
    }

    pub(super) fn is_final(&self, job: &JobId, task: TaskIndex) -> bool {
        self.tip.is_final(job, task)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pool.is_empty()
    }

    /// Takes a transaction.
    ///
    /// # Panics
    /// If it does not hold by itself: nobody here says such a thing.
    pub(super) fn submit(&mut self, tx: Tx, network: NetworkId) {
        let digest = tx.digest();
        let known = self.pool.contains_key(&digest) || self.find(&digest).is_some();
        if !known {
            let checked = CheckedTx::new(tx, network).expect("a home publishes what holds");
            self.pool.insert(digest, checked);
        }
    }

    /// The next block, proposed in turn and certified by those validators that are there.
    pub(super) fn make_block(
        &mut self,
        polity: &Polity,
        now: Time,
        is_up: impl Fn(&PublicKey) -> bool,
    ) -> Attempted {
        let validators = &polity.genesis.validators;
        let up: Vec<_> = (0_u32..).zip(validators).filter(|(_, key)| is_up(key)).collect();
        if up.len() < Certificate::quorum(validators.len()) {
            return Attempted { height: None, refused: Vec::new() };
        }
        let height = self.height().next();
        let (_, proposer) = up[height.0 as usize % up.len()];
        let key = polity.validator(proposer).expect("validators are nodes of the polity");
        let (block, refused) = self.tip.propose(key, now, self.pool.values());
        let refused: Vec<_> = refused
            .into_iter()
            .filter_map(|(digest, refusal)| {
                Some((self.pool.remove(&digest)?.tx().clone(), refusal))
            })
            .collect();
        if block.txs.is_empty() {
            return Attempted { height: None, refused };
        }
        let taken = |tx: &Tx| self.pool.remove(&tx.digest());
        let checked: Vec<_> = block.txs.iter().filter_map(taken).collect();
        let mut certificate = Certificate {
            epoch: 0,
            view: height.0,
            parent_view: height.0 - 1,
            payload: block.header.digest(),
            signatures: Vec::new(),
        };
        let message = certificate.signing_bytes(polity.network());
        for (place, key) in up {
            let secret = polity.validator(key).expect("validators are nodes of the polity");
            certificate.signatures.push((place, secret.sign(&message)));
        }
        let (next, _) = self.tip.apply(&block, &checked).expect("what was proposed applies");
        self.tip = next;
        self.blocks.push(Made { block, checked, certificate });
        Attempted { height: Some(height), refused }
    }

    /// Agreements with the proof that they are on the ledger.
    ///
    /// # Panics
    /// If they are not.
    pub(super) fn prove(&self, agreements: Agreements, tx: &Digest) -> Part {
        let (at, index) = self.find(tx).expect("what is included is in a block");
        let Made { block, certificate, .. } = &self.blocks[at];
        let leaves: Vec<_> = block.txs.iter().map(Tx::encode).collect();
        let inclusion = Inclusion::of(&leaves, index).expect("the index is in the block");
        let finality = Finality { above: Vec::new(), certificate: certificate.clone() };
        Part { agreements, header: block.header.clone(), inclusion, finality }
    }

    fn find(&self, tx: &Digest) -> Option<(usize, usize)> {
        let place = |block: &Block| block.txs.iter().position(|other| other.digest() == *tx);
        self.blocks
            .iter()
            .enumerate()
            .find_map(|(at, made)| place(&made.block).map(|index| (at, index)))
    }
}
