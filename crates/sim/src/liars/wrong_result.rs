//! Claims an outcome of its own, as executor, as auditor and as validator.

use super::{Answer, Given, Hand, Liar, invented};
use ledger::Duty;
use protocol::{JobId, OutcomeDigest, TaskIndex};

pub(super) struct WrongResult;

impl Liar for WrongResult {
    fn answer(&self, hand: &Hand<'_>, _given: &Given<'_>) -> Answer {
        Answer::Marked(hand.key.public().short())
    }

    fn audits(&self, hand: &Hand<'_>, duty: &Duty, _truth: OutcomeDigest) -> OutcomeDigest {
        invented(duty.job, duty.task, &hand.key.public().short())
    }

    fn rulings(
        &self,
        hand: &Hand<'_>,
        (job, task): (JobId, TaskIndex),
        _truth: Option<OutcomeDigest>,
    ) -> Vec<Option<OutcomeDigest>> {
        vec![Some(invented(job, task, &hand.key.public().short()))]
    }
}
