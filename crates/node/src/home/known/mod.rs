//! Results that are known: for a task that was run before, which receipt has what it gave.
//!
//! What is kept of each receipt is appended to a journal before the job counts as finished. The
//! index over it is made when it is first needed. Losing the journal costs nothing but time; what
//! it says is answered only as long as the receipt and the files that it names are in the store.

mod entry;
mod find;
mod index;
mod learn;
#[cfg(test)]
mod tests;

pub(crate) use entry::{Entry, entries_of};

use anyhow::Context;
use index::{Index, Place};
use objects::Cid;
use protocol::{
    JobId, TaskKey,
    port::{Log, LogError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use storage::{Journal, JournalConfig};
use tokio::sync::{OnceCell, Semaphore};

/// Bytes of one segment of the journal.
const SEGMENT_BYTES: u64 = 4 << 20;
/// Entries that are read at once.
const READ: u64 = 16;

/// What the owner of a node may choose about results that are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Tasks whose results are found again, the oldest forgotten first. Each takes about 80 bytes
    /// of memory and 250 of disk. Default: 200000.
    pub tasks: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { tasks: 200_000 }
    }
}

/// Which results are known.
pub(crate) struct Known {
    log: Arc<dyn Log>,
    config: Config,
    index: OnceCell<Mutex<Index>>,
    /// Jobs whose entries are being written: a receipt may be written twice at the same time.
    writing: Mutex<BTreeSet<JobId>>,
    /// Held by whoever appends: entries have numbers.
    turn: Semaphore,
    /// Held by whoever reads a receipt that another member wrote.
    learning: Semaphore,
}

/// Entries that are in the journal, and not in the index yet.
pub(crate) struct Written {
    job: JobId,
    entries: Vec<(u64, Entry)>,
}

impl Known {
    /// What is written down in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// If the journal in it cannot be read. It only saves time: it can be deleted.
    pub(crate) fn open(dir: &Path, config: &Config) -> anyhow::Result<Self> {
        // Space is given back by whole segments.
        let settings = JournalConfig { segment_bytes: SEGMENT_BYTES, ..JournalConfig::default() };
        let log = Journal::open_with(dir, settings).with_context(|| {
            format!("results that are known; {} only saves time and can be deleted", dir.display())
        })?;
        Ok(Self::new(Arc::new(log), config.clone()))
    }

    pub(crate) fn new(log: Arc<dyn Log>, config: Config) -> Self {
        let (index, writing) = (OnceCell::new(), Mutex::default());
        let [turn, learning] = [Semaphore::new(1), Semaphore::new(1)];
        Self { log, config, index, writing, turn, learning }
    }

    /// Writes down what is known of a job. `None` if nothing was written.
    pub(crate) async fn write(&self, job: JobId, entries: Vec<Entry>) -> Option<Written> {
        if entries.is_empty() || !lock(&self.writing).insert(job) {
            return None;
        }
        match self.append(&entries).await {
            Ok(first) => Some(Written { job, entries: (first..).zip(entries).collect() }),
            Err(error) => {
                tracing::warn!(%job, %error, "its results will not be found again");
                lock(&self.writing).remove(&job);
                None
            }
        }
    }

    /// Whether the entries of a job are written, and not found yet.
    fn is_writing(&self, job: &JobId) -> bool {
        lock(&self.writing).contains(job)
    }

    async fn append(&self, entries: &[Entry]) -> Result<u64, LogError> {
        let bytes = entries.iter().map(|entry| entry.encode().into()).collect();
        let _turn = self.turn.acquire().await;
        let first = self.log.range().end;
        self.log.append(first, bytes).await?;
        Ok(first)
    }

    /// From now on, what was written is found; what is too old is not any more.
    ///
    /// # Errors
    /// If the journal failed.
    pub(crate) async fn enter(&self, written: Written) -> Result<(), LogError> {
        let index = self.index().await?;
        let first = {
            let mut index = lock(index);
            written.entries.iter().for_each(|(number, entry)| index.add(*number, entry));
            index.trim(self.config.tasks)
        };
        lock(&self.writing).remove(&written.job);
        match first {
            Some(first) => self.log.purge(first.min(self.log.range().end)).await,
            None => Ok(()),
        }
    }

    /// The receipt of a job of which something is known.
    ///
    /// # Errors
    /// If the journal failed.
    pub(crate) async fn receipt(&self, job: &JobId) -> Result<Option<Cid>, LogError> {
        Ok(lock(self.index().await?).receipt(job))
    }

    /// Receipts and files of everything that is known: what must stay for it to be found.
    ///
    /// # Errors
    /// If the journal failed.
    pub(crate) async fn objects(&self) -> Result<BTreeSet<Cid>, LogError> {
        let all = self.log.range();
        let (mut objects, mut next) = (BTreeSet::new(), all.start);
        while next < all.end {
            let end = all.end.min(next + READ);
            for entry in self.read(next..end).await?.into_values() {
                objects.insert(entry.receipt);
                objects.extend(entry.rows.into_iter().flat_map(|row| row.files));
            }
            next = end;
        }
        Ok(objects)
    }

    /// The best places of each key, at most `most` of each.
    async fn places(&self, keys: &[TaskKey], most: usize) -> Result<Vec<Vec<Place>>, LogError> {
        let index = lock(self.index().await?);
        Ok(keys.iter().map(|key| index.best(*key, most)).collect())
    }

    /// Entries of a range, without those that were forgotten meanwhile or cannot be read.
    async fn read(&self, range: Range<u64>) -> Result<BTreeMap<u64, Entry>, LogError> {
        let there = self.log.range();
        let range = range.start.max(there.start)..range.end.min(there.end);
        if range.is_empty() {
            return Ok(BTreeMap::new());
        }
        let bytes = match self.log.read(range.clone()).await {
            Err(LogError::Missing(_)) => return Ok(BTreeMap::new()),
            read => read?,
        };
        let entry = |(number, bytes): (u64, bytes::Bytes)| match Entry::decode(&bytes) {
            Ok(entry) => Some((number, entry)),
            Err(error) => {
                tracing::warn!(number, %error, "what is known of some tasks cannot be read");
                None
            }
        };
        Ok(range.zip(bytes).filter_map(entry).collect())
    }

    async fn index(&self) -> Result<&Mutex<Index>, LogError> {
        self.index.get_or_try_init(|| self.load()).await
    }

    async fn load(&self) -> Result<Mutex<Index>, LogError> {
        let mut index = Index::default();
        let all = self.log.range();
        let mut next = all.start;
        while next < all.end {
            let end = all.end.min(next + READ);
            for (number, entry) in self.read(next..end).await? {
                index.add(number, &entry);
            }
            next = end;
        }
        Ok(Mutex::new(index))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is half done between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
