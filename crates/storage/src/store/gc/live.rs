//! Which blobs are live: exactly for what has links, nearly for leaves.
//!
//! Nodes are known by a salted 128-bit number each, since one that was forgotten would cost what is
//! below it. Leaves are in a salted Bloom filter of 16 bits per blob of the store: about one dead
//! leaf in two thousand is taken for live, and another collection has another salt.

use crate::Error;
use objects::{Cid, Codec};
use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

/// Bits of the filter for each blob of the store.
const BITS_PER_BLOB: u64 = 16;
/// Bits that one leaf sets.
const PROBES: u64 = 8;
/// Bytes of memory that one node may take: its number with the spare room of the set, and its turn
/// to be looked at.
const NODE_BYTES: usize = 96;

/// What was marked so far.
#[derive(Debug)]
pub(super) struct Live {
    salts: (RandomState, RandomState),
    nodes: HashSet<u128>,
    most_nodes: usize,
    memory_bytes: usize,
    /// A power of two of bits.
    leaves: Vec<u64>,
}

impl Live {
    /// For a store of so many blobs: half of the memory at most for leaves, half for nodes.
    pub(super) fn new(blobs: u64, memory_bytes: usize) -> Self {
        let most_words = (memory_bytes / 2 / 8).max(1);
        let most_words = if most_words.is_power_of_two() {
            most_words
        } else {
            most_words.next_power_of_two() / 2
        };
        let words = (blobs.saturating_mul(BITS_PER_BLOB) / 64).clamp(1, most_words as u64);
        let words = (words as usize).next_power_of_two().min(most_words);
        Self {
            salts: (RandomState::new(), RandomState::new()),
            nodes: HashSet::new(),
            most_nodes: memory_bytes / 2 / NODE_BYTES,
            memory_bytes,
            leaves: vec![0; words],
        }
    }

    /// Marks a node; whether it was not marked before.
    pub(super) fn add_node(&mut self, cid: &Cid) -> Result<bool, Error> {
        let (a, b) = self.hashes(cid);
        let is_new = self.nodes.insert(u128::from(a) << 64 | u128::from(b));
        if self.nodes.len() > self.most_nodes {
            return Err(Error::Marking { nodes: self.nodes.len(), limit_bytes: self.memory_bytes });
        }
        Ok(is_new)
    }

    /// Marks a blob whose links do not count.
    pub(super) fn add_leaf(&mut self, cid: &Cid) {
        for bit in self.bits(cid) {
            self.leaves[(bit / 64) as usize] |= 1 << (bit % 64);
        }
    }

    pub(super) fn is_live(&self, cid: &Cid) -> bool {
        let is_leaf = self
            .bits(cid)
            .into_iter()
            .all(|bit| self.leaves[(bit / 64) as usize] & (1 << (bit % 64)) != 0);
        if is_leaf || cid.codec() == Codec::Raw {
            return is_leaf;
        }
        let (a, b) = self.hashes(cid);
        self.nodes.contains(&(u128::from(a) << 64 | u128::from(b)))
    }

    fn bits(&self, cid: &Cid) -> [u64; PROBES as usize] {
        let (a, b) = self.hashes(cid);
        let mask = self.leaves.len() as u64 * 64 - 1;
        std::array::from_fn(|probe| a.wrapping_add((probe as u64).wrapping_mul(b | 1)) & mask)
    }

    fn hashes(&self, cid: &Cid) -> (u64, u64) {
        (self.salts.0.hash_one(cid), self.salts.1.hash_one(cid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cid(codec: Codec, n: u32) -> Cid {
        Cid::of(codec, &n.to_be_bytes())
    }

    #[test]
    fn what_was_marked_is_live_and_hardly_anything_else() {
        let mut live = Live::new(20_000, 64 << 20);
        for n in 0..10_000 {
            live.add_leaf(&cid(Codec::Raw, n));
        }
        for n in 0..100 {
            assert!(live.add_node(&cid(Codec::DagPb, n)).expect("room"));
            assert!(!live.add_node(&cid(Codec::DagPb, n)).expect("room"));
        }
        assert!((0..10_000).all(|n| live.is_live(&cid(Codec::Raw, n))));
        assert!((0..100).all(|n| live.is_live(&cid(Codec::DagPb, n))));
        let wrong = (10_000..20_000).filter(|n| live.is_live(&cid(Codec::Raw, *n))).count();
        assert!(wrong < 50, "{wrong}");
    }

    #[test]
    fn more_nodes_than_memory_is_an_error() {
        let mut live = Live::new(u64::MAX, 4096);
        assert!(live.leaves.len() * 8 <= 2048);
        let result = (0..1000).try_for_each(|n| live.add_node(&cid(Codec::DagPb, n)).map(drop));
        assert!(matches!(result, Err(Error::Marking { limit_bytes: 4096, .. })));
    }
}
