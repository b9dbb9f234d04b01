//! A validator that proposes blocks that do not apply.

use super::{Hand, Liar, Turn};
use identity::Digest;

pub(super) struct Spoiler;

impl Liar for Spoiler {
    fn proposes(&self, _hand: &Hand<'_>, _beacon: &Digest) -> Turn {
        Turn::Spoil
    }
}
