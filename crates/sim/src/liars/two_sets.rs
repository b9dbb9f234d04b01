//! A home that shows different sets of one task to different executors: whole ones to some, and
//! ones without somebody's commitment to others.

use super::{Hand, Liar};
use identity::PublicKey;
use protocol::ToWorker;

pub(super) struct TwoSets;

impl Liar for TwoSets {
    fn shows(&self, _hand: &Hand<'_>, to: &PublicKey, message: ToWorker) -> Option<ToWorker> {
        let ToWorker::Sets { job, mut sets, commits } = message else { return Some(message) };
        if to.0[0].is_multiple_of(2) {
            for (_, members) in &mut sets {
                // The executor itself, or somebody else: whoever committed last is not shown.
                members.pop();
            }
        }
        Some(ToWorker::Sets { job, sets, commits })
    }
}
