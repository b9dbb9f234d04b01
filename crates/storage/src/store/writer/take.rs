//! Putting jobs into a batch, after all checks.

use super::{
    super::{
        age::MARK_MS,
        index::Failure,
        pack::Location,
        pin::{Pin, PinKey},
        ready::Ready,
        record::{Control, Place},
    },
    Batch, Job, Move, Put, Reply, TOUCH_MS, Writer,
};
use crate::Error;
use objects::Cid;
use protocol::port::BlobError;
use std::collections::HashSet;
use tokio::sync::oneshot;

/// Bytes of a record that says what time it is, or what was put again, and a bit more.
const CONTROL_BYTES: u64 = 4096;

/// Whether a job can be written together with a batch. What asks about a pin needs the batch that
/// changes it to be in the index.
pub(super) fn can_join(job: &Job, batch: &Batch) -> bool {
    match job {
        Job::Put(..) | Job::Touch(..) => true,
        Job::Pin(pin, _) => !batch.pins.contains(&(pin.label.clone(), pin.root)),
        Job::Unpin(key, _) => !batch.pins.contains(key),
        Job::Move(..) => batch.pins.is_empty(),
        Job::Care(_) => false,
    }
}

impl Writer {
    /// Adds a job to the batch, or answers at once why not.
    pub(super) fn take(&mut self, job: Job, batch: &mut Batch) {
        match job {
            Job::Put(put, reply) => self.take_put(put, reply, batch),
            Job::Touch(cids, reply) => self.take_touch(cids, reply, batch),
            Job::Pin(pin, reply) => self.take_pin(pin, reply, batch),
            Job::Unpin(key, reply) => self.take_unpin(key, reply, batch),
            Job::Move(records, reply) => self.take_move(records, reply, batch),
            Job::Care(care) => self.care(care),
        }
    }

    fn take_put(&mut self, put: Put, reply: Reply<()>, batch: &mut Batch) {
        match self.new_blobs(&put.blobs, batch) {
            Ok(new) => {
                for blob in new {
                    self.say_time(batch);
                    batch.blob(blob);
                    batch.new_bytes += u64::from(blob.length());
                }
                batch.small.extend(put.small);
                batch.then(|result| drop(reply.send(result)));
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// The blobs of a put that are neither here nor in the batch.
    fn new_blobs<'a>(
        &mut self,
        blobs: &'a [Ready],
        batch: &mut Batch,
    ) -> Result<Vec<&'a Ready>, BlobError> {
        let cids: Vec<_> = blobs.iter().map(|blob| blob.cid).collect();
        let found = self.shared.index.find(&cids).map_err(Failure::into_blob_error)?;
        let mut names = HashSet::new();
        let new: Vec<_> = blobs
            .iter()
            .zip(&found)
            .filter(|(blob, found)| {
                found.is_none() && !batch.names.contains(&blob.cid) && names.insert(blob.cid)
            })
            .map(|(blob, _)| blob)
            .collect();
        if !new.is_empty() {
            let blob_bytes: u64 = new.iter().map(|blob| u64::from(blob.length())).sum();
            let bytes: u64 = new.iter().map(|blob| blob.record_bytes()).sum();
            self.check_quota(batch.new_bytes + blob_bytes)?;
            self.check_space(batch.parts.length() + bytes, self.shared.config.reserve_bytes)?;
        }
        for (cid, found) in cids.into_iter().zip(found) {
            if let Some(at) = found {
                self.put_again(cid, at, batch);
            }
        }
        Ok(new)
    }

    fn take_touch(&mut self, cids: Vec<Cid>, reply: Reply<Vec<bool>>, batch: &mut Batch) {
        let found = match self.shared.index.find(&cids) {
            Ok(found) => found,
            Err(failure) => return drop(reply.send(Err(failure.into_blob_error()))),
        };
        let mut here = Vec::with_capacity(cids.len());
        for (cid, found) in cids.into_iter().zip(found) {
            if let Some(at) = found {
                self.put_again(cid, at, batch);
            }
            here.push(found.is_some() || batch.names.contains(&cid));
        }
        batch.then(|result| drop(reply.send(result.map(|()| here))));
    }

    /// Makes sure that a collection takes an old blob for a new one.
    fn put_again(&mut self, cid: Cid, at: Location, batch: &mut Batch) {
        if let Some(collecting) = &mut self.collecting {
            collecting.touch(cid);
        }
        let now_ms = self.shared.now_ms();
        let is_late = |at_ms: u64| at_ms.saturating_add(TOUCH_MS) >= now_ms;
        let place = Place { pack: at.pack, offset: at.offset };
        let mut times = self.times.iter();
        let is_new = times.any(|(since, at_ms)| *since <= place && is_late(*at_ms));
        if !is_new && !self.touched.get(&cid).is_some_and(|at_ms| is_late(*at_ms)) {
            batch.touch(cid);
        }
    }

    fn take_pin(&mut self, pin: Pin, reply: oneshot::Sender<Result<(), Error>>, batch: &mut Batch) {
        if let Err(error) = self.add_pin(pin, batch) {
            return drop(reply.send(Err(error)));
        }
        batch.then(|result| drop(reply.send(result.map_err(Error::from))));
    }

    fn add_pin(&mut self, mut pin: Pin, batch: &mut Batch) -> Result<(), Error> {
        let found = self.shared.index.find(&[pin.root]).map_err(Failure::into_blob_error)?;
        if found[0].is_none() && !batch.names.contains(&pin.root) {
            return Err(Error::Missing(pin.root));
        }
        if let Some(collecting) = &mut self.collecting {
            collecting.pin(pin.root, pin.mode);
        }
        let key = (pin.label.clone(), pin.root);
        let before = self.shared.index.pin(&key).map_err(Failure::into_blob_error)?;
        if let Some(row) = before {
            pin.note = pin.note.or_else(|| row.pin.note.clone());
            if row.pin == pin {
                return Ok(());
            }
        }
        self.check_space(batch.parts.length() + CONTROL_BYTES, self.low_reserve())?;
        batch.pins.insert(key);
        batch.control(Control::Pin(pin));
        Ok(())
    }

    fn take_unpin(&mut self, key: PinKey, reply: Reply<bool>, batch: &mut Batch) {
        match self.shared.index.pin(&key) {
            Err(failure) => drop(reply.send(Err(failure.into_blob_error()))),
            Ok(None) => drop(reply.send(Ok(false))),
            Ok(Some(row)) => {
                let packs = (row.first_pack, row.place.pack);
                batch.pins.insert(key.clone());
                batch.control(Control::Unpin { label: key.0, root: key.1, packs });
                batch.then(|result| drop(reply.send(result.map(|()| true))));
            }
        }
    }

    fn take_move(&mut self, records: Move, reply: Reply<()>, batch: &mut Batch) {
        let result = self.add_moved(records, batch);
        match result {
            Ok(()) => batch.then(|result| drop(reply.send(result))),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Adds what is still where it was.
    fn add_moved(&mut self, records: Move, batch: &mut Batch) -> Result<(), BlobError> {
        let cids: Vec<_> = records.blobs.iter().map(|(blob, _)| blob.cid).collect();
        let bytes: u64 = records.blobs.iter().map(|(blob, _)| blob.record_bytes()).sum();
        let controls = records.controls.len() as u64 * CONTROL_BYTES;
        self.check_space(batch.parts.length() + bytes + controls, self.low_reserve())?;
        let found = self.shared.index.find(&cids).map_err(Failure::into_blob_error)?;
        for ((blob, at), found) in records.blobs.iter().zip(found) {
            if found == Some(*at) && !batch.names.contains(&blob.cid) {
                self.say_time(batch);
                batch.blob(blob);
            }
        }
        for (control, place) in records.controls {
            let (key, is_there) = match &control {
                Control::Pin(pin) => ((pin.label.clone(), pin.root), true),
                Control::Unpin { label, root, .. } => ((label.clone(), *root), false),
                Control::Time(_) | Control::Touch { .. } => continue,
            };
            let row = self.shared.index.pin(&key).map_err(Failure::into_blob_error)?;
            let is_same =
                if is_there { row.is_some_and(|row| row.place == place) } else { row.is_none() };
            if is_same && batch.pins.insert(key) {
                batch.control(control);
            }
        }
        Ok(())
    }

    /// Lets the records that follow know what time it is, where that has not just been said.
    fn say_time(&mut self, batch: &mut Batch) {
        if !batch.names.is_empty() {
            return;
        }
        let now_ms = self.shared.now_ms();
        let is_said = self.times.back().is_some_and(|(place, at_ms)| {
            place.pack == self.tail.pack && (*at_ms..=at_ms + MARK_MS).contains(&now_ms)
        });
        if !is_said {
            batch.control(Control::Time(now_ms));
        }
    }

    fn check_quota(&mut self, new_bytes: u64) -> Result<(), BlobError> {
        let quota_bytes = self.shared.config.quota_bytes;
        if quota_bytes == 0 || self.used_bytes + new_bytes <= quota_bytes {
            return Ok(());
        }
        // What turned out damaged meanwhile does not count.
        self.recount();
        if self.used_bytes + new_bytes <= quota_bytes {
            return Ok(());
        }
        Err(BlobError::Quota { used_bytes: self.used_bytes, new_bytes, quota_bytes })
    }

    /// Pins and compaction may use a part of the reserve: they are what gives space back.
    fn low_reserve(&self) -> u64 {
        self.shared.config.reserve_bytes / 2
    }

    fn check_space(&self, bytes: u64, reserve_bytes: u64) -> Result<(), BlobError> {
        let free_bytes = self.shared.packs.free_bytes();
        let free_bytes = free_bytes.map_err(|error| BlobError::Io(error.to_string()))?;
        if free_bytes.saturating_sub(bytes) < reserve_bytes {
            return Err(BlobError::Full { free_bytes, reserve_bytes });
        }
        Ok(())
    }
}
