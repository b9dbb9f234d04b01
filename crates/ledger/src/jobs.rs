//! Which tasks of which jobs are final, until the jobs expire.

use crate::{
    AuditCount,
    trie::{Expires, Trie},
};
use identity::Digest;
use protocol::{JobId, TaskIndex, Time};
use serde::{Deserialize, Serialize};

/// What the ledger remembers of a job: one bit for each task, until no receipt for it can come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    tasks: u32,
    expires: Time,
    #[serde(with = "serde_bytes")]
    settled: Vec<u8>,
    /// Final tasks that were picked for an audit, and that were audited.
    picked: u32,
    audited: u32,
}

impl Expires for Record {
    fn expires(&self) -> Time {
        self.expires
    }
}

/// Jobs that have final tasks and have not expired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Jobs {
    records: Trie<Record>,
}

/// Where a job stands in a map.
pub(crate) fn key(job: &JobId) -> Digest {
    Digest::of("polity job", &[&job.0.to_bytes()])
}

/// Where a task stands in a map.
pub(crate) fn task_key(job: &JobId, task: TaskIndex) -> Digest {
    Digest::of("polity task", &[&job.0.to_bytes(), &task.0.to_be_bytes()])
}

impl Jobs {
    /// Whether a task is final.
    pub(crate) fn is_final(&self, job: &JobId, task: TaskIndex) -> bool {
        self.records.get(&key(job)).is_some_and(|record| {
            let byte = record.settled.get(task.0 as usize / 8).copied().unwrap_or(0);
            byte >> (task.0 % 8) & 1 == 1
        })
    }

    /// Remembers that tasks are final.
    pub(crate) fn settle(
        &mut self,
        job: &JobId,
        (tasks, expires): (u32, Time),
        settled: impl Iterator<Item = TaskIndex>,
    ) {
        let key = key(job);
        if self.records.get(&key).is_none() {
            let bytes = vec![0; tasks.div_ceil(8) as usize];
            let record = Record { tasks, expires, settled: bytes, picked: 0, audited: 0 };
            self.records.insert(key, record);
        }
        self.records.change(&key, |record| {
            for task in settled {
                record.settled[task.0 as usize / 8] |= 1 << (task.0 % 8);
            }
        });
    }

    /// A final task of the job was picked for an audit.
    pub(crate) fn picked(&mut self, job: &JobId) {
        self.records.change(&key(job), |record| record.picked += 1);
    }

    /// A picked task of the job was audited.
    pub(crate) fn audited(&mut self, job: &JobId) {
        self.records.change(&key(job), |record| record.audited += 1);
    }

    /// How many tasks of the job were picked and audited.
    pub(crate) fn audits(&self, job: &JobId) -> AuditCount {
        let record = self.records.get(&key(job));
        record.map(|r| AuditCount { picked: r.picked, audited: r.audited }).unwrap_or_default()
    }

    /// Forgets jobs that expired before `time`.
    pub(crate) fn prune(&mut self, time: Time) {
        self.records.prune(time);
    }

    /// A digest of everything.
    pub(crate) fn root(&self) -> Digest {
        self.records.root()
    }
}
