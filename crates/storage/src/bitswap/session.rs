//! One fetch: whom it asks for what, and whom it asks next.

use super::{
    engine::Engine,
    mail::{Arrived, Mail},
    peer::Ask,
};
use crate::exchange::{FetchError, Refusal};
use identity::PublicKey;
use objects::{Checked, Cid};
use protocol::{Time, port::StreamError};
use std::{
    collections::{BTreeMap, HashSet, btree_map::Entry},
    sync::Arc,
};

/// Peers that are asked at once whether they have an object.
const PROBES: usize = 16;

/// A peer, as this fetch knows it.
struct Contact {
    peer: PublicKey,
    /// It gave something, or said that it has something.
    useful: bool,
    /// It kept us waiting.
    slow: bool,
    /// Why it is not asked any more.
    refusal: Option<Refusal>,
    /// Blocks that it was asked for and has not answered for.
    outstanding: usize,
    /// Since when it owes something new.
    since: Time,
    /// When it was asked again last.
    again: Time,
}

/// An object that is wanted.
#[derive(Default)]
struct Want {
    /// Who was asked for the block last.
    at: Option<PublicKey>,
    /// Who says that they have it.
    have: HashSet<PublicKey>,
    /// Who says that they do not.
    lack: HashSet<PublicKey>,
    /// Who was asked at all.
    asked: HashSet<PublicKey>,
}

/// A fetch. Dropping it takes back everything that was asked.
pub(super) struct Session {
    engine: Arc<Engine>,
    mail: Arc<Mail>,
    contacts: Vec<Contact>,
    /// In their order, so that equal fetches do equal things.
    wants: BTreeMap<Cid, Want>,
}

impl Session {
    pub(super) fn new(engine: Arc<Engine>, from: &[PublicKey]) -> Self {
        let me = engine.streams.me();
        let now = engine.clock.now();
        let mut contacts: Vec<Contact> = Vec::new();
        for peer in from {
            if *peer != me && contacts.iter().all(|contact| contact.peer != *peer) {
                contacts.push(Contact::new(*peer, now));
            }
        }
        let mail = engine.enter(contacts.iter().map(|contact| contact.peer).collect());
        Self { engine, mail, contacts, wants: BTreeMap::new() }
    }

    /// How many objects are asked for.
    pub(super) fn open(&self) -> usize {
        self.wants.len()
    }

    /// Asks for an object. Its block is one of the next.
    pub(super) fn want(&mut self, cid: Cid) {
        if let Entry::Vacant(new) = self.wants.entry(cid) {
            new.insert(Want::default());
            self.engine.want(cid, &self.mail);
        }
    }

    /// The next block that comes. Waiting for it can be broken off and taken up again.
    ///
    /// # Errors
    /// [`FetchError::NotFound`] as soon as nobody is left who could have one of the objects.
    pub(super) async fn next(&mut self) -> Result<Checked, FetchError> {
        loop {
            while let Some(arrived) = self.mail.block() {
                if let Some(found) = self.arrived(arrived) {
                    return Ok(found);
                }
            }
            self.hear_words();
            self.hurry();
            self.assign()?;
            let clock = self.engine.clock.clone();
            let end = clock.until(self.deadline());
            tokio::select! {
                () = self.mail.wake.notified() => {}
                () = end => {}
            }
        }
    }

    fn arrived(&mut self, arrived: Arrived) -> Option<Checked> {
        let Arrived { peer, block } = arrived;
        let cid = block.block().cid;
        let want = self.wants.remove(&cid)?;
        if self.engine.unwant(&cid, &self.mail) {
            for other in want.asked.iter().filter(|other| **other != peer) {
                self.engine.ask(*other, cid, Ask::Cancel);
            }
        }
        self.settle(want.at);
        let now = self.engine.clock.now();
        if let Some(contact) = self.contact(&peer) {
            contact.useful = true;
            contact.slow = false;
            contact.since = now;
        }
        Some(block)
    }

    fn hear_words(&mut self) {
        let news = self.mail.words();
        let now = self.engine.clock.now();
        if news.closed {
            for peer in self.mail.clone().peers.iter() {
                self.give_up(*peer, Refusal::Unreachable(StreamError::Closed));
            }
        }
        for ((peer, cid), here) in news.presences {
            if let Some(contact) = self.contact(&peer) {
                contact.since = now;
                contact.useful |= here;
            }
            let Some(want) = self.wants.get_mut(&cid) else { continue };
            if here {
                want.have.insert(peer);
                continue;
            }
            want.lack.insert(peer);
            want.have.remove(&peer);
            if want.at == Some(peer) {
                let at = want.at.take();
                self.settle(at);
            }
        }
        for (peer, refusal) in news.faults {
            self.give_up(peer, refusal);
        }
    }

    /// Asks nothing of this peer any more.
    fn give_up(&mut self, peer: PublicKey, refusal: Refusal) {
        let Some(contact) = self.contact(&peer) else { return };
        contact.refusal.get_or_insert(refusal);
        contact.outstanding = 0;
        for (cid, want) in &mut self.wants {
            if want.asked.remove(&peer) {
                self.engine.ask(peer, *cid, Ask::Cancel);
            }
            if want.at == Some(peer) {
                want.at = None;
            }
        }
    }

    /// Asks silent peers again, takes from them what others may have, and gives up those that have
    /// been silent for too long. A question can be lost: some peers drop what they cannot queue.
    fn hurry(&mut self) {
        let now = self.engine.clock.now();
        let (again_ms, patience_ms) =
            (self.engine.config.fetch_again_ms, self.engine.config.fetch_patience_ms);
        for at in 0..self.contacts.len() {
            let contact = &self.contacts[at];
            if contact.outstanding == 0 || contact.refusal.is_some() {
                continue;
            }
            let peer = contact.peer;
            let silent_ms = now.since_ms(self.last_sign(contact));
            if silent_ms >= patience_ms {
                let refusal = Refusal::Broken(format!("nothing came for {patience_ms} ms"));
                self.give_up(peer, refusal);
            } else if silent_ms >= again_ms && now.since_ms(contact.again) >= again_ms {
                self.contacts[at].slow = true;
                self.contacts[at].again = now;
                self.ask_again(peer);
            }
        }
    }

    fn ask_again(&mut self, peer: PublicKey) {
        let owed: Vec<Cid> =
            self.wants.iter().filter(|(_, want)| want.at == Some(peer)).map(|(c, _)| *c).collect();
        for cid in owed {
            let other = self.best(&self.wants[&cid]).filter(|other| other.peer != peer);
            if other.is_some() {
                // The first question stands: whoever answers first is welcome.
                if let Some(want) = self.wants.get_mut(&cid) {
                    want.at = None;
                }
                self.settle(Some(peer));
            } else {
                self.engine.ask(peer, cid, Ask::Block);
            }
        }
    }

    /// Asks somebody for each object that nobody is asked for.
    fn assign(&mut self) -> Result<(), FetchError> {
        let now = self.engine.clock.now();
        let free: Vec<Cid> =
            self.wants.iter().filter(|(_, want)| want.at.is_none()).map(|(cid, _)| *cid).collect();
        for cid in free {
            let Some(best) = self.best(&self.wants[&cid]) else { return Err(self.not_found(cid)) };
            let (peer, known) = (best.peer, best.rank(&self.wants[&cid]) < Rank::Unknown);
            if !known {
                self.probe(cid, peer);
            }
            let contact = self.contact(&peer).expect("it was chosen just now");
            if contact.outstanding == 0 {
                contact.since = now;
                contact.again = now;
            }
            contact.outstanding += 1;
            if let Some(want) = self.wants.get_mut(&cid) {
                want.at = Some(peer);
                want.asked.insert(peer);
            }
            self.engine.ask(peer, cid, Ask::Block);
        }
        Ok(())
    }

    /// Asks others whether they have the object, since nobody is known to.
    fn probe(&mut self, cid: Cid, but: PublicKey) {
        let Some(want) = self.wants.get_mut(&cid) else { return };
        let others = self.contacts.iter().filter(|contact| {
            contact.refusal.is_none() && contact.peer != but && !want.asked.contains(&contact.peer)
        });
        let others: Vec<_> = others.map(|contact| contact.peer).take(PROBES).collect();
        for peer in others {
            want.asked.insert(peer);
            self.engine.ask(peer, cid, Ask::Have);
        }
    }

    /// Who is asked for an object: who has it, else who has others, else anybody; and among these
    /// who owes least.
    fn best(&self, want: &Want) -> Option<&Contact> {
        let possible = self
            .contacts
            .iter()
            .filter(|contact| contact.refusal.is_none() && !want.lack.contains(&contact.peer));
        possible.min_by_key(|contact| (contact.rank(want), contact.outstanding))
    }

    fn not_found(&self, cid: Cid) -> FetchError {
        let tried = self
            .contacts
            .iter()
            .map(|contact| (contact.peer, contact.refusal.clone().unwrap_or(Refusal::Missing)));
        FetchError::NotFound { cid, tried: tried.collect() }
    }

    /// When a peer that owes something gave a sign of life last.
    fn last_sign(&self, contact: &Contact) -> Time {
        self.engine.heard(&contact.peer).map_or(contact.since, |heard| heard.max(contact.since))
    }

    /// When to look at the peers again, whatever comes.
    fn deadline(&self) -> Time {
        let config = &self.engine.config;
        let owing = self.contacts.iter().filter(|c| c.outstanding > 0 && c.refusal.is_none());
        let next = owing.map(|contact| {
            let sign = self.last_sign(contact);
            let again = sign.max(contact.again).after_ms(config.fetch_again_ms);
            again.min(sign.after_ms(config.fetch_patience_ms))
        });
        let now = self.engine.clock.now();
        next.min().unwrap_or(now.after_ms(config.fetch_patience_ms)).max(now.after_ms(1))
    }

    fn contact(&mut self, peer: &PublicKey) -> Option<&mut Contact> {
        self.contacts.iter_mut().find(|contact| contact.peer == *peer)
    }

    /// The peer that was asked for a block owes it no longer.
    fn settle(&mut self, at: Option<PublicKey>) {
        if let Some(contact) = at.and_then(|peer| self.contact(&peer)) {
            contact.outstanding = contact.outstanding.saturating_sub(1);
        }
    }
}

/// How promising a peer is, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Has,
    Useful,
    Unknown,
    Slow,
}

impl Contact {
    fn new(peer: PublicKey, now: Time) -> Self {
        let (useful, slow, refusal, outstanding) = (false, false, None, 0);
        Self { peer, useful, slow, refusal, outstanding, since: now, again: now }
    }

    fn rank(&self, want: &Want) -> Rank {
        match () {
            () if self.slow => Rank::Slow,
            () if want.have.contains(&self.peer) => Rank::Has,
            () if self.useful => Rank::Useful,
            () => Rank::Unknown,
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for (cid, want) in std::mem::take(&mut self.wants) {
            if self.engine.unwant(&cid, &self.mail) {
                for peer in want.asked {
                    self.engine.ask(peer, cid, Ask::Cancel);
                }
            }
        }
        self.engine.leave(&self.mail);
    }
}
