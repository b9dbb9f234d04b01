//! What nodes say to each other about keeping shards.

use super::Placement;
use identity::{Digest, PublicKey, Signed};
use objects::Cid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A question to a node that keeps shards, or is to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeepRequest {
    /// Keep the shards of every slot that this placement gives you. You are told when they are
    /// durable; which they are, the manifest says.
    Keep {
        /// Who holds what from now on.
        placement: Signed<Placement>,
        /// Who may have the same shards, to be asked before any are made anew.
        from: Vec<PublicKey>,
        /// Bytes per second that are fetched, at most.
        pace: Option<u64>,
    },
    /// Take note of who holds what. Slots that are not yours any more are released.
    Note {
        /// Who holds what from now on.
        placement: Signed<Placement>,
    },
    /// Show that you have these blocks.
    Show {
        /// Makes the answers new: see [`super::answer_to`].
        challenge: Digest,
        /// The blocks.
        cids: Vec<Cid>,
    },
    /// What do you know of the protection of an object?
    Find {
        /// The object, or a signed manifest.
        object: Cid,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeepReply {
    /// Not done yet; the answer follows.
    Under {
        /// Bytes that are here.
        bytes: u64,
        /// Bytes that it will be.
        of: u64,
    },
    /// Everything is durable.
    Kept {
        /// Bytes that are kept for this manifest.
        bytes: u64,
    },
    /// Noted, now or before.
    Noted,
    /// For each block what [`super::answer_to`] gives; nothing for those that are not here.
    Shown {
        /// The answers.
        answers: Vec<Option<Digest>>,
    },
    /// What is known.
    Found {
        /// Each manifest of the object.
        objects: Vec<KeptObject>,
    },
    /// No.
    Refused(NotKept),
}

/// What a node knows of a protected object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptObject {
    /// The signed manifest.
    pub manifest: Cid,
    /// Who holds it.
    pub placement: Signed<Placement>,
}

/// Why a node does not keep something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NotKept {
    /// It lends no more.
    Full {
        /// Bytes that it still lends.
        free_bytes: u64,
        /// Bytes that were asked for.
        wanted_bytes: u64,
    },
    /// It is taking in the same object already.
    Busy,
    /// It keeps nothing for this node.
    Stranger,
    /// It knows of a later placement, or the signer had no say in it.
    Outdated,
    /// The manifest, its pages or the placement do not hold.
    Wrong(String),
    /// Shards could neither be fetched nor made.
    Unobtainable(String),
    /// Its own store failed.
    Failed(String),
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { free_bytes, wanted_bytes } => {
                write!(f, "it lends {free_bytes} more bytes, and {wanted_bytes} were asked for")
            }
            Self::Busy => f.write_str("it is taking in this object already"),
            Self::Stranger => f.write_str("it keeps nothing for this node"),
            Self::Outdated => f.write_str("it knows of a later placement"),
            Self::Wrong(reason) => write!(f, "what it was given does not hold: {reason}"),
            Self::Unobtainable(reason) => write!(f, "it could not get all shards: {reason}"),
            Self::Failed(reason) => write!(f, "its store failed: {reason}"),
        }
    }
}
