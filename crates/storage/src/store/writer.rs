//! The one thread that writes: many puts, one sync.

use super::{
    index::Index,
    pack::{Location, Packs, Tail},
    recover,
};
use crate::{Config, disk};
use bytes::Bytes;
use objects::Cid;
use protocol::port::BlobError;
use std::{collections::HashSet, io, sync::Arc};
use tokio::sync::{mpsc, oneshot};

/// Blobs after which the index is made durable, however small they are.
const CHECKPOINT_BLOBS: u64 = 4096;

/// Blobs to keep. Whoever asked may have gone away meanwhile; the blobs are kept all the same.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) blobs: Vec<(Cid, Bytes)>,
    pub(super) reply: oneshot::Sender<Result<(), BlobError>>,
}

pub(super) struct Writer {
    packs: Arc<Packs>,
    index: Arc<Index>,
    tail: Tail,
    config: Config,
    /// Written since the index was durable.
    open_bytes: u64,
    open_blobs: u64,
    /// Packs and index may disagree after a failure; nothing is written until they agree again.
    must_repair: bool,
}

/// What one sync makes durable.
#[derive(Default)]
struct Batch {
    records: Vec<u8>,
    blobs: Vec<(Cid, Location)>,
    names: HashSet<Cid>,
    replies: Vec<oneshot::Sender<Result<(), BlobError>>>,
}

impl Writer {
    pub(super) fn new(packs: Arc<Packs>, index: Arc<Index>, tail: Tail, config: Config) -> Self {
        Self { packs, index, tail, config, open_bytes: 0, open_blobs: 0, must_repair: false }
    }

    /// Serves puts until the last handle is gone.
    pub(super) fn run(mut self, mut puts: mpsc::Receiver<Put>) {
        while let Some(put) = puts.blocking_recv() {
            if let Err(error) = self.prepare() {
                drop(put.reply.send(Err(error)));
                continue;
            }
            let mut batch = Batch::default();
            self.take(put, &mut batch);
            while (batch.records.len() as u64) < self.config.batch_bytes
                && let Ok(put) = puts.try_recv()
            {
                self.take(put, &mut batch);
            }
            self.commit(batch);
        }
        if let Err(failure) = self.index.add(&[], self.tail, true) {
            tracing::warn!(reason = failure.reason, "the index is completed at the next start");
        }
    }

    /// Makes packs and index agree after a failure, and begins a new pack when one is full.
    fn prepare(&mut self) -> Result<(), BlobError> {
        if self.must_repair || self.index.is_closed() {
            self.repair().map_err(|error| self.explain(&error))?;
        }
        if self.tail.end >= self.config.pack_bytes {
            let next = self.packs.create(self.tail.pack + 1);
            self.tail = next.map_err(|error| self.explain(&error))?;
        }
        Ok(())
    }

    /// Adds a put to the batch, or answers at once why not.
    fn take(&self, put: Put, batch: &mut Batch) {
        match self.check(&put.blobs, batch) {
            Ok(new) => {
                for (cid, bytes) in new {
                    let offset = self.tail.end + batch.records.len() as u64;
                    let length = u32::try_from(bytes.len()).expect("the blob limit is below 4 GiB");
                    self.packs.put(&mut batch.records, &cid, &bytes);
                    batch.blobs.push((cid, Location { pack: self.tail.pack, offset, length }));
                    batch.names.insert(cid);
                }
                batch.replies.push(put.reply);
            }
            Err(error) => drop(put.reply.send(Err(error))),
        }
    }

    /// The blobs of a put that are neither here nor in the batch, after all checks.
    fn check(&self, blobs: &[(Cid, Bytes)], batch: &Batch) -> Result<Vec<(Cid, Bytes)>, BlobError> {
        for (cid, bytes) in blobs {
            cid.check(bytes).map_err(|_| BlobError::Mismatch(*cid))?;
        }
        let cids: Vec<_> = blobs.iter().map(|(cid, _)| *cid).collect();
        let found = self.index.find(&cids).map_err(super::index::Failure::into_blob_error)?;
        let mut names = HashSet::new();
        let new: Vec<_> = blobs
            .iter()
            .zip(found)
            .filter(|((cid, _), found)| {
                found.is_none() && !batch.names.contains(cid) && names.insert(*cid)
            })
            .map(|(blob, _)| blob.clone())
            .collect();
        let bytes: u64 = new.iter().map(|(_, bytes)| Packs::record_bytes(bytes.len())).sum();
        if bytes > 0 {
            self.check_space(batch.records.len() as u64 + bytes)?;
        }
        Ok(new)
    }

    fn check_space(&self, bytes: u64) -> Result<(), BlobError> {
        let free_bytes = self.free_bytes().map_err(|e| BlobError::Io(e.to_string()))?;
        let reserve_bytes = self.config.reserve_bytes;
        if free_bytes.saturating_sub(bytes) < reserve_bytes {
            return Err(BlobError::Full { free_bytes, reserve_bytes });
        }
        Ok(())
    }

    fn commit(&mut self, batch: Batch) {
        let result = self.write(&batch).map_err(|error| self.explain(&error));
        if let Err(error) = &result {
            tracing::warn!(%error, blobs = batch.blobs.len(), "a write failed");
        }
        for reply in batch.replies {
            // Whoever asked may have gone away.
            drop(reply.send(result.clone()));
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        if batch.blobs.is_empty() {
            return Ok(());
        }
        self.must_repair = true;
        if let Err(error) = self.packs.write(self.tail, &batch.records) {
            // Give the space back, and leave nothing half written behind.
            self.packs.cut(self.tail)?;
            self.must_repair = false;
            return Err(error);
        }
        self.open_bytes += batch.records.len() as u64;
        self.open_blobs += batch.blobs.len() as u64;
        let end = self.tail.end + batch.records.len() as u64;
        let tail = Tail { end, ..self.tail };
        let durable =
            self.open_bytes >= self.config.checkpoint_bytes || self.open_blobs >= CHECKPOINT_BLOBS;
        match self.index.add(&batch.blobs, tail, durable) {
            Ok(()) => self.tail = tail,
            // The blobs are in the pack: a repair finds them.
            Err(failure) => {
                return self.repair().map_err(|error| {
                    tracing::warn!(%error, "the index could not be repaired; it is tried again");
                    failure.into()
                });
            }
        }
        if durable {
            (self.open_bytes, self.open_blobs) = (0, 0);
        }
        self.must_repair = false;
        Ok(())
    }

    fn repair(&mut self) -> io::Result<()> {
        self.index.reopen()?;
        self.tail = recover::catch_up(&self.packs, &self.index).map_err(io::Error::other)?;
        (self.open_bytes, self.open_blobs) = (0, 0);
        self.must_repair = false;
        Ok(())
    }

    fn explain(&self, error: &io::Error) -> BlobError {
        if disk::is_full(error) {
            let free_bytes = self.free_bytes().unwrap_or_default();
            return BlobError::Full { free_bytes, reserve_bytes: self.config.reserve_bytes };
        }
        BlobError::Io(error.to_string())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        disk::free_bytes(self.packs.dir())
    }
}
