//! What one submitter may have under way.

use crate::{Config, Error, Work};
use identity::PublicKey;
use protocol::{JobId, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Submitters with a quota of their own, at most.
pub(crate) const QUOTAS: usize = 4_096;

/// The most that one submitter may have under way here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Jobs whose receipts are not stored yet. Default 256.
    pub jobs: u32,
    /// Tasks of these jobs. Default 4,000,000.
    pub tasks: u32,
    /// Replicas that are at work at a time: K of each task. Default 65,536.
    pub replicas: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self { jobs: 256, tasks: 4_000_000, replicas: 65_536 }
    }
}

/// What one submitter has under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Jobs whose receipts are not stored yet.
    pub jobs: u32,
    /// Tasks of these jobs that have not ended.
    pub tasks: u64,
    /// Replicas at work: K of each task.
    pub replicas: u64,
}

/// What one submitter may have under way, and has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What it may have.
    pub quota: Quota,
    /// Whether that was said of it; else it is what all may have.
    pub own: bool,
    /// What it has.
    pub usage: Usage,
}

impl Work {
    /// The quota of submitters that have none of their own.
    pub fn usual_quota(&self) -> Quota {
        self.config.quota
    }

    /// Submitters with a quota of their own, or with something under way.
    pub fn shares(&self) -> BTreeMap<PublicKey, Share> {
        let with_jobs = self.jobs.values().map(|record| record.order.by);
        let all: BTreeSet<_> = self.quotas.keys().copied().chain(with_jobs).collect();
        let share = |submitter: PublicKey| {
            let (quota, usage) = (self.quota(&submitter), self.usage(&submitter));
            (submitter, Share { quota, own: self.quotas.contains_key(&submitter), usage })
        };
        all.into_iter().map(share).collect()
    }

    /// Whether a submitter can be given a quota of its own.
    ///
    /// # Errors
    /// [`Error::Full`] if 4,096 others have one.
    pub fn room_for_quota(&self, submitter: &PublicKey) -> Result<(), Error> {
        if self.quotas.len() >= QUOTAS && !self.quotas.contains_key(submitter) {
            return Err(Error::Full { what: "quotas", most: QUOTAS });
        }
        Ok(())
    }

    /// The quota of a submitter: its own, or that of all.
    pub fn quota(&self, submitter: &PublicKey) -> Quota {
        self.quotas.get(submitter).copied().unwrap_or(self.config.quota)
    }

    /// What a submitter has under way.
    pub fn usage(&self, submitter: &PublicKey) -> Usage {
        let mut usage = Usage::default();
        for record in self.jobs.values().filter(|record| record.order.by == *submitter) {
            usage.jobs += 1;
            usage.tasks += record.unended();
            usage.replicas += u64::from(record.progress.running) * record.width();
        }
        usage
    }

    /// Whether one more job of so many tasks can be taken from anybody.
    ///
    /// # Errors
    /// [`Error::TooManyJobs`] or [`Error::TooManyTasks`].
    pub fn room(&self, tasks: u32) -> Result<(), Error> {
        let Config { jobs, tasks: allowed, .. } = self.config;
        if self.jobs.len() >= jobs {
            return Err(Error::TooManyJobs { live: self.jobs.len() });
        }
        // Those that have ended take room until the receipt is stored.
        let live = self.jobs.values().map(|record| u64::from(record.order.payload.tasks)).sum();
        if live + u64::from(tasks) > u64::from(allowed) {
            return Err(Error::TooManyTasks { live, allowed });
        }
        Ok(())
    }

    /// Whether one more job of so many tasks can be taken from this submitter. `node` asks before it
    /// admits an order, with the time of now and the deadline of the order.
    ///
    /// # Errors
    /// As [`Self::room`]; [`Error::QuotaOfJobs`] or [`Error::QuotaOfTasks`]; [`Error::Deadline`] if
    /// it is past.
    pub fn room_for(
        &self,
        submitter: &PublicKey,
        tasks: u32,
        (now, deadline): (Time, Option<Time>),
    ) -> Result<(), Error> {
        self.room(tasks)?;
        let (quota, usage) = (self.quota(submitter), self.usage(submitter));
        if usage.jobs >= quota.jobs {
            return Err(Error::QuotaOfJobs { live: usage.jobs, allowed: quota.jobs });
        }
        if usage.tasks + u64::from(tasks) > u64::from(quota.tasks) {
            return Err(Error::QuotaOfTasks { live: usage.tasks, allowed: quota.tasks });
        }
        if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
            return Err(Error::Deadline { deadline });
        }
        Ok(())
    }

    /// Whether a job waits because its submitter, or all together, have as much at work as they may.
    pub fn is_capped(&self, job: &JobId) -> bool {
        self.capped.contains(job)
    }
}
