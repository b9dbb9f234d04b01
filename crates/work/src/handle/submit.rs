//! An order was admitted.

use crate::{
    Effect, Work,
    state::{JobRecord, Timer},
    turn::Turn,
};
use identity::{Digest, Signed};
use protocol::{Height, Job, JobEvent, Unsettled};

impl Work {
    pub(crate) fn on_submit(
        &mut self,
        order: Signed<Job>,
        (drawn, beacon): (Height, Digest),
        turn: &mut Turn<'_>,
    ) {
        let job = order.payload.id();
        let known = self.finished.iter().any(|summary| summary.job == job);
        if known || self.jobs.contains_key(&job) {
            self.counts.repeated += 1;
            return;
        }
        let tasks = order.payload.tasks;
        if let Err(error) = self.room(tasks) {
            turn.effect(Effect::Refused { job, error });
            return;
        }
        let (_, root) = self.roster.unwrap_or_default();
        let roster = self.rosters.entry(root).or_default();
        let verification = order.payload.verification;
        self.timers.set(order.payload.expires, Timer::Expiry(job));
        let record = JobRecord::new(order, (drawn, beacon), (root, roster), turn.now);
        let enough = record.parties() >= usize::from(verification.k);
        self.jobs.insert(job, record);
        turn.event(job, JobEvent::Admitted { job, tasks, drawn, verification });
        if enough {
            turn.hungry.insert(job);
        } else {
            self.unsettle_all(job, &Unsettled::NoCandidates, turn);
        }
    }
}
