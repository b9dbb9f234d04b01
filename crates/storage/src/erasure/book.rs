//! What this node knows of protected objects, and how it finds that again after a restart.

use super::{Error, Keep};
use crate::lock::lock;
use identity::{NetworkId, PublicKey, Signed};
use objects::{Block, Cid, Codec};
use protocol::{
    Manifest,
    durability::{KeptObject, Placement},
    port::Blobs,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Labels of what is known: manifest, placement and pages of an object.
const OBJECT: &str = "durable/object/";
/// Labels of shards that are kept as a holder, by object and page.
const SHARDS: &str = "durable/shards/";
/// Labels of parity that waits to be placed, by object and page.
const PARITY: &str = "durable/parity/";

pub(super) fn object_label(manifest: &Cid) -> String {
    format!("{OBJECT}{manifest}")
}

pub(super) fn shards_label(manifest: &Cid, page: usize) -> String {
    format!("{SHARDS}{manifest}/{page}")
}

/// The manifest is not known yet when the first parity is made.
pub(super) fn parity_label(root: &Cid, durability: &str, page: usize) -> String {
    format!("{PARITY}{root}/{durability}/{page}")
}

/// What is known of one object.
#[derive(Clone)]
pub(super) struct Record {
    pub(super) manifest: Arc<Signed<Manifest>>,
    /// None until it is placed.
    pub(super) placement: Option<Arc<Signed<Placement>>>,
    /// Bytes that this node keeps for it as a holder.
    pub(super) held_bytes: u64,
}

/// All records, by the CID of the manifest.
pub(super) struct Book {
    records: Mutex<BTreeMap<Cid, Record>>,
    /// Objects that are being taken in now, with the bytes that are reserved for each.
    coming: Mutex<BTreeMap<Cid, u64>>,
    changes: watch::Sender<u64>,
}

impl Book {
    pub(super) fn new() -> Self {
        let changes = watch::channel(0).0;
        Self { records: Mutex::default(), coming: Mutex::default(), changes }
    }

    pub(super) fn get(&self, manifest: &Cid) -> Option<Record> {
        lock(&self.records).get(manifest).cloned()
    }

    pub(super) fn put(&self, manifest: Cid, record: Record) {
        lock(&self.records).insert(manifest, record);
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn remove(&self, manifest: &Cid) {
        lock(&self.records).remove(manifest);
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn all(&self) -> Vec<(Cid, Record)> {
        lock(&self.records).iter().map(|(cid, record)| (*cid, record.clone())).collect()
    }

    /// What is known of an object or a manifest, as far as it is placed.
    pub(super) fn find(&self, object: &Cid, limit: usize) -> Vec<KeptObject> {
        let records = lock(&self.records);
        let about = |(cid, record): &(&Cid, &Record)| {
            *cid == object || record.manifest.payload.root == *object
        };
        let kept = |(cid, record): (&Cid, &Record)| {
            let placement = Signed::clone(record.placement.as_deref()?);
            Some(KeptObject { manifest: *cid, placement })
        };
        records.iter().filter(about).filter_map(kept).take(limit).collect()
    }

    /// Wakes whenever a record changes.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Bytes that are kept or reserved for others.
    pub(super) fn lent_bytes(&self) -> u64 {
        let held: u64 = lock(&self.records).values().map(|record| record.held_bytes).sum();
        held + lock(&self.coming).values().sum::<u64>()
    }

    /// Reserves room for an object; `Err` with what is free if there is not as much, or `None` in
    /// place of it if the object is being taken in already.
    pub(super) fn reserve(
        self: &Arc<Self>,
        manifest: Cid,
        bytes: u64,
        limit_bytes: u64,
    ) -> Result<Reserved, Option<u64>> {
        let held = |(cid, record): (&Cid, &Record)| (*cid != manifest).then_some(record.held_bytes);
        let held: u64 = lock(&self.records).iter().filter_map(held).sum();
        let mut coming = lock(&self.coming);
        if coming.contains_key(&manifest) {
            return Err(None);
        }
        let free = limit_bytes.saturating_sub(held + coming.values().sum::<u64>());
        if free < bytes {
            return Err(Some(free));
        }
        coming.insert(manifest, bytes);
        Ok(Reserved { book: self.clone(), manifest })
    }
}

/// Room for an object that is being taken in.
pub(super) struct Reserved {
    book: Arc<Book>,
    manifest: Cid,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.book.coming).remove(&self.manifest);
    }
}

/// Writes down what is known of an object: its placement becomes a block, and manifest, placement
/// and pages are kept.
pub(super) async fn write(
    blobs: &dyn Blobs,
    keep: &dyn Keep,
    manifest: Cid,
    record: &Record,
) -> Result<(), Error> {
    let mut blocks = vec![manifest];
    if let Some(placement) = &record.placement {
        let block = Block::of(Codec::DagCbor, identity::canonical::encode(&**placement));
        blocks.push(block.cid);
        blobs.put(vec![(block.cid, block.bytes)]).await?;
    }
    blocks.extend(&record.manifest.payload.pages);
    Ok(keep.keep(object_label(&manifest), blocks).await?)
}

/// Reads what was written down. What cannot be read any more is left out, and said.
pub(super) async fn read(
    blobs: &dyn Blobs,
    keep: &dyn Keep,
    network: NetworkId,
) -> Result<BTreeMap<Cid, Record>, Error> {
    let mut records = BTreeMap::new();
    for (label, blocks) in keep.kept(OBJECT.into()).await? {
        let Some(manifest) = blocks.first().filter(|cid| label == object_label(cid)) else {
            continue;
        };
        match read_one(blobs, &blocks, network).await {
            Ok(record) => drop(records.insert(*manifest, record)),
            Err(error) => tracing::warn!(%manifest, %error, "a protected object is not known now"),
        }
    }
    Ok(records)
}

async fn read_one(blobs: &dyn Blobs, blocks: &[Cid], network: NetworkId) -> Result<Record, Error> {
    let bytes = blobs.get(blocks[0]).await?.ok_or(Error::Missing(blocks[0]))?;
    let manifest = Manifest::decode(&bytes, network)?;
    let pages: BTreeSet<&Cid> = manifest.payload.pages.iter().collect();
    let placement = match blocks.get(1).filter(|cid| !pages.contains(cid)) {
        None => None,
        Some(cid) => {
            let bytes = blobs.get(*cid).await?.ok_or(Error::Missing(*cid))?;
            let placement = Placement::decode(&bytes)?;
            Placement::check(&placement, &manifest, network)?;
            Some(Arc::new(placement))
        }
    };
    Ok(Record { manifest: Arc::new(manifest), placement, held_bytes: 0 })
}

/// The slots of a node in a record.
pub(super) fn slots_of(record: &Record, node: &PublicKey) -> Vec<usize> {
    record.placement.as_ref().map_or_else(Vec::new, |placement| placement.payload.slots_of(node))
}
