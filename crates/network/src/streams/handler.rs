//! What opens and accepts streams on one connection.

use super::{
    Acceptors, Failure, Opened, Use,
    stream::Counted,
    upgrade::{Inbound, Outbound},
};
use identity::PublicKey;
use libp2p::{
    StreamProtocol,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedOutbound},
    },
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// A stream to open. If the connection breaks the reply is dropped unanswered.
pub(crate) struct Request {
    pub(crate) protocol: StreamProtocol,
    pub(crate) permit: OwnedSemaphorePermit,
    pub(crate) reply: oneshot::Sender<Opened>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({})", self.protocol)
    }
}

/// A stream being opened.
pub(crate) struct Opening {
    permit: OwnedSemaphorePermit,
    reply: oneshot::Sender<Opened>,
}

/// The handler of one connection.
pub(crate) struct Handler {
    peer: PublicKey,
    acceptors: Arc<Acceptors>,
    inbound: Arc<Semaphore>,
    used: Arc<Use>,
    timeout: Duration,
    /// Bounded by the permits that requests hold.
    requests: VecDeque<Request>,
    waker: Option<Waker>,
}

impl Handler {
    pub(super) fn new(
        peer: PublicKey,
        acceptors: Arc<Acceptors>,
        inbound: Arc<Semaphore>,
        used: Arc<Use>,
        timeout: Duration,
    ) -> Self {
        let requests = VecDeque::new();
        Self { peer, acceptors, inbound, used, timeout, requests, waker: None }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Request;
    type ToBehaviour = Infallible;
    type InboundProtocol = Inbound;
    type OutboundProtocol = Outbound;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Opening;

    fn listen_protocol(&self) -> SubstreamProtocol<Inbound> {
        let inbound = Inbound {
            peer: self.peer,
            acceptors: self.acceptors.clone(),
            limit: self.inbound.clone(),
            used: self.used.clone(),
        };
        SubstreamProtocol::new(inbound, ()).with_timeout(self.timeout)
    }

    /// Connections stay until one side closes them: nodes of one network keep in touch.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Outbound, Opening, Infallible>> {
        let Some(Request { protocol, permit, reply }) = self.requests.pop_front() else {
            self.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let opening = Opening { permit, reply };
        let protocol = SubstreamProtocol::new(Outbound { protocol }, opening);
        let protocol = protocol.with_timeout(self.timeout);
        Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_behaviour_event(&mut self, request: Request) {
        self.requests.push_back(request);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Inbound, Outbound, (), Opening>) {
        let (opening, opened) = match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => (info, Ok(protocol)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let failure = match error {
                    StreamUpgradeError::Timeout => Failure::Timeout,
                    StreamUpgradeError::NegotiationFailed => Failure::Unsupported,
                    StreamUpgradeError::Apply(failure) => failure,
                    StreamUpgradeError::Io(_) => Failure::Lost,
                };
                (info, Err(failure))
            }
            // An inbound stream went to its acceptor while it was negotiated.
            _ => return,
        };
        let Opening { permit, reply } = opening;
        let opened: Opened = match opened {
            Ok(stream) => {
                Ok(Box::new(Counted { stream, _permit: permit, _used: self.used.clone() }))
            }
            Err(failure) => Err(failure),
        };
        if reply.send(opened).is_err() {
            tracing::trace!(peer = ?self.peer, "the opener of a stream has left");
        }
    }
}
