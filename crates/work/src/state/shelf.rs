//! The signed batches of a job: kept whole, because one signature covers all their leaves.

use super::Seat;
use protocol::pairs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of leaves without use (repeated, late, or wrong) that are kept for one node of a job,
/// because they share a batch with useful ones.
pub const WASTE_BYTES: u64 = 1 << 20;

/// Contradictions of one job that are kept: one for each node.
pub(crate) const CONTRADICTIONS: usize = 64;

/// A batch and the length of its canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept<B> {
    batch: B,
    size_bytes: u64,
}

/// Batches by number, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shelf<B> {
    batches: Vec<Kept<B>>,
    #[serde(with = "pairs")]
    waste_bytes: BTreeMap<Seat, u64>,
}

impl<B> Default for Shelf<B> {
    fn default() -> Self {
        Self { batches: Vec::new(), waste_bytes: BTreeMap::new() }
    }
}

impl<B: Serialize> Shelf<B> {
    /// Keeps a batch of which `useful` of `leaves` leaves have a use; `None` if its node has had
    /// too many without.
    pub(crate) fn keep(
        &mut self,
        from: Seat,
        batch: B,
        (useful, leaves): (usize, usize),
    ) -> Option<u32> {
        let size_bytes = identity::canonical::encode(&batch).len() as u64;
        let useless = (leaves - useful) as u64 * size_bytes / leaves.max(1) as u64;
        let wasted = self.waste_bytes.entry(from).or_default();
        if *wasted + useless > WASTE_BYTES {
            return None;
        }
        *wasted += useless;
        let number = u32::try_from(self.batches.len()).ok()?;
        self.batches.push(Kept { batch, size_bytes });
        Some(number)
    }

    /// A batch that was kept.
    pub(crate) fn get(&self, number: u32) -> &B {
        &self.batches[number as usize].batch
    }

    /// The length of its canonical bytes.
    pub(crate) fn size_bytes(&self, number: u32) -> usize {
        self.batches[number as usize].size_bytes as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_cannot_fill_the_shelf_with_useless_leaves() {
        let mut shelf = Shelf::default();
        let batch = || vec![0_u64; 1_000];
        let kept = (0..2_000).filter_map(|_| shelf.keep(Seat(1), batch(), (1, 1_000))).count();
        assert!((1_000..1_100).contains(&kept), "{kept}");
        assert!(shelf.keep(Seat(1), batch(), (1_000, 1_000)).is_some(), "useful ones go on");
        assert!(shelf.keep(Seat(2), batch(), (1, 1_000)).is_some(), "others go on");
    }
}
