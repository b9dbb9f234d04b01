//! What is known of one peer: what is to be sent to it, what it waits for, what it was asked.

use super::{
    message::{Entry, Kind, Presence},
    name::Name,
};
use objects::Cid;
use protocol::Time;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::{Notify, Semaphore};

/// What is said to a peer about an object that this node wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    /// Send it.
    Block,
    /// Say whether it is there.
    Have,
    /// Forget it.
    Cancel,
}

/// A block that a peer waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Want {
    pub(super) name: Name,
    pub(super) cid: Cid,
    pub(super) kind: Kind,
    pub(super) send_dont_have: bool,
}

/// Objects asked of one peer that are remembered, so that what comes late is no offence.
const ASKED: usize = 4096;
/// Questions that wait to be sent to one peer; sessions never come near it.
const ASKS: usize = 16 << 10;
/// Questions in one message.
const MESSAGE_ASKS: usize = 512;
/// Presences in one message.
const MESSAGE_PRESENCES: usize = 2048;
/// Blocks that are looked for at once.
const MESSAGE_BLOCKS: usize = 64;

/// Urgent ones first, then those that came first.
type Turn = (Reverse<i32>, u64);

/// A peer.
pub(super) struct Peer {
    /// What this node asks of it.
    asks: Vec<(Cid, Ask)>,
    /// Whether it was asked for these, the last ones.
    asked: HashMap<Cid, u64>,
    asked_order: VecDeque<(u64, Cid)>,
    /// What it will be told about its wants.
    presences: HashMap<Name, bool>,
    /// Blocks that it will be sent.
    blocks: BTreeMap<Turn, Want>,
    turns: HashMap<Name, Turn>,
    /// Wants whose blocks are not here.
    remembered: HashMap<Name, (Time, Want)>,
    counter: u64,
    /// Whether somebody writes to it.
    pub(super) writing: bool,
    /// Wakes whoever writes to it.
    pub(super) wake: Arc<Notify>,
    /// Streams of it that are read.
    pub(super) reading: usize,
    /// Bodies of its messages are read one after the other.
    pub(super) turn_to_speak: Arc<Semaphore>,
    /// When something came from it last.
    pub(super) heard: Time,
}

/// What goes into the next message to a peer, apart from blocks.
#[derive(Default, Debug)]
pub(super) struct Batch {
    pub(super) asks: Vec<(Cid, Ask)>,
    pub(super) presences: Vec<Presence>,
    /// Blocks to be looked for; they stay in the queue until they are sent.
    pub(super) blocks: Vec<Want>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.presences.is_empty() && self.blocks.is_empty()
    }
}

impl Peer {
    pub(super) fn new(now: Time) -> Self {
        Self {
            asks: Vec::new(),
            asked: HashMap::new(),
            asked_order: VecDeque::new(),
            presences: HashMap::new(),
            blocks: BTreeMap::new(),
            turns: HashMap::new(),
            remembered: HashMap::new(),
            counter: 0,
            writing: false,
            wake: Arc::new(Notify::new()),
            reading: 0,
            turn_to_speak: Arc::new(Semaphore::new(1)),
            heard: now,
        }
    }

    /// Whether it may be forgotten.
    pub(super) fn is_idle(&self) -> bool {
        !self.writing && self.reading == 0 && !self.has_news()
    }

    /// Whether there is something to send.
    pub(super) fn has_news(&self) -> bool {
        !(self.asks.is_empty() && self.presences.is_empty() && self.blocks.is_empty())
    }

    /// Notes something to ask. What was to be asked about the same object before is moot.
    pub(super) fn ask(&mut self, cid: Cid, ask: Ask) {
        self.asks.retain(|(other, _)| *other != cid);
        if self.asks.len() < ASKS {
            self.asks.push((cid, ask));
        }
        if ask != Ask::Cancel {
            self.counter += 1;
            self.asked.insert(cid, self.counter);
            self.asked_order.push_back((self.counter, cid));
            while self.asked_order.len() > ASKED {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((at, cid)) = self.asked_order.pop_front()
            && self.asked.get(&cid) == Some(&at)
        {
            self.asked.remove(&cid);
        }
    }

    /// Whether it was asked for this object not long ago.
    pub(super) fn was_asked(&self, cid: &Cid) -> bool {
        self.asked.contains_key(cid)
    }

    /// Forgets all that it wants: it has sent a new list, or is gone.
    pub(super) fn forget_wants(&mut self) {
        self.presences.clear();
        self.blocks.clear();
        self.turns.clear();
        self.remembered.clear();
    }

    /// It does not want this any longer.
    pub(super) fn cancel(&mut self, name: &Name) {
        self.presences.remove(name);
        self.remembered.remove(name);
        self.unqueue(name);
    }

    fn unqueue(&mut self, name: &Name) {
        if let Some(turn) = self.turns.remove(name) {
            self.blocks.remove(&turn);
        }
    }

    /// Queues a block that is here. False if it waits for too many.
    pub(super) fn queue(&mut self, want: Want, priority: i32, limit: usize) -> bool {
        self.remembered.remove(&want.name);
        if self.turns.contains_key(&want.name) {
            return true;
        }
        if self.turns.len() >= limit {
            return false;
        }
        self.counter += 1;
        let turn = (Reverse(priority), self.counter);
        self.turns.insert(want.name.clone(), turn);
        self.blocks.insert(turn, want);
        true
    }

    /// Remembers a want whose block is not here. False if there are too many.
    pub(super) fn remember(&mut self, want: Want, now: Time, limit: usize) -> bool {
        if self.remembered.len() >= limit && !self.remembered.contains_key(&want.name) {
            return false;
        }
        self.remembered.insert(want.name.clone(), (now, want));
        true
    }

    /// Will say whether a block is here. False if there is too much to say.
    pub(super) fn tell(&mut self, name: Name, here: bool, limit: usize) -> bool {
        if self.presences.len() >= limit && !self.presences.contains_key(&name) {
            return false;
        }
        self.presences.insert(name, here);
        true
    }

    /// What it waits for and was not here, without what it has waited for since before `since`.
    pub(super) fn waits_for(&mut self, since: Time) -> Vec<Want> {
        self.remembered.retain(|_, (noted, _)| *noted >= since);
        self.remembered.values().map(|(_, want)| want.clone()).collect()
    }

    /// Whether it waits for the block, by any name.
    pub(super) fn remembers(&self, name: &Name) -> bool {
        self.remembered.contains_key(name)
    }

    /// A block has come that it waits for.
    pub(super) fn came(&mut self, want: Want, limit: usize) {
        match want.kind {
            Kind::Block => {
                self.queue(want, 0, limit);
            }
            Kind::Have => {
                self.remembered.remove(&want.name);
                self.tell(want.name, true, limit);
            }
        }
    }

    /// What goes into the next message.
    pub(super) fn batch(&mut self) -> Batch {
        let asks = self.asks.len().min(MESSAGE_ASKS);
        let names: Vec<_> = self.presences.keys().take(MESSAGE_PRESENCES).cloned().collect();
        let presences = names.into_iter().map(|name| {
            let here = self.presences.remove(&name).expect("it was listed just now");
            Presence { name, here }
        });
        Batch {
            presences: presences.collect(),
            asks: self.asks.drain(..asks).collect(),
            blocks: self.blocks(),
        }
    }

    /// Blocks that it waits for, the next ones.
    pub(super) fn blocks(&self) -> Vec<Want> {
        self.blocks.values().take(MESSAGE_BLOCKS).cloned().collect()
    }

    /// Takes a block from the queue that was looked for; false if it is not wanted any longer.
    pub(super) fn take(&mut self, name: &Name) -> bool {
        let wanted = self.turns.contains_key(name);
        self.unqueue(name);
        wanted
    }

    /// Questions that were not sent.
    pub(super) fn unsent(&mut self) -> Vec<(Cid, Ask)> {
        std::mem::take(&mut self.asks)
    }
}

/// A want of a peer, if it names something that could be here.
pub(super) fn want_of(entry: &Entry) -> Option<Want> {
    let Entry { name, kind, send_dont_have, .. } = entry;
    let cid = name.cid()?;
    Some(Want { name: name.clone(), cid, kind: *kind, send_dont_have: *send_dont_have })
}

#[cfg(test)]
mod tests {
    use super::*;
    use objects::Codec;

    fn want(n: u8) -> Want {
        let cid = Cid::of(Codec::Raw, &[n]);
        Want { name: Name::of(&cid), cid, kind: Kind::Block, send_dont_have: true }
    }

    #[test]
    fn urgent_blocks_go_first_and_cancelled_ones_never() {
        let mut peer = Peer::new(Time(0));
        for (n, priority) in [(1, 1), (2, 5), (3, 1), (4, 1)] {
            assert!(peer.queue(want(n), priority, 4));
        }
        assert!(!peer.queue(want(5), 9, 4), "it waits for enough");
        assert!(peer.queue(want(1), 9, 4), "already queued");
        peer.cancel(&want(3).name);
        let names: Vec<_> = peer.batch().blocks;
        assert_eq!(names, [want(2), want(1), want(4)]);
        assert!(peer.take(&want(2).name) && !peer.take(&want(3).name));
        assert_eq!(peer.batch().blocks, [want(1), want(4)]);
    }

    #[test]
    fn wants_are_remembered_for_a_while_and_up_to_a_number() {
        let mut peer = Peer::new(Time(0));
        assert!(peer.remember(want(1), Time(10), 2) && peer.remember(want(2), Time(20), 2));
        assert!(!peer.remember(want(3), Time(30), 2));
        assert_eq!(peer.waits_for(Time(15)), [want(2)]);
        peer.came(want(2), 2);
        assert!(peer.waits_for(Time(0)).is_empty());
        assert_eq!(peer.batch().blocks, [want(2)]);
    }

    #[test]
    fn a_later_question_about_an_object_replaces_the_earlier_one() {
        let mut peer = Peer::new(Time(0));
        let [a, b] = [1, 2].map(|n| want(n).cid);
        peer.ask(a, Ask::Have);
        peer.ask(b, Ask::Block);
        peer.ask(a, Ask::Block);
        peer.ask(b, Ask::Cancel);
        assert_eq!(peer.batch().asks, [(a, Ask::Block), (b, Ask::Cancel)]);
        assert!(peer.was_asked(&a) && peer.was_asked(&b), "what comes late is no offence");
        for n in 0..ASKED {
            peer.ask(Cid::of(Codec::Raw, &n.to_be_bytes()), Ask::Block);
        }
        assert!(!peer.was_asked(&a));
    }
}
