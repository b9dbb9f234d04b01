//! Why the API does not start.

use std::net::SocketAddr;

/// Failure to start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address belongs to more than this machine.
    #[error(
        "the API listens on loopback only, not on {0}; use 127.0.0.1 or [::1], and ssh or a proxy of your own to reach it from elsewhere"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error(
        "the API cannot listen on {addr}: {source}; is another node using it? port 0 takes any free one"
    )]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}
