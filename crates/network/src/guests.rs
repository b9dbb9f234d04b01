//! Guests: peers that belong to no polity and speak a protocol that is not ours, as IPFS nodes do.
//!
//! They are counted apart from members, so that they never take a member's place; they are offered
//! nothing under `/polity`; they are told about nobody; and who has nothing to say is sent away.

use crate::Address;
use identity::PublicKey;
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// Settings for guests. Every field has a default; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuestConfig {
    /// Whether there are any. Said by the program, which knows whether anything here is for them.
    /// Default: false.
    #[serde(skip)]
    pub allowed: bool,
    /// Guests at once; `max_connections` are for members alone. Default: 32.
    pub max: u32,
    /// Streams under way with one guest, counted apart for each direction. Default: 64.
    pub max_streams_per_guest: u32,
    /// Guests whose addresses are remembered, because somebody here named them. Default: 256.
    pub max_known: usize,
    /// After how long without any stream the connection to a guest is closed, in milliseconds.
    /// Default: 120000.
    pub idle_ms: u64,
}

impl Default for GuestConfig {
    fn default() -> Self {
        Self {
            allowed: false,
            max: 32,
            max_streams_per_guest: 64,
            max_known: 256,
            idle_ms: 120_000,
        }
    }
}

/// Who is here as a guest, and where those are that somebody named.
#[derive(Default)]
pub(crate) struct Guests {
    capacity: usize,
    present: BTreeSet<PublicKey>,
    known: HashMap<PublicKey, Multiaddr>,
    /// The oldest first.
    order: VecDeque<PublicKey>,
    /// Who is being dialled.
    dialled: BTreeSet<PublicKey>,
}

impl Guests {
    pub(crate) fn new(config: &GuestConfig) -> Self {
        Self { capacity: config.max_known.max(1), ..Self::default() }
    }

    /// Remembers where a guest is; the one that was named first makes room.
    pub(crate) fn know(&mut self, address: &Address, at: Multiaddr) {
        if self.known.insert(address.peer, at).is_none() {
            self.order.push_back(address.peer);
        }
        while self.order.len() > self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    /// The address to dial a guest at; `None` if none is known.
    pub(crate) fn begin(&mut self, peer: &PublicKey) -> Option<Multiaddr> {
        let address = self.known.get(peer)?.clone();
        self.dialled.insert(*peer);
        Some(address)
    }

    /// Somebody is dialled whose address is known elsewhere.
    pub(crate) fn dialling(&mut self, peer: PublicKey) {
        self.dialled.insert(peer);
    }

    /// A dial is over.
    pub(crate) fn end(&mut self, peer: &PublicKey) {
        self.dialled.remove(peer);
    }

    pub(crate) fn is_dialling(&self, peer: &PublicKey) -> bool {
        self.dialled.contains(peer)
    }

    pub(crate) fn arrived(&mut self, peer: PublicKey) {
        self.present.insert(peer);
    }

    pub(crate) fn left(&mut self, peer: &PublicKey) {
        self.present.remove(peer);
    }

    pub(crate) fn present(&self) -> &BTreeSet<PublicKey> {
        &self.present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_named_first_makes_room() {
        let mut guests = Guests::new(&GuestConfig { max_known: 2, ..GuestConfig::default() });
        for n in [1, 2, 1, 3] {
            let at = format!("/ip4/127.0.0.1/tcp/{n}");
            let address = Address { peer: PublicKey([n; 32]), at: at.clone() };
            guests.know(&address, at.parse().expect("an address"));
        }
        let begun = [1, 2, 3].map(|n| guests.begin(&PublicKey([n; 32])).is_some());
        assert_eq!(begun, [false, true, true]);
        assert!(
            guests.is_dialling(&PublicKey([2; 32])) && !guests.is_dialling(&PublicKey([1; 32]))
        );
    }
}
