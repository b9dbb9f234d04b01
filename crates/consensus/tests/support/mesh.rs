//! Streams between nodes of one process, in memory.
#![allow(dead_code, unreachable_pub)]

use futures::{FutureExt, StreamExt, stream};
use identity::PublicKey;
use protocol::port::{
    Answer, Events, Incoming, Offence, PeerEvent, Protocol, Stream, StreamError, Streams,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::mpsc;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Streams that wait to be accepted.
const WAITING: usize = 64;
/// Bytes under way in one stream.
const WINDOW: usize = 1 << 20;

/// All nodes.
#[derive(Clone, Default)]
pub struct Mesh(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    acceptors: BTreeMap<(PublicKey, Protocol), mpsc::Sender<Incoming>>,
    nodes: BTreeSet<PublicKey>,
    listeners: Vec<(PublicKey, mpsc::UnboundedSender<PeerEvent>)>,
    offences: Vec<(PublicKey, PublicKey, Offence)>,
}

impl Mesh {
    /// The port of one node, which is reachable from now on.
    pub fn port(&self, me: PublicKey) -> Arc<Port> {
        let mut state = self.state();
        state.nodes.insert(me);
        state.tell(me, PeerEvent::Up(me));
        drop(state);
        Arc::new(Port { me, mesh: self.clone() })
    }

    /// A node can be reached no more; its streams end when it drops them.
    pub fn remove(&self, node: PublicKey) {
        let mut state = self.state();
        state.nodes.remove(&node);
        state.tell(node, PeerEvent::Down(node));
    }

    /// Who counted which offence against whom.
    pub fn offences(&self) -> Vec<(PublicKey, PublicKey, Offence)> {
        self.state().offences.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder panics")
    }
}

impl State {
    fn tell(&mut self, about: PublicKey, event: PeerEvent) {
        self.listeners.retain(|(owner, listener)| *owner == about || listener.send(event).is_ok());
    }
}

/// One node's streams.
pub struct Port {
    me: PublicKey,
    mesh: Mesh,
}

impl Streams for Port {
    fn me(&self) -> PublicKey {
        self.me
    }

    fn open(
        &self,
        peer: PublicKey,
        protocol: Protocol,
    ) -> Answer<'static, Result<Stream, StreamError>> {
        let state = self.mesh.state();
        let up = state.nodes.contains(&peer) && state.nodes.contains(&self.me);
        let acceptor = state.acceptors.get(&(peer, protocol)).filter(|_| up).cloned();
        drop(state);
        let me = self.me;
        async move {
            let acceptor = acceptor.ok_or(StreamError::Unreachable(peer))?;
            let (near, far) = tokio::io::duplex(WINDOW);
            let incoming = Incoming { peer: me, stream: Box::new(far.compat()) };
            acceptor.try_send(incoming).map_err(|_| StreamError::Unreachable(peer))?;
            let near: Stream = Box::new(near.compat());
            Ok(near)
        }
        .boxed()
    }

    fn accept(&self, protocol: Protocol) -> Result<Events<Incoming>, StreamError> {
        let mut state = self.mesh.state();
        let place = (self.me, protocol);
        if state.acceptors.get(&place).is_some_and(|taken| !taken.is_closed()) {
            return Err(StreamError::Taken(protocol));
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        state.acceptors.insert(place, sender);
        let next = |mut receiver: mpsc::Receiver<Incoming>| async move {
            receiver.recv().await.map(|incoming| (incoming, receiver))
        };
        Ok(stream::unfold(receiver, next).boxed())
    }

    fn peers(&self) -> Vec<PublicKey> {
        self.mesh.state().nodes.iter().copied().filter(|node| *node != self.me).collect()
    }

    fn events(&self) -> Events<PeerEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for peer in self.peers() {
            sender.send(PeerEvent::Up(peer)).expect("the receiver is at hand");
        }
        self.mesh.state().listeners.push((self.me, sender));
        let next = |mut receiver: mpsc::UnboundedReceiver<PeerEvent>| async move {
            receiver.recv().await.map(|event| (event, receiver))
        };
        stream::unfold(receiver, next).boxed()
    }

    fn know(&self, _: PublicKey, _: Vec<String>) {}

    fn penalise(&self, peer: PublicKey, offence: Offence) {
        self.mesh.state().offences.push((self.me, peer, offence));
    }
}
