//! Blobs on this machine's disk: append-only packs, and an index that the packs can rebuild.
//!
//! One thread writes. Puts that arrive together are written to the pack one after the other, synced
//! once, put into the index, and only then acknowledged. The index itself is made durable at
//! checkpoints; what it does not know after a crash is read again from the end of the packs.

mod index;
mod pack;
mod reader;
mod recent;
mod recover;
mod writer;

use crate::{Config, Error, home::Home, lane::Lane};
use bytes::Bytes;
use index::Index;
use objects::Cid;
use pack::Packs;
use protocol::port::{Answer, BlobError, Blobs};
use reader::Read;
use recent::Recent;
use std::{path::Path, sync::Arc};
use writer::{Put, Writer};

/// The format of the directory that is written here.
const FORMAT: u32 = 1;

/// Blobs by CID. A handle: clones share one store, which closes with the last of them; dropping
/// that one waits for the disk.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

/// Fields are dropped in this order: the threads end before the directory is given free.
#[derive(Debug)]
struct Inner {
    writer: Lane<Put>,
    readers: Lane<Read>,
    recent: Recent,
    max_blob_bytes: usize,
    _home: Home,
}

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
    let packs = Arc::new(Packs::open(&home.dir.join("packs"), config.max_blob_bytes)?);
    let index = Arc::new(Index::open(&home.dir.join("index.redb"), config.index_cache_bytes)?);
    let tail = recover::catch_up(&packs, &index)?;

    let max_blob_bytes = config.max_blob_bytes;
    let reading = reader::Reader { packs: packs.clone(), index: index.clone() };
    let start = Error::io(dir);
    let readers = Lane::pool("store-read", config.readers, config.queue, move |read| {
        reading.answer(read);
    })
    .map_err(&start)?;
    let queue = config.queue;
    let writing = Writer::new(packs, index, tail, config);
    let writer = Lane::single("store-write", queue, |puts| writing.run(puts)).map_err(&start)?;
    let recent = Recent::default();
    Ok(Store(Arc::new(Inner { writer, readers, recent, max_blob_bytes, _home: home })))
}

impl Blobs for Store {
    fn put(&self, blobs: Vec<(Cid, Bytes)>) -> Answer<'static, Result<(), BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let limit_bytes = inner.max_blob_bytes;
            if let Some((_, bytes)) = blobs.iter().find(|(_, bytes)| bytes.len() > limit_bytes) {
                return Err(BlobError::TooLarge { size_bytes: bytes.len(), limit_bytes });
            }
            let small = recent::small(&blobs);
            inner.writer.ask(|reply| Put { blobs, reply }).await.unwrap_or_else(died)?;
            inner.recent.keep(small);
            Ok(())
        })
    }

    fn get(&self, cid: Cid) -> Answer<'static, Result<Option<Bytes>, BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            if let Some(found) = inner.recent.get(&cid) {
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
        Box::pin(async move {
            if let Some(found) = inner.recent.get_some(&cids, limit_bytes) {
                return Ok(found.into_iter().map(Some).collect());
            }
            let ask = |reply| Read::GetSome(cids, limit_bytes, reply);
            inner.readers.ask(ask).await.unwrap_or_else(died)
        })
    }

    fn has(&self, cids: Vec<Cid>) -> Answer<'static, Result<Vec<bool>, BlobError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            if cids.iter().all(|cid| inner.recent.has(cid)) {
                return Ok(vec![true; cids.len()]);
            }
            inner.readers.ask(|reply| Read::Has(cids, reply)).await.unwrap_or_else(died)
        })
    }
}

fn died<T>() -> Result<T, BlobError> {
    Err(BlobError::Io("a thread of the store died; restart the node".into()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
