//! The blocks of an object in the order in which they are grouped.

use super::Error;
use crate::exchange::DagLimits;
use bytes::Bytes;
use objects::{Block, Cid, Codec};
use protocol::port::Blobs;
use std::{collections::HashSet, sync::Arc};

/// Blocks below a root in this node's store: depth first, a node before what it links to, links in
/// their order, each block once. Holds the names of what it has seen, and of what is next on the
/// way down.
pub(super) struct Walk {
    blobs: Arc<dyn Blobs>,
    root: Cid,
    limits: DagLimits,
    seen: HashSet<Cid>,
    /// The next one last.
    pending: Vec<Cid>,
    bytes: u64,
}

impl Walk {
    pub(super) fn new(blobs: Arc<dyn Blobs>, root: Cid, limits: DagLimits) -> Self {
        let (seen, pending) = (HashSet::from([root]), vec![root]);
        Self { blobs, root, limits, seen, pending, bytes: 0 }
    }

    /// Different blocks so far.
    pub(super) fn blocks(&self) -> u64 {
        (self.seen.len() - self.pending.len()) as u64
    }

    /// Bytes of these blocks.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next blocks, as many as asked for unless the object ends.
    pub(super) async fn next(&mut self, count: usize) -> Result<Vec<Block>, Error> {
        let mut blocks: Vec<Block> = Vec::with_capacity(count);
        while blocks.len() < count && !self.pending.is_empty() {
            // Whatever has no links can be read together with what comes after it.
            let left = count - blocks.len();
            let leaves = self.pending.iter().rev().take_while(|cid| cid.codec() != Codec::DagPb);
            let together = leaves.take(left).count().max(1);
            let mut cids = self.pending.split_off(self.pending.len() - together);
            cids.reverse();
            for (cid, bytes) in cids.iter().zip(read_all(&*self.blobs, &cids).await?) {
                let bytes = bytes.ok_or(Error::Missing(*cid))?;
                self.step(*cid, &bytes)?;
                blocks.push(Block { cid: *cid, bytes });
            }
        }
        Ok(blocks)
    }

    fn step(&mut self, cid: Cid, bytes: &Bytes) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        let mut below: Vec<Cid> = objects::links(cid, bytes)?;
        // The last mention of a block among those that are next would be its first on the way.
        below.retain(|link| self.seen.insert(*link));
        self.pending.extend(below.into_iter().rev());
        let DagLimits { blocks, bytes } = self.limits;
        if self.seen.len() > blocks || self.bytes > bytes {
            let (limit_blocks, limit_bytes) = (blocks, bytes);
            return Err(Error::TooLarge { root: self.root, limit_blocks, limit_bytes });
        }
        Ok(())
    }
}

/// All of these blobs; nothing for those that are not here or are damaged.
pub(super) async fn read_all(blobs: &dyn Blobs, cids: &[Cid]) -> Result<Vec<Option<Bytes>>, Error> {
    let mut found = Vec::with_capacity(cids.len());
    while found.len() < cids.len() {
        let some = blobs.get_some(cids[found.len()..].to_vec(), usize::MAX).await?;
        if some.is_empty() {
            break;
        }
        found.extend(some);
    }
    found.resize(cids.len(), None);
    Ok(found)
}
