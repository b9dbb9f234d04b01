//! A durable sequence of entries: journals, the chain of blocks, the log of the cluster.

use super::Answer;
use bytes::Bytes;
use std::ops::Range;

/// Why a log could not be written or read. After a failed write the log refuses further writes:
/// what reached the disk is unknown until it is opened again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// Entries must follow the last one without a gap.
    #[error("entry {got} does not follow {expected}")]
    Gap {
        /// Index that was expected.
        expected: u64,
        /// Index that was given.
        got: u64,
    },
    /// A range that is not (or no longer) in the log.
    #[error("entries {0:?} are not in the log")]
    Missing(Range<u64>),
    /// The disk failed; this node must stop.
    #[error("the log on disk failed: {0}")]
    Failed(String),
}

/// One log; implemented by `storage`, faked in `sim`. Indexes start wherever the first append
/// starts and have no gaps.
pub trait Log: Send + Sync + 'static {
    /// Appends entries from `first` on. When the answer is `Ok` they are durable. An empty log
    /// takes any `first`.
    fn append(&self, first: u64, entries: Vec<Bytes>) -> Answer<'static, Result<(), LogError>>;

    /// Reads entries of a range, all of which must be there.
    fn read(&self, range: Range<u64>) -> Answer<'static, Result<Vec<Bytes>, LogError>>;

    /// The range of indexes that are there; empty at the next index if there are none.
    fn range(&self) -> Range<u64>;

    /// Removes entries from `index` on, durably.
    fn truncate(&self, index: u64) -> Answer<'static, Result<(), LogError>>;

    /// Removes entries before `index`, durably. An empty log then starts at `index`.
    fn purge(&self, index: u64) -> Answer<'static, Result<(), LogError>>;

    /// Sets a small named value beside the log, durably and atomically (a vote, a snapshot).
    fn set(&self, name: &'static str, value: Bytes) -> Answer<'static, Result<(), LogError>>;

    /// Reads a named value.
    fn value(&self, name: &'static str) -> Answer<'static, Result<Option<Bytes>, LogError>>;
}
