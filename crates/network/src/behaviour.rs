//! What this node does on every connection, put together.

use crate::{
    Config, Error,
    gossip::{self, Gossipsub},
    names::Names,
    pings, providers,
    streams::{self, Acceptors},
};
use libp2p::{
    allow_block_list::{self, BlockedPeers},
    connection_limits::{self, ConnectionLimits},
    identify,
    identity::Keypair,
    ping,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};
use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

/// The parts, in the order in which they are asked about a connection: whoever may refuse it
/// comes first, and `streams`, which keeps state for it, last.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) banned: allow_block_list::Behaviour<BlockedPeers>,
    pub(crate) ping: pings::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) gossip: Gossipsub,
    pub(crate) providers: Toggle<providers::Behaviour>,
    pub(crate) streams: streams::Behaviour,
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        names: &Names,
        key: &Keypair,
        acceptors: Arc<Acceptors>,
    ) -> Result<Self, Error> {
        let guests = if config.guests.allowed { config.guests.max } else { 0 };
        let limits = ConnectionLimits::default()
            .with_max_established(Some(config.max_connections.saturating_add(guests)))
            .with_max_established_per_peer(Some(config.max_connections_per_peer))
            .with_max_pending_incoming(Some(config.max_pending_connections))
            .with_max_pending_outgoing(Some(config.max_pending_connections));
        let identify = identify::Config::new(names.version(), key.public())
            .with_agent_version(agent())
            .with_push_listen_addr_updates(true)
            .with_cache_size(0);
        let ping = ping::Config::new()
            .with_interval(Duration::from_millis(config.ping_interval_ms))
            .with_timeout(Duration::from_millis(config.ping_timeout_ms));
        let gossip = gossip::behaviour(config, names, key)?;
        let timeout = config.open_timeout();
        let me = key.public().to_peer_id();
        let providers = providers::behaviour(&config.providers, names, me).into();
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits),
            banned: allow_block_list::Behaviour::default(),
            ping: pings::Behaviour::new(ping),
            identify: identify::Behaviour::new(identify),
            gossip,
            providers,
            streams: streams::Behaviour::new(acceptors, config.max_streams_per_peer, timeout),
        })
    }
}

/// What this node says of its program: the version, and a number that is another one after every
/// start.
fn agent() -> String {
    // Keyed by the system's randomness; nothing secret depends on it.
    let process = RandomState::new().hash_one(std::process::id());
    format!("polity/{} {process:016x}", env!("CARGO_PKG_VERSION"))
}
