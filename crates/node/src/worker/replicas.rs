//! What the worker remembers of each replica: expected, committed, revealed.

use super::{Oath, Sworn};
use identity::{Digest, PublicKey};
use objects::Cid;
use protocol::{
    Attempt, CommitBatch, Commitment, Job, JobId, Member, Outcome, Reveal, RevealBatch, Roster,
    Salt, TaskIndex, Time, commitment_of, set_digest,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    sync::Arc,
};
use tokio::sync::oneshot;

/// Names a replica.
pub(super) type Place = (JobId, TaskIndex, Attempt);

enum Slot {
    /// Waits for its turn or runs.
    Expected(Expected),
    /// Has an outcome.
    Ran(Box<Ran>),
}

struct Expected {
    /// Who asked for it last.
    home: PublicKey,
    /// Dropped with this, and so whoever runs it learns that nobody needs it any more.
    running: Option<oneshot::Sender<Infallible>>,
}

struct Ran {
    home: PublicKey,
    /// How many must agree.
    needed: u16,
    /// When the job expires.
    expires: Time,
    outcome: Outcome,
    salt: Salt,
    blocks: Vec<Cid>,
    committed: Option<Arc<CommitBatch>>,
    revealed: Option<Arc<Revealed>>,
}

/// Reveals as they were first said.
pub(crate) struct Revealed {
    pub(crate) batch: RevealBatch,
    pub(super) outcomes: Vec<Outcome>,
}

/// What a shown set asks for.
pub(super) enum Opening {
    /// To be revealed now, and the blocks that are public from then on.
    New { reveal: Reveal, outcome: Box<Outcome>, blocks: Vec<Cid> },
    /// Was revealed: say the same again.
    Repeated(Arc<Revealed>),
}

/// All replicas that the homes have not closed.
pub(super) struct Replicas {
    me: PublicKey,
    slots: BTreeMap<Place, Slot>,
    sworn: Arc<Sworn>,
}

impl Replicas {
    /// None yet; what is committed to is remembered there.
    pub(super) fn new(me: PublicKey, sworn: Arc<Sworn>) -> Self {
        Self { me, slots: BTreeMap::new(), sworn }
    }

    /// `None` if the replica is new; the batch with its commitment if it has one. Whoever asks for it
    /// is who is answered from now on.
    pub(super) fn known(
        &mut self,
        place: &Place,
        from: PublicKey,
    ) -> Option<Option<Arc<CommitBatch>>> {
        self.slots.get_mut(place).map(|slot| match slot {
            Slot::Expected(expected) => {
                expected.home = from;
                None
            }
            Slot::Ran(ran) => {
                ran.home = from;
                ran.committed.clone()
            }
        })
    }

    pub(super) fn expect_result(&mut self, place: Place, home: PublicKey) {
        self.slots.entry(place).or_insert(Slot::Expected(Expected { home, running: None }));
    }

    /// A replica begins to run, if it is expected. What this gives ends when its home needs it no
    /// more.
    pub(super) fn begin(&mut self, place: &Place) -> Option<oneshot::Receiver<Infallible>> {
        let Some(Slot::Expected(expected)) = self.slots.get_mut(place) else { return None };
        let (running, needed) = oneshot::channel();
        expected.running = Some(running);
        Some(needed)
    }

    /// Forgets a replica that has no outcome, and gives whoever asked for it last.
    pub(super) fn forget(&mut self, place: &Place) -> Option<PublicKey> {
        match self.slots.remove(place)? {
            Slot::Expected(expected) => Some(expected.home),
            Slot::Ran(ran) => Some(ran.home),
        }
    }

    /// Keeps an outcome and gives what to commit to, and before whom, or the blocks back if the replica was closed
    /// meanwhile, or has an outcome already: what was said of that one stands.
    pub(super) fn ran(
        &mut self,
        place: &Place,
        order: &Job,
        outcome: Outcome,
        salt: Salt,
        blocks: Vec<Cid>,
    ) -> Result<(PublicKey, Commitment), Vec<Cid>> {
        let slot = self.slots.get_mut(place);
        let Some(slot @ Slot::Expected(_)) = slot else { return Err(blocks) };
        let home = match slot {
            Slot::Expected(expected) => expected.home,
            Slot::Ran(ran) => ran.home,
        };
        let hidden = commitment_of(&self.me, &salt, &outcome.digest());
        let (needed, expires) = (order.verification.k, order.expires);
        let ran =
            Ran { home, needed, expires, outcome, salt, blocks, committed: None, revealed: None };
        *slot = Slot::Ran(Box::new(ran));
        Ok((home, Commitment { task: place.1, attempt: place.2, hidden }))
    }

    /// Remembers under which signature commitments were given.
    pub(super) fn committed(&mut self, batch: &Arc<CommitBatch>) {
        let job = batch.statement.payload.job;
        for leaf in &batch.leaves {
            if let Some(Slot::Ran(ran)) = self.slots.get_mut(&(job, leaf.task, leaf.attempt)) {
                ran.committed = Some(batch.clone());
                let oath = Oath {
                    attempt: leaf.attempt,
                    outcome: ran.outcome.digest(),
                    salt: ran.salt,
                    expires: ran.expires,
                    commit: batch.clone(),
                    revealed: None,
                };
                self.sworn.committed((job, leaf.task), oath);
            }
        }
    }

    /// Remembers in which batch reveals were said.
    pub(super) fn revealed(&mut self, revealed: &Arc<Revealed>) {
        let job = revealed.batch.statement.payload.job;
        for leaf in &revealed.batch.leaves {
            if let Some(Slot::Ran(ran)) = self.slots.get_mut(&(job, leaf.task, leaf.attempt)) {
                ran.revealed = Some(revealed.clone());
                self.sworn.revealed(&(job, leaf.task), revealed);
            }
        }
    }

    /// Opens a commitment that stands in a complete set: at least as many members as must agree.
    /// `None` if there is nothing to open.
    pub(super) fn open(
        &self,
        acts_for: impl Fn(&PublicKey) -> bool,
        place: &Place,
        hidden: &Digest,
        members: &[Member],
    ) -> Option<Opening> {
        let Some(Slot::Ran(ran)) = self.slots.get(place) else { return None };
        let outcome = ran.outcome.digest();
        let complete = members.len() >= usize::from(ran.needed);
        if !complete
            || !acts_for(&ran.home)
            || commitment_of(&self.me, &ran.salt, &outcome) != *hidden
        {
            return None;
        }
        if let Some(revealed) = &ran.revealed {
            return Some(Opening::Repeated(revealed.clone()));
        }
        let set = set_digest(&place.0, place.1, members);
        let reveal = Reveal { task: place.1, attempt: place.2, set, outcome, salt: ran.salt };
        let outcome = Box::new(ran.outcome.clone());
        Some(Opening::New { reveal, outcome, blocks: ran.blocks.clone() })
    }

    /// Forgets what the home needs no more, and gives the blocks that were written for it.
    pub(super) fn close(
        &mut self,
        acts_for: impl Fn(&PublicKey) -> bool,
        job: &JobId,
        tasks: &[TaskIndex],
    ) -> Vec<Cid> {
        let mut blocks = Vec::new();
        for task in tasks {
            let all = (*job, *task, Attempt(0))..=(*job, *task, Attempt(u16::MAX));
            let places: Vec<_> = self.slots.range(all).map(|(place, _)| *place).collect();
            for place in places {
                let home = match &self.slots[&place] {
                    Slot::Expected(expected) => expected.home,
                    Slot::Ran(ran) => ran.home,
                };
                if !acts_for(&home) {
                    continue;
                }
                if let Some(Slot::Ran(ran)) = self.slots.remove(&place) {
                    blocks.extend(ran.blocks);
                }
            }
        }
        blocks
    }
}

/// The commitments that a home has shown.
pub(super) struct Shown(HashMap<(TaskIndex, Attempt), (PublicKey, Digest)>);

impl Shown {
    pub(super) fn new(commits: &[CommitBatch]) -> Self {
        let leaves = commits.iter().flat_map(|batch| {
            let by = batch.statement.by;
            batch.leaves.iter().map(move |leaf| ((leaf.task, leaf.attempt), (by, leaf.hidden)))
        });
        Self(leaves.collect())
    }

    /// Whether every member of a set is a commitment that was shown, each once, in order, and all
    /// are of different parties.
    pub(super) fn holds(&self, task: TaskIndex, members: &[Member], roster: &Roster) -> bool {
        // A node that was admitted a moment ago may not be known here yet: it is its own party.
        let party = |member: &Member| roster.party_of_node(&member.node).unwrap_or(member.node);
        let parties: BTreeSet<_> = members.iter().map(party).collect();
        !members.is_empty()
            && parties.len() == members.len()
            && members.windows(2).all(|pair| pair[0].attempt < pair[1].attempt)
            && members.iter().all(|member| {
                self.0.get(&(task, member.attempt)) == Some(&(member.node, member.hidden))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{NetworkId, SecretKey};
    use objects::Codec;

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed([n; 32])
    }

    fn member(node: u8, attempt: u16) -> Member {
        let hidden = Digest([node; 32]);
        Member { node: key(node).public(), attempt: Attempt(attempt), hidden }
    }

    /// What nodes 1 and 2 committed to for task 0.
    fn shown() -> Shown {
        let job = JobId(Cid::of(Codec::Raw, b"job"));
        let batch = |node: u8, attempt: u16| {
            let Member { attempt, hidden, .. } = member(node, attempt);
            let leaf = Commitment { task: TaskIndex(0), attempt, hidden };
            CommitBatch::sign(job, vec![leaf], NetworkId::FOUNDING, &key(node))
        };
        Shown::new(&[batch(1, 0), batch(2, 1)])
    }

    #[test]
    fn a_set_holds_only_commitments_that_were_shown_each_once_in_order() {
        let (shown, roster) = (shown(), Roster::default());
        let holds = |members: &[Member]| shown.holds(TaskIndex(0), members, &roster);
        assert!(holds(&[member(1, 0), member(2, 1)]));
        assert!(!holds(&[]));
        assert!(!holds(&[member(2, 1), member(1, 0)]), "out of order");
        assert!(!holds(&[member(1, 0), member(1, 0)]), "twice");
        assert!(!holds(&[member(1, 0), member(3, 1)]), "another node's place");
        assert!(!holds(&[member(1, 0), member(2, 2)]), "never shown");
        let other = Member { hidden: Digest([9; 32]), ..member(2, 1) };
        assert!(!holds(&[member(1, 0), other]), "another commitment");
        assert!(!shown.holds(TaskIndex(1), &[member(1, 0)], &roster), "another task");
    }

    #[test]
    fn two_machines_of_one_owner_do_not_make_a_set() {
        let mut roster = Roster::default();
        for node in [1, 2] {
            let (owner, since) = (key(50).public(), protocol::Height(0));
            roster.set_node(key(node).public(), protocol::NodeRecord { owner, since });
        }
        assert!(!shown().holds(TaskIndex(0), &[member(1, 0), member(2, 1)], &roster));
    }

    #[test]
    fn a_replica_that_runs_ends_when_its_home_closes_it_and_for_nobody_else() {
        let (home, other) = (key(1).public(), key(2).public());
        let mut replicas = Replicas::new(key(9).public(), Arc::new(Sworn::default()));
        let (job, task) = (JobId(Cid::of(Codec::Raw, b"job")), TaskIndex(0));
        let place = (job, task, Attempt(0));
        assert!(replicas.begin(&place).is_none(), "nobody asked for it");
        replicas.expect_result(place, home);
        let mut needed = replicas.begin(&place).expect("it was asked for");
        let is_over = |needed: &mut oneshot::Receiver<Infallible>| {
            matches!(needed.try_recv(), Err(oneshot::error::TryRecvError::Closed))
        };
        replicas.close(|by| *by == other, &job, &[task]);
        assert!(!is_over(&mut needed));
        replicas.close(|by| *by == home, &job, &[task]);
        assert!(is_over(&mut needed));
        assert!(replicas.begin(&place).is_none(), "it is not needed any more");
    }
}
