//! The addresses of peers, and when to dial whom.

use crate::{
    Config,
    address::{MAX_ADDRESSES, is_quic},
};
use identity::PublicKey;
use libp2p::Multiaddr;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A peer and where it listens.
pub(crate) type Place = (PublicKey, Vec<Multiaddr>);

/// Which addresses a dial that is under way tries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    None,
    /// QUIC, at all its addresses at once.
    Quic,
    /// The others, after QUIC failed.
    Others,
}

struct Entry {
    /// The node asked for this peer: it is never forgotten.
    wanted: bool,
    /// Addresses that the node gave.
    given: Vec<Multiaddr>,
    /// Addresses that the peer itself told, or else what others say.
    heard: Vec<Multiaddr>,
    /// Whether the peer itself told `heard`.
    first_hand: bool,
    connected: bool,
    /// The book's version when others should have been told about this entry.
    version: u64,
    attempt: Attempt,
    next: Instant,
    pause: Duration,
    missing_since: Instant,
}

/// All known peers.
pub(crate) struct Book {
    me: PublicKey,
    capacity: usize,
    interval: Duration,
    longest_pause: Duration,
    forget: Duration,
    version: u64,
    entries: HashMap<PublicKey, Entry>,
}

impl Book {
    pub(crate) fn new(me: PublicKey, config: &Config) -> Self {
        Self {
            me,
            capacity: config.max_known_peers,
            interval: config.dial_interval(),
            longest_pause: Duration::from_millis(config.dial_backoff_max_ms),
            forget: Duration::from_millis(config.forget_ms),
            version: 0,
            entries: HashMap::new(),
        }
    }

    /// Remembers addresses that the node gave. False if there is no room.
    pub(crate) fn know(&mut self, peer: PublicKey, given: Vec<Multiaddr>, now: Instant) -> bool {
        let Some(entry) = self.entry(peer, now) else { return false };
        entry.wanted = true;
        entry.next = now;
        merge(&mut entry.given, given);
        true
    }

    /// Remembers what another peer says.
    pub(crate) fn hear(&mut self, peer: PublicKey, said: Vec<Multiaddr>, now: Instant) {
        if said.is_empty() {
            return;
        }
        if let Some(entry) = self.entry(peer, now)
            && !entry.first_hand
        {
            merge(&mut entry.heard, said);
        }
    }

    /// The peer is connected and tells its own addresses. True if others should be told.
    pub(crate) fn arrived(&mut self, peer: PublicKey, own: Vec<Multiaddr>, now: Instant) -> bool {
        let (version, interval) = (self.version + 1, self.interval);
        let Some(entry) = self.entry(peer, now) else { return false };
        let news = !entry.connected || entry.heard != own;
        entry.heard = own;
        entry.first_hand = true;
        entry.connected = true;
        entry.attempt = Attempt::None;
        entry.pause = interval;
        if news {
            entry.version = version;
            self.version = version;
        }
        news
    }

    /// The peer is gone; it is looked for at once.
    pub(crate) fn left(&mut self, peer: &PublicKey, now: Instant) {
        let Some(entry) = self.entries.get_mut(peer) else { return };
        entry.connected = false;
        entry.missing_since = now;
        entry.next = now;
        if !entry.wanted && entry.heard.is_empty() {
            self.entries.remove(peer);
        }
    }

    /// Peers to dial now, at most `limit`: those the node asked for, and others if there is
    /// `room` for more connections.
    pub(crate) fn due(&self, now: Instant, room: bool, limit: usize) -> Vec<PublicKey> {
        let missing = self.entries.iter().filter(|(_, entry)| {
            !entry.connected
                && entry.attempt == Attempt::None
                && entry.next <= now
                && (entry.wanted || room)
                && !(entry.given.is_empty() && entry.heard.is_empty())
        });
        missing.map(|(peer, _)| *peer).take(limit).collect()
    }

    /// The addresses of a dial that begins now; `None` if none is known.
    pub(crate) fn begin(&mut self, peer: &PublicKey) -> Option<Vec<Multiaddr>> {
        let entry = self.entries.get_mut(peer)?;
        let (quic, others) = entry.addresses();
        let (attempt, addresses) =
            if quic.is_empty() { (Attempt::Others, others) } else { (Attempt::Quic, quic) };
        if addresses.is_empty() {
            return None;
        }
        entry.attempt = attempt;
        Some(addresses)
    }

    /// A dial failed: the addresses to try next, or `None` and a pause.
    pub(crate) fn failed(&mut self, peer: &PublicKey, now: Instant) -> Option<Vec<Multiaddr>> {
        let longest = self.longest_pause;
        let entry = self.entries.get_mut(peer)?;
        let (_, others) = entry.addresses();
        if entry.attempt == Attempt::Quic && !others.is_empty() {
            entry.attempt = Attempt::Others;
            return Some(others);
        }
        entry.attempt = Attempt::None;
        entry.next = now + entry.pause;
        entry.pause = (entry.pause * 2).min(longest);
        None
    }

    /// A dial is over: a connection was made, by it or by the peer.
    pub(crate) fn connected(&mut self, peer: &PublicKey) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.attempt = Attempt::None;
        }
    }

    /// Whether a dial is under way.
    pub(crate) fn is_dialling(&self, peer: &PublicKey) -> bool {
        self.entries.get(peer).is_some_and(|entry| entry.attempt != Attempt::None)
    }

    /// A connection was made but came to nothing: the peer is of another network, or silent.
    pub(crate) fn refused(&mut self, peer: &PublicKey, now: Instant) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.attempt = Attempt::None;
            entry.next = now + self.longest_pause;
        }
    }

    /// Drops peers that nobody here asked for and that have been missing for long.
    pub(crate) fn forget(&mut self, now: Instant) {
        let forget = self.forget;
        self.entries.retain(|_, entry| {
            entry.wanted
                || entry.connected
                || entry.attempt != Attempt::None
                || now.saturating_duration_since(entry.missing_since) < forget
        });
    }

    /// Grows with every change that others should be told.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Connected peers that listen somewhere and have changed after version `since`.
    pub(crate) fn news(&self, since: u64) -> Vec<Place> {
        let news = self.entries.iter().filter(|(_, entry)| {
            entry.connected && entry.version > since && !entry.heard.is_empty()
        });
        news.map(|(peer, entry)| (*peer, entry.heard.clone())).collect()
    }

    /// The entry of a peer, made if there is room or if a stranger can be dropped for it.
    fn entry(&mut self, peer: PublicKey, now: Instant) -> Option<&mut Entry> {
        if peer == self.me {
            return None;
        }
        if !self.entries.contains_key(&peer) && self.entries.len() >= self.capacity {
            let strangers = self.entries.iter().filter(|(_, e)| !e.wanted && !e.connected);
            let longest_missing = strangers.min_by_key(|(_, e)| e.missing_since)?;
            let longest_missing = *longest_missing.0;
            self.entries.remove(&longest_missing);
        }
        let pause = self.interval;
        Some(self.entries.entry(peer).or_insert_with(|| Entry {
            wanted: false,
            given: Vec::new(),
            heard: Vec::new(),
            first_hand: false,
            connected: false,
            version: 0,
            attempt: Attempt::None,
            next: now,
            pause,
            missing_since: now,
        }))
    }
}

impl Entry {
    /// All addresses, QUIC apart from the others.
    fn addresses(&self) -> (Vec<Multiaddr>, Vec<Multiaddr>) {
        let mut all = self.given.clone();
        all.extend(self.heard.iter().filter(|a| !self.given.contains(a)).cloned());
        all.into_iter().partition(is_quic)
    }
}

/// Adds what is new; the oldest make room.
fn merge(kept: &mut Vec<Multiaddr>, new: Vec<Multiaddr>) {
    for address in new {
        if !kept.contains(&address) {
            kept.push(address);
        }
    }
    let surplus = kept.len().saturating_sub(MAX_ADDRESSES);
    kept.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: PublicKey = PublicKey([0; 32]);

    fn peer(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn at(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    fn tcp(port: u16) -> Multiaddr {
        at(&format!("/ip4/10.0.0.1/tcp/{port}"))
    }

    fn book() -> Book {
        let config = Config {
            max_known_peers: 4,
            dial_interval_ms: 100,
            dial_backoff_max_ms: 300,
            forget_ms: 1_000,
            ..Config::default()
        };
        Book::new(ME, &config)
    }

    #[test]
    fn quic_is_tried_before_the_others() {
        let (mut book, now) = (book(), Instant::now());
        let quic = at("/ip4/10.0.0.1/udp/1/quic-v1");
        book.know(peer(1), vec![tcp(1), quic.clone()], now);
        assert_eq!(book.begin(&peer(1)), Some(vec![quic]));
        assert!(book.due(now, true, 9).is_empty(), "a dial is under way");
        assert_eq!(book.failed(&peer(1), now), Some(vec![tcp(1)]));
        assert_eq!(book.failed(&peer(1), now), None);
        assert!(book.due(now, true, 9).is_empty(), "a pause");
        assert_eq!(book.begin(&peer(2)), None);
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end_when_the_peer_arrives() {
        let (mut book, mut now) = (book(), Instant::now());
        book.know(peer(1), vec![tcp(1)], now);
        for pause_ms in [100, 200, 300, 300] {
            assert_eq!(book.due(now, false, 9), [peer(1)]);
            book.begin(&peer(1));
            book.failed(&peer(1), now);
            assert!(book.due(now + Duration::from_millis(pause_ms - 1), true, 9).is_empty());
            now += Duration::from_millis(pause_ms);
        }
        book.arrived(peer(1), vec![], now);
        assert!(book.due(now, true, 9).is_empty());
        book.left(&peer(1), now);
        assert_eq!(book.due(now, false, 9), [peer(1)]);
        book.failed(&peer(1), now);
        assert_eq!(book.due(now + Duration::from_millis(100), false, 9), [peer(1)]);
    }

    #[test]
    fn hearsay_fills_gaps_but_never_replaces_what_a_peer_says_itself() {
        let (mut book, now) = (book(), Instant::now());
        book.hear(peer(1), vec![tcp(1)], now);
        book.hear(ME, vec![tcp(1)], now);
        assert_eq!(book.due(now, true, 9), [peer(1)]);
        assert!(book.due(now, false, 9).is_empty(), "no room for strangers");
        book.arrived(peer(1), vec![tcp(2)], now);
        book.hear(peer(1), vec![tcp(3)], now);
        book.left(&peer(1), now);
        assert_eq!(book.begin(&peer(1)), Some(vec![tcp(2)]));
    }

    #[test]
    fn news_are_told_once_per_change() {
        let (mut book, now) = (book(), Instant::now());
        assert!(book.arrived(peer(1), vec![tcp(1)], now));
        assert!(!book.arrived(peer(1), vec![tcp(1)], now), "nothing new");
        let first = book.version();
        assert_eq!(book.news(0), [(peer(1), vec![tcp(1)])]);
        assert!(book.news(first).is_empty());
        assert!(book.arrived(peer(2), vec![tcp(2)], now));
        assert_eq!(book.news(first), [(peer(2), vec![tcp(2)])]);
        book.left(&peer(2), now);
        assert!(book.news(first).is_empty(), "gone before it was told");
    }

    #[test]
    fn strangers_make_room_and_are_forgotten_but_wanted_peers_stay() {
        let (mut book, now) = (book(), Instant::now());
        for n in 1..=3 {
            assert!(book.know(peer(n), vec![tcp(1)], now));
        }
        for n in 4..=9 {
            book.hear(peer(n), vec![tcp(1)], now);
        }
        assert_eq!(book.due(now, true, 9).len(), 4);
        assert!(book.know(peer(10), vec![tcp(1)], now));
        assert!(!book.know(peer(11), vec![tcp(1)], now), "full of wanted peers");
        book.forget(now + Duration::from_secs(60));
        assert_eq!(book.due(now, true, 9).len(), 4);
        let mut other = self::book();
        other.hear(peer(1), vec![tcp(1)], now);
        other.forget(now + Duration::from_millis(1_000));
        assert!(other.due(now, true, 9).is_empty());
    }

    #[test]
    fn addresses_of_one_peer_are_bounded() {
        let (mut book, now) = (book(), Instant::now());
        for port in 1..=40 {
            book.hear(peer(1), vec![tcp(port)], now);
        }
        let kept = book.begin(&peer(1)).expect("addresses");
        assert_eq!((kept.len(), kept.last()), (MAX_ADDRESSES, Some(&tcp(40))));
    }
}
