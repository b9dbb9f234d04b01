//! Keeping shards for others: the service under `/polity/keep/1`.

use super::{
    Keeper, Lend,
    hold::Asker,
    keeper::Inner,
    wire::{PROTOCOL, receive, send},
};
use crate::{exchange::Serve, lock::lock};
use futures::StreamExt;
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{
    durability::{KeepReply, KeepRequest, NotKept, answer_to},
    limits,
    port::{Events, Incoming, Offence, Stream, StreamError},
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};
use tokio::task::{JoinHandle, JoinSet};

/// Bytes that are read at once to show that they are here, unless one blob is larger.
const AT_ONCE_BYTES: usize = 8 << 20;

/// A running service. Dropping it ends it and all its streams.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
}

impl Server {
    /// Ends the service and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        self.task.abort();
        if let Err(error) = (&mut self.task).await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Desk {
    inner: Arc<Inner>,
    /// For whom shards are kept.
    lend: Arc<dyn Lend>,
    /// To whom it is shown what is here.
    gate: Arc<dyn Serve>,
    /// Streams that are served now, by peer.
    busy: Mutex<HashMap<PublicKey, usize>>,
}

impl Keeper {
    /// Keeps shards for others, as far as `lend` allows, and shows to whom `gate` allows that they
    /// are here. Has to be called on a tokio runtime.
    ///
    /// # Errors
    /// [`StreamError::Taken`] if the protocol is served already, [`StreamError::Closed`].
    pub fn serve(&self, lend: Arc<dyn Lend>, gate: Arc<dyn Serve>) -> Result<Server, StreamError> {
        let incoming = self.inner.parts.streams.accept(PROTOCOL)?;
        let busy = Mutex::default();
        let desk = Arc::new(Desk { inner: self.inner.clone(), lend, gate, busy });
        Ok(Server { task: tokio::spawn(accept(desk, incoming)) })
    }
}

async fn accept(desk: Arc<Desk>, mut incoming: Events<Incoming>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            next = incoming.next() => {
                let Some(Incoming { peer, stream }) = next else { break };
                if let Some(place) = Place::take(&desk, peer) {
                    tasks.spawn(place.serve(stream));
                }
            }
            Some(done) = tasks.join_next() => {
                if let Err(error) = done {
                    tracing::error!(%error, "keeping shards panicked");
                }
            }
        }
    }
}

/// The right to serve one stream.
struct Place {
    desk: Arc<Desk>,
    peer: PublicKey,
}

impl Place {
    /// Takes a place; without one the stream is closed, and the peer may try later.
    fn take(desk: &Arc<Desk>, peer: PublicKey) -> Option<Self> {
        let config = &desk.inner.parts.config;
        let mut busy = lock(&desk.busy);
        if busy.values().sum::<usize>() >= config.streams {
            return None;
        }
        let own = busy.entry(peer).or_default();
        if *own >= config.streams_per_peer {
            drop(busy);
            desk.inner.parts.streams.penalise(peer, Offence::Flooding);
            return None;
        }
        *own += 1;
        Some(Self { desk: desk.clone(), peer })
    }

    async fn serve(self, mut stream: Stream) {
        if let Err(error) = self.answer_all(&mut stream).await {
            tracing::debug!(peer = %self.peer.short(), %error, "a stream about shards ended");
        }
    }

    async fn answer_all(&self, stream: &mut Stream) -> io::Result<()> {
        let parts = &self.desk.inner.parts;
        let (clock, limit_ms) = (&*parts.clock, parts.config.request_ms);
        let peer = (clock, &*parts.streams, self.peer);
        while let Some(request) = receive(peer, limit_ms, stream).await? {
            let reply = self.answer(request, stream).await?;
            send(clock, limit_ms, stream, &reply).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: KeepRequest, stream: &mut Stream) -> io::Result<KeepReply> {
        let inner = &*self.desk.inner;
        Ok(match request {
            KeepRequest::Keep { placement, from, pace } => {
                if from.len() > limits::KEEP_SOURCES {
                    return Err(self.malformed());
                }
                let (node, lend) = (self.peer, Some(&*self.desk.lend));
                let asker = Asker { node, lend, from, pace, stream: Some(stream) };
                match inner.hold(placement, asker).await {
                    Ok(bytes) => KeepReply::Kept { bytes },
                    Err(why) => self.refused(why),
                }
            }
            KeepRequest::Note { placement } => match inner.note(placement).await {
                Ok(()) => KeepReply::Noted,
                Err(why) => self.refused(why),
            },
            KeepRequest::Show { challenge, cids } => {
                if cids.len() > limits::SHOWN {
                    return Err(self.malformed());
                }
                KeepReply::Shown { answers: self.show(challenge, &cids).await }
            }
            KeepRequest::Find { object } => {
                KeepReply::Found { objects: inner.book.find(&object, limits::FOUND) }
            }
        })
    }

    fn refused(&self, why: NotKept) -> KeepReply {
        if matches!(why, NotKept::Wrong(_)) {
            self.desk.inner.parts.streams.penalise(self.peer, Offence::BadContent);
        }
        tracing::debug!(peer = %self.peer.short(), %why, "shards are not kept");
        KeepReply::Refused(why)
    }

    fn malformed(&self) -> io::Error {
        self.desk.inner.parts.streams.penalise(self.peer, Offence::Malformed);
        io::Error::new(io::ErrorKind::InvalidData, "more than one question may name")
    }

    async fn show(&self, challenge: Digest, cids: &[Cid]) -> Vec<Option<Digest>> {
        let may = |cid: &Cid| self.desk.gate.may_serve(self.peer, cid);
        let mut answers = vec![None; cids.len()];
        let open: Vec<usize> = (0..cids.len()).filter(|at| may(&cids[*at])).collect();
        let mut left = &open[..];
        while !left.is_empty() {
            let some = left.iter().map(|at| cids[*at]).collect();
            let found = match self.desk.inner.parts.blobs.get_some(some, AT_ONCE_BYTES).await {
                Ok(found) if !found.is_empty() => found,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "shards that are to be shown cannot be read");
                    break;
                }
            };
            for (at, bytes) in left.iter().zip(&found) {
                answers[*at] = bytes.as_ref().map(|bytes| answer_to(&challenge, bytes));
            }
            left = &left[found.len().min(left.len())..];
        }
        answers
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = lock(&self.desk.busy);
        if let Some(own) = busy.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                busy.remove(&self.peer);
            }
        }
    }
}
