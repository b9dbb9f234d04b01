//! Writing the receipt of a finished job.

use super::{
    Home, HomeError,
    known::{self, entries_of},
};
use crate::chain::ChainError;
use api::Step;
use identity::{NetworkId, PublicKey, Signed};
use objects::{Block, Cid};
use protocol::{
    Body, Claim, JobId, Outcome, Part, Receipt, Ruled, TaskIndex, TaskTable, Verdicts, port::Blobs,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use work::{Included, Input, JobRecord};

/// Receipts that are being written: each once at a time, however often it is asked for. That of a job
/// of a million tasks takes longer than it is waited for.
#[derive(Default)]
pub(crate) struct Writing(Mutex<BTreeSet<JobId>>);

/// A receipt is being written as long as this is there.
struct Pen {
    writing: Arc<Writing>,
    job: JobId,
}

impl Writing {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<JobId>> {
        self.0.lock().expect("nobody panics while holding the jobs")
    }

    fn begin(self: &Arc<Self>, job: JobId) -> Option<Pen> {
        let is_new = self.lock().insert(job);
        is_new.then(|| Pen { writing: self.clone(), job })
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.writing.lock().remove(&self.job);
    }
}

/// A receipt as it is kept, and what is known from it.
struct Written {
    file: Cid,
    blocks: Vec<Block>,
    found: Vec<known::Entry>,
    settled: usize,
    unsettled: usize,
}

impl Written {
    fn of(receipt: Receipt, network: NetworkId) -> Self {
        let job = receipt.body.order.payload.id();
        let (file, blocks) = objects::file(&receipt.encode().into());
        let found = match receipt.verify(Some(network)) {
            Ok(report) => entries_of(&receipt, &report, file.cid),
            Err(error) => {
                tracing::error!(%job, %error, "the receipt does not verify; it is kept all the same");
                Vec::new()
            }
        };
        let (settled, unsettled) = (receipt.body.outcomes.len(), receipt.body.unsettled.len());
        Self { file: file.cid, blocks, found, settled, unsettled }
    }
}

/// Does what keeps a processor busy where nobody waits for that processor.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HomeError> {
    tokio::task::spawn_blocking(work).await.map_err(super::panicked)
}

impl Home {
    /// Builds and keeps the receipt, waiting for the certificates that it needs.
    pub(super) async fn write_receipt(self, job: JobId) -> Result<(), HomeError> {
        let Some(_pen) = self.writing.begin(job) else { return Ok(()) };
        let Some(record) = self.cluster.read(move |work| work.job(&job).cloned()).await? else {
            return Ok(());
        };
        let record = Arc::new(record);
        let mut head = self.chain.head();
        let parts = loop {
            head.borrow_and_update();
            let of = record.clone();
            let included = aside(move || of.included()).await?;
            if let Some(parts) = self.parts_of(included).await? {
                break parts;
            }
            if head.changed().await.is_err() {
                return Ok(());
            }
        };
        let table = match self.table_of(&record).await {
            Ok(table) => table,
            Err(reason) => {
                tracing::error!(%job, reason, "the receipt cannot be written");
                self.note(job, Step::Receipt, reason);
                return Ok(());
            }
        };
        let body = self.body_of(&record, table, parts).await?;
        let (network, key) = (self.chain.network(), self.key.clone());
        let written = aside(move || Written::of(Receipt::seal(body, network, &key), network));
        let Written { file, blocks, found, settled, unsettled } = written.await?;
        let blobs = blocks.into_iter().map(|block| (block.cid, block.bytes)).collect();
        // Both are durable before the job counts as finished.
        let (kept, written) = tokio::join!(self.store.put(blobs), self.known.write(job, found));
        if let Err(error) = kept {
            tracing::error!(%job, %error, "the receipt cannot be kept; trying again later");
            self.note(job, Step::Receipt, error);
        } else {
            // Without a majority that is not decided either.
            if let Err(reason) = self.mirror(&[file]).await {
                tracing::info!(%job, reason, "the receipt has too few copies yet");
            }
            self.tell(Input::ReceiptStored { job, receipt: file }).await?;
            self.troubles.forget(&job);
            tracing::info!(%job, receipt = %file, settled, unsettled, "the receipt is kept");
        }
        if let Some(written) = written
            && let Err(error) = self.known.enter(written).await
        {
            tracing::warn!(%job, %error, "its results will not be found again");
        }
        Ok(())
    }

    async fn table_of(&self, record: &JobRecord) -> Result<TaskTable, String> {
        let cid = record.order().payload.table;
        let bytes = self.store.get(cid).await.map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("its task table {cid} is gone"))?;
        TaskTable::decode(&bytes).map_err(|error| error.to_string())
    }

    /// The agreements with their proofs; `None` while a certificate is missing.
    async fn parts_of(&self, all: Vec<Included>) -> Result<Option<Vec<Part>>, ChainError> {
        let mut parts = Vec::new();
        for included in all {
            let Some((block, index)) = self.chain.find(&included.tx).await? else {
                return Ok(None);
            };
            let Some((inclusion, finality)) = self.chain.prove(&block, index).await? else {
                return Ok(None);
            };
            let agreements = included.agreements;
            parts.push(Part { agreements, header: block.header, inclusion, finality });
        }
        parts.sort_by_key(|part| (part.header.height, part.inclusion.index));
        Ok(Some(parts))
    }

    async fn body_of(
        &self,
        record: &JobRecord,
        table: TaskTable,
        parts: Vec<Part>,
    ) -> Result<Body, HomeError> {
        let settled: BTreeSet<TaskIndex> =
            parts.iter().flat_map(|part| part.agreements.tasks.iter().map(|t| t.task)).collect();
        let outcomes: BTreeMap<TaskIndex, Outcome> = record
            .outcomes()
            .filter(|outcome| settled.contains(&outcome.task))
            .map(|outcome| (outcome.task, outcome.clone()))
            .collect();
        let executors: BTreeSet<PublicKey> = parts
            .iter()
            .flat_map(|part| &part.agreements.reveals)
            .map(|batch| batch.statement.by)
            .collect();
        let (ruled, verdicts) = self.ruled_of(record).await?;
        let claimants = ruled.iter().flat_map(|ruled| ruled.claims.iter().map(Claim::node));
        // It is sealed by whoever leads the home's cluster by now.
        let (home, me) = (record.order().payload.home, self.key.public());
        let sealed = [home, me].into_iter().filter(|_| home != me);
        let nodes = executors.into_iter().chain(claimants).chain(sealed).collect();
        let vouchers = self.chain.vouchers(&nodes, &[record.order().by]).await?;
        Ok(Body {
            genesis: self.chain.genesis().clone(),
            order: record.order().clone(),
            table,
            vouchers,
            outcomes: outcomes.into_values().collect(),
            parts,
            unsettled: record.unsettled(),
            dissent: record.dissent(),
            ruled,
            verdicts,
        })
    }

    /// Tasks with a verdict, and the verdicts as they were signed.
    async fn ruled_of(
        &self,
        record: &JobRecord,
    ) -> Result<(Vec<Ruled>, Vec<Signed<Verdicts>>), ChainError> {
        let job = record.order().payload.id();
        let ledger = self.chain.ledger();
        let mut ruled = record.ruled();
        // A record is there until the job expires; after that nothing can be proven any more.
        ruled.retain(|ruled| ledger.dispute(&job, ruled.task).is_some());
        let records: Vec<_> =
            ruled.iter().filter_map(|ruled| ledger.dispute(&job, ruled.task)).cloned().collect();
        Ok((ruled, self.chain.verdicts_on(&records, false).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;

    #[test]
    fn a_receipt_is_written_once_at_a_time() {
        let writing = Arc::new(Writing::default());
        let job = |n| JobId(Cid::of(Codec::DagCbor, &[n]));
        let pen = writing.begin(job(1));
        assert!(pen.is_some() && writing.begin(job(1)).is_none());
        assert!(writing.begin(job(2)).is_some(), "another one does not wait");
        drop(pen);
        assert!(writing.begin(job(1)).is_some());
    }
}
