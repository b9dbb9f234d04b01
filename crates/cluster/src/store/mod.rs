//! The engine's log on the `Log` port: entries, vote, committed pointer and snapshots.

mod reader;
mod tail;
mod writer;

pub(crate) use reader::Reader;
pub(crate) use writer::{Settling, Writer, Writes};

use crate::{
    Config, Error,
    engine::{Entry, LogId, Types, Vote},
    fault::Fault,
    lock::lock,
    record,
    removed::Removed,
};
use openraft::{
    LogState, OptionalSend,
    storage::{IOFlushed, RaftLogStorage},
};
use protocol::port::Log;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tail::Tail;
use writer::Append;

/// Names of the values beside the entries.
pub(crate) const VOTE: &str = "vote";
pub(crate) const COMMITTED: &str = "committed";
pub(crate) const PURGED: &str = "purged";
pub(crate) const SNAPSHOT: &str = "snapshot";
pub(crate) const ORIGIN: &str = "origin";
pub(crate) const BELONGS: &str = "belongs";
/// The entry that let this node in.
pub(crate) const JOINED: &str = "joined";

/// How far the committed pointer may run ahead of its copy on disk, in entries. Each copy costs a
/// sync; the pointer may lag, because nothing is answered before an elected leader has committed
/// the whole log again.
const COMMITTED_LAG: u64 = 1_024;

type SharedTail = Arc<Mutex<Tail>>;

/// A look at what this node has voted and written. A cheap copy.
#[derive(Clone)]
pub(crate) struct Glance(SharedTail);

impl Glance {
    /// The last vote that is durable.
    pub(crate) fn vote(&self) -> Option<Vote> {
        lock(&self.0).vote
    }

    /// The term of that vote, and the last entry.
    pub(crate) fn standing(&self) -> (u64, Option<LogId>) {
        let tail = lock(&self.0);
        (tail.vote.map_or(0, |vote| vote.leader_id.term), tail.last)
    }
}

/// The log as the engine knows it.
pub(crate) struct LogStore {
    reader: Reader,
    /// Index of the committed pointer on disk.
    committed_kept: u64,
}

/// What lies in a log before the engine starts.
pub(crate) struct Opened {
    pub(crate) store: LogStore,
    pub(crate) writer: Writer,
    pub(crate) writes: Writes,
    pub(crate) glance: Glance,
    /// The last term in which this node voted, 0 if it never did.
    pub(crate) term: u64,
    /// The index of the last entry that was written in an earlier life.
    pub(crate) last: Option<u64>,
    /// Who was removed by that entry.
    pub(crate) removed: Removed,
}

/// Looks at what is in the log and mends what a crash left half done.
///
/// # Errors
/// [`Error::Log`], or that something cannot be read.
pub(crate) async fn open(
    config: &Config,
    log: Arc<dyn Log>,
    fault: Fault,
) -> Result<Opened, Error> {
    let position = |bytes: bytes::Bytes| record::position_of(&bytes);
    let purged = log.value(PURGED).await?.map(position).transpose()?;
    if let Some(purged) = purged {
        let range = log.range();
        // The pointer is written before entries are removed.
        if range.start <= purged.index {
            log.purge(purged.index + 1).await?;
        }
        // Entries after the pointer are gone that were never in a snapshot.
        if range.start > purged.index + 1 {
            let reason = format!("it begins at {}, not after {}", range.start, purged.index);
            return Err(Error::Unreadable { what: "the cluster's log", reason });
        }
    }
    let range = log.range();
    let mut tail = Tail::new(range.clone(), config.recent_bytes);
    tail.purged = purged;
    tail.last = purged;
    tail.vote = log.value(VOTE).await?.map(|bytes| record::vote_of(&bytes)).transpose()?;
    tail.committed = log.value(COMMITTED).await?.map(position).transpose()?;
    if !range.is_empty() {
        let last = range.end - 1;
        for bytes in log.read(last..range.end).await? {
            tail.last = Some(record::entry_of(last, &bytes)?.log_id);
        }
    }
    let snapshot = match log.value(SNAPSHOT).await? {
        Some(bytes) => Some(record::kept_of(&bytes)?),
        None => None,
    };
    let kept = snapshot.as_ref().and_then(|kept| kept.applied);
    let removed = Removed::in_log(&*log, snapshot).await?;
    let term = tail.vote.map_or(0, |vote| vote.leader_id.term);
    let committed_kept = tail.committed.map_or(0, |id| id.index);
    let last = tail.last.map(|id| id.index);
    let tail = Arc::new(Mutex::new(tail));
    let glance = Glance(tail.clone());
    let (writer, writes) =
        Writer::new(log.clone(), tail.clone(), fault.clone(), config.max_batch, kept);
    let reader = Reader { log, tail, fault, writes: writes.clone() };
    let store = LogStore { reader, committed_kept };
    Ok(Opened { store, writer, writes, glance, term, last, removed })
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Reader;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let tail = lock(&self.reader.tail);
        Ok(LogState { last_purged_log_id: tail.purged, last_log_id: tail.last })
    }

    async fn get_log_reader(&mut self) -> Reader {
        self.reader.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.reader.writes.set(VOTE, record::vote_bytes(vote)).await?;
        lock(&self.reader.tail).vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        let Some(committed) = committed else { return Ok(()) };
        lock(&self.reader.tail).committed = Some(committed);
        if committed.index >= self.committed_kept + COMMITTED_LAG {
            self.reader.writes.set(COMMITTED, record::position_bytes(committed)).await?;
            self.committed_kept = committed.index;
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(lock(&self.reader.tail).committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let Some(first) = entries.first().map(|entry| entry.log_id.index) else {
            callback.io_completed(Ok(()));
            return Ok(());
        };
        let records: Vec<_> = entries.iter().map(record::entry_bytes).collect();
        let sizes: Vec<_> = records.iter().map(bytes::Bytes::len).collect();
        lock(&self.reader.tail).push(entries.into_iter().zip(sizes));
        self.reader.writes.append(Append { first, records, done: callback }).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> Result<(), io::Error> {
        let bounds = lock(&self.reader.tail).bounds();
        let next = last.map_or(0, |id| id.index + 1).max(bounds.start);
        if next < bounds.end {
            // Readers must not look for what is about to go.
            lock(&self.reader.tail).truncate(last);
            self.reader.writes.truncate(next).await?;
        }
        Ok(())
    }

    async fn purge(&mut self, last: LogId) -> Result<(), io::Error> {
        if lock(&self.reader.tail).purged >= Some(last) {
            return Ok(());
        }
        self.reader.writes.set(PURGED, record::position_bytes(last)).await?;
        lock(&self.reader.tail).purge(last);
        self.reader.writes.purge(last.index + 1).await
    }
}
