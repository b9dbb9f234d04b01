//! The one thread that writes: many puts, one sync.

mod batch;
mod care;
mod job;
mod take;

pub(super) use job::{Care, Job, Move, Put, Reply, Swept};

use super::{
    Shared,
    pack::Tail,
    record::{Place, Row},
    recover,
};
use crate::disk;
use batch::Batch;
use care::Collecting;
use objects::Cid;
use protocol::port::BlobError;
use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
};
use tokio::sync::mpsc;

/// Blobs after which the index is made durable, however small they are.
const CHECKPOINT_BLOBS: u64 = 16_384;
/// Time for which it need not be noted again that a blob was put again, in milliseconds.
const TOUCH_MS: u64 = 10 * 60_000;
/// Blobs that were put again of which it is known when that was noted.
const TOUCHED: usize = 16_384;

pub(super) struct Writer {
    shared: Arc<Shared>,
    tail: Tail,
    /// Bytes of all blobs, for the quota.
    used_bytes: u64,
    /// Written since the index was durable.
    open_bytes: u64,
    open_blobs: u64,
    /// Packs and index may disagree after a failure; nothing is written until they agree again.
    must_repair: bool,
    /// The latest records that say what time it is, of [`TOUCH_MS`].
    times: VecDeque<(Place, u64)>,
    /// When it was noted that a blob was put again.
    touched: HashMap<Cid, u64>,
    /// What a collection has to know that runs at the moment.
    collecting: Option<Collecting>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, tail: Tail) -> Self {
        Self {
            shared,
            tail,
            used_bytes: 0,
            open_bytes: 0,
            open_blobs: 0,
            must_repair: false,
            times: VecDeque::new(),
            touched: HashMap::new(),
            collecting: None,
        }
    }

    /// Serves jobs until the last handle is gone.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        self.recount();
        let mut held = None;
        while let Some(job) = held.take().or_else(|| jobs.blocking_recv()) {
            let framing = match self.prepare() {
                Ok(framing) => framing,
                Err(error) => {
                    job.refuse(error);
                    continue;
                }
            };
            let mut batch = Batch::new(self.tail, framing);
            let mut next = Some(job);
            while let Some(job) = next.take() {
                match job {
                    Job::Care(care) if batch.is_empty() => {
                        self.care(care);
                        // It may have begun a new pack.
                        break;
                    }
                    job if !take::can_join(&job, &batch) => {
                        held = Some(job);
                        break;
                    }
                    job => self.take(job, &mut batch),
                }
                if batch.parts.length() < self.shared.config.batch_bytes {
                    next = jobs.try_recv().ok();
                }
            }
            self.commit(batch);
        }
        if let Err(failure) = self.shared.index.add(&[], self.tail, true) {
            tracing::warn!(reason = failure.reason, "the index is completed at the next start");
        }
    }

    /// Makes packs and index agree after a failure, and begins a new pack when one is full.
    fn prepare(&mut self) -> Result<crate::frame::Framing, BlobError> {
        if self.must_repair || self.shared.index.is_closed() {
            self.repair().map_err(|error| self.explain(&error))?;
        }
        if self.tail.end >= self.shared.config.pack_bytes {
            self.begin_pack().map_err(|error| self.explain(&error))?;
        }
        let pack = self.shared.packs.pack(self.tail.pack);
        Ok(pack.map_err(|error| self.explain(&error))?.framing)
    }

    fn begin_pack(&mut self) -> io::Result<()> {
        self.tail = self.shared.packs.create(self.tail.pack + 1)?;
        Ok(())
    }

    fn commit(&mut self, mut batch: Batch) {
        let now_ms = self.shared.now_ms();
        batch.close(now_ms);
        let result = self.write(&batch).map_err(|error| self.explain(&error));
        match &result {
            Ok(()) => {
                self.used_bytes += batch.new_bytes;
                self.remember(&batch.rows, now_ms);
                self.shared.recent.keep(std::mem::take(&mut batch.small));
            }
            Err(error) => {
                tracing::warn!(%error, records = batch.rows.len(), "a write failed");
            }
        }
        batch.answer(&result);
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        if batch.rows.is_empty() {
            return Ok(());
        }
        let shared = self.shared.clone();
        self.must_repair = true;
        if let Err(error) = shared.packs.write(self.tail, &batch.parts.slices()) {
            // Give the space back, and leave nothing half written behind.
            shared.packs.cut(self.tail)?;
            self.must_repair = false;
            return Err(error);
        }
        self.open_bytes += batch.parts.length();
        self.open_blobs += batch.rows.len() as u64;
        let durable = self.open_bytes >= shared.config.checkpoint_bytes
            || self.open_blobs >= CHECKPOINT_BLOBS;
        match shared.index.add(&batch.rows, batch.end(), durable) {
            Ok(()) => self.tail = batch.end(),
            // The records are in the pack: a repair finds them.
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

    /// Remembers what was said lately.
    fn remember(&mut self, rows: &[Row], now_ms: u64) {
        for row in rows {
            match row {
                Row::Time(place, at_ms) => self.times.push_back((*place, *at_ms)),
                Row::Touch(cids, at_ms) => {
                    if self.touched.len() + cids.len() > TOUCHED {
                        self.touched.clear();
                    }
                    self.touched.extend(cids.iter().map(|cid| (*cid, *at_ms)));
                }
                _ => {}
            }
        }
        // One is always kept: the last says whether the next is due.
        while self.times.len() > 1 && self.times[0].1.saturating_add(TOUCH_MS) < now_ms {
            self.times.pop_front();
        }
    }

    fn repair(&mut self) -> io::Result<()> {
        self.shared.index.reopen()?;
        let (packs, index) = (&self.shared.packs, &self.shared.index);
        self.tail = recover::catch_up(packs, index).map_err(io::Error::other)?;
        (self.open_bytes, self.open_blobs) = (0, 0);
        self.must_repair = false;
        self.recount();
        Ok(())
    }

    /// Counts the bytes of all blobs.
    fn recount(&mut self) {
        match self.shared.index.loads() {
            Ok(loads) => self.used_bytes = loads.iter().map(|load| load.bytes).sum(),
            // The next write finds out and repairs.
            Err(failure) => tracing::warn!(reason = failure.reason, "the index does not answer"),
        }
    }

    fn explain(&self, error: &io::Error) -> BlobError {
        if disk::is_full(error) {
            let free_bytes = self.shared.packs.free_bytes().unwrap_or_default();
            let reserve_bytes = self.shared.config.reserve_bytes;
            return BlobError::Full { free_bytes, reserve_bytes };
        }
        BlobError::Io(error.to_string())
    }
}
