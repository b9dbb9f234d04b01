//! The network as one process sees it: what is left of a process that died is not heard again.

use futures::{FutureExt, future};
use identity::PublicKey;
use protocol::port::{
    Answer, Events, Incoming, Offence, PeerEvent, Protocol, Stream, StreamError, Streams,
};
use sim::streams::MeshNode;
use std::sync::Arc;
use tokio::sync::watch;

/// Streams that end with a process.
pub(super) struct Mortal {
    pub(super) node: Arc<MeshNode>,
    pub(super) died: watch::Receiver<bool>,
}

impl Streams for Mortal {
    fn me(&self) -> PublicKey {
        self.node.me()
    }

    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>> {
        if *self.died.borrow() {
            return future::ready(Err(StreamError::Closed)).boxed();
        }
        self.node.open(peer, protocol)
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        self.node.accept(protocol)
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.node.peers()
    }

    fn events(&self) -> Events<PeerEvent> {
        self.node.events()
    }

    fn know(&self, peer: PublicKey, addresses: Vec<String>) {
        self.node.know(peer, addresses);
    }

    fn penalise(&self, peer: PublicKey, offence: Offence) {
        self.node.penalise(peer, offence);
    }
}
