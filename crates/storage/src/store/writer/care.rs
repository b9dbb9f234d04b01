//! What the writing thread does for collection and compaction. It is here, and not elsewhere, so
//! that no put comes in between.

use super::{
    super::{
        index::Failure,
        pack::{Location, Tail},
        pin::PinMode,
    },
    Care, Swept, Writer,
};
use objects::Cid;
use protocol::port::BlobError;
use std::collections::HashSet;

/// Blobs put again during one collection that are remembered.
const TOUCHED: usize = 1 << 20;
/// Pins made during one collection that are remembered.
const PINNED: usize = 1 << 18;

/// What happens while a collection looks for what is live.
#[derive(Debug, Default)]
pub(super) struct Collecting {
    touched: HashSet<Cid>,
    pinned: Vec<(Cid, PinMode)>,
    is_overrun: bool,
}

impl Collecting {
    pub(super) fn touch(&mut self, cid: Cid) {
        self.is_overrun |= self.touched.len() == TOUCHED;
        if !self.is_overrun {
            self.touched.insert(cid);
        }
    }

    pub(super) fn pin(&mut self, root: Cid, mode: PinMode) {
        self.is_overrun |= self.pinned.len() == PINNED;
        if !self.is_overrun {
            self.pinned.push((root, mode));
        }
    }
}

impl Writer {
    /// Does it, and answers. Whoever asked may have gone away.
    pub(super) fn care(&mut self, care: Care) {
        match care {
            Care::Begin(reply) => {
                self.collecting = Some(Collecting::default());
                drop(reply.send(Ok(self.tail)));
            }
            Care::End => self.collecting = None,
            Care::Sweep(dead, seen, reply) => drop(reply.send(self.sweep(dead, seen))),
            Care::Seal(reply) => drop(reply.send(self.seal())),
            Care::Retire(pack, reply) => drop(reply.send(self.retire(pack))),
        }
    }

    fn sweep(&mut self, mut dead: Vec<(Cid, Location)>, seen: usize) -> Result<Swept, BlobError> {
        let Some(collecting) = &self.collecting else { return Ok(Swept::Overrun) };
        if collecting.is_overrun {
            return Ok(Swept::Overrun);
        }
        if collecting.pinned.len() > seen {
            return Ok(Swept::Pinned(collecting.pinned[seen..].to_vec()));
        }
        dead.retain(|(cid, _)| !collecting.touched.contains(cid));
        self.shared.recent.forget(dead.iter().map(|(cid, _)| cid));
        let reclaimed = self.shared.index.forget(&dead).map_err(Failure::into_blob_error)?;
        self.used_bytes = self.used_bytes.saturating_sub(reclaimed.bytes);
        for (cid, _) in &dead {
            // Should it come back it is a new one.
            self.touched.remove(cid);
        }
        Ok(Swept::Done(reclaimed))
    }

    fn seal(&mut self) -> Result<Tail, BlobError> {
        if self.tail != Tail::start_of(self.tail.pack) {
            self.begin_pack().map_err(|error| self.explain(&error))?;
        }
        Ok(self.tail)
    }

    fn retire(&mut self, pack: u32) -> Result<bool, BlobError> {
        let loads = self.shared.index.loads().map_err(Failure::into_blob_error)?;
        let is_live = loads.iter().any(|load| load.pack == pack && load.blobs > 0);
        let pins = self.shared.index.pins_in(pack, 1).map_err(Failure::into_blob_error)?;
        if is_live || !pins.is_empty() || pack >= self.tail.pack {
            return Ok(false);
        }
        // The index must know for good where everything is now, before the old place is gone.
        self.shared.index.retire(pack, self.tail).map_err(Failure::into_blob_error)?;
        (self.open_bytes, self.open_blobs) = (0, 0);
        self.shared.packs.delete(pack).map_err(|error| self.explain(&error))?;
        Ok(true)
    }
}
