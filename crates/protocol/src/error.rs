//! What can be wrong with a noun.

use crate::{AgreementError, CertificateError, Height, merkle::ProofError};
use identity::{NetworkId, PublicKey};

/// Failure to read or check a noun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Encoding, key or signature.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// Content.
    #[error(transparent)]
    Content(#[from] objects::Error),
    /// The certificate of a block.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A proof of inclusion.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Agreements that do not hold.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// A field that makes no sense.
    #[error("{noun}: {reason}")]
    Invalid {
        /// The noun, for instance `job`.
        noun: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A statement that is meant for another network.
    #[error("meant for network {got}, this is {expected}")]
    ForeignNetwork {
        /// This network.
        expected: NetworkId,
        /// The network it names.
        got: NetworkId,
    },
    /// A header whose beacon is not the proposer's.
    #[error("block {height}: the beacon is not what {proposer:?} must contribute")]
    Beacon {
        /// The block.
        height: Height,
        /// Its proposer.
        proposer: PublicKey,
    },
}

impl Error {
    pub(crate) fn invalid(noun: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { noun, reason: reason.into() }
    }
}
