//! How long programs take, by what was seen.

use objects::Cid;
use protocol::pairs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was seen so often is gone by.
const ENOUGH: u32 = 4;
/// Times are kept in so many parts of a millisecond, so that small ones have a mean.
const PARTS: u64 = 16;
/// The share of the latest time in the mean: one of so many.
const SHARE: u64 = 8;

/// Nodes that are alike: processor, and the power of two of their speed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeClass {
    pub(crate) arch: String,
    pub(crate) speed: u32,
}

/// How long one program takes on one class of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// The mean, the latest counting most.
    mean: u64,
    /// The longest of late.
    most: u64,
    seen: u32,
    /// When it was last seen, by a count of all that was.
    used: u64,
}

/// All of them, as many as are kept; the one not seen for longest is forgotten first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Learned {
    #[serde(with = "pairs")]
    known: BTreeMap<(Cid, NodeClass), Known>,
    count: u64,
}

impl Learned {
    /// A replica took so long from its start to its commitment.
    pub(crate) fn saw(&mut self, program: Cid, class: NodeClass, took_ms: u64, most: usize) {
        self.count += 1;
        let took = took_ms.saturating_mul(PARTS);
        let used = self.count;
        let fresh = Known { mean: took, most: took, seen: 0, used };
        let known = self.known.entry((program, class)).or_insert(fresh);
        known.mean = known.mean - known.mean / SHARE + took / SHARE;
        known.most = took.max(known.most - known.most / (4 * SHARE));
        known.seen = known.seen.saturating_add(1);
        known.used = used;
        if self.known.len() > most.max(1) {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.used);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.known.remove(&key);
            }
        }
    }

    /// How long a program is expected to take, if it was seen often enough.
    pub(crate) fn expected_ms(&self, program: &Cid, class: &NodeClass) -> Option<u64> {
        self.known(program, class).map(|known| known.mean.div_ceil(PARTS))
    }

    /// The longest that it took of late.
    pub(crate) fn most_ms(&self, program: &Cid, class: &NodeClass) -> Option<u64> {
        self.known(program, class).map(|known| known.most.div_ceil(PARTS))
    }

    /// The shortest that it is expected to take, of all classes.
    pub(crate) fn least_ms(&self, program: &Cid) -> Option<u64> {
        let first = (*program, NodeClass::default());
        let of_program = self.known.range(first..).take_while(|((cid, _), _)| cid == program);
        let seen = of_program.filter(|(_, known)| known.seen >= ENOUGH);
        seen.map(|(_, known)| known.mean.div_ceil(PARTS)).min()
    }

    fn known(&self, program: &Cid, class: &NodeClass) -> Option<&Known> {
        self.known.get(&(*program, class.clone())).filter(|known| known.seen >= ENOUGH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;

    fn program(n: u8) -> Cid {
        Cid::of(Codec::Raw, &[n])
    }

    #[test]
    fn what_was_seen_often_enough_is_expected_again() {
        let (mut learned, class) = (Learned::default(), NodeClass::default());
        for _ in 0..3 {
            learned.saw(program(1), class.clone(), 50, 8);
            assert_eq!(learned.expected_ms(&program(1), &class), None);
        }
        learned.saw(program(1), class.clone(), 50, 8);
        assert_eq!(learned.expected_ms(&program(1), &class), Some(50));
        let fast = NodeClass { arch: "x".into(), speed: 20 };
        (0..4).for_each(|_| learned.saw(program(1), fast.clone(), 10, 8));
        assert_eq!(learned.least_ms(&program(1)), Some(10));
        (0..200).for_each(|_| learned.saw(program(1), class.clone(), 90, 8));
        assert!(learned.expected_ms(&program(1), &class).is_some_and(|ms| ms > 80));
    }

    #[test]
    fn the_one_not_seen_for_longest_is_forgotten() {
        let mut learned = Learned::default();
        for n in 0..20 {
            (0..4).for_each(|_| learned.saw(program(n), NodeClass::default(), 5, 4));
        }
        assert_eq!(learned.known.len(), 4);
        assert_eq!(learned.expected_ms(&program(19), &NodeClass::default()), Some(5));
        assert_eq!(learned.expected_ms(&program(0), &NodeClass::default()), None);
    }
}
