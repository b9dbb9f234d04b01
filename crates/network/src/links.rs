//! The connections, and which one of several to a peer is used.
//!
//! Two nodes that dial each other at once have twin connections. Both keep the one that the lower
//! peer id dialled; the other takes no new streams and is closed when its last stream ends. Any
//! other second connection means that the peer lost the first one, or was started again: the
//! older one is dead. A peer says which process it is, so that one that was started again at once
//! is not taken for its own twin.

use crate::address::is_loopback;
use libp2p::{PeerId, core::ConnectedPoint, swarm::ConnectionId};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) endpoint: ConnectedPoint,
    since: Instant,
    admitted: bool,
    /// Which process of the peer is at the other end, in its own words.
    process: String,
    /// When the peer said that it belongs to another network.
    pub(crate) foreign: Option<Instant>,
    /// Whether the peer was told which network this node belongs to.
    pub(crate) told: bool,
    /// The peer is a guest, and since when it has had nothing to say.
    pub(crate) guest: Option<Instant>,
}

impl Link {
    pub(crate) fn new(id: ConnectionId, endpoint: ConnectedPoint, since: Instant) -> Self {
        let process = String::new();
        let (foreign, guest) = (None, None);
        Self { id, endpoint, since, admitted: false, process, foreign, told: false, guest }
    }

    /// Whether the other end is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(self.endpoint.get_remote_address())
    }
}

/// What it means that a peer says over a connection that it belongs to this network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Admitted {
    /// Nothing new.
    Again,
    /// The peer is here.
    First,
    /// Both sides dialled at once.
    Twin,
    /// The peer is here anew: it knows nothing of these older connections.
    Replaces(Vec<ConnectionId>),
}

/// What it meant that a connection closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Closed {
    /// The peer has others, or the connection is not known.
    Spare,
    /// It was the last one to a peer of this network.
    Down,
    /// It was to a peer of another network.
    Foreign,
    /// It was the last one to a guest.
    Guest,
    /// The peer never said which network it belongs to.
    Silent,
}

/// All connections.
pub(crate) struct Links {
    me: PeerId,
    /// Dials of both sides that are closer in time than this are one dial that happened twice.
    together: Duration,
    peers: HashMap<PeerId, Vec<Link>>,
}

impl Links {
    pub(crate) fn new(me: PeerId, together: Duration) -> Self {
        Self { me, together, peers: HashMap::new() }
    }

    pub(crate) fn add(&mut self, peer: PeerId, link: Link) {
        self.peers.entry(peer).or_default().push(link);
    }

    /// Marks a connection as one of this network, to a process of the peer.
    pub(crate) fn admit(&mut self, peer: PeerId, id: ConnectionId, process: &str) -> Admitted {
        let Some(link) = self.get(&peer, id) else { return Admitted::Again };
        if std::mem::replace(&mut link.admitted, true) {
            return Admitted::Again;
        }
        link.process = process.into();
        let link = link.clone();
        let links = self.peers.get(&peer).into_iter().flatten();
        let others: Vec<_> = links.filter(|other| other.admitted && other.id != id).collect();
        if others.is_empty() {
            return Admitted::First;
        }
        let dead = |other: &&&Link| other.since <= link.since && !self.are_twins(other, &link);
        let dead: Vec<_> = others.iter().filter(dead).map(|other| other.id).collect();
        if dead.is_empty() { Admitted::Twin } else { Admitted::Replaces(dead) }
    }

    pub(crate) fn remove(&mut self, peer: PeerId, id: ConnectionId) -> Closed {
        let Some(links) = self.peers.get_mut(&peer) else { return Closed::Spare };
        let Some(at) = links.iter().position(|link| link.id == id) else { return Closed::Spare };
        let link = links.remove(at);
        let others = links.iter().any(|link| link.admitted || link.guest.is_some());
        if links.is_empty() {
            self.peers.remove(&peer);
        }
        match link {
            _ if others => Closed::Spare,
            Link { admitted: true, .. } => Closed::Down,
            Link { guest: Some(_), .. } => Closed::Guest,
            Link { foreign: Some(_), .. } => Closed::Foreign,
            _ => Closed::Silent,
        }
    }

    /// Whether there is any connection, admitted or not.
    pub(crate) fn any(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// Some connection to the peer.
    pub(crate) fn some(&self, peer: &PeerId) -> Option<&Link> {
        self.peers.get(peer)?.last()
    }

    /// The connection that new streams use.
    pub(crate) fn preferred(&self, peer: &PeerId) -> Option<&Link> {
        let admitted = self.peers.get(peer)?.iter().filter(|link| link.admitted);
        admitted.reduce(|kept, next| self.better(peer, kept, next))
    }

    /// The connection that streams of a foreign protocol use.
    pub(crate) fn preferred_of_any(&self, peer: &PeerId) -> Option<&Link> {
        let guest = || self.peers.get(peer)?.iter().rev().find(|link| link.guest.is_some());
        self.preferred(peer).or_else(guest)
    }

    /// Connections to guests.
    pub(crate) fn guests(&mut self) -> impl Iterator<Item = (&PeerId, &mut Link)> {
        let all = self.peers.iter_mut();
        let all = all.flat_map(|(peer, links)| links.iter_mut().map(move |link| (peer, link)));
        all.filter(|(_, link)| link.guest.is_some())
    }

    /// How many connections there are to guests.
    pub(crate) fn guest_count(&self) -> usize {
        self.peers.values().flatten().filter(|link| link.guest.is_some()).count()
    }

    pub(crate) fn get(&mut self, peer: &PeerId, id: ConnectionId) -> Option<&mut Link> {
        self.peers.get_mut(peer)?.iter_mut().find(|link| link.id == id)
    }

    /// Admitted connections that are not the preferred one of their peer, once all of them are
    /// older than `settled`: before, the other side may not have admitted the preferred one.
    pub(crate) fn surplus(&self, now: Instant, settled: Duration) -> Vec<ConnectionId> {
        let mut surplus = Vec::new();
        for (peer, links) in self.peers.iter().filter(|(_, links)| links.len() > 1) {
            let kept = self.preferred(peer).map(|link| link.id);
            if links.iter().all(|link| now.saturating_duration_since(link.since) >= settled) {
                let others = links.iter().filter(|link| link.admitted && Some(link.id) != kept);
                surplus.extend(others.map(|link| link.id));
            }
        }
        surplus
    }

    /// Connections to close: those that have not said within `patience` which network they belong
    /// to, and foreign ones `courtesy` after they were told why.
    pub(crate) fn unwelcome(
        &self,
        now: Instant,
        patience: Duration,
        courtesy: Duration,
    ) -> Vec<ConnectionId> {
        let unwelcome = self.peers.values().flatten().filter(|link| {
            let foreign = |since| link.told && now.saturating_duration_since(since) >= courtesy;
            let silent = now.saturating_duration_since(link.since) >= patience;
            let known = link.admitted || link.guest.is_some();
            !known && (silent || link.foreign.is_some_and(foreign))
        });
        unwelcome.map(|link| link.id).collect()
    }

    pub(crate) fn peers(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.peers.values().map(Vec::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    fn better<'a>(&self, peer: &PeerId, a: &'a Link, b: &'a Link) -> &'a Link {
        let (old, new) = if a.since <= b.since { (a, b) } else { (b, a) };
        let lower_dialled = old.endpoint.is_dialer() == (self.me < *peer);
        if self.are_twins(old, new) && lower_dialled { old } else { new }
    }

    fn are_twins(&self, old: &Link, new: &Link) -> bool {
        old.process == new.process
            && old.endpoint.is_dialer() != new.endpoint.is_dialer()
            && new.since.saturating_duration_since(old.since) <= self.together
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::{
        Multiaddr,
        core::{Endpoint, transport::PortUse},
    };

    fn link(id: usize, dialled: bool, since: Instant) -> Link {
        let address = Multiaddr::empty();
        let endpoint = if dialled {
            let (role_override, port_use) = (Endpoint::Dialer, PortUse::New);
            ConnectedPoint::Dialer { address, role_override, port_use }
        } else {
            ConnectedPoint::Listener { local_addr: address.clone(), send_back_addr: address }
        };
        Link::new(ConnectionId::new_unchecked(id), endpoint, since)
    }

    fn pair() -> (PeerId, PeerId) {
        let (a, b) = (PeerId::random(), PeerId::random());
        (a.min(b), a.max(b))
    }

    /// Which of two connections is kept, and what the second one meant.
    fn settle(me: PeerId, peer: PeerId, all: [Link; 2]) -> (ConnectionId, Admitted) {
        let mut links = Links::new(me, Duration::from_secs(2));
        let mut admitted = Vec::new();
        for link in all {
            let id = link.id;
            links.add(peer, link);
            admitted.push(links.admit(peer, id, "process"));
        }
        let kept = links.preferred(&peer).expect("there are two").id;
        let settled = Duration::from_secs(1);
        let last = Instant::now() + Duration::from_secs(61);
        assert_eq!(links.surplus(last, settled).len(), 1);
        assert!(!links.surplus(last, settled).contains(&kept));
        assert!(links.surplus(Instant::now(), settled).is_empty(), "too early");
        (kept, admitted.remove(1))
    }

    #[test]
    fn both_ends_of_a_double_dial_keep_the_same_connection() {
        let (low, high) = pair();
        let (t, later) = (Instant::now(), Instant::now() + Duration::from_millis(50));
        // Connection 1 is dialled by the lower, 2 by the higher; each end sees another order.
        let at_low = settle(low, high, [link(1, true, t), link(2, false, later)]);
        let at_high = settle(high, low, [link(2, true, t), link(1, false, later)]);
        assert_eq!(at_low, (ConnectionId::new_unchecked(1), Admitted::Twin));
        assert_eq!(at_high, at_low);
    }

    #[test]
    fn a_new_connection_replaces_an_old_one() {
        let (low, high) = pair();
        let (t, later) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        for (me, peer) in [(low, high), (high, low)] {
            for (first, second) in [(true, true), (true, false), (false, true), (false, false)] {
                let settled = settle(me, peer, [link(1, first, t), link(2, second, later)]);
                let [one, two] = [1, 2].map(ConnectionId::new_unchecked);
                assert_eq!(settled, (two, Admitted::Replaces(vec![one])));
            }
        }
    }

    #[test]
    fn a_peer_that_was_started_again_at_once_is_not_its_own_twin() {
        let (low, high) = pair();
        let (t, later) = (Instant::now(), Instant::now() + Duration::from_millis(50));
        let [one, two] = [1, 2].map(ConnectionId::new_unchecked);
        for (me, peer) in [(low, high), (high, low)] {
            let mut links = Links::new(me, Duration::from_secs(2));
            links.add(peer, link(1, true, t));
            assert_eq!(links.admit(peer, one, "before"), Admitted::First);
            links.add(peer, link(2, false, later));
            assert_eq!(links.admit(peer, two, "after"), Admitted::Replaces(vec![one]));
            assert_eq!(links.preferred(&peer).expect("there are two").id, two);
        }
    }

    #[test]
    fn a_peer_is_up_with_its_first_admitted_connection_and_down_with_its_last() {
        let (me, peer) = pair();
        let mut links = Links::new(me, Duration::from_secs(2));
        let [one, two] = [1, 2].map(ConnectionId::new_unchecked);
        for n in [1, 2] {
            links.add(peer, link(n, n == 1, Instant::now()));
        }
        assert!(links.preferred(&peer).is_none() && links.any(&peer));
        assert_eq!(links.admit(peer, one, "process"), Admitted::First);
        assert_eq!(links.admit(peer, two, "process"), Admitted::Twin);
        assert_eq!(links.admit(peer, two, "process"), Admitted::Again);
        assert_eq!(links.remove(peer, one), Closed::Spare);
        assert_eq!(links.remove(peer, one), Closed::Spare, "closed already");
        assert_eq!(links.remove(peer, two), Closed::Down);
        assert!(links.is_empty());
    }

    #[test]
    fn silent_and_foreign_connections_are_unwelcome() {
        let (me, peer) = pair();
        let mut links = Links::new(me, Duration::from_secs(2));
        let [one, two, three] = [1, 2, 3].map(ConnectionId::new_unchecked);
        let start = Instant::now();
        for n in 1..=3 {
            links.add(peer, link(n, true, start));
        }
        links.admit(peer, one, "process");
        links.get(&peer, two).expect("it is there").foreign = Some(start);
        let unwelcome = |links: &Links, ms| {
            let now = start + Duration::from_millis(ms);
            links.unwelcome(now, Duration::from_millis(900), Duration::from_millis(100))
        };
        assert!(unwelcome(&links, 100).is_empty(), "nobody told it why");
        links.get(&peer, two).expect("it is there").told = true;
        assert_eq!(unwelcome(&links, 100), [two]);
        assert_eq!(unwelcome(&links, 900), [two, three]);
        links.remove(peer, one);
        assert_eq!(links.remove(peer, two), Closed::Foreign);
        assert_eq!(links.remove(peer, three), Closed::Silent);
    }
}
