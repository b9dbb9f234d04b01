//! Which entries name which task keys: in memory, bounded, the oldest forgotten first.

use super::entry::Entry;
use objects::Cid;
use protocol::{JobId, TaskKey};
use std::collections::BTreeMap;

/// Where a result is said to be: an entry of the journal, and the row in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) entry: u64,
    pub(super) row: u32,
}

/// All that is known. About 80 bytes for each task.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// What each place of a key is worth: see [`Entry::rank`].
    places: BTreeMap<(TaskKey, Place), (u16, bool)>,
    /// How many rows each entry has.
    rows: BTreeMap<u64, usize>,
    /// The last entry of each job, and its receipt.
    receipts: BTreeMap<JobId, (u64, Cid)>,
}

impl Index {
    /// Adds an entry. Adding it again changes nothing.
    pub(super) fn add(&mut self, number: u64, entry: &Entry) {
        self.rows.insert(number, entry.rows.len());
        self.receipts.insert(entry.job, (number, entry.receipt));
        for (row, at) in entry.rows.iter().zip(0..) {
            let place = Place { entry: number, row: at };
            self.places.insert((row.key, place), entry.rank());
        }
    }

    /// The best places of a key, at most `most`: those of the highest rank come first, and the
    /// latest of them.
    pub(super) fn best(&self, key: TaskKey, most: usize) -> Vec<Place> {
        let first = Place { entry: 0, row: 0 };
        let last = Place { entry: u64::MAX, row: u32::MAX };
        let places = self.places.range((key, first)..=(key, last));
        let mut places: Vec<_> = places.map(|((_, place), rank)| (*rank, *place)).collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.into_iter().take(most).map(|(_, place)| place).collect()
    }

    /// The receipt of a job.
    pub(super) fn receipt(&self, job: &JobId) -> Option<Cid> {
        self.receipts.get(job).map(|(_, receipt)| *receipt)
    }

    /// Forgets the oldest entries if there are more rows than `most`, and some more, so that it is
    /// not done for every entry. Answers the first entry that is left, if any was forgotten.
    pub(super) fn trim(&mut self, most: usize) -> Option<u64> {
        let mut rows: usize = self.rows.values().sum();
        if rows <= most {
            return None;
        }
        while rows > most - most / 16 {
            let Some((_, gone)) = self.rows.pop_first() else { break };
            rows -= gone;
        }
        let first = self.rows.first_key_value().map_or(u64::MAX, |(number, _)| *number);
        self.places.retain(|(_, place), _| place.entry >= first);
        self.receipts.retain(|_, (last, _)| *last >= first);
        Some(first)
    }
}
