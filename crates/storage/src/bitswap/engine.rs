//! What all tasks and fetches of bitswap share, and what is done with a message.

use super::{
    Config,
    mail::{Arrived, Mail},
    message::{Entry, Kind, Message, Payload, Presence},
    name::block_of,
    peer::{Ask, Peer, Want, want_of},
};
use crate::{
    exchange::{Refusal, Serve},
    lock::lock,
};
use bytes::Bytes;
use identity::PublicKey;
use objects::{Checked, Cid};
use protocol::{
    Time,
    port::{Blobs, Clock, Offence, Streams},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};
use tokio::sync::{Notify, Semaphore};

/// Peers that are remembered; idle ones make room.
const MAX_PEERS: usize = 1024;
/// One unit of the memory budgets, in bytes.
const UNIT_BYTES: usize = 64 << 10;

/// What everything of one bitswap shares.
pub(super) struct Engine {
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) streams: Arc<dyn Streams>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) gate: Arc<dyn Serve>,
    pub(super) config: Config,
    /// Memory for messages that are read. First come, first served, one message at a time for each
    /// peer: nobody is passed over.
    pub(super) incoming: Arc<Semaphore>,
    /// Memory for messages that are written, in the same way.
    pub(super) outgoing: Arc<Semaphore>,
    /// Wakes the service when a peer has to be written to.
    pub(super) to_write: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    peers: HashMap<PublicKey, Peer>,
    /// Peers that somebody has to begin to write to.
    to_write: Vec<PublicKey>,
    /// Fetches by what they want.
    interest: HashMap<Cid, Vec<Arc<Mail>>>,
    sessions: HashMap<u64, Arc<Mail>>,
    last_session: u64,
    closed: bool,
}

impl Engine {
    pub(super) fn new(
        blobs: Arc<dyn Blobs>,
        streams: Arc<dyn Streams>,
        clock: Arc<dyn Clock>,
        gate: Arc<dyn Serve>,
        config: Config,
    ) -> Self {
        let budget = || Arc::new(Semaphore::new(config.memory_units()));
        let (incoming, outgoing) = (budget(), budget());
        let (to_write, state) = (Notify::new(), Mutex::default());
        Self { blobs, streams, clock, gate, config, incoming, outgoing, to_write, state }
    }

    /// Works on what is known of a peer. Without room for one more, an idle one is forgotten;
    /// `None` if nobody is idle.
    pub(super) fn with_peer<T>(
        &self,
        key: PublicKey,
        work: impl FnOnce(&mut Peer) -> T,
    ) -> Option<T> {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        if !state.peers.contains_key(&key) {
            if state.closed {
                return None;
            }
            if state.peers.len() >= MAX_PEERS {
                let idle = state.peers.iter().filter(|(_, peer)| peer.is_idle());
                let oldest = idle.min_by_key(|(_, peer)| peer.heard).map(|(key, _)| *key)?;
                state.peers.remove(&oldest);
            }
            state.peers.insert(key, Peer::new(now));
        }
        let State { peers, to_write, closed, .. } = &mut *state;
        let peer = peers.get_mut(&key).expect("it was inserted above");
        let result = work(peer);
        if peer.has_news() && !*closed {
            if peer.writing {
                peer.wake.notify_one();
            } else {
                peer.writing = true;
                to_write.push(key);
                self.to_write.notify_one();
            }
        }
        Some(result)
    }

    /// Peers that somebody has to begin to write to.
    pub(super) fn to_write(&self) -> Vec<PublicKey> {
        std::mem::take(&mut lock(&self.state).to_write)
    }

    /// Nobody writes to the peer any longer, unless there is something to send: then false.
    pub(super) fn stop_writing(&self, key: PublicKey) -> bool {
        let mut state = lock(&self.state);
        let Some(peer) = state.peers.get_mut(&key) else { return true };
        if peer.has_news() {
            return false;
        }
        peer.writing = false;
        true
    }

    /// What was to be said to the peer cannot be: whoever asked it must ask others.
    pub(super) fn lost(&self, key: PublicKey, asks: Vec<(Cid, Ask)>, refusal: &Refusal) {
        let mut state = lock(&self.state);
        let mut lost = asks;
        if let Some(peer) = state.peers.get_mut(&key) {
            lost.extend(peer.unsent());
            peer.forget_wants();
            peer.writing = false;
        }
        let mut told = HashSet::new();
        for (cid, ask) in lost {
            let interested = state.interest.get(&cid).into_iter().flatten();
            for mail in interested.filter(|mail| ask != Ask::Cancel && mail.peers.contains(&key)) {
                if told.insert(mail.id) {
                    mail.add(|news| {
                        news.faults.insert(key, refusal.clone());
                    });
                }
            }
        }
    }

    /// Asks a peer.
    pub(super) fn ask(&self, key: PublicKey, cid: Cid, ask: Ask) {
        if self.with_peer(key, |peer| peer.ask(cid, ask)).is_none() {
            let busy = Refusal::Broken("too many peers are under way".into());
            self.lost(key, vec![(cid, ask)], &busy);
        }
    }

    /// When something came from the peer last.
    pub(super) fn heard(&self, key: &PublicKey) -> Option<Time> {
        lock(&self.state).peers.get(key).map(|peer| peer.heard)
    }

    /// A new fetch.
    pub(super) fn enter(&self, peers: Vec<PublicKey>) -> Arc<Mail> {
        let mut state = lock(&self.state);
        state.last_session += 1;
        let mail = Arc::new(Mail::new(state.last_session, peers));
        if state.closed {
            mail.add(|news| news.closed = true);
        } else {
            state.sessions.insert(mail.id, mail.clone());
        }
        mail
    }

    /// A fetch has ended.
    pub(super) fn leave(&self, mail: &Mail) {
        lock(&self.state).sessions.remove(&mail.id);
    }

    /// A fetch wants an object.
    pub(super) fn want(&self, cid: Cid, mail: &Arc<Mail>) {
        lock(&self.state).interest.entry(cid).or_default().push(mail.clone());
    }

    /// A fetch wants an object no longer. True if nobody else does.
    pub(super) fn unwant(&self, cid: &Cid, mail: &Mail) -> bool {
        let mut state = lock(&self.state);
        let Some(interested) = state.interest.get_mut(cid) else { return true };
        interested.retain(|other| other.id != mail.id);
        if !interested.is_empty() {
            return false;
        }
        state.interest.remove(cid);
        true
    }

    /// Ends all fetches; nothing more is sent.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        for mail in state.sessions.values() {
            mail.add(|news| news.closed = true);
        }
        state.sessions.clear();
        state.interest.clear();
        state.peers.clear();
    }

    /// Does what a message asks for and passes on what it brings.
    pub(super) async fn take(&self, key: PublicKey, message: Message) {
        self.take_blocks(key, message.blocks);
        self.take_presences(key, message.presences);
        if message.full || !message.wants.is_empty() {
            self.take_wants(key, message.full, message.wants).await;
        }
    }

    /// Gives blocks to the fetches that want them. One that the peer was not asked for, which is
    /// also what a damaged one looks like, is an offence.
    fn take_blocks(&self, key: PublicKey, blocks: Vec<Payload>) {
        for Payload { prefix, data } in blocks {
            let fits = data.len() <= self.config.block_bytes;
            let block = block_of(&prefix, own(&data)).filter(|_| fits);
            let asked = |block: &Checked| {
                self.with_peer(key, |peer| peer.was_asked(&block.block().cid)) == Some(true)
            };
            let Some(block) = block.filter(asked) else {
                self.streams.penalise(key, Offence::BadContent);
                self.tell_fault(key, &Refusal::BadContent);
                continue;
            };
            let interested = lock(&self.state).interest.remove(&block.block().cid);
            for mail in interested.unwrap_or_default() {
                let block = block.clone();
                mail.add(|news| news.blocks.push_back(Arrived { peer: key, block }));
            }
        }
    }

    /// Tells all fetches that ask the peer for something.
    fn tell_fault(&self, key: PublicKey, refusal: &Refusal) {
        let sessions: Vec<_> = lock(&self.state).sessions.values().cloned().collect();
        for mail in sessions.into_iter().filter(|mail| mail.peers.contains(&key)) {
            mail.add(|news| {
                news.faults.insert(key, refusal.clone());
            });
        }
    }

    fn take_presences(&self, key: PublicKey, presences: Vec<Presence>) {
        for Presence { name, here } in presences {
            let Some(cid) = name.cid() else { continue };
            let state = lock(&self.state);
            let interested = state.interest.get(&cid).into_iter().flatten();
            for mail in interested.filter(|mail| mail.peers.contains(&key)) {
                mail.add(|news| {
                    news.presences.insert((key, cid), here);
                });
            }
        }
    }

    async fn take_wants(&self, key: PublicKey, full: bool, mut wants: Vec<Entry>) {
        let limit = self.config.wants_per_peer;
        if wants.len() > limit {
            self.streams.penalise(key, Offence::Flooding);
            wants.truncate(limit);
        }
        let mut possible = Vec::new();
        self.with_peer(key, |peer| {
            if full {
                peer.forget_wants();
            }
            for entry in &wants {
                if entry.cancel {
                    peer.cancel(&entry.name);
                } else if let Some(want) = want_of(entry) {
                    possible.push((want, entry.priority));
                } else if entry.send_dont_have {
                    peer.tell(entry.name.clone(), false, limit);
                }
            }
        });
        let here = self.have(key, possible.iter().map(|(want, _)| want.cid)).await;
        let now = self.clock.now();
        let passed_over = self.with_peer(key, |peer| {
            let mut passed_over = 0;
            for ((want, priority), here) in possible.into_iter().zip(here) {
                let noted = match (here, want.kind) {
                    (true, Kind::Block) => peer.queue(want, priority, limit),
                    (true, Kind::Have) => peer.tell(want.name, true, limit),
                    (false, _) => self.note_missing(peer, want, now),
                };
                passed_over += usize::from(!noted);
            }
            passed_over
        });
        if let Some(passed_over @ 1..) = passed_over {
            tracing::debug!(peer = %key.short(), passed_over, "a peer has too many wants at once");
        }
    }

    /// The peer wants what is not here: it is told so if it likes, and gets it when it comes.
    pub(super) fn note_missing(&self, peer: &mut Peer, want: Want, now: Time) -> bool {
        let limit = self.config.wants_per_peer;
        let told = !want.send_dont_have || peer.tell(want.name.clone(), false, limit);
        peer.remember(want, now, limit) && told
    }

    /// Which of these objects are here and may go to the peer.
    async fn have(&self, key: PublicKey, cids: impl Iterator<Item = Cid>) -> Vec<bool> {
        let cids: Vec<_> = cids.collect();
        if cids.is_empty() {
            return Vec::new();
        }
        let count = cids.len();
        let may: Vec<_> = cids.iter().map(|cid| self.gate.may_serve(key, cid)).collect();
        match self.blobs.has(cids).await {
            Ok(here) => here.into_iter().zip(may).map(|(here, may)| here && may).collect(),
            Err(error) => {
                tracing::warn!(%error, "it cannot be said which blobs are here");
                vec![false; count]
            }
        }
    }

    /// Looks for blocks that peers wait for.
    pub(super) async fn look(&self) {
        let since = Time(self.clock.now().0.saturating_sub(self.config.want_ms));
        let waiting: Vec<_> = {
            let mut state = lock(&self.state);
            let peers = state.peers.iter_mut();
            peers.map(|(key, peer)| (*key, peer.waits_for(since))).collect()
        };
        for (key, wants) in waiting.into_iter().filter(|(_, wants)| !wants.is_empty()) {
            self.send_what_came(key, wants).await;
        }
    }

    /// These have come: whoever waits for them gets them.
    pub(super) async fn came(&self, cids: &[Cid]) {
        let cids: HashSet<_> = cids.iter().copied().collect();
        let waiting: Vec<_> = {
            let mut state = lock(&self.state);
            let peers = state.peers.iter_mut();
            peers.map(|(key, peer)| (*key, peer.waits_for(Time(0)))).collect()
        };
        for (key, mut wants) in waiting {
            wants.retain(|want| cids.contains(&want.cid));
            if !wants.is_empty() {
                self.send_what_came(key, wants).await;
            }
        }
    }

    async fn send_what_came(&self, key: PublicKey, wants: Vec<Want>) {
        let here = self.have(key, wants.iter().map(|want| want.cid)).await;
        let limit = self.config.wants_per_peer;
        self.with_peer(key, |peer| {
            for (want, _) in wants.into_iter().zip(here).filter(|(_, here)| *here) {
                // It may have been cancelled meanwhile.
                if peer.remembers(&want.name) {
                    peer.came(want, limit);
                }
            }
        });
    }
}

/// How much of a budget a message takes.
pub(super) fn units(size_bytes: usize) -> usize {
    size_bytes.div_ceil(UNIT_BYTES).max(1)
}

/// The bytes of a block without the rest of its message, if that is more than the block.
fn own(data: &Bytes) -> Bytes {
    // A message is full of blocks of much the same size, or has one large block.
    if data.len() < UNIT_BYTES { Bytes::copy_from_slice(data) } else { data.clone() }
}
