//! A validator that signs two rulings about one task: a wrong one first.

use super::{Hand, Liar, invented};
use protocol::{JobId, OutcomeDigest, TaskIndex};

pub(super) struct DoubleVoter;

impl Liar for DoubleVoter {
    fn rulings(
        &self,
        _hand: &Hand<'_>,
        (job, task): (JobId, TaskIndex),
        truth: Option<OutcomeDigest>,
    ) -> Vec<Option<OutcomeDigest>> {
        vec![Some(invented(job, task, " (by my word)")), truth]
    }
}
