//! What jobs need, so that nobody gives it up.

use super::Care;
use crate::home::{Home, unavailable};
use api::{ApiError, Code};
use objects::{Cid, FileWalker};
use protocol::{Outcome, Receipt, limits, port::Blobs};
use std::collections::BTreeSet;

impl Care {
    /// Programs, tables and results of the jobs that this home takes care of, receipts of those that
    /// it remembers with what they name, and what is known. Everything below these is needed too.
    pub(crate) async fn in_use(&self) -> Result<Vec<Cid>, ApiError> {
        let home = &self.home;
        let live = |work: &work::Work| {
            let of_job = |record: &work::JobRecord| {
                let order = &record.order().payload;
                let outputs = record.outcomes().flat_map(Outcome::objects).collect::<Vec<_>>();
                [order.program, order.table].into_iter().chain(outputs).collect::<Vec<_>>()
            };
            let live = work.jobs().flat_map(|(_, record)| of_job(record));
            let receipts = work.finished().map(|summary| summary.receipt);
            (live.collect::<BTreeSet<_>>(), receipts.collect::<BTreeSet<_>>())
        };
        let (mut roots, receipts) = home.cluster.read(live).await.map_err(unavailable)?;
        roots.extend(home.known.objects().await.map_err(internal)?);
        for cid in receipts {
            roots.insert(cid);
            // Whoever lost its receipt has lost what it names as well: nothing leads there any more.
            let Some(receipt) = read(home, cid).await? else { continue };
            let order = &receipt.body.order.payload;
            roots.extend([order.program, order.table]);
            roots.extend(receipt.body.outcomes.iter().flat_map(Outcome::objects));
        }
        Ok(roots.into_iter().collect())
    }
}

/// A receipt, if all of it is here.
async fn read(home: &Home, root: Cid) -> Result<Option<Receipt>, ApiError> {
    let mut walker = FileWalker::new(root, limits::RECEIPT_BYTES as u64);
    let mut content = Vec::new();
    while let Some(cid) = walker.wanted() {
        let block = home.store.get(cid).await.map_err(crate::home::blob_error)?;
        let Some(block) = block else { return Ok(None) };
        content.extend_from_slice(&walker.give(cid, block).map_err(internal)?);
    }
    Receipt::decode(&content).map(Some).map_err(internal)
}

fn internal(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(Code::Internal, error.to_string()).next("look at the node's log")
}
