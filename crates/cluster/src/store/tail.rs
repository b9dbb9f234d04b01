//! What is known of the log without asking the disk: its bounds, its votes, its latest entries.

use crate::engine::{Entry, LogId, Vote};
use std::{collections::VecDeque, ops::Range};

/// The end of the log in memory. Entries are visible here as soon as they are said, before they
/// are durable.
#[derive(Default)]
pub(super) struct Tail {
    /// Index of the first entry of the log.
    first: u64,
    /// Index after the last entry of the log.
    next: u64,
    /// The last entry that was removed in front.
    pub(super) purged: Option<LogId>,
    /// The last entry, or the last that was removed if there is none.
    pub(super) last: Option<LogId>,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    /// Entries up to `next`, with their sizes in bytes.
    recent: VecDeque<(Entry, usize)>,
    recent_bytes: usize,
    /// Entries before this index are durable.
    durable: u64,
    /// Bytes of durable entries that stay in memory.
    limit_bytes: usize,
}

impl Tail {
    pub(super) fn new(range: Range<u64>, limit_bytes: usize) -> Self {
        Self {
            first: range.start,
            next: range.end,
            durable: range.end,
            limit_bytes,
            ..Self::default()
        }
    }

    pub(super) fn bounds(&self) -> Range<u64> {
        self.first..self.next
    }

    /// Index of the first entry that is in memory.
    pub(super) fn recent_from(&self) -> u64 {
        self.next - self.recent.len() as u64
    }

    /// Adds entries with their sizes; they follow the last one, or begin an empty log.
    pub(super) fn push(&mut self, entries: impl IntoIterator<Item = (Entry, usize)>) {
        for (entry, size_bytes) in entries {
            let index = entry.log_id.index;
            if self.first == self.next {
                (self.first, self.next, self.durable) = (index, index, index);
            }
            self.last = Some(entry.log_id);
            self.recent_bytes += size_bytes;
            self.recent.push_back((entry, size_bytes));
            self.next = index + 1;
        }
    }

    /// Entries before `next` are durable: those that are old may leave the memory.
    pub(super) fn settle(&mut self, next: u64) {
        self.durable = self.durable.max(next.min(self.next));
        while self.recent_bytes > self.limit_bytes && self.recent_from() < self.durable {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, size_bytes)) = self.recent.pop_front() {
            self.recent_bytes -= size_bytes;
        }
    }

    /// Entries of a range that are in memory.
    pub(super) fn recent(&self, range: Range<u64>) -> Vec<Entry> {
        let from = self.recent_from();
        let place = |index: u64| usize::try_from(index.saturating_sub(from)).unwrap_or(usize::MAX);
        let (start, end) = (place(range.start), place(range.end).min(self.recent.len()));
        self.recent.range(start.min(end)..end).map(|(entry, _)| entry.clone()).collect()
    }

    /// Entries after `last` are gone.
    pub(super) fn truncate(&mut self, last: Option<LogId>) {
        let next = last.map_or(0, |id| id.index + 1).max(self.first);
        while self.next > next {
            self.next -= 1;
            if let Some((_, size_bytes)) = self.recent.pop_back() {
                self.recent_bytes -= size_bytes;
            }
        }
        self.durable = self.durable.min(self.next);
        self.last = if self.first == self.next { self.purged } else { last };
    }

    /// Entries up to `last` are gone.
    pub(super) fn purge(&mut self, last: LogId) {
        let first = last.index + 1;
        while self.recent_from() < first.min(self.next) {
            self.forget_oldest();
        }
        self.purged = Some(last);
        self.first = self.first.max(first);
        if self.next <= self.first {
            (self.next, self.durable) = (self.first, self.first);
            self.last = Some(last);
        }
    }
}
