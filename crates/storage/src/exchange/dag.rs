//! Fetching everything below a root.

use super::{FetchError, Fetcher, session::Session};
use identity::PublicKey;
use objects::{Cid, links};
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
    /// Makes sure that a root and everything that it links to, at any depth, is in the store, and
    /// answers the bytes of these blocks.
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
                for link in links(cid, &block)? {
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
