//! The one thread that writes: many appends, one sync.

use super::{
    Reply,
    entry::{PAYLOAD_BYTES, PREFIX_BYTES, Prefix},
    recover::Active,
    segment::Segment,
    table::{Bounds, Table},
    values::Values,
};
use crate::{Error, JournalConfig, disk, frame::HEAD_BYTES, lock};
use bytes::Bytes;
use protocol::port::LogError;
use std::{
    fs, io,
    os::unix::fs::FileExt,
    sync::{Arc, RwLock},
};
use tokio::sync::mpsc;

/// What is asked of the writing thread. Whoever asked may have gone away meanwhile; it is done all
/// the same.
#[derive(Debug)]
pub(super) enum Change {
    Append { first: u64, entries: Vec<Bytes>, reply: Reply<()> },
    Truncate { index: u64, reply: Reply<()> },
    Purge { index: u64, reply: Reply<()> },
    Set { name: &'static str, value: Bytes, reply: Reply<()> },
}

pub(super) struct Writer {
    table: Arc<RwLock<Table>>,
    bounds: Arc<Bounds>,
    values: Arc<Values>,
    active: Option<Active>,
    config: JournalConfig,
    /// Why nothing is written any more.
    failed: Option<LogError>,
}

/// Appends that share a sync.
struct Batch {
    first: u64,
    entries: Vec<Bytes>,
    bytes: u64,
    replies: Vec<Reply<()>>,
}

impl Writer {
    pub(super) fn new(
        table: Arc<RwLock<Table>>,
        bounds: Arc<Bounds>,
        values: Arc<Values>,
        active: Option<Active>,
        config: JournalConfig,
    ) -> Self {
        Self { table, bounds, values, active, config, failed: None }
    }

    /// Serves changes until the last handle is gone.
    pub(super) fn run(mut self, mut changes: mpsc::Receiver<Change>) {
        let mut waiting = None;
        while let Some(change) = waiting.take().or_else(|| changes.blocking_recv()) {
            let (result, replies) = match change {
                Change::Append { first, entries, reply } => {
                    let Some(mut batch) = self.begin(first, entries, reply) else { continue };
                    waiting = self.gather(&mut batch, &mut changes);
                    (self.guard(|writer| writer.append(batch.first, &batch.entries)), batch.replies)
                }
                Change::Truncate { index, reply } => {
                    (self.guard(|writer| writer.truncate(index)), vec![reply])
                }
                Change::Purge { index, reply } => {
                    (self.guard(|writer| writer.purge(index)), vec![reply])
                }
                Change::Set { name, value, reply } => {
                    (self.guard(|writer| writer.values.write(name, &value)), vec![reply])
                }
            };
            for reply in replies {
                // Whoever asked may have gone away.
                drop(reply.send(result.clone()));
            }
        }
    }

    /// Starts a batch, or answers at once why not.
    fn begin(&self, first: u64, entries: Vec<Bytes>, reply: Reply<()>) -> Option<Batch> {
        let range = self.bounds.get();
        let expected = if range.is_empty() { first } else { range.end };
        let mut batch = Batch { first, entries: Vec::new(), bytes: 0, replies: Vec::new() };
        self.take(&mut batch, expected, first, entries, reply);
        (!batch.replies.is_empty()).then_some(batch)
    }

    /// Adds appends that wait already. Answers the first change that is none.
    fn gather(&self, batch: &mut Batch, changes: &mut mpsc::Receiver<Change>) -> Option<Change> {
        while batch.bytes < self.config.batch_bytes {
            match changes.try_recv().ok()? {
                Change::Append { first, entries, reply } => {
                    let expected = batch.first + batch.entries.len() as u64;
                    self.take(batch, expected, first, entries, reply);
                }
                other => return Some(other),
            }
        }
        None
    }

    fn take(
        &self,
        batch: &mut Batch,
        expected: u64,
        got: u64,
        entries: Vec<Bytes>,
        reply: Reply<()>,
    ) {
        let refused = match &self.failed {
            Some(failed) => Some(failed.clone()),
            None if got != expected => Some(LogError::Gap { expected, got }),
            None => entries.iter().find(|entry| entry.len() as u64 > PAYLOAD_BYTES).map(|entry| {
                LogError::Failed(format!("an entry of {} bytes is too large", entry.len()))
            }),
        };
        match refused {
            Some(error) => drop(reply.send(Err(error))),
            None => {
                batch.bytes += entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
                batch.entries.extend(entries);
                batch.replies.push(reply);
            }
        }
    }

    /// Does a change unless an earlier one failed; a failure now is the last word.
    fn guard(&mut self, change: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), LogError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let result = change(self).map_err(|error| {
            let dir = lock::read(&self.table).dir.clone();
            LogError::Failed(Error::io(&dir)(error).to_string())
        });
        if let Err(error) = &result {
            tracing::error!(%error, "a journal failed; it takes nothing until it is opened again");
            self.failed = Some(error.clone());
        }
        self.bounds.set(lock::read(&self.table).range());
        result
    }

    fn append(&mut self, first: u64, entries: &[Bytes]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        if self.bounds.get().is_empty() {
            self.start_at(first)?;
        }
        let mut rest = entries;
        let mut index = first;
        while !rest.is_empty() {
            let count = self.fitting(rest);
            self.write(index, &rest[..count])?;
            rest = &rest[count..];
            index += count as u64;
        }
        Ok(())
    }

    /// How many of the entries go into one sync; at least one.
    fn fitting(&self, entries: &[Bytes]) -> usize {
        let mut bytes = 0;
        let fits = |entry: &&Bytes| {
            bytes += entry.len() as u64;
            bytes <= self.config.batch_bytes
        };
        entries.iter().take_while(fits).count().max(1)
    }

    /// An empty journal begins wherever its first entry does.
    fn start_at(&mut self, first: u64) -> io::Result<()> {
        let table = self.table.clone();
        let mut table = lock::write(&table);
        if table.segments.last().is_some_and(|segment| segment.range.start == first)
            && table.start == first
        {
            return Ok(());
        }
        self.active = None;
        self.drop_segments(&mut table, |_| true)?;
        self.values.write_start(first)?;
        table.start = first;
        Ok(())
    }

    /// Writes entries that share one sync.
    fn write(&mut self, first: u64, entries: &[Bytes]) -> io::Result<()> {
        self.roll(first)?;
        let active = self.active.as_mut().expect("there is a segment to write to");
        let mut frames = Vec::new();
        let (framing, at) = {
            let table = lock::read(&self.table);
            let segment = table.segments.last().expect("the active segment is in the table");
            (segment.framing, segment.end)
        };
        for (index, entry) in (first..).zip(entries) {
            let is_last = index == first + entries.len() as u64 - 1;
            let prefix = Prefix { index, batch: active.batch, is_last };
            framing.put(&mut frames, &[&prefix.encode(), entry]);
        }
        active.file.write_all_at(&frames, at)?;
        active.file.sync_data()?;
        active.batch += 1;
        let mut table = lock::write(&self.table);
        let segment = table.segments.last_mut().expect("the active segment is in the table");
        for entry in entries {
            segment.grow(HEAD_BYTES + (PREFIX_BYTES + entry.len()) as u64);
        }
        Ok(())
    }

    /// Begins a new segment if there is none, or the last one is full or was cut.
    fn roll(&mut self, first: u64) -> io::Result<()> {
        let mut table = lock::write(&self.table);
        let end = table.segments.last().map_or(0, |segment| segment.end);
        let is_usable = self.active.as_ref().is_some_and(|active| !active.is_cut)
            && end < self.config.segment_bytes;
        if is_usable {
            return Ok(());
        }
        let (segment, file) = Segment::create(&table.dir, first)?;
        table.segments.push(segment);
        self.active = Some(Active { file, batch: 0, is_cut: false });
        Ok(())
    }

    fn truncate(&mut self, index: u64) -> io::Result<()> {
        let table = self.table.clone();
        let mut table = lock::write(&table);
        let range = table.range();
        let index = index.max(range.start);
        if index >= range.end {
            return Ok(());
        }
        // From the end backwards: a crash leaves a beginning without gaps.
        self.active = None;
        let keeps = |segment: &Segment| segment.range.start < index;
        self.drop_segments(&mut table, |segment| !keeps(segment))?;
        let Some(last) = table.segments.last_mut() else {
            return self.values.write_start(index);
        };
        let at = if index < last.range.end { last.place(index)? } else { last.end };
        let file = fs::File::options().read(true).write(true).open(&last.path)?;
        file.set_len(at)?;
        file.sync_data()?;
        last.shrink(index, at);
        // Batches are counted by segment, and the cut may go through one: the next entry begins
        // a new segment.
        self.active = Some(Active { file, batch: 0, is_cut: true });
        Ok(())
    }

    fn purge(&mut self, index: u64) -> io::Result<()> {
        let table = self.table.clone();
        let mut table = lock::write(&table);
        let range = table.range();
        if index <= range.start {
            return Ok(());
        }
        self.values.write_start(index)?;
        table.start = index;
        let is_last_too = index >= range.end;
        if is_last_too {
            self.active = None;
        }
        let last = table.segments.len().saturating_sub(usize::from(!is_last_too));
        let gone =
            table.segments[..last].iter().take_while(|segment| segment.range.end <= index).count();
        // From the beginning on: a crash leaves an end without gaps.
        for segment in table.segments.drain(..gone) {
            fs::remove_file(&segment.path)?;
        }
        disk::sync_dir(&table.dir)
    }

    /// Removes segments at the end, the last one first, durably.
    fn drop_segments(
        &self,
        table: &mut Table,
        is_gone: impl Fn(&Segment) -> bool,
    ) -> io::Result<()> {
        while let Some(segment) = table.segments.pop_if(|segment| is_gone(segment)) {
            fs::remove_file(&segment.path)?;
        }
        disk::sync_dir(&table.dir)
    }
}
