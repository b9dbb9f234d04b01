//! Disputes: who claims what about a task, what validators found, and how it ended.

use crate::part::Rooted;
use identity::{Digest, PublicKey, canonical};
use protocol::{Certificate, Height, JobId, OutcomeDigest, TaskIndex, Time};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// How far a dispute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DisputeStatus {
    /// Validators are running the task again.
    Open,
    /// A quorum of them found the same.
    Decided {
        /// What they found.
        outcome: OutcomeDigest,
        /// The block with the verdict that completed the quorum.
        height: Height,
    },
    /// They could not decide: nobody is sanctioned.
    Undecided {
        /// The block that ended it.
        height: Height,
    },
}

/// The dispute about one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeRecord {
    /// The job.
    pub job: JobId,
    /// The task.
    pub task: TaskIndex,
    /// The job's home.
    pub home: PublicKey,
    /// The owner whose node filed it first.
    pub filer: PublicKey,
    /// That node.
    pub filed_by: PublicKey,
    /// The block with the first filing.
    pub opened: Height,
    /// Until when validators may decide it.
    pub deadline: Time,
    /// When the job expires, and this record with it.
    pub expires: Time,
    /// Nodes and what they claim, in the order in which it came; one claim for each node.
    pub claims: Vec<(PublicKey, OutcomeDigest)>,
    /// Validators and what they found.
    pub rulings: Vec<(PublicKey, Option<OutcomeDigest>)>,
    /// How far it is.
    pub status: DisputeStatus,
    /// The transactions that filed it, and their blocks.
    pub txs: Vec<(Digest, Height)>,
    /// Whether the task was final before it was filed.
    pub after_final: bool,
}

impl DisputeRecord {
    /// Whether validators still have to rule.
    pub fn is_open(&self) -> bool {
        self.status == DisputeStatus::Open
    }

    /// What the validators found, if they decided.
    pub fn outcome(&self) -> Option<OutcomeDigest> {
        match self.status {
            DisputeStatus::Decided { outcome, .. } => Some(outcome),
            DisputeStatus::Open | DisputeStatus::Undecided { .. } => None,
        }
    }

    /// Everybody who said something else than `found`: claimants, then validators.
    pub fn others(&self, found: OutcomeDigest) -> Vec<PublicKey> {
        let claims = self.claims.iter().filter(|(_, outcome)| *outcome != found);
        let rulings = self.rulings.iter().filter(|(_, o)| o.is_some_and(|o| o != found));
        let mut others: Vec<_> = claims.map(|(node, _)| *node).collect();
        for (validator, _) in rulings {
            if !others.contains(validator) {
                others.push(*validator);
            }
        }
        others
    }

    /// Whether an honest validator says that the task cannot be run: then it should not have been
    /// disputed. Silence says nothing.
    pub(crate) fn could_not_be_run(&self, validators: usize) -> bool {
        let tolerated = validators - Certificate::quorum(validators);
        self.rulings.iter().filter(|(_, outcome)| outcome.is_none()).count() > tolerated
    }

    /// What a quorum of `validators` found. `Err` if no quorum can be reached any more.
    pub(crate) fn count(&self, validators: usize) -> Result<Option<OutcomeDigest>, Hung> {
        let mut found: BTreeMap<OutcomeDigest, usize> = BTreeMap::new();
        for outcome in self.rulings.iter().filter_map(|(_, outcome)| *outcome) {
            *found.entry(outcome).or_default() += 1;
        }
        let quorum = Certificate::quorum(validators);
        let most = found.into_iter().max_by_key(|(_, signers)| *signers);
        match most {
            Some((outcome, signers)) if signers >= quorum => Ok(Some(outcome)),
            most => {
                let silent = validators.saturating_sub(self.rulings.len());
                let can = most.map_or(0, |(_, signers)| signers) + silent >= quorum;
                if can { Ok(None) } else { Err(Hung) }
            }
        }
    }
}

/// No quorum can be reached any more.
#[derive(Debug)]
pub(crate) struct Hung;

/// All disputes about jobs that did not expire. About 500 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disputes {
    records: BTreeMap<String, Arc<DisputeRecord>>,
}

/// DAG-CBOR maps have text keys, and this map goes into a snapshot.
fn key(job: &JobId, task: TaskIndex) -> String {
    format!("{job}/{:08x}", task.0)
}

impl Disputes {
    pub(crate) fn get(&self, job: &JobId, task: TaskIndex) -> Option<&DisputeRecord> {
        self.records.get(&key(job, task)).map(Arc::as_ref)
    }

    pub(crate) fn get_mut(&mut self, job: &JobId, task: TaskIndex) -> Option<&mut DisputeRecord> {
        self.records.get_mut(&key(job, task)).map(Arc::make_mut)
    }

    pub(crate) fn insert(&mut self, record: DisputeRecord) {
        self.records.insert(key(&record.job, record.task), Arc::new(record));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &DisputeRecord> {
        self.records.values().map(Arc::as_ref)
    }

    /// How many disputes this owner has open.
    pub(crate) fn open_of(&self, filer: &PublicKey) -> usize {
        self.iter().filter(|record| record.is_open() && record.filer == *filer).count()
    }

    /// How many disputes are open.
    pub(crate) fn open(&self) -> usize {
        self.iter().filter(|record| record.is_open()).count()
    }

    /// Open disputes whose time is over.
    pub(crate) fn overdue(&self, time: Time) -> Vec<(JobId, TaskIndex)> {
        let overdue = |record: &&DisputeRecord| record.is_open() && record.deadline < time;
        self.iter().filter(overdue).map(|record| (record.job, record.task)).collect()
    }

    /// Forgets disputes about jobs that expired before `time`, except for those still open.
    pub(crate) fn prune(&mut self, time: Time) {
        self.records.retain(|_, record| record.is_open() || record.expires >= time);
    }

    /// Whether [`Self::prune`] would forget something.
    pub(crate) fn is_stale(&self, time: Time) -> bool {
        self.iter().any(|record| !record.is_open() && record.expires < time)
    }
}

impl Rooted for Disputes {
    fn root(&self) -> Digest {
        Digest::of("polity disputes", &[&canonical::encode(&self.records)])
    }
}
