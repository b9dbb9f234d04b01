//! What could not be done for a job the last time it was tried: for whoever asks why it waits.

use api::{Step, Trouble};
use protocol::{JobId, Time};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

/// Jobs of which troubles are known, at most; of further ones nothing is kept.
const JOBS: usize = 1_024;

/// The last trouble of every step of every job.
#[derive(Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<JobId, BTreeMap<Step, Trouble>>>);

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, BTreeMap<Step, Trouble>>> {
        self.0.lock().expect("nobody panics while holding troubles")
    }

    /// A step could not be taken.
    pub(crate) fn note(&self, job: JobId, step: Step, at: Time, reason: impl ToString) {
        let mut all = self.lock();
        if all.len() < JOBS || all.contains_key(&job) {
            let trouble = Trouble { step, at, reason: reason.to_string() };
            all.entry(job).or_default().insert(step, trouble);
        }
    }

    /// A step was taken.
    pub(crate) fn over(&self, job: &JobId, step: Step) {
        let mut all = self.lock();
        if let Some(steps) = all.get_mut(job) {
            steps.remove(&step);
            if steps.is_empty() {
                all.remove(job);
            }
        }
    }

    /// The job has ended.
    pub(crate) fn forget(&self, job: &JobId) {
        self.lock().remove(job);
    }

    /// What is in the way of a job.
    pub(crate) fn of(&self, job: &JobId) -> Vec<Trouble> {
        self.lock().get(job).map(|steps| steps.values().cloned().collect()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    #[test]
    fn the_last_trouble_of_each_step_is_told_until_it_is_over() {
        let troubles = Troubles::default();
        let job = JobId(Cid::of(Codec::Raw, b"job"));
        troubles.note(job, Step::Publish, Time(1), "nobody is there");
        troubles.note(job, Step::Publish, Time(2), "still nobody");
        troubles.note(job, Step::Receipt, Time(3), "the disk is full");
        let told: Vec<_> = troubles.of(&job).into_iter().map(|t| (t.step, t.at.0)).collect();
        assert_eq!(told, [(Step::Publish, 2), (Step::Receipt, 3)]);
        troubles.over(&job, Step::Publish);
        assert_eq!(troubles.of(&job).len(), 1);
        troubles.forget(&job);
        assert_eq!(troubles.of(&job), []);
    }

    #[test]
    fn troubles_of_so_many_jobs_are_kept_and_no_more() {
        let troubles = Troubles::default();
        let job = |n: usize| JobId(Cid::of(Codec::Raw, &n.to_be_bytes()));
        (0..=JOBS).for_each(|n| troubles.note(job(n), Step::Keep, Time(1), "no"));
        assert_eq!(troubles.of(&job(JOBS)), []);
        troubles.note(job(0), Step::Keep, Time(2), "no");
        assert_eq!(troubles.of(&job(0))[0].at, Time(2));
    }
}
