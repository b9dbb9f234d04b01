//! Shards that are needed only for a moment: fetched, checked, decoded with, and forgotten.

use crate::lock::lock;
use bytes::Bytes;
use futures::{FutureExt, future};
use objects::Cid;
use protocol::port::{Answer, BlobError, Blobs};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// Blobs in memory, for as long as somebody leases them. What nobody leases is not kept, so memory
/// is bounded by the leases. It is behind a fetcher of its own, which checks what it stores.
#[derive(Clone, Default)]
pub(super) struct Scratch(Arc<Mutex<HashMap<Cid, Slot>>>);

#[derive(Default)]
struct Slot {
    leases: usize,
    bytes: Option<Bytes>,
}

/// The right to keep some blobs.
pub(super) struct Lease {
    scratch: Scratch,
    cids: Vec<Cid>,
}

impl Scratch {
    pub(super) fn lease(&self, cids: Vec<Cid>) -> Lease {
        let mut slots = lock(&self.0);
        for cid in &cids {
            slots.entry(*cid).or_default().leases += 1;
        }
        drop(slots);
        Lease { scratch: self.clone(), cids }
    }

    fn read(&self, cid: &Cid) -> Option<Bytes> {
        lock(&self.0).get(cid).and_then(|slot| slot.bytes.clone())
    }
}

impl Lease {
    /// A blob, if it came.
    pub(super) fn get(&self, cid: &Cid) -> Option<Bytes> {
        self.scratch.read(cid)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut slots = lock(&self.scratch.0);
        for cid in &self.cids {
            if let Some(slot) = slots.get_mut(cid) {
                slot.leases -= 1;
                if slot.leases == 0 {
                    slots.remove(cid);
                }
            }
        }
    }
}

impl Blobs for Scratch {
    fn put(&self, blobs: Vec<(Cid, Bytes)>) -> Answer<'static, Result<(), BlobError>> {
        let scratch = self.clone();
        future::lazy(move |_| {
            let mut slots = lock(&scratch.0);
            for (cid, bytes) in blobs {
                if let Some(slot) = slots.get_mut(&cid) {
                    slot.bytes = Some(bytes);
                }
            }
            Ok(())
        })
        .boxed()
    }

    fn get(&self, cid: Cid) -> Answer<'static, Result<Option<Bytes>, BlobError>> {
        future::ready(Ok(self.read(&cid))).boxed()
    }

    fn get_some(
        &self,
        cids: Vec<Cid>,
        limit_bytes: usize,
    ) -> Answer<'static, Result<Vec<Option<Bytes>>, BlobError>> {
        let (mut found, mut size_bytes) = (Vec::new(), 0_usize);
        for cid in &cids {
            let blob = self.read(cid);
            size_bytes = size_bytes.saturating_add(blob.as_ref().map_or(0, Bytes::len));
            if size_bytes > limit_bytes && !found.is_empty() {
                break;
            }
            found.push(blob);
        }
        future::ready(Ok(found)).boxed()
    }

    fn has(&self, cids: Vec<Cid>) -> Answer<'static, Result<Vec<bool>, BlobError>> {
        let has = cids.iter().map(|cid| self.read(cid).is_some()).collect();
        future::ready(Ok(has)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Block, Codec};

    #[tokio::test]
    async fn blobs_are_kept_as_long_as_they_are_leased() {
        let scratch = Scratch::default();
        let [a, b] = [b"a", b"b"].map(|bytes| Block::of(Codec::Raw, bytes.as_slice()));
        let (first, second) = (scratch.lease(vec![a.cid]), scratch.lease(vec![a.cid]));
        let blobs = vec![(a.cid, a.bytes.clone()), (b.cid, b.bytes)];
        scratch.put(blobs).await.expect("memory takes it");
        assert_eq!(scratch.has(vec![a.cid, b.cid]).await, Ok(vec![true, false]));
        drop(first);
        assert_eq!(second.get(&a.cid), Some(a.bytes));
        drop(second);
        assert!(lock(&scratch.0).is_empty());
    }
}
