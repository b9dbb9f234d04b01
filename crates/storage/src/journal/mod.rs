//! A durable sequence of entries on this machine's disk, with a few named values beside it.
//!
//! One thread writes. Appends that arrive together share one sync. Entries live in segment files;
//! purging drops whole segments. A failed write poisons the journal: what reached the disk is known
//! only after it is opened again.

mod entry;
mod recover;
mod segment;
mod table;
mod values;
mod writer;

use crate::{Error, JournalConfig, home::Home, lane::Lane, lock};
use bytes::Bytes;
use protocol::port::{Answer, Log, LogError};
use std::{
    ops::Range,
    path::Path,
    sync::{Arc, RwLock},
};
use table::Bounds;
use tokio::sync::oneshot;
use values::Values;
use writer::{Change, Writer};

/// The format of the directory that is written here.
const FORMAT: u32 = 1;

/// One journal. A handle: clones share one journal, which closes with the last of them; dropping
/// that one waits for the disk.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

/// Fields are dropped in this order: the threads end before the directory is given free.
#[derive(Debug)]
struct Inner {
    writer: Lane<Change>,
    reader: Lane<Read>,
    bounds: Arc<Bounds>,
    _home: Home,
}

type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// What is asked of the reading thread. Whoever asked may have gone away meanwhile.
#[derive(Debug)]
enum Read {
    Entries(Range<u64>, Reply<Vec<Bytes>>),
    Value(&'static str, Reply<Option<Bytes>>),
}

impl Journal {
    /// Opens the journal in `dir`, making it if it is missing. A torn end, which was never
    /// acknowledged, is cut off. Blocks while it reads the last segment.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Damaged`] if entries that were acknowledged cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(dir, JournalConfig::default())
    }

    /// As [`Self::open`], with other settings.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn open_with(dir: impl AsRef<Path>, config: JournalConfig) -> Result<Self, Error> {
        let dir = dir.as_ref();
        config.check()?;
        let home = Home::open(dir, "journal", FORMAT)?;
        let values = Arc::new(Values::open(&home.dir.join("values"))?);
        let recovered = recover::open(&home.dir.join("segments"), &values)?;
        let bounds = Arc::new(Bounds::new(recovered.table.range()));
        let table = Arc::new(RwLock::new(recovered.table));

        let start = Error::io(dir);
        let queue = config.queue;
        let reading = (table.clone(), values.clone());
        let reader = Lane::pool("journal-read", 1, queue, move |read| match read {
            Read::Entries(range, reply) => {
                drop(reply.send(lock::read(&reading.0).read(range)));
            }
            Read::Value(name, reply) => drop(reply.send(reading.1.read(name))),
        })
        .map_err(&start)?;
        let writing = Writer::new(table, bounds.clone(), values, recovered.active, config);
        let writer =
            Lane::single("journal-write", queue, |changes| writing.run(changes)).map_err(&start)?;
        Ok(Self(Arc::new(Inner { writer, reader, bounds, _home: home })))
    }

    fn change(
        &self,
        change: impl FnOnce(Reply<()>) -> Change + Send + 'static,
    ) -> Answer<'static, Result<(), LogError>> {
        let inner = self.0.clone();
        Box::pin(async move { inner.writer.ask(change).await.unwrap_or_else(died) })
    }
}

impl Log for Journal {
    fn append(&self, first: u64, entries: Vec<Bytes>) -> Answer<'static, Result<(), LogError>> {
        self.change(move |reply| Change::Append { first, entries, reply })
    }

    fn read(&self, range: Range<u64>) -> Answer<'static, Result<Vec<Bytes>, LogError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            inner.reader.ask(|reply| Read::Entries(range, reply)).await.unwrap_or_else(died)
        })
    }

    fn range(&self) -> Range<u64> {
        self.0.bounds.get()
    }

    fn truncate(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.change(move |reply| Change::Truncate { index, reply })
    }

    fn purge(&self, index: u64) -> Answer<'static, Result<(), LogError>> {
        self.change(move |reply| Change::Purge { index, reply })
    }

    /// # Panics
    /// If the name is not made of 1 to 64 lower-case letters, digits and `-`: names are constants.
    fn set(&self, name: &'static str, value: Bytes) -> Answer<'static, Result<(), LogError>> {
        values::check_name(name);
        self.change(move |reply| Change::Set { name, value, reply })
    }

    /// # Panics
    /// As [`Self::set`].
    fn value(&self, name: &'static str) -> Answer<'static, Result<Option<Bytes>, LogError>> {
        values::check_name(name);
        let inner = self.0.clone();
        Box::pin(async move {
            inner.reader.ask(|reply| Read::Value(name, reply)).await.unwrap_or_else(died)
        })
    }
}

fn died<T>() -> Result<T, LogError> {
    Err(LogError::Failed("a thread of the journal died; restart the node".into()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
