//! What clients did and saw, and whether one register for each key could have answered so.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

/// What was done to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A value that nobody else writes.
    Write(u64),
    /// Such a value, from somebody who says it again and again until there is an answer: it is
    /// written once or several times between question and answer; without an answer, any number of
    /// times, or never.
    Writes(u64),
    /// What was read.
    Read(Option<u64>),
}

/// One operation of one client.
#[derive(Clone, Copy, Debug, Hash)]
pub struct Operation {
    /// Which register.
    pub key: u8,
    /// What was done to it.
    pub act: Act,
    /// When it was asked for, counted in events.
    pub invoked: u64,
    /// When it was answered; never, if nobody knows whether it was done.
    pub returned: Option<u64>,
}

/// All operations, as those who asked for them know them.
#[derive(Default)]
pub struct History {
    events: u64,
    /// Those that count.
    pub operations: Vec<Operation>,
    /// Values of which the writer was told that they were not taken.
    pub refused: BTreeSet<u64>,
}

impl History {
    /// The number of the next event.
    pub fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// A number that tells this history from others.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for operation in &self.operations {
            operation.hash(&mut hasher);
        }
        self.refused.hash(&mut hasher);
        hasher.finish()
    }

    /// Takes note of an answer.
    pub fn answered(&mut self, key: u8, act: Act, invoked: u64) {
        let returned = Some(self.event());
        self.operations.push(Operation { key, act, invoked, returned });
    }

    /// Takes note of a write of which nobody knows whether it was done.
    pub fn unknown(&mut self, key: u8, value: u64, invoked: u64) {
        self.operations.push(Operation { key, act: Act::Write(value), invoked, returned: None });
    }

    /// Values that were written and acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<u64> {
        let value = |operation: &Operation| match operation.act {
            Act::Write(value) | Act::Writes(value) if operation.returned.is_some() => Some(value),
            _ => None,
        };
        self.operations.iter().filter_map(value).collect()
    }

    /// The first key whose operations fit no order; each key can be looked at alone (Herlihy and
    /// Wing, TOPLAS 1990, theorem 1).
    pub fn odd_key(&self) -> Option<u8> {
        let mut keys: BTreeMap<u8, Vec<Operation>> = BTreeMap::new();
        for operation in &self.operations {
            keys.entry(operation.key).or_default().push(*operation);
        }
        keys.into_iter().find(|(_, operations)| !is_linearizable(operations)).map(|(key, _)| key)
    }
}

/// What one register may hold while nobody waits for an answer. A long history is cut at such points
/// of rest into pieces, each of which is looked at alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// What it may hold.
    values: BTreeSet<Option<u64>>,
    /// What nobody knows of whether it was written. It may be written still, so it is kept: eight
    /// bytes each.
    lost: BTreeSet<u64>,
}

impl Default for Rest {
    /// Nothing was ever written.
    fn default() -> Self {
        Self { values: BTreeSet::from([None]), lost: BTreeSet::new() }
    }
}

impl Rest {
    /// What it may hold after these operations; `None` if no order of them explains every answer.
    ///
    /// A write without an answer counts as [`Act::Writes`] from the next piece on, which refuses
    /// no history that is right.
    pub fn after(&self, piece: &[Operation]) -> Option<Self> {
        let lingers = |value: &u64| Operation {
            key: 0,
            act: Act::Writes(*value),
            invoked: 0,
            returned: None,
        };
        let all: Vec<Operation> =
            self.lost.iter().map(lingers).chain(piece.iter().copied()).collect();
        let search = Search::of(&all);
        let mut values = BTreeSet::new();
        search.explore(&self.values, |value| {
            values.insert(value);
            true
        });
        let mut lost = self.lost.clone();
        lost.extend(piece.iter().filter(|operation| operation.returned.is_none()).filter_map(
            |operation| match operation.act {
                Act::Write(value) | Act::Writes(value) => Some(value),
                Act::Read(_) => None,
            },
        ));
        (!values.is_empty()).then_some(Self { values, lost })
    }
}

/// Looks for an order of the operations on one register that explains every answer (Wing and Gong,
/// JPDC 1993), and goes through no point twice (Lowe, CCPE 2017).
pub fn is_linearizable(operations: &[Operation]) -> bool {
    let mut found = false;
    Search::of(operations).explore(&BTreeSet::from([None]), |_| {
        found = true;
        false
    });
    found
}

/// Which operations are done, which of those that are not have been in force, and what the register
/// holds then.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Point {
    done: Vec<u64>,
    begun: Vec<u64>,
    value: Option<u64>,
}

fn has(bits: &[u64], at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 == 1
}

impl Point {
    fn and(&self, at: usize, value: Option<u64>) -> Self {
        let mut next = Self { value, ..self.clone() };
        next.done[at / 64] |= 1 << (at % 64);
        next.begun[at / 64] &= !(1 << (at % 64));
        next
    }

    fn and_begun(&self, at: usize, value: u64) -> Self {
        let mut next = Self { value: Some(value), ..self.clone() };
        next.begun[at / 64] |= 1 << (at % 64);
        next
    }
}

/// The operations of which an order is looked for.
struct Search<'a> {
    operations: Vec<&'a Operation>,
}

impl<'a> Search<'a> {
    fn of(operations: &'a [Operation]) -> Self {
        let read: BTreeSet<u64> = operations
            .iter()
            .filter_map(|operation| match operation.act {
                Act::Read(value) => value,
                Act::Write(_) | Act::Writes(_) => None,
            })
            .collect();
        // A write that may not have happened, and that nobody read, explains nothing.
        let matters = |operation: &&Operation| match operation.act {
            Act::Write(value) | Act::Writes(value) => {
                operation.returned.is_some() || read.contains(&value)
            }
            Act::Read(_) => true,
        };
        Self { operations: operations.iter().filter(matters).collect() }
    }

    /// Goes on from what the register may hold at first, and tells `ends` what it may hold when all
    /// that was answered is done, until that has heard enough.
    fn explore(&self, first: &BTreeSet<Option<u64>>, mut ends: impl FnMut(Option<u64>) -> bool) {
        let words = self.operations.len().div_ceil(64);
        let start = |value: &Option<u64>| Point {
            done: vec![0; words],
            begun: vec![0; words],
            value: *value,
        };
        let mut rest: Vec<Point> = first.iter().map(start).collect();
        let mut seen: HashSet<Point> = rest.iter().cloned().collect();
        while let Some(point) = rest.pop() {
            let open = self.open(&point);
            let Some(horizon) = open.iter().filter_map(|(_, operation)| operation.returned).min()
            else {
                if !ends(point.value) {
                    return;
                }
                continue;
            };
            let next = steps(&point, &open, horizon);
            rest.extend(next.into_iter().filter(|point| seen.insert(point.clone())));
        }
    }

    fn open(&self, point: &Point) -> Vec<(usize, &'a Operation)> {
        let all = self.operations.iter().copied().enumerate();
        all.filter(|(at, _)| !has(&point.done, *at)).collect()
    }
}

/// What may come next: only what was asked for before the first answer of all that is open.
fn steps(point: &Point, open: &[(usize, &Operation)], horizon: u64) -> Vec<Point> {
    let mut next = Vec::new();
    for &(at, operation) in open.iter().filter(|(_, operation)| operation.invoked < horizon) {
        match operation.act {
            // A read that fits may as well come now: it changes nothing.
            Act::Read(value) if value == point.value => return vec![point.and(at, value)],
            Act::Read(_) => {}
            Act::Write(value) => next.push(point.and(at, Some(value))),
            Act::Writes(value) => {
                if operation.returned.is_none() {
                    next.push(Point { value: Some(value), ..point.clone() });
                    continue;
                }
                next.push(point.and_begun(at, value));
                // It ends as late as it can.
                if operation.returned == Some(horizon) && has(&point.begun, at) {
                    next.push(point.and(at, point.value));
                }
            }
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::{
        Act::{Read, Write, Writes},
        Operation, Rest, is_linearizable,
    };

    type Brief = (super::Act, u64, u64);

    fn operations(all: &[Brief]) -> Vec<Operation> {
        let operation = |&(act, invoked, returned): &Brief| {
            // Zero is never.
            Operation { key: 0, act, invoked, returned: Some(returned).filter(|at| *at > 0) }
        };
        all.iter().map(operation).collect()
    }

    fn fits(all: &[Brief]) -> bool {
        let whole = is_linearizable(&operations(all));
        let rest = Rest::default().after(&operations(all));
        assert_eq!(whole, rest.is_some());
        whole
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

    #[test]
    fn a_write_that_is_said_again_happens_several_times_before_its_answer_and_never_after() {
        let said = (Writes(7), 1, 20);
        let between = [(Read(Some(7)), 2, 3), (Write(8), 4, 5), (Read(Some(8)), 6, 7)];
        let with = |more: &[Brief]| [&[said], &between[..], more].concat();
        assert!(fits(&with(&[])));
        assert!(fits(&with(&[(Read(Some(7)), 8, 9), (Read(Some(7)), 21, 22)])));
        assert!(fits(&with(&[(Read(Some(7)), 8, 9), (Write(9), 10, 11), (Read(Some(9)), 21, 22)])));
        assert!(fits(&with(&[(Read(Some(8)), 21, 22)])));
        assert!(!fits(&with(&[(Read(Some(8)), 21, 22), (Read(Some(7)), 23, 24)])));
        // Once is not enough for this, and the same without a repetition is refused.
        let once = [(Write(7), 1, 20)];
        assert!(!fits(&[&once, &between[..], &[(Read(Some(7)), 8, 9)]].concat()));
    }

    #[test]
    fn a_write_that_is_said_again_happens_at_least_once_if_it_was_answered() {
        assert!(!fits(&[(Writes(7), 1, 2), (Read(None), 3, 4)]));
        assert!(!fits(&[(Writes(7), 3, 4), (Read(Some(7)), 1, 2)]));
        assert!(fits(&[(Writes(7), 1, 4), (Read(None), 2, 3), (Read(Some(7)), 5, 6)]));
        let both = [(Writes(7), 1, 4), (Writes(8), 2, 3)];
        assert!(fits(&[&both[..], &[(Read(Some(8)), 5, 6)]].concat()));
        assert!(!fits(&[&both[..], &[(Read(None), 5, 6)]].concat()));
    }

    #[test]
    fn a_write_that_is_said_again_without_an_answer_happens_for_ever() {
        let lost = (Writes(7), 1, 0);
        let other = |at| [(Write(at), at, at + 1), (Read(Some(7)), at + 2, at + 3)];
        assert!(fits(&[&[lost], &other(10)[..], &other(20), &other(30)].concat()));
        assert!(fits(&[lost, (Read(None), 2, 3)]));
        assert!(!fits(&[lost, (Read(Some(7)), 2, 3), (Read(None), 4, 5)]));
        let mut many: Vec<Brief> = (0..60).map(|value| (Writes(value), value + 1, 0)).collect();
        many.extend((0..60).map(|n| (Read(Some(59 - n)), 100 + 2 * n, 101 + 2 * n)));
        assert!(fits(&many));
    }

    #[test]
    fn pieces_of_a_history_are_as_strict_as_the_whole() {
        let after = |rest: &Rest, piece: &[Brief]| rest.after(&operations(piece));
        let both = [(Writes(7), 1, 4), (Writes(8), 2, 3), (Writes(9), 2, 0)];
        let rest = after(&Rest::default(), &both).expect("writes explain themselves");
        for value in [7, 8, 9] {
            let seen = after(&rest, &[(Read(Some(value)), 5, 6)]).expect("one of them is last");
            // What is certain by now is not forgotten, nor is what may come late.
            let other = if value == 7 { 8 } else { 7 };
            assert!(after(&seen, &[(Read(Some(other)), 7, 8)]).is_none());
            assert!(after(&seen, &[(Read(Some(9)), 7, 8)]).is_some());
        }
        assert!(after(&rest, &[(Read(None), 5, 6)]).is_none());
        let settled = after(&rest, &[(Write(10), 5, 6)]).expect("it explains itself");
        assert!(after(&settled, &[(Read(Some(7)), 7, 8)]).is_none());
        assert!(after(&settled, &[(Read(Some(10)), 7, 8), (Read(Some(9)), 9, 10)]).is_some());
        assert!(after(&settled, &[(Read(Some(9)), 7, 8), (Read(Some(10)), 9, 10)]).is_none());
    }
}
