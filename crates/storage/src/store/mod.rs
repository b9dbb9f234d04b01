//! Blobs on this machine's disk: append-only packs, and an index that the packs can rebuild.
//!
//! One thread writes. Puts that arrive together are written to the pack one after the other, synced
//! once, put into the index, and only then acknowledged. The index itself is made durable at
//! checkpoints; what it does not know after a crash is read again from the end of the packs. Pins
//! stand in the packs too. Another thread collects garbage and rewrites packs, and one scrubs.

mod age;
mod api;
mod care;
mod compact;
mod gc;
mod image;
mod index;
mod pack;
mod pin;
mod reader;
mod ready;
mod recent;
mod record;
mod recover;
mod scrub;
mod status;
mod walk;
mod writer;

pub use compact::{CompactOptions, CompactReport};
pub use gc::{GcOptions, GcReport};
pub use image::{PackImage, PackRecord};
pub use pin::{Label, Pin, PinKey, PinMode};
pub use scrub::{Progress, ScrubOptions, ScrubReport, ScrubState};
pub use status::StoreStatus;

use crate::{
    Config, Error,
    disk::{Disk, RealDisk},
    home::Home,
    lane::Lane,
};
use bytes::Bytes;
use care::{Asked, Caller, Stop, StopOnDrop};
use futures::future::try_join_all;
use index::Index;
use objects::{Checked, Cid};
use pack::{Packs, Proof};
use protocol::port::{Answer, BlobError, Blobs};
use reader::{Read, Several};
use ready::Ready;
use recent::Recent;
use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;
use writer::{Job, Put, Writer};

/// The format of the directory that is written here.
const FORMAT: u32 = 2;
/// Bytes that are checked where they are put. More of them are given to other threads.
const CHECK_BYTES: usize = 64 << 10;
/// Bytes of blobs for which another one of these threads is woken.
const CHECK_SHARE_BYTES: usize = 512 << 10;
/// How much less it takes to sum a blob up for its record than to check it first, at least.
const CHEAPER: usize = 8;
/// Calls that wait for collection, compaction or scrub.
const CARE_QUEUE: usize = 4;

/// Blobs by CID. A handle: clones share one store, which closes with the last of them; dropping
/// that one waits for the disk.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

/// Fields are dropped in this order: what goes on for long is told to stop, and the threads end
/// before the directory is given free.
#[derive(Debug)]
struct Inner {
    _stop: StopOnDrop,
    care: Lane<Asked>,
    scrub: Lane<Asked>,
    checks: Lane<Check>,
    writer: Lane<Job>,
    readers: Lane<Read>,
    shared: Arc<Shared>,
    _home: Option<Home>,
}

/// What all threads of a store share.
struct Shared {
    packs: Packs,
    index: Index,
    recent: Recent,
    config: Config,
    stop: Stop,
    /// Milliseconds since 1970.
    clock: Clock,
}

/// Says what time it is, in milliseconds since 1970.
type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("packs", &self.packs).finish_non_exhaustive()
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        (self.clock)()
    }
}

/// Makes a share of blobs ready, and answers.
type Check = Box<dyn FnOnce() + Send>;

/// Opens the store in `dir`, making it if it is missing. What a crash left behind is repaired: a
/// torn tail is cut off, and an index that is missing, damaged or behind is completed from the
/// packs. Blocks while it does.
///
/// # Errors
/// See [`Error`].
pub fn open(dir: impl AsRef<Path>, config: Config) -> Result<Store, Error> {
    let dir = dir.as_ref();
    config.check()?;
    let home = Home::open(dir, "store", FORMAT)?;
    let clock = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_millis() as u64)
    };
    open_on(Arc::new(RealDisk), dir, Some(home), config, Box::new(clock))
}

/// Opens a store on any disk, with any clock.
fn open_on(
    disk: Arc<dyn Disk>,
    dir: &Path,
    home: Option<Home>,
    config: Config,
    clock: Clock,
) -> Result<Store, Error> {
    let packs = Packs::open(disk.clone(), &dir.join("packs"), config.max_blob_bytes)?;
    let index = Index::open(disk, &dir.join("index.redb"), config.index_cache_bytes)?;
    let tail = recover::catch_up(&packs, &index)?;
    let (queue, readers, checkers) = (config.queue, config.readers, config.checkers);
    let (recent, stop) = (Recent::default(), Stop::default());
    let shared = Arc::new(Shared { packs, index, recent, config, stop, clock });

    let start = Error::io(dir);
    let reading = reader::Reader { shared: shared.clone() };
    let readers = Lane::pool("store-read", readers, queue, move |read| reading.answer(read));
    let readers = readers.map_err(&start)?;
    let checks = Lane::pool("store-check", checkers, queue, |check: Check| check());
    let checks = checks.map_err(&start)?;
    let writing = Writer::new(shared.clone(), tail);
    let writer = Lane::single("store-write", queue, |jobs| writing.run(jobs)).map_err(&start)?;
    let care = |name| {
        let (shared, caller) = (shared.clone(), Caller(writer.sender()));
        Lane::pool(name, 1, CARE_QUEUE, move |asked| care::serve(&shared, &caller, asked))
    };
    let (care, scrub) = (care("store-care").map_err(&start)?, care("store-scrub").map_err(&start)?);
    let _stop = StopOnDrop(shared.clone());
    Ok(Store(Arc::new(Inner { _stop, care, scrub, checks, writer, readers, shared, _home: home })))
}

impl Blobs for Store {
    fn put(&self, blobs: Vec<(Cid, Bytes)>) -> Answer<'static, Result<(), BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            inner.limit(blobs.iter().map(|(_, bytes)| bytes))?;
            let small = recent::small(blobs.iter().map(|(cid, bytes)| (cid, bytes)));
            let make = |(cid, bytes)| Ready::check(cid, bytes);
            let blobs = inner.ready(blobs, |(_, bytes)| bytes.len(), make).await?;
            inner.write(Put { blobs, small }).await
        })
    }

    fn put_checked(&self, blobs: Vec<Checked>) -> Answer<'static, Result<(), BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let blocks = || blobs.iter().map(Checked::block);
            inner.limit(blocks().map(|block| &block.bytes))?;
            let small = recent::small(blocks().map(|block| (&block.cid, &block.bytes)));
            let cost_bytes = |blob: &Checked| blob.block().bytes.len() / CHEAPER;
            let blobs = inner.ready(blobs, cost_bytes, |blob| Ok(Ready::of(blob))).await?;
            inner.write(Put { blobs, small }).await
        })
    }

    fn get(&self, cid: Cid) -> Answer<'static, Result<Option<Bytes>, BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            if let Some(found) = inner.shared.recent.get(&cid) {
                return Ok(Some(found));
            }
            inner.readers.ask(|reply| Read::Get(cid, reply)).await.unwrap_or_else(died)
        })
    }

    fn get_some(
        &self,
        cids: Vec<Cid>,
        limit_bytes: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>> {
        let inner = self.0.clone();
        let some = Several { cids, limit_bytes, proof: Proof::Name };
        Box::pin(async move { inner.read_some(some).await })
    }

    fn get_some_to_send(
        &self,
        cids: Vec<Cid>,
        limit_bytes: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>> {
        let inner = self.0.clone();
        let some = Several { cids, limit_bytes, proof: Proof::Checksum };
        Box::pin(async move { inner.read_some(some).await })
    }

    fn has(&self, cids: Vec<Cid>) -> Answer<'static, Result<Vec<bool>, BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            if cids.iter().all(|cid| inner.shared.recent.has(cid)) {
                return Ok(vec![true; cids.len()]);
            }
            inner.readers.ask(|reply| Read::Has(cids, reply)).await.unwrap_or_else(died)
        })
    }
}

impl Inner {
    /// Makes blobs ready, many of them on several threads. Each thread is given all of its share at
    /// once: waking one can take longer than checking a megabyte.
    async fn ready<B: Send + 'static>(
        &self,
        blobs: Vec<B>,
        cost_bytes: fn(&B) -> usize,
        make: fn(B) -> Result<Ready, BlobError>,
    ) -> Result<Vec<Ready>, BlobError> {
        let make_all = move |blobs: Vec<B>| blobs.into_iter().map(make).collect();
        let all_bytes: usize = blobs.iter().map(cost_bytes).sum();
        if all_bytes <= CHECK_BYTES {
            return make_all(blobs);
        }
        let checkers = (all_bytes / CHECK_SHARE_BYTES).clamp(1, self.shared.config.checkers);
        let shares = shares(blobs, all_bytes.div_ceil(checkers), cost_bytes);
        let checks = shares.into_iter().map(|share| async {
            // Whoever asked may have gone away.
            let check = |reply: oneshot::Sender<_>| -> Check {
                Box::new(move || drop(reply.send(make_all(share))))
            };
            self.checks.ask(check).await.unwrap_or_else(died)
        });
        Ok(try_join_all(checks).await?.into_iter().flatten().collect::<Vec<Ready>>())
    }

    /// Refuses blobs that are larger than the store takes.
    fn limit<'a>(&self, mut blobs: impl Iterator<Item = &'a Bytes>) -> Result<(), BlobError> {
        let limit_bytes = self.shared.config.max_blob_bytes;
        match blobs.find(|bytes| bytes.len() > limit_bytes) {
            Some(bytes) => Err(BlobError::TooLarge { size_bytes: bytes.len(), limit_bytes }),
            None => Ok(()),
        }
    }

    async fn write(&self, put: Put) -> Result<(), BlobError> {
        self.writer.ask(|reply| Job::Put(put, reply)).await.unwrap_or_else(died)
    }

    async fn read_some(&self, some: Several) -> Result<Vec<Option<Bytes>>, BlobError> {
        if let Some(found) = self.shared.recent.get_some(&some.cids, some.limit_bytes) {
            return Ok(found.into_iter().map(Some).collect());
        }
        self.readers.ask(|reply| Read::GetSome(some, reply)).await.unwrap_or_else(died)
    }
}

/// Parts blobs, in their order, into shares of at least so many bytes, but for the last.
fn shares<B>(blobs: Vec<B>, least_bytes: usize, cost_bytes: fn(&B) -> usize) -> Vec<Vec<B>> {
    let mut shares = Vec::new();
    let mut share_bytes = least_bytes;
    for blob in blobs {
        if share_bytes >= least_bytes {
            shares.push(Vec::new());
            share_bytes = 0;
        }
        share_bytes += cost_bytes(&blob);
        shares.last_mut().expect("the first one opens a share").push(blob);
    }
    shares
}

fn died<T>() -> Result<T, BlobError> {
    Err(BlobError::Io("a thread of the store died; restart the node".into()))
}

#[cfg(test)]
mod tests;
