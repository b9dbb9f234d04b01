//! The desk at which a protocol is served: so many streams at once, each in a task of its own, and
//! all of them end with the server.

use crate::lock::lock;
use futures::{StreamExt, stream};
use identity::PublicKey;
use protocol::port::{Events, Incoming, Offence, Protocol, Stream, StreamError, Streams};
use std::{
    collections::HashMap,
    future::Future,
    io,
    panic::resume_unwind,
    sync::{Arc, Mutex},
};
use tokio::task::{JoinHandle, JoinSet};

/// A protocol that is served. Dropping it ends that, with all its streams.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
}

impl Server {
    /// Serves as long as `work` goes on. Has to be called on a tokio runtime.
    pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { task: tokio::spawn(work) }
    }

    /// Waits until it ends by itself, which it does only with the network. Dropping the future ends
    /// it.
    ///
    /// # Errors
    /// [`StreamError::Closed`] when the network is gone.
    ///
    /// # Panics
    /// If it panicked.
    pub async fn ended(mut self) -> Result<(), StreamError> {
        match (&mut self.task).await {
            Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
            _ => Err(StreamError::Closed),
        }
    }

    /// Ends it and waits until nothing of it runs any more.
    ///
    /// # Panics
    /// If it panicked.
    pub async fn stop(self) {
        self.task.abort();
        // That it is closed is what was asked for.
        let _closed = self.ended().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How many streams are served at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Of all peers. Further ones are closed; whoever opened them may try later.
    pub(crate) streams: usize,
    /// Of one peer. More are an offence.
    pub(crate) per_peer: usize,
}

/// Streams by peer.
type Busy = Arc<Mutex<HashMap<PublicKey, usize>>>;

/// Takes in the streams of some protocols. Dropping it ends those that are served.
pub(crate) struct Desk {
    streams: Arc<dyn Streams>,
    incoming: Events<Incoming>,
    room: Room,
    busy: Busy,
    tasks: JoinSet<()>,
}

impl Desk {
    /// # Errors
    /// [`StreamError::Taken`] if a protocol is served already, [`StreamError::Closed`].
    pub(crate) fn open(
        streams: &Arc<dyn Streams>,
        protocols: &[Protocol],
        room: Room,
    ) -> Result<Self, StreamError> {
        let incoming: Result<Vec<_>, _> =
            protocols.iter().map(|protocol| streams.accept(*protocol)).collect();
        let incoming = stream::select_all(incoming?).boxed();
        let (busy, tasks) = (Busy::default(), JoinSet::new());
        Ok(Self { streams: streams.clone(), incoming, room, busy, tasks })
    }

    /// Serves every stream with `answer` until the network is gone.
    pub(crate) fn serve<A>(
        mut self,
        answer: impl Fn(PublicKey, Stream) -> A + Send + Sync + 'static,
    ) -> Server
    where
        A: Future<Output = io::Result<()>> + Send + 'static,
    {
        Server::start(async move { while self.step(&answer).await {} })
    }

    /// Waits until a stream comes, and begins to serve it if there is room, or until one ends.
    /// False when the network is gone. Dropping the future loses nothing.
    pub(crate) async fn step<A>(&mut self, answer: impl Fn(PublicKey, Stream) -> A) -> bool
    where
        A: Future<Output = io::Result<()>> + Send + 'static,
    {
        tokio::select! {
            next = self.incoming.next() => {
                let Some(Incoming { peer, stream }) = next else { return false };
                if let Some(place) = self.place(peer) {
                    self.tasks.spawn(place.keep(answer(peer, stream)));
                }
            }
            Some(done) = self.tasks.join_next() => {
                if let Err(error) = done {
                    tracing::error!(%error, "serving a stream panicked");
                }
            }
        }
        true
    }

    fn place(&self, peer: PublicKey) -> Option<Place> {
        let mut busy = lock(&self.busy);
        if busy.values().sum::<usize>() >= self.room.streams {
            tracing::debug!(peer = %peer.short(), "too many streams at once");
            return None;
        }
        let own = busy.entry(peer).or_default();
        if *own >= self.room.per_peer {
            drop(busy);
            self.streams.penalise(peer, Offence::Flooding);
            return None;
        }
        *own += 1;
        Some(Place { busy: self.busy.clone(), peer })
    }
}

/// The right of a peer to have one stream served.
struct Place {
    busy: Busy,
    peer: PublicKey,
}

impl Place {
    async fn keep(self, answer: impl Future<Output = io::Result<()>>) {
        if let Err(error) = answer.await {
            tracing::debug!(peer = %self.peer.short(), %error, "a stream ended");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut busy = lock(&self.busy);
        if let Some(own) = busy.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                busy.remove(&self.peer);
            }
        }
    }
}
