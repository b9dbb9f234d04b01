//! A home that has every task agreed on twice, in different words, so that it would be paid twice.

use super::{Hand, Liar};
use protocol::Agreements;

pub(super) struct Repeater;

impl Liar for Repeater {
    fn publishes(&self, _hand: &Hand<'_>, agreements: Agreements) -> Vec<Agreements> {
        let mut again = agreements.clone();
        for agreed in &mut again.tasks {
            // The same set once more changes the bytes and nothing else.
            agreed.sets.extend(agreed.sets.first().cloned());
        }
        vec![agreements, again]
    }
}
