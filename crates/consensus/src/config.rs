//! What a node may choose, and what the genesis pins.

use crate::Error;
use identity::{NetworkId, PublicKey};
use protocol::Genesis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a node may choose; nothing here changes what is agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Transactions that may wait for a block.
    pub pool_txs: usize,
    /// Bytes of all transactions that wait.
    pub pool_bytes: usize,
    /// Final blocks that the engine keeps for validators that were away, beside those of the ledger.
    /// One that was away for longer is brought up to date first ([`crate::Handle::advance`]).
    pub retain_blocks: u64,
    /// Bytes of these blocks, at most; a few of the newest are kept in any case.
    pub retain_bytes: u64,
    /// Threads of the engine.
    pub threads: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pool_txs: 16_384,
            pool_bytes: 64 << 20,
            retain_blocks: 16_384,
            retain_bytes: 1 << 30,
            threads: 2,
        }
    }
}

impl Config {
    /// Refuses settings under which a validator could not work.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn check(&self) -> Result<(), Error> {
        let least = protocol::limits::TX_BYTES;
        if self.pool_txs == 0 || self.pool_bytes < least {
            return Err(Error::Settings(format!(
                "the pool must have room for one transaction of {least} bytes"
            )));
        }
        if self.threads == 0 || self.retain_blocks == 0 {
            return Err(Error::Settings("threads and retain_blocks are at least 1".into()));
        }
        Ok(())
    }
}

/// What every validator of a network must agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The network; it is part of everything that is signed.
    pub network: NetworkId,
    /// The validators, strictly ascending; their places are their names in certificates.
    pub validators: Vec<PublicKey>,
    /// How long a leader may take while there is work.
    pub leader_timeout_ms: u64,
    /// Time between blocks while there is no work; two thirds of the leader timeout at least.
    pub heartbeat_ms: u64,
}

impl Settings {
    /// What this genesis pins.
    pub fn of(genesis: &Genesis) -> Self {
        Self {
            network: genesis.network(),
            validators: genesis.validators.clone(),
            leader_timeout_ms: genesis.params.leader_timeout_ms,
            heartbeat_ms: genesis.params.heartbeat_ms,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.validators.is_empty() || self.validators.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(Error::Settings("validators must be given, ascending and distinct".into()));
        }
        if self.leader_timeout_ms < 10 {
            return Err(Error::Settings("a leader needs 10 ms at least".into()));
        }
        Ok(())
    }

    pub(crate) fn timing(&self) -> Timing {
        let leader = Duration::from_millis(self.leader_timeout_ms);
        let idle = leader * 2 / 3;
        let heartbeat = Duration::from_millis(self.heartbeat_ms);
        let slowdown = heartbeat.as_micros() / idle.as_micros().max(1);
        let slowdown = u32::try_from(slowdown).unwrap_or(u32::MAX).max(1);
        Timing { leader, idle, slowdown }
    }
}

/// The engine's timeouts, in the engine's own time (see [`crate::pace`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// How long others wait for a leader's proposal.
    pub(crate) leader: Duration,
    /// How long a leader waits for work before it proposes an empty block; two thirds of the above,
    /// so that an idle leader is never taken for a dead one.
    pub(crate) idle: Duration,
    /// How much slower the engine's time passes while there is no work.
    pub(crate) slowdown: u32,
}

impl Timing {
    /// How long others wait for a proposal to be certified.
    pub(crate) fn certification(&self) -> Duration {
        self.leader * 2
    }

    /// How often a vote to give a view up is repeated.
    pub(crate) fn retry(&self) -> Duration {
        self.leader * 2
    }

    /// After how much silence a leader's views are given up at once.
    pub(crate) fn skip(&self) -> Duration {
        self.leader * 2 + Duration::from_millis(500)
    }
}
