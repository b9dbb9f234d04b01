//! An order that waited is drawn: a sealed one by the beacon after it, a held one by the last one.

use crate::{Weights, Work, state::Draw, turn::Turn};
use identity::Digest;
use protocol::{Height, JobEvent, JobId, Roster};

impl Work {
    pub(crate) fn on_drawn(
        &mut self,
        job: JobId,
        (drawn, beacon): (Height, Digest),
        roster: Roster,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else {
            self.counts.late += 1;
            return;
        };
        if record.draw.is_some() {
            self.counts.repeated += 1;
            return;
        }
        // It was cancelled, or expired, or nothing may be drawn yet.
        if !record.is_to_be_drawn() {
            self.counts.late += 1;
            return;
        }
        let root = roster.root();
        let scored = self.config.weights != Weights::DRAWN;
        record.draw = Some(Draw::new((drawn, beacon), (root, &roster), scored));
        let parties = roster.parties();
        self.rosters.insert(root, roster);
        self.stop_ordering(job);
        turn.event(job, JobEvent::Drawn { drawn });
        self.begin(job, parties, turn);
    }
}
