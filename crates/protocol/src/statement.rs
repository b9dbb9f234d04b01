//! Commitments and reveals: what executors sign, many tasks under one signature.
//!
//! An executor signs the root of an RFC 9162 tree over its leaves. First it commits: each leaf
//! hides an outcome under a salt. When the home shows it the complete set of commitments of a task,
//! with its own among them, it reveals: each leaf opens one commitment and names that set.

use crate::{
    Attempt, CommitBatch, JobId, OutcomeDigest, RevealBatch, TaskIndex, agreement::root_of,
};
use identity::{Digest, NetworkId, PublicKey, SecretKey, Sign, Signed};
use serde::{Deserialize, Serialize};

/// Hides an outcome until it is revealed: 16 bytes, derived from the node's secret key, the job,
/// the task and the attempt, so that a restarted node repeats its commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(#[serde(with = "serde_bytes")] pub [u8; 16]);

/// The commitment of a node to an outcome: `H(node ‖ salt ‖ outcome digest)`. It names the node, so
/// that nobody commits to what another one has hidden, and opens it with that one's salt.
pub fn commitment_of(node: &PublicKey, salt: &Salt, outcome: &OutcomeDigest) -> Digest {
    Digest::of("polity commitment", &[&node.0, &salt.0, outcome.0.as_bytes()])
}

/// A leaf of [`Commits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "(TaskIndex, Attempt, Digest)", into = "(TaskIndex, Attempt, Digest)")]
pub struct Commitment {
    /// The task.
    pub task: TaskIndex,
    /// Which replica of it.
    pub attempt: Attempt,
    /// [`commitment_of`] its outcome.
    pub hidden: Digest,
}

impl From<(TaskIndex, Attempt, Digest)> for Commitment {
    fn from((task, attempt, hidden): (TaskIndex, Attempt, Digest)) -> Self {
        Self { task, attempt, hidden }
    }
}

impl From<Commitment> for (TaskIndex, Attempt, Digest) {
    fn from(c: Commitment) -> Self {
        (c.task, c.attempt, c.hidden)
    }
}

/// A node's signed word that it has outcomes for some tasks of a job, without saying which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commits {
    /// The job.
    pub job: JobId,
    /// How many leaves.
    pub count: u32,
    /// Root of the tree over the canonical bytes of the [`Commitment`]s.
    pub root: Digest,
}

impl Sign for Commits {
    const DOMAIN: &'static str = "commits";
}

impl CommitBatch {
    /// Signs commitments of one job. They are sorted here.
    pub fn sign(
        job: JobId,
        mut leaves: Vec<Commitment>,
        network: NetworkId,
        key: &SecretKey,
    ) -> Self {
        leaves.sort_by_key(|leaf| (leaf.task, leaf.attempt));
        let count = u32::try_from(leaves.len()).expect("a batch is small");
        let statement = Commits { job, count, root: root_of(&leaves) };
        Self { statement: Signed::new(statement, network, key), leaves }
    }
}

impl RevealBatch {
    /// Signs reveals of one job. They are sorted here.
    pub fn sign(job: JobId, mut leaves: Vec<Reveal>, network: NetworkId, key: &SecretKey) -> Self {
        leaves.sort_by_key(|leaf| (leaf.task, leaf.attempt));
        let count = u32::try_from(leaves.len()).expect("a batch is small");
        let statement = Reveals { job, count, root: root_of(&leaves) };
        Self { statement: Signed::new(statement, network, key), leaves }
    }
}

/// A leaf of [`Reveals`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "RevealTuple", into = "RevealTuple")]
pub struct Reveal {
    /// The task.
    pub task: TaskIndex,
    /// Which replica of it.
    pub attempt: Attempt,
    /// [`set_digest`] of the commitments that the node was shown.
    pub set: Digest,
    /// What the task gave.
    pub outcome: OutcomeDigest,
    /// Opens the commitment.
    pub salt: Salt,
}

type RevealTuple = (TaskIndex, Attempt, Digest, OutcomeDigest, Salt);

impl From<RevealTuple> for Reveal {
    fn from((task, attempt, set, outcome, salt): RevealTuple) -> Self {
        Self { task, attempt, set, outcome, salt }
    }
}

impl From<Reveal> for RevealTuple {
    fn from(r: Reveal) -> Self {
        (r.task, r.attempt, r.set, r.outcome, r.salt)
    }
}

/// A node's signed word which outcomes it has for some tasks of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveals {
    /// The job.
    pub job: JobId,
    /// How many leaves.
    pub count: u32,
    /// Root of the tree over the canonical bytes of the [`Reveal`]s.
    pub root: Digest,
}

impl Sign for Reveals {
    const DOMAIN: &'static str = "reveals";
}

/// One commitment in the set of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The node that committed.
    pub node: PublicKey,
    /// Which replica.
    pub attempt: Attempt,
    /// Its commitment.
    pub hidden: Digest,
}

/// The name of a set of commitments of one task. `members` are in the order of their attempts.
pub fn set_digest(job: &JobId, task: TaskIndex, members: &[Member]) -> Digest {
    let mut hasher = identity::Hasher::new("polity set");
    hasher.part(&job.0.to_bytes());
    hasher.part(&task.0.to_be_bytes());
    for member in members {
        hasher.part(&member.node.0);
        hasher.part(&member.attempt.0.to_be_bytes());
        hasher.part(member.hidden.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_node_hides_another_cannot_open_as_its_own() {
        let (one, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let (salt, outcome) = (Salt([3; 16]), OutcomeDigest(Digest([4; 32])));
        assert_ne!(commitment_of(&one, &salt, &outcome), commitment_of(&other, &salt, &outcome));
    }
}
