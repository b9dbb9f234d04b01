//! Places at a protocol that this node serves: so many streams at once, so many of one peer, and
//! some that only nodes of the roster take, so that no crowd of strangers keeps them out.

use identity::PublicKey;
use protocol::port::{Offence, Streams};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// Whether a peer is a node of the roster.
pub(crate) type IsAdmitted = Arc<dyn Fn(&PublicKey) -> bool + Send + Sync>;

/// How many streams are served at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Of all peers. Further ones are closed; whoever opened them may try later.
    pub(crate) streams: usize,
    /// Of these, so many of peers that are not in the roster.
    pub(crate) strangers: usize,
    /// Of one peer. More are an offence.
    pub(crate) per_peer: usize,
}

/// The places of one protocol.
pub(crate) struct Places {
    streams: Arc<dyn Streams>,
    is_admitted: IsAdmitted,
    room: Room,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    by: HashMap<PublicKey, usize>,
    all: usize,
    strangers: usize,
}

/// The right of a peer to have one stream served.
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    peer: PublicKey,
    is_stranger: bool,
}

impl Places {
    /// All of them are free.
    pub(crate) fn new(streams: Arc<dyn Streams>, is_admitted: IsAdmitted, room: Room) -> Self {
        Self { streams, is_admitted, room, taken: Arc::default() }
    }

    /// A place for a stream of this peer; `None` if there is none. That is the fault of a peer that
    /// has too many itself, and of nobody else.
    pub(crate) fn take(&self, peer: PublicKey) -> Option<Place> {
        let is_stranger = !(self.is_admitted)(&peer);
        let mut taken = lock(&self.taken);
        if taken.by.get(&peer).is_some_and(|own| *own >= self.room.per_peer) {
            drop(taken);
            self.streams.penalise(peer, Offence::Flooding);
            return None;
        }
        let full = taken.all >= self.room.streams;
        if full || (is_stranger && taken.strangers >= self.room.strangers) {
            tracing::debug!(peer = %peer.short(), "too many streams at once");
            return None;
        }
        *taken.by.entry(peer).or_default() += 1;
        taken.all += 1;
        taken.strangers += usize::from(is_stranger);
        Some(Place { taken: self.taken.clone(), peer, is_stranger })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        taken.strangers -= usize::from(self.is_stranger);
        if let Some(own) = taken.by.get_mut(&self.peer) {
            *own -= 1;
            if *own == 0 {
                taken.by.remove(&self.peer);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().expect("nobody panics while holding the places")
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::SecretKey;
    use sim::streams::Mesh;

    fn key(n: u8) -> PublicKey {
        SecretKey::from_seed([n; 32]).public()
    }

    /// Four places, two of them for strangers; nodes 1 and 2 are admitted.
    fn places(mesh: &Mesh) -> Places {
        let is_admitted: IsAdmitted = Arc::new(|peer| [key(1), key(2)].contains(peer));
        let room = Room { streams: 4, strangers: 2, per_peer: 2 };
        Places::new(mesh.node(key(9)), is_admitted, room)
    }

    #[test]
    fn strangers_leave_places_to_nodes_of_the_roster_and_nobody_is_blamed() {
        let mesh = Mesh::new();
        let places = places(&mesh);
        let strangers: Vec<_> = (11..20).filter_map(|n| places.take(key(n))).collect();
        assert_eq!(strangers.len(), 2);
        let admitted: Vec<_> =
            [1, 2, 1, 2].into_iter().filter_map(|n| places.take(key(n))).collect();
        assert_eq!(admitted.len(), 2, "all places are taken");
        assert_eq!(mesh.offences(), []);
        drop((strangers, admitted));
        assert!(lock(&places.taken).by.is_empty());
        assert!(places.take(key(11)).is_some());
    }

    #[test]
    fn who_takes_too_many_places_offends_and_keeps_nobody_out() {
        let mesh = Mesh::new();
        let places = places(&mesh);
        let own: Vec<_> = (0..3).filter_map(|_| places.take(key(1))).collect();
        assert_eq!(own.len(), 2);
        assert_eq!(mesh.offences(), [(key(9), key(1), Offence::Flooding)]);
        assert!(places.take(key(2)).is_some());
    }
}
