//! Transactions whose signatures and proofs were checked once.

use identity::{Digest, NetworkId};
use protocol::{Admission, Cause, Claimed, Dispute, Error, Job, Settled, Tx, Verdicts};

/// A transaction that holds by itself: every signature, root and opening. Whether it applies only
/// the state knows. Checking is the expensive part, so it is done once for each transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTx {
    tx: Tx,
    digest: Digest,
    size_bytes: usize,
    found: Found,
}

/// What the checks found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// The tasks that it settles.
    Settled(Vec<Settled>),
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
        let mut found = Found::Nothing;
        match &tx {
            Tx::Admit(admission) => Admission::check(admission, network)?,
            Tx::Second(seconding) => seconding.check(network)?,
            Tx::Order(order) => Job::check(order, network)?,
            Tx::Verdict(verdicts) => Verdicts::check(verdicts, network)?,
            Tx::Audit(audit) => audit.check(network)?,
            Tx::Agree(agreements) => found = Found::Settled(agreements.check(network)?),
            Tx::Dispute(dispute) => found = Found::Claimed(Dispute::check(dispute, network)?),
            Tx::Accuse(accusation) => {
                accusation.check(network)?;
                // One that proves nothing is taken too, and recorded against its author.
                found = Found::Proven(accusation.payload.check(network).ok());
            }
        }
        let bytes = tx.encode();
        if bytes.len() > protocol::limits::TX_BYTES {
            let size_bytes = bytes.len();
            let limit_bytes = protocol::limits::TX_BYTES;
            return Err(identity::Error::TooLarge { size_bytes, limit_bytes }.into());
        }
        let digest = tx.digest();
        Ok(Self { tx, digest, size_bytes: bytes.len(), found })
    }

    /// The transaction.
    pub fn tx(&self) -> &Tx {
        &self.tx
    }

    /// Its name.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of its encoding.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// What the checks found.
    pub(crate) fn found(&self) -> &Found {
        &self.found
    }
}
