//! Chores of the store that take a while: pinning, verifying, collecting, repairing, protecting.

use super::stock::{failed, parsed};
use crate::{
    home::blob_error,
    ipfs::Ipfs,
    upkeep::{Care, Gone, Wish},
};
use api::{ApiError, Chore, ChoreReport, Chores, Code, PinMode, Progress, USER_LABEL, path};
use futures::{FutureExt, StreamExt, TryFutureExt, stream};
use identity::PublicKey;
use objects::Cid;
use protocol::Durability;
use std::collections::BTreeSet;
use storage::{
    Pin,
    erasure::{self, repair::Neighbours},
    exchange::{DagLimits, FetchError},
};
use tokio::sync::mpsc;

/// Blocks of one protected object, at most.
const BLOCKS: usize = 100_000_000;
/// Words about progress that wait to be sent; the oldest of more are not needed.
const TOLD: usize = 16;

/// Begins a chore, which goes on for as long as somebody reads what it tells.
pub(super) fn begin(care: Care, chore: Chore) -> Chores {
    let (told, going) = mpsc::channel(TOLD);
    let chore = carry_out(care, chore, Tell(told)).map_ok(Progress::Done);
    followed(chore.boxed(), going).boxed()
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

async fn carry_out(care: Care, chore: Chore, tell: Tell) -> Result<ChoreReport, ApiError> {
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

pub(super) fn not_protected(error: erasure::Error) -> ApiError {
    match error {
        erasure::Error::Store(error) => blob_error(error),
        erasure::Error::Unknown(_) => ApiError::new(Code::NotFound, error.to_string()),
        error @ erasure::Error::NotPlaced { .. } => ApiError::new(Code::Refused, error.to_string())
            .next("see which nodes are there with: polity node list"),
        error => ApiError::new(Code::ObjectUnavailable, error.to_string()),
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
