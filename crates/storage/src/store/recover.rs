//! Bringing packs and index to agree: at every opening, and after a failed write.

use super::{
    index::Index,
    pack::{Location, Packs, Tail},
};
use crate::Error;
use objects::Cid;
use std::io;

/// Blobs that are put into the index at once.
const BATCH: usize = 4096;

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
    let numbers = packs.numbers()?;
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
    let mut scan = Scan { packs, index, blobs: Vec::new(), found: 0 };
    let from = known.unwrap_or(Tail::start_of(numbers[0]));
    let mut tail = from;
    for number in numbers.into_iter().filter(|number| *number >= from.pack) {
        packs.check_head(number)?;
        let start = if number == from.pack { from } else { Tail::start_of(number) };
        tail = scan.pack(start, number == last).map_err(Error::io(&packs.path(number)))?;
    }
    scan.flush(tail, true).map_err(index_failed)?;
    if scan.found > 0 {
        tracing::info!(blobs = scan.found, "the index was completed from the packs");
    }
    Ok(tail)
}

struct Scan<'a> {
    packs: &'a Packs,
    index: &'a Index,
    blobs: Vec<(Cid, Location)>,
    found: u64,
}

impl Scan<'_> {
    /// Reads one pack from a place on and answers where its records end.
    fn pack(&mut self, from: Tail, is_last: bool) -> io::Result<Tail> {
        let Tail { pack, end: mut at } = from;
        loop {
            if let Some((cid, bytes)) = self.packs.record(pack, at)? {
                let length = u32::try_from(bytes.len()).expect("a frame has a u32 length");
                self.blobs.push((cid, Location { pack, offset: at, length }));
                at += Packs::record_bytes(bytes.len());
                if self.blobs.len() == BATCH {
                    self.flush(Tail { pack, end: at }, false)?;
                }
            } else if let Some(next) = self.packs.find_record(pack, at + 1)? {
                // Something acknowledged may stand behind what is damaged.
                tracing::warn!(pack, from = at, to = next, "a damaged part of a pack is left out");
                at = next;
            } else {
                let length = self.packs.length(pack)?;
                if is_last && length > at {
                    tracing::warn!(pack, bytes = length - at, "a torn end of a pack is cut off");
                    self.packs.cut(Tail { pack, end: at })?;
                }
                return Ok(Tail { pack, end: at });
            }
        }
    }

    fn flush(&mut self, tail: Tail, durable: bool) -> Result<(), super::index::Failure> {
        self.found += self.blobs.len() as u64;
        self.index.add(&self.blobs, tail, durable)?;
        self.blobs.clear();
        Ok(())
    }
}
