//! The ledger takes no dispute about a task: nobody will ever rule on it.

use crate::{Work, turn::Turn};
use protocol::{JobId, TaskIndex};

impl Work {
    pub(crate) fn on_dispute_refused(
        &mut self,
        job: JobId,
        task: TaskIndex,
        reason: String,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else {
            self.counts.late += 1;
            return;
        };
        // A claim that was filed after the verdict, for instance.
        if !record.disputes.contains_key(&task) {
            self.counts.late += 1;
            return;
        }
        record.dispute_refusals.insert(task, reason);
        self.leave_undecided(job, task, turn);
    }
}
