//! What goes on the ledger when tasks are agreed on.
//!
//! One transaction settles many tasks of one job. It holds everything that validators can check:
//! the order, the batches of commitments and reveals whole (so that one signature covers many
//! tasks), and for each task who was skipped and which sets were shown.

use crate::{
    Attempt, Commitment, Commits, Error, Height, Job, JobId, Member, OutcomeDigest, Placement,
    Reveal, Reveals, TaskIndex, commitment_of, draw::Skip, limits, merkle, set_digest, together,
};
use identity::{AtOnce, Batch, Digest, NetworkId, Notary, PublicKey, Signed, canonical};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Commitments of one node under one signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitBatch {
    /// The signed root.
    pub statement: Signed<Commits>,
    /// The leaves, sorted by task and attempt, all different.
    pub leaves: Vec<Commitment>,
}

/// Reveals of one node under one signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealBatch {
    /// The signed root.
    pub statement: Signed<Reveals>,
    /// The leaves, sorted by task and attempt, all different.
    pub leaves: Vec<Reveal>,
}

/// Why agreements were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// A batch is empty, too large, out of order, or not what its signature covers.
    #[error("a batch of {by:?} is not what its signature covers")]
    Batch {
        /// Who is said to have signed.
        by: PublicKey,
    },
    /// A batch of another job.
    #[error("a batch of {by:?} belongs to another job")]
    OtherJob {
        /// Who signed.
        by: PublicKey,
    },
    /// Two different statements about one replica.
    #[error("task {task}: {by:?} speaks twice about attempt {attempt}")]
    Twice {
        /// The task.
        task: TaskIndex,
        /// The replica.
        attempt: Attempt,
        /// Who signed.
        by: PublicKey,
    },
    /// A reveal without a commitment, or one that does not open it.
    #[error("task {task}: the reveal of {by:?} does not open its commitment")]
    Opening {
        /// The task.
        task: TaskIndex,
        /// Who signed.
        by: PublicKey,
    },
    /// A reveal that names a set which was not shown, or which lacks its own commitment.
    #[error("task {task}: the reveal of {by:?} names a set without its own commitment")]
    Set {
        /// The task.
        task: TaskIndex,
        /// Who signed.
        by: PublicKey,
    },
    /// Replicas that revealed something else.
    #[error("task {task}: {by:?} revealed another outcome")]
    Dissent {
        /// The task.
        task: TaskIndex,
        /// Who signed.
        by: PublicKey,
    },
    /// Said to have been first by score, and no executor.
    #[error("task {task}: {by:?} is said to have been first, and did not run it")]
    First {
        /// The task.
        task: TaskIndex,
        /// Who was said to be first.
        by: PublicKey,
    },
    /// A replica given by score, of a job of which all are drawn.
    #[error("task {task}: the job is sealed, all its replicas are drawn")]
    Sealed {
        /// The task.
        task: TaskIndex,
    },
    /// Fewer agreeing replicas than the job asks for.
    #[error("task {task}: {got} replicas agree, {needed} must")]
    TooFew {
        /// The task.
        task: TaskIndex,
        /// How many agree.
        got: usize,
        /// How many must.
        needed: u16,
    },
    /// Tasks out of order, repeated, or not of this job; or none at all.
    #[error("the list of tasks is empty, out of order, or leaves the job's table")]
    Tasks,
}

/// One task that was agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreed {
    /// The task.
    pub task: TaskIndex,
    /// What it gave.
    pub outcome: OutcomeDigest,
    /// The sets of commitments that were shown, each as attempts in order. Most tasks have one.
    pub sets: Vec<Vec<Attempt>>,
    /// Candidates of the draw that were passed over, sorted by node.
    pub skipped: Vec<Skip>,
    /// A verdict of the validators found this outcome, and fewer replicas than the job asks for are
    /// left that claim it. One is enough then; the ledger holds the verdict.
    pub decided: bool,
    /// The executor that was given the first replica by score, if one was: all others are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<PublicKey>,
}

/// A task whose agreement holds, as far as that can be seen without the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The task.
    pub task: TaskIndex,
    /// What it gave.
    pub outcome: OutcomeDigest,
    /// The nodes that revealed it, in the order of their attempts, all different.
    pub executors: Vec<PublicKey>,
    /// Candidates that were passed over.
    pub skipped: Vec<Skip>,
    /// Whether it rests on a verdict instead of on enough replicas.
    pub decided: bool,
    /// The executor that was given the first replica by score, if one was.
    pub first: Option<PublicKey>,
}

/// Agreed tasks of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreements {
    /// The job, signed by its submitter.
    pub order: Signed<Job>,
    /// Height of the block whose beacon drew the executors.
    pub drawn: Height,
    /// Batches that hold the commitments, sorted by root.
    pub commits: Vec<CommitBatch>,
    /// Batches that hold the reveals, sorted by root.
    pub reveals: Vec<RevealBatch>,
    /// The tasks, sorted, all different.
    pub tasks: Vec<Agreed>,
}

impl CommitBatch {
    /// Checks signature, root, bounds and order.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, job: &JobId, network: NetworkId) -> Result<(), Error> {
        self.check_by(job, network, &mut AtOnce)
    }

    /// As [`Self::check`]; the signature is the notary's.
    pub(crate) fn check_by(
        &self,
        job: &JobId,
        network: NetworkId,
        notary: &mut impl Notary,
    ) -> Result<(), Error> {
        let Signed { payload, by, .. } = &self.statement;
        notary.see(&self.statement, network)?;
        let places: Vec<_> = self.leaves.iter().map(|l| (l.task, l.attempt)).collect();
        check_batch(*by, (&payload.job, job), payload.count, &places)?;
        check_root(*by, payload.root, &self.leaves)
    }
}

impl RevealBatch {
    /// Checks signature, root, bounds and order.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, job: &JobId, network: NetworkId) -> Result<(), Error> {
        self.check_by(job, network, &mut AtOnce)
    }

    /// As [`Self::check`]; the signature is the notary's.
    pub(crate) fn check_by(
        &self,
        job: &JobId,
        network: NetworkId,
        notary: &mut impl Notary,
    ) -> Result<(), Error> {
        let Signed { payload, by, .. } = &self.statement;
        notary.see(&self.statement, network)?;
        let places: Vec<_> = self.leaves.iter().map(|l| (l.task, l.attempt)).collect();
        check_batch(*by, (&payload.job, job), payload.count, &places)?;
        check_root(*by, payload.root, &self.leaves)
    }
}

/// Checks batches of commitments of one job.
pub(crate) fn check_commits(
    batches: &[&CommitBatch],
    job: &JobId,
    network: NetworkId,
) -> Result<(), Error> {
    let queue = |one: &&CommitBatch, batch: &mut Batch| one.check_by(job, network, batch);
    together::check(batches, queue, |one| one.check(job, network))
}

/// Checks batches of reveals of one job.
pub(crate) fn check_reveals(
    batches: &[&RevealBatch],
    job: &JobId,
    network: NetworkId,
) -> Result<(), Error> {
    let queue = |one: &&RevealBatch, batch: &mut Batch| one.check_by(job, network, batch);
    together::check(batches, queue, |one| one.check(job, network))
}

fn check_batch(
    by: PublicKey,
    (named, job): (&JobId, &JobId),
    count: u32,
    places: &[(TaskIndex, Attempt)],
) -> Result<(), Error> {
    if named != job {
        return Err(AgreementError::OtherJob { by }.into());
    }
    let sorted = places.windows(2).all(|pair| pair[0] < pair[1]);
    let bounded = (1..=limits::BATCH_LEAVES).contains(&places.len());
    if sorted && bounded && count as usize == places.len() {
        Ok(())
    } else {
        Err(AgreementError::Batch { by }.into())
    }
}

fn check_root<L: Serialize>(by: PublicKey, root: Digest, leaves: &[L]) -> Result<(), Error> {
    let same = root_of(leaves) == root;
    if same { Ok(()) } else { Err(AgreementError::Batch { by }.into()) }
}

/// The root that [`Commits`] and [`Reveals`] sign.
pub(crate) fn root_of<L: Serialize>(leaves: &[L]) -> Digest {
    merkle::root(leaves.iter().map(canonical::encode))
}

/// What the batches say about each replica.
struct Spoken {
    /// Who committed for which task: one replica each.
    committed: BTreeSet<(TaskIndex, PublicKey)>,
    commitments: BTreeMap<(TaskIndex, Attempt), (PublicKey, Digest)>,
    reveals: BTreeMap<(TaskIndex, Attempt), (PublicKey, Reveal)>,
}

impl Agreements {
    /// Checks everything that can be seen without the ledger's state: signatures, roots, openings,
    /// sets, counts and order. Standing, draw, expiry and uniqueness are the ledger's.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self, network: NetworkId) -> Result<Vec<Settled>, Error> {
        let mut batch = Batch::default();
        let settled = self.check_by(network, &mut batch);
        // One by one only to say what does not hold.
        if settled.is_ok() && batch.holds() { settled } else { self.check_by(network, &mut AtOnce) }
    }

    /// As [`Self::check`]; the signatures are the notary's.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_by(
        &self,
        network: NetworkId,
        notary: &mut impl Notary,
    ) -> Result<Vec<Settled>, Error> {
        Job::check_by(&self.order, network, notary)?;
        let id = self.order.payload.id();
        for batch in &self.commits {
            batch.check_by(&id, network, notary)?;
        }
        for batch in &self.reveals {
            batch.check_by(&id, network, notary)?;
        }
        self.settled(&id)
    }

    /// The same, where the order and the batches are known to hold.
    pub(crate) fn settled(&self, id: &JobId) -> Result<Vec<Settled>, Error> {
        let spoken = self.collect()?;
        let sorted = self.tasks.windows(2).all(|pair| pair[0].task < pair[1].task);
        let inside = |agreed: &Agreed| agreed.task.0 < self.order.payload.tasks;
        if self.tasks.is_empty() || !sorted || !self.tasks.iter().all(inside) {
            return Err(AgreementError::Tasks.into());
        }
        self.tasks
            .iter()
            .map(|agreed| self.settle(agreed, id, &spoken).map_err(Error::from))
            .collect()
    }

    fn collect(&self) -> Result<Spoken, Error> {
        let mut spoken = Spoken {
            committed: BTreeSet::new(),
            commitments: BTreeMap::new(),
            reveals: BTreeMap::new(),
        };
        for batch in &self.commits {
            let by = batch.statement.by;
            for leaf in &batch.leaves {
                let at = (leaf.task, leaf.attempt);
                let again = !spoken.committed.insert((leaf.task, by));
                if spoken.commitments.insert(at, (by, leaf.hidden)).is_some() || again {
                    let (task, attempt) = at;
                    return Err(AgreementError::Twice { task, attempt, by }.into());
                }
            }
        }
        for batch in &self.reveals {
            let by = batch.statement.by;
            for leaf in &batch.leaves {
                let at = (leaf.task, leaf.attempt);
                if spoken.reveals.insert(at, (by, *leaf)).is_some() {
                    let (task, attempt) = at;
                    return Err(AgreementError::Twice { task, attempt, by }.into());
                }
            }
        }
        Ok(spoken)
    }

    fn settle(
        &self,
        agreed: &Agreed,
        id: &JobId,
        spoken: &Spoken,
    ) -> Result<Settled, AgreementError> {
        let task = agreed.task;
        let sets = self.sets_of(agreed, id, spoken)?;
        let of_task = (task, Attempt(0))..=(task, Attempt(u16::MAX));
        let mut executors = Vec::new();
        for ((_, attempt), (by, reveal)) in spoken.reveals.range(of_task) {
            let by = *by;
            if agreed.skipped.iter().any(|skip| skip.node == by) {
                continue;
            }
            let opened = spoken.commitments.get(&(task, *attempt)).is_some_and(|(who, hidden)| {
                *who == by && commitment_of(&by, &reveal.salt, &reveal.outcome) == *hidden
            });
            if !opened {
                return Err(AgreementError::Opening { task, by });
            }
            if !sets.get(&reveal.set).is_some_and(|attempts| attempts.contains(attempt)) {
                return Err(AgreementError::Set { task, by });
            }
            if reveal.outcome != agreed.outcome {
                return Err(AgreementError::Dissent { task, by });
            }
            executors.push(by);
        }
        let distinct: BTreeSet<_> = executors.iter().collect();
        let needed = if agreed.decided { 1 } else { self.order.payload.verification.k };
        if distinct.len() != executors.len() || executors.len() < usize::from(needed) {
            return Err(AgreementError::TooFew { task, got: distinct.len(), needed });
        }
        self.check_first(agreed, &executors)?;
        let skipped = agreed.skipped.clone();
        let (outcome, decided, first) = (agreed.outcome, agreed.decided, agreed.first);
        Ok(Settled { task, outcome, executors, skipped, decided, first })
    }

    /// Who was first by score ran the task, and was not passed over; of a sealed job nobody is.
    fn check_first(&self, agreed: &Agreed, executors: &[PublicKey]) -> Result<(), AgreementError> {
        let task = agreed.task;
        match agreed.first {
            Some(_) if self.order.payload.placement == Placement::Sealed => {
                Err(AgreementError::Sealed { task })
            }
            Some(by) if !executors.contains(&by) => Err(AgreementError::First { task, by }),
            _ => Ok(()),
        }
    }

    /// The sets that were shown for a task, by their digests.
    fn sets_of<'a>(
        &self,
        agreed: &'a Agreed,
        id: &JobId,
        spoken: &Spoken,
    ) -> Result<BTreeMap<Digest, &'a Vec<Attempt>>, AgreementError> {
        let task = agreed.task;
        let mut sets = BTreeMap::new();
        for attempts in &agreed.sets {
            let members: Option<Vec<Member>> = attempts
                .iter()
                .map(|attempt| {
                    let (node, hidden) = spoken.commitments.get(&(task, *attempt))?;
                    Some(Member { node: *node, attempt: *attempt, hidden: *hidden })
                })
                .collect();
            let complete = attempts.len() >= usize::from(self.order.payload.verification.k)
                && attempts.windows(2).all(|pair| pair[0] < pair[1]);
            match members {
                Some(members) if complete => {
                    sets.insert(set_digest(id, task, &members), attempts);
                }
                _ => return Err(AgreementError::Set { task, by: self.order.payload.home }),
            }
        }
        Ok(sets)
    }
}
