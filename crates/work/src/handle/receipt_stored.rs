//! The receipt of a finished job is kept: the job itself is not needed any more.

use crate::{Work, state::Summary, state::Timer, turn::Turn};
use objects::Cid;
use protocol::{JobEvent, JobId};

impl Work {
    pub(crate) fn on_receipt_stored(&mut self, job: JobId, receipt: Cid, turn: &mut Turn<'_>) {
        if !self.jobs.get(&job).is_some_and(|record| record.is_finished()) {
            self.counts.late += 1;
            return;
        }
        let Some(record) = self.jobs.remove(&job) else { return };
        if let Some(again) = record.store {
            self.timers.remove(again, Timer::Store(job));
        }
        self.timers.remove(record.order.payload.expires, Timer::Expiry(job));
        self.capped.remove(&job);
        self.drop_rosters();
        let succeeded = record.succeeded();
        let (settled, unsettled) = (record.progress.settled, record.progress.unsettled);
        turn.event(job, JobEvent::Finished { settled, unsettled, receipt });
        self.finished.push_back(Summary {
            job,
            submitter: record.order.by,
            admitted: record.admitted,
            finished: turn.now,
            settled,
            unsettled,
            succeeded,
            times: record.times,
            left: record.left,
            receipt,
        });
        while self.finished.len() > self.config.finished_jobs {
            self.finished.pop_front();
        }
    }
}
