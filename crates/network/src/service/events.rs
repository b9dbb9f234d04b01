//! What happens on the wire, and what follows from it.

use super::driver::Driver;
use crate::{
    Foreign,
    address::{believable, public_key},
    behaviour::BehaviourEvent,
    gossip,
    links::{Admitted, Closed, Link},
    lock::lock,
    names::{Names, printable},
    peers::Session,
};
use bytes::Bytes;
use identity::PublicKey;
use libp2p::{
    PeerId, gossipsub, identify, ping,
    swarm::{ConnectionId, ListenError, SwarmEvent},
};
use protocol::port::{Message, Offence};
use std::time::Instant;

impl Driver {
    pub(super) fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                if let Some(peer) = public_key(&peer_id) {
                    lock(&self.shared.book).connected(&peer);
                    lock(&self.shared.guests).end(&peer);
                }
                self.links.add(peer_id, Link::new(connection_id, endpoint, Instant::now()));
                self.ends.connections.send_replace(self.links.len());
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(%peer_id, ?cause, "a connection closed");
                self.on_closed(peer_id, connection_id);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer_id), error, .. } => {
                self.on_dial_error(peer_id, &error);
            }
            SwarmEvent::IncomingConnectionError { error, send_back_addr, .. } => {
                tracing::debug!(%send_back_addr, %error, "a connection was not let in");
                if let ListenError::Denied { cause } = error {
                    lock(&self.shared.refused).count_denied(&cause);
                }
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                let first = self.bindings.told(listener_id);
                self.ends.listening.send_modify(|listening| {
                    listening.waiting = listening.waiting.saturating_sub(usize::from(first));
                    listening.addresses.push(address);
                });
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.ends.listening.send_modify(|listening| {
                    listening.addresses.retain(|known| *known != address);
                });
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                if let Err(error) = reason {
                    tracing::error!(?addresses, %error, "no longer listening");
                }
                self.on_listener_closed(listener_id, &addresses);
            }
            SwarmEvent::ListenerError { listener_id, error } => {
                self.on_listener_error(listener_id, &error);
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Ping(ping::Event { connection, peer, result: Err(error) }) => {
                // A peer without ping still lives as long as the transport says so.
                if !matches!(error, ping::Failure::Unsupported) {
                    tracing::debug!(%peer, %error, "a peer gives no sign of life");
                    self.swarm.close_connection(connection);
                }
            }
            BehaviourEvent::Providers(event) => self.on_kad(event),
            BehaviourEvent::Ping(_) => {}
        }
    }

    fn on_identify(&mut self, event: identify::Event) {
        match event {
            identify::Event::Received { connection_id, peer_id, info } => {
                self.on_identified(peer_id, connection_id, info);
            }
            identify::Event::Sent { connection_id, peer_id } => {
                if let Some(link) = self.links.get(&peer_id, connection_id) {
                    link.told = true;
                }
            }
            identify::Event::Error { peer_id, error, .. } => {
                tracing::debug!(%peer_id, %error, "a peer does not say who it is");
            }
            identify::Event::Pushed { .. } => {}
        }
    }

    /// A peer has said which network it belongs to and where it listens.
    fn on_identified(&mut self, id: PeerId, connection: ConnectionId, info: identify::Info) {
        let Some(peer) = public_key(&id) else { return };
        let Some(loopback) = self.links.get(&id, connection).map(|link| link.is_loopback()) else {
            return;
        };
        self.note_for_table(id, &info.protocols, info.listen_addrs.clone(), loopback);
        let Some(link) = self.links.get(&id, connection) else { return };
        let now = Instant::now();
        if info.protocol_version != self.shared.names.version() {
            let allowed = self.shared.config.guests.allowed;
            if allowed && !Names::is_polity(&info.protocol_version) {
                return self.on_guest(id, peer, connection, &info);
            }
            if link.foreign.replace(now).is_none() {
                self.on_foreign(id, peer, &info.protocol_version);
            }
            return;
        }
        let own = believable(info.listen_addrs, loopback);
        let version = {
            let mut book = lock(&self.shared.book);
            book.arrived(peer, own, now);
            book.version()
        };
        self.ends.version.send_if_modified(|told| std::mem::replace(told, version) != version);
        let agent = printable(&info.agent_version);
        let admitted = self.links.admit(id, connection, &agent);
        if admitted != Admitted::Again {
            self.repeat_topics(&id);
        }
        match admitted {
            Admitted::Again | Admitted::Twin => return,
            Admitted::First => {}
            Admitted::Replaces(dead) => {
                tracing::debug!(%peer, "a peer is here anew");
                for connection in dead {
                    self.swarm.close_connection(connection);
                }
            }
        }
        self.session += 1;
        let session = Session { number: self.session, loopback };
        tracing::info!(%peer, agent, "a peer is here");
        self.ends.sessions.send_modify(|sessions| {
            sessions.insert(peer, session);
        });
        for waiting in self.waiting.remove(&id).into_iter().flatten() {
            self.open_over(id, waiting.open);
        }
    }

    /// The connection is closed a little later: the peer, too, should learn why.
    fn on_foreign(&mut self, id: PeerId, peer: PublicKey, version: &str) {
        let foreign = Foreign { peer, network: Names::network_of(version) };
        let mut refused = lock(&self.shared.refused);
        refused.foreign_network += 1;
        if refused.last_foreign.as_ref() != Some(&foreign) {
            let network = &foreign.network;
            tracing::warn!(%peer, network, "a peer belongs to another network and is refused");
            refused.last_foreign = Some(foreign);
        }
        drop(refused);
        self.give_up(&id);
    }

    fn on_closed(&mut self, id: PeerId, connection: ConnectionId) {
        let Some(peer) = public_key(&id) else { return };
        let now = Instant::now();
        match self.links.remove(id, connection) {
            Closed::Spare => {}
            Closed::Down => {
                tracing::info!(%peer, "a peer is gone");
                lock(&self.shared.book).left(&peer, now);
                self.ends.sessions.send_modify(|sessions| {
                    sessions.remove(&peer);
                });
            }
            Closed::Guest => {
                tracing::debug!(%peer, "a guest is gone");
                lock(&self.shared.guests).left(&peer);
                lock(&self.shared.book).refused(&peer, now);
            }
            Closed::Foreign => lock(&self.shared.book).refused(&peer, now),
            Closed::Silent => {
                lock(&self.shared.refused).unidentified += 1;
                lock(&self.shared.book).refused(&peer, now);
            }
        }
        self.ends.connections.send_replace(self.links.len());
        if self.links.any(&id) {
            self.repeat_topics(&id);
        } else {
            gossip::forget(&self.ends.listeners, id);
            self.give_up(&id);
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { message, .. } => self.on_message(message),
            gossipsub::Event::Subscribed { peer_id, topic } => {
                gossip::note(&self.ends.listeners, peer_id, topic.as_str(), true);
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                gossip::note(&self.ends.listeners, peer_id, topic.as_str(), false);
            }
            gossipsub::Event::SlowPeer { peer_id, failed_messages } => {
                tracing::warn!(%peer_id, ?failed_messages, "a peer is too slow for gossip and misses messages");
            }
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(%peer_id, "a peer does not gossip");
            }
        }
    }

    fn on_message(&mut self, message: gossipsub::Message) {
        let Some(source) = message.source.as_ref().and_then(public_key) else { return };
        if message.data.len() > self.shared.config.gossip_max_bytes {
            // The envelope leaves a little room; its author signed more than is allowed.
            return self.shared.penalise(source, Offence::Oversized);
        }
        let bytes = Bytes::from(message.data);
        self.shared.topics.deliver(message.topic.as_str(), Message { source, bytes });
    }
}
