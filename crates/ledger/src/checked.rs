//! Transactions whose signatures and proofs were checked once.

use crate::effort;
use identity::{AtOnce, Batch, Digest, NetworkId, Notary};
use protocol::{
    Admission, Cause, Claimed, Dispute, Error, Job, JobId, NamedTx, Settled, Tx, Verdicts, merkle,
};
use std::sync::Arc;

/// So many signatures are not worth halving.
const FEW: usize = 4;

/// A transaction that holds by itself: every signature, root and opening. Whether it applies only
/// the state knows. Checking is the expensive part, so it is done once for each transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTx {
    named: Arc<NamedTx>,
    /// Its leaf in the tree of a block.
    leaf: Digest,
    effort: u64,
    found: Found,
}

/// What the checks found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// The job that it orders.
    Ordered(JobId),
    /// The tasks that it settles, and of which job.
    Settled(JobId, Vec<Settled>),
    /// Who claims what.
    Claimed(Claimed),
    /// What an accusation proves, if it proves anything.
    Proven(Option<Cause>),
}

impl CheckedTx {
    /// Checks everything that needs no state.
    ///
    /// # Errors
    /// What does not hold.
    pub fn new(tx: Tx, network: NetworkId) -> Result<Self, Error> {
        Self::by(Arc::new(NamedTx::new(tx)), network, &mut AtOnce)
    }

    /// Checks many transactions, with one look at the signatures of all of them. The answers are
    /// those of [`Self::new`].
    pub fn many(txs: &[Arc<NamedTx>], network: NetworkId) -> Vec<Result<Self, Error>> {
        let mut seen = Vec::with_capacity(txs.len());
        let mut batches = Vec::with_capacity(txs.len());
        for (place, tx) in txs.iter().enumerate() {
            let mut batch = Batch::default();
            let checked = Self::by(tx.clone(), network, &mut batch);
            if checked.is_ok() {
                batches.push((place, batch));
            }
            seen.push(checked);
        }
        for place in wrong(&batches) {
            // The single check says the same, and why.
            seen[place] = Self::by(txs[place].clone(), network, &mut AtOnce);
        }
        seen
    }

    fn by(
        named: Arc<NamedTx>,
        network: NetworkId,
        notary: &mut impl Notary,
    ) -> Result<Self, Error> {
        let mut found = Found::Nothing;
        match named.tx() {
            Tx::Admit(admission) => Admission::check(admission, network)?,
            Tx::Second(seconding) => seconding.check(network)?,
            Tx::Order(order) => {
                Job::check_by(order, network, notary)?;
                found = Found::Ordered(order.payload.id());
            }
            Tx::Verdict(verdicts) => Verdicts::check(verdicts, network)?,
            Tx::Audit(audit) => audit.check(network)?,
            Tx::Agree(agreements) => {
                let settled = agreements.check_by(network, notary)?;
                found = Found::Settled(agreements.order.payload.id(), settled);
            }
            Tx::Dispute(dispute) => found = Found::Claimed(Dispute::check(dispute, network)?),
            Tx::Accuse(accusation) => {
                accusation.check(network)?;
                // One that proves nothing is taken too, and recorded against its author.
                found = Found::Proven(accusation.payload.check(network).ok());
            }
        }
        let size_bytes = named.bytes().len();
        if size_bytes > protocol::limits::TX_BYTES {
            let limit_bytes = protocol::limits::TX_BYTES;
            return Err(identity::Error::TooLarge { size_bytes, limit_bytes }.into());
        }
        let effort = effort::of(named.tx());
        if effort > effort::OF_BLOCK {
            let reason =
                format!("it costs {effort} to check, a block {} at most", effort::OF_BLOCK);
            return Err(Error::Invalid { noun: "transaction", reason });
        }
        let leaf = merkle::leaf(named.bytes());
        Ok(Self { named, leaf, effort, found })
    }

    /// The transaction.
    pub fn tx(&self) -> &Tx {
        self.named.tx()
    }

    /// Its name.
    pub fn digest(&self) -> Digest {
        self.named.digest()
    }

    /// Its leaf in the tree over the transactions of a block.
    pub(crate) fn leaf(&self) -> Digest {
        self.leaf
    }

    /// Bytes of its encoding.
    pub fn size_bytes(&self) -> usize {
        self.named.bytes().len()
    }

    /// What it costs to check, of what a block may.
    pub(crate) fn effort(&self) -> u64 {
        self.effort
    }

    /// What the checks found.
    pub(crate) fn found(&self) -> &Found {
        &self.found
    }
}

/// The places of those batches that do not hold, in order: all are looked at together, and if they
/// do not hold, each half of them.
fn wrong(batches: &[(usize, Batch)]) -> Vec<usize> {
    let mut all = Batch::default();
    batches.iter().for_each(|(_, batch)| all.append(batch));
    let signatures = all.len();
    if signatures == 0 || all.holds() {
        return Vec::new();
    }
    if batches.len() == 1 || signatures <= FEW {
        return batches.iter().map(|(place, _)| *place).collect();
    }
    let (left, right) = batches.split_at(batches.len() / 2);
    let mut places = wrong(left);
    places.append(&mut wrong(right));
    places
}
