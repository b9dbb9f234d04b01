//! The settings of what a node keeps for others, and of repair, with their defaults.

use serde::{Deserialize, Serialize};

/// Settings. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Bytes that are kept for other nodes, at most. Default: 10737418240.
    pub lend_bytes: u64,
    /// Streams that are served at once. Default: 64.
    pub streams: usize,
    /// Streams of one peer that are served at once; more are an offence. Default: 8.
    pub streams_per_peer: usize,
    /// Longest wait for a question or for sending an answer, in milliseconds. Default: 20000.
    pub request_ms: u64,
    /// Longest wait for a sign of progress of a node that is to keep shards, in milliseconds.
    /// Default: 60000.
    pub progress_ms: u64,
    /// Nodes that are given shards at once. Default: 4.
    pub peers_at_once: usize,
    /// Bytes that are coded at once, which is the memory that protecting, reading and repairing
    /// take, apart from a few pages; one group at least. Default: 33554432.
    pub batch_bytes: u64,
    /// Batches under way at once. Default: 2.
    pub batches_at_once: usize,
    /// Time after which a holder that left is replaced, in milliseconds. Default: 900000.
    pub grace_ms: u64,
    /// Bytes per second that repair makes a node fetch; 0 for no limit, and less than 1048576
    /// counts as that, or waiting would look like silence. Default: 67108864.
    pub pace_bytes: u64,
    /// Time after which repair tries again what failed, in milliseconds. Default: 60000.
    pub retry_ms: u64,
    /// Time between two audits of one object, in milliseconds; each looks at one holder.
    /// Default: 600000.
    pub audit_ms: u64,
    /// Shards that an audit asks for. Default: 8.
    pub audit_shards: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lend_bytes: 10 << 30,
            streams: 64,
            streams_per_peer: 8,
            request_ms: 20_000,
            progress_ms: 60_000,
            peers_at_once: 4,
            batch_bytes: 32 << 20,
            batches_at_once: 2,
            grace_ms: 900_000,
            pace_bytes: 64 << 20,
            retry_ms: 60_000,
            audit_ms: 600_000,
            audit_shards: 8,
        }
    }
}
