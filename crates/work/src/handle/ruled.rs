//! The validators have run a disputed task again.

use crate::{TaskStatus, Work, state::Ruling, turn::Turn};
use protocol::{JobEvent, JobId, OutcomeDigest, TaskIndex, Unsettled};

impl Work {
    pub(crate) fn on_ruled(
        &mut self,
        job: JobId,
        task: TaskIndex,
        outcome: Option<OutcomeDigest>,
        turn: &mut Turn<'_>,
    ) {
        let Some(record) = self.jobs.get_mut(&job) else {
            self.counts.late += 1;
            return;
        };
        let waits = match record.status(task) {
            Some(status) => matches!(status, TaskStatus::Waiting | TaskStatus::Running { .. }),
            None => {
                self.counts.foreign += 1;
                return;
            }
        };
        if !waits {
            self.counts.late += 1;
            return;
        }
        if record.rulings.contains_key(&task) {
            self.counts.repeated += 1;
            return;
        }
        let disputed = record.disputes.contains_key(&task);
        match outcome {
            Some(outcome) => {
                // Of a dispute that others filed it is remembered as well: replicas may yet reveal
                // something else.
                record.rulings.insert(task, Ruling { outcome, claims: Vec::new(), late: false });
                if self.end_dispute(job, task) {
                    self.decide((job, task), outcome, turn);
                }
            }
            None if disputed => self.leave_undecided(job, task, turn),
            None => self.counts.late += 1,
        }
    }

    /// The dispute has ended without a verdict, and the task with it.
    pub(crate) fn leave_undecided(&mut self, job: JobId, task: TaskIndex, turn: &mut Turn<'_>) {
        turn.event(job, JobEvent::Ruled { task, outcome: None, refuted: Vec::new() });
        self.unsettle(job, task, Unsettled::Undecided, turn);
    }
}
