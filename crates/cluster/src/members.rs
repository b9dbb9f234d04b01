//! The members of a cluster, as people look at them.

use identity::{Digest, PublicKey};
use protocol::Time;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Members of one cluster, at most (paper DeCube, "Scalability Metrics").
pub const MEMBERS: usize = 1_000;

/// Names one cluster among all of an owner: drawn when it was founded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub Digest);

impl ClusterId {
    /// The name of the cluster that this node founds.
    pub(crate) fn found(by: &PublicKey, at: Time, number: u64) -> Self {
        let parts: [&[u8]; 3] = [&by.0, &at.0.to_be_bytes(), &number.to_be_bytes()];
        Self(Digest::of("polity cluster", &parts))
    }

    /// The first bytes of it, for people.
    pub fn short(&self) -> String {
        self.0.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The cluster was recovered without this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// Who said so: it was a member together with this node.
    pub by: PublicKey,
    /// The cluster that goes on instead.
    pub into: ClusterId,
    /// Since when.
    pub at: Time,
}

impl fmt::Display for LeftBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, into, at } = self;
        write!(
            f,
            "this cluster was recovered without this machine by {by} ({at}) and goes on as {into}; \
             join that one with an empty directory: polity cluster add"
        )
    }
}

/// What this node knows of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterStatus {
    /// Which one.
    pub cluster: Option<ClusterId>,
    /// What its owner calls it.
    pub name: String,
    /// Who leads, as far as this node knows.
    pub leader: Option<PublicKey>,
    /// The term.
    pub term: u64,
    /// The last entry that this node has.
    pub last: u64,
    /// The last entry that a majority has, as far as this node knows.
    pub committed: u64,
    /// The last entry that this node has applied.
    pub applied: u64,
    /// The last entry that is in a snapshot here.
    pub snapshot: u64,
    /// Whether no change of members is under way, as far as this node knows.
    pub at_rest: bool,
    /// Whether it goes on without this node, as a member says that was one of it.
    pub behind: Option<LeftBehind>,
    /// The members, sorted.
    pub members: Vec<MemberStatus>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// The node.
    pub node: PublicKey,
    /// Whether it votes; others follow.
    pub votes: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The last entry that it has made durable. Only the leader knows that of others.
    pub has: Option<u64>,
    /// Milliseconds since it last answered. Only the leader knows that of others.
    pub silent_ms: Option<u64>,
}
