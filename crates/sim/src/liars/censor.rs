//! A validator that never proposes what belongs to one owner: the first of the genesis.

use super::{Hand, Liar, Turn};
use identity::Digest;

pub(super) struct Censor;

impl Liar for Censor {
    fn proposes(&self, hand: &Hand<'_>, _beacon: &Digest) -> Turn {
        match hand.ledger.roster().owners().next() {
            Some((owner, _)) => Turn::Without(*owner),
            None => Turn::Honest,
        }
    }
}
