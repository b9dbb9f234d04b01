//! Making and applying blocks.

use crate::{CheckedTx, Effect, Error, Ledger, Refusal, effort, handle};
use identity::{Digest, SecretKey};
use protocol::{Block, Header, Height, Time, Tx, beacon, limits, merkle};
use std::borrow::Borrow;

/// What a block may take beside its transactions: the header and the framing.
const HEADER_BYTES: usize = 4096;

impl Ledger {
    /// Makes the next block of those candidates that apply, in their order, and tells which of the
    /// others never will.
    pub fn propose<'a>(
        &self,
        key: &SecretKey,
        now: Time,
        candidates: impl IntoIterator<Item = &'a CheckedTx>,
    ) -> (Block, Vec<(Digest, Refusal)>) {
        let height = self.tip.height.next();
        let time = Time(now.0.max(self.tip.time.0 + 1));
        let (beacon_proof, beacon) =
            beacon::contribute(key, self.network, &self.tip.beacon, height);
        let mut unused = Vec::new();
        let mut next = self.begin((height, time, beacon), &mut unused);
        let (mut taken, mut refused, mut size_bytes) = (Vec::new(), Vec::new(), HEADER_BYTES);
        let mut effort = 0;
        for checked in candidates {
            if size_bytes + checked.size_bytes() > limits::BLOCK_BYTES
                || effort + checked.effort() > effort::OF_BLOCK
            {
                continue;
            }
            match handle::tx(&mut next, height, time, checked, &mut unused) {
                Ok(()) => {
                    size_bytes += checked.size_bytes();
                    effort += checked.effort();
                    taken.push(checked);
                }
                Err(refusal) if refusal.is_passing() => {}
                Err(refusal) => refused.push((checked.digest(), refusal)),
            }
        }
        let header = Header {
            network: self.network,
            height,
            parent: self.tip.digest(),
            time,
            proposer: Some(key.public()),
            beacon,
            beacon_proof,
            tx_root: tx_root(taken.iter().copied()),
            state_root: next.root(),
            validators: self.tip.validators,
        };
        let txs = taken.into_iter().map(|checked| checked.tx().clone()).collect();
        (Block { header, txs }, refused)
    }

    /// Whether a transaction applies to this state, for the queue of waiting ones.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_tx(&self, tx: &CheckedTx) -> Result<(), Refusal> {
        let (height, time) = (self.tip.height.next(), Time(self.tip.time.0 + 1));
        handle::tx(&mut self.clone(), height, time, tx, &mut Vec::new())
    }

    /// The state after `block`, whose transactions are `checked` in order: everything in the header
    /// must hold and every transaction must apply. The clock is not looked at: whoever votes
    /// compares [`Header::time`] with it.
    ///
    /// # Errors
    /// Why the block does not apply.
    pub fn apply<C: Borrow<CheckedTx>>(
        &self,
        block: &Block,
        checked: &[C],
    ) -> Result<(Self, Vec<Effect>), Error> {
        let header = &block.header;
        let height = header.height;
        self.check_header(header)?;
        let checked = || checked.iter().map(Borrow::borrow);
        let same = block.txs.len() == checked().len()
            && block.txs.iter().zip(checked()).all(|(tx, checked)| tx == checked.tx());
        if !same || tx_root(checked()) != header.tx_root {
            return Err(Error::Root { height, root: "transaction" });
        }
        if checked().map(CheckedTx::effort).sum::<u64>() > effort::OF_BLOCK {
            return Err(Error::Effort(height));
        }
        let mut effects = Vec::new();
        let mut next = self.begin((height, header.time, header.beacon), &mut effects);
        for tx in checked() {
            handle::tx(&mut next, height, header.time, tx, &mut effects)
                .map_err(|refusal| Error::Tx { height, digest: tx.digest(), refusal })?;
        }
        if next.root() != header.state_root {
            return Err(Error::Root { height, root: "state" });
        }
        next.tip = header.clone();
        Ok((next, effects))
    }

    /// Applies a block, checking its transactions first.
    ///
    /// # Errors
    /// Why the block does not apply.
    pub fn apply_final(&self, block: &Block) -> Result<(Self, Vec<Effect>), Error> {
        let height = block.header.height;
        let check = |tx: &Tx| {
            CheckedTx::new(tx.clone(), self.network).map_err(|error| Error::Tx {
                height,
                digest: tx.digest(),
                refusal: error.into(),
            })
        };
        let checked: Vec<_> = block.txs.iter().map(check).collect::<Result<_, _>>()?;
        self.apply(block, &checked)
    }

    /// The state before the first transaction of a block.
    fn begin(
        &self,
        (height, time, beacon): (Height, Time, Digest),
        effects: &mut Vec<Effect>,
    ) -> Self {
        let mut next = self.clone();
        next.beacons.push(beacon);
        // Handlers see the block that they are in; `apply` puts the whole header in place.
        next.tip.height = height;
        next.tip.time = time;
        next.tip.beacon = beacon;
        next.prune(time);
        if next.standing.is_over(time) {
            next.release(height, time, effects);
        }
        if !next.audits.recent.is_empty() {
            let at = (height, time, &beacon);
            for job in next.audits.pick(at, &next.roster, &next.params) {
                next.jobs.picked(&job);
            }
        }
        for (job, task) in next.disputes.overdue(time) {
            let filed = next.disputes.get(&job, task).and_then(|r| r.txs.first().copied());
            let (tx, _) = filed.unwrap_or_default();
            next.give_up((job, task), (tx, height, time), effects);
        }
        if next.disputes.is_stale(time) {
            next.disputes.prune(time);
        }
        next
    }

    /// Forgets what has expired. Parts of which nothing has stay shared.
    fn prune(&mut self, time: Time) {
        self.spent.prune(time);
        self.jobs.prune(time);
        self.orders.prune(time);
        self.audits.prune(time);
        if self.standing.is_stale(time) {
            self.standing.prune(time);
        }
    }

    fn check_header(&self, header: &Header) -> Result<(), Error> {
        let height = header.height;
        if height != self.tip.height.next() {
            return Err(Error::NotNext { tip: self.tip.height, got: height });
        }
        if header.parent != self.tip.digest() {
            return Err(Error::Parent(height));
        }
        if header.network != self.network || header.validators != self.tip.validators {
            return Err(Error::Foreign(height));
        }
        if header.time <= self.tip.time {
            return Err(Error::Time { height, time: header.time });
        }
        let proposer = header
            .proposer
            .filter(|key| self.validators.binary_search(key).is_ok())
            .ok_or(Error::Proposer(height))?;
        let proof = &header.beacon_proof;
        let beacon = beacon::check(&proposer, self.network, &self.tip.beacon, height, proof)
            .map_err(Error::Beacon)?;
        if beacon != header.beacon {
            return Err(Error::Beacon(protocol::Error::Beacon { height, proposer }));
        }
        Ok(())
    }
}

/// The root over transactions whose leaves are known.
fn tx_root<'a>(checked: impl Iterator<Item = &'a CheckedTx>) -> Digest {
    let leaves: Vec<_> = checked.map(CheckedTx::leaf).collect();
    merkle::root_of(&leaves)
}
