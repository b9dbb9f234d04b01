//! What the owner of a node may choose about its IPFS gateway.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Settings of the IPFS gateway. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens; port 0 takes any free one. Whoever reaches this address can read without
    /// a token what this node holds or can fetch, so choose loopback unless that is wanted.
    /// Default: none, there is no such gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<SocketAddr>,
    /// Connections at once; more are closed. Default: 256.
    pub connections: usize,
    /// Answers at once, until their last byte; more are asked to come back. Default: 64.
    pub answers: usize,
    /// How long a client may take to send the head of a request, in milliseconds. Default: 10000.
    pub head_ms: u64,
    /// How long one block may take to arrive, in milliseconds. Default: 30000.
    pub block_ms: u64,
    /// How long it may take until an answer begins, in milliseconds: for a path, all the blocks on
    /// the way. Default: 60000.
    pub begin_ms: u64,
    /// How long a client may leave what is sent to it unread, in milliseconds. Default: 60000.
    pub silence_ms: u64,
    /// Blocks of one CAR stream, whose CIDs have to be remembered; a longer one is cut off.
    /// Default: 262144, with chunks of 1 MiB some 256 GiB.
    pub car_blocks: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: None,
            connections: 256,
            answers: 64,
            head_ms: 10_000,
            block_ms: 30_000,
            begin_ms: 60_000,
            silence_ms: 60_000,
            car_blocks: 1 << 18,
        }
    }
}
