//! Who in this node accepts which protocol.

use crate::lock::lock;
use libp2p::StreamProtocol;
use protocol::port::Incoming;
use std::{collections::HashMap, sync::Mutex};
use tokio::sync::mpsc::{self, OwnedPermit, error::TrySendError};

/// Why a protocol cannot be accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AcceptError {
    /// It has an acceptor.
    Taken,
    /// The network is closed.
    Closed,
}

/// A bounded queue per protocol.
pub(crate) struct Acceptors {
    queue: usize,
    /// `None` when the network is closed.
    queues: Mutex<Option<HashMap<StreamProtocol, mpsc::Sender<Incoming>>>>,
}

impl Acceptors {
    pub(crate) fn new(queue: usize) -> Self {
        Self { queue, queues: Mutex::new(Some(HashMap::new())) }
    }

    /// Accepts a protocol until the receiver is dropped.
    pub(crate) fn accept(
        &self,
        protocol: StreamProtocol,
    ) -> Result<mpsc::Receiver<Incoming>, AcceptError> {
        let mut queues = lock(&self.queues);
        let queues = queues.as_mut().ok_or(AcceptError::Closed)?;
        if queues.get(&protocol).is_some_and(|sender| !sender.is_closed()) {
            return Err(AcceptError::Taken);
        }
        let (sender, receiver) = mpsc::channel(self.queue);
        queues.insert(protocol, sender);
        Ok(receiver)
    }

    /// The protocols that are accepted now.
    pub(super) fn protocols(&self) -> Vec<StreamProtocol> {
        let mut queues = lock(&self.queues);
        let Some(queues) = queues.as_mut() else { return Vec::new() };
        queues.retain(|_, sender| !sender.is_closed());
        queues.keys().cloned().collect()
    }

    /// A place in the queue; `None` if it is full or nobody accepts any more.
    pub(super) fn reserve(&self, protocol: &StreamProtocol) -> Option<OwnedPermit<Incoming>> {
        let sender = lock(&self.queues).as_ref()?.get(protocol)?.clone();
        match sender.try_reserve_owned() {
            Ok(place) => Some(place),
            Err(TrySendError::Full(_)) => {
                tracing::debug!(%protocol, "the queue of accepted streams is full");
                None
            }
            Err(TrySendError::Closed(_)) => None,
        }
    }

    /// Ends all acceptors.
    pub(crate) fn close(&self) {
        *lock(&self.queues) = None;
    }
}
