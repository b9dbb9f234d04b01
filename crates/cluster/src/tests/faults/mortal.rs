//! The network as one process sees it: what is left of a process that died is not heard again.

use super::slow::SlowStream;
use futures::{FutureExt, StreamExt, TryFutureExt, future};
use identity::PublicKey;
use protocol::port::{
    Answer, Events, Incoming, Offence, PeerEvent, Protocol, Stream, StreamError, Streams,
};
use sim::{Random, streams::MeshNode};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Streams that end with a process, and take time.
pub(super) struct Mortal {
    pub(super) node: Arc<MeshNode>,
    pub(super) died: watch::Receiver<bool>,
    pub(super) random: Arc<Mutex<Random>>,
}

fn slow(stream: Stream, random: &Mutex<Random>) -> Stream {
    Box::new(SlowStream::new(stream, random.lock().unwrap().fork()))
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
        let random = self.random.clone();
        let opened = self.node.open(peer, protocol);
        opened.map_ok(move |stream| slow(stream, &random)).boxed()
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        let random = self.random.clone();
        let accepted = self.node.accept(protocol)?;
        let slowly = move |Incoming { peer, stream }| {
            let stream = slow(stream, &random);
            Incoming { peer, stream }
        };
        Ok(accepted.map(slowly).boxed())
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
