//! An order waits until other jobs of this home have ended well.

use crate::{Work, state::JobRecord, turn::Turn};
use identity::Signed;
use protocol::{Job, JobEvent, JobId, Unsettled};
use std::collections::BTreeSet;

/// How a job stands for those that are held for it.
enum Standing {
    /// It has not ended.
    Open,
    /// Every task is final, with exit 0.
    Well,
    /// It ended otherwise, or is not known.
    Otherwise,
}

impl Work {
    pub(crate) fn on_hold(&mut self, order: Signed<Job>, after: &[JobId], turn: &mut Turn<'_>) {
        let job = order.payload.id();
        let mut held = BTreeSet::new();
        let mut failed = None;
        for other in after {
            match self.standing(other) {
                Standing::Open => {
                    held.insert(*other);
                }
                Standing::Well => {}
                Standing::Otherwise => failed = failed.or(Some(*other)),
            }
        }
        if !self.admit(order, None, turn) {
            return;
        }
        if let Some(other) = failed {
            return self.unsettle_all(job, &Unsettled::After(other), turn);
        }
        if !held.is_empty() {
            turn.event(job, JobEvent::Held { after: held.iter().copied().collect() });
        }
        let Some(record) = self.jobs.get_mut(&job) else { return };
        record.held = held;
        self.order(job, turn);
    }

    /// A job has ended: those that are held for it go on, or end as well.
    pub(crate) fn release(&mut self, ended: JobId, turn: &mut Turn<'_>) {
        let well = matches!(self.standing(&ended), Standing::Well);
        let waits =
            |(job, record): (&JobId, &mut JobRecord)| record.held.remove(&ended).then_some(*job);
        let held: Vec<_> = self.jobs.iter_mut().filter_map(waits).collect();
        for job in held {
            if well {
                self.order(job, turn);
            } else {
                self.unsettle_all(job, &Unsettled::After(ended), turn);
            }
        }
    }

    fn standing(&self, job: &JobId) -> Standing {
        let ended = |well| if well { Standing::Well } else { Standing::Otherwise };
        match self.jobs.get(job) {
            // Nothing about it changes once its receipt was asked for.
            Some(record) if record.store.is_none() => Standing::Open,
            Some(record) => ended(record.succeeded() == record.order.payload.tasks),
            None => {
                let summary = self.finished.iter().find(|summary| summary.job == *job);
                ended(summary.is_some_and(|summary| summary.is_success()))
            }
        }
    }
}
