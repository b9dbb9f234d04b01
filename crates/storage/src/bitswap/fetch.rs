//! Fetching single objects, and everything below a root.

use super::{
    engine::Engine,
    name::Name,
    protobuf::{Fields, Value},
    session::Session,
};
use crate::exchange::{DagLimits, FetchError};
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt, OptionFuture};
use identity::PublicKey;
use objects::{Block, Checked, Cid, Codec};
use protocol::port::BlobError;
use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::Arc,
};

/// Bytes of blocks that are stored together, if so many have come.
const STORE_BYTES: usize = 8 << 20;

/// Fetches blocks from peers into the store. A handle: clones are one bitswap.
///
/// Work happens only while a returned future is polled; dropping it ends the fetch.
#[derive(Clone)]
pub struct Bitswap {
    pub(super) engine: Arc<Engine>,
}

impl fmt::Debug for Bitswap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bitswap")
    }
}

impl Bitswap {
    /// The bytes of a block: from the store, else from the first of `from` that gives it; then it
    /// is in the store as well.
    ///
    /// # Errors
    /// [`FetchError::NotFound`] with what every peer said, as soon as all have said no, or
    /// [`FetchError::Store`].
    pub async fn fetch(&self, cid: Cid, from: &[PublicKey]) -> Result<Bytes, FetchError> {
        match self.engine.blobs.get(cid).await {
            Ok(Some(bytes)) => return Ok(bytes),
            // One that is damaged is fetched again.
            Ok(None) | Err(BlobError::Corrupt(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let mut session = Session::new(self.engine.clone(), from);
        session.want(cid);
        let block = session.next().await?;
        let bytes = block.block().bytes.clone();
        self.engine.blobs.put_checked(vec![block]).await?;
        self.engine.came(&[cid]).await;
        Ok(bytes)
    }

    /// Makes sure that a block and everything below it is in the store, and answers the bytes of
    /// all. What is here already is not fetched again, and what came before a fetch failed stays, so
    /// that one that was broken off goes on where it was.
    ///
    /// # Errors
    /// As [`Self::fetch`], [`FetchError::Content`] for malformed blocks, and
    /// [`FetchError::TooLarge`].
    pub async fn fetch_dag(
        &self,
        root: Cid,
        from: &[PublicKey],
        limits: DagLimits,
    ) -> Result<u64, FetchError> {
        self.fetch_all(&[root], from, Extent::Below(limits), |_, _| {}).await
    }

    /// As [`Self::fetch_dag`], for several roots in one session. `tell` hears how many blocks were
    /// found so far, and their bytes.
    ///
    /// # Errors
    /// As [`Self::fetch_dag`].
    pub async fn fetch_all(
        &self,
        roots: &[Cid],
        from: &[PublicKey],
        extent: Extent,
        tell: impl FnMut(u64, u64) + Send,
    ) -> Result<u64, FetchError> {
        let Some(root) = roots.first().copied() else { return Ok(0) };
        let dag = Dag {
            engine: self.engine.clone(),
            session: Session::new(self.engine.clone(), from),
            root,
            extent,
            tell,
            blocks: 0,
            bytes: 0,
            seen: roots.iter().copied().collect(),
            pending: roots.iter().rev().copied().collect(),
            fresh: VecDeque::new(),
            fresh_bytes: 0,
            storing: None.into(),
            storing_blocks: 0,
        };
        dag.run().await
    }

    /// Tells that these objects are in the store now: peers that wait for them get them at once,
    /// not only when they are looked for the next time.
    pub async fn came(&self, cids: &[Cid]) {
        self.engine.came(cids).await;
    }
}

/// How much is fetched.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// The blocks that are named.
    Alone,
    /// Everything below them as well, as far as it is not more than this.
    Below(DagLimits),
}

type Storing = BoxFuture<'static, Result<Vec<Cid>, BlobError>>;

/// A graph that is being fetched. At no time are there more blocks asked for, waiting to be stored
/// or being stored than the window allows.
struct Dag<T> {
    engine: Arc<Engine>,
    session: Session,
    root: Cid,
    extent: Extent,
    tell: T,
    blocks: u64,
    bytes: u64,
    seen: HashSet<Cid>,
    /// What was not looked for yet, the next one last.
    pending: Vec<Cid>,
    /// What came and is not stored yet.
    fresh: VecDeque<Checked>,
    fresh_bytes: usize,
    storing: OptionFuture<Storing>,
    storing_blocks: usize,
}

impl<T: FnMut(u64, u64)> Dag<T> {
    async fn run(mut self) -> Result<u64, FetchError> {
        let fetched = self.fetch().await;
        if !matches!(fetched, Ok(_) | Err(FetchError::Store(_))) {
            self.keep().await?;
        }
        fetched.map(|()| self.bytes)
    }

    async fn fetch(&mut self) -> Result<(), FetchError> {
        loop {
            self.look_here().await?;
            self.store();
            let (open, storing) = (self.session.open() > 0, self.storing_blocks > 0);
            if !open && !storing {
                return Ok(());
            }
            tokio::select! {
                next = self.session.next(), if open => {
                    let next = next?;
                    let Block { cid, bytes } = next.block();
                    self.found(*cid, bytes)?;
                    self.fresh_bytes += bytes.len();
                    self.fresh.push_back(next);
                }
                Some(stored) = &mut self.storing, if storing => self.stored(stored).await?,
            }
        }
    }

    /// Stores what came before the fetch failed.
    async fn keep(&mut self) -> Result<(), FetchError> {
        loop {
            if self.storing_blocks == 0 {
                self.begin_to_store();
            }
            let Some(stored) = (&mut self.storing).await else { return Ok(()) };
            self.stored(stored).await?;
        }
    }

    async fn stored(&mut self, stored: Result<Vec<Cid>, BlobError>) -> Result<(), FetchError> {
        self.storing = None.into();
        self.storing_blocks = 0;
        self.engine.came(&stored?).await;
        Ok(())
    }

    /// Takes what is in the store already, and asks for the rest, as far as there is room.
    async fn look_here(&mut self) -> Result<(), FetchError> {
        while !self.pending.is_empty() {
            let window = self.engine.config.fetch_window.max(1);
            let held = self.session.open() + self.fresh.len() + self.storing_blocks;
            let room = window.saturating_sub(held);
            // Looked for and asked for some at once: each time costs a read and a message.
            if room < window.div_ceil(4).min(self.pending.len()) && held > 0 {
                return Ok(());
            }
            let mut cids = self.pending.split_off(self.pending.len().saturating_sub(room));
            cids.reverse();
            let found = self.engine.blobs.get_some(cids.clone(), STORE_BYTES).await?;
            let unread = cids.split_off(found.len().min(cids.len()));
            self.pending.extend(unread.into_iter().rev());
            for (cid, block) in cids.into_iter().zip(found) {
                match block {
                    Some(block) => self.found(cid, &block)?,
                    None => self.session.want(cid),
                }
            }
        }
        Ok(())
    }

    /// Counts a block and notes what it links to.
    fn found(&mut self, cid: Cid, block: &Bytes) -> Result<(), FetchError> {
        self.blocks += 1;
        self.bytes += block.len() as u64;
        (self.tell)(self.blocks, self.bytes);
        let Extent::Below(limits) = self.extent else { return Ok(()) };
        let links = links(cid, block)?;
        let pending = self.pending.len();
        for link in links {
            if self.seen.insert(link) {
                self.pending.push(link);
            }
        }
        // The first link is wanted first.
        self.pending[pending..].reverse();
        if self.bytes > limits.bytes || self.seen.len() > limits.blocks {
            return Err(FetchError::TooLarge {
                root: self.root,
                limit_blocks: limits.blocks,
                limit_bytes: limits.bytes,
            });
        }
        Ok(())
    }

    /// Begins to store what came, if enough did or nothing else does, and nothing is being stored.
    fn store(&mut self) {
        let half = (self.engine.config.fetch_window / 2).max(1);
        let enough =
            self.fresh_bytes >= STORE_BYTES || self.fresh.len() >= half || self.session.open() == 0;
        if self.storing_blocks == 0 && enough {
            self.begin_to_store();
        }
    }

    fn begin_to_store(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let blocks: Vec<_> = self.fresh.drain(..).collect();
        self.fresh_bytes = 0;
        self.storing_blocks = blocks.len();
        let cids = blocks.iter().map(|checked| checked.block().cid).collect();
        let put = self.engine.blobs.put_checked(blocks);
        self.storing = Some(async move { put.await.map(|()| cids) }.boxed()).into();
    }
}

/// What a block links to. A node of DAG-PB is read here and not as a file or directory: a graph is
/// fetched as a whole, whatever its nodes mean.
fn links(cid: Cid, block: &Bytes) -> Result<Vec<Cid>, FetchError> {
    if cid.codec() != Codec::DagPb {
        return Ok(objects::links(cid, block)?);
    }
    let malformed = |reason: &str| {
        FetchError::Content(objects::Error::Malformed { cid, reason: reason.into() })
    };
    let mut links = Vec::new();
    let mut fields = Fields(block.clone());
    while let Some((field, value)) = fields.next().map_err(malformed)? {
        if let (2, Value::Bytes(link)) = (field, value) {
            let mut link = Fields(link);
            while let Some((field, value)) = link.next().map_err(malformed)? {
                if let (1, Value::Bytes(name)) = (field, value) {
                    let name = Name::parse(&name).ok_or_else(|| malformed("a link is no CID"))?;
                    links.push(name.cid().ok_or_else(|| malformed("a link of an unknown kind"))?);
                }
            }
        }
    }
    Ok(links)
}
