//! The store behind the front door: `api::StorageApi`.

use super::{Door, internal};
use crate::{
    home::blob_error,
    ipfs::Ipfs,
    upkeep::{Care, Gone, Wish},
};
use api::{
    ApiError, Blocks, Chore, ChoreReport, Chores, Code, HolderInfo, PinInfo, PinMode, Progress,
    Received, Reply, Stock, StorageApi, USER_LABEL, Whereabouts, path,
};
use futures::{FutureExt, StreamExt, TryFutureExt, stream};
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{Durability, Time, durability::KeptObject, port::Blobs};
use std::collections::BTreeSet;
use storage::{
    Label, Pin, StoreStatus,
    erasure::{self, Look, repair::Neighbours},
    exchange::{DagLimits, FetchError},
};
use tokio::sync::mpsc;

/// Bytes of blocks that are written together.
const BATCH_BYTES: usize = 16 << 20;
/// Blocks that are written together, however small they are.
const BATCH: usize = 4_096;
/// Batches that are written at once.
const WRITES: usize = 2;
/// Blocks of one protected object, at most.
const BLOCKS: usize = 100_000_000;
/// Words about progress that wait to be sent; the oldest of more are not needed.
const TOLD: usize = 16;

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
        async move {
            let (told, going) = mpsc::channel(TOLD);
            let chore = do_chore(care, chore, Tell(told)).map_ok(Progress::Done);
            Ok(followed(chore.boxed(), going).boxed())
        }
        .boxed()
    }
}

/// Where a chore tells how far it is. Whoever reads too slowly misses some of it.
#[derive(Clone)]
struct Tell(mpsc::Sender<Progress>);

impl Tell {
    fn going(&self, blocks: u64, bytes: u64, of_bytes: Option<u64>) {
        let _full = self.0.try_send(Progress::Going { blocks, bytes, of_bytes });
    }
}

type Doing = futures::future::BoxFuture<'static, Result<Progress, ApiError>>;

/// Runs a chore for as long as somebody listens, and gives on what it tells.
fn followed(
    doing: Doing,
    going: mpsc::Receiver<Progress>,
) -> impl stream::Stream<Item = Result<Progress, ApiError>> + Send {
    stream::unfold(Some((doing, going)), |state| async move {
        let (mut doing, mut going) = state?;
        tokio::select! {
            biased;
            Some(progress) = going.recv() => Some((Ok(progress), Some((doing, going)))),
            done = &mut doing => Some((done, None)),
        }
    })
}

async fn do_chore(care: Care, chore: Chore, tell: Tell) -> Result<ChoreReport, ApiError> {
    match chore {
        Chore::Pin { root, mode, name, from } => {
            let first = named(care.ipfs.as_ref(), &from)?;
            pin(care, (root, mode, name), &first, tell).await
        }
        Chore::Fetch { root, mode, from } => {
            let first = named(care.ipfs.as_ref(), &from)?;
            let wish = Wish { below: mode == PinMode::Recursive, first: &first };
            let told = |blocks, bytes| tell.going(blocks, bytes, None);
            let fetched = care.fetch(root, wish, told).await;
            let (blocks, bytes) = fetched.map_err(|gone| not_all("some of it is missing", gone))?;
            Ok(ChoreReport::Fetched { blocks, bytes })
        }
        Chore::Verify => verify(care, tell).await,
        Chore::Collect { dry_run, grace_ms } => {
            let roots = care.in_use().await?;
            let options = care.config.collection(dry_run, grace_ms);
            let report = care.home.store.gc(roots, options).await.map_err(failed)?;
            let given_back = report
                .compaction
                .map(|compaction| compaction.deleted_bytes.saturating_sub(compaction.moved_bytes));
            Ok(ChoreReport::Collected {
                kept: report.kept_blobs,
                kept_bytes: report.kept_bytes,
                young: report.young_blobs,
                young_bytes: report.young_bytes,
                collected: report.freed_blobs,
                collected_bytes: report.freed_bytes,
                freed_bytes: given_back.unwrap_or_default(),
                missing: report.missing,
                damaged: report.damaged,
            })
        }
        Chore::Protect { root, durability } => protect(care, root, durability, tell).await,
        Chore::Repair => {
            let looked = |blocks| tell.going(blocks, 0, None);
            let (healed, missing) = care.repair(looked).await.map_err(failed)?;
            Ok(ChoreReport::Repaired { healed, missing })
        }
    }
}

/// Peers of IPFS that a person names.
fn named(ipfs: Option<&Ipfs>, from: &[String]) -> Result<Vec<PublicKey>, ApiError> {
    if from.is_empty() {
        return Ok(Vec::new());
    }
    if from.len() > path::FROM {
        let message = format!("{} peers are named, {} at most can be", from.len(), path::FROM);
        return Err(ApiError::new(Code::Malformed, message));
    }
    let ipfs = ipfs.ok_or_else(|| {
        ApiError::new(Code::Refused, "this node has nothing to do with peers of IPFS")
            .next("write enabled = true below [ipfs] in config.toml, and start the node again")
    })?;
    ipfs.know(from).map_err(|error| {
        let message = match error {
            network::Error::Address { address, reason } => format!("{address}: {reason}"),
            other => other.to_string(),
        };
        ApiError::new(Code::Malformed, message)
            .next("name a peer as /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…")
    })
}

async fn pin(
    care: Care,
    (root, mode, name): (Cid, PinMode, Option<String>),
    first: &[PublicKey],
    tell: Tell,
) -> Result<ChoreReport, ApiError> {
    let mode = match mode {
        PinMode::Recursive => storage::PinMode::Recursive,
        PinMode::Direct => storage::PinMode::Direct,
    };
    let label = parsed(USER_LABEL.into())?;
    let since_ms = care.home.clock.now().0;
    let pin = Pin { label, root, mode, since_ms, note: name };
    let told = |blocks, bytes| tell.going(blocks, bytes, None);
    let pinned = care.pin(pin, first, told).await;
    let (blocks, bytes) =
        pinned.map_err(|gone| not_all("not pinned, some of it is missing", gone))?;
    Ok(ChoreReport::Pinned { blocks, bytes })
}

fn not_all(what: &str, gone: Gone) -> ApiError {
    match gone {
        Gone::Store(error) => failed(error),
        Gone::Fetch(FetchError::Store(error)) => blob_error(error),
        gone @ Gone::Fetch(_) => ApiError::new(Code::ObjectUnavailable, format!("{what}: {gone}"))
            .next("try again when more nodes are connected: polity node list"),
        gone => ApiError::new(Code::Refused, gone.to_string()),
    }
}

async fn verify(care: Care, tell: Tell) -> Result<ChoreReport, ApiError> {
    // What the store's thread says is taken here, at the pace of whoever listens.
    let (told, mut looked) = mpsc::channel(TOLD);
    let verifying = care.home.store.verify(move |progress: storage::Progress| {
        let _full = told.try_send(progress);
    });
    let telling = async {
        while let Some(storage::Progress { bytes, all_bytes, .. }) = looked.recv().await {
            tell.going(0, bytes, Some(all_bytes));
        }
    };
    let (report, ()) = tokio::join!(verifying, telling);
    let report = report.map_err(failed)?;
    let damaged = care.home.store.damaged(None, path::DAMAGED).await.map_err(failed)?;
    Ok(ChoreReport::Verified { records: report.records, bytes: report.bytes, damaged })
}

/// Fetches what is missing, keeps it, makes shards and brings them to their holders.
async fn protect(
    care: Care,
    root: Cid,
    durability: Durability,
    tell: Tell,
) -> Result<ChoreReport, ApiError> {
    pin(care.clone(), (root, PinMode::Recursive, None), &[], tell.clone()).await?;
    let limits = DagLimits { blocks: BLOCKS, bytes: u64::MAX };
    let made = care.keeper.protect(root, durability, limits).await.map_err(not_protected)?;
    tell.going(made.blocks, made.bytes, None);
    let candidates = care.members.candidates();
    let spread = care.keeper.distribute(made.manifest, &candidates).await;
    let spread = spread.map_err(not_protected)?;
    let nodes: BTreeSet<_> = spread.placement.payload.slots.iter().collect();
    Ok(ChoreReport::Protected {
        manifest: made.manifest,
        blocks: made.blocks,
        bytes: made.bytes,
        kept_bytes: made.kept_bytes,
        nodes: nodes.len() as u16,
        tolerance: spread.tolerance,
        failed: spread.failed,
    })
}

fn not_protected(error: erasure::Error) -> ApiError {
    match error {
        erasure::Error::Store(error) => blob_error(error),
        erasure::Error::Unknown(_) => ApiError::new(Code::NotFound, error.to_string()),
        error @ erasure::Error::NotPlaced { .. } => ApiError::new(Code::Refused, error.to_string())
            .next("see which nodes are there with: polity node list"),
        error => ApiError::new(Code::ObjectUnavailable, error.to_string()),
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

fn parsed(label: String) -> Result<Label, ApiError> {
    label
        .try_into()
        .map_err(|error: storage::Error| ApiError::new(Code::Malformed, error.to_string()))
}

fn failed(error: impl Into<storage::Error>) -> ApiError {
    match error.into() {
        storage::Error::Blob(error) => blob_error(error),
        error @ storage::Error::Busy => ApiError::new(Code::Busy, error.to_string()),
        error @ (storage::Error::Missing(_) | storage::Error::Note { .. }) => {
            ApiError::new(Code::Refused, error.to_string())
        }
        error => internal(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_of_ipfs_are_named_only_where_they_are_wanted_and_not_in_any_number() {
        assert_eq!(named(None, &[]), Ok(Vec::new()));
        let peer = "/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo".to_string();
        let refused = named(None, std::slice::from_ref(&peer)).expect_err("it is switched off");
        assert_eq!(refused.code, Code::Refused);
        assert!(refused.next.is_some_and(|next| next.contains("enabled = true")));
        let many = named(None, &vec![peer; path::FROM + 1]).expect_err("too many");
        assert_eq!(many.code, Code::Malformed);
    }
}
