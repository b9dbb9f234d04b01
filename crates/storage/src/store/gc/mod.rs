//! Collection of garbage: blobs that nobody can reach and nobody put lately are taken out of the
//! index. The space comes back when packs are rewritten.
//!
//! It runs on a thread of its own beside puts and gets. Marking reads; sweeping asks the writing
//! thread, a slice at a time, which knows what was pinned or put again meanwhile.

mod links;
mod live;
mod mark;

use super::{
    Shared,
    age::Ages,
    care::Caller,
    index::Failure,
    pack::{Location, Tail},
    pin::PinMode,
    record::Place,
    writer::{Care, Job, Swept},
};
use crate::Error;
use live::Live;
use mark::Mark;
use objects::Cid;
use std::time::{Duration, Instant};

/// Pins that are read at once.
const PINS: usize = 1024;
/// Blobs that are looked at for one slice of a sweep.
const SLICE: usize = 4096;
/// For so long it is remembered when blobs were put, at least, in milliseconds.
const TIMES_MS: u64 = 7 * 24 * 3_600_000;

/// How to collect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcOptions {
    /// Blobs put, or put again, less than this long ago are kept, in milliseconds: an upload or a
    /// job that is at work has not pinned them yet. At most 7 days. Default: 24 hours.
    pub grace_ms: u64,
    /// Only say what would be freed. Default: false.
    pub dry_run: bool,
    /// Stop after so long, in milliseconds; what was freed by then is freed. 0: never. Default: 0.
    pub budget_ms: u64,
    /// Rewrite packs afterwards, so that the space comes back. Default: true.
    pub compact: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { grace_ms: 24 * 3_600_000, dry_run: false, budget_ms: 0, compact: true }
    }
}

/// What a collection did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Blobs that can be reached from pins and roots, or are taken for such.
    pub kept_blobs: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Blobs that cannot be reached and were kept because they were put, or put again, lately.
    pub young_blobs: u64,
    /// Their bytes.
    pub young_bytes: u64,
    /// Blobs that were taken out, or would be in a dry run.
    pub freed_blobs: u64,
    /// Their bytes. The disk gets them back by compaction.
    pub freed_bytes: u64,
    /// Blobs below pins and roots that are not here.
    pub missing: u64,
    /// Blobs with links, below pins and roots, that are damaged. What they link to is unknown, so
    /// nothing at all is freed before they come back: see [`crate::Store::damaged`].
    pub damaged: u64,
    /// Whether it went through to the end.
    pub is_complete: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What compaction gave back; `None` if there was none.
    pub compaction: Option<super::CompactReport>,
}

/// Collects, without compaction.
pub(super) fn collect(
    shared: &Shared,
    caller: &Caller,
    roots: &[Cid],
    options: &GcOptions,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<GcReport, Error> {
    let begun = Instant::now();
    let budget = (options.budget_ms > 0).then(|| Duration::from_millis(options.budget_ms));
    let must_stop = || {
        shared.stop.is_set()
            || is_cancelled()
            || budget.is_some_and(|budget| begun.elapsed() >= budget)
    };
    let tail = caller.ask(|reply| Job::Care(Care::Begin(reply)))?;
    let mut report = GcReport::default();
    let result = Collection::new(shared, caller, options, tail, &must_stop)
        .and_then(|collection| collection.run(roots, &mut report));
    caller.tell(Job::Care(Care::End));
    result?;
    report.took_ms = begun.elapsed().as_millis() as u64;
    Ok(report)
}

struct Collection<'a> {
    shared: &'a Shared,
    caller: &'a Caller,
    mark: Mark<'a>,
    must_stop: &'a dyn Fn() -> bool,
    is_dry: bool,
    grace_ms: u64,
    ages: Ages,
    /// What is put behind this place came after the beginning.
    tail: Tail,
    /// Blobs put, or put again, after this are kept, in milliseconds since 1970.
    since_ms: u64,
    /// Pins that were made meanwhile, as far as they are marked.
    seen_pins: usize,
}

/// What is to become of a blob.
enum Fate {
    Live,
    Young,
    Dead,
}

impl<'a> Collection<'a> {
    fn new(
        shared: &'a Shared,
        caller: &'a Caller,
        options: &GcOptions,
        tail: Tail,
        must_stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, Error> {
        let grace_ms = options.grace_ms.min(TIMES_MS);
        let loads = shared.index.loads().map_err(Failure::into_blob_error)?;
        let blobs = loads.iter().map(|load| load.blobs).sum();
        let live = Live::new(blobs, shared.config.gc_memory_bytes);
        Ok(Self {
            shared,
            caller,
            mark: Mark::new(shared, live, must_stop),
            must_stop,
            is_dry: options.dry_run,
            grace_ms,
            ages: Ages::new(shared.index.times().map_err(Failure::into_blob_error)?),
            tail,
            since_ms: shared.now_ms().saturating_sub(grace_ms),
            seen_pins: 0,
        })
    }

    fn run(mut self, roots: &[Cid], report: &mut GcReport) -> Result<(), Error> {
        for root in roots {
            if !self.mark.root(*root, PinMode::Recursive, report)? {
                return Ok(());
            }
        }
        if !self.mark_pins(report)? {
            return Ok(());
        }
        if report.damaged > 0 && !self.is_dry {
            tracing::warn!(
                damaged = report.damaged,
                "nothing is freed before damaged blocks below pins are here again"
            );
            return Ok(());
        }
        report.is_complete = self.sweep(report)?;
        if report.is_complete && !self.is_dry {
            let before_ms = self.shared.now_ms().saturating_sub(self.grace_ms.max(TIMES_MS));
            self.shared.index.forget_times(before_ms).map_err(Failure::into_blob_error)?;
            self.forget_damaged()?;
        }
        Ok(())
    }

    fn mark_pins(&mut self, report: &mut GcReport) -> Result<bool, Error> {
        let mut after = None;
        loop {
            let rows = self.shared.index.pins("", after.as_ref(), PINS);
            let rows = rows.map_err(Failure::into_blob_error)?;
            let Some(last) = rows.last() else { return Ok(true) };
            after = Some((last.pin.label.clone(), last.pin.root));
            for row in rows {
                if !self.mark.root(row.pin.root, row.pin.mode, report)? {
                    return Ok(false);
                }
            }
        }
    }

    fn sweep(&mut self, report: &mut GcReport) -> Result<bool, Error> {
        let mut after = None;
        loop {
            if (self.must_stop)() {
                return Ok(false);
            }
            let rows = self.shared.index.list(after, SLICE).map_err(Failure::into_blob_error)?;
            let Some((last, _)) = rows.last() else { return Ok(true) };
            after = Some(*last);
            if !self.slice(rows, report)? {
                return Ok(false);
            }
        }
    }

    /// Sweeps some blobs.
    fn slice(&mut self, rows: Vec<(Cid, Location)>, report: &mut GcReport) -> Result<bool, Error> {
        loop {
            let mut part = GcReport::default();
            let mut dead = Vec::new();
            let cids: Vec<_> = rows.iter().map(|(cid, _)| *cid).collect();
            let touched = self.shared.index.touched(&cids).map_err(Failure::into_blob_error)?;
            for ((cid, at), touched_ms) in rows.iter().zip(touched) {
                let bytes = u64::from(at.length);
                let (blobs, all) = match self.fate(cid, *at, touched_ms) {
                    Fate::Live => (&mut part.kept_blobs, &mut part.kept_bytes),
                    Fate::Young => (&mut part.young_blobs, &mut part.young_bytes),
                    Fate::Dead => {
                        dead.push((*cid, *at));
                        (&mut part.freed_blobs, &mut part.freed_bytes)
                    }
                };
                *blobs += 1;
                *all += bytes;
            }
            if !self.is_dry && !dead.is_empty() {
                let seen = self.seen_pins;
                match self.caller.ask(|reply| Job::Care(Care::Sweep(dead, seen, reply)))? {
                    Swept::Pinned(pins) => {
                        self.seen_pins += pins.len();
                        for (root, mode) in pins {
                            if !self.mark.root(root, mode, report)? {
                                return Ok(false);
                            }
                        }
                        continue;
                    }
                    Swept::Overrun => return Err(Error::Busy),
                    Swept::Done(reclaimed) => {
                        // Others were put again while the slice was on its way.
                        part.young_blobs += part.freed_blobs - reclaimed.blobs;
                        part.young_bytes += part.freed_bytes - reclaimed.bytes;
                        (part.freed_blobs, part.freed_bytes) = (reclaimed.blobs, reclaimed.bytes);
                    }
                }
            }
            report.add(&part);
            return Ok(true);
        }
    }

    fn fate(&self, cid: &Cid, at: Location, touched_ms: Option<u64>) -> Fate {
        if self.mark.live.is_live(cid) {
            return Fate::Live;
        }
        let place = Place { pack: at.pack, offset: at.offset };
        let is_new = place >= Place { pack: self.tail.pack, offset: self.tail.end };
        let is_young = self.grace_ms > 0
            && (self.ages.latest_ms(place) > self.since_ms
                || touched_ms.is_some_and(|at_ms| at_ms > self.since_ms));
        if is_new || is_young { Fate::Young } else { Fate::Dead }
    }

    /// Damaged blobs that nobody can reach need not come back.
    fn forget_damaged(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let cids = self.shared.index.damaged(after, SLICE).map_err(Failure::into_blob_error)?;
            let Some(last) = cids.last() else { return Ok(()) };
            after = Some(*last);
            let dead: Vec<_> =
                cids.into_iter().filter(|cid| !self.mark.live.is_live(cid)).collect();
            self.shared.index.forget_damaged(&dead).map_err(Failure::into_blob_error)?;
        }
    }
}

impl GcReport {
    fn add(&mut self, part: &Self) {
        self.kept_blobs += part.kept_blobs;
        self.kept_bytes += part.kept_bytes;
        self.young_blobs += part.young_blobs;
        self.young_bytes += part.young_bytes;
        self.freed_blobs += part.freed_blobs;
        self.freed_bytes += part.freed_bytes;
    }
}
