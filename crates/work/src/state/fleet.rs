//! The nodes that a home can give tasks to.

use super::{
    Ask, Link,
    station::{Station, own},
};
use identity::PublicKey;
use protocol::{JobId, TaskIndex, Time, pairs};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a node can be given one more replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// At once.
    Free,
    /// Once it is done with something, or is back: it is its turn, so it is waited for.
    Wait,
    /// It let a lease run out and has been silent since: it is passed over.
    Stalled,
    /// Not connected: it is passed over.
    Offline,
}

/// All nodes that are connected, or hold or wait for something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fleet {
    me: PublicKey,
    slots: u32,
    peers: usize,
    #[serde(with = "pairs")]
    stations: BTreeMap<PublicKey, Station>,
}

impl Fleet {
    pub(crate) fn new(me: PublicKey, slots: u32, peers: usize) -> Self {
        Self { me, slots, peers, stations: own(me) }
    }

    pub(crate) fn is_up(&self, node: &PublicKey) -> bool {
        self.stations.get(node).is_some_and(|station| station.link == Link::Up)
    }

    pub(crate) fn readiness(&self, node: &PublicKey) -> Readiness {
        match self.stations.get(node) {
            Some(Station { link: Link::Up, stalled: true, .. }) => Readiness::Stalled,
            Some(Station { link: Link::Up, outstanding, .. }) if *outstanding < self.slots => {
                Readiness::Free
            }
            Some(Station { link: Link::Up | Link::Returning(_), .. }) => Readiness::Wait,
            _ => Readiness::Offline,
        }
    }

    /// As [`Self::readiness`], for a replica that has something for itself, beside what is held back
    /// from it.
    pub(crate) fn readiness_for(&self, node: &PublicKey, ask: Ask, held: Ask) -> Readiness {
        let has_room = |station: &Station| station.has_room(ask, held, self.slots);
        match self.readiness(node) {
            Readiness::Free if !self.stations.get(node).is_some_and(has_room) => Readiness::Wait,
            other => other,
        }
    }

    /// Whether a node can be given something now.
    pub(crate) fn has_slot(&self, node: &PublicKey) -> bool {
        self.readiness(node) == Readiness::Free
    }

    /// Nodes that can be given something now.
    pub(crate) fn with_slots(&self) -> impl Iterator<Item = &PublicKey> {
        let free = |s: &Station| s.link == Link::Up && !s.stalled && s.outstanding < self.slots;
        self.stations.iter().filter(move |(_, station)| free(station)).map(|(node, _)| node)
    }

    /// Another node is the home's own from now on.
    pub(crate) fn lead_by(&mut self, me: PublicKey) {
        self.me = me;
        self.stations.entry(me).or_default().link = Link::Up;
    }

    /// A node came. Gives the time until which it was waited for, if it was; `None` if there are
    /// too many nodes to remember one more.
    pub(crate) fn connect(&mut self, node: PublicKey, now: Time) -> Option<Option<Time>> {
        if !self.make_room(&node) {
            return None;
        }
        let station = self.stations.entry(node).or_default();
        let waited = match station.link {
            Link::Returning(until) => Some(until),
            Link::Up | Link::Down => None,
        };
        station.link = Link::Up;
        station.since = now;
        station.heard = now;
        station.stalled = false;
        Some(waited)
    }

    /// Makes room for one node more, if need be by forgetting one that is away, and of which nobody
    /// said anything. False if there is none.
    fn make_room(&mut self, node: &PublicKey) -> bool {
        if self.stations.contains_key(node) || self.stations.len() < self.peers.max(1) {
            return true;
        }
        let spare = |station: &Station| {
            let Station { standing, .. } = station;
            station.is_idle() && standing.cordon.is_none() && standing.windows.is_empty()
        };
        let found = self.stations.iter().find(|(_, station)| spare(station));
        let Some(other) = found.map(|(other, _)| *other) else { return false };
        self.stations.remove(&other);
        true
    }

    /// A node went away. True if it is now waited for until then.
    pub(crate) fn disconnect(&mut self, node: &PublicKey, until: Time) -> bool {
        if *node == self.me {
            return false;
        }
        let Some(station) = self.stations.get_mut(node) else { return false };
        let was_up = station.link == Link::Up;
        if was_up {
            station.link = Link::Returning(until);
        }
        was_up
    }

    /// A node was waited for long enough. Gives the tasks that it held and that waited for it, or
    /// nothing if it is back.
    pub(crate) fn give_up(&mut self, node: &PublicKey, until: Time) -> Vec<(JobId, TaskIndex)> {
        let Some(station) = self.stations.get_mut(node) else { return Vec::new() };
        if station.link != Link::Returning(until) {
            return Vec::new();
        }
        station.link = Link::Down;
        let mut tasks = station.held.clone();
        for (job, queued) in &station.queue {
            tasks.extend(queued.iter().map(|task| (*job, *task)));
        }
        self.forget_idle(node);
        tasks.into_iter().collect()
    }

    /// Nothing is known of who is connected: everybody who was, or was waited for, is waited for
    /// until then. Gives these nodes, and until when they were waited for before.
    pub(crate) fn await_all(&mut self, now: Time, until: Time) -> Vec<(PublicKey, Option<Time>)> {
        let mut awaited = Vec::new();
        for (node, station) in &mut self.stations {
            station.since = now;
            station.heard = now;
            station.stalled = false;
            let before = match station.link {
                Link::Returning(before) => Some(before),
                Link::Up => None,
                Link::Down => continue,
            };
            if *node != self.me {
                station.link = Link::Returning(until);
                awaited.push((*node, before));
            }
        }
        awaited
    }

    pub(crate) fn heard(&mut self, node: &PublicKey, now: Time) {
        if let Some(station) = self.stations.get_mut(node) {
            station.heard = now;
            station.stalled = false;
        }
    }

    /// The node let a lease run out. Gives the tasks that wait for it.
    pub(crate) fn stall(&mut self, node: &PublicKey) -> Vec<(JobId, TaskIndex)> {
        let Some(station) = self.stations.get_mut(node) else { return Vec::new() };
        station.stalled = true;
        let of_job = |(job, tasks): (&JobId, &BTreeSet<TaskIndex>)| {
            tasks.iter().map(|task| (*job, *task)).collect::<Vec<_>>()
        };
        station.queue.iter().flat_map(of_job).collect()
    }

    /// Gives a stalled node one more chance, if it has a slot. True if it can be asked now.
    pub(crate) fn try_again(&mut self, node: &PublicKey) -> bool {
        let slots = self.slots;
        let Some(station) = self.stations.get_mut(node) else { return false };
        if station.link != Link::Up || (station.stalled && station.outstanding >= slots) {
            return false;
        }
        station.stalled = false;
        true
    }

    /// When the node last said something useful, and since when it is connected.
    pub(crate) fn last_signs(&self, node: &PublicKey) -> (Time, Time) {
        self.stations.get(node).map(|s| (s.heard, s.since)).unwrap_or_default()
    }

    /// The node has a live replica that has not revealed; unless it has committed already, it
    /// takes a slot.
    pub(crate) fn hold(
        &mut self,
        node: &PublicKey,
        at: (JobId, TaskIndex),
        (ask, committed): (Ask, bool),
    ) {
        let station = self.stations.entry(*node).or_default();
        if station.held.insert(at) && !committed {
            station.outstanding += 1;
            if !ask.is_nothing() {
                station.taken.insert(at, ask);
            }
        }
    }

    /// A replica that the node holds has committed.
    pub(crate) fn committed(&mut self, node: &PublicKey, at: (JobId, TaskIndex)) {
        if let Some(station) = self.stations.get_mut(node) {
            station.outstanding = station.outstanding.saturating_sub(1);
            station.taken.remove(&at);
        }
    }

    /// The node holds this replica no more.
    pub(crate) fn release(&mut self, node: &PublicKey, at: (JobId, TaskIndex), committed: bool) {
        if let Some(station) = self.stations.get_mut(node)
            && station.held.remove(&at)
            && !committed
        {
            station.outstanding = station.outstanding.saturating_sub(1);
            station.taken.remove(&at);
        }
        self.forget_idle(node);
    }

    /// What the node holds.
    pub(crate) fn held(&self, node: &PublicKey) -> Vec<(JobId, TaskIndex)> {
        self.stations.get(node).map(|s| s.held.iter().copied().collect()).unwrap_or_default()
    }

    pub(crate) fn enqueue(&mut self, node: &PublicKey, (job, task): (JobId, TaskIndex)) {
        self.stations.entry(*node).or_default().queue.entry(job).or_default().insert(task);
    }

    pub(crate) fn dequeue(&mut self, node: &PublicKey, (job, task): (JobId, TaskIndex)) {
        if let Some(station) = self.stations.get_mut(node)
            && let Some(tasks) = station.queue.get_mut(&job)
        {
            tasks.remove(&task);
            if tasks.is_empty() {
                station.queue.remove(&job);
            }
        }
        self.forget_idle(node);
    }

    /// The next task of a job that waits for the node.
    pub(crate) fn queued(&self, node: &PublicKey, job: &JobId) -> Option<TaskIndex> {
        self.stations.get(node)?.queue.get(job)?.first().copied()
    }

    /// Everything that waits for the node.
    pub(crate) fn queue(&self, node: &PublicKey) -> Vec<(JobId, TaskIndex)> {
        let queue = self.stations.get(node).map(|station| &station.queue);
        let of_job = |(job, tasks): (&JobId, &BTreeSet<TaskIndex>)| {
            tasks.iter().map(|task| (*job, *task)).collect::<Vec<_>>()
        };
        queue.into_iter().flatten().flat_map(of_job).collect()
    }

    /// How often the node was given something.
    pub(crate) fn turns(&self, node: &PublicKey) -> u64 {
        self.stations.get(node).map_or(0, |station| station.turns)
    }

    /// The node is given something.
    pub(crate) fn count_turn(&mut self, node: &PublicKey) {
        if let Some(station) = self.stations.get_mut(node) {
            station.turns += 1;
        }
    }

    pub(crate) fn slots(&self) -> u32 {
        self.slots
    }

    pub(crate) fn stations(&self) -> impl Iterator<Item = (&PublicKey, &Station)> {
        self.stations.iter()
    }

    pub(crate) fn station(&self, node: &PublicKey) -> Option<&Station> {
        self.stations.get(node)
    }

    pub(crate) fn station_mut(&mut self, node: &PublicKey) -> Option<&mut Station> {
        self.stations.get_mut(node)
    }

    /// A node that is remembered from now on, if there is room.
    pub(crate) fn station_for(&mut self, node: PublicKey) -> Option<&mut Station> {
        if !self.make_room(&node) {
            return None;
        }
        Some(self.stations.entry(node).or_default())
    }

    pub(crate) fn forget_idle(&mut self, node: &PublicKey) {
        if self.stations.get(node).is_some_and(|s| s.is_idle() && s.is_plain()) {
            self.stations.remove(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::{Cid, Codec};

    fn job(n: u8) -> JobId {
        JobId(Cid::of(Codec::Raw, &[n]))
    }

    #[test]
    fn a_node_without_a_slot_is_waited_for_and_one_without_a_link_is_not() {
        let (me, other) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut fleet = Fleet::new(me, 1, 8);
        assert_eq!(fleet.readiness(&me), Readiness::Free);
        assert_eq!(fleet.readiness(&other), Readiness::Offline);
        fleet.hold(&me, (job(1), TaskIndex(0)), (Ask::default(), false));
        assert_eq!(fleet.readiness(&me), Readiness::Wait);
        assert_eq!(fleet.connect(other, Time(5)), Some(None));
        assert_eq!(fleet.readiness(&other), Readiness::Free);
        assert!(fleet.disconnect(&other, Time(9)));
        assert_eq!(fleet.readiness(&other), Readiness::Wait);
        assert!(fleet.give_up(&other, Time(9)).is_empty());
        assert_eq!(fleet.readiness(&other), Readiness::Offline);
        assert!(!fleet.disconnect(&me, Time(9)), "a node is never away from itself");
    }

    #[test]
    fn nodes_beyond_the_bound_are_not_remembered() {
        let mut fleet = Fleet::new(PublicKey([0; 32]), 1, 2);
        assert!(fleet.connect(PublicKey([1; 32]), Time(0)).is_some());
        assert!(fleet.connect(PublicKey([2; 32]), Time(0)).is_none());
        assert!(fleet.connect(PublicKey([1; 32]), Time(0)).is_some());
    }
}
