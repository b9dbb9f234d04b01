//! How transactions become blocks, and how nodes follow them.

use super::{BLOCK_MS, Event, World};
use crate::liars::Turn;
use identity::PublicKey;
use ledger::{Effect, Ledger};
use protocol::{Certificate, Height, Tx};
use std::collections::BTreeSet;
use work::Input;

impl World {
    /// A node hands a transaction in.
    pub(super) fn submit(&mut self, from: usize, tx: Tx) {
        let after_ms = self.random.between(1, 10);
        self.after(after_ms, Event::Submitted { from, tx: Box::new(tx) });
    }

    /// A transaction reaches the validators that can be reached.
    pub(super) fn submitted(&mut self, from: usize, tx: Tx) {
        let loss = self.setting.loss_percent;
        if !self.nodes[from].up || (loss > 0 && self.random.chance(loss)) {
            return self.tally.count("lost transactions");
        }
        let holders = self.validators_with(from);
        if let Tx::Verdict(verdicts) = &tx {
            for holder in &holders {
                if let Some(place) = self.polity.place(holder) {
                    self.see_rulings(place, verdicts);
                }
            }
        }
        if !self.chain.submit(tx, self.polity.network(), holders) {
            self.tally.count("malformed transactions");
        }
        self.fresh = true;
        self.want_block();
    }

    /// Validators that are there and can be reached from a node.
    pub(super) fn validators_with(&self, node: usize) -> BTreeSet<PublicKey> {
        (0..self.setting.validators)
            .filter(|place| self.nodes[*place].up && self.linked(node, *place))
            .map(|place| self.nodes[place].public())
            .collect()
    }

    pub(super) fn want_block(&mut self) {
        let reason =
            self.overdue || self.chain.tip().owes_block() || (self.fresh && !self.chain.is_idle());
        if !self.block_due && reason {
            self.block_due = true;
            self.after(BLOCK_MS, Event::MakeBlock);
        }
    }

    pub(super) fn make_block(&mut self) {
        self.block_due = false;
        let leader = self.chain.leader();
        let place = self.polity.place(&leader).expect("validators are nodes of the polity");
        let voters = self.validators_with(place);
        let quorum = Certificate::quorum(self.setting.validators);
        if !self.nodes[place].up || voters.len() < quorum {
            return self.skip_view("views without a quorum");
        }
        let node = &self.nodes[place];
        let turn = match node.liar() {
            Some(liar) => liar.proposes(&node.hand(), &self.chain.beacon_by(&node.key)),
            None => Turn::Honest,
        };
        let left_out = match turn {
            Turn::Honest => None,
            Turn::Without(owner) => Some(owner),
            Turn::Forfeit => return self.skip_view("forfeited turns"),
            Turn::Spoil => {
                self.chain.spoil(&self.nodes[place].key, self.now);
                return self.skip_view("spoiled blocks");
            }
        };
        let ledger = self.chain.tip().clone();
        let want = |tx: &Tx| left_out.is_none_or(|owner| !is_of(&ledger, tx, &owner));
        let key = self.nodes[place].key.clone();
        let made = self.chain.make_block(&key, self.now, (&voters, self.overdue), want);
        if left_out.is_some() {
            self.tally.count("censored turns");
            self.chain.skip_view();
        }
        self.fresh = made.height.is_some() || left_out.is_some();
        for (tx, refusal) in made.refused {
            self.tally.count("refused transactions");
            self.note(format_args!("= refused: {refusal}"));
            drop(tx);
        }
        if let Some(height) = made.height {
            self.announce(height, place);
        }
        self.want_block();
    }

    /// The next leader gets its turn, after a while.
    fn skip_view(&mut self, why: &'static str) {
        self.tally.count(why);
        self.chain.skip_view();
        self.block_due = true;
        self.after(self.setting.params.leader_timeout_ms, Event::MakeBlock);
    }

    fn announce(&mut self, height: Height, leader: usize) {
        self.overdue = false;
        let txs = self.chain.made(height).map_or(0, |made| made.block.txs.len());
        self.note(format_args!("= block {height} with {txs} transactions is final"));
        self.after(self.setting.params.heartbeat_ms, Event::Heartbeat(height));
        self.check_block(height);
        for node in 0..self.nodes.len() {
            let after_ms = self.random.between(1, 20);
            if self.linked(leader, node) {
                self.after(after_ms, Event::Final { node, height });
            }
        }
    }

    /// A node learns of a final block, and reads all that it missed. Of every block one node
    /// besides the proposer works the state out for itself; it must be the same.
    pub(super) fn follow(&mut self, node: usize, height: Height) {
        while self.nodes[node].up && self.nodes[node].ledger.tip().height < height {
            let ledger = &self.nodes[node].ledger;
            let next = ledger.tip().height.next();
            let made = self.chain.made(next).expect("final blocks are there");
            if next.0 as usize % self.nodes.len() == node {
                let (after, _) =
                    ledger.apply(&made.block, &made.checked).expect("a final block applies");
                assert!(after == made.after, "two nodes disagree about block {next}");
            }
            let (effects, block) = (made.effects.clone(), made.block.clone());
            self.nodes[node].ledger = made.after.clone();
            self.read(node, effects);
            for tx in &block.txs {
                match tx {
                    Tx::Agree(agreements) => self.object(node, agreements),
                    Tx::Verdict(verdicts) => self.see_rulings(node, verdicts),
                    _ => {}
                }
            }
            let filed = match self.nodes[node].liar() {
                Some(liar) => liar.files(&self.nodes[node].hand(), &block),
                None => Vec::new(),
            };
            for tx in filed {
                self.tally.count("false filings");
                self.submit(node, tx);
            }
        }
        self.review(node);
    }

    /// What a block means for a home.
    fn read(&mut self, home: usize, effects: Vec<Effect>) {
        if self.nodes[home].home.is_none() {
            return;
        }
        let me = self.nodes[home].public();
        if effects.iter().any(|effect| matches!(effect, Effect::RosterChanged { .. })) {
            self.tell_roster(home);
        }
        for effect in effects {
            match effect {
                Effect::Settled { job, home: of, tasks, tx, height } if of == me => {
                    self.tell(home, Input::Included { job, tasks, tx, height });
                }
                Effect::Ruled { job, task, home: of, outcome, .. } if of == me => {
                    self.tell(home, Input::Ruled { job, task, outcome });
                }
                _ => {}
            }
        }
        self.draw_sealed(home);
    }

    /// Sealed orders whose draw is known.
    fn draw_sealed(&mut self, home: usize) {
        let Some(owner) = &self.nodes[home].home else { return };
        let ledger = &self.nodes[home].ledger;
        let mut drawn = Vec::new();
        for job in owner.work.sealed() {
            let Some(height) = ledger.order_height(&job).map(Height::next) else { continue };
            if let (Some(beacon), Some(roster)) =
                (ledger.beacon_at(height), ledger.roster_at(height))
                && ledger.tip().height >= height
            {
                let roster = roster.as_ref().clone();
                drawn.push(Input::Drawn { job, drawn: height, beacon: *beacon, roster });
            }
        }
        drawn.into_iter().for_each(|input| self.tell(home, input));
    }
}

/// Whether a transaction belongs to an owner: its job, or what its node files.
fn is_of(ledger: &Ledger, tx: &Tx, owner: &PublicKey) -> bool {
    let node_of = |node: &PublicKey| ledger.roster().node(node).map(|record| record.owner);
    match tx {
        Tx::Agree(agreements) => agreements.order.by == *owner,
        Tx::Order(order) => order.by == *owner,
        Tx::Dispute(dispute) => node_of(&dispute.by) == Some(*owner),
        Tx::Accuse(accusation) => node_of(&accusation.by) == Some(*owner),
        Tx::Verdict(verdicts) => node_of(&verdicts.by) == Some(*owner),
        Tx::Audit(audit) => node_of(&audit.by) == Some(*owner),
        Tx::Admit(_) | Tx::Second(_) => false,
    }
}
