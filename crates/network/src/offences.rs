//! What peers did wrong, and who is refused for it.

use crate::Config;
use identity::PublicKey;
use protocol::port::Offence;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Peers whose offences are remembered; beyond it the mildest record makes room.
const MAX_RECORDS: usize = 4_096;

/// One peer's record.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Record {
    /// Frames, messages or documents larger than allowed.
    pub oversized: u64,
    /// Bytes that do not decode.
    pub malformed: u64,
    /// Signatures that do not hold.
    pub bad_signature: u64,
    /// Content that is not what its name says.
    pub bad_content: u64,
    /// More requests than allowed.
    pub flooding: u64,
    /// Offences that still count towards a ban.
    pub score: u32,
    /// Whether the peer is refused now.
    pub banned: bool,
}

#[derive(Default)]
struct Entry {
    record: Record,
    /// When the score was last lowered.
    decayed: Option<Instant>,
    banned_until: Option<Instant>,
}

/// The records of all peers.
pub(crate) struct Offences {
    limit: u32,
    decay: Duration,
    ban: Duration,
    entries: HashMap<PublicKey, Entry>,
}

impl Offences {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limit: config.offence_limit,
            decay: Duration::from_millis(config.offence_decay_ms),
            ban: Duration::from_millis(config.ban_ms),
            entries: HashMap::new(),
        }
    }

    /// Counts one; true if the peer is banned by it.
    pub(crate) fn count(&mut self, peer: PublicKey, offence: Offence, now: Instant) -> bool {
        if self.entries.len() >= MAX_RECORDS && !self.entries.contains_key(&peer) {
            self.forget_mildest();
        }
        let decay = self.decay;
        let entry = self.entries.entry(peer).or_default();
        entry.decay(decay, now);
        let record = &mut entry.record;
        let count = match offence {
            Offence::Oversized => &mut record.oversized,
            Offence::Malformed => &mut record.malformed,
            Offence::BadSignature => &mut record.bad_signature,
            Offence::BadContent => &mut record.bad_content,
            Offence::Flooding => &mut record.flooding,
        };
        *count = count.saturating_add(1);
        if record.banned {
            return false;
        }
        record.score += 1;
        if record.score < self.limit {
            return false;
        }
        record.score = 0;
        record.banned = true;
        entry.banned_until = Some(now + self.ban);
        true
    }

    /// Ends the bans that are over.
    pub(crate) fn pardon(&mut self, now: Instant) {
        for entry in self.entries.values_mut() {
            if entry.banned_until.is_some_and(|until| until <= now) {
                entry.banned_until = None;
                entry.record.banned = false;
            }
        }
    }

    /// Who is refused.
    pub(crate) fn banned(&self) -> impl Iterator<Item = PublicKey> + '_ {
        self.entries.iter().filter(|(_, entry)| entry.record.banned).map(|(peer, _)| *peer)
    }

    /// Whether the peer is refused.
    pub(crate) fn is_banned(&self, peer: &PublicKey) -> bool {
        self.entries.get(peer).is_some_and(|entry| entry.record.banned)
    }

    /// Everybody's record.
    pub(crate) fn records(&self) -> Vec<(PublicKey, Record)> {
        self.entries.iter().map(|(peer, entry)| (*peer, entry.record)).collect()
    }

    fn forget_mildest(&mut self) {
        let mildest = self.entries.iter().min_by_key(|(_, e)| (e.record.banned, e.record.score));
        if let Some(peer) = mildest.map(|(peer, _)| *peer) {
            self.entries.remove(&peer);
        }
    }
}

impl Entry {
    fn decay(&mut self, decay: Duration, now: Instant) {
        let since = *self.decayed.get_or_insert(now);
        let forgiven = now.saturating_duration_since(since).as_nanos() / decay.as_nanos().max(1);
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        if self.record.score == 0 || forgiven >= self.record.score {
            self.record.score = 0;
            self.decayed = Some(now);
        } else {
            self.record.score -= forgiven;
            self.decayed = Some(since + decay * forgiven);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u16) -> PublicKey {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        PublicKey(bytes)
    }

    fn offences() -> Offences {
        let config = Config {
            offence_limit: 3,
            offence_decay_ms: 1_000,
            ban_ms: 5_000,
            ..Config::default()
        };
        Offences::new(&config)
    }

    #[test]
    fn the_limit_bans_for_a_while() {
        let (mut offences, now) = (offences(), Instant::now());
        assert!(!offences.count(peer(1), Offence::Malformed, now));
        assert!(!offences.count(peer(1), Offence::Oversized, now));
        assert!(offences.count(peer(1), Offence::Malformed, now));
        assert!(offences.is_banned(&peer(1)) && !offences.is_banned(&peer(2)));
        assert!(!offences.count(peer(1), Offence::Malformed, now), "banned once");
        offences.pardon(now + Duration::from_millis(4_999));
        assert_eq!(offences.banned().collect::<Vec<_>>(), [peer(1)]);
        offences.pardon(now + Duration::from_millis(5_000));
        assert!(!offences.is_banned(&peer(1)));
        let (_, record) = offences.records()[0];
        assert_eq!((record.malformed, record.oversized, record.score), (3, 1, 0));
    }

    #[test]
    fn rare_offences_are_forgiven() {
        let (mut offences, start) = (offences(), Instant::now());
        for n in 0..50 {
            let now = start + Duration::from_millis(1_000) * n;
            assert!(!offences.count(peer(1), Offence::BadContent, now));
        }
        assert_eq!(offences.records()[0].1.bad_content, 50);
    }

    #[test]
    fn records_are_bounded_and_the_worst_stay() {
        let (mut offences, now) = (offences(), Instant::now());
        for _ in 0..3 {
            offences.count(peer(0), Offence::Malformed, now);
        }
        for n in 1..=u16::try_from(MAX_RECORDS).expect("a small number") {
            offences.count(peer(n), Offence::Malformed, now);
        }
        assert_eq!(offences.records().len(), MAX_RECORDS);
        assert!(offences.is_banned(&peer(0)));
    }
}
