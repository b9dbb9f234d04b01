//! The ledger admitted, barred or released somebody.

use crate::{Work, place::Again, turn::Turn};
use identity::PublicKey;
use protocol::{Height, Roster};
use std::collections::BTreeSet;

impl Work {
    pub(crate) fn on_roster(&mut self, height: Height, roster: Roster, turn: &mut Turn<'_>) {
        if self.roster.is_some_and(|(last, _)| last > height) {
            return;
        }
        let root = roster.root();
        let parties = roster.barred_parties();
        let party = |node: &PublicKey| roster.party_of_node(node);
        let is_barred = |node: &PublicKey| party(node).is_some_and(|p| parties.contains(&p));
        let barred: BTreeSet<_> = roster.nodes().map(|(node, _)| *node).filter(is_barred).collect();
        self.rosters.insert(root, roster);
        self.roster = Some((height, root));
        self.drop_rosters();
        if barred != self.barred {
            self.barred = barred;
            let short: Vec<_> = self.short.iter().copied().collect();
            for (job, task) in short {
                self.reconsider(job, task, Again::Released, turn);
            }
            self.review_loose(turn);
            // Who is released may be given first replicas again.
            turn.freed.extend(self.fleet.with_slots().copied());
        }
    }

    /// Forgets rosters with which no live job was drawn.
    pub(crate) fn drop_rosters(&mut self) {
        let last = self.roster.map(|(_, root)| root);
        let used: BTreeSet<_> =
            self.jobs.values().filter_map(|record| record.roster()).chain(last).collect();
        self.rosters.retain(|root, _| used.contains(root));
    }
}
