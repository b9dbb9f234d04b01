//! Writes to the log, one after the other; appends that wait become one.

use super::SharedTail;
use crate::{
    Error,
    engine::{LogId, Types},
    fault::Fault,
    lock::lock,
};
use bytes::Bytes;
use openraft::storage::IOFlushed;
use protocol::port::{Log, LogError};
use std::{io, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait, besides appends that were merged.
const QUEUE: usize = 256;
/// Bytes of appends that are merged into one write, unless one append alone has more.
const BATCH_BYTES: usize = 8 << 20;

type Done = oneshot::Sender<Result<(), LogError>>;

pub(super) struct Append {
    pub(super) first: u64,
    pub(super) records: Vec<Bytes>,
    pub(super) done: IOFlushed<Types>,
}

enum Write {
    Append(Append),
    Set {
        name: &'static str,
        value: Bytes,
        done: Done,
    },
    /// Kept unless there is a later snapshot.
    Snapshot {
        at: Option<LogId>,
        value: Bytes,
        done: Done,
    },
    Truncate {
        index: u64,
        done: Done,
    },
    Purge {
        index: u64,
        done: Done,
    },
    /// Nothing: answered once everything before it is done.
    Settle {
        done: Done,
    },
}

/// A way to the writer that does not keep it going. A cheap copy.
#[derive(Clone)]
pub(crate) struct Settling {
    queue: mpsc::WeakSender<Write>,
    fault: Fault,
}

impl Settling {
    /// Waits until everything is durable that was to be written so far.
    pub(crate) async fn settled(&self) -> Result<(), Error> {
        let queue = self.queue.upgrade().ok_or_else(|| self.fault.error())?;
        let (done, answer) = oneshot::channel();
        queue.send(Write::Settle { done }).await.map_err(|_| self.fault.error())?;
        drop(queue);
        answer.await.map_err(|_| self.fault.error())??;
        match &*self.fault.watch().borrow() {
            None => Ok(()),
            Some(reason) => Err(Error::Failed(reason.clone())),
        }
    }
}

/// The way to the writer. The writer ends when all copies are gone.
#[derive(Clone)]
pub(crate) struct Writes {
    queue: mpsc::Sender<Write>,
    fault: Fault,
}

impl Writes {
    pub(crate) fn settling(&self) -> Settling {
        Settling { queue: self.queue.downgrade(), fault: self.fault.clone() }
    }

    pub(super) async fn append(&self, append: Append) -> Result<(), io::Error> {
        self.queue.send(Write::Append(append)).await.map_err(|_| self.gone())
    }

    pub(super) async fn set(&self, name: &'static str, value: Bytes) -> Result<(), io::Error> {
        self.ask(|done| Write::Set { name, value, done }).await
    }

    /// Keeps a snapshot durably, unless there is a later one.
    pub(crate) async fn snapshot(&self, at: Option<LogId>, value: Bytes) -> Result<(), io::Error> {
        self.ask(|done| Write::Snapshot { at, value, done }).await
    }

    pub(super) async fn truncate(&self, index: u64) -> Result<(), io::Error> {
        self.ask(|done| Write::Truncate { index, done }).await
    }

    pub(super) async fn purge(&self, index: u64) -> Result<(), io::Error> {
        self.ask(|done| Write::Purge { index, done }).await
    }

    async fn ask(&self, write: impl FnOnce(Done) -> Write) -> Result<(), io::Error> {
        let (done, answer) = oneshot::channel();
        self.queue.send(write(done)).await.map_err(|_| self.gone())?;
        answer.await.map_err(|_| self.gone())?.map_err(|e| io::Error::other(e.to_string()))
    }

    fn gone(&self) -> io::Error {
        io::Error::other(self.fault.error().to_string())
    }
}

/// The only one that writes.
pub(crate) struct Writer {
    log: Arc<dyn Log>,
    tail: SharedTail,
    fault: Fault,
    queue: mpsc::Receiver<Write>,
    max_batch: usize,
    /// The position of the snapshot that is kept.
    snapshot: Option<LogId>,
}

impl Writer {
    pub(super) fn new(
        log: Arc<dyn Log>,
        tail: SharedTail,
        fault: Fault,
        max_batch: usize,
        snapshot: Option<LogId>,
    ) -> (Self, Writes) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let writes = Writes { queue: sender, fault: fault.clone() };
        (Self { log, tail, fault, queue, max_batch, snapshot }, writes)
    }

    /// Writes until nobody is left who could ask for it. After a failure it goes on answering; the
    /// log itself refuses whatever follows.
    pub(crate) async fn run(mut self) {
        let mut next = self.queue.recv().await;
        while let Some(write) = next {
            let mut held = None;
            match write {
                Write::Append(append) => held = self.append(append).await,
                Write::Set { name, value, done } => {
                    let result = self.log.set(name, value).await;
                    self.answer(done, result);
                }
                Write::Snapshot { at, value, done } => {
                    let result = self.keep(at, value).await;
                    self.answer(done, result);
                }
                Write::Truncate { index, done } => {
                    let result = self.log.truncate(index).await;
                    self.answer(done, result);
                }
                Write::Settle { done } => self.answer(done, Ok(())),
                Write::Purge { index, done } => {
                    let result = self.log.purge(index).await;
                    self.answer(done, result);
                }
            }
            next = match held {
                Some(write) => Some(write),
                None => self.queue.recv().await,
            };
        }
    }

    /// Writes one append together with those that wait behind it; returns the write after them.
    async fn append(&mut self, head: Append) -> Option<Write> {
        let (first, mut records) = (head.first, head.records);
        let mut bytes: usize = records.iter().map(Bytes::len).sum();
        let mut done = vec![head.done];
        let mut held = None;
        while records.len() < self.max_batch && bytes < BATCH_BYTES {
            match self.queue.try_recv() {
                Ok(Write::Append(more)) if more.first == first + records.len() as u64 => {
                    bytes += more.records.iter().map(Bytes::len).sum::<usize>();
                    records.extend(more.records);
                    done.push(more.done);
                }
                Ok(other) => {
                    held = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let next = first + records.len() as u64;
        let result = self.log.append(first, records).await;
        match &result {
            Ok(()) => lock(&self.tail).settle(next),
            Err(error) => self.fault.report(format!("its log cannot be written: {error}")),
        }
        for done in done {
            done.io_completed(result.clone().map_err(|e| io::Error::other(e.to_string())));
        }
        held
    }

    async fn keep(&mut self, at: Option<LogId>, value: Bytes) -> Result<(), LogError> {
        if self.snapshot.is_some() && at <= self.snapshot {
            return Ok(());
        }
        self.log.set(super::SNAPSHOT, value).await?;
        self.snapshot = at;
        Ok(())
    }

    fn answer(&self, done: Done, result: Result<(), LogError>) {
        if let Err(error) = &result {
            self.fault.report(format!("its log cannot be written: {error}"));
        }
        // Whoever asked may be gone by now: what was asked for is done all the same.
        let _gone = done.send(result);
    }
}
