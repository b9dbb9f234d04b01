//! Pinning: everything below a root is here, then the pin is written.

use super::{
    Care,
    fetch::{BLOCKS, Wish},
};
use bytes::Bytes;
use identity::PublicKey;
use objects::{Cid, Codec, links};
use protocol::port::{BlobError, Blobs};
use std::collections::HashSet;
use storage::{Pin, PinMode, exchange::FetchError};

/// Blocks that are looked for together.
const TOGETHER: usize = 256;

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
    /// Fetches what is missing, pins, and answers how many blocks and bytes are kept. `first` are
    /// asked before all others; `tell` hears how far it is.
    pub(crate) async fn pin(
        &self,
        pin: Pin,
        first: &[PublicKey],
        tell: impl FnMut(u64, u64) + Send,
    ) -> Result<(u64, u64), Gone> {
        let root = pin.root;
        let wish = Wish { below: pin.mode == PinMode::Recursive, first };
        let kept = self.fetch(root, wish, tell).await?;
        self.home.store.pin(pin).await?;
        if let Some(ipfs) = &self.ipfs {
            ipfs.announce(root).await;
        }
        Ok(kept)
    }

    /// Fetches what is missing, and answers how many blocks and bytes are here then. Everything that
    /// is found counts as put now, so nothing of it is collected meanwhile.
    pub(crate) async fn fetch(
        &self,
        root: Cid,
        wish: Wish<'_>,
        mut tell: impl FnMut(u64, u64) + Send,
    ) -> Result<(u64, u64), Gone> {
        let seen = HashSet::from([root]);
        let mut walk = Walk { care: self, wish, seen, blocks: 0, bytes: 0 };
        let mut open = vec![root];
        while !open.is_empty() {
            let some = open.split_off(open.len().saturating_sub(TOGETHER));
            let below = walk.look(&some, &mut tell).await?;
            if !wish.below {
                break;
            }
            for cid in below {
                if walk.seen.insert(cid) {
                    open.push(cid);
                }
            }
            if walk.seen.len() > BLOCKS {
                return Err(Gone::TooLarge(root));
            }
            tell(walk.blocks, walk.bytes);
        }
        Ok((walk.blocks, walk.bytes))
    }
}

struct Walk<'a> {
    care: &'a Care,
    wish: Wish<'a>,
    seen: HashSet<Cid>,
    blocks: u64,
    bytes: u64,
}

impl Walk<'_> {
    /// Makes sure that blocks are here, and answers what they link to.
    async fn look(
        &mut self,
        cids: &[Cid],
        mut tell: impl FnMut(u64, u64) + Send,
    ) -> Result<Vec<Cid>, Gone> {
        let store = &self.care.home.store;
        let here = store.touch(cids.to_vec()).await?;
        let missing: Vec<_> =
            cids.iter().zip(here).filter(|(_, here)| !here).map(|(cid, _)| *cid).collect();
        if !missing.is_empty() {
            let (blocks, bytes) = (self.blocks, self.bytes);
            let told = |more, of_bytes| tell(blocks + more, bytes + of_bytes);
            self.care.blocks(&missing, self.wish, told).await?;
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
