//! What can be wrong with content.

use crate::Cid;

/// Failure to read or check content.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// The text or the bytes are no CID of a kind we use.
    #[error("not a CID: {0}; expected CIDv1 with sha2-256 (bafy…, bafk…)")]
    Cid(String),
    /// The bytes are not what the CID names.
    #[error("the bytes do not match {0}")]
    Mismatch(Cid),
    /// The block is not of the form its codec says.
    #[error("{cid} is malformed: {reason}")]
    Malformed {
        /// The block.
        cid: Cid,
        /// What is wrong.
        reason: String,
    },
}
