//! When a slot needs a new holder, and which.

use identity::PublicKey;
use objects::Cid;
use protocol::{
    Time,
    durability::{Candidate, Placement, fill_slots},
};
use std::collections::{BTreeMap, BTreeSet};

/// Former holders of one object that are remembered, so that they hear that they are none any more.
const FORMER: usize = 256;

/// How repair goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Time after which a holder that left is replaced, in milliseconds.
    pub grace_ms: u64,
    /// Bytes per second that are moved, at most; 0 for no limit.
    pub pace_bytes: u64,
    /// Time after which something that failed is tried again, in milliseconds.
    pub retry_ms: u64,
    /// Time between two audits of one object, in milliseconds; 0 for none.
    pub audit_ms: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// This node keeps shards of an object, or there is a new placement of it.
    Watch {
        /// Who holds what.
        placement: Placement,
        /// Who made the manifest.
        maker: PublicKey,
        /// Bytes of each slot.
        slot_bytes: Vec<u64>,
        /// Data shards of a group: what making one shard anew takes.
        data: usize,
    },
    /// This node has nothing to do with an object any more.
    Unwatch(Cid),
    /// There is a connection to a node.
    Up(PublicKey),
    /// There is none any more.
    Down(PublicKey),
    /// A node is going to leave: it is replaced at once, and copied from while it is there.
    Leaving(PublicKey),
    /// Who could hold shards now.
    Candidates(Vec<Candidate>),
    /// A [`Action::Move`] is done.
    Moved {
        /// The object.
        manifest: Cid,
        /// Whether the new holder has everything.
        is_done: bool,
    },
    /// An [`Action::Audit`] is done, or reading found a shard missing.
    Audited {
        /// The object.
        manifest: Cid,
        /// The holder.
        node: PublicKey,
        /// Whether it had all that it was asked for.
        is_whole: bool,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Have a node keep its slots of a placement, which is to be signed; when it has them, take
    /// the placement and tell the other holders. If it is the present placement a holder gets
    /// again what it lost.
    Move {
        /// Who holds what, once this is done.
        placement: Placement,
        /// The node that is to keep more.
        node: PublicKey,
        /// Who may have these shards as they are, which is cheaper than making them.
        from: Vec<PublicKey>,
        /// Bytes per second, at most.
        pace: Option<u64>,
    },
    /// Tell a node of the present placement, in which it is not any more.
    Note {
        /// The object.
        manifest: Cid,
        /// The former holder.
        node: PublicKey,
    },
    /// Have a holder show some of its shards.
    Audit {
        /// The object.
        manifest: Cid,
        /// The holder.
        node: PublicKey,
    },
}

#[derive(Clone, Debug)]
struct Object {
    placement: Placement,
    maker: PublicKey,
    slot_bytes: Vec<u64>,
    data: usize,
    /// Holders that are there and lack shards, and how often they were given them again.
    lacking: BTreeMap<PublicKey, u32>,
    former: BTreeSet<PublicKey>,
    retry_at: Time,
    audit_at: Time,
    /// The slot whose holder is audited next.
    audit_slot: usize,
}

/// What is under way.
#[derive(Clone, Debug)]
struct Move {
    manifest: Cid,
    node: PublicKey,
    /// What the placement would make of its own slots: none, if it only gets again what it lost.
    is_new: bool,
    bytes: u64,
    since: Time,
}

/// Decides about repair of the objects of one node. One move is under way at a time, so the pace
/// is that of the node.
#[derive(Clone, Debug)]
pub struct Repair {
    me: PublicKey,
    policy: Policy,
    objects: BTreeMap<Cid, Object>,
    connected: BTreeSet<PublicKey>,
    /// Holders without a connection, and since when.
    away: BTreeMap<PublicKey, Time>,
    leaving: BTreeSet<PublicKey>,
    candidates: Vec<Candidate>,
    /// Nodes that did not take shards, and until when they are not asked again.
    refused: BTreeMap<PublicKey, Time>,
    busy: Option<Move>,
    /// When the pace allows the next move.
    next_at: Time,
}

impl Repair {
    /// A mind that watches nothing yet.
    pub fn new(me: PublicKey, policy: Policy) -> Self {
        Self {
            me,
            policy,
            objects: BTreeMap::new(),
            connected: BTreeSet::from([me]),
            away: BTreeMap::new(),
            leaving: BTreeSet::new(),
            candidates: Vec::new(),
            refused: BTreeMap::new(),
            busy: None,
            next_at: Time(0),
        }
    }

    /// Takes what happened at `now`, and answers what is to be done.
    pub fn step(&mut self, now: Time, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Watch { placement, maker, slot_bytes, data } => {
                self.watch(now, placement, maker, slot_bytes, data);
            }
            Input::Unwatch(manifest) => drop(self.objects.remove(&manifest)),
            Input::Up(node) => self.up(node, &mut actions),
            Input::Down(node) => {
                self.connected.remove(&node);
                if self.is_holder(&node) {
                    self.away.entry(node).or_insert(now);
                }
            }
            Input::Leaving(node) => drop(self.leaving.insert(node)),
            Input::Candidates(candidates) => self.candidates = candidates,
            Input::Moved { manifest, is_done } => self.moved(now, manifest, is_done),
            Input::Audited { manifest, node, is_whole } => self.audited(manifest, node, is_whole),
            Input::Tick => {}
        }
        self.forget(now);
        self.decide(now, &mut actions);
        self.audit(now, &mut actions);
        actions
    }

    /// When time alone changes something, so that a tick is due.
    pub fn wake(&self) -> Option<Time> {
        let led = || self.objects.values().filter(|object| self.leads(object));
        let mut times = Vec::new();
        for object in led() {
            let slots = object.placement.slots.iter();
            times.extend(slots.filter_map(|node| self.away.get(node)).map(|since| {
                since.after_ms(self.policy.grace_ms).max(self.next_at).max(object.retry_at)
            }));
            if !object.lacking.is_empty() {
                times.push(object.retry_at.max(self.next_at));
            }
            if self.policy.audit_ms > 0 {
                times.push(object.audit_at);
            }
        }
        if self.busy.is_some() {
            // A move that ends is an input.
            return led().map(|object| object.audit_at).min().filter(|_| self.policy.audit_ms > 0);
        }
        times.into_iter().min()
    }

    fn watch(
        &mut self,
        now: Time,
        placement: Placement,
        maker: PublicKey,
        slot_bytes: Vec<u64>,
        data: usize,
    ) {
        for node in &placement.slots {
            if !self.connected.contains(node) {
                self.away.entry(*node).or_insert(now);
            }
        }
        let before = self.objects.remove(&placement.manifest);
        let object = match before {
            Some(mut object) => {
                let gone =
                    object.placement.slots.iter().filter(|own| !placement.slots.contains(own));
                object.former.extend(gone);
                object.former.retain(|node| !placement.slots.contains(node));
                while object.former.len() > FORMER {
                    object.former.pop_first();
                }
                object.lacking.retain(|node, _| placement.slots.contains(node));
                Object { placement, maker, slot_bytes, data, ..object }
            }
            None => Object {
                maker,
                slot_bytes,
                data,
                lacking: BTreeMap::new(),
                former: BTreeSet::new(),
                retry_at: now,
                audit_at: now.after_ms(self.policy.audit_ms),
                audit_slot: 0,
                placement,
            },
        };
        self.objects.insert(object.placement.manifest, object);
    }

    fn up(&mut self, node: PublicKey, actions: &mut Vec<Action>) {
        self.connected.insert(node);
        self.away.remove(&node);
        self.refused.remove(&node);
        for (manifest, object) in &self.objects {
            // Whoever knows tells: the first holder may be one that came later.
            if object.former.contains(&node) {
                actions.push(Action::Note { manifest: *manifest, node });
            }
        }
    }

    fn moved(&mut self, now: Time, manifest: Cid, is_done: bool) {
        let Some(done) = self.busy.take_if(|busy| busy.manifest == manifest) else { return };
        if self.policy.pace_bytes > 0 {
            let ms = done.bytes.saturating_mul(1000) / self.policy.pace_bytes;
            self.next_at = if is_done { done.since.after_ms(ms) } else { now };
        }
        let retry_at = now.after_ms(self.policy.retry_ms);
        let Some(object) = self.objects.get_mut(&manifest) else { return };
        if is_done {
            object.lacking.remove(&done.node);
            return;
        }
        object.retry_at = retry_at;
        if done.is_new {
            // Somebody else may take it at once.
            self.refused.insert(done.node, retry_at);
            object.retry_at = now;
        } else if let Some(times) = object.lacking.get_mut(&done.node) {
            *times += 1;
        }
    }

    fn audited(&mut self, manifest: Cid, node: PublicKey, is_whole: bool) {
        if let Some(object) = self.objects.get_mut(&manifest)
            && object.placement.slots.contains(&node)
        {
            if is_whole {
                object.lacking.remove(&node);
            } else {
                object.lacking.entry(node).or_default();
            }
        }
    }

    fn forget(&mut self, now: Time) {
        self.refused.retain(|_, until| *until > now);
        let objects = &self.objects;
        let holds =
            |node: &PublicKey| objects.values().any(|own| own.placement.slots.contains(node));
        self.away.retain(|node, _| holds(node));
    }

    fn is_holder(&self, node: &PublicKey) -> bool {
        self.objects.values().any(|object| object.placement.slots.contains(node))
    }

    /// Whether this node is the first live holder.
    fn leads(&self, object: &Object) -> bool {
        let live = |node: &&PublicKey| self.connected.contains(*node);
        object.placement.slots.iter().find(live) == Some(&self.me)
    }

    /// Whether the holder is to be replaced.
    fn is_lost(&self, now: Time, object: &Object, node: &PublicKey) -> bool {
        let is_gone = |since: &Time| since.after_ms(self.policy.grace_ms) <= now;
        *node != self.me
            && (self.leaving.contains(node)
                || self.away.get(node).is_some_and(is_gone)
                // It had its chance to get again what it lost.
                || object.lacking.get(node).is_some_and(|times| *times > 0))
    }

    fn decide(&mut self, now: Time, actions: &mut Vec<Action>) {
        // A node that hears of nobody is the one that is away.
        if self.busy.is_some() || now < self.next_at || self.connected.len() < 2 {
            return;
        }
        let lost = |object: &Object| -> Vec<usize> {
            let slots = object.placement.slots.iter().enumerate();
            slots.filter(|(_, node)| self.is_lost(now, object, node)).map(|(at, _)| at).collect()
        };
        let due = self.objects.values().filter(|own| self.leads(own) && own.retry_at <= now);
        let mut due: Vec<(usize, &Object)> = due.map(|own| (lost(own).len(), own)).collect();
        due.retain(|(lost, object)| *lost + object.lacking.len() > 0);
        due.sort_by_key(|(lost, object)| std::cmp::Reverse((*lost, object.lacking.len())));
        let chosen = due.into_iter().find_map(|(_, object)| {
            let slot = lost(object).first().copied();
            let action = match slot {
                Some(slot) => self.replace(now, object, slot, &lost(object)),
                None => self.refill(object),
            };
            action.map(|(action, bytes)| (action, bytes, object.placement.manifest))
        });
        if let Some((action, bytes, manifest)) = chosen {
            if let Action::Move { node, placement, .. } = &action {
                let is_new = self.objects[&manifest].placement != *placement;
                self.busy = Some(Move { manifest, node: *node, is_new, bytes, since: now });
            }
            actions.push(action);
        }
    }

    /// A new holder for a slot: the others stay, and those that are lost, too, count for nothing.
    fn replace(
        &self,
        now: Time,
        object: &Object,
        slot: usize,
        lost: &[usize],
    ) -> Option<(Action, u64)> {
        let old = object.placement.slots[slot];
        let kept: Vec<Option<PublicKey>> = object
            .placement
            .slots
            .iter()
            .enumerate()
            .filter(|(at, _)| *at == slot || !lost.contains(at))
            .map(|(at, node)| (at != slot).then_some(*node))
            .collect();
        let may = |own: &Candidate| {
            let is_refused = self.refused.get(&own.node).is_some_and(|until| *until > now);
            !is_refused && !self.leaving.contains(&own.node) && own.node != old
        };
        // All of them: owners of holders count although they are no candidates for more.
        let candidates: Vec<Candidate> = self
            .candidates
            .iter()
            .map(|own| Candidate { is_connected: own.is_connected && may(own), ..*own })
            .collect();
        let filled = fill_slots(&kept, &candidates, object.slot_bytes[slot])?;
        let at = kept.iter().position(Option::is_none).expect("the slot is empty");
        let node = filled[at];
        let mut placement = object.placement.clone();
        placement.slots[slot] = node;
        placement.sequence += 1;
        let from = [old, object.maker].into_iter().filter(|from| self.connected.contains(from));
        let from: Vec<PublicKey> = from.filter(|from| *from != node && *from != self.me).collect();
        let reads = if from.is_empty() { object.data as u64 } else { 1 };
        let bytes = object.slot_bytes[slot].saturating_mul(reads);
        Some((self.action(placement, node, from), bytes))
    }

    /// A holder gets again what it lost.
    fn refill(&self, object: &Object) -> Option<(Action, u64)> {
        let node = *object.lacking.keys().find(|node| self.connected.contains(*node))?;
        let placement = object.placement.clone();
        let from: Vec<PublicKey> = [object.maker]
            .into_iter()
            .filter(|from| self.connected.contains(from) && *from != node && *from != self.me)
            .collect();
        let own = placement.slots_of(&node);
        let bytes = own.into_iter().map(|slot| object.slot_bytes[slot]).sum();
        Some((self.action(placement, node, from), bytes))
    }

    fn action(&self, placement: Placement, node: PublicKey, from: Vec<PublicKey>) -> Action {
        let pace = Some(self.policy.pace_bytes).filter(|pace| *pace > 0);
        Action::Move { placement, node, from, pace }
    }

    /// One holder of each object after the other.
    fn audit(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.policy.audit_ms == 0 {
            return;
        }
        let led: Vec<Cid> = self
            .objects
            .iter()
            .filter(|(_, object)| object.audit_at <= now && self.leads(object))
            .map(|(manifest, _)| *manifest)
            .collect();
        for manifest in led {
            let Some(object) = self.objects.get_mut(&manifest) else { continue };
            object.audit_at = now.after_ms(self.policy.audit_ms);
            let slots = &object.placement.slots;
            object.audit_slot = (object.audit_slot + 1) % slots.len();
            let node = slots[object.audit_slot];
            if self.connected.contains(&node) {
                actions.push(Action::Audit { manifest, node });
            }
        }
    }
}
