//! Commits to what the task gave, and reveals something else.

use super::{Hand, Liar};
use crate::world::truth;
use protocol::{Outcome, Reveal, RevealBatch};

pub(super) struct UnopenedReveal;

impl Liar for UnopenedReveal {
    fn reveals(
        &self,
        hand: &Hand<'_>,
        batch: RevealBatch,
        _outcomes: Vec<Outcome>,
    ) -> (RevealBatch, Vec<Outcome>) {
        let job = batch.statement.payload.job;
        let outcomes: Vec<_> =
            batch.leaves.iter().map(|leaf| truth::outcome(job, leaf.task, " (rather)")).collect();
        let other =
            |(leaf, outcome): (&Reveal, &Outcome)| Reveal { outcome: outcome.digest(), ..*leaf };
        let leaves = batch.leaves.iter().zip(&outcomes).map(other).collect();
        (RevealBatch::sign(job, leaves, hand.network, hand.key), outcomes)
    }
}
