//! A home that chooses its executors and passes the others over in silence.

use super::{Hand, Liar};
use identity::PublicKey;
use protocol::{Agreements, ToWorker};

pub(super) struct UnfairHome;

impl Liar for UnfairHome {
    /// Whoever it does not like is never asked.
    fn shows(&self, _hand: &Hand<'_>, to: &PublicKey, message: ToWorker) -> Option<ToWorker> {
        let disliked = matches!(message, ToWorker::Assign { .. }) && to.0[0].is_multiple_of(3);
        (!disliked).then_some(message)
    }

    /// What it says first is unfair; what it says then would be taken, if nothing else was.
    fn publishes(&self, _hand: &Hand<'_>, agreements: Agreements) -> Vec<Agreements> {
        let mut silent = agreements.clone();
        silent.tasks.iter_mut().for_each(|agreed| agreed.skipped.clear());
        vec![silent, agreements]
    }
}
