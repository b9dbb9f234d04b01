//! Serving blobs to other nodes.

use super::{
    Config, PROTOCOL, Serve,
    wire::{REQUEST_BYTES, decode_request, write_answer},
    within,
};
use crate::lock::lock;
use bytes::Bytes;
use futures::StreamExt;
use identity::PublicKey;
use objects::Cid;
use protocol::port::{
    Blobs, Clock, Events, Incoming, Offence, Stream, StreamError, Streams, read_frame,
};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};
use tokio::task::{JoinHandle, JoinSet};

/// A running server. Dropping it ends it and all its streams.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
}

impl Server {
    /// Waits until the server ends by itself, which it does only with the network. Dropping the
    /// future ends the server.
    ///
    /// # Errors
    /// [`StreamError::Closed`] when the network is gone.
    ///
    /// # Panics
    /// If the server panicked.
    pub async fn ended(mut self) -> Result<(), StreamError> {
        match (&mut self.task).await {
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            _ => Err(StreamError::Closed),
        }
    }

    /// Ends the server and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        self.task.abort();
        // An error says that it was cancelled, which is what was asked for.
        drop((&mut self.task).await);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every stream of a server needs.
/// Bytes that one stream holds in memory, unless one blob has more.
const AT_ONCE_BYTES: usize = 1 << 20;

struct Desk {
    blobs: Arc<dyn Blobs>,
    streams: Arc<dyn Streams>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Serve>,
    config: Config,
    /// Streams that are served now, by peer.
    busy: Mutex<HashMap<PublicKey, usize>>,
}

/// Serves `blobs` to peers, as far as `gate` allows. Has to be called on a tokio runtime.
///
/// # Errors
/// [`StreamError::Taken`] if the protocol is served already, [`StreamError::Closed`].
pub fn serve(
    blobs: Arc<dyn Blobs>,
    streams: Arc<dyn Streams>,
    clock: Arc<dyn Clock>,
    gate: Arc<dyn Serve>,
    config: Config,
) -> Result<Server, StreamError> {
    let incoming = streams.accept(PROTOCOL)?;
    let busy = Mutex::default();
    let desk = Arc::new(Desk { blobs, streams, clock, gate, config, busy });
    Ok(Server { task: tokio::spawn(accept(desk, incoming)) })
}

async fn accept(desk: Arc<Desk>, mut incoming: Events<Incoming>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            next = incoming.next() => {
                let Some(Incoming { peer, stream }) = next else { break };
                if let Some(slot) = Slot::take(&desk, peer) {
                    tasks.spawn(slot.serve(stream));
                }
            }
            Some(done) = tasks.join_next() => {
                if let Err(error) = done {
                    tracing::error!(%error, "serving a stream of blobs panicked");
                }
            }
        }
    }
}

/// The right to serve one stream.
struct Slot {
    desk: Arc<Desk>,
    peer: PublicKey,
}

impl Slot {
    /// Takes a slot; without one the stream is closed, and the peer may try later.
    fn take(desk: &Arc<Desk>, peer: PublicKey) -> Option<Self> {
        let mut busy = lock(&desk.busy);
        if busy.values().sum::<usize>() >= desk.config.serve_streams {
            return None;
        }
        let own = busy.entry(peer).or_default();
        if *own >= desk.config.serve_streams_per_peer {
            drop(busy);
            desk.streams.penalise(peer, Offence::Flooding);
            return None;
        }
        *own += 1;
        Some(Self { desk: desk.clone(), peer })
    }

    async fn serve(self, mut stream: Stream) {
        if let Err(error) = self.answer_all(&mut stream).await {
            tracing::debug!(peer = %self.peer.short(), %error, "a stream of blobs ended");
        }
    }

    async fn answer_all(&self, stream: &mut Stream) -> io::Result<()> {
        let Desk { clock, config, .. } = &*self.desk;
        loop {
            let request = read_frame(stream, REQUEST_BYTES);
            let frame = match within(&**clock, config.serve_idle_ms, request).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(()),
                Err(error) => {
                    if error.kind() == io::ErrorKind::InvalidData {
                        self.desk.streams.penalise(self.peer, Offence::Oversized);
                    }
                    return Err(error);
                }
            };
            let Some(wants) = decode_request(&frame) else {
                self.desk.streams.penalise(self.peer, Offence::Malformed);
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
            };
            let mut left = &wants[..];
            while !left.is_empty() {
                let found = self.find(left).await;
                for blob in &found {
                    let answer = write_answer(stream, blob.as_ref());
                    within(&**clock, config.serve_answer_ms, answer).await?;
                }
                left = &left[found.len()..];
            }
        }
    }

    /// The first of these blobs, one at least.
    async fn find(&self, wants: &[Cid]) -> Vec<Option<Bytes>> {
        let may = |cid: &&Cid| self.desk.gate.may_serve(self.peer, cid);
        let open: Vec<Cid> = wants.iter().take_while(may).copied().collect();
        if open.is_empty() {
            return vec![None];
        }
        match self.desk.blobs.get_some(open, AT_ONCE_BYTES).await {
            Ok(found) if !found.is_empty() => found,
            Ok(_) => vec![None],
            Err(error) => {
                tracing::warn!(%error, "blobs that a peer asked for cannot be read");
                vec![None]
            }
        }
    }
}

impl Drop for Slot {
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
