//! Receiving guests, and sending them away.

use super::driver::Driver;
use crate::{lock::lock, names::printable};
use identity::PublicKey;
use libp2p::{PeerId, identify, swarm::ConnectionId};
use std::time::{Duration, Instant};

impl Driver {
    /// A peer of no polity has said who it is. It may stay if there is room.
    pub(super) fn on_guest(
        &mut self,
        id: PeerId,
        peer: PublicKey,
        connection: ConnectionId,
        info: &identify::Info,
    ) {
        let config = &self.shared.config.guests;
        let full = self.links.guest_count() >= config.max as usize;
        let Some(link) = self.links.get(&id, connection) else { return };
        if link.guest.is_some() {
            return;
        }
        if full {
            tracing::debug!(%peer, "too many guests; one more is not let in");
            lock(&self.shared.refused).too_many += 1;
            self.swarm.close_connection(connection);
            return;
        }
        link.guest = Some(Instant::now());
        let max_streams = config.max_streams_per_guest;
        self.swarm.behaviour_mut().streams.is_guest(&id, connection, max_streams);
        lock(&self.shared.guests).arrived(peer);
        let agent = printable(&info.agent_version);
        tracing::debug!(%peer, agent, "a guest is here");
        for waiting in self.waiting.remove(&id).into_iter().flatten() {
            self.open_over(id, waiting.open);
        }
    }

    /// Closes connections to guests that have had no stream for a while.
    pub(super) fn send_idle_guests_away(&mut self, now: Instant) {
        let idle = Duration::from_millis(self.shared.config.guests.idle_ms);
        let streams = &self.swarm.behaviour().streams;
        let mut over = Vec::new();
        for (_, link) in self.links.guests() {
            if !streams.is_idle(link.id) {
                link.guest = Some(now);
            } else if link.guest.is_some_and(|since| now.saturating_duration_since(since) >= idle) {
                over.push(link.id);
            }
        }
        for connection in over {
            self.swarm.close_connection(connection);
        }
    }
}

#[cfg(test)]
#[path = "tests/guests.rs"]
mod tests;
