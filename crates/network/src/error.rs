//! What can go wrong with the network as a whole.

/// The network cannot start, or has died. One call that failed is told by the port's own errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A text that is no address, or one that no transport here can use.
    #[error(
        "{address} is no address to use here: {reason}; write /ip4/0.0.0.0/udp/4870/quic-v1 or \
         /ip4/0.0.0.0/tcp/4870 to listen, and add /p2p/… to name a peer"
    )]
    Address {
        /// The text.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another program listens there.
    #[error(
        "port {port} is taken: {address} is in use by another program; stop it, or listen on \
         another port (port 0 takes any free one)"
    )]
    PortTaken {
        /// The port number.
        port: u16,
        /// The address that was asked for.
        address: String,
    },
    /// The machine refuses to listen there.
    #[error("cannot listen on {address}: {reason}; choose an address of this machine")]
    Listen {
        /// The address that was asked for.
        address: String,
        /// What the machine said.
        reason: String,
    },
    /// A setting out of its range.
    #[error("network setting {field}: {reason}")]
    Config {
        /// The field's name.
        field: &'static str,
        /// What it must be.
        reason: String,
    },
    /// The thread or its runtime could not be made.
    #[error("the network cannot start: {0}")]
    Start(String),
    /// The network's thread broke an invariant; the node must stop.
    #[error("the network thread died; restart the node and report what it printed before")]
    Died,
}
