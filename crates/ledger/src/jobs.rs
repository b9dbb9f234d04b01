//! Which tasks of which jobs are final, until the jobs expire.

use crate::{AuditCount, part::Rooted};
use identity::{Digest, canonical};
use protocol::{JobId, TaskIndex, Time};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

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

/// Jobs that have final tasks and have not expired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Jobs {
    records: BTreeMap<Key, Arc<Record>>,
}

/// DAG-CBOR maps have text keys, and this map goes into a snapshot.
type Key = String;

impl Jobs {
    /// Whether a task is final.
    pub(crate) fn is_final(&self, job: &JobId, task: TaskIndex) -> bool {
        self.records.get(&job.to_string()).is_some_and(|record| {
            let byte = record.settled.get(task.0 as usize / 8).copied().unwrap_or(0);
            byte >> (task.0 % 8) & 1 == 1
        })
    }

    /// Remembers that a task is final.
    pub(crate) fn settle(&mut self, job: &JobId, tasks: u32, expires: Time, task: TaskIndex) {
        let bytes = tasks.div_ceil(8) as usize;
        let empty =
            || Arc::new(Record { tasks, expires, settled: vec![0; bytes], picked: 0, audited: 0 });
        let record = self.records.entry(job.to_string()).or_insert_with(empty);
        Arc::make_mut(record).settled[task.0 as usize / 8] |= 1 << (task.0 % 8);
    }

    /// A final task of the job was picked for an audit.
    pub(crate) fn picked(&mut self, job: &JobId) {
        if let Some(record) = self.records.get_mut(&job.to_string()) {
            Arc::make_mut(record).picked += 1;
        }
    }

    /// A picked task of the job was audited.
    pub(crate) fn audited(&mut self, job: &JobId) {
        if let Some(record) = self.records.get_mut(&job.to_string()) {
            Arc::make_mut(record).audited += 1;
        }
    }

    /// How many tasks of the job were picked and audited.
    pub(crate) fn audits(&self, job: &JobId) -> AuditCount {
        let record = self.records.get(&job.to_string());
        record.map(|r| AuditCount { picked: r.picked, audited: r.audited }).unwrap_or_default()
    }

    /// Forgets jobs that expired before `time`.
    pub(crate) fn prune(&mut self, time: Time) {
        self.records.retain(|_, record| record.expires >= time);
    }

    /// Whether [`Self::prune`] would forget something.
    pub(crate) fn is_stale(&self, time: Time) -> bool {
        self.records.values().any(|record| record.expires < time)
    }
}

impl Rooted for Jobs {
    fn root(&self) -> Digest {
        let mut hasher = identity::Hasher::new("polity jobs");
        for (id, record) in &self.records {
            hasher.part(id.as_bytes());
            hasher.part(&canonical::encode(record.as_ref()));
        }
        hasher.finish()
    }
}
