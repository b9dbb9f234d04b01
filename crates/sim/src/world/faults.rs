//! Lost messages, crashes and partitions.

use super::{BEGIN, Event, World};
use identity::canonical;
use work::Input;

impl World {
    /// Whether nothing cuts two nodes off from each other now.
    pub(super) fn linked(&self, one: usize, other: usize) -> bool {
        let splits = &self.setting.splits;
        let side = |split: &usize, node| splits[*split].apart.contains(&node);
        self.cuts.iter().all(|split| side(split, one) == side(split, other))
    }

    /// Puts a message of a home, or to it, on its way. What a node says to itself does not get
    /// lost.
    pub(super) fn deliver(&mut self, home: usize, other: usize, event: Event) {
        let lost = other != home && self.random.chance(self.setting.loss_percent);
        let after_ms = if other == home { 1 } else { self.random.between(1, 12) };
        if lost {
            let name = self.home_name(home);
            self.note(format_args!("~ a message between {name} and n{other} is lost"));
            self.tally.count("lost messages");
        } else if !self.linked(home, other) {
            self.tally.count("messages cut off");
        } else {
            self.after(after_ms, event);
        }
    }

    pub(super) fn crash(&mut self, node: usize) {
        self.note(format_args!("! n{node} crashes"));
        self.tally.count("crashes");
        self.nodes[node].crash();
        let key = self.nodes[node].public();
        self.chain.forget(&key);
        for home in (0..self.nodes.len()).filter(|home| *home != node) {
            if self.nodes[home].home.is_some() {
                let after_ms = self.random.between(1, 400);
                self.after(after_ms, Event::Disconnected { home, node });
            }
        }
    }

    pub(super) fn restart(&mut self, node: usize) {
        self.note(format_args!("! n{node} is back"));
        self.nodes[node].up = true;
        if let Some(home) = &mut self.nodes[node].home {
            let snapshot = canonical::encode(&home.work);
            home.work =
                canonical::decode(&snapshot, snapshot.len()).expect("a snapshot can be read");
            home.tick_at = None;
            self.tell(node, Input::Lead);
        }
        self.catch_up(node);
        for other in (0..self.nodes.len()).filter(|other| *other != node) {
            self.meet(node, other);
        }
    }

    /// Two nodes find each other: whichever is a home is told.
    fn meet(&mut self, one: usize, other: usize) {
        for (home, node) in [(one, other), (other, one)] {
            if self.nodes[home].home.is_some() {
                let after_ms = self.random.between(1, 50);
                self.after(after_ms, Event::Connected { home, node });
            }
        }
    }

    /// Reads what there is, if anybody can be reached who has it.
    fn catch_up(&mut self, node: usize) {
        let height = self.chain.height();
        let has = |other: usize| other != node && self.nodes[other].up && self.linked(node, other);
        let seen = (0..self.nodes.len()).filter(|other| has(*other));
        let best = seen.map(|other| self.nodes[other].ledger.tip().height).max();
        if let Some(best) = best {
            self.follow(node, best.min(height));
        }
    }

    pub(super) fn disconnected(&mut self, home: usize, node: usize) {
        let gone = self.nodes[node].public();
        let apart = !self.nodes[node].up || !self.linked(home, node);
        if apart && self.nodes[home].up {
            self.tell(home, Input::Disconnected(gone));
        }
    }

    pub(super) fn connected(&mut self, home: usize, node: usize) {
        let comes = BEGIN.after_ms(self.setting.natures[node].late_ms);
        let up = self.nodes[node].up && self.nodes[home].up;
        if self.now >= comes && up && self.linked(home, node) {
            let name = self.home_name(home);
            let to = if name == "home" { String::new() } else { format!(" to {name}") };
            self.note(format_args!("n{node} connected{to}"));
            let node = self.nodes[node].public();
            self.tell(home, Input::Connected(node));
        }
    }

    pub(super) fn cut(&mut self, split: usize) {
        let apart: Vec<_> = self.setting.splits[split].apart.iter().copied().collect();
        self.note(format_args!("! {apart:?} are cut off from the others"));
        self.tally.count("partitions");
        self.cuts.insert(split);
        let is_home = |home: &usize| self.nodes[*home].home.is_some();
        let homes: Vec<_> = (0..self.nodes.len()).filter(is_home).collect();
        for home in homes {
            let home_apart = apart.contains(&home);
            for node in (0..self.nodes.len()).filter(|n| apart.contains(n) != home_apart) {
                let after_ms = self.random.between(1, 400);
                self.after(after_ms, Event::Disconnected { home, node });
            }
        }
    }

    /// Both sides find each other again: validators exchange what waits, everybody catches up.
    pub(super) fn heal(&mut self, split: usize) {
        self.note(format_args!("! they are together again"));
        self.cuts.remove(&split);
        let apart = self.setting.splits[split].apart.clone();
        for validator in 0..self.setting.validators {
            let group = self.validators_with(validator);
            self.chain.gossip(&group);
        }
        for node in 0..self.nodes.len() {
            let others: Vec<_> = (0..self.nodes.len())
                .filter(|other| apart.contains(other) != apart.contains(&node))
                .collect();
            if self.nodes[node].home.is_some() {
                for other in others {
                    let after_ms = self.random.between(1, 50);
                    self.after(after_ms, Event::Connected { home: node, node: other });
                }
            }
            if self.nodes[node].up {
                self.catch_up(node);
            }
        }
        self.fresh = true;
        self.want_block();
    }
}
