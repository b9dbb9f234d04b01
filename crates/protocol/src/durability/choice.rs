//! Choosing holders, and what their loss would mean.

use identity::PublicKey;
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap, fmt};

/// A node that could hold shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: PublicKey,
    /// Its owner, or the owner that vouches for its owner: who could take it away.
    pub owner: PublicKey,
    /// What it lends.
    pub free_bytes: u64,
    /// Whether there is a connection to it.
    pub is_connected: bool,
}

/// What may be lost at the same time, whoever it is, with everything still readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Owners with all their nodes.
    pub owners: u16,
    /// Nodes.
    pub nodes: u16,
}

impl Tolerance {
    /// What may be lost of shards that are with these nodes of these owners, of which `need` give
    /// everything; `None` if there are fewer already.
    pub fn of(holders: &[(PublicKey, PublicKey)], need: usize) -> Option<Self> {
        let spare = holders.len().checked_sub(need)?;
        let worst = |key: fn(&(PublicKey, PublicKey)) -> PublicKey| {
            let mut shares: BTreeMap<PublicKey, usize> = BTreeMap::new();
            holders.iter().for_each(|holder| *shares.entry(key(holder)).or_default() += 1);
            let mut shares: Vec<usize> = shares.into_values().collect();
            shares.sort_unstable_by_key(|share| Reverse(*share));
            let mut lost = 0;
            let fits = |share: &&usize| {
                lost += **share;
                lost <= spare
            };
            u16::try_from(shares.iter().take_while(fits).count()).unwrap_or(u16::MAX)
        };
        Some(Self { owners: worst(|(_, owner)| *owner), nodes: worst(|(node, _)| *node) })
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count: u16| if count == 1 { "" } else { "s" };
        let Self { owners, nodes } = *self;
        if nodes == 0 {
            return f.write_str("no node may be lost: there are too few to spread it over");
        }
        if owners == 0 {
            let s = s(nodes);
            return write!(f, "any {nodes} node{s} may be lost, and no owner with all its nodes");
        }
        write!(f, "any {nodes} node{} or {owners} owner{} may be lost", s(nodes), s(owners))
    }
}

/// Gives every empty slot a connected node that has room for `slot_bytes`: of the owner with the
/// fewest slots, of its nodes that with the fewest, and of these the one with the most room. So
/// owners differ as long as there are enough of them, then nodes do, and only then one holds more
/// than the others. `None` if not even one node has room.
///
/// Nodes in the slots that are no candidates count as owners of themselves.
pub fn fill_slots(
    slots: &[Option<PublicKey>],
    candidates: &[Candidate],
    slot_bytes: u64,
) -> Option<Vec<PublicKey>> {
    let owner_of = |node: &PublicKey| {
        candidates.iter().find(|own| own.node == *node).map_or(*node, |own| own.owner)
    };
    let mut by_node: BTreeMap<PublicKey, usize> = BTreeMap::new();
    let mut by_owner: BTreeMap<PublicKey, usize> = BTreeMap::new();
    for node in slots.iter().flatten() {
        *by_node.entry(*node).or_default() += 1;
        *by_owner.entry(owner_of(node)).or_default() += 1;
    }
    let mut room: Vec<Candidate> =
        candidates.iter().filter(|own| own.is_connected).copied().collect();
    let mut filled = Vec::with_capacity(slots.len());
    for slot in slots {
        if let Some(node) = slot {
            filled.push(*node);
            continue;
        }
        let best =
            room.iter_mut().filter(|own| own.free_bytes >= slot_bytes).min_by_key(|own| {
                let uses = (by_owner.get(&own.owner).copied(), by_node.get(&own.node).copied());
                (uses, Reverse(own.free_bytes), own.node)
            })?;
        best.free_bytes -= slot_bytes;
        *by_node.entry(best.node).or_default() += 1;
        *by_owner.entry(best.owner).or_default() += 1;
        filled.push(best.node);
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn key(seed: u8) -> PublicKey {
        PublicKey([seed; 32])
    }

    fn candidate(node: u8, owner: u8) -> Candidate {
        Candidate { node: key(node), owner: key(owner), free_bytes: 100, is_connected: true }
    }

    fn tolerance(filled: &[PublicKey], candidates: &[Candidate], need: usize) -> Tolerance {
        let owner = |node| candidates.iter().find(|own| own.node == node).expect("chosen").owner;
        let holders: Vec<_> = filled.iter().map(|node| (*node, owner(*node))).collect();
        Tolerance::of(&holders, need).expect("enough")
    }

    #[test]
    fn owners_differ_as_long_as_there_are_enough() {
        let candidates: Vec<_> = (0..12).map(|node| candidate(node, 100 + node / 2)).collect();
        let filled = fill_slots(&[None; 6], &candidates, 10).expect("room");
        let owners: BTreeSet<_> = filled.iter().map(|node| node.0[0] / 2).collect();
        assert_eq!(owners.len(), 6);
        let said = tolerance(&filled, &candidates, 4);
        assert_eq!(said, Tolerance { owners: 2, nodes: 2 });
        assert_eq!(said.to_string(), "any 2 nodes or 2 owners may be lost");
    }

    #[test]
    fn then_nodes_differ_and_what_an_owner_takes_along_is_said() {
        let candidates: Vec<_> = (0..6).map(|node| candidate(node, 100 + node % 3)).collect();
        let filled = fill_slots(&[None; 6], &candidates, 10).expect("room");
        assert_eq!(filled.iter().collect::<BTreeSet<_>>().len(), 6);
        assert_eq!(tolerance(&filled, &candidates, 4), Tolerance { owners: 1, nodes: 2 });
        let said = tolerance(&filled, &candidates, 5);
        assert_eq!(said, Tolerance { owners: 0, nodes: 1 });
        assert_eq!(said.to_string(), "any 1 node may be lost, and no owner with all its nodes");
        let none = Tolerance { owners: 0, nodes: 0 };
        assert_eq!(none.to_string(), "no node may be lost: there are too few to spread it over");
    }

    #[test]
    fn then_nodes_repeat_and_the_worst_loss_counts() {
        let candidates: Vec<_> = (0..4).map(|node| candidate(node, node)).collect();
        let filled = fill_slots(&[None; 6], &candidates, 10).expect("room");
        assert_eq!(tolerance(&filled, &candidates, 4), Tolerance { owners: 1, nodes: 1 });
    }

    #[test]
    fn slots_that_are_taken_stay_and_count() {
        let candidates: Vec<_> = (0..4).map(|node| candidate(node, 100 + node / 2)).collect();
        let slots = [Some(key(0)), None, Some(key(77))];
        let filled = fill_slots(&slots, &candidates, 10).expect("room");
        assert_eq!((filled[0], filled[2]), (key(0), key(77)));
        assert!([key(2), key(3)].contains(&filled[1]), "of the other owner");
    }

    #[test]
    fn nodes_without_room_or_connection_are_left_out() {
        let mut candidates: Vec<_> = (0..3).map(|node| candidate(node, node)).collect();
        candidates[0].free_bytes = 5;
        candidates[1].is_connected = false;
        assert_eq!(fill_slots(&[None; 2], &candidates, 10), Some(vec![key(2); 2]));
        assert_eq!(fill_slots(&[None; 2], &candidates, 60), None);
    }

    #[test]
    fn fewer_than_needed_tolerate_nothing_because_they_give_nothing() {
        assert_eq!(Tolerance::of(&[(key(1), key(1))], 2), None);
        let two = [(key(1), key(1)), (key(2), key(2))];
        assert_eq!(Tolerance::of(&two, 2), Some(Tolerance { owners: 0, nodes: 0 }));
    }
}
