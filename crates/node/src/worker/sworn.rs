//! What this node committed to, until the task is final or its job has expired: so that it notices
//! when something else becomes final.

use super::replicas::Revealed;
use identity::PublicKey;
use protocol::{
    Attempt, Claim, CommitBatch, JobId, Member, OutcomeDigest, Reveal, RevealBatch, Salt,
    TaskIndex, Time, set_digest,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// Outcomes that are remembered. Beyond it the one that expires first is forgotten.
const REMEMBERED: usize = 100_000;

type Place = (JobId, TaskIndex);

/// What this node said about a task.
#[derive(Clone)]
pub(crate) struct Oath {
    pub(crate) attempt: Attempt,
    pub(crate) outcome: OutcomeDigest,
    pub(crate) salt: Salt,
    /// When the job expires.
    pub(crate) expires: Time,
    pub(crate) commit: Arc<CommitBatch>,
    pub(crate) revealed: Option<Arc<Revealed>>,
}

impl Oath {
    /// The claim of this node: its commitment, and its reveal. One that was never asked to reveal
    /// does so now, to a set of its own commitment alone.
    pub(crate) fn claim(
        &self,
        (job, task): Place,
        network: identity::NetworkId,
        key: &identity::SecretKey,
    ) -> Option<Claim> {
        let commit = self.commit.quote(task, self.attempt)?;
        if let Some(revealed) = &self.revealed {
            let reveal = revealed.batch.quote(task, self.attempt)?;
            return Some(Claim { commit, reveal });
        }
        let node: PublicKey = key.public();
        let alone = Member { node, attempt: self.attempt, hidden: commit.leaf.hidden };
        let (attempt, outcome, salt) = (self.attempt, self.outcome, self.salt);
        let set = set_digest(&job, task, &[alone]);
        let leaf = Reveal { task, attempt, set, outcome, salt };
        let reveal = RevealBatch::sign(job, vec![leaf], network, key).quote(task, attempt)?;
        Some(Claim { commit, reveal })
    }
}

/// All that this node committed to. Lost when it restarts.
#[derive(Default)]
pub(crate) struct Sworn {
    oaths: Mutex<Oaths>,
}

#[derive(Default)]
struct Oaths {
    by_place: BTreeMap<Place, Oath>,
    by_expiry: BTreeMap<(Time, Place), ()>,
}

impl Sworn {
    /// This node committed.
    pub(crate) fn committed(&self, place: Place, oath: Oath) {
        let mut oaths = self.lock();
        oaths.forget(&place);
        oaths.by_expiry.insert((oath.expires, place), ());
        oaths.by_place.insert(place, oath);
        if oaths.by_place.len() > REMEMBERED
            && let Some(((_, first), ())) = oaths.by_expiry.pop_first()
        {
            oaths.by_place.remove(&first);
        }
    }

    /// It revealed.
    pub(crate) fn revealed(&self, place: &Place, revealed: &Arc<Revealed>) {
        if let Some(oath) = self.lock().by_place.get_mut(place) {
            oath.revealed = Some(revealed.clone());
        }
    }

    /// What it said about a task that is final now: it is not remembered any longer.
    pub(crate) fn take(&self, place: &Place) -> Option<Oath> {
        self.lock().forget(place)
    }

    /// Forgets what was said about jobs that expired before `time`.
    pub(crate) fn prune(&self, time: Time) {
        let mut oaths = self.lock();
        while let Some(((expires, place), ())) = oaths.by_expiry.pop_first() {
            if expires >= time {
                oaths.by_expiry.insert((expires, place), ());
                return;
            }
            oaths.by_place.remove(&place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Oaths> {
        self.oaths.lock().expect("nobody panics while holding the oaths")
    }
}

impl Oaths {
    fn forget(&mut self, place: &Place) -> Option<Oath> {
        let oath = self.by_place.remove(place)?;
        self.by_expiry.remove(&(oath.expires, *place));
        Some(oath)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::{NetworkId, SecretKey};
    use objects::{Cid, Codec};
    use protocol::{Commitment, commitment_of};

    const TASK: TaskIndex = TaskIndex(3);

    fn job(n: u8) -> JobId {
        JobId(Cid::of(Codec::Raw, &[n]))
    }

    fn oath(job: JobId, expires: u64) -> Oath {
        let (attempt, salt) = (Attempt(1), Salt([7; 16]));
        let outcome = OutcomeDigest(identity::Digest([9; 32]));
        let key = SecretKey::from_seed([1; 32]);
        let hidden = commitment_of(&key.public(), &salt, &outcome);
        let leaf = Commitment { task: TASK, attempt, hidden };
        let batch = CommitBatch::sign(job, vec![leaf], NetworkId::FOUNDING, &key);
        let (commit, expires) = (Arc::new(batch), Time(expires));
        Oath { attempt, outcome, salt, expires, commit, revealed: None }
    }

    #[test]
    fn a_node_that_never_revealed_can_still_claim_what_it_committed_to() {
        let key = SecretKey::from_seed([1; 32]);
        let oath = oath(job(1), 10);
        let claim = oath.claim((job(1), TASK), NetworkId::FOUNDING, &key).unwrap();
        assert_eq!(claim.check(&job(1), TASK, NetworkId::FOUNDING), Ok(oath.outcome));
        assert_eq!(claim.node(), key.public());
        assert!(oath.claim((job(1), TaskIndex(4)), NetworkId::FOUNDING, &key).is_none());
    }

    #[test]
    fn oaths_are_forgotten_once_they_were_asked_for_or_have_expired() {
        let sworn = Sworn::default();
        for (n, expires) in [(1, 10), (2, 20), (3, 30)] {
            sworn.committed((job(n), TASK), oath(job(n), expires));
        }
        assert!(sworn.take(&(job(2), TASK)).is_some());
        assert!(sworn.take(&(job(2), TASK)).is_none());
        sworn.prune(Time(11));
        assert!(sworn.take(&(job(1), TASK)).is_none());
        assert!(sworn.take(&(job(3), TASK)).is_some());
        assert!(sworn.lock().by_expiry.is_empty());
    }
}
