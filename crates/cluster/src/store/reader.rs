//! Reading entries, from memory where they are recent.

use super::{SharedTail, Writes};
use crate::{
    engine::{Command, Entry, Payload, Types, Vote},
    fault::Fault,
    lock::lock,
    record,
    wire::ENTRIES_BYTES,
};
use futures::{Stream, StreamExt, stream};
use openraft::{OptionalSend, RaftLogReader};
use protocol::port::{Log, LogError};
use std::{
    collections::VecDeque,
    fmt::Debug,
    io,
    ops::{Bound, Range, RangeBounds},
    sync::Arc,
};

/// Entries that are read at a time while many are gone through.
const CHUNK: u64 = 64;

/// A reader of the log. A cheap copy.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(super) log: Arc<dyn Log>,
    pub(super) tail: SharedTail,
    pub(super) fault: Fault,
    /// Held last: the writer ends, and a shutdown with it, when nobody has the log any more.
    pub(super) writes: Writes,
}

impl Reader {
    /// The entries of `range` that are there.
    async fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>, io::Error> {
        loop {
            let (old, recent, bounds) = {
                let tail = lock(&self.tail);
                let bounds = tail.bounds();
                let start = range.start.max(bounds.start);
                let end = range.end.min(bounds.end).max(start);
                let split = tail.recent_from().clamp(start, end);
                (start..split, tail.recent(split..end), bounds)
            };
            if old.is_empty() {
                return Ok(recent);
            }
            match self.log.read(old.clone()).await {
                Ok(records) => return self.decode(old, records.iter(), recent),
                // The log was shortened meanwhile: what is asked for begins later now.
                Err(LogError::Missing(_)) if lock(&self.tail).bounds() != bounds => {}
                Err(error) => {
                    return Err(self.fault.fail(format!("its log cannot be read: {error}")));
                }
            }
        }
    }

    fn decode<'a>(
        &self,
        old: Range<u64>,
        records: impl Iterator<Item = &'a bytes::Bytes>,
        recent: Vec<Entry>,
    ) -> Result<Vec<Entry>, io::Error> {
        let mut entries = Vec::with_capacity(recent.len());
        for (index, bytes) in old.zip(records) {
            entries.push(record::entry_of(index, bytes).map_err(|e| self.fault.fail(e))?);
        }
        entries.extend(recent);
        Ok(entries)
    }
}

/// Bytes of what an entry tells; the rest of it is small.
fn size_of(entry: &Entry) -> usize {
    match &entry.payload {
        Payload::Normal(Command::Input { input, .. }) => input.len(),
        Payload::Normal(Command::Removed { .. }) | Payload::Blank | Payload::Membership(_) => 0,
    }
}

fn bounds_of(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

impl RaftLogReader<Types> for Reader {
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let range = bounds_of(&range);
        let start = (self.clone(), range, VecDeque::new());
        stream::try_unfold(start, |(reader, mut rest, mut ready)| async move {
            if ready.is_empty() && !rest.is_empty() {
                let end = rest.end.min(rest.start.saturating_add(CHUNK));
                ready = reader.entries(rest.start..end).await?.into();
                // Beyond the end of the log nothing more comes.
                rest.start = if ready.is_empty() { rest.end } else { end };
            }
            let entry: Option<Entry> = ready.pop_front();
            Ok(entry.map(|entry| (entry, (reader, rest, ready))))
        })
        .boxed()
    }

    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        self.entries(bounds_of(&range)).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(lock(&self.tail).vote)
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        let mut entries = self.entries(start..end.min(start.saturating_add(CHUNK))).await?;
        let mut size_bytes = 0;
        let fits = |entry: &&Entry| {
            size_bytes += size_of(entry);
            size_bytes <= ENTRIES_BYTES
        };
        let fitting = entries.iter().take_while(fits).count();
        entries.truncate(fitting.max(1));
        Ok(entries)
    }
}
