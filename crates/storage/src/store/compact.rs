//! Giving space back: what is live in a pack with much garbage is written once more at the end of
//! the last pack, and the old one is deleted.
//!
//! A crash at any step is safe. The copy is synced before the index knows it, the index is durable
//! before the old pack is deleted, and of two records of one blob either will do.

use super::{
    Shared,
    care::Caller,
    index::{Failure, PackLoad},
    pack::{Location, OVERHEAD_BYTES, Proof},
    reader,
    ready::Ready,
    record::{Control, Place, Record},
    walk::{Step, Walk},
    writer::{Care, Job, Move},
};
use crate::{Config, Error, frame::FILE_HEAD_BYTES};
use bytes::Bytes;
use objects::Cid;
use protocol::port::BlobError;
use std::time::{Duration, Instant};

/// Bytes that are written between two turns of whoever else wants to write.
const SLICE_BYTES: u64 = 4 << 20;
/// Records of one slice, at most.
const SLICE: usize = 4096;

/// How to compact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactOptions {
    /// Packs are rewritten whose live share is below this, in percent. Default: as configured.
    pub below_percent: u8,
    /// Bytes that are read per second, at most; 0: no limit. Default: 134217728.
    pub bytes_per_second: u64,
    /// Stop after the pack at hand when so long has passed, in milliseconds; 0: never. Default: 0.
    pub budget_ms: u64,
}

impl CompactOptions {
    /// What a configuration says.
    pub fn of(config: &Config) -> Self {
        let below_percent = config.compact_below_percent;
        Self { below_percent, bytes_per_second: 128 << 20, budget_ms: 0 }
    }
}

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Packs that were deleted.
    pub packs: u64,
    /// Bytes of live records that were written once more.
    pub moved_bytes: u64,
    /// Bytes of the packs that were deleted.
    pub deleted_bytes: u64,
    /// Whether it went through to the end.
    pub is_complete: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

pub(super) fn compact(
    shared: &Shared,
    caller: &Caller,
    options: &CompactOptions,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<CompactReport, Error> {
    let begun = Instant::now();
    let budget = (options.budget_ms > 0).then(|| Duration::from_millis(options.budget_ms));
    let must_stop = || shared.stop.is_set() || is_cancelled();
    let mut report = CompactReport { is_complete: true, ..CompactReport::default() };
    for (load, length) in candidates(shared, caller, options)? {
        if must_stop() || budget.is_some_and(|budget| begun.elapsed() >= budget) {
            report.is_complete = false;
            break;
        }
        let rewrite = Rewrite {
            shared,
            caller,
            options,
            must_stop: &must_stop,
            pack: load.pack,
            slice: Move::default(),
            slice_bytes: 0,
            moved_bytes: 0,
        };
        let (is_gone, moved_bytes) = rewrite.run()?;
        report.moved_bytes += moved_bytes;
        report.is_complete &= is_gone;
        if is_gone {
            report.packs += 1;
            report.deleted_bytes += length;
        }
    }
    report.took_ms = begun.elapsed().as_millis() as u64;
    if report.packs > 0 {
        tracing::info!(
            packs = report.packs,
            deleted_bytes = report.deleted_bytes,
            moved_bytes = report.moved_bytes,
            "packs were compacted"
        );
    }
    Ok(report)
}

/// Packs to be rewritten and their bytes. The last pack is closed if it is one of them.
fn candidates(
    shared: &Shared,
    caller: &Caller,
    options: &CompactOptions,
) -> Result<Vec<(PackLoad, u64)>, Error> {
    let io = Error::io(shared.packs.dir());
    let loads = shared.index.loads().map_err(Failure::into_blob_error)?;
    let numbers = shared.packs.numbers().map_err(&io)?;
    let last = numbers.last().copied();
    let mut found = Vec::new();
    for pack in numbers {
        let load = loads.iter().find(|load| load.pack == pack).copied();
        let load = load.unwrap_or(PackLoad { pack, ..PackLoad::default() });
        let length = shared.packs.length(pack).map_err(&io)?;
        let live_bytes = load.bytes + load.blobs * OVERHEAD_BYTES;
        let is_sparse =
            u128::from(live_bytes) * 100 < u128::from(length) * u128::from(options.below_percent);
        // A last pack with hardly anything in it is not worth another one.
        let is_worth = Some(pack) != last || length - live_bytes.min(length) > SLICE_BYTES / 64;
        if is_sparse && is_worth {
            found.push((load, length));
        }
    }
    if found.last().is_some_and(|(load, _)| Some(load.pack) == last) {
        caller.ask(|reply| Job::Care(Care::Seal(reply)))?;
    }
    Ok(found)
}

/// The rewriting of one pack.
struct Rewrite<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    options: &'a CompactOptions,
    must_stop: &'a dyn Fn() -> bool,
    pack: u32,
    slice: Move,
    slice_bytes: u64,
    moved_bytes: u64,
}

impl Rewrite<'_> {
    /// Whether the pack is gone, and how many bytes were written.
    fn run(mut self) -> Result<(bool, u64), Error> {
        let io = Error::io(self.shared.packs.dir());
        let mut walk = Walk::new(&self.shared.packs, self.pack, FILE_HEAD_BYTES).map_err(&io)?;
        let numbers = self.shared.packs.numbers().map_err(&io)?;
        let mut blobs = Vec::new();
        loop {
            match walk.step().map_err(&io)? {
                Step::Record(Record::Blob(cid, bytes), offset) => {
                    self.slice_bytes += bytes.len() as u64 + OVERHEAD_BYTES;
                    blobs.push((cid, bytes, offset));
                }
                Step::Record(Record::Control(control), offset) => {
                    self.control(control, offset, &numbers);
                }
                Step::Damaged { .. } => {}
                Step::End(_) => break,
            }
            if self.slice_bytes >= SLICE_BYTES || blobs.len() >= SLICE {
                self.flush(&mut blobs)?;
                if (self.must_stop)() {
                    return Ok((false, self.moved_bytes));
                }
            }
        }
        self.flush(&mut blobs)?;
        self.pins()?;
        if self.retire()? {
            return Ok((true, self.moved_bytes));
        }
        // The index has something there that could not be read.
        self.set_rest_aside()?;
        let is_gone = self.retire()?;
        if !is_gone {
            tracing::warn!(pack = self.pack, "a pack could not be rewritten as a whole");
        }
        Ok((is_gone, self.moved_bytes))
    }

    fn retire(&self) -> Result<bool, BlobError> {
        self.caller.ask(|reply| Job::Care(Care::Retire(self.pack, reply)))
    }

    /// What says that a pin is gone is needed while a record of that pin may be in another pack.
    fn control(&mut self, control: Control, offset: u64, numbers: &[u32]) {
        let Control::Unpin { packs: (first, last), .. } = &control else { return };
        let is_needed =
            numbers.iter().any(|pack| (*first..=*last).contains(pack) && *pack != self.pack);
        if is_needed {
            self.slice.controls.push((control, Place { pack: self.pack, offset }));
        }
    }

    /// Writes what is live of the blobs and all controls at hand.
    fn flush(&mut self, blobs: &mut Vec<(Cid, Bytes, u64)>) -> Result<(), Error> {
        let begun = Instant::now();
        let cids: Vec<_> = blobs.iter().map(|(cid, _, _)| *cid).collect();
        let found = self.shared.index.find(&cids).map_err(Failure::into_blob_error)?;
        for ((cid, bytes, offset), found) in blobs.drain(..).zip(found) {
            let length = u32::try_from(bytes.len()).expect("a frame has a u32 length");
            let at = Location { pack: self.pack, offset, length };
            if found != Some(at) {
                continue;
            }
            match Ready::check(cid, bytes) {
                Ok(blob) => {
                    self.moved_bytes += blob.record_bytes();
                    self.slice.blobs.push((blob, at));
                }
                Err(_) => drop(reader::set_aside(self.shared, cid, at)?),
            }
        }
        let slice = std::mem::take(&mut self.slice);
        if !slice.blobs.is_empty() || !slice.controls.is_empty() {
            self.caller.ask(|reply| Job::Move(slice, reply))?;
        }
        pace(self.shared, self.slice_bytes, self.options.bytes_per_second, begun);
        self.slice_bytes = 0;
        Ok(())
    }

    /// Writes the pins whose record is in the pack, as the index has them.
    fn pins(&mut self) -> Result<(), Error> {
        loop {
            let rows = self.shared.index.pins_in(self.pack, SLICE);
            let rows = rows.map_err(Failure::into_blob_error)?;
            if rows.is_empty() {
                return Ok(());
            }
            let controls = rows.into_iter().map(|row| (Control::Pin(row.pin), row.place));
            let slice = Move { controls: controls.collect(), ..Move::default() };
            self.caller.ask(|reply| Job::Move(slice, reply))?;
        }
    }

    /// Goes through the whole index for blobs that are in the pack and cannot be read.
    fn set_rest_aside(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let rows = self.shared.index.list(after, SLICE).map_err(Failure::into_blob_error)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(*last);
            for (cid, at) in rows.into_iter().filter(|(_, at)| at.pack == self.pack) {
                let found = self.shared.packs.blob(&cid, at, Proof::Name);
                if found.map_err(Error::io(self.shared.packs.dir()))?.is_none() {
                    reader::set_aside(self.shared, cid, at)?;
                }
            }
        }
    }
}

/// Waits until so many bytes per second are kept to, since a moment.
pub(super) fn pace(shared: &Shared, bytes: u64, bytes_per_second: u64, since: Instant) {
    if bytes_per_second > 0 {
        let time = Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64);
        shared.stop.wait(time.saturating_sub(since.elapsed()));
    }
}
