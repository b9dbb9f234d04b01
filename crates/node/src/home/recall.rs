//! What live jobs need and is not here: had again from whoever ran some of it. A home lacks it that
//! goes on from a copy, or was elected before its own copies were made.

use super::{Home, HomeError};
use crate::sources::sources;
use futures::{StreamExt, future, stream};
use identity::PublicKey;
use objects::Cid;
use protocol::{JobId, TaskTable, port::Blobs};
use std::{collections::BTreeSet, time::Duration};

/// Peers that are asked.
const ASKED: usize = 16;
/// The largest object.
const FILE_BYTES: u64 = 1 << 30;
/// Pause before somebody is asked again, at first; and the longest.
const PAUSE_MS: (u64, u64) = (1_000, 60_000);

/// Jobs whose objects are looked for at once.
const JOBS: usize = 8;
/// How long one try may take.
const TRY: Duration = Duration::from_secs(600);
/// Tasks of a job whose executors are asked first.
const TASKS: usize = 64;

/// A job, what was said that it needs, and who was given some of it.
struct Need {
    job: JobId,
    program: Cid,
    table: Cid,
    given: BTreeSet<PublicKey>,
}

impl Home {
    /// Looks for it until it is here. It goes on after that as long as this node leads, because a
    /// role that ends is begun anew.
    pub(super) async fn recall_objects(self) -> Result<(), HomeError> {
        let mut needs = self.cluster.read(needs).await?;
        let mut pause_ms = PAUSE_MS.0;
        loop {
            // What one job lacks keeps no other waiting.
            let tried = stream::iter(needs).map(|need| self.try_to_recall(need));
            needs = tried.buffer_unordered(JOBS).filter_map(future::ready).collect().await;
            if needs.is_empty() {
                break;
            }
            self.clock.pause(pause_ms).await;
            pause_ms = (pause_ms * 2).min(PAUSE_MS.1);
        }
        std::future::pending().await
    }

    /// Gives the need back if it is one still.
    async fn try_to_recall(&self, need: Need) -> Option<Need> {
        let job = need.job;
        let (ended, _) = self.cluster.look(|work| work.job(&job).is_none());
        if ended {
            return None;
        }
        let reason = match tokio::time::timeout(TRY, self.recall(&need)).await {
            Ok(Ok(())) => return None,
            Ok(Err(reason)) => reason,
            Err(_) => "it took too long".into(),
        };
        tracing::info!(%job, reason, "what a job needs is not here");
        Some(need)
    }

    async fn recall(&self, need: &Need) -> Result<(), String> {
        let Need { program, table, .. } = *need;
        self.fetch_missing(need, [program, table]).await?;
        let bytes = self.store.get(table).await.map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("its task table {table} is gone"))?;
        let table = TaskTable::decode(&bytes).map_err(|error| error.to_string())?;
        self.fetch_missing(need, table.roots()).await
    }

    async fn fetch_missing(
        &self,
        need: &Need,
        roots: impl IntoIterator<Item = Cid>,
    ) -> Result<(), String> {
        let roots: BTreeSet<Cid> = roots.into_iter().collect();
        let roots: Vec<Cid> = roots.into_iter().collect();
        let here = self.store.has(roots.clone()).await.map_err(|error| error.to_string())?;
        // Executors of this process have the same store.
        let connected = self.streams.peers().into_iter().filter(|peer| !self.post.is_local(peer));
        let first: Vec<_> = need.given.iter().copied().collect();
        let me = (&self.chain, self.key.public());
        let from = sources(me, connected.collect(), &first, ASKED);
        for root in roots.iter().zip(here).filter(|(_, here)| !here).map(|(root, _)| *root) {
            let fetched = self.fetcher.fetch_file(root, &from, FILE_BYTES).await;
            fetched.map_err(|error| format!("{root}: {error}"))?;
        }
        Ok(())
    }
}

fn needs(work: &work::Work) -> Vec<Need> {
    let need = |(job, record): (&JobId, &work::JobRecord)| {
        let order = &record.order().payload;
        let replicas = record.begun().take(TASKS).flat_map(|task| record.replicas(task));
        let given = replicas.map(|(_, node, _)| node).collect();
        Need { job: *job, program: order.program, table: order.table, given }
    };
    work.jobs().map(need).collect()
}
