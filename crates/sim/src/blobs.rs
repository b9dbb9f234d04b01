//! Blobs in memory.

use bytes::Bytes;
use futures::{FutureExt, future};
use objects::{Block, Cid, Codec};
use protocol::{
    limits,
    port::{Answer, BlobError, Blobs},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Something to keep: other bytes for every number.
pub fn blob(number: usize) -> (Cid, Bytes) {
    let block = Block::of(Codec::Raw, format!("blob {number} {}", "x".repeat(number * 37)));
    (block.cid, block.bytes)
}

/// A store that keeps everything in memory. Clones share what is in it, as if it was opened again.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<Cid, Bytes>,
    damaged: BTreeSet<Cid>,
    is_full: bool,
}

impl MemoryBlobs {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next reader of the blob finds it damaged.
    pub fn damage(&self, cid: Cid) {
        self.state().damaged.insert(cid);
    }

    /// Whether the disk is full from now on.
    pub fn set_full(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    /// How many blobs there are.
    pub fn count(&self) -> usize {
        self.state().blobs.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is half done between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, blobs: Vec<(Cid, Bytes)>) -> Result<(), BlobError> {
        for (cid, bytes) in &blobs {
            let (size_bytes, limit_bytes) = (bytes.len(), limits::BLOB_BYTES);
            if size_bytes > limit_bytes {
                return Err(BlobError::TooLarge { size_bytes, limit_bytes });
            }
            cid.check(bytes).map_err(|_| BlobError::Mismatch(*cid))?;
        }
        let is_new = blobs.iter().any(|(cid, _)| !self.blobs.contains_key(cid));
        if is_new && self.is_full {
            return Err(BlobError::Full { free_bytes: 0, reserve_bytes: 0 });
        }
        self.blobs.extend(blobs);
        Ok(())
    }

    fn get(&mut self, cid: Cid) -> Result<Option<Bytes>, BlobError> {
        if self.damaged.remove(&cid) && self.blobs.remove(&cid).is_some() {
            return Err(BlobError::Corrupt(cid));
        }
        Ok(self.blobs.get(&cid).cloned())
    }

    fn get_some(
        &mut self,
        cids: &[Cid],
        limit_bytes: usize,
    ) -> Result<Vec<Option<Bytes>>, BlobError> {
        let (mut found, mut size_bytes) = (Vec::new(), 0);
        for cid in cids {
            let blob = match self.get(*cid) {
                Err(BlobError::Corrupt(_)) => None,
                read => read?,
            };
            size_bytes += blob.as_ref().map_or(0, Bytes::len);
            if size_bytes > limit_bytes && !found.is_empty() {
                break;
            }
            found.push(blob);
        }
        Ok(found)
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, blobs: Vec<(Cid, Bytes)>) -> Answer<'static, Result<(), BlobError>> {
        let store = self.clone();
        // As with a disk, nothing happens before the answer is asked for.
        future::lazy(move |_| store.state().put(blobs)).boxed()
    }

    fn get(&self, cid: Cid) -> Answer<'static, Result<Option<Bytes>, BlobError>> {
        let store = self.clone();
        future::lazy(move |_| store.state().get(cid)).boxed()
    }

    fn get_some(
        &self,
        cids: Vec<Cid>,
        limit_bytes: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>> {
        let store = self.clone();
        future::lazy(move |_| store.state().get_some(&cids, limit_bytes)).boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Answer<'static, Result<Vec<bool>, BlobError>> {
        let store = self.clone();
        future::lazy(move |_| {
            let state = store.state();
            Ok(cids.iter().map(|cid| state.blobs.contains_key(cid)).collect())
        })
        .boxed()
    }
}
