//! The owner of a node wants nothing more to be given to it, or lifts that.

use crate::{Work, turn::Turn};
use identity::PublicKey;

/// Characters of a reason that are kept.
const REASON: usize = 200;

impl Work {
    pub(crate) fn on_cordon(
        &mut self,
        node: PublicKey,
        reason: Option<String>,
        turn: &mut Turn<'_>,
    ) {
        let reason = reason.map(|reason| reason.chars().take(REASON).collect());
        if self.fleet.set_cordon(node, reason) {
            self.refit(node, turn);
        } else {
            self.counts.over_bounds += 1;
        }
    }
}
