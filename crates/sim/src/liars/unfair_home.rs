//! A home that chooses its executors and passes the others over in silence, and that has reveals of
//! its own stand which open nothing.

use super::{Hand, Liar};
use identity::PublicKey;
use protocol::{Agreements, Reveal, RevealBatch, Salt, ToWorker};

pub(super) struct UnfairHome;

impl Liar for UnfairHome {
    /// Whoever it does not like is never asked.
    fn shows(&self, _hand: &Hand<'_>, to: &PublicKey, message: ToWorker) -> Option<ToWorker> {
        let disliked = matches!(message, ToWorker::Assign { .. }) && to.0[0].is_multiple_of(3);
        (!disliked).then_some(message)
    }

    /// What it says first is false; what it says last would be taken, if nothing else was.
    fn publishes(&self, hand: &Hand<'_>, agreements: Agreements) -> Vec<Agreements> {
        let mut silent = agreements.clone();
        silent.tasks.iter_mut().for_each(|agreed| agreed.skipped.clear());
        let mut closed = agreements.clone();
        let me = hand.key.public();
        for batch in closed.reveals.iter_mut().filter(|batch| batch.statement.by == me) {
            let job = batch.statement.payload.job;
            let other = |leaf: &Reveal| Reveal { salt: Salt([8; 16]), ..*leaf };
            let leaves = batch.leaves.iter().map(other).collect();
            *batch = RevealBatch::sign(job, leaves, hand.network, hand.key);
        }
        vec![silent, closed, agreements]
    }
}
