//! Taking in what a placement gives to this node.

use super::{
    Error, Lend,
    book::{self, Record},
    gather::{Gathering, Want, batches},
    keeper::Inner,
    pages::{Pages, pages_bytes, shards, slot_bytes},
    wire,
};
use crate::exchange::FetchError;
use futures::{StreamExt, TryStreamExt, stream};
use identity::{PublicKey, Signed};
use objects::{Block, Cid};
use protocol::{
    Groups, Manifest, Time,
    durability::{KeepReply, NotKept, Placement},
    port::Stream,
};
use std::{collections::BTreeMap, sync::Arc};

/// Shards that are asked for at once.
const CHUNK: usize = 16;

/// Who asks this node to keep something.
pub(super) struct Asker<'a> {
    pub(super) node: PublicKey,
    /// Who may; for this node itself there is neither a question nor a limit.
    pub(super) lend: Option<&'a dyn Lend>,
    /// Who may have the same shards.
    pub(super) from: Vec<PublicKey>,
    /// Bytes per second, at most.
    pub(super) pace: Option<u64>,
    /// Where progress is told.
    pub(super) stream: Option<&'a mut Stream>,
}

/// Bytes that are done: tells of them, and waits when they are too many for the pace.
struct Meter<'a> {
    inner: &'a Inner,
    stream: Option<&'a mut Stream>,
    pace: Option<u64>,
    start: Time,
    told: u64,
    /// Bytes that are here.
    have: u64,
    /// Bytes that had to be moved for it.
    moved: u64,
    of: u64,
}

impl Meter<'_> {
    async fn add(&mut self, have: u64, moved: u64) -> Result<(), Error> {
        self.have += have;
        self.moved += moved;
        let clock = &*self.inner.parts.clock;
        if self.have > self.told
            && let Some(stream) = &mut self.stream
        {
            self.told = self.have;
            let under = KeepReply::Under { bytes: self.have, of: self.of };
            let limit_ms = self.inner.parts.config.request_ms;
            wire::send(clock, limit_ms, stream, &under).await.map_err(|error| {
                let reason = format!("whoever asked is gone: {error}");
                protocol::port::BlobError::Io(reason)
            })?;
        }
        if let Some(pace) = self.pace.filter(|pace| *pace > 0) {
            let due = self.start.after_ms(self.moved.saturating_mul(1000) / pace);
            if due > clock.now() {
                clock.until(due).await;
            }
        }
        Ok(())
    }
}

impl Inner {
    /// Gets and keeps the shards of all slots that a placement gives to this node; answers their
    /// bytes when they are durable.
    pub(super) async fn hold(
        &self,
        placement: Signed<Placement>,
        asker: Asker<'_>,
    ) -> Result<u64, NotKept> {
        let cid = placement.payload.manifest;
        let mut sources = vec![asker.node];
        sources.extend(&asker.from);
        let mut all = sources.clone();
        all.extend(&placement.payload.slots);
        let wrong = |error: protocol::Error| NotKept::Wrong(error.to_string());
        let manifest = self.manifest(cid, &all).await.map_err(not_kept)?;
        Placement::check(&placement, &manifest, self.parts.network).map_err(wrong)?;
        if asker.lend.is_some_and(|lend| !lend.may_keep(asker.node, manifest.by)) {
            return Err(NotKept::Stranger);
        }
        let known = self.book.get(&cid);
        let before = known.as_ref().and_then(|record| record.placement.as_deref());
        if before != Some(&placement) && !Placement::replaces(&placement, before, manifest.by) {
            return Err(NotKept::Outdated);
        }
        let slots = placement.payload.slots_of(&self.me());
        if slots.is_empty() {
            return Err(NotKept::Wrong("the placement gives no slot to this node".into()));
        }
        let limit_bytes =
            if asker.lend.is_some() { self.parts.config.lend_bytes } else { u64::MAX };
        let reserved = self.reserve(cid, pages_bytes(&manifest.payload), limit_bytes)?;
        let pages = self.parts.fetcher.fetch_all(&manifest.payload.pages, &all).await;
        pages.map_err(|error| not_kept(error.into()))?;
        let bytes = slot_bytes(&*self.parts.blobs, &manifest.payload).await.map_err(not_kept)?;
        let bytes = slots.iter().map(|slot| bytes[*slot]).sum();
        drop(reserved);
        let _reserved = self.reserve(cid, bytes, limit_bytes)?;

        let start = self.parts.clock.now();
        let Asker { stream, pace, .. } = asker;
        let (told, have, moved) = (0, 0, 0);
        let mut meter = Meter { inner: self, stream, pace, start, told, have, moved, of: bytes };
        let placed = &placement.payload;
        let taken = self.take_in(&manifest.payload, placed, &slots, sources, &mut meter).await;
        taken.map_err(not_kept)?;
        let record = Record {
            manifest: Arc::new(manifest),
            placement: Some(Arc::new(placement)),
            held_bytes: bytes,
        };
        self.write(cid, record).await.map_err(not_kept)?;
        Ok(bytes)
    }

    fn reserve(
        &self,
        manifest: Cid,
        bytes: u64,
        limit_bytes: u64,
    ) -> Result<book::Reserved, NotKept> {
        self.book.reserve(manifest, bytes, limit_bytes).map_err(|free| match free {
            Some(free_bytes) => NotKept::Full { free_bytes, wanted_bytes: bytes },
            None => NotKept::Busy,
        })
    }

    async fn take_in(
        &self,
        manifest: &Manifest,
        placement: &Placement,
        slots: &[usize],
        mut sources: Vec<PublicKey>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        let gathering = Gathering::new(self, placement);
        sources.retain(|node| *node != self.me());
        let mut pages = Pages::new(manifest);
        while let Some((number, page)) = pages.next(&*self.parts.blobs).await? {
            self.copy_page(&page, slots, placement, &mut sources, meter).await?;
            let lost = self.lost_of(&page, slots, placement).await?;
            let config = &self.parts.config;
            let made = stream::iter(batches(lost, config.batch_bytes))
                .map(|batch| async {
                    let data: Vec<u64> = batch.iter().map(|w| w.group.data.len() as u64).collect();
                    let most = data.into_iter().max().unwrap_or(1);
                    Ok::<_, Error>((gathering.rebuild(batch).await?, most))
                })
                .buffer_unordered(config.batches_at_once.max(1));
            let mut made = std::pin::pin!(made);
            while let Some((blocks, reads)) = made.try_next().await? {
                let bytes: u64 = blocks.iter().map(|block: &Block| block.bytes.len() as u64).sum();
                let blobs = blocks.into_iter().map(|block| (block.cid, block.bytes));
                self.parts.blobs.put(blobs.collect()).await?;
                meter.add(bytes, bytes * reads).await?;
            }
            self.keep_page(placement, number, &page, slots).await?;
        }
        Ok(())
    }

    /// Gets shards of a page from whoever has them as they are.
    async fn copy_page(
        &self,
        page: &Groups,
        slots: &[usize],
        placement: &Placement,
        sources: &mut Vec<PublicKey>,
        meter: &mut Meter<'_>,
    ) -> Result<(), Error> {
        let own: Vec<(Cid, u64)> = shards(page, placement.slots.len())
            .filter(|(.., slot)| slots.contains(slot))
            .map(|(.., shard, _)| (shard.cid, u64::from(shard.bytes)))
            .collect();
        for own in own.chunks(CHUNK) {
            let cids: Vec<Cid> = own.iter().map(|(cid, _)| *cid).collect();
            let before = self.parts.blobs.has(cids.clone()).await?;
            let mut after = before.clone();
            if !sources.is_empty() && before.contains(&false) {
                match self.parts.fetcher.fetch_all(&cids, sources).await {
                    Ok(()) | Err(FetchError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                after = self.parts.blobs.has(cids).await?;
                if after == before {
                    // They have nothing of it: the others are made without asking again.
                    sources.clear();
                }
            }
            let bytes = |is: &[bool]| -> u64 {
                own.iter().zip(is).filter(|(_, is)| **is).map(|((_, bytes), _)| *bytes).sum()
            };
            let (before, after) = (bytes(&before), bytes(&after));
            meter.add(after, after - before).await?;
        }
        Ok(())
    }

    /// Shards of our slots in a page that are not here.
    async fn lost_of(
        &self,
        page: &Groups,
        slots: &[usize],
        placement: &Placement,
    ) -> Result<Vec<Want>, Error> {
        let own: Vec<_> =
            shards(page, placement.slots.len()).filter(|(.., slot)| slots.contains(slot)).collect();
        let cids: Vec<Cid> = own.iter().map(|(.., shard, _)| shard.cid).collect();
        let here = self.parts.blobs.has(cids).await?;
        let mut lost: BTreeMap<u64, Want> = BTreeMap::new();
        for ((number, group, place, ..), _) in own.into_iter().zip(here).filter(|(_, is)| !is) {
            let new = || Want { number, group: group.clone(), places: Vec::new() };
            lost.entry(number).or_insert_with(new).places.push(place);
        }
        Ok(lost.into_values().collect())
    }

    async fn keep_page(
        &self,
        placement: &Placement,
        number: usize,
        page: &Groups,
        slots: &[usize],
    ) -> Result<(), Error> {
        let own = shards(page, placement.slots.len()).filter(|(.., slot)| slots.contains(slot));
        let mut cids: Vec<Cid> = own.map(|(.., shard, _)| shard.cid).collect();
        cids.sort_unstable();
        cids.dedup();
        let label = book::shards_label(&placement.manifest, number);
        Ok(self.parts.keep.keep(label, cids).await?)
    }

    /// Takes note of a placement that another node tells of: what is not ours any more is released.
    pub(super) async fn note(&self, placement: Signed<Placement>) -> Result<(), NotKept> {
        let cid = placement.payload.manifest;
        let Some(record) = self.book.get(&cid) else { return Ok(()) };
        let wrong = |error: protocol::Error| NotKept::Wrong(error.to_string());
        Placement::check(&placement, &record.manifest, self.parts.network).map_err(wrong)?;
        let me = self.me();
        let (before, now) = (book::slots_of(&record, &me), placement.payload.slots_of(&me));
        if now.iter().any(|slot| !before.contains(slot)) {
            return Err(NotKept::Wrong(
                "it gives slots to this node that it was not asked to keep".into(),
            ));
        }
        if record.placement.as_deref() == Some(&placement) {
            return Ok(());
        }
        match self.replace(cid, record, placement).await.map_err(not_kept)? {
            true => Ok(()),
            false => Err(NotKept::Outdated),
        }
    }

    /// Releases the shards of slots that are not ours any more; `slots` are.
    pub(super) async fn give_up(
        &self,
        cid: Cid,
        record: Record,
        slots: &[usize],
    ) -> Result<(), Error> {
        let Some(placement) = record.placement.clone() else { return Ok(()) };
        let mut bytes = 0;
        let mut pages = Pages::new(&record.manifest.payload);
        while let Some((number, page)) = pages.next(&*self.parts.blobs).await? {
            let placement = &placement.payload;
            let own = shards(&page, placement.slots.len()).filter(|(.., at)| slots.contains(at));
            bytes += own.map(|(.., shard, _)| u64::from(shard.bytes)).sum::<u64>();
            if slots.is_empty() {
                self.parts.keep.release(book::shards_label(&cid, number)).await?;
            } else {
                self.keep_page(placement, number, &page, slots).await?;
            }
        }
        self.book.put(cid, Record { held_bytes: bytes, ..record });
        Ok(())
    }
}

/// What the asker is told.
fn not_kept(error: Error) -> NotKept {
    match error {
        Error::Noun(_) | Error::Content(_) | Error::Inconsistent { .. } => {
            NotKept::Wrong(error.to_string())
        }
        Error::Store(error) | Error::Fetch(FetchError::Store(error)) => {
            NotKept::Failed(error.to_string())
        }
        other => NotKept::Unobtainable(other.to_string()),
    }
}
