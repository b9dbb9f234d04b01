//! Fetching everything below a root.

use super::{FetchError, Fetcher, session::Session};
use identity::PublicKey;
use objects::{Cid, Codec, Node};
use std::collections::HashSet;

/// How much may be below one root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DagLimits {
    /// Different blocks.
    pub blocks: usize,
    /// Bytes of these blocks.
    pub bytes: u64,
}

impl Fetcher {
    /// Makes sure that a file, or a directory with everything in it, is in the store, and answers
    /// the bytes of its blocks. A DAG-CBOR value is fetched without what it links to.
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
        let mut session = Session::new(self.inner.clone(), from);
        let too_large =
            FetchError::TooLarge { root, limit_blocks: limits.blocks, limit_bytes: limits.bytes };
        let mut seen = HashSet::from([root]);
        let mut pending = vec![root];
        let mut bytes = 0;
        while !pending.is_empty() {
            let next = pending.len().saturating_sub(self.inner.config.fetch_window);
            let wants = pending.split_off(next);
            for (cid, block) in session.load(&wants).await? {
                bytes += block.len() as u64;
                if bytes > limits.bytes {
                    return Err(too_large);
                }
                for link in links(cid, block)? {
                    if seen.insert(link) {
                        pending.push(link);
                    }
                }
                if seen.len() > limits.blocks {
                    return Err(too_large);
                }
            }
        }
        Ok(bytes)
    }
}

/// What a block leads to; a DAG-CBOR value stands for itself.
fn links(cid: Cid, block: bytes::Bytes) -> Result<Vec<Cid>, FetchError> {
    if cid.codec() != Codec::DagPb {
        return Ok(Vec::new());
    }
    Ok(match Node::parse(cid, block)? {
        Node::Raw(_) => Vec::new(),
        Node::File(file) => file.links.into_iter().map(|link| link.cid).collect(),
        Node::Directory(entries) => entries.into_iter().map(|entry| entry.cid).collect(),
        Node::Shard(shard) => shard.slots.into_iter().map(|slot| slot.cid).collect(),
        Node::Symlink(_) => Vec::new(),
    })
}
