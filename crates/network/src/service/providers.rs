//! Provider records: asking, answering, and what comes back.

use super::driver::Driver;
use crate::{
    address::{believable, public_key},
    lock::lock,
    providers::{self, Ask},
};
use libp2p::{
    Multiaddr, PeerId,
    kad::{self, GetProvidersOk, QueryResult},
    swarm::dial_opts::{DialOpts, PeerCondition},
};
use protocol::port::ProvideError;

impl Driver {
    /// Does what the handle asks.
    pub(super) fn on_ask(&mut self, ask: Ask) {
        let limit = self.shared.config.providers.max_provided;
        let kad = self.swarm.behaviour_mut().providers.as_mut();
        match (ask, kad) {
            (Ask::Provide(cid, reply), Some(kad)) => {
                let key = providers::key(&cid);
                let has_room = self.provided.len() < limit || self.provided.contains(&key);
                let provided = has_room && kad.start_providing(key.clone()).is_ok();
                if provided {
                    self.provided.insert(key);
                }
                // Whoever asked may have left; it is provided all the same.
                let result = if provided { Ok(()) } else { Err(ProvideError::Full { limit }) };
                let _left = reply.send(result);
            }
            (Ask::Provide(_, reply), None) => {
                let _left = reply.send(Err(ProvideError::Off));
            }
            (Ask::Withdraw(cid), Some(kad)) => {
                let key = providers::key(&cid);
                kad.stop_providing(&key);
                self.provided.remove(&key);
            }
            (Ask::Find(cid, reply), Some(kad)) if self.searches.has_room() => {
                let id = kad.get_providers(providers::key(&cid));
                self.searches.begin(id, reply);
            }
            // The answer is dropped with the question: nobody was found.
            (Ask::Find(..) | Ask::Withdraw(_), _) => {}
        }
    }

    pub(super) fn on_kad(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed { id, result, step, .. } = event else { return };
        match result {
            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) => {
                self.searches.found(&id, providers.iter().filter_map(public_key));
                providers.into_iter().for_each(|peer| self.reach(peer));
            }
            QueryResult::StartProviding(Err(error)) => {
                tracing::debug!(%error, "an object was announced to nobody; it is tried again");
            }
            QueryResult::GetProviders(_) => {}
            other => tracing::trace!(?other, "the table"),
        }
        if step.last {
            self.searches.end(&id);
        }
    }

    /// Connects to somebody who was found: only while the search goes on is it known where it is.
    fn reach(&mut self, id: PeerId) {
        let Some(peer) = public_key(&id) else { return };
        if peer == self.shared.me || self.links.any(&id) {
            return;
        }
        let dial =
            DialOpts::peer_id(id).condition(PeerCondition::DisconnectedAndNotDialing).build();
        match self.swarm.dial(dial) {
            Ok(()) => lock(&self.shared.guests).dialling(peer),
            Err(error) => tracing::debug!(%peer, %error, "who was found cannot be reached"),
        }
    }

    /// Takes note of where a peer of the table listens.
    pub(super) fn note_for_table(
        &mut self,
        id: PeerId,
        protocols: &[libp2p::StreamProtocol],
        listen: Vec<Multiaddr>,
        loopback: bool,
    ) {
        let Some(kad) = self.swarm.behaviour_mut().providers.as_mut() else { return };
        if kad.protocol_names().iter().any(|own| protocols.contains(own)) {
            for address in believable(listen, loopback) {
                kad.add_address(&id, address);
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/providers.rs"]
mod tests;
