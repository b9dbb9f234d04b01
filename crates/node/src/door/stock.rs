//! The store behind the front door: `api::StorageApi`.

use super::{
    Door,
    chores::{self, not_protected},
    internal,
};
use crate::{home::blob_error, upkeep::Care};
use api::{
    ApiError, Blocks, Chore, Chores, Code, HolderInfo, PinInfo, PinMode, Received, Reply, Stock,
    StorageApi, Whereabouts, path,
};
use futures::{FutureExt, StreamExt, stream};
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{Time, durability::KeptObject, port::Blobs};
use storage::{
    Label, Pin, StoreStatus,
    erasure::{self, Look},
};

/// Bytes of blocks that are written together.
const BATCH_BYTES: usize = 16 << 20;
/// Blocks that are written together, however small they are.
const BATCH: usize = 4_096;
/// Batches that are written at once.
const WRITES: usize = 2;

impl StorageApi for Door {
    fn put(&self, blocks: Blocks) -> Reply<'_, Received> {
        async move {
            let mut received = Received::default();
            let store = &self.home.store;
            let mut writes = batches(blocks)
                .map(|batch| async move {
                    let batch = batch?;
                    let bytes: usize = batch.iter().map(|(_, bytes)| bytes.len()).sum();
                    let blocks = batch.len();
                    store.put(batch).await.map_err(blob_error)?;
                    Ok::<_, ApiError>((blocks, bytes))
                })
                .buffered(WRITES)
                .boxed();
            while let Some(written) = writes.next().await {
                let (blocks, bytes) = written?;
                received.blocks += blocks as u64;
                received.bytes += bytes as u64;
            }
            Ok(received)
        }
        .boxed()
    }

    fn pins(&self, label: Option<String>, after: Option<(String, Cid)>) -> Reply<'_, Vec<PinInfo>> {
        self.pins_of(label, after).boxed()
    }

    fn unpin(&self, label: String, root: Cid) -> Reply<'_, ()> {
        async move {
            if self.home.store.unpin(parsed(label)?, root).await.map_err(failed)? {
                if let Some(ipfs) = &self.care.ipfs {
                    ipfs.withdraw(root);
                }
                return Ok(());
            }
            Err(ApiError::new(Code::NotFound, format!("{root} is not pinned"))
                .next("see what is pinned with: polity storage pins"))
        }
        .boxed()
    }

    fn stock(&self) -> Reply<'_, Stock> {
        async move { Ok(stock(&self.home.store.status().await.map_err(failed)?)) }.boxed()
    }

    fn whereabouts(&self, object: Cid) -> Reply<'_, Vec<Whereabouts>> {
        self.whereabouts_of(object).boxed()
    }

    fn chore(&self, chore: Chore) -> Reply<'_, Chores> {
        let care = self.care.clone();
        async move { Ok(chores::begin(care, chore)) }.boxed()
    }
}

impl Door {
    async fn whereabouts_of(&self, object: Cid) -> Result<Vec<Whereabouts>, ApiError> {
        let Care { keeper, members, peers, .. } = &self.care;
        let found = keeper.find(object, &peers.peers()).await.map_err(not_protected)?;
        if found.is_empty() {
            let message = format!("nobody who is connected knows of shards of {object}");
            return Err(ApiError::new(Code::NotFound, message)
                .next(format!("spread it with: polity storage protect {object} 4+2")));
        }
        let mut all = Vec::new();
        for KeptObject { manifest, .. } in found {
            let mut challenge = [0; 32];
            getrandom::fill(&mut challenge).map_err(internal)?;
            let owner_of = |node: &PublicKey| members.owner_of(node);
            let challenge = Digest(challenge);
            let look = Look { challenge, sample: 1, list: 0, owner_of: &owner_of };
            let found = keeper.whereabouts(manifest, look).await.map_err(not_protected)?;
            all.push(self.told(manifest, found));
        }
        Ok(all)
    }

    fn told(&self, manifest: Cid, found: erasure::Whereabouts) -> Whereabouts {
        let ledger = self.home.chain.ledger();
        let roster = ledger.roster();
        let name = |node: &PublicKey| {
            let owner = roster.node(node).and_then(|record| roster.owner(&record.owner));
            owner.map(|owner| owner.name.clone()).unwrap_or_default()
        };
        let holder = |at: erasure::HolderAt| HolderInfo {
            node: at.node,
            owner_name: name(&at.node),
            slots: at.slots.into_iter().map(|slot| slot as u16).collect(),
            shards: at.shards,
            bytes: at.bytes,
            present: at.present,
            absent: at.absent,
            unreachable: at.unreachable,
        };
        let said = &found.manifest;
        Whereabouts {
            object: said.payload.root,
            manifest,
            maker: said.by,
            durability: said.payload.durability,
            blocks: said.payload.blocks,
            bytes: said.payload.bytes,
            sequence: found.placement.payload.sequence,
            holders: found.holders.into_iter().map(holder).collect(),
            unreadable: found.unreadable,
            tolerance: found.tolerance,
        }
    }

    async fn pins_of(
        &self,
        label: Option<String>,
        after: Option<(String, Cid)>,
    ) -> Result<Vec<PinInfo>, ApiError> {
        let after = after.map(|(label, root)| Ok((parsed(label)?, root))).transpose()?;
        let prefix = label.unwrap_or_default();
        let pins = self.home.store.pins(&prefix, after, path::PINS).await.map_err(failed)?;
        let info = |pin: Pin| PinInfo {
            label: pin.label.to_string(),
            root: pin.root,
            mode: match pin.mode {
                storage::PinMode::Recursive => PinMode::Recursive,
                storage::PinMode::Direct => PinMode::Direct,
            },
            name: pin.note,
            since: Time(pin.since_ms),
        };
        Ok(pins.into_iter().map(info).collect())
    }
}

/// Blocks in batches that are written together.
fn batches(
    blocks: Blocks,
) -> impl stream::Stream<Item = Result<Vec<(Cid, bytes::Bytes)>, ApiError>> + Send {
    stream::unfold(Some(blocks), |blocks| async move {
        let mut blocks = blocks?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < BATCH {
            match blocks.next().await {
                Some(Ok(block)) => {
                    bytes += block.1.len();
                    batch.push(block);
                }
                // What came before is kept by the next one who asks.
                Some(Err(error)) => return Some((Err(error), None)),
                None if batch.is_empty() => return None,
                None => return Some((Ok(batch), None)),
            }
        }
        Some((Ok(batch), Some(blocks)))
    })
}

fn stock(status: &StoreStatus) -> Stock {
    Stock {
        blobs: status.blobs,
        bytes: status.blob_bytes,
        packs: status.packs,
        pack_bytes: status.pack_bytes,
        index_bytes: status.index_bytes,
        pins: status.pins,
        damaged: status.damaged,
        quota_bytes: status.quota_bytes,
        free_bytes: status.free_bytes,
        reserve_bytes: status.reserve_bytes,
        scrubbed: status.scrub.finished_ms.map(Time),
    }
}

pub(super) fn parsed(label: String) -> Result<Label, ApiError> {
    label
        .try_into()
        .map_err(|error: storage::Error| ApiError::new(Code::Malformed, error.to_string()))
}

pub(super) fn failed(error: impl Into<storage::Error>) -> ApiError {
    match error.into() {
        storage::Error::Blob(error) => blob_error(error),
        error @ storage::Error::Busy => ApiError::new(Code::Busy, error.to_string()),
        error @ (storage::Error::Missing(_) | storage::Error::Note { .. }) => {
            ApiError::new(Code::Refused, error.to_string())
        }
        error => internal(error),
    }
}
