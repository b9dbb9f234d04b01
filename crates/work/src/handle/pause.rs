//! The submitter wants a job to wait, or to go on.

use crate::{Work, state::TaskState, turn::Turn};
use protocol::{JobEvent, JobId};

impl Work {
    pub(crate) fn on_pause(&mut self, job: JobId, turn: &mut Turn<'_>) {
        match self.jobs.get_mut(&job) {
            Some(record) if record.store.is_none() && !record.paused => {
                record.paused = true;
                turn.event(job, JobEvent::Paused);
            }
            Some(_) => self.counts.repeated += 1,
            None => self.counts.late += 1,
        }
    }

    /// What was not placed while the job was paused is placed now.
    pub(crate) fn on_resume(&mut self, job: JobId, turn: &mut Turn<'_>) {
        let Some(record) = self.jobs.get_mut(&job) else {
            self.counts.late += 1;
            return;
        };
        if !std::mem::replace(&mut record.paused, false) {
            self.counts.repeated += 1;
            return;
        }
        turn.event(job, JobEvent::Resumed);
        let mut open = Vec::new();
        for (task, row) in record.tasks.rows() {
            let TaskState::Open(race) = &row.state else { continue };
            turn.freed.extend(race.waiting.iter().map(|seat| record.node(*seat)));
            open.push(task);
        }
        turn.hungry.insert(job);
        for task in open {
            self.advance(job, task, turn);
        }
    }
}
