//! Answers for keys: only what can still be shown.

use super::{Entry, Known, Place, READ, entry::Row};
use crate::home::{Home, blob_error, unavailable};
use api::{ApiError, Code, KnownTask};
use identity::PublicKey;
use objects::{Cid, Codec, Node};
use protocol::{
    Cause, JobId, TaskIndex, TaskKey,
    port::{BlobError, Blobs, LogError},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Places of one key that are looked at.
const PLACES: usize = 4;
/// CIDs in one question to the store.
const CIDS: usize = 4_096;
/// Inner nodes of one file: far more than any output needs.
const NODES: usize = 4_096;

/// Rows of an entry that are asked for, and the keys that they should have.
type Wanted = BTreeSet<(u32, TaskKey)>;

/// Why nothing can be looked up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The journal.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl Home {
    /// Where the results of tasks are, in the order of their keys. What a verdict has refuted since
    /// is not answered, nor what is disputed.
    pub(crate) async fn find_known(
        &self,
        keys: &[TaskKey],
    ) -> Result<Vec<Option<KnownTask>>, ApiError> {
        // Of a job whose receipt is being written nothing is known yet.
        let live = |work: &work::Work| work.jobs().map(|(job, _)| *job).collect();
        let live: BTreeSet<JobId> = self.cluster.read(live).await.map_err(unavailable)?;
        let ledger = self.chain.ledger();
        let refuted: BTreeSet<(JobId, TaskIndex, PublicKey)> = ledger
            .findings()
            .iter()
            .filter_map(|finding| match finding.cause {
                Cause::Refuted { job, task } => Some((job, task, finding.node)),
                _ => None,
            })
            .collect();
        let stands = |entry: &Entry, row: &Row| {
            let (job, task) = (entry.job, row.task);
            let disputed = ledger.dispute(&job, task).is_some_and(|dispute| dispute.is_open());
            // Whoever ran it, and was refuted, has claimed what the receipt says.
            let lied = entry.executors(row).any(|node| refuted.contains(&(job, task, node)));
            !live.contains(&job) && !disputed && !lied
        };
        self.known.find(keys, &self.store, stands).await.map_err(|failed| match failed {
            Failed::Log(error) => {
                let message = format!("what is known cannot be looked up: {error}");
                ApiError::new(Code::Internal, message).next("look at the node's log")
            }
            Failed::Blobs(error) => blob_error(error),
        })
    }
}

impl Known {
    /// The best result for each key that stands, and of which receipt and files are in the store.
    pub(super) async fn find(
        &self,
        keys: &[TaskKey],
        blobs: &dyn Blobs,
        stands: impl Fn(&Entry, &Row) -> bool,
    ) -> Result<Vec<Option<KnownTask>>, Failed> {
        let places = self.places(keys, PLACES).await?;
        let mut wanted: BTreeMap<u64, Wanted> = BTreeMap::new();
        for (key, places) in keys.iter().zip(&places) {
            for place in places {
                wanted.entry(place.entry).or_default().insert((place.row, *key));
            }
        }
        let mut found = BTreeMap::new();
        let mut receipts: BTreeMap<Cid, bool> = BTreeMap::new();
        for range in ranges(wanted.keys().copied()) {
            for (number, entry) in self.read(range).await? {
                let Some(wanted) = wanted.get(&number) else { continue };
                let receipt = entry.receipt;
                if let std::collections::btree_map::Entry::Vacant(unseen) = receipts.entry(receipt)
                {
                    unseen.insert(!whole(blobs, [receipt].into()).await?.is_empty());
                }
                if receipts[&receipt] {
                    let shown = shown(blobs, &entry, wanted, &stands).await?;
                    found.extend(
                        shown.into_iter().map(|(row, known)| (Place { entry: number, row }, known)),
                    );
                }
            }
        }
        let best = |places: &Vec<Place>| places.iter().find_map(|place| found.get(place).copied());
        Ok(places.iter().map(best).collect())
    }
}

/// The wanted rows of an entry that stand, and of which every file is in the store.
async fn shown(
    blobs: &dyn Blobs,
    entry: &Entry,
    wanted: &Wanted,
    stands: &impl Fn(&Entry, &Row) -> bool,
) -> Result<Vec<(u32, KnownTask)>, BlobError> {
    let mut rows = Vec::new();
    for (at, key) in wanted {
        let Some(row) = entry.rows.get(*at as usize) else { continue };
        if row.key == *key && stands(entry, row) {
            rows.push((*at, row));
        }
    }
    let files = rows.iter().flat_map(|(_, row)| row.files.iter().copied()).collect();
    let here = whole(blobs, files).await?;
    let (job, verification) = (entry.job, entry.verification);
    let known = |(at, row): (u32, &Row)| {
        let (height, time) = entry.block(row)?;
        let known = KnownTask { job, task: row.task, verification, height, time };
        row.files.iter().all(|file| here.contains(file)).then_some((at, known))
    };
    Ok(rows.into_iter().filter_map(known).collect())
}

/// Those of these files of which every block is in the store.
async fn whole(blobs: &dyn Blobs, roots: BTreeSet<Cid>) -> Result<BTreeSet<Cid>, BlobError> {
    let mut here = present(blobs, roots.into_iter().collect()).await?;
    let is_large = |cid: &&Cid| cid.codec() != Codec::Raw;
    let large: Vec<Cid> = here.iter().filter(is_large).copied().collect();
    for root in large {
        if !has_below(blobs, root).await? {
            here.remove(&root);
        }
    }
    Ok(here)
}

/// Whether every block below the root of a file is in the store. Only inner nodes are read.
async fn has_below(blobs: &dyn Blobs, root: Cid) -> Result<bool, BlobError> {
    let mut nodes = vec![root];
    for _ in 0..NODES {
        let Some(cid) = nodes.pop() else { return Ok(true) };
        let bytes = match blobs.get(cid).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) | Err(BlobError::Corrupt(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let Ok(Node::File(node)) = Node::parse(cid, bytes) else { return Ok(false) };
        let (leaves, inner): (BTreeSet<Cid>, BTreeSet<Cid>) =
            node.links.iter().map(|link| link.cid).partition(|cid| cid.codec() == Codec::Raw);
        let count = leaves.len();
        if present(blobs, leaves.into_iter().collect()).await?.len() < count {
            return Ok(false);
        }
        nodes.extend(inner);
    }
    Ok(false)
}

async fn present(blobs: &dyn Blobs, cids: Vec<Cid>) -> Result<BTreeSet<Cid>, BlobError> {
    let mut present = BTreeSet::new();
    for some in cids.chunks(CIDS) {
        let here = blobs.has(some.to_vec()).await?;
        present.extend(some.iter().zip(here).filter(|(_, here)| *here).map(|(cid, _)| *cid));
    }
    Ok(present)
}

/// Sorted numbers in ranges without gaps, at most [`READ`] in each.
fn ranges(numbers: impl Iterator<Item = u64>) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some(last) if last.end == number && number - last.start < READ => last.end += 1,
            _ => ranges.push(number..number + 1),
        }
    }
    ranges
}
