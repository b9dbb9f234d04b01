//! Fetching many blocks: from peers of IPFS that were named, from members, from peers of IPFS that
//! are known, and at last block by block, from whoever has it.

use super::Care;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use identity::PublicKey;
use objects::Cid;
use protocol::port::Blobs;
use storage::{
    bitswap::Extent,
    exchange::{DagLimits, FetchError, Refusal},
};

/// Blocks that are looked for at once when nobody has them all.
const SINGLE: usize = 16;
/// Blocks that are fetched before somebody waits for them.
const AHEAD: usize = 16;
/// Blocks below one root, at most: for each its name is in memory while it is looked for.
pub(super) const BLOCKS: usize = 100_000_000;

/// How something is fetched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish<'a> {
    /// Whether what is below it is wanted too.
    pub(crate) below: bool,
    /// Peers of IPFS that are asked before all others.
    pub(crate) first: &'a [PublicKey],
}

/// What came of asking.
type Said = Vec<(PublicKey, Refusal)>;

impl Wish<'_> {
    fn extent(self) -> Extent {
        let limits = DagLimits { blocks: BLOCKS, bytes: u64::MAX };
        if self.below { Extent::Below(limits) } else { Extent::Alone }
    }
}

impl Care {
    /// Makes sure that blocks are in the store. Where peers of IPFS have them, what is below may
    /// come at once. `tell` hears how much did.
    pub(super) async fn blocks(
        &self,
        cids: &[Cid],
        wish: Wish<'_>,
        mut tell: impl FnMut(u64, u64) + Send,
    ) -> Result<(), FetchError> {
        match self.together(cids, wish, &mut tell).await? {
            Ok(()) => Ok(()),
            Err(said) => self.one_by_one(cids, said).await,
        }
    }

    /// Asks everybody for all of them; if nobody has all, what was said.
    async fn together(
        &self,
        cids: &[Cid],
        wish: Wish<'_>,
        mut tell: impl FnMut(u64, u64) + Send,
    ) -> Result<Result<(), Said>, FetchError> {
        let mut said = Said::new();
        if let (Some(ipfs), [_, ..]) = (&self.ipfs, wish.first) {
            let named = ipfs.bitswap.fetch_all(cids, wish.first, wish.extent(), &mut tell).await;
            if is_found(named.map(drop), &mut said)? {
                return Ok(Ok(()));
            }
        }
        let members = self.home.fetcher.fetch_all(cids, &self.peers()).await;
        if is_found(members, &mut said)? {
            return Ok(Ok(()));
        }
        if let Some(ipfs) = &self.ipfs {
            let known = ipfs.fetch_all(cids, wish.extent(), &mut tell).await;
            if is_found(known, &mut said)? {
                return Ok(Ok(()));
            }
        }
        Ok(Err(said))
    }

    /// The same without anybody who has all of it: some may be here, some there, and some is to be
    /// made again.
    async fn one_by_one(&self, cids: &[Cid], said: Said) -> Result<(), FetchError> {
        if let [cid] = *cids {
            // It may be something below it that nobody had.
            let is_here = self.home.store.has(vec![cid]).await? == [true];
            let found = is_here || self.recovered(cid, &self.peers()).await?.is_some();
            return if found { Ok(()) } else { Err(FetchError::NotFound { cid, tried: said }) };
        }
        let single = |cid: Cid| {
            let care = self.clone();
            async move {
                match care.home.store.has(vec![cid]).await?[..] {
                    [true] => Ok(()),
                    _ => care.block(cid).await.map(drop),
                }
            }
            .boxed()
        };
        let each: Vec<_> = cids.iter().map(|cid| single(*cid)).collect();
        stream::iter(each).buffer_unordered(SINGLE).try_collect().await
    }

    /// The first of some blocks, of which somebody will want the others next: some of these are
    /// fetched together with it.
    pub(crate) async fn first_of(&self, cids: &[Cid]) -> Result<Bytes, FetchError> {
        if cids.len() > 1 {
            let some = &cids[..cids.len().min(AHEAD)];
            // Whatever came of it, the first one is asked for below.
            let _all = self.together(some, Wish::default(), |_, _| {}).await?;
        }
        self.block(cids[0]).await
    }
}

/// False if somebody who was asked had not everything; `said` then holds what was said, too.
fn is_found(fetched: Result<(), FetchError>, said: &mut Said) -> Result<bool, FetchError> {
    match fetched {
        Ok(()) => Ok(true),
        Err(FetchError::NotFound { tried, .. }) => {
            said.retain(|(peer, _)| tried.iter().all(|(other, _)| other != peer));
            said.extend(tried);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
