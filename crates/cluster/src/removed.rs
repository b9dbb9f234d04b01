//! The nodes that were taken out of a cluster, and are not let in again before somebody says so.

use crate::{
    Error,
    engine::{Command, Member, Membership, Payload},
    record::{self, Kept},
};
use identity::PublicKey;
use protocol::port::Log;
use serde::{Deserialize, Serialize};

/// Nodes that are remembered; the one that was removed first is forgotten first.
const REMEMBERED: usize = 1_024;
/// Entries that are read at a time.
const CHUNK: u64 = 64;

/// They follow from the log alone, so that all members know the same.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Removed(Vec<PublicKey>);

impl Removed {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, node: &PublicKey) -> bool {
        self.0.contains(node)
    }

    /// A node is not let in, or may be let in again.
    pub(crate) fn set(&mut self, node: PublicKey, removed: bool) {
        self.0.retain(|other| *other != node);
        if removed {
            self.0.push(node);
            let surplus = self.0.len().saturating_sub(REMEMBERED);
            self.0.drain(..surplus);
        }
    }

    /// Those that were removed by the end of a log, behind a snapshot of it. What a majority has is not
    /// known when a node begins, and it must not listen to them until it is.
    pub(crate) async fn in_log(log: &dyn Log, snapshot: Option<Kept>) -> Result<Self, Error> {
        let range = log.range();
        let mut next = range.start;
        let (mut removed, mut members) = (Self::default(), Membership::default());
        if let Some(kept) = snapshot {
            next = next.max(kept.applied.map_or(0, |at| at.index + 1));
            (removed, members) = (kept.removed, kept.members.membership().clone());
        }
        while next < range.end {
            let end = range.end.min(next + CHUNK);
            for (index, bytes) in (next..end).zip(log.read(next..end).await?) {
                match record::entry_of(index, &bytes)?.payload {
                    Payload::Membership(changed) => {
                        removed.change(&members, &changed);
                        members = changed;
                    }
                    Payload::Normal(Command::Removed { node, removed: is }) => {
                        removed.set(node, is)
                    }
                    Payload::Normal(Command::Input { .. }) | Payload::Blank => {}
                }
            }
            next = end;
        }
        Ok(removed)
    }

    /// The cluster has other members from now on.
    pub(crate) fn change(&mut self, from: &Membership, to: &Membership) {
        self.0.retain(|node| to.get_node(&Member(*node)).is_none());
        for (member, _) in from.nodes() {
            if to.get_node(member).is_none() {
                self.set(member.0, true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn key(n: u64) -> PublicKey {
        Member::from(n).0
    }

    fn members(all: &[u64]) -> Membership {
        let voters: BTreeSet<_> = all.iter().copied().map(Member::from).collect();
        Membership::new_with_defaults(vec![voters], [])
    }

    #[test]
    fn who_is_a_member_no_more_is_removed_until_it_may_come_again() {
        let mut removed = Removed::default();
        removed.change(&members(&[1, 2, 3]), &members(&[1, 3]));
        assert_eq!([1, 2, 3].map(|n| removed.has(&key(n))), [false, true, false]);
        removed.set(key(2), false);
        assert!(removed.is_empty());
        removed.change(&members(&[1, 3]), &members(&[1]));
        removed.change(&members(&[1]), &members(&[1, 3]));
        assert!(removed.is_empty(), "a member is not removed");
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let mut removed = Removed::default();
        for n in 0..=REMEMBERED as u64 {
            removed.set(key(n), true);
        }
        assert_eq!(removed.0.len(), REMEMBERED);
        assert!(!removed.has(&key(0)) && removed.has(&key(1)));
    }
}
