//! Keeping shards for others: the service under `/polity/keep/1`.

use super::{
    Keeper, Lend,
    hold::Asker,
    keeper::Inner,
    wire::{PROTOCOL, receive, send},
};
use crate::{
    desk::{Desk, Room, Server},
    exchange::Serve,
};
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{
    durability::{KeepReply, KeepRequest, NotKept, answer_to},
    limits,
    port::{Offence, Stream, StreamError},
};
use std::{io, sync::Arc};

/// Bytes that are read at once to show that they are here, unless one blob is larger.
const AT_ONCE_BYTES: usize = 8 << 20;

impl Keeper {
    /// Keeps shards for others, as far as `lend` allows, and shows to whom `gate` allows that they
    /// are here. Has to be called on a tokio runtime.
    ///
    /// # Errors
    /// [`StreamError::Taken`] if the protocol is served already, [`StreamError::Closed`].
    pub fn serve(&self, lend: Arc<dyn Lend>, gate: Arc<dyn Serve>) -> Result<Server, StreamError> {
        let inner = self.inner.clone();
        let config = &inner.parts.config;
        let room = Room { streams: config.streams, per_peer: config.streams_per_peer };
        let desk = Desk::open(&inner.parts.streams, &[PROTOCOL], room)?;
        Ok(desk.serve(move |peer, stream| {
            let (inner, lend, gate) = (inner.clone(), lend.clone(), gate.clone());
            Visit { inner, lend, gate, peer }.answer_all(stream)
        }))
    }
}

/// A peer with one stream.
struct Visit {
    inner: Arc<Inner>,
    /// For whom shards are kept.
    lend: Arc<dyn Lend>,
    /// To whom it is shown what is here.
    gate: Arc<dyn Serve>,
    peer: PublicKey,
}

impl Visit {
    async fn answer_all(self, mut stream: Stream) -> io::Result<()> {
        let parts = &self.inner.parts;
        let (clock, limit_ms) = (&*parts.clock, parts.config.request_ms);
        let peer = (clock, &*parts.streams, self.peer);
        while let Some(request) = receive(peer, limit_ms, &mut stream).await? {
            let reply = self.answer(request, &mut stream).await?;
            send(clock, limit_ms, &mut stream, &reply).await?;
        }
        Ok(())
    }

    async fn answer(&self, request: KeepRequest, stream: &mut Stream) -> io::Result<KeepReply> {
        let inner = &*self.inner;
        Ok(match request {
            KeepRequest::Keep { placement, from, pace } => {
                if from.len() > limits::KEEP_SOURCES {
                    return Err(self.malformed());
                }
                let (node, lend) = (self.peer, Some(&*self.lend));
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
            self.inner.parts.streams.penalise(self.peer, Offence::BadContent);
        }
        tracing::debug!(peer = %self.peer.short(), %why, "shards are not kept");
        KeepReply::Refused(why)
    }

    fn malformed(&self) -> io::Error {
        self.inner.parts.streams.penalise(self.peer, Offence::Malformed);
        io::Error::new(io::ErrorKind::InvalidData, "more than one question may name")
    }

    async fn show(&self, challenge: Digest, cids: &[Cid]) -> Vec<Option<Digest>> {
        let may = |cid: &Cid| self.gate.may_serve(self.peer, cid);
        let mut answers = vec![None; cids.len()];
        let open: Vec<usize> = (0..cids.len()).filter(|at| may(&cids[*at])).collect();
        let mut left = &open[..];
        while !left.is_empty() {
            let some = left.iter().map(|at| cids[*at]).collect();
            let found = match self.inner.parts.blobs.get_some(some, AT_ONCE_BYTES).await {
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
