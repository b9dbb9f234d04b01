//! Why consensus does not start, stops, or refuses a transaction.

use identity::PublicKey;
use protocol::{CertificateError, port::StreamError};
use std::path::PathBuf;

/// Failure to start or to go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that makes no sense.
    #[error("consensus settings: {0}")]
    Settings(String),
    /// Only validators vote; everybody else follows the chain without this room.
    #[error("{0} is no validator of this network; it can follow, but not vote")]
    NotAValidator(PublicKey),
    /// The journal of earlier votes is gone.
    #[error(
        "the journal of this validator's votes is missing from {dir}: voting again under this key \
         could contradict what it voted before, so it does not vote. Bring the directory back; or \
         start a new node with a new key and have it admitted (polity invite --mine)"
    )]
    JournalMissing {
        /// Where the journal should be.
        dir: PathBuf,
    },
    /// The directory of the journal cannot be read or written.
    #[error("the journal at {path} cannot be used: {source}")]
    Journal {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The streams to other validators cannot be had.
    #[error(transparent)]
    Streams(#[from] StreamError),
    /// A certificate that does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The engine stopped by itself; this node must not go on as if it voted.
    #[error("consensus stopped: {0}")]
    Stopped(String),
}

/// Why a transaction was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Too much is waiting already.
    #[error("{txs} transactions of {bytes} bytes are waiting already; try again later")]
    Full {
        /// Transactions that wait.
        txs: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// The ledger would not take it as it is now.
    #[error("refused: {0}")]
    Refused(String),
    /// Consensus has stopped.
    #[error("consensus has stopped")]
    Closed,
}
