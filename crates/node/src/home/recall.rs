//! What live jobs need and is not here: had again from whoever ran some of it. A home lacks it that
//! goes on from a copy, or was elected before its own copies were made.

use super::{Home, HomeError};
use objects::Cid;
use protocol::{JobId, TaskTable, port::Blobs};
use std::collections::BTreeSet;

/// Peers that are asked.
const ASKED: usize = 16;
/// The largest object.
const FILE_BYTES: u64 = 1 << 30;
/// Pause before somebody is asked again, at first; and the longest.
const PAUSE_MS: (u64, u64) = (1_000, 60_000);

/// A job, and what was said that it needs.
type Need = (JobId, Cid, Cid);

impl Home {
    /// Looks for it until it is here. It goes on after that as long as this node leads, because a
    /// role that ends is begun anew.
    pub(super) async fn recall_objects(self) -> Result<(), HomeError> {
        let needs = |work: &work::Work| -> Vec<Need> {
            let needs = work.jobs().map(|(job, record)| {
                let order = &record.order().payload;
                (*job, order.program, order.table)
            });
            needs.collect()
        };
        let mut pause_ms = PAUSE_MS.0;
        for need in self.cluster.read(needs).await? {
            while let Err(reason) = self.recall(need).await {
                let (ended, _) = self.cluster.look(|work| work.job(&need.0).is_none());
                if ended {
                    break;
                }
                tracing::info!(job = %need.0, reason, "what it needs is not here");
                self.clock.until(self.clock.now().after_ms(pause_ms)).await;
                pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
            }
        }
        std::future::pending().await
    }

    async fn recall(&self, (_, program, table): Need) -> Result<(), String> {
        self.fetch_missing([program, table]).await?;
        let bytes = self.store.get(table).await.map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("its task table {table} is gone"))?;
        let table = TaskTable::decode(&bytes).map_err(|error| error.to_string())?;
        self.fetch_missing(table.roots()).await
    }

    async fn fetch_missing(&self, roots: impl IntoIterator<Item = Cid>) -> Result<(), String> {
        let roots: BTreeSet<Cid> = roots.into_iter().collect();
        let roots: Vec<Cid> = roots.into_iter().collect();
        let here = self.store.has(roots.clone()).await.map_err(|error| error.to_string())?;
        let mut from = self.streams.peers();
        from.truncate(ASKED);
        for root in roots.iter().zip(here).filter(|(_, here)| !here).map(|(root, _)| *root) {
            let fetched = self.fetcher.fetch_file(root, &from, FILE_BYTES).await;
            fetched.map_err(|error| format!("{root}: {error}"))?;
        }
        Ok(())
    }
}
