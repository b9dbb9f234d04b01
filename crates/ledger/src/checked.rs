//! Transactions whose signatures and proofs were checked once.

use identity::{Digest, NetworkId};
use protocol::{Admission, Error, Settled, Tx};

/// A transaction that holds by itself: every signature, root and opening. Whether it applies only
/// the state knows. Checking is the expensive part, so it is done once for each transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTx {
    tx: Tx,
    digest: Digest,
    size_bytes: usize,
    settled: Vec<Settled>,
}

impl CheckedTx {
    /// Checks everything that needs no state.
    ///
    /// # Errors
    /// What does not hold.
    pub fn new(tx: Tx, network: NetworkId) -> Result<Self, Error> {
        let settled = match &tx {
            Tx::Admit(admission) => {
                Admission::check(admission, network)?;
                Vec::new()
            }
            Tx::Second(seconding) => {
                seconding.check(network)?;
                Vec::new()
            }
            Tx::Agree(agreements) => agreements.check(network)?,
        };
        let bytes = tx.encode();
        if bytes.len() > protocol::limits::TX_BYTES {
            let size_bytes = bytes.len();
            let limit_bytes = protocol::limits::TX_BYTES;
            return Err(identity::Error::TooLarge { size_bytes, limit_bytes }.into());
        }
        let digest = tx.digest();
        Ok(Self { tx, digest, size_bytes: bytes.len(), settled })
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

    /// The tasks that it settles.
    pub(crate) fn settled(&self) -> &[Settled] {
        &self.settled
    }
}
