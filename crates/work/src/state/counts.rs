//! How many messages were ignored, and why.

use serde::{Deserialize, Serialize};

/// Ignored statements and answers of the ledger, since the first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// About a job, a task or a replica that the sender does not have.
    pub foreign: u64,
    /// Said before.
    pub repeated: u64,
    /// About a task that needs nothing more.
    pub late: u64,
    /// Leaves that cannot be right: no such set, no such commitment, another outcome.
    pub malformed: u64,
    /// Leaves that contradict an earlier statement of the same node.
    pub contradictory: u64,
    /// Second copies of replicas that took long.
    #[serde(default)]
    pub copies: u64,
    /// Of those the ones that came before what they were copies of.
    #[serde(default)]
    pub copies_paid: u64,
    /// Batches over the bound of useless leaves, or outcomes over the bound of bytes.
    pub over_bounds: u64,
}
