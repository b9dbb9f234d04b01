//! Runs nothing. Claims what an accomplice passed on to it, or else what it takes for the usual
//! answer: two of them claim the same without having spoken to each other.

use super::{Answer, Given, Hand, Liar};

pub(super) struct CopiedResult;

impl Liar for CopiedResult {
    fn answer(&self, hand: &Hand<'_>, given: &Given<'_>) -> Answer {
        match hand.leaked.get(&(given.job.id(), given.task)) {
            Some(outcome) => Answer::Copied(Box::new(outcome.clone())),
            None => Answer::Marked(" (as always)".into()),
        }
    }
}
