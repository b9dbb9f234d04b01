//! The types that the Raft engine is given.

use bytes::Bytes;
use identity::PublicKey;
use openraft::{RaftTypeConfig, impls::leader_id_adv, storage::SnapshotMeta};
use protocol::Time;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

openraft::declare_raft_types!(
    /// The engine sees bytes only: what they mean is known to the replica.
    pub(crate) Types:
        D = Command,
        R = (),
        NodeId = Member,
        Node = Tags,
        AsyncRuntime = Runtime,
);

/// What the engine's tasks run on.
#[cfg(not(test))]
pub(crate) type Runtime = openraft_rt_tokio::TokioRuntime;
/// The same with chance that can be had again.
#[cfg(test)]
pub(crate) type Runtime = crate::tests::runtime::Seeded;

/// A member of the cluster: a node of the owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Member(pub(crate) PublicKey);

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The labels of a member, by which its failure domains are named.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

/// What one entry says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// The mind takes an input.
    Input {
        /// The leader's time.
        at: Time,
        /// Whether the leader's time in office begins here: its effects count from this entry on.
        leads: bool,
        /// The input, in canonical bytes.
        input: Bytes,
    },
    /// A node that is no member is not let in, or may be let in again.
    Removed {
        /// Which.
        node: PublicKey,
        /// Whether it is not let in.
        removed: bool,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input { at, input, .. } => write!(f, "{} bytes at {at}", input.len()),
            Self::Removed { node, removed } => write!(f, "{node} is removed: {removed}"),
        }
    }
}

pub(crate) type LeaderId = leader_id_adv::LeaderId<u64, Member>;
pub(crate) type LogId = openraft::LogId<LeaderId>;
pub(crate) type Entry = <Types as RaftTypeConfig>::Entry;
pub(crate) type Payload = <Types as RaftTypeConfig>::Payload;
pub(crate) type Vote = <Types as RaftTypeConfig>::Vote;
pub(crate) type Membership = openraft::Membership<Member, Tags>;
pub(crate) type StoredMembership = openraft::StoredMembership<LeaderId, Member, Tags>;
pub(crate) type Meta = SnapshotMeta<LeaderId, Member, Tags>;
pub(crate) type Snapshot = openraft::Snapshot<LeaderId, Member, Tags, Bytes>;
