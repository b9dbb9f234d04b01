//! Writing a directory over several blocks.
//!
//! The shape follows from the names alone: entries are sorted by hash, and every shard is a run of
//! neighbours. So the order in which they came does not matter, and nothing but the entries and the
//! shards on the way down is held.

use super::{
    DirectoryRoot, Entry, data,
    shard::{Place, bit_field, digits},
};
use crate::{Block, Codec, Error, dag_pb};

/// An entry and the hash of its name.
pub(crate) type Placed = (u64, Entry);

/// Writes shards and hands them out, those below first.
pub(crate) struct Writer<'a, F> {
    /// Bits of a hash that choose a slot.
    pub(crate) bits: u32,
    /// Takes the blocks.
    pub(crate) emit: &'a mut F,
}

impl<F> Writer<'_, F> {
    /// Writes the shard of `entries`, which are sorted by hash and of different names. It goes no
    /// deeper than a hash has bits.
    pub(crate) fn shard<E>(&mut self, entries: &[Placed], place: Place) -> Result<DirectoryRoot, E>
    where
        F: FnMut(Block) -> Result<(), E>,
        E: From<Error>,
    {
        let bits = self.bits;
        let width = digits(bits);
        let too_deep = || {
            let name = entries.first().map_or("", |(_, entry)| entry.name.as_str());
            Error::name(name, "other names have the same hash; no directory can hold them together")
        };
        let (mut links, mut slots) = (Vec::new(), Vec::new());
        let mut blocks = 1;
        for group in entries.chunk_by(|a, b| place.slot_of(a.0, bits) == place.slot_of(b.0, bits)) {
            let index = place.slot_of(group[0].0, bits).ok_or_else(too_deep)?;
            let (name, cid, size_bytes) = match group {
                [(_, entry)] => (entry.name.as_str(), entry.cid, entry.size_bytes),
                _ => {
                    let place = place.below(bits, index).ok_or_else(too_deep)?;
                    let shard = self.shard(group, place)?;
                    blocks += shard.blocks;
                    ("", shard.cid, shard.dag_size_bytes)
                }
            };
            let name = format!("{index:0width$X}{name}");
            links.push(dag_pb::Link { cid, name, dag_size_bytes: size_bytes });
            slots.push(index);
        }
        let field = bit_field(slots.into_iter(), bits);
        let bytes = dag_pb::encode(&links, &data::encode_shard(&field, 1 << bits));
        let sizes = links.iter().map(|link| link.dag_size_bytes);
        let dag_size_bytes = sizes.fold(bytes.len() as u64, u64::saturating_add);
        let block = Block::of(Codec::DagPb, bytes);
        let root =
            DirectoryRoot { cid: block.cid, dag_size_bytes, entries: entries.len() as u64, blocks };
        (self.emit)(block)?;
        Ok(root)
    }
}

#[cfg(test)]
#[path = "tests/hamt.rs"]
mod tests;
