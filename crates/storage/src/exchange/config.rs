//! The settings of the exchange, with their defaults.

use protocol::limits;
use serde::{Deserialize, Serialize};

/// Settings of server and fetcher. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Streams that are served at once; each holds at most one blob in memory. Default: 256.
    pub serve_streams: usize,
    /// Streams of one peer that are served at once; more are an offence. At least twice what
    /// fetchers open, for those that ended and are not gone yet. Default: 8.
    pub serve_streams_per_peer: usize,
    /// Longest wait for the next request on a stream that is served, in milliseconds.
    /// Default: 30000.
    pub serve_idle_ms: u64,
    /// Longest time for sending one answer, in milliseconds. Default: 20000.
    pub serve_answer_ms: u64,
    /// Blobs that a fetch asks for at once, and holds in memory; 1 to 256. Default: 16.
    pub fetch_window: usize,
    /// Streams open at once to one peer; at most half of what its server takes. Default: 4.
    pub fetch_streams_per_peer: usize,
    /// Longest wait for one answer, in milliseconds. Default: 15000.
    pub fetch_answer_ms: u64,
    /// Largest blob that is taken, in bytes; no more than the store takes. Default: 4194304.
    pub fetch_blob_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            serve_streams: 256,
            serve_streams_per_peer: 8,
            serve_idle_ms: 30_000,
            serve_answer_ms: 20_000,
            fetch_window: 16,
            fetch_streams_per_peer: 4,
            fetch_answer_ms: 15_000,
            fetch_blob_bytes: limits::BLOB_BYTES,
        }
    }
}
