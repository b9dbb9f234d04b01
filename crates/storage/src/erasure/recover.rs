//! Reading what is protected: whatever is missing here is fetched, and decoded only on loss.

use super::{
    Error,
    gather::{Gathering, Want, batches},
    keeper::{Inner, Keeper},
    pages::{Pages, shards},
};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use identity::PublicKey;
use objects::Cid;
use protocol::{Groups, durability::Placement};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The whole object.
    All,
    /// One block of it.
    Block(Cid),
}

/// What was done for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Blocks that were fetched as they are.
    pub fetched: u64,
    /// Blocks that were lost, and made again of other shards.
    pub decoded: u64,
    /// Bytes of both.
    pub bytes: u64,
}

impl Keeper {
    /// Makes sure that blocks of a protected object are in this store: they are fetched from their
    /// holders and from the nodes in `also`, and those that nobody has any more are decoded. Every
    /// one is checked against its CID. The manifest must be known: see [`Self::find`].
    ///
    /// # Errors
    /// [`Error::TooFew`] with who is missing, [`Error::Unknown`] if the object is not known or does
    /// not have the block, [`Error::Store`].
    pub async fn recover(
        &self,
        manifest: Cid,
        wanted: Wanted,
        also: &[PublicKey],
    ) -> Result<Recovered, Error> {
        let inner = &*self.inner;
        let (record, placement) = inner.placed(&manifest)?;
        let gathering = Gathering::new(inner, &placement.payload);
        let mut sources = also.to_vec();
        sources.extend(&placement.payload.slots);
        let mut pages = Pages::new(&record.manifest.payload);
        let (mut done, mut is_found) = (Recovered::default(), false);
        while let Some((_, page)) = pages.wanted() {
            let bytes = inner.parts.fetcher.fetch(page, &sources).await?;
            let page = pages.give(&bytes)?;
            let lost = inner.fetch_page(&gathering, &page, wanted, also, &mut done).await?;
            is_found |= lost.is_some();
            inner.decode_all(&gathering, lost.unwrap_or_default(), &mut done).await?;
            if let (Wanted::Block(_), true) = (wanted, is_found) {
                break;
            }
        }
        if is_found { Ok(done) } else { Err(Error::Unknown(manifest)) }
    }
}

impl Inner {
    /// Fetches the data shards of a page that are missing, and answers those that nobody gave;
    /// `None` if what is wanted is not in this page.
    async fn fetch_page(
        &self,
        gathering: &Gathering<'_>,
        page: &Groups,
        wanted: Wanted,
        also: &[PublicKey],
        done: &mut Recovered,
    ) -> Result<Option<Vec<Want>>, Error> {
        let Placement { slots, .. } = gathering.placement;
        let is_wanted = |cid: Cid| matches!(wanted, Wanted::All) || wanted == Wanted::Block(cid);
        let data: Vec<_> = shards(page, slots.len())
            .filter(|(_, group, place, shard, _)| *place < group.data.len() && is_wanted(shard.cid))
            .collect();
        if data.is_empty() {
            return Ok(None);
        }
        let cids: Vec<Cid> = data.iter().map(|(.., shard, _)| shard.cid).collect();
        let before = self.parts.blobs.has(cids.clone()).await?;
        // Whoever is away costs a wait for every block: decoding asks them too, if it takes that.
        let connected: BTreeSet<PublicKey> = self.parts.streams.peers().into_iter().collect();
        let mut orders: BTreeMap<PublicKey, Vec<Cid>> = BTreeMap::new();
        for ((.., shard, slot), is_here) in data.iter().zip(&before) {
            if !is_here && connected.contains(&slots[*slot]) {
                orders.entry(slots[*slot]).or_default().push(shard.cid);
            }
        }
        let fetches =
            orders.iter().map(|(node, cids)| gathering.fetch(&self.parts.fetcher, *node, cids));
        try_join_all(fetches).await?;
        let mut after = self.parts.blobs.has(cids.clone()).await?;
        for node in also {
            let missing = cids.iter().zip(&after).filter(|(_, is_here)| !**is_here);
            let missing: Vec<Cid> = missing.map(|(cid, _)| *cid).collect();
            if !missing.is_empty() {
                gathering.fetch(&self.parts.fetcher, *node, &missing).await?;
                after = self.parts.blobs.has(cids.clone()).await?;
            }
        }
        let mut lost: BTreeMap<u64, Want> = BTreeMap::new();
        for ((number, group, place, shard, _), (was, is)) in
            data.into_iter().zip(before.into_iter().zip(after))
        {
            if is && !was {
                done.fetched += 1;
                done.bytes += u64::from(shard.bytes);
            } else if !is {
                let new = || Want { number, group: group.clone(), places: Vec::new() };
                lost.entry(number).or_insert_with(new).places.push(place);
            }
        }
        Ok(Some(lost.into_values().collect()))
    }

    /// Decodes lost shards into the store.
    async fn decode_all(
        &self,
        gathering: &Gathering<'_>,
        lost: Vec<Want>,
        done: &mut Recovered,
    ) -> Result<(), Error> {
        let config = &self.parts.config;
        let made = stream::iter(batches(lost, config.batch_bytes))
            .map(|batch| gathering.restore(batch))
            .buffer_unordered(config.batches_at_once.max(1));
        let mut made = std::pin::pin!(made);
        while let Some((blocks, bytes)) = made.try_next().await? {
            done.decoded += blocks;
            done.bytes += bytes;
        }
        Ok(())
    }
}
