//! What is in the journal, in memory: its segments, and the range of its entries.

use super::segment::Segment;
use crate::lock::lock;
use bytes::Bytes;
use protocol::port::LogError;
use std::{ops::Range, path::PathBuf, sync::Mutex};

/// The range of entries, for callers that cannot wait for the disk.
#[derive(Debug)]
pub(super) struct Bounds(Mutex<Range<u64>>);

impl Bounds {
    pub(super) fn new(range: Range<u64>) -> Self {
        Self(Mutex::new(range))
    }

    pub(super) fn get(&self) -> Range<u64> {
        lock(&self.0).clone()
    }

    pub(super) fn set(&self, range: Range<u64>) {
        *lock(&self.0) = range;
    }
}

/// All segments. Readers and the writer share it under a lock.
#[derive(Debug)]
pub(super) struct Table {
    /// The directory of the segments.
    pub(super) dir: PathBuf,
    /// In order and without gaps.
    pub(super) segments: Vec<Segment>,
    /// The first entry that is not purged.
    pub(super) start: u64,
}

impl Table {
    pub(super) fn range(&self) -> Range<u64> {
        let end = self.segments.last().map_or(self.start, |segment| segment.range.end);
        self.start..end.max(self.start)
    }

    pub(super) fn read(&self, range: Range<u64>) -> Result<Vec<Bytes>, LogError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.range();
        if range.start < all.start || range.end > all.end {
            return Err(LogError::Missing(range));
        }
        let mut entries = Vec::new();
        let first = self.segments.partition_point(|segment| segment.range.end <= range.start);
        for segment in &self.segments[first..] {
            let from = range.start.max(segment.range.start);
            let to = range.end.min(segment.range.end);
            if from >= to {
                break;
            }
            segment.read(from..to, &mut entries).map_err(|error| {
                LogError::Failed(format!("{}: {error}", segment.path.display()))
            })?;
        }
        Ok(entries)
    }
}
