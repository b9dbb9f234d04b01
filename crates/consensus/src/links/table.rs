//! The other validators, and what is known of each connection.

use super::{kind::Kind, queue::Queue};
use crate::{Event, convert, convert::Key};
use commonware_utils::{channel::ring, ordered::Set, sync::Mutex};
use identity::PublicKey;
use protocol::port::{Offence, Streams};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{mpsc, watch};

/// One other validator.
pub(super) struct Peer {
    pub(super) key: Key,
    pub(super) name: PublicKey,
    queues: [Queue; Kind::ALL.len()],
    connected: AtomicBool,
    /// Set once, for good.
    pub(super) blocked: watch::Sender<bool>,
    /// Counts how often a connection to it came.
    pub(super) came: watch::Sender<u64>,
    /// Counts how often the last connection to it went.
    pub(super) went: watch::Sender<u64>,
}

impl Peer {
    pub(super) fn queue(&self, kind: Kind) -> &Queue {
        &self.queues[kind.place()]
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    pub(super) fn is_blocked(&self) -> bool {
        *self.blocked.borrow()
    }
}

/// All other validators.
pub(super) struct Table {
    pub(super) streams: Arc<dyn Streams>,
    peers: BTreeMap<PublicKey, Arc<Peer>>,
    subscribers: Mutex<Vec<ring::Sender<Set<Key>>>>,
    arrivals: watch::Sender<u64>,
    events: mpsc::Sender<Event>,
}

impl Table {
    pub(super) fn new(
        streams: Arc<dyn Streams>,
        validators: &Set<Key>,
        small: usize,
        large: usize,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let me = streams.me();
        let peer = |key: &Key| {
            let peer = Peer {
                key: key.clone(),
                name: convert::public(key),
                queues: Kind::ALL.map(|kind| Queue::new(kind.limit(small, large))),
                connected: AtomicBool::new(false),
                blocked: watch::Sender::new(false),
                came: watch::Sender::new(0),
                went: watch::Sender::new(0),
            };
            (peer.name, Arc::new(peer))
        };
        let peers = validators.iter().map(peer).filter(|(name, _)| *name != me).collect();
        let arrivals = watch::Sender::new(0);
        Self { streams, peers, subscribers: Mutex::default(), arrivals, events }
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.peers.values()
    }

    pub(super) fn find(&self, name: &PublicKey) -> Option<&Arc<Peer>> {
        self.peers.get(name)
    }

    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// A peer can be written to from now on, or no longer.
    pub(super) fn set_connected(&self, peer: &Peer, connected: bool) {
        for kind in Kind::ALL {
            peer.queue(kind).clear();
        }
        peer.connected.store(connected, Ordering::Release);
        if connected {
            self.arrivals.send_modify(|count| *count += 1);
        }
    }

    /// Ends all exchange with a peer, for good.
    pub(super) fn block(&self, name: &PublicKey, offence: Offence) {
        self.streams.penalise(*name, offence);
        let Some(peer) = self.find(name) else { return };
        if peer.blocked.send_replace(true) {
            return;
        }
        tracing::warn!(peer = ?name, ?offence, "a validator is blocked until this node restarts");
        self.set_connected(peer, false);
        if let Err(error) = self.events.try_send(Event::Blocked(*name)) {
            tracing::warn!(%error, "nobody takes events");
        }
        let blocked = self.blocked();
        self.subscribers.lock().retain(|subscriber| subscriber.send_lossy(blocked.clone()));
    }

    /// Tells the peers that are blocked, now and whenever there is one more.
    pub(super) fn subscribe(&self, subscriber: ring::Sender<Set<Key>>) {
        let mut subscribers = self.subscribers.lock();
        if subscriber.send_lossy(self.blocked()) {
            subscribers.push(subscriber);
        }
    }

    fn blocked(&self) -> Set<Key> {
        let blocked = self.peers().filter(|peer| peer.is_blocked());
        Set::from_iter_dedup(blocked.map(|peer| peer.key.clone()))
    }
}
