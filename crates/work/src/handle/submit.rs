//! An order was admitted, and its tasks are drawn at once.

use crate::{
    Effect, Weights, Work,
    state::{Draw, JobRecord, Timer},
    turn::Turn,
};
use identity::{Digest, Signed};
use protocol::{Height, Job, JobEvent, JobId, Unsettled};

impl Work {
    pub(crate) fn on_submit(
        &mut self,
        order: Signed<Job>,
        drawn: (Height, Digest),
        turn: &mut Turn<'_>,
    ) {
        let job = order.payload.id();
        let (_, root) = self.roster.unwrap_or_default();
        let roster = self.rosters.entry(root).or_default();
        let parties = roster.parties();
        let draw = Draw::new(drawn, (root, roster), self.config.weights != Weights::DRAWN);
        if self.admit(order, Some(draw), turn) {
            self.begin(job, parties, turn);
        }
    }

    /// Takes an order, unless it was taken before or there is no room. True if it was taken now.
    pub(crate) fn admit(
        &mut self,
        order: Signed<Job>,
        draw: Option<Draw>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let job = order.payload.id();
        if self.knows(&job) {
            self.counts.repeated += 1;
            return false;
        }
        let (tasks, verification) = (order.payload.tasks, order.payload.verification);
        // A deadline may have passed since the gate: then it is late, and run all the same.
        if let Err(error) = self.room_for(&order.by, tasks, (turn.now, None)) {
            turn.effect(Effect::Refused { job, error });
            return false;
        }
        self.timers.set(order.payload.expires, Timer::Expiry(job));
        let record = JobRecord::new(order, draw, (turn.now, self.turns));
        let drawn = record.drawn();
        self.jobs.insert(job, record);
        turn.event(job, JobEvent::Admitted { job, tasks, drawn, verification });
        true
    }

    /// Begins a job that was drawn, if there are enough parties that can be drawn.
    pub(crate) fn begin(&mut self, job: JobId, parties: usize, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get(&job) else { return };
        if parties >= usize::from(record.order.payload.verification.k) {
            turn.hungry.insert(job);
        } else {
            self.unsettle_all(job, &Unsettled::NoCandidates, turn);
        }
    }
}
