//! A node said what it is.

use crate::{Work, turn::Turn};
use identity::PublicKey;
use protocol::Profile;

impl Work {
    pub(crate) fn on_profile(
        &mut self,
        node: PublicKey,
        profile: Box<Profile>,
        rtt_ms: Option<u32>,
        turn: &mut Turn<'_>,
    ) {
        match self.fleet.set_profile(node, profile, rtt_ms) {
            Some(true) => self.refit(node, turn),
            Some(false) => {}
            None => self.counts.over_bounds += 1,
        }
    }
}
