//! A home that passes on what it hears to its accomplices, and withholds sets from some of those
//! who wait for them.

use super::{Hand, Liar};
use identity::PublicKey;
use protocol::{ToHome, ToWorker};

pub(super) struct LeakyHome;

impl Liar for LeakyHome {
    fn shows(&self, hand: &Hand<'_>, to: &PublicKey, message: ToWorker) -> Option<ToWorker> {
        let withheld = matches!(message, ToWorker::Sets { .. })
            && !hand.is_friend(to)
            && to.0[0].is_multiple_of(3);
        (!withheld).then_some(message)
    }

    fn leaks(&self, heard: &ToHome) -> bool {
        matches!(heard, ToHome::Revealed { .. })
    }
}
