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
    /// The block is well formed, but nothing that is read here.
    #[error("{cid} is {what}, which cannot be read as a file or directory here")]
    Unsupported {
        /// The block.
        cid: Cid,
        /// What it is.
        what: &'static str,
    },
    /// A name that no directory may hold.
    #[error("{name:?} cannot be a name in a directory: {reason}")]
    Name {
        /// The name, shortened.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A directory that has to be split over several blocks.
    #[error("a directory of {size_bytes} bytes; one block of it may have {limit_bytes}")]
    DirectoryTooLarge {
        /// Bytes of the block.
        size_bytes: usize,
        /// Bytes that are allowed.
        limit_bytes: usize,
    },
    /// A file larger than its reader allows.
    #[error("the file {cid} has {size_bytes} bytes, at most {limit_bytes} are allowed here")]
    FileTooLarge {
        /// The file.
        cid: Cid,
        /// Bytes that it says it has.
        size_bytes: u64,
        /// Bytes that are allowed.
        limit_bytes: u64,
    },
    /// A block was offered that is not the one wanted next.
    #[error("{0} is not the block that is wanted next")]
    NotWanted(Cid),
    /// A CAR stream that does not follow its specification.
    #[error("not a CAR stream: {0}")]
    Car(String),
}

impl Error {
    pub(crate) fn malformed(cid: Cid, reason: impl Into<String>) -> Self {
        Self::Malformed { cid, reason: reason.into() }
    }
}
