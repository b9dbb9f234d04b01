//! What the owner of a node may choose about its API.

use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};

/// Settings of the local API. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens: an address of loopback; port 0 takes any free one.
    /// Default: 127.0.0.1:0.
    pub addr: SocketAddr,
    /// Connections at once; more are closed. Default: 256.
    pub connections: usize,
    /// How long a client may take to send the head of a request, in milliseconds. Default: 10000.
    pub head_ms: u64,
    /// How long a client may be silent in the middle of a submission, in milliseconds.
    /// Default: 60000.
    pub silence_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            connections: 256,
            head_ms: 10_000,
            silence_ms: 60_000,
        }
    }
}
