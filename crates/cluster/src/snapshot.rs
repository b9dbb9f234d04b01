//! Snapshots of a replica, kept beside the log.

use crate::{
    engine::{Meta, Snapshot, Types},
    fault::Fault,
    record::{self, Kept, MAX_SNAPSHOT_BYTES},
    store::{SNAPSHOT, Writes},
};
use bytes::Bytes;
use openraft::RaftSnapshotBuilder;
use protocol::port::Log;
use std::{io, sync::Arc};

/// Where snapshots are kept. A cheap copy.
#[derive(Clone)]
pub(crate) struct Snapshots {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) fault: Fault,
    /// Held last: the writer ends, and a shutdown with it, when nobody has the log any more.
    pub(crate) writes: Writes,
}

impl Snapshots {
    /// The snapshot that is kept, if there is one.
    pub(crate) async fn current(&self) -> Result<Option<Snapshot>, io::Error> {
        let value = self.log.value(SNAPSHOT).await;
        let Some(value) = value.map_err(|e| self.fault.fail(e))? else { return Ok(None) };
        let kept = record::kept_of(&value).map_err(|e| self.fault.fail(e))?;
        Ok(Some(Snapshot { meta: meta_of(&kept), snapshot: value }))
    }

    /// Keeps a snapshot durably, unless a later one is kept.
    pub(crate) async fn keep(&self, meta: &Meta, value: Bytes) -> Result<(), io::Error> {
        if value.len() > MAX_SNAPSHOT_BYTES {
            let (size, limit) = (value.len(), MAX_SNAPSHOT_BYTES);
            let reason = format!("its state has {size} bytes, a snapshot has at most {limit}");
            return Err(self.fault.fail(reason));
        }
        self.writes.snapshot(meta.last_log_id, value).await
    }
}

fn meta_of(kept: &Kept) -> Meta {
    Meta { last_log_id: kept.applied, last_membership: kept.members.clone() }
}

/// A snapshot that was taken and is still to be kept.
pub(crate) struct Taken {
    snapshots: Snapshots,
    kept: Kept,
}

impl Taken {
    pub(crate) fn new(snapshots: Snapshots, kept: Kept) -> Self {
        Self { snapshots, kept }
    }
}

impl RaftSnapshotBuilder<Types> for Taken {
    type SnapshotData = Bytes;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (meta, value) = (meta_of(&self.kept), record::kept_bytes(&self.kept));
        self.snapshots.keep(&meta, value.clone()).await?;
        Ok(Snapshot { meta, snapshot: value })
    }
}
