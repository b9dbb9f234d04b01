//! Lies only where nobody honest would notice: the draw is public, so it knows who else runs a
//! task.

use super::{Answer, Given, Hand, Liar, colluders};

pub(super) struct Selective;

impl Liar for Selective {
    fn answer(&self, hand: &Hand<'_>, given: &Given<'_>) -> Answer {
        let others = colluders::others(hand, given);
        let alone = others.is_some_and(|others| others.iter().all(|node| hand.is_friend(node)));
        if alone { Answer::Marked(colluders::MARK.into()) } else { Answer::Truth }
    }
}
