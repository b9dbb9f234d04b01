//! What a node may choose about its cluster.

use crate::{Error, record::MAX_INPUT_BYTES, steward::Choice};
use openraft::SnapshotPolicy;
use serde::{Deserialize, Serialize};

/// How long a snapshot may be on its way to a member, in milliseconds.
const SNAPSHOT_MS: u64 = 120_000;

/// Sizes, queues and times. None of them is part of what members must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What its owner calls a cluster that this node founds. Default `home`.
    pub name: String,
    /// Entries between two snapshots. Default 10,000.
    pub snapshot_entries: u64,
    /// Entries that stay in the log behind a snapshot, for members that lag. Default 1,000.
    pub keep_entries: u64,
    /// Entries that are made durable with one write, at most. Default 1,024.
    pub max_batch: usize,
    /// Bytes of recent entries that are kept in memory besides those that are being written.
    /// Default 16 MiB.
    pub recent_bytes: usize,
    /// Bytes of one input, at most. Default 16 MiB, at most 64 MiB.
    pub input_bytes: usize,
    /// Bytes of all inputs that wait to be durable and applied; callers beyond that wait.
    /// Default 64 MiB.
    pub queue_bytes: usize,
    /// Lists of effects that wait to be carried out; beyond that the mind waits. Default 1,024.
    pub effect_queue: usize,
    /// Time between two ticks, at least, in milliseconds. Default 5.
    pub tick_ms: u64,
    /// Time between two heartbeats of the leader, in milliseconds. Default 100.
    pub heartbeat_ms: u64,
    /// What the silence of a leader is measured by, in milliseconds: another member stands for
    /// election after two and a half to three times this. Default 250.
    pub election_ms: u64,
    /// Members that vote, at most: 1, 3, 5 or 7. Default 5.
    pub voters: usize,
    /// Labels that name what fails together, the widest first. Default `zone`, `rack`, `host`.
    pub domains: Vec<String>,
    /// How long a voter may be silent before another member gets its seat, in milliseconds. Default
    /// 30,000.
    pub replace_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "home".into(),
            snapshot_entries: 10_000,
            keep_entries: 1_000,
            max_batch: 1_024,
            recent_bytes: 16 << 20,
            input_bytes: 16 << 20,
            queue_bytes: 64 << 20,
            effect_queue: 1_024,
            tick_ms: 5,
            heartbeat_ms: 100,
            election_ms: 250,
            voters: 5,
            domains: ["zone", "rack", "host"].map(String::from).into(),
            replace_ms: 30_000,
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
            ("snapshot_entries", self.snapshot_entries),
            ("max_batch", self.max_batch as u64),
            ("input_bytes", self.input_bytes as u64),
            ("effect_queue", self.effect_queue as u64),
            ("tick_ms", self.tick_ms),
            ("heartbeat_ms", self.heartbeat_ms),
        ];
        if let Some((field, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(Error::Config { field, reason: "must not be zero".into() });
        }
        if self.input_bytes > MAX_INPUT_BYTES {
            let reason = format!("must be at most {MAX_INPUT_BYTES}, not {}", self.input_bytes);
            return Err(Error::Config { field: "input_bytes", reason });
        }
        if self.queue_bytes < self.input_bytes || self.queue_kib() > u32::MAX as usize {
            let reason = format!("must be {} (input_bytes) to 4 TiB", self.input_bytes);
            return Err(Error::Config { field: "queue_bytes", reason });
        }
        if self.election_ms <= self.heartbeat_ms || self.election_ms > 3_600_000 {
            let reason = format!("must be more than {} (heartbeat_ms), at most an hour", {
                self.heartbeat_ms
            });
            return Err(Error::Config { field: "election_ms", reason });
        }
        if !matches!(self.voters, 1 | 3 | 5 | 7) {
            let reason = format!("must be 1, 3, 5 or 7, not {}", self.voters);
            return Err(Error::Config { field: "voters", reason });
        }
        Ok(())
    }

    /// By what voters are chosen.
    pub(crate) fn choice(&self) -> Choice {
        Choice {
            most: self.voters,
            domains: self.domains.clone().into(),
            replace_ms: self.replace_ms,
            silence_ms: self.election_ms * 4,
            election_ms: self.election_ms,
        }
    }

    /// The queue's size in the unit in which it is shared out.
    pub(crate) fn queue_kib(&self) -> usize {
        self.queue_bytes.div_ceil(1024)
    }

    /// The same in the engine's words.
    pub(crate) fn engine(&self) -> Result<openraft::Config, Error> {
        let config = openraft::Config {
            cluster_name: "polity".into(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_ms,
            election_timeout_max: self.election_ms + self.election_ms / 2,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_entries),
            max_in_snapshot_log_to_keep: self.keep_entries,
            install_snapshot_timeout: SNAPSHOT_MS,
            max_append_entries: Some(self.max_batch as u64),
            api_batch_capacity: self.max_batch as u64,
            enable_pre_vote: Some(true),
            // A node that starts again leads under a new term: entries of the term before are then
            // known to have been applied in another life.
            enable_leader_restore: Some(false),
            ..openraft::Config::default()
        };
        let wrong = |e: openraft::ConfigError| Error::Config {
            field: "election_ms",
            reason: e.to_string(),
        };
        config.validate().map_err(wrong)
    }
}
