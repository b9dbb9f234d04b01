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
use tokio::runtime::{Handle, RuntimeFlavor};

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
        let (meta, value) = (meta_of(&self.kept), aside(|| record::kept_bytes(&self.kept)));
        self.snapshots.keep(&meta, value.clone()).await?;
        Ok(Snapshot { meta, snapshot: value })
    }
}

/// How often the state is written down: the larger it is, the more entries come before it is written
/// again, or a large job would be written many times over.
#[derive(Default)]
pub(crate) struct Pace {
    /// Bytes of the state when it was written last.
    bytes: usize,
    /// How often it was not written since, when it was time by the number of entries.
    passed: usize,
}

impl Pace {
    /// Bytes of the state for which it is passed over once more.
    const STEP_BYTES: usize = 16 << 20;
    /// How often it is passed over at most: the log that grows meanwhile is read at the next start.
    const MOST: usize = 9;

    /// Whether it is time.
    pub(crate) fn is_due(&mut self, force: bool) -> bool {
        let due = force || self.passed >= (self.bytes / Self::STEP_BYTES).min(Self::MOST);
        self.passed = if due { 0 } else { self.passed + 1 };
        due
    }

    /// A state of so many bytes is written.
    pub(crate) fn took(&mut self, bytes: usize) {
        self.bytes = bytes;
    }
}

/// Does what takes a while, and lets others go on meanwhile if there is a thread for them.
pub(crate) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let runtime = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match runtime {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;

    #[test]
    fn a_large_state_is_written_less_often() {
        let mut pace = Pace::default();
        let mut written_of_twenty = |bytes| {
            pace.took(bytes);
            (0..20).filter(|_| pace.is_due(false)).count()
        };
        assert_eq!(written_of_twenty(1 << 20), 20);
        assert_eq!(written_of_twenty(48 << 20), 5);
        assert_eq!(written_of_twenty(4 << 30), 2);
        pace.passed = 0;
        assert!(pace.is_due(true), "somebody needs it");
    }
}
