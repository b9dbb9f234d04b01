//! The cluster that a node is a member of, as its owner's doors see it.

use crate::{ApiError, Reply};
use bytes::Bytes;
use identity::PublicKey;
use protocol::{Time, port::Events};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A node's cluster. Part of [`crate::NodeApi`].
pub trait ClusterApi: Send + Sync + 'static {
    /// What the node knows of its cluster. It answers also while nobody leads.
    fn cluster(&self) -> Reply<'_, ClusterInfo>;

    /// The same with everything in it that was acknowledged anywhere before this call (a
    /// linearizable read). It takes a second at most, and is [`crate::Code::Unavailable`] if the
    /// node did not hear within that time that a majority follows its leader.
    fn cluster_current(&self) -> Reply<'_, ClusterInfo>;

    /// Changes something about the cluster or its members. The answer comes when it is done, or
    /// [`crate::Code::Unavailable`] while nobody leads; what cannot be done is
    /// [`crate::Code::Refused`].
    fn manage(&self, change: ClusterChange) -> Reply<'_, ()>;

    /// A copy of what the cluster agreed on, everything that was acknowledged before this call
    /// among it: the bytes of a file of [`crate::backup`], in portions. A stream that ends early is
    /// seen by the lengths that are in it.
    fn backup(&self) -> Reply<'_, BackupBytes>;
}

/// The bytes of a copy.
pub type BackupBytes = Events<Result<Bytes, ApiError>>;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClusterChange {
    /// Another member leads: this one, or whichever has most.
    HandOver {
        /// Who.
        to: Option<PublicKey>,
    },
    /// A node is no member any more, and is not let in again.
    Remove {
        /// Which; it need not be a member.
        node: PublicKey,
    },
    /// A node that was removed may be let in again.
    LetIn {
        /// Which.
        node: PublicKey,
    },
    /// A node is given nothing new.
    Cordon {
        /// Which; it need not be a member.
        node: PublicKey,
        /// Why, for people.
        reason: String,
    },
    /// A node is given work again.
    Uncordon {
        /// Which.
        node: PublicKey,
    },
    /// A node is cordoned, and does not lead any more.
    Drain {
        /// Which.
        node: PublicKey,
        /// Why, for people.
        reason: String,
    },
    /// When a node's owner looks after it: it is given nothing that may run into that.
    Windows {
        /// Which.
        node: PublicKey,
        /// From when until when; these replace what was said before.
        windows: Vec<(Time, Time)>,
    },
    /// What the jobs of an owner may have under way.
    Quota {
        /// Whose jobs.
        owner: PublicKey,
        /// How much; nothing brings back what holds for everybody.
        quota: Option<Quota>,
    },
    /// Capacity is held back for the jobs of an owner for a time.
    Reserve {
        /// What it is called; replaces what was called so before.
        name: String,
        /// What is held back; nothing ends it.
        reservation: Option<Reservation>,
    },
}

/// The most that the jobs of one owner may have under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Jobs whose receipts are not stored yet.
    pub jobs: u32,
    /// Tasks of these jobs.
    pub tasks: u32,
    /// Replicas that are at work at a time.
    pub replicas: u32,
}

/// What the jobs of one owner may have under way, and have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaInfo {
    /// Whose jobs.
    pub owner: PublicKey,
    /// What they may have.
    pub quota: Quota,
    /// Whether that was said of this owner; else it holds for everybody.
    pub own: bool,
    /// Jobs whose receipts are not stored yet.
    pub jobs: u32,
    /// Tasks of these jobs that have not ended.
    pub tasks: u64,
    /// Replicas that are at work.
    pub replicas: u64,
}

/// What is held back on each of some nodes for the jobs of one owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    /// Whose jobs it is for.
    pub owner: PublicKey,
    /// Cores.
    pub cpus: u16,
    /// Memory.
    pub memory_bytes: u64,
    /// GPUs.
    pub gpus: u16,
    /// The nodes.
    pub nodes: BTreeSet<PublicKey>,
    /// When it begins.
    pub from: Time,
    /// When it ends.
    pub until: Time,
}

/// What a node knows of its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// The cluster's name among all clusters.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The node that answers.
    pub node: PublicKey,
    /// Whether cordons, windows, quotas and reservations are as they were when it was asked, or
    /// later. If not, they are what the node knows, and others may know more.
    #[serde(default)]
    pub current: bool,
    /// Who leads, as far as that node knows.
    pub leader: Option<PublicKey>,
    /// The term of Raft.
    pub term: u64,
    /// The last entry that the node has.
    pub last: u64,
    /// The last entry that a majority has, as far as the node knows.
    pub committed: u64,
    /// The last entry that the node has applied.
    pub applied: u64,
    /// The last entry that is in a snapshot.
    pub snapshot: u64,
    /// Whether no change of members is under way.
    pub at_rest: bool,
    /// Why the node takes no part any more: the cluster was recovered without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
    /// The members, sorted by their keys.
    pub members: Vec<MemberInfo>,
    /// Why nodes that are no members are given nothing new.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cordons: BTreeMap<PublicKey, String>,
    /// What the jobs of an owner may have under way of whom nothing else was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_quota: Option<Quota>,
    /// Owners with a quota of their own, or with something under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaInfo>,
    /// What is held back, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reservations: BTreeMap<String, Reservation>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// The node.
    pub node: PublicKey,
    /// Whether it votes; others follow.
    pub votes: bool,
    /// Whether it is connected to the node that answers, or is that node.
    pub connected: bool,
    /// Its labels when it became a member.
    pub labels: BTreeMap<String, String>,
    /// The last entry that it has made durable; only the leader knows.
    pub has: Option<u64>,
    /// Milliseconds since it last answered; only the leader knows.
    pub silent_ms: Option<u64>,
    /// Replicas that it was given and has not committed to.
    pub running: u32,
    /// Why it is given nothing new, if its owner says so.
    pub cordon: Option<String>,
    /// When its owner looks after it.
    pub windows: Vec<(Time, Time)>,
}
