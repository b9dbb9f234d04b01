//! A node went away. It may be back in a moment: nothing is lost yet.

use crate::{Work, state::Timer, turn::Turn};
use identity::PublicKey;

impl Work {
    pub(crate) fn on_disconnected(&mut self, node: PublicKey, turn: &Turn<'_>) {
        let until = turn.now.after_ms(self.config.grace_ms);
        if self.fleet.disconnect(&node, until) {
            self.timers.set(until, Timer::Away(node));
        }
    }
}
