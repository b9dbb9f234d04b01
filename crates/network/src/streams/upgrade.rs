//! The first byte of every stream of ours: the acceptor says yes or no.

use super::{Acceptors, Failure, Use, stream::Counted};
use crate::names::Names;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, future::BoxFuture};
use identity::PublicKey;
use libp2p::{
    StreamProtocol,
    core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo},
};
use protocol::port::Incoming;
use std::{
    convert::Infallible,
    io, iter,
    sync::{Arc, atomic::Ordering},
    vec,
};
use tokio::sync::Semaphore;

/// The stream waits in the acceptor's queue.
const ACCEPTED: u8 = 1;
/// The acceptor has no room.
const BUSY: u8 = 0;

/// Takes streams in.
pub(crate) struct Inbound {
    pub(super) peer: PublicKey,
    pub(super) acceptors: Arc<Acceptors>,
    pub(super) limit: Arc<Semaphore>,
    pub(super) used: Arc<Use>,
}

impl UpgradeInfo for Inbound {
    type Info = StreamProtocol;
    type InfoIter = vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        let mut protocols = self.acceptors.protocols();
        if self.used.guest.load(Ordering::Relaxed) {
            protocols.retain(Names::is_foreign);
        }
        protocols.into_iter()
    }
}

impl InboundUpgrade<libp2p::Stream> for Inbound {
    type Output = ();
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<(), Infallible>>;

    fn upgrade_inbound(self, stream: libp2p::Stream, protocol: StreamProtocol) -> Self::Future {
        async move {
            let peer = self.peer;
            if let Err(error) = self.answer(stream, &protocol).await {
                tracing::debug!(?peer, %protocol, %error, "a peer gave up opening a stream");
            }
            Ok(())
        }
        .boxed()
    }
}

impl Inbound {
    async fn answer(self, mut stream: libp2p::Stream, protocol: &StreamProtocol) -> io::Result<()> {
        let permit = self.limit.try_acquire_owned().ok();
        let place = permit.zip(self.acceptors.reserve(protocol));
        // A foreign peer expects no such byte; without room its stream just ends.
        let confirmed = !Names::is_foreign(protocol);
        let Some((permit, place)) = place else {
            if confirmed {
                stream.write_all(&[BUSY]).await?;
            }
            return stream.close().await;
        };
        if confirmed {
            stream.write_all(&[ACCEPTED]).await?;
            stream.flush().await?;
        }
        let stream = Counted { stream, _permit: permit, _used: self.used };
        place.send(Incoming { peer: self.peer, stream: Box::new(stream) });
        Ok(())
    }
}

/// Opens a stream.
pub(crate) struct Outbound {
    pub(super) protocol: StreamProtocol,
}

impl UpgradeInfo for Outbound {
    type Info = StreamProtocol;
    type InfoIter = iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(self.protocol.clone())
    }
}

impl OutboundUpgrade<libp2p::Stream> for Outbound {
    type Output = libp2p::Stream;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<libp2p::Stream, Failure>>;

    fn upgrade_outbound(
        self,
        mut stream: libp2p::Stream,
        protocol: StreamProtocol,
    ) -> Self::Future {
        async move {
            if Names::is_foreign(&protocol) {
                return Ok(stream);
            }
            let mut answer = [BUSY];
            match stream.read_exact(&mut answer).await {
                Ok(()) if answer == [ACCEPTED] => Ok(stream),
                Ok(()) => Err(Failure::Busy),
                Err(_) => Err(Failure::Lost),
            }
        }
        .boxed()
    }
}
