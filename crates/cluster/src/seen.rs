//! What was seen of other members: a copy of one, or one whose disk is older than what it said
//! before, is not listened to.

use crate::{
    engine::{LogId, Vote},
    lock::lock,
    wire::Standing,
};
use identity::PublicKey;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

/// Members that are remembered, at most; as many as a cluster has.
const MEMBERS: usize = 1_024;
/// Lives of one member that are remembered.
const LIVES: usize = 8;

/// What is wrong with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// Two processes speak with its key.
    Twice,
    /// It has forgotten a vote that it gave.
    OldVote { said: u64, says: u64 },
    /// It has forgotten entries that it had made durable.
    OldLog { said: u64, says: u64 },
}

const WAY_OUT: &str = "its disk is older than it is; remove it (polity cluster remove), and let it \
                       join again with an empty directory";

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Twice => f.write_str(
                "two processes speak with its key: a copy of its directory runs elsewhere; stop one \
                 of them, and give each machine a key of its own",
            ),
            Self::OldVote { said, says } => {
                write!(f, "it voted in term {said} and knows of term {says} only: {WAY_OUT}")
            }
            Self::OldLog { said, says } => {
                write!(f, "it had entry {said} and has {says} only: {WAY_OUT}")
            }
        }
    }
}

#[derive(Default)]
struct Known {
    now: Done,
    /// What it had done before its latest process began. A process forgets nothing, and what it says
    /// on two streams may come in any order: only a later one can be older than an earlier one was.
    before: Done,
    /// Its processes, the latest last.
    lives: Vec<u64>,
}

/// What a member is known to have made durable.
#[derive(Clone, Copy, Default)]
struct Done {
    /// The latest term that it knew of.
    term: u64,
    /// The last entry, for the leader with this vote.
    acked: Option<(Vote, LogId)>,
}

/// What each member said last.
#[derive(Default)]
pub(crate) struct Seen(Mutex<BTreeMap<PublicKey, Known>>);

impl Seen {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, Known>> {
        // Nothing that holds it can panic half way through a change.
        lock(&self.0)
    }

    /// A member made entries durable for the leader with this vote.
    pub(crate) fn acked(&self, member: PublicKey, vote: Vote, last: Option<LogId>) {
        let mut all = self.lock();
        let (Some(last), Some(known)) = (last, all.get_mut(&member)) else { return };
        match &mut known.now.acked {
            Some((by, id)) if *by == vote => *id = last.max(*id),
            other => *other = Some((vote, last)),
        }
    }

    /// Looks at what a member says of itself, where this node voted like that last.
    ///
    /// # Errors
    /// Why it must not be listened to.
    pub(crate) fn check(
        &self,
        member: PublicKey,
        standing: &Standing,
        vote: Option<Vote>,
    ) -> Result<(), Odd> {
        let mut all = self.lock();
        if !all.contains_key(&member) && all.len() >= MEMBERS {
            return Ok(());
        }
        let known = all.entry(member).or_default();
        match known.lives.iter().position(|life| *life == standing.life) {
            Some(at) if at + 1 < known.lives.len() => return Err(Odd::Twice),
            Some(_) => {}
            None => {
                if known.lives.len() == LIVES {
                    known.lives.remove(0);
                }
                known.lives.push(standing.life);
                known.before = known.now;
            }
        }
        let before = known.before;
        if standing.term < before.term {
            return Err(Odd::OldVote { said: before.term, says: standing.term });
        }
        known.now.term = known.now.term.max(standing.term);
        // Under another leader what was not agreed on may have been replaced.
        let acked = before.acked.filter(|(by, _)| Some(*by) == vote).map(|(_, id)| id);
        let last = standing.last.map(LogId::from);
        match acked {
            Some(acked) if last < Some(acked) => {
                let says = last.map_or(0, |id| id.index);
                Err(Odd::OldLog { said: acked.index, says })
            }
            _ => Ok(()),
        }
    }

    /// A member was removed: when it comes again it may have an empty disk.
    pub(crate) fn forget(&self, member: &PublicKey) {
        self.lock().remove(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{LeaderId, Member};

    const MEMBER: PublicKey = PublicKey([1; 32]);

    fn says(life: u64, term: u64) -> Standing {
        Standing { life, term, last: None }
    }

    fn check(seen: &Seen, life: u64, term: u64) -> Result<(), Odd> {
        seen.check(MEMBER, &says(life, term), None)
    }

    #[test]
    fn a_restart_is_nothing_odd() {
        let seen = Seen::default();
        for (life, term) in [(1, 3), (1, 4), (2, 4), (3, 9)] {
            assert_eq!(check(&seen, life, term), Ok(()));
        }
    }

    #[test]
    fn a_copy_is_found_when_the_first_speaks_again() {
        let seen = Seen::default();
        assert_eq!(check(&seen, 1, 3), Ok(()));
        assert_eq!(check(&seen, 2, 3), Ok(()));
        assert_eq!(check(&seen, 1, 3), Err(Odd::Twice));
    }

    #[test]
    fn a_forgotten_vote_is_an_old_disk_until_the_member_was_removed() {
        let seen = Seen::default();
        assert_eq!(check(&seen, 1, 7), Ok(()));
        assert_eq!(check(&seen, 2, 5), Err(Odd::OldVote { said: 7, says: 5 }));
        seen.forget(&MEMBER);
        assert_eq!(check(&seen, 3, 0), Ok(()));
    }

    #[test]
    fn a_forgotten_entry_is_an_old_disk_as_long_as_the_leader_is_the_same() {
        let seen = Seen::default();
        let vote = |term| Vote {
            leader_id: LeaderId { term, node_id: Member(PublicKey([9; 32])) },
            committed: true,
        };
        let at = |index| LogId { leader_id: vote(3).leader_id, index };
        let has = |life, index| Standing { life, term: 3, last: Some(at(index).into()) };
        assert_eq!(seen.check(MEMBER, &has(1, 5), Some(vote(3))), Ok(()));
        seen.acked(MEMBER, vote(3), Some(at(8)));
        seen.acked(MEMBER, vote(3), Some(at(6)));
        let odd = Odd::OldLog { said: 8, says: 7 };
        assert_eq!(seen.check(MEMBER, &has(2, 7), Some(vote(3))), Err(odd));
        assert_eq!(seen.check(MEMBER, &has(2, 7), Some(vote(3))), Err(odd), "it stays odd");
        assert_eq!(seen.check(MEMBER, &has(2, 8), Some(vote(3))), Ok(()));
        assert_eq!(seen.check(MEMBER, &has(2, 7), Some(vote(4))), Ok(()));
    }

    #[test]
    fn what_one_process_says_may_come_late() {
        let seen = Seen::default();
        let leader_id = LeaderId { term: 4, node_id: Member(PublicKey([9; 32])) };
        let vote = Vote { leader_id, committed: true };
        let at = |index| LogId { leader_id, index };
        let says = |term, index| Standing { life: 1, term, last: Some(at(index).into()) };
        assert_eq!(seen.check(MEMBER, &says(4, 5), Some(vote)), Ok(()));
        seen.acked(MEMBER, vote, Some(at(9)));
        assert_eq!(seen.check(MEMBER, &says(4, 7), Some(vote)), Ok(()));
        assert_eq!(seen.check(MEMBER, &says(3, 7), Some(vote)), Ok(()));
    }
}
