//! Pinning: everything below a root is here, then the pin is written.

use super::Care;
use bytes::Bytes;
use objects::{Cid, Codec, links};
use protocol::port::{BlobError, Blobs};
use std::collections::HashSet;
use storage::{Pin, PinMode, exchange::FetchError};

/// Blocks that are looked for together.
const TOGETHER: usize = 256;
/// Blocks of one pin, at most: for each its name is in memory while it is looked for.
const BLOCKS: usize = 100_000_000;

/// Why something is not pinned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Gone {
    /// Some of it is not to be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A block that is not what its links say.
    #[error(transparent)]
    Object(#[from] objects::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// It is too large.
    #[error("{0} has more than {BLOCKS} blocks below it")]
    TooLarge(Cid),
}

impl From<BlobError> for Gone {
    fn from(error: BlobError) -> Self {
        Self::Store(error.into())
    }
}

impl Care {
    /// Fetches what is missing, pins, and answers how many blocks and bytes are kept. `tell` hears how
    /// far it is. Everything that is found counts as put now, so nothing of it is collected meanwhile.
    pub(crate) async fn pin(
        &self,
        pin: Pin,
        mut tell: impl FnMut(u64, u64),
    ) -> Result<(u64, u64), Gone> {
        let mut walk = Walk { care: self, seen: HashSet::from([pin.root]), blocks: 0, bytes: 0 };
        let mut open = vec![pin.root];
        while !open.is_empty() {
            let some = open.split_off(open.len().saturating_sub(TOGETHER));
            let below = walk.look(&some).await?;
            if pin.mode == PinMode::Direct {
                break;
            }
            for cid in below {
                if walk.seen.insert(cid) {
                    open.push(cid);
                }
            }
            if walk.seen.len() > BLOCKS {
                return Err(Gone::TooLarge(pin.root));
            }
            tell(walk.blocks, walk.bytes);
        }
        let kept = (walk.blocks, walk.bytes);
        let root = pin.root;
        self.home.store.pin(pin).await?;
        if let Some(ipfs) = &self.ipfs {
            ipfs.announce(root).await;
        }
        Ok(kept)
    }
}

struct Walk<'a> {
    care: &'a Care,
    seen: HashSet<Cid>,
    blocks: u64,
    bytes: u64,
}

impl Walk<'_> {
    /// Makes sure that blocks are here, and answers what they link to.
    async fn look(&mut self, cids: &[Cid]) -> Result<Vec<Cid>, Gone> {
        let store = &self.care.home.store;
        let here = store.touch(cids.to_vec()).await?;
        let missing: Vec<_> =
            cids.iter().zip(here).filter(|(_, here)| !here).map(|(cid, _)| *cid).collect();
        if !missing.is_empty() {
            self.care.blocks(&missing).await?;
        }
        // Plain bytes have no links: they need not be read.
        for bytes in store.sizes(cids.to_vec()).await? {
            self.blocks += 1;
            self.bytes += bytes.unwrap_or_default();
        }
        let inner: Vec<_> = cids.iter().filter(|cid| cid.codec() != Codec::Raw).copied().collect();
        let mut below = Vec::new();
        for cid in inner {
            below.extend(links(cid, &self.read(cid).await?)?);
        }
        Ok(below)
    }

    async fn read(&self, cid: Cid) -> Result<Bytes, Gone> {
        match self.care.home.store.get(cid).await {
            Ok(Some(bytes)) => Ok(bytes),
            // Damaged, or given up in this moment.
            Ok(None) | Err(BlobError::Corrupt(_)) => Ok(self.care.block(cid).await?),
            Err(error) => Err(error.into()),
        }
    }
}
