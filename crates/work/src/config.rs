//! What a home may be told about its work.

use crate::{Error, Quota, Weights};
use identity::Digest;
use protocol::{JobId, TaskIndex, limits};
use serde::{Deserialize, Serialize};

/// Replicas that one node may hold without having committed, at most. So many leaves of the largest
/// number of replicas still fit into one transaction.
const MAX_SLOTS: u32 = 64;
/// Bytes of a transaction that batches of one task may take: the rest is for the order, skips and
/// sets.
const BATCHES_BYTES: usize = limits::TX_BYTES - (64 << 10);
/// Bytes of a transaction that one leaf may cost for each replica: its commitment, its reveal, and
/// a share of commitments of replicas that were lost.
const LEAF_BYTES: usize = 200;

/// Durations, bounds and sizes. None of them is part of what nodes must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Added to a job's wall time: how long a replica may be silent. Default 10,000.
    pub lease_ms: u64,
    /// How long a replica may take to reveal once it was shown a set. Default 30,000.
    pub reveal_ms: u64,
    /// How long a node may be away before its replicas are lost. Default 3,000.
    pub grace_ms: u64,
    /// The first wait before candidates are asked again; it doubles each time. Default 1,000.
    pub retry_ms: u64,
    /// How often candidates that had no result are asked again. Default 3.
    pub rounds: u32,
    /// Replicas that one node may hold without having committed, 1 to 64. Default 32.
    pub node_tasks: u32,
    /// Tasks that are worked on at a time, of all jobs together. Default 4,096.
    pub open_tasks: u32,
    /// Tasks of one job that may be worked on although others have taken all of these, so that an
    /// urgent one can always begin. Default 64.
    pub open_least: u32,
    /// Jobs whose receipts are not stored yet. Default 256.
    pub jobs: usize,
    /// Tasks of all these jobs together. Tasks that wait cost nothing; those that began cost about
    /// a kilobyte until the job ends. Default 4,000,000.
    pub tasks: u32,
    /// Summaries of finished jobs that are kept. Default 1,000.
    pub finished_jobs: usize,
    /// How often a transaction, or a finished job, is mentioned again until it is answered for.
    /// Default 2,000.
    pub republish_ms: u64,
    /// How long agreed tasks of a job of which others are at work wait for more, counted from the
    /// transaction before. Default 200.
    pub gather_ms: u64,
    /// Tasks in one transaction, at most. Default 512.
    pub batch_tasks: usize,
    /// Bytes of one transaction, at most. Default 983,040.
    pub tx_bytes: usize,
    /// Transactions of one job that wait for the ledger, at most. Default 4.
    pub outbox: usize,
    /// Bytes of the outcomes of one job, all together, beside those that come with each task.
    /// Default 64 MiB.
    pub outcome_bytes: u64,
    /// Bytes of outcomes that each task of a job adds to that. Default 1 KiB, of which an outcome of
    /// a few files takes a third.
    pub outcome_task_bytes: u64,
    /// Nodes that are remembered as connected, at most. Default 4,096.
    pub peers: usize,
    /// What one submitter may have under way, unless it has a quota of its own.
    pub quota: Quota,
    /// How much speaks for a node to be given the first replica.
    pub weights: Weights,
    /// Nodes that lose a task, or have no result, until it is asked of nobody else. Default 5.
    pub poison: u32,
    /// Pairs of a program and a class of nodes of which it is known how long the one takes on the
    /// other. Default 4,096.
    pub learned: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lease_ms: 10_000,
            reveal_ms: 30_000,
            grace_ms: 3_000,
            retry_ms: 1_000,
            rounds: 3,
            node_tasks: 32,
            open_tasks: 4_096,
            jobs: 256,
            tasks: 4_000_000,
            finished_jobs: 1_000,
            republish_ms: 2_000,
            gather_ms: 200,
            batch_tasks: 512,
            tx_bytes: BATCHES_BYTES,
            outbox: 4,
            outcome_bytes: 64 << 20,
            outcome_task_bytes: 1 << 10,
            peers: 4_096,
            open_least: 64,
            quota: Quota::default(),
            weights: Weights::default(),
            poison: 5,
            learned: 4_096,
        }
    }
}

impl Config {
    /// Checks that every value makes sense.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first field that does not.
    pub fn check(&self) -> Result<(), Error> {
        let positive = [
            ("lease_ms", self.lease_ms),
            ("reveal_ms", self.reveal_ms),
            ("retry_ms", self.retry_ms),
            ("republish_ms", self.republish_ms),
            ("open_tasks", u64::from(self.open_tasks)),
            ("jobs", self.jobs as u64),
            ("tasks", u64::from(self.tasks)),
            ("batch_tasks", self.batch_tasks as u64),
            ("outbox", self.outbox as u64),
            ("outcome_bytes", self.outcome_bytes),
            ("peers", self.peers as u64),
            ("poison", u64::from(self.poison)),
            ("learned", self.learned as u64),
        ];
        if let Some((field, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::Config { field, reason: "must not be zero".into() });
        }
        if !(1..=MAX_SLOTS).contains(&self.node_tasks) {
            let reason = format!("must be 1 to {MAX_SLOTS}, not {}", self.node_tasks);
            return Err(Error::Config { field: "node_tasks", reason });
        }
        if self.tx_bytes > limits::TX_BYTES {
            let reason = format!("must be at most {}, not {}", limits::TX_BYTES, self.tx_bytes);
            return Err(Error::Config { field: "tx_bytes", reason });
        }
        self.weights.check()
    }

    /// The same with the least value where a zero would never let time pass.
    pub(crate) fn without_zeros(self) -> Self {
        Self {
            lease_ms: self.lease_ms.max(1),
            reveal_ms: self.reveal_ms.max(1),
            retry_ms: self.retry_ms.max(1),
            republish_ms: self.republish_ms.max(1),
            batch_tasks: self.batch_tasks.max(1),
            outbox: self.outbox.max(1),
            ..self
        }
    }

    /// Replicas that one node may hold without having committed.
    pub(crate) fn slots(&self) -> u32 {
        self.node_tasks.clamp(1, MAX_SLOTS)
    }

    /// Leaves of one batch of a job with at most `replicas` replicas for each task.
    pub(crate) fn leaves(&self, replicas: u16) -> usize {
        let fitting = self.tx_bytes / (LEAF_BYTES * usize::from(replicas.max(1)));
        fitting.clamp(1, limits::BATCH_LEAVES)
    }

    /// As [`Self::backoff_ms`], and up to a quarter longer, so that tasks that failed together are not
    /// tried again together. What is added follows from the task and the round.
    pub(crate) fn wait_ms(&self, job: &JobId, task: TaskIndex, rounds: u32) -> u64 {
        let parts: [&[u8]; 3] = [&job.0.to_bytes(), &task.0.to_be_bytes(), &rounds.to_be_bytes()];
        let digest = Digest::of("polity retry", &parts);
        let number = digest.as_bytes().iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte));
        let wait_ms = self.backoff_ms(rounds);
        wait_ms + number % (wait_ms / 4).max(1)
    }

    /// Bytes of the outcomes of a job of so many tasks.
    pub(crate) fn outcome_room(&self, tasks: u32) -> u64 {
        let of_tasks = self.outcome_task_bytes.saturating_mul(u64::from(tasks));
        self.outcome_bytes.saturating_add(of_tasks)
    }

    /// How long to wait before round `rounds` of asking again: doubled, up to a minute.
    fn backoff_ms(&self, rounds: u32) -> u64 {
        let factor = 1_u64.checked_shl(rounds.min(16)).unwrap_or(u64::MAX);
        self.retry_ms.saturating_mul(factor).min(60_000.max(self.retry_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let zero = Config { outbox: 0, ..Config::default() };
        assert!(zero.check().unwrap_err().to_string().contains("outbox"));
        let wide = Config { node_tasks: 65, ..Config::default() };
        assert!(wide.check().unwrap_err().to_string().contains("node_tasks"));
        let large = Config { tx_bytes: limits::TX_BYTES + 1, ..Config::default() };
        assert!(large.check().unwrap_err().to_string().contains("tx_bytes"));
    }

    #[test]
    fn full_batches_of_all_replicas_fit_a_transaction() {
        let config = Config::default();
        for replicas in 1..=limits::REPLICAS {
            let leaves = config.leaves(replicas);
            assert!(leaves >= MAX_SLOTS as usize, "{replicas}");
            assert!(leaves * LEAF_BYTES * usize::from(replicas) <= config.tx_bytes);
        }
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let config = Config::default();
        let waits: Vec<_> = [0, 1, 2, 6, 40].map(|n| config.backoff_ms(n)).into();
        assert_eq!(waits, [1_000, 2_000, 4_000, 60_000, 60_000]);
    }
}
