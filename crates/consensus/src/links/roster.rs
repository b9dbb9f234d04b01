//! The set of validators, as the engine wants to be told of it.

use crate::convert::Key;
use commonware_p2p::{PeerSetSubscription, PeerSetUpdate, Provider, TrackedPeers};
use commonware_utils::{channel::mpsc, ordered::Set, sync::Mutex};
use std::sync::Arc;

/// A set that never changes.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    validators: Set<Key>,
    /// A subscription whose sender is gone would count as the end of the network.
    subscribers: Arc<Mutex<Vec<mpsc::UnboundedSender<PeerSetUpdate<Key>>>>>,
}

impl Roster {
    pub(super) fn new(validators: Set<Key>) -> Self {
        Self { validators, subscribers: Arc::default() }
    }

    fn tracked(&self) -> TrackedPeers<Key> {
        TrackedPeers::primary(self.validators.clone())
    }
}

impl Provider for Roster {
    type PublicKey = Key;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<Key>> {
        (id == 0).then(|| self.tracked())
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<Key> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let update = PeerSetUpdate { index: 0, latest: self.tracked(), all: self.tracked() };
        sender.send(update).expect("the receiver is at hand");
        self.subscribers.lock().push(sender);
        receiver
    }
}
