//! Connections that were not let in, and why.

use identity::PublicKey;
use libp2p::{allow_block_list, connection_limits, swarm::ConnectionDenied};

/// How many connections were refused, by reason, since the start. Both sides of a refused
/// connection count it, so a node that joins with the wrong genesis sees it here.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Refused {
    /// The peer belongs to another network.
    pub foreign_network: u64,
    /// The peer did not say in time which network it belongs to.
    pub unidentified: u64,
    /// The peer is banned.
    pub banned: u64,
    /// A bound on connections was reached.
    pub too_many: u64,
    /// Another peer than expected answered at the address.
    pub wrong_peer: u64,
    /// The last peer of another network.
    pub last_foreign: Option<Foreign>,
}

/// A peer of another network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Foreign {
    /// Its key.
    pub peer: PublicKey,
    /// What it says its network is: the name of a polity, or any text of another program.
    pub network: String,
}

impl Refused {
    /// Counts a connection that a bound or a ban turned away.
    pub(crate) fn count_denied(&mut self, cause: &ConnectionDenied) {
        if cause.downcast_ref::<connection_limits::Exceeded>().is_some() {
            self.too_many += 1;
        } else if cause.downcast_ref::<allow_block_list::Blocked>().is_some() {
            self.banned += 1;
        } else {
            self.unidentified += 1;
        }
    }
}
