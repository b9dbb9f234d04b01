//! What can be wrong with content.

use crate::Cid;

/// Failure to read or check content.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum Error {
    /// The text or the bytes are no CID of a kind we use.
    #[error("not a CID: {0}; expected one like bafy… or bafk…")]
    Cid(String),
    /// A CID that is one, of a codec or a hash that is not supported here.
    #[error(
        "{0} is a CID of a codec or hash that is not supported; supported are raw, dag-pb and dag-cbor with sha2-256, sha3-256 and blake3"
    )]
    ForeignCid(String),
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
    #[error("{cid} is {what}, which is not what can be read here")]
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
    /// More blocks, bytes, levels or entries than the reader allows.
    #[error("{root} has more than {limit} {what}, which is not allowed here")]
    TooMuch {
        /// What is read.
        root: Cid,
        /// Of what there is too much.
        what: &'static str,
        /// How much of it is allowed.
        limit: u64,
    },
    /// A path that leads nowhere.
    #[error("{directory} has nothing called {name:?}")]
    NoSuchName {
        /// The directory, or the value, in which the path ends.
        directory: Cid,
        /// The part of the path that is not there, shortened.
        name: String,
    },
    /// A path that goes on below something that is no directory.
    #[error("{cid} is {what}, so there is nothing called {name:?} below it")]
    NotADirectory {
        /// What the path leads to.
        cid: Cid,
        /// What it is.
        what: &'static str,
        /// The part of the path that follows, shortened.
        name: String,
    },
    /// A path that ends inside a DAG-CBOR value, where no CID is.
    #[error("the path ends inside the value {0}; only links of it can be asked for")]
    InsideValue(Cid),
    /// A block was offered that is not the one wanted next.
    #[error("{0} is not the block that is wanted next")]
    NotWanted(Cid),
    /// A CAR stream that does not follow its specification.
    #[error("not a CAR stream: {0}")]
    Car(String),
}

impl Error {
    pub(crate) fn name(name: &str, reason: &'static str) -> Self {
        Self::Name { name: shortened(name), reason }
    }

    pub(crate) fn malformed(cid: Cid, reason: impl Into<String>) -> Self {
        Self::Malformed { cid, reason: reason.into() }
    }
}

/// A name as errors show it.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(80).collect()
}
