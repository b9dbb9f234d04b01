//! Making parity and manifest of an object that is in the store.

use super::{
    Error,
    book::{self, Record},
    code::Code,
    keeper::{Inner, Keeper},
    walk::Walk,
};
use crate::exchange::DagLimits;
use futures::{TryStreamExt, stream};
use identity::{Signed, canonical};
use objects::{Block, Checked, Cid, Codec, Hash};
use protocol::{
    Durability, Groups, Manifest,
    durability::{CODE, Group, Shard, UNIT_BYTES},
};
use std::sync::Arc;

/// What was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protected {
    /// The signed manifest.
    pub manifest: Cid,
    /// Different blocks of the object.
    pub blocks: u64,
    /// Bytes of these blocks.
    pub bytes: u64,
    /// Bytes that all shards take on all holders together.
    pub kept_bytes: u64,
}

/// Pages that are made, and the one that is being made.
struct Maker<'a> {
    inner: &'a Inner,
    root: Cid,
    durability: Durability,
    pages: Vec<Cid>,
    first: u64,
    groups: Vec<Group>,
    kept_bytes: u64,
}

impl Keeper {
    /// Makes what it takes to distribute an object whose blocks are all in this store: parity,
    /// pages and a signed manifest, stored and kept until they are placed. `limits` say how large
    /// the object may be. Holds a few groups in memory. An object that this node protected before
    /// in the same way keeps the manifest that it has.
    ///
    /// # Errors
    /// [`Error::Missing`] if a block is not here, [`Error::TooLarge`], [`Error::Content`],
    /// [`Error::Store`].
    pub async fn protect(
        &self,
        root: Cid,
        durability: Durability,
        limits: DagLimits,
    ) -> Result<Protected, Error> {
        let inner = &*self.inner;
        if let Some(known) = inner.protected(root, durability).await? {
            return Ok(known);
        }
        let mut maker = Maker {
            inner,
            root,
            durability,
            pages: Vec::new(),
            first: 0,
            groups: Vec::new(),
            kept_bytes: 0,
        };
        let walk = Walk::new(inner.parts.blobs.clone(), root, limits);
        let own = self.inner.clone();
        let batches = stream::try_unfold((own, walk), move |(own, mut walk)| async move {
            let batch = own.next_batch(&mut walk, durability.data()).await?;
            let seen = (walk.blocks(), walk.bytes());
            Ok::<_, Error>((!batch.is_empty()).then_some(((batch, seen), (own, walk))))
        });
        // Parity is stored in here, so that the next batch is coded meanwhile.
        let own = self.inner.clone();
        let coded = batches.map_ok(move |(batch, seen)| {
            let own = own.clone();
            async move { Ok((own.make_groups(batch, durability.parity()).await?, seen)) }
        });
        let mut coded =
            std::pin::pin!(coded.try_buffered(inner.parts.config.batches_at_once.max(1)));
        let (mut blocks, mut bytes) = (0, 0);
        while let Some((groups, seen)) = coded.try_next().await? {
            (blocks, bytes) = seen;
            for group in groups {
                maker.take(group).await?;
            }
        }
        maker.finish(blocks, bytes).await
    }
}

impl Maker<'_> {
    async fn take(&mut self, group: Group) -> Result<(), Error> {
        self.kept_bytes += group.shards().map(|shard| u64::from(shard.bytes)).sum::<u64>();
        self.groups.push(group);
        if self.groups.len() == Groups::per_page(self.durability.total()) {
            self.end_page().await?;
        }
        Ok(())
    }

    async fn end_page(&mut self) -> Result<(), Error> {
        let groups = std::mem::take(&mut self.groups);
        let next = self.first + groups.len() as u64;
        let parity = groups.iter().flat_map(|group| &group.parity).map(|shard| shard.cid);
        let mut kept: Vec<Cid> = parity.collect();
        let page = Groups::new(self.first, groups);
        let block = Block::of(Codec::DagCbor, canonical::encode(&page));
        kept.push(block.cid);
        kept.sort_unstable();
        kept.dedup();
        let label = book::parity_label(&self.root, &self.durability.to_string(), self.pages.len());
        self.inner.parts.blobs.put(vec![(block.cid, block.bytes)]).await?;
        self.inner.parts.keep.keep(label, kept).await?;
        self.pages.push(block.cid);
        self.first = next;
        Ok(())
    }

    async fn finish(mut self, blocks: u64, bytes: u64) -> Result<Protected, Error> {
        if !self.groups.is_empty() {
            self.end_page().await?;
        }
        let parts = &self.inner.parts;
        let manifest = Manifest {
            network: parts.network,
            root: self.root,
            durability: self.durability,
            code: CODE.into(),
            unit_bytes: UNIT_BYTES,
            blocks,
            bytes,
            groups: self.first,
            pages: self.pages,
            created: parts.clock.now(),
        };
        let signed = Signed::new(manifest, parts.network, &parts.key);
        let block = Block::of(Codec::DagCbor, canonical::encode(&signed));
        // Larger ones could not be read again.
        Manifest::decode(&block.bytes, parts.network)?;
        parts.blobs.put(vec![(block.cid, block.bytes)]).await?;
        let record = Record { manifest: Arc::new(signed), placement: None, held_bytes: 0 };
        self.inner.write(block.cid, record).await?;
        let kept_bytes = self.kept_bytes;
        Ok(Protected { manifest: block.cid, blocks, bytes, kept_bytes })
    }
}

impl Inner {
    /// What this node made of an object before.
    async fn protected(
        &self,
        root: Cid,
        durability: Durability,
    ) -> Result<Option<Protected>, Error> {
        let same = |(_, record): &(Cid, Record)| {
            let manifest = &record.manifest.payload;
            record.manifest.by == self.me()
                && manifest.root == root
                && manifest.durability == durability
        };
        let Some((manifest, record)) = self.book.all().into_iter().find(same) else {
            return Ok(None);
        };
        let Manifest { blocks, bytes, .. } = record.manifest.payload;
        let slots = super::pages::slot_bytes(&*self.parts.blobs, &record.manifest.payload).await?;
        let kept_bytes = slots.iter().sum();
        Ok(Some(Protected { manifest, blocks, bytes, kept_bytes }))
    }

    /// The blocks of some groups: as many as have the bytes of a batch, one group at least.
    async fn next_batch(&self, walk: &mut Walk, data: usize) -> Result<Vec<Vec<Block>>, Error> {
        let (mut batch, before) = (Vec::new(), walk.bytes());
        loop {
            let blocks = walk.next(data).await?;
            let is_last = blocks.len() < data;
            if !blocks.is_empty() {
                batch.push(blocks);
            }
            if is_last || walk.bytes() - before >= self.parts.config.batch_bytes {
                return Ok(batch);
            }
        }
    }

    /// Groups of some blocks; their parity is stored as far as it is something new.
    async fn make_groups(
        &self,
        batch: Vec<Vec<Block>>,
        parity: usize,
    ) -> Result<Vec<Group>, Error> {
        let mut codes = Vec::with_capacity(batch.len());
        for blocks in &batch {
            codes.push(self.code(blocks.len(), blocks.len() + parity)?);
        }
        let made = run(move || {
            let groups = codes.iter().zip(&batch).map(|(code, blocks)| group_of(code, blocks));
            let (groups, parity): (Vec<Group>, Vec<Vec<Checked>>) = groups.unzip();
            (groups, parity.concat())
        });
        let (groups, parity) = made.await?;
        if !parity.is_empty() {
            self.parts.blobs.put_checked(parity).await?;
        }
        Ok(groups)
    }
}

fn group_of(code: &Code, blocks: &[Block]) -> (Group, Vec<Checked>) {
    let data: Vec<Shard> = blocks.iter().map(Shard::of).collect();
    if let [one] = &data[..] {
        let parity = vec![*one; code.total() - 1];
        return (Group { data, parity }, Vec::new());
    }
    let slices: Vec<&[u8]> = blocks.iter().map(|block| &block.bytes[..]).collect();
    let named = |bytes: Vec<u8>| Checked::with(Hash::Sha2_256, Codec::Raw, bytes.into());
    let made: Vec<Checked> = code.encode(&slices).into_iter().map(named).collect();
    let parity = made.iter().map(|checked| Shard::of(checked.block())).collect();
    (Group { data, parity }, made)
}

/// Runs work that takes the processor for a while.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| protocol::port::BlobError::Io(format!("coding: {error}")).into())
}
