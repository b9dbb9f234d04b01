//! What the network's thread does, one thing after the other.

use super::bindings::Bindings;
use crate::{
    Error,
    address::peer_id,
    behaviour::Behaviour,
    config::multiaddr,
    gossip::{Listeners, Publication},
    handle::{Listening, Open, Shared},
    links::{Link, Links},
    lock::lock,
    names::Names,
    pace::Pace,
    peers::Sessions,
    providers::{Ask, Searches},
    streams::{Failure, Request},
    transport::transport,
};
use futures::StreamExt;
use libp2p::{
    PeerId, StreamProtocol, Swarm,
    gossipsub::{IdentTopic, PublishError, TopicHash},
    identity::Keypair,
    kad::RecordKey,
    swarm::{self, FromSwarm, NetworkBehaviour, behaviour::ConnectionEstablished},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

/// How long a shutdown waits for connections to close.
const CLOSING: Duration = Duration::from_secs(1);
/// How long the last packets get to leave after that.
const LINGER: Duration = Duration::from_millis(50);

/// The thread's ends of the handle's channels.
pub(super) struct Ends {
    pub(super) opens: mpsc::Receiver<Open>,
    pub(super) outbox: mpsc::Receiver<Publication>,
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) sessions: watch::Sender<Sessions>,
    pub(super) listening: watch::Sender<Listening>,
    pub(super) listeners: watch::Sender<Listeners>,
    pub(super) version: watch::Sender<u64>,
    pub(super) connections: watch::Sender<usize>,
}

/// A stream that waits for a connection.
pub(super) struct Waiting {
    pub(super) open: Open,
    pub(super) until: Instant,
}

/// The thread's state.
pub(super) struct Driver {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) shared: Arc<Shared>,
    pub(super) ends: Ends,
    pub(super) links: Links,
    /// Bounded per peer as streams are, and to peers that are connected or dialled.
    pub(super) waiting: HashMap<PeerId, Vec<Waiting>>,
    /// Sessions so far; numbers them.
    pub(super) session: u64,
    pub(super) searches: Searches,
    /// What this node announces.
    pub(super) provided: HashSet<RecordKey>,
    pub(super) bindings: Bindings,
    subscribed: BTreeSet<String>,
    pace: Pace,
}

impl Driver {
    /// Makes the swarm and binds its addresses. Must be called inside a runtime.
    pub(super) fn new(shared: Arc<Shared>, ends: Ends, keypair: &Keypair) -> Result<Self, Error> {
        let config = &shared.config;
        let behaviour = Behaviour::new(config, &shared.names, keypair, shared.acceptors.clone())?;
        let me = keypair.public().to_peer_id();
        let settings = swarm::Config::with_tokio_executor()
            .with_max_negotiating_inbound_streams(config.max_streams_per_peer as usize);
        let mut swarm = Swarm::new(transport(config, keypair)?, behaviour, me, settings);
        let bindings = Bindings::new(&mut swarm, config)?;
        let now = Instant::now();
        for peer in &config.bootstrap {
            lock(&shared.book).know(peer.peer, vec![multiaddr(&peer.at)?], now);
        }
        let pace = Pace::new(config.gossip_rate_per_s, config.gossip_burst, now);
        Ok(Self {
            links: Links::new(me, config.dial_timeout()),
            swarm,
            ends,
            bindings,
            waiting: HashMap::new(),
            session: 0,
            searches: Searches::default(),
            provided: HashSet::new(),
            subscribed: BTreeSet::new(),
            pace,
            shared,
        })
    }

    /// Works until `stopped` resolves, then closes all connections.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut tick = interval(self.shared.config.dial_interval());
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ready = self.pace.ready();
            tokio::select! {
                _ = &mut stopped => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(open) = self.ends.opens.recv() => self.open(open),
                Some(ask) = self.ends.asks.recv() => self.on_ask(ask),
                Some(publication) = paced(&mut self.ends.outbox, ready) => self.publish(publication),
                () = self.shared.changed.notified() => self.follow(),
                _ = tick.tick() => self.on_tick(),
            }
        }
        self.close().await;
    }

    /// Opens a stream, now or when there is a connection.
    fn open(&mut self, open: Open) {
        let peer = peer_id(&open.peer);
        let banned = lock(&self.shared.offences).is_banned(&open.peer);
        if open.peer == self.shared.me || banned {
            return answer(open, Failure::Unreachable);
        }
        if self.link_for(&peer, &open.protocol).is_some() {
            return self.open_over(peer, open);
        }
        if self.links.preferred_of_any(&peer).is_some() {
            // A guest, which is no peer for protocols of ours.
            return answer(open, Failure::Unsupported);
        }
        let dialling = lock(&self.shared.book).is_dialling(&open.peer)
            || lock(&self.shared.guests).is_dialling(&open.peer);
        if !(self.links.any(&peer) || dialling || self.dial(open.peer)) {
            return answer(open, Failure::Unreachable);
        }
        let waiting = self.waiting.entry(peer).or_default();
        if waiting.len() >= self.shared.config.max_streams_per_peer as usize {
            return answer(open, Failure::Busy);
        }
        let until = Instant::now() + self.shared.config.open_timeout();
        waiting.push(Waiting { open, until });
    }

    /// Opens a stream over the preferred connection.
    pub(super) fn open_over(&mut self, peer: PeerId, open: Open) {
        let Some(connection) = self.link_for(&peer, &open.protocol).map(|link| link.id) else {
            let known = self.links.preferred_of_any(&peer).is_some();
            return answer(open, if known { Failure::Unsupported } else { Failure::Lost });
        };
        let streams = &mut self.swarm.behaviour_mut().streams;
        match streams.permit(&peer) {
            Some(permit) => {
                let Open { protocol, reply, .. } = open;
                streams.open(peer, connection, Request { protocol, permit, reply });
            }
            None => answer(open, Failure::Busy),
        }
    }

    /// The connection for streams of a protocol.
    fn link_for(&self, peer: &PeerId, protocol: &StreamProtocol) -> Option<&Link> {
        if Names::is_foreign(protocol) {
            self.links.preferred_of_any(peer)
        } else {
            self.links.preferred(peer)
        }
    }

    /// Tells those who wait for a connection to `peer` that there will be none.
    pub(super) fn give_up(&mut self, peer: &PeerId) {
        for waiting in self.waiting.remove(peer).into_iter().flatten() {
            answer(waiting.open, Failure::Unreachable);
        }
    }

    fn publish(&mut self, (topic, bytes): Publication) {
        self.pace.take(Instant::now());
        let name = TopicHash::from_raw(topic.clone());
        match self.swarm.behaviour_mut().gossip.publish(name, bytes) {
            Ok(_) => {}
            Err(error @ (PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate)) => {
                tracing::debug!(topic, %error, "a message was not published");
            }
            Err(error) => tracing::warn!(topic, %error, "a message was not published"),
        }
    }

    /// Does what the handle wants: bans, topics, peers to dial.
    fn follow(&mut self) {
        self.follow_bans();
        self.follow_topics();
        self.dial_missing();
    }

    fn follow_bans(&mut self) {
        let wanted: HashSet<PeerId> = {
            let mut offences = lock(&self.shared.offences);
            offences.pardon(Instant::now());
            offences.banned().map(|peer| peer_id(&peer)).collect()
        };
        let banned = &mut self.swarm.behaviour_mut().banned;
        let over: Vec<_> = banned.blocked_peers().difference(&wanted).copied().collect();
        for peer in over {
            banned.unblock_peer(peer);
        }
        for peer in wanted {
            banned.block_peer(peer);
        }
    }

    fn follow_topics(&mut self) {
        let wanted = self.shared.topics.wanted();
        if wanted == self.subscribed {
            return;
        }
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        for topic in wanted.difference(&self.subscribed) {
            if let Err(error) = gossip.subscribe(&IdentTopic::new(topic.clone())) {
                tracing::error!(topic, %error, "a topic cannot be listened to");
            }
        }
        for topic in self.subscribed.difference(&wanted) {
            gossip.unsubscribe(&IdentTopic::new(topic.clone()));
        }
        self.subscribed = wanted;
    }

    /// Tells a peer again what this node listens to. Gossipsub tells it once, over any connection
    /// to the peer; it is lost when that one is the surplus of two, or when the peer has been
    /// started again. Hearing it twice does no harm.
    pub(super) fn repeat_topics(&mut self, peer: &PeerId) {
        let Some(link) = self.links.some(peer) else { return };
        let hello = ConnectionEstablished {
            peer_id: *peer,
            connection_id: link.id,
            endpoint: &link.endpoint,
            failed_addresses: &[],
            other_established: 0,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.on_swarm_event(FromSwarm::ConnectionEstablished(hello));
    }

    /// What time alone brings about.
    pub(super) fn on_tick(&mut self) {
        let now = Instant::now();
        let config = &self.shared.config;
        let courtesy = config.dial_interval();
        for connection in self.links.unwelcome(now, config.open_timeout(), courtesy) {
            self.swarm.close_connection(connection);
        }
        for connection in self.links.surplus(now, courtesy * 4) {
            if self.swarm.behaviour().streams.is_idle(connection) {
                self.swarm.close_connection(connection);
            }
        }
        self.send_idle_guests_away(now);
        self.listen_again();
        self.waiting.retain(|_, waiting| {
            for late in waiting.extract_if(.., |waiting| waiting.until <= now) {
                answer(late.open, Failure::Timeout);
            }
            !waiting.is_empty()
        });
        lock(&self.shared.book).forget(now);
        self.follow();
    }

    /// Closes all connections, so that peers need not wait for silence to learn it.
    async fn close(&mut self) {
        self.ends.opens.close();
        self.ends.outbox.close();
        self.ends.asks.close();
        // First, or peers would be back before the last of them is gone.
        for listener in self.bindings.take() {
            self.swarm.remove_listener(listener);
        }
        let closed = async {
            while !self.links.is_empty() {
                self.cut_all();
                let event = self.swarm.select_next_some().await;
                self.on_event(event);
            }
        };
        if timeout(CLOSING, closed).await.is_err() {
            tracing::debug!("some connections did not close in time");
        }
        // A QUIC connection counts as closed before the packet that says so is sent. The swarm
        // rests meanwhile, and so lets nobody in.
        sleep(LINGER).await;
    }
}

/// Answers an opener, unless it has left.
fn answer(open: Open, failure: Failure) {
    if open.reply.send(Err(failure)).is_err() {
        tracing::trace!(peer = ?open.peer, "the opener of a stream has left");
    }
}

/// The next message to publish, not before `ready`.
async fn paced(outbox: &mut mpsc::Receiver<Publication>, ready: Instant) -> Option<Publication> {
    sleep_until(ready.into()).await;
    outbox.recv().await
}
