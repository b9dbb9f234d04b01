//! Audits: final tasks that other owners run again, picked by a beacon that nobody knew before.

use crate::{
    jobs::task_key,
    trie::{Expires, Trie},
};
use identity::{Digest, PublicKey, canonical};
use protocol::{Height, JobId, OutcomeDigest, Params, Roster, TaskIndex, Time, draw};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A task that became final in the last block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recent {
    pub(crate) job: JobId,
    pub(crate) task: TaskIndex,
    pub(crate) outcome: OutcomeDigest,
    pub(crate) executors: Vec<PublicKey>,
    pub(crate) tx: Digest,
}

/// A task that is to be run again, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The transaction that settled it.
    pub tx: Digest,
    /// The block with that transaction.
    pub settled: Height,
    /// What was agreed on.
    pub outcome: OutcomeDigest,
    /// Who is to run it again.
    pub auditors: Vec<PublicKey>,
    /// Who of them found the same.
    pub answered: Vec<PublicKey>,
    /// Until when an answer counts.
    pub expires: Time,
}

/// How many final tasks of a job were picked for an audit, and how many of them somebody audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditCount {
    /// Picked, with at least one owner who could run them.
    pub picked: u32,
    /// Run again, with the same outcome.
    pub audited: u32,
}

/// Duties that are not done, and the tasks of the last block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Audits {
    pub(crate) recent: Arc<Vec<Recent>>,
    duties: Trie<Duty>,
}

impl Expires for Duty {
    fn expires(&self) -> Time {
        self.expires
    }
}

impl Audits {
    pub(crate) fn duties(&self) -> impl Iterator<Item = &Duty> {
        self.duties.iter().map(|(_, duty)| duty)
    }

    pub(crate) fn duty(&self, job: &JobId, task: TaskIndex) -> Option<&Duty> {
        self.duties.get(&task_key(job, task))
    }

    /// Picks among the tasks of the block before with this block's beacon. Gives the picked ones.
    pub(crate) fn pick(
        &mut self,
        (height, time, beacon): (Height, Time, &Digest),
        roster: &Roster,
        params: &Params,
    ) -> Vec<JobId> {
        let mut picked = Vec::new();
        for recent in std::mem::take(&mut self.recent).iter() {
            let Recent { job, task, outcome, ref executors, tx } = *recent;
            if !draw::is_audited(beacon, &job, task, params.audit_per_mille) {
                continue;
            }
            let count = usize::from(params.auditors);
            let auditors = draw::auditors(beacon, (&job, task), roster, executors, count);
            if auditors.is_empty() {
                continue;
            }
            let settled = Height(height.0 - 1);
            let expires = time.after_ms(params.verdict_ms);
            let answered = Vec::new();
            let duty = Duty { job, task, tx, settled, outcome, auditors, answered, expires };
            self.duties.insert(task_key(&job, task), duty);
            picked.push(job);
        }
        picked
    }

    /// An auditor found the same. True if it is the first one.
    pub(crate) fn answer(&mut self, job: &JobId, task: TaskIndex, by: PublicKey) -> bool {
        let key = task_key(job, task);
        let answered = self.duties.change(&key, |duty| {
            duty.answered.push(by);
            (duty.answered.len(), duty.auditors.len())
        });
        let Some((answers, auditors)) = answered else { return false };
        if answers == auditors {
            self.duties.remove(&key);
        }
        answers == 1
    }

    /// Forgets duties that nobody did in time.
    pub(crate) fn prune(&mut self, time: Time) {
        self.duties.prune(time);
    }

    /// A digest of everything.
    pub(crate) fn root(&self) -> Digest {
        let recent = canonical::encode(self.recent.as_ref());
        Digest::of("polity audits", &[&recent, self.duties.root().as_bytes()])
    }
}
