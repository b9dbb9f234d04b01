//! What the polity in memory remembers: orders, and where results are known.

use super::{Polity, end_of};
use api::{JobState, KnownTask};
use bytes::Bytes;
use protocol::{End, Height, Job, JobId, TaskIndex, TaskKey};
use std::{collections::HashMap, sync::atomic::Ordering};

impl Polity {
    /// The orders that were taken, in their order, with the jobs that each is held for.
    pub(crate) fn orders(&self) -> Vec<(Job, Vec<JobId>)> {
        let state = self.state.lock().unwrap();
        let mut all: Vec<_> = state
            .jobs
            .values()
            .map(|kept| (kept.order.payload.clone(), kept.after.clone()))
            .collect();
        all.sort_by_key(|(job, _)| job.issued);
        all
    }

    /// Refuses every order from now on.
    pub(crate) fn refuse(&self) {
        self.refuses.store(true, Ordering::SeqCst);
    }

    /// Forgets what receipts and results of all jobs hold.
    pub(crate) fn lose_receipts(&self) {
        self.state.lock().unwrap().jobs.values_mut().for_each(|kept| kept.receipt = Bytes::new());
    }

    /// Where the result of each task is that is known.
    pub(super) fn all_known(&self) -> HashMap<TaskKey, KnownTask> {
        let state = self.state.lock().unwrap();
        let mut known = HashMap::<TaskKey, KnownTask>::new();
        for kept in state.jobs.values().filter(|k| k.summary.state == JobState::Finished) {
            let job = &kept.order.payload;
            for (task, spec) in (0..).map(TaskIndex).zip(kept.table.tasks()) {
                let verification = job.verification;
                let (height, time) = (Height(2), job.issued);
                let here = KnownTask { job: job.id(), task, verification, height, time };
                let other = known.get(&job.key_of(&kept.table, &spec));
                let better = other.is_none_or(|other| other.verification.k < verification.k);
                if end_of(&spec.name) == Ok(End::Exit(0)) && better {
                    known.insert(job.key_of(&kept.table, &spec), here);
                }
            }
        }
        known
    }
}
