//! The same order, given before and still running: whoever repeats a command that was interrupted
//! follows the job that is there. The directory of the node keeps, for every order that was given
//! from this machine, what it asked for.

use crate::{data::DataDir, failure::Failure};
use api::{Code, JobState, NodeApi};
use identity::{Digest, canonical};
use protocol::{Job, JobId, TaskIndex};
use std::{fs, io, path::PathBuf};

/// Characters of a digest that are the name of a file: 1,024 files, and no more.
const SLOT: usize = 2;

/// Where orders are remembered, below the directory of a node.
const ORDERS: &str = "orders";

/// The orders that were given from this machine, as far as they are remembered.
#[derive(Debug)]
pub(crate) struct Orders(PathBuf);

impl Orders {
    /// Those to the node of this directory.
    pub(crate) fn of(data: &DataDir) -> Self {
        Self(data.root().join(ORDERS))
    }

    fn slot(&self, what: &Digest) -> PathBuf {
        self.0.join(&what.to_string()[..SLOT])
    }

    /// The job that was ordered when this was asked for, unless another one took its place.
    pub(crate) fn find(&self, what: &Digest) -> Option<JobId> {
        // What is damaged is as good as forgotten.
        let text = fs::read_to_string(self.slot(what)).ok()?;
        let (kept, job) = text.trim_end().split_once(' ')?;
        (kept == what.to_string()).then(|| job.parse().ok())?
    }

    /// Remembers an order.
    pub(crate) fn keep(&self, what: &Digest, job: &JobId) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let draft = tempfile::Builder::new().prefix(".draft-").tempfile_in(&self.0)?;
        fs::write(draft.path(), format!("{what} {job}\n"))?;
        draft.persist(self.slot(what)).map_err(|error| error.error).map(drop)
    }

    /// Forgets an order whose job has ended.
    pub(crate) fn forget(&self, what: &Digest) {
        if self.find(what).is_some() {
            // If it stays it is asked for once more, and found to have ended.
            let _ = fs::remove_file(self.slot(what));
        }
    }
}

/// What an order asks for, whenever it is given: everything but times (its deadline is one) and
/// nonce.
pub(crate) fn what(job: &Job, after: &[JobId]) -> Digest {
    let mut after: Vec<_> = after.to_vec();
    after.sort_unstable();
    let asked = (job.network, job.home, job.program, job.table, job.seed, job.engine);
    let terms = (job.limits, job.placement, job.verification, after);
    let queue = (job.terms.priority, &job.terms.needs);
    let parts = [canonical::encode(&asked), canonical::encode(&terms), canonical::encode(&queue)];
    Digest::of("polity order asked for", &parts.each_ref().map(Vec::as_slice))
}

/// The job that was ordered before to do just this, if the node still works on it.
pub(crate) async fn running(
    node: &impl NodeApi,
    orders: &Orders,
    job: &Job,
    after: &[JobId],
) -> Result<Option<JobId>, Failure> {
    let asked = what(job, after);
    let Some(found) = orders.find(&asked) else { return Ok(None) };
    let jobs = node.jobs().await?;
    let runs = |state| state == JobState::Running;
    if !jobs.iter().any(|other| other.job == found && runs(other.state)) {
        orders.forget(&asked);
        return Ok(None);
    }
    // No tasks are wanted: there are none from here on.
    match node.job(found, TaskIndex(u32::MAX)).await {
        Ok(detail) => {
            let same = what(&detail.order.payload, after) == asked;
            Ok(Some(found).filter(|_| same && runs(detail.summary.state)))
        }
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    fn job(n: u8) -> JobId {
        JobId(Cid::of(Codec::DagCbor, &[n]))
    }

    #[test]
    fn orders_are_remembered_by_what_they_ask_for_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let orders = Orders::of(&DataDir::at(dir.path()));
        let (one, two) = (Digest([1; 32]), Digest([2; 32]));
        assert_eq!(orders.find(&one), None);
        orders.keep(&one, &job(1)).unwrap();
        orders.keep(&two, &job(2)).unwrap();
        assert_eq!((orders.find(&one), orders.find(&two)), (Some(job(1)), Some(job(2))));
        orders.keep(&one, &job(3)).unwrap();
        orders.forget(&two);
        assert_eq!((orders.find(&one), orders.find(&two)), (Some(job(3)), None));
    }

    #[test]
    fn orders_that_share_a_place_are_not_taken_for_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let orders = Orders::of(&DataDir::at(dir.path()));
        let mut other = [1; 32];
        other[31] = 2;
        let (one, other) = (Digest([1; 32]), Digest(other));
        orders.keep(&one, &job(1)).unwrap();
        assert_eq!(orders.find(&other), None);
        orders.forget(&other);
        assert_eq!(orders.find(&one), Some(job(1)));
        orders.keep(&other, &job(2)).unwrap();
        assert_eq!(orders.find(&one), None);
        let files = fs::read_dir(dir.path().join(ORDERS)).unwrap().count();
        assert_eq!(files, 1);
    }
}
