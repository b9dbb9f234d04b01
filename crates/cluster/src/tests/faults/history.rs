//! What clients did and saw, and whether one register for each key could have answered so.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What was done to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// A value that nobody else writes.
    Write(u64),
    /// What was read.
    Read(Option<u64>),
}

/// One operation of one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) key: u8,
    pub(super) act: Act,
    /// When it was asked for, counted in events.
    pub(super) invoked: u64,
    /// When it was answered; never, if nobody knows whether it was done.
    pub(super) returned: Option<u64>,
}

/// All operations, as those who asked for them know them.
#[derive(Default)]
pub(super) struct History {
    events: u64,
    pub(super) operations: Vec<Operation>,
    /// Values of which the writer was told that they were not taken.
    pub(super) refused: BTreeSet<u64>,
}

impl History {
    /// The number of the next event.
    pub(super) fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// Takes note of an answer.
    pub(super) fn answered(&mut self, key: u8, act: Act, invoked: u64) {
        let returned = Some(self.event());
        self.operations.push(Operation { key, act, invoked, returned });
    }

    /// Takes note of a write of which nobody knows whether it was done.
    pub(super) fn unknown(&mut self, key: u8, value: u64, invoked: u64) {
        self.operations.push(Operation { key, act: Act::Write(value), invoked, returned: None });
    }

    /// Values that were written and acknowledged.
    pub(super) fn acknowledged(&self) -> BTreeSet<u64> {
        let value = |operation: &Operation| match operation.act {
            Act::Write(value) if operation.returned.is_some() => Some(value),
            _ => None,
        };
        self.operations.iter().filter_map(value).collect()
    }

    /// The first key whose operations fit no order; each key can be looked at alone (Herlihy and
    /// Wing, TOPLAS 1990, theorem 1).
    pub(super) fn odd_key(&self) -> Option<u8> {
        let mut keys: BTreeMap<u8, Vec<Operation>> = BTreeMap::new();
        for operation in &self.operations {
            keys.entry(operation.key).or_default().push(*operation);
        }
        keys.into_iter().find(|(_, operations)| !is_linearizable(operations)).map(|(key, _)| key)
    }
}

/// Which operations are done, and what the register holds then.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Point {
    done: Vec<u64>,
    value: Option<u64>,
}

impl Point {
    fn has(&self, at: usize) -> bool {
        self.done[at / 64] >> (at % 64) & 1 == 1
    }

    fn and(&self, at: usize, value: Option<u64>) -> Self {
        let mut done = self.done.clone();
        done[at / 64] |= 1 << (at % 64);
        Self { done, value }
    }
}

/// Looks for an order of the operations on one register that explains every answer (Wing and Gong,
/// JPDC 1993), and goes through no point twice (Lowe, CCPE 2017).
pub(super) fn is_linearizable(operations: &[Operation]) -> bool {
    let read: BTreeSet<u64> = operations
        .iter()
        .filter_map(|operation| match operation.act {
            Act::Read(value) => value,
            Act::Write(_) => None,
        })
        .collect();
    // A write that may not have happened, and that nobody read, explains nothing.
    let matters = |operation: &&Operation| match operation.act {
        Act::Write(value) => operation.returned.is_some() || read.contains(&value),
        Act::Read(_) => true,
    };
    let operations: Vec<&Operation> = operations.iter().filter(matters).collect();
    let start = Point { done: vec![0; operations.len().div_ceil(64)], value: None };
    let mut seen = HashSet::from([start.clone()]);
    let mut rest = vec![start];
    while let Some(point) = rest.pop() {
        let open = || operations.iter().enumerate().filter(|(at, _)| !point.has(*at));
        let Some(horizon) = open().filter_map(|(_, operation)| operation.returned).min() else {
            return true;
        };
        let mut next = Vec::new();
        // Only what was asked for before the first answer can come first.
        for (at, operation) in open().filter(|(_, operation)| operation.invoked < horizon) {
            match operation.act {
                // A read that fits may as well come now: it changes nothing.
                Act::Read(value) if value == point.value => {
                    next = vec![point.and(at, value)];
                    break;
                }
                Act::Read(_) => {}
                Act::Write(value) => next.push(point.and(at, Some(value))),
            }
        }
        rest.extend(next.into_iter().filter(|point| seen.insert(point.clone())));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{
        Act::{Read, Write},
        Operation, is_linearizable,
    };

    fn fits(all: &[(super::Act, u64, u64)]) -> bool {
        let operation = |&(act, invoked, returned): &(super::Act, u64, u64)| {
            // Zero is never.
            Operation { key: 0, act, invoked, returned: Some(returned).filter(|at| *at > 0) }
        };
        is_linearizable(&all.iter().map(operation).collect::<Vec<_>>())
    }

    #[test]
    fn operations_in_turn_see_each_other() {
        assert!(fits(&[]));
        assert!(fits(&[(Read(None), 1, 2), (Write(7), 3, 4), (Read(Some(7)), 5, 6)]));
        assert!(!fits(&[(Write(7), 1, 2), (Read(None), 3, 4)]));
        assert!(!fits(&[(Read(Some(7)), 1, 2), (Write(7), 3, 4)]));
        assert!(!fits(&[(Write(7), 1, 2), (Write(8), 3, 4), (Read(Some(7)), 5, 6)]));
        assert!(!fits(&[(Write(7), 1, 2), (Read(Some(9)), 3, 4)]));
    }

    #[test]
    fn operations_at_once_may_come_in_any_order_but_in_one() {
        let writes = [(Write(7), 1, 10), (Write(8), 2, 9)];
        let with = |more: &[(super::Act, u64, u64)]| [&writes[..], more].concat();
        assert!(fits(&with(&[(Read(Some(7)), 11, 12)])));
        assert!(fits(&with(&[(Read(Some(8)), 11, 12)])));
        assert!(fits(&with(&[(Read(Some(8)), 3, 4), (Read(Some(7)), 5, 6)])));
        assert!(fits(&with(&[(Read(None), 3, 8), (Read(Some(7)), 4, 5)])));
        assert!(!fits(&with(&[(Read(Some(8)), 11, 12), (Read(Some(7)), 13, 14)])));
        let again = [(Read(Some(7)), 3, 4), (Read(Some(8)), 5, 6), (Read(Some(7)), 7, 8)];
        assert!(!fits(&with(&again)));
    }

    #[test]
    fn a_write_without_an_answer_happened_late_early_or_never_but_once() {
        let lost = (Write(7), 1, 0);
        assert!(fits(&[lost, (Read(None), 2, 3)]));
        assert!(fits(&[lost, (Read(None), 2, 3), (Read(Some(7)), 4, 5)]));
        assert!(fits(&[lost, (Write(8), 2, 3), (Read(Some(8)), 4, 5), (Read(Some(7)), 6, 7)]));
        assert!(!fits(&[lost, (Read(Some(7)), 2, 3), (Read(None), 4, 5)]));
        let back = [(Write(8), 2, 3), (Read(Some(7)), 4, 5), (Write(9), 6, 7)];
        assert!(fits(&[&[lost], &back[..]].concat()));
        assert!(!fits(&[&[lost], &back[..], &[(Read(Some(7)), 8, 9)]].concat()));
    }

    #[test]
    fn many_lost_writes_are_no_trouble() {
        let mut all: Vec<_> = (0..100).map(|value| (Write(value), value + 1, 0)).collect();
        all.push((Write(500), 200, 201));
        all.extend((0..100).map(|n| (Read(Some(500)), 300 + 2 * n, 301 + 2 * n)));
        assert!(fits(&all));
        all.push((Read(None), 900, 901));
        assert!(!fits(&all));
    }
}
