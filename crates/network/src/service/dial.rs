//! Looking for peers that should be connected and are not.

use super::driver::Driver;
use crate::{
    address::{is_quic, peer_id, public_key},
    lock::lock,
};
use identity::PublicKey;
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use std::time::Instant;

/// Dials begun at once.
const MAX_AT_ONCE: usize = 16;

impl Driver {
    /// Dials peers whose turn it is. A quarter of the connections stays free for peers that the
    /// node asks for or that come by themselves.
    pub(super) fn dial_missing(&mut self) {
        let connected = self.links.peers().len().saturating_sub(self.links.guest_count());
        let room = connected < self.shared.config.max_connections as usize * 3 / 4;
        let due = lock(&self.shared.book).due(Instant::now(), room, MAX_AT_ONCE);
        for peer in due {
            if !lock(&self.shared.offences).is_banned(&peer) {
                self.dial(peer);
            }
        }
    }

    /// Dials a peer. False if no address is known or none can be tried.
    pub(super) fn dial(&mut self, peer: PublicKey) -> bool {
        if self.links.any(&peer_id(&peer)) {
            // It has only to say which network it belongs to.
            return true;
        }
        let addresses = lock(&self.shared.book).begin(&peer);
        match addresses {
            Some(addresses) => self.dial_at(peer, addresses),
            None => self.dial_guest(peer),
        }
    }

    /// Dials a peer that somebody named as a guest.
    fn dial_guest(&mut self, peer: PublicKey) -> bool {
        if !self.shared.config.guests.allowed {
            return false;
        }
        let Some(address) = lock(&self.shared.guests).begin(&peer) else { return false };
        let options = DialOpts::peer_id(peer_id(&peer))
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(vec![address])
            .allocate_new_port();
        let dialled = self.swarm.dial(options.build());
        if let Err(error) = &dialled {
            tracing::debug!(?peer, %error, "a guest cannot be dialled");
            lock(&self.shared.guests).end(&peer);
        }
        dialled.is_ok()
    }

    fn dial_at(&mut self, peer: PublicKey, mut addresses: Vec<Multiaddr>) -> bool {
        loop {
            // Two nodes that dial each other from their listening TCP ports would meet as two
            // dialers. QUIC has no such trouble and saves a socket.
            let quic = addresses.iter().any(is_quic);
            let options = DialOpts::peer_id(peer_id(&peer))
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses);
            let options = if quic { options } else { options.allocate_new_port() };
            let Err(error) = self.swarm.dial(options.build()) else { return true };
            tracing::debug!(?peer, %error, "a peer cannot be dialled");
            match lock(&self.shared.book).failed(&peer, Instant::now()) {
                Some(next) => addresses = next,
                None => return false,
            }
        }
    }

    /// A dial failed: tries the peer's other addresses, or gives up for a while.
    pub(super) fn on_dial_error(&mut self, id: PeerId, error: &DialError) {
        let Some(peer) = public_key(&id) else { return };
        tracing::debug!(?peer, %error, "a peer was not reached");
        match error {
            DialError::WrongPeerId { .. } => lock(&self.shared.refused).wrong_peer += 1,
            DialError::Denied { cause } => lock(&self.shared.refused).count_denied(cause),
            _ => {}
        }
        lock(&self.shared.guests).end(&peer);
        if self.links.any(&id) {
            return lock(&self.shared.book).connected(&peer);
        }
        let next = lock(&self.shared.book).failed(&peer, Instant::now());
        if !next.is_some_and(|addresses| self.dial_at(peer, addresses)) {
            self.give_up(&id);
        }
    }
}
