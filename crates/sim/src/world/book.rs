//! The book of lies: which lie was told to whom, and whether the ledger names who told it.
//!
//! Nobody in the world reads it. It is kept by whoever runs the world, who sees everything.

use super::desk::At;
use identity::{Digest, PublicKey};
use protocol::{
    Attempt, Cause, CommitBatch, Finding, JobId, OutcomeDigest, RevealBatch, TaskIndex,
    commitment_of,
};
use std::collections::{BTreeMap, BTreeSet};

/// What kind of lie it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lie {
    /// A wrong outcome.
    Outcome,
    /// Two commitments for one replica.
    Commits,
    /// A reveal that does not open its commitment.
    Opening,
}

/// How far a lie got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Nobody heard it: the message was lost, or the home was away.
    Unheard,
    /// It was told to a home that lies itself.
    ToLiar,
    /// The task had ended.
    Late,
    /// An honest home took it.
    Heard,
}

/// All lies of a run.
#[derive(Default)]
pub(super) struct Book {
    lies: BTreeMap<(PublicKey, At, Lie), Reach>,
    /// The first commitment to each replica of each node.
    commits: BTreeMap<(PublicKey, JobId, TaskIndex, Attempt), Digest>,
    /// The first commitment to each replica that its home heard.
    heard: BTreeMap<(PublicKey, JobId, TaskIndex, Attempt), Digest>,
    /// Validators that honest ones saw to rule twice.
    contradicted: BTreeSet<(PublicKey, At)>,
}

impl Book {
    /// Lies in a batch of commitments, with their tasks.
    pub(super) fn commits(&mut self, batch: &CommitBatch) -> Vec<(At, Lie)> {
        contradictions(&mut self.commits, batch)
    }

    /// Lies that a home sees in a batch of commitments: it may not have heard the first one.
    pub(super) fn commits_heard(&mut self, batch: &CommitBatch) -> Vec<(At, Lie)> {
        contradictions(&mut self.heard, batch)
    }

    /// Lies in a batch of reveals, with their tasks. A reveal that opens nothing is one lie, not
    /// two: nobody takes its outcome.
    pub(super) fn reveals(
        &self,
        batch: &RevealBatch,
        right: impl Fn(At) -> OutcomeDigest,
    ) -> Vec<(At, Lie)> {
        let (by, job) = (batch.statement.by, batch.statement.payload.job);
        let mut lies = Vec::new();
        for leaf in &batch.leaves {
            let at = (job, leaf.task);
            let hidden = self.commits.get(&(by, job, leaf.task, leaf.attempt));
            if hidden != Some(&commitment_of(&by, &leaf.salt, &leaf.outcome)) {
                lies.push((at, Lie::Opening));
            } else if leaf.outcome != right(at) {
                lies.push((at, Lie::Outcome));
            }
        }
        lies
    }

    /// Writes down how far a lie got. What got further before stays so.
    pub(super) fn tell(&mut self, by: PublicKey, (at, lie): (At, Lie), reach: Reach) {
        let known = self.lies.entry((by, at, lie)).or_insert(reach);
        *known = (*known).max(reach);
    }

    /// An honest validator saw two rulings of this one.
    pub(super) fn contradicted(&mut self, place: (PublicKey, At)) {
        self.contradicted.insert(place);
    }

    pub(super) fn lies(&self) -> impl Iterator<Item = (PublicKey, At, Lie, Reach)> + '_ {
        self.lies.iter().map(|((by, at, lie), reach)| (*by, *at, *lie, *reach))
    }

    pub(super) fn rulers(&self) -> impl Iterator<Item = &(PublicKey, At)> {
        self.contradicted.iter()
    }
}

fn contradictions(
    known: &mut BTreeMap<(PublicKey, JobId, TaskIndex, Attempt), Digest>,
    batch: &CommitBatch,
) -> Vec<(At, Lie)> {
    let (by, job) = (batch.statement.by, batch.statement.payload.job);
    let mut lies = Vec::new();
    for leaf in &batch.leaves {
        let first = known.entry((by, job, leaf.task, leaf.attempt)).or_insert(leaf.hidden);
        if *first != leaf.hidden {
            lies.push(((job, leaf.task), Lie::Commits));
        }
    }
    lies
}

/// Whether a finding is about this lie. A home accuses a node once for each job, and of what it
/// heard first: of two commitments the second one may come first, and then nothing opens it.
pub(super) fn names(finding: &Finding, by: &PublicKey, (job, task): At, lie: Lie) -> bool {
    finding.node == *by
        && match &finding.cause {
            Cause::Refuted { job: of, task: at } => {
                lie == Lie::Outcome && (*of, *at) == (job, task)
            }
            Cause::Commits { job: of, .. }
            | Cause::Reveals { job: of, .. }
            | Cause::Opening { job: of, .. } => lie != Lie::Outcome && *of == job,
            _ => false,
        }
}
