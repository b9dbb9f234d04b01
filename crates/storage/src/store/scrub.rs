//! Reading everything, to find what the disk changed before somebody needs it.
//!
//! Every record is read and checked: its checksum, and a blob against its CID. A damaged blob is set
//! aside, as when it is read; the record of a pin is written again. The position is kept, so that a
//! scrub that is stopped goes on where it was.

use super::{
    Shared,
    care::Caller,
    compact::pace,
    index::{Failure, Index},
    pack::{Location, Proof},
    reader,
    ready::Ready,
    record::{Control, Record},
    walk::{Step, Walk},
    writer::{Job, Move},
};
use crate::{Error, frame::FILE_HEAD_BYTES};
use objects::Cid;
use protocol::port::BlobError;
use std::{
    fmt, io,
    time::{Duration, Instant},
};

/// Names of the numbers that say how far the scrub is.
const PACK: &str = "scrub-pack";
const OFFSET: &str = "scrub-offset";
const LIVE: &str = "scrub-live";
const FINISHED: &str = "scrub-finished-ms";
/// Records that are looked up at once.
const SLICE: usize = 1024;
/// Bytes that are read between two waits, at most.
const SLICE_BYTES: u64 = 4 << 20;
/// Bytes between two notes of the position.
const NOTE_BYTES: u64 = 64 << 20;

/// How to scrub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubOptions {
    /// Bytes that are read per second; 0: no limit. Default: 16777216.
    pub bytes_per_second: u64,
    /// Stop after so long, in milliseconds, and go on from there the next time; 0: at the end of
    /// the last pack. Default: 0.
    pub budget_ms: u64,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        Self { bytes_per_second: 16 << 20, budget_ms: 0 }
    }
}

/// How far the scrub is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubState {
    /// The pack at hand.
    pub pack: u32,
    /// Bytes of it that were read.
    pub offset: u64,
    /// When everything had been read last, in milliseconds since 1970.
    pub finished_ms: Option<u64>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// Blobs that were found damaged and set aside: see [`crate::Store::damaged`].
    pub damaged: u64,
    /// Records that were damaged around what they hold, or are of pins, which the index has too.
    /// They were written again.
    pub healed: u64,
    /// Whether it went through to the end.
    pub is_complete: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read.
    pub bytes: u64,
    /// Bytes there are.
    pub all_bytes: u64,
    /// Blobs that were found damaged.
    pub damaged: u64,
}

/// One way through the packs.
pub(super) enum Pass {
    /// From where the last one ended.
    Paced(ScrubOptions),
    /// Everything, as fast as it goes.
    Whole(Box<dyn FnMut(Progress) + Send>),
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paced(_) => "Paced",
            Self::Whole(_) => "Whole",
        })
    }
}

/// How far the scrub is, as the index knows it.
pub(super) fn state(index: &Index) -> Result<ScrubState, Error> {
    let number = |name| index.number(name).map_err(Failure::into_blob_error);
    let pack = u32::try_from(number(PACK)?.unwrap_or_default()).unwrap_or_default();
    let offset = number(OFFSET)?.unwrap_or_default();
    Ok(ScrubState { pack, offset, finished_ms: number(FINISHED)? })
}

pub(super) fn scrub(
    shared: &Shared,
    caller: &Caller,
    pass: Pass,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<ScrubReport, Error> {
    let (options, progress) = match pass {
        Pass::Paced(options) => (options, None),
        Pass::Whole(progress) => {
            (ScrubOptions { bytes_per_second: 0, budget_ms: 0 }, Some(progress))
        }
    };
    let scrub = Scrub {
        shared,
        caller,
        budget: (options.budget_ms > 0).then(|| Duration::from_millis(options.budget_ms)),
        options,
        progress,
        is_cancelled,
        begun: Instant::now(),
        report: ScrubReport::default(),
        all_bytes: 0,
        noted_bytes: 0,
        live: 0,
        is_suspicious: false,
    };
    scrub.run()
}

struct Scrub<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    options: ScrubOptions,
    budget: Option<Duration>,
    progress: Option<Box<dyn FnMut(Progress) + Send>>,
    is_cancelled: &'a dyn Fn() -> bool,
    begun: Instant,
    report: ScrubReport,
    all_bytes: u64,
    noted_bytes: u64,
    /// Blobs of the pack at hand that the index has where they were read.
    live: u64,
    /// Something in the pack at hand could not be read.
    is_suspicious: bool,
}

impl Scrub<'_> {
    fn run(mut self) -> Result<ScrubReport, Error> {
        let tail = self.shared.index.tail().map_err(Failure::into_blob_error)?;
        let last = tail.map_or(0, |tail| tail.pack);
        let packs = self.packs(last)?;
        for pack in &packs {
            self.all_bytes += self.shared.packs.length(*pack).unwrap_or_default();
        }
        let state = state(&self.shared.index)?;
        let is_whole = self.progress.is_some();
        for pack in packs {
            if !is_whole && pack < state.pack {
                continue;
            }
            let is_begun = !is_whole && pack == state.pack && state.offset > FILE_HEAD_BYTES;
            self.live = 0;
            if is_begun {
                let live = self.shared.index.number(LIVE).map_err(Failure::into_blob_error)?;
                self.live = live.unwrap_or_default();
            }
            let from = if is_begun { state.offset } else { FILE_HEAD_BYTES };
            if !self.pack(pack, from, pack == last)? {
                self.report.took_ms = self.begun.elapsed().as_millis() as u64;
                return Ok(self.report);
            }
        }
        self.report.is_complete = true;
        self.report.took_ms = self.begun.elapsed().as_millis() as u64;
        let now_ms = self.shared.now_ms();
        let numbers = [(PACK, 0), (OFFSET, 0), (LIVE, 0), (FINISHED, now_ms)];
        self.shared.index.set_numbers(&numbers, true).map_err(Failure::into_blob_error)?;
        Ok(self.report)
    }

    /// The packs that are there or should be, in order.
    fn packs(&self, last: u32) -> Result<Vec<u32>, Error> {
        let mut packs = self.shared.packs.numbers().map_err(Error::io(self.shared.packs.dir()))?;
        let loads = self.shared.index.loads().map_err(Failure::into_blob_error)?;
        packs.extend(loads.iter().filter(|load| load.blobs > 0).map(|load| load.pack));
        packs.retain(|pack| *pack <= last);
        packs.sort_unstable();
        packs.dedup();
        Ok(packs)
    }

    /// Reads a pack from a place on. False if it was stopped.
    fn pack(&mut self, pack: u32, from: u64, is_last: bool) -> Result<bool, Error> {
        self.is_suspicious = false;
        match Walk::new(&self.shared.packs, pack, from) {
            Ok(walk) => {
                if !self.walk(pack, walk, is_last)? {
                    return Ok(false);
                }
            }
            // It was compacted meanwhile, or it is lost.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.is_suspicious = true,
            Err(error) => return Err(Error::io(self.shared.packs.dir())(error)),
        }
        let loads = self.shared.index.loads().map_err(Failure::into_blob_error)?;
        let expected = loads.iter().find(|load| load.pack == pack).map_or(0, |load| load.blobs);
        if self.is_suspicious || (!is_last && self.live < expected) {
            self.look_at_each(pack)?;
        }
        Ok(true)
    }

    fn walk(&mut self, pack: u32, mut walk: Walk, is_last: bool) -> Result<bool, Error> {
        let io = Error::io(self.shared.packs.dir());
        let mut slice = Vec::new();
        let (mut begun, mut from) = (Instant::now(), walk.at());
        loop {
            match walk.step().map_err(&io)? {
                Step::Record(Record::Blob(cid, bytes), offset) => {
                    let length = u32::try_from(bytes.len()).expect("a frame has a u32 length");
                    let is_right = cid.check(&bytes).is_ok();
                    slice.push((cid, Location { pack, offset, length }, is_right));
                }
                Step::Record(Record::Control(_), _) => self.report.records += 1,
                Step::Damaged { .. } => self.is_suspicious = true,
                Step::End(end) => {
                    // What is being written at the end of the last pack is not whole yet.
                    self.is_suspicious |= !is_last && end < walk.end();
                    self.look_up(&mut slice)?;
                    self.report.bytes += walk.at() - from;
                    self.tell();
                    return Ok(true);
                }
            }
            let bytes = walk.at() - from;
            if bytes >= SLICE_BYTES || slice.len() >= SLICE {
                self.look_up(&mut slice)?;
                self.report.bytes += bytes;
                self.tell();
                pace(self.shared, bytes, self.options.bytes_per_second, begun);
                (begun, from) = (Instant::now(), walk.at());
                let must_stop = self.shared.stop.is_set()
                    || (self.is_cancelled)()
                    || self.budget.is_some_and(|budget| self.begun.elapsed() >= budget);
                if must_stop && self.is_suspicious {
                    self.look_at_each(pack)?;
                }
                self.note(pack, from, must_stop)?;
                if must_stop {
                    return Ok(false);
                }
            }
        }
    }

    /// Sets aside what is damaged of some blobs that were read, if the index has them there.
    fn look_up(&mut self, slice: &mut Vec<(Cid, Location, bool)>) -> Result<(), Error> {
        let cids: Vec<_> = slice.iter().map(|(cid, _, _)| *cid).collect();
        let found = self.shared.index.find(&cids).map_err(Failure::into_blob_error)?;
        self.report.records += slice.len() as u64;
        for ((cid, at, is_right), found) in slice.drain(..).zip(found) {
            if found != Some(at) {
                continue;
            }
            self.live += 1;
            if !is_right && reader::set_aside(self.shared, cid, at)? {
                self.report.damaged += 1;
            }
        }
        Ok(())
    }

    /// Goes through the index for what it has in a pack, and looks whether it is there.
    fn look_at_each(&mut self, pack: u32) -> Result<(), Error> {
        let shared = self.shared;
        let io = Error::io(shared.packs.dir());
        let mut after = None;
        loop {
            let rows = self.shared.index.list(after, SLICE).map_err(Failure::into_blob_error)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (cid, at) in rows.into_iter().filter(|(_, at)| at.pack == pack) {
                self.look_at(cid, at).map_err(&io)?;
            }
        }
        self.look_at_pins(pack)
    }

    /// Looks whether a blob is there, and whether its record would be found without the index.
    fn look_at(&mut self, cid: Cid, at: Location) -> io::Result<()> {
        let Some(bytes) = self.shared.packs.blob(&cid, at, Proof::Name)? else {
            let is_out = reader::set_aside(self.shared, cid, at).map_err(io::Error::other)?;
            self.report.damaged += u64::from(is_out);
            return Ok(());
        };
        let record = self.shared.packs.record(at.pack, at.offset)?;
        if !matches!(record, Some((Record::Blob(name, _), _)) if name == cid) {
            let blob = Ready::check(cid, bytes).map_err(io::Error::other)?;
            self.write_again(Move { blobs: vec![(blob, at)], ..Move::default() })
                .map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn write_again(&mut self, records: Move) -> Result<(), BlobError> {
        self.report.healed += 1;
        self.caller.ask(|reply| Job::Move(records, reply))
    }

    fn look_at_pins(&mut self, pack: u32) -> Result<(), Error> {
        let pins = self.shared.index.pins_in(pack, usize::MAX);
        for row in pins.map_err(Failure::into_blob_error)? {
            let found = self.shared.packs.record(pack, row.place.offset);
            let is_there = matches!(
                found, Ok(Some((Record::Control(Control::Pin(pin)), _))) if pin == row.pin
            );
            if !is_there {
                let controls = vec![(Control::Pin(row.pin), row.place)];
                self.write_again(Move { controls, ..Move::default() })?;
            }
        }
        Ok(())
    }

    fn tell(&mut self) {
        if let Some(progress) = &mut self.progress {
            let Self { report, all_bytes, .. } = self;
            let bytes = report.bytes.min(*all_bytes);
            progress(Progress { bytes, all_bytes: *all_bytes, damaged: report.damaged });
        }
    }

    fn note(&mut self, pack: u32, offset: u64, is_due: bool) -> Result<(), Error> {
        let is_late = self.report.bytes >= self.noted_bytes + NOTE_BYTES;
        if self.progress.is_some() || !(is_due || is_late) {
            return Ok(());
        }
        self.noted_bytes = self.report.bytes;
        let numbers = [(PACK, u64::from(pack)), (OFFSET, offset), (LIVE, self.live)];
        let result = self.shared.index.set_numbers(&numbers, is_due);
        Ok(result.map_err(Failure::into_blob_error)?)
    }
}
