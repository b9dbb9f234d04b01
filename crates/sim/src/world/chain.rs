//! The chain: the real ledger, with an engine that always agrees once enough validators are there.

use super::Polity;
use identity::{Digest, NetworkId, PublicKey, SecretKey};
use ledger::{CheckedTx, Effect, Ledger, Refusal};
use protocol::{
    Agreements, Block, Certificate, Finality, Height, Part, Time, Tx, merkle::Inclusion,
};
use std::collections::{BTreeMap, BTreeSet};

/// A transaction that waits, and the validators that have it.
struct Waiting {
    checked: CheckedTx,
    held_by: BTreeSet<PublicKey>,
}

/// All final blocks, and the transactions that wait.
pub(super) struct Chain {
    tip: Ledger,
    blocks: Vec<Made>,
    /// Where each transaction is: the place of its block, and its place there.
    index: BTreeMap<Digest, (usize, usize)>,
    pool: BTreeMap<Digest, Waiting>,
    /// The engine's view.
    view: u64,
}

/// A block, who certified it, its transactions, which were checked once for everybody, and what it
/// did to the ledger.
pub(super) struct Made {
    pub(super) block: Block,
    pub(super) checked: Vec<CheckedTx>,
    pub(super) after: Ledger,
    pub(super) effects: Vec<Effect>,
    view: u64,
    signers: Vec<PublicKey>,
}

/// What became of an attempt to make a block.
pub(super) struct Attempted {
    /// The new block, if there was something to say.
    pub(super) height: Option<Height>,
    /// Transactions that will never apply.
    pub(super) refused: Vec<(Tx, Refusal)>,
}

impl Chain {
    pub(super) fn new(polity: &Polity) -> Self {
        Self {
            tip: Ledger::genesis(&polity.genesis),
            blocks: Vec::new(),
            index: BTreeMap::new(),
            pool: BTreeMap::new(),
            view: 1,
        }
    }

    pub(super) fn tip(&self) -> &Ledger {
        &self.tip
    }

    pub(super) fn height(&self) -> Height {
        self.tip.tip().height
    }

    /// The block of a height above 0.
    pub(super) fn made(&self, height: Height) -> Option<&Made> {
        let place = usize::try_from(height.0.checked_sub(1)?).ok()?;
        self.blocks.get(place)
    }

    pub(super) fn blocks(&self) -> &[Made] {
        &self.blocks
    }

    pub(super) fn is_idle(&self) -> bool {
        self.pool.is_empty()
    }

    /// Whose turn it is.
    pub(super) fn leader(&self) -> PublicKey {
        let validators = self.tip.validators();
        validators[self.view as usize % validators.len()]
    }

    /// The leader's turn is over.
    pub(super) fn skip_view(&mut self) {
        self.view += 1;
    }

    /// These validators take a transaction. False if nobody ever will, because it does not hold by
    /// itself.
    pub(super) fn submit(
        &mut self,
        tx: Tx,
        network: NetworkId,
        held_by: impl IntoIterator<Item = PublicKey>,
    ) -> bool {
        let digest = tx.digest();
        if self.index.contains_key(&digest) {
            return true;
        }
        if let Some(waiting) = self.pool.get_mut(&digest) {
            waiting.held_by.extend(held_by);
            return true;
        }
        let held_by: BTreeSet<_> = held_by.into_iter().collect();
        match CheckedTx::new(tx, network) {
            Ok(checked) if !held_by.is_empty() => {
                self.pool.insert(digest, Waiting { checked, held_by });
                true
            }
            Ok(_) => true,
            Err(_) => false,
        }
    }

    /// What a validator had in memory is gone.
    pub(super) fn forget(&mut self, validator: &PublicKey) {
        self.pool.retain(|_, waiting| {
            waiting.held_by.remove(validator);
            !waiting.held_by.is_empty()
        });
    }

    /// Validators that reach each other tell each other what waits.
    pub(super) fn gossip(&mut self, group: &BTreeSet<PublicKey>) {
        for waiting in self.pool.values_mut() {
            if !waiting.held_by.is_disjoint(group) {
                waiting.held_by.extend(group);
            }
        }
    }

    /// The beacon that would follow if this validator proposed the next block.
    pub(super) fn beacon_by(&self, key: &SecretKey) -> Digest {
        let tip = self.tip.tip();
        let height = tip.height.next();
        protocol::beacon::contribute(key, self.tip.network(), &tip.beacon, height).1
    }

    /// A block that does not apply, made by a validator that may propose: a transaction of an
    /// earlier block once more, or a state that does not follow. Nobody takes it.
    ///
    /// # Panics
    /// If it applies.
    pub(super) fn spoil(&self, key: &SecretKey, now: Time) {
        let (mut block, _) = self.tip.propose(key, now, []);
        let mut checked = Vec::new();
        if let Some(again) = self.blocks.iter().rev().find_map(|made| made.checked.first()) {
            block.txs.push(again.tx().clone());
            block.header.tx_root = Block::tx_root(&block.txs);
            checked.push(again.clone());
        } else {
            block.header.state_root = Digest::default();
        }
        assert!(self.tip.apply(&block, &checked).is_err(), "a spoiled block applies");
    }

    /// The next block, proposed by the leader and certified by `voters`. The leader leaves out what
    /// it does not `want`.
    pub(super) fn make_block(
        &mut self,
        key: &SecretKey,
        now: Time,
        (voters, empty): (&BTreeSet<PublicKey>, bool),
        want: impl Fn(&Tx) -> bool,
    ) -> Attempted {
        let me = key.public();
        let seen = |waiting: &&Waiting| waiting.held_by.contains(&me) && want(waiting.checked.tx());
        let candidates = self.pool.values().filter(seen).map(|waiting| &waiting.checked);
        let (block, refused) = self.tip.propose(key, now, candidates);
        let refused: Vec<_> = refused
            .into_iter()
            .filter_map(|(digest, refusal)| {
                Some((self.pool.remove(&digest)?.checked.tx().clone(), refusal))
            })
            .collect();
        if block.txs.is_empty() && !empty && !self.tip.owes_block() {
            return Attempted { height: None, refused };
        }
        let taken = |tx: &Tx| self.pool.remove(&tx.digest()).map(|waiting| waiting.checked);
        let checked: Vec<_> = block.txs.iter().filter_map(taken).collect();
        let (after, effects) = self.tip.apply(&block, &checked).expect("what was proposed applies");
        for (place, checked) in checked.iter().enumerate() {
            self.index.insert(checked.digest(), (self.blocks.len(), place));
        }
        self.tip = after.clone();
        let (height, view) = (block.header.height, self.view);
        let signers = voters.iter().copied().collect();
        self.blocks.push(Made { block, checked, after, effects, view, signers });
        self.view += 1;
        Attempted { height: Some(height), refused }
    }

    /// Agreements with the proof that they are on the ledger.
    ///
    /// # Panics
    /// If they are not.
    pub(super) fn prove(&self, polity: &Polity, agreements: Agreements, tx: &Digest) -> Part {
        let (at, index) = *self.index.get(tx).expect("what is included is in a block");
        let Made { block, .. } = &self.blocks[at];
        let leaves: Vec<_> = block.txs.iter().map(Tx::encode).collect();
        let inclusion = Inclusion::of(&leaves, index).expect("the index is in the block");
        let certificate = self.blocks[at].certify(polity);
        let finality = Finality { above: Vec::new(), certificate };
        Part { agreements, header: block.header.clone(), inclusion, finality }
    }

    /// A transaction of a block.
    pub(super) fn find(&self, tx: &Digest) -> Option<&Tx> {
        let (at, index) = self.index.get(tx)?;
        self.blocks.get(*at)?.block.txs.get(*index)
    }
}

impl Made {
    /// The signatures of those who voted for the block.
    fn certify(&self, polity: &Polity) -> Certificate {
        let mut certificate = Certificate {
            epoch: 0,
            view: self.view,
            parent_view: self.view - 1,
            payload: self.block.header.digest(),
            signatures: Vec::new(),
        };
        let message = certificate.signing_bytes(polity.network());
        for (place, key) in (0_u32..).zip(&polity.genesis.validators) {
            if self.signers.contains(key) {
                let secret = polity.secret(key).expect("validators are nodes of the polity");
                certificate.signatures.push((place, secret.sign(&message)));
            }
        }
        certificate
    }
}
