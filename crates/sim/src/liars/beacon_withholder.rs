//! A validator that forfeits its turn if it does not like the beacon that would follow: all that
//! somebody can do who wants to choose the draw.

use super::{Hand, Liar, Turn};
use identity::Digest;

pub(super) struct BeaconWithholder;

impl Liar for BeaconWithholder {
    fn proposes(&self, _hand: &Hand<'_>, beacon: &Digest) -> Turn {
        if beacon.as_bytes()[0].is_multiple_of(2) { Turn::Forfeit } else { Turn::Honest }
    }
}
