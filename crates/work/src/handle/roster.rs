//! The ledger admitted somebody.

use crate::Work;
use protocol::{Height, Roster};
use std::collections::BTreeSet;

impl Work {
    pub(crate) fn on_roster(&mut self, height: Height, roster: Roster) {
        if self.roster.is_some_and(|(last, _)| last > height) {
            return;
        }
        let root = roster.root();
        self.rosters.insert(root, roster);
        self.roster = Some((height, root));
        self.drop_rosters();
    }

    /// Forgets rosters with which no live job was drawn.
    pub(crate) fn drop_rosters(&mut self) {
        let last = self.roster.map(|(_, root)| root);
        let used: BTreeSet<_> =
            self.jobs.values().map(|record| record.roster).chain(last).collect();
        self.rosters.retain(|root, _| used.contains(root));
    }
}
