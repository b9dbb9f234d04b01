//! Streams on demand, as a behaviour of libp2p.
//!
//! Like `libp2p-stream`, with what it leaves out: every stream is confirmed by the acceptor with
//! one byte, so that none is lost silently in a burst; the queue of a protocol and the streams
//! under way with a peer are bounded; the caller says which connection to use; nothing is kept of
//! a connection that closed. Foreign protocols begin without that byte, as their peers expect.

mod acceptors;
mod handler;
mod stream;
mod upgrade;

pub(crate) use acceptors::{AcceptError, Acceptors};
pub(crate) use handler::Request;

use crate::address;
use handler::Handler;
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm,
    },
};
use protocol::port::Stream;
use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why a stream could not be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// No connection can be made.
    Unreachable,
    /// The peer does not accept this protocol.
    Unsupported,
    /// The peer's queue is full, or too many streams are under way.
    Busy,
    /// It took too long.
    Timeout,
    /// The connection broke meanwhile; another one may work.
    Lost,
}

/// What an opener gets.
pub(crate) type Opened = Result<Stream, Failure>;

/// The bounds of one peer.
struct Limits {
    inbound: Arc<Semaphore>,
    outbound: Arc<Semaphore>,
}

/// Cloned into every stream of a connection, so that the count tells whether it is in use.
#[derive(Default)]
struct Use {
    /// The peer is a guest: it is offered foreign protocols only.
    guest: AtomicBool,
}

/// The behaviour. It must be the last field of a composition: it keeps state for a connection as
/// soon as it has agreed to it.
pub(crate) struct Behaviour {
    acceptors: Arc<Acceptors>,
    max_streams: usize,
    timeout: Duration,
    peers: HashMap<PeerId, Limits>,
    uses: HashMap<ConnectionId, Arc<Use>>,
    requests: VecDeque<(PeerId, ConnectionId, Request)>,
}

impl Behaviour {
    pub(crate) fn new(acceptors: Arc<Acceptors>, max_streams: u32, timeout: Duration) -> Self {
        Self {
            acceptors,
            max_streams: max_streams as usize,
            timeout,
            peers: HashMap::new(),
            uses: HashMap::new(),
            requests: VecDeque::new(),
        }
    }

    /// The right to one more stream to a connected peer; `None` if too many are under way.
    pub(crate) fn permit(&self, peer: &PeerId) -> Option<OwnedSemaphorePermit> {
        self.peers.get(peer)?.outbound.clone().try_acquire_owned().ok()
    }

    /// Opens a stream over one connection. The request's permit bounds how many wait here.
    pub(crate) fn open(&mut self, peer: PeerId, connection: ConnectionId, request: Request) {
        self.requests.push_back((peer, connection, request));
    }

    /// Whether no stream of ours or theirs uses the connection.
    pub(crate) fn is_idle(&self, connection: ConnectionId) -> bool {
        // One is kept here, one in the handler.
        self.uses.get(&connection).is_none_or(|used| Arc::strong_count(used) <= 2)
    }

    /// From now on the peer at the other end of this connection is a guest, with fewer streams.
    pub(crate) fn is_guest(&mut self, peer: &PeerId, connection: ConnectionId, max_streams: u32) {
        if let Some(used) = self.uses.get(&connection) {
            used.guest.store(true, Ordering::Relaxed);
        }
        if let Some(limits) = self.peers.get(peer) {
            let surplus = self.max_streams.saturating_sub(max_streams as usize);
            limits.inbound.forget_permits(surplus);
            limits.outbound.forget_permits(surplus);
        }
    }

    fn handler(&mut self, id: ConnectionId, peer: PeerId) -> Result<Handler, ConnectionDenied> {
        let key = address::public_key(&peer).ok_or_else(|| ConnectionDenied::new(NoKey(peer)))?;
        let max_streams = self.max_streams;
        let limits = self.peers.entry(peer).or_insert_with(|| Limits {
            inbound: Arc::new(Semaphore::new(max_streams)),
            outbound: Arc::new(Semaphore::new(max_streams)),
        });
        let used = Arc::new(Use::default());
        self.uses.insert(id, used.clone());
        let inbound = limits.inbound.clone();
        Ok(Handler::new(key, self.acceptors.clone(), inbound, used, self.timeout))
    }
}

/// The peer's id holds no Ed25519 key.
#[derive(Debug, thiserror::Error)]
#[error("the id of {0} holds no Ed25519 key")]
struct NoKey(PeerId);

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, peer)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, peer)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.uses.remove(&closed.connection_id);
            if closed.remaining_established == 0 {
                self.peers.remove(&closed.peer_id);
            }
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // `open` is called by the task that polls the swarm, which polls it again afterwards.
        match self.requests.pop_front() {
            Some((peer_id, connection, event)) => {
                let handler = NotifyHandler::One(connection);
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event })
            }
            None => Poll::Pending,
        }
    }
}
