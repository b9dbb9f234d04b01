//! Bringing packs and index to agree: at every opening, and after a failed write.

use super::{
    index::{Failure, Index},
    pack::{Location, Packs, Tail, VERSION},
    record::{Place, Record, Row},
    walk::{Step, Walk},
};
use crate::Error;
use std::{
    io,
    time::{Duration, Instant},
};

/// Records that are put into the index at once.
const BATCH: usize = 16_384;
/// Time between two lines that tell how far it is.
const TELL: Duration = Duration::from_secs(3);

/// Reads what the index does not know yet, cuts a torn end off, and answers where the next record
/// goes. Afterwards the index is durable.
pub(super) fn catch_up(packs: &Packs, index: &Index) -> Result<Tail, Error> {
    let result = complete(packs, index);
    if result.is_err() && index.is_closed() {
        // It was damaged and is gone: begin with an empty one.
        index.reopen().map_err(|failure| Error::io(index.path())(failure.into()))?;
        return complete(packs, index);
    }
    result
}

fn complete(packs: &Packs, index: &Index) -> Result<Tail, Error> {
    let index_failed = |failure| Error::io(index.path())(io::Error::from(failure));
    let numbers = packs.numbers().map_err(Error::io(packs.dir()))?;
    let Some(last) = numbers.last().copied() else {
        let tail = packs.create(0).map_err(Error::io(packs.dir()))?;
        index.clear().map_err(index_failed)?;
        index.add(&[], tail, true).map_err(index_failed)?;
        return Ok(tail);
    };
    let mut known = index.tail().map_err(index_failed)?;
    if let Some(tail) = known {
        let length = packs.length(tail.pack).unwrap_or_default();
        if length < tail.end {
            tracing::warn!(pack = tail.pack, "the index knows more than the packs; rebuilding it");
            index.clear().map_err(index_failed)?;
            known = None;
        }
    }
    let from = known.unwrap_or(Tail::start_of(numbers[0]));
    let numbers: Vec<_> = numbers.into_iter().filter(|number| *number >= from.pack).collect();
    let mut scan = Scan::new(packs, index, &numbers, from).map_err(Error::io(packs.dir()))?;
    let mut tail = from;
    let mut version = None;
    for number in numbers {
        version = packs.check_head(number)?;
        let start = if number == from.pack { from } else { Tail::start_of(number) };
        tail = scan.pack(start, number == last).map_err(Error::io(&packs.path(number)))?;
    }
    if version != Some(VERSION) {
        // An older program must not find records that it does not know.
        let next = packs.create(tail.pack + 1);
        tail = next.map_err(Error::io(packs.dir()))?;
    }
    scan.flush(tail, true).map_err(index_failed)?;
    if scan.found > 0 {
        tracing::info!(records = scan.found, "the index was completed from the packs");
    }
    Ok(tail)
}

struct Scan<'a> {
    packs: &'a Packs,
    index: &'a Index,
    rows: Vec<Row>,
    found: u64,
    /// Bytes that are to be read, and that were.
    all_bytes: u64,
    read_bytes: u64,
    told: Instant,
}

impl<'a> Scan<'a> {
    fn new(packs: &'a Packs, index: &'a Index, numbers: &[u32], from: Tail) -> io::Result<Self> {
        let mut all_bytes: u64 = 0;
        for number in numbers {
            all_bytes += packs.length(*number)?;
        }
        let all_bytes = all_bytes.saturating_sub(from.end);
        let rows = Vec::new();
        Ok(Self { packs, index, rows, found: 0, all_bytes, read_bytes: 0, told: Instant::now() })
    }

    /// Reads one pack from a place on and answers where its records end.
    fn pack(&mut self, from: Tail, is_last: bool) -> io::Result<Tail> {
        let pack = from.pack;
        let mut walk = Walk::new(self.packs, pack, from.end)?;
        loop {
            match walk.step()? {
                Step::Record(Record::Blob(cid, bytes), offset) => {
                    let length = u32::try_from(bytes.len()).expect("a frame has a u32 length");
                    self.rows.push(Row::Blob(cid, Location { pack, offset, length }));
                }
                Step::Record(Record::Control(control), offset) => {
                    self.rows.push(Row::of(control, Place { pack, offset }));
                }
                Step::Damaged { from, to, blob } => {
                    tracing::warn!(pack, from, to, "a damaged part of a pack is left out");
                    // In the last pack it may be of a write that was never acknowledged.
                    if let Some((cid, length)) = blob.filter(|_| !is_last) {
                        self.rows.push(Row::Damaged(cid, Location { pack, offset: from, length }));
                    }
                }
                Step::End(end) => {
                    self.read_bytes += walk.end() - from.end.min(walk.end());
                    if is_last && walk.end() > end {
                        let bytes = walk.end() - end;
                        tracing::warn!(pack, bytes, "a torn end of a pack is cut off");
                        self.packs.cut(Tail { pack, end })?;
                    }
                    return Ok(Tail { pack, end });
                }
            }
            if self.rows.len() >= BATCH {
                self.flush(Tail { pack, end: walk.at() }, false)?;
                self.tell(walk.at() - from.end);
            }
        }
    }

    fn tell(&mut self, bytes: u64) {
        if self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        let percent = (self.read_bytes + bytes) * 100 / self.all_bytes.max(1);
        tracing::info!(
            percent,
            records = self.found,
            "the index is being completed from the packs"
        );
    }

    fn flush(&mut self, tail: Tail, durable: bool) -> Result<(), Failure> {
        self.found += self.rows.len() as u64;
        self.index.add(&self.rows, tail, durable)?;
        self.rows.clear();
        Ok(())
    }
}
