//! One block of a directory that is split over several: a node of a hash array mapped trie.
//!
//! Source: UnixFS specification, "HAMTDirectory". A name is placed by its hash, the highest bits
//! first: each level takes as many as number its slots. A link's name begins with its slot in hex;
//! a shard below has no more than that, an entry has its own name after it.

use super::{
    data::{Data, MURMUR3_64},
    murmur::murmur,
    names,
};
use crate::{Cid, Error, dag_pb, error::shortened};

/// Slots of a shard that is written here.
pub(crate) const FANOUT: u32 = 256;
/// Slots of a shard that is read here, by the specification.
const MAX_FANOUT: u64 = 1024;

/// A block of a sharded directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shard {
    /// Bits of a name's hash that choose a slot; the same in the whole directory.
    pub(crate) bits: u32,
    /// The slots that are taken, ascending.
    pub slots: Vec<Slot>,
}

/// A slot of a shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Its number.
    pub index: u32,
    /// The name of the entry that is here; none for a shard with several.
    pub name: Option<String>,
    /// What the name means, or the shard below.
    pub cid: Cid,
    /// Bytes of all blocks from here on; a hint.
    pub size_bytes: u64,
}

/// A place in the trie: a shard, or the slot of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    /// The bits that lead here.
    path: u64,
    /// How many these are.
    taken: u32,
}

impl Place {
    /// The place of a slot in the shard at this place; none below the last bit of a hash.
    pub(crate) fn below(self, bits: u32, index: u32) -> Option<Self> {
        let taken = self.taken + bits;
        (taken <= u64::BITS).then(|| Self { path: self.path << bits | u64::from(index), taken })
    }

    /// Whether a name belongs here.
    pub(crate) fn holds(self, name: &str) -> bool {
        self.taken == 0 || murmur(name.as_bytes()) >> (u64::BITS - self.taken) == self.path
    }

    /// The slot for a hash in the shard at this place; none below the last bit.
    pub(crate) fn slot_of(self, hash: u64, bits: u32) -> Option<u32> {
        let left = u64::BITS.checked_sub(self.taken + bits)?;
        Some((hash >> left & ((1 << bits) - 1)) as u32)
    }
}

/// Hex digits of a slot's number.
pub(crate) fn digits(bits: u32) -> usize {
    bits.div_ceil(4) as usize
}

impl Shard {
    /// Reads the links and the message of a node that says it is a shard.
    pub(crate) fn read(cid: Cid, links: Vec<dag_pb::Link>, data: &Data<'_>) -> Result<Self, Error> {
        let malformed = |reason: &str| Error::malformed(cid, reason);
        let fanout = data.fanout.ok_or_else(|| malformed("a shard without a fanout"))?;
        if !fanout.is_power_of_two() || fanout % 8 != 0 || fanout > MAX_FANOUT {
            return Err(malformed("a shard of so many slots"));
        }
        if data.hash_type != Some(MURMUR3_64) {
            return Err(malformed("a shard of another hash than murmur3-x64-64"));
        }
        let bits = fanout.trailing_zeros();
        let slots: Vec<_> = links
            .into_iter()
            .map(|link| slot(link, bits).map_err(|reason| malformed(&reason)))
            .collect::<Result<_, _>>()?;
        if !slots.is_sorted_by(|a, b| a.index < b.index) {
            return Err(malformed("slots that are out of order, or taken twice"));
        }
        if !marks(data.data, fanout).is_some_and(|marked| marked.eq(slots.iter().map(|s| s.index)))
        {
            return Err(malformed("its links and its bit field do not pair up"));
        }
        Ok(Self { bits, slots })
    }
}

fn slot(link: dag_pb::Link, bits: u32) -> Result<Slot, String> {
    let wrong = || format!("{:?} is no name in a shard", shortened(&link.name));
    let (hex, name) = link.name.split_at_checked(digits(bits)).ok_or_else(wrong)?;
    // `from_str_radix` would take a sign, too.
    if !hex.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F')) {
        return Err(wrong());
    }
    let index = u32::from_str_radix(hex, 16).ok().filter(|index| index >> bits == 0);
    let index = index.ok_or_else(wrong)?;
    let name = (!name.is_empty()).then(|| name.to_string());
    if let Some(name) = &name
        && let Some(reason) = names::fault(name)
    {
        return Err(format!("{:?}: {reason}", shortened(name)));
    }
    Ok(Slot { index, name, cid: link.cid, size_bytes: link.dag_size_bytes })
}

/// The numbers of the bits that are set; none if there are more bytes than slots.
fn marks(field: &[u8], fanout: u64) -> Option<impl Iterator<Item = u32> + '_> {
    let bit = |index: u32| {
        let byte = field.iter().rev().nth(index as usize / 8);
        byte.is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    };
    let fits = field.len() as u64 * 8 <= fanout;
    fits.then(|| (0..fanout as u32).filter(move |index| bit(*index)))
}

/// The bit field in which these slots are set: the lowest at the end, no zero bytes in front.
pub(crate) fn bit_field(slots: impl Iterator<Item = u32>, bits: u32) -> Vec<u8> {
    let mut field = vec![0u8; (1 << bits) / 8];
    let length = field.len();
    for index in slots {
        field[length - 1 - index as usize / 8] |= 1 << (index % 8);
    }
    let zeros = field.iter().take_while(|byte| **byte == 0).count();
    field.split_off(zeros)
}

#[cfg(test)]
#[path = "tests/shard.rs"]
mod tests;
