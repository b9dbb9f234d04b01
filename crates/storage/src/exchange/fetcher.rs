//! Getting blobs from whoever has them.

use super::{Config, session::Session, wire::MAX_WANTS};
use crate::lock::lock;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, Shared, WeakShared};
use identity::PublicKey;
use objects::Cid;
use protocol::port::{BlobError, Blobs, Clock, Stream, StreamError, Streams};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Peers whose streams are counted before those without any are forgotten.
const COUNTED_PEERS: usize = 1024;
/// Streams that are kept although nobody uses them now.
const IDLE_STREAMS: usize = 256;

/// Why a peer could not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not have the blob, or does not give it to us.
    #[error("does not have it")]
    Missing,
    /// It sent other bytes.
    #[error("sent bytes that do not match")]
    BadContent,
    /// There was no stream to it.
    #[error("{0}")]
    Unreachable(#[from] StreamError),
    /// The stream failed or was too slow.
    #[error("{0}")]
    Broken(String),
}

impl Refusal {
    /// Whether the peer is not to be asked for anything else in this fetch.
    pub(super) fn is_final(&self) -> bool {
        *self != Self::Missing
    }
}

/// How much may be below one root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DagLimits {
    /// Different blocks.
    pub blocks: usize,
    /// Bytes of these blocks.
    pub bytes: u64,
}

/// Why something could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No peer gave the blob.
    #[error("{cid} is not to be had: {}", Tried(tried))]
    NotFound {
        /// The blob.
        cid: Cid,
        /// Who was asked, and what came of it.
        tried: Vec<(PublicKey, Refusal)>,
    },
    /// Our own store failed.
    #[error(transparent)]
    Store(#[from] BlobError),
    /// What was fetched is not what it should be.
    #[error(transparent)]
    Content(#[from] objects::Error),
    /// More below one root than was allowed.
    #[error("{root} has more than {limit_blocks} blocks or {limit_bytes} bytes below it")]
    TooLarge {
        /// The root.
        root: Cid,
        /// Blocks that are allowed.
        limit_blocks: usize,
        /// Bytes that are allowed.
        limit_bytes: u64,
    },
}

struct Tried<'a>(&'a [(PublicKey, Refusal)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no other node is known to have it");
        }
        for (at, (peer, refusal)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{} {refusal}", peer.short())?;
        }
        Ok(())
    }
}

type Flight = BoxFuture<'static, Result<Bytes, FetchError>>;

/// Fetches blobs from peers into the store. A handle: clones share their limits.
///
/// Work happens only while a returned future is polled; dropping it ends the fetch.
#[derive(Clone)]
pub struct Fetcher {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) streams: Arc<dyn Streams>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Config,
    /// Open streams by peer.
    permits: Mutex<HashMap<PublicKey, Arc<Semaphore>>>,
    /// A stream to a peer that no session uses now: one for each, so that its server has room.
    idle: Mutex<HashMap<PublicKey, Stream>>,
    /// Blobs that are being fetched now.
    flights: Mutex<HashMap<Cid, WeakShared<Flight>>>,
}

impl Fetcher {
    /// A fetcher that stores in `blobs` what it gets over `streams`.
    pub fn new(
        blobs: Arc<dyn Blobs>,
        streams: Arc<dyn Streams>,
        clock: Arc<dyn Clock>,
        mut config: Config,
    ) -> Self {
        config.fetch_window = config.fetch_window.clamp(1, MAX_WANTS);
        config.fetch_streams_per_peer = config.fetch_streams_per_peer.max(1);
        let (permits, idle, flights) = (Mutex::default(), Mutex::default(), Mutex::default());
        let inner = Inner { blobs, streams, clock, config, permits, idle, flights };
        Self { inner: Arc::new(inner) }
    }

    /// The bytes of a blob: from the store, else from the first of `from` that has it. Several
    /// callers that want one blob share one transfer.
    ///
    /// # Errors
    /// [`FetchError::NotFound`] with what every peer said, or [`FetchError::Store`].
    pub async fn fetch(&self, cid: Cid, from: &[PublicKey]) -> Result<Bytes, FetchError> {
        if let Some(bytes) = self.inner.local(cid).await? {
            return Ok(bytes);
        }
        let (flight, is_own) = self.flight(cid, from);
        match flight.await {
            // The other caller asked other peers.
            Err(FetchError::NotFound { .. }) if !is_own => {
                one(Session::new(self.inner.clone(), from), cid).await
            }
            result => result,
        }
    }

    /// Makes sure that all of these blobs are in the store.
    ///
    /// # Errors
    /// As [`Self::fetch`]; what was found before stays in the store.
    pub async fn fetch_all(&self, cids: &[Cid], from: &[PublicKey]) -> Result<(), FetchError> {
        let here = self.inner.blobs.has(cids.to_vec()).await?;
        let mut wants: Vec<_> =
            cids.iter().zip(here).filter(|(_, is_here)| !is_here).map(|(cid, _)| *cid).collect();
        wants.sort_unstable();
        wants.dedup();
        let mut session = Session::new(self.inner.clone(), from);
        for wants in wants.chunks(self.inner.config.fetch_window) {
            session.load(wants).await?;
        }
        Ok(())
    }

    /// The transfer of a blob that is under way, or a new one.
    fn flight(&self, cid: Cid, from: &[PublicKey]) -> (Shared<Flight>, bool) {
        let mut flights = lock(&self.inner.flights);
        if let Some(flight) = flights.get(&cid).and_then(WeakShared::upgrade)
            && flight.peek().is_none()
        {
            return (flight, false);
        }
        let session = Session::new(self.inner.clone(), from);
        let flight = one(session, cid).boxed().shared();
        flights.retain(|_, flight| flight.upgrade().is_some());
        flights.insert(cid, flight.downgrade().expect("it was not polled yet"));
        (flight, true)
    }
}

async fn one(mut session: Session, cid: Cid) -> Result<Bytes, FetchError> {
    let mut found = session.load(&[cid]).await?;
    Ok(found.remove(&cid).expect("load answers all that it was asked for, or fails"))
}

impl Inner {
    /// A blob from our own store. One that is damaged counts as missing: it is fetched again.
    pub(super) async fn local(&self, cid: Cid) -> Result<Option<Bytes>, FetchError> {
        match self.blobs.get(cid).await {
            Err(BlobError::Corrupt(_)) => Ok(None),
            result => Ok(result?),
        }
    }

    /// The stream to a peer that nobody uses now.
    pub(super) fn idle(&self, peer: PublicKey) -> Option<Stream> {
        lock(&self.idle).remove(&peer)
    }

    /// Leaves a stream for the next session, unless there is one.
    pub(super) fn keep_idle(&self, peer: PublicKey, stream: Stream) {
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_STREAMS {
            idle.entry(peer).or_insert(stream);
        }
    }

    /// As many blobs from our own store.
    pub(super) async fn all_local(&self, cids: &[Cid]) -> Result<Vec<Option<Bytes>>, FetchError> {
        let mut found = Vec::with_capacity(cids.len());
        while found.len() < cids.len() {
            let left = cids[found.len()..].to_vec();
            found.extend(self.blobs.get_some(left, usize::MAX).await?);
        }
        Ok(found)
    }

    /// Waits for the right to open a stream to the peer.
    pub(super) async fn permit(&self, peer: PublicKey) -> OwnedSemaphorePermit {
        let semaphore = {
            let mut permits = lock(&self.permits);
            if permits.len() >= COUNTED_PEERS {
                permits.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            }
            let limit = self.config.fetch_streams_per_peer;
            permits.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(limit))).clone()
        };
        semaphore.acquire_owned().await.expect("it is never closed")
    }
}
