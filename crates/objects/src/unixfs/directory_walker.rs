//! A directory's entries, block by block.

use super::{Entry, Node, shard::Place};
use crate::{Cid, Error};
use bytes::Bytes;

/// Reads a directory, sharded or not, from its root: says which block it wants next, and gives the
/// entries as they come. A directory of one block gives them sorted by name, a sharded one in the
/// order of their hashes. Every name must stand where its hash belongs, and every shard must lead
/// to one at least: so a name cannot come twice, and the work is bounded by the number of entries.
/// What the entries name is not read.
#[derive(Clone, Debug)]
pub struct DirectoryWalker {
    root: Cid,
    limit_entries: u64,
    entries: u64,
    /// Bits of a hash that choose a slot; known after the first block of a sharded directory.
    bits: Option<u32>,
    /// Shards still to read, the next one last.
    pending: Vec<(Cid, Place)>,
}

impl DirectoryWalker {
    /// A walker over the directory `root`, which may have up to `limit_entries`.
    pub fn new(root: Cid, limit_entries: u64) -> Self {
        let pending = vec![(root, Place::default())];
        Self { root, limit_entries, entries: 0, bits: None, pending }
    }

    /// The block that is wanted next; `None` when the directory is read.
    pub fn wanted(&self) -> Option<Cid> {
        self.pending.last().map(|(cid, _)| *cid)
    }

    /// The blocks that will be wanted, as far as they are known now, in order. The first is
    /// [`Self::wanted`].
    pub fn upcoming(&self) -> impl Iterator<Item = Cid> + '_ {
        self.pending.iter().rev().map(|(cid, _)| *cid)
    }

    /// Takes the block that is wanted and answers the entries in it.
    ///
    /// # Errors
    /// [`Error::NotWanted`] and [`Error::Mismatch`] leave the walker as it was. After
    /// [`Error::Malformed`], [`Error::Unsupported`] for what is no directory, or
    /// [`Error::TooMuch`] it cannot be read.
    pub fn give(&mut self, cid: Cid, bytes: Bytes) -> Result<Vec<Entry>, Error> {
        let (wanted, place) = *self.pending.last().ok_or(Error::NotWanted(cid))?;
        if wanted != cid {
            return Err(Error::NotWanted(cid));
        }
        let is_root = place == Place::default();
        let entries = match Node::parse(cid, bytes)? {
            Node::Shard(shard) => {
                self.pending.pop();
                if *self.bits.get_or_insert(shard.bits) != shard.bits {
                    return Err(Error::malformed(cid, "a shard of another width than its root"));
                }
                if shard.slots.is_empty() && !is_root {
                    return Err(Error::malformed(cid, "an empty shard below another"));
                }
                self.open(cid, place, shard)?
            }
            Node::Directory(entries) if is_root => {
                self.pending.pop();
                entries
            }
            other if is_root => {
                return Err(Error::Unsupported { cid, what: other.what() });
            }
            _ => return Err(Error::malformed(cid, "something else inside a sharded directory")),
        };
        self.entries += entries.len() as u64;
        if self.entries > self.limit_entries {
            let limit = self.limit_entries;
            return Err(Error::TooMuch { root: self.root, what: "entries", limit });
        }
        Ok(entries)
    }

    fn open(&mut self, cid: Cid, place: Place, shard: super::Shard) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        let mut below = Vec::new();
        for slot in shard.slots {
            let place = place.below(shard.bits, slot.index);
            let place = place.ok_or_else(|| Error::malformed(cid, "too many shards in a row"))?;
            match slot.name {
                Some(name) if place.holds(&name) => {
                    entries.push(Entry { name, cid: slot.cid, size_bytes: slot.size_bytes });
                }
                Some(_) => {
                    return Err(Error::malformed(cid, "a name in a slot of another hash"));
                }
                None => below.push((slot.cid, place)),
            }
        }
        self.pending.extend(below.into_iter().rev());
        Ok(entries)
    }
}

#[cfg(test)]
#[path = "tests/directory_walker.rs"]
pub(crate) mod tests;
