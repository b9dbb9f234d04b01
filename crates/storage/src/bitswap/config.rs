//! The settings of bitswap, with their defaults.

use super::{engine::units, message::MESSAGE_BYTES};
use serde::{Deserialize, Serialize};

/// Settings of bitswap. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Largest block that is sent or taken, in bytes; the specification advises against more than
    /// 2 MiB. Larger objects of this node are not there for bitswap. Default: 2097152.
    pub block_bytes: usize,
    /// Streams that are read at once. Default: 512.
    pub streams: usize,
    /// Streams of one peer that are read at once; more are an offence. Default: 32.
    pub streams_per_peer: usize,
    /// Wants of one peer that wait to be answered, and as many that wait for the block to come;
    /// more in one message are an offence. Default: 4096.
    pub wants_per_peer: usize,
    /// How long a want is remembered whose block is not here, in milliseconds. Default: 600000.
    pub want_ms: u64,
    /// How often it is looked for, in milliseconds. Default: 1000.
    pub look_ms: u64,
    /// Memory for messages that are being read, in bytes; at least one message of 4 MiB. As much
    /// again is for those that are being sent. Default: 33554432.
    pub memory_bytes: usize,
    /// Silence after which a stream is closed, in milliseconds; others give up after 10 seconds.
    /// Default: 5000.
    pub idle_ms: u64,
    /// Longest time for sending or receiving one message, in milliseconds. Default: 60000.
    pub message_ms: u64,
    /// Blocks that one fetch asks for at once, and holds in memory. Default: 16.
    pub fetch_window: usize,
    /// Silence after which a peer is asked again, or another one is, in milliseconds; a peer that
    /// has just sent a block does not send it again within 5 seconds. Default: 5500.
    pub fetch_again_ms: u64,
    /// Silence after which a peer is given up, in milliseconds. Default: 15000.
    pub fetch_patience_ms: u64,
}

impl Config {
    /// Each of the two budgets of memory, in units.
    pub(super) fn memory_units(&self) -> usize {
        units(self.memory_bytes.max(MESSAGE_BYTES))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            block_bytes: 2 << 20,
            streams: 512,
            streams_per_peer: 32,
            wants_per_peer: 4096,
            want_ms: 600_000,
            look_ms: 1_000,
            memory_bytes: 32 << 20,
            idle_ms: 5_000,
            message_ms: 60_000,
            fetch_window: 16,
            fetch_again_ms: 5_500,
            fetch_patience_ms: 15_000,
        }
    }
}
