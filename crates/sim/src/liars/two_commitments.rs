//! Commits to two outcomes of every replica, to choose later which one to reveal.

use super::{Hand, Liar, invented};
use protocol::{CommitBatch, Commitment, Salt, commitment_of};

pub(super) struct TwoCommitments;

impl Liar for TwoCommitments {
    fn commits(&self, hand: &Hand<'_>, batch: CommitBatch) -> Vec<CommitBatch> {
        let job = batch.statement.payload.job;
        let other = |leaf: &Commitment| {
            let outcome = invented(job, leaf.task, " (or so)");
            Commitment {
                hidden: commitment_of(&hand.key.public(), &Salt([9; 16]), &outcome),
                ..*leaf
            }
        };
        let leaves = batch.leaves.iter().map(other).collect();
        let second = CommitBatch::sign(job, leaves, hand.network, hand.key);
        vec![batch, second]
    }
}
