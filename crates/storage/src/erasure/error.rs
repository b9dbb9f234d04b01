//! What can go wrong with protected content.

use crate::exchange::FetchError;
use identity::PublicKey;
use objects::Cid;
use protocol::port::{BlobError, StreamError};
use std::fmt;

/// Failure to protect, place, read or repair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such code.
    #[error("no code has {data} data shards of {total}")]
    Code {
        /// Data shards.
        data: usize,
        /// All shards.
        total: usize,
    },
    /// Too few shards to make the others of.
    #[error("{have} shards are left where {need} are needed")]
    Lost {
        /// Shards that are there.
        have: usize,
        /// Shards that it takes.
        need: usize,
    },
    /// Too few shards of a group can be had.
    #[error(
        "group {group} cannot be read: {have} of the {need} shards that it takes are to be had. \
         {} more would do; they are with {}. Start one of these nodes again, or import the \
         object from another copy",
        need - have, Away(away)
    )]
    TooFew {
        /// The group.
        group: u64,
        /// Shards that could be had.
        have: usize,
        /// Shards that it takes.
        need: usize,
        /// Holders of the others, and why each did not help.
        away: Vec<(PublicKey, String)>,
    },
    /// A block of the object is not in this node's store.
    #[error("{0} is not in the store; fetch the whole object first")]
    Missing(Cid),
    /// More below the root than is allowed.
    #[error("{root} has more than {limit_blocks} blocks or {limit_bytes} bytes below it")]
    TooLarge {
        /// The root.
        root: Cid,
        /// Blocks that are allowed.
        limit_blocks: usize,
        /// Bytes that are allowed.
        limit_bytes: u64,
    },
    /// Nothing is known of a manifest, or not who holds it.
    #[error("{0} is no protected object that is known here")]
    Unknown(Cid),
    /// A manifest whose parity is not that of its data.
    #[error("group {group} of {manifest} is not what its manifest says; protect the object again")]
    Inconsistent {
        /// The manifest.
        manifest: Cid,
        /// The group.
        group: u64,
    },
    /// There are not enough nodes that take shards.
    #[error(
        "the {slots} slots of {bytes} bytes each cannot be placed{}; connect more nodes, or let \
         them lend more",
        Refused(failed)
    )]
    NotPlaced {
        /// Slots.
        slots: usize,
        /// Bytes of the largest slot.
        bytes: u64,
        /// Nodes that were asked, and why each refused.
        failed: Vec<(PublicKey, String)>,
    },
    /// A node did not do what it was asked for.
    #[error("{}: {reason}", node.short())]
    Peer {
        /// The node.
        node: PublicKey,
        /// What came of it.
        reason: String,
    },
    /// A signed noun that does not hold.
    #[error(transparent)]
    Noun(#[from] protocol::Error),
    /// Content that is not what it should be.
    #[error(transparent)]
    Content(#[from] objects::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] BlobError),
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The network failed.
    #[error(transparent)]
    Network(#[from] StreamError),
}

/// Holders and their reasons.
struct Away<'a>(&'a [(PublicKey, String)]);

impl fmt::Display for Away<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nobody that is known");
        }
        for (at, (node, reason)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{} ({reason})", node.short())?;
        }
        Ok(())
    }
}

struct Refused<'a>(&'a [(PublicKey, String)]);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            refused => write!(f, ": {}", Away(refused)),
        }
    }
}
